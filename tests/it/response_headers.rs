//! Headers that a listener sets in responses, and the CORS policies of listeners and rules.

use crate::harness::app::{Proxy, Setup};
use crate::harness::browser::{Protocol, on_both};
use crate::harness::provider::Provider;
use crate::harness::server::{Reply, Server};
use crate::harness::target;

const HEADERS: &str = r#"
    response_headers:
      strict_transport_security: max-age=31536000; includeSubDomains
      content_security_policy: default-src 'self'
      x_content_type_options: nosniff
      x_frame_options: SAMEORIGIN
      access_control_allow_origin: https://spa.test
      access_control_allow_credentials: true
      access_control_allow_methods: [GET, PUT]
      access_control_allow_headers: [X-Token]
      access_control_expose_headers: [X-Total]
      access_control_max_age: 60
      server: false"#;

/// What [`HEADERS`] sets.
const SET: [(&str, &str); 10] = [
    ("strict-transport-security", "max-age=31536000; includeSubDomains"),
    ("content-security-policy", "default-src 'self'"),
    ("x-content-type-options", "nosniff"),
    ("x-frame-options", "SAMEORIGIN"),
    ("access-control-allow-origin", "https://spa.test"),
    ("access-control-allow-credentials", "true"),
    ("access-control-allow-methods", "GET, PUT"),
    ("access-control-allow-headers", "x-token"),
    ("access-control-expose-headers", "x-total"),
    ("access-control-max-age", "60"),
];

const RULES: &str = r#"
      - name: fixed
        priority: 1
        conditions: [{ path_pattern: [/fixed] }]
        actions: [{ type: fixed-response, status_code: 200, content_type: text/plain, body: ok }]
      - name: open
        priority: 2
        conditions: [{ path_pattern: ["/open/*"] }]
        actions: [{ type: forward, target_group: app }]
"#;

fn started(listener: &str, rules: &str) -> (Provider, Server, Proxy) {
    let (provider, target) = (Provider::start(), target::echo());
    let proxy = Setup::new(&provider, &target).listener(listener).rules(rules).start();
    (provider, target, proxy)
}

#[test]
fn the_headers_of_a_listener_are_set_in_answers_of_targets_and_in_ours() {
    let (_provider, target, proxy) = started(HEADERS, RULES);
    let own = [("server", "app/1"), ("x-frame-options", "ALLOWALL"), ("content-security-policy", "default-src *")];
    target.script(move |_| Reply::new("200 OK", &own, "from the target"));
    on_both(|protocol| {
        for path in ["/open/x", "/fixed"] {
            let answer = proxy.browser(protocol).get(&format!("https://app.test{path}"));
            assert_eq!(answer.status, 200, "{path}");
            for (name, value) in SET {
                assert_eq!(answer.headers.get_all(name).iter().count(), 1, "{path} {name}");
                assert_eq!(answer.header(name), Some(value), "{path}");
            }
            assert_eq!(answer.header("server"), None, "{path}");
        }
    });
}

#[test]
fn x_07_our_pages_keep_their_stricter_policy() {
    let (_provider, _target, proxy) = started(HEADERS, RULES);
    on_both(|protocol| {
        let refused = proxy.browser(protocol).scripted().get("https://app.test/page");
        assert_eq!((refused.status, refused.header("x-frame-options")), (401, Some("DENY")));
        assert!(refused.header("content-security-policy").expect("one").starts_with("default-src 'none'"));
        assert_eq!(refused.header("strict-transport-security"), Some(SET[0].1));
        let sent_to_provider = proxy.browser(protocol).get("https://app.test/page");
        assert_eq!((sent_to_provider.status, sent_to_provider.header(SET[0].0)), (302, Some(SET[0].1)));
    });
}

#[test]
fn the_endpoints_of_sign_in_are_not_shared_with_other_sites() {
    let (_provider, _target, proxy) = started(HEADERS, RULES);
    on_both(|protocol| {
        for path in ["/oauth2/userinfo", "/oauth2/idpresponse", "/oauth2/sign_out", "/x/../y"] {
            let answer = proxy.browser(protocol).get(&format!("https://app.test{path}"));
            let shared = answer.headers.keys().find(|name| name.as_str().starts_with("access-control-"));
            assert_eq!(shared, None, "{path}");
        }
    });
}

#[test]
fn without_settings_nothing_is_set_and_server_is_passed_on() {
    let (_provider, target, proxy) = started("", RULES);
    target.script(|_| Reply::new("200 OK", &[("server", "app/1"), ("access-control-allow-origin", "*")], ""));
    on_both(|protocol| {
        let answer = proxy.browser(protocol).get("https://app.test/open/x");
        assert_eq!(answer.header("server"), Some("app/1"));
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
        assert!(SET[..4].iter().all(|(name, _)| answer.header(name).is_none()), "{answer:?}");
    });
}

const CORS: &str = r"
      - name: fixed
        priority: 1
        conditions: [{ path_pattern: [/fixed] }]
        cors: { allow_origins: ['*'], allow_headers: ['*'] }
        actions: [{ type: fixed-response, status_code: 200, content_type: text/plain, body: ok }]
      - name: open
        priority: 2
        conditions: [{ path_pattern: ['/open/*'] }]
        actions: [{ type: forward, target_group: app }]
";

const LISTENER: &str = "    cors:
      allow_origins: ['https://spa.test', 'https://other.test:8443']
      allow_methods: [GET, PUT]
      allow_headers: [X-Token]
      expose_headers: [X-Total]
      allow_credentials: true
      max_age: 1h";

#[test]
fn a_rule_answers_by_its_own_policy_or_by_that_of_the_listener() {
    let (_provider, _target, proxy) = started(LISTENER, CORS);
    on_both(|protocol| {
        let from = |path: &str, origin: &str| {
            let mut browser = proxy.browser(protocol).scripted();
            browser.send("GET", &format!("https://app.test{path}"), &[("origin", origin)], b"")
        };
        let open = from("/open/x", "https://other.test:8443");
        assert_eq!(open.header("access-control-allow-origin"), Some("https://other.test:8443"));
        assert_eq!(open.header("access-control-allow-credentials"), Some("true"));
        assert_eq!(open.header("access-control-expose-headers"), Some("x-total"));
        assert_eq!(open.header("vary"), Some("Origin"));
        let fixed = from("/fixed", "https://anyone.test");
        assert_eq!(fixed.header("access-control-allow-origin"), Some("*"));
        assert_eq!(fixed.header("access-control-allow-credentials"), None);
        let refused = from("/page", "https://spa.test");
        assert_eq!((refused.status, refused.reason().as_deref()), (401, Some("auth.required")));
        assert_eq!(refused.header("access-control-allow-origin"), Some("https://spa.test"), "scripts can read why");
    });
}

#[test]
fn a_preflight_is_answered_without_sign_in_and_without_a_target() {
    let (_provider, target, proxy) = started(LISTENER, CORS);
    on_both(|protocol| {
        for path in ["/page", "/open/x", "/fixed"] {
            let preflight = [
                ("origin", "https://spa.test"),
                ("access-control-request-method", "PUT"),
                ("access-control-request-headers", "x-token"),
            ];
            let before = target.count();
            let answer = proxy.browser(protocol).send("OPTIONS", &format!("https://app.test{path}"), &preflight, b"");
            assert_eq!((answer.status, answer.body.len()), (204, 0), "{path}: {answer:?}");
            assert_eq!(answer.set_cookies(), [""; 0], "{path}");
            assert_eq!(target.count(), before, "{path}");
            if path == "/fixed" {
                assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
                assert_eq!(answer.header("access-control-allow-headers"), Some("*"));
                continue;
            }
            assert_eq!(answer.header("access-control-allow-origin"), Some("https://spa.test"), "{path}");
            assert_eq!(answer.header("access-control-allow-methods"), Some("GET, PUT"), "{path}");
            assert_eq!(answer.header("access-control-allow-headers"), Some("x-token"), "{path}");
            assert_eq!(answer.header("access-control-max-age"), Some("3600"), "{path}");
        }
    });
    // Workers write their records in any order.
    let records = proxy.access_log(6);
    assert!(records.iter().all(|record| record["actions"] == serde_json::json!(["cors"])), "{records:?}");
    assert_eq!(records.iter().filter(|record| record["rule.name"] == "fixed").count(), 2, "{records:?}");
}

#[test]
fn a_real_request_of_another_origin_still_meets_the_gates() {
    let (provider, target, proxy) = started(LISTENER, CORS);
    let browser = proxy.signed_in(Protocol::Http2, &provider);
    let origin = [("origin", "https://spa.test")];
    let answer = browser.clone().scripted().send("GET", "https://app.test/page", &origin, b"");
    assert_eq!((answer.status, answer.header("access-control-allow-origin")), (200, Some("https://spa.test")));
    assert_eq!(target.last().header("x-amzn-oidc-identity"), Some("alice"));
}
