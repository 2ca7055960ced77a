//! What a protocol needs of its surroundings: messages, common randomness, and blocks in step.

use std::cell::RefCell;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, Waker};

use aes::cipher::{KeyIvInit, StreamCipher};
use hush_simd::words::{Word, bytes, bytes_mut};
use rand_core::CryptoRng;
use zeroize::{Zeroize, Zeroizing};

use crate::MpcError;
use crate::link::{Link, Step, Traffic};

/// Blocks that are under way at once. All of them send before the first one receives.
pub(crate) const WINDOW: usize = 32;

/// A link with common randomness between each pair of its parties.
///
/// Masks are AES-128 in counter mode under a key for each pair and run. The counter is the step,
/// the stream within the step, and the element; steps are numbered while the program runs and
/// never twice, so no mask is used again, whatever is computed how often.
pub struct Session {
    shared: RefCell<Shared>,
    party: usize,
    parties: usize,
}

struct Shared {
    link: Box<dyn Link>,
    /// By peer.
    secrets: Vec<Zeroizing<[u8; 32]>>,
    keys: Vec<Zeroizing<[u8; 16]>>,
    run: u64,
    step: u64,
    /// Points at which all parties waited for messages.
    rounds: u64,
    #[cfg(test)]
    drawn: std::collections::BTreeSet<(usize, u64, u16)>,
}

impl Session {
    /// Agrees on randomness with every peer: each sends 32 random bytes to each. `name` is what
    /// the parties call this session; it must be the same at all.
    ///
    /// Randomness is bound to the link's connections where they have secrets of their own.
    /// Costs one round and 32 bytes a pair and direction.
    pub fn establish(
        mut link: Box<dyn Link>,
        name: &[u8],
        random: &mut (impl CryptoRng + ?Sized),
    ) -> Result<Self, MpcError> {
        let (party, parties) = (link.party(), link.parties());
        let peers = (0..parties).filter(|&peer| peer != party);
        let mut own = vec![Zeroizing::new([0u8; 32]); parties];
        for peer in peers.clone() {
            random.fill_bytes(own[peer].as_mut());
            link.send(peer, own[peer].as_ref())?;
        }
        let mut secrets = vec![Zeroizing::new([0u8; 32]); parties];
        // For randomness that this party shares with nobody.
        random.fill_bytes(secrets[party].as_mut());
        for peer in peers {
            let mut theirs = Zeroizing::new([0u8; 32]);
            link.receive(peer, theirs.as_mut())?;
            let (low, high) = if party < peer {
                (&own[peer], &theirs)
            } else {
                (&theirs, &own[peer])
            };
            let mut hasher = blake3::Hasher::new_derive_key("hushml mpc pair secret v1");
            hasher.update(low.as_ref()).update(high.as_ref());
            hasher.update(name);
            if let Some(secret) = link.pair_secret(peer) {
                hasher.update(&secret);
            }
            secrets[peer] = Zeroizing::new(*hasher.finalize().as_bytes());
        }
        Ok(Self::with_secrets(link, secrets))
    }

    /// A session of parties that already know what each pair shares, by peer. No secret may have served before.
    pub(crate) fn with_secrets(link: Box<dyn Link>, secrets: Vec<Zeroizing<[u8; 32]>>) -> Self {
        let (party, parties) = (link.party(), link.parties());
        let shared = Shared {
            link,
            secrets,
            keys: Vec::new(),
            run: 0,
            step: 0,
            rounds: 0,
            #[cfg(test)]
            drawn: Default::default(),
        };
        let session = Self {
            shared: RefCell::new(shared),
            party,
            parties,
        };
        session.begin_run();
        session
    }

    /// The index of this party.
    pub fn party(&self) -> usize {
        self.party
    }

    /// The number of parties.
    pub fn parties(&self) -> usize {
        self.parties
    }

    /// Starts the next run: new keys, steps from zero.
    pub fn begin_run(&self) {
        let shared = &mut *self.shared.borrow_mut();
        shared.run += 1;
        shared.step = 0;
        #[cfg(test)]
        shared.drawn.clear();
        let run = shared.run.to_le_bytes();
        let key = |secret: &Zeroizing<[u8; 32]>| {
            let mut hasher = blake3::Hasher::new_keyed(secret);
            hasher.update(b"run").update(&run);
            let mut bytes = *hasher.finalize().as_bytes();
            let mut key = Zeroizing::new([0; 16]);
            key.copy_from_slice(&bytes[..16]);
            bytes.zeroize();
            key
        };
        shared.keys = shared.secrets.iter().map(key).collect();
        shared.link.step(Step {
            run: shared.run,
            index: 0,
        });
    }

    /// Opens an operation: messages from here on carry its number.
    pub(crate) fn operation(&self) {
        let shared = &mut *self.shared.borrow_mut();
        shared.step += 1;
        let step = Step {
            run: shared.run,
            index: shared.step,
        };
        shared.link.step(step);
    }

    /// A step number that was never used in this run, the same at all parties.
    pub(crate) fn step(&self) -> u64 {
        let shared = &mut *self.shared.borrow_mut();
        shared.step += 1;
        shared.step
    }

    /// Overwrites `words` with what this party and `peer` know and nobody else; with its own index as
    /// `peer`, with what only this party knows.
    pub(crate) fn mask<W: Word>(&self, peer: usize, step: u64, stream: u16, words: &mut [W]) {
        let shared = &mut *self.shared.borrow_mut();
        #[cfg(test)]
        assert!(
            shared.drawn.insert((peer, step, stream)),
            "a mask drawn twice"
        );
        let mut counter = [0; 16];
        counter[8..].copy_from_slice(&(step << 16 | u64::from(stream)).to_le_bytes());
        let key: &[u8; 16] = &shared.keys[peer];
        let mut cipher = ctr::Ctr128LE::<aes::Aes128>::new(key.into(), (&counter).into());
        let bytes = bytes_mut(words);
        bytes.fill(0);
        cipher.apply_keystream(bytes);
    }

    /// Common randomness as a new vector.
    pub(crate) fn masks<W: Word>(
        &self,
        peer: usize,
        step: u64,
        stream: u16,
        count: usize,
    ) -> Vec<W> {
        let mut words = vec![W::ZERO; count];
        self.mask(peer, step, stream, &mut words);
        words
    }

    pub(crate) fn send<W: Word>(&self, to: usize, words: &[W]) -> Result<(), MpcError> {
        Ok(self.shared.borrow_mut().link.send(to, bytes(words))?)
    }

    pub(crate) fn receive<W: Word>(&self, from: usize, words: &mut [W]) -> Result<(), MpcError> {
        Ok(self
            .shared
            .borrow_mut()
            .link
            .receive(from, bytes_mut(words))?)
    }

    pub(crate) fn send_bytes(&self, to: usize, bytes: &[u8]) -> Result<(), MpcError> {
        Ok(self.shared.borrow_mut().link.send(to, bytes)?)
    }

    pub(crate) fn receive_bytes(&self, from: usize, bytes: &mut [u8]) -> Result<(), MpcError> {
        Ok(self.shared.borrow_mut().link.receive(from, bytes)?)
    }

    pub(crate) fn received<W: Word>(&self, from: usize, count: usize) -> Result<Vec<W>, MpcError> {
        let mut words = vec![W::ZERO; count];
        self.receive(from, &mut words)?;
        Ok(words)
    }

    /// What has travelled since the link was made.
    pub fn traffic(&self) -> Traffic {
        self.shared.borrow().link.traffic()
    }

    /// How often this party waited for messages since the session began.
    pub fn rounds(&self) -> u64 {
        self.shared.borrow().rounds
    }

    /// Runs blocks of work side by side on this thread: each until it waits for messages, then the
    /// next, so that all have sent before the first one receives. All parties make the same blocks in
    /// the same order, and each block waits equally often at all of them, whether it has something to
    /// receive there or not; so messages arrive in the order in which they are waited for.
    pub(crate) fn drive<F>(&self, blocks: impl IntoIterator<Item = F>) -> Result<(), MpcError>
    where
        F: Future<Output = Result<(), MpcError>>,
    {
        let mut context = Context::from_waker(Waker::noop());
        let mut blocks = blocks.into_iter();
        loop {
            let window = blocks.by_ref().take(WINDOW);
            let mut window: Vec<Pin<Box<F>>> = window.map(Box::pin).collect();
            if window.is_empty() {
                return Ok(());
            }
            loop {
                let mut waiting = false;
                let mut failed = None;
                window.retain_mut(|block| match block.as_mut().poll(&mut context) {
                    _ if failed.is_some() => false,
                    Poll::Pending => {
                        waiting = true;
                        true
                    }
                    Poll::Ready(Ok(())) => false,
                    Poll::Ready(Err(error)) => {
                        failed = Some(error);
                        false
                    }
                });
                if let Some(error) = failed {
                    return Err(error);
                }
                if !waiting {
                    break;
                }
                self.shared.borrow_mut().rounds += 1;
            }
        }
    }
}

/// The end of what a block does before it receives: lets the other blocks send first.
pub(crate) fn round() -> Round {
    Round { passed: false }
}

pub(crate) struct Round {
    passed: bool,
}

impl Future for Round {
    type Output = ();

    fn poll(mut self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<()> {
        if self.passed {
            return Poll::Ready(());
        }
        self.passed = true;
        Poll::Pending
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::memory;
    use rand_chacha::ChaCha20Rng;
    use rand_core::SeedableRng;

    fn sessions<T: Send>(party: impl Fn(Session) -> T + Sync) -> Vec<T> {
        memory::run(3, |link| {
            let mut random = ChaCha20Rng::seed_from_u64(link.party() as u64);
            party(Session::establish(Box::new(link), b"test", &mut random).unwrap())
        })
    }

    #[test]
    fn pairs_know_the_same_words_and_others_do_not() {
        let drawn = sessions(|session| {
            let step = session.step();
            let draw = |peer| session.masks::<u64>(peer, step, 0, 5);
            let peers: Vec<usize> = (0..3).filter(|&peer| peer != session.party()).collect();
            (draw(peers[0]), draw(peers[1]))
        });
        let (p0, p1, p2) = (&drawn[0], &drawn[1], &drawn[2]);
        assert_eq!((&p0.0, &p0.1, &p1.1), (&p1.0, &p2.0, &p2.1));
        assert!(p0.0 != p0.1 && p0.0 != p1.1 && p0.1 != p1.1);
    }

    #[test]
    fn steps_streams_and_runs_never_give_the_same_words() {
        sessions(|session| {
            let peer = (session.party() + 1) % 3;
            let mut seen = std::collections::BTreeSet::new();
            for _ in 0..2 {
                for _ in 0..3 {
                    let step = session.step();
                    for stream in 0..3 {
                        for word in session.masks::<u64>(peer, step, stream, 100) {
                            assert!(seen.insert(word));
                        }
                    }
                }
                session.begin_run();
            }
        });
    }
}
