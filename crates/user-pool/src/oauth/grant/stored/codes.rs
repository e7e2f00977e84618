//! Codes as rows. Each method is one use case inside of a transaction.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::database::{Error, Transaction, Value};
use crate::oauth::grant::record::Pending;

/// RFC 6749 §4.1.2 allows ten minutes; a redirect takes seconds.
const LIFETIME: Duration = Duration::from_secs(60);
/// How long a code is remembered, so that a second use is noticed.
const REMEMBERED_FOR: Duration = Duration::from_secs(600);
/// Number of old rows that a new code removes, at most.
const SWEPT: i64 = 10;

/// The codes of one pool.
#[derive(Clone, Debug)]
pub(super) struct Codes {
    pub(super) pool: Arc<str>,
}

/// A code as it was issued.
#[derive(Debug)]
pub(super) struct Code {
    pub(super) pending: Pending,
    /// What its first use has begun.
    pub(super) family: Option<String>,
    expires_at: Timestamp,
}

impl Code {
    pub(super) fn has_expired(&self, now: Timestamp) -> bool {
        self.expires_at <= now
    }
}

impl Codes {
    /// Writes a code.
    pub(super) fn add(
        &self,
        on: &mut Transaction<'_>,
        hash: &[u8; 32],
        pending: &Pending,
        now: Timestamp,
    ) -> Result<(), Error> {
        let sql = "DELETE FROM grants WHERE pool = ?1 AND hash IN \
                   (SELECT hash FROM grants WHERE pool = ?1 AND kept_until <= ?2 LIMIT ?3)";
        on.execute(sql, &[Value::from(&*self.pool), now.into(), SWEPT.into()])?;
        let text = serde_json::to_string(pending).expect("what a code is for has a JSON form");
        let values = [
            Value::from(&*self.pool),
            (&hash[..]).into(),
            (&pending.grant.subject).into(),
            (&pending.grant.session_id).into(),
            (&text).into(),
            (now + LIFETIME).into(),
            (now + LIFETIME + REMEMBERED_FOR).into(),
        ];
        let sql = "INSERT INTO grants (pool, hash, sub, session_id, pending, family, expires_at, kept_until) \
                   VALUES (?1, ?2, ?3, ?4, ?5, NULL, ?6, ?7)";
        on.execute(sql, &values).map(drop)
    }

    /// A code, which may have been used or expired.
    pub(super) fn find(&self, on: &mut Transaction<'_>, hash: &[u8; 32]) -> Result<Option<Code>, Error> {
        let sql = "SELECT pending, family, expires_at FROM grants WHERE pool = ?1 AND hash = ?2";
        let row = on.query_one(sql, &[Value::from(&*self.pool), (&hash[..]).into()])?;
        row.map(|mut row| {
            let pending = serde_json::from_str(&row.text(0)?);
            Ok(Code {
                pending: pending.map_err(|_| Error::Malformed("JSON object of a code"))?,
                family: row.optional_text(1)?,
                expires_at: row.timestamp(2)?,
            })
        })
        .transpose()
    }

    /// Uses a code up. `false` if it was used before.
    pub(super) fn take(&self, on: &mut Transaction<'_>, hash: &[u8; 32], family: &str) -> Result<bool, Error> {
        let sql = "UPDATE grants SET family = ?3 WHERE pool = ?1 AND hash = ?2 AND family IS NULL";
        Ok(on.execute(sql, &[Value::from(&*self.pool), (&hash[..]).into(), family.into()])? == 1)
    }
}
