//! A request for a target group. It is not yet in the form of a protocol, because no target is chosen yet.

use std::future::poll_fn;
use std::pin::Pin;

use bytes::Bytes;
use http::Method;
use http::uri::PathAndQuery;
use http_body::Body as _;

use crate::message::body::Body;
use crate::message::own_fields::OwnFields;
use crate::message::trace_context::{SAMPLED, TraceParent};
use crate::message::upgrade::Upgrade;
use crate::message::uri::Scheme;
use crate::message::{self, BoxError, framing};
use crate::telemetry::traces::attempts::Attempts;
use crate::telemetry::traces::span::Context;

/// The parts of a request for a target group.
#[derive(Debug)]
pub(crate) struct Request<'r> {
    /// Gives the method, the fields and the body. Fields that are meant for the client's own connection are removed already.
    pub(crate) from_client: &'r mut message::Request,
    /// The scheme that the client used.
    pub(crate) scheme: Scheme,
    /// The path and query that the target receives.
    pub(crate) target: &'r PathAndQuery,
    /// Each of these fields replaces the client's fields of that name.
    pub(crate) fields: &'r OwnFields,
    /// The client's side of a WebSocket, if the client asks for one. No other protocol can be asked for (attacks W-05).
    pub(crate) upgrade: Option<Upgrade>,
    /// Whether the client accepts trailers (`TE: trailers`). Targets that use HTTP/2 are told.
    pub(crate) accepts_trailers: bool,
    /// Takes note of the attempts, if the request is recorded. Each target is then told of its own span in `traceparent`, which `fields` must
    /// omit.
    pub(crate) attempts: Option<&'r Attempts>,
}

/// What is known of the body of a request before it is sent.
#[derive(Debug)]
pub(super) struct Content {
    /// The length in bytes; zero without a body. `None` if the length is unknown.
    pub(super) length: Option<u64>,
    /// The part of the body that was read to find out whether there is a body.
    pub(super) first: Option<Bytes>,
}

impl Request<'_> {
    /// `traceparent` for the target that is tried now. `None` if the request is not recorded.
    pub(super) fn trace_parent(&self) -> Option<TraceParent> {
        let Context { trace, span } = self.attempts?.current()?;
        Some(TraceParent { trace_id: trace, parent_id: span, flags: SAMPLED })
    }

    /// Finds out whether there is a body.
    ///
    /// # Errors
    ///
    /// Returns an error if reading the client's body fails.
    pub(super) async fn content(&mut self) -> Result<Content, BoxError> {
        let may_have_a_body = framing::may_have_a_body(self.from_client.method());
        let body = self.from_client.body_mut();
        let length = if body.is_empty() { Some(0) } else { body.size_hint().exact() };
        // An HTTP/2 client can end a request without a body by an extra empty frame after the head, so the length
        // is unknown here. Wait for the first data: with chunked framing, a target that ignores the body of a GET
        // would read the end of the body as the next request.
        if length.is_none() && !may_have_a_body {
            let first = first_data(body).await?;
            return Ok(Content { length: if first.is_some() { None } else { Some(0) }, first });
        }
        Ok(Content { length, first: None })
    }

    /// Whether the request may be sent twice: the method is idempotent (RFC 9110 §9.2.2) and there is no body, which is
    /// lost once it is sent.
    pub(super) fn may_be_repeated(&self, content: &Content) -> bool {
        let method = self.from_client.method();
        content.is_empty()
            && matches!(*method, Method::GET | Method::HEAD | Method::OPTIONS | Method::PUT | Method::DELETE)
    }
}

impl Content {
    /// Whether there is no body.
    pub(super) fn is_empty(&self) -> bool {
        self.length == Some(0)
    }
}

/// Reads the first data of `body`. `None` if the body ends without data; its trailers are dropped.
async fn first_data(body: &mut Body) -> Result<Option<Bytes>, BoxError> {
    while let Some(frame) = poll_fn(|cx| Pin::new(&mut *body).poll_frame(cx)).await.transpose()? {
        match frame.into_data() {
            Ok(data) if data.is_empty() => {}
            Ok(data) => return Ok(Some(data)),
            Err(_trailers) => break,
        }
    }
    Ok(None)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn only_what_does_no_harm_twice_is_sent_twice() {
        for (method, body, expected) in [
            (Method::GET, Body::empty(), true),
            (Method::HEAD, Body::empty(), true),
            (Method::OPTIONS, Body::empty(), true),
            (Method::PUT, Body::empty(), true),
            (Method::DELETE, Body::empty(), true),
            (Method::POST, Body::empty(), false),
            (Method::PATCH, Body::empty(), false),
            (Method::from_bytes(b"PROPFIND").expect("a method"), Body::empty(), false),
            (Method::GET, Body::full("x"), false),
            (Method::PUT, Body::full("x"), false),
        ] {
            let mut from_client = message::Request::new(body);
            *from_client.method_mut() = method.clone();
            let (target, fields) = (PathAndQuery::from_static("/"), OwnFields::default());
            let mut request = Request {
                from_client: &mut from_client,
                scheme: Scheme::Https,
                target: &target,
                fields: &fields,
                upgrade: None,
                accepts_trailers: false,
                attempts: None,
            };
            let content = request.content().await.expect("a body");
            assert_eq!(request.may_be_repeated(&content), expected, "{method}, {content:?}");
        }
    }
}
