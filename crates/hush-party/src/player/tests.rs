//! Proposers that tell the computing parties different things, and parties that say nothing any more.

use std::path::Path;
use std::sync::Arc;
use std::time::{Duration, Instant};

use hush_mpc::MpcError;
use hush_mpc::link::tls::{Purpose, Timing, dial};
use hush_wire::{NoncesV1, message_bytes};

use crate::channel::{Channel, Kind, Message, Wait};
use crate::local::{self, PROPOSER};
use crate::peers::Peers;
use crate::{
    Computed, Halt, Job, JobLiteral, Output, PartyError, PlayerOptions, Program, Runner, Words,
    Work,
};

struct Nothing;

impl Runner for Nothing {
    fn check(&self, _: &Job, _: &[u8]) -> Result<(), String> {
        Ok(())
    }

    fn run(&self, _: Work<'_>) -> Result<Computed, MpcError> {
        Ok(Computed {
            outputs: Vec::new(),
            kept: Vec::new(),
            report: String::new(),
        })
    }

    fn read_input(&self, _: &Job, _: &[u8], _: &str, _: &Path) -> Result<Words, String> {
        Err("there are no inputs".to_owned())
    }

    fn write_output(&self, _: &Job, _: &[u8], _: &str, _: &Words, _: &Path) -> Result<(), String> {
        Ok(())
    }
}

fn receive(channel: &mut Channel, expected: &'static str) -> Result<Message, PartyError> {
    let halt = Halt::default();
    Peers::new(vec![channel], &halt).receive(0, expected, Wait::Patience, |_| Some(32))
}

/// Proposes a job and a program to each server, as `tell` makes them, with nonces as `nonces` makes them of the honest
/// ones; gives what each answers in the end.
fn lie(
    tell: impl Fn(usize, &mut JobLiteral, &mut Program),
    nonces: impl Fn(usize, &mut Vec<[u8; 32]>),
) -> Vec<String> {
    lie_with(Timing::default(), tell, nonces)
}

fn lie_with(
    timing: Timing,
    tell: impl Fn(usize, &mut JobLiteral, &mut Program),
    nonces: impl Fn(usize, &mut Vec<[u8; 32]>),
) -> Vec<String> {
    let runner: Arc<dyn Runner> = Arc::new(Nothing);
    let options = PlayerOptions {
        timing,
        set_up: Duration::from_secs(5),
        ..PlayerOptions::default()
    };
    let parties = local::start(&runner, options, |_, _| {}).unwrap();
    let servers: Vec<String> = (0..3).map(|i| format!("server{i}")).collect();
    let deadline = Instant::now() + Duration::from_secs(5);
    let mut channels: Vec<Channel> = servers
        .iter()
        .enumerate()
        .map(|(index, name)| {
            let party = parties.configuration.party(name).unwrap();
            let mut literal = JobLiteral {
                protocol: "aby3".to_owned(),
                ring_bits: 64,
                integer_bits: 15,
                fraction_bits: 16,
                proposer: PROPOSER.to_owned(),
                servers: servers.clone(),
                inputs: Vec::new(),
                outputs: vec![Output {
                    name: "y".to_owned(),
                    elements: 1,
                    receiver: PROPOSER.to_owned(),
                }],
                reads: Vec::new(),
                keeps: Vec::new(),
                opens: Vec::new(),
            };
            let mut program = Program {
                kind: "nothing".to_owned(),
                name: "nothing".to_owned(),
                version: "1".to_owned(),
                bytes: b"nothing".to_vec(),
            };
            tell(index, &mut literal, &mut program);
            let job = Job::new(literal, &program, &parties.configuration).unwrap();
            let stream = dial(
                party.socket_address().unwrap(),
                &parties.identity.tls(),
                party.fingerprint,
                Purpose::Control,
                &[9; 32],
                deadline,
            )
            .unwrap();
            let mut channel = Channel::new(stream, name, options.timing);
            channel.send(Kind::Job, &[&job.to_bytes()]).unwrap();
            channel.send(Kind::Program, &[&program.bytes]).unwrap();
            channel
        })
        .collect();
    let mut honest: Vec<[u8; 32]> = channels
        .iter_mut()
        .map(|channel| {
            let (_, nonce) = receive(channel, "an acceptance").unwrap();
            nonce.try_into().unwrap()
        })
        .collect();
    honest.push([5; 32]);
    for (index, channel) in channels.iter_mut().enumerate() {
        let mut told = honest.clone();
        nonces(index, &mut told);
        let start = message_bytes(&NoncesV1 { nonces: told }).unwrap();
        channel.send(Kind::Start, &[&start]).unwrap();
    }
    channels
        .iter_mut()
        .map(|channel| match receive(channel, "the end").unwrap_err() {
            PartyError::Failed { reason, .. } => reason,
            error => error.to_string(),
        })
        .collect()
}

#[test]
fn servers_that_are_told_different_things_name_the_field_and_each_other() {
    let text = |party: &str, field: &str| {
        format!(
            "{party} differs in {field}; compare both sides' configuration, program and version"
        )
    };
    let honest = |_: usize, _: &mut Vec<[u8; 32]>| {};
    let ends = lie(
        |index, literal, _| {
            if index == 1 {
                literal.fraction_bits = 12;
            }
        },
        honest,
    );
    assert_eq!(ends[0], text("server1", "fixed point"));
    assert_eq!(ends[1], text("server0", "fixed point"));
    // Server 2 may see server 1's difference or that a peer has gone because of it.
    assert!(
        ends[2] == text("server1", "fixed point") || ends[2].contains("party server"),
        "{}",
        ends[2]
    );
    let ends = lie(
        |index, _, program| {
            if index == 0 {
                program.bytes.push(1);
            }
        },
        honest,
    );
    assert_eq!(ends[0], text("server1", "program"));
    assert_eq!(ends[1], text("server0", "program"));
}

#[test]
fn nonces_must_be_the_same_for_all() {
    let same = |_: usize, _: &mut JobLiteral, _: &mut Program| {};
    // The proposer's own nonce differs at one server, so it alone would choose that server's view.
    let ends = lie(same, |index, nonces| {
        if index == 2 {
            nonces[3] = [6; 32];
        }
    });
    let differ = "differs in nonces; compare both sides' configuration, program and version";
    assert_eq!(ends[2], format!("server0 {differ}"));
    // A server whose own nonce is not in the list stops at once.
    let ends = lie(same, |index, nonces| {
        if index == 0 {
            nonces[0] = [6; 32];
        }
    });
    assert_eq!(ends[0], format!("client {differ}"));
}

/// A session of which the proposer is not heard any more once it has begun.
#[test]
fn a_party_that_is_silent_is_named_to_all_others() {
    let quick = Timing {
        heartbeat: Duration::from_millis(100),
        silence: Duration::from_millis(600),
        ..Timing::default()
    };
    let same = |_: usize, _: &mut JobLiteral, _: &mut Program| {};
    let began = Instant::now();
    for end in lie_with(quick, same, |_, _| {}) {
        assert!(
            end.starts_with("client has not been heard of for 0."),
            "{end}"
        );
        assert!(end.contains("see whether it still runs and can be reached"));
    }
    assert!(began.elapsed() < Duration::from_secs(15));
}
