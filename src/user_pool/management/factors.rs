//! What an administrator does with second factors.

use crate::clock::Timestamp;
use crate::database::{self, Transaction};
use crate::user_pool::factors::{self, Owned};
use crate::user_pool::management::users::{Error, Management};

impl Management {
    /// What a user has set up. `who` may also be a user of the configuration.
    ///
    /// # Errors
    ///
    /// If there is no such user.
    pub(crate) async fn factors(&self, who: &str) -> Result<Owned, Error> {
        let (users, key) = (self.clone(), who.to_owned());
        let (whose, owned) = self
            .stored
            .database
            .read(move |on| {
                let whose = users.whose(on, &key)?;
                let owned = factors::owned(on, &users.stored.records.pool, whose.subject())?;
                Ok((whose, owned))
            })
            .await?;
        match whose {
            Whose::Nobody(who) if owned == Owned::default() => Err(Error::NoUser(who)),
            _ => Ok(owned),
        }
    }

    /// Removes everything that a user has set up, for a user who has lost it: one-time passwords, recovery
    /// codes, passkeys, trusted browsers. What was issued to the user
    /// before ends, so that no page of before sets up what it shows. `who` may also be a user of the configuration.
    ///
    /// # Errors
    ///
    /// If there is no such user.
    pub(crate) async fn reset_factors(&self, who: &str, now: Timestamp) -> Result<(), Error> {
        let (users, key) = (self.clone(), who.to_owned());
        self.decide(("factor.reset", None, now), move |on| {
            let (whose, records) = (users.whose(on, &key)?, &users.stored.records);
            let had_some = factors::forget(on, &records.pool, whose.subject())?;
            let subject = whose.subject().to_owned();
            match whose {
                Whose::Stored(subject) => {
                    Self::record_ended(&users.event_rows(), on, &subject, now)?;
                    records.end(on, &subject, now)?;
                }
                Whose::Nobody(who) if !had_some => return Ok(Err(Error::NoUser(who))),
                Whose::Declared(subject) | Whose::Nobody(subject) => records.end_declared(on, &subject, now)?,
            }
            Ok(Ok(Some(subject)))
        })
        .await
    }

    fn whose(&self, on: &mut Transaction<'_>, who: &str) -> Result<Whose, database::Error> {
        Ok(match (self.find_any(on, who)?, self.rules.declared_subject(who)) {
            (Ok(user), _) => Whose::Stored(user.subject),
            (Err(_), Some(subject)) => Whose::Declared(subject.to_owned()),
            (Err(_), None) => Whose::Nobody(who.to_owned()),
        })
    }
}

/// Whose factors, by `sub`.
enum Whose {
    Stored(String),
    Declared(String),
    /// Nobody of today: a user whom the configuration had before may have left some.
    Nobody(String),
}

impl Whose {
    fn subject(&self) -> &str {
        match self {
            Self::Stored(subject) | Self::Declared(subject) | Self::Nobody(subject) => subject,
        }
    }
}
