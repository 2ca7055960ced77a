//! What all participants must see alike before any data flows, field by field.

use crate::job::{Job, Kept};

/// Names of the fields, in the order of their hashes.
const FIELDS: [&str; 12] = [
    "program",
    "library version",
    "protocol",
    "ring",
    "fixed point",
    "names, fingerprints or roles of the parties",
    "computing parties",
    "inputs",
    "outputs",
    "kept shares",
    "what all computing parties learn",
    "nonces",
];

/// Bytes of an agreement.
pub(crate) const BYTES: usize = 32 * FIELDS.len();

/// A hash of each field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Agreement([[u8; 32]; FIELDS.len()]);

impl Agreement {
    pub(crate) fn new(job: &Job, nonces: &[[u8; 32]]) -> Self {
        let l = job.literal();
        let texts = |parts: &[&str]| {
            let mut hasher = blake3::Hasher::new();
            for part in parts {
                hasher.update(&(part.len() as u64).to_le_bytes());
                hasher.update(part.as_bytes());
            }
            hasher.finalize().into()
        };
        let numbers = |numbers: &[u32]| {
            let mut hasher = blake3::Hasher::new();
            for number in numbers {
                hasher.update(&number.to_le_bytes());
            }
            hasher.finalize().into()
        };
        let tensors = |tensors: Vec<(&String, u64, &String)>| {
            let mut parts = Vec::new();
            for (name, elements, party) in tensors {
                parts.extend([name.clone(), elements.to_string(), party.clone()]);
            }
            texts(&parts.iter().map(String::as_str).collect::<Vec<_>>())
        };
        let mut program = blake3::Hasher::new();
        program.update(job.program());
        let named: [u8; 32] = texts(&[job.kind(), job.name(), job.version()]);
        program.update(&named);
        let servers: Vec<&str> = l.servers.iter().map(String::as_str).collect();
        let (reads, keeps) = ("reads".to_owned(), "keeps".to_owned());
        let kept = l.reads.iter().map(|kept| (kept, &reads));
        let kept = kept.chain(l.keeps.iter().map(|kept| (kept, &keeps)));
        let kept = kept.map(|(kept, verb): (&Kept, _)| (&kept.name, kept.elements, verb));
        Self([
            program.finalize().into(),
            texts(&[job.library()]),
            texts(&[&l.protocol]),
            numbers(&[l.ring_bits]),
            numbers(&[l.integer_bits, l.fraction_bits]),
            *job.roster(),
            texts(&servers),
            tensors(l.given().collect()),
            tensors(l.revealed().collect()),
            tensors(kept.collect()),
            texts(&l.opens.iter().map(String::as_str).collect::<Vec<_>>()),
            blake3::hash(nonces.as_flattened()).into(),
        ])
    }

    pub(crate) fn to_bytes(&self) -> [u8; BYTES] {
        self.0
            .as_flattened()
            .try_into()
            .expect("so many fields of 32 bytes")
    }

    /// The name of the first field in which another participant's agreement differs.
    pub(crate) fn difference(&self, other: &[u8; BYTES]) -> Option<&'static str> {
        let (others, _) = other.as_chunks::<32>();
        let differs = self
            .0
            .iter()
            .zip(others)
            .position(|(own, other)| own != other);
        differs.map(|field| FIELDS[field])
    }

    /// The name of the session: nobody chooses it alone, and it stands for everything agreed.
    pub(crate) fn session(&self) -> [u8; 32] {
        blake3::derive_key("hush-party session v1", self.0.as_flattened())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::local::tests::job;

    #[test]
    fn every_field_that_differs_is_named() {
        let nonces = [[1; 32], [2; 32]];
        let one = Agreement::new(&job(|_| {}), &nonces);
        assert_eq!(one.difference(&one.to_bytes()), None);
        let difference = |other: Agreement| {
            assert_ne!(one.session(), other.session());
            one.difference(&other.to_bytes())
        };
        let changed = |change: &dyn Fn(&mut crate::JobLiteral)| {
            difference(Agreement::new(&job(change), &nonces))
        };
        assert_eq!(changed(&|l| l.protocol = "pond".into()), Some("protocol"));
        assert_eq!(changed(&|l| l.ring_bits = 128), Some("ring"));
        assert_eq!(changed(&|l| l.fraction_bits = 10), Some("fixed point"));
        assert_eq!(
            changed(&|l| l.servers.swap(0, 1)),
            Some("computing parties")
        );
        assert_eq!(changed(&|l| l.inputs[0].elements += 1), Some("inputs"));
        assert_eq!(
            changed(&|l| l.outputs[0].name = "z".into()),
            Some("outputs")
        );
        let kept = || {
            vec![Kept {
                name: "model".into(),
                elements: 1,
            }]
        };
        assert_eq!(changed(&|l| l.keeps = kept()), Some("kept shares"));
        assert_eq!(changed(&|l| l.reads = kept()), Some("kept shares"));
        assert_eq!(
            changed(&|l| l.opens = vec!["a bit".into()]),
            Some("what all computing parties learn")
        );
        let other = Agreement::new(&job(|_| {}), &[[1; 32], [3; 32]]);
        assert_eq!(difference(other), Some("nonces"));
    }
}
