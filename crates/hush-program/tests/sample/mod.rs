//! A small program and its client spec, for all tests.
#![allow(dead_code, unreachable_pub)]

use std::collections::BTreeMap;

use hush_program::count::count;
use hush_program::{
    Basis, Block, ClientSpec, Instruction, Operation, Packing, PackingKind, ParameterSpec, Place,
    Plain, Polynomial, PostOperation, Program, Register, TensorSpec,
};

/// Numbers that are 1 modulo 2^14; primality is not checked here.
pub fn parameters() -> ParameterSpec {
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

/// Every operation at least once, folds alone excepted.
pub fn program() -> Program {
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

pub fn client_spec() -> ClientSpec {
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
        range: (name == "a").then_some((-1.5, 2.0)),
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
