//! The table of supported operators; each is one file. To add one, write its file and its line.

mod add;
mod arg_max;
mod average_pool;
mod batch_normalization;
mod cast;
mod clip;
mod constant;
mod conv;
mod div;
mod dropout;
mod erf;
mod exp;
mod flatten;
mod gelu;
mod gemm;
mod identity;
mod leaky_relu;
mod log_softmax;
mod mat_mul;
mod max_pool;
mod mul;
mod neg;
mod pow;
mod relu;
mod reshape;
mod shape;
mod sigmoid;
mod slice;
mod softmax;
mod softplus;
mod split;
mod squeeze;
mod sub;
mod swish;
mod tanh;
mod transpose;
mod unsqueeze;

use crate::node::{NodeContext, Problem};
use tract_onnx::pb::NodeProto;

/// Translates one node.
pub(crate) type Import = fn(&mut NodeContext<'_>) -> Result<(), Problem>;

macro_rules! operators {
    ($($name:literal => $import:expr,)*) => {
        const NAMES: &[&str] = &[$($name),*];
        const TABLE: &[(&str, Import)] = &[$(($name, $import)),*];
    };
}

operators! {
    "Add" => add::import,
    "ArgMax" => arg_max::import,
    "AveragePool" => average_pool::import,
    "BatchNormalization" => batch_normalization::import,
    "Cast" => cast::import,
    "Clip" => clip::import,
    "Constant" => constant::import,
    "Conv" => conv::import,
    "Div" => div::import,
    "Dropout" => dropout::import,
    "Erf" => erf::import,
    "Exp" => exp::import,
    "Flatten" => flatten::import,
    "Gelu" => gelu::import,
    "Gemm" => gemm::import,
    "GlobalAveragePool" => average_pool::import_global,
    "GlobalMaxPool" => max_pool::import_global,
    "Identity" => identity::import,
    "LeakyRelu" => leaky_relu::import,
    "LogSoftmax" => log_softmax::import,
    "MatMul" => mat_mul::import,
    "MaxPool" => max_pool::import,
    "Mul" => mul::import,
    "Neg" => neg::import,
    "Pow" => pow::import,
    "Relu" => relu::import,
    "Reshape" => reshape::import,
    "Shape" => shape::import,
    "Sigmoid" => sigmoid::import,
    "Slice" => slice::import,
    "Softmax" => softmax::import,
    "Softplus" => softplus::import,
    "Split" => split::import,
    "Squeeze" => squeeze::import,
    "Sub" => sub::import,
    "Swish" => swish::import,
    "Tanh" => tanh::import,
    "Transpose" => transpose::import,
    "Unsqueeze" => unsqueeze::import,
}

/// The ONNX operators that may depend on the inputs of a model, in alphabetical order.
pub fn supported_operators() -> &'static [&'static str] {
    NAMES
}

pub(crate) fn find(name: &str) -> Option<Import> {
    TABLE
        .iter()
        .find(|(known, _)| *known == name)
        .map(|(_, import)| *import)
}

/// The problem of a node whose operator is not in the table.
pub(crate) fn unsupported(node: &NodeProto) -> Problem {
    let standard = node.domain.is_empty() || node.domain == "ai.onnx";
    let reason = match standard {
        true => "operator is not supported".to_string(),
        false => format!("operators of domain `{}` are not supported", node.domain),
    };
    Problem::new(reason, hint())
}

pub(crate) fn hint() -> &'static str {
    "replace it in the model by supported operators before exporting"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_sorted_and_unique() {
        assert!(
            supported_operators()
                .windows(2)
                .all(|pair| pair[0] < pair[1])
        );
        assert!(
            supported_operators()
                .iter()
                .all(|name| find(name).is_some())
        );
        assert!(find("Conv3000").is_none());
    }
}
