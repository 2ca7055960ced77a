//! A sequence of words in the fewest whole bytes, for what is read from memory often.

use super::packed::Source;
use crate::modulus::WORD_BITS;

/// Words behind the last that a vector load may touch.
const SLACK: usize = 8;

/// Words below a common bound of at most 2^52, at four to seven bytes each.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct PackedWords {
    bytes: u32,
    length: usize,
    /// Bits 0 to 31.
    low: Vec<u32>,
    /// Bits 32 to 47, if `bytes` is six or seven.
    middle: Vec<u16>,
    /// The eight bits above, if `bytes` is five or seven.
    high: Vec<u8>,
}

/// Runs `$body` with `$source` the parts of a [`PackedWords`].
macro_rules! with_source {
    ($words:expr, |$source:ident| $body:expr) => {{
        let (low, middle, high) = $words.parts();
        match (middle.is_empty(), high.is_empty()) {
            (true, true) => {
                let $source = low;
                $body
            }
            (true, false) => {
                let $source = (low, high);
                $body
            }
            (false, true) => {
                let $source = (low, middle);
                $body
            }
            (false, false) => {
                let $source = (low, middle, high);
                $body
            }
        }
    }};
}
pub(super) use with_source;

impl PackedWords {
    /// Bytes that words of so many bits take.
    pub fn bytes_of(bits: u32) -> usize {
        bits.div_ceil(8).max(4) as usize
    }

    /// Zeros, with room for words of so many bits.
    ///
    /// # Panics
    /// If `bits` is above 52.
    pub fn zeros(bits: u32, length: usize) -> Self {
        assert!(bits <= WORD_BITS, "words of at most {WORD_BITS} bits");
        let bytes = Self::bytes_of(bits) as u32;
        let room = |wanted: bool| if wanted { length + SLACK } else { 0 };
        Self {
            bytes,
            length,
            low: vec![0; room(true)],
            middle: vec![0; room(bytes >= 6)],
            high: vec![0; room(bytes % 2 == 1)],
        }
    }

    /// Number of words.
    pub fn length(&self) -> usize {
        self.length
    }

    /// Bytes in memory.
    pub fn bytes(&self) -> usize {
        self.low.len() * self.bytes as usize
    }

    /// Writes words from place `at` on; they must be within the bound.
    ///
    /// # Panics
    /// If they do not fit.
    pub fn write(&mut self, at: usize, words: &[u64]) {
        let range = at..at + words.len();
        assert!(range.end <= self.length, "words within the sequence");
        for (to, &word) in self.low[range.clone()].iter_mut().zip(words) {
            *to = word as u32;
        }
        if self.bytes >= 6 {
            for (to, &word) in self.middle[range.clone()].iter_mut().zip(words) {
                *to = (word >> 32) as u16;
            }
        }
        if self.bytes % 2 == 1 {
            let shift = 8 * (self.bytes - 1);
            for (to, &word) in self.high[range].iter_mut().zip(words) {
                *to = (word >> shift) as u8;
            }
        }
    }

    pub(super) fn parts(&self) -> (&[u32], &[u16], &[u8]) {
        (&self.low, &self.middle, &self.high)
    }
}

/// Words `at` and following, as many as a vector holds, spread.
#[inline(always)]
pub(super) fn load<L: crate::lanes::Lanes>(lanes: L, source: impl Source, at: usize) -> L::Vector {
    source.block(at, SLACK).load(lanes, 0)
}
