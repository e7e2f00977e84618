//! The password of a user who is about to be added.

use crate::clock::Timestamp;
use crate::credential::password::{self, COST};
use crate::database::{self, Transaction, Value};
use crate::directory::attribute::Attributes;
use crate::directory::record::Records;
use crate::directory::status::Status;
use crate::passwords::set::{Error, Lasting, Passwords, about};
use crate::secret::Secret;

/// The password of a user who is about to be added, hashed.
#[derive(Clone, Debug)]
pub struct FirstPassword {
    hash: Secret<String>,
    lasting: Lasting,
    /// `None`: our own hash.
    foreign_cost: Option<String>,
}

impl Passwords {
    /// Judges and hashes the password of a new user with this name and these attributes.
    ///
    /// # Errors
    ///
    /// [`Error::Refused`], [`Error::BreachList`] and [`Error::Busy`].
    pub async fn first(
        &self,
        username: &str,
        attributes: &Attributes,
        password: Secret<String>,
        lasting: Lasting,
    ) -> Result<FirstPassword, Error> {
        self.judge(&password, &about(username, attributes)).await?;
        Ok(FirstPassword { hash: self.hasher.hash(password).await?, lasting, foreign_cost: None })
    }
}

impl FirstPassword {
    /// A password of another system, as the hash that this system has made (pool §14.1). No policy judges it. It is replaced by a hash of ours at the
    /// first sign-in.
    ///
    /// # Errors
    ///
    /// If the hash is not understood, or costs too much.
    pub fn imported(hash: Secret<String>) -> Result<Self, password::Error> {
        let cost = password::cost(&hash)?;
        let foreign_cost = (cost != COST).then(|| cost.to_string());
        Ok(Self { hash, lasting: Lasting::Permanent, foreign_cost })
    }

    /// The same, good only until then, to be changed at the first sign-in.
    pub(crate) fn until(self, until: Timestamp) -> Self {
        Self { lasting: Lasting::Until(until), ..self }
    }

    /// One that was hashed at the lowest cost.
    #[cfg(test)]
    pub(crate) fn cheap(password: &str) -> Self {
        Self { hash: password::tests::cheap(password), lasting: Lasting::Permanent, foreign_cost: None }
    }

    /// The state of a user with this password whom an administrator has added (pool §2.3).
    pub(crate) fn status(&self) -> Status {
        match self.lasting {
            Lasting::Permanent => Status::Confirmed,
            Lasting::Until(_) => Status::ForceChangePassword,
        }
    }

    /// Sets the password of a user whom the same transaction has added.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) fn set(
        &self,
        on: &mut Transaction<'_>,
        records: &Records,
        subject: &str,
        now: Timestamp,
    ) -> Result<(), database::Error> {
        let values = [
            Value::from(&*records.pool),
            subject.into(),
            self.hash.expose().into(),
            self.foreign_cost.as_ref().into(),
            self.lasting.until().into(),
            now.into(),
        ];
        let sql = "UPDATE users SET password_hash = ?3, foreign_cost = ?4, temporary_until = ?5, password_set_at = ?6 \
                   WHERE pool = ?1 AND sub = ?2 AND password_hash IS NULL";
        on.execute(sql, &values).map(drop)
    }
}
