//! Verification of targets' certificates: by authorities, or none if the configuration says so explicitly.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::crypto::{octets, provider};

/// How connections to targets are encrypted and verified. Equal if it was made from the same settings.
#[derive(Clone, Debug)]
pub(crate) struct Tls {
    pub(crate) config: Arc<ClientConfig>,
    /// The SHA-256 of the settings.
    digest: [u8; 32],
}

impl PartialEq for Tls {
    fn eq(&self, other: &Self) -> bool {
        self.digest == other.digest
    }
}

impl Eq for Tls {}

impl Hash for Tls {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.digest.hash(state);
    }
}

/// Verifies targets by these authorities.
pub(crate) fn verifying(roots: impl IntoIterator<Item = CertificateDer<'static>>) -> Tls {
    let roots: Vec<_> = roots.into_iter().collect();
    let mut digests: Vec<_> = roots.iter().map(|root| octets::sha256(root)).collect();
    // The order of the authorities means nothing.
    digests.sort_unstable();
    let mut store = RootCertStore::empty();
    store.add_parsable_certificates(roots);
    let config = builder().with_root_certificates(store).with_no_client_auth();
    Tls { config: Arc::new(http1(config)), digest: octets::sha256(&digests.concat()) }
}

/// Accepts any certificate, as the load balancer does (ALB §9.2). The connection is still encrypted, and the target still
/// proves that it has the certificate's key.
pub(crate) fn trusting() -> Tls {
    let verifier = Arc::new(AnyCertificate(provider::tls()));
    let config = builder().dangerous().with_custom_certificate_verifier(verifier).with_no_client_auth();
    Tls { config: Arc::new(http1(config)), digest: octets::sha256(b"any certificate") }
}

fn builder() -> rustls::ConfigBuilder<ClientConfig, rustls::WantsVerifier> {
    ClientConfig::builder_with_provider(provider::tls())
        .with_safe_default_protocol_versions()
        .expect("the provider has the cipher suites of both versions")
}

fn http1(mut config: ClientConfig) -> ClientConfig {
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    config
}

#[derive(Debug)]
struct AnyCertificate(Arc<CryptoProvider>);

impl ServerCertVerifier for AnyCertificate {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signature, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}
