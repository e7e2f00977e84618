//! What an administrator does with second factors.

use crate::clock::Timestamp;
use crate::database::{self, Transaction};
use crate::events::event::{Event, Kind as EventKind, Response, Visit};
use crate::factors::change::Removal;
use crate::factors::{self, Owned, browsers, change};
use crate::management::users::{Error, Management};
use crate::messages::message::Kind;

/// What an administrator takes away from a user.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Taken {
    Factor(Removal),
    /// A trusted browser, by its [`id`](browsers::TrustedBrowser::id).
    Browser(String),
    /// All trusted browsers.
    Browsers,
}

impl Management {
    /// What a user has set up. `who` may also be a user of the configuration.
    ///
    /// # Errors
    ///
    /// If there is no such user.
    pub async fn factors(&self, who: &str) -> Result<Owned, Error> {
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

    /// Takes one thing away from a user, also the last second factor and the only way in. Sessions stay. `who` may also be a user of the configuration.
    ///
    /// # Errors
    ///
    /// If there is no such user, or if the user does not have it.
    pub async fn take_factor(&self, who: &str, what: Taken, now: Timestamp) -> Result<(), Error> {
        let (users, key) = (self.clone(), who.to_owned());
        let (operation, detail) = match &what {
            Taken::Factor(Removal::App) => ("factor.remove", "totp"),
            Taken::Factor(Removal::Passkey(_)) => ("factor.remove", "passkey"),
            Taken::Browser(_) => ("browser.forget", "one"),
            Taken::Browsers => ("browser.forget", "all"),
        };
        self.decide(Some(who), (operation, Some(detail.to_owned()), now), move |on| {
            let (whose, pool) = (users.whose(on, &key)?, &users.stored.records.pool);
            let subject = whose.subject();
            let (is_taken, is_factor) = match &what {
                Taken::Factor(factor) => (change::remove(on, pool, subject, factor)?, true),
                Taken::Browser(id) => (browsers::forget_one(on, pool, subject, id)?, false),
                Taken::Browsers => (browsers::forget_all(on, pool, subject)? > 0, false),
            };
            if !is_taken {
                return Ok(Err(match whose {
                    Whose::Nobody(who) => Error::NoUser(who),
                    Whose::Stored(_) | Whose::Declared(_) => Error::NoFactor,
                }));
            }
            if is_factor {
                let event = Event::new(Some(subject), (EventKind::FactorChange, Response::Pass), Visit::none(), now);
                users.event_rows().record(on, &event)?;
                users.tell(on, Kind::FactorRemoved, subject, now)?;
            }
            Ok(Ok(Some(subject.to_owned())))
        })
        .await
    }

    /// Tells a user of the database of a change.
    fn tell(&self, on: &mut Transaction<'_>, kind: Kind, subject: &str, now: Timestamp) -> Result<(), database::Error> {
        match (self.stored.records.of_subject(on, subject)?, &self.outgoing) {
            (Some(user), Some(outgoing)) => outgoing.notify(on, kind, &user, now),
            _ => Ok(()),
        }
    }

    /// Removes everything that a user has set up, for a user who has lost it: one-time passwords, recovery
    /// codes, passkeys, trusted browsers. What was issued to the user
    /// before ends, so that no page of before sets up what it shows. `who` may also be a user of the configuration.
    ///
    /// # Errors
    ///
    /// If there is no such user.
    pub async fn reset_factors(&self, who: &str, now: Timestamp) -> Result<(), Error> {
        let (users, key) = (self.clone(), who.to_owned());
        self.decide(Some(who), ("factor.reset", None, now), move |on| {
            let (whose, records) = (users.whose(on, &key)?, &users.stored.records);
            let had_some = factors::forget(on, &records.pool, whose.subject())?;
            let subject = whose.subject().to_owned();
            if had_some {
                users.tell(on, Kind::FactorRemoved, &subject, now)?;
            }
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
