use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

#[track_caller]
fn encoded(head: impl AsRef<[u8]>, expected: impl AsRef<[u8]>) {
    let Look::Encoded(found) = look(head.as_ref()) else {
        panic!("{:?} is encoded", String::from_utf8_lossy(head.as_ref()))
    };
    assert_eq!(String::from_utf8_lossy(&found), String::from_utf8_lossy(expected.as_ref()));
    assert_eq!(look(&found), Look::Plain, "once is enough");
}

#[track_caller]
fn plain(head: impl AsRef<[u8]>) {
    assert_eq!(look(head.as_ref()), Look::Plain, "{:?}", String::from_utf8_lossy(head.as_ref()));
}

#[test]
fn characters_that_only_have_one_reading_are_encoded() {
    encoded("GET /?a=\"<>\" HTTP/1.1\r\n\r\n", "GET /?a=%22%3C%3E%22 HTTP/1.1\r\n\r\n");
    encoded(b"GET /?\x80\xff HTTP/1.1\r\n\r\n", "GET /?%80%FF HTTP/1.1\r\n\r\n");
    encoded("GET /ä?ä\" HTTP/1.1\r\n\r\n", "GET /ä?ä%22 HTTP/1.1\r\n\r\n");
    encoded(b"GET /\xc3\xa4?\xc3\xa4\xc3 HTTP/1.1\r\n\r\n", "GET /ä?%C3%A4%C3 HTTP/1.1\r\n\r\n");
    encoded("GET /a<b>`c`?d HTTP/1.1\r\n\r\n", "GET /a%3Cb%3E%60c%60?d HTTP/1.1\r\n\r\n");
    encoded("GET /?a?\"? HTTP/1.0\n\n", "GET /?a?%22? HTTP/1.0\n\n");
    encoded("\r\n\r\nGET /?\" HTTP/1.1\r\n", "\r\n\r\nGET /?%22 HTTP/1.1\r\n");
    encoded("GET https://app.test/?\" HTTP/1.1\r\n", "GET https://app.test/?%22 HTTP/1.1\r\n");
    // A complete target is enough.
    encoded("GET /?\" HT", "GET /?%22 HT");
}

#[test]
fn nothing_else_is_touched() {
    plain("GET /?a=1 HTTP/1.1\r\nx: \"<>\"\r\n\r\n");
    plain("GET /\"a\" HTTP/1.1\r\n\r\n");
    plain("GET /?` HTTP/1.1\r\n\r\n");
    plain("GET /ä?ä HTTP/1.1\r\n\r\n");
    plain(b"GET /\xff?a HTTP/1.1\r\n\r\n");
    plain("GET https://a<b>/ HTTP/1.1\r\n\r\n");
    plain("GET https://app.test/a<b> HTTP/1.1\r\n\r\n");
    plain("<\"> /?a HTTP/1.1\r\n\r\n");
    plain("GET /?a HTTP/1.1\" <\r\n\r\n");
    for control in ["\0", "\u{1}", "\t", "\r", "\u{7f}"] {
        plain(format!("GET /?{control}a HTTP/1.1\r\n\r\n"));
        encoded(format!("GET /?{control}\" HTTP/1.1\r\n\r\n"), format!("GET /?{control}%22 HTTP/1.1\r\n\r\n"));
    }
    // The request line is missing or incomplete.
    for head in
        ["", "\r\n", "GET", "GET ", "GET /?\"", "GET /?\"\r\nx: y z\r\n", " /?\" HTTP/1.1\r\n", "GET  /?\" HTTP/1.1"]
    {
        plain(head);
    }
    // A body, and a second request after the first.
    plain("POST /?a HTTP/1.1\r\ncontent-length: 27\r\n\r\nGET /?\" HTTP/1.1\r\nhost: a\r\n\r\n");
    encoded(
        "POST /?\" HTTP/1.1\r\n a: <\r\n\r\nGET /?\" HTTP/1.1\r\n\r\n",
        "POST /?%22 HTTP/1.1\r\n a: <\r\n\r\nGET /?\" HTTP/1.1\r\n\r\n",
    );
}

#[test]
fn p_03_a_fragment_is_seen_in_a_target_only() {
    for head in ["GET /a#b HTTP/1.1\r\n", "GET /?\"#b HTTP/1.1\r\n", "GET https://app.test#/ HTTP/1.0\n", "GET # H"] {
        assert_eq!(look(head.as_bytes()), Look::Fragment, "{head}");
    }
    plain("GET /a HTTP/1.1\r\nx: #\r\n");
    plain("GET /a%23b HTTP/1.1\r\n");
    plain("{\"colour\": \"#fff\"}");
    plain("GET# / HTTP/1.1\r\n");
}

#[test]
fn of_a_refused_head_is_read_what_can_be_read() {
    let read = |head: &str| {
        let Unread { method, uri, version, headers, .. } = Unread::of(head.as_bytes());
        let mut text = format!("{method:?} {uri:?} {version:?}");
        for (name, value) in &headers {
            let _ = write!(text, " {name}={value:?}");
        }
        text
    };
    let whole = "GET /a HTTP/1.1\r\nHost: a.test\r\nbad\r\nb d: x\r\n folded: x\r\nAccept:text/html\r\n\r\nbody: x\r\n";
    assert_eq!(read(whole), r#"Some(GET) Some(/a) Some(HTTP/1.1) host="a.test" accept="text/html""#);
    assert_eq!(read("GET /a HTTP/1.0\nhost: a\nuser-age"), r#"Some(GET) Some(/a) Some(HTTP/1.0) host="a""#);
    assert_eq!(read("G(T /a< HTTP/3\r\n"), "None None None");
    assert_eq!(read("GET /a HTTP"), "Some(GET) Some(/a) None");
    for nothing in ["", "\r\n", "GET", "GET /", "GET /\r\nhost: a\r\n", "\u{16}\u{3}\u{1}"] {
        assert_eq!(read(nothing), "None None None", "{nothing:?}");
    }
    let many = format!("GET / HTTP/1.1\r\n{}", "x: y\r\n".repeat(40_000));
    assert_eq!(Unread::of(many.as_bytes()).headers.len(), FIELDS_MAX);
}

type Fields = Vec<(String, Vec<u8>)>;

/// The result of the library's parser for a head: method, target, version, fields and length.
fn parsed(head: &[u8]) -> Option<(String, Vec<u8>, u8, Fields, usize)> {
    let mut fields = [httparse::EMPTY_HEADER; 32];
    let mut request = httparse::Request::new(&mut fields);
    let length = request.parse(head).ok().filter(httparse::Status::is_complete)?.unwrap();
    let fields = request.headers.iter().map(|field| (field.name.to_owned(), field.value.to_vec())).collect();
    Some((request.method?.to_owned(), request.path?.into(), request.version?, fields, length))
}

fn decoded(target: &[u8]) -> Vec<u8> {
    percent_encoding::percent_decode(target).collect()
}

/// Random bytes. Bytes with a meaning for a parser are more frequent than others.
fn noise() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![
        4 => prop::sample::select(b" \r\n\t\0:/?#%\"<>`a1\x7f".to_vec()),
        1 => any::<u8>(),
    ];
    prop::collection::vec(byte, 0..12)
}

fn head() -> impl Strategy<Value = Vec<u8>> {
    let starts = prop::sample::select(vec!["GET /", "\r\nPOST /a?", "GET https://a.test/?", "GET ", "", "GET /?\""]);
    let ends = prop::sample::select(vec![" HTTP/1.1\r\n", " HTTP/1.0\n", " HTTP/1.1 ", "\r\n", ""]);
    let rests =
        prop::sample::select(vec!["host: a\r\n\r\n", "x: \"<\r\n folded\r\n\r\n", "\r\nGET /?\" HTTP/1.1\r\n\r\n", ""]);
    (starts, noise(), ends, noise(), rests).prop_map(|(start, target, end, more, rest)| {
        [start.as_bytes(), &target, end.as_bytes(), rest.as_bytes(), &more].concat()
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    #[test]
    fn a_head_differs_from_its_encoded_form_within_the_target_only(head in head()) {
        let Look::Encoded(found) = look(&head) else { return Ok(()) };
        prop_assert_eq!(look(&found), Look::Plain);
        // The output has all bytes that are not encoded, in the same order, and nothing else.
        let (mut old, mut new) = (&head[..], &found[..]);
        while let [byte, rest @ ..] = old {
            if new.first() == Some(byte) {
                new = &new[1..];
            } else {
                prop_assert!(matches!(byte, b'"' | b'<' | b'>' | b'`' | 0x80..), "{byte}");
                let octet = format!("%{byte:02X}");
                prop_assert_eq!(&new[..3], octet.as_bytes());
                new = &new[3..];
            }
            old = rest;
        }
        prop_assert!(new.is_empty());
        // If the library accepts the original, it reads the same from the encoded form, except the spelling of the target.
        if let Some((method, target, version, fields, length)) = parsed(&head) {
            let (new_method, new_target, new_version, new_fields, new_length) = parsed(&found).expect("read as well");
            prop_assert_eq!((method, version, fields), (new_method, new_version, new_fields));
            prop_assert_eq!(decoded(&target), decoded(&new_target));
            prop_assert_eq!(&head[length..], &found[new_length..], "what follows is the same");
            let path = |target: &[u8]| target.split(|byte| *byte == b'?').next().map(decoded);
            prop_assert_eq!(path(&target), path(&new_target), "the path ends where it ended");
        }
        // The line breaks do not move, so no request begins or ends in another place.
        let breaks = |bytes: &[u8]| bytes.iter().filter(|byte| matches!(byte, b'\r' | b'\n' | b' ' | b'\0')).count();
        prop_assert_eq!(breaks(&head), breaks(&found));
    }

    #[test]
    fn nothing_that_comes_makes_us_panic(bytes in prop_oneof![head(), prop::collection::vec(any::<u8>(), 0..200)]) {
        let _ = (look(&bytes), Unread::of(&bytes).headers.len());
    }
}

#[test]
fn another_version_is_told_from_what_is_no_version() {
    for other in ["HTTP/0.9", "HTTP/1.2", "HTTP/1.9", "HTTP/2.0", "HTTP/3.0", "HTTP/9.9"] {
        assert!(has_other_version(format!("GET / {other}\r\nhost: a\r\n\r\n").as_bytes()), "{other}");
    }
    assert!(has_other_version(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"));
    for version in
        ["HTTP/1.1", "HTTP/1.0", "HTTP/1.1 ", " HTTP/2.0", "HTTP/2", "HTTP/1.10", "http/2.0", "HTTP/2,0", "FTP/2.0", ""]
    {
        assert!(!has_other_version(format!("GET / {version}\r\nhost: a\r\n\r\n").as_bytes()), "{version:?}");
    }
    for head in ["", "GET", "GET / HTTP/2.0", "GET / HTTP/2.0\n", "GET /\r\n\r\n"] {
        assert!(!has_other_version(head.as_bytes()), "{head:?}");
    }
}

#[test]
fn a_long_line_is_told_from_many_fields() {
    assert!(has_long_line(&[b'a'; 51], 100));
    assert!(has_long_line(&[&[b'a'; 51][..], b"\r\nhost: a\r\n"].concat(), 100));
    assert!(!has_long_line(&[&[b'a'; 50][..], b"\n", &[b'b'; 90]].concat(), 100));
    assert!(!has_long_line(b"\r\nGET / HTTP/1.1\r\n", 100));
}
