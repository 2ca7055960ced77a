//! What can go wrong on the secret side.

use hush_ckks::CkksError;
use hush_wire::WireError;

/// Why keys, encryption or decryption fail.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeysError {
    /// A mismatch of keys, parameters, levels or slots.
    #[error(transparent)]
    Ckks(#[from] CkksError),
    /// Stored secret material that is not a ternary polynomial of the right length.
    #[error(transparent)]
    Wire(#[from] WireError),
    /// The operating system has no randomness to give.
    #[error("the operating system gave no randomness: {source}")]
    Randomness {
        /// Its answer.
        source: rand_core::OsError,
    },
    /// Flooding that is no number, or none at all.
    #[error("noise flooding needs a positive error deviation and at least one query")]
    InvalidFlooding,
    /// Flooding that would overflow the ciphertext's modulus, or the sampler.
    #[error(
        "flooding noise of 2^{log_deviation:.1} exceeds the limit 2^{log_max:.1} at this level; \
         decrypt at a higher level or ask for fewer bits or queries"
    )]
    FloodingTooLarge {
        /// `log2` of the standard deviation.
        log_deviation: f64,
        /// `log2` of the largest one that fits.
        log_max: f64,
    },
}
