//! Fresh ciphertexts at half the size.

use hush_ring::{Ntt, Poly};
use hush_wire::{CiphertextShapeV1, CiphertextV1, FormV1, PartV1};

use crate::ciphertext_wire::shape;
use crate::encoder::chain;
use crate::uniform::uniform_polynomial;
use crate::{Ciphertext, CkksError, KeyId, Level, Parameters, Scale};

/// A fresh ciphertext whose uniform half is kept as the seed it expands from: half the size.
#[derive(Clone)]
pub struct SeededCiphertext {
    parameters: Parameters,
    part: Poly<Ntt>,
    seed: [u8; 32],
    scale: Scale,
    slots: usize,
    key_id: KeyId,
}

impl SeededCiphertext {
    /// From the seed of `c_1`, the function that makes `c_0` of it, and what it encrypts.
    ///
    /// # Errors
    /// [`CkksError::LevelTooHigh`], [`CkksError::InvalidSlots`], and
    /// [`CkksError::ParameterMismatch`] unless `c_0` is over the chain limbs of `level`.
    pub fn from_seed(
        parameters: &Parameters,
        level: Level,
        scale: Scale,
        slots: usize,
        key_id: KeyId,
        seed: [u8; 32],
        c_0: impl FnOnce(Poly<Ntt>) -> Poly<Ntt>,
    ) -> Result<Self, CkksError> {
        parameters.check_level(level)?;
        parameters.check_slots(slots)?;
        let part = c_0(uniform_polynomial(parameters, chain(level), &seed, 0));
        if part.basis() != chain(level) || part.degree() != parameters.degree() {
            return Err(CkksError::ParameterMismatch);
        }
        Ok(Self {
            parameters: parameters.clone(),
            part,
            seed,
            scale,
            slots,
            key_id,
        })
    }

    /// The chain limbs it has, less one.
    #[must_use]
    pub fn level(&self) -> Level {
        Level(self.part.basis().chain - 1)
    }

    /// The ciphertext to compute with.
    #[must_use]
    pub fn expand(self) -> Ciphertext {
        let uniform = uniform_polynomial(&self.parameters, self.part.basis(), &self.seed, 0);
        Ciphertext {
            parts: vec![self.part, uniform],
            parameters: self.parameters,
            scale: self.scale,
            slots: self.slots,
            key_id: self.key_id,
        }
    }

    /// The shape of the stored form.
    #[must_use]
    pub fn wire_shape(&self) -> CiphertextShapeV1 {
        shape(self.level(), self.slots, self.scale, FormV1::Seeded)
    }

    /// The stored form, which [`Ciphertext::from_wire`] reads.
    #[must_use]
    pub fn to_wire(&self) -> CiphertextV1 {
        let parts = vec![
            PartV1::Residues(self.part.words().to_vec()),
            PartV1::Seed(self.seed),
        ];
        CiphertextV1 {
            shape: self.wire_shape(),
            parts,
        }
    }
}
