//! Codes by mail in the place of a password.

use super::mfa::{ASKED, claims, vault};
use super::self_service::{other_than, shown};
use super::stored::Stored;
use super::*;
use crate::directory::status::Status;
use crate::factors::settings::{Factor, Mode, Settings as Mfa};
use crate::messages::message::Kind;
use crate::settings::Store;

async fn pool() -> Stored {
    Stored::with(|settings| {
        settings.mfa = Mfa {
            mode: Mode::Optional,
            factors: vec![Factor::Totp, Factor::Email],
            email_code_is_first: true,
            ..Mfa::default()
        };
        settings.store = Some(Store { sqlite: "unused".into(), vault: vault() });
    })
    .await
}

/// From the sign-in page of an application to the page that takes the code.
pub(super) async fn ask(browser: &mut Browser<'_>, username: &str) -> Answer {
    let page = browser.authorize(&[]).await;
    let page = browser.get(&Browser::link(&page, routes::EMAIL_CODE)).await;
    page.assert_page(StatusCode::OK, "Sign in with a code");
    let hidden = page.hidden();
    browser.send_form(routes::EMAIL_CODE, &[("request", &hidden), ("username", username)]).await
}

async fn answer(browser: &mut Browser<'_>, page: &Answer, code: &str) -> Answer {
    let hidden = page.hidden();
    browser.send_form(routes::EMAIL_CODE_ANSWER, &[("request", &hidden), ("code", code)]).await
}

#[tokio::test]
async fn a_code_signs_in_once() {
    let stored = pool().await;
    let mut browser = stored.fixture.browser();
    let page = ask(&mut browser, "Grace").await;
    let code = stored.sent(Kind::SignIn, "grace@example.com").await;
    let wrong = answer(&mut browser, &page, &other_than(&code)).await;
    assert!(wrong.text().contains("This code is not the one that was sent"), "{}", wrong.text());
    let back = answer(&mut browser, &page, &code).await;
    let claims = claims(&stored, &back).await;
    assert_eq!((&claims["acr"], &claims["amr"]), (&json!("urn:cognito:loa:1"), &json!(["otp"])));
    let mut other = stored.fixture.browser();
    let page = ask(&mut other, "grace").await;
    let again = answer(&mut other, &page, &code).await;
    assert!(again.text().contains("This code is not the one that was sent"), "{}", again.text());
    let page = ask(&mut other, "eve").await;
    answer(&mut other, &page, &code).await;
    let grace = claims["sub"].as_str().expect("a subject");
    let expected = [
        "SignIn Fail SentCode- grace",
        "SignIn Pass SentCode+ grace",
        "SignIn Fail SentCode- grace",
        "SignIn Fail SentCode- nobody",
    ];
    assert_eq!(stored.fixture.texts(&[(grace, "grace")]), expected);
}

/// Somebody whom another provider does not let in any more must not come in beside it.
#[tokio::test]
async fn a_user_of_another_provider_signs_in_with_no_code() {
    let stored = pool().await;
    let mut browser = stored.fixture.browser();
    let page = ask(&mut browser, "grace").await;
    let code = stored.sent(Kind::SignIn, "grace@example.com").await;
    let grace = stored.users.show("grace").await.expect("a user").subject;
    stored.set_status(&grace, Status::ExternalProvider).await;
    let refused = answer(&mut browser, &page, &code).await;
    assert_ne!(refused.status(), StatusCode::SEE_OTHER);
    assert!(!browser.cookies.contains_key("__Host-vestibule-pool"), "{}", refused.text());
}

#[tokio::test]
async fn a_second_factor_is_asked_for_and_it_is_not_the_same_mailbox() {
    let stored = pool().await;
    let seed = stored.with_totp(vec![]).await;
    let mut browser = stored.fixture.browser();
    let page = ask(&mut browser, "grace").await;
    let code = stored.sent(Kind::SignIn, "grace@example.com").await;
    let page = answer(&mut browser, &page, &code).await;
    page.assert_page(StatusCode::OK, ASKED);
    assert!(!page.text().contains("Send a code by e-mail"), "{}", page.text());
    let back = browser.type_code(&page, &stored.code(&seed)).await;
    assert_eq!(claims(&stored, &back).await["amr"], json!(["otp", "mfa"]));
}

#[tokio::test]
async fn a_known_and_an_unknown_name_look_alike_at_each_step() {
    let stored = pool().await;
    let names = ["grace", "nobody", "alice"];
    let (mut browsers, mut pages) = (Vec::new(), Vec::new());
    for name in names {
        let mut browser = stored.fixture.browser();
        pages.push(ask(&mut browser, name).await);
        browsers.push(browser);
    }
    let code = stored.sent(Kind::SignIn, "grace@example.com").await;
    for round in 0..6 {
        let mut said: Vec<_> = pages.iter().zip(names).map(|(page, name)| shown(page, &[name])).collect();
        said.dedup();
        assert_eq!(said.len(), 1, "{round}: {said:#?}");
        for (browser, page) in browsers.iter_mut().zip(&mut pages) {
            *page = answer(browser, page, &other_than(&code)).await;
        }
    }
    assert!(pages[0].text().contains("Too many wrong codes."), "{}", pages[0].text());
    assert!(answer(&mut browsers[0], &pages[0], &code).await.text().contains("Too many wrong codes."));
}

#[tokio::test]
async fn who_may_not_sign_in_gets_no_code_and_uses_none() {
    let stored = pool().await;
    let mut browser = stored.fixture.browser();
    let page = ask(&mut browser, "grace").await;
    let code = stored.sent(Kind::SignIn, "grace@example.com").await;
    stored.users.set_enabled("grace", false, START).await.expect("disabled");
    let refused = answer(&mut browser, &page, &code).await;
    assert!(refused.text().contains("no longer valid"), "{}", refused.text());
    ask(&mut browser, "grace").await;
    stored.users.set_enabled("grace", true, START).await.expect("enabled");
    stored.users.reset("grace", START).await.expect("reset");
    ask(&mut browser, "grace").await;
    assert!(stored.messages().await.is_empty());
}

#[tokio::test]
async fn a_pool_without_them_has_no_such_page() {
    let stored = Stored::with(|settings| {
        settings.store = Some(Store { sqlite: "unused".into(), vault: vault() });
    })
    .await;
    let page = stored.fixture.browser().authorize(&[]).await;
    assert!(!page.text().contains(routes::EMAIL_CODE), "{}", page.text());
    for path in [routes::EMAIL_CODE, routes::EMAIL_CODE_ANSWER] {
        assert_eq!(stored.fixture.browser().get(path).await.status(), StatusCode::NOT_FOUND);
        assert_eq!(stored.fixture.browser().post(path, &[]).await.status(), StatusCode::NOT_FOUND);
    }
}

/// A pool where the e-mail address is a second name, and a code by mail takes the place of the password.
async fn with_aliases() -> Stored {
    Stored::with(|settings| {
        let (mode, factors) = (Mode::Optional, vec![Factor::Email]);
        settings.mfa = Mfa { mode, factors, email_code_is_first: true, ..Mfa::default() };
        settings.store = Some(Store { sqlite: "unused".into(), vault: vault() });
        let aliases = vec![crate::directory::settings::Alias::Email];
        settings.directory = Arc::new(crate::directory::settings::Settings { aliases, ..Default::default() });
    })
    .await
}

/// A page says of a code what was typed on this page, and not what was typed on a page with another name of the same user.
#[tokio::test]
async fn u_01_wrong_codes_of_one_page_do_not_tell_that_two_names_are_one_user() {
    let stored = with_aliases().await;
    for names in [["grace", "grace@example.com"], ["nobody", "nobody@example.com"]] {
        let (mut first, mut second) = (stored.fixture.browser(), stored.fixture.browser());
        let mut page = ask(&mut first, names[0]).await;
        let other = ask(&mut second, names[1]).await;
        for _ in 0..4 {
            page = answer(&mut first, &page, "00000").await;
        }
        let other = answer(&mut second, &other, "00000").await;
        assert!(!other.text().contains("Too many wrong codes."), "{}: {}", names[1], other.text());
        let page = answer(&mut first, &page, "00000").await;
        assert!(page.text().contains("Too many wrong codes."), "{}: {}", names[0], page.text());
    }
}

/// One page asks for another code, by another name of the same user. The page of before says of its own code that it has expired.
#[tokio::test]
async fn u_01_the_end_of_a_code_does_not_tell_that_two_names_are_one_user() {
    let stored = with_aliases().await;
    for names in [["grace", "grace@example.com"], ["nobody", "nobody@example.com"]] {
        let (mut first, mut second) = (stored.fixture.browser(), stored.fixture.browser());
        let page = ask(&mut first, names[0]).await;
        stored.fixture.advance(9 * 60);
        let other = ask(&mut second, names[1]).await;
        stored.fixture.advance(2 * 60);
        let (late, early) = (answer(&mut first, &page, "00000").await, answer(&mut second, &other, "00000").await);
        assert!(late.text().contains("This code is no longer valid."), "{}: {}", names[0], late.text());
        assert!(early.text().contains("This code is not the one that was sent"), "{}: {}", names[1], early.text());
    }
}
