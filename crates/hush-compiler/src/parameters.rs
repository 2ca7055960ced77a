//! Ring degree, primes and scales: for one packing the search for the most precise choice under the security limit.
//!
//! In log2, the deviations of all noise sources are linear in the sizes of primes and scales, so the logarithm of the
//! error is a convex function of them (a log-sum-exp), and the limits (security, headroom, special primes that cover
//! the digits) are linear. A barrier method finds the one minimum: Boyd and Vandenberghe, Convex Optimization,
//! sections 4.5 and 11.3.

use std::collections::BTreeSet;

use hush_ckks::{primes, security};
use hush_program::{ParameterSpec, Program};

use crate::error::CompileError;
use crate::minimize::minimize;
use crate::noise::{Assessment, Sensitivity};

/// Bits by which special primes exceed the largest digit at least.
const SPECIAL_SLACK: f64 = 0.3;

/// Largest prime, with room for rounding to a prime.
const MAX_BITS: f64 = 49.9;

/// Weights of the barrier, one minimisation each.
const BARRIERS: [f64; 5] = [1.0, 0.1, 0.02, 0.004, 0.001];

/// Quasi-Newton steps per barrier.
const ROUNDS: usize = 60;

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

/// Parameters of a shape whose sizes do not matter yet.
pub fn shape(log_degree: u32, primes: usize, special: usize) -> ParameterSpec {
    ParameterSpec {
        log_degree,
        moduli: vec![1 << 30; primes],
        special_moduli: vec![1 << 31; special],
    }
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
    headroom: f64,
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

    /// Distances from the linear limits, headroom apart; all positive inside.
    fn slacks(&self, sizes: &Sizes) -> Vec<f64> {
        let total = sizes.chain.iter().sum::<f64>() + sizes.special * self.special as f64;
        let mut slacks = vec![self.limit - total];
        for bits in sizes.chain.iter().chain(std::iter::once(&sizes.special)) {
            slacks.extend([bits - self.lowest, MAX_BITS - bits]);
        }
        for digit in sizes.chain.chunks(self.special) {
            let needed = (digit.iter().sum::<f64>() + SPECIAL_SLACK) / self.special as f64;
            slacks.push(sizes.special - needed);
        }
        slacks.extend(sizes.scales.iter().map(|scale| scale - 1.0));
        slacks
    }

    /// log2 of the error plus `weight` times the barrier; `None` outside the limits.
    fn penalized(&mut self, sizes: &Sizes, weight: f64) -> Result<Option<f64>, CompileError> {
        let slacks = self.slacks(sizes);
        if slacks.iter().any(|&slack| slack <= 0.0) {
            return Ok(None);
        }
        let prime = |bits: &f64| bits.exp2().round() as u64;
        self.sketch.parameters.moduli = sizes.chain.iter().map(prime).collect();
        self.sketch.parameters.special_moduli = vec![prime(&sizes.special); self.special];
        self.sensitivity.set_scales(&mut self.sketch, &sizes.scales);
        let assessment = self.sensitivity.assess(&self.sketch)?;
        let rooms: Vec<f64> = assessment
            .rooms
            .iter()
            .map(|room| room - self.headroom)
            .collect();
        if rooms.iter().any(|&room| room <= 0.0) || !assessment.smooth.is_finite() {
            return Ok(None);
        }
        let barrier: f64 = slacks.iter().chain(&rooms).map(|slack| -slack.ln()).sum();
        Ok(Some(assessment.smooth.log2() + weight * barrier))
    }

    /// The same for the primes that the sketch has.
    fn assess_scales(&mut self, scales: &[f64]) -> Result<Option<Assessment>, CompileError> {
        self.sensitivity.set_scales(&mut self.sketch, scales);
        let assessment = self.sensitivity.assess(&self.sketch)?;
        let usable = assessment.headroom >= self.headroom && assessment.smooth.is_finite();
        Ok(usable.then_some(assessment))
    }

    /// Equal scales and primes strictly inside the limits, as large as they allow.
    fn start(&mut self, primes: usize) -> Result<Option<Sizes>, CompileError> {
        for half in (0..100).rev() {
            let scale = 1.5 + 0.5 * f64::from(half);
            for first in 0..25 {
                let bits = scale.max(self.lowest + 0.05);
                let mut chain = vec![bits; primes];
                chain[0] += f64::from(first);
                let special = (self.special_bits(&chain) + 0.05).max(self.lowest + 0.05);
                let sizes = Sizes {
                    chain,
                    special,
                    scales: vec![scale; self.sensitivity.groups()],
                };
                if sizes.chain[0] >= MAX_BITS || self.slacks(&sizes)[0] <= 0.0 {
                    break;
                }
                if self.penalized(&sizes, 0.0)?.is_some() {
                    return Ok(Some(sizes));
                }
            }
        }
        Ok(None)
    }

    fn descend(&mut self, mut sizes: Sizes) -> Result<Sizes, CompileError> {
        let mut failure = None;
        for weight in BARRIERS {
            let primes = sizes.chain.len();
            let found = minimize(sizes.to_vector(), ROUNDS, |vector| {
                match self.penalized(&Sizes::from_vector(vector, primes), weight) {
                    Ok(value) => value,
                    Err(error) => {
                        failure = Some(error);
                        None
                    }
                }
            });
            sizes = Sizes::from_vector(&found, primes);
        }
        failure.map_or(Ok(sizes), Err)
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
    fn to_vector(&self) -> Vec<f64> {
        let mut vector = self.chain.clone();
        vector.push(self.special);
        vector.extend(&self.scales);
        vector
    }

    fn from_vector(vector: &[f64], primes: usize) -> Self {
        Self {
            chain: vector[..primes].to_vec(),
            special: vector[primes],
            scales: vector[primes + 1..].to_vec(),
        }
    }
}

/// The most precise sizes for a chain of `primes` primes with `special` special ones, log2(QP) up to `limit` and
/// `headroom` bits between the largest message and the modulus, the sign apart.
///
/// # Errors
/// Only for a program that breaks its own rules; `None` if nothing fits.
pub fn tune(
    sensitivity: &Sensitivity,
    log_degree: u32,
    primes: usize,
    special: usize,
    limit: f64,
    headroom: f64,
) -> Result<Option<Tuned>, CompileError> {
    let parameters = shape(log_degree, primes, special);
    let mut search = Search {
        sensitivity,
        sketch: sensitivity.sketch(parameters),
        limit,
        headroom,
        special,
        lowest: min_bits(log_degree),
    };
    let Some(start) = search.start(primes)? else {
        return Ok(None);
    };
    let sizes = search.descend(start)?;
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
