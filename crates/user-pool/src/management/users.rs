//! The users of one pool, as an administrator changes them.

use std::path::Path;
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::database::{self, Transaction};
use crate::directory::filter::Filter;
use crate::directory::record::Record;
use crate::directory::search::{Cursor, Page};
use crate::factors::{self, browsers};

use crate::directory::StoredUsers;
use crate::directory::attribute::{Attributes, Fault};
use crate::directory::group::{GROUPS_MAX, GROUPS_OF_USER_MAX};
use crate::directory::name::NEW_NAME_MAX;
use crate::directory::record::Records;
use crate::directory::settings::{Alias, Settings};
use crate::directory::status::{Status, WrongState};
use crate::events::audit::{Actor, Done, Outcome};
use crate::messages::outgoing::Outgoing;
use crate::messages::queue;
use crate::verification::code;

/// Maximum length of the name of a group, in characters.
pub(super) const GROUP_NAME_MAX: usize = 128;

/// The users and groups of one pool.
#[derive(Clone, Debug)]
pub struct Management {
    pub(super) stored: StoredUsers,
    pub(super) rules: Arc<Settings>,
    pub(super) takes_aliases: bool,
    /// What tells users of removed factors.
    pub(super) outgoing: Option<Outgoing>,
    /// Who does all this, for the audit.
    pub(super) actor: Actor,
}

/// What becomes of a state.
type Change = fn(Status) -> Result<Status, WrongState>;

/// Why something was not done.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// Nobody has this name or subject.
    #[error("there is no user `{0}`")]
    NoUser(String),
    /// It is a user of the configuration. One of the database that has the same name or alias is found by the `sub`.
    #[error(
        "`{0}` is a user of the configuration file, which this command does not change; name a user of the database by the `sub`"
    )]
    Declared(String),
    /// There is no such group.
    #[error("there is no group `{0}`: add it first")]
    NoGroup(String),
    /// Another user has the name.
    #[error("there is already a user `{0}`")]
    Taken(String),
    /// Another user signs in by the name, which is an alias.
    #[error("another user signs in by `{0}`: choose another name, or change the alias of that user first")]
    NameIsAlias(String),
    /// The text cannot be a name.
    #[error("`{0}` cannot be a user name: 1 to {NEW_NAME_MAX} characters, without white space and control characters")]
    UserName(String),
    /// The name is for users of another provider.
    #[error(
        "`{0}` cannot be a name: it begins with the name of a provider of the pool, so it is for the users of that provider"
    )]
    Reserved(String),
    /// The text looks like an alias of this kind, so it could be another user's.
    #[error("`{0}` cannot be a name: users of this pool sign in by their `{kind}` as well", kind = .1.as_str())]
    LooksLikeAlias(String, Alias),
    /// Users of the pool have their e-mail address as their name.
    #[error("`{0}` is not an e-mail address: users of this pool sign in by theirs")]
    NoAddress(String),
    /// Another user signs in by it.
    #[error("another user signs in by this `{}`", .0.as_str())]
    AliasTaken(Alias),
    /// The pool has as many groups as a pool can have.
    #[error("a pool has at most {GROUPS_MAX} groups")]
    TooManyGroups,
    /// The user is in as many groups as a user can be in.
    #[error("a user is in at most {GROUPS_OF_USER_MAX} groups")]
    InTooManyGroups,
    /// The text cannot be the name of a group.
    #[error("`{0}` cannot be the name of a group: 1 to {GROUP_NAME_MAX} characters, without control characters")]
    GroupName(String),
    /// The user has no such factor or trusted browser.
    #[error("the user has no such factor or trusted browser: `vestibule users factors` lists them")]
    NoFactor,
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

impl Error {
    /// Whether another try may succeed.
    pub const fn is_of_database(&self) -> bool {
        matches!(self, Self::Database(_))
    }
}

impl Management {
    /// Of the users of this database.
    pub fn new(stored: StoredUsers) -> Self {
        Self { stored, rules: Arc::default(), takes_aliases: false, outgoing: None, actor: Actor::System }
    }

    /// Where they are.
    #[cfg(test)]
    pub(crate) fn stored(&self) -> &StoredUsers {
        &self.stored
    }

    /// The same users, who have these attributes and aliases.
    pub fn with_rules(self, rules: Arc<Settings>) -> Self {
        Self { rules, ..self }
    }

    /// The same, and users are told by a message of factors that are removed.
    pub fn telling(self, outgoing: Option<Outgoing>) -> Self {
        Self { outgoing, ..self }
    }

    /// The same, done by somebody else than the process.
    pub fn by(self, actor: Actor) -> Self {
        Self { actor, ..self }
    }

    /// The same, but an address that was verified for another user becomes the alias of the one who is added or changed (pool §2.2). The other
    /// keeps the address, which is not verified any more.
    pub fn taking_aliases(self) -> Self {
        Self { takes_aliases: true, ..self }
    }

    /// The attributes of a user who is to be added.
    ///
    /// # Errors
    ///
    /// See [`Fault`].
    pub fn attributes_of_new(&self, given: &[(String, String)]) -> Result<Attributes, Fault> {
        self.rules.create(pairs(given))
    }

    /// At most `limit` users like this, from the start or after a page.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn search(&self, filter: Filter, after: Option<Cursor>, limit: usize) -> Result<Page, Error> {
        let records = self.stored.records.clone();
        Ok(self.stored.database.read(move |on| records.search(on, &filter, after.as_ref(), limit)).await?)
    }

    /// How many users there are.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub async fn count(&self) -> Result<u64, Error> {
        let records = self.stored.records.clone();
        Ok(self.stored.database.read(move |on| records.count(on)).await?)
    }

    /// The user with this `sub`, name or alias.
    ///
    /// # Errors
    ///
    /// [`Error::NoUser`] if nobody has it. [`Error::Declared`] if it is a user of the configuration.
    pub async fn show(&self, who: &str) -> Result<Record, Error> {
        let (users, key) = (self.clone(), who.to_owned());
        self.stored.database.read(move |on| users.find_any(on, &key)).await?
    }

    /// Sets attributes; an empty value removes one. With another address, codes that went to the user are void: the administrator may know that somebody
    /// else reads the former one.
    ///
    /// # Errors
    ///
    /// If there is no such user, or an attribute is not valid: then none has changed.
    pub async fn set_attributes(&self, who: &str, changes: Vec<(String, String)>, now: Timestamp) -> Result<(), Error> {
        let (users, key) = (self.clone(), who.to_owned());
        // Only the names: values tell of people.
        let names: Vec<&str> = changes.iter().map(|(name, _)| name.as_str()).collect();
        self.decide(Some(who), ("user.attributes", Some(names.join(" ")), now), move |on| {
            let user = match users.find_any(on, &key)? {
                Ok(user) => user,
                Err(error) => return Ok(Err(error)),
            };
            let (Self { stored: StoredUsers { records, .. }, rules, .. }, mut attributes) =
                (users.clone(), user.attributes.clone());
            if let Err(fault) = rules.change(&mut attributes, pairs(&changes)) {
                return Ok(Err(fault.into()));
            }
            if rules.is_address_taken(on, &records, &attributes, &user.subject)? {
                return Ok(Err(Error::AliasTaken(Alias::Email)));
            }
            let aliases = (&user.attributes, &attributes);
            if let Err(error) = users.settle_aliases(on, aliases, &user.subject, now)? {
                return Ok(Err(error));
            }
            records.set_attributes(on, &user.subject, &attributes, now)?;
            let changed: Vec<_> = user.attributes.changed_addresses(&attributes).collect();
            if !changed.is_empty() {
                code::forget(on, &records.pool, &user.subject)?;
            }
            // Whoever has read the codes of a second factor may have trusted a browser by one. Which factors the pool has is not known here: at worst, a user
            // is asked for a second factor once more.
            if changed.into_iter().any(|address| user.attributes.is_verified(address)) {
                browsers::forget_all(on, &records.pool, &user.subject)?;
            }
            Ok(Ok(Some(user.subject)))
        })
        .await
    }

    /// Lets a user sign in again, or ends all sessions and tokens and refuses new ones. Codes that were sent are void in both cases.
    ///
    /// # Errors
    ///
    /// If there is no such user.
    pub async fn set_enabled(&self, who: &str, is_enabled: bool, now: Timestamp) -> Result<(), Error> {
        let operation = if is_enabled { "user.enable" } else { "user.disable" };
        let events = self.event_rows();
        self.change(who, (operation, None, now), move |records, on, user| {
            if !is_enabled {
                Self::record_ended(&events, on, &user.subject, now)?;
            }
            code::forget(on, &records.pool, &user.subject)?;
            records.set_enabled(on, &user.subject, is_enabled, now)
        })
        .await
    }

    /// Confirms a user who has signed up.
    ///
    /// # Errors
    ///
    /// If there is no such user, or if the user was confirmed before.
    pub async fn confirm(&self, who: &str, now: Timestamp) -> Result<(), Error> {
        self.set_state(who, ("user.confirm", Status::confirmed), now).await
    }

    /// Makes a user choose another password, with a code that is sent. All sessions and tokens end, and codes that were sent before.
    ///
    /// # Errors
    ///
    /// If there is no such user, or if the user has not yet signed up to the end.
    pub async fn reset(&self, who: &str, now: Timestamp) -> Result<(), Error> {
        self.set_state(who, ("user.reset", Status::reset), now).await
    }

    async fn set_state(
        &self,
        who: &str,
        (operation, next): (&'static str, Change),
        now: Timestamp,
    ) -> Result<(), Error> {
        let (users, key) = (self.clone(), who.to_owned());
        self.decide(Some(who), (operation, None, now), move |on| {
            let stored = &users.stored;
            let user = match users.find_any(on, &key)? {
                Ok(user) => user,
                Err(error) => return Ok(Err(error)),
            };
            match next(user.status) {
                Ok(status) => {
                    if status == Status::ResetRequired {
                        Self::record_ended(&users.event_rows(), on, &user.subject, now)?;
                    }
                    let is_new = user.status == Status::Unconfirmed;
                    if is_new && !users.rules.name_by_address(on, &stored.records, &user.attributes, &user.subject)? {
                        return Ok(Err(Error::AliasTaken(Alias::Email)));
                    }
                    code::forget(on, &stored.records.pool, &user.subject)?;
                    stored.records.set_status(on, &user.subject, status, now)?;
                    Ok(Ok(Some(user.subject)))
                }
                Err(wrong) => Ok(Err(wrong.into())),
            }
        })
        .await
    }

    /// Ends all sessions and tokens of a user, and codes that were sent.
    ///
    /// # Errors
    ///
    /// If there is no such user.
    pub async fn sign_out(&self, who: &str, now: Timestamp) -> Result<(), Error> {
        let events = self.event_rows();
        self.change(who, ("user.sign_out", None, now), move |records, on, user| {
            Self::record_ended(&events, on, &user.subject, now)?;
            code::forget(on, &records.pool, &user.subject)?;
            records.end(on, &user.subject, now).map(drop)
        })
        .await
    }

    /// Deletes a user. Nobody gets the `sub` again.
    ///
    /// # Errors
    ///
    /// If there is no such user.
    pub async fn delete(&self, who: &str, now: Timestamp) -> Result<(), Error> {
        self.change(who, ("user.delete", None, now), move |records, on, user| {
            factors::forget(on, &records.pool, &user.subject)?;
            code::forget(on, &records.pool, &user.subject)?;
            queue::forget(on, &records.pool, &user.subject)?;
            records.delete(on, &user.subject, now)
        })
        .await
    }

    /// Writes a copy of the database to a new file, while it is in use. It has all pools of the file.
    ///
    /// # Errors
    ///
    /// If the file exists or cannot be written.
    pub async fn back_up(&self, to: &Path, now: Timestamp) -> Result<(), Error> {
        Ok(self.stored.database.back_up(to, now).await?)
    }

    pub(super) async fn change(
        &self,
        who: &str,
        what: (&'static str, Option<String>, Timestamp),
        work: impl FnOnce(&Records, &mut Transaction<'_>, &Record) -> Result<(), database::Error> + Send + 'static,
    ) -> Result<(), Error> {
        let (users, key) = (self.clone(), who.to_owned());
        self.decide(Some(who), what, move |on| match users.find_any(on, &key)? {
            Ok(user) => {
                work(&users.stored.records, on, &user)?;
                Ok(Ok(Some(user.subject)))
            }
            Err(error) => Ok(Err(error)),
        })
        .await
    }

    /// Runs a transaction that may refuse. What it has changed before is committed, so it refuses first. `work` returns whom it is about. What
    /// is done is in the audit, by its name and what is told besides. So is what was refused, with the user whom `who` names.
    pub(super) async fn decide(
        &self,
        who: Option<&str>,
        (operation, detail, now): (&'static str, Option<String>, Timestamp),
        work: impl FnOnce(&mut Transaction<'_>) -> Result<Result<Option<String>, Error>, database::Error> + Send + 'static,
    ) -> Result<(), Error> {
        let (users, who) = (self.clone(), who.map(str::to_owned));
        let audited = move |on: &mut Transaction<'_>| {
            let (subject, result) = match work(on)? {
                Ok(subject) => (subject, Ok(())),
                Err(refused) => (users.subject_of(on, who.as_deref())?, Err(refused)),
            };
            let done = Done { operation, subject: subject.as_deref(), detail: detail.as_deref() };
            let done = (done, Outcome::of(&result));
            users.audit().record_outcome(on, &users.actor, done, now)?;
            Ok(result)
        };
        self.stored.database.write(audited).await?
    }
}

pub(super) fn pairs(changes: &[(String, String)]) -> impl Iterator<Item = (&str, &str)> + Clone {
    changes.iter().map(|(name, value)| (name.as_str(), value.as_str()))
}

#[cfg(test)]
mod tests;
