//! What a party agrees to. What no rule allows is refused.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::PartyError;
use crate::job::Job;

/// Largest program that a party reads before it knows whether it allows it.
const PROGRAM_BYTES: u64 = 1 << 30;

/// What one party agrees to.
#[derive(Debug, Clone)]
pub struct Policy {
    rules: Vec<Rule>,
    program_bytes: u64,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Rule {
    name: Option<String>,
    version: Option<String>,
    hash: Option<[u8; 32]>,
    kinds: Option<Vec<String>>,
    proposers: Option<Vec<String>>,
    protocols: Option<Vec<String>>,
    /// Who may be shown which output; `*` stands for all others.
    reveals: BTreeMap<String, Vec<String>>,
    reveals_anything: bool,
    /// Files behind the inputs that this party gives.
    gives: BTreeMap<String, PathBuf>,
    gives_what_it_proposes: bool,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    program_bytes: Option<u64>,
    #[serde(default)]
    allow: Vec<FileRule>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileRule {
    program: Option<String>,
    version: Option<String>,
    program_hash: Option<String>,
    kinds: Option<Vec<String>>,
    proposers: Option<Vec<String>>,
    protocols: Option<Vec<String>>,
    #[serde(default)]
    reveals: BTreeMap<String, Vec<String>>,
    #[serde(default)]
    gives: BTreeMap<String, PathBuf>,
}

impl Policy {
    /// Allows everything: for the party that proposes, and for parties on one machine in development.
    pub fn anything() -> Self {
        Self {
            rules: vec![Rule {
                reveals_anything: true,
                gives_what_it_proposes: true,
                ..Rule::default()
            }],
            program_bytes: PROGRAM_BYTES,
        }
    }

    /// Reads a policy file.
    ///
    /// ```toml
    /// [[allow]]
    /// program = "mnist-mlp"               # or program_hash = "blake3 of the program"
    /// version = "1"                       # any if it is left out, as with kinds, protocols and proposers
    /// proposers = ["clinic"]
    /// reveals = { y = ["clinic"] }        # output = who may be shown it; "*" = all other outputs
    /// gives = { weights = "mlp.onnx" }    # input = the file that this party takes it from
    /// ```
    ///
    /// # Errors
    /// Names the file and the field at fault.
    pub fn load(path: &Path) -> Result<Self, PartyError> {
        let text = std::fs::read_to_string(path).map_err(|source| PartyError::File {
            action: "read",
            path: path.to_owned(),
            source,
        })?;
        let folder = path.parent().unwrap_or(Path::new("."));
        Self::parse(&text, folder).map_err(|reason| PartyError::Malformed {
            path: path.to_owned(),
            reason,
        })
    }

    fn parse(text: &str, folder: &Path) -> Result<Self, String> {
        let file: File = toml::from_str(text).map_err(|error| error.to_string())?;
        let rule = |rule: FileRule| {
            let hash = rule
                .program_hash
                .map(|text| {
                    blake3::Hash::from_hex(&text)
                        .map(Into::into)
                        .map_err(|_| format!("program_hash {text} is not 64 hexadecimal digits"))
                })
                .transpose()?;
            if rule.program.is_none() && hash.is_none() {
                return Err("a rule names neither program nor program_hash".to_owned());
            }
            let gives = rule.gives.into_iter();
            Ok(Rule {
                name: rule.program,
                version: rule.version,
                hash,
                kinds: rule.kinds,
                proposers: rule.proposers,
                protocols: rule.protocols,
                reveals: rule.reveals,
                reveals_anything: false,
                gives: gives
                    .map(|(input, file)| (input, folder.join(file)))
                    .collect(),
                gives_what_it_proposes: false,
            })
        };
        Ok(Self {
            rules: file.allow.into_iter().map(rule).collect::<Result<_, _>>()?,
            program_bytes: file.program_bytes.unwrap_or(PROGRAM_BYTES),
        })
    }

    /// Largest program that is read.
    pub(crate) fn program_bytes(&self) -> u64 {
        self.program_bytes
    }

    /// The first rule that allows `job` to party `me`, or why the last one for its program does not.
    pub(crate) fn check(&self, job: &Job, me: &str) -> Result<&Rule, String> {
        let mut reason = format!(
            "its policy has no rule for program {} (blake3 {})",
            job.name(),
            blake3::Hash::from(*job.program())
        );
        for rule in &self.rules {
            match rule.check(job, me) {
                Ok(()) => return Ok(rule),
                Err(Some(why)) => reason = why,
                Err(None) => {}
            }
        }
        Err(reason)
    }
}

impl Rule {
    /// No reason where the rule is about another program.
    fn check(&self, job: &Job, me: &str) -> Result<(), Option<String>> {
        let other = |wanted: &Option<String>, found: &str| {
            wanted.as_ref().is_some_and(|wanted| wanted != found)
        };
        if other(&self.name, job.name()) || self.hash.is_some_and(|hash| hash != *job.program()) {
            return Err(None);
        }
        let refuse = |reason: String| Err(Some(format!("its policy {reason}")));
        if other(&self.version, job.version()) {
            return refuse(format!(
                "does not allow version {} of {}",
                job.version(),
                job.name()
            ));
        }
        let literal = job.literal();
        for (what, allowed, found) in [
            ("kind", &self.kinds, job.kind()),
            ("proposer", &self.proposers, literal.proposer.as_str()),
            ("protocol", &self.protocols, literal.protocol.as_str()),
        ] {
            if let Some(allowed) = allowed
                && !allowed.iter().any(|allowed| allowed == found)
            {
                return refuse(format!("does not allow {what} {found} for {}", job.name()));
            }
        }
        for output in &literal.outputs {
            let receivers = self
                .reveals
                .get(&output.name)
                .or_else(|| self.reveals.get("*"));
            let allowed = receivers.is_some_and(|receivers| receivers.contains(&output.receiver));
            if !allowed && !self.reveals_anything {
                return refuse(format!(
                    "does not let output {} be revealed to {}",
                    output.name, output.receiver
                ));
            }
        }
        let proposed = self.gives_what_it_proposes && literal.proposer == me;
        for input in literal.inputs.iter().filter(|input| input.owner == me) {
            if !self.gives.contains_key(&input.name) && !proposed {
                return refuse(format!("does not give input {}", input.name));
            }
        }
        Ok(())
    }

    /// The file behind an input.
    pub(crate) fn source(&self, input: &str) -> Option<&Path> {
        self.gives.get(input).map(PathBuf::as_path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::tests::job;

    fn check(policy: &str, me: &str) -> Result<(), String> {
        let policy = Policy::parse(policy, Path::new("/policies"))?;
        policy.check(&job(|_| {}), me).map(|_| ())
    }

    #[test]
    fn only_what_a_rule_allows_is_allowed() {
        let fine = "[[allow]]\nprogram = \"sum\"\nreveals = { total = [\"alice\"] }\n";
        check(fine, "s0").unwrap();
        check(&fine.replace("total", "\"*\""), "s0").unwrap();
        let refusal = |policy: &str, me| check(policy, me).unwrap_err();
        assert!(refusal("", "s0").starts_with("its policy has no rule for program sum (blake3 "));
        assert_eq!(
            refusal(&fine.replace("alice", "bob"), "s0"),
            "its policy does not let output total be revealed to alice"
        );
        assert_eq!(
            refusal(&format!("{fine}version = \"2\"\n"), "s0"),
            "its policy does not allow version 1 of sum"
        );
        assert_eq!(
            refusal(&format!("{fine}proposers = [\"bob\"]\n"), "s0"),
            "its policy does not allow proposer alice for sum"
        );
        assert_eq!(refusal(fine, "bob"), "its policy does not give input b");
        check(&format!("{fine}gives = {{ b = \"b.npy\" }}\n"), "bob").unwrap();
        let hash = blake3::hash(b"the program").to_string();
        check(
            &fine.replace("program = \"sum\"", &format!("program_hash = \"{hash}\"")),
            "s0",
        )
        .unwrap();
        assert_eq!(
            refusal(
                &fine.replace("program = \"sum\"", "program_hash = \"12\""),
                "s0"
            ),
            "program_hash 12 is not 64 hexadecimal digits"
        );
        assert_eq!(
            refusal("[[allow]]\n", "s0"),
            "a rule names neither program nor program_hash"
        );
    }
}
