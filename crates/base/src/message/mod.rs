//! HTTP messages (RFC 9110 §6): the types for requests, responses, headers, cookies and URIs that all other rooms use.
//!
//! Does not know what a message is for. Start at [`uri::CanonicalRequest`], the only place that parses a request's target.

pub mod body;
pub mod caching;
pub mod causes;
pub mod cookie;
pub mod cors;
pub mod desync;
pub mod form;
pub mod forwarded;
pub mod framing;
pub mod grpc;
pub mod header;
pub mod media;
pub mod own_fields;
pub mod regex;
pub mod response_headers;
pub mod trace_context;
pub mod unread;
pub mod upgrade;
pub mod upload;
pub mod uri;
pub mod watch;

use bytes::Bytes;

use body::Body;
pub use watch::BoxError;

/// A request whose body streams.
pub type Request = http::Request<Body>;
/// A response whose body streams.
pub type Response = http::Response<Body>;
/// A small request with its body in memory, for the back channel and the user pool.
pub type WholeRequest = http::Request<Bytes>;
/// A small response with its body in memory.
pub type WholeResponse = http::Response<Bytes>;
/// Turns a response in memory into a streaming response.
pub fn streamed(whole: WholeResponse) -> Response {
    whole.map(Body::full)
}
