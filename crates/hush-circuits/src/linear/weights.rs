//! The plaintexts of a transform, held in one of three ways.

use std::ops::Range;

use hush_ckks::encoder::MirroredPlaintext;
use hush_ckks::{Level, Parameters, Scale};

use hush_ring::{Basis, Buffer};
use hush_simd::kernels::{MIRRORED_BLOCK, PackedWords, Residues};
use rayon::prelude::*;

use super::plan::{Plan, Term};
use super::{Diagonal, Storage};
use crate::CircuitError;

/// Coefficients of the first half of a limb that all sums pass over together: both ends of
/// both halves of 64 rotated rows fit half a second-level cache.
const TILE: usize = 256;
/// Words between plaintexts, so that those read together are not in the same few sets of the
/// caches, and that vector loads may touch.
const APART: usize = 16;

/// What a transform holds.
pub(super) enum Weights {
    Kept(Kept),
    Compact(Vec<MirroredPlaintext>),
    Streamed,
}

/// Residues of every limb in the order in which the sums read them: tile by tile, in each
/// group by group, in each block by block, in each the plaintexts that the group is the
/// first to use.
pub(super) struct Kept {
    tiles: Tiles,
    /// By limb of the extended basis; empty where no product is taken.
    limbs: Vec<PackedWords>,
}

/// Where a plaintext's residues stand.
#[derive(Clone, Copy)]
pub(super) struct Place {
    /// The first, from the start of a tile.
    pub(super) at: usize,
    /// From one block to the next.
    pub(super) step: usize,
    /// log2 of how often each is used before the next.
    pub(super) log_gap: u32,
}

/// The layout of the tiles.
pub(super) struct Tiles {
    /// By plaintext.
    places: Vec<Place>,
    /// Plaintexts that are stored together, in order.
    regions: Vec<Range<usize>>,
    /// Residues in a tile.
    stride: usize,
    /// Number of tiles.
    count: usize,
    /// Blocks in a tile.
    blocks: usize,
}

impl Tiles {
    fn new(plan: &Plan, degree: usize) -> Self {
        let blocks = tile(degree) / MIRRORED_BLOCK;
        let (mut places, mut regions) = (Vec::new(), Vec::new());
        let mut stride = 0;
        for group in &plan.groups {
            let first = places.len();
            let last = group.terms.iter().map(|term| term.plaintext + 1).max();
            let region = first..last.unwrap_or(first).max(first);
            let gaps = plan.plaintexts[region.clone()]
                .iter()
                .map(|plaintext| log_gap(degree, plaintext.period));
            let step = gaps.clone().map(|log_gap| MIRRORED_BLOCK >> log_gap).sum();
            let mut at = stride;
            for log_gap in gaps {
                places.push(Place { at, step, log_gap });
                at += MIRRORED_BLOCK >> log_gap;
            }
            stride += step * blocks;
            regions.push(region);
        }
        Self {
            places,
            regions,
            stride,
            count: degree / 2 / tile(degree),
            blocks,
        }
    }
}

/// Coefficients in a tile.
pub(super) fn tile(degree: usize) -> usize {
    TILE.min(degree / 2)
}

/// log2 of how often each residue of a plaintext of period `period` is used in a row, at most
/// for a block.
fn log_gap(degree: usize, period: usize) -> u32 {
    (degree / 2 / period).min(MIRRORED_BLOCK).ilog2()
}

/// The basis that sums are taken over.
pub(super) fn basis(plan: &Plan, level: Level) -> Basis {
    Basis {
        chain: level.limbs(),
        special: plan.rotated() != (false, false),
    }
}

/// Whether a limb of the sums has products: unrotated rows times P vanish on the special
/// limbs.
fn has_products(plan: &Plan, level: Level, limb: usize) -> bool {
    limb < level.limbs() || plan.rotated().0
}

impl Weights {
    pub(super) fn new(
        parameters: &Parameters,
        plan: &Plan,
        diagonals: &[Diagonal<'_>],
        (level, scale): (Level, Scale),
        storage: Storage,
    ) -> Result<Self, CircuitError> {
        if storage == Storage::Streamed {
            return Ok(Self::Streamed);
        }
        let encoded = encode(parameters, plan, diagonals, level, scale)?;
        if storage == Storage::Compact {
            return Ok(Self::Compact(encoded));
        }
        let ring = parameters.ring();
        let tiles = Tiles::new(plan, ring.degree());
        let basis = basis(plan, level);
        let limbs = (0..ring.limbs(basis))
            .into_par_iter()
            .map(|limb| {
                if !has_products(plan, level, limb) {
                    return PackedWords::default();
                }
                transformed(
                    parameters,
                    &tiles,
                    &encoded,
                    ring.modulus_index(basis, limb),
                )
            })
            .collect();
        Ok(Self::Kept(Kept { tiles, limbs }))
    }

    pub(super) fn storage(&self) -> Storage {
        match self {
            Self::Kept(_) => Storage::Kept,
            Self::Compact(_) => Storage::Compact,
            Self::Streamed => Storage::Streamed,
        }
    }

    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Kept(kept) => kept.limbs.iter().map(PackedWords::bytes).sum(),
            Self::Compact(plaintexts) => plaintexts.iter().map(MirroredPlaintext::bytes).sum(),
            Self::Streamed => 0,
        }
    }
}

/// Bytes of [`Storage::Kept`].
pub(super) fn kept_bytes(parameters: &Parameters, plan: &Plan, level: Level) -> usize {
    let ring = parameters.ring();
    let tiles = Tiles::new(plan, ring.degree());
    let basis = basis(plan, level);
    (0..ring.limbs(basis))
        .filter(|&limb| has_products(plan, level, limb))
        .map(|limb| {
            let bits = bits(ring.modulus_of(basis, limb).value() - 1);
            tiles.count * tiles.stride * PackedWords::bytes_of(bits)
        })
        .sum()
}

/// Bytes of [`Storage::Compact`], at most: a coefficient is not above the mean magnitude of
/// the weights times the scale.
pub(super) fn compact_bytes(plan: &Plan, diagonals: &[Diagonal<'_>], scale: Scale) -> usize {
    (0..plan.plaintexts.len())
        .into_par_iter()
        .map(|index| {
            let weights = plan.weights(diagonals, index);
            let mean = weights.iter().map(|w| w.abs()).sum::<f64>() / weights.len() as f64;
            let bits = (mean * scale.value()).max(1.0).log2().floor() as u32 + 3;
            let bytes = if bits > 51 {
                8
            } else {
                PackedWords::bytes_of(bits)
            };
            bytes * weights.len()
        })
        .sum()
}

fn bits(largest: u64) -> u32 {
    u64::BITS - largest.leading_zeros()
}

/// All plaintexts as integers.
pub(super) fn encode(
    parameters: &Parameters,
    plan: &Plan,
    diagonals: &[Diagonal<'_>],
    level: Level,
    scale: Scale,
) -> Result<Vec<MirroredPlaintext>, CircuitError> {
    let encode = |index: usize| {
        let weights = plan.weights(diagonals, index);
        MirroredPlaintext::new(parameters, &weights, weights.len(), scale, level)
    };
    let all = (0..plan.plaintexts.len()).into_par_iter().map(encode);
    Ok(all.collect::<Result<_, _>>()?)
}

/// All plaintexts modulo one modulus, in the layout of the tiles.
fn transformed(
    parameters: &Parameters,
    tiles: &Tiles,
    plaintexts: &[MirroredPlaintext],
    modulus: usize,
) -> PackedWords {
    let ring = parameters.ring();
    let bits = bits(ring.moduli()[modulus].value() - 1);
    let mut packed = PackedWords::zeros(bits, tiles.count * tiles.stride);
    for region in &tiles.regions {
        if region.is_empty() {
            continue;
        }
        let rows: Vec<Buffer> = plaintexts[region.clone()]
            .iter()
            .map(|plaintext| residues(parameters, plaintext, modulus))
            .collect();
        let places = &tiles.places[region.clone()];
        for tile in 0..tiles.count {
            for block in 0..tiles.blocks {
                let at = tile * tiles.stride + block * places[0].step;
                for (row, place) in rows.iter().zip(places) {
                    let length = MIRRORED_BLOCK >> place.log_gap;
                    let from = (tile * tiles.blocks + block) * length;
                    packed.write(at + place.at, &row[from..from + length]);
                }
            }
        }
    }
    packed
}

/// Half of a plaintext's transform, at least one residue a block.
fn residues(parameters: &Parameters, plaintext: &MirroredPlaintext, modulus: usize) -> Buffer {
    let ring = parameters.ring();
    let period = plaintext.period();
    let mut half = ring.pool().take(period);
    plaintext.transform(parameters, modulus, &mut half);
    let repeat = (ring.degree() / 2 / period).div_ceil(MIRRORED_BLOCK);
    if repeat == 1 {
        return half;
    }
    let mut repeated = ring.pool().take(period * repeat);
    for (to, &residue) in repeated.chunks_exact_mut(repeat).zip(half.iter()) {
        to.fill(residue);
    }
    repeated
}

/// The residues that some products need on one limb.
pub(super) enum Residence<'a> {
    Kept(&'a Tiles, &'a PackedWords),
    /// One plaintext after the other.
    Made(Buffer, Vec<Place>),
}

impl<'a> Residence<'a> {
    pub(super) fn kept(kept: &'a Kept, limb: usize) -> Self {
        Self::Kept(&kept.tiles, &kept.limbs[limb])
    }

    /// Transforms the plaintexts of `terms`.
    pub(super) fn made(
        parameters: &Parameters,
        plaintexts: &[MirroredPlaintext],
        terms: &[Term],
        modulus: usize,
    ) -> Self {
        let ring = parameters.ring();
        let mut at = 0;
        let places: Vec<Place> = terms
            .iter()
            .map(|term| {
                let log_gap = log_gap(ring.degree(), plaintexts[term.plaintext].period());
                let step = MIRRORED_BLOCK >> log_gap;
                let place = Place { at, step, log_gap };
                at += ((ring.degree() / 2) >> log_gap) + APART;
                place
            })
            .collect();
        let mut words = ring.pool().take(at);
        for (term, place) in terms.iter().zip(&places) {
            let row = residues(parameters, &plaintexts[term.plaintext], modulus);
            words[place.at..place.at + row.len()].copy_from_slice(&row);
        }
        Self::Made(words, places)
    }

    pub(super) fn residues(&self) -> Residues<'_> {
        match self {
            Self::Kept(_, words) => Residues::Packed(words),
            Self::Made(words, _) => Residues::Words(words),
        }
    }

    /// For term `index` of those it was made for: where its residues are for tile `tile`.
    pub(super) fn place(&self, index: usize, term: Term, tile: usize) -> Place {
        match self {
            Self::Kept(tiles, _) => {
                let place = tiles.places[term.plaintext];
                Place {
                    at: tile * tiles.stride + place.at,
                    ..place
                }
            }
            Self::Made(_, places) => {
                let place = places[index];
                let blocks = TILE / MIRRORED_BLOCK;
                Place {
                    at: place.at + tile * blocks * place.step,
                    ..place
                }
            }
        }
    }
}
