//! Datasets for the evaluation of language models: stored and given back.

use std::collections::HashMap;

use serde_json::{Map, Value as Json, json};

use super::search::experiment_ids;
use super::tags::EVALUATION_TAGS;
use super::{Tracking, run_search};
use crate::caller::Resource;
use crate::database::{Row, Session, values};
use crate::filter::{self, Operand, Ordered, Query, compare};
use crate::wire::{EvaluationDataset, Page, Tag};
use crate::{Caller, Permission, TrackingError, limits, time};

type Result<T> = std::result::Result<T, TrackingError>;

/// What a new dataset begins with.
#[derive(Clone, Debug, Default)]
pub(crate) struct NewEvaluationDataset {
    pub(crate) name: String,
    pub(crate) experiments: Vec<String>,
    pub(crate) schema: Option<String>,
    pub(crate) profile: Option<String>,
    pub(crate) created_by: Option<String>,
    pub(crate) tags: Vec<Tag>,
}

fn read(row: &Row<'_>) -> Result<(i64, EvaluationDataset)> {
    let dataset = EvaluationDataset {
        dataset_id: row.text(1)?,
        name: row.text(2)?,
        digest: row.optional_text(3)?,
        schema: row.optional_text(4)?,
        profile: row.optional_text(5)?,
        created_time: row.integer(6)?,
        last_update_time: row.integer(7)?,
        created_by: row.optional_text(8)?,
        last_updated_by: row.optional_text(9)?,
        tags: None,
        experiment_ids: Vec::new(),
    };
    Ok((row.integer(0)?, dataset))
}

/// The number of a dataset that the caller may treat so: one of its experiments decides.
fn stored(
    session: &mut Session<'_>,
    caller: &Caller,
    dataset_id: &str,
    needed: Permission,
) -> Result<i64> {
    let sql = "SELECT id FROM evaluation_datasets WHERE dataset_id = ?";
    let id = session.query_first(sql, &values![dataset_id], |row| row.integer(0))?;
    let id = id.ok_or_else(|| {
        TrackingError::missing(format!(
            "Evaluation dataset with id '{dataset_id}' not found"
        ))
    })?;
    if caller.administrator {
        return Ok(id);
    }
    let experiments = experiments_of(session, &[id])?
        .remove(&id)
        .unwrap_or_default();
    if experiments.is_empty() && caller.default >= needed {
        return Ok(id);
    }
    let mut last = Err(TrackingError::new(
        crate::ErrorCode::PermissionDenied,
        "Permission denied",
    ));
    for experiment in experiments {
        last = caller
            .require(session, needed, Resource::Experiment(experiment))
            .map(|()| id);
        if last.is_ok() {
            break;
        }
    }
    last
}

fn experiments_of(session: &mut Session<'_>, ids: &[i64]) -> Result<HashMap<i64, Vec<i64>>> {
    let mut all: HashMap<i64, Vec<i64>> = HashMap::new();
    session.query(
        "SELECT dataset, experiment FROM evaluation_dataset_experiments WHERE dataset = ANY(?) ORDER BY dataset, experiment",
        &values![ids.to_vec()],
        |row| {
            all.entry(row.integer(0)?).or_default().push(row.integer(1)?);
            Ok(())
        },
    )?;
    Ok(all)
}

fn whole(session: &mut Session<'_>, ids: &[i64]) -> Result<Vec<EvaluationDataset>> {
    let found = session.query(
        "SELECT id, dataset_id, name, digest, schema, profile, created, updated, created_by, updated_by
         FROM evaluation_datasets WHERE id = ANY(?)",
        &values![ids.to_vec()],
        read,
    )?;
    let mut datasets: HashMap<i64, EvaluationDataset> = found.into_iter().collect();
    let mut tags = EVALUATION_TAGS.of_all(session, ids)?;
    let mut experiments = experiments_of(session, ids)?;
    let dataset = |id: &i64| {
        let mut dataset = datasets.remove(id)?;
        let own: Map<String, Json> = tags
            .remove(id)
            .unwrap_or_default()
            .into_iter()
            .map(|tag| (tag.key, tag.value.into()))
            .collect();
        dataset.tags = Some(Json::Object(own).to_string());
        dataset.experiment_ids = experiments
            .remove(id)
            .unwrap_or_default()
            .iter()
            .map(i64::to_string)
            .collect();
        Some(dataset)
    };
    Ok(ids.iter().filter_map(dataset).collect())
}

fn one(session: &mut Session<'_>, id: i64) -> Result<EvaluationDataset> {
    let dataset = whole(session, &[id])?.pop();
    dataset.ok_or_else(|| TrackingError::internal("a dataset", &"it went away"))
}

fn link(
    session: &mut Session<'_>,
    caller: &Caller,
    dataset: i64,
    experiments: &[String],
) -> Result<()> {
    for experiment in experiments {
        let experiment = limits::experiment_id(experiment)?;
        caller.require(session, Permission::Edit, Resource::Experiment(experiment))?;
        super::experiments::experiment(session, experiment)?;
        session.execute(
            "INSERT INTO evaluation_dataset_experiments (dataset, experiment) VALUES (?, ?)
             ON CONFLICT (dataset, experiment) DO NOTHING",
            &values![dataset, experiment],
        )?;
    }
    Ok(())
}

fn touch(session: &mut Session<'_>, id: i64, by: Option<&String>) -> Result<()> {
    session
        .execute(
            "UPDATE evaluation_datasets SET updated = ?, updated_by = coalesce(?, updated_by) WHERE id = ?",
            &values![time::now(), by, id],
        )
        .map(drop)
}

impl Tracking {
    pub(crate) async fn create_evaluation_dataset(
        &self,
        caller: &Caller,
        new: NewEvaluationDataset,
    ) -> Result<EvaluationDataset> {
        let (caller, dataset_id) = (caller.clone(), format!("d-{}", time::id()?));
        let work = move |session: &mut Session<'_>| {
            let now = time::now();
            let id = session.number(
                "INSERT INTO evaluation_datasets
                 (dataset_id, name, digest, schema, profile, created, updated, created_by, updated_by)
                 VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
                &values![
                    &dataset_id,
                    &new.name,
                    dataset_id.get(2..10),
                    new.schema.as_ref(),
                    new.profile.as_ref(),
                    now,
                    now,
                    new.created_by.as_ref(),
                    new.created_by.as_ref(),
                ],
            )?;
            link(session, &caller, id, &new.experiments)?;
            EVALUATION_TAGS.set(session, id, &new.tags)?;
            one(session, id)
        };
        self.database().write(work).await
    }

    pub(crate) async fn evaluation_dataset(
        &self,
        caller: &Caller,
        id: &str,
    ) -> Result<EvaluationDataset> {
        let (caller, id) = (caller.clone(), id.to_owned());
        let work = move |session: &mut Session<'_>| {
            let id = stored(session, &caller, &id, Permission::Read)?;
            one(session, id)
        };
        self.database().read(work).await
    }

    pub(crate) async fn delete_evaluation_dataset(&self, caller: &Caller, id: &str) -> Result<()> {
        let (caller, id) = (caller.clone(), id.to_owned());
        let work = move |session: &mut Session<'_>| {
            let id = stored(session, &caller, &id, Permission::Manage)?;
            for table in [
                "evaluation_dataset_records",
                "evaluation_dataset_tags",
                "evaluation_dataset_experiments",
            ] {
                session.execute(
                    &format!("DELETE FROM {table} WHERE dataset = ?"),
                    &values![id],
                )?;
            }
            session
                .execute("DELETE FROM evaluation_datasets WHERE id = ?", &values![id])
                .map(drop)
        };
        self.database().write(work).await
    }

    pub(crate) async fn search_evaluation_datasets(
        &self,
        caller: &Caller,
        experiments: &[String],
        filter: &str,
        order: &[String],
        size: usize,
        token: Option<&str>,
    ) -> Result<Page<EvaluationDataset>> {
        let (query, ids) = (search(filter, order)?, experiment_ids(experiments)?);
        let (caller, token) = (caller.clone(), token.map(str::to_owned));
        let work = move |session: &mut Session<'_>| {
            let mut query = query.clone();
            if !ids.is_empty() || !caller.administrator {
                let ids = if ids.is_empty() {
                    session.query("SELECT id FROM experiments", &[], |row| row.integer(0))?
                } else {
                    ids.clone()
                };
                let seen = super::experiments::visible(session, &caller, ids)?;
                query.filter(
                    "EXISTS (SELECT 1 FROM evaluation_dataset_experiments x WHERE x.dataset = d.id AND x.experiment = ANY(?))",
                    values![seen],
                );
            }
            let (ids, next) = query.page(session, size, token.as_deref())?;
            let items = whole(session, &ids)?;
            Ok(Page { items, next })
        };
        self.database().read(work).await
    }

    /// Sets tags, and removes those without a value.
    pub(crate) async fn tag_evaluation_dataset(
        &self,
        caller: &Caller,
        id: &str,
        tags: Vec<(String, Option<String>)>,
    ) -> Result<EvaluationDataset> {
        let (caller, id) = (caller.clone(), id.to_owned());
        let work = move |session: &mut Session<'_>| {
            let id = stored(session, &caller, &id, Permission::Edit)?;
            for (key, value) in &tags {
                match value.clone() {
                    Some(value) => EVALUATION_TAGS.set(
                        session,
                        id,
                        &[Tag {
                            key: key.clone(),
                            value,
                        }],
                    )?,
                    None => EVALUATION_TAGS.remove(session, id, key).map(drop)?,
                }
            }
            touch(session, id, None)?;
            one(session, id)
        };
        self.database().write(work).await
    }

    /// Says that a dataset belongs to experiments, or no more.
    pub(crate) async fn move_evaluation_dataset(
        &self,
        caller: &Caller,
        id: &str,
        experiments: Vec<String>,
        add: bool,
    ) -> Result<EvaluationDataset> {
        let (caller, id) = (caller.clone(), id.to_owned());
        let work = move |session: &mut Session<'_>| {
            let id = stored(session, &caller, &id, Permission::Edit)?;
            if add {
                link(session, &caller, id, &experiments)?;
            } else {
                let ids: Result<Vec<i64>> = experiments
                    .iter()
                    .map(|id| limits::experiment_id(id))
                    .collect();
                session.execute(
                    "DELETE FROM evaluation_dataset_experiments WHERE dataset = ? AND experiment = ANY(?)",
                    &values![id, ids?],
                )?;
            }
            touch(session, id, None)?;
            one(session, id)
        };
        self.database().write(work).await
    }

    /// Keeps records; those with the inputs of one that is there replace it. How many are new, and how many are not.
    pub(crate) async fn keep_records(
        &self,
        caller: &Caller,
        id: &str,
        records: Vec<Json>,
        by: Option<String>,
    ) -> Result<(i64, i64)> {
        let (caller, dataset_id) = (caller.clone(), id.to_owned());
        let work = move |session: &mut Session<'_>| {
            let id = stored(session, &caller, &dataset_id, Permission::Edit)?;
            let (mut fresh, mut changed) = (0, 0);
            for record in &records {
                let hash = hash(&record["inputs"]);
                let sql = "SELECT record_id, body FROM evaluation_dataset_records WHERE dataset = ? AND input_hash = ?";
                let known = session.query_first(sql, &values![id, &hash], |row| {
                    Ok((row.text(0)?, row.text(1)?))
                })?;
                let now = time::now();
                let (record_id, mut body) = match known {
                    Some((record_id, body)) => {
                        changed += 1;
                        (
                            record_id,
                            serde_json::from_str(&body).unwrap_or_else(|_| json!({})),
                        )
                    }
                    None => {
                        fresh += 1;
                        let record_id = format!("dr-{}", time::id()?);
                        let body = json!({
                            "dataset_record_id": record_id, "dataset_id": dataset_id, "created_time": now, "created_by": by,
                        });
                        (record_id, body)
                    }
                };
                merge(&mut body, record);
                body["last_update_time"] = now.into();
                body["last_updated_by"] = by.clone().into();
                session.execute(
                    "INSERT INTO evaluation_dataset_records (dataset, record_id, input_hash, created, updated, body)
                     VALUES (?, ?, ?, ?, ?, ?)
                     ON CONFLICT (dataset, input_hash) DO UPDATE SET updated = excluded.updated, body = excluded.body",
                    &values![id, record_id, hash, now, now, body.to_string()],
                )?;
            }
            touch(session, id, by.as_ref())?;
            Ok((fresh, changed))
        };
        self.database().write(work).await
    }

    pub(crate) async fn records(
        &self,
        caller: &Caller,
        id: &str,
        size: usize,
        token: Option<&str>,
    ) -> Result<Page<Json>> {
        let (caller, id, token) = (caller.clone(), id.to_owned(), token.map(str::to_owned));
        let work = move |session: &mut Session<'_>| {
            let id = stored(session, &caller, &id, Permission::Read)?;
            let mut query = Query::new("r.body", "evaluation_dataset_records r");
            query.filter("r.dataset = ?", values![id]);
            query.order(Ordered::integer("r.id", true));
            let read = |row: &Row<'_>| Ok(serde_json::from_str(row.str(0)?).unwrap_or(Json::Null));
            let (items, next) = query.rows(session, 1, size, token.as_deref(), read)?;
            Ok(Page { items, next })
        };
        self.database().read(work).await
    }

    pub(crate) async fn delete_records(
        &self,
        caller: &Caller,
        id: &str,
        records: Vec<String>,
    ) -> Result<u64> {
        let (caller, id) = (caller.clone(), id.to_owned());
        let work = move |session: &mut Session<'_>| {
            let id = stored(session, &caller, &id, Permission::Edit)?;
            let sql =
                "DELETE FROM evaluation_dataset_records WHERE dataset = ? AND record_id = ANY(?)";
            let gone = session.execute(sql, &values![id, records.clone()])?;
            touch(session, id, None)?;
            Ok(gone)
        };
        self.database().write(work).await
    }
}

/// What is new of a record, field by field; expectations and tags name by name.
fn merge(body: &mut Json, record: &Json) {
    for name in ["inputs", "outputs", "source", "source_type"] {
        if let Some(value) = record.get(name).filter(|value| !value.is_null()) {
            body[name] = value.clone();
        }
    }
    for name in ["expectations", "tags"] {
        let Some(new) = record.get(name).and_then(Json::as_object) else {
            continue;
        };
        let mut merged = body[name].as_object().cloned().unwrap_or_default();
        merged.extend(new.clone());
        body[name] = Json::Object(merged);
    }
}

/// Equal inputs have equal hashes: objects are written with their names in order.
fn hash(inputs: &Json) -> String {
    let digest = ring::digest::digest(&ring::digest::SHA256, inputs.to_string().as_bytes());
    digest
        .as_ref()
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect()
}

fn search(filter: &str, order: &[String]) -> Result<Query> {
    let column = |key: &str| match key {
        "name" => Some(("d.name", false)),
        "dataset_id" => Some(("d.dataset_id", false)),
        "created_by" => Some(("coalesce(d.created_by, '')", false)),
        "last_updated_by" => Some(("coalesce(d.updated_by, '')", false)),
        "created_time" => Some(("d.created", true)),
        "last_update_time" => Some(("d.updated", true)),
        _ => None,
    };
    let unknown =
        |key: &str| TrackingError::invalid(format!("Invalid attribute key '{key}' specified."));
    let mut query = Query::new("d.id", "evaluation_datasets d");
    for comparison in filter::parse(filter)? {
        match comparison.entity.as_deref() {
            None | Some("attribute" | "attributes") => {
                let (column, number) =
                    column(&comparison.key).ok_or_else(|| unknown(&comparison.key))?;
                let fits = match comparison.operand {
                    Operand::Number(_) => number && comparison.operator.compares_numbers(),
                    Operand::Text(_) => !number && comparison.operator.compares_texts(),
                    _ => false,
                };
                if !fits {
                    return Err(run_search::comparator(
                        &comparison,
                        "{'=', '!=', 'LIKE', 'ILIKE'}",
                    ));
                }
                let (text, values) = compare(column, comparison.operator, &comparison.operand);
                query.filter(text, values);
            }
            Some("tag" | "tags") => {
                run_search::tag(&mut query, &EVALUATION_TAGS, "d.id", &comparison)?
            }
            Some(other) => return Err(run_search::entity(other)),
        }
    }
    for clause in order {
        let by = filter::order(clause)?;
        let column = column(&by.key).ok_or_else(|| unknown(&by.key))?;
        query.order(Ordered::column(column, by.ascending));
    }
    query.order(Ordered::integer("d.created", false));
    query.order(Ordered::integer("d.id", false));
    Ok(query)
}
