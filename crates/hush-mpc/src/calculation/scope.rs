//! Which values there are, and of what shape: all that can be known of a statement before it runs.
//!
//! Nothing here allocates anything of a tensor's size.

use std::collections::BTreeMap;

use crate::MpcError;
use crate::calculation::shape::result_shape;
use crate::calculation::{Fit, NetworkSpec, Statement, Value, layer};
use crate::training::{OptimizerSpec, TRAINED};

/// Most elements of one tensor.
pub(super) const ELEMENTS_MOST: usize = 1 << 28;
/// Most dimensions.
const DIMENSIONS_MOST: usize = 16;
/// Longest name of a tensor or a party.
const NAME_MOST: usize = 200;
/// Most epochs of a training, and most layers of a network.
const EPOCHS_MOST: usize = 1_000_000;
const LAYERS_MOST: usize = 1000;

/// What a statement defines.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Known {
    Tensor(Vec<usize>),
    Network(NetworkShape),
    Nothing,
}

/// What is known of a network.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct NetworkShape {
    pub(super) input: Vec<usize>,
    pub(super) output: Vec<usize>,
    /// Of all weights and biases.
    pub(super) parameters: Vec<Vec<usize>>,
    /// Elements of those that a training changes by gradients.
    pub(super) trained: usize,
    /// Elements between all layers, for one sample.
    pub(super) between: usize,
}

impl NetworkShape {
    /// Elements of all weights and biases.
    pub(super) fn weights(&self) -> usize {
        self.parameters
            .iter()
            .map(|shape| shape.iter().product::<usize>())
            .sum()
    }
}

/// The shapes of all values so far.
#[derive(Debug, Default)]
pub struct Scope {
    known: BTreeMap<Value, Known>,
}

pub(super) fn refuse<T>(place: &str, reason: impl Into<String>) -> Result<T, MpcError> {
    Err(MpcError::Calculation {
        place: place.to_owned(),
        reason: reason.into(),
    })
}

/// How many elements a tensor of the shape has, if it is one that may be.
pub(super) fn elements(place: &str, shape: &[usize]) -> Result<usize, MpcError> {
    if shape.len() > DIMENSIONS_MOST {
        return refuse(place, format!("more than {DIMENSIONS_MOST} dimensions"));
    }
    let count = shape
        .iter()
        .try_fold(1usize, |count, &length| count.checked_mul(length));
    match count {
        Some(0) => refuse(place, format!("a tensor of shape {shape:?} has no element")),
        Some(count) if count <= ELEMENTS_MOST => Ok(count),
        _ => refuse(
            place,
            format!("a tensor of shape {shape:?} has more than 2^28 elements"),
        ),
    }
}

pub(super) fn finite(place: &str, numbers: &[f64]) -> Result<(), MpcError> {
    match numbers.iter().find(|number| !number.is_finite()) {
        Some(number) => refuse(place, format!("{number} is no number")),
        None => Ok(()),
    }
}

/// Names that people can read and files can have.
pub(super) fn named(name: &str) -> Result<(), MpcError> {
    let fine = !name.is_empty() && name.len() <= NAME_MOST && !name.chars().any(char::is_control);
    if !fine {
        return refuse(
            "a name",
            format!("a name has 1 to {NAME_MOST} bytes and no control characters"),
        );
    }
    Ok(())
}

/// Names that the servers use for files.
pub(super) fn filed(name: &str) -> Result<(), MpcError> {
    named(name)?;
    let letter = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if name.starts_with('.') || !name.chars().all(letter) {
        return refuse(
            name,
            "what is kept is named by letters, digits, `-`, `_` and `.` inside",
        );
    }
    Ok(())
}

impl Scope {
    /// Without values.
    pub fn new() -> Self {
        Self::default()
    }

    /// The shape of a tensor.
    ///
    /// # Errors
    /// If there is no tensor of that name.
    pub fn shape(&self, value: Value) -> Result<&[usize], MpcError> {
        match self.known.get(&value) {
            Some(Known::Tensor(shape)) => Ok(shape),
            Some(Known::Network(_)) => refuse("operands", "a network stands where a tensor must"),
            _ => refuse("operands", format!("there is no tensor {}", value.0)),
        }
    }

    /// The shapes of all weights and biases of a network.
    ///
    /// # Errors
    /// If there is no network of that name.
    pub fn parameters(&self, network: Value) -> Result<&[Vec<usize>], MpcError> {
        Ok(&self.network(network)?.parameters)
    }

    /// Elements of what gradients change in a network: weights and biases without running statistics.
    ///
    /// # Errors
    /// If there is no network of that name.
    pub fn trained(&self, network: Value) -> Result<usize, MpcError> {
        Ok(self.network(network)?.trained)
    }

    pub(super) fn network(&self, value: Value) -> Result<&NetworkShape, MpcError> {
        match self.known.get(&value) {
            Some(Known::Network(network)) => Ok(network),
            _ => refuse("operands", format!("there is no network {}", value.0)),
        }
    }

    pub(super) fn known(&self, value: Value) -> Option<&Known> {
        self.known.get(&value)
    }

    /// Forgets a value.
    pub fn forget(&mut self, value: Value) {
        self.known.remove(&value);
    }

    /// Checks a statement and remembers what it defines; gives the shape if that is a tensor.
    ///
    /// # Errors
    /// If its operands are not there or do not go together, or it asks for too much.
    pub fn define(
        &mut self,
        value: Value,
        statement: &Statement,
    ) -> Result<Option<Vec<usize>>, MpcError> {
        let known = self.check(statement)?;
        let shape = match &known {
            Known::Tensor(shape) => {
                elements(statement.label(), shape)?;
                Some(shape.clone())
            }
            _ => None,
        };
        self.known.insert(value, known);
        Ok(shape)
    }

    fn check(&self, statement: &Statement) -> Result<Known, MpcError> {
        let place = statement.label();
        let tensor = |shape: Vec<usize>| Ok(Known::Tensor(shape));
        match statement {
            Statement::Input { name, shape, owner } => {
                named(name)?;
                named(owner)?;
                tensor(shape.clone())
            }
            Statement::Load { name, shape } => {
                filed(name)?;
                tensor(shape.clone())
            }
            Statement::Public { shape, values } => {
                finite(place, values)?;
                if elements(place, shape)? != values.len() {
                    return refuse(
                        place,
                        format!("{} numbers do not fill {shape:?}", values.len()),
                    );
                }
                tensor(shape.clone())
            }
            Statement::Apply {
                operation,
                operands,
            } => {
                if operands.len() > 10_000 {
                    return refuse(place, "more than 10000 operands");
                }
                let shapes = operands
                    .iter()
                    .map(|&value| self.shape(value))
                    .collect::<Result<Vec<_>, _>>()?;
                tensor(result_shape(operation, &shapes)?)
            }
            Statement::Network(spec) => Ok(Known::Network(network(spec)?)),
            Statement::SetWeights { network, weights } => {
                let (network, shape) = (self.network(*network)?, self.shape(*weights)?);
                if shape != [network.weights()] {
                    return refuse(
                        place,
                        format!(
                            "the network's weights have {} elements, not shape {shape:?}",
                            network.weights()
                        ),
                    );
                }
                Ok(Known::Nothing)
            }
            Statement::Fit(fit) => tensor(self.fit(fit)?),
            Statement::Predict { network, x } => {
                let network = self.network(*network)?;
                tensor(samples(place, network, self.shape(*x)?)?)
            }
            Statement::Loss {
                results, labels, ..
            } => {
                same(place, self.shape(*results)?, self.shape(*labels)?)?;
                tensor(vec![1])
            }
            Statement::Weights { network } => tensor(vec![self.network(*network)?.weights()]),
            Statement::OptimizerState { network, optimizer } => {
                let network = self.network(*network)?;
                rates(place, *optimizer, 0.0)?;
                tensor(vec![state_elements(place, network, *optimizer)?])
            }
            Statement::Resume(resume) => {
                let (network, shape) = (self.network(resume.network)?, self.shape(resume.state)?);
                rates(place, resume.optimizer, resume.weight_decay)?;
                let expected = state_elements(place, network, resume.optimizer)?;
                if shape != [expected] {
                    return refuse(
                        place,
                        format!(
                            "the optimizer's state has {expected} elements, not shape {shape:?}"
                        ),
                    );
                }
                Ok(Known::Nothing)
            }
            Statement::Parameter { network, index } => {
                match self.network(*network)?.parameters.get(*index) {
                    Some(shape) => tensor(shape.clone()),
                    None => refuse(place, format!("the network has no parameter {index}")),
                }
            }
        }
    }

    fn fit(&self, fit: &Fit) -> Result<Vec<usize>, MpcError> {
        let (network, x) = (self.network(fit.network)?, self.shape(fit.x)?);
        let results = samples("fit", network, x)?;
        same("fit", &results, self.shape(fit.labels)?)?;
        if fit.batch == 0 || fit.epochs == 0 || fit.epochs > EPOCHS_MOST {
            return refuse("fit", "batch is at least 1, epochs are 1 to 1000000");
        }
        if network.parameters.is_empty() {
            return refuse("fit", "the network has no weights");
        }
        rates("fit", fit.optimizer, fit.weight_decay)?;
        if let Some(bound) = fit.stop_below {
            finite("fit", &[bound])?;
        }
        Ok(vec![if fit.losses { fit.epochs } else { 1 }])
    }
}

/// Whether an optimizer's numbers are such that it converges on anything at all.
fn rates(place: &str, optimizer: OptimizerSpec, weight_decay: f64) -> Result<(), MpcError> {
    let rate = match optimizer {
        OptimizerSpec::Sgd {
            learning_rate,
            momentum,
        } => (0.0..1.0).contains(&momentum).then_some(learning_rate),
        OptimizerSpec::Adam {
            learning_rate,
            betas: (first, second),
            ..
        } => ((0.0..1.0).contains(&first) && (0.0..1.0).contains(&second)).then_some(learning_rate),
    };
    let fine = rate.is_some_and(|rate| (0.0..=1000.0).contains(&rate));
    if !fine || !(0.0..=1.0).contains(&weight_decay) {
        return refuse(
            place,
            "learning rates are in 0..=1000, momentum and betas in 0..1, weight decay in 0..=1",
        );
    }
    Ok(())
}

/// Elements of what an optimizer keeps from step to step.
fn state_elements(
    place: &str,
    network: &NetworkShape,
    optimizer: OptimizerSpec,
) -> Result<usize, MpcError> {
    let count = elements(place, &[optimizer.slots().max(1), network.trained.max(1)])?;
    if optimizer.slots() == 0 || network.trained == 0 {
        return refuse(place, "this optimizer keeps nothing from step to step");
    }
    Ok(count)
}

fn same(place: &str, results: &[usize], labels: &[usize]) -> Result<(), MpcError> {
    if results != labels {
        return refuse(
            place,
            format!("labels of shape {labels:?} do not go together with results of {results:?}"),
        );
    }
    Ok(())
}

/// The shape of the results for samples `[rows, …]`.
fn samples(place: &str, network: &NetworkShape, x: &[usize]) -> Result<Vec<usize>, MpcError> {
    let Some((&rows, sample)) = x.split_first() else {
        return refuse(place, "samples need a dimension of rows");
    };
    if sample != network.input {
        return refuse(
            place,
            format!(
                "the network takes samples of shape {:?}, not {sample:?}",
                network.input
            ),
        );
    }
    if rows.saturating_mul(network.between) > 4 * ELEMENTS_MOST {
        return refuse(place, format!("{rows} samples at once are too many"));
    }
    Ok([&[rows], &network.output[..]].concat())
}

fn network(spec: &NetworkSpec) -> Result<NetworkShape, MpcError> {
    let place = "network";
    if spec.layers.is_empty() || spec.layers.len() > LAYERS_MOST {
        return refuse(place, format!("a network has 1 to {LAYERS_MOST} layers"));
    }
    if spec.input.is_empty() {
        return refuse(place, "a sample has no dimension");
    }
    let mut between = elements(place, &spec.input)?;
    let mut shape = spec.input.clone();
    let mut all = Vec::new();
    let (mut weights, mut trained) = (0, 0);
    for layer in &spec.layers {
        let (parameters, next) = layer::shapes(*layer, &shape)?;
        for (index, parameter) in parameters.iter().enumerate() {
            let count = elements(place, parameter)?;
            weights += count;
            trained += if index < TRAINED { count } else { 0 };
        }
        if weights > ELEMENTS_MOST {
            return refuse(place, "more than 2^28 weights");
        }
        all.extend(parameters);
        between = between.saturating_add(elements(place, &next)?);
        shape = next;
    }
    Ok(NetworkShape {
        input: spec.input.clone(),
        output: shape,
        parameters: all,
        trained,
        between,
    })
}
