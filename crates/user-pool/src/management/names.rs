//! Which user a name, an alias or a `sub` leads to, and that each leads to one.

use crate::clock::Timestamp;
use crate::database::{self, Transaction};
use crate::directory::StoredUsers;
use crate::directory::alias::Conflict;
use crate::directory::attribute::{Attributes, is_email};
use crate::directory::name::UserName;
use crate::directory::record::Record;
use crate::directory::settings::{Settings, Usernames};
use crate::factors::browsers;
use crate::management::users::{Error, Management};
use crate::verification::code;

/// What a new user is called.
pub(super) struct NewName {
    /// As typed.
    pub(super) typed: String,
    /// In canonical form.
    pub(super) name: UserName,
    /// Whether it is the e-mail address of the user, who has no other name.
    pub(super) is_address: bool,
}

impl Management {
    /// The user with this `sub`, else the one with this name or alias. What a user of the configuration is called leads to no other user.
    pub(super) fn find_any(
        &self,
        on: &mut Transaction<'_>,
        who: &str,
    ) -> Result<Result<Record, Error>, database::Error> {
        let Self { stored: StoredUsers { records, .. }, rules, .. } = self;
        if let Some(user) = records.of_subject(on, who)? {
            return Ok(Ok(user));
        }
        if rules.declared_subject(who).is_some() {
            return Ok(Err(Error::Declared(who.to_owned())));
        }
        let named = match UserName::parse(who) {
            Some(name) => records.signing_in(on, &rules.sign_in_name(&name))?,
            None => None,
        };
        Ok(named.ok_or_else(|| Error::NoUser(who.to_owned())))
    }

    /// Refuses the name of a new user if it leads to another.
    pub(super) fn settle_name(
        &self,
        on: &mut Transaction<'_>,
        (typed, name): (&str, &UserName),
    ) -> Result<Result<(), Error>, database::Error> {
        let records = &self.stored.records;
        Ok(match self.rules.conflict(on, records, (name, None), "")? {
            None => Ok(()),
            Some(Conflict::Name) => Err(Error::Taken(typed.to_owned())),
            Some(Conflict::Alias(..)) => Err(Error::NameIsAlias(typed.to_owned())),
        })
    }

    /// Makes way for the aliases that a user gets with these attributes, or refuses them all.
    pub(super) fn settle_aliases(
        &self,
        on: &mut Transaction<'_>,
        (before, attributes): (&Attributes, &Attributes),
        subject: &str,
        now: Timestamp,
    ) -> Result<Result<(), Error>, database::Error> {
        let (records, mut former) = (&self.stored.records, Vec::new());
        for (alias, name) in self.rules.new_aliases(before, attributes) {
            if let Some(other) = self.rules.looks_like_another(alias, &name, attributes) {
                return Ok(Err(Error::LooksLikeAlias(name.as_str().to_owned(), other)));
            }
            if self.rules.is_reserved(&name) {
                return Ok(Err(Error::Reserved(name.as_str().to_owned())));
            }
            match self.rules.conflict(on, records, (&name, Some(alias)), subject)? {
                None => {}
                Some(Conflict::Alias(of, owner)) if of == alias && self.takes_aliases && alias.is_verified() => {
                    former.push((alias, owner));
                }
                Some(_) => return Ok(Err(Error::AliasTaken(alias))),
            }
        }
        for (alias, owner) in former {
            records.take_alias(on, alias, &owner, now)?;
            // The address is somebody else's: what was sent there must not let anybody in as the former owner.
            code::forget(on, &records.pool, &owner)?;
            browsers::forget_all(on, &records.pool, &owner)?;
        }
        Ok(Ok(()))
    }
}

impl Settings {
    pub(super) fn name_of_new(&self, typed: &str) -> Result<NewName, Error> {
        let typed = typed.trim().to_owned();
        let Some(name) = UserName::parse(&typed) else { return Err(Error::UserName(typed)) };
        match self.usernames {
            Usernames::Email if is_email(&typed) => Ok(NewName { typed, name, is_address: true }),
            Usernames::Email => Err(Error::NoAddress(typed)),
            Usernames::Chosen if !name.may_be_new() => Err(Error::UserName(typed)),
            Usernames::Chosen if self.is_reserved(&name) => Err(Error::Reserved(typed)),
            Usernames::Chosen => match self.alias_like(&name) {
                Some(alias) => Err(Error::LooksLikeAlias(typed, alias)),
                None => Ok(NewName { typed, name, is_address: false }),
            },
        }
    }
}
