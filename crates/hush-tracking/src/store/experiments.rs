//! Experiments.

use super::search::Seen;
use super::tags::{EXPERIMENT_TAGS, changed};
use super::{ARTIFACTS_SCHEME, Tracking};
use crate::caller::Resource;
use crate::database::{Row, Session, values};
use crate::filter::{self, Operand, Ordered, Query, compare};
use crate::wire::{Experiment, Lifecycle, Page, Tag, View};
use crate::{Caller, ErrorCode, Permission, TrackingError, limits, time};

type Result<T> = std::result::Result<T, TrackingError>;

const COLUMNS: &str =
    "SELECT id, name, artifact_location, deleted, created, updated FROM experiments";

fn read(row: &Row<'_>) -> Result<(i64, Experiment)> {
    let id = row.integer(0)?;
    let experiment = Experiment {
        experiment_id: id.to_string(),
        name: row.text(1)?,
        artifact_location: row.text(2)?,
        lifecycle_stage: Lifecycle::of(row.truth(3)?),
        creation_time: row.integer(4)?,
        last_update_time: row.integer(5)?,
        tags: Vec::new(),
    };
    Ok((id, experiment))
}

/// The experiment of a number; refuses if there is none.
pub(super) fn experiment(session: &mut Session<'_>, id: i64) -> Result<Experiment> {
    let found = session.query_first(&format!("{COLUMNS} WHERE id = ?"), &values![id], read)?;
    let (_, mut experiment) = found
        .ok_or_else(|| TrackingError::missing(format!("No Experiment with id={id} exists")))?;
    experiment.tags = EXPERIMENT_TAGS.of(session, id)?;
    Ok(experiment)
}

/// The experiment of a number, which the caller may change; refuses one that was deleted.
pub(super) fn editable(session: &mut Session<'_>, caller: &Caller, id: i64) -> Result<Experiment> {
    caller.require(session, Permission::Edit, Resource::Experiment(id))?;
    let experiment = experiment(session, id)?;
    match experiment.lifecycle_stage {
        Lifecycle::Active => Ok(experiment),
        Lifecycle::Deleted => Err(TrackingError::invalid(format!(
            "The experiment {} must be in the 'active' state. Current state is deleted.",
            experiment.experiment_id
        ))),
    }
}

/// Those of the numbers that the caller may see.
pub(super) fn visible(
    session: &mut Session<'_>,
    caller: &Caller,
    ids: Vec<i64>,
) -> Result<Vec<i64>> {
    if caller.administrator {
        return Ok(ids);
    }
    let mut seen = Vec::with_capacity(ids.len());
    for id in ids {
        if caller.permission(session, Resource::Experiment(id))? >= Permission::Read {
            seen.push(id);
        }
    }
    Ok(seen)
}

impl Tracking {
    pub(super) async fn make_default_experiment(&self) -> Result<()> {
        let work = |session: &mut Session<'_>| {
            let count = session.number("SELECT count(*) FROM experiments", &[])?;
            if count == 0 {
                let (now, location) = (time::now(), format!("{ARTIFACTS_SCHEME}0"));
                session.execute(
                    "INSERT INTO experiments (id, name, artifact_location, created, updated) VALUES (0, 'Default', ?, ?, ?)
                     ON CONFLICT (id) DO NOTHING",
                    &values![location, now, now],
                )?;
            }
            Ok(())
        };
        self.database().write(work).await
    }

    /// Makes an experiment; its number. Its artifacts lie with the server's unless `location` says otherwise.
    ///
    /// # Errors
    /// The name is none or taken.
    pub async fn create_experiment(
        &self,
        caller: &Caller,
        name: &str,
        location: Option<&str>,
        tags: Vec<Tag>,
    ) -> Result<String> {
        limits::experiment_name(name)?;
        for tag in &tags {
            limits::exact_tag(tag, limits::EXPERIMENT_TAG_VALUE)?;
        }
        let location = location
            .filter(|location| !location.is_empty())
            .map(str::to_owned);
        if let Some(location) = &location {
            if location.starts_with("runs:") {
                return Err(TrackingError::invalid(format!(
                    "Artifact location cannot be a runs:/ URI. Given: '{location}'"
                )));
            }
            limits::length("artifact_location", 2048, location)?;
        }
        let (caller, name) = (caller.clone(), name.to_owned());
        let work = move |session: &mut Session<'_>| {
            let now = time::now();
            let id = session.query_first(
                "INSERT INTO experiments (name, artifact_location, created, updated) VALUES (?, '', ?, ?)
                 ON CONFLICT (name) DO NOTHING RETURNING id",
                &values![&name, now, now],
                |row| row.integer(0),
            )?;
            let id = id.ok_or_else(|| {
                TrackingError::new(
                    ErrorCode::ResourceAlreadyExists,
                    format!("Experiment(name={name}) already exists."),
                )
            })?;
            let location = location
                .clone()
                .unwrap_or_else(|| format!("{ARTIFACTS_SCHEME}{id}"));
            session.execute(
                "UPDATE experiments SET artifact_location = ? WHERE id = ?",
                &values![location, id],
            )?;
            EXPERIMENT_TAGS.set(session, id, &tags)?;
            if !caller.administrator {
                caller.own(session, Resource::Experiment(id))?;
            }
            Ok(id.to_string())
        };
        self.database().write(work).await
    }

    /// An experiment by its number.
    ///
    /// # Errors
    /// There is none.
    pub async fn experiment(&self, caller: &Caller, id: &str) -> Result<Experiment> {
        let (caller, id) = (caller.clone(), limits::experiment_id(id)?);
        let work = move |session: &mut Session<'_>| {
            caller.require(session, Permission::Read, Resource::Experiment(id))?;
            experiment(session, id)
        };
        self.database().read(work).await
    }

    /// An experiment by its name.
    ///
    /// # Errors
    /// There is none.
    pub async fn experiment_by_name(&self, caller: &Caller, name: &str) -> Result<Experiment> {
        let (caller, name) = (caller.clone(), name.to_owned());
        let work = move |session: &mut Session<'_>| {
            let sql = "SELECT id FROM experiments WHERE name = ?";
            let id = session.query_first(sql, &values![&name], |row| row.integer(0))?;
            let id = id.ok_or_else(|| {
                TrackingError::missing(format!("Could not find experiment with name '{name}'"))
            })?;
            caller.require(session, Permission::Read, Resource::Experiment(id))?;
            experiment(session, id)
        };
        self.database().read(work).await
    }

    /// Renames an experiment.
    ///
    /// # Errors
    /// There is none, it was deleted, or the name is taken.
    pub async fn rename_experiment(&self, caller: &Caller, id: &str, name: &str) -> Result<()> {
        limits::experiment_name(name)?;
        let (caller, id, name) = (caller.clone(), limits::experiment_id(id)?, name.to_owned());
        let work = move |session: &mut Session<'_>| {
            caller.require(session, Permission::Edit, Resource::Experiment(id))?;
            if experiment(session, id)?.lifecycle_stage == Lifecycle::Deleted {
                let message = "Cannot rename a non-active experiment.";
                return Err(TrackingError::new(ErrorCode::InvalidState, message));
            }
            let taken = session.number(
                "SELECT count(*) FROM experiments WHERE name = ? AND id <> ?",
                &values![&name, id],
            )?;
            if taken > 0 {
                let message = format!("Experiment(name={name}) already exists.");
                return Err(TrackingError::new(
                    ErrorCode::ResourceAlreadyExists,
                    message,
                ));
            }
            let sql = "UPDATE experiments SET name = ?, updated = ? WHERE id = ?";
            session
                .execute(sql, &values![&name, time::now(), id])
                .map(drop)
        };
        self.database().write(work).await
    }

    /// Deletes an experiment and its runs, which can be brought back, or brings them back.
    ///
    /// # Errors
    /// There is none.
    pub async fn delete_experiment(&self, caller: &Caller, id: &str, deleted: bool) -> Result<()> {
        let (caller, id) = (caller.clone(), limits::experiment_id(id)?);
        let work = move |session: &mut Session<'_>| {
            caller.require(session, Permission::Manage, Resource::Experiment(id))?;
            let changed = session.execute(
                "UPDATE experiments SET deleted = ?, updated = ? WHERE id = ? AND deleted <> ?",
                &values![deleted, time::now(), id, deleted],
            )?;
            if changed == 0 {
                return Err(TrackingError::missing(format!(
                    "No Experiment with id={id} exists"
                )));
            }
            session
                .execute(
                    "UPDATE runs SET deleted = ? WHERE experiment = ?",
                    &values![deleted, id],
                )
                .map(drop)
        };
        self.database().write(work).await
    }

    /// Sets a tag of an experiment, or removes it if it gets no value.
    ///
    /// # Errors
    /// There is no such experiment or tag, or the experiment was deleted.
    pub async fn tag_experiment(
        &self,
        caller: &Caller,
        id: &str,
        key: &str,
        value: Option<&str>,
    ) -> Result<()> {
        let (tag, set) = changed(key, value, limits::EXPERIMENT_TAG_VALUE)?;
        let (caller, id) = (caller.clone(), limits::experiment_id(id)?);
        let work = move |session: &mut Session<'_>| {
            editable(session, &caller, id)?;
            if set {
                return EXPERIMENT_TAGS.set(session, id, std::slice::from_ref(&tag));
            }
            if EXPERIMENT_TAGS.remove(session, id, &tag.key)? {
                return Ok(());
            }
            let key = &tag.key;
            Err(TrackingError::missing(format!(
                "No tag with name: {key} in experiment with id {id}"
            )))
        };
        self.database().write(work).await
    }

    /// Searches experiments by filter and order, newest change first unless told otherwise.
    ///
    /// # Errors
    /// What cannot be read or compared.
    pub async fn search_experiments(
        &self,
        caller: &Caller,
        view: View,
        filter: &str,
        order: &[String],
        size: usize,
        token: Option<&str>,
    ) -> Result<Page<Experiment>> {
        let query = search(view, filter, order)?;
        let seen = Seen::Granted("experiment", "CAST(e.id AS TEXT)");
        self.found(caller, query, seen, size, token, whole).await
    }
}

/// Experiments by their numbers, in that order.
fn whole(session: &mut Session<'_>, ids: &[i64]) -> Result<Vec<Experiment>> {
    let sql = format!("{COLUMNS} WHERE id = ANY(?)");
    let found = session.query(&sql, &values![ids.to_vec()], read)?;
    let mut tags = EXPERIMENT_TAGS.of_all(session, ids)?;
    let mut found: std::collections::HashMap<i64, Experiment> = found.into_iter().collect();
    let whole = |id: &i64| {
        let mut experiment = found.remove(id)?;
        experiment.tags = tags.remove(id).unwrap_or_default();
        Some(experiment)
    };
    Ok(ids.iter().filter_map(whole).collect())
}

/// The columns that searches may name; the flag says which are numbers.
fn column(key: &str) -> Option<(&'static str, bool)> {
    match key {
        "experiment_id" => Some(("e.id", true)),
        "name" => Some(("e.name", false)),
        "creation_time" => Some(("e.created", true)),
        "last_update_time" => Some(("e.updated", true)),
        _ => None,
    }
}

fn search(view: View, filter: &str, order: &[String]) -> Result<Query> {
    let mut query = Query::new("e.id", "experiments e");
    match view {
        View::Active => query.filter("e.deleted = 0", []),
        View::Deleted => query.filter("e.deleted = 1", []),
        View::All => {}
    }
    for comparison in filter::parse(filter)? {
        let operator = comparison.operator;
        match comparison.entity.as_deref() {
            Some("tag" | "tags") => {
                super::run_search::tag(&mut query, &EXPERIMENT_TAGS, "e.id", &comparison)?
            }
            None | Some("attribute" | "attributes" | "attr") => {
                let (column, number) =
                    column(&comparison.key).ok_or_else(|| attribute(&comparison.key))?;
                let fits = match (&comparison.operand, number) {
                    (Operand::Number(_), true) => operator.compares_numbers(),
                    (Operand::Text(_), false) => operator.compares_texts(),
                    _ => false,
                };
                if !fits {
                    return Err(TrackingError::invalid(format!(
                        "Invalid comparator '{}' not one of '{{'=', '!=', 'LIKE', 'ILIKE'}}' for attribute '{}'",
                        operator.name(),
                        comparison.key
                    )));
                }
                let (text, values) = compare(column, operator, &comparison.operand);
                query.filter(text, values);
            }
            Some(entity) => return Err(super::run_search::entity(entity)),
        }
    }
    for clause in order {
        let by = filter::order(clause)?;
        if !matches!(
            by.entity.as_deref(),
            None | Some("attribute" | "attributes" | "attr")
        ) {
            let entity = by.entity.unwrap_or_default();
            return Err(TrackingError::invalid(format!(
                "Invalid order_by entity: {entity}"
            )));
        }
        let column = column(&by.key).ok_or_else(|| attribute(&by.key))?;
        query.order(Ordered::column(column, by.ascending));
    }
    if order.is_empty() {
        query.order(Ordered::integer("e.created", false));
    }
    query.order(Ordered::integer("e.id", false));
    Ok(query)
}

fn attribute(key: &str) -> TrackingError {
    TrackingError::invalid(format!(
        "Invalid attribute key '{key}' specified. Valid keys are '{{'creation_time', 'experiment_id', 'last_update_time', \
         'name'}}'"
    ))
}
