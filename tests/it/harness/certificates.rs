//! A certificate authority for the tests, made once in memory, and one certificate for every name that they use.

use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};

use rcgen::{BasicConstraints, CertificateParams, DnType, IsCa, Issuer, KeyPair, KeyUsagePurpose};
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, SupportedKxGroup};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme, SupportedProtocolVersion};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

/// The authority and its certificate, as PEM.
pub struct Certificates {
    pub ca: String,
    pub chain: String,
    pub key: String,
}

/// Names that the certificate is for.
pub const NAMES: [&str; 7] =
    ["app.test", "other.test", "login.test", "partners.test", "*.app.test", "localhost", "127.0.0.1"];

pub fn certificates() -> &'static Certificates {
    static MADE: OnceLock<Certificates> = OnceLock::new();
    MADE.get_or_init(|| {
        let ca = authority();
        let ca_key = KeyPair::generate().expect("a key");
        let ca_certificate = ca.self_signed(&ca_key).expect("self-signed").pem();
        let issuer = Issuer::new(ca, ca_key);
        let (chain, key) = issue(&issuer, &NAMES);
        Certificates { ca: ca_certificate, chain, key }
    })
}

/// A certificate for `names` by nobody that the tests' clients trust.
pub fn untrusted(names: &[&str]) -> (String, String) {
    untrusted_with(names, KeyPair::generate().expect("a key"))
}

/// The same for a key of another kind.
pub fn untrusted_with(names: &[&str], key: KeyPair) -> (String, String) {
    let issuer = Issuer::new(authority(), KeyPair::generate().expect("a key"));
    issue_for(&issuer, names, key)
}

/// Another authority: its certificate, as PEM, and what it signs with.
pub fn new_authority() -> (String, Issuer<'static, KeyPair>) {
    let (ca, key) = (authority(), KeyPair::generate().expect("a key"));
    let root = ca.self_signed(&key).expect("self-signed").pem();
    (root, Issuer::new(ca, key))
}

/// With a name of its own and the extensions that strict clients ask for (RFC 5280 §4.2.1).
fn authority() -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name.push(DnType::CommonName, "An authority for tests");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

fn issue(issuer: &Issuer<'_, KeyPair>, names: &[&str]) -> (String, String) {
    issue_for(issuer, names, KeyPair::generate().expect("a key"))
}

fn issue_for(issuer: &Issuer<'_, KeyPair>, names: &[&str], key: KeyPair) -> (String, String) {
    let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names");
    params.use_authority_key_identifier_extension = true;
    (params.signed_by(&key, issuer).expect("signed").pem(), key.serialize_pem())
}

/// Writes `ca.pem`, `cert.pem` and `key.pem` into a folder.
pub fn write_to(folder: &Path) {
    let made = certificates();
    for (name, text) in [("ca.pem", &made.ca), ("cert.pem", &made.chain), ("key.pem", &made.key)] {
        std::fs::write(folder.join(name), text).expect("the folder is writable");
        let owner_only = std::os::unix::fs::PermissionsExt::from_mode(0o600);
        std::fs::set_permissions(folder.join(name), owner_only).expect("it is ours");
    }
}

/// A TLS client that trusts the authority and offers `protocols`.
pub fn client(protocols: &[&[u8]]) -> Arc<ClientConfig> {
    client_trusting(&certificates().ca, protocols)
}

/// A TLS client that trusts another authority, given as PEM.
pub fn client_trusting(authority: &str, protocols: &[&[u8]]) -> Arc<ClientConfig> {
    let mut config = trusting(authority, rustls::ALL_VERSIONS);
    config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
    Arc::new(config)
}

/// The same for some versions, and HTTP/1.1.
pub fn client_speaking(versions: &[&'static SupportedProtocolVersion]) -> Arc<ClientConfig> {
    let mut config = trusting(&certificates().ca, versions);
    config.alpn_protocols = vec![b"http/1.1".to_vec()];
    Arc::new(config)
}

fn trusting(authority: &str, versions: &[&'static SupportedProtocolVersion]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    let ca = CertificateDer::from_pem_slice(authority.as_bytes()).expect("a certificate");
    roots.add(ca).expect("a root");
    ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .expect("versions")
        .with_root_certificates(roots)
        .with_no_client_auth()
}

/// A client that shows a certificate.
pub fn client_showing(
    versions: &[&'static SupportedProtocolVersion],
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_slice(certificates().ca.as_bytes()).expect("a certificate")).expect("a root");
    ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .expect("versions")
        .with_root_certificates(roots)
        .with_client_auth_cert(chain, key)
        .expect("a key for the certificate")
}

/// A client that offers these groups for the key exchange of TLS 1.3.
pub fn client_with_groups(groups: &[&'static dyn SupportedKxGroup]) -> Arc<ClientConfig> {
    let provider = CryptoProvider { kx_groups: groups.to_vec(), ..rustls::crypto::aws_lc_rs::default_provider() };
    let config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_safe_default_protocol_versions()
        .expect("versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Anyone::default()))
        .with_no_client_auth();
    Arc::new(config)
}

/// A client that looks at whatever certificate it is shown.
pub fn trusting_anyone() -> Arc<ClientConfig> {
    looking(&Arc::default(), rustls::ALL_VERSIONS)
}

/// A client that looks at whatever it is shown with `anyone`.
pub fn looking(anyone: &Arc<Anyone>, versions: &[&'static SupportedProtocolVersion]) -> Arc<ClientConfig> {
    let config = ClientConfig::builder_with_provider(provider())
        .with_protocol_versions(versions)
        .expect("versions")
        .dangerous()
        .with_custom_certificate_verifier(Arc::clone(anyone) as Arc<dyn ServerCertVerifier>)
        .with_no_client_auth();
    Arc::new(config)
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::aws_lc_rs::default_provider())
}

/// Verifies nothing.
#[derive(Debug, Default)]
pub struct Anyone {
    /// The signatures that it says it could verify. All if it is empty.
    pub schemes: Vec<SignatureScheme>,
    /// The OCSP response of the last certificate.
    pub stapled: Mutex<Vec<u8>>,
}

impl ServerCertVerifier for Anyone {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        stapled: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        stapled.clone_into(&mut self.stapled.lock().expect("not poisoned"));
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn verify_tls13_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Ok(HandshakeSignatureValid::assertion())
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        if !self.schemes.is_empty() {
            return self.schemes.clone();
        }
        provider().signature_verification_algorithms.supported_schemes()
    }
}
