//! Three servers, bob, and a client that proposes; a runner that multiplies.

use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hush_mpc::link::tls::Timing;
use hush_mpc::{MpcError, Share, Word};
use hush_party::audit::AuditLog;
use hush_party::{
    Computed, Configuration, Identity, Input, Job, JobLiteral, Outcome, Output, Party, PartyError,
    Player, PlayerOptions, Policy, Program, Proposal, Role, Runner, Words, Work, propose,
};

pub(crate) struct World {
    folder: tempfile::TempDir,
    configuration: Configuration,
    identity: Identity,
    stops: Vec<(String, Arc<AtomicBool>)>,
    threads: Vec<JoinHandle<()>>,
}

/// Multiplies inputs `a` and `b`; one party may fail in the middle.
#[derive(Clone, Default)]
pub(crate) struct Arithmetic {
    pub(crate) fails: Option<usize>,
    pub(crate) endless: bool,
}

impl Runner for Arithmetic {
    fn check(&self, job: &Job, _: &[u8]) -> Result<(), String> {
        let literal = job.literal();
        let mut lengths: Vec<u64> = literal.inputs.iter().map(|input| input.elements).collect();
        lengths.extend(literal.outputs.iter().map(|output| output.elements));
        if lengths.iter().any(|&length| length != lengths[0]) {
            return Err("product of vectors of different lengths".to_owned());
        }
        Ok(())
    }

    fn run(&self, work: Work<'_>) -> Result<Computed, MpcError> {
        match work.job.literal().ring_bits {
            128 => self.multiply::<u128>(work),
            _ => self.multiply::<u64>(work),
        }
    }

    fn read_input(&self, job: &Job, _: &[u8], _: &str, file: &Path) -> Result<Words, String> {
        let text = std::fs::read_to_string(file).map_err(|error| error.to_string())?;
        let numbers: Vec<u64> = text
            .split_whitespace()
            .map(|word| word.parse().unwrap())
            .collect();
        Ok(words(job.literal().ring_bits, &numbers))
    }

    fn write_output(
        &self,
        _: &Job,
        _: &[u8],
        _: &str,
        words: &Words,
        file: &Path,
    ) -> Result<(), String> {
        std::fs::write(file, format!("{:?}", words.to::<u64>())).map_err(|error| error.to_string())
    }
}

/// Small numbers as words of a ring.
pub(crate) fn words(ring_bits: u32, numbers: &[u64]) -> Words {
    match ring_bits {
        128 => Words::of(&numbers.iter().map(|&n| u128::from(n)).collect::<Vec<_>>()),
        _ => Words::of(numbers),
    }
}

impl Arithmetic {
    fn multiply<W: Word>(&self, work: Work<'_>) -> Result<Computed, MpcError> {
        let party = work.link.party();
        let mut protocol = work
            .job
            .protocol()
            .establish::<W>(work.link, &work.session)?;
        if self.fails == Some(party) {
            return Err(MpcError::Parties {
                needed: 3,
                found: 2,
            });
        }
        let elements = work.job.literal().inputs[0].elements as usize;
        let share =
            |parts: &Vec<Words>| Share::<W>::new(elements, parts.iter().map(Words::to).collect());
        let (a, b) = (share(&work.inputs[0]), share(&work.inputs[1]));
        work.observer.progress(0, 1, "product");
        let y = protocol.multiply(&a, &b)?;
        // Enough rounds that a failure reaches everybody.
        // And, where that is asked for, until somebody goes.
        let rounds = if self.endless { usize::MAX } else { 2 };
        for _ in 0..rounds {
            protocol.multiply(&a, &b)?;
        }
        let parts = |share: &Share<W>| share.parts().iter().map(|part| Words::of(part)).collect();
        let keeps = work.job.literal().keeps.iter();
        Ok(Computed {
            report: format!("multiplied {} words", y.len()),
            outputs: vec![parts(&y); work.job.literal().outputs.len()],
            kept: keeps.map(|_| parts(&y)).collect(),
        })
    }
}

pub(crate) fn program() -> Program {
    Program {
        kind: "arithmetic".to_owned(),
        name: "product".to_owned(),
        version: "1".to_owned(),
        bytes: b"y = a * b".to_vec(),
    }
}

pub(crate) fn job(owners: &[&str]) -> JobLiteral {
    let names = ["a", "b"];
    JobLiteral {
        protocol: "aby3".to_owned(),
        ring_bits: 64,
        integer_bits: 15,
        fraction_bits: 16,
        proposer: "client".to_owned(),
        servers: (0..3).map(|i| format!("server{i}")).collect(),
        inputs: names
            .iter()
            .zip(owners)
            .map(|(name, owner)| Input {
                name: (*name).to_owned(),
                elements: 4,
                owner: (*owner).to_owned(),
            })
            .collect(),
        outputs: vec![Output {
            name: "y".to_owned(),
            elements: 4,
            receiver: "client".to_owned(),
        }],
        reads: Vec::new(),
        keeps: Vec::new(),
        opens: Vec::new(),
    }
}

fn options() -> PlayerOptions {
    PlayerOptions {
        timing: Timing {
            patience: Duration::from_secs(20),
            ..Timing::default()
        },
        set_up: Duration::from_secs(8),
        ..PlayerOptions::default()
    }
}

impl World {
    /// Parties that agree to anything of the client.
    pub(crate) fn open() -> Self {
        Self::new(
            |_| "[[allow]]\nprogram = \"product\"\nreveals = { \"*\" = [\"client\"] }\n".to_owned(),
            Arithmetic::default(),
        )
    }

    pub(crate) fn new(policy: impl Fn(&str) -> String, runner: Arithmetic) -> Self {
        Self::with_audit(policy, runner, |_| None)
    }

    pub(crate) fn with_audit(
        policy: impl Fn(&str) -> String,
        runner: Arithmetic,
        audit: impl Fn(&str) -> Option<PathBuf>,
    ) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let names = ["server0", "server1", "server2", "dealer", "bob"];
        let identities: Vec<Identity> = names
            .iter()
            .map(|name| Identity::new(name).unwrap())
            .collect();
        let identity = Identity::new("client").unwrap();
        let listeners: Vec<TcpListener> = names
            .iter()
            .map(|_| TcpListener::bind("127.0.0.1:0").unwrap())
            .collect();
        let addresses: Vec<SocketAddr> = listeners
            .iter()
            .map(|listener| listener.local_addr().unwrap())
            .collect();
        drop(listeners);
        let mut parties: Vec<Party> = names
            .iter()
            .zip(identities.iter().zip(&addresses))
            .map(|(name, (identity, address))| Party {
                name: (*name).to_owned(),
                address: Some(address.to_string()),
                fingerprint: identity.fingerprint(),
                roles: if *name == "bob" {
                    vec![Role::InputProvider, Role::ResultReceiver]
                } else if *name == "dealer" {
                    vec![Role::CryptoProducer]
                } else {
                    vec![Role::ComputeServer]
                },
            })
            .collect();
        parties.push(Party {
            name: "client".to_owned(),
            address: None,
            fingerprint: identity.fingerprint(),
            roles: vec![Role::InputProvider, Role::ResultReceiver],
        });
        let configuration = Configuration::new(parties).unwrap();
        let mut stops = Vec::new();
        let mut threads = Vec::new();
        for (name, identity) in names.iter().zip(&identities) {
            let file = folder.path().join(format!("{name}.toml"));
            std::fs::write(&file, policy(name)).unwrap();
            let log = audit(name).unwrap_or_else(|| folder.path().join(format!("{name}.log")));
            let player = Player::new(
                name,
                configuration.clone(),
                identity,
                Policy::load(&file).unwrap(),
                AuditLog::open(&log).unwrap(),
                Arc::new(runner.clone()),
                options(),
            )
            .unwrap()
            .keeping(&folder.path().join(format!("{name}.shares")));
            let stop = Arc::new(AtomicBool::new(false));
            stops.push(((*name).to_owned(), stop.clone()));
            threads.push(std::thread::spawn(move || {
                let name = player.name().to_owned();
                player.serve(&stop, |text| println!("{name}: {text}"));
            }));
        }
        Self {
            folder,
            configuration,
            identity,
            stops,
            threads,
        }
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    /// What the client believes of the parties from now on.
    pub(crate) fn change_configuration(&mut self, change: impl Fn(&mut Vec<Party>)) {
        let mut parties = self.configuration.parties().to_vec();
        change(&mut parties);
        self.configuration = Configuration::new(parties).unwrap();
    }

    pub(crate) fn propose(&self, job: JobLiteral) -> Result<Outcome, PartyError> {
        let mut inputs = hush_party::Given::new();
        inputs.insert("a".to_owned(), words(job.ring_bits, &[3, 4, 7, 11]));
        inputs.insert("b".to_owned(), words(job.ring_bits, &[5, 6, 9, 2]));
        let proposal = Proposal {
            configuration: &self.configuration,
            identity: &self.identity,
            program: &program(),
            job,
            inputs,
            options: options(),
        };
        propose(proposal, |_, _, _| {})
    }

    /// Ends one party.
    pub(crate) fn end(&self, name: &str) {
        let (_, stop) = self.stops.iter().find(|(found, _)| found == name).unwrap();
        stop.store(true, Ordering::Relaxed);
    }

    pub(crate) fn audit(&self, name: &str) -> Vec<serde_json::Value> {
        let text = std::fs::read_to_string(self.folder().join(format!("{name}.log"))).unwrap();
        text.lines()
            .map(|line| serde_json::from_str(line).unwrap())
            .collect()
    }

    /// The log once it ends with `event`.
    pub(crate) fn audit_until(&self, name: &str, event: &str) -> Vec<serde_json::Value> {
        let deadline = Instant::now() + Duration::from_secs(10);
        loop {
            let log = self.audit(name);
            if log.last().is_some_and(|last| last["event"] == event) || Instant::now() > deadline {
                return log;
            }
            std::thread::yield_now();
        }
    }
}

impl Drop for World {
    fn drop(&mut self) {
        for (_, stop) in &self.stops {
            stop.store(true, Ordering::Relaxed);
        }
        for thread in self.threads.drain(..) {
            thread.join().unwrap();
        }
    }
}
