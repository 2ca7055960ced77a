//! A node test whose first axis is no batch, rewritten to work on a batch: a new first axis is put
//! in front of the data, and everything that counts axes counts one more.
//!
//! Only what means the same for each sample is rewritten; [`wrap`] is `None` for the rest.

use std::collections::BTreeMap;

use tract_onnx::pb::{AttributeProto, NodeProto, TensorProto, attribute_proto::AttributeType};

use crate::values::{Values, integers};

/// Operators that work element by element, with the broadcasting of NumPy.
const ELEMENTWISE: &[&str] = &[
    "Abs",
    "Add",
    "Cast",
    "CastLike",
    "Celu",
    "Clip",
    "Constant",
    "Cos",
    "Div",
    "Dropout",
    "Elu",
    "Erf",
    "Exp",
    "Gelu",
    "Greater",
    "GreaterOrEqual",
    "HardSigmoid",
    "HardSwish",
    "Identity",
    "LeakyRelu",
    "Less",
    "LessOrEqual",
    "Log",
    "Max",
    "Mean",
    "Min",
    "Mish",
    "Mul",
    "Neg",
    "PRelu",
    "Pow",
    "Reciprocal",
    "Relu",
    "Selu",
    "Shrink",
    "Sigmoid",
    "Sin",
    "Softplus",
    "Softsign",
    "Sqrt",
    "Sub",
    "Sum",
    "Swish",
    "Tanh",
    "ThresholdedRelu",
    "Where",
];

/// What is rewritten.
pub(crate) struct Wrap<'a> {
    pub(crate) nodes: &'a mut [NodeProto],
    /// Inputs of the test that are constants.
    pub(crate) constants: &'a mut BTreeMap<String, TensorProto>,
    /// Rank of each input of the test; the batch is not counted.
    pub(crate) ranks: &'a [usize],
    /// Whether each input of the test is data.
    pub(crate) data: &'a [bool],
    pub(crate) operator_set: i64,
}

/// The data after wrapping.
pub(crate) struct Wrapped {
    /// Every data input gets axes of length one until it has this rank, then the batch.
    pub(crate) rank: usize,
    /// The batch must be fixed to one: a constant is joined to it.
    pub(crate) single: bool,
}

/// Rewrites the nodes for one more axis in front of the data.
pub(crate) fn wrap(mut it: Wrap<'_>) -> Option<Wrapped> {
    let largest = it.ranks.iter().copied().max()?;
    let done = |rank| {
        Some(Wrapped {
            rank,
            single: false,
        })
    };
    if it
        .nodes
        .iter()
        .all(|node| ELEMENTWISE.contains(&&*node.op_type))
    {
        return done(largest);
    }
    let [node] = it.nodes else { return None };
    let rank = *it.ranks.first()?;
    let all_data = it.data.iter().all(|&data| data);
    match &*node.op_type.clone() {
        // Before operator set 13 these two flatten everything behind the axis.
        "Softmax" | "LogSoftmax" => {
            let default = if it.operator_set < 13 { 1 } else { -1 };
            shift_attribute(node, "axis", default);
        }
        "ArgMax" | "ArgMin" | "Split" => shift_attribute(node, "axis", 0),
        "Gather" if it.data == [true, false] => shift_attribute(node, "axis", 0),
        "Concat" => {
            find(node, "axis")?;
            shift_attribute(node, "axis", 0);
            for constant in it.constants.values_mut() {
                constant.dims.insert(0, 1);
            }
            return Some(Wrapped {
                rank,
                single: !all_data,
            });
        }
        "Transpose" => {
            let reversed = || (0..rank as i64).rev().collect();
            let permutation = find(node, "perm").map_or_else(reversed, |perm| perm.ints.clone());
            let shifted = permutation.iter().map(|axis| axis + 1);
            set_integers(node, "perm", std::iter::once(0).chain(shifted).collect());
        }
        "Reshape" if find(node, "allowzero").is_none_or(|flag| flag.i == 0) => {
            it.prepend(1, 0)?;
        }
        "Squeeze" | "Unsqueeze" => it.shift_axes(1)?,
        name if name.starts_with("Reduce") => {
            let idle = find(node, "noop_with_empty_axes").is_some_and(|flag| flag.i != 0);
            let empty = it.axes(1).is_none_or(|axes| axes.is_empty());
            match (empty, idle) {
                (true, true) => {}
                (true, false) => it.set_axes(1, (1..=rank as i64).collect()),
                _ => it.shift_axes(1)?,
            }
        }
        "Slice" => match it.axes(3) {
            Some(_) => it.shift_axes(3)?,
            None => {
                let starts = match find(&it.nodes[0], "starts") {
                    Some(starts) => starts.ints.clone(),
                    None => it.integers(1)?,
                };
                it.set_axes(3, (1..=starts.len() as i64).collect());
            }
        },
        "Pad" => match it.integers(3) {
            Some(_) => it.shift_axes(3)?,
            None => it.pad(rank)?,
        },
        "Tile" => it.prepend(1, 1)?,
        "Expand" => {
            let mut shape = it.integers(1)?;
            let rank = rank.max(shape.len());
            while shape.len() <= rank {
                shape.insert(0, 1);
            }
            it.set_constant(1, shape)?;
            return done(rank);
        }
        "MatMul" if all_data => {
            let same = it.ranks.iter().all(|&other| other == rank);
            return if same && rank >= 2 { done(rank) } else { None };
        }
        "MatMul" if it.data == [true, false] && it.ranks[1] <= it.ranks[0].max(2) => {}
        _ => return None,
    }
    done(rank)
}

impl Wrap<'_> {
    fn node(&mut self) -> &mut NodeProto {
        &mut self.nodes[0]
    }

    /// The constant integers at an input.
    fn integers(&self, position: usize) -> Option<Vec<i64>> {
        let name = self.nodes[0].input.get(position)?;
        let values = Values::read(self.constants.get(name)?).ok()?;
        Some(values.data.iter().map(|&value| value as i64).collect())
    }

    fn set_constant(&mut self, position: usize, values: Vec<i64>) -> Option<()> {
        let name = self.nodes[0].input.get(position)?.clone();
        let stored = integers(&name, vec![values.len() as i64], values);
        self.constants.insert(name, stored);
        Some(())
    }

    fn prepend(&mut self, position: usize, value: i64) -> Option<()> {
        let mut values = self.integers(position)?;
        values.insert(0, value);
        self.set_constant(position, values)
    }

    /// Axes, which were attributes in old operator sets and are inputs in new ones.
    fn axes(&self, position: usize) -> Option<Vec<i64>> {
        match find(&self.nodes[0], "axes") {
            Some(axes) => Some(axes.ints.clone()),
            None => self.integers(position),
        }
    }

    fn set_axes(&mut self, position: usize, axes: Vec<i64>) {
        let as_attribute = match self.nodes[0].op_type.as_str() {
            "ReduceSum" | "Squeeze" | "Unsqueeze" => self.operator_set < 13,
            "Slice" => self.operator_set < 10,
            _ => self.operator_set < 18,
        };
        if as_attribute {
            set_integers(self.node(), "axes", axes);
            return;
        }
        let inputs = &mut self.node().input;
        inputs.resize(inputs.len().max(position + 1), String::new());
        if inputs[position].is_empty() {
            inputs[position] = "wrapped_axes".to_owned();
        }
        let _ = self.set_constant(position, axes);
    }

    fn shift_axes(&mut self, position: usize) -> Option<()> {
        let axes = self.axes(position)?;
        self.set_axes(position, axes.into_iter().map(shift).collect());
        Some(())
    }

    /// No padding of the batch: a zero before the pads at the start and before those at the end.
    fn pad(&mut self, rank: usize) -> Option<()> {
        let attribute = find(&self.nodes[0], "pads").map(|pads| pads.ints.clone());
        let mut pads = attribute.clone().or_else(|| self.integers(1))?;
        pads.insert(rank.min(pads.len()), 0);
        pads.insert(0, 0);
        match attribute {
            Some(_) => set_integers(self.node(), "pads", pads),
            None => self.set_constant(1, pads)?,
        }
        Some(())
    }
}

/// An axis counted from the front is one further; from the back nothing changes.
fn shift(axis: i64) -> i64 {
    if axis < 0 { axis } else { axis + 1 }
}

pub(crate) fn find<'a>(node: &'a NodeProto, name: &str) -> Option<&'a AttributeProto> {
    node.attribute
        .iter()
        .find(|attribute| attribute.name == name)
}

fn shift_attribute(node: &mut NodeProto, name: &str, default: i64) {
    let axis = find(node, name).map_or(default, |axis| axis.i);
    node.attribute.retain(|attribute| attribute.name != name);
    node.attribute.push(AttributeProto {
        name: name.to_owned(),
        r#type: AttributeType::Int as i32,
        i: shift(axis),
        ..AttributeProto::default()
    });
}

fn set_integers(node: &mut NodeProto, name: &str, ints: Vec<i64>) {
    node.attribute.retain(|attribute| attribute.name != name);
    node.attribute.push(AttributeProto {
        name: name.to_owned(),
        r#type: AttributeType::Ints as i32,
        ints,
        ..AttributeProto::default()
    });
}
