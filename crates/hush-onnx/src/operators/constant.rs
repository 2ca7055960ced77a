//! `Constant`: a tensor stored in the node.

use crate::ImportError;
use crate::constant::{Constant, Elements};
use crate::node::{Known, NodeContext, Problem, node_name};
use std::sync::Arc;

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let [attribute] = context.node.attribute.as_slice() else {
        return Err(Problem::malformed("it must have exactly one attribute"));
    };
    let floats = |floats: &[f32]| Elements::Floats(floats.iter().map(|&x| f64::from(x)).collect());
    let constant = match attribute.name.as_str() {
        "value" => {
            let tensor = attribute
                .t
                .as_ref()
                .ok_or_else(|| Problem::malformed("it holds no tensor"))?;
            let convert = |error: ImportError| {
                Problem::new(
                    error.to_string(),
                    "export the model again with this value inside",
                )
            };
            Constant::from_proto(tensor, node_name(context.node)).map_err(convert)?
        }
        "value_float" => Constant {
            shape: vec![],
            elements: floats(&[attribute.f]),
        },
        "value_floats" => Constant {
            shape: vec![attribute.floats.len()],
            elements: floats(&attribute.floats),
        },
        "value_int" => Constant {
            shape: vec![],
            elements: Elements::Integers(vec![attribute.i]),
        },
        "value_ints" => Constant {
            shape: vec![attribute.ints.len()],
            elements: Elements::Integers(attribute.ints.clone()),
        },
        other => {
            let reason = format!("its value is given as `{other}`");
            return Err(Problem::new(reason, "only dense numbers are supported"));
        }
    };
    context.define(Known::Constant(Arc::new(constant)))
}
