//! Ciphertexts to and from their stored form.

use hush_wire::{CiphertextShapeV1, CiphertextV1, FormV1, PartV1};

use crate::encoder::chain;
use crate::uniform::uniform_polynomial;
use crate::wire::checked_polynomial;
use crate::{Ciphertext, CkksError, KeyId, Level, Parameters, Scale};

impl Ciphertext {
    /// The shape of the stored form.
    #[must_use]
    pub fn wire_shape(&self) -> CiphertextShapeV1 {
        let form = FormV1::Full {
            parts: self.parts.len() as u8,
        };
        shape(self.level(), self.slots, self.scale, form)
    }

    /// The stored form.
    #[must_use]
    pub fn to_wire(&self) -> CiphertextV1 {
        let parts = self
            .parts
            .iter()
            .map(|part| PartV1::Residues(part.words().to_vec()));
        CiphertextV1 {
            shape: self.wire_shape(),
            parts: parts.collect(),
        }
    }

    /// Reads the stored form, expanding a seed if there is one.
    ///
    /// # Errors
    /// As [`Ciphertext::new`], and [`CkksError::LevelTooHigh`], [`CkksError::InvalidScale`],
    /// [`CkksError::WrongLength`], [`CkksError::ResidueOutOfRange`].
    pub fn from_wire(
        parameters: &Parameters,
        key_id: KeyId,
        stored: &CiphertextV1,
    ) -> Result<Self, CkksError> {
        let shape = &stored.shape;
        let level = Level((shape.limbs as usize).saturating_sub(1));
        parameters.check_level(level)?;
        let scale = Scale::new(shape.scale)?;
        // A slot count too large for a shift is refused as zero slots.
        let slots = 1usize.checked_shl(shape.log_slots).unwrap_or(0);
        let parts = stored.parts.iter().map(|part| match part {
            PartV1::Seed(seed) => Ok(uniform_polynomial(parameters, chain(level), seed, 0)),
            PartV1::Residues(words) => {
                let expected = level.limbs() * parameters.degree();
                if shape.limbs == 0 || words.len() != expected {
                    let (what, actual) = ("ciphertext", words.len());
                    return Err(CkksError::WrongLength {
                        what,
                        expected,
                        actual,
                    });
                }
                let limbs = words.chunks_exact(parameters.degree());
                checked_polynomial(parameters, chain(level), limbs, "ciphertext")
            }
        });
        Self::new(
            parameters,
            parts.collect::<Result<_, _>>()?,
            scale,
            slots,
            key_id,
        )
    }
}

pub(crate) fn shape(level: Level, slots: usize, scale: Scale, form: FormV1) -> CiphertextShapeV1 {
    let (limbs, log_slots) = (level.limbs() as u32, slots.trailing_zeros());
    CiphertextShapeV1 {
        limbs,
        log_slots,
        scale: scale.value(),
        form,
    }
}
