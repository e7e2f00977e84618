//! What conditions may look at.

use std::net::IpAddr;

use http::HeaderMap;

use crate::message::uri::CanonicalRequest;

/// A borrowed view of the canonical request, its headers and the client's address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'r> {
    /// Method, host, path and query, read once.
    pub(crate) request: &'r CanonicalRequest,
    /// As the client sent them, protected names already taken out.
    pub(crate) headers: &'r HeaderMap,
    /// The peer, or whom a trusted peer names.
    pub(crate) client: IpAddr,
}
