//! A user who is signed in, for as long as a worker remembers the cookie.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;

use crate::action::authenticate::memory::Memory;
use crate::claims::{ClaimsHeaders, Prepared};
use crate::clock::Timestamp;
use crate::exchange::rejection::{Reason, Rejection};
use crate::identity::Identity;
use crate::session::record::Session;

/// A session that has been opened, and the headers that tell of its user.
#[derive(Debug)]
pub(crate) struct SignedIn {
    session: Session,
    subject: Rc<str>,
    expires_at: Timestamp,
    prepared: Prepared,
    claims: Arc<ClaimsHeaders>,
    memory: Memory,
}

impl SignedIn {
    /// `timeout` is that of the rule which uses the session: it may be shorter than that of the rule which made it.
    pub(super) fn new(
        session: Session,
        timeout: Duration,
        prepared: Prepared,
        claims: &Arc<ClaimsHeaders>,
        memory: &Memory,
    ) -> Self {
        Self {
            subject: session.identity.subject().into(),
            expires_at: session.expires_at.min(session.authenticated_at + timeout),
            session,
            prepared,
            claims: Arc::clone(claims),
            memory: memory.clone(),
        }
    }

    /// Puts the identity headers into a request for `audience`, the target group.
    ///
    /// # Errors
    ///
    /// [`Reason::Internal`] where nothing could be signed.
    pub(crate) fn apply(&self, audience: &Arc<str>, now: Timestamp, headers: &mut HeaderMap) -> Result<(), Rejection> {
        self.claims
            .apply(&self.prepared, audience, now, headers)
            .map_err(|error| Rejection::new(Reason::Internal, error))
    }

    /// The verified user.
    pub(crate) fn identity(&self) -> &Identity {
        &self.session.identity
    }

    /// `sub`, for the access log.
    pub(crate) fn subject(&self) -> &Rc<str> {
        &self.subject
    }

    /// The absolute end.
    pub(crate) fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// Whether the session has ended, by time or by signing out. Long exchanges ask again (attacks W-03).
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        now >= self.expires_at || self.memory.revoked.contains(&self.session.id)
    }

    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    pub(super) fn is_refresh_due(&self, now: Timestamp) -> bool {
        self.session.refresh_at.is_some_and(|refresh_at| now >= refresh_at)
    }

    pub(super) fn is_access_token_over(&self, now: Timestamp) -> bool {
        self.session.access_token_expires_at.is_some_and(|expires_at| now >= expires_at)
    }
}
