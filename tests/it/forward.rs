//! Forwarding: requests stream to targets and answers stream back; what a target does wrong has a status and a reason.

use std::net::SocketAddr;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue};
use hyper::body::Frame;
use serde_json::Value;

use crate::harness::app::{Proxy, Setup, wait_until};
use crate::harness::browser::{Protocol, on_both};
use crate::harness::connection::{self, Connection};
use crate::harness::provider::Provider;
use crate::harness::raw::{self, Raw};
use crate::harness::server::{Reply, Server};
use crate::harness::wire::{Slammer, Wire};
use crate::harness::{runtime, target};

fn before(target: &Server) -> Proxy {
    Setup::open(&[target.address()]).start()
}

/// Bytes that differ everywhere, so that what is lost or swapped shows.
fn pattern(size: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let next = || {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        state.to_be_bytes()[0]
    };
    std::iter::repeat_with(next).take(size).collect()
}

/// Where nobody listens.
fn nowhere() -> SocketAddr {
    let socket = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    socket.local_addr().expect("bound")
}

// Bodies and framing.

#[test]
fn a_response_reaches_the_client_while_the_target_still_writes_it() {
    let wire = Wire::listen();
    let proxy = Setup::open(&[wire.address()]).start();
    on_both(|protocol| {
        runtime().block_on(async {
            let mut client = Connection::open(protocol, proxy.address(), "app.test").await;
            let request = client.request("GET", "/stream").body(connection::empty()).expect("a request");
            let pending = client.start(request).await.expect("sent");
            let mut target = wire.accept();
            target.read_head();
            target.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
            let mut response = pending.head().await.expect("the head, before there is a body");
            for piece in ["first", "again"] {
                target.send(format!("5\r\n{piece}\r\n"));
                assert_eq!(connection::chunk(&mut response).await, piece, "{protocol:?}");
            }
            target.send("0\r\n\r\n");
            assert_eq!(connection::whole(response).await.0.body, b"");
        });
    });
}

#[test]
fn a_request_reaches_the_target_while_the_client_still_writes_it() {
    let wire = Wire::listen();
    let proxy = Setup::open(&[wire.address()]).start();
    on_both(|protocol| {
        runtime().block_on(async {
            let mut client = Connection::open(protocol, proxy.address(), "app.test").await;
            let (upload, body) = connection::streamed();
            let request = client.request("POST", "/upload").body(body).expect("a request");
            let pending = client.start(request).await.expect("sent");
            let mut target = wire.accept();
            assert!(target.read_head().contains("transfer-encoding: chunked"));
            for piece in ["first", "again"] {
                upload.send(Frame::data(Bytes::from(piece))).expect("the proxy reads");
                assert_eq!(target.read_until("\r\n"), "5\r\n");
                assert_eq!(target.read_until("\r\n"), format!("{piece}\r\n"));
            }
            drop(upload);
            assert_eq!(target.read_until("0\r\n\r\n"), "0\r\n\r\n");
            target.send("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
            let response = pending.head().await.expect("an answer");
            assert_eq!(connection::whole(response).await.0.text(), "ok");
        });
    });
}

#[test]
fn large_bodies_arrive_whole_in_both_directions() {
    let body = pattern(8 << 20);
    let target = Server::start(|request| Reply::new("200 OK", &[], &request.body));
    let proxy = before(&target);
    on_both(|protocol| {
        let answer = proxy.browser(protocol).send("PUT", "https://app.test/large", &[], &body);
        assert_eq!(answer.status, 200);
        assert!(target.last().body == body, "{protocol:?}: the request is whole");
        assert!(answer.body == body, "{protocol:?}: the response is whole");
    });
}

#[test]
fn trailers_pass_in_both_directions() {
    let target = Server::start(|_| {
        let response = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x-digest\r\n\r\n\
                        2\r\nok\r\n0\r\nx-digest: of-the-response\r\n\r\n";
        Reply::Bytes(response.into())
    });
    let proxy = before(&target);
    on_both(|protocol| {
        runtime().block_on(async {
            let mut client = Connection::open(protocol, proxy.address(), "app.test").await;
            let (upload, body) = connection::streamed();
            let mut trailers = HeaderMap::new();
            trailers.insert("x-digest", HeaderValue::from_static("of-the-request"));
            trailers.insert("x-amzn-oidc-identity", HeaderValue::from_static("mallory"));
            upload.send(Frame::data(Bytes::from("body"))).expect("open");
            upload.send(Frame::trailers(trailers)).expect("open");
            drop(upload);
            let request = client.request("POST", "/").header("te", "trailers");
            let request = request.header("trailer", "x-digest, x-amzn-oidc-identity").body(body).expect("a request");
            let (answer, trailers) = connection::whole(client.send(request).await.expect("an answer")).await;
            assert_eq!(answer.text(), "ok");
            assert_eq!(target.last().body, b"body");
            assert_eq!(target.last().trailers, [("x-digest".to_owned(), "of-the-request".to_owned())], "{protocol:?}");
            assert_eq!(
                trailers.get("x-digest").map(HeaderValue::as_bytes),
                Some(&b"of-the-response"[..]),
                "{protocol:?}"
            );
        });
    });
}

#[test]
fn answers_that_have_no_body_end_with_their_head() {
    let target = Server::start(|request| match request.target() {
        "/head" => Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 1234\r\n\r\n".to_vec()),
        "/none" => Reply::Bytes(b"HTTP/1.1 204 No Content\r\n\r\n".to_vec()),
        "/same" => Reply::Bytes(b"HTTP/1.1 304 Not Modified\r\netag: \"1\"\r\ncontent-length: 1234\r\n\r\n".to_vec()),
        _ => Reply::new("200 OK", &[], ""),
    });
    let proxy = before(&target);
    on_both(|protocol| {
        runtime().block_on(async {
            let mut client = Connection::open(protocol, proxy.address(), "app.test").await;
            for (method, path, status) in
                [("HEAD", "/head", 200), ("GET", "/none", 204), ("GET", "/same", 304), ("GET", "/empty", 200)]
            {
                let request = client.request(method, path).body(connection::empty()).expect("a request");
                let (answer, _) = connection::whole(client.send(request).await.expect("an answer")).await;
                assert_eq!((answer.status, answer.body.len()), (status, 0), "{protocol:?} {path}");
                if path == "/head" {
                    assert_eq!(answer.header("content-length"), Some("1234"), "{protocol:?}");
                }
            }
        });
        let connections: Vec<_> = target.received().iter().rev().take(4).map(|request| request.connection).collect();
        assert_eq!(connections, [connections[0]; 4], "one connection was enough");
    });
}

#[test]
fn a_204_has_no_length_whatever_the_target_says() {
    let target = Server::start(|request| match request.target() {
        "/none" => Reply::Bytes(b"HTTP/1.1 204 No Content\r\ncontent-length: 60\r\n\r\n".to_vec()),
        _ => Reply::text("ok"),
    });
    let proxy = before(&target);
    on_both(|protocol| {
        runtime().block_on(async {
            let mut client = Connection::open(protocol, proxy.address(), "app.test").await;
            let answer = client.get("/none").await;
            assert_eq!((answer.status, answer.header("content-length"), answer.body.len()), (204, None, 0));
            assert_eq!(client.get("/next").await.text(), "ok", "{protocol:?}: the connection is in step");
        });
    });
}

#[test]
fn a_body_that_the_client_breaks_off_is_not_whole_for_the_target_either() {
    let wire = Wire::listen();
    let proxy = Setup::open(&[wire.address()]).start();
    let framings = [("content-length: 100", "half"), ("transfer-encoding: chunked", "4\r\nhalf\r\n")];
    for (index, (framing, body)) in framings.into_iter().enumerate() {
        let mut client = Raw::connect(proxy.address(), "app.test");
        client.send(format!("POST /{index} HTTP/1.1\r\nhost: app.test\r\n{framing}\r\n\r\n{body}"));
        let mut target = wire.accept();
        target.read_head();
        target.read_until("half");
        drop(client);
        let rest = target.rest();
        assert!(!rest.contains("0\r\n\r\n") && !rest.contains("\r\n0\r\n"), "cut, not ended: {rest:?}");
        let records = proxy.access_log(index + 1);
        assert_eq!(
            (&records[index]["reason"], &records[index]["http.response.status_code"]),
            (&"client.closed".into(), &460.into())
        );
    }
}

#[test]
fn a_response_that_the_target_breaks_off_is_not_whole_for_the_client_either() {
    let wire = Wire::listen();
    let proxy = Setup::open(&[wire.address()]).start();
    let framings = [("content-length: 100", "half"), ("transfer-encoding: chunked", "4\r\nhalf\r\n")];
    let mut count = 0;
    for protocol in [Protocol::Http1, Protocol::Http2] {
        for (framing, body) in framings {
            runtime().block_on(async {
                let mut client = Connection::open(protocol, proxy.address(), "app.test").await;
                let request = client.request("GET", "/").body(connection::empty()).expect("a request");
                let pending = client.start(request).await.expect("sent");
                let mut target = wire.accept();
                target.read_head();
                target.send(format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n{body}"));
                let mut response = pending.head().await.expect("a head");
                assert_eq!(connection::chunk(&mut response).await, "half");
                target.close();
                assert!(connection::try_whole(response).await.is_err(), "{protocol:?} {framing}: cut");
            });
            count += 1;
            let records = proxy.access_log(count);
            assert_eq!(records[count - 1]["reason"], "upstream.reset", "{protocol:?} {framing}");
        }
    }
}

#[test]
fn a_target_may_answer_before_it_has_the_whole_request() {
    let wire = Wire::listen();
    let proxy = Setup::open(&[wire.address()]).start();
    on_both(|protocol| {
        runtime().block_on(async {
            let mut client = Connection::open(protocol, proxy.address(), "app.test").await;
            let (upload, body) = connection::streamed();
            let request = client.request("POST", "/upload").body(body).expect("a request");
            let pending = client.start(request).await.expect("sent");
            upload.send(Frame::data(Bytes::from("first"))).expect("the proxy reads");
            let mut target = wire.accept();
            target.read_until("first\r\n");
            target.send("HTTP/1.1 413 Content Too Large\r\ncontent-length: 3\r\nconnection: close\r\n\r\nbig");
            let response = pending.head().await.expect("an answer while the upload goes on");
            let (answer, _) = connection::whole(response).await;
            assert_eq!((answer.status, answer.text()), (413, "big"), "{protocol:?}");
            drop(upload);
        });
    });
}

// `Expect: 100-continue` (RFC 9110 §10.1.1).

#[test]
fn no_100_before_the_gate_has_let_the_request_pass() {
    let (provider, target) = (Provider::start(), target::echo());
    let proxy = Setup::new(&provider, &target).start();
    let ask = |cookie: &str, more: &str| {
        format!(
            "POST /upload HTTP/1.1\r\nhost: app.test\r\nexpect: 100-continue\r\ncontent-length: 4\r\n{cookie}{more}\r\n"
        )
    };
    // A form has a body that a sign-in would lose: the browser is shown a page that says so.
    for (more, status) in [("", 401), ("accept: text/html\r\nsec-fetch-mode: navigate\r\n", 401)] {
        let mut client = Raw::connect(proxy.address(), "app.test");
        client.send(ask("", more));
        assert_eq!(raw::status(&client.read_response().0), status);
        assert_eq!(target.count(), 0);
    }
    let browser = proxy.signed_in(Protocol::Http1, &provider);
    let count = target.count();
    let mut client = Raw::connect(proxy.address(), "app.test");
    client.send(ask(&format!("cookie: {}\r\n", browser.cookie_header("app.test")), ""));
    assert_eq!(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("body");
    assert_eq!(raw::status(&client.read_response().0), 200);
    assert_eq!(target.wait_for(count + 1)[count].body, b"body");
}

#[test]
fn what_else_a_client_expects_is_refused() {
    let target = target::echo();
    let proxy = before(&target);
    on_both(|protocol| {
        let answer = proxy.browser(protocol).send("POST", "https://app.test/", &[("expect", "200-ok")], b"x");
        assert_eq!((answer.status, answer.reason().as_deref()), (417, Some("request.expectation")));
        let headers = [("expect", "100-continue"), ("expect", "foo")];
        let answer = proxy.browser(protocol).send("POST", "https://app.test/", &headers, b"x");
        assert_eq!((answer.status, answer.reason().as_deref()), (417, Some("request.expectation")), "the second");
    });
    assert_eq!(target.count(), 0);
}

// Targets: turns, connections, retries.

#[test]
fn requests_take_turns_over_the_targets() {
    let targets = [target::echo(), target::echo(), target::echo()];
    let proxy = Setup::open(&targets.each_ref().map(Server::address)).start();
    on_both(|protocol| {
        let before = targets.each_ref().map(Server::count);
        runtime().block_on(async {
            let mut client = Connection::open(protocol, proxy.address(), "app.test").await;
            for _ in 0..6 {
                assert_eq!(client.get("/").await.status, 200);
            }
        });
        let after = targets.each_ref().map(Server::count);
        assert_eq!(std::array::from_fn(|index| after[index] - before[index]), [2, 2, 2], "{protocol:?}");
    });
}

#[test]
fn connections_to_a_target_are_used_again() {
    let target = target::echo();
    let proxy = before(&target);
    runtime().block_on(async {
        let mut client = Connection::open(Protocol::Http1, proxy.address(), "app.test").await;
        for turn in 0..5 {
            let answer = client.get("/").await.json();
            assert_eq!((&answer["connection"], &answer["turn"]), (&Value::from(0), &Value::from(turn)));
        }
    });
    assert_eq!(proxy.metric("vestibule_upstream_connections_total{target_group=\"app\"}"), 1);
}

#[test]
fn an_idle_connection_that_the_target_closed_is_not_noticed_by_the_client() {
    let target = target::echo();
    let proxy = before(&target);
    runtime().block_on(async {
        let mut client = Connection::open(Protocol::Http1, proxy.address(), "app.test").await;
        for _ in 0..5 {
            assert_eq!(client.get("/").await.status, 200);
            target.close_connections();
            assert_eq!(client.get("/").await.status, 200);
        }
    });
    assert_eq!(target.count(), 10);
}

#[test]
fn a_get_is_sent_again_once_when_its_idle_connection_breaks() {
    let target = Server::start(|request| if request.turn == 0 { Reply::text("ok") } else { Reply::Reset });
    let proxy = before(&target);
    runtime().block_on(async {
        let mut client = Connection::open(Protocol::Http1, proxy.address(), "app.test").await;
        assert_eq!(client.get("/first").await.text(), "ok");
        assert_eq!(client.get("/second").await.text(), "ok");
    });
    let lines: Vec<_> = target.received().iter().map(|request| request.target().to_owned()).collect();
    assert_eq!(lines, ["/first", "/second", "/second"]);
    assert_eq!(proxy.metric("vestibule_upstream_retries_total{target_group=\"app\"}"), 1);
}

#[test]
fn a_post_that_a_target_has_seen_is_not_sent_again() {
    let target = Server::start(|request| if request.turn == 0 { Reply::text("ok") } else { Reply::Reset });
    let proxy = before(&target);
    runtime().block_on(async {
        let mut client = Connection::open(Protocol::Http1, proxy.address(), "app.test").await;
        assert_eq!(client.get("/first").await.text(), "ok");
        for body in ["", "order"] {
            let count = target.count();
            // The last connection broke; the next is new, and its second request breaks again.
            let request = client.request("POST", "/order").body(connection::full(body)).expect("a request");
            let (answer, _) = connection::whole(client.send(request).await.expect("an answer")).await;
            assert_eq!((answer.status, answer.reason().as_deref()), (502, Some("upstream.reset")), "{body:?}");
            assert_eq!(target.count(), count + 1);
            assert_eq!(client.get("/next").await.text(), "ok");
        }
    });
}

#[test]
fn one_request_does_not_break_every_idle_connection() {
    // Four requests at once leave four idle connections behind; the one that kills its connection may kill two.
    let together = std::sync::Barrier::new(4);
    let target = Server::start(move |request| match request.target() {
        "/poison" => Reply::Reset,
        _ => {
            // None is answered before all four are there, each on a connection of its own.
            together.wait();
            Reply::text("ok")
        }
    });
    let proxy = Setup::open(&[target.address()]).start();
    runtime().block_on(async {
        let mut client = Connection::open(Protocol::Http2, proxy.address(), "app.test").await;
        let mut pending = Vec::new();
        for _ in 0..4 {
            let request = client.request("GET", "/").body(connection::empty()).expect("a request");
            pending.push(client.start(request).await.expect("sent"));
        }
        for pending in pending {
            connection::whole(pending.head().await.expect("an answer")).await;
        }
        assert_eq!(target.connections(), 4);
        let answer = client.get("/poison").await;
        assert_eq!((answer.status, answer.reason().as_deref()), (502, Some("upstream.reset")));
    });
    let poisoned = target.received().iter().filter(|request| request.target() == "/poison").count();
    assert!(poisoned <= 2, "sent {poisoned} times");
}

#[test]
fn a_target_that_refuses_is_passed_over_for_a_while_and_then_tried_again() {
    let well = target::echo();
    let gone = nowhere();
    let retries = "vestibule_upstream_retries_total{target_group=\"app\"}";
    let proxy = Setup::open(&[well.address(), gone]).target_group("    skip_for: 1h").start();
    runtime().block_on(async {
        let mut client = Connection::open(Protocol::Http1, proxy.address(), "app.test").await;
        for _ in 0..6 {
            assert_eq!(client.get("/").await.status, 200, "the other target answers");
        }
        assert_eq!(proxy.metric(retries), 1, "it was asked once");
    });
    let proxy = Setup::open(&[well.address(), gone]).target_group("    skip_for: 50ms").start();
    runtime().block_on(async {
        let mut client = Connection::open(Protocol::Http1, proxy.address(), "app.test").await;
        let mut get_until = |done: &dyn Fn() -> bool| {
            wait_until("it is asked", || {
                let answer = tokio::task::block_in_place(|| runtime().block_on(client.get("/")));
                assert_eq!(answer.status, 200);
                done().then_some(())
            });
        };
        get_until(&|| proxy.metric(retries) == 2);
        let back = Server::start_at(gone, target::echoed);
        get_until(&|| back.count() > 1);
    });
}

#[test]
fn a_target_that_closes_what_it_accepts_loses_no_request_that_it_did_not_get() {
    let (well, slammer) = (target::echo(), Slammer::start());
    let proxy = Setup::open(&[well.address(), slammer.address()]).target_group("    skip_for: 1ms").start();
    runtime().block_on(async {
        let mut client = Connection::open(Protocol::Http2, proxy.address(), "app.test").await;
        for turn in 0..100 {
            // Two of each: targets take turns, and each is to have both.
            let (method, body) = if turn % 4 < 2 { ("GET", "") } else { ("POST", "order") };
            let request = client.request(method, "/").body(connection::full(body)).expect("a request");
            let (served, got) = (well.count(), slammer.got());
            let (answer, _) = connection::whole(client.send(request).await.expect("an answer")).await;
            if answer.status == 200 {
                assert_eq!(well.count(), served + 1, "{method}: sent once");
            } else {
                // The close and the request crossed: it cannot be known what the target has done.
                assert_eq!((answer.status, well.count()), (502, served), "{method}");
                wait_until("the target that closed got it", || (slammer.got() > got).then_some(()));
            }
        }
    });
    assert!(slammer.connections() > 1, "it is tried again");
}

// What a target does wrong.

#[track_caller]
fn fails(proxy: &Proxy, protocol: Protocol, status: u16, reason: &str) {
    let answer = proxy.browser(protocol).get("https://app.test/");
    assert_eq!((answer.status, answer.reason().as_deref()), (status, Some(reason)), "{protocol:?} {:?}", answer.text());
}

#[test]
fn a_request_that_no_other_target_was_offered_was_not_sent_again() {
    for targets in [&[nowhere()][..], &[nowhere(), nowhere()]] {
        let proxy = Setup::open(targets).start();
        fails(&proxy, Protocol::Http1, 502, "upstream.unreachable");
        let retries = proxy.metric("vestibule_upstream_retries_total{target_group=\"app\"}");
        assert_eq!(retries, targets.len() as u64 - 1, "of {} offers one is the first", targets.len());
    }
}

#[test]
fn a_request_whose_body_stands_still_is_counted_alike_whatever_its_method() {
    let target = target::echo();
    let errors = ["GET", "POST"].map(|method| {
        let proxy = Setup::open(&[target.address()]).target_group("    response_timeout: 300ms").start();
        let mut client = Raw::connect(proxy.address(), "app.test");
        client.send(format!("{method} / HTTP/1.1\r\nhost: app.test\r\ntransfer-encoding: chunked\r\n\r\n"));
        assert_eq!(raw::status(&client.read_to_end()), 408, "{method}");
        proxy.metric("vestibule_upstream_errors_total{target_group=\"app\"}")
    });
    assert_eq!(errors[0], errors[1]);
}

#[test]
fn every_target_down_is_502() {
    let proxy = Setup::open(&[nowhere(), nowhere()]).start();
    on_both(|protocol| fails(&proxy, protocol, 502, "upstream.unreachable"));
}

#[test]
fn no_target_at_all_is_503() {
    let proxy = Setup::open(&[]).start();
    on_both(|protocol| {
        fails(&proxy, protocol, 503, "upstream.no_target");
        let answer = proxy.browser(protocol).get("https://app.test/");
        assert!(answer.header("retry-after").is_some());
    });
}

#[test]
fn a_target_that_does_not_answer_in_time_is_504() {
    let target = Server::start(|_| Reply::BytesThenHang(Vec::new()));
    let proxy = Setup::open(&[target.address()]).target_group("    response_timeout: 300ms").start();
    on_both(|protocol| fails(&proxy, protocol, 504, "upstream.timeout"));
    assert_eq!(target.count(), 2, "it is not asked again");
}

#[test]
fn what_a_target_says_instead_of_an_answer_has_a_reason() {
    let huge = format!("HTTP/1.1 200 OK\r\nx-huge: {}\r\ncontent-length: 0\r\n\r\n", "a".repeat(200 << 10));
    let many = format!("HTTP/1.1 200 OK\r\n{}content-length: 0\r\n\r\n", "x-many: 1\r\n".repeat(5000));
    let cases: &[(&str, &str)] = &[
        ("", "upstream.reset"),
        ("HTTP/1.1 200 OK\r\ncontent-len", "upstream.reset"),
        ("SSH-2.0-OpenSSH_9.6\r\n", "upstream.malformed"),
        ("HTTP/1.1 abc OK\r\n\r\n", "upstream.malformed"),
        ("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", "upstream.malformed"),
        ("HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab", "upstream.malformed"),
        ("HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n", "upstream.malformed"),
        (&huge, "upstream.malformed"),
        (&many, "upstream.malformed"),
        ("HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n", "upstream.malformed"),
    ];
    for (bytes, reason) in cases {
        let bytes = bytes.as_bytes().to_vec();
        let target = Server::start(move |_| Reply::BytesThenClose(bytes.clone()));
        let proxy = before(&target);
        on_both(|protocol| fails(&proxy, protocol, 502, reason));
        assert_eq!(target.count(), 2, "{reason}: it is not asked again");
    }
    let target = Server::start(|_| Reply::Reset);
    let proxy = before(&target);
    on_both(|protocol| fails(&proxy, protocol, 502, "upstream.reset"));
}

#[test]
fn grpc_is_not_for_targets_that_speak_http_1() {
    let target = target::echo();
    let proxy = before(&target);
    on_both(|protocol| {
        let mut browser = proxy.browser(protocol);
        for kind in ["application/grpc", "application/grpc+proto"] {
            let answer = browser.send("POST", "https://app.test/a.B/C", &[("content-type", kind)], b"x");
            if protocol == Protocol::Http1 {
                assert_eq!((answer.status, answer.reason().as_deref()), (464, Some("upstream.protocol_mismatch")));
            } else {
                let message = answer.header("grpc-message").expect("a message");
                assert_eq!((answer.status, answer.header("grpc-status")), (200, Some("12")));
                assert!(message.starts_with("upstream.protocol_mismatch: "), "{message}");
            }
        }
    });
    assert_eq!(target.count(), 0);
}

// Headers.

#[test]
fn the_target_gets_the_host_without_a_default_port_unless_it_is_preserved() {
    let target = target::echo();
    for (keys, table) in [
        ("", [("app.test:443", "app.test"), ("app.test:8443", "app.test:8443"), ("APP.test", "app.test")]),
        (
            ", preserve_host_header: true",
            [("app.test:443", "app.test:443"), ("app.test:8443", "app.test:8443"), ("app.test", "app.test")],
        ),
    ] {
        let proxy = Setup::open(&[target.address()])
            .default_actions(&format!(" [{{ type: forward, target_group: app{keys} }}]"))
            .start();
        for (sent, expected) in table {
            raw::exchange(
                proxy.address(),
                "app.test",
                format!("GET / HTTP/1.1\r\nhost: {sent}\r\nconnection: close\r\n\r\n"),
            );
            assert_eq!(target.last().header("host"), Some(expected), "{sent} {keys}");
        }
    }
}

#[test]
fn headers_of_one_connection_do_not_reach_the_client() {
    let target = Server::start(|_| {
        let headers = [
            ("connection", "x-private, keep-alive"),
            ("x-private", "of the hop"),
            ("keep-alive", "timeout=5"),
            ("proxy-authenticate", "Basic"),
            ("x-public", "of the answer"),
            ("set-cookie", "a=1"),
            ("set-cookie", "b=2"),
        ];
        Reply::new("200 OK", &headers, "ok")
    });
    let proxy = before(&target);
    on_both(|protocol| {
        let answer = proxy.browser(protocol).get("https://app.test/");
        for name in ["keep-alive", "proxy-authenticate", "upgrade", "transfer-encoding"] {
            assert_eq!(answer.header(name), None, "{protocol:?} {name}");
        }
        assert_eq!(answer.header("x-public"), Some("of the answer"));
        assert_eq!(answer.set_cookies(), ["a=1", "b=2"]);
    });
}

// Targets behind TLS.

#[test]
fn a_target_behind_tls_is_verified() {
    let trusted = crate::harness::tls_target::start(crate::harness::tls_target::Kind::Trusted);
    let stranger = crate::harness::tls_target::start(crate::harness::tls_target::Kind::Stranger);
    let group = |keys: &str| format!("    protocol: https\n{keys}");
    on_both(|protocol| {
        let proxy = Setup::open(&[trusted]).target_group(&group("    ca_file: ca.pem")).start();
        let answer = proxy.browser(protocol).get("https://app.test/");
        assert_eq!((answer.status, answer.text()), (200, "over TLS"));
        let proxy = Setup::open(&[stranger]).target_group(&group("    ca_file: ca.pem")).start();
        fails(&proxy, protocol, 502, "upstream.tls");
        let proxy = Setup::open(&[stranger]).target_group(&group("    verify: false")).start();
        assert_eq!(proxy.browser(protocol).get("https://app.test/").status, 200);
    });
    let plain = Wire::listen();
    let proxy = Setup::open(&[plain.address()]).target_group(&group("    ca_file: ca.pem")).start();
    std::thread::scope(|scope| {
        scope.spawn(|| plain.accept().send("HTTP/1.1 400 Bad Request\r\ncontent-length: 0\r\n\r\n"));
        fails(&proxy, Protocol::Http2, 502, "upstream.tls");
    });
    // An address that the certificate is not for.
    let proxy = Setup::with_issuer("http://127.0.0.1:1", &[format!("127.0.0.2:{}", trusted.port())])
        .default_actions(crate::harness::app::FORWARD)
        .target_group(&group("    ca_file: ca.pem"))
        .start();
    fails(&proxy, Protocol::Http1, 502, "upstream.tls");
}

#[test]
fn a_target_is_told_who_we_are_and_its_name_can_be_another_than_its_address() {
    let asks = crate::harness::tls_target::start(crate::harness::tls_target::Kind::AsksForCertificate);
    let group = |keys: &str| format!("    protocol: https\n    ca_file: ca.pem\n{keys}");
    let ours = "    client_certificate_file: cert.pem\n    client_key_file: key.pem";
    let at = |host: &str| {
        let target = format!("{host}:{}", asks.port());
        Setup::with_issuer("http://127.0.0.1:1", &[target]).default_actions(crate::harness::app::FORWARD)
    };
    let proxy = at("127.0.0.1").target_group(&group(ours)).start();
    assert_eq!(proxy.browser(Protocol::Http2).get("https://app.test/").text(), "over TLS");
    // TLS 1.3 lets a client finish before the server looks at its certificate.
    let proxy = at("127.0.0.1").target_group(&group("")).start();
    assert_eq!(proxy.browser(Protocol::Http1).get("https://app.test/").status, 502);
    // The certificate is not for this address, but for the name.
    let proxy = at("127.0.0.2").target_group(&group(&format!("{ours}\n    server_name: app.test"))).start();
    assert_eq!(proxy.browser(Protocol::Http2).get("https://app.test/").text(), "over TLS");
    let proxy = at("127.0.0.1").target_group(&group(&format!("{ours}\n    server_name: else.test"))).start();
    fails(&proxy, Protocol::Http1, 502, "upstream.tls");
}

// Which target gets a request.

#[test]
fn targets_are_names_and_sockets_too_and_get_what_their_weights_say() {
    let by_name = target::echo();
    let path = std::env::temp_dir().join(format!("vestibule-it-{}.sock", by_name.address().port()));
    let socket = std::os::unix::net::UnixListener::bind(&path).expect("a socket");
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = socket.accept() {
            let mut request = Vec::new();
            let mut byte = [0];
            while !request.ends_with(b"\r\n\r\n")
                && std::io::Read::read(&mut stream, &mut byte).is_ok_and(|read| read > 0)
            {
                request.push(byte[0]);
            }
            let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\nconnection: close\r\n\r\nsocket";
            let _ = std::io::Write::write_all(&mut stream, answer);
        }
    });
    let yaml = Setup::open(&[]).yaml().replace(
        "targets: []",
        &format!(
            "targets: [localhost:{}, {{ address: 'unix:{}', weight: 3 }}]",
            by_name.address().port(),
            path.display()
        ),
    );
    let proxy = Proxy::start(&yaml.replace("workers: 2", "workers: 1"));
    let mut browser = proxy.browser(Protocol::Http2);
    let mut from_socket = 0;
    for _ in 0..40 {
        let answer = browser.get("https://app.test/");
        assert_eq!(answer.status, 200);
        from_socket += usize::from(answer.text() == "socket");
    }
    // `localhost` may have an IPv6 address, where nobody listens. Then it is two targets.
    assert!((24..=30).contains(&from_socket), "{from_socket} of 40");
    std::fs::remove_file(&path).expect("it is there");
}

#[test]
fn a_slow_client_holds_the_target_back() {
    // Nobody reads the answer: what the proxy takes off the target is bounded by its buffers and the kernel's.
    let wire = Wire::listen();
    let proxy = Setup::open(&[wire.address()]).start();
    let mut client = Raw::connect(proxy.address(), "app.test");
    client.send("GET / HTTP/1.1\r\nhost: app.test\r\n\r\n");
    let mut target = wire.accept();
    target.read_head();
    target.send("HTTP/1.1 200 OK\r\ncontent-length: 1073741824\r\n\r\n");
    let sent = target.send_until_it_blocks(&[0; 65536], 256 << 20);
    assert!(sent < 256 << 20, "the proxy swallowed {sent} bytes for a client that reads nothing");
    drop(client);
    wait_until("the proxy lets go of the target", || target.is_closed_by_proxy().then_some(()));
}
