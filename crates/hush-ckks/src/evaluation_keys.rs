//! The public keys of an evaluator: products, rotations, conjugation.

use std::collections::BTreeMap;

use hush_wire::{EvaluationKeysHeaderV1, SwitchV1, SwitchingKeyV1};

use crate::{CkksError, GaloisElement, KeyId, Level, Parameters, SwitchingKey};

/// Every switching key that a data owner gives to an evaluator.
pub struct EvaluationKeys {
    parameters: Parameters,
    key_id: KeyId,
    relinearization: Option<SwitchingKey>,
    galois: BTreeMap<GaloisElement, SwitchingKey>,
}

impl EvaluationKeys {
    /// No keys yet, under the name of a secret key.
    #[must_use]
    pub fn empty(parameters: &Parameters, key_id: KeyId) -> Self {
        let parameters = parameters.clone();
        Self {
            parameters,
            key_id,
            relinearization: None,
            galois: BTreeMap::new(),
        }
    }

    /// Adds or replaces the key that brings products of two ciphertexts back to two parts: from
    /// `s^2` to `s`.
    #[must_use]
    pub fn with_relinearization(mut self, key: SwitchingKey) -> Self {
        self.relinearization = Some(key);
        self
    }

    /// Adds or replaces the key of an automorphism `g`: from `s` to `g^-1(s)`, so that applying
    /// `g` after the switch leads back to `s`.
    #[must_use]
    pub fn with_galois(mut self, element: GaloisElement, key: SwitchingKey) -> Self {
        self.galois.insert(element, key);
        self
    }

    /// The parameters of every key.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The secret key that they belong to.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// The relinearization key.
    ///
    /// # Errors
    /// [`CkksError::MissingRelinearizationKey`] when there is none for `level`.
    pub fn relinearization(&self, level: Level) -> Result<&SwitchingKey, CkksError> {
        self.relinearization
            .as_ref()
            .filter(|key| key.level() >= level)
            .ok_or(CkksError::MissingRelinearizationKey { level })
    }

    /// The key for rotating left by `steps`.
    ///
    /// # Errors
    /// [`CkksError::MissingRotationKey`] when there is none for `level`.
    pub fn rotation(&self, steps: usize, level: Level) -> Result<&SwitchingKey, CkksError> {
        self.galois(GaloisElement::rotation(&self.parameters, steps), level)
            .ok_or(CkksError::MissingRotationKey { steps, level })
    }

    /// The key for conjugation.
    ///
    /// # Errors
    /// [`CkksError::MissingConjugationKey`] when there is none for `level`.
    pub fn conjugation(&self, level: Level) -> Result<&SwitchingKey, CkksError> {
        self.galois(GaloisElement::conjugation(&self.parameters), level)
            .ok_or(CkksError::MissingConjugationKey { level })
    }

    /// The key of any automorphism, when there is one for `level`.
    #[must_use]
    pub fn galois(&self, element: GaloisElement, level: Level) -> Option<&SwitchingKey> {
        self.galois.get(&element).filter(|key| key.level() >= level)
    }

    /// Every key with its name in files, in file order.
    pub fn iter(&self) -> impl Iterator<Item = (SwitchV1, &SwitchingKey)> {
        let relinearization = self
            .relinearization
            .as_ref()
            .map(|key| (SwitchV1::Relinearization, key));
        let galois = self
            .galois
            .iter()
            .map(|(&element, key)| (element.into(), key));
        relinearization.into_iter().chain(galois)
    }

    /// Bytes in memory.
    #[must_use]
    pub fn bytes(&self) -> usize {
        self.iter().map(|(_, key)| key.bytes()).sum()
    }

    /// The header of the file that holds these keys, in the order of [`EvaluationKeys::iter`].
    #[must_use]
    pub fn wire_header(&self) -> EvaluationKeysHeaderV1 {
        EvaluationKeysHeaderV1 {
            parameters: self.parameters.to_wire(),
            key_id: self.key_id.0,
            keys: self.iter().map(|(switch, key)| key.shape(switch)).collect(),
        }
    }

    /// Expands one stored key and adds it.
    ///
    /// # Errors
    /// As [`SwitchingKey::from_wire`] and [`GaloisElement::new`].
    pub fn with_wire(self, stored: &SwitchingKeyV1) -> Result<Self, CkksError> {
        let key = SwitchingKey::from_wire(&self.parameters, stored)?;
        Ok(match stored.shape.switch {
            SwitchV1::Relinearization => self.with_relinearization(key),
            SwitchV1::Galois { element } => {
                let element = GaloisElement::new(&self.parameters, element)?;
                self.with_galois(element, key)
            }
        })
    }
}
