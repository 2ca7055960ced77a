//! Parameters below 128 bits of security exist for tests and benches only.
//!
//! They stand behind the feature `insecure` of `hush-ckks`, and their names begin with `insecure_`.

use crate::tidy::{Kind, Repository, Violation};

/// The feature that opens weak parameters.
const FEATURE: &str = "insecure";

/// The crates that may ask for it in what they ship; tests of any crate may.
const MAY: &[&str] = &["hush-testkit", "hush-bench"];

pub(crate) fn check(repository: &Repository) -> Vec<Violation> {
    let mut violations = Vec::new();
    for package in repository
        .packages
        .iter()
        .filter(|package| !MAY.contains(&package.name.as_str()))
    {
        for link in package
            .links
            .iter()
            .filter(|link| link.kind == Kind::Shipped)
        {
            if link.features.iter().any(|feature| feature == FEATURE) {
                let manifest = package.manifest();
                violations.push(Violation {
                    line: repository.line_of(&manifest, FEATURE),
                    path: manifest,
                    rule: "insecure",
                    message: format!(
                        "`{}` asks `{}` for weak parameters",
                        package.name, link.name
                    ),
                    hint: "only hush-testkit and hush-bench may; take it as a dev-dependency"
                        .into(),
                });
            }
        }
    }
    violations
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::metadata::tests::package;

    #[test]
    fn only_tests_and_benches_may() {
        let mut cli = package("hush-cli", &["hush-ckks"]);
        cli.links[0].features = vec![FEATURE.into()];
        let mut testkit = package("hush-testkit", &["hush-ckks"]);
        testkit.links[0].features = vec![FEATURE.into()];
        let found = check(&Repository {
            files: Vec::new(),
            packages: vec![cli.clone(), testkit],
        });
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0].message,
            "`hush-cli` asks `hush-ckks` for weak parameters"
        );

        cli.links[0].kind = Kind::Development;
        assert_eq!(
            check(&Repository {
                files: Vec::new(),
                packages: vec![cli]
            }),
            []
        );
    }
}
