//! The model owner's half: program and weights.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

use hush_ckks::{EvaluationKeys, KeyId};
use hush_program::{ClientSpec, Program};
use hush_runtime::{Deployment, Model, Options};
use hush_wire::EvaluationKeysReader;
use pyo3::prelude::*;

use crate::client_spec::PyClientSpec;
use crate::compiled::Compiled;
use crate::failure::Failure;
use crate::files::open;
use crate::task::Task;

/// A model that answers encrypted inputs; it cannot read them.
#[pyclass(frozen, module = "hushml", name = "Model")]
pub(crate) struct PyModel(pub(crate) Arc<Owned>);

#[pymethods]
impl PyModel {
    #[getter]
    fn client_spec(&self) -> PyClientSpec {
        PyClientSpec(Arc::clone(&self.0.client_spec))
    }

    #[getter]
    pub(crate) fn report_json<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        py.import("json")?
            .call_method1("loads", (&self.0.report_json,))
    }

    fn __repr__(&self) -> String {
        format!("<hushml.Model {:?}>", self.0.client_spec.name)
    }
}

/// A model, with its weights encoded from the first run on.
pub(crate) struct Owned {
    client_spec: Arc<ClientSpec>,
    report_json: String,
    memory: Option<u64>,
    source: Mutex<Source>,
    /// The evaluation keys of the last run.
    keys: Mutex<Option<Arc<EvaluationKeys>>>,
}

/// Where the program is.
#[derive(Clone)]
pub(crate) enum Source {
    Read(Arc<Model>),
    Ready(Arc<Deployment>),
}

impl Source {
    pub(crate) fn program(&self) -> &Program {
        match self {
            Self::Read(model) => &model.program,
            Self::Ready(deployment) => deployment.runtime().program(),
        }
    }
}

impl Owned {
    pub(crate) fn new(model: Model, memory: Option<u64>) -> Self {
        Self {
            client_spec: Arc::new(model.client_spec.clone()),
            report_json: model.report_json.clone(),
            memory,
            source: Mutex::new(Source::Read(Arc::new(model))),
            keys: Mutex::new(None),
        }
    }

    pub(crate) fn read(path: &Path, memory: Option<u64>) -> Result<Self, Failure> {
        let model = open(path).and_then(|input| Ok(Model::read(input)?));
        let model = model.map_err(|failure| failure.about("model", path))?;
        Ok(Self::new(model, memory))
    }

    pub(crate) fn client_spec(&self) -> &Arc<ClientSpec> {
        &self.client_spec
    }

    pub(crate) fn report_json(&self) -> &str {
        &self.report_json
    }

    pub(crate) fn source(&self) -> Source {
        let source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        source.clone()
    }

    /// The model ready to run. May take a second the first time.
    pub(crate) fn deployment(&self) -> Result<Arc<Deployment>, Failure> {
        let mut source = self.source.lock().unwrap_or_else(PoisonError::into_inner);
        let model = match &*source {
            Source::Ready(deployment) => return Ok(Arc::clone(deployment)),
            Source::Read(model) => Model::clone(model),
        };
        let options = Options {
            memory: self.memory,
        };
        let deployment = Arc::new(Deployment::new(model, options)?);
        *source = Source::Ready(Arc::clone(&deployment));
        Ok(deployment)
    }

    /// The evaluation keys of a file, which must be those of `expected`. They stay for the next run.
    pub(crate) fn evaluation_keys(
        &self,
        path: &Path,
        expected: KeyId,
        task: &Arc<Task>,
    ) -> Result<Arc<EvaluationKeys>, Failure> {
        let mut kept = self.keys.lock().unwrap_or_else(PoisonError::into_inner);
        let read = || {
            let reader = EvaluationKeysReader::open(task.watch(open(path)?))?;
            let found = KeyId(reader.header().key_id);
            if found != expected {
                let message = format!(
                    "the ciphertexts are encrypted under key {expected}, these are keys of {found}"
                );
                return Err(
                    Failure::new(message).hint("use the keys that the inputs were encrypted with")
                );
            }
            if let Some(keys) = kept.as_ref().filter(|keys| keys.key_id() == found) {
                return Ok(Arc::clone(keys));
            }
            let (mut done, total) = (0, reader.header().keys.len() as u64);
            let keys = self.deployment()?.read_keys(reader, &mut || {
                done += 1;
                task.report("load keys", done, total);
            })?;
            Ok(Arc::new(keys))
        };
        let keys = read().map_err(|failure| failure.about("evaluation keys", path))?;
        *kept = Some(Arc::clone(&keys));
        Ok(keys)
    }
}

/// A model, or what has one.
#[derive(FromPyObject)]
pub(crate) enum ModelSource {
    Model(Py<PyModel>),
    Compiled(Py<Compiled>),
    Path(PathBuf),
}

impl ModelSource {
    pub(crate) fn model(&self, py: Python<'_>, memory: Option<u64>) -> PyResult<Arc<Owned>> {
        match self {
            Self::Model(model) => Ok(Arc::clone(&model.get().0)),
            Self::Compiled(compiled) => Ok(Arc::clone(compiled.get().model(py))),
            Self::Path(path) => Ok(Arc::new(py.detach(|| Owned::read(path, memory))?)),
        }
    }
}
