//! Step-up: `max_age` and `acr` of `authorize` (OIDC Core §2, §3.1.2.1). Who is signed in, but too long ago or not strongly enough, signs
//! in again.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::browser::{Answer, Browser, Protocol, on_both};
use crate::harness::scenario::{PAGE, Scenario, parameter};

/// A proxy whose default actions run `authorize` with these keys behind a sign-in at `corp` with these. Below `/open/`, everybody who is
/// signed in may come in.
fn scenario_with(authenticate: &str, authorize: &str) -> Scenario {
    let sign_in = format!("{{ type: authenticate-oidc, provider: corp, session_timeout: 7d, {authenticate} }}");
    let rules = format!(
        "\n      - name: open\n        priority: 1\n        conditions: [{{ path_pattern: [\"/open/*\"] }}]\n        actions:\n\
         \x20         - {sign_in}\n          - {{ type: forward, target_group: app }}\n"
    );
    let actions = format!(
        "\n      - {sign_in}\n      - {{ type: authorize, {authorize} }}\n      - {{ type: forward, target_group: app }}\n"
    );
    Scenario::start(|setup| setup.rules(&rules).default_actions(&actions))
}

fn scenario(authorize: &str) -> Scenario {
    scenario_with("scope: openid", authorize)
}

impl Scenario {
    /// What the ID token says from now on, besides the subject.
    fn says(&self, claims: &Value) {
        let now = self.proxy.clock.now().seconds();
        self.provider.say(|script| {
            let mut all = json!({"sub": "alice"});
            all.as_object_mut().expect("an object").extend(claims.as_object().expect("an object").clone());
            (script.id_token, script.now) = (all, now);
        });
    }

    /// The user signs in now.
    fn signs_in_now(&self) {
        self.says(&json!({"auth_time": self.proxy.clock.now().seconds()}));
    }

    fn signed_in_and_back(&self, protocol: Protocol) -> Browser {
        let mut browser = self.proxy.browser(protocol);
        let landed = self.provider.try_sign_in(&mut browser, PAGE);
        assert_eq!(landed.location(), "/page?a=1", "{}", landed.text());
        browser
    }

    /// Follows the redirect of `sent` to the provider and back. Returns what the callback is answered.
    #[track_caller]
    fn come_back(&self, browser: &mut Browser, sent: &Answer) -> Answer {
        assert_eq!(sent.status, 302, "{}", sent.text());
        browser.get(&self.provider.callback_of(sent.location()))
    }
}

/// The address of the first link on a page to this host.
#[track_caller]
fn first_link(page: &Answer) -> String {
    let (_, rest) = page.text().split_once(" href=\"/").unwrap_or_else(|| panic!("a link: {}", page.text()));
    format!("https://app.test/{}", rest.split('"').next().expect("its end")).replace("&amp;", "&")
}

#[test]
fn who_signed_in_too_long_ago_signs_in_again_and_comes_back_to_the_same_address() {
    on_both(|protocol| {
        let scenario = scenario("max_age: 1h");
        scenario.signs_in_now();
        let mut browser = scenario.proxy.browser(protocol);
        let sent = browser.get(PAGE);
        assert_eq!(parameter(sent.location(), "max_age").as_deref(), Some("3600"), "the first sign-in asks, too");
        scenario.come_back(&mut browser, &sent);
        assert_eq!(browser.get(PAGE).status, 200);
        // With the leeway of clocks.
        scenario.advance(Duration::from_secs(3600 + 59));
        assert_eq!(browser.get(PAGE).status, 200);
        scenario.advance(Duration::from_secs(1));
        let reached = scenario.target.count();
        let sent = browser.get(PAGE);
        assert_eq!(sent.status, 302, "{}", sent.text());
        assert_eq!(parameter(sent.location(), "max_age").as_deref(), Some("3600"));
        assert_eq!(scenario.target.count(), reached, "the old sign-in reaches no target");
        assert_eq!(
            browser.get("https://app.test/open/page").status,
            200,
            "and the session is as good as before elsewhere"
        );
        scenario.signs_in_now();
        assert_eq!(scenario.come_back(&mut browser, &sent).location(), "/page?a=1");
        assert_eq!(browser.get(PAGE).status, 200);
    });
}

#[test]
fn what_cannot_be_redirected_is_told_to_sign_in_again() {
    let scenario = scenario("max_age: 1h");
    scenario.signs_in_now();
    let mut browser = scenario.signed_in_and_back(Protocol::Http2);
    scenario.advance(Duration::from_secs(2 * 3600));
    let reached = scenario.target.count();
    let form = browser.send("POST", PAGE, &[("origin", "https://app.test")], b"x=1");
    assert_eq!((form.status, form.reason().as_deref()), (401, Some("auth.step_up_required")));
    assert!(form.text().contains("target=\"_blank\""), "the form stays in its tab: {}", form.text());
    assert!(form.text().contains("Your form was not sent. Sign in again in a new tab"), "{}", form.text());
    let script = browser.clone().scripted().get(PAGE);
    let sign_in = script.json()["sign_in"].as_str().expect("an address").to_owned();
    let asked = browser.clone().get(&sign_in);
    assert_eq!(parameter(asked.location(), "max_age").as_deref(), Some("3600"), "a script is told where, too");
    assert_eq!((script.status, script.json()["error"].as_str()), (401, Some("auth.step_up_required")));
    assert!(script.json()["advice"].as_str().expect("a text").contains("Sign in again"), "{}", script.text());
    assert_eq!(scenario.target.count(), reached);
    // The link of the page asks for what the rule demands.
    scenario.signs_in_now();
    let sent = browser.get(&first_link(&form));
    assert_eq!(parameter(sent.location(), "max_age").as_deref(), Some("3600"));
    let landed = scenario.come_back(&mut browser, &sent);
    assert_eq!(landed.location(), "/oauth2/sign_in");
    assert!(browser.get("https://app.test/oauth2/sign_in").text().contains("You are signed in"));
    assert_eq!(browser.send("POST", PAGE, &[("origin", "https://app.test")], b"x=1").status, 200);
}

#[test]
fn a_21_a_provider_that_answers_with_the_same_sign_in_again_ends_the_way_and_makes_no_loop() {
    let scenario = scenario("max_age: 1h");
    scenario.signs_in_now();
    let mut browser = scenario.signed_in_and_back(Protocol::Http1);
    scenario.advance(Duration::from_secs(2 * 3600));
    // The claims stay those of two hours ago.
    let sent = browser.get(PAGE);
    let landed = scenario.come_back(&mut browser, &sent);
    assert_eq!((landed.status, landed.reason().as_deref()), (403, Some("auth.step_up_failed")));
    assert!(landed.text().contains("the claim auth_time of the ID token is older"), "{}", landed.text());
    assert_eq!(first_link(&landed), PAGE, "the next try is the user's");
    assert_eq!(browser.get("https://app.test/open/page").status, 200, "the session is the old one");
    let log = scenario.proxy.access_log(5);
    assert!(log.iter().any(|record| record["reason"] == "auth.step_up_failed"), "{log:?}");
}

#[test]
fn a_21_a_claim_that_does_not_come_is_refused_by_name() {
    for (authorize, claims, missing) in [
        ("max_age: 1h", json!({}), "it must send the claim auth_time"),
        ("max_age: 1h", json!({"auth_time": "1795507200"}), "it must send the claim auth_time"),
        ("acr: [phr]", json!({}), "it must send the claim acr"),
        ("acr: [phr]", json!({"acr": ["phr"]}), "it must send the claim acr"),
        ("acr: [phr]", json!({"acr": "PHR"}), "the claim acr of the ID token is none of those"),
        ("acr: [phr], max_age: 1h", json!({"acr": "phr"}), "it must send the claim auth_time"),
    ] {
        let scenario = scenario(authorize);
        scenario.says(&claims);
        let mut browser = scenario.proxy.browser(Protocol::Http1);
        // Signed in by a rule that demands nothing, so a session is there.
        scenario.provider.sign_in(&mut browser, "https://app.test/open/page");
        let sent = browser.get(PAGE);
        let landed = scenario.come_back(&mut browser, &sent);
        assert_eq!(
            (landed.status, landed.reason().as_deref()),
            (403, Some("auth.step_up_failed")),
            "{authorize} {claims}"
        );
        assert!(landed.text().contains(missing), "{authorize} {claims}: {}", landed.text());
    }
}

#[test]
fn a_first_sign_in_that_is_not_enough_says_so_and_whom_to_ask() {
    let scenario = scenario("acr: [phr], contact: it@example.com");
    scenario.says(&json!({"acr": "pwd", "preferred_username": "ada"}));
    let mut browser = scenario.proxy.browser(Protocol::Http2);
    let sent = browser.get(PAGE);
    let page = scenario.come_back(&mut browser, &sent);
    assert_eq!((page.status, page.reason().as_deref()), (403, Some("auth.step_up_failed")));
    let text = page.text();
    for said in [
        "<h1>Your sign-in is not enough for this page</h1>",
        "the sign-in service reported another kind",
        "You are signed in as <strong>ada</strong> with <strong>corp</strong>.",
        "Ask for access: <a href=\"mailto:it@example.com\">it@example.com</a>",
    ] {
        assert!(text.contains(said), "{said}: {text}");
    }
    assert!(!text.contains("You have signed in again") && !text.contains("new sign-in"), "{text}");
    let asked = browser.get(&page.link("Use another account"));
    assert_eq!(parameter(asked.location(), "acr_values").as_deref(), Some("phr"), "{}", asked.location());
    assert_eq!(parameter(asked.location(), "prompt").as_deref(), Some("login"));
    // In German, and to a script.
    let sent = browser.get(PAGE);
    let callback = scenario.provider.callback_of(sent.location());
    let german = browser.send("GET", &callback, &[("accept", "text/html"), ("accept-language", "de")], b"");
    assert!(
        german.text().contains("<h1>Ihre Anmeldung reicht f\u{fc}r diese Seite nicht aus</h1>"),
        "{}",
        german.text()
    );
    let sent = browser.get(PAGE);
    let said =
        browser.send("GET", &scenario.provider.callback_of(sent.location()), &[("accept", "application/json")], b"");
    let said = said.json();
    assert_eq!(
        (&said["contact"], &said["signed_in_as"], &said["claim"]),
        (&json!("it@example.com"), &json!("ada"), &json!("acr"))
    );
}

#[test]
fn who_signed_in_too_weakly_is_asked_for_more_once() {
    let scenario = scenario("acr: [phr, phrh]");
    scenario.says(&json!({"acr": "pwd"}));
    let mut browser = scenario.proxy.browser(Protocol::Http2);
    scenario.provider.sign_in(&mut browser, "https://app.test/open/page");
    let sent = browser.get(PAGE);
    assert_eq!(parameter(sent.location(), "acr_values").as_deref(), Some("phr phrh"));
    scenario.says(&json!({"acr": "phrh"}));
    assert_eq!(scenario.come_back(&mut browser, &sent).location(), "/page?a=1");
    assert_eq!(browser.get(PAGE).status, 200);
    // Userinfo may not make a sign-in stronger.
    scenario.says(&json!({"acr": "pwd"}));
    scenario.provider.say(|script| script.userinfo = Some(json!({"sub": "alice", "acr": "phr"})));
    let mut other = scenario.proxy.browser(Protocol::Http2);
    scenario.provider.sign_in(&mut other, "https://app.test/open/page");
    assert_eq!(other.get(PAGE).status, 302);
}

#[test]
fn a_refresh_is_no_sign_in() {
    let scenario = scenario("max_age: 2h, acr: [phr]");
    scenario.provider.say(|script| script.token_response = json!({"refresh_token": "refresh-1"}));
    scenario.says(&json!({"auth_time": scenario.proxy.clock.now().seconds(), "acr": "phr"}));
    let mut browser = scenario.signed_in_and_back(Protocol::Http1);
    // The refreshed ID token says nothing of the sign-in: what was said of it stays.
    scenario.says(&json!({}));
    scenario.advance(Duration::from_secs(3600));
    assert_eq!(browser.get(PAGE).status, 200);
    assert_eq!(scenario.provider.requests("/token").len(), 2);
    // One that claims a newer sign-in makes it no newer.
    scenario.says(&json!({"auth_time": scenario.proxy.clock.now().seconds()}));
    scenario.advance(Duration::from_secs(3600 + 61));
    assert_eq!(browser.get(PAGE).status, 302);
    assert_eq!(scenario.provider.requests("/token").len(), 3);
}

#[test]
fn step_ups_that_follow_each_other_end() {
    let scenario = scenario("max_age: 1h, contact: 'https://it.test/?a=1&b=\"'");
    scenario.signs_in_now();
    let mut browser = scenario.signed_in_and_back(Protocol::Http1);
    scenario.advance(Duration::from_secs(2 * 3600));
    browser.set_cookie("app.test", "__Host-vestibule-login-rounds", "3");
    let ended = browser.get(PAGE);
    assert_eq!((ended.status, ended.reason().as_deref()), (403, Some("auth.step_up_failed")));
    let contact = r#"<a href="https://it.test/?a=1&#38;b=%22">https://it.test/?a=1&#38;b=&#34;</a>"#;
    assert!(ended.text().contains(contact), "{}", ended.text());
    // The user may.
    let sent = browser.get(&first_link(&ended));
    assert_eq!(sent.status, 302);
}

#[test]
fn a_rule_that_denies_redirects_nobody() {
    let scenario = scenario_with("on_unauthenticated_request: deny", "max_age: 1h");
    scenario.signs_in_now();
    let mut browser = scenario.proxy.browser(Protocol::Http1);
    let asked = browser.get(PAGE);
    assert_eq!(asked.status, 401);
    let sent = browser.get(&first_link(&asked));
    scenario.come_back(&mut browser, &sent);
    assert_eq!(browser.get(PAGE).status, 200);
    scenario.advance(Duration::from_secs(2 * 3600));
    let asked = browser.get(PAGE);
    assert_eq!((asked.status, asked.reason().as_deref()), (401, Some("auth.step_up_required")));
    scenario.signs_in_now();
    let sent = browser.get(&first_link(&asked));
    assert_eq!(parameter(sent.location(), "max_age").as_deref(), Some("3600"));
    assert_eq!(scenario.come_back(&mut browser, &sent).location(), "/page?a=1");
    assert_eq!(browser.get(PAGE).status, 200);
}

#[test]
fn the_stricter_of_two_ages_is_asked_for_and_prompt_none_is_not_repeated() {
    for (configured, asked) in [("60", "60"), ("7200", "3600"), ("soon", "0")] {
        let params = format!("authentication_request_extra_params: {{ max_age: '{configured}', prompt: none }}");
        let scenario = scenario_with(&params, "max_age: 1h");
        scenario.signs_in_now();
        let mut browser = scenario.proxy.browser(Protocol::Http1);
        let sent = browser.get(PAGE);
        assert_eq!(parameter(sent.location(), "max_age").as_deref(), Some(asked), "{configured}");
        scenario.come_back(&mut browser, &sent);
        scenario.advance(Duration::from_secs(2 * 3600));
        let sent = browser.get(PAGE);
        assert_eq!(parameter(sent.location(), "prompt"), None, "the user has to be asked");
    }
}

#[test]
fn a_report_asks_nobody_to_sign_in_again() {
    let scenario = scenario("max_age: 1h, mode: report");
    let mut browser = scenario.proxy.browser(Protocol::Http1);
    let sent = browser.get(PAGE);
    assert_eq!(parameter(sent.location(), "max_age"), None, "a report changes nothing");
    scenario.come_back(&mut browser, &sent);
    assert_eq!(browser.get(PAGE).status, 200);
    let reported = "vestibule_authorization_decisions_total{listener=\"public\",rule=\"default\",outcome=\"reported\"}";
    assert_eq!(scenario.proxy.metric(reported), 1);
}
