//! Pushed authorization requests (RFC 9126): a client sends the request itself, and the browser brings only its name.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::crypto::octets;
use crate::database::{self, Database, Transaction, Value};
use crate::directory::StoredUsers;

/// RFC 9126 §2.2.
pub(super) const PREFIX: &str = "urn:ietf:params:oauth:request_uri:";
/// How long a browser may take to bring it.
pub(super) const LIFETIME: Duration = Duration::from_secs(60);
/// Number of old rows that a new one removes, at most.
const SWEPT: i64 = 10;

/// The requests of one pool.
#[derive(Clone, Debug)]
pub(crate) struct PushedRequests {
    database: Arc<Database>,
    pool: Arc<str>,
}

impl PushedRequests {
    /// Of the pool with this database.
    pub(crate) fn new(stored: &StoredUsers) -> Self {
        Self { database: Arc::clone(&stored.database), pool: Arc::clone(&stored.records.pool) }
    }

    /// Keeps a request, and returns its name.
    pub(super) async fn add(
        &self,
        client_id: &str,
        request: String,
        now: Timestamp,
    ) -> Result<String, database::Error> {
        let name = octets::token();
        let (hash, pool, client_id) = (octets::sha256(name.as_bytes()), Arc::clone(&self.pool), client_id.to_owned());
        let add = move |on: &mut Transaction<'_>| {
            let sql = "DELETE FROM pushed_requests WHERE pool = ?1 AND hash IN \
                       (SELECT hash FROM pushed_requests WHERE pool = ?1 AND expires_at <= ?2 LIMIT ?3)";
            on.execute(sql, &[Value::from(&*pool), now.into(), SWEPT.into()])?;
            let expires_at = now + LIFETIME;
            let values =
                [Value::from(&*pool), (&hash[..]).into(), (&client_id).into(), (&request).into(), expires_at.into()];
            let sql =
                "INSERT INTO pushed_requests (pool, hash, client_id, request, expires_at) VALUES (?1, ?2, ?3, ?4, ?5)";
            on.execute(sql, &values).map(drop)
        };
        self.database.write(add).await?;
        Ok(format!("{PREFIX}{name}"))
    }

    /// Takes a request: it is used once.
    pub(super) async fn take(
        &self,
        name: &str,
        client_id: &str,
        now: Timestamp,
    ) -> Result<Option<String>, database::Error> {
        let (hash, pool, client_id) = (octets::sha256(name.as_bytes()), Arc::clone(&self.pool), client_id.to_owned());
        let take = move |on: &mut Transaction<'_>| {
            let sql = "DELETE FROM pushed_requests WHERE pool = ?1 AND hash = ?2 AND client_id = ?3 AND expires_at > ?4 \
                       RETURNING request";
            let values = [Value::from(&*pool), (&hash[..]).into(), (&client_id).into(), now.into()];
            on.query_one(sql, &values)?.map(|mut row| row.text(0)).transpose()
        };
        self.database.write(take).await
    }
}

/// Whether an authorization request was pushed before.
pub(super) enum Pushed {
    /// It was not: the parameters are in the request itself.
    None,
    /// It was used before, has expired, or is another client's.
    Unknown,
    /// Its parameters, as a form.
    Request(String),
}
