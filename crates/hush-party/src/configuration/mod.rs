//! Who the parties are: the same file at all of them.

mod file;

use std::net::{SocketAddr, ToSocketAddrs};
use std::path::Path;

use hush_mpc::link::tls::Fingerprint;

use crate::PartyError;
use crate::protocol::ProtocolName;

/// What a party may be in a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Role {
    /// Computes on shares.
    ComputeServer,
    /// Makes correlated randomness for two servers.
    CryptoProducer,
    /// Gives inputs.
    InputProvider,
    /// Is shown results.
    ResultReceiver,
    /// Gives a model.
    ModelOwner,
    /// Gives data to train on.
    DataOwner,
}

impl Role {
    /// All roles.
    pub const ALL: [Self; 6] = [
        Self::ComputeServer,
        Self::CryptoProducer,
        Self::InputProvider,
        Self::ResultReceiver,
        Self::ModelOwner,
        Self::DataOwner,
    ];

    /// As configurations write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::ComputeServer => "compute-server",
            Self::CryptoProducer => "crypto-producer",
            Self::InputProvider => "input-provider",
            Self::ResultReceiver => "result-receiver",
            Self::ModelOwner => "model-owner",
            Self::DataOwner => "data-owner",
        }
    }
}

/// One party.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Party {
    /// Its name.
    pub name: String,
    /// Host and port where it listens; a party that only proposes sessions needs none.
    pub address: Option<String>,
    /// Its pinned certificate.
    pub fingerprint: Fingerprint,
    /// What it may be.
    pub roles: Vec<Role>,
}

/// All parties, by name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Configuration {
    parties: Vec<Party>,
}

impl Configuration {
    /// Parties in any order.
    ///
    /// # Errors
    /// Says in words what is wrong: a name or fingerprint twice, an empty name, a party without roles.
    pub fn new(mut parties: Vec<Party>) -> Result<Self, String> {
        parties.sort_by(|one, other| one.name.cmp(&other.name));
        for party in &parties {
            let name = &party.name;
            let simple = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
            if name.is_empty() || name.len() > 64 || !name.chars().all(simple) {
                return Err(format!(
                    "party name {name:?} is not 1 to 64 letters, digits, '-', '_' or '.'"
                ));
            }
            if party.roles.is_empty() {
                return Err(format!("party {name} has no roles"));
            }
        }
        for pair in parties.windows(2) {
            if pair[0].name == pair[1].name {
                return Err(format!("party {} is there twice", pair[0].name));
            }
        }
        for (index, one) in parties.iter().enumerate() {
            for other in &parties[..index] {
                if one.fingerprint == other.fingerprint {
                    let (one, other) = (&other.name, &one.name);
                    return Err(format!("{one} and {other} have the same fingerprint"));
                }
            }
        }
        Ok(Self { parties })
    }

    /// Reads `parties.toml`.
    ///
    /// ```toml
    /// [[party]]
    /// name = "server0"
    /// address = "server0.example:7100"
    /// fingerprint = "5c0d…"        # `hush party new-identity` prints it
    /// roles = ["compute-server"]
    /// ```
    ///
    /// # Errors
    /// Names the file and the field at fault.
    pub fn load(path: &Path) -> Result<Self, PartyError> {
        let text = std::fs::read_to_string(path).map_err(PartyError::file("read", path))?;
        file::parse(&text)
            .and_then(Self::new)
            .map_err(PartyError::malformed(path))
    }

    /// The file that [`Configuration::load`] reads.
    pub fn to_toml(&self) -> String {
        let mut text = String::new();
        for party in &self.parties {
            let roles: Vec<String> = party
                .roles
                .iter()
                .map(|role| format!("\"{}\"", role.name()))
                .collect();
            text.push_str(&format!("[[party]]\nname = \"{}\"\n", party.name));
            if let Some(address) = &party.address {
                text.push_str(&format!("address = \"{address}\"\n"));
            }
            text.push_str(&format!(
                "fingerprint = \"{}\"\nroles = [{}]\n\n",
                party.fingerprint,
                roles.join(", ")
            ));
        }
        text
    }

    /// All parties, by name.
    pub fn parties(&self) -> &[Party] {
        &self.parties
    }

    /// The party of that name.
    ///
    /// # Errors
    /// If there is none.
    pub fn party(&self, name: &str) -> Result<&Party, PartyError> {
        let unknown = || PartyError::Unknown {
            name: name.to_owned(),
            known: self
                .parties
                .iter()
                .map(|party| party.name.as_str())
                .collect::<Vec<_>>()
                .join(", "),
        };
        self.parties
            .iter()
            .find(|party| party.name == name)
            .ok_or_else(unknown)
    }

    /// The party with that certificate.
    pub fn by_fingerprint(&self, fingerprint: Fingerprint) -> Option<&Party> {
        self.parties
            .iter()
            .find(|party| party.fingerprint == fingerprint)
    }

    /// Names of the parties with a role, in order.
    pub fn with_role(&self, role: Role) -> Vec<String> {
        self.parties
            .iter()
            .filter(|party| party.roles.contains(&role))
            .map(|party| party.name.clone())
            .collect()
    }

    /// Who computes by a protocol if nobody says otherwise: the first three computing servers by name, or the first two
    /// and the first crypto producer.
    pub fn servers_for(&self, protocol: ProtocolName) -> Vec<String> {
        let mut servers = self.with_role(Role::ComputeServer);
        if protocol.has_dealer() {
            let first = servers.iter().take(2).cloned().collect::<Vec<_>>();
            let mut dealers = self.with_role(Role::CryptoProducer);
            dealers.retain(|name| !first.contains(name));
            dealers.extend(servers.into_iter().skip(2));
            dealers.truncate(1);
            return [first, dealers].concat();
        }
        servers.truncate(3);
        servers
    }

    /// A hash of names, identities and roles; addresses may differ from where parties stand.
    pub(crate) fn roster(&self) -> [u8; 32] {
        self.hash(|_| true)
    }

    /// As [`Configuration::roster`] for some of the parties.
    pub(crate) fn roster_of(&self, names: &[String]) -> [u8; 32] {
        self.hash(|party| names.contains(&party.name))
    }

    fn hash(&self, counts: impl Fn(&Party) -> bool) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key("hush-party roster v1");
        for party in self.parties.iter().filter(|party| counts(party)) {
            hasher.update(&(party.name.len() as u64).to_le_bytes());
            hasher.update(party.name.as_bytes());
            hasher.update(&party.fingerprint.0);
            let mut roles = party.roles.clone();
            roles.sort_unstable();
            roles.dedup();
            hasher.update(&[roles.len() as u8]);
            for role in roles {
                hasher.update(&[role as u8]);
            }
        }
        hasher.finalize().into()
    }
}

impl Party {
    /// Where it listens, resolved.
    ///
    /// # Errors
    /// If it has no address or the name does not resolve.
    pub fn socket_address(&self) -> Result<SocketAddr, PartyError> {
        let fail = |reason: String| PartyError::Job {
            field: "parties",
            reason: format!("{} {reason}", self.name),
        };
        let address = self
            .address
            .as_ref()
            .ok_or_else(|| fail("has no address in the configuration".to_owned()))?;
        address
            .to_socket_addrs()
            .ok()
            .and_then(|mut found| found.next())
            .ok_or_else(|| {
                fail(format!(
                    "has the address {address}, which is no host and port that resolve"
                ))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(extra: &str) -> String {
        let hash = |c: &str| c.repeat(64);
        format!(
            "[[party]]\nname = \"s1\"\naddress = \"127.0.0.1:1\"\nfingerprint = \"{}\"\nroles = [\"compute-server\"]\n\
             [[party]]\nname = \"alice\"\nfingerprint = \"{}\"\nroles = [\"data-owner\", \"result-receiver\"]\n{extra}",
            hash("a"),
            hash("b")
        )
    }

    fn read(text: &str) -> Result<Configuration, String> {
        file::parse(text).and_then(Configuration::new)
    }

    #[test]
    fn files_come_back() {
        let configuration = read(&text("")).unwrap();
        assert_eq!(read(&configuration.to_toml()).unwrap(), configuration);
        assert_eq!(configuration.with_role(Role::ComputeServer), ["s1"]);
        assert!(
            configuration
                .party("alice")
                .unwrap()
                .socket_address()
                .is_err()
        );
        assert_eq!(
            configuration.party("bob").unwrap_err().to_string(),
            "no party is called bob; the configuration knows alice, s1"
        );
    }

    #[test]
    fn mistakes_are_named() {
        let again = "[[party]]\nname = \"x\"\nfingerprint = \"FP\"\nroles = [\"model-owner\"]\n";
        let error = read(&text(&again.replace("FP", &"b".repeat(64)))).unwrap_err();
        assert_eq!(error, "alice and x have the same fingerprint");
        let error = read(&text(&again.replace("FP", "beef"))).unwrap_err();
        assert_eq!(error, "fingerprint of x is not 64 hexadecimal digits");
        let error = read(&text("").replace("data-owner", "boss")).unwrap_err();
        assert!(error.starts_with("role boss of alice is none of compute-server"));
        assert!(read(&text("colour = 1\n")).is_err());
    }

    #[test]
    fn the_roster_is_about_who_and_not_where() {
        let one = read(&text("")).unwrap();
        let moved = read(&text("").replace("127.0.0.1:1", "127.0.0.1:2")).unwrap();
        let other = read(&text("").replace("data-owner", "model-owner")).unwrap();
        assert_eq!(one.roster(), moved.roster());
        assert_ne!(one.roster(), other.roster());
    }
}
