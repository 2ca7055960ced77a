//! `/metrics`: what has happened so far, in the text format of Prometheus.

use std::fmt::{Display, Write};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use axum::http::header::CONTENT_TYPE;
use axum::response::IntoResponse;
use hush_serving::{
    BOUNDS, Counter, HistogramSnapshot, Identity, KeyStatistics, ModelStatistics, Outcome, Role,
    Service, Stage,
};

use crate::connections::ConnectionStatistics;
use crate::layers::refuse;
use crate::traffic::Traffic;

/// What is shown.
#[derive(Clone)]
pub(crate) struct Metrics {
    pub(crate) service: Service,
    pub(crate) traffic: Traffic,
    /// Of each listener, by its protocol.
    pub(crate) connections: Vec<(&'static str, Arc<ConnectionStatistics>)>,
    /// Whether strangers may see it.
    pub(crate) public: bool,
}

/// Handler. Names of all models are in it, so it is for administrators unless it is public.
pub(crate) async fn metrics(
    State(metrics): State<Metrics>,
    axum::Extension(identity): axum::Extension<Identity>,
) -> Response<Body> {
    if !metrics.public
        && let Err(error) = identity.require(Role::Administer)
    {
        return refuse(error, false);
    }
    let content_type = [(CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")];
    (content_type, metrics.render()).into_response()
}

impl Metrics {
    fn render(&self) -> String {
        let mut page = Page::default();
        self.models(&mut page);
        self.keys(&mut page, &self.service.statistics().keys);
        page.family(
            "hush_reserved_bytes",
            "gauge",
            "Bytes that running requests are counted with",
        );
        page.sample("", &[], self.service.statistics().reserved_bytes.value());
        self.traffic(&mut page);
        page.family("hush_ready", "gauge", "Whether the server takes requests");
        page.sample("", &[], u8::from(self.service.is_ready()));
        page.text
    }

    fn models(&self, page: &mut Page) {
        let models = self.service.statistics().models();
        page.family(
            "hush_requests_total",
            "counter",
            "Requests for predictions by what came of them",
        );
        for (name, model) in &models {
            for outcome in Outcome::ALL {
                let labels = [("model", name.as_str()), ("outcome", outcome.name())];
                page.sample("", &labels, model.outcome(outcome).value());
            }
        }
        page.family(
            "hush_stage_seconds",
            "histogram",
            "How long requests were in each stage",
        );
        for (name, model) in &models {
            for stage in Stage::ALL {
                let labels = [("model", name.as_str()), ("stage", stage.name())];
                page.histogram(&labels, &model.stage(stage).snapshot());
            }
        }
        type Read = fn(&ModelStatistics) -> &Counter;
        let single: [(&str, &str, &str, Read); 11] = [
            (
                "hush_waiting_requests",
                "gauge",
                "Requests that wait",
                |m| &m.waiting,
            ),
            ("hush_running_requests", "gauge", "Requests that run", |m| {
                &m.running
            }),
            ("hush_samples_total", "counter", "Samples answered", |m| {
                &m.samples
            }),
            (
                "hush_ciphertext_bytes_in_total",
                "counter",
                "Bytes of ciphertexts that arrived",
                |m| &m.bytes_in,
            ),
            (
                "hush_ciphertext_bytes_out_total",
                "counter",
                "Bytes of ciphertexts that went out",
                |m| &m.bytes_out,
            ),
            (
                "hush_rotations_total",
                "counter",
                "Rotations executed",
                |m| &m.rotations,
            ),
            (
                "hush_multiplications_total",
                "counter",
                "Products of ciphertexts executed",
                |m| &m.multiplications,
            ),
            (
                "hush_plain_multiplications_total",
                "counter",
                "Products with plaintexts executed",
                |m| &m.plain_multiplications,
            ),
            (
                "hush_key_switches_total",
                "counter",
                "Key switches executed",
                |m| &m.key_switches,
            ),
            (
                "hush_rescales_total",
                "counter",
                "Rescalings executed",
                |m| &m.rescales,
            ),
            ("hush_levels_total", "counter", "Levels consumed", |m| {
                &m.levels
            }),
        ];
        for (family, kind, about, read) in single {
            page.family(family, kind, about);
            for (name, model) in &models {
                page.sample("", &[("model", name)], read(model).value());
            }
        }
    }

    fn keys(&self, page: &mut Page, keys: &KeyStatistics) {
        for (family, kind, about, counter) in [
            (
                "hush_key_uploads_total",
                "counter",
                "Uploads of keys finished",
                &keys.uploads,
            ),
            (
                "hush_key_refusals_total",
                "counter",
                "Uploads of keys refused for what they held",
                &keys.refused,
            ),
            (
                "hush_key_bytes_in_total",
                "counter",
                "Bytes of keys that arrived",
                &keys.bytes_in,
            ),
            (
                "hush_keys_stored",
                "gauge",
                "Keys in the store",
                &keys.stored,
            ),
            (
                "hush_keys_stored_bytes",
                "gauge",
                "Bytes of keys in the store",
                &keys.stored_bytes,
            ),
            (
                "hush_keys_cached",
                "gauge",
                "Decoded keys in memory",
                &keys.cached,
            ),
            (
                "hush_keys_cached_bytes",
                "gauge",
                "Bytes of decoded keys in memory",
                &keys.cached_bytes,
            ),
            (
                "hush_key_hits_total",
                "counter",
                "Requests whose key was in memory",
                &keys.hits,
            ),
            (
                "hush_key_misses_total",
                "counter",
                "Requests whose key was not in memory",
                &keys.misses,
            ),
            (
                "hush_key_evictions_total",
                "counter",
                "Decoded keys that made room for others",
                &keys.evictions,
            ),
        ] {
            page.family(family, kind, about);
            page.sample("", &[], counter.value());
        }
    }

    fn traffic(&self, page: &mut Page) {
        page.family(
            "hush_answers_total",
            "counter",
            "Answers of every kind by protocol and status",
        );
        for ((grpc, status), count) in self.traffic.counts() {
            let labels = [
                ("protocol", protocol(grpc)),
                ("status", &status.to_string()),
            ];
            page.sample("", &labels, count);
        }
        page.family(
            "hush_answer_seconds",
            "histogram",
            "Time until an answer begins",
        );
        for grpc in [false, true] {
            let snapshot = self.traffic.durations(grpc).snapshot();
            page.histogram(&[("protocol", protocol(grpc))], &snapshot);
        }
        type Read = fn(&ConnectionStatistics) -> &AtomicU64;
        let connections: [(&str, &str, &str, Read); 3] = [
            ("hush_connections", "gauge", "Open connections", |c| &c.open),
            (
                "hush_connections_total",
                "counter",
                "Connections let in",
                |c| &c.accepted,
            ),
            (
                "hush_connections_refused_total",
                "counter",
                "Connections turned away for a limit",
                |c| &c.refused,
            ),
        ];
        for (family, kind, about, read) in connections {
            page.family(family, kind, about);
            for (protocol, statistics) in &self.connections {
                let value = read(statistics).load(Ordering::Relaxed);
                page.sample("", &[("protocol", protocol)], value);
            }
        }
    }
}

fn protocol(grpc: bool) -> &'static str {
    if grpc { "grpc" } else { "http" }
}

/// Text in the format.
#[derive(Default)]
struct Page {
    text: String,
    family: &'static str,
}

impl Page {
    fn family(&mut self, name: &'static str, kind: &str, about: &str) {
        self.family = name;
        let _ = writeln!(self.text, "# HELP {name} {about}\n# TYPE {name} {kind}");
    }

    fn sample(&mut self, suffix: &str, labels: &[(&str, &str)], value: impl Display) {
        let _ = write!(self.text, "{}{suffix}", self.family);
        for (index, (name, value)) in labels.iter().enumerate() {
            let begin = if index == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{begin}{name}=\"{}\"", escaped(value));
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{end} {value}");
    }

    fn histogram(&mut self, labels: &[(&str, &str)], snapshot: &HistogramSnapshot) {
        let mut seen = 0;
        for (&count, &bound) in snapshot.counts.iter().zip(&BOUNDS) {
            seen += count;
            let bound = (bound as f64 / 1e6).to_string();
            let labels = [labels, &[("le", bound.as_str())]].concat();
            self.sample("_bucket", &labels, seen);
        }
        let all = [labels, &[("le", "+Inf")]].concat();
        self.sample("_bucket", &all, snapshot.count());
        self.sample("_sum", labels, snapshot.sum.as_secs_f64());
        self.sample("_count", labels, snapshot.count());
    }
}

fn escaped(value: &str) -> String {
    value
        .replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn samples_are_written_as_the_format_has_them() {
        let mut page = Page::default();
        page.family("a_total", "counter", "Many");
        page.sample("", &[("x", "1"), ("y", "\"")], 2);
        page.sample("", &[], 3);
        assert_eq!(
            page.text,
            "# HELP a_total Many\n# TYPE a_total counter\na_total{x=\"1\",y=\"\\\"\"} 2\na_total 3\n"
        );
        let mut page = Page::default();
        page.family("a", "histogram", "Times");
        let histogram = hush_serving::Histogram::default();
        histogram.record(Duration::from_millis(2));
        page.histogram(&[], &histogram.snapshot());
        assert!(
            page.text
                .contains("a_bucket{le=\"0.001\"} 0\na_bucket{le=\"0.0025\"} 1\n")
        );
        assert!(
            page.text
                .ends_with("a_bucket{le=\"+Inf\"} 1\na_sum 0.002\na_count 1\n")
        );
    }
}
