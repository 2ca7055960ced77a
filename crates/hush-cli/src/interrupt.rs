//! Ctrl-C and termination: remove unfinished outputs, say so, exit.

use std::process;

use crate::failure::{Failure, Result};
use crate::{output, passphrase};

/// The exit code after an interruption, as shells report one.
pub(crate) const EXIT_CODE: i32 = 130;

/// Installs the handler, once, before any output is started.
pub(crate) fn install() -> Result<()> {
    ctrlc::set_handler(|| {
        // Held until the process is gone, so that no output begins or ends meanwhile.
        let _abandoned = output::abandon_all();
        passphrase::restore_terminal();
        eprintln!("\nerror: interrupted\nhint: no output was written; run the command again");
        process::exit(EXIT_CODE);
    })
    .map_err(|error| Failure::new(format!("cannot handle interruptions: {error}")).into())
}
