//! Logged models, registered models and their versions.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::runs::pairs;
use crate::tracking::encoded;
use crate::{ArtifactRoot, MlflowError, ModelUri, Run, Selector, Tracking};

/// A model that belongs to a run, before anybody registers it.
#[derive(Clone, Debug)]
pub struct LoggedModel {
    /// Its id; none at servers before MLflow 3, where a model is a folder of its run.
    pub id: Option<String>,
    /// Where its files go.
    pub artifacts: ArtifactRoot,
    /// What a version is registered from.
    pub source: String,
}

/// A version of a registered model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Version {
    /// Name of the registered model.
    pub name: String,
    /// Number of the version.
    pub number: u64,
    /// The run that it comes from.
    pub run: Option<String>,
    /// `None`, `Staging`, `Production` or `Archived`.
    pub stage: String,
    /// Its tags.
    pub tags: BTreeMap<String, String>,
    /// What points to it.
    pub aliases: BTreeSet<String>,
    /// Whether the server says that it may be used.
    pub ready: bool,
}

impl Tracking {
    /// Makes a model of a run, without files.
    ///
    /// # Errors
    /// [`MlflowError`].
    pub async fn create_logged_model(
        &self,
        run: &Run,
        name: &str,
        tags: &BTreeMap<String, String>,
    ) -> Result<LoggedModel, MlflowError> {
        let body = json!({
            "experiment_id": run.experiment,
            "name": name,
            "source_run_id": run.id,
            "tags": pairs(tags),
        });
        let made = match self.post("logged-models", body).await {
            Ok(made) => made,
            Err(MlflowError::Refused {
                status: 404 | 405 | 501,
                ..
            }) => {
                let artifacts = self.run_artifacts(run)?.join(name);
                let source = format!("{}/{name}", run.artifact_uri);
                return Ok(LoggedModel {
                    id: None,
                    artifacts,
                    source,
                });
            }
            Err(error) => return Err(error),
        };
        let info = &made["model"]["info"];
        let id = self.text(&info["model_id"], "id of the model")?;
        let location = self.text(&info["artifact_uri"], "place of the model's files")?;
        let output = json!({ "run_id": run.id, "models": [{ "model_id": id, "step": 0 }] });
        self.post("runs/outputs", output).await?;
        Ok(LoggedModel {
            artifacts: ArtifactRoot::parse(self, &location)?,
            source: format!("models:/{id}"),
            id: Some(id),
        })
    }

    /// Says that the files of a model are all there, or that they never will be.
    ///
    /// # Errors
    /// [`MlflowError`].
    pub async fn finalize_logged_model(
        &self,
        model: &LoggedModel,
        whole: bool,
    ) -> Result<(), MlflowError> {
        let Some(id) = &model.id else { return Ok(()) };
        let status = if whole {
            "LOGGED_MODEL_READY"
        } else {
            "LOGGED_MODEL_UPLOAD_FAILED"
        };
        let body = json!({ "model_id": id, "status": status });
        self.patch(&format!("logged-models/{}", encoded(id)), body)
            .await
            .map(|_| ())
    }

    /// Registers a model as the next version of `name`, which is made if it is not there.
    ///
    /// # Errors
    /// [`MlflowError`].
    pub async fn register(
        &self,
        name: &str,
        model: &LoggedModel,
        run: &str,
        tags: &BTreeMap<String, String>,
    ) -> Result<Version, MlflowError> {
        match self
            .post("registered-models/create", json!({ "name": name }))
            .await
        {
            Err(error) if !error.is_there() => return Err(error),
            _ => {}
        }
        let mut body =
            json!({ "name": name, "source": model.source, "run_id": run, "tags": pairs(tags) });
        if let Some(id) = &model.id {
            body["model_id"] = id.as_str().into();
        }
        let made = self.post("model-versions/create", body).await?;
        self.version_of(&made["model_version"])
    }

    /// Makes an alias point to a version.
    ///
    /// # Errors
    /// [`MlflowError`].
    pub async fn set_alias(&self, version: &Version, alias: &str) -> Result<(), MlflowError> {
        let number = version.number.to_string();
        let body = json!({ "name": version.name, "alias": alias, "version": number });
        self.post("registered-models/alias", body).await.map(|_| ())
    }

    /// The version that an address names now.
    ///
    /// # Errors
    /// [`MlflowError`]; [`MlflowError::is_missing`] if there is none.
    pub async fn version(&self, uri: &ModelUri) -> Result<Version, MlflowError> {
        let name = ("name", uri.name.as_str());
        let found = match &uri.selector {
            Selector::Alias(alias) => {
                self.get("registered-models/alias", &[name, ("alias", alias)])
                    .await
            }
            Selector::Number(number) => {
                self.get(
                    "model-versions/get",
                    &[name, ("version", &number.to_string())],
                )
                .await
            }
        };
        match found {
            Ok(found) => self.version_of(&found["model_version"]),
            // What servers answer for an alias that nobody set.
            Err(MlflowError::Refused {
                status: 400,
                code,
                message,
            }) if code == "INVALID_PARAMETER_VALUE" && message.contains("not found") => {
                Err(MlflowError::Refused {
                    status: 404,
                    code,
                    message,
                })
            }
            Err(error) => Err(error),
        }
    }

    /// Where the files of a version are.
    ///
    /// # Errors
    /// [`MlflowError`].
    pub async fn version_artifacts(&self, version: &Version) -> Result<ArtifactRoot, MlflowError> {
        let number = version.number.to_string();
        let query = [
            ("name", version.name.as_str()),
            ("version", number.as_str()),
        ];
        let said = self.get("model-versions/get-download-uri", &query).await?;
        let location = self.text(&said["artifact_uri"], "place of the version's files")?;
        // A logged model: the server says where its files are.
        let Some(id) = location.strip_prefix("models:/") else {
            return ArtifactRoot::parse(self, &location);
        };
        let model = self
            .get(&format!("logged-models/{}", encoded(id)), &[])
            .await?;
        let location = self.text(
            &model["model"]["info"]["artifact_uri"],
            "place of the model's files",
        )?;
        ArtifactRoot::parse(self, &location)
    }

    fn version_of(&self, said: &Value) -> Result<Version, MlflowError> {
        let number = match &said["version"] {
            Value::String(text) => text.parse().ok(),
            number => number.as_u64(),
        };
        let list = |name: &str| said[name].as_array().cloned().unwrap_or_default();
        let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
        Ok(Version {
            name: self.text(&said["name"], "name of the model")?,
            number: number
                .ok_or_else(|| self.unexpected("it does not say the number of the version"))?,
            run: said["run_id"]
                .as_str()
                .filter(|run| !run.is_empty())
                .map(str::to_owned),
            stage: said["current_stage"].as_str().unwrap_or("None").to_owned(),
            tags: list("tags")
                .iter()
                .map(|tag| (text(&tag["key"]), text(&tag["value"])))
                .collect(),
            aliases: list("aliases").iter().map(text).collect(),
            ready: said["status"]
                .as_str()
                .is_none_or(|status| status == "READY"),
        })
    }
}
