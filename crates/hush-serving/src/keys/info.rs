//! What is known of a key or an upload without reading it.

use std::time::SystemTime;

/// How far a key has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyState {
    /// All of it is there and was checked: models can use it.
    Complete,
    /// Part of it is there.
    Uploading,
}

/// A key, or the upload of one, as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyStatus {
    /// The key's id: 32 hexadecimal digits.
    pub id: String,
    /// How far it has come.
    pub state: KeyState,
    /// Bytes that have arrived: the upload goes on there.
    pub offset: u64,
    /// Bytes of the whole file.
    pub total: u64,
    /// Account that it belongs to.
    pub owner: String,
    /// When the upload was finished, or begun.
    pub created: SystemTime,
    /// When it will be deleted, if ever.
    pub expires: Option<SystemTime>,
    /// Digest of the encryption parameters in hexadecimal; empty while they have not arrived.
    pub parameters: String,
    /// log2 of the ring degree; 0 while it has not arrived.
    pub log_degree: u32,
    /// Checksum of the content in hexadecimal: the last 32 bytes of the file. Empty until it is complete.
    pub digest: String,
}
