//! A session as evidence: when it expires, whether it was ended, and its refresh.

use std::cell::{Cell, RefCell};
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::watch;

use crate::action::authenticate::decision::Absence;
use crate::action::authenticate::flights::{Flight, KEEP_AFTER_SEEN, Known, Renewal};
use crate::action::authenticate::renewer::Renewer;
use crate::action::visitor::{Lease, Renewed};
use crate::clock::Timestamp;
use crate::identity::endings::Standing;
use crate::session::record::Session;
use crate::session::revoked::Handle;

/// A decrypted session, and what this worker knows of its refresh, so that a request does not access shared state.
#[derive(Debug)]
pub(super) struct SessionLease {
    session: Session,
    host: Box<str>,
    expires_at: Timestamp,
    handle: Handle,
    /// What the provider says of the sign-in, if it is in this process.
    standing: Option<Standing>,
    renewer: Arc<Renewer>,
    /// When a request must check the shared state of the refresh.
    look_at: Cell<Timestamp>,
    /// When an exchange that lasts must.
    watch_at: Cell<Timestamp>,
    flight: RefCell<Option<Flight>>,
    /// The newest tokens that this worker has heard of.
    newest: RefCell<Option<Arc<Renewal>>>,
    /// Whether there are newer ones that it can no longer hear of.
    has_missed: Cell<bool>,
}

impl SessionLease {
    /// `timeout` is that of the rule that uses the session. It may be shorter than that of the rule that created it.
    pub(super) fn new(session: Session, host: &str, timeout: Duration, renewer: Arc<Renewer>) -> Self {
        let refresh_at = session.refresh_at.unwrap_or(Timestamp::MAX);
        let standing = renewer.endings.as_ref().map(|endings| {
            let identity = &session.identity;
            Standing::new(Arc::clone(endings), identity.subject(), identity.claims(), session.authenticated_at)
        });
        Self {
            standing,
            expires_at: session.expires_at.min(session.authenticated_at + timeout),
            handle: renewer.memory.revoked.handle(&session),
            host: host.into(),
            look_at: Cell::new(refresh_at),
            watch_at: Cell::new(refresh_at),
            flight: RefCell::default(),
            newest: RefCell::default(),
            has_missed: Cell::new(false),
            session,
            renewer,
        }
    }

    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    /// Whether the session has expired, was ended by the provider, was signed out, or ended because the provider refused a refresh.
    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        now >= self.expires_at || self.is_revoked()
    }

    /// What a request with a session that [is over](Self::is_over) has in place of it.
    pub(super) fn absence(&self) -> Absence {
        if self.has_been_ended() { Absence::Ended } else { Absence::Expired }
    }

    fn is_revoked(&self) -> bool {
        self.has_been_ended() || self.renewer.memory.revoked.contains(&self.handle)
    }

    /// Whether the provider has ended the sign-in.
    fn has_been_ended(&self) -> bool {
        self.standing.as_ref().is_some_and(Standing::has_ended)
    }

    /// Whether a refresh is due, or its result must be checked.
    pub(super) fn is_refresh_due(&self, now: Timestamp) -> bool {
        now >= self.look_at.get()
    }

    pub(super) fn is_access_token_over(&self, now: Timestamp) -> bool {
        self.session.access_token_expires_at.is_some_and(|expires_at| now >= expires_at)
    }

    /// The state of the refresh. Starts a refresh if there is none.
    pub(super) fn look(&self, now: Timestamp) -> Known {
        self.look_as(&self.session, now)
    }

    /// The same for an exchange that lasts: with the newest tokens, because what replaced the older ones is not kept for as long.
    fn look_ahead(&self, now: Timestamp) -> Known {
        let newest = self.newest.borrow().clone();
        match newest {
            Some(newest) if newest.session.is_refresh_due(now) => self.look_as(&newest.session, now),
            Some(newest) => Known::Renewed(newest),
            None => self.look_as(&self.session, now),
        }
    }

    /// The same, as a request would look that has the tokens of `session`.
    fn look_as(&self, session: &Session, now: Timestamp) -> Known {
        if let Some(flight) = self.flight.borrow().as_ref().filter(|flight| flight.is_under_way()) {
            return Known::UnderWay(flight.clone(), self.newest.borrow().clone());
        }
        let start = |session, landing| self.renewer.start(session, &self.host, landing);
        let known = self.renewer.memory.flights.look(session, self.handle.user(), now, start);
        self.flight.replace(match &known {
            Known::UnderWay(flight, _) => Some(flight.clone()),
            Known::Renewed(_) | Known::NotBefore(..) | Known::Superseded => None,
        });
        match &known {
            Known::Renewed(newest) | Known::UnderWay(_, Some(newest)) | Known::NotBefore(_, Some(newest)) => {
                self.newest.replace(Some(Arc::clone(newest)));
            }
            Known::NotBefore(at, None) => self.look_at.set(*at),
            Known::UnderWay(_, None) | Known::Superseded => {}
        }
        known
    }
}

impl Lease for SessionLease {
    fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// An exchange that lasts may be the only one of the browser, so this also starts a refresh that is due. Otherwise a refusal
    /// would not be noticed.
    fn has_ended(&self, now: Timestamp) -> bool {
        if now >= self.watch_at.get() && !self.is_over(now) {
            self.watch_at.set(match self.look_ahead(now) {
                // The new tokens are refreshed when they are due. The browser gets the new cookies with its next request.
                Known::Renewed(renewal) => renewal.session.refresh_at.unwrap_or(Timestamp::MAX),
                Known::UnderWay(..) => now,
                Known::NotBefore(at, _) => at,
                // The browser has had newer cookies for so long that what they hold is not kept here any more.
                Known::Superseded => {
                    self.has_missed.set(true);
                    now + KEEP_AFTER_SEEN / 2
                }
            });
        }
        self.is_revoked()
    }

    fn renewed(&self) -> Renewed {
        if self.has_missed.get() {
            return Renewed::Missed;
        }
        self.newest.borrow().as_ref().map_or(Renewed::No, |newest| Renewed::Known(Arc::clone(&newest.session.identity)))
    }

    fn changes(&self) -> Option<watch::Receiver<()>> {
        self.standing.as_ref().map(Standing::changes)
    }

    fn is_token(&self) -> bool {
        false
    }

    fn asked_again_at(&self) -> Option<Timestamp> {
        self.session.is_asked_again.then_some(self.session.authenticated_at)
    }
}
