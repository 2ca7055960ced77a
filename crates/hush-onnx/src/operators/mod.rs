//! The table of supported operators; each is one file. To add one, write its file and its line.

/// A table of operators by name, in alphabetical order, and its look-up.
macro_rules! operators {
    ($($name:literal => $import:expr,)*) => {
        const NAMES: &[&str] = &[$($name),*];
        const TABLE: &[(&str, $crate::operators::Import)] = &[$(($name, $import)),*];

        pub(crate) fn find(name: &str) -> Option<$crate::operators::Import> {
            let entry = TABLE.iter().find(|(known, _)| *known == name);
            entry.map(|&(_, import)| import)
        }
    };
}

pub(crate) mod ml;

mod abs;
mod add;
mod arg_max;
mod average_pool;
mod batch_normalization;
mod cast;
mod cast_like;
mod celu;
mod clip;
mod compare;
mod concat;
mod constant;
mod conv;
mod conv_transpose;
mod cos;
mod depth_to_space;
mod div;
mod dropout;
mod elu;
mod erf;
mod exp;
mod expand;
mod flatten;
mod gather;
mod gelu;
mod gemm;
mod hard_sigmoid;
mod hard_swish;
mod identity;
mod leaky_relu;
mod log;
mod log_softmax;
mod mat_mul;
mod max;
mod max_pool;
mod mish;
mod mul;
mod neg;
mod p_relu;
pub(crate) mod pad;
mod pow;
mod reciprocal;
mod reduce;
mod refused;
mod relu;
mod reshape;
mod resize;
mod selu;
mod shape;
mod shrink;
mod sigmoid;
mod sin;
mod slice;
mod softmax;
mod softplus;
mod softsign;
mod split;
mod sqrt;
mod squeeze;
mod sub;
mod sum;
mod swish;
mod tanh;
mod thresholded_relu;
mod tile;
mod transpose;
mod unsqueeze;
mod where_choice;

use crate::node::{NodeContext, Problem};
use tract_onnx::pb::NodeProto;

/// Translates one node.
pub(crate) type Import = fn(&mut NodeContext<'_>) -> Result<(), Problem>;

operators! {
    "Abs" => abs::import,
    "Add" => add::import,
    "ArgMax" => arg_max::import,
    "ArgMin" => arg_max::import_min,
    "AveragePool" => average_pool::import,
    "BatchNormalization" => batch_normalization::import,
    "Cast" => cast::import,
    "CastLike" => cast_like::import,
    "Celu" => celu::import,
    "Clip" => clip::import,
    "Concat" => concat::import,
    "Constant" => constant::import,
    "Conv" => conv::import,
    "ConvTranspose" => conv_transpose::import,
    "Cos" => cos::import,
    "DepthToSpace" => depth_to_space::import,
    "Div" => div::import,
    "Dropout" => dropout::import,
    "Elu" => elu::import,
    "Erf" => erf::import,
    "Exp" => exp::import,
    "Expand" => expand::import,
    "Flatten" => flatten::import,
    "Gather" => gather::import,
    "Gelu" => gelu::import,
    "Gemm" => gemm::import,
    "GlobalAveragePool" => average_pool::import_global,
    "GlobalMaxPool" => max_pool::import_global,
    "Greater" => compare::import_greater,
    "GreaterOrEqual" => compare::import_greater_or_equal,
    "HardSigmoid" => hard_sigmoid::import,
    "HardSwish" => hard_swish::import,
    "Identity" => identity::import,
    "LeakyRelu" => leaky_relu::import,
    "Less" => compare::import_less,
    "LessOrEqual" => compare::import_less_or_equal,
    "Log" => log::import,
    "LogSoftmax" => log_softmax::import,
    "MatMul" => mat_mul::import,
    "Max" => max::import,
    "MaxPool" => max_pool::import,
    "Mean" => sum::import_mean,
    "Min" => max::import_min,
    "Mish" => mish::import,
    "Mul" => mul::import,
    "Neg" => neg::import,
    "Not" => compare::import_not,
    "PRelu" => p_relu::import,
    "Pad" => pad::import,
    "Pow" => pow::import,
    "Reciprocal" => reciprocal::import,
    "ReduceL1" => reduce::import_l1,
    "ReduceL2" => reduce::import_l2,
    "ReduceLogSum" => reduce::import_log_sum,
    "ReduceLogSumExp" => reduce::import_log_sum_exp,
    "ReduceMax" => reduce::import_max,
    "ReduceMean" => reduce::import_mean,
    "ReduceMin" => reduce::import_min,
    "ReduceProd" => reduce::import_product,
    "ReduceSum" => reduce::import_sum,
    "ReduceSumSquare" => reduce::import_sum_of_squares,
    "Relu" => relu::import,
    "Reshape" => reshape::import,
    "Resize" => resize::import,
    "Selu" => selu::import,
    "Shape" => shape::import,
    "Shrink" => shrink::import,
    "Sigmoid" => sigmoid::import,
    "Sign" => compare::import_sign,
    "Sin" => sin::import,
    "Slice" => slice::import,
    "Softmax" => softmax::import,
    "Softplus" => softplus::import,
    "Softsign" => softsign::import,
    "SpaceToDepth" => depth_to_space::import_inverse,
    "Split" => split::import,
    "Sqrt" => sqrt::import,
    "Squeeze" => squeeze::import,
    "Sub" => sub::import,
    "Sum" => sum::import,
    "Swish" => swish::import,
    "Tanh" => tanh::import,
    "ThresholdedRelu" => thresholded_relu::import,
    "Tile" => tile::import,
    "Transpose" => transpose::import,
    "Unsqueeze" => unsqueeze::import,
    "Upsample" => resize::import,
    "Where" => where_choice::import,
}

/// The ONNX operators that may depend on the inputs of a model, in alphabetical order.
pub fn supported_operators() -> &'static [&'static str] {
    NAMES
}

/// The problem of a node whose operator is not in the table.
pub(crate) fn unsupported(node: &NodeProto) -> Problem {
    if let Some((reason, hint)) = refused::reason(&node.op_type) {
        return Problem::new(reason, hint);
    }
    let standard = node.domain.is_empty() || node.domain == "ai.onnx";
    let reason = match standard {
        true => "operator is not supported".to_string(),
        false => format!("operators of domain `{}` are not supported", node.domain),
    };
    Problem::new(reason, hint())
}

/// The problem of a comparison that no continuous function contains.
pub(crate) fn comparison() -> Problem {
    let (reason, hint) = refused::COMPARISON;
    Problem::new(reason, hint)
}

/// The problem of a node whose operator is only folded, but depends on the data.
pub(crate) fn constant_only(node: &NodeProto) -> Problem {
    let general = "it is supported on constants only, but its input depends on the data";
    let (reason, hint) = refused::reason(&node.op_type).unwrap_or((general, hint()));
    Problem::new(reason, hint)
}

fn hint() -> &'static str {
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
