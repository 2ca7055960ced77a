//! The file of parties as people write it.

use hush_mpc::link::tls::Fingerprint;
use serde::Deserialize;

use super::{Party, Role};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    party: Vec<FileParty>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileParty {
    name: String,
    address: Option<String>,
    fingerprint: String,
    roles: Vec<String>,
}

pub(super) fn parse(text: &str) -> Result<Vec<Party>, String> {
    let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
    file.party.into_iter().map(party).collect()
}

fn party(found: FileParty) -> Result<Party, String> {
    let FileParty {
        name,
        address,
        fingerprint,
        roles,
    } = found;
    let fingerprint = Fingerprint::parse(&fingerprint)
        .ok_or_else(|| format!("fingerprint of {name} is not 64 hexadecimal digits"))?;
    let roles = roles
        .iter()
        .map(|role| {
            let known = Role::ALL.into_iter().find(|known| known.name() == role);
            known.ok_or_else(|| {
                let names = Role::ALL.map(Role::name).join(", ");
                format!("role {role} of {name} is none of {names}")
            })
        })
        .collect::<Result<_, _>>()?;
    Ok(Party {
        name,
        address,
        fingerprint,
        roles,
    })
}
