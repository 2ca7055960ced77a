//! The models of a store that is taken over.

use super::Tracking;
use super::import::{Imported, Places, tag};
use super::tags::{
    LOGGED_MODEL_PARAMS, LOGGED_MODEL_TAGS, MODEL_VERSION_TAGS, REGISTERED_MODEL_TAGS,
};
use crate::TrackingError;
use crate::database::{Database, Row, Session, Value, values};
use crate::wire::Tag;

type Result<T> = std::result::Result<T, TrackingError>;

/// Whether a source knows logged models, which came with MLflow 3.
pub(super) fn has_logged_models(session: &mut Session<'_>) -> Result<bool> {
    session.has_table("logged_models")
}

struct LoggedModel {
    row: Vec<Value>,
    params: Vec<Tag>,
    tags: Vec<Tag>,
    metrics: Vec<Vec<Value>>,
}

struct Registered {
    row: Vec<Value>,
    tags: Vec<Tag>,
    aliases: Vec<(String, i64)>,
    versions: Vec<(Vec<Value>, Vec<Tag>)>,
}

pub(super) async fn import(
    here: &Tracking,
    source: &Database,
    places: &Places,
    done: &mut Imported,
) -> Result<()> {
    let own = places.clone();
    let logged = source
        .read(move |session: &mut Session<'_>| read_logged(session, &own))
        .await?;
    let own = places.clone();
    let registered = source
        .read(move |session: &mut Session<'_>| read_registered(session, &own))
        .await?;
    done.logged_models = logged.len() as u64;
    done.registered_models = registered.len() as u64;
    done.model_versions = registered
        .iter()
        .map(|model| model.versions.len() as u64)
        .sum();
    let write = move |session: &mut Session<'_>| {
        for model in &logged {
            write_logged(session, model)?;
        }
        for model in &registered {
            write_registered(session, model)?;
        }
        Ok(())
    };
    here.database().write(write).await
}

fn or_empty(row: &Row<'_>, index: usize) -> Result<String> {
    Ok(row.optional_text(index)?.unwrap_or_default())
}

fn read_logged(session: &mut Session<'_>, places: &Places) -> Result<Vec<LoggedModel>> {
    if !has_logged_models(session)? {
        return Ok(Vec::new());
    }
    let rows = session.query(
        "SELECT model_id, CAST(experiment_id AS BIGINT), name, artifact_location, CAST(creation_timestamp_ms AS BIGINT),
         CAST(last_updated_timestamp_ms AS BIGINT), CAST(status AS BIGINT), status_message, model_type, source_run_id,
         lifecycle_stage FROM logged_models",
        &[],
        |row| {
            Ok(values![
                row.text(0)?,
                row.integer(1)?,
                or_empty(row, 2)?,
                places.here(&or_empty(row, 3)?),
                row.integer(4)?,
                row.integer(5)?,
                row.integer(6)?,
                or_empty(row, 7)?,
                or_empty(row, 8)?,
                or_empty(row, 9)?,
                or_empty(row, 10)? == "deleted",
            ]
            .to_vec())
        },
    )?;
    let mut models = Vec::new();
    for row in rows {
        let id = &row[..1];
        let params = session.query(
            "SELECT param_key, param_value FROM logged_model_params WHERE model_id = ?",
            id,
            tag,
        )?;
        let tags = session.query(
            "SELECT tag_key, tag_value FROM logged_model_tags WHERE model_id = ?",
            id,
            tag,
        )?;
        let metrics = session.query(
            "SELECT run_id, metric_name, CAST(metric_timestamp_ms AS BIGINT), CAST(metric_step AS BIGINT), metric_value,
             dataset_name, dataset_digest FROM logged_model_metrics WHERE model_id = ?",
            id,
            |row| {
                let value = row.optional_real(4)?;
                Ok(values![
                    or_empty(row, 0)?,
                    row.text(1)?,
                    row.integer(2)?,
                    row.integer(3)?,
                    value.unwrap_or(0.0),
                    value.is_none_or(f64::is_nan),
                    or_empty(row, 5)?,
                    or_empty(row, 6)?,
                ]
                .to_vec())
            },
        )?;
        models.push(LoggedModel {
            row,
            params,
            tags,
            metrics,
        });
    }
    Ok(models)
}

fn write_logged(session: &mut Session<'_>, model: &LoggedModel) -> Result<()> {
    let id = session.query_first(
        "INSERT INTO logged_models (model_id, experiment, name, artifact_uri, created, updated, status, status_message,
         model_type, source_run_id, deleted) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (model_id) DO NOTHING RETURNING id",
        &model.row,
        |row| row.integer(0),
    )?;
    let Some(id) = id else {
        return Ok(());
    };
    LOGGED_MODEL_PARAMS.set(session, id, &model.params)?;
    LOGGED_MODEL_TAGS.set(session, id, &model.tags)?;
    let rows: Vec<Vec<Value>> = model
        .metrics
        .iter()
        .map(|metric| [&values![id][..], metric.as_slice()].concat())
        .collect();
    session.execute_each(
        "INSERT INTO logged_model_metrics
         (model, run_id, key, timestamp, step, value, nan, dataset_name, dataset_digest)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
         ON CONFLICT (model, key, dataset_name, dataset_digest, run_id, timestamp, step) DO NOTHING",
        &rows,
    )
}

fn read_registered(session: &mut Session<'_>, places: &Places) -> Result<Vec<Registered>> {
    let rows = session.query(
        "SELECT name, description, CAST(coalesce(creation_time, 0) AS BIGINT), CAST(coalesce(last_updated_time, 0) AS BIGINT)
         FROM registered_models",
        &[],
        |row| Ok(values![row.text(0)?, or_empty(row, 1)?, row.integer(2)?, row.integer(3)?].to_vec()),
    )?;
    let mut models = Vec::new();
    for row in rows {
        let name = &row[..1];
        let tags = session.query(
            "SELECT key, value FROM registered_model_tags WHERE name = ?",
            name,
            tag,
        )?;
        let aliases = session.query(
            "SELECT alias, CAST(version AS BIGINT) FROM registered_model_aliases WHERE name = ?",
            name,
            |row| Ok((row.text(0)?, row.integer(1)?)),
        )?;
        let numbers = session.query(
            "SELECT CAST(version AS BIGINT), CAST(coalesce(creation_time, 0) AS BIGINT),
             CAST(coalesce(last_updated_time, 0) AS BIGINT), description, user_id, current_stage, source, storage_location,
             run_id, run_link, status FROM model_versions WHERE name = ? AND current_stage <> 'Deleted_Internal'",
            name,
            |row| {
                let source = or_empty(row, 6)?;
                let storage = row.optional_text(7)?.unwrap_or_else(|| source.clone());
                let model = source.strip_prefix("models:/").filter(|id| id.starts_with("m-")).unwrap_or_default();
                Ok((
                    row.integer(0)?,
                    values![
                        row.integer(0)?,
                        row.integer(1)?,
                        row.integer(2)?,
                        or_empty(row, 3)?,
                        or_empty(row, 4)?,
                        or_empty(row, 5)?,
                        places.here(&source),
                        places.here(&storage),
                        or_empty(row, 8)?,
                        or_empty(row, 9)?,
                        or_empty(row, 10)?,
                        model,
                    ]
                    .to_vec(),
                ))
            },
        )?;
        let mut versions = Vec::new();
        for (number, version) in numbers {
            let sql = "SELECT key, value FROM model_version_tags WHERE name = ? AND CAST(version AS BIGINT) = ?";
            let tags = session.query(sql, &[name[0].clone(), Value::Integer(number)], tag)?;
            versions.push((version, tags));
        }
        models.push(Registered {
            row,
            tags,
            aliases,
            versions,
        });
    }
    Ok(models)
}

fn write_registered(session: &mut Session<'_>, model: &Registered) -> Result<()> {
    let id = session.query_first(
        "INSERT INTO registered_models (name, description, created, updated) VALUES (?, ?, ?, ?)
         ON CONFLICT (name) DO NOTHING RETURNING id",
        &model.row,
        |row| row.integer(0),
    )?;
    let Some(id) = id else {
        return Ok(());
    };
    REGISTERED_MODEL_TAGS.set(session, id, &model.tags)?;
    for (alias, version) in &model.aliases {
        let sql = "INSERT INTO aliases (model, alias, version) VALUES (?, ?, ?)";
        session.execute(sql, &values![id, alias, *version])?;
    }
    for (version, tags) in &model.versions {
        let number = session.number(
            "INSERT INTO model_versions (model, version, created, updated, description, user_id, stage, source, storage, run_id,
             run_link, status, model_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
            &[&values![id][..], version.as_slice()].concat(),
        )?;
        MODEL_VERSION_TAGS.set(session, number, tags)?;
    }
    Ok(())
}
