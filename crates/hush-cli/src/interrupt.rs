//! Ctrl-C and termination: remove unfinished outputs, say so, exit.

use std::process;
use std::sync::atomic::{AtomicU8, Ordering};

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

static MEANING: AtomicU8 = AtomicU8::new(Meaning::Lost as u8);

/// Says what an interruption means from now on.
pub(crate) fn means(meaning: Meaning) {
    MEANING.store(meaning as u8, Ordering::SeqCst);
}

/// Installs the handler, once, before any output is started.
pub(crate) fn install() -> Result<()> {
    ctrlc::set_handler(|| {
        // Held until the process is gone, so that no output begins or ends meanwhile.
        let _abandoned = output::abandon_all();
        passphrase::restore_terminal();
        let meaning = MEANING.load(Ordering::SeqCst);
        if meaning == Meaning::Done as u8 {
            process::exit(0);
        }
        let hint = match meaning == Meaning::GoesOn as u8 {
            true => "run the command again to go on",
            false => "no output was written; run the command again",
        };
        eprintln!("\nerror: interrupted\nhint: {hint}");
        process::exit(EXIT_CODE);
    })
    .map_err(|error| Failure::new(format!("cannot handle interruptions: {error}")).into())
}
