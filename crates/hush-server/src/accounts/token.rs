//! Tokens: 256 random bits that only their owner keeps; the server keeps a hash.

use std::fmt;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;

use crate::ServerError;

/// What every token begins with, so that people and scanners of leaked secrets know it.
const PREFIX: &str = "hush_";

/// The hash of a token: enough to know it again, and of no use to whoever reads it. The token is random, so it needs no
/// slow hash.
///
/// Comparing takes the same time wherever two hashes differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct TokenHash(blake3::Hash);

impl TokenHash {
    /// The hash of what a caller shows.
    pub(crate) fn of(token: &str) -> Self {
        Self(blake3::hash(token.as_bytes()))
    }

    /// Reads what [`fmt::Display`] wrote.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        blake3::Hash::from_hex(text).ok().map(Self)
    }

    /// Enough of it to tell tokens apart.
    pub(crate) fn short(&self) -> String {
        self.to_string().chars().take(8).collect()
    }
}

impl fmt::Display for TokenHash {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(formatter)
    }
}

/// Makes a token.
///
/// # Errors
/// [`ServerError::System`] if there are no random numbers.
pub(crate) fn make() -> Result<String, ServerError> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|error| ServerError::System {
        what: "random numbers",
        source: error.into(),
    })?;
    Ok(format!("{PREFIX}{}", URL_SAFE_NO_PAD.encode(secret)))
}

/// Whether it looks like one of ours; others may be those of an issuer.
pub(crate) fn is_ours(token: &str) -> bool {
    token.starts_with(PREFIX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tokens_are_known_by_their_hash() {
        let token = make().unwrap();
        assert_eq!(token.len(), PREFIX.len() + 43);
        assert!(is_ours(&token));
        let hash = TokenHash::of(&token);
        assert_eq!(TokenHash::parse(&hash.to_string()), Some(hash));
        assert_ne!(hash, TokenHash::of(&make().unwrap()));
    }
}
