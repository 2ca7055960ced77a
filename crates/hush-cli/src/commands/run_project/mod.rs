//! `hush run-project`: an entry point of an `MLproject` folder or git repository, in its environment, as a run of a tracking
//! server.

mod environment;
mod fetch;
mod project;
mod stop;
mod version;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use clap::{Args, ValueEnum};
use hush_mlflow::{Run, RunStatus};
use serde_json::json;

use crate::commands::tracking::{Tracked, TrackingArguments, user};
use crate::failure::{Failure, Result};
use crate::terminal::{Outcome, Terminal};

use project::Project;
use stop::Stop;

/// Run an MLproject folder or git repository as a run of a tracking server
#[derive(Args, Debug)]
pub(crate) struct RunProjectArguments {
    /// A folder or git repository; `#FOLDER` behind it names a folder in it
    uri: String,
    /// The entry point: one of the MLproject file, or a .py or .sh file
    #[arg(short, long, value_name = "NAME", default_value = "main")]
    entry_point: String,
    /// A parameter; may be given several times
    #[arg(short = 'P', long = "param-list", value_name = "NAME=VALUE", value_parser = pair)]
    parameters: Vec<(String, String)>,
    /// Branch, tag or commit of the git repository
    #[arg(short = 'v', long = "project-version", value_name = "VERSION")]
    project_version: Option<String>,
    #[command(flatten)]
    tracking: TrackingArguments,
    /// The experiment, made if it is not there
    #[arg(
        long,
        value_name = "NAME",
        env = "MLFLOW_EXPERIMENT_NAME",
        default_value = "Default"
    )]
    experiment_name: String,
    /// The experiment by its id
    #[arg(long, value_name = "ID", env = "MLFLOW_EXPERIMENT_ID")]
    experiment_id: Option<String>,
    /// What the run is called
    #[arg(long, value_name = "NAME")]
    run_name: Option<String>,
    /// The run, which is there already
    #[arg(long, value_name = "ID")]
    run_id: Option<String>,
    /// Where the entry point runs [default: as the project says]
    #[arg(long, value_enum)]
    env_manager: Option<Isolation>,
    /// Where environments are kept [default: ~/.hushml/environments]
    #[arg(long, value_name = "FOLDER", env = "HUSH_ENVIRONMENTS")]
    environments: Option<PathBuf>,
    /// An argument for `docker run`, like gpus=all or t; may be given several times
    #[arg(short = 'A', long = "docker-args", value_name = "NAME[=VALUE]")]
    docker: Vec<String>,
}

/// Who makes the environment.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Isolation {
    /// A virtual environment of Python, filled by pip
    Virtualenv,
    /// An environment of conda
    Conda,
    /// A container
    #[value(skip)]
    Docker,
    /// The environment that hush runs in
    Local,
}

impl Isolation {
    fn name(self) -> &'static str {
        match self {
            Self::Virtualenv => "virtualenv",
            Self::Conda => "conda",
            Self::Docker => "docker",
            Self::Local => "local",
        }
    }
}

pub(crate) fn run(arguments: &RunProjectArguments, terminal: Terminal) -> Result<Outcome> {
    let fetched = fetch::fetch(&arguments.uri, arguments.project_version.as_deref())?;
    let folder = fetched.folder.as_path();
    let project = Project::read(folder)?;
    let entry = project.entry_point(&arguments.entry_point)?;
    let given = &arguments.parameters;
    let parameters = entry.parameters(given)?;
    // Before the run is made: what is wrong with the command is not a failed run.
    let command = entry.command(&parameters)?;

    let isolation = arguments.env_manager.unwrap_or_else(|| project.isolation());
    let tracked = Arc::new(arguments.tracking.open()?);
    let run = begin(arguments, &tracked, folder, &parameters, isolation)?;
    let stop = Stop::install(&tracked, &run.id);
    let place = environment::Place {
        folder,
        environments: arguments.environments.as_deref(),
        docker: &arguments.docker,
    };
    let variables = [
        ("MLFLOW_RUN_ID", run.id.as_str()),
        ("MLFLOW_EXPERIMENT_ID", run.experiment.as_str()),
        ("MLFLOW_TRACKING_URI", tracked.server.address()),
    ];
    let started = environment::prepare(&project, isolation, &place, &variables, &command, terminal);
    let status = started.and_then(|mut started| perform(&mut started, &variables, folder, &stop));
    stop.over();
    let ended = match &status {
        Ok(0) => RunStatus::Finished,
        _ => RunStatus::Failed,
    };
    let told = tracked.wait(tracked.server.set_run_status(&run.id, ended));
    let status = status?;
    told?;
    if status != 0 {
        let message = format!(
            "the entry point `{}` ended with exit code {status}",
            arguments.entry_point
        );
        return Err(Failure::new(message)
            .hint(format!("its output is above; run {}", run.id))
            .into());
    }
    Ok(Outcome {
        text: format!("run {} finished at {}", run.id, tracked.server.address()),
        json: json!({
            "run_id": run.id,
            "experiment_id": run.experiment,
            "entry_point": arguments.entry_point,
            "parameters": parameters.iter().cloned().collect::<BTreeMap<_, _>>(),
            "tracking_uri": tracked.server.address(),
        }),
    })
}

/// Runs the command, whose output is ours too, and returns its exit code.
fn perform(
    command: &mut Command,
    variables: &[(&str, &str)],
    folder: &Path,
    stop: &Stop,
) -> Result<i32> {
    command.current_dir(folder).envs(variables.iter().copied());
    // One object of ours is all that may stand on standard output.
    command.stdout(std::io::stderr());
    let program = command.get_program().to_string_lossy().into_owned();
    let status = stop
        .perform(command)
        .map_err(|error| Failure::new(format!("cannot start `{program}`: {error}")))?;
    Ok(status.code().unwrap_or(-1))
}

/// The run that is named, or a new one with what MLflow says of projects.
fn begin(
    arguments: &RunProjectArguments,
    tracked: &Tracked,
    folder: &Path,
    parameters: &[(String, String)],
    isolation: Isolation,
) -> Result<Run> {
    let server = &tracked.server;
    let mut tags = BTreeMap::from([
        ("mlflow.project.env".to_owned(), isolation.name().to_owned()),
        ("mlflow.project.backend".to_owned(), "local".to_owned()),
    ]);
    if isolation == Isolation::Local {
        tags.remove("mlflow.project.env");
    }
    if let Some(id) = &arguments.run_id {
        let run = tracked.wait(server.run(id))?;
        tracked.wait(server.log(&run.id, &[], &BTreeMap::new(), &tags))?;
        tracked.wait(server.set_run_status(&run.id, RunStatus::Running))?;
        return Ok(run);
    }
    let experiment = match &arguments.experiment_id {
        Some(id) => id.clone(),
        None => tracked.wait(server.experiment(&arguments.experiment_name))?,
    };
    tags.extend(user());
    tags.insert("mlflow.source.type".to_owned(), "PROJECT".to_owned());
    tags.insert(
        "mlflow.project.entryPoint".to_owned(),
        arguments.entry_point.clone(),
    );
    tags.extend(version::tags(
        &arguments.uri,
        folder,
        arguments.project_version.as_deref(),
    ));
    // A project that starts projects.
    if let Ok(parent) = std::env::var("MLFLOW_RUN_ID") {
        tags.insert("mlflow.parentRunId".to_owned(), parent);
    }
    let run = tracked.wait(server.create_run(&experiment, arguments.run_name.as_deref(), &tags))?;
    let parameters = parameters.iter().cloned().collect();
    tracked.wait(server.log(&run.id, &[], &parameters, &BTreeMap::new()))?;
    Ok(run)
}

fn pair(text: &str) -> std::result::Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() => Ok((name.to_owned(), value.to_owned())),
        _ => Err("write NAME=VALUE".to_owned()),
    }
}
