//! The files and packages that the rules look at.

use super::code::{self, Views};
use super::metadata::{self, Package};
use anyhow::{Context, Result, bail};
use std::path::{Path, PathBuf};
use std::process::Command;

/// The text files that git tracks or would track, and the packages of the workspace.
#[derive(Debug, Default)]
pub(crate) struct Repository {
    /// Text files by path.
    pub(crate) files: Vec<File>,
    /// Workspace members.
    pub(crate) packages: Vec<Package>,
}

/// A text file.
#[derive(Debug)]
pub(crate) struct File {
    /// Path relative to the repository root, with forward slashes.
    pub(crate) path: String,
    /// Content.
    pub(crate) text: String,
}

impl File {
    /// Whether this is Rust source.
    pub(crate) fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether this is prose in Markdown.
    pub(crate) fn is_markdown(&self) -> bool {
        self.path.ends_with(".md")
    }

    /// The crate folder this file lies in: `crates/NAME` or `xtask`.
    pub(crate) fn crate_folder(&self) -> Option<&str> {
        match self.path.strip_prefix("crates/") {
            Some(rest) => rest
                .find('/')
                .map(|end| &self.path[..end + "crates/".len()]),
            None => self.path.starts_with("xtask/").then_some("xtask"),
        }
    }

    /// Code and comments apart; the line numbers stay.
    pub(crate) fn views(&self) -> Views {
        code::split(&self.text)
    }
}

impl Repository {
    /// Reads the repository of the current folder.
    ///
    /// # Errors
    /// If it is no git checkout, or cargo does not accept its manifests.
    pub(crate) fn open() -> Result<Repository> {
        let root =
            PathBuf::from(git(Path::new("."), &["rev-parse", "--show-toplevel"])?.trim_end());
        let listing = git(
            &root,
            &[
                "ls-files",
                "-z",
                "--cached",
                "--others",
                "--exclude-standard",
            ],
        )?;
        let mut paths: Vec<&str> = listing
            .split('\0')
            .filter(|path| !path.is_empty())
            .collect();
        paths.sort_unstable();
        paths.dedup();
        // Files that are deleted but not yet committed are listed and cannot be read; binary files are no text.
        let files = paths
            .into_iter()
            .filter_map(|path| {
                let text = String::from_utf8(std::fs::read(root.join(path)).ok()?).ok()?;
                Some(File {
                    path: path.to_owned(),
                    text,
                })
            })
            .collect();
        Ok(Repository {
            files,
            packages: metadata::read(&root)?,
        })
    }

    /// The file at `path`.
    pub(crate) fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }

    /// The Rust sources.
    pub(crate) fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is_rust())
    }

    /// The line of `path` that holds `needle`, for messages about manifests.
    pub(crate) fn line_of(&self, path: &str, needle: &str) -> Option<usize> {
        let text = &self.file(path)?.text;
        text.lines()
            .position(|line| line.contains(needle))
            .map(|index| index + 1)
    }
}

fn git(folder: &Path, arguments: &[&str]) -> Result<String> {
    let output = Command::new("git")
        .current_dir(folder)
        .args(arguments)
        .output()
        .context("git does not start; tidy asks it which files belong to the repository")?;
    if !output.status.success() {
        bail!(
            "git {}: {}",
            arguments.join(" "),
            String::from_utf8_lossy(&output.stderr).trim_end()
        );
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;

    /// A repository of these files and no packages.
    pub(crate) fn repository(files: &[(&str, &str)]) -> Repository {
        Repository {
            files: files
                .iter()
                .map(|(path, text)| File {
                    path: (*path).to_owned(),
                    text: (*text).to_owned(),
                })
                .collect(),
            packages: Vec::new(),
        }
    }

    #[test]
    fn crate_folders() {
        let folder = |path: &str| {
            repository(&[(path, "")]).files[0]
                .crate_folder()
                .map(str::to_owned)
        };
        assert_eq!(
            folder("crates/hush-ring/src/lib.rs").as_deref(),
            Some("crates/hush-ring")
        );
        assert_eq!(folder("xtask/src/main.rs").as_deref(), Some("xtask"));
        assert_eq!(folder("README.md"), None);
        assert_eq!(folder("crates/README.md"), None);
    }
}
