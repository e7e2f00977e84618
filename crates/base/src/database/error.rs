//! Why a database cannot be opened, and why a transaction fails.

use std::io;
use std::path::PathBuf;

/// Why a transaction fails. It has changed nothing then.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Too many transactions are waiting.
    #[error("too many transactions are waiting for the database")]
    Busy,
    /// SQLite refuses or cannot read or write the file.
    #[error("the database fails")]
    Failed(#[source] rusqlite::Error),
    /// The commit failed, so none of the transactions that were committed together has changed anything.
    #[error("the database cannot commit")]
    Commit(#[source] std::sync::Arc<rusqlite::Error>),
    /// A value in a row is not what the statement is written for.
    #[error("column {column} of a row is {found}, not {expected}")]
    Unexpected { column: usize, expected: &'static str, found: &'static str },
    /// A text in a column is not what it must be, for example a status.
    #[error("a value in the database is not a {0}")]
    Malformed(&'static str),
    /// A column does not open: the row was changed by somebody else, or its key is gone.
    #[error("an encrypted column of {table} cannot be decrypted")]
    Sealed { table: &'static str },
    /// The function of the transaction panicked. The panic was logged where it happened.
    #[error("a transaction was abandoned because of a bug")]
    Panicked,
    /// The database is closed, because the process ends.
    #[error("the database is closed")]
    Closed,
    /// A copy cannot be written.
    #[error("the copy cannot be written to {path}")]
    Backup {
        path: PathBuf,
        #[source]
        source: Box<dyn std::error::Error + Send + Sync>,
    },
}

impl From<rusqlite::Error> for Error {
    fn from(error: rusqlite::Error) -> Self {
        Self::Failed(error)
    }
}

/// Why a database cannot be opened.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// Another process has it open.
    #[error("another process of Vestibule uses the database {0}: stop it first, or give each its own file")]
    InUse(PathBuf),
    /// The file, or its directory, cannot be opened or created.
    #[error("the database {path} cannot be opened: {source}")]
    File { path: PathBuf, source: io::Error },
    /// It is a database of another program, or no database.
    #[error("{0} is not a database of Vestibule")]
    Foreign(PathBuf),
    /// SQLite refuses.
    #[error("the database {path} cannot be opened")]
    Sqlite {
        path: PathBuf,
        #[source]
        source: rusqlite::Error,
    },
    /// A newer release has changed the tables.
    #[error(
        "the database has version {found} of the tables, and this release knows {known}: use the newer release of Vestibule again, or a backup \
         from before the update"
    )]
    Newer { found: usize, known: usize },
    /// The process that serves is of an older release.
    #[error(
        "the process that serves has version {found} of the tables, and this release needs {known}: run the command of the same release, or stop \
         the process first"
    )]
    Older { found: usize, known: usize },
    /// The tables were made by other statements than ours.
    #[error(
        "version {0} of the tables of the database is not the one of this release: it was made by a build that was never released"
    )]
    Changed(usize),
    /// A migration fails.
    #[error("the tables of the database cannot be brought to version {version}")]
    Migration {
        version: u32,
        #[source]
        source: rusqlite::Error,
    },
    /// Encrypted columns do not open with the given keys.
    #[error("no key of `store.key_files` decrypts the database: add the key that it was encrypted with")]
    WrongKey,
    /// What must be known before the first request cannot be read.
    #[error("the database cannot be read")]
    Unreadable(#[source] Error),
    /// A thread cannot be started.
    #[error("the thread of the database cannot be started: {0}")]
    Thread(io::Error),
}
