//! Families of refresh tokens as rows. Each method is one use case inside of a transaction.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::database::{Error, Row, Transaction, Value};
use crate::oauth::grant::record::Grant;
use crate::oauth::grant::stored::token::Token;
use crate::oauth::lifetimes::Lifetimes;
use crate::seen::Seen;

/// Maximum number of families of a user at a client. The ones that were not used for the longest time are dropped, with their tokens.
const PER_OWNER_MAX: i64 = 100;
/// Number of old rows that a new family removes, at most.
const SWEPT: i64 = 10;

/// The families of one pool.
#[derive(Clone, Debug)]
pub(super) struct Families {
    pub(super) pool: Arc<str>,
}

/// A family as a token of it is presented.
#[derive(Debug)]
pub(super) struct Family {
    pub(super) id: String,
    pub(super) grant: Grant,
    pub(super) standing: Standing,
    pub(super) expires_at: Timestamp,
    created_at: Timestamp,
    is_revoked: bool,
}

/// What the presented token is in its family.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Standing {
    /// The good one.
    Current,
    /// The one before, a moment after it was replaced by this one, which is encrypted.
    Repeated(Vec<u8>),
    /// An earlier one: two parties hold the family (RFC 9700 §4.14.2).
    Used,
}

impl Family {
    /// Whether it was revoked or has expired. A lifetime that has become shorter applies to families that began before. One that has become
    /// longer does not.
    pub(super) fn is_over(&self, lifetime: Duration, now: Timestamp) -> bool {
        self.is_revoked || self.expires_at <= now || self.created_at + lifetime <= now
    }
}

/// The columns of a grant.
const GRANT: &str = "sub, client_id, session_id, fingerprint, scope, resource, auth_time, claims, proofs";

impl Families {
    /// Writes a family with its first token.
    pub(super) fn begin(
        &self,
        on: &mut Transaction<'_>,
        (id, token, grant): (&str, &Token, &Grant),
        lifetimes: Lifetimes,
        seen: &Seen,
        now: Timestamp,
    ) -> Result<(), Error> {
        self.sweep(on, now)?;
        let (handle, current) = (token.handle_hash(), token.hash());
        let proofs = String::from(grant.proofs.clone());
        let claims = grant.claims.as_ref().map(|claims| serde_json::to_string(claims).expect("names have a JSON form"));
        let values = [
            Value::from(&*self.pool),
            id.into(),
            (&handle[..]).into(),
            (&current[..]).into(),
            (&grant.subject).into(),
            (&grant.client_id).into(),
            (&grant.session_id).into(),
            (&grant.fingerprint).into(),
            (&grant.scope).into(),
            grant.resource.as_ref().into(),
            Timestamp::from_seconds(grant.auth_time).into(),
            claims.as_ref().into(),
            (&proofs).into(),
            grant.has("offline_access").into(),
            (&seen.address).into(),
            (&seen.agent).into(),
            now.into(),
            (now + lifetimes.refresh).into(),
            (now + lifetimes.refresh.max(lifetimes.access)).into(),
        ];
        let sql = format!(
            "INSERT INTO families (pool, id, handle, current, {GRANT}, is_offline, address, agent, created_at, used_at, expires_at, \
             kept_until) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17, ?17, ?18, ?19)"
        );
        on.execute(&sql, &values)?;
        self.make_room(on, id, grant)
    }

    /// The family of a token.
    pub(super) fn find(
        &self,
        on: &mut Transaction<'_>,
        token: &Token,
        now: Timestamp,
    ) -> Result<Option<Family>, Error> {
        let (handle, hash) = (token.handle_hash(), token.hash());
        let sql = format!(
            "SELECT {GRANT}, id, created_at, expires_at, revoked_at, repeated, \
             CASE WHEN current = ?3 THEN 0 WHEN former = ?3 AND grace_until > ?4 THEN 1 ELSE 2 END \
             FROM families WHERE pool = ?1 AND handle = ?2"
        );
        let values = [Value::from(&*self.pool), (&handle[..]).into(), (&hash[..]).into(), now.into()];
        let Some(mut row) = on.query_one(&sql, &values)? else { return Ok(None) };
        Ok(Some(Family {
            grant: grant(&mut row)?,
            id: row.text(9)?,
            created_at: row.timestamp(10)?,
            expires_at: row.timestamp(11)?,
            is_revoked: row.optional_integer(12)?.is_some(),
            standing: match (row.integer(14)?, row.optional_blob(13)?) {
                (0, _) => Standing::Current,
                (1, Some(repeated)) => Standing::Repeated(repeated),
                _ => Standing::Used,
            },
        }))
    }

    /// Replaces the good token of a family. `grace` is how long it can be repeated.
    pub(super) fn rotate(
        &self,
        on: &mut Transaction<'_>,
        (token, next): (&Token, &Token),
        (access, grace): (Duration, Duration),
        seen: &Seen,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let (handle, former, current, repeated) =
            (token.handle_hash(), token.hash(), next.hash(), token.seal_next(next));
        let values = [
            Value::from(&*self.pool),
            (&handle[..]).into(),
            (&former[..]).into(),
            (&current[..]).into(),
            (now + grace).into(),
            (&repeated).into(),
            (&seen.address).into(),
            (&seen.agent).into(),
            now.into(),
            (now + access).into(),
        ];
        let sql = "UPDATE families SET current = ?4, former = ?3, grace_until = ?5, repeated = ?6, address = ?7, agent = ?8, \
                   used_at = ?9, kept_until = CASE WHEN kept_until < ?10 THEN ?10 ELSE kept_until END \
                   WHERE pool = ?1 AND handle = ?2 AND current = ?3 AND revoked_at IS NULL";
        Ok(on.execute(sql, &values)? == 1)
    }

    /// What a family is for, if it is in force.
    pub(super) fn alive(&self, on: &mut Transaction<'_>, id: &str, now: Timestamp) -> Result<Option<Grant>, Error> {
        let sql = format!(
            "SELECT {GRANT} FROM families WHERE pool = ?1 AND id = ?2 AND revoked_at IS NULL AND kept_until > ?3"
        );
        let row = on.query_one(&sql, &[Value::from(&*self.pool), id.into(), now.into()])?;
        row.map(|mut row| grant(&mut row)).transpose()
    }

    fn make_room(&self, on: &mut Transaction<'_>, new: &str, grant: &Grant) -> Result<(), Error> {
        let values = [
            Value::from(&*self.pool),
            (&grant.subject).into(),
            (&grant.client_id).into(),
            new.into(),
            (PER_OWNER_MAX - 1).into(),
        ];
        let sql = "DELETE FROM families WHERE pool = ?1 AND id IN (SELECT id FROM families \
                   WHERE pool = ?1 AND sub = ?2 AND client_id = ?3 AND id <> ?4 ORDER BY used_at DESC LIMIT 10 OFFSET ?5)";
        on.execute(sql, &values).map(drop)
    }

    fn sweep(&self, on: &mut Transaction<'_>, now: Timestamp) -> Result<(), Error> {
        let sql = "DELETE FROM families WHERE pool = ?1 AND id IN \
                   (SELECT id FROM families WHERE pool = ?1 AND kept_until <= ?2 LIMIT ?3)";
        on.execute(sql, &[Value::from(&*self.pool), now.into(), SWEPT.into()]).map(drop)
    }
}

/// Reads the first columns of a row, which are those of [`GRANT`].
fn grant(row: &mut Row) -> Result<Grant, Error> {
    let claims = row.optional_text(7)?.map(|text| serde_json::from_str(&text));
    Ok(Grant {
        claims: claims.transpose().map_err(|_| Error::Malformed("JSON object of claims"))?,
        subject: row.text(0)?,
        client_id: row.text(1)?,
        session_id: row.text(2)?,
        fingerprint: row.text(3)?,
        scope: row.text(4)?,
        resource: row.optional_text(5)?,
        auth_time: row.timestamp(6)?.seconds(),
        proofs: row.text(8)?.parse().map_err(|_| Error::Malformed("list of proofs"))?,
    })
}
