//! All bits of shared words, by a parallel-prefix adder (Sklansky).

use hush_simd::words::Word;

use super::linear::{and_products, split_blocks};
use super::sign::{LEVELS, carries, share_summands};
use super::{Ring, both};
use crate::MpcError;
use crate::session::round;
use crate::share::{BLOCK, Bits, Share, bit_words, block_columns};

/// At each level the planes that take in the carry of a lower one, which that is, and whether what
/// lies below may still propagate.
pub(in crate::protocol) fn levels(planes: usize) -> Vec<Vec<(usize, usize, bool)>> {
    let depth = planes.next_power_of_two().trailing_zeros();
    let nodes = |level: u32| {
        let with_bit = (0..planes).filter(move |plane| plane >> level & 1 == 1);
        let node = move |plane: usize| {
            (
                plane,
                (plane >> level << level) - 1,
                plane >> (level + 1) > 0,
            )
        };
        with_bit.map(node).collect()
    };
    (0..depth).map(nodes).collect()
}

async fn decompose_block<W: Word>(
    ring: Ring<'_>,
    x: [&[W]; 2],
    width: u32,
    columns: usize,
    to: [&mut [u64]; 2],
) -> Result<(), MpcError> {
    let step = ring.session.step();
    let p = share_summands(ring, step, x, width, columns, |x2| x2).await?;
    let [first, second] = to;
    first.copy_from_slice(&p[0]);
    second.copy_from_slice(&p[1]);
    let planes = width as usize - 1;
    if planes == 0 {
        return Ok(());
    }
    let mut g = carries(ring, step, &p, planes * columns).await?;
    let mut p = p;
    let plane = |index: usize| index * columns..(index + 1) * columns;
    for (level, nodes) in levels(planes).into_iter().enumerate() {
        let propagating = nodes.iter().filter(|node| node.2).count();
        let mut own = vec![0; (nodes.len() + propagating) * columns];
        let mut chunks = own.chunks_exact_mut(columns);
        for &(node, below, propagates) in &nodes {
            let p_node = [&p[0][plane(node)], &p[1][plane(node)]];
            let g_below = [&g[0][plane(below)], &g[1][plane(below)]];
            and_products(ring, p_node, g_below, chunks.next().expect("counted"));
            if propagates {
                let p_below = [&p[0][plane(below)], &p[1][plane(below)]];
                and_products(ring, p_node, p_below, chunks.next().expect("counted"));
            }
        }
        ring.xor_zero(step, LEVELS + level as u16, &mut own);
        ring.session.send(ring.previous(), &own)?;
        round().await;
        let next: Vec<u64> = ring.session.received(ring.next(), own.len())?;
        for (part, products) in [own, next].iter().enumerate() {
            let mut chunks = products.chunks_exact(columns);
            for &(node, _, propagates) in &nodes {
                let generated = chunks.next().expect("counted");
                g[part][plane(node)]
                    .iter_mut()
                    .zip(generated)
                    .for_each(|(g, &more)| *g ^= more);
                if propagates {
                    p[part][plane(node)].copy_from_slice(chunks.next().expect("counted"));
                }
            }
        }
    }
    for (to, carry) in [first, second].into_iter().zip(&g) {
        to[columns..]
            .iter_mut()
            .zip(carry)
            .for_each(|(sum, &carry)| *sum ^= carry);
    }
    Ok(())
}

pub(super) fn decompose<W: Word>(
    ring: Ring,
    share: &Share<W>,
    width: u32,
) -> Result<Bits, MpcError> {
    super::sign::check::<W>("decomposition", width)?;
    let (length, planes) = (share.len(), width as usize);
    let mut parts = [0, 1].map(|_: usize| vec![0; bit_words(length, planes)]);
    let operands = both(share.parts(), BLOCK).zip(block_columns(length));
    let blocks = operands.zip(split_blocks(&mut parts, length, planes));
    ring.session
        .drive(blocks.map(|((x, block), to)| decompose_block(ring, x, width, block.columns, to)))?;
    Ok(Bits::new(length, planes, parts.into()))
}
