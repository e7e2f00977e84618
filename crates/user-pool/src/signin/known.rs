//! A known browser: a user has signed in with it before. Its attempts are counted separately. So somebody who guesses elsewhere cannot
//! lock the user out, even from the same network, after a restart, or at another replica.
//!
//! The information is in an encrypted cookie next to the session cookie. The cookie stays after a sign-out, and grants nothing else. It does not
//! outlive the password: somebody who knew the old one may have collected some.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::crypto::octets;
use crate::directory::user::User;
use crate::seal::{Purpose, Seal};

/// How long a browser is known after the last sign-in with a password.
pub(crate) const LIFETIME: Duration = Duration::from_secs(90 * 24 * 3600);

/// The contents of the cookie.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct KnownBrowser {
    /// The ID by which attempts are counted.
    pub(crate) id: String,
    /// `sub` of the last user who signed in. The browser is known only for this user.
    subject: String,
    /// [`User::fingerprint`]: another password, or the end of all sessions, makes the browser unknown. Empty: a cookie of before.
    #[serde(default)]
    fingerprint: String,
    expires_at: u64,
}

impl KnownBrowser {
    /// Marks the browser as known after a sign-in. A browser that was known before keeps its ID, so that a sign-in does not grant new
    /// attempts.
    pub(crate) fn of(user: &User, before: Option<&Self>, now: Timestamp) -> Self {
        let before = before.filter(|before| before.is_of(user));
        Self {
            id: before.map_or_else(octets::token, |before| before.id.clone()),
            subject: user.subject().to_owned(),
            fingerprint: user.fingerprint().to_owned(),
            expires_at: (now + LIFETIME).seconds(),
        }
    }

    /// Whether the browser is known for `user`.
    pub(crate) fn is_of(&self, user: &User) -> bool {
        self.subject == user.subject() && self.fingerprint == user.fingerprint()
    }

    /// Whether it was known for the user with this `sub`, maybe with another password.
    pub(crate) fn is_of_subject(&self, subject: &str) -> bool {
        self.subject == subject
    }

    /// The value of the cookie.
    pub(crate) fn seal(&self, seal: &Seal) -> String {
        seal.seal(Purpose::KnownBrowser, self)
    }

    /// Decrypts the value of a cookie. `None` if it has expired.
    pub(crate) fn open(seal: &Seal, cookie: &str, now: Timestamp) -> Option<Self> {
        seal.open(Purpose::KnownBrowser, cookie).filter(|browser: &Self| browser.expires_at > now.seconds())
    }
}
