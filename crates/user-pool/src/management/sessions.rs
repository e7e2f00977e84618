//! The browsers in which a user is signed in.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::database::Transaction;
use crate::directory::user::User;
use crate::events::audit::Done;
use crate::management::users::{Error, Management};
pub use crate::signin::sso::{StoredSession, Which};

use crate::signin::sso::Rows;

impl Management {
    /// The sessions of a user at the pool, the last used first.
    ///
    /// # Errors
    ///
    /// If there is no such user.
    pub async fn sessions(&self, who: &str, now: Timestamp) -> Result<Vec<StoredSession>, Error> {
        let user = self.show(who).await?;
        let (rows, subject) = (self.session_rows(), user.subject.clone());
        let sessions = self.stored.database.read(move |on| rows.of_subject(on, &subject, now)).await?;
        let Some(user) = User::stored(user) else { return Ok(Vec::new()) };
        // Those that began before a new password are over.
        let is_good = |session: &StoredSession| session.session.fingerprint == user.fingerprint();
        Ok(sessions.into_iter().filter(|session| user.is_enabled() && is_good(session)).collect())
    }

    /// Ends sessions of a user, and the tokens that were issued in them without `offline_access`. Returns how many sessions it were.
    ///
    /// # Errors
    ///
    /// If there is no such user.
    pub async fn end_sessions(&self, who: &str, which: Which, now: Timestamp) -> Result<usize, Error> {
        let (rows, subject) = (self.session_rows(), self.show(who).await?.subject);
        let (audit, actor, events) = (self.audit(), self.actor.clone(), self.event_rows());
        let end = move |on: &mut Transaction<'_>| {
            let count = rows.end_of(on, &subject, &which, now)?;
            if count > 0 {
                let done = Done { operation: "session.end", subject: Some(&subject), detail: None };
                audit.record(on, &actor, done, now)?;
                Self::record_ended(&events, on, &subject, now)?;
            }
            Ok(count)
        };
        Ok(self.stored.database.write(end).await?)
    }

    pub(super) fn session_rows(&self) -> Rows {
        Rows::new(Arc::clone(&self.stored.records.pool))
    }
}
