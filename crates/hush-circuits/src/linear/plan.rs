//! Which products a transform takes, which plaintexts they share, and how short these are.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use hush_ckks::CkksError;
use hush_ckks::encoder::period;
use rayon::prelude::*;

use super::Diagonal;
use crate::CircuitError;

/// The products of a transform, without plaintexts.
pub(super) struct Plan {
    pub(super) inputs: usize,
    pub(super) outputs: usize,
    pub(super) slots: usize,
    /// (output, input, rotation) of every diagonal it was made from.
    listed: Vec<(usize, usize, usize)>,
    /// (input, baby rotation), sorted.
    pub(super) rows: Vec<(usize, usize)>,
    /// Sorted by output, then giant step.
    pub(super) groups: Vec<Group>,
    /// Different plaintexts, in the order in which the groups first read them.
    pub(super) plaintexts: Vec<Source>,
}

/// The inner sum of one output and one giant step.
pub(super) struct Group {
    pub(super) output: usize,
    pub(super) giant: usize,
    pub(super) terms: Vec<Term>,
}

#[derive(Clone, Copy)]
pub(super) struct Term {
    /// Index into [`Plan::rows`].
    pub(super) row: usize,
    /// Index into [`Plan::plaintexts`].
    pub(super) plaintext: usize,
}

/// Where a plaintext comes from.
pub(super) struct Source {
    diagonal: usize,
    giant: usize,
    /// How many slots it repeats after.
    pub(super) period: usize,
}

impl Plan {
    pub(super) fn new(
        diagonals: &[Diagonal<'_>],
        (inputs, outputs): (usize, usize),
        baby_step: usize,
        slots: usize,
    ) -> Result<Self, CircuitError> {
        if baby_step == 0 {
            return Err(CircuitError::ZeroBabyStep);
        }
        let mut kept: BTreeMap<(usize, usize), Vec<usize>> = BTreeMap::new();
        let mut given = vec![None; outputs];
        for (index, diagonal) in diagonals.iter().enumerate() {
            let &Diagonal { output, input, .. } = diagonal;
            if input >= inputs || output >= outputs {
                return Err(CircuitError::BlockOutOfRange {
                    output,
                    input,
                    outputs,
                    inputs,
                });
            }
            check(diagonal.weights, slots)?;
            given[output] = given[output].or(Some(index));
            if diagonal.weights.iter().any(|&weight| weight != 0.0) {
                let giant = diagonal.rotation - diagonal.rotation % baby_step;
                kept.entry((output, giant)).or_default().push(index);
            }
        }
        for (output, index) in given.into_iter().enumerate() {
            let index = index.ok_or(CircuitError::EmptyOutput { output })?;
            if kept.range((output, 0)..(output + 1, 0)).next().is_none() {
                // Nothing but zeros: one of them stays, unrotated.
                kept.insert((output, 0), vec![index]);
            }
        }
        let baby = |index: usize| match diagonals[index].rotation % baby_step {
            _ if diagonals[index].weights.iter().all(|&weight| weight == 0.0) => 0,
            baby => baby,
        };
        let rows: Vec<(usize, usize)> = kept
            .values()
            .flatten()
            .map(|&index| (diagonals[index].input, baby(index)))
            .collect::<BTreeSet<_>>()
            .into_iter()
            .collect();
        let places: BTreeMap<_, usize> = rows.iter().copied().zip(0..).collect();
        let products: Vec<(usize, usize)> = kept
            .iter()
            .flat_map(|(&(_, giant), list)| list.iter().map(move |&index| (index, giant)))
            .collect();
        let (plaintexts, shared) = distinct(diagonals, slots, &products);
        let mut shared = shared.into_iter();
        let groups = kept
            .into_iter()
            .map(|((output, giant), list)| Group {
                output,
                giant,
                terms: list
                    .into_iter()
                    .zip(shared.by_ref())
                    .map(|(index, plaintext)| Term {
                        row: places[&(diagonals[index].input, baby(index))],
                        plaintext,
                    })
                    .collect(),
            })
            .collect();
        Ok(Self {
            inputs,
            outputs,
            slots,
            listed: diagonals.iter().map(Diagonal::place).collect(),
            rows,
            groups,
            plaintexts,
        })
    }

    /// Refuses other diagonals than those it was made from, as far as places tell.
    pub(super) fn check_diagonals(&self, diagonals: &[Diagonal<'_>]) -> Result<(), CircuitError> {
        let same = self.listed.len() == diagonals.len()
            && self
                .listed
                .iter()
                .zip(diagonals)
                .all(|(&place, diagonal)| place == diagonal.place());
        if !same {
            return Err(CircuitError::OtherDiagonals);
        }
        diagonals
            .iter()
            .try_for_each(|diagonal| check(diagonal.weights, self.slots))
    }

    /// The weights of a plaintext, turned back by its giant step.
    pub(super) fn weights(&self, diagonals: &[Diagonal<'_>], plaintext: usize) -> Vec<f64> {
        let source = &self.plaintexts[plaintext];
        turned(
            diagonals[source.diagonal].weights,
            source.giant,
            source.period,
            self.slots,
        )
    }

    /// Whether anything is rotated: by baby steps, by giant steps.
    pub(super) fn rotated(&self) -> (bool, bool) {
        (
            self.rows.iter().any(|&(_, baby)| baby != 0),
            self.groups.iter().any(|group| group.giant != 0),
        )
    }
}

fn check(weights: &[f64], slots: usize) -> Result<(), CircuitError> {
    let count = weights.len();
    if count > slots {
        return Err(CkksError::TooManyValues { count, slots }.into());
    }
    match weights.iter().position(|weight| !weight.is_finite()) {
        Some(index) => Err(CkksError::NotFinite { index }.into()),
        None => Ok(()),
    }
}

/// The first `period` of w rotated by -giant, since
/// w ∘ rotate(x, giant + baby) = rotate(rotate(w, -giant) ∘ rotate(x, baby), giant).
fn turned(weights: &[f64], giant: usize, period: usize, slots: usize) -> Vec<f64> {
    (0..period)
        .map(|i| {
            let from = (i + slots - giant % slots) % slots;
            weights.get(from).copied().unwrap_or(0.0)
        })
        .collect()
}

/// The different plaintexts among products (diagonal, giant), and for each product which.
fn distinct(
    diagonals: &[Diagonal<'_>],
    slots: usize,
    products: &[(usize, usize)],
) -> (Vec<Source>, Vec<usize>) {
    let made: Vec<(u64, usize)> = products
        .par_iter()
        .map(|&(index, giant)| {
            let weights = diagonals[index].weights;
            let period = period(weights, slots);
            (digest(&turned(weights, giant, period, slots)), period)
        })
        .collect();
    let mut known: HashMap<(u64, usize), Vec<usize>> = HashMap::new();
    let mut sources: Vec<Source> = Vec::new();
    let shared = products
        .iter()
        .zip(made)
        .map(|(&(diagonal, giant), (digest, period))| {
            let alike = known.entry((digest, period)).or_default();
            let same = |&&other: &&usize| {
                let source = &sources[other];
                let turned =
                    |index: usize, giant| turned(diagonals[index].weights, giant, period, slots);
                turned(diagonal, giant) == turned(source.diagonal, source.giant)
            };
            if let Some(&other) = alike.iter().find(same) {
                return other;
            }
            alike.push(sources.len());
            sources.push(Source {
                diagonal,
                giant,
                period,
            });
            sources.len() - 1
        })
        .collect();
    (sources, shared)
}

/// Tells most different vectors apart; equal digests are compared in full.
fn digest(values: &[f64]) -> u64 {
    values.iter().fold(0, |digest: u64, value| {
        // -0 and 0 are the same weight.
        let bits = (value + 0.0).to_bits();
        (digest ^ bits)
            .wrapping_mul(0x9e37_79b9_7f4a_7c15)
            .rotate_left(29)
    })
}
