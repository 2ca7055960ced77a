//! What is to be computed, by whom, from whose inputs, for whom.

use std::collections::BTreeSet;

use hush_mpc::Fixed;
use hush_wire::{JobKeptV1, JobTensorV1, JobV1, message_bytes, read_party_message};

use crate::configuration::{Configuration, Role};
use crate::error::PartyError;
use crate::protocol::ProtocolName;
use crate::sharing::Sharing;

/// Most elements of one tensor.
const ELEMENTS_MOST: u64 = 1 << 32;
/// Most inputs or outputs.
const TENSORS_MOST: usize = 10_000;
/// Longest text about what is opened.
const TEXT_MOST: usize = 1000;

/// Whether something may be kept under that name, which is also that of a file.
pub(crate) fn is_kept_name(name: &str) -> bool {
    let simple = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    (1..=64).contains(&name.len()) && name.chars().all(simple) && !name.starts_with('.')
}

/// The program as all parties know it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Program {
    /// What sort of program it is: which [`crate::Runner`] understands it.
    pub kind: String,
    /// Its name, for policies.
    pub name: String,
    /// Its version, for policies.
    pub version: String,
    /// Its bytes.
    pub bytes: Vec<u8>,
}

/// A tensor that its owner shares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Input {
    /// Name in the program.
    pub name: String,
    /// Number of elements.
    pub elements: u64,
    /// Name of the party that gives it.
    pub owner: String,
}

/// A tensor that is opened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Output {
    /// Name in the program.
    pub name: String,
    /// Number of elements.
    pub elements: u64,
    /// Name of the party that is shown it, and nobody else.
    pub receiver: String,
}

/// A tensor that stays shared at the computing parties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// Under which name.
    pub name: String,
    /// Number of elements.
    pub elements: u64,
}

/// A job as somebody wrote it, unchecked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobLiteral {
    /// Protocol: `aby3`, `pond` or `securenn`.
    pub protocol: String,
    /// Bits of a word.
    pub ring_bits: u32,
    /// Fixed point: bits before the point.
    pub integer_bits: u32,
    /// Fixed point: bits behind the point.
    pub fraction_bits: u32,
    /// Who proposes it.
    pub proposer: String,
    /// Who computes, in the protocol's order.
    pub servers: Vec<String>,
    /// What is given, in the program's order.
    pub inputs: Vec<Input>,
    /// What is opened, in the program's order.
    pub outputs: Vec<Output>,
    /// What the computing parties kept of earlier sessions and the program reads, in its order.
    pub reads: Vec<Kept>,
    /// What the computing parties are to keep, in the program's order.
    pub keeps: Vec<Kept>,
    /// What all computing parties learn while they compute, in words.
    pub opens: Vec<String>,
}

impl JobLiteral {
    /// Name, elements and owner of each input.
    pub(crate) fn given(&self) -> impl Iterator<Item = (&String, u64, &String)> {
        let inputs = self.inputs.iter();
        inputs.map(|input| (&input.name, input.elements, &input.owner))
    }

    /// Name, elements and receiver of each output.
    pub(crate) fn revealed(&self) -> impl Iterator<Item = (&String, u64, &String)> {
        let outputs = self.outputs.iter();
        outputs.map(|output| (&output.name, output.elements, &output.receiver))
    }
}

/// A checked job. What servers compute on and what they learn of it: everything here is public among the parties.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Job {
    literal: JobLiteral,
    protocol: ProtocolName,
    kind: String,
    name: String,
    version: String,
    library: String,
    program: [u8; 32],
    program_bytes: u64,
    roster: [u8; 32],
}

/// The library's version, which all parties of a session share.
pub(crate) const LIBRARY: &str = env!("CARGO_PKG_VERSION");

impl Job {
    /// The job `literal` of `program` among the parties of `configuration`.
    ///
    /// # Errors
    /// Names what is wrong: unknown parties, wrong roles, numbers out of range.
    pub fn new(
        literal: JobLiteral,
        program: &Program,
        configuration: &Configuration,
    ) -> Result<Self, PartyError> {
        let job = Self {
            protocol: protocol_of(&literal)?,
            literal,
            kind: program.kind.clone(),
            name: program.name.clone(),
            version: program.version.clone(),
            library: LIBRARY.to_owned(),
            program: blake3::hash(&program.bytes).into(),
            program_bytes: program.bytes.len() as u64,
            roster: configuration.roster(),
        };
        job.check(configuration)?;
        Ok(job)
    }

    fn check(&self, configuration: &Configuration) -> Result<(), PartyError> {
        let fail = |field, reason: String| Err(PartyError::Job { field, reason });
        let l = &self.literal;
        if l.servers.len() != 3 {
            return fail(
                "computing parties",
                format!("{} takes 3, not {}", l.protocol, l.servers.len()),
            );
        }
        if !matches!(l.ring_bits, 64 | 128) {
            return fail(
                "ring",
                format!("{} bits are neither 64 nor 128", l.ring_bits),
            );
        }
        if l.fraction_bits == 0 || l.integer_bits + l.fraction_bits > l.ring_bits - 2 {
            let reason = format!(
                "{} bits before and {} behind the point do not fit {} bits",
                l.integer_bits, l.fraction_bits, l.ring_bits
            );
            return fail("fixed point", reason);
        }
        if l.servers.iter().collect::<BTreeSet<_>>().len() != l.servers.len() {
            return fail("computing parties", "one is named twice".to_owned());
        }
        for (index, name) in l.servers.iter().enumerate() {
            let roles = &configuration.party(name)?.roles;
            let helps =
                index == 2 && self.protocol.has_dealer() && roles.contains(&Role::CryptoProducer);
            if !roles.contains(&Role::ComputeServer) && !helps {
                return fail("computing parties", format!("{name} has not that role"));
            }
        }
        configuration.party(&l.proposer)?;
        let owners = [Role::InputProvider, Role::ModelOwner, Role::DataOwner];
        let receivers = [Role::ResultReceiver, Role::ModelOwner];
        self.check_tensors("inputs", l.given().collect(), &owners, configuration)?;
        self.check_tensors("outputs", l.revealed().collect(), &receivers, configuration)?;
        check_kept("reads", &l.reads)?;
        check_kept("keeps", &l.keeps)?;
        let long = |text: &String| text.len() > TEXT_MOST;
        if l.opens.len() > TENSORS_MOST || l.opens.iter().any(long) {
            return fail("opens", "there is more than anybody reads".to_owned());
        }
        Ok(())
    }

    fn check_tensors(
        &self,
        field: &'static str,
        tensors: Vec<(&String, u64, &String)>,
        roles: &[Role],
        configuration: &Configuration,
    ) -> Result<(), PartyError> {
        let fail = |reason: String| Err(PartyError::Job { field, reason });
        if tensors.len() > TENSORS_MOST {
            return fail(format!("there are more than {TENSORS_MOST}"));
        }
        let mut names = BTreeSet::new();
        for (name, elements, party) in tensors {
            if !names.insert(name) {
                return fail(format!("{name} is there twice"));
            }
            if elements > ELEMENTS_MOST {
                return fail(format!("{name} has more than 2^32 elements"));
            }
            let found = &configuration.party(party)?.roles;
            if !roles.iter().any(|role| found.contains(role)) {
                let names: Vec<&str> = roles.iter().map(|role| role.name()).collect();
                return fail(format!(
                    "{name} belongs to {party}, whose roles have none of {}",
                    names.join(", ")
                ));
            }
            if self.literal.servers.contains(party) {
                return fail(format!(
                    "{name} belongs to {party}, which computes; whoever owns data is a party of its own"
                ));
            }
        }
        Ok(())
    }

    /// Its bytes, as its parties are sent them and as their agreement names it.
    pub fn to_bytes(&self) -> Vec<u8> {
        let l = &self.literal;
        let tensor = |(name, elements, party): (&String, u64, &String)| JobTensorV1 {
            name: name.clone(),
            elements,
            party: party.clone(),
        };
        let kept = |kept: &[Kept]| {
            let kept = kept.iter().map(|kept| JobKeptV1 {
                name: kept.name.clone(),
                elements: kept.elements,
            });
            kept.collect()
        };
        let stored = JobV1 {
            kind: self.kind.clone(),
            name: self.name.clone(),
            version: self.version.clone(),
            program: self.program,
            program_bytes: self.program_bytes,
            library: self.library.clone(),
            protocol: l.protocol.clone(),
            ring_bits: l.ring_bits,
            integer_bits: l.integer_bits,
            fraction_bits: l.fraction_bits,
            roster: self.roster,
            proposer: l.proposer.clone(),
            servers: l.servers.clone(),
            inputs: l.given().map(tensor).collect(),
            outputs: l.revealed().map(tensor).collect(),
            reads: kept(&l.reads),
            keeps: kept(&l.keeps),
            opens: l.opens.clone(),
        };
        message_bytes(&stored).expect("strings and numbers are serialized")
    }

    /// A job as `proposer` sent it, checked against this party's own view. Bytes may come from anybody.
    ///
    /// # Errors
    /// If they are no job, or one that this party would compute otherwise: names the field.
    pub fn from_bytes(
        bytes: &[u8],
        proposer: &str,
        configuration: &Configuration,
    ) -> Result<Self, PartyError> {
        let stored: JobV1 =
            read_party_message("the job", bytes).map_err(|error| PartyError::Job {
                field: "form",
                reason: error.to_string(),
            })?;
        let kept = |kept: Vec<JobKeptV1>| {
            let kept = kept.into_iter().map(|kept| Kept {
                name: kept.name,
                elements: kept.elements,
            });
            kept.collect()
        };
        let literal = JobLiteral {
            protocol: stored.protocol,
            ring_bits: stored.ring_bits,
            integer_bits: stored.integer_bits.min(1000),
            fraction_bits: stored.fraction_bits.min(1000),
            proposer: stored.proposer,
            servers: stored.servers,
            inputs: stored
                .inputs
                .into_iter()
                .map(|tensor| Input {
                    name: tensor.name,
                    elements: tensor.elements,
                    owner: tensor.party,
                })
                .collect(),
            outputs: stored
                .outputs
                .into_iter()
                .map(|tensor| Output {
                    name: tensor.name,
                    elements: tensor.elements,
                    receiver: tensor.party,
                })
                .collect(),
            reads: kept(stored.reads),
            keeps: kept(stored.keeps),
            opens: stored.opens,
        };
        let job = Self {
            protocol: protocol_of(&literal)?,
            literal,
            kind: stored.kind,
            name: stored.name,
            version: stored.version,
            library: stored.library,
            program: stored.program,
            program_bytes: stored.program_bytes,
            roster: stored.roster,
        };
        let mismatch = |field| PartyError::Mismatch {
            party: proposer.to_owned(),
            field,
        };
        if job.library != LIBRARY {
            return Err(mismatch("library version"));
        }
        if job.roster != configuration.roster() {
            return Err(mismatch("names, fingerprints or roles of the parties"));
        }
        if job.literal.proposer != proposer {
            return Err(mismatch("proposer"));
        }
        job.check(configuration)?;
        Ok(job)
    }

    /// What sort of program it is.
    pub fn kind(&self) -> &str {
        &self.kind
    }

    /// The program's name.
    pub fn name(&self) -> &str {
        &self.name
    }

    /// The program's version.
    pub fn version(&self) -> &str {
        &self.version
    }

    /// The program's hash (blake3).
    pub fn program(&self) -> &[u8; 32] {
        &self.program
    }

    pub(crate) fn library(&self) -> &str {
        &self.library
    }

    pub(crate) fn roster(&self) -> &[u8; 32] {
        &self.roster
    }

    pub(crate) fn program_bytes(&self) -> u64 {
        self.program_bytes
    }

    /// The protocol.
    pub fn protocol(&self) -> ProtocolName {
        self.protocol
    }

    /// The type of all numbers.
    pub fn fixed(&self) -> Fixed {
        Fixed::new(self.literal.integer_bits, self.literal.fraction_bits)
    }

    /// How inputs and outputs are shared.
    pub(crate) fn sharing(&self) -> Sharing {
        Sharing {
            protocol: self.protocol,
            ring_bits: self.literal.ring_bits,
        }
    }

    /// Everything else.
    pub fn literal(&self) -> &JobLiteral {
        &self.literal
    }

    /// Everybody who takes part: servers in their order, then all others by name.
    pub fn participants(&self) -> Vec<String> {
        let l = &self.literal;
        let mut others: BTreeSet<&String> = l.inputs.iter().map(|input| &input.owner).collect();
        others.extend(l.outputs.iter().map(|output| &output.receiver));
        others.insert(&l.proposer);
        others.retain(|name| !l.servers.contains(name));
        l.servers.iter().chain(others).cloned().collect()
    }

    /// Participants that do not compute.
    pub(crate) fn clients(&self) -> Vec<String> {
        self.participants().split_off(self.literal.servers.len())
    }
}

fn check_kept(field: &'static str, kept: &[Kept]) -> Result<(), PartyError> {
    let fail = |reason: String| Err(PartyError::Job { field, reason });
    if kept.len() > TENSORS_MOST {
        return fail(format!("there are more than {TENSORS_MOST}"));
    }
    let mut names = BTreeSet::new();
    for Kept { name, elements } in kept {
        if !is_kept_name(name) {
            return fail(format!(
                "{name:?} is not 1 to 64 letters, digits, '-', '_' or '.' inside"
            ));
        }
        if !names.insert(name) {
            return fail(format!("{name} is there twice"));
        }
        if *elements > ELEMENTS_MOST {
            return fail(format!("{name} has more than 2^32 elements"));
        }
    }
    Ok(())
}

fn protocol_of(literal: &JobLiteral) -> Result<ProtocolName, PartyError> {
    ProtocolName::parse(&literal.protocol).ok_or_else(|| {
        let names = ProtocolName::ALL.map(ProtocolName::name).join(", ");
        PartyError::Job {
            field: "protocol",
            reason: format!("{} is none of {names}", literal.protocol),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::tests::{configuration, job};

    #[test]
    fn jobs_come_back_and_damaged_ones_never_panic() {
        let (job, configuration) = (job(|_| {}), configuration());
        let bytes = job.to_bytes();
        assert_eq!(
            Job::from_bytes(&bytes, "alice", &configuration).unwrap(),
            job
        );
        assert_eq!(
            Job::from_bytes(&bytes, "bob", &configuration)
                .unwrap_err()
                .to_string(),
            "bob differs in proposer; compare both sides' configuration, program and version"
        );
        for place in 0..bytes.len() {
            for change in [0x01, 0x80, 0xff] {
                let mut damaged = bytes.clone();
                damaged[place] ^= change;
                let _ = Job::from_bytes(&damaged, "alice", &configuration);
            }
            assert!(Job::from_bytes(&bytes[..place], "alice", &configuration).is_err());
        }
    }
}
