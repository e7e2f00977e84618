//! Recovery codes.

use crate::database::{Error, Transaction, Value};
use crate::factors::rows::Factors;

/// A code of a set whose page was not left. A later set of the same user has other codes.
const UNSEEN: &str = "FROM recovery_codes WHERE pool = ?1 AND sub = ?2 AND hash = ?3 AND seen = 0";

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
            let sql = "INSERT INTO recovery_codes (pool, sub, hash, seen) VALUES (?1, ?2, ?3, 0)";
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

    /// Whether the page that shows the recovery codes of which one has this hash may still be loaded.
    pub(crate) fn are_codes_shown(
        &self,
        on: &mut Transaction<'_>,
        subject: &str,
        one_of_them: &[u8; 32],
    ) -> Result<bool, Error> {
        let values = [Value::from(&*self.pool), subject.into(), (&one_of_them[..]).into()];
        Ok(on.query_one(&format!("SELECT 1 {UNSEEN}"), &values)?.is_some())
    }

    /// The user has left the page that shows the recovery codes of which one has this hash. `false` if it was left before.
    pub(crate) fn leave_codes(
        &self,
        on: &mut Transaction<'_>,
        subject: &str,
        one_of_them: &[u8; 32],
    ) -> Result<bool, Error> {
        let sql =
            format!("UPDATE recovery_codes SET seen = 1 WHERE pool = ?1 AND sub = ?2 AND EXISTS (SELECT 1 {UNSEEN})");
        let values = [Value::from(&*self.pool), subject.into(), (&one_of_them[..]).into()];
        Ok(on.execute(&sql, &values)? > 0)
    }
}
