//! HTTP messages (RFC 9110 §6): the types for requests, responses, headers, cookies and URIs that all other rooms use.
//!
//! Does not know what a message is for. Start at [`uri::CanonicalRequest`], the only place that parses a request's target.

pub(crate) mod body;
pub(crate) mod caching;
pub(crate) mod causes;
pub(crate) mod cookie;
pub(crate) mod cors;
pub(crate) mod desync;
pub(crate) mod form;
pub(crate) mod forwarded;
pub(crate) mod framing;
pub(crate) mod grpc;
pub(crate) mod header;
pub(crate) mod media;
pub(crate) mod own_fields;
pub(crate) mod regex;
pub(crate) mod response_headers;
pub(crate) mod trace_context;
pub(crate) mod unread;
pub(crate) mod upgrade;
pub(crate) mod upload;
pub(crate) mod uri;
pub(crate) mod watch;

use bytes::Bytes;

use body::Body;
pub(crate) use watch::BoxError;

/// A request whose body streams.
pub(crate) type Request = http::Request<Body>;
/// A response whose body streams.
pub(crate) type Response = http::Response<Body>;
/// A small request with its body in memory, for the back channel and the user pool.
pub(crate) type WholeRequest = http::Request<Bytes>;
/// A small response with its body in memory.
pub(crate) type WholeResponse = http::Response<Bytes>;
/// Turns a response in memory into a streaming response.
pub(crate) fn streamed(whole: WholeResponse) -> Response {
    whole.map(Body::full)
}
