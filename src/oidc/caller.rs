//! Calls to one provider: bounded, counted, cut off by a circuit breaker, and lent to `openidconnect` as its HTTP client.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use url::Url;

use crate::backchannel::Backchannel;
use crate::backchannel::error::Error as CallError;
use crate::backchannel::network::ANSWER_BYTES_MAX;
use crate::clock::{Clock, Timestamp};
use crate::message::{WholeRequest, WholeResponse};
use crate::oidc::breaker::{Breaker, Change, Outcome};
use crate::oidc::document::{Document, Unreadable, without_mark};
use crate::oidc::error::{ErrorCode, FetchFault};
use crate::telemetry::metrics::{Counter, Registry};

/// What a call is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Operation {
    Discovery,
    Jwks,
    Token,
    Refresh,
    Userinfo,
}

impl Operation {
    const ALL: [Self; 5] = [Self::Discovery, Self::Jwks, Self::Token, Self::Refresh, Self::Userinfo];

    const fn label(self) -> &'static str {
        match self {
            Self::Discovery => "discovery",
            Self::Jwks => "jwks",
            Self::Token => "token",
            Self::Refresh => "refresh",
            Self::Userinfo => "userinfo",
        }
    }
}

/// What is called. Each has a breaker of its own: a userinfo endpoint that hangs does not keep the keys away.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Endpoint {
    Discovery,
    Jwks,
    Token,
    Userinfo,
}

impl Endpoint {
    pub(crate) const ALL: [Self; 4] = [Self::Discovery, Self::Jwks, Self::Token, Self::Userinfo];

    pub(crate) const fn label(self) -> &'static str {
        match self {
            Self::Discovery => "discovery",
            Self::Jwks => "jwks",
            Self::Token => "token",
            Self::Userinfo => "userinfo",
        }
    }
}

/// The way to one provider.
#[derive(Debug)]
pub(crate) struct Caller {
    provider: Arc<str>,
    backchannel: Arc<dyn Backchannel>,
    timeout: Duration,
    clock: Clock,
    /// Succeeded and failed, by [`Operation`].
    counters: [[Counter; 2]; Operation::ALL.len()],
    endpoints: Mutex<[State; Endpoint::ALL.len()]>,
    /// 1 for each endpoint whose breaker is open.
    open: [Counter; Endpoint::ALL.len()],
    /// Told when a breaker opens.
    opened: tokio::sync::Notify,
}

/// What is known of one endpoint.
#[derive(Debug, Default)]
struct State {
    breaker: Breaker,
    failing: Option<Failing>,
}

/// An endpoint that does not do what it should.
#[derive(Clone, Debug)]
pub(crate) struct Failing {
    pub(crate) since: Timestamp,
    pub(crate) why: String,
}

impl Caller {
    /// A caller that counts under the provider's `name`.
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
            endpoints: Mutex::default(),
            open: Endpoint::ALL.map(gauge),
            opened: tokio::sync::Notify::new(),
        }
    }

    /// Counts how an operation went, and passes the result on.
    pub(crate) fn counted<T, E>(&self, operation: Operation, result: Result<T, E>) -> Result<T, E> {
        self.counters[operation as usize][usize::from(result.is_err())].increment();
        result
    }

    /// Makes one call, unless the endpoint's breaker is open. The deadline and the size hold whatever the back channel is.
    pub(crate) async fn call(&self, endpoint: Endpoint, request: WholeRequest) -> Result<WholeResponse, CallError> {
        if self.state()[endpoint as usize].breaker.open_since().is_some() {
            return Err(CallError::CircuitOpen);
        }
        let (outcome, result) = self.attempt(request).await;
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

    /// Makes one call although the breaker is open, to see whether it may be closed. Answers whether it was.
    pub(crate) async fn probe(&self, endpoint: Endpoint, request: WholeRequest) -> bool {
        let (outcome, result) = self.attempt(request).await;
        // A refused connection is prompt, and still no answer.
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

    async fn attempt(&self, request: WholeRequest) -> (Outcome, Result<WholeResponse, CallError>) {
        let began = self.clock.instant();
        // Dropping the call is how the back channel is told to give up.
        let response = tokio::time::timeout(self.timeout, self.backchannel.call(request)).await;
        let took = self.clock.instant().saturating_duration_since(began);
        let result = response.unwrap_or(Err(CallError::Timeout)).and_then(|response| {
            let is_too_large = response.body().len() > ANSWER_BYTES_MAX;
            if is_too_large { Err(CallError::TooLarge(ANSWER_BYTES_MAX)) } else { Ok(response) }
        });
        let is_failure = result.as_ref().map_or(true, |response| response.status().is_server_error());
        let outcome = match &result {
            Err(CallError::Timeout) => Outcome::Stalled,
            _ => Outcome::of(is_failure, took, self.timeout),
        };
        (outcome, result)
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

    /// Notes that an endpoint answered with something that cannot be used.
    pub(crate) fn note(&self, endpoint: Endpoint, why: String) {
        let now = self.clock.now();
        self.state()[endpoint as usize].fail(Some(why), now);
    }

    /// Every endpoint that fails.
    pub(crate) fn failing(&self) -> Vec<(Endpoint, Failing)> {
        let endpoints = self.state();
        let failing = |endpoint: Endpoint| Some((endpoint, endpoints[endpoint as usize].failing.clone()?));
        Endpoint::ALL.into_iter().filter_map(failing).collect()
    }

    /// Every endpoint whose breaker is open.
    pub(crate) fn cut_off(&self) -> Vec<Endpoint> {
        let endpoints = self.state();
        Endpoint::ALL.into_iter().filter(|e| endpoints[*e as usize].breaker.open_since().is_some()).collect()
    }

    /// Waits until a breaker opens, or has opened since this was last awaited.
    pub(crate) async fn cut(&self) {
        self.opened.notified().await;
    }

    fn state(&self) -> MutexGuard<'_, [State; Endpoint::ALL.len()]> {
        self.endpoints.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Fetches a public document. Its content type is not looked at: some providers send a wrong one, or none.
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

/// Asks for a public document.
///
/// # Errors
///
/// [`FetchFault::Address`].
pub(crate) fn get(url: &Url) -> Result<WholeRequest, FetchFault> {
    let request = Request::get(url.as_str()).header(header::ACCEPT, "application/json");
    request.body(Bytes::new()).map_err(|_| FetchFault::Address)
}

/// Why the token endpoint gave no tokens.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// There was no answer.
    #[error("the call failed")]
    Call(#[from] CallError),
    /// The answer is an error. Redirects are among them: they are not followed with a secret in hand (attacks C-17).
    #[error("the token endpoint answered {status}")]
    Status { status: StatusCode, code: ErrorCode },
    /// The answer is a success and not a JSON object.
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
            // `openidconnect` insists on 200 and on a content type; what counts is that it is a JSON object.
            let mut usable = HttpResponse::new(without_mark(body).to_vec());
            let json = http::HeaderValue::from_static("application/json");
            usable.headers_mut().insert(header::CONTENT_TYPE, json);
            Ok(usable)
        })
    }
}

/// The `error` member of RFC 6749 §5.2. `error_description` is not kept: it is a stranger's prose (attacks C-12).
fn error_code(document: &Document) -> ErrorCode {
    ErrorCode::of(&document.text("error").ok().flatten().unwrap_or_default())
}
