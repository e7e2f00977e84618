//! WebSockets that a client opens over HTTP/2 (RFC 8441), to targets that speak HTTP/1.1.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use futures_util::{SinkExt as _, StreamExt as _};
use hyper_util::rt::TokioIo;
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::Message;
use tokio_tungstenite::tungstenite::protocol::Role;

use crate::harness::app::{Proxy, Setup, wait_until};
use crate::harness::browser::{Answer, Protocol};
use crate::harness::connection::{self, Connection};
use crate::harness::http2::{DATA, END_STREAM, Frame, Http2, Outcome, RST_STREAM, SETTINGS, Stream};
use crate::harness::process::{self, Process};
use crate::harness::provider::Provider;
use crate::harness::server::{DEADLINE, Reply, Server};
use crate::harness::websocket::{self, End, Socket, asks, echo, key, opens, switch};
use crate::harness::wire::Wire;
use crate::harness::{runtime, target};

/// RFC 9113 §7.
const PROTOCOL_ERROR: u32 = 1;
/// RFC 9113 §7.
const CANCEL: u32 = 8;

/// The `Cookie` of a browser that has signed in. Afterwards the target opens WebSockets.
fn session(proxy: &Proxy, provider: &Provider, target: &Server) -> String {
    target.script(target::echoed);
    let cookie = proxy.signed_in(Protocol::Http2, provider).cookie_header("app.test");
    target.script(opens);
    cookie
}

/// What a request for a WebSocket is answered with, if none is opened.
#[track_caller]
fn refused(proxy: &Proxy, path: &str, more: &[(&str, &str)]) -> Answer {
    runtime().block_on(async {
        let mut client = Connection::open(Protocol::Http2, proxy.address(), "app.test").await;
        connection::whole(client.websocket(path, more).await).await.0
    })
}

/// The status of a request, by frames, with the access record that it leaves behind.
#[track_caller]
fn recorded(proxy: &Proxy, count: usize) -> serde_json::Value {
    proxy.access_log(count).pop().expect("a record")
}

#[test]
fn the_target_sees_a_handshake_of_http_1_and_the_client_an_open_stream() {
    let (provider, target) = (Provider::start(), echo());
    let proxy = Setup::new(&provider, &target).start();
    let cookie = session(&proxy, &provider, &target);
    target.script(|request| {
        let Reply::Switch(head) = opens(request) else { panic!("it opens") };
        let head = String::from_utf8(head).expect("text");
        let more = "\r\nsec-websocket-protocol: chat\r\nsec-websocket-extensions: permessage-deflate\r\n\
                    content-length: 0\r\n\r\n";
        Reply::Switch(head.replace("\r\n\r\n", more).into_bytes())
    });
    let fields = [
        ("cookie", &*cookie),
        ("origin", "https://app.test"),
        ("sec-websocket-protocol", "chat, superchat"),
        ("sec-websocket-extensions", "permessage-deflate; client_max_window_bits"),
        ("sec-websocket-key", "bm90IG9mIEhUVFAvMg=="),
        ("sec-websocket-key", "twice"),
        ("content-length", "0"),
        ("x-amzn-oidc-identity", "mallory"),
        ("x-forwarded-host", "evil.example"),
    ];
    let mut keys = Vec::new();
    for _ in 0..2 {
        runtime().block_on(async {
            let mut client = Connection::open(Protocol::Http2, proxy.address(), "app.test").await;
            let answer = client.websocket("/socket?room=1", &fields).await;
            assert_eq!(answer.status(), 200);
            let headers = answer.headers();
            for absent in ["connection", "upgrade", "sec-websocket-accept", "content-length", "transfer-encoding"] {
                assert_eq!(headers.get(absent), None, "{absent}");
            }
            assert_eq!(headers["sec-websocket-protocol"], "chat");
            assert_eq!(headers["sec-websocket-extensions"], "permessage-deflate");
        });
        let request = target.last();
        assert_eq!(request.line, "GET /socket?room=1 HTTP/1.1");
        for (name, value) in [
            ("host", Some("app.test")),
            ("upgrade", Some("websocket")),
            ("connection", Some("upgrade")),
            ("sec-websocket-version", Some("13")),
            ("sec-websocket-protocol", Some("chat, superchat")),
            ("sec-websocket-extensions", Some("permessage-deflate; client_max_window_bits")),
            ("origin", Some("https://app.test")),
            ("x-amzn-oidc-identity", Some("alice")),
            ("x-forwarded-proto", Some("https")),
            ("x-forwarded-host", Some("app.test")),
            ("content-length", None),
            ("transfer-encoding", None),
            ("cookie", None),
            (":protocol", None),
        ] {
            assert_eq!(request.header(name), value, "{name}");
        }
        let key = request.header("sec-websocket-key").expect("a key").to_owned();
        let octets = base64::Engine::decode(&base64::engine::general_purpose::STANDARD, &key).expect("base64");
        assert_eq!(octets.len(), 16, "RFC 6455 §4.1");
        keys.push(key);
    }
    assert_ne!(keys[0], keys[1]);
}

#[test]
fn a_websocket_client_library_is_served() {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let proxy = Setup::open(&[socket.local_addr().expect("bound")]).start();
    let serving = websocket::server(socket);
    runtime().block_on(async {
        let mut client = Connection::open(Protocol::Http2, proxy.address(), "app.test").await;
        let mut socket = opened(&mut client, &[]).await;
        for message in [Message::text("hello"), Message::binary(vec![7; 1_000_000]), Message::text("")] {
            socket.send(message.clone()).await.expect("sent");
            assert_eq!(socket.next().await.expect("an echo").expect("no error"), message);
        }
        socket.close(None).await.expect("closed");
        while socket.next().await.is_some() {}
    });
    assert_eq!(serving.join().expect("the target saw the end"), Some(1005));
}

/// An open WebSocket for the client library.
async fn opened(client: &mut Connection, more: &[(&str, &str)]) -> WebSocketStream<TokioIo<hyper::upgrade::Upgraded>> {
    let answer = client.websocket("/socket", more).await;
    assert_eq!(answer.status(), 200);
    let stream = hyper::upgrade::on(answer).await.expect("an open stream");
    WebSocketStream::from_raw_socket(TokioIo::new(stream), Role::Client, None).await
}

#[test]
fn the_listener_says_that_it_takes_websockets() {
    const ENABLE_CONNECT_PROTOCOL: [u8; 6] = [0, 8, 0, 0, 0, 1];
    let proxy = Setup::open(&["127.0.0.1:1".parse().expect("an address")]).start();
    let mut client = Http2::connect(proxy.address(), "app.test");
    let settings = client.frame_that(|frame| frame.kind == SETTINGS).expect("settings");
    assert!(settings.payload.chunks(6).any(|setting| setting == ENABLE_CONNECT_PROTOCOL), "{settings:?}");
}

#[test]
fn w_05_only_websockets_are_opened() {
    let target = echo();
    let proxy = Setup::open(&[target.address()]).start();
    let with = |name: &str, value: &'static str| {
        let mut section = asks("/socket", &[]);
        section.iter_mut().filter(|field| field.0 == name).for_each(|field| field.1 = value);
        section
    };
    let without = |name: &str| asks("/socket", &[]).into_iter().filter(|field| field.0 != name).collect();
    let plain = vec![(":method", "CONNECT"), (":authority", "app.test:443")];
    let sections: [(Vec<(&str, &str)>, Outcome); 9] = [
        (plain, Outcome::Status(405)),
        (with(":protocol", "connect-udp"), Outcome::Status(405)),
        (with(":protocol", "h2c"), Outcome::Status(405)),
        (with(":protocol", "WebSocket"), Outcome::Status(405)),
        (with(":protocol", "websocket, h2c"), Outcome::Status(405)),
        // `h2` knows that these are malformed (RFC 8441 §4).
        (with(":method", "GET"), Outcome::Reset(PROTOCOL_ERROR)),
        (without(":protocol"), Outcome::Reset(PROTOCOL_ERROR)),
        (without(":path"), Outcome::Reset(PROTOCOL_ERROR)),
        (asks("/socket", &[("upgrade", "websocket")]), Outcome::Reset(PROTOCOL_ERROR)),
    ];
    for (index, (section, expected)) in sections.iter().enumerate() {
        let mut client = Http2::connect(proxy.address(), "app.test");
        client.headers(section, Stream::Open);
        assert_eq!(client.outcome(), *expected, "{section:?}");
        let record = recorded(&proxy, index + 1);
        let reason = if *expected == Outcome::Status(405) { "request.method_not_allowed" } else { "request.malformed" };
        assert_eq!(record["reason"], reason, "{section:?}: {record}");
        assert_eq!(record["network.protocol.version"], "2");
    }
    assert_eq!(target.count(), 0);
}

#[test]
fn the_same_rule_takes_it_as_over_http_1_and_so_does_the_log() {
    let target = echo();
    let rules = r#"
      - name: post
        priority: 1
        conditions: [{ http_request_method: [POST, CONNECT-X] }]
        actions: [{ type: fixed-response, status_code: 403, content_type: text/plain, body: no }]
      - name: sockets
        priority: 2
        conditions:
          - { http_request_method: [GET] }
          - { http_header: { name: upgrade, values: [websocket] } }
          - { path_pattern: [/socket] }
        actions: [{ type: forward, target_group: app }]"#;
    let fixed = " [{ type: fixed-response, status_code: 404, content_type: text/plain, body: none }]";
    let proxy = Setup::open(&[target.address()]).rules(rules).default_actions(fixed).start();
    let mut first = crate::harness::raw::Raw::connect(proxy.address(), "app.test");
    first.send(
        "GET /socket HTTP/1.1\r\nhost: app.test\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n",
    );
    first.read_until("\r\n\r\n");
    drop(first);
    let one = recorded(&proxy, 1);
    let mut second = Socket::open(proxy.address(), &[]);
    second.send("hello");
    assert_eq!(second.read_until("hello"), "hello");
    drop(second);
    let two = recorded(&proxy, 2);
    assert_eq!((&one["http.response.body.size"], &two["http.response.body.size"]), (&0.into(), &5.into()));
    for field in
        ["http.request.method", "http.response.status_code", "rule.name", "url.path", "actions", "target.address"]
    {
        assert_eq!(one[field], two[field], "{field}");
    }
    assert_eq!((&two["http.request.method"], &two["rule.name"]), (&"GET".into(), &"sockets".into()));
    assert_eq!((&two["http.response.status_code"], two.get("reason")), (&101.into(), None));
    assert_eq!((&one["network.protocol.version"], &two["network.protocol.version"]), (&"1.1".into(), &"2".into()));
    let answer = refused(&proxy, "/elsewhere", &[]);
    assert_eq!((answer.status, answer.text()), (404, "none"));
    assert_eq!(proxy.access_log(3).len(), 3);
}

#[test]
fn w_01_without_a_session_the_answer_is_401_and_never_a_redirect() {
    let (provider, target) = (Provider::start(), echo());
    let proxy = Setup::new(&provider, &target).start();
    for more in [
        &[][..],
        &[("accept", "text/html"), ("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "document")],
        &[("accept", "text/html,application/xhtml+xml")],
        &[("sec-fetch-mode", "websocket")],
        &[("cookie", "__Host-vestibule-0=AAAA")],
    ] {
        let answer = refused(&proxy, "/socket", more);
        assert_eq!((answer.status, answer.header("location")), (401, None), "{more:?}");
        let began = answer.set_cookies().iter().any(|cookie| cookie.contains("-login-"));
        assert!(!began, "no login is begun: {:?}", answer.set_cookies());
    }
    assert_eq!(target.count(), 0);
}

#[test]
fn w_01_no_byte_of_the_client_reaches_a_target_that_has_not_switched() {
    let wire = Wire::listen();
    let proxy = Setup::open(&[wire.address()]).start();
    let mut socket = Socket::ask(Http2::connect(proxy.address(), "app.test"), &[]);
    socket.send("GET /smuggled HTTP/1.1\r\nhost: app.test\r\n\r\n");
    let mut target = wire.accept();
    assert!(target.read_head().starts_with("GET /socket HTTP/1.1\r\n"));
    assert!(!target.has_something(), "nothing before the 101");
    target.send("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno");
    assert_eq!(socket.next().status(), Some(403));
    assert_eq!(socket.read_until("no"), "no");
    // The connection to the target is still good, and nothing was written on it.
    assert_eq!(socket.client.open(&asks("/next", &[]), Stream::Open), 3);
    let head = target.read_head();
    assert!(head.starts_with("GET /next HTTP/1.1\r\n"), "{head}");
}

#[test]
fn bytes_sent_with_the_handshake_wait_for_the_101() {
    let wire = Wire::listen();
    let proxy = Setup::open(&[wire.address()]).start();
    let mut socket = Socket::ask(Http2::connect(proxy.address(), "app.test"), &[]);
    socket.send("early");
    let mut target = wire.accept();
    let head = target.read_head();
    assert!(!target.has_something(), "nothing before the 101");
    target.send(format!("{}hello", switch(key(&head))));
    assert_eq!(target.read_until("early"), "early");
    assert_eq!(socket.next().status(), Some(200));
    assert_eq!(socket.read_until("hello"), "hello");
}

#[test]
fn w_02_a_page_of_another_site_cannot_open_one_with_the_users_session() {
    let (provider, target) = (Provider::start(), echo());
    let proxy = Setup::new(&provider, &target).start();
    let cookie = session(&proxy, &provider, &target);
    let count = target.count();
    for origin in [
        "https://evil.example",
        "http://app.test",
        "wss://app.test",
        "https://app.test:8443",
        "null",
        "https://sub.app.test",
        "https://app.test.evil.example",
        "app.test",
    ] {
        let fields = [("cookie", &*cookie), ("accept", "application/json"), ("origin", origin)];
        let answer = refused(&proxy, "/socket", &fields);
        assert_eq!((answer.status, &answer.json()["error"]), (403, &"request.origin_mismatch".into()), "{origin}");
    }
    assert_eq!(target.count(), count);
    Socket::open(proxy.address(), &[("cookie", &cookie), ("origin", "https://app.test")]);
}

#[test]
fn w_03_a_tunnel_does_not_outlive_its_session() {
    let (provider, target) = (Provider::start(), echo());
    let proxy = Setup::new(&provider, &target).start();
    let cookie = session(&proxy, &provider, &target);
    let open = || Socket::open(proxy.address(), &[("cookie", &cookie), ("origin", "https://app.test")]);
    let (mut expires, mut signs_out) = (open(), open());
    let other = runtime().block_on(async {
        let mut client = Connection::open(Protocol::Http2, proxy.address(), "app.test").await;
        let request = client.request("GET", "/oauth2/sign_out").header("cookie", &cookie);
        client.send(request.body(connection::empty()).expect("a request")).await.expect("an answer").status()
    });
    assert_eq!(other, 302);
    signs_out.is_closed_with("the session has ended");
    expires.is_closed_with("the session has ended");

    let cookie = session(&proxy, &provider, &target);
    let mut expires = Socket::open(proxy.address(), &[("cookie", &cookie)]);
    proxy.clock.advance(Duration::from_secs(8 * 3600));
    expires.is_closed_with("the session has ended");
}

#[test]
fn w_04_the_protocols_that_a_client_offers_are_not_logged() {
    let target = echo();
    let proxy = Setup::open(&[target.address()]).start();
    Socket::open(proxy.address(), &[("sec-websocket-protocol", "bearer, c2VjcmV0LXRva2Vu")]);
    assert_eq!(target.last().header("sec-websocket-protocol"), Some("bearer, c2VjcmV0LXRva2Vu"));
    let record = recorded(&proxy, 1).to_string();
    assert!(!record.contains("c2VjcmV0LXRva2Vu") && !record.contains("bearer"), "{record}");
}

#[test]
fn w_07_a_success_that_opens_nothing_is_none_for_the_client() {
    let (provider, target) = (Provider::start(), echo());
    let rules = r#"
      - name: fixed
        priority: 1
        conditions: [{ path_pattern: [/fixed/*] }]
        actions: [{ type: fixed-response, status_code: 200, content_type: text/plain, body: ok }]
      - name: open
        priority: 2
        conditions: [{ path_pattern: [/open/*] }]
        actions: [{ type: forward, target_group: app }]"#;
    let proxy = Setup::new(&provider, &target).rules(rules).start();
    let cookie = session(&proxy, &provider, &target);
    let json = ("accept", "application/json");
    // Our own answers.
    for (path, fields) in [
        ("/fixed/x", &[json][..]),
        ("/oauth2/userinfo", &[json, ("cookie", &cookie)]),
        ("/.well-known/vestibule/jwks.json", &[json]),
    ] {
        let answer = refused(&proxy, path, fields);
        assert_eq!((answer.status, &answer.json()["error"]), (405, &"request.method_not_allowed".into()), "{path}");
    }
    // The target's.
    for (status, expected) in [
        ("200 OK", 502),
        ("201 Created", 502),
        ("299 Odd", 502),
        ("302 Found", 302),
        ("304 Not Modified", 304),
        ("400 Bad Request", 400),
        ("426 Upgrade Required", 426),
        ("500 Internal Server Error", 500),
    ] {
        target.script(move |_| Reply::new(status, &[("sec-websocket-version", "13"), ("location", "/x")], "body"));
        let answer = refused(&proxy, "/open/x", &[json]);
        assert_eq!(answer.status, expected, "{status}");
        if expected == 502 {
            assert_eq!(answer.json()["error"], "upstream.no_websocket", "{status}");
        } else {
            assert_eq!(answer.header("sec-websocket-version"), Some("13"), "{status}");
            assert_eq!(answer.text(), if expected == 304 { "" } else { "body" }, "{status}");
        }
    }
    target.script(|_| Reply::BytesThenClose(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()));
    assert_eq!(refused(&proxy, "/open/x", &[json]).json()["error"], "upstream.no_websocket");
    // Over HTTP/1.1, 200 opens nothing, and is passed on as it was.
    target.script(|_| Reply::text("plain"));
    let request = "GET /open/x HTTP/1.1\r\nhost: app.test\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
                   sec-websocket-key: x\r\n\r\n";
    let mut raw = crate::harness::raw::Raw::connect(proxy.address(), "app.test");
    raw.send(request);
    assert_eq!(raw.read_response().1, "plain");
}

#[test]
fn w_07_a_101_that_does_not_answer_our_key_is_502() {
    let target = echo();
    let proxy = Setup::open(&[target.address()]).start();
    let accept = |key: &str| switch(key);
    type Breaks = fn(String) -> String;
    let breaks: [(&str, Breaks); 6] = [
        ("another key", |_| switch("dGhlIHNhbXBsZSBub25jZQ==")),
        ("no accept", |head| {
            head.lines().filter(|line| !line.contains("accept")).map(|line| format!("{line}\r\n")).collect()
        }),
        ("accept twice", |head| {
            let line = head.lines().find(|line| line.contains("accept")).expect("a line").to_owned();
            head.replace("\r\n\r\n", &format!("\r\n{line}\r\n\r\n"))
        }),
        ("h2c", |head| head.replace("upgrade: websocket", "upgrade: h2c")),
        ("no connection", |head| head.replace("connection: upgrade\r\n", "")),
        ("no upgrade", |head| head.replace("upgrade: websocket\r\n", "")),
    ];
    for (what, breaks) in breaks {
        target.script(move |request| {
            let head = accept(request.header("sec-websocket-key").expect("a key"));
            Reply::Switch(breaks(head).into_bytes())
        });
        let answer = refused(&proxy, "/socket", &[("accept", "application/json")]);
        assert_eq!((answer.status, &answer.json()["error"]), (502, &"upstream.malformed".into()), "{what}");
    }
    // A plain request gets no 101, either.
    target.script(opens);
    let outcome = Http2::connect(proxy.address(), "app.test").request(&[
        (":method", "GET"),
        (":scheme", "https"),
        (":authority", "app.test"),
        (":path", "/"),
    ]);
    assert_eq!(outcome, Outcome::Status(502));
}

#[test]
fn the_end_of_a_stream_is_the_end_of_a_connection() {
    let wire = Wire::listen();
    let proxy = Setup::open(&[wire.address()]).start();
    let open = || {
        let mut socket = Socket::ask(Http2::connect(proxy.address(), "app.test"), &[]);
        let mut target = wire.accept();
        let head = target.read_head();
        target.send(switch(key(&head)));
        assert_eq!(socket.next().status(), Some(200));
        (socket, target)
    };
    // The target closes: what it has sent comes first. The client can still send.
    let (mut socket, mut target) = open();
    target.send("bye");
    target.close_sending();
    assert_eq!(socket.read_to_end(), ("bye".into(), End::Stream));
    socket.send("last words");
    assert_eq!(target.read_until("last words"), "last words");
    socket.client.frame(DATA, END_STREAM, socket.stream, b"");
    assert_eq!(target.rest(), "");

    // The client closes its side: the target can still send.
    let (mut socket, mut target) = open();
    socket.client.frame(DATA, END_STREAM, socket.stream, b"bye");
    assert_eq!(target.rest(), "bye");
    target.send("I have seen it");
    assert_eq!(socket.read_until("seen it"), "I have seen it");
    drop(target);
    assert_eq!(socket.read_to_end(), (String::new(), End::Stream));

    // The client resets the stream, and its connection goes on; or it goes away with the connection.
    let (mut socket, mut target) = open();
    socket.client.frame(RST_STREAM, 0, socket.stream, &CANCEL.to_be_bytes());
    assert!(target.is_closed_by_proxy());
    assert!(socket.client.ping());
    let (socket, mut target) = open();
    drop(socket);
    assert!(target.is_closed_by_proxy());

    // It resets a stream that it has ended before.
    let (mut socket, mut target) = open();
    socket.client.frame(DATA, END_STREAM, socket.stream, b"bye");
    assert_eq!(target.rest(), "bye");
    socket.client.frame(RST_STREAM, 0, socket.stream, &CANCEL.to_be_bytes());
    wait_until("the target cannot send any more", || target.try_send("x").is_err().then_some(()));
}

#[test]
fn both_directions_have_windows() {
    const BYTES: usize = 8 * 1024 * 1024;
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let proxy = Setup::open(&[socket.local_addr().expect("bound")]).start();
    let serving = websocket::server(socket);
    runtime().block_on(async {
        let mut client = Connection::open(Protocol::Http2, proxy.address(), "app.test").await;
        let socket = opened(&mut client, &[]).await;
        let (mut sink, mut stream) = socket.split();
        // Each message is larger than a window. Nothing is read until all is on its way in one direction.
        let messages = BYTES / (1 << 20);
        let sending = tokio::spawn(async move {
            for number in 0..messages {
                sink.send(Message::binary(vec![number as u8; 1 << 20])).await.expect("sent");
            }
            sink
        });
        for number in 0..messages {
            let message = stream.next().await.expect("an echo").expect("no error").into_data();
            assert!(message.len() == 1 << 20 && message.iter().all(|byte| *byte == number as u8), "{number}");
        }
        let sink = sending.await.expect("sent");
        drop((sink, stream));
    });
    serving.join().expect("the target saw the end");
}

/// `h2` ends a connection on which some hundred small DATA frames wait.
#[test]
fn many_small_messages_at_once_end_nothing() {
    const MESSAGES: usize = 3000;
    let target = echo();
    let proxy = Setup::open(&[target.address()]).start();
    let mut socket = Socket::open(proxy.address(), &[]);
    socket.client.window(socket.stream, 1 << 20);
    let mut burst = Vec::new();
    for number in 0..MESSAGES {
        burst.extend(Http2::framed(DATA, 0, socket.stream, format!("{number};").as_bytes()));
    }
    socket.client.send_raw(burst);
    let seen = socket.read_until(&format!(";{};", MESSAGES - 1));
    assert_eq!(seen.matches(';').count(), MESSAGES, "in order and whole");
}

#[test]
fn a_quiet_websocket_outlives_the_idle_timeout_of_its_connection() {
    let target = echo();
    let proxy = Setup::open(&[target.address()]).listener("    limits: { idle_timeout: 300ms }").start();
    let mut socket = Socket::open(proxy.address(), &[]);
    let mut ended = Socket::open(proxy.address(), &[]);
    ended.client.frame(RST_STREAM, 0, ended.stream, &CANCEL.to_be_bytes());
    // Connections that are younger are closed, one after the other, and so is one whose WebSocket has ended.
    for _ in 0..2 {
        let mut idle = Http2::connect(proxy.address(), "app.test");
        while idle.next_frame().is_some() {}
    }
    while ended.client.next_frame().is_some() {}
    socket.send("still here");
    assert_eq!(socket.read_until("still here"), "still here");
}

#[test]
fn a_tunnel_on_which_nothing_moves_is_closed() {
    let target = echo();
    let proxy = Setup::open(&[target.address()]).target_group("    response_timeout: 200ms").start();
    Socket::open(proxy.address(), &[]).is_closed_with("nothing was sent for too long");
}

#[test]
fn w_06_a_client_that_takes_nothing_loses_the_stream_and_keeps_little() {
    let wire = Wire::listen();
    let rules = r#"
      - name: elsewhere
        priority: 1
        conditions: [{ path_pattern: [/elsewhere] }]
        actions: [{ type: redirect, host: other.test, status_code: HTTP_302 }]"#;
    let listener = "    limits: { idle_timeout: 300ms }";
    let proxy = Setup::open(&[wire.address()]).listener(listener).rules(rules).start();
    let mut client = Http2::connect(proxy.address(), "app.test");
    client.initial_window(0);
    let mut socket = Socket::ask(client, &[]);
    let mut target = wire.accept();
    let head = target.read_head();
    target.send(switch(key(&head)));
    assert_eq!(socket.next().status(), Some(200));
    target.send("hello");
    // The client uses its connection for other things all the while.
    let begun = Instant::now();
    let reset = loop {
        let elsewhere = [(":method", "GET"), (":scheme", "https"), (":authority", "app.test"), (":path", "/elsewhere")];
        let other = socket.client.open(&elsewhere, Stream::Ended);
        let is_next = |frame: &Frame| frame.stream == other || frame.kind == RST_STREAM;
        let frame = socket.client.frame_that(is_next).expect("the connection is used and goes on");
        if frame.kind == RST_STREAM {
            break frame;
        }
        assert!(begun.elapsed() < DEADLINE, "it is held for as long as the client likes");
    };
    assert_eq!((reset.stream, reset.code()), (socket.stream, Some(CANCEL)));
    assert!(target.is_closed_by_proxy());
}

#[test]
fn stopping_ends_tunnels() {
    let target = echo();
    let mut proxy = Setup::open(&[target.address()]).start();
    let mut socket = Socket::open(proxy.address(), &[]);
    let app = proxy.take();
    let stopping = std::thread::spawn(move || app.shutdown());
    // The client answers no closing frame.
    socket.is_closed_with("the server is restarting");
    socket.client.frame(DATA, END_STREAM, socket.stream, b"");
    while socket.client.next_frame().is_some() {}
    assert!(stopping.join().expect("it ends"), "no tunnel holds the process up");
}

#[test]
fn each_end_is_told_why_it_is_closed() {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut proxy = Setup::open(&[socket.local_addr().expect("bound")]).start();
    let serving = websocket::server(socket);
    let seen = runtime().block_on(async {
        let mut client = Connection::open(Protocol::Http2, proxy.address(), "app.test").await;
        let mut socket = opened(&mut client, &[]).await;
        socket.send(Message::text("hello")).await.expect("sent");
        assert_eq!(socket.next().await.expect("an echo").expect("no error"), Message::text("hello"));
        let app = proxy.take();
        let stopping = std::thread::spawn(move || app.shutdown());
        let mut seen = None;
        while let Some(Ok(message)) = socket.next().await {
            if let Message::Close(frame) = message {
                seen = seen.or(frame.map(|frame| u16::from(frame.code)));
            }
        }
        assert!(stopping.join().expect("it ends"), "and nothing is left");
        seen
    });
    assert_eq!([seen, serving.join().expect("the target saw the end")], [Some(1001); 2], "RFC 6455 §7.4.1");
}

#[test]
fn other_requests_go_on_beside_a_websocket() {
    let target = echo();
    let proxy = Setup::open(&[target.address()]).start();
    let mut socket = Socket::open(proxy.address(), &[]);
    target.script(|request| if request.header("upgrade").is_some() { opens(request) } else { target::echoed(request) });
    let post = [
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", "app.test"),
        (":path", "/upload"),
        ("content-length", "100000"),
    ];
    for turn in 0..3_u32 {
        let upload = socket.client.open(&post, Stream::Open);
        let mut left: usize = 100_000;
        // Windows are given back as the target reads.
        let (mut of_stream, mut of_connection) = (65_535_usize, 65_535_usize);
        while left > 0 {
            let piece = left.min(16 * 1024).min(of_stream).min(of_connection);
            if piece == 0 {
                let frame = socket.client.frame_that(|frame| frame.kind == 8).expect("a window");
                let bytes = u32::from_be_bytes(frame.payload[..4].try_into().expect("four bytes")) as usize;
                if frame.stream == 0 {
                    of_connection += bytes
                } else if frame.stream == upload {
                    of_stream += bytes
                }
                continue;
            }
            left -= piece;
            of_stream -= piece;
            of_connection -= piece;
            socket.client.frame(DATA, if left == 0 { END_STREAM } else { 0 }, upload, &vec![b'x'; piece]);
        }
        let answer = socket.client.frame_that(|frame: &Frame| frame.stream == upload && frame.status().is_some());
        assert_eq!(answer.expect("an answer").status(), Some(200));
        socket.send(format!("turn {turn};"));
        assert_eq!(socket.read_until(&format!("turn {turn};")), format!("turn {turn};"));
    }
}

#[test]
fn node_opens_one_over_http_2() {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let proxy = Setup::open(&[socket.local_addr().expect("bound")]).start();
    let serving = websocket::server(socket);
    let settings = serde_json::json!({ "address": proxy.address().to_string(), "host": "app.test", "messages": 2000 });
    let finished = Process::start(process::node("websocket.mjs", &[&settings.to_string()])).finish();
    assert_eq!(finished.code, Some(0), "{}", finished.errors);
    let seen: serde_json::Value = serde_json::from_str(finished.output.trim()).expect("JSON");
    assert_eq!(seen["announced"], true, "{seen}");
    assert_eq!(seen["status"], 200, "{seen}");
    assert_eq!(seen["echoed"], 2000, "{seen}");
    assert_eq!(seen["closed"], 1000, "{seen}");
    assert_eq!(serving.join().expect("the target saw the end"), Some(1000));
    assert_eq!(recorded(&proxy, 1)["network.protocol.version"], "2");
}
