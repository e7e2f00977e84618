//! Calls to one provider: bounded, counted, and lent to `openidconnect` as its HTTP client.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use openidconnect::{AsyncHttpClient, HttpRequest, HttpResponse};
use serde_json::Value;
use url::Url;

use crate::backchannel::Backchannel;
use crate::backchannel::error::Error as CallError;
use crate::backchannel::network::ANSWER_BYTES_MAX;
use crate::jose::strict_json;
use crate::message::{WholeRequest, WholeResponse};
use crate::oidc::error::{ErrorCode, FetchError};
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

/// The way to one provider.
#[derive(Debug)]
pub(crate) struct Caller {
    backchannel: Arc<dyn Backchannel>,
    timeout: Duration,
    /// Succeeded and failed, by [`Operation`].
    counters: [[Counter; 2]; Operation::ALL.len()],
}

impl Caller {
    /// A caller that counts under the provider's `name`.
    pub(crate) fn new(name: &str, backchannel: Arc<dyn Backchannel>, timeout: Duration, registry: &Registry) -> Self {
        let counter = |operation: Operation, outcome: &str| {
            registry.counter(
                "vestibule_provider_requests_total",
                "Requests to identity providers.",
                vec![
                    ("provider", name.to_owned()),
                    ("operation", operation.label().to_owned()),
                    ("outcome", outcome.to_owned()),
                ],
            )
        };
        let counters = Operation::ALL.map(|operation| [counter(operation, "ok"), counter(operation, "error")]);
        Self { backchannel, timeout, counters }
    }

    /// Counts how an operation went, and passes the result on.
    pub(crate) fn counted<T, E>(&self, operation: Operation, result: Result<T, E>) -> Result<T, E> {
        self.counters[operation as usize][usize::from(result.is_err())].increment();
        result
    }

    /// Makes one call. The deadline and the size hold whatever the back channel is.
    pub(crate) async fn call(&self, request: WholeRequest) -> Result<WholeResponse, CallError> {
        // Dropping the call is how the back channel is told to give up.
        let response = tokio::time::timeout(self.timeout, self.backchannel.call(request)).await;
        let response = response.unwrap_or(Err(CallError::Timeout))?;
        if response.body().len() > ANSWER_BYTES_MAX {
            return Err(CallError::TooLarge(ANSWER_BYTES_MAX));
        }
        Ok(response)
    }

    /// Fetches a public document.
    pub(crate) async fn document(&self, url: &Url) -> Result<Bytes, FetchError> {
        let request = Request::get(url.as_str())
            .header(header::ACCEPT, "application/json")
            .body(Bytes::new())
            .map_err(|_| FetchError::Content("the address is not one"))?;
        let response = self.call(request).await?;
        match response.status() {
            StatusCode::OK => Ok(response.into_body()),
            status => Err(FetchError::Status(status)),
        }
    }
}

/// Why the token endpoint gave no tokens.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Refusal {
    /// There was no answer.
    #[error("the call failed")]
    Call(#[from] CallError),
    /// The answer is not a 200. Redirects are among them: they are not followed with a secret in hand (attacks C-17).
    #[error("the token endpoint answered {status}")]
    Status { status: StatusCode, code: ErrorCode },
}

impl<'c> AsyncHttpClient<'c> for Caller {
    type Error = Refusal;
    type Future = Pin<Box<dyn Future<Output = Result<HttpResponse, Refusal>> + Send + 'c>>;

    fn call(&'c self, request: HttpRequest) -> Self::Future {
        Box::pin(async move {
            let response = Self::call(self, request.map(Bytes::from)).await?;
            match response.status() {
                StatusCode::OK => Ok(response.map(Vec::from)),
                status => Err(Refusal::Status { status, code: error_code(response.body()) }),
            }
        })
    }
}

/// The `error` member of RFC 6749 §5.2. `error_description` is not kept: it is a stranger's prose (attacks C-12).
fn error_code(body: &[u8]) -> ErrorCode {
    let object = strict_json::object(body).unwrap_or_default();
    ErrorCode::of(object.get("error").and_then(Value::as_str).unwrap_or_default())
}
