//! A project's files: a folder of this machine, or a clone of a git repository.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::failure::{Failure, Result};

/// A project's folder; a clone goes when this is dropped.
pub(super) struct Fetched {
    pub(super) folder: PathBuf,
    _clone: Option<tempfile::TempDir>,
}

/// Finds or clones a project.
pub(super) fn fetch(uri: &str, version: Option<&str>) -> Result<Fetched> {
    let (place, inside) = uri.split_once('#').unwrap_or((uri, ""));
    if Path::new(inside)
        .components()
        .any(|part| !matches!(part, std::path::Component::Normal(_)))
    {
        return Err(Failure::new(format!("`{inside}` is no folder of a project")).into());
    }
    let local = place.strip_prefix("file://").unwrap_or(place);
    let is_local = Path::new(local).is_dir();
    let fetched = match (is_local, version) {
        (true, None) => Fetched {
            folder: Path::new(local).canonicalize()?,
            _clone: None,
        },
        (true, Some(_)) if !Path::new(local).join(".git").exists() => {
            let message = format!("`{local}` is no git repository, so it has no versions");
            return Err(Failure::new(message)
                .hint("leave out --project-version")
                .into());
        }
        _ => clone(if is_local { local } else { place }, version)?,
    };
    let folder = fetched.folder.join(inside);
    if !folder.is_dir() {
        return Err(Failure::new(format!("the project has no folder `{inside}`")).into());
    }
    Ok(Fetched { folder, ..fetched })
}

fn clone(uri: &str, version: Option<&str>) -> Result<Fetched> {
    if uri.starts_with('-') || version.is_some_and(|version| version.starts_with('-')) {
        return Err(
            Failure::new(format!("`{uri}` is neither a folder nor a git repository")).into(),
        );
    }
    let clone = tempfile::Builder::new().prefix("hush-project-").tempdir()?;
    let folder = clone.path().join("project");
    git(Command::new("git")
        .args(["clone", "--quiet", "--no-checkout", "--", uri])
        .arg(&folder))?;
    let version = version.unwrap_or("HEAD");
    git(in_folder(&folder).args(["checkout", "--quiet", version]))?;
    git(in_folder(&folder).args(["submodule", "--quiet", "update", "--init", "--recursive"]))?;
    Ok(Fetched {
        folder: folder.canonicalize()?,
        _clone: Some(clone),
    })
}

/// git, asked in a folder.
pub(super) fn in_folder(folder: &Path) -> Command {
    let mut command = Command::new("git");
    command.arg("-C").arg(folder);
    command
}

fn git(command: &mut Command) -> Result<()> {
    let shown = || Failure::new("git cannot fetch the project");
    let output = command
        .output()
        .map_err(|error| Failure::new(format!("cannot start git: {error}")).hint("install git"))?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr);
    Err(shown().hint(format!("git says: {}", said.trim())).into())
}
