//! Validated target groups.

use std::sync::Arc;
use std::time::Duration;

use crate::upstream::tls::Tls;

/// One target group.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Names the group in rules, logs, metrics, and as `aud` of the signed claims.
    pub(crate) name: Arc<str>,
    /// In the order of the file. May be empty: 503 (ALB §6.1).
    pub(crate) targets: Vec<TargetSettings>,
    /// `Some` if connections to targets use TLS.
    pub(crate) tls: Option<Tls>,
    /// Maximum time to open a connection (ALB §6.1).
    pub(crate) connect_timeout: Duration,
    /// Maximum time from the end of the request to the first byte of the response, and between two parts of a body
    /// (ALB §10.1).
    pub(crate) response_timeout: Duration,
    /// How long an idle connection is kept.
    pub(crate) idle_timeout: Duration,
    /// Idle connections kept for each target, by each worker.
    pub(crate) idle_max: usize,
    /// Maximum number of header fields in one response. All of them together may take 64 KB.
    pub(crate) response_headers_max: usize,
    /// How long a target that refused a connection is skipped.
    pub(crate) skip_for: Duration,
}

/// A target: a host name or address, and a port.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(crate) struct TargetSettings {
    /// A DNS name, resolved when a connection is made, or an address.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Settings {
    pub(crate) const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);
    pub(crate) const RESPONSE_TIMEOUT: Duration = Duration::from_secs(60);
    /// Shorter than what targets commonly keep (Node: 5 s), so that a request rarely uses a connection that is being closed
    /// (pitfalls 65).
    pub(crate) const IDLE_TIMEOUT: Duration = Duration::from_secs(4);
    /// Unneeded connections end by `idle_timeout`, and closing a connection that the next request would have used costs more than
    /// keeping it.
    pub(crate) const IDLE_MAX: usize = 1024;
    pub(crate) const RESPONSE_HEADERS_MAX: usize = 1000;
    pub(crate) const SKIP_FOR: Duration = Duration::from_secs(10);

    /// A group with every default.
    #[cfg(test)]
    pub(crate) fn new(name: Arc<str>, targets: Vec<TargetSettings>) -> Self {
        Self {
            name,
            targets,
            tls: None,
            connect_timeout: Self::CONNECT_TIMEOUT,
            response_timeout: Self::RESPONSE_TIMEOUT,
            idle_timeout: Self::IDLE_TIMEOUT,
            idle_max: Self::IDLE_MAX,
            response_headers_max: Self::RESPONSE_HEADERS_MAX,
            skip_for: Self::SKIP_FOR,
        }
    }
}
