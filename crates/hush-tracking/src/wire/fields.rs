//! The fields of a request, wherever they stood: path, query or body.

use serde_json::{Map, Value};

use super::Tag;
use crate::TrackingError;

type Result<T> = std::result::Result<T, TrackingError>;

/// What is wrong with requests, after which MLflow points to its documentation.
const SEE: &str = " See the API docs for more information about request parameters.";

/// Fields by name. Numbers may be texts, as protobuf's JSON has it; unknown fields do not matter.
#[derive(Clone, Debug, Default)]
pub(crate) struct Fields(Map<String, Value>);

impl Fields {
    pub(crate) fn new(fields: Map<String, Value>) -> Self {
        Self(fields)
    }

    /// Adds a value that stood in the path or query; a name that is repeated becomes a list.
    pub(crate) fn add(&mut self, name: &str, value: String) {
        match self.0.get_mut(name) {
            None => {
                self.0.insert(name.to_owned(), Value::String(value));
            }
            Some(Value::Array(values)) => values.push(Value::String(value)),
            Some(other) => *other = Value::Array(vec![other.take(), Value::String(value)]),
        }
    }

    /// Sets a value, whatever there was: the path decides.
    pub(crate) fn set(&mut self, name: &str, value: String) {
        self.0.insert(name.to_owned(), Value::String(value));
    }

    fn value(&self, name: &str) -> Option<&Value> {
        self.0.get(name).filter(|value| !value.is_null())
    }

    pub(crate) fn has(&self, name: &str) -> bool {
        self.value(name).is_some()
    }

    pub(crate) fn raw(&self, name: &str) -> Option<&Value> {
        self.value(name)
    }

    /// A text, if it is there.
    pub(crate) fn text(&self, name: &str) -> Result<Option<String>> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::String(text)) => Ok(Some(text.clone())),
            Some(other) => Err(wrong(name, other)),
        }
    }

    /// A text that must be there.
    pub(crate) fn required(&self, name: &str) -> Result<String> {
        let text = self.text(name)?.filter(|text| !text.is_empty());
        text.ok_or_else(|| absent(name))
    }

    /// The run's name, which two fields may have.
    pub(crate) fn run_id(&self) -> Result<String> {
        let id = self.text("run_id")?.filter(|id| !id.is_empty());
        let id = match id {
            Some(id) => Some(id),
            None => self.text("run_uuid")?.filter(|id| !id.is_empty()),
        };
        id.ok_or_else(|| absent("run_id"))
    }

    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>> {
        self.value(name)
            .map_or(Ok(None), |value| match integer(value) {
                Some(number) => Ok(Some(number)),
                None => Err(wrong(name, value)),
            })
    }

    pub(crate) fn required_integer(&self, name: &str) -> Result<i64> {
        self.integer(name)?.ok_or_else(|| absent(name))
    }

    pub(crate) fn required_number(&self, name: &str) -> Result<f64> {
        let value = self.value(name).ok_or_else(|| absent(name))?;
        real(value).ok_or_else(|| wrong(name, value))
    }

    pub(crate) fn truth(&self, name: &str) -> Result<bool> {
        match self.value(name) {
            None => Ok(false),
            Some(Value::Bool(truth)) => Ok(*truth),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("true") => Ok(true),
            Some(Value::String(text)) if text.eq_ignore_ascii_case("false") => Ok(false),
            Some(other) => Err(wrong(name, other)),
        }
    }

    /// A list of texts; in a query one text is a list of one.
    pub(crate) fn texts(&self, name: &str) -> Result<Vec<String>> {
        match self.value(name) {
            None => Ok(Vec::new()),
            Some(Value::String(text)) => Ok(vec![text.clone()]),
            Some(Value::Array(values)) => {
                let text = |value: &Value| match value {
                    Value::String(text) => Some(text.clone()),
                    Value::Number(number) => Some(number.to_string()),
                    _ => None,
                };
                let texts: Option<Vec<String>> = values.iter().map(text).collect();
                texts.ok_or_else(|| wrong(name, &Value::Array(values.clone())))
            }
            Some(other) => Err(wrong(name, other)),
        }
    }

    /// A list of objects.
    pub(crate) fn objects(&self, name: &str) -> Result<Vec<Fields>> {
        match self.value(name) {
            None => Ok(Vec::new()),
            Some(Value::Array(values)) => {
                let object = |value: &Value| match value {
                    Value::Object(object) => Some(Fields(object.clone())),
                    _ => None,
                };
                let objects: Option<Vec<Fields>> = values.iter().map(object).collect();
                objects.ok_or_else(|| wrong(name, &Value::Array(values.clone())))
            }
            Some(other) => Err(wrong(name, other)),
        }
    }

    /// An object.
    pub(crate) fn object(&self, name: &str) -> Result<Option<Fields>> {
        match self.value(name) {
            None => Ok(None),
            Some(Value::Object(object)) => Ok(Some(Fields(object.clone()))),
            Some(other) => Err(wrong(name, other)),
        }
    }

    /// Names and values as a list of both, or as one object.
    pub(crate) fn tags(&self, name: &str) -> Result<Vec<Tag>> {
        if let Some(Value::Object(object)) = self.value(name) {
            let text = |value: &Value| match value {
                Value::String(text) => text.clone(),
                other => other.to_string(),
            };
            let tag = |(key, value): (&String, &Value)| Tag {
                key: key.clone(),
                value: text(value),
            };
            return Ok(object.iter().map(tag).collect());
        }
        let tag = |(index, tag): (usize, &Fields)| {
            let key = tag.text("key")?.filter(|key| !key.is_empty());
            Ok(Tag {
                key: key.ok_or_else(|| absent(&format!("{name}[{index}].key")))?,
                value: tag.text("value")?.unwrap_or_default(),
            })
        };
        self.objects(name)?.iter().enumerate().map(tag).collect()
    }
}

/// A refusal of a field that is not there.
pub(crate) fn absent(name: &str) -> TrackingError {
    TrackingError::invalid(format!(
        "Missing value for required parameter '{name}'.{SEE}"
    ))
}

fn wrong(name: &str, value: &Value) -> TrackingError {
    TrackingError::invalid(format!(
        "Invalid value {value} for parameter '{name}' supplied.{SEE}"
    ))
}

fn integer(value: &Value) -> Option<i64> {
    match value {
        Value::Number(number) => number.as_i64().or_else(|| {
            let number = number.as_f64()?;
            (number.fract() == 0.0 && number.abs() < 9e18).then_some(number as i64)
        }),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// A number, or one of the texts that protobuf's JSON has for what JSON has no numbers for.
pub(crate) fn real(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => match text.as_str() {
            "NaN" => Some(f64::NAN),
            "Infinity" => Some(f64::INFINITY),
            "-Infinity" => Some(f64::NEG_INFINITY),
            text => text.parse().ok(),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(text: &str) -> Fields {
        Fields(serde_json::from_str(text).unwrap())
    }

    #[test]
    fn fields_are_read_as_protobuf_reads_them() {
        let read =
            fields(r#"{"a": "1", "b": 2, "c": null, "d": "NaN", "e": [1, "x"], "t": {"k": "v"}}"#);
        assert_eq!(read.integer("a"), Ok(Some(1)));
        assert_eq!(read.integer("b"), Ok(Some(2)));
        assert_eq!(read.integer("c"), Ok(None));
        assert!(read.required_number("d").unwrap().is_nan());
        assert_eq!(read.texts("e").unwrap(), ["1", "x"]);
        assert_eq!(read.tags("t").unwrap()[0].value, "v");
    }

    #[test]
    fn refusals_name_the_field() {
        let read = fields(r#"{"key": 31, "name": ""}"#);
        let message = |error: TrackingError| error.to_string();
        assert_eq!(
            message(read.required("name").unwrap_err()),
            "Missing value for required parameter 'name'. See the API docs for more information about request parameters."
        );
        assert!(
            message(read.required("key").unwrap_err())
                .starts_with("Invalid value 31 for parameter 'key' supplied.")
        );
    }
}
