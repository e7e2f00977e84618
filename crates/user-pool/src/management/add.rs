//! Adds users. What is refused is found out before anything changes ([`Management::judge`]), so that an import can be tried.

use crate::clock::Timestamp;
use crate::crypto::uuid;
use crate::database::{self, Transaction};
use crate::directory::attribute::Attributes;
use crate::directory::group::GROUPS_OF_USER_MAX;
use crate::directory::name::UserName;
use crate::directory::record::Record;
use crate::directory::status::Status;
use crate::management::users::{Error, Management, pairs};
use crate::passwords::FirstPassword;

/// A user to be added.
#[derive(Debug)]
pub struct NewUser {
    pub username: String,
    /// `None`: the user cannot sign in until a password is set.
    pub password: Option<FirstPassword>,
    /// Names and values.
    pub attributes: Vec<(String, String)>,
    pub groups: Vec<String>,
}

/// What a user brings along who was in another pool.
#[derive(Debug)]
pub(super) struct Former {
    pub(super) subject: String,
    pub(super) status: Status,
    pub(super) is_enabled: bool,
    pub(super) created_at: Timestamp,
}

/// A user who can be added, as far as this can be seen without the database.
#[derive(Debug)]
pub(crate) struct Prepared {
    pub(super) record: Record,
    pub(super) name: UserName,
    /// The name to sign in with, where users have no other.
    pub(super) address: Option<UserName>,
    /// As it was typed.
    typed: String,
    groups: Vec<String>,
    password: Option<FirstPassword>,
}

impl Prepared {
    /// The user, without groups and password.
    pub(crate) fn record(&self) -> &Record {
        &self.record
    }
}

impl Management {
    /// Adds a user with a new random `sub`. Returns the user.
    ///
    /// # Errors
    ///
    /// If the name is taken or no name, if an attribute is not valid, or if there is no such group.
    pub async fn add(&self, new: NewUser, now: Timestamp) -> Result<Record, Error> {
        self.add_prepared(self.prepare_new(new, now)?, |_| Ok(()), now).await
    }

    /// A user with a new random `sub`, as far as this can be judged without the database.
    ///
    /// # Errors
    ///
    /// As of [`add`](Self::add).
    pub(crate) fn prepare_new(&self, new: NewUser, now: Timestamp) -> Result<Prepared, Error> {
        let status = new.password.as_ref().map_or(Status::Confirmed, FirstPassword::status);
        self.prepare(new, Former { subject: uuid::random(), status, is_enabled: true, created_at: now }, now)
    }

    /// Adds this user, and does something more in the same transaction.
    ///
    /// # Errors
    ///
    /// As of [`add`](Self::add).
    pub(crate) async fn add_prepared(
        &self,
        prepared: Prepared,
        and: impl FnOnce(&mut Transaction<'_>) -> Result<(), database::Error> + Send + 'static,
        now: Timestamp,
    ) -> Result<Record, Error> {
        let (users, subject) = (self.clone(), prepared.record.subject.clone());
        self.decide(None, ("user.add", None, now), move |on| {
            if let Err(refused) = users.insert(on, &prepared, now)? {
                return Ok(Err(refused));
            }
            and(on)?;
            Ok(Ok(Some(prepared.record.subject)))
        })
        .await?;
        self.show(&subject).await
    }

    /// Judges what can be judged without the database.
    pub(super) fn prepare(&self, new: NewUser, former: Former, now: Timestamp) -> Result<Prepared, Error> {
        let (subject, named) = (former.subject, self.rules.name_of_new(&new.username)?);
        let mut attributes = self.rules.create(pairs(&new.attributes))?;
        let (username, name, address) = if named.is_address {
            // What was said of its verification stays.
            if attributes.get("email") != Some(&named.typed) {
                attributes = self.rules.create(pairs(&new.attributes).chain([("email", &*named.typed)]))?;
            }
            (subject.clone(), UserName::parse(&subject).unwrap_or_else(UserName::nobody), Some(named.name))
        } else {
            (named.typed, named.name, None)
        };
        let record = Record {
            subject,
            username,
            status: former.status,
            is_enabled: former.is_enabled,
            attributes,
            password_hash: None,
            password_set_at: None,
            temporary_until: None,
            epoch: 0,
            created_at: former.created_at,
            modified_at: now,
            groups: Vec::new(),
            identities: Vec::new(),
        };
        // Whoever has not confirmed an address does not sign in by it.
        let address = address.filter(|_| record.status != Status::Unconfirmed);
        Ok(Prepared { record, name, address, typed: new.username, groups: new.groups, password: new.password })
    }

    /// Whether the database lets this user in. Makes way for aliases, if that was asked for, and changes nothing else.
    pub(super) fn judge(
        &self,
        on: &mut Transaction<'_>,
        new: &Prepared,
        now: Timestamp,
    ) -> Result<Result<(), Error>, database::Error> {
        let records = &self.stored.records;
        if let Some(group) = records.missing_group(on, &new.groups)? {
            return Ok(Err(Error::NoGroup(group)));
        }
        if new.groups.len() as i64 > GROUPS_OF_USER_MAX {
            return Ok(Err(Error::InTooManyGroups));
        }
        if records.of_subject(on, &new.record.subject)?.is_some() {
            return Ok(Err(Error::Taken(new.typed.clone())));
        }
        if let Err(refused) = self.settle_name(on, (new.typed.trim(), new.address.as_ref().unwrap_or(&new.name)))? {
            return Ok(Err(refused));
        }
        self.settle_aliases(on, (&Attributes::default(), &new.record.attributes), &new.record.subject, now)
    }

    /// Adds the user, unless [`judge`](Self::judge) refuses: then nothing has changed.
    pub(super) fn insert(
        &self,
        on: &mut Transaction<'_>,
        new: &Prepared,
        now: Timestamp,
    ) -> Result<Result<(), Error>, database::Error> {
        if let Err(refused) = self.judge(on, new, now)? {
            return Ok(Err(refused));
        }
        let (records, record) = (&self.stored.records, &new.record);
        if !records.add(on, record, &new.name)? {
            return Ok(Err(Error::Taken(new.typed.clone())));
        }
        if let Some(password) = &new.password {
            password.set(on, records, &record.subject, now)?;
        }
        if let Some(address) = &new.address {
            records.name_by_address(on, &record.subject, address)?;
        }
        for group in &new.groups {
            records.join(on, &record.subject, group)?;
        }
        Ok(Ok(()))
    }
}
