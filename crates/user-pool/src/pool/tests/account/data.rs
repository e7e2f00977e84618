//! The download, and the end of an account.

use super::*;

const EXPORT: &str = "/account/export";
const DELETE: &str = "/account/delete";

#[tokio::test]
async fn everything_about_a_user_is_downloaded_and_no_other_site_gets_it() {
    let stored = pool().await;
    stored.add_heidi().await;
    let mut browser = stored.grace().await;
    let page = browser.get(EXPORT).await;
    page.assert_page(StatusCode::OK, "Download your data");
    let hidden = page.hidden();
    let file = browser.post(EXPORT, &[("request", &hidden)]).await;
    let json = file.json();
    assert_eq!(json["user"]["attributes"]["email"], "grace@example.com");
    assert_eq!(json["sessions"].as_array().map(Vec::len), Some(1));
    for secret in ["argon2", "heidi", "password_hash"] {
        assert!(!file.text().contains(secret), "{secret}");
    }
    for (name, value) in [
        ("cache-control", "no-store"),
        ("x-content-type-options", "nosniff"),
        ("content-disposition", "attachment; filename=\"account.json\""),
        ("cross-origin-resource-policy", "same-origin"),
    ] {
        assert_eq!(file.header(name), value);
    }
    assert!(!file.0.headers().contains_key("access-control-allow-origin"));
    assert!(stored.audited().await.contains(&"user user.export".to_owned()));
    // Neither without the form, nor from another site.
    assert!(!browser.get(EXPORT).await.text().contains("attributes"));
    browser.headers = vec![("sec-fetch-site", "cross-site")];
    assert_eq!(browser.post(EXPORT, &[("request", &hidden)]).await.status(), StatusCode::FORBIDDEN);
    stored.fixture.advance(301);
    assert_eq!(browser.post(EXPORT, &[("request", &hidden)]).await.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn an_account_is_deleted_with_its_name_typed_and_nothing_of_it_is_left() {
    let stored = pool().await;
    let mut other = stored.fixture.browser();
    let tokens = stored.fixture.redeem(&other.sign_in("grace", "first compiler").await.code()).await.json();
    let mut browser = stored.grace().await;
    let page = browser.get(DELETE).await;
    page.assert_page(StatusCode::OK, "Delete your account");
    for typed in ["", "heidi", "grac"] {
        let page = browser.fill(DELETE, &page, &[("name", typed)]).await;
        says(&page, "This is not the name of your account.");
    }
    stored.users.show("grace").await.expect("still there");
    let gone = browser.fill(DELETE, &page, &[("name", " grace ")]).await;
    gone.assert_page(StatusCode::OK, "Your account is deleted");
    assert!(!browser.cookies.contains_key("__Host-vestibule-pool"));
    stored.users.show("grace").await.expect_err("gone");
    for table in ["users", "sso", "families", "aliases"] {
        assert_eq!(stored.count(table).await, 0, "{table}");
    }
    other.get(OVERVIEW).await.assert_page(StatusCode::OK, "Sign in");
    let refresh = stored.fixture.refresh(tokens["refresh_token"].as_str().expect("a token")).await;
    refresh.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
    let audited = stored.users.audited(None, 1).await.expect("read");
    assert_eq!((&*audited[0].actor, &*audited[0].operation), ("user", "user.erase"));
    assert!(audited[0].subject.as_deref().is_some_and(|subject| subject.starts_with("erased-")));
}

#[tokio::test]
async fn where_the_settings_forbid_it_nobody_deletes_an_account() {
    let stored = with(|settings| settings.account = Arc::default()).await;
    let mut browser = stored.grace().await;
    assert!(!browser.get(OVERVIEW).await.text().contains(DELETE));
    browser.get(DELETE).await.assert_page(StatusCode::NOT_FOUND, "Page not found");
    // Not even with a form of before.
    let hidden = browser.get("/account/export").await.hidden();
    browser.post(DELETE, &[("request", &hidden), ("name", "grace")]).await;
    stored.users.show("grace").await.expect("still there");
}

/// Each download writes a line of the audit.
#[tokio::test]
async fn five_downloads_an_hour_are_enough() {
    let stored = pool().await;
    let mut browser = stored.grace().await;
    let hidden = browser.get(EXPORT).await.hidden();
    for _ in 0..5 {
        assert_eq!(browser.post(EXPORT, &[("request", &hidden)]).await.status(), StatusCode::OK);
    }
    let refused = browser.post(EXPORT, &[("request", &hidden)]).await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    says(&refused, "Too many attempts.");
    assert_eq!(stored.audited().await.iter().filter(|entry| *entry == "user user.export").count(), 5);
    stored.fixture.advance(12 * 60);
}
