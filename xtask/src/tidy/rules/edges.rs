//! Which crate may depend on which: the arrows of the house, pointing down only.
//!
//! What is linked into tests and benches only (`dev-dependencies`) is free: a test of one side may need the other.

use crate::tidy::{Kind, Repository, Violation};

/// For each crate the members it may depend on. A crate that is not here may not exist; a name that is here need not.
const ALLOWED: &[(&str, &[&str])] = &[
    // Cryptography, from the kernels up.
    ("hush-simd", &[]),
    ("hush-ring", &["hush-simd"]),
    ("hush-wire", &[]),
    ("hush-ckks", &["hush-ring", "hush-simd", "hush-wire"]),
    ("hush-keys", &["hush-ckks", "hush-ring", "hush-wire"]),
    ("hush-circuits", &["hush-ckks", "hush-ring", "hush-simd"]),
    // The waist: instructions as data.
    ("hush-program", &["hush-wire"]),
    // The two sides.
    (
        "hush-client",
        &["hush-ckks", "hush-keys", "hush-program", "hush-wire"],
    ),
    (
        "hush-runtime",
        &[
            "hush-ckks",
            "hush-circuits",
            "hush-program",
            "hush-ring",
            "hush-wire",
        ],
    ),
    // Models. The compiler takes the security table from `hush-ckks`.
    ("hush-graph", &[]),
    ("hush-onnx", &["hush-graph"]),
    (
        "hush-compiler",
        &["hush-ckks", "hush-graph", "hush-program"],
    ),
    // Siblings: they never meet below hush-server and hush-cli.
    ("hush-tracking", &["hush-wire"]),
    (
        "hush-serving",
        &["hush-ckks", "hush-program", "hush-runtime", "hush-wire"],
    ),
    ("hush-mpc", &["hush-graph", "hush-simd", "hush-wire"]),
    ("hush-federated", &[]),
    ("hush-party", &["hush-graph", "hush-mpc", "hush-wire"]),
    // Pages show what both siblings hold; they render, and decide nothing.
    ("hush-pages", &["hush-serving", "hush-tracking"]),
    // The data owner's side of a server.
    (
        "hush-remote",
        &[
            "hush-ckks",
            "hush-client",
            "hush-keys",
            "hush-program",
            "hush-wire",
        ],
    ),
    // A tracking server seen from outside.
    ("hush-mlflow", &[]),
    // What people deploy and type.
    (
        "hush-server",
        &[
            "hush-mlflow",
            "hush-pages",
            "hush-party",
            "hush-serving",
            "hush-tracking",
            "hush-wire",
        ],
    ),
    (
        "hush-cli",
        &[
            "hush-ckks",
            "hush-client",
            "hush-compiler",
            "hush-graph",
            "hush-keys",
            "hush-mlflow",
            "hush-mpc",
            "hush-onnx",
            "hush-party",
            "hush-program",
            "hush-remote",
            "hush-runtime",
            "hush-wire",
        ],
    ),
    (
        "hush-python",
        &[
            "hush-ckks",
            "hush-client",
            "hush-compiler",
            "hush-federated",
            "hush-graph",
            "hush-keys",
            "hush-mpc",
            "hush-onnx",
            "hush-party",
            "hush-program",
            "hush-remote",
            "hush-runtime",
            "hush-wire",
        ],
    ),
    // For developers.
    ("hush-testkit", &["hush-ckks", "hush-keys"]),
    (
        "hush-bench",
        &[
            "hush-ckks",
            "hush-circuits",
            "hush-keys",
            "hush-ring",
            "hush-simd",
            "hush-testkit",
        ],
    ),
    (
        "hush-fuzz",
        &[
            "hush-ckks",
            "hush-client",
            "hush-federated",
            "hush-graph",
            "hush-keys",
            "hush-mpc",
            "hush-onnx",
            "hush-party",
            "hush-program",
            "hush-runtime",
            "hush-server",
            "hush-serving",
            "hush-wire",
        ],
    ),
    (
        "hush-conformance",
        &[
            "hush-ckks",
            "hush-client",
            "hush-compiler",
            "hush-graph",
            "hush-keys",
            "hush-onnx",
            "hush-program",
            "hush-runtime",
        ],
    ),
    ("xtask", &[]),
];

pub(crate) fn check(repository: &Repository) -> Vec<Violation> {
    let mut violations = Vec::new();
    for package in &repository.packages {
        let manifest = package.manifest();
        let mut broken = |line: Option<usize>, message: String, hint: &str| {
            violations.push(Violation {
                path: manifest.clone(),
                line,
                rule: "edges",
                message,
                hint: hint.into(),
            });
        };
        let Some((_, allowed)) = ALLOWED.iter().find(|(name, _)| *name == package.name) else {
            let message = format!("`{}` has no place in the house", package.name);
            broken(
                repository.line_of(&manifest, "name"),
                message,
                "a new crate gets its row in xtask/src/tidy/rules/edges.rs and in ARCHITECTURE.md",
            );
            continue;
        };
        for link in package
            .links
            .iter()
            .filter(|link| link.kind == Kind::Shipped)
        {
            if !allowed.contains(&link.name.as_str()) {
                broken(
                    repository.line_of(&manifest, &link.name),
                    format!("`{}` must not depend on `{}`", package.name, link.name),
                    "the arrows point down only, and siblings do not meet; see the drawing in ARCHITECTURE.md",
                );
            }
        }
        if package.name != "xtask" && package.folder != format!("crates/{}", package.name) {
            broken(
                repository.line_of(&manifest, "name"),
                format!("`{}` lies in `{}`", package.name, package.folder),
                "a crate's folder has its name and lies in crates/",
            );
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::metadata::tests::package;
    use std::collections::BTreeMap;

    fn repository(packages: Vec<crate::tidy::Package>) -> Repository {
        Repository {
            files: Vec::new(),
            packages,
        }
    }

    #[test]
    fn arrows_that_point_up_are_found() {
        let found = check(&repository(vec![
            package("hush-ring", &["hush-simd", "hush-ckks"]),
            package("hush-ckks", &["hush-ring"]),
        ]));
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].path, "crates/hush-ring/Cargo.toml");
        assert_eq!(
            found[0].message,
            "`hush-ring` must not depend on `hush-ckks`"
        );
    }

    #[test]
    fn tests_may_look_from_both_sides() {
        let mut runtime = package("hush-runtime", &["hush-keys"]);
        runtime.links[0].kind = Kind::Development;
        assert_eq!(check(&repository(vec![runtime])), []);
    }

    #[test]
    fn strangers_are_found() {
        let found = check(&repository(vec![package("hush-extra", &[])]));
        assert_eq!(found[0].message, "`hush-extra` has no place in the house");
    }

    #[test]
    fn a_crate_lies_in_the_folder_of_its_name() {
        let mut ring = package("hush-ring", &[]);
        ring.folder = "ring".into();
        assert_eq!(
            check(&repository(vec![ring]))[0].message,
            "`hush-ring` lies in `ring`"
        );
    }

    #[test]
    fn the_table_has_no_cycle() {
        let table: BTreeMap<_, _> = ALLOWED.iter().copied().collect();
        fn depth(table: &BTreeMap<&str, &[&str]>, name: &str, above: usize) -> usize {
            assert!(above < table.len(), "a cycle through {name}");
            table[name]
                .iter()
                .map(|below| depth(table, below, above + 1) + 1)
                .max()
                .unwrap_or(0)
        }
        for (name, _) in ALLOWED {
            depth(&table, name, 0);
        }
    }
}
