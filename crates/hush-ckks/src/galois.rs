//! The automorphisms behind rotations and conjugation.

use std::fmt;

use crate::{CkksError, Parameters};

/// An odd `g` modulo `2N`: the automorphism `X -> X^g`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GaloisElement(u64);

impl GaloisElement {
    /// `X -> X^(5^steps)`, which rotates every message left: slot `i` of the result is slot
    /// `i + steps` of the argument, cyclically in the message's own number of slots.
    #[must_use]
    pub fn rotation(parameters: &Parameters, steps: usize) -> Self {
        Self(power_of_five(parameters, steps))
    }

    /// `X -> X^-1`, which conjugates every slot.
    #[must_use]
    pub fn conjugation(parameters: &Parameters) -> Self {
        Self(order(parameters) - 1)
    }

    /// Checks a number from outside.
    ///
    /// # Errors
    /// [`CkksError::InvalidGaloisElement`] unless it is odd and below `2N`.
    pub fn new(parameters: &Parameters, element: u64) -> Result<Self, CkksError> {
        if element % 2 == 1 && element < order(parameters) {
            Ok(Self(element))
        } else {
            Err(CkksError::InvalidGaloisElement {
                element,
                order: order(parameters),
            })
        }
    }

    /// The element itself.
    #[must_use]
    pub fn value(self) -> u64 {
        self.0
    }

    /// The element of the inverse automorphism.
    #[must_use]
    pub fn inverse(self, parameters: &Parameters) -> Self {
        // Newton's iteration doubles the correct low bits; an odd number is its own inverse
        // modulo 8.
        let mut inverse = self.0;
        for _ in 0..5 {
            inverse = inverse.wrapping_mul(2u64.wrapping_sub(self.0.wrapping_mul(inverse)));
        }
        Self(inverse & (order(parameters) - 1))
    }
}

impl fmt::Display for GaloisElement {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "X -> X^{}", self.0)
    }
}

fn order(parameters: &Parameters) -> u64 {
    2 * parameters.degree() as u64
}

fn power_of_five(parameters: &Parameters, exponent: usize) -> u64 {
    let mask = order(parameters) - 1;
    let (mut result, mut square, mut rest) = (1u64, 5u64, exponent % parameters.max_slots());
    while rest > 0 {
        if rest & 1 == 1 {
            result = (result * square) & mask;
        }
        square = (square * square) & mask;
        rest >>= 1;
    }
    result
}
