//! Four residues at a time in double precision: AVX2 has no 64-bit multiply, but a
//! fused multiply-add gives both halves of a product exactly.
//!
//! Values are integers of magnitude at most 2q < 2^51, so every sum below is exact,
//! and the quotient of a product, rounded to the nearest integer, is off by at most one.

use core::arch::x86_64::*;

use super::{Lanes, ROUNDER};
use crate::modulus::{Modulus, Multiplier, WORD_MASK};

/// Proof that avx2 and fma are present.
#[derive(Clone, Copy)]
pub(crate) struct Avx2(());

impl Avx2 {
    #[target_feature(enable = "avx2,fma")]
    pub(crate) fn new() -> Self {
        Self(())
    }
}

/// A factor and the ratio factor/q, per lane.
#[derive(Clone, Copy)]
pub(crate) struct Factor {
    value: __m256d,
    ratio: __m256d,
}

/// q and 1/q, broadcast.
#[derive(Clone, Copy)]
pub(crate) struct Constants {
    q: __m256d,
    inverse: __m256d,
}

/// 2^-52.
const WORD_INVERSE: f64 = 1.0 / (1u64 << 52) as f64;
/// The bits of 2^52 as a double: or-ing a word below 2^52 into them adds it.
const TWO_52_BITS: i64 = 0x4330_0000_0000_0000;

/// Wraps intrinsics that touch registers only.
macro_rules! vector {
    ($e:expr) => {{
        // SAFETY: register-only intrinsics; the token `Avx2` proves avx2 and fma.
        unsafe { $e }
    }};
}

impl Avx2 {
    #[inline(always)]
    fn to_doubles(self, words: __m256i) -> __m256d {
        vector!({
            let magic = _mm256_set1_epi64x(TWO_52_BITS);
            _mm256_sub_pd(
                _mm256_castsi256_pd(_mm256_or_si256(words, magic)),
                _mm256_castsi256_pd(magic),
            )
        })
    }
    #[inline(always)]
    fn load_words(self, from: &[u64]) -> __m256i {
        let words: &[u64; 4] = from[..4].try_into().expect("four words");
        // SAFETY: `words` is 32 readable bytes; the load has no alignment need.
        unsafe { _mm256_loadu_si256(words.as_ptr().cast()) }
    }
    #[inline(always)]
    fn store_words(self, value: __m256i, to: &mut [u64]) {
        let words: &mut [u64; 4] = (&mut to[..4]).try_into().expect("four words");
        // SAFETY: `words` is 32 writable bytes; the store has no alignment need.
        unsafe { _mm256_storeu_si256(words.as_mut_ptr().cast(), value) }
    }
    #[inline(always)]
    fn quarters(self, from: &[u32]) -> __m256i {
        let words: &[u32; 4] = from[..4].try_into().expect("four words");
        // SAFETY: `words` is 16 readable bytes; the load has no alignment need.
        let words = unsafe { _mm_loadu_si128(words.as_ptr().cast()) };
        vector!(_mm256_cvtepu32_epi64(words))
    }
    #[inline(always)]
    fn halves(self, from: &[u16]) -> __m256i {
        let words: &[u16; 4] = from[..4].try_into().expect("four words");
        // SAFETY: `words` is 8 readable bytes; the load has no alignment need.
        let words = unsafe { _mm_loadl_epi64(words.as_ptr().cast()) };
        vector!(_mm256_cvtepu16_epi64(words))
    }
    #[inline(always)]
    fn bytes(self, from: &[u8]) -> __m256i {
        let words: &[u8; 4] = from[..4].try_into().expect("four words");
        let words = i32::from_le_bytes(*words);
        vector!(_mm256_cvtepu8_epi64(_mm_cvtsi32_si128(words)))
    }
    /// The integer nearest to a · b.
    #[inline(always)]
    fn rounded_product(self, a: __m256d, b: __m256d) -> __m256d {
        vector!({
            let rounder = _mm256_set1_pd(ROUNDER);
            _mm256_sub_pd(_mm256_fmadd_pd(a, b, rounder), rounder)
        })
    }
    /// a · b - quotient · q, exact: both differences fit 53 bits.
    #[inline(always)]
    fn remainder(
        self,
        a: __m256d,
        b: __m256d,
        high: __m256d,
        quotient: __m256d,
        q: __m256d,
    ) -> __m256d {
        vector!({
            let low = _mm256_fmsub_pd(a, b, high);
            let difference = _mm256_fnmadd_pd(quotient, q, high);
            _mm256_add_pd(difference, low)
        })
    }
    /// A representative of magnitude at most q/2 (up to rounding).
    #[inline(always)]
    fn center(self, a: __m256d, q: Constants) -> __m256d {
        let quotient = self.rounded_product(a, q.inverse);
        vector!(_mm256_fnmadd_pd(quotient, q.q, a))
    }
    /// `a + q` where a < 0.
    #[inline(always)]
    fn lift(self, a: __m256d, q: Constants) -> __m256d {
        vector!({
            let negative = _mm256_cmp_pd::<_CMP_LT_OQ>(a, _mm256_setzero_pd());
            _mm256_add_pd(a, _mm256_and_pd(negative, q.q))
        })
    }
    #[inline(always)]
    fn plus(self, a: __m256d, b: __m256d) -> __m256d {
        vector!(_mm256_add_pd(a, b))
    }
    #[inline(always)]
    fn minus(self, a: __m256d, b: __m256d) -> __m256d {
        vector!(_mm256_sub_pd(a, b))
    }
}

impl Lanes for Avx2 {
    const WIDTH: usize = 4;
    const TERMS: usize = 7;
    type Vector = __m256d;
    type Factor = Factor;
    type Modulus = Constants;
    type Accumulator = __m256d;
    type Fraction = __m256d;
    type Square = [__m256d; 4];

    #[inline(always)]
    fn modulus(self, q: &Modulus) -> Constants {
        vector!(Constants {
            q: _mm256_set1_pd(q.value() as f64),
            inverse: _mm256_set1_pd(1.0 / q.value() as f64),
        })
    }
    #[inline(always)]
    fn load(self, from: &[u64]) -> __m256d {
        self.to_doubles(self.load_words(from))
    }
    #[inline(always)]
    fn load_four(self, low: &[u32]) -> __m256d {
        self.to_doubles(self.quarters(low))
    }
    #[inline(always)]
    fn load_five(self, low: &[u32], high: &[u8]) -> __m256d {
        let (low, high) = (self.quarters(low), self.bytes(high));
        self.to_doubles(vector!(_mm256_or_si256(low, _mm256_slli_epi64::<32>(high))))
    }
    #[inline(always)]
    fn load_six(self, low: &[u32], high: &[u16]) -> __m256d {
        let (low, high) = (self.quarters(low), self.halves(high));
        self.to_doubles(vector!(_mm256_or_si256(low, _mm256_slli_epi64::<32>(high))))
    }
    #[inline(always)]
    fn load_seven(self, low: &[u32], middle: &[u16], high: &[u8]) -> __m256d {
        let (low, middle) = (self.quarters(low), self.halves(middle));
        let high = self.bytes(high);
        self.to_doubles(vector!(_mm256_or_si256(
            _mm256_or_si256(low, _mm256_slli_epi64::<32>(middle)),
            _mm256_slli_epi64::<48>(high)
        )))
    }
    #[inline(always)]
    fn store(self, value: __m256d, to: &mut [u64]) {
        let words = vector!({
            let magic = _mm256_set1_epi64x(TWO_52_BITS);
            let shifted = _mm256_add_pd(value, _mm256_castsi256_pd(magic));
            _mm256_xor_si256(_mm256_castpd_si256(shifted), magic)
        });
        self.store_words(words, to);
    }
    #[inline(always)]
    fn unspill(self, from: &[u64]) -> __m256d {
        let words = self.load_words(from);
        vector!(_mm256_castsi256_pd(words))
    }
    #[inline(always)]
    fn spill(self, value: __m256d, to: &mut [u64]) {
        let words = vector!(_mm256_castpd_si256(value));
        self.store_words(words, to);
    }
    #[inline(always)]
    fn splat(self, value: u64) -> __m256d {
        vector!(_mm256_set1_pd(value as f64))
    }
    #[inline(always)]
    fn square(self, fill: __m256d) -> [__m256d; 4] {
        [fill; 4]
    }
    #[inline(always)]
    fn factor(self, multiplier: Multiplier) -> Factor {
        vector!(Factor {
            value: _mm256_set1_pd(multiplier.value as f64),
            ratio: _mm256_set1_pd(multiplier.quotient as f64 * WORD_INVERSE),
        })
    }
    #[inline(always)]
    fn load_factors(self, values: &[u64], quotients: &[u64]) -> Factor {
        let quotients = self.load(quotients);
        Factor {
            value: self.load(values),
            ratio: vector!(_mm256_mul_pd(quotients, _mm256_set1_pd(WORD_INVERSE))),
        }
    }
    #[inline(always)]
    fn multiply(self, a: __m256d, b: Factor, q: Constants) -> __m256d {
        let high = vector!(_mm256_mul_pd(a, b.value));
        let quotient = self.rounded_product(a, b.ratio);
        self.remainder(a, b.value, high, quotient, q.q)
    }
    #[inline(always)]
    fn canonical(self, a: __m256d, q: Constants) -> __m256d {
        self.lift(self.center(a, q), q)
    }
    #[inline(always)]
    fn add(self, a: __m256d, b: __m256d, q: Constants) -> __m256d {
        self.lift(self.minus(self.plus(a, b), q.q), q)
    }
    #[inline(always)]
    fn sub(self, a: __m256d, b: __m256d, q: Constants) -> __m256d {
        self.lift(self.minus(a, b), q)
    }
    #[inline(always)]
    fn sub_lazy(self, a: __m256d, b: __m256d, _q: Constants) -> __m256d {
        self.minus(a, b)
    }
    #[inline(always)]
    fn forward(self, x: __m256d, y: __m256d, w: Factor, q: Constants) -> (__m256d, __m256d) {
        let x = self.center(x, q);
        let t = self.multiply(y, w, q);
        (self.plus(x, t), self.minus(x, t))
    }
    #[inline(always)]
    fn inverse(self, x: __m256d, y: __m256d, w: Factor, q: Constants) -> (__m256d, __m256d) {
        let sum = self.center(self.plus(x, y), q);
        (sum, self.multiply(self.minus(x, y), w, q))
    }
    #[inline(always)]
    fn inverse_scaled(
        self,
        x: __m256d,
        y: __m256d,
        s: Factor,
        w: Factor,
        q: Constants,
    ) -> (__m256d, __m256d) {
        (
            self.multiply(self.plus(x, y), s, q),
            self.multiply(self.minus(x, y), w, q),
        )
    }
    #[inline(always)]
    fn transpose(self, r: [__m256d; 4]) -> [__m256d; 4] {
        vector!({
            let (a0, a1) = (
                _mm256_unpacklo_pd(r[0], r[1]),
                _mm256_unpackhi_pd(r[0], r[1]),
            );
            let (a2, a3) = (
                _mm256_unpacklo_pd(r[2], r[3]),
                _mm256_unpackhi_pd(r[2], r[3]),
            );
            [
                _mm256_permute2f128_pd::<0x20>(a0, a2),
                _mm256_permute2f128_pd::<0x20>(a1, a3),
                _mm256_permute2f128_pd::<0x31>(a0, a2),
                _mm256_permute2f128_pd::<0x31>(a1, a3),
            ]
        })
    }
    #[inline(always)]
    fn zero_sum(self) -> __m256d {
        vector!(_mm256_setzero_pd())
    }
    #[inline(always)]
    fn sum_from(self, a: __m256d) -> __m256d {
        a
    }
    #[inline(always)]
    fn multiply_add(self, sum: __m256d, a: __m256d, b: __m256d, q: Constants) -> __m256d {
        let high = vector!(_mm256_mul_pd(a, b));
        let quotient = self.rounded_product(high, q.inverse);
        self.plus(sum, self.remainder(a, b, high, quotient, q.q))
    }
    #[inline(always)]
    fn settle(self, sum: __m256d, q: Constants) -> __m256d {
        self.center(sum, q)
    }
    #[inline(always)]
    fn finish(self, sum: __m256d, q: Constants) -> __m256d {
        self.canonical(sum, q)
    }
    #[inline(always)]
    fn spread<const REVERSED: bool>(self, a: __m256d, log_gap: u32) -> __m256d {
        vector!({
            // Each lane is a pair of 32-bit halves.
            let lanes = if REVERSED {
                _mm256_setr_epi32(3, 3, 2, 2, 1, 1, 0, 0)
            } else {
                _mm256_setr_epi32(0, 0, 1, 1, 2, 2, 3, 3)
            };
            let sources = _mm256_srl_epi32(lanes, _mm_cvtsi32_si128(log_gap as i32));
            let halves = _mm256_setr_epi32(0, 1, 0, 1, 0, 1, 0, 1);
            let sources = _mm256_add_epi32(_mm256_add_epi32(sources, sources), halves);
            _mm256_castps_pd(_mm256_permutevar8x32_ps(_mm256_castpd_ps(a), sources))
        })
    }
    #[inline(always)]
    fn zero_fraction(self) -> __m256d {
        vector!(_mm256_setzero_pd())
    }
    #[inline(always)]
    fn fraction_add(self, sum: __m256d, a: __m256d, weight: f64) -> __m256d {
        vector!(_mm256_add_pd(sum, _mm256_mul_pd(a, _mm256_set1_pd(weight))))
    }
    #[inline(always)]
    fn store_rounded(self, sum: __m256d, to: &mut [u64]) {
        let words = vector!({
            let shifted = _mm256_add_pd(sum, _mm256_set1_pd(ROUNDER));
            _mm256_and_si256(
                _mm256_castpd_si256(shifted),
                _mm256_set1_epi64x((WORD_MASK >> 1) as i64),
            )
        });
        self.store_words(words, to);
    }
}
