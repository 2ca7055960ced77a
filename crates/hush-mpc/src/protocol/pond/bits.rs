//! Signs, zeros and bits: the servers open words under a mask whose bits are shared, and subtract the
//! mask again as bits.

use hush_simd::words::{Word, mask_of_plane, planes_of_words, vectorized, words_of_planes};

use super::super::check_lengths;
use super::{DEALER, Role, Table};
use crate::MpcError;
use crate::protocol::Parties;
use crate::protocol::rep3::adder_levels;
use crate::session::round;
use crate::share::{BLOCK, Bits, Share, bit_words, block_columns};

const OPEN: u16 = 0;
const MASK: u16 = 1;
const WORD: u16 = 2;
/// Ands take three streams each from here on.
const ANDS: u16 = 8;

/// What is asked of shared words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Question {
    Sign,
    Zero,
    Bits,
}

pub(super) fn reveal(
    table: Table,
    receivers: Parties,
    bits: &Bits,
) -> Result<Option<Vec<u64>>, MpcError> {
    check_lengths(
        "planes of opened bits",
        bits.planes().min(64),
        bits.planes(),
    )?;
    let own: &[u64] = bits.parts().first().map_or(&[], Vec::as_slice);
    let words = bit_words(bits.len(), bits.planes());
    let mut opened = None;
    table.session.drive([async {
        let party = table.session.party();
        if let Role::Server(server) = table.role {
            for to in [1 - server, DEALER] {
                if receivers.contain(to) {
                    table.session.send(to, own)?;
                }
            }
        }
        round().await;
        if receivers.contain(party) {
            let mut planes = if table.is_server() {
                own.to_vec()
            } else {
                vec![0; words]
            };
            for from in (0..2).filter(|&from| from != party) {
                let other: Vec<u64> = table.session.received(from, words)?;
                planes
                    .iter_mut()
                    .zip(&other)
                    .for_each(|(word, other)| *word ^= other);
            }
            let mut result = vec![0; bits.len()];
            for (block, words) in block_columns(bits.len()).zip(result.chunks_mut(BLOCK)) {
                let range =
                    block.start * bits.planes()..(block.start + block.columns) * bits.planes();
                words_of_planes(table.isa, &planes[range], words);
            }
            opened = Some(result);
        }
        Ok(())
    }])?;
    Ok(opened)
}

/// And of planes by Beaver's way; `call` tells ands of one step apart. The dealer gives its `x` and `y`
/// as nothing and `words` says how many there are.
async fn and_planes(
    table: Table<'_>,
    step: u64,
    call: u16,
    (x, y): (&[u64], &[u64]),
    words: usize,
) -> Result<Vec<u64>, MpcError> {
    let stream = |index: u16| ANDS + 3 * call + index;
    let xor = |mut a: Vec<u64>, b: &[u64]| {
        a.iter_mut().zip(b).for_each(|(a, b)| *a ^= b);
        a
    };
    let Role::Server(server) = table.role else {
        let mask = |index: u16| {
            let second: Vec<u64> = table.dealt(1, step, stream(index), words);
            xor(table.dealt(0, step, stream(index), words), &second)
        };
        let (a, b) = (mask(0), mask(1));
        let mut correction: Vec<u64> = table.dealt(0, step, stream(2), words);
        for (c, (a, b)) in correction.iter_mut().zip(a.iter().zip(&b)) {
            *c ^= a & b;
        }
        table.session.send(1, &correction)?;
        round().await;
        return Ok(Vec::new());
    };
    let (a, b): (Vec<u64>, Vec<u64>) = (
        table.dealt(server, step, stream(0), words),
        table.dealt(server, step, stream(1), words),
    );
    let mut masked = xor(a.clone(), x);
    masked.extend(xor(b.clone(), y));
    table.session.send(1 - server, &masked)?;
    let mut result: Vec<u64> = if server == 0 {
        table.dealt(0, step, stream(2), words)
    } else {
        Vec::new()
    };
    round().await;
    let opened = xor(table.session.received(1 - server, 2 * words)?, &masked);
    if server == 1 {
        result = table.session.received(DEALER, words)?;
    }
    let (e, f) = opened.split_at(words);
    let public = if server == 0 { u64::MAX } else { 0 };
    vectorized(table.isa, || {
        for (index, result) in result.iter_mut().enumerate() {
            *result ^=
                (e[index] & b[index]) ^ (f[index] & a[index]) ^ (e[index] & f[index] & public);
        }
    });
    Ok(result)
}

pub(super) fn and(table: Table, left: &Bits, right: &Bits) -> Result<Bits, MpcError> {
    let words = bit_words(left.len(), left.planes());
    let side = |bits: &Bits| bits.parts().first().cloned().unwrap_or_default();
    let (x, y) = (side(left), side(right));
    let mut result = Vec::new();
    table.session.drive([async {
        let step = table.session.step();
        result = and_planes(table, step, 0, (&x, &y), words).await?;
        Ok(())
    }])?;
    Ok(table.bits(left.len(), left.planes(), result))
}

/// Opens x + r, and gives at the servers the planes of !r as shares and those of the sum as they are.
async fn masked<W: Word>(
    table: Table<'_>,
    step: u64,
    x: &[W],
    length: usize,
    width: usize,
    columns: usize,
) -> Result<(Vec<u64>, Vec<u64>), MpcError> {
    let size = width * columns;
    let Role::Server(server) = table.role else {
        let (mut r, second): (Vec<W>, Vec<W>) = (
            table.dealt(0, step, OPEN, length),
            table.dealt(1, step, OPEN, length),
        );
        r.iter_mut()
            .zip(&second)
            .for_each(|(r, &second)| *r = r.plus(second));
        let mut planes = vec![0; size];
        planes_of_words(table.isa, &r, &mut planes);
        let first: Vec<u64> = table.dealt(0, step, MASK, size);
        planes
            .iter_mut()
            .zip(&first)
            .for_each(|(plane, first)| *plane ^= first);
        table.session.send(1, &planes)?;
        round().await;
        return Ok((Vec::new(), Vec::new()));
    };
    let mut m: Vec<W> = table.dealt(server, step, OPEN, length);
    m.iter_mut().zip(x).for_each(|(m, &x)| *m = m.plus(x));
    table.session.send(1 - server, &m)?;
    let mut r: Vec<u64> = if server == 0 {
        table.dealt(0, step, MASK, size)
    } else {
        Vec::new()
    };
    round().await;
    let other: Vec<W> = table.session.received(1 - server, length)?;
    m.iter_mut()
        .zip(&other)
        .for_each(|(m, &other)| *m = m.plus(other));
    if server == 1 {
        r = table.session.received(DEALER, size)?;
    } else {
        r.iter_mut().for_each(|word| *word = !*word);
    }
    let mut sum = vec![0; size];
    planes_of_words(table.isa, &m, &mut sum);
    Ok((r, sum))
}

pub(super) fn compare<W: Word>(
    table: Table,
    share: &Share<W>,
    width: u32,
    question: Question,
) -> Result<Bits, MpcError> {
    if width == 0 || width > W::BITS {
        return Err(MpcError::Range {
            operation: "comparison",
            integer_bits: width.saturating_sub(1),
            fraction_bits: 0,
            available: W::BITS - 1,
        });
    }
    let (count, width) = (share.len(), width as usize);
    let planes = if question == Question::Bits { width } else { 1 };
    let x = super::part(share);
    let mut result = vec![Vec::new(); count.div_ceil(BLOCK)];
    let blocks = block_columns(count).zip(result.iter_mut()).enumerate();
    table
        .session
        .drive(blocks.map(|(index, (block, to))| async move {
            let range = index * BLOCK..count.min((index + 1) * BLOCK);
            let length = range.len();
            let x = x.get(range).unwrap_or_default();
            let step = table.session.step();
            let (r, sum) = masked(table, step, x, length, width, block.columns).await?;
            *to = match question {
                Question::Zero => all_ones(table, step, r, &sum, width, block.columns).await?,
                Question::Sign => sign(table, step, r, &sum, width, block.columns).await?,
                Question::Bits => difference(table, step, r, &sum, width, block.columns).await?,
            };
            Ok(())
        }))?;
    Ok(table.bits(count, planes, result.concat()))
}

/// Adds public bits at server 0.
fn xor_public(table: Table, bits: &mut [u64], public: &[u64]) {
    if table.role == Role::Server(0) {
        bits.iter_mut()
            .zip(public)
            .for_each(|(bit, public)| *bit ^= public);
    }
}

/// x = 0 exactly if the sum equals the mask: all planes of sum ^ !r are one.
async fn all_ones(
    table: Table<'_>,
    step: u64,
    mut bits: Vec<u64>,
    sum: &[u64],
    width: usize,
    columns: usize,
) -> Result<Vec<u64>, MpcError> {
    xor_public(table, &mut bits, sum);
    let (mut count, mut call) = (width, 0);
    while count > 1 {
        let half = count / 2 * columns;
        let (low, high) = (
            bits.get(..half).unwrap_or_default(),
            bits.get(half..2 * half).unwrap_or_default(),
        );
        let mut product = and_planes(table, step, call, (low, high), half).await?;
        product.extend_from_slice(bits.get(2 * half..).unwrap_or_default());
        bits = product;
        count -= count / 2;
        call += 1;
    }
    Ok(bits)
}

/// Generating and propagating bits of sum + !r + 1, of which the one is taken into the lowest carry:
/// nothing is sent, since the sum is public.
fn leaves(table: Table, r: &[u64], sum: &[u64], columns: usize) -> (Vec<u64>, Vec<u64>) {
    if !table.is_server() {
        return (Vec::new(), Vec::new());
    }
    let mut g: Vec<u64> = r.iter().zip(sum).map(|(r, sum)| r & sum).collect();
    let mut p = r.to_vec();
    xor_public(table, &mut p, sum);
    // With a carry in: g or p, which are never both.
    g.iter_mut()
        .zip(&p)
        .take(columns)
        .for_each(|(g, p)| *g ^= p);
    (g, p)
}

async fn sign(
    table: Table<'_>,
    step: u64,
    r: Vec<u64>,
    sum: &[u64],
    width: usize,
    columns: usize,
) -> Result<Vec<u64>, MpcError> {
    let (mut g, mut p) = leaves(table, &r, sum, columns);
    let below = (width - 1) * columns;
    let mut top = p.get(below..).unwrap_or_default().to_vec();
    if below == 0 {
        // A carry of one comes in from below.
        let ones = vec![u64::MAX; columns];
        xor_public(table, &mut top, &ones);
        return Ok(top);
    }
    g.truncate(below);
    p.truncate(below);
    let (mut count, mut call) = (width - 1, 0);
    while count > 1 {
        let pairs = count / 2;
        let plane = |planes: &[u64], index: usize| {
            planes
                .get(index * columns..(index + 1) * columns)
                .unwrap_or_default()
                .to_vec()
        };
        let (mut x, mut y) = (Vec::new(), Vec::new());
        for pair in 0..pairs {
            x.extend(plane(&p, 2 * pair + 1));
            y.extend(plane(&g, 2 * pair));
        }
        for pair in 1..pairs {
            x.extend(plane(&p, 2 * pair + 1));
            y.extend(plane(&p, 2 * pair));
        }
        let products = and_planes(table, step, call, (&x, &y), (2 * pairs - 1) * columns).await?;
        let (mut next_g, mut next_p) = (Vec::new(), Vec::new());
        for pair in 0..pairs {
            let mut high = plane(&g, 2 * pair + 1);
            high.iter_mut()
                .zip(plane(&products, pair))
                .for_each(|(g, more)| *g ^= more);
            next_g.extend(high);
            let lowest = plane(&p, 0);
            next_p.extend(if pair == 0 {
                lowest
            } else {
                plane(&products, pairs + pair - 1)
            });
        }
        if count % 2 == 1 {
            next_g.extend(plane(&g, count - 1));
            next_p.extend(plane(&p, count - 1));
        }
        (g, p) = (next_g, next_p);
        count -= pairs;
        call += 1;
    }
    top.iter_mut()
        .zip(&g)
        .for_each(|(top, carry)| *top ^= carry);
    Ok(top)
}

async fn difference(
    table: Table<'_>,
    step: u64,
    r: Vec<u64>,
    sum: &[u64],
    width: usize,
    columns: usize,
) -> Result<Vec<u64>, MpcError> {
    let (mut g, mut p) = leaves(table, &r, sum, columns);
    let mut result = p.clone();
    let ones = vec![u64::MAX; columns];
    xor_public(table, result.get_mut(..columns).unwrap_or_default(), &ones);
    let planes = width - 1;
    let at = |index: usize| index * columns..(index + 1) * columns;
    for (level, nodes) in adder_levels(planes).into_iter().enumerate() {
        let (mut x, mut y) = (Vec::new(), Vec::new());
        let mut count = 0;
        for &(node, below, propagates) in &nodes {
            for operand in [Some(&g), propagates.then_some(&p)].into_iter().flatten() {
                x.extend_from_slice(p.get(at(node)).unwrap_or_default());
                y.extend_from_slice(operand.get(at(below)).unwrap_or_default());
                count += 1;
            }
        }
        let products = and_planes(table, step, level as u16, (&x, &y), count * columns).await?;
        let mut products = products.chunks_exact(columns);
        if table.is_server() {
            for &(node, _, propagates) in &nodes {
                let more = products.next().unwrap_or_default();
                g[at(node)]
                    .iter_mut()
                    .zip(more)
                    .for_each(|(g, more)| *g ^= more);
                if propagates {
                    p[at(node)].copy_from_slice(products.next().unwrap_or_default());
                }
            }
        }
    }
    let carried = result.get_mut(columns..).unwrap_or_default();
    carried
        .iter_mut()
        .zip(&g)
        .for_each(|(bit, carry)| *bit ^= carry);
    Ok(result)
}

/// A bit is opened under a dealt one, which is also dealt as a word.
pub(super) fn to_words<W: Word>(table: Table, bits: &Bits) -> Result<Share<W>, MpcError> {
    let (count, planes) = (bits.len(), bits.planes());
    let own: &[u64] = bits.parts().first().map_or(&[], Vec::as_slice);
    let mut result = vec![W::ZERO; if table.is_server() { count * planes } else { 0 }];
    let places: Vec<_> = (0..planes)
        .flat_map(|plane| {
            block_columns(count)
                .enumerate()
                .map(move |block| (plane, block))
        })
        .collect();
    let mut rest = result.as_mut_slice();
    let blocks = places.into_iter().map(|(plane, (index, block))| {
        let length = BLOCK.min(count - index * BLOCK);
        let taken = std::mem::take(&mut rest);
        let (to, after) = taken.split_at_mut(if table.is_server() { length } else { 0 });
        rest = after;
        let at = block.start * planes + plane * block.columns;
        let plane = own.get(at..at + block.columns).unwrap_or_default();
        word_block(table, plane, block.columns, length, to)
    });
    table.session.drive(blocks)?;
    Ok(table.share(count * planes, result))
}

async fn word_block<W: Word>(
    table: Table<'_>,
    plane: &[u64],
    columns: usize,
    length: usize,
    to: &mut [W],
) -> Result<(), MpcError> {
    let step = table.session.step();
    let Role::Server(server) = table.role else {
        let (mut bit, second): (Vec<u64>, Vec<u64>) = (
            table.dealt(0, step, MASK, columns),
            table.dealt(1, step, MASK, columns),
        );
        bit.iter_mut()
            .zip(&second)
            .for_each(|(bit, second)| *bit ^= second);
        let mut words = vec![W::ZERO; length];
        mask_of_plane(table.isa, &bit, &mut words);
        let first: Vec<W> = table.dealt(0, step, WORD, length);
        words
            .iter_mut()
            .zip(&first)
            .for_each(|(word, &first)| *word = word.and(W::ONE).minus(first));
        table.session.send(1, &words)?;
        round().await;
        return Ok(());
    };
    let mut masked: Vec<u64> = table.dealt(server, step, MASK, columns);
    masked
        .iter_mut()
        .zip(plane)
        .for_each(|(mask, bit)| *mask ^= bit);
    table.session.send(1 - server, &masked)?;
    if server == 0 {
        table.session.mask(DEALER, step, WORD, to);
    }
    round().await;
    let other: Vec<u64> = table.session.received(1 - server, columns)?;
    if server == 1 {
        table.session.receive(DEALER, to)?;
    }
    masked
        .iter_mut()
        .zip(&other)
        .for_each(|(mask, other)| *mask ^= other);
    let mut opened = vec![W::ZERO; length];
    mask_of_plane(table.isa, &masked, &mut opened);
    // c + ρ - 2cρ.
    let public = W::from_u64(u64::from(server == 0));
    for (word, &c) in to.iter_mut().zip(&opened) {
        *word = word.xor(c).minus(c).plus(c.and(public));
    }
    Ok(())
}
