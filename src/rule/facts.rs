//! The parts of a request that conditions can use.

use std::net::IpAddr;

use http::HeaderMap;

use crate::message::uri::CanonicalRequest;

/// A borrowed view of the canonical request, its headers and the client address.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'r> {
    /// Method, host, path and query, parsed once.
    pub(crate) request: &'r CanonicalRequest,
    /// The headers of the client. Protected names were removed before.
    pub(crate) headers: &'r HeaderMap,
    /// The address of the peer, or the address that a trusted peer names.
    pub(crate) client: IpAddr,
}
