//! Runs an operation on shares and counts what it costs.

use hush_mpc::protocol::count::Count;
use hush_mpc::protocol::rep3;
use hush_mpc::{Cost, Fixed, MpcError, Parties, Protocol, Secret, Word};

use super::{Random, three};

/// A function of shared tensors.
pub(crate) type Operation<'a, W> =
    dyn Fn(&mut dyn Protocol<W>, &[Secret<W>]) -> Result<Secret<W>, MpcError> + Sync + 'a;

pub(crate) struct Operand {
    pub(crate) shape: Vec<usize>,
    pub(crate) fixed: Fixed,
    pub(crate) values: Vec<f64>,
}

pub(crate) fn operand(shape: &[usize], fixed: Fixed, values: Vec<f64>) -> Operand {
    // What the fixed point holds.
    let values = values
        .iter()
        .map(|value| (value / fixed.unit()).round() * fixed.unit())
        .collect();
    Operand {
        shape: shape.to_vec(),
        fixed,
        values,
    }
}

fn inputs<W: Word>(protocol: &mut dyn Protocol<W>, operands: &[Operand]) -> Vec<Secret<W>> {
    operands
        .iter()
        .enumerate()
        .map(|(index, operand)| {
            let owner = index % 3;
            let values = (protocol.party() == owner).then_some(&operand.values[..]);
            Secret::input(protocol, owner, &operand.shape, operand.fixed, values).unwrap()
        })
        .collect()
}

/// Runs an operation under replicated sharing; checks that what it costs was counted without running.
pub(crate) fn run<W: Word>(
    operands: &[Operand],
    operation: &Operation<'_, W>,
) -> (Vec<usize>, Vec<f64>, Fixed) {
    let results = three(|protocol| {
        let protocol: &mut dyn Protocol<W> = protocol;
        let inputs = inputs(protocol, operands);
        let before = protocol.spent();
        let result = operation(protocol, &inputs).unwrap();
        let spent = protocol.spent().since(before);
        let opened = result.reveal(protocol, Parties::all(3)).unwrap().unwrap();
        (spent, result.shape().to_vec(), opened, result.fixed())
    });
    let mut count = Count::<W>::new(3, rep3::cost::<W>);
    let inputs = inputs(&mut count, operands);
    let before = count.spent();
    let counted = operation(&mut count, &inputs).unwrap();
    let declared = count.spent().since(before);
    let bytes = results.iter().map(|result| result.0.bytes).sum();
    assert_eq!(
        declared,
        Cost::new(results[0].0.rounds, bytes),
        "declared and measured cost"
    );
    assert_eq!(
        (counted.shape(), counted.fixed()),
        (&results[0].1[..], results[0].3)
    );
    let (_, shape, values, fixed) = results.into_iter().next().unwrap();
    (shape, values, fixed)
}

#[track_caller]
pub(crate) fn near(name: &str, found: &[f64], expected: &[f64], error: impl Fn(f64) -> f64) {
    assert_eq!(found.len(), expected.len(), "{name}");
    let mut worst = 0.0f64;
    for (index, (found, expected)) in found.iter().zip(expected).enumerate() {
        let allowed = error(*expected);
        worst = worst.max((found - expected).abs());
        assert!(
            (found - expected).abs() <= allowed,
            "{name} at {index}: {found}, not {expected} ± {allowed:e}"
        );
    }
    println!("{name}: largest error {worst:e}");
}

pub(crate) const UNIT: f64 = 1.0 / 65536.0;

pub(crate) fn unary(
    name: &str,
    low: f64,
    high: f64,
    fixed: Fixed,
    operation: &Operation<'_, u64>,
    function: impl Fn(f64) -> f64,
    error: impl Fn(f64) -> f64,
) {
    let mut random = Random::new();
    let mut values = random.floats(low, high, 997);
    values.extend([low, high]);
    let x = operand(&[values.len()], fixed, values);
    let expected: Vec<f64> = x.values.iter().map(|&x| function(x)).collect();
    let (_, found, result) = run(&[x], operation);
    let limit = (f64::from(result.integer_bits)).exp2();
    assert!(
        expected.iter().all(|value| value.abs() <= limit),
        "{name}: range {result:?}"
    );
    near(name, &found, &expected, error);
}
