//! One way to ask two kinds of database: SQLite in this process, PostgreSQL elsewhere.
//!
//! Queries are written once, in the SQL that both know, with `?` for parameters. Work is a function from a [`Session`] to a
//! result that runs on a thread where blocking is allowed. What writes runs in a transaction and may run again if the
//! database asks for that, so it must have no other effect.
//!
//! SQLite has one writer: a thread that takes the work of all callers who wait, does each in a savepoint of one
//! transaction, commits once and only then answers them (group commit). One wait for the disk then serves many.
//!
//! `rusqlite` and `tokio-postgres` in place of `sqlx`, whose every statement and row of SQLite is a message between threads:
//! the same batches of 100 metrics, eight to a commit, went 4.8 times as fast without (993 a second to 208).

mod migrate;
mod postgres;
mod schema;
mod session;
mod sqlite;
mod tls;

use std::path::PathBuf;
use std::sync::Arc;

pub(crate) use session::{Row, Session, Value, values};

use crate::{ErrorCode, TrackingError};

/// Result of work on a database.
pub(crate) type Result<T> = std::result::Result<T, TrackingError>;

/// A database whose schema is the current one. Clones share it.
#[derive(Clone)]
pub(crate) struct Database(Arc<Kind>);

enum Kind {
    Sqlite(sqlite::Sqlite),
    Postgres(Box<postgres::Postgres>),
}

/// Where a database is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Location {
    Sqlite(PathBuf),
    Postgres(String),
}

impl Location {
    /// Reads `sqlite:///relative`, `sqlite:////absolute` or `postgresql://…`, as MLflow's users write them.
    pub(crate) fn parse(uri: &str) -> Result<Self> {
        if let Some(path) = uri.strip_prefix("sqlite:///") {
            let path = path.split('?').next().unwrap_or_default();
            if !path.is_empty() && path != ":memory:" {
                return Ok(Self::Sqlite(path.into()));
            }
        }
        if let Some((scheme, rest)) = uri.split_once("://") {
            // `postgresql+psycopg2://` names a Python driver.
            let kind = scheme.split('+').next().unwrap_or_default();
            if kind == "postgresql" || kind == "postgres" {
                return Ok(Self::Postgres(format!("postgresql://{rest}")));
            }
        }
        Err(TrackingError::invalid(
            "the store's address begins with neither sqlite:/// and a file nor postgresql://",
        ))
    }
}

impl Database {
    /// Opens a database. A new one gets its tables; an older one is refused unless `upgrade`.
    pub(crate) async fn open(location: &Location, upgrade: bool) -> Result<Self> {
        let kind = match location {
            Location::Sqlite(path) => {
                let path = path.clone();
                let opened = move || sqlite::Sqlite::open(&path, upgrade);
                Kind::Sqlite(blocking(opened).await?)
            }
            Location::Postgres(uri) => {
                Kind::Postgres(Box::new(postgres::Postgres::open(uri, upgrade).await?))
            }
        };
        Ok(Self(Arc::new(kind)))
    }

    /// Opens somebody else's database, to read it.
    pub(crate) fn source(location: &Location) -> Result<Self> {
        let kind = match location {
            Location::Sqlite(path) => Kind::Sqlite(sqlite::Sqlite::source(path)),
            Location::Postgres(uri) => Kind::Postgres(Box::new(postgres::Postgres::source(uri)?)),
        };
        Ok(Self(Arc::new(kind)))
    }

    /// Does work that only reads.
    pub(crate) async fn read<T, W>(&self, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: Fn(&mut Session<'_>) -> Result<T> + Send + 'static,
    {
        match &*self.0 {
            Kind::Sqlite(sqlite) => sqlite.read(work).await,
            Kind::Postgres(postgres) => postgres.run(false, work).await,
        }
    }

    /// Does work in a transaction. When this returns, the result is on the disk; if it fails, nothing has changed.
    pub(crate) async fn write<T, W>(&self, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: Fn(&mut Session<'_>) -> Result<T> + Send + 'static,
    {
        match &*self.0 {
            Kind::Sqlite(sqlite) => sqlite.write(work).await,
            Kind::Postgres(postgres) => postgres.run(true, work).await,
        }
    }
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<T> {
    tokio::task::spawn_blocking(work)
        .await
        .unwrap_or_else(|error| Err(TrackingError::internal("a query", &error)))
}

fn unavailable(error: &dyn std::fmt::Display) -> TrackingError {
    tracing::error!(%error, "the database cannot be reached");
    TrackingError::new(
        ErrorCode::TemporarilyUnavailable,
        "the database cannot be reached; the server's log says more",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_read_as_mlflow_writes_them() {
        let parse = |uri| Location::parse(uri).ok();
        assert_eq!(
            parse("sqlite:///a/b.db"),
            Some(Location::Sqlite("a/b.db".into()))
        );
        assert_eq!(
            parse("sqlite:////a/b.db"),
            Some(Location::Sqlite("/a/b.db".into()))
        );
        assert_eq!(
            parse("postgresql+psycopg2://u:p@h/d"),
            Some(Location::Postgres("postgresql://u:p@h/d".into()))
        );
        for wrong in ["", "a.db", "sqlite://", "sqlite:///", "mysql://h/d"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
