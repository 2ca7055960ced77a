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
    for (index, value) in network.values.iter().enumerate() {
        if let Some(grid) = &grids[index] {
            let own = grid.positions(&value.shape);
            let moved = own.iter().enumerate().any(|(element, &at)| element != at);
            positions[index] = moved.then_some(own);
            arranged.values[index].elements = grid.length(&value.shape);
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

/// A grid for every value that has one. Values that element-wise stages tie together share theirs.
fn grids(network: &Network, strategy: Strategy) -> Vec<Option<Grid>> {
    let class = classes(network);
    let mut grids: Vec<Option<Option<Grid>>> = vec![None; network.values.len()];
    for port in &network.inputs {
        let shape = &network.values[port.value].shape;
        grids[class[port.value]].get_or_insert_with(|| strategy.dense(shape));
    }
    for stage in &network.stages {
        let shape = &network.values[stage.output].shape;
        if grids[class[stage.output]].is_some() {
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
                let grid = grids[class[value]].as_ref()?.as_ref()?;
                strided(grid, &network.values[value].shape, shape, matrix)
            });
        grids[class[stage.output]] = Some(strided.or_else(|| strategy.dense(shape)));
    }
    (0..network.values.len())
        .map(|value| {
            let grid = grids[class[value]].clone().flatten()?;
            grid.holds(&network.values[value].shape).then_some(grid)
        })
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
