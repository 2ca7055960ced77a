//! Names with values, of whatever has them.

use std::collections::HashMap;

use crate::database::{Session, Value, values};
use crate::wire::Tag;
use crate::{TrackingError, limits};

/// A table of names and values, and the column that says whose.
#[derive(Clone, Copy)]
pub(super) struct Table {
    name: &'static str,
    owner: &'static str,
}

pub(super) const EXPERIMENT_TAGS: Table = Table {
    name: "experiment_tags",
    owner: "experiment",
};
pub(super) const RUN_TAGS: Table = Table {
    name: "run_tags",
    owner: "run",
};
pub(super) const PARAMS: Table = Table {
    name: "params",
    owner: "run",
};
pub(super) const INPUT_TAGS: Table = Table {
    name: "input_tags",
    owner: "input",
};
pub(super) const LOGGED_MODEL_TAGS: Table = Table {
    name: "logged_model_tags",
    owner: "model",
};
pub(super) const LOGGED_MODEL_PARAMS: Table = Table {
    name: "logged_model_params",
    owner: "model",
};
pub(super) const REGISTERED_MODEL_TAGS: Table = Table {
    name: "registered_model_tags",
    owner: "model",
};
pub(super) const MODEL_VERSION_TAGS: Table = Table {
    name: "model_version_tags",
    owner: "version",
};
pub(super) const TRACE_TAGS: Table = Table {
    name: "trace_tags",
    owner: "trace",
};
pub(super) const TRACE_METADATA: Table = Table {
    name: "trace_metadata",
    owner: "trace",
};
pub(super) const EVALUATION_TAGS: Table = Table {
    name: "evaluation_dataset_tags",
    owner: "dataset",
};

/// A tag that gets a value, or goes if it gets none; whether it gets one.
///
/// # Errors
/// Its name or value is none.
pub(super) fn changed(
    key: &str,
    value: Option<&str>,
    limit: usize,
) -> Result<(Tag, bool), TrackingError> {
    let tag = Tag {
        key: key.to_owned(),
        value: value.unwrap_or_default().to_owned(),
    };
    limits::exact_tag(&tag, limit)?;
    Ok((tag, value.is_some()))
}

impl Table {
    /// Its name, for searches.
    pub(super) fn name(self) -> &'static str {
        self.name
    }

    /// The column that says whose.
    pub(super) fn owner(self) -> &'static str {
        self.owner
    }

    /// Sets values; later ones win.
    pub(super) fn set(
        self,
        session: &mut Session<'_>,
        owner: i64,
        tags: &[Tag],
    ) -> Result<(), TrackingError> {
        let Self {
            name,
            owner: column,
        } = self;
        let rows: Vec<Vec<Value>> = tags
            .iter()
            .map(|tag| values![owner, &tag.key, &tag.value].to_vec())
            .collect();
        session.execute_each(
            &format!(
                "INSERT INTO {name} ({column}, key, value) VALUES (?, ?, ?)
                 ON CONFLICT ({column}, key) DO UPDATE SET value = excluded.value"
            ),
            &rows,
        )
    }

    /// Removes a value; whether it was there.
    pub(super) fn remove(
        self,
        session: &mut Session<'_>,
        owner: i64,
        key: &str,
    ) -> Result<bool, TrackingError> {
        let Self {
            name,
            owner: column,
        } = self;
        let sql = format!("DELETE FROM {name} WHERE {column} = ? AND key = ?");
        Ok(session.execute(&sql, &values![owner, key])? > 0)
    }

    /// All values of one.
    pub(super) fn of(
        self,
        session: &mut Session<'_>,
        owner: i64,
    ) -> Result<Vec<Tag>, TrackingError> {
        let Self {
            name,
            owner: column,
        } = self;
        let sql = format!("SELECT key, value FROM {name} WHERE {column} = ? ORDER BY key");
        session.query(&sql, &values![owner], |row| {
            Ok(Tag {
                key: row.text(0)?,
                value: row.text(1)?,
            })
        })
    }

    /// All values of several.
    pub(super) fn of_all(
        self,
        session: &mut Session<'_>,
        owners: &[i64],
    ) -> Result<HashMap<i64, Vec<Tag>>, TrackingError> {
        let Self {
            name,
            owner: column,
        } = self;
        let sql = format!(
            "SELECT {column}, key, value FROM {name} WHERE {column} = ANY(?) ORDER BY {column}, key"
        );
        let mut all: HashMap<i64, Vec<Tag>> = HashMap::with_capacity(owners.len());
        session.query(&sql, &[Value::Integers(owners.to_vec())], |row| {
            let tag = Tag {
                key: row.text(1)?,
                value: row.text(2)?,
            };
            all.entry(row.integer(0)?).or_default().push(tag);
            Ok(())
        })?;
        Ok(all)
    }
}
