//! Finishes a sign-in: checks that it was started in this browser, redeems the code, and creates the session (ALB §2.4–2.5).
//!
//! If a callback fails, the user is still led on. If the user is already signed in, the browser is redirected to the return address. If
//! another sign-in can help, it is started automatically, once. Otherwise a page explains the failure and links to the return address.

use std::sync::Arc;

use http::request::Parts;
use http::{HeaderMap, Method};

use crate::action::authenticate::endpoints::Endpoints;
use crate::action::authenticate::finishing::Signed;
use crate::action::authenticate::gate::{self, Authenticate};
use crate::action::authenticate::login::{self, LoginStart, PendingLogin, Prompt};
use crate::action::authenticate::ticket::{Destination, Ticket, on_this_origin};
use crate::action::authenticate::worker_state::WorkerState;
use crate::action::authenticate::{answer, choice};
use crate::action::demand::Demand;
use crate::clock::Timestamp;
use crate::exchange::Exchange;
use crate::exchange::rejection::{Reason, Rejection};
use crate::message::Response;
use crate::message::cookie::SameSite;
use crate::message::form::Form;
use crate::message::media::Preferred;
use crate::message::uri::CanonicalRequest;
use crate::oidc;
use crate::page::Text;
use crate::page::link::Link;
use crate::secret::Secret;
use crate::session::pending::Carried;
use crate::session::record::Session;

/// The authorization response of the provider, from the query of the callback.
struct Brought {
    state: String,
    code: Option<Secret<String>>,
    issuer: Option<String>,
    error: Option<String>,
    /// What the provider says of the error, for the log. Anybody can write it.
    description: Option<String>,
}

/// A sign-in that was started on this host, and its action.
struct Login<'e> {
    gate: &'e Arc<Authenticate>,
    to: Destination,
    attempt: u8,
    demand: Demand,
    /// Whether the provider was not to ask the user.
    is_silent: bool,
    proof: Proof,
    /// The rule that started it, if it is known.
    rule: Option<String>,
}

/// The proof that the sign-in was started in this browser.
enum Proof {
    /// The cookie of the sign-in.
    Pending(Box<PendingLogin>),
    /// The cookie of the sign-in, but it has expired.
    Expired,
    /// There is no cookie. Only the `state` is valid.
    Missing(Carried),
}

/// The parts of a request to the callback path.
struct Callback<'r> {
    endpoints: &'r Endpoints,
    worker: &'r WorkerState,
    request: &'r CanonicalRequest,
    headers: &'r HeaderMap,
    now: Timestamp,
}

/// Answers a request to the callback path.
pub(super) async fn answer(
    endpoints: &Endpoints,
    worker: &WorkerState,
    exchange: &mut Exchange,
    request: &CanonicalRequest,
    parts: &Parts,
) -> Result<Response, Rejection> {
    if let Some(refused) = answer::refuse_prefetch(&parts.headers) {
        return Ok(refused);
    }
    let callback = Callback { endpoints, worker, request, headers: &parts.headers, now: exchange.started_at };
    let recognised = callback.read(&parts.method).and_then(|brought| {
        let login = callback.recognise(&brought.state).ok_or(Reason::AuthStateMismatch)?;
        Ok((brought, login))
    });
    match recognised {
        Ok((brought, login)) => {
            exchange.login = Some(login.gate.names(login.rule.as_deref()));
            callback.finish(exchange, login, brought).await
        }
        Err(reason) => {
            // For example a bookmark of the callback URL. A signed-in user is redirected (pitfalls 5).
            let is_stray = matches!(reason, Reason::AuthStateMissing | Reason::AuthStateMismatch);
            let Callback { worker, request, headers, now, .. } = callback;
            if is_stray && endpoints.signed_in(worker, request.host(), headers, now).await.is_some() {
                return answer::go(&endpoints.pages, "/", headers);
            }
            endpoints.unclaimed.count(reason);
            Err(reason.into())
        }
    }
}

impl<'r> Callback<'r> {
    /// Parses the query. Refuses repeated parameters (attacks C-06).
    fn read(&self, method: &Method) -> Result<Brought, Reason> {
        // Not HEAD either. Link previews send HEAD, and a code can be redeemed only once (attacks C-15).
        if *method != Method::GET {
            return Err(Reason::AuthCallbackMalformed);
        }
        let query = self.request.query().unwrap_or_default();
        let form = Form::parse(query.as_bytes()).map_err(|_| Reason::AuthCallbackMalformed)?;
        let one = |name| {
            let value = form.one(name).map_err(|_| Reason::AuthCallbackMalformed)?;
            Ok::<_, Reason>(value.filter(|value| !value.is_empty()).map(str::to_owned))
        };
        let (state, code, issuer, error) = (one("state")?, one("code")?, one("iss")?, one("error")?);
        let state = state.ok_or(Reason::AuthStateMissing)?;
        let description = form.one("error_description").ok().flatten().map(str::to_owned);
        Ok(Brought { state, code: code.map(Secret::new), issuer, error, description })
    }

    /// Finds the sign-in of the response. Nothing else of the response is used before that.
    fn recognise(&self, state: &str) -> Option<Login<'r>> {
        let host = self.request.host();
        // RFC 9700 §4.4.2: a response at the callback path of another provider is refused.
        let gates = || self.endpoints.signing_in.iter().filter(|gate| *gate.callback == *self.request.path());
        let found = gates().filter_map(|gate| {
            let found = gate.pending.find::<PendingLogin>(host, state, self.headers, self.now).ok()?;
            (found.login.gate == gate.key).then_some((gate, found))
        });
        if let Some((gate, found)) = gate::of_shape(found, |found| found.login.shape.as_deref()) {
            let PendingLogin { to, attempt, rule, demand, is_silent, .. } = found.login.clone();
            let proof = if found.is_expired { Proof::Expired } else { Proof::Pending(Box::new(found.login)) };
            return Some(Login { gate, to, attempt, demand, is_silent, proof, rule });
        }
        let tickets = gates().filter_map(|gate| Some((gate, gate.open_ticket(host, state)?)));
        let (gate, ticket) = gate::of_shape(tickets, |ticket| ticket.shape.as_deref())?;
        let proof = Proof::Missing(gate.pending.is_carried(state, self.headers));
        let Ticket { to, attempt, demand, .. } = ticket;
        Some(Login { gate, to, attempt, demand, is_silent: false, proof, rule: None })
    }

    async fn finish(&self, exchange: &mut Exchange, login: Login<'_>, brought: Brought) -> Result<Response, Rejection> {
        let gate = login.gate;
        let pending = match (&login.proof, &brought.error) {
            (Proof::Missing(_), Some(error)) => {
                let rejection = declined(error, brought.description.as_deref());
                return self.give_up(exchange, &login, &brought.state, rejection);
            }
            (_, Some(error)) => {
                let (rejection, prompt) = (declined(error, brought.description.as_deref()), recovery(error));
                return self.recover(exchange, &login, &brought.state, rejection, prompt).await;
            }
            (Proof::Expired, None) => Err(Reason::AuthLoginExpired),
            (Proof::Missing(Carried::No), None) => Err(Reason::AuthCookieNotReturned),
            (Proof::Missing(Carried::Twice), None) => Err(Reason::AuthCookieTwice),
            (Proof::Missing(Carried::Once), None) => Err(Reason::AuthStateMismatch),
            (Proof::Pending(pending), None) => Ok(pending),
        };
        let again = Some(Prompt::Configured);
        let pending = match pending {
            Ok(pending) => pending,
            Err(reason) => return self.recover(exchange, &login, &brought.state, reason.into(), again).await,
        };
        let Some(code) = brought.code else {
            return self.give_up(exchange, &login, &brought.state, Reason::AuthCodeMissing.into());
        };
        let client = exchange.client;
        let take = || gate.memory.redeemed.take(&brought.state, client, self.now);
        let callback = oidc::Callback { code, issuer: brought.issuer };
        match gate.finish_login(self.request.host(), pending, callback, self.now, take).await {
            Some(Ok(signed)) => {
                let rounds = pending.rounds.saturating_add(1);
                self.start_session(exchange, gate, (&brought.state, rounds), &signed).await;
                gate.go_to(&login.to, self.headers)
            }
            // The sign-in was finished more than a minute ago, or at another replica.
            None => self.recover(exchange, &login, &brought.state, Reason::AuthStateMismatch.into(), again).await,
            Some(Err(rejection)) if rejection.reason == Reason::AuthCodeRejected => {
                self.recover(exchange, &login, &brought.state, rejection, again).await
            }
            Some(Err(rejection)) => self.reject(exchange, &login, &brought.state, rejection),
        }
    }

    async fn start_session(
        &self,
        exchange: &mut Exchange,
        gate: &Arc<Authenticate>,
        (state, rounds): (&str, u8),
        signed: &Signed,
    ) {
        exchange.connection.logins.finish(exchange.client, exchange.started_at);
        exchange.cookies.extend(gate.pending.delete(state, self.headers));
        exchange.cookies.extend(signed.cookies.iter().cloned());
        exchange.cookies.push(gate.rounds.set(rounds));
        if gate.chosen_from.is_some() {
            exchange.cookies.push(choice::remember(gate.factory.client.name()));
        }
        exchange.subject = Some(signed.session.identity.subject().into());
        self.end_other_user(gate, &signed.session).await;
    }

    /// Ends the former session of the browser if it belongs to another user (attacks C-18), also if it is of a provider that only another
    /// rule has. A session of the same user is only replaced, because requests of a second tab may still use it.
    async fn end_other_user(&self, gate: &Arc<Authenticate>, session: &Session) {
        let user = |session: &Session| {
            let identity = &session.identity;
            (session.provider.clone(), identity.issuer().to_owned(), identity.subject().to_owned())
        };
        for before in gate.every_session(self.request.host(), self.headers).await {
            if user(&before) != user(session) {
                gate.memory.sign_out(&before, self.now);
            }
        }
    }

    /// Redirects to the return address if the user is signed in. Otherwise starts another sign-in with `prompt`, unless that was tried before.
    ///
    /// A silent sign-in never starts another by itself. If the provider has to ask the user, a page says so. After another error the
    /// browser returns to the address: only a person starts a silent sign-in, so this makes no loop.
    async fn recover(
        &self,
        exchange: &mut Exchange,
        login: &Login<'_>,
        state: &str,
        rejection: Rejection,
        prompt: Option<Prompt>,
    ) -> Result<Response, Rejection> {
        let gate = login.gate;
        let Some(prompt) = prompt else { return self.give_up(exchange, login, state, rejection) };
        if login.is_silent && prompt == Prompt::NotNone && exchange.preferred(self.headers) == Preferred::Html {
            tracing::debug!(
                request_id = %exchange.id, provider.name = &**gate.factory.client.name(),
                "the permissions of a user were not asked for again, because the provider has to ask the user to sign in"
            );
            exchange.cookies.extend(gate.pending.delete(state, self.headers));
            let link = gate.sign_in_link(self.request.host(), &login.to, None);
            let link = Link { label: Text::LinkSignInAgain, ..link };
            return Ok(answer::wants_sign_in(gate.pages.view_for(self.headers), link));
        }
        if login.is_silent || self.has_session(gate).await {
            exchange.cookies.extend(gate.pending.delete(state, self.headers));
            return gate.go_to(&login.to, self.headers);
        }
        if login.attempt > 0 || !login::may_begin(&Method::GET, self.headers) {
            return self.give_up(exchange, login, state, rejection);
        }
        gate.metrics.failures.count(rejection.reason);
        tracing::debug!(request_id = %exchange.id, reason = rejection.reason.code(), "the sign-in begins once more by itself");
        let to = match &login.to {
            // The address was only in the cookie, which is gone.
            Destination::InCookie => Destination::Landing,
            known => known.clone(),
        };
        exchange.cookies.extend(gate.pending.delete(state, self.headers));
        let demand = login.demand.clone();
        let start = LoginStart { attempt: login.attempt + 1, prompt, ..LoginStart::request(to, demand) };
        gate.begin_login(exchange, self.request, self.headers, start).await
    }

    /// Counts the failures that [`reject`](Self::reject) answers.
    fn give_up(
        &self,
        exchange: &mut Exchange,
        login: &Login<'_>,
        state: &str,
        rejection: Rejection,
    ) -> Result<Response, Rejection> {
        login.gate.metrics.failures.count(rejection.reason);
        self.reject(exchange, login, state, rejection)
    }

    /// Refuses with a page that links to the return address.
    fn reject(
        &self,
        exchange: &mut Exchange,
        login: &Login<'_>,
        state: &str,
        rejection: Rejection,
    ) -> Result<Response, Rejection> {
        let (gate, host) = (login.gate, self.request.host());
        let ticket = gate.open_ticket(host, state);
        let has_long_address = ticket.is_some_and(|ticket| ticket.to == Destination::InCookie);
        if !has_long_address {
            exchange.cookies.extend(gate.pending.delete(state, self.headers));
        }
        if rejection.reason == Reason::AuthStepUpFailed {
            // The rule of the page begins the next try, with what it demands then.
            let rejection = rejection.offer(Link::here(Text::LinkTryAgain, gate.location(&login.to)));
            let link = gate.step_up_link(host, &login.to, &login.demand);
            return Err(rejection.offer(Authenticate::other_account_link(&link, Text::LinkOtherAccount)));
        }
        let link = gate.sign_in_link(host, &login.to, has_long_address.then_some(state));
        let other = Authenticate::other_account_link(&link, Text::LinkOtherAccount);
        let is_denied = matches!(rejection.reason, Reason::AuthDenied | Reason::AuthClaimsTooLarge);
        let rejection = rejection.offer(Link { label: Text::LinkSignInAgain, ..link });
        Err(if is_denied { rejection.offer(other) } else { rejection })
    }

    /// Whether the browser has a session that is valid for this action. With several providers it may be of another one: nobody can have it
    /// replaced by leading the browser here.
    async fn has_session(&self, gate: &Arc<Authenticate>) -> bool {
        let action = self.endpoints.choosing(gate).unwrap_or(gate);
        action.open(self.worker, self.request.host(), self.headers, self.now).await.is_ok()
    }
}

impl Authenticate {
    /// Redirects the browser to the return address. With `SameSite=Strict`, a page does it, because the browser would not send the session
    /// cookie with a redirect that started at the provider.
    fn go_to(&self, to: &Destination, headers: &HeaderMap) -> Result<Response, Rejection> {
        match self.settings.same_site {
            SameSite::Strict => Ok(answer::page_that_goes_to(self.pages.view_for(headers), self.location(to))),
            SameSite::Lax | SameSite::None => answer::go(&self.pages, self.location(to), headers),
        }
    }

    /// The return address of a sign-in.
    fn location<'t>(&'t self, to: &'t Destination) -> &'t str {
        match to {
            Destination::Address(address) => on_this_origin(address),
            Destination::InCookie | Destination::Landing => &self.paths.sign_in,
        }
    }
}

/// Characters of `error_description` that are logged.
const DESCRIPTION_CHARS_MAX: usize = 256;

/// The rejection for an error of the provider. Its description comes through the browser, so anybody can write it: it goes to the log
/// only, escaped and cut (attacks C-12). Words with an `@` are left out, because the log has no e-mail addresses.
fn declined(error: &str, description: Option<&str>) -> Rejection {
    let reason = if error == "access_denied" { Reason::AuthDenied } else { Reason::AuthProviderError };
    let is_code = error.len() <= 64 && error.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_');
    let code = if is_code { error } else { "unknown" };
    let source = format!("the provider answered the sign-in with the error {code}");
    let Some(description) = description else { return Rejection::new(reason, source) };
    let start: String = description.chars().take(DESCRIPTION_CHARS_MAX).collect();
    let words: Vec<_> = start.split_whitespace().map(|word| if word.contains('@') { "…" } else { word }).collect();
    Rejection::new(reason, format!("{source}, which the browser says is described as {:?}", words.join(" ")))
}

/// The `prompt` of a second try after an error that may be temporary: the provider is busy (RFC 6749 §4.1.2.1), or it was told not to ask
/// the user although it must (OIDC Core §3.1.2.6).
fn recovery(error: &str) -> Option<Prompt> {
    match error {
        "temporarily_unavailable" => Some(Prompt::Configured),
        "login_required" | "interaction_required" | "consent_required" | "account_selection_required" => {
            Some(Prompt::NotNone)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn c_12_the_description_of_an_error_is_in_the_log_escaped_and_cut() {
        let logged =
            |description: &str| declined("access_denied", Some(description)).source.expect("a source").to_string();
        assert_eq!(
            logged("AADSTS50105: The user 'ada@example.com' is not assigned\r\nto a role.\u{1b}[2J\u{202e}"),
            r#"the provider answered the sign-in with the error access_denied, which the browser says is described as "AADSTS50105: The user … is not assigned to a role.\u{1b}[2J\u{202e}""#
        );
        assert!(logged(&"ä".repeat(50_000)).chars().count() < 400);
        let rejection = declined("access_denied", Some("x"));
        assert!(rejection.notes().is_empty() && rejection.facts().is_empty(), "none of it is on a page");
        assert!(declined("x\ny", None).source.expect("a source").to_string().ends_with("the error unknown"));
    }
}
