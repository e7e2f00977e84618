//! G: two readers that disagree on where a request ends, and requests that are hardly HTTP.

use super::{Fixture, responses};
use crate::harness::app::{Setup, wait_until};
use crate::harness::browser::Protocol;
use crate::harness::http2::{Http2, Outcome, Stream};
use crate::harness::raw::{self, Raw};
use crate::harness::server::Reply;
use crate::harness::wire::Wire;

/// A second request right behind the first: what a smuggler wants answered as somebody else's.
const SMUGGLED: &str = "GET /public/smuggled HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n";

/// Sends the head and body of a request that must be refused, and [`SMUGGLED`] behind it: one refusal, then the end of the
/// connection, and nothing reaches the target.
#[track_caller]
fn refused(fixture: &Fixture, request: &str) {
    let answer = fixture.untouched(request, || fixture.bytes(format!("{request}{SMUGGLED}")));
    assert!(responses(&answer) <= 1, "{request:?} is refused once, then the connection is closed: {answer}");
    let is_refused = answer.is_empty() || (400..=505).contains(&raw::status(&answer));
    assert!(is_refused, "{request:?}: {answer}");
}

#[track_caller]
fn all_refused(requests: &[String]) {
    let fixture = Fixture::start();
    for request in requests {
        refused(&fixture, request);
    }
    assert_eq!(fixture.browser(Protocol::Http1).get("https://app.test/public/x").status, 200, "still here");
}

fn post(lines: &str, body: &str) -> String {
    format!("POST /public/x HTTP/1.1\r\nHost: app.test\r\n{lines}\r\n\r\n{body}")
}

#[test]
fn g_01_a_request_with_two_lengths_is_read_by_its_chunks_alone() {
    let fixture = Fixture::start();
    for (lines, body) in [
        ("Content-Length: 6\r\nTransfer-Encoding: chunked", "0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\nContent-Length: 6", "0\r\n\r\n"),
        ("Content-Length: 3\r\nTransfer-Encoding: chunked", "1\r\na\r\n0\r\n\r\n"),
        ("Transfer-Encoding: chunked\r\nContent-Length: 4096", "1\r\na\r\n0\r\n\r\n"),
    ] {
        let before = fixture.target.count();
        let next = "GET /api/x HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n";
        let answers = fixture.bytes(format!("{}{next}", post(lines, body)));
        let received = fixture.target.received();
        assert_eq!(received.len(), before + 1, "{lines}: one request, and none of its body is another: {received:?}");
        let received = received.last().expect("one");
        assert_eq!(received.header("content-length"), None, "{lines}");
        assert_eq!(received.header("transfer-encoding"), Some("chunked"), "{lines}");
        // RFC 9112 §6.1: the connection is closed after the answer.
        assert!(responses(&answers) == 1 && raw::status(&answers) == 200, "{answers}");
    }
}

#[test]
fn g_02_only_chunked_alone_is_a_transfer_coding() {
    let fixture = Fixture::start();
    for coding in [
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: identity, chunked",
        "Transfer-Encoding: gzip, chunked",
        "Transfer-Encoding: chunked, chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: gzip\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity",
        "Transfer-Encoding: ,chunked",
        "Transfer-Encoding: chunked;q=1",
        "Transfer-Encoding: \"chunked\"",
        "Transfer-Encoding: \u{b}chunked",
        "Transfer-Encoding : chunked",
        "Transfer-Encoding:",
        "Transfer-Encoding: chunked\r\n , identity",
    ] {
        refused(&fixture, &post(coding, "5\r\nabcde\r\n0\r\n\r\n"));
    }
    let answer = fixture.bytes(post("transfer-encoding: CHUNKED\r\nconnection: close", "5\r\nabcde\r\n0\r\n\r\n"));
    assert_eq!((raw::status(&answer), fixture.target.last().body_text()), (200, "abcde"));
}

#[test]
fn g_02_a_transfer_coding_is_refused_on_every_rule_with_its_own_reason() {
    let fixture = Fixture::start();
    for path in ["/public/x", "/api/x", "/opt/x", "/healthz", "/oauth2/sign_out", "/"] {
        let request =
            format!("POST {path} HTTP/1.1\r\nHost: app.test\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n");
        let answer = fixture.untouched(path, || fixture.bytes(format!("{request}{SMUGGLED}")));
        assert_eq!((raw::status(&answer), responses(&answer)), (501, 1), "{path}: {answer}");
        assert!(answer.contains("request.transfer_encoding"), "{path}: {answer}");
    }
}

#[test]
fn g_03_a_length_is_one_plain_number() {
    let mut requests = Vec::new();
    for length in [
        "+6",
        "06",
        "-6",
        "6, 6",
        "6,7",
        "6\r\nContent-Length: 7",
        "0x6",
        "6_",
        "6 6",
        "6;",
        "6.0",
        "six",
        "",
        "99999999999999999999",
        "18446744073709551616",
        "6\u{b}",
    ] {
        requests.push(post(&format!("Content-Length: {length}"), "abcdef"));
    }
    all_refused(&requests);
}

#[test]
fn g_03_a_length_that_is_said_twice_alike_is_said_once_to_the_target() {
    let fixture = Fixture::start();
    let answer = fixture.bytes(post("Content-Length: 6\r\nContent-Length: 6\r\nConnection: close", "abcdef"));
    assert_eq!(raw::status(&answer), 200);
    let received = fixture.target.last();
    assert_eq!((received.header("content-length"), received.body_text()), (Some("6"), "abcdef"));
}

#[test]
fn g_03_a_length_that_is_said_twice_alike_is_one_length_on_http2_too() {
    let fixture = Fixture::start();
    let send = |lengths: [&str; 2]| {
        let mut http2 = Http2::connect(fixture.proxy.address(), "app.test");
        let mut section = fields(&[("content-length", lengths[0]), ("content-length", lengths[1])]);
        section[0].1 = "POST";
        http2.headers(&section, Stream::Open);
        http2.data(b"abcde", Stream::Ended);
        http2.outcome()
    };
    for lengths in [["5", "6"], ["6", "5"], ["5", "05"], ["05", "5"]] {
        let outcome = fixture.untouched(lengths[0], || send(lengths));
        assert!(matches!(outcome, Outcome::Status(400) | Outcome::Reset(_)), "{lengths:?}: {outcome:?}");
    }
    let outcome = send(["5", "5"]);
    assert!(matches!(outcome, Outcome::Status(200)), "{outcome:?}");
    let received = fixture.target.last();
    assert_eq!((received.header("content-length"), received.body_text()), (Some("5"), "abcde"));
}

#[test]
fn g_04_chunks_that_are_not_chunks_end_the_connection() {
    let fixture = Fixture::start();
    for body in [
        "FFFFFFFFFFFFFFFF1\r\nabc\r\n0\r\n\r\n",
        "-1\r\nabc\r\n0\r\n\r\n",
        "+3\r\nabc\r\n0\r\n\r\n",
        "0x3\r\nabc\r\n0\r\n\r\n",
        "3;ext=\n\r\nabc\r\n0\r\n\r\n",
        "3\nabc\r\n0\r\n\r\n",
        "3\r\nabc0\r\n\r\n",
        "3\r\nabcd\r\n0\r\n\r\n",
        "3\r\nabc\n0\r\n\r\n",
        "\r\n3\r\nabc\r\n0\r\n\r\n",
        "3 3\r\nabc\r\n0\r\n\r\n",
        "g\r\nabc\r\n0\r\n\r\n",
        "3\r\nabc\r\n0\r\nbad trailer\r\n\r\n",
    ] {
        let request = post("Transfer-Encoding: chunked", body);
        let answers = fixture.bytes(format!("{request}{SMUGGLED}"));
        let smuggled = fixture.target.received().into_iter().any(|received| received.line.contains("smuggled"));
        assert!(!smuggled, "{body:?}");
        // The target may have seen the head, because bodies stream; it has not seen a whole request.
        assert!(!answers.contains("HTTP/1.1 200"), "{body:?}: {answers}");
        assert!(
            fixture.target.received().iter().all(|received| received.turn == 0),
            "{body:?}: the way to it is closed"
        );
        assert_eq!(fixture.target.count(), 0, "{body:?}");
    }
}

#[test]
fn g_04_a_body_that_ends_too_early_is_not_a_request() {
    let fixture = Fixture::start();
    for (lines, body) in [("Content-Length: 6", "abc"), ("Transfer-Encoding: chunked", "3\r\nabc\r\n0\r\n")] {
        let mut raw = Raw::connect(fixture.proxy.address(), "app.test");
        raw.send(post(lines, body));
        wait_until("the head is forwarded", || (fixture.target.connections() > 0).then_some(()));
        drop(raw);
        // Whatever comes next on the same way to the target is a request of its own.
        assert_eq!(fixture.browser(Protocol::Http1).get("https://app.test/public/after").status, 200);
        let lines: Vec<_> = fixture.target.received().into_iter().map(|received| received.line).collect();
        assert!(lines.iter().all(|line| line == "GET /public/after HTTP/1.1"), "{lines:?}");
    }
}

#[test]
fn g_04_an_upload_that_is_taken_back_is_not_whole_whatever_the_client_says_of_it() {
    // NO_ERROR is what hyper's body takes for an end (RFC 9113 §8.1), CANCEL is what browsers say.
    for code in [0, 8] {
        let wire = Wire::listen();
        let proxy = Setup::open(&[wire.address()]).start();
        let mut http2 = Http2::connect(proxy.address(), "app.test");
        http2.headers(
            &[(":method", "POST"), (":scheme", "https"), (":authority", "app.test"), (":path", "/upload")],
            Stream::Open,
        );
        http2.data(b"half", Stream::Open);
        let mut target = wire.accept();
        target.read_head();
        target.read_until("half\r\n");
        http2.reset(code);
        assert_eq!(target.rest(), "", "{code}: cut, not ended");
    }
}

#[test]
fn g_05_old_versions_have_no_chunks() {
    all_refused(&[
        "POST /public/x HTTP/1.0\r\nHost: app.test\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n".into(),
        "GET /public/x\r\n".into(),
        "GET /public/x HTTP/0.9\r\n\r\n".into(),
        "GET /public/x HTTP/1.2\r\nHost: app.test\r\n\r\n".into(),
        "GET /public/x HTTP/2.0\r\nHost: app.test\r\n\r\n".into(),
        "GET /public/x HTTP/1.1 \r\nHost: app.test\r\n\r\n".into(),
        "GET  /public/x HTTP/1.1\r\nHost: app.test\r\n\r\n".into(),
        "GET /public/x y HTTP/1.1\r\nHost: app.test\r\n\r\n".into(),
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".into(),
    ]);
}

#[test]
fn g_05_the_end_of_a_connection_is_not_the_end_of_a_body() {
    let fixture = Fixture::start();
    for method in ["POST", "PUT", "PATCH"] {
        refused(&fixture, &format!("{method} /public/x HTTP/1.0\r\nHost: app.test\r\n\r\n"));
    }
    let answer = fixture.bytes("POST /public/x HTTP/1.0\r\nHost: app.test\r\nContent-Length: 3\r\n\r\nabc");
    assert_eq!(raw::status(&answer), 200, "{answer}");
    let received = fixture.target.last();
    assert_eq!((received.line.as_str(), received.body_text()), ("POST /public/x HTTP/1.1", "abc"));
}

const UPGRADE: &str = "Host: app.test\r\nConnection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
                       Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

#[test]
fn g_06_what_follows_a_handshake_that_the_target_declines_is_a_request_like_any_other() {
    let fixture = Fixture::start();
    let next = "GET /api/x HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n";
    for status in ["200 OK", "426 Upgrade Required", "404 Not Found"] {
        fixture.target.script(move |_| Reply::new(status, &[("upgrade", "websocket")], "no"));
        let before = fixture.target.count();
        let answers = fixture.bytes(format!("GET /public/ws HTTP/1.1\r\n{UPGRADE}{next}"));
        assert_eq!(responses(&answers), 2, "{status}: {answers}");
        assert!(answers.contains("auth.required"), "{status}: the second met the rules: {answers}");
        assert_eq!(fixture.target.count(), before + 1, "{status}");
    }
}

#[test]
fn g_06_nothing_is_tunnelled_before_the_target_has_switched() {
    let fixture = Fixture::start();
    // A target that switches to something else, or unasked, is not followed.
    let head = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: h2c\r\n\r\n";
    fixture.target.script(move |_| Reply::Switch(head.as_bytes().to_vec()));
    let answer = fixture.bytes(format!("GET /public/ws HTTP/1.1\r\n{UPGRADE}{SMUGGLED}"));
    assert_eq!(raw::status(&answer), 502, "{answer}");
    let received: Vec<_> = fixture.target.received().into_iter().map(|received| received.line).collect();
    assert!(!received.iter().skip(1).any(|line| !line.contains("/public/")), "{received:?}");
    let head = "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: websocket\r\n\r\n";
    fixture.target.script(move |_| Reply::Switch(head.as_bytes().to_vec()));
    let plain = "GET /public/x HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n";
    assert_eq!(raw::status(&fixture.bytes(plain)), 502);
    // One that does switch gets the bytes that followed, and echoes them.
    let mut raw = Raw::connect(fixture.proxy.address(), "app.test");
    raw.send(format!("GET /public/ws HTTP/1.1\r\n{UPGRADE}ping"));
    assert_eq!(raw::status(&raw.read_until("\r\n\r\n")), 101);
    raw.read_until("ping");
}

#[test]
fn g_07_a_body_that_nobody_reads_is_never_the_next_request() {
    let fixture = Fixture::start();
    let inner = "GET /public/smuggled HTTP/1.1\r\nHost: app.test\r\n\r\n";
    for path in ["/healthz", "/api/x", "/", "/oauth2/sign_out", "/oauth2/idpresponse", "/public/../x"] {
        for method in ["GET", "POST"] {
            let head = format!("{method} {path} HTTP/1.1\r\nHost: app.test\r\nContent-Length: {}\r\n\r\n", inner.len());
            let last = "GET /healthz HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n";
            let answers = fixture.untouched(path, || fixture.bytes(format!("{head}{inner}{last}")));
            assert!(responses(&answers) <= 2, "{method} {path}: {answers}");
            assert!(!answers.contains("smuggled"), "{method} {path}: {answers}");
        }
    }
}

/// A request to a rule that lets pass, as HTTP/2 fields, with some more.
fn fields<'f>(more: &[(&'f str, &'f str)]) -> Vec<(&'f str, &'f str)> {
    let own = [(":method", "GET"), (":scheme", "https"), (":authority", "app.test"), (":path", "/public/x")];
    own.into_iter().chain(more.iter().copied()).collect()
}

#[track_caller]
fn http2_refused(fixture: &Fixture, what: &str, fields: &[(&str, &str)]) {
    let outcome = fixture.untouched(what, || Http2::connect(fixture.proxy.address(), "app.test").request(fields));
    let is_refused = matches!(outcome, Outcome::Reset(_) | Outcome::Closed | Outcome::Status(400..=499));
    assert!(is_refused, "{what}: {outcome:?}");
}

#[test]
fn g_08_http2_sections_that_are_malformed_are_refused() {
    let fixture = Fixture::start();
    let mut http2 = Http2::connect(fixture.proxy.address(), "app.test");
    assert_eq!(http2.request(&fields(&[])), Outcome::Status(200), "the plain request is good");
    for more in [
        ("transfer-encoding", "chunked"),
        ("connection", "keep-alive"),
        ("keep-alive", "5"),
        ("proxy-connection", "close"),
        ("upgrade", "h2c"),
        ("te", "gzip"),
        ("X-Upper", "x"),
        ("x-crlf", "a\r\nX-Forwarded-User: admin"),
        ("x-lf", "a\nb"),
        ("x-nul", "a\0b"),
        ("x y", "blank"),
        ("x:y", "colon"),
        ("x\0y", "nul"),
        ("", "empty"),
        (":path", "/public/again"),
        (":unknown", "x"),
        ("host", "other.test"),
    ] {
        http2_refused(&fixture, &format!("{more:?}"), &fields(&[more]));
    }
    let mut late = vec![("x-before", "x")];
    late.extend(fields(&[]));
    http2_refused(&fixture, "pseudo-fields after others", &late);
    http2_refused(
        &fixture,
        "two methods",
        &fields(&[])[..].iter().copied().chain([(":method", "POST")]).collect::<Vec<_>>(),
    );
}

#[test]
fn g_08_http2_targets_that_are_no_paths_are_refused() {
    let fixture = Fixture::start();
    for path in [
        "",
        "public/x",
        "*",
        "/public /x",
        "/public\r\n/x",
        "/public\n",
        "/public\0",
        "/public\u{7f}",
        "https://app.test/public/x",
    ] {
        let mut section = fields(&[]);
        section[3].1 = path;
        http2_refused(&fixture, &format!("{path:?}"), &section);
    }
    for missing in [":method", ":scheme", ":path"] {
        let section: Vec<_> = fields(&[]).into_iter().filter(|(name, _)| *name != missing).collect();
        http2_refused(&fixture, missing, &section);
    }
}

#[test]
fn g_08_http2_data_has_the_length_that_was_said() {
    let fixture = Fixture::start();
    for (length, data) in [("5", vec![b'a'; 50]), ("50", vec![b'a'; 5]), ("0", vec![b'a'; 5])] {
        let mut http2 = Http2::connect(fixture.proxy.address(), "app.test");
        let mut section = fields(&[("content-length", length)]);
        section[0].1 = "POST";
        fixture.untouched(length, || {
            http2.headers(&section, Stream::Open);
            http2.data(&data, Stream::Ended);
            let outcome = http2.outcome();
            assert!(!matches!(outcome, Outcome::Status(200)), "{length}: {outcome:?}");
        });
    }
    for length in ["+5", "05", "5, 5", "x", ""] {
        let mut http2 = Http2::connect(fixture.proxy.address(), "app.test");
        let mut section = fields(&[("content-length", length)]);
        section[0].1 = "POST";
        fixture.untouched(length, || {
            http2.headers(&section, Stream::Open);
            http2.data(b"abcde", Stream::Ended);
            let outcome = http2.outcome();
            assert!(
                matches!(outcome, Outcome::Reset(_) | Outcome::Closed | Outcome::Status(400)),
                "{length:?}: {outcome:?}"
            );
        });
    }
}

#[test]
fn g_09_a_section_that_ends_the_stream_has_no_length() {
    let fixture = Fixture::start();
    for length in ["10", "1", "18446744073709551615"] {
        http2_refused(&fixture, length, &fields(&[("content-length", length)]));
    }
}

#[test]
fn g_09_a_get_that_ends_behind_its_head_has_no_body_for_a_target_that_looks_for_none() {
    let fixture = Fixture::start();
    for (method, body, length) in [("GET", "", None), ("DELETE", "", None), ("POST", "", None), ("GET", "x", Some("x"))]
    {
        let mut http2 = Http2::connect(fixture.proxy.address(), "app.test");
        let path = "/public/get";
        http2.headers(
            &[(":method", method), (":scheme", "https"), (":authority", "app.test"), (":path", path)],
            Stream::Open,
        );
        http2.data(body.as_bytes(), Stream::Ended);
        assert_eq!(http2.outcome(), Outcome::Status(200), "{method} {body:?}");
        let received = fixture.target.last();
        let is_chunked = received.header("transfer-encoding").is_some();
        assert_eq!(is_chunked, length.is_some() || method == "POST", "{method} {body:?}");
        assert_eq!(received.body_text(), body);
    }
}

#[test]
fn g_10_octets_that_no_head_has_are_refused() {
    let request = |line: &str, field: &str| format!("{line}\r\nHost: app.test\r\n{field}\r\n\r\n");
    let line = "GET /public/x HTTP/1.1";
    all_refused(&[
        request(line, "X-Nul: a\0b"),
        request(line, "X\0Nul: a"),
        request(line, "X Blank: a"),
        request(line, "X(Paren: a"),
        request(line, "no colon"),
        request(line, "X-Cr: a\rb"),
        request(line, "X-Del: a\u{7f}b"),
        request("GET /public/\0x HTTP/1.1", "X-A: a"),
        request("GET /public/\u{7f}x HTTP/1.1", "X-A: a"),
        request("GET /public/\rx HTTP/1.1", "X-A: a"),
        request("G\0T /public/x HTTP/1.1", "X-A: a"),
        request("GET /public/x HTTP/1.1\0", "X-A: a"),
    ]);
}

#[test]
fn g_10_too_many_fields_and_too_large_a_head_are_refused() {
    let fixture = Fixture::start();
    let many: String = (0..300).map(|number| format!("x-{number}: a\r\n")).collect();
    let large = format!("x-large: {}\r\n", "a".repeat(80 * 1024));
    let long = format!("GET /public/{} HTTP/1.1\r\nHost: app.test\r\n\r\n", "a".repeat(80 * 1024));
    for request in [
        format!("GET /public/x HTTP/1.1\r\nHost: app.test\r\n{many}\r\n"),
        format!("GET /public/x HTTP/1.1\r\nHost: app.test\r\n{large}\r\n"),
        long,
    ] {
        let what = &request[..60];
        let mut raw = Raw::connect(fixture.proxy.address(), "app.test");
        let answer = fixture.untouched(what, || {
            raw.try_send(&request);
            raw.read_to_end()
        });
        assert!(answer.is_empty() || [400, 414, 431].contains(&raw::status(&answer)), "{what}: {answer}");
    }
    let value = "a".repeat(1024);
    let names: Vec<String> = (0..80).map(|number| format!("x-{number}")).collect();
    let more: Vec<_> = names.iter().map(|name| (name.as_str(), value.as_str())).collect();
    let large = || fixture.browser(Protocol::Http2).try_send("GET", "https://app.test/public/x", &more, b"");
    let answer = fixture.untouched("80 KB on HTTP/2", large);
    assert!(answer.is_err() || answer.as_ref().is_ok_and(|answer| answer.status == 431), "{answer:?}");
}

#[test]
fn g_11_only_100_continue_can_be_expected() {
    let fixture = Fixture::start();
    for expectation in ["x", "200-ok", "100-continue, x", "\"100-continue\""] {
        let lines = format!("Expect: {expectation}\r\nConnection: close\r\nContent-Length: 3");
        let answer = fixture.untouched(expectation, || fixture.bytes(post(&lines, "abc")));
        assert_eq!(raw::status(&answer), 417, "{expectation}: {answer}");
        assert!(answer.contains("request.expectation"), "{expectation}: {answer}");
    }
}

#[test]
fn g_11_the_gate_answers_before_a_body_is_asked_for() {
    let fixture = Fixture::start();
    let lines = "Host: app.test\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n";
    let mut raw = Raw::connect(fixture.proxy.address(), "app.test");
    raw.send(format!("POST /api/x HTTP/1.1\r\n{lines}"));
    assert_eq!(raw::status(&raw.read_until("\r\n\r\n")), 401, "not 100");
    assert_eq!(fixture.target.connections(), 0);
    // Where the rule lets pass, it is asked for, once, and is the body.
    let mut raw = Raw::connect(fixture.proxy.address(), "app.test");
    raw.send(format!("POST /public/x HTTP/1.1\r\n{lines}"));
    assert_eq!(raw.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
    raw.send("abcGET /api/x HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n");
    assert_eq!(raw::status(&raw.read_response().0), 200);
    assert_eq!(fixture.target.last().body_text(), "abc");
    assert_eq!(raw::status(&raw.read_response().0), 401);
}

#[test]
fn g_12_connect_opens_no_tunnel() {
    let fixture = Fixture::start();
    for target in ["app.test:443", "evil.test:80", "/public/x", "*"] {
        // What a client sends into the tunnel that it hopes for meets the rules like any other request.
        let next = "GET /api/x HTTP/1.1\r\nHost: app.test\r\nConnection: close\r\n\r\n";
        let request = format!("CONNECT {target} HTTP/1.1\r\nHost: app.test\r\n\r\n{next}");
        let answer = fixture.untouched(target, || fixture.bytes(request));
        assert!([400, 405].contains(&raw::status(&answer)) && !answer.contains(" 200 "), "{target}: {answer}");
    }
    for section in [
        vec![(":method", "CONNECT"), (":authority", "app.test:443")],
        vec![(":method", "CONNECT"), (":scheme", "https"), (":authority", "app.test"), (":path", "/public/x")],
        fields(&[(":protocol", "websocket")]),
        vec![
            (":method", "CONNECT"),
            (":protocol", "connect-udp"),
            (":scheme", "https"),
            (":authority", "app.test"),
            (":path", "/public/x"),
        ],
    ] {
        http2_refused(&fixture, &format!("{section:?}"), &section);
    }
    assert_eq!(fixture.browser(Protocol::Http2).get("https://app.test/healthz").status, 200, "still here");
}

#[test]
fn g_14_a_request_names_exactly_one_host() {
    let fixture = Fixture::start();
    let hosts = [
        "Host: app.test\r\nHost: app.test",
        "Host: app.test\r\nHost: other.test",
        "Host: app.test, other.test",
        "Host:",
        "X-Nothing: x",
        "Host: a@app.test",
        "Host: app.test/x",
        "Host: app.test?x",
        "Host: app.test#x",
        "Host: app%2etest",
        "Host: app.test:",
        "Host: app.test:x",
        "Host: app.test:99999",
        "Host: app.test:0",
        "Host: app.test:443:443",
        "Host: [::1",
        "Host: ::1",
        "Host: [::1]x",
        "Host: [app.test]",
        "Host: app test",
        "Host: *.test",
        "Host: .app.test",
        "Host: .",
        "Host: app..",
        "Host: https://app.test",
        "Host: app.test\\x",
        "Host: \u{e4}pp.test",
    ];
    for host in hosts {
        let request = format!("GET /public/x HTTP/1.1\r\n{host}\r\nConnection: close\r\n\r\n");
        let send = || fixture.bytes(&request);
        if host == "Host: app.test:" {
            assert_eq!(raw::status(&send()), 200, "an empty port is none (RFC 3986 §3.2.3)");
            continue;
        }
        let answer = fixture.untouched(host, send);
        assert_eq!(raw::status(&answer), 400, "{host}: {answer}");
    }
    for authority in ["app.test, other.test", "a@app.test", "", "app.test/x", "app.test:x", "[::1", "app%2etest"] {
        let mut section = fields(&[]);
        section[2].1 = authority;
        http2_refused(&fixture, authority, &section);
    }
    let without: Vec<_> = fields(&[]).into_iter().filter(|(name, _)| *name != ":authority").collect();
    http2_refused(&fixture, "no authority", &without);
}

#[test]
fn g_14_http2_and_its_host_field_agree() {
    let fixture = Fixture::with(|setup: Setup| setup);
    let outcome = |host: &str| Http2::connect(fixture.proxy.address(), "app.test").request(&fields(&[("host", host)]));
    assert_eq!(outcome("app.test"), Outcome::Status(200));
    assert_eq!(fixture.target.last().header("host"), Some("app.test"));
    assert_eq!(fixture.untouched("other.test", || outcome("other.test")), Outcome::Status(400));
}
