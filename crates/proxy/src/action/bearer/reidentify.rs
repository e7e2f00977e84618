//! What a user with a bearer token can do who is refused.

use std::pin::Pin;

use http::HeaderMap;

use crate::action::bearer::challenge::Problem;
use crate::action::bearer::gate::Bearer;
use crate::action::demand::Demand;
use crate::action::visitor::Reidentify;
use crate::exchange::Exchange;
use crate::exchange::rejection::{Reason, Rejection};
use crate::message::Response;
use crate::message::uri::CanonicalRequest;

impl Reidentify for Bearer {
    fn provider(&self) -> &str {
        self.client.name()
    }

    /// A client gets another token from the issuer, not from a page. RFC 6750 §3: the challenge comes with each token that gives no access.
    fn offer(&self, rejection: Rejection, request: &CanonicalRequest) -> Rejection {
        self.missing(request, rejection)
    }

    /// RFC 9470: the client asks the issuer for a token of a newer or stronger sign-in. Nothing is redirected.
    fn step_up<'a>(
        &'a self,
        demand: &'a Demand,
        _: &'a mut Exchange,
        request: &'a CanonicalRequest,
        _: &'a HeaderMap,
    ) -> Pin<Box<dyn Future<Output = Result<Response, Rejection>> + 'a>> {
        let rejection = self.challenged(Reason::BearerStepUpRequired.into(), Problem::StepUp(demand), request);
        Box::pin(async { Err(rejection) })
    }
}
