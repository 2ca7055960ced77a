//! Models that this process serves, with their traffic as it comes.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use axum::body::Body;
use axum::extract::State;
use axum::http::{HeaderMap, Response};
use hush_serving::{Identity, ModelState, ModelStatistics, ModelStatus, Outcome, Service, Stage};
use maud::{Markup, html};

use crate::answer;
use crate::document::{Frame, Section, code_block, document, fact};
use crate::experiments::server;
use crate::format::{bytes, grouped, latency, shorten};
use crate::keys::not_serving;
use crate::pages::Pages;
use crate::visitor::Visitor;

/// How often the counters are read while somebody looks, and how many readings are kept: ten minutes.
const PERIOD: Duration = Duration::from_secs(4);
const KEPT: usize = 150;

/// Readings of the counters, by model: what rates are made of.
#[derive(Debug, Default)]
pub(crate) struct Watch(Mutex<Readings>);

#[derive(Debug, Default)]
struct Readings {
    last: Option<Instant>,
    models: BTreeMap<String, VecDeque<Reading>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Reading {
    at: Instant,
    answered: u64,
    failed: u64,
}

impl Watch {
    /// Reads the counters if it is time to.
    fn read(&self, service: &Service) {
        let now = Instant::now();
        let mut readings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let due = readings
            .last
            .is_none_or(|last| now.duration_since(last) >= PERIOD - Duration::from_millis(500));
        if !due {
            return;
        }
        readings.last = Some(now);
        for (name, statistics) in service.statistics().models() {
            let (answered, failed) = counts(&statistics);
            let own = readings.models.entry(name).or_default();
            own.push_back(Reading {
                at: now,
                answered,
                failed,
            });
            if own.len() > KEPT {
                own.pop_front();
            }
        }
    }

    /// Answers a second between neighbouring readings, oldest first.
    fn rates(&self, model: &str) -> Vec<f64> {
        let readings = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let own = readings
            .models
            .get(model)
            .map(|own| own.iter().copied().collect::<Vec<_>>());
        rates(&own.unwrap_or_default())
    }
}

fn rates(readings: &[Reading]) -> Vec<f64> {
    let rate = |pair: &[Reading]| {
        let seconds = pair[1]
            .at
            .duration_since(pair[0].at)
            .as_secs_f64()
            .max(1e-3);
        pair[1].answered.saturating_sub(pair[0].answered) as f64 / seconds
    };
    readings.windows(2).map(rate).collect()
}

/// Answered and not answered requests.
fn counts(statistics: &ModelStatistics) -> (u64, u64) {
    let count = |outcome: Outcome| statistics.outcome(outcome).value();
    let all: u64 = Outcome::ALL.iter().map(|outcome| count(*outcome)).sum();
    let answered = count(Outcome::Answered);
    (answered, all - answered)
}

/// The page.
pub(crate) async fn page(
    State(pages): State<Pages>,
    headers: HeaderMap,
    visitor: Visitor,
) -> Response<Body> {
    let shown = async {
        visitor.caller()?;
        let deployments = match (pages.service(), &visitor.identity) {
            (Some(service), Some(identity)) => Some(collect(service, identity, pages.watch())),
            _ => None,
        };
        Ok(render(
            &visitor,
            deployments.as_deref(),
            &server(&pages, &headers),
        ))
    };
    answer::shown(&visitor, shown.await)
}

/// A model that is served.
struct Deployment {
    status: ModelStatus,
    platform: String,
    inputs: String,
    statistics: Option<Arc<ModelStatistics>>,
    rates: Vec<f64>,
}

fn collect(service: &Service, identity: &Identity, watch: &Watch) -> Vec<Deployment> {
    watch.read(service);
    let counted: BTreeMap<String, Arc<ModelStatistics>> =
        service.statistics().models().into_iter().collect();
    let deployment = |status: ModelStatus| {
        let metadata = service
            .metadata(identity, &status.name, Some(&status.version))
            .ok();
        let inputs = metadata.iter().flat_map(|metadata| &metadata.inputs);
        let inputs: Vec<String> = inputs
            .map(|input| format!("{} {:?}", input.name, input.shape))
            .collect();
        Deployment {
            platform: metadata
                .map(|metadata| metadata.platform)
                .unwrap_or_default(),
            inputs: inputs.join(", "),
            statistics: counted.get(&status.name).cloned(),
            rates: watch.rates(&status.name),
            status,
        }
    };
    service
        .index_for(identity)
        .into_iter()
        .map(deployment)
        .collect()
}

fn render(visitor: &Visitor, deployments: Option<&[Deployment]>, server: &str) -> Markup {
    let frame = Frame::new("Deployments").section(Section::Deployments);
    let body = html! {
        div.head { h1 { "Deployments" } }
        @match deployments {
            None => { (not_serving()) }
            Some([]) => {
                div.empty {
                    h2 { "No model yet" }
                    p { "Put a compiled model into the server's folder of models; it is found within seconds:" }
                    (code_block("hush compile model.onnx --calibration data.npz -o cancer\ncp cancer.model models/"))
                }
            }
            Some(deployments) => {
                div #live hx-get="/deployments" hx-trigger="every 4s" hx-select="#live" hx-swap="outerHTML"
                    hx-disinherit="*" data-poll {
                    div.cards { @for deployment in deployments { (card(deployment)) } }
                }
                details.how {
                    summary { "How to ask a model" }
                    (code_block(&format!("hush predict --server {server} --model NAME --input x.npy -o y.npy")))
                }
            }
        }
    };
    document(visitor, &frame, body)
}

fn card(deployment: &Deployment) -> Markup {
    let status = &deployment.status;
    let (class, word) = match status.state {
        ModelState::Ready => ("finished", "ready"),
        ModelState::Loading => ("running", "loading"),
        ModelState::Unavailable => ("failed", "unavailable"),
    };
    html! {
        article.panel.deployment {
            header {
                h2 { (status.name) @if !status.version.is_empty() { " " span.quiet { "version " (shorten(&status.version, 14)) } } }
                span class=(format!("status {class}")) { (word) }
            }
            @if !status.reason.is_empty() { p.problem { (status.reason) } }
            p.quiet { (deployment.platform) @if !deployment.inputs.is_empty() { " · " (shorten(&deployment.inputs, 80)) } }
            @if let Some(statistics) = &deployment.statistics { (traffic(statistics, &deployment.rates)) }
            @else { p.quiet { "Nobody has asked it yet." } }
        }
    }
}

fn traffic(statistics: &ModelStatistics, rates: &[f64]) -> Markup {
    let (answered, failed) = counts(statistics);
    let total = statistics.stage(Stage::Total).snapshot();
    let quantile = |share: f64| {
        total
            .quantile(share)
            .map_or_else(|| "–".into(), |time| latency(time.as_secs_f64() * 1e3))
    };
    let (inward, outward) = (statistics.bytes_in.value(), statistics.bytes_out.value());
    html! {
        (sparkline(rates))
        dl.facts.slim {
            (fact("Answered", html! { (grouped(answered)) }, Some(&format!("{} samples", grouped(statistics.samples.value())))))
            (fact("Not answered", html! { (grouped(failed)) }, None))
            (fact("Running", html! { (statistics.running.value()) }, Some(&format!("{} waiting", statistics.waiting.value()))))
            (fact("Half within", html! { (quantile(0.5)) }, Some(&format!("99 % within {}", quantile(0.99)))))
            (fact("Ciphertexts in", html! { (bytes(inward)) }, Some(&format!("{} out", bytes(outward)))))
        }
        (stages(statistics))
    }
}

/// Where the time of requests goes, as one bar.
fn stages(statistics: &ModelStatistics) -> Markup {
    const PARTS: [(Stage, &str); 5] = [
        (Stage::Queue, "waiting"),
        (Stage::Keys, "keys"),
        (Stage::Decode, "reading"),
        (Stage::Compute, "computing"),
        (Stage::Encode, "writing"),
    ];
    let times =
        PARTS.map(|(stage, name)| (name, statistics.stage(stage).snapshot().sum.as_secs_f64()));
    let all: f64 = times.iter().map(|(_, time)| time).sum();
    let mut begin = 0.0;
    let bars: Vec<(usize, &str, f64, f64)> = times
        .iter()
        .enumerate()
        .map(|(index, (name, time))| {
            let (start, width) = (begin, 100.0 * time / all.max(1e-12));
            begin += width;
            (index, *name, start, width)
        })
        .collect();
    html! {
        @if all > 0.0 {
            svg.stages viewBox="0 0 100 4" preserveAspectRatio="none" aria-hidden="true" {
                @for (index, _, start, width) in &bars {
                    rect class=(format!("part{index}")) x=(format!("{start:.2}")) y="0" width=(format!("{width:.2}")) height="4" {}
                }
            }
            ul.legend { @for (index, name, _, width) in &bars { @if *width >= 0.5 {
                li { span class=(format!("dot part{index}")) {} (name) " " (format!("{width:.0} %")) }
            } } }
        }
    }
}

fn sparkline(rates: &[f64]) -> Markup {
    let most = rates.iter().copied().fold(0.0, f64::max);
    let scale = if most > 0.0 { most } else { 1.0 };
    let step = 300.0 / (KEPT - 2) as f64;
    let first = 300.0 - step * rates.len().saturating_sub(1) as f64;
    let points = rates.iter().enumerate();
    let points: Vec<String> = points
        .map(|(index, rate)| {
            format!(
                "{:.1},{:.1}",
                first + step * index as f64,
                38.0 - 34.0 * rate / scale
            )
        })
        .collect();
    let now = rates.last().copied().unwrap_or(0.0);
    html! {
        figure.traffic {
            svg viewBox="0 0 300 40" preserveAspectRatio="none" role="img" aria-label=(format!("{now:.1} answers a second now; at most {most:.1}")) {
                line.ground x1="0" y1="38" x2="300" y2="38" {}
                @if points.len() > 1 { polyline points=(points.join(" ")) {} }
            }
            figcaption { strong { (format!("{now:.1}")) } " answers a second" span.quiet { " · at most " (format!("{most:.1}")) " in ten minutes" } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rates_are_differences() {
        let begin = Instant::now();
        let reading = |seconds, answered| Reading {
            at: begin + Duration::from_secs(seconds),
            answered,
            failed: 0,
        };
        assert_eq!(
            rates(&[reading(0, 5), reading(2, 9), reading(4, 9)]),
            [2.0, 0.0]
        );
        assert!(rates(&[reading(0, 5)]).is_empty());
    }

    #[test]
    fn names_and_reasons_are_text() {
        let statistics = ModelStatistics::default();
        let deployment = Deployment {
            status: ModelStatus {
                name: "<b>m</b>".into(),
                version: "1".into(),
                state: ModelState::Unavailable,
                reason: "<script>".into(),
            },
            platform: "hush".into(),
            inputs: "x [-1, 30]".into(),
            statistics: Some(Arc::new(statistics)),
            rates: vec![1.0, 3.0],
        };
        let page = render(
            &Visitor::for_tests(),
            Some(&[deployment]),
            "http://localhost",
        )
        .into_string();
        assert!(
            page.contains("&lt;b&gt;m&lt;/b&gt;")
                && page.contains("&lt;script&gt;")
                && !page.contains("<b>")
        );
        assert!(page.contains("<strong>3.0</strong>"));
    }
}
