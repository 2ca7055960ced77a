//! Permutations that move blocks of eight words: what X -> X^g does to a transform.
//!
//! In bit-reversed order the eight words of a block hold exponents that differ by
//! multiples of 2N/8, so an automorphism maps blocks to blocks and permutes inside
//! them in one of eight ways. Two small reads replace a gather.

use crate::isa::{Isa, Kernel};
use crate::lanes::Lanes;
use crate::modulus::Modulus;

/// A permutation of a transform of N values given block by block.
#[derive(Clone, Debug)]
pub struct BlockPermutation {
    /// Source block · 8 + pattern, for each block of the result.
    blocks: Vec<u32>,
    patterns: [[u64; 8]; 8],
}

impl BlockPermutation {
    /// The action of X -> X^`element` (odd) on transforms of length `degree` ≤ 2^28.
    pub fn automorphism(degree: usize, element: usize) -> Self {
        assert!(
            degree.is_power_of_two() && (64..=1 << 28).contains(&degree),
            "transform length"
        );
        assert!(element % 2 == 1, "an automorphism needs an odd exponent");
        let bits = degree.trailing_zeros();
        let reverse = |i: usize, bits: u32| i.reverse_bits() >> (usize::BITS - bits);
        let source = |i: usize| {
            let exponent = (2 * reverse(i, bits) + 1) * element % (2 * degree);
            reverse(exponent / 2, bits)
        };
        let mut patterns = [[0; 8]; 8];
        // Pattern c: in-block index k holds exponent class brv3(k), which moves to
        // element · brv3(k) + c mod 8.
        for (shift, pattern) in patterns.iter_mut().enumerate() {
            for (k, index) in pattern.iter_mut().enumerate() {
                *index = reverse((element * reverse(k, 3) + shift) % 8, 3) as u64;
            }
        }
        let blocks = (0..degree / 8)
            .map(|block| {
                let first = source(8 * block);
                (first / 8 * 8 + reverse(first % 8, 3)) as u32
            })
            .collect();
        Self { blocks, patterns }
    }

    /// The part of it that gives words `at .. at + length` of the result: a power of two of
    /// words, at least eight, at a multiple of their number.
    pub fn tile(&self, at: usize, length: usize) -> PermutationTile<'_> {
        assert!(
            length.is_power_of_two() && length >= 8 && at.is_multiple_of(length),
            "a tile is an aligned power of two"
        );
        let blocks = &self.blocks[at / 8..(at + length) / 8];
        PermutationTile {
            blocks,
            source: blocks[0] as usize & !(length - 1),
            patterns: &self.patterns,
        }
    }
}

/// A part of a permutation. In bit-reversed order the exponents of an aligned tile agree
/// modulo a power of two, so that its words come from one aligned tile.
#[derive(Clone, Copy, Debug)]
pub struct PermutationTile<'a> {
    blocks: &'a [u32],
    source: usize,
    patterns: &'a [[u64; 8]; 8],
}

impl PermutationTile<'_> {
    /// Where the tile that its words come from begins.
    pub fn source(&self) -> usize {
        self.source
    }

    #[inline(always)]
    fn entry(&self, block: usize) -> (usize, &[u64; 8]) {
        let entry = self.blocks[block] as usize;
        ((entry & !7) - self.source, &self.patterns[entry & 7])
    }
}

/// out\[i\] = a\[permutation(i)\].
pub fn permute(isa: Isa, permutation: &BlockPermutation, out: &mut [u64], a: &[u64]) {
    let tile = permutation.tile(0, 8 * permutation.blocks.len());
    permute_tile(isa, tile, out, a);
}

/// [`permute`] of a tile: `a` is the tile at [`PermutationTile::source`].
pub fn permute_tile(isa: Isa, tile: PermutationTile<'_>, out: &mut [u64], a: &[u64]) {
    assert_eq!(out.len(), 8 * tile.blocks.len(), "output length");
    assert_eq!(a.len(), out.len(), "operand length");
    isa.run(Permute { tile, out, a });
}

struct Permute<'a> {
    tile: PermutationTile<'a>,
    out: &'a mut [u64],
    a: &'a [u64],
}

impl Kernel for Permute<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        for (block, to) in self.out.chunks_exact_mut(8).enumerate() {
            let (from, pattern) = self.tile.entry(block);
            lanes.permute_block(&self.a[from..from + 8], pattern, to);
        }
    }
}

/// out\[i\] += a\[permutation(i)\].
pub fn permute_add_assign(
    isa: Isa,
    q: &Modulus,
    permutation: &BlockPermutation,
    out: &mut [u64],
    a: &[u64],
) {
    let tile = permutation.tile(0, 8 * permutation.blocks.len());
    permute_add_tile(isa, q, tile, out, a);
}

/// [`permute_add_assign`] of a tile: `a` is the tile at [`PermutationTile::source`].
pub fn permute_add_tile(
    isa: Isa,
    q: &Modulus,
    tile: PermutationTile<'_>,
    out: &mut [u64],
    a: &[u64],
) {
    assert_eq!(out.len(), 8 * tile.blocks.len(), "output length");
    assert_eq!(a.len(), out.len(), "operand length");
    isa.run(PermuteAdd { q, tile, out, a });
}

struct PermuteAdd<'a> {
    q: &'a Modulus,
    tile: PermutationTile<'a>,
    out: &'a mut [u64],
    a: &'a [u64],
}

impl Kernel for PermuteAdd<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let q = lanes.modulus(self.q);
        let mut moved = [0; 8];
        for (block, to) in self.out.chunks_exact_mut(8).enumerate() {
            let (from, pattern) = self.tile.entry(block);
            lanes.permute_block(&self.a[from..from + 8], pattern, &mut moved);
            for (to, a) in to
                .chunks_exact_mut(L::WIDTH)
                .zip(moved.chunks_exact(L::WIDTH))
            {
                lanes.store(lanes.add(lanes.load(to), lanes.load(a), q), to);
            }
        }
    }
}
