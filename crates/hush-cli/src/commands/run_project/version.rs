//! Which source a run comes from, in the tags that MLflow has for it.

use std::collections::BTreeMap;
use std::path::Path;

use crate::commands::run_project::fetch::in_folder;

/// Name, repository, commit and branch of a project's source.
pub(super) fn tags(uri: &str, folder: &Path, version: Option<&str>) -> BTreeMap<String, String> {
    let ask = |arguments: &[&str]| {
        let output = in_folder(folder).args(arguments).output().ok()?;
        let text = String::from_utf8(output.stdout).ok()?.trim().to_owned();
        (output.status.success() && !text.is_empty()).then_some(text)
    };
    let mut tags = BTreeMap::new();
    let mut set = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            tags.insert(format!("mlflow.source.{name}"), value);
        }
    };
    let place = uri.split_once('#').map_or(uri, |(place, _)| place);
    let local = Path::new(place.strip_prefix("file://").unwrap_or(place)).is_dir();
    let top = ask(&["rev-parse", "--show-toplevel"]);
    let name = match (&top, local) {
        (Some(top), true) if version.is_none() && !uri.contains('#') => {
            let inside = folder.strip_prefix(top).unwrap_or(Path::new(""));
            let inside = inside.to_string_lossy();
            if inside.is_empty() {
                format!("file://{top}")
            } else {
                format!("file://{top}#{inside}")
            }
        }
        (None, true) => folder.to_string_lossy().into_owned(),
        _ => without_account(uri),
    };
    set("name", Some(name));
    set("git.commit", ask(&["rev-parse", "HEAD"]));
    let remote = ask(&["remote"]).and_then(|remotes| remotes.lines().next().map(str::to_owned));
    let address = remote.and_then(|remote| ask(&["remote", "get-url", &remote]));
    set(
        "git.repoURL",
        address.map(|address| without_account(&address)),
    );
    let branch = version.filter(|version| {
        let verify = |name: String| ask(&["rev-parse", "--verify", "--quiet", &name]).is_some();
        verify(format!("refs/heads/{version}")) || verify(format!("refs/remotes/origin/{version}"))
    });
    set("git.branch", branch.map(str::to_owned));
    tags
}

/// An address without the name and password that may stand in it.
fn without_account(address: &str) -> String {
    let Some((scheme, rest)) = address.split_once("://") else {
        return address.to_owned();
    };
    let (authority, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = authority
        .rsplit_once('@')
        .map_or(authority, |(_, host)| host);
    format!("{scheme}://{host}{path}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn accounts_stay_here() {
        for (address, shown) in [
            ("https://ada:secret@host/a.git#b", "https://host/a.git#b"),
            ("https://host/a@b", "https://host/a@b"),
            ("git@host:a.git", "git@host:a.git"),
        ] {
            assert_eq!(without_account(address), shown);
        }
    }
}
