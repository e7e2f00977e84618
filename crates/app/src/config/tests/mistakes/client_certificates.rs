//! `mutual_authentication`, `trust_stores`, and `client_certificate` of `authorize`.

use rcgen::{
    BasicConstraints, CertificateParams, CertificateRevocationListParams, DnType, IsCa, Issuer, KeyIdMethod, KeyPair,
    KeyUsagePurpose, SerialNumber, date_time_ymd,
};

use super::{SOUND, files, load_in};
use crate::app::doors;
use crate::clock::Timestamp;

/// An authority whose certificate is valid from 2020 to `until`.
fn authority(
    name: &str,
    until: i32,
    change: impl FnOnce(&mut CertificateParams),
) -> (String, Issuer<'static, KeyPair>) {
    let mut params = CertificateParams::default();
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, name);
    (params.not_before, params.not_after) = (date_time_ymd(2020, 1, 1), date_time_ymd(until, 1, 1));
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    change(&mut params);
    let key = KeyPair::generate().unwrap();
    (params.self_signed(&key).unwrap().pem(), Issuer::new(params, key))
}

fn list(issuer: &Issuer<'_, KeyPair>, until: i32) -> String {
    let params = CertificateRevocationListParams {
        this_update: date_time_ymd(2020, 1, 1),
        next_update: date_time_ymd(until, 1, 1),
        crl_number: SerialNumber::from(1),
        issuing_distribution_point: None,
        revoked_certs: Vec::new(),
        key_identifier_method: KeyIdMethod::Sha256,
    };
    params.signed_by(issuer).unwrap().pem().unwrap()
}

/// What is said of the sound file with this `mutual_authentication` and these trust stores: mistakes, else warnings, each on a line.
fn said(mutual_authentication: &str, stores: &str, change: (&str, &str)) -> String {
    let directory = files("client-certificates");
    let write = |name: &str, text: &str| std::fs::write(directory.join(name), text).unwrap();
    let (sound, issuer) = authority("Staff CA", 2040, |_| {});
    let (namesake, other) = authority("Staff CA", 2040, |_| {});
    let (expired, _) = authority("Old CA", 2024, |_| {});
    write("ca.pem", &sound);
    write("expired.pem", &expired);
    write("two.pem", &format!("{sound}{expired}"));
    write("leaf.pem", &authority("ada", 2040, |params| params.is_ca = IsCa::NoCa).0);
    write("may-not-sign.pem", &authority("x", 2040, |params| params.key_usages = vec![KeyUsagePurpose::CrlSign]).0);
    let large =
        CertificateParams::new((0..300).map(|number| format!("{number:0>60}.test")).collect::<Vec<_>>()).unwrap();
    write("large.pem", &authority("large", 2040, |params| params.subject_alt_names = large.subject_alt_names).0);
    write("ca.crl", &list(&issuer, 2030));
    write("old.crl", &list(&issuer, 2024));
    write("forged.crl", &list(&other, 2030));
    write("other.crl", &list(&authority("Another CA", 2040, |_| {}).1, 2030));
    write("namesake.pem", &namesake);
    let text =
        SOUND.replacen("    rules:\n", &format!("    mutual_authentication: {mutual_authentication}\n    rules:\n"), 1);
    assert!(text.contains(change.0), "no place for {:?}", change.0);
    let text = text.replacen(change.0, change.1, 1) + stores;
    let text = text.replace("login.example.com\n    client_id", "login.company.com\n    client_id");
    let report = match load_in(&directory, &text) {
        Err(report) => report.to_string(),
        Ok(config) => {
            // 2026-11-24.
            let doors = doors::warnings(&config, Timestamp::from_seconds(1_795_507_200)).join("\n");
            format!("{}{doors}", config.warnings)
        }
    };
    report.replace(&directory.display().to_string(), "DIR")
}

const VERIFY: &str = "{ mode: verify, trust_store: staff }";

#[track_caller]
fn of_store(store: &str, expected: &str) {
    let report = said(VERIFY, &format!("trust_stores: {{ staff: {store} }}\n"), ("", ""));
    match expected {
        "" => assert!(!report.contains("trust store `staff`") && !report.contains("trust_stores"), "{store}: {report}"),
        expected => assert!(report.contains(expected), "{store}: {report}"),
    }
}

#[test]
fn trust_stores() {
    of_store("{ ca_files: [ca.pem], crl_files: [ca.crl] }", "");
    of_store("{ ca_files: [] }", "expected at least one file");
    of_store("{ ca_files: [missing.pem] }", "the file `DIR/missing.pem` cannot be read");
    of_store("{ ca_files: [session-key] }", "the file `DIR/session-key` contains no certificates in PEM format");
    of_store(
        "{ ca_files: [leaf.pem] }",
        "`DIR/leaf.pem`: the certificate is not of a certificate authority (no basic constraint `CA:TRUE`)",
    );
    of_store("{ ca_files: [may-not-sign.pem] }", "(no key usage `keyCertSign`)");
    of_store("{ ca_files: [large.pem] }", "is larger than 16384 bytes");
    of_store(
        "{ ca_files: [ca.pem], crl_files: [ca.pem] }",
        "the file `DIR/ca.pem` is not a certificate revocation list (CRL)",
    );
    of_store(
        "{ ca_files: [ca.pem], crl_files: [forged.crl] }",
        "is not signed by the authority `CN=Staff CA` of this trust store",
    );
    of_store("{ ca_files: [ca.pem, namesake.pem], crl_files: [forged.crl] }", "");
    of_store("{ ca_files: [ca.pem], crl_files: [ca.crl, old.crl] }", "a second list of `CN=Staff CA`");
    // These are warnings: the other authorities and lists go on to work.
    of_store(
        "{ ca_files: [expired.pem] }",
        "trust store `staff`: the certificate of `CN=Old CA` has expired; clients with its certificates are refused",
    );
    of_store(
        "{ ca_files: [ca.pem], crl_files: [old.crl] }",
        "the list of revoked certificates of `CN=Staff CA` is out of date since 2024-01-01T00:00:00Z",
    );
    of_store(
        "{ ca_files: [ca.pem], crl_files: [ca.crl, other.crl] }",
        "this list is of `CN=Another CA`, which is no authority of this trust store",
    );
    of_store(
        "{ ca_files: [two.pem], crl_files: [ca.crl] }",
        "there is no list of `CN=Old CA`: every client with a certificate of it is refused",
    );
}

#[test]
fn modes() {
    let stores = "trust_stores: { staff: { ca_files: [ca.pem] } }\n";
    let check = |mutual: &str, stores: &str, change: (&str, &str), expected: &str| {
        let report = said(mutual, stores, change);
        assert!(report.contains(expected), "{mutual}: {report}");
    };
    let unchanged = ("", "");
    check("{ mode: verify }", stores, unchanged, "`mode: verify` needs a `trust_store`");
    check("{ mode: verify, trust_store: stuff }", stores, unchanged, "there is no trust store `stuff`");
    check("{ mode: passthrough }", stores, unchanged, "this trust store is not used by any listener");
    check(
        "{ mode: passthrough, trust_store: staff }",
        stores,
        unchanged,
        "`trust_store` is allowed only with `mode: verify`",
    );
    check("{ ignore_client_certificate_expiry: true }", "", unchanged, "is allowed only with `mode: verify`");
    check(
        "{ mode: verify, trust_store: staff, header_names: { clientcert_leaf: x_leaf } }",
        stores,
        unchanged,
        "`x_leaf` is not a header name",
    );
    check(
        "{ mode: verify, trust_store: staff, header_names: { clientcert_leaf: Host } }",
        stores,
        unchanged,
        "the header `host` is reserved",
    );
    check(
        "{ mode: verify, trust_store: staff, header_names: { clientcert_leaf: x-a, clientcert_issuer: X-A } }",
        stores,
        unchanged,
        "two headers have the name `x-a`",
    );
    check(
        VERIFY,
        stores,
        ("    rules:\n", "    ticket_key_files: [session-key]\n    rules:\n"),
        "`ticket_key_files` has no effect",
    );
    let plain = (
        "protocol: https\n    certificates:\n      - certificate_file: tls.pem\n        private_key_file: tls-key.pem",
        "protocol: http",
    );
    check(VERIFY, stores, plain, "`mutual_authentication` is not allowed on an `http` listener");
}

#[test]
fn client_certificates_of_authorize() {
    let stores = "trust_stores: { staff: { ca_files: [ca.pem] } }\n";
    let default = "    default_actions:\n      - type: authenticate-oidc\n        provider: corp\n";
    let check = |mutual: &str, authorize: &str, expected: &str| {
        let changed = format!("    default_actions:\n      - {{ type: authorize, {authorize} }}\n");
        let stores = if mutual == VERIFY { stores } else { "" };
        let report = said(mutual, stores, (default, &changed));
        match expected {
            "" => assert!(!report.contains("error:"), "{authorize}: {report}"),
            expected => assert!(report.contains(expected), "{authorize}: {report}"),
        }
    };
    let of = |test: &str| format!("all: [{{ client_certificate: {test} }}]");
    check(VERIFY, &of("{ subject: ['CN=ada, O=Example'] }"), "");
    let reversed = "`C=DE, O=Example, CN=ada` is in the order in which `openssl x509 -subject` prints a name";
    check(VERIFY, &of("{ subject: ['CN=bob', 'C=DE, O=Example, CN=ada'] }"), reversed);
    check(VERIFY, &of("{ issuer: ['C=DE, O=Example, CN=ada'] }"), reversed);
    check(VERIFY, &of("{ issuer: ['CN=Staff CA'], serial_number: ['01:ab'] }"), "");
    for mutual in ["{ mode: passthrough }", "{ mode: off }"] {
        check(
            mutual,
            &of("{ subject: [CN=ada] }"),
            "`client_certificate` on a listener that verifies no certificates of clients",
        );
    }
    check(
        VERIFY,
        "any: [{ client_certificate: { subject: [CN=ada] } }, { claim: groups, contains: [sre] }]",
        "`authorize` without an action before it",
    );
    check(
        VERIFY,
        "max_age: 1h, all: [{ client_certificate: { subject: [CN=ada] } }]",
        "`authorize` without an action before it",
    );
    check(VERIFY, &of("{ }"), "this asks nothing of the certificate");
    check(VERIFY, &of("{ subject: [] }"), "this list is empty");
    check(VERIFY, &of("{ subject: [ada] }"), "`ada` is not a value of `subject`");
    check(VERIFY, &of("{ fingerprint: ['12:34'] }"), "`12:34` is not a value of `fingerprint`");
    check(VERIFY, &of("{ serial_number: ['01'] }"), "`serial_number` without `issuer`");
    check(VERIFY, &of("{ san: [a.test] }"), "write `dns_name`, `email` or `uri`");
    check(VERIFY, "client_certificate: { subject: [CN=ada] }", "put it below `all`");
}
