//! Parameters by name.

use std::collections::BTreeSet;

use hush_ckks::primes::ntt_primes;
use hush_ckks::{Parameters, ParametersLiteral};

/// A shape of parameters: one first prime, then primes of one size for the levels, then special
/// primes of the size of the first. All primes are the nearest that fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ParameterSet {
    /// How benches and messages call it, `logN-limbs+special`.
    pub name: &'static str,
    /// `log2` of the ring degree.
    pub log_degree: u32,
    /// Bits of `q_0` and of the special primes.
    pub wide_bits: u32,
    /// Bits of `q_1, ..., q_L`, the usual scale.
    pub scale_bits: u32,
    /// Number of chain primes, `L + 1`.
    pub limbs: usize,
    /// Number of special primes.
    pub special: usize,
}

impl ParameterSet {
    /// `N = 2^13`, 212 bits.
    pub const N13_7_1: Self = Self::secure("13-7+1", 13, 31, 25, 7, 1);
    /// `N = 2^14`, 430 bits.
    pub const N14_8_2: Self = Self::secure("14-8+2", 14, 50, 40, 8, 2);
    /// `N = 2^15`, 840 bits.
    pub const N15_17_3: Self = Self::secure("15-17+3", 15, 50, 40, 17, 3);
    /// `N = 2^16`, 1425 bits, six digits.
    pub const N16_26_5: Self = Self::secure("16-26+5", 16, 50, 45, 26, 5);
    /// `N = 2^16`, 1625 bits, three digits.
    pub const N16_26_9: Self = Self::secure("16-26+9", 16, 50, 45, 26, 9);

    /// Every secure set, smallest first.
    pub const SECURE: [Self; 5] = [
        Self::N13_7_1,
        Self::N14_8_2,
        Self::N15_17_3,
        Self::N16_26_5,
        Self::N16_26_9,
    ];

    const fn secure(
        name: &'static str,
        log_degree: u32,
        wide_bits: u32,
        scale_bits: u32,
        limbs: usize,
        special: usize,
    ) -> Self {
        Self {
            name,
            log_degree,
            wide_bits,
            scale_bits,
            limbs,
            special,
        }
    }

    /// The primes.
    ///
    /// # Panics
    /// When there are too few of the wanted size.
    #[must_use]
    pub fn literal(&self) -> ParametersLiteral {
        let search = |bits, count, avoid: &BTreeSet<u64>| {
            ntt_primes(self.log_degree, bits, count, avoid).expect("enough primes of this size")
        };
        let mut wide = search(self.wide_bits, self.special + 1, &BTreeSet::new());
        // The smallest is q_0, so that the special primes outweigh every digit.
        wide.sort_unstable();
        let special_moduli = wide.split_off(1);
        let avoid = wide.iter().chain(&special_moduli).copied().collect();
        let mut moduli = wide;
        moduli.extend(search(self.scale_bits, self.limbs - 1, &avoid));
        ParametersLiteral {
            log_degree: self.log_degree,
            moduli,
            special_moduli,
        }
    }

    /// The parameters of a secure set.
    ///
    /// # Panics
    /// When the set is not secure.
    #[must_use]
    pub fn parameters(&self) -> Parameters {
        Parameters::new(self.literal()).expect("a secure parameter set")
    }
}

/// `N = 2^10` with six limbs (50 bits, then 40) and two special primes: quick, and trivially
/// broken.
#[must_use]
pub fn insecure_small() -> Parameters {
    insecure_with(10, 6, 2)
}

/// Any degree and number of limbs, with 50-bit wide and 40-bit scale primes.
///
/// # Panics
/// When no primes fit.
#[must_use]
pub fn insecure_with(log_degree: u32, limbs: usize, special: usize) -> Parameters {
    let name = "insecure";
    let set = ParameterSet {
        name,
        log_degree,
        wide_bits: 50,
        scale_bits: 40,
        limbs,
        special,
    };
    Parameters::insecure_new(set.literal()).expect("parameters that only lack security")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secure_sets_are_secure() {
        for set in ParameterSet::SECURE {
            let parameters = set.parameters();
            assert_eq!(parameters.security_bits(), 128, "{}", set.name);
            assert_eq!(parameters.moduli().len(), set.limbs);
            assert_eq!(parameters.special_moduli().len(), set.special);
        }
    }

    #[test]
    fn small_set_is_not() {
        assert_eq!(insecure_small().security_bits(), 0);
    }
}
