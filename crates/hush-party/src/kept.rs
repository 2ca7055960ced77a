//! Shares that a computing party keeps between sessions: a folder, and a file a name.
//!
//! A file holds a header that says which session, program, protocol, ring, fixed point and parties it belongs to, this
//! party's parts, and a hash of all. It is as secret as a share: whoever has the files of enough parties has the numbers.

use std::path::{Path, PathBuf};

use hush_wire::{KeptCommonV1, KeptSharesV1, message_bytes, read_party_message};

use crate::atomic;
use crate::error::PartyError;
use crate::job::{Job, Kept, is_kept_name};
use crate::words::{Words, word_bytes};

const MAGIC: &[u8; 8] = b"HUSHKPT1";
const HASH: usize = 32;
/// Longest header.
const HEADER_MOST: usize = 64 << 20;

/// Where a party keeps shares.
#[derive(Debug, Clone)]
pub(crate) struct KeptShares {
    folder: PathBuf,
}

/// One party's shares of one tensor.
#[derive(Clone)]
pub(crate) struct Stored {
    pub(crate) header: KeptSharesV1,
    pub(crate) parts: Vec<Words>,
}

impl KeptShares {
    pub(crate) fn new(folder: &Path) -> Self {
        Self {
            folder: folder.to_owned(),
        }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.join(format!("{name}.share"))
    }

    /// Writes what was there before over, whole or not at all; only this party's user may read it.
    pub(crate) fn save(&self, stored: &Stored) -> Result<(), PartyError> {
        let mut builder = std::fs::DirBuilder::new();
        builder.recursive(true);
        #[cfg(unix)]
        std::os::unix::fs::DirBuilderExt::mode(&mut builder, 0o700);
        builder
            .create(&self.folder)
            .map_err(PartyError::file("create", &self.folder))?;
        let header = message_bytes(&stored.header).expect("strings and numbers are serialized");
        let mut bytes = MAGIC.to_vec();
        bytes.extend_from_slice(&(header.len() as u64).to_le_bytes());
        bytes.extend_from_slice(&header);
        for part in &stored.parts {
            bytes.extend_from_slice(part.bytes());
        }
        let hash = blake3::hash(&bytes);
        atomic::write(&self.path(&stored.header.common.name), |file| {
            file.write_all(&bytes)?;
            file.write_all(hash.as_bytes())
        })
    }

    /// What is kept under a name.
    ///
    /// # Errors
    /// Says in words that nothing is, or what is wrong with it.
    pub(crate) fn load(&self, name: &str) -> Result<Stored, String> {
        if !is_kept_name(name) {
            return Err(format!("nothing can be kept under the name {name:?}"));
        }
        let path = self.path(name);
        let bytes = std::fs::read(&path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => format!("it keeps nothing under the name {name}"),
            _ => format!("it cannot read what it keeps under the name {name}: {error}"),
        })?;
        let stored = parse(&bytes).ok_or_else(|| {
            format!("what it keeps under the name {name} is damaged; make it again")
        })?;
        if stored.header.common.name != name {
            return Err(format!(
                "its file for {name} holds {}",
                stored.header.common.name
            ));
        }
        Ok(stored)
    }
}

fn parse(bytes: &[u8]) -> Option<Stored> {
    let (bytes, hash) = bytes.split_last_chunk::<HASH>()?;
    if blake3::hash(bytes) != *hash {
        return None;
    }
    let (length, rest) = bytes.strip_prefix(MAGIC)?.split_first_chunk::<8>()?;
    let length = usize::try_from(u64::from_le_bytes(*length)).ok()?;
    if length > HEADER_MOST {
        return None;
    }
    let (header, rest) = rest.split_at_checked(length)?;
    let header: KeptSharesV1 = read_party_message("kept shares", header).ok()?;
    let KeptCommonV1 {
        ring_bits,
        elements,
        ..
    } = header.common;
    if !matches!(ring_bits, 64 | 128) {
        return None;
    }
    let part = usize::try_from(elements.checked_mul(word_bytes(ring_bits))?).ok()?;
    if part == 0 || rest.len() % part != 0 {
        return (part == 0 && rest.is_empty()).then_some(Stored {
            header,
            parts: Vec::new(),
        });
    }
    let words = |part: &[u8]| Words::from_bytes(ring_bits, part.to_vec());
    let parts = rest.chunks_exact(part).map(words).collect();
    Some(Stored { header, parts })
}

impl Stored {
    /// What stands for all that must be the same at the parties that keep shares of one tensor.
    pub(crate) fn common(&self) -> [u8; 32] {
        let bytes = message_bytes(&self.header.common).expect("strings and numbers are serialized");
        blake3::derive_key("hush-party kept shares v1", &bytes)
    }

    /// Whether these are the shares that `job` reads, at the party at `position`.
    ///
    /// # Errors
    /// Says in words what differs.
    pub(crate) fn check(
        &self,
        job: &Job,
        kept: &Kept,
        position: usize,
        roster: [u8; 32],
    ) -> Result<(), String> {
        let (literal, common) = (job.literal(), &self.header.common);
        let differs = |what: String| {
            let name = &kept.name;
            Err(format!("what it keeps under the name {name} {what}"))
        };
        if common.protocol != literal.protocol || common.ring_bits != literal.ring_bits {
            return differs(format!(
                "was made by {} on {} bits, the job takes {} on {}",
                common.protocol, common.ring_bits, literal.protocol, literal.ring_bits
            ));
        }
        let fixed = (common.integer_bits, common.fraction_bits);
        if fixed != (literal.integer_bits, literal.fraction_bits) {
            return differs(format!(
                "has {} bits before and {} behind the point, the job {} and {}",
                fixed.0, fixed.1, literal.integer_bits, literal.fraction_bits
            ));
        }
        if common.servers != literal.servers || self.header.position as usize != position {
            return differs(format!(
                "was computed by {}, in this order",
                common.servers.join(", ")
            ));
        }
        if common.roster != roster {
            return differs(
                "was made when a computing party had another fingerprint or other roles".to_owned(),
            );
        }
        if common.elements != kept.elements {
            return differs(format!(
                "has {} elements, the job says {}",
                common.elements, kept.elements
            ));
        }
        match job.sharing().fits(position, &self.parts, kept.elements) {
            true => Ok(()),
            false => differs("is damaged; make it again".to_owned()),
        }
    }
}
