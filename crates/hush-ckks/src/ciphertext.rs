//! An encrypted message.

use hush_ring::{Ntt, Poly};

use crate::{CkksError, KeyId, Level, Parameters, Scale};

/// Polynomials `c_0, c_1` (and `c_2` between a product and its relinearization) with
/// `c_0 + c_1 s + c_2 s^2 = message + noise` under the secret `s` named by the key id.
///
/// Every part has `level + 1` limbs in evaluation form.
#[derive(Clone)]
pub struct Ciphertext {
    pub(crate) parameters: Parameters,
    pub(crate) parts: Vec<Poly<Ntt>>,
    pub(crate) scale: Scale,
    pub(crate) slots: usize,
    pub(crate) key_id: KeyId,
}

impl Ciphertext {
    /// Wraps two or three parts over the same chain limbs.
    ///
    /// # Errors
    /// [`CkksError::InvalidSlots`], [`CkksError::PartsMismatch`],
    /// [`CkksError::ParameterMismatch`] when a part has special limbs, another number of
    /// limbs than the first, or another degree than the parameters.
    pub fn new(
        parameters: &Parameters,
        parts: Vec<Poly<Ntt>>,
        scale: Scale,
        slots: usize,
        key_id: KeyId,
    ) -> Result<Self, CkksError> {
        parameters.check_slots(slots)?;
        if !(2..=3).contains(&parts.len()) {
            let actual = parts.len();
            return Err(CkksError::PartsMismatch {
                expected: 2,
                actual,
            });
        }
        let basis = parts[0].basis();
        let fits = parts.iter().all(|part| {
            part.basis() == basis
                && !basis.special
                && (1..=parameters.moduli().len()).contains(&basis.chain)
                && part.degree() == parameters.degree()
        });
        if !fits {
            return Err(CkksError::ParameterMismatch);
        }
        Ok(Self {
            parameters: parameters.clone(),
            parts,
            scale,
            slots,
            key_id,
        })
    }

    /// The parameters it was made under.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The polynomials.
    #[must_use]
    pub fn parts(&self) -> &[Poly<Ntt>] {
        &self.parts
    }

    /// How many rescalings it has left.
    #[must_use]
    pub fn level(&self) -> Level {
        Level(self.parts[0].basis().chain - 1)
    }

    /// The factor between message and polynomial.
    #[must_use]
    pub fn scale(&self) -> Scale {
        self.scale
    }

    /// Number of slots; the message repeats `N/2 / slots` times.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// The secret key it belongs to.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// The same ciphertext said to hold a message `factor` times as large: exact and free,
    /// since only the meaning of the integers changes.
    ///
    /// # Errors
    /// [`CkksError::InvalidScale`] unless `factor` is positive and finite.
    pub fn reinterpreted(mut self, factor: f64) -> Result<Self, CkksError> {
        self.scale = Scale::new(self.scale.value() / factor)?;
        Ok(self)
    }

    /// The same ciphertext with its scale written as `scale`, which must match: removes the
    /// rounding of a scale that was computed along another path.
    ///
    /// # Errors
    /// [`CkksError::ScaleMismatch`].
    pub fn restated(mut self, scale: Scale) -> Result<Self, CkksError> {
        self.check_scale(scale)?;
        self.scale = scale;
        Ok(self)
    }

    pub(crate) fn check_parts(&self, expected: usize) -> Result<(), CkksError> {
        let actual = self.parts.len();
        if actual == expected {
            Ok(())
        } else {
            Err(CkksError::PartsMismatch { expected, actual })
        }
    }

    /// Same parameters, key and slots.
    pub(crate) fn check_kin(&self, other: &Self) -> Result<(), CkksError> {
        if self.parameters != other.parameters {
            return Err(CkksError::ParameterMismatch);
        }
        if self.key_id != other.key_id {
            return Err(CkksError::KeyMismatch {
                expected: self.key_id,
                actual: other.key_id,
            });
        }
        self.check_slots(other.slots)
    }

    pub(crate) fn check_slots(&self, right: usize) -> Result<(), CkksError> {
        let left = self.slots;
        if left == right {
            Ok(())
        } else {
            Err(CkksError::SlotsMismatch { left, right })
        }
    }

    pub(crate) fn check_level(&self, right: Level) -> Result<(), CkksError> {
        let left = self.level();
        if left == right {
            Ok(())
        } else {
            Err(CkksError::LevelMismatch { left, right })
        }
    }

    pub(crate) fn check_scale(&self, right: Scale) -> Result<(), CkksError> {
        let left = self.scale;
        if left.matches(right) {
            Ok(())
        } else {
            Err(CkksError::ScaleMismatch { left, right })
        }
    }

    /// The level of a rescaled result.
    pub(crate) fn level_below(&self) -> Result<Level, CkksError> {
        let actual = self.level();
        match actual.0.checked_sub(1) {
            Some(level) => Ok(Level(level)),
            None => Err(CkksError::LevelTooLow {
                needed: Level(1),
                actual,
            }),
        }
    }
}

impl std::fmt::Debug for Ciphertext {
    fn fmt(&self, formatter: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        formatter
            .debug_struct("Ciphertext")
            .field("parts", &self.parts.len())
            .field("level", &self.level())
            .field("scale", &self.scale)
            .field("slots", &self.slots)
            .field("key_id", &self.key_id)
            .finish_non_exhaustive()
    }
}
