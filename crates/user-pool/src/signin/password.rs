//! Verifies passwords.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::credential::hasher::{Hasher, Hashing, costs};
use crate::credential::password::COST;
use crate::database;
use crate::directory::Directory;
use crate::directory::name::UserName;
use crate::directory::user::User;
use crate::events::event::{Challenge, Kind, Reason, Response, Visit};
use crate::events::log::EventLog;
use crate::passwords::Passwords;
use crate::passwords::after::After;
use crate::risk::{Guess, Named, Origin, Refused, Risk};
use crate::secret::Secret;
use crate::signin::second::{From, Second};

/// Verifies passwords, and limits guessing.
#[derive(Debug)]
pub(crate) struct SignIn {
    pub(super) directory: Arc<Directory>,
    pub(super) hasher: Hasher,
    /// `None`: the pool has no database.
    pub(super) passwords: Option<Passwords>,
    pub(super) risk: Arc<Risk>,
    /// `None` without a database.
    pub(super) second: Option<Second>,
    pub(super) events: EventLog,
    pub(super) clock: Clock,
}

/// Verifies the passwords of the users in `directory`, `at_once` at a time, those of other configurations of this process included.
pub(crate) fn hasher(directory: &Directory, at_once: usize, hashing: Hashing) -> Hasher {
    let mut costs = costs(directory.declared_hashes());
    if directory.is_stored() {
        costs.insert(COST);
    }
    Hasher::new(at_once, costs, hashing)
}

/// A sign-in that was refused.
const FAILED: (Kind, Response) = (Kind::SignIn, Response::Fail);

/// The outcome of an attempt.
#[derive(Debug)]
pub(crate) enum Outcome {
    /// The password of this user is right. `step` says what comes next.
    User(Arc<User>),
    /// The user does not exist, or the password is wrong. The client does not learn which (attacks U-01).
    Wrong,
    /// Too many attempts. The next one is permitted after this time.
    TooMany(Duration),
    /// Too many users are signing in at the moment.
    Busy,
    /// The password is right, and the user was disabled.
    Disabled,
}

impl SignIn {
    /// Verifies the passwords of the users in `directory` with `hasher`. `passwords` are those of its database, and `risk` knows the attempts of the
    /// other configurations of this process, too.
    pub(crate) fn new(
        directory: Arc<Directory>,
        hasher: Hasher,
        passwords: Option<Passwords>,
        risk: Arc<Risk>,
        second: Option<Second>,
        (events, clock): (EventLog, Clock),
    ) -> Self {
        Self { directory, hasher, passwords, risk, second, events, clock }
    }

    /// Verifies a user name and a password, typed in a browser that may be `known`. If the future is dropped, the attempt stays
    /// counted as failed.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn password(
        &self,
        typed: &str,
        password: Secret<String>,
        (client, known): From<'_>,
        visit: &Visit,
    ) -> Result<Outcome, database::Error> {
        // All invalid names share one bucket, and take the same time as others.
        let name = UserName::parse(typed).unwrap_or_else(UserName::nobody);
        let (user, foreign_costs) = self.directory.who_signs_in(&name).await?;
        let known = known.filter(|known| user.as_ref().is_some_and(|user| known.is_of(user)));
        let from = Origin { address: client, browser: known.map(|known| &*known.id) };
        // However the name is spelled, it counts as it is looked up, whether somebody has it or not. Whichever of the names of a user it is, it counts for
        // the user, too, which is not told.
        let typed = self.directory.canonical(&name);
        let counted = user.as_ref().map_or_else(|| typed.clone(), |user| user.name().clone());
        let named = Named { typed: &typed, user: &counted };
        let attempt = match self.risk.begin(named, from, Guess::Password, &self.clock).await {
            Ok(attempt) => attempt,
            Err(Refused::TooMany(wait)) => {
                let who = user.as_ref().map(|user| user.subject());
                self.events.put(self.events.event(who, FAILED, visit).because(Reason::TooMany));
                return Ok(Outcome::TooMany(wait));
            }
            Err(Refused::Busy) => return Ok(Outcome::Busy),
        };
        let who = user.as_ref().map(|user| user.subject().to_owned());
        let hash = user.as_ref().and_then(|user| user.password_hash()).cloned();
        let others = foreign_costs.iter().filter_map(|cost| cost.parse().ok()).collect();
        let Ok(is_right) = self.hasher.verify(hash, password.clone(), others).await else {
            attempt.not_made();
            return Ok(Outcome::Busy);
        };
        let now = self.clock.now();
        let is_right = self.risk.may_be_right(&counted, from, is_right, now);
        let user = match user.filter(|user| is_right && !user.has_expired_password(now)) {
            None => {
                // Written later, so that the answer for a user takes as long as for nobody (attacks U-01).
                self.events.answered(who.as_deref(), FAILED, (Challenge::Password, false), visit);
                return Ok(Outcome::Wrong);
            }
            // Only who knows the password learns more.
            Some(user) if !user.is_enabled() => {
                let event = self.events.event(who.as_deref(), FAILED, visit).because(Reason::Disabled);
                self.events.put(event.after(vec![(Challenge::Password, true)]));
                return Ok(Outcome::Disabled);
            }
            Some(user) => user,
        };
        // Who is deleted at this moment does not sign in.
        let Some(user) = self.after(user, &name, password).await? else { return Ok(Outcome::Wrong) };
        attempt.succeeded();
        Ok(Outcome::User(user))
    }

    /// Does what a right password leads to. Returns the user as this leaves the user.
    async fn after(
        &self,
        user: Arc<User>,
        name: &UserName,
        password: Secret<String>,
    ) -> Result<Option<Arc<User>>, database::Error> {
        let Some(passwords) = self.passwords.as_ref().filter(|_| user.is_stored()) else { return Ok(Some(user)) };
        match passwords.was_right(&user, password, self.clock.now()).await? {
            After::GoOn => Ok(Some(user)),
            After::MustReset => self.directory.user_named(name).await,
        }
    }

    /// The user has signed in from this address, to the end.
    pub(crate) fn remember_address(&self, user: &User, address: IpAddr) {
        self.risk.remember(user.name(), address, self.clock.now());
    }

    /// The second factors. `None` without a database.
    pub(crate) fn second(&self) -> Option<&Second> {
        self.second.as_ref()
    }

    /// Occupies every hasher until the permit is dropped.
    #[cfg(test)]
    pub(crate) async fn block_hashing(&self) -> tokio::sync::OwnedSemaphorePermit {
        self.hasher.block().await
    }
}
