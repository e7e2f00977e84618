//! The password.

use super::*;
use crate::messages::message::Kind;

const NEW: &str = "a compiler for everybody";

#[tokio::test]
async fn another_password_ends_everything_but_this_browser() {
    let stored = pool().await;
    let mut other = stored.fixture.browser();
    let tokens = stored.fixture.redeem(&other.sign_in("grace", "first compiler").await.code()).await.json();
    let mut browser = stored.grace().await;
    let before = browser.cookies["__Host-vestibule-pool"].clone();
    let done = browser.open_and_fill(PASSWORD_PAGE, &[("current", "first compiler"), ("password", NEW)]).await;
    done.assert_page(StatusCode::OK, "Your account");
    says(&done, "Your password has changed.");
    // This browser goes on, with another cookie; a copy of the one before is worth nothing.
    browser.get(OVERVIEW).await.assert_page(StatusCode::OK, "Your account");
    assert!(!browser.authorize(&[]).await.code().is_empty());
    assert_ne!(browser.cookies["__Host-vestibule-pool"], before);
    let mut thief = stored.fixture.browser();
    thief.cookies.insert("__Host-vestibule-pool".into(), before);
    thief.get(OVERVIEW).await.assert_page(StatusCode::OK, "Sign in");
    other.authorize(&[]).await.assert_page(StatusCode::OK, "Sign in");
    let refresh = stored.fixture.refresh(tokens["refresh_token"].as_str().expect("a token")).await;
    refresh.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
    let former = stored.fixture.browser().sign_in("grace", "first compiler").await;
    former.assert_page(StatusCode::UNAUTHORIZED, "Sign in");
    stored.signed_in("grace", NEW).await;
    let messages = stored.messages().await;
    let told: Vec<_> = messages.iter().map(|message| (message.kind, &*message.body.to)).collect();
    assert_eq!(told, [(Kind::PasswordChanged, "grace@example.com")]);
    assert!(stored.audited().await.contains(&"user user.password".to_owned()));
}

#[tokio::test]
async fn a_wrong_current_password_changes_nothing_and_counts_as_one_of_a_sign_in() {
    let stored = pool().await;
    let mut browser = stored.grace().await;
    // Somebody who has the session, in another browser.
    browser.cookies.remove("__Host-vestibule-pool-known");
    let mut page = browser.get(PASSWORD_PAGE).await;
    let mut wrong = 0;
    loop {
        page = browser.fill(PASSWORD_PAGE, &page, &[("current", "a guess"), ("password", NEW)]).await;
        if page.text().contains("Too many attempts") {
            break;
        }
        says(&page, "This is not your current password.");
        wrong += 1;
        assert!(wrong < 20, "no limit");
    }
    // The right one is not looked at either, and a sign-in from there is refused as well.
    let refused = browser.fill(PASSWORD_PAGE, &page, &[("current", "first compiler"), ("password", NEW)]).await;
    says(&refused, "Too many attempts");
    let elsewhere = stored.fixture.browser().sign_in("grace", "first compiler").await;
    elsewhere.assert_page(StatusCode::TOO_MANY_REQUESTS, "Sign in");
    assert!(stored.messages().await.is_empty());
}

#[tokio::test]
async fn the_policy_the_history_and_empty_fields_are_told() {
    let stored = with(|settings| settings.password_policy.history = 2).await;
    let mut browser = stored.grace().await;
    for (current, password, said) in [
        ("first compiler", "short", "12"),
        ("first compiler", "grace grace grace", "without your user name"),
        ("first compiler", "", "Fill in every field."),
        ("", NEW, "Fill in every field."),
        ("first compiler", "first compiler", "not used here before"),
    ] {
        let page = browser.open_and_fill(PASSWORD_PAGE, &[("current", current), ("password", password)]).await;
        says(&page, said);
    }
    stored.signed_in("grace", "first compiler").await;
    // Other clients than browsers get the status.
    let page = browser.get(PASSWORD_PAGE).await;
    let hidden = page.hidden();
    let fields = [("request", &*hidden), ("current", "wrong"), ("password", NEW)];
    let answer = browser.post(PASSWORD_PAGE, &fields).await;
    answer.assert_page(StatusCode::FORBIDDEN, "Change your password");
    let twice = [("request", &*hidden), ("current", "first compiler"), ("password", NEW), ("password", "x")];
    assert_eq!(browser.post(PASSWORD_PAGE, &twice).await.status(), StatusCode::BAD_REQUEST);
}

#[tokio::test]
async fn who_has_no_password_chooses_the_first_one() {
    let stored = pool().await;
    let mut browser = stored.grace().await;
    let sql = "UPDATE users SET password_hash = NULL WHERE pool = 'demo'";
    stored.database.write(|on| on.execute(sql, &[]).map(drop)).await.expect("taken");
    says(&browser.get(OVERVIEW).await, "You sign in without a password.");
    let page = browser.get(PASSWORD_PAGE).await;
    page.assert_page(StatusCode::OK, "Choose a password");
    assert!(!page.text().contains("name=\"current\""));
    let done = browser.fill(PASSWORD_PAGE, &page, &[("password", NEW)]).await;
    says(&done, "Your password has changed.");
    stored.signed_in("grace", NEW).await;
}

#[tokio::test]
async fn five_changes_an_hour_are_enough() {
    let stored = pool().await;
    let mut browser = stored.grace().await;
    let mut current = "first compiler".to_owned();
    for number in 0..5 {
        let next = format!("{NEW} {number}");
        let done = browser.open_and_fill(PASSWORD_PAGE, &[("current", &current), ("password", &next)]).await;
        says(&done, "Your password has changed.");
        current = next;
    }
    let page = browser.open_and_fill(PASSWORD_PAGE, &[("current", &current), ("password", NEW)]).await;
    says(&page, "Too many attempts.");
}
