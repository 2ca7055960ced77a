//! What every protocol offers: the few kernels that all operations are made of.

pub mod count;
pub mod pond;
pub mod rep3;
pub mod securenn;

use hush_simd::words::Word;

use crate::MpcError;
use crate::link::Link;
use crate::share::{Bits, Share};

/// A way to compute on shares. All parties call the same functions with the same public arguments
/// in the same order.
///
/// Sums, public factors, and everything else that is linear are functions of [`Share`] and cost nothing.
/// Numbers are words in two's complement; fixed points are the affair of
/// [`crate::secret::Secret`].
pub trait Protocol<W: Word> {
    /// The index of this party.
    fn party(&self) -> usize;

    /// The number of parties.
    fn parties(&self) -> usize;

    /// How many parts a share has at this party.
    fn share_parts(&self) -> usize;

    /// The part of this party's shares that public constants are added to, if it has one.
    fn constant_part(&self) -> Option<usize>;

    /// Shares `count` words of party `owner`, which is the only one to give `values`.
    fn input(
        &mut self,
        owner: usize,
        values: Option<&[W]>,
        count: usize,
    ) -> Result<Share<W>, MpcError>;

    /// Opens a share to the `receivers` and to nobody else; gives the words there.
    fn reveal(&mut self, receivers: Parties, share: &Share<W>) -> Result<Option<Vec<W>>, MpcError>;

    /// Opens bits as the lowest bits of words to the `receivers` and to nobody else. At most 64 planes.
    fn reveal_bits(
        &mut self,
        receivers: Parties,
        bits: &Bits,
    ) -> Result<Option<Vec<u64>>, MpcError>;

    /// Uniformly random words that no party knows.
    fn random(&mut self, count: usize) -> Result<Share<W>, MpcError>;

    /// Products, element by element.
    fn multiply(&mut self, left: &Share<W>, right: &Share<W>) -> Result<Share<W>, MpcError>;

    /// [`Protocol::multiply`] and [`Protocol::truncate`] at once.
    fn multiply_truncate(
        &mut self,
        left: &Share<W>,
        right: &Share<W>,
        bits: u32,
    ) -> Result<Share<W>, MpcError>;

    /// Any bilinear map, then [`Protocol::truncate`] if `bits` is not zero. Costs as much as products
    /// of as many elements as the result has, or less.
    fn bilinear(
        &mut self,
        map: &dyn BilinearMap<W>,
        left: &Share<W>,
        right: &Share<W>,
        bits: u32,
    ) -> Result<Share<W>, MpcError>;

    /// The same share, ready to be the right factor of many bilinear maps. Where a protocol opens both
    /// factors under masks this opens the one once for all; elsewhere it costs nothing.
    fn prepare(&mut self, share: &Share<W>) -> Result<Share<W>, MpcError> {
        Ok(share.clone())
    }

    /// Divides by 2^`bits`. The result is below the exact quotient or above it by less than one, and
    /// right in the mean. Magnitudes must be below a quarter of the ring.
    fn truncate(&mut self, share: &Share<W>, bits: u32) -> Result<Share<W>, MpcError>;

    /// One plane: whether words that fit `width` bits with their sign are negative.
    fn sign(&mut self, share: &Share<W>, width: u32) -> Result<Bits, MpcError>;

    /// One plane: whether words that fit `width` bits are zero.
    fn is_zero(&mut self, share: &Share<W>, width: u32) -> Result<Bits, MpcError>;

    /// The lowest `width` bits, one plane each.
    fn decompose(&mut self, share: &Share<W>, width: u32) -> Result<Bits, MpcError>;

    /// And, bit by bit.
    fn and(&mut self, left: &Bits, right: &Bits) -> Result<Bits, MpcError>;

    /// `share` where the only plane of `bit` has a one, zero elsewhere.
    fn inject(&mut self, bit: &Bits, share: &Share<W>) -> Result<Share<W>, MpcError>;

    /// Bits as words zero and one: all elements of the first plane, then of the next.
    fn bits_to_words(&mut self, bits: &Bits) -> Result<Share<W>, MpcError>;

    /// The rows, of `row` elements each, in an order that no party knows.
    fn shuffle(&mut self, share: &Share<W>, row: usize) -> Result<Share<W>, MpcError>;

    /// What has been spent so far.
    fn spent(&self) -> Cost;
}

/// A bilinear map of two vectors: a product of matrices, a convolution.
pub trait BilinearMap<W: Word> {
    /// Elements of the result.
    fn length(&self) -> usize;

    /// Adds the map of both vectors to `result`.
    fn add_into(&self, left: &[W], right: &[W], result: &mut [W]);
}

/// Parties by index.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Parties(u32);

impl Parties {
    /// One party.
    pub const fn one(party: usize) -> Self {
        Self(1 << party)
    }

    /// All of so many.
    pub const fn all(parties: usize) -> Self {
        Self((1 << parties) - 1)
    }

    /// One more.
    pub const fn and(self, party: usize) -> Self {
        Self(self.0 | 1 << party)
    }

    /// Whether it is one of them.
    pub const fn contain(self, party: usize) -> bool {
        self.0 >> party & 1 == 1
    }

    /// How many there are.
    pub const fn count(self) -> usize {
        self.0.count_ones() as usize
    }
}

/// What an operation costs: messages that wait for each other, and bytes that all parties send.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cost {
    /// Times that all parties wait for messages, one after the other.
    pub rounds: u64,
    /// Bytes from all parties together.
    pub bytes: u64,
}

impl Cost {
    /// So many rounds and bytes.
    pub const fn new(rounds: u64, bytes: u64) -> Self {
        Self { rounds, bytes }
    }

    /// What was spent since `earlier`.
    pub fn since(self, earlier: Self) -> Self {
        Self::new(self.rounds - earlier.rounds, self.bytes - earlier.bytes)
    }

    /// Seconds on a link of so many seconds one way and bytes a second and party, without computing.
    pub fn seconds(self, latency: f64, bandwidth: f64, parties: usize) -> f64 {
        self.rounds as f64 * latency + self.bytes as f64 / parties as f64 / bandwidth
    }
}

impl std::ops::AddAssign for Cost {
    fn add_assign(&mut self, other: Self) {
        self.rounds += other.rounds;
        self.bytes += other.bytes;
    }
}

/// One call of a function of [`Protocol`], as far as its cost depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Kernel {
    /// [`Protocol::input`] of so many elements.
    Input(usize),
    /// [`Protocol::reveal`] of so many elements to so many parties.
    Reveal(usize, usize),
    /// [`Protocol::reveal_bits`] of so many elements, planes, to so many parties.
    RevealBits(usize, usize, usize),
    /// [`Protocol::random`].
    Random(usize),
    /// [`Protocol::multiply`].
    Multiply(usize),
    /// [`Protocol::multiply_truncate`].
    MultiplyTruncate(usize),
    /// [`Protocol::bilinear`] of left, right and result elements, with or without truncation.
    Bilinear(usize, usize, usize, bool),
    /// [`Protocol::prepare`].
    Prepare(usize),
    /// [`Protocol::bilinear`] with a prepared right factor: left and result elements, truncation.
    Prepared(usize, usize, bool),
    /// [`Protocol::truncate`].
    Truncate(usize),
    /// [`Protocol::sign`] of elements and width.
    Sign(usize, u32),
    /// [`Protocol::is_zero`] of elements and width.
    IsZero(usize, u32),
    /// [`Protocol::decompose`] of elements and width.
    Decompose(usize, u32),
    /// [`Protocol::and`] of elements and planes.
    And(usize, usize),
    /// [`Protocol::inject`].
    Inject(usize),
    /// [`Protocol::bits_to_words`] of elements and planes.
    BitsToWords(usize, usize),
    /// [`Protocol::shuffle`] of elements.
    Shuffle(usize),
}

/// Refuses links among other than three parties.
fn check_three(link: &dyn Link) -> Result<(), MpcError> {
    match link.parties() {
        3 => Ok(()),
        found => Err(MpcError::Parties { needed: 3, found }),
    }
}

/// Refuses elements that are no whole rows.
fn check_rows(elements: usize, row: usize) -> Result<(), MpcError> {
    if row > 0 && elements.is_multiple_of(row) {
        return Ok(());
    }
    Err(MpcError::Count {
        what: "elements of whole rows",
        expected: elements.next_multiple_of(row.max(1)),
        found: elements,
    })
}

/// Refuses operands that do not belong together.
fn check_lengths(what: &'static str, expected: usize, found: usize) -> Result<(), MpcError> {
    if expected == found {
        return Ok(());
    }
    Err(MpcError::Count {
        what,
        expected,
        found,
    })
}
