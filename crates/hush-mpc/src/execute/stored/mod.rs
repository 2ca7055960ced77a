//! Graphs as bytes, without what is private in them.

mod function;
#[cfg(test)]
mod tests;

use hush_graph::{
    Convolution, Graph, GraphBuilder, Movement, Operator, Shape, SparseLinear, SparseMatrix,
    Tensor, ValueId,
};
use hush_wire::graph::{
    GraphInputV1, GraphNodeV1, GraphOperatorV1, GraphOutputV1, GraphTensorV1, GraphV1,
};
use hush_wire::{message_bytes, read_party_message};

use crate::MpcError;
use function::{binary_from_v1, binary_to_v1, function_from_v1, function_to_v1};

/// Most elements of all constants and values of one graph: what a stranger's graph may make a party hold.
const ELEMENTS_MOST: u64 = 1 << 28;

/// The graph as bytes. Constants of linear layers and convolutions, and affine ones of more than one element, are left
/// out: they are private, and only their shapes and places are written.
///
/// # Errors
/// If an operator is newer than this form.
pub fn graph_to_bytes(graph: &Graph) -> Result<Vec<u8>, MpcError> {
    let failed = |reason: String| MpcError::Node {
        node: graph.name().to_owned(),
        reason,
    };
    let mut numbers = vec![u32::MAX; graph.values().len()];
    let defined = graph
        .inputs()
        .iter()
        .chain(graph.nodes().iter().map(|node| &node.output));
    for (number, value) in (0..).zip(defined) {
        numbers[value.index()] = number;
    }
    let nodes = graph.nodes().iter().map(|node| {
        let unknown = || failed(format!("{} cannot be written down", node.label()));
        Ok(GraphNodeV1 {
            names: node.names.clone(),
            operator: operator_to_v1(&node.operator).ok_or_else(unknown)?,
            inputs: node
                .inputs
                .iter()
                .map(|input| numbers[input.index()])
                .collect(),
            output: graph.value(node.output).name.clone(),
        })
    });
    let stored = GraphV1 {
        name: graph.name().to_owned(),
        inputs: graph
            .inputs()
            .iter()
            .map(|&input| GraphInputV1 {
                name: graph.value(input).name.clone(),
                shape: wide(graph.value(input).shape.dimensions()),
            })
            .collect(),
        nodes: nodes.collect::<Result<_, MpcError>>()?,
        outputs: graph
            .outputs()
            .iter()
            .map(|output| GraphOutputV1 {
                name: output.name.clone(),
                value: numbers[output.value.index()],
                classes: output.classes.clone(),
            })
            .collect(),
    };
    message_bytes(&stored).map_err(|error| failed(error.to_string()))
}

/// Reads what [`graph_to_bytes`] wrote; private constants are zeros. Bytes may come from anybody.
///
/// # Errors
/// If they are no graph, or one too large.
pub fn graph_from_bytes(bytes: &[u8]) -> Result<Graph, MpcError> {
    let failed = |reason: String| MpcError::Node {
        node: "the graph".to_owned(),
        reason,
    };
    let stored: GraphV1 =
        read_party_message("the graph", bytes).map_err(|error| failed(error.to_string()))?;
    let mut budget = Budget(ELEMENTS_MOST);
    let mut builder = GraphBuilder::new(stored.name);
    let mut values: Vec<ValueId> = Vec::new();
    let malformed = |what: &str| failed(format!("{what} is malformed or too large"));
    for input in stored.inputs {
        let shape = budget
            .shape(&input.shape)
            .ok_or_else(|| malformed(&input.name))?;
        values.push(builder.input(input.name, shape));
    }
    for node in stored.nodes {
        let label = node.names.join(" + ");
        let known = |number: &u32| values.get(*number as usize).copied();
        let inputs: Option<Vec<ValueId>> = node.inputs.iter().map(known).collect();
        let inputs = inputs.ok_or_else(|| malformed(&label))?;
        let elements = inputs
            .first()
            .map_or(0, |&input| builder.value(input).shape.size());
        let operator = operator_from_v1(node.operator, elements, &mut budget);
        let operator = operator.ok_or_else(|| malformed(&label))?;
        let value = builder
            .node(node.names, operator, &inputs, node.output)
            .map_err(|error| failed(error.to_string()))?;
        let size = builder.value(value).shape.size() as u64;
        budget.take(size).ok_or_else(|| malformed(&label))?;
        values.push(value);
    }
    for output in stored.outputs {
        let value = values.get(output.value as usize).copied();
        let value = value.ok_or_else(|| malformed(&output.name))?;
        builder
            .output_of_classes(output.name, value, output.classes)
            .map_err(|error| failed(error.to_string()))?;
    }
    builder.build().map_err(|error| failed(error.to_string()))
}

/// Elements that a graph may still have.
struct Budget(u64);

impl Budget {
    fn take(&mut self, elements: u64) -> Option<()> {
        self.0 = self.0.checked_sub(elements)?;
        Some(())
    }

    fn dimensions(&mut self, shape: &[u64]) -> Option<Vec<usize>> {
        if shape.len() > 16 {
            return None;
        }
        let size = shape
            .iter()
            .try_fold(1u64, |size, &length| size.checked_mul(length))?;
        self.take(size)?;
        shape
            .iter()
            .map(|&length| usize::try_from(length).ok())
            .collect()
    }

    fn shape(&mut self, shape: &[u64]) -> Option<Shape> {
        Shape::new(self.dimensions(shape)?).ok()
    }

    fn tensor(&mut self, stored: GraphTensorV1) -> Option<Tensor> {
        let shape = self.dimensions(&stored.shape)?;
        let size = shape.iter().product();
        Tensor::new(shape, stored.data.unwrap_or_else(|| vec![0.0; size])).ok()
    }
}

fn wide(numbers: &[usize]) -> Vec<u64> {
    numbers.iter().map(|&number| number as u64).collect()
}

fn narrow(numbers: &[u64]) -> Option<Vec<usize>> {
    numbers
        .iter()
        .map(|&number| usize::try_from(number).ok().filter(|&n| n < 1 << 32))
        .collect()
}

fn private(tensor: &Tensor) -> GraphTensorV1 {
    GraphTensorV1 {
        shape: wide(tensor.shape()),
        data: None,
    }
}

fn public(tensor: &Tensor) -> GraphTensorV1 {
    GraphTensorV1 {
        shape: wide(tensor.shape()),
        data: Some(tensor.data().to_vec()),
    }
}

fn operator_to_v1(operator: &Operator) -> Option<GraphOperatorV1> {
    Some(match operator {
        Operator::Linear { weight, bias } => GraphOperatorV1::Linear {
            weight: private(weight),
            bias: bias.as_ref().map(private),
        },
        Operator::Convolution(convolution) => GraphOperatorV1::Convolution {
            weight: private(&convolution.weight),
            bias: convolution.bias.as_ref().map(private),
            strides: wide(&convolution.strides),
            padding: convolution
                .padding
                .iter()
                .map(|&(before, after)| (before as u64, after as u64))
                .collect(),
            dilations: wide(&convolution.dilations),
            groups: convolution.groups as u64,
        },
        Operator::Sparse(sparse) => {
            let known = |value: f64| if sparse.trained { 0.0 } else { value };
            GraphOperatorV1::Sparse {
                name: sparse.name.to_owned(),
                trained: sparse.trained,
                columns: sparse.matrix.columns() as u64,
                rows: (0..sparse.matrix.rows())
                    .map(|row| {
                        let entries = sparse.matrix.row(row);
                        entries
                            .map(|(column, value)| (column as u32, known(value)))
                            .collect()
                    })
                    .collect(),
                bias: sparse
                    .bias
                    .as_ref()
                    .map(|bias| bias.iter().map(|&value| known(value)).collect()),
                shape: wide(sparse.shape.dimensions()),
            }
        }
        Operator::Affine { scale, offset } => {
            let both = scale.as_scalar().is_some() && offset.as_scalar().is_some();
            let stored = if both { public } else { private };
            GraphOperatorV1::Affine {
                scale: stored(scale),
                offset: stored(offset),
            }
        }
        Operator::Elementwise(function) => GraphOperatorV1::Elementwise(function_to_v1(function)?),
        Operator::Movement(Movement::Reshape { shape }) => {
            GraphOperatorV1::Reshape(wide(shape.dimensions()))
        }
        Operator::Movement(Movement::Transpose { permutation }) => {
            GraphOperatorV1::Transpose(wide(permutation))
        }
        Operator::Movement(Movement::Expand { shape }) => {
            GraphOperatorV1::Expand(wide(shape.dimensions()))
        }
        Operator::Binary(operator) => GraphOperatorV1::Binary(binary_to_v1(*operator)?),
        Operator::Concatenate { axis } => GraphOperatorV1::Concatenate(*axis as u64),
        Operator::Softmax { axis } => GraphOperatorV1::Softmax(*axis as u64),
        Operator::LogSoftmax { axis } => GraphOperatorV1::LogSoftmax(*axis as u64),
        &Operator::ArgMax {
            axis,
            keep_dimension,
            last,
        } => GraphOperatorV1::ArgMax {
            axis: axis as u64,
            keep_dimension,
            last,
        },
        _ => return None,
    })
}

/// `elements`: of one sample of the first operand.
fn operator_from_v1(
    stored: GraphOperatorV1,
    elements: usize,
    budget: &mut Budget,
) -> Option<Operator> {
    let small = |number: u64| usize::try_from(number).ok().filter(|&n| n < 1 << 16);
    Some(match stored {
        GraphOperatorV1::Linear { weight, bias } => Operator::Linear {
            weight: budget
                .tensor(weight)
                .filter(|weight| weight.shape().len() == 2)?,
            bias: optional(bias, |bias| budget.tensor(bias))?,
        },
        GraphOperatorV1::Convolution {
            weight,
            bias,
            strides,
            padding,
            dilations,
            groups,
        } => Operator::Convolution(Convolution {
            weight: budget
                .tensor(weight)
                .filter(|weight| weight.shape().len() >= 2)?,
            bias: optional(bias, |bias| budget.tensor(bias))?,
            strides: narrow(&strides)?,
            padding: padding
                .into_iter()
                .map(|(before, after)| Some((small(before)?, small(after)?)))
                .collect::<Option<_>>()?,
            dilations: narrow(&dilations)?,
            groups: small(groups)?,
        }),
        GraphOperatorV1::Sparse {
            name: _,
            trained,
            columns,
            rows,
            bias,
            shape,
        } => {
            let columns = usize::try_from(columns).ok()?;
            let mut matrix = SparseMatrix::empty(columns);
            if columns != elements || bias.as_ref().is_some_and(|bias| bias.len() != rows.len()) {
                return None;
            }
            for row in rows {
                let mut taken: Vec<u32> = row.iter().map(|&(column, _)| column).collect();
                taken.sort_unstable();
                let twice = taken.windows(2).any(|pair| pair[0] == pair[1]);
                if twice || taken.last().is_some_and(|&last| last as usize >= columns) {
                    return None;
                }
                let row = row
                    .into_iter()
                    .map(|(column, value)| (column as usize, value));
                match trained {
                    true => matrix.push_pattern(row),
                    false => matrix.push_row(row),
                }
            }
            let shape = budget.shape(&shape)?;
            if shape.size() != matrix.rows() {
                return None;
            }
            Operator::Sparse(SparseLinear {
                name: "sparse",
                trained,
                matrix,
                bias,
                shape,
            })
        }
        GraphOperatorV1::Affine { scale, offset } => Operator::Affine {
            scale: budget.tensor(scale)?,
            offset: budget.tensor(offset)?,
        },
        GraphOperatorV1::Elementwise(function) => {
            Operator::Elementwise(function_from_v1(function)?)
        }
        GraphOperatorV1::Reshape(shape) => Operator::Movement(Movement::Reshape {
            shape: budget.shape(&shape)?,
        }),
        GraphOperatorV1::Transpose(permutation) => Operator::Movement(Movement::Transpose {
            permutation: narrow(&permutation)?,
        }),
        GraphOperatorV1::Expand(shape) => Operator::Movement(Movement::Expand {
            shape: budget.shape(&shape)?,
        }),
        GraphOperatorV1::Binary(code) => Operator::Binary(binary_from_v1(code)?),
        GraphOperatorV1::Concatenate(axis) => Operator::Concatenate { axis: small(axis)? },
        GraphOperatorV1::Softmax(axis) => Operator::Softmax { axis: small(axis)? },
        GraphOperatorV1::LogSoftmax(axis) => Operator::LogSoftmax { axis: small(axis)? },
        GraphOperatorV1::ArgMax {
            axis,
            keep_dimension,
            last,
        } => Operator::ArgMax {
            axis: small(axis)?,
            keep_dimension,
            last,
        },
    })
}

/// None inside stays; None of the conversion fails.
fn optional<T, U>(value: Option<T>, convert: impl FnOnce(T) -> Option<U>) -> Option<Option<U>> {
    match value {
        None => Some(None),
        Some(value) => convert(value).map(Some),
    }
}
