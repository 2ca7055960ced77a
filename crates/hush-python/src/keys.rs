//! Keys of a data owner in a folder.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use hush_client::passphrase::Passphrase;
use hush_client::{generate_secret_key, read_secret_key, write_evaluation_keys, write_secret_key};
use hush_keys::{SecretKey, SecureRng};
use hush_program::ClientSpec;
use pyo3::prelude::*;
use zeroize::Zeroizing;

use crate::failure::Failure;
use crate::files::{Access, Output, open};
use crate::hexadecimal;
use crate::task::Task;

/// File name of the secret key in its folder.
const SECRET_KEY: &str = "secret.key";
/// File name of the evaluation keys in their folder.
const EVALUATION_KEY: &str = "evaluation.key";
/// Name of the environment variable with the passphrase.
const VARIABLE: &str = "HUSH_PASSPHRASE";

/// A secret key, and where the evaluation keys are that belong to it.
#[pyclass(frozen, module = "hushml")]
pub(crate) struct Keys {
    folder: PathBuf,
    pub(crate) secret: Arc<SecretKey>,
}

#[pymethods]
impl Keys {
    #[getter]
    fn key_id(&self) -> String {
        hexadecimal(&self.secret.key_id().0)
    }

    #[getter]
    fn folder(&self) -> PathBuf {
        self.folder.clone()
    }

    #[getter]
    pub(crate) fn evaluation_keys(&self) -> PathBuf {
        self.folder.join(EVALUATION_KEY)
    }

    fn __repr__(&self) -> String {
        format!(
            "<hushml.Keys {} in {:?}>",
            self.secret.key_id(),
            self.folder
        )
    }
}

/// The passphrase given, or that of the environment.
pub(crate) fn passphrase(given: Option<String>) -> Result<Option<Passphrase>, Failure> {
    let text = given.or_else(|| std::env::var(VARIABLE).ok());
    Ok(text
        .map(|text| Passphrase::new(Zeroizing::new(text)))
        .transpose()?)
}

pub(crate) fn generate(
    spec: &ClientSpec,
    folder: PathBuf,
    passphrase: Option<&Passphrase>,
    force: bool,
    task: &Arc<Task>,
) -> Result<Keys, Failure> {
    fs::create_dir_all(&folder)
        .map_err(|error| Failure::of(&error).about("the folder", &folder))?;
    let (secret_path, evaluation_path) = (folder.join(SECRET_KEY), folder.join(EVALUATION_KEY));
    for path in [&secret_path, &evaluation_path] {
        if !force && path.exists() {
            return Err(Failure::new(format!("`{}` exists already", path.display())).hint(
                "load it with `hushml.load_keys`, or pass force=True to replace it; what was encrypted for the old \
                 key is lost then",
            ));
        }
    }
    let mut secret = Output::create(&secret_path, Access::Owner)?;
    let evaluation = task.watch(Output::create(&evaluation_path, Access::Shared)?);
    let mut rng = SecureRng::from_os()?;
    let key = generate_secret_key(spec, &mut rng)?;
    let mut progress = |done, total| task.report("keys", done as u64, total as u64);
    let evaluation = write_evaluation_keys(spec, &key, &mut rng, evaluation, &mut progress)?;
    write_secret_key(&key, passphrase, &mut rng, &mut secret)?;
    evaluation.into_inner().commit()?;
    secret.commit()?;
    Ok(Keys {
        folder,
        secret: Arc::new(key),
    })
}

pub(crate) fn load(
    spec: &ClientSpec,
    folder: PathBuf,
    passphrase: Option<&Passphrase>,
) -> Result<Keys, Failure> {
    let path = folder.join(SECRET_KEY);
    let key = read(spec, &path, passphrase)?;
    Ok(Keys {
        folder,
        secret: Arc::new(key),
    })
}

fn read(
    spec: &ClientSpec,
    path: &Path,
    passphrase: Option<&Passphrase>,
) -> Result<SecretKey, Failure> {
    let key = open(path).and_then(|input| Ok(read_secret_key(spec, passphrase, input)?));
    key.map_err(|failure| failure.about("secret key", path))
}
