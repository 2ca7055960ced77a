//! Progress on a terminal; nothing elsewhere.

use std::io::{IsTerminal, stderr};
use std::time::Duration;

use indicatif::{ProgressBar, ProgressStyle};

/// Whether and how a command reports while it works.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Progress {
    visible: bool,
}

impl Progress {
    /// Visible if standard error is a terminal and the caller did not ask for silence.
    pub(crate) fn new(quiet: bool) -> Self {
        Self {
            visible: !quiet && stderr().is_terminal(),
        }
    }

    /// Whether anything is shown.
    pub(crate) fn is_visible(self) -> bool {
        self.visible
    }

    /// A bar of `steps` steps.
    pub(crate) fn bar(self, what: &'static str, steps: u64) -> ProgressBar {
        if !self.visible {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template(
            "{prefix:>12} {bar:32} {pos}/{len} {msg:!24.dim} {elapsed:.dim}",
        );
        let bar = ProgressBar::new(steps).with_prefix(what);
        match style {
            Ok(style) => bar.with_style(style.progress_chars("━╸ ")),
            Err(_) => bar,
        }
    }

    /// A bar of which only the filled share means something; the message takes the rest of the line.
    pub(crate) fn share(self, what: &'static str, whole: u64) -> ProgressBar {
        if !self.visible {
            return ProgressBar::hidden();
        }
        let style = ProgressStyle::with_template(
            "{prefix:>12} {bar:24} {percent:>3} % {elapsed:>3.dim}  {wide_msg}",
        );
        let bar = ProgressBar::new(whole).with_prefix(what);
        match style {
            Ok(style) => bar.with_style(style.progress_chars("━╸ ")),
            Err(_) => bar,
        }
    }

    /// A spinner for work without a known length.
    pub(crate) fn spinner(self, what: &'static str) -> ProgressBar {
        if !self.visible {
            return ProgressBar::hidden();
        }
        let bar = ProgressBar::new_spinner().with_prefix(what);
        let bar = match ProgressStyle::with_template("{prefix:>12} {spinner} {msg} {elapsed:.dim}")
        {
            Ok(style) => bar.with_style(style),
            Err(_) => bar,
        };
        bar.enable_steady_tick(Duration::from_millis(100));
        bar
    }
}
