//! Passkeys.

use std::time::Duration;

use crate::clock::Timestamp;
use crate::credential::webauthn::{PER_USER_MAX, Registered};
use crate::crypto::uuid;
use crate::database::{Error, Row, Transaction, Value};
use crate::factors::rows::Factors;

/// How long an answered question is remembered: longer than a page lives.
const REMEMBERED_FOR: Duration = Duration::from_secs(30 * 60);
/// Number of expired rows that an answer removes, at most. More than one, so that the table shrinks.
const SWEPT: i64 = 10;

/// What became of a new passkey.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Added {
    Yes,
    /// The user has as many as a user may have.
    TooMany,
    /// The passkey is there already, or its question was answered before.
    Before,
}

/// Maximum length of what a user calls a passkey, in characters.
pub(crate) const NAME_MAX: usize = 64;

/// A passkey, as lists show it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ListedPasskey {
    /// What it is named and removed by. It is not the ID that the authenticator has given.
    pub id: String,
    /// What the user calls it.
    pub name: Option<String>,
    pub created_at: Timestamp,
    pub used_at: Option<Timestamp>,
}

/// A passkey of a user.
#[derive(Debug)]
pub(crate) struct StoredPasskey {
    /// `sub` of its user.
    pub(crate) subject: String,
    pub(crate) registered: Registered,
    /// As it was read: another use in between changes it.
    text: String,
}

impl Factors {
    /// The passkeys of a user, the oldest first.
    pub(crate) fn passkeys(&self, on: &mut Transaction<'_>, subject: &str) -> Result<Vec<StoredPasskey>, Error> {
        let sql = "SELECT sub, credential FROM passkeys WHERE pool = ?1 AND sub = ?2 ORDER BY created_at, id";
        let rows = on.query(sql, &[Value::from(&*self.pool), subject.into()])?;
        rows.into_iter().map(read).collect()
    }

    /// The passkey with this ID.
    pub(crate) fn passkey(
        &self,
        on: &mut Transaction<'_>,
        credential_id: &[u8],
    ) -> Result<Option<StoredPasskey>, Error> {
        let sql = "SELECT sub, credential FROM passkeys WHERE pool = ?1 AND credential_id = ?2";
        let row = on.query_one(sql, &[Value::from(&*self.pool), credential_id.into()])?;
        row.map(read).transpose()
    }

    /// Adds a passkey to a user. `question` is the hash of what it has answered.
    pub(crate) fn add_passkey(
        &self,
        on: &mut Transaction<'_>,
        subject: &str,
        registered: &Registered,
        question: &[u8; 32],
        now: Timestamp,
    ) -> Result<Added, Error> {
        if self.passkeys(on, subject)?.len() >= PER_USER_MAX {
            return Ok(Added::TooMany);
        }
        if !self.take_question(on, question, now)? {
            return Ok(Added::Before);
        }
        let (id, text) = (uuid::random(), text(registered)?);
        let values = [
            Value::from(&*self.pool),
            registered.credential_id().into(),
            subject.into(),
            (&id).into(),
            (&text).into(),
            now.into(),
        ];
        let sql = "INSERT INTO passkeys (pool, credential_id, sub, id, credential, created_at) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING";
        Ok(if on.execute(sql, &values)? == 1 { Added::Yes } else { Added::Before })
    }

    /// Uses the answer of a passkey up: `now_registered` is the passkey with what the answer has changed. `false` if the question was answered
    /// before, or if the passkey was used or removed meanwhile.
    pub(crate) fn take_answer(
        &self,
        on: &mut Transaction<'_>,
        passkey: &StoredPasskey,
        now_registered: &Registered,
        question: &[u8; 32],
        now: Timestamp,
    ) -> Result<bool, Error> {
        let text = text(now_registered)?;
        let values = [
            Value::from(&*self.pool),
            now_registered.credential_id().into(),
            (&passkey.text).into(),
            (&text).into(),
            now.into(),
        ];
        let sql = "UPDATE passkeys SET credential = ?4, used_at = ?5 WHERE pool = ?1 AND credential_id = ?2 AND credential = ?3";
        Ok(self.take_question(on, question, now)? && on.execute(sql, &values)? == 1)
    }

    /// Remembers that a question was answered. Only right answers come here, so nobody can fill the table.
    fn take_question(&self, on: &mut Transaction<'_>, question: &[u8; 32], now: Timestamp) -> Result<bool, Error> {
        let pool = Value::from(&*self.pool);
        let sql = "DELETE FROM passkey_answers WHERE pool = ?1 AND hash IN \
                   (SELECT hash FROM passkey_answers WHERE pool = ?1 AND expires_at <= ?2 LIMIT ?3)";
        on.execute(sql, &[pool, now.into(), SWEPT.into()])?;
        let sql = "INSERT INTO passkey_answers (pool, hash, expires_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
        Ok(on.execute(sql, &[pool, (&question[..]).into(), (now + REMEMBERED_FOR).into()])? == 1)
    }
}

/// The passkeys of a user of this pool for a list, the oldest first.
pub(super) fn listed(on: &mut Transaction<'_>, pool: &str, subject: &str) -> Result<Vec<ListedPasskey>, Error> {
    let sql = "SELECT id, name, created_at, used_at FROM passkeys WHERE pool = ?1 AND sub = ?2 ORDER BY created_at, id";
    let read = |mut row: Row| {
        Ok(ListedPasskey {
            id: row.text(0)?,
            name: row.optional_text(1)?,
            created_at: row.timestamp(2)?,
            used_at: row.optional_timestamp(3)?,
        })
    };
    on.query(sql, &[Value::from(pool), subject.into()])?.into_iter().map(read).collect()
}

/// Removes one passkey of a user of this pool. `false` if the user has none of this `id`.
pub(super) fn remove(on: &mut Transaction<'_>, pool: &str, subject: &str, id: &str) -> Result<bool, Error> {
    let sql = "DELETE FROM passkeys WHERE pool = ?1 AND sub = ?2 AND id = ?3";
    Ok(on.execute(sql, &[Value::from(pool), subject.into(), id.into()])? == 1)
}

/// Sets what a user of this pool calls a passkey: the beginning of `typed`, without control characters. Nothing takes the name away. `false` if the user has
/// no passkey of this `id`.
pub(crate) fn name(on: &mut Transaction<'_>, pool: &str, subject: &str, id: &str, typed: &str) -> Result<bool, Error> {
    let words = typed.split(|c: char| c.is_whitespace() || c.is_control()).filter(|word| !word.is_empty());
    let name: String = words.collect::<Vec<_>>().join(" ").chars().take(NAME_MAX).collect();
    let name = Some(name.as_str()).filter(|name| !name.is_empty());
    let sql = "UPDATE passkeys SET name = ?4 WHERE pool = ?1 AND sub = ?2 AND id = ?3";
    Ok(on.execute(sql, &[Value::from(pool), subject.into(), id.into(), name.into()])? == 1)
}

fn read(mut row: Row) -> Result<StoredPasskey, Error> {
    let (subject, text) = (row.text(0)?, row.text(1)?);
    let registered = serde_json::from_str(&text).map_err(|_| Error::Malformed("passkey"))?;
    Ok(StoredPasskey { subject, registered, text })
}

fn text(registered: &Registered) -> Result<String, Error> {
    serde_json::to_string(registered).map_err(|_| Error::Malformed("passkey"))
}
