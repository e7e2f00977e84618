//! Validated settings of the way to one provider.

use std::time::Duration;

use rustls_pki_types::CertificateDer;

/// How calls to one provider leave this process.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Certificate authorities trusted besides the system's, for this provider only (attacks O-07). Empty by default.
    pub(crate) roots: Vec<CertificateDer<'static>>,
    /// For one call, from the look-up of the name to the last byte of the answer. 10 s.
    pub(crate) timeout: Duration,
    /// Whether `http` is allowed to `localhost` and loopback addresses. `false`.
    pub(crate) allow_http_loopback: bool,
    /// Other `host` or `host:port` to which `http` is allowed, because the operator names each of them. Empty by default.
    pub(crate) insecure_http_hosts: Vec<Box<str>>,
}

impl Default for Settings {
    fn default() -> Self {
        let timeout = Duration::from_secs(10);
        Self { roots: Vec::new(), timeout, allow_http_loopback: false, insecure_http_hosts: Vec::new() }
    }
}
