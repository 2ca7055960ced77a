//! What people may expect of each supported operator: the text behind `docs/operators.md`.
//!
//! Every operator of the table in `operators/mod.rs` has an entry here, and so has every operator
//! that is computed on constants only; a test holds the two together.

use crate::model::{NEWEST_OPERATOR_SET, OLDEST_OPERATOR_SET};
use crate::operators::ml;
use crate::{fold, operators};

use Runs::{Comparison, Constant, DataOwner, Linear, Polynomial, Product};

/// Where an operator runs, and what it costs there.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Runs {
    /// Encrypted, as part of a linear map: at most one level, none if it merges with its neighbours.
    Linear,
    /// Encrypted, as a polynomial: the logarithm of its degree in levels.
    Polynomial,
    /// Encrypted, as a product of ciphertexts: one level.
    Product,
    /// Encrypted, in rounds of pairwise maxima, each by the polynomial of an absolute value.
    Comparison,
    /// In the clear, by the data owner after decryption.
    DataOwner,
    /// Nowhere: its result is computed while the model is imported.
    Constant,
}

/// A supported operator.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct SupportedOperator {
    /// Its ONNX name.
    pub name: &'static str,
    /// Its ONNX domain.
    pub domain: &'static str,
    /// The oldest and the newest operator set in which it is understood.
    pub operator_sets: (i64, i64),
    /// Where it runs.
    pub runs: Runs,
    /// What it must be like; empty if anything goes that the standard allows.
    pub restrictions: &'static str,
}

const fn entry(
    name: &'static str,
    since: i64,
    runs: Runs,
    restrictions: &'static str,
) -> SupportedOperator {
    SupportedOperator {
        name,
        domain: "ai.onnx",
        operator_sets: (since, NEWEST_OPERATOR_SET),
        runs,
        restrictions,
    }
}

/// Operators that may depend on the data, in alphabetical order.
#[rustfmt::skip]
const CATALOGUE: &[SupportedOperator] = &[
    entry("Abs", 7, Polynomial, ""),
    entry("Add", 7, Linear, "constants and data broadcast within a sample"),
    entry("ArgMax", 7, DataOwner, "within a sample, at the end of the model; of equal elements noise decides which is the largest"),
    entry("ArgMin", 7, DataOwner, "as ArgMax"),
    entry("AveragePool", 7, Linear, ""),
    entry("BatchNormalization", 7, Linear, "constant statistics; not in training mode"),
    entry("Cast", 7, Linear, "between floating-point types"),
    entry("CastLike", 15, Linear, "between floating-point types"),
    entry("Celu", 12, Polynomial, ""),
    entry("Clip", 7, Polynomial, "constant bounds"),
    entry("Concat", 7, Linear, "not along the batch"),
    entry("Constant", 7, Constant, "numbers"),
    entry("Conv", 7, Linear, "constant kernel and bias"),
    entry("ConvTranspose", 7, Linear, "constant kernel and bias"),
    entry("Cos", 7, Polynomial, ""),
    entry("DepthToSpace", 7, Linear, ""),
    entry("Div", 7, Product, "a divisor that depends on the data must keep away from zero: its reciprocal becomes a polynomial"),
    entry("Dropout", 7, Linear, "outside training, where it does nothing"),
    entry("Elu", 7, Polynomial, ""),
    entry("Erf", 9, Polynomial, ""),
    entry("Exp", 7, Polynomial, ""),
    entry("Expand", 8, Linear, "constant shape; not along the batch"),
    entry("Flatten", 7, Linear, "axis 1"),
    entry("Gather", 7, Linear, "constant indices; not along the batch"),
    entry("Gelu", 20, Polynomial, ""),
    entry("Gemm", 7, Linear, "constant B and C; A holds one sample per row"),
    entry("GlobalAveragePool", 7, Linear, ""),
    entry("GlobalMaxPool", 7, Comparison, ""),
    entry("Greater", 7, Comparison, "its result must choose between continuous pieces, as in Where"),
    entry("GreaterOrEqual", 12, Comparison, "as Greater"),
    entry("HardSigmoid", 7, Polynomial, ""),
    entry("HardSwish", 14, Polynomial, ""),
    entry("Identity", 7, Linear, ""),
    entry("LeakyRelu", 7, Polynomial, ""),
    entry("Less", 7, Comparison, "as Greater"),
    entry("LessOrEqual", 12, Comparison, "as Greater"),
    entry("Log", 7, Polynomial, "positive values"),
    entry("LogSoftmax", 7, DataOwner, "within a sample, at the end of the model"),
    entry("MatMul", 7, Linear, "both factors may depend on the data, at the cost of a product and of as many slots as it has products of numbers"),
    entry("Max", 7, Comparison, ""),
    entry("MaxPool", 7, Comparison, "only the first result"),
    entry("Mean", 7, Linear, ""),
    entry("Min", 7, Comparison, ""),
    entry("Mish", 18, Polynomial, ""),
    entry("Mul", 7, Product, "linear where one factor is constant"),
    entry("Neg", 7, Linear, ""),
    entry("Not", 7, Linear, "of a comparison"),
    entry("PRelu", 7, Polynomial, "slopes that depend on the data cost a product more"),
    entry("Pad", 7, Linear, "constant pads; not along the batch"),
    entry("Pow", 7, Polynomial, "constant exponents, up to 16 different ones, or constant base"),
    entry("Reciprocal", 7, Polynomial, "values that keep away from zero"),
    entry("ReduceL1", 7, Polynomial, "within a sample"),
    entry("ReduceL2", 7, Polynomial, "within a sample; sums of squares that keep away from zero"),
    entry("ReduceLogSum", 7, Polynomial, "within a sample; positive sums"),
    entry("ReduceLogSumExp", 7, Polynomial, "within a sample"),
    entry("ReduceMax", 7, Comparison, "within a sample"),
    entry("ReduceMean", 7, Linear, "within a sample"),
    entry("ReduceMin", 7, Comparison, "within a sample"),
    entry("ReduceProd", 7, Product, "within a sample"),
    entry("ReduceSum", 7, Linear, "within a sample"),
    entry("ReduceSumSquare", 7, Polynomial, "within a sample"),
    entry("Relu", 7, Polynomial, ""),
    entry("Reshape", 7, Linear, "constant shape that keeps the batch first"),
    entry("Resize", 10, Linear, "constant scales or sizes; not along the batch"),
    entry("Selu", 7, Polynomial, ""),
    entry("Shape", 7, Constant, "the batch size stays symbolic"),
    entry("Shrink", 9, Polynomial, "bias = lambd, where it is continuous"),
    entry("Sigmoid", 7, Polynomial, ""),
    entry("Sign", 9, Comparison, "as Greater"),
    entry("Sin", 7, Polynomial, ""),
    entry("Slice", 7, Linear, "constant bounds; not along the batch"),
    entry("Softmax", 7, DataOwner, "within a sample, at the end of the model"),
    entry("Softplus", 7, Polynomial, ""),
    entry("Softsign", 7, Polynomial, ""),
    entry("SpaceToDepth", 7, Linear, ""),
    entry("Split", 7, Linear, "constant sizes; not along the batch"),
    entry("Sqrt", 7, Polynomial, "positive values"),
    entry("Squeeze", 7, Linear, "constant axes; not the batch"),
    entry("Sub", 7, Linear, "constants and data broadcast within a sample"),
    entry("Sum", 7, Linear, ""),
    entry("Swish", 24, Polynomial, ""),
    entry("Tanh", 7, Polynomial, ""),
    entry("ThresholdedRelu", 10, Polynomial, "arguments on one side of alpha, unless that is zero: it jumps there"),
    entry("Tile", 7, Linear, "constant repeats; not along the batch"),
    entry("Transpose", 7, Linear, "the batch stays first"),
    entry("Unsqueeze", 7, Linear, "constant axes; not before the batch"),
    SupportedOperator { operator_sets: (7, 9), ..entry("Upsample", 7, Linear, "constant scales; not along the batch") },
    entry("Where", 9, Linear, "a constant condition is a mask; a comparison must choose between continuous pieces"),
];

const fn ml_entry(name: &'static str, runs: Runs, restrictions: &'static str) -> SupportedOperator {
    SupportedOperator {
        domain: ml::DOMAIN,
        operator_sets: (1, NEWEST_ML_OPERATOR_SET),
        ..entry(name, 1, runs, restrictions)
    }
}

/// The newest operator set of the domain for classical models in which its operators are understood.
const NEWEST_ML_OPERATOR_SET: i64 = 5;

/// Operators for classical models that may depend on the data, in alphabetical order.
#[rustfmt::skip]
const ML_CATALOGUE: &[SupportedOperator] = &[
    ml_entry("ArrayFeatureExtractor", Linear, "constant columns"),
    ml_entry("FeatureVectorizer", Linear, ""),
    ml_entry("Imputer", Linear, "encrypted values are never missing, so it does nothing"),
    ml_entry("LinearClassifier", Linear, "the label is found by the data owner"),
    ml_entry("LinearRegressor", Linear, ""),
    ml_entry("Normalizer", Polynomial, "norms that keep away from zero"),
    ml_entry("SVMClassifier", Polynomial, "the label of more than two classes is not supported, its scores are"),
    ml_entry("SVMRegressor", Polynomial, ""),
    ml_entry("Scaler", Linear, ""),
    ml_entry("ZipMap", Linear, "at the end of the model"),
];

/// Every operator that the importer knows: first those that may depend on the data, then those of
/// which it computes constants.
pub fn catalogue() -> Vec<SupportedOperator> {
    let mut entries = [CATALOGUE, ML_CATALOGUE].concat();
    for name in fold::names().filter(|name| operators::find(name).is_none()) {
        entries.push(entry(
            name,
            OLDEST_OPERATOR_SET,
            Constant,
            "constant inputs",
        ));
    }
    entries
}

/// The operators that are computed on constants, whether they may depend on the data or not.
pub fn constant_operators() -> impl Iterator<Item = &'static str> {
    fold::names()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operator_has_an_entry() {
        let names: Vec<&str> = CATALOGUE.iter().map(|entry| entry.name).collect();
        assert_eq!(names, operators::supported_operators());
        let names: Vec<&str> = ML_CATALOGUE.iter().map(|entry| entry.name).collect();
        assert_eq!(names, ml::supported_ml_operators());
        for entry in CATALOGUE {
            let (oldest, newest) = entry.operator_sets;
            assert!(
                OLDEST_OPERATOR_SET <= oldest && oldest <= newest,
                "{entry:?}"
            );
        }
    }
}
