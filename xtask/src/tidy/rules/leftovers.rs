//! No unfinished work in what is committed: stubs, skipped tests, debug prints, notes to oneself.

use crate::tidy::code::lines_with_word;
use crate::tidy::{Repository, Violation};

/// Words of code, and what to do about each.
const CODE: &[(&str, &str)] = &[
    ("todo!", "write it, or return a typed error"),
    ("unimplemented!", "write it, or return a typed error"),
    ("dbg!", "remove it"),
    (
        "#[ignore",
        "make the test fast and sure enough to run always, or remove it",
    ),
];

/// Words of comments.
const COMMENTS: &[&str] = &["TODO", "FIXME", "XXX", "HACK"];

pub(crate) fn check(repository: &Repository) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in repository.rust() {
        let views = file.views();
        let mut broken = |line: usize, word: &str, hint: &str| {
            violations.push(Violation {
                path: file.path.clone(),
                line: Some(line),
                rule: "leftovers",
                message: format!("{word} is left over"),
                hint: hint.into(),
            });
        };
        for (word, hint) in CODE {
            // The words end in punctuation, so what follows them does not matter.
            for line in lines_with_start(&views.code, word) {
                broken(line, word, hint);
            }
        }
        for word in COMMENTS {
            for line in lines_with_word(&views.comments, word) {
                broken(
                    line,
                    word,
                    "do it now, or say in the comment how things are and why",
                );
            }
        }
    }
    violations
}

/// Lines that hold `word` where no identifier runs into it.
fn lines_with_start(code: &str, word: &str) -> Vec<usize> {
    let found = |line: &str| {
        line.match_indices(word).any(|(start, _)| {
            !line[..start]
                .chars()
                .next_back()
                .is_some_and(|c| c.is_alphanumeric() || c == '_')
        })
    };
    code.lines()
        .enumerate()
        .filter(|(_, line)| found(line))
        .map(|(index, _)| index + 1)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::repository::tests::repository;

    #[test]
    fn stubs_skipped_tests_and_notes_are_found() {
        let source = "fn a() { todo!() }\n#[ignore = \"slow\"]\nfn b() { dbg!(1); }\n// TODO: more\nfn c() { unimplemented!(\"x\") }\n";
        let found = check(&repository(&[("crates/x/src/a.rs", source)]));
        let mut lines: Vec<_> = found
            .iter()
            .filter_map(|violation| violation.line)
            .collect();
        lines.sort_unstable();
        assert_eq!(lines, [1, 2, 3, 4, 5]);
    }

    #[test]
    fn words_in_strings_and_longer_names_are_fine() {
        let source = "let a = \"todo!()\"; my_todo!(); // the word todo\nlet b = \"TODO\";\n";
        assert_eq!(check(&repository(&[("crates/x/src/a.rs", source)])), []);
    }
}
