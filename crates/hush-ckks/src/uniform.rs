//! Uniform polynomials expanded from a seed: what travels in place of the uniform halves.

use hush_ring::Modulus;
use hush_ring::sample::uniform_residues;
use rand_chacha::ChaCha20Rng;
use rand_core::SeedableRng;

/// Fills `out` with uniform residues of `modulus`, a function of the arguments alone.
///
/// ChaCha20 with the given key and stream number; a draw of 64 bits is cut to the bits of the
/// modulus and rejected unless below it. The result is public, so rejection tells nothing. Streams
/// are independent: expand any part, in any order, on any thread.
pub fn expand_uniform(seed: &[u8; 32], stream: u64, modulus: &Modulus, out: &mut [u64]) {
    let mut rng = ChaCha20Rng::from_seed(*seed);
    rng.set_stream(stream);
    uniform_residues(modulus, &mut rng, out);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_answer() -> Result<(), hush_ring::ModulusError> {
        // The ChaCha20 block of a zero key, counter and stream starts 76 b8 e0 ad a0 f1 3d 90,
        // 40 5d 6a e5 53 86 bd 28; cut to 49 bits, both words are below this modulus.
        let modulus = Modulus::new((1 << 49) - 1)?;
        let mut out = [0; 2];
        expand_uniform(&[0; 32], 0, &modulus, &mut out);
        assert_eq!(
            out,
            [
                0x903d_f1a0_ade0_b876 & ((1 << 49) - 1),
                0x28bd_8653_e56a_5d40 & ((1 << 49) - 1)
            ]
        );
        Ok(())
    }

    #[test]
    fn uniform_and_independent() -> Result<(), hush_ring::ModulusError> {
        let modulus = Modulus::new((1 << 40) + 32_769)?;
        let (mut first, mut second) = (vec![0; 1 << 14], vec![0; 1 << 14]);
        expand_uniform(&[7; 32], 1, &modulus, &mut first);
        expand_uniform(&[7; 32], 1 << 16, &modulus, &mut second);
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
