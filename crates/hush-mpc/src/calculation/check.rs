//! What makes a literal a calculation.

use std::collections::{BTreeMap, BTreeSet};

use crate::MpcError;
use crate::calculation::scope::{ELEMENTS_MOST, Known, Scope, filed, named, refuse};
use crate::calculation::{Calculation, CalculationLiteral, Opened, Statement, Tensor, Value};

/// Most statements of a calculation.
const STATEMENTS_MOST: usize = 100_000;
/// Most outputs, and most tensors that are kept.
const LEAVING_MOST: usize = 10_000;

pub(super) fn check(literal: CalculationLiteral) -> Result<Calculation, MpcError> {
    let CalculationLiteral {
        statements,
        outputs,
        kept,
    } = &literal;
    if statements.len() > STATEMENTS_MOST {
        return refuse(
            "statements",
            format!("there are more than {STATEMENTS_MOST}"),
        );
    }
    if outputs.len().max(kept.len()) > LEAVING_MOST {
        return refuse("outputs", format!("there are more than {LEAVING_MOST}"));
    }
    if outputs.is_empty() && kept.is_empty() {
        return refuse("outputs", "nothing is opened or kept");
    }
    let leaving: BTreeSet<Value> = outputs
        .iter()
        .map(|output| output.value)
        .chain(kept.iter().map(|kept| kept.value))
        .collect();
    let mut last = BTreeMap::new();
    for (place, statement) in statements.iter().enumerate() {
        last.insert(Value(place as u64), place);
        for operand in statement.operands() {
            last.insert(operand, place);
        }
    }
    let mut last_uses = vec![Vec::new(); statements.len()];
    for (value, place) in last {
        if !leaving.contains(&value) {
            last_uses[place].push(value);
        }
    }

    let mut scope = Scope::new();
    let mut live = 0usize;
    let (mut inputs, mut loaded, mut opened) = (Vec::new(), Vec::new(), Vec::new());
    let mut steps = Vec::new();
    for (place, statement) in statements.iter().enumerate() {
        let value = Value(place as u64);
        let shape = scope
            .define(value, statement)
            .map_err(|error| at(place, error))?;
        live = live.saturating_add(size(&scope, value));
        if live > 4 * ELEMENTS_MOST {
            return refuse(
                &format!("statement {place}"),
                "more than 2^30 elements are held at once",
            );
        }
        steps.push(step_count(&scope, statement)?);
        match (statement, shape) {
            (Statement::Input { name, owner, .. }, Some(shape)) => inputs.push(Tensor {
                name: name.clone(),
                shape,
                party: owner.clone(),
                value,
            }),
            (Statement::Load { name, .. }, Some(shape)) => loaded.push(Tensor {
                name: name.clone(),
                shape,
                party: String::new(),
                value,
            }),
            (Statement::Fit(fit), _) => {
                if let Some(bound) = fit.stop_below {
                    opened.push(Opened {
                        value,
                        bits: fit.epochs,
                        what: format!(
                            "whether the mean loss of each of at most {} epochs is below {bound}",
                            fit.epochs
                        ),
                    });
                }
            }
            _ => {}
        }
        for &dead in &last_uses[place] {
            live = live.saturating_sub(size(&scope, dead));
            scope.forget(dead);
        }
    }
    let leaves = |name: &str, value: Value, party: &str| {
        Ok::<_, MpcError>(Tensor {
            name: name.to_owned(),
            shape: scope
                .shape(value)
                .map_err(|error| match error {
                    MpcError::Calculation { reason, .. } => MpcError::Calculation {
                        place: format!("output {name}"),
                        reason,
                    },
                    error => error,
                })?
                .to_vec(),
            party: party.to_owned(),
            value,
        })
    };
    let outputs = outputs
        .iter()
        .map(|output| {
            named(&output.name)?;
            named(&output.receiver)?;
            leaves(&output.name, output.value, &output.receiver)
        })
        .collect::<Result<Vec<_>, _>>()?;
    let kept = kept
        .iter()
        .map(|kept| {
            filed(&kept.name)?;
            leaves(&kept.name, kept.value, "")
        })
        .collect::<Result<Vec<_>, _>>()?;
    for (what, tensors) in [
        ("input", &inputs),
        ("loaded tensor", &loaded),
        ("output", &outputs),
        ("kept tensor", &kept),
    ] {
        distinct(what, tensors)?;
    }
    Ok(Calculation {
        inputs,
        loaded,
        outputs,
        kept,
        opened,
        last_uses,
        steps,
        literal,
    })
}

/// The error with the statement's place.
fn at(place: usize, error: MpcError) -> MpcError {
    let (name, reason) = match error {
        MpcError::Calculation {
            place: name,
            reason,
        } => (name, reason),
        error => (String::new(), error.to_string()),
    };
    MpcError::Calculation {
        place: format!("statement {place} {name}").trim_end().to_owned(),
        reason,
    }
}

fn distinct(what: &str, tensors: &[Tensor]) -> Result<(), MpcError> {
    let mut names = BTreeSet::new();
    match tensors.iter().find(|tensor| !names.insert(&tensor.name)) {
        Some(twice) => refuse(&twice.name, format!("there are two {what}s of this name")),
        None => Ok(()),
    }
}

/// Elements that a value holds at a party.
fn size(scope: &Scope, value: Value) -> usize {
    match scope.known(value) {
        Some(Known::Tensor(shape)) => shape.iter().product(),
        // Weights, gradients and an optimizer's state.
        Some(Known::Network(network)) => network.weights().saturating_mul(5),
        _ => 0,
    }
}

fn step_count(scope: &Scope, statement: &Statement) -> Result<usize, MpcError> {
    match statement {
        Statement::Fit(fit) => {
            let rows = scope.shape(fit.x)?.first().copied().unwrap_or(0);
            Ok(fit.epochs * rows.div_ceil(fit.batch))
        }
        _ => Ok(1),
    }
}
