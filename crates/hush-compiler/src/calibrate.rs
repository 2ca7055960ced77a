//! Runs the float model on sample inputs: the range of every value, and the outputs to compare with.

use hush_graph::{Graph, Tensor, evaluate};

use crate::error::CompileError;
use crate::network::Network;

/// Fewer rows than this say little about ranges.
pub const MIN_ROWS: usize = 8;

/// Sample inputs: one tensor `[rows, …]` per input of the model, in the model's order.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibration {
    /// The tensors.
    pub inputs: Vec<Tensor>,
}

/// What the calibration data says about a network.
#[derive(Clone, Debug, PartialEq)]
pub struct Calibrated {
    /// Inputs per sample and input tensor.
    pub rows: Vec<Vec<Vec<f64>>>,
    /// Smallest and largest element of every value of the network.
    pub ranges: Vec<(f64, f64)>,
    /// Float outputs per sample and output tensor, before the client's operations.
    pub outputs: Vec<Vec<Vec<f64>>>,
    /// Rows at which some value of the network is smallest or largest, the first values' first.
    pub extreme_rows: Vec<usize>,
}

impl Calibrated {
    /// Smallest and largest element of an input tensor; nothing without rows.
    pub fn input_range(&self, input: usize) -> Option<(f64, f64)> {
        let elements = self.rows.iter().flat_map(|row| &row[input]);
        elements.fold(None, |range, &element| match range {
            Some((smallest, largest)) => {
                Some((f64::min(smallest, element), f64::max(largest, element)))
            }
            None => Some((element, element)),
        })
    }

    /// At most `count` rows: those with extreme values, then evenly spread ones.
    pub fn telling(&self, count: usize) -> Vec<usize> {
        let mut rows: Vec<usize> = self.extreme_rows.iter().copied().take(count).collect();
        for row in self.spread(count) {
            if rows.len() < count && !rows.contains(&row) {
                rows.push(row);
            }
        }
        rows.sort_unstable();
        rows
    }

    /// At most `count` rows, evenly spread.
    pub fn spread(&self, count: usize) -> Vec<usize> {
        let total = self.rows.len();
        let count = count.min(total);
        (0..count).map(|index| index * total / count).collect()
    }
}

/// Checks the data and finds ranges.
///
/// # Errors
/// Shapes that do not fit, too few rows, NaN or infinity in the data or in the float model's values.
pub fn calibrate(
    graph: &Graph,
    network: &Network,
    calibration: &Calibration,
) -> Result<Calibrated, CompileError> {
    let rows = samples(network, calibration, graph)?;
    if rows.len() < MIN_ROWS {
        return Err(CompileError::TooFewRows {
            rows: rows.len(),
            needed: MIN_ROWS,
        });
    }
    let mut ranges = vec![(f64::INFINITY, f64::NEG_INFINITY); network.values.len()];
    let mut extremes = vec![[0; 2]; network.values.len()];
    let mut outputs = Vec::with_capacity(rows.len());
    for (row, inputs) in rows.iter().enumerate() {
        let slices: Vec<&[f64]> = inputs.iter().map(Vec::as_slice).collect();
        let values = network.evaluate(&slices);
        let known = ranges.iter_mut().zip(&mut extremes);
        for ((vector, value), (range, extremes)) in network.values.iter().zip(&values).zip(known) {
            for &element in value {
                if !element.is_finite() {
                    let tensor = vector.name.clone();
                    return Err(CompileError::NotFinite {
                        tensor,
                        row,
                        value: element,
                    });
                }
                if element < range.0 {
                    (range.0, extremes[0]) = (element, row);
                }
                if element > range.1 {
                    (range.1, extremes[1]) = (element, row);
                }
            }
        }
        outputs.push(
            network
                .outputs
                .iter()
                .map(|port| values[port.value].clone())
                .collect(),
        );
    }
    let mut extreme_rows: Vec<usize> = Vec::new();
    for row in extremes.into_iter().flatten() {
        if !extreme_rows.contains(&row) {
            extreme_rows.push(row);
        }
    }
    Ok(Calibrated {
        rows,
        ranges,
        outputs,
        extreme_rows,
    })
}

fn samples(
    network: &Network,
    calibration: &Calibration,
    graph: &Graph,
) -> Result<Vec<Vec<Vec<f64>>>, CompileError> {
    for (tensor, port) in calibration.inputs.iter().zip(&network.inputs) {
        let size = port.shape.iter().product::<usize>().max(1);
        if let Some(position) = tensor.data().iter().position(|value| !value.is_finite()) {
            let (input, value) = (port.name.clone(), tensor.data()[position]);
            return Err(CompileError::CalibrationValue {
                input,
                row: position / size,
                value,
            });
        }
    }
    // The reference interpreter checks the shapes; one row costs little.
    let first: Vec<Tensor> = calibration.inputs.iter().map(first_row).collect();
    evaluate(graph, &first).map_err(CompileError::CalibrationShape)?;
    let counts = calibration.inputs.iter().map(|tensor| tensor.shape()[0]);
    let rows = counts.clone().min().unwrap_or(0);
    if counts.clone().any(|count| count != rows) {
        evaluate(graph, &calibration.inputs).map_err(CompileError::CalibrationShape)?;
    }
    let row = |index: usize| {
        let inputs = calibration.inputs.iter().zip(&network.inputs);
        inputs
            .map(|(tensor, port)| {
                let size = network.values[port.value].elements;
                tensor.data()[index * size..(index + 1) * size].to_vec()
            })
            .collect()
    };
    Ok((0..rows).map(row).collect())
}

/// The first sample of a tensor; the tensor itself where there is none.
fn first_row(tensor: &Tensor) -> Tensor {
    match tensor.shape() {
        [rows, rest @ ..] if *rows > 1 => {
            let mut shape = vec![1];
            shape.extend_from_slice(rest);
            let size = rest.iter().product();
            Tensor::new(shape, tensor.data()[..size].to_vec()).unwrap_or_else(|_| tensor.clone())
        }
        _ => tensor.clone(),
    }
}
