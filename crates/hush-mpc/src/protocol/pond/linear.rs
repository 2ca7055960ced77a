//! Inputs, opening, products and truncation.

use hush_simd::words::{Word, vectorized};

use super::super::check_lengths;
use super::{DEALER, Role, Table, part};
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
            async move {
                product(
                    table,
                    &Elementwise(length),
                    (x, length),
                    (Factor::Fresh(y), length),
                    to,
                )
                .await
            }
        }))?;
    Ok(table.share(count, result))
}

/// The right factor of a product.
#[derive(Clone, Copy)]
pub(super) enum Factor<'a, W> {
    /// A server's part.
    Fresh(&'a [W]),
    /// The masks under which it was opened (a server's part, or all at the dealer), and what the
    /// servers opened.
    Prepared(&'a [W], &'a [W]),
}

pub(super) fn bilinear<W: Word>(
    table: Table,
    map: &dyn BilinearMap<W>,
    left: &Share<W>,
    right: (Factor<'_, W>, usize),
) -> Result<Share<W>, MpcError> {
    let mut result = vec![W::ZERO; if table.is_server() { map.length() } else { 0 }];
    let left = (part(left), left.len());
    table
        .session
        .drive([product(table, map, left, right, &mut result)])?;
    Ok(table.share(map.length(), result))
}

/// Opens a share under masks that stay; gives the masks as [`Factor::Prepared`] has them, and the opened
/// words at the servers.
pub(super) fn prepare<W: Word>(
    table: Table,
    share: &Share<W>,
) -> Result<(Vec<W>, Vec<W>), MpcError> {
    let step = table.session.step();
    let count = share.len();
    let masks = match table.role {
        Role::Server(server) => table.dealt(server, step, RIGHT, count),
        Role::Dealer => {
            let second: Vec<W> = table.dealt(1, step, RIGHT, count);
            summed(table.dealt(0, step, RIGHT, count), &second)
        }
    };
    let mut opened = Vec::new();
    table.session.drive([async {
        let Role::Server(server) = table.role else {
            round().await;
            return Ok(());
        };
        let masked = masked(part(share), &masks);
        table.session.send(1 - server, &masked)?;
        round().await;
        opened = summed(table.session.received(1 - server, count)?, &masked);
        Ok(())
    }])?;
    Ok((masks, opened))
}

fn summed<W: Word>(mut a: Vec<W>, b: &[W]) -> Vec<W> {
    a.iter_mut().zip(b).for_each(|(a, &b)| *a = a.plus(b));
    a
}

fn masked<W: Word>(x: &[W], mask: &[W]) -> Vec<W> {
    x.iter()
        .zip(mask)
        .map(|(&x, &mask)| x.minus(mask))
        .collect()
}

/// Beaver's product: with masks a, b and c = map(a, b), the servers open x - a and y - b.
async fn product<W: Word>(
    table: Table<'_>,
    map: &dyn BilinearMap<W>,
    (x, x_length): (&[W], usize),
    (y, y_length): (Factor<'_, W>, usize),
    to: &mut [W],
) -> Result<(), MpcError> {
    let step = table.session.step();
    let Role::Server(server) = table.role else {
        let mask = |stream: u16, count: usize| {
            let second: Vec<W> = table.dealt(1, step, stream, count);
            summed(table.dealt(0, step, stream, count), &second)
        };
        let mut correction = vec![W::ZERO; map.length()];
        let a = mask(LEFT, x_length);
        match y {
            Factor::Fresh(_) => map.add_into(&a, &mask(RIGHT, y_length), &mut correction),
            Factor::Prepared(b, _) => map.add_into(&a, b, &mut correction),
        }
        let first: Vec<W> = table.dealt(0, step, PRODUCT, map.length());
        let correction = masked(&correction, &first);
        table.session.send(1, &correction)?;
        round().await;
        return Ok(());
    };
    let a: Vec<W> = table.dealt(server, step, LEFT, x_length);
    let e = masked(x, &a);
    table.session.send(1 - server, &e)?;
    let fresh = match y {
        Factor::Fresh(y) => {
            let b = table.dealt(server, step, RIGHT, y_length);
            let f = masked(y, &b);
            table.session.send(1 - server, &f)?;
            Some((b, f))
        }
        Factor::Prepared(..) => None,
    };
    round().await;
    let e = summed(table.session.received(1 - server, x_length)?, &e);
    let fresh = match fresh {
        Some((b, f)) => Some((b, summed(table.session.received(1 - server, y_length)?, &f))),
        None => None,
    };
    let (b, f) = match (y, &fresh) {
        (_, Some((b, f))) => (&b[..], &f[..]),
        (Factor::Prepared(b, f), None) => (b, f),
        (Factor::Fresh(_), None) => (&[][..], &[][..]),
    };
    if server == 0 {
        table.session.mask(DEALER, step, PRODUCT, to);
        // e·f and e·b at once.
        map.add_into(&e, &summed(b.to_vec(), f), to);
    } else {
        table.session.receive(DEALER, to)?;
        map.add_into(&e, b, to);
    }
    map.add_into(&a, f, to);
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
