//! A session that is resumed is not verified again, so none is (attacks T-02).

use std::io::{Read as _, Write as _};
use std::sync::Arc;

use rustls::HandshakeKind;
use rustls::client::Resumption;

use super::harness_of::{Answered, BOTH, fetch, verifying, without, yaml};
use crate::harness::app::{Proxy, START, folder};
use crate::harness::authorities::Authority;
use crate::harness::target;
use crate::tls::handshake;

/// A second listener without `mutual_authentication`, with the same keys of tickets.
const OPEN: &str = "  - name: open
    address: 127.0.0.1:0
    protocol: https
    certificates: [{ certificate_file: cert.pem, private_key_file: key.pem }]
    default_actions: [{ type: fixed-response, status_code: 200 }]
";

#[test]
fn t_02_a_session_of_another_listener_does_not_open_one_that_verifies_certificates() {
    let (target, authority, folder) = (target::echo(), Authority::new("Staff CA"), folder());
    std::fs::write(folder.join("staff.pem"), &authority.pem).expect("written");
    let stores = "trust_stores: { staff: { ca_files: [staff.pem] } }\n";
    let yaml = yaml(&target, &verifying(""), stores).replace("target_groups:", &format!("{OPEN}target_groups:"));
    let proxy = Proxy::start_in(folder, &yaml, START);
    for version in BOTH {
        let mut client = Arc::unwrap_or_clone(without(&[version]));
        client.resumption = Resumption::in_memory_sessions(16);
        let client = Arc::new(client);
        let mut kinds = Vec::new();
        for _ in 0..2 {
            let mut stream = handshake(proxy.address_of("open"), Arc::clone(&client), "app.test").expect("a handshake");
            kinds.push(stream.conn.handshake_kind());
            stream.write_all(b"GET / HTTP/1.1\r\nhost: app.test\r\nconnection: close\r\n\r\n").expect("sent");
            let _ = stream.read_to_end(&mut Vec::new());
        }
        assert_eq!(kinds[1], Some(HandshakeKind::Resumed), "{version:?}: the client does resume");
        let answered = fetch(proxy.address(), Arc::clone(&client), &[]);
        assert!(matches!(answered, Answered::Not(_)), "{version:?} {answered:?}");
    }
}

#[test]
fn t_02_each_connection_with_a_certificate_is_verified_anew() {
    let (target, authority) = (target::echo(), Authority::new("Staff CA"));
    let proxy = super::verify(&target, &authority, "");
    for version in BOTH {
        let mut client = Arc::unwrap_or_clone(authority.issue(|_| {}).client(&[version], &[b"http/1.1"]));
        client.resumption = Resumption::in_memory_sessions(16);
        let client = Arc::new(client);
        for _ in 0..3 {
            let mut stream = handshake(proxy.address(), Arc::clone(&client), "app.test").expect("a handshake");
            assert_eq!(stream.conn.handshake_kind(), Some(HandshakeKind::Full), "{version:?}");
            stream.write_all(b"GET / HTTP/1.1\r\nhost: app.test\r\nconnection: close\r\n\r\n").expect("sent");
            let mut answer = String::new();
            let _ = stream.read_to_string(&mut answer);
            assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
        }
    }
}
