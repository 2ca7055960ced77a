//! Minimum of a smooth convex function of a few variables: quasi-Newton steps with numeric gradients.
//!
//! Broyden, Fletcher, Goldfarb and Shanno's update of the inverse Hessian (Nocedal and Wright, Numerical
//! Optimization, algorithm 6.1) with a backtracking line search that treats `None` as infinity, which is what a
//! barrier method needs.

/// Step of the central differences.
const STEP: f64 = 1e-4;

/// Share of the predicted decrease that a step must bring (Armijo's rule).
const ARMIJO: f64 = 1e-4;

fn gradient(x: &[f64], function: &mut impl FnMut(&[f64]) -> Option<f64>) -> Option<Vec<f64>> {
    let mut point = x.to_vec();
    let mut gradient = Vec::with_capacity(x.len());
    for index in 0..x.len() {
        point[index] = x[index] + STEP;
        let above = function(&point)?;
        point[index] = x[index] - STEP;
        let below = function(&point)?;
        point[index] = x[index];
        gradient.push((above - below) / (2.0 * STEP));
    }
    Some(gradient)
}

fn dot(a: &[f64], b: &[f64]) -> f64 {
    a.iter().zip(b).map(|(a, b)| a * b).sum()
}

/// At most `rounds` steps downhill from `start`; `None` from the function means "not allowed". Returns the start
/// itself if nothing better is found.
pub(crate) fn minimize(
    start: Vec<f64>,
    rounds: usize,
    mut function: impl FnMut(&[f64]) -> Option<f64>,
) -> Vec<f64> {
    let size = start.len();
    let identity = |factor: f64| -> Vec<Vec<f64>> {
        (0..size)
            .map(|row| {
                (0..size)
                    .map(|column| if row == column { factor } else { 0.0 })
                    .collect()
            })
            .collect()
    };
    let mut x = start;
    let (Some(mut value), Some(mut slope)) = (function(&x), gradient(&x, &mut function)) else {
        return x;
    };
    let mut inverse = identity(1.0);
    for _ in 0..rounds {
        let mut direction: Vec<f64> = inverse.iter().map(|row| -dot(row, &slope)).collect();
        let mut decrease = dot(&direction, &slope);
        if decrease >= 0.0 {
            inverse = identity(1.0);
            direction = slope.iter().map(|value| -value).collect();
            decrease = -dot(&slope, &slope);
        }
        if decrease > -1e-9 {
            break;
        }
        let mut length = 1.0;
        let next = loop {
            let trial: Vec<f64> = x
                .iter()
                .zip(&direction)
                .map(|(x, d)| x + length * d)
                .collect();
            if let Some(found) = function(&trial)
                && found <= value + ARMIJO * length * decrease
                && let Some(found_slope) = gradient(&trial, &mut function)
            {
                break Some((trial, found, found_slope));
            }
            length *= 0.5;
            if length < 1e-8 {
                break None;
            }
        };
        let Some((trial, found, found_slope)) = next else {
            break;
        };
        let moved: Vec<f64> = trial.iter().zip(&x).map(|(a, b)| a - b).collect();
        let turned: Vec<f64> = found_slope.iter().zip(&slope).map(|(a, b)| a - b).collect();
        let curvature = dot(&moved, &turned);
        if curvature > 1e-12 {
            update(&mut inverse, &moved, &turned, curvature);
        }
        let gained = value - found;
        (x, value, slope) = (trial, found, found_slope);
        if gained < 1e-7 {
            break;
        }
    }
    x
}

fn update(inverse: &mut [Vec<f64>], moved: &[f64], turned: &[f64], curvature: f64) {
    let image: Vec<f64> = inverse.iter().map(|row| dot(row, turned)).collect();
    let factor = (1.0 + dot(turned, &image) / curvature) / curvature;
    for (row, line) in inverse.iter_mut().enumerate() {
        for (column, entry) in line.iter_mut().enumerate() {
            *entry += factor * moved[row] * moved[column]
                - (image[row] * moved[column] + moved[row] * image[column]) / curvature;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_minimum_of_a_skew_valley_behind_a_barrier() {
        // ln(e^(x - 2y) + e^(y - x) + e^(-y)) with x + y < 1.
        let valley = |x: &[f64]| {
            let slack = 1.0 - x[0] - x[1];
            let sum = (x[0] - 2.0 * x[1]).exp() + (x[1] - x[0]).exp() + (-x[1]).exp();
            (slack > 0.0).then(|| sum.ln() - 1e-6 * slack.ln())
        };
        let found = minimize(vec![-1.0, -1.0], 200, valley);
        let at = valley(&found).unwrap();
        for offset in [[0.05, -0.05], [-0.05, 0.05], [-0.05, -0.05]] {
            let near = [found[0] + offset[0], found[1] + offset[1]];
            assert!(
                valley(&near).is_none_or(|value| value > at - 1e-6),
                "{found:?}"
            );
        }
    }
}
