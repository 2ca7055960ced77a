//! Whether results are what a test wants.

use anyhow::{Result, ensure};
use hush_graph::Tensor;

/// Share of the expected value that a float result may be off: the tests compute in 32 bits.
const FLOAT_TOLERANCE: f64 = 1e-4;

/// Compares results in floats.
pub(crate) fn compare_floats(found: &[Tensor], expected: &[Tensor]) -> Result<()> {
    compare(found, expected, |value| {
        FLOAT_TOLERANCE * (1.0 + value.abs())
    })
}

/// Compares results with an absolute error of at most `precision`, which rounding in 32 bits adds to.
pub(crate) fn compare_within(found: &[Tensor], expected: &[Tensor], precision: f64) -> Result<()> {
    compare(found, expected, |value| precision + 1e-6 * value.abs())
}

fn compare(found: &[Tensor], expected: &[Tensor], tolerance: impl Fn(f64) -> f64) -> Result<()> {
    ensure!(
        found.len() == expected.len(),
        "{} outputs in place of {}",
        found.len(),
        expected.len()
    );
    for (found, expected) in found.iter().zip(expected) {
        ensure!(
            found.shape() == expected.shape(),
            "shape {:?} in place of {:?}",
            found.shape(),
            expected.shape()
        );
        let pairs = found.data().iter().zip(expected.data());
        for (index, (found, expected)) in pairs.enumerate() {
            let same = found == expected || (found.is_nan() && expected.is_nan());
            ensure!(
                same || (found - expected).abs() <= tolerance(*expected),
                "element {index} is {found} in place of {expected}"
            );
        }
    }
    Ok(())
}
