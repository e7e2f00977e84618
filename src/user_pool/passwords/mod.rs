//! Sets passwords of the users of a database. There is no other way to do it: nothing else writes a hash of a password that was chosen.
//!
//! A password is judged and hashed before the transaction, because both take long ([`Passwords::prepare`]). The transaction of the caller then sets
//! it, together with what belongs to it, for example the code that was used up ([`NewPassword::set`]). [`Passwords::set`] does both.

use crate::clock::Timestamp;
use crate::database::{self, Transaction, Value};
use crate::secret::Secret;
use crate::user_pool::credential::password::{Busy, Hasher};
use crate::user_pool::credential::policy::{AboutUser, Fault, PasswordPolicy};
use crate::user_pool::directory::StoredUsers;
use crate::user_pool::directory::attribute::Attributes;
use crate::user_pool::directory::record::{Record, Records};
use crate::user_pool::directory::status::{Status, WrongState};

/// Attributes with names that do not belong into a password.
const NAMES: [&str; 6] = ["name", "given_name", "family_name", "middle_name", "nickname", "preferred_username"];

/// Judges, hashes and sets passwords.
#[derive(Clone, Debug)]
pub(crate) struct Passwords {
    stored: StoredUsers,
    policy: PasswordPolicy,
    hasher: Hasher,
}

/// Why a password is not set. Nothing has changed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
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
    /// The database fails.
    #[error("the database fails")]
    Database(#[from] database::Error),
}

/// The password of a user who is about to be added.
#[derive(Clone, Debug)]
pub(crate) struct FirstPassword {
    hash: Secret<String>,
}

/// A password that the user may have, and its hash. It is set only if the user has not changed since.
#[derive(Debug)]
#[must_use]
pub(crate) struct NewPassword {
    records: Records,
    subject: String,
    hash: Secret<String>,
    /// As the user was when the password was judged, and what the password makes of the state.
    epoch: i64,
    before: Status,
    after: Status,
}

/// A password was set. Sessions, codes and tokens of an earlier epoch have ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct WasSet {
    pub(crate) epoch: i64,
}

impl Passwords {
    /// Of the users of this database.
    pub(crate) fn new(stored: StoredUsers, policy: PasswordPolicy, hasher: Hasher) -> Self {
        Self { stored, policy, hasher }
    }

    /// Judges and hashes the password of a new user with this name and these attributes.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`] and [`Error::Busy`].
    pub(crate) async fn first(
        &self,
        username: &str,
        attributes: &Attributes,
        password: Secret<String>,
    ) -> Result<FirstPassword, Error> {
        self.policy.check(&password, &about(username, attributes))?;
        Ok(FirstPassword { hash: self.hasher.hash(password).await? })
    }

    /// Judges and hashes a new password of this user, as the database had the user a moment ago. The user is confirmed with it (pool §2.3).
    ///
    /// # Errors
    ///
    /// [`Error::Refused`], [`Error::State`] and [`Error::Busy`].
    pub(crate) async fn prepare(&self, user: &Record, password: Secret<String>) -> Result<NewPassword, Error> {
        let after = user.status.given_password()?;
        self.policy.check(&password, &about(&user.username, &user.attributes))?;
        let hash = self.hasher.hash(password).await?;
        let (records, subject) = (self.stored.records.clone(), user.subject.clone());
        Ok(NewPassword { records, subject, hash, epoch: user.epoch, before: user.status, after })
    }

    /// Judges, hashes and sets a new password of this user.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub(crate) async fn set(&self, user: &Record, password: Secret<String>, now: Timestamp) -> Result<WasSet, Error> {
        let new = self.prepare(user, password).await?;
        self.stored.database.write(move |on| new.set(on, now)).await?.ok_or(Error::Changed)
    }
}

impl FirstPassword {
    /// For the row of the user.
    pub(crate) fn into_hash(self) -> Secret<String> {
        self.hash
    }
}

impl NewPassword {
    /// Sets the password, and ends what was issued before. `None` if the user has changed since the password was judged: the password,
    /// the state, whether the user may sign in, or a sign-out. Then nothing was done.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) fn set(self, on: &mut Transaction<'_>, now: Timestamp) -> Result<Option<WasSet>, database::Error> {
        let values = [
            Value::from(&*self.records.pool),
            (&self.subject).into(),
            self.epoch.into(),
            self.hash.expose().into(),
            now.into(),
            self.before.as_str().into(),
            self.after.as_str().into(),
        ];
        let sql = "UPDATE users SET password_hash = ?4, password_set_at = ?5, modified_at = ?5, status = ?7 \
                   WHERE pool = ?1 AND sub = ?2 AND epoch = ?3 AND status = ?6";
        if on.execute(sql, &values)? == 0 {
            return Ok(None);
        }
        Ok(self.records.end(on, &self.subject, now)?.map(|epoch| WasSet { epoch }))
    }
}

/// What the password of a user must not contain.
fn about(username: &str, attributes: &Attributes) -> AboutUser {
    AboutUser {
        username: username.to_owned(),
        email: attributes.get("email").map(str::to_owned),
        names: NAMES.iter().filter_map(|name| attributes.get(name)).map(str::to_owned).collect(),
    }
}

#[cfg(test)]
pub(crate) mod tests;
