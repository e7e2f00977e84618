//! The pool's own session with a browser, by which the second relying party asks for no password.
//!
//! It lives in a sealed cookie, so that it survives a restart and replicas share it. This process remembers which sessions the
//! user signed out of, so that a copy of the cookie, a code, an access token or a refresh token of the session is of no use; a
//! restart forgets that.

use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::crypto::random;
use crate::user_pool::directory::user::User;
use crate::user_pool::seal::{Purpose, Seal};
use crate::user_pool::shares::{Bounds, Found, Shares};

/// Ended sessions that are remembered, for each user and in all. Of a user who ends more, every session is over that began
/// before the newest one that is no longer remembered.
const ENDED: Bounds = Bounds { per_owner: 256, total: 100_000 };

/// A browser in which a user has signed in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Session {
    /// `sid` (OpenID Connect Front-Channel Logout §3).
    pub(crate) id: String,
    /// `sub`.
    pub(crate) subject: String,
    /// [`User::fingerprint`]: the session ends with the password.
    pub(crate) fingerprint: String,
    /// When the password was typed, in seconds.
    pub(crate) auth_time: u64,
    expires_at: u64,
}

/// By what the end of a session is remembered.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Key<'a> {
    pub(crate) subject: &'a str,
    pub(crate) id: &'a str,
    pub(crate) auth_time: u64,
}

impl Session {
    fn key(&self) -> Key<'_> {
        Key { subject: &self.subject, id: &self.id, auth_time: self.auth_time }
    }
}

/// Opens, seals and ends sessions.
#[derive(Debug)]
pub(crate) struct Sessions {
    seal: Seal,
    lifetime: Duration,
    /// Refresh tokens of a session may outlive its cookie: the end of a session is remembered as long as they live.
    remembered_for: Duration,
    ended: Mutex<Shares<()>>,
}

impl Sessions {
    /// Sessions that live so long, and whose tokens live for `token_lifetime`.
    pub(crate) fn new(seal: Seal, lifetime: Duration, token_lifetime: Duration) -> Self {
        let remembered_for = lifetime.max(token_lifetime);
        Self { seal, lifetime, remembered_for, ended: Mutex::new(Shares::new(ENDED)) }
    }

    /// How long a session lives.
    pub(crate) fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// A session of a user who has proved who they are just now. Where the browser's former session is the same user's it
    /// goes on, so that signing out ends what was issued in it; another user's is ended.
    pub(crate) fn begin(&self, user: &User, former: Option<&Session>, now: Timestamp) -> Session {
        let id = match former {
            Some(former) if former.subject == user.subject() => former.id.clone(),
            Some(former) => {
                self.end(former, now);
                random::token()
            }
            None => random::token(),
        };
        Session {
            id,
            subject: user.subject().to_owned(),
            fingerprint: user.fingerprint().to_owned(),
            auth_time: now.seconds(),
            expires_at: (now + self.lifetime).seconds(),
        }
    }

    /// The cookie's value.
    pub(crate) fn seal(&self, session: &Session) -> String {
        self.seal.seal(Purpose::SingleSignOn, session)
    }

    /// The session in a cookie's value, unless it is over.
    pub(crate) fn open(&self, cookie: &str, now: Timestamp) -> Option<Session> {
        let session: Session = self.seal.open(Purpose::SingleSignOn, cookie)?;
        let is_over = session.expires_at <= now.seconds() || self.has_ended(session.key(), now);
        (!is_over).then_some(session)
    }

    /// Ends a session in every copy of its cookie.
    pub(crate) fn end(&self, session: &Session, now: Timestamp) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let born = Timestamp::from_seconds(session.auth_time);
        ended.put(&session.subject, &session.id, (born, now + self.remembered_for), (), now);
    }

    /// Whether the user signed out of this session.
    pub(crate) fn has_ended(&self, session: Key<'_>, now: Timestamp) -> bool {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        let born = Timestamp::from_seconds(session.auth_time);
        !matches!(ended.find(&session.subject, &session.id, born, now), Found::Never)
    }
}
