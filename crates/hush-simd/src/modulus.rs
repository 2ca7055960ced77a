//! A prime modulus below 2^50 with the constants of its reductions.

/// Bits of the words the reductions work in: what AVX-512 IFMA multiplies.
pub(crate) const WORD_BITS: u32 = 52;
pub(crate) const WORD_MASK: u64 = (1 << WORD_BITS) - 1;

/// A modulus `q` with `2^16 < q < 2^50`, odd.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Modulus {
    value: u64,
    /// 1 as a multiplier: Barrett reduction of a 52-bit word.
    pub(crate) one: Multiplier,
    /// 2^52 mod q as a multiplier: the weight of the high word of a product.
    pub(crate) word: Multiplier,
}

/// A fixed factor `w` in `[0, q)` with its Shoup quotient floor(w 2^52 / q), after
/// Harvey, "Faster arithmetic for number-theoretic transforms" (2014), section 2.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Multiplier {
    /// The factor itself.
    pub value: u64,
    /// floor(value 2^52 / q).
    pub quotient: u64,
}

/// Why a number cannot be a modulus.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum ModulusError {
    /// Outside 2^16 … 2^50 or even.
    #[error("modulus {value} is not an odd number between 2^16 and 2^50")]
    OutOfRange {
        /// The number.
        value: u64,
    },
    /// Residues of this modulus have no root of unity of the wanted order.
    #[error("modulus {value} has no primitive {order}th root of unity; it must be 1 mod {order}")]
    NoRoot {
        /// The modulus.
        value: u64,
        /// The wanted order.
        order: u64,
    },
}

impl Modulus {
    /// Checks the range; primality is the caller's.
    pub fn new(value: u64) -> Result<Self, ModulusError> {
        if value.is_multiple_of(2) || !(1 << 16..1 << 50).contains(&value) {
            return Err(ModulusError::OutOfRange { value });
        }
        let shoup = |factor: u64| Multiplier {
            value: factor,
            quotient: ((u128::from(factor) << WORD_BITS) / u128::from(value)) as u64,
        };
        Ok(Self {
            value,
            one: shoup(1),
            word: shoup((1u64 << WORD_BITS) % value),
        })
    }

    /// q.
    #[inline]
    pub const fn value(&self) -> u64 {
        self.value
    }

    /// The factor `value mod q` made ready for repeated products.
    #[inline]
    pub fn multiplier(&self, value: u64) -> Multiplier {
        let value = value % self.value;
        Multiplier {
            value,
            quotient: ((u128::from(value) << WORD_BITS) / u128::from(self.value)) as u64,
        }
    }

    /// a + b mod q for canonical operands.
    #[inline]
    pub const fn add(&self, a: u64, b: u64) -> u64 {
        let sum = a + b;
        let over = sum.wrapping_sub(self.value);
        if over < sum { over } else { sum }
    }

    /// a - b mod q for canonical operands.
    #[inline]
    pub const fn sub(&self, a: u64, b: u64) -> u64 {
        let difference = a.wrapping_sub(b);
        let under = difference.wrapping_add(self.value);
        if under < difference {
            under
        } else {
            difference
        }
    }

    /// -a mod q for a canonical operand.
    #[inline]
    pub const fn negate(&self, a: u64) -> u64 {
        self.sub(0, a)
    }

    /// a b mod q for any operands.
    #[inline]
    pub const fn mul(&self, a: u64, b: u64) -> u64 {
        ((a as u128 * b as u128) % self.value as u128) as u64
    }

    /// a^exponent mod q.
    pub const fn pow(&self, a: u64, mut exponent: u64) -> u64 {
        let mut base = a % self.value;
        let mut result = 1;
        while exponent > 0 {
            if exponent & 1 == 1 {
                result = self.mul(result, base);
            }
            base = self.mul(base, base);
            exponent >>= 1;
        }
        result
    }

    /// 1/a mod q for prime q (Fermat); `a` must not be a multiple of q.
    pub const fn inverse(&self, a: u64) -> u64 {
        self.pow(a, self.value - 2)
    }

    /// The residue of a signed number.
    #[inline]
    pub const fn from_signed(&self, a: i64) -> u64 {
        a.rem_euclid(self.value as i64) as u64
    }

    /// The smallest primitive root of unity of `order`, a power of two: the result is
    /// a function of q and the order alone.
    pub fn primitive_root(&self, order: u64) -> Result<u64, ModulusError> {
        let no_root = ModulusError::NoRoot {
            value: self.value,
            order,
        };
        if order == 0 || !order.is_power_of_two() || !(self.value - 1).is_multiple_of(order) {
            return Err(no_root);
        }
        let generated = (2..2000u64)
            .map(|base| self.pow(base, (self.value - 1) / order))
            .find(|&root| self.pow(root, order / 2) == self.value - 1)
            .ok_or(no_root)?;
        let square = self.mul(generated, generated);
        let (mut smallest, mut root) = (generated, generated);
        for _ in 0..order / 2 {
            smallest = smallest.min(root);
            root = self.mul(root, square);
        }
        Ok(smallest)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roots_have_their_order() {
        let q = Modulus::new(1_125_899_906_826_241).unwrap();
        let root = q.primitive_root(2048).unwrap();
        assert_eq!(q.pow(root, 1024), q.value() - 1);
        assert_eq!(q.mul(root, q.inverse(root)), 1);
    }

    #[test]
    fn small_even_and_large_numbers_are_refused() {
        for value in [3, 1 << 20, (1 << 50) + 1] {
            assert_eq!(Modulus::new(value), Err(ModulusError::OutOfRange { value }));
        }
    }
}
