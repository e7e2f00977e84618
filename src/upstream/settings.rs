//! Validated target groups.

use std::sync::Arc;
use std::time::Duration;

/// One target group.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Names the group in rules, logs, metrics, and as `aud` of the signed claims.
    pub(crate) name: Arc<str>,
    /// In the order of the file. May be empty: 503 (ALB §6.1).
    pub(crate) targets: Vec<TargetSettings>,
    /// `Some` if connections to targets use TLS.
    pub(crate) tls: Option<Arc<rustls::ClientConfig>>,
    /// Maximum time to open a connection. 10 s (ALB §6.1).
    pub(crate) connect_timeout: Duration,
    /// Maximum time from the end of the request to the first byte of the response, and between two parts of a body. 60
    /// s (ALB §10.1).
    pub(crate) response_timeout: Duration,
    /// How long an idle connection is kept. 4 s: shorter than what targets commonly keep (Node: 5 s), so that a request
    /// rarely uses a connection that is being closed (pitfalls 65).
    pub(crate) idle_timeout: Duration,
    /// Idle connections kept for each target, by each worker. 1024: unneeded connections end by `idle_timeout`, and closing a
    /// connection that the next request would have used costs more than keeping it.
    pub(crate) idle_max: usize,
    /// Maximum number of header fields in one response. 1000. All of them together may take 64 KB.
    pub(crate) response_headers_max: usize,
    /// How long a target that refused a connection is skipped. 10 s.
    pub(crate) skip_for: Duration,
}

/// A target: a host name or address, and a port.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct TargetSettings {
    /// A DNS name, resolved when a connection is made, or an address.
    pub(crate) host: String,
    pub(crate) port: u16,
}

impl Settings {
    /// A group with every default.
    pub(crate) fn new(name: Arc<str>, targets: Vec<TargetSettings>) -> Self {
        Self {
            name,
            targets,
            tls: None,
            connect_timeout: Duration::from_secs(10),
            response_timeout: Duration::from_secs(60),
            idle_timeout: Duration::from_secs(4),
            idle_max: 1024,
            response_headers_max: 1000,
            skip_for: Duration::from_secs(10),
        }
    }
}
