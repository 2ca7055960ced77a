//! Two servers that share words as sums, and a producer of correlated randomness (Pond, of TF
//! Encrypted; Beaver, CRYPTO 1991).
//!
//! Parties 0 and 1 are the servers; party 2 deals what they need and receives nothing of theirs, unless
//! it is named as a receiver. Server 0 gets all that is dealt from a common seed, so nothing is sent to it;
//! server 1 gets its masks the same way and one correction for each product. What is dealt does not
//! depend on data and travels in the first round that needs it, or lies in a file before the servers meet ([`offline`]).
//!
//! Per element of 64 bits, from all parties together:
//!
//! | kernel | rounds | bytes |
//! |---|---|---|
//! | multiply | 1 | 40 |
//! | truncate | 1 | 28 |
//! | multiply and truncate | 2 | 68 |
//! | sign on k bits | 1 + ⌈log2(k-1)⌉ | 16 + k/8 + 5/8 for each of about 2k ands |
//! | bit to word | 1 | 8.25 |
//! | inject | 2 | 48.25 |

mod bits;
mod cost;
mod linear;
pub mod offline;
mod shuffle;

pub use cost::cost;

use std::any::Any;

use hush_simd::Isa;
use hush_simd::words::Word;
use rand_core::CryptoRng;

use super::{BilinearMap, Cost, Parties, Protocol, check_lengths, check_three};
use crate::MpcError;
use crate::link::Link;
use crate::session::Session;
use crate::share::{Bits, Share};

/// The party that deals.
pub const DEALER: usize = 2;

/// One party: a server or the dealer.
pub struct Pond {
    session: Session,
    /// Masks and opened words of prepared shares, two vectors of words each, by the share's name.
    prepared: Vec<Box<dyn Any + Send>>,
}

impl Pond {
    /// Agrees on common randomness with the others; see [`Session::establish`].
    pub fn establish(
        link: Box<dyn Link>,
        name: &[u8],
        random: &mut (impl CryptoRng + ?Sized),
    ) -> Result<Self, MpcError> {
        check_three(&*link)?;
        Ok(Self {
            session: Session::establish(link, name, random)?,
            prepared: Vec::new(),
        })
    }

    /// The session below.
    pub fn session(&self) -> &Session {
        &self.session
    }
}

/// What a party is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Role {
    /// Server 0 or 1, which has one part of each share.
    Server(usize),
    /// The dealer, which has none.
    Dealer,
}

/// The kernels see the session and the role.
#[derive(Clone, Copy)]
struct Table<'a> {
    session: &'a Session,
    role: Role,
    isa: Isa,
}

impl<'a> Table<'a> {
    fn of(protocol: &'a Pond) -> Self {
        protocol.session.operation();
        let party = protocol.session.party();
        let role = if party == DEALER {
            Role::Dealer
        } else {
            Role::Server(party)
        };
        Self {
            session: &protocol.session,
            role,
            isa: Isa::active(),
        }
    }

    /// Words that the dealer shares with a server; at a server its own.
    fn dealt<W: Word>(self, server: usize, step: u64, stream: u16, count: usize) -> Vec<W> {
        let peer = if self.role == Role::Dealer {
            server
        } else {
            DEALER
        };
        self.session.masks(peer, step, stream, count)
    }

    fn is_server(self) -> bool {
        self.role != Role::Dealer
    }

    /// A share of what this party holds, if it is a server.
    fn share<W: Word>(self, length: usize, part: Vec<W>) -> Share<W> {
        Share::new(
            length,
            if self.is_server() {
                vec![part]
            } else {
                Vec::new()
            },
        )
    }

    fn bits(self, length: usize, planes: usize, part: Vec<u64>) -> Bits {
        Bits::new(
            length,
            planes,
            if self.is_server() {
                vec![part]
            } else {
                Vec::new()
            },
        )
    }
}

/// The only part of a share, nothing at the dealer.
fn part<W: Word>(share: &Share<W>) -> &[W] {
    share.parts().first().map_or(&[], Vec::as_slice)
}

impl<W: Word> Protocol<W> for Pond {
    fn party(&self) -> usize {
        self.session.party()
    }

    fn parties(&self) -> usize {
        3
    }

    fn share_parts(&self) -> usize {
        usize::from(self.session.party() != DEALER)
    }

    fn constant_part(&self) -> Option<usize> {
        (self.session.party() == 0).then_some(0)
    }

    fn input(
        &mut self,
        owner: usize,
        values: Option<&[W]>,
        count: usize,
    ) -> Result<Share<W>, MpcError> {
        linear::input(Table::of(self), owner, values, count)
    }

    fn reveal(&mut self, receivers: Parties, share: &Share<W>) -> Result<Option<Vec<W>>, MpcError> {
        linear::reveal(Table::of(self), receivers, share)
    }

    fn reveal_bits(
        &mut self,
        receivers: Parties,
        bits: &Bits,
    ) -> Result<Option<Vec<u64>>, MpcError> {
        bits::reveal(Table::of(self), receivers, bits)
    }

    fn random(&mut self, count: usize) -> Result<Share<W>, MpcError> {
        let table = Table::of(self);
        let step = table.session.step();
        // Each server's part is its own secret.
        let own = table.session.masks(self.session.party(), step, 0, count);
        Ok(table.share(count, own))
    }

    fn multiply(&mut self, left: &Share<W>, right: &Share<W>) -> Result<Share<W>, MpcError> {
        check_lengths("factors", left.len(), right.len())?;
        linear::multiply(Table::of(self), left, right)
    }

    fn multiply_truncate(
        &mut self,
        left: &Share<W>,
        right: &Share<W>,
        bits: u32,
    ) -> Result<Share<W>, MpcError> {
        check_lengths("factors", left.len(), right.len())?;
        let product = linear::multiply(Table::of(self), left, right)?;
        linear::truncate(Table::of(self), &product, bits)
    }

    fn bilinear(
        &mut self,
        map: &dyn BilinearMap<W>,
        left: &Share<W>,
        right: &Share<W>,
        bits: u32,
    ) -> Result<Share<W>, MpcError> {
        let factor = match right.name() {
            None => linear::Factor::Fresh(part(right)),
            Some(name) => {
                let prepared = self.prepared.get(name as usize);
                let prepared = prepared.and_then(|any| any.downcast_ref::<(Vec<W>, Vec<W>)>());
                let (masks, opened) = prepared.ok_or(MpcError::Count {
                    what: "factors prepared in this session under this name",
                    expected: 1,
                    found: 0,
                })?;
                check_lengths("words of a prepared factor", masks.len(), right.len())?;
                linear::Factor::Prepared(masks, opened)
            }
        };
        let product = linear::bilinear(Table::of(self), map, left, (factor, right.len()))?;
        if bits == 0 {
            Ok(product)
        } else {
            linear::truncate(Table::of(self), &product, bits)
        }
    }

    fn prepare(&mut self, share: &Share<W>) -> Result<Share<W>, MpcError> {
        let prepared = linear::prepare(Table::of(self), share)?;
        self.prepared.push(Box::new(prepared));
        Ok(share.clone().with_name(self.prepared.len() as u64 - 1))
    }

    fn truncate(&mut self, share: &Share<W>, bits: u32) -> Result<Share<W>, MpcError> {
        if bits == 0 {
            return Ok(share.clone());
        }
        linear::truncate(Table::of(self), share, bits)
    }

    fn sign(&mut self, share: &Share<W>, width: u32) -> Result<Bits, MpcError> {
        bits::compare(Table::of(self), share, width, bits::Question::Sign)
    }

    fn is_zero(&mut self, share: &Share<W>, width: u32) -> Result<Bits, MpcError> {
        bits::compare(Table::of(self), share, width, bits::Question::Zero)
    }

    fn decompose(&mut self, share: &Share<W>, width: u32) -> Result<Bits, MpcError> {
        bits::compare(Table::of(self), share, width, bits::Question::Bits)
    }

    fn and(&mut self, left: &Bits, right: &Bits) -> Result<Bits, MpcError> {
        check_lengths(
            "bits",
            left.len() * left.planes(),
            right.len() * right.planes(),
        )?;
        bits::and(Table::of(self), left, right)
    }

    fn inject(&mut self, bit: &Bits, share: &Share<W>) -> Result<Share<W>, MpcError> {
        check_lengths("bits", share.len(), bit.len())?;
        check_lengths("planes of a bit", 1, bit.planes())?;
        let word = bits::to_words(Table::of(self), bit)?;
        linear::multiply(Table::of(self), &word, share)
    }

    fn bits_to_words(&mut self, bits: &Bits) -> Result<Share<W>, MpcError> {
        bits::to_words(Table::of(self), bits)
    }

    fn shuffle(&mut self, share: &Share<W>, row: usize) -> Result<Share<W>, MpcError> {
        shuffle::shuffle(Table::of(self), share, row)
    }

    fn spent(&self) -> Cost {
        Cost::new(self.session.rounds(), self.session.traffic().bytes_sent())
    }
}
