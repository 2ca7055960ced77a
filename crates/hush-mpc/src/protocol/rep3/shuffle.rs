//! Rows in an order that no party knows: three permutations, each known to two parties.
//!
//! For each pair in turn: the pair holds the words as a sum of two summands, permutes both by an order
//! that only it knows, and makes fresh shares of them. Laur, Willemson and Zhang, ISC 2011.

use hush_simd::words::Word;

use super::Ring;
use crate::MpcError;
use crate::protocol::check_rows;
use crate::session::round;
use crate::share::Share;

const ORDER: u16 = 0;
const FIRST: u16 = 1;
const SECOND: u16 = 2;

/// A random order of so many rows from words that both of a pair know.
pub(in crate::protocol) fn order(words: &[u64]) -> Vec<usize> {
    let mut order: Vec<usize> = (0..words.len()).collect();
    for (place, &word) in words.iter().enumerate().rev() {
        // The bias is below rows / 2^64.
        let other = (u128::from(word) * (place as u128 + 1)) >> 64;
        order.swap(place, other as usize);
    }
    order
}

pub(in crate::protocol) fn permuted<W: Word>(words: &[W], order: &[usize], row: usize) -> Vec<W> {
    order
        .iter()
        .flat_map(|&from| &words[from * row..(from + 1) * row])
        .copied()
        .collect()
}

pub(super) fn shuffle<W: Word>(
    ring: Ring,
    share: &Share<W>,
    row: usize,
) -> Result<Share<W>, MpcError> {
    check_rows(share.len(), row)?;
    let mut share = share.clone();
    for first in 0..3 {
        let mut result = None;
        ring.session
            .drive([pass(ring, first, &share, row, &mut result)])?;
        share = result.unwrap_or(share);
    }
    Ok(share)
}

/// Parties `first` and `first + 1` permute.
async fn pass<W: Word>(
    ring: Ring<'_>,
    first: usize,
    share: &Share<W>,
    row: usize,
    result: &mut Option<Share<W>>,
) -> Result<(), MpcError> {
    let step = ring.session.step();
    let (second, third) = ((first + 1) % 3, (first + 2) % 3);
    let (x, length) = (share.parts(), share.len());
    let party = ring.party();
    if party == third {
        // Parts `third` and `first`, each common with one of the pair.
        let with_second = ring.session.masks(second, step, SECOND, length);
        let with_first = ring.session.masks(first, step, FIRST, length);
        round().await;
        *result = Some(Share::new(length, vec![with_second, with_first]));
        return Ok(());
    }
    let peer = if party == first { second } else { first };
    let summand: Vec<W> = if party == first {
        x[0].iter().zip(&x[1]).map(|(&a, &b)| a.plus(b)).collect()
    } else {
        x[1].clone()
    };
    let order = order(&ring.session.masks(peer, step, ORDER, length / row));
    let mut own = permuted(&summand, &order, row);
    let stream = if party == first { FIRST } else { SECOND };
    let with_third: Vec<W> = ring.session.masks(third, step, stream, length);
    own.iter_mut()
        .zip(&with_third)
        .for_each(|(own, &mask)| *own = own.minus(mask));
    ring.session.send(peer, &own)?;
    round().await;
    let mut common: Vec<W> = ring.session.received(peer, length)?;
    common
        .iter_mut()
        .zip(&own)
        .for_each(|(sum, &own)| *sum = sum.plus(own));
    // The pair holds part `first + 1`; with the third party each holds one more.
    let parts = if party == first {
        vec![with_third, common]
    } else {
        vec![common, with_third]
    };
    *result = Some(Share::new(length, parts));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::order;

    #[test]
    fn every_order_of_three_comes_up_and_is_one() {
        let mut seen = std::collections::BTreeSet::new();
        for seed in 0..200u64 {
            let digest = blake3::hash(&seed.to_le_bytes());
            let word =
                |i: usize| u64::from_le_bytes(digest.as_bytes()[8 * i..][..8].try_into().unwrap());
            let order = order(&[word(0), word(1), word(2)]);
            let mut sorted = order.clone();
            sorted.sort_unstable();
            assert_eq!(sorted, [0, 1, 2]);
            seen.insert(order);
        }
        assert_eq!(seen.len(), 6);
    }
}
