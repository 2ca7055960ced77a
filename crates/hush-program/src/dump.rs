//! The text form: what `hush inspect` prints.

use std::fmt::{self, Display, Formatter};

use crate::client_spec::{ClientSpec, PackingKind, PostOperation, TensorSpec};
use crate::program::{Basis, Operation, ParameterSpec, Plain, Program, Register};

/// Steps shown before a list is cut.
const SHOWN: usize = 12;

struct List<'a, T>(&'a [T]);

impl<T: Display> Display for List<'_, T> {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        for (index, item) in self.0.iter().take(SHOWN).enumerate() {
            if index > 0 {
                out.write_str(" ")?;
            }
            write!(out, "{item}")?;
        }
        if self.0.len() > SHOWN {
            write!(out, " … ({} in all)", self.0.len())?;
        }
        Ok(())
    }
}

impl Display for Register {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "%{}", self.0)
    }
}

impl Display for ParameterSpec {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let bits = |primes: &[u64]| {
            primes
                .iter()
                .map(|&prime| format!("{:.1}", (prime as f64).log2()))
                .collect::<Vec<_>>()
        };
        write!(
            out,
            "N = 2^{}, chain {} bits, special {} bits, log2(QP) = {:.1}",
            self.log_degree,
            List(&bits(&self.moduli)),
            List(&bits(&self.special_moduli)),
            self.log_q_p()
        )
    }
}

impl Display for Operation {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        write!(out, "{} {}", self.name(), List(&self.reads()))?;
        match self {
            Operation::Linear {
                blocks,
                baby_step,
                folds,
                bias,
                ..
            } => {
                let diagonals: usize = blocks.iter().map(|block| block.diagonals.len()).sum();
                write!(out, ", blocks {}, diagonals {diagonals}", blocks.len())?;
                if blocks
                    .iter()
                    .any(|block| block.diagonals.keys().any(|&rotation| rotation != 0))
                {
                    write!(out, ", baby step {baby_step}")?;
                }
                if !folds.is_empty() {
                    write!(out, ", folds {}", List(folds))?;
                }
                if bias.iter().any(Option::is_some) {
                    write!(out, ", bias")?;
                }
                Ok(())
            }
            Operation::Polynomial { polynomial, .. } => {
                write!(out, ", degree {}", polynomial.degree())?;
                match polynomial.basis {
                    Basis::Power => write!(out, ", powers"),
                    Basis::Chebyshev { lo, hi } => write!(out, ", Chebyshev on [{lo}, {hi}]"),
                }
            }
            Operation::Fold { steps, .. } => write!(out, ", steps {}", List(steps)),
            Operation::AddPlain {
                plain: Plain::Constant(value),
                ..
            } => write!(out, ", {value}"),
            _ => Ok(()),
        }
    }
}

impl Display for Program {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        writeln!(out, "program {}", self.name)?;
        writeln!(out, "{}", self.parameters)?;
        writeln!(out, "slots {}", self.slots)?;
        writeln!(
            out,
            "inputs {} at level {} scale 2^{:.2}",
            List(&self.inputs),
            self.input_level,
            self.input_scale.log2()
        )?;
        for instruction in &self.instructions {
            writeln!(
                out,
                "{} = {} at level {} scale 2^{:.2}  # {}",
                List(&instruction.results),
                instruction.operation,
                instruction.level,
                instruction.scale.log2(),
                instruction.label
            )?;
        }
        writeln!(out, "outputs {}", List(&self.outputs))
    }
}

impl Display for TensorSpec {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        let replicas = self.places.iter().map(Vec::len).max().unwrap_or(0);
        let batch = std::iter::once("batch".to_owned());
        let shape: Vec<String> = batch
            .chain(self.shape.iter().map(ToString::to_string))
            .collect();
        let range = self.range.map_or_else(String::new, |(smallest, largest)| {
            format!(" of {smallest:.4} to {largest:.4}")
        });
        write!(
            out,
            "{} [{}]{range} in {} ciphertext{}, {replicas} place{} per element",
            self.name,
            shape.join(", "),
            self.ciphertexts,
            if self.ciphertexts == 1 { "" } else { "s" },
            if replicas == 1 { "" } else { "s" },
        )
    }
}

impl Display for ClientSpec {
    fn fmt(&self, out: &mut Formatter<'_>) -> fmt::Result {
        writeln!(out, "client spec of {}", self.name)?;
        let id: String = self
            .program_id
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        writeln!(out, "program id {id}")?;
        writeln!(out, "{}", self.parameters)?;
        let kind = match self.packing.kind {
            PackingKind::Latency => "latency",
            PackingKind::Throughput => "throughput",
        };
        writeln!(
            out,
            "slots {}, packing {kind}, {} sample{} per group, stride {}",
            self.slots,
            self.packing.samples,
            if self.packing.samples == 1 { "" } else { "s" },
            self.packing.sample_stride
        )?;
        for tensor in &self.inputs {
            writeln!(
                out,
                "input {tensor} at level {} scale 2^{:.2}",
                self.input_level,
                self.input_scale.log2()
            )?;
        }
        for tensor in &self.outputs {
            writeln!(
                out,
                "output {tensor} at level {} scale 2^{:.2}",
                self.output_level,
                self.output_scale.log2()
            )?;
        }
        if let Some(level) = self.keys.relinearization {
            writeln!(out, "relinearization key to level {level}")?;
        }
        let rotations: Vec<String> = self
            .keys
            .rotations
            .iter()
            .map(|(step, level)| format!("{step}@{level}"))
            .collect();
        if !rotations.is_empty() {
            writeln!(out, "rotation keys (step@level) {}", List(&rotations))?;
        }
        for post in &self.post {
            match post {
                PostOperation::Softmax { axis } => writeln!(out, "then softmax along axis {axis}")?,
                PostOperation::LogSoftmax { axis } => {
                    writeln!(out, "then log softmax along axis {axis}")?
                }
                PostOperation::Sigmoid => writeln!(out, "then sigmoid")?,
                PostOperation::ArgMax { axis, keepdims } => {
                    writeln!(
                        out,
                        "then arg max along axis {axis}, keep dimension {keepdims}"
                    )?;
                }
            }
        }
        Ok(())
    }
}
