use http::{HeaderValue, header};
use proptest::prelude::*;

use super::*;

fn parse(target: &str) -> Result<CanonicalRequest, Error> {
    let uri: Uri = target.parse().map_err(|_| Error::Character)?;
    let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("app.test"))]);
    CanonicalRequest::parse(Scheme::Https, &Method::GET, &uri, &headers)
}

/// Checks the path that rules match, and the canonical form for targets that would misread the client's own bytes.
#[track_caller]
fn check(target: &str, matched: &str, canonical: &str) {
    let request = parse(target).expect(target);
    assert_eq!(request.path(), matched, "{target}");
    assert_eq!(request.into_canonical_form().expect(target).target.as_str(), canonical, "{target}");
}

/// Checks the bytes that the target receives if every reading leads to one rule.
#[track_caller]
fn forwarded(target: &str, expected: &str) {
    assert_eq!(parse(target).expect(target).target.as_str(), expected, "{target}");
}

/// Checks the paths that targets see if they decode nothing or keep empty segments, then if they decode `%2F` as a slash.
#[track_caller]
fn otherwise(target: &str, otherwise: &[&str], with_slashes: &[&str]) {
    let request = parse(target).expect(target);
    let paths = |read: Vec<CanonicalRequest>| read.iter().map(|read| read.path().to_owned()).collect::<Vec<_>>();
    assert_eq!(paths(request.otherwise_read().collect()), otherwise, "{target}");
    assert_eq!(paths(request.with_slashes_decoded().collect()), with_slashes, "{target}");
}

#[test]
fn the_target_receives_the_clients_own_bytes() {
    for target in [
        "/%61dmin/",
        "/~a/%7Ea/%7ea/'/%27",
        "/a[1]/{x}|^",
        "/caf%c3%a9/café",
        "/a//b///c",
        "/a%2Fb/%2f",
        "/a;b=c",
        "/a?x=//&y=%2F;/../",
    ] {
        forwarded(target, target);
    }
    // Some servers read `//host/path` as an address with a host.
    forwarded("//admin//x?y", "/admin//x?y");
    // An empty path is `/` (RFC 9112 §3.2.1).
    for (target, expected) in
        [("https://app.test", "/"), ("https://app.test?x", "/?x"), ("https://app.test?/../x", "/?/../x")]
    {
        forwarded(target, expected);
        check(target, "/", expected);
    }
    forwarded("///", "/");
}

#[test]
fn what_a_target_could_read_otherwise_is_known() {
    otherwise("/a/b", &[], &[]);
    otherwise("/a;x", &[], &[]);
    otherwise("/caf%C3%A9", &["/caf%C3%A9"], &[]);
    otherwise("/café[1]", &[], &[]);
    otherwise("/a//b/", &["/a//b/"], &[]);
    otherwise("/%61//b", &["/%61/b", "/a//b", "/%61//b"], &[]);
    otherwise("/a%2Fb", &[], &["/a/b", "/a/b"]);
    otherwise("/a%2f%2Fb", &["/a%2f%2Fb"], &["/a/b", "/a//b"]);
    otherwise("/a%252Fb", &["/a%252Fb"], &[]);
}

/// Checks the paths that targets see if they decode before they look for `;`, `?` and `#`.
#[track_caller]
fn cut(target: &str, expected: &[&str]) {
    let request = parse(target).expect(target);
    let read: std::collections::BTreeSet<String> = request.with_ends_cut().map(|read| read.path().to_owned()).collect();
    assert_eq!(read.iter().map(String::as_str).collect::<Vec<_>>(), expected, "{target}");
}

#[test]
fn p_08_what_a_target_sees_that_decodes_before_it_cuts_is_known() {
    cut("/a/b", &[]);
    cut("/a;x", &[]);
    cut("/a?x=%3B%3F", &[]);
    cut("/a%3Bx/b", &["/a/b", "/a;x/b"]);
    cut("/a%3Bx%2Fb", &["/a", "/a/b", "/a;x%2Fb", "/a;x/b"]);
    cut("/a%3F.css", &["/a", "/a?.css"]);
    cut("/a%23/b", &["/a", "/a#/b"]);
    cut("/a%3Bx%3Fy/b", &["/a", "/a/b", "/a;x"]);
    for target in ["/a/..%3Fx", "/..%23/a", "/a/%2e%2e%3f", "/a%2F..%3Fx"] {
        refused(target, Error::DotSegment);
    }
}

#[test]
fn an_encoded_slash_is_three_characters_of_a_segment() {
    check("/a%2Fb", "/a%2Fb", "/a%2Fb");
    check("/a%2fb/%20%2F", "/a%2Fb/ %2F", "/a%2Fb/%20%2F");
    assert!(parse("/a%2fb").expect("a path").has_encoded_slash());
    assert!(!parse("/a%252fb").expect("a path").has_encoded_slash());
    for target in
        ["/public/..%2fadmin", "/public/%2e%2e%2fadmin", "/a%2F..", "/a%2F.%2Fb", "/a%2F..%3Bx%2Fb", "/%2e%2F"]
    {
        refused(target, Error::DotSegment);
    }
    for target in ["/a;x%2Fy", "/a%2Fb;x%2fy"] {
        refused(target, Error::Character);
    }
    refused("/a%2Fb;x/c", Error::Parameters);
    refused("/a%2F%5cb", Error::Character);
}

#[track_caller]
fn refused(target: &str, expected: Error) {
    assert_eq!(parse(target).err(), Some(expected), "{target}");
}

#[test]
fn plain_paths_are_what_they_are() {
    check("/", "/", "/");
    check("/a/b.css?x=/../%zz;#".trim_end_matches('#'), "/a/b.css", "/a/b.css?x=/../%zz;");
    check("/a/.well-known/x", "/a/.well-known/x", "/a/.well-known/x");
    check("/a..b/...", "/a..b/...", "/a..b/...");
    check("/a/", "/a/", "/a/");
}

#[test]
fn octets_that_need_no_encoding_are_decoded() {
    check("/%61dmin/", "/admin/", "/admin/");
    check("/%40me/%7e", "/@me/~", "/@me/~");
    check("/my%20docs/caf%c3%a9", "/my docs/café", "/my%20docs/caf%C3%A9");
    check("/a%3fb%23c", "/a?b#c", "/a%3Fb%23c");
}

#[test]
fn p_06_nothing_is_decoded_twice() {
    check("/public/%252e%252e/admin/", "/public/%2e%2e/admin/", "/public/%252e%252e/admin/");
}

#[test]
fn p_14_empty_segments_are_merged() {
    check("//admin/", "/admin/", "/admin/");
    check("///admin//x", "/admin/x", "/admin/x");
    refused("/.//admin/", Error::DotSegment);
}

#[test]
fn p_08_parameters_do_not_hide_a_path() {
    check("/admin;a=b", "/admin", "/admin;a=b");
    refused("/admin;a=b/", Error::Parameters);
    refused("/;x/admin/", Error::Parameters);
    refused("/public/;/../admin/", Error::Parameters);
    refused("/public/..;foo=bar/admin/", Error::Parameters);
    refused("/public/..;foo=bar", Error::DotSegment);
    check("/a%3Bb", "/a;b", "/a%3Bb");
}

#[test]
fn p_04_to_p_07_dot_segments_and_slashes_in_disguise_are_refused() {
    for target in ["/public/..%3B/private", "/.%3bx/a", "/a/..%3B"] {
        refused(target, Error::DotSegment);
    }
    for target in ["/public/../admin/", "/public/%2e%2e/admin/", "/public/.%2E/admin", "/..", "/a/."] {
        refused(target, Error::DotSegment);
    }
    for target in ["/public/..%5cadmin/", "/public%5c..%5cadmin"] {
        refused(target, Error::Character);
    }
    for target in ["/a%00", "/a%0d%0ab", "/a%7f", "/a%c2%85"] {
        refused(target, Error::Character);
    }
    for target in ["/%zz", "/%", "/%4", "/%c0%ae%c0%ae/", "/%u002e", "/%ff"] {
        refused(target, Error::Encoding);
    }
}

fn with_host(target: &str, hosts: &[&str]) -> Result<(String, Option<u16>), Error> {
    let uri: Uri = target.parse().expect("a URI");
    let headers = hosts.iter().map(|host| (header::HOST, HeaderValue::from_str(host).expect("a value"))).collect();
    CanonicalRequest::parse(Scheme::Https, &Method::GET, &uri, &headers)
        .map(|request| (request.host().to_owned(), request.authority.port()))
}

#[test]
fn p_13_hosts_have_one_spelling() {
    for host in ["app.test", "APP.TEST", "app.test.", "App.Test"] {
        assert_eq!(with_host("/", &[host]), Ok(("app.test".into(), None)), "{host}");
    }
    assert_eq!(with_host("/", &["app.test:8443"]), Ok(("app.test".into(), Some(8443))));
    assert_eq!(with_host("/", &["[::1]:8443"]), Ok(("[::1]".into(), Some(8443))));
    assert_eq!(with_host("/", &["[0:0:0:0:0:0:0:1]:8443"]), Ok(("[::1]".into(), Some(8443))));
    assert_eq!(with_host("/", &["0x7f.1"]), Ok(("127.0.0.1".into(), None)));
    assert_eq!(with_host("/", &["app.test:443"]), Ok(("app.test".into(), None)));
    assert_eq!(with_host("https://app.test/x", &["app.test:443"]), Ok(("app.test".into(), None)));
    assert_eq!(with_host("https://[0::1]/x", &["[::1]"]), Ok(("[::1]".into(), None)));
    assert_eq!(with_host("https://app.test/x", &["app.test"]), Ok(("app.test".into(), None)));
    assert_eq!(with_host("https://app.test/x", &[]), Ok(("app.test".into(), None)));
}

#[test]
fn g_14_and_p_15_exactly_one_host() {
    for hosts in [
        &[][..],
        &["app.test", "other.test"],
        &["app.test", "app.test"],
        &["app.test, other.test"],
        &[""],
        &["a@b"],
        &["a/b"],
        &["a%41"],
        &["[::1"],
        &["[zz]"],
        &["a:b"],
        &["a:99999"],
        &["a:0"],
        &["."],
        &["a.."],
        &["::1"],
        &["a b"],
    ] {
        assert_eq!(with_host("/", hosts), Err(Error::Host), "{hosts:?}");
    }
    assert_eq!(with_host("http://other.test/admin/", &["app.test"]), Err(Error::Host));
}

#[test]
fn p_18_methods_that_a_reverse_proxy_does_not_forward() {
    let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("app.test"))]);
    for method in ["TRACE", "TRACK", "CONNECT", "DEBUG", "track", "GeT", &"A".repeat(41)] {
        let method = Method::from_bytes(method.as_bytes()).expect("a token");
        let parsed = CanonicalRequest::parse(Scheme::Https, &method, &Uri::from_static("/"), &headers);
        assert_eq!(parsed.err(), Some(Error::Method), "{method}");
    }
}

#[test]
fn other_schemes_than_ours_are_refused() {
    let headers = HeaderMap::new();
    for (uri, expected) in [
        ("ftp://app.test/", Some(Error::Scheme)),
        ("ws://app.test/", Some(Error::Scheme)),
        ("http://app.test/", None),
        ("https://app.test/", None),
    ] {
        let parsed = CanonicalRequest::parse(Scheme::Https, &Method::GET, &uri.parse().expect("a URI"), &headers);
        assert_eq!(parsed.err(), expected, "{uri}");
    }
}

const CROOKED: &str = "/(%[0-9a-f]{2}|%2[fF]|[a-zA-Z./;%*'~\\[{-]|//|é){0,24}";

proptest! {
    /// Parsing the bytes that the target receives gives the path that rules matched. This holds for the client's own bytes and
    /// for the canonical form. So the matched and the forwarded path cannot differ (attacks P-10).
    #[test]
    fn p_10_what_is_forwarded_is_read_as_what_matched(path in CROOKED) {
        let Ok(first) = parse(&path) else { return Ok(()) };
        let canonical = first.clone().into_canonical_form().expect("a path");
        for sent in [&first, &canonical] {
            let second = parse(sent.target.as_str()).expect("what we forward is accepted");
            prop_assert_eq!(second.path(), first.path());
            prop_assert_eq!(second.target.as_str(), sent.target.as_str());
            prop_assert_eq!(second.has_encoded_slash(), first.has_encoded_slash());
            prop_assert_eq!(second.exact_path(), first.exact_path());
        }
        for segment in first.path().split('/') {
            prop_assert!(segment != "." && segment != "..");
        }
        prop_assert!(!first.path().contains("//"));
        prop_assert!(!first.target.as_str().starts_with("//"));
    }

    /// A target may decode the bytes once or not, before or after it looks for slashes, before or after it cuts off parameters,
    /// a query and a fragment, and may merge empty segments or not. In every case it sees a path that is in our list.
    #[test]
    fn p_10_every_reading_of_a_target_is_known(path in CROOKED) {
        let Ok(request) = parse(&path) else { return Ok(()) };
        let known: Vec<String> = std::iter::once(request.clone())
            .chain(request.otherwise_read())
            .chain(request.with_slashes_decoded())
            .chain(request.with_ends_cut())
            .map(|read| read.path().to_owned())
            .collect();
        let raw = request.target.path();
        let bare = match raw.rsplit_once('/') {
            Some((folder, last)) => format!("{folder}/{}", last.split(';').next().unwrap_or_default()),
            None => raw.to_owned(),
        };
        let decode = |text: &str| percent_encoding::percent_decode_str(text).decode_utf8().expect("UTF-8").into_owned();
        let keep = |text: &str| decode(&text.replace("%2F", "%252F").replace("%2f", "%252F"));
        let parameters = |path: &str| {
            path.split('/').map(|segment| segment.split(';').next().unwrap_or_default()).collect::<Vec<_>>().join("/")
        };
        let resource = |path: &str| path.split(['?', '#']).next().unwrap_or_default().to_owned();
        for seen in [bare.clone(), decode(&bare), keep(&bare)] {
            let without = [seen.clone(), parameters(&seen), resource(&seen), parameters(&resource(&seen))];
            for seen in without.into_iter().flat_map(|seen| [path::merged(&seen), seen]) {
                prop_assert!(known.contains(&seen), "{seen} of {raw} is not among {known:?}");
            }
        }
        for path in &known {
            let name = |segment: &str| segment.split([';', '?', '#']).next().unwrap_or_default().to_owned();
            prop_assert!(path.split('/').all(|segment| !matches!(&*name(segment), "." | "..")), "{path}");
        }
    }
}
