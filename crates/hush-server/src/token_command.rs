//! `hush-server token`: makes, lists and revokes tokens.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use clap::{Arg, ArgAction, ArgMatches, Command, value_parser};
use hush_serving::{ModelPermission, Roles};

use crate::ServerError;
use crate::accounts::file::{self, Account, Token};
use crate::accounts::token::{self, TokenHash};
use crate::accounts::write_time;
use crate::settings::value::duration;
use crate::settings::{role, role_name};

/// The command.
pub(crate) fn command() -> Command {
    let file = Arg::new("tokens")
        .long("tokens")
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .required(true)
        .env("HUSH_SERVER_TOKENS")
        .help("The file of accounts");
    let name = Arg::new("name").value_name("ACCOUNT").required(true);
    let list = |name: &'static str, value: &'static str, help: &'static str| {
        Arg::new(name)
            .long(name)
            .value_name(value)
            .value_delimiter(',')
            .action(ArgAction::Append)
            .help(help)
    };
    Command::new("token")
        .about("Make, list and revoke tokens")
        .subcommand_required(true)
        .arg_required_else_help(true)
        .subcommand(
            Command::new("create")
                .about("Make a token, and its account if it is new; prints the token, which is kept nowhere")
                .arg(name.clone().help("Account that it is for"))
                .arg(file.clone())
                .arg(list("roles", "ROLE", "predict, upload-keys, track, administer [default: predict,upload-keys]"))
                .arg(list("models", "MODEL", "Models that the account may use [default: all]"))
                .arg(
                    Arg::new("expires")
                        .long("expires")
                        .value_name("TIME")
                        .help("How long the token is good for, like 90d [default: for ever]"),
                ),
        )
        .subcommand(Command::new("list").about("List accounts and tokens").arg(file.clone()))
        .subcommand(
            Command::new("revoke")
                .about("Revoke tokens")
                .arg(file)
                .arg(name.help("Account whose tokens are revoked"))
                .arg(
                    Arg::new("token")
                        .value_name("TOKEN")
                        .help("Only this one: the id that `token list` shows"),
                ),
        )
}

/// Runs it; returns what to print.
///
/// # Errors
/// [`ServerError::File`], [`ServerError::Account`].
pub(crate) fn run(matches: &ArgMatches) -> Result<String, ServerError> {
    let Some((verb, matches)) = matches.subcommand() else {
        return Err(ServerError::Account("create, list or revoke?".into()));
    };
    let path = matches.get_one::<PathBuf>("tokens").cloned();
    let path = path.unwrap_or_default();
    let text = |name: &str| matches.get_one::<String>(name).map(String::as_str);
    match verb {
        "create" => {
            let values = |name: &str| {
                matches
                    .get_many::<String>(name)
                    .map(|values| values.cloned())
            };
            let roles = values("roles").map(|mut names| names.try_fold(Roles::new(), with_role));
            let expires = text("expires").map(duration).transpose();
            let wanted = Wanted {
                name: text("name").unwrap_or_default(),
                roles: roles.transpose().map_err(ServerError::Account)?,
                models: values("models").map(Iterator::collect),
                expires: expires.map_err(ServerError::Account)?,
            };
            create(&path, wanted)
        }
        "list" => Ok(list(&file::read(&path)?)),
        _ => revoke(&path, text("name").unwrap_or_default(), text("token")),
    }
}

fn with_role(mut roles: Roles, name: String) -> Result<Roles, String> {
    roles.insert(role(&name)?);
    Ok(roles)
}

struct Wanted<'a> {
    name: &'a str,
    roles: Option<Roles>,
    models: Option<BTreeSet<String>>,
    expires: Option<Duration>,
}

fn create(path: &Path, wanted: Wanted<'_>) -> Result<String, ServerError> {
    let mut accounts = file::read(path)?;
    let (made, now) = (token::make()?, SystemTime::now());
    let token = Token {
        hash: TokenHash::of(&made),
        created: now,
        expires: wanted.expires.and_then(|after| now.checked_add(after)),
    };
    let found = accounts
        .iter()
        .position(|account| account.name == wanted.name);
    let account = match found {
        Some(index) => &mut accounts[index],
        None => {
            accounts.push(Account {
                name: wanted.name.to_owned(),
                roles: [hush_serving::Role::Predict, hush_serving::Role::UploadKeys].into(),
                models: ModelPermission::All,
                tokens: Vec::new(),
            });
            let last = accounts.len() - 1;
            &mut accounts[last]
        }
    };
    if let Some(roles) = wanted.roles {
        account.roles = roles;
    }
    if let Some(models) = wanted.models {
        account.models = ModelPermission::Named(models);
    }
    account.tokens.push(token);
    file::replace(path, &accounts)?;
    Ok(format!("{made}\n"))
}

fn list(accounts: &[Account]) -> String {
    let mut rows =
        vec![["account", "roles", "models", "token", "created", "expires"].map(String::from)];
    for account in accounts {
        let roles: Vec<_> = account.roles.iter().map(|&role| role_name(role)).collect();
        let models = match &account.models {
            ModelPermission::All => "all".to_owned(),
            ModelPermission::Named(names) => names.iter().cloned().collect::<Vec<_>>().join(","),
        };
        let head = [account.name.clone(), roles.join(","), models];
        let row = |rest: [String; 3]| {
            let [name, roles, models] = head.clone();
            let [token, created, expires] = rest;
            [name, roles, models, token, created, expires]
        };
        if account.tokens.is_empty() {
            rows.push(row(["-", "-", "-"].map(String::from)));
        }
        for token in &account.tokens {
            rows.push(row([
                token.hash.short(),
                write_time(token.created),
                token.expires.map_or_else(|| "never".into(), write_time),
            ]));
        }
    }
    aligned(&rows)
}

fn aligned<const COLUMNS: usize>(rows: &[[String; COLUMNS]]) -> String {
    let widths: [usize; COLUMNS] = std::array::from_fn(|column| {
        let widths = rows.iter().map(|row| row[column].chars().count());
        widths.max().unwrap_or(0)
    });
    let mut text = String::new();
    for row in rows {
        let mut line = String::new();
        for (cell, width) in row.iter().zip(widths) {
            let _ = write!(line, "{cell:<width$}  ");
        }
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn revoke(path: &Path, name: &str, id: Option<&str>) -> Result<String, ServerError> {
    let mut accounts = file::read(path)?;
    let account = accounts.iter_mut().find(|account| account.name == name);
    let account =
        account.ok_or_else(|| ServerError::Account(format!("there is no account `{name}`")))?;
    let before = account.tokens.len();
    account
        .tokens
        .retain(|token| id.is_some_and(|id| token.hash.short() != id));
    let revoked = before - account.tokens.len();
    if revoked == 0 {
        return Err(ServerError::Account(format!(
            "account `{name}` has no such token; `token list` shows them"
        )));
    }
    file::replace(path, &accounts)?;
    Ok(format!("{revoked} revoked\n"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn run_with(path: &Path, arguments: &[&str]) -> Result<String, String> {
        let (verb, rest) = arguments.split_first().unwrap();
        let mut line = vec!["token", verb, "--tokens", path.to_str().unwrap()];
        line.extend(rest);
        let matches = command().try_get_matches_from(line).unwrap();
        run(&matches).map_err(|error| error.to_string())
    }

    #[test]
    fn tokens_are_made_listed_and_revoked() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("tokens.toml");
        let made = run_with(&path, &["create", "alice", "--models", "cancer"]).unwrap();
        run_with(
            &path,
            &[
                "create",
                "alice",
                "--roles",
                "administer",
                "--expires",
                "90d",
            ],
        )
        .unwrap();
        let accounts = file::read(&path).unwrap();
        let hash = TokenHash::of(made.trim());
        assert_eq!(accounts[0].tokens[0].hash, hash);
        assert!(
            !std::fs::read_to_string(&path)
                .unwrap()
                .contains(made.trim())
        );
        let listed = run_with(&path, &["list"]).unwrap();
        assert_eq!(listed.lines().count(), 3, "{listed}");
        assert!(listed.contains("alice    administer  cancer"), "{listed}");
        run_with(&path, &["revoke", "alice", &hash.short()]).unwrap();
        assert_eq!(file::read(&path).unwrap()[0].tokens.len(), 1);
        run_with(&path, &["revoke", "alice"]).unwrap();
        assert!(run_with(&path, &["revoke", "alice"]).is_err());
        assert!(run_with(&path, &["revoke", "bob"]).is_err());
    }
}
