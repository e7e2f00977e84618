//! Limits: what a client may send, how long it may take, and how many of it there may be.

use std::io::Read as _;
use std::net::TcpStream;
use std::time::Instant;

use crate::harness::app::{Proxy, Setup, wait_until};
use crate::harness::browser::{Protocol, on_both};
use crate::harness::connection::{self, Connection};
use crate::harness::http2::{DATA, Frame, Http2, Outcome, RST_STREAM, Stream};
use crate::harness::provider::Provider;
use crate::harness::raw::{self, Raw};
use crate::harness::server::{DEADLINE, Reply, Server};
use crate::harness::wire::Wire;
use crate::harness::{runtime, target};

fn limited(target: &Server, limits: &str) -> Proxy {
    Setup::open(&[target.address()]).listener(&format!("    limits: {{ {limits} }}")).start()
}

fn timed_out(proxy: &Proxy) -> u64 {
    proxy.metric("vestibule_connections_timed_out_total{listener=\"public\"}")
}

#[test]
fn d_a_head_that_is_too_large_reaches_no_target() {
    let target = target::echo();
    let proxy = limited(&target, "head_bytes_max: 16384");
    let cases = [
        (414, format!("GET /{} HTTP/1.1\r\nhost: app.test\r\n\r\n", "a".repeat(70_000))),
        (431, format!("GET / HTTP/1.1\r\nhost: app.test\r\nx-large: {}\r\n\r\n", "a".repeat(20_000))),
        (431, format!("GET / HTTP/1.1\r\nhost: app.test\r\ncookie: {}\r\n\r\n", "a=b; ".repeat(4000))),
    ];
    for (status, case) in cases {
        let mut client = Raw::connect(proxy.address(), "app.test");
        client.try_send(&case);
        let answer = client.read_to_end();
        assert_eq!(raw::status(&answer), status, "{answer}");
    }
    let records = proxy.access_log(3);
    let reasons: Vec<_> = records.iter().map(|record| &record["reason"]).collect();
    assert_eq!(reasons.iter().filter(|reason| **reason == "request.head_too_large").count(), 2, "{reasons:?}");
    assert_eq!(reasons.iter().filter(|reason| **reason == "request.uri_too_long").count(), 1, "{reasons:?}");
    // Of one that is much larger there is no page: the library answers it.
    for (length, reason) in [(20_000, Some("request.head_too_large")), (40_000, None)] {
        let mut browser = proxy.browser(Protocol::Http2);
        let large = "a".repeat(length);
        let answer = browser.try_send("GET", "https://app.test/a?b", &[("x-large", &large)], b"").expect("an answer");
        assert_eq!((answer.status, answer.reason().as_deref()), (431, reason), "{length}");
    }
    let records = proxy.access_log(5);
    let on_http2 = |reason: &str| {
        let is_it =
            |record: &&serde_json::Value| record["reason"] == reason && record["network.protocol.version"] == "2";
        records.iter().find(is_it).unwrap_or_else(|| panic!("{reason}: {records:?}"))
    };
    assert_eq!(on_http2("request.head_too_large")["url.path"], "/a");
    assert_eq!(on_http2("request.malformed").get("url.path"), None);
    assert_eq!(target.count(), 0);
    // What fits is served.
    let fits = "a".repeat(12_000);
    on_both(|protocol| {
        let answer = proxy.browser(protocol).send("GET", "https://app.test/", &[("x-large", &fits)], b"");
        assert_eq!(answer.status, 200, "{protocol:?}");
    });
}

#[test]
fn d_too_many_headers_reach_no_target() {
    let target = target::echo();
    let proxy = limited(&target, "headers_max: 50");
    let many = |count: usize| -> Vec<(String, String)> { (0..count).map(|n| (format!("x-{n}"), "1".into())).collect() };
    on_both(|protocol| {
        let mut browser = proxy.browser(protocol);
        let count = target.count();
        let too_many = many(60);
        let headers: Vec<(&str, &str)> = too_many.iter().map(|(name, value)| (&**name, &**value)).collect();
        match browser.try_send("GET", "https://app.test/", &headers, b"") {
            Ok(answer) => {
                assert_eq!((answer.status, answer.reason().as_deref()), (431, Some("request.head_too_large")));
            }
            Err(error) => panic!("{protocol:?}: {error}"),
        }
        assert_eq!(target.count(), count, "{protocol:?}");
        let few = many(30);
        let headers: Vec<(&str, &str)> = few.iter().map(|(name, value)| (&**name, &**value)).collect();
        assert_eq!(browser.send("GET", "https://app.test/", &headers, b"").status, 200, "{protocol:?}");
    });
}

#[test]
fn d_as_many_headers_as_allowed_are_served_although_each_is_taken_out() {
    let target = target::echo();
    let proxy = limited(&target, "headers_max: 500");
    let names: Vec<String> = (0..490).map(|n| format!("x_forwarded_user.{n}")).collect();
    let headers: Vec<(&str, &str)> = names.iter().map(|name| (name.as_str(), "1")).collect();
    on_both(|protocol| {
        assert_eq!(proxy.browser(protocol).send("GET", "https://app.test/", &headers, b"").status, 200);
        let received = target.last();
        assert!(!received.headers.iter().any(|(name, _)| name.contains('.')), "{received:?}");
    });
}

/// Returns when more than `head_timeout` has passed: a head that had begun is cut.
fn a_head_is_cut(proxy: &Proxy) {
    let mut slow = Raw::connect(proxy.address(), "app.test");
    slow.send("G");
    assert_eq!(raw::status(&slow.read_to_end()), 408);
}

#[test]
fn an_upload_that_goes_on_after_the_answer_began_is_no_head() {
    let wire = Wire::listen();
    let proxy = Setup::open(&[wire.address()]).listener("    limits: { head_timeout: 300ms }").start();
    let mut client = Raw::connect(proxy.address(), "app.test");
    client.send("POST / HTTP/1.1\r\nhost: app.test\r\ntransfer-encoding: chunked\r\n\r\n1\r\n0\r\n");
    let mut target = wire.accept();
    target.read_until("1\r\n0\r\n");
    target.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
    assert_eq!(raw::status(&client.read_until("\r\n\r\n")), 200);
    for piece in ["a", "b", "c"] {
        let chunk = format!("1\r\n{piece}\r\n");
        client.send(&chunk);
        target.read_until(&chunk);
        target.send(&chunk);
        client.read_until(&chunk);
        a_head_is_cut(&proxy);
    }
    client.send("0\r\n\r\n");
    target.read_until("0\r\n\r\n");
    target.send("0\r\n\r\n");
    assert_eq!(client.read_until("0\r\n\r\n"), "0\r\n\r\n");
}

#[test]
fn an_upload_that_goes_on_after_its_whole_answer_is_no_head() {
    let wire = Wire::listen();
    let proxy = Setup::open(&[wire.address()]).listener("    limits: { head_timeout: 300ms }").start();
    let mut client = Raw::connect(proxy.address(), "app.test");
    client.send("POST / HTTP/1.1\r\nhost: app.test\r\ncontent-length: 4\r\n\r\na");
    let mut target = wire.accept();
    target.read_until("\r\n\r\na");
    target.send("HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\nok");
    assert_eq!(client.read_response().1, "ok");
    for piece in ["b", "c", "d"] {
        a_head_is_cut(&proxy);
        client.send(piece);
        target.read_until(piece);
    }
    // The next request on the same connection is one again, and so is a head that does not end.
    client.send("GET /next HTTP/1.1\r\nhost: app.test\r\n\r\n");
    let mut target = wire.accept();
    target.read_head();
    target.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    assert_eq!(client.read_response().1, "ok");
    client.send("G");
    assert_eq!(raw::status(&client.read_to_end()), 408);
}

#[test]
fn a_request_that_comes_during_a_long_answer_does_not_cut_it() {
    let wire = Wire::listen();
    let proxy = Setup::open(&[wire.address()]).listener("    limits: { head_timeout: 300ms }").start();
    let mut client = Raw::connect(proxy.address(), "app.test");
    client.send("GET /first HTTP/1.1\r\nhost: app.test\r\n\r\n");
    let mut target = wire.accept();
    target.read_head();
    target.send("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n");
    client.read_until("\r\n\r\n");
    client.send("GET /second HTTP/1.1\r\nhost: app.test\r\n\r\n");
    for piece in ["a", "b", "c"] {
        a_head_is_cut(&proxy);
        target.send(piece);
        client.read_until(piece);
    }
    assert!(target.read_head().starts_with("GET /second "));
    target.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
    assert_eq!(client.read_response().1, "ok");
}

#[test]
fn d_a_client_that_opens_no_window_is_closed_although_it_pings() {
    let wire = Wire::listen();
    let proxy = Setup::open(&[wire.address()]).listener("    limits: { idle_timeout: 300ms }").start();
    let mut client = Http2::connect(proxy.address(), "app.test");
    client.initial_window(0);
    let mut targets = Vec::new();
    for _ in 0..3 {
        client.headers(
            &[(":method", "GET"), (":scheme", "https"), (":authority", "app.test"), (":path", "/big")],
            Stream::Ended,
        );
        let mut target = wire.accept();
        target.read_head();
        target.send("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nmuch");
        assert_eq!(client.outcome(), Outcome::Status(200));
        targets.push(target);
    }
    wait_until("the proxy closes", || (!client.ping()).then_some(()));
    for mut target in targets {
        assert!(target.is_closed_by_proxy());
    }
    wait_until("it is counted", || (timed_out(&proxy) == 1).then_some(()));
}

#[test]
fn d_an_answer_of_which_a_client_takes_nothing_is_given_up_although_its_connection_is_used() {
    let wire = Wire::listen();
    let rules = r#"
      - name: fixed
        priority: 1
        conditions: [{ path_pattern: [/elsewhere] }]
        actions: [{ type: redirect, host: other.test, status_code: HTTP_302 }]"#;
    let listener = "    limits: { idle_timeout: 300ms }";
    let proxy = Setup::open(&[wire.address()]).listener(listener).rules(rules).start();
    let mut client = Http2::connect(proxy.address(), "app.test");
    client.initial_window(0);
    let get = |path| [(":method", "GET"), (":scheme", "https"), (":authority", "app.test"), (":path", path)];
    let stalled = client.open(&get("/big"), Stream::Ended);
    let mut target = wire.accept();
    target.read_head();
    target.send("HTTP/1.1 200 OK\r\ncontent-length: 1000000\r\n\r\nmuch");
    let begun = Instant::now();
    let reset = loop {
        let other = client.open(&get("/elsewhere"), Stream::Ended);
        let is_next = |frame: &Frame| frame.stream == other || frame.kind == RST_STREAM;
        let frame = client.frame_that(is_next).expect("the connection is used and goes on");
        if frame.kind == RST_STREAM {
            break frame;
        }
        assert!(begun.elapsed() < DEADLINE, "it is held for as long as the connection is used");
    };
    const CANCEL: u32 = 8;
    assert_eq!((reset.stream, reset.code()), (stalled, Some(CANCEL)));
    assert!(target.is_closed_by_proxy());
}

/// Whole answers, each in one piece: nothing is left to read from the target, and nothing to close.
#[test]
fn d_small_answers_of_which_a_client_takes_nothing_are_given_up_although_its_connection_is_used() {
    const CANCEL: u32 = 8;
    const BODY: usize = 2 * 1024;
    let target = Server::start(|_| Reply::text(&"x".repeat(BODY)));
    let rules = r#"
      - name: fixed
        priority: 1
        conditions: [{ path_pattern: [/elsewhere] }]
        actions: [{ type: redirect, host: other.test, status_code: HTTP_302 }]"#;
    let listener = "    limits: { idle_timeout: 300ms }";
    let proxy = Setup::open(&[target.address()]).listener(listener).rules(rules).start();
    let mut client = Http2::connect(proxy.address(), "app.test");
    client.initial_window(0);
    let get = |path| [(":method", "GET"), (":scheme", "https"), (":authority", "app.test"), (":path", path)];
    let stalled: Vec<u32> = (0..100).map(|_| client.open(&get("/small"), Stream::Ended)).collect();
    let (begun, mut reset) = (Instant::now(), Vec::new());
    // 64 KiB may stay: each connection has so much of its own.
    while reset.len() < stalled.len() - 64 * 1024 / BODY {
        let other = client.open(&get("/elsewhere"), Stream::Ended);
        let is_next = |frame: &Frame| frame.stream == other || frame.kind == RST_STREAM;
        let frame = client.frame_that(is_next).expect("the connection is used and goes on");
        if frame.kind == RST_STREAM {
            assert_eq!(frame.code(), Some(CANCEL));
            assert!(stalled.contains(&frame.stream) && !reset.contains(&frame.stream), "{}", frame.stream);
            reset.push(frame.stream);
        }
        assert!(begun.elapsed() < DEADLINE, "{} of them were given up", reset.len());
    }
    // What may stay is still there.
    client.initial_window(1 << 20);
    let kept = stalled.iter().find(|stream| !reset.contains(stream)).expect("one of them");
    let end = client.frame_that(|frame| frame.stream == *kept && frame.kind == DATA).expect("its body");
    assert_eq!(end.payload.len(), BODY);
}

#[test]
fn d_a_head_that_does_not_end_is_cut() {
    let target = target::echo();
    let proxy = limited(&target, "head_timeout: 300ms");
    for bytes in ["G", "GET / HTTP/1.1\r\nhost: app.test\r\n"] {
        let before = timed_out(&proxy);
        let mut client = Raw::connect(proxy.address(), "app.test");
        client.send(bytes);
        assert_eq!(raw::status(&client.read_to_end()), 408);
        wait_until("it is counted", || (timed_out(&proxy) == before + 1).then_some(()));
    }
    // A client that sends a byte now and then is no faster.
    let mut client = Raw::connect(proxy.address(), "app.test");
    client.send("GET / HTTP/1.1\r\nhost: app.test\r\nx-slow: ");
    wait_until("it is cut all the same", || {
        client.try_send("a");
        (timed_out(&proxy) == 3).then_some(())
    });
    assert_eq!(target.count(), 0);
}

#[test]
fn d_a_connection_on_which_nothing_moves_is_closed() {
    let target = target::echo();
    let proxy = limited(&target, "idle_timeout: 300ms");
    let mut client = Raw::connect(proxy.address(), "app.test");
    client.send("GET / HTTP/1.1\r\nhost: app.test\r\n\r\n");
    assert_eq!(raw::status(&client.read_response().0), 200);
    assert_eq!(client.read_to_end(), "");
    // And one that never said anything, on both protocols.
    let mut silent = Raw::connect(proxy.address(), "app.test");
    assert_eq!(silent.read_to_end(), "");
    runtime().block_on(async {
        let mut client = Connection::open(Protocol::Http2, proxy.address(), "app.test").await;
        assert_eq!(client.get("/").await.status, 200);
        let _ = client.closed().await;
    });
    wait_until("they are counted", || (timed_out(&proxy) == 3).then_some(()));
}

#[test]
fn a_target_that_takes_longer_than_the_idle_timeout_is_waited_for() {
    let (release, gate) = std::sync::mpsc::channel::<()>();
    let gate = std::sync::Mutex::new(gate);
    let target = Server::start(move |_| {
        let _ = gate.lock().expect("unpoisoned").recv_timeout(DEADLINE);
        Reply::text("late")
    });
    let proxy = limited(&target, "idle_timeout: 100ms");
    let mut client = Raw::connect(proxy.address(), "app.test");
    client.send("GET / HTTP/1.1\r\nhost: app.test\r\n\r\n");
    target.wait_for(1);
    // Meanwhile a connection that only idles is closed, three times over.
    for _ in 0..3 {
        assert_eq!(Raw::connect(proxy.address(), "app.test").read_to_end(), "");
    }
    release.send(()).expect("the target waits");
    assert_eq!(client.read_response().1, "late");
}

#[test]
fn a_connection_does_not_live_for_ever() {
    let target = target::echo();
    let proxy = limited(&target, "keep_alive: 1s");
    runtime().block_on(async {
        let mut client = Connection::open(Protocol::Http2, proxy.address(), "app.test").await;
        assert_eq!(client.get("/").await.status, 200);
        client.closed().await.expect("with a word: GOAWAY, then the end");
        let mut client = Connection::open(Protocol::Http1, proxy.address(), "app.test").await;
        assert_eq!(client.get("/").await.status, 200);
        client.closed().await.expect("without an error");
    });
    assert_eq!(timed_out(&proxy), 0, "that is not a timeout");
}

#[test]
fn d_more_connections_than_allowed_wait_and_are_served_when_one_is_free() {
    let target = target::echo();
    // One worker: each holds a permit for its next connection.
    let limits = "    limits: { connections_max: 2, idle_timeout: 60s }";
    let yaml = Setup::open(&[target.address()]).listener(limits).yaml().replace("workers: 2", "workers: 1");
    let proxy = Proxy::start(&yaml);
    let mut first = Raw::connect(proxy.address(), "app.test");
    let mut second = Raw::connect(proxy.address(), "app.test");
    for client in [&mut first, &mut second] {
        client.send("GET / HTTP/1.1\r\nhost: app.test\r\n\r\n");
        assert_eq!(raw::status(&client.read_response().0), 200);
    }
    let mut third = TcpStream::connect(proxy.address()).expect("the kernel accepts");
    third.set_read_timeout(Some(std::time::Duration::from_millis(200))).expect("a timeout");
    assert!(third.read(&mut [0; 1]).is_err(), "nobody speaks to it");
    assert_eq!(proxy.metric("vestibule_connections_open{listener=\"public\"}"), 2);
    let waiting = std::thread::spawn({
        let address = proxy.address();
        move || raw::exchange(address, "app.test", "GET / HTTP/1.1\r\nhost: app.test\r\nconnection: close\r\n\r\n")
    });
    drop((first, second, third));
    assert_eq!(raw::status(&waiting.join().expect("answered")), 200);
}

#[test]
fn d_the_streams_of_one_connection_are_limited() {
    let target = Server::start(|_| Reply::BytesThenHang(Vec::new()));
    let proxy = limited(&target, "streams_max: 3");
    runtime().block_on(async {
        let mut client = Connection::open(Protocol::Http2, proxy.address(), "app.test").await;
        // The proxy's settings are known once it has answered.
        target.script(|_| Reply::text("ok"));
        assert_eq!(client.get("/").await.status, 200);
        target.script(|_| Reply::BytesThenHang(Vec::new()));
        let mut pending = Vec::new();
        for _ in 0..6 {
            let request = client.request("GET", "/hang").body(connection::empty()).expect("a request");
            pending.push(client.start(request).await.expect("sent"));
        }
        target.wait_for(4);
        tokio::time::timeout(std::time::Duration::from_millis(200), std::future::pending::<()>()).await.ok();
        assert_eq!(target.count(), 4, "three at a time");
        // A stream that ends makes room for the next.
        pending.remove(0).abandon();
        target.wait_for(5);
    });
}

#[test]
fn d_a_body_that_stands_still_is_cut() {
    let target = target::echo();
    let proxy = Setup::open(&[target.address()]).target_group("    response_timeout: 300ms").start();
    let mut client = Raw::connect(proxy.address(), "app.test");
    client.send("POST / HTTP/1.1\r\nhost: app.test\r\naccept: application/json\r\ncontent-length: 100\r\n\r\nhalf");
    let answer = client.read_to_end();
    assert_eq!(raw::status(&answer), 408, "{answer}");
    assert!(answer.contains("request.body_timeout"), "{answer}");
    assert_eq!(target.count(), 0, "never whole");
    let records = proxy.access_log(1);
    assert_eq!((records.len(), &records[0]["reason"]), (1, &"request.body_timeout".into()));
}

#[test]
fn d_a_response_body_that_stands_still_is_cut() {
    let target = Server::start(|_| Reply::BytesThenHang(b"HTTP/1.1 200 OK\r\ncontent-length: 10\r\n\r\nhalf".to_vec()));
    let proxy = Setup::open(&[target.address()]).target_group("    response_timeout: 300ms").start();
    on_both(|protocol| {
        let error = proxy.browser(protocol).try_send("GET", "https://app.test/", &[], b"").expect_err("cut");
        assert!(!error.contains("in time"), "{error}");
    });
    assert_eq!(proxy.access_log(2)[1]["reason"], "upstream.body_timeout");
}

#[test]
fn d_rapid_resets_end_the_connection_and_not_the_proxy() {
    // CVE-2023-44487.
    let target = Server::start(|_| Reply::BytesThenHang(Vec::new()));
    let proxy = limited(&target, "streams_max: 100");
    runtime().block_on(async {
        let mut client = Connection::open(Protocol::Http2, proxy.address(), "app.test").await;
        for _ in 0..2000 {
            let request = client.request("GET", "/hang").body(connection::empty()).expect("a request");
            match client.start(request).await {
                Ok(pending) => pending.abandon(),
                Err(_) => break,
            }
        }
    });
    target.script(target::echoed);
    on_both(|protocol| assert_eq!(proxy.browser(protocol).get("https://app.test/").status, 200));
}

#[test]
fn d_one_address_does_not_take_all_connections() {
    let target = target::echo();
    let proxy = limited(&target, "connections_per_address_max: 2");
    let refused = || proxy.metric("vestibule_connections_refused_total{listener=\"public\"}");
    let mut clients = [Raw::connect(proxy.address(), "app.test"), Raw::connect(proxy.address(), "app.test")];
    let ask = |client: &mut Raw| {
        client.send("GET / HTTP/1.1\r\nhost: app.test\r\n\r\n");
        assert_eq!(raw::status(&client.read_response().0), 200);
    };
    // Both have their place before the third comes, whichever worker is the fastest.
    clients.iter_mut().for_each(ask);
    let mut third = TcpStream::connect(proxy.address()).expect("the kernel accepts");
    third.set_read_timeout(Some(DEADLINE)).expect("a timeout");
    assert_eq!(third.read(&mut [0]).unwrap_or(0), 0, "closed at once");
    wait_until("it is counted", || (refused() == 1).then_some(()));
    clients.iter_mut().for_each(ask);
    // The place of one that has ended is free again.
    drop(clients);
    let open = || proxy.metric("vestibule_connections_open{listener=\"public\"}");
    wait_until("they have ended", || (open() == 0).then_some(()));
    assert_eq!(proxy.browser(Protocol::Http2).get("https://app.test/").status, 200);
}

#[test]
fn d_a_trusted_proxy_has_as_many_connections_as_its_clients_need() {
    let target = target::echo();
    let listener = "    trusted_proxies: ['127.0.0.0/8']\n    limits: { connections_per_address_max: 1 }";
    let proxy = Setup::open(&[target.address()]).listener(listener).start();
    let mut clients: Vec<Raw> = (0..5).map(|_| Raw::connect(proxy.address(), "app.test")).collect();
    for client in &mut clients {
        client.send("GET / HTTP/1.1\r\nhost: app.test\r\n\r\n");
        assert_eq!(raw::status(&client.read_response().0), 200);
    }
}

#[test]
fn d_one_address_has_a_bounded_number_of_logins_under_way() {
    let (provider, target) = (Provider::start(), target::echo());
    let listener = "    trusted_proxies: ['127.0.0.0/8']\n    limits: { logins_per_address_max: 4 }";
    let proxy = Setup::new(&provider, &target).listener(listener).start();
    let begin = |protocol, address: &str| {
        proxy.browser(protocol).send("GET", "https://app.test/", &[("x-forwarded-for", address)], b"")
    };
    on_both(|protocol| {
        let address = if protocol == Protocol::Http1 { "192.0.2.1" } else { "192.0.2.2" };
        for _ in 0..4 {
            assert_eq!(begin(protocol, address).status, 302);
        }
        let refused = begin(protocol, address);
        assert_eq!((refused.status, refused.reason().as_deref()), (429, Some("auth.too_many_logins")));
        assert_eq!(begin(protocol, "192.0.2.3").status, 302, "others are not concerned");
    });
    assert_eq!(proxy.metric("vestibule_refusals_total{listener=\"public\",reason=\"auth.too_many_logins\"}"), 2);
    // Logins that end give their place back, and so does time.
    for _ in 0..10 {
        assert_eq!(provider.sign_in(&mut proxy.browser(Protocol::Http1), "https://app.test/").status, 200);
    }
    proxy.clock.advance(std::time::Duration::from_secs(16 * 60));
    assert_eq!(begin(Protocol::Http1, "192.0.2.1").status, 302);
}
