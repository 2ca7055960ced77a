//! Ring degree, primes and scales: for one packing the search for the most precise choice under the security limit.
//!
//! In log2, the deviations of all noise sources are linear in the sizes of primes and scales, so the error is a
//! convex function of them (a log-sum-exp); a pattern search over sizes that respects the limits finds its minimum.

use std::collections::BTreeSet;

use hush_ckks::{primes, security};
use hush_program::{ParameterSpec, Program};

use crate::error::CompileError;
use crate::noise::{Assessment, Sensitivity};

/// Bits by which the modulus must exceed the largest message seen, beyond the sign.
const HEADROOM: f64 = 1.0;

/// Bits by which special primes exceed the largest digit at least.
const SPECIAL_SLACK: f64 = 0.3;

/// Largest prime, with room for rounding to a prime.
const MAX_BITS: f64 = 49.9;

/// Steps of the pattern search, in bits.
const STEPS: [f64; 6] = [4.0, 2.0, 1.0, 0.5, 0.25, 0.125];

/// Sweeps over all directions per step.
const SWEEPS: usize = 40;

/// Sizes in bits, as real numbers.
#[derive(Clone, Debug, PartialEq)]
pub struct Sizes {
    /// Chain primes.
    pub chain: Vec<f64>,
    /// Special primes, all equal.
    pub special: f64,
    /// Scale of each group.
    pub scales: Vec<f64>,
}

/// Parameters and scales with what they lead to.
#[derive(Clone, Debug, PartialEq)]
pub struct Tuned {
    /// Actual primes.
    pub parameters: ParameterSpec,
    /// log2 of the scale of each group.
    pub log_scales: Vec<f64>,
    /// Predicted noise.
    pub assessment: Assessment,
}

/// Smallest usable prime in bits: some primes of that size must be 1 modulo 2N.
pub fn min_bits(log_degree: u32) -> f64 {
    f64::from((log_degree + 5).max(18))
}

/// The largest log2(QP) at this degree and security, if the table has one.
pub fn budget(log_degree: u32, security_bits: u32) -> Option<f64> {
    security::max_log_q_p(log_degree, security_bits).map(f64::from)
}

/// Most chain primes that fit at all.
pub fn most_primes(log_degree: u32, security_bits: u32, special: usize) -> usize {
    let bits = budget(log_degree, security_bits).unwrap_or(0.0);
    ((bits / min_bits(log_degree)) as usize).saturating_sub(special)
}

struct Search<'a> {
    sensitivity: &'a Sensitivity,
    sketch: Program,
    limit: f64,
    special: usize,
    lowest: f64,
}

impl Search<'_> {
    /// What the special primes must have for these chain primes.
    fn special_bits(&self, chain: &[f64]) -> f64 {
        let digit = |limbs: &[f64]| limbs.iter().sum::<f64>();
        let largest = chain.chunks(self.special).map(digit).fold(0.0, f64::max);
        (largest + SPECIAL_SLACK) / self.special as f64
    }

    fn fits(&self, sizes: &Sizes) -> bool {
        let bounds = self.lowest..=MAX_BITS;
        let total = sizes.chain.iter().sum::<f64>() + sizes.special * self.special as f64;
        total <= self.limit
            && sizes.chain.iter().all(|bits| bounds.contains(bits))
            && bounds.contains(&sizes.special)
            && sizes.special + 1e-9 >= self.special_bits(&sizes.chain)
            && sizes
                .scales
                .iter()
                .all(|scale| (1.0..120.0).contains(scale))
    }

    /// The assessment of sizes that fit and leave headroom.
    fn assess(&mut self, sizes: &Sizes) -> Result<Option<Assessment>, CompileError> {
        if !self.fits(sizes) {
            return Ok(None);
        }
        let prime = |bits: &f64| bits.exp2().round() as u64;
        self.sketch.parameters.moduli = sizes.chain.iter().map(prime).collect();
        self.sketch.parameters.special_moduli = vec![prime(&sizes.special); self.special];
        self.assess_scales(&sizes.scales)
    }

    /// The same for the primes that the sketch has.
    fn assess_scales(&mut self, scales: &[f64]) -> Result<Option<Assessment>, CompileError> {
        self.sensitivity.set_scales(&mut self.sketch, scales);
        let assessment = self.sensitivity.assess(&self.sketch)?;
        let usable = assessment.headroom >= HEADROOM && assessment.smooth.is_finite();
        Ok(usable.then_some(assessment))
    }

    /// Equal scales and primes, as large as the limit allows.
    fn start(&mut self, primes: usize) -> Result<Option<(Sizes, Assessment)>, CompileError> {
        let mut best = None;
        for quarter in (0..200).rev() {
            let scale = 1.0 + 0.25 * f64::from(quarter);
            for first in 0..40 {
                let bits = scale.max(self.lowest);
                let mut chain = vec![bits; primes];
                chain[0] = (bits + 0.5 * f64::from(first)).max(self.lowest);
                let special = self.special_bits(&chain).max(self.lowest);
                let sizes = Sizes {
                    chain,
                    special,
                    scales: vec![scale; self.sensitivity.groups()],
                };
                if let Some(assessment) = self.assess(&sizes)? {
                    best = Some((sizes, assessment));
                    break;
                }
            }
            if best.is_some() {
                break;
            }
        }
        Ok(best)
    }

    /// Changes of sizes worth trying: (chain, chain, all of them) index lists with signs.
    fn directions(&self, primes: usize) -> Vec<Sizes> {
        let groups = self.sensitivity.groups();
        let zero = Sizes {
            chain: vec![0.0; primes],
            special: 0.0,
            scales: vec![0.0; groups],
        };
        let last = self.sensitivity.last_groups();
        let mut directions = Vec::new();
        for group in 0..groups {
            let mut one = zero.clone();
            one.scales[group] = 1.0;
            directions.push(one);
        }
        let mut all = zero.clone();
        all.scales.fill(1.0);
        directions.push(all.clone());
        all.chain[0] = 1.0;
        directions.push(all);
        let mut special = zero.clone();
        special.special = 1.0;
        directions.push(special);
        for up in 0..primes {
            let mut grow = zero.clone();
            grow.chain[up] = 1.0;
            directions.push(grow.clone());
            for down in (0..primes).filter(|&down| down != up) {
                let mut swap = grow.clone();
                swap.chain[down] = -1.0;
                directions.push(swap.clone());
                if up == 0 {
                    last.iter().for_each(|&group| swap.scales[group] = 1.0);
                    directions.push(swap);
                }
            }
        }
        directions
    }

    fn descend(
        &mut self,
        (mut sizes, mut assessment): (Sizes, Assessment),
    ) -> Result<(Sizes, Assessment), CompileError> {
        let directions = self.directions(sizes.chain.len());
        for step in STEPS {
            for _ in 0..SWEEPS {
                let before = assessment.smooth;
                for direction in &directions {
                    for sign in [step, -step] {
                        let mut trial = sizes.moved(direction, sign);
                        if direction.special == 0.0 {
                            // Special primes follow the digits, and keep the slack they had.
                            let slack = sizes.special - self.special_bits(&sizes.chain);
                            trial.special =
                                (self.special_bits(&trial.chain) + slack).max(self.lowest);
                        }
                        if let Some(found) = self.assess(&trial)?
                            && found.smooth < assessment.smooth * (1.0 - 1e-6)
                        {
                            (sizes, assessment) = (trial, found);
                        }
                    }
                }
                if assessment.smooth > before * 0.999 {
                    break;
                }
            }
        }
        Ok((sizes, assessment))
    }

    /// Rounds sizes to primes and repairs the scales.
    fn settle(&mut self, log_degree: u32, sizes: &Sizes) -> Result<Option<Tuned>, CompileError> {
        let Some(parameters) = actual(log_degree, sizes, self.special) else {
            return Ok(None);
        };
        self.sketch.parameters = parameters.clone();
        let mut scales = sizes.scales.clone();
        let mut assessment = None;
        for _ in 0..16 {
            assessment = self.assess_scales(&scales)?;
            if assessment.is_some() {
                break;
            }
            scales.iter_mut().for_each(|scale| *scale -= 0.0625);
        }
        let Some(mut assessment) = assessment else {
            return Ok(None);
        };
        for step in [0.25, 0.0625] {
            for group in 0..scales.len() {
                for sign in [step, -step] {
                    let mut trial = scales.clone();
                    trial[group] += sign;
                    if let Some(found) = self.assess_scales(&trial)?
                        && found.smooth < assessment.smooth
                    {
                        (scales, assessment) = (trial, found);
                    }
                }
            }
        }
        Ok(Some(Tuned {
            parameters,
            log_scales: scales,
            assessment,
        }))
    }
}

impl Sizes {
    fn moved(&self, direction: &Sizes, step: f64) -> Sizes {
        let add = |own: &[f64], way: &[f64]| {
            own.iter()
                .zip(way)
                .map(|(own, way)| own + step * way)
                .collect()
        };
        Sizes {
            chain: add(&self.chain, &direction.chain),
            special: self.special + step * direction.special,
            scales: add(&self.scales, &direction.scales),
        }
    }
}

/// The most precise sizes for a chain of `primes` primes with `special` special ones and log2(QP) up to `limit`.
///
/// # Errors
/// Only for a program that breaks its own rules; `None` if nothing fits.
pub fn tune(
    sensitivity: &Sensitivity,
    log_degree: u32,
    primes: usize,
    special: usize,
    limit: f64,
) -> Result<Option<Tuned>, CompileError> {
    let parameters = ParameterSpec {
        log_degree,
        moduli: vec![1 << 30; primes],
        special_moduli: vec![1 << 31; special],
    };
    let mut search = Search {
        sensitivity,
        sketch: sensitivity.sketch(parameters),
        limit,
        special,
        lowest: min_bits(log_degree),
    };
    let Some(start) = search.start(primes)? else {
        return Ok(None);
    };
    let (sizes, _) = search.descend(start)?;
    search.settle(log_degree, &sizes)
}

/// The largest unused primes below the sizes; special ones may go above to cover the digits.
fn actual(log_degree: u32, sizes: &Sizes, special: usize) -> Option<ParameterSpec> {
    let mut used = BTreeSet::new();
    let mut below = |bits: f64| {
        let step = 1u64 << (log_degree + 1);
        let top = bits.exp2() as u64 / step * step + 1;
        let mut candidates = (0..top / step).map(|index| top - index * step);
        let prime =
            candidates.find(|&q| q < 1 << 50 && !used.contains(&q) && primes::is_prime(q))?;
        let close = prime as f64 > bits.exp2() / 4.0 && prime > 1 << primes::MIN_BITS;
        used.insert(prime);
        close.then_some(prime)
    };
    let moduli: Vec<u64> = sizes
        .chain
        .iter()
        .map(|&bits| below(bits))
        .collect::<Option<_>>()?;
    let special_moduli: Vec<u64> = (0..special)
        .map(|_| below(sizes.special))
        .collect::<Option<_>>()?;
    let log = |primes: &[u64]| {
        primes
            .iter()
            .map(|&prime| (prime as f64).log2())
            .sum::<f64>()
    };
    let covered = moduli
        .chunks(special)
        .all(|digit| log(digit) <= log(&special_moduli));
    covered.then_some(ParameterSpec {
        log_degree,
        moduli,
        special_moduli,
    })
}
