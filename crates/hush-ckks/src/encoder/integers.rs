//! From scaled floats to residues, exactly.

use crate::{CkksError, Level, Parameters, Scale};

/// Polynomial coefficients, each a `f64` that holds an integer.
///
/// Above `2^53` such a float is a multiple of a power of two: its residue is still exact.
pub(crate) struct IntegerCoefficients {
    values: Vec<f64>,
    largest: f64,
}

/// Below this, an integer-valued `f64` converts to `i64` and its quotient by a modulus (at least
/// `2^16`) is right to within one.
const NARROW: f64 = (1u64 << 62) as f64;

impl IntegerCoefficients {
    /// Multiplies by the scale and rounds to nearest, in place; refuses what does not fit
    /// strictly within half of the modulus at `level`.
    pub(crate) fn new(
        mut values: Vec<f64>,
        parameters: &Parameters,
        scale: Scale,
        level: Level,
    ) -> Result<Self, CkksError> {
        let log_max = parameters.log_q(level)? - 1.0;
        let mut largest = 0.0f64;
        let mut finite = true;
        for value in &mut values {
            *value = (*value * scale.value()).round_ties_even();
            largest = largest.max(value.abs());
            finite &= value.is_finite();
        }
        // The logarithm is right to 2^-40, so what passes is below Q/2.
        let log_coefficient = if finite {
            largest.log2()
        } else {
            f64::INFINITY
        };
        if log_coefficient >= log_max - 1e-9 {
            let log_scale = scale.log2();
            return Err(CkksError::MessageTooLarge {
                log_scale,
                log_coefficient,
                level,
                log_max,
            });
        }
        Ok(Self { values, largest })
    }

    /// The coefficients.
    pub(crate) fn values(&self) -> &[f64] {
        &self.values
    }

    /// The largest magnitude.
    pub(crate) fn largest(&self) -> f64 {
        self.largest
    }

    /// Writes coefficient `k` modulo `modulus` at place `k * stride` of `limb`.
    pub(crate) fn write_residues(&self, modulus: u64, limb: &mut [u64], stride: usize) {
        let places = limb.iter_mut().step_by(stride);
        if self.largest < NARROW {
            let (signed_modulus, inverse) = (modulus as i64, 1.0 / modulus as f64);
            for (place, &value) in places.zip(&self.values) {
                let quotient = (value * inverse).floor() as i64;
                // In [-q, 2q): the floor of a float quotient below 2^46 misses by at most one.
                let mut residue = (value as i64) - quotient * signed_modulus;
                residue += signed_modulus & (residue >> 63);
                let over = residue - signed_modulus;
                residue = over + (signed_modulus & (over >> 63));
                *place = residue as u64;
            }
        } else {
            for (place, &value) in places.zip(&self.values) {
                *place = residue_of_float(value, modulus);
            }
        }
    }
}

/// The residue of an integer-valued `f64` of any size.
pub(crate) fn residue_of_float(value: f64, modulus: u64) -> u64 {
    let bits = value.abs().to_bits();
    let exponent = (bits >> 52) as i32 - 1075;
    if exponent < -52 {
        // Zero: every other integer is at least 1 = 2^52 * 2^-52.
        return 0;
    }
    let mantissa = (bits & ((1 << 52) - 1)) | (1 << 52);
    let magnitude = if exponent <= 0 {
        (mantissa >> -exponent) % modulus
    } else {
        let wide = u128::from(modulus);
        let (mut result, mut square, mut rest) = (u128::from(mantissa) % wide, 2, exponent);
        while rest > 0 {
            if rest & 1 == 1 {
                result = result * square % wide;
            }
            square = square * square % wide;
            rest >>= 1;
        }
        result as u64
    };
    if value < 0.0 && magnitude > 0 {
        modulus - magnitude
    } else {
        magnitude
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn residues(values: Vec<f64>, modulus: u64, stride: usize) -> Vec<u64> {
        let largest = values
            .iter()
            .fold(0.0, |largest: f64, value| largest.max(value.abs()));
        let mut limb = vec![0; values.len() * stride];
        IntegerCoefficients { values, largest }.write_residues(modulus, &mut limb, stride);
        limb
    }

    proptest! {
        #[test]
        fn residues_are_exact(
            mantissa in -(1i64 << 53)..(1i64 << 53),
            exponent in 0u32..73,
            modulus in (1u64 << 16)..(1 << 50),
        ) {
            let value = mantissa as f64 * 2f64.powi(exponent as i32);
            let exact = ((i128::from(mantissa)) << exponent).rem_euclid(i128::from(modulus)) as u64;
            prop_assert_eq!(residue_of_float(value, modulus), exact);
            prop_assert_eq!(residues(vec![value], modulus, 1), vec![exact]);
        }
    }

    #[test]
    fn edges() {
        let modulus = (1 << 50) - 27;
        for value in [
            0.0,
            -0.0,
            1.0,
            -1.0,
            modulus as f64,
            -(modulus as f64),
            4.6e18,
            -4.6e18,
        ] {
            let exact = (value as i128).rem_euclid(i128::from(modulus)) as u64;
            assert_eq!(
                residues(vec![value, value], modulus, 2),
                [exact, 0, exact, 0],
                "{value}"
            );
            assert_eq!(residue_of_float(value, modulus), exact, "{value}");
        }
        assert_eq!(residue_of_float(2f64.powi(1000), 3), 1);
        assert_eq!(residue_of_float(-(2f64.powi(1001)), 3), 1);
    }
}
