//! Registered models, their versions, and logged models; what is encrypted shows its report.

mod logged;
mod picture;
mod registered;
mod report;
mod version;

pub(crate) use logged::logged;

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderMap, Response};
use hush_tracking::Holder;
use hush_tracking::wire::{Page, RegisteredModel};
use serde_json::Value;

use crate::address::{self, Parameters};
use crate::answer::{self, Failure, Result, or_failure, see};
use crate::experiments::server;
use crate::files::beginning;
use crate::pages::Pages;
use crate::visitor::{Submitted, Visitor};

/// Models on a page, and versions of a model.
const SIZE: usize = 100;
const VERSIONS: usize = 200;
/// Bytes of a report that are read.
const REPORT: usize = 8 << 20;

/// All models.
pub(crate) async fn list(
    State(pages): State<Pages>,
    headers: HeaderMap,
    visitor: Visitor,
) -> Response<Body> {
    let query = Parameters::of(&visitor.address);
    let (search, at) = (query.text("q").trim(), query.text("at"));
    let server = server(&pages, &headers);
    let found = find(&pages, &visitor, search, at).await;
    answer::searched(&visitor, found, |found| {
        registered::list(&visitor, search, found, &server)
    })
}

async fn find(
    pages: &Pages,
    visitor: &Visitor,
    search: &str,
    at: &str,
) -> Result<Page<RegisteredModel>> {
    let filter = match search {
        "" => String::new(),
        comparison if comparison.contains(['=', '<', '>', '\'']) => comparison.to_owned(),
        words => format!("name ILIKE '%{words}%'"),
    };
    let order = [String::from("last_updated_timestamp DESC")];
    let token = (!at.is_empty()).then_some(at);
    Ok(pages
        .tracking()
        .search_registered_models(visitor.caller()?, &filter, &order, SIZE, token)
        .await?)
}

/// Makes a model and shows it.
pub(crate) async fn create(State(pages): State<Pages>, form: Submitted) -> Response<Body> {
    let made = async {
        let (name, description) = (
            form.fields.text("name").trim(),
            form.fields.text("description"),
        );
        let caller = form.visitor.caller()?;
        Ok(pages
            .tracking()
            .create_registered_model(caller, name, description, Vec::new())
            .await?)
    };
    let made: Result<RegisteredModel> = made.await;
    or_failure(
        &form.visitor,
        made.map(|model| see(&address::model(&model.name))),
    )
}

/// One model with its versions.
pub(crate) async fn model(
    State(pages): State<Pages>,
    Path(name): Path<String>,
    headers: HeaderMap,
    visitor: Visitor,
) -> Response<Body> {
    let shown = async {
        let (tracking, caller) = (pages.tracking(), visitor.caller()?);
        let model = tracking.registered_model(caller, &name).await?;
        let filter = format!("name = '{}'", name.replace('\'', "''"));
        let order = [String::from("version_number DESC")];
        let versions = tracking
            .search_versions(caller, &filter, &order, VERSIONS, None)
            .await?;
        let server = server(&pages, &headers);
        Ok(registered::model(&visitor, &model, &versions, &server))
    };
    answer::shown(&visitor, shown.await)
}

/// Changes a model as a form says.
pub(crate) async fn change_model(
    State(pages): State<Pages>,
    Path(name): Path<String>,
    form: Submitted,
) -> Response<Body> {
    let changed = async {
        let (tracking, caller) = (pages.tracking(), form.visitor.caller()?);
        let here = address::model(&name);
        let text = |field: &str| form.fields.text(field).trim();
        match text("do") {
            "describe" => drop(
                tracking
                    .describe_registered_model(caller, &name, form.fields.text("description"))
                    .await?,
            ),
            "rename" => {
                let renamed = tracking
                    .rename_registered_model(caller, &name, text("name"))
                    .await?;
                return Ok(see(&address::model(&renamed.name)));
            }
            "alias" => {
                tracking
                    .set_alias(
                        caller,
                        &name,
                        text("alias").trim_start_matches('@'),
                        text("version"),
                    )
                    .await?
            }
            "delete-alias" => tracking.delete_alias(caller, &name, text("alias")).await?,
            "tag" => {
                tracking
                    .tag_registered_model(
                        caller,
                        &name,
                        text("key"),
                        Some(form.fields.text("value")),
                    )
                    .await?
            }
            "delete" => {
                tracking.delete_registered_model(caller, &name).await?;
                return Ok(see("/models"));
            }
            _ => return Err(Failure::no_action()),
        }
        Ok(see(&here))
    };
    or_failure(&form.visitor, changed.await)
}

/// One version with its report.
pub(crate) async fn version(
    State(pages): State<Pages>,
    Path((name, number)): Path<(String, String)>,
    headers: HeaderMap,
    visitor: Visitor,
) -> Response<Body> {
    let shown = async {
        let version = pages
            .tracking()
            .version(visitor.caller()?, &name, &number)
            .await?;
        let mut tags = version.tags.iter();
        let report = match tags.any(|tag| tag.key.starts_with(report::PREFIX)) {
            true => read_report(&pages, &visitor, &Holder::Version(name, number)).await,
            false => None,
        };
        let server = server(&pages, &headers);
        Ok(version::version(
            &visitor,
            &version,
            report.as_ref(),
            &server,
        ))
    };
    answer::shown(&visitor, shown.await)
}

/// The compiler's report among the files of a model, if it is there and can be read.
async fn read_report(pages: &Pages, visitor: &Visitor, holder: &Holder) -> Option<Value> {
    let caller = visitor.caller().ok()?;
    for path in ["report.json", "hush/report.json"] {
        let Ok(file) = pages.tracking().file(caller, holder, path).await else {
            continue;
        };
        let (bytes, whole) = beginning(file.body, REPORT).await.ok()?;
        if whole && let Ok(report) = serde_json::from_slice(&bytes) {
            return Some(report);
        }
    }
    None
}

/// Changes a version as a form says.
pub(crate) async fn change_version(
    State(pages): State<Pages>,
    Path((name, number)): Path<(String, String)>,
    form: Submitted,
) -> Response<Body> {
    let changed = async {
        let (tracking, caller) = (pages.tracking(), form.visitor.caller()?);
        let here = address::version(&name, &number);
        let text = |field: &str| form.fields.text(field).trim();
        match text("do") {
            "describe" => drop(
                tracking
                    .describe_version(caller, &name, &number, form.fields.text("description"))
                    .await?,
            ),
            "alias" => {
                tracking
                    .set_alias(
                        caller,
                        &name,
                        text("alias").trim_start_matches('@'),
                        &number,
                    )
                    .await?
            }
            "delete-alias" => tracking.delete_alias(caller, &name, text("alias")).await?,
            "stage" => drop(
                tracking
                    .move_version(
                        caller,
                        &name,
                        &number,
                        text("stage"),
                        form.fields.has("archive"),
                    )
                    .await?,
            ),
            "tag" => {
                tracking
                    .tag_version(
                        caller,
                        &name,
                        &number,
                        text("key"),
                        Some(form.fields.text("value")),
                    )
                    .await?
            }
            "delete" => {
                tracking.delete_version(caller, &name, &number).await?;
                return Ok(see(&address::model(&name)));
            }
            _ => return Err(Failure::no_action()),
        }
        Ok(see(&here))
    };
    or_failure(&form.visitor, changed.await)
}
