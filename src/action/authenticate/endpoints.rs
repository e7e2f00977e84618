//! The paths that a listener with an `authenticate-*` action answers itself (DESIGN §6). Nothing else is reserved.

use std::sync::Arc;

use http::{HeaderMap, Method};

use crate::action::authenticate::local::Local;
use crate::action::authenticate::metrics::Failures;
use crate::action::authenticate::{Authenticate, answer, callback, sign_out, userinfo};
use crate::claims::ClaimsHeaders;
use crate::exchange::Exchange;
use crate::exchange::error_page::streamed;
use crate::exchange::rejection::{Reason, Rejection};
use crate::message::{Request, Response, media};
use crate::telemetry::metrics::Registry;

/// The callback (spec §2.4): the ALB's path, so that registered redirect URIs keep working.
pub(crate) const CALLBACK: &str = "/oauth2/idpresponse";
/// Ends the session; also where a provider sends the browser after ending its own.
pub(crate) const SIGN_OUT: &str = "/oauth2/sign_out";
/// Who am I.
pub(crate) const USERINFO: &str = "/oauth2/userinfo";
/// What verifies our signatures.
pub(crate) const KEY_SET: &str = "/.well-known/vestibule/jwks.json";
/// One key in PEM form; its key id follows.
pub(crate) const KEYS: &str = "/.well-known/vestibule/keys/";

/// A reserved path.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Callback,
    SignOut,
    Userinfo,
    KeySet,
    Key(String),
}

/// Every `authenticate-*` action of one listener, and what answers in their place on the reserved paths.
#[derive(Debug)]
pub(crate) struct Endpoints {
    pub(super) gates: Vec<Arc<Authenticate>>,
    claims: Arc<ClaimsHeaders>,
    /// Failures of callbacks that no action claims.
    pub(super) unclaimed: Failures,
}

impl Endpoints {
    /// The endpoints of a listener with these actions.
    pub(crate) fn new(gates: Vec<Arc<Authenticate>>, claims: Arc<ClaimsHeaders>, registry: &Registry) -> Self {
        Self { gates, claims, unclaimed: Failures::new(registry, "unknown") }
    }

    /// The endpoint at a decoded path.
    pub(crate) fn find(&self, path: &str) -> Option<Endpoint> {
        match path {
            CALLBACK => Some(Endpoint::Callback),
            SIGN_OUT => Some(Endpoint::SignOut),
            USERINFO => Some(Endpoint::Userinfo),
            KEY_SET => Some(Endpoint::KeySet),
            _ => {
                let is_kid =
                    |kid: &&str| !kid.is_empty() && kid.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-');
                let kid = path.strip_prefix(KEYS).filter(is_kid)?;
                Some(Endpoint::Key(kid.to_owned()))
            }
        }
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
            Endpoint::SignOut => sign_out::answer(self, exchange, &parts).await,
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

/// Whether a decoded path is one of ours, to which no login may return: that would be a loop (attacks R-21).
pub(super) fn is_reserved(path: &str) -> bool {
    matches!(path, CALLBACK | SIGN_OUT | USERINFO | KEY_SET) || path.starts_with(KEYS)
}

/// The answer to a prefetch of something that acts.
pub(super) fn refuse_prefetch(headers: &HeaderMap) -> Option<Response> {
    media::is_prefetch(headers).then(answer::not_for_prefetch)
}
