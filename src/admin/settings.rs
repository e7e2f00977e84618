//! Validated admin address.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

/// Where the endpoint listens if the file does not say. Not 9090, which is Prometheus' own port.
pub(crate) const DEFAULT_ADDRESS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 9440);

/// Where the operator's endpoint listens. Plain HTTP; keep it off public networks.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) address: SocketAddr,
    /// Names by which it may be asked, lower case, beside IP addresses and `localhost`.
    pub(crate) hosts: Arc<[Box<str>]>,
}
