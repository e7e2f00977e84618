//! OTLP over gRPC (OTLP §OTLP/gRPC).

use std::future::Future;
use std::pin::Pin;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use bytes::Bytes;
use http::HeaderMap;

use crate::backchannel::call::Error;
use crate::backchannel::grpc::{Answer, Call, Channel, Settings};
use crate::otlp::gzip;
use crate::otlp::message;
use crate::otlp::settings::Collector;
use crate::otlp::transport::{Outcome, Transport, causes};

const PATH: &str = "/opentelemetry.proto.collector.trace.v1.TraceService/Export";

/// Calls `TraceService/Export`.
#[derive(Debug)]
pub(super) struct Grpc {
    channel: Channel,
    headers: HeaderMap,
    compresses: bool,
}

impl Grpc {
    /// # Errors
    ///
    /// [`Error::Setup`].
    pub(super) fn new(collector: &Collector) -> Result<Self, Error> {
        let ((host, port), is_tls) = (collector.place(), collector.is_tls());
        let (roots, timeout) = (collector.roots.clone(), collector.timeout);
        let channel = Channel::new(Settings { host, port, is_tls, roots, timeout })?;
        Ok(Self { channel, headers: collector.header_map(), compresses: collector.compresses })
    }
}

impl Transport for Grpc {
    fn send(&mut self, request: Bytes) -> Pin<Box<dyn Future<Output = Outcome> + Send + '_>> {
        let message = if self.compresses { gzip::compress(&request).into() } else { request };
        Box::pin(async move {
            let call = Call { path: PATH, headers: &self.headers, message, is_gzip: self.compresses };
            match self.channel.call(&call).await {
                Ok(answer) => outcome(answer),
                Err(error @ (Error::Insecure | Error::Setup(_))) => Outcome::Refused { why: causes(&error) },
                Err(error) => Outcome::Later { why: causes(&error), after: None },
            }
        })
    }
}

/// The table of OTLP/gRPC: after which codes the same request may be sent again.
fn outcome(answer: Answer) -> Outcome {
    let Answer { code, text, details, message } = answer;
    let why = format!("the collector answered with the gRPC status {code} {text:?}");
    let asked = || message::retry_after(decoded(&details?)?);
    match code {
        0 => {
            let (refused, text) = message::refused(message);
            Outcome::Taken { refused, text }
        }
        // CANCELLED, DEADLINE_EXCEEDED, ABORTED, OUT_OF_RANGE, UNAVAILABLE, DATA_LOSS.
        1 | 4 | 10 | 11 | 14 | 15 => Outcome::Later { why, after: asked() },
        // RESOURCE_EXHAUSTED: only if the collector says that it can recover.
        8 => match asked() {
            Some(after) => Outcome::Later { why, after: Some(after) },
            None => Outcome::Refused { why },
        },
        _ => Outcome::Refused { why },
    }
}

/// Metadata in binary is in base64, with or without padding.
fn decoded(text: &[u8]) -> Option<Bytes> {
    STANDARD_NO_PAD.decode(text).or_else(|_| STANDARD.decode(text)).ok().map(Bytes::from)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// `google.rpc.Status` with a `RetryInfo` of 7.5 seconds, as Python's `google.rpc` writes it.
    const RETRY_INFO: &[u8] =
        b"CAgSBGJ1c3kaNgoodHlwZS5nb29nbGVhcGlzLmNvbS9nb29nbGUucnBjLlJldHJ5SW5mbxIKCggIBxCAyrXuAQ==";

    fn answer(code: u16, details: Option<&'static [u8]>) -> Outcome {
        outcome(Answer { code, details: details.map(Bytes::from_static), ..Answer::default() })
    }

    #[test]
    fn only_what_may_succeed_later_is_sent_again() {
        assert_eq!(answer(0, None), Outcome::Taken { refused: 0, text: String::new() });
        for code in [1, 4, 10, 11, 14, 15] {
            assert!(matches!(answer(code, None), Outcome::Later { after: None, .. }), "{code}");
        }
        for code in [2, 3, 5, 6, 7, 8, 9, 12, 13, 16, 99] {
            assert!(matches!(answer(code, None), Outcome::Refused { .. }), "{code}");
        }
    }

    #[test]
    fn the_collector_says_how_long_to_wait() {
        for code in [8, 14] {
            let Outcome::Later { after, .. } = answer(code, Some(RETRY_INFO)) else { panic!("{code}") };
            assert_eq!(after, Some(Duration::from_millis(7500)), "{code}");
        }
        for unreadable in [&b"="[..], b"AAAA", b""] {
            assert!(matches!(answer(8, Some(unreadable)), Outcome::Refused { .. }));
        }
    }
}
