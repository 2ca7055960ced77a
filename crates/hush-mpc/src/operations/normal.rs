//! Functions of positive numbers, by way of the number's leading bit.
//!
//! x = v · 2^e with v in [1/2, 1): the bits of x tell which power of two makes it so, without telling
//! anybody. The function of v is a polynomial or an iteration, that of 2^e a table. Zero and
//! negative arguments give zero.

use hush_simd::words::Word;

use super::approximate::{chebyshev, inner_bits, polynomial, scaled};
use crate::{Bits, Fixed, MpcError, Protocol, Secret, Share};

/// A positive number taken apart.
struct Normal<W> {
    /// In [1/2, 1), with [`inner_bits`] behind the point.
    mantissa: Secret<W>,
    /// For each bit of the number whether it is the leading one, as words.
    leading: Share<W>,
    /// How many bits that are.
    width: usize,
}

impl<W: Word> Normal<W> {
    /// What a public table says for the place of the leading bit, as words.
    fn look_up(&self, entry: impl Fn(usize) -> W) -> Share<W> {
        let count = self.mantissa.len();
        let mut sum = Share::zeros(count, self.leading.parts().len());
        for place in 0..self.width {
            sum.add_assign(
                &self
                    .leading
                    .slice(place * count..(place + 1) * count)
                    .scale(entry(place)),
            );
        }
        sum
    }
}

fn normalize<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
) -> Result<Normal<W>, MpcError> {
    let fixed = x.fixed();
    let width = (fixed.width() - 1) as usize;
    let bits = protocol.decompose(x.share(), fixed.width())?;
    // Clear from a bit on and not from the one below: the lower one leads. Below a set sign nothing
    // is clear, so no bit of a negative number leads.
    let clear = clear_above(protocol, &bits)?;
    let upper: Vec<Option<usize>> = (1..=width).map(Some).collect();
    let lower: Vec<Option<usize>> = (0..width).map(Some).collect();
    let leading = clear
        .select_planes(&upper)
        .xor(&clear.select_planes(&lower));
    let leading = protocol.bits_to_words(&leading)?;
    let mut normal = Normal {
        mantissa: x.clone(),
        leading,
        width,
    };
    let shift = normal.look_up(|place| W::ONE.left((width - 1 - place) as u32));
    let mantissa = protocol.multiply(x.share(), &shift)?;
    let inner = inner_bits::<W>();
    let mantissa = Secret::new(x.shape().to_vec(), Fixed::new(0, width as u32), mantissa)?;
    normal.mantissa = super::rescale(protocol, &mantissa, inner)?;
    Ok(normal)
}

/// One plane for each plane: whether it and all above it are zero.
fn clear_above<W: Word>(protocol: &mut dyn Protocol<W>, bits: &Bits) -> Result<Bits, MpcError> {
    let mut clear = bits.clone().not(protocol.constant_part());
    let count = clear.planes();
    let mut distance = 1;
    while distance < count {
        let planes = |range: std::ops::Range<usize>| range.map(Some).collect::<Vec<_>>();
        let lower = clear.select_planes(&planes(0..count - distance));
        let upper = clear.select_planes(&planes(distance..count));
        let both = protocol.and(&lower, &upper)?;
        let rest = clear.select_planes(&planes(count - distance..count));
        clear = Bits::stack(&[&both, &rest]);
        distance *= 2;
    }
    Ok(clear)
}

fn word<W: Word>(value: f64, fraction_bits: u32) -> W {
    W::from_signed(libm::round(libm::ldexp(value, fraction_bits as i32)) as i128)
}

/// 1 / v for v in [1/2, 1): a line, then three steps of Goldschmidt's iteration.
fn inverse_mantissa<W: Word>(
    protocol: &mut dyn Protocol<W>,
    v: &Secret<W>,
) -> Result<Secret<W>, MpcError> {
    let (inner, count) = (v.fixed().fraction_bits, v.len());
    // 48/17 - 32/17 v is off by at most 1/17 of the result.
    let line = v.share().clone().scale(word(-32.0 / 17.0, 20));
    let line = line.add_public(protocol.constant_part(), &[word(48.0 / 17.0, 20 + inner)]);
    let mut result = protocol.truncate(&line, 20)?;
    let one: W = word(1.0, inner);
    let constant = protocol.constant_part();
    let product = protocol.multiply_truncate(v.share(), &result, inner)?;
    let mut error = product
        .scale(W::ZERO.minus(W::ONE))
        .add_public(constant, &[one]);
    for step in 0..3 {
        let next = error.clone().add_public(constant, &[one]);
        if step == 2 {
            result = protocol.multiply_truncate(&result, &next, inner)?;
            break;
        }
        let both = protocol.multiply_truncate(
            &Share::concatenate(&[&result, &error]),
            &Share::concatenate(&[&next, &error]),
            inner,
        )?;
        (result, error) = (both.slice(0..count), both.slice(count..2 * count));
    }
    Ok(v.with_share(Fixed::new(2, inner), result))
}

fn reciprocal_to<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
    to: Fixed,
) -> Result<Secret<W>, MpcError> {
    let normal = normalize(protocol, x)?;
    let inverse = inverse_mantissa(protocol, &normal.mantissa)?;
    let fraction_bits = x.fixed().fraction_bits as i32;
    // 1/x = (1/v) · 2^(f - 1 - place).
    let top = normal.width as i32 - 1;
    let factor = normal.look_up(|place| W::ONE.left(top as u32 - place as u32));
    let share = scaled(
        protocol,
        inverse.share(),
        inverse.fixed().fraction_bits,
        &factor,
        (top + 1 - fraction_bits) as u32,
        to.fraction_bits,
    )?;
    Ok(x.with_share(to, share))
}

/// `1 / x` of positive numbers; zero of others. The error is two units, and 2^-25 of the result.
pub fn reciprocal<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
) -> Result<Secret<W>, MpcError> {
    let fixed = x.fixed();
    let to = Fixed::new(fixed.fraction_bits + 1, fixed.fraction_bits).check::<W>("reciprocal")?;
    reciprocal_to(protocol, x, to)
}

/// `1 / x` of numbers that are at least one, with more bits behind the point.
pub(super) fn reciprocal_of_sum<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
) -> Result<Secret<W>, MpcError> {
    reciprocal_to(protocol, x, Fixed::new(1, x.fixed().fraction_bits + 8))
}

/// `left / right` for positive `right`. The error is two units for each unit of `left`.
pub fn divide<W: Word>(
    protocol: &mut dyn Protocol<W>,
    left: &Secret<W>,
    right: &Secret<W>,
    to: Fixed,
) -> Result<Secret<W>, MpcError> {
    let inverse = reciprocal(protocol, right)?;
    super::multiply_to(protocol, left, &inverse, to)
}

/// The natural logarithm of positive numbers; zero of others. The error is two units.
pub fn logarithm<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
) -> Result<Secret<W>, MpcError> {
    let normal = normalize(protocol, x)?;
    let fixed = x.fixed();
    // ln v around 3/4, with t = v - 3/4.
    let t = normal.mantissa.add_public(&*protocol, &[-0.75])?.declare(0);
    let coefficients = chebyshev(|t| libm::log(t + 0.75), 0.25, 8);
    let logarithm = polynomial_of_small(protocol, &t, &coefficients, fixed.fraction_bits)?;
    let of_power = |place: usize| {
        (place as f64 + 1.0 - f64::from(fixed.fraction_bits)) * std::f64::consts::LN_2
    };
    let table = normal.look_up(|place| word(of_power(place), fixed.fraction_bits));
    // Where no bit leads the mantissa is zero, and so must be its logarithm.
    let any = normal.look_up(|_| W::ONE);
    let kept = protocol.multiply(logarithm.share(), &any)?;
    Ok(x.with_share(
        Fixed {
            integer_bits: 6,
            ..fixed
        },
        kept.add(&table),
    ))
}

/// A polynomial of |t| up to 1/4, through t · 4 so that powers keep their bits.
fn polynomial_of_small<W: Word>(
    protocol: &mut dyn Protocol<W>,
    t: &Secret<W>,
    coefficients: &[f64],
    fraction_bits: u32,
) -> Result<Secret<W>, MpcError> {
    let quadrupled = t.with_share(
        Fixed::new(0, t.fixed().fraction_bits),
        t.share().clone().scale(W::from_u64(4)),
    );
    let scaled = coefficients.iter().enumerate();
    let scaled: Vec<f64> = scaled
        .map(|(power, c)| c / libm::exp2(2.0 * power as f64))
        .collect();
    let sum = polynomial(protocol, &quadrupled, &scaled)?;
    super::rescale(protocol, &sum, fraction_bits)
}

/// 1 / √v for v in [1/2, 1): a cubic, then two of Newton's steps.
fn inverse_root_mantissa<W: Word>(
    protocol: &mut dyn Protocol<W>,
    v: &Secret<W>,
) -> Result<Secret<W>, MpcError> {
    let inner = v.fixed().fraction_bits;
    let t = v.add_public(&*protocol, &[-0.75])?.declare(0);
    let coefficients = chebyshev(|t| 1.0 / libm::sqrt(t + 0.75), 0.25, 3);
    let mut result = polynomial_of_small(protocol, &t, &coefficients, inner)?
        .share()
        .clone();
    let constant = protocol.constant_part();
    for _ in 0..2 {
        // y (3 - v y²) / 2.
        let halved = protocol.multiply_truncate(v.share(), &result, inner)?;
        let product = protocol.multiply_truncate(&halved, &result, inner)?;
        let rest = product
            .scale(W::ZERO.minus(W::ONE))
            .add_public(constant, &[word(3.0, inner)]);
        result = protocol.multiply_truncate(&result, &rest, inner + 1)?;
    }
    Ok(v.with_share(Fixed::new(1, inner), result))
}

/// `1 / √x` of positive numbers; zero of others. The error is two units and 2^-18 of the result.
pub fn inverse_square_root<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
) -> Result<Secret<W>, MpcError> {
    let normal = normalize(protocol, x)?;
    let root = inverse_root_mantissa(protocol, &normal.mantissa)?;
    let fixed = x.fixed();
    let of_power =
        |place: usize| libm::exp2((f64::from(fixed.fraction_bits) - 1.0 - place as f64) / 2.0);
    let factor_bits = inner_bits::<W>() - 8;
    let factor = normal.look_up(|place| word(of_power(place), factor_bits));
    let to = Fixed::new(fixed.fraction_bits / 2 + 1, fixed.fraction_bits);
    let share = scaled(
        protocol,
        root.share(),
        root.fixed().fraction_bits,
        &factor,
        factor_bits,
        to.fraction_bits,
    )?;
    Ok(x.with_share(to, share))
}

/// `√x` of positive numbers; zero of others. The error is two units and 2^-18 of the result.
pub fn square_root<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
) -> Result<Secret<W>, MpcError> {
    let normal = normalize(protocol, x)?;
    let inverse = inverse_root_mantissa(protocol, &normal.mantissa)?;
    let inner = inverse.fixed().fraction_bits;
    let root = super::multiply_to(protocol, &normal.mantissa, &inverse, Fixed::new(1, inner))?;
    let fixed = x.fixed();
    let of_power =
        |place: usize| libm::exp2((place as f64 + 1.0 - f64::from(fixed.fraction_bits)) / 2.0);
    let factor_bits = inner_bits::<W>() - 8;
    let factor = normal.look_up(|place| word(of_power(place), factor_bits));
    let to = Fixed::new(fixed.integer_bits / 2 + 1, fixed.fraction_bits);
    let share = scaled(
        protocol,
        root.share(),
        root.fixed().fraction_bits,
        &factor,
        factor_bits,
        to.fraction_bits,
    )?;
    Ok(x.with_share(to, share))
}
