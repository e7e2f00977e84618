//! New tokens for a session: once, whoever asks; and what becomes of the session where there are none.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::app::wait_until;
use crate::harness::browser::{Answer, Protocol, on_both};
use crate::harness::scenario::Scenario;
use crate::harness::server::{Received, Reply};
use crate::harness::target;

const PAGE: &str = "https://app.test/page";
/// Life of an access token.
const HOUR: Duration = Duration::from_secs(3600);
const TIMEOUT: Duration = Duration::from_secs(8 * 3600);

/// A way for a provider to answer, and what it is called.
type Answering = (&'static str, fn() -> Reply);

/// A provider that gives refresh tokens.
fn scenario() -> Scenario {
    let scenario = Scenario::start(|setup| setup.provider("    timeout: 1s"));
    scenario.provider.say(|script| script.token_response = json!({"refresh_token": "refresh-1"}));
    scenario
}

impl Scenario {
    /// The forms of the refreshes that were asked for.
    fn refreshes(&self) -> Vec<Received> {
        let is_refresh = |request: &Received| request.body_text().contains("grant_type=refresh_token");
        self.provider.requests("/token").into_iter().filter(is_refresh).collect()
    }

    /// Another answer to refreshes than the honest one.
    fn answer_refreshes(&self, reply: impl Fn() -> Reply + Send + Sync + 'static) {
        let instead = move |request: &Received| {
            let is_refresh = request.target() == "/token" && request.body_text().contains("refresh_token");
            is_refresh.then(&reply)
        };
        self.provider.say(|script| script.instead = Some(Arc::new(instead)));
    }
}

#[track_caller]
fn ended(answer: &Answer) {
    assert_eq!((answer.status, answer.reason().as_deref()), (401, Some("auth.session_expired")));
}

#[test]
fn new_tokens_are_asked_for_when_most_of_the_old_ones_life_is_gone() {
    let scenario = scenario();
    on_both(|protocol| {
        let mut browser = scenario.signed_in(protocol);
        let (count, first) = (scenario.refreshes().len(), browser.cookie_header("app.test"));
        let old = scenario.target.last().header("x-amzn-oidc-accesstoken").map(str::to_owned);
        scenario.advance(HOUR * 4 / 5 - Duration::from_millis(1));
        assert_eq!(browser.get(PAGE).status, 200);
        assert_eq!(scenario.refreshes().len(), count, "not before");
        scenario.provider.say(|script| {
            script.userinfo = Some(json!({"sub": "alice", "name": "Alice Next"}));
            script.token_response = json!({"refresh_token": "refresh-2"});
        });
        scenario.advance(Duration::from_millis(1));
        let answer = browser.get(PAGE);
        assert_eq!((answer.status, answer.new_session().len()), (200, 1), "the cookie is issued again");
        assert_ne!(browser.cookie_header("app.test"), first);
        let new = scenario.target.last().header("x-amzn-oidc-accesstoken").map(str::to_owned);
        assert!(new.is_some() && new != old, "this very request has the new token");
        assert_eq!(browser.get("https://app.test/oauth2/userinfo").json()["name"], json!("Alice Next"));
        let form = scenario.refreshes().pop().expect("a refresh");
        assert!(form.body_text().contains("refresh_token=refresh-1"), "{}", form.body_text());
        assert!(form.header("authorization").is_some(), "with our client's name");

        // The next generation has the next token.
        scenario.advance(HOUR * 4 / 5);
        assert_eq!(browser.get(PAGE).status, 200);
        let form = scenario.refreshes().pop().expect("a refresh");
        assert!(form.body_text().contains("refresh_token=refresh-2"), "{}", form.body_text());
        assert_eq!(scenario.refreshes().len(), count + 2);
        scenario.provider.say(|script| {
            script.token_response = json!({"refresh_token": "refresh-1"});
            script.userinfo = Some(json!({"sub": "alice"}));
        });
    });
}

#[test]
fn v_01_twenty_requests_at_once_ask_for_new_tokens_once() {
    let scenario = scenario();
    on_both(|protocol| {
        let browser = scenario.signed_in(protocol);
        let count = scenario.refreshes().len();
        let before = scenario.target.count();
        scenario.provider.say(|script| script.token_response = json!({"refresh_token": "rotated"}));
        scenario.advance(HOUR + Duration::from_secs(1));
        // Not before all of them wait for it.
        let arrived = Arc::new(AtomicUsize::new(0));
        let answers: Vec<Answer> = std::thread::scope(|scope| {
            let ask = |_| {
                let (mut browser, arrived) = (browser.clone(), Arc::clone(&arrived));
                scope.spawn(move || {
                    arrived.fetch_add(1, Ordering::SeqCst);
                    browser.get(PAGE)
                })
            };
            let asking: Vec<_> = (0..20).map(ask).collect();
            asking.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        assert_eq!(arrived.load(Ordering::SeqCst), 20);
        assert_eq!(scenario.refreshes().len(), count + 1);
        let cookies: std::collections::HashSet<String> =
            answers.iter().map(|answer| answer.new_session().join("|")).collect();
        assert!(answers.iter().all(|answer| answer.status == 200));
        assert_eq!(cookies.len(), 1, "each is given the same cookie");
        assert!(!cookies.contains(""));
        // Each reached the target with the same new token.
        let tokens: std::collections::HashSet<Option<String>> = scenario.target.received()[before..]
            .iter()
            .map(|request| request.header("x-amzn-oidc-accesstoken").map(str::to_owned))
            .collect();
        assert_eq!((scenario.target.count() - before, tokens.len()), (20, 1));
        // One that was on its way with the old cookie a moment later is given it too.
        scenario.advance(Duration::from_secs(30));
        assert_eq!(browser.clone().get(PAGE).new_session().join("|"), *cookies.iter().next().expect("one"));
        assert_eq!(scenario.refreshes().len(), count + 1);
        scenario.provider.say(|script| script.token_response = json!({"refresh_token": "refresh-1"}));
    });
}

#[test]
fn v_03_a_provider_that_does_not_answer_ends_no_session() {
    let scenario = scenario();
    let failures: [Answering; 9] = [
        ("500", || Reply::new("500 No", &[], "")),
        ("503", || Reply::new("503 No", &[], "")),
        ("429", || Reply::new("429 Slow", &[], r#"{"error":"slow_down"}"#)),
        ("a reset", || Reply::Reset),
        ("HTML", || Reply::text("<html>")),
        ("too much", || Reply::text(&" ".repeat(1 << 20))),
        ("its own trouble", || Reply::new("400 No", &[], r#"{"error":"temporarily_unavailable"}"#)),
        ("the operator's", || Reply::new("401 No", &[], r#"{"error":"invalid_client"}"#)),
        ("silence", || Reply::BytesThenHang(Vec::new())),
    ];
    for (what, reply) in failures {
        let mut browser = scenario.signed_in(Protocol::Http2);
        let count = scenario.refreshes().len();
        scenario.answer_refreshes(reply);
        scenario.advance(HOUR + Duration::from_secs(1));
        let answer = browser.get(PAGE);
        assert_eq!((answer.status, answer.set_cookies().len()), (200, 0), "{what} keeps the session");
        assert_eq!(scenario.target.last().header("x-amzn-oidc-identity"), Some("alice"));
        assert_eq!(scenario.refreshes().len(), count + 1, "{what}: asked once");
        assert_eq!(browser.get(PAGE).status, 200);
        assert_eq!(scenario.refreshes().len(), count + 1, "{what}: left alone for a while");
        scenario.advance(Duration::from_secs(11));
        scenario.provider.say(|script| script.instead = None);
        assert_eq!(browser.get(PAGE).new_session().len(), 1, "{what}: then it is renewed");
        assert_eq!(scenario.refreshes().len(), count + 2);
    }
    assert!(scenario.proxy.metrics().contains("refresh"), "it is counted");
}

#[test]
fn v_03_a_provider_that_says_no_ends_the_session() {
    let scenario = scenario();
    let refusals: [Answering; 2] = [
        ("invalid_grant", || Reply::new("400 No", &[], r#"{"error":"invalid_grant"}"#)),
        ("invalid_scope", || Reply::new("400 No", &[], r#"{"error":"invalid_scope"}"#)),
    ];
    on_both(|protocol| {
        for (what, reply) in refusals {
            let mut browser = scenario.signed_in(protocol);
            let (count, reached) = (scenario.refreshes().len(), scenario.target.count());
            scenario.answer_refreshes(reply);
            scenario.advance(HOUR + Duration::from_secs(1));
            for _ in 0..4 {
                ended(&browser.clone().scripted().get(PAGE));
            }
            let who = browser.clone().scripted().get("https://app.test/oauth2/userinfo");
            assert_eq!(who.status, 401, "{what}: nobody is signed in");
            assert_eq!(browser.get(PAGE).status, 302, "{what}: a person signs in again");
            assert_eq!(scenario.refreshes().len(), count + 1, "{what}: asked once");
            // For good, also where the provider is not there to say it again.
            scenario.answer_refreshes(|| Reply::new("503 No", &[], ""));
            scenario.advance(HOUR);
            ended(&browser.clone().scripted().get(PAGE));
            assert_eq!((scenario.refreshes().len(), scenario.target.count()), (count + 1, reached), "{what}");
            scenario.provider.say(|script| script.instead = None);
            ended(&browser.clone().scripted().get(PAGE));
        }
    });
}

#[test]
fn v_04_what_the_provider_does_not_send_again_is_kept() {
    let scenario = scenario();
    let leave_out = json!({"refresh_token": null, "id_token": null});
    let mut browser = scenario.signed_in(Protocol::Http2);
    let before = browser.get("https://app.test/oauth2/userinfo").json();
    scenario.provider.say(|script| {
        script.token_response = leave_out;
        script.userinfo = None;
        script.instead =
            Some(Arc::new(|request| (request.target() == "/userinfo").then(|| Reply::new("500 No", &[], ""))));
    });
    for turn in 1..=3 {
        scenario.advance(HOUR * 4 / 5);
        assert_eq!(browser.get(PAGE).new_session().len(), 1);
        assert_eq!(scenario.refreshes().len(), turn);
        let form = scenario.refreshes().pop().expect("a refresh");
        assert!(form.body_text().contains("refresh_token=refresh-1"), "{}", form.body_text());
    }
    let after = browser.get("https://app.test/oauth2/userinfo").json();
    assert_eq!(without(&after, "expires_at"), without(&before, "expires_at"), "the claims too");
    // The ID token also: it is the hint when signing out.
    let out = browser.get("https://app.test/oauth2/sign_out");
    assert!(out.location().contains("id_token_hint=ey"), "{}", out.location());
}

fn without(value: &Value, name: &str) -> Value {
    let mut value = value.clone();
    value.as_object_mut().expect("an object").remove(name);
    value
}

#[test]
fn v_04_without_a_lifetime_an_hour_is_taken() {
    let scenario = scenario();
    let mut browser = scenario.signed_in(Protocol::Http2);
    scenario.provider.say(|script| script.token_response = json!({"refresh_token": "r", "expires_in": null}));
    scenario.advance(HOUR);
    assert_eq!(browser.get(PAGE).new_session().len(), 1);
    scenario.advance(HOUR * 4 / 5 - Duration::from_secs(1));
    assert_eq!(browser.get(PAGE).new_session(), [""; 0]);
    assert_eq!(scenario.refreshes().len(), 1);
    // Else a user who was disabled would stay in for the whole session.
    scenario.advance(Duration::from_secs(1));
    scenario.answer_refreshes(|| Reply::new("400 No", &[], r#"{"error":"invalid_grant"}"#));
    ended(&browser.scripted().get(PAGE));
    assert_eq!(scenario.refreshes().len(), 2);
}

#[test]
fn v_02_new_tokens_of_another_user_or_issuer_end_the_session() {
    let scenario = scenario();
    let lies: [(&str, Value); 5] = [
        ("another user", json!({"sub": "bob"})),
        ("another issuer", json!({"iss": "https://evil.test"})),
        ("another client", json!({"aud": "evil"})),
        ("a token that is over", json!({"exp": 1})),
        ("no user", json!({"sub": null})),
    ];
    on_both(|protocol| {
        for (what, claims) in &lies {
            let honest = json!({"sub": "alice"});
            scenario.provider.say(|script| script.id_token = honest);
            let browser = scenario.signed_in(protocol);
            let reached = scenario.target.count();
            scenario.provider.say(|script| {
                for (name, value) in claims.as_object().expect("an object") {
                    script.id_token[name] = value.clone();
                }
            });
            scenario.advance(HOUR + Duration::from_secs(1));
            let answer = browser.clone().scripted().get(PAGE);
            assert_eq!((answer.status, answer.reason().as_deref()), (401, Some("auth.session_expired")), "{what}");
            assert_eq!((scenario.target.count(), answer.new_session().len()), (reached, 0), "{what}");
        }
        scenario.provider.say(|script| script.id_token = json!({"sub": "alice"}));
        // Userinfo that speaks of another.
        let browser = scenario.signed_in(protocol);
        let reached = scenario.target.count();
        scenario.provider.say(|script| script.userinfo = Some(json!({"sub": "bob"})));
        scenario.advance(HOUR + Duration::from_secs(1));
        ended(&browser.clone().scripted().get(PAGE));
        assert_eq!(scenario.target.count(), reached);
        scenario.provider.say(|script| script.userinfo = Some(json!({"sub": "alice"})));
    });
}

#[test]
fn v_02_a_refreshed_id_token_by_a_strangers_key_ends_the_session() {
    let scenario = scenario();
    let browser = scenario.signed_in(Protocol::Http2);
    let reached = scenario.target.count();
    let stranger = crate::harness::provider::Key::new("provider-key-1");
    scenario.advance(HOUR + Duration::from_secs(1));
    let now = scenario.proxy.clock.now().seconds();
    let claims =
        json!({"iss": scenario.provider.issuer(), "aud": "dashboard", "sub": "alice", "iat": now, "exp": now + 60});
    let token = stranger.sign(&json!({"alg": "ES256", "kid": "provider-key-1"}), &claims.to_string());
    scenario.provider.say(|script| script.raw_id_token = Some(token));
    ended(&browser.clone().scripted().get(PAGE));
    assert_eq!(scenario.target.count(), reached);
}

#[test]
fn without_a_refresh_token_claims_are_kept_until_the_session_is_over() {
    let scenario = scenario();
    scenario.provider.say(|script| script.token_response = json!({}));
    on_both(|protocol| {
        let browser = scenario.signed_in(protocol);
        let token = scenario.target.last().header("x-amzn-oidc-accesstoken").map(str::to_owned);
        // Long after the access token is over (ALB §2.8).
        scenario.advance(TIMEOUT - Duration::from_secs(1));
        let answer = browser.clone().get(PAGE);
        assert_eq!((answer.status, answer.set_cookies().len()), (200, 0));
        assert_eq!(scenario.target.last().header("x-amzn-oidc-accesstoken"), token.as_deref());
        scenario.advance(Duration::from_secs(1));
        ended(&browser.clone().scripted().get(PAGE));
        assert_eq!(scenario.refreshes().len(), 0);
    });
}

#[test]
fn s_08_no_refresh_moves_the_end_of_a_session() {
    let scenario = scenario();
    let mut browser = scenario.signed_in(Protocol::Http2);
    let end = browser.get("https://app.test/oauth2/userinfo").json()["expires_at"].clone();
    for _ in 0..7 {
        scenario.advance(HOUR);
        assert_eq!(browser.get(PAGE).new_session().len(), 1);
        assert_eq!(browser.get("https://app.test/oauth2/userinfo").json()["expires_at"], end);
    }
    scenario.advance(HOUR);
    let count = scenario.refreshes().len();
    ended(&browser.clone().scripted().get(PAGE));
    assert_eq!(scenario.refreshes().len(), count, "what is over is not refreshed");
}

#[test]
fn a_session_that_was_signed_out_is_not_refreshed() {
    let scenario = scenario();
    let mut browser = scenario.signed_in(Protocol::Http2);
    let kept = browser.cookie_header("app.test");
    browser.get("https://app.test/oauth2/sign_out");
    scenario.advance(HOUR * 2);
    let answer = browser.scripted().send("GET", PAGE, &[("cookie", &kept)], b"");
    ended(&answer);
    assert_eq!(scenario.refreshes().len(), 0);
}

#[test]
fn d_12_a_browser_that_goes_away_does_not_lose_the_tokens_that_were_issued() {
    let scenario = scenario();
    let browser = scenario.signed_in(Protocol::Http1);
    scenario.advance(HOUR + Duration::from_secs(1));
    // The provider answers when it is told to, after the client has gone.
    let (told, hears) = std::sync::mpsc::channel::<()>();
    let hears = std::sync::Mutex::new(hears);
    let once = AtomicUsize::new(0);
    scenario.provider.say(|script| {
        script.token_response = json!({"refresh_token": "rotated"});
        script.instead = Some(Arc::new(move |request| {
            if request.target() == "/token" && once.fetch_add(1, Ordering::SeqCst) == 0 {
                let _ = hears.lock().expect("unpoisoned").recv();
            }
            None
        }));
    });
    let mut raw = crate::harness::raw::Raw::connect(scenario.proxy.address(), "app.test");
    let cookies = browser.cookie_header("app.test");
    raw.send(format!("GET /page HTTP/1.1\r\nhost: app.test\r\ncookie: {cookies}\r\n\r\n"));
    wait_until("the provider is asked", || (scenario.refreshes().len() == 1).then_some(()));
    drop(raw);
    told.send(()).expect("the provider waits");
    let answer = browser.clone().get(PAGE);
    assert_eq!((answer.status, answer.new_session().len()), (200, 1));
    assert_eq!(scenario.refreshes().len(), 1, "the next request has what the first asked for");
}

/// A provider that knows which refresh tokens it has given, and ends everything where a spent one comes again.
fn rotate(scenario: &Scenario) {
    let given = Arc::new(std::sync::Mutex::new((0, false)));
    let provider = scenario.provider.issuer();
    scenario.provider.say(|script| {
        script.id_token = json!({"sub": "alice"});
        script.instead = Some(Arc::new(move |request| {
            let body = (request.target() == "/token").then(|| request.body_text().to_owned())?;
            let mut given = given.lock().expect("unpoisoned");
            let token = body.split('&').find_map(|field| field.strip_prefix("refresh_token="))?;
            let spent = token != "refresh-1" && token != format!("rotated-{}", given.0);
            given.1 |= spent || (token == "refresh-1" && given.0 > 0);
            if given.1 {
                return Some(Reply::new("400 No", &[], r#"{"error":"invalid_grant"}"#));
            }
            given.0 += 1;
            let _ = &provider;
            Some(Reply::json(&json!({
                "access_token": format!("access-{}", given.0), "token_type": "Bearer", "expires_in": 3600,
                "refresh_token": format!("rotated-{}", given.0),
            })))
        }));
    });
}

#[test]
fn b_8_an_answer_that_is_lost_with_its_cookie_signs_nobody_out() {
    let scenario = scenario();
    let browser = scenario.signed_in(Protocol::Http2);
    rotate(&scenario);
    scenario.advance(HOUR);
    assert_eq!(browser.clone().get(PAGE).new_session().len(), 1, "the browser never hears of it");
    for _ in 0..3 {
        scenario.advance(HOUR / 2);
        let answer = browser.clone().get(PAGE);
        assert_eq!((answer.status, answer.new_session().len()), (200, 1));
    }
    let mut browser = browser;
    assert_eq!(browser.get(PAGE).new_session().len(), 1);
    scenario.advance(HOUR);
    assert_eq!(browser.get(PAGE).status, 200);
    assert!(scenario.refreshes().len() <= 4);
}

#[test]
fn b_9d_a_connection_that_only_streams_has_its_tokens_refreshed() {
    let scenario = scenario();
    let browser = scenario.signed_in(Protocol::Http1);
    let _streams = target::streams(&scenario.target, &scenario.proxy, &browser);
    rotate(&scenario);
    scenario.advance(HOUR);
    // Not only until the provider is asked: the new tokens live from when they are read, and the clock is moved next.
    let renewed = "vestibule_refreshes_total{provider=\"corp\",outcome=\"renewed\"}";
    wait_until("the tokens are renewed", || (scenario.proxy.metric(renewed) == 1).then_some(()));
    // The next turn sends the next token, though the browser has not said a word.
    scenario.advance(HOUR);
    wait_until("the provider is asked again", || (scenario.refreshes().len() == 2).then_some(()));
    scenario.target.script(target::echoed);
    let answer = browser.clone().get(PAGE);
    assert_eq!((answer.status, answer.new_session().len()), (200, 1), "the cookie waits for a request");
    assert_eq!(scenario.refreshes().len(), 2);
}

#[test]
fn b_9d_a_refused_refresh_ends_what_is_open() {
    let scenario = scenario();
    let browser = scenario.signed_in(Protocol::Http1);
    let streams = target::streams(&scenario.target, &scenario.proxy, &browser);
    scenario.answer_refreshes(|| Reply::new("400 No", &[], r#"{"error":"invalid_grant"}"#));
    scenario.advance(HOUR);
    for mut stream in streams {
        stream.read_to_end();
    }
    assert_eq!(scenario.refreshes().len(), 1);
}
