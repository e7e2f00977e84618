//! The pool's own session with a browser, by which the second relying party asks for no password.
//!
//! It lives in a sealed cookie, so that it survives a restart and replicas share it. Signing out is remembered here until the
//! session would have ended, so that a copy of the cookie is of no use; a restart forgets that.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::crypto::random;
use crate::user_pool::directory::user::User;
use crate::user_pool::seal::{Purpose, Seal};

/// The cookie's name; `__Host-` keeps sibling hosts from setting it (RFC 6265bis §4.1.3.2).
pub(crate) const COOKIE: &str = "__Host-vestibule-pool";

/// Ended sessions that are remembered; beyond, those that would end first are forgotten.
const ENDED_MAX: usize = 100_000;

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

/// Opens, seals and ends sessions.
#[derive(Debug)]
pub(crate) struct Sessions {
    seal: Seal,
    lifetime: Duration,
    ended: Mutex<HashMap<String, u64>>,
}

impl Sessions {
    /// Sessions of so long a life.
    pub(crate) fn new(seal: Seal, lifetime: Duration) -> Self {
        Self { seal, lifetime, ended: Mutex::default() }
    }

    /// How long a session lives.
    pub(crate) fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// A session of a user who has proved who they are just now.
    pub(crate) fn begin(&self, user: &User, now: Timestamp) -> Session {
        Session {
            id: random::token(),
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
        let is_over = session.expires_at <= now.seconds() || self.has_ended(&session.id);
        (!is_over).then_some(session)
    }

    /// Ends a session in every copy of its cookie.
    pub(crate) fn end(&self, session: &Session, now: Timestamp) {
        let mut ended = self.ended.lock().unwrap_or_else(PoisonError::into_inner);
        if ended.len() >= ENDED_MAX {
            ended.retain(|_, expires_at| *expires_at > now.seconds());
        }
        if ended.len() >= ENDED_MAX
            && let Some(first) = ended.iter().min_by_key(|(_, expires_at)| **expires_at).map(|(id, _)| id.clone())
        {
            ended.remove(&first);
        }
        ended.insert(session.id.clone(), session.expires_at);
    }

    /// Whether the user signed out of this session.
    pub(crate) fn has_ended(&self, id: &str) -> bool {
        self.ended.lock().unwrap_or_else(PoisonError::into_inner).contains_key(id)
    }
}
