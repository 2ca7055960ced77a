//! Labels of classifiers: the index of the largest score, and the names of the classes.

use crate::node::{Known, NodeContext, Problem};
use hush_graph::{Operator, ValueId};

/// The classes of a classifier by index, from the two attributes that may hold them.
pub(super) fn read(context: &NodeContext<'_>, integers: &str) -> Result<Vec<String>, Problem> {
    if let Some(texts) = context.texts_attribute("classlabels_strings")?
        && !texts.is_empty()
    {
        return Ok(texts);
    }
    let integers = context.integers_attribute(integers)?.unwrap_or_default();
    Ok(integers.iter().map(i64::to_string).collect())
}

/// Defines the first result as the index of the largest of `scores`, if anything reads it.
pub(super) fn define_label(
    context: &mut NodeContext<'_>,
    scores: ValueId,
    classes: Vec<String>,
) -> Result<(), Problem> {
    if !context.is_read(0) {
        return Ok(());
    }
    let largest = Operator::ArgMax {
        axis: 0,
        keep_dimension: false,
        last: false,
    };
    let index = context.emit(largest, &[scores])?;
    remember(context, index, classes);
    context.define(Known::Data(index))
}

/// Notes what the indices stand for, unless they stand for themselves.
pub(super) fn remember(context: &mut NodeContext<'_>, index: ValueId, classes: Vec<String>) {
    let itself = |(position, class): (usize, &String)| *class == position.to_string();
    if !classes.iter().enumerate().all(itself) {
        context.environment.classes.insert(index, classes);
    }
}
