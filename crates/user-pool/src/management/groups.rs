//! Groups.

use crate::clock::Timestamp;
use crate::directory::group::Group;
use crate::management::users::{Error, GROUP_NAME_MAX, Management};

impl Management {
    /// All groups.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn groups(&self) -> Result<Vec<Group>, Error> {
        let records = self.stored.records.clone();
        Ok(self.stored.database.read(move |on| records.groups(on)).await?)
    }

    /// Adds a group, or changes the one of this name.
    ///
    /// # Errors
    ///
    /// [`Error::GroupName`] if the name is not valid.
    pub async fn put_group(&self, group: Group, now: Timestamp) -> Result<(), Error> {
        let length = group.name.chars().count();
        if !(1..=GROUP_NAME_MAX).contains(&length) || group.name.chars().any(char::is_control) {
            return Err(Error::GroupName(group.name));
        }
        let (records, name) = (self.stored.records.clone(), group.name.clone());
        self.decide(None, ("group.put", Some(name), now), move |on| {
            if records.is_one_group_too_many(on, &group.name)? {
                return Ok(Err(Error::TooManyGroups));
            }
            records.put_group(on, &group, now)?;
            Ok(Ok(None))
        })
        .await
    }

    /// Deletes a group. Its members stay users.
    ///
    /// # Errors
    ///
    /// [`Error::NoGroup`] if there is none.
    pub async fn delete_group(&self, name: &str, now: Timestamp) -> Result<(), Error> {
        let (records, name) = (self.stored.records.clone(), name.to_owned());
        self.decide(None, ("group.delete", Some(name.clone()), now), move |on| {
            let deleted = records.delete_group(on, &name)?;
            Ok(if deleted { Ok(None) } else { Err(Error::NoGroup(name)) })
        })
        .await
    }

    /// Adds a user to a group.
    ///
    /// # Errors
    ///
    /// If there is no such user or group.
    pub async fn join(&self, who: &str, group: &str, now: Timestamp) -> Result<(), Error> {
        let (users, key, group) = (self.clone(), who.to_owned(), group.to_owned());
        self.decide(Some(who), ("group.join", Some(group.clone()), now), move |on| {
            let user = match users.find_any(on, &key)? {
                Ok(user) => user,
                Err(error) => return Ok(Err(error)),
            };
            let stored = &users.stored;
            if stored.records.is_in_too_many(on, &user.subject, &group)? {
                return Ok(Err(Error::InTooManyGroups));
            }
            let joined = stored.records.join(on, &user.subject, &group)?;
            Ok(if joined { Ok(Some(user.subject)) } else { Err(Error::NoGroup(group)) })
        })
        .await
    }

    /// Takes a user out of a group.
    ///
    /// # Errors
    ///
    /// If there is no such user.
    pub async fn leave(&self, who: &str, group: &str, now: Timestamp) -> Result<(), Error> {
        let group = group.to_owned();
        let what = ("group.leave", Some(group.clone()), now);
        self.change(who, what, move |records, on, user| records.leave(on, &user.subject, &group)).await
    }
}
