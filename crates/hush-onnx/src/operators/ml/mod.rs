//! The table of operators of the `ai.onnx.ml` domain; each is one file. To add one, write its file
//! and its line.

mod array_feature_extractor;
mod classes;
mod feature_vectorizer;
mod imputer;
mod kernel;
mod linear_classifier;
mod linear_regressor;
mod normalizer;
mod scaler;
mod svm_classifier;
mod svm_regressor;
mod transform;
mod zip_map;

/// The name of the domain.
pub(crate) const DOMAIN: &str = "ai.onnx.ml";

operators! {
    "ArrayFeatureExtractor" => array_feature_extractor::import,
    "FeatureVectorizer" => feature_vectorizer::import,
    "Imputer" => imputer::import,
    "LinearClassifier" => linear_classifier::import,
    "LinearRegressor" => linear_regressor::import,
    "Normalizer" => normalizer::import,
    "SVMClassifier" => svm_classifier::import,
    "SVMRegressor" => svm_regressor::import,
    "Scaler" => scaler::import,
    "ZipMap" => zip_map::import,
}

/// The operators of the `ai.onnx.ml` domain that may depend on the inputs of a model, in
/// alphabetical order.
pub fn supported_ml_operators() -> &'static [&'static str] {
    NAMES
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_unique() {
        let names = supported_ml_operators();
        assert!(names.windows(2).all(|pair| pair[0] < pair[1]));
        assert!(names.iter().all(|name| find(name).is_some()));
        assert!(find("TreeEnsembleClassifier").is_none());
    }
}
