//! What names and values may be, in MLflow's limits and MLflow's words.

use crate::TrackingError;
use crate::wire::{Metric, Tag};

type Result<T> = std::result::Result<T, TrackingError>;

pub(crate) const METRICS_PER_BATCH: usize = 1000;
pub(crate) const PARAMS_PER_BATCH: usize = 100;
pub(crate) const ENTITIES_PER_BATCH: usize = 1000;
/// Bytes of a batch.
pub(crate) const BATCH_BYTES: usize = 1_000_000;
pub(crate) const KEY: usize = 250;
pub(crate) const PARAM_VALUE: usize = 6000;
pub(crate) const TAG_VALUE: usize = 8000;
pub(crate) const EXPERIMENT_NAME: usize = 500;
pub(crate) const EXPERIMENT_TAG_VALUE: usize = 20_000;
pub(crate) const REGISTRY_TAG_VALUE: usize = 100_000;
pub(crate) const SEARCH_RESULTS: i64 = 50_000;

/// Checks a name that may become a path: of a metric, parameter or tag.
pub(crate) fn name(path: &str, name: &str) -> Result<()> {
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | '/' | '.' | '-' | ' ' | ':');
    if !name.chars().all(plain) {
        return Err(invalid_value(
            path,
            name,
            "Names may only contain alphanumerics, underscores (_), dashes (-), periods (.), spaces ( ), colon(:) and \
             slashes (/).",
        ));
    }
    path_like(path, name)
}

/// Refuses what would mean another path when read as one.
fn path_like(path: &str, name: &str) -> Result<()> {
    let normal = normal_path(name);
    if normal != name || normal == "." || normal.starts_with("..") || normal.starts_with('/') {
        let message = format!(
            "Names may be treated as files in certain cases, and must not resolve to other names when treated as such. \
             This name would resolve to '{normal}'"
        );
        return Err(invalid_value(path, name, &message));
    }
    Ok(())
}

/// A path without `.`, `..` and doubled slashes.
fn normal_path(path: &str) -> String {
    let rooted = path.starts_with('/');
    let mut parts: Vec<&str> = Vec::new();
    for part in path.split('/') {
        match part {
            "" | "." => {}
            ".." if parts.last().is_some_and(|last| *last != "..") => {
                parts.pop();
            }
            ".." if rooted => {}
            part => parts.push(part),
        }
    }
    let joined = parts.join("/");
    match (rooted, joined.is_empty()) {
        (true, _) => format!("/{joined}"),
        (false, true) => ".".into(),
        (false, false) => joined,
    }
}

fn invalid_value(path: &str, value: &str, message: &str) -> TrackingError {
    let value = serde_json::Value::from(value);
    TrackingError::invalid(format!(
        "Invalid value {value} for parameter '{path}' supplied: {message}"
    ))
}

pub(crate) fn length(name: &str, limit: usize, value: &str) -> Result<()> {
    // Bytes are at least as many as characters, and quicker to count.
    if value.len() > limit && value.chars().count() > limit {
        let message = format!("'{name}' exceeds the maximum length of {limit} characters");
        return Err(TrackingError::invalid(message));
    }
    Ok(())
}

/// The value in the length that is kept: MLflow cuts what is too long for parameters and tags of runs.
fn cut(limit: usize, value: &mut String) {
    if value.len() > limit
        && let Some((end, _)) = value.char_indices().nth(limit)
    {
        value.truncate(end);
    }
}

pub(crate) fn metric(path: &str, metric: &Metric) -> Result<()> {
    name(&joined(path, "name"), &metric.key)?;
    length("Metric name", KEY, &metric.key)?;
    if metric.timestamp < 0 {
        let (key, value) = (&metric.key, metric.value);
        return Err(TrackingError::invalid(format!(
            "Invalid value {} for parameter '{}' supplied: metric '{key}' (value={value:?}). Timestamp must be a nonnegative \
             long (64-bit integer) ",
            metric.timestamp,
            joined(path, "timestamp")
        )));
    }
    Ok(())
}

pub(crate) fn param(path: &str, param: &mut Tag) -> Result<()> {
    name(&joined(path, "key"), &param.key)?;
    length("Param key", KEY, &param.key)?;
    cut(PARAM_VALUE, &mut param.value);
    Ok(())
}

pub(crate) fn tag(path: &str, tag: &mut Tag) -> Result<()> {
    name(&joined(path, "key"), &tag.key)?;
    length(&joined(path, "key"), KEY, &tag.key)?;
    cut(TAG_VALUE, &mut tag.value);
    Ok(())
}

/// A tag whose value is never cut.
pub(crate) fn exact_tag(tag: &Tag, limit: usize) -> Result<()> {
    name("key", &tag.key)?;
    length("key", KEY, &tag.key)?;
    length("value", limit, &tag.value)
}

fn joined(path: &str, field: &str) -> String {
    if path.is_empty() {
        field.to_owned()
    } else {
        format!("{path}.{field}")
    }
}

/// Checks a batch, and cuts what may be cut.
pub(crate) fn batch(metrics: &[Metric], params: &mut [Tag], tags: &mut [Tag]) -> Result<()> {
    let total = metrics.len() + params.len() + tags.len();
    for (what, limit, count) in [
        ("metrics", METRICS_PER_BATCH, metrics.len()),
        ("params", PARAMS_PER_BATCH, params.len()),
        ("tags", PARAMS_PER_BATCH, tags.len()),
        ("metrics, params, and tags", ENTITIES_PER_BATCH, total),
    ] {
        if count > limit {
            return Err(TrackingError::invalid(format!(
                "A batch logging request can contain at most {limit} {what}. Got {count} {what}. Please split up {what} \
                 across multiple requests and try again."
            )));
        }
    }
    for (index, value) in metrics.iter().enumerate() {
        // The path is written only where it is needed.
        if metric("", value).is_err() {
            metric(&format!("metrics[{index}]"), value)?;
        }
    }
    for (index, value) in params.iter_mut().enumerate() {
        param(&format!("params[{index}]"), value)?;
    }
    for (index, value) in tags.iter_mut().enumerate() {
        tag(&format!("tags[{index}]"), value)?;
    }
    Ok(())
}

pub(crate) fn experiment_name(name: &str) -> Result<()> {
    if name.is_empty() {
        return Err(TrackingError::invalid("Invalid experiment name: ''"));
    }
    length("name", EXPERIMENT_NAME, name)
}

/// The number of an experiment.
pub(crate) fn experiment_id(id: &str) -> Result<i64> {
    id.parse().map_err(|_| {
        TrackingError::invalid(format!(
            "Invalid experiment ID '{id}'. Experiment ID must be a valid integer."
        ))
    })
}

/// How many results a search gives.
pub(crate) fn page_size(given: Option<i64>, usual: i64, limit: i64) -> Result<usize> {
    let size = given.unwrap_or(usual);
    let refused = |must: String| {
        Err(TrackingError::invalid(format!(
            "Invalid value {size} for parameter 'max_results' supplied. It must be {must}"
        )))
    };
    if size < 1 {
        return refused("a positive integer".into());
    }
    if size > limit {
        return refused(format!("at most {limit}"));
    }
    Ok(size as usize)
}

pub(crate) fn model_name(name: &str) -> Result<()> {
    if name.trim().is_empty() {
        return Err(TrackingError::invalid(
            "Missing value for required parameter 'name'.",
        ));
    }
    if name.contains(['/', ':']) {
        return Err(TrackingError::invalid(format!(
            "Invalid model name '{name}'. Names cannot contain '/' or ':'."
        )));
    }
    path_like("name", name)
}

pub(crate) fn logged_model_name(name: &str) -> Result<()> {
    if name.is_empty() || name.contains(['/', ':', '.', '%', '"', '\'']) {
        return Err(TrackingError::invalid(format!(
            "Invalid model name ('{name}') provided. Model name must be a non-empty string and cannot contain the following \
             characters: ('/', ':', '.', '%', '\"', \"'\")"
        )));
    }
    Ok(())
}

pub(crate) fn alias(alias: &str) -> Result<()> {
    if alias.is_empty() {
        return Err(TrackingError::invalid(
            "Registered model alias name cannot be empty.",
        ));
    }
    if !alias
        .chars()
        .all(|c| c.is_alphanumeric() || matches!(c, '_' | '-'))
    {
        return Err(TrackingError::invalid(format!(
            "Invalid alias name: '{alias}'. Names may only contain alphanumerics, underscores (_), and dashes (-)."
        )));
    }
    length("Registered model alias name", 255, alias)?;
    if alias.eq_ignore_ascii_case("latest") {
        return Err(TrackingError::invalid(
            "'latest' alias name (case insensitive) is reserved.",
        ));
    }
    let number = alias.strip_prefix(['v', 'V']);
    if number.is_some_and(|digits| !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit()))
    {
        return Err(TrackingError::invalid(format!(
            "Version alias name '{alias}' is reserved."
        )));
    }
    Ok(())
}

/// The number of a version.
pub(crate) fn version(version: &str) -> Result<i64> {
    version.parse().map_err(|_| {
        TrackingError::invalid(format!(
            "Parameter 'version' must be an integer, got '{version}'."
        ))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_no_other_paths() {
        for good in ["a", "a/b.c-d_e f:g", "été", "..a"] {
            // As MLflow has it, two leading dots are refused even where they are a name.
            assert_eq!(name("key", good).is_ok(), !good.starts_with(".."), "{good}");
        }
        for bad in ["", "a//b", "../a", "/a", ".", "a/..", "a/", "a*"] {
            assert!(name("key", bad).is_err(), "{bad}");
        }
        assert_eq!(
            name("key", "a/../b").unwrap_err().to_string(),
            "Invalid value \"a/../b\" for parameter 'key' supplied: Names may be treated as files in certain cases, and \
             must not resolve to other names when treated as such. This name would resolve to 'b'"
        );
    }

    #[test]
    fn aliases() {
        for good in ["champion", "a-b_c", "version1"] {
            assert!(alias(good).is_ok(), "{good}");
        }
        for bad in ["", "Latest", "v1", "a b", "a/b"] {
            assert!(alias(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn long_values_are_cut() {
        let mut long = Tag {
            key: "a".into(),
            value: "é".repeat(PARAM_VALUE + 1),
        };
        param("", &mut long).unwrap();
        assert_eq!(long.value.chars().count(), PARAM_VALUE);
    }
}
