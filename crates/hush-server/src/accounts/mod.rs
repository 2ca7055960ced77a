//! Who the server knows, and how it knows them: by a token, a certificate, or what an issuer says.

pub(crate) mod file;
mod oidc;
mod time;
pub(crate) mod token;

pub(crate) use oidc::may_ask;
pub(crate) use time::write as write_time;

use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, SystemTime};

use hush_serving::{ErrorKind, Identity, ModelPermission, ServingError};

use crate::ServerError;
use crate::settings::{self, Settings};
use file::Account;
use oidc::Issuer;
use token::TokenHash;

/// How often the file of accounts is looked at.
const PERIOD: Duration = Duration::from_secs(1);

/// Everybody that the server knows. Clones know the same.
#[derive(Clone)]
pub(crate) struct Accounts(Arc<Inner>);

struct Inner {
    file: Option<PathBuf>,
    accounts: RwLock<Arc<Vec<Account>>>,
    issuer: Option<(Issuer, settings::Oidc)>,
}

impl Accounts {
    /// Reads the file of accounts; `None` if the settings ask for no accounts.
    ///
    /// # Errors
    /// [`ServerError::File`].
    pub(crate) fn open(settings: &Settings) -> Result<Option<Self>, ServerError> {
        if !settings.has_accounts() {
            return Ok(None);
        }
        let file = settings.tokens.clone();
        let accounts = match &file {
            None => Vec::new(),
            Some(path) if !path.exists() => {
                return Err(ServerError::File {
                    path: path.clone(),
                    reason: "it does not exist; `hush-server token create` makes it".into(),
                });
            }
            Some(path) => file::read(path)?,
        };
        let issuer = settings.oidc.clone().map(|oidc| {
            let issuer = Issuer::new(&oidc.issuer, &oidc.audience);
            (issuer, oidc)
        });
        Ok(Some(Self(Arc::new(Inner {
            file,
            accounts: RwLock::new(Arc::new(accounts)),
            issuer,
        }))))
    }

    /// One account with one token, and an issuer that is never asked.
    #[cfg(feature = "fuzzing")]
    pub(crate) fn for_fuzzing() -> Self {
        use crate::fuzzing::{AUDIENCE, AUTHORIZATIONS, ISSUER, KEYS};
        let shown = AUTHORIZATIONS[0].trim_start_matches("Bearer ");
        let account = Account {
            name: "alice".into(),
            roles: [hush_serving::Role::Predict].into(),
            models: ModelPermission::All,
            tokens: vec![file::Token {
                hash: TokenHash::of(shown),
                created: SystemTime::UNIX_EPOCH,
                expires: None,
            }],
        };
        let issuer = Issuer::with_keys(ISSUER, AUDIENCE, KEYS);
        let oidc = settings::Oidc {
            issuer: ISSUER.into(),
            audience: AUDIENCE.into(),
            claim: "sub".into(),
            roles: [hush_serving::Role::Predict].into(),
        };
        Self(Arc::new(Inner {
            file: None,
            accounts: RwLock::new(Arc::new(vec![account])),
            issuer: Some((issuer, oidc)),
        }))
    }

    /// How many there are in the file.
    pub(crate) fn count(&self) -> usize {
        self.all().len()
    }

    fn all(&self) -> Arc<Vec<Account>> {
        let accounts = self.0.accounts.read();
        Arc::clone(&accounts.unwrap_or_else(PoisonError::into_inner))
    }

    /// Reads the file again whenever it changes, for ever. One that cannot be read leaves everything as it was.
    pub(crate) async fn follow_file(self) {
        let Some(path) = self.0.file.clone() else {
            return;
        };
        let mut seen = stamp(&path);
        loop {
            tokio::time::sleep(PERIOD).await;
            let now = stamp(&path);
            if now == seen {
                continue;
            }
            seen = now;
            self.reload(&path);
        }
    }

    fn reload(&self, path: &Path) {
        match file::read(path) {
            Ok(accounts) => {
                tracing::info!(
                    accounts = accounts.len(),
                    "the file of accounts has changed"
                );
                let mut held = self
                    .0
                    .accounts
                    .write()
                    .unwrap_or_else(PoisonError::into_inner);
                *held = Arc::new(accounts);
            }
            Err(error) => {
                tracing::error!(%error, "the file of accounts cannot be read; the old accounts stay");
            }
        }
    }

    /// Who shows this token.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthenticated`]; [`ErrorKind::Unavailable`] if the issuer cannot be asked.
    pub(crate) async fn by_token(&self, shown: &str) -> Result<Identity, ServingError> {
        if !token::is_ours(shown)
            && let Some((issuer, settings)) = &self.0.issuer
        {
            let claims = issuer.verify(shown).await?;
            return self.by_claims(&claims, settings);
        }
        let hash = TokenHash::of(shown);
        let now = SystemTime::now();
        let mut found = None;
        // All of them are compared, each in the same time.
        for account in self.all().iter() {
            for token in &account.tokens {
                let valid = token.expires.is_none_or(|expires| now < expires);
                if token.hash == hash && valid {
                    found = Some(identity(account));
                }
            }
        }
        found.ok_or_else(|| unauthenticated("the token is unknown, revoked or expired"))
    }

    /// The issuer that people can sign in at: its name and what this server is called there.
    pub(crate) fn issuer(&self) -> Option<(String, String)> {
        let (issuer, _) = self.0.issuer.as_ref()?;
        Some((issuer.name(), issuer.audience().to_owned()))
    }

    /// The address of the issuer's page to sign in at.
    ///
    /// # Errors
    /// What went wrong, in words for a page.
    pub(crate) async fn authorization(&self) -> Result<String, String> {
        match &self.0.issuer {
            Some((issuer, _)) => issuer.authorization().await,
            None => Err("The server knows no issuer.".into()),
        }
    }

    /// The identity token that the issuer gives for a form with a code.
    ///
    /// # Errors
    /// What went wrong, in words for a page.
    pub(crate) async fn redeem(&self, form: String) -> Result<String, String> {
        match &self.0.issuer {
            Some((issuer, _)) => issuer.redeem(form).await,
            None => Err("The server knows no issuer.".into()),
        }
    }

    /// Who is named by a verified certificate.
    ///
    /// # Errors
    /// [`ErrorKind::Unauthenticated`].
    pub(crate) fn by_certificate(&self, name: &str) -> Result<Identity, ServingError> {
        let accounts = self.all();
        let account = accounts.iter().find(|account| account.name == name);
        account
            .map(identity)
            .ok_or_else(|| unauthenticated("there is no account of the certificate's common name"))
    }

    fn by_claims(
        &self,
        claims: &serde_json::Map<String, serde_json::Value>,
        settings: &settings::Oidc,
    ) -> Result<Identity, ServingError> {
        let value = claims.get(&settings.claim).and_then(|value| value.as_str());
        let value = value.filter(|value| !value.is_empty()).ok_or_else(|| {
            unauthenticated(&format!("the token has no claim `{}`", settings.claim))
        })?;
        // So that nobody becomes a local account by choosing its name elsewhere.
        let name = format!("oidc:{value}");
        let accounts = self.all();
        if let Some(account) = accounts.iter().find(|account| account.name == name) {
            return Ok(identity(account));
        }
        if settings.roles.is_empty() {
            return Err(unauthenticated(&format!("there is no account `{name}`")));
        }
        Ok(Identity {
            name: name.into(),
            roles: settings.roles.clone(),
            models: ModelPermission::All,
        })
    }
}

fn identity(account: &Account) -> Identity {
    Identity {
        name: account.name.as_str().into(),
        roles: account.roles.clone(),
        models: account.models.clone(),
    }
}

/// A refusal of somebody who is not known.
pub(crate) fn unauthenticated(message: &str) -> ServingError {
    ServingError::new(ErrorKind::Unauthenticated, message)
}

fn stamp(path: &Path) -> Option<(SystemTime, u64)> {
    let metadata = std::fs::metadata(path).ok()?;
    Some((metadata.modified().ok()?, metadata.len()))
}
