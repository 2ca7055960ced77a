//! CKKS parameters as stored.

use crate::WireError;
use crate::packing::packed_length;
use serde::{Deserialize, Serialize};

/// Ring degree and moduli. [`ParametersV1::check`] bounds everything that sizes are computed from;
/// whether the parameters are sound and secure is for the cryptographic crates to say.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParametersV1 {
    /// log2 of the ring degree.
    pub log_degree: u32,
    /// The chain `q_0 .. q_L`.
    pub moduli: Vec<u64>,
    /// The special primes `p_0 .. p_{K-1}` of key switching.
    pub special_moduli: Vec<u64>,
}

impl ParametersV1 {
    /// Refuses what no writer produces: degrees outside 2^1..=2^20, an empty chain, more than 256
    /// moduli, moduli of fewer than 2 or more than 62 bits.
    pub fn check(&self) -> Result<(), WireError> {
        if !(1..=20).contains(&self.log_degree) {
            return Err(WireError::out_of_range(
                "log_degree",
                self.log_degree,
                "1 to 20",
            ));
        }
        if self.moduli.is_empty() {
            return Err(WireError::out_of_range(
                "moduli",
                "empty",
                "1 to 256 moduli",
            ));
        }
        let count = self.moduli.len() + self.special_moduli.len();
        if count > 256 {
            return Err(WireError::out_of_range("moduli", count, "1 to 256 moduli"));
        }
        for &modulus in self.moduli.iter().chain(&self.special_moduli) {
            if !(2..1 << 62).contains(&modulus) {
                return Err(WireError::out_of_range("modulus", modulus, "2 to 2^62"));
            }
        }
        Ok(())
    }

    /// The ring degree.
    pub fn degree(&self) -> usize {
        1 << self.log_degree
    }

    /// Packed bytes of a polynomial with the limbs `q_0 .. q_{limbs-1}`, and all special ones where
    /// asked.
    pub(crate) fn polynomial_length(&self, limbs: usize, special: bool) -> u64 {
        self.basis(limbs, special)
            .map(|modulus| packed_length(modulus, self.degree()))
            .sum()
    }

    /// The moduli of such a polynomial, in limb order.
    pub(crate) fn basis(&self, limbs: usize, special: bool) -> impl Iterator<Item = u64> + '_ {
        let special: &[u64] = if special { &self.special_moduli } else { &[] };
        self.moduli[..limbs].iter().chain(special).copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bounds() {
        let good = ParametersV1 {
            log_degree: 10,
            moduli: vec![40961],
            special_moduli: vec![],
        };
        good.check().unwrap();
        for bad in [
            ParametersV1 {
                log_degree: 63,
                ..good.clone()
            },
            ParametersV1 {
                moduli: vec![],
                ..good.clone()
            },
            ParametersV1 {
                moduli: vec![1],
                ..good.clone()
            },
            ParametersV1 {
                moduli: vec![3; 257],
                ..good.clone()
            },
        ] {
            assert!(bad.check().is_err());
        }
    }
}
