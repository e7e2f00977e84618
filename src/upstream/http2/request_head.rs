//! The head of a request as HTTP/2 has it (RFC 9113 §8.3.1).

use http::uri::{Authority, Parts, Scheme};
use http::{HeaderMap, HeaderValue, Request as Head, Uri, header};

use crate::message::{framing, grpc};
use crate::upstream::request::{Content, Request};

const TRAILERS: HeaderValue = HeaderValue::from_static("trailers");

/// The head of `request` for a target that is reached with or without TLS. The value of `Host` becomes `:authority`.
pub(super) fn of(request: &Request<'_>, content: &Content, is_tls: bool) -> Head<()> {
    let mut headers = request.from_client.headers().clone();
    request.fields.write_into(&mut headers);
    let authority = headers.remove(header::HOST);
    // Vestibule has answered the client, or answers it when the body is first read.
    headers.remove(header::EXPECT);
    let had_length = headers.remove(header::CONTENT_LENGTH).is_some();
    headers.remove(header::TRANSFER_ENCODING);
    if let Some(length) = content.length
        && (length > 0 || had_length || framing::may_have_a_body(request.from_client.method()))
    {
        headers.insert(header::CONTENT_LENGTH, length.into());
    }
    if request.accepts_trailers || grpc::is_grpc(&headers) {
        headers.insert(header::TE, TRAILERS);
    }
    let mut parts = Parts::default();
    parts.scheme = Some(if is_tls { Scheme::HTTPS } else { Scheme::HTTP });
    parts.authority = authority.and_then(|authority| Authority::try_from(authority.as_bytes()).ok());
    parts.path_and_query = Some(request.target.clone());
    let mut head = Head::new(());
    *head.method_mut() = request.from_client.method().clone();
    *head.uri_mut() = Uri::from_parts(parts).unwrap_or_default();
    *head.headers_mut() = headers;
    head
}

/// Whether the client accepts trailers (RFC 9110 §10.1.4). Call it before `TE` is removed.
pub(crate) fn accepts_trailers(headers: &HeaderMap) -> bool {
    headers.get_all(header::TE).iter().any(|value| {
        value.as_bytes().split(|byte| *byte == b',').any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"))
    })
}
