//! The head of a request as HTTP/2 has it (RFC 9113 §8.3.1).

use http::uri::{Authority, Parts, Scheme};
use http::{HeaderMap, HeaderValue, Request as Head, Uri, header};

use crate::message::trace_context::TRACEPARENT;
use crate::message::{framing, grpc};
use crate::upstream::error::Mismatch;
use crate::upstream::request::{Content, Request};

const TRAILERS: HeaderValue = HeaderValue::from_static("trailers");

/// The head of `request` for a target that is reached with or without TLS. The value of `Host` becomes `:authority`.
///
/// # Errors
///
/// [`Mismatch::Address`] if there is no `Host`, or HTTP/2 cannot carry it.
pub(super) fn of(request: &Request<'_>, content: &Content, is_tls: bool) -> Result<Head<()>, Mismatch> {
    let mut headers = request.from_client.headers().clone();
    request.fields.write_into(&mut headers);
    if let Some(parent) = request.trace_parent() {
        headers.insert(TRACEPARENT, parent.value());
    }
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
    *head.uri_mut() = Uri::from_parts(parts).map_err(|_| Mismatch::Address)?;
    *head.headers_mut() = headers;
    Ok(head)
}

/// Whether the client accepts trailers (RFC 9110 §10.1.4). Call it before `TE` is removed.
pub(crate) fn accepts_trailers(headers: &HeaderMap) -> bool {
    headers.get_all(header::TE).iter().any(|value| {
        value.as_bytes().split(|byte| *byte == b',').any(|coding| coding.trim_ascii().eq_ignore_ascii_case(b"trailers"))
    })
}

#[cfg(test)]
mod tests {
    use http::Method;
    use http::uri::PathAndQuery;

    use super::*;
    use crate::message;
    use crate::message::body::Body;
    use crate::message::own_fields::OwnFields;
    use crate::message::uri::Scheme as ClientScheme;

    /// The address that a target sees, for this `Host` of ours and this path.
    fn address(host: Option<&'static str>, target: &'static str) -> Result<String, Mismatch> {
        let mut from_client = message::Request::new(Body::empty());
        *from_client.method_mut() = Method::GET;
        // The client's own is replaced.
        from_client.headers_mut().insert(header::HOST, HeaderValue::from_static("client.test"));
        let mut fields = OwnFields::default();
        match host {
            Some(host) => fields.add(header::HOST, HeaderValue::from_static(host)),
            None => fields.omit(header::HOST),
        }
        let target = PathAndQuery::from_static(target);
        let request = Request {
            from_client: &mut from_client,
            scheme: ClientScheme::Https,
            target: &target,
            fields: &fields,
            upgrade: None,
            accepts_trailers: false,
            attempts: None,
        };
        let content = Content { length: Some(0), first: None };
        of(&request, &content, false).map(|head| head.uri().to_string())
    }

    #[test]
    fn the_host_is_the_authority_and_nothing_else_takes_its_place() {
        for (host, target, expected) in [
            (Some("app.test"), "/a?b", Ok("http://app.test/a?b")),
            (Some("app.test:8443"), "/", Ok("http://app.test:8443/")),
            (Some("[::1]:80"), "/%2F", Ok("http://[::1]:80/%2F")),
            (Some("a b"), "/private", Err(Mismatch::Address)),
            (Some(""), "/private", Err(Mismatch::Address)),
            (None, "/private", Err(Mismatch::Address)),
        ] {
            assert_eq!(address(host, target), expected.map(str::to_owned), "{host:?}");
        }
    }
}
