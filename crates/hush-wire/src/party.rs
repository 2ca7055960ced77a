//! What parties of a multi-party computation tell each other before they compute.

use serde::{Deserialize, Serialize};

use crate::WireError;
use crate::reader::decode;

/// What is to be computed, without the program itself.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobV1 {
    /// What sort of program it is.
    pub kind: String,
    /// The program's name.
    pub name: String,
    /// The program's version.
    pub version: String,
    /// blake3 of the program's bytes.
    pub program: [u8; 32],
    /// How many bytes the program has.
    pub program_bytes: u64,
    /// Version of the library.
    pub library: String,
    /// Protocol.
    pub protocol: String,
    /// Bits of a word.
    pub ring_bits: u32,
    /// Fixed point: bits before the point.
    pub integer_bits: u32,
    /// Fixed point: bits behind the point.
    pub fraction_bits: u32,
    /// Hash of the configuration's names, identities and roles.
    pub roster: [u8; 32],
    /// Who proposes.
    pub proposer: String,
    /// Who computes, in the protocol's order.
    pub servers: Vec<String>,
    /// What is given.
    pub inputs: Vec<JobTensorV1>,
    /// What is opened.
    pub outputs: Vec<JobTensorV1>,
    /// What the computing parties kept of earlier sessions and the program reads.
    pub reads: Vec<JobKeptV1>,
    /// What the computing parties are to keep.
    pub keeps: Vec<JobKeptV1>,
    /// What all computing parties learn while they compute.
    pub opens: Vec<String>,
}

/// A tensor that stays shared at the computing parties.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobKeptV1 {
    /// Under which name.
    pub name: String,
    /// How many elements it has.
    pub elements: u64,
}

/// What stands before one party's kept shares.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptSharesV1 {
    /// What is the same at all parties that keep the others' shares.
    pub common: KeptCommonV1,
    /// The party's place among those that computed.
    pub position: u32,
}

/// What all parties that keep shares of one tensor write down alike.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeptCommonV1 {
    /// Under which name it is kept.
    pub name: String,
    /// How many elements it has.
    pub elements: u64,
    /// The session that made it.
    pub session: [u8; 32],
    /// blake3 of the program that made it.
    pub program: [u8; 32],
    /// The program's name.
    pub program_name: String,
    /// Protocol.
    pub protocol: String,
    /// Bits of a word.
    pub ring_bits: u32,
    /// Fixed point: bits before the point.
    pub integer_bits: u32,
    /// Fixed point: bits behind the point.
    pub fraction_bits: u32,
    /// Who computed, in the protocol's order.
    pub servers: Vec<String>,
    /// Hash of the names, identities and roles of those who computed.
    pub roster: [u8; 32],
    /// If it is a model: the kind of programs that predict with it, or nothing.
    pub kind: String,
    /// If it is a model: what such programs need to know of it.
    pub description: Vec<u8>,
}

/// A tensor that one party gives or is shown.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct JobTensorV1 {
    /// Its name in the program.
    pub name: String,
    /// How many elements it has.
    pub elements: u64,
    /// Who gives it or is shown it.
    pub party: String,
}

/// Everybody's nonces, in the order of the participants.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoncesV1 {
    /// One a participant.
    pub nonces: Vec<[u8; 32]>,
}

/// Reads a message; surplus bytes are an error. `bytes` must be bounded by whoever read them.
pub fn read_party_message<T: serde::de::DeserializeOwned>(
    what: &'static str,
    bytes: &[u8],
) -> Result<T, WireError> {
    decode(what, bytes)
}

/// A prediction: what all parties know of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PredictionV1 {
    /// A [`crate::graph::GraphV1`], as bytes.
    pub graph: Vec<u8>,
    /// Values whose range is narrower than the job's, and their bits before the point.
    pub integer_bits: Vec<(u32, u32)>,
    /// Largest error of approximated functions.
    pub function_error: f64,
}
