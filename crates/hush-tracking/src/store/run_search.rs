//! Searches for runs.

use super::search::Seen;
use super::tags::{PARAMS, RUN_TAGS, Table};
use super::{Tracking, runs};
use crate::database::{Value, values};
use crate::filter::{self, Comparison, Operand, Operator, Ordered, Query, compare};
use crate::wire::{Page, Run, RunStatus, View};
use crate::{Caller, TrackingError};

type Result<T> = std::result::Result<T, TrackingError>;

const ATTRIBUTES: &str = "{'artifact_uri', 'created', 'end_time', 'lifecycle_stage', 'run_id', 'run_name', 'start_time', 'status', \
                          'user_id'}";

impl Tracking {
    /// Searches runs of experiments by filter and order, newest first unless told otherwise.
    ///
    /// # Errors
    /// What cannot be read or compared.
    pub async fn search_runs(
        &self,
        caller: &Caller,
        experiments: &[String],
        view: View,
        filter: &str,
        order: &[String],
        size: usize,
        token: Option<&str>,
    ) -> Result<Page<Run>> {
        let (query, seen) = (
            search(view, filter, order)?,
            Seen::of_experiments("r.experiment", experiments)?,
        );
        self.found(caller, query, seen, size, token, runs::whole)
            .await
    }
}

/// The columns that searches may name; the flag says which are numbers.
fn column(key: &str) -> Option<(&'static str, bool)> {
    match key {
        "run_id" | "run_uuid" => Some(("r.run_id", false)),
        "run_name" | "run name" | "Run name" | "Run Name" => Some(("r.name", false)),
        "user_id" => Some(("r.user_id", false)),
        "artifact_uri" => Some(("r.artifact_uri", false)),
        "start_time" | "created" | "Created" => Some(("r.started", true)),
        "end_time" => Some(("r.ended", true)),
        "status" => Some(("r.status", false)),
        _ => None,
    }
}

/// Joins that comparisons made, so that an order by the same metric needs no other.
#[derive(Default)]
struct Joined(Vec<(String, String)>);

fn search(view: View, filter: &str, order: &[String]) -> Result<Query> {
    let mut query = Query::new("r.id", "runs r");
    match view {
        View::Active => query.filter("r.deleted = 0", []),
        View::Deleted => query.filter("r.deleted = 1", []),
        View::All => {}
    }
    let mut joined = Joined::default();
    for comparison in filter::parse(filter)? {
        match comparison.entity.as_deref() {
            None | Some("attribute" | "attributes" | "attr" | "run") => {
                attribute(&mut query, &comparison)?
            }
            Some("metric" | "metrics") => metric(&mut query, &comparison, &mut joined)?,
            Some("param" | "params" | "parameter" | "parameters") => {
                tag(&mut query, &PARAMS, "r.id", &comparison)?
            }
            Some("tag" | "tags") => tag(&mut query, &RUN_TAGS, "r.id", &comparison)?,
            Some("dataset" | "datasets") => dataset(&mut query, &comparison)?,
            Some(other) => return Err(entity(other)),
        }
    }
    for clause in order {
        let by = filter::order(clause)?;
        ordered(&mut query, by, &joined)?;
    }
    query.order(Ordered::integer("r.started", false));
    query.order(Ordered::text("r.run_id", true));
    Ok(query)
}

/// A refusal of what stands before the dot.
pub(super) fn entity(entity: &str) -> TrackingError {
    TrackingError::invalid(format!(
        "Invalid entity type '{entity}'. Valid values are ['metric', 'parameter', 'tag', 'attribute', 'dataset']"
    ))
}

/// A refusal of a comparison that a key does not have.
pub(super) fn comparator(comparison: &Comparison, allowed: &str) -> TrackingError {
    TrackingError::invalid(format!(
        "Invalid comparator '{}' not one of '{allowed}",
        comparison.operator.name()
    ))
}

fn attribute(query: &mut Query, comparison: &Comparison) -> Result<()> {
    let key = &comparison.key;
    let (column, number) = column(key).ok_or_else(|| {
        TrackingError::invalid(format!(
            "Invalid attribute key '{key}' specified. Valid keys are '{ATTRIBUTES}'"
        ))
    })?;
    let operator = comparison.operator;
    if number {
        if !operator.compares_numbers() {
            return Err(comparator(comparison, "{'>', '>=', '!=', '=', '<', '<='}'"));
        }
        let Operand::Number(_) = comparison.operand else {
            return Err(TrackingError::invalid(format!(
                "Expected numeric value type for numeric attribute: {key}."
            )));
        };
    } else if !(operator.compares_texts() || operator.is_list()) {
        return Err(comparator(
            comparison,
            "{'=', '!=', 'LIKE', 'ILIKE', 'IN', 'NOT IN'}'",
        ));
    }
    if operator.is_list()
        && !matches!(
            key.as_str(),
            "run_id" | "run_uuid" | "run_name" | "status" | "user_id"
        )
    {
        return Err(TrackingError::invalid(
            "Only ['run_id'] attributes support comparison with a list of quoted string values.",
        ));
    }
    if !number && matches!(comparison.operand, Operand::Number(_)) {
        return Err(TrackingError::invalid(
            "Expected a quoted string value for attributes. Got value of another type",
        ));
    }
    if key == "status" {
        return status(query, comparison);
    }
    let (text, values) = compare(column, operator, &comparison.operand);
    query.filter(text, values);
    Ok(())
}

/// States are stored as numbers and compared by name.
fn status(query: &mut Query, comparison: &Comparison) -> Result<()> {
    const CASE: &str = "CASE r.status WHEN 1 THEN 'RUNNING' WHEN 2 THEN 'SCHEDULED' WHEN 3 THEN 'FINISHED' WHEN 4 THEN \
                        'FAILED' ELSE 'KILLED' END";
    match (&comparison.operand, comparison.operator) {
        (Operand::Text(name), Operator::Equal | Operator::NotEqual) => {
            let number = RunStatus::of_name(name).map_or(0, RunStatus::number);
            let sign = comparison.operator.name();
            query.filter(format!("r.status {sign} ?"), values![number]);
        }
        (operand, operator) => {
            let (text, values) = compare(CASE, operator, operand);
            query.filter(text, values);
        }
    }
    Ok(())
}

fn metric(query: &mut Query, comparison: &Comparison, joined: &mut Joined) -> Result<()> {
    let Operand::Number(number) = comparison.operand else {
        return Err(TrackingError::invalid(format!(
            "Expected numeric value type for metric. Found {}",
            shown(&comparison.operand)
        )));
    };
    if !comparison.operator.compares_numbers() {
        return Err(comparator(comparison, "{'>', '>=', '!=', '=', '<', '<='}"));
    }
    let alias = query.alias('m');
    let sign = comparison.operator.name();
    let own = format!("JOIN series {alias} ON {alias}.run = r.id AND {alias}.key = ?");
    if comparison.operator == Operator::NotEqual {
        // What is no number is not that one.
        let text = format!("{own} AND ({alias}.nan = 1 OR {alias}.value <> ?)");
        query.join(&text, values![&comparison.key, number]);
        return Ok(());
    }
    let text = format!("{own} AND {alias}.nan = 0 AND {alias}.value {sign} ?");
    query.join(&text, values![&comparison.key, number]);
    joined.0.push((comparison.key.clone(), alias));
    Ok(())
}

/// A value as it was written.
fn shown(operand: &Operand) -> String {
    match operand {
        Operand::Number(number) => number.to_string(),
        Operand::Text(text) => format!("'{text}'"),
        Operand::Texts(texts) => format!("('{}')", texts.join("', '")),
        Operand::Nothing => "NULL".into(),
    }
}

/// A comparison of a tag or parameter.
pub(super) fn tag(
    query: &mut Query,
    table: &Table,
    owner: &str,
    comparison: &Comparison,
) -> Result<()> {
    let (name, column, key) = (table.name(), table.owner(), &comparison.key);
    let operator = comparison.operator;
    if operator == Operator::IsNull {
        query.filter(
            format!("NOT EXISTS (SELECT 1 FROM {name} t WHERE t.{column} = {owner} AND t.key = ?)"),
            values![key],
        );
        return Ok(());
    }
    if let Operand::Number(_) = comparison.operand {
        let kind = if name.ends_with("params") {
            "parameter"
        } else {
            "tag"
        };
        return Err(TrackingError::invalid(format!(
            "Expected a quoted string value for {kind} (e.g. 'my-value'). Got value {}",
            shown(&comparison.operand)
        )));
    }
    if !(operator.compares_texts() || operator.is_null()) {
        return Err(comparator(
            comparison,
            "{'=', '!=', 'LIKE', 'ILIKE', 'IS NULL', 'IS NOT NULL'}",
        ));
    }
    let alias = query.alias('t');
    let join = format!("JOIN {name} {alias} ON {alias}.{column} = {owner} AND {alias}.key = ?");
    if operator == Operator::IsNotNull {
        query.join(&join, values![key]);
        return Ok(());
    }
    let (text, values) = compare(&format!("{alias}.value"), operator, &comparison.operand);
    query.join(
        &format!("{join} AND {text}"),
        std::iter::once(Value::from(key)).chain(values),
    );
    Ok(())
}

fn dataset(query: &mut Query, comparison: &Comparison) -> Result<()> {
    let column = match comparison.key.as_str() {
        "name" => "d.name",
        "digest" => "d.digest",
        "context" => "t.value",
        key => {
            return Err(TrackingError::invalid(format!(
                "Invalid dataset key '{key}' specified. Valid keys are '{{'name', 'digest', 'context'}}'"
            )));
        }
    };
    let operator = comparison.operator;
    if !(operator.compares_texts() || operator.is_list())
        || matches!(comparison.operand, Operand::Number(_))
    {
        return Err(comparator(
            comparison,
            "{'=', '!=', 'LIKE', 'ILIKE', 'IN', 'NOT IN'}",
        ));
    }
    let (text, values) = compare(column, operator, &comparison.operand);
    query.filter(
        format!(
            "EXISTS (SELECT 1 FROM inputs i JOIN datasets d ON d.id = i.dataset
             LEFT JOIN input_tags t ON t.input = i.id AND t.key = 'mlflow.data.context' WHERE i.run = r.id AND {text})"
        ),
        values,
    );
    Ok(())
}

/// Orders by a metric that was joined. What is not there comes last, and before it what is no number.
pub(super) fn by_metric(query: &mut Query, alias: &str, ascending: bool) {
    let place =
        format!("CASE WHEN {alias}.value IS NULL THEN 2 WHEN {alias}.nan = 1 THEN 1 ELSE 0 END");
    query.order(Ordered::integer(place, true));
    let value = format!("coalesce({alias}.value, 0.0)");
    query.order(Ordered::real(value, ascending));
}

/// Orders by a tag or parameter that was joined. What is not there comes last.
pub(super) fn by_text(query: &mut Query, alias: &str, ascending: bool) {
    let place = format!("CASE WHEN {alias}.value IS NULL THEN 1 ELSE 0 END");
    query.order(Ordered::integer(place, true));
    let value = format!("coalesce({alias}.value, '')");
    query.order(Ordered::text(value, ascending));
}

fn ordered(query: &mut Query, by: filter::Ordering, joined: &Joined) -> Result<()> {
    let ascending = by.ascending;
    match by.entity.as_deref() {
        None | Some("attribute" | "attributes" | "attr" | "run") => {
            let key = &by.key;
            let (column, number) = column(key).ok_or_else(|| {
                TrackingError::invalid(format!(
                    "Invalid attribute key '{key}' specified. Valid keys are '{ATTRIBUTES}'"
                ))
            })?;
            match (column, number) {
                ("r.ended", _) => {
                    query.order(Ordered::integer(
                        "CASE WHEN r.ended IS NULL THEN 1 ELSE 0 END",
                        true,
                    ));
                    query.order(Ordered::integer("coalesce(r.ended, 0)", ascending));
                }
                (_, true) | ("r.status", _) => query.order(Ordered::integer(column, ascending)),
                _ => query.order(Ordered::text(column, ascending)),
            }
        }
        Some("metric" | "metrics") => {
            if let Some((_, alias)) = joined.0.iter().find(|(key, _)| *key == by.key) {
                query.order(Ordered::real(format!("{alias}.value"), ascending));
                return Ok(());
            }
            let alias = query.alias('m');
            query.join(
                &format!("LEFT JOIN series {alias} ON {alias}.run = r.id AND {alias}.key = ?"),
                values![by.key],
            );
            by_metric(query, &alias, ascending);
        }
        Some(entity @ ("param" | "params" | "parameter" | "parameters" | "tag" | "tags")) => {
            let table = if entity.starts_with('t') {
                RUN_TAGS
            } else {
                PARAMS
            };
            let (alias, name) = (query.alias('t'), table.name());
            query.join(
                &format!("LEFT JOIN {name} {alias} ON {alias}.run = r.id AND {alias}.key = ?"),
                values![by.key],
            );
            by_text(query, &alias, ascending);
        }
        Some("dataset" | "datasets") => {
            return Err(TrackingError::invalid(
                "Invalid order_by entity type 'dataset'",
            ));
        }
        Some(other) => return Err(entity(other)),
    }
    Ok(())
}
