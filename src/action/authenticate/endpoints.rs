//! Answers requests to the reserved paths ([`paths`](super::paths)).

use std::rc::Rc;
use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method};

use crate::action::authenticate::local::Local;
use crate::action::authenticate::metrics::failures;
use crate::action::authenticate::paths::{Endpoint, Paths};
use crate::action::authenticate::signed_in::SignedIn;
use crate::action::authenticate::{Authenticate, Services, answer, callback, sign_in, sign_out, userinfo};
use crate::claims::ClaimsHeaders;
use crate::clock::Timestamp;
use crate::exchange::Exchange;
use crate::exchange::reason_counters::ReasonCounters;
use crate::exchange::rejection::{Reason, Rejection};
use crate::message::uri::CanonicalRequest;
use crate::message::{Request, Response, media, streamed};
use crate::page::Pages;

/// The provider label of callbacks that belong to no sign-in. No provider can have this name.
const UNCLAIMED: &str = "(none)";

/// The reserved paths of one listener, with all its `authenticate-*` actions.
#[derive(Debug)]
pub(crate) struct Endpoints {
    pub(super) gates: Vec<Arc<Authenticate>>,
    claims: Arc<ClaimsHeaders>,
    pub(super) paths: Arc<Paths>,
    pub(super) pages: Arc<Pages>,
    /// `Clear-Site-Data` of a sign-out.
    pub(super) clear_site_data: Option<HeaderValue>,
    /// Failures of callbacks that belong to no action.
    pub(super) unclaimed: ReasonCounters,
}

impl Endpoints {
    /// Creates the endpoints of a listener with these actions.
    pub(crate) fn new(gates: Vec<Arc<Authenticate>>, services: &Services) -> Self {
        Self {
            gates,
            claims: Arc::clone(&services.claims),
            paths: Arc::clone(&services.paths),
            pages: Arc::clone(&services.pages),
            clear_site_data: services.session.clear_site_data.clone(),
            unclaimed: failures(&services.registry, UNCLAIMED),
        }
    }

    /// The reserved paths.
    pub(crate) fn paths(&self) -> &Paths {
        &self.paths
    }

    /// The session of the first action that finds one in a request to `host`.
    pub(super) async fn signed_in(
        &self,
        local: &Local,
        host: &str,
        headers: &HeaderMap,
        now: Timestamp,
    ) -> Option<Rc<SignedIn>> {
        for gate in &self.gates {
            if let Ok(signed_in) = gate.open(local, host, headers, now).await {
                return Some(signed_in);
            }
        }
        None
    }

    /// Answers a request to a reserved path. Bodies are not read, because no endpoint needs one (attacks D-13).
    ///
    /// # Errors
    ///
    /// Refusals, and errors of a sign-in.
    pub(crate) async fn answer(
        &self,
        endpoint: Endpoint,
        local: &Local,
        exchange: &mut Exchange,
        canonical: &CanonicalRequest,
        request: Request,
    ) -> Result<Response, Rejection> {
        let (parts, _) = request.into_parts();
        let is_reading = matches!(parts.method, Method::GET | Method::HEAD);
        match endpoint {
            Endpoint::Callback => callback::answer(self, local, exchange, canonical, &parts).await,
            Endpoint::SignIn => sign_in::answer(self, local, exchange, canonical, &parts).await,
            Endpoint::SignOut => sign_out::answer(self, local, exchange, canonical, &parts).await,
            _ if !is_reading => Err(Reason::RequestMethod.into()),
            Endpoint::Userinfo => userinfo::answer(self, local, exchange, canonical, &parts.headers).await,
            Endpoint::PublicKeys(asked) => {
                self.claims.public_keys().answer(&asked).map(streamed).ok_or(Reason::NotFound.into())
            }
        }
    }
}

/// The response to a prefetch of an endpoint with side effects.
pub(super) fn refuse_prefetch(headers: &HeaderMap) -> Option<Response> {
    media::is_prefetch(headers).then(answer::not_for_prefetch)
}
