//! Inputs, opening, and products of one round.

use hush_simd::words::{Word, mask_of_plane, vectorized, words_of_planes};

use super::super::check_lengths;
use super::{PARTS, Ring, both, both_mut};
use crate::MpcError;
use crate::protocol::{BilinearMap, Parties};
use crate::session::round;
use crate::share::{BLOCK, Bits, Share, block_columns};

/// The owner and the party before it know part `owner`; the rest is part `owner + 1`, which the
/// owner sends to the party that also holds it. The third part is zero.
pub(super) fn input<W: Word>(
    ring: Ring,
    owner: usize,
    values: Option<&[W]>,
    count: usize,
) -> Result<Share<W>, MpcError> {
    if let Some(values) = values {
        check_lengths("values of the owner", count, values.len())?;
    }
    let mut parts = [vec![W::ZERO; count], vec![W::ZERO; count]];
    ring.session
        .drive(
            both_mut(&mut parts, BLOCK)
                .enumerate()
                .map(|(block, [own, next])| async move {
                    let step = ring.session.step();
                    let length = own.len();
                    if ring.party() == owner {
                        let values =
                            values.map_or(&[][..], |values| &values[block * BLOCK..][..length]);
                        check_lengths("values of the owner", length, values.len())?;
                        ring.session.mask(ring.previous(), step, 0, own);
                        for ((rest, &value), &mask) in next.iter_mut().zip(values).zip(own.iter()) {
                            *rest = value.minus(mask);
                        }
                        ring.session.send(ring.next(), next)?;
                    } else if ring.next() == owner {
                        ring.session.mask(ring.next(), step, 0, next);
                    }
                    round().await;
                    if ring.previous() == owner {
                        ring.session.receive(ring.previous(), own)?;
                    }
                    Ok(())
                }),
        )?;
    Ok(Share::new(count, parts.into()))
}

/// Each receiver lacks one part, which the party after it sends.
pub(super) fn reveal<W: Word>(
    ring: Ring,
    receivers: Parties,
    share: &Share<W>,
) -> Result<Option<Vec<W>>, MpcError> {
    let receiver = receivers.contain(ring.party());
    let mut opened = vec![W::ZERO; if receiver { share.len() } else { 0 }];
    let mut opened_blocks = opened.chunks_mut(BLOCK);
    ring.session
        .drive(both(share.parts(), BLOCK).map(|[own, next]| {
            let opened = opened_blocks.next();
            async move {
                if receivers.contain(ring.previous()) {
                    ring.session.send(ring.previous(), next)?;
                }
                round().await;
                if let Some(opened) = opened {
                    ring.session.receive(ring.next(), opened)?;
                    for ((word, &own), &next) in opened.iter_mut().zip(own).zip(next) {
                        *word = word.plus(own).plus(next);
                    }
                }
                Ok(())
            }
        }))?;
    Ok(receiver.then_some(opened))
}

pub(super) fn reveal_bits(
    ring: Ring,
    receivers: Parties,
    bits: &Bits,
) -> Result<Option<Vec<u64>>, MpcError> {
    check_lengths(
        "planes of opened bits",
        bits.planes().min(64),
        bits.planes(),
    )?;
    let receiver = receivers.contain(ring.party());
    let mut opened = vec![0; if receiver { bits.len() } else { 0 }];
    let mut opened_blocks = opened.chunks_mut(BLOCK);
    ring.session.drive(block_columns(bits.len()).map(|block| {
        let opened = opened_blocks.next();
        let range = block.start * bits.planes()..(block.start + block.columns) * bits.planes();
        let [own, next] = [0, 1].map(|part: usize| &bits.parts()[part][range.clone()]);
        async move {
            if receivers.contain(ring.previous()) {
                ring.session.send(ring.previous(), next)?;
            }
            round().await;
            if let Some(opened) = opened {
                let mut planes: Vec<u64> = ring.session.received(ring.next(), own.len())?;
                for ((word, &own), &next) in planes.iter_mut().zip(own).zip(next) {
                    *word ^= own ^ next;
                }
                words_of_planes(ring.isa, &planes, opened);
            }
            Ok(())
        }
    }))?;
    Ok(receiver.then_some(opened))
}

/// `z = x0 y0 + x0 y1 + x1 y0`: three of the nine products; the parties together have all.
pub(super) fn products<W: Word>(ring: Ring, x: [&[W]; 2], y: [&[W]; 2], z: &mut [W]) {
    let ([x0, x1], [y0, y1]) = (x, y);
    vectorized(ring.isa, || {
        let operands = x0.iter().zip(x1).zip(y0.iter().zip(y1));
        for (z, ((&x0, &x1), (&y0, &y1))) in z.iter_mut().zip(operands) {
            *z = x0.times(y0.plus(y1)).plus(x1.times(y0));
        }
    });
}

pub(super) fn multiply<W: Word>(
    ring: Ring,
    left: &Share<W>,
    right: &Share<W>,
) -> Result<Share<W>, MpcError> {
    let mut parts = [vec![W::ZERO; left.len()], vec![W::ZERO; left.len()]];
    let operands = both(left.parts(), BLOCK).zip(both(right.parts(), BLOCK));
    ring.session
        .drive(
            operands
                .zip(both_mut(&mut parts, BLOCK))
                .map(|((x, y), z)| async move {
                    let step = ring.session.step();
                    let [own, next] = z;
                    products(ring, x, y, own);
                    exchange_sum(ring, step, own, next).await
                }),
        )?;
    Ok(Share::new(left.len(), parts.into()))
}

/// Makes shares of a sum whose summands the parties hold in `own`, one each.
async fn exchange_sum<W: Word>(
    ring: Ring<'_>,
    step: u64,
    own: &mut [W],
    next: &mut [W],
) -> Result<(), MpcError> {
    ring.add_zero(step, own);
    ring.session.send(ring.previous(), own)?;
    round().await;
    ring.session.receive(ring.next(), next)
}

/// Makes shares of a sum whose summands the parties hold.
pub(super) fn reshare<W: Word>(ring: Ring, summands: Vec<W>) -> Result<Share<W>, MpcError> {
    let length = summands.len();
    let mut parts = [summands, vec![W::ZERO; length]];
    ring.session
        .drive(both_mut(&mut parts, BLOCK).map(|[own, next]| async move {
            let step = ring.session.step();
            exchange_sum(ring, step, own, next).await
        }))?;
    Ok(Share::new(length, parts.into()))
}

/// This party's summand of a bilinear map.
pub(super) fn bilinear_products<W: Word>(
    map: &dyn BilinearMap<W>,
    left: &Share<W>,
    right: &Share<W>,
) -> Vec<W> {
    let mut result = vec![W::ZERO; map.length()];
    let (x, y) = (left.parts(), right.parts());
    let sum: Vec<W> = y[0].iter().zip(&y[1]).map(|(&a, &b)| a.plus(b)).collect();
    map.add_into(&x[0], &sum, &mut result);
    map.add_into(&x[1], &y[0], &mut result);
    result
}

/// And of planes, as [`products`].
pub(super) fn and_products(ring: Ring, x: [&[u64]; 2], y: [&[u64]; 2], z: &mut [u64]) {
    let ([x0, x1], [y0, y1]) = (x, y);
    vectorized(ring.isa, || {
        let operands = x0.iter().zip(x1).zip(y0.iter().zip(y1));
        for (z, ((&x0, &x1), (&y0, &y1))) in z.iter_mut().zip(operands) {
            *z = (x0 & (y0 ^ y1)) ^ (x1 & y0);
        }
    });
}

pub(super) fn and(ring: Ring, left: &Bits, right: &Bits) -> Result<Bits, MpcError> {
    let planes = left.planes();
    let mut parts: [Vec<u64>; PARTS] = [0, 1].map(|part: usize| vec![0; left.parts()[part].len()]);
    let mut results = split_blocks(&mut parts, left.len(), planes);
    ring.session.drive(block_columns(left.len()).map(|block| {
        let range = block.start * planes..(block.start + block.columns) * planes;
        let x = [0, 1].map(|part: usize| &left.parts()[part][range.clone()]);
        let y = [0, 1].map(|part: usize| &right.parts()[part][range.clone()]);
        let [own, next] = results.next().expect("as many blocks as of the operands");
        async move {
            let step = ring.session.step();
            and_products(ring, x, y, own);
            ring.xor_zero(step, 0, own);
            ring.session.send(ring.previous(), own)?;
            round().await;
            ring.session.receive(ring.next(), next)
        }
    }))?;
    drop(results);
    Ok(Bits::new(left.len(), planes, parts.into()))
}

/// Blocks of the planes of a result.
pub(super) fn split_blocks(
    parts: &mut [Vec<u64>; 2],
    length: usize,
    planes: usize,
) -> impl Iterator<Item = [&mut [u64]; 2]> {
    let [mut first, mut second] = parts.each_mut().map(|part| part.as_mut_slice());
    block_columns(length).map(move |block| {
        let words = block.columns * planes;
        [take(&mut first, words), take(&mut second, words)]
    })
}

fn take<'a>(rest: &mut &'a mut [u64], words: usize) -> &'a mut [u64] {
    let (block, after) = std::mem::take(rest).split_at_mut(words);
    *rest = after;
    block
}

/// One plane of a block as words of all ones and all zeros.
pub(super) fn masks<W: Word>(ring: Ring, plane: &[u64], length: usize) -> Vec<W> {
    let mut masks = vec![W::ZERO; length];
    mask_of_plane(ring.isa, plane, &mut masks);
    masks
}
