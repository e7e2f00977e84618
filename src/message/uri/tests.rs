use http::{HeaderValue, header};
use proptest::prelude::*;

use super::*;

fn parse(target: &str) -> Result<CanonicalRequest, Error> {
    let uri: Uri = target.parse().map_err(|_| Error::Character)?;
    let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("app.test"))]);
    CanonicalRequest::parse(&Method::GET, &uri, &headers)
}

/// The path that rules match and the path that the target receives.
#[track_caller]
fn check(target: &str, matched: &str, sent: &str) {
    let request = parse(target).expect(target);
    assert_eq!((request.path(), request.target.as_str()), (matched, sent), "{target}");
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
    for target in
        ["/public/..%2fadmin", "/public/%2e%2e%2fadmin", "/public/..%5cadmin/", "/public%5c..%5cadmin", "/a%2Fb"]
    {
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
    CanonicalRequest::parse(&Method::GET, &uri, &headers)
        .map(|request| (request.host().to_owned(), request.authority.port()))
}

#[test]
fn p_13_hosts_have_one_spelling() {
    for host in ["app.test", "APP.TEST", "app.test.", "App.Test"] {
        assert_eq!(with_host("/", &[host]), Ok(("app.test".into(), None)), "{host}");
    }
    assert_eq!(with_host("/", &["app.test:8443"]), Ok(("app.test".into(), Some(8443))));
    assert_eq!(with_host("/", &["[::1]:8443"]), Ok(("[::1]".into(), Some(8443))));
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
        let parsed = CanonicalRequest::parse(&method, &Uri::from_static("/"), &headers);
        assert_eq!(parsed.err(), Some(Error::Method), "{method}");
    }
}

proptest! {
    /// Reading what the target receives gives the same reading: matched and forwarded cannot differ (attacks P-10).
    #[test]
    fn p_10_the_canonical_form_is_a_fixed_point(path in "/(%[0-9a-f]{2}|[a-zA-Z./;%*'~-]|//|é){0,24}") {
        if let Ok(first) = parse(&path) {
            let second = parse(first.target.as_str()).expect("the canonical form is accepted");
            prop_assert_eq!(second.target.as_str(), first.target.as_str());
            prop_assert_eq!(second.path(), first.path());
            for segment in first.path().split('/') {
                prop_assert!(segment != "." && segment != "..");
            }
            prop_assert!(!first.path().contains("//"));
        }
    }
}
