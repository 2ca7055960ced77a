//! `Shape`: known up to the batch size, which stays symbolic.

use crate::constant::{BATCH_SIZE, Constant, Elements};
use crate::node::{Known, NodeContext, Problem};
use std::sync::Arc;

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    let sizes = match context.input(0)? {
        Known::Data(value) => {
            let shape = context.shape(value);
            let rest = shape.dimensions().iter().map(|&size| size as i64);
            std::iter::once(BATCH_SIZE).chain(rest).collect()
        }
        Known::Constant(constant) => constant.shape.iter().map(|&size| size as i64).collect(),
        lost @ Known::Lost { .. } => return context.define(lost),
    };
    let sizes: Vec<i64> = sizes;
    let rank = sizes.len();
    let bound = |position: i64| {
        let counted = if position < 0 {
            position.saturating_add(rank as i64)
        } else {
            position
        };
        usize::try_from(counted).unwrap_or(0).min(rank)
    };
    let start = bound(context.integer_attribute("start", 0)?);
    let end = bound(context.integer_attribute("end", i64::MAX)?).max(start);
    let sizes = sizes[start..end].to_vec();
    let constant = Constant {
        shape: vec![sizes.len()],
        elements: Elements::Integers(sizes),
    };
    context.define(Known::Constant(Arc::new(constant)))
}
