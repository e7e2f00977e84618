//! A user who is signed in, for as long as a worker remembers the cookie.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::{HeaderMap, HeaderValue};

use crate::action::authenticate::flights::{Flight, Known, Renewal};
use crate::action::authenticate::refresh::Renewer;
use crate::claims::{self, ClaimsHeaders, Prepared};
use crate::clock::Timestamp;
use crate::exchange::rejection::{Reason, Rejection};
use crate::identity::Identity;
use crate::session::record::Session;
use crate::session::revoked::Handle;

/// Later than any request.
const NEVER: Timestamp = Timestamp::from_millis(u64::MAX);

/// A session that has been opened, and the headers that tell of its user.
#[derive(Debug)]
pub(crate) struct SignedIn {
    session: Session,
    subject: Rc<str>,
    expires_at: Timestamp,
    handle: Handle,
    prepared: Prepared,
    claims: Arc<ClaimsHeaders>,
    allowed_origins: Arc<[String]>,
    /// Where the browser came with an older cookie than this session's: the cookies that it is given.
    renewal: Option<Arc<Renewal>>,
    refreshing: Refreshing,
}

/// What this worker knows of a session's refresh, so that it does not ask for each request what all workers share.
#[derive(Debug)]
struct Refreshing {
    renewer: Arc<Renewer>,
    host: Box<str>,
    /// When to ask.
    look_at: Cell<Timestamp>,
    flight: RefCell<Option<Flight>>,
}

/// What a [`SignedIn`] is made from.
pub(super) struct Parts {
    pub(super) session: Session,
    pub(super) host: Box<str>,
    /// That of the rule which uses the session: it may be shorter than that of the rule which made it.
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
        }
    }

    /// Puts the identity headers into a request for `audience`, the target group.
    ///
    /// # Errors
    ///
    /// [`Reason::Internal`] where nothing could be signed, [`Reason::AuthHeaderTooLarge`].
    pub(crate) fn apply(&self, audience: &Arc<str>, now: Timestamp, headers: &mut HeaderMap) -> Result<(), Rejection> {
        self.claims.apply(&self.prepared, audience, now, headers).map_err(|error| match error {
            claims::error::Error::Signing(error) => Rejection::new(Reason::Internal, error),
            claims::error::Error::TooLarge { .. } => Rejection::new(Reason::AuthHeaderTooLarge, error),
        })
    }

    /// Whether pages of this origin may open WebSockets as the user, although they are not of this host.
    pub(crate) fn allows_origin(&self, origin: &str) -> bool {
        self.allowed_origins.iter().any(|allowed| allowed == origin)
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

    /// Whether the session has ended: by time, by signing out, or because the provider refused to refresh it. Long exchanges
    /// ask again (attacks W-03).
    pub(crate) fn is_over(&self, now: Timestamp) -> bool {
        now >= self.expires_at || self.refreshing.renewer.memory.revoked.contains(&self.handle)
    }

    /// Asks now and then whether the session is over, for an exchange that is long. Such an exchange may be the only one that
    /// the browser has: it also has the tokens refreshed when that is due, so that a refusal is heard of.
    pub(crate) fn watch(self: Rc<Self>) -> impl Fn(Timestamp) -> bool {
        let look_at = Cell::new(self.refreshing.look_at.get());
        move |now| {
            if now >= look_at.get() && !self.is_over(now) {
                look_at.set(match self.look(now) {
                    // The new tokens are refreshed in their turn. The new cookies wait for the browser's next request.
                    Known::Renewed(renewal) => renewal.session.refresh_at.unwrap_or(NEVER),
                    Known::UnderWay(..) => now,
                    Known::NotBefore(at, _) => at,
                    // The browser has newer cookies and refreshes them itself.
                    Known::Superseded => NEVER,
                });
            }
            self.is_over(now)
        }
    }

    pub(super) fn session(&self) -> &Session {
        &self.session
    }

    /// The cookies that a browser with an older one is given.
    pub(super) fn new_cookies(&self) -> &[HeaderValue] {
        self.renewal.as_ref().map_or(&[], |renewal| &renewal.cookies)
    }

    /// Whether new tokens have to be asked for, or asked after.
    pub(super) fn is_refresh_due(&self, now: Timestamp) -> bool {
        now >= self.refreshing.look_at.get()
    }

    pub(super) fn is_access_token_over(&self, now: Timestamp) -> bool {
        self.session.access_token_expires_at.is_some_and(|expires_at| now >= expires_at)
    }

    /// What is known of the session's new tokens. Begins to ask for them where nobody has.
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

    /// About how many bytes of memory it takes.
    pub(super) fn weight(&self) -> usize {
        self.session.weight() + self.prepared.weight()
    }
}
