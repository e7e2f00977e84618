//! Recovery codes.

use crate::clock::Timestamp;
use crate::database::{Error, Transaction, Value};
use crate::user_pool::factors::owned::Factors;

/// One enrolment whose recovery codes are shown. A later one of the same user is another.
const UNSEEN: &str = "WHERE pool = ?1 AND sub = ?2 AND kind = 'totp' AND created_at = ?3 AND codes_seen = 0";

impl Factors {
    /// Gives a user new recovery codes. Former ones count no more.
    pub(crate) fn set_recovery_codes(
        &self,
        on: &mut Transaction<'_>,
        subject: &str,
        hashes: &[[u8; 32]],
    ) -> Result<(), Error> {
        let (pool, subject) = (Value::from(&*self.pool), Value::from(subject));
        on.execute("DELETE FROM recovery_codes WHERE pool = ?1 AND sub = ?2", &[pool, subject])?;
        for hash in hashes {
            let sql = "INSERT INTO recovery_codes (pool, sub, hash) VALUES (?1, ?2, ?3)";
            on.execute(sql, &[pool, subject, (&hash[..]).into()])?;
        }
        Ok(())
    }

    /// Uses a recovery code up. `false` if the user has no such code any more.
    pub(crate) fn take_recovery_code(
        &self,
        on: &mut Transaction<'_>,
        subject: &str,
        hash: &[u8; 32],
    ) -> Result<bool, Error> {
        let sql = "DELETE FROM recovery_codes WHERE pool = ?1 AND sub = ?2 AND hash = ?3";
        Ok(on.execute(sql, &[Value::from(&*self.pool), subject.into(), (&hash[..]).into()])? == 1)
    }

    /// Whether the page that shows the recovery codes of what was set up at this time may still be loaded.
    pub(crate) fn are_codes_shown(
        &self,
        on: &mut Transaction<'_>,
        subject: &str,
        set_up_at: Timestamp,
    ) -> Result<bool, Error> {
        let sql = format!("SELECT 1 FROM factors {UNSEEN}");
        Ok(on.query_one(&sql, &[Value::from(&*self.pool), subject.into(), set_up_at.into()])?.is_some())
    }

    /// The user has left the page that shows the recovery codes of what was set up at this time. `false` if it was left before.
    pub(crate) fn leave_codes(
        &self,
        on: &mut Transaction<'_>,
        subject: &str,
        set_up_at: Timestamp,
    ) -> Result<bool, Error> {
        let sql = format!("UPDATE factors SET codes_seen = 1 {UNSEEN}");
        Ok(on.execute(&sql, &[Value::from(&*self.pool), subject.into(), set_up_at.into()])? == 1)
    }
}
