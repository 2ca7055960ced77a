//! Inputs and outputs of calculations.

use hush_mpc::calculation::{OutputLiteral, Statement, Value};
use hush_mpc::{Fixed, Parties, Protocol, Secret, Word};

/// A shape and its numbers.
pub(crate) type Array = (Vec<usize>, Vec<f64>);

pub(crate) fn input(name: &str, shape: &[usize]) -> Statement {
    Statement::Input {
        name: name.to_owned(),
        shape: shape.to_vec(),
        owner: "owner".to_owned(),
    }
}

pub(crate) fn output(name: &str, value: u64) -> OutputLiteral {
    OutputLiteral {
        name: name.to_owned(),
        value: Value(value),
        receiver: "receiver".to_owned(),
    }
}

pub(crate) fn shared<W: Word>(
    protocol: &mut dyn Protocol<W>,
    fixed: Fixed,
    arrays: &[Array],
) -> Vec<Secret<W>> {
    arrays
        .iter()
        .enumerate()
        .map(|(index, (shape, values))| {
            let owner = index % 3;
            let own = (protocol.party() == owner).then_some(&values[..]);
            Secret::input(protocol, owner, shape, fixed, own).unwrap()
        })
        .collect()
}

pub(crate) fn opened<W: Word>(protocol: &mut dyn Protocol<W>, secret: &Secret<W>) -> Vec<f64> {
    secret.reveal(protocol, Parties::all(3)).unwrap().unwrap()
}
