//! The data owner's side of a server: a connection, keys, predictions.
//!
//! ```no_run
//! use std::ops::ControlFlow;
//! use hush_remote::{ConnectOptions, Connection, PredictOptions};
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let connection = Connection::open("grpc://127.0.0.1:8081", ConnectOptions::default())?;
//! let model = connection.model("cancer")?;
//! let silent = &mut |_| ControlFlow::Continue(());
//! let session = model.keys("keys".as_ref(), None, silent)?;
//! let sample = hush_client::Tensor::new(vec![1, 30], vec![0.0; 30])?;
//! let outputs = session.predict(vec![sample], &PredictOptions::default(), silent)?;
//! # Ok(()) }
//! ```
//!
//! Start reading at [`Connection`], then [`RemoteModel`] and [`Session`]; `transport/mod.rs` has what both protocols do.
//!
//! Invariants:
//! - nothing but ciphertexts and evaluation keys leaves the process;
//! - everything that waits has a limit, and ends when the caller has enough of it;
//! - what is worth repeating is repeated, as long as the options say and when the server says;
//! - any number of samples takes bounded memory.
//!
//! Non-goals: files of arrays (the command line's and Python's work), asynchronous callers.
#![forbid(unsafe_code)]

// The name that generated code expects; the importer of models has another version under it.
extern crate prost_grpc as prost;

mod address;
mod connection;
mod error;
mod keys;
mod model;
mod options;
mod progress;
mod retry;
mod rows;
mod session;
mod size;
mod tls;
mod transport;
mod upload;

pub use connection::Connection;
pub use error::{Refusal, RemoteError};
pub use keys::Keys;
pub use model::RemoteModel;
pub use options::ConnectOptions;
pub use progress::{Progress, Stage, Watcher};
pub use session::{PredictOptions, Session};
pub use transport::{
    KeyStatus, ModelMetadata, ModelName, ModelStatus, ServerStatus, TensorMetadata,
};
