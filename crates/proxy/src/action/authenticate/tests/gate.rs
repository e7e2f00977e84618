use std::time::Duration;

use futures_util::future::join_all;
use http::{HeaderMap, Method};

use super::fixture::{Browser, FETCH, Fixture, ISSUER, Reply, START, settings};
use crate::action::authenticate::decision::{Absence, Sends, Verdict, Wish, decide};
use crate::action::settings::{AuthenticateSettings, OnExpired, OnUnauthenticated};
use crate::exchange::rejection::Reason;
use crate::message::media::Intent;
use crate::message::own_fields::OwnFields;
use crate::session::record::Session;

fn says(on_unauthenticated: OnUnauthenticated) -> AuthenticateSettings {
    AuthenticateSettings { on_unauthenticated, ..settings() }
}

#[test]
fn each_mode_decides_as_documented() {
    let absences = [Absence::Nothing, Absence::Invalid, Absence::Expired];
    let reasons = [Reason::AuthRequired, Reason::AuthSessionInvalid, Reason::AuthSessionExpired];
    for (absence, reason) in absences.into_iter().zip(reasons) {
        let (login, refuse) = (Verdict::Login, Verdict::Refuse(reason));
        let verdicts = |settings: &AuthenticateSettings| {
            [Intent::Navigation, Intent::Other, Intent::Frame, Intent::Prefetch]
                .map(|intent| decide(absence, settings, Wish { intent, sends: Sends::Nothing }))
        };
        assert_eq!(verdicts(&says(OnUnauthenticated::Authenticate)), [login, refuse, refuse, refuse]);
        assert_eq!(verdicts(&says(OnUnauthenticated::Deny)), [refuse; 4]);
        assert_eq!(verdicts(&says(OnUnauthenticated::Allow)), [Verdict::Anonymous; 4]);
        let restored = AuthenticateSettings { on_expired: OnExpired::Authenticate, ..says(OnUnauthenticated::Deny) };
        let first = if absence == Absence::Expired { login } else { refuse };
        assert_eq!(verdicts(&restored), [first, refuse, refuse, refuse]);
    }
}

#[test]
fn a_form_that_would_be_lost_is_not_answered_by_a_login() {
    let asks = says(OnUnauthenticated::Authenticate);
    let verdict =
        |settings: &AuthenticateSettings, absence, intent, sends| decide(absence, settings, Wish { intent, sends });
    for intent in [Intent::Navigation, Intent::Frame] {
        for absence in [Absence::Nothing, Absence::Invalid, Absence::Expired] {
            let not_sent = Verdict::Refuse(Reason::AuthFormNotSent);
            assert_eq!(verdict(&asks, absence, intent, Sends::Form), not_sent);
            let foreign = match absence {
                // The browser has kept the cookie back.
                Absence::Nothing => Verdict::Refuse(Reason::AuthFormForeign),
                _ => not_sent,
            };
            assert_eq!(verdict(&asks, absence, intent, Sends::ForeignForm), foreign);
        }
    }
    let denies = says(OnUnauthenticated::Deny);
    let refused = Verdict::Refuse(Reason::AuthRequired);
    assert_eq!(verdict(&denies, Absence::Nothing, Intent::Navigation, Sends::Form), refused);
    assert_eq!(verdict(&asks, Absence::Nothing, Intent::Other, Sends::Form), refused);
    let allows = says(OnUnauthenticated::Allow);
    assert_eq!(verdict(&allows, Absence::Nothing, Intent::Navigation, Sends::ForeignForm), Verdict::Anonymous);
}

#[tokio::test]
async fn a_fetch_is_answered_401_and_keeps_nothing() {
    let fixture = Fixture::new();
    for headers in [
        FETCH,
        &[("accept", "application/json")],
        &[("x-requested-with", "XMLHttpRequest")],
        &[("upgrade", "websocket")],
    ] {
        let reply = fixture.send(0, Browser::default().request(Method::GET, "https://app.test/", headers)).await;
        assert_eq!(reply.rejected, Some(Reason::AuthRequired));
        assert!(reply.cookies.is_empty());
    }
}

#[tokio::test]
async fn f_09_a_cookie_that_does_not_open_is_never_let_in() {
    let fixture = Fixture::new();
    let denying = fixture.gate(says(OnUnauthenticated::Deny));
    for garbage in ["AAAA", "", "1", "1AAAA", "=", "1AQAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA", "\"1AAAA\""] {
        let mut browser = Browser::default();
        browser.jar.insert("__Host-sess-0".into(), garbage.into());
        let fetched = fixture.send(0, browser.fetch("https://app.test/")).await;
        assert_eq!(fetched.rejected, Some(Reason::AuthSessionInvalid), "{garbage}");
        let denied = fixture.send_to(&denying, 0, browser.navigation("https://app.test/")).await;
        assert_eq!(denied.rejected, Some(Reason::AuthSessionInvalid), "{garbage}");
        let navigated = browser.open(&fixture, "https://app.test/").await;
        assert!(navigated.location().starts_with("https://idp.test/authorize?"), "{garbage}");
        assert!(!browser.has_session(), "the cookie is deleted");
    }
}

#[tokio::test]
async fn allow_lets_nobody_pass_as_anonymous_and_clears_what_is_stale() {
    let fixture = Fixture::new();
    let allowing = fixture.gate(says(OnUnauthenticated::Allow));
    let reply = fixture.send_to(&allowing, 0, Browser::default().fetch("https://app.test/")).await;
    assert!(reply.anonymous && reply.cookies.is_empty());
    let mut browser = Browser::default();
    browser.jar.insert("__Host-sess-0".into(), "1garbage".into());
    let reply = fixture.send_to(&allowing, 0, browser.fetch("https://app.test/")).await;
    assert!(reply.anonymous);
    browser.keep(&reply);
    assert!(!browser.has_session());
    browser.sign_in(&fixture).await;
    let reply = fixture.send_to(&allowing, 0, browser.fetch("https://app.test/")).await;
    assert_eq!(reply.user().identity().subject(), "alice", "who is signed in is not anonymous");
    fixture.clock.advance(Duration::from_secs(8 * 3600));
    let reply = fixture.send_to(&allowing, 0, browser.fetch("https://app.test/")).await;
    assert!(reply.anonymous);
    browser.keep(&reply);
    assert!(!browser.has_session());
}

#[tokio::test]
async fn s_08_a_session_ends_at_its_absolute_end_and_not_before() {
    let fixture = Fixture::new();
    fixture.provider.change(|script| script.refresh_tokens = false);
    let mut browser = Browser::default();
    browser.sign_in(&fixture).await;
    fixture.clock.advance(Duration::from_millis(8 * 3600 * 1000 - 1));
    // Without a refresh token the session outlives the access token (ALB §2.8).
    fixture.send(0, browser.fetch("https://app.test/")).await.user();
    fixture.clock.advance(Duration::from_millis(1));
    for worker in [0, 1] {
        let reply = fixture.send(worker, browser.fetch("https://app.test/")).await;
        assert_eq!(reply.rejected, Some(Reason::AuthSessionExpired), "remembered by worker 0, opened by worker 1");
        assert!(reply.cookies.is_empty(), "it still says that it is over");
    }
    assert!(browser.open(&fixture, "https://app.test/").await.location().starts_with("https://idp.test/"));
}

#[tokio::test]
async fn the_shorter_timeout_of_two_rules_holds_for_its_own() {
    let fixture = Fixture::new();
    let mut browser = Browser::default();
    browser.sign_in(&fixture).await;
    let strict = fixture.gate(AuthenticateSettings { session_timeout: Duration::from_secs(600), ..settings() });
    fixture.clock.advance(Duration::from_secs(601));
    let reply = fixture.send_to(&strict, 0, browser.fetch("https://app.test/")).await;
    assert_eq!(reply.rejected, Some(Reason::AuthSessionExpired));
    fixture.send(0, browser.fetch("https://app.test/")).await.user();
}

#[tokio::test]
async fn s_03_a_session_is_of_no_use_at_another_host_or_rule() {
    let fixture = Fixture::new();
    let mut browser = Browser::default();
    browser.sign_in(&fixture).await;
    let reply = fixture.send(0, browser.fetch("https://other.test/")).await;
    assert_eq!(reply.rejected, Some(Reason::AuthSessionInvalid));
    let other = fixture.gate(AuthenticateSettings { session_cookie_name: "__Host-other".into(), ..settings() });
    let reply = fixture.send_to(&other, 0, browser.fetch("https://app.test/")).await;
    assert_eq!(reply.rejected, Some(Reason::AuthRequired));
}

#[tokio::test]
async fn s_03_a_session_of_another_provider_is_no_session() {
    let fixture = Fixture::new();
    let mut browser = Browser::default();
    browser.sign_in(&fixture).await;
    for (name, issuer) in [("other", ISSUER), ("corp", "https://idp2.test")] {
        let gate = fixture.gate_of(name, issuer);
        let reply = fixture.send_to(&gate, 0, browser.fetch("https://app.test/")).await;
        assert_eq!(reply.rejected, Some(Reason::AuthRequired), "{name} {issuer}");
    }
}

#[tokio::test]
async fn a_session_is_opened_once_by_each_worker() {
    let fixture = Fixture::new();
    let mut browser = Browser::default();
    browser.sign_in(&fixture).await;
    for _ in 0..3 {
        fixture.send(0, browser.fetch("https://app.test/")).await.user();
        fixture.send(1, browser.fetch("https://app.test/")).await.user();
    }
    let metrics = fixture.metrics();
    assert!(metrics.contains("vestibule_sessions_opened_total{outcome=\"ok\"} 2\n"), "{metrics}");
    assert!(metrics.contains("vestibule_sessions_opened_total{outcome=\"cached\"} 4\n"), "{metrics}");
}

#[tokio::test]
async fn the_target_is_told_who_the_user_is() {
    let fixture = Fixture::new();
    let mut browser = Browser::default();
    browser.sign_in(&fixture).await;
    let reply = fixture.send(0, browser.fetch("https://app.test/")).await;
    assert_eq!(reply.subject.as_deref(), Some("alice"));
    let mut fields = OwnFields::default();
    reply.user().apply(&"app".into(), super::fixture::START, &mut fields).expect("signs");
    let mut headers = HeaderMap::new();
    fields.write_into(&mut headers);
    assert_eq!(headers["x-amzn-oidc-identity"], "alice");
    assert!(headers["x-amzn-oidc-accesstoken"].to_str().expect("ASCII").starts_with("access-"));
    assert!(headers.contains_key("x-amzn-oidc-data"));
}

#[tokio::test]
async fn requests_that_load_a_session_at_once_share_one() {
    let fixture = Fixture::new();
    let mut browser = Browser::default();
    browser.sign_in(&fixture).await;
    let requests = (0..3).map(|_| fixture.send(0, browser.fetch("https://app.test/")));
    let replies = join_all(requests).await;
    for reply in &replies {
        assert!(std::ptr::eq(reply.user(), replies[0].user()), "made once in a worker");
    }
    let metrics = fixture.metrics();
    assert!(metrics.contains("vestibule_sessions_opened_total{outcome=\"ok\"} 1\n"), "{metrics}");
    assert!(metrics.contains("vestibule_sessions_opened_total{outcome=\"cached\"} 2\n"), "{metrics}");
}

#[tokio::test]
async fn a_session_of_each_provider_of_a_choice_is_opened_once_and_then_remembered() {
    let fixture = Fixture::new();
    let gate = fixture.choosing(["corp", "partner"]);
    let browser_of = |provider: &str| {
        let session = Session {
            provider: provider.to_owned(),
            refresh_at: None,
            ..Session::example("bob", START, Duration::from_secs(3600))
        };
        let lines = gate.factory.sessions.save("app.test", &session, START).expect("it fits");
        let mut browser = Browser::default();
        let cookies = lines.iter().map(|line| line.to_str().expect("ASCII").to_owned()).collect();
        browser.keep(&Reply { cookies, ..Reply::default() });
        browser
    };
    for (opened, provider) in [(1, "partner"), (2, "corp")] {
        let browser = browser_of(provider);
        for _ in 0..3 {
            let reply = fixture.send_to(&gate, 0, browser.navigation("https://app.test/")).await;
            assert_eq!((reply.user().subject().as_ref(), reply.user().reidentify().provider()), ("bob", provider));
        }
        let metrics = fixture.metrics();
        for (outcome, count) in [("ok", opened), ("cached", 2 * opened)] {
            let line = format!("vestibule_sessions_opened_total{{outcome=\"{outcome}\"}} {count}\n");
            assert!(metrics.contains(&line), "{line}{metrics}");
        }
    }
    // S-03: of a provider that is not of the action.
    let other = fixture.send_to(&gate, 0, browser_of("third").navigation("https://app.test/")).await;
    assert!(other.location().starts_with("/oauth2/sign_in?state="), "{}", other.location());
}
