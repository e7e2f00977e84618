//! The TLS provider, and the authorities that the system trusts: one of each for the process, said once.

use std::sync::{Arc, LazyLock};

use rustls::crypto::CryptoProvider;
use rustls_pki_types::CertificateDer;

/// The provider that every TLS connection of the process uses, in and out.
pub(crate) fn tls() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// Authorities that the system trusts; none in a bare container. Read once: a file may name many groups and providers.
pub(crate) fn system_roots() -> &'static [CertificateDer<'static>] {
    static ROOTS: LazyLock<Vec<CertificateDer<'static>>> =
        LazyLock::new(|| rustls_native_certs::load_native_certs().certs);
    &ROOTS
}
