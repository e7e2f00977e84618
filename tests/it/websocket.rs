//! WebSockets: opened only by who may, joined byte for byte, and never longer than they may live.

use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use serde_json::json;
use tokio_tungstenite::tungstenite::client::IntoClientRequest as _;

use crate::harness::app::{Proxy, Setup, wait_until};
use crate::harness::browser::Protocol;
use crate::harness::provider::Provider;
use crate::harness::raw::{self, Raw};
use crate::harness::server::{Reply, Server};
use crate::harness::target;
use crate::harness::wire::Wire;

const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
                      sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// A handshake (RFC 6455 §1.3) with more header lines.
fn handshake(more: &str) -> String {
    format!(
        "GET /socket HTTP/1.1\r\nhost: app.test\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n{more}\r\n"
    )
}

fn echo() -> Server {
    Server::start(|_| Reply::Switch(SWITCH.into()))
}

/// The `Cookie` line of a browser that has signed in.
fn session(proxy: &Proxy, provider: &Provider, target: &Server) -> String {
    target.script(target::echoed);
    let browser = proxy.signed_in(Protocol::Http1, provider);
    target.script(|_| Reply::Switch(SWITCH.into()));
    format!("cookie: {}\r\n", browser.cookie_header("app.test"))
}

#[test]
fn a_signed_in_browser_talks_to_the_target_and_the_target_knows_who_it_is() {
    let (provider, target) = (Provider::start(), echo());
    let proxy = Setup::new(&provider, &target).start();
    let cookie = session(&proxy, &provider, &target);
    let mut client = Raw::connect(proxy.address(), "app.test");
    client.send(handshake(&format!("{cookie}origin: https://app.test\r\n")));
    let head = client.read_until("\r\n\r\n");
    assert_eq!(raw::status(&head), 101, "{head}");
    assert!(head.contains("sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo="), "{head}");
    for message in ["one", "two", "three"] {
        client.send(message);
        assert!(client.read_until(message).ends_with(message));
    }
    let request = target.last();
    assert_eq!(request.header("x-amzn-oidc-identity"), Some("alice"));
    assert_eq!(request.header("upgrade"), Some("websocket"));
    assert_eq!(request.header("sec-websocket-key"), Some("dGhlIHNhbXBsZSBub25jZQ=="));
    assert_eq!(request.header("cookie"), None, "the session is not the target's");
}

#[test]
fn a_websocket_client_library_is_served() {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = socket.local_addr().expect("bound");
    let serving = std::thread::spawn(move || {
        let (stream, _) = socket.accept().expect("the proxy connects");
        stream.set_nonblocking(true).expect("a socket");
        crate::harness::runtime().block_on(async {
            use futures_util::{SinkExt as _, StreamExt as _};
            let stream = tokio::net::TcpStream::from_std(stream).expect("a socket");
            let mut socket = tokio_tungstenite::accept_async(stream).await.expect("a handshake");
            while let Some(Ok(message)) = socket.next().await {
                if message.is_text() || message.is_binary() {
                    socket.send(message).await.expect("sent");
                }
            }
        });
    });
    let proxy = Setup::open(&[address]).start();
    crate::harness::runtime().block_on(async {
        use futures_util::{SinkExt as _, StreamExt as _};
        use tokio_tungstenite::tungstenite::Message;
        let stream = tokio::net::TcpStream::connect(proxy.address()).await.expect("the proxy accepts");
        let name = rustls_pki_types::ServerName::try_from("app.test").expect("a name");
        let tls = tokio_rustls::TlsConnector::from(raw::tls(&[b"http/1.1"]));
        let stream = tls.connect(name, stream).await.expect("a handshake");
        let (mut socket, _) = tokio_tungstenite::client_async("wss://app.test/socket", stream).await.expect("101");
        for message in [Message::text("hello"), Message::binary(vec![7; 100_000])] {
            socket.send(message.clone()).await.expect("sent");
            assert_eq!(socket.next().await.expect("an echo").expect("no error"), message);
        }
        socket.close(None).await.expect("closed");
        while socket.next().await.is_some() {}
    });
    serving.join().expect("the target saw the end");
}

#[test]
fn w_01_no_byte_of_the_client_reaches_a_target_that_has_not_switched() {
    let wire = Wire::listen();
    let proxy = Setup::open(&[wire.address()]).start();
    let mut client = Raw::connect(proxy.address(), "app.test");
    client.send(format!("{}GET /smuggled HTTP/1.1\r\nhost: app.test\r\n\r\n", handshake("")));
    let mut target = wire.accept();
    target.read_head();
    target.send("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno");
    let (head, body) = client.read_response();
    assert_eq!((raw::status(&head), body.as_str()), (403, "no"));
    // What followed is a request of its own, read by our own parser.
    let head = target.read_head();
    assert!(head.starts_with("GET /smuggled HTTP/1.1\r\n") && head.contains("x-forwarded-proto: https"), "{head}");
    target.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    assert_eq!(client.read_response().1, "ok");
}

#[test]
fn bytes_sent_with_the_handshake_wait_for_the_101() {
    let wire = Wire::listen();
    let proxy = Setup::open(&[wire.address()]).start();
    let mut client = Raw::connect(proxy.address(), "app.test");
    client.send(format!("{}early", handshake("")));
    let mut target = wire.accept();
    target.read_head();
    assert!(!target.has_something(), "nothing before the 101");
    target.send(format!("{SWITCH}hello"));
    assert_eq!(target.read_until("early"), "early");
    client.read_until("\r\n\r\n");
    assert_eq!(client.read_until("hello"), "hello");
}

#[test]
fn without_a_session_the_answer_is_401_and_never_a_redirect() {
    let (provider, target) = (Provider::start(), echo());
    let proxy = Setup::new(&provider, &target).start();
    for more in [
        "",
        "accept: text/html\r\nsec-fetch-mode: navigate\r\nsec-fetch-dest: document\r\n",
        "sec-fetch-mode: websocket\r\n",
    ] {
        let mut client = Raw::connect(proxy.address(), "app.test");
        client.send(handshake(more));
        let head = client.read_response().0;
        assert_eq!(raw::status(&head), 401, "{head}");
        assert!(!head.to_lowercase().contains("\r\nset-cookie"), "no login is begun: {head}");
    }
    assert_eq!(target.count(), 0);
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
        "http://app.test:443",
        "wss://app.test",
        "https://app.test:8443",
        "null",
        "https://sub.app.test",
        "https://app.test.evil.example",
        "app.test",
    ] {
        let mut client = Raw::connect(proxy.address(), "app.test");
        client.send(handshake(&format!("{cookie}accept: application/json\r\norigin: {origin}\r\n")));
        let (head, body) = client.read_response();
        assert_eq!(raw::status(&head), 403, "{origin}");
        assert!(body.contains("request.origin_mismatch"), "{origin}: {body}");
    }
    assert_eq!(target.count(), count);
}

#[test]
fn w_05_only_websockets_are_upgraded() {
    let target = Server::start(|request| {
        if request.header("upgrade").is_some() { Reply::Switch(SWITCH.into()) } else { Reply::text("plain") }
    });
    let proxy = Setup::open(&[target.address()]).start();
    let cases = [
        "GET / HTTP/1.1\r\nupgrade: h2c\r\nconnection: upgrade, http2-settings\r\nhttp2-settings: AAMAAABk\r\n",
        "GET / HTTP/1.1\r\nupgrade: TLS/1.0\r\nconnection: upgrade\r\n",
        "GET / HTTP/1.1\r\nupgrade: websocket, h2c\r\nconnection: upgrade\r\n",
        "GET / HTTP/1.1\r\nupgrade: websocket\r\n",
        "POST / HTTP/1.1\r\nupgrade: websocket\r\nconnection: upgrade\r\ncontent-length: 0\r\n",
    ];
    for case in cases {
        let mut client = Raw::connect(proxy.address(), "app.test");
        client.send(format!("{case}host: app.test\r\n\r\n"));
        assert_eq!(client.read_response().1, "plain", "{case}");
    }
}

#[test]
fn a_101_that_nobody_asked_for_or_to_something_else_is_502() {
    for (asks, switched) in [(false, "websocket"), (true, "h2c"), (true, "")] {
        let switch = format!("HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: {switched}\r\n\r\n");
        let target = Server::start(move |_| Reply::Switch(switch.clone().into()));
        let proxy = Setup::open(&[target.address()]).start();
        let mut client = Raw::connect(proxy.address(), "app.test");
        client.send(if asks { handshake("") } else { "GET / HTTP/1.1\r\nhost: app.test\r\n\r\n".into() });
        let (head, body) = client.read_response();
        assert_eq!(raw::status(&head), 502, "{asks} {switched}");
        assert!(body.contains("upstream.malformed"), "{body}");
    }
}

#[test]
fn a_tunnel_on_which_nothing_moves_is_closed() {
    let target = echo();
    let proxy = Setup::open(&[target.address()]).target_group("    response_timeout: 200ms").start();
    let mut client = Raw::connect(proxy.address(), "app.test");
    client.send(handshake(""));
    assert_eq!(raw::status(&client.read_until("\r\n\r\n")), 101);
    closed(&mut client, "nothing was sent for too long");
}

/// A closing frame of ours with that text is all that still comes. The target would have kept the tunnel open.
#[track_caller]
fn closed(client: &mut Raw, text: &str) {
    let rest = client.read_to_end();
    assert!(rest.ends_with(text) && rest.chars().count() == text.len() + 4, "{rest:?}");
}

#[test]
fn when_one_side_closes_the_other_is_closed() {
    let wire = Wire::listen();
    let proxy = Setup::open(&[wire.address()]).start();
    let mut client = Raw::connect(proxy.address(), "app.test");
    client.send(handshake(""));
    let mut target = wire.accept();
    target.read_head();
    target.send(SWITCH);
    client.read_until("\r\n\r\n");
    target.send("bye");
    target.close();
    assert_eq!(client.read_to_end(), "bye");

    let mut client = Raw::connect(proxy.address(), "app.test");
    client.send(handshake(""));
    let mut target = wire.accept();
    target.read_head();
    target.send(SWITCH);
    client.read_until("\r\n\r\n");
    drop(client);
    assert_eq!(target.rest(), "");
}

#[test]
fn w_03_a_tunnel_does_not_outlive_its_session() {
    let (provider, target) = (Provider::start(), echo());
    let proxy = Setup::new(&provider, &target)
        .default_actions(
            "\n      - { type: authenticate-oidc, provider: corp, session_timeout: 1h }\n      - { type: forward, target_group: app }",
        )
        .start();
    let cookie = session(&proxy, &provider, &target);
    let mut client = Raw::connect(proxy.address(), "app.test");
    client.send(handshake(&format!("{cookie}origin: https://app.test\r\n")));
    let head = client.read_until("\r\n\r\n");
    assert_eq!(raw::status(&head), 101, "{head}");
    proxy.clock.advance(Duration::from_secs(3600));
    closed(&mut client, "the session has ended");
}

#[test]
fn w_03_signing_out_ends_the_tunnels_of_a_session() {
    let (provider, target) = (Provider::start(), echo());
    let proxy = Setup::new(&provider, &target).start();
    let cookie = session(&proxy, &provider, &target);
    let mut client = Raw::connect(proxy.address(), "app.test");
    client.send(handshake(&format!("{cookie}origin: https://app.test\r\n")));
    assert_eq!(raw::status(&client.read_until("\r\n\r\n")), 101);
    let sign_out = format!("GET /oauth2/sign_out HTTP/1.1\r\nhost: app.test\r\nconnection: close\r\n{cookie}\r\n");
    assert_eq!(raw::status(&raw::exchange(proxy.address(), "app.test", sign_out)), 302);
    closed(&mut client, "the session has ended");
}

#[test]
fn stopping_ends_tunnels() {
    let target = echo();
    let mut proxy = Setup::open(&[target.address()]).start();
    let mut client = Raw::connect(proxy.address(), "app.test");
    client.send(handshake(""));
    assert_eq!(raw::status(&client.read_until("\r\n\r\n")), 101);
    assert!(proxy.shutdown(), "no tunnel holds the process up");
    closed(&mut client, "the server is restarting");
}

#[test]
fn a_listener_that_a_reload_closes_ends_its_tunnels() {
    let target = echo();
    let proxy = Setup::open(&[target.address()]).start();
    let mut client = Raw::connect(proxy.address(), "app.test");
    client.send(handshake(""));
    assert_eq!(raw::status(&client.read_until("\r\n\r\n")), 101);
    let other = proxy.yaml().replace("name: public", "name: other");
    let said = proxy.reload(&other).expect("it is reloaded");
    assert!(said.contains("listeners.public (removed)"), "{said}");
    closed(&mut client, "the server is restarting");
}

#[test]
fn a_tunnel_has_one_access_record_and_holds_its_connection_open() {
    let target = echo();
    let proxy = Setup::open(&[target.address()]).start();
    let mut client = Raw::connect(proxy.address(), "app.test");
    client.send(handshake(""));
    client.read_until("\r\n\r\n");
    let open = || proxy.metric("vestibule_connections_open{listener=\"public\"}");
    assert_eq!(open(), 1);
    drop(client);
    wait_until("the tunnel ends", || (open() == 0).then_some(()));
    let records = proxy.access_log(1);
    assert_eq!(records.len(), 1);
    assert_eq!(records[0]["http.response.status_code"], 101);
    assert_eq!(records[0].get("reason"), None);
}

/// The closing frame that each end of a WebSocket sees when `act` has been done: first the client's, then the target's.
fn closing_frames(
    proxy: &mut Proxy,
    socket: TcpListener,
    (field, value): (&'static str, &str),
    act: impl FnOnce(&mut Proxy),
) -> [Option<u16>; 2] {
    use futures_util::{SinkExt as _, StreamExt as _};
    use tokio_tungstenite::tungstenite::Message;
    let code = |message: Message| match message {
        Message::Close(frame) => Some(frame.map_or(1005, |frame| frame.code.into())),
        _ => None,
    };
    let serving = std::thread::spawn(move || {
        let (stream, _) = socket.accept().expect("the proxy connects");
        stream.set_nonblocking(true).expect("a socket");
        crate::harness::runtime().block_on(async {
            let stream = tokio::net::TcpStream::from_std(stream).expect("a socket");
            let mut socket = tokio_tungstenite::accept_async(stream).await.expect("a handshake");
            let mut seen = None;
            while let Some(Ok(message)) = socket.next().await {
                if message.is_text() {
                    socket.send(message).await.expect("sent");
                } else {
                    seen = seen.or(code(message));
                }
            }
            seen
        })
    });
    let seen = crate::harness::runtime().block_on(async {
        let stream = tokio::net::TcpStream::connect(proxy.address()).await.expect("the proxy accepts");
        let name = rustls_pki_types::ServerName::try_from("app.test").expect("a name");
        let tls = tokio_rustls::TlsConnector::from(raw::tls(&[b"http/1.1"]));
        let stream = tls.connect(name, stream).await.expect("a handshake");
        let mut request = "wss://app.test/socket".into_client_request().expect("a request");
        if !value.is_empty() {
            request.headers_mut().insert(field, value.parse().expect("a field"));
        }
        let (mut socket, _) = tokio_tungstenite::client_async(request, stream).await.expect("101");
        socket.send(Message::text("hello")).await.expect("sent");
        assert_eq!(socket.next().await.expect("an echo").expect("no error"), Message::text("hello"));
        tokio::task::block_in_place(|| act(proxy));
        let mut seen = None;
        while let Some(Ok(message)) = socket.next().await {
            seen = seen.or(code(message));
        }
        seen
    });
    [seen, serving.join().expect("the target saw the end")]
}

/// The socket of [`closing_frames`] has one record, with the bytes of the echo and of our closing frame.
#[track_caller]
fn is_recorded(proxy: &Proxy, reason: Option<&str>) {
    let records = proxy.access_log(1);
    let of_socket: Vec<_> = records.iter().filter(|record| record["url.path"] == "/socket").collect();
    assert_eq!(of_socket.len(), 1, "{records:?}");
    assert_eq!(of_socket[0]["http.response.status_code"], 101);
    assert_eq!(of_socket[0].get("reason").and_then(|reason| reason.as_str()), reason);
    let text = if reason.is_some() { "the session has ended" } else { "the server is restarting" };
    assert_eq!(of_socket[0]["http.response.body.size"], 2 + "hello".len() + 4 + text.len());
}

#[test]
fn a_listener_that_a_reload_removes_closes_each_socket_in_order() {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut proxy = Setup::open(&[socket.local_addr().expect("bound")]).start();
    let seen = closing_frames(&mut proxy, socket, ("cookie", ""), |proxy| {
        let other = proxy.yaml().replace("name: public", "name: other");
        proxy.reload(&other).expect("it is reloaded");
    });
    assert_eq!(seen, [Some(1001), Some(1001)], "going away (RFC 6455 §7.4.1)");
    is_recorded(&proxy, None);
}

#[test]
fn a_process_that_stops_closes_each_socket_in_order() {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let mut proxy = Setup::open(&[socket.local_addr().expect("bound")]).start();
    let (ended, end) = std::sync::mpsc::channel();
    let seen = closing_frames(&mut proxy, socket, ("cookie", ""), |proxy| {
        let app = proxy.take();
        std::thread::spawn(move || ended.send(app.shutdown()));
    });
    assert_eq!(seen, [Some(1001), Some(1001)], "going away (RFC 6455 §7.4.1)");
    assert!(end.recv().expect("it ends"), "and nothing is left");
    is_recorded(&proxy, None);
}

#[test]
fn w_03_a_socket_whose_opaque_token_is_revoked_is_told_so_and_one_whose_token_is_not_stays() {
    let (provider, target) = (Provider::start(), target::echo());
    let active = Arc::new(AtomicBool::new(true));
    let (says, endpoint) = (Arc::clone(&active), format!("{}/introspect", provider.issuer()));
    provider.say(|script| {
        script.metadata = json!({"introspection_endpoint": endpoint});
        script.instead = Some(Arc::new(move |request| {
            let answer =
                json!({"active": says.load(Ordering::SeqCst), "token_type": "Bearer", "sub": "alice", "aud": "api"});
            (request.target() == "/introspect").then(|| Reply::json(&answer))
        }));
    });
    let gate = "{ type: jwt-validation, provider: corp, validation: introspection, audience: [api] }";
    let (mut proxy, socket) = before_a_socket((&provider, &target), gate);
    let seen = closing_frames(&mut proxy, socket, ("authorization", "Bearer opaque"), |proxy| {
        let asked = || provider.requests("/introspect").len();
        assert_eq!(asked(), 1);
        // The answer is too old twice, and the provider still calls the token active.
        for times in [2, 3] {
            proxy.clock.advance(Duration::from_secs(60));
            wait_until("it is asked again", || (asked() >= times).then_some(()));
        }
        assert_eq!(proxy.metric("vestibule_bearer_tokens_total{outcome=\"ok\"}"), 1, "the request is the same");
        active.store(false, Ordering::SeqCst);
        proxy.clock.advance(Duration::from_secs(60));
    });
    assert_eq!(seen, [Some(1008), Some(1008)], "RFC 6455 §7.4.1");
    wait_until("it is recorded", || (proxy.access_log(1).last()?["url.path"] == "/socket").then_some(()));
    is_recorded(&proxy, Some("session.ended"));
}

/// A proxy whose `/socket` has this gate, and the target behind it.
fn before_a_socket((provider, target): (&Provider, &Server), gate: &str) -> (Proxy, TcpListener) {
    let socket = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = socket.local_addr().expect("bound");
    let mut setup = Setup::new(provider, target).rules(&format!(
        "
      - name: socket
        priority: 1
        conditions: [{{ path_pattern: ['/socket'] }}]
        actions:
          - {gate}
          - {{ type: forward, target_group: sockets }}"
    ));
    setup.target_group = format!("  sockets:\n    targets: ['{address}']\n");
    (setup.start(), socket)
}

#[test]
fn a_socket_whose_session_ends_is_told_so() {
    let (provider, target) = (Provider::start(), target::echo());
    let (mut proxy, socket) = before_a_socket((&provider, &target), "{ type: authenticate-oidc, provider: corp }");
    let cookie = proxy.signed_in(Protocol::Http1, &provider).cookie_header("app.test");
    let seen = closing_frames(&mut proxy, socket, ("cookie", &cookie), |proxy| {
        proxy.clock.advance(Duration::from_secs(8 * 24 * 3600));
    });
    assert_eq!(seen, [Some(1008), Some(1008)], "RFC 6455 §7.4.1");
    wait_until("it is recorded", || (proxy.access_log(1).last()?["url.path"] == "/socket").then_some(()));
    is_recorded(&proxy, Some("session.ended"));
}
