//! What an administrator does with the users of a database. Start at [`Management`].
//!
//! Each method is one transaction: it has happened as a whole, or not at all. A process that serves the same pool sees it at once, because nothing
//! of the users is kept in memory.

pub(crate) mod sessions;

use std::path::Path;

use crate::clock::Timestamp;
use crate::crypto::uuid;
use crate::database::{self, Transaction};
pub(crate) use crate::user_pool::directory::record::{Group, Record};

use crate::user_pool::directory::StoredUsers;
use crate::user_pool::directory::attribute::{Attributes, Fault};
use crate::user_pool::directory::name::{USER_NAME_MAX_BYTES, UserName};
use crate::user_pool::directory::record::Records;
use crate::user_pool::directory::status::{Status, WrongState};
use crate::user_pool::passwords::FirstPassword;

/// Maximum length of the name of a group, in characters.
const GROUP_NAME_MAX: usize = 128;

/// The users and groups of one pool.
#[derive(Clone, Debug)]
pub(crate) struct Management(StoredUsers);

/// A user to be added.
#[derive(Debug)]
pub(crate) struct NewUser {
    pub(crate) username: String,
    /// `None`: the user cannot sign in until a password is set.
    pub(crate) password: Option<FirstPassword>,
    /// Names and values.
    pub(crate) attributes: Vec<(String, String)>,
    pub(crate) groups: Vec<String>,
}

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// Nobody has this name or subject.
    #[error("there is no user `{0}`")]
    NoUser(String),
    /// There is no such group.
    #[error("there is no group `{0}`: add it first")]
    NoGroup(String),
    /// Another user has the name.
    #[error("there is already a user `{0}`")]
    Taken(String),
    /// The text cannot be a name.
    #[error(
        "`{0}` cannot be a user name: at most {USER_NAME_MAX_BYTES} bytes, and neither white space at its ends nor control characters"
    )]
    UserName(String),
    /// The text cannot be the name of a group.
    #[error("`{0}` cannot be the name of a group: 1 to {GROUP_NAME_MAX} characters, without control characters")]
    GroupName(String),
    /// An attribute is refused.
    #[error(transparent)]
    Attribute(#[from] Fault),
    /// The state of the user does not allow it.
    #[error(transparent)]
    State(#[from] WrongState),
    /// The database fails.
    #[error("the database fails")]
    Database(#[from] database::Error),
}

/// A page of users, and the name to go on after. `None` at the end.
#[derive(Debug)]
pub(crate) struct Page {
    pub(crate) users: Vec<Record>,
    pub(crate) next: Option<String>,
}

impl Management {
    /// Of the users of this database.
    pub(crate) fn new(stored: StoredUsers) -> Self {
        Self(stored)
    }

    /// Where they are.
    #[cfg(test)]
    pub(crate) fn stored(&self) -> &StoredUsers {
        &self.0
    }

    /// At most `limit` users in the order of their names, from the start or after the name `after`.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn list(&self, after: Option<String>, limit: usize) -> Result<Page, Error> {
        let records = self.0.records.clone();
        let rows = i64::try_from(limit).unwrap_or(i64::MAX);
        let users =
            self.0.database.read(move |on| records.after(on, after.as_deref().unwrap_or_default(), rows)).await?;
        let last = users.last().filter(|_| users.len() == limit);
        let next = last.and_then(|user| UserName::parse(&user.username)).map(|name| name.as_str().to_owned());
        Ok(Page { users, next })
    }

    /// The user with this name or `sub`.
    ///
    /// # Errors
    ///
    /// [`Error::NoUser`] if nobody has it.
    pub(crate) async fn show(&self, who: &str) -> Result<Record, Error> {
        let (stored, key) = (self.0.clone(), who.to_owned());
        let found = self.0.database.read(move |on| stored.find_any(on, &key)).await?;
        found.ok_or_else(|| Error::NoUser(who.to_owned()))
    }

    /// Adds a user with a new random `sub`. Returns the user.
    ///
    /// # Errors
    ///
    /// If the name is taken or no name, if an attribute is not valid, or if there is no such group.
    pub(crate) async fn add(&self, new: NewUser, now: Timestamp) -> Result<Record, Error> {
        let typed = new.username.trim().to_owned();
        let name = UserName::parse(&typed).ok_or_else(|| Error::UserName(typed.clone()))?;
        let mut attributes = Attributes::default();
        attributes.set_all(pairs(&new.attributes))?;
        let record = Record {
            subject: uuid::random(),
            username: typed,
            status: Status::Confirmed,
            is_enabled: true,
            attributes,
            password_hash: new.password.map(FirstPassword::into_hash),
            epoch: 0,
            created_at: now,
            modified_at: now,
            groups: Vec::new(),
        };
        let (records, groups, subject) = (self.0.records.clone(), new.groups, record.subject.clone());
        self.decide(move |on| {
            // Everything that can be refused comes first: what is refused must change nothing.
            if let Some(group) = records.missing_group(on, &groups)? {
                return Ok(Err(Error::NoGroup(group)));
            }
            if !records.add(on, &record, &name)? {
                return Ok(Err(Error::Taken(record.username)));
            }
            for group in &groups {
                records.join(on, &record.subject, group)?;
            }
            Ok(Ok(()))
        })
        .await?;
        self.show(&subject).await
    }

    /// Sets attributes; an empty value removes one.
    ///
    /// # Errors
    ///
    /// If there is no such user, or an attribute is not valid: then none has changed.
    pub(crate) async fn set_attributes(
        &self,
        who: &str,
        changes: Vec<(String, String)>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let (stored, key) = (self.0.clone(), who.to_owned());
        self.decide(move |on| {
            let Some(user) = stored.find_any(on, &key)? else { return Ok(Err(Error::NoUser(key))) };
            let mut attributes = user.attributes;
            if let Err(fault) = attributes.set_all(pairs(&changes)) {
                return Ok(Err(fault.into()));
            }
            stored.records.set_attributes(on, &user.subject, &attributes, now).map(Ok)
        })
        .await
    }

    /// Lets a user sign in again, or ends all sessions and tokens and refuses new ones.
    ///
    /// # Errors
    ///
    /// If there is no such user.
    pub(crate) async fn set_enabled(&self, who: &str, is_enabled: bool, now: Timestamp) -> Result<(), Error> {
        self.change(who, move |records, on, user| records.set_enabled(on, &user.subject, is_enabled, now)).await
    }

    /// Confirms a user who has signed up.
    ///
    /// # Errors
    ///
    /// If there is no such user, or if the user was confirmed before.
    pub(crate) async fn confirm(&self, who: &str, now: Timestamp) -> Result<(), Error> {
        self.set_state(who, Status::confirmed, now).await
    }

    /// Makes a user choose another password, with a code that is sent. All sessions and tokens end.
    ///
    /// # Errors
    ///
    /// If there is no such user, or if the user has not yet signed up to the end.
    pub(crate) async fn reset(&self, who: &str, now: Timestamp) -> Result<(), Error> {
        self.set_state(who, Status::reset, now).await
    }

    async fn set_state(
        &self,
        who: &str,
        next: fn(Status) -> Result<Status, WrongState>,
        now: Timestamp,
    ) -> Result<(), Error> {
        let (stored, key) = (self.0.clone(), who.to_owned());
        self.decide(move |on| {
            let Some(user) = stored.find_any(on, &key)? else { return Ok(Err(Error::NoUser(key))) };
            match next(user.status) {
                Ok(status) => stored.records.set_status(on, &user.subject, status, now).map(Ok),
                Err(wrong) => Ok(Err(wrong.into())),
            }
        })
        .await
    }

    /// Ends all sessions and tokens of a user at the pool.
    ///
    /// # Errors
    ///
    /// If there is no such user.
    pub(crate) async fn sign_out(&self, who: &str) -> Result<(), Error> {
        self.change(who, |records, on, user| records.sign_out(on, &user.subject)).await
    }

    /// Deletes a user. Nobody gets the `sub` again.
    ///
    /// # Errors
    ///
    /// If there is no such user.
    pub(crate) async fn delete(&self, who: &str) -> Result<(), Error> {
        self.change(who, |records, on, user| records.delete(on, &user.subject)).await
    }

    /// All groups.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn groups(&self) -> Result<Vec<Group>, Error> {
        let records = self.0.records.clone();
        Ok(self.0.database.read(move |on| records.groups(on)).await?)
    }

    /// Adds a group, or changes the one of this name.
    ///
    /// # Errors
    ///
    /// [`Error::GroupName`] if the name is not valid.
    pub(crate) async fn put_group(&self, group: Group, now: Timestamp) -> Result<(), Error> {
        let length = group.name.chars().count();
        if !(1..=GROUP_NAME_MAX).contains(&length) || group.name.chars().any(char::is_control) {
            return Err(Error::GroupName(group.name));
        }
        let records = self.0.records.clone();
        Ok(self.0.database.write(move |on| records.put_group(on, &group, now)).await?)
    }

    /// Deletes a group. Its members stay users.
    ///
    /// # Errors
    ///
    /// [`Error::NoGroup`] if there is none.
    pub(crate) async fn delete_group(&self, name: &str) -> Result<(), Error> {
        let (records, name) = (self.0.records.clone(), name.to_owned());
        self.decide(move |on| {
            let deleted = records.delete_group(on, &name)?;
            Ok(if deleted { Ok(()) } else { Err(Error::NoGroup(name)) })
        })
        .await
    }

    /// Adds a user to a group.
    ///
    /// # Errors
    ///
    /// If there is no such user or group.
    pub(crate) async fn join(&self, who: &str, group: &str) -> Result<(), Error> {
        let (stored, key, group) = (self.0.clone(), who.to_owned(), group.to_owned());
        self.decide(move |on| {
            let Some(user) = stored.find_any(on, &key)? else { return Ok(Err(Error::NoUser(key))) };
            let joined = stored.records.join(on, &user.subject, &group)?;
            Ok(if joined { Ok(()) } else { Err(Error::NoGroup(group)) })
        })
        .await
    }

    /// Takes a user out of a group.
    ///
    /// # Errors
    ///
    /// If there is no such user.
    pub(crate) async fn leave(&self, who: &str, group: &str) -> Result<(), Error> {
        let group = group.to_owned();
        self.change(who, move |records, on, user| records.leave(on, &user.subject, &group)).await
    }

    /// Writes a copy of the database to a new file, while it is in use. It has all pools of the file.
    ///
    /// # Errors
    ///
    /// If the file exists or cannot be written.
    pub(crate) async fn back_up(&self, to: &Path) -> Result<(), Error> {
        Ok(self.0.database.back_up(to).await?)
    }

    async fn change(
        &self,
        who: &str,
        work: impl FnOnce(&Records, &mut Transaction<'_>, &Record) -> Result<(), database::Error> + Send + 'static,
    ) -> Result<(), Error> {
        let (stored, key) = (self.0.clone(), who.to_owned());
        self.decide(move |on| match stored.find_any(on, &key)? {
            Some(user) => work(&stored.records, on, &user).map(Ok),
            None => Ok(Err(Error::NoUser(key))),
        })
        .await
    }

    /// Runs a transaction that may refuse. What it has changed before is committed, so it refuses first.
    async fn decide(
        &self,
        work: impl FnOnce(&mut Transaction<'_>) -> Result<Result<(), Error>, database::Error> + Send + 'static,
    ) -> Result<(), Error> {
        self.0.database.write(work).await?
    }
}

fn pairs(changes: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> + Clone {
    changes.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

impl StoredUsers {
    /// The user with this name or `sub`.
    fn find_any(&self, on: &mut Transaction<'_>, who: &str) -> Result<Option<Record>, database::Error> {
        let named = match UserName::parse(who) {
            Some(name) => self.records.named(on, &name)?,
            None => None,
        };
        match named {
            Some(user) => Ok(Some(user)),
            None => self.records.of_subject(on, who),
        }
    }
}

#[cfg(test)]
mod tests;
