//! Real messages in the fewest bytes: what the weights of a linear transform are held in.
//!
//! A real message is fixed by conjugation, that is by X -> 1/X, so its polynomial has
//! m_(N-k) = -m_k and its transform reads the same from both ends. A message that repeats
//! every p slots is a polynomial in Y = X^(N/2p), whose transform has each value N/2p times
//! in a row. So p integers, or p residues a limb, say everything.

use hush_simd::kernels::{self, PackedWords};

use super::integers::IntegerCoefficients;
use crate::{CkksError, Level, Parameters, Scale};

/// A message of real numbers as integers, in the fewest whole bytes, at least four.
pub struct MirroredPlaintext {
    period: usize,
    integers: Integers,
    slots: usize,
    scale: Scale,
}

enum Integers {
    /// Each plus 2^(bits - 1).
    Packed { words: PackedWords, bits: u32 },
    /// Of 52 bits and more.
    Wide(IntegerCoefficients),
}

impl MirroredPlaintext {
    /// Encodes real numbers for use at `level` and above; missing ones at the end are zero.
    ///
    /// Cost: one embedding of as many values as do not repeat.
    ///
    /// # Errors
    /// As [`super::encode_real`].
    pub fn new(
        parameters: &Parameters,
        values: &[f64],
        slots: usize,
        scale: Scale,
        level: Level,
    ) -> Result<Self, CkksError> {
        parameters.check_slots(slots)?;
        let count = values.len();
        if count > slots {
            return Err(CkksError::TooManyValues { count, slots });
        }
        if let Some(index) = values.iter().position(|value| !value.is_finite()) {
            return Err(CkksError::NotFinite { index });
        }
        let period = period(values, slots);
        let mut real = values[..period.min(count)].to_vec();
        real.resize(period, 0.0);
        let mut imaginary = vec![0.0; period];
        parameters
            .embedding()
            .coefficients_from_slots(&mut real, &mut imaginary);
        // The imaginary parts are the coefficients from m_p on, which mirror these.
        let integers = IntegerCoefficients::new(real, parameters, scale, level)?;
        // Strictly between -2^(bits - 1) and 2^(bits - 1).
        let bits = integers.largest().max(1.0).log2().floor() as u32 + 2;
        let integers = if bits > 51 {
            Integers::Wide(integers)
        } else {
            let offset = 1i64 << (bits - 1);
            let values = integers.values().iter();
            let all: Vec<u64> = values.map(|&v| (v as i64 + offset) as u64).collect();
            let mut words = PackedWords::zeros(bits, period);
            words.write(0, &all);
            Integers::Packed { words, bits }
        };
        Ok(Self {
            period,
            integers,
            slots,
            scale,
        })
    }

    /// Number of slots.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// The factor between message and coefficients.
    #[must_use]
    pub fn scale(&self) -> Scale {
        self.scale
    }

    /// How many slots it repeats after: p.
    #[must_use]
    pub fn period(&self) -> usize {
        self.period
    }

    /// Bytes in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        match &self.integers {
            Integers::Packed { words, .. } => words.bytes(),
            Integers::Wide(integers) => size_of_val(integers.values()),
        }
    }

    /// Residues of the transform modulo one modulus of the ring: `half[i]` stands at the N/2p
    /// places from i N/2p on, and at as many counted from the end.
    ///
    /// Cost: half a transform of 2p residues.
    ///
    /// # Panics
    /// Unless `half` holds p words.
    pub fn transform(&self, parameters: &Parameters, modulus: usize, half: &mut [u64]) {
        let ring = parameters.ring();
        let mut residues = ring.pool().take(self.period);
        match &self.integers {
            Integers::Packed { words, bits } => {
                let q = &ring.moduli()[modulus];
                kernels::offset_residues(ring.isa(), q, &mut residues, words, 1 << (bits - 1));
            }
            Integers::Wide(integers) => {
                integers.write_residues(ring.moduli()[modulus].value(), &mut residues, 1);
            }
        }
        ring.mirrored_table(modulus, self.period)
            .forward(&residues, half);
    }
}

/// The least power of two by which a message of `slots` numbers repeats; missing numbers
/// at the end are zero.
///
/// # Panics
/// If `slots` is not a power of two.
#[must_use]
pub fn period(values: &[f64], slots: usize) -> usize {
    assert!(slots.is_power_of_two(), "a power of two of slots");
    let mut period = slots;
    while period > 1 && repeats(values, period / 2, period) {
        period /= 2;
    }
    period
}

/// Whether the first `end` numbers are the first `half` twice.
fn repeats(values: &[f64], half: usize, end: usize) -> bool {
    let at = |i: usize| values.get(i).copied().unwrap_or(0.0);
    (half..end).all(|i| at(i) == at(i - half))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::encoder::CompactPlaintext;
    use crate::{ParametersLiteral, primes};
    use hush_ring::Basis;
    use std::collections::BTreeSet;

    fn parameters() -> Parameters {
        let mut found = primes::ntt_primes(10, 50, 4, &BTreeSet::new()).unwrap();
        found.sort_unstable();
        Parameters::insecure_new(ParametersLiteral {
            log_degree: 10,
            moduli: found[..3].to_vec(),
            special_moduli: found[3..].to_vec(),
        })
        .unwrap()
    }

    #[test]
    fn agrees_with_the_general_encoding() {
        let parameters = parameters();
        let ring = parameters.ring();
        let (slots, level) = (512, Level(2));
        for (repeat, log_scale) in [(512, 20), (512, 45), (128, 60), (8, 30), (1, 30)] {
            let mut state = 5u64;
            let some: Vec<f64> = (0..repeat)
                .map(|_| {
                    state = state.wrapping_mul(6_364_136_223_846_793_005) + 1;
                    (state >> 11) as f64 / (1u64 << 52) as f64 - 1.0
                })
                .collect();
            let values: Vec<f64> = (0..slots).map(|i| some[i % repeat]).collect();
            let scale = Scale::power_of_two(log_scale);
            let mirrored =
                MirroredPlaintext::new(&parameters, &values, slots, scale, level).unwrap();
            assert_eq!(mirrored.period(), repeat);
            let general =
                CompactPlaintext::real(&parameters, &values, slots, scale, level).unwrap();
            let poly = general.poly(&parameters, Basis::extended(3));
            let gap = 512 / repeat;
            for limb in 0..4 {
                let mut half = vec![0; repeat];
                mirrored.transform(&parameters, limb, &mut half);
                let mut whole: Vec<u64> = (0..1024)
                    .map(|i: usize| half[i.min(1023 - i) / gap])
                    .collect();
                // Rounding may differ by one in places: compare as integers.
                let q = &ring.moduli()[limb];
                for (word, &other) in whole.iter_mut().zip(poly.limb(limb)) {
                    *word = q.sub(*word, other);
                }
                ring.table(limb).inverse(&mut whole);
                for &difference in &whole {
                    let centred = difference.min(q.negate(difference));
                    let bound = 1 + (1u64 << (log_scale - 48).max(0));
                    assert!(centred <= bound, "{repeat} {log_scale}: {centred}");
                }
            }
        }
    }

    #[test]
    fn what_cannot_be_encoded_is_refused() {
        let parameters = parameters();
        let encode = |values: &[f64], slots| {
            MirroredPlaintext::new(
                &parameters,
                values,
                slots,
                Scale::power_of_two(40),
                Level(0),
            )
            .err()
        };
        assert!(encode(&[1.0], 4).is_none());
        assert!(matches!(
            encode(&[1.0, f64::NAN], 4),
            Some(CkksError::NotFinite { index: 1 })
        ));
        assert!(matches!(
            encode(&[1.0; 5], 4),
            Some(CkksError::TooManyValues { count: 5, slots: 4 })
        ));
        assert!(matches!(
            encode(&[1e9], 4),
            Some(CkksError::MessageTooLarge { .. })
        ));
    }

    #[test]
    fn periods() {
        assert_eq!(period(&[2.0; 8], 8), 1);
        assert_eq!(period(&[1.0, 2.0, 1.0, 2.0], 4), 2);
        assert_eq!(period(&[1.0, 2.0, 1.0, 2.0], 8), 8);
        assert_eq!(period(&[1.0, 2.0, 3.0, 1.0], 4), 4);
        assert_eq!(period(&[], 4), 1);
    }
}
