//! Calculations as bytes.

use hush_wire::{
    CalculationKeptV1, CalculationOutputV1, CalculationV1, LayerV1, StatementV1, message_bytes,
    read_party_message,
};

use crate::MpcError;
use crate::calculation::layer::{layer_of, layer_parts, sigmoid_name, sigmoid_of};
use crate::calculation::scope::refuse;
use crate::calculation::{
    Calculation, CalculationLiteral, Fit, KeptLiteral, NetworkSpec, Operation, OutputLiteral,
    Resume, Statement, Value,
};
use crate::training::{Loss, OptimizerSpec};

impl Calculation {
    /// The canonical bytes: the same calculation gives the same ones.
    pub fn to_bytes(&self) -> Vec<u8> {
        let literal = self.literal();
        let stored = CalculationV1 {
            statements: literal.statements.iter().map(to_v1).collect(),
            outputs: literal
                .outputs
                .iter()
                .map(|output| CalculationOutputV1 {
                    name: output.name.clone(),
                    value: output.value.0,
                    receiver: output.receiver.clone(),
                })
                .collect(),
            kept: literal
                .kept
                .iter()
                .map(|kept| CalculationKeptV1 {
                    name: kept.name.clone(),
                    value: kept.value.0,
                })
                .collect(),
        };
        message_bytes(&stored).expect("strings and numbers are serialized")
    }

    /// Reads and checks what [`Calculation::to_bytes`] wrote. Bytes may come from anybody.
    ///
    /// # Errors
    /// If they are no calculation, or one that asks for too much.
    pub fn from_bytes(bytes: &[u8]) -> Result<Self, MpcError> {
        let stored: CalculationV1 =
            read_party_message("the calculation", bytes).map_err(|error| {
                MpcError::Calculation {
                    place: "the calculation".to_owned(),
                    reason: error.to_string(),
                }
            })?;
        let statements = stored.statements.into_iter().enumerate();
        let literal = CalculationLiteral {
            statements: statements
                .map(|(place, statement)| from_v1(place, statement))
                .collect::<Result<_, _>>()?,
            outputs: stored
                .outputs
                .into_iter()
                .map(|output| OutputLiteral {
                    name: output.name,
                    value: Value(output.value),
                    receiver: output.receiver,
                })
                .collect(),
            kept: stored
                .kept
                .into_iter()
                .map(|kept| KeptLiteral {
                    name: kept.name,
                    value: Value(kept.value),
                })
                .collect(),
        };
        Self::new(literal)
    }
}

fn wide(counts: &[usize]) -> Vec<u64> {
    counts.iter().map(|&count| count as u64).collect()
}

/// The names of a loss and its sigmoid.
pub fn loss_parts(loss: Loss) -> (&'static str, &'static str) {
    match loss {
        Loss::MeanSquare => ("mean_squared_error", ""),
        Loss::BinaryCrossEntropy(kind) => ("binary_crossentropy", sigmoid_name(kind)),
        Loss::CrossEntropy => ("categorical_crossentropy", ""),
    }
}

/// The loss of these names.
///
/// # Errors
/// If there is none.
pub fn loss_of(name: &str, sigmoid: &str) -> Result<Loss, MpcError> {
    match name {
        "mean_squared_error" => Ok(Loss::MeanSquare),
        "categorical_crossentropy" => Ok(Loss::CrossEntropy),
        "binary_crossentropy" => match sigmoid_of(sigmoid) {
            Some(kind) => Ok(Loss::BinaryCrossEntropy(kind)),
            None => refuse("loss", "the sigmoid is three, five or accurate"),
        },
        _ => refuse(
            "loss",
            "it is mean_squared_error, binary_crossentropy or categorical_crossentropy",
        ),
    }
}

/// The name of an optimizer and its numbers: learning rate, then momentum or both betas.
pub fn optimizer_parts(optimizer: OptimizerSpec) -> (&'static str, Vec<f64>) {
    match optimizer {
        OptimizerSpec::Sgd {
            learning_rate,
            momentum,
        } => ("sgd", vec![learning_rate, momentum]),
        OptimizerSpec::Adam {
            learning_rate,
            betas: (first, second),
            amsgrad,
        } => (
            if amsgrad { "amsgrad" } else { "adam" },
            vec![learning_rate, first, second],
        ),
    }
}

/// The reverse of [`optimizer_parts`].
///
/// # Errors
/// If there is none.
pub fn optimizer_of(name: &str, numbers: &[f64]) -> Result<OptimizerSpec, MpcError> {
    match (name, numbers) {
        ("sgd", &[learning_rate, momentum]) => Ok(OptimizerSpec::Sgd {
            learning_rate,
            momentum,
        }),
        ("adam" | "amsgrad", &[learning_rate, first, second]) => Ok(OptimizerSpec::Adam {
            learning_rate,
            betas: (first, second),
            amsgrad: name == "amsgrad",
        }),
        _ => refuse(
            "optimizer",
            "it is sgd with 2 numbers, or adam or amsgrad with 3",
        ),
    }
}

fn to_v1(statement: &Statement) -> StatementV1 {
    let mut stored = StatementV1 {
        does: statement.label().to_owned(),
        operands: statement.operands().iter().map(|value| value.0).collect(),
        words: Vec::new(),
        numbers: Vec::new(),
        counts: Vec::new(),
        layers: Vec::new(),
    };
    match statement {
        Statement::Input { name, shape, owner } => {
            stored.words = vec![name.clone(), owner.clone()];
            stored.counts = wide(shape);
        }
        Statement::Load { name, shape } => {
            stored.words = vec![name.clone()];
            stored.counts = wide(shape);
        }
        Statement::Public { shape, values } => {
            stored.numbers = values.clone();
            stored.counts = wide(shape);
        }
        Statement::Apply { operation, .. } => {
            let (numbers, counts) = operation.arguments();
            (stored.numbers, stored.counts) = (numbers, wide(&counts));
            "apply".clone_into(&mut stored.does);
            stored.words = vec![operation.name().to_owned()];
        }
        Statement::Network(NetworkSpec {
            input,
            layers,
            seed,
        }) => {
            stored.counts = [&[*seed][..], &wide(input)].concat();
            let layers = layers.iter().map(|&layer| {
                let (kind, word, counts, numbers) = layer_parts(layer);
                LayerV1 {
                    kind: kind.to_owned(),
                    word: word.to_owned(),
                    counts: wide(&counts),
                    numbers,
                }
            });
            stored.layers = layers.collect();
        }
        Statement::Fit(fit) => {
            let (optimizer, mut numbers) = optimizer_parts(fit.optimizer);
            let (loss, sigmoid) = loss_parts(fit.loss);
            stored.words = [optimizer, loss, sigmoid].map(str::to_owned).to_vec();
            numbers.insert(0, fit.weight_decay);
            numbers.insert(1, fit.stop_below.unwrap_or(0.0));
            stored.numbers = numbers;
            stored.counts = vec![
                fit.batch as u64,
                fit.epochs as u64,
                u64::from(fit.losses),
                u64::from(fit.stop_below.is_some()),
            ];
        }
        Statement::Loss { loss, .. } => {
            let (loss, sigmoid) = loss_parts(*loss);
            stored.words = vec![loss.to_owned(), sigmoid.to_owned()];
        }
        Statement::OptimizerState { optimizer, .. } => {
            let (name, numbers) = optimizer_parts(*optimizer);
            (stored.words, stored.numbers) = (vec![name.to_owned()], numbers);
        }
        Statement::Resume(resume) => {
            let (name, numbers) = optimizer_parts(resume.optimizer);
            stored.words = vec![name.to_owned()];
            stored.numbers = [&[resume.weight_decay], &numbers[..]].concat();
            stored.counts = vec![u64::from(resume.steps)];
        }
        Statement::Parameter { index, .. } => stored.counts = vec![*index as u64],
        Statement::SetWeights { .. } | Statement::Predict { .. } | Statement::Weights { .. } => {}
    }
    stored
}

fn from_v1(place: usize, stored: StatementV1) -> Result<Statement, MpcError> {
    let StatementV1 {
        does,
        operands,
        words,
        numbers,
        counts,
        layers,
    } = stored;
    let short: String = does.chars().take(40).collect();
    let place = format!("statement {place} {short}");
    let bare = numbers.is_empty() && counts.is_empty() && words.is_empty();
    if does != "network" && !layers.is_empty() {
        return refuse(&place, "only networks have layers");
    }
    let seed = counts.first().copied().unwrap_or(0);
    let narrow = |counts: &[u64]| {
        let narrow = counts.iter().map(|&count| usize::try_from(count));
        narrow
            .collect::<Result<Vec<usize>, _>>()
            .or_else(|_| refuse(&place, "a count is too large"))
    };
    let operands: Vec<Value> = operands.into_iter().map(Value).collect();
    if does == "apply" {
        let [name] = &words[..] else {
            return refuse(&place, "one word names the operation");
        };
        return Ok(Statement::Apply {
            operation: Operation::parse(name, numbers, narrow(&counts)?)?,
            operands,
        });
    }
    let statement = match (&does[..], &operands[..], &words[..], &numbers[..]) {
        ("input", [], [name, owner], []) => Statement::Input {
            name: name.clone(),
            owner: owner.clone(),
            shape: narrow(&counts)?,
        },
        ("load", [], [name], []) => Statement::Load {
            name: name.clone(),
            shape: narrow(&counts)?,
        },
        ("public", [], [], _) => Statement::Public {
            shape: narrow(&counts)?,
            values: numbers,
        },
        ("network", [], [], []) if !counts.is_empty() => Statement::Network(NetworkSpec {
            input: narrow(&counts[1..])?,
            layers: layers
                .iter()
                .map(|layer| {
                    let counts = narrow(&layer.counts)?;
                    layer_of(&layer.kind, &layer.word, &counts, &layer.numbers)
                })
                .collect::<Result<_, _>>()?,
            seed,
        }),
        ("set_weights", &[network, weights], [], []) if bare => {
            Statement::SetWeights { network, weights }
        }
        (
            "fit",
            &[network, x, labels],
            [optimizer, loss, sigmoid],
            [weight_decay, bound, numbers @ ..],
        ) => {
            let &[batch, epochs, losses, stops] = &narrow(&counts)?[..] else {
                return refuse(&place, "takes 4 counts");
            };
            if losses.max(stops) > 1 || (stops == 0 && *bound != 0.0) {
                return refuse(&place, "a choice is neither yes nor no");
            }
            Statement::Fit(Fit {
                network,
                x,
                labels,
                loss: loss_of(loss, sigmoid)?,
                optimizer: optimizer_of(optimizer, numbers)?,
                weight_decay: *weight_decay,
                batch,
                epochs,
                losses: losses == 1,
                stop_below: (stops == 1).then_some(*bound),
            })
        }
        ("predict", &[network, x], [], []) if bare => Statement::Predict { network, x },
        ("loss", &[results, labels], [loss, sigmoid], []) if counts.is_empty() => Statement::Loss {
            results,
            labels,
            loss: loss_of(loss, sigmoid)?,
        },
        ("weights", &[network], [], []) if bare => Statement::Weights { network },
        ("optimizer_state", &[network], [optimizer], numbers) if counts.is_empty() => {
            Statement::OptimizerState {
                network,
                optimizer: optimizer_of(optimizer, numbers)?,
            }
        }
        ("resume", &[network, state], [optimizer], [weight_decay, numbers @ ..]) => {
            let steps = match counts[..] {
                [steps] => u32::try_from(steps).ok(),
                _ => None,
            };
            let Some(steps) = steps else {
                return refuse(&place, "one count is that of the steps");
            };
            Statement::Resume(Resume {
                network,
                state,
                optimizer: optimizer_of(optimizer, numbers)?,
                weight_decay: *weight_decay,
                steps,
            })
        }
        ("parameter", &[network], [], []) => match narrow(&counts)?[..] {
            [index] => Statement::Parameter { network, index },
            _ => return refuse(&place, "one count is the place"),
        },
        _ => {
            return refuse(
                &place,
                "there is no such statement with these operands, words and numbers",
            );
        }
    };
    Ok(statement)
}
