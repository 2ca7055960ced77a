//! Addresses that carry their own permission: whoever has one may do what it says, for a while.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::hmac;

use super::Tracking;
use crate::database::{Session, values};
use crate::{ErrorCode, TrackingError, time};

type Result<T> = std::result::Result<T, TrackingError>;

/// What an address lets its holder do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Grant {
    /// GET or PUT.
    pub(crate) method: String,
    pub(crate) path: String,
    /// Seconds since 1970 after which it is worth nothing.
    pub(crate) expires: i64,
    /// The upload and which part of it, if it is about one.
    pub(crate) part: Option<(String, i64)>,
}

impl Grant {
    /// What is signed: every field, none of which can be taken for another.
    fn text(&self) -> String {
        let (upload, number) = self.part.clone().unwrap_or_default();
        serde_json::json!([self.method, self.path, self.expires, upload, number]).to_string()
    }
}

impl Tracking {
    /// The key that all servers of a store sign with.
    async fn signing_key(&self) -> Result<hmac::Key> {
        let fresh = URL_SAFE_NO_PAD.encode(time::random::<32>()?);
        let find = |session: &mut Session<'_>| {
            session.query_first(
                "SELECT value FROM secrets WHERE name = 'signing'",
                &[],
                |row| row.text(0),
            )
        };
        let known = self.database().read(find).await?;
        let text = match known {
            Some(text) => text,
            None => {
                let make = move |session: &mut Session<'_>| {
                    session.execute(
                        "INSERT INTO secrets (name, value) VALUES ('signing', ?) ON CONFLICT (name) DO NOTHING",
                        &values![&fresh],
                    )?;
                    let text = find(session)?;
                    text.ok_or_else(|| TrackingError::internal("a key", &"it went away"))
                };
                self.database().write(make).await?
            }
        };
        Ok(hmac::Key::new(hmac::HMAC_SHA256, text.as_bytes()))
    }

    /// Signs what an address lets its holder do.
    pub(crate) async fn sign(&self, grant: &Grant) -> Result<String> {
        let tag = hmac::sign(&self.signing_key().await?, grant.text().as_bytes());
        Ok(URL_SAFE_NO_PAD.encode(tag))
    }

    /// Refuses an address that was not signed here, or whose time is over.
    pub(crate) async fn check_signature(&self, grant: &Grant, signature: &str) -> Result<()> {
        let refused = || {
            TrackingError::new(
                ErrorCode::PermissionDenied,
                "the address is not signed, or its time is over",
            )
        };
        let tag = URL_SAFE_NO_PAD.decode(signature).map_err(|_| refused())?;
        let key = self.signing_key().await?;
        hmac::verify(&key, grant.text().as_bytes(), &tag).map_err(|_| refused())?;
        if grant.expires * 1000 < time::now() {
            return Err(refused());
        }
        Ok(())
    }
}
