//! The end-session endpoint.

use super::*;
use crate::UserName;
use crate::seen::Seen;
use crate::signin::proof::Proofs;

const BYE: &str = "https://app.example.com/bye";

fn path(fields: &[(&str, &str)]) -> String {
    format!("{}?{}", routes::LOGOUT, form::encode(fields.iter().copied()))
}

async fn signed_in(fixture: &Fixture) -> (Browser<'_>, String, Value) {
    let mut browser = fixture.browser();
    let code = browser.sign_in("alice", "correct horse").await.code();
    let tokens = fixture.redeem(&code).await.json();
    let id_token = tokens["id_token"].as_str().expect("a token").to_owned();
    (browser, id_token, tokens)
}

async fn is_signed_in(browser: &mut Browser<'_>) -> bool {
    browser.authorize(&[]).await.status() == StatusCode::SEE_OTHER
}

#[tokio::test]
async fn an_id_token_of_the_session_signs_out_at_once() {
    let fixture = Fixture::new();
    let (mut browser, id_token, _) = signed_in(&fixture).await;
    let copied = browser.cookies.clone();
    fixture.advance(7200);
    let fields = [("id_token_hint", &*id_token), ("post_logout_redirect_uri", BYE), ("state", "a&b")];
    let answer = browser.get(&path(&fields)).await;
    assert_eq!(answer.header("location"), "https://app.example.com/bye?state=a%26b");
    assert!(!is_signed_in(&mut browser).await);
    browser.cookies = copied;
    assert!(!is_signed_in(&mut browser).await, "a copy of the cookie is of no use");
}

#[tokio::test]
async fn v_08_without_proof_the_user_is_asked() {
    let fixture = Fixture::new();
    let (mut browser, ..) = signed_in(&fixture).await;
    let others = signed_in(&fixture).await.1;
    for fields in [
        vec![],
        vec![("client_id", "dashboard"), ("post_logout_redirect_uri", BYE)],
        vec![("id_token_hint", "zzz")],
        vec![("id_token_hint", &*others)],
    ] {
        browser.get(&path(&fields)).await.assert_page(StatusCode::OK, "Sign out?");
        assert!(is_signed_in(&mut browser).await, "{fields:?}");
    }
    let question = browser.get(&path(&[("client_id", "dashboard"), ("post_logout_redirect_uri", BYE)])).await;
    assert!(question.text().contains("<strong>The Dashboard</strong> asks to sign you out."));
    assert!(question.header("content-security-policy").contains("form-action 'self' https://app.example.com;"));
    browser.headers = vec![("sec-fetch-site", "cross-site")];
    let forged = browser.post(routes::SIGN_OUT, &[("request", &question.hidden())]).await;
    forged.assert_page(StatusCode::FORBIDDEN, "This form cannot be used here");
    assert!(is_signed_in(&mut browser).await);
    browser.headers = vec![("sec-fetch-site", "cross-site"), ("sec-fetch-mode", "navigate")];
    let forged = browser.post(routes::SIGN_OUT, &[("request", &question.hidden())]).await;
    browser.get(forged.header("location")).await.assert_page(StatusCode::OK, "This form cannot be used here");
    assert!(is_signed_in(&mut browser).await);
    let answer = browser.post(routes::SIGN_OUT, &[("request", &question.hidden())]).await;
    assert_eq!(answer.header("location"), BYE);
    assert!(!is_signed_in(&mut browser).await);
}

#[tokio::test]
async fn an_expired_question_leads_a_browser_to_a_page_that_it_can_load_again() {
    let fixture = Fixture::new();
    let (mut browser, ..) = signed_in(&fixture).await;
    let question = browser.get(&path(&[])).await;
    fixture.advance(15 * 60 + 1);
    browser.headers = vec![("sec-fetch-site", "same-origin"), ("sec-fetch-mode", "navigate")];
    let expired = browser.post(routes::SIGN_OUT, &[("request", &question.hidden())]).await;
    assert_eq!(expired.status(), StatusCode::SEE_OTHER);
    let shown = browser.get(expired.header("location")).await;
    shown.assert_page(StatusCode::OK, "This page has expired");
    assert!(shown.text().contains("You have not been signed out."), "{}", shown.text());
    assert!(is_signed_in(&mut browser).await);
}

#[tokio::test]
async fn nobody_is_sent_to_an_address_that_is_not_registered() {
    let fixture = Fixture::new();
    let (mut browser, id_token, _) = signed_in(&fixture).await;
    for fields in [
        vec![("post_logout_redirect_uri", BYE)],
        vec![("post_logout_redirect_uri", "https://evil.test/"), ("client_id", "dashboard")],
        vec![("post_logout_redirect_uri", "https://app.example.com/bye?x"), ("id_token_hint", &*id_token)],
        vec![("post_logout_redirect_uri", CALLBACK), ("id_token_hint", &*id_token)],
        vec![("client_id", "zzz")],
        vec![("client_id", "cli"), ("id_token_hint", &*id_token)],
        vec![("state", "a"), ("state", "b"), ("client_id", "dashboard"), ("post_logout_redirect_uri", BYE)],
    ] {
        let answer = browser.get(&path(&fields)).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{fields:?}");
        assert!(is_signed_in(&mut browser).await, "{fields:?}");
    }
}

#[tokio::test]
async fn who_is_not_signed_in_is_signed_out_already() {
    let fixture = Fixture::new();
    fixture.browser().get(routes::LOGOUT).await.assert_page(StatusCode::OK, "You are signed out");
    let fields = [("client_id", "dashboard"), ("post_logout_redirect_uri", BYE)];
    assert_eq!(fixture.browser().get(&path(&fields)).await.header("location"), BYE);
}

#[tokio::test]
async fn a_cross_site_post_becomes_a_navigation_that_brings_the_cookie() {
    let fixture = Fixture::new();
    let (mut browser, id_token, _) = signed_in(&fixture).await;
    let cookies = std::mem::take(&mut browser.cookies);
    browser.headers = vec![("sec-fetch-site", "cross-site")];
    let answer = browser.post(routes::LOGOUT, &[("id_token_hint", &*id_token)]).await;
    assert_eq!(answer.status(), StatusCode::SEE_OTHER);
    browser.cookies = cookies;
    let location = answer.header("location").to_owned();
    browser.get(&location).await.assert_page(StatusCode::OK, "You are signed out");
    assert!(!is_signed_in(&mut browser).await);
}

#[tokio::test]
async fn refresh_tokens_end_with_the_session_unless_offline_access_was_granted() {
    let fixture = Fixture::new();
    for (scope, status) in [("openid", StatusCode::BAD_REQUEST), ("openid offline_access", StatusCode::OK)] {
        let mut browser = fixture.browser();
        let page = browser.authorize(&[("scope", scope)]).await;
        let code = browser.submit(&page, "alice", "correct horse").await.code();
        let tokens = fixture.redeem(&code).await.json();
        browser.get(&path(&[("id_token_hint", tokens["id_token"].as_str().expect("a token"))])).await;
        assert!(!is_signed_in(&mut browser).await);
        let refreshed = fixture.refresh(tokens["refresh_token"].as_str().expect("a token")).await;
        assert_eq!(refreshed.status(), status, "{scope}");
    }
}

#[tokio::test]
async fn one_users_sign_outs_do_not_bring_anothers_session_back() {
    let fixture = Fixture::new();
    let (mut alice, id_token, _) = signed_in(&fixture).await;
    let copied = alice.cookies.clone();
    alice.get(&path(&[("id_token_hint", &*id_token)])).await;
    let directory = Directory::new(fixture.settings.users.clone(), vec![], None);
    let bob = UserName::parse("bob").expect("a name");
    let bob = directory.user_named(&bob).await.expect("no database").expect("bob");
    let sessions = &fixture.pool.ui().sessions;
    let (mut first, seen) = (None, Seen { address: String::new(), agent: String::new() });
    for _ in 0..101_500 {
        fixture.clock.advance(Duration::from_millis(1));
        let begun = sessions
            .begin(&bob, Proofs::of_before(), None, seen.clone(), fixture.clock.now())
            .await
            .expect("no database");
        sessions.end(&begun.session, fixture.clock.now()).await.expect("no database");
        first.get_or_insert(begun);
    }
    alice.cookies = copied;
    assert!(!is_signed_in(&mut alice).await, "the signed-out session of another user stays ended");
    let first = sessions.open(first.expect("the first of bob's").cookie.expose(), fixture.clock.now()).await;
    assert!(first.expect("no database").is_none(), "and so does every one of the same user");
    fixture.advance(1);
    assert!(fixture.browser().sign_in("bob", "battery staple").await.query("code").is_some(), "who can sign in again");
}

#[tokio::test]
async fn signing_in_as_another_user_ends_the_former_session() {
    let fixture = Fixture::new();
    let (mut browser, _, tokens) = signed_in(&fixture).await;
    let former = browser.cookies.clone();
    let page = browser.authorize(&[("prompt", "login")]).await;
    browser.submit(&page, "bob", "battery staple").await.code();
    let mut copy = fixture.browser();
    copy.cookies = former.clone();
    assert!(!is_signed_in(&mut copy).await, "a copy of the former cookie is of no use");
    let refresh = fixture.refresh(tokens["refresh_token"].as_str().expect("a token")).await;
    refresh.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
}

#[tokio::test]
async fn signing_in_again_as_the_same_user_goes_on_with_the_session() {
    let fixture = Fixture::new();
    let (mut browser, _, tokens) = signed_in(&fixture).await;
    fixture.advance(60);
    let page = browser.authorize(&[("prompt", "login")]).await;
    let code = browser.submit(&page, "alice", "correct horse").await.code();
    let again = payload(&fixture.redeem(&code).await.json()["id_token"]);
    let before = payload(&tokens["id_token"]);
    assert_eq!(again["sid"], before["sid"]);
    assert_eq!(again["auth_time"], json!(START.seconds() + 60));
    assert_eq!(fixture.refresh(tokens["refresh_token"].as_str().expect("a token")).await.status(), StatusCode::OK);
}
