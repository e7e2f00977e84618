//! One-time passwords.

use crate::clock::Timestamp;
use crate::credential::totp::Seed;
use crate::database::{Error, Place, Row, Transaction, Value};
use crate::factors::rows::Factors;

impl Factors {
    /// The secret of a user, if the user has one.
    pub(crate) fn totp(&self, on: &mut Transaction<'_>, subject: &str) -> Result<Option<Seed>, Error> {
        let sql = "SELECT sealed FROM factors WHERE pool = ?1 AND sub = ?2 AND kind = 'totp'";
        let row = on.query_one(sql, &[Value::from(&*self.pool), subject.into()])?;
        let open = |mut row: Row| {
            let sealed = row.blob(0)?;
            self.vault.open(&sealed, &self.place(&[&self.pool, subject])).map(Seed::from_bytes)
        };
        row.map(open).transpose()
    }

    /// Sets the secret of a user, after a code of it was typed: that of `step`, which is used up. A former secret counts no more.
    pub(crate) fn set_totp(
        &self,
        on: &mut Transaction<'_>,
        subject: &str,
        (seed, step): (&Seed, u64),
        now: Timestamp,
    ) -> Result<(), Error> {
        let sealed = self.vault.seal(seed.bytes(), &self.place(&[&self.pool, subject]));
        let values = [Value::from(&*self.pool), subject.into(), (&sealed).into(), number(step).into(), now.into()];
        let sql = "INSERT INTO factors (pool, sub, kind, sealed, last_step, created_at) \
                   VALUES (?1, ?2, 'totp', ?3, ?4, ?5) \
                   ON CONFLICT (pool, sub, kind) DO UPDATE SET sealed = excluded.sealed, last_step = excluded.last_step, \
                   created_at = excluded.created_at";
        on.execute(sql, &values).map(drop)
    }

    /// Uses the code of a step up. `false` if it, or one of a later step, was used before.
    pub(crate) fn take_totp_step(&self, on: &mut Transaction<'_>, subject: &str, step: u64) -> Result<bool, Error> {
        let sql = "UPDATE factors SET last_step = ?3 WHERE pool = ?1 AND sub = ?2 AND kind = 'totp' AND last_step < ?3";
        Ok(on.execute(sql, &[Value::from(&*self.pool), subject.into(), number(step).into()])? == 1)
    }

    fn place<'p>(&self, row: &'p [&'p str]) -> Place<'p> {
        Place { table: "factors", column: "sealed", row }
    }
}

/// When a user of this pool has set one-time passwords up. `None`: the user has none.
pub(super) fn since(on: &mut Transaction<'_>, pool: &str, subject: &str) -> Result<Option<Timestamp>, Error> {
    let sql = "SELECT created_at FROM factors WHERE pool = ?1 AND sub = ?2 AND kind = 'totp'";
    on.query_one(sql, &[Value::from(pool), subject.into()])?.map(|mut row| row.timestamp(0)).transpose()
}

/// Removes the one-time passwords of a user of this pool. `false` if the user has none.
pub(super) fn remove(on: &mut Transaction<'_>, pool: &str, subject: &str) -> Result<bool, Error> {
    let sql = "DELETE FROM factors WHERE pool = ?1 AND sub = ?2 AND kind = 'totp'";
    Ok(on.execute(sql, &[Value::from(pool), subject.into()])? == 1)
}

fn number(step: u64) -> i64 {
    step.try_into().unwrap_or(i64::MAX)
}
