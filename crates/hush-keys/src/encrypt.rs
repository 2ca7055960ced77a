//! Encryption with the secret key.

use hush_ckks::{Plaintext, SeededCiphertext};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

use crate::sampler::{error, secret_polynomial};
use crate::{KeysError, SecretKey};

impl SecretKey {
    /// `(-a s + e + m, a)` with `a` uniform from a fresh seed, which is what is kept of it.
    ///
    /// The error is [`crate::ERROR_DEVIATION`] per coefficient, less than that of a public key.
    /// Cost: `level + 1` forward transforms.
    ///
    /// # Errors
    /// [`hush_ckks::CkksError::ParameterMismatch`].
    pub fn encrypt_symmetric(
        &self,
        message: &Plaintext,
        rng: &mut (impl CryptoRng + ?Sized),
    ) -> Result<SeededCiphertext, KeysError> {
        self.check(message.parameters())?;
        let ring = self.parameters().ring();
        let basis = message.poly().basis();
        let mut seed = [0; 32];
        rng.fill_bytes(&mut seed);
        let noise = error(ring.degree(), rng);
        let noise = secret_polynomial(ring, basis, &noise);
        let secret = self.restricted(basis);
        let ciphertext = SeededCiphertext::from_seed(
            self.parameters(),
            message.level(),
            message.scale(),
            message.slots(),
            self.key_id(),
            seed,
            |uniform| {
                // Until the error is added, this product would give the secret away.
                let mut product = Zeroizing::new(uniform);
                ring.multiply_assign(&mut product, &secret);
                let mut part = message.poly().clone();
                ring.add_assign(&mut part, &noise);
                ring.sub_assign(&mut part, &product);
                part
            },
        );
        Ok(ciphertext?)
    }
}
