//! Ctrl-C and termination: remove unfinished outputs, say so, exit.

use std::process;
use std::sync::atomic::{AtomicU8, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use crate::failure::{Failure, Result};
use crate::{output, passphrase};

/// The exit code after an interruption, as shells report one.
pub(crate) const EXIT_CODE: i32 = 130;

/// What an interruption means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum Meaning {
    /// The outcome is lost.
    Lost,
    /// The same command goes on where it stood.
    GoesOn,
    /// The command has no other end.
    Done,
}

/// What is to be done before the process ends, which gives a hint.
type First = Box<dyn FnOnce() -> String + Send>;

static FIRST: Mutex<Option<First>> = Mutex::new(None);
static MEANING: AtomicU8 = AtomicU8::new(Meaning::Lost as u8);

/// Says what an interruption means from now on.
pub(crate) fn means(meaning: Meaning) {
    MEANING.store(meaning as u8, Ordering::SeqCst);
}

/// Says what is to be done first when an interruption comes, before the process ends.
pub(crate) fn first(work: impl FnOnce() -> String + Send + 'static) {
    *waiting() = Some(Box::new(work));
}

/// Nothing is to be done any more.
pub(crate) fn last() {
    waiting().take();
}

fn waiting() -> MutexGuard<'static, Option<First>> {
    FIRST.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Installs the handler, once, before any output is started.
pub(crate) fn install() -> Result<()> {
    ctrlc::set_handler(|| {
        // Held until the process is gone, so that no output begins or ends meanwhile.
        let _abandoned = output::abandon_all();
        passphrase::restore_terminal();
        let meaning = MEANING.load(Ordering::SeqCst);
        let work = waiting().take();
        if meaning == Meaning::Done as u8 {
            work.map(|work| work());
            process::exit(0);
        }
        let hint = match work {
            Some(work) => work(),
            None if meaning == Meaning::GoesOn as u8 => "run the command again to go on".to_owned(),
            None => "no output was written; run the command again".to_owned(),
        };
        eprintln!("\nerror: interrupted\nhint: {hint}");
        process::exit(EXIT_CODE);
    })
    .map_err(|error| Failure::new(format!("cannot handle interruptions: {error}")).into())
}
