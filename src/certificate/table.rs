//! The choice among the certificates of a listener by server name (SNI, RFC 6066 §3).

use std::collections::HashMap;
use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use crate::certificate::chain::Certificate;
use crate::clock::Timestamp;
use crate::telemetry::metrics::{Counter, Registry};

/// The certificates of one listener.
#[derive(Debug)]
pub(crate) struct Certificates {
    default: Arc<CertifiedKey>,
    by_name: HashMap<String, Arc<CertifiedKey>>,
    /// The first name and the time of expiry of each certificate, in the order of the configuration file.
    expiries: Vec<(Option<String>, Timestamp)>,
}

impl Certificates {
    /// The first certificate is the default: a client gets it if it sends no server name, or a name that no certificate
    /// covers (ALB §10.9). If two certificates cover the same name, the first is used.
    pub(crate) fn new(first: &Certificate, others: &[Certificate]) -> Self {
        let mut by_name = HashMap::new();
        let mut expiries = Vec::new();
        for certificate in std::iter::once(first).chain(others) {
            expiries.push((certificate.names.first().cloned(), certificate.expires_at));
            for name in &certificate.names {
                by_name.entry(name.clone()).or_insert_with(|| Arc::clone(&certificate.key));
            }
        }
        Self { default: Arc::clone(&first.key), by_name, expiries }
    }

    /// Registers one gauge per certificate with its time of expiry. The gauges exist until the handles are dropped.
    pub(crate) fn expiry_gauges(&self, listener: &str, registry: &Registry) -> Vec<Counter> {
        let gauge = |(index, (name, expires_at)): (usize, &(Option<String>, Timestamp))| {
            let labels = vec![
                ("listener", listener.to_owned()),
                ("certificate", index.to_string()),
                ("server_name", name.clone().unwrap_or_default()),
            ];
            let gauge = registry.gauge(
                "vestibule_certificate_expiry_timestamp_seconds",
                "When a listener's certificate expires, in seconds since 1970. `certificate` is its place in the file.",
                labels,
            );
            gauge.set(expires_at.seconds());
            gauge
        };
        self.expiries.iter().enumerate().map(gauge).collect()
    }

    /// The expired certificates: index in the configuration file and first name.
    pub(crate) fn expired(&self, now: Timestamp) -> impl Iterator<Item = (usize, Option<&str>)> {
        let expired = self.expiries.iter().enumerate().filter(move |(_, (_, expires_at))| *expires_at <= now);
        expired.map(|(index, (name, _))| (index, name.as_deref()))
    }

    /// Whether a certificate covers `name`. `name` is in lower case.
    pub(crate) fn is_for(&self, name: &str) -> bool {
        self.of(name).is_some()
    }

    fn choose(&self, name: &str) -> &Arc<CertifiedKey> {
        self.of(name).unwrap_or(&self.default)
    }

    fn of(&self, name: &str) -> Option<&Arc<CertifiedKey>> {
        // rustls passes names in lower case. A wildcard matches exactly one label (RFC 6125 §6.4.3).
        let wildcard = || name.split_once('.').and_then(|(_, parent)| self.by_name.get(&format!("*.{parent}")));
        self.by_name.get(name).or_else(wildcard)
    }
}

impl ResolvesServerCert for Certificates {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let chosen = hello.server_name().map_or(&self.default, |name| self.choose(name));
        Some(Arc::clone(chosen))
    }
}
