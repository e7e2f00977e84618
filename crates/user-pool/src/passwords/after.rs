//! What a right password at a sign-in leads to: the hash of another system is replaced, and a password that attackers know is not good any more.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::credential::password::{self, COST};
use crate::credential::policy::BreachedAtSignIn;
use crate::database::{self, Transaction, Value};
use crate::directory::record::Records;
use crate::directory::user::User;
use crate::events::audit::{Actor, AuditRows, Done};
use crate::passwords::set::Passwords;
use crate::secret::Secret;

/// What a right password leads to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub(crate) enum After {
    /// The sign-in goes on.
    GoOn,
    /// Attackers know the password. The user is [`ResetRequired`](crate::directory::status::Status::ResetRequired) now, and what was issued
    /// has ended (pool §11.5).
    MustReset,
}

impl Passwords {
    /// Must be called once for each right password of a user of the database, before a session begins. Whatever fails here keeps nobody from signing
    /// in, apart from the database.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn was_right(
        &self,
        user: &User,
        password: Secret<String>,
        now: Timestamp,
    ) -> Result<After, database::Error> {
        let Some(hash) = user.password_hash().cloned() else { return Ok(After::GoOn) };
        let (records, subject) = (self.stored.records.clone(), user.subject().to_owned());
        if self.policy.breached_at_sign_in == BreachedAtSignIn::Reset && self.is_known_to_attackers(&password).await {
            let (records, subject, hash) = (records.clone(), subject.clone(), hash.clone());
            let is_reset = self.stored.database.write(move |on| reset(on, &records, &subject, &hash, now)).await?;
            if is_reset {
                tracing::warn!("the password of a user is in the list of breached passwords");
                return Ok(After::MustReset);
            }
        }
        if password::cost(&hash).is_ok_and(|cost| cost != COST) {
            // Without a free hasher, the next sign-in does it.
            let Ok(new) = self.hasher.hash(password).await else { return Ok(After::GoOn) };
            self.stored.database.write(move |on| replace(on, &records, &subject, &hash, &new)).await?;
        }
        Ok(After::GoOn)
    }

    async fn is_known_to_attackers(&self, password: &Secret<String>) -> bool {
        self.is_breached(password).await.unwrap_or_else(|error| {
            tracing::error!(error = %error, "the list of breached passwords cannot be read");
            false
        })
    }
}

/// Makes the user choose another password, if this hash is still the one. Not a user who has to do something else first, and who gets another password
/// by that, too.
fn reset(
    on: &mut Transaction<'_>,
    records: &Records,
    subject: &str,
    hash: &Secret<String>,
    now: Timestamp,
) -> Result<bool, database::Error> {
    let user = records.of_subject(on, subject)?.filter(|user| user.password_hash.as_ref() == Some(hash));
    match user.map(|user| user.status.reset()) {
        Some(Ok(status)) => {
            let audit = AuditRows { pool: Arc::clone(&records.pool) };
            let done = Done { operation: "user.reset", subject: Some(subject), detail: Some("breached password") };
            audit.record(on, &Actor::System, done, now)?;
            records.set_status(on, subject, status, now).map(|()| true)
        }
        Some(Err(_)) | None => Ok(false),
    }
}

/// Replaces the hash of another system, if it is still the one. The password is the same, so nothing ends.
fn replace(
    on: &mut Transaction<'_>,
    records: &Records,
    subject: &str,
    before: &Secret<String>,
    after: &Secret<String>,
) -> Result<(), database::Error> {
    let values = [Value::from(&*records.pool), subject.into(), before.expose().into(), after.expose().into()];
    let sql =
        "UPDATE users SET password_hash = ?4, foreign_cost = NULL WHERE pool = ?1 AND sub = ?2 AND password_hash = ?3";
    on.execute(sql, &values).map(drop)
}
