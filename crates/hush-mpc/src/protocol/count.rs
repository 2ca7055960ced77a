//! A protocol that computes nothing and only adds up what it would cost.

use std::marker::PhantomData;

use hush_simd::words::Word;

use super::{BilinearMap, Cost, Kernel, Parties, Protocol};
use crate::MpcError;
use crate::share::{Bits, Share};

/// Stands for all parties of a protocol with the given costs. Shares have lengths and no parts, so
/// whatever runs on a protocol tells its cost without running.
pub struct Count<W> {
    kernel_cost: fn(Kernel) -> Cost,
    parties: usize,
    spent: Cost,
    word: PhantomData<W>,
}

impl<W: Word> Count<W> {
    /// Counts by `kernel_cost`, such as [`super::rep3::cost`], for so many parties.
    pub fn new(parties: usize, kernel_cost: fn(Kernel) -> Cost) -> Self {
        Self {
            kernel_cost,
            parties,
            spent: Cost::default(),
            word: PhantomData,
        }
    }

    fn share(&mut self, kernel: Kernel, length: usize) -> Result<Share<W>, MpcError> {
        self.spent += (self.kernel_cost)(kernel);
        Ok(Share::new(length, Vec::new()))
    }

    fn bits(&mut self, kernel: Kernel, length: usize, planes: usize) -> Result<Bits, MpcError> {
        self.spent += (self.kernel_cost)(kernel);
        Ok(Bits::new(length, planes, Vec::new()))
    }
}

impl<W: Word> Protocol<W> for Count<W> {
    /// It is none of the parties.
    fn party(&self) -> usize {
        self.parties
    }

    fn parties(&self) -> usize {
        self.parties
    }

    fn share_parts(&self) -> usize {
        0
    }

    fn constant_part(&self) -> Option<usize> {
        None
    }

    fn input(&mut self, _: usize, _: Option<&[W]>, count: usize) -> Result<Share<W>, MpcError> {
        self.share(Kernel::Input(count), count)
    }

    fn reveal(&mut self, receivers: Parties, share: &Share<W>) -> Result<Option<Vec<W>>, MpcError> {
        self.spent += (self.kernel_cost)(Kernel::Reveal(share.len(), receivers.count()));
        Ok(None)
    }

    fn reveal_bits(
        &mut self,
        receivers: Parties,
        bits: &Bits,
    ) -> Result<Option<Vec<u64>>, MpcError> {
        let kernel = Kernel::RevealBits(bits.len(), bits.planes(), receivers.count());
        self.spent += (self.kernel_cost)(kernel);
        Ok(None)
    }

    fn random(&mut self, count: usize) -> Result<Share<W>, MpcError> {
        self.share(Kernel::Random(count), count)
    }

    fn multiply(&mut self, left: &Share<W>, _: &Share<W>) -> Result<Share<W>, MpcError> {
        self.share(Kernel::Multiply(left.len()), left.len())
    }

    fn multiply_truncate(
        &mut self,
        left: &Share<W>,
        _: &Share<W>,
        _: u32,
    ) -> Result<Share<W>, MpcError> {
        self.share(Kernel::MultiplyTruncate(left.len()), left.len())
    }

    fn bilinear(
        &mut self,
        map: &dyn BilinearMap<W>,
        left: &Share<W>,
        right: &Share<W>,
        bits: u32,
    ) -> Result<Share<W>, MpcError> {
        let length = map.length();
        let kernel = match right.name() {
            Some(_) => Kernel::Prepared(left.len(), length, bits > 0),
            None => Kernel::Bilinear(left.len(), right.len(), length, bits > 0),
        };
        self.share(kernel, length)
    }

    fn prepare(&mut self, share: &Share<W>) -> Result<Share<W>, MpcError> {
        let prepared = self.share(Kernel::Prepare(share.len()), share.len())?;
        Ok(prepared.with_name(0))
    }

    fn truncate(&mut self, share: &Share<W>, bits: u32) -> Result<Share<W>, MpcError> {
        if bits == 0 {
            return Ok(share.clone());
        }
        self.share(Kernel::Truncate(share.len()), share.len())
    }

    fn sign(&mut self, share: &Share<W>, width: u32) -> Result<Bits, MpcError> {
        self.bits(Kernel::Sign(share.len(), width), share.len(), 1)
    }

    fn is_zero(&mut self, share: &Share<W>, width: u32) -> Result<Bits, MpcError> {
        self.bits(Kernel::IsZero(share.len(), width), share.len(), 1)
    }

    fn decompose(&mut self, share: &Share<W>, width: u32) -> Result<Bits, MpcError> {
        self.bits(
            Kernel::Decompose(share.len(), width),
            share.len(),
            width as usize,
        )
    }

    fn and(&mut self, left: &Bits, _: &Bits) -> Result<Bits, MpcError> {
        self.bits(
            Kernel::And(left.len(), left.planes()),
            left.len(),
            left.planes(),
        )
    }

    fn inject(&mut self, _: &Bits, share: &Share<W>) -> Result<Share<W>, MpcError> {
        self.share(Kernel::Inject(share.len()), share.len())
    }

    fn bits_to_words(&mut self, bits: &Bits) -> Result<Share<W>, MpcError> {
        let kernel = Kernel::BitsToWords(bits.len(), bits.planes());
        self.share(kernel, bits.len() * bits.planes())
    }

    fn shuffle(&mut self, share: &Share<W>, _: usize) -> Result<Share<W>, MpcError> {
        self.share(Kernel::Shuffle(share.len()), share.len())
    }

    fn spent(&self) -> Cost {
        self.spent
    }
}
