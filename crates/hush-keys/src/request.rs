//! Which evaluation keys to make.

use std::collections::BTreeMap;

use hush_ckks::{CkksError, GaloisElement, Level, Parameters};
use hush_wire::{SwitchV1, SwitchingKeyShapeV1};

/// The evaluation keys that a program needs, each with the highest level it is used at: a key for
/// a lower level is smaller.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct KeyRequest {
    /// For products of ciphertexts.
    pub relinearization: Option<Level>,
    /// For rotations, by steps to the left.
    pub rotations: BTreeMap<usize, Level>,
    /// For conjugation.
    pub conjugation: Option<Level>,
}

impl KeyRequest {
    /// The automorphisms asked for, sorted, each at the highest level asked; a rotation by a
    /// multiple of `N/2` needs no key.
    #[must_use]
    pub fn galois(&self, parameters: &Parameters) -> BTreeMap<GaloisElement, Level> {
        let identity = GaloisElement::rotation(parameters, 0);
        let rotations = self
            .rotations
            .iter()
            .map(|(&steps, &level)| (GaloisElement::rotation(parameters, steps), level))
            .filter(|(element, _)| *element != identity);
        let conjugation = self
            .conjugation
            .map(|level| (GaloisElement::conjugation(parameters), level));
        let mut elements = BTreeMap::new();
        for (element, level) in rotations.chain(conjugation) {
            let highest = elements.entry(element).or_insert(level);
            *highest = level.max(*highest);
        }
        elements
    }

    /// The shapes of the keys in the order of a file, for its header.
    ///
    /// # Errors
    /// [`CkksError::LevelTooHigh`].
    pub fn shapes(&self, parameters: &Parameters) -> Result<Vec<SwitchingKeyShapeV1>, CkksError> {
        let relinearization = self
            .relinearization
            .map(|level| (SwitchV1::Relinearization, level));
        let galois = self
            .galois(parameters)
            .into_iter()
            .map(|(element, level)| (SwitchV1::from(element), level));
        relinearization
            .into_iter()
            .chain(galois)
            .map(|(switch, level)| {
                parameters.check_level(level)?;
                Ok(SwitchingKeyShapeV1 {
                    switch,
                    limbs: level.limbs() as u32,
                })
            })
            .collect()
    }
}
