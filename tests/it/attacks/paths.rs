//! P: confusing the path that rules match with the path that the target receives.

use std::collections::BTreeMap;

use percent_encoding::percent_decode_str;

use super::{Fixture, responses};
use crate::harness::app::{Proxy, Setup, wait_until};
use crate::harness::browser::{Answer, Protocol, on_both};
use crate::harness::http2::{Http2, Outcome};
use crate::harness::provider::Provider;
use crate::harness::raw::{self, Raw};
use crate::harness::server::Server;
use crate::harness::target;

/// What becomes of a path.
#[derive(Clone, Copy, Debug)]
enum Read {
    /// Refused before any rule is asked, with this reason.
    Refused(&'static str),
    /// Matched, and received by the target, in this form.
    As(&'static str),
}
use Read::{As, Refused};

const AMBIGUOUS: Read = Refused("request.path_ambiguous");

/// The rule of a path that a target has received, worked out by hand: the test's own reading of `ATTACK_RULES`.
fn rule_of(received: &str) -> &'static str {
    let path = received.split('?').next().unwrap_or_default();
    let (folder, name) = path.rsplit_once('/').expect("a path");
    let name = name.split(';').next().unwrap_or_default();
    let decoded = |text: &str| percent_decode_str(text).decode_utf8().expect("UTF-8").into_owned();
    let path = format!("{}/{}", decoded(folder), decoded(name));
    if path.starts_with("/public/") || (path.starts_with("/assets/") && path.ends_with(".css")) {
        "public"
    } else if path == "/healthz" {
        "health"
    } else if path.starts_with("/api/") {
        "api"
    } else if path.starts_with("/opt/") {
        "optional"
    } else {
        "default"
    }
}

/// Sends each path, as nobody and signed in, on both protocols: nobody gets what the rule of the received path gives, and
/// the target of somebody who has signed in receives exactly that path.
#[track_caller]
fn check(table: &[(&str, Read)]) {
    check_with(&Fixture::start(), table);
}

#[track_caller]
fn check_with(fixture: &Fixture, table: &[(&str, Read)]) {
    on_both(|protocol| {
        let mut signed_in = fixture.signed_in(protocol);
        for (path, read) in table {
            let (url, what) = (format!("https://app.test{path}"), format!("{path} on {protocol:?}"));
            match read {
                Refused(reason) => fixture.untouched(&what, || {
                    for mut browser in [fixture.browser(protocol), signed_in.clone()] {
                        let answer = browser.get(&url);
                        assert_eq!((answer.status, answer.reason().as_deref()), (400, Some(*reason)), "{what}");
                    }
                }),
                As(canonical) => {
                    as_nobody(fixture, protocol, &url, canonical);
                    let answer = signed_in.get(&url);
                    assert_eq!(answer.status, 200, "{what}");
                    if rule_of(canonical) != "health" {
                        assert_eq!(fixture.target.last().line, format!("GET {canonical} HTTP/1.1"), "{what}");
                    }
                }
            }
        }
    });
}

#[track_caller]
fn as_nobody(fixture: &Fixture, protocol: Protocol, url: &str, canonical: &str) {
    match rule_of(canonical) {
        "public" | "optional" => {
            assert_eq!(fixture.browser(protocol).get(url).status, 200, "{url}");
            let received = fixture.target.last();
            assert_eq!(received.target(), canonical);
            assert_eq!(received.header("x-amzn-oidc-identity"), None);
        }
        "health" => assert_eq!(fixture.browser(protocol).get(url).text(), "ok"),
        "api" => denied(&fixture.untouched(url, || fixture.browser(protocol).get(url)), url),
        _ => {
            let answer = fixture.untouched(url, || fixture.browser(protocol).get(url));
            assert_eq!(answer.status, 302, "{url}");
            assert!(answer.location().starts_with(&format!("{}/authorize?", fixture.provider.issuer())), "{url}");
        }
    }
}

#[track_caller]
fn denied(answer: &Answer, what: &str) {
    assert_eq!((answer.status, answer.reason().as_deref()), (401, Some("auth.required")), "{what}");
}

#[test]
fn p_01_p_02_a_query_opens_no_rule() {
    check(&[
        ("/admin/secret?x=/public/", As("/admin/secret?x=/public/")),
        ("/api/private/sensitive?path=/assets/a.css", As("/api/private/sensitive?path=/assets/a.css")),
        ("/admin/?/public/", As("/admin/?/public/")),
        ("/?/../public/x", As("/?/../public/x")),
    ]);
}

#[test]
fn p_03_an_encoded_hash_is_a_character_of_the_path() {
    check(&[
        ("/admin/secret%23/public/", As("/admin/secret%23/public/")),
        ("/public/%23/admin/", As("/public/%23/admin/")),
    ]);
}

#[test]
fn p_03_a_hash_is_refused_or_seen_by_neither_rule_nor_target() {
    let fixture = Fixture::start();
    let request = |path: &str| format!("GET {path} HTTP/1.1\r\nhost: app.test\r\nconnection: close\r\n\r\n");
    for path in ["/admin#/public/", "/api#/../public/", "/#/public/x"] {
        let answer = fixture.untouched(path, || fixture.bytes(request(path)));
        assert_eq!(raw::status(&answer), 400, "{path}: {answer}");
        assert!(answer.contains("request.path_ambiguous"), "{path}: {answer}");
        let fields = [(":method", "GET"), (":scheme", "https"), (":authority", "app.test"), (":path", path)];
        let outcome = fixture.untouched(path, || Http2::connect(fixture.proxy.address(), "app.test").request(&fields));
        assert!(matches!(outcome, Outcome::Reset(_) | Outcome::Status(400 | 401)), "{path}: {outcome:?}");
    }
    let answer = fixture.untouched("public", || fixture.bytes(request("/public/x#/admin")));
    assert_eq!(raw::status(&answer), 400, "{answer}");
}

#[test]
fn p_04_dot_segments_never_reach_a_rule() {
    check(&[
        ("/public/../admin/", AMBIGUOUS),
        ("/public/./../admin/", AMBIGUOUS),
        ("/public/x/..", AMBIGUOUS),
        ("/./public/x", AMBIGUOUS),
        ("/../public/x", AMBIGUOUS),
        ("/public/...", As("/public/...")),
        ("/public/.well-known", As("/public/.well-known")),
    ]);
}

#[test]
fn p_05_encoded_dot_segments_never_reach_a_rule() {
    check(&[
        ("/public/%2e%2e/admin/", AMBIGUOUS),
        ("/public/%2E%2e/admin/", AMBIGUOUS),
        ("/public/.%2e/admin/", AMBIGUOUS),
        ("/public/%2e%2e%2fadmin", AMBIGUOUS),
        ("/public/..%2fadmin", AMBIGUOUS),
        ("/public%2fx", AMBIGUOUS),
        ("/public/%00", AMBIGUOUS),
        ("/public/%0d%0ax", AMBIGUOUS),
        ("/public/%c0%ae%c0%ae/admin/", AMBIGUOUS),
        ("/public/%u002e%u002e/admin/", AMBIGUOUS),
        ("/public/%2", AMBIGUOUS),
    ]);
}

#[test]
fn p_06_a_path_is_decoded_once() {
    check(&[
        ("/public/%252e%252e/admin/", As("/public/%252e%252e/admin/")),
        ("/public/%252e%252e%252fadmin", As("/public/%252e%252e%252fadmin")),
        ("/admin/%252e%252e/public/x", As("/admin/%252e%252e/public/x")),
        ("/%61pi/x", As("/api/x")),
        ("/%2561pi/x", As("/%2561pi/x")),
    ]);
}

#[test]
fn p_07_backslashes_never_reach_a_rule() {
    check(&[
        ("/public/..%5cadmin/", AMBIGUOUS),
        ("/public\\..\\admin/", AMBIGUOUS),
        ("/public%5c..%5cadmin", AMBIGUOUS),
        ("/\\admin/", AMBIGUOUS),
        ("/public/x\\", AMBIGUOUS),
    ]);
}

#[test]
fn p_08_p_09_path_parameters_hide_no_segment() {
    check(&[
        ("/admin;a=b/", AMBIGUOUS),
        ("/;x/admin/", AMBIGUOUS),
        ("/public/;/../admin/", AMBIGUOUS),
        ("/public/..;foo=bar/admin/", AMBIGUOUS),
        ("/public/.;/..;/admin/", AMBIGUOUS),
        ("/public/..;x", AMBIGUOUS),
        ("/public/%2e%2e;x", AMBIGUOUS),
        ("/public/..%3B/private", AMBIGUOUS),
        ("/public/..%3b/private", AMBIGUOUS),
        ("/public/%2e%2e%3bx/private", AMBIGUOUS),
        ("/public/.%3Bx/..%3b", AMBIGUOUS),
        ("/public/.%3bx", AMBIGUOUS),
        ("/public/x;%2fadmin", AMBIGUOUS),
        ("/admin;a=b", As("/admin;a=b")),
        ("/assets/x;.css", As("/assets/x;.css")),
        // A target that decodes first and then cuts parameters off sees `/assets/x`, which is not open.
        ("/assets/x%3b.css", AMBIGUOUS),
        ("/public/x%3b.css", As("/public/x%3b.css")),
        ("/a/x%3by/z%3B", As("/a/x%3by/z%3B")),
    ]);
}

#[test]
fn p_08_an_encoded_semicolon_does_not_hide_a_private_path() {
    let rules = r#"
      - name: private
        priority: 1
        conditions: [{ path_pattern: ["/admin", "/admin/*"] }]
        actions:
          - { type: authenticate-oidc, provider: corp, on_unauthenticated_request: deny }
          - { type: forward, target_group: app }
      - name: open
        priority: 2
        conditions: [{ path_pattern: ["/*"] }]
        actions: [{ type: forward, target_group: app }]"#;
    let fixture = Fixture::with(|setup| setup.rules(rules));
    on_both(|protocol| {
        for path in ["/admin%3bx", "/admin%3Bx", "/admin%3b/x", "/%3b/admin", "/%3Bx//admin%3b"] {
            fixture.untouched(path, || {
                let answer = fixture.browser(protocol).get(&format!("https://app.test{path}"));
                assert_eq!(
                    (answer.status, answer.reason().as_deref()),
                    (400, Some("request.path_ambiguous")),
                    "{path}"
                );
            });
        }
        assert_eq!(fixture.browser(protocol).get("https://app.test/open%3bx").status, 200);
    });
}

/// Like P-10, but the open rule is a regular expression: no spelling that a target could read as a protected path reaches the target.
#[test]
fn p_11_a_regular_expression_matches_the_whole_path_or_nothing() {
    let rules = r#"
      - name: one
        priority: 1
        encoded_slash: keep
        conditions: [{ path_pattern: { regex_values: ["/users/[^/]+", "^/files/.*[.]css$"] } }]
        actions: [{ type: forward, target_group: app }]"#;
    let fixture = Fixture::with(|setup| setup.rules(rules));
    on_both(|protocol| {
        for path in ["/users/x", "/%75sers/x", "//users//x", "/files/a.css", "/files/a%2Fb.css"] {
            assert_eq!(fixture.browser(protocol).get(&format!("https://app.test{path}")).status, 200, "{path}");
        }
        for (path, status) in [
            ("/users/x/admin", 302),
            ("/v1/users/x", 302),
            ("/users/", 302),
            ("/users/x/", 302),
            // As a target reads it that takes `%2F` for a slash, or that cuts off what is behind `?` after it has decoded.
            ("/users/x%2Fadmin", 400),
            ("/files/admin%3F.css", 400),
            ("/files/..%2fadmin.css", 400),
            ("/users/%2e%2e", 400),
        ] {
            let get = || fixture.browser(protocol).get(&format!("https://app.test{path}"));
            assert_eq!(fixture.untouched(path, get).status, status, "{path}");
        }
    });
}

#[test]
fn p_11_a_pattern_matches_the_whole_path_or_nothing() {
    let rules = r#"
      - name: one
        priority: 1
        conditions: [{ path_pattern: ["/users/?"] }]
        actions: [{ type: forward, target_group: app }]"#;
    let fixture = Fixture::with(|setup| setup.rules(rules));
    on_both(|protocol| {
        assert_eq!(fixture.browser(protocol).get("https://app.test/users/x").status, 200);
        for path in ["/users/x/admin", "/users/xy", "/users/", "/users//", "/a/users/x", "/users/x/"] {
            let get = || fixture.browser(protocol).get(&format!("https://app.test{path}"));
            assert_eq!(fixture.untouched(path, get).status, 302, "{path}");
        }
    });
}

#[test]
fn p_12_wildcards_in_a_path_are_characters() {
    check(&[
        ("/admin/*", As("/admin/*")),
        ("/*/x", As("/*/x")),
        ("/admin/{x}", As("/admin/{x}")),
        ("/admin/[a]|^", As("/admin/[a]|^")),
        ("/admin/%7bx%7d", As("/admin/%7bx%7d")),
        ("/admin/%5ba%5d", As("/admin/%5ba%5d")),
        ("/publi?/x", As("/publi?/x")),
        ("/publi%3f/x", As("/publi%3f/x")),
    ]);
}

/// What a target sees that decodes a path and then looks for its end, as one does behind a proxy that decodes.
#[test]
fn p_08_an_encoded_end_of_a_path_opens_no_other_rule() {
    check(&[
        ("/assets/x%3f.css", AMBIGUOUS),
        ("/assets/x%3F/y.css", AMBIGUOUS),
        ("/assets/x%23.css", AMBIGUOUS),
        ("/assets/x%3b%3f.css", AMBIGUOUS),
        ("/public/..%3F/admin", AMBIGUOUS),
        ("/public/%2e%2e%23x", AMBIGUOUS),
        ("/api%3F/x", As("/api%3F/x")),
        ("/public/what%3F", As("/public/what%3F")),
        ("/public/%23/x%3By%3F", As("/public/%23/x%3By%3F")),
    ]);
}

#[test]
fn p_08_an_encoded_semicolon_and_an_encoded_slash_do_not_hide_a_private_path() {
    let rules = r#"
      - name: private
        priority: 1
        conditions: [{ path_pattern: ["/files/private/*"] }]
        actions:
          - { type: authenticate-oidc, provider: corp, on_unauthenticated_request: deny }
          - { type: forward, target_group: app }
      - name: open
        priority: 2
        encoded_slash: keep
        conditions: [{ path_pattern: ["/files*"] }]
        actions: [{ type: forward, target_group: app }]"#;
    let fixture = Fixture::with(|setup| setup.rules(rules));
    on_both(|protocol| {
        let get = |path: &str| fixture.browser(protocol).get(&format!("https://app.test{path}"));
        for path in [
            "/files%3Bx%2Fprivate%2Fy",
            "/files%3bx%2fprivate/y",
            "/files/%3Bx%2Fprivate/y",
            "/files%2F%3Bx/private/y",
            "/files%3B%2F%3B%2Fprivate/y",
            "/files%2Fprivate%3Bx%2Fy",
        ] {
            let answer = fixture.untouched(path, || get(path));
            assert_eq!((answer.status, answer.reason().as_deref()), (400, Some("request.path_ambiguous")), "{path}");
        }
        assert_eq!(get("/files%3Bx%2Fopen").status, 200);
        assert_eq!(fixture.target.last().target(), "/files%3Bx%2Fopen");
    });
}

#[test]
fn p_13_one_host_has_one_spelling() {
    let rules = r#"
      - name: app
        priority: 1
        conditions: [{ host_header: [App.Test] }]
        actions: [{ type: forward, target_group: app }]"#;
    let fixture = Fixture::with(|setup| setup.rules(rules));
    for host in ["app.test", "APP.TEST", "App.Test", "app.test.", "app.test:8443", "APP.test.:8443", "app.test:443"] {
        let before = fixture.target.count();
        let request = format!("GET /x HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        assert_eq!(raw::status(&fixture.bytes(request)), 200, "{host}");
        let fields = [(":method", "GET"), (":scheme", "https"), (":authority", host), (":path", "/x")];
        let mut http2 = Http2::connect(fixture.proxy.address(), "app.test");
        assert_eq!(http2.request(&fields), Outcome::Status(200), "{host}");
        assert_eq!(fixture.target.count(), before + 2, "{host}");
    }
    for host in ["badapp.test", "app.test.evil.test", "app.test..", "app.tes", "a.app.test"] {
        let request = format!("GET /x HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        let answer = fixture.untouched(host, || fixture.bytes(request));
        assert!([400, 401].contains(&raw::status(&answer)), "{host}: {answer}");
    }
}

#[test]
fn p_13_the_case_of_a_path_matters() {
    check(&[("/PUBLIC/x", As("/PUBLIC/x")), ("/Api/x", As("/Api/x")), ("/HEALTHZ", As("/HEALTHZ"))]);
}

#[test]
fn p_14_empty_segments_reach_only_a_target_of_the_same_rule() {
    check(&[
        ("//admin/", As("/admin/")),
        ("///admin//x", As("/admin//x")),
        ("//api//x", As("/api//x")),
        ("/public//x", As("/public//x")),
        ("//public/x?a=//b", As("/public/x?a=//b")),
        ("/public/x//", As("/public/x//")),
        ("/.//admin/", AMBIGUOUS),
        // Without merging, or without decoding, these would belong to another rule: the target gets the one form.
        ("/%61pi//x", As("/api/x")),
        ("/%70ublic/%7Ex", As("/public/~x")),
    ]);
    let rules = r#"
      - name: exact
        priority: 1
        conditions: [{ path_pattern: ["/a/open"] }]
        actions: [{ type: forward, target_group: app }]"#;
    let fixture = Fixture::with(|setup| setup.rules(rules));
    on_both(|protocol| {
        assert_eq!(fixture.browser(protocol).get("https://app.test/a//open").status, 200);
        assert_eq!(fixture.target.last().target(), "/a/open");
    });
}

#[test]
fn paths_reach_the_target_as_the_client_wrote_them() {
    let fixture = Fixture::start();
    for path in
        ["/public/%7Ea/~b", "/public/%27'%28(", "/public/[1]%5B", "/public/http://x.test//y", "/public/%C3%A9%c3%a9"]
    {
        on_both(|protocol| {
            assert_eq!(fixture.browser(protocol).get(&format!("https://app.test{path}")).status, 200, "{path}");
            assert_eq!(fixture.target.last().target(), path, "{protocol:?}");
        });
    }
    fixture.bytes("GET /public/caf\u{e9}/x HTTP/1.1\r\nhost: app.test\r\nconnection: close\r\n\r\n");
    assert_eq!(fixture.target.last().target(), "/public/caf\u{e9}/x");
}

#[test]
fn p_05_an_encoded_slash_passes_where_it_leads_to_no_other_rule() {
    let keeps = Fixture::with(|setup| setup.listener("    encoded_slash: keep"));
    check_with(
        &keeps,
        &[
            ("/public/a%2Fb", As("/public/a%2Fb")),
            ("/public/a%2fb%2F", As("/public/a%2fb%2F")),
            ("/admin/a%2Fb?x=%2F", As("/admin/a%2Fb?x=%2F")),
            ("/api/group%2Fproject/x", As("/api/group%2Fproject/x")),
            // A target that decodes before it looks for slashes would be in another rule.
            ("/public%2fx", AMBIGUOUS),
            ("/%2Fpublic/x", AMBIGUOUS),
            ("/api%2Fx", AMBIGUOUS),
            ("/x%2f%2fy/../z", AMBIGUOUS),
            // The catalogue's attacks.
            ("/public/..%2fadmin", AMBIGUOUS),
            ("/public/%2e%2e%2fadmin", AMBIGUOUS),
            ("/public/x%2f..%2f..%2fadmin", AMBIGUOUS),
            ("/public/.%2Fx", AMBIGUOUS),
            ("/public/..%3Bx%2Fadmin", AMBIGUOUS),
            ("/public/x;%2fadmin", AMBIGUOUS),
            ("/public/..%5c%2fadmin", AMBIGUOUS),
            ("/healthz%2f..%2fadmin", AMBIGUOUS),
            ("/public/%c0%af", AMBIGUOUS),
            ("/public/%252e%252e%252fadmin", As("/public/%252e%252e%252fadmin")),
        ],
    );
}

#[test]
fn p_05_an_encoded_slash_is_kept_by_the_rules_that_say_so() {
    let rules = r#"
      - name: secret
        priority: 1
        conditions: [{ path_pattern: ["/files/secret/*"] }]
        actions: [{ type: fixed-response, status_code: 403, content_type: text/plain, body: no }]
      - name: one
        priority: 2
        encoded_slash: keep
        conditions: [{ path_pattern: ["/files/a%2Fb"] }]
        actions: [{ type: fixed-response, status_code: 200, content_type: text/plain, body: one }]
      - name: files
        priority: 3
        encoded_slash: keep
        conditions: [{ path_pattern: ["/files/*"] }]
        actions: [{ type: forward, target_group: app }]
      - name: other
        priority: 4
        conditions: [{ path_pattern: ["/other/*"] }]
        actions: [{ type: forward, target_group: app }]"#;
    let fixture = Fixture::with(|setup| setup.rules(rules));
    on_both(|protocol| {
        let get = |path: &str| fixture.browser(protocol).get(&format!("https://app.test{path}"));
        assert_eq!(get("/files/x%2Fy").status, 200);
        assert_eq!(fixture.target.last().target(), "/files/x%2Fy");
        for path in
            ["/files/secret%2Fx", "/files/secret%2fx", "/files/%2Fsecret/x", "/other/x%2Fy", "/files%2Fx", "/x%2Fy"]
        {
            let answer = fixture.untouched(path, || get(path));
            assert_eq!((answer.status, answer.reason().as_deref()), (400, Some("request.path_ambiguous")), "{path}");
        }
        // `/files/a/b` would be another rule's.
        assert_eq!(fixture.untouched("pattern", || get("/files/a%2fb")).status, 400);
    });
}

#[test]
fn p_13_an_address_has_one_spelling() {
    let rules = r#"
      - name: guard
        priority: 1
        conditions: [{ host_header: ["[0:0:0:0:0:0:0:1]", "0x7f.1"] }]
        actions: [{ type: fixed-response, status_code: 403, content_type: text/plain, body: no }]"#;
    let fixture = Fixture::with(|setup| setup.rules(rules).default_actions(" [{ type: forward, target_group: app }]"));
    for host in [
        "[::1]",
        "[0:0:0:0:0:0:0:1]",
        "[::0001]",
        "[0::0:1]",
        "[::0.0.0.1]",
        "127.0.0.1",
        "127.1",
        "127.0.1",
        "2130706433",
        "0x7f000001",
        "0X7F.0.0.1",
        "0177.0.0.1",
        "127.0.0.1.",
    ] {
        fixture.untouched(host, || {
            let request = format!("GET /x HTTP/1.1\r\nhost: {host}:8443\r\nconnection: close\r\n\r\n");
            assert_eq!(raw::status(&fixture.bytes(request)), 403, "{host}");
            let authority = format!("{host}:8443");
            let fields = [(":method", "GET"), (":scheme", "https"), (":authority", &authority), (":path", "/x")];
            let mut http2 = Http2::connect(fixture.proxy.address(), "app.test");
            assert_eq!(http2.request(&fields), Outcome::Status(403), "{host}");
        });
    }
    for host in ["1.2.3.4.5", "256.0.0.1", "app.09", "[::g]", "[1.2.3.4]"] {
        let request = format!("GET /x HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        assert_eq!(raw::status(&fixture.untouched(host, || fixture.bytes(request))), 400, "{host}");
    }
}

#[test]
fn other_schemes_than_http_and_https_are_refused() {
    let fixture = Fixture::start();
    for scheme in ["ftp", "ws", "file", "coap"] {
        fixture.untouched(scheme, || {
            let request =
                format!("GET {scheme}://app.test/public/x HTTP/1.1\r\nhost: app.test\r\nconnection: close\r\n\r\n");
            assert_eq!(raw::status(&fixture.bytes(request)), 400, "{scheme}");
            let fields = [(":method", "GET"), (":scheme", scheme), (":authority", "app.test"), (":path", "/public/x")];
            let outcome = Http2::connect(fixture.proxy.address(), "app.test").request(&fields);
            assert_eq!(outcome, Outcome::Status(400), "{scheme}");
        });
    }
}

#[test]
fn p_15_a_request_names_one_host() {
    let fixture = Fixture::start();
    for (target, host) in [
        ("http://other.test/public/x", "app.test"),
        ("https://other.test/public/x", "app.test"),
        ("https://app.test/public/x", "other.test"),
        ("https://app.test:8443/public/x", "app.test"),
    ] {
        let request = format!("GET {target} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
        let answer = fixture.untouched(target, || fixture.bytes(request));
        assert_eq!(raw::status(&answer), 400, "{target} {host}: {answer}");
        assert!(answer.contains("request.host_invalid"), "{target} {host}: {answer}");
    }
    fixture.bytes("GET https://APP.test/public/x HTTP/1.1\r\nhost: app.test\r\nconnection: close\r\n\r\n");
    let received = fixture.target.last();
    assert_eq!((received.target(), received.header("host")), ("/public/x", Some("app.test")));
}

#[test]
fn p_15_an_empty_path_is_the_root_and_nothing_else_for_the_target() {
    let rules = r#"
      - name: root
        priority: 1
        conditions: [{ path_pattern: ["/"] }]
        actions: [{ type: forward, target_group: app }]"#;
    let fixture = Fixture::with(|setup| setup.rules(rules));
    for (query, expected) in [("", "/"), ("?x", "/?x"), ("?/../admin", "/?/../admin")] {
        let request = format!("GET https://app.test{query} HTTP/1.1\r\nhost: app.test\r\nconnection: close\r\n\r\n");
        assert_eq!(raw::status(&fixture.bytes(request)), 200, "{query}");
        assert_eq!(fixture.target.last().line, format!("GET {expected} HTTP/1.1"));
        if !query.is_empty() {
            let fields = [(":method", "GET"), (":scheme", "https"), (":authority", "app.test"), (":path", query)];
            let outcome = Http2::connect(fixture.proxy.address(), "app.test").request(&fields);
            assert_eq!(outcome, Outcome::Status(200), "{query}");
            assert_eq!(fixture.target.last().line, format!("GET {expected} HTTP/1.1"));
        }
    }
}

#[test]
fn p_16_options_opens_nothing() {
    let fixture = Fixture::start();
    on_both(|protocol| {
        let preflight = [("origin", "https://evil.test"), ("access-control-request-method", "DELETE")];
        for headers in [&[][..], &preflight] {
            for path in ["/admin/", "/api/x", "/oauth2/userinfo"] {
                let send =
                    || fixture.browser(protocol).send("OPTIONS", &format!("https://app.test{path}"), headers, b"");
                let answer = fixture.untouched(path, send);
                assert!([401, 405].contains(&answer.status), "{path}: {answer:?}");
                assert_eq!(answer.set_cookies(), [""; 0], "{path}");
                assert_eq!(answer.header("access-control-allow-origin"), None, "{path}");
            }
        }
    });
    let asterisk = "OPTIONS * HTTP/1.1\r\nhost: app.test\r\nconnection: close\r\n\r\n";
    assert_eq!(raw::status(&fixture.untouched("*", || fixture.bytes(asterisk))), 400);
}

#[test]
fn p_17_our_own_paths_are_exact() {
    check(&[
        ("/healthz", As("/healthz")),
        ("/healthz/", As("/healthz/")),
        ("/healthz/x", As("/healthz/x")),
        ("/healthz/../admin/", AMBIGUOUS),
        ("/healthz%2f..%2fadmin", AMBIGUOUS),
        ("/oauth2/idpresponse/../../admin", AMBIGUOUS),
        ("/oauth2/idpresponse/", As("/oauth2/idpresponse/")),
        ("/oauth2/idpresponse/x", As("/oauth2/idpresponse/x")),
        ("/oauth2/idpresponse;x", As("/oauth2/idpresponse;x")),
        ("/oauth2/sign_out;x", As("/oauth2/sign_out;x")),
        ("/oauth2/sign_out/x", As("/oauth2/sign_out/x")),
        ("/OAUTH2/sign_out", As("/OAUTH2/sign_out")),
        ("/x/oauth2/userinfo", As("/x/oauth2/userinfo")),
        ("/oauth2/userinfo.css", As("/oauth2/userinfo.css")),
        ("/oauth2/start", As("/oauth2/start")),
        ("/.well-known/vestibule/", As("/.well-known/vestibule/")),
        ("/.well-known/vestibule/jwks.json/x", As("/.well-known/vestibule/jwks.json/x")),
        ("/.well-known/vestibule/keys/a/b", As("/.well-known/vestibule/keys/a/b")),
        ("/metrics", As("/metrics")),
        ("/livez", As("/livez")),
    ]);
}

#[test]
fn p_18_odd_methods_are_refused_on_every_rule() {
    let fixture = Fixture::start();
    for (method, target, status) in [
        ("TRACE", "/public/x", 405),
        ("TRACK", "/public/x", 405),
        ("track", "/public/x", 405),
        ("CONNECT", "app.test:443", 405),
        ("CONNECT", "/public/x", 405),
        ("DEBUG", "/public/x", 405),
        ("GeT", "/public/x", 405),
        ("get", "/public/x", 405),
        (&"M".repeat(8192), "/public/x", 405),
        ("G(T", "/public/x", 400),
    ] {
        let request = format!("{method} {target} HTTP/1.1\r\nhost: app.test\r\nconnection: close\r\n\r\n");
        let answer = fixture.untouched(method, || fixture.bytes(request));
        assert_eq!(raw::status(&answer), status, "{method} {target}: {answer}");
    }
    on_both(|protocol| {
        for method in ["TRACE", "TRACK", "DEBUG", "GeT"] {
            let mut browser = fixture.signed_in(protocol);
            let answer = fixture.untouched(method, || browser.send(method, "https://app.test/public/x", &[], b""));
            assert_eq!((answer.status, answer.reason().as_deref()), (405, Some("request.method_not_allowed")));
        }
    });
    assert_eq!(fixture.browser(Protocol::Http1).get("https://app.test/healthz").status, 200, "still here");
}

#[test]
fn p_19_p_20_no_header_overrides_method_or_path() {
    let fixture = Fixture::start();
    let headers = [
        ("x-original-method", "DELETE"),
        ("x-original-url", "/admin/"),
        ("x-original-uri", "/admin/"),
        ("x-rewrite-url", "/admin/"),
        ("x-original-path", "/admin/"),
        ("x-envoy-original-path", "/admin/"),
        ("x-forwarded-uri", "/admin/"),
        ("x-forwarded-path", "/admin/"),
        ("x-forwarded-method", "DELETE"),
        ("x_original_url", "/admin/"),
        ("x.rewrite.url", "/admin/"),
    ];
    on_both(|protocol| {
        let answer = fixture.browser(protocol).send("GET", "https://app.test/public/x", &headers, b"");
        assert_eq!(answer.status, 200);
        let received = fixture.target.last();
        assert_eq!(received.line, "GET /public/x HTTP/1.1");
        let values: Vec<_> =
            received.headers.iter().filter(|(_, value)| value == "DELETE" || value == "/admin/").collect();
        assert!(values.is_empty(), "{values:?}");
        let to_public: Vec<_> = headers.iter().map(|(name, _)| (*name, "/public/x")).collect();
        let challenged = || fixture.browser(protocol).send("GET", "https://app.test/api/x", &to_public, b"");
        denied(&fixture.untouched("an override", challenged), "an override");
    });
}

#[test]
fn p_19_a_method_override_is_refused_or_passed_on() {
    let names = ["X-HTTP-Method-Override", "x-http-method", "X-Method-Override", "X_HTTP_Method_Override"];
    let fixture = Fixture::start();
    on_both(|protocol| {
        for name in names.map(str::to_lowercase) {
            let post = |method: &str| {
                fixture.browser(protocol).send("POST", "https://app.test/public/x", &[(&name, method)], b"x")
            };
            let answer = fixture.untouched(&name, || post("DELETE"));
            assert_eq!((answer.status, answer.reason().as_deref()), (400, Some("request.method_override")), "{name}");
            // Asking for the method that the request has changes nothing.
            assert_eq!(post("post").status, 200, "{name}");
            assert_eq!(fixture.target.last().header(&name), None);
        }
    });
    let passes = Fixture::with(|setup| setup.listener("    method_override: pass"));
    on_both(|protocol| {
        let headers = [("x-http-method-override", "DELETE"), ("x_http_method_override", "DELETE")];
        assert_eq!(passes.browser(protocol).send("POST", "https://app.test/public/x", &headers, b"x").status, 200);
        let received = passes.target.last();
        assert_eq!(received.line, "POST /public/x HTTP/1.1");
        assert_eq!(received.header("x-http-method-override"), Some("DELETE"));
        assert_eq!(received.header("x_http_method_override"), None);
    });
}

/// Each rule has its own target, so that who received a path proves which rule took it.
struct Sorted {
    servers: BTreeMap<&'static str, Server>,
    proxy: Proxy,
}

impl Sorted {
    fn start() -> Self {
        let names = ["public", "health", "api", "optional", "default"];
        let servers: BTreeMap<_, _> = names.into_iter().map(|name| (name, target::echo())).collect();
        let rule = |(priority, (name, patterns)): (usize, (&str, &str))| {
            format!(
                "
      - name: {name}
        priority: {}
        conditions: [{{ path_pattern: [{patterns}] }}]
        actions: [{{ type: forward, target_group: {name} }}]",
                priority + 1
            )
        };
        let patterns = [
            ("public", r#""/public/*", "/assets/*.css""#),
            ("health", "/healthz"),
            ("api", r#""/api/*""#),
            ("optional", r#""/opt/*""#),
        ];
        let rules: String = patterns.into_iter().enumerate().map(rule).collect();
        let group = |(name, server): (&&str, &Server)| format!("  {name}: {{ targets: ['{}'] }}\n", server.address());
        let groups: String = servers.iter().map(group).collect();
        let provider = Provider::start();
        let setup = Setup::new(&provider, &servers["default"]).rules(&rules).target_group(&groups);
        let proxy = setup.default_actions(" [{ type: forward, target_group: default }]").start();
        Self { servers, proxy }
    }

    fn counts(&self) -> BTreeMap<&'static str, usize> {
        self.servers.iter().map(|(name, server)| (*name, server.count())).collect()
    }
}

/// Paths made of what servers read in different ways. The same each time.
fn crooked_paths(count: usize) -> Vec<String> {
    const SEGMENTS: &[&str] = &[
        "public",
        "api",
        "opt",
        "assets",
        "%70ublic",
        "a%70i",
        "%61pi",
        "op%74",
        "",
        "",
        "healthz",
        "a.css",
        "admin",
        "x",
        ".",
        "..",
        "...",
        "%2e",
        "%2e%2e",
        ".%2E",
        "%252e%252e",
        "..;x=1",
        ".;",
        ";",
        ";a=b",
        "x;.css",
        "x%3b.css",
        "PUBLIC",
        "%2fapi",
        "..%2f",
        "%5c",
        "\\",
        "%c0%ae%c0%ae",
        "%u002e",
        "%00",
        "%C3%A9",
        "*",
        "{x}",
        "%20",
        "%zz",
    ];
    // The generator of Knuth's MMIX: any will do.
    let mut state = 0x5eed_u64;
    let mut below = |limit: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        usize::try_from(state >> 33).expect("31 bits") % limit
    };
    let mut path = || {
        let segments = 1 + below(4);
        // Every second segment is from the first ones, which rules know.
        let mut segment = |_| SEGMENTS[if below(2) == 0 { below(12) } else { below(SEGMENTS.len()) }];
        let mut path: String = (0..segments).map(|index| format!("/{}", segment(index))).collect();
        if below(4) == 0 {
            path.push('?');
            path.push_str(SEGMENTS[below(SEGMENTS.len())]);
        }
        path
    };
    (0..count).map(|_| path()).collect()
}

#[test]
fn p_10_the_rule_that_takes_a_path_is_the_rule_of_what_the_target_receives() {
    let sorted = Sorted::start();
    let address = sorted.proxy.address();
    let (mut http1, mut http2) = (Raw::connect(address, "app.test"), Http2::connect(address, "app.test"));
    let (mut sent, mut taken) = (0, 0);
    for path in crooked_paths(300) {
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let before = sorted.counts();
            if protocol == Protocol::Http1 {
                let sent = http1.try_send(format!("GET {path} HTTP/1.1\r\nhost: app.test\r\n\r\n"));
                assert!(sent, "{path}");
                let (head, _) = http1.read_response();
                if !head.contains("\r\ncontent-type") {
                    http1 = Raw::connect(address, "app.test"); // Refused by the HTTP library, which closes.
                }
            } else {
                let fields = [(":method", "GET"), (":scheme", "https"), (":authority", "app.test"), (":path", &*path)];
                if http2.request(&fields) == Outcome::Closed {
                    http2 = Http2::connect(address, "app.test");
                }
            }
            sent += 1;
            let after = sorted.counts();
            let took: Vec<_> = after.iter().filter(|(name, count)| before[*name] != **count).collect();
            let Some((name, _)) = took.first() else { continue };
            taken += 1;
            let received = sorted.servers[**name].last();
            assert_eq!(took.len(), 1, "{path}");
            assert_eq!(rule_of(received.target()), **name, "{path} was received as {}", received.target());
            // Nor does a target that decodes twice as little, or merges empty segments, see another rule's path.
            let literal = received.target().replace('%', "%25");
            assert_eq!(rule_of(&literal), **name, "{path} was received as {}", received.target());
            let merged = literal.split('?').next().unwrap_or_default().replace("//", "/").replace("//", "/");
            assert_eq!(rule_of(&merged), **name, "{path} was received as {}", received.target());
        }
    }
    assert!(taken > sent / 5 && taken < sent, "{taken} of {sent}: the paths are not all of one kind");
    assert!(sorted.counts().values().all(|count| *count > 0), "every rule took some: {:?}", sorted.counts());
    let mut by_rule = BTreeMap::<String, usize>::new();
    let log = wait_until("every exchange is recorded", || {
        let mut log = sorted.proxy.access_log(taken);
        log.retain(|record| record["target.address"].is_string());
        (log.len() >= taken).then_some(log)
    });
    for record in log {
        let (rule, path) =
            (record["rule.name"].as_str().expect("a rule"), record["url.path"].as_str().expect("a path"));
        assert_eq!(rule_of(path), rule, "{path}");
        *by_rule.entry(rule.to_owned()).or_default() += 1;
    }
    let received: BTreeMap<String, usize> = sorted
        .counts()
        .into_iter()
        .map(|(name, count)| (name.to_owned(), count))
        .filter(|(_, count)| *count > 0)
        .collect();
    assert_eq!(by_rule, received);
}

#[test]
fn p_10_a_refused_path_says_nothing_to_the_connection() {
    let fixture = Fixture::start();
    let bytes = "GET /public/../x HTTP/1.1\r\nhost: app.test\r\n\r\n\
                 GET /public/y HTTP/1.1\r\nhost: app.test\r\nconnection: close\r\n\r\n";
    let answers = fixture.bytes(bytes);
    assert_eq!(responses(&answers), 2, "{answers}");
    assert_eq!(raw::status(&answers), 400);
    assert_eq!(fixture.target.last().target(), "/public/y");
    assert_eq!(fixture.target.count(), 1);
}
