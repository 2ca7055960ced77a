//! Requests, answers and heartbeats on one connection.
//!
//! From the start of a session on both sides send a heartbeat whenever they have sent nothing for a while, so that a
//! party that computes for hours is told from one that is gone. Whoever holds a channel either waits for a message on
//! it or tends it; both send what is due and look at what came.

use std::time::{Duration, Instant};

use hush_mpc::link::tls::{StreamError, Timing, TlsStream};

use crate::PartyError;

/// Bytes before a message's body: its kind and its length.
const HEADER: usize = 16;
/// Bodies grow by so much as they arrive, whatever their header says.
const GROWTH: usize = 1 << 20;
/// Longest text that explains a refusal or failure.
const REASON_MOST: u64 = 4096;
/// How long one channel is waited for before the others are looked after.
pub(crate) const TICK: Duration = Duration::from_millis(50);
/// How long the other side may take to read what was sent last.
const LINGER: Duration = Duration::from_secs(5);

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
    Heartbeat = 13,
    Describe = 14,
    Description = 15,
    Ended = 16,
}

impl Kind {
    const ALL: [Self; 16] = [
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
        Self::Heartbeat,
        Self::Describe,
        Self::Description,
        Self::Ended,
    ];

    fn from_code(code: u8) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| *kind as u8 == code)
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
            Self::Heartbeat => "a heartbeat",
            Self::Describe => "a question for a kept model",
            Self::Description => "the description of a kept model",
            Self::Ended => "the failure of another party",
        }
    }
}

/// How long to wait for a message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Wait {
    /// The other side has nothing to compute before it.
    Patience,
    /// As long as the other side lives: it computes.
    Alive,
}

/// One message.
pub(crate) type Message = (Kind, Vec<u8>);

/// A connection to a party whose name is known.
pub(crate) struct Channel {
    /// None once it is closed.
    stream: Option<TlsStream>,
    pub(crate) party: String,
    timing: Timing,
    beating: bool,
    heard: Instant,
    sent: Instant,
    header: [u8; HEADER],
    filled: usize,
    body: Vec<u8>,
}

impl Channel {
    pub(crate) fn new(stream: TlsStream, party: &str, timing: Timing) -> Self {
        let now = Instant::now();
        Self {
            stream: Some(stream),
            party: party.to_owned(),
            timing,
            beating: false,
            heard: now,
            sent: now,
            header: [0; HEADER],
            filled: 0,
            body: Vec::new(),
        }
    }

    /// From now on both sides send heartbeats; the other one may take `grace` until it begins.
    pub(crate) fn beat_from_now(&mut self, grace: Duration) {
        self.beating = true;
        self.heard = Instant::now() + grace;
    }

    pub(crate) fn is_open(&self) -> bool {
        self.stream.is_some()
    }

    /// Nothing is expected any more.
    pub(crate) fn close(&mut self) {
        self.stream = None;
    }

    pub(crate) fn send(&mut self, kind: Kind, parts: &[&[u8]]) -> Result<(), PartyError> {
        self.send_while(kind, parts, || Ok(()))
    }

    /// Sends a message and calls `meanwhile` now and then if that takes long.
    pub(crate) fn send_while(
        &mut self,
        kind: Kind,
        parts: &[&[u8]],
        mut meanwhile: impl FnMut() -> Result<(), PartyError>,
    ) -> Result<(), PartyError> {
        let length: usize = parts.iter().map(|part| part.len()).sum();
        let mut header = [0; HEADER];
        header[0] = kind as u8;
        header[8..].copy_from_slice(&(length as u64).to_le_bytes());
        // Short messages in one piece.
        if length <= 4096 {
            let message = [&header[..], &parts.concat()].concat();
            return self.write(&message, &mut meanwhile);
        }
        self.write(&header, &mut meanwhile)?;
        for piece in parts.iter().flat_map(|part| part.chunks(TlsStream::PIECE)) {
            self.write(piece, &mut meanwhile)?;
        }
        Ok(())
    }

    fn write(
        &mut self,
        piece: &[u8],
        meanwhile: &mut impl FnMut() -> Result<(), PartyError>,
    ) -> Result<(), PartyError> {
        let started = Instant::now();
        let mut written = match &mut self.stream {
            Some(stream) => stream.write_all(piece, started + TICK),
            None => Err(StreamError::Closed),
        };
        loop {
            self.sent = Instant::now();
            match written {
                Ok(()) => return Ok(()),
                Err(StreamError::TimedOut) => {}
                Err(error) => return Err(self.last_words(error)),
            }
            meanwhile()?;
            self.pull()?;
            self.check_alive(
                started,
                Wait::Patience,
                "while it was to read what it is sent",
            )?;
            written = match &mut self.stream {
                Some(stream) => stream.flush(Instant::now() + TICK),
                None => Err(StreamError::Closed),
            };
        }
    }

    /// Why the other side closed, if it said so.
    fn last_words(&mut self, error: StreamError) -> PartyError {
        let until = Instant::now() + Duration::from_millis(500);
        let said = self.advance(until, "", &|_| None);
        match said.err() {
            Some(
                reason @ (PartyError::Refused { .. }
                | PartyError::Failed { .. }
                | PartyError::Told { .. }),
            ) => reason,
            _ => self.gone(error, "while it was to read what it is sent"),
        }
    }

    fn gone(&self, source: StreamError, during: &str) -> PartyError {
        PartyError::Gone {
            party: self.party.clone(),
            during: during.to_owned(),
            source,
        }
    }

    /// Waits for a message for one tick, and sends what is due.
    pub(crate) fn step(
        &mut self,
        started: Instant,
        expected: &'static str,
        wait: Wait,
        limit: &dyn Fn(Kind) -> Option<u64>,
    ) -> Result<Option<Message>, PartyError> {
        let message = self.advance(Instant::now() + TICK, expected, limit)?;
        if message.is_none() {
            self.beat()?;
            self.check_alive(started, wait, &format!("while {expected} of it was due"))?;
        }
        Ok(message)
    }

    /// The body of a message that must have so many bytes.
    pub(crate) fn exactly(
        &self,
        kind: Kind,
        length: u64,
        body: Vec<u8>,
    ) -> Result<Vec<u8>, PartyError> {
        if body.len() as u64 == length {
            return Ok(body);
        }
        Err(PartyError::Unexpected {
            party: self.party.clone(),
            expected: kind.name().to_owned(),
            found: format!("{} bytes instead of {length}", body.len()),
        })
    }

    /// Sends a heartbeat if it is due and looks at what came, without waiting. A message that is for somebody who waits
    /// for it stays.
    pub(crate) fn tend(&mut self, during: &str) -> Result<(), PartyError> {
        if self.stream.is_none() || !self.beating {
            return Ok(());
        }
        self.pull_during(during)?;
        self.beat()?;
        let waits = self.filled == HEADER;
        match waits {
            true => Ok(()),
            false => self.check_alive(Instant::now(), Wait::Alive, during),
        }
    }

    fn beat(&mut self) -> Result<(), PartyError> {
        if self.beating && self.sent.elapsed() >= self.timing.heartbeat {
            self.send(Kind::Heartbeat, &[])?;
        }
        Ok(())
    }

    fn check_alive(&self, started: Instant, wait: Wait, during: &str) -> Result<(), PartyError> {
        let silent = Instant::now().saturating_duration_since(self.heard);
        let limit = match self.beating {
            true => self.timing.silence,
            false => self.timing.patience,
        };
        let stuck = wait == Wait::Patience && started.elapsed() > self.timing.patience;
        if silent <= limit && !stuck {
            return Ok(());
        }
        Err(PartyError::Silent {
            party: self.party.clone(),
            during: during.to_owned(),
            seconds: if stuck { started.elapsed() } else { silent }.as_secs_f64(),
        })
    }

    fn pull(&mut self) -> Result<(), PartyError> {
        self.pull_during("while it was to read what it is sent")
    }

    /// Looks at what came: heartbeats are noted, failures are errors, and anything else stays where it is.
    fn pull_during(&mut self, during: &str) -> Result<(), PartyError> {
        while self.read_header(Instant::now(), during)? {
            match Kind::from_code(self.header[0]) {
                Some(Kind::Heartbeat) if self.header[1..] == [0; HEADER - 1] => self.filled = 0,
                Some(Kind::Heartbeat | Kind::Failed | Kind::Ended | Kind::Refuse) => {
                    self.advance(Instant::now(), during, &|_| None)?;
                    return Ok(());
                }
                _ => return Ok(()),
            }
        }
        Ok(())
    }

    /// Whether the header is there.
    fn read_header(&mut self, until: Instant, during: &str) -> Result<bool, PartyError> {
        while self.filled < HEADER {
            let Some(stream) = &mut self.stream else {
                return Err(self.gone(StreamError::Closed, during));
            };
            match stream.read_some(&mut self.header[self.filled..], until) {
                Ok(count) => self.filled += count,
                Err(StreamError::TimedOut) => return Ok(false),
                Err(error) => return Err(self.gone(error, during)),
            }
            self.heard = self.heard.max(Instant::now());
        }
        Ok(true)
    }

    /// Reads until a message is whole, or nothing comes until `until`.
    fn advance(
        &mut self,
        until: Instant,
        expected: &str,
        limit: &dyn Fn(Kind) -> Option<u64>,
    ) -> Result<Option<Message>, PartyError> {
        let during = format!("while {expected} of it was due");
        loop {
            if !self.read_header(until, &during)? {
                return Ok(None);
            }
            let (kind, found) = self.checked_header(expected, limit)?;
            while (self.body.len() as u64) < found {
                let start = self.body.len();
                let more = (found - start as u64).min(GROWTH as u64) as usize;
                self.body.resize(start + more, 0);
                let read = match &mut self.stream {
                    Some(stream) => stream.read_some(&mut self.body[start..], until),
                    None => Err(StreamError::Closed),
                };
                self.body
                    .truncate(start + read.as_ref().map_or(0, |count| *count));
                match read {
                    Ok(_) => self.heard = self.heard.max(Instant::now()),
                    Err(StreamError::TimedOut) => return Ok(None),
                    Err(error) => return Err(self.gone(error, &during)),
                }
            }
            self.filled = 0;
            let body = std::mem::take(&mut self.body);
            let reason = || String::from_utf8_lossy(&body).into_owned();
            let party = self.party.clone();
            return match kind {
                Kind::Heartbeat => continue,
                Kind::Refuse => Err(PartyError::Refused {
                    party,
                    reason: reason(),
                }),
                Kind::Failed => Err(PartyError::Failed {
                    party,
                    reason: reason(),
                }),
                Kind::Ended => Err(PartyError::Told {
                    by: party,
                    reason: reason(),
                }),
                kind => Ok(Some((kind, body))),
            };
        }
    }

    fn checked_header(
        &self,
        expected: &str,
        limit: &dyn Fn(Kind) -> Option<u64>,
    ) -> Result<(Kind, u64), PartyError> {
        let unexpected = |found: String| PartyError::Unexpected {
            party: self.party.clone(),
            expected: expected.to_owned(),
            found,
        };
        let kind = Kind::from_code(self.header[0])
            .filter(|_| self.header[1..8] == [0; 7])
            .ok_or_else(|| unexpected("bytes that are no message".to_owned()))?;
        let found = u64::from_le_bytes(self.header[8..].try_into().expect("eight bytes"));
        let most = match kind {
            Kind::Heartbeat => 0,
            Kind::Refuse | Kind::Failed | Kind::Ended => REASON_MOST,
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
        Ok((kind, found))
    }

    /// Says why, as far as that still works.
    pub(crate) fn explain(&mut self, kind: Kind, reason: &str) {
        let end = (0..=reason.len().min(REASON_MOST as usize))
            .rev()
            .find(|&end| reason.is_char_boundary(end));
        let header_and_text = &reason.as_bytes()[..end.unwrap_or(0)];
        if self.stream.is_some() {
            let patience = std::mem::replace(&mut self.timing.patience, LINGER);
            let _ = self.send_while(kind, &[header_and_text], || Ok(()));
            self.timing.patience = patience;
        }
    }

    /// Throws away what still comes until the other side closes. A side that closes first, with something unread, may
    /// take back what it sent last.
    pub(crate) fn linger(&mut self) {
        let until = Instant::now() + LINGER;
        let mut bytes = [0; 4096];
        if let Some(stream) = &mut self.stream {
            while stream.read_some(&mut bytes, until).is_ok() && Instant::now() < until {}
        }
        self.stream = None;
    }

    /// Whether the other side has closed; what it sends meanwhile is thrown away.
    pub(crate) fn has_closed(&mut self) -> bool {
        let mut bytes = [0; 4096];
        while let Some(stream) = &mut self.stream {
            match stream.read_some(&mut bytes, Instant::now()) {
                Ok(_) => self.heard = Instant::now(),
                Err(StreamError::TimedOut) => break,
                Err(_) => self.stream = None,
            }
        }
        let silent = Instant::now().saturating_duration_since(self.heard);
        self.stream.is_none() || silent > self.timing.silence
    }
}
