//! A connection inside a transaction, and the values that go in and out.

use std::rc::Rc;

use rusqlite::types::{ToSqlOutput, Value as Owned, ValueRef};
use tokio_postgres::types::Type;

use super::postgres::Connection;
use super::{Result, sqlite};
use crate::TrackingError;

/// A parameter of a statement.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Value {
    Null,
    Integer(i64),
    Real(f64),
    Text(String),
    /// For `= ANY(?)`.
    Integers(Vec<i64>),
    /// For `= ANY(?)`.
    Texts(Vec<String>),
}

impl From<i64> for Value {
    fn from(value: i64) -> Self {
        Self::Integer(value)
    }
}

impl From<f64> for Value {
    fn from(value: f64) -> Self {
        Self::Real(value)
    }
}

impl From<bool> for Value {
    fn from(value: bool) -> Self {
        Self::Integer(i64::from(value))
    }
}

impl From<&str> for Value {
    fn from(value: &str) -> Self {
        Self::Text(value.to_owned())
    }
}

impl From<String> for Value {
    fn from(value: String) -> Self {
        Self::Text(value)
    }
}

impl From<&String> for Value {
    fn from(value: &String) -> Self {
        Self::Text(value.clone())
    }
}

impl From<Vec<i64>> for Value {
    fn from(values: Vec<i64>) -> Self {
        Self::Integers(values)
    }
}

impl From<Vec<String>> for Value {
    fn from(values: Vec<String>) -> Self {
        Self::Texts(values)
    }
}

impl<T: Into<Value>> From<Option<T>> for Value {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Into::into)
    }
}

/// Parameters from values of different types.
macro_rules! values {
    ($($value:expr),* $(,)?) => { [$($crate::database::Value::from($value)),*] };
}
pub(crate) use values;

/// What work runs on.
pub(crate) enum Session<'a> {
    Sqlite(&'a rusqlite::Connection),
    Postgres(&'a mut Connection),
}

impl Session<'_> {
    /// Runs a statement; how many rows it changed.
    pub(crate) fn execute(&mut self, sql: &str, parameters: &[Value]) -> Result<u64> {
        match self {
            Self::Sqlite(connection) => sqlite::execute(connection, sql, parameters),
            Self::Postgres(connection) => connection.execute(sql, parameters),
        }
    }

    /// Runs a statement once for each row of parameters.
    pub(crate) fn execute_each(&mut self, sql: &str, rows: &[Vec<Value>]) -> Result<()> {
        match self {
            Self::Sqlite(connection) => sqlite::execute_each(connection, sql, rows),
            Self::Postgres(connection) => connection.execute_each(sql, rows),
        }
    }

    /// Runs a query and reads each row.
    pub(crate) fn query<T>(
        &mut self,
        sql: &str,
        parameters: &[Value],
        mut read: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Vec<T>> {
        match self {
            Self::Sqlite(connection) => sqlite::query(connection, sql, parameters, &mut read),
            Self::Postgres(connection) => {
                let rows = connection.query(sql, parameters)?;
                rows.iter().map(|row| read(&Row::Postgres(row))).collect()
            }
        }
    }

    /// The first row of a query.
    pub(crate) fn query_first<T>(
        &mut self,
        sql: &str,
        parameters: &[Value],
        read: impl FnMut(&Row<'_>) -> Result<T>,
    ) -> Result<Option<T>> {
        Ok(self.query(sql, parameters, read)?.into_iter().next())
    }

    /// The one number that a statement with `RETURNING` or `count` gives.
    pub(crate) fn number(&mut self, sql: &str, parameters: &[Value]) -> Result<i64> {
        let number = self.query_first(sql, parameters, |row| row.integer(0))?;
        number.ok_or_else(|| TrackingError::internal("a query", &"no row"))
    }

    /// What makes a `SELECT` keep others from changing its rows until the transaction ends. In SQLite a transaction that
    /// writes is alone anyway.
    pub(crate) fn lock(&self) -> &'static str {
        match self {
            Self::Sqlite(_) => "",
            Self::Postgres(_) => " FOR UPDATE",
        }
    }

    /// Lets numbers that the database gives go on after those that were given by hand.
    pub(crate) fn advance(&mut self, table: &'static str) -> Result<()> {
        match self {
            // It takes the greatest there is, and one more.
            Self::Sqlite(_) => Ok(()),
            Self::Postgres(connection) => connection.batch(&format!(
                "SELECT setval(pg_get_serial_sequence('{table}', 'id'), (SELECT max(id) + 1 FROM {table}), false)"
            )),
        }
    }

    /// Whether the database has a table of this name.
    pub(crate) fn has_table(&mut self, name: &str) -> Result<bool> {
        let sql = match self {
            Self::Sqlite(_) => {
                "SELECT count(*) FROM sqlite_master WHERE type = 'table' AND name = ?"
            }
            Self::Postgres(_) => {
                "SELECT count(*) FROM information_schema.tables WHERE table_name = ?"
            }
        };
        Ok(self.number(sql, &values![name])? > 0)
    }

    /// Runs several statements without parameters.
    pub(super) fn batch(&mut self, sql: &str) -> Result<()> {
        match self {
            Self::Sqlite(connection) => connection
                .execute_batch(sql)
                .map_err(|error| sqlite::failed(&error)),
            Self::Postgres(connection) => connection.batch(sql),
        }
    }
}

/// A row of a result.
pub(crate) enum Row<'a> {
    Sqlite(&'a rusqlite::Row<'a>),
    Postgres(&'a tokio_postgres::Row),
}

macro_rules! column {
    ($name:ident, $optional:ident, $type:ty) => {
        /// A column that has a value.
        pub(crate) fn $name(&self, index: usize) -> Result<$type> {
            match self {
                Self::Sqlite(row) => row.get(index).map_err(|error| sqlite::failed(&error)),
                Self::Postgres(row) => row
                    .try_get(index)
                    .map_err(|error| TrackingError::internal("a row", &error)),
            }
        }

        /// A column that may have none.
        pub(crate) fn $optional(&self, index: usize) -> Result<Option<$type>> {
            match self {
                Self::Sqlite(row) => row.get(index).map_err(|error| sqlite::failed(&error)),
                Self::Postgres(row) => row
                    .try_get(index)
                    .map_err(|error| TrackingError::internal("a row", &error)),
            }
        }
    };
}

#[allow(dead_code, reason = "each type has both forms")]
impl Row<'_> {
    column!(real, optional_real, f64);
    column!(text, optional_text, String);

    /// A whole number that is there.
    pub(crate) fn integer(&self, index: usize) -> Result<i64> {
        let number = self.optional_integer(index)?;
        number.ok_or_else(|| TrackingError::internal("a row", &"no number"))
    }

    /// A whole number, if it is there. PostgreSQL has several widths of them, and gives constants the narrower.
    pub(crate) fn optional_integer(&self, index: usize) -> Result<Option<i64>> {
        match self {
            Self::Sqlite(row) => row.get(index).map_err(|error| sqlite::failed(&error)),
            Self::Postgres(row) if row.columns()[index].type_() == &Type::INT4 => {
                let number: Option<i32> = got(row.try_get(index))?;
                Ok(number.map(i64::from))
            }
            Self::Postgres(row) => got(row.try_get(index)),
        }
    }

    /// A column of 0 and 1.
    pub(crate) fn truth(&self, index: usize) -> Result<bool> {
        Ok(self.integer(index)? != 0)
    }

    /// Text without a copy of it.
    pub(crate) fn str(&self, index: usize) -> Result<&str> {
        match self {
            Self::Sqlite(row) => match row.get_ref(index) {
                Ok(ValueRef::Text(text)) => std::str::from_utf8(text)
                    .map_err(|error| TrackingError::internal("a row", &error)),
                Ok(_) => Err(TrackingError::internal("a row", &"no text")),
                Err(error) => Err(sqlite::failed(&error)),
            },
            Self::Postgres(row) => row
                .try_get(index)
                .map_err(|error| TrackingError::internal("a row", &error)),
        }
    }
}

impl rusqlite::ToSql for Value {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        let borrowed = |value| Ok(ToSqlOutput::Borrowed(value));
        match self {
            Self::Null => borrowed(ValueRef::Null),
            Self::Integer(value) => borrowed(ValueRef::Integer(*value)),
            Self::Real(value) => borrowed(ValueRef::Real(*value)),
            Self::Text(value) => borrowed(ValueRef::Text(value.as_bytes())),
            Self::Integers(values) => Ok(array(values.iter().copied().map(Owned::Integer))),
            Self::Texts(values) => Ok(array(values.iter().cloned().map(Owned::Text))),
        }
    }
}

fn got<T>(value: std::result::Result<T, tokio_postgres::Error>) -> Result<T> {
    value.map_err(|error| TrackingError::internal("a row", &error))
}

/// A table of values for `rarray`, under the name by which it knows them.
fn array(values: impl Iterator<Item = Owned>) -> ToSqlOutput<'static> {
    ToSqlOutput::from_rc(Rc::new(values.collect::<Vec<Owned>>()), c"rarray")
}
