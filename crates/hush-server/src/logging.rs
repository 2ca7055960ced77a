//! Logs: one JSON object a line, or text for people. Tensors and tokens are never in them.

use std::io::IsTerminal;

use tracing_subscriber::Layer;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::ServerError;
use crate::settings::Log;
use crate::traces::{self, Traces};

/// Sends logs to the standard error output, and traces where the settings say. A second call changes nothing. Runs within
/// the runtime.
///
/// # Errors
/// [`ServerError::Setting`] if traces cannot be sent there.
pub(crate) fn begin(log: &Log) -> Result<Traces, ServerError> {
    let lines = tracing_subscriber::fmt::layer().with_writer(std::io::stderr);
    let lines = if log.json {
        let lines = lines.json().flatten_event(true);
        lines.with_current_span(false).with_span_list(false).boxed()
    } else {
        lines.with_ansi(std::io::stderr().is_terminal()).boxed()
    };
    let (layer, traces) = traces::layer(log.traces.as_deref())?;
    let _ = tracing_subscriber::registry()
        .with(lines.with_filter(ours(log.level)))
        .with(layer.map(|layer| layer.with_filter(ours(tracing::Level::INFO))))
        .try_init();
    Ok(traces)
}

/// Libraries could repeat what a request holds: warnings of theirs only.
fn ours(level: tracing::Level) -> Targets {
    Targets::new()
        .with_default(tracing::Level::WARN)
        .with_target("hush_server", level)
        .with_target("hush_serving", level)
}
