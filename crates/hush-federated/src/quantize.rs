//! Floats as words that can be summed exactly.
//!
//! A value in `-bound..=bound` becomes an integer in `-levels..=levels`, is multiplied by the client's integer weight,
//! and is summed modulo 2^bits with bits enough for the largest sum. Weights are part of the integers, not of the
//! rounding: a client of weight 1 is rounded as finely as one of the largest weight.

use rand_core::CryptoRng;

use crate::FederatedError;
use crate::noise::DiscreteGaussian;
use crate::pack::low;

/// How vectors become words, as somebody wrote it, unchecked.
#[derive(Debug, Clone, PartialEq)]
pub struct QuantizerLiteral {
    /// Values of a vector, without the weight that is summed beside them.
    pub values: usize,
    /// Largest magnitude of a value.
    pub bound: f64,
    /// Bits of one value before it is weighted: it takes one of `2^precision - 1` levels.
    pub precision: u32,
    /// Largest weight of a client.
    pub weight_most: u64,
    /// Most clients in a sum.
    pub clients: usize,
    /// Noise that each client adds to each level, for differential privacy; only where no weight is above 1.
    pub noise: Option<DiscreteGaussian>,
}

/// What to do with values outside the bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outliers {
    /// Refuse the vector.
    Refuse,
    /// Take the nearest value within the bound. Values that are no numbers are refused all the same.
    Clip,
}

/// A checked [`QuantizerLiteral`].
#[derive(Debug, Clone, PartialEq)]
pub struct Quantizer {
    literal: QuantizerLiteral,
    levels: u64,
    /// Largest magnitude that a sum of weighted levels can have, noise included.
    most: u64,
    bits: u32,
}

impl Quantizer {
    /// Checks `literal`.
    ///
    /// # Errors
    /// If a field is outside its range or sums need more than 63 bits.
    pub fn new(literal: QuantizerLiteral) -> Result<Self, FederatedError> {
        let fail = |field, found: String, reason: &str| {
            let reason = reason.to_owned();
            Err(FederatedError::Setting {
                field,
                found,
                reason,
            })
        };
        let l = &literal;
        if !(l.bound.is_finite() && l.bound > 0.0) {
            return fail("bound", l.bound.to_string(), "is not a positive number");
        }
        if !(2..=40).contains(&l.precision) {
            return fail("precision", l.precision.to_string(), "is outside 2..=40");
        }
        if l.weight_most == 0 || (l.noise.is_some() && l.weight_most != 1) {
            let reason = "is zero, or above 1 though noise is calibrated for weight 1";
            return fail("weight_most", l.weight_most.to_string(), reason);
        }
        if l.clients == 0 {
            return fail("clients", "0".to_owned(), "leaves nothing to sum");
        }
        let levels = (1u64 << (l.precision - 1)) - 1;
        // Twelve standard deviations of the summed noise: exceeded with probability below 2^-100.
        let noise = l.noise.as_ref().map_or(0.0, |noise| {
            12.0 * (l.clients as f64).sqrt() * noise.deviation()
        });
        let each = u128::from(l.weight_most) * u128::from(levels);
        let most = each.saturating_mul(l.clients as u128) + noise.ceil() as u128;
        let bits = (128 - most.leading_zeros()) + 1;
        if bits > 63 {
            let reason = "needs sums of more than 63 bits; lower precision, weights or clients";
            return fail("precision", l.precision.to_string(), reason);
        }
        Ok(Self {
            levels,
            most: most as u64,
            bits,
            literal,
        })
    }

    /// Bits of each word, for [`crate::SettingsLiteral::bits`]: of the largest sum and its sign.
    pub fn bits(&self) -> u32 {
        self.bits
    }

    /// Words of a vector, for [`crate::SettingsLiteral::length`]: its values and, where weights differ, the weight.
    pub fn length(&self) -> usize {
        self.literal.values + usize::from(self.weighted())
    }

    /// The distance of two levels, in units of a value; a mean is off by at most half of it.
    pub fn resolution(&self) -> f64 {
        self.literal.bound / self.levels as f64
    }

    /// How far one client's vector of Euclidean norm `norm` can move the sum of levels, for the accountant: rounding to
    /// the nearest level moves each of `values` levels by at most one half.
    pub fn sensitivity(&self, norm: f64) -> f64 {
        norm / self.resolution() + (self.literal.values as f64).sqrt() / 2.0
    }

    fn weighted(&self) -> bool {
        self.literal.weight_most > 1
    }

    /// The words of `values` with `weight`.
    ///
    /// # Errors
    /// If the length differs, a value is no number or beyond the bound (unless clipped), or the weight is out of range.
    pub fn encode<R: CryptoRng + ?Sized>(
        &self,
        values: &[f32],
        weight: u64,
        outliers: Outliers,
        rng: &mut R,
    ) -> Result<Vec<u64>, FederatedError> {
        let QuantizerLiteral {
            bound,
            weight_most,
            values: expected,
            ..
        } = self.literal;
        if values.len() != expected {
            return Err(FederatedError::VectorLength {
                expected,
                found: values.len(),
            });
        }
        if !(1..=weight_most).contains(&weight) {
            return Err(FederatedError::Weight {
                found: weight,
                most: weight_most,
            });
        }
        let within = |value: f32| f64::from(value).abs() <= bound;
        let fine = |value: f32| match outliers {
            Outliers::Refuse => within(value),
            Outliers::Clip => !value.is_nan(),
        };
        if let Some(index) = values.iter().position(|&value| !fine(value)) {
            let value = f64::from(values[index]);
            return Err(FederatedError::Value {
                index,
                value,
                bound,
            });
        }
        let (scale, mask) = (self.levels as f64 / bound, low(self.bits));
        let mut words: Vec<u64> = values
            .iter()
            .map(|&value| {
                let level = (f64::from(value).clamp(-bound, bound) * scale).round() as i64;
                level.wrapping_mul(weight as i64) as u64 & mask
            })
            .collect();
        if let Some(noise) = &self.literal.noise {
            for word in &mut words {
                *word = word.wrapping_add(noise.sample(rng) as u64) & mask;
            }
        }
        if self.weighted() {
            words.push(weight);
        }
        Ok(words)
    }

    /// The sum's elements as signed numbers of levels and the sum of weights; `survivors` is the number of vectors in it.
    ///
    /// # Errors
    /// If the length differs or an element is beyond what so many clients within range can make.
    pub fn sums(&self, words: &[u64], survivors: usize) -> Result<(Vec<i64>, u64), FederatedError> {
        if words.len() != self.length() {
            return Err(FederatedError::VectorLength {
                expected: self.length(),
                found: words.len(),
            });
        }
        let (words, weight) = if self.weighted() {
            let (weight, words) = words.split_last().expect("its length is at least 1");
            (words, *weight)
        } else {
            (words, survivors as u64)
        };
        let most_weight = self.literal.weight_most.saturating_mul(survivors as u64);
        if weight < survivors as u64 || weight > most_weight {
            return Err(FederatedError::Weight {
                found: weight,
                most: most_weight,
            });
        }
        let bound = if self.literal.noise.is_some() {
            self.most
        } else {
            weight * self.levels
        };
        let shift = 64 - self.bits;
        let sums: Vec<i64> = words
            .iter()
            .map(|word| ((word << shift) as i64) >> shift)
            .collect();
        if let Some(index) = sums.iter().position(|sum| sum.unsigned_abs() > bound) {
            return Err(FederatedError::Sum {
                index,
                found: sums[index],
                bound,
            });
        }
        Ok((sums, weight))
    }

    /// The weighted mean of the vectors in a sum.
    ///
    /// # Errors
    /// As [`Quantizer::sums`].
    pub fn mean(&self, words: &[u64], survivors: usize) -> Result<Vec<f64>, FederatedError> {
        let (sums, weight) = self.sums(words, survivors)?;
        let scale = self.resolution() / weight as f64;
        Ok(sums.into_iter().map(|sum| sum as f64 * scale).collect())
    }
}

/// Scales `values` down to the Euclidean norm `norm` if theirs is larger, and gives the factor.
///
/// # Errors
/// If a value is no finite number.
pub fn clip_norm(values: &mut [f32], norm: f64) -> Result<f64, FederatedError> {
    if let Some(index) = values.iter().position(|value| !value.is_finite()) {
        let value = f64::from(values[index]);
        return Err(FederatedError::Value {
            index,
            value,
            bound: f64::from(f32::MAX),
        });
    }
    let found = values
        .iter()
        .map(|&value| f64::from(value) * f64::from(value))
        .sum::<f64>()
        .sqrt();
    if found <= norm {
        return Ok(1.0);
    }
    // A little less, so that rounding to single precision does not lead above the norm.
    let factor = norm / found * (1.0 - 1e-7);
    for value in values {
        *value = (f64::from(*value) * factor) as f32;
    }
    Ok(factor)
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::{RngCore, SeedableRng, TryRngCore};

    fn literal() -> QuantizerLiteral {
        QuantizerLiteral {
            values: 1000,
            bound: 2.0,
            precision: 18,
            weight_most: 1000,
            clients: 10,
            noise: None,
        }
    }

    fn random(rng: &mut ChaCha20Rng) -> f32 {
        (f64::from(rng.next_u32()) / f64::from(u32::MAX) * 4.0 - 2.0) as f32
    }

    #[test]
    fn light_clients_lose_no_precision() {
        let seed = rand_core::OsRng.unwrap_err().next_u64();
        println!("seed {seed}");
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        for weights in [[1u64; 10], [1, 1000, 3, 7, 999, 500, 1, 2, 2, 8]] {
            let quantizer = Quantizer::new(literal()).unwrap();
            let mut sum = vec![0u64; quantizer.length()];
            let mut exact = vec![0.0; 1000];
            for weight in weights {
                let values: Vec<f32> = (0..1000).map(|_| random(&mut rng)).collect();
                let words = quantizer
                    .encode(&values, weight, Outliers::Refuse, &mut rng)
                    .unwrap();
                for (sum, word) in sum.iter_mut().zip(&words) {
                    *sum = (*sum + word) & low(quantizer.bits());
                }
                for (exact, value) in exact.iter_mut().zip(&values) {
                    *exact += f64::from(*value) * weight as f64;
                }
            }
            let total: u64 = weights.iter().sum();
            let mean = quantizer.mean(&sum, 10).unwrap();
            for (mean, exact) in mean.iter().zip(exact) {
                assert!((mean - exact / total as f64).abs() <= quantizer.resolution() / 2.0);
            }
        }
    }

    #[test]
    fn values_out_of_range_are_refused_or_clipped() {
        let quantizer = Quantizer::new(QuantizerLiteral {
            values: 2,
            ..literal()
        })
        .unwrap();
        let mut rng = ChaCha20Rng::seed_from_u64(1);
        let error = quantizer
            .encode(&[1.0, 2.5], 1, Outliers::Refuse, &mut rng)
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "value 1 is 2.5, outside -2..=2; clip it or raise the bound"
        );
        let clipped = quantizer
            .encode(&[f32::INFINITY, 2.5], 1, Outliers::Clip, &mut rng)
            .unwrap();
        assert_eq!(quantizer.mean(&clipped, 1).unwrap(), [2.0, 2.0]);
        let nan = quantizer.encode(&[f32::NAN, 0.0], 1, Outliers::Clip, &mut rng);
        assert!(matches!(nan, Err(FederatedError::Value { index: 0, .. })));
        let heavy = quantizer.encode(&[0.0, 0.0], 1001, Outliers::Clip, &mut rng);
        assert_eq!(
            heavy,
            Err(FederatedError::Weight {
                found: 1001,
                most: 1000
            })
        );
    }

    #[test]
    fn impossible_sums_are_refused() {
        let quantizer = Quantizer::new(QuantizerLiteral {
            values: 1,
            ..literal()
        })
        .unwrap();
        let error = quantizer.sums(&[131_072, 1], 1).unwrap_err();
        assert_eq!(
            error.to_string(),
            "element 0 of the sum is 131072, beyond 131071, which no clients within range can make"
        );
        assert!(matches!(
            quantizer.sums(&[0, 0], 1),
            Err(FederatedError::Weight { .. })
        ));
    }

    #[test]
    fn norms_are_clipped() {
        let mut values = [3.0, 4.0];
        assert!((clip_norm(&mut values, 1.0).unwrap() - 0.2).abs() < 1e-6);
        assert!((values[0] - 0.6).abs() < 1e-6 && (values[1] - 0.8).abs() < 1e-6);
        assert_eq!(clip_norm(&mut values, 1.0).unwrap(), 1.0);
        assert!(clip_norm(&mut [f32::NAN], 1.0).is_err());
    }
}
