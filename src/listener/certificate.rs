//! Certificate chains and keys, and the choice among them by server name (SNI, RFC 6066 §3).

use std::collections::HashMap;
use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::clock::Timestamp;
use crate::crypto::provider;
use crate::secret::Secret;
use crate::telemetry::metrics::{Counter, Registry};

/// A certificate chain, its private key, and the DNS names that it covers.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    key: Arc<CertifiedKey>,
    names: Vec<String>,
    expires_at: Timestamp,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Error {
    /// The chain is not PEM, or empty.
    #[error("the file holds no certificate in PEM form")]
    NoCertificate,
    /// The key is not PEM.
    #[error("the file holds no private key in PEM form")]
    NoKey,
    /// The key does not belong to the first certificate of the chain, or its type is not supported.
    #[error("the private key does not belong to the certificate, or is of a kind that TLS does not use: {0}")]
    Mismatch(#[source] rustls::Error),
    /// The first certificate is not X.509.
    #[error("the certificate is not X.509")]
    NotX509,
}

impl Certificate {
    /// Reads a chain (leaf first) and its key from PEM text, and checks that they belong together.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub(crate) fn from_pem(chain: &str, key: &Secret<String>) -> Result<Self, Error> {
        let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_slice_iter(chain.as_bytes())
            .collect::<Result<_, _>>()
            .map_err(|_| Error::NoCertificate)?;
        let leaf = chain.first().ok_or(Error::NoCertificate)?;
        let (names, expires_at) = read(leaf)?;
        let key = PrivateKeyDer::from_pem_slice(key.expose().as_bytes()).map_err(|_| Error::NoKey)?;
        let key = CertifiedKey::from_der(chain, key, &provider::tls()).map_err(Error::Mismatch)?;
        Ok(Self { key: Arc::new(key), names, expires_at })
    }
}

/// The DNS names of a certificate, in lower case, and its time of expiry. Only subject alternative names count. The
/// common name is ignored (attacks T-06).
fn read(leaf: &CertificateDer<'_>) -> Result<(Vec<String>, Timestamp), Error> {
    let parsed = rustls::server::ParsedCertificate::try_from(leaf).map_err(|_| Error::NotX509)?;
    drop(parsed);
    let (_, certificate) = x509_parser::parse_x509_certificate(leaf).map_err(|_| Error::NotX509)?;
    let alternative = certificate.subject_alternative_name().map_err(|_| Error::NotX509)?;
    let names = alternative.iter().flat_map(|extension| &extension.value.general_names);
    let names = names
        .filter_map(|name| match name {
            x509_parser::extensions::GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
            _ => None,
        })
        .collect();
    // A time of expiry before 1970 also means expired.
    let expires_at = u64::try_from(certificate.validity().not_after.timestamp()).unwrap_or_default();
    Ok((names, Timestamp::from_seconds(expires_at)))
}

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
