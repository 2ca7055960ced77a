//! Gives images positions in which convolutions need few rotations, before anything is packed.
//!
//! Only the numbering of elements changes: matrices get the rows and columns of the new positions, and every packing
//! works on the result as on any other network. Positions that no element has are zero before an activation and
//! the activation of zero after it; no weight reads them.

mod grid;

use std::collections::BTreeSet;

use hush_graph::SparseMatrix;

use crate::network::{Index, Network, StageKind};
pub use grid::{Axis, Grid};

/// How grids are chosen.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Strategy {
    /// Rows and zones have lengths that are powers of two, so that rotations coincide; otherwise none is wasted.
    pub aligned: bool,
    /// The results of strides keep the pitches of their source; otherwise they are moved together.
    pub multiplexed: bool,
}

impl Strategy {
    /// All of them.
    pub const ALL: [Strategy; 4] = [
        Strategy {
            aligned: true,
            multiplexed: true,
        },
        Strategy {
            aligned: true,
            multiplexed: false,
        },
        Strategy {
            aligned: false,
            multiplexed: true,
        },
        Strategy {
            aligned: false,
            multiplexed: false,
        },
    ];

    fn dense(self, shape: &[usize]) -> Option<Grid> {
        let round = |size: usize| match self.aligned {
            true => size.next_power_of_two(),
            false => size,
        };
        Grid::dense(shape, round)
    }
}

/// Largest factor between the strides of neighbouring values.
const MOST_STRIDE: usize = 8;

/// The network with its images on grids; `None` where that changes nothing.
pub fn arrange(network: &Network, strategy: Strategy) -> Option<Network> {
    let grids = grids(network, strategy);
    let mut arranged = network.clone();
    let mut positions: Vec<Option<Vec<usize>>> = vec![None; network.values.len()];
    for (index, image) in grids.into_iter().enumerate() {
        if let Some(Image { grid, shape }) = image {
            let own = grid.positions(&shape);
            let length = grid.length(&shape);
            let dense = length == own.len();
            let moved = own.iter().enumerate().any(|(element, &at)| element != at);
            positions[index] = (moved || !dense).then_some(own);
            arranged.values[index].elements = length;
        }
    }
    if positions.iter().all(Option::is_none) {
        return None;
    }
    let lengths: Vec<usize> = arranged.values.iter().map(|value| value.elements).collect();
    for stage in &mut arranged.stages {
        let output = stage.output;
        let rows = (positions[output].as_deref(), lengths[output]);
        let spread = |value: Index, matrix: &SparseMatrix| {
            renumber(matrix, rows, (positions[value].as_deref(), lengths[value]))
        };
        match &mut stage.kind {
            StageKind::Linear { terms, bias } => {
                for (value, matrix) in terms {
                    *matrix = spread(*value, matrix);
                }
                *bias = spread_out(bias, rows);
            }
            StageKind::Fused {
                source,
                matrix,
                bias,
                ..
            } => {
                *matrix = spread(*source, matrix);
                *bias = spread_out(bias, rows);
            }
            _ => {}
        }
    }
    for port in arranged.inputs.iter_mut().chain(&mut arranged.outputs) {
        port.positions = positions[port.value].clone();
    }
    Some(arranged)
}

fn spread_out(values: &[f64], (positions, length): (Option<&[usize]>, usize)) -> Vec<f64> {
    let mut spread = vec![0.0; length];
    for (element, &value) in values.iter().enumerate() {
        spread[positions.map_or(element, |positions| positions[element])] = value;
    }
    spread
}

/// The matrix between new positions of its rows and columns.
fn renumber(
    matrix: &SparseMatrix,
    (rows, row_count): (Option<&[usize]>, usize),
    (columns, column_count): (Option<&[usize]>, usize),
) -> SparseMatrix {
    let mut source = vec![None; row_count];
    for row in 0..matrix.rows() {
        source[rows.map_or(row, |rows| rows[row])] = Some(row);
    }
    let mut renumbered = SparseMatrix::empty(column_count);
    for row in source {
        let entries = row.into_iter().flat_map(|row| matrix.row(row));
        renumbered.push_row(entries.map(|(column, value)| {
            let column = columns.map_or(column, |columns| columns[column]);
            (column, value)
        }));
    }
    renumbered
}

/// A grid, and the shape that it was made for.
#[derive(Clone)]
struct Image {
    grid: Grid,
    shape: Vec<usize>,
}

/// An image for every value that has one. Values that element-wise stages tie together share theirs, whatever shapes
/// the model gives them in between.
fn grids(network: &Network, strategy: Strategy) -> Vec<Option<Image>> {
    let class = classes(network);
    let mut images: Vec<Option<Option<Image>>> = vec![None; network.values.len()];
    let image = |grid: Option<Grid>, shape: &[usize]| {
        let shape = shape.to_vec();
        grid.filter(|grid| grid.holds(&shape))
            .map(|grid| Image { grid, shape })
    };
    for port in &network.inputs {
        let shape = &network.values[port.value].shape;
        images[class[port.value]].get_or_insert_with(|| image(strategy.dense(shape), shape));
    }
    for stage in &network.stages {
        let shape = &network.values[stage.output].shape;
        if images[class[stage.output]].is_some() {
            continue;
        }
        let source = match &stage.kind {
            StageKind::Linear { terms, .. } => {
                terms.first().map(|(value, matrix)| (*value, matrix))
            }
            StageKind::Fused { source, matrix, .. } => Some((*source, matrix)),
            _ => None,
        };
        let strided = source
            .filter(|_| strategy.multiplexed)
            .and_then(|(value, matrix)| {
                let source = images[class[value]].as_ref()?.as_ref()?;
                strided(&source.grid, &source.shape, shape, matrix)
            });
        let grid = strided.or_else(|| strategy.dense(shape));
        images[class[stage.output]] = Some(image(grid, shape));
    }
    (0..network.values.len())
        .map(|value| images[class[value]].clone().flatten())
        .collect()
}

/// For each value the first one that must have the same positions.
fn classes(network: &Network) -> Vec<Index> {
    let mut class: Vec<Index> = (0..network.values.len()).collect();
    for stage in &network.stages {
        let tied: &[Index] = match &stage.kind {
            StageKind::Function { source, .. }
            | StageKind::Polynomial { source, .. }
            | StageKind::Shift { source, .. } => &[*source],
            StageKind::Product { left, right } => &[*left, *right],
            StageKind::Linear { .. } | StageKind::Fused { .. } => &[],
        };
        for &other in tied {
            let (from, to) = (class[stage.output], class[other]);
            let (low, high) = (from.min(to), from.max(to));
            for entry in &mut class {
                if *entry == high {
                    *entry = low;
                }
            }
        }
    }
    class
}

/// The gaps for which the results of one channel need the fewest rotations.
fn strided(grid: &Grid, source: &[usize], shape: &[usize], matrix: &SparseMatrix) -> Option<Grid> {
    if shape.len() != source.len() || shape[1..].iter().all(|&size| size == 1) {
        return None;
    }
    let columns = grid.positions(source);
    let gaps: Vec<usize> = grid.axes.iter().map(|axis| axis.gap).collect();
    let mut choices: Vec<Vec<usize>> = vec![Vec::new()];
    for gap in gaps {
        let wider = (1..=MOST_STRIDE).map(|stride| gap * stride);
        let closer = (2..=MOST_STRIDE)
            .filter(|stride| gap % stride == 0)
            .map(|stride| gap / stride);
        let options: Vec<usize> = wider.chain(closer).collect();
        choices = choices
            .iter()
            .flat_map(|known| {
                options.iter().map(move |&gap| {
                    let mut gaps = known.clone();
                    gaps.push(gap);
                    gaps
                })
            })
            .collect();
    }
    let one_channel = {
        let mut shape = shape.to_vec();
        shape[0] = 1;
        shape
    };
    choices
        .into_iter()
        .map(|gaps| grid.with_gaps(&gaps))
        .filter(|grid| grid.holds(shape))
        .min_by_key(|candidate| {
            let rows = candidate.positions(&one_channel);
            let rotations: BTreeSet<isize> = rows
                .iter()
                .enumerate()
                .flat_map(|(row, &to)| {
                    let columns = &columns;
                    let at = move |(column, _)| columns[column] as isize - to as isize;
                    matrix.row(row).map(at)
                })
                .collect();
            rotations.len()
        })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::network::{Port, Stage, Vector};
    use hush_graph::Function;

    /// `inputs` of these shapes, added up by selecting elements in order, then a function of each element that the
    /// model sees under another shape.
    fn network(inputs: &[&[usize]], sum: &[usize], reshaped: &[usize]) -> Network {
        let vector = |name: &str, shape: &[usize]| Vector {
            name: name.to_owned(),
            shape: shape.to_vec(),
            elements: shape.iter().product(),
        };
        let mut values: Vec<Vector> = inputs.iter().map(|shape| vector("x", shape)).collect();
        let port = |value: usize, shape: &[usize]| Port {
            name: "x".to_owned(),
            shape: shape.to_vec(),
            value,
            positions: None,
        };
        let ports = inputs.iter().enumerate();
        let ports = ports.map(|(value, shape)| port(value, shape)).collect();
        values.push(vector("sum", sum));
        values.push(vector("y", reshaped));
        let rows: usize = sum.iter().product();
        let terms = values[..inputs.len()].iter().enumerate().map(|(index, x)| {
            let columns = x.elements;
            let matrix = SparseMatrix::selection(columns, (0..rows).map(|row| row % columns));
            (index, matrix)
        });
        let linear = StageKind::Linear {
            terms: terms.collect(),
            bias: (0..rows).map(|row| row as f64).collect(),
        };
        let function = StageKind::Function {
            source: inputs.len(),
            function: Function::Exp,
        };
        let stages = [linear, function].into_iter().enumerate();
        Network {
            name: "sum".to_owned(),
            values,
            inputs: ports,
            stages: stages
                .map(|(index, kind)| Stage {
                    label: "stage".to_owned(),
                    output: inputs.len() + index,
                    kind,
                })
                .collect(),
            outputs: vec![port(inputs.len() + 1, reshaped)],
            post: Vec::new(),
        }
    }

    #[test]
    fn an_arranged_network_computes_the_same() {
        for (inputs, sum, reshaped) in [
            (vec![&[3, 4, 5][..], &[1, 1, 5]], [3, 4, 5], &[60][..]),
            (vec![&[2, 3, 3]], [2, 3, 3], &[3, 6]),
            (vec![&[18], &[2, 3, 3]], [2, 3, 3], &[1, 18, 1]),
        ] {
            let network = network(&inputs, &sum, reshaped);
            let data: Vec<Vec<f64>> = inputs
                .iter()
                .map(|shape| {
                    let size = shape.iter().product::<usize>();
                    (0..size).map(|element| (element as f64).sin()).collect()
                })
                .collect();
            let data: Vec<&[f64]> = data.iter().map(Vec::as_slice).collect();
            let expected = network.evaluate(&data).pop().unwrap();
            let mut moved = 0;
            for arranged in Strategy::ALL.map(|strategy| arrange(&network, strategy)) {
                let Some(arranged) = arranged else { continue };
                moved += 1;
                for (value, vector) in arranged.values.iter().zip(arranged.evaluate(&data)) {
                    assert_eq!(vector.len(), value.elements, "{inputs:?}");
                }
                let found = arranged.evaluate(&data).pop().unwrap();
                let port = &arranged.outputs[0];
                let order = |element| match &port.positions {
                    Some(positions) => positions[element],
                    None => element,
                };
                let found: Vec<f64> = (0..expected.len()).map(|e| found[order(e)]).collect();
                assert_eq!(found, expected, "{inputs:?}");
            }
            assert!(moved > 0, "{inputs:?}");
        }
    }
}
