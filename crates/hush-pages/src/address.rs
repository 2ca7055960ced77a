//! Addresses: what a query says, and links that say it.

use url::form_urlencoded;

/// Names and values of a query or a form, in order; names may be repeated.
#[derive(Clone, Debug, Default)]
pub(crate) struct Parameters(Vec<(String, String)>);

impl Parameters {
    pub(crate) fn parse(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    /// What the query of an address says.
    pub(crate) fn of(address: &str) -> Self {
        let query = address.split_once('?').map_or("", |(_, query)| query);
        Self::parse(query.as_bytes())
    }

    /// The first value of a name; empty if there is none.
    pub(crate) fn text(&self, name: &str) -> &str {
        let found = self.0.iter().find(|(own, _)| own == name);
        found.map_or("", |(_, value)| value)
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.0.iter().any(|(own, _)| own == name)
    }

    /// All values of a name.
    pub(crate) fn all(&self, name: &str) -> Vec<String> {
        let own = self.0.iter().filter(|(own, _)| own == name);
        own.map(|(_, value)| value.clone()).collect()
    }
}

/// A piece of a path: whatever it is, it stays one piece.
pub(crate) fn piece(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' | b'~' => {
                out.push(char::from(byte))
            }
            b'.' if text.bytes().any(|byte| byte != b'.') => out.push('.'),
            other => out.push_str(&format!("%{other:02X}")),
        }
    }
    out
}

/// `path?name=value&…`, without what is empty.
pub(crate) fn link<'a>(
    path: &str,
    parameters: impl IntoIterator<Item = (&'a str, &'a str)>,
) -> String {
    let mut query = form_urlencoded::Serializer::new(String::new());
    for (name, value) in parameters {
        if !value.is_empty() {
            query.append_pair(name, value);
        }
    }
    let query = query.finish();
    if query.is_empty() {
        path.to_owned()
    } else {
        format!("{path}?{query}")
    }
}

pub(crate) fn experiment(id: &str) -> String {
    format!("/experiments/{}", piece(id))
}

pub(crate) fn run(id: &str) -> String {
    format!("/runs/{}", piece(id))
}

pub(crate) fn model(name: &str) -> String {
    format!("/models/{}", piece(name))
}

pub(crate) fn version(name: &str, version: &str) -> String {
    format!("/models/{}/versions/{}", piece(name), piece(version))
}

pub(crate) fn logged_model(id: &str) -> String {
    format!("/logged-models/{}", piece(id))
}

/// Whether an address leads to a page of ours: nobody is sent elsewhere by a link that somebody made up.
pub(crate) fn is_local(address: &str) -> bool {
    let plain = address
        .bytes()
        .all(|byte| byte.is_ascii_graphic() && byte != b'\\');
    plain && address.starts_with('/') && !address.starts_with("//")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_stay_pieces() {
        assert_eq!(piece("a b/c?d#é"), "a%20b%2Fc%3Fd%23%C3%A9");
        assert_eq!(
            (piece(".."), piece("v1.2")),
            ("%2E%2E".into(), "v1.2".into())
        );
        assert_eq!(
            link("/x", [("q", "a&b='"), ("none", "")]),
            "/x?q=a%26b%3D%27"
        );
    }

    #[test]
    fn only_paths_of_ours_are_local() {
        assert!(is_local("/runs/1?x=y"));
        for other in [
            "//evil.example",
            "https://evil.example",
            "/\\evil.example",
            "",
            "runs",
            "/a\nb",
        ] {
            assert!(!is_local(other), "{other}");
        }
    }

    #[test]
    fn names_may_be_repeated() {
        let read = Parameters::parse(b"run=a&q=x%20y&run=b");
        assert_eq!(read.all("run"), ["a", "b"]);
        assert_eq!(
            (read.text("q"), read.text("z"), read.has("z")),
            ("x y", "", false)
        );
    }
}
