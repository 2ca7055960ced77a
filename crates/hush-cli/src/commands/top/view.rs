//! What is shown of a server.

use std::fmt::Write;
use std::time::Duration;

use serde_json::{Value, json};

use super::page::{Page, quantile};
use crate::style::Painter;
use crate::terminal::{bytes, duration};

/// What a request goes through, in its order.
const STAGES: [&str; 6] = ["queue", "keys", "decode", "compute", "encode", "total"];

/// What is shown of a server.
pub(crate) struct View {
    address: String,
    ready: bool,
    /// Whether rates are over an interval; totals since the start otherwise.
    live: bool,
    models: Vec<Model>,
    keys: Keys,
    /// By protocol.
    connections: Vec<(String, f64)>,
    reserved: f64,
}

struct Model {
    name: String,
    /// A second, or since the start.
    answered: f64,
    failed: f64,
    samples: f64,
    bytes_in: f64,
    bytes_out: f64,
    waiting: f64,
    running: f64,
    /// Of each stage: median and 99th percentile in milliseconds.
    stages: Vec<Option<(f64, f64)>>,
}

struct Keys {
    stored: f64,
    stored_bytes: f64,
    cached: f64,
    cached_bytes: f64,
    /// Share of the requests whose key was in memory.
    hits: Option<f64>,
}

impl View {
    /// Of one page, or of the time between two.
    pub(crate) fn new(address: &str, before: Option<(&Page, Duration)>, now: &Page) -> Self {
        let grown = |family: &str, labels: &[(&str, &str)]| {
            let earlier = before.map_or(0.0, |(page, _)| page.sum(family, labels));
            // Less than before: the server was started anew.
            match now.sum(family, labels) - earlier {
                grown if grown < 0.0 => now.sum(family, labels),
                grown => grown,
            }
        };
        let seconds = before.map_or(1.0, |(_, passed)| passed.as_secs_f64().max(1e-3));
        let model = |name: String| {
            let of = [("model", name.as_str())];
            let rate = |family| grown(family, &of) / seconds;
            let outcome =
                |outcome| grown("hush_requests_total", &[of[0], ("outcome", outcome)]) / seconds;
            let all = rate("hush_requests_total");
            let stages = STAGES.map(|stage| {
                let labels = [of[0], ("stage", stage)];
                let mut buckets = now.buckets("hush_stage_seconds", &labels);
                if let Some((page, _)) = before {
                    let earlier = page.buckets("hush_stage_seconds", &labels);
                    for (bucket, earlier) in buckets.iter_mut().zip(&earlier) {
                        bucket.1 = (bucket.1 - earlier.1).max(0.0);
                    }
                }
                let median = quantile(&buckets, 0.5)?;
                Some((median * 1e3, quantile(&buckets, 0.99)? * 1e3))
            });
            Model {
                answered: outcome("answered"),
                failed: all - outcome("answered"),
                samples: rate("hush_samples_total"),
                bytes_in: rate("hush_ciphertext_bytes_in_total"),
                bytes_out: rate("hush_ciphertext_bytes_out_total"),
                waiting: now.sum("hush_waiting_requests", &of),
                running: now.sum("hush_running_requests", &of),
                stages: stages.into(),
                name,
            }
        };
        let models = now.values("hush_requests_total", "model");
        let (hits, misses) = (
            grown("hush_key_hits_total", &[]),
            grown("hush_key_misses_total", &[]),
        );
        let protocols = now.values("hush_connections", "protocol").into_iter();
        Self {
            address: address.to_owned(),
            ready: now.sum("hush_ready", &[]) > 0.0,
            live: before.is_some(),
            models: models.into_iter().map(model).collect(),
            keys: Keys {
                stored: now.sum("hush_keys_stored", &[]),
                stored_bytes: now.sum("hush_keys_stored_bytes", &[]),
                cached: now.sum("hush_keys_cached", &[]),
                cached_bytes: now.sum("hush_keys_cached_bytes", &[]),
                hits: (hits + misses > 0.0).then(|| hits / (hits + misses)),
            },
            connections: protocols
                .map(|protocol| {
                    let open = now.sum("hush_connections", &[("protocol", &protocol)]);
                    (protocol, open)
                })
                .collect(),
            reserved: now.sum("hush_reserved_bytes", &[]),
        }
    }

    /// For people.
    pub(crate) fn text(&self, paint: Painter) -> String {
        let ready = match self.ready {
            true => paint.good("ready"),
            false => paint.bad("not ready"),
        };
        let connections: Vec<_> = self
            .connections
            .iter()
            .map(|(protocol, open)| format!("{open} {protocol}"))
            .collect();
        let keys = &self.keys;
        let hits = match keys.hits {
            Some(share) => format!(", {:.0} % of requests found theirs there", share * 100.0),
            None => String::new(),
        };
        let mut text = format!(
            "{}  {ready}\nconnections  {}\nkeys         {} stored ({}), {} decoded in memory ({}){hits}\n\
             requests     hold {} of memory\n",
            paint.bold(&self.address),
            connections.join(", "),
            keys.stored,
            bytes(keys.stored_bytes as u64),
            keys.cached,
            bytes(keys.cached_bytes as u64),
            bytes(self.reserved as u64),
        );
        if self.models.is_empty() {
            let _ = write!(text, "\nno request for a prediction yet");
            return text;
        }
        let width = self.models.iter().map(|model| model.name.chars().count());
        let width = width.max().unwrap_or(0).max(5);
        let per = if self.live { "/s" } else { "" };
        let head = format!(
            "{:width$} {:>10} {:>10} {:>10} {:>8} {:>8} {:>10} {:>10}",
            "model",
            format!("answered{per}"),
            format!("failed{per}"),
            format!("samples{per}"),
            "waiting",
            "running",
            format!("in{per}"),
            format!("out{per}"),
        );
        let _ = write!(text, "\n{}", paint.dim(head));
        for model in &self.models {
            let _ = write!(
                text,
                "\n{:width$} {:>10} {:>10} {:>10} {:>8} {:>8} {:>10} {:>10}",
                model.name,
                amount(model.answered),
                amount(model.failed),
                amount(model.samples),
                model.waiting,
                model.running,
                bytes(model.bytes_in as u64),
                bytes(model.bytes_out as u64),
            );
        }
        let head: String = STAGES.iter().map(|stage| format!(" {stage:>17}")).collect();
        let head = format!("{:width$}{head}", "p50 / p99");
        let _ = write!(text, "\n\n{}", paint.dim(head));
        for model in &self.models {
            let _ = write!(text, "\n{:width$}", model.name);
            for stage in &model.stages {
                let shown = match stage {
                    Some((median, late)) => format!("{} / {}", duration(*median), duration(*late)),
                    None => "–".to_owned(),
                };
                let _ = write!(text, " {shown:>17}");
            }
        }
        text
    }

    /// For machines: numbers since the server's start.
    pub(crate) fn json(&self) -> Value {
        let models: Vec<_> = self
            .models
            .iter()
            .map(|model| {
                let stages = STAGES.iter().zip(&model.stages);
                let stages = stages.filter_map(|(&stage, times)| {
                    let (p50, p99) = (*times)?;
                    Some((stage.to_owned(), json!({ "p50_ms": p50, "p99_ms": p99 })))
                });
                json!({
                    "name": model.name,
                    "answered": model.answered,
                    "failed": model.failed,
                    "samples": model.samples,
                    "bytes_in": model.bytes_in,
                    "bytes_out": model.bytes_out,
                    "waiting": model.waiting,
                    "running": model.running,
                    "stages": stages.collect::<serde_json::Map<_, _>>(),
                })
            })
            .collect();
        let connections = self.connections.iter();
        let connections = connections.map(|(protocol, open)| (protocol.clone(), (*open).into()));
        json!({
            "server": self.address,
            "ready": self.ready,
            "models": models,
            "keys": {
                "stored": self.keys.stored,
                "stored_bytes": self.keys.stored_bytes,
                "in_memory": self.keys.cached,
                "in_memory_bytes": self.keys.cached_bytes,
                "hit_share": self.keys.hits,
            },
            "connections": connections.collect::<serde_json::Map<_, _>>(),
            "reserved_bytes": self.reserved,
        })
    }
}

/// A rate or a count.
fn amount(value: f64) -> String {
    match value {
        value if value == 0.0 || value.fract() == 0.0 => format!("{value:.0}"),
        value if value < 100.0 => format!("{value:.1}"),
        value => format!("{value:.0}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(answered: u32, running: u32) -> Page {
        Page::parse(&format!(
            "hush_requests_total{{model=\"cancer\",outcome=\"answered\"}} {answered}\n\
             hush_requests_total{{model=\"cancer\",outcome=\"busy\"}} 1\n\
             hush_samples_total{{model=\"cancer\"}} {answered}\n\
             hush_running_requests{{model=\"cancer\"}} {running}\n\
             hush_stage_seconds_bucket{{model=\"cancer\",stage=\"total\",le=\"0.01\"}} {answered}\n\
             hush_stage_seconds_bucket{{model=\"cancer\",stage=\"total\",le=\"+Inf\"}} {answered}\n\
             hush_keys_stored 2\nhush_keys_stored_bytes 2000\nhush_ready 1\n\
             hush_connections{{protocol=\"grpc\"}} 3\n"
        ))
    }

    #[test]
    fn rates_are_over_the_time_between_two_looks() {
        let (before, now) = (page(10, 0), page(30, 2));
        let view = View::new("http://x", Some((&before, Duration::from_secs(2))), &now);
        let model = &view.models[0];
        assert_eq!(
            (model.answered, model.failed, model.running),
            (10.0, 0.0, 2.0)
        );
        let anew = View::new("http://x", Some((&now, Duration::from_secs(2))), &before);
        assert_eq!(anew.models[0].answered, 5.0);
    }

    #[test]
    fn text() {
        let view = View::new("http://x", None, &page(10, 1));
        insta::assert_snapshot!(view.text(Painter::plain()), @r"
        http://x  ready
        connections  3 grpc
        keys         2 stored (2.0 kB), 0 decoded in memory (0 B)
        requests     hold 0 B of memory

        model    answered     failed    samples  waiting  running         in        out
        cancer         10          1         10        0        1        0 B        0 B

        p50 / p99             queue              keys            decode           compute            encode             total
        cancer                 –                 –                 –                 –                 – 5.00 ms / 9.90 ms
        ");
    }
}
