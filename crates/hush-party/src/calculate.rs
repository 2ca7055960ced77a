//! Calculations: checked programs on secret tensors, among parties.

use std::path::Path;

use hush_mpc::calculation::{
    Calculation, CalculationLiteral, NetworkSpec, OutputLiteral, Statement, Tensor, Value,
};
use hush_mpc::{Cost, Fixed, MpcError, Secret, Word};

use crate::job::{Input, Job, JobLiteral, Kept, Output, Program};
use crate::npy;
use crate::protocol::ProtocolName;
use crate::report::Recorder;
use crate::runner::{Computed, Runner, Work, expect_kind, missing};
use crate::served::KeptModel;
use crate::words::{Words, parts_of};

/// What a program of this kind is called in jobs and policies.
pub const KIND: &str = "calculate";
/// What the input of a prediction with a kept network is called.
pub const INPUT: &str = "x";
/// What its output is called.
pub const OUTPUT: &str = "y";

/// A calculation with all that parties have to agree on to run it.
#[derive(Debug, Clone)]
pub struct Computation {
    calculation: Calculation,
    fixed: Fixed,
    protocol: ProtocolName,
    ring_bits: u32,
}

impl Computation {
    /// A calculation on numbers of one type, by ABY3 on the ring of 64 bits.
    pub fn new(calculation: Calculation, fixed: Fixed) -> Self {
        Self {
            calculation,
            fixed,
            protocol: ProtocolName::default(),
            ring_bits: 64,
        }
    }

    /// By another protocol, on a ring of 64 or 128 bits.
    pub fn on(self, protocol: ProtocolName, ring_bits: u32) -> Self {
        Self {
            protocol,
            ring_bits,
            ..self
        }
    }

    /// The prediction of so many rows with a kept network, on inputs of `client` and for it alone.
    ///
    /// # Errors
    /// Says in words why that cannot be.
    pub fn with_kept(model: &KeptModel, rows: usize, client: &str) -> Result<Self, String> {
        if model.kind() != KIND {
            return Err(format!("{} is no network", model.name()));
        }
        let spec = network_of(model.description())?;
        let calculation = prediction(spec, model.name(), model.elements(), rows, client)?;
        Ok(Self::new(calculation, model.fixed()).on(model.protocol(), model.ring_bits()))
    }

    /// What is computed.
    pub fn calculation(&self) -> &Calculation {
        &self.calculation
    }

    /// The program that all parties see.
    pub fn program(&self, name: &str, version: &str) -> Program {
        Program {
            kind: KIND.to_owned(),
            name: name.to_owned(),
            version: version.to_owned(),
            bytes: self.calculation.to_bytes(),
        }
    }

    /// The job of computing it.
    pub fn job(&self, proposer: &str, servers: &[String]) -> JobLiteral {
        let elements = |tensor: &Tensor| tensor.elements() as u64;
        let kept = |tensors: &[Tensor]| {
            let kept = tensors.iter().map(|tensor| Kept {
                name: tensor.name.clone(),
                elements: elements(tensor),
            });
            kept.collect()
        };
        let inputs = self.calculation.inputs().iter().map(|tensor| Input {
            name: tensor.name.clone(),
            elements: elements(tensor),
            owner: tensor.party.clone(),
        });
        let outputs = self.calculation.outputs().iter().map(|tensor| Output {
            name: tensor.name.clone(),
            elements: elements(tensor),
            receiver: tensor.party.clone(),
        });
        let opened = self.calculation.opened().iter();
        JobLiteral {
            protocol: self.protocol.name().to_owned(),
            ring_bits: self.ring_bits,
            integer_bits: self.fixed.integer_bits,
            fraction_bits: self.fixed.fraction_bits,
            proposer: proposer.to_owned(),
            servers: servers.to_vec(),
            inputs: inputs.collect(),
            outputs: outputs.collect(),
            reads: kept(self.calculation.loaded()),
            keeps: kept(self.calculation.kept()),
            opens: opened.map(|opened| opened.what.clone()).collect(),
        }
    }

    /// Numbers as an input.
    ///
    /// # Errors
    /// If one is no number or outside the range.
    pub fn words(&self, numbers: &[f64]) -> Result<Words, MpcError> {
        Words::encode(self.ring_bits, self.fixed, numbers)
    }

    /// An output's numbers.
    pub fn numbers(&self, words: &Words) -> Vec<f64> {
        words.decode(self.fixed)
    }

    /// What it costs, all parties together, without sharing inputs and opening outputs.
    ///
    /// # Errors
    /// If the numbers do not fit the ring.
    pub fn cost(&self) -> Result<Cost, MpcError> {
        match self.ring_bits {
            128 => self
                .calculation
                .cost::<u128>(self.fixed, 3, self.protocol.cost::<u128>()),
            _ => self
                .calculation
                .cost::<u64>(self.fixed, 3, self.protocol.cost::<u64>()),
        }
    }

    /// Reads the program of a job.
    fn of_job(job: &Job, program: &[u8]) -> Result<Self, String> {
        let calculation = Calculation::from_bytes(program).map_err(|error| error.to_string())?;
        let own = Self::new(calculation, job.fixed()).on(job.protocol(), job.literal().ring_bits);
        let literal = job.literal();
        let expected = own.job(&literal.proposer, &literal.servers);
        match expected == *literal {
            true => Ok(own),
            false => Err(
                "inputs, outputs, kept shares or opened bits of the job are not those of the program"
                    .to_owned(),
            ),
        }
    }
}

/// Runs calculations.
#[derive(Debug, Clone, Copy, Default)]
pub struct Calculations;

impl Runner for Calculations {
    fn check(&self, job: &Job, program: &[u8]) -> Result<(), String> {
        expect_kind(job, KIND)?;
        Computation::of_job(job, program).map(|_| ())
    }

    fn run(&self, work: Work<'_>) -> Result<Computed, MpcError> {
        let own = Computation::of_job(work.job, work.program);
        let own = own.map_err(|reason| work.refused(reason))?;
        match own.ring_bits {
            128 => calculate::<u128>(&own, work),
            _ => calculate::<u64>(&own, work),
        }
    }

    fn read_input(
        &self,
        job: &Job,
        program: &[u8],
        input: &str,
        file: &Path,
    ) -> Result<Words, String> {
        let own = Computation::of_job(job, program)?;
        let tensor = tensor(own.calculation.inputs(), "input", input)?;
        npy::read_words(file, &tensor.shape, |numbers| own.words(numbers))
    }

    fn write_output(
        &self,
        job: &Job,
        program: &[u8],
        output: &str,
        words: &Words,
        file: &Path,
    ) -> Result<(), String> {
        let own = Computation::of_job(job, program)?;
        let tensor = tensor(own.calculation.outputs(), "output", output)?;
        let written = npy::write(file, &tensor.shape, &own.numbers(words));
        written.map_err(|error| error.to_string())
    }

    /// Weights of a network are a model.
    fn describe(&self, job: &Job, program: &[u8], name: &str) -> Option<(String, Vec<u8>)> {
        let own = Computation::of_job(job, program).ok()?;
        let literal = own.calculation.literal();
        let kept = own
            .calculation
            .kept()
            .iter()
            .find(|kept| kept.name == name)?;
        let statement = |value: Value| literal.statements.get(value.0 as usize);
        let Statement::Weights { network } = statement(kept.value)? else {
            return None;
        };
        let Statement::Network(spec) = statement(*network)? else {
            return None;
        };
        let elements = kept.elements() as u64;
        let description = prediction(spec.clone(), name, elements, 1, "client").ok()?;
        Some((KIND.to_owned(), description.to_bytes()))
    }

    fn check_served(
        &self,
        job: &Job,
        program: &[u8],
        name: &str,
        description: &[u8],
    ) -> Result<(), String> {
        let other = || format!("the program does something else than to predict with {name}");
        let [input] = &job.literal().inputs[..] else {
            return Err(other());
        };
        let [kept] = &job.literal().reads[..] else {
            return Err(other());
        };
        let spec = network_of(description)?;
        let rows = input.elements as usize / spec.input.iter().product::<usize>().max(1);
        let expected = prediction(spec, name, kept.elements, rows, &job.literal().proposer)?;
        match expected.to_bytes() == program {
            true => Ok(()),
            false => Err(other()),
        }
    }
}

fn tensor<'a>(tensors: &'a [Tensor], what: &str, name: &str) -> Result<&'a Tensor, String> {
    let found = tensors.iter().find(|tensor| tensor.name == name);
    found.ok_or_else(|| missing(what, name))
}

fn calculate<W: Word>(own: &Computation, work: Work<'_>) -> Result<Computed, MpcError> {
    let calculation = &own.calculation;
    let tensors = calculation.inputs().iter().chain(calculation.loaded());
    let inputs = tensors
        .zip(work.shares::<W>())
        .map(|(tensor, share)| Secret::new(tensor.shape.clone(), own.fixed, share))
        .collect::<Result<Vec<_>, _>>()?;
    let mut protocol = own.protocol.establish::<W>(work.link, &work.session)?;
    let protocol = &mut *protocol;
    let mut recorder = Recorder::new(protocol.spent());
    let observer = work.observer;
    let mut results = calculation.run(protocol, own.fixed, inputs, &mut |progress| {
        recorder.done(progress.label, progress.spent);
        observer.progress(progress.done as u64, progress.total as u64, progress.label);
    })?;
    let parts = |secrets: &[Secret<W>]| {
        let shares = secrets.iter().map(Secret::share);
        shares.map(parts_of).collect()
    };
    let kept = results.split_off(calculation.outputs().len());
    Ok(Computed {
        outputs: parts(&results),
        kept: parts(&kept),
        report: recorder.end(protocol.spent()),
    })
}

/// The network in the description of a kept model. Bytes may come from anybody.
fn network_of(description: &[u8]) -> Result<NetworkSpec, String> {
    let calculation = Calculation::from_bytes(description).map_err(|error| error.to_string())?;
    let mut statements = calculation.literal().statements.iter();
    statements
        .find_map(|statement| match statement {
            Statement::Network(spec) => Some(spec.clone()),
            _ => None,
        })
        .ok_or_else(|| "the description has no network".to_owned())
}

/// What a network with kept weights gives for rows of `client`.
fn prediction(
    spec: NetworkSpec,
    name: &str,
    elements: u64,
    rows: usize,
    client: &str,
) -> Result<Calculation, String> {
    let mut shape = vec![rows];
    shape.extend(&spec.input);
    let (x, weights, network) = (Value(0), Value(1), Value(2));
    let literal = CalculationLiteral {
        statements: vec![
            Statement::Input {
                name: INPUT.to_owned(),
                shape,
                owner: client.to_owned(),
            },
            Statement::Load {
                name: name.to_owned(),
                shape: vec![elements as usize],
            },
            Statement::Network(spec),
            Statement::SetWeights { network, weights },
            Statement::Predict { network, x },
        ],
        outputs: vec![OutputLiteral {
            name: OUTPUT.to_owned(),
            value: Value(4),
            receiver: client.to_owned(),
        }],
        kept: Vec::new(),
    };
    Calculation::new(literal).map_err(|error| error.to_string())
}
