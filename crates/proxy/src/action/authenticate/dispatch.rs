//! Answers requests to the reserved paths ([`paths`](crate::action::authenticate::paths)).

use http::Method;

use crate::action::authenticate::endpoints::Endpoints;
use crate::action::authenticate::paths::Endpoint;
use crate::action::authenticate::worker_state::WorkerState;
use crate::action::authenticate::{callback, sign_in, sign_out, userinfo};
use crate::exchange::Exchange;
use crate::exchange::rejection::{Reason, Rejection};
use crate::message::uri::CanonicalRequest;
use crate::message::{Request, Response, streamed};

impl Endpoints {
    /// Answers a request to a reserved path. Bodies are not read, because no endpoint needs one (attacks D-13).
    ///
    /// # Errors
    ///
    /// Refusals, and errors of a sign-in.
    pub(crate) async fn answer(
        &self,
        endpoint: Endpoint,
        worker: &WorkerState,
        exchange: &mut Exchange,
        canonical: &CanonicalRequest,
        request: Request,
    ) -> Result<Response, Rejection> {
        let (parts, _) = request.into_parts();
        let is_reading = matches!(parts.method, Method::GET | Method::HEAD);
        match endpoint {
            Endpoint::Callback => callback::answer(self, worker, exchange, canonical, &parts).await,
            Endpoint::SignIn => sign_in::answer(self, worker, exchange, canonical, &parts).await,
            Endpoint::SignOut => sign_out::answer(self, worker, exchange, canonical, &parts).await,
            _ if !is_reading => Err(Reason::RequestMethod.into()),
            Endpoint::Userinfo => userinfo::answer(self, worker, exchange, canonical, &parts.headers).await,
            Endpoint::PublicKeys(asked) => {
                self.claims.public_keys().answer(&asked).map(streamed).ok_or(Reason::NotFound.into())
            }
        }
    }
}
