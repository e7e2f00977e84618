//! How what was issued to a user ends: rows of sessions, codes and families of refresh tokens that belong together.
//!
//! Each method is part of the transaction of somebody else.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::database::{Error, Transaction, Value};
use crate::directory::record::Records;
use crate::endings::rows::EndingRows;
use crate::logouts::LogoutRows;

/// What was issued in one pool.
#[derive(Clone, Debug)]
pub(crate) struct Issued {
    pool: Arc<str>,
    logouts: LogoutRows,
}

impl Issued {
    /// Of the pool with this name in the configuration.
    pub(crate) fn new(pool: Arc<str>) -> Self {
        Self { logouts: LogoutRows::new(Arc::clone(&pool)), pool }
    }

    /// Ends a session of a browser, its codes, and its families that do not outlive it (`offline_access`). The sessions of rules that came
    /// of it end as well, and its clients are told. `false` if there is no such session.
    pub(crate) fn end_session(&self, on: &mut Transaction<'_>, id: &str, now: Timestamp) -> Result<bool, Error> {
        let key = [Value::from(&*self.pool), id.into()];
        let sql = "DELETE FROM sso WHERE pool = ?1 AND id = ?2 RETURNING sub, auth_time, clients";
        let ended = match on.query_one(sql, &key)? {
            Some(mut row) => {
                let (subject, auth_time) = (row.text(0)?, row.timestamp(1)?);
                self.logouts.add_all(on, &row.text(2)?, (&subject, id), now)?;
                Some((subject, auth_time))
            }
            None => None,
        };
        on.execute("DELETE FROM grants WHERE pool = ?1 AND session_id = ?2 AND family IS NULL", &key)?;
        let sql = "UPDATE families SET revoked_at = ?3 \
                   WHERE pool = ?1 AND session_id = ?2 AND is_offline = 0 AND revoked_at IS NULL";
        on.execute(sql, &[Value::from(&*self.pool), id.into(), now.into()])?;
        let Some((subject, auth_time)) = ended else { return Ok(false) };
        let endings = EndingRows { pool: Arc::clone(&self.pool) };
        if !endings.end_session(on, (&subject, id), auth_time, now)? {
            // So many that they are not told apart any more.
            Records { pool: Arc::clone(&self.pool) }.end(on, &subject, now)?;
        }
        Ok(true)
    }

    /// Ends a family. `false` if there is none, or if it has ended before.
    pub(crate) fn end_family(&self, on: &mut Transaction<'_>, id: &str, now: Timestamp) -> Result<bool, Error> {
        let sql = "UPDATE families SET revoked_at = ?3 WHERE pool = ?1 AND id = ?2 AND revoked_at IS NULL";
        Ok(on.execute(sql, &[Value::from(&*self.pool), id.into(), now.into()])? == 1)
    }
}
