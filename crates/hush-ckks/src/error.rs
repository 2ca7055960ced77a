//! What can go wrong, with the numbers that say why.

use crate::{KeyId, Level, Scale};

/// Why a [`crate::ParametersLiteral`] is refused.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
#[non_exhaustive]
pub enum ParametersError {
    /// The ring degree is outside the table.
    #[error("log_degree {log_degree} is outside 10..=17")]
    LogDegree {
        /// What was asked for.
        log_degree: u32,
    },
    /// A chain without a limb.
    #[error("moduli is empty; at least one chain prime is needed")]
    NoModuli,
    /// No special prime, so no key switching.
    #[error("special_moduli is empty; at least one special prime is needed")]
    NoSpecialModuli,
    /// More moduli than any row of the security table could allow.
    #[error("{count} moduli exceed the limit of {max}")]
    TooManyModuli {
        /// How many there are.
        count: usize,
        /// How many may be.
        max: usize,
    },
    /// A modulus at or below `2^16`.
    #[error("modulus {modulus} is not above 2^16")]
    ModulusTooSmall {
        /// The modulus at fault.
        modulus: u64,
    },
    /// A modulus at or above `2^50`.
    #[error("modulus {modulus} is not below 2^50")]
    ModulusTooLarge {
        /// The modulus at fault.
        modulus: u64,
    },
    /// A composite modulus.
    #[error("modulus {modulus} is not prime")]
    NotPrime {
        /// The modulus at fault.
        modulus: u64,
    },
    /// A prime without the needed roots of unity.
    #[error("modulus {modulus} is not 1 modulo 2N = {two_n}")]
    NotNttFriendly {
        /// The modulus at fault.
        modulus: u64,
        /// Twice the ring degree.
        two_n: u64,
    },
    /// A modulus that occurs twice.
    #[error("modulus {modulus} occurs more than once in moduli and special_moduli")]
    Duplicate {
        /// The modulus at fault.
        modulus: u64,
    },
    /// Special primes too small to divide the key-switching noise away.
    #[error(
        "special_moduli multiply to 2^{log_special:.2}, below 2^{log_digit:.2} of digit {digit} \
         ({limbs} consecutive chain primes); use larger or more special primes"
    )]
    SpecialTooSmall {
        /// The digit at fault.
        digit: usize,
        /// Its number of limbs.
        limbs: usize,
        /// `log2` of its product.
        log_digit: f64,
        /// `log2` of the product of the special primes.
        log_special: f64,
    },
    /// Too many modulus bits for 128 bits of security.
    #[error(
        "log2(QP) = {log_q_p:.2} exceeds {max}, the limit of ePrint 2024/463 table 5.2 for 128 \
         bits of security at N = 2^{log_degree}; use a larger N or fewer or smaller primes"
    )]
    Insecure {
        /// `log2` of the ring degree.
        log_degree: u32,
        /// `log2` of the product of all moduli.
        log_q_p: f64,
        /// The limit.
        max: u32,
    },
    /// The prime search ran out of candidates.
    #[error("fewer than {count} primes near 2^{bits} are 1 modulo 2^{}", log_degree + 1)]
    NotEnoughPrimes {
        /// `log2` of the ring degree.
        log_degree: u32,
        /// Size asked for.
        bits: u32,
        /// Number asked for.
        count: usize,
    },
}

/// Why an operation on plaintexts, ciphertexts or keys is refused.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CkksError {
    /// See [`ParametersError`].
    #[error(transparent)]
    Parameters(#[from] ParametersError),
    /// The ring refused its moduli.
    #[error(transparent)]
    Ring(#[from] hush_ring::RingError),
    /// A number that names no automorphism.
    #[error("galois element {element} is not odd and below 2N = {order}")]
    InvalidGaloisElement {
        /// What was given.
        element: u64,
        /// `2N`.
        order: u64,
    },
    /// A level that the operand does not have.
    #[error("level {actual} is too low, {needed} is needed")]
    LevelTooLow {
        /// The lowest level that would do.
        needed: Level,
        /// The level at hand.
        actual: Level,
    },
    /// A level above the chain.
    #[error("level {actual} is above the highest level {max}")]
    LevelTooHigh {
        /// The highest level that would do.
        max: Level,
        /// The level asked for.
        actual: Level,
    },
    /// Operands at different levels.
    #[error("levels {left} and {right} differ; drop the higher one first")]
    LevelMismatch {
        /// Level of the left operand.
        left: Level,
        /// Level of the right operand.
        right: Level,
    },
    /// Operands at different scales.
    #[error("scales {left} and {right} differ; bring them to one scale first")]
    ScaleMismatch {
        /// Scale of the left operand.
        left: Scale,
        /// Scale of the right operand.
        right: Scale,
    },
    /// A scale that is zero, negative, infinite or not a number.
    #[error("scale {value} is not a positive finite number")]
    InvalidScale {
        /// What was given.
        value: f64,
    },
    /// A number of slots that is not a power of two up to `N/2`.
    #[error("{slots} slots: not a power of two in 1..={max}")]
    InvalidSlots {
        /// What was given.
        slots: usize,
        /// `N/2`.
        max: usize,
    },
    /// Operands with different numbers of slots.
    #[error("slot counts {left} and {right} differ")]
    SlotsMismatch {
        /// Slots of the left operand.
        left: usize,
        /// Slots of the right operand.
        right: usize,
    },
    /// A message longer than the slots.
    #[error("{count} values do not fit {slots} slots")]
    TooManyValues {
        /// Length of the message.
        count: usize,
        /// Slots asked for.
        slots: usize,
    },
    /// NaN or infinity in a message.
    #[error("value {index} of the message is not finite")]
    NotFinite {
        /// Its place.
        index: usize,
    },
    /// A message that the modulus cannot hold.
    #[error(
        "the message at scale 2^{log_scale:.2} needs coefficients of 2^{log_coefficient:.2}, but \
         level {level} holds less than 2^{log_max:.2}; use a higher level or a smaller scale"
    )]
    MessageTooLarge {
        /// `log2` of the scale.
        log_scale: f64,
        /// `log2` of the largest coefficient.
        log_coefficient: f64,
        /// Level of the plaintext.
        level: Level,
        /// `log2(Q_level / 2)`.
        log_max: f64,
    },
    /// Material made under another secret key.
    #[error("made under key {actual}, but key {expected} is in use")]
    KeyMismatch {
        /// The key in use.
        expected: KeyId,
        /// The key of the operand.
        actual: KeyId,
    },
    /// Material made for other parameters.
    #[error("made for other parameters than those in use")]
    ParameterMismatch,
    /// No key for a rotation.
    #[error(
        "no rotation key for {steps} steps at level {level}; generate it with the key manifest \
         of the program"
    )]
    MissingRotationKey {
        /// Steps to the left.
        steps: usize,
        /// Level it is needed at.
        level: Level,
    },
    /// No key for conjugation.
    #[error("no conjugation key at level {level}")]
    MissingConjugationKey {
        /// Level it is needed at.
        level: Level,
    },
    /// No key for products of ciphertexts.
    #[error("no relinearization key at level {level}")]
    MissingRelinearizationKey {
        /// Level it is needed at.
        level: Level,
    },
    /// A ciphertext with another number of parts than the operation takes.
    #[error("a ciphertext of {actual} parts where {expected} are needed; relinearize first")]
    PartsMismatch {
        /// Parts the operation takes.
        expected: usize,
        /// Parts at hand.
        actual: usize,
    },
    /// Stored key or ciphertext material of the wrong shape.
    #[error("{what} has {actual} words instead of {expected}")]
    WrongLength {
        /// What it is.
        what: &'static str,
        /// Words expected.
        expected: usize,
        /// Words found.
        actual: usize,
    },
    /// A residue that is not below its modulus.
    #[error("{what} has a residue that is not below its modulus {modulus}")]
    ResidueOutOfRange {
        /// What it is.
        what: &'static str,
        /// The modulus.
        modulus: u64,
    },
}
