//! gRPC, as far as a proxy must know it (<https://github.com/grpc/grpc/blob/master/doc/PROTOCOL-HTTP2.md>): which requests
//! are gRPC, and how an answer says that a call has failed.

use std::fmt::Write as _;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use http_body_util::{BodyExt as _, Full};

use crate::message::body::Body;

const GRPC: &[u8] = b"application/grpc";

/// The content type of answers that have no message.
const CONTENT_TYPE: HeaderValue = HeaderValue::from_static("application/grpc");
const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");

/// The status of a call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Status {
    Cancelled = 1,
    DeadlineExceeded = 4,
    PermissionDenied = 7,
    ResourceExhausted = 8,
    Unimplemented = 12,
    Internal = 13,
    Unavailable = 14,
    Unauthenticated = 16,
}

impl Status {
    /// What a refusal with this HTTP status is for a gRPC client. Clients know only the statuses of gRPC; those that mean that the call
    /// can be tried again are the ones with which HTTP says so.
    pub const fn of_http(status: StatusCode) -> Self {
        match status.as_u16() {
            401 | 561 => Self::Unauthenticated,
            403 => Self::PermissionDenied,
            404 | 405 | 464 | 501 => Self::Unimplemented,
            408 | 504 => Self::DeadlineExceeded,
            413 | 431 => Self::ResourceExhausted,
            460 => Self::Cancelled,
            429 | 502 | 503 => Self::Unavailable,
            _ => Self::Internal,
        }
    }

    fn value(self) -> HeaderValue {
        HeaderValue::from(self as u16)
    }
}

/// Whether a request or an answer is gRPC: its content type is `application/grpc`, or has a format as
/// `application/grpc+proto`. gRPC-Web (`application/grpc-web`) is made for HTTP/1.1, and is ordinary HTTP.
pub fn is_grpc(headers: &HeaderMap) -> bool {
    headers.get(header::CONTENT_TYPE).is_some_and(is_content_type)
}

fn is_content_type(content_type: &HeaderValue) -> bool {
    let kind = content_type.as_bytes().split(|byte| *byte == b';').next().unwrap_or_default().trim_ascii();
    let (name, rest) = kind.split_at(GRPC.len().min(kind.len()));
    name.eq_ignore_ascii_case(GRPC) && matches!(rest.first(), None | Some(b'+'))
}

/// The head of an answer that only says that the call has failed ("Trailers-Only"). Its HTTP status is 200, and it has no body.
pub fn failed(status: Status, message: &str) -> HeaderMap {
    let mut headers = trailers(status, message);
    headers.insert(header::CONTENT_TYPE, CONTENT_TYPE);
    headers
}

/// The trailers of an answer that fails in its middle.
pub fn trailers(status: Status, message: &str) -> HeaderMap {
    let mut headers = HeaderMap::with_capacity(4);
    headers.insert(GRPC_STATUS, status.value());
    // Percent-encoded, so always a value.
    if let Ok(message) = HeaderValue::try_from(encoded(message)) {
        headers.insert(GRPC_MESSAGE, message);
    }
    headers
}

/// An answer of one message, with its length before it, and the status OK.
pub fn message(message: Bytes) -> http::Response<Body> {
    let trailers = HeaderMap::from_iter([(GRPC_STATUS, HeaderValue::from_static("0"))]);
    let body = Full::new(message).map_err(|never| match never {}).with_trailers(std::future::ready(Some(Ok(trailers))));
    let mut response = http::Response::new(Body::streaming(body));
    response.headers_mut().insert(header::CONTENT_TYPE, CONTENT_TYPE);
    response
}

/// The text as `grpc-message` has it: everything but printable ASCII is percent-encoded, and so is the percent sign.
fn encoded(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        match byte {
            b'%' | 0..=0x1f | 0x7f.. => {
                let _ = write!(encoded, "%{byte:02X}");
            }
            _ => encoded.push(char::from(byte)),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grpc_is_known_by_its_content_type() {
        for (content_type, expected) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("APPLICATION/GRPC+json; charset=utf-8", true),
            ("application/grpc ;x", true),
            ("application/grpc-web", false),
            ("application/grpc-web+proto", false),
            ("application/grpc-web-text", false),
            ("application/g", false),
            ("application/grpcx", false),
            ("application/json", false),
            ("", false),
        ] {
            let headers = HeaderMap::from_iter([(header::CONTENT_TYPE, HeaderValue::from_static(content_type))]);
            assert_eq!(is_grpc(&headers), expected, "{content_type}");
        }
        assert!(!is_grpc(&HeaderMap::new()));
    }

    #[test]
    fn a_message_is_percent_encoded() {
        let headers = trailers(Status::Unauthenticated, "a b: 100%\nü");
        assert_eq!(headers["grpc-status"], "16");
        assert_eq!(headers["grpc-message"], "a b: 100%25%0A%C3%BC");
        assert_eq!(failed(Status::Internal, "")["content-type"], "application/grpc");
    }
}
