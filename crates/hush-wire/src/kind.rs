//! What a file holds.

use std::fmt;

/// What an envelope holds; written as two bytes after the magic.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Kind {
    /// A compiled model: program, weights and client spec. Stays with the model owner.
    Model,
    /// A client spec: parameters, layouts and key manifest, no weights. Public.
    Client,
    /// A secret key. Stays with the data owner.
    SecretKey,
    /// Evaluation keys: what the server needs to compute. Public.
    EvaluationKeys,
    /// Encrypted inputs or outputs.
    Ciphertexts,
}

impl Kind {
    /// Every kind this version knows.
    pub const ALL: [Self; 5] = [
        Self::Model,
        Self::Client,
        Self::SecretKey,
        Self::EvaluationKeys,
        Self::Ciphertexts,
    ];

    /// The number that stands for this kind in a file.
    pub fn code(self) -> u16 {
        match self {
            Self::Model => 1,
            Self::Client => 2,
            Self::SecretKey => 3,
            Self::EvaluationKeys => 4,
            Self::Ciphertexts => 5,
        }
    }

    /// The kind with this number, if any.
    pub fn from_code(code: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.code() == code)
    }

    /// The newest version of this kind that this library reads and writes.
    pub fn version(self) -> u16 {
        1
    }

    /// What this kind is called on the command line, in the singular.
    pub fn name(self) -> &'static str {
        match self {
            Self::Model => "model",
            Self::Client => "client spec",
            Self::SecretKey => "secret key",
            Self::EvaluationKeys => "evaluation keys",
            Self::Ciphertexts => "ciphertexts",
        }
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_distinct_and_round_trip() {
        for kind in Kind::ALL {
            assert_eq!(Kind::from_code(kind.code()), Some(kind));
        }
        assert_eq!(Kind::from_code(0), None);
        assert_eq!(Kind::from_code(6), None);
    }
}
