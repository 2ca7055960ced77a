//! Checked CKKS parameters, and the unchecked literal they are made from.

use std::collections::BTreeSet;
use std::fmt;
use std::ops::Range;
use std::sync::Arc;

use hush_ring::Ring;

use crate::encoder::Embedding;
use crate::primes::{MAX_BITS, MIN_BITS, is_prime};
use crate::security::{self, MAX_LOG_DEGREE, MIN_LOG_DEGREE};
use crate::{CkksError, Level, ParametersError};

/// More limbs than any secure set has; bounds work before the other checks run.
const MAX_MODULI: usize = 256;

/// What a user or a file asks for: public and unchecked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParametersLiteral {
    /// `log2` of the ring degree `N`.
    pub log_degree: u32,
    /// The chain `q_0, ..., q_L`: a ciphertext at level `l` has the first `l + 1`, and a rescale
    /// at level `l` divides by `q_l`.
    pub moduli: Vec<u64>,
    /// The special primes `p_0, ..., p_{K-1}` of key switching.
    pub special_moduli: Vec<u64>,
}

impl ParametersLiteral {
    /// A digest of the values: what [`Parameters::digest`] is of parameters made from them.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        let mut hasher = blake3::Hasher::new_derive_key("hushml 2025 ckks parameters v1");
        hasher.update(&self.log_degree.to_le_bytes());
        for moduli in [&self.moduli, &self.special_moduli] {
            hasher.update(&(moduli.len() as u64).to_le_bytes());
            for modulus in moduli {
                hasher.update(&modulus.to_le_bytes());
            }
        }
        *hasher.finalize().as_bytes()
    }
}

/// Parameters that passed every check. Cheap to clone.
///
/// Equal exactly when their literals are equal.
#[derive(Clone)]
pub struct Parameters(Arc<Inner>);

struct Inner {
    literal: ParametersLiteral,
    log_q_p: f64,
    security_bits: u32,
    digest: [u8; 32],
    ring: Ring,
    embedding: Embedding,
}

impl Parameters {
    /// Checks a literal and precomputes what the ring needs.
    ///
    /// Every modulus must be a prime between `2^16` and `2^50` that is 1 modulo `2N`, all must be distinct,
    /// there must be a special prime, the special primes must multiply to at least the product of
    /// every digit (see [`Parameters::digit`]), and `log2(QP)` must keep 128 bits of security by
    /// the table of [`security`].
    ///
    /// # Errors
    /// A [`ParametersError`] that names the modulus or limit at fault.
    pub fn new(literal: ParametersLiteral) -> Result<Self, CkksError> {
        let parameters = Self::unguarded(literal)?;
        if parameters.security_bits() < 128 {
            let log_degree = parameters.log_degree();
            return Err(CkksError::Parameters(ParametersError::Insecure {
                log_degree,
                log_q_p: parameters.log_q_p(),
                max: security::max_log_q_p(log_degree, 128).unwrap_or(0),
            }));
        }
        Ok(parameters)
    }

    /// Like [`Parameters::new`] without the security table: anyone can break what is encrypted
    /// under these. For tests and benches.
    ///
    /// # Errors
    /// As [`Parameters::new`], except [`ParametersError::Insecure`].
    #[cfg(any(test, feature = "insecure"))]
    pub fn insecure_new(literal: ParametersLiteral) -> Result<Self, CkksError> {
        Self::unguarded(literal)
    }

    fn unguarded(literal: ParametersLiteral) -> Result<Self, CkksError> {
        check(&literal)?;
        let log_q_p = log2_product(&literal.moduli) + log2_product(&literal.special_moduli);
        Ok(Self(Arc::new(Inner {
            log_q_p,
            security_bits: security::security_bits(literal.log_degree, log_q_p),
            digest: literal.digest(),
            ring: Ring::new(literal.log_degree, &literal.moduli, &literal.special_moduli)?,
            embedding: Embedding::new(1 << (literal.log_degree - 1)),
            literal,
        })))
    }

    /// The literal these were made from.
    #[must_use]
    pub fn literal(&self) -> &ParametersLiteral {
        &self.0.literal
    }

    /// `log2(N)`.
    #[must_use]
    pub fn log_degree(&self) -> u32 {
        self.0.literal.log_degree
    }

    /// The ring degree `N`.
    #[must_use]
    pub fn degree(&self) -> usize {
        1 << self.log_degree()
    }

    /// The largest number of complex slots, `N/2`.
    #[must_use]
    pub fn max_slots(&self) -> usize {
        self.degree() / 2
    }

    /// The level of the whole chain.
    #[must_use]
    pub fn max_level(&self) -> Level {
        Level(self.moduli().len() - 1)
    }

    /// The chain primes `q_0, ..., q_L`.
    #[must_use]
    pub fn moduli(&self) -> &[u64] {
        &self.0.literal.moduli
    }

    /// The special primes.
    #[must_use]
    pub fn special_moduli(&self) -> &[u64] {
        &self.0.literal.special_moduli
    }

    /// `log2` of the product of all primes, the special ones included.
    #[must_use]
    pub fn log_q_p(&self) -> f64 {
        self.0.log_q_p
    }

    /// `log2(Q_level)`, the product of the chain primes that a ciphertext at `level` has.
    ///
    /// # Errors
    /// [`CkksError::LevelTooHigh`].
    pub fn log_q(&self, level: Level) -> Result<f64, CkksError> {
        self.check_level(level)?;
        Ok(log2_product(&self.moduli()[..level.limbs()]))
    }

    /// 128, 192 or 256: the highest row of the table that these meet; 0 for insecure ones.
    #[must_use]
    pub fn security_bits(&self) -> u32 {
        self.0.security_bits
    }

    /// A hash of the literal: equal digests mean equal parameters.
    #[must_use]
    pub fn digest(&self) -> [u8; 32] {
        self.0.digest
    }

    /// The ring with its precomputed transforms.
    #[must_use]
    pub fn ring(&self) -> &Ring {
        &self.0.ring
    }

    pub(crate) fn embedding(&self) -> &Embedding {
        &self.0.embedding
    }

    /// `K`, the chain limbs per key-switching digit, equal to the number of special primes.
    #[must_use]
    pub fn digit_size(&self) -> usize {
        self.special_moduli().len()
    }

    /// Number of key-switching digits at `level`, `ceil((level + 1) / K)`.
    #[must_use]
    pub fn digits(&self, level: Level) -> usize {
        level.limbs().div_ceil(self.digit_size())
    }

    /// The chain limbs of digit `index` at `level`: `K` consecutive ones, fewer in the last
    /// digit, none past it.
    #[must_use]
    pub fn digit(&self, level: Level, index: usize) -> Range<usize> {
        let size = self.digit_size();
        let end = level.limbs();
        (index * size).min(end)..((index + 1) * size).min(end)
    }

    /// Refuses a level above the chain.
    ///
    /// # Errors
    /// [`CkksError::LevelTooHigh`].
    pub fn check_level(&self, level: Level) -> Result<(), CkksError> {
        let max = self.max_level();
        if level > max {
            Err(CkksError::LevelTooHigh { max, actual: level })
        } else {
            Ok(())
        }
    }

    /// Refuses a slot count that is not a power of two up to `N/2`.
    ///
    /// # Errors
    /// [`CkksError::InvalidSlots`].
    pub fn check_slots(&self, slots: usize) -> Result<(), CkksError> {
        let max = self.max_slots();
        if slots.is_power_of_two() && slots <= max {
            Ok(())
        } else {
            Err(CkksError::InvalidSlots { slots, max })
        }
    }
}

impl PartialEq for Parameters {
    fn eq(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0) || self.0.literal == other.0.literal
    }
}

impl Eq for Parameters {}

impl fmt::Debug for Parameters {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.literal.fmt(formatter)
    }
}

impl fmt::Display for Parameters {
    /// `N = 2^14, 8 + 2 primes, log2(QP) = 430.0, 128-bit security`
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "N = 2^{}, {} + {} primes, log2(QP) = {:.1}, {}",
            self.log_degree(),
            self.moduli().len(),
            self.special_moduli().len(),
            self.log_q_p(),
            match self.security_bits() {
                0 => "insecure".to_string(),
                bits => format!("{bits}-bit security"),
            },
        )
    }
}

fn log2_product(moduli: &[u64]) -> f64 {
    moduli.iter().map(|&modulus| (modulus as f64).log2()).sum()
}

fn check(literal: &ParametersLiteral) -> Result<(), ParametersError> {
    let &ParametersLiteral {
        log_degree,
        ref moduli,
        ref special_moduli,
    } = literal;
    if !(MIN_LOG_DEGREE..=MAX_LOG_DEGREE).contains(&log_degree) {
        return Err(ParametersError::LogDegree { log_degree });
    }
    if moduli.is_empty() {
        return Err(ParametersError::NoModuli);
    }
    if special_moduli.is_empty() {
        return Err(ParametersError::NoSpecialModuli);
    }
    let count = moduli.len() + special_moduli.len();
    if count > MAX_MODULI {
        return Err(ParametersError::TooManyModuli {
            count,
            max: MAX_MODULI,
        });
    }
    let two_n = 2u64 << log_degree;
    let mut seen = BTreeSet::new();
    for &modulus in moduli.iter().chain(special_moduli) {
        if modulus < 1 << MIN_BITS {
            return Err(ParametersError::ModulusTooSmall { modulus });
        }
        if modulus >= 1 << MAX_BITS {
            return Err(ParametersError::ModulusTooLarge { modulus });
        }
        if modulus % two_n != 1 {
            return Err(ParametersError::NotNttFriendly { modulus, two_n });
        }
        if !is_prime(modulus) {
            return Err(ParametersError::NotPrime { modulus });
        }
        if !seen.insert(modulus) {
            return Err(ParametersError::Duplicate { modulus });
        }
    }
    let special = product(special_moduli);
    for (digit, limbs) in moduli.chunks(special_moduli.len()).enumerate() {
        if product(limbs) > special {
            return Err(ParametersError::SpecialTooSmall {
                digit,
                limbs: limbs.len(),
                log_digit: log2_product(limbs),
                log_special: log2_product(special_moduli),
            });
        }
    }
    Ok(())
}

/// The exact product, most significant word first and without leading zeros, behind its length:
/// so that the derived order is the order of the numbers.
fn product(moduli: &[u64]) -> (usize, Vec<u64>) {
    let mut words = vec![1u64];
    for &modulus in moduli {
        let mut carry = 0u128;
        for word in &mut words {
            carry += u128::from(*word) * u128::from(modulus);
            *word = carry as u64;
            carry >>= 64;
        }
        if carry > 0 {
            words.push(carry as u64);
        }
    }
    words.reverse();
    (words.len(), words)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::primes::ntt_primes;

    /// `N = 2^14`: one 50-bit prime, seven of 40, two special ones of 50; 430 bits.
    fn secure() -> Result<ParametersLiteral, ParametersError> {
        let wide = ntt_primes(14, 50, 3, &BTreeSet::new())?;
        let mut moduli = vec![wide[2]];
        moduli.extend(ntt_primes(14, 40, 7, &BTreeSet::new())?);
        Ok(ParametersLiteral {
            log_degree: 14,
            moduli,
            special_moduli: wide[..2].to_vec(),
        })
    }

    fn refusal(change: impl FnOnce(&mut ParametersLiteral)) -> String {
        let mut literal = secure().expect("enough primes");
        change(&mut literal);
        match Parameters::new(literal) {
            Ok(parameters) => format!("accepted {parameters}"),
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn accepts_a_secure_set() -> Result<(), CkksError> {
        let parameters = Parameters::new(secure()?)?;
        assert_eq!(
            parameters.to_string(),
            "N = 2^14, 8 + 2 primes, log2(QP) = 430.0, 128-bit security"
        );
        assert_eq!(parameters.max_level(), Level(7));
        assert_eq!(parameters.digits(Level(7)), 4);
        assert_eq!(parameters.digits(Level(2)), 2);
        assert_eq!(parameters.digit(Level(2), 1), 2..3);
        assert_eq!(parameters.digit(Level(2), 2), 3..3);
        assert!((parameters.log_q(Level(1))? - 90.0).abs() < 0.01);
        assert!(parameters.log_q(Level(8)).is_err());
        Ok(())
    }

    #[test]
    fn refuses_every_fault_by_name() {
        for (message, expected) in [
            (refusal(|p| p.log_degree = 18), "log_degree 18"),
            (refusal(|p| p.moduli.clear()), "moduli is empty"),
            (
                refusal(|p| p.special_moduli.clear()),
                "special_moduli is empty",
            ),
            (refusal(|p| p.moduli = vec![65_537; 300]), "302 moduli"),
            (
                refusal(|p| p.moduli[1] = (1 << 50) + 32769),
                "not below 2^50",
            ),
            (refusal(|p| p.moduli[1] = 1_000_003), "not 1 modulo 2N"),
            (refusal(|p| p.moduli[1] = 32768 * 4 + 1), "not prime"),
            (refusal(|p| p.moduli[1] = p.moduli[2]), "more than once"),
            (
                refusal(|p| p.special_moduli[1] = p.moduli[7]),
                "more than once",
            ),
            (
                refusal(|p| p.special_moduli = vec![p.moduli.swap_remove(3)]),
                "digit 0",
            ),
            (
                refusal(|p| p.log_degree = 13),
                "log2(QP) = 430.00 exceeds 214",
            ),
        ] {
            assert!(message.contains(expected), "{message:?} lacks {expected:?}");
        }
    }

    #[test]
    fn insecure_ones_say_so() -> Result<(), CkksError> {
        let parameters = Parameters::insecure_new(ParametersLiteral {
            log_degree: 13,
            ..secure()?
        })?;
        assert_eq!(parameters.security_bits(), 0);
        assert!(parameters.to_string().ends_with("insecure"));
        Ok(())
    }

    #[test]
    fn digest_tells_chain_from_special() -> Result<(), CkksError> {
        let parameters = Parameters::new(secure()?)?;
        let mut literal = secure()?;
        literal.special_moduli.swap(0, 1);
        let swapped = Parameters::new(literal)?;
        assert_ne!(parameters.digest(), swapped.digest());
        assert_ne!(parameters, swapped);
        assert_eq!(parameters.digest(), Parameters::new(secure()?)?.digest());
        Ok(())
    }

    #[test]
    fn exact_products_order() {
        assert!(product(&[u64::MAX, 2]) > product(&[u64::MAX]));
        assert!(product(&[3, 5]) < product(&[2, 8]));
        assert_eq!(product(&[6, 10]), product(&[4, 15]));
    }
}
