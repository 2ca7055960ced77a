//! Runs a test in each of its variants and says how far it came.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Instant;

use anyhow::Result;
use hush_compiler::CompileError;
use hush_graph::{BinaryOperator, Graph, Operator, Tensor, evaluate};
use hush_onnx::ImportError;
use rayon::iter::{IntoParallelRefIterator, ParallelIterator};

use crate::NodeTest;
use crate::case::{Batch, Case, Variant, build, variants};
use crate::compare::compare_floats;
use crate::outcome::{Outcome, Stage};
use crate::protected::{compile_case, run_encrypted, simulate};

/// Samples with more elements, on either side, are not compiled: the table is about operators, not sizes.
pub const LARGEST_SAMPLE: usize = 4096;
/// The same for maxima and minima, which take long to compile.
pub const LARGEST_COMPARED: usize = 256;
/// One in so many simulated cases is run on ciphertexts too.
pub const ENCRYPTED_SHARE: u64 = 8;
/// Cases that need more keys are not run on ciphertexts.
pub const LARGEST_KEYS: u64 = 64 << 20;

/// How far to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Until {
    /// Import and run on floats.
    Float,
    /// Compile and run with modelled noise.
    Simulated,
    /// Run a fixed share on ciphertexts.
    Encrypted,
}

/// Runs every test in all its variants, in parallel, as far as `until` says; the outcomes come in the order of the
/// tests.
pub fn run(tests: &[NodeTest], until: impl Fn(&NodeTest, Variant) -> Until + Sync) -> Vec<Outcome> {
    let constants: Vec<&str> = hush_onnx::constant_operators().collect();
    let outcomes: Vec<Vec<Outcome>> = tests
        .par_iter()
        .map(|test| {
            let run = |variant| {
                let begun = Instant::now();
                let outcome = run_variant(test, variant, until(test, variant));
                Outcome {
                    seconds: begun.elapsed().as_secs_f64(),
                    ..outcome
                }
            };
            variants(test, &constants).into_iter().map(run).collect()
        })
        .collect();
    outcomes.concat()
}

/// Tries the first axis as the batch, then a new one in front.
fn run_variant(test: &NodeTest, variant: Variant, until: Until) -> Outcome {
    let mut outcome = Outcome {
        release: test.release.clone(),
        name: test.name.clone(),
        operators: test
            .operators()
            .iter()
            .map(|name| (*name).to_owned())
            .collect(),
        variant,
        batch: None,
        stage: Stage::Refused,
        reason: "no axis can be the batch".to_owned(),
        levels: None,
        seconds: 0.0,
    };
    for batch in [Batch::First, Batch::Wrapped] {
        let attempt = || attempt(test, variant, batch, until);
        let attempt = catch_unwind(AssertUnwindSafe(attempt));
        let end = match attempt {
            Ok(Ok(Some(end))) => end,
            Ok(Ok(None)) => continue,
            Ok(Err(error)) => End::at(Stage::Wrong, format!("{error:#}")),
            Err(_) => End::at(Stage::Wrong, "it panicked"),
        };
        outcome.batch = Some(batch);
        (outcome.stage, outcome.reason, outcome.levels) = (end.stage, end.reason, end.levels);
        if outcome.stage != Stage::Refused {
            break;
        }
    }
    outcome
}

/// Where a case ended.
struct End {
    stage: Stage,
    reason: String,
    levels: Option<usize>,
}

impl End {
    fn at(stage: Stage, reason: impl Into<String>) -> End {
        End {
            stage,
            reason: reason.into(),
            levels: None,
        }
    }
}

/// How far one case comes, and what stopped it; `None` if the batch cannot be there.
fn attempt(test: &NodeTest, variant: Variant, batch: Batch, until: Until) -> Result<Option<End>> {
    let Some(case) = build(test, variant, batch)? else {
        return Ok(None);
    };
    let graph = match hush_onnx::import_bytes(&case.model) {
        Ok(graph) => graph,
        Err(error) => return Ok(Some(End::at(Stage::Refused, import_reason(&error)))),
    };
    compare_floats(&evaluate(&graph, &case.inputs)?, &case.expected)?;
    let computed = variant == Variant::Constant;
    let finite = case.inputs.iter().all(Tensor::is_finite);
    if computed || until == Until::Float || !finite || !is_small(&case, &graph) {
        let reason = match (computed, finite, is_small(&case, &graph)) {
            (true, _, _) => "computed by the importer",
            (_, false, _) => "infinite inputs",
            (_, _, false) => "large",
            _ => "",
        };
        return Ok(Some(End::at(Stage::Float, reason)));
    }
    let compiled = match compile_case(&case, &graph) {
        Ok(compiled) => compiled,
        Err(error @ CompileError::Emitted(_)) => return Err(error.into()),
        Err(error) => {
            let reason = compile_reason(&error);
            return Ok(Some(End::at(Stage::NotCompiled, reason)));
        }
    };
    simulate(&case, &compiled)?;
    let chosen = share(test, variant, ENCRYPTED_SHARE) && compiled.report.key_bytes <= LARGEST_KEYS;
    if chosen && until == Until::Encrypted {
        run_encrypted(&case, &compiled)?;
    }
    Ok(Some(End {
        stage: match chosen {
            true => Stage::Encrypted,
            false => Stage::Simulated,
        },
        reason: String::new(),
        levels: Some(compiled.report.levels),
    }))
}

fn is_small(case: &Case, graph: &Graph) -> bool {
    let compares = graph.nodes().iter().any(|node| {
        let binary = |wanted| node.operator == Operator::Binary(wanted);
        binary(BinaryOperator::Maximum) || binary(BinaryOperator::Minimum)
    });
    let largest = match compares {
        true => LARGEST_COMPARED,
        false => LARGEST_SAMPLE,
    };
    let mut tensors = case.inputs.iter().chain(&case.expected);
    tensors.all(|tensor| tensor.data().len() / tensor.shape()[0].max(1) <= largest)
}

/// What stands in the way, without the names of the model.
fn import_reason(error: &ImportError) -> String {
    match error {
        ImportError::Nodes(problems) => problems.first().map_or_else(String::new, |problem| {
            format!("{}: {}", problem.operator, problem.reason)
        }),
        ImportError::Tensor { reason, .. } => format!("tensor: {reason}"),
        ImportError::BatchDimension { reason, .. } => format!("batch: {reason}"),
        other => other.to_string(),
    }
}

fn compile_reason(error: &CompileError) -> String {
    match error {
        CompileError::Unsupported(parts) => {
            let first = parts.first().map_or("", |part| part.operator.as_str());
            format!("unsupported: {first}")
        }
        CompileError::Domain { function, .. } => {
            format!("{function} has no value in the range of its arguments")
        }
        CompileError::Jump { function, .. } => {
            format!("{function} jumps in the range of its arguments")
        }
        CompileError::Approximation { .. } => "no polynomials are close enough".to_owned(),
        CompileError::TooDeep(_) => "too many levels".to_owned(),
        CompileError::Precision { .. } => "no secure parameters are precise enough".to_owned(),
        CompileError::NotFinite { .. } => "the float model gives no finite number".to_owned(),
        other => other.to_string(),
    }
}

/// Whether a case belongs to the one in `count` that is chosen by names alone.
pub fn share(test: &NodeTest, variant: Variant, count: u64) -> bool {
    let name = format!("{} {variant}", test.name);
    // FNV-1a.
    let hash = name.bytes().fold(0xcbf2_9ce4_8422_2325, |hash: u64, byte| {
        (hash ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3)
    });
    hash.is_multiple_of(count)
}
