//! One party's parts of shared words and bits, and what it computes on them alone.

use hush_simd::Isa;
use hush_simd::words::{Word, plane_words, vectorized};

/// Elements that are worked on at once, so that they stay in the second-level cache.
pub const BLOCK: usize = 1 << 14;

/// One party's share of a vector of words. How many parts it has, and what they add up to, is the
/// protocol's affair; addition and everything else that is linear works on each part alone.
#[derive(Clone, PartialEq, Eq)]
pub struct Share<W> {
    length: usize,
    parts: Vec<Vec<W>>,
    /// What the protocol knows it by, if it was prepared.
    prepared: Option<u64>,
}

/// One party's share of a matrix of bits: for each of a vector of elements as many bits as there
/// are planes. Exclusive-or works on each part alone.
///
/// Each block of [`BLOCK`] elements holds its planes one after the other, in the order of
/// [`hush_simd::words::planes_of_words`].
#[derive(Clone, PartialEq, Eq)]
pub struct Bits {
    length: usize,
    planes: usize,
    parts: Vec<Vec<u64>>,
}

/// Words in all planes of so many elements.
pub(crate) fn bit_words(length: usize, planes: usize) -> usize {
    let (full, rest) = (length / BLOCK, length % BLOCK);
    planes * (full * plane_words(BLOCK) + plane_words(rest))
}

impl<W: Word> Share<W> {
    /// From its parts.
    ///
    /// # Panics
    /// If a part has another length.
    pub fn new(length: usize, parts: Vec<Vec<W>>) -> Self {
        assert!(
            parts.iter().all(|part| part.len() == length),
            "length of parts"
        );
        Self {
            length,
            parts,
            prepared: None,
        }
    }

    /// A share of zeros, with so many parts.
    pub fn zeros(length: usize, parts: usize) -> Self {
        Self::new(length, vec![vec![W::ZERO; length]; parts])
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The same share under a name that its protocol gives it. Whatever is computed from it has none.
    pub(crate) fn with_name(mut self, name: u64) -> Self {
        self.prepared = Some(name);
        self
    }

    /// The name, if the share was prepared.
    pub(crate) fn name(&self) -> Option<u64> {
        self.prepared
    }

    /// The parts.
    pub fn parts(&self) -> &[Vec<W>] {
        &self.parts
    }

    /// The parts, by value.
    pub fn into_parts(self) -> Vec<Vec<W>> {
        self.parts
    }

    /// One part, to be changed in place.
    pub fn part_mut(&mut self, part: usize) -> &mut [W] {
        self.prepared = None;
        &mut self.parts[part]
    }

    /// Applies a linear function to each part; `length` is that of its result.
    pub fn map_parts(&self, length: usize, function: impl Fn(&[W]) -> Vec<W>) -> Self {
        Self::new(
            length,
            self.parts.iter().map(|part| function(part)).collect(),
        )
    }

    fn zip_assign(&mut self, other: &Self, function: impl Fn(W, W) -> W) {
        assert_eq!(self.length, other.length, "elements of both shares");
        assert_eq!(self.parts.len(), other.parts.len(), "parts of both shares");
        self.prepared = None;
        for (to, from) in self.parts.iter_mut().zip(&other.parts) {
            vectorized(Isa::active(), || {
                for (to, &from) in to.iter_mut().zip(from) {
                    *to = function(*to, from);
                }
            });
        }
    }

    /// Adds another share.
    pub fn add_assign(&mut self, other: &Self) {
        self.zip_assign(other, W::plus);
    }

    /// Subtracts another share.
    pub fn sub_assign(&mut self, other: &Self) {
        self.zip_assign(other, W::minus);
    }

    /// The sum.
    // The other operand is borrowed, so this is no operator.
    #[allow(clippy::should_implement_trait)]
    pub fn add(mut self, other: &Self) -> Self {
        self.add_assign(other);
        self
    }

    /// The difference.
    #[allow(clippy::should_implement_trait)]
    pub fn sub(mut self, other: &Self) -> Self {
        self.sub_assign(other);
        self
    }

    /// Every element times one public word.
    pub fn scale(mut self, factor: W) -> Self {
        self.prepared = None;
        for part in &mut self.parts {
            vectorized(Isa::active(), || {
                for word in part.iter_mut() {
                    *word = word.times(factor);
                }
            });
        }
        self
    }

    /// Each element times a public word of its own; the words repeat if there are fewer.
    pub fn scale_each(mut self, factors: &[W]) -> Self {
        self.prepared = None;
        for part in &mut self.parts {
            vectorized(Isa::active(), || {
                for chunk in part.chunks_mut(factors.len().max(1)) {
                    for (word, &factor) in chunk.iter_mut().zip(factors) {
                        *word = word.times(factor);
                    }
                }
            });
        }
        self
    }

    /// Adds public words, which repeat if there are fewer, to the part that holds constants.
    pub fn add_public(mut self, constant_part: Option<usize>, words: &[W]) -> Self {
        self.prepared = None;
        if let Some(part) = constant_part {
            for chunk in self.parts[part].chunks_mut(words.len().max(1)) {
                for (to, &word) in chunk.iter_mut().zip(words) {
                    *to = to.plus(word);
                }
            }
        }
        self
    }

    /// The elements at public places.
    pub fn gather(&self, sources: &[usize]) -> Self {
        self.map_parts(sources.len(), |part| {
            sources.iter().map(|&source| part[source]).collect()
        })
    }

    /// The elements at public places, or zero.
    pub fn gather_or_zero(&self, sources: &[Option<usize>]) -> Self {
        self.map_parts(sources.len(), |part| {
            let word = |source: &Option<usize>| source.map_or(W::ZERO, |source| part[source]);
            sources.iter().map(word).collect()
        })
    }

    /// A run of elements.
    pub fn slice(&self, range: std::ops::Range<usize>) -> Self {
        self.map_parts(range.len(), |part| part[range.clone()].to_vec())
    }

    /// Shares one after the other.
    ///
    /// # Panics
    /// If there are none.
    pub fn concatenate(shares: &[&Self]) -> Self {
        let parts = (0..shares[0].parts.len()).map(|part| {
            let words = shares.iter().flat_map(|share| &share.parts[part]);
            words.copied().collect()
        });
        let length = shares.iter().map(|share| share.length).sum();
        Self::new(length, parts.collect())
    }

    /// Sums over the middle of `[outer, count, inner]`.
    pub fn sum_middle(&self, count: usize, inner: usize) -> Self {
        if count == 0 || inner == 0 {
            return Self::zeros(0, self.parts.len());
        }
        self.map_parts(self.length / count, |part| {
            let mut sums = vec![W::ZERO; self.length / count];
            for (from, to) in part
                .chunks_exact(count * inner)
                .zip(sums.chunks_exact_mut(inner))
            {
                for line in from.chunks_exact(inner) {
                    for (sum, &word) in to.iter_mut().zip(line) {
                        *sum = sum.plus(word);
                    }
                }
            }
            sums
        })
    }
}

impl Bits {
    /// From its parts, each of as many words as the planes take.
    ///
    /// # Panics
    /// If a part has another length.
    pub fn new(length: usize, planes: usize, parts: Vec<Vec<u64>>) -> Self {
        let words = bit_words(length, planes);
        assert!(
            parts.iter().all(|part| part.len() == words),
            "length of parts"
        );
        Self {
            length,
            planes,
            parts,
        }
    }

    /// The number of elements.
    pub fn len(&self) -> usize {
        self.length
    }

    /// Whether there are no elements.
    pub fn is_empty(&self) -> bool {
        self.length == 0
    }

    /// The bits of each element.
    pub fn planes(&self) -> usize {
        self.planes
    }

    /// The parts.
    pub fn parts(&self) -> &[Vec<u64>] {
        &self.parts
    }

    /// Exclusive or.
    pub fn xor(mut self, other: &Self) -> Self {
        assert_eq!(
            (self.length, self.planes),
            (other.length, other.planes),
            "bits of both shares"
        );
        for (to, from) in self.parts.iter_mut().zip(&other.parts) {
            for (to, from) in to.iter_mut().zip(from) {
                *to ^= from;
            }
        }
        self
    }

    /// Every bit the other way round.
    pub fn not(mut self, constant_part: Option<usize>) -> Self {
        if let Some(part) = constant_part {
            for word in &mut self.parts[part] {
                *word = !*word;
            }
        }
        self
    }

    /// Some of the planes, in a public order; a plane that is not there gives zeros.
    pub fn select_planes(&self, planes: &[Option<usize>]) -> Self {
        let parts = self.parts.iter().map(|part| {
            let mut words = Vec::with_capacity(bit_words(self.length, planes.len()));
            for block in block_columns(self.length) {
                let from = &part[block.start * self.planes..];
                for plane in planes {
                    match plane {
                        Some(plane) => {
                            words.extend_from_slice(&from[plane * block.columns..][..block.columns])
                        }
                        None => words.extend(std::iter::repeat_n(0, block.columns)),
                    }
                }
            }
            words
        });
        let parts = parts.collect();
        Self::new(self.length, planes.len(), parts)
    }

    /// The elements several times over, as bits of a vector so many times as long.
    pub fn repeat(&self, times: usize) -> Self {
        let sources: Vec<usize> = (0..times).flat_map(|_| 0..self.length).collect();
        self.gather(&sources)
    }

    /// The bits of a row of elements, of rows of `count`.
    pub fn slice_rows(&self, row: usize, count: usize) -> Self {
        let sources: Vec<usize> = (row * count..(row + 1) * count).collect();
        self.gather(&sources)
    }

    /// Bits of as many planes, the elements one after the other.
    ///
    /// # Panics
    /// If there are none, or the planes differ in number.
    pub fn concatenate(shares: &[&Self]) -> Self {
        let planes = shares[0].planes;
        assert!(
            shares.iter().all(|share| share.planes == planes),
            "planes of all shares"
        );
        if let [only] = shares {
            return (*only).clone();
        }
        let length = shares.iter().map(|share| share.length).sum();
        let parts = (0..shares[0].parts.len()).map(|part| {
            let mut words = vec![0; bit_words(length, planes)];
            let mut to = 0;
            for share in shares {
                for from in 0..share.length {
                    let (from, to_place) =
                        (place(share.length, planes, from), place(length, planes, to));
                    for plane in 0..planes {
                        let bit =
                            share.parts[part][from.word + plane * from.columns] >> from.bit & 1;
                        words[to_place.word + plane * to_place.columns] |= bit << to_place.bit;
                    }
                    to += 1;
                }
            }
            words
        });
        let parts = parts.collect();
        Self::new(length, planes, parts)
    }

    /// The bits of the elements at public places.
    pub fn gather(&self, sources: &[usize]) -> Self {
        let parts = self.parts.iter().map(|part| {
            let mut words = vec![0; bit_words(sources.len(), self.planes)];
            for (to, &from) in sources.iter().enumerate() {
                let from = place(self.length, self.planes, from);
                let to = place(sources.len(), self.planes, to);
                for plane in 0..self.planes {
                    let bit = part[from.word + plane * from.columns] >> from.bit & 1;
                    words[to.word + plane * to.columns] |= bit << to.bit;
                }
            }
            words
        });
        let parts = parts.collect();
        Self::new(sources.len(), self.planes, parts)
    }

    /// One plane.
    pub fn plane(&self, plane: usize) -> Self {
        self.select_planes(&[Some(plane)])
    }

    /// The planes of several shares of as many elements, one after the other.
    ///
    /// # Panics
    /// If there are none, or the elements differ in number.
    pub fn stack(shares: &[&Self]) -> Self {
        let length = shares[0].length;
        assert!(
            shares.iter().all(|share| share.length == length),
            "elements of all shares"
        );
        let planes = shares.iter().map(|share| share.planes).sum();
        let parts = (0..shares[0].parts.len()).map(|part| {
            let mut words = Vec::with_capacity(bit_words(length, planes));
            for block in block_columns(length) {
                for share in shares {
                    let from = &share.parts[part][block.start * share.planes..];
                    words.extend_from_slice(&from[..share.planes * block.columns]);
                }
            }
            words
        });
        let parts = parts.collect();
        Self::new(length, planes, parts)
    }
}

/// Where the bit of an element stands in the first plane, and how far the planes are apart.
struct Place {
    word: usize,
    columns: usize,
    bit: usize,
}

fn place(length: usize, planes: usize, element: usize) -> Place {
    let (block, within) = (element / BLOCK, element % BLOCK);
    let columns = plane_words(BLOCK.min(length - block * BLOCK));
    Place {
        word: block * plane_words(BLOCK) * planes + within % columns,
        columns,
        bit: within / columns,
    }
}

/// Where a block's words stand in one plane, and how many they are.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Block {
    pub(crate) start: usize,
    pub(crate) columns: usize,
}

/// The blocks of a vector of elements.
pub(crate) fn block_columns(length: usize) -> impl Iterator<Item = Block> {
    (0..length.div_ceil(BLOCK)).map(move |block| {
        let count = BLOCK.min(length - block * BLOCK);
        Block {
            start: block * plane_words(BLOCK),
            columns: plane_words(count),
        }
    })
}
