//! The file of accounts.
//!
//! ```toml
//! [[account]]
//! name = "alice"
//! roles = ["predict", "upload-keys"]
//! models = ["cancer"]          # all of them if it is left out
//!
//! [[account.token]]
//! hash = "5e3c…"               # blake3 of the token
//! created = 2026-01-01T00:00:00Z
//! expires = 2027-01-01T00:00:00Z
//! ```

use std::fmt::Write as _;
use std::io::Write as _;
use std::path::Path;
use std::time::SystemTime;

use hush_serving::{ModelPermission, Roles};
use serde::Deserialize;
use toml::Value;
use toml::value::Datetime;

use super::time;
use super::token::TokenHash;
use crate::ServerError;
use crate::settings::{role, role_name};

/// Somebody who may use the server.
#[derive(Clone, Debug)]
pub(crate) struct Account {
    pub(crate) name: String,
    pub(crate) roles: Roles,
    pub(crate) models: ModelPermission,
    /// None: for callers known by certificate or issuer.
    pub(crate) tokens: Vec<Token>,
}

/// A token of an account.
#[derive(Clone, Debug)]
pub(crate) struct Token {
    pub(crate) hash: TokenHash,
    pub(crate) created: SystemTime,
    pub(crate) expires: Option<SystemTime>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    account: Vec<FileAccount>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileAccount {
    name: String,
    roles: Vec<String>,
    models: Option<Vec<String>>,
    #[serde(default)]
    token: Vec<FileToken>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileToken {
    hash: String,
    created: Datetime,
    expires: Option<Datetime>,
}

/// Reads the text of a file.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn parse(text: &str) -> Result<Vec<Account>, String> {
    let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
    let mut accounts: Vec<Account> = Vec::with_capacity(file.account.len());
    for account in file.account {
        let name = account.name;
        if name.is_empty() {
            return Err("an account has no name".into());
        }
        if accounts.iter().any(|other| other.name == name) {
            return Err(format!("there are two accounts `{name}`"));
        }
        let about = |reason: String| format!("account `{name}`: {reason}");
        let roles: Result<Roles, _> = account.roles.iter().map(|name| role(name)).collect();
        let tokens: Result<Vec<Token>, _> = account.token.iter().map(token).collect();
        accounts.push(Account {
            roles: roles.map_err(about)?,
            tokens: tokens.map_err(about)?,
            models: match account.models {
                None => ModelPermission::All,
                Some(names) => ModelPermission::Named(names.into_iter().collect()),
            },
            name,
        });
    }
    Ok(accounts)
}

fn token(token: &FileToken) -> Result<Token, String> {
    let moment = |moment: &Datetime| {
        time::parse(moment).ok_or_else(|| format!("{moment} is no moment in UTC"))
    };
    Ok(Token {
        hash: TokenHash::parse(&token.hash)
            .ok_or_else(|| format!("`{}` is no hash of a token", token.hash))?,
        created: moment(&token.created)?,
        expires: token.expires.as_ref().map(moment).transpose()?,
    })
}

/// The text of a file.
pub(crate) fn write(accounts: &[Account]) -> String {
    let mut text = String::from(
        "# Accounts of hush-server: written by `hush-server token`, and by hand.\n\
         # Roles: predict, upload-keys, track, administer. Without `models` an account may use all of them.\n",
    );
    for account in accounts {
        let roles = account.roles.iter().map(|&role| role_name(role).to_owned());
        let _ = writeln!(text, "\n[[account]]");
        let _ = writeln!(text, "name = {}", Value::from(account.name.as_str()));
        let _ = writeln!(text, "roles = {}", array(roles));
        if let ModelPermission::Named(names) = &account.models {
            let _ = writeln!(text, "models = {}", array(names.iter().cloned()));
        }
        for token in &account.tokens {
            let _ = writeln!(text, "\n[[account.token]]");
            let _ = writeln!(text, "hash = \"{}\"", token.hash);
            let _ = writeln!(text, "created = {}", time::write(token.created));
            if let Some(expires) = token.expires {
                let _ = writeln!(text, "expires = {}", time::write(expires));
            }
        }
    }
    text
}

fn array(values: impl Iterator<Item = String>) -> Value {
    Value::Array(values.map(Value::from).collect())
}

/// Reads a file; one that is not there has no accounts.
///
/// # Errors
/// [`ServerError::File`].
pub(crate) fn read(path: &Path) -> Result<Vec<Account>, ServerError> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(wrong(path, error.to_string())),
    };
    parse(&text).map_err(|reason| wrong(path, reason))
}

/// Replaces a file in one step; only its owner may read it.
///
/// # Errors
/// [`ServerError::File`].
pub(crate) fn replace(path: &Path, accounts: &[Account]) -> Result<(), ServerError> {
    let mut beside = path.as_os_str().to_owned();
    beside.push(format!(".{}.new", std::process::id()));
    let beside = Path::new(&beside);
    let mut options = std::fs::OpenOptions::new();
    options.write(true).create(true).truncate(true);
    #[cfg(unix)]
    std::os::unix::fs::OpenOptionsExt::mode(&mut options, 0o600);
    let written = options.open(beside).and_then(|mut file| {
        file.write_all(write(accounts).as_bytes())?;
        file.sync_all()?;
        std::fs::rename(beside, path)
    });
    written.map_err(|error| {
        let _ = std::fs::remove_file(beside);
        wrong(path, error.to_string())
    })
}

fn wrong(path: &Path, reason: String) -> ServerError {
    ServerError::File {
        path: path.to_owned(),
        reason: reason.trim_end().to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use hush_serving::Role;

    use super::*;

    #[test]
    fn accounts_come_back() {
        let account = Account {
            name: "a \"b\"".into(),
            roles: [Role::Predict, Role::UploadKeys].into(),
            models: ModelPermission::Named(["cancer".to_owned()].into()),
            tokens: vec![Token {
                hash: TokenHash::of("x"),
                created: UNIX_EPOCH + Duration::from_secs(1_800_000_000),
                expires: None,
            }],
        };
        let text = write(std::slice::from_ref(&account));
        let read = parse(&text).unwrap();
        assert_eq!(write(&read), text);
        assert_eq!(read[0].name, account.name);
        assert_eq!(read[0].tokens[0].created, account.tokens[0].created);
    }

    #[test]
    fn mistakes_are_named() {
        let wrong = |text: &str| parse(text).unwrap_err();
        assert_eq!(
            wrong("[[account]]\nname = 'a'\nroles = ['king']"),
            "account `a`: `king` is none of the roles predict, upload-keys, track, administer"
        );
        assert_eq!(
            wrong("[[account]]\nname = 'a'\nroles = []\n[[account]]\nname = 'a'\nroles = []"),
            "there are two accounts `a`"
        );
        assert!(wrong("[[account]]\nname = 'a'\nroles = []\nmodel = ['m']").contains("`model`"));
    }
}
