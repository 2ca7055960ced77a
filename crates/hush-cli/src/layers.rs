//! The layers of a model as people know them: what the program tells, with the names that the report gives.

use hush_compiler::report::layers::{LayerReport, layers};
use hush_program::{ClientSpec, Program};
use serde_json::Value;

use crate::failure::Result;

/// How a layer is called where there is one line for it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Title {
    pub(crate) name: String,
    pub(crate) operator: String,
}

/// The layers of a model. Structure and numbers come from the program, which is checked; from the report of its
/// compiler come words, and what only the compiler knew.
pub(crate) fn layers_of(
    program: &Program,
    spec: &ClientSpec,
    report: &Value,
) -> Result<Vec<LayerReport>> {
    let mut found = layers(program, spec)?;
    let activations = report["activations"].as_array().map_or(0, Vec::len);
    for layer in &mut found {
        let Some(row) = row_of(report, &layer.label) else {
            continue;
        };
        if let Some(title) = title(row) {
            (layer.name, layer.operator) = (title.name, title.operator);
        }
        if let Some(layout) = row["layout"].as_str() {
            layer.layout = layout.to_owned();
        }
        let shape = row["shape"].as_array().into_iter().flatten();
        layer.shape = shape
            .filter_map(|size| Some(size.as_u64()? as usize))
            .collect();
        layer.noise = row["noise"].as_f64().filter(|noise| noise.is_finite());
        let activation = row["activation"].as_u64().map(|index| index as usize);
        layer.activation = activation.filter(|&index| index < activations);
    }
    Ok(found)
}

/// What the report calls the layer with this label.
pub(crate) fn title_of(report: &Value, label: &str) -> Option<Title> {
    title(row_of(report, label)?)
}

fn row_of<'a>(report: &'a Value, label: &str) -> Option<&'a Value> {
    let rows = report["layers"].as_array()?;
    rows.iter().find(|row| row["label"].as_str() == Some(label))
}

fn title(row: &Value) -> Option<Title> {
    Some(Title {
        name: row["name"].as_str()?.to_owned(),
        operator: row["operator"].as_str()?.to_owned(),
    })
}
