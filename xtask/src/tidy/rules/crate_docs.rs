//! A crate opens with its documentation: purpose, where to start, invariants, non-goals.

use crate::tidy::{Repository, Violation};

/// Fewer words than this say no purpose, invariants and non-goals.
const WORDS: usize = 20;

pub(crate) fn check(repository: &Repository) -> Vec<Violation> {
    repository
        .rust()
        .filter(|file| {
            file.crate_folder().is_some_and(|folder| {
                let rest = &file.path[folder.len()..];
                // A binary with a library beside it is documented there.
                rest == "/src/lib.rs"
                    || rest == "/src/main.rs"
                        && repository.file(&format!("{folder}/src/lib.rs")).is_none()
            })
        })
        .filter_map(|file| {
            let docs = file.text.lines().map_while(|line| line.strip_prefix("//!"));
            let words: usize = docs.map(|line| line.split_whitespace().count()).sum();
            (words < WORDS).then(|| Violation {
                path: file.path.clone(),
                line: Some(1),
                rule: "crate-docs",
                message: match words {
                    0 => "the crate does not open with `//!` documentation".into(),
                    _ => format!("the crate's documentation has {words} words only"),
                },
                hint: "say its purpose, where to start reading, its invariants and its non-goals"
                    .into(),
            })
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::repository::tests::repository;

    #[test]
    fn a_crate_opens_with_its_docs() {
        let docs = format!("//! {}\n", "word ".repeat(25));
        let found = check(&repository(&[
            ("crates/a/src/lib.rs", &docs),
            ("crates/a/src/main.rs", "fn main() {}"),
            ("crates/b/src/lib.rs", "use x;\n//! Too late."),
            ("crates/c/src/main.rs", "//! Placeholder.\nfn main() {}"),
            ("crates/c/src/other.rs", "fn f() {}"),
        ]));
        let paths: Vec<_> = found
            .iter()
            .map(|violation| violation.path.as_str())
            .collect();
        assert_eq!(paths, ["crates/b/src/lib.rs", "crates/c/src/main.rs"]);
        assert_eq!(
            found[0].message,
            "the crate does not open with `//!` documentation"
        );
        assert_eq!(
            found[1].message,
            "the crate's documentation has 1 words only"
        );
    }
}
