//! What clients that opt in report of the outputs that only they can see.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use axum::extract::{DefaultBodyLimit, Path, State};
use axum::http::StatusCode;
use axum::http::header::CONTENT_TYPE;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use axum::{Extension, Router};
use bytes::Bytes;
use hush_serving::{Identity, Role, Service};
use serde_json::{Value, json};

/// Outputs that one report may speak of.
const OUTPUTS: usize = 64;
/// Longest name of an output.
const NAME: usize = 128;
/// Bytes of a report.
const LARGEST: usize = 64 << 10;

/// Reports since the journal last asked, by model.
#[derive(Clone, Default)]
pub(crate) struct Drift(Arc<Mutex<BTreeMap<String, Reported>>>);

/// The reports of one model, together.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Reported {
    pub(super) samples: u64,
    /// Samples with an input outside the range of the calibration data.
    pub(super) outside: u64,
    pub(super) outputs: BTreeMap<String, Range>,
}

/// Values of an output.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Range {
    pub(super) samples: u64,
    pub(super) minimum: f64,
    pub(super) maximum: f64,
    pub(super) mean: f64,
}

impl Drift {
    /// Adds a report.
    fn add(&self, model: &str, report: &Reported) {
        let mut models = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let all = models.entry(model.to_owned()).or_default();
        all.samples += report.samples;
        all.outside += report.outside;
        for (name, range) in &report.outputs {
            if all.outputs.len() >= OUTPUTS && !all.outputs.contains_key(name) {
                continue;
            }
            let both = all.outputs.entry(name.clone()).or_insert(Range {
                samples: 0,
                ..*range
            });
            both.minimum = both.minimum.min(range.minimum);
            both.maximum = both.maximum.max(range.maximum);
            let samples = both.samples + range.samples;
            both.mean += (range.mean - both.mean) * (range.samples as f64 / samples.max(1) as f64);
            both.samples = samples;
        }
    }

    /// What was reported of a model since the last time.
    pub(super) fn take(&self, model: &str) -> Option<Reported> {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(model)
    }
}

/// The route that takes reports: `POST /v1/models/NAME/report`.
pub(crate) fn reports(service: &Service, drift: &Drift) -> Router {
    Router::new()
        .route("/v1/models/{model}/report", post(report))
        .layer(DefaultBodyLimit::max(LARGEST))
        .with_state((service.clone(), drift.clone()))
}

async fn report(
    State((service, drift)): State<(Service, Drift)>,
    Path(model): Path<String>,
    identity: Option<Extension<Identity>>,
    body: Bytes,
) -> Response {
    let refuse = |status: StatusCode, message: String| {
        let headers = [(CONTENT_TYPE, "application/json")];
        (status, headers, json!({ "error": message }).to_string()).into_response()
    };
    let Some(Extension(identity)) = identity else {
        return refuse(
            StatusCode::UNAUTHORIZED,
            "the server needs to know who asks".to_owned(),
        );
    };
    if let Err(error) = identity.require(Role::Predict) {
        return refuse(StatusCode::FORBIDDEN, error.to_string());
    }
    // Also keeps strangers from filling the memory with names.
    if !service
        .index_for(&identity)
        .iter()
        .any(|status| status.name == model)
    {
        return refuse(StatusCode::NOT_FOUND, "there is no such model".to_owned());
    }
    match parse(&body) {
        Ok(report) => {
            drift.add(&model, &report);
            StatusCode::NO_CONTENT.into_response()
        }
        Err(reason) => refuse(
            StatusCode::BAD_REQUEST,
            format!("this is no report: {reason}"),
        ),
    }
}

/// Reads `{"samples": 10, "outside": 1, "outputs": {"y": {"minimum": 0, "maximum": 1, "mean": 0.5}}}`.
fn parse(body: &[u8]) -> Result<Reported, String> {
    let value: Value = serde_json::from_slice(body).map_err(|error| error.to_string())?;
    let count = |value: &Value, name: &str| {
        let count = value.as_u64().filter(|&count| count <= 1 << 40);
        count.ok_or_else(|| format!("`{name}` is no count"))
    };
    let samples = count(&value["samples"], "samples")?;
    let outside = if value["outside"].is_null() {
        0
    } else {
        count(&value["outside"], "outside")?
    };
    let outputs = value["outputs"].as_object().ok_or("`outputs` is missing")?;
    if outputs.len() > OUTPUTS {
        return Err(format!(
            "it has {} outputs, more than {OUTPUTS}",
            outputs.len()
        ));
    }
    let range = |(name, range): (&String, &Value)| {
        let fine = |byte: u8| {
            byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'.' | b'-' | b'/' | b' ')
        };
        if name.is_empty() || name.len() > NAME || !name.bytes().all(fine) {
            return Err("an output has a name that no metric can have".to_owned());
        }
        let number = |key: &str| {
            let number = range[key].as_f64().filter(|number| number.is_finite());
            number.ok_or_else(|| format!("`{key}` of `{name}` is no number"))
        };
        let range = Range {
            samples,
            minimum: number("minimum")?,
            maximum: number("maximum")?,
            mean: number("mean")?,
        };
        Ok((name.clone(), range))
    };
    let outputs = outputs.iter().map(range).collect::<Result<_, String>>()?;
    Ok(Reported {
        samples,
        outside,
        outputs,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reports_add_up() {
        let drift = Drift::default();
        for (samples, minimum, maximum, mean) in [(1, 2.0, 2.0, 2.0), (3, -1.0, 1.0, 0.0)] {
            let body = json!({"samples": samples, "outputs": {"y": {"minimum": minimum, "maximum": maximum, "mean": mean}}});
            drift.add("cancer", &parse(body.to_string().as_bytes()).unwrap());
        }
        let reported = drift.take("cancer").unwrap();
        assert_eq!(reported.samples, 4);
        let expected = Range {
            samples: 4,
            minimum: -1.0,
            maximum: 2.0,
            mean: 0.5,
        };
        assert_eq!(reported.outputs["y"], expected);
        assert_eq!(drift.take("cancer"), None);
    }

    #[test]
    fn what_is_no_report() {
        for body in [
            "",
            "{}",
            r#"{"samples": -1, "outputs": {}}"#,
            r#"{"samples": 1, "outputs": {"y": {"minimum": "NaN", "maximum": 1, "mean": 1}}}"#,
            r#"{"samples": 1, "outputs": {"\n": {"minimum": 1, "maximum": 1, "mean": 1}}}"#,
        ] {
            assert!(parse(body.as_bytes()).is_err(), "{body}");
        }
    }
}
