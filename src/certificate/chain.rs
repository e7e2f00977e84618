//! A certificate chain with its private key, as it is read from files.

use std::sync::Arc;

use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::clock::Timestamp;
use crate::crypto::provider;
use crate::secret::Secret;

/// A certificate chain, its private key, and the DNS names that it covers.
#[derive(Clone, Debug)]
pub(crate) struct Certificate {
    pub(super) key: Arc<CertifiedKey>,
    pub(super) names: Vec<String>,
    pub(super) expires_at: Timestamp,
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
