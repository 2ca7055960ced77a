//! What operations cost: transforms, multiplications and key words per limb, and a prediction in nanoseconds.
//!
//! The three constants were fitted to one thread of a server core with AVX-512 IFMA, keys of a whole program being
//! larger than its caches; ratios between programs matter more than absolute times.

use std::ops::AddAssign;

use crate::program::ParameterSpec;

/// Nanoseconds per butterfly column: one transform of degree N takes this times N·log2(N).
pub const TRANSFORM_NANOSECONDS: f64 = 0.065;

/// Nanoseconds per coefficient of one limb in one element-wise multiply-add.
pub const MULTIPLY_NANOSECONDS: f64 = 0.12;

/// Nanoseconds per coefficient of one limb of a switching key: it is read from memory, which takes longer than
/// multiplying by it.
pub const KEY_NANOSECONDS: f64 = 0.6;

/// Nanoseconds per coefficient of one limb of a plaintext diagonal: those of a large model do not fit into caches.
pub const PLAIN_NANOSECONDS: f64 = 1.0;

/// Work in units of one limb of N coefficients.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Number-theoretic transforms, forward and inverse.
    pub transforms: u64,
    /// Element-wise multiplications, with their additions; base conversion counts one per pair of limbs.
    pub multiplications: u64,
    /// Limbs of switching keys multiplied by.
    pub key_limbs: u64,
    /// Limbs of plaintexts multiplied by.
    pub plain_limbs: u64,
}

impl Work {
    /// Predicted nanoseconds on one thread.
    pub fn nanoseconds(&self, log_degree: u32) -> f64 {
        let degree = f64::from(log_degree).exp2();
        degree
            * (self.transforms as f64 * f64::from(log_degree) * TRANSFORM_NANOSECONDS
                + self.multiplications as f64 * MULTIPLY_NANOSECONDS
                + self.key_limbs as f64 * KEY_NANOSECONDS
                + self.plain_limbs as f64 * PLAIN_NANOSECONDS)
    }

    /// The work done `times` times.
    pub fn times(self, times: usize) -> Self {
        Self {
            transforms: self.transforms * times as u64,
            multiplications: self.multiplications * times as u64,
            key_limbs: self.key_limbs * times as u64,
            plain_limbs: self.plain_limbs * times as u64,
        }
    }
}

impl AddAssign for Work {
    fn add_assign(&mut self, other: Self) {
        self.transforms += other.transforms;
        self.multiplications += other.multiplications;
        self.key_limbs += other.key_limbs;
        self.plain_limbs += other.plain_limbs;
    }
}

/// Work of single operations for one set of primes: only their number matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct CostModel {
    /// Special primes K; a digit of key switching is K chain limbs.
    pub special: usize,
}

impl CostModel {
    /// The model for a chain with these special primes.
    pub fn new(parameters: &ParameterSpec) -> Self {
        Self {
            special: parameters.special_moduli.len(),
        }
    }

    /// Digits of a key switch at a level.
    pub fn digits(&self, level: usize) -> usize {
        (level + 1).div_ceil(self.special.max(1))
    }

    fn extended(&self, level: usize) -> usize {
        level + 1 + self.special
    }

    /// Decomposing one polynomial into digits over the extended basis: shared by hoisted rotations.
    pub fn decompose(&self, level: usize) -> Work {
        let (limbs, digits, extended) = (level + 1, self.digits(level), self.extended(level));
        let produced = digits * extended - limbs;
        Work {
            transforms: (limbs + produced) as u64,
            multiplications: (produced * self.special.max(1)) as u64,
            ..Work::default()
        }
    }

    /// The inner product of the digits with one key, both halves.
    pub fn inner_product(&self, level: usize) -> Work {
        Work {
            key_limbs: (2 * self.digits(level) * self.extended(level)) as u64,
            ..Work::default()
        }
    }

    /// Dividing both halves by the special primes.
    pub fn mod_down(&self, level: usize) -> Work {
        let limbs = level + 1;
        Work {
            transforms: (2 * (self.special + limbs)) as u64,
            multiplications: (2 * limbs * (self.special + 1)) as u64,
            ..Work::default()
        }
    }

    /// One whole key switch: a rotation or a relinearisation.
    pub fn switch(&self, level: usize) -> Work {
        let mut work = self.decompose(level);
        work += self.inner_product(level);
        work += self.mod_down(level);
        work
    }

    /// Rescaling both halves from `level + 1` to `level`.
    pub fn rescale(&self, level: usize) -> Work {
        Work {
            transforms: 2 * (level as u64 + 2),
            multiplications: 2 * (level as u64 + 1),
            ..Work::default()
        }
    }

    /// Product of a ciphertext at `level` with a plaintext or a constant.
    pub fn plain_product(&self, level: usize) -> Work {
        Work {
            multiplications: 2 * (level as u64 + 1),
            ..Work::default()
        }
    }

    /// Product with a plaintext over the extended basis, between the hoisted inner product and its mod-down.
    pub fn extended_plain_product(&self, level: usize) -> Work {
        Work {
            multiplications: 2 * self.extended(level) as u64,
            plain_limbs: self.extended(level) as u64,
            ..Work::default()
        }
    }

    /// The three parts of a product of two ciphertexts at `level`.
    pub fn tensor(&self, level: usize) -> Work {
        Work {
            multiplications: 4 * (level as u64 + 1),
            ..Work::default()
        }
    }

    /// Product of two ciphertexts at `level`, relinearised and rescaled.
    pub fn product(&self, level: usize) -> Work {
        let mut work = Work {
            multiplications: 4 * (level as u64 + 1),
            ..Work::default()
        };
        work += self.switch(level);
        work += self.rescale(level - 1);
        work
    }

    /// Bytes of one switching key for use up to `level`, its uniform half stored as a seed, limbs at their
    /// true bit width.
    pub fn key_bytes(&self, parameters: &ParameterSpec, level: usize) -> u64 {
        let chain = parameters.moduli.iter().take(level + 1);
        let limbs = chain.chain(&parameters.special_moduli);
        let per_digit: u64 = limbs.map(|&prime| limb_bytes(parameters, prime)).sum();
        self.digits(level) as u64 * (per_digit + 32)
    }
}

/// Bytes of one limb at its true bit width.
pub fn limb_bytes(parameters: &ParameterSpec, prime: u64) -> u64 {
    let bits = u64::from(u64::BITS - prime.saturating_sub(1).leading_zeros());
    (parameters.degree() as u64 * bits).div_ceil(8)
}

/// Bytes of a ciphertext at `level`: fresh ones carry a seed in place of their uniform half.
pub fn ciphertext_bytes(parameters: &ParameterSpec, level: usize, seeded: bool) -> u64 {
    let half: u64 = parameters
        .moduli
        .iter()
        .take(level + 1)
        .map(|&prime| limb_bytes(parameters, prime))
        .sum();
    if seeded { half + 32 } else { 2 * half }
}
