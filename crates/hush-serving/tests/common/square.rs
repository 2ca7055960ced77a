//! A tiny model, as the compiler would make it. Tests of the command line use it too.

use std::collections::BTreeSet;

use hush_ckks::primes::ntt_primes;
use hush_program::{
    ClientSpec, Instruction, KeyManifest, Operation, Packing, PackingKind, ParameterSpec, Place,
    Plain, Program, Register, TensorSpec,
};

/// A model y = x^2 + `constant` on three features, eight samples a ciphertext.
pub(crate) struct Square {
    pub(crate) constant: f64,
    /// Steps that change nothing, for a run that takes a while.
    pub(crate) idle_steps: usize,
    /// Rotations that keys are made for, for large keys; fewer than slots.
    pub(crate) rotations: usize,
    pub(crate) slots: usize,
    /// Of the inputs that it was calibrated on.
    pub(crate) range: Option<(f64, f64)>,
}

impl Default for Square {
    fn default() -> Self {
        Self {
            constant: 0.25,
            idle_steps: 0,
            rotations: 0,
            slots: 1024,
            range: None,
        }
    }
}

impl Square {
    /// The program and its public half.
    pub(crate) fn compiled(&self) -> (Program, ClientSpec) {
        let mut primes = ntt_primes(12, 34, 3, &BTreeSet::new()).expect("enough primes");
        primes.sort_unstable();
        let special_moduli = primes.split_off(2);
        let parameters = ParameterSpec {
            log_degree: 12,
            moduli: primes,
            special_moduli,
        };
        let (slots, input_scale) = (self.slots, 2f64.powi(30));
        let output_scale = input_scale * input_scale / parameters.moduli[1] as f64;
        let x = Register(0);
        let multiply = Operation::Multiply { left: x, right: x };
        let mut instructions = vec![("square", multiply, Register(1))];
        for step in 0..=self.idle_steps as u32 {
            let (label, constant) = match step {
                0 => ("shift", self.constant),
                _ => ("a step", 0.0),
            };
            let operation = Operation::AddPlain {
                input: Register(1 + step),
                plain: Plain::Constant(constant),
            };
            instructions.push((label, operation, Register(2 + step)));
        }
        let outputs = vec![instructions.last().expect("two at least").2];
        let instructions = instructions
            .into_iter()
            .map(|(label, operation, result)| Instruction {
                label: label.to_owned(),
                operation,
                results: vec![result],
                level: 0,
                scale: output_scale,
            });
        let program = Program {
            name: "square".to_owned(),
            parameters: parameters.clone(),
            slots,
            inputs: vec![x],
            input_level: 1,
            input_scale,
            instructions: instructions.collect(),
            outputs,
        };
        let tensor = |name: &str| TensorSpec {
            name: name.to_owned(),
            shape: vec![3],
            ciphertexts: 1,
            places: (0..3)
                .map(|slot| {
                    vec![Place {
                        ciphertext: 0,
                        slot,
                    }]
                })
                .collect(),
            range: self.range.filter(|_| name == "x"),
        };
        let client_spec = ClientSpec {
            program_id: program.id().expect("an encodable program"),
            name: "square".to_owned(),
            parameters,
            slots,
            input_level: 1,
            input_scale,
            output_level: 0,
            output_scale,
            inputs: vec![tensor("x")],
            outputs: vec![tensor("y")],
            packing: Packing {
                kind: PackingKind::Latency,
                samples: 8,
                sample_stride: 4,
            },
            keys: KeyManifest {
                relinearization: Some(1),
                rotations: (1..=self.rotations).map(|steps| (steps, 1)).collect(),
            },
            post: Vec::new(),
        };
        (program, client_spec)
    }
}
