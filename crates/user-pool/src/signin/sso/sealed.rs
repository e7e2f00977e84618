//! Sessions of pools without a database.
//!
//! A session is stored in an encrypted cookie, so it survives a restart, and replicas share it. This process remembers the
//! sessions that ended by a sign-out. It then refuses copies of the cookie and the codes and tokens of such a session. This
//! knowledge is kept when the configuration changes, and lost at a restart.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use crate::clock::Timestamp;
use crate::retention::Retention;
use crate::seal::{Purpose, Seal};
use crate::shares::{Bounds, Found, Shares};
use crate::signin::sso::session::{Key, Session};

/// Maximum number of remembered ended sessions, per user and in total. If an entry of a user is evicted, every session of this
/// user that began before it counts as ended.
const ENDED: Bounds = Bounds { per_owner: 256, total: 100_000 };

/// Encrypts, decrypts and ends sessions.
#[derive(Debug)]
pub(super) struct SealedSessions {
    seal: Seal,
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

impl SealedSessions {
    /// Sessions live for at most `lifetime`. Their tokens live for at most `token_lifetime`.
    pub(crate) fn new(seal: Seal, lifetime: Duration, token_lifetime: Duration, ended: Arc<EndedSessions>) -> Self {
        ended.retention.cover(lifetime.max(token_lifetime));
        Self { seal, ended }
    }

    /// The cookie's value.
    pub(crate) fn seal(&self, session: &Session) -> String {
        self.seal.seal(Purpose::SingleSignOn, session)
    }

    /// The session in the value of a cookie. `None` if it has ended. It may have expired.
    pub(crate) fn open(&self, cookie: &str, now: Timestamp) -> Option<Session> {
        let session: Session = self.seal.open(Purpose::SingleSignOn, cookie)?;
        (!self.has_ended(session.key(), now)).then_some(session)
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
