//! Colours on a terminal, unless `NO_COLOR` is set.

use std::fmt::Display;
use std::io::{IsTerminal, stderr, stdout};

use anstyle::{AnsiColor, Style};

/// Paints text for one stream.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Painter {
    coloured: bool,
}

impl Painter {
    pub(crate) fn stdout() -> Self {
        Self::new(stdout().is_terminal())
    }

    pub(crate) fn stderr() -> Self {
        Self::new(stderr().is_terminal())
    }

    /// Paints nothing.
    #[cfg(test)]
    pub(crate) fn plain() -> Self {
        Self { coloured: false }
    }

    fn new(terminal: bool) -> Self {
        let refused = std::env::var_os("NO_COLOR").is_some_and(|value| !value.is_empty());
        Self {
            coloured: terminal && !refused,
        }
    }

    pub(crate) fn bold(self, text: impl Display) -> String {
        self.paint(Style::new().bold(), text)
    }

    pub(crate) fn dim(self, text: impl Display) -> String {
        self.paint(Style::new().dimmed(), text)
    }

    pub(crate) fn good(self, text: impl Display) -> String {
        self.paint(AnsiColor::Green.on_default(), text)
    }

    pub(crate) fn bad(self, text: impl Display) -> String {
        self.paint(AnsiColor::Red.on_default().bold(), text)
    }

    pub(crate) fn note(self, text: impl Display) -> String {
        self.paint(AnsiColor::Cyan.on_default(), text)
    }

    fn paint(self, style: Style, text: impl Display) -> String {
        if self.coloured {
            format!("{style}{text}{style:#}")
        } else {
            text.to_string()
        }
    }
}
