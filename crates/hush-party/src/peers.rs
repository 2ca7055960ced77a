//! Several channels of one session: while one is waited for, all others are looked after.

use std::time::{Duration, Instant};

use crate::channel::{Channel, Kind, Message, TICK, Wait};
use crate::error::PartyError;
use crate::halt::Halt;

/// How long the others have to say more than that a connection was closed.
const REASON: Duration = Duration::from_secs(2);

/// All channels of one session at one party.
pub(crate) struct Peers<'c> {
    channels: Vec<&'c mut Channel>,
    halt: &'c Halt,
}

impl<'c> Peers<'c> {
    pub(crate) fn new(channels: Vec<&'c mut Channel>, halt: &'c Halt) -> Self {
        Self { channels, halt }
    }

    pub(crate) fn add(&mut self, channel: &'c mut Channel) {
        self.channels.push(channel);
    }

    /// Which channel is that of a party; the last of them, since links of clients come after control channels.
    pub(crate) fn position(&self, party: &str) -> Result<usize, PartyError> {
        let position = self.channels.iter().rposition(|one| one.party == party);
        position.ok_or_else(|| PartyError::Unknown {
            name: party.to_owned(),
            known: "the participants".to_owned(),
        })
    }

    /// Sends what is due and looks at what came, without waiting; `during` tells where this party is.
    pub(crate) fn tend(&mut self, during: &str) -> Result<(), PartyError> {
        self.halt.check()?;
        tend(&mut self.channels, None, during)
    }

    pub(crate) fn send(
        &mut self,
        to: usize,
        kind: Kind,
        parts: &[&[u8]],
    ) -> Result<(), PartyError> {
        let halt = self.halt;
        let (before, rest) = self.channels.split_at_mut(to);
        let (channel, after) = rest.split_first_mut().expect("a position of a channel");
        let during = format!("while {} was sent to", channel.party);
        let sent = channel.send_while(kind, parts, || {
            halt.check()?;
            tend(before, None, &during)?;
            tend(after, None, &during)
        });
        sent.map_err(|error| self.explained(error))
    }

    /// Waits for a message of one channel.
    pub(crate) fn receive(
        &mut self,
        from: usize,
        expected: &'static str,
        wait: Wait,
        limit: impl Fn(Kind) -> Option<u64>,
    ) -> Result<Message, PartyError> {
        let started = Instant::now();
        let result = loop {
            if let Err(error) = self.halt.check() {
                break Err(error);
            }
            match self.channels[from].step(started, expected, wait, &limit) {
                Ok(Some(message)) => break Ok(message),
                Ok(None) => {}
                Err(error) => break Err(error),
            }
            let during = format!("while {expected} of {} was due", self.channels[from].party);
            if let Err(error) = tend(&mut self.channels, Some(from), &during) {
                break Err(error);
            }
        };
        result.map_err(|error| self.explained(error))
    }

    /// The next message of one channel, of one kind and with exactly `length` bytes.
    pub(crate) fn receive_exact(
        &mut self,
        from: usize,
        kind: Kind,
        length: u64,
        (expected, wait): (&'static str, Wait),
    ) -> Result<Vec<u8>, PartyError> {
        let limit = |found| (found == kind).then_some(length);
        let (_, body) = self.receive(from, expected, wait, limit)?;
        self.channels[from].exactly(kind, length, body)
    }

    /// A party that is gone is often gone because of another one, and somebody knows of whom and why.
    fn explained(&mut self, error: PartyError) -> PartyError {
        match error {
            PartyError::Gone { .. } => self.reason_within(REASON).unwrap_or(error),
            error => error,
        }
    }

    /// What another party says within a while of why it ended.
    pub(crate) fn reason_within(&mut self, time: Duration) -> Option<PartyError> {
        let until = Instant::now() + time;
        while Instant::now() < until {
            let mut open = false;
            for channel in &mut self.channels {
                match channel.tend("") {
                    Err(reason @ (PartyError::Failed { .. } | PartyError::Told { .. })) => {
                        return Some(reason);
                    }
                    Err(PartyError::Gone { .. }) => channel.close(),
                    Err(_) | Ok(()) => open |= channel.is_open(),
                }
            }
            if !open {
                return None;
            }
            std::thread::sleep(TICK / 5);
        }
        None
    }

    /// The first channel that ends within a while, as an error.
    pub(crate) fn failure_within(&mut self, time: Duration, during: &str) -> Option<PartyError> {
        let until = Instant::now() + time;
        while Instant::now() < until {
            if let Err(error) = self.tend(during) {
                return Some(error);
            }
            std::thread::sleep(TICK / 5);
        }
        None
    }

    /// One party has said its last.
    pub(crate) fn close(&mut self, party: usize) {
        self.channels[party].close();
    }

    /// Tells all but the first `but` channels why this party ends.
    pub(crate) fn explain(&mut self, but: usize, error: &PartyError) {
        let (kind, reason) = error.told();
        for channel in &mut self.channels[but..] {
            channel.explain(kind, &reason);
        }
    }

    /// Waits until all but the first `but` channels are closed by the other side, which has then read everything.
    pub(crate) fn linger(&mut self, but: usize, patience: Duration) -> Result<(), PartyError> {
        let until = Instant::now() + patience;
        loop {
            let (first, rest) = self.channels.split_at_mut(but);
            // All are asked, since asking is what reads.
            let open = rest
                .iter_mut()
                .fold(0, |open, one| open + usize::from(!one.has_closed()));
            if open == 0 || Instant::now() > until || self.halt.check().is_err() {
                return Ok(());
            }
            tend(first, None, "while others were to read their results")?;
            std::thread::sleep(Duration::from_millis(2));
        }
    }
}

fn tend(channels: &mut [&mut Channel], but: Option<usize>, during: &str) -> Result<(), PartyError> {
    for (position, channel) in channels.iter_mut().enumerate() {
        if Some(position) != but {
            channel.tend(during)?;
        }
    }
    Ok(())
}
