//! Models on plain tensors, for trying out clients: those that the examples of Triton and MLServer ask for.

mod pair;
mod simple;
mod simple_string;
mod sum_model;

use std::sync::Arc;

use crate::PlainModel;

/// `simple`, `simple_string` and `sum-model`.
#[must_use]
pub fn demo_models() -> Vec<Arc<dyn PlainModel>> {
    vec![
        Arc::new(simple::Simple),
        Arc::new(simple_string::SimpleString),
        Arc::new(sum_model::SumModel),
    ]
}
