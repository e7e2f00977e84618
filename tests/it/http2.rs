use std::net::SocketAddr;

use bytes::Bytes;
use hyper::body::Frame;

use crate::harness::app::{Proxy, Setup, wait_until};
use crate::harness::browser::Protocol;
use crate::harness::connection::{self, Connection};
use crate::harness::http2::{
    DATA, END_STREAM, GOAWAY, HEADERS, Http2, Outcome, PING, PRIORITY, RST_STREAM, SETTINGS, Stream, WINDOW_UPDATE,
};
use crate::harness::runtime;
use crate::harness::server::{DEADLINE, Reply, Server};
use crate::harness::target;
use crate::harness::wire::Wire;

/// RFC 9113 §7.
const NO_ERROR: u32 = 0;
const ENHANCE_YOUR_CALM: u32 = 0xb;

/// A request to `path`.
fn fields<'a>(method: &'a str, path: &'a str) -> [(&'a str, &'a str); 4] {
    [(":method", method), (":scheme", "https"), (":authority", "app.test"), (":path", path)]
}

/// Rules that answer before a body has come: a gate, an answer of our own, a target that is not there.
const EARLY_RULES: &str = r#"
      - name: fixed
        priority: 1
        conditions: [{ path_pattern: [/fixed] }]
        actions: [{ type: fixed-response, status_code: 403, content_type: text/plain, body: no }]
      - name: deny
        priority: 2
        conditions: [{ path_pattern: [/deny] }]
        actions:
          - { type: authenticate-oidc, provider: corp, on_unauthenticated_request: deny }
          - { type: forward, target_group: app }
      - name: redirect
        priority: 3
        conditions: [{ path_pattern: [/redirect] }]
        actions: [{ type: redirect, host: other.test, status_code: HTTP_302 }]
      - name: nobody
        priority: 4
        conditions: [{ path_pattern: [/nobody] }]
        actions: [{ type: forward, target_group: nobody }]
"#;

/// Paths under [`EARLY_RULES`], with what is answered; the last is for the target to answer.
const EARLY: [(&str, u16); 5] =
    [("/fixed", 403), ("/deny", 401), ("/redirect", 302), ("/nobody", 502), ("/target", 413)];

fn early(target: SocketAddr) -> Proxy {
    let yaml = Setup::open(&[target]).rules(EARLY_RULES).yaml();
    Proxy::start(&yaml.replace("target_groups:\n", "target_groups:\n  nobody: { targets: [127.0.0.1:1] }\n"))
}

/// Answers the request that comes next without reading its body, and closes.
fn refuses_the_body(wire: Wire) {
    std::thread::spawn(move || {
        loop {
            let mut target = wire.accept();
            target.read_head();
            target.send("HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\nconnection: close\r\n\r\nbig");
            target.close();
        }
    });
}

#[test]
fn an_upload_that_is_answered_early_may_be_sent_to_its_end() {
    let wire = Wire::listen();
    let proxy = early(wire.address());
    refuses_the_body(wire);
    for (path, expected) in EARLY {
        let mut client = Http2::connect(proxy.address(), "app.test");
        let section = [&fields("POST", path)[..], &[("content-length", "8")]].concat();
        assert_eq!(client.open(&section, Stream::Open), 1);
        client.frame(DATA, 0, 1, b"half");
        let answer = client.frame_that(|frame| frame.stream == 1).expect("an answer");
        assert_eq!(answer.status(), Some(expected), "{path}");
        if answer.flags & END_STREAM == 0 {
            client.frame_that(|frame| frame.stream == 1 && frame.flags & END_STREAM != 0).expect("all of it");
        }
        // The rest is read, and nothing more is said of it.
        client.frame(DATA, END_STREAM, 1, b"rest");
        client.frame(PING, 0, 0, &[0; 8]);
        let next = client.frame_that(|frame| frame.stream == 1 || frame.kind == PING || frame.kind == GOAWAY);
        assert_eq!(next.expect("a frame").kind, PING, "{path}: no reset, the client has ended its stream");
        let _ = client.open(&fields("GET", "/fixed"), Stream::Ended);
        assert_eq!(client.frame_that(|frame| frame.stream == 3).expect("an answer").status(), Some(403), "{path}");
    }
}

#[test]
fn an_upload_that_does_not_end_after_its_answer_is_reset_later() {
    let proxy = early("127.0.0.1:1".parse().expect("an address"));
    let paths = EARLY.iter().filter(|(path, _)| *path != "/target");
    let clients: Vec<Http2> = paths
        .map(|(path, expected)| {
            let mut client = Http2::connect(proxy.address(), "app.test");
            client.open(&fields("POST", path), Stream::Open);
            client.frame(DATA, 0, 1, b"half");
            let answer = client.frame_that(|frame| frame.stream == 1).expect("an answer");
            assert_eq!(answer.status(), Some(*expected), "{path}");
            // Asked after the answer, and answered before the reset: that was not sent together with the answer.
            client.frame(PING, 0, 0, &[0; 8]);
            let next = client.frame_that(|frame| frame.kind == RST_STREAM || frame.kind == PING).expect("a frame");
            assert_eq!(next.kind, PING, "{path}: no reset with the answer");
            client
        })
        .collect();
    for mut client in clients {
        let reset = client.frame_that(|frame| frame.kind == RST_STREAM).expect("a reset");
        assert_eq!((reset.stream, reset.code()), (1, Some(NO_ERROR)));
        assert!(client.frame(PING, 0, 0, &[0; 8]), "the connection goes on");
    }
}

#[test]
fn an_upload_that_goes_on_and_on_after_its_answer_is_read_within_a_bound() {
    let proxy = early("127.0.0.1:1".parse().expect("an address"));
    runtime().block_on(async {
        let mut client = Connection::open(Protocol::Http2, proxy.address(), "app.test").await;
        let (more, body) = connection::streamed();
        let request = client.request("POST", "/fixed").body(body).expect("a request");
        let answer = client.send(request).await.expect("an answer");
        assert_eq!(answer.status(), 403);
        // More than the bound, and the client would go on.
        let piece = Bytes::from(vec![0; 64 * 1024]);
        for _ in 0..400 {
            let _ = more.send(Frame::data(piece.clone()));
        }
        tokio::time::timeout(DEADLINE, more.closed()).await.expect("the stream is reset");
        assert_eq!(client.get("/fixed").await.status, 403, "the connection goes on");
    });
}

#[test]
fn a_client_that_waits_for_100_is_told_to_go_on_when_the_target_says_so() {
    let wire = Wire::listen();
    let proxy = Setup::open(&[wire.address()]).start();
    let mut client = Http2::connect(proxy.address(), "app.test");
    let section = [&fields("POST", "/")[..], &[("expect", "100-continue"), ("content-length", "4")]].concat();
    client.open(&section, Stream::Open);
    let mut target = wire.accept();
    assert!(target.read_head().contains("\r\nexpect: 100-continue\r\n"));
    client.ping();
    let next = client.frame_that(|frame| frame.stream == 1 || frame.kind == PING).expect("a frame");
    assert_eq!(next.kind, PING, "nothing before the target has said it");
    target.send("HTTP/1.1 100 Continue\r\n\r\n");
    let word = client.frame_that(|frame| frame.stream == 1).expect("a word");
    assert_eq!((word.status(), word.flags & END_STREAM), (Some(100), 0));
    client.frame(DATA, END_STREAM, 1, b"body");
    target.read_until("body");
    target.send("HTTP/1.1 204 No Content\r\n\r\n");
    let answer = client.frame_that(|frame| frame.stream == 1).expect("an answer");
    assert_eq!((answer.status(), answer.flags & END_STREAM), (Some(204), END_STREAM));

    // A client whose body is there already need not be told, and one that is refused must not be.
    client.open(&section, Stream::Open);
    client.frame(DATA, END_STREAM, 3, b"body");
    target.read_head();
    target.send("HTTP/1.1 100 Continue\r\n\r\n");
    target.read_until("body");
    target.send("HTTP/1.1 204 No Content\r\n\r\n");
    assert_eq!(client.frame_that(|frame| frame.stream == 3).expect("an answer").status(), Some(204));
    client.open(&section, Stream::Open);
    target.read_head();
    target.send("HTTP/1.1 413 Content Too Large\r\ncontent-length: 0\r\n\r\n");
    assert_eq!(client.frame_that(|frame| frame.stream == 5).expect("an answer").status(), Some(413));
}

/// A proxy with two groups: one with a target that never finishes its TLS handshake, so that nobody reads the bodies of
/// requests under `/stall`, and one that reads all of them.
fn with_a_target_that_stalls(stalling: &Wire, reading: &Server) -> Proxy {
    let rules = r#"
      - name: stall
        priority: 1
        conditions: [{ path_pattern: [/stall] }]
        actions: [{ type: forward, target_group: stalling }]
"#;
    let group = format!(
        "target_groups:\n  stalling: {{ targets: ['{}'], protocol: https, verify: false, connect_timeout: 60s }}\n",
        stalling.address()
    );
    let yaml = Setup::open(&[reading.address()]).rules(rules).yaml();
    Proxy::start(&yaml.replace("target_groups:\n", &group))
}

#[test]
fn d_uploads_that_nobody_reads_do_not_stop_the_others_of_their_connection() {
    let stalling = Wire::listen();
    let target = target::echo();
    let proxy = with_a_target_that_stalls(&stalling, &target);
    runtime().block_on(async {
        let mut client = Connection::open(Protocol::Http2, proxy.address(), "app.test").await;
        let large = Bytes::from(vec![0; 4 << 20]);
        let mut stalled = Vec::new();
        for _ in 0..100 {
            let body = connection::full(large.clone());
            let request = client.request("POST", "/stall").body(body).expect("a request");
            stalled.push(client.start(request).await.expect("sent"));
        }
        for _ in 0..3 {
            let request = client.request("POST", "/read").body(connection::full(vec![1; 1 << 20])).expect("a request");
            let answer = client.send(request).await.expect("an answer, although the others stand still");
            assert_eq!(answer.status(), 200);
        }
        assert_eq!(target.last().body.len(), 1 << 20);
    });
}

fn calmed(proxy: &Proxy) -> u64 {
    proxy.metric("vestibule_http2_calmed_total{listener=\"public\"}")
}

#[test]
fn d_frames_that_do_nothing_end_the_connection() {
    let target = target::echo();
    let proxy = Setup::open(&[target.address()]).start();
    let window = &1_u32.to_be_bytes()[..];
    let kinds: [(&str, u8, u8, u32, &[u8]); 8] = [
        ("PING", PING, 0, 0, &[0; 8]),
        ("an answer to a PING that nobody sent", PING, 1, 0, &[1; 8]),
        ("SETTINGS", SETTINGS, 0, 0, &[]),
        ("PRIORITY", PRIORITY, 0, 3, &[0, 0, 0, 0, 1]),
        ("a window of one byte more, for the connection", WINDOW_UPDATE, 0, 0, window),
        ("the same for a stream that is over", WINDOW_UPDATE, 0, 1, window),
        ("a kind that does not exist", 0xee, 0, 0, b"what"),
        ("a priority of the new kind", 0x10, 0, 0, &[0, 0, 0, 1, b'u', b'=', b'1']),
    ];
    for (done, (what, kind, flags, stream, payload)) in (1..).zip(kinds) {
        let mut client = Http2::connect(proxy.address(), "app.test");
        assert_eq!(client.request(&fields("GET", "/")), Outcome::Status(200), "{what}");
        for _ in 0..5000 {
            if !client.frame(kind, flags, stream, payload) {
                break;
            }
        }
        let goaway = client.frame_that(|frame| frame.kind == GOAWAY).unwrap_or_else(|| panic!("{what}: a word"));
        assert_eq!(goaway.code(), Some(ENHANCE_YOUR_CALM), "{what}");
        assert_eq!(calmed(&proxy), done, "{what}");
    }
    assert_eq!(proxy.browser(Protocol::Http2).get("https://app.test/").status, 200, "others are served");
}

#[test]
fn d_empty_data_and_requests_that_are_taken_back_end_the_connection() {
    let target = Server::start(|_| Reply::BytesThenHang(Vec::new()));
    let proxy = Setup::open(&[target.address()]).start();
    let mut client = Http2::connect(proxy.address(), "app.test");
    let stream = client.open(&fields("POST", "/"), Stream::Open);
    for _ in 0..5000 {
        if !client.frame(DATA, 0, stream, &[]) {
            break;
        }
    }
    let goaway = client.frame_that(|frame| frame.kind == GOAWAY).expect("a word");
    assert_eq!(goaway.code(), Some(ENHANCE_YOUR_CALM));
    // CVE-2023-44487.
    let mut client = Http2::connect(proxy.address(), "app.test");
    for _ in 0..5000 {
        let stream = client.open(&fields("GET", "/"), Stream::Ended);
        if !client.frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()) {
            break;
        }
    }
    let goaway = client.frame_that(|frame| frame.kind == GOAWAY).expect("a word");
    assert_eq!(goaway.code(), Some(ENHANCE_YOUR_CALM));
}

#[test]
fn what_clients_say_about_requests_and_answers_is_no_noise() {
    let target = Server::start(|request| match request.target() {
        "/large" => Reply::new("200 OK", &[], vec![b'x'; 4 << 20]),
        _ => Reply::text("small"),
    });
    let proxy = Setup::open(&[target.address()]).start();
    let mut client = Http2::connect(proxy.address(), "app.test");
    for _ in 0..1500 {
        client.frame(PRIORITY, 0, 1, &[0, 0, 0, 0, 1]);
        assert_eq!(client.request(&fields("GET", "/small")), Outcome::Status(200));
        client.frame(WINDOW_UPDATE, 0, 0, &5_u32.to_be_bytes());
    }
    // A client that says so for each 8 KB of both windows.
    let stream = client.open(&fields("GET", "/large"), Stream::Ended);
    let (mut received, mut told) = (0, 0);
    while received < 4 << 20 {
        let frame = client.frame_that(|frame| frame.stream == stream || frame.kind == GOAWAY).expect("a frame");
        assert!([HEADERS, DATA].contains(&frame.kind), "{frame:?}");
        received += if frame.kind == DATA { frame.payload.len() } else { 0 };
        while told < received {
            told += 8192;
            client.frame(WINDOW_UPDATE, 0, 0, &8192_u32.to_be_bytes());
            client.frame(WINDOW_UPDATE, 0, stream, &8192_u32.to_be_bytes());
        }
    }
    assert_eq!(calmed(&proxy), 0);
}

#[test]
fn d_requests_whose_heads_take_too_much_are_refused_and_may_be_sent_again() {
    let target = Server::start(|_| Reply::BytesThenHang(Vec::new()));
    let proxy = Setup::open(&[target.address()]).start();
    let mut client = Http2::connect(proxy.address(), "app.test");
    let large = "a".repeat(16 * 1024 - 200);
    let section = [&fields("GET", "/")[..], &[("x-one", &large)]].concat();
    let streams: Vec<u32> = (0..100).map(|_| client.open(&section, Stream::Ended)).collect();
    let reset = client.frame_that(|frame| frame.kind == RST_STREAM).expect("a reset");
    const REFUSED_STREAM: u32 = 7;
    assert_eq!(reset.code(), Some(REFUSED_STREAM));
    assert!(streams.contains(&reset.stream) && reset.stream > 100, "the first are under way: {}", reset.stream);
    wait_until("it is counted", || {
        (proxy.metric("vestibule_http2_requests_refused_total{listener=\"public\"}") > 0).then_some(())
    });
}

/// How many of 3,072 requests over 24 connections are refused, none of which is answered. They take 72 MiB of the 256 MiB that
/// a worker has for all.
fn refused_of_many(listener: &str) -> u64 {
    // Nobody accepts: the proxy waits for its connection, or for an answer.
    let target = Wire::listen();
    let group = "    connect_timeout: 60s";
    let yaml = Setup::open(&[target.address()]).target_group(group).listener(listener).yaml();
    let proxy = Proxy::start(&yaml.replace("workers: 2", "workers: 1"));
    let mut clients: Vec<Http2> = (0..24).map(|_| Http2::connect(proxy.address(), "app.test")).collect();
    for client in &mut clients {
        for _ in 0..128 {
            client.open(&fields("GET", "/"), Stream::Ended);
        }
        // All of them have been seen.
        client.ping();
        client.frame_that(|frame| frame.kind == PING).expect("an answer to the ping");
    }
    proxy.metric("vestibule_http2_requests_refused_total{listener=\"public\"}")
}

#[test]
fn d_the_requests_of_one_address_leave_memory_for_those_of_others() {
    assert!(refused_of_many("") > 0, "one address may have a quarter");
    assert_eq!(refused_of_many("    trusted_proxies: ['127.0.0.0/8']"), 0, "a proxy's requests are those of many");
}
