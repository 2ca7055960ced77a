//! The receiving half of a link to one peer, read by the thread that computes.

use std::time::Instant;

use super::super::{LinkError, Step};
use super::Timing;
use super::frame::{HEADER, Header, Kind, REPORT, on_wire, parse_report};
use super::stream::{Heard, StreamError, TlsStream};

pub(super) struct Incoming {
    stream: TlsStream,
    peer: usize,
    parties: usize,
    session: [u8; 8],
    sequence: u64,
    timing: Timing,
    /// The peer waits for a third party, as its last heartbeat said.
    excused: bool,
}

impl Incoming {
    pub(super) fn new(
        stream: TlsStream,
        peer: usize,
        parties: usize,
        session: [u8; 8],
        timing: Timing,
    ) -> Self {
        Self {
            stream,
            peer,
            parties,
            session,
            sequence: 0,
            timing,
            excused: false,
        }
    }

    /// The next message, which must be of `step` and as long as `into`.
    pub(super) fn receive(
        &mut self,
        me: usize,
        step: Step,
        into: &mut [u8],
    ) -> Result<(), LinkError> {
        let peer = self.peer;
        let started = Instant::now();
        let header = self.next_header(me, step, started)?;
        if on_wire(step) != header.step {
            let found = header.step;
            return Err(LinkError::Order { peer, step, found });
        }
        if header.sequence != self.sequence {
            return Err(LinkError::Sequence {
                peer,
                step,
                expected: self.sequence,
                found: header.sequence,
            });
        }
        if header.length != into.len() as u64 {
            return Err(LinkError::Length {
                peer,
                step,
                expected: into.len(),
                found: usize::try_from(header.length).unwrap_or(usize::MAX),
            });
        }
        self.sequence += 1;
        self.read(step, started, into)
    }

    /// Headers up to that of the next message; heartbeats are noted, failures are errors.
    fn next_header(
        &mut self,
        me: usize,
        step: Step,
        started: Instant,
    ) -> Result<Header, LinkError> {
        let peer = self.peer;
        loop {
            let mut bytes = [0; HEADER];
            self.read(step, started, &mut bytes)?;
            let header = Header::parse(&bytes)
                .filter(|header| header.session == self.session)
                .ok_or(LinkError::Frame { peer, step })?;
            match header.kind {
                Kind::Data => {
                    self.excused = false;
                    return Ok(header);
                }
                Kind::Heartbeat => {
                    let waits_for = header.sequence;
                    self.excused = waits_for != 0 && waits_for != me as u64 + 1;
                }
                Kind::Failure => {
                    let mut report = [0; REPORT];
                    self.read(step, started, &mut report)?;
                    return Err(parse_report(&report, peer, self.parties, step));
                }
                Kind::Hello | Kind::Welcome => return Err(LinkError::Frame { peer, step }),
            }
        }
    }

    /// Looks in what has come already for the peer's reason to give up, after sending to it failed.
    pub(super) fn reason(&mut self, me: usize, step: Step) -> Option<LinkError> {
        let soon = Timing {
            silence: std::time::Duration::from_millis(500),
            patience: std::time::Duration::from_millis(500),
            ..self.timing
        };
        let timing = std::mem::replace(&mut self.timing, soon);
        let started = Instant::now();
        let reason = loop {
            match self.next_header(me, step, started) {
                // A message that nobody will read any more.
                Ok(header) => {
                    let mut rest = header.length;
                    let mut bytes = [0; 4096];
                    while rest > 0 {
                        let count = rest.min(4096) as usize;
                        if self.read(step, started, &mut bytes[..count]).is_err() {
                            break;
                        }
                        rest -= count as u64;
                    }
                    if rest > 0 {
                        break None;
                    }
                }
                Err(error @ (LinkError::Reported { .. } | LinkError::Failed { .. })) => {
                    break Some(error);
                }
                Err(_) => break None,
            }
        };
        self.timing = timing;
        reason
    }

    fn read(&mut self, step: Step, started: Instant, into: &mut [u8]) -> Result<(), LinkError> {
        let (timing, excused) = (self.timing, self.excused);
        let mut heard = started.max(Instant::now());
        let mut limit = timing.silence;
        let deadline = |what| {
            if what == Heard::Bytes {
                heard = Instant::now();
            }
            // A peer that waits for somebody else loses its own patience with that one first, and says so.
            let patience = timing.patience * if excused { 4 } else { 1 };
            let (silent, stalled) = (heard + timing.silence, started + patience);
            limit = if silent <= stalled {
                timing.silence
            } else {
                patience
            };
            silent.min(stalled)
        };
        self.stream
            .read_exact(into, deadline)
            .map_err(|error| failure(self.peer, step, error, limit.as_secs()))
    }
}

/// A connection's failure as the link tells it.
pub(super) fn failure(peer: usize, step: Step, error: StreamError, seconds: u64) -> LinkError {
    match error {
        StreamError::Closed => LinkError::Closed { peer, step },
        StreamError::TimedOut => LinkError::TimedOut {
            peer,
            step,
            seconds,
        },
        StreamError::Io(source) => LinkError::Io { peer, step, source },
        StreamError::Identity | StreamError::Refused | StreamError::Tls(_) => {
            LinkError::Frame { peer, step }
        }
    }
}
