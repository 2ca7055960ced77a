//! Requests and answers on one connection.

use std::time::{Duration, Instant};

use hush_mpc::link::tls::TlsStream;

use crate::PartyError;

/// Bytes before a message's body: its kind and its length.
const HEADER: usize = 16;
/// Bodies grow by so much as they arrive, whatever their header says.
const GROWTH: usize = 1 << 20;
/// Longest text that explains a refusal or failure.
const REASON_MOST: u64 = 4096;

/// What a message is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Job = 1,
    Program = 2,
    Accept = 3,
    Refuse = 4,
    Start = 5,
    Ready = 6,
    Input = 7,
    Output = 8,
    Progress = 9,
    Report = 10,
    Done = 11,
    Failed = 12,
}

impl Kind {
    fn from_code(code: u8) -> Option<Self> {
        [
            Self::Job,
            Self::Program,
            Self::Accept,
            Self::Refuse,
            Self::Start,
            Self::Ready,
            Self::Input,
            Self::Output,
            Self::Progress,
            Self::Report,
            Self::Done,
            Self::Failed,
        ]
        .into_iter()
        .find(|kind| *kind as u8 == code)
    }

    fn name(self) -> &'static str {
        match self {
            Self::Job => "a job",
            Self::Program => "a program",
            Self::Accept => "an acceptance",
            Self::Refuse => "a refusal",
            Self::Start => "a start",
            Self::Ready => "an agreement",
            Self::Input => "an input",
            Self::Output => "an output",
            Self::Progress => "progress",
            Self::Report => "a report",
            Self::Done => "the end",
            Self::Failed => "a failure",
        }
    }
}

/// A connection to a party whose name is known.
pub(crate) struct Channel {
    stream: TlsStream,
    pub(crate) party: String,
    patience: Duration,
}

impl Channel {
    pub(crate) fn new(stream: TlsStream, party: &str, patience: Duration) -> Self {
        Self {
            stream,
            party: party.to_owned(),
            patience,
        }
    }

    pub(crate) fn send(&mut self, kind: Kind, parts: &[&[u8]]) -> Result<(), PartyError> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let mut header = [0; HEADER];
        header[0] = kind as u8;
        header[8..].copy_from_slice(&(length as u64).to_le_bytes());
        let deadline = Instant::now() + self.patience;
        let fail = PartyError::connection(&self.party);
        // Short messages in one piece.
        if length <= 4096 {
            let message = [&header[..], &parts.concat()].concat();
            return self.stream.write_all(&message, deadline).map_err(fail);
        }
        self.stream.write_all(&header, deadline).map_err(&fail)?;
        for part in parts {
            self.stream.write_all(part, deadline).map_err(&fail)?;
        }
        Ok(())
    }

    /// The next message, of a kind that `limit` gives the most bytes for. Refusals and failures become errors.
    pub(crate) fn receive(
        &mut self,
        expected: &'static str,
        limit: impl Fn(Kind) -> Option<u64>,
    ) -> Result<(Kind, Vec<u8>), PartyError> {
        let deadline = Instant::now() + self.patience;
        let mut header = [0; HEADER];
        let read = self.stream.read_exact(&mut header, |_| deadline);
        read.map_err(PartyError::connection(&self.party))?;
        let unexpected = |found: String| PartyError::Unexpected {
            party: self.party.clone(),
            expected,
            found,
        };
        let kind = Kind::from_code(header[0])
            .ok_or_else(|| unexpected("bytes that are no message".to_owned()))?;
        let found = u64::from_le_bytes(header[8..].try_into().expect("eight bytes"));
        let most = match kind {
            Kind::Refuse | Kind::Failed => REASON_MOST,
            kind => limit(kind).ok_or_else(|| unexpected(kind.name().to_owned()))?,
        };
        if found > most {
            return Err(PartyError::TooLong {
                party: self.party.clone(),
                what: kind.name(),
                limit: most,
                found,
            });
        }
        let mut body = Vec::new();
        while (body.len() as u64) < found {
            let start = body.len();
            let more = (found - start as u64).min(GROWTH as u64) as usize;
            body.resize(start + more, 0);
            let read = self
                .stream
                .read_exact(&mut body[start..], |_| Instant::now() + self.patience);
            read.map_err(PartyError::connection(&self.party))?;
        }
        let reason = || String::from_utf8_lossy(&body).into_owned();
        match kind {
            Kind::Refuse => Err(PartyError::Refused {
                party: self.party.clone(),
                reason: reason(),
            }),
            Kind::Failed => Err(PartyError::Failed {
                party: self.party.clone(),
                reason: reason(),
            }),
            kind => Ok((kind, body)),
        }
    }

    /// The next message, of one kind and with exactly `length` bytes.
    pub(crate) fn receive_exact(&mut self, kind: Kind, length: u64) -> Result<Vec<u8>, PartyError> {
        let (_, body) = self.receive(kind.name(), |found| (found == kind).then_some(length))?;
        if body.len() as u64 == length {
            return Ok(body);
        }
        Err(PartyError::Unexpected {
            party: self.party.clone(),
            expected: kind.name(),
            found: format!("{} bytes instead of {length}", body.len()),
        })
    }

    /// Says why, as far as that still works.
    pub(crate) fn explain(&mut self, kind: Kind, reason: &str) {
        let end = (0..=reason.len().min(REASON_MOST as usize))
            .rev()
            .find(|&end| reason.is_char_boundary(end));
        let _ = self.send(kind, &[&reason.as_bytes()[..end.unwrap_or(0)]]);
    }
}
