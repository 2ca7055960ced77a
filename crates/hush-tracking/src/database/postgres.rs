//! PostgreSQL: a pool of connections, each with its prepared statements.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::try_join_all;
use tokio::runtime::Handle;
use tokio::sync::Semaphore;
use tokio_postgres::config::SslMode;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{IsNull, ToSql, Type, private::BytesMut, to_sql_checked};
use tokio_postgres::{Client, Config, Error, NoTls, Statement};

use super::{Result, Session, Value, blocking, migrate, tls, unavailable};
use crate::{ErrorCode, TrackingError};

/// Connections at once.
const CONNECTIONS: usize = 16;
/// How often work is done again that the database wants so.
const ATTEMPTS: usize = 10;
/// Statements that a connection keeps ready.
const STATEMENTS: usize = 256;

pub(super) struct Postgres {
    config: Config,
    connector: tls::Connector,
    spare: Arc<Mutex<Vec<Connection>>>,
    permits: Arc<Semaphore>,
}

impl Postgres {
    pub(super) async fn open(uri: &str, upgrade: bool) -> Result<Self> {
        let postgres = Self::source(uri)?;
        postgres
            .run(true, move |session| {
                // Of several servers that start, one makes the tables.
                session.batch("SELECT pg_advisory_xact_lock(4850743)")?;
                migrate::migrate(session, upgrade)
            })
            .await?;
        Ok(postgres)
    }

    /// A database whose tables nobody looks at before it is used.
    pub(super) fn source(uri: &str) -> Result<Self> {
        let (uri, connector) = tls::connector(uri)?;
        let config: Config = uri.parse().map_err(|error| {
            TrackingError::invalid(format!("the store's address cannot be read: {error}"))
        })?;
        Ok(Self {
            config,
            connector,
            spare: Arc::default(),
            permits: Arc::new(Semaphore::new(CONNECTIONS)),
        })
    }

    pub(super) async fn run<T, W>(&self, writes: bool, work: W) -> Result<T>
    where
        T: Send + 'static,
        W: Fn(&mut Session<'_>) -> Result<T> + Send + 'static,
    {
        let permit = Arc::clone(&self.permits).acquire_owned().await;
        let permit = permit.map_err(|error| TrackingError::internal("a connection", &error))?;
        let spare = lock(&self.spare).pop();
        let mut connection = match spare {
            Some(connection) if !connection.client.is_closed() => connection,
            _ => Connection::open(&self.config, &self.connector).await?,
        };
        let spare = Arc::clone(&self.spare);
        blocking(move || {
            let _permit = permit;
            let result = attempt(&mut connection, writes, &work);
            if !connection.broken {
                lock(&spare).push(connection);
            }
            result
        })
        .await
    }
}

fn lock(spare: &Mutex<Vec<Connection>>) -> std::sync::MutexGuard<'_, Vec<Connection>> {
    spare.lock().unwrap_or_else(PoisonError::into_inner)
}

fn attempt<T>(
    connection: &mut Connection,
    writes: bool,
    work: &impl Fn(&mut Session<'_>) -> Result<T>,
) -> Result<T> {
    if !writes {
        return work(&mut Session::Postgres(connection));
    }
    let mut left = ATTEMPTS;
    loop {
        left -= 1;
        connection.again = false;
        connection.batch("BEGIN")?;
        let result = work(&mut Session::Postgres(connection));
        let ended = connection.batch(if result.is_ok() { "COMMIT" } else { "ROLLBACK" });
        if connection.broken {
            return result.and_then(|_| Err(unavailable(&"the connection is lost")));
        }
        match (result, ended) {
            (Ok(result), Ok(())) => return Ok(result),
            (Err(error), _) | (Ok(_), Err(error)) if !connection.again || left == 0 => {
                return Err(error);
            }
            _ => {}
        }
    }
}

pub(crate) struct Connection {
    client: Client,
    statements: HashMap<String, Statement>,
    handle: Handle,
    /// Never to be used again.
    broken: bool,
    /// The transaction lost to another, and may win the next time.
    again: bool,
}

impl Connection {
    async fn open(config: &Config, connector: &tls::Connector) -> Result<Self> {
        let client = if config.get_ssl_mode() == SslMode::Disable {
            connected(config.connect(NoTls).await)?
        } else {
            connected(config.connect(connector.clone()).await)?
        };
        client
            .batch_execute(
                "SET default_transaction_isolation = 'read committed'; SET timezone = 'UTC'",
            )
            .await
            .map_err(|error| unavailable(&error))?;
        Ok(Self {
            client,
            statements: HashMap::new(),
            handle: Handle::current(),
            broken: false,
            again: false,
        })
    }

    fn note(&mut self, error: &Error) -> TrackingError {
        if error.is_closed() {
            self.broken = true;
            return unavailable(error);
        }
        match error.code() {
            Some(code)
                if *code == SqlState::T_R_SERIALIZATION_FAILURE
                    || *code == SqlState::T_R_DEADLOCK_DETECTED =>
            {
                self.again = true;
                TrackingError::new(
                    ErrorCode::ResourceConflict,
                    "others wrote the same at the same time; try again",
                )
            }
            // Two that make the same thing: the second finds it when it tries again.
            Some(code) if *code == SqlState::UNIQUE_VIOLATION => {
                self.again = true;
                TrackingError::new(
                    ErrorCode::ResourceConflict,
                    "others made the same at the same time; try again",
                )
            }
            Some(_) => TrackingError::internal("a query", &detail(error)),
            None => {
                // Not what the database says: nobody knows what it did.
                self.broken = true;
                unavailable(&detail(error))
            }
        }
    }

    fn statement(&mut self, sql: &str) -> Result<Statement> {
        if let Some(statement) = self.statements.get(sql) {
            return Ok(statement.clone());
        }
        let numbered = numbered(sql);
        let prepared = self.handle.block_on(self.client.prepare(&numbered));
        let statement = prepared.map_err(|error| self.note(&error))?;
        if self.statements.len() >= STATEMENTS {
            self.statements.clear();
        }
        self.statements.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    pub(super) fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64> {
        let statement = self.statement(sql)?;
        let run = self.client.execute_raw(&statement, parameters);
        let done = self.handle.block_on(run);
        done.map_err(|error| self.note(&error))
    }

    /// All rows travel at once.
    pub(super) fn execute_each(&mut self, sql: &str, rows: &[Vec<Value>]) -> Result<()> {
        let statement = self.statement(sql)?;
        let runs = rows
            .iter()
            .map(|row| self.client.execute_raw(&statement, row));
        let done = self.handle.block_on(try_join_all(runs));
        done.map(drop).map_err(|error| self.note(&error))
    }

    pub(super) fn query(
        &mut self,
        sql: &str,
        parameters: &[Value],
    ) -> Result<Vec<tokio_postgres::Row>> {
        let statement = self.statement(sql)?;
        let parameters: Vec<&(dyn ToSql + Sync)> =
            parameters.iter().map(|value| value as _).collect();
        let done = self
            .handle
            .block_on(self.client.query(&statement, &parameters));
        done.map_err(|error| self.note(&error))
    }

    pub(super) fn batch(&mut self, sql: &str) -> Result<()> {
        let done = self.handle.block_on(self.client.batch_execute(sql));
        done.map_err(|error| self.note(&error))
    }
}

fn detail(error: &Error) -> String {
    use std::error::Error as _;
    match error.source() {
        Some(source) => format!("{error}: {source}"),
        None => error.to_string(),
    }
}

fn connected<S, T>(
    connected: std::result::Result<(Client, tokio_postgres::Connection<S, T>), Error>,
) -> Result<Client>
where
    S: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
    T: tokio::io::AsyncRead + tokio::io::AsyncWrite + Unpin + Send + 'static,
{
    let (client, connection) = connected.map_err(|error| unavailable(&detail(&error)))?;
    tokio::spawn(async move {
        if let Err(error) = connection.await {
            tracing::warn!(%error, "a connection to the database ended");
        }
    });
    Ok(client)
}

/// `?` becomes `$1`, `$2` …
fn numbered(sql: &str) -> String {
    let mut text = String::with_capacity(sql.len() + 16);
    for (number, part) in sql.split('?').enumerate() {
        if number > 0 {
            text.push('$');
            text.push_str(&number.to_string());
        }
        text.push_str(part);
    }
    text
}

impl ToSql for Value {
    fn to_sql(
        &self,
        kind: &Type,
        out: &mut BytesMut,
    ) -> std::result::Result<IsNull, Box<dyn std::error::Error + Sync + Send>> {
        match self {
            Self::Null => Ok(IsNull::Yes),
            Self::Integer(value) if *kind == Type::INT4 => i32::try_from(*value)?.to_sql(kind, out),
            Self::Integer(value) if *kind == Type::FLOAT8 => (*value as f64).to_sql(kind, out),
            Self::Integer(value) => value.to_sql(kind, out),
            // Where a search compares a whole number with a fraction.
            Self::Real(value) if *kind == Type::INT8 => (*value as i64).to_sql(kind, out),
            Self::Real(value) => value.to_sql(kind, out),
            Self::Text(value) => value.to_sql(kind, out),
            Self::Integers(values) => values.to_sql(kind, out),
            Self::Texts(values) => values.to_sql(kind, out),
        }
    }

    /// The schema has four types, and each column gets its own.
    fn accepts(_: &Type) -> bool {
        true
    }

    to_sql_checked!();
}
