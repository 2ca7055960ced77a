//! The table of an experiment's runs: search, sort, columns, pages, selection.

mod query;
mod table;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response};
use hush_tracking::wire::{Experiment, Page, Run, View};

use crate::address;
use crate::answer::{self, Failure, Result, or_failure, see};
use crate::experiments::server;
use crate::pages::Pages;
use crate::visitor::{Submitted, Visitor};
use query::Query;
pub(crate) use table::{name, status, texts, took, values};

/// Runs on a page.
const SIZE: usize = 100;

/// The page.
pub(crate) async fn table(
    State(pages): State<Pages>,
    Path(id): Path<String>,
    headers: HeaderMap,
    visitor: Visitor,
) -> Response<Body> {
    let query = Query::read(&id, &visitor.address);
    let experiment = match experiment(&pages, &visitor, &id).await {
        Ok(experiment) => experiment,
        Err(failure) => return answer::failure(&visitor, &failure),
    };
    let server = server(&pages, &headers);
    let found = find(&pages, &visitor, &query).await;
    answer::searched(&visitor, found, |found| {
        table::render(&visitor, &experiment, &query, found, &server)
    })
}

async fn experiment(pages: &Pages, visitor: &Visitor, id: &str) -> Result<Experiment> {
    Ok(pages.tracking().experiment(visitor.caller()?, id).await?)
}

async fn find(pages: &Pages, visitor: &Visitor, query: &Query) -> Result<Page<Run>> {
    let view = if query.deleted {
        View::Deleted
    } else {
        View::Active
    };
    let token = (!query.at.is_empty()).then_some(query.at.as_str());
    let experiments = [query.experiment.clone()];
    let (filter, order) = (query.filter(), query.order());
    let found = pages.tracking().search_runs(
        visitor.caller()?,
        &experiments,
        view,
        &filter,
        &order,
        SIZE,
        token,
    );
    Ok(found.await?)
}

/// Most runs that one form changes.
const MOST: usize = 1000;

/// Deletes or restores runs, or deletes, restores or renames the experiment.
pub(crate) async fn change(
    State(pages): State<Pages>,
    Path(id): Path<String>,
    form: Submitted,
) -> Response<Body> {
    let changed = async {
        let (tracking, caller) = (pages.tracking(), form.visitor.caller()?);
        let here = address::experiment(&id);
        match form.fields.text("do") {
            action @ ("delete-runs" | "restore-runs") => {
                let runs = form.fields.all("run");
                if runs.len() > MOST {
                    return Err(Failure::invalid(format!("at most {MOST} runs at a time")));
                }
                for run in &runs {
                    tracking
                        .delete_run(caller, run, action == "delete-runs")
                        .await?;
                }
                let back = form.fields.text("back");
                Ok(see(if address::is_local(back) { back } else { &here }))
            }
            "rename" => {
                tracking
                    .rename_experiment(caller, &id, form.fields.text("name").trim())
                    .await?;
                Ok(see(&here))
            }
            "describe" => {
                let description = form.fields.text("description");
                tracking
                    .tag_experiment(caller, &id, "mlflow.note.content", Some(description))
                    .await?;
                Ok(see(&here))
            }
            "delete" => {
                tracking.delete_experiment(caller, &id, true).await?;
                Ok(see("/experiments"))
            }
            "restore" => {
                tracking.delete_experiment(caller, &id, false).await?;
                Ok(see(&here))
            }
            _ => Err(Failure::no_action()),
        }
    };
    or_failure(&form.visitor, changed.await)
}
