//! A model on a server, as far as its users may know it.

use std::path::Path;
use std::sync::Arc;

use bytes::Buf;
use hush_client::passphrase::Passphrase;
use hush_program::ClientSpec;
use hush_wire::program::ClientSpecV1;
use hush_wire::{Kind, read_message};

use crate::{Connection, Keys, ModelName, RemoteError, Session, Watcher};

/// An encrypted model on a server: parameters, layouts, which keys it needs. No weights.
#[derive(Clone)]
pub struct RemoteModel {
    connection: Connection,
    name: Arc<ModelName>,
    spec: Arc<ClientSpec>,
}

impl RemoteModel {
    pub(crate) fn fetch(connection: Connection, name: ModelName) -> Result<Self, RemoteError> {
        let spec = read(&connection, &connection.client_file(&name)?)?;
        Ok(Self {
            connection,
            name: Arc::new(name),
            spec: Arc::new(spec),
        })
    }

    /// What it takes, gives and needs.
    #[must_use]
    pub fn spec(&self) -> &ClientSpec {
        &self.spec
    }

    /// What it is called.
    #[must_use]
    pub fn name(&self) -> &ModelName {
        &self.name
    }

    /// The server that it is on.
    #[must_use]
    pub fn connection(&self) -> &Connection {
        &self.connection
    }

    /// Finds or makes keys in a folder, and uploads what the server needs of them, unless it has it.
    ///
    /// # Errors
    /// As [`Keys::load_or_make`]; of the server.
    pub fn keys(
        &self,
        folder: &Path,
        passphrase: Option<&Passphrase>,
        watcher: Watcher<'_>,
    ) -> Result<Session, RemoteError> {
        let keys = Keys::load_or_make(&self.spec, folder, passphrase, watcher)?;
        self.with_keys(keys, watcher)
    }

    /// Uses keys that are there already.
    ///
    /// # Errors
    /// If the secret key has other parameters than the model; of the server.
    pub fn with_keys(&self, keys: Keys, watcher: Watcher<'_>) -> Result<Session, RemoteError> {
        let parameters = keys.secret.parameters().to_wire();
        let fit = self.spec.check_parameters("the secret key", &parameters);
        fit.map_err(hush_client::ClientError::from)?;
        Session::open(self.clone(), keys, watcher)
    }

    /// Reads a `.client` file that the server sent.
    pub(crate) fn read_spec(&self, file: &[u8]) -> Result<ClientSpec, RemoteError> {
        read(&self.connection, file)
    }
}

fn read(connection: &Connection, file: &[u8]) -> Result<ClientSpec, RemoteError> {
    let answer = |reason: String| RemoteError::Answer {
        server: connection.address().to_owned(),
        reason: format!("the description of the model cannot be read: {reason}"),
    };
    let stored: ClientSpecV1 =
        read_message(file.reader(), Kind::Client).map_err(|error| answer(error.to_string()))?;
    ClientSpec::try_from(stored).map_err(|error| answer(error.to_string()))
}
