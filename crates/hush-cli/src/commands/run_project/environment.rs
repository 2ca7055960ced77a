//! Where an entry point runs: a virtual environment, one of conda, a container, or here.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde::Deserialize;

use crate::commands::run_project::Isolation;
use crate::commands::run_project::project::{Docker, Environment, Project, Variable, quoted};
use crate::failure::{Failure, Result};
use crate::terminal::{Terminal, hexadecimal};

/// Where a project's files lie in its container, as MLflow has it.
const INSIDE: &str = "/mlflow/projects/code/";

/// What environments are made of.
pub(super) struct Place<'a> {
    pub(super) folder: &'a Path,
    pub(super) environments: Option<&'a Path>,
    pub(super) docker: &'a [String],
}

/// `python_env.yaml`.
#[derive(Debug, Default, Deserialize)]
struct PythonEnvironment {
    python: Option<String>,
    #[serde(default)]
    build_dependencies: Vec<String>,
    #[serde(default)]
    dependencies: Vec<String>,
}

/// Makes the environment, unless it is there from an earlier run, and says how the command is started in it.
pub(super) fn prepare(
    project: &Project,
    isolation: Isolation,
    place: &Place<'_>,
    variables: &[(&str, &str)],
    command: &str,
    terminal: Terminal,
) -> Result<Command> {
    let spinner = terminal.progress.spinner("environment");
    let shell = match (isolation, &project.environment) {
        (_, Environment::Docker(docker)) => {
            let started = container(project, docker, place, variables, command);
            spinner.finish_and_clear();
            return started;
        }
        (Isolation::Local | Isolation::Docker, _) => command.to_owned(),
        (Isolation::Virtualenv, Environment::Conda(_)) => {
            let message = "the project describes its environment for conda";
            return Err(Failure::new(message)
                .hint("pass --env-manager conda or local")
                .into());
        }
        (Isolation::Virtualenv, Environment::Python(path)) => {
            let folder = virtual_environment(path.as_deref(), place)?;
            format!(
                ". {}/bin/activate && {command}",
                quoted(&folder.to_string_lossy())
            )
        }
        (Isolation::Conda, Environment::Conda(path)) => {
            let name = conda_environment(path)?;
            format!(
                ". \"$(conda info --base)/etc/profile.d/conda.sh\" && conda activate {name} && {command}"
            )
        }
        (Isolation::Conda, Environment::Python(_)) => {
            let message = "the project describes its environment for pip";
            return Err(Failure::new(message)
                .hint("pass --env-manager virtualenv or local")
                .into());
        }
    };
    spinner.finish_and_clear();
    let mut started = Command::new("bash");
    started.args(["-c", &shell]);
    Ok(started)
}

/// A virtual environment with the packages of a file, named after what the file says.
fn virtual_environment(path: Option<&Path>, place: &Place<'_>) -> Result<PathBuf> {
    let text = path
        .map(fs::read_to_string)
        .transpose()?
        .unwrap_or_default();
    let wanted: PythonEnvironment = match text.trim() {
        "" => PythonEnvironment::default(),
        text => serde_saphyr::from_str(text)
            .map_err(|error| Failure::new(format!("cannot read `python_env.yaml`: {error}")))?,
    };
    let python = interpreter(wanted.python.as_deref())?;
    let mut digest = blake3::Hasher::new();
    digest.update(text.as_bytes());
    digest.update(python.as_bytes());
    for dependency in &wanted.dependencies {
        // What a file of requirements says is part of it.
        if let Some(file) = dependency.trim().strip_prefix("-r") {
            digest.update(&fs::read(place.folder.join(file.trim())).unwrap_or_default());
        }
    }
    let root = match place.environments {
        Some(folder) => folder.to_owned(),
        None => home()?.join(".hushml/environments"),
    };
    let folder = root.join(format!(
        "hush-{}",
        hexadecimal(&digest.finalize().as_bytes()[..16])
    ));
    let whole = folder.join("hush-complete");
    if whole.is_file() {
        return Ok(folder);
    }
    // Half an environment of a run that was stopped.
    if folder.exists() {
        fs::remove_dir_all(&folder)?;
    }
    fs::create_dir_all(&root)?;
    perform(
        Command::new(&python).args(["-m", "venv"]).arg(&folder),
        "make a virtual environment",
    )?;
    for packages in [&wanted.build_dependencies, &wanted.dependencies] {
        if packages.is_empty() {
            continue;
        }
        // In the project's folder: what a line of it names is relative to that.
        let mut list = tempfile::Builder::new()
            .prefix(".hush-requirements-")
            .tempfile_in(place.folder)?;
        std::io::Write::write_all(&mut list, (packages.join("\n") + "\n").as_bytes())?;
        let mut pip = Command::new(folder.join("bin/python"));
        pip.args([
            "-m",
            "pip",
            "install",
            "--quiet",
            "--disable-pip-version-check",
            "-r",
        ]);
        perform(
            pip.arg(list.path()).current_dir(place.folder),
            "install the packages of the project",
        )?;
    }
    fs::write(whole, text)?;
    Ok(folder)
}

/// An interpreter of the wanted version, as far as its first two numbers.
fn interpreter(wanted: Option<&str>) -> Result<String> {
    let Some(wanted) = wanted else {
        return Ok("python3".to_owned());
    };
    let short: Vec<_> = wanted
        .trim_start_matches(['=', '>', '<', ' '])
        .split('.')
        .take(2)
        .collect();
    let short = short.join(".");
    for program in [
        format!("python{short}"),
        "python3".to_owned(),
        "python".to_owned(),
    ] {
        let asked = Command::new(&program).arg("--version").output();
        let said = asked
            .map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
            .unwrap_or_default();
        let version = said.trim().strip_prefix("Python ").unwrap_or_default();
        if version == short || version.starts_with(&format!("{short}.")) {
            return Ok(program);
        }
    }
    Err(Failure::new(format!(
        "the project wants Python {wanted}, which is not here"
    ))
    .hint(format!(
        "install Python {short}, or pass --env-manager local"
    ))
    .into())
}

fn conda_environment(path: &Path) -> Result<String> {
    let digest = blake3::hash(&fs::read(path)?);
    let name = format!("hush-{}", hexadecimal(&digest.as_bytes()[..16]));
    let listed = Command::new("conda")
        .args(["env", "list", "--json"])
        .output();
    let listed = listed.map_err(|error| not_there("conda", &error))?;
    if String::from_utf8_lossy(&listed.stdout).contains(&name) {
        return Ok(name);
    }
    let mut create = Command::new("conda");
    create
        .args(["env", "create", "--quiet", "--name", &name, "--file"])
        .arg(path);
    perform(&mut create, "make the environment of conda")?;
    Ok(name)
}

/// `docker run` with the project's files in an image of their own.
fn container(
    project: &Project,
    docker: &Docker,
    place: &Place<'_>,
    variables: &[(&str, &str)],
    command: &str,
) -> Result<Command> {
    let digest = blake3::hash(place.folder.as_os_str().as_encoded_bytes());
    let name = project
        .name
        .as_deref()
        .unwrap_or("project")
        .to_ascii_lowercase();
    let name: String = name
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '-' })
        .collect();
    let image = format!(
        "hush-{}:{}",
        name.trim_matches('-'),
        hexadecimal(&digest.as_bytes()[..6])
    );
    let recipe = tempfile::NamedTempFile::new()?;
    fs::write(
        recipe.path(),
        format!("FROM {}\nCOPY . {INSIDE}\nWORKDIR {INSIDE}\n", docker.image),
    )?;
    let mut build = Command::new("docker");
    build
        .args(["build", "--quiet", "--tag", &image, "--file"])
        .arg(recipe.path())
        .arg(place.folder);
    perform(&mut build, "build the image of the project")?;
    let mut run = Command::new("docker");
    run.args(["run", "--rm"]);
    for argument in place.docker {
        let dashes = |name: &str| {
            if name.len() == 1 {
                format!("-{name}")
            } else {
                format!("--{name}")
            }
        };
        match argument.split_once('=') {
            Some((name, value)) => run.args([dashes(name).as_str(), value]),
            None => run.arg(dashes(argument)),
        };
    }
    for volume in &docker.volumes {
        run.args(["-v", volume]);
    }
    for (name, value) in variables {
        run.args(["-e", &format!("{name}={value}")]);
    }
    // By name only: values stay out of the list of processes.
    for name in [
        "MLFLOW_TRACKING_USERNAME",
        "MLFLOW_TRACKING_PASSWORD",
        "MLFLOW_TRACKING_TOKEN",
    ] {
        if std::env::var_os(name).is_some() {
            run.args(["-e", name]);
        }
    }
    for variable in &docker.environment {
        match variable {
            Variable::Copied(name) if std::env::var_os(name).is_none() => {
                return Err(Failure::new(format!(
                    "the project wants the environment variable `{name}`, which is not set"
                ))
                .into());
            }
            Variable::Copied(name) => run.args(["-e", name]),
            Variable::Set(pair) => match &pair[..] {
                [name, value] => run.args(["-e", &format!("{name}={value}")]),
                _ => {
                    return Err(Failure::new(
                        "an environment variable of the container has no value",
                    )
                    .into());
                }
            },
        };
    }
    run.args([image.as_str(), "bash", "-c", command]);
    Ok(run)
}

fn home() -> Result<PathBuf> {
    let home = std::env::var_os("HOME")
        .filter(|home| !home.is_empty())
        .map(PathBuf::from);
    home.ok_or_else(|| {
        Failure::new("there is no home folder")
            .hint("pass --environments")
            .into()
    })
}

fn perform(command: &mut Command, what: &str) -> Result<()> {
    let program = command.get_program().to_owned();
    let output = command
        .output()
        .map_err(|error| not_there(&program, &error))?;
    if output.status.success() {
        return Ok(());
    }
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said);
    let last: Vec<_> = said.trim().lines().rev().take(12).collect();
    let last: Vec<_> = last.into_iter().rev().collect();
    Err(Failure::new(format!("cannot {what}"))
        .hint(format!(
            "{} says: {}",
            program.to_string_lossy(),
            last.join("\n")
        ))
        .into())
}

fn not_there(program: impl AsRef<OsStr>, error: &std::io::Error) -> anyhow::Error {
    let program = program.as_ref().to_string_lossy();
    Failure::new(format!("cannot start `{program}`: {error}"))
        .hint(format!("install {program}, or pass --env-manager local"))
        .into()
}
