//! How a party that computes is told to stop.

use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};

use hush_mpc::link::tls::TlsLink;
use hush_mpc::link::{Link, LinkError, Step, Traffic};

use crate::error::PartyError;

/// Why whatever a party takes part in is to end; said once, and for all its sessions.
#[derive(Debug, Default)]
pub struct Halt {
    /// Whether it is this party's own affair, and why.
    reason: OnceLock<(bool, String)>,
}

impl Halt {
    /// Ends everything; the other parties are told the reason. The first one counts.
    pub fn because(&self, reason: &str) {
        let _ = self.reason.set((true, format!("it was stopped: {reason}")));
    }

    /// Ends everything because of this party or of another one.
    pub(crate) fn end(&self, own: bool, reason: &str) {
        let _ = self.reason.set((own, reason.to_owned()));
    }

    pub(crate) fn check(&self) -> Result<(), PartyError> {
        match self.reason.get() {
            Some((true, reason)) => Err(PartyError::Stopped(reason.clone())),
            Some((false, reason)) => Err(PartyError::Told {
                by: "the proposer".to_owned(),
                reason: reason.clone(),
            }),
            None => Ok(()),
        }
    }
}

/// What the thread that looks after a session's channels tells the one that computes, and where that one is.
#[derive(Default)]
pub(crate) struct Watch {
    halted: AtomicBool,
    reason: Mutex<Option<PartyError>>,
    run: AtomicU64,
    index: AtomicU64,
}

impl Watch {
    /// Ends the computation; the first reason counts.
    pub(crate) fn halt(&self, reason: PartyError) {
        let mut first = self.reason.lock().unwrap_or_else(PoisonError::into_inner);
        first.get_or_insert(reason);
        self.halted.store(true, Ordering::Release);
    }

    pub(crate) fn is_halted(&self) -> bool {
        self.halted.load(Ordering::Acquire)
    }

    pub(crate) fn reason(&self) -> Option<PartyError> {
        let mut first = self.reason.lock().unwrap_or_else(PoisonError::into_inner);
        first.take()
    }

    /// Where the computation is, for errors.
    pub(crate) fn during(&self) -> String {
        let step = Step {
            run: self.run.load(Ordering::Relaxed),
            index: self.index.load(Ordering::Relaxed),
        };
        format!("at {step}")
    }
}

/// A link that gives up once its party is told to stop.
pub(crate) struct WatchedLink {
    link: Option<TlsLink>,
    party: usize,
    parties: usize,
    step: Step,
    watch: Arc<Watch>,
}

impl WatchedLink {
    pub(crate) fn new(link: TlsLink, watch: Arc<Watch>) -> Self {
        Self {
            party: link.party(),
            parties: link.parties(),
            link: Some(link),
            step: Step::default(),
            watch,
        }
    }

    /// Tells all others that this party gives up for a reason of its own.
    pub(crate) fn give_up(mut self) {
        if let Some(link) = self.link.take() {
            link.give_up();
        }
    }

    fn open(&mut self) -> Result<&mut TlsLink, LinkError> {
        if self.watch.is_halted()
            && let Some(link) = self.link.take()
        {
            link.give_up();
        }
        let (peer, step) = (self.party, self.step);
        self.link.as_mut().ok_or(LinkError::Failed { peer, step })
    }
}

impl Link for WatchedLink {
    fn party(&self) -> usize {
        self.party
    }

    fn parties(&self) -> usize {
        self.parties
    }

    fn send(&mut self, to: usize, bytes: &[u8]) -> Result<(), LinkError> {
        self.open()?.send(to, bytes)
    }

    fn receive(&mut self, from: usize, into: &mut [u8]) -> Result<(), LinkError> {
        self.open()?.receive(from, into)
    }

    fn step(&mut self, step: Step) {
        self.step = step;
        self.watch.run.store(step.run, Ordering::Relaxed);
        self.watch.index.store(step.index, Ordering::Relaxed);
        if let Some(link) = &mut self.link {
            link.step(step);
        }
    }

    fn traffic(&self) -> Traffic {
        match &self.link {
            Some(link) => link.traffic(),
            None => Traffic::none(self.parties),
        }
    }

    fn pair_secret(&self, peer: usize) -> Option<[u8; 32]> {
        self.link.as_ref().and_then(|link| link.pair_secret(peer))
    }
}
