//! Calls to one provider: with timeouts, size limits, metrics and circuit breakers. Also the HTTP client for `openidconnect`.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use tokio::sync::Notify;
use url::Url;

use crate::backchannel::call::{Backchannel, Error as CallError};
use crate::backchannel::network::ANSWER_BYTES_MAX;
use crate::clock::{Clock, Timestamp};
use crate::message::{WholeRequest, WholeResponse};
use crate::oidc::breaker::{Breaker, Change, Outcome};
use crate::oidc::document::{Document, Unreadable, without_mark};
use crate::oidc::error::{ErrorCode, FetchFault};
use crate::telemetry::metrics::{Counter, Histogram, Registry};
use crate::telemetry::traces::scope::{self, Begun};
use crate::telemetry::traces::span::Kind;

/// The purpose of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Discovery,
    Jwks,
    Token,
    Refresh,
    Userinfo,
    Groups,
    Introspection,
}

impl Operation {
    const ALL: [Self; 7] =
        [Self::Discovery, Self::Jwks, Self::Token, Self::Refresh, Self::Userinfo, Self::Groups, Self::Introspection];

    const fn label(self) -> &'static str {
        match self {
            Self::Discovery => "discovery",
            Self::Jwks => "jwks",
            Self::Token => "token",
            Self::Refresh => "refresh",
            Self::Userinfo => "userinfo",
            Self::Groups => "groups",
            Self::Introspection => "introspection",
        }
    }
}

/// The endpoint of a call. Each has its own breaker, so that a userinfo endpoint that hangs does not block the keys.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Discovery,
    Jwks,
    Token,
    Userinfo,
    /// Microsoft Graph.
    Groups,
    Introspection,
}

impl Endpoint {
    pub(crate) const ALL: [Self; 6] =
        [Self::Discovery, Self::Jwks, Self::Token, Self::Userinfo, Self::Groups, Self::Introspection];

    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Discovery => "discovery",
            Self::Jwks => "jwks",
            Self::Token => "token",
            Self::Userinfo => "userinfo",
            Self::Groups => "groups",
            Self::Introspection => "introspection",
        }
    }
}

/// Makes the calls to one provider.
#[derive(Debug)]
pub(crate) struct Caller {
    provider: Arc<str>,
    backchannel: Arc<dyn Backchannel>,
    timeout: Duration,
    clock: Clock,
    /// Counters of successes and failures, by [`Operation`].
    counters: [[Counter; 2]; Operation::ALL.len()],
    durations: [Histogram; Endpoint::ALL.len()],
    endpoints: Mutex<[State; Endpoint::ALL.len()]>,
    /// Gauges: 1 if the breaker of the endpoint is open.
    open: [Counter; Endpoint::ALL.len()],
    /// Notified when a breaker opens, and when this caller is dropped.
    opened: Arc<Notify>,
}

/// Ends the span of a call.
fn recorded(span: Option<Begun>, result: &Result<WholeResponse, CallError>) {
    let Some(mut span) = span else { return };
    match result {
        Ok(response) => {
            span.attributes.number("http.response.status_code", response.status().as_u16());
            if response.status().as_u16() >= 400 {
                span.fail(response.status().as_str());
            }
        }
        // The name alone: the cause may say more than a span may hold.
        Err(error) => span.fail(match error {
            CallError::Timeout => "timeout",
            CallError::Connect(_) => "connect",
            CallError::CircuitOpen => "circuit_open",
            CallError::TooLarge(_) => "too_large",
            CallError::Broken(_) => "broken",
            CallError::Insecure | CallError::Setup(_) => "setup",
        }),
    }
}

/// The state of one endpoint.
#[derive(Debug, Default)]
struct State {
    breaker: Breaker,
    failing: Option<Failing>,
}

/// An endpoint that fails.
#[derive(Clone, Debug)]
pub(crate) struct Failing {
    pub(crate) since: Timestamp,
    pub(crate) why: String,
}

impl Drop for Caller {
    fn drop(&mut self) {
        // Ends the watch, which waits for this and does not keep the caller.
        self.opened.notify_one();
    }
}

impl Caller {
    /// Creates a caller. Its metrics have the label `name`.
    pub(crate) fn new(
        name: &Arc<str>,
        backchannel: Arc<dyn Backchannel>,
        timeout: Duration,
        clock: Clock,
        registry: &Registry,
    ) -> Self {
        let counter = |operation: Operation, outcome: &str| {
            registry.counter(
                "vestibule_provider_requests_total",
                "Requests to identity providers.",
                vec![
                    ("provider", name.to_string()),
                    ("operation", operation.label().to_owned()),
                    ("outcome", outcome.to_owned()),
                ],
            )
        };
        let duration = |endpoint: Endpoint| {
            registry.histogram(
                "vestibule_provider_request_duration_seconds",
                "Time of a call to an identity provider, also if it fails.",
                vec![("provider", name.to_string()), ("endpoint", endpoint.label().to_owned())],
            )
        };
        let gauge = |endpoint: Endpoint| {
            registry.gauge(
                "vestibule_provider_circuit_open",
                "1 while no calls are made to an identity provider's endpoint because it does not answer.",
                vec![("provider", name.to_string()), ("endpoint", endpoint.label().to_owned())],
            )
        };
        Self {
            provider: Arc::clone(name),
            backchannel,
            timeout,
            clock,
            counters: Operation::ALL.map(|operation| [counter(operation, "ok"), counter(operation, "error")]),
            durations: Endpoint::ALL.map(duration),
            endpoints: Mutex::default(),
            open: Endpoint::ALL.map(gauge),
            opened: Arc::default(),
        }
    }

    /// Counts the result of an operation and returns it.
    pub(crate) fn counted<T, E>(&self, operation: Operation, result: Result<T, E>) -> Result<T, E> {
        self.counters[operation as usize][usize::from(result.is_err())].increment();
        result
    }

    /// Makes one call, unless the breaker of the endpoint is open. Timeout and size limit apply to every kind of back channel.
    pub(crate) async fn call(&self, endpoint: Endpoint, request: WholeRequest) -> Result<WholeResponse, CallError> {
        if self.state()[endpoint as usize].breaker.open_since().is_some() {
            return Err(CallError::CircuitOpen);
        }
        let (outcome, result) = self.attempt(endpoint, request).await;
        let change = self.record(endpoint, &result, |breaker, now| breaker.record(outcome, now));
        if change == Change::Opened {
            self.open[endpoint as usize].increment();
            self.opened.notify_one();
            tracing::error!(
                provider.name = %self.provider, endpoint = endpoint.label(),
                "an identity provider does not answer in time; no more calls are made until a probe is answered"
            );
        }
        result
    }

    /// Makes one call although the breaker is open. Returns whether the breaker is closed afterwards.
    pub(crate) async fn probe(&self, endpoint: Endpoint, request: WholeRequest) -> bool {
        let (outcome, result) = self.attempt(endpoint, request).await;
        // A refused connection fails at once, but it does not count as a response.
        let outcome = if result.is_err() { Outcome::Stalled } else { outcome };
        let change = self.record(endpoint, &result, |breaker, _| breaker.record_probe(outcome));
        if change == Change::Closed {
            self.open[endpoint as usize].decrement();
            tracing::info!(
                provider.name = %self.provider, endpoint = endpoint.label(), "an identity provider answers again"
            );
        }
        change == Change::Closed
    }

    async fn attempt(&self, endpoint: Endpoint, request: WholeRequest) -> (Outcome, Result<WholeResponse, CallError>) {
        let began = self.clock.instant();
        let span = self.span(endpoint, &request);
        // Dropping the future cancels the call.
        let response = tokio::time::timeout(self.timeout, self.backchannel.call(request)).await;
        let took = self.clock.instant().saturating_duration_since(began);
        self.durations[endpoint as usize].observe(took);
        let result = response.unwrap_or(Err(CallError::Timeout)).and_then(|response| {
            let is_too_large = response.body().len() > ANSWER_BYTES_MAX;
            if is_too_large { Err(CallError::TooLarge(ANSWER_BYTES_MAX)) } else { Ok(response) }
        });
        recorded(span, &result);
        let is_failure = result.as_ref().map_or(true, |response| response.status().is_server_error());
        let outcome = match &result {
            Err(CallError::Timeout) => Outcome::Stalled,
            _ => Outcome::of(is_failure, took, self.timeout),
        };
        (outcome, result)
    }

    /// The span of a call that a recorded request has caused.
    fn span(&self, endpoint: Endpoint, request: &WholeRequest) -> Option<Begun> {
        let mut span = scope::begin(format!("{} {}", request.method(), endpoint.label()), Kind::Client)?;
        let uri = request.uri();
        span.attributes.method(request.method().as_str());
        if let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) {
            let default = if scheme == "https" { 443 } else { 80 };
            span.attributes.server(&format!("{}:{}", authority.host(), authority.port_u16().unwrap_or(default)));
            // Without the query, which may have secrets in it.
            let place = authority.as_str().rsplit('@').next().unwrap_or_default();
            span.attributes.text("url.full", &format!("{scheme}://{place}{}", uri.path()));
        }
        span.attributes.text("vestibule.provider", &self.provider);
        Some(span)
    }

    fn record(
        &self,
        endpoint: Endpoint,
        result: &Result<WholeResponse, CallError>,
        tell: impl FnOnce(&mut Breaker, Timestamp) -> Change,
    ) -> Change {
        let now = self.clock.now();
        let why = match result {
            Ok(response) if response.status().is_server_error() => Some(format!("answered {}", response.status())),
            Ok(_) => None,
            Err(error) => Some(error.to_string()),
        };
        let mut endpoints = self.state();
        let state = &mut endpoints[endpoint as usize];
        state.fail(why, now);
        tell(&mut state.breaker, now)
    }

    /// Records that the response of an endpoint cannot be used.
    pub(crate) fn note(&self, endpoint: Endpoint, why: String) {
        let now = self.clock.now();
        self.state()[endpoint as usize].fail(Some(why), now);
    }

    /// The endpoints that fail.
    pub(crate) fn failing(&self) -> Vec<(Endpoint, Failing)> {
        let endpoints = self.state();
        let failing = |endpoint: Endpoint| Some((endpoint, endpoints[endpoint as usize].failing.clone()?));
        Endpoint::ALL.into_iter().filter_map(failing).collect()
    }

    /// The endpoints whose breakers are open.
    pub(crate) fn cut_off(&self) -> Vec<Endpoint> {
        let endpoints = self.state();
        Endpoint::ALL.into_iter().filter(|e| endpoints[*e as usize].breaker.open_since().is_some()).collect()
    }

    /// Notified when a breaker opens, and when this caller is dropped.
    pub(crate) fn opened(&self) -> Arc<Notify> {
        Arc::clone(&self.opened)
    }

    fn state(&self) -> MutexGuard<'_, [State; Endpoint::ALL.len()]> {
        self.endpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fetches a public document. Ignores the content type, because some providers send a wrong one or none.
    pub(crate) async fn document(&self, endpoint: Endpoint, url: &Url) -> Result<Bytes, FetchFault> {
        let response = self.call(endpoint, get(url)?).await.map_err(FetchFault::Call)?;
        match response.status() {
            status if status.is_success() => Ok(response.into_body()),
            status => Err(FetchFault::Status(status)),
        }
    }
}

impl State {
    fn fail(&mut self, why: Option<String>, now: Timestamp) {
        self.failing = why.map(|why| {
            let since = self.failing.as_ref().map_or(now, |failing| failing.since);
            Failing { since, why }
        });
    }
}

/// Builds the request for a public document.
///
/// # Errors
///
/// [`FetchFault::Address`].
pub(crate) fn get(url: &Url) -> Result<WholeRequest, FetchFault> {
    let request = Request::get(url.as_str()).header(header::ACCEPT, "application/json");
    request.body(Bytes::new()).map_err(|_| FetchFault::Address)
}

/// Why the token endpoint returned no tokens.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// There was no response.
    #[error("the call failed")]
    Call(#[from] CallError),
    /// The response is an error. Redirects count as errors, because the request contains a secret (attacks C-17).
    #[error("the token endpoint answered {status}")]
    Status { status: StatusCode, code: ErrorCode },
    /// The status is a success, but the body is not a JSON object.
    #[error("the answer is not usable: {0}")]
    Content(Unreadable),
}

/// The token endpoint, as `openidconnect` calls it.
pub(crate) struct TokenEndpoint<'c>(pub(crate) &'c Caller);

impl fmt::Debug for TokenEndpoint<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TokenEndpoint")
    }
}

impl<'c> AsyncHttpClient<'c> for TokenEndpoint<'_> {
    type Error = Refusal;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Refusal>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let response = self.0.call(Endpoint::Token, request.map(Bytes::from)).await?;
            let (status, body) = (response.status(), response.body());
            let document = Document::read(body);
            if !status.is_success() {
                let code = document.map_or_else(|_| ErrorCode::of(""), |document| error_code(&document));
                return Err(Refusal::Status { status, code });
            }
            let document = document.map_err(Refusal::Content)?;
            // Some providers send an error with 200 (RFC 6749 §5.2 says 400).
            if document.0.contains_key("error") && !document.0.contains_key("access_token") {
                return Err(Refusal::Status { status, code: error_code(&document) });
            }
            // `openidconnect` requires status 200 and a content type. Here only the JSON object matters.
            let mut usable = HttpResponse::new(without_mark(body).to_vec());
            let json = http::HeaderValue::from_static("application/json");
            usable.headers_mut().insert(header::CONTENT_TYPE, json);
            Ok(usable)
        })
    }
}

/// The `error` member of RFC 6749 §5.2. `error_description` is dropped, because it is text that others wrote (attacks C-12).
fn error_code(document: &Document) -> ErrorCode {
    ErrorCode::of(&document.text("error").ok().flatten().unwrap_or_default())
}
