//! Our cookies and the application's: neither takes the other's, and no shared cache keeps an answer with one of ours.

use std::time::Duration;

use serde_json::json;

use crate::harness::app::Setup;
use crate::harness::browser::{Answer, Protocol, on_both};
use crate::harness::scenario::Scenario;
use crate::harness::server::{Received, Reply};

const PAGE: &str = "https://app.test/page";
const OPEN: &str = "
      - name: open
        priority: 1
        conditions: [{ path_pattern: [\"/open/*\"] }]
        actions: [{ type: forward, target_group: app }]
      - name: optional
        priority: 2
        conditions: [{ path_pattern: [\"/opt/*\"] }]
        actions:
          - { type: authenticate-oidc, provider: corp, on_unauthenticated_request: allow, session_timeout: 8h }
          - { type: forward, target_group: app }
";
/// After this much of an access token's life a refresh is due.
const DUE: Duration = Duration::from_secs(3000);

/// A provider that gives refresh tokens.
fn scenario(change: impl FnOnce(Setup) -> Setup) -> Scenario {
    let scenario = Scenario::start(|setup| change(setup.rules(OPEN)));
    scenario.provider.say(|script| script.token_response = json!({"refresh_token": "refresh-1"}));
    scenario
}

/// Asserts that no shared cache may store the answer, by any field that one reads.
#[track_caller]
fn not_for_shared_caches(answer: &Answer, what: &str) {
    let control = answer.header("cache-control").unwrap_or_default();
    let has = |name: &str| control.split(',').any(|directive| directive.trim() == name);
    assert!(has("private") || has("no-store"), "{what}: {control}");
    assert!(!control.contains("public") && !control.contains("s-maxage"), "{what}: {control}");
    for name in ["surrogate-control", "cdn-cache-control", "cloudflare-cdn-cache-control", "x-accel-expires"] {
        assert_eq!(answer.header(name), None, "{what}: {name}");
    }
}

/// A target that wants its answers stored by everybody.
fn public(status: &'static str) -> impl Fn(&Received) -> Reply {
    move |_| {
        let fields = [
            ("cache-control", "public, max-age=600, s-maxage=6000"),
            ("surrogate-control", "max-age=600"),
            ("cdn-cache-control", "max-age=600"),
            ("cloudflare-cdn-cache-control", "max-age=600"),
            ("x-accel-expires", "600"),
            ("etag", "\"1\""),
        ];
        let body = if status.starts_with("304") || status.starts_with("204") { "" } else { "x" };
        Reply::new(status, &fields, body)
    }
}

#[test]
fn b_6_an_answer_with_a_renewed_session_is_not_for_shared_caches_on_any_status() {
    let scenario = scenario(|setup| setup);
    for status in [
        "200 OK",
        "204 No Content",
        "206 Partial Content",
        "301 Moved",
        "304 Not Modified",
        "404 Not Found",
        "410 Gone",
    ] {
        scenario.target.script(public(status));
        on_both(|protocol| {
            let mut browser = scenario.signed_in(protocol);
            let before = browser.get(PAGE);
            assert_eq!(before.header("cache-control"), Some("public, max-age=600, s-maxage=6000"), "its own word");
            scenario.proxy.clock.advance(DUE);
            scenario.provider.say(|script| script.now = scenario.proxy.clock.now().seconds());
            let answer = browser.get(PAGE);
            assert_eq!(answer.new_session().len(), 1, "{status}");
            not_for_shared_caches(&answer, status);
            assert_eq!(answer.header("cache-control"), Some("private, max-age=600"), "the browser may keep it");
            assert_eq!(answer.header("etag"), Some("\"1\""));
        });
    }
}

#[test]
fn b_6_an_answer_that_deletes_a_cookie_is_not_for_shared_caches() {
    let scenario = scenario(|setup| setup);
    scenario.target.script(public("200 OK"));
    on_both(|protocol| {
        let mut browser = scenario.proxy.browser(protocol);
        browser.set_cookie("app.test", "__Host-vestibule-0", "1AAAA");
        let answer = browser.get("https://app.test/opt/page");
        assert!(!answer.set_cookies().is_empty());
        not_for_shared_caches(&answer, "a deletion");
    });
}

#[test]
fn b_6_an_answer_that_says_nothing_of_caches_is_private_where_it_has_a_cookie() {
    let scenario = scenario(|setup| setup);
    on_both(|protocol| {
        let mut browser = scenario.signed_in(protocol);
        scenario.proxy.clock.advance(DUE);
        let answer = browser.get(PAGE);
        assert_eq!((answer.new_session().len(), answer.header("cache-control")), (1, Some("private")));
        assert_eq!(browser.get(PAGE).header("cache-control"), None, "without a cookie it is the application's word");
    });
}

#[test]
fn b_6_a_rule_can_make_every_answer_to_a_user_private() {
    let gate = "
      - { type: authenticate-oidc, provider: corp, session_timeout: 8h, private_responses: true }
      - { type: forward, target_group: app }
";
    let scenario = scenario(|setup| setup.default_actions(gate));
    scenario.target.script(public("200 OK"));
    on_both(|protocol| {
        let mut browser = scenario.signed_in(protocol);
        let answer = browser.get(PAGE);
        assert_eq!(answer.set_cookies(), [""; 0]);
        not_for_shared_caches(&answer, "a user's");
        let open = browser.get("https://app.test/open/page");
        assert_eq!(open.header("cache-control"), Some("public, max-age=600, s-maxage=6000"));
    });
}

#[test]
fn b_9b_a_target_can_neither_set_nor_delete_a_cookie_of_ours() {
    let scenario = scenario(|setup| setup);
    let own = ["sid=1; Path=/", "__Host-app=2; Path=/; Secure", "vestibule-0=3"];
    scenario.target.script(move |_| {
        let ours = ["__Host-vestibule-0=1evil; Path=/; Secure", "__Host-vestibule-1=; Max-Age=0; Path=/; Secure"];
        let login = "=__Host-vestibule-login-AbCd1234=x; Path=/; Secure";
        let lines: Vec<(&str, &str)> =
            own.into_iter().chain(ours).chain([login]).map(|line| ("set-cookie", line)).collect();
        Reply::new("200 OK", &lines, "x")
    });
    let series = "vestibule_upstream_cookies_dropped_total{target_group=\"app\"}";
    on_both(|protocol| {
        let mut browser = scenario.signed_in(protocol);
        let session = browser.cookie("app.test", "__Host-vestibule-0");
        for path in ["page", "open/page", "opt/page"] {
            let count = scenario.proxy.metric(series);
            let answer = browser.get(&format!("https://app.test/{path}"));
            assert_eq!(answer.set_cookies(), own, "{path}");
            assert_eq!(scenario.proxy.metric(series), count + 3, "{path}");
            assert_eq!(browser.cookie("app.test", "__Host-vestibule-0"), session);
        }
    });
}

#[test]
fn b_9b_a_trailer_sets_no_cookie_of_ours() {
    let scenario = scenario(|setup| setup);
    scenario.target.script(|_| {
        let head = "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: set-cookie, x-sum\r\n\r\n";
        let trailers = "set-cookie: __Host-vestibule-0=1evil; Path=/; Secure\r\nset-cookie: a=1\r\nx-sum: 7\r\n\r\n";
        Reply::Bytes(format!("{head}1\r\nx\r\n0\r\n{trailers}").into_bytes())
    });
    on_both(|protocol| {
        let answer = scenario.signed_in(protocol).send("GET", PAGE, &[("te", "trailers")], b"");
        let text = format!("{:?} {:?}", answer.headers, answer.trailers);
        assert_eq!(answer.status, 200);
        assert!(!text.contains("1evil"), "{text}");
        assert!(protocol == Protocol::Http1 || answer.trailers.contains_key("x-sum"), "{text}");
    });
    assert_ne!(scenario.proxy.metric("vestibule_upstream_cookies_dropped_total{target_group=\"app\"}"), 0);
}

#[test]
fn d_22_the_application_keeps_cookies_whose_names_only_begin_like_ours() {
    let rest = "claims: { signer: 'arn:vestibule:test', signing_key_file: claims-key.pem }\n\
                session: { key_files: [session-key], cookie_name: shop }\n";
    let scenario = scenario(|setup| setup.rest(rest));
    on_both(|protocol| {
        let mut browser = scenario.signed_in(protocol);
        let mut pending = scenario.proxy.browser(protocol);
        pending.get(PAGE);
        let ours = format!("{}; {}", browser.cookie_header("app.test"), pending.cookie_header("app.test"));
        assert!(ours.starts_with("shop-0=") && ours.contains("; shop-login-"), "{ours}");
        let own = "a=1; shop-theme=dark; SHOP-basket=7; shop=1; shop-login=no; shop-login-page=/; shop-0x=1";
        for path in ["page", "open/page", "opt/page"] {
            let cookies = format!("{own}; {ours}; SHOP-3=x; shop-77=y");
            let answer = browser.send("GET", &format!("https://app.test/{path}"), &[("cookie", &cookies)], b"");
            // Shards that are too many make the session invalid: the rule without a gate and the one that allows pass it.
            if path != "page" {
                assert_eq!(answer.status, 200, "{path}");
                assert_eq!(scenario.target.last().header("cookie"), Some(own), "{path}");
            }
            let cookies = format!("{own}; {ours}");
            let answer = browser.send("GET", &format!("https://app.test/{path}"), &[("cookie", &cookies)], b"");
            assert_eq!(answer.status, 200, "{path}");
            assert_eq!(scenario.target.last().header("cookie"), Some(own), "{path}");
        }
    });
}

#[test]
fn b_6_the_101_of_a_websocket_is_private_where_it_has_a_cookie() {
    let scenario = scenario(|setup| setup);
    let browser = scenario.signed_in(Protocol::Http1);
    scenario.target.script(|_| {
        let fields = "upgrade: websocket\r\nconnection: upgrade\r\ncache-control: public, max-age=60\r\n\
                      set-cookie: __Host-vestibule-0=1evil; Path=/; Secure\r\n\r\n";
        Reply::Switch(format!("HTTP/1.1 101 Switching Protocols\r\n{fields}").into_bytes())
    });
    scenario.proxy.clock.advance(DUE);
    let cookies = browser.cookie_header("app.test");
    let mut raw = crate::harness::raw::Raw::connect(scenario.proxy.address(), "app.test");
    raw.send(format!(
        "GET /socket HTTP/1.1\r\nhost: app.test\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\ncookie: {cookies}\r\n\r\n"
    ));
    let head = raw.read_until("\r\n\r\n").to_ascii_lowercase();
    assert!(head.starts_with("http/1.1 101 "), "{head}");
    assert!(head.contains("set-cookie: __host-vestibule-0=") && !head.contains("1evil"), "{head}");
    assert!(head.contains("cache-control: private, max-age=60"), "{head}");
}
