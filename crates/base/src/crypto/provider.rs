//! The TLS provider, and the authorities that the system trusts: one of each for the process, said once.

use std::sync::{Arc, LazyLock};

use rustls::crypto::CryptoProvider;
use rustls::crypto::aws_lc_rs::kx_group::{SECP256R1, SECP256R1MLKEM768, SECP384R1, X25519, X25519MLKEM768};
use rustls_pki_types::CertificateDer;

/// The provider that every TLS connection of the process uses, in and out.
pub fn tls() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// The provider of listeners: with the groups for the key exchange that have a post-quantum part first.
///
/// rustls takes the first group in the order of the client that is in this list. So a client that prefers a hybrid group gets
/// it, and one that does not know hybrid groups is served as before.
pub fn tls_server() -> Arc<CryptoProvider> {
    let kx_groups = vec![X25519MLKEM768, SECP256R1MLKEM768, X25519, SECP256R1, SECP384R1];
    Arc::new(CryptoProvider { kx_groups, ..rustls::crypto::aws_lc_rs::default_provider() })
}

/// Authorities that the system trusts; none in a bare container. Read once: a file may name many groups and providers.
pub fn system_roots() -> &'static [CertificateDer<'static>] {
    static ROOTS: LazyLock<Vec<CertificateDer<'static>>> =
        LazyLock::new(|| rustls_native_certs::load_native_certs().certs);
    &ROOTS
}
