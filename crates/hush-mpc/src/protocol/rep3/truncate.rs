//! Division by a power of two, with an error below one unit in the last place and no exception.
//!
//! Party 2 knows a mask r of the number z that parties 0 and 1 open as m = z + r. Where z, made
//! positive, is below half of the ring, m wraps exactly if the top bit of r is one and that of m is
//! zero. So z / 2^f = m / 2^f - r / 2^f + wrap · 2^(l-f) up to one carry, and with B the top bit of r and
//! R its other bits divided by 2^f: = m / 2^f - R ± B · 2^(l-1-f), where the sign is known to parties
//! 0 and 1 from m. Party 2 deals them R as a word each and B modulo 2^(f+1), half a word.
//!
//! The mask costs nothing: r is made so that m needs no message of party 2. For a product, whose
//! summands z0, z1, z2 the parties hold, r = a + b - z2 with masks a, b that party 2 shares with
//! parties 0 and 1. For shared words, party 0 knows x0 + x1 and parties 1 and 2 know x2, r = a - x2 and m
//! travels one way. Party 2 receives nothing at all.
//!
//! The idea of a known top bit is that of Escudero et al., CRYPTO 2020, section 5.

use hush_simd::words::{Word, vectorized};

use super::{Ring, both, both_mut};
use crate::MpcError;
use crate::session::round;
use crate::share::{BLOCK, Share};

const OPEN: u16 = 0;
const QUOTIENT: u16 = 1;
const TOP: u16 = 2;
const RESULT: u16 = 3;

/// What is truncated.
enum Source<'a, W> {
    /// This party's summand.
    Summand(&'a [W]),
    /// Both parts of this party.
    Shared([&'a [W]; 2]),
}

/// The most bits that can be cut off at once.
pub(in crate::protocol) const fn most_bits<W: Word>() -> u32 {
    <W::Half as Word>::BITS - 1
}

fn check<W: Word>(bits: u32) -> Result<(), MpcError> {
    if bits <= most_bits::<W>() {
        return Ok(());
    }
    Err(MpcError::Range {
        operation: "truncate",
        integer_bits: 0,
        fraction_bits: bits,
        available: most_bits::<W>(),
    })
}

pub(super) fn multiply_truncate<W: Word>(
    ring: Ring,
    left: &Share<W>,
    right: &Share<W>,
    bits: u32,
) -> Result<Share<W>, MpcError> {
    check::<W>(bits)?;
    let mut parts = [vec![W::ZERO; left.len()], vec![W::ZERO; left.len()]];
    let operands = both(left.parts(), BLOCK).zip(both(right.parts(), BLOCK));
    ring.session
        .drive(
            operands
                .zip(both_mut(&mut parts, BLOCK))
                .map(|((x, y), to)| async move {
                    let mut summand = vec![W::ZERO; x[0].len()];
                    super::linear::products(ring, x, y, &mut summand);
                    truncate_block(ring, Source::Summand(&summand), bits, to).await
                }),
        )?;
    Ok(Share::new(left.len(), parts.into()))
}

pub(super) fn truncate_sum<W: Word>(
    ring: Ring,
    summands: Vec<W>,
    bits: u32,
) -> Result<Share<W>, MpcError> {
    check::<W>(bits)?;
    let length = summands.len();
    let mut parts = [vec![W::ZERO; length], vec![W::ZERO; length]];
    let blocks = summands.chunks(BLOCK).zip(both_mut(&mut parts, BLOCK));
    ring.session.drive(
        blocks.map(|(summand, to)| truncate_block(ring, Source::Summand(summand), bits, to)),
    )?;
    Ok(Share::new(length, parts.into()))
}

pub(super) fn truncate<W: Word>(
    ring: Ring,
    share: &Share<W>,
    bits: u32,
) -> Result<Share<W>, MpcError> {
    check::<W>(bits)?;
    if bits == 0 {
        return Ok(share.clone());
    }
    let length = share.len();
    let mut parts = [vec![W::ZERO; length], vec![W::ZERO; length]];
    let blocks = both(share.parts(), BLOCK).zip(both_mut(&mut parts, BLOCK));
    ring.session
        .drive(blocks.map(|(from, to)| truncate_block(ring, Source::Shared(from), bits, to)))?;
    Ok(Share::new(length, parts.into()))
}

/// Adds to `m`, of parties 0 and 1, what makes it positive.
fn offset<W: Word>() -> W {
    W::ONE.left(W::BITS - 2)
}

async fn truncate_block<W: Word>(
    ring: Ring<'_>,
    source: Source<'_, W>,
    bits: u32,
    to: [&mut [W]; 2],
) -> Result<(), MpcError> {
    let step = ring.session.step();
    match ring.party() {
        0 => party_0(ring, step, source, bits, to).await,
        1 => party_1(ring, step, source, bits, to).await,
        _ => party_2(ring, step, source, bits, to).await,
    }
}

/// ±B · 2^(l-1-f) for this party's share of B: plus where `m` has a zero on top.
#[inline(always)]
fn signed_top<W: Word>(m: W, top: W::Half, bits: u32) -> W {
    let term = W::from_u64(top.limb(0)).left(W::BITS - 1 - bits);
    let flip = W::mask(m.right(W::BITS - 1).limb(0));
    term.xor(flip).minus(flip)
}

async fn party_0<W: Word>(
    ring: Ring<'_>,
    step: u64,
    source: Source<'_, W>,
    bits: u32,
    [y0, y1]: [&mut [W]; 2],
) -> Result<(), MpcError> {
    let length = y0.len();
    let mut m: Vec<W> = ring.session.masks(2, step, OPEN, length);
    let summed = matches!(source, Source::Summand(_));
    vectorized(ring.isa, || match source {
        Source::Summand(z) => m.iter_mut().zip(z).for_each(|(m, &z)| *m = m.plus(z)),
        Source::Shared([x0, x1]) => {
            for ((m, &x0), &x1) in m.iter_mut().zip(x0).zip(x1) {
                *m = m.plus(x0).plus(x1);
            }
        }
    });
    ring.session.send(1, &m)?;
    let quotients: Vec<W> = ring.session.masks(2, step, QUOTIENT, length);
    let tops: Vec<W::Half> = ring.session.masks(2, step, TOP, length);
    ring.session.mask(2, step, RESULT, y0);
    round().await;
    if summed {
        ring.session.receive(1, y1)?;
        m.iter_mut()
            .zip(y1.iter())
            .for_each(|(m, &other)| *m = m.plus(other));
    }
    vectorized(ring.isa, || {
        let dealt = quotients.iter().zip(&tops).zip(y0.iter());
        for (m, ((&quotient, &top), &y0)) in m.iter_mut().zip(dealt) {
            let sign = m.plus(offset());
            *m = quotient.plus(signed_top(sign, top, bits)).minus(y0);
        }
    });
    ring.session.send(1, &m)?;
    round().await;
    ring.session.receive(1, y1)?;
    vectorized(ring.isa, || {
        y1.iter_mut()
            .zip(&m)
            .for_each(|(y1, &own)| *y1 = y1.plus(own));
    });
    Ok(())
}

async fn party_1<W: Word>(
    ring: Ring<'_>,
    step: u64,
    source: Source<'_, W>,
    bits: u32,
    [y1, y2]: [&mut [W]; 2],
) -> Result<(), MpcError> {
    let length = y1.len();
    let mut m = vec![W::ZERO; length];
    if let Source::Summand(z) = &source {
        ring.session.mask(2, step, OPEN, &mut m);
        m.iter_mut().zip(*z).for_each(|(m, &z)| *m = m.plus(z));
        ring.session.send(0, &m)?;
    }
    ring.session.mask(2, step, RESULT, y2);
    round().await;
    let other: Vec<W> = ring.session.received(0, length)?;
    let quotients: Vec<W> = ring.session.received(2, length)?;
    let tops: Vec<W::Half> = ring.session.received(2, length)?;
    let center = offset::<W>().right(bits);
    vectorized(ring.isa, || {
        let dealt = quotients.iter().zip(&tops).zip(&other).zip(y2.iter());
        for (m, (((&quotient, &top), &other), &y2)) in m.iter_mut().zip(dealt) {
            let sum = m.plus(other).plus(offset());
            let opened = sum.right(bits).minus(center);
            *m = opened
                .plus(quotient)
                .plus(signed_top(sum, top, bits))
                .minus(y2);
        }
    });
    ring.session.send(0, &m)?;
    round().await;
    ring.session.receive(0, y1)?;
    vectorized(ring.isa, || {
        y1.iter_mut()
            .zip(&m)
            .for_each(|(y1, &own)| *y1 = y1.plus(own));
    });
    Ok(())
}

async fn party_2<W: Word>(
    ring: Ring<'_>,
    step: u64,
    source: Source<'_, W>,
    bits: u32,
    [y2, y0]: [&mut [W]; 2],
) -> Result<(), MpcError> {
    let length = y2.len();
    // The mask r.
    let mut r: Vec<W> = ring.session.masks(0, step, OPEN, length);
    match source {
        Source::Summand(z) => {
            let other: Vec<W> = ring.session.masks(1, step, OPEN, length);
            vectorized(ring.isa, || {
                for ((r, &other), &z) in r.iter_mut().zip(&other).zip(z) {
                    *r = r.plus(other).minus(z);
                }
            });
        }
        Source::Shared([x2, _]) => {
            r.iter_mut().zip(x2).for_each(|(r, &x2)| *r = r.minus(x2));
        }
    }
    let quotients: Vec<W> = ring.session.masks(0, step, QUOTIENT, length);
    let mut tops: Vec<W::Half> = ring.session.masks(0, step, TOP, length);
    let low = W::ONE.left(W::BITS - 1).minus(W::ONE);
    vectorized(ring.isa, || {
        for ((r, &quotient), top) in r.iter_mut().zip(&quotients).zip(tops.iter_mut()) {
            let bit = W::Half::from_u64(r.right(W::BITS - 1).limb(0));
            *top = bit.minus(*top);
            *r = r.and(low).right(bits).plus(quotient).negative();
        }
    });
    ring.session.send(1, &r)?;
    ring.session.send(1, &tops)?;
    ring.session.mask(1, step, RESULT, y2);
    ring.session.mask(0, step, RESULT, y0);
    round().await;
    round().await;
    Ok(())
}
