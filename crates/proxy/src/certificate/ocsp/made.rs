//! OCSP responses for tests, also for those of `tests/it`. They are not signed.

use aws_lc_rs::digest;

pub const GOOD: &[u8] = &[0x80, 0];
pub const REVOKED: &[u8] = b"\xa1\x11\x18\x0f20261129000000Z";
pub const UNKNOWN: &[u8] = &[0x82, 0];

pub const SHA1: &[u8] = &[0x2b, 14, 3, 2, 26];
const BASIC: &[u8] = &[0x2b, 6, 1, 5, 5, 7, 0x30, 1, 1];
const PRODUCED: &str = "20261101000000Z";

/// A value in DER form, with a length of up to 64 KiB.
fn der(tag: u8, parts: &[&[u8]]) -> Vec<u8> {
    let body = parts.concat();
    let length = u16::try_from(body.len()).expect("short").to_be_bytes();
    let length = match body.len() {
        ..128 => vec![length[1]],
        128..256 => vec![0x81, length[1]],
        _ => vec![0x82, length[0], length[1]],
    };
    [vec![tag], length, body].concat()
}

/// A `SingleResponse`. `next_update` is like `20261206000000Z`.
pub fn single(hash: &[u8], name_hash: &[u8], serial: &[u8], status: &[u8], next_update: Option<&str>) -> Vec<u8> {
    let algorithm = der(0x30, &[&der(6, &[hash]), &[5, 0]]);
    let id = der(0x30, &[&algorithm, &der(4, &[name_hash]), &der(4, &[&[0; 20]]), &der(2, &[serial])]);
    let next = next_update.map(|time| der(0xa0, &[&der(24, &[time.as_bytes()])])).unwrap_or_default();
    der(0x30, &[&id, status, &der(24, &[PRODUCED.as_bytes()]), &next])
}

/// A response with an explicit version and the key of the responder.
pub fn response(singles: &[Vec<u8>]) -> Vec<u8> {
    let singles: Vec<&[u8]> = singles.iter().map(Vec::as_slice).collect();
    let version = der(0xa0, &[&[2, 1, 0]]);
    let by_key = der(0xa2, &[&der(4, &[&[7; 20]])]);
    let produced = der(24, &[PRODUCED.as_bytes()]);
    let data = der(0x30, &[&version, &by_key, &produced, &der(0x30, &singles)]);
    let basic = der(0x30, &[&data, &der(0x30, &[&der(6, &[&[42]])]), &der(3, &[&[0, 1]])]);
    der(0x30, &[&[10, 1, 0], &der(0xa0, &[&der(0x30, &[&der(6, &[BASIC]), &der(4, &[&basic])])])])
}

/// A response about one certificate, which is given in DER form.
pub fn about(certificate: &[u8], status: &[u8], next_update: Option<&str>) -> Vec<u8> {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).expect("a certificate");
    let issuer = digest::digest(&digest::SHA1_FOR_LEGACY_USE_ONLY, certificate.issuer().as_raw());
    response(&[single(SHA1, issuer.as_ref(), certificate.raw_serial(), status, next_update)])
}
