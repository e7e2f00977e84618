//! Signing in with two providers that nobody here wrote: npm's `oidc-provider`, and Debian's `glewlwyd`.
//!
//! The providers tell the time by the machine's clock; the proxy's clock begins there and stands still until it is moved.

use std::collections::BTreeSet;
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use serde_json::{Value, json};

use crate::harness::app::Setup;
use crate::harness::browser::{Answer, Browser, Protocol, join, on_both};
use crate::harness::process::{self, Process};
use crate::harness::scenario::parameter;
use crate::harness::server::{Received, Server};
use crate::harness::target;

const APP: &str = "https://app.test/";
const CALLBACK: &str = "https://app.test/oauth2/idpresponse";
const SIGN_OUT: &str = "https://app.test/oauth2/sign_out";
const CLIENT_ID: &str = "dashboard";
/// Of access tokens, in seconds.
const LIFETIME: u64 = 600;

#[test]
fn oidc_provider_signs_a_user_in_who_reaches_the_application_with_verified_claims() {
    let (provider, target) = (OidcProvider::start(&json!({})), target::echo());
    let proxy = provider.setup(&target).start_now();
    on_both(|protocol| {
        let mut browser = proxy.browser(protocol);
        let page = provider.sign_in(&mut browser, "https://app.test/reports/7?year=2026");
        assert_eq!(page.status, 200, "{}", page.text());
        let request = target.last();
        assert_eq!(request.line, "GET /reports/7?year=2026 HTTP/1.1");
        assert_eq!(request.header("x-amzn-oidc-identity"), Some("alice"));
        let claims = claims(&request);
        assert_eq!(claims["sub"], "alice");
        assert_eq!(claims["iss"], provider.issuer());
        // The provider says these at its userinfo endpoint only.
        assert_eq!(claims["email"], "alice@example.com");
        assert_eq!(claims["name"], "Alice Lidell");
        assert_eq!(claims["groups"], json!(["staff", "admins"]));
    });
}

#[test]
fn oidc_provider_in_its_other_ways_to_sign_and_to_authenticate_a_client() {
    let target = target::echo();
    for (settings, keys) in [
        (
            json!({"token_endpoint_auth_method": "client_secret_post"}),
            "    token_endpoint_auth_method: client_secret_post",
        ),
        (json!({"id_token_signed_response_alg": "ES256"}), ""),
        (json!({"id_token_signed_response_alg": "PS256", "userinfo_signed_response_alg": "RS256"}), ""),
    ] {
        let provider = OidcProvider::start(&settings);
        let proxy = provider.setup(&target).provider(keys).start_now();
        let page = provider.sign_in(&mut proxy.browser(Protocol::Http2), APP);
        assert_eq!(page.status, 200, "{settings}: {}", page.text());
        assert_eq!(claims(&target.last())["email"], "alice@example.com", "{settings}");
    }
}

#[test]
fn glewlwyd_signs_a_user_in_who_reaches_the_application_with_verified_claims() {
    let (provider, target) = (Glewlwyd::start(), target::echo());
    let proxy = provider.setup(&target).start_now();
    on_both(|protocol| {
        let mut browser = proxy.browser(protocol);
        let page = provider.sign_in(&mut browser, "https://app.test/reports/7?year=2026");
        assert_eq!(page.status, 200, "{}", page.text());
        let request = target.last();
        assert_eq!(request.line, "GET /reports/7?year=2026 HTTP/1.1");
        let claims = claims(&request);
        let subject = claims["sub"].as_str().expect("a subject");
        assert_ne!(subject, "alice", "this provider's subject is not the user name");
        assert_eq!(request.header("x-amzn-oidc-identity"), Some(subject));
        assert_eq!(claims["iss"], provider.issuer());
        assert_eq!(claims["email"], "alice@example.com");
        assert_eq!(claims["name"], "Alice Lidell");
    });
}

#[test]
fn oidc_provider_is_asked_about_its_opaque_access_tokens_until_they_are_revoked() {
    let (provider, target) = (OidcProvider::start(&json!({})), target::echo());
    let api = "
      - name: api
        priority: 1
        conditions: [{ path_pattern: ['/api'] }]
        actions:
          - type: jwt-validation
            provider: corp
            validation: introspection
            additional_claims: [{ name: client_id, format: single-string, values: [dashboard] }]
            scope: openid
          - { type: forward, target_group: app }";
    let proxy = provider.setup(&target).rules(api).start_now();
    provider.sign_in(&mut proxy.browser(Protocol::Http1), APP);
    let token = target.last().header("x-amzn-oidc-accesstoken").expect("a token").to_owned();
    assert!(!token.contains('.'), "it is opaque: {token}");
    let mut client = proxy.browser(Protocol::Http2).scripted();
    let mut with = |token: &str| {
        let header = format!("Bearer {token}");
        client.send("GET", "https://app.test/api", &[("authorization", &header)], b"")
    };
    let answer = with(&token);
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert_eq!(target.last().header("x-amzn-oidc-identity"), Some("alice"));
    let reached = target.count();
    let unknown = with("a-token-that-nobody-issued");
    assert_eq!((unknown.status, unknown.reason().as_deref()), (401, Some("bearer.invalid")));

    let credentials = STANDARD.encode(format!("{CLIENT_ID}:a-client-secret-of-some-length"));
    let revoked = proxy.browser(Protocol::Http1).scripted().send(
        "POST",
        &format!("{}/token/revocation", provider.issuer()),
        &[("authorization", &format!("Basic {credentials}")), ("content-type", "application/x-www-form-urlencoded")],
        format!("token={token}").as_bytes(),
    );
    assert_eq!(revoked.status, 200, "{}", revoked.text());
    proxy.clock.advance(Duration::from_secs(60));
    assert_eq!(with(&token).status, 401);
    assert_eq!(target.count(), reached);
}

#[test]
fn pkce_s256_is_sent_and_a_provider_that_demands_it_accepts_no_other_challenge() {
    let target = target::echo();
    let (oidc_provider, glewlwyd) = (OidcProvider::start(&json!({})), Glewlwyd::start());
    // Only the first says `invalid_grant` (RFC 7636 §4.6), so that the login begins once more; the other is content with a mere
    // error.
    let providers: [(&dyn RealProvider, (u16, Option<&str>)); 2] =
        [(&oidc_provider, (302, None)), (&glewlwyd, (561, Some("auth.token_endpoint_refused")))];
    for (provider, (status, reason)) in providers {
        let proxy = provider.setup(&target).start_now();
        let count = target.count();
        let mut browser = proxy.browser(Protocol::Http1);
        let authorization = browser.get(APP).location().to_owned();
        assert_eq!(parameter(&authorization, "code_challenge_method").as_deref(), Some("S256"));
        let challenge = parameter(&authorization, "code_challenge").expect("a challenge");
        assert_eq!(URL_SAFE_NO_PAD.decode(&challenge).expect("base64url").len(), 32, "SHA-256 has 32 bytes");

        // The provider remembers another challenge than ours, so the verifier that we send does not fit it.
        let other = URL_SAFE_NO_PAD.encode([7; 32]);
        let callback = provider.authorize(&mut browser, &authorization.replace(&challenge, &other));
        let refused = browser.get(&callback);
        assert_eq!((refused.status, refused.new_session().len()), (status, 0), "{}", provider.issuer());
        assert!(reason.is_none() || refused.reason().as_deref() == reason, "{:?}", refused.reason());

        // With ours it does.
        let authorization = browser.get(APP).location().to_owned();
        let callback = provider.authorize(&mut browser, &authorization);
        assert_eq!(browser.get(&callback).status, 302);
        assert_eq!(target.count(), count, "nothing reached the application yet");
    }
}

#[test]
fn a_code_is_sent_once_or_this_provider_would_revoke_the_grant() {
    let (provider, target) = (OidcProvider::start(&json!({})), target::echo());
    let proxy = provider.setup(&target).start_now();
    let mut browser = proxy.browser(Protocol::Http2);
    let authorization = browser.get(APP).location().to_owned();
    let callback = provider.authorize(&mut browser, &authorization);
    let mut copy = browser.clone();
    assert_eq!(browser.get(&callback).status, 302);
    // Reloaded, it leads a user who is signed in to the application. Sent twice, it gives the same session twice.
    assert_eq!(browser.get(&callback).status, 302);
    assert_eq!(copy.get(&callback).status, 302);
    assert_eq!(copy.cookie_header("app.test"), browser.cookie_header("app.test"));
    assert_eq!(target.count(), 0);

    proxy.clock.advance(provider.until_refresh());
    assert_eq!(browser.get(APP).status, 200);
    assert_eq!(proxy.metric(RENEWED), 1);
}

#[test]
fn a_user_who_declines_at_the_provider_is_told_so() {
    let (provider, target) = (OidcProvider::start(&json!({})), target::echo());
    let proxy = provider.setup(&target).start_now();
    let mut browser = proxy.browser(Protocol::Http2);
    let authorization = browser.get(APP).location().to_owned();
    let (at, form) = browser.follow(&authorization, CALLBACK);
    let [_, cancel] = actions(&form)[..] else { panic!("two forms: {}", form.text()) };
    let resumed = browser.post_form(&join(&at, cancel), &[]);
    let (from, last) = browser.follow(&join(&at, resumed.location()), CALLBACK);
    let refused = browser.get(&join(&from, last.location()));
    assert_eq!((refused.status, refused.reason().as_deref()), (401, Some("auth.denied")));
    assert_eq!(target.count(), 0);
}

#[test]
fn tokens_are_refreshed_at_expiry_and_the_session_goes_on() {
    let target = target::echo();
    let (oidc_provider, glewlwyd) = (OidcProvider::start(&json!({})), Glewlwyd::start());
    let providers: [&dyn RealProvider; 2] = [&oidc_provider, &glewlwyd];
    for provider in providers {
        let proxy = provider.setup(&target).start_now();
        let mut browser = proxy.browser(Protocol::Http2);
        assert_eq!(provider.sign_in(&mut browser, APP).status, 200);
        let first = target.last();
        let mut access_tokens = BTreeSet::from([access_token(&first)]);

        // More than once, because both providers rotate refresh tokens: the second refresh needs what the first brought.
        for refreshed in 1..=3 {
            proxy.clock.advance(provider.until_refresh());
            let page = browser.get(APP);
            assert_eq!(page.status, 200, "{}: {}", provider.issuer(), page.text());
            assert!(!page.set_cookies().is_empty(), "the new tokens go into the session's cookie");
            assert_eq!(proxy.metric(RENEWED), refreshed, "{}", provider.issuer());
            let request = target.last();
            assert!(access_tokens.insert(access_token(&request)), "the application is given the new access token");
            assert_eq!(request.header("x-amzn-oidc-identity"), first.header("x-amzn-oidc-identity"));
            assert_eq!(claims(&request)["email"], "alice@example.com");
        }
        // With the new cookie there is nothing to refresh.
        assert_eq!(browser.get(APP).status, 200);
        assert_eq!(proxy.metric(RENEWED), 3);
    }
}

#[test]
fn requests_in_parallel_refresh_once_or_this_provider_would_revoke_the_grant() {
    let (provider, target) = (OidcProvider::start(&json!({})), target::echo());
    let proxy = provider.setup(&target).start_now();
    let mut browser = proxy.browser(Protocol::Http2);
    assert_eq!(provider.sign_in(&mut browser, APP).status, 200);
    proxy.clock.advance(provider.until_refresh());

    // Each with the old cookie, on a connection of its own, so on several workers.
    std::thread::scope(|scope| {
        for _ in 0..8 {
            let mut tab = browser.clone();
            scope.spawn(move || assert_eq!(tab.get(APP).status, 200));
        }
    });
    assert_eq!(proxy.metric(RENEWED), 1);
    // A late one with the old cookie, too; and the grant is alive.
    assert_eq!(browser.clone().get(APP).status, 200);
    assert_eq!(browser.get(APP).status, 200);
    proxy.clock.advance(provider.until_refresh());
    assert_eq!(browser.get(APP).status, 200);
    assert_eq!(proxy.metric(RENEWED), 2);
}

#[test]
fn a_session_outlives_a_provider_that_is_down_and_ends_with_one_that_forgot_the_grant() {
    let target = target::echo();
    let provider = OidcProvider::start(&json!({}));
    let port = provider.port();
    let proxy = provider.setup(&target).start_now();
    let mut browser = proxy.browser(Protocol::Http2);
    assert_eq!(provider.sign_in(&mut browser, APP).status, 200);
    drop(provider);

    proxy.clock.advance(Duration::from_secs(LIFETIME + 1));
    assert_eq!(browser.get(APP).status, 200, "the user has done nothing wrong");
    assert_eq!(proxy.metric(r#"vestibule_refreshes_total{provider="corp",outcome="failed"}"#), 1);

    // Back, with an empty memory and other keys: it says `invalid_grant`.
    let provider = OidcProvider::start(&json!({"port": port}));
    let count = target.count();
    proxy.clock.advance(Duration::from_secs(60));
    let page = browser.get(APP);
    assert_eq!(page.status, 302, "{}", page.text());
    assert!(page.location().starts_with(&provider.issuer()), "to a new login: {}", page.location());
    assert_eq!(target.count(), count);
    assert_eq!(proxy.metric(r#"vestibule_refreshes_total{provider="corp",outcome="ended"}"#), 1);

    // That login succeeds: the new keys are fetched.
    proxy.clock.advance(Duration::from_secs(60));
    browser.forget_cookies();
    assert_eq!(provider.sign_in(&mut browser, APP).status, 200);
}

#[test]
fn signing_out_ends_the_session_here_and_at_the_provider() {
    let (provider, target) = (OidcProvider::start(&json!({})), target::echo());
    let proxy = provider.setup(&target).start_now();
    on_both(|protocol| {
        let mut browser = proxy.browser(protocol);
        assert_eq!(provider.sign_in(&mut browser, APP).status, 200);
        let copy = browser.clone();
        let count = target.count();

        let sent = browser.get(SIGN_OUT);
        assert_eq!(sent.status, 302, "{}", sent.text());
        let end_session = sent.location().to_owned();
        assert!(end_session.starts_with(&provider.issuer()), "{end_session}");
        assert!(parameter(&end_session, "id_token_hint").is_some(), "{end_session}");
        assert_eq!(browser.cookie_names("app.test"), [""; 0], "our own session is over already");

        // The provider knows the client and the address to come back to, and asks.
        let (at, question) = browser.follow(&end_session, SIGN_OUT);
        assert_eq!(question.status, 200, "{}", question.text());
        let fields = [("xsrf", hidden(&question, "xsrf")), ("logout", "yes")];
        let back = browser.post_form(&join(&at, actions(&question)[0]), &fields);
        let landing = browser.get(back.location());
        assert!(back.location().starts_with(SIGN_OUT), "{}", back.location());
        assert_eq!(landing.status, 200);
        assert!(landing.text().contains("You are signed out"), "{}", landing.text());

        // A copy of the cookie does not open any more, and the provider asks for a password again.
        let mut stolen = copy;
        assert_eq!(stolen.get(APP).status, 302);
        let authorization = browser.get(APP).location().to_owned();
        let (_, form) = browser.follow(&authorization, CALLBACK);
        assert!(form.text().contains(r#"name="password""#), "{}", form.text());
        assert_eq!(target.count(), count);
    });
}

#[test]
fn signing_out_leads_to_the_other_provider_s_own_page() {
    let (provider, target) = (Glewlwyd::start(), target::echo());
    let proxy = provider.setup(&target).start_now();
    let mut browser = proxy.browser(Protocol::Http2);
    assert_eq!(provider.sign_in(&mut browser, APP).status, 200);
    let end_session = browser.get(SIGN_OUT).location().to_owned();
    assert!(end_session.starts_with(&provider.issuer()), "{end_session}");
    let (at, _) = browser.follow(&end_session, SIGN_OUT);
    assert!(at.contains("/login.html?"), "its page, whose script signs out: {at}");
    assert_eq!(browser.send("DELETE", &join(&at, "/api/auth"), &[], b"").status, 200);

    assert_eq!(browser.cookie_names("app.test"), [""; 0]);
    let authorization = browser.get(APP).location().to_owned();
    let (at, _) = browser.follow(&authorization, CALLBACK);
    assert!(at.contains("/login.html?"), "it asks for a password again: {at}");
}

const RENEWED: &str = r#"vestibule_refreshes_total{provider="corp",outcome="renewed"}"#;

/// What the two have in common.
trait RealProvider {
    fn ready(&self) -> &Value;

    /// Signs in and agrees, as a person would; answers the address at which the browser is to come back to us.
    fn authorize(&self, browser: &mut Browser, authorization: &str) -> String;

    /// Time after which the proxy asks for new tokens.
    fn until_refresh(&self) -> Duration {
        Duration::from_secs(LIFETIME + 1)
    }

    fn word(&self, name: &str) -> &str {
        self.ready()[name].as_str().unwrap_or_else(|| panic!("{name}: {}", self.ready()))
    }

    fn issuer(&self) -> String {
        self.word("issuer").to_owned()
    }

    /// A proxy in front of `target`, with logins here.
    fn setup(&self, target: &Server) -> Setup {
        let actions = "
      - { type: authenticate-oidc, provider: corp, scope: openid profile email offline_access }
      - { type: forward, target_group: app }
";
        Setup::with_issuer(&self.issuer(), &[target.address().to_string()]).default_actions(actions)
    }

    /// Opens `url`, signs in, and follows to where that ends.
    #[track_caller]
    fn sign_in(&self, browser: &mut Browser, url: &str) -> Answer {
        let sent = browser.get(url);
        assert_eq!(sent.status, 302, "{url} needs a login: {:?}", sent.text());
        let callback = self.authorize(browser, sent.location());
        assert!(callback.starts_with(CALLBACK), "{callback}");
        let back = browser.get(&callback);
        assert_eq!(back.status, 302, "the login succeeds: {:?}", back.text());
        browser.get(&join(url, back.location()))
    }
}

/// What each is told: the client that the harness configures, and how long tokens live.
fn settings(more: &Value) -> Value {
    let mut settings = json!({
        "client_id": CLIENT_ID,
        "client_secret": "a-client-secret-of-some-length",
        "redirect_uris": [CALLBACK],
        "post_logout_redirect_uris": [SIGN_OUT],
        "access_token_ttl": LIFETIME,
    });
    for (name, value) in more.as_object().expect("an object") {
        settings[name] = value.clone();
    }
    settings
}

/// npm's `oidc-provider`, by `tests/node/provider.mjs`.
pub struct OidcProvider {
    ready: Value,
    /// Ends with this value.
    _process: Process,
}

impl OidcProvider {
    #[track_caller]
    pub fn start(more: &Value) -> Self {
        let process = Process::start(process::node("provider.mjs", &[&settings(more).to_string()]));
        Self { ready: process.next_json(), _process: process }
    }

    pub fn url(&self) -> String {
        self.issuer()
    }

    /// User name and password.
    pub fn person(&self) -> [&str; 2] {
        [self.word("username"), self.word("password")]
    }

    fn port(&self) -> u16 {
        url::Url::parse(&self.issuer()).expect("a URL").port().expect("a port")
    }
}

impl RealProvider for OidcProvider {
    fn ready(&self) -> &Value {
        &self.ready
    }

    #[track_caller]
    fn authorize(&self, browser: &mut Browser, authorization: &str) -> String {
        let (mut at, mut answer) = browser.follow(authorization, CALLBACK);
        let credentials = [("username", self.word("username")), ("password", self.word("password"))];
        // The password, then whether the application may know who it is.
        for fields in [&credentials[..], &[]] {
            if answer.status != 200 {
                break;
            }
            let sent = browser.post_form(&join(&at, actions(&answer)[0]), fields);
            assert_eq!(sent.status, 303, "{}", sent.text());
            let next = join(&at, sent.location());
            (at, answer) = browser.follow(&next, CALLBACK);
        }
        join(&at, answer.location())
    }
}

/// Debian's `glewlwyd`, by `tests/providers/glewlwyd`.
struct Glewlwyd {
    ready: Value,
    /// Ends with this value.
    _process: Process,
}

impl Glewlwyd {
    #[track_caller]
    fn start() -> Self {
        let process = Process::start(process::glewlwyd(&settings(&json!({}))));
        Self { ready: process.next_json(), _process: process }
    }
}

impl RealProvider for Glewlwyd {
    fn ready(&self) -> &Value {
        &self.ready
    }

    /// The calls that its page's script makes.
    #[track_caller]
    fn authorize(&self, browser: &mut Browser, authorization: &str) -> String {
        let (at, _) = browser.follow(authorization, CALLBACK);
        assert!(at.contains("/login.html?"), "{at}");
        let json = [("content-type", "application/json")];
        let credentials = json!({"username": self.word("username"), "password": self.word("password")});
        let signed_in = browser.send("POST", &join(&at, "/api/auth"), &json, credentials.to_string().as_bytes());
        assert_eq!(signed_in.status, 200, "{}", signed_in.text());
        let granted = json!({"scope": "openid email profile"}).to_string();
        let path = format!("/api/auth/grant/{CLIENT_ID}/");
        let agreed = browser.send("PUT", &join(&at, &path), &json, granted.as_bytes());
        assert_eq!(agreed.status, 200, "{}", agreed.text());
        let (at, last) = browser.follow(&format!("{authorization}&g_continue"), CALLBACK);
        join(&at, last.location())
    }
}

/// Payload of the signed claims. That they verify is `verifiers`' to say.
#[track_caller]
fn claims(request: &Received) -> Value {
    let token = request.header("x-amzn-oidc-data").expect("signed claims");
    let payload = URL_SAFE_NO_PAD.decode(token.split('.').nth(1).expect("a payload")).expect("base64url");
    serde_json::from_slice(&payload).expect("JSON")
}

#[track_caller]
fn access_token(request: &Received) -> String {
    request.header("x-amzn-oidc-accesstoken").expect("an access token").to_owned()
}

/// Where a page's forms go, in order.
fn actions(page: &Answer) -> Vec<&str> {
    page.text().split("<form").skip(1).map(|form| attribute(form, "action")).collect()
}

/// The value of a page's hidden field.
#[track_caller]
fn hidden<'p>(page: &'p Answer, name: &str) -> &'p str {
    let (_, field) = page.text().split_once(&format!("name=\"{name}\"")).expect("the page has the field");
    attribute(field, "value")
}

#[track_caller]
fn attribute<'p>(markup: &'p str, name: &str) -> &'p str {
    let (_, value) = markup.split_once(&format!("{name}=\"")).unwrap_or_else(|| panic!("{name} in {markup}"));
    value.split('"').next().expect("split gives at least one")
}
