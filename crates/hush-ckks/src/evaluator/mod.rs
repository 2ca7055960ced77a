//! Arithmetic on ciphertexts, with public keys only.
//!
//! One file per kind: [`arithmetic`](self) (sums, plaintexts, constants), division (rescale
//! and the end of key switching), key switching, products, rotations. Cost is given in
//! transforms ("NTTs") of one limb, with l + 1 chain limbs, K special ones and
//! d = ceil((l + 1)/K) digits.

mod arithmetic;
mod digits;
mod division;
mod key_switch;
mod multiply;
mod rotate;

use hush_ring::{Extension, Ring};

pub use self::digits::Digits;
use self::division::Division;
pub use self::key_switch::Extended;
use crate::{CkksError, Level, Parameters};

/// Evaluates on ciphertexts of one parameter set. Holds the tables of base extension; make
/// it once and share it between threads.
///
/// Operations run their limbs on the current rayon pool.
pub struct Evaluator {
    parameters: Parameters,
    /// `digits[d][n - 1]`: from the first `n` moduli of digit `d`.
    digits: Vec<Vec<Extension>>,
    special: Division,
    /// Division by `q_l`, for each level `l`.
    rescale: Vec<Division>,
    /// Division by all special primes and `q_l`.
    special_and_rescale: Vec<Division>,
}

impl Evaluator {
    /// Tables for `parameters`.
    #[must_use]
    pub fn new(parameters: &Parameters) -> Self {
        let ring = parameters.ring();
        let chain = ring.chain_length();
        let special: Vec<usize> = (chain..ring.moduli().len()).collect();
        let top = parameters.max_level();
        Self {
            digits: (0..parameters.digits(top))
                .map(|d| {
                    let digit: Vec<usize> = parameters.digit(top, d).collect();
                    (1..=digit.len())
                        .map(|count| Extension::new(ring, &digit[..count]))
                        .collect()
                })
                .collect(),
            special: Division::new(ring, &special),
            rescale: (0..chain).map(|l| Division::new(ring, &[l])).collect(),
            special_and_rescale: (0..chain)
                .map(|l| {
                    let mut sources = special.clone();
                    sources.push(l);
                    Division::new(ring, &sources)
                })
                .collect(),
            parameters: parameters.clone(),
        }
    }

    /// The parameters it evaluates under.
    #[must_use]
    pub fn parameters(&self) -> &Parameters {
        &self.parameters
    }

    fn ring(&self) -> &Ring {
        self.parameters.ring()
    }

    /// Refuses operands of other parameters.
    fn check(&self, ciphertext: &crate::Ciphertext) -> Result<(), CkksError> {
        if *ciphertext.parameters() == self.parameters {
            Ok(())
        } else {
            Err(CkksError::ParameterMismatch)
        }
    }

    fn modulus(&self, level: Level) -> u64 {
        self.parameters.moduli()[level.0]
    }
}
