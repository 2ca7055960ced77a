//! An encoded message before its residues are written out.

use hush_ring::{Basis, Coeff, Ntt, Poly};

use super::integers::IntegerCoefficients;
use super::{Complex64, chain};
use crate::{CkksError, Level, Parameters, Plaintext, Scale};

/// An encoded message as integers: `16 * slots` bytes whatever the level, from which residues are
/// made for the limbs that an operation needs.
pub struct CompactPlaintext {
    coefficients: IntegerCoefficients,
    scale: Scale,
    slots: usize,
}

impl CompactPlaintext {
    /// Encodes real numbers for use at `level` and above; see [`super::encode_real`].
    ///
    /// # Errors
    /// As [`super::encode_real`].
    pub fn real(
        parameters: &Parameters,
        values: &[f64],
        slots: usize,
        scale: Scale,
        level: Level,
    ) -> Result<Self, CkksError> {
        let values = values.iter().map(|&value| Complex64::new(value, 0.0));
        Self::encode(parameters, values, slots, scale, level)
    }

    /// Encodes complex numbers; see [`super::encode_complex`].
    ///
    /// # Errors
    /// As [`super::encode_real`].
    pub fn complex(
        parameters: &Parameters,
        values: &[Complex64],
        slots: usize,
        scale: Scale,
        level: Level,
    ) -> Result<Self, CkksError> {
        Self::encode(parameters, values.iter().copied(), slots, scale, level)
    }

    fn encode(
        parameters: &Parameters,
        values: impl ExactSizeIterator<Item = Complex64>,
        slots: usize,
        scale: Scale,
        level: Level,
    ) -> Result<Self, CkksError> {
        parameters.check_slots(slots)?;
        let count = values.len();
        if count > slots {
            return Err(CkksError::TooManyValues { count, slots });
        }
        let mut real = Vec::with_capacity(2 * slots);
        let mut imaginary = Vec::with_capacity(slots);
        for (index, value) in values.enumerate() {
            if !(value.re.is_finite() && value.im.is_finite()) {
                return Err(CkksError::NotFinite { index });
            }
            real.push(value.re);
            imaginary.push(value.im);
        }
        real.resize(slots, 0.0);
        imaginary.resize(slots, 0.0);
        parameters
            .embedding()
            .coefficients_from_slots(&mut real, &mut imaginary);
        real.extend(imaginary);
        let coefficients = IntegerCoefficients::new(real, parameters, scale, level)?;
        Ok(Self {
            coefficients,
            scale,
            slots,
        })
    }

    /// The factor between message and coefficients.
    #[must_use]
    pub fn scale(&self) -> Scale {
        self.scale
    }

    /// Number of slots.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.slots
    }

    /// The polynomial in any basis of the same parameters; one forward transform per limb.
    #[must_use]
    pub fn poly(&self, parameters: &Parameters, basis: Basis) -> Poly<Ntt> {
        let ring = parameters.ring();
        let stride = parameters.max_slots() / self.slots;
        let mut poly = Poly::<Coeff>::zero(ring, basis);
        let special: &[u64] = if basis.special {
            parameters.special_moduli()
        } else {
            &[]
        };
        let moduli = parameters.moduli()[..basis.chain].iter().chain(special);
        for (index, &modulus) in moduli.enumerate() {
            self.coefficients
                .write_residues(modulus, poly.limb_mut(index), stride);
        }
        ring.forward(poly)
    }

    /// The plaintext at `level`.
    ///
    /// # Errors
    /// [`CkksError::LevelTooHigh`].
    pub fn plaintext(&self, parameters: &Parameters, level: Level) -> Result<Plaintext, CkksError> {
        parameters.check_level(level)?;
        let poly = self.poly(parameters, chain(level));
        Plaintext::new(parameters, poly, self.scale, self.slots)
    }
}
