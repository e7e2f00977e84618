//! The queue of logout tokens, as rows of the database. Each method is part of a transaction.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::crypto::uuid;
use crate::database::{Error, Transaction, Value};

/// When a client is tried again that did not take a token. After the last one it is given up.
const AGAIN_AFTER: [Duration; 6] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_secs(120),
    Duration::from_secs(600),
    Duration::from_secs(3600),
    Duration::from_secs(3600),
];

/// The queue of one pool.
#[derive(Clone, Debug)]
pub(crate) struct LogoutRows {
    pool: Arc<str>,
}

/// A token to be sent.
#[derive(Debug)]
pub(crate) struct Due {
    pub(crate) id: String,
    pub(crate) client_id: String,
    pub(crate) subject: String,
    pub(crate) session_id: String,
    /// It is not tried again.
    pub(crate) is_last: bool,
}

impl LogoutRows {
    /// Of the pool with this name in the configuration.
    pub(crate) fn new(pool: Arc<str>) -> Self {
        Self { pool }
    }

    /// Has a client told that a session of a user has ended.
    pub(crate) fn add(
        &self,
        on: &mut Transaction<'_>,
        client_id: &str,
        (subject, session_id): (&str, &str),
        now: Timestamp,
    ) -> Result<(), Error> {
        let id = uuid::random();
        let values =
            [Value::from(&*self.pool), (&id).into(), client_id.into(), subject.into(), session_id.into(), now.into()];
        let sql = "INSERT INTO logouts (pool, id, client_id, sub, session_id, tries, next_at) VALUES (?1, ?2, ?3, ?4, ?5, 0, ?6) \
                   ON CONFLICT DO NOTHING";
        on.execute(sql, &values).map(drop)
    }

    /// The same for several clients, which are a JSON list.
    pub(crate) fn add_all(
        &self,
        on: &mut Transaction<'_>,
        clients: &str,
        session: (&str, &str),
        now: Timestamp,
    ) -> Result<(), Error> {
        let clients: Vec<String> =
            serde_json::from_str(clients).map_err(|_| Error::Malformed("JSON list of clients"))?;
        clients.iter().try_for_each(|client| self.add(on, client, session, now))
    }

    /// The same for everything that was issued to a user, which ends: sessions, unused codes, and families with `offline_access` as well.
    pub(crate) fn end_user(&self, on: &mut Transaction<'_>, subject: &str, now: Timestamp) -> Result<(), Error> {
        let key = [Value::from(&*self.pool), subject.into()];
        for mut row in on.query("DELETE FROM sso WHERE pool = ?1 AND sub = ?2 RETURNING id, clients", &key)? {
            let (id, clients) = (row.text(0)?, row.text(1)?);
            self.add_all(on, &clients, (subject, &id), now)?;
        }
        on.execute("DELETE FROM grants WHERE pool = ?1 AND sub = ?2 AND family IS NULL", &key)?;
        // Also of sessions that have expired, or that are no rows any more.
        let sql = "UPDATE families SET revoked_at = ?3 WHERE pool = ?1 AND sub = ?2 AND revoked_at IS NULL \
                   RETURNING client_id, session_id";
        for mut row in on.query(sql, &[Value::from(&*self.pool), subject.into(), now.into()])? {
            let (client_id, session_id) = (row.text(0)?, row.text(1)?);
            self.add(on, &client_id, (subject, &session_id), now)?;
        }
        Ok(())
    }

    /// Whether a token is due.
    pub(crate) fn has_due(&self, on: &mut Transaction<'_>, now: Timestamp) -> Result<bool, Error> {
        let sql = "SELECT 1 FROM logouts WHERE pool = ?1 AND next_at <= ?2 LIMIT 1";
        Ok(on.query_one(sql, &[Value::from(&*self.pool), now.into()])?.is_some())
    }

    /// At most `limit` tokens that are due. Until the next try they are due for nobody else, so that two processes do not send the same ones.
    pub(crate) fn claim(&self, on: &mut Transaction<'_>, limit: usize, now: Timestamp) -> Result<Vec<Due>, Error> {
        let sql = "SELECT id, client_id, sub, session_id, tries FROM logouts WHERE pool = ?1 AND next_at <= ?2 \
                   ORDER BY next_at LIMIT ?3";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let mut due = Vec::new();
        for mut row in on.query(sql, &[Value::from(&*self.pool), now.into(), limit.into()])? {
            let (id, tries) = (row.text(0)?, usize::try_from(row.integer(4)?).unwrap_or(usize::MAX));
            let last = AGAIN_AFTER.len() - 1;
            let next_at = now + AGAIN_AFTER[tries.min(last)];
            let sql = "UPDATE logouts SET tries = tries + 1, next_at = ?3 WHERE pool = ?1 AND id = ?2";
            on.execute(sql, &[Value::from(&*self.pool), (&id).into(), next_at.into()])?;
            let is_last = tries >= last;
            due.push(Due { id, client_id: row.text(1)?, subject: row.text(2)?, session_id: row.text(3)?, is_last });
        }
        Ok(due)
    }

    /// Removes tokens that are not to be sent any more.
    pub(crate) fn remove(&self, on: &mut Transaction<'_>, ids: &[String]) -> Result<(), Error> {
        for id in ids {
            on.execute("DELETE FROM logouts WHERE pool = ?1 AND id = ?2", &[Value::from(&*self.pool), id.into()])?;
        }
        Ok(())
    }
}
