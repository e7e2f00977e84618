//! `session-or-bearer`: browsers come with a session, programs with a bearer token, to the same rule.
//!
//! A request with a token is judged by the token alone: a token that is not valid is refused, whatever session comes with it, and nobody
//! is sent to sign in because of it (attacks B-13). A request with a token and a session of another user is refused (attacks B-08).

use std::rc::Rc;
use std::sync::Arc;

use http::{HeaderMap, StatusCode};

use crate::action::authenticate::Authenticate;
use crate::action::bearer::Bearer;
use crate::action::visitor::Visitor;
use crate::action::worker::Worker;
use crate::exchange::Exchange;
use crate::exchange::rejection::{Reason, Rejection};
use crate::message::uri::CanonicalRequest;

/// Both ways to come in.
#[derive(Debug)]
pub struct SessionOrBearer {
    pub session: Arc<Authenticate>,
    pub bearer: Arc<Bearer>,
}

impl SessionOrBearer {
    /// Identifies the user of the token that the request carries. `None` if it carries none: then the session decides.
    ///
    /// # Errors
    ///
    /// Those of [`Bearer::carried`], and [`Reason::BearerOtherUser`].
    pub(super) async fn by_token(
        &self,
        worker: &Worker,
        exchange: &mut Exchange,
        canonical: &CanonicalRequest,
        headers: &HeaderMap,
    ) -> Result<Option<Rc<Visitor>>, Rejection> {
        let Some(visitor) = self.bearer.carried(&worker.bearer, exchange, (canonical, headers)).await? else {
            return Ok(None);
        };
        // A session that is over or cannot be read identifies nobody.
        let session = self.session.user_of(&worker.authenticate, canonical.host(), headers, exchange.started_at).await;
        match session {
            Some(session) if !session.identity().is_same_user(visitor.identity()) => {
                exchange.subject = None;
                Err(Reason::BearerOtherUser.into())
            }
            // The token is what the client chose to send. It may allow less than the session.
            _ => Ok(Some(visitor)),
        }
    }

    /// Says in a 401 that a token would do.
    pub(super) fn without_either(&self, canonical: &CanonicalRequest, rejection: Rejection) -> Rejection {
        if rejection.reason.status() == StatusCode::UNAUTHORIZED {
            self.bearer.missing(canonical, rejection)
        } else {
            rejection
        }
    }
}
