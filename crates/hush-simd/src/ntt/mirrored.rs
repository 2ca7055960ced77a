//! Transforms of polynomials with m(1/X) = m(X): half of the work, half of the result.
//!
//! Such a polynomial modulo Y^2p + 1 has m_(2p-k) = -m_k and m_p = 0, so p coefficients
//! say everything. Its values at a root and at the inverse of the root are equal; in
//! bit-reversed order these stand at i and 2p - 1 - i, so the transform reads the same from
//! both ends, and its first half is the left subtree of the butterflies.
//!
//! For Y = X^(N/2p) the transform of length N has each value N/2p times in a row.

use super::{Forward, NttTable, Twiddles, pack};
use crate::isa::{Isa, Kernel};
use crate::lanes::Lanes;
use crate::modulus::Modulus;

/// Shortest transform that the vector code takes.
const SHORTEST: usize = 256;

/// Twiddle factors for one modulus and number of coefficients p.
#[derive(Clone, Debug)]
pub struct MirroredTable {
    isa: Isa,
    length: usize,
    modulus: Modulus,
    twiddles: Twiddles,
}

impl MirroredTable {
    /// Tables for p = `length` coefficients, a power of two, of polynomials in
    /// Y = X^(N/2p), where N is the length of `table`.
    ///
    /// # Panics
    /// If `length` is not a power of two or above N/2.
    pub fn new(table: &NttTable, length: usize) -> Self {
        assert!(
            length.is_power_of_two() && 2 * length <= table.degree,
            "a mirrored transform is at most half as long"
        );
        let degree = 2 * length;
        let width = table.isa.width();
        // A node's twiddle depends on its depth and place, not on the length.
        let shortened = |all: &[u64]| all[..degree].to_vec();
        let packed = |all: &[u64]| {
            if length < SHORTEST {
                return Vec::new();
            }
            pack(width, degree, all, super::Order::Forward)
        };
        Self {
            isa: table.isa,
            length,
            modulus: table.modulus,
            twiddles: Twiddles {
                values: shortened(&table.forward.values),
                quotients: shortened(&table.forward.quotients),
                packed_values: packed(&table.forward.values),
                packed_quotients: packed(&table.forward.quotients),
            },
        }
    }

    /// p.
    pub fn length(&self) -> usize {
        self.length
    }

    /// From the canonical residues of m_0, ..., m_(p-1) to the first half of the transform.
    ///
    /// # Panics
    /// Unless both slices hold p words.
    pub fn forward(&self, coefficients: &[u64], out: &mut [u64]) {
        assert_eq!(coefficients.len(), self.length, "coefficients");
        assert_eq!(out.len(), self.length, "half of a transform");
        if self.length < SHORTEST {
            return self.forward_short(coefficients, out);
        }
        self.isa.run(Fold {
            table: self,
            coefficients,
            out,
        });
        self.isa.run(Forward {
            twiddles: &self.twiddles,
            modulus: &self.modulus,
            root: 2,
            values: out,
        });
    }

    /// One word at a time.
    fn forward_short(&self, coefficients: &[u64], out: &mut [u64]) {
        let q = &self.modulus;
        out[0] = coefficients[0];
        for k in 1..self.length {
            let turned = q.mul(self.twiddles.values[1], coefficients[self.length - k]);
            out[k] = q.sub(coefficients[k], turned);
        }
        let mut nodes = 2;
        while nodes < 2 * self.length {
            for (i, block) in out.chunks_exact_mut(2 * self.length / nodes).enumerate() {
                let (low, high) = block.split_at_mut(self.length / nodes);
                for (x, y) in low.iter_mut().zip(high) {
                    let turned = q.mul(self.twiddles.values[nodes + i], *y);
                    (*x, *y) = (q.add(*x, turned), q.sub(*x, turned));
                }
            }
            nodes *= 2;
        }
    }
}

/// The left side of the first butterflies: out\[k\] = m_k - w m_(p-k), with m_p = 0.
struct Fold<'a> {
    table: &'a MirroredTable,
    coefficients: &'a [u64],
    out: &'a mut [u64],
}

impl Kernel for Fold<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let q = lanes.modulus(&self.table.modulus);
        let w = self.table.twiddles.factor(lanes, 1);
        let (coefficients, length) = (self.coefficients, self.table.length);
        let mut first = [0; 8];
        for (k, word) in first.iter_mut().enumerate().skip(1) {
            *word = coefficients[length - k];
        }
        for (k, to) in self.out.chunks_exact_mut(L::WIDTH).enumerate() {
            let at = k * L::WIDTH;
            let high = if k == 0 {
                lanes.load(&first)
            } else {
                lanes.spread::<true>(lanes.load(&coefficients[length - at - L::WIDTH + 1..]), 0)
            };
            let high = lanes.canonical(lanes.multiply(high, w, q), q);
            lanes.store(lanes.sub(lanes.load(&coefficients[at..]), high, q), to);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A prime that is 1 mod 2^15.
    const PRIME: u64 = 1_125_899_906_826_241;

    #[test]
    fn is_the_first_half_of_a_whole_transform_on_every_isa() {
        let modulus = Modulus::new(PRIME).unwrap();
        for isa in Isa::available() {
            for log_degree in [8, 10, 13] {
                let degree = 1usize << log_degree;
                let table = NttTable::new(isa, degree, modulus).unwrap();
                for log_length in 0..log_degree {
                    let length = 1usize << log_length;
                    let gap = degree / (2 * length);
                    let mut state = log_length as u64 + 1;
                    let coefficients: Vec<u64> = (0..length)
                        .map(|_| {
                            state = state.wrapping_mul(6_364_136_223_846_793_005) + 1;
                            state % PRIME
                        })
                        .collect();
                    let mut whole = vec![0; degree];
                    for (k, &c) in coefficients.iter().enumerate() {
                        whole[k * gap] = c;
                        if k > 0 {
                            whole[(2 * length - k) * gap] = modulus.negate(c);
                        }
                    }
                    table.forward(&mut whole);
                    let mut half = vec![0; length];
                    MirroredTable::new(&table, length).forward(&coefficients, &mut half);
                    for (i, &value) in whole.iter().enumerate() {
                        let place = i.min(degree - 1 - i) / gap;
                        assert_eq!(value, half[place], "{} {degree} {length} {i}", isa.name());
                    }
                }
            }
        }
    }
}
