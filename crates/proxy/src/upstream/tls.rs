//! How connections to targets are encrypted: whom Vestibule trusts, and how it identifies itself.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use rustls::client::ResolvesClientCert;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::sign::CertifiedKey;
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

use crate::crypto::{certified_key, octets, provider};
use crate::secret::Secret;
use crate::upstream::protocol_version::ProtocolVersion;

/// How connections to targets are encrypted and verified. Equal if it was made from the same settings.
#[derive(Clone, Debug)]
pub struct Tls {
    pub(crate) config: Arc<ClientConfig>,
    /// The name that certificates must have. `None`: the name or address of the target.
    pub server_name: Option<ServerName<'static>>,
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

/// Which certificates of targets are accepted.
#[derive(Debug)]
pub enum Trust {
    /// Those that one of these authorities has signed.
    Roots(Vec<CertificateDer<'static>>),
    /// Any, as the load balancer does (ALB §9.2). The connection is still encrypted, and the target still proves that it has the
    /// certificate's key.
    Any,
}

/// The certificate with which Vestibule identifies itself to targets.
#[derive(Clone, Debug)]
pub struct Identity {
    key: Arc<CertifiedKey>,
    /// The SHA-256 of the chain and the key.
    digest: [u8; 32],
}

impl Identity {
    /// A certificate chain and its private key.
    ///
    /// # Errors
    ///
    /// See [`certified_key::Error`].
    pub fn from_pem(chain: &str, key: &Secret<String>) -> Result<Self, certified_key::Error> {
        let read = certified_key::from_pem(chain, key)?;
        let mut digests: Vec<_> = read.cert.iter().map(|certificate| octets::sha256(certificate)).collect();
        digests.push(octets::sha256(key.expose().as_bytes()));
        let key = read;
        Ok(Self { key: Arc::new(key), digest: octets::sha256(&digests.concat()) })
    }
}

impl ResolvesClientCert for Identity {
    fn resolve(&self, _: &[&[u8]], schemes: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        self.key.key.choose_scheme(schemes).is_some().then(|| Arc::clone(&self.key))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

/// The protocols of RFC 7301.
const HTTP1: &[u8] = b"http/1.1";
const HTTP2: &[u8] = b"h2";

impl Tls {
    /// Whether the target has chosen the protocol that we speak. HTTP/1.1 is also the protocol of a target that chooses none.
    pub(crate) fn accepts(&self, chosen: Option<&[u8]>) -> bool {
        let is_http2 = self.config.alpn_protocols.iter().any(|protocol| protocol == HTTP2);
        !is_http2 || chosen == Some(HTTP2)
    }
}

/// The settings of TLS connections to targets.
pub fn config(
    trust: Trust,
    server_name: Option<ServerName<'static>>,
    identity: Option<Identity>,
    protocol: ProtocolVersion,
) -> Tls {
    let mut digests = vec![match &server_name {
        Some(name) => octets::sha256(name.to_str().as_bytes()),
        None => [0; 32],
    }];
    digests.push(identity.as_ref().map_or([0; 32], |identity| identity.digest));
    let builder = ClientConfig::builder_with_provider(provider::tls())
        .with_safe_default_protocol_versions()
        .expect("the provider has the cipher suites of both versions");
    let builder = match trust {
        Trust::Roots(roots) => {
            // The order of the authorities means nothing.
            let mut of_roots: Vec<_> = roots.iter().map(|root| octets::sha256(root)).collect();
            of_roots.sort_unstable();
            digests.extend(of_roots);
            let mut store = RootCertStore::empty();
            store.add_parsable_certificates(roots);
            builder.with_root_certificates(store)
        }
        Trust::Any => {
            digests.push(octets::sha256(b"any certificate"));
            builder.dangerous().with_custom_certificate_verifier(Arc::new(AnyCertificate(provider::tls())))
        }
    };
    let mut config = match identity {
        Some(identity) => builder.with_client_cert_resolver(Arc::new(identity)),
        None => builder.with_no_client_auth(),
    };
    let protocol = if protocol.is_http2() { HTTP2 } else { HTTP1 };
    config.alpn_protocols = vec![protocol.to_vec()];
    digests.push(octets::sha256(protocol));
    Tls { config: Arc::new(config), server_name, digest: octets::sha256(&digests.concat()) }
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
