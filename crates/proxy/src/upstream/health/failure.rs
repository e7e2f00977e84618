//! Why a target did not answer a check as it should.

use http::StatusCode;
use tokio::time::Instant;

use crate::message::causes::with_causes;
use crate::upstream::error::Error;

/// Why a target did not answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum Failure {
    #[error("{}", .0.in_one_line())]
    Connecting(Error),
    #[error("{}", with_causes(.0))]
    Answer(#[source] hyper::Error),
    #[error("the target did not answer by HTTP/2: {0}")]
    Http2(#[source] h2::Error),
    #[error("the target did not agree to HTTP/2 in the TLS handshake")]
    NotHttp2,
    /// The answer has no gRPC status.
    #[error("the answer is not gRPC; its HTTP status is {}", .0.as_u16())]
    NotGrpc(StatusCode),
    /// The gRPC status is 0, but the message does not say that the server is serving.
    #[error("{0}")]
    NotServing(&'static str),
    #[error("no answer in time")]
    Timeout,
}

/// The end of the time that a check may take.
#[derive(Clone, Copy)]
pub(super) struct Deadline(pub(super) Instant);

impl Deadline {
    /// Runs a part of a check.
    pub(super) async fn of<T>(self, part: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
        tokio::time::timeout_at(self.0, part).await.unwrap_or(Err(Failure::Timeout))
    }
}
