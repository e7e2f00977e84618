//! Connections to the file, with the settings that all of them have.

use std::path::Path;
use std::time::Duration;

use rusqlite::config::DbConfig;
use rusqlite::{Connection, OpenFlags};

use crate::database::error::OpenError;

/// `application_id` of our files: "Vest" in ASCII.
const APPLICATION_ID: i32 = i32::from_be_bytes(*b"Vest");
/// How long a statement waits for another process that has locked the file, such as `vestibule users`.
const BUSY_TIMEOUT: Duration = Duration::from_secs(5);
/// Prepared statements that a connection keeps: more than we have.
const STATEMENTS_MAX: usize = 256;
/// The write-ahead log is cut to this size when it has been copied into the database.
const LOG_BYTES_MAX: u32 = 16 << 20;

/// The connection that writes. Makes the file ours if it is new.
pub(super) fn writing(path: &Path) -> Result<Connection, OpenError> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let result = || -> rusqlite::Result<bool> {
        let id: i32 = connection.pragma_query_value(None, "application_id", |row| row.get(0))?;
        let is_empty: bool = connection.query_row("SELECT count(*) = 0 FROM sqlite_schema", (), |row| row.get(0))?;
        if id != APPLICATION_ID {
            if id != 0 || !is_empty {
                return Ok(false);
            }
            connection.pragma_update(None, "application_id", APPLICATION_ID)?;
        }
        // Readers and the writer do not wait for each other.
        connection.pragma_update_and_check(None, "journal_mode", "wal", |_| Ok(()))?;
        // A commit is on the disk before it is acknowledged. With `normal`, a loss of power could take the last commits back.
        connection.pragma_update(None, "synchronous", "full")?;
        connection.pragma_update(None, "journal_size_limit", LOG_BYTES_MAX)?;
        // What was deleted is overwritten.
        connection.pragma_update(None, "secure_delete", true)?;
        Ok(true)
    };
    match result() {
        Ok(true) => Ok(connection),
        Ok(false) => Err(OpenError::Foreign(path.to_owned())),
        Err(error) if error.sqlite_error_code() == Some(rusqlite::ErrorCode::NotADatabase) => {
            Err(OpenError::Foreign(path.to_owned()))
        }
        Err(source) => Err(OpenError::Sqlite { path: path.to_owned(), source }),
    }
}

/// A connection that reads.
pub(super) fn reading(path: &Path) -> Result<Connection, OpenError> {
    let connection = open(path, OpenFlags::SQLITE_OPEN_READ_WRITE)?;
    let failed = |source| OpenError::Sqlite { path: path.to_owned(), source };
    // Not opened read-only: in that mode nobody could read a log that a killed process has left.
    connection.pragma_update(None, "query_only", true).map_err(failed)?;
    Ok(connection)
}

fn open(path: &Path, mode: OpenFlags) -> Result<Connection, OpenError> {
    let failed = |source| OpenError::Sqlite { path: path.to_owned(), source };
    // Each connection is used by one thread at a time.
    let flags = mode | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_EXRESCODE;
    let connection = Connection::open_with_flags(path, flags).map_err(failed)?;
    let set = || -> rusqlite::Result<()> {
        connection.busy_timeout(BUSY_TIMEOUT)?;
        connection.set_prepared_statement_cache_capacity(STATEMENTS_MAX);
        connection.pragma_update(None, "foreign_keys", true)?;
        connection.pragma_update(None, "temp_store", "memory")?;
        // What the file says is data, never a program: neither functions in views nor changes of the schema behind our back.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        // "text" in double quotes is a column, never a text.
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DML, false)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DQS_DDL, false)?;
        Ok(())
    };
    set().map_err(failed)?;
    Ok(connection)
}
