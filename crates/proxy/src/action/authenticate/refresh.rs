//! Refreshes the tokens before the access token expires, and gives the new tokens to waiting requests.
//!
//! [`flights`](super::flights) ensures that there is one refresh per session. A flight is never cancelled when a browser disconnects,
//! because the new token would be lost.
//!
//! A refusal revokes the refused tokens and ends open connections that use them (`session::revoked`). It does not revoke the session
//! ID: if another replica has refreshed the session before, the newer cookie of the same session stays valid.
//!
//! Limitation: two replicas that refresh the same session at the same moment make two calls.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use http::HeaderMap;

use crate::action::authenticate::decision::Absence;
use crate::action::authenticate::flights::{Flight, Known, Outcome, Renewal};
use crate::action::authenticate::gate::Authenticate;
use crate::action::authenticate::session_lease::SessionLease;
use crate::action::authenticate::signed_in::SignedIn;
use crate::action::authenticate::worker_state::WorkerState;
use crate::clock::Timestamp;

/// How long requests wait for new tokens while the old access token is still valid, counted from the start of the refresh. After
/// that they continue with the old one.
const WAIT_BEFORE_EXPIRY: Duration = Duration::from_secs(2);

/// How long requests wait if the old access token has expired. Longer than the timeout of the provider (10 s) for the token endpoint and
/// for userinfo.
const WAIT_AFTER_EXPIRY: Duration = Duration::from_secs(25);

impl Authenticate {
    /// Refreshes a session that is due. The worker then caches the new session under the old cookie, so that later requests with the old
    /// cookie get it at once.
    pub(super) async fn refresh(
        self: &Arc<Self>,
        worker: &WorkerState,
        (host, headers): (&str, &HeaderMap),
        signed_in: &Rc<SignedIn>,
        now: Timestamp,
    ) -> Result<Rc<SignedIn>, Absence> {
        let newest = match signed_in.lease.look(now) {
            Known::Renewed(renewal) => Some(renewal),
            Known::NotBefore(_, newest) => newest,
            Known::Superseded => return Err(worker.count(signed_in.lease.absence())),
            Known::UnderWay(flight, newest) => match flight_outcome(flight, &signed_in.lease, now).await {
                Outcome::Renewed(renewal) => Some(renewal),
                Outcome::Failed => newest,
                Outcome::Refused => return Err(worker.count(signed_in.lease.absence())),
            },
        };
        let signed_in = match newest {
            Some(renewal) => self.remember_renewed(worker, (host, headers), renewal),
            None => Rc::clone(signed_in),
        };
        // The session may have been signed out or refused since the cookie was read.
        if signed_in.lease.is_over(now) { Err(worker.count(signed_in.lease.absence())) } else { Ok(signed_in) }
    }

    fn remember_renewed(
        self: &Arc<Self>,
        worker: &WorkerState,
        (host, headers): (&str, &HeaderMap),
        renewal: Arc<Renewal>,
    ) -> Rc<SignedIn> {
        let Ok(key) = self.carried(host, headers) else {
            return Rc::new(self.signed_in(host, renewal.session.clone(), Some(renewal)));
        };
        let mut opened = worker.opened.borrow_mut();
        // Another request of this worker that waited for the same flight may have been faster.
        let is_same = |known: &Rc<SignedIn>| known.lease.session().generation == renewal.session.generation;
        if let Some(known) = opened.find(&key).filter(is_same) {
            return known;
        }
        let signed_in = Rc::new(self.signed_in(host, renewal.session.clone(), Some(renewal)));
        worker.remember(&mut opened, &key, &signed_in);
        signed_in
    }
}

/// Waits for a flight. All requests wait until the same moment, so a provider that hangs delays a session only once.
async fn flight_outcome(flight: Flight, lease: &SessionLease, now: Timestamp) -> Outcome {
    let wait = if lease.is_access_token_over(now) { WAIT_AFTER_EXPIRY } else { WAIT_BEFORE_EXPIRY };
    let wait = wait.saturating_sub(now.since(flight.started_at));
    flight.outcome(wait).await
}
