//! The single-sign-on session of the pool. With it, a browser needs no password for the second relying party.
//!
//! A pool with a database has its sessions there ([`stored`]). Without one, a session is an encrypted cookie ([`sealed`]).

pub(crate) mod session;

mod rows;
mod sealed;
mod stored;

use std::sync::Arc;
use std::time::Duration;

use crate::clock::Timestamp;
use crate::crypto::octets;
use crate::database::Error;
use crate::directory::StoredUsers;
use crate::directory::user::User;
use crate::endings::rows::KEPT;
use crate::identity::endings::{Ended, Ending, Endings};
use crate::seal::Seal;
use crate::secret::Secret;
use crate::seen::Seen;
use crate::signin::proof::Proofs;

use rows::Former;
pub(crate) use rows::Rows;
pub use rows::{StoredSession, Which};
pub(crate) use sealed::EndedSessions;
use sealed::SealedSessions;
pub(crate) use session::{Begun, Key, Session};
use stored::StoredSessions;

/// Begins, finds and ends sessions.
#[derive(Debug)]
pub(crate) struct Sessions {
    lifetime: Duration,
    kind: Kind,
    /// What the sessions of rules are held against.
    endings: Arc<Endings>,
}

#[derive(Debug)]
enum Kind {
    Sealed(SealedSessions),
    Stored(StoredSessions),
}

impl Sessions {
    /// Creates sessions with this lifetime. Their tokens live for at most `token_lifetime`. `ended` is used only without a database.
    pub(crate) fn new(
        seal: Seal,
        (lifetime, token_lifetime): (Duration, Duration),
        (ended, endings): (Arc<EndedSessions>, Arc<Endings>),
        stored: Option<&StoredUsers>,
    ) -> Self {
        let kind = match stored {
            Some(stored) => Kind::Stored(StoredSessions::new(stored)),
            None => Kind::Sealed(SealedSessions::new(seal, lifetime, token_lifetime, ended)),
        };
        Self { lifetime, kind, endings }
    }

    /// The lifetime of a session.
    pub(crate) fn lifetime(&self) -> Duration {
        self.lifetime
    }

    /// The first second of a sign-in of this user that counts. Those before have ended.
    pub(crate) fn first_auth_time(&self, subject: &str) -> u64 {
        self.endings.first_auth_time(subject)
    }

    /// Starts a session for a user who has just signed in. A former session of the same user continues with the same id, so
    /// that a sign-out also ends the tokens that were issued in it. A former session of another user is ended.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn begin(
        &self,
        user: &User,
        proofs: Proofs,
        former: Option<&Session>,
        seen: Seen,
        now: Timestamp,
    ) -> Result<Begun, Error> {
        // One that has ended meanwhile is not continued: its ID stands for an end, at the rules as well.
        let has_ended =
            |former: &Session| matches!(&self.kind, Kind::Sealed(sealed) if sealed.has_ended(former.key(), now));
        let former = former.filter(|former| !has_ended(former));
        let continued = former.filter(|former| former.subject == user.subject());
        let session = Session {
            id: continued.map_or_else(octets::token, |former| former.id.clone()),
            subject: user.subject().to_owned(),
            fingerprint: user.fingerprint().to_owned(),
            // Never a second that counts as ended, also if the user was signed out in this very second (docs/decisions/0097).
            auth_time: now.seconds().max(user.first_auth_time()).max(self.endings.first_auth_time(user.subject())),
            proofs,
            expires_at: (now + self.lifetime).seconds(),
        };
        let ended = former.filter(|_| continued.is_none());
        match &self.kind {
            Kind::Sealed(sealed) => {
                if let Some(ended) = ended {
                    self.end_sealed(sealed, ended, now);
                }
                let cookie = Secret::new(sealed.seal(&session));
                Ok(Begun { session, cookie })
            }
            Kind::Stored(stored) => {
                let former = match continued {
                    Some(_) => Former::Same,
                    None => ended.map_or(Former::None, |ended| Former::OfAnother(ended.id.clone())),
                };
                stored.begin(session, former, seen, now).await
            }
        }
    }

    /// The session of a cookie. `None` if it has expired or ended.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn open(&self, cookie: &str, now: Timestamp) -> Result<Option<Session>, Error> {
        let session = match &self.kind {
            Kind::Sealed(sealed) => sealed.open(cookie, now),
            Kind::Stored(stored) => stored.open(cookie, now).await?,
        };
        // As at the rules: otherwise a rule would send the browser here again and again.
        let has_ended = |session: &Session| session.auth_time < self.first_auth_time(&session.subject);
        Ok(session.filter(|session| !session.is_over(self.lifetime, now) && !has_ended(session)))
    }

    /// Ends a session, including all copies of its cookie, and what was issued in it without `offline_access`.
    ///
    /// # Errors
    ///
    /// If the database fails.
    pub(crate) async fn end(&self, session: &Session, now: Timestamp) -> Result<(), Error> {
        match &self.kind {
            Kind::Sealed(sealed) => {
                self.end_sealed(sealed, session, now);
                Ok(())
            }
            Kind::Stored(stored) => stored.end(&session.id, now).await,
        }
    }

    /// Those of a database end in it, and are published from there.
    fn end_sealed(&self, sealed: &SealedSessions, session: &Session, now: Timestamp) {
        sealed.end(session, now);
        self.endings.publish([Ending { ended: Ended::Session(&session.id), before: 0, until: now + KEPT }], now);
    }

    /// Whether the user signed out of this session, as far as codes and tokens do not know it by themselves: those of a database end in the
    /// same transaction as their session.
    pub(crate) fn has_ended(&self, session: Key<'_>, now: Timestamp) -> bool {
        match &self.kind {
            Kind::Sealed(sealed) => sealed.has_ended(session, now),
            Kind::Stored(_) => false,
        }
    }
}
