//! What a user has set up.

use crate::clock::Timestamp;
use crate::database::{Error, Transaction, Value};
use crate::factors::browsers::{self, TrustedBrowser};
use crate::factors::passkeys::{self, ListedPasskey};
use crate::factors::rows::Factors;
use crate::factors::settings::Factor;
use crate::factors::totp;

/// What a user has set up.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Owned {
    /// In the order in which they are offered.
    pub factors: Vec<Factor>,
    /// When one-time passwords of an app were set up.
    pub app_since: Option<Timestamp>,
    /// The oldest first.
    pub passkeys: Vec<ListedPasskey>,
    /// The number of recovery codes that are left.
    pub recovery_codes: i64,
    /// Browsers that need no second factor.
    pub trusted_browsers: Vec<TrustedBrowser>,
}

impl Factors {
    /// What this user has set up.
    pub(crate) fn of(&self, on: &mut Transaction<'_>, subject: &str) -> Result<Owned, Error> {
        owned(on, &self.pool, subject)
    }
}

/// What a user of this pool has set up.
pub fn owned(on: &mut Transaction<'_>, pool: &str, subject: &str) -> Result<Owned, Error> {
    let (app_since, passkeys) = (totp::since(on, pool, subject)?, passkeys::listed(on, pool, subject)?);
    let factors = kinds(app_since, &passkeys);
    let key = [Value::from(pool), subject.into()];
    let codes = on.query_one("SELECT count(*) FROM recovery_codes WHERE pool = ?1 AND sub = ?2", &key)?;
    let recovery_codes = codes.map_or(Ok(0), |mut row| row.integer(0))?;
    let trusted_browsers = browsers::of(on, pool, subject)?;
    Ok(Owned { factors, app_since, passkeys, recovery_codes, trusted_browsers })
}

/// Which factors these are. A verified address is one without being set up.
pub(super) fn kinds(app_since: Option<Timestamp>, passkeys: &[ListedPasskey]) -> Vec<Factor> {
    let has = |factor: &Factor| match factor {
        Factor::Passkey => !passkeys.is_empty(),
        Factor::Totp => app_since.is_some(),
        Factor::Email | Factor::Sms => false,
    };
    Factor::ALL.into_iter().filter(has).collect()
}

/// Removes everything that a user of this pool has set up. `false` if there was nothing.
pub fn forget(on: &mut Transaction<'_>, pool: &str, subject: &str) -> Result<bool, Error> {
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
