//! Certificates of clients: who is let in by the handshake, and what targets and the log are told (ALB §10.8).

mod authorize;
mod explained;
mod harness_of;
mod log;
mod openssl;
mod reload;
mod resumption;

use rcgen::{CertificateParams, DnType, DnValue, ExtendedKeyUsagePurpose, SerialNumber, date_time_ymd};
use rustls::SupportedProtocolVersion;
use serde_json::Value;

use crate::harness::app::Setup;
use crate::harness::authorities::{Authority, ClientCertificate};
use crate::harness::browser::Protocol;
use crate::harness::target;
use harness_of::{Answered, BOTH, HTTP1, fetch, fetch_as, passthrough, verify, verify_with, without};

/// What is refused is refused by the handshake: no answer, and a cause in the metrics.
#[track_caller]
fn refused(proxy: &crate::harness::app::Proxy, who: Option<&ClientCertificate>, cause: &str) {
    for version in BOTH {
        let series = format!(r#"vestibule_client_certificates_refused_total{{listener="public",cause="{cause}"}}"#);
        let before = proxy.metric(&series);
        let answered = match who {
            Some(who) => fetch_as(proxy.address(), who, version, &[]),
            None => fetch(proxy.address(), without(&[version]), &[]),
        };
        assert!(matches!(answered, Answered::Not(_)), "{cause} {version:?}: {answered:?}");
        crate::harness::app::wait_until(&format!("the refusal is counted: {cause} {answered:?}"), || {
            (proxy.metric(&series) > before).then_some(())
        });
    }
}

#[test]
fn a_certificate_of_the_trust_store_is_let_in_and_described_to_the_target() {
    let (target, authority) = (target::echo(), Authority::new("Staff CA"));
    let proxy = verify(&target, &authority, "");
    let ada = authority.issue(|params| {
        params.serial_number = Some(SerialNumber::from(vec![0x03, 0xa5, 0xb1]));
        params.distinguished_name.push(DnType::OrganizationName, "Example, Inc.");
        params.distinguished_name.push(DnType::CountryName, "DE");
    });
    for version in BOTH {
        let headers = fetch_as(proxy.address(), &ada, version, &[]).headers();
        assert_eq!(headers["x-amzn-mtls-clientcert-serial-number"], "03A5B1");
        assert_eq!(headers["x-amzn-mtls-clientcert-subject"], r"C=DE,O=Example\, Inc.,CN=ada");
        assert_eq!(headers["x-amzn-mtls-clientcert-issuer"], "CN=Staff CA");
        assert_eq!(
            headers["x-amzn-mtls-clientcert-validity"],
            "NotBefore=2020-01-01T00:00:00Z;NotAfter=2040-01-01T00:00:00Z"
        );
        assert_eq!(decoded(&headers["x-amzn-mtls-clientcert-leaf"]), ada.chain);
        assert!(headers.get("x-amzn-mtls-clientcert").is_none(), "{headers}");
    }
    let records = proxy.access_log(2);
    assert_eq!(records[0]["tls.client.subject"], r"C=DE,O=Example\, Inc.,CN=ada");
    assert_eq!(records[0]["tls.client.x509.serial_number"], "03A5B1");
    assert_eq!(records[0]["tls.client.verified"], true);
    assert_eq!(records[0]["tls.client.hash.sha256"].as_str().map(str::len), Some(64));
}

/// A URL-encoded PEM text, with the line ends of rcgen.
fn decoded(header: &Value) -> String {
    let text = header.as_str().expect("text");
    assert!(text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"%+=/-".contains(&byte)), "{text}");
    text.replace("%0A", "\n").replace("%20", " ")
}

#[test]
fn t_01_every_connection_of_the_listener_has_a_certificate_that_the_trust_store_vouches_for() {
    let (target, authority) = (target::echo(), Authority::new("Staff CA"));
    let proxy = verify(&target, &authority, "");
    let ada = || authority.issue(|_| {});
    assert!(matches!(fetch_as(proxy.address(), &ada(), HTTP1, &[]), Answered::With(200, _)));
    refused(&proxy, None, "none");
    // The same name and another key.
    refused(&proxy, Some(&Authority::new("Staff CA").issue(|_| {})), "signature");
    refused(&proxy, Some(&Authority::new("Another CA").issue(|_| {})), "unknown_authority");
    refused(&proxy, Some(&authority.issue(|params| params.not_after = date_time_ymd(2026, 11, 1))), "expired");
    refused(&proxy, Some(&authority.issue(|params| params.not_before = date_time_ymd(2026, 12, 1))), "not_valid_yet");
    let server_only = |params: &mut CertificateParams| {
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    };
    refused(&proxy, Some(&authority.issue(server_only)), "purpose");
    // Other names in SNI and Host change nothing: the policy is the listener's.
    let (address, version) = (proxy.address(), HTTP1);
    let fronted = fetch(address, ada().client(&[version], &[b"http/1.1"]), &[("host", "other.test")]);
    assert!(matches!(fronted, Answered::With(200, _)), "{fronted:?}");
}

#[test]
fn a_certificate_without_purposes_is_for_every_purpose() {
    let (target, authority) = (target::echo(), Authority::new("Staff CA"));
    let proxy = verify(&target, &authority, "");
    let plain = authority.issue(|params| params.extended_key_usages.clear());
    assert!(matches!(fetch_as(proxy.address(), &plain, HTTP1, &[]), Answered::With(200, _)));
}

#[test]
fn at_most_four_authorities_are_above_a_certificate() {
    let target = target::echo();
    let root = Authority::new("Root");
    let proxy = verify(&target, &root, "");
    let third = root.intermediate("1").intermediate("2").intermediate("3");
    assert!(matches!(fetch_as(proxy.address(), &third.issue(|_| {}), HTTP1, &[]), Answered::With(200, _)));
    let fourth = third.intermediate("4");
    for version in BOTH {
        let answered = fetch_as(proxy.address(), &fourth.issue(|_| {}), version, &[]);
        assert!(matches!(answered, Answered::Not(_)), "{answered:?}");
    }
    // An expired authority on the way is refused also where the expiry of clients is ignored.
    let proxy = verify(&target, &root, "      ignore_client_certificate_expiry: true\n");
    let expired = root.intermediate_until("old", 2025);
    assert!(matches!(fetch_as(proxy.address(), &expired.issue(|_| {}), HTTP1, &[]), Answered::Not(_)));
    let old = |params: &mut CertificateParams| params.not_after = date_time_ymd(2024, 1, 1);
    assert!(matches!(fetch_as(proxy.address(), &expired.issue(old), HTTP1, &[]), Answered::Not(_)));
}

#[test]
fn the_expiry_of_clients_can_be_ignored_and_nothing_else() {
    let (target, authority) = (target::echo(), Authority::new("Staff CA"));
    let proxy = verify(&target, &authority, "      ignore_client_certificate_expiry: true\n");
    let expired = |params: &mut CertificateParams| params.not_after = date_time_ymd(2024, 1, 1);
    assert!(matches!(fetch_as(proxy.address(), &authority.issue(expired), HTTP1, &[]), Answered::With(200, _)));
    refused(&proxy, Some(&authority.issue(|params| params.not_before = date_time_ymd(2026, 12, 1))), "not_valid_yet");
    refused(&proxy, Some(&Authority::new("Another CA").issue(expired)), "unknown_authority");
    let revoked = |params: &mut CertificateParams| {
        expired(params);
        params.serial_number = Some(SerialNumber::from(7));
    };
    let with_list = "      ignore_client_certificate_expiry: true\n";
    let proxy = verify_with(&target, &[&authority], &[authority.list(&[7], 2030)], with_list, "");
    refused(&proxy, Some(&authority.issue(revoked)), "revoked");
    // A list that is out of date now was up to date when the certificate expired.
    let proxy = verify_with(&target, &[&authority], &[authority.list(&[], 2025)], with_list, "");
    refused(&proxy, Some(&authority.issue(expired)), "revocation_unknown");
    // An authority of the store that has expired.
    let old = Authority::until("Old CA", 2025);
    let proxy = verify(&target, &old, "      ignore_client_certificate_expiry: true\n");
    refused(&proxy, Some(&old.issue(expired)), "expired");
}

#[test]
fn revoked_certificates_are_refused_and_so_are_those_of_which_it_is_not_known() {
    let target = target::echo();
    let (one, other) = (Authority::new("One"), Authority::new("Other"));
    let with =
        |serial: u64| move |params: &mut CertificateParams| params.serial_number = Some(SerialNumber::from(serial));
    let lists = [one.list(&[7], 2030)];
    let proxy = verify_with(&target, &[&one, &other], &lists, "", "");
    assert!(matches!(fetch_as(proxy.address(), &one.issue(with(8)), HTTP1, &[]), Answered::With(200, _)));
    refused(&proxy, Some(&one.issue(with(7))), "revoked");
    refused(&proxy, Some(&other.issue(with(7))), "revocation_unknown");
    let accepting = "    certificates_without_crl: accept\n";
    let proxy = verify_with(&target, &[&one, &other], &lists, "", accepting);
    assert!(matches!(fetch_as(proxy.address(), &other.issue(with(7)), HTTP1, &[]), Answered::With(200, _)));
    refused(&proxy, Some(&one.issue(with(7))), "revoked");
    // An authority on the way can be revoked by the one above it.
    let below = one.intermediate_numbered("below", 9);
    let proxy = verify_with(&target, &[&one], &[one.list(&[], 2030), below.list(&[7], 2030)], "", "");
    assert!(matches!(fetch_as(proxy.address(), &below.issue(with(8)), HTTP1, &[]), Answered::With(200, _)));
    refused(&proxy, Some(&below.issue(with(7))), "revoked");
    let proxy = verify_with(&target, &[&one], &[one.list(&[9], 2030), below.list(&[], 2030)], "", "");
    refused(&proxy, Some(&below.issue(with(8))), "revoked");
    let proxy = verify_with(&target, &[&one], &[one.list(&[], 2025)], "", accepting);
    refused(&proxy, Some(&one.issue(with(8))), "revocation_unknown");
}

#[test]
fn h_12_no_name_of_a_certificate_ends_a_header() {
    let (target, authority) = (target::echo(), Authority::new("Staff CA"));
    let proxy = verify(&target, &authority, "");
    let names = [
        ("a\r\nX-Forwarded-User: admin", r"CN=a\0D\0AX-Forwarded-User: admin"),
        ("a\0b", r"CN=a\00b"),
        ("J\u{fc}rgen", r"CN=J\C3\BCrgen"),
        ("a,CN=admin", r"CN=a\,CN=admin"),
        (r#""a"+b\c<d>;"#, r#"CN=\"a\"\+b\\c\<d\>\;"#),
        (" #a ", r"CN=\ #a\20"),
        ("#a", r"CN=\#a"),
        ("\u{7f}\u{202e}", r"CN=\7F\E2\80\AE"),
    ];
    for (name, expected) in names {
        let odd = authority.issue(|params| {
            params.distinguished_name = rcgen::DistinguishedName::new();
            params.distinguished_name.push(DnType::CommonName, DnValue::Utf8String(name.to_owned()));
        });
        let headers = fetch_as(proxy.address(), &odd, HTTP1, &[]).headers();
        assert_eq!(headers["x-amzn-mtls-clientcert-subject"], expected, "{name:?}");
        assert!(headers.get("x-forwarded-user").is_none(), "{headers}");
    }
}

#[test]
fn passthrough_gives_any_certificate_to_the_target_and_none_where_there_is_none() {
    let (target, authority) = (target::echo(), Authority::new("Anybody"));
    let proxy = passthrough(&target);
    let below = authority.intermediate("Below");
    for version in BOTH {
        let expired = below.issue(|params| params.not_after = date_time_ymd(2024, 1, 1));
        let headers = fetch_as(proxy.address(), &expired, version, &[]).headers();
        assert_eq!(decoded(&headers["x-amzn-mtls-clientcert"]), expired.chain);
        assert!(headers.get("x-amzn-mtls-clientcert-subject").is_none(), "{headers}");
        let headers = fetch(proxy.address(), without(&[version]), &[]).headers();
        assert!(headers.get("x-amzn-mtls-clientcert").is_none(), "{headers}");
    }
    let records = proxy.access_log(4);
    // Workers write their records in any order.
    let (with, without): (Vec<_>, Vec<_>) =
        records.iter().partition(|record| record.get("tls.client.subject").is_some());
    assert_eq!((with.len(), without.len()), (2, 2), "{records:?}");
    for record in with {
        let said = (&record["tls.client.verified"], &record["tls.client.subject"]);
        assert_eq!(said, (&false.into(), &"CN=ada".into()));
    }
}

#[test]
fn a_client_without_the_key_is_refused_also_by_passthrough() {
    let (target, authority) = (target::echo(), Authority::new("Staff CA"));
    for proxy in [passthrough(&target), verify(&target, &authority, "")] {
        for version in BOTH {
            let stolen = harness_of::with_another_key(&authority.issue(|_| {}), version);
            let answered = fetch(proxy.address(), stolen, &[]);
            assert!(matches!(answered, Answered::Not(_)), "{answered:?}");
        }
    }
}

#[test]
fn a_chain_that_is_too_large_is_refused() {
    let target = target::echo();
    let proxy = passthrough(&target);
    let large = Authority::new("Anybody").issue(|params| {
        let names: Vec<String> = (0..600).map(|number| format!("{number:0>60}.app.test")).collect();
        params.subject_alt_names = CertificateParams::new(names).expect("names").subject_alt_names;
    });
    refused(&proxy, Some(&large), "limit");
}

#[test]
fn t_09_headers_about_certificates_come_from_the_handshake_only() {
    let (target, authority) = (target::echo(), Authority::new("Staff CA"));
    let renamed = "      header_names: { clientcert_subject: x-client-dn, clientcert: x-client-chain }\n";
    let proxy = verify(&target, &authority, renamed);
    let ada = authority.issue(|_| {});
    let forged = [
        ("x-amzn-mtls-clientcert", "forged"),
        ("X-Amzn-Mtls-Clientcert-Subject", "forged"),
        ("x_amzn_mtls_clientcert_leaf", "forged"),
        ("x-amzn.mtls-clientcert-issuer", "forged"),
        ("x-client-dn", "forged"),
        ("X-Client-Chain", "forged"),
        ("x_client_dn", "forged"),
    ];
    let headers = fetch_as(proxy.address(), &ada, HTTP1, &forged).headers();
    assert_eq!(headers["x-client-dn"], "CN=ada");
    assert!(!headers.to_string().contains("forged"), "{headers}");
    assert!(headers.get("x-amzn-mtls-clientcert-subject").is_none(), "{headers}");
    let over_http2 =
        proxy.browser(Protocol::Http2).with_certificate(&ada).send("GET", "https://app.test/", &forged, b"");
    assert!(over_http2.text().contains("CN=ada") && !over_http2.text().contains("forged"), "{}", over_http2.text());
    // And on a listener that asks for no certificates.
    let headers = harness_of::plain(proxy.address_of("plain"), &forged).headers();
    assert!(!headers.to_string().contains("forged"), "{headers}");
    let other = Setup::open(&[target.address()]).start();
    let headers = fetch(other.address(), without(&[HTTP1]), &forged[..4]).headers();
    assert!(!headers.to_string().contains("forged"), "{headers}");
}

#[test]
fn a_listener_can_tell_the_names_of_its_authorities() {
    let (target, authority) = (target::echo(), Authority::new("Staff CA"));
    for (setting, expected) in [("on", 1), ("off", 0)] {
        let proxy = verify(&target, &authority, &format!("      advertise_trust_store_ca_names: {setting}\n"));
        for version in BOTH {
            assert_eq!(harness_of::hinted(proxy.address(), version), expected, "{setting}");
        }
    }
}

/// For the signatures above.
pub type Version = &'static SupportedProtocolVersion;
