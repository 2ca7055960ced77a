//! What is committed names no build machine's folders and no package registry's hosts.

use crate::tidy::{Repository, Violation};

/// Folders of the machines people build on. Written in two halves, so that this file keeps its own rule.
const FOLDERS: &[&str] = &[
    concat!("/wo", "rk/"),
    concat!("/ro", "ot/"),
    concat!("/ho", "me/"),
    concat!("/Us", "ers/"),
];

/// Hosts of package registries.
const HOSTS: &[&str] = &[
    concat!("index.", "crates.io"),
    concat!("static.", "crates.io"),
    concat!("py", "pi.org"),
    concat!("files.python", "hosted.org"),
    concat!("registry.", "npmjs.org"),
    concat!("proxy.", "golang.org"),
    concat!("deb.", "debian.org"),
];

/// Written by cargo, which names its index there.
const LOCK_FILE: &str = "Cargo.lock";

pub(crate) fn check(repository: &Repository) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in repository
        .files
        .iter()
        .filter(|file| file.path != LOCK_FILE)
    {
        for (index, line) in file.text.lines().enumerate() {
            let mut broken = |message: String, hint: &str| {
                violations.push(Violation {
                    path: file.path.clone(),
                    line: Some(index + 1),
                    rule: "machine-text",
                    message,
                    hint: hint.into(),
                });
            };
            if let Some(folder) = FOLDERS.iter().find(|folder| holds_path(line, folder)) {
                broken(
                    format!("`{folder}` is a folder of somebody's machine"),
                    "write the path relative to the repository, or take it as an argument",
                );
            }
            if let Some(host) = HOSTS.iter().find(|host| line.contains(**host)) {
                broken(
                    format!("`{host}` is a registry's host"),
                    "name the package; which registry serves it is each machine's own setting",
                );
            }
        }
    }
    violations
}

/// Whether an absolute path on this line starts with `folder`.
fn holds_path(line: &str, folder: &str) -> bool {
    line.match_indices(folder).any(|(start, _)| {
        // Inside a longer path or an address, `/…/` is no root folder.
        let before = line[..start].chars().next_back();
        !before.is_some_and(|c| {
            c.is_alphanumeric() || matches!(c, '.' | '_' | '-' | '~' | '/' | '}' | ')' | '*')
        })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::repository::tests::repository;

    #[test]
    fn folders_and_hosts_are_found_with_their_line() {
        let text = format!(
            "fine\nsee {}main/a.rs\nfrom https://{}/simple\n",
            FOLDERS[0], HOSTS[2]
        );
        let found = check(&repository(&[("docs/a.md", &text), ("Cargo.lock", &text)]));
        let places: Vec<_> = found
            .iter()
            .map(|violation| (violation.path.as_str(), violation.line))
            .collect();
        assert_eq!(places, [("docs/a.md", Some(2)), ("docs/a.md", Some(3))]);
    }

    #[test]
    fn folders_inside_longer_paths_are_fine() {
        let text = format!(
            "target{}x ./{} $HOME{}",
            FOLDERS[0],
            &FOLDERS[1][1..],
            FOLDERS[2]
        );
        assert_eq!(check(&repository(&[("docs/a.md", &text)])), []);
    }
}
