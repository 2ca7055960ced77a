//! Rows stored at four to eight bytes a residue: a key is read from memory once per use,
//! so its bytes are its time.

use super::UNROLL;
use crate::isa::{Isa, Kernel};
use crate::lanes::Lanes;
use crate::modulus::Modulus;

/// Residues of a row that lie together.
const TILE: usize = 32;

/// Rows of residues of one modulus, in the fewest whole bytes, at least four, that hold
/// them, and interleaved tile by tile: a loop over all rows at once reads one stream.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PackedRows {
    rows: usize,
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
    /// Packs rows of canonical residues, all of one length, a multiple of 32.
    pub fn pack(q: &Modulus, rows: &[&[u64]]) -> Self {
        let length = rows.first().map_or(0, |row| row.len());
        assert!(
            rows.iter().all(|row| row.len() == length) && length.is_multiple_of(TILE),
            "rows of one length, a multiple of {TILE}"
        );
        let bytes = (64 - (q.value() - 1).leading_zeros()).div_ceil(8).max(4);
        let mut packed = Self {
            rows: rows.len(),
            bytes,
            low: Vec::new(),
            middle: Vec::new(),
            high: Vec::new(),
            words: Vec::new(),
        };
        if bytes == 8 {
            packed.words = tiled(rows, |residue| residue);
            return packed;
        }
        packed.low = tiled(rows, |residue| residue as u32);
        if bytes == 6 || bytes == 7 {
            packed.middle = tiled(rows, |residue| (residue >> 32) as u16);
        }
        if bytes == 5 || bytes == 7 {
            let shift = 8 * (bytes - 1);
            packed.high = tiled(rows, |residue| (residue >> shift) as u8);
        }
        packed
    }

    /// One row again.
    pub fn row(&self, row: usize) -> Vec<u64> {
        (0..self.length())
            .map(|i| {
                let at = self.place(row, i);
                if self.bytes == 8 {
                    return self.words[at];
                }
                let middle = self.middle.get(at).map_or(0, |&middle| u64::from(middle));
                let high = self.high.get(at).map_or(0, |&high| u64::from(high));
                u64::from(self.low[at]) | middle << 32 | high << (8 * (self.bytes - 1))
            })
            .collect()
    }

    /// Number of rows.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Residues in a row.
    pub fn length(&self) -> usize {
        (self.low.len() + self.words.len())
            .checked_div(self.rows)
            .unwrap_or(0)
    }

    /// Bytes in memory.
    pub fn bytes(&self) -> usize {
        self.rows * self.length() * self.bytes as usize
    }

    #[inline(always)]
    fn place(&self, row: usize, i: usize) -> usize {
        (i / TILE * self.rows + row) * TILE + i % TILE
    }
}

/// A part of each residue, tile by tile and within a tile row by row.
fn tiled<T>(rows: &[&[u64]], part: impl Fn(u64) -> T) -> Vec<T> {
    let length = rows.first().map_or(0, |row| row.len());
    let mut parts = Vec::with_capacity(rows.len() * length);
    for at in (0..length).step_by(TILE) {
        for row in rows {
            let tile = row[at..at + TILE].iter();
            parts.extend(tile.map(|&residue| part(residue)));
        }
    }
    parts
}

/// Where a kernel reads packed words from.
pub(super) trait Source: Copy {
    /// Words `at .. at + length`: one bounds check for a block of vectors.
    fn block(self, at: usize, length: usize) -> Self;
    fn load<L: Lanes>(self, lanes: L, at: usize) -> L::Vector;
}

impl Source for &[u64] {
    #[inline(always)]
    fn block(self, at: usize, length: usize) -> Self {
        &self[at..at + length]
    }
    #[inline(always)]
    fn load<L: Lanes>(self, lanes: L, at: usize) -> L::Vector {
        lanes.load(&self[at..])
    }
}

impl Source for &[u32] {
    #[inline(always)]
    fn block(self, at: usize, length: usize) -> Self {
        &self[at..at + length]
    }
    #[inline(always)]
    fn load<L: Lanes>(self, lanes: L, at: usize) -> L::Vector {
        lanes.load_four(&self[at..])
    }
}

impl Source for (&[u32], &[u8]) {
    #[inline(always)]
    fn block(self, at: usize, length: usize) -> Self {
        (&self.0[at..at + length], &self.1[at..at + length])
    }
    #[inline(always)]
    fn load<L: Lanes>(self, lanes: L, at: usize) -> L::Vector {
        lanes.load_five(&self.0[at..], &self.1[at..])
    }
}

impl Source for (&[u32], &[u16]) {
    #[inline(always)]
    fn block(self, at: usize, length: usize) -> Self {
        (&self.0[at..at + length], &self.1[at..at + length])
    }
    #[inline(always)]
    fn load<L: Lanes>(self, lanes: L, at: usize) -> L::Vector {
        lanes.load_six(&self.0[at..], &self.1[at..])
    }
}

impl Source for (&[u32], &[u16], &[u8]) {
    #[inline(always)]
    fn block(self, at: usize, length: usize) -> Self {
        let (low, middle, high) = self;
        let range = at..at + length;
        (&low[range.clone()], &middle[range.clone()], &high[range])
    }
    #[inline(always)]
    fn load<L: Lanes>(self, lanes: L, at: usize) -> L::Vector {
        lanes.load_seven(&self.0[at..], &self.1[at..], &self.2[at..])
    }
}

/// The two inner products of key switching on one limb, or on a part of it that begins at
/// word `first`, both multiples of 32: out0 = Σ digits\[d\] · row 2d of the key, out1 = Σ
/// digits\[d\] · row 2d + 1. Digits and key are those of the whole limb.
pub fn inner_product(
    isa: Isa,
    q: &Modulus,
    first: usize,
    [out0, out1]: [&mut [u64]; 2],
    digits: &[&[u64]],
    key: &PackedRows,
) {
    let length = out0.len();
    assert_eq!(out1.len(), length, "output length");
    assert!(
        first.is_multiple_of(TILE) && length.is_multiple_of(TILE),
        "parts of whole tiles"
    );
    assert!(first + length <= key.length(), "key length");
    assert!(
        digits.iter().all(|digit| digit.len() == key.length()),
        "digit length"
    );
    assert!(key.rows() >= 2 * digits.len(), "rows of the key");
    let rows = key.rows();
    let (low, middle, high) = (&key.low[..], &key.middle[..], &key.high[..]);
    macro_rules! run {
        ($key:expr) => {
            isa.run(InnerProduct {
                q,
                first,
                out0,
                out1,
                digits,
                rows,
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
    first: usize,
    out0: &'a mut [u64],
    out1: &'a mut [u64],
    digits: &'a [&'a [u64]],
    rows: usize,
    key: S,
}

impl<S: Source> Kernel for InnerProduct<'_, S> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(mut self, lanes: L) {
        let length = self.out0.len();
        for at in (0..length).step_by(UNROLL * L::WIDTH) {
            self.block::<L, UNROLL>(lanes, at);
        }
    }
}

impl<S: Source> InnerProduct<'_, S> {
    /// `U` vectors at `to`, their sums in registers; a tile is a whole number of blocks.
    #[inline(always)]
    fn block<L: Lanes, const U: usize>(&mut self, lanes: L, to: usize) {
        let q = lanes.modulus(self.q);
        let size = U * L::WIDTH;
        let at = self.first + to;
        let tile = at / TILE * self.rows * TILE + at % TILE;
        let mut sums = [[lanes.zero_sum(); U]; 2];
        let mut start = 0;
        loop {
            let end = self.digits.len().min(start + L::TERMS);
            for (d, digit) in self.digits[start..end].iter().enumerate() {
                let digit = &digit[at..at + size];
                let row = tile + 2 * (start + d) * TILE;
                let keys = [self.key.block(row, size), self.key.block(row + TILE, size)];
                for u in 0..U {
                    let words = lanes.load(&digit[u * L::WIDTH..]);
                    for half in 0..2 {
                        let key = keys[half].load(lanes, u * L::WIDTH);
                        sums[half][u] = lanes.multiply_add(sums[half][u], words, key, q);
                    }
                }
            }
            if end == self.digits.len() {
                break;
            }
            // Outside the inner loop, so that the sums stay in registers inside it.
            sums = sums.map(|half| half.map(|sum| lanes.settle(sum, q)));
            start = end;
        }
        let outs = [&mut self.out0[to..to + size], &mut self.out1[to..to + size]];
        for (out, sums) in outs.into_iter().zip(sums) {
            for (to, sum) in out.chunks_exact_mut(L::WIDTH).zip(sums) {
                lanes.store(lanes.finish(sum, q), to);
            }
        }
    }
}
