//! The inner sums of a transform: products of rotated inputs and plaintexts, limb by limb.

use std::ops::Range;
use std::sync::Arc;

use hush_ckks::encoder::MirroredPlaintext;
use hush_ckks::{
    Ciphertext, CkksError, Digits, EvaluationKeys, Evaluator, GaloisElement, Level, SwitchingKey,
};
use hush_ring::{Basis, Ntt, Poly, Ring, in_any_order};
use hush_simd::kernels::{self, BlockPermutation, MirroredTerm};

use super::plan::{Group, Plan};
use super::weights::{Kept, Residence, basis, tile};
use crate::CircuitError;

/// Sums that share a pass over the rotated rows: their first parts wait for a permutation.
pub(super) const TOGETHER: usize = 16;
/// Plaintexts transformed together: with 2^14 residues each they fill a second-level cache
/// a few times.
const MADE: usize = 32;

/// Words from one row to the next: a power of two would put the places that are read together
/// in the same few sets of the caches.
fn pitch(degree: usize) -> usize {
    degree + 16
}

/// Plaintexts at hand.
#[derive(Clone, Copy)]
pub(super) enum Held<'a> {
    Kept(&'a Kept),
    Compact(&'a [MirroredPlaintext]),
}

/// What the giant steps start from.
pub(super) struct InnerSums {
    /// For each output: the sum of giant step zero, and of the rotated first parts of the
    /// others.
    pub(super) totals: Vec<[Poly<Ntt>; 2]>,
    /// For each group, the second part, which needs a key; none for giant step zero.
    pub(super) seconds: Vec<Option<Poly<Ntt>>>,
}

/// The rotations of one input by baby steps, with what it takes to make them.
pub(super) struct Babies<'a> {
    parts: &'a [Poly<Ntt>],
    digits: Option<Digits<'a>>,
    /// One for each row of the plan that is of this input; none for rotation zero.
    switches: Vec<Option<Switch<'a>>>,
}

struct Switch<'a> {
    key: &'a SwitchingKey,
    permutation: Arc<BlockPermutation>,
}

impl<'a> Babies<'a> {
    /// Those that the plan's rows name, for each input.
    pub(super) fn of(
        evaluator: &Evaluator,
        plan: &Plan,
        inputs: &[&'a Ciphertext],
        keys: &'a EvaluationKeys,
        level: Level,
    ) -> Result<Vec<Self>, CircuitError> {
        let parameters = evaluator.parameters();
        let each = inputs.iter().enumerate().map(|(index, input)| {
            let rows = plan.rows.iter().filter(|&&(input, _)| input == index);
            let switches = rows
                .map(|&(_, steps)| {
                    if steps == 0 {
                        return Ok(None);
                    }
                    let element = GaloisElement::rotation(parameters, steps).value() as usize;
                    Ok(Some(Switch {
                        key: keys.rotation(steps, level)?,
                        permutation: parameters.ring().permutation(element),
                    }))
                })
                .collect::<Result<Vec<_>, CkksError>>()?;
            let parts = input.parts();
            let rotated = switches.iter().any(Option::is_some);
            Ok(Self {
                parts,
                digits: rotated.then(|| evaluator.digits(&parts[1])),
                switches,
            })
        });
        each.collect()
    }

    /// Both parts, times P, of every row on one limb, one after the other.
    fn rows_on_limb(&self, evaluator: &Evaluator, limb: usize, level: Level, rows: &mut [u64]) {
        let ring = evaluator.parameters().ring();
        let degree = ring.degree();
        let in_chain = limb < level.limbs();
        let rows = rows.chunks_exact_mut(2 * pitch(degree)).zip(&self.switches);
        let (rotated, unrotated): (Vec<_>, Vec<_>) = rows.partition(|(_, s)| s.is_some());
        for (row, _) in unrotated {
            row.fill(0);
            if in_chain {
                for (out, part) in row.chunks_exact_mut(pitch(degree)).zip(self.parts) {
                    evaluator.add_lifted_limb(limb, &mut out[..degree], part);
                }
            }
        }
        let Some(digits) = &self.digits else { return };
        let mut switched = ring.pool().take(2 * degree);
        let (sum0, sum1) = switched.split_at_mut(degree);
        evaluator.with_limb(digits, limb, |values| {
            for (row, switch) in rotated {
                let Some(Switch { key, permutation }) = switch else {
                    continue;
                };
                evaluator.inner_product(level, limb, values, key, [sum0, sum1]);
                if in_chain {
                    evaluator.add_lifted_limb(limb, sum0, &self.parts[0]);
                }
                let (out0, out1) = row.split_at_mut(pitch(degree));
                kernels::permute(ring.isa(), permutation, &mut out0[..degree], sum0);
                kernels::permute(ring.isa(), permutation, &mut out1[..degree], sum1);
            }
        });
    }
}

/// Everything that the sums of some outputs are made from.
pub(super) struct Summation<'a> {
    pub(super) evaluator: &'a Evaluator,
    pub(super) plan: &'a Plan,
    pub(super) level: Level,
    pub(super) babies: &'a [Babies<'a>],
    pub(super) held: Held<'a>,
}

/// One limb of what is being summed.
struct Limb<'a> {
    totals: Vec<[&'a mut [u64]; 2]>,
    seconds: Vec<Option<&'a mut [u64]>>,
}

impl Summation<'_> {
    /// The sums of some outputs, whose groups are these.
    ///
    /// One pass over the limbs: on each, all rotated rows are made, each key being read once,
    /// and the sums read them tile by tile.
    pub(super) fn run(&self, outputs: Range<usize>, groups: &[Group]) -> InnerSums {
        let ring = self.ring();
        let basis = basis(self.plan, self.level);
        let mut totals: Vec<[Poly<Ntt>; 2]> = outputs
            .clone()
            .map(|_| [0; 2].map(|_| Poly::unspecified(ring, basis)))
            .collect();
        let mut seconds: Vec<Option<Poly<Ntt>>> = groups
            .iter()
            .map(|group| (group.giant != 0).then(|| Poly::unspecified(ring, basis)))
            .collect();
        let mut limbs: Vec<Limb<'_>> = (0..ring.limbs(basis))
            .map(|_| Limb {
                totals: Vec::with_capacity(outputs.len()),
                seconds: Vec::with_capacity(groups.len()),
            })
            .collect();
        for [total0, total1] in &mut totals {
            let parts = total0.limbs_mut().zip(total1.limbs_mut());
            for (limb, (total0, total1)) in limbs.iter_mut().zip(parts) {
                limb.totals.push([total0, total1]);
            }
        }
        for second in &mut seconds {
            let mut second = second.as_mut().map(Poly::limbs_mut);
            for limb in &mut limbs {
                let words = second.as_mut().and_then(Iterator::next);
                limb.seconds.push(words);
            }
        }
        in_any_order(limbs.into_iter().enumerate(), |(limb, targets)| {
            self.on_limb(limb, outputs.start, groups, targets);
        });
        InnerSums { totals, seconds }
    }

    fn ring(&self) -> &Ring {
        self.evaluator.parameters().ring()
    }

    fn on_limb(&self, limb: usize, first: usize, groups: &[Group], mut targets: Limb<'_>) {
        let ring = self.ring();
        let degree = ring.degree();
        let mut made = None;
        let rows: Vec<[&[u64]; 2]> = if self.plan.rotated() == (false, false) {
            let inputs = self.plan.rows.iter().map(|&(input, _)| input);
            inputs
                .map(|input| [0, 1].map(|half| self.babies[input].parts[half].limb(limb)))
                .collect()
        } else {
            let pitch = pitch(degree);
            let all = made.insert(ring.pool().take(self.plan.rows.len() * 2 * pitch));
            let mut rest = &mut all[..];
            for babies in self.babies {
                let (rows, later) = rest.split_at_mut(babies.switches.len() * 2 * pitch);
                babies.rows_on_limb(self.evaluator, limb, self.level, rows);
                rest = later;
            }
            let rows = all.chunks_exact(2 * pitch);
            rows.map(|row| [&row[..degree], &row[pitch..pitch + degree]])
                .collect()
        };
        // Outputs without giant step zero start from nothing.
        for (output, total) in targets.totals.iter_mut().enumerate() {
            let zero = groups
                .iter()
                .any(|group| (group.output, group.giant) == (first + output, 0));
            if !zero {
                total.iter_mut().for_each(|half| half.fill(0));
            }
        }
        let mut scratch = ring.pool().take(TOGETHER.min(groups.len()) * degree);
        for (start, together) in (0..groups.len())
            .step_by(TOGETHER)
            .zip(groups.chunks(TOGETHER))
        {
            let firsts = scratch.chunks_exact_mut(degree);
            let mut outs: Vec<Option<[&mut [u64]; 2]>> = Vec::with_capacity(together.len());
            let mut totals: Vec<Option<&mut [&mut [u64]; 2]>> =
                targets.totals.iter_mut().map(Some).collect();
            for ((group, first_part), second) in together
                .iter()
                .zip(firsts)
                .zip(&mut targets.seconds[start..])
            {
                outs.push(match second {
                    Some(second) => Some([first_part, second]),
                    None => totals[group.output - first]
                        .take()
                        .map(|total| total.each_mut().map(|half| &mut **half)),
                });
            }
            let outs: Vec<_> = outs.into_iter().flatten().collect();
            self.products(limb, together, &rows, outs);
            for (group, sum) in together.iter().zip(scratch.chunks_exact(degree)) {
                if group.giant != 0 {
                    let total = &mut targets.totals[group.output - first][0];
                    let element = GaloisElement::rotation(self.evaluator.parameters(), group.giant);
                    let permutation = ring.permutation(element.value() as usize);
                    let q = self.modulus(limb);
                    kernels::permute_add_assign(ring.isa(), q, &permutation, total, sum);
                }
            }
        }
    }

    fn modulus(&self, limb: usize) -> &hush_simd::Modulus {
        self.ring()
            .modulus_of(Basis::extended(self.level.limbs()), limb)
    }

    /// Both parts of the sums of some groups on one limb.
    fn products(
        &self,
        limb: usize,
        groups: &[Group],
        rows: &[[&[u64]; 2]],
        mut outs: Vec<[&mut [u64]; 2]>,
    ) {
        match self.held {
            Held::Kept(kept) => {
                let all: Vec<_> = groups.iter().map(|group| &group.terms[..]).collect();
                let residence = Residence::kept(kept, limb);
                self.tiles(limb, &all, rows, &residence, &mut outs, false);
            }
            Held::Compact(plaintexts) => {
                let parameters = self.evaluator.parameters();
                let basis = basis(self.plan, self.level);
                let modulus = self.ring().modulus_index(basis, limb);
                for (group, out) in groups.iter().zip(&mut outs) {
                    for (index, terms) in group.terms.chunks(MADE).enumerate() {
                        let residence = Residence::made(parameters, plaintexts, terms, modulus);
                        let out = std::slice::from_mut(out);
                        self.tiles(limb, &[terms], rows, &residence, out, index > 0);
                    }
                }
            }
        }
    }

    fn tiles(
        &self,
        limb: usize,
        groups: &[&[super::plan::Term]],
        rows: &[[&[u64]; 2]],
        residence: &Residence<'_>,
        outs: &mut [[&mut [u64]; 2]],
        accumulate: bool,
    ) {
        let ring = self.ring();
        let (q, tile) = (self.modulus(limb), tile(ring.degree()));
        let in_chain = limb < self.level.limbs();
        let mut products: Vec<MirroredTerm<'_>> = Vec::new();
        for (index, start) in (0..ring.degree() / 2).step_by(tile).enumerate() {
            for (terms, [out0, out1]) in groups.iter().zip(&mut *outs) {
                products.clear();
                for (i, &term) in terms.iter().enumerate() {
                    // An unrotated row times P vanishes modulo the special primes.
                    if in_chain || self.plan.rows[term.row].1 != 0 {
                        let place = residence.place(i, term, index);
                        products.push(MirroredTerm {
                            rows: rows[term.row],
                            at: place.at,
                            step: place.step,
                            log_gap: place.log_gap,
                        });
                    }
                }
                let (range, residues) = (start..start + tile, residence.residues());
                let out = [&mut **out0, &mut **out1];
                kernels::mirrored_sums(ring.isa(), q, out, residues, &products, range, accumulate);
            }
        }
    }
}
