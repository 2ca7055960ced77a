//! What to say of operators that cannot work, or not well, on encrypted data.

/// What to say of comparisons.
pub(super) const COMPARISON: (&str, &str) = (
    "it compares encrypted values",
    "use Max, Min, Clip or an activation, or compare the results after decryption",
);

/// Why the operator is not supported, and what to do instead.
pub(super) fn reason(operator: &str) -> Option<(&'static str, &'static str)> {
    let reasons = match operator {
        "Equal" | "Greater" | "GreaterOrEqual" | "Less" | "LessOrEqual" | "And" | "Or" | "Xor"
        | "Not" | "IsNaN" | "IsInf" => COMPARISON,
        "Binarizer" => (
            "it compares encrypted values with a threshold",
            "binarize before encryption, or use a continuous function",
        ),
        "Floor" | "Ceil" | "Round" | "Sign" | "Mod" | "BitShift" => (
            "it jumps, and polynomials cannot follow",
            "leave it out, or use a continuous function",
        ),
        "TreeEnsembleClassifier" | "TreeEnsembleRegressor" | "TreeEnsemble" => (
            "trees compare encrypted values at every node",
            "train a linear model, a support vector machine or a small neural network instead",
        ),
        "NonZero" | "TopK" | "Unique" | "NonMaxSuppression" | "Compress" | "OneHot"
        | "GatherElements" | "GatherND" | "ScatterElements" | "ScatterND" | "Scatter" => (
            "it moves elements to places that depend on the data",
            "leave it to the data owner, after decryption",
        ),
        "InstanceNormalization"
        | "GroupNormalization"
        | "LayerNormalization"
        | "MeanVarianceNormalization" => (
            "it divides by the deviation of each sample",
            "use BatchNormalization, whose statistics are constants after training",
        ),
        "LRN" | "LpNormalization" | "RMSNormalization" => (
            "it divides by a sum over encrypted values",
            "use BatchNormalization, whose statistics are constants after training",
        ),
        "LSTM" | "GRU" | "RNN" => (
            "recurrent layers are not supported",
            "use convolutions over time, or unroll it into Gemm and activations",
        ),
        "Loop" | "Scan" | "If" | "SequenceMap" => (
            "control flow cannot depend on encrypted data",
            "unroll the loop, or export the model for one fixed path",
        ),
        "QuantizeLinear"
        | "DequantizeLinear"
        | "DynamicQuantizeLinear"
        | "QLinearConv"
        | "QLinearMatMul"
        | "ConvInteger"
        | "MatMulInteger" => (
            "quantised numbers are not supported",
            "export the model in float32; it is quantised for encryption anyway",
        ),
        "LabelEncoder" | "OneHotEncoder" | "CategoryMapper" | "DictVectorizer" | "CastMap"
        | "StringNormalizer" | "TfIdfVectorizer" => (
            "it works on categories or text",
            "prepare numbers before encryption, and leave this step out of the model",
        ),
        _ => return None,
    };
    Some(reasons)
}
