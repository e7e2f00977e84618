//! What has ended, as rows of the database.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::database::{Error, Row, Transaction, Value};
use crate::identity::endings::{Ended, Ending};

/// How long a row is kept. No session of a rule lasts longer than 7 days, and no access token of a pool longer than one.
pub(crate) const KEPT: Duration = Duration::from_secs(8 * 86_400);

/// Rows that are deleted at a time.
const SWEPT_AT_A_TIME: i64 = 500;

/// Maximum number of rows of a pool, after they were swept. Beyond it, the oldest become one that is about everybody.
const ROWS_MAX: i64 = 500_000;

/// Maximum number of ended sessions of a user that are told apart.
const SESSIONS_OF_A_USER_MAX: i64 = 1000;

/// The rows of one pool.
#[derive(Clone, Debug)]
pub(crate) struct EndingRows {
    /// The name of the pool in the configuration.
    pub(crate) pool: Arc<str>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct EndingRow {
    /// The order of endings.
    pub(crate) id: i64,
    /// Empty: everybody.
    subject: String,
    /// Empty: every session of the user.
    session: String,
    before: u64,
}

impl EndingRow {
    /// What it says.
    pub(crate) fn ending(&self, until: Timestamp) -> Ending<'_> {
        let ended = match (&*self.subject, &*self.session) {
            ("", _) => Ended::Everybody,
            (subject, "") => Ended::User(subject),
            (_, session) => Ended::Session(session),
        };
        Ending { ended, before: self.before, until }
    }
}

impl EndingRows {
    /// Ends the sign-ins of a user that have an `auth_time` before the second `before`.
    pub(crate) fn end_user(
        &self,
        on: &mut Transaction<'_>,
        subject: &str,
        before: i64,
        now: Timestamp,
    ) -> Result<(), Error> {
        // What has ended with the user needs no row of its own.
        let sql = "DELETE FROM endings WHERE pool = ?1 AND sub = ?2 AND before <= ?3";
        on.execute(sql, &[Value::from(&*self.pool), subject.into(), before.into()])?;
        self.put(on, (subject, ""), before, now)
    }

    /// Ends the sign-ins of everybody that have an `auth_time` before the second `before`.
    pub(crate) fn end_everybody(&self, on: &mut Transaction<'_>, before: i64, now: Timestamp) -> Result<(), Error> {
        self.put(on, ("", ""), before, now)
    }

    /// Ends one session of a user, who has signed in at `auth_time`. `false` if the user has ended too many: then all of them have to end.
    pub(crate) fn end_session(
        &self,
        on: &mut Transaction<'_>,
        (subject, session): (&str, &str),
        auth_time: Timestamp,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let before = i64::try_from(auth_time.seconds()).unwrap_or(i64::MAX).saturating_add(1);
        self.put(on, (subject, session), before, now)?;
        let sql = "SELECT count(*) FROM endings WHERE pool = ?1 AND sub = ?2";
        let count = on.query_one(sql, &[Value::from(&*self.pool), subject.into()])?;
        Ok(count.map_or(Ok(0), |mut row| row.integer(0))? <= SESSIONS_OF_A_USER_MAX)
    }

    fn put(
        &self,
        on: &mut Transaction<'_>,
        (subject, session): (&str, &str),
        before: i64,
        now: Timestamp,
    ) -> Result<(), Error> {
        let values = [Value::from(&*self.pool), subject.into(), session.into(), before.into(), now.into()];
        // Not changed in its place: a later ending has a greater `id`, by which readers find what is new.
        on.execute("DELETE FROM endings WHERE pool = ?1 AND sub = ?2 AND sid = ?3", &values[..3])?;
        on.execute("INSERT INTO endings (pool, sub, sid, before, at) VALUES (?1, ?2, ?3, ?4, ?5)", &values).map(drop)
    }

    /// What has ended since the row `after`. The oldest first.
    pub(crate) fn after(&self, on: &mut Transaction<'_>, after: i64) -> Result<Vec<EndingRow>, Error> {
        let sql = "SELECT id, sub, sid, before FROM endings WHERE id > ?2 AND pool = ?1 ORDER BY id";
        let rows = on.query(sql, &[Value::from(&*self.pool), after.into()])?;
        let read = |mut row: Row| {
            Ok(EndingRow {
                id: row.integer(0)?,
                subject: row.text(1)?,
                session: row.text(2)?,
                before: row.integer(3)?.try_into().unwrap_or_default(),
            })
        };
        rows.into_iter().map(read).collect()
    }

    /// Deletes some of the rows that are kept no longer, or are too many. Returns whether there may be more of them.
    pub(crate) fn sweep(&self, on: &mut Transaction<'_>, now: Timestamp) -> Result<bool, Error> {
        let kept = KEPT.as_millis().try_into().unwrap_or(u64::MAX);
        let oldest = Timestamp::from_millis(now.millis().saturating_sub(kept));
        let sql = "DELETE FROM endings WHERE id IN (SELECT id FROM endings WHERE pool = ?1 AND at <= ?2 LIMIT ?3)";
        let swept = on.execute(sql, &[Value::from(&*self.pool), oldest.into(), SWEPT_AT_A_TIME.into()])?;
        Ok(swept > 0 || self.merge(on, ROWS_MAX, now)?)
    }

    /// If there are more than `most` rows, takes some of the oldest for an ending of everybody who signed in before. So nobody can have
    /// an ending forgotten by causing others.
    pub(super) fn merge(&self, on: &mut Transaction<'_>, most: i64, now: Timestamp) -> Result<bool, Error> {
        let key = [Value::from(&*self.pool)];
        let count = on.query_one("SELECT count(*) FROM endings WHERE pool = ?1 AND sub <> ''", &key)?;
        let surplus = count.map_or(Ok(0), |mut row| row.integer(0))? - most;
        if surplus <= 0 {
            return Ok(false);
        }
        let sql = "SELECT id, before FROM endings WHERE pool = ?1 ORDER BY id LIMIT ?2";
        let rows = on.query(sql, &[key[0], surplus.min(SWEPT_AT_A_TIME).into()])?;
        let mut before = 0;
        for mut row in rows {
            before = before.max(row.integer(1)?);
            on.execute("DELETE FROM endings WHERE id = ?1", &[row.integer(0)?.into()])?;
        }
        self.put(on, ("", ""), before, now)?;
        Ok(surplus > SWEPT_AT_A_TIME)
    }
}
