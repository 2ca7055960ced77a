//! Computes what depends on constants alone: transposed weights, shapes, scaled factors.
//!
//! tract could do this too, but on malformed nodes it may panic or allocate without end, and the
//! files come from outside.

mod arithmetic;
mod cast;
mod compare;
mod fill;
mod pad;
mod reduce;
mod select;
mod shape;

pub(crate) use select::positions;

use crate::constant::{Constant, Elements};
use crate::node::{NodeContext, Problem};
use std::sync::Arc;

/// The constant inputs of a node; omitted optional inputs are `None`.
pub(crate) struct Inputs<'a>(pub(crate) &'a [Option<Arc<Constant>>]);

/// Computes the result of a node.
type Fold = fn(&mut NodeContext<'_>, &Inputs<'_>) -> Result<Constant, Problem>;

/// The ONNX operators that are computed on constants.
const TABLE: &[(&str, Fold)] = &[
    ("Abs", arithmetic::absolute),
    ("Add", arithmetic::add),
    ("And", compare::and),
    ("Cast", cast::cast),
    ("CastLike", cast::cast_like),
    ("Ceil", arithmetic::ceil),
    ("Concat", select::concat),
    ("ConstantOfShape", fill::constant_of_shape),
    ("Cos", arithmetic::cos),
    ("Div", arithmetic::divide),
    ("Equal", compare::equal),
    ("Exp", arithmetic::exp),
    ("Expand", select::expand),
    ("Flatten", shape::flatten),
    ("Floor", arithmetic::floor),
    ("Gather", select::gather),
    ("Greater", compare::greater),
    ("GreaterOrEqual", compare::greater_or_equal),
    ("Identity", shape::identity),
    ("Less", compare::less),
    ("LessOrEqual", compare::less_or_equal),
    ("Log", arithmetic::log),
    ("Max", arithmetic::maximum),
    ("Min", arithmetic::minimum),
    ("Mod", arithmetic::modulo),
    ("Mul", arithmetic::multiply),
    ("Neg", arithmetic::negate),
    ("NonZero", select::non_zero),
    ("Not", compare::not),
    ("Or", compare::or),
    ("Pad", pad::pad),
    ("Pow", arithmetic::power),
    ("Range", fill::range),
    ("Reciprocal", arithmetic::reciprocal),
    ("ReduceMax", reduce::maximum),
    ("ReduceMean", reduce::mean),
    ("ReduceMin", reduce::minimum),
    ("ReduceProd", reduce::product),
    ("ReduceSum", reduce::sum),
    ("Relu", arithmetic::relu),
    ("Reshape", shape::reshape),
    ("Round", arithmetic::round),
    ("Sigmoid", arithmetic::sigmoid),
    ("Sin", arithmetic::sin),
    ("Size", fill::size),
    ("Slice", select::slice),
    ("Sqrt", arithmetic::sqrt),
    ("Squeeze", shape::squeeze),
    ("Sub", arithmetic::subtract),
    ("Tanh", arithmetic::tanh),
    ("Tile", select::tile),
    ("Transpose", select::transpose),
    ("Unsqueeze", shape::unsqueeze),
    ("Where", compare::choose),
    ("Xor", compare::xor),
];

/// Their names, in alphabetical order.
pub(crate) fn names() -> impl Iterator<Item = &'static str> {
    TABLE.iter().map(|(name, _)| *name)
}

pub(crate) fn find(operator: &str) -> Option<Fold> {
    TABLE
        .iter()
        .find(|(known, _)| *known == operator)
        .map(|(_, fold)| *fold)
}

impl Inputs<'_> {
    fn optional(&self, position: usize) -> Option<&Constant> {
        self.0.get(position)?.as_deref()
    }

    fn at(&self, position: usize) -> Result<&Constant, Problem> {
        let missing = || Problem::malformed(format!("input {position} is missing"));
        self.optional(position).ok_or_else(missing)
    }

    fn optional_integers(&self, position: usize) -> Result<Option<&[i64]>, Problem> {
        match self.optional(position).map(|constant| &constant.elements) {
            None => Ok(None),
            Some(Elements::Integers(integers)) => Ok(Some(integers)),
            Some(Elements::Floats(_)) => Err(Problem::malformed(format!(
                "input {position} must hold integers"
            ))),
        }
    }

    fn integers(&self, position: usize) -> Result<&[i64], Problem> {
        let missing = || Problem::malformed(format!("input {position} is missing"));
        self.optional_integers(position)?.ok_or_else(missing)
    }
}

/// The number of elements of `shape`, taken from the budget.
fn spend(context: &mut NodeContext<'_>, shape: &[usize]) -> Result<usize, Problem> {
    let size = shape
        .iter()
        .try_fold(1usize, |size, &dimension| size.checked_mul(dimension));
    let size = size.unwrap_or(usize::MAX);
    context.environment.spend(size)?;
    Ok(size)
}

/// The elements of `constant` at `sources`, under `shape`. All of `sources` must exist.
fn take(constant: &Constant, shape: Vec<usize>, sources: &[usize]) -> Constant {
    let elements = match &constant.elements {
        Elements::Floats(floats) => {
            Elements::Floats(sources.iter().map(|&source| floats[source]).collect())
        }
        Elements::Integers(integers) => {
            Elements::Integers(sources.iter().map(|&source| integers[source]).collect())
        }
    };
    Constant { shape, elements }
}
