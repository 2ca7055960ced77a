//! Weights and shares that come from parties that do not compute.

use hush_graph::Tensor;
use hush_simd::words::Word;

use super::weights::{Weight, constants};
use super::{Model, Plan};
use crate::{MpcError, Secret, Share};

impl Plan {
    /// The private constants of every node, in the order in which [`Plan::load`] shares them.
    fn private_constants(&self) -> Vec<Vec<Tensor>> {
        let graph = self.graph();
        let of_node = |node: &hush_graph::Node| {
            let shape = &graph.value(node.inputs[0]).shape;
            constants(&node.operator, shape.dimensions())
        };
        graph.nodes().iter().map(of_node).collect()
    }

    /// How many words [`Plan::weight_words`] gives.
    pub fn weight_count(&self) -> usize {
        let constants = self.private_constants();
        constants.iter().flatten().map(|t| t.data().len()).sum()
    }

    /// The weights as words, for a party that shares them from outside.
    ///
    /// # Errors
    /// Names the node whose weight is outside the range.
    pub fn weight_words<W: Word>(&self) -> Result<Vec<W>, MpcError> {
        let fixed = self.options().fixed;
        let mut words = Vec::new();
        for (node, tensors) in self.graph().nodes().iter().zip(self.private_constants()) {
            for tensor in tensors {
                let encoded = fixed.encode_all::<W>(tensor.data());
                words.extend(encoded.map_err(|error| MpcError::Node {
                    node: node.label(),
                    reason: error.to_string(),
                })?);
            }
        }
        Ok(words)
    }

    /// The plan with shares of [`Plan::weight_words`]. Costs nothing.
    ///
    /// # Errors
    /// If there are more or fewer of them.
    pub fn load_shared<W: Word>(&self, words: Share<W>) -> Result<Model<W>, MpcError> {
        let expected = self.weight_count();
        if words.len() != expected {
            let found = words.len();
            return Err(MpcError::Count {
                what: "words of weights",
                expected,
                found,
            });
        }
        let fixed = self.options().fixed;
        let mut start = 0;
        let mut share = |tensor: &Tensor| {
            let range = start..start + tensor.data().len();
            start = range.end;
            let shape = tensor.shape().to_vec();
            Ok(Weight::Shared(Secret::new(
                shape,
                fixed,
                words.slice(range),
            )?))
        };
        let weights = self
            .private_constants()
            .iter()
            .map(|tensors| tensors.iter().map(&mut share).collect())
            .collect::<Result<_, MpcError>>()?;
        Ok(Model {
            plan: self.clone(),
            weights,
        })
    }
}
