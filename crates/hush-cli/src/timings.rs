//! How long each layer took: written by `hush run --timings`, shown by `hush inspect --html --timings`.

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use hush_program::ClientSpec;
use serde_json::{Value, json};

use crate::failure::{Failure, Result};
use crate::files::{about, open};
use crate::terminal::{hexadecimal, milliseconds};

/// Times of the groups of one run.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Timings {
    program_id: String,
    /// Threads that computed.
    pub(crate) threads: usize,
    /// Groups of ciphertexts that were run.
    groups: u64,
    /// Labels in the order of execution, with milliseconds of all groups together.
    layers: Vec<(String, f64)>,
}

impl Timings {
    /// Nothing measured yet.
    pub(crate) fn new(spec: &ClientSpec, threads: usize) -> Self {
        Self {
            program_id: hexadecimal(&spec.program_id),
            threads,
            groups: 0,
            layers: Vec::new(),
        }
    }

    /// Adds the time of one instruction.
    pub(crate) fn add(&mut self, label: &str, time: Duration) {
        let time = milliseconds(time);
        match self.layers.iter_mut().find(|(known, _)| known == label) {
            Some((_, sum)) => *sum += time,
            None => self.layers.push((label.to_owned(), time)),
        }
    }

    /// Counts groups that are done.
    pub(crate) fn add_groups(&mut self, groups: u64) {
        self.groups += groups;
    }

    /// Milliseconds of one group by label.
    pub(crate) fn by_layer(&self) -> BTreeMap<String, f64> {
        let groups = self.groups.max(1) as f64;
        let layers = self.layers.iter();
        layers
            .map(|(label, time)| (label.clone(), time / groups))
            .collect()
    }

    pub(crate) fn to_json(&self) -> Value {
        let layers = self.layers.iter();
        let layers = layers.map(|(label, time)| json!({ "label": label, "milliseconds": time }));
        json!({
            "program_id": self.program_id,
            "threads": self.threads,
            "groups": self.groups,
            "layers": layers.collect::<Vec<_>>(),
        })
    }

    /// Reads a file of times of this model.
    pub(crate) fn read(path: &Path, spec: &ClientSpec) -> Result<Self> {
        let read = open(path).and_then(|file| {
            let value: Value = serde_json::from_reader(file)?;
            let timings = Self::parse(&value).ok_or_else(|| {
                Failure::new("it holds no times")
                    .hint("pass the file that `hush run --timings` wrote")
            })?;
            if timings.program_id != hexadecimal(&spec.program_id) {
                return Err(Failure::new("its times are those of another model")
                    .hint("run this model with --timings")
                    .into());
            }
            Ok(timings)
        });
        about("timings", path, read)
    }

    fn parse(value: &Value) -> Option<Self> {
        let layers = value["layers"].as_array()?.iter();
        let layers = layers.map(|layer| {
            let time = layer["milliseconds"]
                .as_f64()
                .filter(|time| time.is_finite() && *time >= 0.0)?;
            Some((layer["label"].as_str()?.to_owned(), time))
        });
        Some(Self {
            program_id: value["program_id"].as_str()?.to_owned(),
            threads: usize::try_from(value["threads"].as_u64()?).ok()?,
            groups: value["groups"].as_u64().filter(|&groups| groups > 0)?,
            layers: layers.collect::<Option<_>>()?,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_survive_a_file() {
        let mut timings = Timings {
            program_id: "00".to_owned(),
            threads: 2,
            groups: 0,
            layers: Vec::new(),
        };
        for (label, time) in [("conv", 4), ("relu", 1), ("conv", 2)] {
            timings.add(label, Duration::from_millis(time));
        }
        timings.add_groups(2);
        let read = Timings::parse(&timings.to_json()).unwrap();
        assert_eq!(read, timings);
        assert_eq!(
            read.by_layer(),
            BTreeMap::from([("conv".to_owned(), 3.0), ("relu".to_owned(), 0.5)])
        );
        assert_eq!(Timings::parse(&json!({ "layers": [] })), None);
    }
}
