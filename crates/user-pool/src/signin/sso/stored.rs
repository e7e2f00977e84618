//! Sessions of pools with a database: a restart forgets none, and none that was ended.

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::crypto::octets;
use crate::database::{Database, Error};
use crate::directory::StoredUsers;
use crate::secret::Secret;
use crate::seen::Seen;
use crate::signin::sso::rows::{Former, Rows};
use crate::signin::sso::session::{Begun, Session};

/// Length of the value of a cookie, in characters: [`octets::token`].
const COOKIE_LENGTH: usize = 43;
/// How old the time of the last use may become before it is written again.
const USED_EVERY: Duration = Duration::from_secs(60);

/// Sessions as rows.
#[derive(Debug)]
pub(super) struct StoredSessions {
    database: Arc<Database>,
    rows: Rows,
}

impl StoredSessions {
    pub(super) fn new(stored: &StoredUsers) -> Self {
        Self { database: Arc::clone(&stored.database), rows: Rows::new(Arc::clone(&stored.records.pool)) }
    }

    /// Writes a session that begins or continues.
    pub(super) async fn begin(
        &self,
        session: Session,
        former: Former,
        seen: Seen,
        now: Timestamp,
    ) -> Result<Begun, Error> {
        let (cookie, rows) = (Secret::new(octets::token()), self.rows.clone());
        let hash = octets::sha256(cookie.expose().as_bytes());
        let begun = self.database.write(move |on| rows.begin(on, session, &former, (&hash, &seen), now));
        Ok(Begun { session: begun.await?, cookie })
    }

    pub(super) async fn open(&self, cookie: &str, now: Timestamp) -> Result<Option<Session>, Error> {
        if cookie.len() != COOKIE_LENGTH {
            return Ok(None);
        }
        let (hash, rows) = (octets::sha256(cookie.as_bytes()), self.rows.clone());
        let Some((session, used_at)) = self.database.read(move |on| rows.of_cookie(on, &hash)).await? else {
            return Ok(None);
        };
        if now.since(used_at) >= USED_EVERY {
            let (rows, id) = (self.rows.clone(), session.id.clone());
            self.database.write(move |on| rows.use_at(on, &id, now)).await?;
        }
        Ok(Some(session))
    }

    pub(super) async fn end(&self, id: &str, now: Timestamp) -> Result<(), Error> {
        let (rows, id) = (self.rows.clone(), id.to_owned());
        self.database.write(move |on| rows.end(on, &id, now)).await.map(drop)
    }
}
