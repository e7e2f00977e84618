//! The headers by which targets learn of a client's certificate (ALB §10.8).

use http::{HeaderName, HeaderValue};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use rustls_pki_types::CertificateDer;

use crate::certificate::client::facts::Facts;

/// The names of the headers. All are removed from the requests of clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Names {
    /// `passthrough`: the chain.
    pub chain: HeaderName,
    pub serial_number: HeaderName,
    pub issuer: HeaderName,
    pub subject: HeaderName,
    pub validity: HeaderName,
    pub leaf: HeaderName,
}

impl Default for Names {
    fn default() -> Self {
        Self {
            chain: HeaderName::from_static("x-amzn-mtls-clientcert"),
            serial_number: HeaderName::from_static("x-amzn-mtls-clientcert-serial-number"),
            issuer: HeaderName::from_static("x-amzn-mtls-clientcert-issuer"),
            subject: HeaderName::from_static("x-amzn-mtls-clientcert-subject"),
            validity: HeaderName::from_static("x-amzn-mtls-clientcert-validity"),
            leaf: HeaderName::from_static("x-amzn-mtls-clientcert-leaf"),
        }
    }
}

impl Names {
    /// All names.
    pub fn all(&self) -> [&HeaderName; 6] {
        [&self.chain, &self.serial_number, &self.issuer, &self.subject, &self.validity, &self.leaf]
    }
}

/// The fields of one connection.
pub(crate) type Fields = Box<[(HeaderName, HeaderValue)]>;

/// The field of `passthrough`: the chain as the client has sent it.
pub(super) fn of_chain(chain: &[CertificateDer<'_>], names: &Names) -> Fields {
    Box::new([(names.chain.clone(), value(&pem(chain)))])
}

/// The fields of `verify`.
pub(super) fn of_verified(leaf: &CertificateDer<'_>, facts: &Facts, names: &Names) -> Fields {
    let validity = format!("NotBefore={};NotAfter={}", facts.valid_from.to_text(), facts.valid_to.to_text());
    Box::new([
        (names.serial_number.clone(), value(&facts.serial_number)),
        (names.issuer.clone(), value(&facts.issuer)),
        (names.subject.clone(), value(&facts.subject)),
        (names.validity.clone(), value(&validity)),
        (names.leaf.clone(), value(&pem(std::slice::from_ref(leaf)))),
    ])
}

/// Everything here is visible ASCII: see `name.rs`.
fn value(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).expect("visible ASCII")
}

/// What is not encoded in a PEM text: ALB §10.8 leaves `+`, `=` and `/`, RFC 3986 §2.3 has the others.
const ENCODED: &AsciiSet =
    &NON_ALPHANUMERIC.remove(b'+').remove(b'=').remove(b'/').remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// Characters of a line of PEM (RFC 7468 §2).
const LINE: usize = 64;

fn pem(chain: &[CertificateDer<'_>]) -> String {
    use base64::Engine as _;
    let mut text = String::new();
    for certificate in chain {
        text.push_str("-----BEGIN CERTIFICATE-----\n");
        let mut encoded = &*base64::engine::general_purpose::STANDARD.encode(certificate);
        while !encoded.is_empty() {
            let (line, rest) = encoded.split_at(encoded.len().min(LINE));
            text.push_str(line);
            text.push('\n');
            encoded = rest;
        }
        text.push_str("-----END CERTIFICATE-----\n");
    }
    utf8_percent_encode(&text, ENCODED).to_string()
}
