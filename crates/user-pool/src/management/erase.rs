//! Erases users: nothing of them is left that tells who they were (GDPR, Article 17).

use crate::clock::Timestamp;
use crate::crypto::uuid;
use crate::database::{Error as DatabaseError, Transaction, Value};
use crate::management::users::{Error, Management};

/// Tables whose rows about a user are deleted. Those of a user with the foreign key `sub` go with the row in `users`. A test compares them with all
/// tables that have a column `sub`.
pub(super) const DELETED: [&str; 11] = [
    "browsers",
    "codes",
    "factors",
    "families",
    "grants",
    "outbox",
    "passkeys",
    "provider_links",
    "recovery_codes",
    "sso",
    "users",
];

impl Management {
    /// Deletes a user, and all that belongs to this user, from the file. What the user has done stays in the sign-in log and the audit, under a name that
    /// nobody else has and that is written down nowhere else. Of what was ended, the `sub` stays as long as tokens could be good: else they would be.
    ///
    /// Returns whether the write-ahead log is emptied. If not, the file `-wal` has former contents for a while.
    ///
    /// # Errors
    ///
    /// If there is no such user.
    pub async fn erase(&self, who: &str, now: Timestamp) -> Result<bool, Error> {
        let (users, key) = (self.clone(), who.to_owned());
        let pseudonym = format!("erased-{}", uuid::random());
        self.decide(Some(who), ("user.erase", None, now), move |on| match users.find_any(on, &key)? {
            Ok(user) => users.erase_now(on, &user.subject, &pseudonym, now).map(|()| Ok(Some(pseudonym))),
            Err(error) => Ok(Err(error)),
        })
        .await?;
        let database = self.stored.database.clone();
        let emptied = tokio::task::spawn_blocking(move || database.empty_log()).await;
        Ok(emptied.unwrap_or(Err(DatabaseError::Panicked))?)
    }

    /// The same, in a transaction.
    pub(crate) fn erase_now(
        &self,
        on: &mut Transaction<'_>,
        subject: &str,
        pseudonym: &str,
        now: Timestamp,
    ) -> Result<(), DatabaseError> {
        let records = &self.stored.records;
        // Clients are told of sessions that end, which takes the rows that go next.
        records.end(on, subject, now)?;
        let values = [Value::from(&*records.pool), subject.into()];
        for table in DELETED {
            on.execute(&format!("DELETE FROM {table} WHERE pool = ?1 AND sub = ?2"), &values)?;
        }
        // A row of a user is of one kind of message: `reset SUB`.
        on.execute("DELETE FROM message_limits WHERE pool = ?1 AND substr(of, instr(of, ' ') + 1) = ?2", &values)?;
        self.event_rows().make_nameless(on, subject, pseudonym)?;
        self.audit().make_nameless(on, subject, pseudonym).map(drop)
    }
}

#[cfg(test)]
mod tests;
