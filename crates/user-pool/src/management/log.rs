//! What users have done, and what was done to users.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::database::{self, Transaction};
use crate::events::audit::{AuditRows, Done, Entry, Outcome};
use crate::events::event::{Event, Kind, Response, Visit};
use crate::events::event_rows::EventRows;
use crate::management::users::{Error, Management};

impl Management {
    pub(super) fn audit(&self) -> AuditRows {
        AuditRows { pool: Arc::clone(&self.stored.records.pool) }
    }

    pub(super) fn event_rows(&self) -> EventRows {
        EventRows { pool: Arc::clone(&self.stored.records.pool) }
    }

    /// Tells the sign-in log of a user that the sessions have ended, in the transaction that ends them.
    pub(super) fn record_ended(
        rows: &EventRows,
        on: &mut Transaction<'_>,
        subject: &str,
        now: Timestamp,
    ) -> Result<(), database::Error> {
        rows.record(on, &Event::new(Some(subject), (Kind::SessionsEnded, Response::Pass), Visit::none(), now))
    }

    /// Writes to the audit what came of what somebody has done, for example that a command has read the data of `who`. A name that nobody has is not
    /// kept.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn note(
        &self,
        (operation, outcome): (&'static str, Outcome),
        who: Option<&str>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let (users, who) = (self.clone(), who.map(str::to_owned));
        let work = move |on: &mut Transaction<'_>| {
            let subject = users.subject_of(on, who.as_deref())?;
            let done = Done { operation, subject: subject.as_deref(), detail: None };
            users.audit().record_outcome(on, &users.actor, (done, outcome), now)
        };
        Ok(self.stored.database.write(work).await?)
    }

    /// Whom an entry of the audit is about.
    pub(super) fn subject_of(
        &self,
        on: &mut Transaction<'_>,
        who: Option<&str>,
    ) -> Result<Option<String>, database::Error> {
        let Some(who) = who else { return Ok(None) };
        let declared = || self.rules.declared_subject(who).map(str::to_owned);
        Ok(self.find_any(on, who)?.ok().map(|user| user.subject).or_else(declared))
    }

    /// At most `most` events of a user, the newest first. `who` may also be the `sub` of a user of the configuration, or of one who was deleted.
    ///
    /// # Errors
    ///
    /// If there is no such user, and no event of one.
    pub async fn events(&self, who: &str, most: i64) -> Result<Vec<Event>, Error> {
        let (users, rows, key) = (self.clone(), self.event_rows(), who.to_owned());
        let (is_user, events) = self
            .stored
            .database
            .read(move |on| {
                let user = users.find_any(on, &key)?.ok();
                let declared = users.rules.declared_subject(&key).unwrap_or(&key);
                let subject = user.as_ref().map_or(declared, |user| &user.subject);
                Ok((user.is_some(), rows.of_user(on, subject, most)?))
            })
            .await?;
        if is_user || !events.is_empty() { Ok(events) } else { Err(Error::NoUser(who.to_owned())) }
    }

    /// The same of everybody.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn events_of_all(&self, most: i64) -> Result<Vec<Event>, Error> {
        let rows = self.event_rows();
        Ok(self.stored.database.read(move |on| rows.newest(on, most)).await?)
    }

    /// The same of names that nobody has.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn events_of_nobody(&self, most: i64) -> Result<Vec<Event>, Error> {
        let rows = self.event_rows();
        Ok(self.stored.database.read(move |on| rows.of_user(on, "", most)).await?)
    }

    /// At most `most` entries of the audit, the newest first: all of the pool, or those about one user. A user who is deleted is found by
    /// the `sub`.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn audited(&self, who: Option<&str>, most: i64) -> Result<Vec<Entry>, Error> {
        let subject = match who {
            Some(who) => match self.show(who).await {
                Ok(user) => Some(user.subject),
                Err(Error::NoUser(subject)) => Some(subject),
                Err(error) => return Err(error),
            },
            None => None,
        };
        let rows = self.audit();
        Ok(self.stored.database.read(move |on| rows.newest(on, subject.as_deref(), most)).await?)
    }
}
