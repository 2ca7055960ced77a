//! Uniform polynomials expanded from a seed: what travels in place of the uniform halves.

use hush_ring::{Basis, Modulus, Ntt, Poly};
use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

use crate::Parameters;

/// A uniform polynomial that is a function of the arguments alone.
///
/// The limb with index `i` among all primes of the parameters (the chain and then the special
/// ones) is filled from ChaCha20 with the key `seed` and stream number `first_stream + i`: the
/// residue of a draw `x` of 64 bits is the high word of `q x`, and `x` is dropped when the low word
/// is below `2^64 mod q`, which makes it exactly uniform (Lemire, "Fast Random Integer Generation
/// in an Interval", 2019). The result is public, so rejection tells nothing. A polynomial over
/// fewer limbs is a part of one over more.
#[must_use]
pub fn uniform_polynomial(
    parameters: &Parameters,
    basis: Basis,
    seed: &[u8; 32],
    first_stream: u64,
) -> Poly<Ntt> {
    let mut poly = Poly::unspecified(parameters.ring(), basis);
    parameters.ring().for_each_limb(&mut poly, |limb, words| {
        expand_limb(parameters, (basis, limb), seed, first_stream, words);
    });
    poly
}

/// One limb of [`uniform_polynomial`].
pub(crate) fn expand_limb(
    parameters: &Parameters,
    (basis, limb): (Basis, usize),
    seed: &[u8; 32],
    first_stream: u64,
    out: &mut [u64],
) {
    let ring = parameters.ring();
    let stream = first_stream + ring.modulus_index(basis, limb) as u64;
    expand(seed, stream, ring.modulus_of(basis, limb), out);
}

fn expand(seed: &[u8; 32], stream: u64, modulus: &Modulus, out: &mut [u64]) {
    let mut rng = ChaCha20Rng::from_seed(*seed);
    rng.set_stream(stream);
    let rejected = modulus.value().wrapping_neg() % modulus.value();
    for residue in out {
        *residue = loop {
            let product = u128::from(rng.next_u64()) * u128::from(modulus.value());
            if product as u64 >= rejected {
                break (product >> 64) as u64;
            }
        };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answer() -> Result<(), hush_ring::ModulusError> {
        // The ChaCha20 block of a zero key, counter and stream starts 76 b8 e0 ad a0 f1 3d 90,
        // 40 5d 6a e5 53 86 bd 28.
        let words = [0x903d_f1a0_ade0_b876_u64, 0x28bd_8653_e56a_5d40];
        let modulus = Modulus::new((1 << 40) + 32_769)?;
        let expected = words.map(|x| ((u128::from(x) * u128::from(modulus.value())) >> 64) as u64);
        let mut out = [0; 2];
        expand(&[0; 32], 0, &modulus, &mut out);
        assert_eq!(out, expected);
        Ok(())
    }

    #[test]
    fn uniform_and_independent() -> Result<(), hush_ring::ModulusError> {
        let modulus = Modulus::new((1 << 40) + 32_769)?;
        let (mut first, mut second) = (vec![0; 1 << 14], vec![0; 1 << 14]);
        expand(&[7; 32], 1, &modulus, &mut first);
        expand(&[7; 32], 1 << 16, &modulus, &mut second);
        assert!(first.iter().zip(&second).all(|(a, b)| a != b));
        let mean = first
            .iter()
            .map(|&a| a as f64 / modulus.value() as f64)
            .sum::<f64>()
            / (1 << 14) as f64;
        // Five standard deviations of a mean of 2^14 uniform numbers.
        assert!((mean - 0.5).abs() < 5.0 * 0.2887 / 128.0, "{mean}");
        assert!(first.iter().all(|&a| a < modulus.value()));
        Ok(())
    }
}
