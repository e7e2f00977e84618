//! Validated admin address.

use std::net::SocketAddr;

/// Where the operator's endpoint listens. Plain HTTP; keep it off public networks.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    pub(crate) address: SocketAddr,
}
