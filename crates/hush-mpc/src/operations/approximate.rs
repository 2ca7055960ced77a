//! Polynomials, exponentials and softmax.

use hush_simd::words::Word;

use super::arithmetic::check_product;
use super::order::max_along;
use crate::secret::integer_bits;
use crate::{Fixed, MpcError, Protocol, Secret, Share};

/// Bits behind the point of what is computed inside.
pub(super) const fn inner_bits<W: Word>() -> u32 {
    if W::BITS == 64 { 28 } else { 58 }
}

/// A polynomial with public coefficients, lowest first: powers by squaring, then one truncation of
/// the sum. Costs `2 ⌈log2 degree⌉ + 2` rounds. The powers must fit the ring: |x|^degree below
/// 2^(30 - fraction bits) or so, else it is refused.
pub fn polynomial<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
    coefficients: &[f64],
) -> Result<Secret<W>, MpcError> {
    let degree = coefficients.len().saturating_sub(1);
    let powers = powers(protocol, x, degree)?;
    combine(&*protocol, &powers, coefficients).and_then(|(sum, bits)| {
        let share = protocol.truncate(sum.share(), bits)?;
        Ok(sum.with_share(
            Fixed {
                fraction_bits: x.fixed().fraction_bits,
                ..sum.fixed()
            },
            share,
        ))
    })
}

/// x, x², … up to `degree`.
fn powers<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
    degree: usize,
) -> Result<Vec<Secret<W>>, MpcError> {
    let mut powers = vec![x.clone()];
    while powers.len() < degree {
        // All products by the highest power so far, at once.
        let highest = powers.last().expect("x itself is there").clone();
        let more = powers.len().min(degree - powers.len());
        let to: Vec<Fixed> = powers[..more]
            .iter()
            .map(|power| {
                Fixed::new(
                    power.fixed().integer_bits + highest.fixed().integer_bits,
                    x.fixed().fraction_bits,
                )
            })
            .collect();
        for &to in &to {
            check_product::<W>("power", highest.fixed(), highest.fixed(), to)?;
        }
        let left: Vec<&Share<W>> = powers[..more].iter().map(Secret::share).collect();
        let right: Vec<&Share<W>> = (0..more).map(|_| highest.share()).collect();
        let bits = x.fixed().fraction_bits;
        let (left, right) = (Share::concatenate(&left), Share::concatenate(&right));
        let products = if bits == 0 {
            protocol.multiply(&left, &right)?
        } else {
            protocol.multiply_truncate(&left, &right, bits)?
        };
        let count = x.len();
        for (index, to) in to.into_iter().enumerate() {
            powers.push(x.with_share(to, products.slice(index * count..(index + 1) * count)));
        }
    }
    Ok(powers)
}

/// Σ coefficients · powers, with more bits behind the point, and how many more.
fn combine<W: Word>(
    protocol: &dyn Protocol<W>,
    powers: &[Secret<W>],
    coefficients: &[f64],
) -> Result<(Secret<W>, u32), MpcError> {
    let x = &powers[0];
    let fraction_bits = x.fixed().fraction_bits;
    let magnitude = |power: usize| {
        let bound = libm::exp2(f64::from(x.fixed().integer_bits) * power as f64);
        coefficients[power].abs() * bound
    };
    let bound = (0..coefficients.len()).map(magnitude).sum::<f64>();
    let whole = integer_bits(bound).max(1);
    // As many bits as fit, at most as many as can be cut off at once.
    let available = (W::BITS - 2).saturating_sub(whole + fraction_bits);
    let bits = available.min(24).min(W::BITS / 2 - 1);
    Fixed::new(whole, fraction_bits + bits.max(8)).check_truncation::<W>("polynomial")?;
    let word = |value: f64, bits: u32| {
        W::from_signed(libm::round(libm::ldexp(value, bits as i32)) as i128)
    };
    let constant = coefficients.first().copied().unwrap_or(0.0);
    let mut sum = Share::zeros(x.len(), protocol.share_parts()).add_public(
        protocol.constant_part(),
        &[word(constant, fraction_bits + bits)],
    );
    for (power, &coefficient) in powers.iter().zip(coefficients.iter().skip(1)) {
        sum.add_assign(&power.share().clone().scale(word(coefficient, bits)));
    }
    Ok((
        x.with_share(Fixed::new(whole, fraction_bits + bits), sum),
        bits,
    ))
}

/// `e^x` for `x` of at most `most`, which bounds the result; larger arguments are cut to it.
///
/// With z = (most - x) · log2(e) the result is e^most · 2^-z: bits of the whole part of z choose factors,
/// and a polynomial of degree five makes up for the rest. The error is two units, 2^-25 of
/// e^most, and 2^-22 of the result where the range of `x` leaves room.
pub fn exp<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
    most: f64,
) -> Result<Secret<W>, MpcError> {
    let fixed = x.fixed();
    let x = if libm::exp2(f64::from(fixed.integer_bits)) > most && most > 0.0 {
        super::clip(protocol, x, None, Some(most))?
    } else {
        x.clone()
    };
    exp_bounded(protocol, &x, most)
}

/// [`exp`] where nothing is larger than `most`.
pub(crate) fn exp_bounded<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
    most: f64,
) -> Result<Secret<W>, MpcError> {
    const WHOLE: usize = 5;
    let (count, fixed, inner) = (x.len(), x.fixed(), inner_bits::<W>());
    let below = x.negate().add_public(&*protocol, &[most])?;
    // Finer than x, as far as there is room, since a unit of z is one of the result's logarithm.
    let room = (W::BITS - 2).saturating_sub(below.fixed().width() + 20);
    let finer = room.min(8).min(inner.saturating_sub(fixed.fraction_bits));
    let below = super::rescale(protocol, &below, fixed.fraction_bits + finer)?;
    let z = super::multiply_public(protocol, &below, &[std::f64::consts::LOG2_E])?;
    // Rounding may have brought it below zero by a unit.
    let z = z.add_public(&*protocol, &[z.fixed().unit()])?;
    let width = z.fixed().width();
    let low = z.fixed().fraction_bits as usize;
    let bits = protocol.decompose(z.share(), width)?;
    let top: Vec<Option<usize>> = (low + WHOLE..width as usize).map(Some).collect();
    let kept = none_set(protocol, bits.select_planes(&top))?;
    let whole: Vec<Option<usize>> = (low..low + WHOLE)
        .map(|plane| (plane < width as usize).then_some(plane))
        .collect();
    let words = protocol.bits_to_words(&bits.select_planes(&whole))?;
    let word_of = |bit: usize| words.slice(bit * count..(bit + 1) * count);
    let mut rest = z.share().clone();
    for bit in 0..WHOLE {
        rest.sub_assign(&word_of(bit).scale(W::ONE.left((low + bit) as u32)));
    }
    // 2^-(t + 1/2) · e^most for t in ±1/2.
    let scale = libm::exp(most);
    let result_bits = integer_bits(scale);
    let t = x
        .with_share(Fixed::new(0, low as u32), rest)
        .add_public(&*protocol, &[-0.5])?
        .declare(0);
    let t = t.with_share(
        Fixed::new(0, inner),
        t.share().clone().scale(W::ONE.left(inner - low as u32)),
    );
    let coefficients = chebyshev(|t| libm::exp2(-(t + 0.5)), 0.5, 5);
    let head = polynomial(protocol, &t, &coefficients)?;
    // Factors 1 - bit · (1 - 2^-2^i).
    let factor = |bit: usize| {
        let word =
            |value: f64| W::from_signed(libm::round(libm::ldexp(value, inner as i32)) as i128);
        let change = word(libm::exp2(-f64::from(1u32 << bit)) - 1.0);
        word_of(bit)
            .scale(change)
            .add_public(protocol.constant_part(), &[word(1.0)])
    };
    let factors: Vec<Share<W>> = (0..WHOLE).map(factor).collect();
    let products = protocol.multiply_truncate(
        &Share::concatenate(&[&factors[0], &factors[2], &factors[4]]),
        &Share::concatenate(&[&factors[1], &factors[3], head.share()]),
        inner,
    )?;
    let product = |index: usize| products.slice(index * count..(index + 1) * count);
    let low_bits = protocol.multiply_truncate(&product(0), &product(1), inner)?;
    let (mut last, mut last_bits) = (product(2), inner);
    if most != 0.0 {
        // e^most comes in where it costs no precision: what is behind the point becomes less.
        let scale_bits = W::BITS / 2 - 2 - result_bits;
        let scale_word = W::from_signed(libm::round(libm::ldexp(scale, scale_bits as i32)) as i128);
        last_bits = inner - result_bits;
        last = protocol.truncate(&last.scale(scale_word), scale_bits + result_bits)?;
    }
    let share = scaled(
        protocol,
        &low_bits,
        inner,
        &last,
        last_bits,
        fixed.fraction_bits,
    )?;
    let share = protocol.inject(&kept, &share)?;
    Ok(x.with_share(
        Fixed {
            integer_bits: result_bits.max(1),
            ..fixed
        },
        share,
    ))
}

/// A product of words with `left_bits` and `right_bits` behind the point, cut to `bits`.
pub(super) fn scaled<W: Word>(
    protocol: &mut dyn Protocol<W>,
    left: &Share<W>,
    left_bits: u32,
    right: &Share<W>,
    right_bits: u32,
    bits: u32,
) -> Result<Share<W>, MpcError> {
    let limit = W::BITS / 2 - 1;
    let cut = (left_bits + right_bits).saturating_sub(bits);
    let share = if cut > limit {
        let coarse = protocol.truncate(left, cut - limit)?;
        protocol.multiply_truncate(&coarse, right, limit)?
    } else if cut == 0 {
        protocol.multiply(left, right)?
    } else {
        protocol.multiply_truncate(left, right, cut)?
    };
    Ok(share.scale(W::ONE.left(bits.saturating_sub(left_bits + right_bits))))
}

/// One plane: whether no plane has a one.
fn none_set<W: Word>(
    protocol: &mut dyn Protocol<W>,
    planes: crate::Bits,
) -> Result<crate::Bits, MpcError> {
    let mut planes = planes.not(protocol.constant_part());
    if planes.planes() == 0 {
        let parts = vec![vec![0; crate::share::bit_words(planes.len(), 1)]; protocol.share_parts()];
        return Ok(crate::Bits::new(planes.len(), 1, parts).not(protocol.constant_part()));
    }
    while planes.planes() > 1 {
        let (count, half) = (planes.planes(), planes.planes() / 2);
        let of = |range: std::ops::Range<usize>| {
            planes.select_planes(&range.map(Some).collect::<Vec<_>>())
        };
        let both = protocol.and(&of(0..half), &of(half..2 * half))?;
        planes = if count % 2 == 1 {
            crate::Bits::stack(&[&both, &of(count - 1..count)])
        } else {
            both
        };
    }
    Ok(planes)
}

/// The polynomial through the Chebyshev nodes of ±`half`, by powers.
pub(super) fn chebyshev(function: impl Fn(f64) -> f64, half: f64, degree: usize) -> Vec<f64> {
    let count = degree + 1;
    let angle = |node: usize| std::f64::consts::PI * (2 * node + 1) as f64 / (2 * count) as f64;
    let nodes: Vec<f64> = (0..count)
        .map(|node| half * libm::cos(angle(node)))
        .collect();
    let mut differences: Vec<f64> = nodes.iter().map(|&node| function(node)).collect();
    for order in 1..count {
        for node in (order..count).rev() {
            differences[node] =
                (differences[node] - differences[node - 1]) / (nodes[node] - nodes[node - order]);
        }
    }
    let mut coefficients = vec![0.0; count];
    for node in (0..count).rev() {
        for power in (0..count).rev() {
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

/// `exp(x_i) / Σ exp(x_j)` along `axis`. The error is a few units.
pub fn softmax<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
    axis: usize,
) -> Result<Secret<W>, MpcError> {
    let [exponentials, sum, _] = shifted_exponentials(protocol, x, axis)?;
    let inverse = super::normal::reciprocal_of_sum(protocol, &sum)?;
    let inverse = inverse.broadcast_to(x.shape())?;
    let to = Fixed {
        integer_bits: 1,
        ..x.fixed()
    };
    super::multiply_to(protocol, &exponentials, &inverse, to)
}

/// The logarithm of [`softmax`].
pub fn log_softmax<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
    axis: usize,
) -> Result<Secret<W>, MpcError> {
    let [_, sum, shifted] = shifted_exponentials(protocol, x, axis)?;
    let logarithm = super::logarithm(protocol, &sum)?.broadcast_to(x.shape())?;
    shifted.sub(&logarithm)
}

/// exp(x - max), their sum with the axis kept, and x - max.
fn shifted_exponentials<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
    axis: usize,
) -> Result<[Secret<W>; 3], MpcError> {
    let mut kept = x.shape().to_vec();
    let largest = max_along(protocol, x, axis)?;
    kept[axis] = 1;
    let largest = largest.reshape(kept.clone())?.broadcast_to(x.shape())?;
    let shifted = x.sub(&largest)?;
    let exponentials = exp_bounded(protocol, &shifted, 0.0)?;
    let sum = exponentials.sum(axis)?.reshape(kept)?;
    Ok([exponentials, sum, shifted])
}
