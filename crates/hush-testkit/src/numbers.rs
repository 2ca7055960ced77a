//! Random messages and how far two messages are apart.

use hush_ckks::encoder::Complex64;
use rand_core::RngCore;

/// Uniform numbers in `[-bound, bound)`.
#[must_use]
pub fn random_reals(rng: &mut impl RngCore, count: usize, bound: f64) -> Vec<f64> {
    let unit = 1.0 / (1u64 << 52) as f64;
    (0..count)
        .map(|_| ((rng.next_u64() >> 11) as f64 * unit - 1.0) * bound)
        .collect()
}

/// Complex numbers with both parts uniform in `[-bound, bound)`.
#[must_use]
pub fn random_complex(rng: &mut impl RngCore, count: usize, bound: f64) -> Vec<Complex64> {
    let real = random_reals(rng, count, bound);
    let imaginary = random_reals(rng, count, bound);
    real.into_iter()
        .zip(imaginary)
        .map(|(re, im)| Complex64::new(re, im))
        .collect()
}

/// The largest absolute difference.
///
/// # Panics
/// When the lengths differ.
#[must_use]
pub fn largest_error(left: &[f64], right: &[f64]) -> f64 {
    assert_eq!(left.len(), right.len(), "messages of one length");
    left.iter()
        .zip(right)
        .map(|(a, b)| (a - b).abs())
        .fold(0.0, f64::max)
}
