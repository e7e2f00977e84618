//! Finishes a login: checks that it was begun in this browser, redeems the code, and starts the session (spec §2.4–2.5).

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, Method};

use crate::action::authenticate::endpoints::{Endpoints, refuse_prefetch};
use crate::action::authenticate::local::Local;
use crate::action::authenticate::login::{PendingLogin, on_this_origin};
use crate::action::authenticate::{Authenticate, answer, failure};
use crate::clock::Timestamp;
use crate::exchange::Exchange;
use crate::exchange::rejection::{Reason, Rejection};
use crate::message::Response;
use crate::message::form::Form;
use crate::message::uri::CanonicalRequest;
use crate::oidc;
use crate::secret::Secret;
use crate::session;
use crate::session::record::Session;
use crate::session::shards::{self, Found};

/// The provider's answer, as the browser brings it.
struct Brought {
    state: String,
    code: Option<Secret<String>>,
    issuer: Option<String>,
    error: Option<String>,
}

/// A login that was begun here, and the action that began it.
struct Begun<'e> {
    gate: &'e Arc<Authenticate>,
    login: PendingLogin,
}

/// Answers a request to the callback path.
pub(super) async fn answer(
    endpoints: &Endpoints,
    local: &Local,
    exchange: &mut Exchange,
    parts: &Parts,
) -> Result<Response, Rejection> {
    if let Some(refused) = refuse_prefetch(&parts.headers) {
        return Ok(refused);
    }
    let request = exchange.request.clone().ok_or(Reason::Internal)?;
    let (brought, begun) = match recognise(endpoints, exchange, &request, parts) {
        Ok(recognised) => recognised,
        // A reload, the back button, or a link that was kept: whoever is signed in goes on (pitfalls 4, 5).
        Err(Reason::AuthStateMissing | Reason::AuthStateMismatch | Reason::AuthLoginExpired)
            if has_session(endpoints, local, &request, &parts.headers, exchange.started_at) =>
        {
            return answer::redirect("/");
        }
        Err(reason) => {
            endpoints.unclaimed.count(reason);
            return Err(reason.into());
        }
    };
    // Whatever comes of it, this attempt is over.
    exchange.cookies.push(begun.gate.pending.delete(&brought.state));
    let finished = finish(&begun, exchange, &request, brought, &parts.headers).await;
    match &finished {
        Ok(_) => begun.gate.metrics.finished.increment(),
        Err(rejection) => begun.gate.metrics.failures.count(rejection.reason),
    }
    finished
}

/// Finds the login that this is the answer to: nothing of the answer is believed before.
fn recognise<'e>(
    endpoints: &'e Endpoints,
    exchange: &mut Exchange,
    request: &CanonicalRequest,
    parts: &Parts,
) -> Result<(Brought, Begun<'e>), Reason> {
    // Not HEAD either, which link previews send: a code can be redeemed once (attacks C-15).
    if parts.method != Method::GET {
        return Err(Reason::AuthCallbackMalformed);
    }
    let brought = read(request.query().unwrap_or_default())?;
    let now = exchange.started_at;
    for gate in &endpoints.gates {
        let found = gate.pending.find::<PendingLogin>(request.host(), &brought.state, &parts.headers, now);
        let Ok(found) = found else { continue };
        if found.login.gate != gate.key {
            continue;
        }
        if found.is_expired {
            exchange.cookies.push(gate.pending.delete(&brought.state));
            return Err(Reason::AuthLoginExpired);
        }
        // The last check, because it takes the state: whoever comes second finds it gone (attacks C-03).
        if !gate.memory.redeemed.take(&brought.state, exchange.client, now) {
            exchange.cookies.push(gate.pending.delete(&brought.state));
            return Err(Reason::AuthStateMismatch);
        }
        return Ok((brought, Begun { gate, login: found.login }));
    }
    Err(Reason::AuthStateMismatch)
}

/// Reads the query. A parameter that comes twice is not chosen from (attacks C-06).
fn read(query: &str) -> Result<Brought, Reason> {
    let form = Form::parse(query.as_bytes()).map_err(|_| Reason::AuthCallbackMalformed)?;
    let one = |name| {
        let value = form.one(name).map_err(|_| Reason::AuthCallbackMalformed)?;
        Ok::<_, Reason>(value.filter(|value| !value.is_empty()).map(str::to_owned))
    };
    let (state, code, issuer, error) = (one("state")?, one("code")?, one("iss")?, one("error")?);
    Ok(Brought { state: state.ok_or(Reason::AuthStateMissing)?, code: code.map(Secret::new), issuer, error })
}

/// Redeems the code, and starts the session.
async fn finish(
    begun: &Begun<'_>,
    exchange: &mut Exchange,
    request: &CanonicalRequest,
    brought: Brought,
    headers: &HeaderMap,
) -> Result<Response, Rejection> {
    if let Some(error) = brought.error {
        return Err(declined(&error));
    }
    let code = brought.code.ok_or(Reason::AuthCodeMissing)?;
    let (client, login) = (Arc::clone(&begun.gate.issuing.client), begun.login.clone());
    let callback = oidc::Callback { code, issuer: brought.issuer };
    let work = async move { client.finish(callback, login.protocol, login.redirect_uri).await };
    let login = begun.gate.control.run(work).await.map_err(failure::abandoned)?.map_err(failure::rejection)?;
    start_session(begun.gate, exchange, request.host(), login, headers)?;
    answer::redirect(on_this_origin(&begun.login.return_to))
}

fn start_session(
    gate: &Authenticate,
    exchange: &mut Exchange,
    host: &str,
    login: oidc::Login,
    headers: &HeaderMap,
) -> Result<(), Rejection> {
    let now = gate.issuing.clock.now();
    let session = gate.issuing.begin(login, now);
    let lines = gate.issuing.sessions.save(host, &session, now).map_err(too_large)?;
    exchange.cookies.extend(lines);
    exchange.subject = Some(session.identity.subject().into());
    end_other_user(gate, host, &session, headers, now);
    Ok(())
}

/// Ends the session that the browser had, where it was another user's (attacks C-18). The same user's is only replaced:
/// requests of a second tab may be on their way with it.
fn end_other_user(gate: &Authenticate, host: &str, session: &Session, headers: &HeaderMap, now: Timestamp) {
    let Found::Whole(shards) = shards::find(headers, gate.issuing.sessions.base()) else { return };
    let Ok(before) = gate.issuing.sessions.open(host, &shards) else { return };
    let (old, new) = (&before.identity, &session.identity);
    if (old.issuer(), old.subject()) != (new.issuer(), new.subject()) {
        gate.memory.sign_out(&before, now);
    }
}

fn too_large(error: session::error::Error) -> Rejection {
    Rejection::new(Reason::AuthClaimsTooLarge, error)
}

/// The provider declined. What it says besides its code is for nobody's eyes (attacks C-12).
fn declined(error: &str) -> Rejection {
    let reason = if error == "access_denied" { Reason::AuthDenied } else { Reason::AuthProviderError };
    let is_code = error.len() <= 64 && error.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let code = if is_code { error } else { "unknown" };
    Rejection::new(reason, format!("the provider answered the sign-in with the error {code}"))
}

fn has_session(
    endpoints: &Endpoints,
    local: &Local,
    request: &CanonicalRequest,
    headers: &HeaderMap,
    now: Timestamp,
) -> bool {
    endpoints.gates.iter().any(|gate| gate.open(local, request.host(), headers, now).is_ok())
}
