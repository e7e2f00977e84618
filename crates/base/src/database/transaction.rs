//! What a use case does its statements with.

use rusqlite::{Connection, params_from_iter};

use crate::clock::Timestamp;
use crate::database::error::Error;
use crate::database::value::{Row, Value};

/// A transaction that has begun. [`Database`](super::Database) commits it when its function has returned `Ok`.
#[derive(Debug)]
pub struct Transaction<'c>(&'c Connection);

impl<'c> Transaction<'c> {
    pub(super) fn new(connection: &'c Connection) -> Self {
        Self(connection)
    }

    /// Runs a statement and returns its rows. `?1` in `sql` is the first of `values`.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] if the statement fails.
    pub fn query(&mut self, sql: &str, values: &[Value<'_>]) -> Result<Vec<Row>, Error> {
        let mut statement = self.0.prepare_cached(sql)?;
        let columns = statement.column_count();
        let mut rows = statement.query(params_from_iter(values))?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            all.push(Row::read(row, columns)?);
        }
        Ok(all)
    }

    /// Runs a statement and returns its only row, if it has one. A second row is a bug of the statement.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] if the statement fails.
    pub fn query_one(&mut self, sql: &str, values: &[Value<'_>]) -> Result<Option<Row>, Error> {
        let mut rows = self.query(sql, values)?;
        debug_assert!(rows.len() <= 1, "{} rows of a statement for one: {sql}", rows.len());
        Ok(rows.pop())
    }

    /// When the copy was made that this database was, before anybody served from it. Only once, so that whoever asks can end what must not come back
    /// to life. `None`: the database is no copy.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] if the database fails.
    pub fn take_copy_mark(&mut self) -> Result<Option<Timestamp>, Error> {
        let row = self.query_one("DELETE FROM copy_mark WHERE id = 1 RETURNING made_at", &[])?;
        row.map(|mut row| row.timestamp(0)).transpose()
    }

    /// Runs a statement without rows. Returns how many rows of the table it has inserted, changed or deleted.
    ///
    /// # Errors
    ///
    /// [`Error::Failed`] if the statement fails.
    pub fn execute(&mut self, sql: &str, values: &[Value<'_>]) -> Result<usize, Error> {
        Ok(self.0.prepare_cached(sql)?.execute(params_from_iter(values))?)
    }
}
