//! Versioned, checked envelopes for everything HushML stores or sends.
//!
//! Every file is one [`envelope`](Envelope): magic, kind, version, lengths, a header with its own
//! checksum, a body, and a checksum of it all. [`Writer`] and [`Reader`] stream it; on top of them
//! stand the `V1` structures: plain data, one per kind of file. The crates that own the real types
//! convert from and to these structures; nothing else in the workspace is serialized.
//!
//! Start at [`Reader`] and [`Writer`], then [`CiphertextsReader`] as an example of a kind.
//!
//! Invariants:
//! - bytes from outside never panic, and never make a reader allocate more than a small multiple
//!   of what has arrived;
//! - truncated, changed, foreign, newer, oversized and overlong files give distinct [`WireError`]s;
//! - every residue that a reader hands out is below its modulus;
//! - version 1 stays readable: files in `testdata/v1/` are read by the tests for ever.
//!
//! Non-goals: this crate knows no other crate of the workspace, checks no security, and its
//! checksums find damage, not forgery.

#![forbid(unsafe_code)]

mod calculation;
mod ciphertexts;
mod envelope;
mod error;
mod evaluation_keys;
mod evaluation_keys_check;
pub mod graph;
mod kind;
mod message;
mod packing;
mod parameters;
mod party;
pub mod program;
mod reader;
mod secret_key;
mod writer;

pub use calculation::{
    CalculationKeptV1, CalculationOutputV1, CalculationV1, LayerV1, StatementV1,
};
pub use ciphertexts::{
    CiphertextShapeV1, CiphertextV1, CiphertextsHeaderV1, CiphertextsReader, CiphertextsWriter,
    DirectionV1, FormV1, PartV1,
};
pub use envelope::{Envelope, Limits, MAGIC};
pub use error::WireError;
pub use evaluation_keys::{
    EvaluationKeysHeaderV1, EvaluationKeysReader, EvaluationKeysWriter, SwitchV1,
    SwitchingKeyShapeV1, SwitchingKeyV1,
};
pub use evaluation_keys_check::EvaluationKeysCheck;
pub use kind::Kind;
pub use message::{message_bytes, read_message, write_message};
pub use packing::{pack, packed_length, residue_bits, unpack};
pub use parameters::ParametersV1;
pub use party::{
    JobKeptV1, JobTensorV1, JobV1, KeptCommonV1, KeptSharesV1, NoncesV1, PredictionV1,
    read_party_message,
};
pub use reader::Reader;
pub use secret_key::{
    ProtectionV1, SecretKeyHeaderV1, pack_ternary, read_secret_key, unpack_ternary,
    write_secret_key,
};
pub use writer::Writer;

/// The identity of a program: the blake3 digest of its canonical bytes.
pub type ProgramIdV1 = [u8; 32];

/// The random name of a secret key, carried by everything that is encrypted under it.
pub type KeyIdV1 = [u8; 16];
