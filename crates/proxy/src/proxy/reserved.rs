//! Paths and hosts that Vestibule answers itself: the login callback, sign-out, public keys, and user pools.

use std::sync::Arc;

use bytes::Bytes;
use http::{HeaderValue, Method, header};

use crate::action::Gate;
use crate::action::authenticate::endpoints::Endpoints;
use crate::action::authenticate::paths::Endpoint;
use crate::action::authenticate::worker_state::WorkerState;
use crate::action::bearer::Bearer;
use crate::drain::Control;
use crate::exchange::Exchange;
use crate::exchange::rejection::{Reason, Rejection};
use crate::message::body::TooLarge;
use crate::message::body::limits::StoodStill;
use crate::message::forwarded;
use crate::message::header as names;
use crate::message::uri::{CanonicalRequest, Scheme};
use crate::message::{Request, Response, WholeRequest, WholeResponse, streamed};
use crate::page::Code;
use crate::proxy::snapshot::Snapshot;
use crate::user_pool::{At, UserPool};

/// Largest body that a page of the user pool or an endpoint of it reads.
const BODY_BYTES_MAX: usize = 16 * 1024;
/// Longest time between two pieces of such a body.
const BODY_IDLE_TIMEOUT: std::time::Duration = std::time::Duration::from_secs(10);

/// The endpoint or user pool that answers instead of a rule.
pub enum Answering<'s> {
    Endpoint(&'s Endpoints, Endpoint),
    Pool(&'s Arc<UserPool>, At),
    /// The answer to a challenge of a certificate authority.
    Challenge(Arc<str>),
    /// Who issues tokens for an application.
    Resource(&'s Bearer),
}

/// Finds the endpoint or user pool of a request, by its canonical authority or path.
#[inline(always)]
pub(crate) fn find<'s>(
    snapshot: &'s Snapshot,
    exchange: &Exchange,
    request: &CanonicalRequest,
) -> Option<Answering<'s>> {
    if let Some(answer) = challenge(snapshot, request) {
        return Some(Answering::Challenge(answer));
    }
    let is_https = exchange.scheme == Scheme::Https;
    if !snapshot.pools.is_empty() {
        let authority = request.authority.as_str();
        let mut pools = snapshot.pools.iter();
        if let Some((pool, at)) = pools.find_map(|pool| Some((pool, pool.place(is_https, authority)?))) {
            return Some(Answering::Pool(pool, at));
        }
    }
    if snapshot.takes_tokens
        && let Some(bearer) = resource(snapshot, request)
    {
        return Some(Answering::Resource(bearer));
    }
    let endpoints = snapshot.endpoints.as_ref()?;
    // A path with parameters is not the exact path (attacks P-17).
    let endpoint = endpoints.paths().find(request.exact_path()?)?;
    // Only on hosts where a login can begin. On another host of this listener an application, or the provider itself, may have
    // paths of these names.
    let mut chains = snapshot.rules.reaching(request.host());
    chains.any(|selected| selected.chain.authenticates()).then_some(Answering::Endpoint(endpoints, endpoint))
}

/// What the authority reads to verify a name (RFC 8555 §8.3). Only a token in progress is answered: other requests below the path
/// are for the rules, because the application may use ACME, too.
fn challenge(snapshot: &Snapshot, request: &CanonicalRequest) -> Option<Arc<str>> {
    let issued = snapshot.acme.as_ref()?;
    issued.request(request.exact_path()?.strip_prefix("/.well-known/acme-challenge/")?)
}

/// The action whose metadata is at the path, if a rule can match this host and takes tokens. Of several, the first in the order of the rules.
fn resource<'s>(snapshot: &'s Snapshot, request: &CanonicalRequest) -> Option<&'s Bearer> {
    let path = request.exact_path()?;
    if !path.starts_with("/.well-known/") {
        return None;
    }
    let chains = snapshot.rules.reaching(request.host()).map(|selected| &selected.chain);
    let mut bearers = chains.flat_map(|chain| &chain.gates).filter_map(Gate::bearer);
    bearers.find(|bearer| bearer.has_metadata_at(path)).map(|bearer| &**bearer)
}

impl Answering<'_> {
    /// Answers the request.
    pub(crate) async fn answer(
        self,
        worker: &WorkerState,
        control: &Control,
        exchange: &mut Exchange,
        canonical: &CanonicalRequest,
        request: Request,
    ) -> Result<Response, Rejection> {
        match self {
            Self::Endpoint(endpoints, endpoint) => {
                exchange.actions.push("authenticate");
                exchange.require_https()?;
                endpoints.answer(endpoint, worker, exchange, canonical, request).await
            }
            Self::Challenge(answer) => {
                exchange.actions.push("acme");
                let mut response = WholeResponse::new(Bytes::copy_from_slice(answer.as_bytes()));
                let kind = HeaderValue::from_static("application/octet-stream");
                response.headers_mut().insert(header::CONTENT_TYPE, kind);
                Ok(streamed(response))
            }
            Self::Resource(bearer) => {
                exchange.actions.push("resource-metadata");
                exchange.require_https()?;
                if !matches!(canonical.method, Method::GET | Method::HEAD) {
                    return Err(Reason::RequestMethod.into());
                }
                Ok(streamed(bearer.metadata(canonical)))
            }
            Self::Pool(pool, at) => {
                exchange.actions.push("user-pool");
                let request = whole(exchange, canonical, request).await?;
                let (pool, client) = (Arc::clone(pool), exchange.client);
                // Password hashing and everything around it runs off the workers (DESIGN §2).
                let answering = Box::pin(async move { pool.handle(request, at, client).await });
                let answered = control.run(answering).await;
                let response = answered.map_err(|error| Rejection::new(Reason::Internal, error))?;
                exchange.page_code = response.extensions().get().map(|Code(code)| *code);
                Ok(streamed(response))
            }
        }
    }
}

/// The request with its canonical target and its body in memory.
async fn whole(exchange: &Exchange, canonical: &CanonicalRequest, request: Request) -> Result<WholeRequest, Rejection> {
    let (mut parts, mut body) = request.into_parts();
    parts.uri = http::Uri::from(canonical.target.clone());
    // The pool learns the id of the request as every target does, for its error pages.
    parts.headers.insert(names::TRACE_ID, forwarded::trace_id(None, exchange.id.as_str()));
    body.limit_idle(BODY_IDLE_TIMEOUT);
    let body = body.whole(BODY_BYTES_MAX).await.map_err(|error| {
        let reason = if error.is::<TooLarge>() {
            Reason::RequestBodyTooLarge
        } else if error.is::<StoodStill>() {
            Reason::RequestBodyTimeout
        } else {
            Reason::RequestMalformed
        };
        Rejection::new(reason, error)
    })?;
    Ok(WholeRequest::from_parts(parts, body))
}
