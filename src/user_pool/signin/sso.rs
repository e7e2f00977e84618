//! The single-sign-on session of the pool. With it, a browser needs no password for the second relying party.
//!
//! The session is stored in an encrypted cookie, so it survives a restart, and replicas share it. This process remembers the
//! sessions that ended by a sign-out. It then refuses copies of the cookie and the codes and tokens of such a session. This
//! knowledge is kept when the configuration changes, and lost at a restart.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::clock::Timestamp;
use crate::crypto::octets;
use crate::user_pool::directory::user::User;
use crate::user_pool::retention::Retention;
use crate::user_pool::seal::{Purpose, Seal};
use crate::user_pool::shares::{Bounds, Found, Shares};

/// Maximum number of remembered ended sessions, per user and in total. If an entry of a user is evicted, every session of this
/// user that began before it counts as ended.
const ENDED: Bounds = Bounds { per_owner: 256, total: 100_000 };

/// A session of a user in one browser.
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

/// The key under which an ended session is remembered.
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

/// Encrypts, decrypts and ends sessions.
#[derive(Debug)]
pub(crate) struct Sessions {
    seal: Seal,
    lifetime: Duration,
    ended: Arc<EndedSessions>,
}

/// The sessions that ended by a sign-out.
#[derive(Debug)]
pub(crate) struct EndedSessions {
    sessions: Mutex<Shares<()>>,
    /// How long an ended session is remembered: as long as its cookie or a token of it can be valid.
    retention: Retention,
}

impl Default for EndedSessions {
    fn default() -> Self {
        Self { sessions: Mutex::new(Shares::new(ENDED)), retention: Retention::default() }
    }
}

impl Sessions {
    /// Creates sessions with this lifetime. Their tokens live for at most `token_lifetime`.
    pub(crate) fn new(seal: Seal, lifetime: Duration, token_lifetime: Duration, ended: Arc<EndedSessions>) -> Self {
        ended.retention.cover(lifetime.max(token_lifetime));
        Self { seal, lifetime, ended }
    }

    /// The lifetime of a session.
    pub(crate) fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// Starts a session for a user who has just signed in. A former session of the same user continues with the same id, so
    /// that a sign-out also ends the tokens that were issued in it. A former session of another user is ended.
    pub(crate) fn begin(&self, user: &User, former: Option<&Session>, now: Timestamp) -> Session {
        let id = match former {
            Some(former) if former.subject == user.subject() => former.id.clone(),
            Some(former) => {
                self.end(former, now);
                octets::token()
            }
            None => octets::token(),
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

    /// The session in the value of a cookie. `None` if it has expired or ended. A lifetime that has become shorter applies to sessions
    /// that began before. One that has become longer does not.
    pub(crate) fn open(&self, cookie: &str, now: Timestamp) -> Option<Session> {
        let session: Session = self.seal.open(Purpose::SingleSignOn, cookie)?;
        let is_too_old = Timestamp::from_seconds(session.auth_time) + self.lifetime <= now;
        let is_over = session.expires_at <= now.seconds() || is_too_old || self.has_ended(session.key(), now);
        (!is_over).then_some(session)
    }

    /// Ends a session, including all copies of its cookie.
    pub(crate) fn end(&self, session: &Session, now: Timestamp) {
        let mut ended = self.ended.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let born = Timestamp::from_seconds(session.auth_time);
        let until = now + self.ended.retention.duration();
        ended.put(&session.subject, &session.id, (born, until), (), now);
    }

    /// Whether the user signed out of this session.
    pub(crate) fn has_ended(&self, session: Key<'_>, now: Timestamp) -> bool {
        let mut ended = self.ended.sessions.lock().unwrap_or_else(PoisonError::into_inner);
        let born = Timestamp::from_seconds(session.auth_time);
        !matches!(ended.find(&session.subject, &session.id, born, now), Found::Never)
    }
}
