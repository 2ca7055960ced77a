//! `hush inspect --html`: a model as a page.

use std::io::Write;
use std::path::{Path, PathBuf};

use hush_ckks::security;
use hush_wire::{Kind, Reader};
use serde_json::json;

use crate::failure::{Failure, Result};
use crate::files::{about, open, read_model, report};
use crate::output::{Access, Existing, Output};
use crate::page::{Content, page};
use crate::terminal::{Outcome, bytes};
use crate::timings::Timings;

/// Writes the page of the model in `path`: beside it, unless `output` says where.
pub(super) fn write(path: &Path, output: Option<&Path>, timings: Option<&Path>) -> Result<Outcome> {
    let kind = open(path).and_then(|file| Ok(Reader::open_any(file)?.envelope().kind));
    let kind = about("model", path, kind)?;
    if kind != Kind::Model {
        return Err(Failure::new(format!("{kind} has no page"))
            .hint("pass the NAME.model file that `hush compile` wrote")
            .into());
    }
    let model = read_model(path)?;
    let spec = &model.client_spec;
    let timings = timings.map(|path| Timings::read(path, spec)).transpose()?;
    let (log_q_p, log_degree) = (spec.parameters.log_q_p(), spec.parameters.log_degree);
    let limit = security::security_bits(log_degree, log_q_p);
    let limit = security::max_log_q_p(log_degree, limit).map(|bound| (bound, limit));
    let content = Content::new(
        &model.program,
        spec,
        &report(&model),
        limit,
        timings.as_ref(),
    )?;
    let target: PathBuf = output.map_or_else(|| path.with_extension("html"), Path::to_owned);
    // Node names and calibrated ranges are the owner's.
    let mut file = Output::create(&target, Access::Owner, Existing::Replace)?;
    file.write_all(page(&content).as_bytes())?;
    let size = file.commit()?;
    Ok(Outcome {
        text: format!(
            "{}  {}, open it in a browser",
            target.display(),
            bytes(size)
        ),
        json: json!({ "page": { "path": target, "bytes": size } }),
    })
}
