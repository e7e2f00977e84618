//! Copies of a database in use.

use std::path::Path;

use rusqlite::{Connection, params};

use crate::clock::Timestamp;
use crate::database::error::Error;
use crate::database::file;

/// Writes a copy, compact and without what was deleted. Nobody waits for it. The copy says that it is one: see
/// [`Transaction::take_copy_mark`](super::Transaction::take_copy_mark).
pub(super) fn write(connection: &Connection, to: &Path, now: Timestamp) -> Result<(), Error> {
    let failed = |source: Box<dyn std::error::Error + Send + Sync>| Error::Backup { path: to.to_owned(), source };
    let Some(name) = to.to_str() else { return Err(failed("its name is not UTF-8".into())) };
    file::create_new(to).map_err(|error| failed(error.into()))?;
    // `query_only` forbids this statement, though it writes to the other file only.
    let copied = connection
        .pragma_update(None, "query_only", false)
        .and_then(|()| connection.execute("VACUUM INTO ?1", params![name]))
        .and_then(|_| connection.pragma_update(None, "query_only", true))
        .and_then(|()| mark(to, now));
    copied.map_err(|error| {
        let _ = connection.pragma_update(None, "query_only", true);
        let _ = std::fs::remove_file(to);
        failed(error.into())
    })
}

fn mark(copy: &Path, now: Timestamp) -> rusqlite::Result<()> {
    let copy = Connection::open(copy)?;
    let at = i64::try_from(now.millis()).unwrap_or(i64::MAX);
    let sql =
        "INSERT INTO copy_mark (id, made_at) VALUES (1, ?1) ON CONFLICT (id) DO UPDATE SET made_at = excluded.made_at";
    copy.execute(sql, params![at]).map(drop)
}
