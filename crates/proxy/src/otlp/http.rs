//! OTLP over HTTP, with protobuf (OTLP §OTLP/HTTP).

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, Method, StatusCode, Uri, header};

use crate::backchannel::call::{Backchannel, Error};
use crate::backchannel::network::{self, Network};
use crate::clock::Clock;
use crate::message::{WholeRequest, WholeResponse};
use crate::otlp::gzip;
use crate::otlp::message;
use crate::otlp::settings::Collector;
use crate::otlp::transport::{Outcome, Transport, causes};

const PROTOBUF: HeaderValue = HeaderValue::from_static("application/x-protobuf");
const GZIP: HeaderValue = HeaderValue::from_static("gzip");

/// Posts requests.
#[derive(Debug)]
pub(super) struct Http {
    network: Arc<dyn Backchannel>,
    endpoint: Uri,
    headers: HeaderMap,
    compresses: bool,
    clock: Clock,
}

impl Http {
    /// # Errors
    ///
    /// [`Error::Setup`].
    pub(super) fn new(collector: &Collector, clock: Clock) -> Result<Self, Error> {
        let (host, port) = collector.place();
        let named = if host.contains(':') { format!("[{host}]") } else { host.to_ascii_lowercase() };
        let named = if port == 80 { named } else { format!("{named}:{port}") };
        let network = Network::new(&network::Settings {
            roots: collector.roots.clone(),
            timeout: collector.timeout,
            allow_http_loopback: true,
            // Of the configuration, which warns of it.
            insecure_http_hosts: if collector.is_tls() { Vec::new() } else { vec![named.into()] },
        })?;
        Ok(Self {
            network: Arc::new(network),
            endpoint: collector.endpoint.clone(),
            headers: collector.header_map(),
            compresses: collector.compresses,
            clock,
        })
    }

    fn request(&self, request: Bytes) -> WholeRequest {
        let mut whole = WholeRequest::new(if self.compresses { gzip::compress(&request).into() } else { request });
        *whole.method_mut() = Method::POST;
        whole.uri_mut().clone_from(&self.endpoint);
        whole.headers_mut().clone_from(&self.headers);
        whole.headers_mut().insert(header::CONTENT_TYPE, PROTOBUF);
        if self.compresses {
            whole.headers_mut().insert(header::CONTENT_ENCODING, GZIP);
        }
        whole
    }
}

impl Transport for Http {
    fn send(&mut self, request: Bytes) -> Pin<Box<dyn Future<Output = Outcome> + Send + '_>> {
        let request = self.request(request);
        Box::pin(async move {
            match self.network.call(request).await {
                Ok(response) => outcome(response, self.clock.now().to_system_time()),
                Err(error @ (Error::Insecure | Error::Setup(_))) => Outcome::Refused { why: causes(&error) },
                Err(error) => Outcome::Later { why: causes(&error), after: None },
            }
        })
    }
}

/// The table of OTLP/HTTP: which answers may be followed by the same request.
fn outcome(response: WholeResponse, now: SystemTime) -> Outcome {
    let why = format!("the collector answered {}", response.status());
    match response.status() {
        status if status.is_success() => {
            let (refused, text) = message::refused(response.into_body());
            Outcome::Taken { refused, text }
        }
        StatusCode::TOO_MANY_REQUESTS
        | StatusCode::BAD_GATEWAY
        | StatusCode::SERVICE_UNAVAILABLE
        | StatusCode::GATEWAY_TIMEOUT => Outcome::Later { why, after: retry_after(response.headers(), now) },
        _ => Outcome::Refused { why },
    }
}

/// `Retry-After`: seconds, or a date (RFC 9110 §10.2.3).
fn retry_after(headers: &HeaderMap, now: SystemTime) -> Option<Duration> {
    let value = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    if let Ok(seconds) = value.parse() {
        return Some(Duration::from_secs(seconds));
    }
    Some(httpdate::parse_http_date(value).ok()?.duration_since(now).unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(status: u16, headers: &[(&'static str, &'static str)], body: &[u8]) -> Outcome {
        let mut response = WholeResponse::new(Bytes::copy_from_slice(body));
        *response.status_mut() = StatusCode::from_u16(status).expect("a status");
        for (name, value) in headers {
            response.headers_mut().insert(*name, HeaderValue::from_static(value));
        }
        // Sun, 06 Nov 1994 08:49:37 GMT.
        outcome(response, SystemTime::UNIX_EPOCH + Duration::from_secs(784_111_777))
    }

    #[test]
    fn only_what_may_succeed_later_is_sent_again() {
        let taken = Outcome::Taken { refused: 0, text: String::new() };
        assert_eq!(answer(200, &[], b""), taken);
        assert_eq!(answer(202, &[], b"not protobuf"), taken);
        for status in [429, 502, 503, 504] {
            assert!(matches!(answer(status, &[], b""), Outcome::Later { after: None, .. }), "{status}");
        }
        for status in [301, 400, 401, 403, 404, 405, 413, 500, 501] {
            assert!(matches!(answer(status, &[], b""), Outcome::Refused { .. }), "{status}");
        }
    }

    #[test]
    fn the_collector_says_how_long_to_wait() {
        let after = |value| match answer(429, &[("retry-after", value)], b"") {
            Outcome::Later { after, .. } => after,
            other => panic!("{other:?}"),
        };
        assert_eq!(after("7"), Some(Duration::from_secs(7)));
        assert_eq!(after("Sun, 06 Nov 1994 08:50:07 GMT"), Some(Duration::from_secs(30)));
        assert_eq!(after("Sun, 06 Nov 1994 08:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(after("soon"), None);
    }
}
