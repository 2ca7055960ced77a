//! What a ring element is.

use core::fmt::Debug;

mod sealed {
    pub trait Sealed {}
    impl Sealed for u32 {}
    impl Sealed for u64 {}
    impl Sealed for u128 {}
}

/// An unsigned machine integer whose arithmetic wraps: an element of Z/2^BITS.
pub trait Word: sealed::Sealed + Copy + Default + Eq + Debug + Send + Sync + 'static {
    /// A word of half the size, or this one if there is none.
    type Half: Word;
    /// The size of the ring is 2 to this power.
    const BITS: u32;
    /// Zero.
    const ZERO: Self;
    /// One.
    const ONE: Self;

    /// Wrapping sum.
    fn plus(self, other: Self) -> Self;
    /// Wrapping difference.
    fn minus(self, other: Self) -> Self;
    /// Wrapping product.
    fn times(self, other: Self) -> Self;
    /// Bits of both.
    fn and(self, other: Self) -> Self;
    /// Bits of either, not both.
    fn xor(self, other: Self) -> Self;
    /// To the left; zero if `by` is the number of bits or more.
    fn left(self, by: u32) -> Self;
    /// To the right, filling with zeros; zero if `by` is the number of bits or more.
    fn right(self, by: u32) -> Self;
    /// The low bits of a number.
    fn from_u64(value: u64) -> Self;
    /// The low 64 bits, from bit `64 * index` on.
    fn limb(self, index: u32) -> u64;
    /// Two's complement, cut to the word.
    fn from_signed(value: i128) -> Self;
    /// Read as two's complement.
    fn signed(self) -> i128;

    /// Minus this.
    #[inline(always)]
    fn negative(self) -> Self {
        Self::ZERO.minus(self)
    }
    /// All bits set if `bit` is one, none if it is zero.
    #[inline(always)]
    fn mask(bit: u64) -> Self {
        Self::from_u64(bit).negative()
    }

    /// One tile of a matrix product, `None` where there is no kernel but the general one.
    #[doc(hidden)]
    fn as_u64s(words: &[Self]) -> Option<&[u64]> {
        let _ = words;
        None
    }
    #[doc(hidden)]
    fn as_u64s_mut(words: &mut [Self]) -> Option<&mut [u64]> {
        let _ = words;
        None
    }
}

macro_rules! word {
    ($type:ty, $signed:ty, $half:ty { $($extra:tt)* }) => {
        impl Word for $type {
            type Half = $half;
            const BITS: u32 = <$type>::BITS;
            const ZERO: Self = 0;
            const ONE: Self = 1;
            #[inline(always)]
            fn plus(self, other: Self) -> Self {
                self.wrapping_add(other)
            }
            #[inline(always)]
            fn minus(self, other: Self) -> Self {
                self.wrapping_sub(other)
            }
            #[inline(always)]
            fn times(self, other: Self) -> Self {
                self.wrapping_mul(other)
            }
            #[inline(always)]
            fn and(self, other: Self) -> Self {
                self & other
            }
            #[inline(always)]
            fn xor(self, other: Self) -> Self {
                self ^ other
            }
            #[inline(always)]
            fn left(self, by: u32) -> Self {
                if by >= Self::BITS { 0 } else { self << by }
            }
            #[inline(always)]
            fn right(self, by: u32) -> Self {
                if by >= Self::BITS { 0 } else { self >> by }
            }
            #[inline(always)]
            fn from_u64(value: u64) -> Self {
                value as $type
            }
            #[inline(always)]
            fn limb(self, index: u32) -> u64 {
                self.right(64 * index) as u64
            }
            #[inline(always)]
            fn from_signed(value: i128) -> Self {
                value as $type
            }
            #[inline(always)]
            fn signed(self) -> i128 {
                self as $signed as i128
            }
            $($extra)*
        }
    };
}

word!(u32, i32, u32 {});
word!(u64, i64, u32 {
    fn as_u64s(words: &[Self]) -> Option<&[u64]> {
        Some(words)
    }
    fn as_u64s_mut(words: &mut [Self]) -> Option<&mut [u64]> {
        Some(words)
    }
});
word!(u128, i128, u64 {});
