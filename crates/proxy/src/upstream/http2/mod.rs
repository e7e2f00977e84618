//! HTTP/2 with targets (RFC 9113), and gRPC over it. The frames are the crate `h2`'s.
//!
//! A worker has few connections to a target and many requests on each ([`connections`], [`connection`]). A request is offered
//! to one target after another ([`exchange`]). The head of its answer ([`begun`]) is followed by a body
//! ([`response_body`]), while the body of the request may still be on its way ([`upload`]).

pub(crate) mod begun;
mod cancelled;
pub(crate) mod connection;
pub(crate) mod connections;
pub(crate) mod deadline;
pub(crate) mod exchange;
pub(crate) mod malformed;
mod received;
pub(crate) mod request_head;
mod response_body;
mod sent;
mod upload;
