//! What becomes of a request with and without a session: who is sent to sign in, who is told 401, and who goes on.

use std::time::Duration;

use crate::harness::app::{ATTACK_RULES, Proxy, SIGNED_IN, Setup};
use crate::harness::browser::{Answer, Browser, Protocol, join, on_both};
use crate::harness::provider::Provider;
use crate::harness::scenario::Scenario;
use crate::harness::{noise, target};

const TIMEOUT: Duration = Duration::from_secs(8 * 3600);

/// `/api/` denies, `/opt/` lets pass, `/renew/` denies but signs in whose session is over, the rest signs in.
fn scenario() -> Scenario {
    let gate = "{ type: authenticate-oidc, provider: corp, scope: openid profile email, session_timeout: 8h, ";
    let same = |rules: &str| rules.replace("{ type: authenticate-oidc, provider: corp, ", gate);
    let renew = "
      - name: renew
        priority: 40
        conditions: [{ path_pattern: [\"/renew/*\"] }]
        actions:
          - { type: authenticate-oidc, provider: corp, on_unauthenticated_request: deny, on_expired_session: authenticate }
          - { type: forward, target_group: app }
";
    let rules = same(&format!("{ATTACK_RULES}{}", renew.trim_start_matches('\n')));
    Scenario::start(|setup| setup.rules(&rules).default_actions(SIGNED_IN))
}

impl Scenario {
    /// Follows a link to sign in to where the login ends.
    #[track_caller]
    fn follow(&self, browser: &mut Browser, url: &str) -> Answer {
        let sent = browser.get(url);
        let back = browser.get(&self.provider.callback_of(sent.location()));
        browser.get(&join(url, back.location()))
    }

    #[track_caller]
    fn denied(&self, answer: &Answer, reason: &str) {
        assert_eq!((answer.status, answer.reason().as_deref()), (401, Some(reason)));
        let challenge = format!(r#"Session realm="vestibule", error="{reason}""#);
        assert_eq!(answer.header("www-authenticate"), Some(challenge.as_str()));
        assert_eq!(answer.header("cache-control"), Some("no-store"));
        assert!(answer.header("location").is_none());
    }
}

/// Asserts that the browser is sent to sign in, and that nobody keeps that answer.
/// The address of a page whose link is empty.
const BASE: &str = "https://app.test/page";

/// Where a link of a page leads.
#[track_caller]
fn way_on(answer: &Answer, label: &str) -> String {
    let before = answer.text().split(&format!(">{label}<")).next().expect("text");
    let link = before.rsplit("href=\"").next().expect("text");
    assert!(before.len() < answer.text().len(), "{label:?} on {}", answer.text());
    join(BASE, &link.split('"').next().expect("a value").replace("&#38;", "&"))
}

#[track_caller]
fn sent_to_sign_in(answer: &Answer) {
    assert_eq!(answer.status, 302, "{}", answer.text());
    assert!(answer.location().contains("/authorize?client_id="), "{}", answer.location());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[test]
fn without_a_session_each_rule_does_what_it_says() {
    let scenario = scenario();
    on_both(|protocol| {
        let mut browser = scenario.proxy.browser(protocol);
        let count = scenario.target.count();
        sent_to_sign_in(&browser.get("https://app.test/page"));
        let denied = browser.get("https://app.test/api/items");
        scenario.denied(&denied, "auth.required");
        assert!(
            denied.header("content-type").is_some_and(|kind| kind.starts_with("text/html")),
            "a person can read it"
        );
        scenario.denied(&browser.get("https://app.test/renew/items"), "auth.required");
        assert_eq!(scenario.target.count(), count);
        assert_eq!(browser.get("https://app.test/opt/page").status, 200);
        let request = scenario.target.last();
        for name in ["x-amzn-oidc-identity", "x-amzn-oidc-data", "x-amzn-oidc-accesstoken"] {
            assert_eq!(request.header(name), None, "nobody is nobody");
        }
    });
}

#[test]
fn with_a_session_every_rule_tells_the_target_who_it_is() {
    let scenario = scenario();
    on_both(|protocol| {
        let mut browser = scenario.signed_in(protocol);
        for path in ["/page", "/api/items", "/opt/page", "/renew/items"] {
            assert_eq!(browser.get(&format!("https://app.test{path}")).status, 200, "{path}");
            let request = scenario.target.last();
            assert_eq!(request.header("x-amzn-oidc-identity"), Some("alice"), "{path}");
            assert_eq!(request.header("cookie"), None, "our cookies are ours");
        }
        // A rule without a gate does not look at the session.
        assert_eq!(browser.get("https://app.test/public/page").status, 200);
        assert_eq!(scenario.target.last().header("x-amzn-oidc-identity"), None);
    });
}

#[test]
fn an_expired_session_is_told_from_an_invalid_one_and_from_none() {
    let scenario = scenario();
    on_both(|protocol| {
        let mut browser = scenario.signed_in(protocol);
        scenario.proxy.clock.advance(TIMEOUT);
        let count = scenario.target.count();
        scenario.denied(&browser.clone().scripted().get("https://app.test/page"), "auth.session_expired");
        scenario.denied(&browser.get("https://app.test/api/items"), "auth.session_expired");
        scenario.denied(&browser.clone().scripted().get("https://app.test/renew/items"), "auth.session_expired");
        sent_to_sign_in(&browser.get("https://app.test/renew/items"));
        sent_to_sign_in(&browser.get("https://app.test/page"));
        assert_eq!(scenario.target.count(), count);

        let mut invalid = scenario.proxy.browser(protocol);
        invalid.set_cookie("app.test", "__Host-vestibule-0", "1AAAA");
        scenario.denied(&invalid.clone().scripted().get("https://app.test/page"), "auth.session_invalid");
        scenario.denied(&invalid.clone().get("https://app.test/api/items"), "auth.session_invalid");
        scenario.denied(&invalid.clone().get("https://app.test/renew/items"), "auth.session_invalid");
        sent_to_sign_in(&invalid.get("https://app.test/page"));
        assert_eq!(scenario.target.count(), count);
        scenario.denied(&scenario.proxy.browser(protocol).scripted().get("https://app.test/page"), "auth.required");
    });
}

#[test]
fn allow_goes_on_as_nobody_and_clears_what_is_of_no_use() {
    let scenario = scenario();
    on_both(|protocol| {
        let mut expired = scenario.signed_in(protocol);
        scenario.proxy.clock.advance(TIMEOUT);
        let mut invalid = scenario.proxy.browser(protocol);
        invalid.set_cookie("app.test", "__Host-vestibule-0", "1AAAA");
        for browser in [&mut expired, &mut invalid] {
            assert_eq!(browser.get("https://app.test/opt/page").status, 200);
            let request = scenario.target.last();
            assert_eq!((request.header("x-amzn-oidc-identity"), request.header("cookie")), (None, None));
            assert_eq!(browser.cookie_names("app.test"), [""; 0]);
        }
    });
}

#[test]
fn what_cannot_follow_a_redirect_is_told_401_and_never_302() {
    let scenario = scenario();
    on_both(|protocol| {
        let count = scenario.target.count();
        let json = ("accept", "application/json");
        let cases: [(&str, &[(&str, &str)]); 9] = [
            ("fetch", &[json, ("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")]),
            ("fetch that accepts all", &[("accept", "*/*"), ("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")]),
            ("XMLHttpRequest", &[("accept", "text/html"), ("x-requested-with", "XMLHttpRequest")]),
            ("a frame", &[("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")]),
            ("an image", &[("accept", "image/*"), ("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image")]),
            ("curl", &[("accept", "*/*")]),
            ("nothing", &[]),
            ("an event stream", &[("accept", "text/event-stream")]),
            ("a prefetch", &[("accept", "text/html"), ("sec-purpose", "prefetch")]),
        ];
        for (what, headers) in cases {
            let mut browser = scenario.proxy.browser(protocol);
            browser.headers.clear();
            let answer = browser.send("GET", "https://app.test/page", headers, b"");
            assert_eq!(answer.status, 401, "{what}");
            scenario.denied(&answer, "auth.required");
            assert_eq!(answer.set_cookies(), [""; 0], "{what} begins no login");
        }
        let mut browser = scenario.proxy.browser(protocol).scripted();
        for method in ["POST", "PUT", "PATCH", "DELETE", "OPTIONS"] {
            let answer = browser.send(method, "https://app.test/page", &[], b"");
            scenario.denied(&answer, "auth.required");
            let json = answer.json();
            assert_eq!((&json["error"], &json["status"]), (&"auth.required".into(), &401.into()));
            assert!(json["request_id"].as_str().is_some_and(|id| !id.is_empty()));
        }
        assert_eq!(scenario.target.count(), count);
    });
}

#[test]
fn a_browser_without_fetch_metadata_is_sent_to_sign_in_where_it_wants_a_page() {
    let scenario = scenario();
    let mut browser = scenario.proxy.browser(Protocol::Http1);
    browser.headers = vec![("accept".into(), "text/html,*/*;q=0.8".into())];
    sent_to_sign_in(&browser.get("https://app.test/page"));
}

#[test]
fn a_form_of_a_session_that_has_ended_is_not_lost_without_a_word() {
    let scenario = scenario();
    on_both(|protocol| {
        let mut browser = scenario.proxy.browser(protocol);
        let count = scenario.target.count();
        let refused = browser.post_form("https://app.test/orders?new=1", &[("secret", "words")]);
        assert_eq!((refused.status, refused.reason().as_deref()), (401, Some("auth.form_not_sent")));
        assert!(!refused.text().contains("words"), "X-08: nothing of the body");
        // The page stays, and with it the form: it is sent again when the user has signed in in another tab.
        assert!(refused.text().contains(r#"target="_blank""#), "{}", refused.text());
        let landed = scenario.follow(&mut browser, &way_on(&refused, "Sign in"));
        assert!(landed.text().contains("You are signed in"), "{}", landed.text());
        assert_eq!(scenario.target.count(), count);
        assert_eq!(browser.post_form("https://app.test/orders?new=1", &[("secret", "words")]).status, 200);
        assert_eq!(scenario.target.last().body_text(), "secret=words");
        assert_eq!(way_on(&refused, "Open the page without sending the form"), BASE);
    });
}

#[test]
fn a_form_of_another_site_is_explained() {
    let scenario = scenario();
    on_both(|protocol| {
        // Signed in, but the browser keeps a `SameSite=Lax` cookie back.
        let mut browser = scenario.proxy.browser(protocol);
        let foreign = [("sec-fetch-site", "cross-site"), ("origin", "https://shop.test")];
        let refused = browser.send("POST", "https://app.test/paid", &foreign, b"a=b");
        assert_eq!((refused.status, refused.reason().as_deref()), (401, Some("auth.form_foreign")));
        assert_eq!(way_on(&refused, "Open the page"), BASE, "the same address");
        // A sibling's form comes with the cookie.
        let sibling = [("sec-fetch-site", "same-site"), ("origin", "https://other.test")];
        let refused = browser.send("POST", "https://app.test/paid", &sibling, b"a=b");
        assert_eq!(refused.reason().as_deref(), Some("auth.form_not_sent"));
    });
}

#[test]
fn a_frame_whose_session_has_ended_says_so_inside_the_frame() {
    let scenario = scenario();
    on_both(|protocol| {
        let mut browser = scenario.signed_in(protocol);
        scenario.proxy.clock.advance(TIMEOUT);
        let frame = [("sec-fetch-dest", "iframe"), ("sec-fetch-site", "same-origin")];
        let refused = browser.send("GET", "https://app.test/part", &frame, b"");
        assert_eq!((refused.status, refused.reason().as_deref()), (401, Some("auth.session_expired")));
        assert_eq!(refused.header("x-frame-options"), Some("SAMEORIGIN"));
        assert!(refused.header("content-security-policy").expect("a policy").contains("frame-ancestors 'self'"));
        assert!(refused.text().contains(r#"target="_blank""#), "a provider is not shown in a frame");
        scenario.provider.say(|script| script.now = scenario.proxy.clock.now().seconds());
        let landed = scenario.follow(&mut browser, &way_on(&refused, "Sign in"));
        assert!(landed.text().contains("You are signed in"), "{}", landed.text());
        assert_eq!(browser.send("GET", "https://app.test/part", &frame, b"").status, 200);
    });
}

#[test]
fn where_a_rule_denies_a_person_still_has_a_link_to_sign_in() {
    let scenario = scenario();
    on_both(|protocol| {
        let mut browser = scenario.proxy.browser(protocol);
        let refused = browser.get("https://app.test/api/items?x=1");
        assert_eq!(refused.reason().as_deref(), Some("auth.required"));
        let sent = browser.get(&way_on(&refused, "Sign in"));
        assert_eq!(browser.get(&scenario.provider.callback_of(sent.location())).location(), "/api/items?x=1");
        // A program on a terminal is told the address.
        let text = browser.send("GET", "https://app.test/api/items", &[("accept", "*/*"), ("cookie", "")], b"");
        assert!(text.text().contains("\nSign in: https://app.test/oauth2/sign_in?state="), "{}", text.text());
        let json =
            browser.send("GET", "https://app.test/api/items", &[("accept", "application/json"), ("cookie", "")], b"");
        let sign_in = json.json()["sign_in"].as_str().map(str::to_owned);
        assert!(sign_in.is_some_and(|to| to.starts_with("https://app.test/oauth2/sign_in?state=")), "{}", json.text());
    });
}

#[test]
fn the_address_that_was_asked_for_is_kept_as_it_was() {
    let scenario = scenario();
    on_both(|protocol| {
        for path in ["/", "/a/b/", "/a?b=c&d=%2F%20e&f", "/?next=https://evil.test/", "/%C3%BC/x", "/a+b", "/a?x=a'b"] {
            let mut browser = scenario.proxy.browser(protocol);
            let sent = browser.get(&format!("https://app.test{path}"));
            let back = browser.get(&scenario.provider.callback_of(sent.location()));
            assert_eq!((back.status, back.location()), (302, path));
        }
    });
}

#[test]
fn an_address_of_any_length_is_kept() {
    let scenario = scenario();
    on_both(|protocol| {
        for length in [500, 512, 513, 2044, 3000, 8000, 16_000, 30_000] {
            let mut browser = scenario.proxy.browser(protocol);
            let path = format!("/?q={}", noise(length));
            let sent = browser.get(&format!("https://app.test{path}"));
            assert!(sent.location().len() < 2000, "the address of the provider stays short: {}", sent.location().len());
            let back = browser.get(&scenario.provider.callback_of(sent.location()));
            assert_eq!(back.location(), path, "{length}");
            assert!(!browser.cookie_names("app.test").iter().any(|name| name.contains('.')), "no part is left");
            assert_eq!(browser.get(&format!("https://app.test{path}")).status, 200);
        }
        // One that does not fit beside everything else stays in the address bar, and the page says how to go on.
        let mut browser = scenario.proxy.browser(protocol);
        let long = format!("https://app.test/?q={}", noise(50_000));
        let page = browser.get(&long);
        assert_eq!((page.status, page.reason().as_deref()), (401, Some("auth.address_too_long")));
        assert!(page.text().contains(r#"target="_blank""#), "{}", page.text());
        let landed = scenario.follow(&mut browser, &way_on(&page, "Sign in"));
        assert!(landed.text().contains("You are signed in"), "{}", landed.text());
        assert_eq!(browser.get(&long).status, 200, "a reload goes on");
    });
}

#[test]
fn long_addresses_in_many_tabs_leave_room_for_everything_else() {
    let scenario = scenario();
    on_both(|protocol| {
        let mut browser = scenario.proxy.browser(protocol);
        let mut last = String::new();
        for tab in 0..8 {
            scenario.proxy.clock.advance(Duration::from_secs(1));
            last = browser.get(&format!("https://app.test/{tab}?q={}", noise(10_000))).location().to_owned();
            let cookies = browser.cookie_header("app.test").len();
            assert!(cookies < 32 * 1024, "{cookies} bytes of cookies after {tab} tabs");
        }
        assert!(browser.get(&scenario.provider.callback_of(&last)).location().starts_with("/7?q="));
    });
}

#[test]
fn the_port_that_the_browser_named_is_part_of_where_it_comes_back() {
    let scenario = scenario();
    on_both(|protocol| {
        let mut browser = scenario.proxy.browser(protocol);
        let sent = browser.get("https://app.test:8443/page");
        assert!(sent.location().contains("redirect_uri=https%3A%2F%2Fapp.test%3A8443%2Foauth2%2Fidpresponse"));
        let callback = scenario.provider.callback_of(sent.location());
        assert!(callback.starts_with("https://app.test:8443/"), "{callback}");
        assert_eq!(browser.get(&callback).location(), "/page");
    });
}

#[test]
fn several_tabs_sign_in_one_after_the_other_and_in_any_order() {
    let scenario = scenario();
    on_both(|protocol| {
        let mut browser = scenario.proxy.browser(protocol);
        let mut tabs: Vec<(String, String)> = (0..4)
            .map(|tab| {
                let page = format!("/tab/{tab}");
                let sent = browser.get(&format!("https://app.test{page}"));
                (page, scenario.provider.callback_of(sent.location()))
            })
            .collect();
        tabs.swap(0, 3);
        for (page, callback) in tabs {
            assert_eq!(browser.get(&callback).location(), page);
            assert_eq!(browser.get(&format!("https://app.test{page}")).status, 200);
        }
    });
}

#[test]
fn a_rule_with_a_shorter_timeout_does_not_take_a_session_that_is_older() {
    let (provider, target) = (Provider::start(), target::echo());
    let rules = "
      - name: strict
        priority: 1
        conditions: [{ path_pattern: [/strict] }]
        actions:
          - { type: authenticate-oidc, provider: corp, scope: openid profile email, session_timeout: 1h }
          - { type: forward, target_group: app }
";
    let proxy = Setup::new(&provider, &target).rules(rules).start();
    let mut browser = proxy.signed_in(Protocol::Http2, &provider);
    assert_eq!(browser.get("https://app.test/strict").status, 200);
    proxy.clock.advance(Duration::from_secs(3600));
    let answer = browser.clone().scripted().get("https://app.test/strict");
    assert_eq!((answer.status, answer.reason().as_deref()), (401, Some("auth.session_expired")));
    assert_eq!(browser.get("https://app.test/page").status, 200, "elsewhere it is good");
}

#[test]
fn a_head_request_is_answered_as_a_get_without_its_body() {
    let scenario = scenario();
    on_both(|protocol| {
        let mut browser = scenario.proxy.browser(protocol);
        let sent = browser.send("HEAD", "https://app.test/page", &[], b"");
        assert_eq!((sent.status, sent.body.len()), (302, 0));
        let denied = browser.send("HEAD", "https://app.test/api/items", &[], b"");
        assert_eq!((denied.status, denied.body.len()), (401, 0));
        let health = browser.send("HEAD", "https://app.test/healthz", &[], b"");
        assert_eq!((health.status, health.body.len()), (200, 0));
        assert_eq!(health.header("content-length"), Some("2"), "the length that a GET is told");
    });
}

#[test]
fn rules_with_equal_actions_share_what_a_worker_has_opened() {
    let (provider, target) = (Provider::start(), target::echo());
    // `8h` is the default action's.
    let rule = |name: &str, timeout: &str| {
        format!(
            "
      - name: {name}
        priority: {}
        conditions: [{{ path_pattern: [\"/{name}/*\"] }}]
        actions:
          - {{ type: authenticate-oidc, provider: corp, scope: openid profile email, session_timeout: {timeout} }}
          - {{ type: forward, target_group: app }}",
            name.len()
        )
    };
    let rules = [rule("a", "8h"), rule("bb", "8h"), rule("ccc", "7h")].concat();
    let yaml = Setup::new(&provider, &target).rules(&rules).yaml().replace("workers: 2", "workers: 1");
    let proxy = Proxy::start(&yaml);
    let mut browser = proxy.signed_in(Protocol::Http2, &provider);
    let opened = |outcome: &str| proxy.metric(&format!("vestibule_sessions_opened_total{{outcome=\"{outcome}\"}}"));
    let (ok, cached) = (opened("ok"), opened("cached"));
    for path in ["a", "bb", "a"] {
        assert_eq!(browser.get(&format!("https://app.test/{path}/")).status, 200);
    }
    assert_eq!((opened("ok"), opened("cached")), (ok, cached + 3), "they are the default action's equals");
    assert_eq!(browser.get("https://app.test/ccc/").status, 200);
    assert_eq!((opened("ok"), opened("cached")), (ok + 1, cached + 3), "a shorter session is another one");
}
