//! Parties as threads, and fresh random inputs.
#![allow(dead_code)]

pub(crate) mod calculation;
pub(crate) mod operation;

use hush_mpc::link::memory;
use hush_mpc::protocol::pond::{self, Pond};
use hush_mpc::protocol::rep3::{self, Rep3};
use hush_mpc::protocol::securenn::{self, SecureNn};
use hush_mpc::{Cost, Kernel, Parties, Protocol, Share, Word};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

/// SplitMix64 with a seed from the clock, which a failing test prints.
pub(crate) struct Random(u64);

impl Random {
    pub(crate) fn new() -> Self {
        let seed = std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .unwrap()
            .as_nanos() as u64;
        println!("seed {seed}");
        Self(seed)
    }

    pub(crate) fn word(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    pub(crate) fn words<W: Word>(&mut self, count: usize) -> Vec<W> {
        let mut wide = || W::from_u64(self.word()).plus(W::from_u64(self.word()).left(64));
        (0..count).map(|_| wide()).collect()
    }

    /// Signed words of at most so many bits with their sign, extremes mixed in.
    pub(crate) fn signed<W: Word>(&mut self, width: u32, count: usize) -> Vec<W> {
        let mut next = || {
            let (high, low) = (u128::from(self.word()), u128::from(self.word()));
            let all = (high << 64 | low) as i128;
            let top = i128::MAX >> (128 - width);
            match self.word() % 16 {
                0 => 0,
                1 => top,
                2 => -top - 1,
                3 => -1,
                4 => top.min(1),
                _ => all >> (128 - width),
            }
        };
        (0..count).map(|_| W::from_signed(next())).collect()
    }

    /// Between `low` and `high`.
    pub(crate) fn floats(&mut self, low: f64, high: f64, count: usize) -> Vec<f64> {
        let mut next = || (self.word() >> 11) as f64 / (1u64 << 53) as f64;
        (0..count).map(|_| low + (high - low) * next()).collect()
    }
}

pub(crate) fn generator(salt: u64) -> ChaCha20Rng {
    let mut seed = ChaCha20Rng::from_os_rng();
    ChaCha20Rng::seed_from_u64(seed.next_u64() ^ salt)
}

/// Runs `party` at three parties; gives what each returns.
pub(crate) fn three<T: Send>(party: impl Fn(&mut Rep3) -> T + Sync) -> Vec<T> {
    memory::run(3, |link| {
        let mut random = generator(0);
        let mut protocol = Rep3::establish(Box::new(link), b"test", &mut random).unwrap();
        party(&mut protocol)
    })
}

/// One of the protocols.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Rep3,
    Pond,
    SecureNn,
}

/// A party of any protocol, whose link measures how many messages wait for each other.
pub(crate) trait Party<W: Word>: Protocol<W> {
    fn depth(&self) -> u64;
}

impl<W: Word> Party<W> for Rep3 {
    fn depth(&self) -> u64 {
        self.session().traffic().depth
    }
}

impl<W: Word> Party<W> for Pond {
    fn depth(&self) -> u64 {
        self.session().traffic().depth
    }
}

impl<W: Word> Party<W> for SecureNn {
    fn depth(&self) -> u64 {
        self.session().traffic().depth
    }
}

impl Kind {
    /// All of them.
    pub(crate) const ALL: [Kind; 3] = [Kind::Rep3, Kind::Pond, Kind::SecureNn];

    /// Runs `party` at three parties; gives what each returns.
    pub(crate) fn run<W: Word, T: Send>(
        self,
        party: impl Fn(&mut dyn Party<W>) -> T + Sync,
    ) -> Vec<T> {
        memory::run(3, |link| {
            let mut random = generator(0);
            let link = Box::new(link);
            match self {
                Kind::Rep3 => party(&mut Rep3::establish(link, b"test", &mut random).unwrap()),
                Kind::SecureNn => {
                    party(&mut SecureNn::establish(link, b"test", &mut random).unwrap())
                }
                Kind::Pond => party(&mut Pond::establish(link, b"test", &mut random).unwrap()),
            }
        })
    }

    /// What a kernel is declared to cost.
    pub(crate) fn cost<W: Word>(self) -> fn(Kernel) -> Cost {
        match self {
            Kind::Rep3 => rep3::cost::<W>,
            Kind::Pond => pond::cost::<W>,
            Kind::SecureNn => securenn::cost::<W>,
        }
    }
}

/// Shares words that party `owner` has.
pub(crate) fn share<W: Word>(
    protocol: &mut dyn Protocol<W>,
    owner: usize,
    words: &[W],
) -> Share<W> {
    let own = (protocol.party() == owner).then_some(words);
    protocol.input(owner, own, words.len()).unwrap()
}

/// Opens words to all.
pub(crate) fn open<W: Word>(protocol: &mut dyn Protocol<W>, share: &Share<W>) -> Vec<W> {
    let all = Parties::all(protocol.parties());
    protocol.reveal(all, share).unwrap().unwrap()
}
