//! A model on a server.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hush_remote::{ConnectOptions, Connection, PredictOptions, Progress, Session, Stage};
use pyo3::prelude::*;
use pyo3::types::PyDict;
use zeroize::Zeroizing;

use crate::arrays;
use crate::client_spec::PyClientSpec;
use crate::failure::Failure;
use crate::keys::passphrase;
use crate::task::{self, Task};

/// A data owner with keys at a model on a server.
#[pyclass(frozen, module = "hushml")]
pub(crate) struct Client {
    session: Arc<Session>,
    spec: PyClientSpec,
}

/// Connects, finds or makes keys, and uploads what the server needs of them.
#[pyfunction]
#[pyo3(signature = (url, model, version, keys, *, passphrase, token, ca, cert, cert_key, connect_timeout,
                    request_timeout, timeout, patience, progress))]
pub(crate) fn connect(
    py: Python<'_>,
    url: String,
    model: String,
    version: Option<String>,
    keys: PathBuf,
    passphrase: Option<String>,
    token: Option<String>,
    ca: Option<PathBuf>,
    cert: Option<PathBuf>,
    cert_key: Option<PathBuf>,
    connect_timeout: f64,
    request_timeout: f64,
    timeout: f64,
    patience: f64,
    progress: Option<Bound<'_, PyAny>>,
) -> PyResult<Client> {
    let options = ConnectOptions {
        token: token.map(Zeroizing::new),
        ca,
        certificate: cert,
        key: cert_key,
        connect_timeout: seconds(connect_timeout)?,
        request_timeout: seconds(request_timeout)?,
        deadline: seconds(timeout)?,
        patience: seconds(patience)?,
    };
    let passphrase = self::passphrase(passphrase)?;
    let session = task::run(py, progress.as_ref(), move |task| {
        let connection = Connection::open(&url, options)?;
        let model = connection.model_version(&model, version.as_deref())?;
        Ok(model.keys(&keys, passphrase.as_ref(), &mut |progress| {
            tell(task, progress)
        })?)
    })?;
    Ok(Client {
        spec: PyClientSpec(Arc::new(session.model().spec().clone())),
        session: Arc::new(session),
    })
}

/// What to warn of before connecting.
#[pyfunction]
pub(crate) fn connection_warning(url: &str, token: Option<String>) -> Option<String> {
    let options = ConnectOptions {
        token: token.map(Zeroizing::new),
        ..ConnectOptions::default()
    };
    options.warning(url)
}

fn seconds(count: f64) -> Result<Duration, Failure> {
    Duration::try_from_secs_f64(count).map_err(|_| {
        Failure::new(format!("{count} is no length of time")).hint("pass a number of seconds")
    })
}

fn tell(task: &Task, progress: Progress) -> ControlFlow<()> {
    let stage = match progress.stage {
        Stage::Keys => "keys",
        Stage::Upload => "upload",
        _ => "predict",
    };
    task.report(stage, progress.done, progress.total.unwrap_or(0));
    match task.goes_on() {
        true => ControlFlow::Continue(()),
        false => ControlFlow::Break(()),
    }
}

#[pymethods]
impl Client {
    /// The outputs, and what to warn of.
    fn predict<'py>(
        &self,
        py: Python<'py>,
        x: &Bound<'_, PyAny>,
        raw: bool,
        timeout: Option<f64>,
        progress: Option<Bound<'_, PyAny>>,
    ) -> PyResult<(Bound<'py, PyAny>, Vec<String>)> {
        let spec = &self.spec.0;
        let tensors = arrays::tensors(&spec.inputs, x)?;
        let options = PredictOptions {
            raw,
            deadline: timeout.map(seconds).transpose()?,
            ..PredictOptions::default()
        };
        let session = Arc::clone(&self.session);
        let (outputs, warnings) = task::run(py, progress.as_ref(), move |task| {
            let spec = session.model().spec();
            hush_client::check_inputs(spec, &tensors)?;
            let warnings = arrays::outliers(spec, &tensors);
            let outputs =
                session.predict(tensors, &options, &mut |progress| tell(task, progress))?;
            Ok((outputs, warnings))
        })?;
        Ok((arrays::outputs(py, spec, outputs, raw)?, warnings))
    }

    #[getter]
    fn client_spec(&self) -> PyClientSpec {
        PyClientSpec(Arc::clone(&self.spec.0))
    }

    #[getter]
    fn key_id(&self) -> String {
        self.session.keys().id()
    }

    /// What the server says of the model, as the Open Inference Protocol names it.
    #[getter]
    fn metadata<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyDict>> {
        let session = Arc::clone(&self.session);
        let metadata = task::run(py, None, move |_| {
            let model = session.model();
            Ok(model.connection().metadata(model.name())?)
        })?;
        let tensors = |tensors: &[hush_remote::TensorMetadata]| {
            let tensors = tensors.iter().map(|tensor| {
                let entry = PyDict::new(py);
                entry.set_item("name", &tensor.name)?;
                entry.set_item("datatype", &tensor.data_type)?;
                entry.set_item("shape", &tensor.shape)?;
                Ok(entry)
            });
            tensors.collect::<PyResult<Vec<_>>>()
        };
        let entry = PyDict::new(py);
        entry.set_item("name", &metadata.name)?;
        entry.set_item("versions", &metadata.versions)?;
        entry.set_item("platform", &metadata.platform)?;
        entry.set_item("inputs", tensors(&metadata.inputs)?)?;
        entry.set_item("outputs", tensors(&metadata.outputs)?)?;
        entry.set_item("properties", &metadata.properties)?;
        Ok(entry)
    }

    fn __repr__(&self) -> String {
        let model = self.session.model();
        format!(
            "<hushml.Client of {:?} at {}>",
            model.name().name,
            model.connection().address()
        )
    }
}
