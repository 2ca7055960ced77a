//! How much memory a program takes, and which plaintexts are worth their bytes.

use std::collections::BTreeMap;

use hush_circuits::Storage;
use hush_ckks::Parameters;
use hush_program::{KeyManifest, Operation, Program};

/// Nanoseconds to encode one weight, and to transform it for one limb: what holding it as
/// integers, and holding its residues, saves at each run. Measured on one thread at
/// N = 2^15; only the ratio matters.
const ENCODE: f64 = 28.0;
const TRANSFORM: f64 = 1.5;

/// Plaintexts that are held in one way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Held {
    /// Linear instructions.
    pub instructions: usize,
    /// Bytes of their plaintexts.
    pub bytes: u64,
}

/// Where the memory of a run goes, in bytes. Estimates are marked; the rest is exact but for
/// allocators.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Memory {
    /// Plaintexts held as residues of every limb.
    pub kept: Held,
    /// Plaintexts held as integers, transformed at each use.
    pub compact: Held,
    /// Plaintexts encoded from the weights at each run.
    pub streamed: Held,
    /// Biases, held as integers.
    pub biases: u64,
    /// Weights of the program itself.
    pub program: u64,
    /// Evaluation keys, if exactly those of the manifest are loaded.
    pub keys: u64,
    /// Tables of the transforms.
    pub tables: u64,
    /// Ciphertexts and intermediate sums at the busiest instruction: an estimate.
    pub working: u64,
    /// What all of it was to stay below.
    pub limit: Option<u64>,
}

impl Memory {
    /// Everything together.
    #[must_use]
    pub fn total(&self) -> u64 {
        let plaintexts = self.kept.bytes + self.compact.bytes + self.streamed.bytes;
        plaintexts + self.fixed()
    }

    /// What no choice of storage changes.
    pub(crate) fn fixed(&self) -> u64 {
        self.biases + self.program + self.keys + self.tables + self.working
    }

    /// Whether the limit holds: even with nothing prepared it may be too low.
    #[must_use]
    pub fn within_limit(&self) -> bool {
        self.limit.is_none_or(|limit| self.total() <= limit)
    }

    pub(crate) fn add(&mut self, storage: Storage, bytes: usize) {
        let held = match storage {
            Storage::Kept => &mut self.kept,
            Storage::Compact => &mut self.compact,
            Storage::Streamed => &mut self.streamed,
        };
        held.instructions += 1;
        held.bytes += bytes as u64;
    }
}

/// What one linear instruction would take.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Choice {
    pub(crate) kept: u64,
    pub(crate) compact: u64,
    /// Weights that its plaintexts say once.
    pub(crate) weights: usize,
    /// Limbs of its sums.
    pub(crate) limbs: usize,
}

/// For each instruction the storage: most time saved for a byte first, as long as the sum is
/// within `limit`.
pub(crate) fn choose(choices: &[Choice], limit: Option<u64>) -> Vec<Storage> {
    let Some(limit) = limit else {
        return vec![Storage::Kept; choices.len()];
    };
    let mut chosen = vec![Storage::Streamed; choices.len()];
    let mut left = limit;
    // (nanoseconds saved, bytes, instruction, from, to)
    let mut steps: Vec<(f64, u64, usize, Storage, Storage)> = Vec::new();
    for (index, choice) in choices.iter().enumerate() {
        let weights = choice.weights as f64;
        let kept = TRANSFORM * weights * choice.limbs as f64;
        let more = choice.kept.saturating_sub(choice.compact);
        let (streamed, compact) = (Storage::Streamed, Storage::Compact);
        steps.push((ENCODE * weights, choice.compact, index, streamed, compact));
        steps.push((kept, more, index, compact, Storage::Kept));
    }
    let worth = |step: &(f64, u64, usize, Storage, Storage)| step.0 / step.1.max(1) as f64;
    steps.sort_by(|a, b| worth(b).total_cmp(&worth(a)).then(a.4.cmp(&b.4).reverse()));
    for (_, bytes, index, from, to) in steps {
        if chosen[index] == from && bytes <= left {
            chosen[index] = to;
            left -= bytes;
        }
    }
    chosen
}

/// Bytes of the keys of a manifest in memory, both halves packed.
pub(crate) fn key_bytes(parameters: &Parameters, manifest: &KeyManifest) -> u64 {
    let one = |level: usize| {
        let chain = &parameters.moduli()[..=level];
        let bytes = chain
            .iter()
            .chain(parameters.special_moduli())
            .map(|q| u64::from((64 - (q - 1).leading_zeros()).div_ceil(8).max(4)));
        let digits = parameters.digits(hush_ckks::Level(level)) as u64;
        2 * digits * parameters.degree() as u64 * bytes.sum::<u64>()
    };
    let levels = manifest.rotations.values().chain(&manifest.relinearization);
    levels.map(|&level| one(level)).sum()
}

/// Bytes of the tables of all transforms: roots and their quotients, for both directions,
/// plainly and once more for the stages inside a vector.
pub(crate) fn table_bytes(parameters: &Parameters) -> u64 {
    let moduli = parameters.ring().moduli().len();
    (moduli * parameters.degree() * 60) as u64
}

/// The most bytes of ciphertexts alive at once; `working(index)` is what an instruction
/// takes besides its operands and results.
pub(crate) fn working_bytes(program: &Program, working: impl Fn(usize) -> u64) -> u64 {
    let bytes = |level: usize| (2 * (level + 1) * program.parameters.degree() * 8) as u64;
    let mut last_use = BTreeMap::new();
    for (index, instruction) in program.instructions.iter().enumerate() {
        for register in instruction.operation.reads() {
            last_use.insert(register, index);
        }
    }
    for &register in &program.outputs {
        last_use.insert(register, program.instructions.len());
    }
    let mut alive: BTreeMap<_, u64> = program
        .inputs
        .iter()
        .map(|&register| (register, bytes(program.input_level)))
        .collect();
    let mut most: u64 = alive.values().sum();
    for (index, instruction) in program.instructions.iter().enumerate() {
        for &result in &instruction.results {
            alive.insert(result, bytes(instruction.level));
        }
        // A polynomial holds some powers of its input, a product its three parts.
        let powers = match &instruction.operation {
            Operation::Polynomial { polynomial, .. } => {
                1 + polynomial.coefficients.len().max(1).ilog2() as u64
            }
            Operation::Linear { .. } => 0,
            _ => 2,
        };
        let level = (instruction.level + 1).min(program.input_level);
        let now = alive.values().sum::<u64>() + powers * bytes(level) + working(index);
        most = most.max(now);
        for register in instruction.operation.reads() {
            if last_use.get(&register) == Some(&index) {
                alive.remove(&register);
            }
        }
        for result in &instruction.results {
            if !last_use.contains_key(result) {
                alive.remove(result);
            }
        }
    }
    most
}

#[cfg(test)]
mod tests {
    use super::*;

    fn choice(weights: usize, kept: u64, compact: u64) -> Choice {
        Choice {
            kept,
            compact,
            weights,
            limbs: 10,
        }
    }

    #[test]
    fn the_best_use_of_each_byte_comes_first() {
        use Storage::{Compact, Kept, Streamed};
        let choices = [choice(100, 5000, 400), choice(1000, 50_000, 4000)];
        assert_eq!(choose(&choices, None), [Kept, Kept]);
        assert_eq!(choose(&choices, Some(0)), [Streamed, Streamed]);
        assert_eq!(choose(&choices, Some(500)), [Compact, Streamed]);
        assert_eq!(choose(&choices, Some(4400)), [Compact, Compact]);
        assert_eq!(choose(&choices, Some(9000)), [Kept, Compact]);
        assert_eq!(choose(&choices, Some(55_000)), [Kept, Kept]);
    }
}
