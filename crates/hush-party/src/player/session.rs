//! One session, from the proposal to the end.

use std::time::{Duration, Instant};

use hush_mpc::link::tls::{Peer, SessionName, TlsLink};
use hush_mpc::link::{Link, Step};
use hush_wire::{NoncesV1, read_party_message};
use rand_core::{OsRng, RngCore, TryRngCore};
use serde_json::json;

use super::Player;
use crate::agreement::{Agreement, BYTES};
use crate::audit::{hexadecimal, of_job};
use crate::channel::{Channel, Kind};
use crate::client::{Words, client_session, participate};
use crate::error::{PartyError, with_names};
use crate::job::Job;
use crate::policy::Rule;
use crate::runner::{Observer, Work, link_failure};
use crate::sharing;

/// Longest job.
const JOB_MOST: u64 = 4 << 20;
/// How often a computing party tells the proposer how far it is.
const PROGRESS: Duration = Duration::from_millis(100);

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

impl Player {
    /// Says in words how it ended.
    pub(super) fn session(
        &self,
        channel: &mut Channel,
        proposal: &SessionName,
    ) -> Result<String, Stop> {
        let job = channel.receive("a job", |kind| (kind == Kind::Job).then_some(JOB_MOST))?;
        let refuse = |error: PartyError| Stop::Refused(error.to_string());
        let job = Job::from_bytes(&job.1, &channel.party, &self.configuration).map_err(refuse)?;
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
        let program = channel.receive_exact(Kind::Program, job.program_bytes())?;
        if blake3::hash(&program) != *job.program() {
            return Err(Stop::Refused(
                "the program has another hash than the job says".to_owned(),
            ));
        }
        self.runner.check(&job, &program).map_err(Stop::Refused)?;
        let inputs = self.inputs(&job, &program, rule).map_err(Stop::Refused)?;

        let mut nonce = [0; 32];
        OsRng.unwrap_err().fill_bytes(&mut nonce);
        channel.send(Kind::Accept, &[&nonce])?;
        let most = 64 * participants.len() as u64;
        let start = channel.receive("a start", |kind| (kind == Kind::Start).then_some(most))?;
        let NoncesV1 { nonces } =
            read_party_message("the nonces", &start.1).map_err(|error| PartyError::Unexpected {
                party: channel.party.clone(),
                expected: "nonces",
                found: error.to_string(),
            })?;
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
        let begin = Instant::now();
        if position < job.literal().servers.len() {
            self.compute(channel, &job, &program, proposal, &agreement, position)?;
        } else {
            let outputs = participate(
                &job,
                &agreement,
                proposal,
                &self.configuration,
                &self.identity,
                &self.name,
                &self.options,
                &inputs,
            )?;
            for (name, words) in &outputs {
                let kept = self.runner.keep_output(&job, name, words);
                kept.map_err(PartyError::Run)?;
            }
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

    /// What this party gives, read before it agrees.
    fn inputs(&self, job: &Job, program: &[u8], rule: &Rule) -> Result<Words, String> {
        let mut inputs = Words::new();
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

    fn compute(
        &self,
        channel: &mut Channel,
        job: &Job,
        program: &[u8],
        proposal: &SessionName,
        agreement: &Agreement,
        position: usize,
    ) -> Result<(), PartyError> {
        let servers = &job.literal().servers;
        let deadline = Instant::now() + self.options.set_up;
        let peers: Vec<Peer> = servers
            .iter()
            .map(|name| {
                let party = self.configuration.party(name)?;
                Ok(Peer {
                    address: party.socket_address()?,
                    fingerprint: party.fingerprint,
                })
            })
            .collect::<Result<_, PartyError>>()?;
        let mut link = TlsLink::connect(
            position,
            &peers,
            &self.identity,
            &self.acceptor,
            proposal,
            self.options.timing,
            deadline,
        )
        .map_err(|error| PartyError::Link(with_names(&error.to_string(), servers)))?;
        agree(&mut link, agreement, servers)?;
        let mut clients = Vec::new();
        for name in job.clients() {
            let fingerprint = self.configuration.party(&name)?.fingerprint;
            let stream = self
                .acceptor
                .link(fingerprint, &client_session(proposal), deadline)
                .map_err(PartyError::connection(&name))?;
            let mut client = Channel::new(stream, &name, self.options.timing.patience);
            client.send(Kind::Ready, &[&agreement.to_bytes()])?;
            clients.push(client);
        }
        let result = self.run(
            channel,
            job,
            program,
            link,
            agreement,
            position,
            &mut clients,
        );
        if let Err(error) = &result {
            let reason = error.to_string();
            clients
                .iter_mut()
                .for_each(|client| client.explain(Kind::Failed, &reason));
        }
        result
    }

    fn run(
        &self,
        channel: &mut Channel,
        job: &Job,
        program: &[u8],
        link: TlsLink,
        agreement: &Agreement,
        position: usize,
        clients: &mut [Channel],
    ) -> Result<(), PartyError> {
        let literal = job.literal();
        let mut inputs = Vec::new();
        for input in &literal.inputs {
            let length = sharing::input_bytes(position, input.elements);
            let received = client_of(clients, &input.owner)?.receive_exact(Kind::Input, length);
            match received {
                Ok(bytes) => {
                    inputs.push(sharing::parts(position, &bytes, input.elements as usize));
                }
                Err(error) => {
                    link.give_up();
                    return Err(error);
                }
            }
        }
        let mut told = Told {
            channel,
            last: Instant::now(),
            // One party's view is enough.
            speaks: position == 0,
        };
        let computed = self.runner.run(Work {
            job,
            program,
            link: Box::new(link),
            session: agreement.session(),
            inputs,
            observer: &mut told,
        });
        let computed = computed.map_err(|error| match link_failure(&error) {
            Some(failure) => PartyError::link(failure, &literal.servers),
            None => PartyError::Run(with_names(&error.to_string(), &literal.servers)),
        })?;
        for (output, parts) in literal.outputs.iter().zip(&computed.outputs) {
            let fits = parts.len() == 2
                && parts
                    .iter()
                    .all(|part| part.len() as u64 == output.elements);
            if !fits {
                return Err(PartyError::Run(format!(
                    "output {} has another shape than the job says",
                    output.name
                )));
            }
            self.audit.write(
                "revealed",
                json!({
                    "session": hexadecimal(&agreement.session()),
                    "output": output.name,
                    "elements": output.elements,
                    "to": output.receiver,
                }),
            )?;
            let message = sharing::output(parts);
            client_of(clients, &output.receiver)?.send(Kind::Output, &[&message])?;
        }
        if position == 0 {
            channel.send(Kind::Report, &[computed.report.as_bytes()])?;
        }
        Ok(())
    }
}

fn client_of<'c>(clients: &'c mut [Channel], name: &str) -> Result<&'c mut Channel, PartyError> {
    let unknown = PartyError::Unknown {
        name: name.to_owned(),
        known: "the participants".to_owned(),
    };
    clients
        .iter_mut()
        .find(|client| client.party == name)
        .ok_or(unknown)
}

/// Compares what this party agreed to with every other computing party, before any data flows.
fn agree(link: &mut TlsLink, agreement: &Agreement, servers: &[String]) -> Result<(), PartyError> {
    link.step(Step::default());
    let others: Vec<usize> = (0..link.parties())
        .filter(|&peer| peer != link.party())
        .collect();
    let fail = |error| PartyError::link(&error, servers);
    for &peer in &others {
        link.send(peer, &agreement.to_bytes()).map_err(fail)?;
    }
    for peer in others {
        let mut theirs = [0; BYTES];
        link.receive(peer, &mut theirs).map_err(fail)?;
        if let Some(field) = agreement.difference(&theirs) {
            return Err(PartyError::Mismatch {
                party: servers[peer].clone(),
                field,
            });
        }
    }
    Ok(())
}

/// Tells the proposer of progress, now and then.
struct Told<'c> {
    channel: &'c mut Channel,
    last: Instant,
    speaks: bool,
}

impl Observer for Told<'_> {
    fn progress(&mut self, done: u64, total: u64, label: &str) {
        if !self.speaks || self.last.elapsed() < PROGRESS {
            return;
        }
        self.last = Instant::now();
        let label: String = label.chars().take(200).collect();
        let numbers = [done.to_le_bytes(), total.to_le_bytes()].concat();
        // A proposer that is gone will be noticed at the end.
        let _ = self
            .channel
            .send(Kind::Progress, &[&numbers, label.as_bytes()]);
    }
}
