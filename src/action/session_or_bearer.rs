//! `session-or-bearer`: browsers come with a session, programs with a bearer token, to the same rule.
//!
//! A request with a token is judged by the token alone: a token that is not valid is refused, whatever session comes with it, and nobody
//! is sent to sign in because of it (attacks B-13). A request with a token and a session of another user is refused (attacks B-08).

use std::sync::Arc;

use http::{HeaderMap, StatusCode};

use crate::action::authenticate::{Authenticate, Outcome};
use crate::action::bearer::Bearer;
use crate::action::demand::Demand;
use crate::action::worker::Worker;
use crate::exchange::Exchange;
use crate::exchange::rejection::{Reason, Rejection};
use crate::message::uri::CanonicalRequest;

/// Both ways to come in.
#[derive(Debug)]
pub(crate) struct SessionOrBearer {
    pub(crate) session: Arc<Authenticate>,
    pub(crate) bearer: Arc<Bearer>,
}

impl SessionOrBearer {
    /// Identifies the user by the token if there is one, otherwise by the session.
    ///
    /// # Errors
    ///
    /// Those of both, and [`Reason::BearerOtherUser`].
    pub(super) async fn run(
        &self,
        worker: &Worker,
        exchange: &mut Exchange,
        canonical: &CanonicalRequest,
        headers: &HeaderMap,
        demand: &Demand,
    ) -> Result<Outcome, Rejection> {
        let Some(visitor) = self.bearer.carried(&worker.bearer, exchange, (canonical, headers)).await? else {
            let outcome = self.session.run(&worker.authenticate, exchange, canonical, headers, demand).await;
            return outcome.map_err(|rejection| match rejection.reason.status() {
                StatusCode::UNAUTHORIZED => self.bearer.missing(canonical, rejection),
                _ => rejection,
            });
        };
        // A session that is over or cannot be read identifies nobody.
        let session = self.session.user_of(&worker.authenticate, canonical.host(), headers, exchange.started_at).await;
        match session {
            Some(session) if !session.identity().is_same_user(visitor.identity()) => {
                exchange.subject = None;
                Err(Reason::BearerOtherUser.into())
            }
            // The token is what the client chose to send. It may allow less than the session.
            _ => Ok(Outcome::Identified(visitor)),
        }
    }
}
