//! What travels on a connection: frames of 32 bytes and, for two kinds, what follows them.
//!
//! | bytes | what |
//! |---|---|
//! | 0..8 | start of the session's name |
//! | 8..12 | run |
//! | 12..16 | step of that run |
//! | 16..24 | messages sent before on this connection; in a heartbeat, whom the sender waits for plus one |
//! | 24..31 | length of what follows |
//! | 31 | kind |

use super::super::{LinkError, Step};

/// Bytes of a frame's header.
pub(super) const HEADER: usize = 32;
/// Bytes that follow the header of a frame that reports a failure.
pub(super) const REPORT: usize = 48;
/// The longest message: what seven bytes could say is far more than any step exchanges.
const LENGTH_MOST: u64 = 1 << 40;

/// What a frame is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Kind {
    /// The first frame of a connection; the session's whole name follows.
    Hello = 1,
    /// The answer to it.
    Welcome = 2,
    /// A message of the protocol.
    Data = 3,
    /// The sender lives.
    Heartbeat = 4,
    /// The sender gives up; its reason follows.
    Failure = 5,
}

/// A frame's header.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Header {
    pub(super) session: [u8; 8],
    pub(super) step: Step,
    pub(super) sequence: u64,
    pub(super) length: u64,
    pub(super) kind: Kind,
}

impl Header {
    pub(super) fn to_bytes(self) -> [u8; HEADER] {
        let mut bytes = [0; HEADER];
        bytes[..8].copy_from_slice(&self.session);
        // Steps beyond 2^32 would repeat, which the sequence number tells apart.
        bytes[8..12].copy_from_slice(&(self.step.run as u32).to_le_bytes());
        bytes[12..16].copy_from_slice(&(self.step.index as u32).to_le_bytes());
        bytes[16..24].copy_from_slice(&self.sequence.to_le_bytes());
        bytes[24..].copy_from_slice(&self.length.to_le_bytes());
        bytes[31] = self.kind as u8;
        bytes
    }

    /// None if the kind is unknown or the length absurd.
    pub(super) fn parse(bytes: &[u8; HEADER]) -> Option<Self> {
        let kind = match bytes[31] {
            1 => Kind::Hello,
            2 => Kind::Welcome,
            3 => Kind::Data,
            4 => Kind::Heartbeat,
            5 => Kind::Failure,
            _ => return None,
        };
        let length = number(&bytes[24..31]);
        let known = match kind {
            Kind::Hello => length == 33,
            Kind::Welcome | Kind::Heartbeat => length == 0,
            Kind::Failure => length == REPORT as u64,
            Kind::Data => length <= LENGTH_MOST,
        };
        known.then(|| Self {
            session: bytes[..8].try_into().expect("eight bytes"),
            step: Step {
                run: number(&bytes[8..12]),
                index: number(&bytes[12..16]),
            },
            sequence: number(&bytes[16..24]),
            length,
            kind,
        })
    }
}

/// A step as headers carry it.
pub(super) fn on_wire(step: Step) -> Step {
    Step {
        run: u64::from(step.run as u32),
        index: u64::from(step.index as u32),
    }
}

fn number(bytes: &[u8]) -> u64 {
    let mut wide = [0; 8];
    wide[..bytes.len()].copy_from_slice(bytes);
    u64::from_le_bytes(wide)
}

/// A failure as bytes: code, peer, step, two numbers.
pub(super) fn report(error: &LinkError) -> [u8; REPORT] {
    let (code, peer, step, one, two) = match error {
        LinkError::Closed { peer, step } => (1, peer, step, 0, 0),
        LinkError::TimedOut {
            peer,
            step,
            seconds,
        } => (2, peer, step, *seconds, 0),
        LinkError::Length {
            peer,
            step,
            expected,
            found,
        } => (3, peer, step, *expected as u64, *found as u64),
        LinkError::Order { peer, step, found } => (4, peer, step, found.run, found.index),
        LinkError::Sequence {
            peer,
            step,
            expected,
            found,
        } => (5, peer, step, *expected, *found),
        LinkError::Frame { peer, step } => (6, peer, step, 0, 0),
        LinkError::Io { peer, step, .. } => (7, peer, step, 0, 0),
        LinkError::Failed { peer, step } => (8, peer, step, 0, 0),
        LinkError::Reported { error, .. } => return report(error),
    };
    let mut bytes = [0; REPORT];
    let numbers = [code, *peer as u64, step.run, step.index, one, two];
    for (bytes, number) in bytes.chunks_exact_mut(8).zip(numbers) {
        bytes.copy_from_slice(&number.to_le_bytes());
    }
    bytes
}

/// The failure that party `by` reports; anything odd is that party's own failure.
pub(super) fn parse_report(
    bytes: &[u8; REPORT],
    by: usize,
    parties: usize,
    here: Step,
) -> LinkError {
    let numbers: Vec<u64> = bytes.chunks_exact(8).map(number).collect();
    let (run, index) = (numbers[2], numbers[3]);
    let step = Step { run, index };
    let (one, two) = (numbers[4], numbers[5]);
    let own = LinkError::Failed {
        peer: by,
        step: here,
    };
    let Some(peer) = usize::try_from(numbers[1])
        .ok()
        .filter(|&peer| peer < parties)
    else {
        return own;
    };
    let error = match numbers[0] {
        1 => LinkError::Closed { peer, step },
        2 => LinkError::TimedOut {
            peer,
            step,
            seconds: one,
        },
        3 => LinkError::Length {
            peer,
            step,
            expected: one as usize,
            found: two as usize,
        },
        4 => LinkError::Order {
            peer,
            step,
            found: Step {
                run: one,
                index: two,
            },
        },
        5 => LinkError::Sequence {
            peer,
            step,
            expected: one,
            found: two,
        },
        6 => LinkError::Frame { peer, step },
        7 => LinkError::Closed { peer, step },
        8 if peer == by => return LinkError::Failed { peer, step },
        8 => LinkError::Failed { peer, step },
        _ => return own,
    };
    LinkError::Reported {
        by,
        error: Box::new(error),
    }
}

/// Reads a frame as a link of three parties does, with the failure in it if it tells of one: whether it may be one, and
/// comes back as the same header. For fuzzing.
pub fn is_frame(bytes: &[u8]) -> bool {
    let Some((first, body)) = bytes.split_first_chunk::<HEADER>() else {
        return false;
    };
    let Some(header) = Header::parse(first) else {
        return false;
    };
    if header.kind == Kind::Failure {
        let Some(told) = body.first_chunk::<REPORT>() else {
            return false;
        };
        // Passed on to others, whatever it says.
        report(&parse_report(told, 1, 3, header.step));
    }
    header.to_bytes() == *first
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_come_back() {
        let header = Header {
            session: *b"8 bytes!",
            step: Step { run: 3, index: 9 },
            sequence: u64::MAX - 1,
            length: 1 << 33,
            kind: Kind::Data,
        };
        assert_eq!(Header::parse(&header.to_bytes()), Some(header));
    }

    #[test]
    fn no_bytes_make_the_parser_panic() {
        let mut state = 1u64;
        for _ in 0..200_000 {
            let bytes: [u8; HEADER] = std::array::from_fn(|_| {
                state = state
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1_442_695_040_888_963_407);
                // Mostly small numbers, so that kinds and lengths are met.
                ((state >> 60) as u8 & 7) * u8::from(state >> 50 & 3 != 0)
            });
            if let Some(header) = Header::parse(&bytes) {
                assert_eq!(header.to_bytes(), bytes);
            }
        }
    }

    #[test]
    fn reports_come_back_and_odd_ones_blame_their_sender() {
        let step = Step { run: 1, index: 2 };
        let error = LinkError::Length {
            peer: 2,
            step,
            expected: 8,
            found: 9,
        };
        let found = parse_report(&report(&error), 1, 3, Step::default());
        assert_eq!(found.to_string(), format!("{error}; party 1 noticed"));
        let mut odd = report(&error);
        odd[8] = 77;
        assert!(matches!(
            parse_report(&odd, 1, 3, step),
            LinkError::Failed { peer: 1, .. }
        ));
        odd[0] = 99;
        assert!(matches!(
            parse_report(&odd, 1, 99, step),
            LinkError::Failed { peer: 1, .. }
        ));
    }
}
