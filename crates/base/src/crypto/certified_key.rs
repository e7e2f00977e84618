//! A certificate chain with its private key, as TLS uses them at either end.

use rustls::InconsistentKeys;
use rustls::sign::CertifiedKey;
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::crypto::provider;
use crate::secret::Secret;

/// Why a chain and a key cannot be used together.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The chain is not PEM, or empty.
    #[error("the file holds no certificate in PEM form")]
    NoCertificate,
    /// The key is not PEM.
    #[error("the file holds no private key in PEM form")]
    NoKey,
    /// The key does not belong to the first certificate of the chain.
    #[error("the private key does not belong to the certificate (the first of the chain)")]
    Mismatch,
    /// The type of the key is not supported, or the first certificate cannot be read.
    #[error("the private key or the certificate is of a kind that TLS does not use: {0}")]
    Unusable(#[source] rustls::Error),
}

/// Reads a chain (leaf first, at least one certificate) and its key from PEM text, and checks that they belong together.
///
/// # Errors
///
/// See [`Error`].
pub fn from_pem(chain: &str, key: &Secret<String>) -> Result<CertifiedKey, Error> {
    let chain: Vec<CertificateDer<'static>> =
        CertificateDer::pem_slice_iter(chain.as_bytes()).collect::<Result<_, _>>().map_err(|_| Error::NoCertificate)?;
    if chain.is_empty() {
        return Err(Error::NoCertificate);
    }
    let key = PrivateKeyDer::from_pem_slice(key.expose().as_bytes()).map_err(|_| Error::NoKey)?;
    CertifiedKey::from_der(chain, key, &provider::tls()).map_err(|error| match error {
        rustls::Error::InconsistentKeys(InconsistentKeys::KeyMismatch) => Error::Mismatch,
        error => Error::Unusable(error),
    })
}
