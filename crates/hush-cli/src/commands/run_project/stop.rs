//! Ctrl-C: the command ends with all that it started, and the run is `KILLED`.

use std::io::{self, IsTerminal};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hush_mlflow::RunStatus;

use crate::commands::tracking::Tracked;
use crate::interrupt;

/// How long a command may take to end when it is asked to.
const PATIENCE: Duration = Duration::from_secs(10);

#[derive(Default)]
struct State {
    /// The command that runs, the first of a group of processes.
    child: Option<u32>,
    stopped: bool,
}

/// A run that an interruption stops.
#[derive(Clone, Default)]
pub(super) struct Stop(Arc<(Mutex<State>, Condvar)>);

impl Stop {
    /// From now on an interruption stops the run, until [`Stop::over`].
    pub(super) fn install(tracked: &Arc<Tracked>, run: &str) -> Self {
        let stop = Self::default();
        let (own, tracked, run) = (stop.clone(), Arc::clone(tracked), run.to_owned());
        interrupt::first(move || own.stop(&tracked, &run));
        stop
    }

    /// Runs a command to its end; never returns if it is stopped, since the process then ends.
    pub(super) fn perform(&self, command: &mut Command) -> io::Result<ExitStatus> {
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(command, 0);
        // The terminal is ours: it would stop others who read from it.
        if io::stdin().is_terminal() {
            command.stdin(Stdio::null());
        }
        let mut child = {
            let mut state = self.state();
            if state.stopped {
                drop(state);
                wait_for_the_end();
            }
            let child = command.spawn()?;
            state.child = Some(child.id());
            child
        };
        let status = child.wait();
        let mut state = self.state();
        state.child = None;
        self.0.1.notify_all();
        if state.stopped {
            drop(state);
            wait_for_the_end();
        }
        status
    }

    /// The run has ended by itself.
    pub(super) fn over(&self) {
        interrupt::last();
        if self.state().stopped {
            wait_for_the_end();
        }
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.0.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Ends the command and says so to the server; a hint for whoever interrupted it.
    fn stop(&self, tracked: &Tracked, run: &str) -> String {
        let mut state = self.state();
        state.stopped = true;
        if let Some(child) = state.child {
            signal(child, Signal::Terminate);
            let waited = self
                .0
                .1
                .wait_timeout_while(state, PATIENCE, |state| state.child.is_some());
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
            // Also what it left behind.
            signal(child, Signal::Kill);
        }
        drop(state);
        match tracked.wait(tracked.server.set_run_status(run, RunStatus::Killed)) {
            Ok(()) => format!("the run {run} is marked as killed"),
            Err(error) => format!("the run {run} could not be marked as killed: {error}"),
        }
    }
}

enum Signal {
    Terminate,
    Kill,
}

/// Sends a signal to a group of processes, if there is still one.
#[cfg(unix)]
fn signal(group: u32, signal: Signal) {
    use rustix::process::{Pid, Signal as Number, kill_process_group};
    let number = match signal {
        Signal::Terminate => Number::TERM,
        Signal::Kill => Number::KILL,
    };
    if let Some(group) = i32::try_from(group).ok().and_then(Pid::from_raw) {
        let _ = kill_process_group(group, number);
    }
}

/// Consoles tell all processes by themselves.
#[cfg(not(unix))]
fn signal(_: u32, _: Signal) {}

/// Whoever handles the interruption ends the process.
fn wait_for_the_end() -> ! {
    loop {
        std::thread::park();
    }
}
