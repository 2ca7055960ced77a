//! The `MLproject` file: entry points with parameters, and the environment that they need.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use serde::Deserialize;
use serde::de::{Deserializer, IgnoredAny, MapAccess, Visitor};

use crate::commands::run_project::Isolation;
use crate::failure::{Failure, Result};

/// A folder that can be run.
#[derive(Debug)]
pub(super) struct Project {
    pub(super) name: Option<String>,
    pub(super) environment: Environment,
    entry_points: BTreeMap<String, EntryPoint>,
}

/// What a project needs.
#[derive(Debug, PartialEq)]
pub(super) enum Environment {
    /// Python, and the packages of this file if there is one.
    Python(Option<PathBuf>),
    /// What this file describes.
    Conda(PathBuf),
    /// A container.
    Docker(Docker),
}

/// A container.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub(super) struct Docker {
    pub(super) image: String,
    #[serde(default)]
    pub(super) volumes: Vec<String>,
    #[serde(default)]
    pub(super) environment: Vec<Variable>,
}

/// An environment variable of a container.
#[derive(Clone, Debug, Deserialize, PartialEq)]
#[serde(untagged)]
pub(super) enum Variable {
    /// Taken over.
    Copied(String),
    /// Name and value.
    Set(Vec<String>),
}

/// A command with parameters.
#[derive(Clone, Debug, Default, Deserialize)]
pub(super) struct EntryPoint {
    #[serde(default)]
    parameters: BTreeMap<String, Parameter>,
    #[serde(default)]
    command: String,
}

/// A parameter.
#[derive(Clone, Debug, Default)]
struct Parameter {
    kind: String,
    default: Option<String>,
}

/// The file as it is written.
#[derive(Debug, Default, Deserialize)]
struct File {
    name: Option<String>,
    python_env: Option<String>,
    conda_env: Option<String>,
    docker_env: Option<Docker>,
    #[serde(default)]
    entry_points: BTreeMap<String, EntryPoint>,
}

impl Project {
    /// Reads the file of a folder; a folder without one has no entry points but its scripts.
    pub(super) fn read(folder: &Path) -> Result<Self> {
        let wrong = |reason: String| {
            let hint = "see the MLflow documentation of MLproject files";
            Failure::new(format!(
                "cannot use the project `{}`: {reason}",
                folder.display()
            ))
            .hint(hint)
        };
        let mut entries = fs::read_dir(folder).map_err(|error| wrong(error.to_string()))?;
        let found = entries.find_map(|entry| {
            let entry = entry.ok()?;
            entry
                .file_name()
                .eq_ignore_ascii_case("MLproject")
                .then(|| entry.path())
        });
        let file: File = match &found {
            None => File::default(),
            Some(path) => {
                let text = fs::read_to_string(path).map_err(|error| wrong(error.to_string()))?;
                serde_saphyr::from_str(&text).map_err(|error| wrong(error.to_string()))?
            }
        };
        let named = [
            file.python_env.is_some(),
            file.conda_env.is_some(),
            file.docker_env.is_some(),
        ];
        if named.iter().filter(|named| **named).count() > 1 {
            return Err(wrong("it names several environments".to_owned()).into());
        }
        let existing = |name: String| {
            let path = folder.join(&name);
            if path.is_file() {
                Ok(path)
            } else {
                Err(wrong(format!("there is no `{name}` in it")))
            }
        };
        let there = |name: &str| Some(folder.join(name)).filter(|path| path.is_file());
        let environment = match (file.docker_env, file.python_env, file.conda_env) {
            (Some(docker), ..) => Environment::Docker(docker),
            (_, Some(name), _) => Environment::Python(Some(existing(name)?)),
            (_, _, Some(name)) => Environment::Conda(existing(name)?),
            _ => match (there("python_env.yaml"), there("conda.yaml")) {
                (None, Some(path)) => Environment::Conda(path),
                (path, _) => Environment::Python(path),
            },
        };
        Ok(Self {
            name: file.name,
            environment,
            entry_points: file.entry_points,
        })
    }

    /// Who makes the environment, unless the caller says otherwise.
    pub(super) fn isolation(&self) -> Isolation {
        match self.environment {
            Environment::Python(_) => Isolation::Virtualenv,
            Environment::Conda(_) => Isolation::Conda,
            Environment::Docker(_) => Isolation::Docker,
        }
    }

    /// An entry point of the file, or a script of the folder.
    pub(super) fn entry_point(&self, name: &str) -> Result<EntryPoint> {
        if let Some(entry) = self.entry_points.get(name) {
            return Ok(entry.clone());
        }
        let program = match Path::new(name)
            .extension()
            .and_then(|extension| extension.to_str())
        {
            Some("py") => "python".to_owned(),
            Some("sh") => std::env::var("SHELL").unwrap_or_else(|_| "bash".to_owned()),
            _ => {
                let known: Vec<_> = self
                    .entry_points
                    .keys()
                    .map(|name| format!("`{name}`"))
                    .collect();
                let hint = match known.is_empty() {
                    true => "name a .py or .sh file with --entry-point".to_owned(),
                    false => format!(
                        "entry points are {}; .py and .sh files can be named as well",
                        known.join(", ")
                    ),
                };
                return Err(
                    Failure::new(format!("the project has no entry point `{name}`"))
                        .hint(hint)
                        .into(),
                );
            }
        };
        let script = quoted(name).replace('{', "{{").replace('}', "}}");
        Ok(EntryPoint {
            parameters: BTreeMap::new(),
            command: format!("{program} {script}"),
        })
    }
}

impl EntryPoint {
    /// Values of all parameters: those of the file first, then others that were given, in their order.
    pub(super) fn parameters(&self, given: &[(String, String)]) -> Result<Vec<(String, String)>> {
        let mut values = Vec::new();
        for (name, parameter) in &self.parameters {
            // The last one wins, as on any command line.
            let value = given
                .iter()
                .rev()
                .find(|(other, _)| other == name)
                .map(|(_, value)| value);
            let value = value.or(parameter.default.as_ref()).ok_or_else(|| {
                Failure::new(format!("the parameter `{name}` has no value"))
                    .hint(format!("pass -P {name}=VALUE"))
            })?;
            values.push((name.clone(), value.clone()));
        }
        for (name, value) in given {
            if !self.parameters.contains_key(name) {
                values.retain(|(other, _)| other != name);
                values.push((name.clone(), value.clone()));
            }
        }
        Ok(values)
    }

    /// The command for the shell, with the values in their places; those that have no place follow as `--NAME VALUE`.
    pub(super) fn command(&self, values: &[(String, String)]) -> Result<String> {
        let mut command = String::new();
        let mut rest = self.command.trim();
        while let Some(at) = rest.find(['{', '}']) {
            let (before, from) = rest.split_at(at);
            command.push_str(before);
            if from.starts_with("{{") || from.starts_with("}}") {
                command.push_str(&from[..1]);
                rest = &from[2..];
                continue;
            }
            let end = from.find('}').filter(|_| from.starts_with('{'));
            let name = end.map(|end| &from[1..end]);
            let value = name.and_then(|name| values.iter().find(|(other, _)| other == name));
            let (Some(end), Some((_, value))) = (end, value) else {
                let shown: String = from.chars().take(40).collect();
                let hint = "write {NAME} for a parameter, and {{ for a brace";
                return Err(
                    Failure::new(format!("the command names no parameter at `{shown}`"))
                        .hint(hint)
                        .into(),
                );
            };
            let value = match name.and_then(|name| self.parameters.get_key_value(name)) {
                Some((name, parameter)) => parameter.resolved(name, value)?,
                None => value.clone(),
            };
            command.push_str(&quoted(&value));
            rest = &from[end + 1..];
        }
        command.push_str(rest);
        for (name, value) in values {
            if !self.parameters.contains_key(name) {
                command.push_str(&format!(
                    " {} {}",
                    quoted(&format!("--{name}")),
                    quoted(value)
                ));
            }
        }
        Ok(command)
    }
}

impl Parameter {
    fn resolved(&self, name: &str, value: &str) -> Result<String> {
        match self.kind.as_str() {
            "path" => {
                let path = value.strip_prefix("file://").unwrap_or(value);
                let found = Path::new(path).canonicalize().map_err(|error| {
                    Failure::new(format!(
                        "the parameter `{name}` names no file or folder: `{value}`: {error}"
                    ))
                    .hint("paths are those of this machine; download what is elsewhere first")
                })?;
                Ok(found.to_string_lossy().into_owned())
            }
            "uri" if !value.contains("://") => {
                Err(Failure::new(format!("the parameter `{name}` is no URI: `{value}`")).into())
            }
            _ => Ok(value.to_owned()),
        }
    }
}

/// `{type: float, default: 0.1}`, or the type alone.
impl<'de> Deserialize<'de> for Parameter {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Parameter;

            fn expecting(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                out.write_str("a type, or `type` and `default`")
            }

            fn visit_str<E>(self, kind: &str) -> std::result::Result<Parameter, E> {
                Ok(Parameter {
                    kind: kind.to_owned(),
                    default: None,
                })
            }

            fn visit_map<A: MapAccess<'de>>(
                self,
                mut map: A,
            ) -> std::result::Result<Parameter, A::Error> {
                let mut parameter = Parameter {
                    kind: "string".to_owned(),
                    default: None,
                };
                while let Some(key) = map.next_key::<String>()? {
                    match key.as_str() {
                        "type" => parameter.kind = map.next_value()?,
                        // As it is written, whatever it looks like.
                        "default" => parameter.default = map.next_value()?,
                        _ => {
                            map.next_value::<IgnoredAny>()?;
                        }
                    }
                }
                Ok(parameter)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

/// One word for the shell.
pub(super) fn quoted(text: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./-_".contains(c);
    if !text.is_empty() && text.chars().all(plain) {
        return text.to_owned();
    }
    format!("'{}'", text.replace('\'', "'\"'\"'"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const FILE: &str = "
name: example
python_env: python_env.yaml
entry_points:
  main:
    parameters:
      alpha: {type: float, default: 0.10}
      label: {default: 'a b'}
      count: int
    command: \"python train.py --alpha {alpha} --label {label} --set {{{count}}}\"
  other:
    command: 'true'
";

    fn given(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
        pairs
            .iter()
            .map(|&(name, value)| (name.to_owned(), value.to_owned()))
            .collect()
    }

    #[test]
    fn commands_get_their_values() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("mlproject"), FILE).unwrap();
        let error = Project::read(folder.path()).unwrap_err().to_string();
        assert!(error.contains("there is no `python_env.yaml`"), "{error}");
        fs::write(folder.path().join("python_env.yaml"), "dependencies: []").unwrap();
        let project = Project::read(folder.path()).unwrap();
        assert_eq!(
            (project.name.as_deref(), project.isolation()),
            (Some("example"), Isolation::Virtualenv)
        );
        let main = project.entry_point("main").unwrap();
        let error = main.parameters(&[]).unwrap_err().to_string();
        assert_eq!(error, "the parameter `count` has no value");
        let values = main
            .parameters(&given(&[
                ("more", "$(rm -rf x)"),
                ("count", "1"),
                ("count", "3"),
            ]))
            .unwrap();
        let expected = [
            ("alpha", "0.10"),
            ("count", "3"),
            ("label", "a b"),
            ("more", "$(rm -rf x)"),
        ];
        assert_eq!(values, given(&expected));
        assert_eq!(
            main.command(&values).unwrap(),
            "python train.py --alpha 0.10 --label 'a b' --set {3} --more '$(rm -rf x)'"
        );
        let script = project.entry_point("a{b}.py").unwrap();
        assert_eq!(
            script.command(&given(&[("x", "it's")])).unwrap(),
            "python 'a{b}.py' --x 'it'\"'\"'s'"
        );
        assert!(project.entry_point("nothing").is_err());
        let broken = EntryPoint {
            command: "echo {nobody}".to_owned(),
            ..EntryPoint::default()
        };
        assert!(broken.command(&[]).is_err());
    }

    #[test]
    fn environments() {
        let folder = tempfile::tempdir().unwrap();
        let write = |name: &str, text: &str| fs::write(folder.path().join(name), text).unwrap();
        let read = || Project::read(folder.path());
        assert_eq!(read().unwrap().environment, Environment::Python(None));
        write("conda.yaml", "dependencies: [python=3.11]");
        assert_eq!(read().unwrap().isolation(), Isolation::Conda);
        write(
            "MLproject",
            "docker_env:\n  image: python:3.11\n  volumes: [\"/a:/b\"]\n  environment: [[\"NEW\", \"1\"], \"HOME\"]\n",
        );
        let Environment::Docker(docker) = read().unwrap().environment else {
            panic!("a container")
        };
        assert_eq!(docker.environment.len(), 2);
        write(
            "MLproject",
            "docker_env: {image: a}\nconda_env: conda.yaml\n",
        );
        assert!(
            read()
                .unwrap_err()
                .to_string()
                .contains("several environments")
        );
        write("MLproject", "entry_points: 7\n");
        assert!(read().is_err());
    }
}
