//! Puts replacements into a network: the change to u of [−1, 1] goes into the linear stage before where that is
//! possible, scales of elements into the linear stages after.

use hush_graph::SparseMatrix;
use hush_program::{Basis, Polynomial};

use super::form::{Form, Substitute};
use super::target::Target;
use crate::network::{Index, Network, Stage, StageKind, Vector};

/// The network with every target replaced.
pub(super) fn rewrite(
    network: &Network,
    targets: &[Target],
    substitutes: &[Substitute],
) -> Network {
    let mut result = network.clone();
    let mut stages: Vec<Vec<Stage>> = network
        .stages
        .iter()
        .cloned()
        .map(|own| vec![own])
        .collect();
    for (target, substitute) in targets.iter().zip(substitutes) {
        let (lo, hi) = substitute.interval;
        let mut basis = Basis::Chebyshev { lo, hi };
        if target.alone {
            let factors: Vec<f64> = substitute
                .scales
                .iter()
                .map(|scale| 2.0 / ((hi - lo) * scale))
                .collect();
            let whole = matches!(substitute.form, Form::Series(_)) || target.absorbs;
            if whole && change(&mut stages, target.source, &factors, -(lo + hi) / (hi - lo)) {
                basis = Basis::Chebyshev { lo: -1.0, hi: 1.0 };
            }
        }
        let rewritten = basis == Basis::Chebyshev { lo: -1.0, hi: 1.0 };
        let stage = |output, kind| Stage {
            label: target.label.clone(),
            output,
            kind,
        };
        stages[target.stage] = match &substitute.form {
            Form::Series(polynomial) => {
                scale_readers(&mut stages, target.output, &substitute.scales);
                let polynomial = Polynomial {
                    coefficients: polynomial.coefficients.clone(),
                    basis,
                };
                let source = target.source;
                vec![stage(
                    target.output,
                    StageKind::Polynomial { source, polynomial },
                )]
            }
            Form::Sign(steps) => {
                if rewritten {
                    // The product is with u, not with x.
                    let scales: Vec<f64> = substitute.scales.iter().map(|own| own * hi).collect();
                    scale_readers(&mut stages, target.output, &scales);
                }
                let mut composed = Vec::new();
                let mut source = target.source;
                for (index, step) in steps.iter().enumerate() {
                    let mut polynomial = step.clone();
                    if index == 0 {
                        polynomial.basis = basis;
                    }
                    let output = add_value(&mut result, target.source, index);
                    composed.push(stage(output, StageKind::Polynomial { source, polynomial }));
                    source = output;
                }
                let (left, right) = (target.source, source);
                composed.push(stage(target.output, StageKind::Product { left, right }));
                composed
            }
        };
    }
    result.stages = stages.into_iter().flatten().collect();
    result
}

fn add_value(network: &mut Network, like: Index, step: usize) -> Index {
    let vector = Vector {
        name: format!("{} sign {}", network.values[like].name, step + 1),
        ..network.values[like].clone()
    };
    network.values.push(vector);
    network.values.len() - 1
}

/// Scales the rows of the linear stage that makes a value, and shifts it.
fn change(stages: &mut [Vec<Stage>], value: Index, factors: &[f64], offset: f64) -> bool {
    let mut producers = stages
        .iter_mut()
        .flatten()
        .filter(|stage| stage.output == value);
    let Some(StageKind::Linear { terms, bias }) = producers.next().map(|stage| &mut stage.kind)
    else {
        return false;
    };
    for (_, matrix) in terms.iter_mut() {
        *matrix = matrix.scale_rows(factors);
    }
    for (bias, factor) in bias.iter_mut().zip(factors) {
        *bias = *bias * factor + offset;
    }
    true
}

/// Scales the columns with which linear stages read a value.
fn scale_readers(stages: &mut [Vec<Stage>], value: Index, scales: &[f64]) {
    if scales.iter().all(|&scale| scale == 1.0) {
        return;
    }
    for stage in stages.iter_mut().flatten() {
        if let StageKind::Linear { terms, .. } = &mut stage.kind {
            for (_, matrix) in terms.iter_mut().filter(|(read, _)| *read == value) {
                *matrix = scale_columns(matrix, scales);
            }
        }
    }
}

fn scale_columns(matrix: &SparseMatrix, scales: &[f64]) -> SparseMatrix {
    let mut scaled = SparseMatrix::empty(matrix.columns());
    for row in 0..matrix.rows() {
        let entries = matrix.row(row);
        scaled.push_row(entries.map(|(column, value)| (column, value * scales[column])));
    }
    scaled
}
