//! G: requests that do not conform and still have one reading, in each mode of `desync_mitigation`.

use serde_json::Value;

use super::{Fixture, responses};
use crate::harness::browser::Protocol;
use crate::harness::raw::{self, Raw};

/// The request line and the head, the body, and the class and the reason.
type Row = (&'static str, &'static str, &'static str, &'static str);

/// Rows that the HTTP library tells of. In `defensive` they pass.
const READ: [Row; 3] = [
    ("GET /public/x HTTP/1.1\r\nhost: app.test\r\ncontent-length: 0", "", "Acceptable", "GetHeadZeroContentLength"),
    (
        "GET /public/x HTTP/1.1\r\nhost: app.test\r\ncontent-length: 3",
        "abc",
        "Ambiguous",
        "UndefinedContentLengthSemantics",
    ),
    (
        "GET /public/x HTTP/1.1\r\nhost: app.test\r\ntransfer-encoding: chunked",
        "0\r\n\r\n",
        "Ambiguous",
        "UndefinedTransferEncodingSemantics",
    ),
];

/// Rows that are seen in the head as it came. In `defensive` they pass in one form.
const AS_IT_CAME: [Row; 4] = [
    (
        "POST /public/x HTTP/1.1\r\nhost: app.test\r\ncontent-length: 3\r\ntransfer-encoding: chunked",
        "0\r\n\r\n",
        "Ambiguous",
        "BothTeClPresent",
    ),
    (
        "POST /public/x HTTP/1.1\r\nhost: app.test\r\ncontent-length: 3\r\ncontent-length: 3",
        "abc",
        "Ambiguous",
        "DuplicateContentLength",
    ),
    ("GET /public/x HTTP/1.1\r\nhost: app.test\r\ncontent_length: 3", "", "Ambiguous", "SuspiciousHeader"),
    ("GET /public/x HTTP/1.1\r\nhost: app.test\nx: y", "", "Acceptable", "NonCrLfLineTermination"),
];

/// What everybody sends.
const COMPLIANT: [(&str, &str); 4] = [
    ("GET /public/x HTTP/1.1\r\nhost: app.test", ""),
    ("POST /public/x HTTP/1.1\r\nhost: app.test\r\ncontent-length: 3", "abc"),
    ("POST /public/x HTTP/1.1\r\nhost: app.test\r\ntransfer-encoding: chunked", "3\r\nabc\r\n0\r\n\r\n"),
    ("GET /public/x?\"<> HTTP/1.1\r\nhost: app.test", ""),
];

fn started(mode: &str) -> Fixture {
    Fixture::with(|setup| setup.listener(&format!("    desync_mitigation: {mode}")))
}

/// Sends one request; answers what came until the proxy closed, and the record.
#[track_caller]
fn sent(fixture: &Fixture, head: &str, body: &str) -> (String, Value) {
    let count = fixture.proxy.access_log(0).len();
    let answer = fixture.bytes(format!("{head}\r\nconnection: close\r\n\r\n{body}"));
    (answer, fixture.proxy.access_log(count + 1).pop().expect("a record"))
}

#[track_caller]
fn is_classified(record: &Value, class: &str, reason: &str) {
    assert_eq!((&record["classification"], &record["classification_reason"]), (&class.into(), &reason.into()));
}

#[test]
fn g_what_does_not_conform_passes_and_is_recorded() {
    for mode in ["monitor", "defensive"] {
        let fixture = started(mode);
        for (head, body, class, reason) in READ {
            let (answer, record) = sent(&fixture, head, body);
            assert_eq!(raw::status(&answer), 200, "{mode} {reason}: {answer}");
            is_classified(&record, class, reason);
        }
        for (head, body, _, reason) in AS_IT_CAME {
            let (answer, _) = sent(&fixture, head, body);
            assert_eq!((raw::status(&answer), responses(&answer)), (200, 1), "{mode} {reason}: {answer}");
            let received = fixture.target.last();
            let lengths = received.headers.iter().filter(|(name, _)| name.to_ascii_lowercase().contains("length"));
            assert!(lengths.count() <= 1, "{reason}: {:?}", received.headers);
        }
        for (class, expected) in [("acceptable", 1), ("ambiguous", 2), ("severe", 0)] {
            let series = format!(r#"vestibule_desync_requests_total{{listener="public",classification="{class}"}}"#);
            assert_eq!(fixture.proxy.metric(&series), expected, "{mode}: {series}");
        }
    }
}

#[test]
fn g_behind_an_ambiguous_request_the_connection_is_closed() {
    let fixture = started("defensive");
    let (head, body, ..) = READ[1];
    let next = "GET /public/y HTTP/1.1\r\nhost: app.test\r\nconnection: close\r\n\r\n";
    let answers = fixture.bytes(format!("{head}\r\n\r\n{body}{next}"));
    assert_eq!((raw::status(&answers), responses(&answers)), (200, 1), "{answers}");
    let before = fixture.target.last().connection;
    assert_eq!(fixture.browser(Protocol::Http1).get("https://app.test/public/z").status, 200);
    assert_ne!(fixture.target.last().connection, before, "the target's connection, too");
}

#[test]
fn g_with_strictest_nothing_passes_that_does_not_conform() {
    let fixture = started("strictest");
    for (head, body, class, reason) in READ.into_iter().chain(AS_IT_CAME) {
        let (answer, record) = fixture.untouched(reason, || sent(&fixture, head, body));
        assert_eq!((raw::status(&answer), responses(&answer)), (400, 1), "{reason}: {answer}");
        assert!(answer.contains("request.not_compliant"), "{reason}: {answer}");
        is_classified(&record, class, reason);
        assert_eq!(record["reason"], "request.not_compliant");
    }
}

#[test]
fn g_with_strictest_what_conforms_is_served_however_it_comes() {
    let fixture = started("strictest");
    for (head, body) in COMPLIANT {
        let (answer, record) = sent(&fixture, head, body);
        assert_eq!(raw::status(&answer), 200, "{head}: {answer}");
        assert_eq!(record.get("classification"), None, "{head}");
    }
    // One connection, in pieces, one request after the other.
    let mut client = Raw::connect(fixture.proxy.address(), "app.test");
    for (head, body) in COMPLIANT {
        for piece in [&head[..7], &head[7..], "\r", "\n\r", "\n", body] {
            client.send(piece);
        }
        let (answer, _) = client.read_response();
        assert_eq!(raw::status(&answer), 200, "{head}: {answer}");
    }
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let answer = fixture.browser(protocol).send("POST", "https://app.test/public/x", &[], b"a body");
        assert_eq!((answer.status, fixture.target.last().body_text()), (200, "a body"));
    }
}

#[test]
fn g_what_is_severe_is_refused_in_each_mode() {
    for mode in ["monitor", "defensive", "strictest"] {
        let fixture = started(mode);
        for (field, status, reason) in [
            ("content-length: 06", 400, "BadContentLength"),
            ("transfer-encoding: gzip, chunked", 501, "BadTransferEncoding"),
        ] {
            let head = format!("POST /public/x HTTP/1.1\r\nhost: app.test\r\n{field}");
            let (answer, record) = fixture.untouched(field, || sent(&fixture, &head, "abcdef"));
            assert_eq!((raw::status(&answer), responses(&answer)), (status, 1), "{mode} {field}: {answer}");
            is_classified(&record, "Severe", reason);
        }
    }
}
