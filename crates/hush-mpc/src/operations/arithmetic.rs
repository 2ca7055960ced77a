//! Products and changes of precision.

use hush_simd::words::Word;

use crate::secret::integer_bits;
use crate::{Fixed, MpcError, Protocol, Secret};

/// Bits behind the point of public factors, where there is room, and the fewest.
const FACTOR_BITS: u32 = 24;
const LEAST_FACTOR_BITS: u32 = 8;

/// The fixed-point type of a product that keeps the left fraction.
pub(crate) fn product_type(left: Fixed, right: Fixed) -> Fixed {
    Fixed::new(left.integer_bits + right.integer_bits, left.fraction_bits)
}

/// Refuses products that do not fit before they are truncated; gives the bits to cut off.
pub(crate) fn check_product<W: Word>(
    operation: &'static str,
    left: Fixed,
    right: Fixed,
    to: Fixed,
) -> Result<u32, MpcError> {
    let fraction_bits = left.fraction_bits + right.fraction_bits;
    let full = Fixed::new(to.integer_bits, fraction_bits);
    if fraction_bits == to.fraction_bits {
        full.check::<W>(operation)?;
    } else {
        full.check_truncation::<W>(operation)?;
    }
    fraction_bits
        .checked_sub(to.fraction_bits)
        .ok_or(MpcError::Fractions {
            operation,
            left: fraction_bits,
            right: to.fraction_bits,
        })
}

/// Both with the shape that NumPy gives to an element-wise result.
pub(crate) fn broadcast<W: Word>(
    operation: &'static str,
    left: &Secret<W>,
    right: &Secret<W>,
) -> Result<(Secret<W>, Secret<W>), MpcError> {
    let shape = hush_graph::broadcast_shape(left.shape(), right.shape()).ok_or_else(|| {
        MpcError::Shapes {
            operation,
            left: left.shape().to_vec(),
            right: right.shape().to_vec(),
        }
    })?;
    Ok((left.broadcast_to(&shape)?, right.broadcast_to(&shape)?))
}

/// Products, element by element, of shapes that broadcast. The result has as many bits behind the
/// point as `left`, and is off by less than one unit. Costs [`Protocol::multiply_truncate`].
pub fn multiply<W: Word>(
    protocol: &mut dyn Protocol<W>,
    left: &Secret<W>,
    right: &Secret<W>,
) -> Result<Secret<W>, MpcError> {
    multiply_to(
        protocol,
        left,
        right,
        product_type(left.fixed(), right.fixed()),
    )
}

/// [`multiply`] with a result of the given type, which must hold it.
pub fn multiply_to<W: Word>(
    protocol: &mut dyn Protocol<W>,
    left: &Secret<W>,
    right: &Secret<W>,
    to: Fixed,
) -> Result<Secret<W>, MpcError> {
    let bits = check_product::<W>("product", left.fixed(), right.fixed(), to)?;
    let (left, right) = broadcast("product", left, right)?;
    let share = if bits == 0 {
        protocol.multiply(left.share(), right.share())?
    } else {
        protocol.multiply_truncate(left.share(), right.share(), bits)?
    };
    Ok(left.with_share(to, share))
}

/// The square of each element.
pub fn square<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
) -> Result<Secret<W>, MpcError> {
    multiply(protocol, x, x)
}

/// Products by public numbers, which repeat along the leading dimensions if there are fewer. Whole
/// numbers cost nothing; others have as many bits as the range of `x` leaves room for, at most 24
/// that count, and cost [`Protocol::truncate`].
pub fn multiply_public<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
    factors: &[f64],
) -> Result<Secret<W>, MpcError> {
    if factors.is_empty() || !x.len().is_multiple_of(factors.len()) {
        let (left, right) = (x.shape().to_vec(), vec![factors.len()]);
        return Err(MpcError::Shapes {
            operation: "product",
            left,
            right,
        });
    }
    let most = factors
        .iter()
        .fold(0.0, |most: f64, factor| most.max(factor.abs()));
    let whole = factors.iter().all(|factor| libm::floor(*factor) == *factor);
    // A magnitude below 2^-n makes the product narrower.
    let narrower = if most > 0.0 {
        (-libm::log2(most)).max(0.0) as u32
    } else {
        0
    };
    let whole_bits = (x.fixed().integer_bits + integer_bits(most)).saturating_sub(narrower);
    let available = (W::BITS - 2).saturating_sub(whole_bits + x.fixed().fraction_bits);
    let fraction_bits = if whole {
        0
    } else {
        available.min(FACTOR_BITS + narrower).min(W::BITS / 2 - 1)
    };
    if !whole && fraction_bits < LEAST_FACTOR_BITS {
        let Fixed {
            integer_bits,
            fraction_bits,
        } = x.fixed();
        return Err(MpcError::Range {
            operation: "product",
            integer_bits,
            fraction_bits,
            available: W::BITS - 2 - LEAST_FACTOR_BITS,
        });
    }
    let factor = Fixed::new(integer_bits(most), fraction_bits);
    let to = Fixed::new(whole_bits, x.fixed().fraction_bits);
    let bits = check_product::<W>("product", x.fixed(), factor, to)?;
    let words = factor.encode_all::<W>(factors)?;
    let share = x.share().clone().scale_each(&words);
    Ok(x.with_share(to, protocol.truncate(&share, bits)?))
}

/// Quotients by a public number. Powers of two cost [`Protocol::truncate`], others too.
pub fn divide_public<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
    divisor: f64,
) -> Result<Secret<W>, MpcError> {
    multiply_public(protocol, x, &[divisor.recip()])
}

/// The same numbers with another number of bits behind the point. More of them cost nothing, fewer
/// [`Protocol::truncate`].
pub fn rescale<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
    fraction_bits: u32,
) -> Result<Secret<W>, MpcError> {
    let from = x.fixed();
    let to = Fixed {
        fraction_bits,
        ..from
    };
    if fraction_bits >= from.fraction_bits {
        to.check::<W>("rescale")?;
        let factor = W::ONE.left(fraction_bits - from.fraction_bits);
        return Ok(x.with_share(to, x.share().clone().scale(factor)));
    }
    from.check_truncation::<W>("rescale")?;
    let share = protocol.truncate(x.share(), from.fraction_bits - fraction_bits)?;
    Ok(x.with_share(to, share))
}
