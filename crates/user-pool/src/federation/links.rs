//! Which user of the pool a user of a provider is, and which sign-ins have ended, as rows of the database.

use crate::clock::Timestamp;
use crate::database::{Error, Transaction, Value};
use crate::directory::record::Records;

/// A user of a provider.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ExternalUser {
    /// The name of the provider in the pool.
    pub(crate) provider: String,
    /// Only together with the issuer does a subject identify a user (OIDC Core §5.7). If the entry of the configuration becomes one for another
    /// provider, its subjects are other users.
    pub(crate) issuer: String,
    pub(crate) subject: String,
}

impl ExternalUser {
    fn key<'v>(&'v self, pool: &'v str) -> [Value<'v>; 4] {
        [pool.into(), (&self.provider).into(), (&self.issuer).into(), (&self.subject).into()]
    }
}

/// Maximum number of rows of sign-ins that one sign-in deletes because they have expired.
const EXPIRED_MAX: i64 = 500;

impl Records {
    /// `sub` of the user who is linked to this user of a provider.
    pub(crate) fn linked(&self, on: &mut Transaction<'_>, external: &ExternalUser) -> Result<Option<String>, Error> {
        let sql = "SELECT sub FROM provider_links WHERE pool = ?1 AND provider = ?2 AND issuer = ?3 AND subject = ?4";
        on.query_one(sql, &external.key(&self.pool))?.map(|mut row| row.text(0)).transpose()
    }

    /// Links a user to a user of a provider who is linked to nobody.
    pub(crate) fn link(
        &self,
        on: &mut Transaction<'_>,
        external: &ExternalUser,
        sub: &str,
        now: Timestamp,
    ) -> Result<(), Error> {
        let [pool, provider, issuer, subject] = external.key(&self.pool);
        let sql = "INSERT INTO provider_links (pool, provider, issuer, subject, sub, created_at) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        on.execute(sql, &[pool, provider, issuer, subject, sub.into(), now.into()]).map(drop)
    }

    /// Ends a sign-in at a provider, once. `false` if it has ended before. `until` is when its answer would have expired: the row is of no use
    /// afterwards.
    pub(crate) fn end_provider_sign_in(
        &self,
        on: &mut Transaction<'_>,
        state_hash: &[u8],
        until: Timestamp,
        now: Timestamp,
    ) -> Result<bool, Error> {
        let sql = "DELETE FROM provider_sign_ins WHERE (pool, state_hash) IN (SELECT pool, state_hash FROM \
                   provider_sign_ins WHERE pool = ?1 AND expires_at <= ?2 LIMIT ?3)";
        on.execute(sql, &[Value::from(&*self.pool), now.into(), EXPIRED_MAX.into()])?;
        let sql =
            "INSERT INTO provider_sign_ins (pool, state_hash, expires_at) VALUES (?1, ?2, ?3) ON CONFLICT DO NOTHING";
        Ok(on.execute(sql, &[Value::from(&*self.pool), state_hash.into(), until.into()])? == 1)
    }
}
