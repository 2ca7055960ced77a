//! Primes that fit a ring: deterministic primality and a deterministic search.

use std::collections::BTreeSet;

use crate::ParametersError;
use crate::security::{MAX_LOG_DEGREE, MIN_LOG_DEGREE};

/// Every modulus is below `2^MAX_BITS`: the widest that the 52-bit multiply-add of AVX-512 and
/// the 53-bit mantissa of a double can reduce lazily.
pub const MAX_BITS: u32 = 50;

/// Every modulus is above `2^MIN_BITS`: the lazy reductions need some room below.
pub const MIN_BITS: u32 = 16;

fn multiply(left: u64, right: u64, modulus: u64) -> u64 {
    (u128::from(left) * u128::from(right) % u128::from(modulus)) as u64
}

fn power(base: u64, mut exponent: u64, modulus: u64) -> u64 {
    let (mut base, mut result) = (base % modulus, 1 % modulus);
    while exponent > 0 {
        if exponent & 1 == 1 {
            result = multiply(result, base, modulus);
        }
        base = multiply(base, base, modulus);
        exponent >>= 1;
    }
    result
}

/// Whether `value` is prime, for every `u64`.
///
/// Miller–Rabin with the first twelve primes as bases, which decides every number below
/// 3.18·10^23 (Sorenson and Webster, "Strong pseudoprimes to twelve prime bases", 2015).
#[must_use]
pub fn is_prime(value: u64) -> bool {
    const BASES: [u64; 12] = [2, 3, 5, 7, 11, 13, 17, 19, 23, 29, 31, 37];
    if value < 2 {
        return false;
    }
    for base in BASES {
        if value.is_multiple_of(base) {
            return value == base;
        }
    }
    let twos = (value - 1).trailing_zeros();
    let odd = (value - 1) >> twos;
    BASES.iter().all(|&base| {
        let mut x = power(base, odd, value);
        if x == 1 || x == value - 1 {
            return true;
        }
        for _ in 1..twos {
            x = multiply(x, x, value);
            if x == value - 1 {
                return true;
            }
        }
        false
    })
}

/// The `count` primes nearest to `2^bits` that are 1 modulo `2N = 2^(log_degree + 1)`, taken
/// alternately below and above so that their product stays near `2^(bits * count)`.
///
/// Never one of `avoid`, never `2^50` or more (so with `bits = 50` all lie below), and never
/// further than a quarter from `2^bits`. The same arguments always give the same primes.
///
/// # Errors
/// [`ParametersError::LogDegree`], or [`ParametersError::NotEnoughPrimes`] when `bits` is
/// outside `max(log_degree + 2, 17)..=50` or that interval holds too few primes.
pub fn ntt_primes(
    log_degree: u32,
    bits: u32,
    count: usize,
    avoid: &BTreeSet<u64>,
) -> Result<Vec<u64>, ParametersError> {
    if !(MIN_LOG_DEGREE..=MAX_LOG_DEGREE).contains(&log_degree) {
        return Err(ParametersError::LogDegree { log_degree });
    }
    let not_enough = ParametersError::NotEnoughPrimes {
        log_degree,
        bits,
        count,
    };
    if bits < (log_degree + 2).max(MIN_BITS + 1) || bits > MAX_BITS {
        return Err(not_enough);
    }
    let (centre, step) = (1u64 << bits, 1u64 << (log_degree + 1));
    let limit = (centre + centre / 4).min(1 << MAX_BITS);
    let usable = |candidate: &u64| !avoid.contains(candidate) && is_prime(*candidate);
    let mut below = (1..)
        .map(|k| centre + 1 - k * step)
        .take_while(|q| *q > centre - centre / 4)
        .filter(usable);
    let mut above = (0..)
        .map(|k| centre + 1 + k * step)
        .take_while(|q| *q < limit)
        .filter(usable);
    let mut primes = Vec::new();
    while primes.len() < count {
        let (low, high) = (below.next(), above.next());
        if low.is_none() && high.is_none() {
            return Err(not_enough);
        }
        primes.extend(low.into_iter().chain(high));
    }
    primes.truncate(count);
    Ok(primes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn primality_agrees_with_trial_division() {
        let by_division = |n: u64| {
            n > 1
                && (2..)
                    .take_while(|d| d * d <= n)
                    .all(|d| !n.is_multiple_of(d))
        };
        for n in 0..20_000 {
            assert_eq!(is_prime(n), by_division(n), "{n}");
        }
    }

    #[test]
    fn primality_of_hard_numbers() {
        // Strong pseudoprimes to the first 9 and 11 prime bases, a Carmichael number, the
        // largest u64 prime, a square of a prime and a product of two near 2^32.
        for composite in [
            3_825_123_056_546_413_051,
            341_550_071_728_321,
            561,
            4_294_967_291 * 4_294_967_291,
            4_294_967_291 * 4_294_967_279,
            u64::MAX,
        ] {
            assert!(!is_prime(composite), "{composite}");
        }
        for prime in [18_446_744_073_709_551_557, 4_294_967_291, 2, 37, 41] {
            assert!(is_prime(prime), "{prime}");
        }
    }

    #[test]
    fn found_primes_fit_the_ring_and_balance() -> Result<(), ParametersError> {
        for (log_degree, bits, count) in [(10, 26, 1), (13, 25, 6), (14, 40, 7), (17, 50, 40)] {
            let primes = ntt_primes(log_degree, bits, count, &BTreeSet::new())?;
            assert_eq!(primes.len(), count);
            assert_eq!(primes.iter().collect::<BTreeSet<_>>().len(), count);
            let mut excess = 0.0;
            for &prime in &primes {
                assert!(is_prime(prime) && prime % (2 << log_degree) == 1 && prime < 1 << 50);
                excess += (prime as f64).log2() - f64::from(bits);
            }
            assert!(excess.abs() < 0.05, "{log_degree} {bits} {excess}");
        }
        Ok(())
    }

    #[test]
    fn avoids_and_gives_up() -> Result<(), ParametersError> {
        let first = ntt_primes(14, 40, 4, &BTreeSet::new())?;
        let second = ntt_primes(14, 40, 4, &first.iter().copied().collect())?;
        assert!(second.iter().all(|prime| !first.contains(prime)));
        for (log_degree, bits, count) in [(16, 20, 20), (16, 17, 1), (12, 51, 1), (9, 30, 1)] {
            assert!(ntt_primes(log_degree, bits, count, &BTreeSet::new()).is_err());
        }
        Ok(())
    }
}
