//! One session, from the proposal to the end.

use std::time::{Duration, Instant};

use hush_mpc::link::tls::SessionName;
use hush_wire::{NoncesV1, read_party_message};
use rand_core::{OsRng, RngCore, TryRngCore};
use serde_json::json;

use super::Player;
use crate::agreement::Agreement;
use crate::audit::{hexadecimal, of_job};
use crate::channel::{Channel, Kind, Wait};
use crate::client::Participation;
use crate::error::PartyError;
use crate::job::Job;
use crate::kept::Stored;
use crate::peers::Peers;
use crate::policy::Rule;
use crate::propose::Given;

/// Longest job.
const JOB_MOST: u64 = 4 << 20;
/// Longest name of a kept model.
const NAME_MOST: u64 = 64;

/// Why a session ended early.
pub(super) enum Stop {
    /// This party said no.
    Refused(String),
    /// It said yes, and something went wrong.
    Failed(PartyError),
}

impl From<PartyError> for Stop {
    fn from(error: PartyError) -> Self {
        Self::Failed(error)
    }
}

/// What a party has agreed to take part in.
pub(super) struct Agreed<'a> {
    pub(super) job: &'a Job,
    pub(super) program: &'a [u8],
    pub(super) proposal: &'a SessionName,
    pub(super) agreement: &'a Agreement,
    /// This party's place among those that compute, if it does.
    pub(super) position: usize,
    /// What it kept of earlier sessions, as the job reads it.
    pub(super) kept: &'a [Stored],
}

impl Player {
    /// Says in words how it ended.
    pub(super) fn session(
        &self,
        channel: &mut Channel,
        proposal: &SessionName,
    ) -> Result<String, Stop> {
        let mut control = Peers::new(vec![&mut *channel], &self.halt);
        let first = control.receive(0, "a job", Wait::Patience, |kind| match kind {
            Kind::Job => Some(JOB_MOST),
            Kind::Describe => Some(NAME_MOST),
            _ => None,
        })?;
        if first.0 == Kind::Describe {
            return self.describe(channel, &String::from_utf8_lossy(&first.1));
        }
        let refuse = |error: PartyError| Stop::Refused(error.to_string());
        let job = Job::from_bytes(&first.1, &channel.party, &self.configuration).map_err(refuse)?;
        let participants = job.participants();
        let Some(position) = participants.iter().position(|name| *name == self.name) else {
            return Err(Stop::Refused("it has no part in this job".to_owned()));
        };
        let limit = self.policy.program_bytes();
        if job.program_bytes() > limit {
            return Err(Stop::Refused(format!(
                "the program has {} bytes, its policy reads {limit} at most",
                job.program_bytes()
            )));
        }
        let rule = self.policy.check(&job, &self.name).map_err(Stop::Refused)?;
        let mut control = Peers::new(vec![&mut *channel], &self.halt);
        let due = ("a program", Wait::Patience);
        let program = control.receive_exact(0, Kind::Program, job.program_bytes(), due)?;
        if blake3::hash(&program) != *job.program() {
            return Err(Stop::Refused(
                "the program has another hash than the job says".to_owned(),
            ));
        }
        self.runner.check(&job, &program).map_err(Stop::Refused)?;
        let computes = position < job.literal().servers.len();
        let kept = match computes {
            true => self
                .read_kept(&job, &program, rule, position)
                .map_err(Stop::Refused)?,
            false => Vec::new(),
        };
        let inputs = self.inputs(&job, &program, rule).map_err(Stop::Refused)?;

        let mut nonce = [0; 32];
        OsRng.unwrap_err().fill_bytes(&mut nonce);
        channel.send(Kind::Accept, &[&nonce])?;
        let nonces = self.nonces(channel, participants.len())?;
        if nonces.len() != participants.len() || nonces[position] != nonce {
            return Err(Stop::Failed(PartyError::Mismatch {
                party: channel.party.clone(),
                field: "nonces",
            }));
        }
        let agreement = Agreement::new(&job, &nonces);
        let session = hexadecimal(&agreement.session());
        let mut details = of_job(&job);
        details["session"] = json!(session);
        self.audit.write("agreed", details)?;
        channel.beat_from_now(Duration::ZERO);
        let begin = Instant::now();
        let agreed = Agreed {
            job: &job,
            program: &program,
            proposal,
            agreement: &agreement,
            position,
            kept: &kept,
        };
        if computes {
            self.compute(channel, &agreed)?;
        } else {
            let part = Participation {
                job: &job,
                agreement: &agreement,
                proposal,
                configuration: &self.configuration,
                identity: &self.identity,
                me: &self.name,
                options: &self.options,
                halt: &self.halt,
            };
            let outputs = part.run(Some(channel), &inputs)?;
            self.write_outputs(&agreed, rule, &outputs)?;
        }
        let seconds = begin.elapsed().as_secs_f64();
        let details = json!({ "session": session, "seconds": seconds });
        self.audit.write("finished", details)?;
        channel.send(Kind::Done, &[])?;
        Ok(format!(
            "{} of {} finished in {seconds:.3} s",
            job.name(),
            channel.party
        ))
    }

    /// Everybody's nonces, as the proposer tells them once all have accepted.
    fn nonces(
        &self,
        channel: &mut Channel,
        participants: usize,
    ) -> Result<Vec<[u8; 32]>, PartyError> {
        let most = 64 * participants as u64;
        let mut control = Peers::new(vec![&mut *channel], &self.halt);
        let limit = |kind| (kind == Kind::Start).then_some(most);
        let start = control.receive(0, "a start", Wait::Patience, limit)?;
        let NoncesV1 { nonces } =
            read_party_message("the nonces", &start.1).map_err(|error| PartyError::Unexpected {
                party: channel.party.clone(),
                expected: "nonces".to_owned(),
                found: error.to_string(),
            })?;
        Ok(nonces)
    }

    /// What this party gives, read before it agrees.
    fn inputs(&self, job: &Job, program: &[u8], rule: &Rule) -> Result<Given, String> {
        let mut inputs = Given::new();
        for input in &job.literal().inputs {
            if input.owner != self.name {
                continue;
            }
            let Some(file) = rule.source(&input.name) else {
                return Err(format!("its policy does not give input {}", input.name));
            };
            let words = self.runner.read_input(job, program, &input.name, file)?;
            if words.len() as u64 != input.elements {
                return Err(format!(
                    "its input {} has {} elements, the job says {}",
                    input.name,
                    words.len(),
                    input.elements
                ));
            }
            inputs.insert(input.name.clone(), words);
        }
        Ok(inputs)
    }

    fn write_outputs(
        &self,
        agreed: &Agreed<'_>,
        rule: &Rule,
        outputs: &Given,
    ) -> Result<(), PartyError> {
        for (name, words) in outputs {
            let Some(file) = rule.destination(name) else {
                continue;
            };
            self.runner
                .write_output(agreed.job, agreed.program, name, words, file)
                .map_err(PartyError::Run)?;
            self.audit.write(
                "received",
                json!({
                    "session": hexadecimal(&agreed.agreement.session()),
                    "output": name,
                    "elements": words.len(),
                    "file": file,
                }),
            )?;
        }
        Ok(())
    }

    /// What this party kept and the job reads, if it is what the job says.
    fn read_kept(
        &self,
        job: &Job,
        program: &[u8],
        rule: &Rule,
        position: usize,
    ) -> Result<Vec<Stored>, String> {
        let roster = self.configuration.roster_of(&job.literal().servers);
        let mut all = Vec::new();
        for kept in &job.literal().reads {
            let shares = self.shares.as_ref().ok_or("it keeps no shares")?;
            let stored = shares.load(&kept.name)?;
            stored.check(job, kept, position, roster)?;
            all.push(stored);
        }
        if !job.literal().keeps.is_empty() && self.shares.is_none() {
            return Err("it keeps no shares".to_owned());
        }
        if let Some(name) = rule.serves() {
            let [only] = &all[..] else {
                return Err(format!("it serves predictions with {name} only"));
            };
            let common = &only.header.common;
            if common.name != name || common.kind != job.kind() {
                return Err(format!("it serves predictions with {name} only"));
            }
            let own = &job.literal().proposer;
            if job.literal().inputs.iter().any(|input| input.owner != *own) {
                return Err(format!("it serves {own} on inputs of its own only"));
            }
            self.runner
                .check_served(job, program, name, &common.description)?;
        }
        Ok(all)
    }

    /// Tells a party what it has to know of a kept model to propose predictions with it.
    fn describe(&self, channel: &mut Channel, name: &str) -> Result<String, Stop> {
        let refuse = |reason: String| Err(Stop::Refused(reason));
        if !self.policy.may_ask(name, &channel.party) {
            return refuse(format!(
                "its policy does not let {} use {name}",
                channel.party
            ));
        }
        let Some(shares) = &self.shares else {
            return refuse("it keeps no shares".to_owned());
        };
        let stored = shares.load(name).map_err(Stop::Refused)?;
        if stored.header.common.kind.is_empty() {
            return refuse(format!("{name} is no model"));
        }
        let common = hush_wire::message_bytes(&stored.header.common).map_err(|error| {
            Stop::Refused(format!("what it keeps under the name {name}: {error}"))
        })?;
        channel.send(Kind::Description, &[&common])?;
        Ok(format!("told {} of {name}", channel.party))
    }
}
