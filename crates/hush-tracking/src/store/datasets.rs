//! Datasets that runs used.

use std::collections::HashMap;

use super::tags::INPUT_TAGS;
use super::{Tracking, experiments};
use crate::database::{Session, values};
use crate::wire::{Dataset, DatasetInput, DatasetSummary};
use crate::{Caller, TrackingError, limits};

type Result<T> = std::result::Result<T, TrackingError>;

/// Refuses a dataset that lacks a field or has too long a one.
pub(super) fn check(input: &DatasetInput) -> Result<()> {
    let dataset = &input.dataset;
    for (name, value) in [
        ("name", &dataset.name),
        ("digest", &dataset.digest),
        ("source_type", &dataset.source_type),
        ("source", &dataset.source),
    ] {
        if value.is_empty() {
            return Err(crate::wire::absent(&format!("datasets.dataset.{name}")));
        }
    }
    limits::length("name", 500, &dataset.name)?;
    limits::length("digest", 36, &dataset.digest)?;
    limits::length("source", 65_535, &dataset.source)?;
    limits::length(
        "schema",
        1_048_575,
        dataset.schema.as_deref().unwrap_or_default(),
    )?;
    limits::length(
        "profile",
        16_777_215,
        dataset.profile.as_deref().unwrap_or_default(),
    )?;
    for tag in &input.tags {
        limits::length("key", 255, &tag.key)?;
        limits::length("value", 500, &tag.value)?;
    }
    Ok(())
}

/// The number of a dataset, which is kept once in an experiment.
pub(super) fn keep(session: &mut Session<'_>, experiment: i64, dataset: &Dataset) -> Result<i64> {
    session.execute(
        "INSERT INTO datasets (experiment, name, digest, source_type, source, schema, profile)
         VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (experiment, name, digest) DO NOTHING",
        &values![
            experiment,
            &dataset.name,
            &dataset.digest,
            &dataset.source_type,
            &dataset.source,
            dataset.schema.as_ref(),
            dataset.profile.as_ref(),
        ],
    )?;
    session.number(
        "SELECT id FROM datasets WHERE experiment = ? AND name = ? AND digest = ?",
        &values![experiment, &dataset.name, &dataset.digest],
    )
}

/// Datasets that each of the runs used.
pub(super) fn inputs_of(
    session: &mut Session<'_>,
    runs: &[i64],
) -> Result<HashMap<i64, Vec<DatasetInput>>> {
    let found = session.query(
        "SELECT i.run, i.id, d.name, d.digest, d.source_type, d.source, d.schema, d.profile
         FROM inputs i JOIN datasets d ON d.id = i.dataset WHERE i.run = ANY(?) ORDER BY i.id",
        &values![runs.to_vec()],
        |row| {
            let dataset = Dataset {
                name: row.text(2)?,
                digest: row.text(3)?,
                source_type: row.text(4)?,
                source: row.text(5)?,
                schema: row.optional_text(6)?,
                profile: row.optional_text(7)?,
            };
            Ok((row.integer(0)?, row.integer(1)?, dataset))
        },
    )?;
    let mut all: HashMap<i64, Vec<DatasetInput>> = HashMap::new();
    if found.is_empty() {
        return Ok(all);
    }
    let ids: Vec<i64> = found.iter().map(|(_, id, _)| *id).collect();
    let mut tags = INPUT_TAGS.of_all(session, &ids)?;
    for (run, id, dataset) in found {
        let tags = tags.remove(&id).unwrap_or_default();
        all.entry(run)
            .or_default()
            .push(DatasetInput { tags, dataset });
    }
    Ok(all)
}

impl Tracking {
    /// The datasets of experiments and what they were used for.
    ///
    /// # Errors
    /// No experiment is named, or more than twenty.
    pub async fn search_datasets(
        &self,
        caller: &Caller,
        experiments: &[String],
    ) -> Result<Vec<DatasetSummary>> {
        const MOST: usize = 20;
        let count = experiments.len();
        if count == 0 {
            return Err(TrackingError::invalid(
                "SearchDatasets request must specify at least one experiment_id.",
            ));
        }
        if count > MOST {
            return Err(TrackingError::invalid(format!(
                "SearchDatasets request cannot specify more than {MOST} experiment_ids. Received {count} experiment_ids."
            )));
        }
        let ids: Result<Vec<i64>> = experiments
            .iter()
            .map(|id| limits::experiment_id(id))
            .collect();
        let (caller, ids) = (caller.clone(), ids?);
        let work = move |session: &mut Session<'_>| {
            let ids = experiments::visible(session, &caller, ids.clone())?;
            session.query(
                "SELECT DISTINCT d.experiment, d.name, d.digest, t.value FROM datasets d JOIN inputs i ON i.dataset = d.id
                 LEFT JOIN input_tags t ON t.input = i.id AND t.key = 'mlflow.data.context'
                 WHERE d.experiment = ANY(?) ORDER BY 1, 2, 3, 4 LIMIT 1000",
                &values![ids],
                |row| {
                    Ok(DatasetSummary {
                        experiment_id: row.integer(0)?.to_string(),
                        name: row.text(1)?,
                        digest: row.text(2)?,
                        context: row.optional_text(3)?,
                    })
                },
            )
        };
        self.database().read(work).await
    }
}
