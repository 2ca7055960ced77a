//! The model as the later passes see it: linear stages, element-wise polynomials and products.

use hush_graph::Function;
use hush_program::{Polynomial, PostOperation};

use hush_graph::SparseMatrix;

/// Index of a value in [`Network::values`].
pub type Index = usize;

/// A vector of elements, named for reports.
#[derive(Clone, Debug, PartialEq)]
pub struct Vector {
    /// Name in the model.
    pub name: String,
    /// Shape of a sample in the model.
    pub shape: Vec<usize>,
    /// Length for one sample: the elements of the shape, and the gaps between them once it is arranged.
    pub elements: usize,
}

/// One step of the network.
#[derive(Clone, Debug, PartialEq)]
pub struct Stage {
    /// Names of the nodes in the model that it stands for.
    pub label: String,
    /// The value it defines.
    pub output: Index,
    /// What it computes.
    pub kind: StageKind,
}

/// What a stage computes.
#[derive(Clone, Debug, PartialEq)]
pub enum StageKind {
    /// `sum of matrix * value, plus bias`.
    Linear {
        /// At least one term; each value at most once.
        terms: Vec<(Index, SparseMatrix)>,
        /// One per output element.
        bias: Vec<f64>,
    },
    /// A function of each element, exact.
    Function {
        /// Value read.
        source: Index,
        /// The function.
        function: Function,
    },
    /// A polynomial of each element.
    Polynomial {
        /// Value read.
        source: Index,
        /// The polynomial.
        polynomial: Polynomial,
    },
    /// The same constant added to each element; free.
    Shift {
        /// Value read.
        source: Index,
        /// Added.
        constant: f64,
    },
    /// A cubic of each element, then a matrix, in two levels instead of three: `V p(x)` is
    /// `(c3 V x) x² + c2 V x² + c1 V x`, so the matrix rides on the products with the coefficients.
    Fused {
        /// Value read.
        source: Index,
        /// c0, c1, c2, c3.
        cubic: [f64; 4],
        /// V.
        matrix: SparseMatrix,
        /// Added; V's share of c0 included.
        bias: Vec<f64>,
    },
    /// Element-wise product of two values, or the square of one.
    Product {
        /// Value read.
        left: Index,
        /// Value read.
        right: Index,
    },
}

impl StageKind {
    /// Values read.
    pub fn reads(&self) -> Vec<Index> {
        match self {
            StageKind::Linear { terms, .. } => terms.iter().map(|&(value, _)| value).collect(),
            StageKind::Function { source, .. }
            | StageKind::Polynomial { source, .. }
            | StageKind::Fused { source, .. }
            | StageKind::Shift { source, .. } => vec![*source],
            StageKind::Product { left, right } => vec![*left, *right],
        }
    }

    /// Levels consumed. Functions that are not polynomials yet count as none.
    pub fn depth(&self) -> usize {
        match self {
            StageKind::Linear { .. } | StageKind::Product { .. } => 1,
            StageKind::Function { .. } | StageKind::Shift { .. } => 0,
            StageKind::Fused { .. } => 2,
            StageKind::Polynomial { polynomial, .. } => polynomial.depth(),
        }
    }
}

/// An input or output tensor.
#[derive(Clone, Debug, PartialEq)]
pub struct Port {
    /// Name in the model.
    pub name: String,
    /// Shape without batch.
    pub shape: Vec<usize>,
    /// The value.
    pub value: Index,
    /// Where each element of the tensor stands in the value, once it is arranged; in order until then.
    pub positions: Option<Vec<usize>>,
}

/// A model in terms of stages. Inputs are the first values.
#[derive(Clone, Debug, PartialEq)]
pub struct Network {
    /// Name of the model.
    pub name: String,
    /// All values.
    pub values: Vec<Vector>,
    /// Input tensors.
    pub inputs: Vec<Port>,
    /// Stages in order of execution.
    pub stages: Vec<Stage>,
    /// Output tensors, before the client's operations.
    pub outputs: Vec<Port>,
    /// What the client does to every output.
    pub post: Vec<PostOperation>,
}

impl Network {
    /// Every value for one sample; `inputs` has one slice per input tensor.
    pub fn evaluate(&self, inputs: &[&[f64]]) -> Vec<Vec<f64>> {
        let mut values = vec![Vec::new(); self.values.len()];
        for (port, input) in self.inputs.iter().zip(inputs) {
            values[port.value] = match &port.positions {
                None => input.to_vec(),
                Some(positions) => {
                    let mut spread = vec![0.0; self.values[port.value].elements];
                    for (&position, &element) in positions.iter().zip(*input) {
                        spread[position] = element;
                    }
                    spread
                }
            };
        }
        for stage in &self.stages {
            values[stage.output] = match &stage.kind {
                StageKind::Linear { terms, bias } => {
                    let mut result = bias.clone();
                    for (value, matrix) in terms {
                        matrix.apply_add(&values[*value], &mut result);
                    }
                    result
                }
                StageKind::Function { source, function } => values[*source]
                    .iter()
                    .map(|&x| function.evaluate(x))
                    .collect(),
                StageKind::Polynomial { source, polynomial } => values[*source]
                    .iter()
                    .map(|&x| polynomial.evaluate(x))
                    .collect(),
                StageKind::Fused {
                    source,
                    cubic: [_, c1, c2, c3],
                    matrix,
                    bias,
                } => {
                    let powers: Vec<f64> = values[*source]
                        .iter()
                        .map(|x| ((c3 * x + c2) * x + c1) * x)
                        .collect();
                    let mut result = bias.clone();
                    matrix.apply_add(&powers, &mut result);
                    result
                }
                StageKind::Shift { source, constant } => {
                    values[*source].iter().map(|x| x + constant).collect()
                }
                StageKind::Product { left, right } => values[*left]
                    .iter()
                    .zip(&values[*right])
                    .map(|(a, b)| a * b)
                    .collect(),
            };
        }
        values
    }

    /// Levels consumed on the way from the inputs to each value.
    pub fn depths(&self) -> Vec<usize> {
        let mut depths = vec![0; self.values.len()];
        for stage in &self.stages {
            let deepest = stage
                .kind
                .reads()
                .into_iter()
                .map(|value| depths[value])
                .max()
                .unwrap_or(0);
            depths[stage.output] = deepest + stage.kind.depth();
        }
        depths
    }

    /// How often each value is read, outputs included.
    pub fn uses(&self) -> Vec<usize> {
        let mut uses = vec![0; self.values.len()];
        for stage in &self.stages {
            for value in stage.kind.reads() {
                uses[value] += 1;
            }
        }
        for port in &self.outputs {
            uses[port.value] += 1;
        }
        uses
    }
}
