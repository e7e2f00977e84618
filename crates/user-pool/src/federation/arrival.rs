//! What a user becomes who has just signed in at a provider: the user of the link, or a new one.
//!
//! An e-mail address links nobody, not even a verified one (`docs/decisions/0099`): who has an account at a provider with the address of a
//! user of the pool is another user.

use std::sync::Arc;

use crate::clock::Timestamp;
use crate::database::{Error, Transaction};
use crate::directory::attribute::Attributes;
use crate::directory::group::Group;
use crate::directory::name::UserName;
use crate::directory::record::{Record, Records};
use crate::directory::settings::Settings;
use crate::directory::status::Status;
use crate::events::audit::{Actor, AuditRows, Done};
use crate::federation::links::ExternalUser;
use crate::federation::settings::ProviderSettings;
use crate::identity::Identity;

/// A sign-in at a provider, verified.
#[derive(Debug)]
pub(crate) struct Arrival {
    /// What the pool says of its users.
    pub(crate) rules: Arc<Settings>,
    pub(crate) settings: ProviderSettings,
    pub(crate) identity: Identity,
    /// `sub` of the user, if this is the first sign-in. Random.
    pub(crate) new_subject: String,
    /// The hash of the state of the sign-in, and when the sign-in expires.
    pub(crate) state: ([u8; 32], Timestamp),
    pub(crate) now: Timestamp,
}

/// What has come of it.
#[derive(Debug)]
pub(crate) enum Arrived {
    /// The user signs in.
    User(Box<Record>),
    /// The sign-in has ended before.
    Replayed,
    /// An administrator has disabled the user with this `sub`. Nothing has changed.
    Disabled(String),
    /// The provider does not say what the pool requires of each user. Nothing has changed.
    Incomplete,
}

/// Ends the sign-in: finds or adds the user, and updates the attributes.
pub(crate) fn arrive(on: &mut Transaction<'_>, records: &Records, arrival: &Arrival) -> Result<Arrived, Error> {
    let Arrival { rules, settings, identity, state: (hash, until), now, .. } = arrival;
    if !records.end_provider_sign_in(on, hash, *until, *now)? {
        return Ok(Arrived::Replayed);
    }
    let external = ExternalUser {
        provider: settings.name.to_string(),
        issuer: identity.issuer().to_owned(),
        subject: identity.subject().to_owned(),
    };
    let subject = match records.linked(on, &external)? {
        Some(subject) => {
            let user = records.of_subject(on, &subject)?.ok_or(Error::Malformed("link to a user"))?;
            if !user.is_enabled || !user.status.may_have_sessions() {
                return Ok(Arrived::Disabled(subject));
            }
            let mut attributes = user.attributes.clone();
            settings.mapping.apply(rules, &mut attributes, identity.claims());
            if lacks_required(rules, &attributes) {
                return Ok(Arrived::Incomplete);
            }
            if attributes != user.attributes {
                records.set_attributes(on, &subject, &attributes, *now)?;
            }
            subject
        }
        None => {
            let Some(subject) = add(on, records, arrival)? else { return Ok(Arrived::Incomplete) };
            records.link(on, &external, &subject, *now)?;
            record(on, records, ("user.add", &subject, &settings.name), *now)?;
            subject
        }
    };
    if let Some(group) = &settings.group {
        join(on, records, &subject, group, *now)?;
    }
    let user = records.of_subject(on, &subject)?.ok_or(Error::Malformed("link to a user"))?;
    Ok(Arrived::User(Box::new(user)))
}

/// Pool §10.5.
fn lacks_required(rules: &Settings, attributes: &Attributes) -> bool {
    rules.required.iter().any(|name| attributes.get(name).is_none())
}

/// Adds the user of a first sign-in. Returns the `sub`. `None` if an attribute is missing.
fn add(on: &mut Transaction<'_>, records: &Records, arrival: &Arrival) -> Result<Option<String>, Error> {
    let Arrival { rules, settings, identity, new_subject, now, .. } = arrival;
    let mut attributes = Attributes::default();
    settings.mapping.apply(rules, &mut attributes, identity.claims());
    if lacks_required(rules, &attributes) {
        return Ok(None);
    }
    // Pool §10.1. The other name is for a subject that is no user name, that differs from another one only in its case, or whose name somebody
    // has: nobody knows it before, so nobody can have it.
    let names = [identity.subject(), new_subject].map(|subject| format!("{}_{subject}", settings.name));
    for username in names {
        let Some(name) = UserName::parse(&username) else { continue };
        // What leads to another user, or looks as an address that another user may sign in with one day.
        if rules.looks_like_address(&name) || rules.conflict(on, records, (&name, None), new_subject)?.is_some() {
            continue;
        }
        let record = Record {
            subject: new_subject.clone(),
            username,
            status: Status::ExternalProvider,
            is_enabled: true,
            attributes: attributes.clone(),
            password_hash: None,
            password_set_at: None,
            temporary_until: None,
            epoch: 0,
            created_at: *now,
            modified_at: *now,
            groups: Vec::new(),
            identities: Vec::new(),
        };
        if records.add(on, &record, &name)? {
            return Ok(Some(record.subject));
        }
    }
    Err(Error::Malformed("random name of a user"))
}

fn join(on: &mut Transaction<'_>, records: &Records, subject: &str, group: &str, now: Timestamp) -> Result<(), Error> {
    if records.missing_group(on, &[group.to_owned()])?.is_some() {
        records.put_group(on, &Group { name: group.to_owned(), description: None, precedence: None }, now)?;
    }
    let had = records.groups_of(on, subject)?.iter().any(|known| known == group);
    if had {
        return Ok(());
    }
    records.join(on, subject, group)?;
    record(on, records, ("group.join", subject, group), now)
}

/// Writes to the audit what a sign-in has changed that an administrator changes otherwise.
fn record(
    on: &mut Transaction<'_>,
    records: &Records,
    (operation, subject, detail): (&'static str, &str, &str),
    now: Timestamp,
) -> Result<(), Error> {
    let done = Done { operation, subject: Some(subject), detail: Some(detail) };
    AuditRows { pool: Arc::clone(&records.pool) }.record(on, &Actor::User, done, now)
}

#[cfg(test)]
mod tests;
