//! A browser in which a user has typed the right password before. Its attempts are counted by themselves, so that nobody who
//! guesses elsewhere keeps the user out: not from the same network, not after a restart, not at another replica.
//!
//! It is a sealed cookie beside the session's, stays when the user signs out, and gives no right but that.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::crypto::random;
use crate::user_pool::directory::user::User;
use crate::user_pool::seal::{Purpose, Seal};

/// How long a browser is known after the last sign-in with the password.
pub(crate) const LIFETIME: Duration = Duration::from_secs(90 * 24 * 3600);

/// What the cookie says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KnownBrowser {
    /// Attempts are counted by it.
    pub(crate) id: String,
    /// `sub` of the last user who signed in: nobody else is known here.
    subject: String,
    expires_at: u64,
}

impl KnownBrowser {
    /// The browser of a user who has just typed the right password. It keeps its id where it was known before, so that signing in
    /// gives no new attempts.
    pub(crate) fn of(user: &User, before: Option<&Self>, now: Timestamp) -> Self {
        let before = before.filter(|before| before.is_of(user));
        Self {
            id: before.map_or_else(random::token, |before| before.id.clone()),
            subject: user.subject().to_owned(),
            expires_at: (now + LIFETIME).seconds(),
        }
    }

    /// Whether `user` is the one who has signed in here.
    pub(crate) fn is_of(&self, user: &User) -> bool {
        self.subject == user.subject()
    }

    /// The cookie's value.
    pub(crate) fn seal(&self, seal: &Seal) -> String {
        seal.seal(Purpose::KnownBrowser, self)
    }

    /// Reads a cookie's value, unless its time is over.
    pub(crate) fn open(seal: &Seal, cookie: &str, now: Timestamp) -> Option<Self> {
        seal.open(Purpose::KnownBrowser, cookie).filter(|browser: &Self| browser.expires_at > now.seconds())
    }
}
