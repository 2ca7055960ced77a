//! The side that asks for a session and takes part in it without computing.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use hush_mpc::link::tls::{Purpose, SessionName, TlsIdentity, dial};
use hush_wire::{NoncesV1, message_bytes};
use rand_core::{OsRng, RngCore, TryRngCore};

use crate::agreement::Agreement;
use crate::channel::{Channel, Kind, Wait};
use crate::client::{Participation, own_input};
use crate::configuration::Configuration;
use crate::error::PartyError;
use crate::halt::Halt;
use crate::identity::Identity;
use crate::job::{Job, JobLiteral, Program};
use crate::peers::Peers;
use crate::player::{PlayerOptions, check_identity};
use crate::words::Words;

/// Longest report of a computation.
const REPORT_MOST: u64 = 64 << 20;

/// Words by the name of an input or output.
pub type Given = BTreeMap<String, Words>;

/// What to ask the other parties for.
pub struct Proposal<'a> {
    /// All parties.
    pub configuration: &'a Configuration,
    /// Who proposes.
    pub identity: &'a Identity,
    /// What to run.
    pub program: &'a Program,
    /// How, by whom and for whom; its proposer is the party that asks.
    pub job: JobLiteral,
    /// The proposer's own inputs.
    pub inputs: Given,
    /// How to wait.
    pub options: PlayerOptions,
}

/// How a session ended for its proposer.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// What was revealed to the proposer, by output.
    pub outputs: Given,
    /// The first computing party's report.
    pub report: String,
    /// From the first connection until all had agreed.
    pub set_up: Duration,
    /// Everything.
    pub elapsed: Duration,
}

/// Proposes a session, takes part in it and waits for its end; `progress` is told how far it is.
///
/// # Errors
/// If a party refuses, differs or fails, with its name and its reason.
pub fn propose(
    proposal: Proposal<'_>,
    progress: impl FnMut(u64, u64, &str),
) -> Result<Outcome, PartyError> {
    propose_until(proposal, &Arc::default(), progress)
}

/// As [`propose`]; ends early, and tells all others so, once `halt` says why.
///
/// # Errors
/// As [`propose`].
pub fn propose_until(
    proposal: Proposal<'_>,
    halt: &Arc<Halt>,
    progress: impl FnMut(u64, u64, &str),
) -> Result<Outcome, PartyError> {
    let begin = Instant::now();
    let Proposal {
        configuration,
        identity,
        program,
        job,
        inputs,
        options,
    } = proposal;
    let me = job.proposer.clone();
    check_identity(&me, configuration, identity)?;
    let job = Job::new(job, program, configuration)?;
    // Nobody is asked for what cannot come to an end.
    let own = job
        .literal()
        .inputs
        .iter()
        .filter(|input| input.owner == me);
    for input in own {
        own_input(&job, input, &inputs)?;
    }
    let tls = identity.tls();
    let mut rng = OsRng.unwrap_err();
    let mut name = [0; 32];
    rng.fill_bytes(&mut name);

    let mut channels = Vec::new();
    let asked = Asked {
        configuration,
        tls: &tls,
        job: &job,
        program,
        proposal: &name,
        options: &options,
        halt,
    };
    let nonces = asked.nonces(&mut channels).inspect_err(|error| {
        // Whoever was asked already need not wait.
        Peers::new(channels.iter_mut().collect(), halt).explain(0, error);
    })?;
    let agreement = Agreement::new(&job, &nonces);
    let start = message_bytes(&NoncesV1 { nonces }).expect("bytes are serialized");
    for channel in &mut channels {
        channel.send(Kind::Start, &[&start])?;
        channel.beat_from_now(Duration::ZERO);
    }
    let set_up = begin.elapsed();

    // Outputs come on other connections than progress and failures, and whoever fails first knows why.
    let (tell, events) = channel();
    let telling = tell.clone();
    let configuration = configuration.clone();
    let over: Arc<Halt> = Arc::default();
    let others = channels.len();
    let mut threads: Vec<JoinHandle<()>> = channels
        .into_iter()
        .map(|channel| {
            let (telling, over) = (tell.clone(), over.clone());
            std::thread::spawn(move || follow(channel, &over, &telling))
        })
        .collect();
    let ending = over.clone();
    threads.push(std::thread::spawn(move || {
        let part = Participation {
            job: &job,
            agreement: &agreement,
            proposal: &name,
            configuration: &configuration,
            identity: &tls,
            me: &me,
            options: &options,
            halt: &ending,
        };
        let _ = telling.send(Event::Outputs(part.run(None, &inputs)));
    }));
    drop(tell);
    let ended = wait(&events, others, halt, progress);
    if let Err(error) = &ended {
        // All others are told before this party goes on.
        let (kind, reason) = error.told();
        over.end(kind == Kind::Failed, &reason);
        threads.into_iter().for_each(|thread| {
            let _ = thread.join();
        });
    }
    let (outputs, report) = ended?;
    Ok(Outcome {
        outputs,
        report,
        set_up,
        elapsed: begin.elapsed(),
    })
}

/// What all other participants are asked for.
struct Asked<'a> {
    configuration: &'a Configuration,
    tls: &'a TlsIdentity,
    job: &'a Job,
    program: &'a Program,
    proposal: &'a SessionName,
    options: &'a PlayerOptions,
    halt: &'a Halt,
}

impl Asked<'_> {
    /// Everybody's nonces, once all have accepted; `channels` lead to all but the proposer.
    fn nonces(&self, channels: &mut Vec<Channel>) -> Result<Vec<[u8; 32]>, PartyError> {
        let me = &self.job.literal().proposer;
        let participants = self.job.participants();
        let deadline = Instant::now() + self.options.set_up;
        for participant in participants.iter().filter(|name| *name != me) {
            let party = self.configuration.party(participant)?;
            let stream = dial(
                party.socket_address()?,
                self.tls,
                party.fingerprint,
                Purpose::Control,
                self.proposal,
                deadline,
            )
            .map_err(PartyError::connection(participant))?;
            let mut channel = Channel::new(stream, participant, self.options.timing);
            channel.send(Kind::Job, &[&self.job.to_bytes()])?;
            channel.send(Kind::Program, &[&self.program.bytes])?;
            channels.push(channel);
        }
        let mut answers = Peers::new(channels.iter_mut().collect(), self.halt);
        let mut nonces = Vec::new();
        for participant in &participants {
            let mut nonce = [0; 32];
            if participant == me {
                OsRng.unwrap_err().fill_bytes(&mut nonce);
            } else {
                let due = ("an acceptance", Wait::Patience);
                let from = answers.position(participant)?;
                let answer = answers.receive_exact(from, Kind::Accept, 32, due)?;
                nonce.copy_from_slice(&answer);
            }
            nonces.push(nonce);
        }
        Ok(nonces)
    }
}

enum Event {
    Progress(u64, u64, String),
    Report(String),
    /// A participant is done, or failed.
    Ended(Result<(), PartyError>),
    /// The proposer's own part.
    Outputs(Result<Given, PartyError>),
}

/// Waits until all participants are done. The first failure that says more than that a connection closed is the one
/// that counts.
fn wait(
    events: &Receiver<Event>,
    others: usize,
    halt: &Halt,
    mut progress: impl FnMut(u64, u64, &str),
) -> Result<(Given, String), PartyError> {
    let (mut outputs, mut report, mut ended) = (None, String::new(), 0);
    let mut lost = None;
    while ended < others || outputs.is_none() {
        halt.check()?;
        // After a loss the reason may still be on its way.
        let most = match lost {
            Some(_) => Duration::from_secs(2),
            None => Duration::from_millis(100),
        };
        let event = match events.recv_timeout(most) {
            Err(RecvTimeoutError::Timeout) if lost.is_none() => continue,
            event => event.ok(),
        };
        match event {
            Some(Event::Progress(done, total, label)) => progress(done, total, &label),
            Some(Event::Report(text)) => report = text,
            Some(Event::Ended(Ok(()))) => ended += 1,
            Some(Event::Outputs(Ok(words))) => outputs = Some(words),
            Some(
                Event::Ended(Err(
                    error @ (PartyError::Connection { .. } | PartyError::Gone { .. }),
                ))
                | Event::Outputs(Err(
                    error @ (PartyError::Connection { .. } | PartyError::Gone { .. }),
                )),
            ) => {
                ended += 1;
                outputs.get_or_insert_default();
                lost.get_or_insert(error);
            }
            Some(Event::Ended(Err(error)) | Event::Outputs(Err(error))) => return Err(error),
            None => break,
        }
    }
    match (lost, outputs) {
        (None, Some(outputs)) => Ok((outputs, report)),
        (Some(error), _) => Err(error),
        (None, None) => Err(PartyError::Run("a thread ended early".to_owned())),
    }
}

/// Tells what a participant sends until it is done.
fn follow(mut channel: Channel, over: &Halt, tell: &Sender<Event>) {
    let mut peers = Peers::new(vec![&mut channel], over);
    loop {
        let message = peers.receive(0, "the end", Wait::Alive, |kind| match kind {
            Kind::Progress => Some(4096),
            Kind::Report => Some(REPORT_MOST),
            Kind::Done => Some(0),
            _ => None,
        });
        let event = match message {
            Ok((Kind::Progress, body)) => {
                let Some((numbers, label)) = body.split_first_chunk::<16>() else {
                    continue;
                };
                let [done, total] = [&numbers[..8], &numbers[8..]]
                    .map(|bytes| u64::from_le_bytes(bytes.try_into().expect("eight bytes")));
                Event::Progress(done, total, String::from_utf8_lossy(label).into_owned())
            }
            Ok((Kind::Report, body)) => Event::Report(String::from_utf8_lossy(&body).into_owned()),
            Ok(_) => {
                let _ = tell.send(Event::Ended(Ok(())));
                return;
            }
            Err(error) => {
                peers.explain(0, &error);
                let _ = tell.send(Event::Ended(Err(error)));
                return;
            }
        };
        if tell.send(event).is_err() {
            return;
        }
    }
}
