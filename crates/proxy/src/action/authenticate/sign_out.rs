//! Ends the session, and the session at the provider if it supports that (ALB §5, pitfalls 70–74).
//!
//! The provider redirects to the same path afterwards. A request without a session gets the page "You are signed out". A request with
//! the `state` of the sign-out changes nothing: if the user has signed in again in the meantime, a page offers to sign out. No parameter
//! selects the next address (attacks R-18).

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, HeaderName, HeaderValue, Method, header};

use crate::action::authenticate::endpoints::Endpoints;
use crate::action::authenticate::gate::Authenticate;
use crate::action::authenticate::worker_state::WorkerState;
use crate::action::authenticate::{answer, failure};
use crate::exchange::Exchange;
use crate::exchange::rejection::{Reason, Rejection};
use crate::message::Response;
use crate::message::form::Form;
use crate::message::uri::CanonicalRequest;
use crate::oidc;
use crate::page::Text;
use crate::page::link::Link;
use crate::session::record::Session;
use crate::session::shards::{self, Found};

/// The `state` parameter, which the provider returns (OpenID Connect RP-Initiated Logout §3).
const STATE: &str = "signed-out";

/// Clear Site Data §3.1: the browser removes cached pages, so that the back button does not show them.
const CLEAR_SITE_DATA: HeaderName = HeaderName::from_static("clear-site-data");

/// Answers a request to the sign-out path.
pub(super) async fn answer(
    endpoints: &Endpoints,
    worker: &WorkerState,
    exchange: &mut Exchange,
    request: &CanonicalRequest,
    parts: &Parts,
) -> Result<Response, Rejection> {
    if !matches!(parts.method, Method::GET | Method::POST) {
        return Err(Reason::RequestMethod.into());
    }
    if let Some(refused) = answer::refuse_prefetch(&parts.headers) {
        return Ok(refused);
    }
    let carried = carried(endpoints, &parts.headers);
    let is_return = is_return(request);
    // Any page can link to this address. A user who is still signed in must not see "You are signed out", because users of shared
    // computers rely on it.
    let is_signed_in = endpoints.signed_in(worker, request.host(), &parts.headers, exchange.started_at);
    if carried.is_empty() || (is_return && is_signed_in.await.is_none()) {
        return Ok(answer::signed_out(exchange.preferred(&parts.headers), endpoints.pages.view_for(&parts.headers)));
    }
    if is_return || is_foreign(&parts.headers, request) {
        let here = Link::here(Text::LinkSignOut, endpoints.paths.sign_out.clone());
        return Err(Rejection::from(Reason::AuthSignOutForeign).offer(here));
    }
    let ended = end(&carried, exchange, request, &parts.headers).await;
    let mut answer = match location(endpoints, ended, request).await? {
        Some(location) => answer::redirect(&location)?,
        None => answer::signed_out(exchange.preferred(&parts.headers), endpoints.pages.view_for(&parts.headers)),
    };
    if let Some(what) = &endpoints.clear_site_data {
        answer.headers_mut().insert(CLEAR_SITE_DATA, what.clone());
    }
    Ok(answer)
}

/// One action for each session cookie name in the request.
fn carried<'e>(endpoints: &'e Endpoints, headers: &HeaderMap) -> Vec<&'e Arc<Authenticate>> {
    let mut carried: Vec<&Arc<Authenticate>> = Vec::new();
    for gate in &endpoints.gates {
        let base = gate.factory.sessions.base();
        let is_new = carried.iter().all(|known| known.factory.sessions.base() != base);
        if is_new && !matches!(shards::find(headers, base), Found::Nothing) {
            carried.push(gate);
        }
    }
    carried
}

/// Whether the provider has redirected the browser here.
fn is_return(request: &CanonicalRequest) -> bool {
    let form = Form::parse(request.query().unwrap_or_default().as_bytes());
    form.is_ok_and(|form| form.one("state") == Ok(Some(STATE)))
}

/// Whether a page of another origin sent the request (attacks V-07, V-08). Sibling hosts count as other origins, because browsers send our
/// cookies with their requests. A browser without these headers sends our cookies from other sites only with links that the user
/// follows (`SameSite=Lax`).
fn is_foreign(headers: &HeaderMap, request: &CanonicalRequest) -> bool {
    let is_own = |site: &HeaderValue| matches!(site.as_bytes(), b"same-origin" | b"none");
    let is_cross_site = headers.get("sec-fetch-site").is_some_and(|site| !is_own(site));
    let ours = format!("https://{}", request.authority.as_str());
    let is_other_origin = headers.get(header::ORIGIN).is_some_and(|origin| origin.as_bytes() != ours.as_bytes());
    is_cross_site || is_other_origin
}

/// Deletes the cookies and revokes the sessions in this process, so that copies are refused. Returns the ended sessions.
///
/// Cookies that are not one whole session are deleted too. If a part comes twice, every session that can be opened is
/// revoked. If a part is missing, nothing can be opened: there is no session to revoke.
async fn end(
    carried: &[&Arc<Authenticate>],
    exchange: &mut Exchange,
    request: &CanonicalRequest,
    headers: &HeaderMap,
) -> Vec<Session> {
    let mut ended = Vec::new();
    for gate in carried {
        exchange.cookies.extend(gate.factory.sessions.clear(headers));
        exchange.cookies.push(gate.rounds.delete());
        let mut opened = gate.every_session(request.host(), headers).await;
        for session in &opened {
            gate.memory.sign_out(session, exchange.started_at);
        }
        if !is_one_user(&opened) {
            // The provider must not be told to sign out a user that somebody else chose (attacks S-10). Without a hint it
            // ends the session of its own cookie.
            opened.iter_mut().for_each(|session| session.id_token = None);
        }
        ended.append(&mut opened);
    }
    if let Some(session) = ended.first().filter(|_| is_one_user(&ended)) {
        exchange.subject = Some(session.identity.subject().into());
    }
    ended
}

fn is_one_user(sessions: &[Session]) -> bool {
    let user = |session: &Session| (session.identity.issuer().to_owned(), session.identity.subject().to_owned());
    sessions.windows(2).all(|pair| user(&pair[0]) == user(&pair[1]))
}

/// The sign-out URL of the first provider of the ended sessions that has one.
async fn location(
    endpoints: &Endpoints,
    ended: Vec<Session>,
    request: &CanonicalRequest,
) -> Result<Option<String>, Rejection> {
    let found = ended.into_iter().find_map(|session| {
        let gate = endpoints.signing_in.iter().find(|gate| gate.factory.is_from_our_provider(&session))?;
        Some((gate, session))
    });
    let Some((gate, session)) = found else { return Ok(None) };
    let client = Arc::clone(&gate.factory.client);
    let asked = oidc::LogoutRequest {
        id_token: session.id_token,
        post_logout_redirect_uri: format!("https://{}{}", request.authority.as_str(), endpoints.paths.sign_out),
        state: Some(STATE.to_owned()),
    };
    gate.control.run(async move { client.logout_location(asked).await }).await.map_err(failure::abandoned)
}
