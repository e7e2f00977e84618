//! Where a user is signed in, and what the user has done.

use super::*;

const SESSIONS: &str = "/account/sessions";
const FIREFOX: &str = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

/// The IDs of Grace's sessions, the last used first.
async fn ids(stored: &Stored) -> Vec<String> {
    let sessions = stored.users.sessions("grace", stored.fixture.clock.now()).await.expect("read");
    sessions.into_iter().map(|session| session.session.id).collect()
}

#[tokio::test]
async fn sessions_are_shown_and_one_or_all_others_end() {
    let stored = pool().await;
    let (mut laptop, mut phone) = (stored.fixture.browser(), stored.fixture.browser());
    let page = laptop.authorize(&[]).await;
    laptop.headers.push(("user-agent", FIREFOX));
    laptop.submit(&page, "grace", "first compiler").await.code();
    let of_laptop = ids(&stored).await.remove(0);
    phone.sign_in("grace", "first compiler").await.code();
    stored.fixture.advance(1);
    let mut browser = stored.grace().await;
    let page = browser.get(SESSIONS).await;
    page.assert_page(StatusCode::OK, "Browsers and applications");
    says(&page, "Firefox on Linux");
    says(&page, "from 192.0.2.1");
    assert_eq!(page.text().matches("this browser").count(), 1);
    assert_eq!(page.text().matches("name=\"session\"").count(), 2);
    let page = browser.fill(SESSIONS, &page, &[("session", &of_laptop)]).await;
    says(&page, "The session has ended.");
    laptop.get(OVERVIEW).await.assert_page(StatusCode::OK, "Sign in");
    phone.get(OVERVIEW).await.assert_page(StatusCode::OK, "Your account");
    let page = browser.fill(SESSIONS, &page, &[("others", "all")]).await;
    says(&page, "All other sessions have ended.");
    phone.get(OVERVIEW).await.assert_page(StatusCode::OK, "Sign in");
    browser.get(OVERVIEW).await.assert_page(StatusCode::OK, "Your account");
    assert!(stored.audited().await.contains(&"user session.end".to_owned()));
}

#[tokio::test]
async fn the_session_of_somebody_else_or_the_own_one_does_not_end_by_this() {
    let stored = pool().await;
    stored.add_heidi().await;
    // Each has another session, so that the page has a form.
    stored.grace().await;
    stored.signed_in("heidi", "second compiler").await;
    let mut grace = stored.grace().await;
    let mut heidi = stored.signed_in("heidi", "second compiler").await;
    let all = ids(&stored).await;
    for id in &all {
        heidi.open_and_fill(SESSIONS, &[("session", id)]).await;
    }
    assert_eq!(ids(&stored).await, all);
    for id in &all {
        let page = grace.get(SESSIONS).await;
        if page.text().contains("name=\"request\"") {
            grace.fill(SESSIONS, &page, &[("session", id)]).await;
        }
    }
    assert_eq!(ids(&stored).await.len(), 1, "the other one has ended");
    grace.get(OVERVIEW).await.assert_page(StatusCode::OK, "Your account");
    stored.grace().await;
    let hidden = grace.get(SESSIONS).await.hidden();
    for fields in
        [&[][..], &[("others", "x")], &[("session", "x"), ("others", "all")], &[("others", "all"), ("others", "all")]]
    {
        let answer = grace.post(SESSIONS, &[&[("request", &*hidden)], fields].concat()).await;
        assert_eq!(answer.status(), StatusCode::BAD_REQUEST, "{fields:?}");
    }
    assert_eq!(ids(&stored).await.len(), 2);
}

#[tokio::test]
async fn who_has_not_just_signed_in_sees_no_buttons() {
    let stored = pool().await;
    let mut browser = stored.grace().await;
    let mut other = stored.fixture.browser();
    other.sign_in("grace", "first compiler").await.code();
    let form = browser.get(SESSIONS).await.hidden();
    stored.fixture.advance(301);
    let page = browser.get(SESSIONS).await;
    assert!(!page.text().contains("<button"), "{}", page.text());
    let again = Browser::link(&page, "/account/sessions?");
    let answer = browser.post(SESSIONS, &[("request", &form), ("others", "all")]).await;
    assert_eq!(answer.header("location"), again);
    other.get(OVERVIEW).await.assert_page(StatusCode::OK, "Your account");
    let page = browser.get(&again).await;
    page.assert_page(StatusCode::OK, "Sign in");
    assert_eq!(browser.submit(&page, "grace", "first compiler").await.header("location"), SESSIONS);
    says(&browser.get(SESSIONS).await, "End all other sessions");
}

#[tokio::test]
async fn an_application_is_signed_out_of() {
    let stored = pool().await;
    let tokens = stored.tokens().await;
    let mut browser = stored.grace().await;
    let page = browser.get(SESSIONS).await;
    says(&page, "The Dashboard");
    let page = browser.fill(SESSIONS, &page, &[("application", "dashboard")]).await;
    says(&page, "The application is signed out.");
    assert!(!page.text().contains("The Dashboard"), "{}", page.text());
    let refresh = stored.fixture.refresh(tokens["refresh_token"].as_str().expect("a token")).await;
    refresh.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
    assert!(stored.audited().await.contains(&"user application.end".to_owned()));
}

#[tokio::test]
async fn the_history_says_what_was_done_in_plain_words_and_is_of_one_user() {
    let stored = pool().await;
    stored.add_heidi().await;
    let mut browser = stored.fixture.browser();
    let page = browser.get(OVERVIEW).await;
    browser.headers.push(("user-agent", "<script>alert(1)</script>"));
    browser.submit(&page, "grace", "wrong").await;
    browser.submit(&page, "grace", "first compiler").await;
    browser
        .open_and_fill(PASSWORD_PAGE, &[("current", "first compiler"), ("password", "a compiler for everybody")])
        .await;
    stored.signed_in("heidi", "second compiler").await;
    stored.write_events().await;
    let page = browser.get("/account/history").await;
    page.assert_page(StatusCode::OK, "Recent activity");
    for text in ["Signed in", "Sign-in failed", "Password changed", "&#60;script&#62;"] {
        says(&page, text);
    }
    let mut heidi = stored.signed_in("heidi", "second compiler").await;
    let page = heidi.get("/account/history").await;
    assert!(!page.text().contains("Password changed"), "{}", page.text());
}

/// Each writes a line of the audit, and tells applications. All others at once can always be ended, whoever has used up the rest.
#[tokio::test]
async fn sessions_are_ended_one_by_one_fifteen_times_an_hour() {
    let stored = pool().await;
    let mut phone = stored.fixture.browser();
    phone.sign_in("grace", "first compiler").await.code();
    let of_phone = ids(&stored).await.remove(0);
    let mut browser = stored.grace().await;
    let page = browser.get(SESSIONS).await;
    for number in 0..15 {
        let ended = browser.fill(SESSIONS, &page, &[("application", "nothing")]).await;
        assert!(!ended.text().contains("Too many attempts"), "{number}");
    }
    for field in [("application", "nothing"), ("session", &*of_phone)] {
        says(&browser.fill(SESSIONS, &page, &[field]).await, "Too many attempts");
    }
    phone.get(OVERVIEW).await.assert_page(StatusCode::OK, "Your account");
    says(&browser.fill(SESSIONS, &page, &[("others", "all")]).await, "All other sessions have ended.");
    phone.get(OVERVIEW).await.assert_page(StatusCode::OK, "Sign in");
}
