//! From the tensor graph to stages: neighbouring linear operators become one sparse matrix each.
//!
//! Every tensor is kept as an affine form of a few base values (inputs and results of non-linear operators), and
//! becomes a stage of its own only where something non-linear or an output reads it. What stands at the end of the
//! graph and needs no encryption (softmax, arg max, sigmoid) is left to the data owner.

mod form;
mod matrices;

use std::collections::{BTreeMap, BTreeSet};

use hush_graph::{BinaryOperator, Function, Graph, Node, Operator, ValueId};
use hush_program::{Basis, Polynomial, PostOperation};

use crate::error::{CompileError, Unsupported};
use crate::network::{Index, Network, Port, Stage, StageKind, Vector};
use hush_graph::SparseMatrix;

use self::form::Form;
use self::matrices::{concatenation, expand, linear_matrix};

/// Matrices are multiplied where that fills in fewer than so many times their entries.
const MOST_FILL: usize = 2;

struct Folder<'g> {
    graph: &'g Graph,
    network: Network,
    /// Values that already hold a form, by the tensor that it belongs to.
    stages: BTreeMap<ValueId, Index>,
    unsupported: Vec<Unsupported>,
}

impl Folder<'_> {
    /// A new value with the name and the shape of a tensor.
    fn value(&mut self, tensor: ValueId) -> Index {
        let tensor = self.graph.value(tensor);
        self.network.values.push(Vector {
            name: tensor.name.clone(),
            shape: tensor.shape.dimensions().to_vec(),
            elements: tensor.shape.size(),
        });
        self.network.values.len() - 1
    }

    fn stage(&mut self, label: String, tensor: ValueId, kind: StageKind) -> Index {
        let output = self.value(tensor);
        self.network.stages.push(Stage {
            label,
            output,
            kind,
        });
        output
    }

    fn refuse(&mut self, node: &Node, operator: impl Into<String>, hint: &str) {
        self.unsupported.push(Unsupported {
            nodes: node.label(),
            operator: operator.into(),
            hint: hint.to_owned(),
        });
    }

    /// The value that holds a form; a linear stage is added unless it is one already.
    fn materialize(&mut self, tensor: ValueId, form: &Form) -> Index {
        if let Some(value) = form.as_base() {
            return value;
        }
        if let Some(&value) = self.stages.get(&tensor) {
            return value;
        }
        let value = self.linear(tensor, form);
        self.stages.insert(tensor, value);
        value
    }

    /// A linear stage of the shape of a tensor.
    fn linear(&mut self, tensor: ValueId, form: &Form) -> Index {
        let elements = form.bias.len();
        let mut terms: Vec<_> = form.terms.clone().into_iter().collect();
        if terms.is_empty() {
            // A constant result still needs a ciphertext to be returned in.
            let first = &self.network.inputs[0];
            let columns = self.network.values[first.value].elements;
            terms.push((
                first.value,
                SparseMatrix::from_rows(columns, vec![Vec::new(); elements]),
            ));
        }
        let label = unique(&form.labels);
        let kind = StageKind::Linear {
            terms,
            bias: form.bias.clone(),
        };
        self.stage(label, tensor, kind)
    }

    /// The form that a matrix is applied to: a sum of several values that the matrix would multiply becomes one
    /// value first, where the products of matrices have far more entries than the matrices.
    fn operand(&mut self, tensor: ValueId, form: &Form, matrix: &SparseMatrix) -> Form {
        if form.terms.len() > 1 {
            let inner = form.terms.values();
            let together: usize = inner.clone().map(|inner| matrix.after(inner).len()).sum();
            let apart = matrix.len() + inner.map(SparseMatrix::len).sum::<usize>();
            if together > MOST_FILL * apart {
                return Form::base(self.materialize(tensor, form), form.bias.len());
            }
        }
        form.clone()
    }

    /// The larger (`sign` 1) or the smaller (−1) of two: `(a + b)/2 ± |a − b|/2`.
    fn extremum(&mut self, node: &Node, left: &Form, right: &Form, sign: f64) -> Form {
        let size = left.bias.len();
        let half = SparseMatrix::identity(size).scale_rows(&vec![0.5; size]);
        let halved = |form: Form| form.apply(&half, &vec![0.0; size], node.label());
        let difference = left.combine(right, -1.0, node.label());
        let source = self.linear(node.output, &difference);
        let function = Function::Abs;
        let kind = StageKind::Function { source, function };
        let distance = Form::base(self.stage(node.label(), node.output, kind), size);
        let middle = halved(left.combine(right, 1.0, node.label()));
        middle.combine(&halved(distance), sign, node.label())
    }
}

fn unique(labels: &[String]) -> String {
    let mut seen = BTreeSet::new();
    let kept: Vec<&str> = labels
        .iter()
        .filter(|label| seen.insert(*label))
        .map(String::as_str)
        .collect();
    kept.join(" + ")
}

/// Takes the client's operations off the end of each output.
fn trailing(
    graph: &Graph,
    folder: &mut Folder<'_>,
) -> (Vec<(String, ValueId)>, Vec<PostOperation>) {
    let mut chains = Vec::new();
    for output in graph.outputs() {
        let (mut value, mut post) = (output.value, Vec::new());
        while let Some(node) = graph.producer(value) {
            let operation = match &node.operator {
                Operator::Softmax { axis } => PostOperation::Softmax { axis: axis + 1 },
                Operator::LogSoftmax { axis } => PostOperation::LogSoftmax { axis: axis + 1 },
                Operator::Elementwise(Function::Sigmoid) => PostOperation::Sigmoid,
                // After encryption no two elements are equal, so it does not matter which of them is taken.
                Operator::ArgMax {
                    axis,
                    keep_dimension,
                    last: _,
                } => PostOperation::ArgMax {
                    axis: axis + 1,
                    keepdims: *keep_dimension,
                },
                _ => break,
            };
            post.push(operation);
            value = node.inputs[0];
        }
        post.reverse();
        chains.push((output.name.clone(), value, post));
    }
    let post = chains
        .first()
        .map(|chain| chain.2.clone())
        .unwrap_or_default();
    if chains.iter().any(|chain| chain.2 != post) {
        folder.unsupported.push(Unsupported {
            nodes: graph
                .outputs()
                .iter()
                .map(|output| output.name.as_str())
                .collect::<Vec<_>>()
                .join(" + "),
            operator: "outputs that end in different softmax, sigmoid or arg max operators"
                .to_owned(),
            hint: "export the model with one of these outputs".to_owned(),
        });
    }
    (
        chains
            .into_iter()
            .map(|(name, value, _)| (name, value))
            .collect(),
        post,
    )
}

fn needed(graph: &Graph, outputs: &[(String, ValueId)]) -> BTreeSet<ValueId> {
    let mut needed: BTreeSet<ValueId> = outputs.iter().map(|&(_, value)| value).collect();
    for node in graph.nodes().iter().rev() {
        if needed.contains(&node.output) {
            needed.extend(node.inputs.iter().copied());
        }
    }
    needed
}

/// Translates a graph; all unsupported parts are reported together.
///
/// # Errors
/// [`CompileError::Unsupported`].
pub fn fold(graph: &Graph) -> Result<Network, CompileError> {
    let network = Network {
        name: graph.name().to_owned(),
        values: Vec::new(),
        inputs: Vec::new(),
        stages: Vec::new(),
        outputs: Vec::new(),
        post: Vec::new(),
    };
    let mut folder = Folder {
        graph,
        network,
        stages: BTreeMap::new(),
        unsupported: Vec::new(),
    };
    let mut forms: BTreeMap<ValueId, Form> = BTreeMap::new();
    for &input in graph.inputs() {
        let value = graph.value(input);
        let index = folder.value(input);
        let shape = value.shape.dimensions().to_vec();
        folder.network.inputs.push(Port {
            name: value.name.clone(),
            shape,
            value: index,
            positions: None,
        });
        forms.insert(input, Form::base(index, value.shape.size()));
    }
    let (outputs, post) = trailing(graph, &mut folder);
    folder.network.post = post;
    let needed = needed(graph, &outputs);
    for node in graph
        .nodes()
        .iter()
        .filter(|node| needed.contains(&node.output))
    {
        let form = translate(graph, &mut folder, &forms, node);
        forms.insert(node.output, form);
    }
    for (name, value) in &outputs {
        let form = &forms[value];
        let shape = graph.value(*value).shape.dimensions().to_vec();
        let mut index = folder.materialize(*value, form);
        let from_input = index < folder.network.inputs.len();
        let producer = folder
            .network
            .stages
            .iter()
            .find(|stage| stage.output == index);
        let product = producer.is_some_and(|stage| matches!(stage.kind, StageKind::Product { .. }));
        if from_input || (product && outputs.len() > 1) {
            // A stage of its own gives the output a level and a scale of its own.
            let elements = form.bias.len();
            let kind = StageKind::Linear {
                terms: vec![(index, SparseMatrix::identity(elements))],
                bias: vec![0.0; elements],
            };
            index = folder.stage(name.clone(), *value, kind);
        }
        folder.network.outputs.push(Port {
            name: name.clone(),
            shape,
            value: index,
            positions: None,
        });
    }
    if folder.unsupported.is_empty() {
        Ok(folder.network)
    } else {
        Err(CompileError::Unsupported(folder.unsupported))
    }
}

fn translate(
    graph: &Graph,
    folder: &mut Folder<'_>,
    forms: &BTreeMap<ValueId, Form>,
    node: &Node,
) -> Form {
    let source = node.inputs[0];
    let form = &forms[&source];
    let shape = &graph.value(source).shape;
    let output = graph.value(node.output);
    let size = output.shape.size();
    let label = node.label();
    match &node.operator {
        Operator::Linear { weight, bias } => {
            let (matrix, offset) = linear_matrix(weight, bias.as_ref(), shape.dimensions());
            let form = folder.operand(source, form, &matrix);
            form.apply(&matrix, &offset, label)
        }
        Operator::Affine { scale, offset } => {
            match (
                expand(scale, shape.dimensions()),
                expand(offset, shape.dimensions()),
            ) {
                (Ok(scale), Ok(offset)) => {
                    let matrix = SparseMatrix::identity(size).scale_rows(&scale);
                    form.apply(&matrix, &offset, label)
                }
                (Err(reason), _) | (_, Err(reason)) => {
                    folder.refuse(node, reason, "this is a bug in the importer");
                    Form::base(0, size)
                }
            }
        }
        Operator::Convolution(convolution) => {
            let (matrix, offset) = convolution.matrix(shape);
            let form = folder.operand(source, form, &matrix);
            form.apply(&matrix, &offset, label)
        }
        Operator::Sparse(linear) => {
            let offset = linear.bias.clone().unwrap_or_else(|| vec![0.0; size]);
            form.apply(&linear.matrix.without_zeros(), &offset, label)
        }
        Operator::Concatenate { axis } => {
            let shapes: Vec<&[usize]> = node
                .inputs
                .iter()
                .map(|&input| graph.value(input).shape.dimensions())
                .collect();
            let parts = node.inputs.iter().zip(concatenation(&shapes, *axis));
            let parts = parts.map(|(input, matrix)| {
                forms[input].apply(&matrix, &vec![0.0; size], label.clone())
            });
            parts
                .reduce(|sum, part| sum.combine(&part, 1.0, label.clone()))
                .unwrap_or_else(|| Form::base(0, size))
        }
        Operator::Movement(movement) => {
            let sources = movement.sources(shape);
            let matrix = SparseMatrix::selection(shape.size(), sources.into_iter());
            form.apply(&matrix, &vec![0.0; size], label)
        }
        Operator::Elementwise(Function::Polynomial(polynomial)) if polynomial.degree() < 2 => {
            let at = |index: usize| polynomial.coefficients().get(index).copied().unwrap_or(0.0);
            let matrix = SparseMatrix::identity(size).scale_rows(&vec![at(1); size]);
            form.apply(&matrix, &vec![at(0); size], label)
        }
        Operator::Elementwise(function) => {
            let source = folder.materialize(source, form);
            let kind = match function {
                Function::Polynomial(polynomial) => StageKind::Polynomial {
                    source,
                    polynomial: Polynomial {
                        coefficients: polynomial.coefficients().to_vec(),
                        basis: Basis::Power,
                    },
                },
                other => StageKind::Function {
                    source,
                    function: other.clone(),
                },
            };
            let value = folder.stage(label, node.output, kind);
            Form::base(value, size)
        }
        Operator::Binary(binary) => {
            let other = &forms[&node.inputs[1]];
            match binary {
                BinaryOperator::Add => form.combine(other, 1.0, label),
                BinaryOperator::Subtract => form.combine(other, -1.0, label),
                BinaryOperator::Multiply => {
                    let left = folder.materialize(source, form);
                    let right = node.inputs[1];
                    let right = folder.materialize(right, other);
                    let kind = if left == right {
                        let polynomial = Polynomial {
                            coefficients: vec![0.0, 0.0, 1.0],
                            basis: Basis::Power,
                        };
                        StageKind::Polynomial {
                            source: left,
                            polynomial,
                        }
                    } else {
                        StageKind::Product { left, right }
                    };
                    let value = folder.stage(label, node.output, kind);
                    Form::base(value, size)
                }
                BinaryOperator::Maximum => folder.extremum(node, form, other, 1.0),
                BinaryOperator::Minimum => folder.extremum(node, form, other, -1.0),
                _ => {
                    folder.refuse(node, node.operator.name(), "export the model without it");
                    Form::base(0, size)
                }
            }
        }
        Operator::Softmax { .. } | Operator::LogSoftmax { .. } | Operator::ArgMax { .. } => {
            folder.refuse(
                node,
                format!("{} before the end of the model", node.operator.name()),
                "only a last one can run on the data owner's side; cut the model after it",
            );
            Form::base(0, size)
        }
        other => {
            folder.refuse(node, other.name(), "export the model without it");
            Form::base(0, size)
        }
    }
}
