//! F: saying where a request came from, or which one it was, in the proxy's place; and what targets are told.

use std::net::IpAddr;

use super::Fixture;
use crate::harness::app::ATTACK_RULES;
use crate::harness::browser::{Browser, Protocol, is_challenge, on_both};

/// A rule for one address, before the rules that everybody meets.
fn rules() -> String {
    let office = "
      - name: office
        priority: 1
        conditions: [{ source_ip: [9.9.9.9/32] }]
        actions: [{ type: forward, target_group: app }]";
    format!("{office}{ATTACK_RULES}")
}

const TRUSTED: &str = "    trusted_proxies: [127.0.0.5/32, 10.0.0.0/8]";

fn from(mut browser: Browser, address: &str) -> Browser {
    browser.from = Some(address.parse::<IpAddr>().expect("an address"));
    browser
}

#[test]
fn f_01_no_user_agent_is_let_in() {
    let fixture = Fixture::start();
    on_both(|protocol| {
        for agent in ["GoogleHC/1.0", "kube-probe/1.30", "ELB-HealthChecker/2.0", "Amazon-Route53-Health-Check-Service"]
        {
            for path in ["/admin/", "/api/x", "/auth", "/oauth2/auth"] {
                let headers = [("user-agent", agent)];
                let send = || fixture.browser(protocol).send("GET", &format!("https://app.test{path}"), &headers, b"");
                assert!(is_challenge(&fixture.untouched(agent, send)), "{agent} {path}");
            }
        }
    });
}

#[test]
fn f_02_f_05_no_header_chooses_the_path() {
    let fixture = Fixture::start();
    let names = [
        "x-forwarded-uri",
        "x-forwarded-path",
        "x-envoy-original-path",
        "x-original-uri",
        "x-original-url",
        "x-rewrite-url",
        "x-auth-request-redirect",
        "x-forwarded-prefix",
    ];
    let headers: Vec<_> = names.iter().map(|name| (*name, "/public/x")).chain([("x-envoy-internal", "true")]).collect();
    on_both(|protocol| {
        let get = |path: &str| fixture.browser(protocol).send("GET", &format!("https://app.test{path}"), &headers, b"");
        assert!(is_challenge(&fixture.untouched("/admin/", || get("/admin/"))));
        assert!(is_challenge(&fixture.untouched("/api/x", || get("/api/x"))));
        assert_eq!(get("/public/y").status, 200);
        let received = fixture.target.last();
        for (name, _) in &headers {
            assert_eq!(received.header(name), None, "{name}");
        }
    });
}

#[test]
fn f_04_forwarded_headers_change_neither_redirects_nor_cookies() {
    let fixture = Fixture::start();
    on_both(|protocol| {
        for (name, value) in [
            ("x-forwarded-host", "evil.test"),
            ("x-forwarded-proto", "http"),
            ("x-forwarded-proto", "javascript"),
            ("x-forwarded-prefix", "//evil.test"),
            ("x-forwarded-port", "443@evil.test"),
            ("x-forwarded-scheme", "http"),
            ("x-forwarded-ssl", "off"),
            ("x-original-host", "evil.test"),
            ("forwarded", "host=evil.test;proto=http"),
        ] {
            let mut browser = fixture.browser(protocol);
            let sent = browser.send("GET", "https://app.test/x", &[(name, value)], b"");
            let callback = fixture.provider.callback_of(sent.location());
            assert!(callback.starts_with("https://app.test/oauth2/idpresponse?"), "{name}: {callback}");
            let back = browser.send("GET", &callback, &[(name, value)], b"");
            assert_eq!((back.status, back.location()), (302, "/x"), "{name}: {value}");
            for line in sent.set_cookies().into_iter().chain(back.set_cookies()) {
                assert!(line.starts_with("__Host-") && line.contains("; Secure"), "{name}: {line}");
            }
            let page = browser.send("GET", "https://app.test/x", &[(name, value)], b"");
            assert_eq!(page.status, 200);
            let received = fixture.target.last();
            assert!(!received.headers.iter().any(|(_, told)| told == value), "{name}: {received:?}");
        }
    });
}

#[test]
fn f_03_nobody_is_trusted_by_default() {
    let fixture = Fixture::with(|setup| setup.rules(&rules()));
    on_both(|protocol| {
        for address in ["127.0.0.1", "127.0.0.5"] {
            let mut browser = from(fixture.browser(protocol), address);
            let send = || browser.send("GET", "https://app.test/x", &[("x-forwarded-for", "9.9.9.9")], b"");
            assert!(is_challenge(&fixture.untouched(address, send)), "{address}");
        }
    });
}

#[test]
fn f_06_f_08_the_client_is_the_last_address_that_a_trusted_peer_vouches_for() {
    let fixture = Fixture::with(|setup| setup.rules(&rules()).listener(TRUSTED));
    let list_of = |count: usize| vec!["9.9.9.9"; count].join(", ");
    on_both(|protocol| {
        for (peer, fields, is_office) in [
            ("127.0.0.5", vec!["9.9.9.9"], true),
            ("127.0.0.5", vec!["6.6.6.6, 9.9.9.9"], true),
            ("127.0.0.5", vec!["not-an-ip, 9.9.9.9"], true),
            ("127.0.0.5", vec!["6.6.6.6", "9.9.9.9"], true),
            ("127.0.0.5", vec!["9.9.9.9, 10.1.2.3"], true),
            ("127.0.0.5", vec!["9.9.9.9:1234"], true),
            // The leftmost is what the client says itself.
            ("127.0.0.5", vec!["9.9.9.9, 6.6.6.6"], false),
            ("127.0.0.5", vec!["9.9.9.9", "6.6.6.6"], false),
            ("127.0.0.5", vec!["9.9.9.9, 6.6.6.6, 10.1.2.3"], false),
            // What cannot be read ends the walk.
            ("127.0.0.5", vec!["9.9.9.9, not-an-ip"], false),
            ("127.0.0.5", vec!["9.9.9.9, not-an-ip, 10.1.2.3"], false),
            ("127.0.0.5", vec!["not-an-ip"], false),
            ("127.0.0.5", vec!["9.9.9.9:99999"], false),
            ("127.0.0.5", vec!["[::1"], false),
            ("127.0.0.5", vec!["9.9.9.9,"], false),
            ("127.0.0.5", vec![""], false),
            ("127.0.0.5", vec![], false),
            // Nobody else is believed.
            ("127.0.0.1", vec!["9.9.9.9"], false),
            ("127.0.0.66", vec!["9.9.9.9, 127.0.0.5"], false),
        ] {
            let mut browser = from(fixture.browser(protocol), peer);
            let headers: Vec<_> = fields.iter().map(|field| ("x-forwarded-for", *field)).collect();
            let before = fixture.target.count();
            let answer = browser.send("GET", "https://app.test/x", &headers, b"");
            let reached = fixture.target.count() > before;
            assert_eq!((answer.status == 200, reached), (is_office, is_office), "{peer} {fields:?}: {}", answer.status);
        }
        let mut browser = from(fixture.browser(protocol), "127.0.0.5");
        for hops in [31, 500] {
            let hops = list_of(hops);
            let send = || browser.send("GET", "https://app.test/public/x", &[("x-forwarded-for", &hops)], b"");
            let answer = fixture.untouched("hops", send);
            assert_eq!((answer.status, answer.reason().as_deref()), (463, Some("request.forwarded_too_long")));
        }
    });
}

#[test]
fn f_08_the_access_log_names_the_client_that_rules_saw() {
    let fixture = Fixture::with(|setup| setup.listener(TRUSTED));
    let get = |peer: &str, list: &str| {
        let mut browser = from(fixture.browser(Protocol::Http2), peer);
        browser.send("GET", "https://app.test/public/x", &[("x-forwarded-for", list)], b"");
    };
    get("127.0.0.5", "9.9.9.9, 6.6.6.6");
    get("127.0.0.66", "9.9.9.9");
    get("127.0.0.5", "localhost");
    let log = fixture.proxy.access_log(3);
    let mut clients: Vec<_> = log.iter().map(|record| record["client.address"].as_str().expect("an address")).collect();
    clients.sort_unstable();
    assert_eq!(clients, ["127.0.0.5", "127.0.0.66", "6.6.6.6"]);
}

#[test]
fn f_09_a_cookie_that_does_not_open_is_nobody() {
    let fixture = Fixture::start();
    on_both(|protocol| {
        let session = fixture.signed_in(protocol).cookie("app.test", "__Host-vestibule-0").expect("a session");
        let half = &session[..session.len() / 2];
        let swapped: String = session.chars().rev().collect();
        for value in
            ["AAAA", "", "=", "1", "4", "1AAAA", "0", "null", "\"\"", "%00", half, &swapped, &format!("{session}A")]
        {
            let cookie = format!("__Host-vestibule-0={value}");
            let headers = [("cookie", cookie.as_str())];
            let mut browser = fixture.browser(protocol);
            let mut send = |path: &str| browser.send("GET", &format!("https://app.test{path}"), &headers, b"");
            let challenged = fixture.untouched(value, || send("/"));
            assert_eq!(challenged.status, 302, "{value}");
            let denied = fixture.untouched(value, || send("/api/x"));
            assert_eq!((denied.status, denied.reason().as_deref()), (401, Some("auth.session_invalid")), "{value}");
            assert_eq!(send("/opt/x").status, 200);
            let received = fixture.target.last();
            assert_eq!((received.header("x-amzn-oidc-identity"), received.header("cookie")), (None, None), "{value}");
            assert_eq!(received.header("x-amzn-oidc-data"), None);
        }
    });
}

#[test]
fn f_the_target_is_told_who_asked_and_how() {
    let fixture = Fixture::start();
    on_both(|protocol| {
        let mut browser = fixture.browser(protocol);
        browser.get("https://app.test/public/x");
        let received = fixture.target.last();
        assert_eq!(received.header("x-forwarded-for"), Some("127.0.0.1"));
        assert_eq!(received.header("x-forwarded-proto"), Some("https"));
        assert_eq!(received.header("x-forwarded-port"), Some("443"), "what the client used, not what we listen on");
        assert_eq!(received.header("x-forwarded-host"), Some("app.test"));
        let trace = received.header("x-amzn-trace-id").expect("a trace").to_owned();
        assert!(trace.starts_with("Root=1-"), "{trace}");

        let given =
            [("x-forwarded-for", "203.0.113.9"), ("x-forwarded-for", "198.51.100.7"), ("x-amzn-trace-id", &trace)];
        browser.send("GET", "https://APP.test:8443/public/x", &given, b"");
        let received = fixture.target.last();
        assert_eq!(received.header("x-forwarded-for"), Some("203.0.113.9, 198.51.100.7, 127.0.0.1"));
        assert_eq!(received.header("x-forwarded-host"), Some("app.test:8443"));
        assert_eq!(received.header("x-forwarded-port"), Some("8443"));
        let (own, root) = received.header("x-amzn-trace-id").expect("a trace").split_once(';').expect("two parts");
        assert!(own.starts_with("Self=1-") && !trace.contains(&own[5..]), "{own}");
        assert_eq!(root, trace);

        let thirty = vec!["203.0.113.9"; 30].join(",");
        let answer = browser.send("GET", "https://app.test/public/x", &[("x-forwarded-for", &thirty)], b"");
        assert_eq!(answer.status, 200);
    });
}

#[test]
fn f_the_clients_list_passes_or_is_removed_where_the_listener_says_so() {
    for (mode, expected) in [("append", Some("9.9.9.9, 127.0.0.1")), ("preserve", Some("9.9.9.9")), ("remove", None)] {
        let fixture = Fixture::with(|setup| setup.listener(&format!("    x_forwarded_for: {mode}")));
        let mut browser = fixture.browser(Protocol::Http2);
        browser.send("GET", "https://app.test/public/x", &[("x-forwarded-for", "9.9.9.9")], b"");
        assert_eq!(fixture.target.last().header("x-forwarded-for"), expected, "{mode}");
    }
}

#[test]
fn f_06_no_other_spelling_of_the_list_passes_in_any_mode() {
    const NAMES: [&str; 8] = [
        "X_Forwarded_For",
        "X.Forwarded.For",
        "X-Forwarded_For",
        "X_Forwarded-For",
        "X~Forwarded~For",
        "X_Amzn_Trace_Id",
        "X-Amzn_Trace-Id",
        "X.Amzn.Trace.Id",
    ];
    let headers: Vec<_> =
        NAMES.iter().map(|name| (*name, "Root=6.6.6.6")).chain([("x-forwarded-for", "9.9.9.9")]).collect();
    for (mode, expected) in [("append", Some("9.9.9.9, 127.0.0.1")), ("preserve", Some("9.9.9.9")), ("remove", None)] {
        let fixture = Fixture::with(|setup| setup.listener(&format!("    x_forwarded_for: {mode}")));
        on_both(|protocol| {
            fixture.browser(protocol).send("GET", "https://app.test/public/x", &headers, b"");
            let received = fixture.target.last();
            assert_eq!(received.header("x-forwarded-for"), expected, "{mode}");
            let aliases: Vec<_> = received.headers.iter().filter(|(_, value)| value.contains("6.6.6.6")).collect();
            assert!(aliases.is_empty(), "{mode}: {aliases:?}");
        });
    }
}
