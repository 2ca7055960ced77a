//! How much privacy many rounds of noise leave, by Rényi differential privacy.
//!
//! The sampled Gaussian mechanism: Mironov, Talwar and Zhang, "Rényi Differential Privacy of the Sampled Gaussian
//! Mechanism" (2019), section 3.3, integer orders. Conversion to (ε, δ): Canonne, Kamath and Steinke (2020),
//! proposition 12. Sums of discrete Gaussians of several clients: Kairouz, Liu and Steinke, "The Distributed Discrete
//! Gaussian Mechanism for Federated Learning with Secure Aggregation" (ICML 2021), theorem 1.

use crate::FederatedError;

/// Orders at which divergence is tracked.
const ORDERS: std::ops::RangeInclusive<u32> = 2..=256;

/// Divergence so far, by order. Neighbouring data sets differ by adding or removing one client.
#[derive(Debug, Clone, PartialEq)]
pub struct Accountant(Vec<f64>);

/// A round's noise in the sum that the server sees.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Round {
    /// Deviation of the noise divided by the most that one client moves the sum.
    pub noise_multiplier: f64,
    /// Probability by which each client takes part (Poisson sampling); 1 where all do.
    pub sampling_rate: f64,
}

/// The noise multiplier of a sum to which at least `clients` honest clients each add discrete Gaussian noise of
/// `variance`, where one client moves a vector of `values` levels by `sensitivity`. Only survivors that do not work
/// with the server count: with a quorum of q and c colluding clients, q - c.
///
/// It is smaller than that of one Gaussian by what sums of discrete Gaussians differ from one, which is nothing to
/// speak of where the variance is above 10.
pub fn distributed_noise_multiplier(
    variance: u64,
    clients: usize,
    sensitivity: f64,
    values: usize,
) -> f64 {
    let variance = variance as f64;
    // With rho = epsilon^2 / 2 concentrated privacy, a Gaussian of noise multiplier 1 / epsilon does the same.
    let closeness: f64 = (1..clients)
        .map(|k| {
            let k = k as f64;
            let pi = std::f64::consts::PI;
            (-2.0 * pi * pi * variance * k / (k + 1.0)).exp()
        })
        .sum::<f64>()
        * 10.0;
    let values = values as f64;
    let ratio = sensitivity / (clients as f64 * variance).sqrt();
    let one = (ratio * ratio + closeness * values / 2.0).sqrt();
    let other = ratio + closeness * values.sqrt();
    1.0 / one.min(other)
}

impl Default for Accountant {
    fn default() -> Self {
        Self::new()
    }
}

impl Accountant {
    /// Before the first round.
    pub fn new() -> Self {
        Self(ORDERS.map(|_| 0.0).collect())
    }

    /// Adds `count` rounds.
    ///
    /// # Errors
    /// If the noise multiplier is not positive or the rate no probability.
    pub fn add(&mut self, round: Round, count: u64) -> Result<(), FederatedError> {
        let Round {
            noise_multiplier,
            sampling_rate,
        } = round;
        let fail = |field, found: f64, reason: &str| {
            Err(FederatedError::Setting {
                field,
                found: found.to_string(),
                reason: reason.to_owned(),
            })
        };
        if !(noise_multiplier > 0.0 && noise_multiplier.is_finite()) {
            return fail(
                "noise_multiplier",
                noise_multiplier,
                "is not a positive number",
            );
        }
        if !(0.0..=1.0).contains(&sampling_rate) {
            return fail("sampling_rate", sampling_rate, "is no probability");
        }
        for (divergence, order) in self.0.iter_mut().zip(ORDERS) {
            *divergence += count as f64 * sampled_gaussian(round, order);
        }
        Ok(())
    }

    /// The least ε for this δ.
    pub fn epsilon(&self, delta: f64) -> f64 {
        let at = |(divergence, order): (&f64, u32)| {
            let order = f64::from(order);
            divergence + (-1.0 / order).ln_1p() - (delta.ln() + order.ln()) / (order - 1.0)
        };
        self.0
            .iter()
            .zip(ORDERS)
            .map(at)
            .fold(f64::INFINITY, f64::min)
            .max(0.0)
    }
}

/// Divergence of one round at an integer order.
fn sampled_gaussian(round: Round, order: u32) -> f64 {
    let (sigma, rate) = (round.noise_multiplier, round.sampling_rate);
    if rate == 0.0 {
        return 0.0;
    }
    let alpha = f64::from(order);
    if rate == 1.0 {
        return alpha / (2.0 * sigma * sigma);
    }
    // log of sum_k C(order, k) (1 - q)^(order - k) q^k exp((k^2 - k) / (2 sigma^2))
    let mut binomial = 0.0;
    let mut terms = Vec::with_capacity(order as usize + 1);
    for k in 0..=order {
        let count = f64::from(k);
        if k > 0 {
            binomial += ((alpha - count + 1.0) / count).ln();
        }
        terms.push(
            binomial
                + (alpha - count) * (-rate).ln_1p()
                + count * rate.ln()
                + (count * count - count) / (2.0 * sigma * sigma),
        );
    }
    let most = terms.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = terms.iter().map(|term| (term - most).exp()).sum();
    (most + sum.ln()) / (alpha - 1.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Against dp-accounting 0.6 (`RdpAccountant`, the same orders).
    #[test]
    fn epsilons_are_those_of_another_accountant() {
        for (sampling_rate, noise_multiplier, rounds, delta, epsilon) in [
            (256.0 / 60_000.0, 1.1, 14_062, 1e-5, 2.5969811785948815),
            (0.01, 1.0, 1000, 1e-5, 2.1077530754515745),
            (0.1, 2.0, 100, 1e-6, 2.9155929057381087),
            (1.0, 5.0, 20, 1e-5, 4.161911642354481),
            (1.0, 50.0, 1, 1e-8, 0.09777708878449602),
        ] {
            let mut accountant = Accountant::new();
            let round = Round {
                noise_multiplier,
                sampling_rate,
            };
            accountant.add(round, rounds).unwrap();
            let found = accountant.epsilon(delta);
            assert!(
                (found / epsilon - 1.0).abs() < 1e-9,
                "{found} instead of {epsilon}"
            );
        }
    }

    #[test]
    fn noise_of_many_clients_is_that_of_one_gaussian_unless_it_is_tiny() {
        let multiplier = distributed_noise_multiplier(10_000, 90, 1000.0, 1_000_000);
        let gaussian = (90.0f64 * 10_000.0).sqrt() / 1000.0;
        assert!((multiplier / gaussian - 1.0).abs() < 1e-9);
        // A variance of 1/4 would be far from a Gaussian; 1 already differs in many dimensions.
        let tiny = distributed_noise_multiplier(1, 90, 1.0, 1_000_000);
        assert!(tiny < 9.5 * 0.999, "{tiny}");
    }

    #[test]
    fn nonsense_is_refused() {
        let mut accountant = Accountant::new();
        let round = |noise_multiplier, sampling_rate| Round {
            noise_multiplier,
            sampling_rate,
        };
        assert!(accountant.add(round(0.0, 1.0), 1).is_err());
        assert!(accountant.add(round(1.0, 1.1), 1).is_err());
        assert_eq!(accountant.epsilon(1e-5), Accountant::new().epsilon(1e-5));
    }
}
