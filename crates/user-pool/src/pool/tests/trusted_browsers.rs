//! Browsers that users trust.

use super::mfa::{ASKED, SET_UP, claims, factors, pool, vault};
use super::stored::Stored;
use super::*;
use crate::crypto::octets;
use crate::factors::browsers::Trust;
use crate::factors::settings::{self, Factor, Mode};
use crate::settings::Store;

#[tokio::test]
async fn a_trusted_browser_needs_the_password_only() {
    let stored = Stored::with(|settings| {
        settings.mfa = settings::Settings {
            mode: Mode::Required,
            factors: vec![Factor::Totp],
            trusts_for: Some(Duration::from_secs(30 * 86_400)),
            ..settings::Settings::default()
        };
        settings.store = Some(Store { sqlite: "unused".into(), vault: vault() });
    })
    .await;
    let seed = stored.with_totp(vec![]).await;
    let (mut browser, page) = stored.half_way().await;
    assert!(page.text().contains("Trust this browser for 30 days"), "{}", page.text());
    let code = stored.code(&seed);
    let fields = [("request", page.hidden()), ("code", code), ("trust", "yes".to_owned())];
    let back = browser.post(routes::STEP, &fields.each_ref().map(|(name, value)| (*name, value.as_str()))).await;
    assert!(!back.code().is_empty());
    let trusted = browser.cookies.get("__Host-vestibule-pool-trusted").expect("a cookie").clone();
    // The next sign-in, without a session. It proves no more than the password.
    let again = |password: &'static str| {
        let mut browser = stored.fixture.browser();
        browser.cookies.insert("__Host-vestibule-pool-trusted".into(), trusted.clone());
        async move { browser.sign_in("grace", password).await }
    };
    let claims = claims(&stored, &again("first compiler").await).await;
    assert_eq!((&claims["acr"], &claims["amr"]), (&json!("urn:cognito:loa:1"), &json!(["pwd"])));
    again("wrong").await.assert_page(StatusCode::UNAUTHORIZED, "Sign in");
    assert_eq!(stored.users.factors("grace").await.expect("found").trusted_browsers.len(), 1);
    // It is Grace's, and nobody else's.
    let mut other = stored.fixture.browser();
    other.cookies.insert("__Host-vestibule-pool-trusted".into(), trusted.clone());
    other.sign_in("bob", "battery staple").await.assert_page(StatusCode::OK, SET_UP);
    // A browser without the cookie, or with another one.
    stored.half_way().await.1.assert_page(StatusCode::OK, ASKED);
    let mut other = stored.fixture.browser();
    other.cookies.insert("__Host-vestibule-pool-trusted".into(), octets::token());
    other.sign_in("grace", "first compiler").await.assert_page(StatusCode::OK, ASKED);
    // It ends with all sessions of the user, and after 30 days.
    stored.users.sign_out("grace", START).await.expect("signed out");
    again("first compiler").await.assert_page(StatusCode::OK, ASKED);
}

#[tokio::test]
async fn trust_in_a_browser_ends_by_itself_and_has_a_limit() {
    let stored = pool(Mode::Optional).await;
    let lifetime = Duration::from_secs(86_400);
    let trusted = |number: u32, at: Timestamp| {
        let cookie = format!("cookie {number}");
        stored
            .database
            .write(move |on| factors().is_trusted(on, &Trust { subject: "s", fingerprint: "f", cookie: &cookie }, at))
    };
    for number in 0..21_u32 {
        let (cookie, at) = (format!("cookie {number}"), START + Duration::from_secs(number.into()));
        let work = stored.database.write(move |on| {
            factors().trust(on, &Trust { subject: "s", fingerprint: "f", cookie: &cookie }, (lifetime, "Browser/1"), at)
        });
        work.await.expect("trusted");
    }
    assert!(!trusted(0, START).await.expect("read"), "the oldest of 21 is forgotten");
    assert!(trusted(1, START).await.expect("read"));
    let end = START + Duration::from_secs(20) + lifetime;
    assert!(trusted(20, end - Duration::from_secs(1)).await.expect("read"));
    assert!(!trusted(20, end).await.expect("read"));
}
