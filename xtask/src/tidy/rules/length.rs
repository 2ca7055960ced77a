//! A file holds one idea: at most [`LIMIT`] lines of Rust.

use crate::tidy::{Repository, Violation};

/// The most lines that a Rust source may have.
const LIMIT: usize = 500;

/// Files that may be longer, each with its reason beside it.
const EXEMPT: &[&str] = &[];

pub(crate) fn check(repository: &Repository) -> Vec<Violation> {
    repository
        .rust()
        .filter(|file| !EXEMPT.contains(&file.path.as_str()))
        .filter_map(|file| {
            let lines = file.text.lines().count();
            (lines > LIMIT).then(|| Violation {
                path: file.path.clone(),
                line: Some(LIMIT + 1),
                rule: "length",
                message: format!("{lines} lines, more than {LIMIT}"),
                hint: "split it by idea; each part gets the name of what it holds".into(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::repository::tests::repository;

    #[test]
    fn five_hundred_lines_and_no_more() {
        let (fits, long) = ("x\n".repeat(500), "x\n".repeat(501));
        let found = check(&repository(&[
            ("a.rs", &fits),
            ("b.rs", &long),
            ("c.csv", &long),
        ]));
        assert_eq!(found.len(), 1);
        assert_eq!((found[0].path.as_str(), found[0].line), ("b.rs", Some(501)));
    }
}
