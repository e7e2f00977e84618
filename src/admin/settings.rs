//! Validated settings of the admin endpoint.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// The default address. Not port 9090, which Prometheus uses.
pub(crate) const DEFAULT_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9440);

/// The address of the admin endpoint. Plain HTTP: do not expose it on public networks.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) address: SocketAddr,
    /// Allowed host names in lower case, in addition to IP addresses and `localhost`.
    pub(crate) hosts: Arc<[Box<str>]>,
}
