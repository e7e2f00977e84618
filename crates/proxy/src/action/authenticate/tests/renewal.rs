use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use http::StatusCode;
use serde_json::json;

use super::fixture::{Browser, Fixture, Reply, START};
use crate::action::visitor::{Lease, Renewed};
use crate::exchange::rejection::Reason;
use crate::identity::{Claims, Identity};
use crate::oidc;
use crate::secret::Secret;

/// A browser with a session whose access token lives for 100 s.
async fn signed_in(fixture: &Fixture) -> Browser {
    fixture.provider.change(|script| script.lifetime = 100);
    let mut browser = Browser::default();
    browser.sign_in(fixture).await.location();
    browser
}

async fn fetch(fixture: &Fixture, browser: &mut Browser) -> Reply {
    let reply = fixture.send(0, browser.fetch("https://app.test/")).await;
    browser.keep(&reply);
    reply
}

#[tokio::test]
async fn tokens_are_renewed_at_four_fifths_of_their_life() {
    let fixture = Fixture::new();
    let mut browser = signed_in(&fixture).await;
    fixture.clock.advance(Duration::from_secs(79));
    assert!(fetch(&fixture, &mut browser).await.cookies.is_empty());
    fixture.provider.change(|script| script.claims = json!({"email": "new@example.com"}));
    fixture.clock.advance(Duration::from_secs(1));
    let reply = fetch(&fixture, &mut browser).await;
    assert_eq!(reply.user().identity().claims()["email"], "new@example.com");
    assert!(!reply.cookies.is_empty());
    // The new cookie opens, and is good for as long again.
    fixture.clock.advance(Duration::from_secs(79));
    assert!(fetch(&fixture, &mut browser).await.cookies.is_empty());
    assert_eq!(fixture.provider.token_calls("refresh_token"), 1);
    let metrics = fixture.metrics();
    assert!(metrics.contains("vestibule_refreshes_total{provider=\"corp\",outcome=\"renewed\"} 1\n"), "{metrics}");
}

#[tokio::test]
async fn s_08_renewing_does_not_move_the_absolute_end() {
    let fixture = Fixture::new();
    fixture.provider.change(|script| script.lifetime = 3600);
    let mut browser = Browser::default();
    browser.sign_in(&fixture).await;
    let end = fetch(&fixture, &mut browser).await.user().lease().expires_at();
    for _ in 0..7 {
        fixture.clock.advance(Duration::from_secs(3600));
        assert_eq!(fetch(&fixture, &mut browser).await.user().lease().expires_at(), end);
    }
    fixture.clock.advance(Duration::from_secs(3600));
    assert_eq!(fetch(&fixture, &mut browser).await.rejected, Some(Reason::AuthSessionExpired));
    assert_eq!(fixture.provider.token_calls("refresh_token"), 7);
}

#[tokio::test]
async fn v_01_a_hundred_requests_make_one_call() {
    let fixture = Fixture::new();
    let mut browser = signed_in(&fixture).await;
    fixture.clock.advance(Duration::from_secs(101));
    let requests = (0..100).map(|number| fixture.send(number % 4, browser.fetch("https://app.test/")));
    let replies = join_all(requests).await;
    assert_eq!(fixture.provider.token_calls("refresh_token"), 1);
    for reply in &replies {
        assert_eq!(reply.user().identity().subject(), "alice");
        assert_eq!(reply.cookies, replies[0].cookies, "all are given the same session");
    }
    // One that was late, with the old cookie.
    fixture.clock.advance(Duration::from_secs(30));
    fixture.send(1, browser.fetch("https://app.test/")).await.user();
    assert_eq!(fixture.provider.token_calls("refresh_token"), 1);
    browser.keep(&replies[0]);
    fixture.send(2, browser.fetch("https://app.test/")).await.user();
    assert_eq!(fixture.provider.token_calls("refresh_token"), 1);
}

#[tokio::test]
async fn v_02_a_renewal_for_another_user_ends_the_session() {
    let fixture = Fixture::new();
    let mut browser = signed_in(&fixture).await;
    fixture.provider.change(|script| script.subject = "mallory".into());
    fixture.clock.advance(Duration::from_secs(90));
    let reply = fetch(&fixture, &mut browser).await;
    assert_eq!(reply.rejected, Some(Reason::AuthSessionExpired));
}

#[tokio::test]
async fn v_02_a_session_is_renewed_only_for_its_own_user() {
    let fixture = Fixture::new();
    let mut browser = signed_in(&fixture).await;
    let reply = fetch(&fixture, &mut browser).await;
    reply.user();
    let before = &browser.session(&fixture);
    for (subject, is_same) in [("alice", true), ("mallory", false)] {
        let tokens = oidc::Tokens {
            access_token: Secret::new("token".into()),
            access_token_expires_at: None,
            refresh_token: None,
            id_token: None,
        };
        let refreshed = oidc::Refreshed { subject: subject.into(), claims: oidc::RefreshedClaims::NotKnown, tokens };
        let renewed = fixture.gates[0].factory.renew(before, refreshed, START);
        assert_eq!(renewed.is_some(), is_same, "{subject}");
        assert!(renewed.is_none_or(|session| (session.id, session.expires_at) == (before.id, before.expires_at)));
    }
    let mut other = before.clone();
    let identity = Identity::assertion("https://idp2.test".into(), "alice".into(), Claims::new(), None);
    other.identity = Arc::new(identity);
    let tokens = oidc::Tokens {
        access_token: Secret::new("token".into()),
        access_token_expires_at: None,
        refresh_token: None,
        id_token: None,
    };
    let claims = oidc::RefreshedClaims::NotKnown;
    let refreshed = oidc::Refreshed { subject: "alice".into(), claims, tokens };
    assert!(fixture.gates[0].factory.renew(&other, refreshed, START).is_none(), "another provider's session");
}

#[tokio::test]
async fn v_03_invalid_grant_ends_the_session_at_once() {
    let fixture = Fixture::new();
    let mut browser = signed_in(&fixture).await;
    fixture.provider.change(|script| script.refusal = Some((StatusCode::BAD_REQUEST, "invalid_grant")));
    fixture.clock.advance(Duration::from_secs(90));
    for worker in [0, 1] {
        let reply = fixture.send(worker, browser.fetch("https://app.test/")).await;
        assert_eq!(reply.rejected, Some(Reason::AuthSessionExpired));
    }
    assert_eq!(fixture.provider.token_calls("refresh_token"), 1);
    // The same rule as for every absence: a navigation goes to the provider (pitfalls 16).
    fixture.provider.change(|script| script.refusal = None);
    assert!(browser.open(&fixture, "https://app.test/").await.location().starts_with("https://idp.test/"));
    let metrics = fixture.metrics();
    assert!(metrics.contains("vestibule_refreshes_total{provider=\"corp\",outcome=\"ended\"} 1\n"), "{metrics}");
}

#[tokio::test]
async fn v_03_trouble_at_the_provider_keeps_the_session() {
    let fixture = Fixture::new();
    let mut browser = signed_in(&fixture).await;
    fixture
        .provider
        .change(|script| script.refusal = Some((StatusCode::SERVICE_UNAVAILABLE, "temporarily_unavailable")));
    // Also when the access token is over (spec of the first issue: a transient failure keeps the session).
    fixture.clock.advance(Duration::from_secs(150));
    for _ in 0..5 {
        fetch(&fixture, &mut browser).await.user();
    }
    assert_eq!(fixture.provider.token_calls("refresh_token"), 1, "it is left alone for a while");
    fixture.clock.advance(Duration::from_secs(10));
    fixture.provider.change(|script| script.refusal = None);
    let reply = fetch(&fixture, &mut browser).await;
    reply.user();
    assert!(!reply.cookies.is_empty());
    assert_eq!(fixture.provider.token_calls("refresh_token"), 2);
}

#[tokio::test]
async fn v_04_a_refresh_token_that_is_not_sent_again_is_kept() {
    let fixture = Fixture::new();
    let mut browser = signed_in(&fixture).await;
    let token = browser.session(&fixture).refresh_token;
    fixture.provider.change(|script| script.refresh_tokens = false);
    fixture.clock.advance(Duration::from_secs(90));
    fetch(&fixture, &mut browser).await.user();
    assert!(token.is_some());
    let renewed = browser.session(&fixture);
    assert_eq!((renewed.generation, renewed.refresh_token), (1, token));
}

#[tokio::test]
async fn a_session_that_was_signed_out_is_not_renewed() {
    let fixture = Fixture::new();
    let mut browser = signed_in(&fixture).await;
    let copy = browser.clone();
    browser.open(&fixture, "https://app.test/oauth2/sign_out").await.location();
    fixture.clock.advance(Duration::from_secs(90));
    let reply = fixture.send(1, copy.fetch("https://app.test/")).await;
    assert_eq!(reply.rejected, Some(Reason::AuthSessionExpired));
    assert_eq!(fixture.provider.token_calls("refresh_token"), 0);
}

#[tokio::test]
async fn b_8_a_renewed_cookie_that_never_arrived_is_given_again() {
    let fixture = Fixture::new();
    let browser = signed_in(&fixture).await;
    // The provider rotates: a refresh token that comes twice is refused.
    fixture.clock.advance(Duration::from_secs(90));
    let lost = fixture.send(0, browser.fetch("https://app.test/")).await;
    assert!(!lost.cookies.is_empty());
    // Long after, on any worker, still with the old cookie; the new tokens are due as well by then.
    for (worker, calls) in [(0, 2), (1, 3), (2, 4)] {
        fixture.clock.advance(Duration::from_secs(3600));
        let reply = fixture.send(worker, browser.fetch("https://app.test/")).await;
        assert_eq!(reply.user().identity().subject(), "alice");
        assert!(!reply.cookies.is_empty());
        assert_eq!(fixture.provider.token_calls("refresh_token"), calls);
    }
}

#[tokio::test]
async fn b_8_a_cookie_that_was_replaced_and_shown_does_not_send_its_spent_token_again() {
    let fixture = Fixture::new();
    let mut browser = signed_in(&fixture).await;
    let old = browser.clone();
    fixture.clock.advance(Duration::from_secs(90));
    fetch(&fixture, &mut browser).await.user();
    fetch(&fixture, &mut browser).await.user();
    fixture.clock.advance(Duration::from_secs(61));
    let reply = fixture.send(1, old.fetch("https://app.test/")).await;
    assert_eq!(reply.rejected, Some(Reason::AuthSessionExpired), "an old copy is not signed in");
    assert_eq!(fixture.provider.token_calls("refresh_token"), 1, "and the provider sees no theft");
    fetch(&fixture, &mut browser).await.user();
}

/// What an exchange that lasts knows of renewals, five seconds later.
async fn watched(fixture: &Fixture, lease: &dyn Lease) -> Renewed {
    for _ in 0..2 {
        fixture.clock.advance(Duration::from_secs(5));
        assert!(!lease.has_ended(fixture.clock.now()));
        // The refresh runs beside.
        for _ in 0..100 {
            tokio::task::yield_now().await;
        }
    }
    lease.renewed()
}

#[tokio::test]
async fn a_06_what_lasts_follows_every_refresh_although_the_browser_sends_nothing() {
    let fixture = Fixture::new();
    let mut browser = signed_in(&fixture).await;
    let reply = fetch(&fixture, &mut browser).await;
    let lease = reply.user().lease();
    assert!(matches!(watched(&fixture, &**lease).await, Renewed::No));
    for (calls, email) in [(1, "one@example.com"), (2, "two@example.com"), (3, "three@example.com")] {
        fixture.provider.change(|script| script.claims = json!({ "email": email }));
        fixture.clock.advance(Duration::from_secs(90));
        let Renewed::Known(identity) = watched(&fixture, &**lease).await else { panic!("nothing is known") };
        assert_eq!(identity.claims()["email"], email);
        assert_eq!(fixture.provider.token_calls("refresh_token"), calls);
        if calls == 1 {
            // The browser is given the new cookie, and shows it.
            fetch(&fixture, &mut browser).await.user();
            fetch(&fixture, &mut browser).await.user();
        }
    }
}

#[tokio::test]
async fn a_06_what_lasts_knows_that_it_has_missed_a_refresh() {
    let fixture = Fixture::new();
    let mut browser = signed_in(&fixture).await;
    let reply = fetch(&fixture, &mut browser).await;
    let lease = reply.user().lease();
    fixture.clock.advance(Duration::from_secs(90));
    fetch(&fixture, &mut browser).await.user();
    fetch(&fixture, &mut browser).await.user();
    // A client that does not read: nobody asks for the lease, and the result of the refresh is forgotten.
    fixture.clock.advance(Duration::from_secs(61));
    fetch(&fixture, &mut browser).await.user();
    assert!(matches!(watched(&fixture, &**lease).await, Renewed::Missed));
}

#[tokio::test]
async fn b_9_requests_with_the_old_cookie_share_what_the_worker_has_made_of_the_renewed_session() {
    let fixture = Fixture::new();
    let browser = signed_in(&fixture).await;
    fixture.clock.advance(Duration::from_secs(90));
    let first = fixture.send(0, browser.fetch("https://app.test/")).await;
    let looks = fixture.gates[0].memory.flights.looks();
    for _ in 0..50 {
        let reply = fixture.send(0, browser.fetch("https://app.test/")).await;
        assert_eq!(reply.cookies, first.cookies);
        assert!(std::ptr::eq(reply.user(), first.user()), "it is neither opened nor signed anew");
    }
    assert_eq!(fixture.gates[0].memory.flights.looks(), looks, "and what all workers share is not asked");
    // Another worker asks once.
    for _ in 0..50 {
        fixture.send(1, browser.fetch("https://app.test/")).await.user();
    }
    assert_eq!(fixture.gates[0].memory.flights.looks(), looks + 1);
}

#[tokio::test]
async fn b_9_while_the_provider_is_down_a_due_session_does_not_ask_what_all_workers_share() {
    let fixture = Fixture::new();
    let browser = signed_in(&fixture).await;
    fixture.provider.change(|script| script.is_down = true);
    fixture.clock.advance(Duration::from_secs(90));
    fixture.send(0, browser.fetch("https://app.test/")).await.user();
    fixture.send(0, browser.fetch("https://app.test/")).await.user();
    let looks = fixture.gates[0].memory.flights.looks();
    for _ in 0..50 {
        fixture.send(0, browser.fetch("https://app.test/")).await.user();
    }
    assert_eq!(fixture.gates[0].memory.flights.looks(), looks);
}

#[tokio::test]
async fn a_session_of_which_a_newer_generation_exists_elsewhere_survives_a_refusal() {
    let fixture = Fixture::new();
    let mut browser = signed_in(&fixture).await;
    let old = browser.clone();
    fixture.clock.advance(Duration::from_secs(90));
    fetch(&fixture, &mut browser).await.user();
    // As a replica that does not know of the refresh: it sends the spent token and is refused.
    let replica = &fixture.gates[0].memory;
    replica.refuse(&old.session(&fixture), START);
    assert_eq!(fixture.send(2, old.fetch("https://app.test/")).await.rejected, Some(Reason::AuthSessionExpired));
    fetch(&fixture, &mut browser).await.user();
}

#[tokio::test]
async fn b_9_whoever_asks_who_they_are_does_not_ask_what_all_workers_share() {
    let fixture = Fixture::new();
    let mut browser = signed_in(&fixture).await;
    fixture.clock.advance(Duration::from_secs(90));
    fetch(&fixture, &mut browser).await.user();
    let ask = || fixture.send(0, browser.fetch("https://app.test/oauth2/userinfo"));
    // Loaded once, which tells that the browser has the new cookie.
    ask().await.response();
    let looks = fixture.gates[0].memory.flights.looks();
    for _ in 0..50 {
        ask().await.response();
    }
    assert_eq!(fixture.gates[0].memory.flights.looks(), looks);
}

#[tokio::test]
async fn b_9_while_the_provider_is_down_new_tokens_that_are_due_as_well_are_not_asked_for_again() {
    let fixture = Fixture::new();
    let browser = signed_in(&fixture).await;
    fixture.clock.advance(Duration::from_secs(90));
    // The browser never gets the new cookie, and what it stands for is due, too.
    fixture.send(0, browser.fetch("https://app.test/")).await.user();
    fixture.provider.change(|script| script.is_down = true);
    fixture.clock.advance(Duration::from_secs(90));
    for _ in 0..3 {
        fixture.send(1, browser.fetch("https://app.test/")).await.user();
    }
    let looks = fixture.gates[0].memory.flights.looks();
    for _ in 0..50 {
        fixture.send(1, browser.fetch("https://app.test/")).await.user();
    }
    assert_eq!(fixture.gates[0].memory.flights.looks(), looks);
}

#[tokio::test]
async fn a_06_all_who_wait_for_a_refresh_that_fails_have_the_newest_claims() {
    let fixture = Fixture::new();
    let browser = signed_in(&fixture).await;
    fixture.provider.change(|script| script.claims = json!({"email": "new@example.com"}));
    fixture.clock.advance(Duration::from_secs(90));
    fixture.send(0, browser.fetch("https://app.test/")).await.user();
    // The browser never gets the new cookie. What it stands for is due, too, when another worker sees the old one.
    fixture.provider.change(|script| script.is_down = true);
    fixture.clock.advance(Duration::from_secs(90));
    let replies = join_all((0..3).map(|_| fixture.send(1, browser.fetch("https://app.test/")))).await;
    for reply in &replies {
        assert_eq!(reply.user().identity().claims()["email"], "new@example.com");
    }
}
