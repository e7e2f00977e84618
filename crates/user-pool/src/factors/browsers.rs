//! Browsers that users trust: they take the place of a second factor (pool §5.7).

use std::time::Duration;

use crate::clock::Timestamp;
use crate::crypto::{octets, uuid};
use crate::database::{Error, Row, Transaction, Value};
use crate::factors::rows::Factors;

/// Maximum number of trusted browsers of a user. The one that was not used for the longest time is forgotten.
const PER_USER_MAX: i64 = 20;
/// Number of expired rows that a new one removes, at most. More than one, so that the table shrinks.
const SWEPT: i64 = 10;

/// A trusted browser, as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrustedBrowser {
    /// What it is forgotten by.
    pub id: String,
    /// `User-Agent` when the trust began, or its beginning. It may be empty.
    pub agent: String,
    pub created_at: Timestamp,
    pub used_at: Timestamp,
    pub expires_at: Timestamp,
    /// See [`Trust::fingerprint`].
    fingerprint: String,
}

impl TrustedBrowser {
    /// Whether it still takes the place of a second factor, for a user with this [`fingerprint`](Trust::fingerprint).
    pub(crate) fn counts(&self, fingerprint: &str, now: Timestamp) -> bool {
        self.fingerprint == fingerprint && self.expires_at > now
    }
}

/// What finds a trusted browser: whose it is, and the value of its cookie. It ends with the password, and with all sessions of the user.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Trust<'a> {
    pub(crate) subject: &'a str,
    /// [`User::fingerprint`](crate::directory::user::User::fingerprint).
    pub(crate) fingerprint: &'a str,
    pub(crate) cookie: &'a str,
}

impl Trust<'_> {
    fn hash(&self) -> [u8; 32] {
        octets::sha256(format!("vestibule trusted browser {}", self.cookie).as_bytes())
    }
}

impl Factors {
    /// Trusts a browser for a while. `agent` is its `User-Agent`, or the beginning of that.
    pub(crate) fn trust(
        &self,
        on: &mut Transaction<'_>,
        of: &Trust<'_>,
        (lifetime, agent): (Duration, &str),
        now: Timestamp,
    ) -> Result<(), Error> {
        let (pool, hash, id) = (Value::from(&*self.pool), of.hash(), uuid::random());
        let sql = "DELETE FROM browsers WHERE pool = ?1 AND hash IN \
                   (SELECT hash FROM browsers WHERE pool = ?1 AND expires_at <= ?2 LIMIT ?3)";
        on.execute(sql, &[pool, now.into(), SWEPT.into()])?;
        let values = [
            pool,
            (&hash[..]).into(),
            of.subject.into(),
            of.fingerprint.into(),
            (&id).into(),
            now.into(),
            (now + lifetime).into(),
            agent.into(),
        ];
        let sql = "INSERT INTO browsers (pool, hash, sub, fingerprint, id, created_at, used_at, expires_at, agent) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8)";
        on.execute(sql, &values)?;
        let sql = "DELETE FROM browsers WHERE pool = ?1 AND hash IN \
                   (SELECT hash FROM browsers WHERE pool = ?1 AND sub = ?2 ORDER BY used_at DESC, created_at DESC LIMIT 10 OFFSET ?3)";
        on.execute(sql, &[pool, of.subject.into(), PER_USER_MAX.into()]).map(drop)
    }

    /// Whether the user trusts this browser. It was used now.
    pub(crate) fn is_trusted(&self, on: &mut Transaction<'_>, of: &Trust<'_>, now: Timestamp) -> Result<bool, Error> {
        let hash = of.hash();
        let values =
            [Value::from(&*self.pool), (&hash[..]).into(), of.subject.into(), of.fingerprint.into(), now.into()];
        let sql = "UPDATE browsers SET used_at = ?5 \
                   WHERE pool = ?1 AND hash = ?2 AND sub = ?3 AND fingerprint = ?4 AND expires_at > ?5";
        Ok(on.execute(sql, &values)? == 1)
    }
}

/// The browsers that a user of this pool trusts, the last used first.
pub(super) fn of(on: &mut Transaction<'_>, pool: &str, subject: &str) -> Result<Vec<TrustedBrowser>, Error> {
    let sql = "SELECT id, agent, created_at, used_at, expires_at, fingerprint FROM browsers \
               WHERE pool = ?1 AND sub = ?2 ORDER BY used_at DESC, id";
    let read = |mut row: Row| {
        Ok(TrustedBrowser {
            id: row.text(0)?,
            agent: row.text(1)?,
            created_at: row.timestamp(2)?,
            used_at: row.timestamp(3)?,
            expires_at: row.timestamp(4)?,
            fingerprint: row.text(5)?,
        })
    };
    on.query(sql, &[Value::from(pool), subject.into()])?.into_iter().map(read).collect()
}

/// Forgets one browser that a user of this pool trusts. `false` if the user trusts none of this `id`.
pub(crate) fn forget_one(on: &mut Transaction<'_>, pool: &str, subject: &str, id: &str) -> Result<bool, Error> {
    let sql = "DELETE FROM browsers WHERE pool = ?1 AND sub = ?2 AND id = ?3";
    Ok(on.execute(sql, &[Value::from(pool), subject.into(), id.into()])? == 1)
}

/// Forgets all browsers that a user of this pool trusts. Returns how many.
pub(crate) fn forget_all(on: &mut Transaction<'_>, pool: &str, subject: &str) -> Result<usize, Error> {
    on.execute("DELETE FROM browsers WHERE pool = ?1 AND sub = ?2", &[Value::from(pool), subject.into()])
}
