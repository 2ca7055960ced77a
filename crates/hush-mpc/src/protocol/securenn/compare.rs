//! Signs by private comparison.

use hush_simd::Isa;
use hush_simd::words::{Word, plane_words, planes_of_words};

use crate::MpcError;
use crate::session::{Session, round};
use crate::share::{BLOCK, Bits, Share};

/// The field of the comparison; above 2 + 64, so that sums of 64 differing bits do not wrap to
/// zero. Words of 128 bits need more.
const FIELD: u32 = 67;
const WIDE_FIELD: u32 = 131;

const ASSISTANT: usize = 2;
const OPEN: u16 = 0;
const DIGITS: u16 = 1;
const ANSWER: u16 = 2;
// Of both servers.
const FLIP: u16 = 3;
const FACTORS: u16 = 4;
const ORDER: u16 = 5;
const BLIND: u16 = 6;

/// Evenly between zero and `bound`, from 32 random bits: off by less than 2^-24.
fn below(random: u32, bound: u32) -> u32 {
    ((u64::from(random) * u64::from(bound)) >> 32) as u32
}

pub(super) fn sign<W: Word>(
    session: &Session,
    share: &Share<W>,
    width: u32,
) -> Result<Bits, MpcError> {
    if width > W::BITS {
        return Err(MpcError::Range {
            operation: "sign",
            integer_bits: width - 1,
            fraction_bits: 0,
            available: W::BITS - 1,
        });
    }
    session.operation();
    let count = share.len();
    let x: &[W] = share.parts().first().map_or(&[], Vec::as_slice);
    let mut planes = vec![Vec::new(); count.div_ceil(BLOCK)];
    session.drive(planes.iter_mut().enumerate().map(|(block, to)| async move {
        let range = block * BLOCK..count.min((block + 1) * BLOCK);
        let sizes = Sizes {
            length: range.len(),
            digits: width as usize - 1,
            field: if W::BITS > 64 { WIDE_FIELD } else { FIELD },
        };
        let x = x.get(range).unwrap_or_default();
        *to = if session.party() == ASSISTANT {
            assistant::<W>(session, sizes).await?;
            Vec::new()
        } else {
            server(session, x, sizes).await?
        };
        Ok(())
    }))?;
    let parts = if session.party() == ASSISTANT {
        Vec::new()
    } else {
        vec![planes.concat()]
    };
    Ok(Bits::new(count, 1, parts))
}

#[derive(Clone, Copy)]
struct Sizes {
    length: usize,
    /// Bits below the sign.
    digits: usize,
    field: u32,
}

/// The plane of bits that are the lowest of words.
fn plane(bits: &[u64]) -> Vec<u64> {
    let mut plane = vec![0; plane_words(bits.len())];
    planes_of_words(Isa::active(), bits, &mut plane);
    plane
}

async fn assistant<W: Word>(session: &Session, sizes: Sizes) -> Result<(), MpcError> {
    let Sizes {
        length,
        digits,
        field,
    } = sizes;
    let step = session.step();
    let mut r: Vec<W> = session.masks(0, step, OPEN, length);
    let second: Vec<W> = session.masks(1, step, OPEN, length);
    r.iter_mut()
        .zip(&second)
        .for_each(|(r, &second)| *r = r.plus(second));
    let first: Vec<u32> = session.masks(0, step, DIGITS, length * digits);
    let mut shares = vec![0u8; length * digits];
    for (element, r) in r.iter().enumerate() {
        for digit in 0..digits {
            let place = element * digits + digit;
            let bit = r.right(digit as u32).limb(0) as u32 & 1;
            shares[place] = ((bit + field - below(first[place], field)) % field) as u8;
        }
    }
    session.send_bytes(1, &shares)?;
    round().await;
    round().await;
    let (mut left, mut right) = (vec![0u8; length * digits], vec![0u8; length * digits]);
    session.receive_bytes(0, &mut left)?;
    session.receive_bytes(1, &mut right)?;
    let answers: Vec<u64> = (0..length)
        .map(|element| {
            let range = element * digits..(element + 1) * digits;
            let pairs = left[range.clone()].iter().zip(&right[range]);
            let zeros = pairs.fold(0, |zeros, (&a, &b)| {
                zeros | u64::from((u32::from(a) + u32::from(b)) % field == 0)
            });
            zeros ^ (r[element].right(digits as u32).limb(0) & 1)
        })
        .collect();
    let mut answer = plane(&answers);
    let mask: Vec<u64> = session.masks(0, step, ANSWER, answer.len());
    answer
        .iter_mut()
        .zip(&mask)
        .for_each(|(answer, mask)| *answer ^= mask);
    session.send(1, &answer)?;
    round().await;
    Ok(())
}

async fn server<W: Word>(session: &Session, x: &[W], sizes: Sizes) -> Result<Vec<u64>, MpcError> {
    let Sizes {
        length,
        digits,
        field,
    } = sizes;
    let (me, peer) = (session.party(), 1 - session.party());
    let step = session.step();
    let mut m: Vec<W> = session.masks(ASSISTANT, step, OPEN, length);
    m.iter_mut().zip(x).for_each(|(m, &x)| *m = m.plus(x));
    session.send(peer, &m)?;
    let flips: Vec<u64> = session.masks(peer, step, FLIP, plane_words(length));
    let factors: Vec<u32> = session.masks(peer, step, FACTORS, length * digits);
    let orders: Vec<u32> = session.masks(peer, step, ORDER, length * digits);
    let blinds: Vec<u32> = session.masks(peer, step, BLIND, length * digits);
    round().await;
    let other: Vec<W> = session.received(peer, length)?;
    m.iter_mut()
        .zip(&other)
        .for_each(|(m, &other)| *m = m.plus(other));
    let mut shares = vec![0u8; length * digits];
    if me == 0 {
        let random: Vec<u32> = session.masks(ASSISTANT, step, DIGITS, length * digits);
        shares
            .iter_mut()
            .zip(&random)
            .for_each(|(share, &random)| *share = below(random, field) as u8);
    } else {
        session.receive_bytes(ASSISTANT, &mut shares)?;
    }
    let flip = |element: usize| {
        let columns = plane_words(length);
        flips[element % columns] >> (element / columns) & 1
    };
    // Which of both servers adds what is public.
    let mine = u32::from(me == 0);
    for (element, shares) in shares.chunks_exact_mut(digits).enumerate() {
        let range = element * digits..(element + 1) * digits;
        let random = Randoms {
            factors: &factors[range.clone()],
            order: &orders[range.clone()],
            blinds: &blinds[range],
        };
        compare(
            shares,
            m[element],
            flip(element) as u32,
            field,
            mine,
            random,
        );
    }
    session.send_bytes(ASSISTANT, &shares)?;
    round().await;
    let words = plane_words(length);
    let mut result: Vec<u64> = if me == 0 {
        session.masks(ASSISTANT, step, ANSWER, words)
    } else {
        Vec::new()
    };
    round().await;
    if me == 1 {
        result = session.received(ASSISTANT, words)?;
    } else {
        // The sign bit of the opened word, and the flip.
        let bits: Vec<u64> = m
            .iter()
            .enumerate()
            .map(|(element, m)| (m.right(digits as u32).limb(0) & 1) ^ flip(element))
            .collect();
        result
            .iter_mut()
            .zip(plane(&bits))
            .for_each(|(result, bit)| *result ^= bit);
    }
    Ok(result)
}

/// Randomness of both servers for one element.
struct Randoms<'a> {
    factors: &'a [u32],
    order: &'a [u32],
    blinds: &'a [u32],
}

/// Turns shares of the bits of r into shares of numbers of which one is zero exactly if r > m (or, if
/// `flip`, m + 1 > r), multiplied, blinded and in another order. `m` is known to both servers and
/// uniform, but nothing branches on it.
fn compare<W: Word>(
    shares: &mut [u8],
    m: W,
    flip: u32,
    field: u32,
    mine: u32,
    random: Randoms<'_>,
) {
    let digits = shares.len();
    let kept = if digits as u32 == W::BITS {
        W::ZERO.minus(W::ONE)
    } else {
        W::ONE.left(digits as u32).minus(W::ONE)
    };
    let low = m.and(kept);
    // t = m + 1 if flipped. Where m is all ones there, the answer is yes for every r.
    let t = low.plus(W::from_u64(u64::from(flip)));
    let always = t.right(digits as u32).limb(0) as u32 & 1;
    let mut differ = 0;
    for digit in (0..digits).rev() {
        let bit = t.right(digit as u32).limb(0) as u32 & 1;
        let share = u32::from(shares[digit]);
        // Share of r ^ t, and of t - r + 1 or r - t + 1.
        let xor = if_one(bit, mine + field - share, share) % field;
        let signed = if_one(
            flip,
            share + mine * (field - bit),
            mine * bit + field - share,
        ) % field;
        let number = (signed + mine + differ) % field;
        differ = (differ + xor) % field;
        shares[digit] = number as u8;
    }
    for digit in 0..digits {
        // What is always true has a zero, at a place that the order hides, and ones elsewhere.
        let constant = mine * u32::from(digit != 0);
        let number = if_one(always, constant, u32::from(shares[digit]));
        let factor = 1 + below(random.factors[digit], field - 1);
        let blind = below(random.blinds[digit], field);
        let blinded = number * factor % field + if_one(mine, blind, field - blind);
        shares[digit] = (blinded % field) as u8;
    }
    for digit in (1..digits).rev() {
        // The order is random and common to both servers; it depends on no data.
        shares.swap(digit, below(random.order[digit], digit as u32 + 1) as usize);
    }
}

/// `yes` if the bit is one, without a branch.
#[inline(always)]
fn if_one(bit: u32, yes: u32, no: u32) -> u32 {
    let mask = bit.wrapping_neg();
    (yes & mask) | (no & !mask)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Whether a zero comes out for these bits of r.
    fn answer(r: u64, m: u64, digits: usize, flip: u32, seed: u64) -> bool {
        let word = |index: usize, salt: u64| {
            let digest = blake3::hash(
                &[
                    seed.to_le_bytes(),
                    salt.to_le_bytes(),
                    (index as u64).to_le_bytes(),
                ]
                .concat(),
            );
            u32::from_le_bytes(digest.as_bytes()[..4].try_into().unwrap())
        };
        let words =
            |salt: u64| -> Vec<u32> { (0..digits).map(|index| word(index, salt)).collect() };
        let (factors, order, blinds, first) = (words(0), words(1), words(2), words(3));
        let shares = |server: u32| -> Vec<u8> {
            let mut shares: Vec<u8> = (0..digits)
                .map(|digit| {
                    let bit = (r >> digit & 1) as u32;
                    let own = below(first[digit], FIELD);
                    (if server == 0 {
                        own
                    } else {
                        (bit + FIELD - own) % FIELD
                    }) as u8
                })
                .collect();
            let random = Randoms {
                factors: &factors,
                order: &order,
                blinds: &blinds,
            };
            compare(&mut shares, m, flip, FIELD, u32::from(server == 0), random);
            shares
        };
        let pairs = shares(0).into_iter().zip(shares(1));
        pairs
            .map(|(a, b)| (u32::from(a) + u32::from(b)) % FIELD)
            .filter(|&sum| sum == 0)
            .count()
            == 1
    }

    #[test]
    fn every_pair_of_four_bits_compares_right() {
        for r in 0..16 {
            for m in 0..16 {
                assert_eq!(answer(r, m, 4, 0, r * 16 + m), r > m, "{r} > {m}");
                assert_eq!(answer(r, m, 4, 1, r * 16 + m), r <= m, "{r} <= {m}");
            }
        }
    }
}
