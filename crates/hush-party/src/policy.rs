//! What a party agrees to. What no rule allows is refused.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::PartyError;
use crate::job::{Job, JobLiteral};

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
    /// Files for the outputs that are revealed to this party in sessions of others.
    receives: BTreeMap<String, PathBuf>,
    /// Under which names shares may be kept here; all, if there is none.
    keeps: Option<Vec<String>>,
    /// Which kept shares programs may read; all, if there is none.
    reads: Option<Vec<String>>,
    /// Whether programs may let all computing parties learn something.
    opens: bool,
    /// A kept model: only predictions with it are allowed.
    serves: Option<String>,
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
    #[serde(default)]
    receives: BTreeMap<String, PathBuf>,
    #[serde(default)]
    keeps: Vec<String>,
    #[serde(default)]
    reads: Vec<String>,
    #[serde(default)]
    opens: bool,
}

impl Policy {
    /// Allows everything: for the party that proposes, and for parties on one machine in development.
    pub fn anything() -> Self {
        Self {
            rules: vec![Rule {
                reveals_anything: true,
                gives_what_it_proposes: true,
                opens: true,
                ..Rule::default()
            }],
            program_bytes: PROGRAM_BYTES,
        }
    }

    /// Allows predictions with the model that is kept under `name`, on inputs of one of the `clients` and with outputs
    /// for the same one, and nothing else.
    pub fn serving(name: &str, clients: &[String]) -> Self {
        let rule = |client: &String| Rule {
            proposers: Some(vec![client.clone()]),
            reveals: BTreeMap::from([("*".to_owned(), vec![client.clone()])]),
            keeps: Some(Vec::new()),
            reads: Some(vec![name.to_owned()]),
            serves: Some(name.to_owned()),
            ..Rule::default()
        };
        Self {
            rules: clients.iter().map(rule).collect(),
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
    /// receives = { y = "y.npy" }          # output = the file that this party writes it to
    /// keeps = ["mortality"]               # names under which a computing party keeps shares of results
    /// reads = ["mortality"]               # kept shares that the program may read
    /// opens = true                        # programs may tell all computing parties the bits that they list
    /// ```
    ///
    /// # Errors
    /// Names the file and the field at fault.
    pub fn load(path: &Path) -> Result<Self, PartyError> {
        let text = std::fs::read_to_string(path).map_err(PartyError::file("read", path))?;
        let folder = path.parent().unwrap_or(Path::new("."));
        Self::parse(&text, folder).map_err(PartyError::malformed(path))
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
                receives: rule
                    .receives
                    .into_iter()
                    .map(|(output, file)| (output, folder.join(file)))
                    .collect(),
                keeps: Some(rule.keeps),
                reads: Some(rule.reads),
                opens: rule.opens,
                serves: None,
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

    /// Whether `party` may know what there is to know of the model that is kept under `name`.
    pub(crate) fn may_ask(&self, name: &str, party: &str) -> bool {
        self.rules.iter().any(|rule| {
            let reads = rule.reads.as_ref();
            let proposers = rule.proposers.as_ref();
            reads.is_none_or(|reads| reads.iter().any(|read| read == name))
                && proposers.is_none_or(|all| all.iter().any(|proposer| proposer == party))
        })
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
        if literal.servers.iter().any(|server| server == me) {
            self.check_kept(literal).or_else(refuse)?;
        }
        let receives = |name| self.receives.contains_key(name);
        for output in literal
            .outputs
            .iter()
            .filter(|output| output.receiver == me)
        {
            if literal.proposer != me && !receives(&output.name) {
                return refuse(format!("does not receive output {}", output.name));
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

    fn check_kept(&self, literal: &JobLiteral) -> Result<(), String> {
        for (names, allowed, verb) in [
            (&literal.keeps, &self.keeps, "keep"),
            (&literal.reads, &self.reads, "let programs read"),
        ] {
            for kept in names {
                let allows = |allowed: &Vec<String>| allowed.contains(&kept.name);
                if !allowed.as_ref().is_none_or(allows) {
                    return Err(format!(
                        "does not {verb} shares under the name {}",
                        kept.name
                    ));
                }
            }
        }
        match literal.opens.first() {
            Some(what) if !self.opens => Err(format!(
                "does not let all computing parties learn {what}; opens = true would"
            )),
            _ => Ok(()),
        }
    }

    /// The kept model that this rule serves, if it does nothing else.
    pub(crate) fn serves(&self) -> Option<&str> {
        self.serves.as_deref()
    }

    /// The file for an output.
    pub(crate) fn destination(&self, output: &str) -> Option<&Path> {
        self.receives.get(output).map(PathBuf::as_path)
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

    fn kept() -> crate::Kept {
        crate::Kept {
            name: "model".to_owned(),
            elements: 4,
        }
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
        let changed = |policy: &str, me: &str, change: &dyn Fn(&mut JobLiteral)| {
            let policy = Policy::parse(policy, Path::new("/policies"))?;
            policy.check(&job(change), me).map(|_| ())
        };
        let keeps = |literal: &mut JobLiteral| literal.keeps = vec![kept()];
        let reads = |literal: &mut JobLiteral| literal.reads = vec![kept()];
        let opens = |literal: &mut JobLiteral| literal.opens = vec!["when it ends".to_owned()];
        let to_bob = |literal: &mut JobLiteral| literal.outputs[0].receiver = "bob".to_owned();
        assert_eq!(
            changed(fine, "s0", &keeps).unwrap_err(),
            "its policy does not keep shares under the name model"
        );
        assert_eq!(
            changed(fine, "s0", &reads).unwrap_err(),
            "its policy does not let programs read shares under the name model"
        );
        assert_eq!(
            changed(fine, "s0", &opens).unwrap_err(),
            "its policy does not let all computing parties learn when it ends; opens = true would"
        );
        let more = format!("{fine}keeps = [\"model\"]\nreads = [\"model\"]\nopens = true\n");
        for change in [&keeps as &dyn Fn(&mut JobLiteral), &reads, &opens] {
            changed(&more, "s0", change).unwrap();
        }
        let bob = format!(
            "{}gives = {{ b = \"b.npy\" }}\n",
            fine.replace("alice", "bob")
        );
        assert_eq!(
            changed(&bob, "bob", &to_bob).unwrap_err(),
            "its policy does not receive output total"
        );
        changed(
            &format!("{bob}receives = {{ total = \"t.npy\" }}\n"),
            "bob",
            &to_bob,
        )
        .unwrap();
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
