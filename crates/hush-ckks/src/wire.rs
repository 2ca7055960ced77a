//! Parameters to and from their stored form.

use hush_wire::ParametersV1;

use crate::{CkksError, Parameters, ParametersLiteral};

impl From<&ParametersV1> for ParametersLiteral {
    fn from(stored: &ParametersV1) -> Self {
        Self {
            log_degree: stored.log_degree,
            moduli: stored.moduli.clone(),
            special_moduli: stored.special_moduli.clone(),
        }
    }
}

impl Parameters {
    /// The stored form.
    #[must_use]
    pub fn to_wire(&self) -> ParametersV1 {
        let ParametersLiteral {
            log_degree,
            moduli,
            special_moduli,
        } = self.literal().clone();
        ParametersV1 {
            log_degree,
            moduli,
            special_moduli,
        }
    }

    /// Refuses a header that was written under other parameters.
    ///
    /// # Errors
    /// [`CkksError::ParameterMismatch`].
    pub fn check_wire(&self, stored: &ParametersV1) -> Result<(), CkksError> {
        let same = stored.log_degree == self.log_degree()
            && stored.moduli == self.moduli()
            && stored.special_moduli == self.special_moduli();
        if same {
            Ok(())
        } else {
            Err(CkksError::ParameterMismatch)
        }
    }
}
