//! Two servers and an assistant, with signs by private comparison in a small field (SecureNN: Wagh,
//! Gupta and Chandran, PoPETs 2019).
//!
//! Shares, products and truncation are those of [`super::pond`], with the assistant as the dealer. A sign
//! takes three rounds whatever its width is: the servers open the word under a mask of the assistant, so
//! that the sign is that of the mask, of the opened word, and whether the mask's lower bits exceed those
//! of the opened word. That comparison is the paper's (algorithm 3): bits of the mask are shared modulo
//! 67, the servers turn them into numbers of which one is zero exactly if the mask is larger, multiply
//! each by a random factor, put them into a random order, and flip the question by a random bit; the
//! assistant learns the flipped answer alone. Field elements travel as one byte.
//!
//! | kernel | rounds | bytes |
//! |---|---|---|
//! | sign on k bits | 3 | 16 + 3 (k-1) + 1/8 |
//! | is zero on k bits | 3 | twice that on k + 1 bits |
//! | all others | as Pond | as Pond |

mod compare;
mod cost;

pub use cost::cost;

use hush_simd::words::Word;
use rand_core::CryptoRng;

use super::pond::Pond;
use super::{BilinearMap, Cost, Parties, Protocol};
use crate::MpcError;
use crate::link::Link;
use crate::session::Session;
use crate::share::{Bits, Share};

/// One party: server 0, server 1 or the assistant, party 2.
pub struct SecureNn {
    sums: Pond,
}

impl SecureNn {
    /// Agrees on common randomness with the others; see [`Session::establish`].
    pub fn establish(
        link: Box<dyn Link>,
        name: &[u8],
        random: &mut (impl CryptoRng + ?Sized),
    ) -> Result<Self, MpcError> {
        Ok(Self {
            sums: Pond::establish(link, name, random)?,
        })
    }

    /// The session below.
    pub fn session(&self) -> &Session {
        self.sums.session()
    }
}

impl<W: Word> Protocol<W> for SecureNn {
    fn party(&self) -> usize {
        self.session().party()
    }

    fn parties(&self) -> usize {
        3
    }

    fn share_parts(&self) -> usize {
        Protocol::<W>::share_parts(&self.sums)
    }

    fn constant_part(&self) -> Option<usize> {
        Protocol::<W>::constant_part(&self.sums)
    }

    fn input(
        &mut self,
        owner: usize,
        values: Option<&[W]>,
        count: usize,
    ) -> Result<Share<W>, MpcError> {
        self.sums.input(owner, values, count)
    }

    fn reveal(&mut self, receivers: Parties, share: &Share<W>) -> Result<Option<Vec<W>>, MpcError> {
        self.sums.reveal(receivers, share)
    }

    fn reveal_bits(
        &mut self,
        receivers: Parties,
        bits: &Bits,
    ) -> Result<Option<Vec<u64>>, MpcError> {
        Protocol::<W>::reveal_bits(&mut self.sums, receivers, bits)
    }

    fn random(&mut self, count: usize) -> Result<Share<W>, MpcError> {
        self.sums.random(count)
    }

    fn multiply(&mut self, left: &Share<W>, right: &Share<W>) -> Result<Share<W>, MpcError> {
        self.sums.multiply(left, right)
    }

    fn multiply_truncate(
        &mut self,
        left: &Share<W>,
        right: &Share<W>,
        bits: u32,
    ) -> Result<Share<W>, MpcError> {
        self.sums.multiply_truncate(left, right, bits)
    }

    fn bilinear(
        &mut self,
        map: &dyn BilinearMap<W>,
        left: &Share<W>,
        right: &Share<W>,
        bits: u32,
    ) -> Result<Share<W>, MpcError> {
        self.sums.bilinear(map, left, right, bits)
    }

    fn prepare(&mut self, share: &Share<W>) -> Result<Share<W>, MpcError> {
        self.sums.prepare(share)
    }

    fn truncate(&mut self, share: &Share<W>, bits: u32) -> Result<Share<W>, MpcError> {
        self.sums.truncate(share, bits)
    }

    fn sign(&mut self, share: &Share<W>, width: u32) -> Result<Bits, MpcError> {
        if width < 2 {
            return self.sums.sign(share, width);
        }
        compare::sign(self.session(), share, width)
    }

    /// A number is zero exactly if neither it nor its negative is negative.
    fn is_zero(&mut self, share: &Share<W>, width: u32) -> Result<Bits, MpcError> {
        if width == 0 || width >= W::BITS {
            return self.sums.is_zero(share, width);
        }
        let negative = share.clone().scale(W::ZERO.minus(W::ONE));
        let both = compare::sign(
            self.session(),
            &Share::concatenate(&[share, &negative]),
            width + 1,
        )?;
        let count = share.len();
        let either = both.slice_rows(0, count).xor(&both.slice_rows(1, count));
        Ok(either.not(Protocol::<W>::constant_part(self)))
    }

    fn decompose(&mut self, share: &Share<W>, width: u32) -> Result<Bits, MpcError> {
        self.sums.decompose(share, width)
    }

    fn and(&mut self, left: &Bits, right: &Bits) -> Result<Bits, MpcError> {
        Protocol::<W>::and(&mut self.sums, left, right)
    }

    fn inject(&mut self, bit: &Bits, share: &Share<W>) -> Result<Share<W>, MpcError> {
        self.sums.inject(bit, share)
    }

    fn bits_to_words(&mut self, bits: &Bits) -> Result<Share<W>, MpcError> {
        self.sums.bits_to_words(bits)
    }

    fn shuffle(&mut self, share: &Share<W>, row: usize) -> Result<Share<W>, MpcError> {
        self.sums.shuffle(share, row)
    }

    fn spent(&self) -> Cost {
        Protocol::<W>::spent(&self.sums)
    }
}
