//! Encryption by whoever has the public key.

use hush_ckks::{Ciphertext, CkksError, KeyId, Parameters, Plaintext, uniform_polynomial};
use hush_ring::{Basis, Ntt, Poly};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::sampler::{error, secret_polynomial, ternary};
use crate::{KeysError, SecretKey};

/// An encryption of zero over the whole chain, `(-a s + e, a)`: randomized and added to messages,
/// it encrypts without the secret key.
#[derive(Clone)]
pub struct PublicKey {
    parameters: Parameters,
    key_id: KeyId,
    parts: [Poly<Ntt>; 2],
}

impl SecretKey {
    /// A public key for this secret.
    #[must_use]
    pub fn public_key(&self, rng: &mut (impl CryptoRng + ?Sized)) -> PublicKey {
        let parameters = self.parameters();
        let ring = parameters.ring();
        let basis = Basis::chain(parameters.moduli().len());
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        let uniform = uniform_polynomial(parameters, basis, &seed, 0);
        let mut product = Zeroizing::new(uniform.clone());
        ring.multiply_assign(&mut product, &self.restricted(basis));
        let noise = secret_polynomial(ring, basis, &error(ring.degree(), rng));
        let mut masked = Poly::clone(&noise);
        ring.sub_assign(&mut masked, &product);
        PublicKey {
            parameters: parameters.clone(),
            key_id: self.key_id(),
            parts: [masked, uniform],
        }
    }
}

impl PublicKey {
    /// The parameters it encrypts under.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The secret key that decrypts.
    #[must_use]
    pub fn key_id(&self) -> KeyId {
        self.key_id
    }

    /// `v (b, a) + (m + e_0, e_1)` with a ternary `v`.
    ///
    /// The error is about `ERROR_DEVIATION * sqrt(4N/3)` per coefficient. Cost:
    /// `3 (level + 1)` forward transforms.
    ///
    /// # Errors
    /// [`CkksError::ParameterMismatch`].
    pub fn encrypt(
        &self,
        message: &Plaintext,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<Ciphertext, KeysError> {
        if *message.parameters() != self.parameters {
            return Err(CkksError::ParameterMismatch.into());
        }
        let ring = self.parameters.ring();
        let basis = message.poly().basis();
        let mask = secret_polynomial(ring, basis, &ternary(ring.degree(), rng));
        let mut parts = Vec::with_capacity(2);
        for part in &self.parts {
            let noise = secret_polynomial(ring, basis, &error(ring.degree(), rng));
            let mut part = part.restricted(ring, basis);
            ring.multiply_assign(&mut part, &mask);
            ring.add_assign(&mut part, &noise);
            parts.push(part);
        }
        ring.add_assign(&mut parts[0], message.poly());
        let (scale, slots) = (message.scale(), message.slots());
        Ok(Ciphertext::new(
            &self.parameters,
            parts,
            scale,
            slots,
            self.key_id,
        )?)
    }
}
