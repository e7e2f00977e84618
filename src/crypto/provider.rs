//! The TLS provider: one for the process, said once.

use std::sync::Arc;

use rustls::crypto::CryptoProvider;

/// The provider that every TLS connection of the process uses, in and out.
pub(crate) fn tls() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}
