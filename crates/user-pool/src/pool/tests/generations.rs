//! Two configurations of one process: what one remembers, the other knows, and what a configuration takes away no longer works.

use super::*;

const BAD_REQUEST: StatusCode = StatusCode::BAD_REQUEST;
const UNAUTHORIZED: StatusCode = StatusCode::UNAUTHORIZED;

fn key(byte: u8) -> aead::Key {
    aead::Key::new(&Secret::new([byte; 32]))
}

fn text<'t>(tokens: &'t Value, name: &str) -> &'t str {
    tokens[name].as_str().expect("a token")
}

fn unchanged(_: &mut Settings) {}

/// A signed-in browser of Alice's, her tokens, and a code that was not redeemed.
async fn signed_in(fixture: &Fixture) -> (BTreeMap<String, String>, Value, String) {
    let mut browser = fixture.browser();
    let code = browser.sign_in("alice", "correct horse").await.code();
    let tokens = fixture.redeem(&code).await.json();
    let unused = browser.authorize(&[]).await.code();
    (browser.cookies, tokens, unused)
}

/// Whether a browser with these cookies needs no password.
async fn knows(fixture: &Fixture, cookies: &BTreeMap<String, String>) -> bool {
    let mut browser = fixture.browser();
    browser.cookies = cookies.clone();
    browser.authorize(&[]).await.status() == StatusCode::SEE_OTHER
}

/// Signs the browser with these cookies out.
async fn sign_out(fixture: &Fixture, cookies: &BTreeMap<String, String>, tokens: &Value) {
    let mut browser = fixture.browser();
    browser.cookies = cookies.clone();
    let hint = form::encode([("id_token_hint", text(tokens, "id_token"))]);
    browser.get(&format!("{}?{hint}", routes::LOGOUT)).await.assert_page(StatusCode::OK, "You are signed out");
}

#[tokio::test]
async fn a_reload_signs_nobody_out() {
    let before = Fixture::new();
    let (cookies, tokens, unused) = signed_in(&before).await;
    let mut browser = before.browser();
    let page = browser.authorize(&[]).await;
    let after = before.reloaded(|settings| settings.title = Some("Another heading".into()));
    browser.fixture = &after;
    assert!(browser.submit(&page, "alice", "correct horse").await.query("code").is_some(), "a form that is open");
    assert!(knows(&after, &cookies).await);
    assert_eq!(after.userinfo(text(&tokens, "access_token")).await.status(), StatusCode::OK);
    assert_eq!(after.redeem(&unused).await.status(), StatusCode::OK);
    assert_eq!(after.refresh(text(&tokens, "refresh_token")).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn u_08_a_code_that_was_redeemed_in_one_configuration_is_redeemed_in_the_other() {
    let before = Fixture::new();
    let after = before.reloaded(unchanged);
    for (one, other) in [(&before, &after), (&after, &before)] {
        let code = one.browser().sign_in("alice", "correct horse").await.code();
        let tokens = one.redeem(&code).await.json();
        let access_token = text(&tokens, "access_token");
        assert_eq!(other.userinfo(access_token).await.status(), StatusCode::OK);
        other.redeem(&code).await.assert_error(BAD_REQUEST, "invalid_grant");
        for fixture in [one, other] {
            assert_eq!(
                fixture.userinfo(access_token).await.status(),
                UNAUTHORIZED,
                "what the first brought is revoked"
            );
            fixture.refresh(text(&tokens, "refresh_token")).await.assert_error(BAD_REQUEST, "invalid_grant");
        }
    }
}

#[tokio::test]
async fn u_09_a_refresh_token_that_comes_again_in_the_other_configuration_revokes_the_family() {
    let before = Fixture::new();
    let after = before.reloaded(unchanged);
    for (one, other) in [(&before, &after), (&after, &before)] {
        let first = one.tokens().await;
        let second = one.refresh(text(&first, "refresh_token")).await.json();
        one.advance(10);
        other.refresh(text(&first, "refresh_token")).await.assert_error(BAD_REQUEST, "invalid_grant");
        for fixture in [one, other] {
            fixture.refresh(text(&second, "refresh_token")).await.assert_error(BAD_REQUEST, "invalid_grant");
        }
    }
}

#[tokio::test]
async fn who_signs_out_in_one_configuration_is_signed_out_in_the_other() {
    let before = Fixture::new();
    let after = before.reloaded(unchanged);
    for (one, other) in [(&before, &after), (&after, &before)] {
        let (cookies, tokens, unused) = signed_in(one).await;
        sign_out(one, &cookies, &tokens).await;
        assert!(!knows(other, &cookies).await);
        other.redeem(&unused).await.assert_error(BAD_REQUEST, "invalid_grant");
        other.refresh(text(&tokens, "refresh_token")).await.assert_error(BAD_REQUEST, "invalid_grant");
        assert_eq!(other.userinfo(text(&tokens, "access_token")).await.status(), UNAUTHORIZED);
    }
}

#[tokio::test]
async fn u_02_a_reload_gives_nobody_more_guesses() {
    let before = Fixture::new();
    for _ in 0..5 {
        before.browser().sign_in("alice", "a guess").await;
    }
    let after = before.reloaded(unchanged);
    let refused = after.browser().sign_in("alice", "correct horse").await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    let wrong = [("authorization", format!("Basic {}", STANDARD.encode("dashboard:guess")))];
    for _ in 0..10 {
        before.call(Method::POST, routes::TOKEN, &wrong, "").await;
    }
    let refused = after.call(Method::POST, routes::TOKEN, &wrong, "").await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS, "{refused:?}");
}

#[tokio::test]
async fn silent_sign_ins_and_token_requests_of_both_configurations_are_counted_together() {
    let before = Fixture::new();
    let after = before.reloaded(unchanged);
    let mut browser = before.browser();
    let code = browser.sign_in("alice", "correct horse").await.code();
    let mut tokens = before.redeem(&code).await.json();
    for _ in 0..60 {
        browser.fixture = &before;
        browser.authorize(&[]).await.code();
        browser.fixture = &after;
        browser.authorize(&[]).await.code();
    }
    let refused = browser.authorize(&[]).await;
    assert_eq!(refused.query("error").as_deref(), Some("temporarily_unavailable"));
    for fixture in [&before, &after].into_iter().cycle().take(119) {
        tokens = fixture.refresh(text(&tokens, "refresh_token")).await.json();
    }
    let refused = after.refresh(text(&tokens, "refresh_token")).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
}

#[tokio::test(start_paused = true)]
async fn d_22_passwords_of_both_configurations_are_hashed_within_one_limit() {
    let before = Fixture::new();
    let after = before.reloaded(|settings| settings.hashing_max = 1);
    let held = before.pool.ui().sign_in.block_hashing().await;
    after.browser().sign_in("alice", "correct horse").await;
    let metrics = after.registry.render();
    assert!(metrics.contains(r#"outcome="busy"} 1"#), "{metrics}");
    drop(held);
    assert!(after.browser().sign_in("alice", "correct horse").await.query("code").is_some());
}

#[tokio::test]
async fn a_user_who_is_removed_or_has_another_password_has_nothing_that_works() {
    let changes: [fn(&mut Settings); 2] = [
        |settings| settings.users.retain(|user| user.username != "Alice"),
        |settings| {
            settings.users[0].password_hash = cheap("another");
        },
    ];
    for change in changes {
        let before = Fixture::new();
        let (cookies, tokens, unused) = signed_in(&before).await;
        let after = before.reloaded(change);
        assert!(!knows(&after, &cookies).await);
        after.redeem(&unused).await.assert_error(BAD_REQUEST, "invalid_grant");
        after.refresh(text(&tokens, "refresh_token")).await.assert_error(BAD_REQUEST, "invalid_grant");
        assert_eq!(after.userinfo(text(&tokens, "access_token")).await.status(), UNAUTHORIZED);
        assert_eq!(after.browser().sign_in("alice", "correct horse").await.status(), UNAUTHORIZED);
        // A request that finishes with the former configuration.
        let late = signed_in(&before).await;
        assert!(!knows(&after, &late.0).await);
        after.refresh(text(&late.1, "refresh_token")).await.assert_error(BAD_REQUEST, "invalid_grant");
        // The change is taken back. The refresh token was not used up in between.
        before.advance(60);
        let back = after.reloaded(|settings| *settings = before.settings.clone());
        assert!(knows(&back, &cookies).await);
        assert_eq!(back.refresh(text(&tokens, "refresh_token")).await.status(), StatusCode::OK);
    }
}

#[tokio::test]
async fn a_client_that_is_removed_has_nothing_that_works() {
    let before = Fixture::new();
    let (_, tokens, unused) = signed_in(&before).await;
    let mut browser = before.browser();
    let page = browser.authorize(&[]).await;
    let after = before.reloaded(|settings| settings.clients.retain(|client| client.client_id != "dashboard"));
    after.redeem(&unused).await.assert_error(UNAUTHORIZED, "invalid_client");
    after.refresh(text(&tokens, "refresh_token")).await.assert_error(UNAUTHORIZED, "invalid_client");
    assert_eq!(after.userinfo(text(&tokens, "access_token")).await.status(), UNAUTHORIZED);
    // No other client can use what was issued to this one.
    let body =
        [("grant_type", "refresh_token"), ("client_id", "cli"), ("refresh_token", text(&tokens, "refresh_token"))];
    let others = after.call(Method::POST, routes::TOKEN, &[("content-type", FORM.into())], &form::encode(body)).await;
    others.assert_error(BAD_REQUEST, "invalid_grant");
    browser.fixture = &after;
    assert_eq!(browser.submit(&page, "alice", "correct horse").await.status(), BAD_REQUEST);
    before.advance(15 * 60 + 1);
    let expired = browser.submit(&page, "alice", "correct horse").await;
    assert!(!expired.text().contains("app.example.com"), "{}", expired.text());
}

#[tokio::test]
async fn a_redirect_uri_that_is_removed_receives_no_code_and_brings_none() {
    let before = Fixture::new();
    let (_, _, unused) = signed_in(&before).await;
    let mut browser = before.browser();
    let page = browser.authorize(&[]).await;
    let after = before.reloaded(|settings| settings.clients[0].redirect_uris.retain(|uri| uri.as_str() != CALLBACK));
    after.redeem(&unused).await.assert_error(BAD_REQUEST, "invalid_grant");
    browser.fixture = &after;
    let answer = browser.submit(&page, "alice", "correct horse").await;
    assert_eq!(answer.status(), BAD_REQUEST, "{:?}", answer.0.headers());
}

#[tokio::test]
async fn a_client_secret_that_was_replaced_is_refused() {
    let before = Fixture::new();
    let tokens = before.tokens().await;
    let after = before.reloaded(|settings| settings.clients[0].client_secret = Some(Secret::new("another".into())));
    after.refresh(text(&tokens, "refresh_token")).await.assert_error(UNAUTHORIZED, "invalid_client");
}

#[tokio::test]
async fn another_issuer_takes_over_nothing() {
    let before = Fixture::new();
    let (cookies, tokens, unused) = signed_in(&before).await;
    let moved = |settings: &mut Settings| settings.issuer = url("https://new.example");
    // Even with the memory of the former issuer, which no process gives it.
    let after = before.reloaded(moved);
    assert!(!knows(&after, &cookies).await);
    after.redeem(&unused).await.assert_error(BAD_REQUEST, "invalid_grant");
    after.refresh(text(&tokens, "refresh_token")).await.assert_error(BAD_REQUEST, "invalid_grant");
    assert_eq!(after.userinfo(text(&tokens, "access_token")).await.status(), UNAUTHORIZED);
    let hint = after.browser().authorize(&[("id_token_hint", text(&tokens, "id_token"))]).await;
    assert_eq!(hint.query("error").as_deref(), Some("invalid_request"));
}

#[tokio::test]
async fn a_shorter_lifetime_applies_to_what_was_issued_before_and_a_longer_one_does_not() {
    let before = Fixture::new();
    let (cookies, tokens, _) = signed_in(&before).await;
    let hour = Duration::from_secs(3600);
    let shorter = before.reloaded(|settings| (settings.sso_lifetime, settings.refresh_lifetime) = (hour, hour));
    before.advance(3599);
    assert!(knows(&shorter, &cookies).await);
    before.advance(1);
    assert!(!knows(&shorter, &cookies).await);
    shorter.refresh(text(&tokens, "refresh_token")).await.assert_error(BAD_REQUEST, "invalid_grant");
    assert!(knows(&before, &cookies).await, "requests that finish with the former configuration have its lifetime");
    let (cookies, tokens, _) = signed_in(&shorter).await;
    let longer = shorter.reloaded(|settings| *settings = before.settings.clone());
    before.advance(3600);
    assert!(!knows(&longer, &cookies).await);
    longer.refresh(text(&tokens, "refresh_token")).await.assert_error(BAD_REQUEST, "invalid_grant");
}

#[tokio::test]
async fn a_session_stays_ended_when_the_lifetime_becomes_longer_again() {
    let before = Fixture::new();
    let (cookies, tokens, _) = signed_in(&before).await;
    let minute = Duration::from_secs(60);
    let shorter = before.reloaded(|settings| {
        (settings.sso_lifetime, settings.refresh_lifetime, settings.token_lifetime) = (minute, minute, minute);
    });
    sign_out(&shorter, &cookies, &tokens).await;
    before.advance(3500);
    let again = shorter.reloaded(|settings| *settings = before.settings.clone());
    assert!(!knows(&again, &cookies).await);
    again.refresh(text(&tokens, "refresh_token")).await.assert_error(BAD_REQUEST, "invalid_grant");
    assert_eq!(again.userinfo(text(&tokens, "access_token")).await.status(), UNAUTHORIZED);
}

#[tokio::test]
async fn what_was_used_up_stays_used_up_when_the_keys_are_replaced() {
    let before = Fixture::new();
    let (cookies, tokens, unused) = signed_in(&before).await;
    let rotated = before.reloaded(|settings| settings.seal_keys = [key(8), key(7)].into());
    assert!(knows(&rotated, &cookies).await);
    assert_eq!(rotated.redeem(&unused).await.status(), StatusCode::OK);
    let second = rotated.refresh(text(&tokens, "refresh_token")).await.json();
    let retired = rotated.reloaded(|settings| settings.seal_keys = [key(8)].into());
    assert!(!knows(&retired, &cookies).await);
    let third = retired.refresh(text(&second, "refresh_token")).await.json();
    let back = retired.reloaded(|settings| settings.seal_keys = [key(7), key(8)].into());
    before.advance(10);
    back.redeem(&unused).await.assert_error(BAD_REQUEST, "invalid_grant");
    back.refresh(text(&tokens, "refresh_token")).await.assert_error(BAD_REQUEST, "invalid_grant");
    back.refresh(text(&third, "refresh_token")).await.assert_error(BAD_REQUEST, "invalid_grant");
}
