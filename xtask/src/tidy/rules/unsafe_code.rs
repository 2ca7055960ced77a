//! `unsafe` lives in `hush-simd` only; every other crate forbids it.

use crate::tidy::code::lines_with_word;
use crate::tidy::{Repository, Violation};

/// The crates that may hold unsafe code.
const MAY: &[&str] = &["crates/hush-simd"];

pub(crate) fn check(repository: &Repository) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in repository.rust() {
        let Some(folder) = file.crate_folder().filter(|folder| !MAY.contains(folder)) else {
            continue;
        };
        let code = file.views().code;
        for line in lines_with_word(&code, "unsafe") {
            violations.push(Violation {
                path: file.path.clone(),
                line: Some(line),
                rule: "unsafe",
                message: format!("unsafe code outside {}", MAY.join(", ")),
                hint:
                    "write the kernel in hush-simd behind a safe function that checks its lengths"
                        .into(),
            });
        }
        let root = ["src/lib.rs", "src/main.rs"]
            .iter()
            .any(|root| file.path == format!("{folder}/{root}"));
        if root && !code.contains("#![forbid(unsafe_code)]") {
            violations.push(Violation {
                path: file.path.clone(),
                line: Some(1),
                rule: "unsafe",
                message: "the crate does not forbid unsafe code".into(),
                hint: "add #![forbid(unsafe_code)] below the crate documentation".into(),
            });
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::repository::tests::repository;

    #[test]
    fn only_the_kernels_may() {
        let root = "//! Docs.\n#![forbid(unsafe_code)]\n";
        let found = check(&repository(&[
            ("crates/hush-simd/src/lib.rs", "unsafe { f() }"),
            ("crates/hush-ring/src/lib.rs", root),
            (
                "crates/hush-ring/src/ntt.rs",
                "// unsafe is a word\nlet a = \"unsafe\";\nunsafe { f() }",
            ),
        ]));
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].path.as_str(), found[0].line),
            ("crates/hush-ring/src/ntt.rs", Some(3))
        );
    }

    #[test]
    fn the_others_forbid_it() {
        let found = check(&repository(&[(
            "crates/hush-ring/src/lib.rs",
            "//! Docs.\n",
        )]));
        assert_eq!(found[0].message, "the crate does not forbid unsafe code");
    }
}
