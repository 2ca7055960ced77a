//! Shamir's secret sharing of 32 bytes over the field of 2^16 elements.

use rand_core::CryptoRng;
use zeroize::{Zeroize, Zeroizing};

use crate::field::{self, LANES, Lanes};

/// A secret or one share of it.
pub(crate) type Secret = Zeroizing<[u8; 32]>;

fn lanes(bytes: &[u8; 32]) -> Lanes {
    std::array::from_fn(|i| u16::from_le_bytes([bytes[2 * i], bytes[2 * i + 1]]))
}

fn bytes(lanes: &Lanes) -> Secret {
    let mut bytes = Zeroizing::new([0; 32]);
    for i in 0..LANES {
        bytes[2 * i..2 * i + 2].copy_from_slice(&lanes[i].to_le_bytes());
    }
    bytes
}

/// The point at which client `index` holds its share. Never zero.
pub(crate) fn point(index: u32) -> u16 {
    u16::try_from(index + 1).expect("settings bound the number of clients")
}

/// Shares of `secret` at `points`, any `threshold` of which rebuild it. Costs `threshold * points` products.
pub(crate) fn split<R: CryptoRng + ?Sized>(
    secret: &[u8; 32],
    threshold: usize,
    points: &[u16],
    rng: &mut R,
) -> Vec<Secret> {
    debug_assert!(points.iter().all(|&point| point != 0));
    let mut coefficients = vec![lanes(secret)];
    let mut random = Zeroizing::new([0; 32]);
    for _ in 1..threshold {
        rng.fill_bytes(random.as_mut());
        coefficients.push(lanes(&random));
    }
    let shares = points
        .iter()
        .map(|&x| {
            let mut value = [0; LANES];
            for coefficient in coefficients.iter().rev() {
                field::multiply(&mut value, x);
                field::add(&mut value, coefficient);
            }
            let share = bytes(&value);
            value.zeroize();
            share
        })
        .collect();
    coefficients
        .iter_mut()
        .for_each(|coefficient| coefficient.zeroize());
    shares
}

/// Rebuilds a secret from shares at distinct points, as many as the threshold was.
pub(crate) fn reconstruct(shares: &[(u16, &Secret)]) -> Secret {
    let mut sum = [0; LANES];
    for (i, (x, share)) in shares.iter().enumerate() {
        // Lagrange's coefficient at zero; subtraction is addition in this field.
        let (mut above, mut below) = (1, 1);
        for (_, (other, _)) in shares.iter().enumerate().filter(|(j, _)| *j != i) {
            above = field::product(above, *other);
            below = field::product(below, other ^ x);
        }
        let mut term = lanes(share);
        field::multiply(&mut term, field::product(above, field::inverse(below)));
        field::add(&mut sum, &term);
        term.zeroize();
    }
    let secret = bytes(&sum);
    sum.zeroize();
    secret
}

#[cfg(test)]
mod tests {
    use super::*;
    use rand_chacha::ChaCha20Rng;
    use rand_core::{RngCore, SeedableRng, TryRngCore};

    #[test]
    fn any_threshold_of_the_shares_rebuild_the_secret_and_fewer_do_not() {
        let seed = rand_core::OsRng.unwrap_err().next_u64();
        println!("seed {seed}");
        let mut rng = ChaCha20Rng::seed_from_u64(seed);
        for (threshold, holders) in [(1, 1), (2, 3), (14, 21), (40, 60)] {
            let mut secret = [0; 32];
            rng.fill_bytes(&mut secret);
            let points: Vec<u16> = (0..holders)
                .map(|i| point(i * 997 % 60_000 + rng.next_u32() % 400))
                .collect();
            if points
                .iter()
                .collect::<std::collections::BTreeSet<_>>()
                .len()
                < points.len()
            {
                continue;
            }
            let shares = split(&secret, threshold, &points, &mut rng);
            let pairs: Vec<_> = points.iter().copied().zip(&shares).collect();
            for start in 0..=holders as usize - threshold {
                assert_eq!(*reconstruct(&pairs[start..start + threshold]), secret);
            }
            if threshold > 1 {
                assert_ne!(*reconstruct(&pairs[..threshold - 1]), secret);
            }
        }
    }
}
