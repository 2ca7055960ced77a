//! Words of either ring in one type: what travels between parties and their files.

use std::fmt;

use hush_mpc::{Fixed, MpcError, Share, Word};

/// Elements of the ring of 64 or of 128 bits, one after the other.
#[derive(Clone, PartialEq, Eq)]
pub struct Words {
    ring_bits: u32,
    /// Little-endian.
    bytes: Vec<u8>,
}

/// Bytes of a word in a ring.
pub(crate) const fn word_bytes(ring_bits: u32) -> u64 {
    (ring_bits / 8) as u64
}

impl Words {
    /// From words.
    pub fn of<W: Word>(words: &[W]) -> Self {
        let mut bytes = Vec::with_capacity(words.len() * (W::BITS / 8) as usize);
        for word in words {
            for limb in 0..W::BITS / 64 {
                bytes.extend_from_slice(&word.limb(limb).to_le_bytes());
            }
        }
        Self {
            ring_bits: W::BITS,
            bytes,
        }
    }

    /// From little-endian bytes; what is left of a whole word does not count.
    pub(crate) fn from_bytes(ring_bits: u32, mut bytes: Vec<u8>) -> Self {
        bytes.truncate(bytes.len() - bytes.len() % word_bytes(ring_bits) as usize);
        Self { ring_bits, bytes }
    }

    /// The words.
    ///
    /// # Panics
    /// If `W` is another ring.
    pub fn to<W: Word>(&self) -> Vec<W> {
        assert_eq!(self.ring_bits, W::BITS, "bits of a word");
        let limb = |bytes: &[u8]| u64::from_le_bytes(bytes.try_into().expect("eight bytes"));
        let word = |bytes: &[u8]| {
            let (low, high) = bytes.split_at(8);
            let low = W::from_u64(limb(low));
            match high.is_empty() {
                true => low,
                false => low.plus(W::from_u64(limb(high)).left(64)),
            }
        };
        let size = (W::BITS / 8) as usize;
        self.bytes.chunks_exact(size).map(word).collect()
    }

    /// Numbers as words of a ring.
    ///
    /// # Errors
    /// If one is no number or outside the range.
    pub fn encode(ring_bits: u32, fixed: Fixed, numbers: &[f64]) -> Result<Self, MpcError> {
        Ok(match ring_bits {
            128 => Self::of(&fixed.encode_all::<u128>(numbers)?),
            _ => Self::of(&fixed.encode_all::<u64>(numbers)?),
        })
    }

    /// What the words stand for.
    pub fn decode(&self, fixed: Fixed) -> Vec<f64> {
        match self.ring_bits {
            128 => fixed.decode_all(&self.to::<u128>()),
            _ => fixed.decode_all(&self.to::<u64>()),
        }
    }

    /// How many there are.
    pub fn len(&self) -> usize {
        self.bytes.len() / word_bytes(self.ring_bits) as usize
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Bits of a word.
    pub fn ring_bits(&self) -> u32 {
        self.ring_bits
    }

    /// Little-endian.
    pub(crate) fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

impl fmt::Debug for Words {
    /// Tells no word, since they may be secret.
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} words of {} bits", self.len(), self.ring_bits)
    }
}

/// One party's share from its parts.
pub(crate) fn share_of<W: Word>(elements: usize, parts: &[Words]) -> Share<W> {
    Share::new(elements, parts.iter().map(Words::to).collect())
}

/// The parts of one party's share.
pub(crate) fn parts_of<W: Word>(share: &Share<W>) -> Vec<Words> {
    share.parts().iter().map(|part| Words::of(part)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_rings_come_back() {
        let narrow = [1, u64::MAX, 7 << 40];
        let wide = [1, u128::MAX, 7 << 100];
        assert_eq!(Words::of(&narrow).to::<u64>(), narrow);
        assert_eq!(Words::of(&wide).to::<u128>(), wide);
        assert_eq!((Words::of(&wide).len(), Words::of(&narrow).len()), (3, 3));
        for bits in [64, 128] {
            let numbers = [0.5, -3.25, 100.0];
            let words = Words::encode(bits, Fixed::STANDARD, &numbers).unwrap();
            assert_eq!(words.decode(Fixed::STANDARD), numbers);
            assert_eq!(words.ring_bits(), bits);
            assert_eq!(Words::from_bytes(bits, words.bytes().to_vec()), words);
        }
        assert_eq!(format!("{:?}", Words::of(&narrow)), "3 words of 64 bits");
    }
}
