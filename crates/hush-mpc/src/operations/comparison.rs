//! Comparisons and what is made of them.

use hush_simd::words::Word;

use super::arithmetic::broadcast;
use crate::{Bits, Fixed, MpcError, Parties, Protocol, Secret};

/// One bit an element: whether it is below zero. Costs [`Protocol::sign`] on the bits of the range.
pub fn is_negative<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
) -> Result<Bits, MpcError> {
    protocol.sign(x.share(), x.fixed().width())
}

/// One bit an element: whether `left` is less than `right`.
pub fn less<W: Word>(
    protocol: &mut dyn Protocol<W>,
    left: &Secret<W>,
    right: &Secret<W>,
) -> Result<Bits, MpcError> {
    let (left, right) = broadcast("comparison", left, right)?;
    is_negative(protocol, &left.sub(&right)?)
}

/// One bit an element: whether both are equal.
pub fn equal<W: Word>(
    protocol: &mut dyn Protocol<W>,
    left: &Secret<W>,
    right: &Secret<W>,
) -> Result<Bits, MpcError> {
    let (left, right) = broadcast("comparison", left, right)?;
    let difference = left.sub(&right)?;
    protocol.is_zero(difference.share(), difference.fixed().width())
}

/// Elements of `yes` where the bit is one, of `no` where it is zero. Costs [`Protocol::inject`].
pub fn select<W: Word>(
    protocol: &mut dyn Protocol<W>,
    bit: &Bits,
    yes: &Secret<W>,
    no: &Secret<W>,
) -> Result<Secret<W>, MpcError> {
    let integer_bits = yes.fixed().integer_bits.max(no.fixed().integer_bits);
    let difference = yes.sub(no)?;
    let chosen = protocol.inject(bit, difference.share())?;
    let fixed = Fixed {
        integer_bits,
        ..no.fixed()
    };
    Ok(no.with_share(fixed, chosen.add(no.share())))
}

/// `x` where the bit is one, zero where it is not.
pub(crate) fn keep<W: Word>(
    protocol: &mut dyn Protocol<W>,
    bit: &Bits,
    x: &Secret<W>,
) -> Result<Secret<W>, MpcError> {
    let share = protocol.inject(bit, x.share())?;
    Ok(x.with_share(x.fixed(), share))
}

/// `max(x, 0)`. Costs a comparison and [`Protocol::inject`].
pub fn relu<W: Word>(protocol: &mut dyn Protocol<W>, x: &Secret<W>) -> Result<Secret<W>, MpcError> {
    let positive = is_negative(protocol, x)?.not(protocol.constant_part());
    keep(protocol, &positive, x)
}

/// `x` where it is not negative, `slope · x` elsewhere.
pub fn leaky_relu<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
    slope: f64,
) -> Result<Secret<W>, MpcError> {
    let positive = relu(protocol, x)?;
    let negative = x.sub(&positive)?.declare(x.fixed().integer_bits);
    let scaled = super::multiply_public(protocol, &negative, &[slope])?;
    let integer_bits = x.fixed().integer_bits.max(scaled.fixed().integer_bits);
    Ok(positive.add(&scaled)?.declare(integer_bits))
}

/// `|x|`.
pub fn absolute<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
) -> Result<Secret<W>, MpcError> {
    let positive = relu(protocol, x)?;
    // |x| = 2 max(x, 0) - x.
    let share = positive
        .share()
        .clone()
        .scale(W::from_u64(2))
        .sub(x.share());
    Ok(x.with_share(x.fixed(), share))
}

/// The larger of both, element by element.
pub fn maximum<W: Word>(
    protocol: &mut dyn Protocol<W>,
    left: &Secret<W>,
    right: &Secret<W>,
) -> Result<Secret<W>, MpcError> {
    let (left, right) = broadcast("maximum", left, right)?;
    let integer_bits = left.fixed().integer_bits.max(right.fixed().integer_bits);
    let above = relu(protocol, &left.sub(&right)?)?;
    Ok(above.add(&right)?.declare(integer_bits))
}

/// The smaller of both, element by element.
pub fn minimum<W: Word>(
    protocol: &mut dyn Protocol<W>,
    left: &Secret<W>,
    right: &Secret<W>,
) -> Result<Secret<W>, MpcError> {
    let (left, right) = broadcast("minimum", left, right)?;
    let integer_bits = left.fixed().integer_bits.max(right.fixed().integer_bits);
    let above = relu(protocol, &left.sub(&right)?)?;
    Ok(left.sub(&above)?.declare(integer_bits))
}

/// Public bounds on both sides, compared at the same time; a missing one does not apply.
pub fn clip<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
    low: Option<f64>,
    high: Option<f64>,
) -> Result<Secret<W>, MpcError> {
    // x + relu(low - x) - relu(x - high).
    let below = low
        .map(|low| x.negate().add_public(protocol, &[low]))
        .transpose()?;
    let above = high
        .map(|high| x.add_public(protocol, &[-high]))
        .transpose()?;
    let outside: Vec<Secret<W>> = [&below, &above]
        .into_iter()
        .flatten()
        .map(|side| {
            let size = side.len();
            side.clone().reshape(vec![size])
        })
        .collect::<Result<_, _>>()?;
    if outside.is_empty() {
        return Ok(x.clone());
    }
    let joined = Secret::concatenate(0, &outside.iter().collect::<Vec<_>>())?;
    let excess = relu(protocol, &joined)?;
    let mut share = x.share().clone();
    let mut start = 0;
    for (side, sign) in [(&below, true), (&above, false)] {
        if side.is_some() {
            let part = excess.share().slice(start..start + x.len());
            share = if sign {
                share.add(&part)
            } else {
                share.sub(&part)
            };
            start += x.len();
        }
    }
    let most = |bound: Option<f64>| bound.map(|bound| crate::secret::integer_bits(bound.abs()));
    let integer_bits = match (most(low), most(high)) {
        (Some(low), Some(high)) => low.max(high).min(x.fixed().integer_bits),
        _ => x.fixed().integer_bits,
    };
    Ok(x.with_share(
        Fixed {
            integer_bits,
            ..x.fixed()
        },
        share,
    ))
}

/// Opens to all parties whether every magnitude is at most 2^`integer_bits`, and nothing else: the
/// check behind [`Secret::declare`]. The words must fit the ring, whatever their declared range.
pub fn within<W: Word>(
    protocol: &mut dyn Protocol<W>,
    x: &Secret<W>,
    integer_bits: u32,
) -> Result<bool, MpcError> {
    let bound = W::ONE.left(integer_bits + x.fixed().fraction_bits);
    let constant = protocol.constant_part();
    let low = x.share().clone().add_public(constant, &[bound]);
    let zeros = crate::Share::zeros(x.len(), protocol.share_parts()).add_public(constant, &[bound]);
    let high = zeros.sub(x.share());
    let both = crate::Share::concatenate(&[&low, &high]);
    let outside = protocol.sign(&both, W::BITS)?;
    let words = protocol.bits_to_words(&outside)?;
    let count = words.len();
    let total = words.sum_middle(count.max(1), 1);
    // How many are outside stays secret.
    let fine = protocol.is_zero(&total, crate::fixed::bits_of_count(count) + 2)?;
    let opened = protocol.reveal_bits(Parties::all(protocol.parties()), &fine)?;
    Ok(opened.is_none_or(|bits| bits.first().is_none_or(|&bit| bit & 1 == 1)))
}
