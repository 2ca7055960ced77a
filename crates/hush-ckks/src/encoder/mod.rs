//! Numbers to polynomials and back.
//!
//! A message is a vector of `n` real or complex numbers, `n` a power of two up to `N/2`. It
//! becomes a polynomial in `X^(N/2n)` whose values at roots of unity are the numbers times the
//! scale, rounded (the private module `embedding` has the formulas); so products and sums of
//! polynomials are those of the slots, and [`crate::GaloisElement::rotation`] rotates them. A
//! short message is the same as one repeated `N/2 / n` times.
//!
//! Encoding is right to about 50 bits of the largest slot, the precision of `f64`.

mod compact;
mod embedding;
mod integers;
mod mirrored;
mod mixed_radix;

pub use compact::CompactPlaintext;
pub(crate) use embedding::Embedding;
pub use mirrored::{MirroredPlaintext, period};
pub use num_complex::Complex64;

use hush_ring::{Basis, Ntt, Poly};

use crate::{CkksError, Level, Parameters, Plaintext, Scale};

/// Encodes real numbers. Missing values at the end are zero.
///
/// Cost: one embedding of `slots` values and `level + 1` forward transforms.
///
/// # Errors
/// [`CkksError::InvalidSlots`], [`CkksError::LevelTooHigh`], [`CkksError::TooManyValues`],
/// [`CkksError::NotFinite`], and [`CkksError::MessageTooLarge`] unless every coefficient is below
/// half the modulus at `level`.
pub fn encode_real(
    parameters: &Parameters,
    values: &[f64],
    slots: usize,
    scale: Scale,
    level: Level,
) -> Result<Plaintext, CkksError> {
    CompactPlaintext::real(parameters, values, slots, scale, level)?.plaintext(parameters, level)
}

/// Encodes complex numbers; otherwise as [`encode_real`].
///
/// # Errors
/// As [`encode_real`].
pub fn encode_complex(
    parameters: &Parameters,
    values: &[Complex64],
    slots: usize,
    scale: Scale,
    level: Level,
) -> Result<Plaintext, CkksError> {
    CompactPlaintext::complex(parameters, values, slots, scale, level)?.plaintext(parameters, level)
}

/// Encodes one real number in every slot: a constant polynomial, so no transform at all.
///
/// # Errors
/// As [`encode_real`].
pub fn encode_constant(
    parameters: &Parameters,
    value: f64,
    slots: usize,
    scale: Scale,
    level: Level,
) -> Result<Plaintext, CkksError> {
    let residues = constant_residues(parameters, value, scale, level)?;
    let mut poly = Poly::<Ntt>::zero(parameters.ring(), chain(level));
    for (index, residue) in residues.into_iter().enumerate() {
        poly.limb_mut(index).fill(residue);
    }
    Plaintext::new(parameters, poly, scale, slots)
}

/// `round(value * scale)` modulo each of `q_0, ..., q_level`: what to multiply or add residue by
/// residue for a real constant.
///
/// # Errors
/// As [`encode_real`].
pub fn constant_residues(
    parameters: &Parameters,
    value: f64,
    scale: Scale,
    level: Level,
) -> Result<Vec<u64>, CkksError> {
    if !value.is_finite() {
        return Err(CkksError::NotFinite { index: 0 });
    }
    let constant = integers::IntegerCoefficients::new(vec![value], parameters, scale, level)?;
    let mut residue = [0];
    let moduli = &parameters.moduli()[..level.limbs()];
    Ok(moduli
        .iter()
        .map(|&modulus| {
            constant.write_residues(modulus, &mut residue, 1);
            residue[0]
        })
        .collect())
}

/// The real parts of the slots.
///
/// Cost: one inverse transform per limb, the composition of [`decode_complex`] and one embedding.
#[must_use]
pub fn decode_real(plaintext: &Plaintext) -> Vec<f64> {
    decode(plaintext).0
}

/// The slots.
///
/// Any number of limbs composes to the `f64` nearest to each coefficient within `2^-46` of it,
/// and small coefficients cost the same at every level; the proof is in the private module
/// `mixed_radix`.
#[must_use]
pub fn decode_complex(plaintext: &Plaintext) -> Vec<Complex64> {
    let (real, imaginary) = decode(plaintext);
    real.into_iter()
        .zip(imaginary)
        .map(|(re, im)| Complex64::new(re, im))
        .collect()
}

fn decode(plaintext: &Plaintext) -> (Vec<f64>, Vec<f64>) {
    let (parameters, slots) = (plaintext.parameters(), plaintext.slots());
    let stride = parameters.max_slots() / slots;
    let poly = parameters.ring().inverse(plaintext.poly().clone());
    let moduli = &parameters.moduli()[..plaintext.level().limbs()];
    let limbs = (0..moduli.len())
        .map(|index| poly.limb(index).iter().copied().step_by(stride).collect())
        .collect();
    let mut real = mixed_radix::compose(moduli, limbs);
    real.iter_mut()
        .for_each(|value| *value /= plaintext.scale().value());
    let mut imaginary = real.split_off(slots);
    parameters
        .embedding()
        .slots_from_coefficients(&mut real, &mut imaginary);
    (real, imaginary)
}

pub(crate) fn chain(level: Level) -> Basis {
    Basis {
        chain: level.limbs(),
        special: false,
    }
}
