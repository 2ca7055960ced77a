//! Eight residues at a time: AVX-512 with the 52-bit multiply-add of IFMA.

use core::arch::x86_64::*;

use super::{Lanes, ROUNDER};
use crate::modulus::{Modulus, Multiplier, WORD_BITS, WORD_MASK};

/// Proof that avx512f, avx512dq and avx512ifma are present.
#[derive(Clone, Copy)]
pub(crate) struct Avx512(());

impl Avx512 {
    #[target_feature(enable = "avx512f,avx512dq,avx512ifma")]
    pub(crate) fn new() -> Self {
        Self(())
    }
}

/// A factor and its quotient, per lane.
#[derive(Clone, Copy)]
pub(crate) struct Factor {
    value: __m512i,
    quotient: __m512i,
}

/// Broadcast constants of a modulus.
#[derive(Clone, Copy)]
pub(crate) struct Constants {
    q: __m512i,
    two_q: __m512i,
    /// 2^52 - q: multiplying by it subtracts multiples of q in 52-bit arithmetic.
    minus_q: __m512i,
    one: Factor,
    word: Factor,
}

/// Sums of the high and the low 52-bit halves of products.
#[derive(Clone, Copy)]
pub(crate) struct Sum {
    high: __m512i,
    low: __m512i,
}

/// Wraps intrinsics that touch registers only.
macro_rules! vector {
    ($e:expr) => {{
        // SAFETY: register-only intrinsics; the token `Avx512` proves avx512f, dq and ifma.
        unsafe { $e }
    }};
}

impl Avx512 {
    #[inline(always)]
    fn broadcast(self, value: u64) -> __m512i {
        vector!(_mm512_set1_epi64(value as i64))
    }
    #[inline(always)]
    fn plus(self, a: __m512i, b: __m512i) -> __m512i {
        vector!(_mm512_add_epi64(a, b))
    }
    #[inline(always)]
    fn minus(self, a: __m512i, b: __m512i) -> __m512i {
        vector!(_mm512_sub_epi64(a, b))
    }
    #[inline(always)]
    fn mask(self, a: __m512i) -> __m512i {
        vector!(_mm512_and_si512(a, _mm512_set1_epi64(WORD_MASK as i64)))
    }
    #[inline(always)]
    fn reduce_once(self, a: __m512i, bound: __m512i) -> __m512i {
        vector!(_mm512_min_epu64(a, _mm512_sub_epi64(a, bound)))
    }
    #[inline(always)]
    fn low(self, sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
        vector!(_mm512_madd52lo_epu64(sum, a, b))
    }
    #[inline(always)]
    fn high(self, sum: __m512i, a: __m512i, b: __m512i) -> __m512i {
        vector!(_mm512_madd52hi_epu64(sum, a, b))
    }
    #[inline(always)]
    fn zero(self) -> __m512i {
        vector!(_mm512_setzero_si512())
    }
    #[inline(always)]
    fn halves(self, from: &[u16]) -> __m512i {
        let words: &[u16; 8] = from[..8].try_into().expect("eight words");
        // SAFETY: `words` is 16 readable bytes; the load has no alignment need.
        let words = unsafe { _mm_loadu_si128(words.as_ptr().cast()) };
        vector!(_mm512_cvtepu16_epi64(words))
    }
    #[inline(always)]
    fn bytes(self, from: &[u8]) -> __m512i {
        let words: &[u8; 8] = from[..8].try_into().expect("eight words");
        // SAFETY: `words` is 8 readable bytes; the load has no alignment need.
        let words = unsafe { _mm_loadl_epi64(words.as_ptr().cast()) };
        vector!(_mm512_cvtepu8_epi64(words))
    }
    /// Sum of both halves modulo q, below 4q; one common quotient.
    #[inline(always)]
    fn reduce(self, sum: Sum, q: Constants) -> __m512i {
        let carry = vector!(_mm512_srli_epi64::<{ WORD_BITS }>(sum.low));
        let high = self.plus(sum.high, carry);
        let low = self.mask(sum.low);
        let quotient = self.high(self.zero(), high, q.word.quotient);
        let quotient = self.high(quotient, low, q.one.quotient);
        let product = self.low(low, high, q.word.value);
        self.mask(self.low(product, quotient, q.minus_q))
    }
}

impl Lanes for Avx512 {
    const WIDTH: usize = 8;
    const TERMS: usize = 14;
    type Vector = __m512i;
    type Factor = Factor;
    type Modulus = Constants;
    type Accumulator = Sum;
    type Fraction = __m512d;
    type Square = [__m512i; 8];

    #[inline(always)]
    fn modulus(self, q: &Modulus) -> Constants {
        Constants {
            q: self.broadcast(q.value()),
            two_q: self.broadcast(2 * q.value()),
            minus_q: self.broadcast((1 << WORD_BITS) - q.value()),
            one: self.factor(q.one),
            word: self.factor(q.word),
        }
    }
    #[inline(always)]
    fn load(self, from: &[u64]) -> __m512i {
        let words: &[u64; 8] = from[..8].try_into().expect("eight words");
        // SAFETY: `words` is 64 readable bytes; the load has no alignment need.
        unsafe { _mm512_loadu_si512(words.as_ptr().cast()) }
    }
    #[inline(always)]
    fn load_four(self, low: &[u32]) -> __m512i {
        let words: &[u32; 8] = low[..8].try_into().expect("eight words");
        // SAFETY: `words` is 32 readable bytes; the load has no alignment need.
        let words = unsafe { _mm256_loadu_si256(words.as_ptr().cast()) };
        vector!(_mm512_cvtepu32_epi64(words))
    }
    #[inline(always)]
    fn load_five(self, low: &[u32], high: &[u8]) -> __m512i {
        let high = self.bytes(high);
        vector!(_mm512_or_si512(
            self.load_four(low),
            _mm512_slli_epi64::<32>(high)
        ))
    }
    #[inline(always)]
    fn load_six(self, low: &[u32], high: &[u16]) -> __m512i {
        let high = self.halves(high);
        vector!(_mm512_or_si512(
            self.load_four(low),
            _mm512_slli_epi64::<32>(high)
        ))
    }
    #[inline(always)]
    fn load_seven(self, low: &[u32], middle: &[u16], high: &[u8]) -> __m512i {
        let high = self.bytes(high);
        vector!(_mm512_or_si512(
            self.load_six(low, middle),
            _mm512_slli_epi64::<48>(high)
        ))
    }
    #[inline(always)]
    fn store(self, value: __m512i, to: &mut [u64]) {
        let words: &mut [u64; 8] = (&mut to[..8]).try_into().expect("eight words");
        // SAFETY: `words` is 64 writable bytes; the store has no alignment need.
        unsafe { _mm512_storeu_si512(words.as_mut_ptr().cast(), value) }
    }
    #[inline(always)]
    fn unspill(self, from: &[u64]) -> __m512i {
        self.load(from)
    }
    #[inline(always)]
    fn spill(self, value: __m512i, to: &mut [u64]) {
        self.store(value, to);
    }
    #[inline(always)]
    fn splat(self, value: u64) -> __m512i {
        self.broadcast(value)
    }
    #[inline(always)]
    fn square(self, fill: __m512i) -> [__m512i; 8] {
        [fill; 8]
    }
    #[inline(always)]
    fn factor(self, multiplier: Multiplier) -> Factor {
        Factor {
            value: self.broadcast(multiplier.value),
            quotient: self.broadcast(multiplier.quotient),
        }
    }
    #[inline(always)]
    fn load_factors(self, values: &[u64], quotients: &[u64]) -> Factor {
        Factor {
            value: self.load(values),
            quotient: self.load(quotients),
        }
    }
    #[inline(always)]
    fn multiply(self, a: __m512i, b: Factor, q: Constants) -> __m512i {
        let quotient = self.high(self.zero(), a, b.quotient);
        let product = self.low(self.zero(), a, b.value);
        self.mask(self.low(product, quotient, q.minus_q))
    }
    #[inline(always)]
    fn canonical(self, a: __m512i, q: Constants) -> __m512i {
        self.reduce_once(self.reduce_once(a, q.two_q), q.q)
    }
    #[inline(always)]
    fn add(self, a: __m512i, b: __m512i, q: Constants) -> __m512i {
        self.reduce_once(self.plus(a, b), q.q)
    }
    #[inline(always)]
    fn sub(self, a: __m512i, b: __m512i, q: Constants) -> __m512i {
        let difference = self.minus(a, b);
        vector!(_mm512_min_epu64(
            difference,
            _mm512_add_epi64(difference, q.q)
        ))
    }
    #[inline(always)]
    fn sub_lazy(self, a: __m512i, b: __m512i, q: Constants) -> __m512i {
        self.minus(self.plus(a, q.q), b)
    }
    #[inline(always)]
    fn forward(self, x: __m512i, y: __m512i, w: Factor, q: Constants) -> (__m512i, __m512i) {
        let x = self.reduce_once(x, q.two_q);
        let t = self.multiply(y, w, q);
        (self.plus(x, t), self.minus(self.plus(x, q.two_q), t))
    }
    #[inline(always)]
    fn inverse(self, x: __m512i, y: __m512i, w: Factor, q: Constants) -> (__m512i, __m512i) {
        let sum = self.reduce_once(self.plus(x, y), q.two_q);
        let difference = self.minus(self.plus(x, q.two_q), y);
        (sum, self.multiply(difference, w, q))
    }
    #[inline(always)]
    fn inverse_scaled(
        self,
        x: __m512i,
        y: __m512i,
        s: Factor,
        w: Factor,
        q: Constants,
    ) -> (__m512i, __m512i) {
        let difference = self.minus(self.plus(x, q.two_q), y);
        (
            self.multiply(self.plus(x, y), s, q),
            self.multiply(difference, w, q),
        )
    }
    #[inline(always)]
    fn transpose(self, r: [__m512i; 8]) -> [__m512i; 8] {
        vector!({
            let (a0, a1) = (
                _mm512_unpacklo_epi64(r[0], r[1]),
                _mm512_unpackhi_epi64(r[0], r[1]),
            );
            let (a2, a3) = (
                _mm512_unpacklo_epi64(r[2], r[3]),
                _mm512_unpackhi_epi64(r[2], r[3]),
            );
            let (a4, a5) = (
                _mm512_unpacklo_epi64(r[4], r[5]),
                _mm512_unpackhi_epi64(r[4], r[5]),
            );
            let (a6, a7) = (
                _mm512_unpacklo_epi64(r[6], r[7]),
                _mm512_unpackhi_epi64(r[6], r[7]),
            );
            let b0 = _mm512_shuffle_i64x2::<0x88>(a0, a2);
            let b1 = _mm512_shuffle_i64x2::<0x88>(a1, a3);
            let b2 = _mm512_shuffle_i64x2::<0xdd>(a0, a2);
            let b3 = _mm512_shuffle_i64x2::<0xdd>(a1, a3);
            let b4 = _mm512_shuffle_i64x2::<0x88>(a4, a6);
            let b5 = _mm512_shuffle_i64x2::<0x88>(a5, a7);
            let b6 = _mm512_shuffle_i64x2::<0xdd>(a4, a6);
            let b7 = _mm512_shuffle_i64x2::<0xdd>(a5, a7);
            [
                _mm512_shuffle_i64x2::<0x88>(b0, b4),
                _mm512_shuffle_i64x2::<0x88>(b1, b5),
                _mm512_shuffle_i64x2::<0x88>(b2, b6),
                _mm512_shuffle_i64x2::<0x88>(b3, b7),
                _mm512_shuffle_i64x2::<0xdd>(b0, b4),
                _mm512_shuffle_i64x2::<0xdd>(b1, b5),
                _mm512_shuffle_i64x2::<0xdd>(b2, b6),
                _mm512_shuffle_i64x2::<0xdd>(b3, b7),
            ]
        })
    }
    #[inline(always)]
    fn zero_sum(self) -> Sum {
        Sum {
            high: self.zero(),
            low: self.zero(),
        }
    }
    #[inline(always)]
    fn sum_from(self, a: __m512i) -> Sum {
        Sum {
            high: self.zero(),
            low: a,
        }
    }
    #[inline(always)]
    fn multiply_add(self, sum: Sum, a: __m512i, b: __m512i, _q: Constants) -> Sum {
        Sum {
            high: self.high(sum.high, a, b),
            low: self.low(sum.low, a, b),
        }
    }
    #[inline(always)]
    fn settle(self, sum: Sum, q: Constants) -> Sum {
        self.sum_from(self.reduce(sum, q))
    }
    #[inline(always)]
    fn finish(self, sum: Sum, q: Constants) -> __m512i {
        self.canonical(self.reduce(sum, q), q)
    }
    #[inline(always)]
    fn spread<const REVERSED: bool>(self, a: __m512i, log_gap: u32) -> __m512i {
        vector!({
            let lanes = if REVERSED {
                _mm512_setr_epi64(7, 6, 5, 4, 3, 2, 1, 0)
            } else {
                _mm512_setr_epi64(0, 1, 2, 3, 4, 5, 6, 7)
            };
            let sources = _mm512_srl_epi64(lanes, _mm_cvtsi32_si128(log_gap as i32));
            _mm512_permutexvar_epi64(sources, a)
        })
    }
    #[inline(always)]
    fn zero_fraction(self) -> __m512d {
        vector!(_mm512_setzero_pd())
    }
    #[inline(always)]
    fn fraction_add(self, sum: __m512d, a: __m512i, weight: f64) -> __m512d {
        vector!(_mm512_add_pd(
            sum,
            _mm512_mul_pd(_mm512_cvtepu64_pd(a), _mm512_set1_pd(weight))
        ))
    }
    #[inline(always)]
    fn store_rounded(self, sum: __m512d, to: &mut [u64]) {
        let bits = vector!(_mm512_castpd_si512(_mm512_add_pd(
            sum,
            _mm512_set1_pd(ROUNDER)
        )));
        let words = vector!(_mm512_and_si512(
            bits,
            _mm512_set1_epi64((WORD_MASK >> 1) as i64)
        ));
        self.store(words, to);
    }
    #[inline(always)]
    fn permute_block(self, from: &[u64], pattern: &[u64; 8], to: &mut [u64]) {
        let words = self.load(from);
        let index = self.load(pattern);
        self.store(vector!(_mm512_permutexvar_epi64(index, words)), to);
    }
}
