//! A database in this process: tables and transactions on SQLite, in one file.
//!
//! This room knows no table of anybody. A room that stores something brings its [`Migration`]s and its statements, and writes each use
//! case as a function over a [`Transaction`]: synchronous, without network and without hashing. [`Database`] decides when the function
//! runs. What a [`write`](Database::write) has returned is on the disk. Start at [`Database::open`].
//!
//! Statements keep to what PostgreSQL knows as well: TEXT, INTEGER, BLOB, `ON CONFLICT`, `RETURNING`, placeholders `?1`.
//! See docs/decisions/0092-a-database-in-the-process.md.

mod backup;
mod commits;
mod error;
mod file;
mod migration;
mod opening;
mod readers;
mod transaction;
mod value;
mod vault;
mod writer;

use std::path::{Path, PathBuf};

use rusqlite::{Connection, TransactionBehavior};

use crate::clock::Timestamp;

pub use commits::Commits;
pub use error::{Error, OpenError};
pub use migration::Migration;
pub use transaction::Transaction;
pub use value::{Row, Value};
pub use vault::{Place, Vault};

use file::Lock;
pub use file::Others;
use readers::Readers;
use writer::Writer;

/// An open database.
#[derive(Debug)]
pub struct Database {
    path: PathBuf,
    writer: Writer,
    readers: Readers,
    /// Held by a process that serves, as long as the database is open.
    _lock: Option<Lock>,
}

impl Database {
    /// Opens the file at `path`, creates it if it does not exist, and applies the migrations that it has not had. Blocks. While another process
    /// serves, nothing is migrated.
    ///
    /// # Errors
    ///
    /// [`OpenError`] says what an operator can do.
    pub fn open(path: &Path, migrations: &[Migration], others: Others, now: Timestamp) -> Result<Self, OpenError> {
        let lock = Lock::take(path, others)?;
        file::create(path)?;
        let mut connection = opening::writing(path)?;
        if lock.is_held() {
            migration::apply(&mut connection, migrations, now)?;
        } else {
            migration::check(&mut connection, migrations)?;
        }
        let readers = Readers::open(path)?;
        // A command holds it only while it may change the tables: a process that starts meanwhile must not be refused.
        let lock = (others != Others::Server).then_some(lock);
        Ok(Self { path: path.to_owned(), writer: Writer::start(connection)?, readers, _lock: lock })
    }

    /// The file.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Checks that `vault` decrypts what was encrypted before, and that it always will: before anything is encrypted with other keys. Blocks.
    ///
    /// # Errors
    ///
    /// [`OpenError::WrongKey`] if it does not.
    pub fn unlock(&self, vault: &Vault) -> Result<(), OpenError> {
        vault::check(&opening::writing(&self.path)?, vault)
    }

    /// Runs `work` on what was committed last, without any change of others meanwhile. It cannot write.
    ///
    /// If the future is dropped, the result is lost.
    ///
    /// # Errors
    ///
    /// The error of `work`, or why it could not run.
    pub async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.readers.run(work).await
    }

    /// Runs `work` and commits. When this returns `Ok`, the changes survive a loss of power. If `work` fails, nothing has changed.
    ///
    /// Writes run one after the other, so what `work` has read is still true when it commits. If the future is dropped while `work` waits
    /// for its turn, it does not run; afterwards it runs, and its result is lost.
    ///
    /// # Errors
    ///
    /// The error of `work`, or why it could not run or commit.
    pub async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<T, Error> + Send + 'static,
    ) -> Result<T, Error> {
        self.writer.run(work).await
    }

    /// The same as [`read`](Self::read), for who cannot wait for a future. Blocks, on a connection of its own.
    ///
    /// # Errors
    ///
    /// The error of `work`, or why it could not run.
    pub fn read_blocking<T>(&self, work: impl FnOnce(&mut Transaction<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let connection = opening::reading(&self.path).map_err(|error| match error {
            OpenError::Sqlite { source, .. } => Error::Failed(source),
            _ => Error::Closed,
        })?;
        let _transaction = connection.unchecked_transaction()?;
        work(&mut Transaction::new(&connection))
    }

    /// The same as [`write`](Self::write), for who cannot wait for a future. Blocks, on a connection of its own.
    ///
    /// # Errors
    ///
    /// The error of `work`, or why it could not run or commit.
    pub fn write_blocking<T>(&self, work: impl FnOnce(&mut Transaction<'_>) -> Result<T, Error>) -> Result<T, Error> {
        let mut connection = self.another()?;
        let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate)?;
        let done = work(&mut Transaction::new(&transaction))?;
        transaction.commit()?;
        Ok(done)
    }

    /// Empties the write-ahead log, which keeps what was deleted until it is written over. Blocks: it waits up to five seconds for those who read.
    /// `false`: somebody read for longer, so the log is as it was.
    ///
    /// # Errors
    ///
    /// If the file cannot be written.
    pub fn empty_log(&self) -> Result<bool, Error> {
        let is_busy: i64 = self.another()?.query_row("PRAGMA wal_checkpoint(TRUNCATE)", (), |row| row.get(0))?;
        Ok(is_busy == 0)
    }

    /// Another connection that writes.
    fn another(&self) -> Result<Connection, Error> {
        opening::writing(&self.path).map_err(|error| match error {
            OpenError::Sqlite { source, .. } => Error::Failed(source),
            _ => Error::Closed,
        })
    }

    /// Tells of commits from now on, also of other processes. Blocks.
    ///
    /// # Errors
    ///
    /// If the file cannot be read, or no thread can be started.
    pub fn commits(&self) -> Result<Commits, OpenError> {
        Commits::watch(&self.path)
    }

    /// Writes a copy of the database to a new file, while it is in use. It has what was committed before.
    ///
    /// # Errors
    ///
    /// [`Error::Backup`] if the file exists or cannot be written.
    pub async fn back_up(&self, to: &Path, now: Timestamp) -> Result<(), Error> {
        let to = to.to_owned();
        self.readers.with(move |connection| backup::write(connection, &to, now)).await
    }
}

#[cfg(test)]
mod tests;
