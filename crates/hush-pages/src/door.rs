//! What the pages ask of whoever knows the accounts.

use std::future::Future;
use std::pin::Pin;

/// A result that comes later.
pub type Later<'a, T> = Pin<Box<dyn Future<Output = T> + Send + 'a>>;

/// Somebody whom a token names.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Known {
    /// Name of the account.
    pub name: String,
}

/// How somebody can sign in at an issuer of identities: by the authorization code flow of OpenID Connect, with a proof key
/// (RFC 7636) in place of a secret of the client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SignIn {
    /// What the button says: the issuer's host.
    pub name: String,
    /// What this server is called at the issuer.
    pub client: String,
}

/// The accounts of the server, as the page to sign in needs them.
pub trait Door: Send + Sync {
    /// Whom a token names; why nobody, in words for the page, otherwise.
    fn known<'a>(&'a self, token: &'a str) -> Later<'a, Result<Known, String>>;

    /// The issuer that people can sign in at, if there is one.
    fn issuer(&self) -> Option<SignIn>;

    /// The address of the issuer's page to sign in at.
    fn authorization(&self) -> Later<'_, Result<String, String>>;

    /// The identity token that the issuer gives for a form (`application/x-www-form-urlencoded`) with a code.
    fn redeem(&self, form: String) -> Later<'_, Result<String, String>>;
}
