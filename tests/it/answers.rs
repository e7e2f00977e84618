//! Answers, byte by byte from a played target, and what becomes of the connection that each came on.

use bytes::Bytes;
use hyper::body::Frame;
use tokio::sync::mpsc::UnboundedSender;

use crate::harness::app::{Proxy, Setup};
use crate::harness::browser::{Protocol, on_both};
use crate::harness::connection::{self, Connection, Pending};
use crate::harness::raw::{self, Raw};
use crate::harness::runtime;
use crate::harness::server::{Reply, Server};
use crate::harness::wire::{End, Wire};

const OK: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";

fn before(wire: &Wire) -> Proxy {
    Setup::open(&[wire.address()]).start()
}

/// Asks by `client`; the target has read the head.
async fn asked(client: &mut Connection, method: &str, wire: &Wire) -> (Pending, End) {
    let request = client.request(method, "/").header("te", "trailers").body(connection::empty()).expect("a request");
    let pending = client.start(request).await.expect("sent");
    let mut target = wire.accept();
    target.read_head();
    (pending, target)
}

/// Begins an upload by `client`, of which the target has read the first piece.
async fn uploading(client: &mut Connection, wire: &Wire) -> (UnboundedSender<Frame<Bytes>>, Pending, End) {
    let (upload, body) = connection::streamed();
    let request = client.request("POST", "/upload").body(body).expect("a request");
    let pending = client.start(request).await.expect("sent");
    upload.send(Frame::data(Bytes::from("first"))).expect("the proxy reads");
    let mut target = wire.accept();
    target.read_until("first\r\n");
    (upload, pending, target)
}

/// Whether the next request of `client` comes on `target` again; it is answered wherever it comes.
async fn is_used_again(client: &mut Connection, target: &mut End, wire: &Wire) -> bool {
    let request = client.request("GET", "/next").body(connection::empty()).expect("a request");
    let pending = client.start(request).await.expect("sent");
    let again = target.has_something();
    let mut other;
    let end = if again {
        target
    } else {
        other = wire.accept();
        &mut other
    };
    assert!(end.read_head().starts_with("GET /next "), "the next request");
    end.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nnext");
    let (answer, _) = connection::whole(pending.head().await.expect("an answer")).await;
    assert_eq!((answer.status, answer.text()), (200, "next"), "nobody gets another's answer");
    again
}

#[test]
fn a_connection_is_used_again_when_its_answer_is_over_and_only_then() {
    for (method, answer, body, again) in [
        ("GET", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", "ok", true),
        ("GET", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\no\r\n1;x=y\r\nk\r\n0\r\n\r\n", "ok", true),
        ("GET", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nx-sum: 1\r\n\r\n", "ok", true),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\n", "", true),
        ("GET", "HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n", "", true),
        ("HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", "", true),
        ("HEAD", "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", "", true),
        ("GET", "HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 2\r\n\r\nok", "ok", true),
        // Interim answers are nobody's.
        (
            "GET",
            "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\nHTTP/1.1 204 x\r\n\r\n",
            "",
            true,
        ),
        // It says that it closes.
        ("GET", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok", "ok", false),
        ("GET", "HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\nok", "ok", false),
        // Something follows that nobody asked for: an answer that is split in two, or a body where there is none.
        (
            "GET",
            "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil",
            "ok",
            false,
        ),
        ("GET", "HTTP/1.1 204 No Content\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil", "", false),
        ("HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil", "", false),
        (
            "GET",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n\r\nevil",
            "ok",
            false,
        ),
    ] {
        let wire = Wire::listen();
        let proxy = before(&wire);
        on_both(|protocol| {
            runtime().block_on(async {
                let mut client = Connection::open(protocol, proxy.address(), "app.test").await;
                let (pending, mut target) = asked(&mut client, method, &wire).await;
                target.send(answer);
                let (got, _) = connection::whole(pending.head().await.expect("an answer")).await;
                assert_eq!(got.text(), body, "{protocol:?} {answer:?}");
                assert_eq!(is_used_again(&mut client, &mut target, &wire).await, again, "{protocol:?} {answer:?}");
                // For the other protocol.
                target.close();
            });
        });
    }
}

#[test]
fn what_a_target_says_between_two_requests_is_not_an_answer() {
    let wire = Wire::listen();
    let proxy = before(&wire);
    runtime().block_on(async {
        let mut client = Connection::open(Protocol::Http1, proxy.address(), "app.test").await;
        let (pending, mut target) = asked(&mut client, "GET", &wire).await;
        target.send(OK);
        connection::whole(pending.head().await.expect("an answer")).await;
        target.send("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil");
        assert!(!is_used_again(&mut client, &mut target, &wire).await);
        assert!(target.is_closed_by_proxy());
    });
}

#[test]
fn an_answer_that_comes_in_drops_is_whole() {
    let wire = Wire::listen();
    let proxy = before(&wire);
    let text = "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nx-one: 1\r\ntransfer-encoding: chunked\r\n\r\n\
                3\r\none\r\n4;x\r\n two\r\n0\r\nx-sum: 7\r\n\r\n";
    on_both(|protocol| {
        runtime().block_on(async {
            let mut client = Connection::open(protocol, proxy.address(), "app.test").await;
            let (pending, mut target) = asked(&mut client, "GET", &wire).await;
            for byte in text.as_bytes() {
                target.send([*byte]);
            }
            let response = pending.head().await.expect("an answer");
            assert_eq!(response.headers()["x-one"], "1");
            let (answer, _) = connection::whole(response).await;
            assert_eq!(answer.text(), "one two", "{protocol:?}");
            assert!(is_used_again(&mut client, &mut target, &wire).await, "{protocol:?}");
            target.close();
        });
    });
}

#[test]
fn an_upload_goes_on_when_its_answer_is_over() {
    let wire = Wire::listen();
    let proxy = before(&wire);
    runtime().block_on(async {
        let mut client = Connection::open(Protocol::Http2, proxy.address(), "app.test").await;
        let (upload, pending, mut target) = uploading(&mut client, &wire).await;
        target.send("HTTP/1.1 202 Accepted\r\ncontent-length: 2\r\n\r\nok");
        let mut response = pending.head().await.expect("an answer while the upload goes on");
        assert_eq!(response.status(), 202);
        assert_eq!(connection::chunk(&mut response).await, "ok");
        for _ in 0..50 {
            upload.send(Frame::data(Bytes::from("more"))).expect("the proxy reads");
            target.read_until("4\r\nmore\r\n");
        }
        drop(upload);
        target.read_until("0\r\n\r\n");
        assert!(!is_used_again(&mut client, &mut target, &wire).await, "who knows what it will say");
    });
}

#[test]
fn an_upload_that_breaks_off_after_its_answer_began_is_not_whole() {
    let wire = Wire::listen();
    let proxy = before(&wire);
    on_both(|protocol| {
        runtime().block_on(async {
            let mut client = Connection::open(protocol, proxy.address(), "app.test").await;
            let (_upload, pending, mut target) = uploading(&mut client, &wire).await;
            target.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n");
            let mut response = pending.head().await.expect("a head");
            assert_eq!(connection::chunk(&mut response).await, "ok");
            client.cut();
            assert_eq!(target.rest(), "", "{protocol:?}: no last chunk");
        });
    });
}

#[test]
fn both_directions_stream_at_once() {
    let wire = Wire::listen();
    let proxy = before(&wire);
    on_both(|protocol| {
        runtime().block_on(async {
            let mut client = Connection::open(protocol, proxy.address(), "app.test").await;
            let (upload, pending, mut target) = uploading(&mut client, &wire).await;
            target.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n");
            let mut response = pending.head().await.expect("a head");
            for turn in 0..20 {
                let text = format!("{turn:05}");
                upload.send(Frame::data(Bytes::from(text.clone()))).expect("the proxy reads");
                target.read_until(&format!("5\r\n{text}\r\n"));
                target.send(format!("5\r\n{text}\r\n"));
                assert_eq!(connection::chunk(&mut response).await, text);
            }
            drop(upload);
            target.read_until("0\r\n\r\n");
            target.send("0\r\n\r\n");
            let (answer, _) = connection::whole(response).await;
            assert_eq!(answer.text(), "", "{protocol:?}: all has been read");
            target.close();
        });
    });
}

#[test]
fn an_answer_that_could_be_read_in_two_ways_is_refused() {
    for answer in [
        "HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1, 1\r\n\r\na",
        "HTTP/1.1 200 OK\r\nx: a\r\n b\r\ncontent-length: 0\r\n\r\n",
    ] {
        let target = Server::start(move |_| Reply::BytesThenClose(answer.as_bytes().to_vec()));
        let proxy = Setup::open(&[target.address()]).start();
        on_both(|protocol| {
            let got = proxy.browser(protocol).get("https://app.test/");
            assert_eq!((got.status, got.reason().as_deref()), (502, Some("upstream.malformed")), "{answer:?}");
        });
    }
}

#[test]
fn chunks_that_are_none_break_the_answer_off() {
    for chunks in ["2\r\nokX", "x\r\n", "2\nok\r\n", "0\r\nno colon\r\n\r\n"] {
        let wire = Wire::listen();
        let proxy = before(&wire);
        on_both(|protocol| {
            runtime().block_on(async {
                let mut client = Connection::open(protocol, proxy.address(), "app.test").await;
                let (pending, mut target) = asked(&mut client, "GET", &wire).await;
                target.send(format!("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1\r\na\r\n{chunks}"));
                let cut = match pending.head().await {
                    Ok(response) => connection::try_whole(response).await.is_err(),
                    Err(_) => true,
                };
                assert!(cut, "{protocol:?} {chunks:?}");
                assert!(target.is_closed_by_proxy());
            });
        });
    }
}

#[test]
fn a_target_that_breaks_off_right_behind_its_head_is_502() {
    for head in ["content-length: 100\r\n", "transfer-encoding: chunked\r\n"] {
        let wire = Wire::listen();
        let proxy = before(&wire);
        on_both(|protocol| {
            runtime().block_on(async {
                let mut client = Connection::open(protocol, proxy.address(), "app.test").await;
                let (pending, mut target) = asked(&mut client, "GET", &wire).await;
                target.send(format!("HTTP/1.1 200 OK\r\n{head}\r\n"));
                target.close();
                let (answer, _) = connection::whole(pending.head().await.expect("an answer")).await;
                assert_eq!((answer.status, answer.reason().as_deref()), (502, Some("upstream.reset")), "{head}");
            });
        });
        assert!(proxy.access_log(2).iter().all(|record| record["reason"] == "upstream.reset"), "{head}");
    }
}

#[test]
fn a_first_chunk_that_is_none_is_502() {
    let wire = Wire::listen();
    let proxy = before(&wire);
    on_both(|protocol| {
        runtime().block_on(async {
            let mut client = Connection::open(protocol, proxy.address(), "app.test").await;
            let (pending, mut target) = asked(&mut client, "GET", &wire).await;
            target.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nno size\r\n");
            let (answer, _) = connection::whole(pending.head().await.expect("an answer")).await;
            assert_eq!((answer.status, answer.reason().as_deref()), (502, Some("upstream.malformed")));
        });
    });
}

/// A browser whose connection is closed without a byte of an answer sends a POST again, and the application has it twice.
#[test]
fn what_came_of_an_answer_that_is_cut_at_once_is_sent_on() {
    let answers = [
        ("content-length: 100", "half", "upstream.reset"),
        ("transfer-encoding: chunked", "4\r\nhalf\r\n", "upstream.reset"),
        ("transfer-encoding: chunked", "4\r\nhalf and no end", "upstream.malformed"),
    ];
    for (framing, body, reason) in answers {
        let wire = Wire::listen();
        let proxy = before(&wire);
        on_both(|protocol| {
            runtime().block_on(async {
                let mut client = Connection::open(protocol, proxy.address(), "app.test").await;
                let (pending, mut target) = asked(&mut client, "POST", &wire).await;
                target.send(format!("HTTP/1.1 200 OK\r\n{framing}\r\n\r\n{body}"));
                target.close();
                let mut response = pending.head().await.expect("a head");
                assert_eq!(connection::chunk(&mut response).await, "half", "{protocol:?} {body:?}");
                assert!(connection::try_whole(response).await.is_err(), "{protocol:?} {body:?}: cut");
            });
        });
        assert!(proxy.access_log(2).iter().all(|record| record["reason"] == reason), "{body:?}");
    }
}

#[test]
fn the_record_says_who_cut_an_answer() {
    for (more, reason) in [("", "upstream.body_timeout"), ("close", "upstream.reset"), ("zz\r\n", "upstream.malformed")]
    {
        let wire = Wire::listen();
        let proxy = Setup::open(&[wire.address()]).target_group("    response_timeout: 300ms").start();
        runtime().block_on(async {
            let mut client = Connection::open(Protocol::Http2, proxy.address(), "app.test").await;
            let (pending, mut target) = asked(&mut client, "GET", &wire).await;
            target.send("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\nhalf\r\n");
            let mut response = pending.head().await.expect("a head");
            assert_eq!(connection::chunk(&mut response).await, "half");
            match more {
                "close" => target.close(),
                more => target.send(more),
            }
            connection::try_whole(response).await.expect_err("it is cut");
        });
        assert_eq!(proxy.access_log(1)[0]["reason"], reason);
    }
}

#[test]
fn an_answer_may_have_as_many_fields_as_the_group_says() {
    let many = |count: usize| {
        let fields: Vec<(String, &str)> = (1..count).map(|number| (format!("x-{number}"), "1")).collect();
        let fields: Vec<(&str, &str)> = fields.iter().map(|(name, value)| (name.as_str(), *value)).collect();
        Reply::new("200 OK", &fields, "ok")
    };
    for (limit, count, status) in [("", 300, 200), ("", 1000, 200), ("", 1001, 502), ("50", 50, 200), ("50", 51, 502)] {
        let target = Server::start(move |_| many(count));
        let mut setup = Setup::open(&[target.address()]);
        if !limit.is_empty() {
            setup.target_group = format!("    response_headers_max: {limit}");
        }
        let proxy = setup.start();
        // hyper's client takes no more than a hundred on HTTP/1.1, and no more than 16 KB on HTTP/2.
        if count < 400 {
            let answer = proxy.browser(Protocol::Http2).send("GET", "https://app.test/", &[], b"");
            assert_eq!(answer.status, status, "{count} of {limit:?}");
        }
        let mut client = Raw::connect(proxy.address(), "app.test");
        client.send("GET / HTTP/1.1\r\nhost: app.test\r\n\r\n");
        assert_eq!(raw::status(&client.read_response().0), status, "{count} of {limit:?}");
    }
}

#[test]
fn a_304_keeps_the_length_that_the_answer_would_have() {
    let target = Server::start(|_| {
        Reply::Bytes(b"HTTP/1.1 304 Not Modified\r\ncontent-length: 1234\r\netag: \"a\"\r\n\r\n".into())
    });
    let proxy = Setup::open(&[target.address()]).start();
    on_both(|protocol| {
        runtime().block_on(async {
            let mut client = Connection::open(protocol, proxy.address(), "app.test").await;
            for _ in 0..2 {
                let answer = client.get("/").await;
                assert_eq!((answer.status, answer.text()), (304, ""), "{protocol:?}");
                assert_eq!(answer.headers["content-length"], "1234", "{protocol:?}");
            }
        });
    });
}

#[test]
fn the_body_of_an_expecting_client_waits_for_the_target() {
    let wire = Wire::listen();
    let proxy = before(&wire);
    let head = "POST / HTTP/1.1\r\nhost: app.test\r\nexpect: 100-continue\r\ncontent-length: 4\r\n\r\n";
    // The target wants the body.
    let mut client = Raw::connect(proxy.address(), "app.test");
    client.send(head);
    let mut target = wire.accept();
    assert!(target.read_head().contains("expect: 100-continue\r\n"));
    target.send("HTTP/1.1 100 Continue\r\n\r\n");
    assert_eq!(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("body");
    target.read_until("body");
    target.send(OK);
    assert_eq!(client.read_response().1, "ok");
    // It does not: the client is told the answer, and never to go on.
    client.send(head);
    target.read_head();
    target.send("HTTP/1.1 413 Content Too Large\r\ncontent-length: 2\r\n\r\nno");
    assert!(client.read_response().0.starts_with("HTTP/1.1 413 "));
    assert!(!target.has_something() || target.is_closed_by_proxy(), "no body, and no other request");
    // It does not know the expectation, and waits for the body.
    let mut client = Raw::connect(proxy.address(), "app.test");
    client.send(head);
    let mut target = wire.accept();
    target.read_head();
    assert_eq!(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    client.send("body");
    target.read_until("body");
    target.send(OK);
    assert_eq!(client.read_response().1, "ok");
}

#[test]
fn after_a_get_with_a_body_both_connections_end() {
    for method in ["GET", "HEAD"] {
        let wire = Wire::listen();
        let proxy = before(&wire);
        let mut client = Raw::connect(proxy.address(), "app.test");
        client.send(format!("{method} / HTTP/1.1\r\nhost: app.test\r\ncontent-length: 4\r\n\r\nbody"));
        let mut target = wire.accept();
        assert!(target.read_head().contains("connection: close\r\n"));
        target.read_until("body");
        target.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
        let head = client.read_to_end();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("connection: close\r\n"), "{head}");
        assert!(target.is_closed_by_proxy());
    }
}

#[test]
fn a_malformed_chunk_of_a_request_is_the_client_s_fault_and_400() {
    let wire = Wire::listen();
    let proxy = before(&wire);
    for (number, chunk) in ["zz\r\n", "4\r\nbodyXX0\r\n\r\n", "4;\n"].into_iter().enumerate() {
        let mut client = Raw::connect(proxy.address(), "app.test");
        client.send("POST / HTTP/1.1\r\nhost: app.test\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n");
        let mut target = wire.accept();
        target.read_until("first\r\n");
        client.send(chunk);
        let answer = client.read_to_end();
        assert_eq!(raw::status(&answer), 400, "{answer}");
        assert!(answer.contains("request.body_malformed"), "{answer}");
        assert!(target.is_closed_by_proxy());
        let records = proxy.access_log(number + 1);
        assert_eq!(records[number]["reason"], "request.body_malformed", "{chunk:?}");
    }
}
