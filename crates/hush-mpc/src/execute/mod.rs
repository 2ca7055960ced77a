//! Private prediction: a graph of tensors computed on shares.
//!
//! A [`Plan`] is made from the graph alone, the same at all parties; weights may be there or be
//! zeros ([`without_weights`]), since nothing about the plan depends on them. [`Plan::load`] shares the
//! weights of their owner once, [`Model::predict`] computes, [`Plan::report`] tells the cost of every
//! node without running anything.
//!
//! What is public: the graph's structure, the shapes, scalar functions with their parameters, matrices
//! that stand for pooling, padding and the like, constants of one element. What is private: weights and
//! biases of linear layers and convolutions (transposed ones too), constants of more than one element,
//! inputs and outputs.

mod external;
mod fold;
mod function;
mod node;
mod report;
mod sparse;
mod stored;
mod weights;

pub use fold::fold;
pub(crate) use function::apply as apply_function;
pub use report::{NodeCost, Report};
pub use stored::{graph_from_bytes, graph_to_bytes};
pub use weights::without_weights;

use std::collections::BTreeMap;

use hush_graph::{Graph, Operator, Tensor};
use hush_simd::words::Word;

use crate::{Cost, Fixed, Kernel, MpcError, Parties, Protocol, Secret};
use weights::Weight;

/// Where the weights are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Weights {
    /// Every party has them in its graph.
    Public,
    /// This party has them in its graph; the others' graphs hold anything of the same shapes.
    Party(usize),
}

/// How a graph is computed.
#[derive(Debug, Clone, PartialEq)]
pub struct Options {
    /// The type of all values, unless `integer_bits` says less: whoever runs the graph promises
    /// that no value leaves this range.
    pub fixed: Fixed,
    /// Narrower ranges of single values, by index in [`Graph::values`]; [`calibrate`] measures them.
    /// Narrower values are compared faster.
    pub integer_bits: BTreeMap<usize, u32>,
    /// The largest error of approximated functions on their argument's range.
    pub function_error: f64,
    /// Where the weights are.
    pub weights: Weights,
}

impl Default for Options {
    /// [`Fixed::STANDARD`], an error of 1e-4, weights of party 0.
    fn default() -> Self {
        Self {
            fixed: Fixed::STANDARD,
            integer_bits: BTreeMap::new(),
            function_error: 1e-4,
            weights: Weights::Party(0),
        }
    }
}

/// The bits before the point of every value on sample inputs, with a margin of so many bits, by
/// index in [`Graph::values`]: for [`Options::integer_bits`]. Whoever knows weights and samples runs it;
/// what it gives becomes public.
pub fn calibrate(
    graph: &Graph,
    samples: &[Tensor],
    margin: u32,
) -> Result<BTreeMap<usize, u32>, MpcError> {
    let mut bits = BTreeMap::new();
    let observed = hush_graph::evaluate_observed(graph, samples, |id, tensor| {
        let most = tensor
            .data()
            .iter()
            .fold(0.0, |most: f64, value| most.max(value.abs()));
        bits.insert(id.index(), crate::secret::integer_bits(most) + margin);
    });
    observed.map_err(|error| MpcError::Node {
        node: graph.name().to_string(),
        reason: error.to_string(),
    })?;
    Ok(bits)
}

/// A graph with everything decided that does not need its weights.
#[derive(Debug, Clone)]
pub struct Plan {
    graph: Graph,
    options: Options,
    /// For each node where the values of its inputs are used last.
    last_use: Vec<usize>,
    /// Nodes whose ReLU waits until elements have been chosen from its result.
    postponed: Vec<bool>,
}

impl Plan {
    /// Checks that every node can be computed; all that cannot are told at once. Fold the graph
    /// first ([`fold`]) where batch normalisation follows linear layers; ranges go by the values of
    /// the graph that is given here.
    pub fn new(graph: Graph, options: Options) -> Result<Self, MpcError> {
        let problems: Vec<String> = graph
            .nodes()
            .iter()
            .filter_map(|node| {
                let reason = node::unsupported(node)?;
                Some(format!("{}: {reason}", node.label()))
            })
            .collect();
        if !problems.is_empty() {
            return Err(MpcError::Node {
                node: graph.name().to_string(),
                reason: problems.join("; "),
            });
        }
        let mut last_use = vec![0; graph.values().len()];
        for (position, node) in graph.nodes().iter().enumerate() {
            for input in &node.inputs {
                last_use[input.index()] = position;
            }
        }
        for output in graph.outputs() {
            last_use[output.value.index()] = usize::MAX;
        }
        let postponed = graph
            .nodes()
            .iter()
            .map(|node| {
                let is_output = last_use[node.output.index()] == usize::MAX;
                let mut consumers = graph.consumers(node.output).peekable();
                let relu = matches!(
                    &node.operator,
                    Operator::Elementwise(hush_graph::Function::Relu)
                );
                relu && !is_output
                    && consumers.peek().is_some()
                    && consumers.all(|consumer| sparse::selects(&consumer.operator))
            })
            .collect();
        Ok(Self {
            graph,
            options,
            last_use,
            postponed,
        })
    }

    /// The graph.
    pub fn graph(&self) -> &Graph {
        &self.graph
    }

    /// How it is computed.
    pub fn options(&self) -> &Options {
        &self.options
    }

    /// The type of a value.
    fn fixed(&self, value: usize) -> Fixed {
        let most = self.options.fixed.integer_bits;
        let integer_bits = self
            .options
            .integer_bits
            .get(&value)
            .map_or(most, |&bits| bits.min(most));
        Fixed {
            integer_bits,
            ..self.options.fixed
        }
    }

    /// The type of an input of the graph, by its position.
    pub fn input_type(&self, input: usize) -> Fixed {
        self.fixed(self.graph.inputs()[input].index())
    }

    /// Shares a batch of inputs of party `owner`, `[batch, …]`, which is the only one to give `values`.
    pub fn input<W: Word>(
        &self,
        protocol: &mut dyn Protocol<W>,
        input: usize,
        owner: usize,
        batch: usize,
        values: Option<&[f64]>,
    ) -> Result<Secret<W>, MpcError> {
        let value = self.graph.value(self.graph.inputs()[input]);
        let shape = value.shape.with_batch(batch);
        Secret::input(protocol, owner, &shape, self.input_type(input), values)
    }

    /// Shares the weights, or takes them as they are if they are public, and prepares them. One round
    /// and those of [`Model::prepare`].
    pub fn load<W: Word>(&self, protocol: &mut dyn Protocol<W>) -> Result<Model<W>, MpcError> {
        let mut model = Model {
            plan: self.clone(),
            weights: weights::load(self, protocol)?,
        };
        model.prepare(protocol)?;
        Ok(model)
    }

    /// Rounds and bytes of every node for a batch, by the costs of a protocol of so many parties.
    pub fn report<W: Word>(
        &self,
        batch: usize,
        parties: usize,
        cost: fn(Kernel) -> Cost,
    ) -> Result<Report, MpcError> {
        report::report::<W>(self, batch, parties, cost)
    }
}

/// A plan with its weights.
pub struct Model<W> {
    plan: Plan,
    /// By node.
    weights: Vec<Vec<Weight<W>>>,
}

/// A value while the graph runs.
#[derive(Clone)]
struct Value<W> {
    secret: Secret<W>,
    /// Whether a ReLU still has to be taken.
    relu: bool,
}

impl<W: Word> Model<W> {
    /// Prepares the weights for many predictions, which is worth it if there is more than one; see
    /// [`Protocol::prepare`].
    pub fn prepare(&mut self, protocol: &mut dyn Protocol<W>) -> Result<(), MpcError> {
        for (node, weights) in self.plan.graph.nodes().iter().zip(&mut self.weights) {
            let bilinear = matches!(
                node.operator,
                Operator::Linear { .. } | Operator::Convolution(_) | Operator::Sparse(_)
            );
            if let (true, Some(Weight::Shared(weight))) = (bilinear, weights.first_mut()) {
                let share = protocol.prepare(weight.share())?;
                *weight = weight.with_share(weight.fixed(), share);
            }
        }
        Ok(())
    }

    /// The plan.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// Computes the outputs of a batch; inputs and outputs in the order of the graph.
    pub fn predict(
        &self,
        protocol: &mut dyn Protocol<W>,
        inputs: &[Secret<W>],
    ) -> Result<Vec<Secret<W>>, MpcError> {
        self.predict_observed(protocol, inputs, |_, _| {})
    }

    /// Like [`Model::predict`], and tells after each node its label and what has been spent so far.
    pub fn predict_observed(
        &self,
        protocol: &mut dyn Protocol<W>,
        inputs: &[Secret<W>],
        mut observe: impl FnMut(&str, Cost),
    ) -> Result<Vec<Secret<W>>, MpcError> {
        let plan = &self.plan;
        let graph = &plan.graph;
        if inputs.len() != graph.inputs().len() {
            let (expected, found) = (graph.inputs().len(), inputs.len());
            return Err(MpcError::Count {
                what: "inputs of the graph",
                expected,
                found,
            });
        }
        let mut values: Vec<Option<Value<W>>> = vec![None; graph.values().len()];
        for (&id, input) in graph.inputs().iter().zip(inputs) {
            let expected = graph.value(id).shape.dimensions();
            if input.shape().get(1..) != Some(expected) {
                let (left, right) = (expected.to_vec(), input.shape().to_vec());
                return Err(MpcError::Shapes {
                    operation: "input",
                    left,
                    right,
                });
            }
            values[id.index()] = Some(Value {
                secret: input.clone(),
                relu: false,
            });
        }
        for (position, node) in graph.nodes().iter().enumerate() {
            let operands: Vec<Value<W>> = node
                .inputs
                .iter()
                .map(|input| {
                    let slot = &mut values[input.index()];
                    let last = plan.last_use[input.index()] == position
                        && node.inputs.iter().filter(|other| *other == input).count() == 1;
                    let value = if last { slot.take() } else { slot.clone() };
                    value.expect("defined before use, kept until last use")
                })
                .collect();
            let fixed = plan.fixed(node.output.index());
            let result = if plan.postponed[position] {
                Value {
                    relu: true,
                    ..operands.into_iter().next().expect("an operand")
                }
            } else {
                let context = node::Context {
                    plan,
                    node,
                    weights: &self.weights[position],
                    fixed,
                };
                node::apply(protocol, context, operands)?
            };
            let label = node.label();
            observe(&label, protocol.spent());
            values[node.output.index()] = Some(result);
        }
        let outputs = graph.outputs().iter().map(|output| {
            let value = values[output.value.index()]
                .clone()
                .expect("outputs are kept");
            node::settled(protocol, value, plan.options.fixed)
        });
        outputs.collect()
    }
}

/// Opens outputs to the `receivers` and nobody else; gives them there, one list an output.
pub fn reveal<W: Word>(
    protocol: &mut dyn Protocol<W>,
    outputs: &[Secret<W>],
    receivers: Parties,
) -> Result<Option<Vec<Vec<f64>>>, MpcError> {
    let opened: Result<Vec<_>, MpcError> = outputs
        .iter()
        .map(|output| output.reveal(protocol, receivers))
        .collect();
    Ok(opened?.into_iter().collect())
}
