//! Private prediction: a graph without its weights as the program, weights and samples as inputs.

mod report;

use std::path::Path;
use std::time::Instant;

use hush_graph::Graph;
use hush_mpc::execute::{Model, Options, Plan, Weights, graph_from_bytes, graph_to_bytes};
use hush_mpc::protocol::rep3::{Rep3, cost};
use hush_mpc::{Fixed, MpcError, Protocol, Secret, Share};
use hush_wire::{PredictionV1, message_bytes, read_party_message};
use rand_core::{OsRng, TryRngCore};

use crate::job::{Input, Job, JobLiteral, Output, Program};
use crate::runner::{Computed, Runner, Work};

pub use report::{Operation, Report};

/// What a program of this kind is called in jobs and policies.
pub const KIND: &str = "predict";
/// The name of the input that holds all weights.
pub const WEIGHTS: &str = "weights";

/// A graph that is ready to be computed by parties that do not know its weights.
#[derive(Debug, Clone)]
pub struct Prediction {
    plan: Plan,
}

/// Who takes part in a prediction.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Roles {
    /// Proposes it.
    pub proposer: String,
    /// Compute, in order.
    pub servers: Vec<String>,
    /// Gives the weights.
    pub model_owner: String,
    /// Gives the samples.
    pub data_owner: String,
    /// Is shown the outputs.
    pub receiver: String,
}

impl Prediction {
    /// A prediction with `graph`, which may hold its weights or zeros.
    ///
    /// # Errors
    /// If a node cannot be computed on shares.
    pub fn new(graph: Graph, options: Options) -> Result<Self, MpcError> {
        Ok(Self {
            plan: Plan::new(graph, options)?,
        })
    }

    /// How it is computed.
    pub fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The program that all parties see: everything but the weights.
    ///
    /// # Errors
    /// If the graph cannot be written down.
    pub fn program(&self, name: &str, version: &str) -> Result<Program, MpcError> {
        let options = self.plan.options();
        let stored = PredictionV1 {
            graph: graph_to_bytes(self.plan.graph())?,
            integer_bits: options
                .integer_bits
                .iter()
                .map(|(&value, &bits)| (value as u32, bits))
                .collect(),
            function_error: options.function_error,
        };
        let bytes = message_bytes(&stored).map_err(|error| MpcError::Node {
            node: name.to_owned(),
            reason: error.to_string(),
        })?;
        Ok(Program {
            kind: KIND.to_owned(),
            name: name.to_owned(),
            version: version.to_owned(),
            bytes,
        })
    }

    /// Reads a program; its weights are zeros. Bytes may come from anybody.
    ///
    /// # Errors
    /// Says in words what is wrong.
    pub fn from_program(bytes: &[u8], fixed: Fixed) -> Result<Self, String> {
        let stored: PredictionV1 =
            read_party_message("the program", bytes).map_err(|error| error.to_string())?;
        let graph = graph_from_bytes(&stored.graph).map_err(|error| error.to_string())?;
        let values = graph.values().len();
        let function_error = stored.function_error;
        if !(1e-12..1.0).contains(&function_error) {
            return Err(format!(
                "an error of {function_error} of functions is outside 1e-12..1"
            ));
        }
        let options = Options {
            fixed,
            integer_bits: stored
                .integer_bits
                .into_iter()
                .map(|(value, bits)| (value as usize, bits))
                .filter(|&(value, bits)| value < values && bits <= fixed.integer_bits)
                .collect(),
            function_error,
            weights: Weights::Party(0),
        };
        Self::new(graph, options).map_err(|error| error.to_string())
    }

    /// The job that predicts `batch` samples.
    pub fn job(&self, roles: Roles, batch: usize) -> JobLiteral {
        let fixed = self.plan.options().fixed;
        let graph = self.plan.graph();
        let elements = |size: usize| (batch * size) as u64;
        let weights = self.plan.weight_count() as u64;
        let mut inputs = Vec::new();
        if weights > 0 {
            inputs.push(Input {
                name: WEIGHTS.to_owned(),
                elements: weights,
                owner: roles.model_owner,
            });
        }
        inputs.extend(graph.inputs().iter().map(|&input| Input {
            name: format!("input {}", graph.value(input).name),
            elements: elements(graph.value(input).shape.size()),
            owner: roles.data_owner.clone(),
        }));
        JobLiteral {
            protocol: "aby3".to_owned(),
            ring_bits: 64,
            integer_bits: fixed.integer_bits,
            fraction_bits: fixed.fraction_bits,
            proposer: roles.proposer,
            servers: roles.servers,
            inputs,
            outputs: graph
                .outputs()
                .iter()
                .map(|output| Output {
                    name: output.name.clone(),
                    elements: elements(graph.value(output.value).shape.size()),
                    receiver: roles.receiver.clone(),
                })
                .collect(),
        }
    }

    /// The weights as the job's input; this side's graph must hold them.
    ///
    /// # Errors
    /// If one is outside the range.
    pub fn weights(&self) -> Result<Vec<u64>, MpcError> {
        self.plan.weight_words::<u64>()
    }

    /// Samples of an input, by its position, as the job's input.
    ///
    /// # Errors
    /// If one is no number or outside the range.
    pub fn samples(&self, input: usize, values: &[f64]) -> Result<Vec<u64>, MpcError> {
        self.plan.input_type(input).encode_all::<u64>(values)
    }

    /// Numbers from an output's words.
    pub fn numbers(&self, words: &[u64]) -> Vec<f64> {
        self.plan.options().fixed.decode_all(words)
    }

    /// What a batch costs, without the time to compute; all parties together.
    ///
    /// # Errors
    /// If a node cannot be computed on shares.
    pub fn cost(&self, batch: usize) -> Result<hush_mpc::execute::Report, MpcError> {
        self.plan.report::<u64>(batch, 3, cost::<u64>)
    }

    /// The batch that a job's inputs make, if it is this prediction's job at all.
    fn batch_of(&self, job: &Job) -> Result<usize, String> {
        let graph = self.plan.graph();
        let literal = job.literal();
        let first = graph.inputs()[0];
        let samples = literal
            .inputs
            .iter()
            .find(|input| input.name != WEIGHTS)
            .ok_or("the job has no samples")?;
        let size = graph.value(first).shape.size().max(1) as u64;
        let batch = samples.elements / size;
        if batch == 0 || batch > 1 << 20 {
            return Err(format!("a batch of {batch} samples is outside 1..=2^20"));
        }
        let roles = Roles {
            proposer: literal.proposer.clone(),
            servers: literal.servers.clone(),
            model_owner: String::new(),
            data_owner: String::new(),
            receiver: String::new(),
        };
        let expected = self.job(roles, batch as usize);
        let same = expected.inputs.len() == literal.inputs.len()
            && expected.outputs.len() == literal.outputs.len()
            && expected.protocol == literal.protocol
            && expected.ring_bits == literal.ring_bits
            && expected
                .inputs
                .iter()
                .zip(&literal.inputs)
                .all(|(one, other)| one.name == other.name && one.elements == other.elements)
            && expected
                .outputs
                .iter()
                .zip(&literal.outputs)
                .all(|(one, other)| one.name == other.name && one.elements == other.elements);
        if !same {
            return Err(
                "inputs, outputs, protocol or ring of the job are not those of the program"
                    .to_owned(),
            );
        }
        Ok(batch as usize)
    }
}

/// Runs predictions. `read_model` gives the graph behind a file, as the model's owner prepared it.
pub struct Predictions<F> {
    read_model: F,
}

impl<F> Predictions<F> {
    /// A runner that reads weights with `read_model`.
    pub fn new(read_model: F) -> Self {
        Self { read_model }
    }
}

fn fixed_of(job: &Job) -> Fixed {
    let literal = job.literal();
    Fixed::new(literal.integer_bits, literal.fraction_bits)
}

impl<F> Runner for Predictions<F>
where
    F: Fn(&Path) -> Result<Graph, String> + Send + Sync,
{
    fn check(&self, job: &Job, program: &[u8]) -> Result<(), String> {
        if job.kind() != KIND {
            return Err(format!(
                "this party runs no programs of kind {}",
                job.kind()
            ));
        }
        Prediction::from_program(program, fixed_of(job))?
            .batch_of(job)
            .map(|_| ())
    }

    fn run(&self, work: Work<'_>) -> Result<Computed, MpcError> {
        let refused = |reason: String| MpcError::Node {
            node: work.job.name().to_owned(),
            reason,
        };
        let prediction =
            Prediction::from_program(work.program, fixed_of(work.job)).map_err(refused)?;
        let batch = prediction.batch_of(work.job).map_err(refused)?;
        let plan = &prediction.plan;
        let mut rng = OsRng.unwrap_err();
        let mut protocol = Rep3::establish(work.link, &work.session, &mut rng)?;
        let mut shares = work
            .inputs
            .into_iter()
            .map(|parts| Share::<u64>::new(parts[0].len(), parts));
        let weights = match plan.weight_count() {
            0 => Share::zeros(0, 2),
            _ => shares.next().expect("the job's inputs are the program's"),
        };
        let model: Model<u64> = plan.load_shared(weights)?;
        let inputs: Vec<Secret<u64>> = plan
            .graph()
            .inputs()
            .iter()
            .zip(shares)
            .enumerate()
            .map(|(position, (&input, share))| {
                let shape = plan.graph().value(input).shape.with_batch(batch);
                Secret::new(shape, plan.input_type(position), share)
            })
            .collect::<Result<_, _>>()?;
        let total = plan.graph().nodes().len() as u64;
        let start = Instant::now();
        let mut report = Report::default();
        let before = Protocol::<u64>::spent(&protocol);
        let mut last = before;
        let outputs = model.predict_observed(&mut protocol, &inputs, |label, spent| {
            report.operations.push(Operation {
                label: label.to_owned(),
                ended: start.elapsed().as_secs_f64(),
                rounds: spent.since(last).rounds,
                bytes: spent.since(last).bytes,
            });
            last = spent;
            let done = report.operations.len() as u64;
            work.observer.progress(done, total, label);
        })?;
        report.seconds = start.elapsed().as_secs_f64();
        let spent = Protocol::<u64>::spent(&protocol).since(before);
        (report.rounds, report.bytes) = (spent.rounds, spent.bytes);
        let outputs = outputs
            .into_iter()
            .map(|output| output.share().clone().into_parts())
            .collect();
        Ok(Computed {
            outputs,
            report: report.to_text(),
        })
    }

    fn read_input(
        &self,
        job: &Job,
        program: &[u8],
        input: &str,
        file: &Path,
    ) -> Result<Vec<u64>, String> {
        if input != WEIGHTS {
            return Err(format!("samples ({input}) come from whoever proposes"));
        }
        let own = Prediction::from_program(program, fixed_of(job))?;
        let graph = (self.read_model)(file)?;
        let prediction = Prediction::new(graph, own.plan.options().clone())
            .map_err(|error| error.to_string())?;
        // The same structure, or weights would go where others belong.
        let theirs = graph_to_bytes(own.plan.graph()).map_err(|error| error.to_string())?;
        let ours = graph_to_bytes(prediction.plan.graph()).map_err(|error| error.to_string())?;
        if ours != theirs {
            return Err(format!(
                "the program is not made of its model {}",
                file.display()
            ));
        }
        prediction.weights().map_err(|error| error.to_string())
    }

    fn keep_output(&self, job: &Job, output: &str, _: &[u64]) -> Result<(), String> {
        Err(format!(
            "output {output} of {} can be revealed to the party that proposes only",
            job.name()
        ))
    }
}
