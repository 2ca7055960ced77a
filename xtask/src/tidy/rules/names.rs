//! Names say what a thing holds or does; these say nothing.

use crate::tidy::{Repository, Violation};

/// Words that no file, module or type is named after.
const EMPTY: &[&str] = &[
    "util", "utils", "helper", "helpers", "manager", "managers", "misc", "stuff",
];

/// Names of calls in `hush.v1.Keys`, which generated code gives their functions.
const GIVEN: &[&str] = &["get_client"];

pub(crate) fn check(repository: &Repository) -> Vec<Violation> {
    let mut violations = Vec::new();
    for file in repository.rust() {
        let mut broken = |line: Option<usize>, message: String, hint: &str| {
            violations.push(Violation {
                path: file.path.clone(),
                line,
                rule: "names",
                message,
                hint: hint.into(),
            });
        };
        let named = "name it after what it holds, or move its parts to where they are used";
        for part in file.path.trim_end_matches(".rs").split('/') {
            if let Some(word) = empty_word(part) {
                broken(None, format!("`{word}` in a path says nothing"), named);
            }
        }
        for (index, line) in file.views().code.lines().enumerate() {
            for (keyword, name) in declarations(line) {
                if let Some(word) = empty_word(name) {
                    broken(
                        Some(index + 1),
                        format!("`{word}` in the name `{name}` says nothing"),
                        named,
                    );
                }
                if keyword == "fn" && name.starts_with("get_") && !GIVEN.contains(&name) {
                    let short = format!("call it `{}`", &name["get_".len()..]);
                    broken(
                        Some(index + 1),
                        format!("`{name}` starts with `get_`"),
                        &short,
                    );
                }
            }
        }
    }
    violations
}

/// The names declared on a line, each with its keyword.
fn declarations(line: &str) -> Vec<(&str, &str)> {
    let words: Vec<&str> = line
        .split(|c: char| !(c.is_alphanumeric() || c == '_'))
        .filter(|word| !word.is_empty())
        .collect();
    words
        .windows(2)
        .filter(|pair| matches!(pair[0], "mod" | "struct" | "enum" | "trait" | "type" | "fn"))
        .map(|pair| (pair[0], pair[1]))
        .collect()
}

/// The empty word that a snake-case, kebab-case or camel-case name holds.
fn empty_word(name: &str) -> Option<&'static str> {
    let mut words = vec![String::new()];
    for c in name.chars() {
        if c.is_uppercase() || c == '_' || c == '-' || c == '.' {
            words.push(String::new());
        }
        if c.is_alphanumeric() {
            let last = words.len() - 1;
            words[last].extend(c.to_lowercase());
        }
    }
    EMPTY
        .iter()
        .copied()
        .find(|empty| words.iter().any(|word| word == empty))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::repository::tests::repository;

    #[test]
    fn empty_names_are_found() {
        let found = check(&repository(&[
            ("crates/a/src/utils.rs", "fn fine() {}"),
            (
                "crates/a/src/b.rs",
                "pub struct KeyManager;\nmod helpers;\nfn get_key() {}\n",
            ),
        ]));
        let messages: Vec<_> = found
            .iter()
            .map(|violation| violation.message.as_str())
            .collect();
        assert_eq!(
            messages,
            [
                "`utils` in a path says nothing",
                "`manager` in the name `KeyManager` says nothing",
                "`helpers` in the name `helpers` says nothing",
                "`get_key` starts with `get_`",
            ]
        );
    }

    #[test]
    fn whole_words_only() {
        let source =
            "struct Utility; fn manage() {} fn target_helped() {} // a helper\nlet helper = 1;";
        assert_eq!(
            check(&repository(&[("crates/a/src/futile.rs", source)])),
            []
        );
    }
}
