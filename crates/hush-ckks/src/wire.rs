//! What is shared by everything that is stored: parameters and checked polynomials.

use hush_ring::{Basis, Ntt, Poly};
use hush_wire::ParametersV1;

use crate::{CkksError, Parameters, ParametersLiteral};

impl From<&ParametersV1> for ParametersLiteral {
    fn from(stored: &ParametersV1) -> Self {
        Self {
            log_degree: stored.log_degree,
            moduli: stored.moduli.clone(),
            special_moduli: stored.special_moduli.clone(),
        }
    }
}

impl Parameters {
    /// The stored form.
    #[must_use]
    pub fn to_wire(&self) -> ParametersV1 {
        let ParametersLiteral {
            log_degree,
            moduli,
            special_moduli,
        } = self.literal().clone();
        ParametersV1 {
            log_degree,
            moduli,
            special_moduli,
        }
    }

    /// Refuses a header that was written under other parameters.
    ///
    /// # Errors
    /// [`CkksError::ParameterMismatch`].
    pub fn check_wire(&self, stored: &ParametersV1) -> Result<(), CkksError> {
        let same = stored.log_degree == self.log_degree()
            && stored.moduli == self.moduli()
            && stored.special_moduli == self.special_moduli();
        if same {
            Ok(())
        } else {
            Err(CkksError::ParameterMismatch)
        }
    }
}

/// A polynomial from stored limbs, one slice of `N` words per limb of `basis`; refuses residues
/// that are not below their modulus.
pub(crate) fn checked_polynomial<'a>(
    parameters: &Parameters,
    basis: Basis,
    limbs: impl Iterator<Item = &'a [u64]>,
    what: &'static str,
) -> Result<Poly<Ntt>, CkksError> {
    let ring = parameters.ring();
    let mut poly = Poly::zero(ring, basis);
    for (index, (limb, words)) in poly.limbs_mut().zip(limbs).enumerate() {
        check_residues(words, ring.modulus_of(basis, index).value(), what)?;
        limb.copy_from_slice(words);
    }
    Ok(poly)
}

/// Refuses residues that are not below their modulus.
pub(crate) fn check_residues(
    residues: &[u64],
    modulus: u64,
    what: &'static str,
) -> Result<(), CkksError> {
    if residues.iter().any(|&residue| residue >= modulus) {
        return Err(CkksError::ResidueOutOfRange { what, modulus });
    }
    Ok(())
}
