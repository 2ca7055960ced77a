//! One run: plots, parameters, tags, datasets, models.

use std::collections::BTreeMap;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Response;
use hush_tracking::wire::{Experiment, Lifecycle, Metric, Run, RunStatus, Tag};
use hush_tracking::{LogBatch, RunChange};
use maud::{Markup, html};

use crate::address;
use crate::answer::{self, Failure, Result, or_failure, see};
use crate::document::{Frame, Section, document, fact, identifier};
use crate::format::{ago, grouped, number, shorten};
use crate::forms;
use crate::pages::Pages;
use crate::plots::is_curve;
use crate::runs::{name, status, took};
use crate::visitor::{Submitted, Visitor};

/// Curves beyond which single values are not told from curves by asking for each.
const ASKED: usize = 200;

/// The page.
pub(crate) async fn page(
    State(pages): State<Pages>,
    Path(id): Path<String>,
    visitor: Visitor,
) -> Response<Body> {
    let shown = async {
        let (run, experiment) = find(&pages, &visitor, &id).await?;
        let mut curves = Vec::with_capacity(run.data.metrics.len());
        for (index, metric) in run.data.metrics.iter().enumerate() {
            curves.push(index >= ASKED || is_curve(&pages, &visitor, &id, metric).await?);
        }
        Ok(render(&visitor, &experiment, &run, &curves))
    };
    answer::shown(&visitor, shown.await)
}

/// A run, and the experiment that it belongs to.
pub(crate) async fn find(pages: &Pages, visitor: &Visitor, id: &str) -> Result<(Run, Experiment)> {
    let (tracking, caller) = (pages.tracking(), visitor.caller()?);
    let run = tracking.run(caller, id).await?;
    let experiment = tracking.experiment(caller, &run.info.experiment_id).await?;
    Ok((run, experiment))
}

/// The frame of a page about a run.
pub(crate) fn frame(experiment: &Experiment, run: &Run) -> Frame {
    Frame::new(name(run))
        .section(Section::Experiments)
        .below("Experiments", "/experiments")
        .below(
            &experiment.name,
            address::experiment(&experiment.experiment_id),
        )
        .wide()
}

/// Name, state and tabs of a run.
pub(crate) fn head(visitor: &Visitor, run: &Run, artifacts: bool) -> Markup {
    let here = address::run(&run.info.run_id);
    html! {
        div.head {
            h1 { (name(run)) " " (status(run.info.status))
                @if run.info.lifecycle_stage == Lifecycle::Deleted { " " span.chip { "deleted" } } }
            (menu(visitor, run, &here))
        }
        nav.tabs aria-label="Views of the run" {
            a href=(here) aria-current=[(!artifacts).then_some("page")] { "Overview" }
            a href=(format!("{here}/artifacts")) aria-current=[artifacts.then_some("page")] { "Artifacts" }
            @if let Some(parent) = tag(run, "mlflow.parentRunId") { a href=(address::run(parent)) { "Parent run" } }
        }
    }
}

fn tag<'a>(run: &'a Run, key: &str) -> Option<&'a str> {
    let found = run.data.tags.iter().find(|tag| tag.key == key);
    found
        .map(|tag| tag.value.as_str())
        .filter(|value| !value.is_empty())
}

fn menu(visitor: &Visitor, run: &Run, here: &str) -> Markup {
    if run.info.lifecycle_stage == Lifecycle::Deleted {
        return forms::edit(forms::restore(visitor, here));
    }
    let note = tag(run, "mlflow.note.content").unwrap_or_default();
    forms::edit(html! {
        (forms::rename(visitor, here, &run.info.run_name, 250))
        (forms::describe(visitor, here, note))
        (forms::delete(visitor, here, "run", "Delete this run? It can be restored."))
    })
}

fn render(visitor: &Visitor, experiment: &Experiment, run: &Run, curves: &[bool]) -> Markup {
    let live = run.info.status == RunStatus::Running;
    let here = address::run(&run.info.run_id);
    let plotted: Vec<&Metric> = run
        .data
        .metrics
        .iter()
        .zip(curves)
        .filter(|(_, curve)| **curve)
        .map(|(metric, _)| metric)
        .collect();
    let body = html! {
        (head(visitor, run, false))
        (facts(run))
        @if let Some(note) = tag(run, "mlflow.note.content") { p.prose.note { (note) } }
        div.run data-run=(here) data-live[live] {
            div.side {
                (texts("Parameters", &run.data.params, "No parameters: log them with mlflow.log_param"))
                (values(&run.data.metrics))
                (inputs(run))
                (models(run))
                (tags(visitor, run, &here))
            }
            section.curves aria-labelledby="plots" {
                div.bar {
                    h2 #plots { "Metrics" span.count { (plotted.len()) } }
                    @if !plotted.is_empty() { (controls()) }
                }
                @if plotted.is_empty() {
                    div.empty.small {
                        h3 { "No curve yet" }
                        p { "A metric that is logged at several steps is drawn here" @if live { ", as it arrives" } "." }
                    }
                }
                (charts(&plotted))
            }
        }
    };
    document(
        visitor,
        &frame(experiment, run).plots(&[crate::assets::Asset::Curves]),
        body,
    )
}

fn facts(run: &Run) -> Markup {
    let info = &run.info;
    let user = if info.user_id.is_empty() {
        tag(run, "mlflow.user").unwrap_or_default()
    } else {
        &info.user_id
    };
    let source =
        tag(run, "mlflow.source.name").map(|source| source.rsplit('/').next().unwrap_or(source));
    let commit = tag(run, "mlflow.source.git.commit").map(|commit| shorten(commit, 9));
    html! {
        dl.facts.slim {
            (fact("Started", ago(info.start_time), None))
            (fact("Took", html! { span data-took { (took(run)) } }, None))
            @if !user.is_empty() { (fact("By", html! { (shorten(user, 40)) }, None)) }
            @if let Some(source) = source { (fact("Source", html! { (shorten(source, 40)) }, commit.as_deref())) }
            (fact("Run id", identifier(&info.run_id), None))
        }
    }
}

fn controls() -> Markup {
    html! {
        div.controls data-controls hidden {
            input type="search" placeholder="Find a metric" aria-label="Find a metric" data-find-chart data-search autocomplete="off";
            (forms::drawing())
        }
    }
}

/// Curves by what stands before the first slash; those of the machine come last.
fn charts(metrics: &[&Metric]) -> Markup {
    let mut groups: BTreeMap<(bool, &str), Vec<&Metric>> = BTreeMap::new();
    for metric in metrics {
        let group = metric.key.split_once('/').map_or("", |(group, _)| group);
        groups
            .entry((group == "system", group))
            .or_default()
            .push(metric);
    }
    let several = groups.len() > 1;
    html! {
        @for ((_, group), metrics) in &groups {
            div.group data-group {
                @if several { h3 { @if group.is_empty() { "Metrics" } @else { (group) } } }
                div.charts {
                    @for metric in metrics {
                        figure.chart data-key=(metric.key) {
                            figcaption { span.title title=(metric.key) { (metric.key) } output.value { (number(metric.value)) } }
                            div.plot role="img" aria-label=(format!("{} by step; newest value {}", metric.key, number(metric.value))) {}
                        }
                    }
                }
            }
        }
    }
}

fn values(metrics: &[Metric]) -> Markup {
    html! {
        @if !metrics.is_empty() {
            details.panel open {
                summary { h2 { "Newest values" span.count { (metrics.len()) } } }
                table.pairs {
                    thead.unseen { tr { th scope="col" { "Metric" } th scope="col" { "Value" } th scope="col" { "Step" } } }
                    tbody { @for metric in metrics {
                        tr data-value=(metric.key) {
                            th scope="row" { (metric.key) }
                            td.number.newest { (number(metric.value)) }
                            td.number.quiet.step { (grouped(metric.step.unsigned_abs())) }
                        }
                    } }
                }
            }
        }
    }
}

fn texts(title: &str, tags: &[Tag], none: &str) -> Markup {
    html! {
        details.panel open {
            summary { h2 { (title) span.count { (tags.len()) } } }
            @if tags.is_empty() { p.quiet { (none) } }
            @else { (pairs(tags)) }
        }
    }
}

/// Names and values as a table.
pub(crate) fn pairs(tags: &[Tag]) -> Markup {
    html! {
        table.pairs {
            thead.unseen { tr { th scope="col" { "Name" } th scope="col" { "Value" } } }
            tbody { @for tag in tags {
                tr {
                    th scope="row" { (tag.key) }
                    td {
                        @if tag.value.chars().count() > 160 {
                            details { summary { (shorten(&tag.value, 80)) } pre.wrap { (shorten(&tag.value, 20_000)) } }
                        } @else { (tag.value) }
                    }
                }
            } }
        }
    }
}

fn inputs(run: &Run) -> Markup {
    let inputs = &run.inputs.dataset_inputs;
    html! {
        @if !inputs.is_empty() {
            details.panel open {
                summary { h2 { "Datasets" span.count { (inputs.len()) } } }
                ul.plain { @for input in inputs {
                    @let context = input.tags.iter().find(|tag| tag.key == "mlflow.data.context");
                    li {
                        strong { (input.dataset.name) }
                        @if let Some(context) = context { " " span.chip { (shorten(&context.value, 30)) } }
                        div.quiet { (input.dataset.source_type) " · digest " code { (input.dataset.digest) } }
                        @if let Some(profile) = input.dataset.profile.as_ref().filter(|profile| !profile.is_empty()) {
                            details { summary.quiet { "Profile" } pre.wrap { (shorten(profile, 4000)) } }
                        }
                        @if let Some(schema) = input.dataset.schema.as_ref().filter(|schema| !schema.is_empty()) {
                            details { summary.quiet { "Schema" } pre.wrap { (shorten(schema, 8000)) } }
                        }
                    }
                } }
            }
        }
    }
}

fn models(run: &Run) -> Markup {
    let made = &run.outputs.model_outputs;
    let used = &run.inputs.model_inputs;
    html! {
        @if !(made.is_empty() && used.is_empty()) {
            details.panel open {
                summary { h2 { "Logged models" span.count { (made.len() + used.len()) } } }
                ul.plain {
                    @for model in made { li { a href=(address::logged_model(&model.model_id)) { code { (shorten(&model.model_id, 18)) } }
                        span.quiet { " made at step " (model.step) } } }
                    @for model in used { li { a href=(address::logged_model(&model.model_id)) { code { (shorten(&model.model_id, 18)) } }
                        span.quiet { " used" } } }
                }
            }
        }
    }
}

fn tags(visitor: &Visitor, run: &Run, here: &str) -> Markup {
    let (own, system): (Vec<Tag>, Vec<Tag>) = run
        .data
        .tags
        .iter()
        .cloned()
        .partition(|tag| !tag.key.starts_with("mlflow."));
    html! {
        details.panel open {
            summary { h2 { "Tags" span.count { (own.len()) } } }
            @if !own.is_empty() { (pairs(&own)) }
            @if run.info.lifecycle_stage == Lifecycle::Active {
                (forms::tag(visitor, here))
            }
            @if !system.is_empty() { details { summary.quiet { "Set by clients" span.count { (system.len()) } } (pairs(&system)) } }
        }
    }
}

/// Changes a run as a form says.
pub(crate) async fn change(
    State(pages): State<Pages>,
    Path(id): Path<String>,
    form: Submitted,
) -> Response<Body> {
    let changed = async {
        let (tracking, caller) = (pages.tracking(), form.visitor.caller()?);
        let here = address::run(&id);
        let tagged = |key: &str, value: &str| LogBatch {
            tags: vec![Tag {
                key: key.to_owned(),
                value: value.to_owned(),
            }],
            ..LogBatch::default()
        };
        match form.fields.text("do") {
            "rename" => {
                let name = Some(form.fields.text("name").trim().to_owned());
                tracking
                    .update_run(
                        caller,
                        &id,
                        RunChange {
                            name,
                            ..RunChange::default()
                        },
                    )
                    .await?;
            }
            "describe" => {
                tracking
                    .log_batch(
                        caller,
                        &id,
                        tagged("mlflow.note.content", form.fields.text("description")),
                    )
                    .await?;
            }
            "tag" => {
                let (key, value) = (form.fields.text("key").trim(), form.fields.text("value"));
                tracking.log_batch(caller, &id, tagged(key, value)).await?;
            }
            "delete" => {
                let run = tracking.run(caller, &id).await?;
                tracking.delete_run(caller, &id, true).await?;
                return Ok(see(&address::experiment(&run.info.experiment_id)));
            }
            "restore" => tracking.delete_run(caller, &id, false).await?,
            _ => return Err(Failure::no_action()),
        }
        Ok(see(&here))
    };
    let changed: Result<Response<Body>> = changed.await;
    or_failure(&form.visitor, changed)
}

#[cfg(test)]
mod tests {
    use super::*;
    use hush_tracking::wire::{RunData, RunInfo, RunInputs, RunOutputs};

    const HOSTILE: &str = "</td><script>alert(1)</script>\" onmouseover=\"x";

    pub(crate) fn hostile_run() -> Run {
        let tag = Tag {
            key: HOSTILE.into(),
            value: HOSTILE.into(),
        };
        Run {
            info: RunInfo {
                run_uuid: "1".into(),
                experiment_id: "0".into(),
                run_name: HOSTILE.into(),
                user_id: HOSTILE.into(),
                status: RunStatus::Running,
                start_time: 1,
                end_time: None,
                artifact_uri: HOSTILE.into(),
                lifecycle_stage: Lifecycle::Active,
                run_id: "1".into(),
            },
            data: RunData {
                metrics: vec![Metric::new(HOSTILE, 0.5, 1, 3)],
                params: vec![tag.clone()],
                tags: vec![
                    tag,
                    Tag {
                        key: "mlflow.note.content".into(),
                        value: HOSTILE.into(),
                    },
                ],
            },
            inputs: RunInputs::default(),
            outputs: RunOutputs::default(),
        }
    }

    #[test]
    fn whatever_a_client_logged_is_text() {
        let experiment = Experiment {
            experiment_id: "0".into(),
            name: HOSTILE.into(),
            artifact_location: String::new(),
            lifecycle_stage: Lifecycle::Active,
            last_update_time: 0,
            creation_time: 0,
            tags: Vec::new(),
        };
        let page =
            render(&Visitor::for_tests(), &experiment, &hostile_run(), &[true]).into_string();
        assert!(
            !page.contains("<script>") && !page.contains("\" onmouseover"),
            "{page}"
        );
        assert!(page.contains("data-key=\"&lt;/td&gt;&lt;script&gt;alert(1)"));
    }

    #[test]
    fn curves_are_grouped_and_the_machine_comes_last() {
        let metrics =
            ["train/loss", "system/cpu", "accuracy"].map(|key| Metric::new(key, 1.0, 1, 1));
        let page = charts(&metrics.iter().collect::<Vec<_>>()).into_string();
        let place = |text: &str| page.find(text).unwrap();
        assert!(
            place("<h3>Metrics") < place("<h3>train") && place("<h3>train") < place("<h3>system")
        );
    }
}
