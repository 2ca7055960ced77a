//! The plaintexts of a transform, held in one of three ways.

use hush_ckks::encoder::MirroredPlaintext;
use hush_ckks::{Level, Parameters, Scale};
use hush_ring::{Basis, Buffer, Ring};
use hush_simd::kernels::{PackedWords, Residues};
use rayon::prelude::*;

use super::plan::{Plan, Term};
use super::{Diagonal, Storage};
use crate::CircuitError;

/// Coefficients of the first half of a limb that all sums pass over together: both ends of
/// both halves of 64 rotated rows fit half a second-level cache.
const TILE: usize = 256;
/// Residues of a plaintext in a tile, at least, so that loads do not overlap.
const LEAST: usize = 8;

/// What a transform holds.
pub(super) enum Weights {
    Kept(Kept),
    Compact(Vec<MirroredPlaintext>),
    Streamed,
}

/// Residues of every limb in the order in which the sums read them: tile by tile, in each
/// the plaintexts in their order.
pub(super) struct Kept {
    tiles: Tiles,
    /// By limb of the extended basis; empty where no product is taken.
    limbs: Vec<PackedWords>,
}

/// Where residues stand.
pub(super) struct Tiles {
    /// For each plaintext, its first residue within a tile and log2 of its gap.
    places: Vec<(usize, u32)>,
    /// Residues in a tile.
    stride: usize,
    /// Number of tiles.
    count: usize,
}

impl Tiles {
    fn new(plan: &Plan, degree: usize) -> Self {
        let tile = tile(degree);
        let mut stride = 0;
        let places = plan
            .plaintexts
            .iter()
            .map(|plaintext| {
                let log_gap = log_gap(degree, plaintext.period).min((tile / LEAST).ilog2());
                let place = (stride, log_gap);
                stride += tile >> log_gap;
                place
            })
            .collect();
        Self {
            places,
            stride,
            count: degree / 2 / tile,
        }
    }
}

/// Coefficients in a tile.
pub(super) fn tile(degree: usize) -> usize {
    TILE.min(degree / 2)
}

/// log2 of how often each residue of a plaintext of period `period` stands in a row.
fn log_gap(degree: usize, period: usize) -> u32 {
    (degree / 2 / period).ilog2()
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

/// All plaintexts modulo one modulus, tile by tile.
fn transformed(
    parameters: &Parameters,
    tiles: &Tiles,
    plaintexts: &[MirroredPlaintext],
    modulus: usize,
) -> PackedWords {
    let ring = parameters.ring();
    let bits = bits(ring.moduli()[modulus].value() - 1);
    let mut packed = PackedWords::zeros(bits, tiles.count * tiles.stride);
    for (plaintext, &(place, log_gap)) in plaintexts.iter().zip(&tiles.places) {
        let mut half = ring.pool().take(plaintext.period());
        plaintext.transform(parameters, modulus, &mut half);
        let residues = tile(ring.degree()) >> log_gap;
        let stored = residues * tiles.count;
        // Shorter than stored: each residue several times.
        let repeat = (stored / half.len()).max(1);
        let mut repeated = ring.pool().take(stored);
        for (to, &residue) in repeated.chunks_exact_mut(repeat).zip(half.iter()) {
            to.fill(residue);
        }
        for (index, residues) in repeated.chunks_exact(residues).enumerate() {
            packed.write(index * tiles.stride + place, residues);
        }
    }
    packed
}

/// The residues that some products need on one limb.
pub(super) enum Residence<'a> {
    Kept(&'a Tiles, &'a PackedWords),
    /// One plaintext after the other, with the place of each and log2 of its gap.
    Made(Buffer, Vec<(usize, u32)>),
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
        let ring: &Ring = parameters.ring();
        let mut length = 0;
        let places: Vec<(usize, u32)> = terms
            .iter()
            .map(|term| {
                let period = plaintexts[term.plaintext].period();
                let place = (length, log_gap(ring.degree(), period));
                length += period;
                place
            })
            .collect();
        let mut words = ring.pool().take(length + LEAST);
        for (term, &(place, _)) in terms.iter().zip(&places) {
            let plaintext = &plaintexts[term.plaintext];
            let half = &mut words[place..place + plaintext.period()];
            plaintext.transform(parameters, modulus, half);
        }
        Self::Made(words, places)
    }

    pub(super) fn residues(&self) -> Residues<'_> {
        match self {
            Self::Kept(_, words) => Residues::Packed(words),
            Self::Made(words, _) => Residues::Words(words),
        }
    }

    /// For term `index` of those it was made for: the place of its first residue in tile
    /// `tile`, which starts at coefficient `start`, and log2 of its gap.
    pub(super) fn place(
        &self,
        index: usize,
        term: Term,
        tile: usize,
        start: usize,
    ) -> (usize, u32) {
        match self {
            Self::Kept(tiles, _) => {
                let (place, log_gap) = tiles.places[term.plaintext];
                (tile * tiles.stride + place, log_gap)
            }
            Self::Made(_, places) => {
                let (place, log_gap) = places[index];
                (place + (start >> log_gap), log_gap)
            }
        }
    }
}
