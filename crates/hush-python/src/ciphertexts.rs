//! Encrypted inputs or outputs in memory.

use std::io::{Read, Write};
use std::path::PathBuf;
use std::sync::Arc;

use hush_client::describe;
use hush_wire::{CiphertextsHeaderV1, CiphertextsReader, DirectionV1};
use pyo3::prelude::*;
use pyo3::pybacked::PyBackedBytes;
use pyo3::types::{PyBytes, PyType};

use crate::failure::Failure;
use crate::files::{Access, Output, open};
use crate::hexadecimal;

/// Encrypted inputs or outputs, as the bytes that are stored and sent.
#[pyclass(frozen, module = "hushml")]
pub(crate) struct Ciphertexts {
    pub(crate) bytes: Arc<Vec<u8>>,
    header: CiphertextsHeaderV1,
}

impl Ciphertexts {
    /// Reads the header; what follows is checked where it is used.
    pub(crate) fn new(bytes: Vec<u8>) -> Result<Self, Failure> {
        let header = CiphertextsReader::open(&bytes[..])?.header().clone();
        Ok(Self {
            bytes: Arc::new(bytes),
            header,
        })
    }
}

#[pymethods]
impl Ciphertexts {
    #[new]
    fn from_bytes(data: PyBackedBytes) -> PyResult<Self> {
        Ok(Self::new(data.to_vec())?)
    }

    #[classmethod]
    fn load(_: &Bound<'_, PyType>, py: Python<'_>, path: PathBuf) -> PyResult<Self> {
        let read = || {
            let mut bytes = Vec::new();
            open(&path)?.read_to_end(&mut bytes)?;
            Self::new(bytes)
        };
        let loaded = py.detach(read);
        Ok(loaded.map_err(|failure| failure.about("ciphertext file", &path))?)
    }

    fn save(&self, py: Python<'_>, path: PathBuf) -> PyResult<()> {
        let bytes = Arc::clone(&self.bytes);
        let saved = py.detach(move || {
            let mut output = Output::create(&path, Access::Shared)?;
            output.write_all(&bytes)?;
            output.commit()
        });
        Ok(saved?)
    }

    #[getter]
    fn direction(&self) -> &'static str {
        match self.header.direction {
            DirectionV1::Input => "inputs",
            DirectionV1::Output => "outputs",
        }
    }

    #[getter]
    fn samples(&self) -> u64 {
        self.header.samples
    }

    #[getter]
    fn key_id(&self) -> String {
        hexadecimal(&self.header.key_id)
    }

    #[getter]
    fn program_id(&self) -> String {
        hexadecimal(&self.header.program_id)
    }

    fn __bytes__<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, &self.bytes)
    }

    fn __len__(&self) -> usize {
        self.bytes.len()
    }

    fn __eq__(&self, other: &Self) -> bool {
        self.bytes == other.bytes
    }

    fn __getnewargs__<'py>(&self, py: Python<'py>) -> (Bound<'py, PyBytes>,) {
        (PyBytes::new(py, &self.bytes),)
    }

    fn __str__(&self) -> String {
        describe::ciphertexts(&self.header)
    }

    fn __repr__(&self) -> String {
        format!(
            "<hushml.Ciphertexts, encrypted {} of {} samples, {} bytes>",
            self.direction(),
            self.header.samples,
            self.bytes.len()
        )
    }
}

/// Ciphertexts, or the bytes of some.
#[derive(FromPyObject)]
pub(crate) enum CiphertextsSource {
    Ciphertexts(Py<Ciphertexts>),
    Bytes(PyBackedBytes),
}

impl CiphertextsSource {
    pub(crate) fn bytes(&self) -> Arc<Vec<u8>> {
        match self {
            Self::Ciphertexts(ciphertexts) => Arc::clone(&ciphertexts.get().bytes),
            Self::Bytes(bytes) => Arc::new(bytes.to_vec()),
        }
    }
}
