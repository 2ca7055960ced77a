//! Registered models, their tags and aliases.

use std::collections::HashMap;

use serde_json::{Value, json};

use super::delivery::Happened;
use super::tags::{MODEL_VERSION_TAGS, REGISTERED_MODEL_TAGS, changed};
use super::{Tracking, versions};
use crate::caller::Resource;
use crate::database::{Row, Session, values};
use crate::wire::{Alias, ModelVersion, RegisteredModel, Tag};
use crate::{Caller, ErrorCode, Permission, TrackingError, limits, time};

type Result<T> = std::result::Result<T, TrackingError>;

/// The tag of those models that are prompts.
pub(super) const PROMPT_TAG: &str = "mlflow.prompt.is_prompt";

fn read(row: &Row<'_>) -> Result<(i64, RegisteredModel)> {
    let model = RegisteredModel {
        name: row.text(1)?,
        description: row.text(2)?,
        creation_timestamp: row.integer(3)?,
        last_updated_timestamp: row.integer(4)?,
        latest_versions: Vec::new(),
        tags: Vec::new(),
        aliases: Vec::new(),
    };
    Ok((row.integer(0)?, model))
}

/// The number of a registered model that the caller may treat so.
pub(super) fn stored(
    session: &mut Session<'_>,
    caller: &Caller,
    name: &str,
    needed: Permission,
) -> Result<i64> {
    let lock = if needed > Permission::Use {
        session.lock()
    } else {
        ""
    };
    let sql = format!("SELECT id FROM registered_models WHERE name = ?{lock}");
    let id = session.query_first(&sql, &values![name], |row| row.integer(0))?;
    let id = id.ok_or_else(|| {
        TrackingError::missing(format!("Registered Model with name={name} not found"))
    })?;
    caller.require(session, needed, Resource::Model(name))?;
    Ok(id)
}

/// Whole registered models of these numbers, in their order.
pub(super) fn whole(session: &mut Session<'_>, ids: &[i64]) -> Result<Vec<RegisteredModel>> {
    let sql =
        "SELECT id, name, description, created, updated FROM registered_models WHERE id = ANY(?)";
    let found = session.query(sql, &values![ids.to_vec()], read)?;
    let mut models: HashMap<i64, RegisteredModel> = found.into_iter().collect();
    let mut tags = REGISTERED_MODEL_TAGS.of_all(session, ids)?;
    session.query(
        "SELECT model, alias, version FROM aliases WHERE model = ANY(?) ORDER BY model, alias",
        &values![ids.to_vec()],
        |row| {
            let alias = Alias {
                alias: row.text(1)?,
                version: row.integer(2)?.to_string(),
            };
            if let Some(model) = models.get_mut(&row.integer(0)?) {
                model.aliases.push(alias);
            }
            Ok(())
        },
    )?;
    let newest = session.query(
        "SELECT v.id, v.model FROM model_versions v
         JOIN (SELECT model, stage, max(version) AS version FROM model_versions WHERE model = ANY(?) GROUP BY model, stage) n
         ON n.model = v.model AND n.version = v.version ORDER BY v.model, v.stage",
        &values![ids.to_vec()],
        |row| Ok((row.integer(0)?, row.integer(1)?)),
    )?;
    let numbers: Vec<i64> = newest.iter().map(|(version, _)| *version).collect();
    for (version, (_, model)) in versions::whole(session, &numbers)?.into_iter().zip(newest) {
        if let Some(model) = models.get_mut(&model) {
            model.latest_versions.push(version);
        }
    }
    let model = |id: &i64| {
        let mut model = models.remove(id)?;
        model.tags = tags.remove(id).unwrap_or_default();
        Some(model)
    };
    Ok(ids.iter().filter_map(model).collect())
}

fn one(session: &mut Session<'_>, id: i64) -> Result<RegisteredModel> {
    let model = whole(session, &[id])?.pop();
    model.ok_or_else(|| TrackingError::internal("a registered model", &"it went away"))
}

/// Notes that a model has changed.
pub(super) fn touch(session: &mut Session<'_>, model: i64) -> Result<()> {
    let sql = "UPDATE registered_models SET updated = ? WHERE id = ?";
    session.execute(sql, &values![time::now(), model]).map(drop)
}

impl Tracking {
    /// Makes a registered model.
    ///
    /// # Errors
    /// The name is none or taken.
    pub async fn create_registered_model(
        &self,
        caller: &Caller,
        name: &str,
        description: &str,
        tags: Vec<Tag>,
    ) -> Result<RegisteredModel> {
        limits::model_name(name)?;
        for tag in &tags {
            limits::exact_tag(tag, limits::REGISTRY_TAG_VALUE)?;
        }
        let happened = Happened::new(
            if is_prompt(&tags) {
                "PROMPT"
            } else {
                "REGISTERED_MODEL"
            },
            "CREATED",
            json!({"name": name, "tags": as_object(&tags), "description": none_if_empty(description)}),
        );
        let (caller, name, description) = (caller.clone(), name.to_owned(), description.to_owned());
        let work = move |session: &mut Session<'_>| {
            let now = time::now();
            let id = session.query_first(
                "INSERT INTO registered_models (name, description, created, updated) VALUES (?, ?, ?, ?)
                 ON CONFLICT (name) DO NOTHING RETURNING id",
                &values![&name, &description, now, now],
                |row| row.integer(0),
            )?;
            let id = id.ok_or_else(|| already(&name))?;
            REGISTERED_MODEL_TAGS.set(session, id, &tags)?;
            if !caller.administrator {
                caller.own(session, Resource::Model(&name))?;
            }
            one(session, id)
        };
        let model = self.database().write(work).await?;
        self.tell(happened).await;
        Ok(model)
    }

    /// A registered model.
    ///
    /// # Errors
    /// There is none.
    pub async fn registered_model(&self, caller: &Caller, name: &str) -> Result<RegisteredModel> {
        let (caller, name) = (caller.clone(), name.to_owned());
        let work = move |session: &mut Session<'_>| {
            let id = stored(session, &caller, &name, Permission::Read)?;
            one(session, id)
        };
        self.database().read(work).await
    }

    /// Gives a registered model another name.
    ///
    /// # Errors
    /// There is none, or the name is none or taken.
    pub async fn rename_registered_model(
        &self,
        caller: &Caller,
        name: &str,
        new: &str,
    ) -> Result<RegisteredModel> {
        if new.trim().is_empty() {
            return Err(TrackingError::invalid(
                "Missing value for required parameter 'new_name'.",
            ));
        }
        limits::model_name(new)?;
        let (caller, name, new) = (caller.clone(), name.to_owned(), new.to_owned());
        let work = move |session: &mut Session<'_>| {
            let id = stored(session, &caller, &name, Permission::Manage)?;
            let taken = session.number(
                "SELECT count(*) FROM registered_models WHERE name = ? AND id <> ?",
                &values![&new, id],
            )?;
            if taken > 0 {
                return Err(already(&new));
            }
            session.execute(
                "UPDATE registered_models SET name = ?, updated = ? WHERE id = ?",
                &values![&new, time::now(), id],
            )?;
            session.execute(
                "UPDATE permissions SET resource = ? WHERE kind = 'registered_model' AND resource = ?",
                &values![&new, &name],
            )?;
            one(session, id)
        };
        self.database().write(work).await
    }

    /// Describes a registered model.
    ///
    /// # Errors
    /// There is none.
    pub async fn describe_registered_model(
        &self,
        caller: &Caller,
        name: &str,
        description: &str,
    ) -> Result<RegisteredModel> {
        let (caller, name, description) = (caller.clone(), name.to_owned(), description.to_owned());
        let work = move |session: &mut Session<'_>| {
            let id = stored(session, &caller, &name, Permission::Edit)?;
            let sql = "UPDATE registered_models SET description = ?, updated = ? WHERE id = ?";
            session.execute(sql, &values![&description, time::now(), id])?;
            one(session, id)
        };
        self.database().write(work).await
    }

    /// Deletes a registered model and its versions, for ever. Their files stay.
    ///
    /// # Errors
    /// There is none.
    pub async fn delete_registered_model(&self, caller: &Caller, name: &str) -> Result<()> {
        let (caller, name) = (caller.clone(), name.to_owned());
        let work = move |session: &mut Session<'_>| {
            let id = stored(session, &caller, &name, Permission::Manage)?;
            let tags = MODEL_VERSION_TAGS.name();
            for sql in [
                &format!(
                    "DELETE FROM {tags} WHERE version IN (SELECT id FROM model_versions WHERE model = ?)"
                ),
                "DELETE FROM model_versions WHERE model = ?",
                "DELETE FROM aliases WHERE model = ?",
                "DELETE FROM registered_model_tags WHERE model = ?",
                "DELETE FROM registered_models WHERE id = ?",
            ] {
                session.execute(sql, &values![id])?;
            }
            session
                .execute(
                    "DELETE FROM permissions WHERE kind = 'registered_model' AND resource = ?",
                    &values![&name],
                )
                .map(drop)
        };
        self.database().write(work).await
    }

    /// Sets a tag of a registered model, or removes it if it gets no value.
    ///
    /// # Errors
    /// There is no such model, or a limit is exceeded.
    pub async fn tag_registered_model(
        &self,
        caller: &Caller,
        name: &str,
        key: &str,
        value: Option<&str>,
    ) -> Result<()> {
        let (tag, set) = changed(key, value, limits::REGISTRY_TAG_VALUE)?;
        let (caller, model) = (caller.clone(), name.to_owned());
        let (key, name) = (tag.key.clone(), name.to_owned());
        let given = tag.value.clone();
        let work = move |session: &mut Session<'_>| {
            let id = stored(session, &caller, &model, Permission::Edit)?;
            let prompt = is_prompt(&REGISTERED_MODEL_TAGS.of(session, id)?);
            if set {
                REGISTERED_MODEL_TAGS.set(session, id, std::slice::from_ref(&tag))?;
            } else {
                REGISTERED_MODEL_TAGS.remove(session, id, &tag.key)?;
            }
            touch(session, id)?;
            Ok(prompt)
        };
        if self.database().write(work).await? {
            let happened = if set {
                Happened::new(
                    "PROMPT_TAG",
                    "SET",
                    json!({"name": name, "key": key, "value": given}),
                )
            } else {
                Happened::new("PROMPT_TAG", "DELETED", json!({"name": name, "key": key}))
            };
            self.tell(happened).await;
        }
        Ok(())
    }

    /// Gives a version a name, which it takes from any other version of the model.
    ///
    /// # Errors
    /// There is no such model or version, or the name may not be.
    pub async fn set_alias(
        &self,
        caller: &Caller,
        name: &str,
        alias: &str,
        version: &str,
    ) -> Result<()> {
        limits::alias(alias)?;
        let number = limits::version(version)?;
        let happened = json!({"name": name, "alias": alias, "version": version});
        let (caller, name, alias) = (caller.clone(), name.to_owned(), alias.to_owned());
        let work = move |session: &mut Session<'_>| {
            let id = stored(session, &caller, &name, Permission::Edit)?;
            versions::stored(session, id, &name, number)?;
            session.execute(
                "INSERT INTO aliases (model, alias, version) VALUES (?, ?, ?)
                 ON CONFLICT (model, alias) DO UPDATE SET version = excluded.version",
                &values![id, &alias, number],
            )?;
            touch(session, id)?;
            Ok(is_prompt(&REGISTERED_MODEL_TAGS.of(session, id)?))
        };
        let prompt = self.database().write(work).await?;
        self.tell_of_alias(prompt, "CREATED", happened).await;
        Ok(())
    }

    /// Removes a name of a version; nothing happens if it is not there.
    ///
    /// # Errors
    /// There is no such model.
    pub async fn delete_alias(&self, caller: &Caller, name: &str, alias: &str) -> Result<()> {
        let happened = json!({"name": name, "alias": alias});
        let (caller, name, alias) = (caller.clone(), name.to_owned(), alias.to_owned());
        let work = move |session: &mut Session<'_>| {
            let id = stored(session, &caller, &name, Permission::Edit)?;
            let sql = "DELETE FROM aliases WHERE model = ? AND alias = ?";
            session.execute(sql, &values![id, &alias])?;
            touch(session, id)?;
            Ok(is_prompt(&REGISTERED_MODEL_TAGS.of(session, id)?))
        };
        let prompt = self.database().write(work).await?;
        self.tell_of_alias(prompt, "DELETED", happened).await;
        Ok(())
    }

    async fn tell_of_alias(&self, prompt: bool, action: &str, happened: Value) {
        let entity = if prompt {
            "PROMPT_ALIAS"
        } else {
            "MODEL_VERSION_ALIAS"
        };
        self.tell(Happened::new(entity, action, happened)).await;
    }

    /// The version of that name; `latest` is the newest.
    ///
    /// # Errors
    /// There is no such model or name.
    pub async fn version_by_alias(
        &self,
        caller: &Caller,
        name: &str,
        alias: &str,
    ) -> Result<ModelVersion> {
        let (caller, name, alias) = (caller.clone(), name.to_owned(), alias.to_owned());
        let work = move |session: &mut Session<'_>| {
            let id = stored(session, &caller, &name, Permission::Read)?;
            let number = if alias.eq_ignore_ascii_case("latest") {
                let sql = "SELECT max(version) FROM model_versions WHERE model = ?";
                let newest = session
                    .query_first(sql, &values![id], |row| row.optional_integer(0))?
                    .flatten();
                newest.ok_or_else(|| {
                    TrackingError::missing(format!("Latest version not found for model {name}."))
                })?
            } else {
                let sql = "SELECT version FROM aliases WHERE model = ? AND alias = ?";
                let number =
                    session.query_first(sql, &values![id, &alias], |row| row.integer(0))?;
                number.ok_or_else(|| {
                    TrackingError::invalid(format!("Registered model alias {alias} not found."))
                })?
            };
            let version = versions::stored(session, id, &name, number)?;
            versions::one(session, version)
        };
        self.database().read(work).await
    }
}

fn already(name: &str) -> TrackingError {
    let message = format!("Registered Model (name={name}) already exists.");
    TrackingError::new(ErrorCode::ResourceAlreadyExists, message)
}

pub(super) fn is_prompt(tags: &[Tag]) -> bool {
    tags.iter()
        .any(|tag| tag.key == PROMPT_TAG && tag.value.eq_ignore_ascii_case("true"))
}

pub(super) fn as_object(tags: &[Tag]) -> Value {
    tags.iter()
        .map(|tag| (tag.key.clone(), tag.value.clone()))
        .collect()
}

pub(super) fn none_if_empty(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}
