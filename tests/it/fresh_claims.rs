//! Claims that change while a user is signed in: how a user who was just given a group comes in without a sign-in, and what is open when a
//! refresh takes a group away.

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::app::wait_until;
use crate::harness::browser::{Answer, Browser, Protocol, on_both};
use crate::harness::http2::{self, Http2, Stream};
use crate::harness::scenario::{PAGE, Scenario, parameter};
use crate::harness::target;

const ASK_AGAIN: &str = "Ask again for my permissions";

/// A proxy that lets in the group `sre`, behind a sign-in with these keys.
fn scenario(sign_in: &str) -> Scenario {
    scenario_with(sign_in, "")
}

/// The same with more keys of `authorize`.
fn scenario_with(sign_in: &str, authorize: &str) -> Scenario {
    let actions = format!(
        "\n      - {{ type: authenticate-oidc, provider: corp, scope: openid, session_timeout: 8h{sign_in} }}\n\
         \x20     - {{ type: authorize, any: [{{ claim: groups, contains: [sre] }}]{authorize} }}\n\
         \x20     - {{ type: forward, target_group: app }}\n"
    );
    Scenario::start(|setup| setup.default_actions(&actions))
}

impl Scenario {
    /// The groups of the user from now on.
    fn groups(&self, groups: &[&str]) {
        self.set_claims(&json!({ "groups": groups }));
    }

    fn signed_in_with(&self, protocol: Protocol, groups: &[&str]) -> Browser {
        self.signed_in_as(protocol, &json!({ "groups": groups }))
    }

    /// The way back from the provider with this error, as it answers where it may not ask the user.
    fn error_of(&self, authorization: &str, error: &str) -> String {
        let mut callback = url::Url::parse(&self.provider.callback_of(authorization)).expect("a URL");
        let kept: Vec<(String, String)> =
            callback.query_pairs().filter(|(name, _)| name != "code").map(|(k, v)| (k.into(), v.into())).collect();
        callback.query_pairs_mut().clear().extend_pairs(kept).append_pair("error", error);
        callback.into()
    }
}

#[track_caller]
fn refused(answer: &Answer) {
    assert_eq!((answer.status, answer.reason().as_deref()), (403, Some("auth.not_allowed")), "{}", answer.text());
}

#[test]
fn who_was_just_given_a_group_comes_in_without_a_sign_in() {
    let scenario = scenario("");
    on_both(|protocol| {
        let mut browser = scenario.signed_in_with(protocol, &["staff"]);
        let page = browser.get(PAGE);
        refused(&page);
        let before = browser.cookie_header("app.test");
        scenario.groups(&["staff", "sre"]);
        refused(&browser.get(PAGE));
        let asked = browser.get(&page.link(ASK_AGAIN));
        assert_eq!(parameter(asked.location(), "prompt").as_deref(), Some("none"), "{}", asked.location());
        let landed = browser.get(&scenario.provider.callback_of(asked.location()));
        assert_eq!((landed.status, landed.location()), (302, "/page?a=1"), "{}", landed.text());
        assert_eq!(browser.get(PAGE).status, 200);
        assert_ne!(browser.cookie_header("app.test"), before);
        assert_eq!(scenario.target.last().header("x-amzn-oidc-identity"), Some("alice"));
    });
}

#[test]
fn who_asked_again_in_vain_is_told_that_nothing_has_changed() {
    let scenario = scenario("");
    let told = "Your permissions were asked for again just now, and they do not include this page.";
    on_both(|protocol| {
        let mut browser = scenario.signed_in_with(protocol, &["staff"]);
        let page = browser.get(PAGE);
        assert!(!page.text().contains(told), "{}", page.text());
        let asked = browser.get(&page.link(ASK_AGAIN));
        browser.get(&scenario.provider.callback_of(asked.location()));
        let page = browser.get(PAGE);
        refused(&page);
        assert!(page.text().contains(told), "{}", page.text());
    });
    let mut browser = scenario.signed_in_with(Protocol::Http1, &["staff"]);
    let asked = browser.get(&browser.clone().get(PAGE).link(ASK_AGAIN));
    browser.get(&scenario.provider.callback_of(asked.location()));
    scenario.advance(Duration::from_secs(61));
    let page = browser.get(PAGE);
    refused(&page);
    assert!(!page.text().contains(told), "a minute later it is no news: {}", page.text());
}

#[test]
fn a_23_a_provider_that_would_have_to_ask_leads_back_to_the_page_and_makes_no_loop() {
    for same_site in ["lax", "strict"] {
        let scenario = scenario(&format!(", session_cookie_same_site: {same_site}"));
        on_both(|protocol| {
            let mut browser = scenario.signed_in_with(protocol, &["staff"]);
            let reached = scenario.target.count();
            for error in ["login_required", "interaction_required", "consent_required", "account_selection_required"] {
                let asked = browser.get(&browser.clone().get(PAGE).link(ASK_AGAIN));
                let back = scenario.error_of(asked.location(), error);
                // A browser does not send `SameSite=Strict` cookies with a redirect from the provider.
                let is_sent = |cookie: &&str| same_site == "lax" || cookie.contains("-login-");
                let cookies = browser.cookie_header("app.test");
                let cookies: Vec<&str> = cookies.split("; ").filter(is_sent).collect();
                let landed = browser.send("GET", &back, &[("cookie", &cookies.join("; "))], b"");
                assert_eq!(landed.status, 200, "{}", landed.text());
                assert!(landed.text().contains("The sign-in service wants you to sign in"), "{}", landed.text());
                let sent = browser.clone().get(&landed.link("Sign in again"));
                assert_eq!(parameter(sent.location(), "prompt"), None, "{}", sent.location());
                assert_eq!(landed.new_session(), [""; 0], "{error}: the session stays");
                refused(&browser.get(PAGE));
            }
            assert_eq!(scenario.target.count(), reached);
        });
    }
}

#[test]
fn a_23_without_a_session_the_address_begins_an_ordinary_sign_in() {
    let scenario = scenario("");
    let link = scenario.signed_in_with(Protocol::Http2, &["staff"]).get(PAGE).link(ASK_AGAIN);
    // Another browser: a page of another site can send it there, too.
    let mut browser = scenario.proxy.browser(Protocol::Http2);
    let asked = browser.get(&link);
    let landed = browser.get(&scenario.error_of(asked.location(), "login_required"));
    assert_eq!(landed.status, 200, "{}", landed.text());
    let sent = browser.get(&landed.link("Sign in again"));
    assert_eq!(parameter(sent.location(), "prompt"), None, "the provider may ask now: {}", sent.location());
    refused(&{
        browser.get(&scenario.provider.callback_of(sent.location()));
        browser.get(PAGE)
    });
    let frame = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe"), ("sec-fetch-site", "cross-site")];
    assert_eq!(scenario.proxy.browser(Protocol::Http1).send("GET", &link, &frame, b"").status, 401, "no frame asks");
}

#[test]
fn a_23_an_operator_whose_sign_ins_ask_the_user_is_not_evaded() {
    let scenario = scenario(", authentication_request_extra_params: { prompt: login }");
    let mut browser = scenario.signed_in_with(Protocol::Http1, &["staff"]);
    let page = browser.get(PAGE);
    refused(&page);
    assert!(!page.text().contains(ASK_AGAIN), "{}", page.text());
    assert_eq!(browser.clone().scripted().get(PAGE).json().get("ask_again"), None::<&Value>);
    let other = page.link("Sign in again, or with another account");
    let edited = other.replace("account=other", "prompt=none");
    assert_ne!(edited, other);
    let asked = browser.get(&edited);
    assert_eq!(parameter(asked.location(), "prompt").as_deref(), Some("login"));
}

#[test]
fn a_06_a_refresh_that_takes_a_group_away_ends_http2_streams_and_says_so_to_websockets() {
    let [report, enforce] = ["report", "enforce"].map(|mode| {
        let scenario = scenario_with("", &format!(", mode: {mode}"));
        scenario.provider.say(|script| script.token_response = json!({"refresh_token": "refresh-1"}));
        let browser = scenario.signed_in_with(Protocol::Http1, &["sre"]);
        let [_, socket] = target::streams(&scenario.target, &scenario.proxy, &browser);
        let cookies = browser.cookie_header("app.test");
        let fields = [
            (":method", "GET"),
            (":scheme", "https"),
            (":authority", "app.test"),
            (":path", "/events"),
            ("cookie", &*cookies),
        ];
        let mut events = Http2::connect(scenario.proxy.address(), "app.test");
        events.headers(&fields, Stream::Ended);
        assert!(events.frame_that(|frame| frame.kind == http2::DATA).is_some(), "it streams");
        (scenario, socket, events)
    });
    for (scenario, ..) in [&report, &enforce] {
        scenario.groups(&["staff"]);
        scenario.provider.say(|script| script.now += 3600);
        scenario.proxy.clock.advance(Duration::from_secs(3600));
        let renewed = "vestibule_refreshes_total{provider=\"corp\",outcome=\"renewed\"}";
        wait_until("the tokens are renewed", || (scenario.proxy.metric(renewed) == 1).then_some(()));
    }
    let (_enforced, mut socket, mut events) = enforce;
    let closing = socket.read_to_end();
    assert!(closing.ends_with("the session has ended"), "{closing:?}");
    assert!(events.frame_that(|frame| frame.kind == http2::RST_STREAM).is_some(), "the stream is reset");
    // It was asked before the other: its beats are earlier. The target sends back what it gets.
    let (_reported, mut socket, _) = report;
    socket.send(b"\x81\x82\0\0\0\0hi");
    assert!(socket.read_until("hi").ends_with("hi"), "`mode: report` ends nothing");
}
