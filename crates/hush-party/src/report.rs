//! What a computing party tells of a computation.

use std::time::Instant;

use hush_mpc::Cost;
use serde_json::{Value, json};

/// Times and costs at one computing party.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Report {
    /// In their order.
    pub operations: Vec<Operation>,
    /// From the first operation to the last.
    pub seconds: f64,
    /// Rounds of all operations.
    pub rounds: u64,
    /// Bytes that this party sent.
    pub bytes: u64,
}

/// Writes a [`Report`] while a program runs.
pub(crate) struct Recorder {
    start: Instant,
    first: Cost,
    last: Cost,
    report: Report,
}

impl Recorder {
    /// Starts the clock; `spent` is what the protocol has spent before.
    pub(crate) fn new(spent: Cost) -> Self {
        Self {
            start: Instant::now(),
            first: spent,
            last: spent,
            report: Report::default(),
        }
    }

    /// Notes that an operation is done; gives how many are.
    pub(crate) fn done(&mut self, label: &str, spent: Cost) -> u64 {
        let cost = spent.since(self.last);
        self.last = spent;
        self.report.operations.push(Operation {
            label: label.to_owned(),
            ended: self.start.elapsed().as_secs_f64(),
            rounds: cost.rounds,
            bytes: cost.bytes,
        });
        self.report.operations.len() as u64
    }

    /// As text, for the proposer.
    pub(crate) fn end(mut self, spent: Cost) -> String {
        let cost = spent.since(self.first);
        self.report.seconds = self.start.elapsed().as_secs_f64();
        (self.report.rounds, self.report.bytes) = (cost.rounds, cost.bytes);
        self.report.to_text()
    }
}

/// One operation of a program.
#[derive(Debug, Clone, PartialEq)]
pub struct Operation {
    /// Names of the nodes of the model, or what the operation is.
    pub label: String,
    /// Seconds from the start until it was done; it began when the one before was.
    pub ended: f64,
    /// Rounds that it took.
    pub rounds: u64,
    /// Bytes that this party sent for it.
    pub bytes: u64,
}

impl Report {
    pub(crate) fn to_text(&self) -> String {
        json!({
            "seconds": self.seconds,
            "rounds": self.rounds,
            "bytes": self.bytes,
            "operations": self.operations.iter().map(|operation| json!({
                "label": operation.label,
                "ended": operation.ended,
                "rounds": operation.rounds,
                "bytes": operation.bytes,
            })).collect::<Vec<_>>(),
        })
        .to_string()
    }

    /// Reads what a computing party sent.
    pub fn parse(text: &str) -> Option<Self> {
        let value: Value = serde_json::from_str(text).ok()?;
        let operations = value["operations"].as_array()?.iter().map(|operation| {
            Some(Operation {
                label: operation["label"].as_str()?.to_owned(),
                ended: operation["ended"].as_f64()?,
                rounds: operation["rounds"].as_u64()?,
                bytes: operation["bytes"].as_u64()?,
            })
        });
        Some(Self {
            operations: operations.collect::<Option<_>>()?,
            seconds: value["seconds"].as_f64()?,
            rounds: value["rounds"].as_u64()?,
            bytes: value["bytes"].as_u64()?,
        })
    }

    /// The operations as events of Chrome's trace format, which Perfetto reads too; `party` names the row.
    pub fn trace(&self, party: &str) -> Value {
        let mut began = 0.0;
        let mut events = vec![json!({
            "name": "thread_name", "ph": "M", "pid": 1, "tid": 1, "args": { "name": party },
        })];
        for operation in &self.operations {
            events.push(json!({
                "name": operation.label,
                "ph": "X",
                "pid": 1,
                "tid": 1,
                "ts": began * 1e6,
                "dur": (operation.ended - began) * 1e6,
                "args": { "rounds": operation.rounds, "bytes": operation.bytes },
            }));
            began = operation.ended;
        }
        json!({ "traceEvents": events, "displayTimeUnit": "ms" })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_come_back_and_become_traces() {
        let operation = |label: &str, ended| Operation {
            label: label.to_owned(),
            ended,
            rounds: 2,
            bytes: 100,
        };
        let report = Report {
            operations: vec![operation("conv", 0.25), operation("relu", 1.0)],
            seconds: 1.0,
            rounds: 4,
            bytes: 200,
        };
        assert_eq!(Report::parse(&report.to_text()), Some(report.clone()));
        assert_eq!(Report::parse("nonsense"), None);
        let trace = report.trace("server0");
        assert_eq!(trace["traceEvents"][2]["ts"], 250_000.0);
        assert_eq!(trace["traceEvents"][2]["dur"], 750_000.0);
        assert_eq!(trace["traceEvents"][2]["args"]["rounds"], 2);
    }
}
