//! Validated settings of the way to one provider.

use std::time::Duration;

use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

/// How calls to one provider leave this process.
#[derive(Clone, Debug)]
pub(crate) struct Settings {
    /// Certificate authorities trusted besides the system's, for this provider only (attacks O-07). Empty by default.
    pub(crate) roots: Vec<CertificateDer<'static>>,
    /// For one call, from the look-up of the name to the last byte of the answer. 10 s.
    pub(crate) timeout: Duration,
    /// Whether `http` is allowed to `localhost` and loopback addresses. It never is to others. `false`.
    pub(crate) allow_http_loopback: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self { roots: Vec::new(), timeout: Duration::from_secs(10), allow_http_loopback: false }
    }
}

/// The text holds no certificate in PEM form.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
#[error("holds no certificate in PEM form")]
pub(crate) struct NoCertificate;

/// Reads the certificates of a `ca_file`.
///
/// # Errors
///
/// [`NoCertificate`] where there is none, or one is broken.
pub(crate) fn roots_from_pem(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, NoCertificate> {
    let roots: Vec<_> = CertificateDer::pem_slice_iter(text).collect::<Result<_, _>>().map_err(|_| NoCertificate)?;
    let mut probe = rustls::RootCertStore::empty();
    if roots.is_empty() || roots.iter().any(|root| probe.add(root.clone()).is_err()) {
        return Err(NoCertificate);
    }
    Ok(roots)
}
