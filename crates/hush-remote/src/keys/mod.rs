//! Keys in a folder: found, or made once.
//!
//! Files are named by what a model needs of its keys, so that models with the same needs, and the next version of a
//! model, share them.

mod place;

use std::fs::{self, File};
use std::io::{self, BufReader, BufWriter, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use hush_client::passphrase::Passphrase;
use hush_client::{
    ClientError, generate_secret_key, read_secret_key, write_evaluation_keys, write_secret_key,
};
use hush_keys::{SecretKey, SecureRng};
use hush_program::ClientSpec;
use hush_wire::EvaluationKeysReader;

use crate::progress::{Stage, tell};
use crate::{Progress, RemoteError, Watcher};
use place::{Access, create, place};

/// How often another process that makes the same keys is looked at.
const LOOK: Duration = Duration::from_millis(100);

/// A data owner's keys for a model.
pub struct Keys {
    /// Encrypts and decrypts.
    pub secret: SecretKey,
    /// The file of evaluation keys that belong to it.
    pub evaluation: PathBuf,
}

impl Keys {
    /// The keys for a model in a folder, which are made if they are not there; the watcher is told keys. Several
    /// processes may ask at once.
    ///
    /// # Errors
    /// If the folder cannot be used, or the passphrase is missing or wrong.
    pub fn load_or_make(
        spec: &ClientSpec,
        folder: &Path,
        passphrase: Option<&Passphrase>,
        watcher: Watcher<'_>,
    ) -> Result<Self, RemoteError> {
        place::folder(folder)?;
        let name = needs(spec);
        let path = |kind: &str| folder.join(format!("{name}.{kind}"));
        let (secret_path, evaluation) = (path("secret.key"), path("evaluation.key"));
        let _lock = lock(&path("lock"), watcher)?;
        let mut rng = SecureRng::from_os()?;
        let secret = match File::open(&secret_path) {
            Ok(file) => read_secret_key(spec, passphrase, BufReader::new(file))
                .map_err(|source| of_key(&secret_path, source))?,
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let key = generate_secret_key(spec, &mut rng)?;
                let mut file = create(folder, Access::Owner)?;
                write_secret_key(&key, passphrase, &mut rng, &mut file)
                    .map_err(|source| of_key(&secret_path, source))?;
                // Evaluation keys of a lost key are of no use.
                let _ = fs::remove_file(&evaluation);
                place(file, &secret_path)?;
                key
            }
            Err(error) => return Err(of_file(&secret_path, error)),
        };
        let keys = Self { secret, evaluation };
        if !keys.has_evaluation() {
            keys.make_evaluation(spec, folder, &mut rng, watcher)?;
        }
        Ok(keys)
    }

    /// The id under which a server knows the key.
    #[must_use]
    pub fn id(&self) -> String {
        let id = self.secret.key_id().0;
        id.iter().map(|byte| format!("{byte:02x}")).collect()
    }

    /// Whether the file is there and belongs to the secret key. What is damaged further on the server finds.
    fn has_evaluation(&self) -> bool {
        let Ok(file) = File::open(&self.evaluation) else {
            return false;
        };
        let keys = EvaluationKeysReader::open(BufReader::new(file));
        keys.is_ok_and(|keys| keys.header().key_id == self.secret.key_id().0)
    }

    fn make_evaluation(
        &self,
        spec: &ClientSpec,
        folder: &Path,
        rng: &mut SecureRng,
        watcher: Watcher<'_>,
    ) -> Result<(), RemoteError> {
        let stop = AtomicBool::new(false);
        let file = create(folder, Access::Shared)?;
        let output = Stoppable {
            output: BufWriter::with_capacity(1 << 20, file),
            stop: &stop,
        };
        let mut progress = |done: usize, total: usize| {
            let told = watcher(Progress {
                stage: Stage::Keys,
                done: done as u64,
                total: Some(total as u64),
            });
            stop.store(told == ControlFlow::Break(()), Ordering::Relaxed);
        };
        let made = write_evaluation_keys(spec, &self.secret, rng, output, &mut progress);
        let made = made.map_err(|error| match stop.load(Ordering::Relaxed) {
            true => RemoteError::Stopped,
            false => of_key(&self.evaluation, error),
        })?;
        let file = made.output.into_inner();
        let file = file.map_err(|error| of_file(&self.evaluation, error.into_error()))?;
        place(file, &self.evaluation)
    }
}

/// What a model needs of its keys, as a name: two models with the same one can share keys.
fn needs(spec: &ClientSpec) -> String {
    let mut hasher = blake3::Hasher::new();
    let mut add = |numbers: &[u64]| {
        hasher.update(&(numbers.len() as u64).to_le_bytes());
        for number in numbers {
            hasher.update(&number.to_le_bytes());
        }
    };
    add(&[u64::from(spec.parameters.log_degree)]);
    add(&spec.parameters.moduli);
    add(&spec.parameters.special_moduli);
    let relinearization = spec.keys.relinearization.map(|level| level as u64);
    add(relinearization.as_slice());
    // A rotation by so many steps is another key where slots repeat.
    add(&[spec.slots as u64]);
    for (&steps, &level) in &spec.keys.rotations {
        add(&[steps as u64, level as u64]);
    }
    hasher.finalize().to_hex()[..16].to_owned()
}

/// Waits until no other process makes these keys.
fn lock(path: &Path, watcher: Watcher<'_>) -> Result<File, RemoteError> {
    let options = File::options().create(true).append(true).open(path);
    let file = options.map_err(|error| of_file(path, error))?;
    loop {
        match file.try_lock() {
            Ok(()) => return Ok(file),
            Err(fs::TryLockError::WouldBlock) => {
                tell(watcher, Stage::Keys, 0, None)?;
                std::thread::sleep(LOOK);
            }
            // Some file systems know no locks; files still appear whole.
            Err(fs::TryLockError::Error(_)) => return Ok(file),
        }
    }
}

/// A writer that ends what writes to it.
struct Stoppable<'a, W> {
    output: W,
    stop: &'a AtomicBool,
}

impl<W: Write> Write for Stoppable<'_, W> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self.stop.load(Ordering::Relaxed) {
            true => Err(io::Error::other("stopped")),
            false => self.output.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        self.output.flush()
    }
}

fn of_key(path: &Path, source: ClientError) -> RemoteError {
    RemoteError::Key {
        path: path.to_owned(),
        source,
    }
}

fn of_file(path: &Path, source: io::Error) -> RemoteError {
    RemoteError::File {
        path: path.to_owned(),
        source,
    }
}
