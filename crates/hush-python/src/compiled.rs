//! What compiling gives.

use std::ffi::OsString;
use std::path::PathBuf;
use std::sync::Arc;

use hush_wire::program::{ClientSpecV1, ModelV1};
use hush_wire::{Kind, write_message};
use pyo3::prelude::*;

use crate::client_spec::{self, PyClientSpec};
use crate::failure::{Failure, in_python};
use crate::files::{Access, Output};
use crate::model::{Owned, PyModel};

/// A compiled model with what the compiler has to say about it.
#[pyclass(frozen, module = "hushml")]
pub(crate) struct Compiled {
    model: Py<PyModel>,
    report: String,
    warnings: Vec<String>,
}

impl Compiled {
    pub(crate) fn new(
        py: Python<'_>,
        compiled: hush_compiler::Compiled,
        memory: Option<u64>,
    ) -> PyResult<Self> {
        let report = compiled.report;
        let json = serde_json::to_string(&report).map_err(Failure::from)?;
        let model = hush_runtime::Model {
            program: compiled.program,
            client_spec: compiled.client_spec,
            report_json: json,
        };
        Ok(Self {
            model: Py::new(py, PyModel(Arc::new(Owned::new(model, memory))))?,
            report: report.to_string().trim_end().to_owned(),
            warnings: report.warnings.iter().map(|text| in_python(text)).collect(),
        })
    }

    pub(crate) fn model(&self, _: Python<'_>) -> &Arc<Owned> {
        &self.model.get().0
    }
}

#[pymethods]
impl Compiled {
    #[getter]
    fn report(&self) -> &str {
        &self.report
    }

    #[getter]
    fn report_json<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.model.get().report_json(py)
    }

    #[getter]
    fn warnings(&self) -> Vec<String> {
        self.warnings.clone()
    }

    #[getter]
    fn client_spec(&self, py: Python<'_>) -> PyClientSpec {
        PyClientSpec(Arc::clone(self.model(py).client_spec()))
    }

    #[getter(model)]
    fn model_of(&self, py: Python<'_>) -> Py<PyModel> {
        self.model.clone_ref(py)
    }

    /// Writes NAME.model and NAME.client, and returns their paths.
    fn save(&self, py: Python<'_>, name: PathBuf) -> PyResult<(PathBuf, PathBuf)> {
        if name.file_name().is_none() {
            let failure = Failure::new(format!("`{}` is no file name", name.display()));
            return Err(failure
                .hint("name the model, for example \"cancer\"")
                .into());
        }
        let with = |extension: &str| {
            let mut path = OsString::from(&name);
            path.push(extension);
            PathBuf::from(path)
        };
        let (model_path, client_path) = (with(".model"), with(".client"));
        let owned = self.model(py);
        let mut model = Output::create(&model_path, Access::Owner)?;
        let mut client = Output::create(&client_path, Access::Shared)?;
        client_spec::write(owned.client_spec(), &mut client)?;
        let report = &self.report;
        py.detach(|| {
            let stored = ModelV1 {
                program: owned.source().program().into(),
                client_spec: ClientSpecV1::from(&**owned.client_spec()),
                report_text: report.clone(),
                report_json: owned.report_json().to_owned(),
            };
            write_message(&mut model, Kind::Model, &stored)?;
            model.commit()?;
            client.commit()
        })?;
        Ok((model_path, client_path))
    }

    fn __str__(&self) -> &str {
        &self.report
    }

    fn __repr__(&self, py: Python<'_>) -> String {
        format!("<hushml.Compiled {:?}>", self.model(py).client_spec().name)
    }
}
