//! Paths below the root of artifacts, and never out of it.

use std::fmt;

use crate::TrackingError;

/// What names that are the server's own begin with.
pub(super) const OWN: &str = ".hush-uploads";

/// A path of plain names, from the root.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct ArtifactPath(Vec<String>);

impl ArtifactPath {
    /// Reads a path. Slashes at its ends and doubled ones do not matter; whatever could lead elsewhere is refused.
    pub(crate) fn parse(path: &str) -> Result<Self, TrackingError> {
        let mut names = Vec::new();
        for name in path
            .split('/')
            .filter(|name| !name.is_empty() && *name != ".")
        {
            if !is_plain(name) || !is_plain(&percent_decoded(name)) {
                return Err(TrackingError::invalid("Invalid path"));
            }
            names.push(name.to_owned());
        }
        // A drive, where there are such.
        if path.as_bytes().get(1) == Some(&b':')
            && path.as_bytes().get(2).is_none_or(|byte| *byte == b'/')
        {
            return Err(TrackingError::invalid("Invalid path"));
        }
        Ok(Self(names))
    }

    /// Reads a path that a caller names below something: none from the top of a disk.
    pub(crate) fn below(path: &str) -> Result<Self, TrackingError> {
        if path.starts_with('/') {
            return Err(TrackingError::invalid("Invalid path"));
        }
        Self::parse(path)
    }

    /// A path below this one.
    pub(crate) fn join(&self, path: &str) -> Result<Self, TrackingError> {
        let mut names = self.0.clone();
        names.extend(Self::below(path)?.0);
        Ok(Self(names))
    }

    /// A place of the server's own, which no caller can name.
    pub(crate) fn own(names: &[&str]) -> Self {
        let names = names.iter().map(|name| (*name).to_owned());
        Self(std::iter::once(OWN.to_owned()).chain(names).collect())
    }

    pub(crate) fn names(&self) -> &[String] {
        &self.0
    }

    pub(crate) fn is_root(&self) -> bool {
        self.0.is_empty()
    }
}

impl fmt::Display for ArtifactPath {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(&self.0.join("/"))
    }
}

/// Whether a name is one on every system.
fn is_plain(name: &str) -> bool {
    name != ".."
        && !name.starts_with(OWN)
        && name.len() <= 255
        && !name.contains(['/', '\\'])
        && !name.chars().any(char::is_control)
}

/// Text whose `%41` and the like are taken for what they stand for, until there are none.
pub(crate) fn percent_decoded(text: &str) -> String {
    let mut text = text.to_owned();
    for _ in 0..8 {
        let next = decoded_once(&text);
        if next == text {
            break;
        }
        text = next;
    }
    text
}

fn decoded_once(text: &str) -> String {
    String::from_utf8_lossy(&unescaped(text)).into_owned()
}

/// The bytes of a text whose `%41` and the like are taken for what they stand for, once.
pub(super) fn unescaped(text: &str) -> Vec<u8> {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut index = 0;
    while index < bytes.len() {
        let pair = text
            .get(index + 1..index + 3)
            .filter(|_| bytes[index] == b'%');
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) => {
                out.push(byte);
                index += 3;
            }
            None => {
                out.push(bytes[index]);
                index += 1;
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_path_leads_out() {
        for bad in [
            "..",
            "a/../b",
            "a/..",
            "%2e%2e/a",
            "a/%252e%252e",
            "a\\b",
            "a/..%2f..%2fb",
            "a%5cb",
            "C:",
            "C:/x",
            "a\0b",
            "a%00",
        ] {
            assert!(ArtifactPath::parse(bad).is_err(), "{bad}");
        }
        for (good, normal) in [
            ("", ""),
            ("/a//b/", "a/b"),
            ("a/./b", "a/b"),
            ("..a/b..", "..a/b.."),
            ("a%20b", "a%20b"),
            ("100%", "100%"),
        ] {
            assert_eq!(
                ArtifactPath::parse(good).unwrap().to_string(),
                normal,
                "{good}"
            );
        }
        assert!(ArtifactPath::below("a/b").is_ok());
        for bad in ["/etc/passwd", "//a", "a/../b"] {
            assert!(ArtifactPath::below(bad).is_err(), "{bad}");
        }
    }
}
