//! `hush party new-identity`: a key that stays and a fingerprint for all others.

use std::path::PathBuf;

use clap::Args;
use hush_party::Identity;
use serde_json::json;

use crate::failure::Result;
use crate::terminal::Outcome;

/// Make a party's key and certificate, and print the fingerprint that all parties pin
#[derive(Args, Debug)]
pub(super) struct NewIdentityArguments {
    /// The party's name, as in the file of all parties
    #[arg(long)]
    name: String,
    /// Folder for party.key (keep it) and party.crt
    #[arg(short, long, value_name = "FOLDER")]
    output: PathBuf,
}

pub(super) fn run(arguments: &NewIdentityArguments) -> Result<Outcome> {
    let NewIdentityArguments { name, output } = arguments;
    let identity = Identity::new(name)?;
    identity.save(output)?;
    let fingerprint = identity.fingerprint().to_string();
    Ok(Outcome {
        text: format!(
            "wrote {folder}/party.key and {folder}/party.crt\nfor the file of all parties:\n\n[[party]]\nname = \"{name}\"\naddress = \"HOST:PORT\"\nfingerprint = \"{fingerprint}\"\nroles = [\"compute-server\"]",
            folder = output.display()
        ),
        json: json!({ "name": name, "fingerprint": fingerprint }),
    })
}
