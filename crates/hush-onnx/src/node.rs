//! What the import of one node sees: its attributes, its inputs, and the graph being built.

use crate::constant::{Constant, Elements};
use crate::error::NodeProblem;
use hush_graph::{Function, GraphBuilder, GraphError, Operator, Shape, Tensor, ValueId};
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use tract_onnx::pb::{AttributeProto, NodeProto, attribute_proto::AttributeType};

/// Why a node cannot be used, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Problem {
    pub(crate) reason: String,
    pub(crate) hint: String,
}

impl Problem {
    pub(crate) fn new(reason: impl Into<String>, hint: impl Into<String>) -> Problem {
        Problem {
            reason: reason.into(),
            hint: hint.into(),
        }
    }

    /// The node does not follow the ONNX standard.
    pub(crate) fn malformed(reason: impl Into<String>) -> Problem {
        Problem::new(
            reason,
            "check the model with the ONNX checker and export it again",
        )
    }

    /// The node would compute across samples.
    pub(crate) fn mixes_samples(reason: impl Into<String>) -> Problem {
        Problem::new(
            reason,
            "keep the batch as the first dimension, with each sample on its own",
        )
    }

    pub(crate) fn at(self, node: &NodeProto) -> NodeProblem {
        let standard = node.domain.is_empty() || node.domain == "ai.onnx";
        let domain = if standard {
            String::new()
        } else {
            format!("{}:", node.domain)
        };
        NodeProblem {
            node: node_name(node).to_string(),
            operator: format!("{domain}{}", node.op_type),
            reason: self.reason,
            hint: self.hint,
        }
    }
}

impl From<GraphError> for Problem {
    fn from(error: GraphError) -> Problem {
        match error {
            GraphError::NotFinite { .. } => Problem::new(
                "its constants give a number that is not finite",
                "check the weights of the model for NaN, infinities and divisions by zero",
            ),
            GraphError::IndexArithmetic { .. } => Problem::new(
                "it computes on the result of ArgMax",
                "make ArgMax the last operator",
            ),
            GraphError::NodeShape { shape, reason, .. } => {
                Problem::malformed(format!("it does not accept shape {shape}: {reason}"))
            }
            other => Problem::malformed(other.to_string()),
        }
    }
}

/// The name of a node; exporters that give none still name its output.
pub(crate) fn node_name(node: &NodeProto) -> &str {
    match node.output.first() {
        Some(output) if node.name.is_empty() => output,
        _ => &node.name,
    }
}

/// What is known of a value of the file.
#[derive(Debug, Clone)]
pub(crate) enum Known {
    /// It depends on the inputs.
    Data(ValueId),
    /// It does not.
    Constant(Arc<Constant>),
    /// A node before it cannot be used.
    Lost {
        /// Whether it would be [`Known::Data`].
        depends_on_data: bool,
    },
}

impl Known {
    pub(crate) fn depends_on_data(&self) -> bool {
        matches!(
            self,
            Known::Data(_)
                | Known::Lost {
                    depends_on_data: true
                }
        )
    }
}

/// The import of a whole graph.
pub(crate) struct Environment {
    pub(crate) builder: GraphBuilder,
    pub(crate) known: BTreeMap<String, Known>,
    pub(crate) operator_set: i64,
    /// The file fixes the batch to one sample.
    pub(crate) single_sample: bool,
    /// How many constant elements may still be copied; a bound on memory for hostile files.
    pub(crate) budget: usize,
    /// The names of all values that a node or an output reads.
    pub(crate) read: BTreeSet<String>,
    /// Stored tensors of text; their elements are known as positions.
    pub(crate) texts: BTreeMap<String, Vec<String>>,
    /// Constants whose first dimension of one stands for the batch, since they were made from its
    /// size.
    pub(crate) batched: BTreeSet<String>,
    /// What indices stand for.
    pub(crate) classes: BTreeMap<ValueId, Vec<String>>,
    /// Results that cannot be computed, though others of the same node can, and why.
    pub(crate) left_out: BTreeMap<String, NodeProblem>,
    /// How many entries the sparse matrices of the graph may still have; a bound on memory for
    /// hostile files, whose shapes can be much larger than the files.
    pub(crate) matrix_budget: usize,
}

impl Environment {
    /// Takes `size` elements from the budget.
    pub(crate) fn spend(&mut self, size: usize) -> Result<(), Problem> {
        self.budget = self.budget.checked_sub(size).ok_or_else(|| {
            Problem::new(
                "the constants of the model grow too large",
                "use fewer or smaller constants",
            )
        })?;
        Ok(())
    }

    /// Takes `entries` of sparse matrices from their budget.
    pub(crate) fn spend_entries(&mut self, entries: usize) -> Result<(), Problem> {
        self.matrix_budget = self.matrix_budget.checked_sub(entries).ok_or_else(|| {
            Problem::new(
                "the tensors that the model moves and pools grow too large",
                "use smaller inputs",
            )
        })?;
        Ok(())
    }
}

/// The import of one node.
pub(crate) struct NodeContext<'a> {
    pub(crate) node: &'a NodeProto,
    pub(crate) environment: &'a mut Environment,
}

impl NodeContext<'_> {
    pub(crate) fn operator_set(&self) -> i64 {
        self.environment.operator_set
    }

    // --- inputs ---

    /// The input at `position`; `None` if it is absent or empty (an omitted optional input).
    pub(crate) fn optional_input(&self, position: usize) -> Result<Option<Known>, Problem> {
        let Some(name) = self
            .node
            .input
            .get(position)
            .filter(|name| !name.is_empty())
        else {
            return Ok(None);
        };
        match self.environment.known.get(name) {
            Some(known) => Ok(Some(known.clone())),
            None => Err(Problem::new(
                format!("it reads `{name}`, a secondary result that is not supported"),
                "use only the first result of each operator",
            )),
        }
    }

    pub(crate) fn input(&self, position: usize) -> Result<Known, Problem> {
        let missing = || Problem::malformed(format!("input {position} is missing"));
        self.optional_input(position)?.ok_or_else(missing)
    }

    /// An input that must depend on the data.
    pub(crate) fn data(&self, position: usize) -> Result<ValueId, Problem> {
        match self.input(position)? {
            Known::Data(value) => Ok(value),
            _ => Err(Problem::new(
                format!("input {position} is a constant where data is expected"),
                "simplify the model (for example with onnx-simplifier) before compiling it",
            )),
        }
    }

    /// An optional input that must be constant.
    pub(crate) fn optional_constant(
        &mut self,
        position: usize,
    ) -> Result<Option<Arc<Constant>>, Problem> {
        match self.optional_input(position)? {
            None => Ok(None),
            Some(Known::Constant(constant)) => {
                self.environment.spend(constant.size())?;
                Ok(Some(constant))
            }
            Some(_) => Err(Problem::new(
                format!("input {position} depends on the data"),
                "it must be a constant of the model",
            )),
        }
    }

    pub(crate) fn constant(&mut self, position: usize) -> Result<Arc<Constant>, Problem> {
        let missing = || Problem::malformed(format!("input {position} is missing"));
        self.optional_constant(position)?.ok_or_else(missing)
    }

    /// A constant input as a float tensor with finite elements.
    pub(crate) fn tensor(&mut self, position: usize) -> Result<Tensor, Problem> {
        let constant = self.constant(position)?;
        self.finite(position, &constant)
    }

    pub(crate) fn finite(&self, position: usize, constant: &Constant) -> Result<Tensor, Problem> {
        if constant.holds_batch_size() {
            return Err(Problem::mixes_samples("it computes with the batch size"));
        }
        let tensor = Tensor::new(constant.shape.clone(), constant.floats())?;
        if tensor.is_finite() {
            return Ok(tensor);
        }
        let name = &self.node.input[position];
        Err(Problem::new(
            format!("constant `{name}` holds NaN or an infinite number"),
            "check how the model was trained and exported",
        ))
    }

    /// A constant input of integers, such as axes.
    pub(crate) fn integers(&mut self, position: usize) -> Result<Option<Vec<i64>>, Problem> {
        match self.optional_constant(position)?.as_deref() {
            None => Ok(None),
            Some(Constant {
                elements: Elements::Integers(integers),
                ..
            }) => Ok(Some(integers.clone())),
            Some(_) => Err(Problem::malformed(format!(
                "input {position} must hold integers"
            ))),
        }
    }

    // --- attributes ---

    fn attribute(
        &self,
        name: &str,
        kind: AttributeType,
    ) -> Result<Option<&AttributeProto>, Problem> {
        let Some(attribute) = self
            .node
            .attribute
            .iter()
            .find(|attribute| attribute.name == name)
        else {
            return Ok(None);
        };
        if attribute.r#type != kind as i32 {
            let kind = kind.as_str_name();
            return Err(Problem::malformed(format!(
                "attribute `{name}` is not of type {kind}"
            )));
        }
        Ok(Some(attribute))
    }

    pub(crate) fn float_attribute(&self, name: &str, default: f64) -> Result<f64, Problem> {
        Ok(self
            .attribute(name, AttributeType::Float)?
            .map_or(default, |a| f64::from(a.f)))
    }

    pub(crate) fn integer_attribute(&self, name: &str, default: i64) -> Result<i64, Problem> {
        Ok(self
            .attribute(name, AttributeType::Int)?
            .map_or(default, |a| a.i))
    }

    pub(crate) fn integers_attribute(&self, name: &str) -> Result<Option<Vec<i64>>, Problem> {
        Ok(self
            .attribute(name, AttributeType::Ints)?
            .map(|a| a.ints.clone()))
    }

    pub(crate) fn floats_attribute(&self, name: &str) -> Result<Option<Vec<f64>>, Problem> {
        let attribute = self.attribute(name, AttributeType::Floats)?;
        Ok(attribute.map(|a| a.floats.iter().map(|&float| f64::from(float)).collect()))
    }

    pub(crate) fn texts_attribute(&self, name: &str) -> Result<Option<Vec<String>>, Problem> {
        let text = |bytes: &Vec<u8>| String::from_utf8_lossy(bytes).into_owned();
        let attribute = self.attribute(name, AttributeType::Strings)?;
        Ok(attribute.map(|a| a.strings.iter().map(text).collect()))
    }

    pub(crate) fn text_attribute(&self, name: &str, default: &str) -> Result<String, Problem> {
        let attribute = self.attribute(name, AttributeType::String)?;
        Ok(attribute.map_or(default.to_string(), |a| {
            String::from_utf8_lossy(&a.s).into_owned()
        }))
    }

    // --- axes and shapes ---

    pub(crate) fn shape(&self, value: ValueId) -> Shape {
        self.environment.builder.value(value).shape.clone()
    }

    /// An axis of a tensor of `rank` dimensions, batch included, as ONNX counts it; the result is
    /// counted without the batch.
    pub(crate) fn sample_axis(&self, axis: i64, rank: usize) -> Result<usize, Problem> {
        match full_axis(axis, rank)? {
            0 => Err(Problem::mixes_samples("it works along the batch")),
            axis => Ok(axis - 1),
        }
    }

    // --- results ---

    /// Adds a node to the graph under the name of this one.
    pub(crate) fn emit(
        &mut self,
        operator: Operator,
        inputs: &[ValueId],
    ) -> Result<ValueId, Problem> {
        self.emit_output(0, operator, inputs)
    }

    /// Adds a node to the graph that leads to the result at `position`.
    pub(crate) fn emit_output(
        &mut self,
        position: usize,
        operator: Operator,
        inputs: &[ValueId],
    ) -> Result<ValueId, Problem> {
        let names = vec![node_name(self.node).to_string()];
        let output = self.node.output.get(position).cloned().unwrap_or_default();
        Ok(self
            .environment
            .builder
            .node(names, operator, inputs, output)?)
    }

    /// Declares `known` the first result of this node.
    pub(crate) fn define(&mut self, known: Known) -> Result<(), Problem> {
        if !self.has_output(0) {
            return Err(Problem::malformed("it has no output"));
        }
        self.define_output(0, known);
        Ok(())
    }

    /// Declares `known` the result at `position`; nothing happens if the file has no name for it.
    pub(crate) fn define_output(&mut self, position: usize, known: Known) {
        if let Some(name) = self
            .node
            .output
            .get(position)
            .filter(|name| !name.is_empty())
        {
            self.environment.known.insert(name.clone(), known);
        }
    }

    /// Whether the file has a name for the result at `position`.
    pub(crate) fn has_output(&self, position: usize) -> bool {
        let name = self.node.output.get(position);
        name.is_some_and(|name| !name.is_empty())
    }

    /// Whether a node or an output of the model reads the result at `position`.
    pub(crate) fn is_read(&self, position: usize) -> bool {
        let name = self.node.output.get(position);
        name.is_some_and(|name| self.environment.read.contains(name))
    }

    /// Declares that the result at `position` cannot be computed, though others can. An output of
    /// the model that needs it is left out.
    pub(crate) fn leave_out(&mut self, position: usize, problem: Problem) {
        if !self.is_read(position) {
            return;
        }
        let depends_on_data = true;
        self.define_output(position, Known::Lost { depends_on_data });
        let name = self.node.output[position].clone();
        let problem = problem.at(self.node);
        self.environment.left_out.insert(name, problem);
    }

    /// Adds the last node and declares its value the result.
    pub(crate) fn finish(&mut self, operator: Operator, inputs: &[ValueId]) -> Result<(), Problem> {
        let value = self.emit(operator, inputs)?;
        self.define(Known::Data(value))
    }

    /// The whole import of an element-wise function of the first input.
    pub(crate) fn finish_elementwise(&mut self, function: Function) -> Result<(), Problem> {
        let input = self.data(0)?;
        self.finish(Operator::Elementwise(function), &[input])
    }
}

/// An axis counted from the front, batch included.
pub(crate) fn full_axis(axis: i64, rank: usize) -> Result<usize, Problem> {
    let outside = || Problem::malformed(format!("axis {axis} does not exist in {rank} dimensions"));
    let signed_rank = i64::try_from(rank).map_err(|_| outside())?;
    let counted = if axis < 0 {
        axis.saturating_add(signed_rank)
    } else {
        axis
    };
    usize::try_from(counted)
        .ok()
        .filter(|&axis| axis < rank)
        .ok_or_else(outside)
}
