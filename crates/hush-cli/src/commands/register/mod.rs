//! `hush register`: a compiled model as a version in a registry that speaks MLflow's API.

mod facts;
mod folder;

use std::collections::BTreeMap;
use std::path::PathBuf;

use clap::Args;
use hush_mlflow::{Run, RunStatus, Version};
use serde_json::json;

use crate::commands::tracking::{Tracked, TrackingArguments, user};
use crate::failure::{Failure, Result};
use crate::files::{read_model, report};
use crate::terminal::{Outcome, Terminal, hexadecimal};

/// Register a compiled model as a version of a model in an MLflow registry
#[derive(Args, Debug)]
pub(crate) struct RegisterArguments {
    /// The program with its weights (.model)
    model: PathBuf,
    /// Name of the registered model; made if it is not there
    #[arg(long, value_name = "NAME")]
    name: String,
    #[command(flatten)]
    tracking: TrackingArguments,
    /// The run that the model belongs to [default: a new one]
    #[arg(long, value_name = "ID", conflicts_with = "experiment")]
    run_id: Option<String>,
    /// The experiment of the new run, made if it is not there
    #[arg(
        long,
        value_name = "NAME",
        env = "MLFLOW_EXPERIMENT_NAME",
        default_value = "Default"
    )]
    experiment: String,
    /// What the version is called from now on, like production; may be given several times
    #[arg(long, value_name = "NAME")]
    alias: Vec<String>,
    /// A tag of the version; may be given several times
    #[arg(long, value_name = "KEY=VALUE", value_parser = pair)]
    tag: Vec<(String, String)>,
    /// Where the model is served, for those who load it with mlflow.pyfunc
    #[arg(long, value_name = "URL")]
    server: Option<String>,
}

pub(crate) fn run(arguments: &RegisterArguments, terminal: Terminal) -> Result<Outcome> {
    let model = read_model(&arguments.model)?;
    let report = report(&model);
    let mut tags =
        facts::facts(&report, &hexadecimal(&model.client_spec.program_id)).ok_or_else(|| {
            Failure::new(format!(
                "`{}` holds no report of the compiler",
                arguments.model.display()
            ))
            .hint("compile it again with this version of hush")
        })?;
    let file = arguments
        .model
        .file_name()
        .unwrap_or_default()
        .to_string_lossy();
    tags.insert("hush.source.file".to_owned(), file.into_owned());
    tags.extend(arguments.tag.iter().cloned());
    let folder = folder::Folder::new(&model, &report, arguments)?;
    drop(model);

    let tracked = arguments.tracking.open()?;
    let (run, own) = begin(arguments, &tracked)?;
    let spinner = terminal.progress.spinner("upload");
    let version = register(arguments, &tracked, &run, &folder, &tags);
    spinner.finish_and_clear();
    if own {
        let status = if version.is_ok() {
            RunStatus::Finished
        } else {
            RunStatus::Failed
        };
        let ended = tracked.wait(tracked.server.set_run_status(&run.id, status));
        // What went wrong first says more.
        if version.is_ok() {
            ended?;
        }
    }
    let version = version?;
    let address = tracked.server.address();
    let aliases = arguments
        .alias
        .iter()
        .map(|alias| format!(", models:/{}@{alias}", version.name));
    Ok(Outcome {
        text: format!(
            "{} version {} at {address}\nmodels:/{0}/{1}{}\nrun {}",
            version.name,
            version.number,
            aliases.collect::<String>(),
            run.id
        ),
        json: json!({
            "name": version.name,
            "version": version.number,
            "run_id": run.id,
            "aliases": arguments.alias,
            "tags": tags,
            "tracking_uri": address,
        }),
    })
}

/// The run that is named, or a new one, which is ours to end.
fn begin(arguments: &RegisterArguments, tracked: &Tracked) -> Result<(Run, bool)> {
    if let Some(id) = &arguments.run_id {
        return Ok((tracked.wait(tracked.server.run(id))?, false));
    }
    let experiment = tracked.wait(tracked.server.experiment(&arguments.experiment))?;
    let mut tags = BTreeMap::from([
        ("mlflow.source.name".to_owned(), "hush register".to_owned()),
        ("mlflow.source.type".to_owned(), "LOCAL".to_owned()),
    ]);
    tags.extend(user());
    let name = format!("register {}", arguments.name);
    Ok((
        tracked.wait(tracked.server.create_run(&experiment, Some(&name), &tags))?,
        true,
    ))
}

fn register(
    arguments: &RegisterArguments,
    tracked: &Tracked,
    run: &Run,
    folder: &folder::Folder,
    tags: &BTreeMap<String, String>,
) -> Result<Version> {
    let server = &tracked.server;
    let model = tracked.wait(server.create_logged_model(run, &arguments.name, tags))?;
    let uploaded = tracked.wait(async {
        for (name, bytes) in folder.files(run, &model) {
            server
                .upload_bytes(&model.artifacts.join(name), bytes)
                .await?;
        }
        server
            .upload_file(&model.artifacts.join(folder::MODEL), &arguments.model)
            .await
    });
    tracked.wait(server.finalize_logged_model(&model, uploaded.is_ok()))?;
    uploaded?;
    let version = tracked.wait(server.register(&arguments.name, &model, &run.id, tags))?;
    for alias in &arguments.alias {
        tracked.wait(server.set_alias(&version, alias))?;
    }
    Ok(version)
}

fn pair(text: &str) -> std::result::Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("write KEY=VALUE")?;
    if key.is_empty() {
        Err("write KEY=VALUE".to_owned())
    } else {
        Ok((key.to_owned(), value.to_owned()))
    }
}
