//! Rows stored at four, six or eight bytes a residue: a key is read from memory once per
//! use, so its bytes are its time.

use crate::isa::{Isa, Kernel};
use crate::lanes::Lanes;
use crate::modulus::Modulus;

/// Residues of one modulus in the narrowest of 4, 6 or 8 bytes that holds them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedRows(Storage);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Storage {
    Four(Vec<u32>),
    /// Low 32 and high 16 bits.
    Six(Vec<u32>, Vec<u16>),
    Eight(Vec<u64>),
}

impl PackedRows {
    /// Packs canonical residues.
    pub fn pack(q: &Modulus, residues: &[u64]) -> Self {
        let low = || residues.iter().map(|&residue| residue as u32).collect();
        Self(match 64 - (q.value() - 1).leading_zeros() {
            ..=32 => Storage::Four(low()),
            33..=48 => {
                let high = residues.iter().map(|&residue| (residue >> 32) as u16);
                Storage::Six(low(), high.collect())
            }
            _ => Storage::Eight(residues.to_vec()),
        })
    }

    /// The residues again.
    pub fn unpack(&self) -> Vec<u64> {
        match &self.0 {
            Storage::Four(low) => low.iter().map(|&low| u64::from(low)).collect(),
            Storage::Six(low, high) => low
                .iter()
                .zip(high)
                .map(|(&low, &high)| u64::from(low) | u64::from(high) << 32)
                .collect(),
            Storage::Eight(words) => words.clone(),
        }
    }

    /// Number of residues.
    pub fn len(&self) -> usize {
        match &self.0 {
            Storage::Four(low) | Storage::Six(low, _) => low.len(),
            Storage::Eight(words) => words.len(),
        }
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes in memory.
    pub fn bytes(&self) -> usize {
        self.len()
            * match self.0 {
                Storage::Four(_) => 4,
                Storage::Six(..) => 6,
                Storage::Eight(_) => 8,
            }
    }
}

/// Where a kernel reads packed words from.
trait Source: Copy {
    fn load<L: Lanes>(self, lanes: L, at: usize) -> L::Vector;
}

impl Source for &[u64] {
    #[inline(always)]
    fn load<L: Lanes>(self, lanes: L, at: usize) -> L::Vector {
        lanes.load(&self[at..])
    }
}

impl Source for &[u32] {
    #[inline(always)]
    fn load<L: Lanes>(self, lanes: L, at: usize) -> L::Vector {
        lanes.load_four(&self[at..])
    }
}

impl Source for (&[u32], &[u16]) {
    #[inline(always)]
    fn load<L: Lanes>(self, lanes: L, at: usize) -> L::Vector {
        lanes.load_six(&self.0[at..], &self.1[at..])
    }
}

/// The two inner products of key switching on one limb:
/// out0 = Σ digits\[d\] · key\[d\]\[0\], out1 = Σ digits\[d\] · key\[d\]\[1\], where `key`
/// is stored digit by digit, each as two rows of the limb's length.
pub fn inner_product(
    isa: Isa,
    q: &Modulus,
    [out0, out1]: [&mut [u64]; 2],
    digits: &[&[u64]],
    key: &PackedRows,
) {
    let length = out0.len();
    assert_eq!(out1.len(), length, "output length");
    assert_eq!(length % 8, 0, "length must be a multiple of eight");
    assert!(
        digits.iter().all(|digit| digit.len() == length),
        "digit length"
    );
    assert!(key.len() >= 2 * digits.len() * length, "key length");
    match &key.0 {
        Storage::Four(low) => isa.run(InnerProduct {
            q,
            out0,
            out1,
            digits,
            key: low.as_slice(),
        }),
        Storage::Six(low, high) => isa.run(InnerProduct {
            q,
            out0,
            out1,
            digits,
            key: (low.as_slice(), high.as_slice()),
        }),
        Storage::Eight(words) => isa.run(InnerProduct {
            q,
            out0,
            out1,
            digits,
            key: words.as_slice(),
        }),
    }
}

struct InnerProduct<'a, S> {
    q: &'a Modulus,
    out0: &'a mut [u64],
    out1: &'a mut [u64],
    digits: &'a [&'a [u64]],
    key: S,
}

impl<S: Source> Kernel for InnerProduct<'_, S> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let q = lanes.modulus(self.q);
        let length = self.out0.len();
        for at in (0..length).step_by(L::WIDTH) {
            let (mut sum0, mut sum1) = (lanes.zero_sum(), lanes.zero_sum());
            let mut room = L::TERMS;
            for (d, digit) in self.digits.iter().enumerate() {
                if room == 0 {
                    sum0 = lanes.settle(sum0, q);
                    sum1 = lanes.settle(sum1, q);
                    room = L::TERMS;
                }
                let words = lanes.load(&digit[at..]);
                let row = 2 * d * length + at;
                sum0 = lanes.multiply_add(sum0, words, self.key.load(lanes, row), q);
                sum1 = lanes.multiply_add(sum1, words, self.key.load(lanes, row + length), q);
                room -= 1;
            }
            lanes.store(lanes.finish(sum0, q), &mut self.out0[at..]);
            lanes.store(lanes.finish(sum1, q), &mut self.out1[at..]);
        }
    }
}
