//! All parties on this machine, for development and tests: each with an identity, a port and a thread of its own, over
//! the same TLS connections as between machines.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crate::audit::AuditLog;
use crate::configuration::{Configuration, Party, Role};
use crate::error::PartyError;
use crate::identity::Identity;
use crate::player::{Player, PlayerOptions};
use crate::policy::Policy;
use crate::runner::Runner;

/// Parties that run until this is dropped.
pub struct LocalParties {
    /// Who they are.
    pub configuration: Configuration,
    /// Of the party that proposes, which has no process.
    pub identity: Identity,
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

/// The name of the party that proposes.
pub const PROPOSER: &str = "client";

/// Three computing parties `server0`, `server1` and `server2` with a policy that allows everything, and the identity of
/// a party `client` that has all other roles.
///
/// # Errors
/// If a port or an identity cannot be made.
pub fn start(
    runner: &Arc<dyn Runner>,
    options: PlayerOptions,
    notice: impl Fn(&str, &str) + Send + Sync + Clone + 'static,
) -> Result<LocalParties, PartyError> {
    start_keeping(runner, options, None, notice)
}

/// As [`start`]; the computing parties keep shares between sessions in folders `NAME.shares` inside `folder`.
///
/// # Errors
/// As [`start`].
pub fn start_keeping(
    runner: &Arc<dyn Runner>,
    options: PlayerOptions,
    folder: Option<&Path>,
    notice: impl Fn(&str, &str) + Send + Sync + Clone + 'static,
) -> Result<LocalParties, PartyError> {
    let names = ["server0", "server1", "server2"];
    let identities = names
        .iter()
        .map(|name| Identity::new(name))
        .collect::<Result<Vec<_>, _>>()?;
    let client = Identity::new(PROPOSER)?;
    // Ports are known only once they are bound, so they are reserved first and bound again.
    let reserved = names
        .iter()
        .map(|_| std::net::TcpListener::bind("127.0.0.1:0"))
        .collect::<Result<Vec<_>, _>>()
        .and_then(|listeners| {
            let addresses = listeners.iter().map(std::net::TcpListener::local_addr);
            addresses.collect::<Result<Vec<SocketAddr>, _>>()
        });
    let addresses = reserved.map_err(|error| PartyError::Make(error.to_string()))?;
    let mut parties: Vec<Party> = names
        .iter()
        .zip(identities.iter().zip(&addresses))
        .map(|(name, (identity, address))| Party {
            name: (*name).to_owned(),
            address: Some(address.to_string()),
            fingerprint: identity.fingerprint(),
            roles: vec![Role::ComputeServer, Role::CryptoProducer],
        })
        .collect();
    parties.push(Party {
        name: PROPOSER.to_owned(),
        address: None,
        fingerprint: client.fingerprint(),
        roles: vec![
            Role::InputProvider,
            Role::ResultReceiver,
            Role::ModelOwner,
            Role::DataOwner,
        ],
    });
    let configuration = Configuration::new(parties).map_err(PartyError::Make)?;
    let stop = Arc::new(AtomicBool::new(false));
    let mut threads = Vec::new();
    for (name, identity) in names.iter().zip(&identities) {
        let player = Player::new(
            name,
            configuration.clone(),
            identity,
            Policy::anything(),
            AuditLog::none(),
            runner.clone(),
            options,
        )?;
        let player = match folder {
            Some(folder) => player.keeping(&folder.join(format!("{name}.shares"))),
            None => player,
        };
        let (stop, notice) = (stop.clone(), notice.clone());
        threads.push(std::thread::spawn(move || {
            let name = player.name().to_owned();
            player.serve(&stop, |text| notice(&name, text));
        }));
    }
    Ok(LocalParties {
        configuration,
        identity: client,
        stop,
        threads,
    })
}

impl Drop for LocalParties {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            let _ = thread.join();
        }
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::{Input, Job, JobLiteral, Output, Program};
    use hush_mpc::link::tls::Fingerprint;

    /// A job that adds two vectors, changed by `change` where that makes no difference to whether it is allowed.
    pub(crate) fn job(change: impl Fn(&mut JobLiteral)) -> Job {
        let input = |name: &str, owner: &str| Input {
            name: name.to_owned(),
            elements: 4,
            owner: owner.to_owned(),
        };
        let mut literal = JobLiteral {
            protocol: "aby3".to_owned(),
            ring_bits: 64,
            integer_bits: 15,
            fraction_bits: 16,
            proposer: "alice".to_owned(),
            servers: NAMES[..3].iter().map(|&name| name.to_owned()).collect(),
            inputs: vec![input("a", "alice"), input("b", "bob")],
            outputs: vec![Output {
                name: "total".to_owned(),
                elements: 4,
                receiver: "alice".to_owned(),
            }],
            reads: Vec::new(),
            keeps: Vec::new(),
            opens: Vec::new(),
        };
        change(&mut literal);
        let program = Program {
            kind: "test".to_owned(),
            name: "sum".to_owned(),
            version: "1".to_owned(),
            bytes: b"the program".to_vec(),
        };
        Job::new(literal, &program, &configuration()).unwrap()
    }

    const NAMES: [&str; 5] = ["s0", "s1", "s2", "alice", "bob"];

    /// Parties that may be anything.
    pub(crate) fn configuration() -> Configuration {
        let party = |(index, name): (usize, &str)| Party {
            name: name.to_owned(),
            address: None,
            fingerprint: Fingerprint([index as u8; 32]),
            roles: Role::ALL.to_vec(),
        };
        let parties = NAMES.into_iter().enumerate().map(party).collect();
        Configuration::new(parties).unwrap()
    }
}
