//! What a client's certificate says.

use rustls_pki_types::CertificateDer;
use x509_parser::certificate::X509Certificate;
use x509_parser::extensions::GeneralName;

use crate::certificate::client::name;
use crate::clock::Timestamp;
use crate::crypto::octets;

/// The first certificate of a client's chain.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// In the one spelling of [`name`].
    pub subject: String,
    pub issuer: String,
    /// Upper-case hexadecimal digits, two for each byte, without leading zero bytes.
    pub(crate) serial_number: String,
    /// SHA-256 of the certificate as 64 upper-case hexadecimal digits.
    pub(crate) fingerprint: String,
    /// The same as bytes.
    pub(crate) digest: [u8; 32],
    pub(crate) valid_from: Timestamp,
    /// The last second in which it is valid (RFC 5280 §4.1.2.5).
    pub(crate) valid_to: Timestamp,
    /// Subject alternative names, in lower case.
    pub(crate) dns_names: Vec<String>,
    pub(crate) emails: Vec<String>,
    pub(crate) uris: Vec<String>,
}

impl Facts {
    /// `None` if it is not an X.509 certificate of version 3 with a subject alternative name that can be read, or with none.
    pub(crate) fn read(certificate: &CertificateDer<'_>) -> Option<Self> {
        let (rest, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
        if !rest.is_empty() {
            return None;
        }
        let (valid_from, valid_to) = validity(&parsed);
        let alternative = parsed.subject_alternative_name().ok()?;
        let names = || alternative.iter().flat_map(|extension| &extension.value.general_names);
        // What cannot be read could be a name that somebody is to be refused for.
        if names().any(|name| matches!(name, GeneralName::Invalid(..))) {
            return None;
        }
        let of = |pick: for<'n> fn(&GeneralName<'n>) -> Option<&'n str>| {
            names().filter_map(pick).map(str::to_owned).collect()
        };
        let dns_names: Vec<String> = of(|name| if let GeneralName::DNSName(name) = name { Some(name) } else { None });
        let digest = octets::sha256(certificate);
        Some(Self {
            subject: name::text(parsed.subject()),
            issuer: name::text(parsed.issuer()),
            serial_number: serial_number(parsed.raw_serial()),
            fingerprint: name::hex(&digest),
            digest,
            valid_from,
            valid_to,
            dns_names: dns_names.iter().map(|name| name.to_ascii_lowercase()).collect(),
            emails: of(|name| if let GeneralName::RFC822Name(name) = name { Some(name) } else { None }),
            uris: of(|name| if let GeneralName::URI(name) = name { Some(name) } else { None }),
        })
    }
}

/// From when to when a certificate is valid. A time before 1970 is 1970.
pub(super) fn validity(certificate: &X509Certificate<'_>) -> (Timestamp, Timestamp) {
    let time = |at: i64| Timestamp::from_seconds(u64::try_from(at).unwrap_or_default());
    let validity = certificate.validity();
    (time(validity.not_before.timestamp()), time(validity.not_after.timestamp()))
}

fn serial_number(bytes: &[u8]) -> String {
    let zeros = bytes.iter().take_while(|byte| **byte == 0).count();
    name::hex(&bytes[zeros.min(bytes.len().saturating_sub(1))..])
}
