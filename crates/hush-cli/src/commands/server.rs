//! Which server, and how the caller is known there.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context;
use clap::Args;
use clap::builder::RangedU64ValueParser;
use hush_remote::{ConnectOptions, Connection};
use zeroize::Zeroizing;

use crate::failure::Result;
use crate::terminal::Terminal;

/// Name of the environment variable with the token.
const VARIABLE: &str = "HUSH_TOKEN";

/// The arguments of every command that talks to a server.
#[derive(Args, Debug)]
pub(crate) struct ServerArguments {
    /// The server: grpc://HOST:PORT or http://HOST:PORT; grpcs:// and https:// with TLS
    url: String,
    /// The token that the server knows the caller by; --token-file or HUSH_TOKEN in the environment show it to nobody
    /// else
    #[arg(long, value_name = "TOKEN", conflicts_with = "token_file")]
    token: Option<String>,
    /// Read the token from the first line of a file
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// Certificates (PEM) that may sign the server's, in place of the system's
    #[arg(long, value_name = "FILE")]
    ca: Option<PathBuf>,
    /// The caller's own certificate (PEM)
    #[arg(long, value_name = "FILE", requires = "key")]
    cert: Option<PathBuf>,
    /// The private key of --cert (PEM)
    #[arg(long, value_name = "FILE", requires = "cert")]
    key: Option<PathBuf>,
    /// Seconds that one request may take
    #[arg(long, value_name = "SECONDS", value_parser = RangedU64ValueParser::<u64>::new().range(1..))]
    timeout: Option<u64>,
}

impl ServerArguments {
    /// Connects; warns where that shows the token to others.
    pub(crate) fn connect(&self, terminal: Terminal) -> Result<Connection> {
        let mut options = ConnectOptions {
            token: self.token()?,
            ca: self.ca.clone(),
            certificate: self.cert.clone(),
            key: self.key.clone(),
            ..ConnectOptions::default()
        };
        if let Some(seconds) = self.timeout {
            options.deadline = Duration::from_secs(seconds);
            options.request_timeout = options.request_timeout.min(options.deadline);
        }
        if let Some(warning) = options.warning(&self.url) {
            terminal.warn(&warning);
        }
        Ok(Connection::open(&self.url, options)?)
    }

    fn token(&self) -> Result<Option<Zeroizing<String>>> {
        if let Some(path) = &self.token_file {
            let text = fs::read_to_string(path).map(Zeroizing::new);
            let text =
                text.with_context(|| format!("cannot read token file `{}`", path.display()))?;
            let first = text.lines().next().unwrap_or_default();
            return Ok(Some(Zeroizing::new(first.to_owned())));
        }
        let given = self.token.clone().or_else(|| std::env::var(VARIABLE).ok());
        Ok(given.filter(|token| !token.is_empty()).map(Zeroizing::new))
    }
}
