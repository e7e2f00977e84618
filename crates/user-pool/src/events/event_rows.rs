//! Events as rows of the database. Each method is part of a transaction.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::database::{Error, Row, Transaction, Value};
use crate::events::event::{Challenge, Event, Reason, Visit};
use crate::seen::Seen;

/// Maximum number of events of a user that only the user, or an administrator, can cause. The oldest are deleted.
const OF_A_USER_MAX: i64 = 1000;
/// The same of those that anybody can cause: they must not take the place of the others.
const BY_ANYBODY_MAX: i64 = 200;
/// Maximum number of events of a user that anybody can cause and that are recorded in an hour.
const BY_ANYBODY_PER_HOUR: i64 = 20;
/// Maximum number of events of all users of a pool that anybody can cause. The oldest are deleted by a sweep.
const BY_ANYBODY_IN_ALL_MAX: i64 = 100_000;
/// Rows that are deleted at a time.
const SWEPT_AT_A_TIME: i64 = 500;

const COLUMNS: &str = "id, sub, kind, response, challenges, reason, client_id, address, agent, at";

/// The events of one pool.
#[derive(Clone, Debug)]
pub(crate) struct EventRows {
    /// The name of the pool in the configuration.
    pub(crate) pool: Arc<str>,
}

impl EventRows {
    /// Records an event.
    pub(crate) fn record(&self, on: &mut Transaction<'_>, event: &Event) -> Result<(), Error> {
        let by_anybody = event.is_by_anybody();
        if by_anybody && self.recent(on, &event.subject, event.at - Duration::from_hours(1))? >= BY_ANYBODY_PER_HOUR {
            return Ok(());
        }
        let challenges = to_text(&event.challenges);
        let values = [
            Value::from(&*self.pool),
            (&event.id).into(),
            (&event.subject).into(),
            event.kind.as_str().into(),
            event.response.as_str().into(),
            by_anybody.into(),
            (&challenges).into(),
            event.reason.map(Reason::as_str).into(),
            event.visit.client.as_ref().into(),
            (&event.visit.seen.address).into(),
            (&event.visit.seen.agent).into(),
            event.at.into(),
        ];
        let sql = "INSERT INTO events (pool, id, sub, kind, response, by_anybody, challenges, reason, client_id, address, agent, at) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12)";
        on.execute(sql, &values)?;
        let most = if by_anybody { BY_ANYBODY_MAX } else { OF_A_USER_MAX };
        let sql = "DELETE FROM events WHERE pool = ?1 AND id IN (SELECT id FROM events \
                   WHERE pool = ?1 AND sub = ?2 AND by_anybody = ?3 ORDER BY at DESC, seq DESC LIMIT 10 OFFSET ?4)";
        on.execute(sql, &[values[0], values[2], values[5], most.into()]).map(drop)
    }

    /// How many events of a user there are since then that anybody can cause.
    fn recent(&self, on: &mut Transaction<'_>, subject: &str, since: Timestamp) -> Result<i64, Error> {
        let sql = "SELECT count(*) FROM events WHERE pool = ?1 AND sub = ?2 AND by_anybody = 1 AND at > ?3";
        let row = on.query_one(sql, &[Value::from(&*self.pool), subject.into(), since.into()])?;
        row.map_or(Ok(0), |mut row| row.integer(0))
    }

    /// At most `most` events of a user, or with an empty `subject`, of names that nobody has. The newest first.
    pub(crate) fn of_user(&self, on: &mut Transaction<'_>, subject: &str, most: i64) -> Result<Vec<Event>, Error> {
        let sql =
            format!("SELECT {COLUMNS} FROM events WHERE pool = ?1 AND sub = ?2 ORDER BY at DESC, seq DESC LIMIT ?3");
        let rows = on.query(&sql, &[Value::from(&*self.pool), subject.into(), most.into()])?;
        rows.into_iter().map(read).collect()
    }

    /// At most `most` events of everybody. The newest first.
    pub(crate) fn newest(&self, on: &mut Transaction<'_>, most: i64) -> Result<Vec<Event>, Error> {
        let sql = format!("SELECT {COLUMNS} FROM events WHERE pool = ?1 ORDER BY at DESC, seq DESC LIMIT ?2");
        let rows = on.query(&sql, &[Value::from(&*self.pool), most.into()])?;
        rows.into_iter().map(read).collect()
    }

    /// Gives the events of a user to `pseudonym`, without the address and the program: it is not known any more whose they were.
    pub(crate) fn make_nameless(
        &self,
        on: &mut Transaction<'_>,
        subject: &str,
        pseudonym: &str,
    ) -> Result<usize, Error> {
        let sql = "UPDATE events SET sub = ?3, address = '', agent = '' WHERE pool = ?1 AND sub = ?2";
        on.execute(sql, &[Value::from(&*self.pool), subject.into(), pseudonym.into()])
    }

    /// Deletes some of the events before `oldest`, and of those that are too many. Returns whether there may be more of them.
    pub(crate) fn sweep(&self, on: &mut Transaction<'_>, oldest: Timestamp) -> Result<bool, Error> {
        let sql =
            "DELETE FROM events WHERE pool = ?1 AND id IN (SELECT id FROM events WHERE pool = ?1 AND at < ?2 LIMIT ?3)";
        let old = on.execute(sql, &[Value::from(&*self.pool), oldest.into(), SWEPT_AT_A_TIME.into()])?;
        Ok(old > 0 || self.sweep_excess(on, BY_ANYBODY_IN_ALL_MAX)? > 0)
    }

    /// Deletes some of the oldest events that anybody can cause, if there are more than `most` of them.
    pub(super) fn sweep_excess(&self, on: &mut Transaction<'_>, most: i64) -> Result<usize, Error> {
        let sql = "DELETE FROM events WHERE pool = ?1 AND id IN (SELECT id FROM events \
                   WHERE pool = ?1 AND by_anybody = 1 ORDER BY at DESC, seq DESC LIMIT ?2 OFFSET ?3)";
        on.execute(sql, &[Value::from(&*self.pool), SWEPT_AT_A_TIME.into(), most.into()])
    }
}

fn read(mut row: Row) -> Result<Event, Error> {
    let reason = row.optional_text(5)?.map(|reason| reason.parse());
    Ok(Event {
        id: row.text(0)?,
        subject: row.text(1)?,
        kind: row.text(2)?.parse()?,
        response: row.text(3)?.parse()?,
        challenges: from_text(&row.text(4)?)?,
        reason: reason.transpose()?,
        visit: Visit { client: row.optional_text(6)?, seen: Seen { address: row.text(7)?, agent: row.text(8)? } },
        at: row.timestamp(9)?,
    })
}

/// `Password+ Mfa-`: what was asked, and whether the answer was right.
fn to_text(challenges: &[(Challenge, bool)]) -> String {
    let one =
        |(challenge, right): &(Challenge, bool)| format!("{}{}", challenge.as_str(), if *right { '+' } else { '-' });
    challenges.iter().map(one).collect::<Vec<_>>().join(" ")
}

fn from_text(text: &str) -> Result<Vec<(Challenge, bool)>, Error> {
    let one = |word: &str| {
        let (name, right) = word.split_at(word.len().saturating_sub(1));
        Ok((name.parse()?, right == "+"))
    };
    text.split(' ').filter(|word| !word.is_empty()).map(one).collect()
}
