//! Limits on guesses: one for each user, however the name is spelled and whatever cookies there are.

use super::mfa::{ASKED, pool};
use super::stored::Stored;
use super::*;
use crate::directory::settings::{Alias, Settings as Rules};
use crate::factors::settings::Mode;
use crate::passwords::tests::set;

const KNOWN: &str = "__Host-vestibule-pool-known";

/// A pool whose users sign in by e-mail address and phone number as well.
async fn with_aliases() -> Stored {
    let rules = Arc::new(Rules { aliases: vec![Alias::Email, Alias::PhoneNumber], ..Rules::default() });
    let stored = Stored::with(|settings| settings.directory = rules).await;
    let phone = [("phone_number", "+49170123456"), ("phone_number_verified", "true")];
    let phone = phone.map(|(name, value)| (name.to_owned(), value.to_owned())).to_vec();
    stored.users.set_attributes("grace", phone, START).await.expect("set");
    stored
}

async fn guess(stored: &Stored, name: &str) -> StatusCode {
    stored.fixture.browser().sign_in(name, "wrong").await.status()
}

#[tokio::test]
async fn u_02_each_spelling_of_a_name_counts_for_its_user() {
    let stored = with_aliases().await;
    let spellings = ["+49170123456", "+49 170 123456", "+49-170-123456", "+49.170.123456", "+49 (170) 12-34-56"];
    for name in spellings {
        assert_eq!(guess(&stored, name).await, StatusCode::UNAUTHORIZED, "{name}");
    }
    for name in spellings {
        assert_eq!(guess(&stored, name).await, StatusCode::TOO_MANY_REQUESTS, "{name}");
    }
    // Nobody's number is one name as well, and is limited after as many guesses.
    let spellings =
        ["+49170999999", "+49 170 999999", "+49-170-999999", "+49.170.999999", "+49 (170) 999999", "+49170 999999"];
    for name in &spellings[..5] {
        assert_eq!(guess(&stored, name).await, StatusCode::UNAUTHORIZED, "{name}");
    }
    assert_eq!(guess(&stored, spellings[5]).await, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(guess(&stored, "somebody").await, StatusCode::UNAUTHORIZED, "another name");
}

/// Otherwise guesses would tell which e-mail address and which phone number are whose.
#[tokio::test]
async fn u_01_guesses_do_not_tell_that_two_names_are_one_user() {
    let stored = with_aliases().await;
    let mut seen = Vec::new();
    for names in [["grace", "Grace@Example.com"], ["nobody", "nobody@example.com"]] {
        let mut statuses = Vec::new();
        for name in names {
            for _ in 0..6 {
                statuses.push(guess(&stored, name).await);
            }
        }
        seen.push(statuses);
    }
    assert_eq!(seen[0], seen[1]);
    let five_of_six = [[StatusCode::UNAUTHORIZED; 5].as_slice(), &[StatusCode::TOO_MANY_REQUESTS]].concat();
    assert_eq!(seen[0], five_of_six.repeat(2));
    // A third name gives no more guesses: what is right is refused as if it was wrong.
    let sign_in = async || stored.fixture.browser().sign_in("+49170123456", "first compiler").await;
    let (right, wrong) = (sign_in().await, stored.fixture.browser().sign_in("+49170123456", "wrong").await);
    assert_eq!((right.status(), wrong.status()), (StatusCode::UNAUTHORIZED, StatusCode::UNAUTHORIZED));
    assert_eq!(right.text().contains("Incorrect user name or password."), wrong.text().contains("Incorrect user name"));
    stored.fixture.advance(30);
    sign_in().await.code();
}

/// A browser in which Grace has signed in with a password alone, before she had an app.
async fn known_browsers(stored: &Stored, count: usize) -> Vec<Browser<'_>> {
    let mut browsers = Vec::new();
    for _ in 0..count {
        let (browser, back) = stored.half_way().await;
        assert!(!back.code().is_empty());
        browsers.push(browser);
    }
    browsers
}

/// The number of codes that a browser may guess. Each wait for the limit of its address is waited.
async fn guesses(stored: &Stored, browser: &mut Browser<'_>, most: usize) -> usize {
    let mut count = 0;
    let page = browser.authorize(&[("prompt", "login")]).await;
    let page = browser.submit(&page, "grace", "first compiler").await;
    while count < most {
        let answer = browser.type_code(&page, "000000").await;
        match answer.status() {
            StatusCode::UNAUTHORIZED => count += 1,
            StatusCode::TOO_MANY_REQUESTS => break,
            _ => answer.assert_page(StatusCode::UNAUTHORIZED, ASKED),
        }
    }
    let _ = stored;
    count
}

#[tokio::test]
async fn codes_are_guessed_no_faster_with_many_known_browsers() {
    let stored = pool(Mode::Optional).await;
    let mut browsers = known_browsers(&stored, 12).await;
    stored.with_totp(vec![]).await;
    let mut count = 0;
    for (number, browser) in browsers.iter_mut().enumerate() {
        browser.address = format!("198.51.100.{number}").parse().expect("an address");
        count += guesses(&stored, browser, 100).await;
    }
    assert_eq!(count, 20, "of all known browsers together");
}

#[tokio::test]
async fn one_known_browser_does_not_keep_the_others_out() {
    let stored = pool(Mode::Optional).await;
    let mut browsers = known_browsers(&stored, 2).await;
    let seed = stored.with_totp(vec![]).await;
    let [thief, own] = &mut browsers[..] else { panic!("two") };
    thief.address = "198.51.100.1".parse().expect("an address");
    let mut made = 0;
    for _ in 0..20 {
        made += guesses(&stored, thief, 100).await;
        stored.fixture.advance(150);
    }
    assert!((10..=15).contains(&made), "{made}: ten, and one in ten minutes");
    let page = own.authorize(&[("prompt", "login")]).await;
    let page = own.submit(&page, "grace", "first compiler").await;
    assert!(!own.type_code(&page, &stored.code(&seed)).await.code().is_empty());
}

#[tokio::test]
async fn no_known_browser_survives_a_new_password() {
    let stored = pool(Mode::Optional).await;
    let mut browser = known_browsers(&stored, 1).await.remove(0);
    assert!(browser.cookies.contains_key(KNOWN));
    set(&stored.users, "grace", "second compiler", START).await;
    // Guesses elsewhere, until nobody unknown may guess at this user any more.
    for _ in 0..5 {
        assert_eq!(guess(&stored, "grace").await, StatusCode::UNAUTHORIZED);
    }
    assert_eq!(guess(&stored, "grace").await, StatusCode::TOO_MANY_REQUESTS);
    let refused = browser.sign_in("grace", "second compiler").await;
    refused.assert_page(StatusCode::TOO_MANY_REQUESTS, "Sign in");
    // A sign-in with the new one makes it known again.
    stored.fixture.advance(3600);
    browser.sign_in("grace", "second compiler").await.code();
    for _ in 0..6 {
        guess(&stored, "grace").await;
    }
    let page = browser.authorize(&[("prompt", "login")]).await;
    browser.submit(&page, "grace", "second compiler").await.code();
}
