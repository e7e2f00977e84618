//! Imports users of other systems, one at a time. A user who is there already is left alone, so an import that was interrupted is simply run again.

use crate::clock::Timestamp;
use crate::crypto::uuid;
use crate::database::{self, Transaction};
use crate::directory::settings::Usernames;
use crate::directory::status::Status;
use crate::events::audit::{Done, Outcome};
use crate::import::row::{Item, Row};
use crate::management::add::{Former, NewUser, Prepared};
use crate::management::users::{Error as Refused, Management};
use crate::passwords::FirstPassword;

/// Maximum length of a `sub`. Ours have 36 characters.
const SUBJECT_MAX: usize = 128;

/// What became of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Imported {
    /// The user, or group, is in the pool now. In a trial: could be.
    Added,
    /// The user was in the pool already, and is as before.
    Exists,
}

/// Why a line was not imported.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// As for any other user.
    #[error(transparent)]
    Refused(#[from] Refused),
    /// The hash is not understood, or costs too much.
    #[error("`password_hash` cannot be used: {0}")]
    Hash(crate::credential::password::Error),
    /// The `sub` is no `sub`.
    #[error("`sub` has to have 1 to {SUBJECT_MAX} letters, digits and hyphens")]
    Subject,
    /// Another user has the `sub`.
    #[error("another user has the `sub`")]
    SubjectTaken,
    /// A temporary password has to end.
    #[error("a user who is FORCE_CHANGE_PASSWORD needs `password_hash` and `temporary_until`")]
    Temporary,
}

impl From<database::Error> for Error {
    fn from(error: database::Error) -> Self {
        Self::Refused(error.into())
    }
}

impl Error {
    /// Whether the database fails, and not only this line.
    pub fn is_fatal(&self) -> bool {
        matches!(self, Self::Refused(Refused::Database(_)))
    }
}

impl Management {
    /// Imports what a line says. `is_trial`: only says what would become of it.
    ///
    /// # Errors
    ///
    /// If the line is refused. The others are not concerned, unless [`Error::is_fatal`].
    pub async fn import(&self, item: Item, is_trial: bool, now: Timestamp) -> Result<Imported, Error> {
        let row = match item {
            Item::User(row) => *row,
            Item::Group(_) if is_trial => return Ok(Imported::Added),
            Item::Group(group) => return Ok(self.put_group(group, now).await.map(|()| Imported::Added)?),
        };
        let has_subject = row.subject.is_some();
        let (users, prepared) = (self.clone(), self.prepare_import(row, now)?);
        if is_trial {
            let judged = self.stored.database.read(move |on| match users.existing(on, &prepared, has_subject)? {
                Some(existing) => Ok(existing),
                None => Ok(users.judge(on, &prepared, now)?.map(|()| Imported::Added).map_err(Error::from)),
            });
            return judged.await?;
        }
        let imported = self.stored.database.write(move |on| match users.existing(on, &prepared, has_subject)? {
            Some(existing) => Ok(existing),
            None => Ok(users.insert(on, &prepared, now)?.map(|()| Imported::Added).map_err(Error::from)),
        });
        imported.await?
    }

    /// Writes to the audit what an import has done.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn note_import(&self, outcome: Outcome, detail: String, now: Timestamp) -> Result<(), Refused> {
        let users = self.clone();
        let note = move |on: &mut Transaction<'_>| {
            let detail = Some(&*detail).filter(|detail| !detail.is_empty());
            let done = Done { operation: "users.import", subject: None, detail };
            users.audit().record_outcome(on, &users.actor, (done, outcome), now)
        };
        Ok(self.stored.database.write(note).await?)
    }

    fn prepare_import(&self, row: Row, now: Timestamp) -> Result<Prepared, Error> {
        let is_subject = |text: &String| {
            (1..=SUBJECT_MAX).contains(&text.len())
                && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
        };
        let subject = match row.subject {
            Some(subject) if is_subject(&subject) => subject,
            Some(_) => return Err(Error::Subject),
            None => uuid::random(),
        };
        let password = row.password_hash.map(FirstPassword::imported).transpose().map_err(Error::Hash)?;
        // Without a password, a code is sent, with which the user chooses one (pool §2.3).
        let default = if password.is_some() { Status::Confirmed } else { Status::ResetRequired };
        let status = row.status.unwrap_or(default);
        let password = match (password, row.temporary_until, status) {
            (Some(password), Some(until), Status::ForceChangePassword) => Some(password.until(until)),
            (_, _, Status::ForceChangePassword) => return Err(Error::Temporary),
            (password, _, _) => password,
        };
        let email = row.attributes.iter().find(|(name, value)| name == "email" && !value.is_empty());
        let username = match email {
            // Elsewhere, the user name of such a user may be any text.
            Some((_, email)) if self.rules.usernames == Usernames::Email => email.clone(),
            _ => row.username,
        };
        let new = NewUser { username, password, attributes: row.attributes, groups: row.groups };
        let created_at = row.created_at.unwrap_or(now).min(now);
        let former = Former { subject, status, is_enabled: row.is_enabled, created_at };
        Ok(self.prepare(new, former, now)?)
    }

    /// What a user is who is there already. `None`: nobody is. With a `sub`, only the user with this `sub` is the same.
    fn existing(
        &self,
        on: &mut Transaction<'_>,
        new: &Prepared,
        has_subject: bool,
    ) -> Result<Option<Result<Imported, Error>>, database::Error> {
        let records = &self.stored.records;
        let typed = new.address.as_ref().unwrap_or(&new.name);
        let named = records.signing_in(on, &self.rules.sign_in_name(typed))?;
        let same = records.of_subject(on, &new.record.subject)?;
        Ok(match (named, same) {
            (None, None) => None,
            (Some(named), _) if !has_subject || named.subject == new.record.subject => Some(Ok(Imported::Exists)),
            (None, Some(same)) if same.status == Status::Unconfirmed => Some(Ok(Imported::Exists)),
            (None, Some(_)) => Some(Err(Error::SubjectTaken)),
            (Some(_), _) => Some(Err(Refused::Taken(typed.as_str().to_owned()).into())),
        })
    }
}

#[cfg(test)]
mod tests;
