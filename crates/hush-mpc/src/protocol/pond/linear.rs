//! Inputs, opening, products and truncation.

use hush_simd::words::{Word, vectorized};

use super::{DEALER, Role, Table, check_lengths, part};
use crate::MpcError;
use crate::protocol::rep3::most_bits;
use crate::protocol::{BilinearMap, Parties};
use crate::session::round;
use crate::share::{BLOCK, Share};

const LEFT: u16 = 0;
const RIGHT: u16 = 1;
const PRODUCT: u16 = 2;
const OPEN: u16 = 3;
const QUOTIENT: u16 = 4;
const TOP: u16 = 5;

/// A server's input is masked by what both servers know; the dealer's goes to server 1.
pub(super) fn input<W: Word>(
    table: Table,
    owner: usize,
    values: Option<&[W]>,
    count: usize,
) -> Result<Share<W>, MpcError> {
    let party = table.session.party();
    if party == owner {
        check_lengths("values of the owner", count, values.map_or(0, <[W]>::len))?;
    }
    let mut own = vec![W::ZERO; if table.is_server() { count } else { 0 }];
    let mut blocks = own.chunks_mut(BLOCK);
    table
        .session
        .drive((0..count.div_ceil(BLOCK)).map(|block| {
            let own = blocks.next().unwrap_or_default();
            async move {
                let step = table.session.step();
                let range = block * BLOCK..count.min((block + 1) * BLOCK);
                let values = values.map(|values| &values[range.clone()]);
                let minus = |own: &mut [W], values: &[W]| {
                    own.iter_mut()
                        .zip(values)
                        .for_each(|(own, &value)| *own = value.minus(*own));
                };
                if owner != DEALER {
                    if let Role::Server(server) = table.role {
                        table.session.mask(1 - server, step, 0, own);
                        if let (true, Some(values)) = (party == owner, values) {
                            minus(own, values);
                        }
                    }
                    return Ok(());
                }
                match (table.role, values) {
                    (Role::Server(0), _) => table.session.mask(DEALER, step, 0, own),
                    (Role::Dealer, Some(values)) => {
                        let mut rest: Vec<W> = table.dealt(0, step, 0, range.len());
                        minus(&mut rest, values);
                        table.session.send(1, &rest)?;
                    }
                    _ => {}
                }
                round().await;
                if table.role == Role::Server(1) {
                    table.session.receive(DEALER, own)?;
                }
                Ok(())
            }
        }))?;
    Ok(table.share(count, own))
}

pub(super) fn reveal<W: Word>(
    table: Table,
    receivers: Parties,
    share: &Share<W>,
) -> Result<Option<Vec<W>>, MpcError> {
    let count = share.len();
    let mut opened = None;
    table.session.drive([async {
        let party = table.session.party();
        if let Role::Server(server) = table.role {
            for to in [1 - server, DEALER] {
                if receivers.contain(to) {
                    table.session.send(to, part(share))?;
                }
            }
        }
        round().await;
        if receivers.contain(party) {
            let mut sum = if table.is_server() {
                part(share).to_vec()
            } else {
                vec![W::ZERO; count]
            };
            for from in (0..2).filter(|&from| from != party) {
                let other: Vec<W> = table.session.received(from, count)?;
                sum.iter_mut()
                    .zip(&other)
                    .for_each(|(sum, &other)| *sum = sum.plus(other));
            }
            opened = Some(sum);
        }
        Ok(())
    }])?;
    Ok(opened)
}

struct Elementwise(usize);

impl<W: Word> BilinearMap<W> for Elementwise {
    fn length(&self) -> usize {
        self.0
    }

    fn add_into(&self, left: &[W], right: &[W], result: &mut [W]) {
        vectorized(hush_simd::Isa::active(), || {
            for ((sum, &left), &right) in result.iter_mut().zip(left).zip(right) {
                *sum = sum.plus(left.times(right));
            }
        });
    }
}

pub(super) fn multiply<W: Word>(
    table: Table,
    left: &Share<W>,
    right: &Share<W>,
) -> Result<Share<W>, MpcError> {
    let count = left.len();
    let (x, y) = (part(left), part(right));
    let mut result = vec![W::ZERO; if table.is_server() { count } else { 0 }];
    let mut blocks = result.chunks_mut(BLOCK);
    table
        .session
        .drive((0..count.div_ceil(BLOCK)).map(|block| {
            let to = blocks.next().unwrap_or_default();
            let range = block * BLOCK..count.min((block + 1) * BLOCK);
            let length = range.len();
            let (x, y) = (
                x.get(range.clone()).unwrap_or_default(),
                y.get(range).unwrap_or_default(),
            );
            async move { product(table, &Elementwise(length), (x, length), (y, length), to).await }
        }))?;
    Ok(table.share(count, result))
}

pub(super) fn bilinear<W: Word>(
    table: Table,
    map: &dyn BilinearMap<W>,
    left: &Share<W>,
    right: &Share<W>,
) -> Result<Share<W>, MpcError> {
    let mut result = vec![W::ZERO; if table.is_server() { map.length() } else { 0 }];
    let operands = ((part(left), left.len()), (part(right), right.len()));
    table
        .session
        .drive([product(table, map, operands.0, operands.1, &mut result)])?;
    Ok(table.share(map.length(), result))
}

/// Beaver's product: with masks a, b and c = map(a, b), the servers open x - a and y - b.
async fn product<W: Word>(
    table: Table<'_>,
    map: &dyn BilinearMap<W>,
    (x, x_length): (&[W], usize),
    (y, y_length): (&[W], usize),
    to: &mut [W],
) -> Result<(), MpcError> {
    let step = table.session.step();
    let sum = |mut a: Vec<W>, b: &[W]| {
        a.iter_mut().zip(b).for_each(|(a, &b)| *a = a.plus(b));
        a
    };
    let Role::Server(server) = table.role else {
        let mask = |stream: u16, count: usize| {
            let second: Vec<W> = table.dealt(1, step, stream, count);
            sum(table.dealt(0, step, stream, count), &second)
        };
        let mut correction = vec![W::ZERO; map.length()];
        map.add_into(
            &mask(LEFT, x_length),
            &mask(RIGHT, y_length),
            &mut correction,
        );
        let first: Vec<W> = table.dealt(0, step, PRODUCT, map.length());
        correction
            .iter_mut()
            .zip(&first)
            .for_each(|(c, &first)| *c = c.minus(first));
        table.session.send(1, &correction)?;
        round().await;
        return Ok(());
    };
    let (a, b): (Vec<W>, Vec<W>) = (
        table.dealt(server, step, LEFT, x_length),
        table.dealt(server, step, RIGHT, y_length),
    );
    let masked =
        |x: &[W], a: &[W]| -> Vec<W> { x.iter().zip(a).map(|(&x, &a)| x.minus(a)).collect() };
    let (e, f) = (masked(x, &a), masked(y, &b));
    table.session.send(1 - server, &e)?;
    table.session.send(1 - server, &f)?;
    round().await;
    let e = sum(table.session.received(1 - server, x_length)?, &e);
    let f = sum(table.session.received(1 - server, y_length)?, &f);
    if server == 0 {
        table.session.mask(DEALER, step, PRODUCT, to);
        // e·f and e·b at once.
        map.add_into(&e, &sum(b, &f), to);
    } else {
        table.session.receive(DEALER, to)?;
        map.add_into(&e, &b, to);
    }
    map.add_into(&a, &f, to);
    Ok(())
}

/// As in [`crate::protocol::rep3`], with a mask that both servers' seeds add up to.
pub(super) fn truncate<W: Word>(
    table: Table,
    share: &Share<W>,
    bits: u32,
) -> Result<Share<W>, MpcError> {
    if bits > most_bits::<W>() {
        return Err(MpcError::Range {
            operation: "truncate",
            integer_bits: 0,
            fraction_bits: bits,
            available: most_bits::<W>(),
        });
    }
    let count = share.len();
    let x = part(share);
    let mut result = vec![W::ZERO; if table.is_server() { count } else { 0 }];
    let mut blocks = result.chunks_mut(BLOCK);
    table
        .session
        .drive((0..count.div_ceil(BLOCK)).map(|block| {
            let to = blocks.next().unwrap_or_default();
            let range = block * BLOCK..count.min((block + 1) * BLOCK);
            let length = range.len();
            let x = x.get(range).unwrap_or_default();
            truncate_block(table, x, length, bits, to)
        }))?;
    Ok(table.share(count, result))
}

async fn truncate_block<W: Word>(
    table: Table<'_>,
    x: &[W],
    length: usize,
    bits: u32,
    to: &mut [W],
) -> Result<(), MpcError> {
    let step = table.session.step();
    let top = W::BITS - 1;
    let Role::Server(server) = table.role else {
        let (first, second): (Vec<W>, Vec<W>) = (
            table.dealt(0, step, OPEN, length),
            table.dealt(1, step, OPEN, length),
        );
        let mut quotients: Vec<W> = table.dealt(0, step, QUOTIENT, length);
        let mut tops: Vec<W::Half> = table.dealt(0, step, TOP, length);
        let low = W::ONE.left(top).minus(W::ONE);
        for index in 0..length {
            let r = first[index].plus(second[index]);
            quotients[index] = r.and(low).right(bits).plus(quotients[index]).negative();
            tops[index] = W::Half::from_u64(r.right(top).limb(0)).minus(tops[index]);
        }
        table.session.send(1, &quotients)?;
        table.session.send(1, &tops)?;
        round().await;
        return Ok(());
    };
    let mut m: Vec<W> = table.dealt(server, step, OPEN, length);
    m.iter_mut().zip(x).for_each(|(m, &x)| *m = m.plus(x));
    table.session.send(1 - server, &m)?;
    let mut tops: Vec<W::Half> = if server == 0 {
        table.dealt(0, step, TOP, length)
    } else {
        Vec::new()
    };
    if server == 0 {
        table.session.mask(DEALER, step, QUOTIENT, to);
    }
    round().await;
    let other: Vec<W> = table.session.received(1 - server, length)?;
    if server == 1 {
        table.session.receive(DEALER, to)?;
        tops = table.session.received(DEALER, length)?;
    }
    let offset = W::ONE.left(W::BITS - 2);
    let center = offset.right(bits);
    // Server 0 adds what is public.
    let public = W::mask(u64::from(server == 0));
    vectorized(table.isa, || {
        let opened = m.iter().zip(&other).zip(&tops);
        for (to, ((&m, &other), &bit)) in to.iter_mut().zip(opened) {
            let sum = m.plus(other).plus(offset);
            let term = W::from_u64(bit.limb(0)).left(top - bits);
            let flip = W::mask(sum.right(top).limb(0));
            let quotient = sum.right(bits).minus(center).and(public);
            *to = to.plus(quotient).plus(term.xor(flip).minus(flip));
        }
    });
    Ok(())
}
