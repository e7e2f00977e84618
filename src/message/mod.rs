//! HTTP messages (RFC 9110 §6): what every other room means by request, response, header, cookie, URI.
//!
//! Knows nothing of what a message is for. Start at [`uri::CanonicalRequest`], the one reading of a request's target.

pub(crate) mod body;
pub(crate) mod caching;
pub(crate) mod cookie;
pub(crate) mod form;
pub(crate) mod forwarded;
pub(crate) mod framing;
pub(crate) mod header;
pub(crate) mod media;
pub(crate) mod own_fields;
pub(crate) mod page;
pub(crate) mod unread;
pub(crate) mod upload;
pub(crate) mod uri;

use bytes::Bytes;

use body::Body;

/// A request whose body streams.
pub(crate) type Request = http::Request<Body>;
/// A response whose body streams.
pub(crate) type Response = http::Response<Body>;
/// A small request with its body in memory, as the back channel and the user pool speak them.
pub(crate) type WholeRequest = http::Request<Bytes>;
/// A small response with its body in memory.
pub(crate) type WholeResponse = http::Response<Bytes>;
/// An error whose type no longer matters.
pub(crate) type BoxError = Box<dyn std::error::Error + Send + Sync>;
