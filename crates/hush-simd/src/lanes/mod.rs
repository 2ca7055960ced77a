//! The vector operations that the kernels are written in.
//!
//! A `Vector` holds residues in the working form of its instruction set: unsigned
//! integers below 4q for scalar code and AVX-512 IFMA, signed doubles of magnitude
//! at most 2q for AVX2. What leaves through `store` is canonical, so the forms never show.

#[cfg(target_arch = "x86_64")]
pub(crate) mod avx2;
#[cfg(target_arch = "x86_64")]
pub(crate) mod avx512;
pub(crate) mod scalar;

use crate::modulus::{Modulus, Multiplier};

/// 1.5 · 2^52: adding it to a double of magnitude below 2^51 rounds to an integer.
pub(crate) const ROUNDER: f64 = 6_755_399_441_055_744.0;

/// Operations on `WIDTH` residues at once. "Lazy" values are in the working range
/// described above; "canonical" ones in `[0, q)`.
pub(crate) trait Lanes: Copy {
    const WIDTH: usize;
    /// Products an accumulator takes before `settle` is due.
    const TERMS: usize;
    type Vector: Copy;
    /// A fixed factor per lane.
    type Factor: Copy;
    /// A modulus, broadcast.
    type Modulus: Copy;
    /// A sum of products.
    type Accumulator: Copy;
    /// Doubles, one per lane.
    type Fraction: Copy;
    /// `WIDTH` vectors.
    type Square: Copy + AsRef<[Self::Vector]> + AsMut<[Self::Vector]>;

    fn modulus(self, q: &Modulus) -> Self::Modulus;

    /// Reads `WIDTH` words below 2^52.
    fn load(self, from: &[u64]) -> Self::Vector;
    /// Reads `WIDTH` words of 32 bits.
    fn load_four(self, low: &[u32]) -> Self::Vector;
    /// Reads `WIDTH` words of 40 bits given as low and high parts.
    fn load_five(self, low: &[u32], high: &[u8]) -> Self::Vector;
    /// Reads `WIDTH` words of 48 bits given as low and high parts.
    fn load_six(self, low: &[u32], high: &[u16]) -> Self::Vector;
    /// Reads `WIDTH` words below 2^52 given as low, middle and high parts.
    fn load_seven(self, low: &[u32], middle: &[u16], high: &[u8]) -> Self::Vector;
    /// Writes canonical residues.
    fn store(self, value: Self::Vector, to: &mut [u64]);
    /// Reads what `spill` wrote.
    fn unspill(self, from: &[u64]) -> Self::Vector;
    /// Writes lazy residues in the working form.
    fn spill(self, value: Self::Vector, to: &mut [u64]);
    fn splat(self, value: u64) -> Self::Vector;
    fn square(self, fill: Self::Vector) -> Self::Square;

    fn factor(self, multiplier: Multiplier) -> Self::Factor;
    fn load_factors(self, values: &[u64], quotients: &[u64]) -> Self::Factor;

    /// Lazy product of a lazy value (or any word below 2^52) by a factor.
    fn multiply(self, a: Self::Vector, b: Self::Factor, q: Self::Modulus) -> Self::Vector;
    /// Lazy value to canonical.
    fn canonical(self, a: Self::Vector, q: Self::Modulus) -> Self::Vector;
    /// Canonical sum and difference of canonical values.
    fn add(self, a: Self::Vector, b: Self::Vector, q: Self::Modulus) -> Self::Vector;
    fn sub(self, a: Self::Vector, b: Self::Vector, q: Self::Modulus) -> Self::Vector;
    /// Lazy a - b of canonical values.
    fn sub_lazy(self, a: Self::Vector, b: Self::Vector, q: Self::Modulus) -> Self::Vector;

    /// (x + w y, x - w y), lazy in and out: the Cooley–Tukey butterfly.
    fn forward(
        self,
        x: Self::Vector,
        y: Self::Vector,
        w: Self::Factor,
        q: Self::Modulus,
    ) -> (Self::Vector, Self::Vector);
    /// (x + y, w (x - y)), the Gentleman–Sande butterfly; values stay below 2q.
    fn inverse(
        self,
        x: Self::Vector,
        y: Self::Vector,
        w: Self::Factor,
        q: Self::Modulus,
    ) -> (Self::Vector, Self::Vector);
    /// (s (x + y), w (x - y)): the last inverse butterfly, with the scale folded in.
    fn inverse_scaled(
        self,
        x: Self::Vector,
        y: Self::Vector,
        s: Self::Factor,
        w: Self::Factor,
        q: Self::Modulus,
    ) -> (Self::Vector, Self::Vector);
    /// Columns of a square to rows.
    fn transpose(self, rows: Self::Square) -> Self::Square;

    fn zero_sum(self) -> Self::Accumulator;
    /// The sum that holds one canonical value.
    fn sum_from(self, a: Self::Vector) -> Self::Accumulator;
    /// sum + a b for words a < 2^50 and canonical b.
    fn multiply_add(
        self,
        sum: Self::Accumulator,
        a: Self::Vector,
        b: Self::Vector,
        q: Self::Modulus,
    ) -> Self::Accumulator;
    /// Reduces the sum so that `TERMS` more products fit.
    fn settle(self, sum: Self::Accumulator, q: Self::Modulus) -> Self::Accumulator;
    /// The canonical residue of the sum.
    fn finish(self, sum: Self::Accumulator, q: Self::Modulus) -> Self::Vector;

    /// Lane j of the result is lane j >> `log_gap`; with `REVERSED`, (WIDTH - 1 - j) >> `log_gap`.
    fn spread<const REVERSED: bool>(self, a: Self::Vector, log_gap: u32) -> Self::Vector;

    fn zero_fraction(self) -> Self::Fraction;
    /// sum + a · weight with two roundings (never fused: all instruction sets agree).
    fn fraction_add(self, sum: Self::Fraction, a: Self::Vector, weight: f64) -> Self::Fraction;
    /// Writes the nearest integers of non-negative fractions below 2^50.
    fn store_rounded(self, sum: Self::Fraction, to: &mut [u64]);

    /// to[k] = from[pattern[k]] within a block of eight words.
    #[inline(always)]
    fn permute_block(self, from: &[u64], pattern: &[u64; 8], to: &mut [u64]) {
        let from: &[u64; 8] = from.try_into().expect("a block holds eight words");
        for (out, &index) in to.iter_mut().zip(pattern) {
            *out = from[(index & 7) as usize];
        }
    }
}
