//! The operations of a server, whichever protocol they travel by.

mod failure;
mod grpc;
mod protocol;
mod rest;
mod tensors;

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::mpsc::Receiver;

use crate::address::{Address, Protocol};
use crate::{ConnectOptions, RemoteError};

/// What the one tensor of an encrypted model is called.
const CIPHERTEXTS: &str = "ciphertexts";

/// A model, and which version of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelName {
    /// Its name.
    pub name: String,
    /// The version; the latest if there is none.
    pub version: Option<String>,
}

/// What a server has under a name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ModelStatus {
    /// Name of the model.
    pub name: String,
    /// Its version.
    pub version: String,
    /// `READY`, `LOADING` or `UNAVAILABLE`.
    pub state: String,
    /// Why it is in that state, where there is something to say.
    pub reason: String,
}

/// What a server says of itself.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerStatus {
    /// What it calls itself.
    pub name: String,
    /// Its version.
    pub version: String,
    /// Whether it takes requests.
    pub ready: bool,
}

/// What a model takes and gives, as the Open Inference Protocol tells it.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelMetadata {
    /// Name of the model.
    pub name: String,
    /// Its versions.
    pub versions: Vec<String>,
    /// What runs it.
    pub platform: String,
    /// What goes in.
    pub inputs: Vec<TensorMetadata>,
    /// What comes out.
    pub outputs: Vec<TensorMetadata>,
    /// What else the server says of it.
    pub properties: BTreeMap<String, String>,
}

/// A tensor of a model, as the Open Inference Protocol tells it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TensorMetadata {
    /// Its name.
    pub name: String,
    /// Type of its elements.
    pub data_type: String,
    /// Its shape; -1 stands for any length.
    pub shape: Vec<i64>,
}

/// How much of a key a server has.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyStatus {
    /// 32 hexadecimal digits.
    pub id: String,
    /// Whether predictions can use it.
    pub complete: bool,
    /// Bytes that are there: where an upload goes on.
    pub offset: u64,
    /// Bytes of the whole file.
    pub total: u64,
    /// Account that it belongs to.
    pub owner: String,
    /// Seconds since 1970; `None` if it does not expire.
    pub expires: Option<u64>,
}

/// A part of a file of keys on its way.
pub(crate) struct Part {
    /// The key.
    pub(crate) id: String,
    /// Where the part begins.
    pub(crate) offset: u64,
    /// Its bytes.
    pub(crate) length: u64,
    /// Bytes of the whole file.
    pub(crate) total: u64,
    /// The bytes as they are read.
    pub(crate) data: Receiver<Bytes>,
}

/// A server, asked once each time: who calls repeats what is worth repeating, and bounds the time.
#[tonic::async_trait]
pub(crate) trait Transport: Send + Sync {
    /// What the server says of itself.
    async fn server(&self) -> Result<ServerStatus, RemoteError>;
    /// Every model and version that the caller may see.
    async fn index(&self) -> Result<Vec<ModelStatus>, RemoteError>;
    /// What a model takes and gives.
    async fn metadata(&self, model: &ModelName) -> Result<ModelMetadata, RemoteError>;
    /// The `.client` file of a model.
    async fn client_file(&self, model: &ModelName) -> Result<Bytes, RemoteError>;
    /// How much of a key is there; `None` if nothing is.
    async fn key_status(&self, id: &str) -> Result<Option<KeyStatus>, RemoteError>;
    /// Sends a part of a file of keys.
    async fn upload(&self, part: Part) -> Result<KeyStatus, RemoteError>;
    /// Deletes a key.
    async fn delete_key(&self, id: &str) -> Result<(), RemoteError>;
    /// A file of ciphertexts in, one out.
    async fn infer(
        &self,
        model: &ModelName,
        file: Bytes,
        deadline: Duration,
    ) -> Result<Bytes, RemoteError>;
    /// What has happened so far, in the text format of Prometheus.
    async fn metrics(&self) -> Result<String, RemoteError>;
}

/// The transport that an address asks for; nothing is sent yet.
///
/// # Errors
/// [`RemoteError::Certificate`], [`RemoteError::Token`].
pub(crate) fn transport(
    address: &Address,
    options: &ConnectOptions,
) -> Result<Arc<dyn Transport>, RemoteError> {
    let token = options.token.as_deref().map(|token| {
        let value = zeroize::Zeroizing::new(format!("Bearer {}", token.trim()));
        let mut value = http::HeaderValue::from_str(&value).map_err(|_| RemoteError::Token)?;
        value.set_sensitive(true);
        Ok::<_, RemoteError>(value)
    });
    let token = token.transpose()?;
    Ok(match address.protocol {
        Protocol::Grpc => Arc::new(grpc::Grpc::new(address, options, token)?),
        Protocol::Http => Arc::new(rest::Rest::new(address, options, token)?),
    })
}
