//! `LogSoftmax`.

use super::softmax;
use crate::node::{NodeContext, Problem};
use hush_graph::Operator;

pub(crate) fn import(context: &mut NodeContext<'_>) -> Result<(), Problem> {
    softmax::import_as(context, |axis| Operator::LogSoftmax { axis })
}
