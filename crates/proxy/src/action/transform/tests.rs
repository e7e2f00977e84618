use http::{HeaderMap, Method, Uri, header};
use proptest::prelude::*;

use super::*;
use crate::message::uri::Scheme;

#[derive(Debug)]
struct Wrong;

impl From<Error> for Wrong {
    fn from(_: Error) -> Self {
        Self
    }
}

fn rewrite(regex: &str, replace: &str, is_insensitive: bool) -> Arc<Rewrite> {
    let replacement = |groups| Ok::<_, Wrong>(Replacement::parse(replace, groups).expect("a replacement"));
    Arc::new(Rewrite::new(regex, is_insensitive, replacement).expect("an expression"))
}

fn request(host: &str, target: &str) -> CanonicalRequest {
    let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_str(host).expect("a host"))]);
    let uri: Uri = target.parse().expect("a target");
    CanonicalRequest::parse(Scheme::Https, &Method::GET, &uri, &headers).expect("a canonical request")
}

/// What a target receives in place of `target`. `None`: the same.
fn url_with(slash: EncodedSlash, regex: &str, replace: &str, target: &str) -> Result<Option<String>, Failed> {
    let settings = Settings { host: None, url: Some(rewrite(regex, replace, false)), encoded_slash: slash };
    let transformed = Transforms::new(&settings).apply(&request("app.test", target))?;
    Ok(transformed.target.map(|target| target.to_string()))
}

#[track_caller]
fn url(regex: &str, replace: &str, target: &str, expected: &str) {
    let sent = url_with(EncodedSlash::Refuse, regex, replace, target);
    assert_eq!(sent, Ok(Some(expected.to_owned())), "{regex} {replace} {target}");
}

#[test]
fn the_first_match_is_replaced_and_what_is_around_it_stays() {
    url("^/api/(.*)$", "/$1", "/api/x/y?a=b", "/x/y?a=b");
    url("^/api", "", "/api/x?a=b", "/x?a=b");
    url("^/api", "/v2/$0", "/api/x", "/v2/api/x");
    url("/v1/", "/v2/", "/a/v1/b/v1/c", "/a/v2/b/v1/c");
    url("^/dp/([A-Z0-9]+)/?$", "/product.php?id=$1", "/dp/B0X", "/product.php?id=B0X");
    url(r"^/search\?q=([^&]*).*$", "/find/$1", "/search?q=x&n=2", "/find/x");
    url("^(/[a-z]+)(/[0-9]+)?$", "/x$2$1", "/abc", "/x/abc");
    url("$", "&traced=1", "/a?b=c", "/a?b=c&traced=1");
    for (regex, target) in [("^/api/", "/apix"), ("^/API/", "/api/x"), ("^/b", "/a?x=/b")] {
        assert_eq!(url_with(EncodedSlash::Refuse, regex, "/", target), Ok(None));
    }
}

/// No spelling gets past an expression that matches the plain one.
#[test]
fn p_10_an_expression_sees_the_canonical_path() {
    for target in ["/api/x", "/%61pi/x", "//api//x", "/api/%78", "/a%70i//x"] {
        url("^/api/x$", "/y", target, "/y");
    }
    url("^/my%20docs/(.*)$", "/$1", "/my%20docs/%C3%A9%7E", "/%C3%A9~");
}

/// P-04, P-05, P-07, P-14: the result is read as strictly as what clients send.
#[test]
fn p_04_a_result_that_cannot_be_sent_is_refused() {
    let fails = |regex, replace, target| url_with(EncodedSlash::Refuse, regex, replace, target).expect_err(target);
    for (regex, replace, target, expected) in [
        ("^/(.*)$", "$1", "/x", uri::Error::NotAPath),
        ("^.*$", "", "/x", uri::Error::NotAPath),
        ("^/a/(.*)$", "http://evil.test/$1", "/a/x", uri::Error::NotAPath),
        (r"^/a\?to=(.*)$", "/$1", "/a?to=../x", uri::Error::DotSegment),
        (r"^/a\?to=(.*)$", "/$1", "/a?to=%2e%2e/x", uri::Error::DotSegment),
        (r"^/a\?to=(.*)$", "/$1", "/a?to=x%2fy", uri::Error::EncodedSlash),
        (r"^/a\?to=(.*)$", "/$1", "/a?to=%5cx", uri::Error::Character),
        (r"^/a\?to=(.*)$", "/$1", "/a?to=%0d%0aHost:%20x", uri::Error::Character),
        (r"^/a\?to=(.*)$", "/$1", "/a?to=%c0%ae", uri::Error::Encoding),
        (r"^/a\?to=(.*)$", "/$1", "/a?to=%", uri::Error::Encoding),
        ("^/a/(%.)(.*)$", "/$2/$1", "/a/%20", uri::Error::Encoding),
    ] {
        assert_eq!(fails(regex, replace, target), Failed::Target(expected), "{target}");
    }
    assert_eq!(fails("^(.*)$", &"$1".repeat(500), &format!("/{}", "a".repeat(500))), Failed::Length);
    // Nobody reads the result as an address with a host.
    url("^/a/(.*)$", "//$1", "/a/evil.test", "/evil.test");
    url("^/a/(.*)$", "/$1", "/a//evil.test", "/evil.test");
    url("^/a/(.*)$", "/x//$1", "/a/y", "/x/y");
    // `%2F` passes where the rule lets it pass.
    let kept = url_with(EncodedSlash::Keep, "^/a/(.*)$", "/$1", "/a/x%2fy");
    assert_eq!(kept, Ok(Some("/x%2Fy".to_owned())));
}

/// What comes from the path into the query cannot add parameters, and what comes from the query into the path cannot end it.
#[test]
fn what_a_client_sent_means_the_same_at_its_new_place() {
    url("^/item/(.*)$", "/item?id=$1", "/item/1&admin=1", "/item?id=1%26admin=1");
    url("^/item/(.*)$", "/item?id=$1", "/item/1%26admin=1+2;x=3", "/item?id=1%26admin=1%2B2%3Bx=3");
    url("^/item/(.*)$", "/item?id=$1", "/item/1%23x%3Fy%25z", "/item?id=1%23x%3Fy%25z");
    url("^/item/(.*)$", "/item?id=$1", "/item/1?admin=1&x=y", "/item?id=1?admin=1&x=y");
    url(r"^/go\?to=(.*)$", "/$1", "/go?to=a?admin=1;x", "/a%3Fadmin=1%3Bx");
    url("^/go(.*)$", "/x$1", "/go?a=b&c=d;e+f", "/x?a=b&c=d;e+f");
    url("^/go/(.*)$", "/x/$1", "/go/a;b=1?c", "/x/a;b=1?c");
}

#[test]
fn a_host_is_replaced_by_a_host() {
    let host = |regex: &str, replace: &str, host: &str| {
        let settings =
            Settings { host: Some(rewrite(regex, replace, true)), url: None, encoded_slash: EncodedSlash::Refuse };
        let transformed = Transforms::new(&settings).apply(&request(host, "/"))?;
        Ok(transformed.host.map(|host| host.to_str().expect("ASCII").to_owned()))
    };
    let to = |host: &str| Ok(Some(host.to_owned()));
    assert_eq!(host(r"^(.+)\.example\.com$", "$1.internal", "Shop.Example.com:8443"), to("shop.internal"));
    assert_eq!(host(r"^(.+)\.example\.com$", "$1.internal:8080", "shop.example.com."), to("shop.internal:8080"));
    assert_eq!(host(r"\.EXAMPLE\.", ".test.", "a.example.com"), to("a.test.com"));
    assert_eq!(host("^other$", "x", "a.example.com"), Ok(None));
    for replace in ["", "a b", "user@$1", "$1/x", "$1:99999", ".", "a,b", "$1:0", "$1:x"] {
        assert_eq!(host("^(.+)$", replace, "a.test"), Err(Failed::Host), "{replace}");
    }
}

#[test]
fn d_19_expressions_are_small_and_linear() {
    let none = |_| Ok::<_, Wrong>(Replacement::parse("/", 0).expect("a replacement"));
    for text in ["(a{100}){100}", "((.{1,99}){99}){99}", "(?=a)", "(a"] {
        assert!(Rewrite::new(text, false, none).is_err(), "{text}");
    }
    let long = format!("/{}!", "a".repeat(8000));
    for regex in ["^/(a+)+$", "^/(a|a)*$", "^/(a|aa)+$", "^/(.*a){12}$"] {
        assert_eq!(url_with(EncodedSlash::Refuse, regex, "/", &long), Ok(None), "{regex}");
    }
}

proptest! {
    /// Whatever an expression makes of what clients send, it is a canonical target, or nothing is sent.
    #[test]
    fn p_10_what_is_sent_is_canonical(
        target in "/[ab/.%2eF5c;&+=é]{0,8}(\\?[ab/.%2eF?;&=]{0,8})?",
        regex in prop::sample::select(vec!["^/a(.*)$", "^/(.*)/(.*)$", r"^/(.*)\?(.*)$", "(a)(b)?", "^(.*)$"]),
        replace in prop::sample::select(vec!["$1", "/$1", "/x?y=$1", "/${1}/../$0", "/$1%2e", "//$1", "/.$1"]),
    ) {
        let Ok(uri) = target.replace('é', "%C3%A9").parse::<Uri>() else { return Ok(()) };
        let headers = HeaderMap::from_iter([(header::HOST, HeaderValue::from_static("app.test"))]);
        let parse = |uri: &Uri| CanonicalRequest::parse(Scheme::Https, &Method::GET, uri, &headers);
        let Ok(request) = parse(&uri) else { return Ok(()) };
        let replacement = |groups| Replacement::parse(replace, groups).map_err(|_| Wrong);
        let Ok(rewrite) = Rewrite::new(regex, false, replacement) else { return Ok(()) };
        let settings = Settings { host: None, url: Some(Arc::new(rewrite)), encoded_slash: EncodedSlash::Refuse };
        let Ok(Transformed { target: Some(sent), .. }) = Transforms::new(&settings).apply(&request) else { return Ok(()) };
        let again = parse(&Uri::from(sent.clone()));
        prop_assert!(again.is_ok(), "{target} became {sent}");
        let again = again.expect("canonical").into_canonical_form().expect("canonical");
        prop_assert_eq!(&again.target, &sent);
        prop_assert!(!sent.as_str().starts_with("//"));
    }
}
