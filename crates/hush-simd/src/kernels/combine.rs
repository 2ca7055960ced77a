//! Linear combinations of rows: RNS basis conversion and products by constants.

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
    fn run<L: Lanes>(self, lanes: L) {
        let q = lanes.modulus(self.q);
        for (i, to) in self.out.chunks_exact_mut(L::WIDTH).enumerate() {
            let mut sum = lanes.zero_sum();
            let mut room = L::TERMS;
            for (row, &weight) in self.rows.iter().zip(self.weights) {
                if room == 0 {
                    sum = lanes.settle(sum, q);
                    room = L::TERMS;
                }
                let words = lanes.load(&row[i * L::WIDTH..]);
                sum = lanes.multiply_add(sum, words, lanes.splat(weight), q);
                room -= 1;
            }
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
