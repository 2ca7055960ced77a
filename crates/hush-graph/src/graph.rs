//! The graph and its builder.

use crate::{GraphError, Operator, Shape};
use std::collections::BTreeSet;

/// A value of one graph: an input, or what a node computes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ValueId(u32);

impl ValueId {
    /// The position in [`Graph::values`].
    pub fn index(self) -> usize {
        self.0 as usize
    }
}

/// What the elements of a value are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[non_exhaustive]
pub enum ElementType {
    /// Real numbers.
    Float,
    /// Positions along an axis, from an arg-max.
    Index,
}

/// A named, shaped value.
#[derive(Debug, Clone, PartialEq)]
pub struct Value {
    /// The name in the model file.
    pub name: String,
    /// The shape of one sample.
    pub shape: Shape,
    /// What the elements are.
    pub element: ElementType,
}

/// One operation.
#[derive(Debug, Clone, PartialEq)]
pub struct Node {
    /// The names of the nodes of the model file that this one stands for; never empty.
    pub names: Vec<String>,
    /// What it computes.
    pub operator: Operator,
    /// The values that it reads.
    pub inputs: Vec<ValueId>,
    /// The value that it defines.
    pub output: ValueId,
}

impl Node {
    /// All names in one text, for messages.
    pub fn label(&self) -> String {
        self.names.join(" + ")
    }
}

/// A result of the graph under the name that the model file gives it.
#[derive(Debug, Clone, PartialEq)]
pub struct Output {
    /// The name in the model file.
    pub name: String,
    /// The value.
    pub value: ValueId,
    /// For indices: what each of them stands for, such as the classes of a classifier. Empty if
    /// the indices mean themselves.
    pub classes: Vec<String>,
}

/// A checked tensor graph; see the crate's invariants. Made by [`GraphBuilder`].
#[derive(Debug, Clone, PartialEq)]
pub struct Graph {
    name: String,
    values: Vec<Value>,
    inputs: Vec<ValueId>,
    nodes: Vec<Node>,
    outputs: Vec<Output>,
    notes: Vec<String>,
}

impl Graph {
    /// The name of the model.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// All values: each input and each node's output, in the order of definition.
    pub fn values(&self) -> &[Value] {
        &self.values
    }

    /// One value. Panics on an id of a larger graph.
    pub fn value(&self, id: ValueId) -> &Value {
        &self.values[id.index()]
    }

    /// The inputs in the order of the model file.
    pub fn inputs(&self) -> &[ValueId] {
        &self.inputs
    }

    /// The nodes, each after those it reads.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// The results in the order of the model file.
    pub fn outputs(&self) -> &[Output] {
        &self.outputs
    }

    /// What whoever uses the graph should know, in whole sentences: outputs of the model file that
    /// were left out, and the like.
    pub fn notes(&self) -> &[String] {
        &self.notes
    }

    /// The same graph with fewer outputs; they must be among its own.
    pub(crate) fn with_outputs(mut self, outputs: Vec<Output>) -> Graph {
        self.outputs = outputs;
        self
    }

    pub(crate) fn add_note(&mut self, note: String) {
        self.notes.push(note);
    }

    /// The node that computes `value`; `None` for inputs. Costs a binary search.
    pub fn producer(&self, value: ValueId) -> Option<&Node> {
        let position = self
            .nodes
            .binary_search_by_key(&value, |node| node.output)
            .ok()?;
        Some(&self.nodes[position])
    }

    /// The nodes that read `value`, in order. Costs a walk over the graph.
    pub fn consumers(&self, value: ValueId) -> impl Iterator<Item = &Node> {
        self.nodes
            .iter()
            .filter(move |node| node.inputs.contains(&value))
    }
}

/// Builds a [`Graph`] one node at a time and checks each.
#[derive(Debug, Clone)]
pub struct GraphBuilder {
    graph: Graph,
}

impl GraphBuilder {
    /// An empty graph.
    pub fn new(name: impl Into<String>) -> GraphBuilder {
        let graph = Graph {
            name: name.into(),
            values: Vec::new(),
            inputs: Vec::new(),
            nodes: Vec::new(),
            outputs: Vec::new(),
            notes: Vec::new(),
        };
        GraphBuilder { graph }
    }

    /// Adds a float input of the given sample shape.
    pub fn input(&mut self, name: impl Into<String>, shape: Shape) -> ValueId {
        let value = self.define(Value {
            name: name.into(),
            shape,
            element: ElementType::Float,
        });
        self.graph.inputs.push(value);
        value
    }

    /// Adds a node, infers the shape of its result and returns the value that it defines.
    /// `names` are the nodes of the model file that it stands for.
    pub fn node(
        &mut self,
        names: Vec<String>,
        operator: Operator,
        inputs: &[ValueId],
        output_name: impl Into<String>,
    ) -> Result<ValueId, GraphError> {
        let label = || names.join(" + ");
        if !operator.accepts_count(inputs.len()) {
            let (expected, actual) = (operator.input_count(), inputs.len());
            return Err(GraphError::InputCount {
                node: label(),
                expected,
                actual,
            });
        }
        if let Some(undefined) = inputs
            .iter()
            .find(|input| input.index() >= self.graph.values.len())
        {
            return Err(GraphError::UndefinedValue {
                node: label(),
                value: undefined.0,
            });
        }
        if !operator.is_finite() {
            return Err(GraphError::NotFinite { node: label() });
        }
        let is_index = |input: &ValueId| self.value(*input).element == ElementType::Index;
        if inputs.iter().any(is_index) && !matches!(operator, Operator::Movement(_)) {
            return Err(GraphError::IndexArithmetic { node: label() });
        }
        let shapes: Vec<&Shape> = inputs
            .iter()
            .map(|&input| &self.value(input).shape)
            .collect();
        let shape = operator
            .result_shape(&shapes)
            .map_err(|(position, reason)| GraphError::NodeShape {
                node: label(),
                operator: operator.name(),
                shape: shapes[position].to_string(),
                reason,
            })?;
        let element = operator.result_element(self.value(inputs[0]).element);
        let output = self.define(Value {
            name: output_name.into(),
            shape,
            element,
        });
        self.graph.nodes.push(Node {
            names,
            operator,
            inputs: inputs.to_vec(),
            output,
        });
        Ok(output)
    }

    /// Adds a node under the names of one in another graph, whose result has the name of that one's.
    pub(crate) fn node_like(
        &mut self,
        graph: &Graph,
        like: &Node,
        operator: Operator,
        inputs: &[ValueId],
    ) -> Result<ValueId, GraphError> {
        let name = graph.value(like.output).name.clone();
        self.node(like.names.clone(), operator, inputs, name)
    }

    /// Declares `value` a result of the graph.
    pub fn output(&mut self, name: impl Into<String>, value: ValueId) -> Result<(), GraphError> {
        self.output_of_classes(name, value, Vec::new())
    }

    /// Declares `value` a result of the graph, whose indices stand for `classes`.
    pub fn output_of_classes(
        &mut self,
        name: impl Into<String>,
        value: ValueId,
        classes: Vec<String>,
    ) -> Result<(), GraphError> {
        let name = name.into();
        if value.index() >= self.graph.values.len() {
            return Err(GraphError::UndefinedValue {
                node: name,
                value: value.0,
            });
        }
        self.graph.outputs.push(Output {
            name,
            value,
            classes,
        });
        Ok(())
    }

    /// Adds to [`Graph::notes`].
    pub fn note(&mut self, note: impl Into<String>) {
        self.graph.notes.push(note.into());
    }

    /// A value defined so far. Panics on an id of another, larger graph.
    pub fn value(&self, id: ValueId) -> &Value {
        self.graph.value(id)
    }

    /// The node that computes `value`, as [`Graph::producer`].
    pub fn producer(&self, value: ValueId) -> Option<&Node> {
        self.graph.producer(value)
    }

    /// Checks names and returns the graph.
    pub fn build(self) -> Result<Graph, GraphError> {
        let graph = self.graph;
        if graph.inputs.is_empty() {
            return Err(GraphError::Empty { what: "input" });
        }
        if graph.outputs.is_empty() {
            return Err(GraphError::Empty { what: "output" });
        }
        let inputs = graph
            .inputs
            .iter()
            .map(|&input| graph.value(input).name.as_str());
        unique(inputs)?;
        unique(graph.outputs.iter().map(|output| output.name.as_str()))?;
        Ok(graph)
    }

    fn define(&mut self, value: Value) -> ValueId {
        let id = u32::try_from(self.graph.values.len()).expect("fewer than 2^32 values");
        self.graph.values.push(value);
        ValueId(id)
    }
}

fn unique<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), GraphError> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(GraphError::DuplicateName {
                name: name.to_string(),
            });
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{BinaryOperator, Function, SparseLinear, SparseMatrix, Tensor};

    fn names() -> Vec<String> {
        vec!["n".to_string()]
    }

    fn builder_with_input(dimensions: &[usize]) -> (GraphBuilder, ValueId) {
        let mut builder = GraphBuilder::new("g");
        let x = builder.input("x", Shape::new(dimensions.to_vec()).unwrap());
        (builder, x)
    }

    #[test]
    fn checks_shapes_and_says_which_node() {
        let (mut builder, x) = builder_with_input(&[3]);
        let weight = Tensor::new(vec![2, 4], vec![0.0; 8]).unwrap();
        let error = builder
            .node(names(), Operator::Linear { weight, bias: None }, &[x], "y")
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "node `n`: linear does not accept shape [batch, 3]: the last dimension must be 4"
        );
    }

    #[test]
    fn refuses_arithmetic_on_indices() {
        let (mut builder, x) = builder_with_input(&[3]);
        let arg_max = Operator::ArgMax {
            axis: 0,
            keep_dimension: true,
            last: false,
        };
        let y = builder.node(names(), arg_max, &[x], "y").unwrap();
        assert_eq!(builder.value(y).element, ElementType::Index);
        let error = builder
            .node(names(), Operator::Elementwise(Function::Relu), &[y], "z")
            .unwrap_err();
        assert_eq!(
            error,
            GraphError::IndexArithmetic {
                node: "n".to_string()
            }
        );
    }

    #[test]
    fn refuses_undefined_values_wrong_counts_and_infinities() {
        let (mut builder, x) = builder_with_input(&[3]);
        let add = Operator::Binary(BinaryOperator::Add);
        assert!(matches!(
            builder.node(names(), add.clone(), &[x], "y"),
            Err(GraphError::InputCount {
                expected: 2,
                actual: 1,
                ..
            })
        ));
        assert!(matches!(
            builder.node(names(), add, &[x, ValueId(7)], "y"),
            Err(GraphError::UndefinedValue { value: 7, .. })
        ));
        assert!(matches!(
            builder.node(names(), Operator::affine(f64::NAN, 0.0), &[x], "y"),
            Err(GraphError::NotFinite { .. })
        ));
    }

    #[test]
    fn checks_joined_values_and_sparse_matrices() {
        let (mut builder, x) = builder_with_input(&[2, 3]);
        let z = builder.input("z", Shape::new(vec![2, 4]).unwrap());
        let mut join = |axis, inputs: &[ValueId]| {
            let shape = builder.node(names(), Operator::Concatenate { axis }, inputs, "y");
            shape.map(|value| builder.value(value).shape.clone())
        };
        assert_eq!(join(1, &[x, z, x]).unwrap().dimensions(), [2, 10]);
        assert_eq!(
            join(0, &[x, z]).unwrap_err().to_string(),
            "node `n`: concatenate does not accept shape [batch, 2, 4]: \
             it is joined along axis 0 to shape [batch, 2, 3]"
        );
        assert!(join(2, &[x, x]).is_err());
        assert!(matches!(
            join(1, &[x]),
            Err(GraphError::InputCount {
                expected: 2,
                actual: 1,
                ..
            })
        ));
        let sparse = |columns, bias: Option<Vec<f64>>| {
            Operator::Sparse(SparseLinear {
                name: "slice",
                trained: false,
                matrix: SparseMatrix::selection(columns, 0..2),
                bias,
                shape: Shape::new(vec![2]).unwrap(),
            })
        };
        assert!(builder.node(names(), sparse(6, None), &[x], "y").is_ok());
        for wrong in [sparse(5, None), sparse(6, Some(vec![0.0]))] {
            assert!(matches!(
                builder.node(names(), wrong, &[x], "y"),
                Err(GraphError::NodeShape { .. })
            ));
        }
        assert!(matches!(
            builder.node(names(), sparse(6, Some(vec![0.0, f64::NAN])), &[x], "y"),
            Err(GraphError::NotFinite { .. })
        ));
    }

    #[test]
    fn refuses_empty_graphs_and_repeated_names() {
        assert_eq!(
            GraphBuilder::new("g").build().unwrap_err(),
            GraphError::Empty { what: "input" }
        );
        let (mut builder, x) = builder_with_input(&[3]);
        assert_eq!(
            builder.clone().build().unwrap_err(),
            GraphError::Empty { what: "output" }
        );
        builder.output("y", x).unwrap();
        builder.output("y", x).unwrap();
        assert_eq!(
            builder.build().unwrap_err(),
            GraphError::DuplicateName {
                name: "y".to_string()
            }
        );
    }

    #[test]
    fn finds_producers_and_consumers() {
        let (mut builder, x) = builder_with_input(&[3]);
        let y = builder
            .node(names(), Operator::Elementwise(Function::Relu), &[x], "y")
            .unwrap();
        builder.output("y", y).unwrap();
        let graph = builder.build().unwrap();
        assert!(graph.producer(x).is_none());
        assert_eq!(graph.producer(y).unwrap().label(), "n");
        assert_eq!(graph.consumers(x).count(), 1);
    }
}
