//! The public half of a model.

use std::io::Write;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hush_client::describe;
use hush_program::{ClientSpec, PackingKind, TensorSpec};
use hush_wire::program::ClientSpecV1;
use hush_wire::{Kind, ParametersV1, read_message, write_message};
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyTuple};

use crate::compiled::Compiled;
use crate::failure::Failure;
use crate::files::{Access, Output, open};
use crate::hexadecimal;

/// What a data owner has of a model: parameters, layouts and the keys that it needs; no weights.
#[pyclass(frozen, module = "hushml", name = "ClientSpec")]
pub(crate) struct PyClientSpec(pub(crate) Arc<ClientSpec>);

#[pymethods]
impl PyClientSpec {
    #[getter]
    fn name(&self) -> &str {
        &self.0.name
    }

    #[getter]
    fn program_id(&self) -> String {
        hexadecimal(&self.0.program_id)
    }

    #[getter]
    fn inputs<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        shapes(py, &self.0.inputs)
    }

    #[getter]
    fn outputs<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        shapes(py, &self.0.outputs)
    }

    #[getter]
    fn packing(&self) -> &'static str {
        match self.0.packing.kind {
            PackingKind::Throughput => "throughput",
            _ => "latency",
        }
    }

    #[getter]
    fn samples_per_group(&self) -> usize {
        self.0.packing.samples
    }

    #[getter]
    fn security_bits(&self) -> u32 {
        describe::security_of(&ParametersV1 {
            log_degree: self.0.parameters.log_degree,
            moduli: self.0.parameters.moduli.clone(),
            special_moduli: self.0.parameters.special_moduli.clone(),
        })
        .1
    }

    fn save(&self, path: PathBuf) -> PyResult<()> {
        let mut output = Output::create(&path, Access::Shared)?;
        write(&self.0, &mut output)?;
        Ok(output.commit()?)
    }

    fn __str__(&self) -> String {
        self.0.to_string().trim_end().to_owned()
    }

    fn __repr__(&self) -> String {
        let program: String = self.program_id().chars().take(16).collect();
        format!("<hushml.ClientSpec {:?}, program {program}>", self.0.name)
    }
}

fn shapes<'py>(py: Python<'py>, tensors: &[TensorSpec]) -> PyResult<Bound<'py, PyDict>> {
    let shapes = PyDict::new(py);
    for tensor in tensors {
        shapes.set_item(&tensor.name, PyTuple::new(py, &tensor.shape)?)?;
    }
    Ok(shapes)
}

/// A client spec, or what has one.
#[derive(FromPyObject)]
pub(crate) enum ClientSource {
    Spec(Py<PyClientSpec>),
    Compiled(Py<Compiled>),
    Path(PathBuf),
}

impl ClientSource {
    pub(crate) fn spec(&self, py: Python<'_>) -> Result<Arc<ClientSpec>, Failure> {
        match self {
            Self::Spec(spec) => Ok(Arc::clone(&spec.get().0)),
            Self::Compiled(compiled) => Ok(Arc::clone(compiled.get().model(py).client_spec())),
            Self::Path(path) => read(path),
        }
    }
}

pub(crate) fn read(path: &Path) -> Result<Arc<ClientSpec>, Failure> {
    let read = || {
        let stored: ClientSpecV1 = read_message(open(path)?, Kind::Client)?;
        Ok(Arc::new(ClientSpec::try_from(stored)?))
    };
    read().map_err(|failure: Failure| failure.about("client file", path))
}

pub(crate) fn write(spec: &ClientSpec, output: impl Write) -> Result<(), Failure> {
    write_message(output, Kind::Client, &ClientSpecV1::from(spec))?;
    Ok(())
}
