//! Rows stored at four to eight bytes a residue: a key is read from memory once per use,
//! so its bytes are its time.

use crate::isa::{Isa, Kernel};
use crate::lanes::Lanes;
use crate::modulus::Modulus;

/// Residues of one modulus in the fewest whole bytes, at least four, that hold them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedRows {
    bytes: u32,
    /// Bits 0 to 31, unless `bytes` is eight.
    low: Vec<u32>,
    /// Bits 32 to 47, if `bytes` is six or seven.
    middle: Vec<u16>,
    /// The eight bits above, if `bytes` is five or seven.
    high: Vec<u8>,
    /// Everything, if `bytes` is eight.
    words: Vec<u64>,
}

impl PackedRows {
    /// Packs canonical residues.
    pub fn pack(q: &Modulus, residues: &[u64]) -> Self {
        let bytes = (64 - (q.value() - 1).leading_zeros()).div_ceil(8).max(4);
        let mut packed = Self {
            bytes,
            low: Vec::new(),
            middle: Vec::new(),
            high: Vec::new(),
            words: Vec::new(),
        };
        if bytes == 8 {
            packed.words = residues.to_vec();
        } else {
            packed.low = residues.iter().map(|&r| r as u32).collect();
        }
        if bytes == 6 || bytes == 7 {
            packed.middle = residues.iter().map(|&r| (r >> 32) as u16).collect();
        }
        if bytes == 5 || bytes == 7 {
            let shift = 8 * (bytes - 1);
            packed.high = residues.iter().map(|&r| (r >> shift) as u8).collect();
        }
        packed
    }

    /// The residues again.
    pub fn unpack(&self) -> Vec<u64> {
        if self.bytes == 8 {
            return self.words.clone();
        }
        let mut residues: Vec<u64> = self.low.iter().map(|&low| u64::from(low)).collect();
        for (residue, &middle) in residues.iter_mut().zip(&self.middle) {
            *residue |= u64::from(middle) << 32;
        }
        let shift = 8 * (self.bytes - 1);
        for (residue, &high) in residues.iter_mut().zip(&self.high) {
            *residue |= u64::from(high) << shift;
        }
        residues
    }

    /// Number of residues.
    pub fn len(&self) -> usize {
        self.low.len() + self.words.len()
    }

    /// Whether there is none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Bytes in memory.
    pub fn bytes(&self) -> usize {
        self.len() * self.bytes as usize
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

impl Source for (&[u32], &[u8]) {
    #[inline(always)]
    fn load<L: Lanes>(self, lanes: L, at: usize) -> L::Vector {
        lanes.load_five(&self.0[at..], &self.1[at..])
    }
}

impl Source for (&[u32], &[u16]) {
    #[inline(always)]
    fn load<L: Lanes>(self, lanes: L, at: usize) -> L::Vector {
        lanes.load_six(&self.0[at..], &self.1[at..])
    }
}

impl Source for (&[u32], &[u16], &[u8]) {
    #[inline(always)]
    fn load<L: Lanes>(self, lanes: L, at: usize) -> L::Vector {
        lanes.load_seven(&self.0[at..], &self.1[at..], &self.2[at..])
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
    let (low, middle, high) = (&key.low[..], &key.middle[..], &key.high[..]);
    macro_rules! run {
        ($key:expr) => {
            isa.run(InnerProduct {
                q,
                out0,
                out1,
                digits,
                key: $key,
            })
        };
    }
    match key.bytes {
        4 => run!(low),
        5 => run!((low, high)),
        6 => run!((low, middle)),
        7 => run!((low, middle, high)),
        _ => run!(&key.words[..]),
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
