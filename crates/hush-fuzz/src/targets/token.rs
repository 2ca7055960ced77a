//! What callers show to be known.

use super::Target;
use crate::world::world;

/// The value of the header `authorization`: a token of the server's own, or one of an issuer.
pub(super) const TOKEN: Target = Target {
    name: "token",
    seeds: || {
        hush_server::fuzzing::AUTHORIZATIONS
            .iter()
            .map(|value| value.as_bytes().to_vec())
            .collect()
    },
    run: |bytes| {
        let known = world().block_on(hush_server::fuzzing::authorize(bytes));
        // Of what is not a seed, nothing opens.
        let seed = hush_server::fuzzing::AUTHORIZATIONS
            .iter()
            .any(|value| value.as_bytes() == bytes);
        assert!(seed || !known || same_token(bytes), "a forged token opens");
        known
    },
};

/// Whether it is a seed but for the scheme's letters and spaces.
fn same_token(bytes: &[u8]) -> bool {
    let token = |bytes: &[u8]| {
        let text = String::from_utf8_lossy(bytes).into_owned();
        text.split_once(' ')
            .map(|(_, token)| token.trim().to_owned())
    };
    hush_server::fuzzing::AUTHORIZATIONS
        .iter()
        .any(|value| token(value.as_bytes()) == token(bytes))
}
