//! From residues to floats: Chinese remainder composition without large integers.
//!
//! Garner's algorithm with digits centred around zero writes `c` uniquely as
//! `v_0 + v_1 q_0 + v_2 q_0 q_1 + ...` with `|v_i| < q_i / 2`, and these sums are exactly the `c`
//! of `(-Q/2, Q/2)`; so small numbers of either sign have only zeros as high digits, and once
//! every remaining residue is zero the rest of the digits are zero as well, whatever the level.
//!
//! Precision. `t_i = v_i + q_i t_(i+1)` is evaluated from the top in `f64`. Each `t_i` is an
//! integer. If `t_(i+1)` is not zero then `|t_i| >= q_i |t_(i+1)| - q_i / 2 >= q_i |t_(i+1)| / 2`,
//! with factor `1 - 1/(2 |t_(i+1)|)` in place of `1/2` in general. So an addition loses at most a
//! factor 2 of relative precision when `|t_(i+1)| = 1` (where nothing was rounded before), and
//! less than `1 + 1/q_i` everywhere above. A step adds two roundings, so the result is right to
//! `2^-52 (limbs + 1)` relative: `2^-46` for sixty limbs, where a single limb is exact.

/// The centred integers with the given residues, limb by limb, as floats.
///
/// All limbs have one length; residues are canonical. Time is proportional to the limbs times the
/// digits that the largest number needs.
pub(crate) fn compose(moduli: &[u64], mut limbs: Vec<Vec<u64>>) -> Vec<f64> {
    debug_assert_eq!(moduli.len(), limbs.len());
    let Some(length) = limbs.first().map(Vec::len) else {
        return Vec::new();
    };
    let mut digits: Vec<Vec<i64>> = Vec::new();
    for (index, &modulus) in moduli.iter().enumerate() {
        let (settled, rest) = limbs.split_at_mut(index + 1);
        let digit: Vec<i64> = settled[index]
            .iter()
            .map(|&residue| centre(residue, modulus))
            .collect();
        let mut remaining = 0;
        for (limb, &other) in rest.iter_mut().zip(&moduli[index + 1..]) {
            let inverse = Factor::new(inverse(modulus % other, other), other);
            let signed = other as i64;
            for (residue, &digit) in limb.iter_mut().zip(&digit) {
                let difference = *residue as i64 - digit % signed;
                let difference = difference + (signed & (difference >> 63));
                *residue = inverse.times(difference as u64);
                remaining |= *residue;
            }
        }
        digits.push(digit);
        if remaining == 0 {
            break;
        }
    }
    let mut values = vec![0.0; length];
    for (digit, &modulus) in digits.iter().zip(moduli).rev() {
        for (value, &digit) in values.iter_mut().zip(digit) {
            *value = *value * modulus as f64 + digit as f64;
        }
    }
    values
}

fn centre(residue: u64, modulus: u64) -> i64 {
    if residue > modulus / 2 {
        residue as i64 - modulus as i64
    } else {
        residue as i64
    }
}

/// A constant factor modulo `q < 2^62`, after Shoup: one wide product per multiplication.
struct Factor {
    value: u64,
    quotient: u64,
    modulus: u64,
}

impl Factor {
    fn new(value: u64, modulus: u64) -> Self {
        let quotient = ((u128::from(value) << 64) / u128::from(modulus)) as u64;
        Self {
            value,
            quotient,
            modulus,
        }
    }

    /// The canonical product with any word.
    fn times(&self, other: u64) -> u64 {
        let estimate = ((u128::from(self.quotient) * u128::from(other)) >> 64) as u64;
        let product = self
            .value
            .wrapping_mul(other)
            .wrapping_sub(estimate.wrapping_mul(self.modulus));
        product.min(product.wrapping_sub(self.modulus))
    }
}

/// The inverse of `value` modulo a prime, by the extended Euclidean algorithm.
fn inverse(value: u64, prime: u64) -> u64 {
    let (mut r, mut next_r) = (prime as i64, value as i64);
    let (mut t, mut next_t) = (0i64, 1i64);
    while next_r != 0 {
        let quotient = r / next_r;
        (r, next_r) = (next_r, r - quotient * next_r);
        (t, next_t) = (next_t, t - quotient * next_t);
    }
    t.rem_euclid(prime as i64) as u64
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::encoder::integers::residue_of_float;
    use crate::primes::ntt_primes;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn inverts(value in 1u64..1_125_899_906_826_241, other: u64) {
            let prime = 1_125_899_906_826_241;
            let factor = Factor::new(inverse(value, prime), prime);
            prop_assert_eq!(factor.times(value), 1);
            let exact = u128::from(factor.value) * u128::from(other) % u128::from(prime);
            prop_assert_eq!(u128::from(factor.times(other)), exact);
        }

        #[test]
        fn recovers_any_float_at_thirty_limbs(
            mantissa in -(1i64 << 53)..(1i64 << 53),
            exponent in 0i32..900,
        ) {
            let mut moduli = ntt_primes(14, 50, 1, &BTreeSet::new()).unwrap();
            moduli.extend(ntt_primes(14, 40, 29, &BTreeSet::new()).unwrap());
            let value = mantissa as f64 * 2f64.powi(exponent);
            let limbs = moduli.iter().map(|&q| vec![residue_of_float(value, q)]).collect();
            let composed = compose(&moduli, limbs)[0];
            prop_assert!(
                (composed - value).abs() <= value.abs() * 2f64.powi(-47),
                "{} {}", value, composed
            );
        }
    }

    #[test]
    fn exact_up_to_the_middle_of_the_modulus() {
        let moduli = [65537u64, 786_433];
        let product = 65537i64 * 786_433;
        for value in [0, 1, -1, 32768, -32768, 32769, product / 2, -(product / 2)] {
            let limbs = moduli
                .iter()
                .map(|&q| vec![value.rem_euclid(q as i64) as u64])
                .collect();
            assert_eq!(compose(&moduli, limbs), [value as f64]);
        }
    }
}
