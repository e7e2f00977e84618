//! Creates a certificate authority for this machine, and a certificate for `localhost` signed by it.

use std::path::Path;

use anyhow::Context as _;
use rcgen::{
    BasicConstraints, CertificateParams, CidrSubnet, DistinguishedName, DnType, ExtendedKeyUsagePurpose,
    GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints, SanType,
};

use crate::cli::files;
use crate::clock::{Clock, Timestamp};

/// Validity of the certificate. Browsers accept at most 397 days; this leaves a margin.
const LEAF_DAYS: u64 = 390;
const CA_DAYS: u64 = 3650;
const DAY_SECONDS: u64 = 24 * 3600;

/// Names of the files in the state folder.
pub(crate) const CA_FILE: &str = "ca.pem";
const CA_KEY_FILE: &str = "ca-key.pem";
pub(crate) const LEAF_FILE: &str = "localhost.pem";
pub(crate) const LEAF_KEY_FILE: &str = "localhost-key.pem";

/// Creates the certificate authority if it is missing, and the certificate if it is missing or about to expire.
pub(crate) fn ensure(folder: &Path, clock: &Clock) -> anyhow::Result<()> {
    let path = |name: &str| folder.join(name);
    if !path(CA_FILE).exists() || !path(CA_KEY_FILE).exists() {
        let (certificate, key) = authority(clock.now())?;
        files::write_secret(&path(CA_KEY_FILE), key.serialize_pem().as_bytes())?;
        files::write(&path(CA_FILE), certificate.as_bytes())?;
    }
    if is_fresh(&path(LEAF_FILE), clock.now()) && path(LEAF_KEY_FILE).exists() {
        return Ok(());
    }
    let ca_text = std::fs::read_to_string(path(CA_FILE)).context("the local authority's certificate")?;
    let ca_key = KeyPair::from_pem(&files::read_secret(&path(CA_KEY_FILE))?).context("the local authority's key")?;
    let issuer = Issuer::from_ca_cert_pem(&ca_text, ca_key)?;
    let (certificate, key) = leaf(&issuer, clock.now())?;
    files::write_secret(&path(LEAF_KEY_FILE), key.serialize_pem().as_bytes())?;
    files::write(&path(LEAF_FILE), format!("{certificate}{ca_text}").as_bytes())
}

fn authority(now: Timestamp) -> anyhow::Result<(String, KeyPair)> {
    let mut params = params("Vestibule development authority (this machine only)", now, CA_DAYS);
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    // RFC 5280 §4.2.1.10: the name constraints limit the certificate authority to this machine, even if its key is
    // stolen.
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![
            GeneralSubtree::DnsName("localhost".to_owned()),
            GeneralSubtree::IpAddress(CidrSubnet::V4([127, 0, 0, 0], [255, 0, 0, 0])),
            GeneralSubtree::IpAddress(CidrSubnet::V6(std::net::Ipv6Addr::LOCALHOST.octets(), [255; 16])),
        ],
        excluded_subtrees: Vec::new(),
    });
    let key = KeyPair::generate()?;
    Ok((params.self_signed(&key)?.pem(), key))
}

fn leaf(issuer: &Issuer<'_, KeyPair>, now: Timestamp) -> anyhow::Result<(String, KeyPair)> {
    let mut params = params("localhost", now, LEAF_DAYS);
    params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    params.subject_alt_names = vec![
        SanType::DnsName("localhost".try_into()?),
        SanType::IpAddress([127, 0, 0, 1].into()),
        SanType::IpAddress(std::net::Ipv6Addr::LOCALHOST.into()),
    ];
    let key = KeyPair::generate()?;
    Ok((params.signed_by(&key, issuer)?.pem(), key))
}

fn params(name: &str, now: Timestamp, days: u64) -> CertificateParams {
    let mut params = CertificateParams::default();
    let mut subject = DistinguishedName::new();
    subject.push(DnType::CommonName, name);
    params.distinguished_name = subject;
    params.use_authority_key_identifier_extension = true;
    // The validity starts in the past, so that clients with a slow clock accept a new certificate.
    let day = |offset: u64| (now.to_system_time() + std::time::Duration::from_secs(offset * DAY_SECONDS)).into();
    params.not_before = (now.to_system_time() - std::time::Duration::from_secs(3600)).into();
    params.not_after = day(days);
    params
}

/// Whether the certificate is valid for at least another month.
fn is_fresh(path: &Path, now: Timestamp) -> bool {
    let Ok(text) = std::fs::read(path) else { return false };
    let Ok((_, pem)) = x509_parser::pem::parse_x509_pem(&text) else { return false };
    let Ok(certificate) = pem.parse_x509() else { return false };
    let until = certificate.validity().not_after.timestamp();
    u64::try_from(until).is_ok_and(|until| until > now.seconds() + 30 * DAY_SECONDS)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use rustls::RootCertStore;
    use rustls::client::WebPkiServerVerifier;
    use rustls::client::danger::ServerCertVerifier as _;
    use rustls_pki_types::pem::PemObject as _;
    use rustls_pki_types::{CertificateDer, ServerName, UnixTime};

    use super::*;
    use crate::crypto::provider;

    #[test]
    fn the_authority_is_good_for_this_machine_only() {
        let now = Clock::system().now();
        let (authority, key) = authority(now).unwrap();
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_slice(authority.as_bytes()).unwrap()).unwrap();
        let verifier = WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider::tls()).build().unwrap();
        let issuer = Issuer::from_ca_cert_pem(&authority, key).unwrap();
        let verified = |leaf: &str, name: &'static str| {
            let leaf = CertificateDer::from_pem_slice(leaf.as_bytes()).unwrap();
            let name = ServerName::try_from(name).unwrap();
            verifier.verify_server_cert(&leaf, &[], &name, &[], UnixTime::now())
        };
        let (ours, _) = leaf(&issuer, now).unwrap();
        for name in ["localhost", "127.0.0.1", "::1"] {
            verified(&ours, name).unwrap_or_else(|error| panic!("{name}: {error}"));
        }
        for (name, san) in [
            ("www.example.com", SanType::DnsName("www.example.com".try_into().unwrap())),
            ("10.0.0.1", SanType::IpAddress([10, 0, 0, 1].into())),
        ] {
            let mut params = params(name, now, 30);
            params.subject_alt_names = vec![san];
            let forged = params.signed_by(&KeyPair::generate().unwrap(), &issuer).unwrap().pem();
            let refused = verified(&forged, name).unwrap_err().to_string();
            assert!(refused.contains("NameConstraintViolation"), "{name}: {refused}");
        }
    }
}
