//! An encoded message.

use hush_ring::{Ntt, Poly};

use crate::{CkksError, Level, Parameters, Scale};

/// A message as a polynomial with residues at `level`, in evaluation (NTT) form.
#[derive(Clone, Debug)]
pub struct Plaintext {
    pub(crate) parameters: Parameters,
    pub(crate) poly: Poly<Ntt>,
    pub(crate) scale: Scale,
    pub(crate) slots: usize,
}

impl Plaintext {
    /// Wraps a polynomial over chain limbs.
    ///
    /// # Errors
    /// [`CkksError::InvalidSlots`]; [`CkksError::ParameterMismatch`] when the polynomial has
    /// special limbs, or more limbs or another degree than the parameters.
    pub fn new(
        parameters: &Parameters,
        poly: Poly<Ntt>,
        scale: Scale,
        slots: usize,
    ) -> Result<Self, CkksError> {
        parameters.check_slots(slots)?;
        let basis = poly.basis();
        let fits = !basis.special
            && (1..=parameters.moduli().len()).contains(&basis.chain)
            && poly.degree() == parameters.degree();
        if fits {
            Ok(Self {
                parameters: parameters.clone(),
                poly,
                scale,
                slots,
            })
        } else {
            Err(CkksError::ParameterMismatch)
        }
    }

    /// The parameters it was encoded under.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    /// The polynomial.
    #[must_use]
    pub fn poly(&self) -> &Poly<Ntt> {
        &self.poly
    }

    /// The polynomial, without a copy.
    #[must_use]
    pub fn into_poly(self) -> Poly<Ntt> {
        self.poly
    }

    /// Its level.
    #[must_use]
    pub fn level(&self) -> Level {
        Level(self.poly.basis().chain - 1)
    }

    /// The factor between message and polynomial.
    #[must_use]
    pub fn scale(&self) -> Scale {
        self.scale
    }

    /// Number of slots; the message repeats `N/2 / slots` times.
    #[must_use]
    pub fn slots(&self) -> usize {
        self.slots
    }
}
