//! Products with mirrored plaintexts, on every instruction set, against their definition.

use hush_simd::kernels::{self, MirroredTerm, PackedWords, Residues};
use hush_simd::{Isa, Modulus};

/// Linear congruential: a printed seed is not needed, it is always this one.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, bound: u64, count: usize) -> Vec<u64> {
        (0..count)
            .map(|_| {
                self.0 = self
                    .0
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                ((u128::from(self.0) * u128::from(bound)) >> 64) as u64
            })
            .collect()
    }
}

#[test]
fn sums_read_the_plaintext_from_both_ends() {
    let mut numbers = Numbers(7);
    for (bits, value) in [
        (25, 33_538_049),
        (40, 1_099_511_480_321),
        (50, (1 << 50) - 27),
    ] {
        let q = Modulus::new(value).unwrap();
        for (length, start, end) in [(64, 0, 32), (1024, 256, 512)] {
            for count in [0, 1, 3, 14, 40] {
                let rows: Vec<[Vec<u64>; 2]> = (0..count)
                    .map(|_| [0; 2].map(|_| numbers.below(value, length)))
                    .collect();
                let mut words = PackedWords::zeros(bits, (count + 1) * (end - start));
                let mut plain = vec![0; (count + 1) * (end - start)];
                let mut terms = Vec::new();
                let mut weights = Vec::new();
                let mut at = 0;
                for (t, rows) in rows.iter().enumerate() {
                    let log_gap = t as u32 % 5;
                    let residues = numbers.below(value, (end - start) >> log_gap);
                    words.write(at, &residues);
                    plain[at..at + residues.len()].copy_from_slice(&residues);
                    terms.push(MirroredTerm {
                        rows: rows.each_ref().map(Vec::as_slice),
                        at,
                        step: kernels::MIRRORED_BLOCK >> log_gap,
                        log_gap,
                    });
                    at += residues.len();
                    weights.push(residues);
                }
                let sources = [Residues::Packed(&words), Residues::Words(&plain)];
                for isa in Isa::available() {
                    for (source, accumulate) in sources.into_iter().zip([false, true]) {
                        let (mut out0, mut out1) = (vec![9; length], vec![9; length]);
                        let out = [&mut out0[..], &mut out1[..]];
                        let range = start..end;
                        kernels::mirrored_sums(isa, &q, out, source, &terms, range, accumulate);
                        for (half, out) in [out0, out1].iter().enumerate() {
                            for i in 0..length {
                                let place = i.min(length - 1 - i);
                                let mut expected = 9;
                                if (start..end).contains(&place) {
                                    expected = if accumulate { 9 } else { 0 };
                                    for (t, term) in terms.iter().enumerate() {
                                        let weight = weights[t][(place - start) >> term.log_gap];
                                        let product = q.mul(rows[t][half][i], weight);
                                        expected = q.add(expected, product);
                                    }
                                }
                                assert_eq!(out[i], expected, "{} {bits} {count} {i}", isa.name());
                            }
                        }
                    }
                }
            }
        }
    }
}

#[test]
fn packed_integers_become_residues() {
    let mut numbers = Numbers(8);
    let value = 1_099_511_480_321;
    let q = Modulus::new(value).unwrap();
    for bits in [20, 32, 33, 40, 41, 48, 49, 52] {
        let words = numbers.below(1 << bits, 200);
        let mut packed = PackedWords::zeros(bits, 200);
        packed.write(0, &words[..100]);
        packed.write(100, &words[100..]);
        assert!(packed.bytes() >= 200 * PackedWords::bytes_of(bits));
        let offset = 1 << (bits - 1);
        for isa in Isa::available() {
            for length in [200, 64, 3, 1] {
                let mut out = vec![0; length];
                kernels::offset_residues(isa, &q, &mut out, &packed, offset);
                for (&residue, &word) in out.iter().zip(&words) {
                    let expected = (i128::from(word) - i128::from(offset))
                        .rem_euclid(i128::from(value)) as u64;
                    assert_eq!(residue, expected, "{} {bits}", isa.name());
                }
            }
        }
    }
}
