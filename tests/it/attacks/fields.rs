//! G: fields that concern one connection, or the framing of one message, pass in no direction and with no protocol.

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use hyper::body::Frame;

use super::Fixture;
use crate::harness::app::Setup;
use crate::harness::browser::{Protocol, on_both};
use crate::harness::connection::{self, Connection};
use crate::harness::http2::{Http2, Outcome, Stream};
use crate::harness::server::{Reply, Server};
use crate::harness::{raw, runtime};

/// Every field that concerns a connection or the framing, and one that `Connection` names.
const FIELDS: [&str; 11] = [
    "connection",
    "keep-alive",
    "proxy-connection",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-authentication-info",
    "te",
    "transfer-encoding",
    "upgrade",
    "http2-settings",
    "x-hop",
];

/// What no trailers carry besides.
const ONLY_IN_A_HEAD: [&str; 8] = [
    "content-length",
    "content-type",
    "content-encoding",
    "set-cookie",
    "location",
    "cache-control",
    "trailer",
    "host",
];

#[test]
fn no_field_of_a_connection_passes_from_a_target() {
    let head: String =
        FIELDS[1..].iter().filter(|name| **name != "transfer-encoding").map(|name| format!("{name}: 1\r\n")).collect();
    let trailers: String = FIELDS.iter().chain(&ONLY_IN_A_HEAD).map(|name| format!("{name}: 1\r\n")).collect();
    let announced = FIELDS.iter().chain(&ONLY_IN_A_HEAD).copied().collect::<Vec<_>>().join(", ");
    let target = Server::start(move |_| {
        let answer = format!(
            "HTTP/1.1 200 OK\r\nconnection: keep-alive, X-Hop\r\n{head}transfer-encoding: chunked\r\n\
             trailer: x-digest, {announced}\r\n\r\n2\r\nok\r\n0\r\n{trailers}x-digest: 9\r\n\r\n"
        );
        Reply::Bytes(answer.into())
    });
    let proxy = Setup::open(&[target.address()]).start();
    on_both(|protocol| {
        runtime().block_on(async {
            let mut client = Connection::open(protocol, proxy.address(), "app.test").await;
            let request =
                client.request("GET", "/").header("te", "trailers").body(connection::empty()).expect("a request");
            let (answer, trailers) = connection::whole(client.send(request).await.expect("an answer")).await;
            assert_eq!((answer.status, answer.text()), (200, "ok"), "{protocol:?}");
            for name in FIELDS.iter().filter(|name| **name != "transfer-encoding") {
                assert_eq!(answer.header(name), None, "{name} on {protocol:?}");
            }
            let names: Vec<_> = trailers.keys().map(HeaderName::as_str).collect();
            assert_eq!(names, ["x-digest"], "{protocol:?}");
        });
    });
}

#[test]
fn no_field_of_a_connection_passes_from_a_client() {
    let fixture = Fixture::start();
    let lines: String =
        FIELDS[1..].iter().filter(|name| **name != "transfer-encoding").map(|name| format!("{name}: 1\r\n")).collect();
    let trailers: String = FIELDS.iter().chain(&ONLY_IN_A_HEAD).map(|name| format!("{name}: 1\r\n")).collect();
    let announced = FIELDS.iter().chain(&ONLY_IN_A_HEAD).copied().collect::<Vec<_>>().join(", ");
    let request = format!(
        "POST /public/x HTTP/1.1\r\nhost: app.test\r\nconnection: close, X-Hop\r\n{lines}transfer-encoding: chunked\r\n\
         trailer: x-digest, {announced}\r\n\r\n2\r\nok\r\n0\r\n{trailers}x-digest: 9\r\n\r\n"
    );
    assert_eq!(raw::status(&fixture.bytes(request)), 200);
    let received = fixture.target.last();
    assert_eq!(received.body_text(), "ok");
    for name in FIELDS.iter().filter(|name| **name != "transfer-encoding") {
        assert_eq!(received.header(name), None, "{name}");
    }
    assert_eq!(received.trailers, [("x-digest".to_owned(), "9".to_owned())]);
}

/// HTTP/2 has no such fields in a head (RFC 9113 §8.2.2): a request with one is malformed.
#[test]
fn a_field_of_a_connection_makes_an_http2_request_malformed() {
    let fixture = Fixture::start();
    for name in ["connection", "keep-alive", "proxy-connection", "transfer-encoding", "upgrade"] {
        let fields =
            [(":method", "GET"), (":scheme", "https"), (":authority", "app.test"), (":path", "/public/x"), (name, "x")];
        let outcome = fixture.untouched(name, || Http2::connect(fixture.proxy.address(), "app.test").request(&fields));
        assert!(matches!(outcome, Outcome::Reset(1) | Outcome::Status(400)), "{name}: {outcome:?}");
    }
    runtime().block_on(async {
        let mut client = Connection::open(Protocol::Http2, fixture.proxy.address(), "app.test").await;
        let (upload, body) = connection::streamed();
        let mut trailers = HeaderMap::new();
        for name in ONLY_IN_A_HEAD.iter().chain(&["proxy-authorization", "http2-settings", "x-digest"]) {
            trailers.insert(*name, HeaderValue::from_static("1"));
        }
        upload.send(Frame::data(Bytes::from("ok"))).expect("open");
        upload.send(Frame::trailers(trailers)).expect("open");
        drop(upload);
        let announced = ONLY_IN_A_HEAD.join(", ");
        let request = client
            .request("POST", "/public/x")
            .header("trailer", format!("x-digest, proxy-authorization, {announced}"));
        let (answer, _) =
            connection::whole(client.send(request.body(body).expect("a request")).await.expect("an answer")).await;
        assert_eq!(answer.status, 200);
        assert_eq!(fixture.target.last().trailers, [("x-digest".to_owned(), "1".to_owned())]);
    });
}

#[test]
fn a_length_is_one_plain_number_in_both_directions() {
    let target = Server::start(|_| Reply::Bytes(b"HTTP/1.1 200 OK\r\ncontent-length: 0002\r\n\r\nok".to_vec()));
    let proxy = Setup::open(&[target.address()]).start();
    on_both(|protocol| {
        let answer = proxy.browser(protocol).get("https://app.test/");
        assert_eq!(
            (answer.status, answer.text(), answer.header("content-length")),
            (200, "ok", Some("2")),
            "{protocol:?}"
        );
        let answer = proxy.browser(protocol).send("HEAD", "https://app.test/", &[], b"");
        assert_eq!((answer.status, answer.header("content-length")), (200, Some("2")), "{protocol:?}");
    });
    let before = target.count();
    let request = "POST / HTTP/1.1\r\nhost: app.test\r\ncontent-length: 0002\r\nconnection: close\r\n\r\nok";
    assert_eq!(raw::status(&raw::exchange(proxy.address(), "app.test", request)), 400);
    let mut http2 = Http2::connect(proxy.address(), "app.test");
    let fields = [
        (":method", "POST"),
        (":scheme", "https"),
        (":authority", "app.test"),
        (":path", "/"),
        ("content-length", "0002"),
    ];
    http2.headers(&fields, Stream::Open);
    http2.data(b"ok", Stream::Ended);
    assert_eq!(http2.outcome(), Outcome::Status(400));
    assert_eq!(target.count(), before);
}

/// RFC 9113 §8.2.1. HTTP/1.1 has no such values: blanks around a value belong to the syntax there.
#[test]
fn a_value_with_blanks_around_it_is_malformed_on_http2() {
    let fixture = Fixture::start();
    for value in [" x", "x ", "\tx", "x\t"] {
        let head = [(":method", "POST"), (":scheme", "https"), (":authority", "app.test"), (":path", "/public/x")];
        let with = head.iter().copied().chain([("x-team", value)]).collect::<Vec<_>>();
        let mut http2 = Http2::connect(fixture.proxy.address(), "app.test");
        let outcome = fixture.untouched(value, || http2.request(&with));
        assert!(matches!(outcome, Outcome::Status(400) | Outcome::Reset(1)), "{value:?}: {outcome:?}");
        let announced = head.iter().copied().chain([("trailer", "x-digest")]).collect::<Vec<_>>();
        http2.headers(&announced, Stream::Open);
        http2.data(b"abc", Stream::Open);
        http2.headers(&[("x-digest", value)], Stream::Ended);
        let outcome = http2.outcome();
        assert!(!matches!(outcome, Outcome::Status(200..=399)), "{value:?} in the trailers: {outcome:?}");
        assert!(fixture.target.received().iter().all(|request| request.trailers.is_empty()));
    }
}
