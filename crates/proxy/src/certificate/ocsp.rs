//! Reads an OCSP response (RFC 6960 §4.2): whether it says that a certificate is good, and until when.
//!
//! The signature is not verified: clients do that, and the file is the operator's. What is read here decides only whether
//! the response is of use to them.

#[cfg(any(test, feature = "testing"))]
pub mod made;

use x509_parser::asn1_rs::{Any, Class, FromDer as _, GeneralizedTime};
use x509_parser::certificate::X509Certificate;

use crate::clock::Timestamp;
use crate::crypto::octets;

/// Why a response is not sent to clients.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub enum Error {
    /// Not the DER form of an OCSP response of the basic type.
    #[error("is not an OCSP response in DER form")]
    NotOcsp,
    /// The responder refused the request. The number is the `OCSPResponseStatus`.
    #[error("is an error of the OCSP responder (status {0})")]
    Refused(u8),
    /// No part of the response is about the certificate.
    #[error("is about another certificate")]
    OtherCertificate,
    /// The certificate is revoked.
    #[error("says that the certificate is revoked")]
    Revoked,
    /// The responder does not know the certificate.
    #[error("says that the responder does not know the certificate")]
    Unknown,
}

/// Finds what `response` says of `certificate`. Returns `nextUpdate`: from then on the response says nothing. `None` if the
/// responder always has newer information (RFC 6960 §4.2.2.1).
///
/// # Errors
///
/// See [`Error`].
pub(super) fn of(response: &[u8], certificate: &X509Certificate<'_>) -> Result<Option<Timestamp>, Error> {
    let responses = responses(response)?;
    let mut rest = responses;
    while !rest.is_empty() {
        let single = Single::take(&mut rest).ok_or(Error::NotOcsp)?;
        if single.is_about(certificate) {
            return match single.status {
                GOOD => Ok(single.next_update),
                REVOKED => Err(Error::Revoked),
                _ => Err(Error::Unknown),
            };
        }
    }
    Err(Error::OtherCertificate)
}

const SEQUENCE: u32 = 16;
const OCTET_STRING: u32 = 4;
const INTEGER: u32 = 2;
const OBJECT_IDENTIFIER: u32 = 6;
const GENERALIZED_TIME: u32 = 24;
const ENUMERATED: u32 = 10;

/// `CertStatus`, by the number of its tag.
const GOOD: u32 = 0;
const REVOKED: u32 = 1;

/// `id-pkix-ocsp-basic`, 1.3.6.1.5.5.7.48.1.1.
const BASIC: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 0x30, 1, 1];
/// `id-sha1`, 1.3.14.3.2.26 (RFC 3279 §2.1).
const SHA1: &[u8] = &[0x2b, 14, 3, 2, 26];
/// `id-sha256`, 2.16.840.1.101.3.4.2.1 (RFC 5754 §2.2).
const SHA256: &[u8] = &[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 1];

/// The contents of the list of `SingleResponse`.
fn responses(response: &[u8]) -> Result<&[u8], Error> {
    let mut outer = response;
    let mut body = take(&mut outer, SEQUENCE).filter(|_| outer.is_empty()).ok_or(Error::NotOcsp)?;
    match take(&mut body, ENUMERATED) {
        Some([0]) => {}
        Some([status]) => return Err(Error::Refused(*status)),
        _ => return Err(Error::NotOcsp),
    }
    let mut of_basic = || {
        let mut explicit = take_context(&mut body, 0)?;
        let mut bytes = take(&mut explicit, SEQUENCE)?;
        if take(&mut bytes, OBJECT_IDENTIFIER)? != BASIC {
            return None;
        }
        let mut basic = take(&mut bytes, OCTET_STRING)?;
        let mut basic = take(&mut basic, SEQUENCE)?;
        let mut data = take(&mut basic, SEQUENCE)?;
        // The version, if it is not the first.
        let mut after_version = data;
        if take_context(&mut after_version, 0).is_some() {
            data = after_version;
        }
        // The id of the responder, by name or by key.
        let _ = take_any(&mut data)?;
        let _ = take(&mut data, GENERALIZED_TIME)?;
        take(&mut data, SEQUENCE)
    };
    of_basic().ok_or(Error::NotOcsp)
}

/// What a response says of one certificate.
struct Single<'a> {
    /// The algorithm of the hashes.
    hash: &'a [u8],
    issuer_name_hash: &'a [u8],
    serial: &'a [u8],
    /// The number of the tag.
    status: u32,
    next_update: Option<Timestamp>,
}

impl<'a> Single<'a> {
    fn take(responses: &mut &'a [u8]) -> Option<Self> {
        let mut single = take(responses, SEQUENCE)?;
        let mut id = take(&mut single, SEQUENCE)?;
        let mut algorithm = take(&mut id, SEQUENCE)?;
        let hash = take(&mut algorithm, OBJECT_IDENTIFIER)?;
        let issuer_name_hash = take(&mut id, OCTET_STRING)?;
        let _issuer_key_hash = take(&mut id, OCTET_STRING)?;
        let serial = take(&mut id, INTEGER)?;
        let status = take_any(&mut single).filter(|status| status.header.class() == Class::ContextSpecific)?;
        let _this_update = take(&mut single, GENERALIZED_TIME)?;
        let next_update = match take_context(&mut single, 0) {
            Some(explicit) => Some(time(explicit)?),
            None => None,
        };
        Some(Self { hash, issuer_name_hash, serial, status: status.header.tag().0, next_update })
    }

    /// Whether serial number and issuer are those of the certificate. A hash of another algorithm is not compared.
    fn is_about(&self, certificate: &X509Certificate<'_>) -> bool {
        let issuer = certificate.issuer().as_raw();
        let is_of_issuer = match self.hash {
            SHA1 => self.issuer_name_hash == octets::sha1(issuer),
            SHA256 => self.issuer_name_hash == octets::sha256(issuer),
            _ => true,
        };
        is_of_issuer && self.serial == certificate.raw_serial()
    }
}

fn time(mut der: &[u8]) -> Option<Timestamp> {
    let (_, time) = GeneralizedTime::from_der(der).ok()?;
    take(&mut der, GENERALIZED_TIME)?;
    let seconds = time.utc_datetime().ok()?.unix_timestamp();
    Some(Timestamp::from_seconds(u64::try_from(seconds).unwrap_or_default()))
}

/// Takes the next value if it has this universal tag. Returns its contents.
fn take<'a>(from: &mut &'a [u8], tag: u32) -> Option<&'a [u8]> {
    take_if(from, Class::Universal, tag)
}

/// Takes the next value if it has this tag of the context.
fn take_context<'a>(from: &mut &'a [u8], tag: u32) -> Option<&'a [u8]> {
    take_if(from, Class::ContextSpecific, tag)
}

fn take_if<'a>(from: &mut &'a [u8], class: Class, tag: u32) -> Option<&'a [u8]> {
    let mut rest = *from;
    let value = take_any(&mut rest)?;
    if (value.header.class(), value.header.tag().0) != (class, tag) {
        return None;
    }
    *from = rest;
    Some(value.data)
}

fn take_any<'a>(from: &mut &'a [u8]) -> Option<Any<'a>> {
    let (rest, value) = Any::from_der(from).ok()?;
    *from = rest;
    Some(value)
}

#[cfg(test)]
mod tests;
