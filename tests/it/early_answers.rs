//! An upload that is answered before it has been read: the answer arrives (RFC 9112 §9.6), on both protocols, by clients that
//! nobody here wrote.

use std::io::{self, BufRead as _, BufReader, Read, Write as _};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::process::Command;

use serde_json::{Value, json};

use crate::harness::app::{Proxy, Setup};
use crate::harness::process::{self, Process};
use crate::harness::provider::Provider;

/// One rule for each who can answer early.
const RULES: &str = "
      - name: denied
        priority: 1
        conditions: [{ path_pattern: ['/denied'] }]
        actions:
          - { type: authenticate-oidc, provider: corp, on_unauthenticated_request: deny }
          - { type: forward, target_group: app }
      - name: login
        priority: 2
        conditions: [{ path_pattern: ['/login'] }]
        actions:
          - { type: authenticate-oidc, provider: corp, on_unauthenticated_request: authenticate }
          - { type: forward, target_group: app }
      - name: fixed
        priority: 3
        conditions: [{ path_pattern: ['/fixed'] }]
        actions: [{ type: fixed-response, status_code: 403, content_type: text/plain, message_body: no }]
      - name: moved
        priority: 4
        conditions: [{ path_pattern: ['/moved'] }]
        actions: [{ type: redirect, path: /elsewhere, status_code: HTTP_302 }]
      - name: nobody
        priority: 5
        conditions: [{ path_pattern: ['/nobody'] }]
        actions: [{ type: forward, target_group: gone }]
      - name: page
        priority: 7
        conditions: [{ path_pattern: ['/page'] }]
        actions: [{ type: fixed-response, status_code: 200, content_type: text/html, message_body: page }]
      - name: open
        priority: 6
        conditions: [{ path_pattern: ['/target*'] }]
        actions: [{ type: forward, target_group: app }]";

const CASES: [(&str, u16); 9] = [
    ("/denied", 401),
    ("/login", 401),
    ("/fixed", 403),
    ("/moved", 302),
    ("/nobody", 502),
    ("/%00", 400),
    ("/target/keeps", 413),
    ("/target/closes", 413),
    ("/target/reads", 200),
];

const SIZES: [i64; 6] = [14, 10_000, 65_536, 1_000_000, -1_000_000, 20_000_000];

/// A target with a limit of its own: it answers when it has read the head. Its threads end with their connections.
fn limited_target() -> SocketAddr {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = socket.local_addr().expect("bound");
    std::thread::spawn(move || {
        for stream in socket.incoming() {
            std::thread::spawn(move || answer_early(BufReader::new(stream.expect("a connection"))));
        }
    });
    address
}

/// Answers one request.
fn answer_early(mut stream: BufReader<TcpStream>) -> Option<()> {
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        stream.read_line(&mut head).ok().filter(|count| *count > 0)?;
    }
    let path = head.split(' ').nth(1)?;
    if path != "/target/reads" {
        stream.get_mut().write_all(b"HTTP/1.1 413 Content Too Large\r\ncontent-length: 9\r\n\r\ntoo large").ok()?;
    }
    if path == "/target/closes" {
        stream.get_ref().shutdown(Shutdown::Write).ok()?;
    }
    read_body(&mut stream, &head)?;
    if path == "/target/reads" {
        stream.get_mut().write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok").ok()?;
    }
    answer_early(stream)
}

fn read_body(stream: &mut BufReader<TcpStream>, head: &str) -> Option<()> {
    if let Some((_, rest)) = head.split_once("content-length: ") {
        let length = rest.lines().next()?.parse().ok()?;
        return io::copy(&mut stream.take(length), &mut io::sink()).ok().map(drop);
    }
    loop {
        let mut line = String::new();
        stream.read_line(&mut line).ok().filter(|count| *count > 0)?;
        let size = u64::from_str_radix(line.trim(), 16).ok()?;
        io::copy(&mut stream.by_ref().take(size + 2), &mut io::sink()).ok()?;
        if size == 0 {
            return Some(());
        }
    }
}

fn proxy(provider: &Provider) -> Proxy {
    let mut setup = Setup::with_issuer(&provider.issuer(), &[limited_target().to_string()]).rules(RULES);
    setup.target_group = "  gone:\n    targets: ['127.0.0.1:1']\n".into();
    setup.start_now()
}

fn uploads() -> Vec<Value> {
    CASES.iter().flat_map(|(path, _)| SIZES.iter().map(move |size| json!([path, size]))).collect()
}

#[track_caller]
fn answers(command: Command) -> Vec<Value> {
    let finished = Process::start(command).finish();
    assert_eq!(finished.code, Some(0), "{}", finished.errors);
    finished.output.lines().map(|line| serde_json::from_str(line).expect("a JSON line")).collect()
}

#[track_caller]
fn check(answers: &[Value], count: usize) {
    let expected = |path: &Value| CASES.iter().find(|(known, _)| path == known).expect("a case").1;
    let wrong: Vec<&Value> = answers.iter().filter(|answer| answer[3] != expected(&answer[1])).collect();
    assert!(wrong.is_empty(), "{} of {}: {wrong:#?}", wrong.len(), answers.len());
    assert_eq!(answers.len(), count);
}

#[test]
fn an_upload_that_is_answered_early_gets_its_answer() {
    let provider = Provider::start();
    let proxy = proxy(&provider);
    let settings =
        json!({ "address": proxy.address().to_string(), "host": "app.test", "uploads": uploads() }).to_string();
    let all = CASES.len() * SIZES.len();
    // Those in chunks are not sent over HTTP/2, which has none.
    check(&answers(process::python("python/upload.py", &[&settings])), 3 * all - CASES.len());
    check(&answers(process::node("upload.mjs", &[&settings])), all);
}

#[test]
fn a_browser_shows_the_early_answer_to_an_upload() {
    let provider = Provider::start();
    let proxy = proxy(&provider);
    let uploads: Vec<Value> = uploads().into_iter().filter(|upload| upload[1].as_i64() > Some(0)).collect();
    for protocol in ["http/1.1", "h2"] {
        let settings = json!({
            "url": "https://app.test/page",
            "protocol": protocol,
            "uploads": uploads,
            "trust": [proxy.folder().join("cert.pem")],
            "resolve": format!("MAP app.test {}", proxy.address()),
        });
        let seen = &answers(process::node("browser.mjs", &["uploads", &settings.to_string()]))[0];
        check(seen["answers"].as_array().expect("answers"), uploads.len());
    }
}
