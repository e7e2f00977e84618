//! G-13: connections that say who their client is, and those that may not.

use std::io::{Read as _, Write as _};
use std::net::{IpAddr, TcpStream};

use crate::harness::app::{Proxy, Setup, wait_until};
use crate::harness::server::{DEADLINE, Server};
use crate::harness::target;

const LISTENER: &str =
    "    trusted_proxies: [203.0.113.5/32]\n    proxy_protocol: any\n    proxy_protocol_from: [127.0.0.5/32]";
const REQUEST: &str = "GET / HTTP/1.1\r\nhost: app.test\r\nx-forwarded-for: 6.6.6.6\r\nx-forwarded-proto: https\r\n\
                       connection: close\r\n\r\n";
const V1: &[u8] = b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n";

fn v2(version_and_command: u8, family: u8, rest: &[u8]) -> Vec<u8> {
    let length = u16::try_from(rest.len()).expect("short").to_be_bytes();
    [&b"\r\n\r\n\0\r\nQUIT\n"[..], &[version_and_command, family], &length, rest].concat()
}

fn v4(address: [u8; 4]) -> Vec<u8> {
    [&address[..], &[198, 51, 100, 1, 0xdc, 0x04, 0x01, 0xbb]].concat()
}

/// One plain listener, which forwards, with a rule for one client.
fn started(listener: &str) -> (Server, Proxy) {
    let target = target::echo();
    let yaml = format!(
        "
listeners:
  - name: public
    address: 127.0.0.1:0
    protocol: http
{listener}
    rules:
      - priority: 1
        conditions: [{{ source_ip: [192.0.2.9/32] }}]
        actions: [{{ type: fixed-response, status_code: 403 }}]
    default_actions: [{{ type: forward, target_group: app }}]
target_groups: {{ app: {{ targets: ['{}'] }} }}
admin: {{ address: 127.0.0.1:0 }}
access_log: {{ destination: access.log }}
workers: 1
",
        target.address()
    );
    let proxy = Proxy::start(&yaml);
    (target, proxy)
}

/// Everything that comes until the proxy closes; nothing where it resets.
fn exchange(proxy: &Proxy, from: &str, bytes: &[u8]) -> String {
    let mut stream = connect(proxy, from);
    // The proxy may have closed already.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn connect(proxy: &Proxy, from: &str) -> TcpStream {
    let from: IpAddr = from.parse().expect("an address");
    let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    socket.bind(&std::net::SocketAddr::new(from, 0).into()).expect("a loopback address");
    socket.connect(&proxy.address().into()).expect("the proxy accepts");
    socket.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    socket.into()
}

#[test]
fn the_client_of_the_header_is_the_client_of_the_connection() {
    let (target, proxy) = started(LISTENER);
    for header in [V1.to_vec(), v2(0x21, 0x11, &v4([192, 0, 2, 1]))] {
        let answer = exchange(&proxy, "127.0.0.5", &[&header, REQUEST.as_bytes()].concat());
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        let last = target.last();
        // F-03: the client is no proxy, so what it says of others is not believed.
        assert_eq!(last.header("x-forwarded-for"), Some("6.6.6.6, 192.0.2.1"));
        assert_eq!(last.header("x-forwarded-proto"), Some("http"));
    }
    let record = proxy.access_log(2).pop().expect("a record");
    assert_eq!((&record["client.address"], &record["client.port"]), (&"192.0.2.1".into(), &56324.into()));
    let refused = exchange(&proxy, "127.0.0.5", &[&v2(0x21, 0x11, &v4([192, 0, 2, 9])), REQUEST.as_bytes()].concat());
    assert!(refused.starts_with("HTTP/1.1 403 "), "rules see the client: {refused}");
}

#[test]
fn a_proxy_behind_a_proxy_is_believed() {
    let (target, proxy) = started(LISTENER);
    let header = v2(0x21, 0x11, &v4([203, 0, 113, 5]));
    assert!(exchange(&proxy, "127.0.0.5", &[&header, REQUEST.as_bytes()].concat()).starts_with("HTTP/1.1 200 "));
    assert_eq!(target.last().header("x-forwarded-for"), Some("6.6.6.6, 203.0.113.5"));
    assert_eq!(target.last().header("x-forwarded-proto"), Some("https"));
    assert_eq!(proxy.access_log(1)[0]["client.address"], "6.6.6.6");
}

#[test]
fn health_checks_of_the_proxy_come_from_the_proxy_and_unknown_clients_from_nowhere() {
    let (target, proxy) = started(LISTENER);
    for (header, address) in [
        (v2(0x20, 0x00, b""), "6.6.6.6, 127.0.0.5"),
        (v2(0x21, 0x00, b""), "6.6.6.6, 0.0.0.0"),
        (b"PROXY UNKNOWN\r\n".to_vec(), "6.6.6.6, 0.0.0.0"),
    ] {
        let answer = exchange(&proxy, "127.0.0.5", &[&header, REQUEST.as_bytes()].concat());
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
        assert_eq!(target.last().header("x-forwarded-for"), Some(address));
        assert_eq!(target.last().header("x-forwarded-proto"), Some("http"), "nobody of them is believed");
    }
}

#[test]
fn g_13_without_a_trusted_proxy_or_a_header_the_connection_is_closed() {
    let (target, proxy) = started(LISTENER);
    let good = [V1, REQUEST.as_bytes()].concat();
    let cases: [(&str, Vec<u8>); 8] = [
        ("127.0.0.1", good.clone()),
        ("127.0.0.6", [&v2(0x20, 0x00, b""), REQUEST.as_bytes()].concat()),
        ("127.0.0.5", REQUEST.as_bytes().to_vec()),
        ("127.0.0.5", [b"\r\n", V1, REQUEST.as_bytes()].concat()),
        ("127.0.0.5", b"PROXY TCP4 192.0.2.1\r\n\r\n".to_vec()),
        ("127.0.0.5", [&v2(0x21, 0x11, &[1; 5]), REQUEST.as_bytes()].concat()),
        ("127.0.0.5", [&v2(0x21, 0x11, &[1; 5000]), REQUEST.as_bytes()].concat()),
        ("127.0.0.5", [&b"PROXY UNKNOWN "[..], &[b'x'; 500], b"\r\n", REQUEST.as_bytes()].concat()),
    ];
    let count = cases.len() as u64;
    for (from, bytes) in cases {
        assert_eq!(exchange(&proxy, from, &bytes), "", "{from} {}", bytes.escape_ascii());
    }
    assert_eq!(target.count(), 0);
    assert_eq!(proxy.metric(r#"vestibule_proxy_protocol_refused_total{listener="public"}"#), count);
    assert!(exchange(&proxy, "127.0.0.5", &good).starts_with("HTTP/1.1 200 "), "still here");
}

#[test]
fn g_13_a_second_header_is_no_request() {
    let (target, proxy) = started(LISTENER);
    for second in [V1.to_vec(), v2(0x21, 0x11, &v4([192, 0, 2, 2]))] {
        let answer = exchange(&proxy, "127.0.0.5", &[V1, &second, REQUEST.as_bytes()].concat());
        assert!(answer.starts_with("HTTP/1.1 400 ") && answer.matches("HTTP/1.1 ").count() == 1, "{answer}");
    }
    assert_eq!(target.count(), 0);
}

#[test]
fn g_13_a_listener_without_the_setting_reads_no_header() {
    let (target, proxy) = started("    trusted_proxies: [127.0.0.5/32]");
    for header in [V1.to_vec(), v2(0x20, 0x00, b"")] {
        let answer = exchange(&proxy, "127.0.0.5", &[&header, REQUEST.as_bytes()].concat());
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    assert_eq!(target.count(), 0);
}

#[test]
fn d_15_a_header_that_does_not_come_ends_the_connection() {
    let (_target, proxy) = started(&format!("{LISTENER}\n    limits: {{ handshake_timeout: 50ms }}"));
    for beginning in [&b""[..], b"PROXY TCP4 192", &v2(0x21, 0x11, &[0; 12])[..20]] {
        assert_eq!(exchange(&proxy, "127.0.0.5", beginning), "", "{}", beginning.escape_ascii());
    }
}

#[test]
fn d_the_connections_of_a_client_are_counted_behind_the_proxy() {
    let (_target, proxy) = started(&format!("{LISTENER}\n    limits: {{ connections_per_address_max: 2 }}"));
    let open = |address| {
        let mut stream = connect(&proxy, "127.0.0.5");
        stream.write_all(&v2(0x21, 0x11, &v4(address))).expect("the proxy reads");
        stream
    };
    let kept: Vec<TcpStream> = [[192, 0, 2, 1]; 2].into_iter().map(open).collect();
    wait_until("both are open", || {
        (proxy.metric(r#"vestibule_connections_open{listener="public"}"#) == 2).then_some(())
    });
    let mut third = open([192, 0, 2, 1]);
    assert_eq!(third.read(&mut [0]).unwrap_or(0), 0, "closed");
    assert_eq!(proxy.metric(r#"vestibule_connections_refused_total{listener="public"}"#), 1);
    let mut other = open([192, 0, 2, 2]);
    other.write_all(REQUEST.as_bytes()).expect("the proxy reads");
    let mut answer = String::new();
    other.read_to_string(&mut answer).expect("an answer");
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    drop(kept);
}

#[test]
fn g_13_who_may_send_the_header_is_not_believed_about_anything_else() {
    let said = |target: &Server| target.last().header("x-forwarded-for").map(str::to_owned);
    // The same network is that of the load balancers and of clients, as in a private network of a cloud.
    let (target, proxy) = started("    trusted_proxies: [127.0.0.0/8, 10.0.0.0/8]\n    proxy_protocol: any");
    let inside = b"PROXY TCP4 10.1.2.3 198.51.100.1 56324 443\r\n";
    let forged = REQUEST.replace("6.6.6.6", "192.0.2.9");
    let answer = exchange(&proxy, "127.0.0.5", &[&inside[..], forged.as_bytes()].concat());
    assert!(answer.starts_with("HTTP/1.1 200 "), "not the client of the rule: {answer}");
    assert_eq!(said(&target).as_deref(), Some("192.0.2.9, 10.1.2.3"));
    assert_eq!(target.last().header("x-forwarded-proto"), Some("http"), "nobody has ended TLS");
    // Nor is the load balancer itself, which checks the health.
    let local = v2(0x20, 0, b"");
    let answer = exchange(&proxy, "127.0.0.5", &[&local[..], forged.as_bytes()].concat());
    assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    drop(proxy);

    // With a list of their own, the proxies in front of the load balancers are believed, and may not send the header themselves.
    let (target, proxy) = started(
        "    trusted_proxies: [10.0.0.0/8, 127.0.0.6/32]\n    proxy_protocol: any\n    proxy_protocol_from: [127.0.0.5/32]",
    );
    let answer = exchange(&proxy, "127.0.0.5", &[&inside[..], forged.as_bytes()].concat());
    assert!(answer.starts_with("HTTP/1.1 403 "), "the client of the rule, by a proxy that is believed: {answer}");
    assert_eq!(exchange(&proxy, "127.0.0.6", &[V1, REQUEST.as_bytes()].concat()), "");
    assert_eq!(exchange(&proxy, "127.0.0.6", REQUEST.as_bytes()), "");
    assert_eq!(target.received().len(), 0);
}

#[test]
fn tls_begins_behind_the_header() {
    let (provider, target) = (crate::harness::provider::Provider::start(), target::echo());
    let proxy = Setup::new(&provider, &target)
        .listener("    trusted_proxies: [127.0.0.1/32]\n    proxy_protocol: v1")
        .default_actions(crate::harness::app::FORWARD)
        .start();
    let name = "app.test".to_owned().try_into().expect("a name");
    let client = rustls::ClientConnection::new(crate::harness::raw::tls(&[b"http/1.1"]), name).expect("a client");
    let mut stream = connect(&proxy, "127.0.0.1");
    stream.write_all(V1).expect("the proxy reads");
    let mut tls = rustls::StreamOwned::new(client, stream);
    tls.write_all(REQUEST.as_bytes()).expect("the proxy reads");
    let mut answer = Vec::new();
    let _ = tls.read_to_end(&mut answer);
    assert!(answer.starts_with(b"HTTP/1.1 200 "), "{}", answer.escape_ascii());
    assert_eq!(target.last().header("x-forwarded-for"), Some("6.6.6.6, 192.0.2.1"));
}
