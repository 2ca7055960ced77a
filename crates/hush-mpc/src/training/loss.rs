//! Losses and their gradients.

use hush_simd::words::Word;

use super::layer::{SigmoidKind, sigmoid};
use crate::operations;
use crate::{Fixed, MpcError, Protocol, Secret};

/// What is made small.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum Loss {
    /// Half the mean squared difference: linear regression.
    MeanSquare,
    /// Binary cross-entropy on logits, with labels zero and one: logistic regression.
    BinaryCrossEntropy(SigmoidKind),
    /// Cross-entropy on logits over the last axis, with one-hot labels.
    CrossEntropy,
}

impl Loss {
    /// The gradient by each result of one sample; the mean over the batch is the optimiser's affair.
    pub(super) fn gradient<W: Word>(
        self,
        protocol: &mut dyn Protocol<W>,
        results: &Secret<W>,
        labels: &Secret<W>,
        fixed: Fixed,
    ) -> Result<Secret<W>, MpcError> {
        let prediction = match self {
            Loss::MeanSquare => results.clone(),
            Loss::BinaryCrossEntropy(kind) => sigmoid(protocol, results, kind)?,
            Loss::CrossEntropy => {
                let axis = results.shape().len().saturating_sub(1);
                operations::softmax(protocol, results, axis)?
            }
        };
        let difference = prediction.sub(labels)?;
        Ok(difference.declare(fixed.integer_bits))
    }

    /// The mean loss of a batch, still shared: one element. It is opened only if the caller does.
    pub fn mean<W: Word>(
        self,
        protocol: &mut dyn Protocol<W>,
        results: &Secret<W>,
        labels: &Secret<W>,
    ) -> Result<Secret<W>, MpcError> {
        let batch = results.shape().first().copied().unwrap_or(1).max(1);
        let limit = results.fixed().integer_bits;
        let each = match self {
            Loss::MeanSquare => {
                let difference = results.sub(labels)?;
                let squares =
                    operations::multiply_to(protocol, &difference, &difference, results.fixed())?;
                operations::multiply_public(protocol, &squares, &[0.5])?
            }
            Loss::BinaryCrossEntropy(_) => {
                // softplus(z) - y z.
                let softplus = |x: f64| x.max(0.0) + libm::log1p(libm::exp(-x.abs()));
                let fitted = operations::Piecewise::fit(
                    softplus,
                    (-12.0, 12.0),
                    (0.0, 0.0),
                    (0.0, 1.0),
                    1e-4,
                );
                let plus = operations::piecewise(protocol, results, &fitted)?;
                let agreed = operations::multiply_to(protocol, results, labels, results.fixed())?;
                plus.sub(&agreed)?
            }
            Loss::CrossEntropy => {
                let axis = results.shape().len().saturating_sub(1);
                let logarithms = operations::log_softmax(protocol, results, axis)?;
                operations::multiply_to(protocol, &logarithms, labels, results.fixed())?.negate()
            }
        };
        let count = each.len();
        let each = each.reshape(vec![count])?.declare(limit);
        let part = operations::divide_public(protocol, &each, batch as f64)?;
        part.declare(0).sum(0)?.declare(limit).reshape(vec![1])
    }
}
