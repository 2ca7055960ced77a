//! Takes over a store of MLflow's own: its experiments, runs, models and files.
//!
//! What is here already under the same name stays, so that an import that was interrupted can be run again. Traces and
//! evaluation datasets are not taken over.

use super::tags::{EXPERIMENT_TAGS, INPUT_TAGS, PARAMS, RUN_TAGS};
use super::{ARTIFACTS_SCHEME, Tracking, import_registry};
use crate::TrackingError;
use crate::artifacts::{ArtifactPath, Artifacts, Part};
use crate::database::{Database, Location, Row, Session, Value, values};
use crate::wire::{RunStatus, Tag};

type Result<T> = std::result::Result<T, TrackingError>;

/// Values of a metric that are taken over at once.
const POINTS: i64 = 50_000;

/// What an import took over.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "each counts what it is called")]
pub struct Imported {
    pub experiments: u64,
    pub runs: u64,
    pub metric_values: u64,
    pub logged_models: u64,
    pub registered_models: u64,
    pub model_versions: u64,
    pub files: u64,
    pub bytes: u64,
}

/// A run of the source.
#[derive(Clone)]
struct SourceRun {
    id: String,
    experiment: i64,
    row: Vec<Value>,
    tags: Vec<Tag>,
    params: Vec<Tag>,
    newest: Vec<(String, Vec<Value>)>,
    datasets: Vec<(Vec<Value>, Vec<Tag>)>,
    outputs: Vec<(String, i64)>,
    inputs: Vec<String>,
}

/// Addresses of the source as they are here.
#[derive(Clone)]
pub(super) struct Places {
    root: Option<String>,
}

impl Places {
    /// An address below the root of the source's files becomes one of ours; another stays.
    pub(super) fn here(&self, address: &str) -> String {
        let Some(root) = &self.root else {
            return address.to_owned();
        };
        let path = address.strip_prefix("file://").unwrap_or(address);
        match path.strip_prefix(root.trim_end_matches('/')) {
            Some(rest) if rest.is_empty() || rest.starts_with('/') => {
                format!("{ARTIFACTS_SCHEME}{}", rest.trim_start_matches('/'))
            }
            _ => address.to_owned(),
        }
    }
}

pub(super) fn tag(row: &Row<'_>) -> Result<Tag> {
    Ok(Tag {
        key: row.text(0)?,
        value: row.optional_text(1)?.unwrap_or_default(),
    })
}

impl Tracking {
    /// Takes over the store at `source` (`sqlite:///…` or `postgresql://…`), and the files below the folder or address
    /// `files` where its server kept them. `note` is told what happens.
    ///
    /// # Errors
    /// The source cannot be read or is no store of MLflow 2 or 3, or an experiment here has the number of another there.
    pub async fn import(
        &self,
        source: &str,
        files: Option<&str>,
        note: impl Fn(&str) + Send,
    ) -> Result<Imported> {
        let source = Database::source(&Location::parse(source)?)?;
        let absolute = files.map(|files| {
            let path = files.strip_prefix("file://").unwrap_or(files);
            let known = std::path::Path::new(path).canonicalize();
            known.map_or_else(|_| path.to_owned(), |known| known.display().to_string())
        });
        let places = Places { root: absolute };
        let mut done = Imported::default();
        self.import_experiments(&source, &places, &mut done).await?;
        note(&format!("{} experiments", done.experiments));
        let sql = "SELECT run_uuid FROM runs ORDER BY start_time, run_uuid";
        let ids = source
            .read(move |session: &mut Session<'_>| session.query(sql, &[], |row| row.text(0)))
            .await?;
        for (index, id) in ids.iter().enumerate() {
            self.import_run(&source, &places, id, &mut done).await?;
            if (index + 1) % 1000 == 0 {
                note(&format!("{} of {} runs", index + 1, ids.len()));
            }
        }
        note(&format!(
            "{} runs with {} values of metrics",
            done.runs, done.metric_values
        ));
        import_registry::import(self, &source, &places, &mut done).await?;
        note(&format!(
            "{} logged models, {} registered ones",
            done.logged_models, done.registered_models
        ));
        if let Some(files) = files {
            let from = Artifacts::open(files)?;
            self.import_files(&from, &mut done).await?;
            note(&format!("{} files", done.files));
        }
        Ok(done)
    }

    async fn import_experiments(
        &self,
        source: &Database,
        places: &Places,
        done: &mut Imported,
    ) -> Result<()> {
        let read = |session: &mut Session<'_>| {
            let experiments = session.query(
                "SELECT CAST(experiment_id AS BIGINT), name, artifact_location, lifecycle_stage,
                 CAST(coalesce(creation_time, 0) AS BIGINT), CAST(coalesce(last_update_time, 0) AS BIGINT) FROM experiments",
                &[],
                |row| {
                    let deleted = row.str(3)? == "deleted";
                    let location = row.optional_text(2)?.unwrap_or_default();
                    Ok((row.integer(0)?, row.text(1)?, location, deleted, row.integer(4)?, row.integer(5)?))
                },
            )?;
            let mut all = Vec::new();
            for experiment in experiments {
                let sql = "SELECT key, value FROM experiment_tags WHERE experiment_id = ?";
                all.push((session.query(sql, &values![experiment.0], tag)?, experiment));
            }
            Ok(all)
        };
        let all = source.read(read).await?;
        done.experiments = all.len() as u64;
        let places = places.clone();
        let write = move |session: &mut Session<'_>| {
            for (tags, (id, name, location, deleted, created, updated)) in &all {
                let sql = "SELECT id, name FROM experiments WHERE id = ? OR name = ?";
                let known = session.query(sql, &values![*id, name], |row| {
                    Ok((row.integer(0)?, row.text(1)?))
                })?;
                if known.iter().any(|(other, own)| other != id || own != name) {
                    return Err(TrackingError::invalid(format!(
                        "the experiment '{name}' with number {id} collides with another one here; import into an empty store"
                    )));
                }
                session.execute(
                    "INSERT INTO experiments (id, name, artifact_location, deleted, created, updated)
                     VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (id) DO UPDATE SET artifact_location = excluded.artifact_location,
                     deleted = excluded.deleted, created = excluded.created, updated = excluded.updated",
                    &values![*id, name, places.here(location), *deleted, *created, *updated],
                )?;
                EXPERIMENT_TAGS.set(session, *id, tags)?;
            }
            session.advance("experiments")
        };
        self.database().write(write).await
    }

    async fn import_run(
        &self,
        source: &Database,
        places: &Places,
        id: &str,
        done: &mut Imported,
    ) -> Result<()> {
        let (known, wanted) = (id.to_owned(), id.to_owned());
        let sql = "SELECT count(*) FROM runs WHERE run_id = ?";
        let here = self
            .database()
            .read(move |session: &mut Session<'_>| session.number(sql, &values![&known]))
            .await?;
        if here > 0 {
            return Ok(());
        }
        let places = places.clone();
        let run = source
            .read(move |session: &mut Session<'_>| read_run(session, &places, &wanted))
            .await?;
        // The history first: the run is there when all of it is.
        let mut history = Vec::new();
        for (key, _) in &run.newest {
            let mut offset = 0;
            loop {
                let (id, key) = (run.id.clone(), key.clone());
                let read = move |session: &mut Session<'_>| {
                    session.query(
                        "SELECT CAST(timestamp AS BIGINT), CAST(step AS BIGINT), value,
                         CAST(CASE WHEN is_nan THEN 1 ELSE 0 END AS BIGINT) FROM metrics WHERE run_uuid = ? AND key = ?
                         ORDER BY timestamp, step, value LIMIT ? OFFSET ?",
                        &values![&id, &key, POINTS, offset],
                        |row| Ok(values![row.integer(0)?, row.integer(1)?, row.real(2)?, row.integer(3)?].to_vec()),
                    )
                };
                let points = source.read(read).await?;
                let count = points.len() as i64;
                history.push(points);
                offset += POINTS;
                if count < POINTS {
                    break;
                }
            }
        }
        done.metric_values += history
            .iter()
            .map(|points| points.len() as u64)
            .sum::<u64>();
        let write = move |session: &mut Session<'_>| write_run(session, &run, &history);
        self.database().write(write).await?;
        done.runs += 1;
        Ok(())
    }

    async fn import_files(&self, from: &Artifacts, done: &mut Imported) -> Result<()> {
        let mut folders = vec![ArtifactPath::default()];
        while let Some(folder) = folders.pop() {
            for entry in from.list(&folder).await? {
                let path = folder.join(&entry.path)?;
                if entry.is_dir {
                    folders.push(path);
                    continue;
                }
                let Some(download) = from.download(&path, Part::All).await? else {
                    continue;
                };
                done.bytes += download.size;
                done.files += 1;
                self.artifacts().upload(&path, download.body).await?;
            }
        }
        Ok(())
    }
}

fn read_run(session: &mut Session<'_>, places: &Places, id: &str) -> Result<SourceRun> {
    let run = session.query_first(
        "SELECT CAST(experiment_id AS BIGINT), name, user_id, status, CAST(coalesce(start_time, 0) AS BIGINT),
         CAST(end_time AS BIGINT), lifecycle_stage, artifact_uri FROM runs WHERE run_uuid = ?",
        &values![id],
        |row| {
            let status = row.optional_text(3)?.and_then(|name| RunStatus::of_name(&name)).unwrap_or(RunStatus::Running);
            let row_here = values![
                id,
                row.integer(0)?,
                row.optional_text(1)?.unwrap_or_default(),
                row.optional_text(2)?.unwrap_or_default(),
                status.number(),
                row.integer(4)?,
                row.optional_integer(5)?,
                row.optional_text(6)?.as_deref() == Some("deleted"),
                places.here(&row.optional_text(7)?.unwrap_or_default()),
            ];
            Ok((row.integer(0)?, row_here.to_vec()))
        },
    )?;
    let (experiment, row) =
        run.ok_or_else(|| TrackingError::missing(format!("Run with id={id} not found")))?;
    let newest = session.query(
        "SELECT key, CAST(timestamp AS BIGINT), CAST(step AS BIGINT), value,
         CAST(CASE WHEN is_nan THEN 1 ELSE 0 END AS BIGINT) FROM latest_metrics WHERE run_uuid = ? ORDER BY key",
        &values![id],
        |row| {
            let place = values![row.integer(1)?, row.integer(2)?, row.real(3)?, row.integer(4)?];
            Ok((row.text(0)?, place.to_vec()))
        },
    )?;
    let used = session.query(
        "SELECT i.input_uuid, d.name, d.digest, d.dataset_source_type, d.dataset_source, d.dataset_schema, d.dataset_profile
         FROM inputs i JOIN datasets d ON d.dataset_uuid = i.source_id
         WHERE i.destination_id = ? AND i.destination_type = 'RUN' AND i.source_type = 'DATASET'",
        &values![id],
        |row| {
            let dataset = values![
                experiment,
                row.text(1)?,
                row.text(2)?,
                row.text(3)?,
                row.text(4)?,
                row.optional_text(5)?,
                row.optional_text(6)?
            ];
            Ok((row.text(0)?, dataset.to_vec()))
        },
    )?;
    let mut datasets = Vec::new();
    for (input, dataset) in used {
        let sql = "SELECT name, value FROM input_tags WHERE input_uuid = ?";
        datasets.push((dataset, session.query(sql, &values![input], tag)?));
    }
    let tags = session.query(
        "SELECT key, value FROM tags WHERE run_uuid = ?",
        &values![id],
        tag,
    )?;
    let params = session.query(
        "SELECT key, value FROM params WHERE run_uuid = ?",
        &values![id],
        tag,
    )?;
    // Stores of MLflow 2 know no models here.
    let (mut outputs, mut inputs) = (Vec::new(), Vec::new());
    if import_registry::has_logged_models(session)? {
        outputs = session.query(
            "SELECT destination_id, CAST(coalesce(step, 0) AS BIGINT) FROM inputs
             WHERE source_id = ? AND source_type = 'RUN_OUTPUT' AND destination_type = 'MODEL_OUTPUT'",
            &values![id],
            |row| Ok((row.text(0)?, row.integer(1)?)),
        )?;
        inputs = session.query(
            "SELECT destination_id FROM inputs
             WHERE source_id = ? AND source_type = 'RUN_INPUT' AND destination_type = 'MODEL_INPUT'",
            &values![id],
            |row| row.text(0),
        )?;
    }
    Ok(SourceRun {
        id: id.to_owned(),
        experiment,
        row,
        tags,
        params,
        newest,
        datasets,
        outputs,
        inputs,
    })
}

fn write_run(
    session: &mut Session<'_>,
    run: &SourceRun,
    history: &[Vec<Vec<Value>>],
) -> Result<()> {
    let id = session.number(
        "INSERT INTO runs (run_id, experiment, name, user_id, status, started, ended, deleted, artifact_uri)
         VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id",
        &run.row,
    )?;
    RUN_TAGS.set(session, id, &run.tags)?;
    PARAMS.set(session, id, &run.params)?;
    let mut pieces = history.iter();
    for (key, place) in &run.newest {
        let series = session.number(
            "INSERT INTO series (run, key, timestamp, step, value, nan) VALUES (?, ?, ?, ?, ?, ?) RETURNING id",
            &[&values![id, key][..], place].concat(),
        )?;
        for points in pieces.by_ref() {
            let rows: Vec<Vec<Value>> = points
                .iter()
                .map(|point| [&values![series][..], point.as_slice()].concat())
                .collect();
            session.execute_each(
                "INSERT INTO history (series, timestamp, step, value, nan) VALUES (?, ?, ?, ?, ?)
                 ON CONFLICT (series, timestamp, step, value, nan) DO NOTHING",
                &rows,
            )?;
            if (points.len() as i64) < POINTS {
                break;
            }
        }
    }
    for (dataset, tags) in &run.datasets {
        session.execute(
            "INSERT INTO datasets (experiment, name, digest, source_type, source, schema, profile)
             VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT (experiment, name, digest) DO NOTHING",
            dataset,
        )?;
        let number = session.number(
            "SELECT id FROM datasets WHERE experiment = ? AND name = ? AND digest = ?",
            &[values![run.experiment].as_slice(), &dataset[1..3]].concat(),
        )?;
        let input = session.query_first(
            "INSERT INTO inputs (run, dataset) VALUES (?, ?) ON CONFLICT (run, dataset) DO NOTHING RETURNING id",
            &values![id, number],
            |row| row.integer(0),
        )?;
        if let Some(input) = input {
            INPUT_TAGS.set(session, input, tags)?;
        }
    }
    for (model, step) in &run.outputs {
        session.execute(
            "INSERT INTO model_outputs (run, model_id, step) VALUES (?, ?, ?) ON CONFLICT (run, model_id) DO NOTHING",
            &values![id, model, *step],
        )?;
    }
    for model in &run.inputs {
        session.execute(
            "INSERT INTO model_inputs (run, model_id) VALUES (?, ?) ON CONFLICT (run, model_id) DO NOTHING",
            &values![id, model],
        )?;
    }
    Ok(())
}
