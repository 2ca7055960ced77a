//! How much noise each CKKS operation adds, as standard deviations in slots.
//!
//! Notation: ring degree N, slots n, ternary uniform secret (h = 2N/3 non-zero coefficients on average), error
//! σ = 3.19. A polynomial with independent coefficients of standard deviation s has real slot parts of standard
//! deviation s·√n: a message of n values lives in the subring of 2n coefficients, products by messages keep the
//! rest outside, and decoding projects onto it. All results are absolute; divide by the scale for message units.
//! Formulas: Costache, Curtis, Hales, Murphy, Ogilvie, Player, "On the precision loss in approximate homomorphic
//! encryption" (ePrint 2022/162), sections 3 and 4; key switching after Han and Ki (ePrint 2019/688), section 3.

use crate::program::ParameterSpec;

/// Standard deviation of the error distribution.
pub const ERROR_DEVIATION: f64 = 3.19;

/// Modelled noise for one set of parameters and one number of slots.
#[derive(Clone, Debug)]
pub struct NoiseModel {
    degree: f64,
    root_slots: f64,
    log_moduli: Vec<f64>,
    special: usize,
    log_special: f64,
}

impl NoiseModel {
    /// The model for `slots` cyclic slots under `parameters`.
    pub fn new(parameters: &ParameterSpec, slots: usize) -> Self {
        let logs = |primes: &[u64]| {
            primes
                .iter()
                .map(|&prime| (prime as f64).log2())
                .collect::<Vec<_>>()
        };
        Self {
            degree: parameters.degree() as f64,
            root_slots: (slots as f64).sqrt(),
            log_moduli: logs(&parameters.moduli),
            special: parameters.special_moduli.len(),
            log_special: logs(&parameters.special_moduli).iter().sum(),
        }
    }

    /// Symmetric encryption: one error polynomial.
    pub fn fresh(&self) -> f64 {
        ERROR_DEVIATION * self.root_slots
    }

    /// Rounding the coefficients of an encoded plaintext.
    pub fn encoding(&self) -> f64 {
        (1.0f64 / 12.0).sqrt() * self.root_slots
    }

    /// Rounding the coefficients of real weights: the runtime encodes them so that the imaginary part of every slot is
    /// exactly zero, and the real part has all of the error.
    pub fn real_encoding(&self) -> f64 {
        std::f64::consts::SQRT_2 * self.encoding()
    }

    /// Rescaling: both halves are rounded, one of them is multiplied by the secret.
    pub fn rescale(&self) -> f64 {
        ((1.0 + 2.0 * self.degree / 3.0) / 12.0).sqrt() * self.root_slots
    }

    /// The part of key switching at `level` that comes from the key's errors, after the division by P.
    pub fn switch_error(&self, level: usize) -> f64 {
        let digit = self.special.max(1);
        let limbs = &self.log_moduli[..=level.min(self.log_moduli.len() - 1)];
        let variance: f64 = limbs
            .chunks(digit)
            .map(|digit| {
                let bits: f64 = digit.iter().sum::<f64>() - self.log_special;
                // Fast base conversion overshoots by up to `len - 1` multiples of the digit.
                let overshoot = (digit.len() * digit.len()) as f64;
                self.degree * (2.0 * bits).exp2() / 12.0 * overshoot
            })
            .sum();
        variance.sqrt() * ERROR_DEVIATION * self.root_slots
    }

    /// A whole key switch at `level`: key errors, and the rounding of the division by P.
    pub fn switch(&self, level: usize) -> f64 {
        let rounding = self.rescale() * self.special.max(1) as f64;
        self.switch_error(level).hypot(rounding)
    }

    /// log2 of the product of the chain up to `level`.
    pub fn log_modulus(&self, level: usize) -> f64 {
        self.log_moduli.iter().take(level + 1).sum()
    }

    /// log2 of q_level.
    pub fn log_prime(&self, level: usize) -> f64 {
        self.log_moduli.get(level).copied().unwrap_or(0.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rescaling_at_degree_8192_rounds_by_about_1365_slot_units() {
        let parameters = ParameterSpec {
            log_degree: 13,
            moduli: vec![1 << 30, 1 << 25, 1 << 25],
            special_moduli: vec![1 << 32],
        };
        let full = NoiseModel::new(&parameters, 4096);
        assert!((full.rescale() - 1365.0).abs() < 2.0, "{}", full.rescale());
        let sparse = NoiseModel::new(&parameters, 1024);
        assert!((full.rescale() / sparse.rescale() - 2.0).abs() < 1e-9);
        assert!(full.switch_error(2) < full.rescale());
    }
}
