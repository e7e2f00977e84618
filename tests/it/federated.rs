//! "Sign in with another provider" on the pages of a user pool: a second pool in a process of its own, and a provider that says anything.

use std::path::Path;
use std::sync::Arc;

use serde_json::{Value, json};
use vestibule::clock::{Clock, Timestamp};

use crate::browser::{application, copy_pictures, run};
use crate::harness::app::{Proxy, START, folder, wait_until};
use crate::harness::browser::{Answer, Browser, Protocol, on_both};
use crate::harness::process::{Process, vestibule};
use crate::harness::provider::{Key, Provider};
use crate::harness::scenario::parameter;
use crate::harness::server::{Reply, Server};
use crate::harness::target;
use crate::user_pool::{PASSWORD, configuration, hash, sign_in_page, submit, submit_at};

const PAGE: &str = "https://app.test/reports";
const CALLBACK: &str = "https://login.test/oauth2/idpresponse/corp";

/// A pool whose users come from `issuer`, too.
fn people(target: &Server, issuer: &str, client: &str, entry: &str) -> String {
    let pool = format!(
        "    store: {{ sqlite: people.db, key_files: [store-key] }}\n    identity_providers: {{ corp: {entry} }}\n    users:"
    );
    let provider = format!("\nidentity_providers:\n  corp: {{ issuer: '{issuer}', title: The Company, {client} }}\n");
    configuration(target).replacen("    users:", &pool, 1) + &provider
}

const CLIENT: &str = "client_id: dashboard, client_secret: a-client-secret-of-some-length";

/// With users of a provider that says what a test tells it to.
fn with_provider(target: &Server, provider: &Provider, entry: &str) -> Proxy {
    start(&people(target, &provider.issuer(), CLIENT, entry))
}

fn start(yaml: &str) -> Proxy {
    start_at(yaml, START)
}

fn start_at(yaml: &str, now: Timestamp) -> Proxy {
    let proxy = Proxy::start_in(folder(), yaml, now);
    std::fs::write(proxy.folder().join("vestibule.yaml"), proxy.yaml()).expect("written");
    proxy
}

/// The pool of a company, and its address.
pub fn company(now: Timestamp) -> (Proxy, String) {
    let yaml = |issuer: &str| {
        format!(
            "
listeners:
  - name: public
    address: 127.0.0.1:0
    protocol: https
    certificates: [{{ certificate_file: cert.pem, private_key_file: key.pem }}]
    default_actions: [{{ type: fixed-response, status_code: 200 }}]
user_pools:
  staff:
    issuer: {issuer}
    signing_key_file: pool-key.pem
    users:
      - {{ username: ada, password_hash: '{}', subject: '1815', email: ada@corp.test, name: Ada L., groups: [staff], claims: {{ email_verified: true }} }}
    clients:
      - {{ client_id: people, client_secret: the-secret-of-the-other-pool, redirect_uris: ['{CALLBACK}'] }}
session: {{ key_files: [session-key] }}
admin: {{ address: 127.0.0.1:0 }}
access_log: {{ destination: access.log }}
",
            hash()
        )
    };
    // The port is known when it listens.
    let proxy = Proxy::start_in(folder(), &yaml("https://login.test"), now);
    let issuer = format!("https://{}", proxy.address());
    proxy.reload(&yaml(&issuer)).expect("reloads");
    (proxy, issuer)
}

/// The user of the pool with this name, as the command prints it.
#[track_caller]
fn user(folder: &Path, name: &str) -> Value {
    let config = folder.join("vestibule.yaml");
    let arguments = ["users", "show", name, "--json", "--config", config.to_str().expect("UTF-8")];
    let done = Process::start(vestibule(&arguments)).finish();
    assert_eq!(done.code, Some(0), "{}", done.errors);
    serde_json::from_str(&done.output).expect("JSON")
}

/// Presses the button of the company on the sign-in page. Returns the address of the company that it leads to.
#[track_caller]
fn choose(browser: &mut Browser, page: &Answer) -> String {
    let text = page.text();
    assert!(text.contains("Continue with <strong>The Company</strong>"), "{text}");
    let (_, rest) = text.split_once(r#"name="request" value=""#).expect("a hidden value");
    let hidden = rest.split('"').next().expect("closed").to_owned();
    browser.headers.push(("origin".into(), "https://login.test".into()));
    let fields = [("request", hidden.as_str()), ("provider", "corp")];
    let answer = browser.post_form("https://login.test/sign-in/provider", &fields);
    browser.headers.pop();
    assert_eq!(answer.status, 200, "{} {:?}", answer.text(), answer.header("location"));
    next(&answer)
}

/// From the application to the provider's address, by the button.
#[track_caller]
fn sent(browser: &mut Browser) -> String {
    let page = sign_in_page(browser, PAGE);
    choose(browser, &page)
}

/// Where a page leads that goes on by itself.
#[track_caller]
fn next(page: &Answer) -> String {
    let (_, rest) = page.text().split_once(r#"content="0;url="#).unwrap_or_else(|| panic!("{}", page.text()));
    rest.split('"').next().expect("closed").replace("&#38;", "&")
}

/// Goes on where the pool leads after a sign-in, by a redirect or by a page: the application shows its page.
#[track_caller]
fn arrives(browser: &mut Browser, back: &Answer) {
    let location = if back.status == 303 { back.location().to_owned() } else { next(back) };
    assert!(location.starts_with("https://app.test/oauth2/idpresponse?"), "{location}");
    let there = browser.get(&location);
    assert_eq!((there.status, there.location()), (302, "/reports"), "{}", there.text());
    assert_eq!(browser.get(PAGE).status, 200);
}

#[track_caller]
fn refused(answer: &Answer, status: u16, reason: &str) {
    assert_eq!((answer.status, answer.reason().as_deref()), (status, Some(reason)), "{}", answer.text());
    let sets = |line: &&str| line.starts_with("__Host-vestibule-pool=");
    assert!(!answer.set_cookies().iter().any(sets), "nobody is signed in: {:?}", answer.set_cookies());
}

#[test]
fn a_user_of_another_pool_reaches_the_application() {
    let target = target::echo();
    let (company, issuer) = company(START);
    let client = "client_id: people, client_secret: the-secret-of-the-other-pool, ca_file: ca.pem";
    let entry = "{ group: from-corp, attributes: { email: email, email_verified: email_verified, nickname: name } }";
    let proxy = start(&people(&target, &issuer, client, entry));
    let mut subjects = Vec::new();
    on_both(|protocol| {
        let (mut browser, mut there) = (proxy.browser(protocol), company.browser(protocol));
        let page = there.get(&sent(&mut browser));
        let back = submit_at(&issuer, &mut there, &page, "ada", PASSWORD);
        assert!(back.location().starts_with(&format!("{CALLBACK}?")), "{}", back.location());
        let back = browser.get(back.location());
        arrives(&mut browser, &back);
    });
    let user = user(proxy.folder(), "corp_1815");
    assert_eq!((&user["status"], &user["groups"]), (&json!("EXTERNAL_PROVIDER"), &json!(["from-corp"])));
    assert_eq!(user["attributes"], json!({"email": "ada@corp.test", "email_verified": "true", "nickname": "Ada L."}));
    for request in target.received() {
        subjects.push(request.header("x-amzn-oidc-identity").map(str::to_owned));
    }
    subjects.dedup();
    assert_eq!(
        subjects,
        [user["sub"].as_str().map(str::to_owned)],
        "one user on both protocols, with a `sub` of the pool"
    );
    let series = "vestibule_pool_provider_sign_ins_total{pool=\"people\",provider=\"corp\",outcome=\"ok\"}";
    assert_eq!(proxy.metric(series), 2);
    // Users of the pool itself sign in as before.
    let mut browser = proxy.browser(Protocol::Http1);
    let page = sign_in_page(&mut browser, PAGE);
    let back = submit(&mut browser, &page, "alice", PASSWORD);
    arrives(&mut browser, &back);
}

#[test]
fn what_is_not_the_answer_to_this_sign_in_signs_nobody_in() {
    let (target, provider) = (target::echo(), Provider::start());
    let proxy = with_provider(&target, &provider, "{}");
    on_both(|protocol| {
        let mut browser = proxy.browser(protocol);
        let back = provider.callback_of(&sent(&mut browser));
        assert!(back.starts_with(&format!("{CALLBACK}?")), "{back}");
        let count = provider.requests("/token").len();
        let stranger = proxy.browser(protocol);
        refused(&stranger.clone().get(&back), 403, "provider.foreign");
        let mut other = stranger.clone();
        sent(&mut other);
        refused(&other.get(&back), 403, "provider.foreign");
        let state = parameter(&back, "state").expect("a state");
        refused(&browser.get(&back.replace(&state, "x")), 403, "provider.foreign");
        refused(&browser.get(&back.replace("/corp?", "?")), 403, "provider.foreign");
        assert_eq!(browser.send("POST", &back, &[], b"").status, 405);
        assert_eq!(browser.send("HEAD", &back, &[], b"").status, 405);
        assert_eq!(provider.requests("/token").len(), count, "the code went nowhere");
        // It is the sign-in of before, in the browser of before, and counts once.
        let mut copy = browser.clone();
        let done = browser.get(&back);
        arrives(&mut browser, &done);
        refused(&browser.get(&back), 403, "provider.foreign");
        refused(&copy.get(&back), 403, "provider.used");
        let mut late = proxy.browser(protocol);
        let back = provider.callback_of(&sent(&mut late));
        proxy.clock.advance(std::time::Duration::from_secs(301));
        refused(&late.get(&back), 403, "provider.expired");
        provider.say(|script| script.now = proxy.clock.now().seconds());
    });
    wait_until("the reason is recorded", || {
        proxy.access_log(1).into_iter().find(|record| record["reason"] == "provider.expired")
    });
}

#[test]
fn an_id_token_that_cannot_be_believed_signs_nobody_in() {
    let (target, provider) = (target::echo(), Provider::start());
    let proxy = with_provider(&target, &provider, "{}");
    let key = Arc::new(Key::new("provider-key-1"));
    let claims = json!({"iss": provider.issuer(), "aud": "dashboard", "sub": "alice", "iat": START.seconds(), "exp": START.seconds() + 3600});
    let by_another_key = key.sign(&json!({"alg": "ES256", "kid": "provider-key-1"}), &claims.to_string());
    let unsigned = format!("{}.", by_another_key.rsplit_once('.').expect("a token").0);
    on_both(|protocol| {
        for (token, what) in [
            (json!({"sub": "alice", "nonce": "of another sign-in"}), "nonce"),
            (json!({"sub": "alice", "nonce": null}), "no nonce"),
            (json!({"sub": "alice", "iss": "https://other.test"}), "issuer"),
            (json!({"sub": "alice", "aud": "somebody"}), "audience"),
            (json!({"sub": "alice", "aud": ["dashboard", "somebody"]}), "two audiences without azp"),
            (json!({"sub": "alice", "exp": START.seconds() - 3600}), "expired"),
            (json!({"sub": null}), "nobody"),
        ] {
            provider.say(|script| script.id_token = token);
            let mut browser = proxy.browser(protocol);
            let back = provider.callback_of(&sent(&mut browser));
            let answer = browser.get(&back);
            assert_eq!(answer.status, 502, "{what}");
            refused(&answer, 502, "provider.answer_invalid");
            let page = browser.get("https://login.test/sign-in");
            assert!(page.text().contains(r#"name="password""#), "{what}");
        }
        provider.say(|script| script.id_token = json!({"sub": "alice"}));
        for raw in [&by_another_key, &unsigned, &"x".to_owned()] {
            provider.say(|script| script.raw_id_token = Some(raw.clone()));
            let mut browser = proxy.browser(protocol);
            let back = provider.callback_of(&sent(&mut browser));
            refused(&browser.get(&back), 502, "provider.answer_invalid");
        }
        // Userinfo about somebody else.
        provider.say(|script| {
            script.raw_id_token = None;
            script.userinfo = Some(json!({"sub": "mallory", "email": "alice@example.com"}));
        });
        let mut browser = proxy.browser(protocol);
        let back = provider.callback_of(&sent(&mut browser));
        refused(&browser.get(&back), 502, "provider.answer_invalid");
        provider.say(|script| script.userinfo = Some(json!({"sub": "alice"})));
        // The answer of another issuer (RFC 9207).
        let mut browser = proxy.browser(protocol);
        let back = provider.callback_of(&sent(&mut browser));
        refused(&browser.get(&format!("{back}&iss=https%3A%2F%2Fother.test")), 502, "provider.answer_invalid");
        let mut browser = proxy.browser(protocol);
        let back = provider.callback_of(&sent(&mut browser));
        let done = browser.get(&format!("{back}&iss={}", provider.issuer()));
        arrives(&mut browser, &done);
    });
}

#[test]
fn a_provider_that_is_down_keeps_nobody_else_out() {
    let (target, provider) = (target::echo(), Provider::start());
    let proxy = with_provider(&target, &provider, "{}");
    on_both(|protocol| {
        provider.say(|script| script.instead = None);
        let mut browser = proxy.browser(protocol);
        let back = provider.callback_of(&sent(&mut browser));
        provider.say(|script| {
            script.instead = Some(Arc::new(|_| Some(Reply::new("503 Service Unavailable", &[], ""))));
        });
        let told = browser.get(&back);
        refused(&told, 503, "provider.unavailable");
        assert_eq!(told.header("retry-after"), Some("30"));
        let page = sign_in_page(&mut browser, PAGE);
        let back = submit(&mut browser, &page, "alice", PASSWORD);
        arrives(&mut browser, &back);
    });
    // Nothing is known of a provider that was never there, and the process serves.
    let down = people(&target, "http://127.0.0.1:1", CLIENT, "{}");
    let proxy = start(&down);
    let mut browser = proxy.browser(Protocol::Http2);
    let asked = browser.get(PAGE).location().to_owned();
    refused(&browser.get(&format!("{asked}&identity_provider=corp")), 503, "provider.unavailable");
    let page = sign_in_page(&mut browser, PAGE);
    let back = submit(&mut browser, &page, "alice", PASSWORD);
    arrives(&mut browser, &back);
}

#[test]
fn an_administrator_keeps_a_user_of_a_provider_out() {
    let (target, provider) = (target::echo(), Provider::start());
    let proxy = with_provider(&target, &provider, "{}");
    let mut browser = proxy.browser(Protocol::Http2);
    let back = browser.get(&provider.callback_of(&sent(&mut browser.clone())));
    refused(&back, 403, "provider.foreign");
    let back = provider.callback_of(&sent(&mut browser));
    let done = browser.get(&back);
    arrives(&mut browser, &done);
    let config = proxy.folder().join("vestibule.yaml");
    for command in ["reset", "set-password", "resend"] {
        let arguments = ["users", command, "corp_alice", "--config", config.to_str().expect("UTF-8")];
        let refused = Process::start(vestibule(&arguments)).finish();
        assert_eq!(refused.code, Some(1), "{command}");
        let said = "`corp_alice` signs in at the provider `corp`: the password is there and can be changed only there";
        assert!(refused.errors.contains(said), "{command}: {}", refused.errors);
    }
    let arguments = ["users", "disable", "corp_alice", "--config", config.to_str().expect("UTF-8")];
    assert_eq!(Process::start(vestibule(&arguments)).finish().code, Some(0));
    let mut again = proxy.browser(Protocol::Http1);
    let back = provider.callback_of(&sent(&mut again));
    refused(&again.get(&back), 403, "provider.user_disabled");
}

#[test]
fn a_mapping_that_changes_counts_from_the_next_sign_in_on() {
    let (target, provider) = (target::echo(), Provider::start());
    let proxy = with_provider(&target, &provider, "{ attributes: { email: email, name: name } }");
    let sign_in = || {
        let mut browser = proxy.browser(Protocol::Http1);
        let back = provider.callback_of(&sent(&mut browser));
        let done = browser.get(&back);
        arrives(&mut browser, &done);
        user(proxy.folder(), "corp_alice")
    };
    let before = sign_in();
    assert_eq!(before["attributes"], json!({"email": "alice@example.com", "name": "Alice"}));
    let changed = proxy.yaml().replace("{ email: email, name: name }", "{ email: email, nickname: name }");
    proxy.reload(&changed).expect("reloads");
    let after = sign_in();
    assert_eq!(after["attributes"], json!({"email": "alice@example.com", "name": "Alice", "nickname": "Alice"}));
    provider.say(|script| {
        script.id_token = json!({"sub": "alice"});
        script.userinfo = Some(json!({"sub": "alice", "name": "Alice B."}));
    });
    let last = sign_in();
    assert_eq!(last["attributes"], json!({"name": "Alice", "nickname": "Alice B."}));
    assert_eq!((&before["sub"], &before["sub"]), (&after["sub"], &last["sub"]));
    // Without the provider, its users are there and cannot sign in.
    let without =
        changed.replace("    identity_providers: { corp: { attributes: { email: email, nickname: name } } }\n", "");
    proxy.reload(&without).expect("reloads");
    let page = sign_in_page(&mut proxy.browser(Protocol::Http1), PAGE);
    assert!(!page.text().contains("The Company"), "{}", page.text());
}

#[test]
fn a_person_signs_in_at_another_pool_in_a_real_browser() {
    let (target, now) = (application(), Clock::system().now());
    let (company, issuer) = company(now);
    let client = "client_id: people, client_secret: the-secret-of-the-other-pool, ca_file: ca.pem, logo_file: logo.svg, \
                  email_domains: [corp.test]";
    let logo =
        "<svg xmlns='http://www.w3.org/2000/svg' viewBox='0 0 8 8'><circle cx='4' cy='4' r='4' fill='#0a7'/></svg>";
    let at = folder();
    std::fs::write(at.join("logo.svg"), logo).expect("written");
    let proxy = Proxy::start_in(at, &people(&target, &issuer, client, "{}"), now);
    let to_us = |name: &str| format!("MAP {name} {}", proxy.address());
    let settings = json!({
        "url": PAGE,
        "username": "ada",
        "password": PASSWORD,
        "email": "ada@corp.test",
        "choice": "Continue with The Company",
        "trust": [proxy.folder().join("cert.pem"), company.folder().join("cert.pem")],
        "resolve": format!("{}, {}", to_us("app.test"), to_us("login.test")),
        "screenshots": proxy.folder().join("pictures"),
    });
    let seen = run("federated", &settings);
    copy_pictures(&proxy.folder().join("pictures"));
    assert_eq!(seen["buttons"], json!(["Continue with The Company"]));
    assert_eq!(seen["asked_for_password"], "eve@nowhere.test");
    let host = issuer.strip_prefix("https://").expect("https");
    assert_eq!((&seen["by_email"], &seen["hint"]), (&json!(host), &json!("ada@corp.test")));
    assert_eq!(seen["by_button"], host);
    assert_eq!(seen["refused"], "This sign-in was not begun here");
    assert_eq!(seen["back"], "https://login.test", "Back leads to our own page and asks nothing");
    // Of the one that is refused.
    assert_eq!(seen["problems"], json!(["Failed to load resource: the server responded with a status of 403 ()"]));
}
