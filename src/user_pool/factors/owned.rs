//! What a user has set up.

use crate::database::{Error, Transaction, Value};
use crate::user_pool::factors::browsers::{self, TrustedBrowser};
use crate::user_pool::factors::rows::Factors;
use crate::user_pool::factors::settings::Factor;

/// What a user has set up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Owned {
    /// In the order in which they are offered.
    pub(crate) factors: Vec<Factor>,
    /// The number of recovery codes that are left.
    pub(crate) recovery_codes: i64,
    /// Browsers that need no second factor.
    pub(crate) trusted_browsers: Vec<TrustedBrowser>,
}

impl Factors {
    /// What this user has set up.
    pub(crate) fn of(&self, on: &mut Transaction<'_>, subject: &str) -> Result<Owned, Error> {
        owned(on, &self.pool, subject)
    }
}

/// What a user of this pool has set up.
pub(crate) fn owned(on: &mut Transaction<'_>, pool: &str, subject: &str) -> Result<Owned, Error> {
    let key = [Value::from(pool), subject.into()];
    let sql = "SELECT kind FROM factors WHERE pool = ?1 AND sub = ?2 \
               UNION SELECT 'passkey' FROM passkeys WHERE pool = ?1 AND sub = ?2";
    let rows = on.query(sql, &key)?;
    let kinds = rows.into_iter().map(|mut row| row.text(0)).collect::<Result<Vec<_>, _>>()?;
    let factors = Factor::ALL.into_iter().filter(|factor| kinds.iter().any(|kind| kind == factor.name())).collect();
    let codes = on.query_one("SELECT count(*) FROM recovery_codes WHERE pool = ?1 AND sub = ?2", &key)?;
    let recovery_codes = codes.map_or(Ok(0), |mut row| row.integer(0))?;
    Ok(Owned { factors, recovery_codes, trusted_browsers: browsers::of(on, pool, subject)? })
}

/// Removes everything that a user of this pool has set up. `false` if there was nothing.
pub(crate) fn forget(on: &mut Transaction<'_>, pool: &str, subject: &str) -> Result<bool, Error> {
    let key = [Value::from(pool), subject.into()];
    let mut removed = 0;
    for sql in [
        "DELETE FROM factors WHERE pool = ?1 AND sub = ?2",
        "DELETE FROM recovery_codes WHERE pool = ?1 AND sub = ?2",
        "DELETE FROM passkeys WHERE pool = ?1 AND sub = ?2",
        "DELETE FROM browsers WHERE pool = ?1 AND sub = ?2",
    ] {
        removed += on.execute(sql, &key)?;
    }
    Ok(removed > 0)
}
