//! Quadratics in one level instead of two: the change of variable that makes them a square is free.
//!
//! `c2 x² + c1 x + c0 = ±t² + b` with `t = √|c2| (x + c1 / 2 c2)`. The linear stage before takes the change of
//! variable into its weights; a negative sign goes into the linear stages after.

use std::collections::BTreeSet;

use hush_program::{Basis, Polynomial};

use crate::network::{Index, Network, Stage, StageKind};

/// Largest factor or shift: a change of variable far beyond the data would cancel large terms.
const TAME: f64 = 1e3;

/// `sign * (factor * (x - shift))² + b`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Square {
    sign: f64,
    factor: f64,
    shift: f64,
    b: f64,
}

fn square(polynomial: &Polynomial) -> Option<Square> {
    let &[c0, c1, c2] = polynomial.coefficients.as_slice() else {
        return None;
    };
    let [c0, c1, c2] = match polynomial.basis {
        Basis::Power => [c0, c1, c2],
        // T_2 = 2x² − 1.
        Basis::Chebyshev { lo: -1.0, hi: 1.0 } => [c0 - c2, c1, 2.0 * c2],
        _ => return None,
    };
    let shift = -c1 / (2.0 * c2);
    let (factor, b) = (c2.abs().sqrt(), c0 - c2 * shift * shift);
    let tame = [factor, shift, b]
        .iter()
        .all(|value| value.is_finite() && value.abs() < TAME);
    (tame && factor > 1.0 / TAME).then_some(Square {
        sign: c2.signum(),
        factor,
        shift,
        b,
    })
}

/// Whether a polynomial becomes a square.
pub(crate) fn is_square(polynomial: &Polynomial) -> bool {
    square(polynomial).is_some()
}

/// Whether every reader of a value is a linear stage, which can take a sign.
pub(crate) fn only_linear_readers(network: &Network, value: Index) -> bool {
    let output = network.outputs.iter().any(|port| port.value == value);
    let mut readers = network
        .stages
        .iter()
        .filter(|stage| stage.kind.reads().contains(&value));
    !output && readers.all(|stage| matches!(stage.kind, StageKind::Linear { .. }))
}

/// Rewrites every quadratic whose argument is a linear stage that nothing else reads.
pub fn monic(network: &Network) -> Network {
    let mut result = network.clone();
    let uses = network.uses();
    let mut stages: Vec<Stage> = Vec::new();
    let mut negative = BTreeSet::new();
    for stage in &network.stages {
        let StageKind::Polynomial { source, polynomial } = &stage.kind else {
            stages.push(stage.clone());
            continue;
        };
        let argument = stages
            .iter_mut()
            .find(|earlier| earlier.output == *source)
            .map(|earlier| &mut earlier.kind);
        let (Some(StageKind::Linear { terms, bias }), Some(square), 1) =
            (argument, square(polynomial), uses[*source])
        else {
            stages.push(stage.clone());
            continue;
        };
        if square.sign < 0.0 && !only_linear_readers(network, stage.output) {
            stages.push(stage.clone());
            continue;
        }
        for (_, matrix) in terms {
            *matrix = matrix.scale_rows(&vec![square.factor; matrix.rows()]);
        }
        bias.iter_mut()
            .for_each(|bias| *bias = square.factor * (*bias - square.shift));
        result.values.push(network.values[stage.output].clone());
        let product = result.values.len() - 1;
        let kinds = [
            (
                StageKind::Product {
                    left: *source,
                    right: *source,
                },
                product,
            ),
            (
                StageKind::Shift {
                    source: product,
                    constant: square.sign * square.b,
                },
                stage.output,
            ),
        ];
        for (kind, output) in kinds {
            stages.push(Stage {
                label: stage.label.clone(),
                output,
                kind,
            });
        }
        if square.sign < 0.0 {
            negative.insert(stage.output);
        }
    }
    for stage in &mut stages {
        if let StageKind::Linear { terms, .. } = &mut stage.kind {
            for (_, matrix) in terms
                .iter_mut()
                .filter(|(value, _)| negative.contains(value))
            {
                *matrix = matrix.scale_rows(&vec![-1.0; matrix.rows()]);
            }
        }
    }
    result.stages = stages;
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::around;

    fn network(polynomial: Polynomial) -> Network {
        around(polynomial, (2.0, 0.5))
    }

    #[test]
    fn the_function_stays_and_levels_shrink() {
        let cases = [
            (vec![1.0, -0.7, 0.3], Basis::Power, 3),
            (vec![1.0, -0.7, -0.3], Basis::Power, 3),
            (
                vec![0.1, 0.2, 0.4],
                Basis::Chebyshev { lo: -1.0, hi: 1.0 },
                3,
            ),
            (vec![0.1, 0.2, 0.4, 0.3], Basis::Power, 4),
            (vec![0.1, 0.2, 1e-9], Basis::Power, 4),
        ];
        for (coefficients, basis, depth) in cases {
            let before = network(Polynomial {
                coefficients,
                basis,
            });
            let after = monic(&before);
            assert_eq!(after.depths()[3], depth, "{:?}", before.stages[1]);
            for x in [-2.0, -0.4, 0.0, 0.3, 1.7] {
                let expected = before.evaluate(&[&[x]])[3][0];
                let found = after.evaluate(&[&[x]])[3][0];
                assert!((found - expected).abs() < 1e-9, "{x}: {found} {expected}");
            }
        }
    }
}
