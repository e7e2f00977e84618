//! Passwords that a user has had. With `history: 3`, the current one and the two before it are not accepted again (pool §6.6).

use crate::database::{Error, Transaction, Value};
use crate::directory::record::Records;
use crate::directory::status::Status;
use crate::secret::Secret;

/// A user whose password is about to be replaced, if the user is still like this.
#[derive(Clone, Copy, Debug)]
pub(super) struct Before<'u> {
    pub(super) records: &'u Records,
    pub(super) subject: &'u str,
    pub(super) epoch: i64,
    pub(super) status: Status,
}

/// The newest former passwords of a user, at most so many.
pub(super) fn newest(
    on: &mut Transaction<'_>,
    records: &Records,
    subject: &str,
    limit: usize,
) -> Result<Vec<Secret<String>>, Error> {
    let sql = "SELECT password_hash FROM password_history WHERE pool = ?1 AND sub = ?2 ORDER BY epoch DESC LIMIT ?3";
    let values = [Value::from(&*records.pool), subject.into(), (limit as i64).into()];
    on.query(sql, &values)?.into_iter().map(|mut row| row.text(0).map(Secret::new)).collect()
}

/// Keeps the password that is about to be replaced, and no more than `kept` former ones. Temporary passwords are not kept.
pub(super) fn remember(on: &mut Transaction<'_>, before: Before<'_>, kept: usize) -> Result<(), Error> {
    let (pool, subject) = (Value::from(&*before.records.pool), Value::from(before.subject));
    if kept > 0 {
        // The same condition as that of the change, so that nothing is kept if nothing changes.
        let sql = "INSERT INTO password_history (pool, sub, epoch, password_hash) SELECT pool, sub, epoch, password_hash FROM users \
                   WHERE pool = ?1 AND sub = ?2 AND epoch = ?3 AND status = ?4 AND password_hash IS NOT NULL \
                   AND temporary_until IS NULL";
        on.execute(sql, &[pool, subject, before.epoch.into(), before.status.as_str().into()])?;
    }
    let sql = "DELETE FROM password_history WHERE pool = ?1 AND sub = ?2 AND epoch NOT IN \
               (SELECT epoch FROM password_history WHERE pool = ?1 AND sub = ?2 ORDER BY epoch DESC LIMIT ?3)";
    on.execute(sql, &[pool, subject, (kept as i64).into()]).map(drop)
}
