//! The pages that set up a second factor, and what becomes of them afterwards.

use super::mfa::{SET_UP, codes_of, pool, seed_of};
use super::stored::Stored;
use super::*;
use crate::credential::totp::Seed;
use crate::factors::settings::Mode;

const NAVIGATION: [(&str, &str); 2] = [("sec-fetch-mode", "navigate"), ("sec-fetch-site", "same-origin")];
const OVER: &str = "This sign-in page has expired";

/// A browser at the page that sets up one-time passwords, with the address of that page.
async fn at_set_up<'s>(stored: &'s Stored, username: &str, password: &str) -> (Browser<'s>, String, Answer) {
    let mut browser = stored.fixture.browser();
    let page = browser.authorize(&[]).await;
    browser.headers = NAVIGATION.to_vec();
    let address = browser.submit(&page, username, password).await.header("location").to_owned();
    let page = browser.get(&address).await;
    page.assert_page(StatusCode::OK, SET_UP);
    (browser, address, page)
}

/// Neither the address nor any form of the page shows the secret again.
async fn is_over(browser: &mut Browser<'_>, address: &str, page: &Answer) {
    let secret = seed_of(page).base32();
    let mut answers = vec![browser.get(address).await];
    for code in ["", "000000"] {
        answers.push(browser.type_code(page, code).await);
    }
    for answer in answers {
        assert!(!answer.text().replace(' ', "").contains(secret.expose()), "{}", answer.text());
        answer.assert_page(StatusCode::FORBIDDEN, OVER);
    }
}

#[tokio::test]
async fn a_page_that_was_used_shows_the_secret_to_nobody() {
    let stored = pool(Mode::Required).await;
    let (mut browser, address, page) = at_set_up(&stored, "grace", "first compiler").await;
    assert_eq!(seed_of(&browser.get(&address).await), seed_of(&page), "until then it can be loaded again");
    let shown = browser.type_code(&page, &stored.code(&seed_of(&page))).await;
    is_over(&mut browser, &address, &page).await;
    assert!(!browser.post(routes::STEP, &[("request", &shown.hidden())]).await.code().is_empty());
    is_over(&mut browser, &address, &page).await;
    // The user has signed out, and the next person goes back in the history.
    browser.cookies.remove("__Host-vestibule-pool");
    is_over(&mut browser, &address, &page).await;
}

#[tokio::test]
async fn a_reset_of_the_factors_ends_pages_sessions_and_grants_of_before() {
    let stored = pool(Mode::Required).await;
    for (username, password, who) in [("grace", "first compiler", "grace"), ("alice", "correct horse", "sub-of-Alice")]
    {
        let (mut browser, address, page) = at_set_up(&stored, username, password).await;
        let code = stored.code(&seed_of(&page));
        let shown = browser.type_code(&page, &code).await;
        let back = browser.post(routes::STEP, &[("request", &shown.hidden())]).await;
        let tokens = stored.fixture.redeem(&back.code()).await.json();
        let unused = browser.authorize(&[]).await.code();
        let (mut thief, of_thief, early) = (stored.fixture.browser(), address.clone(), page);
        thief.cookies = browser.cookies.clone();
        stored.users.reset_factors(who, stored.fixture.clock.now()).await.expect("reset");
        stored.follow_endings().await;
        browser.authorize(&[]).await.assert_page(StatusCode::OK, "Sign in");
        for answer in [
            stored.fixture.redeem(&unused).await,
            stored.fixture.refresh(tokens["refresh_token"].as_str().expect("a token")).await,
        ] {
            answer.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
        }
        // The old form would enrol the old secret, without a password.
        is_over(&mut thief, &of_thief, &early).await;
        let tried = thief.type_code(&early, &code).await;
        tried.assert_page(StatusCode::FORBIDDEN, OVER);
        assert_eq!(stored.count("factors").await + stored.count("recovery_codes").await, 0, "{who}");
        // In the same second, the user signs in and sets up a new app.
        let (mut browser, _, page) = at_set_up(&stored, username, password).await;
        let shown = browser.type_code(&page, &stored.code(&seed_of(&page))).await;
        let back = browser.post(routes::STEP, &[("request", &shown.hidden())]).await;
        assert_eq!(stored.fixture.redeem(&back.code()).await.status(), StatusCode::OK, "{who}");
        assert!(!browser.authorize(&[]).await.code().is_empty(), "{who}");
        stored.users.reset_factors(who, stored.fixture.clock.now()).await.expect("reset");
    }
}

#[tokio::test]
async fn the_page_with_recovery_codes_is_that_of_one_enrolment() {
    let stored = pool(Mode::Required).await;
    let (mut browser, _, page) = at_set_up(&stored, "grace", "first compiler").await;
    browser.headers = NAVIGATION.to_vec();
    let first = browser.type_code(&page, &stored.code(&seed_of(&page))).await.header("location").to_owned();
    let codes = codes_of(&browser.get(&first).await);
    assert_eq!(codes.len(), 10);
    // The same user sets up another app, a moment later, and the password is the same: nothing has ended.
    stored.fixture.advance(1);
    let subject = stored.users.show("grace").await.expect("found").subject;
    let again = stored.database.write(move |on| {
        let (seed, now) = (Seed::random(), START + Duration::from_secs(1));
        super::mfa::factors().set_totp(on, &subject, (&seed, 0), now)?;
        super::mfa::factors().set_recovery_codes(on, &subject, &[[1; 32]])
    });
    again.await.expect("set");
    browser.get(&first).await.assert_page(StatusCode::FORBIDDEN, OVER);
    // A page of a user who is disabled, or has another password, shows nothing either.
    let stored = pool(Mode::Required).await;
    let (mut browser, _, page) = at_set_up(&stored, "grace", "first compiler").await;
    browser.headers = NAVIGATION.to_vec();
    let address = browser.type_code(&page, &stored.code(&seed_of(&page))).await.header("location").to_owned();
    stored.users.sign_out("grace", START).await.expect("signed out");
    browser.get(&address).await.assert_page(StatusCode::FORBIDDEN, OVER);
}
