//! Brings the tables of a database to the version of this release. Forwards only.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use rusqlite::{Connection, TransactionBehavior, params};

use crate::clock::Timestamp;
use crate::crypto::octets;
use crate::database::error::OpenError;

/// One step. A step that was released is never changed: its statements are compared with those that made the database.
#[derive(Clone, Copy, Debug)]
pub struct Migration {
    /// Its statements.
    pub sql: &'static str,
}

impl Migration {
    fn checksum(&self) -> String {
        STANDARD_NO_PAD.encode(octets::sha256(self.sql.as_bytes()))
    }
}

/// The tables of this room.
const OWN: &str = "
CREATE TABLE IF NOT EXISTS schema_versions (
    version INTEGER PRIMARY KEY,
    checksum TEXT NOT NULL,
    applied_at INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS sealed_probe (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    sealed BLOB NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS copy_mark (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    made_at INTEGER NOT NULL
) STRICT;
";

/// Applies the steps that the database has not had. Version 1 is the first of `migrations`. Either all of them are applied, or none.
pub(super) fn apply(connection: &mut Connection, migrations: &[Migration], now: Timestamp) -> Result<(), OpenError> {
    let failed = |version| move |source| OpenError::Migration { version, source };
    let transaction = connection.transaction_with_behavior(TransactionBehavior::Immediate).map_err(failed(0))?;
    transaction.execute_batch(OWN).map_err(failed(0))?;
    let applied = compare(&transaction, migrations)?;
    for (version, migration) in (1..).zip(migrations).skip(applied) {
        transaction.execute_batch(migration.sql).map_err(failed(version))?;
        let at = i64::try_from(now.millis()).unwrap_or(i64::MAX);
        let sql = "INSERT INTO schema_versions (version, checksum, applied_at) VALUES (?1, ?2, ?3)";
        transaction.execute(sql, params![version, migration.checksum(), at]).map_err(failed(version))?;
    }
    transaction.commit().map_err(failed(0))
}

/// Checks that the database has had all steps.
pub(super) fn check(connection: &mut Connection, migrations: &[Migration]) -> Result<(), OpenError> {
    let applied = compare(connection, migrations)?;
    if applied < migrations.len() { Err(OpenError::Older { found: applied, known: migrations.len() }) } else { Ok(()) }
}

/// How many steps the database has had. They must be the first ones of ours.
fn compare(connection: &Connection, migrations: &[Migration]) -> Result<usize, OpenError> {
    let read = || -> rusqlite::Result<Vec<String>> {
        let mut statement = connection.prepare("SELECT checksum FROM schema_versions ORDER BY version")?;
        statement.query_map((), |row| row.get(0))?.collect()
    };
    let applied = read().map_err(|source| OpenError::Migration { version: 0, source })?;
    if applied.len() > migrations.len() {
        return Err(OpenError::Newer { found: applied.len(), known: migrations.len() });
    }
    let differs = applied.iter().zip(migrations).position(|(applied, ours)| *applied != ours.checksum());
    match differs {
        Some(index) => Err(OpenError::Changed(index + 1)),
        None => Ok(applied.len()),
    }
}
