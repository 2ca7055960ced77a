//! Work beside Python: on a thread of its own, while the calling thread listens for interruptions and reports progress.

use std::io::{self, Read, Write};
use std::process;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;

use crate::failure::Failure;

/// How often the calling thread looks for interruptions.
const TICK: Duration = Duration::from_millis(50);
/// How long interrupted work may take to end and to remove what it left.
const GRACE: Duration = Duration::from_secs(5);
const STACK: usize = 8 << 20;

/// What the two threads tell each other.
#[derive(Default)]
pub(crate) struct Task {
    cancelled: AtomicBool,
    /// Whether the work looks now and then whether to go on.
    listens: AtomicBool,
    progress: Mutex<Option<Progress>>,
}

/// What is being done, and how much of it is; 0 in all where that is not known.
type Progress = (&'static str, u64, u64);

impl Task {
    /// Tells how many steps of how many are done; 0 of all where that is not known.
    pub(crate) fn report(&self, stage: &'static str, done: u64, total: u64) {
        let mut progress = self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        *progress = Some((stage, done, total));
    }

    /// Whether to go on.
    pub(crate) fn goes_on(&self) -> bool {
        self.listens.store(true, Ordering::Relaxed);
        !self.cancelled.load(Ordering::Relaxed)
    }

    /// Bytes that end with an error when the work is cancelled.
    pub(crate) fn watch<T>(self: &Arc<Self>, inner: T) -> Watched<T> {
        Watched {
            task: Arc::clone(self),
            inner,
        }
    }

    fn tell(&self, listener: Option<&Bound<'_, PyAny>>) -> PyResult<()> {
        let progress = *self.progress.lock().unwrap_or_else(PoisonError::into_inner);
        match (listener, progress) {
            (Some(listener), Some(progress)) => listener.call1(progress).map(|_| ()),
            _ => Ok(()),
        }
    }
}

/// Bytes in or out that end with an error when the work is cancelled.
pub(crate) struct Watched<T> {
    task: Arc<Task>,
    inner: T,
}

impl<T> Watched<T> {
    pub(crate) fn into_inner(self) -> T {
        self.inner
    }

    fn check(&self) -> io::Result<()> {
        match self.task.goes_on() {
            true => Ok(()),
            false => Err(io::Error::other("interrupted")),
        }
    }
}

impl<T: Read> Read for Watched<T> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        self.check()?;
        self.inner.read(bytes)
    }
}

impl<T: Write> Write for Watched<T> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.check()?;
        self.inner.write(bytes)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.inner.flush()
    }
}

/// Does work without Python's lock. `progress` is called with the stage, steps done and
/// steps in all, now and then and at the end.
///
/// # Errors
/// What the work or `progress` fails with; KeyboardInterrupt and whatever else a signal handler raises. Work that
/// nothing can stop then ends by itself, unheard.
pub(crate) fn run<T: Send + 'static>(
    py: Python<'_>,
    progress: Option<&Bound<'_, PyAny>>,
    work: impl FnOnce(&Arc<Task>) -> Result<T, Failure> + Send + 'static,
) -> PyResult<T> {
    refuse_forks()?;
    let task = Arc::new(Task::default());
    let (sender, mut receiver) = sync_channel(1);
    let theirs = Arc::clone(&task);
    thread::Builder::new()
        .name("hushml".to_owned())
        .stack_size(STACK)
        // Nobody listens any more after an interruption.
        .spawn(move || drop(sender.send(work(&theirs))))?;
    loop {
        let listening = &mut receiver;
        match py.detach(move || listening.recv_timeout(TICK)) {
            Ok(outcome) => {
                let value = outcome?;
                task.tell(progress)?;
                return Ok(value);
            }
            Err(RecvTimeoutError::Timeout) => {
                let told = py.check_signals().and_then(|()| task.tell(progress));
                if let Err(error) = told {
                    task.cancelled.store(true, Ordering::Relaxed);
                    if task.listens.load(Ordering::Relaxed) {
                        let listening = &mut receiver;
                        // Whatever it gives now is not wanted any more.
                        let _ = py.detach(move || listening.recv_timeout(GRACE));
                    }
                    return Err(error);
                }
            }
            Err(RecvTimeoutError::Disconnected) => {
                return Err(PyRuntimeError::new_err(
                    "hushml broke one of its own rules; standard error says which",
                ));
            }
        }
    }
}

/// A forked process has none of the threads that the library computes with, and would wait for them for ever.
pub(crate) fn refuse_forks() -> Result<(), Failure> {
    static HOME: OnceLock<u32> = OnceLock::new();
    if *HOME.get_or_init(process::id) == process::id() {
        return Ok(());
    }
    Err(
        Failure::new("this process was forked from one that used hushml").hint(
            "start processes with multiprocessing's `spawn` or `forkserver`, or use hushml after the fork only",
        ),
    )
}
