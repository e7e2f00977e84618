//! How a request gets to the collector.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use bytes::Bytes;

/// Sends requests of OTLP. Two implementations: gRPC and HTTP.
pub(super) trait Transport: Send {
    /// Makes one attempt to send the encoded request. Has a timeout.
    fn send(&mut self, request: Bytes) -> Pin<Box<dyn Future<Output = Outcome> + Send + '_>>;
}

/// What the collector says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Outcome {
    /// It has taken the spans, apart from `refused` of them. `text` says why, or warns.
    Taken { refused: u64, text: String },
    /// The same request may succeed later, after a time if the collector says so.
    Later { why: String, after: Option<Duration> },
    /// The same request will never succeed.
    Refused { why: String },
}

/// An error with everything that caused it.
pub(super) fn causes(error: &dyn std::error::Error) -> String {
    let causes = std::iter::successors(Some(error), |error| error.source());
    causes.map(ToString::to_string).collect::<Vec<_>>().join(": ")
}
