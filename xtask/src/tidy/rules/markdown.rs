//! What the documentation tells people to type or open exists: make targets, xtask tasks, linked files.

use crate::tidy::{File, Repository, Violation};
use std::collections::BTreeSet;

/// Tasks of `cargo xtask`.
const TASKS: &[&str] = &["tidy", "help"];

pub(crate) fn check(repository: &Repository) -> Vec<Violation> {
    let targets = repository.file("Makefile").map(targets).unwrap_or_default();
    let mut violations = Vec::new();
    for file in repository.files.iter().filter(|file| file.is_markdown()) {
        let mut fenced = false;
        for (index, line) in file.text.lines().enumerate() {
            let mut broken = |message: String, hint: String| {
                let (path, line) = (file.path.clone(), Some(index + 1));
                violations.push(Violation {
                    path,
                    line,
                    rule: "markdown",
                    message,
                    hint,
                });
            };
            if line.trim_start().starts_with("```") {
                fenced = !fenced;
                continue;
            }
            for code in if fenced {
                vec![line]
            } else {
                inline_code(line)
            } {
                for target in words_after(code, &["make"]) {
                    if !targets.contains(target) {
                        let hint = format!("the targets are {}", join(targets.iter().copied()));
                        broken(format!("the Makefile has no target `{target}`"), hint);
                    }
                }
                for task in words_after(code, &["cargo", "xtask"]) {
                    if !TASKS.contains(&task) {
                        let hint = format!("the tasks are {}", join(TASKS.iter().copied()));
                        broken(format!("xtask has no task `{task}`"), hint);
                    }
                }
            }
            if !fenced {
                for link in relative_links(line) {
                    let path = resolve(&file.path, link);
                    let folder = format!("{path}/");
                    if !repository
                        .files
                        .iter()
                        .any(|file| file.path == path || file.path.starts_with(&folder))
                    {
                        let hint = "link to a file of the repository, relative to this one".into();
                        broken(
                            format!("the link leads to `{path}`, which does not exist"),
                            hint,
                        );
                    }
                }
            }
        }
    }
    violations
}

/// The targets of a Makefile.
fn targets(makefile: &File) -> BTreeSet<&str> {
    let lines = makefile
        .text
        .lines()
        .filter(|line| !line.starts_with(['\t', '#', '.', ' ']));
    lines
        .filter_map(|line| line.split_once(':'))
        .filter(|(_, rest)| !rest.starts_with('='))
        .flat_map(|(names, _)| names.split_whitespace())
        .collect()
}

/// The text between single backticks.
fn inline_code(line: &str) -> Vec<&str> {
    line.split('`').skip(1).step_by(2).collect()
}

/// The word after each place where a command that starts with `command` stands in `code`.
fn words_after<'a>(code: &'a str, command: &[&str]) -> Vec<&'a str> {
    let code = code.split('#').next().unwrap_or_default();
    code.split("&&")
        .flat_map(|part| part.split(';'))
        .filter_map(|part| {
            let mut words = part
                .split_whitespace()
                .filter(|word| *word != "$" && !word.contains('='));
            for expected in command {
                if words.next()? != *expected {
                    return None;
                }
            }
            words.find(|word| word.starts_with(|c: char| c.is_ascii_lowercase()))
        })
        .collect()
}

/// Targets of links that stay in the repository, without their anchors.
fn relative_links(line: &str) -> Vec<&str> {
    line.split("](")
        .skip(1)
        .filter_map(|rest| rest.split([')', ' ']).next())
        .map(|link| link.split('#').next().unwrap_or_default())
        .filter(|link| !link.is_empty() && !link.contains("://") && !link.starts_with("mailto:"))
        .collect()
}

/// `link` as seen from the file at `path`, relative to the repository root.
fn resolve(path: &str, link: &str) -> String {
    let mut parts: Vec<&str> = path.split('/').collect();
    parts.pop();
    for part in link.split('/') {
        match part {
            "." | "" => {}
            ".." => drop(parts.pop()),
            name => parts.push(name),
        }
    }
    parts.join("/")
}

fn join<'a>(names: impl Iterator<Item = &'a str>) -> String {
    names.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::repository::tests::repository;

    const MAKEFILE: &str = ".PHONY: test\nX := 1\nbuild test: ## both\n\tcargo x: y\n";

    #[test]
    fn commands_exist() {
        let readme = "Use `make test` or `make toast`.\n```\nmake build && make cake\n$ make test # make x\ncargo xtask tidy\ncargo xtask clean\n```\nmake sure it works\n";
        let found = check(&repository(&[
            ("Makefile", MAKEFILE),
            ("README.md", readme),
        ]));
        let found: Vec<_> = found
            .iter()
            .map(|v| (v.line.unwrap_or(0), v.message.as_str()))
            .collect();
        assert_eq!(
            found,
            [
                (1, "the Makefile has no target `toast`"),
                (3, "the Makefile has no target `cake`"),
                (6, "xtask has no task `clean`"),
            ]
        );
    }

    #[test]
    fn links_lead_somewhere() {
        let text = "[a](../README.md#top) [b](missing.md) [c](https://example.org) [d](#here)\n[e](../crates)";
        let found = check(&repository(&[
            ("README.md", ""),
            ("docs/a.md", text),
            ("crates/x/a.rs", ""),
        ]));
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0].message,
            "the link leads to `docs/missing.md`, which does not exist"
        );
    }

    #[test]
    fn targets_are_read() {
        let repository = repository(&[("Makefile", MAKEFILE)]);
        assert_eq!(
            targets(&repository.files[0])
                .into_iter()
                .collect::<Vec<_>>(),
            ["build", "test"]
        );
    }
}
