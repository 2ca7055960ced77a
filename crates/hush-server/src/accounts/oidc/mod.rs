//! Tokens of an OpenID Connect issuer.

mod fetch;
mod signature;

use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use hush_serving::{ErrorKind, ServingError};
use jsonwebtoken::jwk::JwkSet;
use jsonwebtoken::{DecodingKey, Validation, decode, decode_header};
use serde_json::{Map, Value};

use super::unauthenticated;

pub(crate) use fetch::may_ask;

/// How long fetched keys are good for.
const LIFETIME: Duration = Duration::from_secs(600);
/// The least time between two attempts to fetch keys, so that nobody makes the server ask by inventing key ids.
const PAUSE: Duration = Duration::from_secs(10);
/// Clocks may differ by so many seconds.
const LEEWAY: u64 = 60;

/// An issuer, its keys fetched when they are needed.
pub(super) struct Issuer {
    url: String,
    audience: String,
    keys: RwLock<Arc<Keys>>,
    /// One fetch at a time; when the last one was begun.
    fetching: tokio::sync::Mutex<Option<Instant>>,
}

#[derive(Default)]
struct Keys {
    set: Option<JwkSet>,
    fetched: Option<Instant>,
}

impl Keys {
    fn is_fresh(&self) -> bool {
        let fetched = self.fetched;
        fetched.is_some_and(|fetched| fetched.elapsed() < LIFETIME)
    }
}

impl Issuer {
    pub(super) fn new(url: &str, audience: &str) -> Self {
        signature::install();
        Self {
            url: url.to_owned(),
            audience: audience.to_owned(),
            keys: RwLock::default(),
            fetching: tokio::sync::Mutex::new(None),
        }
    }

    /// With its keys at hand: it is not asked for them.
    #[cfg(feature = "fuzzing")]
    pub(super) fn with_keys(url: &str, audience: &str, keys: &str) -> Self {
        let keys = Keys {
            set: serde_json::from_str(keys).ok(),
            fetched: Some(Instant::now()),
        };
        Self {
            keys: RwLock::new(Arc::new(keys)),
            fetching: tokio::sync::Mutex::new(Some(Instant::now())),
            ..Self::new(url, audience)
        }
    }

    /// The claims of a token that the issuer signed for this server and that is valid now.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthenticated`]; [`ErrorKind::Unavailable`] if the issuer cannot be asked for its keys.
    pub(super) async fn verify(&self, token: &str) -> Result<Map<String, Value>, ServingError> {
        let header = decode_header(token).map_err(|_| unauthenticated("this is no token"))?;
        let id = header.kid.as_deref();
        let id = id.ok_or_else(|| unauthenticated("the token names no key of its issuer"))?;
        if !signature::ALGORITHMS.contains(&header.alg) {
            return Err(unauthenticated(
                "the token is signed in a way that is not accepted",
            ));
        }
        let key = self.key(id).await?;
        let mut validation = Validation::new(header.alg);
        validation.leeway = LEEWAY;
        validation.validate_nbf = true;
        validation.set_audience(&[&self.audience]);
        validation.set_issuer(&[&self.url]);
        validation.set_required_spec_claims(&["exp", "iss", "aud"]);
        let decoded = decode::<Map<String, Value>>(token, &key, &validation);
        // The reason is one of a fixed list, such as `ExpiredSignature`.
        let decoded = decoded.map_err(|error| {
            unauthenticated(&format!("the token is not valid: {:?}", error.kind()))
        })?;
        Ok(decoded.claims)
    }

    /// What this server is called there.
    pub(super) fn audience(&self) -> &str {
        &self.audience
    }

    /// Its host, for people.
    pub(super) fn name(&self) -> String {
        let host = self.url.split_once("://").map_or("", |(_, rest)| rest);
        host.split('/').next().unwrap_or_default().to_owned()
    }

    /// The address of its page to sign in at.
    ///
    /// # Errors
    /// What went wrong, in words for the page.
    pub(super) async fn authorization(&self) -> Result<String, String> {
        let found = fetch::endpoint(&self.url, "authorization_endpoint").await;
        found.map_err(|reason| self.unreachable(&reason))
    }

    /// The identity token that it gives for a form with a code.
    ///
    /// # Errors
    /// What went wrong, in words for the page.
    pub(super) async fn redeem(&self, form: String) -> Result<String, String> {
        let token = fetch::redeem(&self.url, form).await;
        token.map_err(|reason| self.unreachable(&reason))
    }

    fn unreachable(&self, reason: &str) -> String {
        tracing::warn!(issuer = %self.url, reason, "nobody can sign in at the issuer");
        "The issuer cannot be asked now; the log of the server says why.".into()
    }

    async fn key(&self, id: &str) -> Result<DecodingKey, ServingError> {
        let held = self.held();
        if held.is_fresh()
            && let Some(key) = find(&held, id)?
        {
            return Ok(key);
        }
        self.refresh(id).await?;
        let key = find(&self.held(), id)?;
        key.ok_or_else(|| unauthenticated("the issuer has no key of the token's id"))
    }

    fn held(&self) -> Arc<Keys> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(&keys)
    }

    async fn refresh(&self, id: &str) -> Result<(), ServingError> {
        let mut last = self.fetching.lock().await;
        let held = self.held();
        if held.is_fresh() && find(&held, id)?.is_some() {
            return Ok(());
        }
        if last.is_some_and(|last| last.elapsed() < PAUSE) {
            return Ok(());
        }
        *last = Some(Instant::now());
        let set = fetch::keys(&self.url).await.map_err(|reason| {
            tracing::warn!(issuer = %self.url, reason, "the issuer's keys cannot be fetched");
            ServingError::new(
                ErrorKind::Unavailable,
                "the token's issuer cannot be asked now; try again",
            )
        })?;
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        *keys = Arc::new(Keys {
            set: Some(set),
            fetched: Some(Instant::now()),
        });
        Ok(())
    }
}

fn find(keys: &Keys, id: &str) -> Result<Option<DecodingKey>, ServingError> {
    let found = keys.set.as_ref().and_then(|set| set.find(id));
    let key = found.map(DecodingKey::from_jwk).transpose();
    key.map_err(|_| unauthenticated("the issuer's key is not of a kind that is accepted"))
}
