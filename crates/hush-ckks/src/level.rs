//! How many rescalings a ciphertext has left.

use std::fmt;

/// A position in the modulus chain: a ciphertext at level `l` has the limbs `q_0..=q_l`.
///
/// A fresh ciphertext is at most at [`crate::Parameters::max_level`]; a rescale lowers it by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Level(pub usize);

impl Level {
    /// Number of chain limbs at this level, `l + 1`.
    #[must_use]
    pub fn limbs(self) -> usize {
        self.0 + 1
    }
}

impl fmt::Display for Level {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}
