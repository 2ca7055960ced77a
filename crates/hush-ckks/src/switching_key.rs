//! Keys that move a ciphertext from one secret to another.

use hush_ring::{Basis, Ntt, Poly};
use hush_simd::kernels::PackedRows;
use hush_wire::{SwitchV1, SwitchingKeyShapeV1, SwitchingKeyV1};
use rayon::prelude::*;

use crate::uniform::{expand_limb, uniform_polynomial};
use crate::wire::check_residues;
use crate::{CkksError, GaloisElement, Level, Parameters};

/// A hybrid key-switching key for ciphertexts up to some level (Han and Ki, "Better Bootstrapping
/// for Approximate Homomorphic Encryption", ePrint 2019/688, section 3).
///
/// With `s` the secret switched to, `s'` the one switched from and `P` the product of the special
/// primes, digit `d` holds `a_d` uniform and `b_d = -a_d s + e_d + P g_d s'`, where `g_d` is 1
/// modulo the chain primes of digit `d` (see [`Parameters::digit`]) and 0 modulo all others.
/// Everything is in evaluation (NTT) form, canonical.
///
/// The `a` halves come from a seed, by [`uniform_polynomial`] with first stream `digit << 16`:
/// only the `b` halves and the seed are stored.
pub struct SwitchingKey {
    level: Level,
    digits: usize,
    seed: [u8; 32],
    /// For each limb, rows b and a of each digit in turn.
    limbs: Vec<PackedRows>,
}

impl SwitchingKey {
    /// A key for `level` from the seed of its `a` halves and a function that makes each `b` half,
    /// `b(digit, a)`, over the chain limbs up to `level` and all special ones.
    ///
    /// # Errors
    /// [`CkksError::LevelTooHigh`]; [`CkksError::ParameterMismatch`] when a `b` is over other
    /// limbs; whatever `b` returns.
    pub fn from_seed<E: From<CkksError>>(
        parameters: &Parameters,
        level: Level,
        seed: [u8; 32],
        mut b: impl FnMut(usize, &Poly<Ntt>) -> Result<Poly<Ntt>, E>,
    ) -> Result<Self, E> {
        parameters.check_level(level)?;
        let (degree, digits) = (parameters.degree(), parameters.digits(level));
        let basis = Basis::extended(level.limbs());
        let ring = parameters.ring();
        let mut halves = Vec::with_capacity(digits);
        for digit in 0..digits {
            let a = uniform_polynomial(parameters, basis, &seed, first_stream(digit));
            let b = b(digit, &a)?;
            if b.basis() != basis || b.degree() != degree {
                return Err(CkksError::ParameterMismatch.into());
            }
            halves.push((b, a));
        }
        let limbs = (0..ring.limbs(basis)).into_par_iter().map(|limb| {
            let rows: Vec<&[u64]> = halves
                .iter()
                .flat_map(|(b, a)| [b.limb(limb), a.limb(limb)])
                .collect();
            PackedRows::pack(ring.modulus_of(basis, limb), &rows)
        });
        Ok(Self {
            level,
            digits,
            seed,
            limbs: limbs.collect(),
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

    /// Bytes in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.limbs.iter().map(PackedRows::bytes).sum()
    }

    /// Limb `index` (the chain limbs up to the level, then all special ones): rows b and a of
    /// each digit in turn.
    ///
    /// # Panics
    /// When there is no such limb.
    #[must_use]
    pub fn limb(&self, index: usize) -> &PackedRows {
        &self.limbs[index]
    }

    /// `b` and `a` of one limb and digit.
    ///
    /// # Panics
    /// When there is no such limb or digit.
    #[must_use]
    pub fn halves(&self, index: usize, digit: usize) -> (Vec<u64>, Vec<u64>) {
        let limb = self.limb(index);
        (limb.row(2 * digit), limb.row(2 * digit + 1))
    }

    /// The stored form.
    #[must_use]
    pub fn to_wire(&self, switch: SwitchV1) -> SwitchingKeyV1 {
        let residues = self
            .limbs
            .iter()
            .flat_map(|limb| (0..self.digits).flat_map(|digit| limb.row(2 * digit)))
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
        let (degree, digits) = (parameters.degree(), parameters.digits(level));
        let basis = Basis::extended(level.limbs());
        let expected = parameters.ring().limbs(basis) * digits * degree;
        if stored.shape.limbs == 0 || stored.residues.len() != expected {
            let actual = stored.residues.len();
            return Err(CkksError::WrongLength {
                what: "switching key",
                expected,
                actual,
            });
        }
        let ring = parameters.ring();
        let stored_limbs = stored.residues.par_chunks_exact(digits * degree);
        let limbs = stored_limbs.enumerate().map(|(limb, b)| {
            let modulus = ring.modulus_of(basis, limb);
            check_residues(b, modulus.value(), "switching key")?;
            let mut a = vec![0; digits * degree];
            for (digit, a) in a.chunks_exact_mut(degree).enumerate() {
                let stream = first_stream(digit);
                expand_limb(parameters, (basis, limb), &stored.seed, stream, a);
            }
            let rows: Vec<&[u64]> = b
                .chunks_exact(degree)
                .zip(a.chunks_exact(degree))
                .flat_map(|(b, a)| [b, a])
                .collect();
            Ok(PackedRows::pack(modulus, &rows))
        });
        Ok(Self {
            level,
            digits,
            seed: stored.seed,
            limbs: limbs.collect::<Result<_, CkksError>>()?,
        })
    }
}

/// The stream that the `a` half of a digit begins with.
fn first_stream(digit: usize) -> u64 {
    (digit as u64) << 16
}

/// How a rotation or conjugation key is named in files.
impl From<GaloisElement> for SwitchV1 {
    fn from(element: GaloisElement) -> Self {
        Self::Galois {
            element: element.value(),
        }
    }
}
