//! Weights of a graph: which there are, and how they are shared.

use hush_graph::{Graph, GraphBuilder, Operator, SparseLinear, Tensor};
use hush_simd::words::Word;

use super::{Plan, Weights};
use crate::{Fixed, MpcError, Protocol, Secret};

/// A constant of a node in the form in which it is used.
pub(super) enum Weight<W> {
    Shared(Secret<W>),
    Public { fixed: Fixed, words: Vec<W> },
}

impl<W: Word> Weight<W> {
    pub(super) fn fixed(&self) -> Fixed {
        match self {
            Weight::Shared(secret) => secret.fixed(),
            Weight::Public { fixed, .. } => *fixed,
        }
    }
}

/// The constants of a node that are private, in the form in which they are used; `shape` is that of
/// one sample of its input.
pub(super) fn constants(operator: &Operator, shape: &[usize]) -> Vec<Tensor> {
    match operator {
        Operator::Linear { weight, bias } => {
            let (outputs, inputs) = (weight.shape()[0], weight.shape()[1]);
            let data = weight.data();
            let turned = (0..inputs)
                .flat_map(|input| (0..outputs).map(move |output| data[output * inputs + input]));
            let turned =
                Tensor::new(vec![inputs, outputs], turned.collect()).expect("the same elements");
            std::iter::once(turned).chain(bias.clone()).collect()
        }
        Operator::Convolution(convolution) => std::iter::once(convolution.weight.clone())
            .chain(convolution.bias.clone())
            .collect(),
        Operator::Affine { scale, offset }
            if scale.as_scalar().is_none() || offset.as_scalar().is_none() =>
        {
            let expand = |constant: &Tensor| {
                constant
                    .broadcast_to(shape)
                    .expect("the graph checked this constant")
            };
            vec![expand(scale), expand(offset)]
        }
        Operator::Sparse(sparse) if sparse.trained => {
            let entries: Vec<f64> = sparse.matrix.entries().map(|entry| entry.2).collect();
            let bias = sparse.bias.clone().unwrap_or_default();
            let lists = [entries, bias].into_iter().filter(|list| !list.is_empty());
            lists
                .map(|list| Tensor::new(vec![list.len()], list).expect("as many as there are"))
                .collect()
        }
        _ => Vec::new(),
    }
}

/// All weights of a plan, by node, shared by one input of all words.
pub(super) fn load<W: Word>(
    plan: &Plan,
    protocol: &mut dyn Protocol<W>,
) -> Result<Vec<Vec<Weight<W>>>, MpcError> {
    let graph = &plan.graph;
    let tensors: Vec<Vec<Tensor>> = graph
        .nodes()
        .iter()
        .map(|node| {
            constants(
                &node.operator,
                graph.value(node.inputs[0]).shape.dimensions(),
            )
        })
        .collect();
    let fixed = plan.options.fixed;
    let encode = |tensor: &Tensor| fixed.encode_all::<W>(tensor.data());
    let label = |position: usize, error: MpcError| match error {
        MpcError::Value {
            value,
            integer_bits,
            ..
        } => {
            let reason = format!("weight {value} is outside the range of ±2^{integer_bits}");
            MpcError::Node {
                node: graph.nodes()[position].label(),
                reason,
            }
        }
        other => other,
    };
    let owner = match plan.options.weights {
        Weights::Public => {
            let public = tensors.iter().enumerate().map(|(position, tensors)| {
                let weights = tensors.iter().map(|tensor| {
                    Ok(Weight::Public {
                        fixed,
                        words: encode(tensor)?,
                    })
                });
                weights
                    .collect::<Result<Vec<_>, _>>()
                    .map_err(|error| label(position, error))
            });
            return public.collect();
        }
        Weights::Party(owner) => owner,
    };
    let count = tensors
        .iter()
        .flatten()
        .map(|tensor| tensor.data().len())
        .sum();
    let words = if protocol.party() == owner {
        let mut words = Vec::with_capacity(count);
        for (position, tensors) in tensors.iter().enumerate() {
            for tensor in tensors {
                words.extend(encode(tensor).map_err(|error| label(position, error))?);
            }
        }
        Some(words)
    } else {
        None
    };
    let all = protocol.input(owner, words.as_deref(), count)?;
    let mut start = 0;
    let mut share = |tensor: &Tensor| {
        let range = start..start + tensor.data().len();
        start = range.end;
        Ok(Weight::Shared(Secret::new(
            tensor.shape().to_vec(),
            fixed,
            all.slice(range),
        )?))
    };
    tensors
        .iter()
        .map(|tensors| tensors.iter().map(&mut share).collect())
        .collect()
}

/// The graph with zeros for all private constants: what parties get that must not know them.
pub fn without_weights(graph: &Graph) -> Result<Graph, MpcError> {
    let zeros = |tensor: &Tensor| tensor.map(|_| 0.0);
    rebuild(graph, |operator| match operator {
        Operator::Linear { weight, bias } => Operator::Linear {
            weight: zeros(weight),
            bias: bias.as_ref().map(zeros),
        },
        Operator::Convolution(convolution) => {
            let mut convolution = convolution.clone();
            convolution.weight = zeros(&convolution.weight);
            convolution.bias = convolution.bias.as_ref().map(zeros);
            Operator::Convolution(convolution)
        }
        Operator::Affine { scale, offset }
            if scale.as_scalar().is_none() || offset.as_scalar().is_none() =>
        {
            Operator::Affine {
                scale: zeros(scale),
                offset: zeros(offset),
            }
        }
        Operator::Sparse(sparse) if sparse.trained => Operator::Sparse(SparseLinear {
            matrix: sparse.matrix.pattern(),
            bias: sparse.bias.as_ref().map(|bias| vec![0.0; bias.len()]),
            ..sparse.clone()
        }),
        other => other.clone(),
    })
}

/// The same graph with other operators of the same shapes.
pub(super) fn rebuild(
    graph: &Graph,
    replace: impl Fn(&Operator) -> Operator,
) -> Result<Graph, MpcError> {
    let failed = |error: hush_graph::GraphError| MpcError::Node {
        node: graph.name().to_string(),
        reason: error.to_string(),
    };
    let mut ids: Vec<_> = vec![None; graph.values().len()];
    let mut fresh = GraphBuilder::new(graph.name());
    for &input in graph.inputs() {
        let value = graph.value(input);
        ids[input.index()] = Some(fresh.input(value.name.clone(), value.shape.clone()));
    }
    for node in graph.nodes() {
        let inputs: Vec<_> = node
            .inputs
            .iter()
            .map(|input| ids[input.index()].expect("defined before use"))
            .collect();
        let name = graph.value(node.output).name.clone();
        let id = fresh
            .node(node.names.clone(), replace(&node.operator), &inputs, name)
            .map_err(failed)?;
        ids[node.output.index()] = Some(id);
    }
    for output in graph.outputs() {
        let id = ids[output.value.index()].expect("defined before use");
        fresh
            .output_of_classes(output.name.clone(), id, output.classes.clone())
            .map_err(failed)?;
    }
    fresh.build().map_err(failed)
}
