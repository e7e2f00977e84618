//! Until when a token holds that the issuer was asked about.

use std::cell::RefCell;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use crate::action::bearer::gate::Bearer;
use crate::action::visitor::{Lease, Renewed};
use crate::clock::Timestamp;
use crate::flight::Flight;
use crate::identity::Identity;
use crate::oidc::introspection::digest::Digest;
use crate::oidc::introspection::fairness::Asker;
use crate::oidc::introspection::outcome::{Found, Outcome};
use crate::secret::Secret;

/// How long an exchange that lasts goes on after the last answer has become too old, if the issuer does not answer.
const WITHOUT_ANSWER: Duration = Duration::from_secs(60);

/// An exchange that lasts, such as a WebSocket, asks the issuer again whenever the last answer has become too old. It ends when the token is no longer
/// active, or no longer what the action wants (attacks W-03).
pub(super) struct IntrospectedLease {
    bearer: Arc<Bearer>,
    token: Secret<String>,
    digest: Digest,
    expires_at: Timestamp,
    state: RefCell<State>,
}

#[derive(Debug)]
struct State {
    fresh_until: Timestamp,
    flight: Option<Flight<Outcome>>,
    newest: Option<Arc<Identity>>,
    has_ended: bool,
}

impl fmt::Debug for IntrospectedLease {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("IntrospectedLease").field("expires_at", &self.expires_at).finish_non_exhaustive()
    }
}

impl IntrospectedLease {
    /// `expires_at` is `exp` of the token.
    pub(super) fn new(
        bearer: Arc<Bearer>,
        (token, digest): (&str, Digest),
        expires_at: Timestamp,
        fresh_until: Timestamp,
    ) -> Self {
        let state = State { fresh_until, flight: None, newest: None, has_ended: false };
        Self { bearer, token: Secret::new(token.to_owned()), digest, expires_at, state: RefCell::new(state) }
    }

    /// The newest answer, if there is one. Asks for it where nobody else does.
    fn answer(&self, state: &mut State, now: Timestamp) -> Option<Outcome> {
        if let Some(flight) = state.flight.take_if(|flight| !flight.is_under_way()) {
            return flight.result();
        }
        if state.flight.is_some() {
            return None;
        }
        match self.bearer.look(self.token.expose(), &self.digest, (Asker::Lasting, now)) {
            Found::Known(outcome) => Some(outcome),
            Found::UnderWay(flight) => {
                state.flight = Some(flight);
                None
            }
            Found::Busy => None,
        }
    }
}

impl Lease for IntrospectedLease {
    fn expires_at(&self) -> Timestamp {
        self.expires_at
    }

    fn has_ended(&self, now: Timestamp) -> bool {
        let mut state = self.state.borrow_mut();
        if state.has_ended || now < state.fresh_until {
            return state.has_ended;
        }
        match self.answer(&mut state, now) {
            Some(Outcome::Inactive) => state.has_ended = true,
            Some(Outcome::Active(active)) => match self.bearer.still_accepts(&active) {
                Some(identity) => {
                    state.newest = Some(Arc::new(identity));
                    state.fresh_until = active.fresh_until;
                }
                None => state.has_ended = true,
            },
            Some(Outcome::Failed(_)) | None => state.has_ended = now >= state.fresh_until + WITHOUT_ANSWER,
        }
        state.has_ended
    }

    fn renewed(&self) -> Renewed {
        self.state.borrow().newest.as_ref().map_or(Renewed::No, |newest| Renewed::Known(Arc::clone(newest)))
    }

    fn is_token(&self) -> bool {
        true
    }

    fn asked_again_at(&self) -> Option<Timestamp> {
        None
    }
}
