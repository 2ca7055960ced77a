//! The generator that products use.

use std::hint::black_box;

use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRng, OsRng, RngCore, SeedableRng};

use crate::KeysError;

/// ChaCha20 with a key from the operating system, wiped when dropped.
///
/// Everything that needs randomness takes any [`CryptoRng`], so tests pass a seeded one.
pub struct SecureRng(ChaCha20Rng);

impl SecureRng {
    /// A generator with a fresh key.
    ///
    /// # Errors
    /// [`KeysError::Randomness`].
    pub fn from_os() -> Result<Self, KeysError> {
        let rng = ChaCha20Rng::try_from_rng(&mut OsRng);
        rng.map(Self)
            .map_err(|source| KeysError::Randomness { source })
    }

    /// An independent generator with a key drawn from this one, for work on another thread.
    #[must_use]
    pub fn fork(&mut self) -> Self {
        Self(ChaCha20Rng::from_rng(&mut self.0))
    }
}

impl Drop for SecureRng {
    fn drop(&mut self) {
        self.0 = ChaCha20Rng::from_seed([0; 32]);
        // Keeps the overwriting store, which nothing reads, from being optimised away.
        black_box(&self.0);
    }
}

impl RngCore for SecureRng {
    fn next_u32(&mut self) -> u32 {
        self.0.next_u32()
    }

    fn next_u64(&mut self) -> u64 {
        self.0.next_u64()
    }

    fn fill_bytes(&mut self, bytes: &mut [u8]) {
        self.0.fill_bytes(bytes);
    }
}

impl CryptoRng for SecureRng {}
