//! Certificate authorities that identify clients, and what they issue: certificates and lists of revoked ones.

use std::sync::Arc;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyIdMethod, KeyPair, KeyUsagePurpose, RevokedCertParams, SerialNumber, date_time_ymd,
};
use rustls::{ClientConfig, SupportedProtocolVersion};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};

use crate::harness::certificates;

/// An authority.
pub struct Authority {
    pub pem: String,
    issuer: Issuer<'static, KeyPair>,
    /// Those above it, the nearest first, without the root.
    above: Vec<String>,
}

/// The certificate of a client, with its key.
#[derive(Clone, Debug)]
pub struct ClientCertificate {
    /// PEM, the client's own first.
    pub chain: String,
    pub key: String,
}

/// Until when everything is valid. The clock of the tests begins in 2026.
pub const LAST_YEAR: i32 = 2040;

impl Authority {
    /// A root.
    pub fn new(name: &str) -> Self {
        Self::until(name, LAST_YEAR)
    }

    /// A root that is valid until the beginning of a year.
    pub fn until(name: &str, year: i32) -> Self {
        let (params, key) = (params(name, year), KeyPair::generate().expect("a key"));
        let pem = params.self_signed(&key).expect("self-signed").pem();
        Self { pem, issuer: Issuer::new(params, key), above: Vec::new() }
    }

    /// An authority below this one.
    pub fn intermediate(&self, name: &str) -> Self {
        self.intermediate_until(name, LAST_YEAR)
    }

    /// The same, valid until the beginning of a year.
    pub fn intermediate_until(&self, name: &str, year: i32) -> Self {
        let (params, key) = (params(name, year), KeyPair::generate().expect("a key"));
        let pem = params.signed_by(&key, &self.issuer).expect("signed").pem();
        let above = [pem.clone()].into_iter().chain(self.above.iter().cloned()).collect();
        Self { pem, issuer: Issuer::new(params, key), above }
    }

    /// The same with this serial number, by which it can be revoked.
    pub fn intermediate_numbered(&self, name: &str, serial: u64) -> Self {
        let (mut params, key) = (params(name, LAST_YEAR), KeyPair::generate().expect("a key"));
        params.serial_number = Some(SerialNumber::from(serial));
        let pem = params.signed_by(&key, &self.issuer).expect("signed").pem();
        let above = [pem.clone()].into_iter().chain(self.above.iter().cloned()).collect();
        Self { pem, issuer: Issuer::new(params, key), above }
    }

    /// A certificate for a client, changed by `change`.
    pub fn issue(&self, change: impl FnOnce(&mut CertificateParams)) -> ClientCertificate {
        let mut params = CertificateParams::default();
        params.distinguished_name = rcgen::DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, "ada");
        params.not_before = date_time_ymd(2020, 1, 1);
        params.not_after = date_time_ymd(LAST_YEAR, 1, 1);
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.use_authority_key_identifier_extension = true;
        change(&mut params);
        let key = KeyPair::generate().expect("a key");
        let leaf = params.signed_by(&key, &self.issuer).expect("signed").pem();
        let chain = [leaf].into_iter().chain(self.above.iter().cloned()).collect();
        ClientCertificate { chain, key: key.serialize_pem() }
    }

    /// A list of these serial numbers, as PEM, that is out of date at the beginning of a year.
    pub fn list(&self, revoked: &[u64], until: i32) -> String {
        let revoked = revoked.iter().map(|serial| RevokedCertParams {
            serial_number: SerialNumber::from(*serial),
            revocation_time: date_time_ymd(2021, 1, 1),
            reason_code: None,
            invalidity_date: None,
        });
        let params = CertificateRevocationListParams {
            this_update: date_time_ymd(2020, 1, 1),
            next_update: date_time_ymd(until, 1, 1),
            crl_number: SerialNumber::from(1),
            issuing_distribution_point: None,
            revoked_certs: revoked.collect(),
            key_identifier_method: KeyIdMethod::Sha256,
        };
        params.signed_by(&self.issuer).expect("signed").pem().expect("PEM")
    }
}

fn params(name: &str, year: i32) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    params.not_before = date_time_ymd(2020, 1, 1);
    params.not_after = date_time_ymd(year, 1, 1);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    params
}

impl ClientCertificate {
    /// A TLS client that shows the certificate.
    pub fn client(&self, versions: &[&'static SupportedProtocolVersion], protocols: &[&[u8]]) -> Arc<ClientConfig> {
        let chain: Vec<CertificateDer<'static>> =
            CertificateDer::pem_slice_iter(self.chain.as_bytes()).collect::<Result<_, _>>().expect("certificates");
        let key = PrivateKeyDer::from_pem_slice(self.key.as_bytes()).expect("a key");
        let mut config = certificates::client_showing(versions, chain, key);
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Arc::new(config)
    }
}
