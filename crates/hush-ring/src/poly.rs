//! Polynomials as residues, limb after limb.

use std::marker::PhantomData;

use zeroize::Zeroize;

use crate::pool::Buffer;
use crate::ring::Ring;

/// Values at the powers of the 2N-th root, bit-reversed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ntt {}
/// Coefficients of 1, X, …, X^(N-1).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Coeff {}

mod sealed {
    pub trait Sealed {}
    impl Sealed for super::Ntt {}
    impl Sealed for super::Coeff {}
}

/// [`Ntt`] or [`Coeff`].
pub trait Representation: sealed::Sealed {}
impl Representation for Ntt {}
impl Representation for Coeff {}

/// Which moduli a polynomial has residues for: the first `chain` of the chain, then,
/// if `special`, all special ones.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Basis {
    /// Limbs q_0 … q_(chain-1).
    pub chain: usize,
    /// Whether the special limbs follow.
    pub special: bool,
}

impl Basis {
    /// The first `chain` moduli alone.
    pub const fn chain(chain: usize) -> Self {
        Self {
            chain,
            special: false,
        }
    }

    /// The first `chain` moduli and the special ones.
    pub const fn extended(chain: usize) -> Self {
        Self {
            chain,
            special: true,
        }
    }
}

/// A polynomial: `limbs × N` canonical residues, limb-major.
#[derive(Debug, Clone)]
pub struct Poly<R> {
    basis: Basis,
    degree: usize,
    words: Buffer,
    representation: PhantomData<fn() -> R>,
}

impl<R: Representation> Poly<R> {
    /// The zero polynomial.
    pub fn zero(ring: &Ring, basis: Basis) -> Self {
        let mut poly = Self::unspecified(ring, basis);
        poly.words.fill(0);
        poly
    }

    /// A polynomial whose words are still to be written, every one.
    pub fn unspecified(ring: &Ring, basis: Basis) -> Self {
        let length = ring.limbs(basis) * ring.degree();
        Self {
            basis,
            degree: ring.degree(),
            words: ring.pool().take(length),
            representation: PhantomData,
        }
    }

    /// The same words read in the other representation: only for the transforms.
    pub(crate) fn reinterpret<S: Representation>(self) -> Poly<S> {
        Poly {
            basis: self.basis,
            degree: self.degree,
            words: self.words,
            representation: PhantomData,
        }
    }

    /// Which moduli the limbs belong to.
    pub fn basis(&self) -> Basis {
        self.basis
    }

    /// N.
    pub fn degree(&self) -> usize {
        self.degree
    }

    /// Residues of limb `i`.
    pub fn limb(&self, i: usize) -> &[u64] {
        &self.words[i * self.degree..(i + 1) * self.degree]
    }

    /// Residues of limb `i`; what is written must be canonical.
    pub fn limb_mut(&mut self, i: usize) -> &mut [u64] {
        &mut self.words[i * self.degree..(i + 1) * self.degree]
    }

    /// The limbs in order.
    pub fn limbs(&self) -> std::slice::ChunksExact<'_, u64> {
        self.words.chunks_exact(self.degree)
    }

    /// The limbs in order; what is written must be canonical.
    pub fn limbs_mut(&mut self) -> std::slice::ChunksExactMut<'_, u64> {
        self.words.chunks_exact_mut(self.degree)
    }

    /// All words, limb-major.
    pub fn words(&self) -> &[u64] {
        &self.words
    }

    /// All words, limb-major; what is written must be canonical.
    pub fn words_mut(&mut self) -> &mut [u64] {
        &mut self.words
    }

    /// The same polynomial modulo the first `chain` moduli only.
    pub fn restricted(&self, ring: &Ring, basis: Basis) -> Self {
        assert!(
            basis.chain <= self.basis.chain && (!basis.special || self.basis.special),
            "a polynomial can only lose limbs"
        );
        let mut out = Self::unspecified(ring, basis);
        let kept = basis.chain * self.degree;
        out.words[..kept].copy_from_slice(&self.words[..kept]);
        if basis.special {
            let from = self.basis.chain * self.degree;
            out.words[kept..].copy_from_slice(&self.words[from..]);
        }
        out
    }
}

impl<R> Zeroize for Poly<R> {
    fn zeroize(&mut self) {
        self.words.zeroize();
    }
}

impl<R> PartialEq for Poly<R> {
    fn eq(&self, other: &Self) -> bool {
        self.basis == other.basis && *self.words == *other.words
    }
}
