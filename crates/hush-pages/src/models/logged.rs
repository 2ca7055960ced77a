//! One logged model: what a run made, before and apart from any registry.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::Response;
use hush_tracking::Holder;
use hush_tracking::wire::{LoggedModel, LoggedModelStatus, Tag};
use maud::{Markup, html};
use serde_json::Value;

use super::report::{PREFIX, facts_of, report};
use crate::address;
use crate::answer;
use crate::document::{Frame, Section, code_block, document, fact, identifier};
use crate::format::{ago, number, shorten};
use crate::pages::Pages;
use crate::run::pairs;
use crate::visitor::Visitor;

/// The page.
pub(crate) async fn logged(
    State(pages): State<Pages>,
    Path(id): Path<String>,
    visitor: Visitor,
) -> Response<Body> {
    let shown = async {
        let model = pages
            .tracking()
            .logged_model(visitor.caller()?, &id)
            .await?;
        let compiled = match facts_of(&model.info.tags) {
            Some(_) => super::read_report(&pages, &visitor, &Holder::LoggedModel(id.clone())).await,
            None => None,
        };
        Ok(render(&visitor, &model, compiled.as_ref()))
    };
    answer::shown(&visitor, shown.await)
}

fn render(visitor: &Visitor, model: &LoggedModel, compiled: Option<&Value>) -> Markup {
    let info = &model.info;
    let here = address::logged_model(&info.model_id);
    let (class, word) = match info.status {
        LoggedModelStatus::Ready => ("finished", "ready"),
        LoggedModelStatus::Pending => ("running", "pending"),
        LoggedModelStatus::UploadFailed => ("failed", "upload failed"),
    };
    let other: Vec<Tag> = info
        .tags
        .iter()
        .filter(|tag| !tag.key.starts_with(PREFIX))
        .cloned()
        .collect();
    let frame = Frame::new(&info.name)
        .section(Section::Models)
        .below("Models", "/models");
    let body = html! {
        div.head { h1 { (info.name) " " span class=(format!("status {class}")) { (word) } } a.button href=(format!("{here}/artifacts")) { "Files" } }
        @if let Some(facts) = facts_of(&info.tags) { (facts.tiles()) }
        @if let Some(compiled) = compiled { (report(compiled)) }
        dl.facts.slim {
            (fact("Logged", ago(info.creation_timestamp_ms), None))
            @if !info.model_type.is_empty() { (fact("Kind", html! { (shorten(&info.model_type, 40)) }, None)) }
            @if !info.source_run_id.is_empty() { (fact("Run", html! { a href=(address::run(&info.source_run_id)) { code { (shorten(&info.source_run_id, 13)) } } }, None)) }
            (fact("Experiment", html! { a href=(address::experiment(&info.experiment_id)) { (info.experiment_id) } }, None))
            (fact("Model id", identifier(&info.model_id), None))
        }
        div.pair {
            section.panel {
                h2 { "Metrics" span.count { (model.data.metrics.len()) } }
                @if model.data.metrics.is_empty() { p.quiet { "None were logged for it." } }
                @else { table.pairs { tbody { @for metric in &model.data.metrics {
                    tr { th scope="row" { (metric.key) @if !metric.dataset_name.is_empty() { span.quiet { " on " (metric.dataset_name) } } }
                        td.number { (number(metric.value)) } }
                } } } }
            }
            section.panel {
                h2 { "Parameters" span.count { (model.data.params.len()) } }
                @if model.data.params.is_empty() { p.quiet { "None were logged for it." } } @else { (pairs(&model.data.params)) }
            }
        }
        @if !other.is_empty() { section.panel { h2 { "Tags" } (pairs(&other)) } }
        section.panel { h2 { "Use it" } (code_block(&format!("import mlflow\n\nmodel = mlflow.pyfunc.load_model(\"models:/{}\")\nmodel.predict(data)", info.model_id))) }
    };
    document(visitor, &frame, body)
}
