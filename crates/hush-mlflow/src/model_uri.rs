//! `models:/cancer@production` and `models:/cancer/3`.

use std::fmt;
use std::str::FromStr;

use crate::MlflowError;

/// A version of a registered model, by number or alias.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct ModelUri {
    /// Name of the registered model.
    pub name: String,
    /// Which version.
    pub selector: Selector,
}

/// Which version of a model.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[non_exhaustive]
pub enum Selector {
    /// The one with that number.
    Number(u64),
    /// The one that the alias points to now.
    Alias(String),
}

impl FromStr for ModelUri {
    type Err = MlflowError;

    fn from_str(text: &str) -> Result<Self, MlflowError> {
        let wrong = || MlflowError::ModelUri {
            text: text.to_owned(),
        };
        let rest = text.strip_prefix("models:/").ok_or_else(wrong)?;
        let (name, selector) = match rest.split_once('@') {
            Some((name, alias)) => (name, Selector::Alias(alias.to_owned())),
            None => {
                let (name, number) = rest.split_once('/').ok_or_else(wrong)?;
                (name, Selector::Number(number.parse().map_err(|_| wrong())?))
            }
        };
        let plain = |part: &str| !part.is_empty() && !part.contains(['/', '@', ':']);
        let whole = match &selector {
            Selector::Alias(alias) => plain(alias),
            Selector::Number(_) => true,
        };
        if !plain(name) || !whole {
            return Err(wrong());
        }
        Ok(Self {
            name: name.to_owned(),
            selector,
        })
    }
}

impl fmt::Display for ModelUri {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.selector {
            Selector::Number(number) => write!(out, "models:/{}/{number}", self.name),
            Selector::Alias(alias) => write!(out, "models:/{}@{alias}", self.name),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_and_aliases() {
        for text in ["models:/cancer/3", "models:/cancer@production"] {
            let uri: ModelUri = text.parse().unwrap();
            assert_eq!(uri.to_string(), text);
            assert_eq!(uri.name, "cancer");
        }
        for text in [
            "cancer",
            "models:/cancer",
            "models:/cancer/Production",
            "models:/@x",
            "models:/a@",
            "models:/a/b@c",
            "models://a@b",
        ] {
            assert!(text.parse::<ModelUri>().is_err(), "{text}");
        }
    }
}
