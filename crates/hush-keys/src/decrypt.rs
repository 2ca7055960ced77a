//! Decryption, for oneself or for others to see.

use hush_ckks::{Ciphertext, Plaintext};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::{Flooding, KeysError, SecretKey};

impl SecretKey {
    /// The message with the error that it has.
    ///
    /// That error depends on the secret key: whoever sees decrypted results together with their
    /// ciphertexts can learn the key (Li and Micciancio, "On the Security of Homomorphic
    /// Encryption on Approximate Numbers", ePrint 2020/1533). Keep what this returns to the key's
    /// owner, the usual case, in which nothing needs to be lost; use
    /// [`SecretKey::decrypt_flooded`] for what others will see.
    ///
    /// Cost: one product per part; no transform.
    ///
    /// # Errors
    /// [`hush_ckks::CkksError::ParameterMismatch`], [`hush_ckks::CkksError::KeyMismatch`].
    pub fn decrypt(&self, ciphertext: &Ciphertext) -> Result<Plaintext, KeysError> {
        self.check(ciphertext.parameters())?;
        self.check_id(ciphertext.key_id())?;
        let ring = self.parameters().ring();
        let (last, rest) = match ciphertext.parts() {
            [rest @ .., last] => (last, rest),
            [] => unreachable!("a ciphertext has at least two parts"),
        };
        let secret = self.restricted(last.basis());
        let mut message = last.clone();
        for part in rest.iter().rev() {
            ring.multiply_assign(&mut message, &secret);
            ring.add_assign(&mut message, part);
        }
        let (scale, slots) = (ciphertext.scale(), ciphertext.slots());
        Ok(Plaintext::new(self.parameters(), message, scale, slots)?)
    }

    /// The message with noise added that hides what its error tells of the key.
    ///
    /// # Errors
    /// As [`SecretKey::decrypt`], and [`KeysError::FloodingTooLarge`].
    pub fn decrypt_flooded(
        &self,
        ciphertext: &Ciphertext,
        flooding: &Flooding,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<Plaintext, KeysError> {
        let message = self.decrypt(ciphertext)?;
        let ring = self.parameters().ring();
        flooding.check(self.parameters().log_q(message.level())?)?;
        let noise = flooding.sample(ring.degree(), rng);
        let basis = message.poly().basis();
        let noise = Zeroizing::new(ring.forward(ring.from_signed(&noise, basis)));
        let (scale, slots) = (message.scale(), message.slots());
        let mut sum = message.into_poly();
        ring.add_assign(&mut sum, &noise);
        Ok(Plaintext::new(self.parameters(), sum, scale, slots)?)
    }
}
