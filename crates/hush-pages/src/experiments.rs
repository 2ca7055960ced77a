//! All experiments, and making one.

use axum::body::Body;
use axum::extract::State;
use axum::http::header::HOST;
use axum::http::{HeaderMap, Response};
use hush_tracking::wire::{Experiment, Lifecycle, Page, View};
use maud::{Markup, html};

use crate::address::{self, Parameters, link};
use crate::answer::{self, Result, or_failure, see};
use crate::document::{Frame, Section, code_block, command, document, token};
use crate::format::{ago, shorten};
use crate::forms;
use crate::pages::Pages;
use crate::visitor::{Submitted, Visitor};

/// Experiments on a page.
const SIZE: usize = 100;

/// What is asked for.
#[derive(Clone, Debug, Default)]
struct Query {
    search: String,
    deleted: bool,
    at: String,
}

impl Query {
    fn read(address: &str) -> Self {
        let query = Parameters::of(address);
        Self {
            search: query.text("q").trim().to_owned(),
            deleted: query.text("view") == "deleted",
            at: query.text("at").to_owned(),
        }
    }

    fn filter(&self) -> String {
        if self.search.is_empty() {
            return String::new();
        }
        // What looks like a comparison is one; other words are part of a name.
        if self.search.contains(['=', '<', '>', '\'']) {
            return self.search.clone();
        }
        format!("name ILIKE '%{}%'", self.search)
    }

    fn to(&self, at: &str) -> String {
        let view = if self.deleted { "deleted" } else { "" };
        link(
            "/experiments",
            [("q", self.search.as_str()), ("view", view), ("at", at)],
        )
    }
}

/// The page.
pub(crate) async fn list(
    State(pages): State<Pages>,
    headers: HeaderMap,
    visitor: Visitor,
) -> Response<Body> {
    let query = Query::read(&visitor.address);
    let server = server(&pages, &headers);
    let found = find(&pages, &visitor, &query).await;
    answer::searched(&visitor, found, |found| {
        render(&visitor, &query, found, &server)
    })
}

async fn find(pages: &Pages, visitor: &Visitor, query: &Query) -> Result<Page<Experiment>> {
    let view = if query.deleted {
        View::Deleted
    } else {
        View::Active
    };
    let order = [String::from("last_update_time DESC")];
    let token = (!query.at.is_empty()).then_some(query.at.as_str());
    let filter = query.filter();
    Ok(pages
        .tracking()
        .search_experiments(visitor.caller()?, view, &filter, &order, SIZE, token)
        .await?)
}

/// The address that clients are told to use.
pub(crate) fn server(pages: &Pages, headers: &HeaderMap) -> String {
    let host = headers.get(HOST).and_then(|host| host.to_str().ok());
    // The host is the visitor's own word: shown to nobody else, and only if it looks like one.
    let plain = |host: &&str| {
        host.bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b".-:[]".contains(&byte))
    };
    let host = host.filter(plain).unwrap_or("localhost:5000");
    format!(
        "{}://{host}",
        if pages.is_secure() { "https" } else { "http" }
    )
}

fn render(
    visitor: &Visitor,
    query: &Query,
    found: std::result::Result<&Page<Experiment>, &str>,
    server: &str,
) -> Markup {
    let frame = Frame::new("Experiments").section(Section::Experiments);
    let body = html! {
        div.head {
            h1 { "Experiments" }
            details.popover.right {
                summary.button.primary { "New experiment" }
                form.stack method="post" action="/experiments" {
                    (token(visitor))
                    label for="name" { "Name" }
                    input #name name="name" required maxlength="500" autocomplete="off" placeholder="cancer-screening";
                    button.primary type="submit" { "Create" }
                }
            }
        }
        form.bar method="get" action="/experiments" role="search" data-live-search
            hx-get="/experiments" hx-target="#found" hx-select="#found" hx-swap="outerHTML" hx-push-url="true"
            hx-trigger="input changed delay:250ms from:#search, submit, change" {
            input #search.search type="search" name="q" value=(query.search) placeholder="Search by name, or tags.team = 'imaging'"
                aria-label="Search experiments" autocomplete="off" spellcheck="false" data-search;
            (forms::view(query.deleted))
            noscript { button type="submit" { "Search" } }
        }
        div #found {
            @match found {
                Err(problem) => { p.problem role="alert" { (problem) } }
                Ok(page) => { (rows(query, page, server)) }
            }
        }
    };
    document(visitor, &frame, body)
}

fn rows(query: &Query, page: &Page<Experiment>, server: &str) -> Markup {
    let only_default = page.items.len() == 1 && page.items[0].experiment_id == "0";
    html! {
        @if page.items.is_empty() {
            div.empty {
                h2 { @if query.deleted { "Nothing was deleted" } @else { "No experiment has such a name" } }
                @if !query.search.is_empty() { p { a href="/experiments" { "Show all" } } }
            }
        } @else {
            div.scroll tabindex="0" role="region" aria-label="Experiments" {
                table.rows data-rows {
                    thead { tr {
                        th scope="col" { "Name" }
                        th scope="col" { "Id" }
                        th scope="col" { "Tags" }
                        th scope="col" { "Updated" }
                        th scope="col" { "Created" }
                    } }
                    tbody {
                        @for experiment in &page.items { (row(experiment)) }
                    }
                }
            }
        }
        nav.pager aria-label="Pages" {
            @if !query.at.is_empty() { a rel="first" href=(query.to("")) { "First page" } }
            @if let Some(next) = &page.next { a.button rel="next" data-next href=(query.to(next)) { "Next page" } }
        }
        @if only_default && query.search.is_empty() && !query.deleted { (begin(server)) }
    }
}

fn row(experiment: &Experiment) -> Markup {
    let address = address::experiment(&experiment.experiment_id);
    let tags = experiment
        .tags
        .iter()
        .filter(|tag| !tag.key.starts_with("mlflow."));
    html! {
        tr {
            th scope="row" { a href=(address) { (experiment.name) }
                @if experiment.lifecycle_stage == Lifecycle::Deleted { " " span.chip { "deleted" } } }
            td.quiet { (experiment.experiment_id) }
            td { @for tag in tags.take(4) { span.tag { span.quiet { (shorten(&tag.key, 24)) } " " (shorten(&tag.value, 32)) } } }
            td { (ago(experiment.last_update_time)) }
            td { (ago(experiment.creation_time)) }
        }
    }
}

/// What to type first.
pub(crate) fn begin(server: &str) -> Markup {
    html! {
        section.panel.begin aria-labelledby="begin" {
            h2 #begin { "Log a first run" }
            p { "Any MLflow client works. Point it here:" }
            (command(&format!("export MLFLOW_TRACKING_URI={server}")))
            p { "and log something:" }
            (code_block("import mlflow\n\nmlflow.set_experiment(\"first-steps\")\nwith mlflow.start_run():\n    mlflow.log_param(\"rate\", 0.01)\n    for step in range(100):\n        mlflow.log_metric(\"loss\", 1 / (step + 1), step=step)"))
        }
    }
}

/// Makes an experiment and shows it.
pub(crate) async fn create(State(pages): State<Pages>, form: Submitted) -> Response<Body> {
    let made = async {
        let name = form.fields.text("name").trim();
        let caller = form.visitor.caller()?;
        Ok(pages
            .tracking()
            .create_experiment(caller, name, None, Vec::new())
            .await?)
    };
    let made: Result<String> = made.await;
    or_failure(&form.visitor, made.map(|id| see(&address::experiment(&id))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use hush_tracking::wire::Tag;

    #[test]
    fn names_and_tags_are_text() {
        let hostile = "<img src=x onerror=alert(1)>\"'";
        let experiment = Experiment {
            experiment_id: "7".into(),
            name: hostile.into(),
            artifact_location: String::new(),
            lifecycle_stage: Lifecycle::Active,
            last_update_time: 1,
            creation_time: 1,
            tags: vec![Tag {
                key: hostile.into(),
                value: hostile.into(),
            }],
        };
        let page = Page {
            items: vec![experiment],
            next: Some(hostile.into()),
        };
        let query = Query {
            search: hostile.into(),
            ..Query::default()
        };
        let page = render(
            &Visitor::for_tests(),
            &query,
            Ok(&page),
            "http://localhost:5000",
        )
        .into_string();
        assert!(
            !page.contains("<img") && page.contains("&lt;img src=x onerror=alert(1)&gt;&quot;'"),
            "{page}"
        );
    }

    #[test]
    fn words_search_names_and_comparisons_are_filters() {
        let filter = |search: &str| {
            Query {
                search: search.into(),
                ..Query::default()
            }
            .filter()
        };
        assert_eq!(filter("cancer 2"), "name ILIKE '%cancer 2%'");
        assert_eq!(filter("tags.team = 'x'"), "tags.team = 'x'");
        assert_eq!(filter(""), "");
    }
}
