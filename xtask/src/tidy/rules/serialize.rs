//! Only `hush-wire` types are stored or sent: domain types convert to a versioned structure there.

use crate::tidy::code::lines_with_word;
use crate::tidy::{Repository, Violation};

/// Who may write serde's traits: the stored forms; and, to write only, what `--json` prints.
const MAY: &[(&str, &[&str])] = &[
    (
        "Serialize",
        &[
            "crates/hush-wire/",
            "crates/hush-cli/",
            "crates/hush-bench/",
            "crates/hush-compiler/src/report.rs",
            "crates/hush-compiler/src/report/",
            // JSON that MLflow's API defines.
            "crates/hush-tracking/src/wire/",
            "crates/hush-tracking/src/rest/answer.rs",
        ],
    ),
    // JSON that the Open Inference Protocol defines, and the files that operators and authors of projects write.
    (
        "Deserialize",
        &[
            "crates/hush-wire/",
            "crates/hush-serving/src/rest/",
            "crates/hush-server/src/accounts/file.rs",
            "crates/hush-cli/src/commands/run_project/",
            "crates/hush-party/src/configuration/file.rs",
            "crates/hush-party/src/policy.rs",
        ],
    ),
];

pub(crate) fn check(repository: &Repository) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in repository
        .rust()
        .filter(|file| file.path.starts_with("crates/"))
    {
        let code = file.views().code;
        for (name, places) in MAY {
            if places.iter().any(|place| file.path.starts_with(place)) {
                continue;
            }
            for line in lines_with_word(&code, name) {
                violations.push(Violation {
                    path: file.path.clone(),
                    line: Some(line),
                    rule: "serialize",
                    message: format!("{name} outside {}", places.join(", ")),
                    hint: "write a V1 structure in hush-wire and a conversion that checks what it reads".into(),
                });
            }
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::repository::tests::repository;

    #[test]
    fn domain_types_are_not_serialized() {
        let found = check(&repository(&[
            ("crates/hush-wire/src/a.rs", "#[derive(Serialize)]"),
            (
                "crates/hush-keys/src/a.rs",
                "// Serialize\n#[derive(Clone, Deserialize)]\nstruct A;",
            ),
        ]));
        assert_eq!(found.len(), 1);
        assert_eq!(
            (found[0].path.as_str(), found[0].line),
            ("crates/hush-keys/src/a.rs", Some(2))
        );
    }

    #[test]
    fn what_is_printed_is_written_and_never_read() {
        let found = check(&repository(&[(
            "crates/hush-compiler/src/report.rs",
            "#[derive(Serialize)]
struct A;
#[derive(Deserialize)]
struct B;",
        )]));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].line, Some(3));
    }
}
