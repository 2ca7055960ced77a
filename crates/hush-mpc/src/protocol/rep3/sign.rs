//! Signs and zeros, on planes of bits.
//!
//! x = u + v, where u = x0 + x1 is known to party 0 and v = x2 to parties 1 and 2. Bits of v are shared as
//! they are; those of u take one masked message from party 0 to party 1. Then both carry bits g = u·v
//! are products of what party 1 and party 2 each know, so they go to party 0 only, and a tree of
//! carries follows, two ands a node.

use hush_simd::words::{Word, planes_of_words, vectorized};

use super::linear::{and_products, split_blocks};
use super::{PARTS, Ring, both};
use crate::MpcError;
use crate::session::round;
use crate::share::{BLOCK, Bits, Share, bit_words, block_columns};

const BITS: u16 = 0;
const FIRST: u16 = 1;
const SECOND: u16 = 2;
/// Levels of trees take the streams from here on.
pub(super) const LEVELS: u16 = 8;

/// Planes of both parts.
pub(super) type Planes = [Vec<u64>; PARTS];

pub(super) fn check<W: Word>(operation: &'static str, width: u32) -> Result<(), MpcError> {
    if (1..=W::BITS).contains(&width) {
        return Ok(());
    }
    Err(MpcError::Range {
        operation,
        integer_bits: width.saturating_sub(1),
        fraction_bits: 0,
        available: W::BITS - 1,
    })
}

/// Planes of u and v as shares of their exclusive-or; `v` is made from x2 by its holders. Party 1
/// has the first part only after the round.
pub(super) async fn share_summands<W: Word>(
    ring: Ring<'_>,
    step: u64,
    x: [&[W]; 2],
    width: u32,
    columns: usize,
    v: impl Fn(W) -> W,
) -> Result<Planes, MpcError> {
    let size = width as usize * columns;
    let mut first = vec![0; size];
    let mut second = vec![0; size];
    match ring.party() {
        0 => {
            let mut u = vec![W::ZERO; x[0].len()];
            vectorized(ring.isa, || {
                for ((u, &x0), &x1) in u.iter_mut().zip(x[0]).zip(x[1]) {
                    *u = x0.plus(x1);
                }
            });
            planes_of_words(ring.isa, &u, &mut second);
            ring.session.mask(2, step, BITS, &mut first);
            second
                .iter_mut()
                .zip(&first)
                .for_each(|(u, &mask)| *u ^= mask);
            ring.session.send(1, &second)?;
            round().await;
        }
        1 => {
            let x2: Vec<W> = x[1].iter().map(|&x2| v(x2)).collect();
            planes_of_words(ring.isa, &x2, &mut second);
            round().await;
            ring.session.receive(0, &mut first)?;
        }
        _ => {
            let x2: Vec<W> = x[0].iter().map(|&x2| v(x2)).collect();
            planes_of_words(ring.isa, &x2, &mut first);
            ring.session.mask(0, step, BITS, &mut second);
            round().await;
        }
    }
    Ok([first, second])
}

/// Shares of u·v for the first `words` words of the planes of [`share_summands`].
pub(super) async fn carries(
    ring: Ring<'_>,
    step: u64,
    p: &Planes,
    words: usize,
) -> Result<Planes, MpcError> {
    let product = |stream: u16, peer: usize| {
        let mut g: Vec<u64> = ring.session.masks(peer, step, stream, words);
        let sum = g.clone();
        vectorized(ring.isa, || {
            for ((g, &a), &b) in g.iter_mut().zip(&p[0]).zip(&p[1]) {
                *g ^= a & b;
            }
        });
        (g, sum)
    };
    match ring.party() {
        0 => {
            round().await;
            let g1 = ring.session.received(1, words)?;
            let g0 = ring.session.received(2, words)?;
            Ok([g0, g1])
        }
        party => {
            let (own, other) = if party == 1 {
                (FIRST, SECOND)
            } else {
                (SECOND, FIRST)
            };
            let peer = 3 - party;
            let (mut g, mut g2) = product(own, peer);
            ring.session.send(0, &g)?;
            let other: Vec<u64> = ring.session.masks(peer, step, other, words);
            g2.iter_mut()
                .zip(&other)
                .for_each(|(g2, &other)| *g2 ^= other);
            round().await;
            if party == 2 {
                std::mem::swap(&mut g, &mut g2);
            }
            Ok([g, g2])
        }
    }
}

/// The carry out of all planes of `g` and `p`, as one plane.
async fn carry_tree(
    ring: Ring<'_>,
    step: u64,
    mut g: Planes,
    mut p: Planes,
    columns: usize,
) -> Result<Planes, MpcError> {
    let mut count = g[0].len() / columns;
    let mut level = LEVELS;
    while count > 1 {
        let pairs = count / 2;
        // Generating bits of all pairs, then propagating ones of all but the lowest.
        let products = 2 * pairs - 1;
        let mut own = vec![0; products * columns];
        let plane = |index: usize| index * columns..(index + 1) * columns;
        for pair in 0..pairs {
            let (low, high) = (plane(2 * pair), plane(2 * pair + 1));
            let p_high = [&p[0][high.clone()], &p[1][high.clone()]];
            let g_low = [&g[0][low.clone()], &g[1][low.clone()]];
            and_products(ring, p_high, g_low, &mut own[pair * columns..][..columns]);
            if pair > 0 {
                let p_low = [&p[0][low.clone()], &p[1][low.clone()]];
                and_products(
                    ring,
                    p_high,
                    p_low,
                    &mut own[(pairs + pair - 1) * columns..][..columns],
                );
            }
        }
        ring.xor_zero(step, level, &mut own);
        ring.session.send(ring.previous(), &own)?;
        round().await;
        let next: Vec<u64> = ring.session.received(ring.next(), own.len())?;
        for (part, products) in [own, next].into_iter().enumerate() {
            fold(&mut g[part], &mut p[part], &products, pairs, count, columns);
        }
        count -= pairs;
        level += 1;
    }
    Ok(g)
}

/// Replaces pairs of planes by their products, in place; a last plane without a partner stays.
fn fold(
    g: &mut Vec<u64>,
    p: &mut Vec<u64>,
    products: &[u64],
    pairs: usize,
    count: usize,
    columns: usize,
) {
    let (generated, propagated) = products.split_at(pairs * columns);
    for pair in 0..pairs {
        let (from, to) = ((2 * pair + 1) * columns, pair * columns);
        for column in 0..columns {
            g[to + column] = g[from + column] ^ generated[to + column];
        }
        if pair > 0 {
            p[to..to + columns].copy_from_slice(&propagated[to - columns..to]);
        }
    }
    if count % 2 == 1 {
        let last = (count - 1) * columns..count * columns;
        g.copy_within(last.clone(), pairs * columns);
        p.copy_within(last, pairs * columns);
    }
    g.truncate((count - pairs) * columns);
    p.truncate((count - pairs) * columns);
}

async fn sign_block<W: Word>(
    ring: Ring<'_>,
    x: [&[W]; 2],
    width: u32,
    columns: usize,
    to: [&mut [u64]; 2],
) -> Result<(), MpcError> {
    let step = ring.session.step();
    let mut p = share_summands(ring, step, x, width, columns, |x2| x2).await?;
    let below = (width as usize - 1) * columns;
    let top = p.each_ref().map(|part| part[below..].to_vec());
    if below == 0 {
        return copy_planes(to, &top);
    }
    let g = carries(ring, step, &p, below).await?;
    p.iter_mut().for_each(|part| part.truncate(below));
    let mut carry = carry_tree(ring, step, g, p, columns).await?;
    for (carry, top) in carry.iter_mut().zip(&top) {
        carry
            .iter_mut()
            .zip(top)
            .for_each(|(carry, &top)| *carry ^= top);
    }
    copy_planes(to, &carry)
}

fn copy_planes([first, second]: [&mut [u64]; 2], planes: &Planes) -> Result<(), MpcError> {
    first.copy_from_slice(&planes[0]);
    second.copy_from_slice(&planes[1]);
    Ok(())
}

pub(super) fn sign<W: Word>(ring: Ring, share: &Share<W>, width: u32) -> Result<Bits, MpcError> {
    check::<W>("sign", width)?;
    let length = share.len();
    let mut parts = [0, 1].map(|_: usize| vec![0; bit_words(length, 1)]);
    let operands = both(share.parts(), BLOCK).zip(block_columns(length));
    let blocks = operands.zip(split_blocks(&mut parts, length, 1));
    ring.session
        .drive(blocks.map(|((x, block), to)| sign_block(ring, x, width, block.columns, to)))?;
    Ok(Bits::new(length, 1, parts.into()))
}

async fn zero_block<W: Word>(
    ring: Ring<'_>,
    x: [&[W]; 2],
    width: u32,
    columns: usize,
    to: [&mut [u64]; 2],
) -> Result<(), MpcError> {
    let step = ring.session.step();
    // u = -v exactly if all bits of u ^ !(-v) are one.
    let inverted = |x2: W| x2.negative().xor(W::ZERO.minus(W::ONE));
    let mut bits = share_summands(ring, step, x, width, columns, inverted).await?;
    let mut count = width as usize;
    let mut level = LEVELS;
    while count > 1 {
        let pairs = count / 2;
        let (low, high) = (0..pairs * columns, pairs * columns..2 * pairs * columns);
        let mut own = vec![0; pairs * columns];
        let half =
            |range: &std::ops::Range<usize>| [&bits[0][range.clone()], &bits[1][range.clone()]];
        and_products(ring, half(&low), half(&high), &mut own);
        ring.xor_zero(step, level, &mut own);
        ring.session.send(ring.previous(), &own)?;
        round().await;
        let next: Vec<u64> = ring.session.received(ring.next(), own.len())?;
        for (bits, products) in bits.iter_mut().zip([own, next]) {
            bits.copy_within(high.end..count * columns, high.start);
            bits[low.clone()].copy_from_slice(&products);
            bits.truncate((count - pairs) * columns);
        }
        count -= pairs;
        level += 1;
    }
    copy_planes(to, &bits)
}

pub(super) fn is_zero<W: Word>(ring: Ring, share: &Share<W>, width: u32) -> Result<Bits, MpcError> {
    check::<W>("comparison with zero", width)?;
    let length = share.len();
    let mut parts = [0, 1].map(|_: usize| vec![0; bit_words(length, 1)]);
    let operands = both(share.parts(), BLOCK).zip(block_columns(length));
    let blocks = operands.zip(split_blocks(&mut parts, length, 1));
    ring.session
        .drive(blocks.map(|((x, block), to)| zero_block(ring, x, width, block.columns, to)))?;
    Ok(Bits::new(length, 1, parts.into()))
}
