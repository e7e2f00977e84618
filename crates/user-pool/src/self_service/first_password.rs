//! The first password of one's own, after a temporary one (pool §2.3, §2.4).

use crate::clock::Timestamp;
use crate::credential::policy;
use crate::database::{Error as DatabaseError, Transaction};
use crate::directory::attribute::{Attributes, Fault};
use crate::directory::record::Record;
use crate::directory::status::Status;
use crate::directory::user::User;
use crate::events::event::{Kind, Response, Visit};
use crate::passwords::{self, Lasting};
use crate::secret::Secret;
use crate::self_service::service::{SelfService, unable};

/// Why the password was not changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refused {
    #[error(transparent)]
    Password(policy::Fault),
    #[error(transparent)]
    Attribute(Fault),
    #[error("the attribute `{0}` is missing")]
    Missing(String),
    #[error("another user has the preferred user name")]
    AliasTaken,
    #[error("too many passwords are being hashed")]
    Busy,
    /// The temporary password was changed or replaced meanwhile.
    #[error("the user was changed meanwhile")]
    Changed,
    #[error("the database fails")]
    Database(#[from] DatabaseError),
}

impl SelfService {
    /// The required attributes that a user does not have yet.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn missing(&self, subject: &str) -> Result<Vec<String>, DatabaseError> {
        let (records, subject) = (self.stored.records.clone(), subject.to_owned());
        let user = self.stored.database.read(move |on| records.of_subject(on, &subject)).await?;
        let missing = user.map(|user| self.rules.missing(&user.attributes).into_iter().map(str::to_owned).collect());
        Ok(missing.unwrap_or_default())
    }

    /// Sets the password and the missing attributes of the user whose temporary password was typed, whose fingerprint was that.
    ///
    /// # Errors
    ///
    /// See [`Refused`].
    pub(crate) async fn set_first_password(
        &self,
        subject: &str,
        fingerprint: &str,
        given: Vec<(String, String)>,
        password: Secret<String>,
        (visit, now): (&Visit, Timestamp),
    ) -> Result<(), Refused> {
        let (records, who) = (self.stored.records.clone(), subject.to_owned());
        let user = self.stored.database.read(move |on| records.of_subject(on, &who)).await?;
        let is_as_then = |user: &Record| {
            let now = User::stored(user.clone());
            user.status == Status::ForceChangePassword && now.is_some_and(|now| now.fingerprint() == fingerprint)
        };
        let user = user.filter(|user| user.is_enabled && is_as_then(user)).ok_or(Refused::Changed)?;
        let attributes = self.completed(&user.attributes, &given)?;
        let new = self.passwords.prepare(&user, password, Lasting::Permanent).await.map_err(|error| match error {
            passwords::Error::Refused(fault) => Refused::Password(fault),
            passwords::Error::Database(error) => Refused::Database(error),
            passwords::Error::State(_) | passwords::Error::Changed => Refused::Changed,
            error => unable(&error, Refused::Busy),
        })?;
        let (service, has_changed) = (self.clone(), attributes != user.attributes);
        let work = move |on: &mut Transaction<'_>| {
            let records = &service.stored.records;
            if service.rules.refused_alias(on, records, (&user.attributes, &attributes), &user.subject)?.is_some() {
                return Ok(Err(Refused::AliasTaken));
            }
            if new.set(on, now)?.is_none() {
                return Ok(Err(Refused::Changed));
            }
            if has_changed {
                records.set_attributes(on, &user.subject, &attributes, now)?;
            }
            Ok(Ok(()))
        };
        self.stored.database.write(work).await??;
        self.events.record(Some(subject), (Kind::PasswordChange, Response::Pass), visit);
        Ok(())
    }

    /// The attributes with the missing ones. One that has a value cannot change here (pool §5.2).
    fn completed(&self, before: &Attributes, given: &[(String, String)]) -> Result<Attributes, Refused> {
        let missing = self.rules.missing(before);
        let given = given.iter().map(|(name, value)| (name.as_str(), value.trim()));
        let given = given.filter(|(name, value)| missing.contains(name) && !value.is_empty());
        let mut attributes = before.clone();
        self.rules.complete(&mut attributes, given).map_err(Refused::Attribute)?;
        match self.rules.missing(&attributes).first() {
            Some(missing) => Err(Refused::Missing((*missing).to_owned())),
            None => Ok(attributes),
        }
    }
}
