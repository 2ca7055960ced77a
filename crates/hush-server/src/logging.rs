//! Logs: one JSON object a line, or text for people. Tensors and tokens are never in them.

use std::io::IsTerminal;

use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::settings::Log;

/// Sends logs to the standard error output. A second call changes nothing.
pub(crate) fn begin(log: Log) {
    // Libraries have their say at their own risk of repeating what a request holds: warnings only.
    let filter = Targets::new()
        .with_default(tracing::Level::WARN)
        .with_target("hush_server", log.level)
        .with_target("hush_serving", log.level);
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = if log.json {
        lines.json().flatten_event(true).boxed()
    } else {
        lines.with_ansi(std::io::stderr().is_terminal()).boxed()
    };
    let _ = tracing_subscriber::registry()
        .with(lines.with_filter(filter))
        .try_init();
}
