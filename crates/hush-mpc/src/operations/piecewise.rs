//! Scalar functions by polynomials in pieces.

use hush_simd::words::Word;

use super::arithmetic::check_product;
use crate::secret::integer_bits;
use crate::{BilinearMap, Fixed, MpcError, Protocol, Secret, Share};

/// Bits behind the point of coefficients and powers.
const fn inner_bits<W: Word>() -> u32 {
    // Two of them less 16 or 32 can be cut off at once.
    if W::BITS == 64 { 23 } else { 47 }
}

/// A cubic around the middle of an interval.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Piece {
    /// Where the interval begins.
    pub from: f64,
    /// What the polynomial is expanded around.
    pub center: f64,
    /// `value = Σ coefficients[i] · (x - center)^i`.
    pub coefficients: [f64; 4],
}

/// A function that is a cubic on each of several intervals and linear outside of them.
#[derive(Debug, Clone, PartialEq)]
pub struct Piecewise {
    /// Neighbouring intervals, from left to right; at least one.
    pub pieces: Vec<Piece>,
    /// Where the last interval ends.
    pub end: f64,
    /// Value at zero and slope of the line to the left; the slope is 0, 1 or -1.
    pub left: (f64, f64),
    /// The same to the right.
    pub right: (f64, f64),
}

impl Piecewise {
    /// Fits `function` between `low` and `high` with as few equal pieces as give an error of at
    /// most `error` there, at most 64. Outside it is the two lines.
    pub fn fit(
        function: impl Fn(f64) -> f64,
        (low, high): (f64, f64),
        left: (f64, f64),
        right: (f64, f64),
        error: f64,
    ) -> Self {
        let with = |count: usize| {
            let width = (high - low) / count as f64;
            let piece = |index: usize| {
                let from = low + width * index as f64;
                // On the grid of the coarsest fixed point in use, so that it is exact.
                let center = libm::round((from + width / 2.0) * 4096.0) / 4096.0;
                let coefficients = cubic(
                    |t| function(center + t),
                    from - center,
                    from + width - center,
                );
                Piece {
                    from,
                    center,
                    coefficients,
                }
            };
            Self {
                pieces: (0..count).map(piece).collect(),
                end: high,
                left,
                right,
            }
        };
        let mut count = 1;
        loop {
            let fitted = with(count);
            if count >= 64 || fitted.error(&function) <= error {
                return fitted;
            }
            count += 1;
        }
    }

    /// The largest error against `function` within the intervals, by sampling.
    pub fn error(&self, function: impl Fn(f64) -> f64) -> f64 {
        let (low, high) = (self.pieces[0].from, self.end);
        let samples = 64 * self.pieces.len();
        let at = |sample: usize| low + (high - low) * sample as f64 / samples as f64;
        (0..samples)
            .map(|sample| (self.evaluate(at(sample)) - function(at(sample))).abs())
            .fold(0.0, f64::max)
    }

    /// The value at `x`, in floating point.
    pub fn evaluate(&self, x: f64) -> f64 {
        if x < self.pieces[0].from {
            return self.left.0 + self.left.1 * x;
        }
        if x >= self.end {
            return self.right.0 + self.right.1 * x;
        }
        let piece = self
            .pieces
            .iter()
            .rev()
            .find(|piece| x >= piece.from)
            .unwrap_or(&self.pieces[0]);
        let t = x - piece.center;
        piece
            .coefficients
            .iter()
            .rev()
            .fold(0.0, |sum, coefficient| sum * t + coefficient)
    }
}

/// The cubic through four Chebyshev nodes, by powers of t.
fn cubic(function: impl Fn(f64) -> f64, low: f64, high: f64) -> [f64; 4] {
    let (middle, half) = ((low + high) / 2.0, (high - low) / 2.0);
    let angle = |node: usize| std::f64::consts::PI * (2 * node + 1) as f64 / 8.0;
    let nodes: [f64; 4] = std::array::from_fn(|node| middle + half * libm::cos(angle(node)));
    // Newton's divided differences, then expanded.
    let mut differences = nodes.map(function);
    for order in 1..4 {
        for node in (order..4).rev() {
            differences[node] =
                (differences[node] - differences[node - 1]) / (nodes[node] - nodes[node - order]);
        }
    }
    let mut coefficients = [0.0; 4];
    for node in (0..4).rev() {
        for power in (0..4).rev() {
            let lower = if power > 0 {
                coefficients[power - 1]
            } else {
                0.0
            };
            coefficients[power] = lower - coefficients[power] * nodes[node];
        }
        coefficients[0] += differences[node];
    }
    coefficients
}

/// The sum of two products, element by element of halves.
pub(crate) struct PairedProducts(pub(crate) usize);

impl<W: Word> BilinearMap<W> for PairedProducts {
    fn length(&self) -> usize {
        self.0
    }

    fn add_into(&self, left: &[W], right: &[W], result: &mut [W]) {
        let ((l0, l1), (r0, r1)) = (left.split_at(self.0), right.split_at(self.0));
        for (index, sum) in result.iter_mut().enumerate() {
            *sum = sum
                .plus(l0[index].times(r0[index]))
                .plus(l1[index].times(r1[index]));
        }
    }
}

/// The function on each element: all comparisons at once, then the pieces' coefficients by the bits,
/// then the cubic in two products. Costs a comparison, a bit as a word for each border, a selection and
/// three products an element; the error is that of the fit and at most one unit.
pub fn piecewise<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
    function: &Piecewise,
) -> Result<Secret<W>, MpcError> {
    let (count, fixed) = (x.len(), x.fixed());
    let inner = inner_bits::<W>();
    let borders: Vec<f64> = function
        .pieces
        .iter()
        .map(|piece| piece.from)
        .chain([function.end])
        .collect();
    // One row a border: x - border, negative to the left of it.
    let rows: Vec<Secret<W>> = borders
        .iter()
        .map(|&border| x.add_public(&*protocol, &[-border]))
        .collect::<Result<_, _>>()?;
    let rows: Vec<Secret<W>> = rows
        .into_iter()
        .map(|row| row.reshape(vec![count]))
        .collect::<Result<_, _>>()?;
    let all = Secret::concatenate(0, &rows.iter().collect::<Vec<_>>())?;
    let beyond = protocol
        .sign(all.share(), all.fixed().width())?
        .not(protocol.constant_part());
    // Words one where x is at or beyond the border.
    let steps = protocol.bits_to_words(&beyond)?;
    let step = |border: usize| steps.slice(border * count..(border + 1) * count);
    let (parts, constant) = (protocol.share_parts(), protocol.constant_part());
    let stepped = |values: &dyn Fn(usize) -> W, start: W| {
        // Starts at `start` left of all borders and changes to `values(border)` at each.
        let mut sum = Share::zeros(count, parts).add_public(constant, &[start]);
        let mut last = start;
        for border in 0..borders.len() {
            let value = values(border);
            sum.add_assign(&step(border).scale(value.minus(last)));
            last = value;
        }
        sum
    };
    // What is selected: t inside, and x on the sides with a slope.
    let word = |value: f64, fraction_bits: u32| {
        W::from_signed(libm::round(libm::ldexp(value, fraction_bits as i32)) as i128)
    };
    let last = borders.len() - 1;
    let center = stepped(
        &|border| {
            if border < last {
                word(function.pieces[border].center, fixed.fraction_bits)
            } else {
                W::ZERO
            }
        },
        W::ZERO,
    );
    let t = x.share().clone().sub(&center);
    let side = |border: usize| beyond.slice_rows(border, count);
    let (first_bit, last_bit) = (side(0), side(last));
    let mut bits = vec![first_bit.clone().xor(&last_bit)];
    let mut words = vec![t];
    if function.left.1 != 0.0 {
        bits.push(first_bit.not(protocol.constant_part()));
        words.push(x.share().clone().scale(word(function.left.1, 0)));
    }
    if function.right.1 != 0.0 {
        bits.push(last_bit);
        words.push(x.share().clone().scale(word(function.right.1, 0)));
    }
    let chosen = protocol.inject(
        &crate::Bits::concatenate(&bits.iter().collect::<Vec<_>>()),
        &Share::concatenate(&words.iter().collect::<Vec<_>>()),
    )?;
    let widest = borders
        .windows(2)
        .fold(0.0, |most: f64, pair| most.max(pair[1] - pair[0]));
    let t_type = Fixed::new(integer_bits(widest), inner);
    let t = chosen
        .slice(0..count)
        .scale(W::ONE.left(inner - fixed.fraction_bits.min(inner)));
    let coefficient = |power: usize, start: f64, end: f64| {
        let of = |border: usize| {
            if border < last {
                function.pieces[border].coefficients[power]
            } else {
                end
            }
        };
        stepped(&|border| word(of(border), inner), word(start, inner))
    };
    let most = function
        .pieces
        .iter()
        .flat_map(|piece| piece.coefficients)
        .fold(1.0, |most: f64, c| most.max(c.abs()));
    let c_type = Fixed::new(integer_bits(most), inner);
    // t² and c3·t at once, then c1·t + t²·(c2 + c3·t).
    check_product::<W>(
        "piecewise polynomial",
        t_type,
        c_type,
        Fixed::new(integer_bits(most) + 3 * integer_bits(widest) + 2, inner),
    )?;
    let products = protocol.multiply_truncate(
        &Share::concatenate(&[&t, &coefficient(3, 0.0, 0.0)]),
        &Share::concatenate(&[&t, &t]),
        inner,
    )?;
    let (square, cubic) = (products.slice(0..count), products.slice(count..2 * count));
    let upper = coefficient(2, 0.0, 0.0).add(&cubic);
    let sum = protocol.bilinear(
        &PairedProducts(count),
        &Share::concatenate(&[&coefficient(1, 0.0, 0.0), &upper]),
        &Share::concatenate(&[&t, &square]),
        2 * inner - fixed.fraction_bits,
    )?;
    let constant = {
        let of = |border: usize| {
            if border < last {
                function.pieces[border].coefficients[0]
            } else {
                function.right.0
            }
        };
        stepped(
            &|border| word(of(border), fixed.fraction_bits),
            word(function.left.0, fixed.fraction_bits),
        )
    };
    let mut share = sum.add(&constant);
    for part in 1..words.len() {
        share.add_assign(&chosen.slice(part * count..(part + 1) * count));
    }
    let ends = [function.left.0, function.right.0]
        .map(f64::abs)
        .into_iter()
        .fold(most * (1.0 + widest), f64::max);
    let sloped = function.left.1 != 0.0 || function.right.1 != 0.0;
    let integer_bits = if sloped {
        fixed.integer_bits.max(integer_bits(ends))
    } else {
        integer_bits(ends)
    };
    Ok(x.with_share(
        Fixed {
            integer_bits,
            ..fixed
        },
        share,
    ))
}

/// `min(max(x + 1/2, 0), 1)`: the sigmoid in three pieces, off by up to 0.38 (at ±1/2); for training.
pub fn sigmoid_three<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
) -> Result<Secret<W>, MpcError> {
    let shifted = x.add_public(&*protocol, &[0.5])?;
    super::clip(protocol, &shifted, Some(0.0), Some(1.0))
}

/// The sigmoid in five linear pieces, off by at most 0.03; for training.
pub fn sigmoid_five<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
) -> Result<Secret<W>, MpcError> {
    let fixed = x.fixed();
    let count = x.len();
    let corners = [-4.5, -1.75, 1.75, 4.5];
    let (inner, outer) = (0.5 - 0.135, 0.135);
    let slopes = [
        0.0,
        outer / (4.5 - 1.75),
        inner / 1.75,
        outer / (4.5 - 1.75),
        0.0,
    ];
    // y = Σ (slope change) · relu(x - corner).
    let rows: Vec<Secret<W>> = corners
        .iter()
        .map(|&corner| x.add_public(&*protocol, &[-corner]))
        .collect::<Result<_, _>>()?;
    let rows: Vec<Secret<W>> = rows
        .into_iter()
        .map(|row| row.reshape(vec![count]))
        .collect::<Result<_, _>>()?;
    let ramps = super::relu(
        protocol,
        &Secret::concatenate(0, &rows.iter().collect::<Vec<_>>())?,
    )?;
    let word = |value: f64| W::from_signed(libm::round(libm::ldexp(value, 16)) as i128);
    let changes: Vec<W> = (0..4)
        .map(|corner| word(slopes[corner + 1]).minus(word(slopes[corner])))
        .collect();
    let mut share = Share::zeros(count, protocol.share_parts());
    for (corner, &change) in changes.iter().enumerate() {
        share.add_assign(
            &ramps
                .share()
                .slice(corner * count..(corner + 1) * count)
                .scale(change),
        );
    }
    Fixed::new(1 + fixed.integer_bits, fixed.fraction_bits + 16)
        .check_truncation::<W>("sigmoid")?;
    let share = protocol.truncate(&share, 16)?;
    Ok(x.with_share(
        Fixed {
            integer_bits: 1,
            ..fixed
        },
        share,
    ))
}
