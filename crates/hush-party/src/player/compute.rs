//! The part of a computing party in a session.

use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::time::{Duration, Instant};

use hush_mpc::link::tls::{Peer, StreamError, TlsLink};
use hush_mpc::link::{Link, LinkError, Step};
use hush_wire::{KeptCommonV1, KeptSharesV1};
use serde_json::json;

use super::Player;
use super::session::Agreed;
use crate::agreement::BYTES;
use crate::audit::hexadecimal;
use crate::channel::{Channel, Kind, TICK, Wait};
use crate::client::client_session;
use crate::error::{PartyError, with_names};
use crate::halt::{Watch, WatchedLink};
use crate::kept::Stored;
use crate::peers::Peers;
use crate::runner::{Computed, Observer, Work, link_failure};

/// How often a computing party tells the proposer how far it is.
const PROGRESS: Duration = Duration::from_millis(100);
/// Where the connection to the proposer is among all.
const CONTROL: usize = 0;
/// Where the connections to participants that do not compute begin.
const CLIENTS: usize = 1;

impl Player {
    /// Computes, and tells everybody how it ended but the proposer, whom the caller tells.
    pub(super) fn compute(
        &self,
        control: &mut Channel,
        agreed: &Agreed<'_>,
    ) -> Result<(), PartyError> {
        let deadline = Instant::now() + self.options.set_up;
        let watch = Arc::new(Watch::default());
        let mut waiting = Peers::new(vec![&mut *control], &self.halt);
        let link = tended(&mut waiting, &watch, |_| {
            self.connect(agreed, &watch, deadline)
        });
        let mut link = link.map_err(|error| watch.reason().unwrap_or(error))?;
        let mut clients = Vec::new();
        let arrived = self.clients(agreed, &mut waiting, deadline, &mut clients);
        let mut peers = Peers::new(vec![control], &self.halt);
        clients.iter_mut().for_each(|client| peers.add(client));
        let result = arrived.and_then(|()| {
            compare_kept(&mut link, agreed)?;
            self.run(link, agreed, &watch, &mut peers)
        });
        if let Err(error) = &result {
            peers.explain(CLIENTS, error);
        }
        result?;
        peers.linger(CLIENTS, self.options.timing.patience)
    }

    /// Connects the computing parties and compares what they agreed to.
    fn connect(
        &self,
        agreed: &Agreed<'_>,
        watch: &Watch,
        deadline: Instant,
    ) -> Result<TlsLink, PartyError> {
        let servers = &agreed.job.literal().servers;
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
        let mut link = TlsLink::connect_unless(
            &|| watch.is_halted(),
            agreed.position,
            &peers,
            &self.identity,
            &self.acceptor,
            agreed.proposal,
            self.options.timing,
            deadline,
        )
        .map_err(|error| PartyError::Link(with_names(&error.to_string(), servers)))?;
        link.step(Step::default());
        let own = agreed.agreement.to_bytes();
        exchange::<BYTES>(&mut link, &own, servers, |theirs| {
            agreed.agreement.difference(theirs)
        })?;
        Ok(link)
    }

    /// Takes the connections of all participants that do not compute.
    fn clients(
        &self,
        agreed: &Agreed<'_>,
        waiting: &mut Peers<'_>,
        deadline: Instant,
        clients: &mut Vec<Channel>,
    ) -> Result<(), PartyError> {
        let session = client_session(agreed.proposal);
        for name in agreed.job.clients() {
            let fingerprint = self.configuration.party(&name)?.fingerprint;
            let during = format!("while a connection of {name} was due");
            let stream = loop {
                let until = deadline.min(Instant::now() + TICK);
                match self.acceptor.link(fingerprint, &session, until) {
                    Ok(stream) => break stream,
                    Err(StreamError::TimedOut) if Instant::now() < deadline => {
                        waiting.tend(&during)?;
                        for client in clients.iter_mut() {
                            client.tend(&during)?;
                        }
                    }
                    Err(StreamError::TimedOut) => {
                        return Err(PartyError::Silent {
                            party: name,
                            during: "while its connection was due".to_owned(),
                            seconds: self.options.set_up.as_secs_f64(),
                        });
                    }
                    Err(error) => return Err(PartyError::connection(&name)(error)),
                }
            };
            let mut client = Channel::new(stream, &name, self.options.timing);
            client.beat_from_now(Duration::ZERO);
            client.send(Kind::Ready, &[&agreed.agreement.to_bytes()])?;
            clients.push(client);
        }
        Ok(())
    }

    fn run(
        &self,
        link: TlsLink,
        agreed: &Agreed<'_>,
        watch: &Arc<Watch>,
        peers: &mut Peers<'_>,
    ) -> Result<(), PartyError> {
        let link = WatchedLink::new(link, watch.clone());
        let inputs = match receive_inputs(agreed, peers) {
            Ok(inputs) => inputs,
            Err(error) => {
                link.give_up();
                return Err(error);
            }
        };
        // One party's view is enough.
        let speaks = agreed.position == 0;
        let servers = &agreed.job.literal().servers;
        let work = |tell| {
            let mut told = Told {
                tell: speaks.then_some(tell),
                last: Instant::now(),
            };
            self.runner.run(Work {
                job: agreed.job,
                program: agreed.program,
                link: Box::new(link),
                session: agreed.agreement.session(),
                inputs,
                kept: agreed.kept.iter().map(|kept| kept.parts.clone()).collect(),
                observer: &mut told,
            })
        };
        let computed = tended(peers, watch, work).map_err(|error| {
            if let Some(reason) = watch.reason() {
                return reason;
            }
            let Some(failure) = link_failure(&error) else {
                return PartyError::Run(with_names(&error.to_string(), servers));
            };
            // A peer that gave up may have lost somebody whom this party will miss, too.
            let gave_up = matches!(
                failure,
                LinkError::Failed { .. } | LinkError::Reported { .. }
            );
            let time = self.options.timing.heartbeat.min(Duration::from_secs(3));
            let missed = match gave_up {
                true => peers.failure_within(time, &watch.during()),
                false => None,
            };
            missed.unwrap_or_else(|| PartyError::link(failure, servers))
        })?;
        // A result that is there counts, unless somebody has gone before it could be sent.
        if let Some(reason) = watch.reason() {
            return Err(reason);
        }
        self.reveal(agreed, &computed, peers)?;
        self.keep(agreed, &computed)?;
        if speaks {
            peers.send(CONTROL, Kind::Report, &[computed.report.as_bytes()])?;
        }
        for client in 0..agreed.job.clients().len() {
            peers.send(CLIENTS + client, Kind::Done, &[])?;
        }
        Ok(())
    }

    fn reveal(
        &self,
        agreed: &Agreed<'_>,
        computed: &Computed,
        peers: &mut Peers<'_>,
    ) -> Result<(), PartyError> {
        let sharing = agreed.job.sharing();
        let outputs = &agreed.job.literal().outputs;
        let fits = outputs.len() == computed.outputs.len()
            && outputs
                .iter()
                .zip(&computed.outputs)
                .all(|(output, parts)| sharing.fits(agreed.position, parts, output.elements));
        if !fits {
            return Err(PartyError::Run(
                "the outputs have other shapes than the job says".to_owned(),
            ));
        }
        for (output, parts) in outputs.iter().zip(&computed.outputs) {
            if !sharing.holds(agreed.position) {
                continue;
            }
            self.audit.write(
                "revealed",
                json!({
                    "session": hexadecimal(&agreed.agreement.session()),
                    "output": output.name,
                    "elements": output.elements,
                    "to": output.receiver,
                }),
            )?;
            let to = peers.position(&output.receiver)?;
            peers.send(to, Kind::Output, &[&sharing.output(parts)])?;
        }
        Ok(())
    }

    fn keep(&self, agreed: &Agreed<'_>, computed: &Computed) -> Result<(), PartyError> {
        let (job, literal) = (agreed.job, agreed.job.literal());
        if literal.keeps.is_empty() {
            return Ok(());
        }
        let Some(shares) = self.shares.as_ref() else {
            return Err(PartyError::Run("this party keeps no shares".to_owned()));
        };
        if computed.kept.len() != literal.keeps.len() {
            return Err(PartyError::Run("something to keep is missing".to_owned()));
        }
        for (kept, parts) in literal.keeps.iter().zip(&computed.kept) {
            if !job.sharing().fits(agreed.position, parts, kept.elements) {
                return Err(PartyError::Run(format!(
                    "{}, which is to be kept, has another shape than the job says",
                    kept.name
                )));
            }
            let (kind, description) = self
                .runner
                .describe(job, agreed.program, &kept.name)
                .unwrap_or_default();
            let common = KeptCommonV1 {
                name: kept.name.clone(),
                elements: kept.elements,
                session: agreed.agreement.session(),
                program: *job.program(),
                program_name: job.name().to_owned(),
                protocol: literal.protocol.clone(),
                ring_bits: literal.ring_bits,
                integer_bits: literal.integer_bits,
                fraction_bits: literal.fraction_bits,
                servers: literal.servers.clone(),
                roster: self.configuration.roster_of(&literal.servers),
                kind,
                description,
            };
            self.audit.write(
                "kept",
                json!({
                    "session": hexadecimal(&agreed.agreement.session()),
                    "name": kept.name,
                    "elements": kept.elements,
                }),
            )?;
            shares.save(&Stored {
                header: KeptSharesV1 {
                    common,
                    position: agreed.position as u32,
                },
                parts: parts.clone(),
            })?;
        }
        Ok(())
    }
}

fn receive_inputs(
    agreed: &Agreed<'_>,
    peers: &mut Peers<'_>,
) -> Result<Vec<Vec<crate::Words>>, PartyError> {
    let sharing = agreed.job.sharing();
    let mut inputs = Vec::new();
    for input in &agreed.job.literal().inputs {
        if !sharing.holds(agreed.position) {
            inputs.push(Vec::new());
            continue;
        }
        let length = sharing.input_bytes(agreed.position, input.elements);
        let from = peers.position(&input.owner)?;
        let due = ("an input", Wait::Patience);
        let bytes = peers.receive_exact(from, Kind::Input, length, due)?;
        inputs.push(sharing.parts(agreed.position, &bytes, input.elements as usize));
    }
    Ok(inputs)
}

/// Shares that were kept in different sessions do not belong together.
fn compare_kept(link: &mut TlsLink, agreed: &Agreed<'_>) -> Result<(), PartyError> {
    if agreed.kept.is_empty() {
        return Ok(());
    }
    let mut hasher = blake3::Hasher::new();
    for kept in agreed.kept {
        hasher.update(&kept.common());
    }
    let own: [u8; 32] = hasher.finalize().into();
    let servers = &agreed.job.literal().servers;
    exchange(link, &own, servers, |theirs| {
        (*theirs != own).then_some("the session that kept the shares")
    })
}

/// Sends the same bytes to every other computing party and looks for a difference in what they send.
fn exchange<const N: usize>(
    link: &mut TlsLink,
    own: &[u8; N],
    servers: &[String],
    difference: impl Fn(&[u8; N]) -> Option<&'static str>,
) -> Result<(), PartyError> {
    let others: Vec<usize> = (0..link.parties())
        .filter(|&peer| peer != link.party())
        .collect();
    let fail = |error| PartyError::link(&error, servers);
    for &peer in &others {
        link.send(peer, own).map_err(fail)?;
    }
    for peer in others {
        let mut theirs = [0; N];
        link.receive(peer, &mut theirs).map_err(fail)?;
        if let Some(field) = difference(&theirs) {
            return Err(PartyError::Mismatch {
                party: servers[peer].clone(),
                field,
            });
        }
    }
    Ok(())
}

/// Does `work` on this thread while another one looks after the channels and sends the proposer what `work` tells of
/// progress. If a channel ends, so does the work's link.
fn tended<T>(peers: &mut Peers<'_>, watch: &Watch, work: impl FnOnce(Sender<Vec<u8>>) -> T) -> T {
    let (tell, told) = channel::<Vec<u8>>();
    let end = tell.clone();
    std::thread::scope(|scope| {
        scope.spawn(move || {
            loop {
                let sent = match told.recv_timeout(TICK) {
                    Ok(progress) if progress.is_empty() => return,
                    Ok(progress) if !watch.is_halted() => {
                        peers.send(CONTROL, Kind::Progress, &[&progress])
                    }
                    Ok(_) | Err(_) => Ok(()),
                };
                if watch.is_halted() {
                    continue;
                }
                if let Err(error) = sent.and_then(|()| peers.tend(&watch.during())) {
                    watch.halt(error);
                }
            }
        });
        let result = work(tell);
        let _ = end.send(Vec::new());
        result
    })
}

/// Tells the proposer of progress, now and then.
struct Told {
    tell: Option<Sender<Vec<u8>>>,
    last: Instant,
}

impl Observer for Told {
    fn progress(&mut self, done: u64, total: u64, label: &str) {
        let Some(tell) = &self.tell else {
            return;
        };
        if self.last.elapsed() < PROGRESS {
            return;
        }
        self.last = Instant::now();
        let label: String = label.chars().take(200).collect();
        let numbers = [done.to_le_bytes(), total.to_le_bytes()].concat();
        let _ = tell.send([&numbers, label.as_bytes()].concat());
    }
}
