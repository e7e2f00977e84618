//! Attacks on an application behind another proxy (docs/ATTACKS.md).

use super::front::{Front, Kind, untouched};
use crate::harness::browser::{Browser, Protocol, is_challenge, on_both};
use crate::harness::raw::{self, Raw};
use crate::harness::server::Reply;

/// Every name that no client may set, from the source: with `-`, and with what some applications read as `-`.
fn names() -> Vec<String> {
    let source = include_str!("../../../crates/base/src/message/header.rs");
    let (_, list) = source.split_once("const NEVER_FROM_A_CLIENT").expect("the list");
    let (list, _) = list.split_once("];").expect("its end");
    let quoted: Vec<String> = list.split('"').skip(1).step_by(2).map(str::to_owned).collect();
    assert!(quoted.len() > 50, "{quoted:?}");
    // A request that asks for another method is refused, whatever else it says.
    quoted.into_iter().filter(|name| !name.contains("-method-override") && name != "x-http-method").collect()
}

pub fn h_01_h_02_h_03_h_09_no_client_says_who_it_is(kind: Kind) {
    let front = Front::start(kind);
    on_both(|protocol| {
        let mut signed_in = front.signed_in(protocol);
        let mut anonymous = front.browser(protocol);
        for separator in ["-", "_", ".", "~", "!", "+"] {
            let names: Vec<String> = names().iter().map(|name| name.replace('-', separator)).collect();
            for some in names.chunks(20) {
                let headers: Vec<_> = some.iter().map(|name| (name.as_str(), "admin-of-attack")).collect();
                for browser in [&mut signed_in, &mut anonymous] {
                    let answer = browser.send("GET", "https://app.test/public/x", &headers, b"");
                    assert_eq!(answer.status, 200, "{headers:?}: {answer:?}");
                    let received = front.target.last();
                    let spoofed: Vec<_> =
                        received.headers.iter().filter(|(_, value)| value.contains("of-attack")).collect();
                    assert!(spoofed.is_empty(), "{kind:?} {protocol:?}: {spoofed:?}");
                }
            }
        }
        // The claims of a user are not those of the client, either.
        let headers =
            [("x-amzn-oidc-identity", "admin"), ("x-amzn-oidc-data", "e.e.e"), ("x-amzn-oidc-accesstoken", "x")];
        assert_eq!(signed_in.send("GET", "https://app.test/x", &headers, b"").status, 200);
        assert_eq!(front.target.last().header("x-amzn-oidc-identity"), Some("alice"));
        assert!(front.target.last().header("x-amzn-oidc-data").is_some_and(|data| data.len() > 100));
    });
}

pub fn h_15_the_application_gets_no_cookie_of_ours(kind: Kind) {
    let front = Front::start(kind);
    on_both(|protocol| {
        let mut browser = front.signed_in(protocol);
        for path in ["/public/x", "/x"] {
            assert_eq!(browser.get(&format!("https://app.test{path}")).status, 200);
            assert_eq!(front.target.last().header("cookie"), None, "{path}");
        }
    });
}

pub fn f_01_f_02_f_04_f_05_no_header_chooses_the_path(kind: Kind) {
    let front = Front::start(kind);
    let described = [
        ("x-forwarded-uri", "/public/x"),
        ("x-forwarded-method", "GET"),
        ("x-forwarded-host", "app.test"),
        ("x-forwarded-proto", "http"),
        ("x-original-url", "https://app.test/public/x"),
        ("x-original-uri", "/public/x"),
        ("x-original-method", "OPTIONS"),
        ("x-envoy-original-path", "/public/x"),
        ("x-envoy-internal", "true"),
        ("x-auth-request-redirect", "https://evil.test/"),
        ("x-forwarded-prefix", "//evil.test"),
        ("forwarded", "host=evil.test;proto=http"),
    ];
    on_both(|protocol| {
        for agent in ["GoogleHC/1.0", "kube-probe/1.30", "ELB-HealthChecker/2.0"] {
            for path in ["/api/x", "/x", "/auth", "/auth/status"] {
                let mut headers = described.to_vec();
                headers.push(("user-agent", agent));
                let mut browser = front.browser(protocol);
                let url = format!("https://app.test{path}");
                let answer = untouched(&front, path, || browser.send("GET", &url, &headers, b""));
                assert!(is_challenge(&answer), "{path}: {answer:?}");
                if answer.status == 302 {
                    let callback = front.provider.callback_of(answer.location());
                    assert!(callback.starts_with("https://app.test/oauth2/idpresponse?"), "{callback}");
                    assert!(!answer.location().contains("evil"), "{answer:?}");
                }
                for (name, value) in described {
                    let mut browser = front.browser(protocol);
                    let answer = untouched(&front, name, || browser.send("GET", &url, &[(name, value)], b""));
                    assert!(is_challenge(&answer), "{path} {name}: {answer:?}");
                }
            }
        }
    });
}

pub fn f_06_f_08_the_client_is_the_peer_of_the_proxy(kind: Kind) {
    let front = Front::start(kind);
    for value in ["9.9.9.9", "9.9.9.9, 6.6.6.6", "not-an-ip", "127.0.0.1:99999", "[::1", ""] {
        let mut browser = front.browser(Protocol::Http1);
        assert_eq!(browser.send("GET", "https://app.test/public/x", &[("x-forwarded-for", value)], b"").status, 200);
    }
    let records = front.door.access_log(6);
    for record in &records {
        let client = record["client.address"].as_str().expect("an address");
        // Over HTTP, Envoy writes its own address for a client on the same machine.
        assert!(client == "127.0.0.1" || kind == Kind::Envoy, "{record}");
        assert!(!["9.9.9.9", "6.6.6.6"].contains(&client), "{record}");
    }
}

pub fn f_09_a_broken_session_is_no_permission(kind: Kind) {
    let front = Front::start(kind);
    on_both(|protocol| {
        let signed_in = front.signed_in(protocol);
        let name = signed_in.cookie_names("app.test").into_iter().find(|name| name.ends_with("-0")).expect("a session");
        let value = signed_in.cookie("app.test", &name).expect("its value");
        let halves = value[..value.len() / 2].to_owned();
        for broken in ["AAAA", "", "=", "1", &halves, &format!("{value}A"), &value.replacen('1', "2", 1)] {
            for path in ["/x", "/api/x"] {
                let mut browser = front.browser(protocol);
                browser.set_cookie("app.test", &name, broken);
                let answer = untouched(&front, broken, || browser.get(&format!("https://app.test{path}")));
                assert!(is_challenge(&answer), "{broken:?}: {answer:?}");
            }
        }
    });
}

pub fn f_11_the_endpoints_are_no_pages(kind: Kind) {
    let front = Front::start(kind);
    // From the outside they are addresses of the application.
    for path in ["/auth", "/auth/status", "/vestibule-question"] {
        let answer = untouched(&front, path, || front.browser(Protocol::Http2).get(&format!("https://app.test{path}")));
        assert!(is_challenge(&answer) || answer.status == 404, "{path}: {answer:?}");
        assert!(answer.header("x-amzn-trace-id").is_none() && answer.header("cookie").is_none(), "{answer:?}");
    }
}

pub fn p_04_to_p_09_no_path_reaches_another_rule(kind: Kind) {
    let front = Front::start(kind);
    let paths = [
        "/public/../api/x",
        "/public/%2e%2e/api/x",
        "/public/..%2fapi/x",
        "/public/%2e%2e%2fapi/x",
        "/public/..%5capi/x",
        "/public\\..\\api/x",
        "/public/..;x=y/api/x",
        "/public/.;/..;/api/x",
        "/public;a=b/../api/x",
        "/public/%00/x",
        "/public/%zz",
        "/api;x/y",
        "//api/x",
        "/.//api/x",
        "/%61pi/x",
        "/api%2fx",
        "/api/x#/public/",
        "/api/x?/public/",
        "/oauth2/../api/x",
        "/oauth2/..%2fauth",
        "/oauth2/..%2f..%2fpublic/x",
        "/.well-known/oauth-protected-resource/../../api/x",
        "/.well-known/oauth-protected-resource/..%2f..%2fapi/x",
        "/.well-known/oauth-protected-resources",
    ];
    for path in paths {
        let before = front.target.count();
        let mut raw = Raw::connect(front.address, "app.test");
        raw.send(format!("GET {path} HTTP/1.1\r\nhost: app.test\r\nconnection: close\r\naccept: */*\r\n\r\n"));
        let answer = raw.read_to_end();
        if front.target.count() == before {
            assert!(raw::status(&answer) >= 300, "{kind:?} {path}: {answer}");
            continue;
        }
        // What passes is below `/public/` for whoever reads the address.
        let received = front.target.last();
        let target = received.target().to_ascii_lowercase();
        assert!(target.starts_with("/public/"), "{kind:?} {path}: {target}");
        assert!(!["..", "%2e", "%5c", "\\", ";"].iter().any(|part| target.contains(part)), "{kind:?} {path}: {target}");
    }
}

pub fn w_02_a_page_of_another_site_opens_no_websocket(kind: Kind) {
    let front = Front::start(kind);
    let browser = front.signed_in(Protocol::Http1);
    let cookies = browser.cookie_header("app.test");
    front.target.script(|_| {
        Reply::Switch(b"HTTP/1.1 101 Switching\r\nupgrade: websocket\r\nconnection: upgrade\r\n\r\n".to_vec())
    });
    for (origin, expected) in [("https://evil.test", 403), ("https://app.test", 101)] {
        let before = front.target.count();
        let mut raw = Raw::connect(front.address, "app.test");
        raw.send(format!(
            "GET /socket HTTP/1.1\r\nhost: app.test\r\ncookie: {cookies}\r\norigin: {origin}\r\nupgrade: websocket\r\n\
             connection: upgrade\r\nsec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\nsec-websocket-version: 13\r\n\r\n"
        ));
        let (head, _) = raw.read_response();
        assert_eq!(raw::status(&head), expected, "{origin}: {head}");
        assert_eq!(front.target.count() - before, usize::from(expected == 101));
    }
}

/// An application that speaks HTTP/2 without TLS would answer 101, and no request after that would be asked about.
pub fn w_05_no_other_protocol_is_spoken_with_the_application(kind: Kind) {
    let front = Front::start(kind);
    for upgrades in
        [&["h2c"][..], &["h2c, websocket"], &["websocket, h2c"], &["h2c", "websocket"], &["websocket", "h2c"]]
    {
        let mut raw = Raw::connect(front.address, "app.test");
        let fields: String = upgrades.iter().map(|upgrade| format!("upgrade: {upgrade}\r\n")).collect();
        raw.send(format!(
            "GET /public/x HTTP/1.1\r\nhost: app.test\r\n{fields}connection: upgrade, http2-settings\r\n\
             http2-settings: AAMAAABkAAQAAP__\r\n\r\n"
        ));
        raw.read_response();
        if front.target.count() > 0 {
            let received = front.target.last();
            let asked: Vec<_> =
                received.headers.iter().filter(|(name, _)| name.eq_ignore_ascii_case("upgrade")).collect();
            assert!(asked.iter().all(|(_, value)| value == "websocket"), "{kind:?} {upgrades:?}: {asked:?}");
        }
    }
}

/// A site must not be reached by a request that Vestibule is asked about as one for another host, whose rules may be open.
pub fn f_12_no_host_but_the_one_of_the_site_is_asked_about(kind: Kind) {
    let front = Front::start(kind);
    let heads = [
        "GET /public/x HTTP/1.1\r\nhost: other.test",
        "GET https://app.test/public/x HTTP/1.1\r\nhost: other.test",
        "GET https://other.test/public/x HTTP/1.1\r\nhost: app.test",
        "GET /public/x HTTP/1.1\r\nhost: app.test.other.test",
        "GET /public/x HTTP/1.1\r\nhost: app.test:443.other.test",
    ];
    for head in heads {
        let mut raw = Raw::connect(front.address, "app.test");
        raw.send(format!("{head}\r\nconnection: close\r\naccept: */*\r\n\r\n"));
        raw.read_to_end();
        if front.target.count() > 0 {
            let received = front.target.last();
            assert_eq!(received.header("host"), Some("app.test"), "{kind:?} {head}");
        }
    }
}

#[test]
fn f_11_nobody_else_is_answered() {
    let front = Front::start(Kind::Caddy);
    let question = [
        ("x-forwarded-method", "GET"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "app.test"),
        ("x-forwarded-uri", "/public/x"),
        ("x-forwarded-for", "192.0.2.1"),
    ];
    let ask = |peer: &str, path: &str, headers: &[(&str, &str)]| {
        let mut browser = Browser::new(Protocol::Http1, front.door.address_of("door"));
        browser.from = Some(peer.parse().expect("an address"));
        browser.send("GET", &format!("http://app.test{path}"), headers, b"")
    };
    assert_eq!(ask("127.0.0.1", "/auth", &question).status, 200);
    for path in ["/auth", "/auth/status", "/", "/oauth2/userinfo", "/.well-known/vestibule/jwks.json"] {
        let answer = ask("127.0.0.66", path, &question);
        assert_eq!(answer.status, 403, "{path}");
        assert!(
            path == "/auth/status" || answer.reason().as_deref() == Some("forward_auth.peer"),
            "{path}: {answer:?}"
        );
    }
    // A peer that asks about nothing is not answered, either.
    assert_eq!(ask("127.0.0.1", "/x", &question).reason().as_deref(), Some("request.not_found"));
    for missing in 0..question.len() {
        let some: Vec<_> =
            question.iter().enumerate().filter(|(at, _)| *at != missing).map(|(_, field)| *field).collect();
        let answer = ask("127.0.0.1", "/auth", &some);
        assert_eq!((answer.status, answer.reason().as_deref()), (400, Some("forward_auth.description")), "{missing}");
        assert_eq!(ask("127.0.0.1", "/auth/status", &some).status, 403);
    }
    let reserved = ask(
        "127.0.0.1",
        "/auth",
        &question.map(|(name, value)| (name, if name == "x-forwarded-uri" { "/oauth2/sign_out" } else { value })),
    );
    assert_eq!((reserved.status, reserved.reason().as_deref()), (403, Some("forward_auth.reserved_path")));
}

/// A page of 200 that leads on is a refusal for who asks: the user is not signed in.
#[test]
fn f_09_a_page_of_200_is_no_permission() {
    let front = Front::start(Kind::Caddy);
    let yaml = front.door.yaml();
    let strict = yaml.replace(
        "{ type: authenticate-oidc, provider: corp }",
        "{ type: authenticate-oidc, provider: corp, session_cookie_same_site: strict }",
    );
    assert_ne!(strict, yaml);
    front.door.reload(&strict).expect("it is sound");
    let mut browser = front.browser(Protocol::Http1);
    let led_here = [("sec-fetch-site", "cross-site")];
    let answer = untouched(&front, "led here", || browser.send("GET", "https://app.test/x", &led_here, b""));
    assert_eq!(answer.status, 401);
    assert!(answer.text().contains("http-equiv=\"refresh\""), "{}", answer.text());
    // A script of a service worker gets a page that leads to the provider.
    let by_worker =
        [("sec-fetch-mode", "same-origin"), ("upgrade-insecure-requests", "1"), ("sec-fetch-dest", "empty")];
    let answer = untouched(&front, "a worker", || browser.send("GET", "https://app.test/x", &by_worker, b""));
    assert_eq!(answer.status, 401);
    assert!(answer.text().contains(&front.provider.issuer()), "{}", answer.text());
}
