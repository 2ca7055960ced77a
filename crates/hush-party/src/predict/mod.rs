//! Private prediction: a graph without its weights as the program, weights and samples as inputs.

mod run;

use hush_graph::Graph;
use hush_mpc::execute::{Options, Plan, Weights, graph_from_bytes, graph_to_bytes};
use hush_mpc::{Fixed, MpcError};
use hush_wire::{PredictionV1, message_bytes, read_party_message};

use crate::job::{Input, Job, JobLiteral, Kept, Output, Program};
use crate::protocol::ProtocolName;
use crate::words::Words;

pub use crate::report::{Operation, Report};
pub use run::Predictions;

/// What a program of this kind is called in jobs and policies.
pub const KIND: &str = "predict";
/// The name of the input that holds all weights.
pub const WEIGHTS: &str = "weights";

/// A graph that is ready to be computed by parties that do not know its weights.
#[derive(Debug, Clone)]
pub struct Prediction {
    plan: Plan,
    protocol: ProtocolName,
    ring_bits: u32,
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
            protocol: ProtocolName::default(),
            ring_bits: 64,
        })
    }

    /// By another protocol than ABY3, on a ring of 64 or 128 bits.
    pub fn on(self, protocol: ProtocolName, ring_bits: u32) -> Self {
        Self {
            protocol,
            ring_bits,
            ..self
        }
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

    /// Reads the program of a job; its weights are zeros.
    pub(crate) fn of_job(job: &Job, program: &[u8]) -> Result<Self, String> {
        let prediction = Self::from_program(program, job.fixed())?;
        Ok(prediction.on(job.protocol(), job.literal().ring_bits))
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

    /// What policies and jobs call an input of the graph, by its position: as the graph does.
    pub fn input_name(&self, input: usize) -> String {
        let graph = self.plan.graph();
        match graph.value(graph.inputs()[input]).name.as_str() {
            WEIGHTS => format!("input {WEIGHTS}"),
            name => name.to_owned(),
        }
    }

    /// The job that predicts `batch` samples.
    pub fn job(&self, roles: Roles, batch: usize) -> JobLiteral {
        let weights = self.plan.weight_count() as u64;
        let mut job = self.job_without_weights(&roles, batch);
        if weights > 0 {
            let input = Input {
                name: WEIGHTS.to_owned(),
                elements: weights,
                owner: roles.model_owner,
            };
            job.inputs.insert(0, input);
        }
        job
    }

    /// The job that predicts `batch` samples with weights that the computing parties keep under `name`.
    pub fn job_with_kept(&self, roles: &Roles, batch: usize, name: &str) -> JobLiteral {
        JobLiteral {
            reads: vec![self.kept(name)],
            ..self.job_without_weights(roles, batch)
        }
    }

    /// The job by which the computing parties keep the weights under `name`, for predictions later.
    pub fn job_that_keeps(&self, roles: Roles, name: &str) -> JobLiteral {
        let mut job = self.job(roles, 0);
        job.inputs.truncate(1);
        job.outputs.clear();
        job.keeps = vec![self.kept(name)];
        job
    }

    fn kept(&self, name: &str) -> Kept {
        Kept {
            name: name.to_owned(),
            elements: self.plan.weight_count() as u64,
        }
    }

    fn job_without_weights(&self, roles: &Roles, batch: usize) -> JobLiteral {
        let fixed = self.plan.options().fixed;
        let graph = self.plan.graph();
        let elements = |size: usize| (batch * size) as u64;
        JobLiteral {
            protocol: self.protocol.name().to_owned(),
            ring_bits: self.ring_bits,
            integer_bits: fixed.integer_bits,
            fraction_bits: fixed.fraction_bits,
            proposer: roles.proposer.clone(),
            servers: roles.servers.clone(),
            inputs: (0..graph.inputs().len())
                .map(|input| Input {
                    name: self.input_name(input),
                    elements: elements(graph.value(graph.inputs()[input]).shape.size()),
                    owner: roles.data_owner.clone(),
                })
                .collect(),
            outputs: graph
                .outputs()
                .iter()
                .map(|output| Output {
                    name: output.name.clone(),
                    elements: elements(graph.value(output.value).shape.size()),
                    receiver: roles.receiver.clone(),
                })
                .collect(),
            reads: Vec::new(),
            keeps: Vec::new(),
            opens: Vec::new(),
        }
    }

    /// The weights as the job's input; this side's graph must hold them.
    ///
    /// # Errors
    /// If one is outside the range.
    pub fn weights(&self) -> Result<Words, MpcError> {
        Ok(match self.ring_bits {
            128 => Words::of(&self.plan.weight_words::<u128>()?),
            _ => Words::of(&self.plan.weight_words::<u64>()?),
        })
    }

    /// Samples of an input, by its position, as the job's input.
    ///
    /// # Errors
    /// If one is no number or outside the range.
    pub fn samples(&self, input: usize, values: &[f64]) -> Result<Words, MpcError> {
        Words::encode(self.ring_bits, self.plan.input_type(input), values)
    }

    /// Numbers from an output's words.
    pub fn numbers(&self, words: &Words) -> Vec<f64> {
        words.decode(self.plan.options().fixed)
    }

    /// What a batch costs, without the time to compute; all parties together.
    ///
    /// # Errors
    /// If a node cannot be computed on shares.
    pub fn cost(&self, batch: usize) -> Result<hush_mpc::execute::Report, MpcError> {
        match self.ring_bits {
            128 => {
                let cost = self.protocol.cost::<u128>();
                self.plan.report::<u128>(batch, 3, cost)
            }
            _ => self
                .plan
                .report::<u64>(batch, 3, self.protocol.cost::<u64>()),
        }
    }

    /// What a job's inputs make of it, if it is this prediction's job at all.
    fn task_of(&self, job: &Job) -> Result<Task, String> {
        let literal = job.literal();
        let roles = Roles {
            proposer: literal.proposer.clone(),
            servers: literal.servers.clone(),
            model_owner: String::new(),
            data_owner: String::new(),
            receiver: String::new(),
        };
        let (task, expected) = if let [kept] = &literal.keeps[..] {
            (Task::Keep, self.job_that_keeps(roles, &kept.name))
        } else {
            let batch = self.batch_of(literal)?;
            let expected = match &literal.reads[..] {
                [kept] => self.job_with_kept(&roles, batch, &kept.name),
                _ => self.job(roles, batch),
            };
            (Task::Predict(batch), expected)
        };
        let inputs = |job: &JobLiteral| -> Vec<(String, u64)> {
            let inputs = job.inputs.iter();
            inputs
                .map(|input| (input.name.clone(), input.elements))
                .collect()
        };
        let outputs = |job: &JobLiteral| -> Vec<(String, u64)> {
            let outputs = job.outputs.iter();
            outputs
                .map(|output| (output.name.clone(), output.elements))
                .collect()
        };
        let same = inputs(&expected) == inputs(literal)
            && outputs(&expected) == outputs(literal)
            && expected.reads == literal.reads
            && expected.keeps == literal.keeps
            && literal.opens.is_empty();
        match same {
            true => Ok(task),
            false => Err("inputs or outputs of the job are not those of the program".to_owned()),
        }
    }

    /// How many samples the job's inputs are.
    fn batch_of(&self, literal: &JobLiteral) -> Result<usize, String> {
        let graph = self.plan.graph();
        let samples = literal
            .inputs
            .iter()
            .find(|input| input.name != WEIGHTS)
            .ok_or("the job has no samples")?;
        let size = graph.value(graph.inputs()[0]).shape.size().max(1) as u64;
        let batch = samples.elements / size;
        if batch == 0 || batch > 1 << 20 {
            return Err(format!("a batch of {batch} samples is outside 1..=2^20"));
        }
        Ok(batch as usize)
    }
}

/// What a session is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Task {
    /// So many samples are predicted.
    Predict(usize),
    /// The weights are kept.
    Keep,
}
