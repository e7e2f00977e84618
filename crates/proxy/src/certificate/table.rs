//! The choice among the certificates of a listener by server name (SNI, RFC 6066 §3).

use std::cmp::Reverse;
use std::collections::HashMap;

use rustls::{SignatureAlgorithm, SignatureScheme};

use crate::certificate::chain::Certificate;
use crate::clock::Timestamp;
use crate::telemetry::metrics::{Counter, Registry};

/// The certificates of one listener. The table never changes.
#[derive(Debug)]
pub struct Certificates {
    /// In the order of the configuration file, and never empty.
    all: Vec<Certificate>,
    exact: HashMap<String, Ranked>,
    /// By what follows `*.`.
    wildcard: HashMap<String, Ranked>,
}

/// Certificates for one name as indexes into `all`, the best first.
type Ranked = Vec<usize>;

impl Certificates {
    /// The first certificate is the default: a client gets it if it sends no server name, or a name that no certificate
    /// covers (ALB §10.9).
    pub fn new(first: Certificate, others: Vec<Certificate>) -> Self {
        let all: Vec<_> = std::iter::once(first).chain(others).collect();
        let mut table = Self { all, exact: HashMap::new(), wildcard: HashMap::new() };
        let mut order: Vec<usize> = (0..table.all.len()).collect();
        // Stable: among equals, the first of the file is used.
        order.sort_by_key(|index| rank(&table.all[*index]));
        for index in order {
            for name in &table.all[index].facts.names {
                let (map, name) = match name.strip_prefix("*.") {
                    Some(parent) => (&mut table.wildcard, parent),
                    None => (&mut table.exact, name.as_str()),
                };
                map.entry(name.to_owned()).or_default().push(index);
            }
        }
        table
    }

    /// The number of certificates.
    pub fn count(&self) -> usize {
        self.all.len()
    }

    /// Registers one gauge per certificate with its time of expiry, and one per OCSP response. The gauges exist until the
    /// handles are dropped.
    pub fn expiry_gauges(&self, listener: &str, registry: &Registry) -> Vec<Counter> {
        let gauge =
            |index: usize, certificate: &Certificate, (name, help): (&'static str, &'static str), at: Timestamp| {
                let labels = vec![
                    ("listener", listener.to_owned()),
                    ("certificate", index.to_string()),
                    ("server_name", certificate.facts.names.first().cloned().unwrap_or_default()),
                ];
                let gauge = registry.reading(name, help, labels);
                gauge.set(at.seconds());
                gauge
            };
        let gauges = |(index, certificate): (usize, &Certificate)| {
            let expiry = gauge(index, certificate, EXPIRY, certificate.facts.expires_at);
            let staple = certificate.ocsp_next_update().map(|at| gauge(index, certificate, OCSP_NEXT_UPDATE, at));
            [Some(expiry), staple].into_iter().flatten().collect::<Vec<_>>()
        };
        self.all.iter().enumerate().flat_map(gauges).collect()
    }

    /// The expired certificates: index in the configuration file and first name.
    pub fn expired(&self, now: Timestamp) -> impl Iterator<Item = (usize, Option<&str>)> {
        self.indexes(move |certificate| certificate.facts.expires_at <= now)
    }

    /// The certificates whose OCSP response is out of date: index in the configuration file and first name.
    pub fn outdated_ocsp(&self, now: Timestamp) -> impl Iterator<Item = (usize, Option<&str>)> {
        self.indexes(move |certificate| certificate.ocsp_next_update().is_some_and(|at| at <= now))
    }

    fn indexes(&self, is_meant: impl Fn(&Certificate) -> bool) -> impl Iterator<Item = (usize, Option<&str>)> {
        let meant = self.all.iter().enumerate().filter(move |(_, certificate)| is_meant(certificate));
        meant.map(|(index, certificate)| (index, certificate.facts.names.first().map(String::as_str)))
    }

    /// Whether a certificate covers `name`. `name` is in lower case.
    pub fn is_for(&self, name: &str) -> bool {
        self.of(name).next().is_some()
    }

    /// Whether a certificate has exactly this name.
    pub(super) fn has_exactly(&self, name: &str) -> bool {
        self.exact.contains_key(name)
    }

    /// The certificate for a client that sends this server name and verifies signatures of these schemes. An exact name is
    /// before a wildcard, then the order is that of [`rank`] (ALB §10.9). A certificate that the client cannot verify is
    /// passed over as long as there is another one for the name.
    pub(super) fn choose(&self, name: Option<&str>, offered: &[SignatureScheme]) -> &Certificate {
        let candidates = || name.into_iter().flat_map(|name| self.of(name));
        let verifiable = candidates().find(|certificate| certificate.is_verifiable(offered));
        verifiable.or_else(|| candidates().next()).unwrap_or(&self.all[0])
    }

    /// The certificates that cover `name`, the best first.
    fn of<'a>(&'a self, name: &str) -> impl Iterator<Item = &'a Certificate> + use<'a> {
        // rustls passes names in lower case. A wildcard matches exactly one label (RFC 6125 §6.4.3).
        let wildcard = name.split_once('.').and_then(|(_, parent)| self.wildcard.get(parent));
        let ranked = self.exact.get(name).into_iter().chain(wildcard);
        ranked.flatten().map(|index| &self.all[*index])
    }
}

const EXPIRY: (&str, &str) = (
    "vestibule_certificate_expiry_timestamp_seconds",
    "When a listener's certificate expires, in seconds since 1970. `certificate` is its place in the file.",
);

const OCSP_NEXT_UPDATE: (&str, &str) = (
    "vestibule_ocsp_next_update_timestamp_seconds",
    "When the OCSP response of a listener's certificate is out of date, in seconds since 1970. From then on it is not sent.",
);

/// The order among certificates for one name: ECDSA before RSA, then the longest key, then the latest expiry (ALB §10.9).
/// Few clients know Ed25519, and the ALB does not have it: it is last.
fn rank(certificate: &Certificate) -> (u8, Reverse<usize>, Reverse<Timestamp>) {
    let facts = &certificate.facts;
    let algorithm = match facts.algorithm {
        SignatureAlgorithm::ECDSA => 0,
        SignatureAlgorithm::RSA => 1,
        _ => 2,
    };
    (algorithm, Reverse(facts.key_bits), Reverse(facts.expires_at))
}

#[cfg(test)]
mod tests;
