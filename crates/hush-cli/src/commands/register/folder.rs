//! The files of a model as MLflow keeps models, so that its clients can load and serve this one.

use hush_mlflow::{LoggedModel, Run};
use hush_program::TensorSpec;
use hush_runtime::Model;
use serde_json::{Value, json};

use crate::commands::register::RegisterArguments;
use crate::failure::Result;
use crate::terminal::hexadecimal;

/// Name of the program with the weights.
pub(super) const MODEL: &str = "encrypted.model";
const CLIENT: &str = "encrypted.client";
const REPORT: &str = "report.json";

/// Every file but the program with the weights.
pub(super) struct Folder {
    about: Value,
    client: Vec<u8>,
    report: Vec<u8>,
}

impl Folder {
    pub(super) fn new(
        model: &Model,
        report: &Value,
        arguments: &RegisterArguments,
    ) -> Result<Self> {
        let spec = &model.client_spec;
        let version = env!("CARGO_PKG_VERSION");
        let about = json!({
            "flavors": {
                "hushml": {
                    "hushml_version": version,
                    "program": hexadecimal(&spec.program_id),
                    "model": MODEL,
                    "client": CLIENT,
                    "report": REPORT,
                    "server": arguments.server,
                    "served_as": arguments.name,
                },
                "python_function": {
                    "loader_module": "hushml.mlflow",
                    "env": { "virtualenv": "python_env.yaml" },
                    "config": {
                        "server": null, "model": null, "version": null, "keys": null, "ca": null, "raw": null,
                        "report_drift": null,
                    },
                },
            },
            "signature": {
                "inputs": tensors(&spec.inputs, "float64"),
                "outputs": tensors(&spec.outputs, "float32"),
                "params": null,
            },
        });
        Ok(Self {
            about,
            client: model.client_file()?,
            report: serde_json::to_vec_pretty(report)?,
        })
    }

    /// Names and contents; the description says to which run and model they belong.
    pub(super) fn files(&self, run: &Run, model: &LoggedModel) -> Vec<(&'static str, Vec<u8>)> {
        let mut about = self.about.clone();
        about["run_id"] = run.id.as_str().into();
        about["artifact_path"] = model.source.as_str().into();
        if let Some(id) = &model.id {
            about["model_id"] = id.as_str().into();
            about["model_uuid"] = id.as_str().into();
        }
        let requirements = format!("hushml=={}\nmlflow\n", env!("CARGO_PKG_VERSION"));
        let environment =
            "python: '3.10'\nbuild_dependencies:\n- pip\ndependencies:\n- -r requirements.txt\n";
        vec![
            // JSON is YAML.
            ("MLmodel", format!("{about:#}\n").into_bytes()),
            (CLIENT, self.client.clone()),
            (REPORT, self.report.clone()),
            ("requirements.txt", requirements.into_bytes()),
            ("python_env.yaml", environment.into()),
        ]
    }
}

/// Tensors as a signature has them: a text with JSON in it. One alone needs no name.
fn tensors(specs: &[TensorSpec], kind: &str) -> String {
    let tensors = specs.iter().map(|spec| {
        let shape: Vec<_> = std::iter::once(-1)
            .chain(spec.shape.iter().map(|&size| size as i64))
            .collect();
        let mut tensor =
            json!({ "type": "tensor", "tensor-spec": { "dtype": kind, "shape": shape } });
        if specs.len() > 1 {
            tensor["name"] = spec.name.as_str().into();
        }
        tensor
    });
    tensors.collect::<Value>().to_string()
}
