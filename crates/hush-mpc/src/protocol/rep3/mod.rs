//! Replicated sharing among three parties, of which any two know everything and one nothing (ABY3).
//!
//! A word is x0 + x1 + x2; party `i` holds parts `i` and `i + 1`. Party `i` and the one before it both
//! know what [`Session`] gives for their pair, which is where part `i` of fresh shares comes from.
//! Araki et al., CCS 2016; Mohassel and Rindal, CCS 2018. What is ours is written at each kernel.
//!
//! Per element of `l` bits on `k` bits that matter, from all parties together:
//!
//! | kernel | rounds | bytes (l = 64) | k = 33 | k = 64 |
//! |---|---|---|---|---|
//! | multiply | 1 | 24 | | |
//! | multiply and truncate | 2 | 44 | | |
//! | truncate | 2 | 36 | | |
//! | sign | 2 + ⌈log2(k-1)⌉ | (9k - …)/8 | 33.5 | 69 |
//! | inject | 2 | 32 | | |
//! | bit to word | 2 | 24 | | |
//! | shuffle | 3 | 48 | | |

mod adder;
mod cost;
mod inject;
mod linear;
mod shuffle;
mod sign;
mod truncate;

pub(super) use adder::levels as adder_levels;
pub use cost::cost;
pub(super) use shuffle::{order, permuted};
pub(super) use truncate::most_bits;

use hush_simd::Isa;
use hush_simd::words::{Word, vectorized};
use rand_core::CryptoRng;

use super::{BilinearMap, Cost, Parties, Protocol, check_lengths, check_three};
use crate::MpcError;
use crate::link::Link;
use crate::session::Session;
use crate::share::{Bits, Share};

/// One party of three.
pub struct Rep3 {
    session: Session,
}

/// Parts of a share at this party.
pub(super) const PARTS: usize = 2;

/// Streams of masks within a step; each kernel numbers its own below these.
const ZERO_STREAM: u16 = 1000;

impl Rep3 {
    /// Agrees on common randomness with the others; see [`Session::establish`].
    pub fn establish(
        link: Box<dyn Link>,
        name: &[u8],
        random: &mut (impl CryptoRng + ?Sized),
    ) -> Result<Self, MpcError> {
        check_three(&*link)?;
        Ok(Self {
            session: Session::establish(link, name, random)?,
        })
    }

    /// The session below.
    pub fn session(&self) -> &Session {
        &self.session
    }
}

/// The kernels see the session as one of three players in a ring.
#[derive(Clone, Copy)]
struct Ring<'a> {
    session: &'a Session,
    isa: Isa,
}

impl<'a> Ring<'a> {
    fn of(protocol: &'a Rep3) -> Self {
        protocol.session.operation();
        Self {
            session: &protocol.session,
            isa: Isa::active(),
        }
    }

    fn party(self) -> usize {
        self.session.party()
    }

    fn next(self) -> usize {
        (self.party() + 1) % 3
    }

    fn previous(self) -> usize {
        (self.party() + 2) % 3
    }

    /// Adds this party's summand of a sum of zero to `words`.
    fn add_zero<W: Word>(self, step: u64, words: &mut [W]) {
        let own: Vec<W> = self
            .session
            .masks(self.previous(), step, ZERO_STREAM, words.len());
        let next: Vec<W> = self
            .session
            .masks(self.next(), step, ZERO_STREAM, words.len());
        vectorized(self.isa, || {
            for ((word, &own), &next) in words.iter_mut().zip(&own).zip(&next) {
                *word = word.plus(own).minus(next);
            }
        });
    }

    /// The same for bits.
    fn xor_zero(self, step: u64, stream: u16, words: &mut [u64]) {
        let own: Vec<u64> = self
            .session
            .masks(self.previous(), step, stream, words.len());
        let next: Vec<u64> = self.session.masks(self.next(), step, stream, words.len());
        vectorized(self.isa, || {
            for ((word, &own), &next) in words.iter_mut().zip(&own).zip(&next) {
                *word ^= own ^ next;
            }
        });
    }
}

/// Mutable blocks of both parts of a result.
fn both_mut<T>(parts: &mut [Vec<T>; 2], size: usize) -> impl Iterator<Item = [&mut [T]; 2]> {
    let [first, second] = parts;
    let blocks = first.chunks_mut(size).zip(second.chunks_mut(size));
    blocks.map(|(first, second)| [first, second])
}

/// Blocks of both parts of an operand.
fn both<T>(parts: &[Vec<T>], size: usize) -> impl Iterator<Item = [&[T]; 2]> {
    let blocks = parts[0].chunks(size).zip(parts[1].chunks(size));
    blocks.map(|(first, second)| [first, second])
}

impl<W: Word> Protocol<W> for Rep3 {
    fn party(&self) -> usize {
        self.session.party()
    }

    fn parties(&self) -> usize {
        3
    }

    fn share_parts(&self) -> usize {
        PARTS
    }

    fn constant_part(&self) -> Option<usize> {
        // Part 0 of the sum is the first of party 0 and the second of party 2.
        [Some(0), None, Some(1)][self.session.party()]
    }

    fn input(
        &mut self,
        owner: usize,
        values: Option<&[W]>,
        count: usize,
    ) -> Result<Share<W>, MpcError> {
        linear::input(Ring::of(self), owner, values, count)
    }

    fn reveal(&mut self, receivers: Parties, share: &Share<W>) -> Result<Option<Vec<W>>, MpcError> {
        linear::reveal(Ring::of(self), receivers, share)
    }

    fn reveal_bits(
        &mut self,
        receivers: Parties,
        bits: &Bits,
    ) -> Result<Option<Vec<u64>>, MpcError> {
        linear::reveal_bits(Ring::of(self), receivers, bits)
    }

    fn random(&mut self, count: usize) -> Result<Share<W>, MpcError> {
        let ring = Ring::of(self);
        let step = ring.session.step();
        let own = ring.session.masks(ring.previous(), step, 0, count);
        let next = ring.session.masks(ring.next(), step, 0, count);
        Ok(Share::new(count, vec![own, next]))
    }

    fn multiply(&mut self, left: &Share<W>, right: &Share<W>) -> Result<Share<W>, MpcError> {
        check_lengths("factors", left.len(), right.len())?;
        linear::multiply(Ring::of(self), left, right)
    }

    fn multiply_truncate(
        &mut self,
        left: &Share<W>,
        right: &Share<W>,
        bits: u32,
    ) -> Result<Share<W>, MpcError> {
        check_lengths("factors", left.len(), right.len())?;
        truncate::multiply_truncate(Ring::of(self), left, right, bits)
    }

    fn bilinear(
        &mut self,
        map: &dyn BilinearMap<W>,
        left: &Share<W>,
        right: &Share<W>,
        bits: u32,
    ) -> Result<Share<W>, MpcError> {
        let ring = Ring::of(self);
        let products = linear::bilinear_products(map, left, right);
        if bits == 0 {
            linear::reshare(ring, products)
        } else {
            truncate::truncate_sum(ring, products, bits)
        }
    }

    fn truncate(&mut self, share: &Share<W>, bits: u32) -> Result<Share<W>, MpcError> {
        truncate::truncate(Ring::of(self), share, bits)
    }

    fn sign(&mut self, share: &Share<W>, width: u32) -> Result<Bits, MpcError> {
        sign::sign(Ring::of(self), share, width)
    }

    fn is_zero(&mut self, share: &Share<W>, width: u32) -> Result<Bits, MpcError> {
        sign::is_zero(Ring::of(self), share, width)
    }

    fn decompose(&mut self, share: &Share<W>, width: u32) -> Result<Bits, MpcError> {
        adder::decompose(Ring::of(self), share, width)
    }

    fn and(&mut self, left: &Bits, right: &Bits) -> Result<Bits, MpcError> {
        check_lengths(
            "bits",
            left.len() * left.planes(),
            right.len() * right.planes(),
        )?;
        linear::and(Ring::of(self), left, right)
    }

    fn inject(&mut self, bit: &Bits, share: &Share<W>) -> Result<Share<W>, MpcError> {
        check_lengths("bits", share.len(), bit.len())?;
        check_lengths("planes of a bit", 1, bit.planes())?;
        inject::inject(Ring::of(self), bit, share)
    }

    fn bits_to_words(&mut self, bits: &Bits) -> Result<Share<W>, MpcError> {
        inject::bits_to_words(Ring::of(self), bits)
    }

    fn shuffle(&mut self, share: &Share<W>, row: usize) -> Result<Share<W>, MpcError> {
        shuffle::shuffle(Ring::of(self), share, row)
    }

    fn spent(&self) -> Cost {
        Cost::new(self.session.rounds(), self.session.traffic().bytes_sent())
    }
}
