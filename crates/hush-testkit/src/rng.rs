//! A generator whose seed is always known.

use rand_chacha::ChaCha20Rng;
use rand_core::{CryptoRng, OsRng, RngCore, SeedableRng, TryRngCore};

/// ChaCha20 from a seed that is printed to standard error, where a failing test shows it.
pub struct TestRng(ChaCha20Rng);

impl TestRng {
    /// From the seed in the environment variable `HUSH_TEST_SEED`, or a fresh one.
    ///
    /// # Panics
    /// When that variable is not a number, or the operating system has no randomness.
    #[must_use]
    #[expect(
        clippy::new_without_default,
        reason = "a fresh seed is not a default value"
    )]
    pub fn new() -> Self {
        Self::from_seed(match std::env::var("HUSH_TEST_SEED") {
            Ok(seed) => seed.parse().expect("HUSH_TEST_SEED is a number"),
            Err(_) => OsRng
                .try_next_u64()
                .expect("the operating system has randomness"),
        })
    }

    /// From a given seed.
    #[must_use]
    pub fn from_seed(seed: u64) -> Self {
        eprintln!("HUSH_TEST_SEED={seed}");
        Self(ChaCha20Rng::seed_from_u64(seed))
    }
}

impl RngCore for TestRng {
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

impl CryptoRng for TestRng {}
