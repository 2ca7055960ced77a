//! Runs side by side: what differs, parallel coordinates, scatter, and curves of one metric over each other.

use std::collections::{BTreeMap, BTreeSet};

use axum::body::Body;
use axum::extract::State;
use axum::http::Response;
use hush_tracking::wire::Run;
use maud::{Markup, html};
use serde_json::{Value, json};

use crate::address::{self, Parameters, link};
use crate::answer::{self, Failure, data};
use crate::assets::Asset;
use crate::document::{Frame, Section, document};
use crate::format::{ago, number, shorten};
use crate::forms;
use crate::pages::Pages;
use crate::runs::{name, status, texts, took, values};
use crate::visitor::Visitor;

/// Runs that are compared at once.
const MOST: usize = 100;
/// Runs whose curves are drawn over each other.
const DRAWN: usize = 20;

/// The page.
pub(crate) async fn page(State(pages): State<Pages>, visitor: Visitor) -> Response<Body> {
    let shown = async {
        let query = Parameters::of(&visitor.address);
        let mut seen = BTreeSet::new();
        let mut ids = query.all("run");
        ids.retain(|id| seen.insert(id.clone()));
        if ids.len() > MOST {
            return Err(Failure::invalid(format!(
                "at most {MOST} runs can be compared at once"
            )));
        }
        let mut runs = Vec::with_capacity(ids.len());
        for id in &ids {
            runs.push(pages.tracking().run(visitor.caller()?, id).await?);
        }
        Ok(render(&visitor, &runs))
    };
    answer::shown(&visitor, shown.await)
}

fn render(visitor: &Visitor, runs: &[Run]) -> Markup {
    let frame = Frame::new(format!("{} runs compared", runs.len()))
        .section(Section::Experiments)
        .below("Experiments", "/experiments")
        .wide();
    let back: BTreeSet<&str> = runs
        .iter()
        .map(|run| run.info.experiment_id.as_str())
        .collect();
    let frame = match back.iter().next() {
        Some(experiment) if back.len() == 1 => frame.below("Runs", address::experiment(experiment)),
        _ => frame,
    };
    let body = html! {
        div.head { h1 { "Comparison" span.count { (runs.len()) } } }
        @if runs.len() < 2 {
            div.empty { h2 { "Choose at least two runs" } p { "Select them in the table of an experiment, then press " kbd { "c" } "." } }
        } @else {
            (data("comparison", &series(runs)))
            div.compare data-compare-page {
                (curves(runs))
                div.pair {
                    section.panel.drawing aria-labelledby="parallel-title" {
                        header { h2 #parallel-title { "Parallel coordinates" } (axes(runs)) }
                        p.note { "Drag along an axis to keep the runs that pass there; a click lets go of it." }
                        div.drawn #parallel role="img" aria-label="One line a run through its parameters and metrics; the table below holds the same numbers" {}
                    }
                    section.panel.drawing aria-labelledby="scatter-title" {
                        header {
                            h2 #scatter-title { "Scatter" }
                            div.controls {
                                label { "Across " select data-scatter="x" {} }
                                label { "Up " select data-scatter="y" {} }
                            }
                        }
                        div.drawn #scatter role="img" aria-label="One point a run; the table below holds the same numbers" {}
                    }
                }
                (table(runs))
            }
        }
    };
    let frame = frame.plots(&[Asset::Curves, Asset::Comparison, Asset::Parallel]);
    document(visitor, &frame, body)
}

/// Everything about the runs that can be drawn.
fn series(runs: &[Run]) -> Value {
    let run = |run: &Run| {
        json!({
            "id": run.info.run_id, "name": name(run), "address": address::run(&run.info.run_id),
            "metrics": values(&run.data.metrics), "params": texts(&run.data.params),
        })
    };
    json!({ "runs": runs.iter().map(run).collect::<Vec<_>>() })
}

fn metric_names(runs: &[Run]) -> BTreeSet<&str> {
    runs.iter()
        .flat_map(|run| &run.data.metrics)
        .map(|metric| metric.key.as_str())
        .collect()
}

/// The axes that can be chosen: all metrics, and parameters that differ.
fn axes(runs: &[Run]) -> Markup {
    let mut parameters: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for tag in runs.iter().flat_map(|run| &run.data.params) {
        parameters.entry(&tag.key).or_default().insert(&tag.value);
    }
    let differing: Vec<&str> = parameters
        .iter()
        .filter(|(_, values)| values.len() > 1)
        .map(|(key, _)| *key)
        .collect();
    let metrics = metric_names(runs);
    html! {
        details.popover.right {
            summary.button { "Axes" }
            div.chooser data-axes {
                @for (title, kind, keys) in [("Parameters", "params", &differing), ("Metrics", "metrics", &metrics.into_iter().collect())] {
                    @if !keys.is_empty() {
                        fieldset {
                            legend { (title) }
                            @for (index, key) in keys.iter().enumerate() {
                                label {
                                    input type="checkbox" value=(format!("{kind}.{key}")) checked[index < 4 && !key.starts_with("system/")];
                                    span { (key) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn curves(runs: &[Run]) -> Markup {
    let names: Vec<&str> = metric_names(runs).into_iter().collect();
    let curve = |key: &&&str| {
        runs.iter().any(|run| {
            run.data
                .metrics
                .iter()
                .any(|metric| metric.key == **key && metric.step > 0)
        })
    };
    let first = names
        .iter()
        .find(|key| curve(key) && !key.starts_with("system/"))
        .or(names.first());
    html! {
        @if let Some(first) = first {
            section.panel.curves aria-labelledby="curves-title" {
                header {
                    h2 #curves-title { "Curves" }
                    div.controls {
                        label { "Metric " select data-overlay {
                            @for name in &names { option value=(name) selected[name == first] { (name) } }
                        } }
                        (forms::drawing())
                    }
                }
                div.overlay { div.plot #overlay role="img" aria-label="Curves of the chosen metric, one a run" {} }
                ul.legend #overlay-legend {}
                @if runs.len() > DRAWN { p.note { "Curves of the first " (DRAWN) " runs." } }
            }
        }
    }
}

/// One line of the table: a name, and what each run has.
struct Line<'a> {
    name: &'a str,
    values: Vec<Option<String>>,
    numbers: bool,
}

impl Line<'_> {
    fn differs(&self) -> bool {
        self.values.windows(2).any(|pair| pair[0] != pair[1])
    }
}

fn lines<'a, T: 'a>(
    runs: &'a [Run],
    entries: impl Fn(&'a Run) -> &'a [T],
    entry: impl Fn(&'a T) -> (&'a str, String),
    numbers: bool,
) -> Vec<Line<'a>> {
    let mut found: BTreeMap<&str, Vec<Option<String>>> = BTreeMap::new();
    for (index, run) in runs.iter().enumerate() {
        for (key, value) in entries(run).iter().map(&entry) {
            found.entry(key).or_insert_with(|| vec![None; runs.len()])[index] = Some(value);
        }
    }
    found
        .into_iter()
        .map(|(name, values)| Line {
            name,
            values,
            numbers,
        })
        .collect()
}

fn table(runs: &[Run]) -> Markup {
    let parameters = lines(
        runs,
        |run| &run.data.params,
        |tag| (tag.key.as_str(), tag.value.clone()),
        false,
    );
    let metrics = lines(
        runs,
        |run| &run.data.metrics,
        |metric| (metric.key.as_str(), number(metric.value)),
        true,
    );
    let mut tags = lines(
        runs,
        |run| &run.data.tags,
        |tag| (tag.key.as_str(), tag.value.clone()),
        false,
    );
    tags.retain(|line| !line.name.starts_with("mlflow."));
    html! {
        section.panel.differences aria-labelledby="numbers" {
            header { h2 #numbers { "Numbers" } }
            input #only type="checkbox" checked;
            label for="only" { " only what differs" }
            div.scroll.tall tabindex="0" role="region" aria-label="Runs side by side" {
                table.side-by-side {
                    thead { tr {
                        th scope="col" { span.unseen { "Name" } }
                        @for (index, run) in runs.iter().enumerate() {
                            th scope="col" {
                                span.dot data-colour=(index) {}
                                a href=(address::run(&run.info.run_id)) title=(name(run)) { (shorten(name(run), 22)) }
                                @let others: Vec<(&str, &str)> = runs.iter().filter(|other| other.info.run_id != run.info.run_id)
                                    .map(|other| ("run", other.info.run_id.as_str())).collect();
                                @if runs.len() > 2 { a.remove href=(link("/compare", others)) aria-label=(format!("Leave out {}", name(run))) { "×" } }
                            }
                        }
                    } }
                    tbody {
                        tr { th scope="row" { "Status" } @for run in runs { td { (status(run.info.status)) } } }
                        tr { th scope="row" { "Started" } @for run in runs { td { (ago(run.info.start_time)) } } }
                        tr { th scope="row" { "Took" } @for run in runs { td { (took(run)) } } }
                    }
                    @for (title, lines) in [("Parameters", &parameters), ("Metrics", &metrics), ("Tags", &tags)] {
                        @if !lines.is_empty() {
                            tbody {
                                tr.title { th colspan=(runs.len() + 1) scope="rowgroup" { (title) } }
                                @for line in lines { (row(line)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn row(line: &Line<'_>) -> Markup {
    let differs = line.differs();
    html! {
        tr .differs[differs] .same[!differs] {
            th scope="row" { (line.name) @if differs { span.unseen { " (differs)" } } }
            @for value in &line.values {
                td .number[line.numbers] { @match value { Some(value) => { (shorten(value, 80)) } None => { span.quiet { "–" } } } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use hush_tracking::wire::{
        Lifecycle, Metric, RunData, RunInfo, RunInputs, RunOutputs, RunStatus, Tag,
    };

    fn run(id: &str, rate: &str, loss: f64) -> Run {
        let tag = |key: &str, value: &str| Tag {
            key: key.into(),
            value: value.into(),
        };
        Run {
            info: RunInfo {
                run_uuid: id.into(),
                experiment_id: "1".into(),
                run_name: format!("<i>{id}</i>"),
                user_id: String::new(),
                status: RunStatus::Finished,
                start_time: 1,
                end_time: Some(2),
                artifact_uri: String::new(),
                lifecycle_stage: Lifecycle::Active,
                run_id: id.into(),
            },
            data: RunData {
                metrics: vec![Metric::new("loss", loss, 1, 1)],
                params: vec![tag("rate", rate), tag("seed", "</script><b>")],
                tags: Vec::new(),
            },
            inputs: RunInputs::default(),
            outputs: RunOutputs::default(),
        }
    }

    #[test]
    fn differences_are_marked() {
        let runs = [run("a", "0.1", 1.0), run("b", "0.2", 1.0)];
        let page = render(&Visitor::for_tests(), &runs).into_string();
        let line =
            |class: &str, name: &str| page.contains(&format!("{class}\"><th scope=\"row\">{name}"));
        assert!(
            line("differs", "rate") && line("same", "seed") && line("same", "loss"),
            "{page}"
        );
        assert!(!page.contains("<i>") && !page.contains("<b>"));
    }

    #[test]
    fn one_run_is_nothing_to_compare() {
        let page = render(&Visitor::for_tests(), &[run("a", "1", 1.0)]).into_string();
        assert!(page.contains("at least two"));
    }
}
