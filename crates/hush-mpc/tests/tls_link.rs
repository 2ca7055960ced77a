//! Parties over real TLS connections on loopback, honest and otherwise.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use hush_mpc::link::tls::{
    Acceptor, ConnectError, Fingerprint, Peer, Purpose, SessionName, StreamError, Timing,
    TlsIdentity, TlsLink, TlsStream, dial,
};
use hush_mpc::link::{Link, LinkError, Step};
use zeroize::Zeroizing;

const SESSION: SessionName = *b"a session of parties in a test..";

struct Party {
    identity: TlsIdentity,
    acceptor: Acceptor,
}

struct World {
    parties: Vec<Party>,
    peers: Vec<Peer>,
}

fn identity() -> TlsIdentity {
    let made = rcgen::generate_simple_self_signed(["party".to_owned()]).unwrap();
    TlsIdentity::new(
        made.cert.der().to_vec(),
        Zeroizing::new(made.signing_key.serialize_der()),
    )
}

fn anywhere() -> SocketAddr {
    "127.0.0.1:0".parse().unwrap()
}

fn soon() -> Instant {
    Instant::now() + Duration::from_secs(10)
}

fn quick() -> Timing {
    Timing {
        heartbeat: Duration::from_millis(50),
        silence: Duration::from_millis(400),
        patience: Duration::from_secs(20),
        ..Timing::default()
    }
}

impl World {
    fn new(count: usize) -> Self {
        let identities: Vec<TlsIdentity> = (0..count).map(|_| identity()).collect();
        let all: Vec<Fingerprint> = identities.iter().map(TlsIdentity::fingerprint).collect();
        let parties: Vec<Party> = identities
            .into_iter()
            .map(|identity| Party {
                acceptor: Acceptor::listen(anywhere(), &identity, &all).unwrap(),
                identity,
            })
            .collect();
        let peers = parties
            .iter()
            .map(|party| Peer {
                address: party.acceptor.address(),
                fingerprint: party.identity.fingerprint(),
            })
            .collect();
        Self { parties, peers }
    }

    fn connect(&self, party: usize, timing: Timing) -> Result<TlsLink, ConnectError> {
        let Party { identity, acceptor } = &self.parties[party];
        let until = soon();
        TlsLink::connect(
            party,
            &self.peers,
            identity,
            acceptor,
            &SESSION,
            timing,
            until,
        )
    }

    /// Each party on a thread of its own.
    fn run<T: Send>(&self, timing: Timing, act: impl Fn(TlsLink) -> T + Sync) -> Vec<T> {
        let act = &act;
        std::thread::scope(|scope| {
            let threads: Vec<_> = (0..self.parties.len())
                .map(|party| scope.spawn(move || act(self.connect(party, timing).unwrap())))
                .collect();
            threads
                .into_iter()
                .map(|thread| thread.join().unwrap())
                .collect()
        })
    }

    /// Parties 0 and 1 are honest and exchange messages with each other and with party 2, which is `villain`: it gets
    /// its connections to and from both. Gives how the honest ones end.
    fn against(
        &self,
        timing: Timing,
        villain: impl FnOnce(Vec<TlsStream>, Vec<TlsStream>) + Send,
    ) -> [LinkError; 2] {
        std::thread::scope(|scope| {
            let honest: Vec<_> = (0..2)
                .map(|party| {
                    scope.spawn(move || {
                        let mut link = self.connect(party, timing).unwrap();
                        protocol(&mut link)
                    })
                })
                .collect();
            scope.spawn(move || {
                let Party { identity, acceptor } = &self.parties[2];
                let (mut to, mut from) = (Vec::new(), Vec::new());
                for peer in &self.peers[..2] {
                    to.push(
                        dial(
                            peer.address,
                            identity,
                            peer.fingerprint,
                            Purpose::Link,
                            &SESSION,
                            soon(),
                        )
                        .unwrap(),
                    );
                    from.push(acceptor.link(peer.fingerprint, &SESSION, soon()).unwrap());
                }
                villain(to, from);
            });
            let mut errors = honest.into_iter().map(|thread| thread.join().unwrap());
            [errors.next().unwrap(), errors.next().unwrap()]
        })
    }
}

/// What an honest party does until it fails: party 0 hears party 2 in step 3, party 1 hears party 0 after that.
fn protocol(link: &mut TlsLink) -> LinkError {
    link.step(Step { run: 1, index: 3 });
    let mut four = [0; 4];
    let result = match link.party() {
        0 => link
            .receive(2, &mut four)
            .and_then(|()| link.receive(2, &mut four))
            .and_then(|()| link.send(1, &four)),
        _ => link.receive(0, &mut four),
    };
    result.expect_err("the villain never lets this end well")
}

fn frame(session: &[u8], step: u32, sequence: u64, length: u64, kind: u8) -> Vec<u8> {
    let mut bytes = session[..8].to_vec();
    bytes.extend_from_slice(&1u32.to_le_bytes());
    bytes.extend_from_slice(&step.to_le_bytes());
    bytes.extend_from_slice(&sequence.to_le_bytes());
    bytes.extend_from_slice(&length.to_le_bytes());
    bytes[31] = kind;
    bytes
}

fn good_frame() -> Vec<u8> {
    [frame(&SESSION, 3, 0, 4, 3), b"data".to_vec()].concat()
}

#[test]
fn messages_of_every_size_arrive_and_are_counted() {
    let world = World::new(3);
    let sizes = [
        0, 1, 31, 4096, 16_384, 65_536, 65_537, 300_000, 5_000_000, 3,
    ];
    let links = world.run(Timing::default(), |mut link| {
        let (party, next, previous) =
            (link.party(), (link.party() + 1) % 3, (link.party() + 2) % 3);
        for (index, &size) in sizes.iter().enumerate() {
            link.step(Step {
                run: 7,
                index: index as u64,
            });
            let content = |party: usize| -> Vec<u8> {
                (0..size).map(|i| (i * 31 + party * 7) as u8).collect()
            };
            // Everybody sends first: nobody waits for a reader.
            link.send(next, &content(party)).unwrap();
            link.send(previous, &content(party)).unwrap();
            let mut found = vec![0; size];
            link.receive(previous, &mut found).unwrap();
            assert_eq!(found, content(previous));
            link.receive(next, &mut found).unwrap();
            assert_eq!(found, content(next));
        }
        let secrets: Vec<[u8; 32]> = (0..3).map(|peer| link.pair_secret(peer).unwrap()).collect();
        (link.traffic(), secrets)
    });
    let total: u64 = sizes.iter().map(|&size| size as u64).sum();
    for (party, (traffic, secrets)) in links.iter().enumerate() {
        for peer in (0..3).filter(|&peer| peer != party) {
            let counted = traffic.peers[peer];
            assert_eq!((counted.bytes_sent, counted.bytes_received), (total, total));
            assert_eq!((counted.messages_sent, counted.messages_received), (10, 10));
            assert_eq!(secrets[peer], links[peer].1[party]);
        }
        assert_ne!(secrets[(party + 1) % 3], secrets[(party + 2) % 3]);
    }
}

#[test]
fn a_stranger_and_an_impostor_are_turned_away() {
    let world = World::new(2);
    let stranger = identity();
    let Peer {
        address,
        fingerprint,
    } = world.peers[0];
    let refused = dial(
        address,
        &stranger,
        fingerprint,
        Purpose::Link,
        &SESSION,
        soon(),
    );
    assert!(
        matches!(refused, Err(StreamError::Refused)),
        "{:?}",
        refused.err()
    );
    // Party 0 expects party 1 where somebody else listens.
    let mut peers = world.peers.clone();
    peers[1].fingerprint = stranger.fingerprint();
    let Party { identity, acceptor } = &world.parties[0];
    let error = TlsLink::connect(0, &peers, identity, acceptor, &SESSION, quick(), soon())
        .err()
        .unwrap();
    assert!(matches!(
        error,
        ConnectError::Dial {
            peer: 1,
            source: StreamError::Identity,
            ..
        }
    ));
    assert_eq!(
        error.to_string(),
        format!(
            "cannot reach party 1 at {}: the other side shows another certificate than the one that is pinned",
            peers[1].address
        )
    );
}

#[test]
fn a_party_that_never_comes_is_named() {
    let world = World::new(2);
    let Party { identity, acceptor } = &world.parties[0];
    let mut peers = world.peers.clone();
    // Nobody listens there.
    peers[1].address = "127.0.0.1:1".parse().unwrap();
    let until = Instant::now() + Duration::from_millis(300);
    let error = TlsLink::connect(0, &peers, identity, acceptor, &SESSION, quick(), until)
        .err()
        .unwrap();
    assert!(
        matches!(error, ConnectError::Dial { peer: 1, .. }),
        "{error}"
    );
    // It listens but does not dial.
    let until = Instant::now() + Duration::from_millis(300);
    let error = TlsLink::connect(
        0,
        &world.peers,
        identity,
        acceptor,
        &SESSION,
        quick(),
        until,
    )
    .err()
    .unwrap();
    assert_eq!(
        error.to_string(),
        "party 1 has not connected to this session: no answer in time"
    );
}

#[test]
fn forged_frames_end_all_honest_parties_with_the_same_reason() {
    let step = "step 3 of run 1";
    let other = *b"another session of other parties";
    let cases: Vec<(Vec<u8>, String)> = vec![
        (
            frame(&other, 3, 0, 4, 3),
            format!("party 2 sent bytes at {step} that are no message of this session"),
        ),
        (
            frame(&SESSION, 3, 0, 4, 99),
            format!("party 2 sent bytes at {step} that are no message of this session"),
        ),
        (
            vec![0xab; 4096],
            format!("party 2 sent bytes at {step} that are no message of this session"),
        ),
        (
            frame(&SESSION, 4, 0, 4, 3),
            format!("party 2 sent a message of step 4 of run 1 where one of {step} was due"),
        ),
        (
            frame(&SESSION, 3, 0, 5, 3),
            format!(
                "party 2 sent 5 bytes at {step}, where 4 were due; the parties do not run the same program"
            ),
        ),
        (
            // A lie about a length allocates nothing.
            frame(&SESSION, 3, 0, 1 << 39, 3),
            format!(
                "party 2 sent 549755813888 bytes at {step}, where 4 were due; the parties do not run the same program"
            ),
        ),
        (
            // The same message again.
            [good_frame(), good_frame()].concat(),
            format!("party 2 sent message 0 at {step}, where message 1 was due"),
        ),
        (
            // One message left out.
            frame(&SESSION, 3, 1, 4, 3),
            format!("party 2 sent message 1 at {step}, where message 0 was due"),
        ),
    ];
    for (bytes, expected) in cases {
        let world = World::new(3);
        let errors = world.against(quick(), |mut to, from| {
            to[0].write_all(&bytes, soon()).unwrap();
            // Stays until both are done, so that its end is not what they see.
            hold(from);
            drop(to);
        });
        assert_eq!(errors[0].to_string(), expected);
        assert_eq!(
            errors[1].to_string(),
            format!("{expected}; party 0 noticed")
        );
        assert_eq!(errors[1].culprit(), errors[0].culprit());
    }
}

/// Reads until the other sides close.
fn hold(mut streams: Vec<TlsStream>) {
    for stream in &mut streams {
        while stream.read_exact(&mut [0], |_| soon()).is_ok() {}
    }
}

#[test]
fn a_party_that_dies_in_mid_message_is_named_by_all() {
    let world = World::new(3);
    let errors = world.against(quick(), |mut to, _from| {
        to[0].write_all(&good_frame()[..33], soon()).unwrap();
    });
    let expected =
        "party 2 closed the connection at step 3 of run 1; see its own log for the reason";
    assert_eq!(errors[0].to_string(), expected);
    assert_eq!(
        errors[1].to_string(),
        format!("{expected}; party 0 noticed")
    );
}

#[test]
fn a_party_that_falls_silent_is_named_by_all() {
    let world = World::new(3);
    let begin = Instant::now();
    let errors = world.against(quick(), |to, from| {
        hold(from);
        drop(to);
    });
    assert!(begin.elapsed() < Duration::from_secs(5));
    assert_eq!(errors.each_ref().map(|error| error.culprit().0), [2, 2]);
    assert!(
        errors[0]
            .to_string()
            .starts_with("party 2 has not answered for"),
        "{}",
        errors[0]
    );
}

#[test]
fn a_party_that_lives_but_stalls_is_named_by_all() {
    let world = World::new(3);
    let timing = Timing {
        patience: Duration::from_millis(700),
        ..quick()
    };
    let errors = world.run(timing, |mut link| {
        if link.party() == 2 {
            // Heartbeats go on while it does something else.
            std::thread::sleep(Duration::from_secs(3));
            return None;
        }
        Some(protocol(&mut link))
    });
    for error in errors.into_iter().flatten() {
        assert_eq!(error.culprit().0, 2, "{error}");
        assert!(
            error
                .to_string()
                .contains("party 2 has not answered for 0 s"),
            "{error}"
        );
    }
}

#[test]
fn a_party_that_gives_up_says_so() {
    let world = World::new(3);
    let errors = world.run(quick(), |mut link| {
        if link.party() == 2 {
            link.step(Step { run: 1, index: 2 });
            link.give_up();
            return None;
        }
        Some(protocol(&mut link).to_string())
    });
    let expected = "party 2 gave up at step 2 of run 1; see its own log for the reason";
    assert_eq!(errors[0].as_deref(), Some(expected));
    assert_eq!(
        errors[1].as_deref(),
        Some(&*format!("{expected}; party 0 noticed"))
    );
}

#[test]
fn a_computation_longer_than_the_silence_limit_is_no_failure() {
    let world = World::new(3);
    world.run(quick(), |mut link| {
        if link.party() == 2 {
            std::thread::sleep(Duration::from_millis(1200));
            link.send(0, &[1; 10]).unwrap();
            link.send(1, &[1; 10]).unwrap();
        } else {
            link.receive(2, &mut [0; 10]).unwrap();
        }
    });
}

#[test]
fn a_party_that_does_not_read_stops_its_sender_at_the_window() {
    let world = World::new(3);
    let timing = Timing {
        patience: Duration::from_secs(1),
        window: 1 << 20,
        ..quick()
    };
    let errors = world.run(timing, |mut link| {
        if link.party() == 1 {
            std::thread::sleep(Duration::from_secs(3));
            return None;
        }
        if link.party() == 2 {
            return link.receive(0, &mut [0]).err();
        }
        let megabyte = vec![0; 1 << 20];
        (0..200).find_map(|_| link.send(1, &megabyte).err())
    });
    for error in [&errors[0], &errors[2]] {
        let error = error.as_ref().unwrap();
        assert_eq!(error.culprit().0, 1, "{error}");
    }
}
