//! Noise that makes a decrypted result safe to show.

use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::KeysError;

/// How much noise to add to a decrypted result before others see it.
///
/// A Gaussian of standard deviation `sqrt(12 queries) 2^(bits/2) error`, after Li, Micciancio,
/// Schultz and Sorrell, "Securing Approximate Homomorphic Encryption Using Differential Privacy",
/// ePrint 2022/816: `bits` of statistical security for `queries` decrypted results, where `error`
/// bounds the standard deviation of a coefficient's error. The defaults, 30 bits and 1024 results,
/// cost 22 bits of precision; the result should have a scale that leaves room for them.
///
/// `error` must come from the circuit, in the worst case over inputs, never from the ciphertext at
/// hand: an estimate that an attacker can lower is none.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Flooding {
    deviation: f64,
}

/// The sampler makes 64-bit integers: ten deviations stay below `2^62`.
const MAX_LOG_DEVIATION: f64 = 58.0;

impl Flooding {
    /// Bits of statistical security by default.
    pub const DEFAULT_BITS: u32 = 30;
    /// Decrypted results shown under one key by default.
    pub const DEFAULT_QUERIES: u64 = 1024;

    /// Flooding for coefficient errors of at most this standard deviation, in units of the
    /// integer polynomial (slots' errors times the scale, divided by `sqrt(N)`).
    ///
    /// # Errors
    /// [`KeysError::InvalidFlooding`] unless `error` is positive and finite and `queries` is not
    /// zero.
    pub fn new(error: f64, bits: u32, queries: u64) -> Result<Self, KeysError> {
        let deviation = (12.0 * queries as f64).sqrt() * (f64::from(bits) / 2.0).exp2() * error;
        if error > 0.0 && queries > 0 && deviation.is_finite() {
            Ok(Self { deviation })
        } else {
            Err(KeysError::InvalidFlooding)
        }
    }

    /// The standard deviation of what is added to each coefficient.
    #[must_use]
    pub fn deviation(&self) -> f64 {
        self.deviation
    }

    pub(crate) fn check(&self, log_q: f64) -> Result<(), KeysError> {
        // Ten deviations stay a factor of four below Q/2.
        let log_max = (log_q - 6.5).min(MAX_LOG_DEVIATION);
        let log_deviation = self.deviation.log2();
        if log_deviation <= log_max {
            Ok(())
        } else {
            Err(KeysError::FloodingTooLarge {
                log_deviation,
                log_max,
            })
        }
    }

    /// Rounded Gaussian samples by the transform of Box and Muller: two draws per pair, no
    /// rejection. Tails beyond 8.5 deviations, of probability `2^-53`, are cut.
    pub(crate) fn sample(
        &self,
        count: usize,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Zeroizing<Vec<i64>> {
        let unit = 1.0 / (1u64 << 53) as f64;
        let mut samples = Zeroizing::new(vec![0; count]);
        for pair in samples.chunks_mut(2) {
            let radius = ((rng.next_u64() >> 11) + 1) as f64 * unit;
            let angle = (rng.next_u64() >> 11) as f64 * unit * std::f64::consts::TAU;
            let radius = (-2.0 * radius.ln()).sqrt() * self.deviation;
            let (sine, cosine) = angle.sin_cos();
            for (out, part) in pair.iter_mut().zip([cosine, sine]) {
                *out = (radius * part).round_ties_even() as i64;
            }
        }
        samples
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hush_testkit::TestRng;

    #[test]
    fn samples_have_the_stated_deviation() -> Result<(), KeysError> {
        let mut rng = TestRng::new();
        let count = 1 << 17;
        for error in [1.0, 1e3, 1e9] {
            let flooding = Flooding::new(error, 10, 100)?;
            let samples = flooding.sample(count, &mut rng);
            let normal = samples.iter().map(|&x| x as f64 / flooding.deviation());
            let moment = |power| normal.clone().map(|x| x.powi(power)).sum::<f64>() / count as f64;
            let six = 6.0 / (count as f64).sqrt();
            assert!(moment(1).abs() < six);
            assert!((moment(2) - 1.0).abs() < six * 2f64.sqrt());
            assert!((moment(4) - 3.0).abs() < six * 96f64.sqrt());
        }
        Ok(())
    }

    #[test]
    fn formula_and_limits() -> Result<(), KeysError> {
        let flooding = Flooding::new(10.0, Flooding::DEFAULT_BITS, Flooding::DEFAULT_QUERIES)?;
        assert!((flooding.deviation().log2() - (15.0 + 6.792 + 3.322)).abs() < 0.01);
        assert!(flooding.check(50.0).is_ok());
        assert!(flooding.check(30.0).is_err());
        assert!(Flooding::new(2f64.powi(50), 30, 1)?.check(1000.0).is_err());
        for (error, queries) in [
            (0.0, 1),
            (-1.0, 1),
            (f64::NAN, 1),
            (1.0, 0),
            (1e308, 1 << 60),
        ] {
            assert!(Flooding::new(error, 30, queries).is_err());
        }
        Ok(())
    }
}
