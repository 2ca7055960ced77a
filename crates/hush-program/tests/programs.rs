//! One small program through every interpreter, the checks, the text form and the stored form.

use std::collections::BTreeMap;
use std::ops::ControlFlow;

use hush_program::clear::{ClearMachine, NoiseMode};
use hush_program::count::count;
use hush_program::{
    Basis, Block, ClientSpec, ExecuteError, Instruction, KeyManifest, Observer, Operation, Packing,
    PackingKind, ParameterSpec, Place, Plain, Polynomial, PostOperation, Program, ProgramError,
    Register, TensorSpec, execute,
};
use hush_wire::program::{ClientSpecV1, ProgramV1, canonical_bytes};
use proptest::prelude::*;

/// 16385 primes: 1 modulo 2^14, distinct, not checked for primality here.
fn parameters() -> ParameterSpec {
    let prime = |factor: u64| factor * (1 << 14) + 1;
    ParameterSpec {
        log_degree: 13,
        moduli: vec![
            prime(1 << 16),
            prime(3001),
            prime(3002),
            prime(3003),
            prime(3004),
        ],
        special_moduli: vec![prime(1 << 17)],
    }
}

/// y = (W x + b)³-like polynomial, then its square times itself, folded: every operation at least once.
fn program() -> Program {
    let parameters = parameters();
    let scale = 2f64.powi(26);
    let diagonals = |offset: usize| {
        let weights = |d: usize| {
            Plain::Slots(
                (0..8)
                    .map(|t| (t + d + offset) as f64 / 8.0 - 0.5)
                    .collect(),
            )
        };
        BTreeMap::from([(0, weights(0)), (3, weights(1)), (5, weights(2))])
    };
    let instruction = |label: &str, operation, results: &[u32], level, scale| Instruction {
        label: label.to_owned(),
        operation,
        results: results.iter().copied().map(Register).collect(),
        level,
        scale,
    };
    let cubic = Polynomial {
        coefficients: vec![0.5, 0.197, 0.0, -0.004],
        basis: Basis::Power,
    };
    let product_scale = scale * scale / parameters.moduli[1] as f64;
    Program {
        name: "sample".to_owned(),
        slots: 8,
        inputs: vec![Register(0), Register(1)],
        input_level: 4,
        input_scale: scale,
        instructions: vec![
            instruction(
                "fc",
                Operation::Linear {
                    inputs: vec![Register(0), Register(1)],
                    blocks: vec![
                        Block {
                            output: 0,
                            input: 0,
                            diagonals: diagonals(0),
                        },
                        Block {
                            output: 0,
                            input: 1,
                            diagonals: BTreeMap::from([(0, Plain::Constant(0.25))]),
                        },
                        Block {
                            output: 1,
                            input: 1,
                            diagonals: diagonals(4),
                        },
                    ],
                    baby_step: 2,
                    folds: vec![4],
                    bias: vec![Some(Plain::Constant(0.125)), None],
                },
                &[2, 3],
                3,
                scale,
            ),
            instruction(
                "act",
                Operation::Polynomial {
                    input: Register(2),
                    polynomial: cubic,
                },
                &[4],
                1,
                scale,
            ),
            instruction(
                "drop",
                Operation::Align { input: Register(3) },
                &[5],
                1,
                scale,
            ),
            instruction(
                "sum",
                Operation::Add {
                    left: Register(4),
                    right: Register(5),
                },
                &[6],
                1,
                scale,
            ),
            instruction(
                "less",
                Operation::Subtract {
                    left: Register(6),
                    right: Register(5),
                },
                &[7],
                1,
                scale,
            ),
            instruction(
                "times",
                Operation::Multiply {
                    left: Register(6),
                    right: Register(7),
                },
                &[8],
                0,
                product_scale,
            ),
            instruction(
                "shift",
                Operation::AddPlain {
                    input: Register(8),
                    plain: Plain::Slots(vec![1.0; 8]),
                },
                &[9],
                0,
                product_scale,
            ),
        ],
        outputs: vec![Register(9)],
        parameters,
    }
}

fn client_spec() -> ClientSpec {
    let program = program();
    let tensor = |name: &str| TensorSpec {
        name: name.to_owned(),
        shape: vec![2, 2],
        ciphertexts: 1,
        places: (0..4)
            .map(|slot| {
                vec![
                    Place {
                        ciphertext: 0,
                        slot,
                    },
                    Place {
                        ciphertext: 0,
                        slot: slot + 4,
                    },
                ]
            })
            .collect(),
    };
    ClientSpec {
        program_id: program.id().unwrap(),
        name: program.name.clone(),
        parameters: program.parameters.clone(),
        slots: 8,
        input_level: 4,
        input_scale: program.input_scale,
        output_level: 0,
        output_scale: program.instructions[6].scale,
        inputs: vec![tensor("a"), tensor("b")],
        outputs: vec![tensor("y")],
        packing: Packing {
            kind: PackingKind::Latency,
            samples: 1,
            sample_stride: 1,
        },
        keys: count(&program).unwrap().keys,
        post: vec![PostOperation::Softmax { axis: 2 }],
    }
}

/// The program's meaning, written out.
fn expected(x: [&[f64]; 2]) -> Vec<f64> {
    let row = |slot: usize, input: &[f64], offset: usize| -> f64 {
        let at = |d: usize, rotation: usize| {
            ((slot + d + offset) as f64 / 8.0 - 0.5) * input[(slot + rotation) % 8]
        };
        at(0, 0) + at(1, 3) + at(2, 5)
    };
    let first: Vec<f64> = (0..8).map(|t| row(t, x[0], 0) + 0.25 * x[1][t]).collect();
    let second: Vec<f64> = (0..8).map(|t| row(t, x[1], 4)).collect();
    let fold = |y: &[f64], t: usize| y[t] + y[(t + 4) % 8];
    (0..8)
        .map(|t| {
            let a = fold(&first, t) + 0.125;
            let act = 0.5 + 0.197 * a - 0.004 * a.powi(3);
            (act + fold(&second, t)) * act + 1.0
        })
        .collect()
}

fn inputs() -> [Vec<f64>; 2] {
    [
        (0..8).map(|t| f64::from(t) / 4.0 - 1.0).collect(),
        (0..8).map(|t| (f64::from(t) * 1.7).sin()).collect(),
    ]
}

fn run(mode: NoiseMode) -> (ClearMachine, Vec<f64>, Vec<f64>) {
    let program = program();
    let mut machine = ClearMachine::new(&program, mode);
    let values = inputs()
        .map(|x| machine.encrypt(x, program.input_level, program.input_scale))
        .to_vec();
    let outputs = execute(&program, values, &mut machine, &mut ()).unwrap();
    let output = outputs[0].clone();
    (machine, output.values, output.variance)
}

#[test]
fn the_clear_machine_computes_what_the_operations_say() {
    let [a, b] = inputs();
    let (machine, found, _) = run(NoiseMode::None);
    for (found, expected) in found.iter().zip(expected([&a, &b])) {
        assert!((found - expected).abs() < 1e-12, "{found} {expected}");
    }
    assert!(machine.headroom() > 0.0);
}

/// Up to the polynomial: later, noise meets itself, which tracking takes for independent.
fn first_half(mode: NoiseMode) -> (Vec<f64>, Vec<f64>) {
    let mut program = program();
    program.instructions.truncate(2);
    program.outputs = vec![Register(4)];
    program.check().unwrap();
    let mut machine = ClearMachine::new(&program, mode);
    let values = inputs()
        .map(|x| machine.encrypt(x, program.input_level, program.input_scale))
        .to_vec();
    let output = execute(&program, values, &mut machine, &mut ())
        .unwrap()
        .remove(0);
    (output.values, output.variance)
}

#[test]
fn sampled_noise_has_the_tracked_variance() {
    let (exact, _) = first_half(NoiseMode::None);
    let (_, variance) = first_half(NoiseMode::Tracked);
    let runs = 400;
    let mut squares = [0.0; 8];
    for seed in 0..runs {
        let (found, _) = first_half(NoiseMode::Sampled(seed));
        let pairs = found.iter().zip(&exact);
        squares
            .iter_mut()
            .zip(pairs)
            .for_each(|(sum, (f, e))| *sum += (f - e).powi(2));
    }
    let measured = squares.iter().sum::<f64>() / runs as f64;
    let tracked = variance.iter().sum::<f64>();
    assert!(
        (0.8..1.25).contains(&(measured / tracked)),
        "measured {measured:e} tracked {tracked:e}"
    );
    assert_eq!(run(NoiseMode::Sampled(5)).1, run(NoiseMode::Sampled(5)).1);
}

#[test]
fn gains_and_deviations_add_up_to_the_tracked_variance() {
    // Not exactly: noise that meets noise of another source in a product counts as in step with it.
    let mut program = program();
    program.instructions.truncate(2);
    program.outputs = vec![Register(4)];
    let mut machine = ClearMachine::new(&program, NoiseMode::Tracked);
    let values = inputs()
        .map(|x| machine.encrypt(x, program.input_level, program.input_scale))
        .to_vec();
    let tracked = execute(&program, values, &mut machine, &mut ())
        .unwrap()
        .remove(0)
        .variance;
    let mut outline = ClearMachine::outline(&program);
    let values = (0..2)
        .map(|_| outline.encrypt(Vec::new(), program.input_level, program.input_scale))
        .collect();
    execute(&program, values, &mut outline, &mut ()).unwrap();
    assert_eq!(outline.sources(), machine.sources());
    let mut total = [0.0; 8];
    for (index, source) in machine.sources().iter().enumerate() {
        let mask = (0..machine.sources().len())
            .map(|other| other == index)
            .collect();
        let mut impulse = ClearMachine::impulse(&program, 8, mask);
        let values = inputs()
            .map(|x| impulse.encrypt(x, program.input_level, program.input_scale))
            .to_vec();
        let output = execute(&program, values, &mut impulse, &mut ())
            .unwrap()
            .remove(0);
        total
            .iter_mut()
            .zip(&output.variance)
            .for_each(|(sum, gain)| *sum += gain * source.deviation.powi(2));
    }
    for (total, tracked) in total.iter().zip(&tracked) {
        assert!((total / tracked - 1.0).abs() < 0.1, "{total:e} {tracked:e}");
    }
}

#[test]
fn counting_finds_keys_and_levels() {
    let count = count(&program()).unwrap();
    assert_eq!(count.levels, 4);
    // Baby 1 at both inputs, giants 2 and 4, folds 4 at a lower level.
    assert_eq!(
        count.keys.rotations,
        BTreeMap::from([(1, 4), (2, 4), (4, 4)])
    );
    assert_eq!(count.keys.relinearization, Some(3));
    assert_eq!((count.rotations, count.multiplications), (2 + 4 + 2, 3));
    assert_eq!(count.steps.len(), 7);
    assert!(count.nanoseconds > 0.0 && count.work.transforms > 0);
}

#[test]
fn the_text_form() {
    insta::assert_snapshot!(program(), @r"
    program sample
    N = 2^13, chain 30.0 25.6 25.6 25.6 25.6 bits, special 31.0 bits, log2(QP) = 163.2
    slots 8
    inputs %0 %1 at level 4 scale 2^26.00
    %2 %3 = linear %0 %1, blocks 3, diagonals 7, baby step 2, folds 4, bias at level 3 scale 2^26.00  # fc
    %4 = polynomial %2, degree 3, powers at level 1 scale 2^26.00  # act
    %5 = align %3 at level 1 scale 2^26.00  # drop
    %6 = add %4 %5 at level 1 scale 2^26.00  # sum
    %7 = subtract %6 %5 at level 1 scale 2^26.00  # less
    %8 = multiply %6 %7 at level 0 scale 2^26.45  # times
    %9 = add_plain %8 at level 0 scale 2^26.45  # shift
    outputs %9
    ");
    let mut spec = client_spec();
    spec.program_id = [0xab; 32];
    insta::assert_snapshot!(spec, @r"
    client spec of sample
    program id abababababababababababababababababababababababababababababababab
    N = 2^13, chain 30.0 25.6 25.6 25.6 25.6 bits, special 31.0 bits, log2(QP) = 163.2
    slots 8, packing latency, 1 sample per group, stride 1
    input a [batch, 2, 2] in 1 ciphertext, 2 places per element at level 4 scale 2^26.00
    input b [batch, 2, 2] in 1 ciphertext, 2 places per element at level 4 scale 2^26.00
    output y [batch, 2, 2] in 1 ciphertext, 2 places per element at level 0 scale 2^26.45
    relinearization key to level 3
    rotation keys (step@level) 1@4 2@4 4@4
    then softmax along axis 2
    ");
}

struct Stopper(usize, usize);

impl Observer for Stopper {
    fn before(&mut self, index: usize, total: usize, _: &Instruction) -> ControlFlow<()> {
        assert_eq!(total, 7);
        if index == self.0 {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    }

    fn after(&mut self, _: usize, _: usize, _: &Instruction) {
        self.1 += 1;
    }
}

#[test]
fn an_observer_sees_and_stops_the_run() {
    let program = program();
    let mut machine = ClearMachine::new(&program, NoiseMode::None);
    let values = inputs()
        .map(|x| machine.encrypt(x, 4, program.input_scale))
        .to_vec();
    let mut stopper = Stopper(3, 0);
    let stopped = execute(&program, values.clone(), &mut machine, &mut stopper);
    assert_eq!(stopped, Err(ExecuteError::Stopped { index: 3, total: 7 }));
    assert_eq!(stopper.1, 3);
    let few = execute(&program, values[..1].to_vec(), &mut machine, &mut ());
    assert_eq!(
        few,
        Err(ExecuteError::Inputs {
            expected: 2,
            actual: 1
        })
    );
}

#[test]
fn broken_programs_are_refused() {
    type Break = fn(&mut Program);
    let cases: [(&str, Break); 12] = [
        ("slots", |p| p.slots = 12),
        ("slots", |p| p.slots = 1 << 13),
        ("parameters", |p| p.parameters.moduli[1] += 2),
        ("parameters", |p| p.parameters.log_degree = 9),
        ("input_level", |p| p.input_level = 9),
        ("input_scale", |p| p.input_scale = f64::NAN),
        ("before it is written", |p| p.outputs[0] = Register(77)),
        ("before it is written", |p| p.instructions.swap(0, 1)),
        ("second time", |p| {
            p.instructions[2].results[0] = Register(0)
        }),
        ("level", |p| p.instructions[1].level = 2),
        ("scale", |p| p.instructions[5].scale *= 1.0001),
        ("wrong number of results", |p| {
            p.instructions[3].results.push(Register(50))
        }),
    ];
    for (hint, break_it) in cases {
        let mut program = program();
        break_it(&mut program);
        let error = program.check().expect_err(hint);
        assert!(error.to_string().contains(hint), "{error}");
    }
    let mut program = program();
    if let Operation::Linear { blocks, .. } = &mut program.instructions[0].operation {
        blocks[0].diagonals.insert(1, Plain::Slots(vec![0.0; 7]));
    }
    assert!(matches!(
        program.check(),
        Err(ProgramError::Instruction { index: 0, .. })
    ));
}

#[test]
fn the_stored_form_keeps_everything() {
    let program = program();
    program.check().unwrap();
    let stored = ProgramV1::from(&program);
    let bytes = canonical_bytes(&stored).unwrap();
    let back: ProgramV1 = postcard::from_bytes(&bytes).unwrap();
    assert_eq!(Program::try_from(back).unwrap(), program);
    assert_eq!(program.id().unwrap(), *blake3::hash(&bytes).as_bytes());
    let spec = client_spec();
    assert_eq!(
        ClientSpec::try_from(ClientSpecV1::from(&spec)).unwrap(),
        spec
    );
}

#[test]
fn broken_client_specs_are_refused() {
    type Break = fn(&mut ClientSpec);
    let cases: [(&str, Break); 7] = [
        ("tensor", |s| s.inputs[0].shape = vec![5]),
        ("tensor", |s| s.inputs[0].places[0][0].slot = 8),
        ("tensor", |s| {
            s.outputs[0].places[1] = s.outputs[0].places[0].clone()
        }),
        ("packing", |s| s.packing.samples = 9),
        ("keys", |s| {
            s.keys = KeyManifest {
                relinearization: None,
                rotations: BTreeMap::from([(8, 0)]),
            }
        }),
        ("post", |s| {
            s.post = vec![PostOperation::Softmax { axis: 0 }]
        }),
        ("levels", |s| s.output_level = 5),
    ];
    for (hint, break_it) in cases {
        let mut spec = client_spec();
        break_it(&mut spec);
        let error = spec.check().expect_err(hint);
        assert!(error.to_string().contains(hint), "{error}");
        assert!(ClientSpec::try_from(ClientSpecV1::from(&spec)).is_err());
    }
}

proptest! {
    #[test]
    fn changed_bytes_never_panic(position in 0usize..400, bit in 0u32..8, cut in 0usize..400) {
        let mut bytes = canonical_bytes(&ProgramV1::from(&program())).unwrap();
        let position = position % bytes.len();
        bytes[position] ^= 1 << bit;
        for bytes in [&bytes[..], &bytes[..cut.min(bytes.len())]] {
            if let Ok(stored) = postcard::from_bytes::<ProgramV1>(bytes)
                && let Ok(program) = Program::try_from(stored)
            {
                prop_assert!(program.check().is_ok() && count(&program).is_ok());
            }
        }
    }
}
