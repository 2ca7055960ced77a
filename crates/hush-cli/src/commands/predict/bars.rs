//! One bar after the other: keys, upload, prediction.

use std::ops::ControlFlow;

use hush_remote::{Progress as At, Stage};
use indicatif::ProgressBar;

use crate::progress::Progress;
use crate::terminal::bytes;

/// The bar of what is being done.
pub(crate) struct Bars {
    progress: Progress,
    /// Samples that were finished before.
    before: u64,
    now: Option<(Stage, ProgressBar)>,
}

impl Bars {
    pub(crate) fn new(progress: Progress, before: u64) -> Self {
        Self {
            progress,
            before,
            now: None,
        }
    }

    /// Shows how far it has come.
    pub(crate) fn show(&mut self, at: At) -> ControlFlow<()> {
        if self
            .now
            .as_ref()
            .is_none_or(|(stage, _)| *stage != at.stage)
        {
            self.finish();
            self.now = Some((at.stage, self.bar(at)));
        }
        let Some((stage, bar)) = &self.now else {
            return ControlFlow::Continue(());
        };
        let before = if *stage == Stage::Predict {
            self.before
        } else {
            0
        };
        if let Some(total) = at.total {
            bar.set_length(total + before);
            bar.set_position(at.done + before);
        }
        match (stage, at.total) {
            (Stage::Upload, Some(total)) => {
                bar.set_message(format!("{} of {}", bytes(at.done), bytes(total)));
            }
            (_, None) => bar.set_message(format!("{}", at.done + before)),
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn bar(&self, at: At) -> ProgressBar {
        let name = match at.stage {
            Stage::Keys => "keys",
            Stage::Upload => "upload keys",
            _ => "predict",
        };
        match (at.stage, at.total) {
            (Stage::Upload, Some(total)) => self.progress.share(name, total),
            (_, Some(total)) => self.progress.bar(name, total),
            (_, None) => self.progress.spinner(name),
        }
    }

    /// Takes the bar away.
    pub(crate) fn finish(&mut self) {
        if let Some((_, bar)) = self.now.take() {
            bar.finish_and_clear();
        }
    }
}
