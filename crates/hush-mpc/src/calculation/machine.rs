//! One party's values, and the execution of statements on them.

use std::collections::BTreeMap;

use hush_simd::words::Word;

use crate::calculation::apply::apply;
use crate::calculation::train::{self, Trainer};
use crate::calculation::{Statement, Value};
use crate::operations;
use crate::training::Network;
use crate::{Cost, Fixed, MpcError, Protocol, Secret};

enum Held<W> {
    Tensor(Secret<W>),
    Network(Box<Trainer<W>>),
}

/// Everything that one party holds of a calculation. All parties execute the same statements in the same order.
///
/// All tensors have one type: results are brought to its fraction and declared to be in its range, as nobody can see
/// whether they are.
pub struct Machine<W> {
    fixed: Fixed,
    held: BTreeMap<Value, Held<W>>,
}

/// Is told how many steps of how many of a training are done, and what the party spent so far. An error ends the
/// training: all parties must give it after the same step.
pub type Steps<'a> = dyn FnMut(usize, usize, Cost) -> Result<(), MpcError> + 'a;

impl<W: Word> Machine<W> {
    /// Without values; numbers are of this type.
    ///
    /// # Errors
    /// If a ring of these words is too narrow for it.
    pub fn new(fixed: Fixed) -> Result<Self, MpcError> {
        check_fixed::<W>(fixed)?;
        Ok(Self {
            fixed,
            held: BTreeMap::new(),
        })
    }

    /// The type of all tensors.
    pub fn fixed(&self) -> Fixed {
        self.fixed
    }

    /// Takes a tensor from outside: an input, or one that was kept.
    pub fn insert(&mut self, value: Value, secret: Secret<W>) {
        self.held.insert(value, Held::Tensor(secret));
    }

    /// A tensor.
    ///
    /// # Errors
    /// If there is none of that name.
    pub fn tensor(&self, value: Value) -> Result<&Secret<W>, MpcError> {
        match self.held.get(&value) {
            Some(Held::Tensor(secret)) => Ok(secret),
            _ => Err(missing("tensor", value)),
        }
    }

    /// Forgets a value.
    pub fn forget(&mut self, value: Value) {
        self.held.remove(&value);
    }

    fn trainer(&self, value: Value) -> Result<&Trainer<W>, MpcError> {
        match self.held.get(&value) {
            Some(Held::Network(trainer)) => Ok(trainer),
            _ => Err(missing("network", value)),
        }
    }

    fn network(&self, value: Value) -> Result<&Network<W>, MpcError> {
        Ok(&self.trainer(value)?.network)
    }

    /// The network itself, taken out while tensors are used beside it.
    fn with_network<T>(
        &mut self,
        value: Value,
        work: impl FnOnce(&mut Self, &mut Trainer<W>) -> Result<T, MpcError>,
    ) -> Result<T, MpcError> {
        match self.held.remove(&value) {
            Some(Held::Network(mut trainer)) => {
                let result = work(self, &mut trainer);
                self.held.insert(value, Held::Network(trainer));
                result
            }
            Some(tensor) => {
                self.held.insert(value, tensor);
                Err(missing("network", value))
            }
            None => Err(missing("network", value)),
        }
    }

    /// Executes a statement and keeps its result as `value`. Inputs and what was kept come by [`Machine::insert`]
    /// instead.
    ///
    /// # Errors
    /// If operands are missing or do not go together, a range does not fit, or a party is gone.
    pub fn execute(
        &mut self,
        protocol: &mut dyn Protocol<W>,
        value: Value,
        statement: &Statement,
        steps: &mut Steps<'_>,
    ) -> Result<(), MpcError> {
        let result = match statement {
            Statement::Input { name, .. } | Statement::Load { name, .. } => {
                return match self.tensor(value) {
                    Ok(_) => Ok(()),
                    Err(_) => Err(MpcError::Calculation {
                        place: name.clone(),
                        reason: "its shares are not there".to_owned(),
                    }),
                };
            }
            Statement::Public { shape, values } => {
                Secret::public(&*protocol, shape, self.fixed, values)?
            }
            Statement::Apply {
                operation,
                operands,
            } => {
                let operands = operands
                    .iter()
                    .map(|&value| self.tensor(value))
                    .collect::<Result<Vec<_>, _>>()?;
                apply(protocol, operation, &operands, self.fixed)?
            }
            Statement::Network(spec) => {
                let network =
                    Network::new(&*protocol, &spec.input, &spec.layers, self.fixed, spec.seed)?;
                let trainer = Box::new(Trainer::new(network));
                self.held.insert(value, Held::Network(trainer));
                return Ok(());
            }
            Statement::SetWeights { network, weights } => {
                let weights = self.tensor(*weights)?.clone();
                return self.with_network(*network, |_, trainer| trainer.set_weights(&weights));
            }
            Statement::Fit(fit) => self.with_network(fit.network, |machine, trainer| {
                let (x, labels) = (machine.tensor(fit.x)?, machine.tensor(fit.labels)?);
                trainer.fit(protocol, fit, x, labels, steps)
            })?,
            Statement::Predict { network, x } => self
                .network(*network)?
                .predict(protocol, self.tensor(*x)?)?,
            Statement::Loss {
                results,
                labels,
                loss,
            } => loss.mean(protocol, self.tensor(*results)?, self.tensor(*labels)?)?,
            Statement::OptimizerState { network, optimizer } => {
                self.trainer(*network)?.state(&*protocol, *optimizer)?
            }
            Statement::Resume(resume) => {
                let state = self.tensor(resume.state)?.clone();
                return self
                    .with_network(resume.network, |_, trainer| trainer.resume(resume, &state));
            }
            Statement::Weights { network } => train::weights(self.network(*network)?)?,
            Statement::Parameter { network, index } => {
                let parameters = self.network(*network)?.parameters();
                match parameters.get(*index) {
                    Some(&parameter) => parameter.clone(),
                    None => return Err(missing("parameter", Value(*index as u64))),
                }
            }
        };
        let result = self.settled(protocol, result)?;
        self.insert(value, result);
        Ok(())
    }

    /// In the type of all tensors.
    fn settled(
        &self,
        protocol: &mut dyn Protocol<W>,
        secret: Secret<W>,
    ) -> Result<Secret<W>, MpcError> {
        let Fixed {
            integer_bits,
            fraction_bits,
        } = self.fixed;
        let secret = if secret.fixed().fraction_bits == fraction_bits {
            secret
        } else {
            operations::rescale(protocol, &secret, fraction_bits)?
        };
        Ok(secret.declare_at_most(integer_bits))
    }
}

fn missing(what: &str, value: Value) -> MpcError {
    MpcError::Calculation {
        place: "operands".to_owned(),
        reason: format!("there is no {what} {}", value.0),
    }
}

/// Whether words of this ring are wide enough for products of numbers of this type, and for what functions need
/// inside.
///
/// # Errors
/// If they are not.
pub fn check_fixed<W: Word>(fixed: Fixed) -> Result<(), MpcError> {
    let finest = if W::BITS == 64 { 24 } else { 48 };
    let Fixed {
        integer_bits,
        fraction_bits,
    } = fixed;
    if integer_bits > W::BITS || fraction_bits > finest || fraction_bits < 8 || integer_bits < 4 {
        return Err(MpcError::Calculation {
            place: "fixed point".to_owned(),
            reason: format!(
                "{integer_bits} bits before and {fraction_bits} behind the point: on a ring of {} bits there are at least 4 before and 8 to {finest} behind",
                W::BITS
            ),
        });
    }
    Fixed::new(integer_bits, 2 * fraction_bits)
        .check_truncation::<W>("numbers")
        .map(|_| ())
}
