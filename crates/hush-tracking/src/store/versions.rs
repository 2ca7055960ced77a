//! Versions of registered models.

use std::collections::HashMap;

use serde_json::json;

use super::delivery::Happened;
use super::registered::{self, as_object, is_prompt, none_if_empty, touch};
use super::tags::{LOGGED_MODEL_PARAMS, MODEL_VERSION_TAGS, changed};
use super::{Tracking, logged_models};
use crate::database::{Row, Session, Value, values};
use crate::wire::{LoggedModelMetric, ModelVersion, Tag};
use crate::{Caller, Permission, TrackingError, limits, time};

type Result<T> = std::result::Result<T, TrackingError>;

const STAGES: [&str; 4] = ["None", "Staging", "Production", "Archived"];

/// What a new version begins with.
#[derive(Clone, Debug, Default)]
pub struct NewVersion {
    /// The registered model's name.
    pub name: String,
    /// Where its files are.
    pub source: String,
    /// The run that made it.
    pub run_id: String,
    /// A link to that run.
    pub run_link: String,
    /// What it is.
    pub description: String,
    /// The logged model that it is.
    pub model_id: String,
    /// Its tags.
    pub tags: Vec<Tag>,
}

fn read(row: &Row<'_>) -> Result<(i64, ModelVersion)> {
    let version = ModelVersion {
        name: row.text(1)?,
        version: row.integer(2)?.to_string(),
        creation_timestamp: row.integer(3)?,
        last_updated_timestamp: row.integer(4)?,
        description: row.text(5)?,
        user_id: row.text(6)?,
        current_stage: row.text(7)?,
        source: row.text(8)?,
        run_id: row.text(9)?,
        run_link: row.text(10)?,
        status: row.text(11)?,
        status_message: String::new(),
        model_id: row.text(12)?,
        tags: Vec::new(),
        aliases: Vec::new(),
        model_params: Vec::new(),
        model_metrics: Vec::new(),
    };
    Ok((row.integer(0)?, version))
}

/// The number in the store of a version of a model.
pub(super) fn stored(
    session: &mut Session<'_>,
    model: i64,
    name: &str,
    version: i64,
) -> Result<i64> {
    let sql = "SELECT id FROM model_versions WHERE model = ? AND version = ?";
    let id = session.query_first(sql, &values![model, version], |row| row.integer(0))?;
    id.ok_or_else(|| {
        TrackingError::missing(format!(
            "Model Version (name={name}, version={version}) not found"
        ))
    })
}

/// Whole versions of these numbers, in their order.
pub(super) fn whole(session: &mut Session<'_>, ids: &[i64]) -> Result<Vec<ModelVersion>> {
    let found = session.query(
        "SELECT v.id, m.name, v.version, v.created, v.updated, v.description, v.user_id, v.stage, v.source, v.run_id,
         v.run_link, v.status, v.model_id FROM model_versions v JOIN registered_models m ON m.id = v.model
         WHERE v.id = ANY(?)",
        &values![ids.to_vec()],
        read,
    )?;
    let mut versions: HashMap<i64, ModelVersion> = found.into_iter().collect();
    let mut tags = MODEL_VERSION_TAGS.of_all(session, ids)?;
    session.query(
        "SELECT v.id, a.alias FROM aliases a JOIN model_versions v ON v.model = a.model AND v.version = a.version
         WHERE v.id = ANY(?) ORDER BY a.alias",
        &values![ids.to_vec()],
        |row| {
            let alias = row.text(1)?;
            if let Some(version) = versions.get_mut(&row.integer(0)?) {
                version.aliases.push(alias);
            }
            Ok(())
        },
    )?;
    let version = |id: &i64| {
        let mut version = versions.remove(id)?;
        version.tags = tags.remove(id).unwrap_or_default();
        Some(version)
    };
    Ok(ids.iter().filter_map(version).collect())
}

/// One version, with parameters and metrics of the logged model that it is.
pub(super) fn one(session: &mut Session<'_>, id: i64) -> Result<ModelVersion> {
    let version = whole(session, &[id])?.pop();
    let mut version =
        version.ok_or_else(|| TrackingError::internal("a model version", &"it went away"))?;
    if !version.model_id.is_empty() {
        let sql = "SELECT id FROM logged_models WHERE model_id = ? AND deleted = 0";
        if let Some(model) =
            session.query_first(sql, &values![&version.model_id], |row| row.integer(0))?
        {
            version.model_params = LOGGED_MODEL_PARAMS.of(session, model)?;
            let metrics = logged_models::one(session, model)?.data.metrics;
            version.model_metrics = metrics
                .into_iter()
                .map(LoggedModelMetric::into_metric)
                .collect();
        }
    }
    Ok(version)
}

/// Refuses a source that could lead a reader to a place that nobody meant: a folder of the server's machine, or a path
/// with `..`.
fn check_source(source: &str) -> Result<()> {
    let scheme = source
        .split_once(':')
        .map(|(scheme, _)| scheme.to_ascii_lowercase());
    match scheme.as_deref() {
        None | Some("file") => Err(TrackingError::invalid(format!(
            "Invalid model version source: '{source}'. To use a local path as a model version source, the run_id request \
             parameter has to be specified and the local path has to be contained within the artifact directory of the run \
             specified by the run_id."
        ))),
        Some(_) => {
            let decoded = crate::artifacts::percent_decoded(source);
            let climbs = |text: &str| text.split(['/', '\\']).any(|part| part == "..");
            if climbs(source) || climbs(&decoded) || source.contains(['\0', '#', '?']) {
                return Err(TrackingError::invalid(format!(
                    "Invalid model version source: '{source}'. Must not contain `..`"
                )));
            }
            Ok(())
        }
    }
}

impl Tracking {
    /// Makes a version of a registered model.
    ///
    /// # Errors
    /// There is no such model, or the source is a folder of this machine or leads out of where it seems to lie.
    pub async fn create_version(&self, caller: &Caller, new: NewVersion) -> Result<ModelVersion> {
        limits::model_name(&new.name)?;
        // The text of a prompt is a tag; its source is nothing.
        if !is_prompt(&new.tags) {
            check_source(&new.source)?;
        }
        for tag in &new.tags {
            limits::exact_tag(tag, limits::REGISTRY_TAG_VALUE)?;
        }
        let caller = caller.clone();
        let work = move |session: &mut Session<'_>| {
            let model = registered::stored(session, &caller, &new.name, Permission::Edit)?;
            let mut run_id = new.run_id.clone();
            let mut model_id = new.model_id.clone();
            let mut storage = new.source.clone();
            if let Some(id) = new.source.strip_prefix("models:/") {
                (storage, model_id) = source_model(session, &caller, id, model_id)?;
            }
            if run_id.is_empty() && !model_id.is_empty() {
                let (id, _) = logged_models::stored(session, &caller, &model_id, Permission::Read)?;
                run_id = logged_models::one(session, id)?.info.source_run_id;
            }
            let number = session.number(
                "SELECT coalesce(max(version), 0) + 1 FROM model_versions WHERE model = ?",
                &values![model],
            )?;
            let now = time::now();
            let id = session.number(
                "INSERT INTO model_versions
                 (model, version, created, updated, description, user_id, stage, source, storage, run_id, run_link, status,
                 model_id) VALUES (?, ?, ?, ?, ?, '', 'None', ?, ?, ?, ?, 'READY', ?) RETURNING id",
                &values![
                    model,
                    number,
                    now,
                    now,
                    &new.description,
                    &new.source,
                    storage,
                    run_id,
                    &new.run_link,
                    &new.model_id,
                ],
            )?;
            MODEL_VERSION_TAGS.set(session, id, &new.tags)?;
            touch(session, model)?;
            one(session, id)
        };
        let version = self.database().write(work).await?;
        let prompt = is_prompt(&version.tags);
        let mut happened = json!({
            "name": version.name, "version": version.version, "tags": as_object(&version.tags),
            "description": none_if_empty(&version.description),
        });
        if prompt {
            let text = version
                .tags
                .iter()
                .find(|tag| tag.key == "mlflow.prompt.text");
            happened["template"] = text.map_or("", |tag| tag.value.as_str()).into();
        } else {
            happened["source"] = version.source.clone().into();
            happened["run_id"] = none_if_empty(&version.run_id).into();
        }
        let entity = if prompt {
            "PROMPT_VERSION"
        } else {
            "MODEL_VERSION"
        };
        self.tell(Happened::new(entity, "CREATED", happened)).await;
        Ok(version)
    }

    /// A version.
    ///
    /// # Errors
    /// There is none.
    pub async fn version(
        &self,
        caller: &Caller,
        name: &str,
        version: &str,
    ) -> Result<ModelVersion> {
        let (caller, name, version) = (caller.clone(), name.to_owned(), limits::version(version)?);
        let work = move |session: &mut Session<'_>| {
            let model = registered::stored(session, &caller, &name, Permission::Read)?;
            let id = stored(session, model, &name, version)?;
            one(session, id)
        };
        self.database().read(work).await
    }

    /// Where the files of a version are.
    ///
    /// # Errors
    /// There is none.
    pub async fn version_files(
        &self,
        caller: &Caller,
        name: &str,
        version: &str,
    ) -> Result<String> {
        let (caller, name, version) = (caller.clone(), name.to_owned(), limits::version(version)?);
        let work = move |session: &mut Session<'_>| {
            let model = registered::stored(session, &caller, &name, Permission::Read)?;
            let id = stored(session, model, &name, version)?;
            let sql = "SELECT storage FROM model_versions WHERE id = ?";
            let storage = session.query_first(sql, &values![id], |row| row.text(0))?;
            Ok(storage.unwrap_or_default())
        };
        self.database().read(work).await
    }

    /// Describes a version.
    ///
    /// # Errors
    /// There is none.
    pub async fn describe_version(
        &self,
        caller: &Caller,
        name: &str,
        version: &str,
        description: &str,
    ) -> Result<ModelVersion> {
        let description = description.to_owned();
        let change = move |session: &mut Session<'_>, id: i64, _: i64| {
            let sql = "UPDATE model_versions SET description = ? WHERE id = ?";
            session.execute(sql, &values![&description, id]).map(drop)
        };
        self.change_version(caller, name, version, change).await
    }

    /// Moves a version to a stage; others there are archived if asked for.
    ///
    /// # Errors
    /// There is no such version or stage.
    pub async fn move_version(
        &self,
        caller: &Caller,
        name: &str,
        version: &str,
        stage: &str,
        archive: bool,
    ) -> Result<ModelVersion> {
        let stage = canonical_stage(stage)?;
        if archive && !matches!(stage, "Staging" | "Production") {
            return Err(TrackingError::new(
                crate::ErrorCode::InternalError,
                format!(
                    "Model version transition cannot archive existing model versions because '{stage}' is not an Active \
                     stage. Valid stages are ['Staging', 'Production']"
                ),
            ));
        }
        let change = move |session: &mut Session<'_>, id: i64, model: i64| {
            let now = time::now();
            if archive {
                session.execute(
                    "UPDATE model_versions SET stage = 'Archived', updated = ? WHERE model = ? AND stage = ? AND id <> ?",
                    &values![now, model, stage, id],
                )?;
            }
            let sql = "UPDATE model_versions SET stage = ? WHERE id = ?";
            session.execute(sql, &values![stage, id]).map(drop)
        };
        self.change_version(caller, name, version, change).await
    }

    /// Deletes a version for ever. Its files stay.
    ///
    /// # Errors
    /// There is none.
    pub async fn delete_version(&self, caller: &Caller, name: &str, version: &str) -> Result<()> {
        let (caller, name, version) = (caller.clone(), name.to_owned(), limits::version(version)?);
        let work = move |session: &mut Session<'_>| {
            let model = registered::stored(session, &caller, &name, Permission::Manage)?;
            let id = stored(session, model, &name, version)?;
            session.execute(
                "DELETE FROM model_version_tags WHERE version = ?",
                &values![id],
            )?;
            session.execute(
                "DELETE FROM aliases WHERE model = ? AND version = ?",
                &values![model, version],
            )?;
            session.execute("DELETE FROM model_versions WHERE id = ?", &values![id])?;
            touch(session, model)
        };
        self.database().write(work).await
    }

    /// Sets a tag of a version, or removes it if it gets no value.
    ///
    /// # Errors
    /// There is no such version, or a limit is exceeded.
    pub async fn tag_version(
        &self,
        caller: &Caller,
        name: &str,
        version: &str,
        key: &str,
        value: Option<&str>,
    ) -> Result<()> {
        let (tag, set) = changed(key, value, limits::REGISTRY_TAG_VALUE)?;
        let mut happened = json!({"name": name, "version": version, "key": key});
        if set {
            happened["value"] = tag.value.clone().into();
        }
        let change = move |session: &mut Session<'_>, id: i64, _: i64| {
            if set {
                MODEL_VERSION_TAGS.set(session, id, std::slice::from_ref(&tag))
            } else {
                MODEL_VERSION_TAGS.remove(session, id, &tag.key).map(drop)
            }
        };
        let version = self.change_version(caller, name, version, change).await?;
        let entity = if is_prompt(&version.tags) {
            "PROMPT_VERSION_TAG"
        } else {
            "MODEL_VERSION_TAG"
        };
        self.tell(Happened::new(
            entity,
            if set { "SET" } else { "DELETED" },
            happened,
        ))
        .await;
        Ok(())
    }

    /// The newest version of each of the stages, of all stages if none is named.
    ///
    /// # Errors
    /// There is no such model or stage.
    pub async fn latest_versions(
        &self,
        caller: &Caller,
        name: &str,
        stages: &[String],
    ) -> Result<Vec<ModelVersion>> {
        let stages: Result<Vec<&'static str>> =
            stages.iter().map(|stage| canonical_stage(stage)).collect();
        let (caller, name, stages) = (caller.clone(), name.to_owned(), stages?);
        let work = move |session: &mut Session<'_>| {
            let model = registered::stored(session, &caller, &name, Permission::Read)?;
            let newest = session.query(
                "SELECT v.id, v.stage FROM model_versions v WHERE v.model = ? AND v.version =
                 (SELECT max(n.version) FROM model_versions n WHERE n.model = v.model AND n.stage = v.stage)
                 ORDER BY v.version",
                &values![model],
                |row| Ok((row.integer(0)?, row.text(1)?)),
            )?;
            let wanted = |stage: &str| stages.is_empty() || stages.contains(&stage);
            let ids: Vec<i64> = newest
                .iter()
                .filter(|(_, stage)| wanted(stage))
                .map(|(id, _)| *id)
                .collect();
            whole(session, &ids)
        };
        self.database().read(work).await
    }

    async fn change_version(
        &self,
        caller: &Caller,
        name: &str,
        version: &str,
        change: impl Fn(&mut Session<'_>, i64, i64) -> Result<()> + Send + 'static,
    ) -> Result<ModelVersion> {
        let (caller, name, version) = (caller.clone(), name.to_owned(), limits::version(version)?);
        let work = move |session: &mut Session<'_>| {
            let model = registered::stored(session, &caller, &name, Permission::Edit)?;
            let id = stored(session, model, &name, version)?;
            change(session, id, model)?;
            let sql = "UPDATE model_versions SET updated = ? WHERE id = ?";
            session.execute(sql, &[Value::Integer(time::now()), Value::Integer(id)])?;
            touch(session, model)?;
            one(session, id)
        };
        self.database().write(work).await
    }
}

/// Where the files of `models:/m-…` or `models:/name/version` are, and which logged model that is.
fn source_model(
    session: &mut Session<'_>,
    caller: &Caller,
    source: &str,
    model_id: String,
) -> Result<(String, String)> {
    let parts: Vec<&str> = source.trim_matches('/').split('/').collect();
    match parts.as_slice() {
        [id] => {
            let (number, _) = logged_models::stored(session, caller, id, Permission::Read)?;
            Ok((
                logged_models::one(session, number)?.info.artifact_uri,
                (*id).to_owned(),
            ))
        }
        [name, version] => {
            let model = registered::stored(session, caller, name, Permission::Read)?;
            let id = stored(session, model, name, limits::version(version)?)?;
            let sql = "SELECT storage FROM model_versions WHERE id = ?";
            let storage = session.query_first(sql, &values![id], |row| row.text(0))?;
            Ok((storage.unwrap_or_default(), model_id))
        }
        _ => Err(TrackingError::invalid(format!(
            "Invalid model version source: 'models:/{source}'."
        ))),
    }
}

fn canonical_stage(stage: &str) -> Result<&'static str> {
    let found = STAGES
        .iter()
        .find(|known| known.eq_ignore_ascii_case(stage));
    found.copied().ok_or_else(|| {
        TrackingError::invalid(format!(
            "Invalid Model Version stage: {stage}. Value must be one of None, Staging, Production, Archived."
        ))
    })
}
