//! Parties as threads of one process, for tests, benches and development.

use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::time::Duration;

use super::{Link, LinkError, Step, Traffic};

/// How long a party waits for another by default.
const PATIENCE: Duration = Duration::from_secs(60);

/// One party's end of channels to the others.
#[derive(Debug)]
pub struct MemoryLink {
    party: usize,
    outgoing: Vec<Option<Sender<Message>>>,
    incoming: Vec<Option<Receiver<Message>>>,
    patience: Duration,
    step: Step,
    traffic: Traffic,
}

#[derive(Debug)]
struct Message {
    step: Step,
    depth: u64,
    bytes: Vec<u8>,
}

/// The ends of a full mesh among `parties` parties, by party.
pub fn mesh(parties: usize) -> Vec<MemoryLink> {
    let mut links: Vec<MemoryLink> = (0..parties)
        .map(|party| MemoryLink {
            party,
            outgoing: (0..parties).map(|_| None).collect(),
            incoming: (0..parties).map(|_| None).collect(),
            patience: PATIENCE,
            step: Step::default(),
            traffic: Traffic::none(parties),
        })
        .collect();
    for from in 0..parties {
        for to in (0..parties).filter(|&to| to != from) {
            let (sender, receiver) = channel();
            links[from].outgoing[to] = Some(sender);
            links[to].incoming[from] = Some(receiver);
        }
    }
    links
}

/// Runs `party` once for each of `parties` parties, each on a thread of its own, and gives their
/// results by party.
///
/// # Panics
/// If one of them does.
pub fn run<T: Send>(parties: usize, party: impl Fn(MemoryLink) -> T + Sync) -> Vec<T> {
    let party = &party;
    std::thread::scope(|scope| {
        let threads: Vec<_> = mesh(parties)
            .into_iter()
            .map(|link| scope.spawn(move || party(link)))
            .collect();
        let results = threads.into_iter().map(|thread| thread.join());
        results
            .map(|result| result.unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
}

impl MemoryLink {
    /// Waits for a message at most so long.
    pub fn with_patience(self, patience: Duration) -> Self {
        Self { patience, ..self }
    }
}

impl Link for MemoryLink {
    fn party(&self) -> usize {
        self.party
    }

    fn parties(&self) -> usize {
        self.outgoing.len()
    }

    fn send(&mut self, to: usize, bytes: &[u8]) -> Result<(), LinkError> {
        let (peer, step) = (to, self.step);
        let sender = self.outgoing[to]
            .as_ref()
            .expect("no party sends to itself");
        let bytes = bytes.to_vec();
        self.traffic.count_sent(to, bytes.len());
        sender
            .send(Message {
                step,
                depth: self.traffic.depth + 1,
                bytes,
            })
            .map_err(|_| LinkError::Closed { peer, step })
    }

    fn receive(&mut self, from: usize, into: &mut [u8]) -> Result<(), LinkError> {
        let (peer, step) = (from, self.step);
        let receiver = self.incoming[from]
            .as_ref()
            .expect("no party receives from itself");
        let message = receiver
            .recv_timeout(self.patience)
            .map_err(|error| match error {
                RecvTimeoutError::Timeout => LinkError::TimedOut {
                    peer,
                    step,
                    seconds: self.patience.as_secs(),
                },
                RecvTimeoutError::Disconnected => LinkError::Closed { peer, step },
            })?;
        if message.step != step {
            let found = message.step;
            return Err(LinkError::Order { peer, step, found });
        }
        if message.bytes.len() != into.len() {
            return Err(LinkError::Length {
                peer,
                step,
                expected: into.len(),
                found: message.bytes.len(),
            });
        }
        into.copy_from_slice(&message.bytes);
        self.traffic.depth = self.traffic.depth.max(message.depth);
        self.traffic.count_received(from, into.len());
        Ok(())
    }

    fn step(&mut self, step: Step) {
        self.step = step;
    }

    fn traffic(&self) -> Traffic {
        self.traffic.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn messages_arrive_in_order_and_are_counted() {
        let traffic = run(3, |mut link| {
            let (party, next, previous) =
                (link.party(), (link.party() + 1) % 3, (link.party() + 2) % 3);
            link.step(Step { run: 1, index: 7 });
            link.send(next, &[party as u8; 4]).unwrap();
            link.send(next, &[9]).unwrap();
            let mut four = [0; 4];
            link.receive(previous, &mut four).unwrap();
            assert_eq!(four, [previous as u8; 4]);
            link.receive(previous, &mut four[..1]).unwrap();
            assert_eq!(four[0], 9);
            (link.traffic(), next, previous)
        });
        for (traffic, next, previous) in traffic {
            assert_eq!((traffic.bytes_sent(), traffic.messages_sent()), (5, 2));
            assert_eq!(traffic.peers[next].bytes_sent, 5);
            assert_eq!(traffic.peers[previous].bytes_received, 5);
        }
    }

    #[test]
    fn another_length_or_step_is_refused() {
        run(2, |mut link| {
            if link.party() == 0 {
                link.send(1, &[0; 3]).unwrap();
                link.step(Step { run: 0, index: 1 });
                link.send(1, &[0; 3]).unwrap();
            } else {
                let mut four = [0; 4];
                let error = link.receive(0, &mut four).unwrap_err();
                assert!(matches!(
                    error,
                    LinkError::Length {
                        peer: 0,
                        expected: 4,
                        found: 3,
                        ..
                    }
                ));
                let error = link.receive(0, &mut four[..3]).unwrap_err();
                assert!(matches!(error, LinkError::Order { peer: 0, .. }));
            }
        });
    }

    #[test]
    fn a_silent_peer_and_one_that_is_gone_are_told_apart() {
        run(2, |link| {
            let mut link = link.with_patience(Duration::from_millis(20));
            if link.party() == 1 {
                let silent = link.receive(0, &mut [0]).unwrap_err();
                assert!(matches!(silent, LinkError::TimedOut { peer: 0, .. }));
                let _ = link.send(0, &[1]);
            } else {
                let mut link = link.with_patience(Duration::from_secs(5));
                link.receive(1, &mut [0]).unwrap();
                let gone = link.receive(1, &mut [0]).unwrap_err();
                assert!(matches!(gone, LinkError::Closed { peer: 1, .. }));
            }
        });
    }
}
