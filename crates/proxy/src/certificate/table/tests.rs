use rcgen::{CertificateParams, KeyPair, SignatureAlgorithm as Kind};
use rcgen::{PKCS_ECDSA_P256_SHA256, PKCS_ECDSA_P384_SHA384, PKCS_ED25519, PKCS_RSA_SHA256, RsaKeySize};
use rustls::SignatureScheme::{ECDSA_NISTP256_SHA256, ECDSA_NISTP384_SHA384, ED25519, RSA_PSS_SHA256};

use super::*;
use crate::certificate::ocsp::made;
use crate::secret::Secret;

/// A certificate for names, with a key of a kind, that expires in a year.
fn certificate(names: &[&str], key: &KeyPair, expires: i32) -> Certificate {
    let mut params = CertificateParams::new(names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>()).unwrap();
    params.not_after = rcgen::date_time_ymd(expires, 1, 1);
    let chain = params.self_signed(key).unwrap().pem();
    Certificate::from_pem(&chain, &Secret::new(key.serialize_pem())).unwrap()
}

fn key(kind: &'static Kind) -> KeyPair {
    KeyPair::generate_for(kind).unwrap()
}

fn rsa(size: RsaKeySize) -> KeyPair {
    KeyPair::generate_rsa_for(&PKCS_RSA_SHA256, size).unwrap()
}

const EVERY: &[SignatureScheme] = &[RSA_PSS_SHA256, ED25519, ECDSA_NISTP384_SHA384, ECDSA_NISTP256_SHA256];

/// The index of the certificate that a client gets.
#[track_caller]
fn check(table: &Certificates, name: Option<&str>, offered: &[SignatureScheme], expected: usize) {
    let chosen = table.choose(name, offered);
    let index = table.all.iter().position(|one| std::ptr::eq(one, chosen)).unwrap();
    assert_eq!(index, expected, "{name:?} {offered:?}");
}

fn table(mut all: Vec<Certificate>) -> Certificates {
    let others = all.split_off(1);
    Certificates::new(all.remove(0), others)
}

#[test]
fn ecdsa_is_before_rsa_and_a_long_key_before_a_short_one() {
    let table = table(vec![
        certificate(&["other.test"], &key(&PKCS_ECDSA_P256_SHA256), 2050),
        certificate(&["app.test"], &key(&PKCS_ED25519), 2050),
        certificate(&["app.test"], &rsa(RsaKeySize::_2048), 2050),
        certificate(&["app.test"], &rsa(RsaKeySize::_3072), 2050),
        certificate(&["app.test"], &key(&PKCS_ECDSA_P256_SHA256), 2050),
        certificate(&["app.test"], &key(&PKCS_ECDSA_P384_SHA384), 2050),
    ]);
    check(&table, Some("app.test"), EVERY, 5);
    check(&table, Some("app.test"), &[RSA_PSS_SHA256, ECDSA_NISTP256_SHA256], 4);
    check(&table, Some("app.test"), &[ED25519, RSA_PSS_SHA256], 3);
    check(&table, Some("app.test"), &[ED25519], 1);
    // The client can verify none: the handshake fails, whatever it gets.
    check(&table, Some("app.test"), &[], 5);
    check(&table, None, &[RSA_PSS_SHA256], 0);
    check(&table, Some("unknown.test"), EVERY, 0);
}

#[test]
fn among_equal_keys_the_later_expiry_decides_and_then_the_order_of_the_file() {
    let key = key(&PKCS_ECDSA_P256_SHA256);
    let of = |years: &[i32]| table(years.iter().map(|year| certificate(&["app.test"], &key, *year)).collect());
    check(&of(&[2040, 2050, 2030]), Some("app.test"), EVERY, 1);
    check(&of(&[2040, 2040]), Some("app.test"), EVERY, 0);
    // The default certificate is the first one, whatever the others are.
    check(&of(&[2040, 2050, 2030]), None, EVERY, 0);
}

#[test]
fn an_exact_name_is_before_a_wildcard_unless_the_client_cannot_verify_it() {
    let table = table(vec![
        certificate(&["*.app.test"], &key(&PKCS_ECDSA_P384_SHA384), 2050),
        certificate(&["a.app.test"], &rsa(RsaKeySize::_2048), 2040),
    ]);
    check(&table, Some("a.app.test"), EVERY, 1);
    check(&table, Some("b.app.test"), EVERY, 0);
    check(&table, Some("a.app.test"), &[ECDSA_NISTP384_SHA384], 0);
    check(&table, Some("app.test"), EVERY, 0);
    assert!(table.is_for("b.app.test") && !table.is_for("app.test") && !table.is_for("a.b.app.test"));
    // A certificate for every name there is: no client accepts it (RFC 6125 §6.4.3).
    assert!(!table.is_for("test"));
}

#[test]
fn an_ocsp_response_that_is_out_of_date_is_not_shown() {
    let bare = certificate(&["app.test"], &key(&PKCS_ECDSA_P256_SHA256), 2050);
    let leaf = bare.shown(Timestamp::MAX).end_entity_cert().unwrap().to_vec();
    let response = made::about(&leaf, made::GOOD, Some("20261206000000Z"));
    let stapled = bare.clone().with_ocsp(response.clone()).unwrap();
    let at = stapled.ocsp_next_update().unwrap();
    let before = Timestamp::from_seconds(at.seconds() - 1);
    assert_eq!(stapled.shown(before).ocsp.as_deref(), Some(&response[..]));
    assert_eq!(stapled.shown(at).ocsp, None);
    assert_eq!(bare.shown(before).ocsp, None);
    let table = table(vec![bare, stapled]);
    assert_eq!(table.outdated_ocsp(before).count(), 0);
    assert_eq!(table.outdated_ocsp(at).collect::<Vec<_>>(), [(1, Some("app.test"))]);
}
