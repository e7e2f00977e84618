//! Judges, hashes and sets the password of a user who is there. Start at [`Passwords`].

use std::io;
use std::sync::Arc;

use crate::clock::Timestamp;
use crate::credential::hasher::{Busy, Hasher};
use crate::credential::policy::{AboutUser, Fault, PasswordPolicy};
use crate::database::{self, Transaction, Value};
use crate::directory::StoredUsers;
use crate::directory::attribute::Attributes;
use crate::directory::record::{Record, Records};
use crate::directory::status::{Status, WrongState};
use crate::events::audit::{Actor, AuditRows, Done};
use crate::messages::message::Kind;
use crate::messages::outgoing::Outgoing;
use crate::page::Sentence;
use crate::passwords::history::{self, Before};
use crate::secret::Secret;
use crate::verification::code;

/// Attributes with names that do not belong into a password.
const NAMES: [&str; 6] = ["name", "given_name", "family_name", "middle_name", "nickname", "preferred_username"];

/// Judges, hashes and sets passwords.
#[derive(Clone, Debug)]
pub struct Passwords {
    pub(super) stored: StoredUsers,
    pub(super) policy: PasswordPolicy,
    pub(super) hasher: Hasher,
    /// What tells users of a new password.
    outgoing: Option<Outgoing>,
    /// Who sets them, for the audit.
    actor: Actor,
}

/// Why a password is not set. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The policy refuses the password.
    #[error("the password is refused: {0}")]
    Refused(#[from] Fault),
    /// The state of the user does not allow it.
    #[error(transparent)]
    State(#[from] WrongState),
    /// Too many passwords are being hashed.
    #[error(transparent)]
    Busy(#[from] Busy),
    /// The user was changed or deleted meanwhile.
    #[error("the user was changed at the same time: nothing was done, try again")]
    Changed,
    /// The list of breached passwords cannot be read.
    #[error("the list of breached passwords cannot be read")]
    BreachList(#[source] io::Error),
    /// The database fails.
    #[error("the database fails")]
    Database(#[from] database::Error),
}

/// How long a password is good for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lasting {
    /// Until another one is set.
    Permanent,
    /// It only leads to a new one, and only until then (pool §2.4).
    Until(Timestamp),
}

impl Lasting {
    pub(super) fn until(self) -> Option<Timestamp> {
        match self {
            Self::Permanent => None,
            Self::Until(until) => Some(until),
        }
    }

    /// The state of a user who gets such a password.
    fn state(self, before: Status) -> Result<Status, WrongState> {
        match self {
            Self::Permanent => before.given_password(),
            Self::Until(_) => before.given_temporary_password(),
        }
    }
}

/// A password that the user may have, and its hash. It is set only if the user has not changed since.
#[derive(Debug)]
#[must_use]
pub(crate) struct NewPassword {
    records: Records,
    subject: String,
    hash: Secret<String>,
    lasting: Lasting,
    /// How many passwords nobody may use again.
    history: usize,
    /// As the user was when the password was judged, and what the password makes of the state.
    epoch: i64,
    before: Status,
    after: Status,
    actor: Actor,
}

/// A password was set. Sessions, codes and tokens of an earlier epoch have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WasSet {
    pub(crate) epoch: i64,
}

impl Passwords {
    /// Of the users of this database.
    pub fn new(stored: StoredUsers, policy: PasswordPolicy, hasher: Hasher) -> Self {
        Self { stored, policy, hasher, outgoing: None, actor: Actor::User }
    }

    /// The same, and [`set`](Self::set) tells users by a message.
    pub fn telling(self, outgoing: Option<Outgoing>) -> Self {
        Self { outgoing, ..self }
    }

    /// The same, set by somebody else than the user.
    pub fn by(self, actor: Actor) -> Self {
        Self { actor, ..self }
    }

    /// Says on pages of what length a new password has to be.
    pub(crate) fn hint(&self) -> Sentence {
        self.policy.hint()
    }

    /// Judges and hashes a new password of this user, as the database had the user a moment ago. The user is confirmed with one that stays
    /// (pool §2.3).
    ///
    /// # Errors
    ///
    /// See [`Error`]. It is never [`Error::Changed`].
    pub(crate) async fn prepare(
        &self,
        user: &Record,
        password: Secret<String>,
        lasting: Lasting,
    ) -> Result<NewPassword, Error> {
        let after = lasting.state(user.status)?;
        self.judge(&password, &about(&user.username, &user.attributes)).await?;
        if lasting == Lasting::Permanent && self.was_used(user, &password).await? {
            return Err(Fault::UsedBefore.into());
        }
        Ok(NewPassword {
            records: self.stored.records.clone(),
            subject: user.subject.clone(),
            hash: self.hasher.hash(password).await?,
            lasting,
            history: self.policy.history,
            epoch: user.epoch,
            before: user.status,
            after,
            actor: self.actor.clone(),
        })
    }

    /// Judges, hashes and sets a new password of this user, and tells the user.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub async fn set(
        &self,
        user: &Record,
        password: Secret<String>,
        lasting: Lasting,
        now: Timestamp,
    ) -> Result<WasSet, Error> {
        let new = self.prepare(user, password, lasting).await?;
        let (outgoing, user) = (self.outgoing.clone(), user.clone());
        let set = self.stored.database.write(move |on| {
            let set = new.set(on, now)?;
            if let (Some(_), Some(outgoing)) = (set, outgoing) {
                outgoing.notify(on, Kind::PasswordChanged, &user, now)?;
            }
            Ok(set)
        });
        set.await?.ok_or(Error::Changed)
    }

    /// Whether the policy allows the password of this user, as far as this is known at once.
    ///
    /// # Errors
    ///
    /// Why it does not.
    pub(crate) fn check(&self, user: &Record, password: &Secret<String>) -> Result<(), Fault> {
        self.policy.check(password, &about(&user.username, &user.attributes))
    }

    /// Whether the user has this password, or has had it among the last ones. A temporary password does not count: it may be kept (pool §2.4).
    async fn was_used(&self, user: &Record, password: &Secret<String>) -> Result<bool, Error> {
        let Some(former) = self.policy.history.checked_sub(1) else { return Ok(false) };
        let (records, subject) = (self.stored.records.clone(), user.subject.clone());
        let former = self.stored.database.read(move |on| history::newest(on, &records, &subject, former)).await?;
        let current = user.password_hash.clone().filter(|_| user.temporary_until.is_none());
        Ok(self.hasher.is_one_of(current.into_iter().chain(former).collect(), password.clone()).await?)
    }

    /// Whether the policy allows the password, apart from the history. Cheapest first.
    pub(super) async fn judge(&self, password: &Secret<String>, about: &AboutUser) -> Result<(), Error> {
        self.policy.check(password, about)?;
        match self.is_breached(password).await.map_err(Error::BreachList)? {
            true => Err(Fault::Breached.into()),
            false => Ok(()),
        }
    }

    /// Whether the password is in the list of breached ones. `false` without a list.
    pub(super) async fn is_breached(&self, password: &Secret<String>) -> io::Result<bool> {
        let Some(list) = self.policy.breach_list.clone() else { return Ok(false) };
        let password = password.clone();
        tokio::task::spawn_blocking(move || list.contains(&password)).await.map_err(io::Error::other)?
    }
}

impl NewPassword {
    /// Sets the password, and ends what was issued before, also codes that were sent. `None` if the user has changed since the password was judged:
    /// the password, the state, whether the user may sign in, or a sign-out. Then nothing was done.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) fn set(self, on: &mut Transaction<'_>, now: Timestamp) -> Result<Option<WasSet>, database::Error> {
        let before = Before { records: &self.records, subject: &self.subject, epoch: self.epoch, status: self.before };
        history::remember(on, before, self.history.saturating_sub(1))?;
        let values = [
            Value::from(&*self.records.pool),
            (&self.subject).into(),
            self.epoch.into(),
            self.before.as_str().into(),
            self.after.as_str().into(),
            self.hash.expose().into(),
            self.lasting.until().into(),
            now.into(),
        ];
        let sql = "UPDATE users SET password_hash = ?6, foreign_cost = NULL, temporary_until = ?7, password_set_at = ?8, \
                   modified_at = ?8, status = ?5 WHERE pool = ?1 AND sub = ?2 AND epoch = ?3 AND status = ?4";
        if on.execute(sql, &values)? == 0 {
            return Ok(None);
        }
        // Somebody else may have asked for them: who sets a password may do so because of that.
        code::forget(on, &self.records.pool, &self.subject)?;
        let audit = AuditRows { pool: Arc::clone(&self.records.pool) };
        let detail = matches!(self.lasting, Lasting::Until(_)).then_some("temporary");
        let done = Done { operation: "user.password", subject: Some(&self.subject), detail };
        audit.record(on, &self.actor, done, now)?;
        Ok(self.records.end(on, &self.subject, now)?.map(|epoch| WasSet { epoch }))
    }
}

/// What the password of a user must not contain.
pub(super) fn about(username: &str, attributes: &Attributes) -> AboutUser {
    AboutUser {
        username: username.to_owned(),
        email: attributes.get("email").map(str::to_owned),
        names: NAMES.iter().filter_map(|name| attributes.get(name)).map(str::to_owned).collect(),
    }
}

#[cfg(test)]
pub(crate) mod tests;
