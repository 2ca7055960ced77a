//! Who takes part in a session that this command proposes, and by which protocol.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use clap::{Args, ValueEnum};
use hush_mpc::Fixed;
use hush_party::local::{self, LocalParties, PROPOSER};
use hush_party::{
    Configuration, Given, Halt, Identity, JobLiteral, Outcome as Session, PlayerOptions, Program,
    Proposal, ProtocolName, propose_until,
};

use crate::commands::party::runner;
use crate::failure::{Failure, Result};
use crate::interrupt;
use crate::terminal::Terminal;

/// Options of all commands that propose sessions.
#[derive(Args, Debug)]
pub(super) struct Participants {
    /// The file of all parties
    #[arg(
        long,
        value_name = "FILE",
        required_unless_present = "local",
        conflicts_with = "local"
    )]
    parties: Option<PathBuf>,
    /// Start all parties on this machine, for development
    #[arg(long)]
    local: bool,
    /// Which party this is [default: client]
    #[arg(long, value_name = "PARTY", default_value = PROPOSER)]
    name: String,
    /// Folder of this party's identity [default: its name beside the file of parties]
    #[arg(long, value_name = "FOLDER")]
    identity: Option<PathBuf>,
    /// The party that gives the weights; the model here may hold any of the same shapes [default: this one]
    #[arg(long, value_name = "PARTY")]
    pub(super) model_owner: Option<String>,
    /// The parties that compute, in order [default: the first three computing servers by name; the first two and the
    /// first crypto producer where the third party deals]
    #[arg(long, value_name = "PARTY", value_delimiter = ',')]
    servers: Vec<String>,
}

/// How shares are made and computed on.
#[derive(Args, Debug)]
pub(super) struct Sharing {
    /// The protocol
    #[arg(long, value_enum, default_value_t = ProtocolChoice::Aby3)]
    protocol: ProtocolChoice,
    /// Bits of the ring that shares are elements of: 64 or 128
    #[arg(long, value_name = "BITS", default_value = "64", value_parser = ring)]
    pub(super) ring: u32,
    /// The program's name, for the parties' policies [default: the file name without .onnx]
    #[arg(long, value_name = "NAME")]
    pub(super) program: Option<String>,
    /// The program's version, for the parties' policies
    #[arg(long, value_name = "VERSION", default_value = "1")]
    pub(super) program_version: String,
    /// Bits before the point of fixed-point numbers [default: 15, or 24 on the ring of 128 bits]
    #[arg(long, value_name = "BITS")]
    integer_bits: Option<u32>,
    /// Bits behind the point of fixed-point numbers [default: 16, or 32 on the ring of 128 bits]
    #[arg(long, value_name = "BITS")]
    fraction_bits: Option<u32>,
}

/// Protocols that predictions run on.
#[derive(Clone, Copy, Debug, ValueEnum)]
enum ProtocolChoice {
    /// Three servers, replicated shares
    Aby3,
    /// Two servers, and a third party that deals randomness and holds no shares
    Pond,
    /// Two servers, and a third party that helps to compare and holds no shares
    Securenn,
}

fn ring(text: &str) -> std::result::Result<u32, String> {
    match text {
        "64" => Ok(64),
        "128" => Ok(128),
        _ => Err("a ring has 64 or 128 bits".to_owned()),
    }
}

impl Sharing {
    pub(super) fn protocol(&self) -> ProtocolName {
        match self.protocol {
            ProtocolChoice::Aby3 => ProtocolName::Aby3,
            ProtocolChoice::Pond => ProtocolName::Pond,
            ProtocolChoice::Securenn => ProtocolName::SecureNn,
        }
    }

    /// What policies call a model from a file.
    pub(super) fn program_name(&self, model: &Path) -> String {
        self.program.clone().unwrap_or_else(|| {
            let stem = model.file_stem().unwrap_or_default();
            stem.to_string_lossy().into_owned()
        })
    }

    pub(super) fn fixed(&self) -> Fixed {
        let standard = match self.ring {
            128 => Fixed::WIDE,
            _ => Fixed::STANDARD,
        };
        Fixed::new(
            self.integer_bits.unwrap_or(standard.integer_bits),
            self.fraction_bits.unwrap_or(standard.fraction_bits),
        )
    }
}

/// The other parties, wherever they are.
pub(super) struct World {
    /// Ends with this.
    local: Option<LocalParties>,
    configuration: Configuration,
    identity: Option<Identity>,
    /// This party.
    pub(super) me: String,
    servers: Vec<String>,
    options: PlayerOptions,
}

impl Participants {
    pub(super) fn world(&self) -> Result<World> {
        let options = PlayerOptions::default();
        let local = match self.local {
            true => Some(local::start(&runner(), options, |_, _| {})?),
            false => None,
        };
        let (configuration, identity) = match (&local, &self.parties) {
            (Some(local), _) => (local.configuration.clone(), None),
            (None, Some(file)) => {
                let folder = self.identity.clone();
                let folder = folder.unwrap_or_else(|| file.with_file_name(&self.name));
                (Configuration::load(file)?, Some(Identity::load(&folder)?))
            }
            (None, None) => return Err(Failure::new("neither --parties nor --local").into()),
        };
        Ok(World {
            local,
            configuration,
            identity,
            me: self.name.clone(),
            servers: self.servers.clone(),
            options,
        })
    }
}

impl World {
    pub(super) fn identity(&self) -> &Identity {
        match (&self.identity, &self.local) {
            (Some(identity), _) => identity,
            (None, Some(local)) => &local.identity,
            (None, None) => unreachable!("parties are somewhere"),
        }
    }

    pub(super) fn configuration(&self) -> &Configuration {
        &self.configuration
    }

    pub(super) fn options(&self) -> PlayerOptions {
        self.options
    }

    /// Who computes.
    pub(super) fn servers(&self, protocol: ProtocolName) -> Vec<String> {
        match self.servers.is_empty() {
            true => self.configuration.servers_for(protocol),
            false => self.servers.clone(),
        }
    }

    /// The session. Ctrl-C tells all others before this process ends.
    pub(super) fn propose(
        &self,
        program: &Program,
        job: JobLiteral,
        inputs: Given,
        (verb, terminal): (&'static str, Terminal),
    ) -> Result<Session> {
        let bar = terminal.progress.bar(verb, 0);
        let progress = |done: u64, total: u64, label: &str| {
            bar.set_length(total);
            bar.set_position(done);
            bar.set_message(label.to_owned());
        };
        let halt: Arc<Halt> = Arc::default();
        let stopping = halt.clone();
        interrupt::first(move || {
            stopping.because("whoever runs it interrupted it");
            // The session holds the other end until everybody is told.
            let until = Instant::now() + Duration::from_secs(3);
            while Arc::strong_count(&stopping) > 1 && Instant::now() < until {
                std::thread::sleep(Duration::from_millis(10));
            }
            "the other parties were told; run the command again".to_owned()
        });
        let proposal = Proposal {
            configuration: &self.configuration,
            identity: self.identity(),
            program,
            job,
            inputs,
            options: self.options,
        };
        let session = propose_until(proposal, &halt, progress);
        drop(halt);
        interrupt::last();
        bar.finish_and_clear();
        Ok(session?)
    }
}
