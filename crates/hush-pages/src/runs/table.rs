//! The table of runs as markup.

use std::collections::{BTreeMap, BTreeSet};

use hush_tracking::wire::{Experiment, Lifecycle, Metric, Page, Run, RunStatus, Tag};
use maud::{Markup, html};

use super::query::{Column, Query};
use crate::address;
use crate::document::{Frame, Section, document, token};
use crate::experiments::begin;
use crate::format::{ago, duration, now, number, shorten};
use crate::forms;
use crate::visitor::Visitor;

/// Columns of each kind that are shown until some are chosen.
const OFFERED: usize = 5;
/// Names of each kind that can be chosen from.
const CHOICES: usize = 400;

pub(super) fn render(
    visitor: &Visitor,
    experiment: &Experiment,
    query: &Query,
    found: Result<&Page<Run>, &str>,
    server: &str,
) -> Markup {
    let frame = Frame::new(&experiment.name)
        .section(Section::Experiments)
        .below("Experiments", "/experiments")
        .wide();
    let address = address::experiment(&experiment.experiment_id);
    let runs: &[Run] = found.map_or(&[], |page| &page.items);
    let known = known(runs);
    let columns = query.columns.clone().unwrap_or_else(|| offered(&known));
    let body = html! {
        div.head {
            div {
                h1 { (experiment.name) @if experiment.lifecycle_stage == Lifecycle::Deleted { " " span.chip { "deleted" } } }
                @if let Some(note) = note(experiment) { p.note.prose { (note) } }
            }
            (menu(visitor, experiment, &address))
        }
        form #query.bar method="get" action=(address) role="search"
            hx-get=(address) hx-target="#found" hx-select="#found" hx-swap="outerHTML" hx-push-url="true"
            hx-trigger="submit, change" {
            input #search.search.code type="search" name="q" value=(query.search)
                placeholder="metrics.loss < 0.1 and params.model = 'mlp'" aria-label="Filter runs" autocomplete="off"
                spellcheck="false" aria-describedby="grammar" data-search;
            (forms::view(query.deleted))
            (chooser(&known, &columns))
            button type="submit" { "Search" }
            (grammar())
        }
        div #found {
            @if !query.sort.is_empty() {
                input type="hidden" form="query" name="sort" value=(query.sort);
                @if query.ascending { input type="hidden" form="query" name="direction" value="ascending"; }
            }
            @match found {
                Err(problem) => { p.problem role="alert" { (problem) } }
                Ok(page) if page.items.is_empty() => { (nothing(query, &address, server)) }
                Ok(page) => { (selection(visitor, &address, query, &rows(page, query, &columns), page)) }
            }
        }
    };
    document(visitor, &frame, body)
}

fn note(experiment: &Experiment) -> Option<&str> {
    let found = experiment
        .tags
        .iter()
        .find(|tag| tag.key == "mlflow.note.content");
    found
        .map(|tag| tag.value.trim())
        .filter(|note| !note.is_empty())
}

fn menu(visitor: &Visitor, experiment: &Experiment, address: &str) -> Markup {
    if experiment.lifecycle_stage == Lifecycle::Deleted {
        return forms::edit(forms::restore(visitor, address));
    }
    let question = "Delete this experiment and its runs? They can be restored.";
    forms::edit(html! {
        (forms::rename(visitor, address, &experiment.name, 500))
        (forms::describe(visitor, address, note(experiment).unwrap_or_default()))
        (forms::delete(visitor, address, "experiment", question))
    })
}

/// Names of the page's metrics, parameters and tags.
fn known(runs: &[Run]) -> [BTreeSet<&str>; 3] {
    let mut known: [BTreeSet<&str>; 3] = Default::default();
    for run in runs {
        known[0].extend(run.data.metrics.iter().map(|metric| metric.key.as_str()));
        known[1].extend(run.data.params.iter().map(|tag| tag.key.as_str()));
        let tags = run.data.tags.iter().map(|tag| tag.key.as_str());
        known[2].extend(tags.filter(|key| !key.starts_with("mlflow.")));
    }
    known
}

fn offered(known: &[BTreeSet<&str>; 3]) -> Vec<Column> {
    let [metrics, parameters, _] = known;
    // Of the machine, or of one epoch: rarely what runs are compared by.
    let metrics = metrics.iter().filter(|key| !key.starts_with("system/"));
    let metrics = metrics
        .take(OFFERED)
        .map(|key| Column::Metric((*key).to_owned()));
    let parameters = parameters
        .iter()
        .take(OFFERED)
        .map(|key| Column::Parameter((*key).to_owned()));
    metrics.chain(parameters).collect()
}

fn chooser(known: &[BTreeSet<&str>; 3], shown: &[Column]) -> Markup {
    let kinds = [
        ("Metrics", "metrics"),
        ("Parameters", "params"),
        ("Tags", "tags"),
    ];
    html! {
        details.popover data-keep="columns" {
            summary.button { "Columns" span.count { (shown.len()) } }
            div.chooser {
                input type="hidden" name="columns" value="chosen";
                input type="search" placeholder="Find a column" aria-label="Find a column" data-narrow autocomplete="off";
                @for (index, (title, kind)) in kinds.iter().enumerate() {
                    @let mut names: BTreeSet<String> = known[index].iter().take(CHOICES).map(|key| format!("{kind}.{key}")).collect();
                    @let () = names.extend(shown.iter().map(Column::name).filter(|name| name.starts_with(&format!("{kind}."))));
                    @if !names.is_empty() {
                        fieldset {
                            legend { (title) }
                            @for name in &names {
                                label {
                                    input type="checkbox" name="column" value=(name) checked[shown.iter().any(|column| column.name() == *name)];
                                    span { (name.split_once('.').map_or("", |(_, key)| key)) }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn grammar() -> Markup {
    html! {
        details #grammar.grammar {
            summary { "What can be searched for" }
            ul {
                li { code { "metrics.accuracy >= 0.95" } " compares the newest value of a metric" }
                li { code { "params.optimizer = 'adam'" } ", " code { "tags.team LIKE 'img%'" } " compare texts; " code { "ILIKE" } " ignores case" }
                li { code { "attributes.status = 'FINISHED'" } ", " code { "attributes.run_name" } ", " code { "start_time" } ", " code { "user_id" } " are of the run itself" }
                li { code { "dataset.name = 'cancer'" } " asks for a dataset" }
                li { "Join them with " code { "and" } ". Quote odd names: " code { "metrics.`val loss` < 1" } }
                li { "Words alone are looked for in names of runs" }
            }
        }
    }
}

fn nothing(query: &Query, address: &str, server: &str) -> Markup {
    html! {
        @if query.search.is_empty() && !query.deleted && query.page == 1 {
            div.empty { h2 { "No runs yet" } p { "They appear here as soon as a client logs them." } }
            (begin(server))
        } @else {
            div.empty {
                h2 { @if query.deleted { "No deleted run" } @else { "No run fits the filter" } }
                p { a href=(address) { "Show all" } }
            }
        }
    }
}

/// The form around the table: what is done with the runs that are selected.
fn selection(
    visitor: &Visitor,
    address: &str,
    query: &Query,
    table: &Markup,
    page: &Page<Run>,
) -> Markup {
    html! {
        form method="get" action="/compare" data-selection=(query.experiment) {
            (token(visitor))
            input type="hidden" name="back" value=(query.same());
            (table)
            div.actions {
                div.selected {
                    span data-selected aria-live="polite" { "Select runs to compare them" }
                    button.primary type="submit" data-compare { "Compare" }
                    @if query.deleted {
                        button type="submit" formmethod="post" formaction=(address) name="do" value="restore-runs" data-needs-selection { "Restore" }
                    } @else {
                        button.danger type="submit" formmethod="post" formaction=(address) name="do" value="delete-runs"
                            data-needs-selection data-confirm="Delete the selected runs? They can be restored." { "Delete" }
                    }
                    button.quiet type="button" data-clear-selection hidden { "Clear" }
                }
                (pager(query, page))
            }
        }
    }
}

fn pager(query: &Query, page: &Page<Run>) -> Markup {
    let first = (query.page - 1) * super::SIZE + 1;
    html! {
        nav.pager aria-label="Pages" {
            span.quiet { "Runs " (first) "–" (first + page.items.len() - 1) }
            @if let Some(previous) = query.previous() {
                a.button rel="prev" data-previous href=(previous) { "Previous" }
            } @else if query.page > 1 {
                a.button href=(query.first()) { "First" }
            }
            @if let Some(next) = &page.next { a.button rel="next" data-next href=(query.next(next)) { "Next" } }
        }
    }
}

fn rows(page: &Page<Run>, query: &Query, columns: &[Column]) -> Markup {
    html! {
        div.scroll.tall tabindex="0" role="region" aria-label="Runs" {
            table.rows.runs data-rows
                hx-boost="true" hx-target="#found" hx-select="#found" hx-swap="outerHTML" {
                thead { tr {
                    th.select scope="col" { input type="checkbox" data-select-all aria-label="Select all runs of this page"; }
                    (heading(query, "run_name", "Run", false, None))
                    (heading(query, "status", "Status", false, None))
                    (heading(query, "start_time", "Started", false, None))
                    th.number scope="col" { "Took" }
                    @for column in columns {
                        @let kind = match column { Column::Metric(_) => "metric", Column::Parameter(_) => "parameter", Column::Tag(_) => "tag" };
                        (heading(query, &column.name(), column.key(), column.is_number(), Some(kind)))
                    }
                } }
                tbody hx-boost="false" { @for run in &page.items { (row(run, columns)) } }
            }
        }
    }
}

fn heading(query: &Query, by: &str, title: &str, numbers: bool, kind: Option<&str>) -> Markup {
    let sorted = query.is_sorted_by(by).then_some(if query.ascending {
        "ascending"
    } else {
        "descending"
    });
    html! {
        th scope="col" .number[numbers] .first[by == "run_name"] aria-sort=[sorted] {
            a href=(query.sorted(by)) title=(title) {
                @if let Some(kind) = kind { span.kind { (kind) } }
                span.title { (shorten(title, 28)) }
            }
        }
    }
}

fn row(run: &Run, columns: &[Column]) -> Markup {
    let info = &run.info;
    let metrics = values(&run.data.metrics);
    let parameters = texts(&run.data.params);
    let tags = texts(&run.data.tags);
    html! {
        tr {
            td.select { input type="checkbox" name="run" value=(info.run_id) aria-label=(format!("Select {}", info.run_name)); }
            th.first scope="row" {
                @if tags.contains_key("mlflow.parentRunId") { span.quiet title="Part of another run" { "↳ " } }
                a href=(address::run(&info.run_id)) { (shorten(name(run), 60)) }
            }
            td { (status(info.status)) }
            td { (ago(info.start_time)) }
            td.number { (took(run)) }
            @for column in columns {
                @match column {
                    Column::Metric(key) => { td.number { @if let Some(value) = metrics.get(key.as_str()) { (number(*value)) } } }
                    Column::Parameter(key) => { (text(parameters.get(key.as_str()))) }
                    Column::Tag(key) => { (text(tags.get(key.as_str()))) }
                }
            }
        }
    }
}

/// The newest values of metrics by their keys.
pub(crate) fn values(metrics: &[Metric]) -> BTreeMap<&str, f64> {
    metrics
        .iter()
        .map(|metric| (metric.key.as_str(), metric.value))
        .collect()
}

/// Parameters or tags by their keys.
pub(crate) fn texts(tags: &[Tag]) -> BTreeMap<&str, &str> {
    tags.iter()
        .map(|tag| (tag.key.as_str(), tag.value.as_str()))
        .collect()
}

fn text(value: Option<&&str>) -> Markup {
    let value = value.copied().unwrap_or_default();
    let is_number = !value.is_empty() && value.parse::<f64>().is_ok();
    let short = shorten(value, 40);
    let whole = (short != value).then(|| shorten(value, 1000));
    html! { td.number[is_number] title=[whole] { (short) } }
}

/// What a run is called: its name, or its id.
pub(crate) fn name(run: &Run) -> &str {
    if run.info.run_name.is_empty() {
        &run.info.run_id
    } else {
        &run.info.run_name
    }
}

/// The state of a run as a coloured word.
pub(crate) fn status(status: RunStatus) -> Markup {
    let (class, word) = match status {
        RunStatus::Running => ("running", "running"),
        RunStatus::Scheduled => ("scheduled", "scheduled"),
        RunStatus::Finished => ("finished", "finished"),
        RunStatus::Failed => ("failed", "failed"),
        RunStatus::Killed => ("failed", "killed"),
    };
    html! { span class=(format!("status {class}")) { (word) } }
}

/// How long a run took, or has been running.
pub(crate) fn took(run: &Run) -> String {
    let info = &run.info;
    match (info.end_time, info.status) {
        (Some(end), _) => duration(end - info.start_time),
        (None, RunStatus::Running) => duration(now() - info.start_time),
        _ => "–".into(),
    }
}
