//! Takes messages out of the outbox, and says what became of them.

use std::sync::Arc;
use std::time::Duration;

use serde::Deserialize;

use crate::clock::Timestamp;
use crate::crypto::uuid;
use crate::database::{Error, Row, Transaction, Value, Vault};
use crate::messages::message::{Kind, Medium, Recipient};
use crate::messages::outbox::place;
use crate::secret::Secret;

/// How long after each try that fails the next one comes. There is none after the last (design §8).
const DELAYS: [Duration; 5] = [
    Duration::from_secs(5),
    Duration::from_secs(30),
    Duration::from_mins(2),
    Duration::from_mins(10),
    Duration::from_hours(1),
];
/// For how long a message belongs to the task that took it. If the process is killed meanwhile, it is tried again afterwards. More than one try takes.
pub(super) const LEASE: Duration = Duration::from_secs(90);
/// How long an operator can see what was given up.
const DEAD_KEPT: Duration = Duration::from_hours(7 * 24);

/// The outbox of one pool, from the side of who sends.
#[derive(Clone, Debug)]
pub(crate) struct Queue {
    pool: Arc<str>,
    vault: Vault,
}

/// A message that is to be sent now.
#[derive(Debug)]
pub struct Due {
    pub(crate) id: String,
    pub(crate) kind: Kind,
    pub(crate) medium: Medium,
    pub(crate) created_at: Timestamp,
    pub(crate) expires_at: Timestamp,
    pub(crate) body: Body,
    tries: usize,
}

impl Due {
    /// A message that no outbox has, to try a server with. It has a code that is no code, and a link to the pool.
    /// `temporary_validity` is that of temporary passwords.
    pub fn for_test(
        kind: Kind,
        to: Recipient,
        language: Option<String>,
        (link, temporary_validity): (&str, Duration),
        now: Timestamp,
    ) -> Self {
        let (secret, link) = (Some(Secret::new("123456".to_owned())), Some(Secret::new(link.to_owned())));
        let body = Body { to: to.address, username: "ada".to_owned(), language, secret, link };
        let expires_at = now + kind.lifetime(temporary_validity);
        Self { id: uuid::random(), kind, medium: to.medium, created_at: now, expires_at, body, tries: 1 }
    }
}

/// What was encrypted in the row.
#[derive(Debug, Deserialize)]
pub(crate) struct Body {
    pub(crate) to: String,
    pub(crate) username: String,
    pub(crate) language: Option<String>,
    #[serde(deserialize_with = "secret")]
    pub(crate) secret: Option<Secret<String>>,
    #[serde(deserialize_with = "secret")]
    pub(crate) link: Option<Secret<String>>,
}

/// What was taken out of the outbox.
#[derive(Debug, Default)]
pub(crate) struct Claimed {
    pub(crate) due: Vec<Due>,
    /// Messages that were dropped, because they had become useless.
    pub(crate) useless: usize,
    /// Messages that no key decrypts, and that are tried again.
    pub(crate) unreadable: usize,
    /// Messages that were given up, because no key has decrypted them.
    pub(crate) given_up: usize,
}

/// What a try that failed leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// Another try comes then.
    Again(Timestamp),
    /// It was the last.
    GivenUp,
}

/// What is in the outbox.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Contents {
    /// Messages that wait.
    pub(crate) waiting: u64,
    /// When the first of them was written.
    pub(crate) oldest: Option<Timestamp>,
    /// Messages that were given up within the last days.
    pub(crate) dead: u64,
}

impl Queue {
    /// The outbox of the pool with this name. `vault` is that of its database.
    pub(crate) fn new(pool: Arc<str>, vault: Vault) -> Self {
        Self { pool, vault }
    }

    /// Takes at most `limit` messages whose time has come. Nobody else gets them for 90 seconds. Deletes those that would be of no use: their code
    /// was used, replaced or has expired. And those that only seem to be sent.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) fn claim(&self, on: &mut Transaction<'_>, limit: usize, now: Timestamp) -> Result<Claimed, Error> {
        self.drop_pretended(on, now)?;
        let useless = self.drop_useless(on, now)?;
        let sql = "UPDATE outbox SET tries = tries + 1, next_at = ?3 WHERE pool = ?1 AND id IN (SELECT id FROM outbox \
                   WHERE pool = ?1 AND dead_at IS NULL AND next_at <= ?2 ORDER BY next_at LIMIT ?4) \
                   RETURNING id, kind, medium, sealed, tries, created_at, expires_at";
        let limit = i64::try_from(limit).unwrap_or(i64::MAX);
        let values = [Value::from(&*self.pool), now.into(), (now + LEASE).into(), limit.into()];
        let mut claimed = Claimed { useless, ..Claimed::default() };
        for mut row in on.query(sql, &values)? {
            let id = row.text(0)?;
            let tries = usize::try_from(row.integer(4)?).unwrap_or(usize::MAX);
            match self.read(row, &id, tries)? {
                Some(due) => claimed.due.push(due),
                // One row that nobody can read must not keep the others from being sent. It is not given up at once: a process whose place another
                // one takes does not have the new key of the configuration, and a request that began before a reload seals with the former key.
                None => match self.postpone(on, (&id, tries), "it cannot be decrypted", now)? {
                    Failure::Again(_) => claimed.unreadable += 1,
                    Failure::GivenUp => claimed.given_up += 1,
                },
            }
        }
        // A statement does not say in which order it returns rows.
        claimed.due.sort_by_key(|due| due.created_at);
        Ok(claimed)
    }

    /// See [`Messages::pretend`](super::outbox::Messages::pretend).
    fn drop_pretended(&self, on: &mut Transaction<'_>, now: Timestamp) -> Result<(), Error> {
        let sql =
            "DELETE FROM outbox WHERE pool = ?1 AND dead_at IS NULL AND next_at <= ?2 AND expires_at <= created_at";
        on.execute(sql, &[Value::from(&*self.pool), now.into()]).map(drop)
    }

    fn drop_useless(&self, on: &mut Transaction<'_>, now: Timestamp) -> Result<usize, Error> {
        let sql = "DELETE FROM outbox WHERE pool = ?1 AND dead_at IS NULL AND next_at <= ?2 AND (expires_at <= ?2 OR \
                   (code_id IS NOT NULL AND NOT EXISTS (SELECT 1 FROM codes WHERE codes.pool = outbox.pool \
                   AND codes.id = outbox.code_id AND codes.expires_at > ?2)))";
        on.execute(sql, &[Value::from(&*self.pool), now.into()])
    }

    /// `None` if the row cannot be decrypted or is of a kind that this release does not know.
    fn read(&self, mut row: Row, id: &str, tries: usize) -> Result<Option<Due>, Error> {
        let (kind, medium) = (Kind::named(&row.text(1)?), Medium::named(&row.text(2)?));
        let opened = self.vault.open(&row.blob(3)?, &place(&[&self.pool, id]));
        let body = opened.ok().and_then(|plaintext| serde_json::from_slice(plaintext.expose()).ok());
        let (Some(kind), Some(medium), Some(body)) = (kind, medium, body) else { return Ok(None) };
        let (created_at, expires_at) = (row.timestamp(5)?, row.timestamp(6)?);
        Ok(Some(Due { id: id.to_owned(), kind, medium, created_at, expires_at, body, tries }))
    }

    /// The message was sent.
    ///
    /// # Errors
    ///
    /// If the database fails. The message is sent again then.
    pub(crate) fn sent(&self, on: &mut Transaction<'_>, due: &Due) -> Result<(), Error> {
        on.execute("DELETE FROM outbox WHERE pool = ?1 AND id = ?2", &[Value::from(&*self.pool), (&due.id).into()])
            .map(drop)
    }

    /// The message was not sent, and may be sent later. `cause` has nothing of its content.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) fn failed(
        &self,
        on: &mut Transaction<'_>,
        due: &Due,
        cause: &str,
        now: Timestamp,
    ) -> Result<Failure, Error> {
        self.postpone(on, (&due.id, due.tries), cause, now)
    }

    /// Has a message tried again later, or gives it up if it was tried as often as it may be.
    fn postpone(
        &self,
        on: &mut Transaction<'_>,
        (id, tries): (&str, usize),
        cause: &str,
        now: Timestamp,
    ) -> Result<Failure, Error> {
        let Some(delay) = DELAYS.get(tries.saturating_sub(1)) else {
            self.bury(on, id, cause, now)?;
            return Ok(Failure::GivenUp);
        };
        let sql = "UPDATE outbox SET next_at = ?3, cause = ?4 WHERE pool = ?1 AND id = ?2";
        let next_at = now + *delay;
        on.execute(sql, &[Value::from(&*self.pool), id.into(), next_at.into(), cause.into()])?;
        Ok(Failure::Again(next_at))
    }

    /// The message will never be sent.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) fn give_up(
        &self,
        on: &mut Transaction<'_>,
        due: &Due,
        cause: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.bury(on, &due.id, cause, now)
    }

    /// Keeps that there was a message, and nothing of what it said.
    fn bury(&self, on: &mut Transaction<'_>, id: &str, cause: &str, now: Timestamp) -> Result<(), Error> {
        let sql = "UPDATE outbox SET sealed = NULL, dead_at = ?3, cause = ?4 WHERE pool = ?1 AND id = ?2";
        on.execute(sql, &[Value::from(&*self.pool), id.into(), now.into(), cause.into()]).map(drop)
    }

    /// What is in the outbox.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) fn contents(&self, on: &mut Transaction<'_>) -> Result<Contents, Error> {
        let pool = [Value::from(&*self.pool)];
        let waiting = "SELECT count(*), min(created_at) FROM outbox WHERE pool = ?1 AND dead_at IS NULL";
        let dead = "SELECT count(*) FROM outbox WHERE pool = ?1 AND dead_at IS NOT NULL";
        let mut contents = Contents::default();
        if let Some(mut row) = on.query_one(waiting, &pool)? {
            contents.waiting = row.integer(0)?.try_into().unwrap_or(0);
            contents.oldest = row.optional_timestamp(1)?;
        }
        if let Some(mut row) = on.query_one(dead, &pool)? {
            contents.dead = row.integer(0)?.try_into().unwrap_or(0);
        }
        Ok(contents)
    }
}

/// Deletes what was to be sent to a user, and what is known of it.
///
/// # Errors
///
/// If the database fails.
pub fn forget(on: &mut Transaction<'_>, pool: &str, subject: &str) -> Result<(), Error> {
    on.execute("DELETE FROM outbox WHERE pool = ?1 AND sub = ?2", &[Value::from(pool), subject.into()]).map(drop)
}

/// Deletes at most `limit` messages that were given up long ago. Returns how many.
///
/// # Errors
///
/// If the database fails.
pub(crate) fn sweep(on: &mut Transaction<'_>, pool: &str, now: Timestamp, limit: i64) -> Result<usize, Error> {
    let sql = "DELETE FROM outbox WHERE pool = ?1 AND id IN \
               (SELECT id FROM outbox WHERE pool = ?1 AND dead_at IS NOT NULL AND dead_at <= ?2 LIMIT ?3)";
    on.execute(sql, &[Value::from(pool), (now - DEAD_KEPT).into(), limit.into()])
}

fn secret<'de, D: serde::Deserializer<'de>>(from: D) -> Result<Option<Secret<String>>, D::Error> {
    Ok(Option::<String>::deserialize(from)?.map(Secret::new))
}

#[cfg(test)]
mod tests;
