//! Whose certificates of clients are trusted, and which of them are revoked (ALB §10.8 trust store).

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use rustls_pki_types::{CertificateDer, SignatureVerificationAlgorithm, TrustAnchor};
use webpki::{CertRevocationList, OwnedCertRevocationList};
use x509_parser::prelude::FromDer as _;
use x509_parser::public_key::PublicKey;
use x509_parser::revocation_list::CertificateRevocationList;

use crate::certificate::client::{facts, name};
use crate::clock::Timestamp;
use crate::crypto::provider;
use crate::telemetry::metrics::{Counter, Registry};

/// The algorithms by which certificates and lists may be signed: SHA-256 or longer, RSA with 2048 to 8192 bits, ECDSA with P-256, P-384
/// or P-521, Ed25519. The ALB has the same without Ed25519.
pub(super) fn algorithms() -> &'static [&'static dyn SignatureVerificationAlgorithm] {
    static ALGORITHMS: LazyLock<&'static [&'static dyn SignatureVerificationAlgorithm]> =
        LazyLock::new(|| provider::tls().signature_verification_algorithms.all);
    &ALGORITHMS
}

/// ALB §10.8.
pub(crate) const AUTHORITY_BYTES_MAX: usize = 16 * 1024;

/// A certificate authority that is trusted to identify clients.
#[derive(Clone, Debug)]
pub struct Authority {
    pub(super) anchor: TrustAnchor<'static>,
    /// The name as text.
    pub name: String,
    /// The name in DER form, with its tag.
    subject: Vec<u8>,
    /// The key without its algorithm.
    key: Vec<u8>,
    pub(super) valid_from: Timestamp,
    pub(super) valid_to: Timestamp,
}

/// Why a certificate is none of an authority.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAuthority {
    #[error("is not an X.509 certificate")]
    NotX509,
    #[error("is larger than {AUTHORITY_BYTES_MAX} bytes")]
    TooLarge,
    #[error("is not of a certificate authority (no basic constraint `CA:TRUE`)")]
    NotAnAuthority,
    #[error("is of an authority that may not sign certificates (no key usage `keyCertSign`)")]
    MayNotSign,
    #[error(
        "has a key that is not accepted: RSA needs 2048 to 8192 bits, and elliptic curves are P-256, P-384, P-521 and Ed25519"
    )]
    Key,
}

impl Authority {
    /// Reads a certificate in DER form.
    ///
    /// # Errors
    ///
    /// See [`NoAuthority`].
    pub fn read(certificate: &CertificateDer<'_>) -> Result<Self, NoAuthority> {
        if certificate.len() > AUTHORITY_BYTES_MAX {
            return Err(NoAuthority::TooLarge);
        }
        let (_, parsed) = x509_parser::parse_x509_certificate(certificate).map_err(|_| NoAuthority::NotX509)?;
        let constraints = parsed.basic_constraints().map_err(|_| NoAuthority::NotX509)?;
        if !constraints.is_some_and(|constraints| constraints.value.ca) {
            return Err(NoAuthority::NotAnAuthority);
        }
        let usage = parsed.key_usage().map_err(|_| NoAuthority::NotX509)?;
        if usage.is_some_and(|usage| !usage.value.key_cert_sign()) {
            return Err(NoAuthority::MayNotSign);
        }
        let public_key = parsed.public_key();
        let is_accepted = match public_key.parsed() {
            Ok(PublicKey::RSA(key)) => (2048..=8192).contains(&key.key_size()),
            Ok(PublicKey::EC(point)) => [256, 384, 521, 528].contains(&point.key_size()),
            // Ed25519, OID 1.3.101.112 (RFC 8410 §3).
            _ => public_key.algorithm.algorithm.to_id_string() == "1.3.101.112",
        };
        if !is_accepted {
            return Err(NoAuthority::Key);
        }
        let anchor = webpki::anchor_from_trusted_cert(certificate).map_err(|_| NoAuthority::NotX509)?.to_owned();
        let (valid_from, valid_to) = facts::validity(&parsed);
        Ok(Self {
            anchor,
            name: name::text(parsed.subject()),
            subject: parsed.subject().as_raw().to_vec(),
            key: public_key.subject_public_key.data.to_vec(),
            valid_from,
            valid_to,
        })
    }

    /// Whether its own certificate is valid at `now`.
    pub fn is_valid(&self, now: Timestamp) -> bool {
        self.valid_from <= now && now <= self.valid_to
    }

    /// When its certificate expires.
    pub fn expires_at(&self) -> Timestamp {
        self.valid_to
    }

    /// The name in DER form.
    pub(super) fn subject(&self) -> &[u8] {
        &self.subject
    }
}

/// A list of revoked certificates (CRL, RFC 5280 §5).
#[derive(Debug)]
pub struct Revoked {
    pub(super) list: CertRevocationList<'static>,
    /// The name of its issuer as text.
    pub issuer: String,
    /// The name in DER form, with its tag.
    issuer_der: Vec<u8>,
    /// From then on there should be a newer one.
    pub next_update: Timestamp,
}

/// Why a list of revoked certificates cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum NoList {
    #[error("is not a certificate revocation list (CRL)")]
    NotACrl,
    #[error("does not say when its next update is")]
    NoNextUpdate,
    #[error("is of a kind that is not supported: {0}")]
    Unsupported(#[source] webpki::Error),
    #[error("is not signed by the authority `{0}` of this trust store, whose name it has")]
    BadSignature(String),
}

impl Revoked {
    /// Reads a list in DER form.
    ///
    /// # Errors
    ///
    /// See [`NoList`]. A list that has the name of one of `authorities` must be signed by one of that name.
    pub fn read(der: &[u8], authorities: &[Authority]) -> Result<Self, NoList> {
        let (rest, parsed) = CertificateRevocationList::from_der(der).map_err(|_| NoList::NotACrl)?;
        if !rest.is_empty() {
            return Err(NoList::NotACrl);
        }
        let next_update = parsed.next_update().ok_or(NoList::NoNextUpdate)?.timestamp();
        let issuer_der = parsed.issuer().as_raw().to_vec();
        let of_name = || authorities.iter().filter(|authority| authority.subject == issuer_der);
        if let Some(first) = of_name().next()
            && !of_name().any(|authority| is_signed(&parsed, &authority.key))
        {
            return Err(NoList::BadSignature(first.name.clone()));
        }
        let list = OwnedCertRevocationList::from_der(der).map_err(NoList::Unsupported)?;
        Ok(Self {
            list: list.into(),
            issuer: name::text(parsed.issuer()),
            issuer_der,
            next_update: Timestamp::from_seconds(u64::try_from(next_update).unwrap_or_default()),
        })
    }

    /// Whether certificates of the same authority would be looked up in either list. Only the first would be asked.
    pub fn competes_with(&self, other: &Self) -> bool {
        let (one, another) = (self.list.issuing_distribution_point(), other.list.issuing_distribution_point());
        self.issuer_der == other.issuer_der && (one.is_none() || another.is_none() || one == another)
    }

    /// Whether the list has the name of this authority.
    pub fn is_of(&self, authority: &Authority) -> bool {
        self.issuer_der == authority.subject
    }

    /// Whether a certificate with this issuer, in DER form without its tag, is looked up here.
    pub(super) fn is_for(&self, issuer: &[u8]) -> bool {
        self.list.issuer() == issuer
    }
}

/// Whether a list is signed with this key.
fn is_signed(list: &CertificateRevocationList<'_>, key: &[u8]) -> bool {
    let oid = list.signature_algorithm.algorithm.as_bytes();
    let Ok(length) = u8::try_from(oid.len()) else { return false };
    let id = [&[6, length], oid].concat();
    algorithms().iter().filter(|algorithm| algorithm.signature_alg_id().starts_with(&id)).any(|algorithm| {
        algorithm.verify_signature(key, list.tbs_cert_list.as_ref(), &list.signature_value.data).is_ok()
    })
}

/// What becomes of a certificate whose authority has no list of revoked certificates, in a store that has lists.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum WithoutList {
    /// It is refused: nobody knows whether it is revoked.
    #[default]
    Refuse,
    /// It is accepted.
    Accept,
}

/// The authorities of some listeners, and their lists of revoked certificates. It never changes.
#[derive(Debug)]
pub struct TrustStore {
    pub name: Arc<str>,
    pub authorities: Vec<Authority>,
    pub(super) anchors: Vec<TrustAnchor<'static>>,
    pub lists: Vec<Revoked>,
    pub(crate) without_list: WithoutList,
}

impl TrustStore {
    /// `authorities` is not empty.
    pub fn new(name: &str, authorities: Vec<Authority>, lists: Vec<Revoked>, without_list: WithoutList) -> Self {
        let anchors = authorities.iter().map(|authority| authority.anchor.clone()).collect();
        Self { name: name.into(), authorities, anchors, lists, without_list }
    }

    /// Bytes that the names of the authorities take in a handshake.
    pub fn advertised_bytes(&self) -> usize {
        self.authorities.iter().map(|authority| authority.subject.len() + 2).sum()
    }

    /// Registers one gauge for each authority and for each issuer of lists. Of several with one name it shows the first that is
    /// over. The gauges exist until the handles are dropped.
    pub fn gauges(&self, listener: &str, registry: &Registry) -> Vec<Counter> {
        let gauge = |(name, help), (authority, at): (&str, Timestamp)| {
            let labels = vec![
                ("listener", listener.to_owned()),
                ("trust_store", self.name.to_string()),
                ("authority", authority.to_owned()),
            ];
            let gauge = registry.reading(name, help, labels);
            gauge.set(at.seconds());
            gauge
        };
        let authorities = earliest(self.authorities.iter().map(|one| (&*one.name, one.valid_to)));
        let lists = earliest(self.lists.iter().map(|one| (&*one.issuer, one.next_update)));
        let authorities = authorities.into_iter().map(|one| gauge(EXPIRY, one));
        authorities.chain(lists.into_iter().map(|one| gauge(NEXT_UPDATE, one))).collect()
    }
}

/// The earliest time of each name.
fn earliest<'n>(times: impl Iterator<Item = (&'n str, Timestamp)>) -> BTreeMap<&'n str, Timestamp> {
    let mut earliest = BTreeMap::new();
    for (name, at) in times {
        earliest.entry(name).and_modify(|known: &mut Timestamp| *known = at.min(*known)).or_insert(at);
    }
    earliest
}

const EXPIRY: (&str, &str) = (
    "vestibule_trust_store_expiry_timestamp_seconds",
    "When the certificate of an authority in a trust store expires, in seconds since 1970. From then on, clients with its certificates are refused.",
);

const NEXT_UPDATE: (&str, &str) = (
    "vestibule_crl_next_update_timestamp_seconds",
    "When a list of revoked certificates in a trust store is out of date, in seconds since 1970. From then on, clients with certificates of its authority are refused.",
);
