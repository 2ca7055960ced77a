//! Polynomials of degree four in two levels instead of three.
//!
//! After a change of variable t, which is free in the linear stage before, the leading coefficient is ±1 and the cubic
//! term is gone, and `t⁴ + a t² + b t` is `(t² + p t + r)(t² − p t + s)` up to a constant for any p with `r + s = a + p²`
//! and `p (s − r) = b`. Both factors are squares of shifted variables: three products, one constant, two levels.

use std::collections::BTreeSet;

use hush_program::{Basis, Polynomial};

use crate::monic::only_linear_readers;
use crate::network::{Index, Network, Stage, StageKind, Vector};

/// Largest and smallest change of scale, largest shift.
const TAME: f64 = 30.0;

/// `sign * ((t + half)² + left) * ((t - half)² + right) + constant` with `t = factor * (x - shift)`.
#[derive(Clone, Copy, Debug, PartialEq)]
struct Quartic {
    sign: f64,
    factor: f64,
    shift: f64,
    half: f64,
    left: f64,
    right: f64,
    constant: f64,
}

fn quartic(polynomial: &Polynomial) -> Option<Quartic> {
    let &[c0, c1, c2, c3, c4] = polynomial.coefficients.as_slice() else {
        return None;
    };
    let [c0, c1, c2, c3, c4] = match polynomial.basis {
        Basis::Power => [c0, c1, c2, c3, c4],
        // T_2 = 2x² − 1, T_3 = 4x³ − 3x, T_4 = 8x⁴ − 8x² + 1.
        Basis::Chebyshev { lo: -1.0, hi: 1.0 } => [
            c0 - c2 + c4,
            c1 - 3.0 * c3,
            2.0 * c2 - 8.0 * c4,
            4.0 * c3,
            8.0 * c4,
        ],
        _ => return None,
    };
    let (sign, factor) = (c4.signum(), c4.abs().powf(0.25));
    let shift = -c3 / (4.0 * c4);
    // The Taylor coefficients at the shift, divided by the sign and powers of the factor.
    let value = |x: f64| (((c4 * x + c3) * x + c2) * x + c1) * x + c0;
    let slope = ((4.0 * c4 * shift + 3.0 * c3) * shift + 2.0 * c2) * shift + c1;
    let bend = (6.0 * c4 * shift + 3.0 * c3) * shift + c2;
    let (a, b) = (sign * bend / (factor * factor), sign * slope / factor);
    // p like the cube root of b balances the factors; without b both are the same.
    let p = b.abs().cbrt();
    let difference = b.signum() * p * p;
    let (r, s) = (
        0.5 * (a + p * p - difference),
        0.5 * (a + p * p + difference),
    );
    let half = 0.5 * p;
    let found = Quartic {
        sign,
        factor,
        shift,
        half,
        left: r - half * half,
        right: s - half * half,
        constant: value(shift) - sign * r * s,
    };
    let sizes = [factor, shift, half, found.left, found.right, found.constant];
    let tame = sizes
        .iter()
        .all(|size| size.is_finite() && size.abs() < TAME);
    (tame && factor > 1.0 / TAME && c4 != 0.0).then_some(found)
}

/// Whether a polynomial of degree four becomes a product of squares.
pub(crate) fn is_quartic(polynomial: &Polynomial) -> bool {
    quartic(polynomial).is_some()
}

/// Rewrites every polynomial of degree four whose argument is a linear stage that nothing else reads, and whose result
/// can take a sign.
pub fn quartics(network: &Network) -> Network {
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
        let (Some(StageKind::Linear { terms, bias }), Some(quartic), 1) =
            (argument, quartic(polynomial), uses[*source])
        else {
            stages.push(stage.clone());
            continue;
        };
        if quartic.sign < 0.0 && !only_linear_readers(network, stage.output) {
            stages.push(stage.clone());
            continue;
        }
        for (_, matrix) in terms {
            *matrix = matrix.scale_rows(&vec![quartic.factor; matrix.rows()]);
        }
        bias.iter_mut()
            .for_each(|bias| *bias = quartic.factor * (*bias - quartic.shift));
        expand(&mut result, &mut stages, stage, *source, quartic);
        if quartic.sign < 0.0 {
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

/// The stages of a quartic of the value `t`; the result goes without its sign.
fn expand(network: &mut Network, stages: &mut Vec<Stage>, stage: &Stage, t: Index, own: Quartic) {
    let mut push = |kind: StageKind, output: Option<Index>| {
        let output = output.unwrap_or_else(|| {
            network.values.push(Vector {
                ..network.values[stage.output].clone()
            });
            network.values.len() - 1
        });
        stages.push(Stage {
            label: stage.label.clone(),
            output,
            kind,
        });
        output
    };
    let shift = |source, constant| StageKind::Shift { source, constant };
    let mut factor = |half: f64, constant: f64| {
        let moved = if half == 0.0 {
            t
        } else {
            push(shift(t, half), None)
        };
        let square = StageKind::Product {
            left: moved,
            right: moved,
        };
        let square = push(square, None);
        push(shift(square, constant), None)
    };
    let left = factor(own.half, own.left);
    let right = if own.half == 0.0 && own.left == own.right {
        left
    } else {
        factor(-own.half, own.right)
    };
    let product = push(StageKind::Product { left, right }, None);
    push(shift(product, own.sign * own.constant), Some(stage.output));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::around;

    fn network(polynomial: Polynomial) -> Network {
        around(polynomial, (0.4, 0.1))
    }

    #[test]
    fn the_function_stays_and_levels_shrink() {
        let chebyshev = Basis::Chebyshev { lo: -1.0, hi: 1.0 };
        let cases = [
            (vec![1.0, -0.7, 0.3, 0.2, 0.4], Basis::Power, 4, 3),
            (vec![0.1, 0.5, 0.3, 0.02, -0.06], chebyshev, 4, 3),
            (vec![0.1, 0.5, 0.3, -0.1, 0.06], chebyshev, 4, 3),
            (vec![0.1, 0.0, 0.3, 0.0, 0.06], chebyshev, 4, 2),
            (vec![0.1, 0.2, 0.4, 0.3, 1e-9], chebyshev, 5, 0),
        ];
        for (coefficients, basis, depth, products) in cases {
            let before = network(Polynomial {
                coefficients,
                basis,
            });
            let after = quartics(&before);
            let found = after
                .stages
                .iter()
                .filter(|stage| matches!(stage.kind, StageKind::Product { .. }))
                .count();
            assert_eq!(
                (after.depths()[3], found),
                (depth, products),
                "{:?}",
                before.stages[1]
            );
            for x in [-2.0, -0.4, 0.0, 0.3, 1.7] {
                let expected = before.evaluate(&[&[x]])[3][0];
                let found = after.evaluate(&[&[x]])[3][0];
                assert!((found - expected).abs() < 1e-9, "{x}: {found} {expected}");
            }
        }
    }
}
