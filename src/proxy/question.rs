//! The life of a question: what another proxy asks about a request of its own (decision 80).
//!
//! The request that is described goes through the same rules and the same gates as one that came here. Only `allow` answers with a status
//! that lets it pass: whatever else answers 2xx, as a page does that redirects, is turned into a refusal in [`refusal`].

use std::rc::Rc;

use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};

use crate::action::allow::Allowed;
use crate::exchange::rejection::{Reason, Rejection};
use crate::exchange::{Exchange, Matched};
use crate::forward_auth::described::Described;
use crate::forward_auth::questions::{Question, Questions};
use crate::forward_auth::settings::{AskedBy, Refusals};
use crate::message::body::Body;
use crate::message::{Request, Response, media};
use crate::proxy::decide::{Decided, Decision};
use crate::proxy::finish::{self, Recorder};
use crate::proxy::{Proxy, decide};

/// How many `Set-Cookie` lines of an answer that lets a request pass are named one by one, for proxies that can pass on only one line of a
/// name. A session has four cookies at most, and each is set or deleted in one line.
const COOKIES: [HeaderName; 4] = [
    HeaderName::from_static("x-vestibule-set-cookie-0"),
    HeaderName::from_static("x-vestibule-set-cookie-1"),
    HeaderName::from_static("x-vestibule-set-cookie-2"),
    HeaderName::from_static("x-vestibule-set-cookie-3"),
];
/// `Cache-Control` for the response of the application, if that must not be stored by shared caches.
const CACHE_CONTROL: HeaderName = HeaderName::from_static("x-vestibule-cache-control");

impl Proxy {
    /// Answers a question, or a request to a reserved path that the other proxy passes on.
    pub(super) async fn answer_question(
        &self,
        questions: &Questions,
        mut recorder: Box<Recorder>,
        request: &mut Request,
    ) -> Response {
        let exchange = &mut recorder.exchange;
        let may_ask = questions.may_ask(exchange.connection.peer);
        let uri = request.uri().clone();
        let Some(question) = questions.find(&uri) else {
            let outcome =
                if may_ask { self.own_path(exchange, request).await } else { Err(Reason::ForwardAuthPeer.into()) };
            return finish::finish(recorder, outcome, request.headers(), &self.answers());
        };
        let outcome = match may_ask {
            true => self.ask(question, exchange, request).await,
            false => Err(Reason::ForwardAuthPeer.into()),
        };
        let response = finish::render(&mut recorder, outcome, request.headers(), &self.answers());
        let target = recorder.exchange.request.as_ref().map(|described| described.target.as_str());
        let response = match response.extensions().get::<Allowed>() {
            Some(_) if question.is_handed_over() => Box::new(go_back(*response, target)),
            Some(_) => Box::new(allowed(question.asked_by, *response)),
            None => Box::new(refusal(question, *response)),
        };
        finish::send(recorder, response)
    }

    /// A request that the other proxy has passed on: only Vestibule's own paths and user pools are served here.
    async fn own_path(&self, exchange: &mut Exchange, request: &mut Request) -> Result<Box<Response>, Rejection> {
        let Decided { request: canonical, decision } = decide::decide(&self.snapshot, exchange, request)?;
        let Decision::Ours(answering) = decision else { return Err(Reason::NotFound.into()) };
        if request.body().is_websocket() {
            return Err(Reason::RequestMethod.into());
        }
        exchange.preferred = Some(media::preferred(request.headers()));
        exchange.language = Some(self.snapshot.pages.language(request.headers()));
        let request = std::mem::take(request);
        let worker = &self.worker.authenticate;
        answering.answer(worker, &self.control, exchange, &canonical, request).await.map(Box::new)
    }

    /// Runs the rule of the request that is described.
    async fn ask(
        &self,
        question: Question<'_>,
        exchange: &mut Exchange,
        request: &mut Request,
    ) -> Result<Box<Response>, Rejection> {
        let described = Described::of(question.asked_by, question.below, request, &exchange.connection.forwarded)
            .map_err(|error| Rejection::new(Reason::ForwardAuthDescription, error))?;
        exchange.client = described.client;
        exchange.scheme = described.scheme;
        described.put_into(request);
        let (canonical, rule) = decide::decide_described(&self.snapshot, exchange, request)?;
        if question.refusals == Refusals::Status {
            not_led_away(request.headers_mut());
        }
        let index = rule.payload.place;
        exchange.rule = Some(Matched { name: Rc::clone(&self.rule_names[index]), index });
        rule.payload.chain.run(&self.worker, exchange, &canonical, request).await
    }
}

/// Marks a request as one that cannot be led to the provider, because only a status is answered. A sign-in that nobody can follow must not
/// begin. Rules have been matched before.
fn not_led_away(headers: &mut HeaderMap) {
    headers.insert("sec-fetch-mode", HeaderValue::from_static("no-cors"));
}

/// The answer that lets the request pass.
fn allowed(asked_by: AskedBy, mut response: Response) -> Response {
    let headers = response.headers_mut();
    if matches!(asked_by, AskedBy::Nginx | AskedBy::Caddy) {
        if let Some(value) = headers.remove(header::CACHE_CONTROL) {
            headers.insert(CACHE_CONTROL, value);
        }
        let lines: Vec<HeaderValue> = headers.get_all(header::SET_COOKIE).iter().cloned().collect();
        headers.remove(header::SET_COOKIE);
        headers.extend(COOKIES.into_iter().zip(lines));
    }
    // No cache of the other proxy may answer for us.
    headers.insert(header::VARY, HeaderValue::from_static("*"));
    response
}

/// The answer to a request that was handed over because it could not pass, and can now: its client sends it again. What the application
/// would get is not for the client.
fn go_back(response: Response, target: Option<&str>) -> Response {
    let (mut parts, _) = response.into_parts();
    let cookies: Vec<HeaderValue> = parts.headers.get_all(header::SET_COOKIE).iter().cloned().collect();
    parts.headers = HeaderMap::new();
    parts.headers.extend(cookies.into_iter().map(|line| (header::SET_COOKIE, line)));
    parts.headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    let location = target.and_then(|target| HeaderValue::from_bytes(target.as_bytes()).ok());
    parts.status = StatusCode::TEMPORARY_REDIRECT;
    parts.headers.extend(location.map(|location| (header::LOCATION, location)));
    Response::from_parts(parts, Body::empty())
}

/// The answer to a request that may not pass. Its status is never one that the other proxy takes for an "allowed" (attacks F-07, F-09).
fn refusal(question: Question<'_>, mut response: Response) -> Response {
    let status = response.status();
    if question.is_handed_over() {
        return response;
    }
    if status.is_success() || status.is_informational() {
        *response.status_mut() = StatusCode::UNAUTHORIZED;
    }
    if question.refusals == Refusals::Answer {
        return response;
    }
    let is_sign_in = response.status() == StatusCode::UNAUTHORIZED || status.is_redirection();
    let mut bare = Response::new(Body::empty());
    *bare.status_mut() = if is_sign_in { StatusCode::UNAUTHORIZED } else { StatusCode::FORBIDDEN };
    if let Some(challenge) = response.headers_mut().remove(header::WWW_AUTHENTICATE) {
        bare.headers_mut().insert(header::WWW_AUTHENTICATE, challenge);
    }
    bare.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    bare
}
