//! The secret key itself.

use hush_ckks::{CkksError, KeyId, Parameters};
use hush_ring::{Basis, Ntt, Poly};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::KeysError;
use crate::sampler::{secret_polynomial, ternary};

/// A uniform ternary secret `s`, under a random name.
///
/// Not `Clone`, not `Debug`, and wiped when dropped. The only way out is
/// [`SecretKey::pack_secret`].
pub struct SecretKey {
    parameters: Parameters,
    key_id: KeyId,
    coefficients: Zeroizing<Vec<i8>>,
    value: Zeroizing<Poly<Ntt>>,
}

impl SecretKey {
    /// A fresh secret.
    #[must_use]
    pub fn generate(parameters: &Parameters, rng: &mut (impl CryptoRng + ?Sized)) -> Self {
        let mut name = [0; 16];
        rng.fill_bytes(&mut name);
        let coefficients = ternary(parameters.degree(), rng);
        Self::assemble(parameters, KeyId(name), coefficients)
    }

    fn assemble(parameters: &Parameters, key_id: KeyId, coefficients: Zeroizing<Vec<i8>>) -> Self {
        let basis = Basis::extended(parameters.moduli().len());
        let value = secret_polynomial(parameters.ring(), basis, &coefficients);
        Self {
            parameters: parameters.clone(),
            key_id,
            coefficients,
            value,
        }
    }

    /// Its parameters.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// Its public name.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// The secret itself at two bits a coefficient: to be stored, preferably encrypted.
    ///
    /// # Errors
    /// None for a key that was generated or unpacked.
    pub fn pack_secret(&self) -> Result<Zeroizing<Vec<u8>>, KeysError> {
        Ok(hush_wire::pack_ternary(&self.coefficients)?)
    }

    /// The key that [`SecretKey::pack_secret`] packed.
    ///
    /// # Errors
    /// [`KeysError::Wire`] unless these are the bytes of `N` ternary coefficients.
    pub fn unpack_secret(
        parameters: &Parameters,
        key_id: KeyId,
        bytes: &[u8],
    ) -> Result<Self, KeysError> {
        let coefficients = hush_wire::unpack_ternary(bytes, parameters.degree())?;
        Ok(Self::assemble(parameters, key_id, coefficients))
    }

    /// `s` over some limbs, in evaluation form.
    pub(crate) fn restricted(&self, basis: Basis) -> Zeroizing<Poly<Ntt>> {
        Zeroizing::new(self.value.restricted(self.parameters.ring(), basis))
    }

    pub(crate) fn check(&self, parameters: &Parameters) -> Result<(), CkksError> {
        if *parameters == self.parameters {
            Ok(())
        } else {
            Err(CkksError::ParameterMismatch)
        }
    }

    pub(crate) fn check_id(&self, actual: KeyId) -> Result<(), CkksError> {
        let expected = self.key_id;
        if actual == expected {
            Ok(())
        } else {
            Err(CkksError::KeyMismatch { expected, actual })
        }
    }
}
