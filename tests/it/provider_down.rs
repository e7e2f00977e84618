//! The provider goes away and comes back: nobody is locked out who is in, and nothing has to be restarted.

use std::time::Duration;

use crate::harness::app::{Setup, wait_until};
use crate::harness::browser::{Protocol, on_both};
use crate::harness::provider::{Key, Provider};
use crate::harness::server::Reply;
use crate::harness::target;

#[test]
fn the_proxy_starts_without_its_provider_and_logs_in_when_it_is_there() {
    on_both(|protocol| {
        let (provider, target) = (Provider::start(), target::echo());
        provider.say(|script| script.instead = Some(std::sync::Arc::new(|_| Some(Reply::Reset))));
        let proxy = Setup::new(&provider, &target).start();
        let mut browser = proxy.browser(protocol);
        let refused = browser.get("https://app.test/");
        assert_eq!((refused.status, refused.reason().as_deref()), (503, Some("auth.provider_unavailable")));
        assert!(refused.header("retry-after").is_some());
        assert_eq!(refused.set_cookies(), [""; 0], "no login has begun");
        assert_eq!(target.count(), 0);
        provider.say(|script| script.instead = None);
        // A failure is remembered for a while, so that a provider in trouble is left alone.
        let sent = wait_until("the provider is asked again", || {
            proxy.clock.advance(Duration::from_secs(1));
            provider.say(|script| script.now += 1);
            let answer = browser.get("https://app.test/");
            (answer.status == 302).then_some(answer)
        });
        let back = browser.get(&provider.callback_of(sent.location()));
        assert_eq!(back.status, 302, "{}", back.text());
        assert_eq!(browser.get("https://app.test/").status, 200);
    });
}

#[test]
fn a_provider_that_is_down_is_not_asked_by_every_request() {
    let (provider, target) = (Provider::start(), target::echo());
    provider.say(|script| script.instead = Some(std::sync::Arc::new(|_| Some(Reply::new("500 Oops", &[], "")))));
    let proxy = Setup::new(&provider, &target).start();
    on_both(|protocol| {
        for _ in 0..10 {
            assert_eq!(proxy.browser(protocol).get("https://app.test/").status, 503);
        }
    });
    let asked = provider.requests("/.well-known/openid-configuration").len();
    assert!(asked <= 3, "asked {asked} times");
}

#[test]
fn who_has_a_session_does_not_notice() {
    let (provider, target) = (Provider::start(), target::echo());
    let proxy = Setup::new(&provider, &target).start();
    on_both(|protocol| {
        provider.say(|script| script.instead = None);
        let mut browser = proxy.signed_in(protocol, &provider);
        provider.say(|script| script.instead = Some(std::sync::Arc::new(|_| Some(Reply::Reset))));
        for _ in 0..3 {
            assert_eq!(browser.get("https://app.test/").status, 200, "{protocol:?}");
            proxy.clock.advance(Duration::from_secs(60));
        }
        assert_eq!(target.last().header("x-amzn-oidc-identity"), Some("alice"));
    });
}

#[test]
fn a_token_endpoint_that_fails_has_a_reason_and_the_next_login_works() {
    let table: [(&str, fn() -> Reply, u16, &str); 3] = [
        ("reset", || Reply::Reset, 500, "auth.token_endpoint_unreachable"),
        ("500", || Reply::new("500 Oops", &[], ""), 561, "auth.token_endpoint_refused"),
        ("rubbish", || Reply::text("not JSON"), 561, "auth.token_response_invalid"),
    ];
    let (provider, target) = (Provider::start(), target::echo());
    let proxy = Setup::new(&provider, &target).start();
    on_both(|protocol| {
        for (name, reply, status, reason) in table {
            provider.say(|script| {
                script.instead = Some(std::sync::Arc::new(move |request| (request.target() == "/token").then(reply)));
            });
            let mut browser = proxy.browser(protocol);
            let sent = browser.get("https://app.test/");
            let failed = browser.get(&provider.callback_of(sent.location()));
            assert_eq!((failed.status, failed.reason().as_deref()), (status, Some(reason)), "{protocol:?} {name}");
            let link = r#"href="/oauth2/sign_in?state="#;
            assert!(failed.text().contains(link), "the callback's own address leads nowhere: {name}");
            provider.say(|script| script.instead = None);
            assert_eq!(provider.sign_in(&mut browser, "https://app.test/").status, 200, "{name}: then it works");
        }
    });
}

#[test]
fn keys_that_the_provider_rotates_are_fetched_again() {
    let (provider, target) = (Provider::start(), target::echo());
    let proxy = Setup::new(&provider, &target).start();
    proxy.signed_in(Protocol::Http1, &provider);
    let asked = provider.requests("/jwks").len();
    // A new key signs; only the new key set names it.
    let key = std::sync::Arc::new(Key::new("provider-key-2"));
    let (signing, old) = (std::sync::Arc::clone(&key), provider.key().jwk());
    provider.say(|script| script.key_set = Some(serde_json::json!({"keys": [old, signing.jwk()]})));
    proxy.clock.advance(Duration::from_secs(300));
    let mut browser = proxy.browser(Protocol::Http2);
    let sent = browser.get("https://app.test/");
    let authorization = url::Url::parse(sent.location()).expect("a URL");
    let nonce = authorization.query_pairs().find(|(name, _)| name == "nonce").expect("a nonce").1.into_owned();
    let now = 1_795_507_200 + 300;
    let claims = serde_json::json!({"iss": provider.issuer(), "aud": "dashboard", "sub": "alice", "nonce": nonce, "iat": now, "exp": now + 3600});
    let token = key.sign(&serde_json::json!({"alg": "ES256", "kid": "provider-key-2"}), &claims.to_string());
    provider.say(|script| script.raw_id_token = Some(token));
    let back = browser.get(&provider.callback_of(sent.location()));
    assert_eq!(back.status, 302, "{}", back.text());
    assert_eq!(browser.get("https://app.test/").status, 200);
    assert_eq!(provider.requests("/jwks").len(), asked + 1);
}
