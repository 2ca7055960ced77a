//! Which clients of the directory are asked.

use rand_chacha::ChaCha20Rng;
use rand_core::{RngCore, SeedableRng};

use crate::FederatedError;
use crate::graph::below;

/// How a cohort is drawn.
#[derive(Debug, Clone, Copy, PartialEq)]
#[non_exhaustive]
pub enum Sampling {
    /// So many clients, each as likely as any other.
    Fixed(usize),
    /// Each client by itself with this probability, as accountants of amplification by sampling assume.
    Poisson(f64),
}

/// The cohort that `seed` draws from `available` clients (ascending); the same seed draws the same cohort, so whoever
/// knows it can check the draw.
///
/// # Errors
/// If fewer are available than are to be drawn, or the probability is outside 0..=1.
pub fn cohort(
    available: &[u32],
    sampling: Sampling,
    seed: [u8; 32],
) -> Result<Vec<u32>, FederatedError> {
    let mut rng = ChaCha20Rng::from_seed(blake3::derive_key("hush-federated cohort v1", &seed));
    let fail = |found: String, reason: String| FederatedError::Setting {
        field: "sampling",
        found,
        reason,
    };
    let mut drawn: Vec<u32> = match sampling {
        Sampling::Fixed(count) => {
            if count > available.len() {
                let reason = format!("is more than the {} available clients", available.len());
                return Err(fail(count.to_string(), reason));
            }
            let mut rest = available.to_vec();
            (0..count)
                .map(|_| rest.swap_remove(below(&mut rng, rest.len() as u32) as usize))
                .collect()
        }
        Sampling::Poisson(rate) => {
            if !(0.0..=1.0).contains(&rate) {
                return Err(fail(rate.to_string(), "is no probability".to_owned()));
            }
            let limit = (rate * (1u64 << 53) as f64) as u64;
            available
                .iter()
                .copied()
                .filter(|_| rng.next_u64() >> 11 < limit)
                .collect()
        }
    };
    drawn.sort_unstable();
    Ok(drawn)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cohorts_are_uniform_and_repeatable() {
        let available: Vec<u32> = (10..30).collect();
        let mut counts = [0; 30];
        for round in 0..2000u32 {
            let mut seed = [0; 32];
            seed[..4].copy_from_slice(&round.to_le_bytes());
            let drawn = cohort(&available, Sampling::Fixed(5), seed).unwrap();
            assert_eq!(drawn.len(), 5);
            assert_eq!(drawn, cohort(&available, Sampling::Fixed(5), seed).unwrap());
            drawn
                .iter()
                .for_each(|&client| counts[client as usize] += 1);
        }
        // 500 expected, deviation 19.
        assert!(
            counts[10..].iter().all(|count| (380..620).contains(count)),
            "{counts:?}"
        );
        let poisson = cohort(&available, Sampling::Poisson(1.0), [0; 32]).unwrap();
        assert_eq!(poisson, available);
        assert!(cohort(&available, Sampling::Fixed(21), [0; 32]).is_err());
    }
}
