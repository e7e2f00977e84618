//! Asks for new tokens when most of the access token's life is gone: once for each session, whoever asks (attacks V-01).
//!
//! Requests of one browser come in parallel, on several workers, all with the same cookie. The first starts a flight on the
//! control runtime; the others join it. Its outcome is kept for a while, because requests with the old cookie may still be
//! on their way, and a provider that rotates refresh tokens takes the old one for stolen (pitfalls 37). A flight is never
//! cut short: a token that was issued is not lost because a browser went away.
//!
//! A refusal is remembered in the same way, for the refused tokens only. The session's id is not revoked: where another replica
//! was first and has rotated the tokens, the browser comes with a newer cookie of the same session, and that is good.
//!
//! What this cannot do without a store: two replicas that refresh the same session at the same moment make two calls.

use std::collections::HashMap;
use std::rc::Rc;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use http::HeaderValue;
use tokio::sync::watch;

use crate::action::authenticate::Authenticate;
use crate::action::authenticate::decision::Absence;
use crate::action::authenticate::issuing::Issuing;
use crate::action::authenticate::signed_in::SignedIn;
use crate::clock::Timestamp;
use crate::exchange::Exchange;
use crate::oidc;
use crate::session::record::{Session, SessionId};

/// How long a request waits for new tokens while the old one is still good; then it goes on with that.
const WAIT_BEFORE_EXPIRY: Duration = Duration::from_secs(2);

/// How long it waits when the old one is over. Longer than a provider's own deadline of 10 s, for the token endpoint and
/// then userinfo.
const WAIT_AFTER_EXPIRY: Duration = Duration::from_secs(25);

/// How long new tokens are kept for requests with the old cookie.
const KEEP_OUTCOME: Duration = Duration::from_secs(60);

/// How long a provider that did not answer is left alone, by one session.
const BACK_OFF: Duration = Duration::from_secs(10);

/// How often outcomes that are no longer kept are looked for.
const SWEEP_EVERY: Duration = Duration::from_secs(10);

/// Most outcomes and flights that are kept. One that would be too many is not begun: its session has to sign in again, so
/// that a full memory never lets a refused session pass.
const FLIGHTS_MAX: usize = 100_000;

/// One generation of one session's tokens.
type FlightKey = (SessionId, u32);

/// What came of a refresh.
#[derive(Clone, Debug)]
pub(super) enum Outcome {
    /// New tokens, and the cookies that carry them: each request with the old cookie is given the same.
    Renewed(Arc<Renewal>),
    /// The provider has said no: for good, so it is kept until the session would have ended anyway. Else a session that was
    /// refused would come back as soon as the provider is down.
    Ended { until: Timestamp },
    /// The provider did not say; the session is kept (attacks V-03).
    Failed,
}

/// A session with new tokens.
#[derive(Debug)]
pub(super) struct Renewal {
    pub(super) session: Session,
    pub(super) cookies: Vec<HeaderValue>,
}

/// Refreshes that are under way or have just been made. Touched only when one is due; never locked across an await.
#[derive(Debug, Default)]
pub(crate) struct Refresher(Mutex<Flights>);

#[derive(Debug, Default)]
struct Flights {
    by_key: HashMap<FlightKey, Flight>,
    swept_at: Option<Timestamp>,
}

#[derive(Debug)]
struct Flight(watch::Receiver<Option<Landed>>);

#[derive(Clone, Debug)]
struct Landed {
    outcome: Outcome,
    keep_until: Timestamp,
}

impl Refresher {
    /// Whether the provider has refused these tokens.
    pub(super) fn has_refused(&self, session: &Session, now: Timestamp) -> bool {
        let flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let landed = flights.by_key.get(&(session.id, session.generation)).map(|flight| flight.0.borrow());
        landed.is_some_and(|landed| {
            landed.as_ref().is_some_and(|landed| matches!(landed.outcome, Outcome::Ended { until } if now < until))
        })
    }

    /// Joins the flight of `key`, or starts one: then `start` is given what to tell the outcome to.
    fn join(&self, key: FlightKey, now: Timestamp, start: impl FnOnce(Landing)) -> watch::Receiver<Option<Landed>> {
        let mut flights = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        flights.sweep(now);
        if let Some(flight) = flights.by_key.get(&key).filter(|flight| flight.is_of_use(now)) {
            return flight.0.clone();
        }
        if flights.by_key.len() >= FLIGHTS_MAX {
            tracing::warn!("too many refreshes are remembered; a session has to sign in again");
            return watch::channel(Some(Landed { outcome: Outcome::Ended { until: now }, keep_until: now })).1;
        }
        let (told, hears) = watch::channel(None);
        flights.by_key.insert(key, Flight(hears.clone()));
        start(Landing(told));
        hears
    }
}

/// Tells everyone who waits what came of a flight. Dropped untold, they see that it was lost.
struct Landing(watch::Sender<Option<Landed>>);

impl Landing {
    fn tell(self, outcome: Outcome, now: Timestamp) {
        let keep_until = match outcome {
            Outcome::Renewed(_) => now + KEEP_OUTCOME,
            Outcome::Ended { until } => until,
            Outcome::Failed => now + BACK_OFF,
        };
        self.0.send_replace(Some(Landed { outcome, keep_until }));
    }
}

impl Flights {
    fn sweep(&mut self, now: Timestamp) {
        if self.swept_at.is_none_or(|swept_at| now.since(swept_at) >= SWEEP_EVERY || now < swept_at) {
            self.by_key.retain(|_, flight| flight.is_of_use(now));
            self.swept_at = Some(now);
        }
    }
}

impl Flight {
    /// Whether it is under way, or its outcome is still kept.
    fn is_of_use(&self, now: Timestamp) -> bool {
        match &*self.0.borrow() {
            Some(landed) => now < landed.keep_until,
            // A sender that is gone without a word was a task that panicked or was cut off by a shutdown.
            None => self.0.has_changed().is_ok(),
        }
    }
}

/// Waits for a flight, at most for `wait`. One that is lost or late has failed, for this request.
async fn landed(mut flight: watch::Receiver<Option<Landed>>, wait: Duration) -> Outcome {
    // Dropping this future is safe: the flight goes on without us.
    match tokio::time::timeout(wait, flight.wait_for(Option::is_some)).await {
        Ok(Ok(landed)) => landed.as_ref().map_or(Outcome::Failed, |landed| landed.outcome.clone()),
        Ok(Err(_)) | Err(_) => Outcome::Failed,
    }
}

impl Authenticate {
    /// Renews a session whose refresh is due; the new cookies go out with the answer, whatever it is.
    pub(super) async fn refresh(
        &self,
        exchange: &mut Exchange,
        host: &str,
        signed_in: &Rc<SignedIn>,
    ) -> Result<Rc<SignedIn>, Absence> {
        let session = signed_in.session();
        let now = exchange.started_at;
        let flight = self.memory.refresher.join((session.id, session.generation), now, |landing| {
            self.start_refresh(landing, session.clone(), host.to_owned());
        });
        let wait = if signed_in.is_access_token_over(now) { WAIT_AFTER_EXPIRY } else { WAIT_BEFORE_EXPIRY };
        match landed(flight, wait).await {
            Outcome::Renewed(renewal) => {
                exchange.cookies.extend(renewal.cookies.iter().cloned());
                Ok(Rc::new(self.signed_in(renewal.session.clone())))
            }
            Outcome::Ended { .. } => Err(Absence::Expired),
            Outcome::Failed => Ok(Rc::clone(signed_in)),
        }
    }

    fn start_refresh(&self, landing: Landing, session: Session, host: String) {
        let issuing = Arc::clone(&self.issuing);
        let refreshes = self.metrics.refreshes.clone();
        self.control.start(async move {
            let outcome = renew(&issuing, &session, &host).await;
            match &outcome {
                Outcome::Renewed(_) => refreshes.renewed.increment(),
                Outcome::Ended { .. } => refreshes.ended.increment(),
                Outcome::Failed => refreshes.failed.increment(),
            }
            landing.tell(outcome, issuing.clock.now());
        });
    }
}

/// One call to the provider. Never repeated: a refresh token that has arrived must not arrive again (pitfalls 38).
async fn renew(issuing: &Issuing, session: &Session, host: &str) -> Outcome {
    let Some(refresh_token) = session.refresh_token.clone() else { return Outcome::Failed };
    let ended = Outcome::Ended { until: session.expires_at };
    let asked = oidc::RefreshRequest {
        refresh_token,
        subject: session.identity.subject().to_owned(),
        claims: session.identity.claims().clone(),
    };
    let login = match issuing.client.refresh(asked).await {
        Ok(login) => login,
        Err(error) => {
            let is_fatal = error.is_fatal_for_session();
            let error: &dyn std::error::Error = &error;
            tracing::warn!(error, ended = is_fatal, "a session's tokens were not refreshed");
            return if is_fatal { ended } else { Outcome::Failed };
        }
    };
    let now = issuing.clock.now();
    let renewed = issuing.renew(session, login, now);
    let saved = renewed.and_then(|session| {
        let cookies = issuing.sessions.save(host, &session, now).ok()?;
        Some(Renewal { session, cookies })
    });
    // Another user, or more than fits: the old tokens may be gone, so there is nothing to go on with.
    saved.map_or(ended, |renewal| Outcome::Renewed(Arc::new(renewal)))
}

#[cfg(test)]
mod tests;
