//! Searches for logged models.

use super::search::Seen;
use super::tags::{LOGGED_MODEL_PARAMS, LOGGED_MODEL_TAGS};
use super::{Tracking, logged_models, run_search};
use crate::database::{Value, values};
use crate::filter::{self, Comparison, Operand, Ordered, Query, compare};
use crate::wire::{LoggedModel, LoggedModelStatus, Page};
use crate::{Caller, TrackingError, limits};

type Result<T> = std::result::Result<T, TrackingError>;

/// What is searched for.
#[derive(Clone, Debug, Default)]
pub struct LoggedModelSearch {
    /// In these experiments.
    pub experiments: Vec<String>,
    /// The filter.
    pub filter: String,
    /// Metrics count on these datasets only; name and digest, which may be empty.
    pub datasets: Vec<(String, String)>,
    /// Field, direction, and the dataset that a metric is about.
    pub order: Vec<LoggedModelOrder>,
}

/// What logged models are ordered by.
#[derive(Clone, Debug, Default)]
pub struct LoggedModelOrder {
    /// `metrics.x`, `creation_timestamp` …
    pub field: String,
    /// The direction.
    pub ascending: bool,
    /// The dataset that a metric is about; any if empty.
    pub dataset_name: String,
    /// Its digest; any if empty.
    pub dataset_digest: String,
}

impl Tracking {
    /// Searches logged models, newest first unless told otherwise.
    ///
    /// # Errors
    /// What cannot be read or compared.
    pub async fn search_logged_models(
        &self,
        caller: &Caller,
        wanted: LoggedModelSearch,
        size: usize,
        token: Option<&str>,
    ) -> Result<Page<LoggedModel>> {
        let (query, seen) = (
            search(&wanted)?,
            Seen::of_experiments("l.experiment", &wanted.experiments)?,
        );
        self.found(caller, query, seen, size, token, logged_models::whole)
            .await
    }
}

fn column(key: &str) -> Option<(&'static str, bool)> {
    match key {
        "name" => Some(("l.name", false)),
        "model_id" => Some(("l.model_id", false)),
        "model_type" => Some(("l.model_type", false)),
        "status" => Some(("l.status", true)),
        "source_run_id" => Some(("l.source_run_id", false)),
        "experiment_id" => Some(("l.experiment", true)),
        "creation_timestamp" | "creation_time" | "creation_timestamp_ms" => {
            Some(("l.created", true))
        }
        "last_updated_timestamp" | "last_updated_time" | "last_updated_timestamp_ms" => {
            Some(("l.updated", true))
        }
        _ => None,
    }
}

fn unknown(key: &str) -> TrackingError {
    TrackingError::invalid(format!(
        "Invalid attribute key '{key}' specified. Valid keys are '['creation_timestamp', 'experiment_id', \
         'last_updated_timestamp', 'model_id', 'model_type', 'name', 'source_run_id', 'status']'"
    ))
}

fn search(wanted: &LoggedModelSearch) -> Result<Query> {
    let mut query = Query::new("l.id", "logged_models l");
    query.filter("l.deleted = 0", []);
    for comparison in filter::parse(&wanted.filter)? {
        match comparison.entity.as_deref() {
            None | Some("attribute" | "attributes" | "attr") => attribute(&mut query, &comparison)?,
            Some("metric" | "metrics") => metric(&mut query, &comparison, &wanted.datasets)?,
            Some("param" | "params") => {
                run_search::tag(&mut query, &LOGGED_MODEL_PARAMS, "l.id", &comparison)?
            }
            Some("tag" | "tags") => {
                run_search::tag(&mut query, &LOGGED_MODEL_TAGS, "l.id", &comparison)?
            }
            Some(other) => return Err(run_search::entity(other)),
        }
    }
    if wanted.filter.is_empty() && !wanted.datasets.is_empty() {
        let (text, values) = about(&wanted.datasets);
        query.filter(
            format!(
                "EXISTS (SELECT 1 FROM logged_model_metrics m WHERE m.model = l.id AND {text})"
            ),
            values,
        );
    }
    for by in &wanted.order {
        ordered(&mut query, by)?;
    }
    query.order(Ordered::integer("l.created", false));
    query.order(Ordered::text("l.model_id", true));
    Ok(query)
}

fn attribute(query: &mut Query, comparison: &Comparison) -> Result<()> {
    let (column, number) = column(&comparison.key).ok_or_else(|| unknown(&comparison.key))?;
    let operator = comparison.operator;
    let operand = match (&comparison.operand, comparison.key.as_str()) {
        (Operand::Text(name), "status") => {
            let name = name.to_ascii_uppercase();
            let name = if name.starts_with("LOGGED_MODEL_") {
                name
            } else {
                format!("LOGGED_MODEL_{name}")
            };
            Operand::Number(
                LoggedModelStatus::of_name(&name).map_or(0, LoggedModelStatus::number) as f64,
            )
        }
        (Operand::Text(id), "experiment_id") => Operand::Number(limits::experiment_id(id)? as f64),
        (operand, _) => operand.clone(),
    };
    let fits = match (&operand, number) {
        (Operand::Number(_), true) => operator.compares_numbers(),
        (Operand::Text(_), false) => operator.compares_texts(),
        (Operand::Texts(_), false) => true,
        _ => false,
    };
    if !fits {
        return Err(run_search::comparator(
            comparison,
            "{'=', '!=', 'LIKE', 'ILIKE', 'IN', 'NOT IN'}",
        ));
    }
    let (text, values) = compare(column, operator, &operand);
    query.filter(text, values);
    Ok(())
}

/// A condition that a metric is about one of the datasets.
fn about(datasets: &[(String, String)]) -> (String, Vec<Value>) {
    let mut texts = Vec::new();
    let mut values = Vec::new();
    for (name, digest) in datasets {
        values.push(Value::from(name));
        if digest.is_empty() {
            texts.push("m.dataset_name = ?");
        } else {
            texts.push("(m.dataset_name = ? AND m.dataset_digest = ?)");
            values.push(Value::from(digest));
        }
    }
    if texts.is_empty() {
        ("1 = 1".into(), values)
    } else {
        (format!("({})", texts.join(" OR ")), values)
    }
}

fn metric(query: &mut Query, comparison: &Comparison, datasets: &[(String, String)]) -> Result<()> {
    let Operand::Number(number) = comparison.operand else {
        return Err(TrackingError::invalid(
            "Expected numeric value type for metric.",
        ));
    };
    if !comparison.operator.compares_numbers() {
        return Err(run_search::comparator(
            comparison,
            "{'>', '>=', '!=', '=', '<', '<='}",
        ));
    }
    let (text, values) = about(datasets);
    let sign = comparison.operator.name();
    query.filter(
        format!(
            "EXISTS (SELECT 1 FROM logged_model_metrics m WHERE m.model = l.id AND m.key = ? AND m.nan = 0
             AND m.value {sign} ? AND {text})"
        ),
        values![&comparison.key, number].into_iter().chain(values),
    );
    Ok(())
}

fn ordered(query: &mut Query, by: &LoggedModelOrder) -> Result<()> {
    let name = filter::order(&by.field)?;
    match name.entity.as_deref() {
        None | Some("attribute" | "attributes") => {
            let column = column(&name.key).ok_or_else(|| unknown(&name.key))?;
            query.order(Ordered::column(column, by.ascending));
        }
        Some("metric" | "metrics") => {
            let alias = query.alias('m');
            let mut condition = String::from("n.model = l.id AND n.key = ?");
            let mut bound = vec![Value::from(&name.key)];
            for (column, value) in [
                ("dataset_name", &by.dataset_name),
                ("dataset_digest", &by.dataset_digest),
            ] {
                if !value.is_empty() {
                    condition.push_str(&format!(" AND n.{column} = ?"));
                    bound.push(Value::from(value));
                }
            }
            query.join(
                &format!(
                    "LEFT JOIN logged_model_metrics {alias} ON {alias}.id = (SELECT max(n.id) FROM logged_model_metrics n WHERE \
                     {condition})"
                ),
                bound,
            );
            run_search::by_metric(query, &alias, by.ascending);
        }
        Some("param" | "params") => {
            let alias = query.alias('p');
            query.join(
                &format!("LEFT JOIN logged_model_params {alias} ON {alias}.model = l.id AND {alias}.key = ?"),
                values![&name.key],
            );
            run_search::by_text(query, &alias, by.ascending);
        }
        Some(other) => return Err(run_search::entity(other)),
    }
    Ok(())
}
