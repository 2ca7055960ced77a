//! A bit times a word.
//!
//! The bit is c ^ d, where c = b0 ^ b1 is known to party 0 and d = b2 to parties 1 and 2; the word is
//! u + x2, where u = x0 + x1 is known to party 0 and x2 to parties 1 and 2.
//!
//! (c ^ d) u is c·u if d is zero and u - c·u if it is one. Party 0 shares c·u between the others,
//! who hold shares x1 and x0 of u already, so both turn theirs by d alone.
//! (c ^ d) x2 = d·x2 + c·(1 - 2d)·x2. Party 0 shares c between the others, who know the factor.
//! So two words from party 0 to party 1 leave a sum of two summands at parties 1 and 2, and
//! two masked words to party 0 make shares of it: 32 bytes instead of the 48 of general products.

use hush_simd::words::{Word, vectorized};

use super::linear::masks;
use super::{Ring, both, both_mut};
use crate::MpcError;
use crate::session::round;
use crate::share::{BLOCK, Bits, Block, Share, block_columns};

const WORD: u16 = 0;
const BIT: u16 = 1;
const FIRST: u16 = 2;
const SECOND: u16 = 3;

/// What parties 1 and 2 hold of a sum becomes shares: `own` is this one's summand, which goes to party
/// 0 masked; part 2 cancels both masks.
async fn share_sum<W: Word>(
    ring: Ring<'_>,
    step: u64,
    mut own: Vec<W>,
    to: [&mut [W]; 2],
) -> Result<(), MpcError> {
    let [first, second] = to;
    let party = ring.party();
    let peer = 3 - party;
    let (mine, theirs) = if party == 1 {
        (FIRST, SECOND)
    } else {
        (SECOND, FIRST)
    };
    let (with_me, common) = if party == 1 {
        (first, second)
    } else {
        (second, first)
    };
    let mask: Vec<W> = ring.session.masks(peer, step, mine, own.len());
    ring.session.mask(peer, step, theirs, common);
    vectorized(ring.isa, || {
        let operands = own.iter_mut().zip(with_me).zip(common).zip(&mask);
        for (((own, with_me), common), &mask) in operands {
            *own = own.plus(mask);
            *with_me = *own;
            *common = common.plus(mask).negative();
        }
    });
    ring.session.send(0, &own)?;
    round().await;
    Ok(())
}

/// The end of the same at party 0.
async fn receive_sum<W: Word>(ring: Ring<'_>, [y0, y1]: [&mut [W]; 2]) -> Result<(), MpcError> {
    round().await;
    ring.session.receive(1, y1)?;
    ring.session.receive(2, y0)
}

/// Parts of one plane of a block, with exclusive-or of both at party 0.
fn known_plane(ring: Ring, plane: [&[u64]; 2]) -> Vec<u64> {
    match ring.party() {
        0 => plane[0].iter().zip(plane[1]).map(|(a, b)| a ^ b).collect(),
        1 => plane[1].to_vec(),
        _ => plane[0].to_vec(),
    }
}

async fn inject_block<W: Word>(
    ring: Ring<'_>,
    plane: [&[u64]; 2],
    x: [&[W]; 2],
    to: [&mut [W]; 2],
) -> Result<(), MpcError> {
    let step = ring.session.step();
    let length = x[0].len();
    let bit: Vec<W> = masks(ring, &known_plane(ring, plane), length);
    if ring.party() == 0 {
        let mut word: Vec<W> = ring.session.masks(2, step, WORD, length);
        let mut c: Vec<W> = ring.session.masks(2, step, BIT, length);
        vectorized(ring.isa, || {
            let operands = x[0].iter().zip(x[1]).zip(&bit);
            for ((word, c), ((&x0, &x1), &bit)) in word.iter_mut().zip(c.iter_mut()).zip(operands) {
                *word = bit.and(x0.plus(x1)).minus(*word);
                *c = bit.and(W::ONE).minus(*c);
            }
        });
        ring.session.send(1, &word)?;
        ring.session.send(1, &c)?;
        round().await;
        return receive_sum(ring, to).await;
    }
    // At party 1 x1 and x2, at party 2 x0 and x2.
    let first = ring.party() == 1;
    let (with_0, common) = if first { (x[0], x[1]) } else { (x[1], x[0]) };
    let (mut word, mut c) = (vec![W::ZERO; length], vec![W::ZERO; length]);
    if !first {
        ring.session.mask(0, step, WORD, &mut word);
        ring.session.mask(0, step, BIT, &mut c);
    }
    round().await;
    if first {
        ring.session.receive(0, &mut word)?;
        ring.session.receive(0, &mut c)?;
    }
    let alone = W::mask(u64::from(first));
    vectorized(ring.isa, || {
        let operands = with_0.iter().zip(common).zip(&bit).zip(&c);
        for (word, (((&with_0, &common), &d), &c)) in word.iter_mut().zip(operands) {
            // u - c·u or c·u; minus or plus c·x2; and d·x2 at one of both.
            let turned = word.xor(d).minus(d).plus(d.and(with_0));
            let signed = common.xor(d).minus(d);
            *word = turned.plus(c.times(signed)).plus(d.and(common).and(alone));
        }
    });
    share_sum(ring, step, word, to).await
}

pub(super) fn inject<W: Word>(
    ring: Ring,
    bit: &Bits,
    share: &Share<W>,
) -> Result<Share<W>, MpcError> {
    let length = share.len();
    let mut parts = [vec![W::ZERO; length], vec![W::ZERO; length]];
    let operands = block_columns(length).zip(both(share.parts(), BLOCK));
    ring.session.drive(
        operands
            .zip(both_mut(&mut parts, BLOCK))
            .map(|((block, x), to)| inject_block(ring, plane_of(bit, block, 0), x, to)),
    )?;
    Ok(Share::new(length, parts.into()))
}

/// One plane of a block.
fn plane_of(bits: &Bits, block: Block, plane: usize) -> [&[u64]; 2] {
    let at = block.start * bits.planes() + plane * block.columns;
    [0, 1].map(|part: usize| &bits.parts()[part][at..at + block.columns])
}

/// [`inject_block`] for the word one, of which party 0 shares only c.
async fn bit_block<W: Word>(
    ring: Ring<'_>,
    plane: [&[u64]; 2],
    to: [&mut [W]; 2],
) -> Result<(), MpcError> {
    let step = ring.session.step();
    let length = to[0].len();
    let bit: Vec<W> = masks(ring, &known_plane(ring, plane), length);
    if ring.party() == 0 {
        let mut c: Vec<W> = ring.session.masks(2, step, BIT, length);
        c.iter_mut()
            .zip(&bit)
            .for_each(|(c, bit)| *c = bit.and(W::ONE).minus(*c));
        ring.session.send(1, &c)?;
        round().await;
        return receive_sum(ring, to).await;
    }
    let first = ring.party() == 1;
    let mut c = vec![W::ZERO; length];
    if !first {
        ring.session.mask(0, step, BIT, &mut c);
    }
    round().await;
    if first {
        ring.session.receive(0, &mut c)?;
    }
    let alone = W::from_u64(u64::from(first));
    vectorized(ring.isa, || {
        for (c, &d) in c.iter_mut().zip(&bit) {
            *c = c.xor(d).minus(d).plus(d.and(alone));
        }
    });
    share_sum(ring, step, c, to).await
}

pub(super) fn bits_to_words<W: Word>(ring: Ring, bits: &Bits) -> Result<Share<W>, MpcError> {
    let (length, planes) = (bits.len(), bits.planes());
    let mut parts = [
        vec![W::ZERO; length * planes],
        vec![W::ZERO; length * planes],
    ];
    if length > 0 {
        let [first, second] = &mut parts;
        let rows = first
            .chunks_mut(length)
            .zip(second.chunks_mut(length))
            .enumerate();
        let blocks = rows.flat_map(|(plane, (first, second))| {
            let targets = first.chunks_mut(BLOCK).zip(second.chunks_mut(BLOCK));
            block_columns(length)
                .zip(targets)
                .map(move |(block, (first, second))| {
                    bit_block(ring, plane_of(bits, block, plane), [first, second])
                })
        });
        ring.session.drive(blocks)?;
    }
    Ok(Share::new(length * planes, parts.into()))
}
