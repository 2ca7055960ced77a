//! SQLite in this process: write-ahead log, full synchronisation, one writer with group commit, and readers beside it.

use std::borrow::Cow;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::{Duration, Instant};

use rusqlite::{Connection, OpenFlags, params_from_iter};
use tokio::sync::{Semaphore, oneshot};

use super::{Result, Row, Session, Value, blocking, migrate};
use crate::TrackingError;

/// Readers at once.
const READERS: usize = 4;
/// Work that one commit takes at most, and how long it may take to do.
const GROUP: usize = 256;
const GROUP_TIME: Duration = Duration::from_millis(20);
/// Work that may wait for the writer.
const WAITING: usize = 4096;
/// Statements that a connection keeps ready.
const STATEMENTS: usize = 128;
/// Pages of the log after which it is written back to the database.
const LOG_PAGES: u32 = 4000;

/// Tells a caller how it ended, once that is on the disk.
type Announce = Box<dyn FnOnce(std::result::Result<(), TrackingError>) + Send>;
type Job = Box<dyn FnOnce(&Connection) -> Announce + Send>;

pub(super) struct Sqlite {
    path: PathBuf,
    /// None: only read.
    jobs: Option<mpsc::SyncSender<Job>>,
    readers: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
}

impl Sqlite {
    /// Blocks.
    pub(super) fn open(path: &Path, upgrade: bool) -> Result<Self> {
        if let Some(folder) = path
            .parent()
            .filter(|folder| !folder.as_os_str().is_empty())
        {
            std::fs::create_dir_all(folder).map_err(|error| super::unavailable(&error))?;
        }
        let writer = connect(
            path,
            OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE,
        )?;
        writer
            .pragma_update(None, "wal_autocheckpoint", LOG_PAGES)
            .map_err(|error| failed(&error))?;
        within(&writer, |session| migrate::migrate(session, upgrade))?;
        let (jobs, waiting) = mpsc::sync_channel(WAITING);
        std::thread::Builder::new()
            .name("tracking-writer".into())
            .spawn(move || write_groups(&writer, &waiting))
            .map_err(|error| TrackingError::internal("a thread", &error))?;
        Ok(Self {
            path: path.to_owned(),
            jobs: Some(jobs),
            readers: Arc::default(),
            permits: Arc::new(Semaphore::new(READERS)),
        })
    }

    /// Somebody else's database, which is only read.
    pub(super) fn source(path: &Path) -> Self {
        Self {
            path: path.to_owned(),
            jobs: None,
            readers: Arc::default(),
            permits: Arc::new(Semaphore::new(READERS)),
        }
    }

    pub(super) async fn read<T, W>(&self, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: Fn(&mut Session<'_>) -> Result<T> + Send + 'static,
    {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.map_err(|error| TrackingError::internal("a reader", &error))?;
        let (readers, path) = (Arc::clone(&self.readers), self.path.clone());
        let reads = self.jobs.is_none();
        blocking(move || {
            let _permit = permit;
            let spare = lock(&readers).pop();
            let connection = match spare {
                Some(connection) => connection,
                None if reads => connect(&path, OpenFlags::SQLITE_OPEN_READ_ONLY)?,
                None => connect(&path, OpenFlags::SQLITE_OPEN_READ_WRITE)?,
            };
            // One state for all queries of the work.
            execute(&connection, "BEGIN", &[])?;
            let result = work(&mut Session::Sqlite(&connection));
            execute(&connection, "COMMIT", &[])?;
            lock(&readers).push(connection);
            result
        })
        .await
    }

    pub(super) async fn write<T, W>(&self, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: Fn(&mut Session<'_>) -> Result<T> + Send + 'static,
    {
        let (sender, receiver) = oneshot::channel();
        let job: Job = Box::new(move |connection| {
            let result = in_savepoint(connection, &work);
            Box::new(move |committed| {
                let _ = sender.send(committed.and(result));
            })
        });
        let Some(jobs) = self.jobs.clone() else {
            return Err(super::unavailable(&"a database that is only read"));
        };
        let full = match jobs.try_send(job) {
            Ok(()) => None,
            Err(mpsc::TrySendError::Full(job)) => Some(job),
            Err(mpsc::TrySendError::Disconnected(_)) => {
                return Err(super::unavailable(&"no writer"));
            }
        };
        if let Some(job) = full {
            blocking(move || jobs.send(job).map_err(|error| super::unavailable(&error))).await?;
        }
        receiver
            .await
            .unwrap_or_else(|error| Err(TrackingError::internal("a write", &error)))
    }
}

fn lock(readers: &Mutex<Vec<Connection>>) -> std::sync::MutexGuard<'_, Vec<Connection>> {
    readers.lock().unwrap_or_else(PoisonError::into_inner)
}

fn connect(path: &Path, flags: OpenFlags) -> Result<Connection> {
    let open = || {
        let connection =
            Connection::open_with_flags(path, flags | OpenFlags::SQLITE_OPEN_NO_MUTEX)?;
        connection.busy_timeout(Duration::from_secs(10))?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS);
        rusqlite::vtab::array::load_module(&connection)?;
        if flags.contains(OpenFlags::SQLITE_OPEN_READ_WRITE) {
            connection.pragma_update(None, "journal_mode", "wal")?;
            connection.pragma_update(None, "synchronous", "full")?;
        }
        connection.pragma_update(None, "case_sensitive_like", true)?;
        connection.pragma_update(None, "cache_size", -4000)?;
        connection.pragma_update(None, "temp_store", "memory")?;
        Ok(connection)
    };
    open().map_err(|error: rusqlite::Error| {
        TrackingError::new(
            crate::ErrorCode::TemporarilyUnavailable,
            format!(
                "the database `{}` cannot be opened: {error}",
                path.display()
            ),
        )
    })
}

fn write_groups(connection: &Connection, waiting: &mpsc::Receiver<Job>) {
    while let Ok(first) = waiting.recv() {
        if let Err(error) = execute(connection, "BEGIN IMMEDIATE", &[]) {
            let result = first(connection);
            // Without a transaction the savepoint was one of its own: it is undone by closing nothing, so say no.
            result(Err(error));
            continue;
        }
        let begun = Instant::now();
        let mut answers = vec![first(connection)];
        while answers.len() < GROUP && begun.elapsed() < GROUP_TIME {
            match waiting.try_recv() {
                Ok(job) => answers.push(job(connection)),
                Err(_) => break,
            }
        }
        let committed = execute(connection, "COMMIT", &[]).map(drop);
        if committed.is_err() {
            let _ = execute(connection, "ROLLBACK", &[]);
        }
        for answer in answers {
            answer(committed.clone());
        }
    }
}

/// Does work of which nothing remains if it fails, whatever else is in the transaction.
fn in_savepoint<T>(
    connection: &Connection,
    work: &impl Fn(&mut Session<'_>) -> Result<T>,
) -> Result<T> {
    if connection.is_autocommit() {
        return Err(super::unavailable(&"no transaction"));
    }
    execute(connection, "SAVEPOINT work", &[])?;
    let result = catch_unwind(AssertUnwindSafe(|| work(&mut Session::Sqlite(connection))))
        .unwrap_or_else(|_| Err(TrackingError::internal("a write", &"panic")));
    if result.is_err() {
        execute(connection, "ROLLBACK TO work", &[])?;
    }
    execute(connection, "RELEASE work", &[])?;
    result
}

fn within<T>(connection: &Connection, work: impl Fn(&mut Session<'_>) -> Result<T>) -> Result<T> {
    execute(connection, "BEGIN IMMEDIATE", &[])?;
    let result = work(&mut Session::Sqlite(connection));
    execute(
        connection,
        if result.is_ok() { "COMMIT" } else { "ROLLBACK" },
        &[],
    )?;
    result
}

/// SQLite has no arrays; a table of values takes their place.
fn dialect(sql: &str) -> Cow<'_, str> {
    if sql.contains("= ANY(?)") {
        sql.replace("= ANY(?)", "IN rarray(?)").into()
    } else {
        sql.into()
    }
}

pub(super) fn execute(connection: &Connection, sql: &str, parameters: &[Value]) -> Result<u64> {
    let run = || {
        let mut statement = connection.prepare_cached(&dialect(sql))?;
        statement.execute(params_from_iter(parameters))
    };
    run()
        .map(|rows| rows as u64)
        .map_err(|error| failed(&error))
}

pub(super) fn execute_each(connection: &Connection, sql: &str, rows: &[Vec<Value>]) -> Result<()> {
    let run = || {
        let mut statement = connection.prepare_cached(&dialect(sql))?;
        for row in rows {
            statement.execute(params_from_iter(row))?;
        }
        Ok(())
    };
    run().map_err(|error| failed(&error))
}

pub(super) fn query<T>(
    connection: &Connection,
    sql: &str,
    parameters: &[Value],
    read: &mut impl FnMut(&Row<'_>) -> Result<T>,
) -> Result<Vec<T>> {
    let mut statement = connection
        .prepare_cached(&dialect(sql))
        .map_err(|error| failed(&error))?;
    let mut rows = statement
        .query(params_from_iter(parameters))
        .map_err(|error| failed(&error))?;
    let mut results = Vec::new();
    while let Some(row) = rows.next().map_err(|error| failed(&error))? {
        results.push(read(&Row::Sqlite(row))?);
    }
    Ok(results)
}

pub(super) fn failed(error: &rusqlite::Error) -> TrackingError {
    match error.sqlite_error_code() {
        Some(
            rusqlite::ErrorCode::DatabaseBusy
            | rusqlite::ErrorCode::DiskFull
            | rusqlite::ErrorCode::SystemIoFailure,
        ) => super::unavailable(error),
        _ => TrackingError::internal("a query", error),
    }
}
