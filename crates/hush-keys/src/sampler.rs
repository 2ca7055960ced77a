//! Secret distributions, sampled in constant time: one 64-bit draw per coefficient, no rejection,
//! no branch.

use hush_ring::{Basis, Ntt, Poly, Ring};
use rand_core::CryptoRng;
use zeroize::Zeroizing;

/// Pairs of bits per error coefficient.
const PAIRS: u32 = 21;

/// Standard deviation of an encryption error, `sqrt(21 / 2) = 3.24`: a centred binomial of 21 bit
/// pairs, just above the 3.19 that the security table assumes. No coefficient exceeds 21.
pub const ERROR_DEVIATION: f64 = 3.240_370_349_203_93;

/// Uniform coefficients in -1, 0, 1. The bias is below `2^-62`: the high word of `3 x` for a
/// uniform 64-bit `x`.
pub(crate) fn ternary(count: usize, rng: &mut (impl CryptoRng + ?Sized)) -> Zeroizing<Vec<i8>> {
    sample(count, rng, |draw| ((u128::from(draw) * 3) >> 64) as i8 - 1)
}

/// Coefficients of a centred binomial distribution of standard deviation [`ERROR_DEVIATION`].
pub(crate) fn error(count: usize, rng: &mut (impl CryptoRng + ?Sized)) -> Zeroizing<Vec<i8>> {
    const MASK: u64 = (1 << PAIRS) - 1;
    sample(count, rng, |draw| {
        (draw & MASK).count_ones() as i8 - ((draw >> PAIRS) & MASK).count_ones() as i8
    })
}

fn sample(
    count: usize,
    rng: &mut (impl CryptoRng + ?Sized),
    coefficient: impl Fn(u64) -> i8,
) -> Zeroizing<Vec<i8>> {
    let mut coefficients = Zeroizing::new(vec![0; count]);
    let mut draws = Zeroizing::new([0u8; 8 * 256]);
    for block in coefficients.chunks_mut(256) {
        rng.fill_bytes(&mut *draws);
        let words = draws.as_chunks::<8>().0;
        for (out, word) in block.iter_mut().zip(words) {
            *out = coefficient(u64::from_le_bytes(*word));
        }
    }
    coefficients
}

/// The polynomial with these small secret coefficients, wiped when dropped.
pub(crate) fn secret_polynomial(
    ring: &Ring,
    basis: Basis,
    coefficients: &[i8],
) -> Zeroizing<Poly<Ntt>> {
    let poly = ring.from_residues(coefficients.len(), basis, |modulus, index| {
        let value = i64::from(coefficients[index]);
        (value + (modulus.value() as i64 & (value >> 63))) as u64
    });
    Zeroizing::new(ring.forward(poly))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hush_testkit::TestRng;

    const COUNT: usize = 1 << 18;

    fn moment(samples: &[i8], power: i32) -> f64 {
        samples
            .iter()
            .map(|&x| f64::from(x).powi(power))
            .sum::<f64>()
            / samples.len() as f64
    }

    /// Six standard deviations of a mean of `COUNT` samples with this variance.
    fn tolerance(variance: f64) -> f64 {
        6.0 * (variance / COUNT as f64).sqrt()
    }

    #[test]
    fn ternary_is_uniform() {
        let samples = ternary(COUNT, &mut TestRng::new());
        for value in -1..=1 {
            let share = samples.iter().filter(|&&x| x == value).count() as f64 / COUNT as f64;
            assert!(
                (share - 1.0 / 3.0).abs() < tolerance(2.0 / 9.0),
                "{value}: {share}"
            );
        }
    }

    #[test]
    fn error_has_the_moments_of_the_binomial() {
        let samples = error(COUNT, &mut TestRng::new());
        let variance = f64::from(PAIRS) / 2.0;
        assert!((variance.sqrt() - ERROR_DEVIATION).abs() < 1e-14);
        assert!(moment(&samples, 1).abs() < tolerance(variance));
        // Fourth moment of a sum of 42 signs halved: 3 v^2 - v/2; the mean square varies by
        // fourth moment less v^2.
        let fourth = 3.0 * variance * variance - variance / 2.0;
        assert!((moment(&samples, 2) - variance).abs() < tolerance(fourth - variance * variance));
        assert!(moment(&samples, 3).abs() < tolerance(15.0 * variance.powi(3)));
        assert!((moment(&samples, 4) - fourth).abs() < tolerance(105.0 * variance.powi(4)));
        assert!(samples.iter().all(|x| x.abs() <= 21));
    }

    #[test]
    fn consumption_does_not_depend_on_the_outcome() {
        use rand_core::RngCore;
        let (mut first, mut second) = (TestRng::from_seed(1), TestRng::from_seed(1));
        ternary(1000, &mut first);
        error(1000, &mut second);
        assert_eq!(first.next_u64(), second.next_u64());
    }

    #[test]
    fn odd_counts() {
        assert_eq!(ternary(300, &mut TestRng::new()).len(), 300);
    }
}
