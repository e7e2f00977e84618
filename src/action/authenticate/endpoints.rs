//! Answers on the reserved paths ([`paths`](super::paths)), on the hosts where a rule authenticates.

use std::sync::Arc;

use http::{HeaderMap, HeaderValue, Method};

use crate::action::authenticate::local::Local;
use crate::action::authenticate::metrics::Failures;
use crate::action::authenticate::paths::{Endpoint, Paths};
use crate::action::authenticate::{Authenticate, Services, answer, callback, sign_in, sign_out, userinfo};
use crate::claims::ClaimsHeaders;
use crate::exchange::Exchange;
use crate::exchange::error_page::streamed;
use crate::exchange::rejection::{Reason, Rejection};
use crate::message::{Request, Response, media};

/// Stands for the provider where a callback belongs to no sign-in. No provider can have this name.
const UNCLAIMED: &str = "(none)";

/// Every `authenticate-*` action of one listener, and what answers in their place on the reserved paths.
#[derive(Debug)]
pub(crate) struct Endpoints {
    pub(super) gates: Vec<Arc<Authenticate>>,
    claims: Arc<ClaimsHeaders>,
    pub(super) paths: Arc<Paths>,
    /// What the browser is told to forget at a sign-out.
    pub(super) clear_site_data: Option<HeaderValue>,
    /// Failures of callbacks that no action claims.
    pub(super) unclaimed: Failures,
}

impl Endpoints {
    /// The endpoints of a listener with these actions.
    pub(crate) fn new(gates: Vec<Arc<Authenticate>>, services: &Services) -> Self {
        Self {
            gates,
            claims: Arc::clone(&services.claims),
            paths: Arc::clone(&services.paths),
            clear_site_data: services.session.clear_site_data.clone(),
            unclaimed: Failures::new(&services.registry, UNCLAIMED),
        }
    }

    /// Where they are.
    pub(crate) fn paths(&self) -> &Paths {
        &self.paths
    }

    /// Answers a request to one of them. Bodies are not read: none of these needs one (attacks D-13).
    ///
    /// # Errors
    ///
    /// What is refused, and what a login failed of.
    pub(crate) async fn answer(
        &self,
        endpoint: Endpoint,
        local: &Local,
        exchange: &mut Exchange,
        request: Request,
    ) -> Result<Response, Rejection> {
        let (parts, _) = request.into_parts();
        let is_reading = matches!(parts.method, Method::GET | Method::HEAD);
        match endpoint {
            Endpoint::Callback => callback::answer(self, local, exchange, &parts).await,
            Endpoint::SignIn => sign_in::answer(self, local, exchange, &parts).await,
            Endpoint::SignOut => sign_out::answer(self, local, exchange, &parts).await,
            _ if !is_reading => Err(Reason::RequestMethod.into()),
            Endpoint::Userinfo => userinfo::answer(self, local, exchange, &parts.headers),
            Endpoint::KeySet => Ok(streamed(self.claims.public_keys().key_set())),
            Endpoint::Key(kid) => {
                let key = self.claims.public_keys().pem(&kid);
                key.map(streamed).ok_or(Reason::NotFound.into())
            }
        }
    }
}

/// The answer to a prefetch of something that acts.
pub(super) fn refuse_prefetch(headers: &HeaderMap) -> Option<Response> {
    media::is_prefetch(headers).then(answer::not_for_prefetch)
}
