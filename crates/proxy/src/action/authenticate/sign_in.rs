//! The sign-in path: the target of the sign-in links on our pages, the page on which users choose a provider, and the page after a sign-in
//! that was started in another tab.

use http::request::Parts;
use http::{HeaderValue, Method};

use crate::action::authenticate::answer;
use crate::action::authenticate::choosing::Chosen;
use crate::action::authenticate::endpoints::Endpoints;
use crate::action::authenticate::login::{self, Cause, LoginStart, PendingLogin, Prompt};
use crate::action::authenticate::ticket::{Destination, OTHER_ACCOUNT, SILENT, Ticket};
use crate::action::authenticate::worker_state::WorkerState;
use crate::exchange::Exchange;
use crate::exchange::rejection::{Reason, Rejection};
use crate::message::Response;
use crate::message::form::Form;
use crate::message::uri::CanonicalRequest;

/// Answers a request to the sign-in path. Only a ticket can set the return address (attacks R-19).
pub(super) async fn answer(
    endpoints: &Endpoints,
    worker: &WorkerState,
    exchange: &mut Exchange,
    request: &CanonicalRequest,
    parts: &Parts,
) -> Result<Response, Rejection> {
    if parts.method != Method::GET {
        return Err(Reason::RequestMethod.into());
    }
    if let Some(refused) = answer::refuse_prefetch(&parts.headers) {
        return Ok(refused);
    }
    let (host, now) = (request.host(), exchange.started_at);
    let form = Form::parse(request.query().unwrap_or_default().as_bytes()).ok();
    let one = |name| form.as_ref().and_then(|form| form.one(name).ok().flatten());
    let found = one("state").and_then(|state| {
        let (gate, ticket) = endpoints.open_ticket(host, state)?;
        Some((gate, state, ticket))
    });
    let Some((gate, state, ticket)) = found else {
        return if endpoints.signed_in(worker, host, &parts.headers, now).await.is_some() {
            Ok(answer::signed_in(exchange.preferred(&parts.headers), endpoints.pages.view_for(&parts.headers)))
        } else {
            answer::go(&endpoints.pages, "/", &parts.headers)
        };
    };
    let Ticket { mut to, demand, .. } = ticket;
    if !login::may_begin(&parts.method, &parts.headers) {
        let link = gate.sign_in_link(host, &to, Some(state)).in_a_new_tab();
        return Err(Rejection::from(Reason::AuthRequired).offer(link));
    }
    // A page of another site must not take the session of its visitors away by choosing for them: they are asked.
    let is_own = |site: &HeaderValue| matches!(site.as_bytes(), b"same-origin" | b"none");
    let is_led_here = parts.headers.get(login::SEC_FETCH_SITE).is_some_and(|site| !is_own(site));
    if let (true, Some(action)) = (is_led_here, endpoints.choosing(gate)) {
        // A long address stays in the cookie of its sign-in.
        let to = if to == Destination::InCookie { Destination::Landing } else { to };
        let location = action.choice_location(host, to, demand);
        return answer::go(&endpoints.pages, &location, &parts.headers);
    }
    if to == Destination::InCookie {
        let kept = gate.pending.find::<PendingLogin>(host, state, &parts.headers, now);
        to = kept.map_or(Destination::Landing, |kept| kept.login.to);
        exchange.cookies.extend(gate.pending.delete(state, &parts.headers));
    }
    let has = |parameter: &'static str| parameter.split_once('=').is_some_and(|(name, value)| one(name) == Some(value));
    let prompt = match (has(OTHER_ACCOUNT), has(SILENT)) {
        (true, _) => Prompt::Login,
        (false, true) if gate.may_ask_silently() => Prompt::Silent,
        (false, _) => Prompt::Configured,
    };
    let start = LoginStart { cause: Cause::Person, prompt, ..LoginStart::request(to, demand) };
    let (Some(choice), Some(form)) = (&gate.choice, &form) else {
        return gate.begin_login(exchange, request, &parts.headers, start).await;
    };
    let chosen = if is_led_here { Chosen::Nothing(None) } else { choice.chosen(form) };
    match chosen {
        Chosen::Provider(gate, login_hint) => {
            let start = LoginStart { cause: Cause::Choice, login_hint, ..start };
            gate.begin_login(exchange, request, &parts.headers, start).await
        }
        Chosen::Nothing(alert) => Ok(gate.choosing_page(choice, form, &parts.headers, alert)),
    }
}
