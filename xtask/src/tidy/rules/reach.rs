//! What a crate must not link even by way of others.
//!
//! [`edges`](super::edges) says which crate may name which; this rule follows the chains, so that a
//! new arrow in the table cannot carry the secret key into what is deployed.

use crate::tidy::{Package, Repository, Violation};
use std::collections::{BTreeMap, VecDeque};

/// What knows secret keys.
const SECRET_SIDE: &[&str] = &["hush-keys", "hush-client"];
/// What computes on ciphertexts.
const CRYPTOGRAPHY: &[&str] = &[
    "hush-simd",
    "hush-ring",
    "hush-ckks",
    "hush-keys",
    "hush-circuits",
    "hush-client",
    "hush-runtime",
];
/// The same above the kernels: vector kernels of ring words serve protocols on shares too.
const CIPHERTEXTS: &[&str] = &[
    "hush-ring",
    "hush-ckks",
    "hush-keys",
    "hush-circuits",
    "hush-client",
    "hush-runtime",
];
/// What knows tensors, models and programs.
const TENSORS: &[&str] = &["hush-graph", "hush-onnx", "hush-compiler", "hush-program"];
/// What reads models.
const IMPORT: &[&str] = &["hush-graph", "hush-onnx", "hush-compiler"];
/// What only tests and benches may link.
const DEVELOPMENT: &[&str] = &[
    "hush-testkit",
    "hush-bench",
    "hush-conformance",
    "hush-fuzz",
];

/// Who must not reach what, and why.
const FORBIDDEN: &[(&[&str], &[&str], &str)] = &[
    (
        &[
            "hush-runtime",
            "hush-server",
            "hush-serving",
            "hush-tracking",
        ],
        SECRET_SIDE,
        "what is deployed cannot decrypt: it does not link the code",
    ),
    (
        &["hush-runtime"],
        IMPORT,
        "the runtime runs programs; it imports and compiles none",
    ),
    (
        &["hush-program"],
        CRYPTOGRAPHY,
        "the waist is plain data and knows no cryptography",
    ),
    (
        &[
            "hush-simd",
            "hush-ring",
            "hush-ckks",
            "hush-keys",
            "hush-circuits",
        ],
        TENSORS,
        "the engine knows slots and polynomials, no tensors",
    ),
    (
        &["hush-graph", "hush-onnx"],
        CRYPTOGRAPHY,
        "a model is a model before anybody encrypts",
    ),
    (
        &["hush-mpc", "hush-party", "hush-federated"],
        CIPHERTEXTS,
        "protocols on shares know no CKKS",
    ),
    (
        &[
            "hush-cli",
            "hush-server",
            "hush-runtime",
            "hush-client",
            "hush-compiler",
        ],
        DEVELOPMENT,
        "the testkit holds insecure parameters, which no shipped program may have",
    ),
];

pub(crate) fn check(repository: &Repository) -> Vec<Violation> {
    let packages: BTreeMap<&str, &Package> = repository
        .packages
        .iter()
        .map(|package| (package.name.as_str(), package))
        .collect();
    let mut violations = Vec::new();
    for (from, to, why) in FORBIDDEN {
        for package in from.iter().filter_map(|name| packages.get(name)) {
            for target in *to {
                let Some(chain) = chain(&packages, &package.name, target) else {
                    continue;
                };
                let manifest = package.manifest();
                violations.push(Violation {
                    line: repository.line_of(&manifest, chain[1]),
                    path: manifest,
                    rule: "reach",
                    message: format!(
                        "`{}` links `{target}`: {}",
                        package.name,
                        chain.join(" -> ")
                    ),
                    hint: (*why).into(),
                });
            }
        }
    }
    violations
}

/// The shortest chain of shipped links from one crate to another, both ends included.
fn chain<'a>(
    packages: &BTreeMap<&'a str, &'a Package>,
    from: &'a str,
    to: &str,
) -> Option<Vec<&'a str>> {
    let mut before: BTreeMap<&str, &str> = BTreeMap::new();
    let mut queue = VecDeque::from([from]);
    while let Some(name) = queue.pop_front() {
        for link in packages
            .get(name)
            .into_iter()
            .flat_map(|package| package.shipped())
        {
            if link == from || before.contains_key(link) {
                continue;
            }
            before.insert(link, name);
            if link == to {
                let mut chain = vec![link];
                while let Some(previous) = chain.last().and_then(|last| before.get(last)) {
                    chain.push(previous);
                }
                chain.reverse();
                return Some(chain);
            }
            queue.push_back(link);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::Kind;
    use crate::tidy::metadata::tests::package;

    #[test]
    fn secrets_are_found_through_others() {
        let mut packages = vec![
            package("hush-runtime", &["hush-circuits"]),
            package("hush-circuits", &["hush-ckks"]),
            package("hush-ckks", &["hush-keys"]),
            package("hush-keys", &[]),
        ];
        let found = check(&Repository {
            files: Vec::new(),
            packages: packages.clone(),
        });
        assert_eq!(found.len(), 1);
        assert_eq!(
            found[0].message,
            "`hush-runtime` links `hush-keys`: hush-runtime -> hush-circuits -> hush-ckks -> hush-keys"
        );

        packages[2].links[0].kind = Kind::Development;
        assert_eq!(
            check(&Repository {
                files: Vec::new(),
                packages
            }),
            []
        );
    }

    #[test]
    fn the_waist_knows_no_cryptography() {
        let packages = vec![
            package("hush-program", &["hush-ckks"]),
            package("hush-ckks", &[]),
        ];
        let found = check(&Repository {
            files: Vec::new(),
            packages,
        });
        assert_eq!(
            found[0].message,
            "`hush-program` links `hush-ckks`: hush-program -> hush-ckks"
        );
    }

    #[test]
    fn circles_end() {
        let packages = vec![
            package("hush-cli", &["hush-wire"]),
            package("hush-wire", &["hush-cli"]),
        ];
        assert_eq!(
            check(&Repository {
                files: Vec::new(),
                packages
            }),
            []
        );
    }
}
