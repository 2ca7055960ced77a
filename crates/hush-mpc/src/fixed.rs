//! Fixed-point numbers, whose range is part of the type.

use crate::MpcError;
use hush_simd::words::Word;

/// Numbers of magnitude below 2^`integer_bits` in units of 2^-`fraction_bits`.
///
/// The range is public. Sums and products widen it, and what does not fit the ring is refused; a
/// narrower range than follows from the types may be declared where something else proves it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Fixed {
    /// Bits before the point, without the sign.
    pub integer_bits: u32,
    /// Bits behind the point.
    pub fraction_bits: u32,
}

impl Fixed {
    /// What a ring of 64 bits takes through any network: magnitude below 2^15, unit 2^-16.
    pub const STANDARD: Self = Self::new(15, 16);
    /// Twice as fine, for the ring of 128 bits.
    pub const WIDE: Self = Self::new(24, 32);
    /// Whole numbers zero and one.
    pub const BIT: Self = Self::new(1, 0);

    /// Magnitude below 2^`integer_bits`, unit 2^-`fraction_bits`.
    pub const fn new(integer_bits: u32, fraction_bits: u32) -> Self {
        Self {
            integer_bits,
            fraction_bits,
        }
    }

    /// Bits of a number with its sign: what comparisons work on.
    pub const fn width(self) -> u32 {
        self.integer_bits + self.fraction_bits + 1
    }

    /// The unit in the last place.
    pub fn unit(self) -> f64 {
        libm::exp2(-f64::from(self.fraction_bits))
    }

    /// Refuses a range that words of this ring cannot hold.
    pub fn check<W: Word>(self, operation: &'static str) -> Result<Self, MpcError> {
        self.check_bits(operation, W::BITS - 1)
    }

    /// Refuses a range that a truncation in this ring cannot take: it needs a bit to spare.
    pub fn check_truncation<W: Word>(self, operation: &'static str) -> Result<Self, MpcError> {
        self.check_bits(operation, W::BITS - 2)
    }

    fn check_bits(self, operation: &'static str, available: u32) -> Result<Self, MpcError> {
        if self.integer_bits + self.fraction_bits <= available {
            return Ok(self);
        }
        Err(MpcError::Range {
            operation,
            integer_bits: self.integer_bits,
            fraction_bits: self.fraction_bits,
            available,
        })
    }

    /// The nearest multiple of the unit as a word.
    pub fn encode<W: Word>(self, value: f64) -> Option<W> {
        let limit = libm::exp2(f64::from(self.integer_bits));
        if value.is_nan() || value.abs() >= limit {
            return None;
        }
        let scaled = libm::round(libm::ldexp(value, self.fraction_bits as i32));
        Some(W::from_signed(scaled as i128))
    }

    /// The nearest multiples of the unit, or which value is outside the range.
    pub fn encode_all<W: Word>(self, values: &[f64]) -> Result<Vec<W>, MpcError> {
        self.check::<W>("encode")?;
        let encoded = values.iter().enumerate().map(|(element, &value)| {
            self.encode(value).ok_or(MpcError::Value {
                element,
                value,
                integer_bits: self.integer_bits,
            })
        });
        encoded.collect()
    }

    /// What a word stands for.
    pub fn decode<W: Word>(self, word: W) -> f64 {
        libm::ldexp(word.signed() as f64, -(self.fraction_bits as i32))
    }

    /// What words stand for.
    pub fn decode_all<W: Word>(self, words: &[W]) -> Vec<f64> {
        words.iter().map(|&word| self.decode(word)).collect()
    }
}

/// The least `b` with `count <= 2^b`.
pub(crate) fn bits_of_count(count: usize) -> u32 {
    count.max(1).next_power_of_two().trailing_zeros()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_come_back() {
        let fixed = Fixed::STANDARD;
        for value in [0.0, 1.0, -1.0, 32767.99, -32767.99, 0.000_015_258_789_062_5] {
            let word: u64 = fixed.encode(value).unwrap();
            assert!((fixed.decode(word) - value).abs() <= fixed.unit() / 2.0);
            let wide: u128 = Fixed::WIDE.encode(value).unwrap();
            assert!((Fixed::WIDE.decode(wide) - value).abs() <= Fixed::WIDE.unit() / 2.0);
        }
    }

    #[test]
    fn what_is_outside_is_refused() {
        for value in [f64::NAN, f64::INFINITY, 32768.0, -32768.0] {
            assert!(Fixed::STANDARD.encode_all::<u64>(&[0.0, value]).is_err());
        }
        assert!(Fixed::new(48, 16).check::<u64>("test").is_err());
        assert!(Fixed::new(48, 16).check::<u128>("test").is_ok());
        assert!(Fixed::new(47, 16).check_truncation::<u64>("test").is_err());
    }

    #[test]
    fn counts_in_bits() {
        let expected = [
            (1, 0),
            (2, 1),
            (3, 2),
            (4, 2),
            (784, 10),
            (1024, 10),
            (1025, 11),
        ];
        for (count, bits) in expected {
            assert_eq!(bits_of_count(count), bits);
        }
    }
}
