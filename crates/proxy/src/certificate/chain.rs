//! A certificate chain with its private key, as it is read from files.

use std::sync::Arc;

use rustls::SignatureAlgorithm;
use rustls::sign::CertifiedKey;
use rustls_pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;
use x509_parser::public_key::PublicKey;

use crate::certificate::ocsp;
use crate::clock::Timestamp;
use crate::crypto::certified_key;
use crate::secret::Secret;

/// A certificate chain, its private key, and the DNS names that it covers.
#[derive(Clone, Debug)]
pub struct Certificate {
    key: Arc<CertifiedKey>,
    pub(super) facts: Facts,
    staple: Option<Staple>,
}

/// What the first certificate of a chain says.
#[derive(Clone, Debug)]
pub(super) struct Facts {
    /// In lower case. Only subject alternative names count. The common name is ignored (attacks T-06).
    pub(super) names: Vec<String>,
    pub(super) valid_from: Timestamp,
    pub(super) expires_at: Timestamp,
    pub(super) algorithm: SignatureAlgorithm,
    /// Size of the public key in bits.
    pub(super) key_bits: usize,
}

/// The chain with an OCSP response.
#[derive(Clone, Debug)]
struct Staple {
    key: Arc<CertifiedKey>,
    /// The response says nothing of the time from here on (RFC 6960 §4.2.2.1). `None` if it does not say.
    next_update: Option<Timestamp>,
}

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The chain and the key are not PEM, or do not belong together.
    #[error(transparent)]
    Pair(#[from] certified_key::Error),
    /// The first certificate is not X.509.
    #[error("the certificate is not X.509")]
    NotX509,
}

impl Certificate {
    /// Reads a chain (leaf first) and its key from PEM text, and checks that they belong together.
    ///
    /// # Errors
    ///
    /// See [`Error`].
    pub fn from_pem(chain: &str, key: &Secret<String>) -> Result<Self, Error> {
        let key = certified_key::from_pem(chain, key)?;
        let facts = read(key.end_entity_cert().map_err(|_| Error::NotX509)?)?;
        Ok(Self { key: Arc::new(key), facts, staple: None })
    }

    /// The same with an OCSP response in DER form, which clients receive in the handshake (RFC 6066 §8).
    ///
    /// # Errors
    ///
    /// The response is refused unless it says that this certificate is good. See [`ocsp::Error`].
    pub fn with_ocsp(mut self, response: Vec<u8>) -> Result<Self, ocsp::Error> {
        let leaf = self.key.end_entity_cert().map_err(|_| ocsp::Error::OtherCertificate)?;
        let (_, leaf) = x509_parser::parse_x509_certificate(leaf).map_err(|_| ocsp::Error::OtherCertificate)?;
        let next_update = ocsp::of(&response, &leaf)?;
        let key = CertifiedKey { ocsp: Some(response), ..CertifiedKey::clone(&self.key) };
        self.staple = Some(Staple { key: Arc::new(key), next_update });
        Ok(self)
    }

    /// What clients are shown at `now`: without the OCSP response once it is out of date. Clients treat a response that is
    /// out of date as a broken one, and none as none.
    pub(super) fn shown(&self, now: Timestamp) -> &Arc<CertifiedKey> {
        match &self.staple {
            Some(staple) if staple.next_update.is_none_or(|next_update| now < next_update) => &staple.key,
            _ => &self.key,
        }
    }

    /// The first certificate of the chain.
    pub(super) fn leaf(&self) -> Option<&CertificateDer<'static>> {
        self.key.cert.first()
    }

    /// When the OCSP response is out of date. `None` without a response, and if it does not say.
    pub(super) fn ocsp_next_update(&self) -> Option<Timestamp> {
        self.staple.as_ref()?.next_update
    }

    /// Whether a client that verifies signatures of these schemes can verify those of this key.
    pub(super) fn is_verifiable(&self, offered: &[rustls::SignatureScheme]) -> bool {
        self.key.key.choose_scheme(offered).is_some()
    }
}

fn read(leaf: &CertificateDer<'_>) -> Result<Facts, Error> {
    let parsed = rustls::server::ParsedCertificate::try_from(leaf).map_err(|_| Error::NotX509)?;
    drop(parsed);
    let (_, certificate) = x509_parser::parse_x509_certificate(leaf).map_err(|_| Error::NotX509)?;
    let (algorithm, key_bits) = public_key(&certificate);
    let alternative = certificate.subject_alternative_name().map_err(|_| Error::NotX509)?;
    let names = alternative.iter().flat_map(|extension| &extension.value.general_names);
    let names = names
        .filter_map(|name| match name {
            GeneralName::DNSName(name) => Some(name.to_ascii_lowercase()),
            _ => None,
        })
        .collect();
    // A time of expiry before 1970 also means expired.
    let time = |at: i64| Timestamp::from_seconds(u64::try_from(at).unwrap_or_default());
    let validity = certificate.validity();
    let (valid_from, expires_at) = (time(validity.not_before.timestamp()), time(validity.not_after.timestamp()));
    Ok(Facts { names, valid_from, expires_at, algorithm, key_bits })
}

/// The kind and the size of the public key.
fn public_key(certificate: &X509Certificate<'_>) -> (SignatureAlgorithm, usize) {
    match certificate.public_key().parsed() {
        Ok(PublicKey::EC(point)) => (SignatureAlgorithm::ECDSA, point.key_size()),
        Ok(PublicKey::RSA(key)) => (SignatureAlgorithm::RSA, key.key_size()),
        // Ed25519: rustls has no other.
        _ => (SignatureAlgorithm::ED25519, 256),
    }
}
