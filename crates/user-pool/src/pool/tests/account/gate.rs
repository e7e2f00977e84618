//! Who is let in.

use super::*;
use crate::account::Change;
use crate::account::sessions::End;
use crate::directory::status::Status;
use crate::events::event::Visit;
use crate::factors::settings::{Factor, Mode, Settings as Mfa};

const PAGES: [&str; 8] = [
    OVERVIEW,
    PASSWORD_PAGE,
    "/account/profile",
    "/account/email",
    "/account/sessions",
    "/account/history",
    "/account/export",
    "/account/delete",
];

const AGAIN: &str = "to see and change your account";

#[tokio::test]
async fn who_is_not_signed_in_signs_in_and_comes_back_to_the_page() {
    let stored = pool().await;
    for path in PAGES {
        let mut browser = stored.fixture.browser();
        let page = browser.get(path).await;
        page.assert_page(StatusCode::OK, "Sign in");
        says(&page, AGAIN);
        let wrong = browser.submit(&page, "grace", "wrong").await;
        wrong.assert_page(StatusCode::UNAUTHORIZED, "Sign in");
        says(&wrong, AGAIN);
        let answer = browser.submit(&page, "grace", "first compiler").await;
        assert_eq!((answer.status(), answer.header("location")), (StatusCode::SEE_OTHER, path));
        assert!(!browser.cookies.contains_key("__Host-vestibule-pool-next"));
        let page = browser.get(path).await;
        assert_eq!(page.status(), StatusCode::OK, "{path}");
        assert!(!page.text().contains("name=\"username\""), "{path}: {}", page.text());
        assert_eq!(page.header("cache-control"), "no-store");
        assert_eq!(page.header("x-frame-options"), "DENY");
        assert!(!page.text().contains("<script"), "{path}");
    }
}

#[tokio::test]
async fn only_pages_of_the_account_are_returned_to() {
    let stored = pool().await;
    for next in
        ["//evil.test", "https://evil.test", "/oauth2/logout", "/account/email/again", "/account/", "/account/../x"]
    {
        let mut browser = stored.fixture.browser();
        let page = browser.get(OVERVIEW).await;
        browser.cookies.insert("__Host-vestibule-pool-next".into(), next.into());
        let answer = browser.submit(&page, "grace", "first compiler").await;
        assert_eq!(answer.header("location"), routes::SIGN_IN, "{next}");
    }
    // A sign-in for an application leads there.
    let mut browser = stored.fixture.browser();
    browser.get(OVERVIEW).await;
    assert!(!browser.sign_in("grace", "first compiler").await.code().is_empty());
}

#[tokio::test]
async fn a_change_needs_a_sign_in_of_the_last_five_minutes() {
    let stored = pool().await;
    let mut browser = stored.grace().await;
    let form = browser.get(PASSWORD_PAGE).await;
    stored.fixture.advance(5 * 60);
    browser.get(PASSWORD_PAGE).await.assert_page(StatusCode::OK, "Change your password");
    stored.fixture.advance(1);
    for path in PAGES {
        let page = browser.get(path).await;
        let reads = [OVERVIEW, "/account/sessions", "/account/history"].contains(&path);
        assert_eq!(page.text().contains("name=\"username\""), !reads, "{path}: {}", page.text());
    }
    // Neither is a form taken that was shown before.
    let hidden = form.hidden();
    let fields = [("request", &*hidden), ("current", "first compiler"), ("password", "a compiler for everybody")];
    let answer = browser.post(PASSWORD_PAGE, &fields).await;
    assert_eq!(answer.header("location"), "/account/password?confirm");
    let page = browser.get("/account/password?confirm").await;
    says(&page, "value=\"Grace\"");
    let answer = browser.submit(&page, "grace", "first compiler").await;
    assert_eq!(answer.header("location"), PASSWORD_PAGE);
    browser.get(PASSWORD_PAGE).await.assert_page(StatusCode::OK, "Change your password");
}

#[tokio::test]
async fn the_trust_of_a_browser_is_no_second_factor_for_a_change() {
    let stored = with(|settings| {
        settings.mfa = Mfa {
            mode: Mode::Required,
            factors: vec![Factor::Totp],
            trusts_for: Some(Duration::from_secs(30 * 86_400)),
            ..Mfa::default()
        };
    })
    .await;
    let seed = stored.with_totp(vec![]).await;
    let (mut browser, page) = stored.half_way().await;
    let code = stored.code(&seed);
    let fields = [("request", page.hidden()), ("code", code), ("trust", "yes".to_owned())];
    browser.post(routes::STEP, &fields.each_ref().map(|(name, value)| (*name, value.as_str()))).await;
    let trusted = browser.cookies["__Host-vestibule-pool-trusted"].clone();
    // At an application, the browser is trusted.
    let mut browser = stored.fixture.browser();
    browser.cookies.insert("__Host-vestibule-pool-trusted".into(), trusted);
    assert!(!browser.sign_in("grace", "first compiler").await.code().is_empty());
    browser.get(OVERVIEW).await.assert_page(StatusCode::OK, "Your account");
    let page = browser.get(PASSWORD_PAGE).await;
    page.assert_page(StatusCode::OK, "Sign in");
    let page = browser.submit(&page, "grace", "first compiler").await;
    says(&page, "Confirm that it is you");
    stored.fixture.advance(30);
    let answer = browser.type_code(&page, &stored.code(&seed)).await;
    assert_eq!(answer.header("location"), PASSWORD_PAGE);
    browser.get(PASSWORD_PAGE).await.assert_page(StatusCode::OK, "Change your password");
}

#[tokio::test]
async fn u_11_a_form_of_another_site_browser_user_or_page_is_refused() {
    let stored = pool().await;
    stored.add_heidi().await;
    let mut grace = stored.grace().await;
    let mut heidi = stored.signed_in("heidi", "second compiler").await;
    let (of_grace, of_heidi) = (grace.get(PASSWORD_PAGE).await.hidden(), heidi.get(PASSWORD_PAGE).await.hidden());
    let of_profile = grace.get("/account/profile").await.hidden();
    let post = |hidden: String| {
        [("request", hidden), ("current", "first compiler".into()), ("password", "a compiler for everybody".into())]
    };
    let refused = |answer: &Answer| {
        assert_eq!(answer.status(), StatusCode::FORBIDDEN, "{}", answer.text());
        says(answer, "<code>account.form_foreign</code>");
    };
    for hidden in [of_heidi.clone(), of_profile, String::new(), "x".repeat(200)] {
        let fields = post(hidden);
        refused(&grace.post(PASSWORD_PAGE, &fields.each_ref().map(|(name, value)| (*name, value.as_str()))).await);
    }
    let fields = post(of_grace.clone());
    let fields = fields.each_ref().map(|(name, value)| (*name, value.as_str()));
    for header in [("sec-fetch-site", "cross-site"), ("origin", "https://evil.test")] {
        grace.headers = vec![header];
        refused(&grace.post(PASSWORD_PAGE, &fields).await);
    }
    // Heidi signs in where Grace was: the form that is still open is not for her.
    let page = grace.get("/account/password?confirm").await;
    page.assert_page(StatusCode::OK, "Change your password");
    stored.fixture.advance(301);
    let page = grace.get(PASSWORD_PAGE).await;
    grace.submit(&page, "heidi", "second compiler").await;
    let fields = [("request", &*of_grace), ("current", "second compiler"), ("password", "a compiler for everybody")];
    refused(&grace.post(PASSWORD_PAGE, &fields).await);
    stored.signed_in("grace", "first compiler").await;
    stored.signed_in("heidi", "second compiler").await;
}

#[tokio::test]
async fn a_page_that_was_open_for_too_long_says_so() {
    let stored = pool().await;
    let mut browser = stored.grace().await;
    let form = browser.get(PASSWORD_PAGE).await.hidden();
    stored.fixture.advance(14 * 60);
    let page = browser.get(PASSWORD_PAGE).await;
    browser.submit(&page, "grace", "first compiler").await;
    stored.fixture.advance(61);
    let answer = browser.post(PASSWORD_PAGE, &[("request", &form), ("password", "a compiler for everybody")]).await;
    assert_eq!(answer.status(), StatusCode::FORBIDDEN);
    says(&answer, "<code>account.form_expired</code>");
}

#[tokio::test]
async fn a_user_who_is_disabled_or_signed_out_or_deleted_meanwhile_sees_nothing() {
    let stored = pool().await;
    for what in ["disable", "sign out", "reset", "erase"] {
        let mut browser = stored.grace().await;
        browser.get(OVERVIEW).await.assert_page(StatusCode::OK, "Your account");
        let now = stored.fixture.clock.now();
        match what {
            "disable" => {
                stored.users.set_enabled("grace", false, now).await.expect("disabled");
                stored.users.set_enabled("grace", true, now).await.expect("enabled");
            }
            "sign out" => stored.users.sign_out("grace", now).await.expect("signed out"),
            "reset" => stored.users.reset("grace", now).await.expect("reset"),
            _ => stored.users.erase("grace", now).await.map(drop).expect("erased"),
        }
        for path in PAGES {
            browser.get(path).await.assert_page(StatusCode::OK, "Sign in");
        }
        if what == "reset" {
            let grace = stored.users.show("grace").await.expect("found").subject;
            stored.set_status(&grace, Status::Confirmed).await;
        }
        stored.fixture.advance(2);
    }
}

#[tokio::test]
async fn whoever_passed_the_gate_before_the_session_ended_changes_nothing() {
    let stored = pool().await;
    let browser = stored.grace().await;
    let ui = stored.fixture.pool.ui();
    let account = ui.account.as_ref().expect("a database");
    let now = stored.fixture.clock.now();
    let cookie = &browser.cookies["__Host-vestibule-pool"];
    let session = ui.sessions.open(cookie, now).await.expect("read").expect("a session");
    let visitor = account.enter(session.clone()).await.expect("read").expect("a visitor");
    let fresh = visitor.clone().fresh(now).expect("fresh");
    let visit = Visit::none();
    let end = async || account.end(&fresh, End::Others, browser.address, &visit).await.expect("ended");
    assert!(matches!(end().await, Change::Made(false)));
    ui.sessions.end(&session, now).await.expect("ended");
    assert!(account.overview(&visitor).await.expect("read").is_none());
    assert!(account.history(&visitor).await.expect("read").is_none());
    assert!(account.signed_in(&visitor).await.expect("read").is_none());
    assert!(matches!(account.export(&fresh, browser.address).await.expect("read"), Change::Over));
    assert!(account.delete(&fresh).await.expect("read").is_none());
    assert!(matches!(end().await, Change::Over));
    stored.users.show("grace").await.expect("still there");
}

#[tokio::test]
async fn a_pool_without_a_database_has_no_such_pages() {
    let fixture = Fixture::new();
    let mut browser = fixture.browser();
    browser.sign_in("alice", "correct horse").await.code();
    for path in PAGES {
        browser.get(path).await.assert_page(StatusCode::NOT_FOUND, "Page not found");
    }
    browser.post(PASSWORD_PAGE, &[]).await.assert_page(StatusCode::NOT_FOUND, "Page not found");
}

#[tokio::test]
async fn a_user_of_the_file_sees_what_cannot_be_changed() {
    let stored = pool().await;
    let mut browser = stored.signed_in("bob", "battery staple").await;
    let page = browser.get(OVERVIEW).await;
    page.assert_page(StatusCode::OK, "Your account");
    says(&page, "managed by an administrator");
    for path in [PASSWORD_PAGE, "/account/profile", "/account/email", "/account/export", "/account/delete"] {
        assert!(!page.text().contains(path), "{path}");
        browser.get(path).await.assert_page(StatusCode::NOT_FOUND, "Page not found");
    }
    says(&browser.get("/account/sessions").await, "this browser");
}

#[tokio::test]
async fn pages_and_targets_of_forms_have_their_methods() {
    let stored = pool().await;
    let mut browser = stored.grace().await;
    for (method, path, allow) in [
        (Method::POST, OVERVIEW, "GET, HEAD"),
        (Method::POST, "/account/history", "GET, HEAD"),
        (Method::GET, "/account/email/again", "POST"),
        (Method::PUT, PASSWORD_PAGE, "GET, HEAD, POST"),
    ] {
        let answer = browser.send(method, path, String::new()).await;
        assert_eq!((answer.status(), answer.header("allow")), (StatusCode::METHOD_NOT_ALLOWED, allow), "{path}");
    }
    browser.get("/account/nothing").await.assert_page(StatusCode::NOT_FOUND, "Page not found");
}
