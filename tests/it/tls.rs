//! TLS: certificates by name, versions, protocols, resumption, deadlines, and what is not TLS.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;

use rustls::client::Resumption;
use rustls::{ClientConfig, ClientConnection, HandshakeKind, ProtocolVersion, StreamOwned};

use crate::harness::app::{Proxy, START, Setup, folder, wait_until};
use crate::harness::browser::{Protocol, on_both};
use crate::harness::certificates;
use crate::harness::server::DEADLINE;
use crate::harness::target;

/// Shakes hands; the connection, and an error's text.
pub fn handshake(
    address: SocketAddr,
    config: Arc<ClientConfig>,
    name: &str,
) -> Result<StreamOwned<ClientConnection, TcpStream>, String> {
    let mut connection = ClientConnection::new(config, name.to_owned().try_into().expect("a name"))
        .map_err(|error| error.to_string())?;
    let mut stream = TcpStream::connect(address).expect("the proxy accepts");
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    while connection.is_handshaking() {
        connection.complete_io(&mut stream).map_err(|error| error.to_string())?;
    }
    Ok(StreamOwned::new(connection, stream))
}

/// The certificate that the proxy shows.
fn shown(address: SocketAddr, name: &str) -> Vec<u8> {
    let stream = handshake(address, certificates::trusting_anyone(), name).expect("a handshake");
    stream.conn.peer_certificates().expect("a certificate")[0].to_vec()
}

fn write_certificate(folder: &Path, file: &str, names: &[&str]) -> Vec<u8> {
    use rustls_pki_types::pem::PemObject as _;
    let (chain, key) = certificates::untrusted(names);
    std::fs::write(folder.join(format!("{file}.pem")), &chain).expect("written");
    std::fs::write(folder.join(format!("{file}-key.pem")), key).expect("written");
    rustls_pki_types::CertificateDer::from_pem_slice(chain.as_bytes()).expect("a certificate").to_vec()
}

#[test]
fn the_certificate_is_chosen_by_name_and_the_first_is_for_everybody_else() {
    let folder = folder();
    let first = write_certificate(&folder, "first", &["first.test"]);
    let second = write_certificate(&folder, "second", &["second.test", "*.wild.test", "first.test"]);
    let third = write_certificate(&folder, "third", &["exact.wild.test"]);
    let yaml = "
listeners:
  - name: public
    address: 127.0.0.1:0
    protocol: https
    certificates:
      - { certificate_file: first.pem, private_key_file: first-key.pem }
      - { certificate_file: second.pem, private_key_file: second-key.pem }
      - { certificate_file: third.pem, private_key_file: third-key.pem }
    default_actions: [{ type: fixed-response, status_code: 200 }]
admin: { address: 127.0.0.1:0 }
access_log: { destination: access.log }
workers: 1
";
    let proxy = Proxy::start_in(folder, yaml, START);
    let table: [(&str, &[u8], &str); 9] = [
        ("first.test", &first, "first"),
        ("second.test", &second, "second"),
        ("SECOND.test", &second, "second"),
        ("a.wild.test", &second, "second"),
        ("exact.wild.test", &third, "third"),
        ("a.b.wild.test", &first, "first: a wildcard is one label"),
        ("wild.test", &first, "first"),
        ("unknown.test", &first, "first"),
        // An address: the client names no server (RFC 6066 §3).
        ("127.0.0.1", &first, "first"),
    ];
    for (name, certificate, which) in table {
        assert!(shown(proxy.address(), name) == certificate, "{name} is shown {which}");
    }
}

#[test]
fn both_protocols_are_offered_and_a_client_that_names_none_gets_http_1() {
    let proxy = Setup::open(&[target::echo().address()]).start();
    let offers: [(&[&[u8]], Option<&[u8]>); 4] = [
        (&[b"h2", b"http/1.1"], Some(b"h2")),
        (&[b"http/1.1", b"h2"], Some(b"h2")),
        (&[b"http/1.1"], Some(b"http/1.1")),
        (&[], None),
    ];
    for (offer, agreed) in offers {
        let stream = handshake(proxy.address(), certificates::client(offer), "app.test").expect("a handshake");
        assert_eq!(stream.conn.alpn_protocol(), agreed);
    }
    let mut stream = handshake(proxy.address(), certificates::client(&[]), "app.test").expect("a handshake");
    stream.write_all(b"GET / HTTP/1.1\r\nhost: app.test\r\nconnection: close\r\n\r\n").expect("sent");
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(answer.starts_with("HTTP/1.1 "), "{answer}");
    let error = handshake(proxy.address(), certificates::client(&[b"h3"]), "app.test").expect_err("nothing in common");
    assert!(error.contains("NoApplicationProtocol"), "{error}");
}

#[test]
fn versions_1_2_and_1_3_are_spoken_and_recorded() {
    let proxy = Setup::open(&[target::echo().address()]).start();
    let versions = [
        (&rustls::version::TLS12, ProtocolVersion::TLSv1_2, "TLSv1.2"),
        (&rustls::version::TLS13, ProtocolVersion::TLSv1_3, "TLSv1.3"),
    ];
    for (count, (version, spoken, recorded)) in versions.into_iter().enumerate() {
        let config = certificates::client_speaking(&[version]);
        let mut stream = handshake(proxy.address(), config, "app.test").expect("a handshake");
        assert_eq!(stream.conn.protocol_version(), Some(spoken));
        stream.write_all(b"GET / HTTP/1.1\r\nhost: app.test\r\nconnection: close\r\n\r\n").expect("sent");
        let _ = stream.read_to_end(&mut Vec::new());
        let records = proxy.access_log(count + 1);
        assert_eq!(records[count]["tls.protocol.version"], recorded);
        // The name in the register of IANA.
        let cipher = records[count]["tls.cipher"].as_str().expect("a suite");
        assert!(cipher.starts_with("TLS_") && (cipher.contains("_WITH_") == (recorded == "TLSv1.2")), "{cipher}");
    }
}

#[test]
fn a_second_connection_resumes_the_first_also_on_another_worker() {
    let proxy = Setup::open(&[target::echo().address()]).start();
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let mut config = Arc::unwrap_or_clone(certificates::client_speaking(&[version]));
        config.resumption = Resumption::in_memory_sessions(16);
        let config = Arc::new(config);
        let mut kinds = Vec::new();
        for _ in 0..8 {
            let mut stream = handshake(proxy.address(), Arc::clone(&config), "app.test").expect("a handshake");
            kinds.push(stream.conn.handshake_kind().expect("done"));
            // The ticket of TLS 1.3 comes after the handshake, with the first answer at the latest.
            stream.write_all(b"GET / HTTP/1.1\r\nhost: app.test\r\nconnection: close\r\n\r\n").expect("sent");
            let _ = stream.read_to_end(&mut Vec::new());
        }
        assert_eq!(kinds[0], HandshakeKind::Full);
        assert!(kinds[1..].iter().all(|kind| *kind == HandshakeKind::Resumed), "{version:?} {kinds:?}");
    }
}

#[test]
fn t_no_early_data_is_accepted() {
    let proxy = Setup::open(&[target::echo().address()]).start();
    let mut config = Arc::unwrap_or_clone(certificates::client_speaking(&[&rustls::version::TLS13]));
    config.enable_early_data = true;
    let config = Arc::new(config);
    for _ in 0..2 {
        let mut connection =
            ClientConnection::new(Arc::clone(&config), "app.test".try_into().expect("a name")).expect("a client");
        assert!(connection.early_data().is_none(), "no ticket allows it");
        let mut stream = TcpStream::connect(proxy.address()).expect("the proxy accepts");
        while connection.is_handshaking() {
            connection.complete_io(&mut stream).expect("a handshake");
        }
        let mut stream = StreamOwned::new(connection, stream);
        stream.write_all(b"GET / HTTP/1.1\r\nhost: app.test\r\nconnection: close\r\n\r\n").expect("sent");
        let _ = stream.read_to_end(&mut Vec::new());
    }
}

#[test]
fn a_client_that_does_not_shake_hands_is_closed() {
    let proxy = Setup::open(&[]).listener("    limits: { handshake_timeout: 200ms }").start();
    let failed = || proxy.metric("vestibule_tls_handshakes_failed_total{listener=\"public\"}");
    let mut silent = TcpStream::connect(proxy.address()).expect("the proxy accepts");
    silent.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    assert_eq!(silent.read(&mut [0; 16]).expect("closed, not silent"), 0);
    wait_until("it is counted", || (failed() == 1).then_some(()));
    // The head of a record, and no more.
    let mut slow = TcpStream::connect(proxy.address()).expect("the proxy accepts");
    slow.write_all(&[0x16, 3, 1, 2, 0]).expect("sent");
    slow.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    assert_eq!(slow.read(&mut [0; 16]).unwrap_or(0), 0);
    wait_until("it is counted", || (failed() == 2).then_some(()));
    on_both(|protocol| assert_eq!(proxy.browser(protocol).get("https://app.test/").status, 503, "others are served"));
}

/// Sends bytes without TLS to the port that wants it; everything until the proxy closes.
fn plainly(address: SocketAddr, pieces: &[&str]) -> String {
    let mut stream = TcpStream::connect(address).expect("the proxy accepts");
    stream.set_nodelay(true).expect("a socket");
    stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    for piece in pieces {
        stream.write_all(piece.as_bytes()).expect("sent");
    }
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

#[test]
fn what_is_neither_tls_nor_http_gets_no_http_answer_and_reaches_nothing() {
    let target = target::echo();
    let proxy = Setup::open(&[target.address()]).start();
    for bytes in
        ["\r\n\r\nGET / HTTP/1.1\r\n\r\n", "get / HTTP/1.1\r\n\r\n", "\u{14}\u{3}\u{3}GET / HTTP/1.1\r\n\r\n", "\0"]
    {
        let mut stream = TcpStream::connect(proxy.address()).expect("the proxy accepts");
        stream.set_read_timeout(Some(DEADLINE)).expect("a timeout");
        stream.write_all(bytes.as_bytes()).expect("sent");
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer);
        assert!(!answer.starts_with(b"HTTP"), "{bytes:?}: {answer:?}");
    }
    assert_eq!(target.count(), 0);
    wait_until("they are counted", || {
        (proxy.metric("vestibule_tls_handshakes_failed_total{listener=\"public\"}") == 4).then_some(())
    });
}

#[test]
fn plain_http_on_the_tls_port_is_told_to_use_https() {
    let target = target::echo();
    let proxy = Setup::open(&[target.address()]).start();
    let get = "GET /a?b=%3C&c='d HTTP/1.1\r\nhost: App.test:8443\r\n";
    let whole = |more: &str| format!("{get}{more}\r\n");
    let text = plainly(proxy.address(), &[&whole("user-agent: old\r\n")]);
    assert!(text.starts_with("HTTP/1.1 400 Bad Request\r\n"), "{text:?}");
    assert!(text.contains("request.plain_http") && text.contains("connection: close\r\n"), "{text}");
    assert!(text.contains(": https://app.test:8443/a?b=%3C&c='d\n"), "{text}");
    let page = plainly(proxy.address(), &[&whole("accept: text/html\r\n")]);
    assert!(page.contains("href=\"https://app.test:8443/a?b=%3C&#38;c=&#39;d\""), "{page}");
    // In pieces, and with a body.
    let pieces = ["P", "OST /up HTTP/1.1\r\nho", "st: app.test\r\ncontent-length: 3\r\n", "\r\n", "abc"];
    let text = plainly(proxy.address(), &pieces);
    assert!(text.contains(": https://app.test/up\n"), "{text}");
    assert_eq!(text.matches("HTTP/1.1 ").count(), 1, "{text}");
    // No link to what is no host of a plain kind.
    for head in [
        "GET / HTTP/1.1\r\nhost: a\"><script>\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
        "GET / HTTP/1.1\r\nhost: user@a\r\n\r\n",
        "GET / HTTP/1.1\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        "SSH-2.0-x\r\n\r\n",
    ] {
        let page = plainly(proxy.address(), &[head]);
        assert!(page.contains("request.plain_http") && !page.contains("https://a"), "{head:?}: {page}");
    }
    let records = proxy.access_log(9);
    assert_eq!(records.len(), 9);
    assert!(records.iter().all(|record| record["reason"] == "request.plain_http" && record["url.scheme"] == "http"));
    // Records of different workers are in no order.
    let first = records.iter().find(|record| record["user_agent.original"] == "old").expect("the first request");
    assert_eq!(first["http.response.status_code"], 400);
    assert_eq!((&first["http.request.method"], &first["url.path"]), (&"GET".into(), &"/a".into()));
    assert_eq!((&first["user_agent.original"], first.get("tls.cipher")), (&"old".into(), None));
    let series = "vestibule_refusals_total{listener=\"public\",reason=\"request.plain_http\"}";
    assert_eq!(proxy.metric(series), 9);
    assert_eq!(proxy.metric("vestibule_tls_handshakes_failed_total{listener=\"public\"}"), 0);
    assert_eq!(target.count(), 0);
}

#[test]
fn a_head_in_plain_http_that_does_not_end_is_answered_soon_and_not_kept() {
    let proxy = Setup::open(&[]).start();
    let text = plainly(proxy.address(), &["GET / HTTP/1.1\r\nhost: app.test\r\nx: "]);
    assert!(text.contains("request.plain_http") && text.contains("https://app.test/"), "{text}");
    let large = format!("GET / HTTP/1.1\r\nhost: app.test\r\nx: {}", "a".repeat(200_000));
    let text = plainly(proxy.address(), &[&large]);
    assert!(text.contains("request.plain_http") && text.contains("https://app.test/"), "{text}");
}

#[test]
fn tls_on_the_plain_port_is_refused_and_recorded() {
    let proxy = Setup::open(&[]).start();
    let refused = handshake(proxy.address_of("plain"), certificates::client(&[b"h2"]), "app.test");
    assert!(refused.is_err());
    let records = proxy.access_log(1);
    assert_eq!((records.len(), &records[0]["reason"]), (1, &"request.malformed".into()));
    assert_eq!(records[0]["listener"], "plain");
}

#[test]
fn what_is_no_request_is_refused_at_once_whatever_bytes_it_has() {
    let proxy = Setup::open(&[]).start();
    // As a handshake may have them: the characters for which a request line is held back, and no end of a line.
    for bytes in [
        "\u{16}\u{3}\u{1}\u{1}\u{0}\"<>#`",
        "\u{1}\"",
        "\r\n\u{2}#",
        "\u{16} /a#b \u{3}\r\n",
        "\u{16} /?\"<> HTTP/1.1\r\n\r\n",
    ] {
        let text = plainly(proxy.address_of("plain"), &[bytes]);
        assert!(text.starts_with("HTTP/1.1 400 ") && text.contains("request.malformed"), "{bytes:?}: {text}");
    }
}

#[test]
fn a_client_that_does_not_trust_the_certificate_sends_no_request() {
    let proxy = Setup::open(&[]).start();
    let error =
        handshake(proxy.address(), certificates::client(&[b"h2"]), "unknown.test").expect_err("not for that name");
    assert!(error.contains("certificate"), "{error}");
    let answer = proxy.browser(Protocol::Http2).get("https://app.test/");
    assert_eq!(answer.status, 503);
}
