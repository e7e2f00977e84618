//! A signed-in user, as long as a worker caches the cookie.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderValue;

use crate::action::authenticate::flights::{Flight, Known, Renewal};
use crate::action::authenticate::refresh::Renewer;
use crate::action::decisions::Decisions;
use crate::claims::{self, ClaimsHeaders, Prepared};
use crate::clock::Timestamp;
use crate::exchange::rejection::{Reason, Rejection};
use crate::identity::Identity;
use crate::message::own_fields::OwnFields;
use crate::session::record::Session;
use crate::session::revoked::Handle;

/// A time after every request.
const NEVER: Timestamp = Timestamp::from_millis(u64::MAX);

/// A decrypted session, with the identity headers of its user.
#[derive(Debug)]
pub(crate) struct SignedIn {
    session: Session,
    subject: Rc<str>,
    expires_at: Timestamp,
    handle: Handle,
    prepared: Prepared,
    claims: Arc<ClaimsHeaders>,
    allowed_origins: Arc<[String]>,
    /// The cookies of this session, for a browser that sent an older cookie.
    renewal: Option<Arc<Renewal>>,
    refreshing: Refreshing,
    decisions: Decisions,
}

/// What this worker knows of the refresh of a session, so that a request does not access shared state.
#[derive(Debug)]
struct Refreshing {
    renewer: Arc<Renewer>,
    host: Box<str>,
    /// When to check the shared state.
    look_at: Cell<Timestamp>,
    flight: RefCell<Option<Flight>>,
}

/// The input of a [`SignedIn`].
pub(super) struct Parts {
    pub(super) session: Session,
    pub(super) host: Box<str>,
    /// The timeout of the rule that uses the session. It may be shorter than that of the rule that created it.
    pub(super) timeout: Duration,
    pub(super) prepared: Prepared,
    pub(super) claims: Arc<ClaimsHeaders>,
    pub(super) allowed_origins: Arc<[String]>,
    pub(super) renewal: Option<Arc<Renewal>>,
    pub(super) renewer: Arc<Renewer>,
}

impl SignedIn {
    pub(super) fn new(parts: Parts) -> Self {
        let Parts { session, host, timeout, prepared, claims, allowed_origins, renewal, renewer } = parts;
        Self {
            subject: session.identity.subject().into(),
            expires_at: session.expires_at.min(session.authenticated_at + timeout),
            handle: renewer.memory.revoked.handle(&session),
            refreshing: Refreshing {
                look_at: Cell::new(session.refresh_at.unwrap_or(NEVER)),
                flight: RefCell::default(),
                renewer,
                host,
            },
            session,
            prepared,
            claims,
            allowed_origins,
            renewal,
            decisions: Decisions::default(),
        }
    }

    /// Adds the identity headers to a request for the target group `audience`.
    ///
    /// # Errors
    ///
    /// [`Reason::Internal`] if signing failed, [`Reason::AuthHeaderTooLarge`].
    pub(crate) fn apply(&self, audience: &Arc<str>, now: Timestamp, fields: &mut OwnFields) -> Result<(), Rejection> {
        self.claims.apply(&self.prepared, audience, now, fields).map_err(|error| match error {
            claims::error::Error::Signing(error) => Rejection::new(Reason::Internal, error),
            claims::error::Error::TooLarge { .. } => Rejection::new(Reason::AuthHeaderTooLarge, error),
        })
    }

    /// Whether pages of this other origin may open WebSockets as the user.
    pub(crate) fn allows_origin(&self, origin: &str) -> bool {
        self.allowed_origins.iter().any(|allowed| allowed == origin)
    }

    /// What `authorize` actions have decided about the user.
    pub(crate) fn decisions(&self) -> &Decisions {
        &self.decisions
    }

    /// What a page calls the user: the name that the user knows, as far as the provider tells one. At most 100 characters.
    pub(crate) fn display_name(&self) -> String {
        let claims = self.identity().claims();
        let name = ["preferred_username", "email", "name"].into_iter().find_map(|name| claims.get(name)?.as_str());
        name.filter(|name| !name.trim().is_empty()).unwrap_or(&self.subject).chars().take(100).collect()
    }

    /// The verified user.
    pub(crate) fn identity(&self) -> &Identity {
        &self.session.identity
    }

    /// `sub`, for the access log.
    pub(crate) fn subject(&self) -> &Rc<str> {
        &self.subject
    }

    /// The end of the session.
    pub(crate) fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    /// Whether the session has expired, was signed out, or ended because the provider refused a refresh. Long exchanges check this
    /// repeatedly (attacks W-03).
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        now >= self.expires_at || self.refreshing.renewer.memory.revoked.contains(&self.handle)
    }

    /// Checks at intervals whether the session is over, for a long exchange. Such an exchange may be the only one of the browser, so
    /// this also starts a refresh that is due. Otherwise a refusal would not be noticed.
    pub(crate) fn watch(self: Rc<Self>) -> impl Fn(Timestamp) -> bool {
        let look_at = Cell::new(self.refreshing.look_at.get());
        move |now| {
            if now >= look_at.get() && !self.is_over(now) {
                look_at.set(match self.look(now) {
                    // The new tokens are refreshed when they are due. The browser gets the new cookies with its next request.
                    Known::Renewed(renewal) => renewal.session.refresh_at.unwrap_or(NEVER),
                    Known::UnderWay(..) => now,
                    Known::NotBefore(at, _) => at,
                    // The browser has newer cookies. Its requests refresh them.
                    Known::Superseded => NEVER,
                });
            }
            self.is_over(now)
        }
    }

    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    /// The new cookies for a browser with an older cookie.
    pub(super) fn new_cookies(&self) -> &[HeaderValue] {
        self.renewal.as_ref().map_or(&[], |renewal| &renewal.cookies)
    }

    /// Whether a refresh is due, or its result must be checked.
    pub(super) fn is_refresh_due(&self, now: Timestamp) -> bool {
        now >= self.refreshing.look_at.get()
    }

    pub(super) fn is_access_token_over(&self, now: Timestamp) -> bool {
        self.session.access_token_expires_at.is_some_and(|expires_at| now >= expires_at)
    }

    /// The state of the refresh. Starts a refresh if there is none.
    pub(super) fn look(&self, now: Timestamp) -> Known {
        let Refreshing { renewer, host, look_at, flight } = &self.refreshing;
        if let Some(flight) = flight.borrow().as_ref().filter(|flight| flight.is_under_way()) {
            return Known::UnderWay(flight.clone(), None);
        }
        let start = |session, landing| renewer.start(session, host, landing);
        let known = renewer.memory.flights.look(&self.session, self.handle.user(), now, start);
        flight.replace(match &known {
            Known::UnderWay(flight, _) => Some(flight.clone()),
            Known::Renewed(_) | Known::NotBefore(..) | Known::Superseded => None,
        });
        if let Known::NotBefore(at, None) = &known {
            look_at.set(*at);
        }
        known
    }

    /// Approximate size in memory, in bytes.
    pub(super) fn weight(&self) -> usize {
        self.session.weight() + self.prepared.weight()
    }
}
