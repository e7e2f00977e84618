//! Targets that use HTTP/2: a server of the library h2 (PyPI), and nginx.

use std::fs;
use std::process::Command;

use serde_json::Value;

use crate::harness::app::{Proxy, Setup, free_port, wait_until};
use crate::harness::browser::{Answer, Protocol};
use crate::harness::http2::{DATA, Http2, Stream};
use crate::harness::process::{self, Process};

const HTTP2: &str = "    protocol_version: http2\n";

/// A server of h2, and a proxy in front of it.
fn before_h2() -> (Process, Proxy) {
    let server = Process::start(process::python("python/http2_target.py", &[]));
    let port: u16 = server.next_line().expect("a port").parse().expect("a number");
    let proxy = Setup::open(&[([127, 0, 0, 1], port).into()]).target_group(HTTP2).start();
    (server, proxy)
}

fn ask(proxy: &Proxy, method: &str, path: &str, body: &[u8]) -> Answer {
    let url = format!("https://app.test{path}");
    proxy.browser(Protocol::Http2).send(method, &url, &[("x-amzn-oidc-identity", "forged"), ("cookie", "a=b")], body)
}

/// The fields of that name that the target got.
fn fields<'v>(seen: &'v Value, name: &str) -> Vec<&'v str> {
    let head = seen["head"].as_array().expect("fields");
    head.iter().filter(|field| field[0] == name).map(|field| field[1].as_str().expect("text")).collect()
}

#[test]
fn the_target_gets_what_an_http1_target_gets() {
    let (_server, proxy) = before_h2();
    let seen = ask(&proxy, "POST", "/a%20b?c=d", &[7; 200_000]).json();
    for (name, expected) in [
        (":method", &["POST"][..]),
        (":scheme", &["http"]),
        (":authority", &["app.test"]),
        (":path", &["/a%20b?c=d"]),
        ("content-length", &["200000"]),
        ("x-forwarded-for", &["127.0.0.1"]),
        ("x-forwarded-proto", &["https"]),
        ("cookie", &["a=b"]),
        ("host", &[]),
        ("x-amzn-oidc-identity", &[]),
        ("connection", &[]),
    ] {
        assert_eq!(fields(&seen, name), expected, "{name}");
    }
    assert_eq!(seen["bytes"], 200_000);
    let large = ask(&proxy, "GET", "/large/3000000", b"");
    assert_eq!((large.status, large.body.len()), (200, 3_000_000));
}

#[test]
fn h_14_no_trailer_of_a_client_says_what_only_a_head_may_say() {
    let (_server, proxy) = before_h2();
    let mut client = Http2::connect(proxy.address(), "app.test");
    let head = [(":method", "POST"), (":scheme", "https"), (":authority", "app.test"), (":path", "/opt/x")];
    client.headers(&head, Stream::Open);
    client.data(b"abc", Stream::Open);
    let refused = [
        "x-amzn-oidc-identity",
        "x_amzn_oidc_data",
        "x-forwarded-for",
        "x-amzn-trace-id",
        "cookie",
        "authorization",
        "host",
        "content-length",
        "content-type",
        "te",
        "trailer",
        "expect",
        "proxy-authorization",
        "http2-settings",
        "x-http-method-override",
        "script_name",
    ];
    let mut trailers: Vec<_> = refused.iter().map(|name| (*name, "trailers")).collect();
    // Unannounced trailers pass, unlike over HTTP/1.1.
    trailers.push(("x-checksum", "9"));
    client.headers(&trailers, Stream::Ended);
    let answer = client.frame_that(|frame| frame.kind == DATA).expect("an answer");
    let seen: Value = serde_json::from_slice(&answer.payload).expect("JSON");
    assert_eq!((&seen["bytes"], &seen["trailers"]), (&3.into(), &serde_json::json!([["x-checksum", "9"]])));
}

#[test]
fn an_http1_client_is_refused() {
    let (_server, proxy) = before_h2();
    let answer = proxy.browser(Protocol::Http1).get("https://app.test/");
    assert_eq!((answer.status, answer.reason().as_deref()), (464, Some("upstream.protocol_mismatch")));
}

#[test]
fn a_refused_stream_has_a_reason_and_a_connection_that_ends_loses_nothing() {
    let (_server, proxy) = before_h2();
    let refused = ask(&proxy, "POST", "/refused", b"x");
    assert_eq!((refused.status, refused.reason().as_deref()), (503, Some("upstream.refused")));
    for _ in 0..20 {
        let gone = ask(&proxy, "POST", "/gone", b"x");
        assert_eq!(gone.status, 200, "{}", gone.text());
    }
}

#[test]
fn a_target_without_http2_is_named() {
    let target = crate::harness::target::echo();
    let proxy = Setup::open(&[target.address()]).target_group(HTTP2).start();
    let refused = ask(&proxy, "GET", "/", b"");
    assert_eq!((refused.status, refused.reason().as_deref()), (502, Some("upstream.malformed")));
    assert!(proxy.access_log(1)[0]["reason"] == "upstream.malformed");
}

/// nginx with HTTP/2, with TLS or without.
struct Nginx {
    process: Process,
    folder: std::path::PathBuf,
    port: u16,
}

impl Nginx {
    fn start(tls: bool) -> Self {
        let (folder, port) = (crate::harness::app::folder(), free_port());
        crate::harness::certificates::write_to(&folder);
        fs::write(folder.join("index.html"), "from nginx").expect("written");
        let here = folder.display();
        let (kind, keys) = if tls {
            ("ssl http2", format!("ssl_certificate {here}/cert.pem; ssl_certificate_key {here}/key.pem;"))
        } else {
            ("http2", String::new())
        };
        let config = format!(
            "daemon off; master_process off; pid {here}/pid; error_log stderr warn; worker_processes 1;
            events {{}}
            http {{
                access_log off; client_body_temp_path {here}/body; proxy_temp_path {here}/proxy; fastcgi_temp_path {here}/fastcgi;
                uwsgi_temp_path {here}/uwsgi; scgi_temp_path {here}/scgi;
                server {{ listen 127.0.0.1:{port} {kind}; {keys} keepalive_requests 3; root {here};
                    location /said {{ return 200 '$server_protocol $http_x_forwarded_for'; }} }}
            }}"
        );
        fs::write(folder.join("nginx.conf"), config).expect("written");
        let mut command = Command::new("nginx");
        command.arg("-e").arg("stderr").arg("-p").arg(&folder).arg("-c").arg(folder.join("nginx.conf"));
        let nginx = Self { process: Process::start(command), folder, port };
        wait_until("nginx listens", || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        nginx
    }
}

impl Drop for Nginx {
    fn drop(&mut self) {
        self.process.signal("TERM");
        let _ = fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn nginx_serves_over_http2_with_tls_and_without() {
    for tls in [false, true] {
        let nginx = Nginx::start(tls);
        let keys = if tls { format!("{HTTP2}    protocol: https\n    ca_file: ca.pem\n") } else { HTTP2.to_owned() };
        let target = format!("127.0.0.1:{}", nginx.port);
        let proxy = Setup::with_issuer("http://127.0.0.1:1", &[target])
            .default_actions("\n      - { type: forward, target_group: app }")
            .target_group(&keys)
            .start();
        // nginx ends a connection after three requests.
        for number in 0..10 {
            let said = ask(&proxy, "GET", "/said", b"");
            assert_eq!((said.status, said.text()), (200, "HTTP/2.0 127.0.0.1"), "{tls} {number}");
        }
        assert_eq!(ask(&proxy, "GET", "/index.html", b"").text(), "from nginx");
        let head = ask(&proxy, "HEAD", "/index.html", b"");
        assert_eq!((head.status, head.header("content-length")), (200, Some("10")));
        let same = proxy.browser(Protocol::Http2).send(
            "GET",
            "https://app.test/index.html",
            &[("if-none-match", ask(&proxy, "GET", "/index.html", b"").header("etag").expect("a tag"))],
            b"",
        );
        assert_eq!(same.status, 304);
    }
}
