//! A node test as a model of the kind that HushML compiles: some inputs are data with a batch in
//! front, the others are constants of the model.

use std::collections::BTreeMap;
use std::fmt;

use anyhow::Result;
use hush_graph::Tensor;
use prost::Message;
use tract_onnx::pb::{
    AttributeProto, GraphProto, NodeProto, TensorProto, TensorShapeProto, TypeProto,
    ValueInfoProto,
    attribute_proto::AttributeType,
    tensor_proto::DataType,
    tensor_shape_proto::{Dimension, dimension::Value as DimensionValue},
    type_proto,
};

use crate::NodeTest;
use crate::values::Values;
use crate::wrap::{Wrap, wrap};

/// Operators that are also tried with all their float inputs as data.
const SEVERAL: &[&str] = &[
    "Add", "Concat", "Div", "MatMul", "Max", "Mean", "Min", "Mul", "PRelu", "Pow", "Sub", "Sum",
    "Where",
];

/// Operators whose result does not depend on the elements of their inputs.
const ABOUT_SHAPES: &[&str] = &["Shape", "Size"];

/// Which inputs of a test are data; the others are constants.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Variant {
    /// The first float input.
    One,
    /// Every float input.
    All,
    /// None: the importer computes the node, and its result is added to a data input.
    Constant,
}

/// Where the batch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Batch {
    /// The first axis of the test is the batch.
    First,
    /// A new first axis is; see `wrap.rs`.
    Wrapped,
}

impl fmt::Display for Variant {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Variant::One => "one",
            Variant::All => "all",
            Variant::Constant => "constant",
        })
    }
}

impl fmt::Display for Batch {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(match self {
            Batch::First => "first",
            Batch::Wrapped => "wrapped",
        })
    }
}

/// A model, its inputs and what it must give.
pub(crate) struct Case {
    pub(crate) model: Vec<u8>,
    pub(crate) inputs: Vec<Tensor>,
    pub(crate) expected: Vec<Tensor>,
}

/// The variants in which a test is run.
pub(crate) fn variants(test: &NodeTest, on_constants: &[&str]) -> Vec<Variant> {
    let floats = float_inputs(test).len();
    let mut variants = Vec::new();
    if floats >= 1 {
        variants.push(Variant::One);
    }
    let operators = test.operators();
    if let [operator] = operators[..] {
        if floats >= 2 && SEVERAL.contains(&operator) {
            variants.push(Variant::All);
        }
        if floats == 0 || on_constants.contains(&operator) {
            variants.push(Variant::Constant);
        }
    } else {
        let batches = float_inputs(test).into_iter();
        let mut batches = batches.map(|position| test.inputs[position].dims.first());
        let first = batches.next();
        if floats >= 3 && batches.all(|batch| Some(batch) == first) {
            variants.push(Variant::All);
        }
        if floats == 0 {
            variants.push(Variant::Constant);
        }
    }
    variants
}

/// Builds the case; `None` if the batch cannot be put there.
pub(crate) fn build(test: &NodeTest, variant: Variant, batch: Batch) -> Result<Option<Case>> {
    let values: Vec<Values> = test
        .inputs
        .iter()
        .map(Values::read)
        .collect::<Result<_>>()?;
    let floats = float_inputs(test);
    let data: Vec<bool> = (0..values.len())
        .map(|position| match variant {
            Variant::One => floats.first() == Some(&position),
            Variant::All => floats.contains(&position),
            Variant::Constant => false,
        })
        .collect();
    let mut model = test.model.clone();
    let operator_set = model.opset_import.iter().find(|set| set.domain.is_empty());
    let operator_set = operator_set.map_or(0, |set| set.version);
    let Some(graph) = &mut model.graph else {
        return Ok(None);
    };
    let mut constants: BTreeMap<String, TensorProto> = BTreeMap::new();
    for ((info, proto), _) in graph
        .input
        .iter()
        .zip(&test.inputs)
        .zip(&data)
        .filter(|(_, data)| !**data)
    {
        let name = info.name.clone();
        constants.insert(
            name.clone(),
            TensorProto {
                name,
                ..proto.clone()
            },
        );
    }
    let data_values = || {
        values
            .iter()
            .zip(&data)
            .filter(|(_, data)| **data)
            .map(|(values, _)| values)
    };
    let mut samples = 1;
    let mut single = false;
    let mut lead: Vec<Vec<usize>> = vec![Vec::new(); values.len()];
    if variant != Variant::Constant {
        match batch {
            Batch::First => {
                let mut firsts = data_values().map(|values| values.shape.first().copied());
                samples = match firsts.next().flatten() {
                    Some(first) if first > 0 && firsts.all(|other| other == Some(first)) => first,
                    _ => return Ok(None),
                };
                single = samples == 1;
            }
            Batch::Wrapped => {
                let ranks: Vec<usize> = values.iter().map(|values| values.shape.len()).collect();
                let wrapped = wrap(Wrap {
                    nodes: &mut graph.node,
                    constants: &mut constants,
                    ranks: &ranks,
                    data: &data,
                    operator_set,
                });
                let Some(wrapped) = wrapped else {
                    return Ok(None);
                };
                single = wrapped.single;
                for (lead, rank) in lead.iter_mut().zip(&ranks) {
                    *lead = vec![1; 1 + wrapped.rank.saturating_sub(*rank)];
                }
            }
        }
    } else if batch == Batch::Wrapped {
        return Ok(None);
    }
    let names: Vec<String> = graph.input.iter().map(|info| info.name.clone()).collect();
    graph.input.clear();
    graph.value_info.clear();
    graph.initializer.extend(constants.into_values());
    let mut inputs = Vec::new();
    for (position, values) in values
        .into_iter()
        .enumerate()
        .filter(|(position, _)| data[*position])
    {
        let shape = [lead[position].as_slice(), &values.shape].concat();
        graph
            .input
            .push(input_info(&names[position], &shape, single));
        inputs.push(Tensor::new(shape, values.data)?);
    }
    let constant_result = variant == Variant::Constant
        || test
            .operators()
            .iter()
            .all(|operator| ABOUT_SHAPES.contains(operator));
    let mut expected = Vec::new();
    for (position, values) in test.outputs.iter().enumerate() {
        let values = values.clone();
        if constant_result {
            let (offset, sum) = add_to_data(graph, position, samples, &values)?;
            inputs.push(offset);
            expected.push(sum);
        } else if batch == Batch::Wrapped {
            let shape = [&[1], values.shape.as_slice()].concat();
            expected.push(Tensor::new(shape, values.data)?);
        } else {
            expected.push(Tensor::new(values.shape, values.data)?);
        }
    }
    let model = model.encode_to_vec();
    Ok(Some(Case {
        model,
        inputs,
        expected,
    }))
}

fn float_inputs(test: &NodeTest) -> Vec<usize> {
    let protos = test.inputs.iter().enumerate();
    protos
        .filter(|(_, proto)| {
            let element = DataType::from_i32(proto.data_type);
            matches!(element, Some(DataType::Float | DataType::Double))
        })
        .map(|(position, _)| position)
        .collect()
}

/// Replaces an output that does not depend on the data by its sum with a new data input.
fn add_to_data(
    graph: &mut GraphProto,
    position: usize,
    samples: usize,
    values: &Values,
) -> Result<(Tensor, Tensor)> {
    let (result, offset) = (
        graph.output[position].name.clone(),
        format!("offset_{position}"),
    );
    let (cast, sum) = (format!("{result}_as_float"), format!("{result}_sum"));
    let to = AttributeProto {
        name: "to".to_owned(),
        r#type: AttributeType::Int as i32,
        i: DataType::Float as i64,
        ..AttributeProto::default()
    };
    graph.node.push(node("Cast", &[&result], &cast, vec![to]));
    graph
        .node
        .push(node("Add", &[&offset, &cast], &sum, Vec::new()));
    let shape = [&[samples], values.shape.as_slice()].concat();
    graph.input.push(input_info(&offset, &shape, samples == 1));
    graph.output[position].name = sum;
    let offsets: Vec<f64> = (0..samples * values.data.len())
        .map(|index| index as f64 / 8.0)
        .collect();
    let sums = offsets
        .iter()
        .zip(values.data.iter().cycle())
        .map(|(offset, value)| offset + value);
    let sums = Tensor::new(shape.clone(), sums.collect())?;
    Ok((Tensor::new(shape, offsets)?, sums))
}

fn node(
    operator: &str,
    inputs: &[&str],
    output: &str,
    attribute: Vec<AttributeProto>,
) -> NodeProto {
    NodeProto {
        name: output.to_owned(),
        op_type: operator.to_owned(),
        input: inputs.iter().map(|input| (*input).to_owned()).collect(),
        output: vec![output.to_owned()],
        attribute,
        ..NodeProto::default()
    }
}

/// A float input whose first dimension is the batch: fixed to one, or called `N`.
fn input_info(name: &str, shape: &[usize], single: bool) -> ValueInfoProto {
    let dim = shape.iter().enumerate().map(|(axis, &extent)| Dimension {
        value: Some(match axis {
            0 if !single => DimensionValue::DimParam("N".to_owned()),
            _ => DimensionValue::DimValue(extent as i64),
        }),
        ..Dimension::default()
    });
    let tensor = type_proto::Tensor {
        elem_type: DataType::Float as i32,
        shape: Some(TensorShapeProto { dim: dim.collect() }),
    };
    ValueInfoProto {
        name: name.to_owned(),
        r#type: Some(TypeProto {
            value: Some(type_proto::Value::TensorType(tensor)),
            ..TypeProto::default()
        }),
        ..ValueInfoProto::default()
    }
}
