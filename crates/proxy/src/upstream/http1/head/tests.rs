use super::*;

const FIELDS: usize = 150;

#[track_caller]
fn read(text: &str) -> Head {
    read_for(text, false)
}

#[track_caller]
fn read_for(text: &str, is_head: bool) -> Head {
    match parse(Bytes::copy_from_slice(text.as_bytes()), is_head, FIELDS) {
        Ok(Parsed::Final(head)) => head,
        other => panic!("{text:?} is an answer: {other:?}"),
    }
}

#[track_caller]
fn refused(text: &str, error: Malformed) {
    for is_first in [true, false] {
        // Field names are case-insensitive.
        let text = if is_first { text.to_owned() } else { text.to_ascii_lowercase().replace("http/", "HTTP/") };
        let parsed = parse(Bytes::from(text.clone()), false, FIELDS);
        assert_eq!(parsed.map(drop), Err(error), "{text:?}");
    }
}

#[test]
fn a_head_has_a_status_a_reason_and_fields() {
    let head =
        read("HTTP/1.1 200 Fine\r\nX-One:  1 \r\nset-cookie: a\r\nSet-Cookie: b\r\nContent-Length: 2\r\n\r\nhi!");
    assert_eq!(head.response.status(), 200);
    assert_eq!(head.response.extensions().get::<ReasonPhrase>().map(ReasonPhrase::as_bytes), Some(&b"Fine"[..]));
    assert_eq!(head.response.headers()["x-one"], "1");
    assert_eq!(head.response.headers().get_all("set-cookie").iter().collect::<Vec<_>>(), ["a", "b"]);
    assert_eq!((head.length, head.keeps_open, &head.rest[..]), (Length::Exact(2), true, &b"hi!"[..]));
    // The standard reason phrase of a status is not kept.
    let head = read("HTTP/1.1 404 Not Found\r\n\r\n");
    assert!(head.response.status() == 404 && head.response.extensions().is_empty());
    assert!(
        read("HTTP/1.1 204\r\n\r\n")
            .response
            .extensions()
            .get::<ReasonPhrase>()
            .is_none_or(|it| it.as_bytes().is_empty())
    );
}

#[test]
fn octets_that_are_no_ascii_pass_in_values() {
    let text = Bytes::from_static(b"HTTP/1.1 200 OK\r\nx-name: \xff\xfe\r\n\r\n");
    let Ok(Parsed::Final(head)) = parse(text, false, FIELDS) else { panic!("an answer") };
    assert_eq!(head.response.headers()["x-name"].as_bytes(), b"\xff\xfe");
}

#[test]
fn a_head_that_is_not_whole_is_given_back() {
    let text = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n";
    for end in 1..text.len() {
        match parse(Bytes::copy_from_slice(&text.as_bytes()[..end]), false, FIELDS) {
            Ok(Parsed::Partial(bytes)) => assert_eq!(&bytes[..], &text.as_bytes()[..end]),
            other => panic!("the first {end} bytes: {other:?}"),
        }
    }
}

#[test]
fn interim_answers_are_passed_over_and_101_is_not_one() {
    for status in [100, 102, 103, 199] {
        let text = format!("HTTP/1.1 {status} x\r\nlink: a\r\n\r\nHTTP/1.1 200 OK\r\n");
        match parse(Bytes::from(text), false, FIELDS) {
            Ok(Parsed::Interim { rest, .. }) => assert_eq!(rest, "HTTP/1.1 200 OK\r\n"),
            other => panic!("{status}: {other:?}"),
        }
    }
    let head = read("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\n\r\nfirst");
    assert_eq!((head.length, &head.rest[..]), (Length::Exact(0), &b"first"[..]));
}

#[test]
fn g_01_the_end_of_a_body_is_said_in_one_way() {
    for (fields, length) in [
        ("content-length: 0", Length::Exact(0)),
        ("content-length: 12", Length::Exact(12)),
        ("content-length: 18446744073709551615", Length::Exact(u64::MAX)),
        ("content-length: 5\r\ncontent-length: 5", Length::Exact(5)),
        ("transfer-encoding: chunked", Length::Chunked),
        ("transfer-encoding: Chunked", Length::Chunked),
        ("x: y", Length::UntilClose),
    ] {
        let head = read(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n"));
        assert_eq!(head.length, length, "{fields}");
        assert!(head.response.headers().get_all("content-length").iter().count() < 2, "{fields}");
    }
    for fields in [
        "content-length: -1",
        "content-length: +1",
        "content-length:",
        "content-length: 1, 1",
        "content-length: 0x1",
        "content-length: 1 1",
        "content-length: 18446744073709551616",
        "content-length: 1\r\ncontent-length: 2",
        "content-length: 1\r\ncontent-length: x",
        "content-length: x\r\ncontent-length: 1",
    ] {
        refused(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n"), Malformed::Length);
    }
    for fields in [
        "transfer-encoding: gzip",
        "transfer-encoding: gzip, chunked",
        "transfer-encoding: chunked, chunked",
        "transfer-encoding: xchunked",
        "transfer-encoding: identity",
        "transfer-encoding: chunked\r\ntransfer-encoding: chunked",
        "transfer-encoding: gzip\r\ntransfer-encoding: chunked",
        "transfer-encoding: chunked\r\ncontent-length: 5",
        "content-length: 5\r\ntransfer-encoding: chunked",
    ] {
        refused(&format!("HTTP/1.1 200 OK\r\n{fields}\r\n\r\n"), Malformed::TransferCoding);
    }
    for status in [204, 304] {
        refused(&format!("HTTP/1.1 {status} x\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\n"), Malformed::Length);
        refused(&format!("HTTP/1.1 {status} x\r\ncontent-length: x\r\n\r\n"), Malformed::Length);
    }
    refused("HTTP/1.0 200 OK\r\ntransfer-encoding: chunked\r\n\r\n", Malformed::TransferCoding);
}

#[test]
fn what_has_no_body_has_none_whatever_it_says() {
    for status in [204, 304] {
        let text = format!("HTTP/1.1 {status} x\r\ncontent-length: 5\r\ntransfer-encoding: chunked\r\n\r\n");
        assert_eq!(read(&text).length, Length::Exact(0), "{status}");
    }
    let head = read_for("HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\n", true);
    assert_eq!(
        (head.length, &head.response.headers()["content-length"]),
        (Length::Exact(0), &"5".parse().expect("one"))
    );
}

#[test]
fn a_connection_is_kept_as_its_version_and_its_words_say() {
    for (version, connection, keeps_open) in [
        ("1.1", "", true),
        ("1.1", "connection: keep-alive\r\n", true),
        ("1.1", "connection: close\r\n", false),
        ("1.1", "connection: x, Close\r\n", false),
        ("1.1", "connection: close\r\nconnection: keep-alive\r\n", false),
        ("1.1", "connection: keep-alive\r\nconnection: close\r\n", false),
        ("1.0", "", false),
        ("1.0", "connection: Keep-Alive\r\n", true),
        ("1.0", "connection: keep-alive, close\r\n", false),
    ] {
        let text = format!("HTTP/{version} 200 OK\r\n{connection}content-length: 0\r\n\r\n");
        assert_eq!(read(&text).keeps_open, keeps_open, "{version} {connection}");
    }
}

#[test]
fn what_is_no_head_is_refused() {
    for (text, error) in [
        ("SSH-2.0-OpenSSH_9.6\r\n", httparse::Error::Version),
        ("HTTP/2.0 200 OK\r\n\r\n", httparse::Error::Version),
        ("HTTP/1.1 abc OK\r\n\r\n", httparse::Error::Status),
        ("HTTP/1.1 200 OK\r\nno colon\r\n\r\n", httparse::Error::HeaderName),
        ("HTTP/1.1 200 OK\r\na : b\r\n\r\n", httparse::Error::HeaderName),
        ("HTTP/1.1 200 OK\r\n: b\r\n\r\n", httparse::Error::HeaderName),
        ("HTTP/1.1 200 OK\r\na: b\r\n folded\r\n\r\n", httparse::Error::HeaderName),
        ("HTTP/1.1 200 OK\r\na: b\0c\r\n\r\n", httparse::Error::HeaderValue),
    ] {
        refused(text, Malformed::Syntax(error));
    }
    refused("HTTP/1.1 099 x\r\n\r\n", Malformed::Status);
    let many = |count| format!("HTTP/1.1 200 OK\r\n{}\r\n", "a: b\r\n".repeat(count));
    for count in [FIELDS_USUAL, FIELDS_USUAL + 1, FIELDS] {
        assert_eq!(read(&many(count)).response.headers().len(), count);
    }
    refused(&many(FIELDS + 1), Malformed::Syntax(httparse::Error::TooManyHeaders));
    let huge = "a".repeat(HEAD_BYTES_MAX);
    refused(&format!("HTTP/1.1 200 OK\r\na: {huge}"), Malformed::HeadTooLarge);
    refused(&format!("HTTP/1.1 200 OK\r\na: {huge}\r\n\r\n"), Malformed::HeadTooLarge);
}
