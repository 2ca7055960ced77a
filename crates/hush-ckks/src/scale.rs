//! The exact factor between a message and its integer polynomial.

use std::fmt;

use crate::CkksError;

/// A positive, finite scale.
#[derive(Clone, Copy, Debug, PartialEq, PartialOrd)]
pub struct Scale(f64);

impl Scale {
    /// The largest relative difference at which two scales [match](Scale::matches).
    pub const TOLERANCE: f64 = 1.0 / (1u64 << 40) as f64;

    /// The scale `value`.
    ///
    /// # Errors
    /// [`CkksError::InvalidScale`] unless `value` is finite and positive.
    pub fn new(value: f64) -> Result<Self, CkksError> {
        if value.is_finite() && value > 0.0 {
            Ok(Self(value))
        } else {
            Err(CkksError::InvalidScale { value })
        }
    }

    /// The scale `2^exponent`; exponents are clamped to those of normal `f64` numbers.
    #[must_use]
    pub fn power_of_two(exponent: i32) -> Self {
        Self(2f64.powi(exponent.clamp(-1022, 1023)))
    }

    /// The factor itself.
    #[must_use]
    pub fn value(self) -> f64 {
        self.0
    }

    /// Its base-2 logarithm.
    #[must_use]
    pub fn log2(self) -> f64 {
        self.0.log2()
    }

    /// Whether operands of these scales may be added: they differ by at most
    /// [`Scale::TOLERANCE`] relative to the larger one, below what 40 bits can show.
    #[must_use]
    pub fn matches(self, other: Self) -> bool {
        (self.0 - other.0).abs() <= self.0.max(other.0) * Self::TOLERANCE
    }

    /// The scale of a product.
    ///
    /// # Errors
    /// [`CkksError::InvalidScale`] when the product leaves the range of `f64`.
    pub fn times(self, other: Self) -> Result<Self, CkksError> {
        Self::new(self.0 * other.0)
    }

    /// The scale after a rescale by the prime `modulus`.
    ///
    /// # Errors
    /// [`CkksError::InvalidScale`] when the quotient leaves the range of `f64`.
    pub fn divided_by(self, modulus: u64) -> Result<Self, CkksError> {
        Self::new(self.0 / modulus as f64)
    }
}

impl fmt::Display for Scale {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "2^{:.4}", self.log2())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn refuses_what_is_no_scale() {
        for value in [0.0, -1.0, f64::NAN, f64::INFINITY] {
            assert!(Scale::new(value).is_err(), "{value}");
        }
    }

    #[test]
    fn matches_within_forty_bits() -> Result<(), CkksError> {
        let scale = Scale::power_of_two(40);
        assert!(scale.matches(Scale::new(scale.value() + 1.0)?));
        assert!(!scale.matches(Scale::new(scale.value() + 3.0)?));
        Ok(())
    }
}
