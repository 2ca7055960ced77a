//! Names of models and versions: what may stand in a path and a URL.

use std::fmt;

/// Longest name of a model.
const LONGEST: usize = 128;

/// Whether it is a name for a model: letters, digits, `_`, `.` and `-`, not beginning with a dot.
pub(crate) fn is_model_name(name: &str) -> bool {
    let fine = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-');
    (1..=LONGEST).contains(&name.len()) && !name.starts_with('.') && name.bytes().all(fine)
}

/// A version: numbers with dots between them, ordered as such. Some people write a `v` before them.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct Version {
    numbers: Vec<u64>,
    v: bool,
}

impl Version {
    /// A version of one number.
    pub(crate) fn number(number: u64) -> Self {
        Self {
            numbers: vec![number],
            v: false,
        }
    }

    /// Reads `2`, `1.2.3` or `v1.2.3`.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        if text.len() > LONGEST {
            return None;
        }
        let digits = |part: &str| part.bytes().all(|byte| byte.is_ascii_digit());
        let bare = text.strip_prefix('v');
        let parts = bare.unwrap_or(text).split('.');
        let parts = parts.map(|part| digits(part).then(|| part.parse().ok()).flatten());
        let numbers = parts.collect::<Option<_>>()?;
        Some(Self {
            numbers,
            v: bare.is_some(),
        })
    }
}

impl fmt::Display for Version {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, part) in self.numbers.iter().enumerate() {
            let dot = match (index, self.v) {
                (0, true) => "v",
                (0, false) => "",
                _ => ".",
            };
            write!(out, "{dot}{part}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_stay_inside_their_folder() {
        for good in ["cancer", "a", "v1.2_b-c", "0"] {
            assert!(is_model_name(good), "{good}");
        }
        let long = "a".repeat(129);
        for bad in [
            "", ".", "..", ".hidden", "a/b", "..\\a", "a b", "é", "a\0", &long,
        ] {
            assert!(!is_model_name(bad), "{bad}");
        }
    }

    #[test]
    fn versions_are_ordered_as_numbers() {
        let parse = |text| Version::parse(text).unwrap();
        assert!(parse("10") > parse("9"));
        assert!(parse("1.2.3") > parse("1.2"));
        assert_eq!(parse("007"), parse("7"));
        assert_eq!(parse("1.2.3").to_string(), "1.2.3");
        assert_eq!(parse("v1.2.3").to_string(), "v1.2.3");
        for bad in [
            "",
            "1.",
            "v",
            "vv1",
            "+1",
            "-1",
            "99999999999999999999",
            "1..2",
        ] {
            assert_eq!(Version::parse(bad), None, "{bad}");
        }
    }
}
