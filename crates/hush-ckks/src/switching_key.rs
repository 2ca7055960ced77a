//! Keys that move a ciphertext from one secret to another.

use hush_wire::{SwitchV1, SwitchingKeyShapeV1, SwitchingKeyV1};
use rayon::prelude::*;

use crate::uniform::expand_uniform;
use crate::{CkksError, GaloisElement, Level, Parameters};

/// A hybrid key-switching key for ciphertexts up to some level (Han and Ki, "Better Bootstrapping
/// for Approximate Homomorphic Encryption", ePrint 2019/688, section 3).
///
/// With `s` the secret switched to, `s'` the one switched from and `P` the product of the special
/// primes, digit `d` holds `a_d` uniform and `b_d = -a_d s + e_d + P g_d s'`, where `g_d` is 1
/// modulo the chain primes of digit `d` (see [`Parameters::digit`]) and 0 modulo all others.
/// Everything is in evaluation (NTT) form, canonical.
///
/// The `a` halves come from a seed, by [`expand_uniform`] with stream `digit << 16 | limb`, where
/// `limb` counts all primes of the parameters, the chain and then the special ones: only the
/// `b` halves and the seed are stored.
pub struct SwitchingKey {
    level: Level,
    digits: usize,
    degree: usize,
    seed: [u8; 32],
    data: Vec<u64>,
}

/// The limb of the parameters' primes (the chain and then the special ones) that limb `index` of
/// a basis with `chain` chain limbs and all special ones has.
fn prime_of(parameters: &Parameters, chain: usize, index: usize) -> usize {
    if index < chain {
        index
    } else {
        parameters.moduli().len() + index - chain
    }
}

impl SwitchingKey {
    /// A key for `level` from the seed of its `a` halves and a function that fills each `b` half.
    ///
    /// `fill(prime, digit, a, b)` gets the index of the limb among all primes of the parameters,
    /// the digit, the expanded `a` and the place for `b`; it runs in parallel.
    ///
    /// # Errors
    /// [`CkksError::LevelTooHigh`], and whatever `fill` returns.
    pub fn from_seed<E, F>(
        parameters: &Parameters,
        level: Level,
        seed: [u8; 32],
        fill: F,
    ) -> Result<Self, E>
    where
        E: From<CkksError> + Send,
        F: Fn(usize, usize, &[u64], &mut [u64]) -> Result<(), E> + Sync,
    {
        parameters.check_level(level)?;
        let (degree, chain) = (parameters.degree(), level.limbs());
        let digits = parameters.digits(level);
        let limbs = chain + parameters.special_moduli().len();
        let mut data = vec![0; limbs * digits * 2 * degree];
        data.par_chunks_exact_mut(2 * degree)
            .enumerate()
            .try_for_each(|(index, halves)| {
                let (prime, digit) = (prime_of(parameters, chain, index / digits), index % digits);
                let (b, a) = halves.split_at_mut(degree);
                let modulus = &parameters.ring().moduli()[prime];
                expand_uniform(&seed, (digit << 16 | prime) as u64, modulus, a);
                fill(prime, digit, a, b)
            })?;
        Ok(Self {
            level,
            digits,
            degree,
            seed,
            data,
        })
    }

    /// The highest level of a ciphertext that it switches.
    #[must_use]
    pub fn level(&self) -> Level {
        self.level
    }

    /// Digits `d = 0..digits`, those of [`Parameters::digits`] at its level.
    #[must_use]
    pub fn digits(&self) -> usize {
        self.digits
    }

    /// Words in memory.
    #[must_use]
    pub fn words(&self) -> usize {
        self.data.len()
    }

    /// The block of limb `index` (the chain limbs up to the level, then all special ones):
    /// `digits x (b, a) x N` residues.
    ///
    /// # Panics
    /// When there is no such limb.
    #[must_use]
    pub fn limb(&self, index: usize) -> &[u64] {
        let length = self.digits * 2 * self.degree;
        &self.data[index * length..(index + 1) * length]
    }

    /// `b` and `a` of one limb and digit.
    ///
    /// # Panics
    /// When there is no such limb or digit.
    #[must_use]
    pub fn halves(&self, index: usize, digit: usize) -> (&[u64], &[u64]) {
        let start = digit * 2 * self.degree;
        self.limb(index)[start..start + 2 * self.degree].split_at(self.degree)
    }

    /// The stored form.
    #[must_use]
    pub fn to_wire(&self, switch: SwitchV1) -> SwitchingKeyV1 {
        let residues = self
            .data
            .chunks_exact(2 * self.degree)
            .flat_map(|halves| &halves[..self.degree])
            .copied()
            .collect();
        SwitchingKeyV1 {
            shape: self.shape(switch),
            seed: self.seed,
            residues,
        }
    }

    /// The shape of the stored form.
    #[must_use]
    pub fn shape(&self, switch: SwitchV1) -> SwitchingKeyShapeV1 {
        SwitchingKeyShapeV1 {
            switch,
            limbs: self.level.limbs() as u32,
        }
    }

    /// Expands a stored key; refuses a level above the chain, a wrong number of residues and
    /// residues that are not below their modulus.
    ///
    /// # Errors
    /// [`CkksError::LevelTooHigh`], [`CkksError::WrongLength`], [`CkksError::ResidueOutOfRange`].
    pub fn from_wire(parameters: &Parameters, stored: &SwitchingKeyV1) -> Result<Self, CkksError> {
        let level = Level((stored.shape.limbs as usize).saturating_sub(1));
        parameters.check_level(level)?;
        let degree = parameters.degree();
        let (chain, digits) = (level.limbs(), parameters.digits(level));
        let expected = (chain + parameters.special_moduli().len()) * digits * degree;
        if stored.shape.limbs == 0 || stored.residues.len() != expected {
            let actual = stored.residues.len();
            return Err(CkksError::WrongLength {
                what: "switching key",
                expected,
                actual,
            });
        }
        let chain_length = parameters.moduli().len();
        Self::from_seed(parameters, level, stored.seed, |prime, digit, _, b| {
            let limb = if prime < chain_length {
                prime
            } else {
                chain + prime - chain_length
            };
            let start = (limb * digits + digit) * degree;
            b.copy_from_slice(&stored.residues[start..start + degree]);
            let modulus = parameters.ring().moduli()[prime].value();
            if b.iter().any(|&residue| residue >= modulus) {
                return Err(CkksError::ResidueOutOfRange {
                    what: "switching key",
                    modulus,
                });
            }
            Ok(())
        })
    }
}

/// How a rotation or conjugation key is named in files.
impl From<GaloisElement> for SwitchV1 {
    fn from(element: GaloisElement) -> Self {
        Self::Galois {
            element: element.value(),
        }
    }
}
