//! The workspace as `cargo metadata` tells it.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

/// A workspace member.
#[derive(Debug, Clone)]
pub(crate) struct Package {
    /// Name, as in its manifest.
    pub(crate) name: String,
    /// Folder relative to the repository root.
    pub(crate) folder: String,
    /// Dependencies on other workspace members.
    pub(crate) links: Vec<Link>,
}

/// A dependency on a workspace member.
#[derive(Debug, Clone)]
pub(crate) struct Link {
    /// Name of the crate depended on.
    pub(crate) name: String,
    /// When it is linked.
    pub(crate) kind: Kind,
    /// Features asked for.
    pub(crate) features: Vec<String>,
}

/// When a dependency is linked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    /// Into what is deployed (normal and build dependencies).
    Shipped,
    /// Into tests, examples and benches only.
    Development,
}

impl Package {
    /// Path of the manifest relative to the repository root.
    pub(crate) fn manifest(&self) -> String {
        format!("{}/Cargo.toml", self.folder)
    }

    /// Names of the members linked into what is deployed.
    pub(crate) fn shipped(&self) -> impl Iterator<Item = &str> {
        self.links
            .iter()
            .filter(|link| link.kind == Kind::Shipped)
            .map(|link| link.name.as_str())
    }
}

/// The members of the workspace at `root`.
///
/// # Errors
/// If cargo does not start or refuses the manifests.
pub(crate) fn read(root: &Path) -> Result<Vec<Package>> {
    let output = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()))
        .current_dir(root)
        .args(["metadata", "--format-version=1", "--no-deps"])
        .output()
        .context("cargo does not start")?;
    if !output.status.success() {
        bail!(
            "cargo metadata: {}",
            String::from_utf8_lossy(&output.stderr).trim_end()
        );
    }
    parse(&serde_json::from_slice(&output.stdout).context("cargo metadata is not JSON")?)
}

/// The members in the JSON of `cargo metadata --no-deps`.
fn parse(metadata: &Value) -> Result<Vec<Package>> {
    let text = |value: &Value, field: &str| {
        value[field]
            .as_str()
            .map(str::to_owned)
            .with_context(|| format!("cargo metadata lacks {field}"))
    };
    let list = |value: &Value, field: &str| {
        value[field]
            .as_array()
            .cloned()
            .with_context(|| format!("cargo metadata lacks {field}"))
    };
    let root = text(metadata, "workspace_root")?;
    let packages = list(metadata, "packages")?;
    let members: BTreeSet<String> = packages
        .iter()
        .map(|package| text(package, "name"))
        .collect::<Result<_>>()?;
    packages
        .iter()
        .map(|package| {
            let links = list(package, "dependencies")?
                .iter()
                .filter(|link| {
                    link["name"]
                        .as_str()
                        .is_some_and(|name| members.contains(name))
                })
                .map(|link| {
                    Ok(Link {
                        name: text(link, "name")?,
                        kind: if link["kind"] == "dev" {
                            Kind::Development
                        } else {
                            Kind::Shipped
                        },
                        features: list(link, "features")?
                            .iter()
                            .filter_map(|feature| feature.as_str().map(str::to_owned))
                            .collect(),
                    })
                })
                .collect::<Result<_>>()?;
            let manifest = text(package, "manifest_path")?;
            let folder = Path::new(&manifest)
                .parent()
                .and_then(|folder| folder.strip_prefix(&root).ok())
                .with_context(|| format!("{manifest} lies outside the workspace"))?;
            Ok(Package {
                name: text(package, "name")?,
                folder: folder.to_string_lossy().replace('\\', "/"),
                links,
            })
        })
        .collect()
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::json;

    /// A package in `crates/` with shipped links.
    pub(crate) fn package(name: &str, shipped: &[&str]) -> Package {
        let link = |name: &&str| Link {
            name: (*name).to_owned(),
            kind: Kind::Shipped,
            features: Vec::new(),
        };
        Package {
            name: name.to_owned(),
            folder: format!("crates/{name}"),
            links: shipped.iter().map(link).collect(),
        }
    }

    #[test]
    fn reads_links_between_members_only() {
        let metadata = json!({
            "workspace_root": "/w",
            "packages": [
                {"name": "a", "manifest_path": "/w/crates/a/Cargo.toml", "dependencies": [
                    {"name": "b", "kind": null, "features": ["insecure"]},
                    {"name": "c", "kind": "dev", "features": []},
                    {"name": "serde", "kind": null, "features": []}]},
                {"name": "b", "manifest_path": "/w/crates/b/Cargo.toml", "dependencies": []},
                {"name": "c", "manifest_path": "/w/c/Cargo.toml", "dependencies": []}],
        });
        let packages = parse(&metadata).unwrap();
        assert_eq!(packages[0].manifest(), "crates/a/Cargo.toml");
        assert_eq!(packages[0].shipped().collect::<Vec<_>>(), ["b"]);
        assert_eq!(packages[0].links.len(), 2);
        assert_eq!(packages[0].links[1].kind, Kind::Development);
        assert_eq!(packages[2].folder, "c");
    }

    #[test]
    fn tells_what_is_missing() {
        let error = parse(&json!({"workspace_root": "/w"})).unwrap_err();
        assert_eq!(error.to_string(), "cargo metadata lacks packages");
    }
}
