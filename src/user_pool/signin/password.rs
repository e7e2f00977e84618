//! Verifies passwords.

use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use crate::clock::Clock;
use crate::database;
use crate::secret::Secret;
use crate::user_pool::credential::password::{self, Hasher, Hashing};
use crate::user_pool::directory::Directory;
use crate::user_pool::directory::name::UserName;
use crate::user_pool::directory::user::User;
use crate::user_pool::risk::{Guess, Origin, Refused, Risk};
use crate::user_pool::signin::known::KnownBrowser;
use crate::user_pool::signin::second::Second;

/// Verifies passwords, and limits guessing.
#[derive(Debug)]
pub(crate) struct SignIn {
    pub(super) directory: Arc<Directory>,
    pub(super) hasher: Hasher,
    pub(super) risk: Arc<Risk>,
    /// `None` without a database.
    pub(super) second: Option<Second>,
    pub(super) clock: Clock,
}

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
    /// Verifies the passwords of the users in `directory`, at most `hashing_max` at a time. `hashing` and `risk` know the attempts of
    /// the other configurations of this process, too.
    pub(crate) fn new(
        directory: Arc<Directory>,
        hashing_max: usize,
        hashing: Hashing,
        risk: Arc<Risk>,
        second: Option<Second>,
        clock: Clock,
    ) -> Self {
        let mut costs = password::costs(directory.declared_hashes());
        if directory.is_stored() {
            costs.insert(password::COST);
        }
        let hasher = Hasher::new(hashing_max, costs, hashing);
        Self { directory, hasher, risk, second, clock }
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
        client: IpAddr,
        known: Option<&KnownBrowser>,
    ) -> Result<Outcome, database::Error> {
        // All invalid names share one bucket, and take the same time as others.
        let name = UserName::parse(typed).unwrap_or_else(UserName::nobody);
        let user = self.directory.user_named(&name).await?;
        let known = known.filter(|known| user.as_ref().is_some_and(|user| known.is_of(user)));
        let from = Origin { address: client, browser: known.map(|known| &*known.id) };
        let attempt = match self.risk.begin(&name, from, Guess::Password, &self.clock).await {
            Ok(attempt) => attempt,
            Err(Refused::TooMany(wait)) => return Ok(Outcome::TooMany(wait)),
            Err(Refused::Busy) => return Ok(Outcome::Busy),
        };
        let hash = user.as_ref().and_then(|user| user.password_hash()).cloned();
        Ok(match (self.hasher.verify(hash, password).await, user) {
            // Only who knows the password learns more.
            (Ok(true), Some(user)) if !user.is_enabled() => Outcome::Disabled,
            (Ok(true), Some(user)) => {
                attempt.succeeded();
                Outcome::User(user)
            }
            (Ok(_), _) => Outcome::Wrong,
            (Err(_), _) => {
                attempt.not_made();
                Outcome::Busy
            }
        })
    }

    /// The user has signed in from this address, to the end.
    pub(crate) fn remember_address(&self, user: &User, address: IpAddr) {
        self.risk.remember(user.name(), address, self.clock.now());
    }

    /// Occupies every hasher until the permit is dropped.
    #[cfg(test)]
    pub(crate) async fn block_hashing(&self) -> tokio::sync::OwnedSemaphorePermit {
        self.hasher.block().await
    }
}
