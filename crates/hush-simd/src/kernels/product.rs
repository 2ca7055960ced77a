//! Sums of products of whole rows: linear transforms and ciphertext products.

use crate::isa::{Isa, Kernel};
use crate::lanes::Lanes;
use crate::modulus::Modulus;

/// out\[h\] = Σ weights\[t\] · rows\[t\]\[h\] for both halves h: one load of each weight,
/// one reduction per result.
pub fn paired_inner_product(
    isa: Isa,
    q: &Modulus,
    [out0, out1]: [&mut [u64]; 2],
    weights: &[&[u64]],
    rows: &[[&[u64]; 2]],
) {
    let length = out0.len();
    assert_eq!(out1.len(), length, "output length");
    assert_eq!(length % 8, 0, "length must be a multiple of eight");
    assert_eq!(weights.len(), rows.len(), "one weight per row");
    assert!(
        weights.iter().all(|row| row.len() == length)
            && rows.iter().flatten().all(|row| row.len() == length),
        "row length"
    );
    isa.run(PairedInnerProduct {
        q,
        out0,
        out1,
        weights,
        rows,
    });
}

struct PairedInnerProduct<'a> {
    q: &'a Modulus,
    out0: &'a mut [u64],
    out1: &'a mut [u64],
    weights: &'a [&'a [u64]],
    rows: &'a [[&'a [u64]; 2]],
}

impl Kernel for PairedInnerProduct<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let q = lanes.modulus(self.q);
        for at in (0..self.out0.len()).step_by(L::WIDTH) {
            let (mut sum0, mut sum1) = (lanes.zero_sum(), lanes.zero_sum());
            let mut room = L::TERMS;
            for (weight, [row0, row1]) in self.weights.iter().zip(self.rows) {
                if room == 0 {
                    sum0 = lanes.settle(sum0, q);
                    sum1 = lanes.settle(sum1, q);
                    room = L::TERMS;
                }
                let words = lanes.load(&weight[at..]);
                sum0 = lanes.multiply_add(sum0, words, lanes.load(&row0[at..]), q);
                sum1 = lanes.multiply_add(sum1, words, lanes.load(&row1[at..]), q);
                room -= 1;
            }
            lanes.store(lanes.finish(sum0, q), &mut self.out0[at..]);
            lanes.store(lanes.finish(sum1, q), &mut self.out1[at..]);
        }
    }
}

/// (d0, d1, d2) = (a0 b0, a0 b1 + a1 b0, a1 b1): the product of two ciphertexts on one limb.
pub fn tensor_into(
    isa: Isa,
    q: &Modulus,
    [d0, d1, d2]: [&mut [u64]; 3],
    [a0, a1]: [&[u64]; 2],
    [b0, b1]: [&[u64]; 2],
) {
    let length = d0.len();
    assert!(
        [d1.len(), d2.len(), a0.len(), a1.len(), b0.len(), b1.len()]
            .iter()
            .all(|&other| other == length),
        "operand length"
    );
    assert_eq!(length % 8, 0, "length must be a multiple of eight");
    isa.run(Tensor {
        q,
        d0,
        d1,
        d2,
        a0,
        a1,
        b0,
        b1,
    });
}

struct Tensor<'a> {
    q: &'a Modulus,
    d0: &'a mut [u64],
    d1: &'a mut [u64],
    d2: &'a mut [u64],
    a0: &'a [u64],
    a1: &'a [u64],
    b0: &'a [u64],
    b1: &'a [u64],
}

impl Kernel for Tensor<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let q = lanes.modulus(self.q);
        for at in (0..self.d0.len()).step_by(L::WIDTH) {
            let (a0, a1) = (lanes.load(&self.a0[at..]), lanes.load(&self.a1[at..]));
            let (b0, b1) = (lanes.load(&self.b0[at..]), lanes.load(&self.b1[at..]));
            let first = lanes.multiply_add(lanes.zero_sum(), a0, b0, q);
            let cross = lanes.multiply_add(lanes.zero_sum(), a0, b1, q);
            let cross = lanes.multiply_add(cross, a1, b0, q);
            let last = lanes.multiply_add(lanes.zero_sum(), a1, b1, q);
            lanes.store(lanes.finish(first, q), &mut self.d0[at..]);
            lanes.store(lanes.finish(cross, q), &mut self.d1[at..]);
            lanes.store(lanes.finish(last, q), &mut self.d2[at..]);
        }
    }
}
