//! One residue at a time, in plain Rust.

use super::{Lanes, ROUNDER};
use crate::modulus::{Modulus, Multiplier, WORD_BITS, WORD_MASK};

#[derive(Clone, Copy)]
pub(crate) struct Scalar;

/// `a` or `a - bound`, whichever does not wrap; branch-free.
#[inline(always)]
fn reduce_once(a: u64, bound: u64) -> u64 {
    a.min(a.wrapping_sub(bound))
}

impl Lanes for Scalar {
    const WIDTH: usize = 1;
    const TERMS: usize = 14;
    type Vector = u64;
    type Factor = Multiplier;
    type Modulus = Modulus;
    type Accumulator = u128;
    type Fraction = f64;
    type Square = [u64; 1];

    #[inline(always)]
    fn modulus(self, q: &Modulus) -> Modulus {
        *q
    }
    #[inline(always)]
    fn load(self, from: &[u64]) -> u64 {
        from[0]
    }
    #[inline(always)]
    fn load_four(self, low: &[u32]) -> u64 {
        u64::from(low[0])
    }
    #[inline(always)]
    fn load_five(self, low: &[u32], high: &[u8]) -> u64 {
        u64::from(low[0]) | u64::from(high[0]) << 32
    }
    #[inline(always)]
    fn load_seven(self, low: &[u32], middle: &[u16], high: &[u8]) -> u64 {
        u64::from(low[0]) | u64::from(middle[0]) << 32 | u64::from(high[0]) << 48
    }
    #[inline(always)]
    fn load_six(self, low: &[u32], high: &[u16]) -> u64 {
        u64::from(low[0]) | u64::from(high[0]) << 32
    }
    #[inline(always)]
    fn store(self, value: u64, to: &mut [u64]) {
        to[0] = value;
    }
    #[inline(always)]
    fn unspill(self, from: &[u64]) -> u64 {
        from[0]
    }
    #[inline(always)]
    fn spill(self, value: u64, to: &mut [u64]) {
        to[0] = value;
    }
    #[inline(always)]
    fn splat(self, value: u64) -> u64 {
        value
    }
    #[inline(always)]
    fn square(self, fill: u64) -> [u64; 1] {
        [fill]
    }
    #[inline(always)]
    fn factor(self, multiplier: Multiplier) -> Multiplier {
        multiplier
    }
    #[inline(always)]
    fn load_factors(self, values: &[u64], quotients: &[u64]) -> Multiplier {
        Multiplier {
            value: values[0],
            quotient: quotients[0],
        }
    }
    #[inline(always)]
    fn multiply(self, a: u64, b: Multiplier, q: Modulus) -> u64 {
        let quotient = ((u128::from(a) * u128::from(b.quotient)) >> WORD_BITS) as u64;
        a.wrapping_mul(b.value)
            .wrapping_sub(quotient.wrapping_mul(q.value()))
    }
    #[inline(always)]
    fn canonical(self, a: u64, q: Modulus) -> u64 {
        reduce_once(reduce_once(a, 2 * q.value()), q.value())
    }
    #[inline(always)]
    fn add(self, a: u64, b: u64, q: Modulus) -> u64 {
        reduce_once(a + b, q.value())
    }
    #[inline(always)]
    fn sub(self, a: u64, b: u64, q: Modulus) -> u64 {
        let difference = a.wrapping_sub(b);
        difference.min(difference.wrapping_add(q.value()))
    }
    #[inline(always)]
    fn sub_lazy(self, a: u64, b: u64, q: Modulus) -> u64 {
        a + q.value() - b
    }
    #[inline(always)]
    fn forward(self, x: u64, y: u64, w: Multiplier, q: Modulus) -> (u64, u64) {
        let x = reduce_once(x, 2 * q.value());
        let t = self.multiply(y, w, q);
        (x + t, x + 2 * q.value() - t)
    }
    #[inline(always)]
    fn inverse(self, x: u64, y: u64, w: Multiplier, q: Modulus) -> (u64, u64) {
        let sum = reduce_once(x + y, 2 * q.value());
        (sum, self.multiply(x + 2 * q.value() - y, w, q))
    }
    #[inline(always)]
    fn inverse_scaled(
        self,
        x: u64,
        y: u64,
        s: Multiplier,
        w: Multiplier,
        q: Modulus,
    ) -> (u64, u64) {
        let sum = self.multiply(x + y, s, q);
        (sum, self.multiply(x + 2 * q.value() - y, w, q))
    }
    #[inline(always)]
    fn transpose(self, rows: [u64; 1]) -> [u64; 1] {
        rows
    }
    #[inline(always)]
    fn zero_sum(self) -> u128 {
        0
    }
    #[inline(always)]
    fn sum_from(self, a: u64) -> u128 {
        u128::from(a)
    }
    #[inline(always)]
    fn multiply_add(self, sum: u128, a: u64, b: u64, _q: Modulus) -> u128 {
        sum + u128::from(a) * u128::from(b)
    }
    #[inline(always)]
    fn settle(self, sum: u128, q: Modulus) -> u128 {
        u128::from(self.finish(sum, q))
    }
    #[inline(always)]
    fn finish(self, sum: u128, q: Modulus) -> u64 {
        let (high, low) = ((sum >> WORD_BITS) as u64, sum as u64 & WORD_MASK);
        self.canonical(
            self.multiply(high, q.word, q) + self.multiply(low, q.one, q),
            q,
        )
    }
    #[inline(always)]
    fn spread<const REVERSED: bool>(self, a: u64, _log_gap: u32) -> u64 {
        a
    }
    #[inline(always)]
    fn zero_fraction(self) -> f64 {
        0.0
    }
    #[inline(always)]
    fn fraction_add(self, sum: f64, a: u64, weight: f64) -> f64 {
        sum + a as f64 * weight
    }
    #[inline(always)]
    fn store_rounded(self, sum: f64, to: &mut [u64]) {
        to[0] = (sum + ROUNDER).to_bits() & (WORD_MASK >> 1);
    }
}
