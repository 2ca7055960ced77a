//! Discrete Gaussian noise, sampled exactly.
//!
//! Canonne, Kamath and Steinke, "The Discrete Gaussian for Differential Privacy" (NeurIPS 2020), algorithms 1 to 3: only
//! integers are compared, so no rounding of floats weakens the guarantee. The time of a sample depends on the sample;
//! an observer of a client's exact timing learns something about its noise.

use rand_core::CryptoRng;

use crate::FederatedError;

/// Largest variance: keeps every product below 2^127.
const VARIANCE_MOST: u64 = 1 << 40;

/// Noise on the integers, with probability proportional to `exp(-x^2 / (2 variance))`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct DiscreteGaussian {
    variance: u64,
    /// The integer part of the deviation, plus one.
    scale: u64,
}

impl DiscreteGaussian {
    /// Noise of this variance.
    ///
    /// # Errors
    /// If it is zero or above 2^40.
    pub fn new(variance: u64) -> Result<Self, FederatedError> {
        if !(1..=VARIANCE_MOST).contains(&variance) {
            return Err(FederatedError::Setting {
                field: "variance",
                found: variance.to_string(),
                reason: format!("is outside 1..={VARIANCE_MOST}"),
            });
        }
        Ok(Self {
            variance,
            scale: variance.isqrt() + 1,
        })
    }

    /// The parameter `variance`; the variance itself is a little less for small ones.
    pub fn variance(&self) -> u64 {
        self.variance
    }

    /// Its square root.
    pub fn deviation(&self) -> f64 {
        (self.variance as f64).sqrt()
    }

    /// One sample. Takes about four samples of a geometric distribution.
    pub fn sample<R: CryptoRng + ?Sized>(&self, rng: &mut R) -> i64 {
        let (variance, scale) = (u128::from(self.variance), u128::from(self.scale));
        loop {
            let candidate = laplace(self.scale, rng);
            let magnitude = u128::from(candidate.unsigned_abs());
            // Beyond 2^28 deviations: probability below exp(-2^28), and squares stay below 2^127.
            if magnitude > scale << 20 {
                continue;
            }
            let distance = (magnitude * scale).abs_diff(variance);
            let Some(square) = distance.checked_mul(distance) else {
                continue;
            };
            if exponential(square, 2 * variance * scale * scale, rng) {
                return candidate;
            }
        }
    }
}

/// A sample with probability proportional to `exp(-|x| / scale)`.
fn laplace<R: CryptoRng + ?Sized>(scale: u64, rng: &mut R) -> i64 {
    loop {
        let fraction = below(u128::from(scale), rng);
        if !exponential(fraction, u128::from(scale), rng) {
            continue;
        }
        let mut whole = 0u64;
        while exponential(1, 1, rng) {
            whole += 1;
        }
        let magnitude = (fraction as u64 + scale * whole) as i64;
        let negative = rng.next_u32() & 1 == 1;
        if negative && magnitude == 0 {
            continue;
        }
        return if negative { -magnitude } else { magnitude };
    }
}

/// True with probability `exp(-numerator / denominator)`.
fn exponential<R: CryptoRng + ?Sized>(mut numerator: u128, denominator: u128, rng: &mut R) -> bool {
    while numerator > denominator {
        if !exponential_below_one(denominator, denominator, rng) {
            return false;
        }
        numerator -= denominator;
    }
    exponential_below_one(numerator, denominator, rng)
}

/// The same where the numerator is at most the denominator.
fn exponential_below_one<R: CryptoRng + ?Sized>(
    numerator: u128,
    denominator: u128,
    rng: &mut R,
) -> bool {
    let mut k = 1u128;
    // Bernoulli(numerator / (denominator k)) as two independent draws, so that nothing overflows.
    while below(k, rng) == 0 && below(denominator, rng) < numerator {
        k += 1;
    }
    k % 2 == 1
}

/// Uniform below `bound`, without bias.
fn below<R: CryptoRng + ?Sized>(bound: u128, rng: &mut R) -> u128 {
    if bound <= 1 {
        return 0;
    }
    let bits = 128 - (bound - 1).leading_zeros();
    loop {
        let mut number = u128::from(rng.next_u64());
        if bits > 64 {
            number |= u128::from(rng.next_u64()) << 64;
        }
        number &= u128::MAX >> (128 - bits);
        if number < bound {
            return number;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::{RngCore, SeedableRng, TryRngCore};

    #[test]
    fn frequencies_are_those_of_the_distribution() {
        let seed = rand_core::OsRng.unwrap_err().next_u64();
        println!("seed {seed}");
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        for variance in [1, 2, 7, 40] {
            let noise = DiscreteGaussian::new(variance).unwrap();
            let count = 200_000;
            let mut found = [0usize; 81];
            for _ in 0..count {
                let sample = noise.sample(&mut rng);
                if sample.abs() <= 40 {
                    found[(sample + 40) as usize] += 1;
                }
            }
            let density = |x: i64| (-(x * x) as f64 / (2.0 * variance as f64)).exp();
            let total: f64 = (-400..=400).map(density).sum();
            for x in -40..=40 {
                let expected = count as f64 * density(x) / total;
                let off = (found[(x + 40) as usize] as f64 - expected).abs();
                // Six deviations of a count.
                assert!(
                    off <= 6.0 * expected.sqrt() + 6.0,
                    "variance {variance}, {x}: off by {off}"
                );
            }
        }
    }

    #[test]
    fn large_variances_have_the_right_moments() {
        let seed = rand_core::OsRng.unwrap_err().next_u64();
        println!("seed {seed}");
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        for variance in [1_000_003u64, VARIANCE_MOST] {
            let noise = DiscreteGaussian::new(variance).unwrap();
            let count = 50_000;
            let samples: Vec<f64> = (0..count)
                .map(|_| noise.sample(&mut rng) as f64 / noise.deviation())
                .collect();
            let mean = samples.iter().sum::<f64>() / f64::from(count);
            let square = samples.iter().map(|x| x * x).sum::<f64>() / f64::from(count);
            assert!(mean.abs() < 6.0 / f64::from(count).sqrt(), "{mean}");
            assert!(
                (square - 1.0).abs() < 6.0 * (2.0 / f64::from(count)).sqrt(),
                "{square}"
            );
        }
        assert!(DiscreteGaussian::new(0).is_err());
        assert!(DiscreteGaussian::new(VARIANCE_MOST + 1).is_err());
    }
}
