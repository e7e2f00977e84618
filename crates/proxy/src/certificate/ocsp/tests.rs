use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::*;
use made::{about, response, single};

/// Made by `openssl x509 -req -set_serial 0x00f1e2d3c4b5`.
const CERTIFICATE: &str = "MIIBdjCCAR2gAwIBAgIGAPHi08S1MAoGCCqGSM49BAMCMBcxFTATBgNVBAMMDEFuIGF1dGhvcml0eTAgFw0yNjExMjkxMTQ4MTBaGA8yMTI2MTEwNTExNDgxMFowEzERMA8GA1UEAwwIYXBwLnRlc3QwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNCAASEQM08MpfD1NSAnoXUcUpkP/9frOX1fr6KpxA+L62Ko/Znob0g7laPR3e/TCpjoCnIOvBq9NxAO0u91tqrsOnSo1cwVTATBgNVHREEDDAKgghhcHAudGVzdDAdBgNVHQ4EFgQUEA5Y9rcPmpRCmXGLd02DjZ8WL94wHwYDVR0jBBgwFoAU3bnu799E/9Qn1KZOPjPfbUt6yZgwCgYIKoZIzj0EAwIDRwAwRAIgIhxMcX20664a904DinrUe6cjraT1qX9JQXaGSFsUbtwCIF3XgNJ+5kR9TzgiljOBgR4umE3Xd22uMtJYmMSrk1yC";

/// What `openssl ocsp -index` said of it on 2026-11-29, for seven days.
const RESPONSE: &str = "MIIBDAoBAKCCAQUwggEBBgkrBgEFBQcwAQEEgfMwgfAwgZehGTAXMRUwEwYDVQQDDAxBbiBhdXRob3JpdHkYDzIwMjYxMTI5MTE0ODEwWjBpMGcwPzAJBgUrDgMCGgUABBTO8iDlzro5/wlHPbSrjLKtFO3gkAQU3bnu799E/9Qn1KZOPjPfbUt6yZgCBgDx4tPEtYAAGA8yMDI2MTEyOTExNDgxMFqgERgPMjAyNjEyMDYxMTQ4MTBaMAoGCCqGSM49BAMCA0gAMEUCIFD1cPg5avtnTJdTRdA46oNL2EXY+GNp+g9/C0bDtETuAiEA+RJk1QtD99/qYBVgsBtgde9UGmbSR2DHPMD3n4kkea0=";

fn bytes(text: &str) -> Vec<u8> {
    STANDARD.decode(text).expect("base64")
}

fn said(response: &[u8], certificate: &[u8]) -> Result<Option<String>, Error> {
    let (_, certificate) = x509_parser::parse_x509_certificate(certificate).expect("a certificate");
    of(response, &certificate).map(|time| time.map(Timestamp::to_text))
}

#[track_caller]
fn check(response: &[u8], expected: Result<Option<&str>, Error>) {
    assert_eq!(said(response, &bytes(CERTIFICATE)), expected.map(|time| time.map(str::to_owned)));
}

const SERIAL: &[u8] = &[0, 0xf1, 0xe2, 0xd3, 0xc4, 0xb5];
const NEXT_UPDATE: &str = "20261206000000Z";

fn issuer() -> Vec<u8> {
    let certificate = bytes(CERTIFICATE);
    let (_, certificate) = x509_parser::parse_x509_certificate(&certificate).expect("a certificate");
    certificate.issuer().as_raw().to_vec()
}

#[test]
fn a_response_of_openssl_says_until_when_the_certificate_is_good() {
    check(&bytes(RESPONSE), Ok(Some("2026-12-06T11:48:10Z")));
}

#[test]
fn a_response_for_a_revoked_or_unknown_certificate_is_not_for_clients() {
    let of = |status| about(&bytes(CERTIFICATE), status, Some(NEXT_UPDATE));
    check(&of(made::GOOD), Ok(Some("2026-12-06T00:00:00Z")));
    check(&of(made::REVOKED), Err(Error::Revoked));
    check(&of(made::UNKNOWN), Err(Error::Unknown));
    check(&about(&bytes(CERTIFICATE), made::GOOD, None), Ok(None));
    check(&about(&bytes(CERTIFICATE), made::GOOD, Some("in a week")), Err(Error::NotOcsp));
}

#[test]
fn serial_and_issuer_tell_which_certificate_is_meant() {
    let issuer = issuer();
    let one =
        |hash: &[u8], name_hash: &[u8], serial: &[u8]| single(hash, name_hash, serial, made::GOOD, Some(NEXT_UPDATE));
    let other = one(SHA1, &octets::sha1(&issuer), &[1]);
    let good = || Ok(Some("2026-12-06T00:00:00Z"));
    check(&response(&[]), Err(Error::OtherCertificate));
    check(&response(std::slice::from_ref(&other)), Err(Error::OtherCertificate));
    check(&response(&[one(SHA1, &octets::sha1(b"another"), SERIAL)]), Err(Error::OtherCertificate));
    check(&response(&[one(SHA256, &octets::sha256(b"another"), SERIAL)]), Err(Error::OtherCertificate));
    check(&response(&[one(SHA256, &octets::sha256(&issuer), SERIAL)]), good());
    // SHA-512: the serial number decides.
    check(&response(&[one(&[0x60, 0x86, 0x48, 1, 0x65, 3, 4, 2, 3], &[0; 64], SERIAL)]), good());
    check(&response(&[other, one(SHA1, &octets::sha1(&issuer), SERIAL)]), good());
}

#[test]
fn an_error_of_the_responder_is_named_by_its_number() {
    check(&[0x30, 3, 10, 1, 3], Err(Error::Refused(3)));
}

#[test]
fn what_is_no_response_is_refused_whatever_it_is() {
    check(b"", Err(Error::NotOcsp));
    check(b"-----BEGIN CERTIFICATE-----", Err(Error::NotOcsp));
    check(&bytes(CERTIFICATE), Err(Error::NotOcsp));
    let whole = bytes(RESPONSE);
    for length in 0..whole.len() {
        check(&whole[..length], Err(Error::NotOcsp));
    }
    check(&[whole, vec![0]].concat(), Err(Error::NotOcsp));
}

proptest::proptest! {
    #[test]
    fn no_bytes_make_the_reader_panic(at in 0_usize..272, value: u8) {
        let mut changed = bytes(RESPONSE);
        changed[at] = value;
        let _ = said(&changed, &bytes(CERTIFICATE));
    }
}
