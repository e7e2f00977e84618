use http::{HeaderName, HeaderValue, Method};
use proptest::prelude::*;

use crate::forward_auth::described::{Described, Error};
use crate::forward_auth::questions::Questions;
use crate::forward_auth::settings::{AskedBy, Refusals, Settings};
use crate::message::Request;
use crate::message::body::Body;
use crate::message::forwarded::Policy;
use crate::message::uri::{CanonicalRequest, Scheme};

const NGINX: &[(&str, &str)] = &[
    ("x-original-method", "POST"),
    ("x-original-url", "https://app.test:8443/a%2Fb?c=//d"),
    ("x-forwarded-for", "192.0.2.1"),
];
const TRAEFIK: &[(&str, &str)] = &[
    ("x-forwarded-method", "POST"),
    ("x-forwarded-proto", "https"),
    ("x-forwarded-host", "app.test:8443"),
    ("x-forwarded-uri", "/a%2Fb?c=//d"),
    ("x-forwarded-for", "192.0.2.1"),
];
const ENVOY: &[(&str, &str)] =
    &[("host", "app.test:8443"), ("x-forwarded-proto", "https"), ("x-forwarded-for", "192.0.2.1")];
const BELOW: &str = "/a%2Fb?c=//d";

fn policy() -> Policy {
    Policy { trusted: vec!["10.0.0.0/8".parse().unwrap()], ..Policy::default() }
}

fn read(asked_by: AskedBy, below: &str, headers: &[(&str, &str)]) -> Result<Described, Error> {
    let mut request = Request::new(Body::empty());
    *request.method_mut() = if asked_by == AskedBy::Envoy { Method::POST } else { Method::GET };
    for (name, value) in headers {
        let name: HeaderName = name.parse().unwrap();
        request.headers_mut().append(name, HeaderValue::from_bytes(value.as_bytes()).unwrap());
    }
    Described::of(asked_by, below, &request, &policy())
}

fn whole(asked_by: AskedBy) -> (&'static str, &'static [(&'static str, &'static str)]) {
    match asked_by {
        AskedBy::Nginx => ("", NGINX),
        AskedBy::Traefik | AskedBy::Caddy => ("", TRAEFIK),
        AskedBy::Envoy => (BELOW, ENVOY),
        AskedBy::EnvoyGrpc => unreachable!("described by a message"),
    }
}

const ALL: [AskedBy; 4] = [AskedBy::Nginx, AskedBy::Traefik, AskedBy::Caddy, AskedBy::Envoy];

#[test]
fn every_proxy_describes_the_same_request() {
    for asked_by in ALL {
        let (below, headers) = whole(asked_by);
        let described = read(asked_by, below, headers).unwrap();
        let expected = Described {
            method: Method::POST,
            scheme: Scheme::Https,
            host: HeaderValue::from_static("app.test:8443"),
            target: "/a%2Fb?c=//d".parse().unwrap(),
            client: "192.0.2.1".parse().unwrap(),
        };
        assert_eq!(described, expected, "{asked_by:?}");
        let mut request = Request::new(Body::empty());
        described.put_into(&mut request);
        let canonical =
            CanonicalRequest::parse(Scheme::Https, request.method(), request.uri(), request.headers()).unwrap();
        assert_eq!(canonical.to_string(), "POST app.test:8443/a%2Fb");
    }
}

#[test]
fn f_07_what_is_missing_empty_or_there_twice_is_refused() {
    for asked_by in ALL {
        let (below, headers) = whole(asked_by);
        for (index, (name, value)) in headers.iter().enumerate() {
            let without: Vec<_> = headers.iter().filter(|(other, _)| other != name).copied().collect();
            assert!(matches!(read(asked_by, below, &without), Err(Error::Missing(_))), "{asked_by:?} {name}");
            let mut changed = headers.to_vec();
            changed[index].1 = "";
            assert!(read(asked_by, below, &changed).is_err(), "{asked_by:?} {name}");
            if *name != "x-forwarded-for" {
                // Also where both say the same.
                let twice: Vec<_> = headers.iter().copied().chain([(*name, *value)]).collect();
                assert!(matches!(read(asked_by, below, &twice), Err(Error::Twice(_))), "{asked_by:?} {name}");
            }
        }
    }
}

#[test]
fn f_07_what_cannot_be_read_is_refused() {
    let cases: &[(AskedBy, &str, &[&str])] = &[
        (AskedBy::Nginx, "x-original-method", &["G T", "GET,POST", "GET\u{e9}"]),
        (
            AskedBy::Nginx,
            "x-original-url",
            &[
                "/x",
                "app.test/x",
                "ftp://app.test/x",
                "HTTPS://app.test/x",
                "https:///x",
                "https://app.test",
                // `Host` comes from the client: it must not decide where the path begins (attacks P-03).
                "https://app.test?x/secret",
                "https://app.test#/secret",
                "https://app.test@evil.test/x",
                "https://app.test\\x/secret",
                "https://app.test,other.test/x",
                "https://app.test%2f/x",
                "https://app.test/x#y",
                "https://app.test/x y",
            ],
        ),
        (AskedBy::Traefik, "x-forwarded-uri", &[":", "x", "?x", "*", "//x#y", "/x#", "/a b", "https://app.test/x"]),
        (AskedBy::Traefik, "x-forwarded-proto", &["javascript", "HTTPS", "https, http", "https,https", " "]),
        (AskedBy::Traefik, "x-forwarded-method", &["G T", "(", "GET\t"]),
        (AskedBy::Caddy, "x-forwarded-for", &["not-an-ip", "127.0.0.1:99999", "[::1", "192.0.2.1, ", "192.0.2.1, x"]),
        (AskedBy::Envoy, "x-forwarded-proto", &["ftp", "http:"]),
    ];
    for (asked_by, name, values) in cases {
        let (below, headers) = whole(*asked_by);
        for value in *values {
            let changed: Vec<_> =
                headers.iter().map(|(other, old)| (*other, if other == name { *value } else { *old })).collect();
            let read = read(*asked_by, below, &changed);
            assert!(matches!(read, Err(Error::Invalid(_))), "{asked_by:?} {name}: {value}: {read:?}");
        }
    }
    for below in ["", "x", "?x", "/x#y"] {
        assert!(read(AskedBy::Envoy, below, ENVOY).is_err(), "{below}");
    }
}

#[test]
fn headers_of_another_proxy_are_not_read() {
    for asked_by in ALL {
        let (below, headers) = whole(asked_by);
        let others = ALL.into_iter().filter(|other| *other != asked_by).flat_map(|other| whole(other).1);
        let foreign: Vec<_> = others.filter(|(name, _)| !headers.iter().any(|(own, _)| own == name)).collect();
        let spoofed: Vec<_> = foreign.iter().map(|(name, _)| (*name, "/public/x")).collect();
        let both: Vec<_> = headers.iter().copied().chain(spoofed).collect();
        assert_eq!(read(asked_by, below, &both), read(asked_by, below, headers), "{asked_by:?}");
    }
}

#[test]
fn f_06_f_08_the_client_is_the_rightmost_that_is_not_trusted() {
    let client = |list: &str| {
        let changed: Vec<_> =
            TRAEFIK.iter().map(|(name, old)| (*name, if *name == "x-forwarded-for" { list } else { *old })).collect();
        read(AskedBy::Caddy, "", &changed).unwrap().client.to_string()
    };
    assert_eq!(client("9.9.9.9, 6.6.6.6"), "6.6.6.6");
    assert_eq!(client("9.9.9.9, 6.6.6.6, 10.1.1.1"), "6.6.6.6");
    assert_eq!(client("10.0.0.9"), "10.0.0.9");
    assert_eq!(client(&["10.0.0.1"; 500].join(",")), "10.0.0.1");
}

fn questions(asked_by: AskedBy) -> Questions {
    let endpoints = vec![("/auth".into(), Refusals::Answer), ("/ask".into(), Refusals::Status)];
    Questions::new(Settings { asked_by, peers: vec!["127.0.0.1/32".parse().unwrap()], endpoints })
}

#[test]
fn questions_are_found_by_their_path() {
    let uri = |text: &'static str| http::Uri::from_static(text);
    for asked_by in [AskedBy::Nginx, AskedBy::Traefik, AskedBy::Caddy] {
        let questions = questions(asked_by);
        let found = |text| questions.find(&uri(text)).map(|question| question.refusals);
        assert_eq!(found("/auth"), Some(Refusals::Answer));
        assert_eq!(found("/auth?x=y"), Some(Refusals::Answer));
        assert_eq!(found("/ask"), Some(Refusals::Status));
        for other in ["/", "/auth/", "/auth/x", "//auth", "/Auth", "/%61uth", "/auth;x", "/oauth2/../auth"] {
            assert_eq!(found(other), None, "{other}");
        }
        let handed_over = questions.find(&uri("/auth")).is_some_and(|question| question.is_handed_over());
        assert_eq!(handed_over, asked_by == AskedBy::Nginx);
    }
    let questions = questions(AskedBy::Envoy);
    let below = |text| questions.find(&uri(text)).map(|question| question.below.to_owned());
    assert_eq!(below("/auth/"), Some("/".into()));
    assert_eq!(below("/auth//x?y"), Some("//x?y".into()));
    assert_eq!(below("/auth/auth/x"), Some("/auth/x".into()));
    for other in ["/auth", "/authx", "/auth?/x", "/", "/x/auth/y"] {
        assert_eq!(below(other), None, "{other}");
    }
}

#[test]
fn f_11_only_peers_may_ask() {
    let questions = questions(AskedBy::Caddy);
    assert!(questions.may_ask("127.0.0.1".parse().unwrap()));
    assert!(!questions.may_ask("127.0.0.2".parse().unwrap()));
    assert!(!questions.may_ask("::1".parse().unwrap()));
}

proptest! {
    /// Whatever a client writes into `Host` and the address, a description that is read has exactly the client's address.
    #[test]
    fn p_10_the_address_is_the_one_of_the_client(host in "[a-z.:@?#/\\\\%\\[\\]]{0,8}", path in "/[ -~]{0,12}") {
        let url = format!("https://{host}{path}");
        let headers = [("x-original-method", "GET"), ("x-original-url", &*url), ("x-forwarded-for", "192.0.2.1")];
        if let Ok(described) = read(AskedBy::Nginx, "", &headers) {
            // nginx refuses a `Host` with a slash, and so does the proxy that reads this one.
            let at = host.find('/').unwrap_or(host.len());
            prop_assert_eq!(described.host.as_bytes(), &host.as_bytes()[..at]);
            prop_assert_eq!(described.target.as_str(), format!("{}{path}", &host[at..]));
        }
        let headers: Vec<_> =
            TRAEFIK.iter().map(|(name, old)| (*name, if *name == "x-forwarded-uri" { &*path } else { *old })).collect();
        if let Ok(described) = read(AskedBy::Traefik, "", &headers) {
            prop_assert_eq!(described.target.as_str(), path);
        }
    }
}
