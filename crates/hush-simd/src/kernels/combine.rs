//! Linear combinations of rows: RNS basis conversion and products by constants.

use super::UNROLL;
use crate::isa::{Isa, Kernel};
use crate::lanes::Lanes;
use crate::modulus::Modulus;

/// out = Σ weights\[i\] · rows\[i\] mod q. Rows are words below 2^50 of any modulus,
/// weights are canonical. Cost: two multiply-adds per row and one reduction.
pub fn combine(isa: Isa, q: &Modulus, out: &mut [u64], rows: &[&[u64]], weights: &[u64]) {
    assert_eq!(rows.len(), weights.len(), "one weight per row");
    assert!(rows.iter().all(|row| row.len() == out.len()), "row length");
    assert_eq!(out.len() % 8, 0, "length must be a multiple of eight");
    isa.run(Combine {
        q,
        out,
        rows,
        weights,
    });
}

struct Combine<'a> {
    q: &'a Modulus,
    out: &'a mut [u64],
    rows: &'a [&'a [u64]],
    weights: &'a [u64],
}

impl Kernel for Combine<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(mut self, lanes: L) {
        let length = self.out.len();
        let blocks = length / (UNROLL * L::WIDTH);
        for block in 0..blocks {
            self.block::<L, UNROLL>(lanes, block * UNROLL * L::WIDTH);
        }
        for at in (blocks * UNROLL * L::WIDTH..length).step_by(L::WIDTH) {
            self.block::<L, 1>(lanes, at);
        }
    }
}

impl Combine<'_> {
    /// `U` vectors at `at`, their sums in registers.
    #[inline(always)]
    fn block<L: Lanes, const U: usize>(&mut self, lanes: L, at: usize) {
        let q = lanes.modulus(self.q);
        let size = U * L::WIDTH;
        let mut sums = [lanes.zero_sum(); U];
        let mut room = L::TERMS;
        for (row, &weight) in self.rows.iter().zip(self.weights) {
            if room == 0 {
                for sum in &mut sums {
                    *sum = lanes.settle(*sum, q);
                }
                room = L::TERMS;
            }
            room -= 1;
            let row = &row[at..at + size];
            let weight = lanes.splat(weight);
            for u in 0..U {
                let words = lanes.load(&row[u * L::WIDTH..]);
                sums[u] = lanes.multiply_add(sums[u], words, weight, q);
            }
        }
        let out = &mut self.out[at..at + size];
        for (to, sum) in out.chunks_exact_mut(L::WIDTH).zip(sums) {
            lanes.store(lanes.finish(sum, q), to);
        }
    }
}

/// out = round(Σ rows\[i\] · inverses\[i\]), with `inverses[i] = 1/q_i`: how often the
/// product of the moduli is contained in the CRT sum, so that subtracting it leaves the
/// centred representative (Halevi, Polyakov, Shoup, ePrint 2018/117, section 2.2).
pub fn rounded_quotient(isa: Isa, out: &mut [u64], rows: &[&[u64]], inverses: &[f64]) {
    assert_eq!(rows.len(), inverses.len(), "one inverse per row");
    assert!(rows.iter().all(|row| row.len() == out.len()), "row length");
    assert_eq!(out.len() % 8, 0, "length must be a multiple of eight");
    isa.run(RoundedQuotient {
        out,
        rows,
        inverses,
    });
}

struct RoundedQuotient<'a> {
    out: &'a mut [u64],
    rows: &'a [&'a [u64]],
    inverses: &'a [f64],
}

impl Kernel for RoundedQuotient<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        for (i, to) in self.out.chunks_exact_mut(L::WIDTH).enumerate() {
            let mut sum = lanes.zero_fraction();
            for (row, &inverse) in self.rows.iter().zip(self.inverses) {
                sum = lanes.fraction_add(sum, lanes.load(&row[i * L::WIDTH..]), inverse);
            }
            lanes.store_rounded(sum, to);
        }
    }
}
