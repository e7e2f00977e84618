//! A database that was restored from a backup. The backup has sessions that were ended since, refresh tokens that were used, codes that were taken, and
//! messages that were sent: none of them may come back to life.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::database::{Database, Error, Transaction};
use crate::endings::rows::EndingRows;
use crate::events::audit::{Actor, AuditRows, Done};

/// Tables of what is issued and ends. The pools of the file share them.
const ISSUED: [&str; 8] = ["sso", "grants", "families", "codes", "pushed_requests", "logouts", "outbox", "browsers"];

/// Ends everything that a backup has issued, if the database is a backup from which nobody has served yet, and tells the operator. Blocks. To be called
/// before the first request.
///
/// # Errors
///
/// If the database fails.
pub fn settle(database: &Database, now: Timestamp) -> Result<(), Error> {
    let Some(made_at) = database.write_blocking(|on| end_all(on, now))? else { return Ok(()) };
    tracing::warn!(
        database = %database.path().display(), made_at = made_at.to_text(),
        "the database is a backup: every session, token and code in it has ended. Users, passwords, second factors, recovery codes and signing keys are \
         as they were when it was made"
    );
    Ok(())
}

/// `None`: the database is no backup, or was served from before.
fn end_all(on: &mut Transaction<'_>, now: Timestamp) -> Result<Option<Timestamp>, Error> {
    let Some(made_at) = on.take_copy_mark()? else { return Ok(None) };
    let pools = on.query("SELECT pool FROM users UNION SELECT pool FROM sso", &[])?;
    for mut row in pools {
        let (pool, made_at): (Arc<str>, _) = (row.text(0)?.into(), made_at.to_text());
        let before = now.seconds().try_into().unwrap_or(i64::MAX);
        EndingRows { pool: Arc::clone(&pool) }.end_everybody(on, before, now)?;
        let done = Done { operation: "restore", subject: None, detail: Some(&made_at) };
        AuditRows { pool }.record(on, &Actor::System, done, now)?;
    }
    for table in ISSUED {
        on.execute(&format!("DELETE FROM {table}"), &[])?;
    }
    Ok(Some(made_at))
}

#[cfg(test)]
mod tests;
