//! Searches for registered models and their versions.

use super::registered::PROMPT_TAG;
use super::search::Seen;
use super::tags::{MODEL_VERSION_TAGS, REGISTERED_MODEL_TAGS};
use super::{Tracking, registered, run_search, versions};
use crate::database::values;
use crate::filter::{self, Comparison, Operand, Operator, Ordered, Query, compare};
use crate::wire::{ModelVersion, Page, RegisteredModel};
use crate::{Caller, TrackingError};

type Result<T> = std::result::Result<T, TrackingError>;

/// Models and their versions are seen by whoever was granted the model.
const GRANTED: Seen = Seen::Granted("registered_model", "m.name");

impl Tracking {
    /// Searches registered models, by name unless told otherwise. Prompts are left out unless asked for.
    ///
    /// # Errors
    /// What cannot be read or compared.
    pub async fn search_registered_models(
        &self,
        caller: &Caller,
        filter: &str,
        order: &[String],
        size: usize,
        token: Option<&str>,
    ) -> Result<Page<RegisteredModel>> {
        let (query, seen) = (models(filter, order)?, GRANTED);
        self.found(caller, query, seen, size, token, registered::whole)
            .await
    }

    /// Searches versions, newest change first unless told otherwise.
    ///
    /// # Errors
    /// What cannot be read or compared.
    pub async fn search_versions(
        &self,
        caller: &Caller,
        filter: &str,
        order: &[String],
        size: usize,
        token: Option<&str>,
    ) -> Result<Page<ModelVersion>> {
        let (query, seen) = (model_versions(filter, order)?, GRANTED);
        self.found(caller, query, seen, size, token, versions::whole)
            .await
    }
}

/// Leaves prompts out, or everything else, or neither.
fn prompts(
    query: &mut Query,
    comparisons: &mut Vec<Comparison>,
    table: &str,
    owner: &str,
    row: &str,
) {
    let asked = comparisons
        .iter()
        .position(|comparison| comparison.key == PROMPT_TAG);
    let is_prompt = format!(
        "EXISTS (SELECT 1 FROM {table} q WHERE q.{owner} = {row} AND q.key = '{PROMPT_TAG}' AND lower(q.value) = 'true')"
    );
    let wanted = asked.is_some_and(|index| {
        let comparison = comparisons.remove(index);
        let truth =
            matches!(&comparison.operand, Operand::Text(text) if text.eq_ignore_ascii_case("true"));
        truth == (comparison.operator != Operator::NotEqual)
    });
    query.filter(
        if wanted {
            is_prompt
        } else {
            format!("NOT {is_prompt}")
        },
        [],
    );
}

fn models(filter: &str, order: &[String]) -> Result<Query> {
    let mut query = Query::new("m.id", "registered_models m");
    let mut comparisons = filter::parse(filter)?;
    prompts(
        &mut query,
        &mut comparisons,
        REGISTERED_MODEL_TAGS.name(),
        REGISTERED_MODEL_TAGS.owner(),
        "m.id",
    );
    for comparison in comparisons {
        match comparison.entity.as_deref() {
            None | Some("attribute" | "attributes") if comparison.key == "name" => {
                text(&mut query, "m.name", &comparison)?;
            }
            None | Some("attribute" | "attributes") => {
                return Err(unknown(&comparison.key, "{'name'}"));
            }
            Some("tag" | "tags") => {
                run_search::tag(&mut query, &REGISTERED_MODEL_TAGS, "m.id", &comparison)?
            }
            Some(other) => return Err(entity(other)),
        }
    }
    for clause in order {
        let by = filter::order(clause)?;
        match by.key.as_str() {
            "name" => query.order(Ordered::text("m.name", by.ascending)),
            "timestamp" | "last_updated_timestamp" => {
                query.order(Ordered::integer("m.updated", by.ascending))
            }
            "creation_timestamp" => query.order(Ordered::integer("m.created", by.ascending)),
            key => {
                return Err(TrackingError::invalid(format!(
                    "Invalid order by key '{key}' specified. Valid keys are '['name', 'creation_timestamp', \
                     'last_updated_timestamp']'"
                )));
            }
        }
    }
    query.order(Ordered::text("m.name", true));
    Ok(query)
}

fn model_versions(filter: &str, order: &[String]) -> Result<Query> {
    const KEYS: &str = "{'name', 'version_number', 'run_id', 'source_path'}";
    let mut query = Query::new(
        "v.id",
        "model_versions v JOIN registered_models m ON m.id = v.model",
    );
    let mut comparisons = filter::parse(filter)?;
    prompts(
        &mut query,
        &mut comparisons,
        MODEL_VERSION_TAGS.name(),
        MODEL_VERSION_TAGS.owner(),
        "v.id",
    );
    for comparison in comparisons {
        match (comparison.entity.as_deref(), comparison.key.as_str()) {
            (None | Some("attribute" | "attributes"), "name") => {
                text(&mut query, "m.name", &comparison)?
            }
            (None | Some("attribute" | "attributes"), "run_id") => {
                text(&mut query, "v.run_id", &comparison)?
            }
            (None | Some("attribute" | "attributes"), "source_path" | "source") => {
                text(&mut query, "v.source", &comparison)?;
            }
            (None | Some("attribute" | "attributes"), "version_number" | "version") => {
                let Operand::Number(number) = comparison.operand else {
                    return Err(TrackingError::invalid(
                        "Expected numeric value type for numeric attribute: version_number.",
                    ));
                };
                if !comparison.operator.compares_numbers() {
                    return Err(run_search::comparator(
                        &comparison,
                        "{'>', '>=', '!=', '=', '<', '<='}",
                    ));
                }
                let sign = comparison.operator.name();
                query.filter(format!("v.version {sign} ?"), values![number]);
            }
            (Some("tag" | "tags"), _) => {
                run_search::tag(&mut query, &MODEL_VERSION_TAGS, "v.id", &comparison)?
            }
            (None | Some("attribute" | "attributes"), key) => return Err(unknown(key, KEYS)),
            (Some(other), _) => return Err(entity(other)),
        }
    }
    for clause in order {
        let by = filter::order(clause)?;
        match by.key.as_str() {
            "name" => query.order(Ordered::text("m.name", by.ascending)),
            "version_number" | "version" => {
                query.order(Ordered::integer("v.version", by.ascending))
            }
            "creation_timestamp" => query.order(Ordered::integer("v.created", by.ascending)),
            "last_updated_timestamp" => query.order(Ordered::integer("v.updated", by.ascending)),
            key => {
                return Err(TrackingError::invalid(format!(
                    "Invalid order by key '{key}' specified. Valid keys are {{'name', 'version_number', 'creation_timestamp', \
                     'last_updated_timestamp'}}"
                )));
            }
        }
    }
    if order.is_empty() {
        query.order(Ordered::integer("v.updated", false));
    }
    query.order(Ordered::text("m.name", true));
    query.order(Ordered::integer("v.version", false));
    Ok(query)
}

fn text(query: &mut Query, column: &str, comparison: &Comparison) -> Result<()> {
    let operator = comparison.operator;
    let fits = operator.compares_texts() || operator.is_list();
    if !fits || matches!(comparison.operand, Operand::Number(_)) {
        return Err(TrackingError::invalid(format!(
            "Invalid comparator for attribute: {}",
            operator.name()
        )));
    }
    let (text, values) = compare(column, operator, &comparison.operand);
    query.filter(text, values);
    Ok(())
}

fn unknown(key: &str, valid: &str) -> TrackingError {
    TrackingError::invalid(format!(
        "Invalid attribute key '{key}' specified. Valid keys are '{valid}'"
    ))
}

fn entity(entity: &str) -> TrackingError {
    TrackingError::invalid(format!(
        "Invalid entity type '{entity}'. Valid entity types are {{'tag', 'tags', 'attribute', 'attributes'}}"
    ))
}
