//! Where a request came from, as users and operators read it in lists.

use std::net::IpAddr;

use http::{HeaderMap, header};

/// Maximum length of what is kept of `User-Agent`, in characters.
const AGENT_MAX: usize = 256;

/// The address and the program of a request. Nothing is decided by it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    pub address: String,
    /// `User-Agent`, or its beginning. Empty if the request has none.
    pub agent: String,
}

impl Seen {
    /// Reads the request.
    pub(crate) fn of(headers: &HeaderMap, address: IpAddr) -> Self {
        let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
        Self { address: address.to_string(), agent: agent.chars().take(AGENT_MAX).collect() }
    }
}
