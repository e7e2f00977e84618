//! Keys as rows of the database. Each method is one use case inside of a transaction.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::database::{Error, Row, Transaction, Value};
use crate::jose::signing_key::Algorithm;
use crate::oauth::keys::key::{KeyRow, NewKey, PUBLISHED_AFTER, PUBLISHED_BEFORE, SIGNS_FOR, State};

/// The keys of one pool.
#[derive(Clone, Debug)]
pub(crate) struct KeyRows {
    pool: Arc<str>,
}

impl KeyRows {
    /// Of the pool with this name in the configuration.
    pub(crate) fn new(pool: Arc<str>) -> Self {
        Self { pool }
    }

    /// The pool, which is a part of where a private key is.
    pub(super) fn pool(&self) -> &str {
        &self.pool
    }

    /// All keys, the oldest first.
    pub(crate) fn all(&self, on: &mut Transaction<'_>) -> Result<Vec<KeyRow>, Error> {
        let sql = "SELECT kid, algorithm, state, created_at, signs_until, published_until, public, sealed FROM keys \
                   WHERE pool = ?1 ORDER BY created_at, kid";
        let read = |mut row: Row| {
            Ok(KeyRow {
                kid: row.text(0)?,
                algorithm: algorithm(&row.text(1)?)?,
                state: row.text(2)?.parse()?,
                created_at: row.timestamp(3)?,
                signs_until: row.timestamp(4)?,
                published_until: row.optional_timestamp(5)?,
                public: row.text(6)?,
                sealed: row.optional_blob(7)?,
            })
        };
        on.query(sql, &[Value::from(&*self.pool)])?.into_iter().map(read).collect()
    }

    /// Adds a key. Does nothing if another process has added one for the same purpose.
    pub(super) fn add(
        &self,
        on: &mut Transaction<'_>,
        new: &NewKey,
        state: State,
        now: Timestamp,
    ) -> Result<(), Error> {
        let values = [
            Value::from(&*self.pool),
            (&new.kid).into(),
            new.algorithm.name().into(),
            state.as_str().into(),
            (&new.public).into(),
            (&new.sealed).into(),
            now.into(),
            (now + SIGNS_FOR).into(),
        ];
        let sql = "INSERT INTO keys (pool, kid, algorithm, state, public, sealed, created_at, signs_until) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8) ON CONFLICT DO NOTHING";
        on.execute(sql, &values).map(drop)
    }

    /// Lets the next key sign in the place of the current one. Does nothing without a next one.
    pub(super) fn promote(&self, on: &mut Transaction<'_>, algorithm: Algorithm, now: Timestamp) -> Result<(), Error> {
        let next = "SELECT kid FROM keys WHERE pool = ?1 AND algorithm = ?2 AND state = 'next'";
        let Some(mut row) = on.query_one(next, &[Value::from(&*self.pool), algorithm.name().into()])? else {
            return Ok(());
        };
        // It never signs again, so nobody needs its private half.
        let sql = "UPDATE keys SET state = 'former', sealed = NULL, published_until = ?3 \
                   WHERE pool = ?1 AND algorithm = ?2 AND state = 'current'";
        on.execute(sql, &[Value::from(&*self.pool), algorithm.name().into(), (now + PUBLISHED_AFTER).into()])?;
        let sql = "UPDATE keys SET state = 'current', signs_until = ?3 WHERE pool = ?1 AND kid = ?2";
        on.execute(sql, &[Value::from(&*self.pool), (&row.text(0)?).into(), (now + SIGNS_FOR).into()]).map(drop)
    }

    /// Removes a former key.
    pub(super) fn retire(&self, on: &mut Transaction<'_>, kid: &str) -> Result<(), Error> {
        let sql = "DELETE FROM keys WHERE pool = ?1 AND kid = ?2 AND state = 'former'";
        on.execute(sql, &[Value::from(&*self.pool), kid.into()]).map(drop)
    }

    /// Has all current keys replaced as soon as the next ones were published long enough.
    pub(crate) fn replace_soon(&self, on: &mut Transaction<'_>, now: Timestamp) -> Result<(), Error> {
        let sql = "UPDATE keys SET signs_until = ?2 WHERE pool = ?1 AND state = 'current' AND signs_until > ?2";
        on.execute(sql, &[Value::from(&*self.pool), (now + PUBLISHED_BEFORE).into()]).map(drop)
    }

    /// Removes all keys, because somebody else may have them: no token that they have signed is valid any more.
    pub(crate) fn revoke_all(&self, on: &mut Transaction<'_>) -> Result<(), Error> {
        on.execute("DELETE FROM keys WHERE pool = ?1", &[Value::from(&*self.pool)]).map(drop)
    }
}

fn algorithm(name: &str) -> Result<Algorithm, Error> {
    let all = [Algorithm::Rs256, Algorithm::Es256];
    all.into_iter().find(|algorithm| algorithm.name() == name).ok_or(Error::Malformed("signature algorithm"))
}
