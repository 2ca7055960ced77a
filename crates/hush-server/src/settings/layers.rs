//! What somebody set, and where: the file yields to the environment, and that to the flags.

use std::collections::BTreeMap;
use std::fmt;

use toml::{Table, Value};

use super::table::{PREFIX, SETTINGS, Setting, Shape};
use crate::ServerError;

/// Who set a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// Nobody.
    Default,
    /// The file of this name.
    File(String),
    /// The environment variable of this name.
    Environment(String),
    /// The flag of this name.
    Flag(String),
}

impl fmt::Display for Origin {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Default => formatter.write_str("the default"),
            Self::File(name) => write!(formatter, "the file `{name}`"),
            Self::Environment(name) => write!(formatter, "the environment variable {name}"),
            Self::Flag(name) => write!(formatter, "the flag {name}"),
        }
    }
}

/// A value as it was written; those of an array one by one.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) values: Vec<String>,
    pub(crate) origin: Origin,
}

/// What is set, by key. Later layers replace earlier ones.
#[derive(Clone, Debug, Default)]
pub struct Layers {
    given: BTreeMap<&'static str, Given>,
}

impl Layers {
    /// The text of a file: its keys are the names of the flags without `--`. Paths in it are relative to
    /// the folder that the server is started in.
    ///
    /// # Errors
    /// [`ServerError::File`] if it is not TOML, [`ServerError::Setting`] for what is no setting.
    pub fn with_file(mut self, name: &str, text: &str) -> Result<Self, ServerError> {
        let table: Table = text.parse().map_err(|error| ServerError::File {
            path: name.into(),
            reason: format!("{error}").trim_end().into(),
        })?;
        for (key, value) in table {
            let origin = Origin::File(name.to_owned());
            let Some(setting) = Setting::of(&key) else {
                return Err(unknown(&key, origin));
            };
            let values = match (setting.shape, value) {
                (Shape::Many, Value::Array(values)) => {
                    values.into_iter().map(scalar).collect::<Option<Vec<_>>>()
                }
                (_, value) => scalar(value).map(|value| vec![value]),
            };
            let Some(values) = values else {
                return Err(ServerError::Setting {
                    key: setting.key.into(),
                    origin,
                    reason: "it is a text, a number, true or false".into(),
                });
            };
            self.set(setting, values, origin);
        }
        Ok(self)
    }

    /// Environment variables; those that do not begin with `HUSH_SERVER_` are not ours.
    ///
    /// # Errors
    /// [`ServerError::Setting`] for what is no setting.
    pub fn with_environment(
        mut self,
        variables: impl IntoIterator<Item = (String, String)>,
    ) -> Result<Self, ServerError> {
        for (name, value) in variables {
            // The name of the file itself is no setting.
            if !name.starts_with(PREFIX) || name == super::CONFIG_VARIABLE {
                continue;
            }
            let setting = SETTINGS.iter().find(|setting| setting.variable() == name);
            let origin = Origin::Environment(name.clone());
            let setting = setting.ok_or_else(|| unknown(&name, origin.clone()))?;
            let values = match setting.shape {
                Shape::Many => split(&value),
                Shape::One | Shape::Truth => vec![value],
            };
            self.set(setting, values, origin);
        }
        Ok(self)
    }

    /// A flag.
    pub(crate) fn with_flag(mut self, setting: &'static Setting, values: Vec<String>) -> Self {
        let origin = Origin::Flag(format!("--{}", setting.key));
        self.set(setting, values, origin);
        self
    }

    /// A setting by its key, for programs that start a server in their process.
    ///
    /// # Errors
    /// [`ServerError::Setting`] for what is no setting.
    pub fn with(self, key: &str, value: &str) -> Result<Self, ServerError> {
        let origin = Origin::Flag(format!("--{key}"));
        let setting = Setting::of(key).ok_or_else(|| unknown(key, origin))?;
        let values = match setting.shape {
            Shape::Many => split(value),
            Shape::One | Shape::Truth => vec![value.to_owned()],
        };
        Ok(self.with_flag(setting, values))
    }

    /// Another default than the setting's own.
    ///
    /// # Errors
    /// As [`Layers::with`].
    pub(crate) fn or(self, key: &str, value: &str) -> Result<Self, ServerError> {
        let given = self.given.contains_key(key);
        if given {
            Ok(self)
        } else {
            self.with(key, value)
        }
    }

    fn set(&mut self, setting: &'static Setting, values: Vec<String>, origin: Origin) {
        self.given.insert(setting.key, Given { values, origin });
    }

    /// What holds for a setting. An empty text anywhere unsets it.
    pub(crate) fn given(&self, setting: &'static Setting) -> Given {
        if let Some(given) = self.given.get(setting.key) {
            let mut given = given.clone();
            given.values.retain(|value| !value.is_empty());
            return given;
        }
        Given {
            values: split(setting.default),
            origin: Origin::Default,
        }
    }
}

fn split(values: &str) -> Vec<String> {
    let values = values.split(',').map(str::trim);
    values
        .filter(|value| !value.is_empty())
        .map(str::to_owned)
        .collect()
}

fn scalar(value: Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text),
        Value::Integer(number) => Some(number.to_string()),
        Value::Float(number) => Some(number.to_string()),
        Value::Boolean(truth) => Some(truth.to_string()),
        Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
    }
}

fn unknown(name: &str, origin: Origin) -> ServerError {
    ServerError::Setting {
        key: name.to_owned(),
        origin,
        reason: "there is no such setting; `hush-server --help` lists them".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn value(layers: &Layers, key: &str) -> (String, Origin) {
        let given = layers.given(Setting::of(key).unwrap());
        (given.values.join(","), given.origin)
    }

    #[test]
    fn flags_win_over_the_environment_and_that_over_the_file() {
        let variables = |name: &str| [(name.to_owned(), "environment".to_owned())];
        let layers = Layers::default();
        assert_eq!(value(&layers, "keys").0, "hush-keys");
        let layers = layers
            .with_file("a.toml", "keys = 'file'\nqueue = 7\nmodels = ['a', 'b']")
            .unwrap();
        let file = Origin::File("a.toml".into());
        assert_eq!(value(&layers, "keys"), ("file".into(), file.clone()));
        assert_eq!(value(&layers, "models"), ("a,b".into(), file.clone()));
        let layers = layers
            .with_environment(variables("HUSH_SERVER_KEYS"))
            .unwrap();
        assert_eq!(value(&layers, "keys").0, "environment");
        let layers = layers.with("keys", "flag").unwrap();
        let flag = Origin::Flag("--keys".into());
        assert_eq!(value(&layers, "keys"), ("flag".into(), flag));
        assert_eq!(value(&layers, "queue"), ("7".into(), file));
    }

    #[test]
    fn what_is_no_setting_is_named() {
        let error = Layers::default()
            .with_file("a.toml", "htpp = ''")
            .unwrap_err();
        assert_eq!(
            error.to_string(),
            "`htpp` in the file `a.toml`: there is no such setting; `hush-server --help` lists them"
        );
        let variables = [("HUSH_SERVER_HTPP".to_owned(), String::new())];
        assert!(Layers::default().with_environment(variables).is_err());
    }
}
