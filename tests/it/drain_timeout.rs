//! What is not finished within `shutdown.drain_timeout` is cut, and its access record says so: when the process stops, and when a reload
//! removes a listener.

use bytes::Bytes;
use http_body::Frame;
use serde_json::Value;
use tokio::sync::mpsc;

use crate::harness::app::{Proxy, Setup, wait_until};
use crate::harness::browser::{Protocol, on_both};
use crate::harness::connection::{self, Connection, Pending};
use crate::harness::http2::{Http2, Stream};
use crate::harness::raw::{self, Raw};
use crate::harness::runtime;
use crate::harness::websocket;
use crate::harness::wire::{End, Wire};

const REASON: &str = "proxy.drain_timeout";
const PING: u8 = 6;
const GOAWAY: u8 = 7;
const ACK: u8 = 1;

fn setup(wire: &Wire, drain_timeout: &str) -> Setup {
    let mut setup = Setup::open(&[wire.address()]);
    setup.rest.push_str(&format!("shutdown: {{ drain_timeout: {drain_timeout} }}\n"));
    setup
}

/// The configuration without the listener `public`.
fn removed(proxy: &Proxy) -> String {
    proxy.yaml().replace("name: public", "name: other")
}

/// Exchanges that do not end: one that waits for its answer, one in the middle of the answer, one in the middle of the upload.
struct UnderWay {
    connections: Vec<Connection>,
    silent: Pending,
    half: http::Response<hyper::body::Incoming>,
    upload: Pending,
    _upload: mpsc::UnboundedSender<Frame<Bytes>>,
    _targets: Vec<End>,
}

impl UnderWay {
    /// On one connection with HTTP/2, else on three.
    async fn begin(protocol: Protocol, proxy: &Proxy, wire: &Wire) -> Self {
        let mut connections = Vec::new();
        let count = if protocol == Protocol::Http2 { 1 } else { 3 };
        for _ in 0..count {
            connections.push(Connection::open(protocol, proxy.address(), "app.test").await);
        }
        let mut targets = Vec::new();

        let request = connections[0].request("GET", "/silent").body(connection::empty()).expect("a request");
        let silent = connections[0].start(request).await.expect("sent");
        targets.push(wire.accept());
        targets[0].read_head();

        let second = &mut connections[1 % count];
        let request = second.request("GET", "/half").body(connection::empty()).expect("a request");
        let half = second.start(request).await.expect("sent");
        targets.push(wire.accept());
        targets[1].read_head();
        targets[1].send("HTTP/1.1 200 OK\r\ncontent-length: 8\r\n\r\nhalf");
        let mut half = half.head().await.expect("a head");
        assert_eq!(connection::chunk(&mut half).await, "half");

        let third = &mut connections[2 % count];
        let (body, sent) = connection::streamed();
        body.send(Frame::data(Bytes::from_static(b"half"))).expect("it is read");
        let request = third.request("POST", "/upload").body(sent).expect("a request");
        let upload = third.start(request).await.expect("sent");
        targets.push(wire.accept());
        targets[2].read_until("half");
        Self { connections, silent, half, upload, _upload: body, _targets: targets }
    }

    /// The client sees that they are not whole.
    async fn are_cut(self) {
        assert!(self.silent.head().await.is_err() && self.upload.head().await.is_err(), "no answer");
        assert!(connection::try_whole(self.half).await.is_err(), "not a whole answer");
        drop(self.connections);
    }
}

/// Each of the three has one record with the reason.
#[track_caller]
fn are_recorded(records: &[Value]) {
    let mut seen: Vec<_> = records
        .iter()
        .map(|record| {
            assert_eq!(record["reason"], REASON, "{record}");
            let text = |field: &str| record[field].to_string();
            [text("url.path"), text("http.response.status_code"), text("http.response.body.size")].join(" ")
        })
        .collect();
    seen.sort_unstable();
    assert_eq!(seen, ["\"/half\" 200 4", "\"/silent\" 503 0", "\"/upload\" 503 0"]);
}

#[test]
fn a_process_that_stops_cuts_what_does_not_end_and_records_why() {
    on_both(|protocol| {
        let wire = Wire::listen();
        let mut proxy = setup(&wire, "200ms").start();
        runtime().block_on(async {
            let under_way = UnderWay::begin(protocol, &proxy, &wire).await;
            assert!(!tokio::task::block_in_place(|| proxy.shutdown()), "not everything had finished");
            under_way.are_cut().await;
        });
        are_recorded(&proxy.access_log(3));
    });
}

#[test]
fn a_listener_that_a_reload_removes_cuts_what_does_not_end_and_records_why() {
    on_both(|protocol| {
        let wire = Wire::listen();
        let proxy = setup(&wire, "200ms").start();
        runtime().block_on(async {
            let under_way = UnderWay::begin(protocol, &proxy, &wire).await;
            tokio::task::block_in_place(|| proxy.reload(&removed(&proxy)).expect("it is reloaded"));
            under_way.are_cut().await;
        });
        are_recorded(&proxy.access_log(3));
        wait_until("all its connections are gone", || {
            (proxy.metric("vestibule_connections_open{listener=\"public\"}") == 0).then_some(())
        });
        let refusals = format!("vestibule_refusals_total{{listener=\"public\",reason=\"{REASON}\"}}");
        assert_eq!(proxy.metric(&refusals), 3);
    });
}

#[test]
fn other_listeners_are_not_cut_with_one_that_is_removed() {
    let wire = Wire::listen();
    let mut proxy = setup(&wire, "50ms").start();
    let redirect = "{ type: redirect, protocol: HTTPS, port: '443', status_code: HTTP_301 }";
    let both = proxy.yaml().replace(redirect, "{ type: forward, target_group: app }");
    proxy.reload(&both).expect("it is reloaded");
    let mut lives = std::net::TcpStream::connect(proxy.address_of("plain")).expect("it accepts");
    std::io::Write::write_all(&mut lives, b"GET /plain HTTP/1.1\r\nhost: app.test\r\n\r\n").expect("sent");
    let mut of_plain = wire.accept();
    of_plain.read_head();
    let mut cut = Raw::connect(proxy.address(), "app.test");
    cut.send("GET /cut HTTP/1.1\r\nhost: app.test\r\n\r\n");
    let _of_cut = wire.accept();
    proxy.reload(&removed(&proxy)).expect("it is reloaded");
    assert_eq!(cut.read_to_end(), "");
    of_plain.send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwhole");
    let mut answer = [0; 512];
    let length = std::io::Read::read(&mut lives, &mut answer).expect("an answer");
    assert!(String::from_utf8_lossy(&answer[..length]).ends_with("whole"));
    let records = proxy.access_log(2);
    let reason = |path: &str| {
        let record = records.iter().find(|record| record["url.path"] == path).expect("a record");
        record.get("reason").and_then(|reason| reason.as_str())
    };
    assert_eq!([reason("/cut"), reason("/plain")], [Some(REASON), None]);
    drop(lives);
    assert!(proxy.shutdown());
}

#[test]
fn a_client_that_leaves_while_the_process_drains_is_not_cut() {
    let wire = Wire::listen();
    let mut proxy = setup(&wire, "30s").start();
    let mut client = Raw::connect(proxy.address(), "app.test");
    client.send("GET /left HTTP/1.1\r\nhost: app.test\r\n\r\n");
    let mut target = wire.accept();
    target.read_head();
    let app = proxy.take();
    let stopping = std::thread::spawn(move || app.shutdown());
    drop(client);
    assert!(stopping.join().expect("no panic"), "nothing was cut");
    assert_eq!(proxy.access_log(1)[0]["reason"], "client.closed");
}

#[test]
fn a_listener_that_is_removed_finishes_its_requests_and_says_that_it_ends() {
    let wire = Wire::listen();
    let proxy = setup(&wire, "30s").start();
    let mut first = Raw::connect(proxy.address(), "app.test");
    first.send("GET /one HTTP/1.1\r\nhost: app.test\r\n\r\n");
    let mut of_first = wire.accept();
    of_first.read_head();
    let mut second = Http2::connect(proxy.address(), "app.test");
    let fields = [(":method", "GET"), (":scheme", "https"), (":authority", "app.test"), (":path", "/two")];
    second.open(&fields, Stream::Ended);
    let mut of_second = wire.accept();
    of_second.read_head();

    proxy.reload(&removed(&proxy)).expect("it is reloaded");
    let goaway =
        second.frame_that(|frame| frame.kind == GOAWAY).expect("HTTP/2 is told while the request is under way");
    assert_eq!(goaway.code(), Some(0), "NO_ERROR");
    // The proxy says which request is the last when it knows that the client has heard the first GOAWAY.
    let ping = second.frame_that(|frame| frame.kind == PING).expect("it asks");
    second.frame(PING, ACK, 0, &ping.payload);
    for target in [&mut of_first, &mut of_second] {
        target.send("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nwhole");
    }
    let (head, body) = first.read_response();
    assert!(raw::status(&head) == 200 && body == "whole" && head.contains("connection: close\r\n"), "{head}");
    assert_eq!(first.read_to_end(), "", "closed in order");
    let answered = second.frame_that(|frame| frame.status().is_some()).expect("an answer");
    assert_eq!(answered.status(), Some(200));
    while second.next_frame().is_some() {}
    let records = proxy.access_log(2);
    assert!(records.iter().all(|record| record.get("reason").is_none()), "{records:?}");
}

#[test]
fn a_websocket_that_does_not_close_in_time_is_cut_and_recorded() {
    const TEXT: &str = "the server is restarting";
    for is_reload in [false, true] {
        let wire = Wire::listen();
        let mut proxy = setup(&wire, "200ms").start();
        let mut client = Raw::connect(proxy.address(), "app.test");
        client.send(
            "GET /socket HTTP/1.1\r\nhost: app.test\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n",
        );
        let mut target = wire.accept();
        target.read_head();
        target.send(
            "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
             sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n\u{1}\u{2}hi",
        );
        client.read_until("hi");
        if is_reload {
            proxy.reload(&removed(&proxy)).expect("it is reloaded");
        } else {
            assert!(!proxy.shutdown(), "it had not ended");
        }
        // It is told, and does not answer.
        let rest = client.read_to_end();
        assert!(rest.ends_with(TEXT), "{rest:?}");
        let records = proxy.access_log(1);
        assert_eq!((records.len(), &records[0]["reason"]), (1, &REASON.into()), "{records:?}");
        assert_eq!(records[0]["http.response.status_code"], 101);
        assert_eq!(records[0]["http.response.body.size"], 4 + 4 + TEXT.len());
    }
}

#[test]
fn so_is_one_over_http2() {
    for is_reload in [false, true] {
        let target = websocket::echo();
        let mut setup = Setup::open(&[target.address()]);
        setup.rest.push_str("shutdown: { drain_timeout: 200ms }\n");
        let mut proxy = setup.start();
        let mut socket = websocket::Socket::open(proxy.address(), &[]);
        if is_reload {
            proxy.reload(&removed(&proxy)).expect("it is reloaded");
        } else {
            assert!(!proxy.shutdown(), "it had not ended");
        }
        // It is told, and does not answer.
        socket.read_until("the server is restarting");
        while socket.client.next_frame().is_some() {}
        let records = proxy.access_log(1);
        assert_eq!((records.len(), &records[0]["reason"]), (1, &REASON.into()), "{records:?}");
        assert_eq!(records[0]["http.response.status_code"], 101);
    }
}
