//! The audit: who has changed what, and of which user. No secrets, and no e-mail addresses.

use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::database::{Error, Row, Transaction, Value};

/// Rows that are deleted or read at a time.
const AT_A_TIME: i64 = 500;
/// Maximum number of entries of a user about what this user has done. The oldest are deleted.
const BY_A_USER_MAX: i64 = 1000;

/// Who has done something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Actor {
    /// Who has run a command, by the number of the user of the system.
    Command(u32),
    /// Somebody at the console, who knows its password.
    Console,
    /// The user of the pool whom it is about.
    User,
    /// The process, for example because of the time.
    System,
}

impl Actor {
    /// The user who runs this process.
    pub fn of_this_command() -> Self {
        Self::Command(rustix::process::getuid().as_raw())
    }
}

impl fmt::Display for Actor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Command(user) => write!(f, "cli:{user}"),
            Self::Console => f.write_str("console"),
            Self::User => f.write_str("user"),
            Self::System => f.write_str("system"),
        }
    }
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It takes a while. Another entry says how it ended; without one, it was interrupted.
    Begun,
    Done,
    /// Nothing has changed, and nothing was shown.
    Failed,
}

impl Outcome {
    /// Of what has ended like this.
    pub const fn of<T, E>(result: &Result<T, E>) -> Self {
        if result.is_ok() { Self::Done } else { Self::Failed }
    }

    /// As in the database and in the output of commands.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Begun => "begun",
            Self::Done => "done",
            Self::Failed => "failed",
        }
    }
}

impl FromStr for Outcome {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self, Error> {
        [Self::Begun, Self::Done, Self::Failed]
            .into_iter()
            .find(|outcome| outcome.as_str() == text)
            .ok_or(Error::Malformed("outcome of an entry of the audit"))
    }
}

/// Operations that show something to somebody, and change nothing.
const READS: [&str; 8] =
    ["backup", "user.events", "user.export", "user.factors", "user.list", "user.sessions", "user.show", "users.export"];

/// One entry.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The order of entries. 0: not written yet.
    pub(crate) id: i64,
    pub at: Timestamp,
    /// [`Actor`].
    pub actor: String,
    /// `user.disable`, `group.put`, …: a name that never changes.
    pub operation: String,
    pub outcome: Outcome,
    /// `sub` of the user whom it is about.
    pub subject: Option<String>,
    /// The name of a group, the names of attributes, … Nothing that is secret, and no values of attributes.
    pub detail: Option<String>,
}

impl Entry {
    /// Whether something was read, and nothing changed.
    pub(crate) fn is_read(&self) -> bool {
        READS.contains(&&*self.operation)
    }
}

/// What was done, of whom. See [`Entry`].
#[derive(Clone, Copy, Debug)]
pub(crate) struct Done<'d> {
    pub(crate) operation: &'static str,
    pub(crate) subject: Option<&'d str>,
    pub(crate) detail: Option<&'d str>,
}

/// The audit of one pool.
#[derive(Clone, Debug)]
pub(crate) struct AuditRows {
    /// The name of the pool in the configuration.
    pub(crate) pool: Arc<str>,
}

impl AuditRows {
    /// Records what `actor` does in this transaction.
    pub(crate) fn record(
        &self,
        on: &mut Transaction<'_>,
        actor: &Actor,
        done: Done<'_>,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.record_outcome(on, actor, (done, Outcome::Done), now)
    }

    /// Records what came of what `actor` does, or has tried to do.
    pub(crate) fn record_outcome(
        &self,
        on: &mut Transaction<'_>,
        actor: &Actor,
        (done, outcome): (Done<'_>, Outcome),
        now: Timestamp,
    ) -> Result<(), Error> {
        let by = actor.to_string();
        let values = [
            Value::from(&*self.pool),
            now.into(),
            (&by).into(),
            done.operation.into(),
            done.subject.into(),
            done.detail.into(),
            outcome.as_str().into(),
        ];
        let sql =
            "INSERT INTO audit (pool, at, actor, operation, sub, detail, outcome) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";
        on.execute(sql, &values)?;
        if *actor != Actor::User {
            return Ok(());
        }
        let sql = "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE pool = ?1 AND sub = ?2 AND actor = ?3 \
                   ORDER BY id DESC LIMIT 10 OFFSET ?4)";
        on.execute(sql, &[values[0], values[4], values[2], BY_A_USER_MAX.into()]).map(drop)
    }

    /// At most `most` entries, of one user or of everybody. The newest first.
    pub(crate) fn newest(
        &self,
        on: &mut Transaction<'_>,
        subject: Option<&str>,
        most: i64,
    ) -> Result<Vec<Entry>, Error> {
        let sql = "SELECT id, at, actor, operation, sub, detail, outcome FROM audit \
                   WHERE pool = ?1 AND (?2 IS NULL OR sub = ?2) ORDER BY id DESC LIMIT ?3";
        let rows = on.query(sql, &[Value::from(&*self.pool), subject.into(), most.into()])?;
        rows.into_iter().map(read).collect()
    }

    /// Entries that were written after the entry `after`. The oldest first.
    pub(crate) fn after(&self, on: &mut Transaction<'_>, after: i64) -> Result<Vec<Entry>, Error> {
        let sql = "SELECT id, at, actor, operation, sub, detail, outcome FROM audit \
                   WHERE id > ?2 AND pool = ?1 ORDER BY id LIMIT ?3";
        let rows = on.query(sql, &[Value::from(&*self.pool), after.into(), AT_A_TIME.into()])?;
        rows.into_iter().map(read).collect()
    }

    /// The last entry. 0 without one.
    pub(crate) fn last(&self, on: &mut Transaction<'_>) -> Result<i64, Error> {
        let row =
            on.query_one("SELECT coalesce(max(id), 0) FROM audit WHERE pool = ?1", &[Value::from(&*self.pool)])?;
        row.map_or(Ok(0), |mut row| row.integer(0))
    }

    /// Gives the entries about a user to `pseudonym`: it is not known any more whom they are about.
    pub(crate) fn make_nameless(
        &self,
        on: &mut Transaction<'_>,
        subject: &str,
        pseudonym: &str,
    ) -> Result<usize, Error> {
        let sql = "UPDATE audit SET sub = ?3 WHERE pool = ?1 AND sub = ?2";
        on.execute(sql, &[Value::from(&*self.pool), subject.into(), pseudonym.into()])
    }

    /// Deletes some of the entries before `oldest`. Returns whether there may be more of them.
    pub(crate) fn sweep(&self, on: &mut Transaction<'_>, oldest: Timestamp) -> Result<bool, Error> {
        let sql = "DELETE FROM audit WHERE id IN (SELECT id FROM audit WHERE pool = ?1 AND at < ?2 LIMIT ?3)";
        Ok(on.execute(sql, &[Value::from(&*self.pool), oldest.into(), AT_A_TIME.into()])? > 0)
    }
}

fn read(mut row: Row) -> Result<Entry, Error> {
    Ok(Entry {
        id: row.integer(0)?,
        at: row.timestamp(1)?,
        actor: row.text(2)?,
        operation: row.text(3)?,
        subject: row.optional_text(4)?,
        detail: row.optional_text(5)?,
        outcome: row.text(6)?.parse()?,
    })
}
