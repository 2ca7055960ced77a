//! What a prediction cost, as a table, as JSON, and in the forms of two viewers.

use std::time::Duration;

use hush_mpc::Cost;
use hush_party::Outcome as Session;
use hush_party::calculate::Computation;
use hush_party::predict::{Prediction, Report};
use serde_json::json;

use super::{PredictArguments, named, tensorboard};
use crate::arrays::Named;
use crate::failure::{Failure, Result};
use crate::output::{Access, Existing, Output};
use crate::terminal::{Outcome, bytes, counted, duration};

/// A session that has ended well.
pub(super) struct Finished {
    pub(super) tensors: Vec<Named>,
    batch: usize,
    session: Session,
    report: Report,
    /// What all computing parties spend on each operation, where that is declared.
    operations: Vec<Cost>,
    total: Cost,
}

fn report(session: &Session) -> Result<Report> {
    let report = Report::parse(&session.report);
    Ok(report.ok_or_else(|| Failure::new("the first computing party sent no report"))?)
}

impl Finished {
    pub(super) fn of_prediction(
        prediction: &Prediction,
        batch: usize,
        session: Session,
    ) -> Result<Self> {
        let declared = prediction.cost(batch)?;
        let graph = prediction.plan().graph();
        let mut tensors = Vec::new();
        for output in graph.outputs() {
            // Another party may have been shown it.
            if let Some(words) = session.outputs.get(&output.name) {
                let shape = graph.value(output.value).shape.with_batch(batch);
                tensors.push(named(&output.name, shape, prediction.numbers(words))?);
            }
        }
        Ok(Self {
            tensors,
            batch,
            report: report(&session)?,
            session,
            total: declared.total(),
            operations: declared.nodes.iter().map(|node| node.cost).collect(),
        })
    }

    pub(super) fn of_computation(
        computation: &Computation,
        rows: usize,
        session: Session,
    ) -> Result<Self> {
        let mut tensors = Vec::new();
        for output in computation.calculation().outputs() {
            if let Some(words) = session.outputs.get(&output.name) {
                let numbers = computation.numbers(words);
                tensors.push(named(&output.name, output.shape.clone(), numbers)?);
            }
        }
        let report = report(&session)?;
        let operations = report.operations.iter();
        Ok(Self {
            tensors,
            batch: rows,
            operations: operations
                .map(|operation| Cost::new(operation.rounds, operation.bytes))
                .collect(),
            report,
            session,
            total: computation.cost()?,
        })
    }
}

pub(super) fn summary(arguments: &PredictArguments, finished: &Finished) -> Result<Outcome> {
    let Finished {
        batch,
        session,
        report,
        total,
        ..
    } = finished;
    if let Some(file) = &arguments.trace {
        let mut output = Output::create(file, Access::Shared, Existing::Replace)?;
        std::io::Write::write_all(
            &mut output,
            report.trace("first computing party").to_string().as_bytes(),
        )?;
        output.commit()?;
    }
    if let Some(folder) = &arguments.trace_tensorboard {
        tensorboard::write(folder, report)?;
    }
    let labels = report.operations.iter();
    let width = labels
        .map(|operation| operation.label.chars().count().min(40))
        .max()
        .unwrap_or(0)
        .max(9);
    let mut text = format!(
        "{:width$}  {:>10}  {:>6}  {:>10}",
        "operation", "time", "rounds", "bytes"
    );
    let mut rows = Vec::new();
    let mut began = 0.0;
    for (operation, declared) in report.operations.iter().zip(&finished.operations) {
        let milliseconds = (operation.ended - began) * 1e3;
        began = operation.ended;
        let label: String = operation.label.chars().take(40).collect();
        text.push_str(&format!(
            "\n{label:width$}  {:>10}  {:>6}  {:>10}",
            duration(milliseconds),
            declared.rounds,
            bytes(declared.bytes),
        ));
        rows.push(json!({
            "label": operation.label,
            "milliseconds": milliseconds,
            "rounds": declared.rounds,
            "bytes": declared.bytes,
        }));
    }
    let milliseconds = |time: Duration| time.as_secs_f64() * 1e3;
    text.push_str(&format!(
        "\n\n{} in {}: computed in {}, {} rounds, {} among all computing parties; set up in {}",
        counted(*batch, "sample"),
        duration(milliseconds(session.elapsed)),
        duration(report.seconds * 1e3),
        total.rounds,
        bytes(total.bytes),
        duration(milliseconds(session.set_up)),
    ));
    let predicted = (arguments.latency.is_some() || arguments.bandwidth.is_some()).then(|| {
        let latency = arguments.latency.unwrap_or(0.0);
        let rate = arguments.bandwidth.unwrap_or(f64::INFINITY);
        total.seconds(latency, rate, 3)
    });
    if let Some(seconds) = predicted {
        text.push_str(&format!(
            "\non the line given, without the time to compute: {}",
            duration(seconds * 1e3)
        ));
    }
    match (&arguments.output, &arguments.receiver) {
        (Some(file), _) => text.push_str(&format!("\nwrote {}", file.display())),
        (None, Some(party)) => text.push_str(&format!("\nthe outputs are at {party}")),
        (None, None) => {}
    }
    let json = json!({
        "samples": batch,
        "milliseconds": milliseconds(session.elapsed),
        "set_up_milliseconds": milliseconds(session.set_up),
        "compute_milliseconds": report.seconds * 1e3,
        "rounds": total.rounds,
        "bytes": total.bytes,
        "predicted_milliseconds": predicted.map(|seconds| seconds * 1e3),
        "operations": rows,
        "output": arguments.output,
        "receiver": arguments.receiver,
    });
    Ok(Outcome { text, json })
}
