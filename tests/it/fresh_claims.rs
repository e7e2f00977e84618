//! Claims that change while a user is signed in: how a user who was just given a group comes in without a sign-in, and what is open when a
//! refresh takes a group away.

use serde_json::{Value, json};

use crate::harness::app::{Proxy, Setup};
use crate::harness::browser::{Answer, Browser, Protocol, on_both};
use crate::harness::provider::Provider;
use crate::harness::server::Server;
use crate::harness::target;

const PAGE: &str = "https://app.test/page?a=1";
const ASK_AGAIN: &str = "Ask again for my permissions";

struct Scenario {
    provider: Provider,
    target: Server,
    proxy: Proxy,
}

/// A proxy that lets in the group `sre`, behind a sign-in with these keys.
fn scenario(sign_in: &str) -> Scenario {
    let (provider, target) = (Provider::start(), target::echo());
    let actions = format!(
        "\n      - {{ type: authenticate-oidc, provider: corp, scope: openid, session_timeout: 8h{sign_in} }}\n\
         \x20     - {{ type: authorize, any: [{{ claim: groups, contains: [sre] }}] }}\n\
         \x20     - {{ type: forward, target_group: app }}\n"
    );
    let proxy = Setup::new(&provider, &target).default_actions(&actions).start();
    Scenario { provider, target, proxy }
}

impl Scenario {
    /// The groups of the user from now on.
    fn groups(&self, groups: &[&str]) {
        self.provider.say(|script| script.userinfo = Some(json!({"sub": "alice", "groups": groups})));
    }

    fn signed_in(&self, protocol: Protocol, groups: &[&str]) -> Browser {
        self.groups(groups);
        let mut browser = self.proxy.browser(protocol);
        self.provider.try_sign_in(&mut browser, PAGE);
        browser
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

fn parameter(location: &str, name: &str) -> Option<String> {
    let url = url::Url::parse(location).expect("a URL");
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

#[track_caller]
fn refused(answer: &Answer) {
    assert_eq!((answer.status, answer.reason().as_deref()), (403, Some("auth.not_allowed")), "{}", answer.text());
}

#[test]
fn who_was_just_given_a_group_comes_in_without_a_sign_in() {
    let scenario = scenario("");
    on_both(|protocol| {
        let mut browser = scenario.signed_in(protocol, &["staff"]);
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
fn a_23_a_provider_that_would_have_to_ask_leads_back_to_the_page_and_makes_no_loop() {
    for same_site in ["lax", "strict"] {
        let scenario = scenario(&format!(", session_cookie_same_site: {same_site}"));
        on_both(|protocol| {
            let mut browser = scenario.signed_in(protocol, &["staff"]);
            let reached = scenario.target.count();
            for error in ["login_required", "interaction_required", "consent_required", "account_selection_required"] {
                let asked = browser.get(&browser.clone().get(PAGE).link(ASK_AGAIN));
                let back = scenario.error_of(asked.location(), error);
                // A browser does not send `SameSite=Strict` cookies with a redirect from the provider.
                let is_sent = |cookie: &&str| same_site == "lax" || cookie.contains("-login-");
                let cookies = browser.cookie_header("app.test");
                let cookies: Vec<&str> = cookies.split("; ").filter(is_sent).collect();
                let landed = browser.send("GET", &back, &[("cookie", &cookies.join("; "))], b"");
                match same_site {
                    "lax" => assert_eq!((landed.status, landed.location()), (302, "/page?a=1"), "{}", landed.text()),
                    _ => assert!(landed.status == 200 && landed.text().contains("/page?a=1"), "{}", landed.text()),
                }
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
    let link = scenario.signed_in(Protocol::Http2, &["staff"]).get(PAGE).link(ASK_AGAIN);
    // Another browser: a page of another site can send it there, too.
    let mut browser = scenario.proxy.browser(Protocol::Http2);
    let asked = browser.get(&link);
    let landed = browser.get(&scenario.error_of(asked.location(), "login_required"));
    assert_eq!((landed.status, landed.location()), (302, "/page?a=1"));
    let sent = browser.get(PAGE);
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
    let mut browser = scenario.signed_in(Protocol::Http1, &["staff"]);
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
