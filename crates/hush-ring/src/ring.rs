//! A ring: degree, moduli, transforms and the operations on its polynomials.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

use hush_simd::kernels::{self, BlockPermutation};
use hush_simd::ntt::{MirroredTable, NttTable};
use hush_simd::{Isa, Modulus, ModulusError, Multiplier};
use rayon::prelude::*;

use crate::poly::{Basis, Coeff, Ntt, Poly, Representation};
use crate::pool::Pool;

/// Z\[X\]/(X^N + 1) modulo a chain of primes q_0 … q_L and special primes p_0 … p_(K-1).
#[derive(Debug)]
pub struct Ring {
    isa: Isa,
    degree: usize,
    chain: usize,
    tables: Vec<NttTable>,
    moduli: Vec<Modulus>,
    pool: Arc<Pool>,
    automorphisms: RwLock<BTreeMap<usize, Arc<BlockPermutation>>>,
    /// By modulus index and length.
    mirrored: RwLock<BTreeMap<(usize, usize), Arc<MirroredTable>>>,
}

/// Why a ring cannot be built.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum RingError {
    /// log2(N) outside 8 … 17.
    #[error("ring degree 2^{log_degree} is outside 2^8 to 2^17")]
    Degree {
        /// log2(N).
        log_degree: u32,
    },
    /// A modulus is out of range or has no suitable root of unity.
    #[error(transparent)]
    Modulus(#[from] ModulusError),
    /// The same modulus twice.
    #[error("modulus {value} appears twice; all moduli must differ")]
    Repeated {
        /// The modulus.
        value: u64,
    },
}

impl Ring {
    /// Tables for N = 2^`log_degree`, on the instruction set in force.
    pub fn new(log_degree: u32, chain: &[u64], special: &[u64]) -> Result<Self, RingError> {
        Self::with_isa(Isa::active(), log_degree, chain, special)
    }

    /// [`Ring::new`] on a given instruction set.
    pub fn with_isa(
        isa: Isa,
        log_degree: u32,
        chain: &[u64],
        special: &[u64],
    ) -> Result<Self, RingError> {
        if !(8..=17).contains(&log_degree) {
            return Err(RingError::Degree { log_degree });
        }
        let degree = 1 << log_degree;
        let values: Vec<u64> = chain.iter().chain(special).copied().collect();
        if let Some((_, &value)) = values
            .iter()
            .enumerate()
            .find(|(i, value)| values[..*i].contains(value))
        {
            return Err(RingError::Repeated { value });
        }
        let moduli = values
            .iter()
            .map(|&value| Modulus::new(value))
            .collect::<Result<Vec<_>, _>>()?;
        let tables = moduli
            .par_iter()
            .map(|&modulus| NttTable::new(isa, degree, modulus))
            .collect::<Result<Vec<_>, _>>()?;
        Ok(Self {
            isa,
            degree,
            chain: chain.len(),
            tables,
            moduli,
            pool: Arc::default(),
            automorphisms: RwLock::default(),
            mirrored: RwLock::default(),
        })
    }

    /// N.
    pub fn degree(&self) -> usize {
        self.degree
    }

    /// The instruction set its loops run on.
    pub fn isa(&self) -> Isa {
        self.isa
    }

    /// Chain, then special moduli.
    pub fn moduli(&self) -> &[Modulus] {
        &self.moduli
    }

    /// Moduli in the chain.
    pub fn chain_length(&self) -> usize {
        self.chain
    }

    /// Special moduli.
    pub fn special_length(&self) -> usize {
        self.moduli.len() - self.chain
    }

    /// Where its polynomials live.
    pub fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// Limbs of a polynomial in `basis`.
    pub fn limbs(&self, basis: Basis) -> usize {
        assert!(basis.chain <= self.chain, "basis longer than the chain");
        basis.chain
            + if basis.special {
                self.special_length()
            } else {
                0
            }
    }

    /// Index into [`Ring::moduli`] of limb `limb` of a polynomial in `basis`.
    pub fn modulus_index(&self, basis: Basis, limb: usize) -> usize {
        if limb < basis.chain {
            limb
        } else {
            self.chain + limb - basis.chain
        }
    }

    /// Modulus of limb `limb` of a polynomial in `basis`.
    pub fn modulus_of(&self, basis: Basis, limb: usize) -> &Modulus {
        &self.moduli[self.modulus_index(basis, limb)]
    }

    /// Transform tables of modulus `index`.
    pub fn table(&self, index: usize) -> &NttTable {
        &self.tables[index]
    }

    /// Runs `body(limb, words)` on every limb, threads permitting in parallel.
    pub fn for_each_limb<R: Representation>(
        &self,
        poly: &mut Poly<R>,
        body: impl Fn(usize, &mut [u64]) + Sync,
    ) {
        let degree = self.degree;
        in_parallel(poly.words_mut(), degree, body);
    }

    /// Runs `body(limb, words)` on every limb of several polynomials over the same moduli,
    /// `words` being one limb of each.
    pub fn for_each_limb_of<R: Representation, const M: usize>(
        &self,
        polys: [&mut Poly<R>; M],
        body: impl Fn(usize, [&mut [u64]; M]) + Sync + Send,
    ) {
        let basis = polys[0].basis();
        assert!(
            polys.iter().all(|poly| poly.basis() == basis),
            "operands over the same moduli"
        );
        let mut limbs = polys.map(|poly| poly.limbs_mut());
        let rows = (0..self.limbs(basis)).map(|i| {
            let row = limbs.each_mut().map(|limbs| {
                limbs
                    .next()
                    .expect("every polynomial has the limbs of its basis")
            });
            (i, row)
        });
        in_any_order(rows, |(i, row)| body(i, row));
    }

    /// Coefficients to values: one transform per limb.
    pub fn forward(&self, mut poly: Poly<Coeff>) -> Poly<Ntt> {
        let basis = poly.basis();
        self.for_each_limb(&mut poly, |i, words| {
            self.tables[self.modulus_index(basis, i)].forward(words);
        });
        poly.reinterpret()
    }

    /// Values to coefficients: one transform per limb.
    pub fn inverse(&self, mut poly: Poly<Ntt>) -> Poly<Coeff> {
        let basis = poly.basis();
        self.for_each_limb(&mut poly, |i, words| {
            self.tables[self.modulus_index(basis, i)].inverse(words);
        });
        poly.reinterpret()
    }

    /// a += b.
    pub fn add_assign<R: Representation>(&self, a: &mut Poly<R>, b: &Poly<R>) {
        self.zip(a, b, |q, x, y| kernels::add_assign(self.isa, q, x, y));
    }

    /// a -= b.
    pub fn sub_assign<R: Representation>(&self, a: &mut Poly<R>, b: &Poly<R>) {
        self.zip(a, b, |q, x, y| kernels::sub_assign(self.isa, q, x, y));
    }

    /// a = -a.
    pub fn negate_assign<R: Representation>(&self, a: &mut Poly<R>) {
        let basis = a.basis();
        self.for_each_limb(a, |i, words| {
            kernels::negate_assign(self.isa, self.modulus_of(basis, i), words);
        });
    }

    /// a = a b in the ring.
    pub fn multiply_assign(&self, a: &mut Poly<Ntt>, b: &Poly<Ntt>) {
        self.zip(a, b, |q, x, y| kernels::multiply_assign(self.isa, q, x, y));
    }

    /// sum += a b in the ring.
    pub fn multiply_add_assign(&self, sum: &mut Poly<Ntt>, a: &Poly<Ntt>, b: &Poly<Ntt>) {
        assert_eq!(sum.basis(), a.basis(), "operands over the same moduli");
        assert_eq!(sum.basis(), b.basis(), "operands over the same moduli");
        let basis = sum.basis();
        self.for_each_limb(sum, |i, words| {
            let q = self.modulus_of(basis, i);
            kernels::multiply_add_assign(self.isa, q, words, a.limb(i), b.limb(i));
        });
    }

    /// a = factor(q) a on each limb.
    pub fn scale_assign<R: Representation>(
        &self,
        a: &mut Poly<R>,
        factor: impl Fn(&Modulus) -> Multiplier + Sync,
    ) {
        let basis = a.basis();
        self.for_each_limb(a, |i, words| {
            let q = self.modulus_of(basis, i);
            kernels::scale_assign(self.isa, q, words, factor(q));
        });
    }

    /// a(X) -> a(X^element), `element` odd. Costs one pass over memory.
    pub fn automorphism(&self, a: &Poly<Ntt>, element: usize) -> Poly<Ntt> {
        let permutation = self.permutation(element);
        let mut out = Poly::unspecified(self, a.basis());
        self.for_each_limb(&mut out, |i, words| {
            kernels::permute(self.isa, &permutation, words, a.limb(i));
        });
        out
    }

    /// The permutation that X -> X^element is on transforms; made once per element.
    pub fn permutation(&self, element: usize) -> Arc<BlockPermutation> {
        let element = element % (2 * self.degree);
        made_once(&self.automorphisms, element, || {
            BlockPermutation::automorphism(self.degree, element)
        })
    }

    /// Tables for mirrored polynomials of `length` coefficients modulo modulus `index`; made
    /// once.
    pub fn mirrored_table(&self, index: usize, length: usize) -> Arc<MirroredTable> {
        made_once(&self.mirrored, (index, length), || {
            MirroredTable::new(&self.tables[index], length)
        })
    }

    /// The polynomial with these signed coefficients.
    pub fn from_signed(&self, coefficients: &[i64], basis: Basis) -> Poly<Coeff> {
        self.from_residues(coefficients.len(), basis, |q, i| {
            q.from_signed(coefficients[i])
        })
    }

    /// The polynomial with these signed coefficients.
    pub fn from_signed_i128(&self, coefficients: &[i128], basis: Basis) -> Poly<Coeff> {
        self.from_residues(coefficients.len(), basis, |q, i| {
            coefficients[i].rem_euclid(i128::from(q.value())) as u64
        })
    }

    /// The polynomial whose coefficient `i` has residue `residue(q, i)`.
    pub fn from_residues(
        &self,
        length: usize,
        basis: Basis,
        residue: impl Fn(&Modulus, usize) -> u64 + Sync,
    ) -> Poly<Coeff> {
        assert_eq!(length, self.degree, "one coefficient per power of X");
        let mut poly = Poly::unspecified(self, basis);
        self.for_each_limb(&mut poly, |limb, words| {
            let q = self.modulus_of(basis, limb);
            for (i, word) in words.iter_mut().enumerate() {
                *word = residue(q, i);
            }
        });
        poly
    }

    fn zip<R: Representation>(
        &self,
        a: &mut Poly<R>,
        b: &Poly<R>,
        body: impl Fn(&Modulus, &mut [u64], &[u64]) + Sync,
    ) {
        assert_eq!(a.basis(), b.basis(), "operands over the same moduli");
        let basis = a.basis();
        self.for_each_limb(a, |i, words| {
            body(self.modulus_of(basis, i), words, b.limb(i));
        });
    }
}

fn made_once<K: Ord + Copy, V>(
    known: &RwLock<BTreeMap<K, Arc<V>>>,
    key: K,
    make: impl FnOnce() -> V,
) -> Arc<V> {
    let found = known
        .read()
        .unwrap_or_else(PoisonError::into_inner)
        .get(&key)
        .cloned();
    found.unwrap_or_else(|| {
        let made = Arc::new(make());
        known
            .write()
            .unwrap_or_else(PoisonError::into_inner)
            .insert(key, Arc::clone(&made));
        made
    })
}

/// Runs `body(i, chunk)` on every chunk of `length` words, in parallel; on the calling thread if the
/// current pool has no other.
pub fn in_parallel(words: &mut [u64], length: usize, body: impl Fn(usize, &mut [u64]) + Sync) {
    in_any_order(words.chunks_exact_mut(length).enumerate(), |(i, chunk)| {
        body(i, chunk);
    });
}

/// Runs `body` on every item, in parallel; on the calling thread, in order, if the current
/// pool has no other. Items are large: each may go to another thread.
pub fn in_any_order<T: Send>(items: impl Iterator<Item = T>, body: impl Fn(T) + Sync + Send) {
    if rayon::current_num_threads() == 1 {
        items.for_each(body);
    } else {
        let items = items.collect::<Vec<_>>().into_par_iter();
        items.with_max_len(1).for_each(body);
    }
}
