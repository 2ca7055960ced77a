//! Negacyclic number-theoretic transforms modulo X^N + 1.
//!
//! Cooley–Tukey forward (natural to bit-reversed order) and Gentleman–Sande inverse
//! (bit-reversed to natural) with merged powers of the 2N-th root, after Longa and
//! Naehrig, "Speeding up the number theoretic transform for faster ideal lattice-based
//! cryptography" (2016), and Harvey's lazy butterflies (2014). Two stages are done per
//! pass over memory; blocks of 4096 residues (32 KiB) are finished before the next is
//! touched; the last log2(lanes) stages run on transposed squares in registers.
//!
//! Slot `i` of a transform is the value at `psi^(2 brv(i) + 1)`, where `brv` reverses
//! log2(N) bits: the order is the same for every instruction set.

use crate::isa::{Isa, Kernel};
use crate::lanes::Lanes;
use crate::modulus::{Modulus, ModulusError, Multiplier};

mod mirrored;

pub use mirrored::MirroredTable;

/// Residues per block: 32 KiB, what fits a first-level cache.
const BLOCK: usize = 4096;

/// Twiddle factors of one modulus and degree, for the instruction set in use.
#[derive(Clone, Debug)]
pub struct NttTable {
    isa: Isa,
    degree: usize,
    modulus: Modulus,
    forward: Twiddles,
    inverse: Twiddles,
    degree_inverse: u64,
}

/// Powers of a root in bit-reversed order, and again packed for the stages whose
/// butterflies lie inside one vector.
#[derive(Clone, Debug)]
struct Twiddles {
    values: Vec<u64>,
    quotients: Vec<u64>,
    packed_values: Vec<u64>,
    packed_quotients: Vec<u64>,
}

impl NttTable {
    /// Tables for transforms of length `degree` (a power of two, at least 256).
    ///
    /// # Errors
    /// [`ModulusError::NoRoot`] unless the modulus is 1 mod 2 `degree`.
    pub fn new(isa: Isa, degree: usize, modulus: Modulus) -> Result<Self, ModulusError> {
        assert!(
            degree.is_power_of_two() && degree >= 256,
            "transform length must be a power of two of at least 256"
        );
        let root = modulus.primitive_root(2 * degree as u64)?;
        Ok(Self {
            isa,
            degree,
            modulus,
            forward: Twiddles::new(isa.width(), degree, &modulus, root, Order::Forward),
            inverse: Twiddles::new(
                isa.width(),
                degree,
                &modulus,
                modulus.inverse(root),
                Order::Inverse,
            ),
            degree_inverse: modulus.inverse(degree as u64),
        })
    }

    /// The modulus of the transform.
    pub fn modulus(&self) -> &Modulus {
        &self.modulus
    }

    /// Coefficients in natural order to values in bit-reversed order, in place.
    /// Input words may be anything below 2^50 when they are smaller than 4q.
    pub fn forward(&self, values: &mut [u64]) {
        assert_eq!(values.len(), self.degree, "transform length");
        self.isa.run(Forward {
            twiddles: &self.forward,
            modulus: &self.modulus,
            root: 1,
            values,
        });
    }

    /// Values in bit-reversed order to coefficients in natural order, in place.
    pub fn inverse(&self, values: &mut [u64]) {
        self.inverse_scaled(values, 1);
    }

    /// [`NttTable::inverse`], each coefficient also multiplied by `scale` at no cost.
    pub fn inverse_scaled(&self, values: &mut [u64], scale: u64) {
        assert_eq!(values.len(), self.degree, "transform length");
        let scale = self.modulus.mul(self.degree_inverse, scale);
        self.isa.run(Inverse {
            table: self,
            values,
            scale,
        });
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Order {
    Forward,
    Inverse,
}

impl Twiddles {
    fn new(width: usize, degree: usize, q: &Modulus, root: u64, order: Order) -> Self {
        let bits = degree.trailing_zeros();
        let mut values = vec![0; degree];
        let mut power = 1;
        let step = q.multiplier(root);
        for i in 0..degree {
            values[i.reverse_bits() >> (usize::BITS - bits)] = power;
            power = q.mul(power, step.value);
        }
        let packed_values = pack(width, degree, &values, order);
        let quotients = |values: &[u64]| values.iter().map(|&w| q.multiplier(w).quotient).collect();
        Self {
            quotients: quotients(&values),
            packed_quotients: quotients(&packed_values),
            values,
            packed_values,
        }
    }

    #[inline(always)]
    fn factor<L: Lanes>(&self, lanes: L, node: usize) -> L::Factor {
        lanes.factor(Multiplier {
            value: self.values[node],
            quotient: self.quotients[node],
        })
    }
}

/// For each square of `width` rows: for each in-vector stage in the order it runs, for
/// each group of butterflies in a row, one twiddle per row.
fn pack(width: usize, degree: usize, values: &[u64], order: Order) -> Vec<u64> {
    let stages = width.trailing_zeros();
    let mut packed = Vec::with_capacity(degree / width * (width - 1));
    for square in 0..degree / (width * width) {
        for stage in 0..stages {
            let stage = match order {
                Order::Forward => stage,
                Order::Inverse => stages - 1 - stage,
            };
            let groups = 1usize << stage;
            for group in 0..groups {
                for row in square * width..(square + 1) * width {
                    packed.push(values[(degree / width) * groups + row * groups + group]);
                }
            }
        }
    }
    packed
}

/// The transform below node `root`, the leftmost of its depth.
struct Forward<'a> {
    twiddles: &'a Twiddles,
    modulus: &'a Modulus,
    root: usize,
    values: &'a mut [u64],
}

impl Kernel for Forward<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let (twiddles, root) = (self.twiddles, self.root);
        let degree = self.values.len();
        let q = lanes.modulus(self.modulus);
        let stages = (degree / L::WIDTH).trailing_zeros();
        // `nodes` blocks of equal length; block i multiplies by twiddle `root nodes + i`.
        let mut nodes = 1;
        if stages % 2 == 1 {
            forward_two::<L, true>(lanes, self.values, twiddles, root, q);
            nodes = 2;
        } else {
            forward_four::<L, true>(lanes, self.values, twiddles, root, q);
            nodes *= 4;
        }
        while degree / nodes > BLOCK {
            for (i, block) in self.values.chunks_exact_mut(degree / nodes).enumerate() {
                forward_four::<L, false>(lanes, block, twiddles, root * nodes + i, q);
            }
            nodes *= 4;
        }
        let length = degree / nodes;
        for (i, block) in self.values.chunks_exact_mut(length).enumerate() {
            let mut inner = 1;
            while length / inner > L::WIDTH {
                let first = (root * nodes + i) * inner;
                for (j, part) in block.chunks_exact_mut(length / inner).enumerate() {
                    forward_four::<L, false>(lanes, part, twiddles, first + j, q);
                }
                inner *= 4;
            }
            let squares = length / (L::WIDTH * L::WIDTH);
            forward_squares(lanes, block, twiddles, i * squares, q);
        }
    }
}

/// One stage over a block. `FIRST` reads canonical words, otherwise spilled vectors.
#[inline(always)]
fn forward_two<L: Lanes, const FIRST: bool>(
    lanes: L,
    block: &mut [u64],
    twiddles: &Twiddles,
    node: usize,
    q: L::Modulus,
) {
    let w = twiddles.factor(lanes, node);
    let (low, high) = block.split_at_mut(block.len() / 2);
    for (x, y) in low
        .chunks_exact_mut(L::WIDTH)
        .zip(high.chunks_exact_mut(L::WIDTH))
    {
        let (a, b) = lanes.forward(read::<L, FIRST>(lanes, x), read::<L, FIRST>(lanes, y), w, q);
        lanes.spill(a, x);
        lanes.spill(b, y);
    }
}

/// Two stages over a block.
#[inline(always)]
fn forward_four<L: Lanes, const FIRST: bool>(
    lanes: L,
    block: &mut [u64],
    twiddles: &Twiddles,
    node: usize,
    q: L::Modulus,
) {
    let w1 = twiddles.factor(lanes, node);
    let w2 = twiddles.factor(lanes, 2 * node);
    let w3 = twiddles.factor(lanes, 2 * node + 1);
    let [s0, s1, s2, s3] = quarters(block);
    for (((x0, x1), x2), x3) in s0
        .chunks_exact_mut(L::WIDTH)
        .zip(s1.chunks_exact_mut(L::WIDTH))
        .zip(s2.chunks_exact_mut(L::WIDTH))
        .zip(s3.chunks_exact_mut(L::WIDTH))
    {
        let (a0, a2) = lanes.forward(
            read::<L, FIRST>(lanes, x0),
            read::<L, FIRST>(lanes, x2),
            w1,
            q,
        );
        let (a1, a3) = lanes.forward(
            read::<L, FIRST>(lanes, x1),
            read::<L, FIRST>(lanes, x3),
            w1,
            q,
        );
        let (b0, b1) = lanes.forward(a0, a1, w2, q);
        let (b2, b3) = lanes.forward(a2, a3, w3, q);
        lanes.spill(b0, x0);
        lanes.spill(b1, x1);
        lanes.spill(b2, x2);
        lanes.spill(b3, x3);
    }
}

/// The stages inside a vector, square by square, and the final reduction.
#[inline(always)]
fn forward_squares<L: Lanes>(
    lanes: L,
    block: &mut [u64],
    twiddles: &Twiddles,
    first: usize,
    q: L::Modulus,
) {
    let per_square = L::WIDTH * (L::WIDTH - 1);
    for (i, square) in block.chunks_exact_mut(L::WIDTH * L::WIDTH).enumerate() {
        let mut rows = lanes.square(lanes.splat(0));
        for (row, words) in rows.as_mut().iter_mut().zip(square.chunks_exact(L::WIDTH)) {
            *row = lanes.unspill(words);
        }
        let mut columns = lanes.transpose(rows);
        let offset = (first + i) * per_square;
        let values = &twiddles.packed_values[offset..offset + per_square];
        let quotients = &twiddles.packed_quotients[offset..offset + per_square];
        let x = columns.as_mut();
        let (mut distance, mut at) = (L::WIDTH / 2, 0);
        while distance > 0 {
            for group in 0..L::WIDTH / (2 * distance) {
                let w = lanes.load_factors(&values[at..], &quotients[at..]);
                at += L::WIDTH;
                for j in 2 * distance * group..2 * distance * group + distance {
                    (x[j], x[j + distance]) = lanes.forward(x[j], x[j + distance], w, q);
                }
            }
            distance /= 2;
        }
        let rows = lanes.transpose(columns);
        for (row, words) in rows.as_ref().iter().zip(square.chunks_exact_mut(L::WIDTH)) {
            lanes.store(lanes.canonical(*row, q), words);
        }
    }
}

struct Inverse<'a> {
    table: &'a NttTable,
    values: &'a mut [u64],
    scale: u64,
}

impl Kernel for Inverse<'_> {
    type Output = ();

    #[inline(always)]
    fn run<L: Lanes>(self, lanes: L) {
        let (twiddles, degree) = (&self.table.inverse, self.table.degree);
        let modulus = &self.table.modulus;
        let q = lanes.modulus(modulus);
        let stages = (degree / L::WIDTH).trailing_zeros();
        let mut nodes = if stages % 2 == 1 { 2 } else { 4 };
        while degree / nodes > BLOCK {
            nodes *= 4;
        }
        let length = degree / nodes;
        for (i, block) in self.values.chunks_exact_mut(length).enumerate() {
            let squares = length / (L::WIDTH * L::WIDTH);
            inverse_squares(lanes, block, twiddles, i * squares, q);
            let mut inner = length / L::WIDTH / 4;
            while inner > 0 {
                let first = (nodes + i) * inner;
                for (j, part) in block.chunks_exact_mut(length / inner).enumerate() {
                    inverse_four(lanes, part, twiddles, first + j, q);
                }
                inner /= 4;
            }
        }
        while nodes > 4 {
            nodes /= 4;
            for (i, block) in self.values.chunks_exact_mut(degree / nodes).enumerate() {
                inverse_four(lanes, block, twiddles, nodes + i, q);
            }
        }
        let scale = modulus.multiplier(self.scale);
        let last = modulus.multiplier(modulus.mul(twiddles.values[1], self.scale));
        let (scale, last) = (lanes.factor(scale), lanes.factor(last));
        if nodes == 2 {
            inverse_two_last(lanes, self.values, scale, last, q);
        } else {
            inverse_four_last(lanes, self.values, twiddles, scale, last, q);
        }
    }
}

#[inline(always)]
fn inverse_squares<L: Lanes>(
    lanes: L,
    block: &mut [u64],
    twiddles: &Twiddles,
    first: usize,
    q: L::Modulus,
) {
    let per_square = L::WIDTH * (L::WIDTH - 1);
    for (i, square) in block.chunks_exact_mut(L::WIDTH * L::WIDTH).enumerate() {
        let mut rows = lanes.square(lanes.splat(0));
        for (row, words) in rows.as_mut().iter_mut().zip(square.chunks_exact(L::WIDTH)) {
            *row = lanes.load(words);
        }
        let mut columns = lanes.transpose(rows);
        let offset = (first + i) * per_square;
        let values = &twiddles.packed_values[offset..offset + per_square];
        let quotients = &twiddles.packed_quotients[offset..offset + per_square];
        let x = columns.as_mut();
        let (mut distance, mut at) = (1, 0);
        while distance < L::WIDTH {
            for group in 0..L::WIDTH / (2 * distance) {
                let w = lanes.load_factors(&values[at..], &quotients[at..]);
                at += L::WIDTH;
                for j in 2 * distance * group..2 * distance * group + distance {
                    (x[j], x[j + distance]) = lanes.inverse(x[j], x[j + distance], w, q);
                }
            }
            distance *= 2;
        }
        let rows = lanes.transpose(columns);
        for (row, words) in rows.as_ref().iter().zip(square.chunks_exact_mut(L::WIDTH)) {
            lanes.spill(*row, words);
        }
    }
}

#[inline(always)]
fn inverse_four<L: Lanes>(
    lanes: L,
    block: &mut [u64],
    twiddles: &Twiddles,
    node: usize,
    q: L::Modulus,
) {
    let w1 = twiddles.factor(lanes, node);
    let w2 = twiddles.factor(lanes, 2 * node);
    let w3 = twiddles.factor(lanes, 2 * node + 1);
    let [s0, s1, s2, s3] = quarters(block);
    for (((x0, x1), x2), x3) in s0
        .chunks_exact_mut(L::WIDTH)
        .zip(s1.chunks_exact_mut(L::WIDTH))
        .zip(s2.chunks_exact_mut(L::WIDTH))
        .zip(s3.chunks_exact_mut(L::WIDTH))
    {
        let (a0, a1) = lanes.inverse(lanes.unspill(x0), lanes.unspill(x1), w2, q);
        let (a2, a3) = lanes.inverse(lanes.unspill(x2), lanes.unspill(x3), w3, q);
        let (b0, b2) = lanes.inverse(a0, a2, w1, q);
        let (b1, b3) = lanes.inverse(a1, a3, w1, q);
        lanes.spill(b0, x0);
        lanes.spill(b1, x1);
        lanes.spill(b2, x2);
        lanes.spill(b3, x3);
    }
}

#[inline(always)]
fn inverse_four_last<L: Lanes>(
    lanes: L,
    block: &mut [u64],
    twiddles: &Twiddles,
    scale: L::Factor,
    last: L::Factor,
    q: L::Modulus,
) {
    let w2 = twiddles.factor(lanes, 2);
    let w3 = twiddles.factor(lanes, 3);
    let [s0, s1, s2, s3] = quarters(block);
    for (((x0, x1), x2), x3) in s0
        .chunks_exact_mut(L::WIDTH)
        .zip(s1.chunks_exact_mut(L::WIDTH))
        .zip(s2.chunks_exact_mut(L::WIDTH))
        .zip(s3.chunks_exact_mut(L::WIDTH))
    {
        let (a0, a1) = lanes.inverse(lanes.unspill(x0), lanes.unspill(x1), w2, q);
        let (a2, a3) = lanes.inverse(lanes.unspill(x2), lanes.unspill(x3), w3, q);
        let (b0, b2) = lanes.inverse_scaled(a0, a2, scale, last, q);
        let (b1, b3) = lanes.inverse_scaled(a1, a3, scale, last, q);
        lanes.store(lanes.canonical(b0, q), x0);
        lanes.store(lanes.canonical(b1, q), x1);
        lanes.store(lanes.canonical(b2, q), x2);
        lanes.store(lanes.canonical(b3, q), x3);
    }
}

#[inline(always)]
fn inverse_two_last<L: Lanes>(
    lanes: L,
    block: &mut [u64],
    scale: L::Factor,
    last: L::Factor,
    q: L::Modulus,
) {
    let (low, high) = block.split_at_mut(block.len() / 2);
    for (x, y) in low
        .chunks_exact_mut(L::WIDTH)
        .zip(high.chunks_exact_mut(L::WIDTH))
    {
        let (a, b) = lanes.inverse_scaled(lanes.unspill(x), lanes.unspill(y), scale, last, q);
        lanes.store(lanes.canonical(a, q), x);
        lanes.store(lanes.canonical(b, q), y);
    }
}

#[inline(always)]
fn read<L: Lanes, const FIRST: bool>(lanes: L, from: &[u64]) -> L::Vector {
    if FIRST {
        lanes.load(from)
    } else {
        lanes.unspill(from)
    }
}

#[inline(always)]
fn quarters(block: &mut [u64]) -> [&mut [u64]; 4] {
    let (low, high) = block.split_at_mut(block.len() / 2);
    let (s0, s1) = low.split_at_mut(low.len() / 2);
    let (s2, s3) = high.split_at_mut(high.len() / 2);
    [s0, s1, s2, s3]
}
