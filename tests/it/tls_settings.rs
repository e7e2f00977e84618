//! TLS as the file says: which certificate, which versions, stapled responses, and tickets that replicas share.

use std::io::{Read as _, Write as _};
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use rcgen::{KeyPair, PKCS_RSA_SHA256};
use rustls::client::Resumption;
use rustls::crypto::SupportedKxGroup;
use rustls::crypto::aws_lc_rs::kx_group::{MLKEM768, SECP256R1MLKEM768, SECP384R1, X25519, X25519MLKEM768};
use rustls::{ClientConfig, HandshakeKind, NamedGroup, ProtocolVersion, SignatureScheme};
use rustls_pki_types::CertificateDer;
use rustls_pki_types::pem::PemObject as _;

use crate::harness::app::{Proxy, START, Setup, folder};
use crate::harness::certificates::{self, Anyone};
use crate::harness::ocsp;
use crate::harness::target;
use crate::tls::handshake;

/// A listener with these certificates, and more settings.
fn listener(certificates: &str, more: &str) -> String {
    format!(
        "
listeners:
  - name: public
    address: 127.0.0.1:0
    protocol: https
    certificates: [{certificates}]
    default_actions: [{{ type: fixed-response, status_code: 200 }}]
{more}
admin: {{ address: 127.0.0.1:0 }}
access_log: {{ destination: access.log }}
workers: 1
"
    )
}

/// Writes a certificate for `app.test`. Returns it in DER form.
fn write(folder: &Path, name: &str, key: KeyPair) -> CertificateDer<'static> {
    let (chain, key) = certificates::untrusted_with(&["app.test"], key);
    std::fs::write(folder.join(format!("{name}.pem")), &chain).expect("written");
    std::fs::write(folder.join(format!("{name}-key.pem")), key).expect("written");
    CertificateDer::from_pem_slice(chain.as_bytes()).expect("a certificate")
}

#[test]
fn a_client_gets_the_ecdsa_certificate_if_it_can_verify_it_and_else_the_rsa_one() {
    use SignatureScheme::{ECDSA_NISTP256_SHA256, RSA_PSS_SHA256};
    let folder = folder();
    let rsa = write(&folder, "rsa", KeyPair::generate_for(&PKCS_RSA_SHA256).expect("a key"));
    let ecdsa = write(&folder, "ecdsa", KeyPair::generate().expect("a key"));
    let yaml = listener(
        "{ certificate_file: rsa.pem, private_key_file: rsa-key.pem }, \
         { certificate_file: ecdsa.pem, private_key_file: ecdsa-key.pem }",
        "",
    );
    let proxy = Proxy::start_in(folder, &yaml, START);
    let table: [(&[SignatureScheme], &CertificateDer<'_>); 3] = [
        (&[RSA_PSS_SHA256, ECDSA_NISTP256_SHA256], &ecdsa),
        (&[ECDSA_NISTP256_SHA256], &ecdsa),
        (&[RSA_PSS_SHA256], &rsa),
    ];
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        for (schemes, expected) in table {
            let anyone = Arc::new(Anyone { schemes: schemes.to_vec(), ..Anyone::default() });
            let client = certificates::looking(&anyone, &[version]);
            let stream = handshake(proxy.address(), client, "app.test").expect("a handshake");
            assert!(stream.conn.peer_certificates().expect("one")[0] == *expected, "{version:?} {schemes:?}");
        }
    }
}

#[test]
fn a_policy_with_tls_1_3_only_refuses_tls_1_2() {
    for policy in ["TLS13-1-3", "ELBSecurityPolicy-TLS13-1-3-2021-06"] {
        let proxy = Setup::open(&[]).listener(&format!("    tls_policy: {policy}")).start();
        let newer = certificates::client_speaking(&[&rustls::version::TLS13]);
        let stream = handshake(proxy.address(), newer, "app.test").expect("a handshake");
        assert_eq!(stream.conn.protocol_version(), Some(ProtocolVersion::TLSv1_3));
        let older = certificates::client_speaking(&[&rustls::version::TLS12]);
        let error = handshake(proxy.address(), older, "app.test").expect_err("too old");
        assert!(error.contains("ProtocolVersion"), "{error}");
    }
}

#[test]
fn a_policy_with_tls_1_2_serves_both_versions() {
    for policy in ["TLS13-1-2-Res", "ELBSecurityPolicy-TLS13-1-2-Res-2021-06"] {
        let proxy = Setup::open(&[]).listener(&format!("    tls_policy: {policy}")).start();
        for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
            let client = certificates::client_speaking(&[version]);
            let stream = handshake(proxy.address(), client, "app.test").expect("a handshake");
            assert_eq!(stream.conn.protocol_version(), Some(version.version));
        }
    }
}

#[test]
fn a_client_that_prefers_a_hybrid_key_exchange_gets_it_and_one_without_is_served_as_before() {
    let proxy = Setup::open(&[]).start();
    let table: [(&[&'static dyn SupportedKxGroup], NamedGroup); 5] = [
        (&[X25519MLKEM768, X25519], NamedGroup::X25519MLKEM768),
        (&[SECP256R1MLKEM768], NamedGroup::secp256r1MLKEM768),
        (&[X25519], NamedGroup::X25519),
        (&[X25519, X25519MLKEM768], NamedGroup::X25519),
        (&[SECP384R1], NamedGroup::secp384r1),
    ];
    for (offered, expected) in table {
        let client = certificates::client_with_groups(offered);
        let stream = handshake(proxy.address(), client, "app.test").expect("a handshake");
        let agreed = stream.conn.negotiated_key_exchange_group().expect("done").name();
        // Without a second round trip.
        assert_eq!((agreed, stream.conn.handshake_kind()), (expected, Some(HandshakeKind::Full)), "{offered:?}");
    }
    // Without a classical part, the exchange stands on one leg: not offered.
    assert!(handshake(proxy.address(), certificates::client_with_groups(&[MLKEM768]), "app.test").is_err());
}

#[test]
fn an_ocsp_response_is_stapled_until_it_is_out_of_date() {
    let folder = folder();
    let certificate = write(&folder, "app", KeyPair::generate().expect("a key"));
    // A week after `START`.
    let response = ocsp::about(&certificate, ocsp::GOOD, Some("20261201080000Z"));
    std::fs::write(folder.join("app.ocsp"), &response).expect("written");
    let yaml = listener("{ certificate_file: app.pem, private_key_file: app-key.pem, ocsp_file: app.ocsp }", "");
    let proxy = Proxy::start_in(folder, &yaml, START);
    let stapled = |version| {
        let anyone = Arc::default();
        handshake(proxy.address(), certificates::looking(&anyone, &[version]), "app.test").expect("a handshake");
        anyone.stapled.lock().expect("not poisoned").clone()
    };
    let series =
        "vestibule_ocsp_next_update_timestamp_seconds{listener=\"public\",certificate=\"0\",server_name=\"app.test\"}";
    assert_eq!(proxy.metric(series), 1_796_112_000);
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        assert_eq!(stapled(version), response, "{version:?}");
    }
    proxy.clock.advance(Duration::from_secs(7 * 86_400));
    for version in [&rustls::version::TLS13, &rustls::version::TLS12] {
        assert_eq!(stapled(version), b"", "{version:?}");
    }
}

/// A proxy whose ticket keys are those of these digits, and a clock.
fn with_ticket_keys(digits: &str) -> Proxy {
    let folder = folder();
    let mut names = Vec::new();
    for digit in digits.chars() {
        std::fs::write(folder.join(format!("ticket-{digit}")), format!("0{digit}").repeat(31) + "ff").expect("written");
        names.push(format!("ticket-{digit}"));
    }
    let more = if names.is_empty() { String::new() } else { format!("    ticket_key_files: [{}]", names.join(", ")) };
    let yaml = Setup::open(&[target::echo().address()]).listener(&more).yaml();
    Proxy::start_in(folder, &yaml, START)
}

/// A client that remembers its sessions by name, wherever they are.
fn remembering(version: &'static rustls::SupportedProtocolVersion) -> Arc<ClientConfig> {
    let mut config = Arc::unwrap_or_clone(certificates::client_speaking(&[version]));
    config.resumption = Resumption::in_memory_sessions(16);
    Arc::new(config)
}

fn kind(address: SocketAddr, config: &Arc<ClientConfig>) -> HandshakeKind {
    let mut stream = handshake(address, Arc::clone(config), "app.test").expect("a handshake");
    let kind = stream.conn.handshake_kind().expect("done");
    // The ticket of TLS 1.3 comes after the handshake, with the first answer at the latest.
    stream.write_all(b"GET / HTTP/1.1\r\nhost: app.test\r\nconnection: close\r\n\r\n").expect("sent");
    let _ = stream.read_to_end(&mut Vec::new());
    kind
}

const VERSIONS: [&rustls::SupportedProtocolVersion; 2] = [&rustls::version::TLS12, &rustls::version::TLS13];

#[test]
fn replicas_with_the_same_ticket_keys_resume_the_sessions_of_each_other() {
    let (one, other) = (with_ticket_keys("1"), with_ticket_keys("1"));
    for version in VERSIONS {
        let client = remembering(version);
        assert_eq!(kind(one.address(), &client), HandshakeKind::Full);
        assert_eq!(kind(other.address(), &client), HandshakeKind::Resumed, "{version:?}");
        assert_eq!(kind(one.address(), &client), HandshakeKind::Resumed, "{version:?}");
    }
}

#[test]
fn after_a_rotation_of_ticket_keys_old_sessions_are_resumed_until_their_key_is_gone() {
    let (old, both, new) = (with_ticket_keys("1"), with_ticket_keys("21"), with_ticket_keys("2"));
    for version in VERSIONS {
        let client = remembering(version);
        assert_eq!(kind(old.address(), &client), HandshakeKind::Full);
        assert_eq!(kind(both.address(), &client), HandshakeKind::Resumed, "{version:?}");
        // The resumed session came with a ticket of the new key.
        assert_eq!(kind(new.address(), &client), HandshakeKind::Resumed, "{version:?}");
        let client = remembering(version);
        assert_eq!(kind(old.address(), &client), HandshakeKind::Full);
        assert_eq!(kind(new.address(), &client), HandshakeKind::Full, "{version:?}");
    }
}

#[test]
fn a_ticket_of_a_foreign_key_or_of_another_process_is_a_full_handshake() {
    let (one, foreign, without, also_without) =
        (with_ticket_keys("1"), with_ticket_keys("3"), with_ticket_keys(""), with_ticket_keys(""));
    for version in VERSIONS {
        for (first, second) in [(&one, &foreign), (&one, &without), (&without, &one), (&without, &also_without)] {
            let client = remembering(version);
            assert_eq!(kind(first.address(), &client), HandshakeKind::Full);
            assert_eq!(kind(second.address(), &client), HandshakeKind::Full, "{version:?}");
        }
    }
}

#[test]
fn a_reload_keeps_what_clients_resume_and_takes_other_ticket_keys() {
    for version in VERSIONS {
        let proxy = with_ticket_keys("");
        let client = remembering(version);
        assert_eq!(kind(proxy.address(), &client), HandshakeKind::Full);
        proxy.reload(&(proxy.yaml() + "log: { level: warn }\n")).expect("it is valid");
        assert_eq!(kind(proxy.address(), &client), HandshakeKind::Resumed, "{version:?}: the keys of the process");

        let (proxy, new) = (with_ticket_keys("1"), with_ticket_keys("2"));
        let client = remembering(version);
        assert_eq!(kind(proxy.address(), &client), HandshakeKind::Full);
        std::fs::copy(new.folder().join("ticket-2"), proxy.folder().join("ticket-2")).expect("copied");
        let both = proxy.yaml().replace("ticket_key_files: [ticket-1]", "ticket_key_files: [ticket-2, ticket-1]");
        proxy.reload(&both).expect("it is valid");
        assert_eq!(kind(proxy.address(), &client), HandshakeKind::Resumed, "{version:?}: the old key");
        assert_eq!(kind(new.address(), &client), HandshakeKind::Resumed, "{version:?}: the new key");
    }
}

#[test]
fn a_reload_takes_another_ocsp_response_for_new_connections() {
    let folder = folder();
    let certificate = write(&folder, "app", KeyPair::generate().expect("a key"));
    let responses =
        ["20261130080000Z", "20261201080000Z"].map(|time| ocsp::about(&certificate, ocsp::GOOD, Some(time)));
    std::fs::write(folder.join("app.ocsp"), &responses[0]).expect("written");
    let yaml = listener("{ certificate_file: app.pem, private_key_file: app-key.pem, ocsp_file: app.ocsp }", "");
    let proxy = Proxy::start_in(folder, &yaml, START);
    let stapled = || {
        let anyone = Arc::default();
        let client = certificates::looking(&anyone, &[&rustls::version::TLS13]);
        handshake(proxy.address(), client, "app.test").expect("a handshake");
        anyone.stapled.lock().expect("not poisoned").clone()
    };
    assert_eq!(stapled(), responses[0]);
    std::fs::write(proxy.folder().join("app.ocsp"), &responses[1]).expect("written");
    let said = proxy.reload(&yaml).expect("it is valid");
    assert!(said.contains("app.ocsp"), "{said}");
    assert_eq!(stapled(), responses[1]);
    std::fs::write(proxy.folder().join("app.ocsp"), "no response").expect("written");
    let said = proxy.reload(&yaml).expect_err("it is none");
    assert!(said.contains("is not an OCSP response"), "{said}");
    assert_eq!(stapled(), responses[1]);
}

#[test]
fn a_ticket_is_not_accepted_after_twelve_hours() {
    for version in VERSIONS {
        let proxy = with_ticket_keys("1");
        let client = remembering(version);
        assert_eq!(kind(proxy.address(), &client), HandshakeKind::Full);
        proxy.clock.advance(Duration::from_secs(12 * 3600 - 1));
        assert_eq!(kind(proxy.address(), &client), HandshakeKind::Resumed, "{version:?}");
        proxy.clock.advance(Duration::from_secs(12 * 3600));
        assert_eq!(kind(proxy.address(), &client), HandshakeKind::Full, "{version:?}");
    }
}
