//! Another e-mail address or phone number.

use super::super::self_service::other_than;
use super::*;
use crate::messages::message::Kind;
use crate::self_service::settings::SignUp;

const EMAIL: &str = "/account/email";
const CODE: &str = "/account/email/code";
const AGAIN: &str = "/account/email/again";
const NEW: &str = "hopper@example.com";

async fn email(stored: &Stored) -> (String, bool) {
    let user = stored.users.show("grace").await.expect("found");
    (user.attributes.get("email").unwrap_or_default().to_owned(), user.attributes.is_verified("email"))
}

/// From the overview to the page that takes the code.
async fn ask(browser: &mut Browser<'_>, address: &str) -> Answer {
    let page = browser.open_and_fill(EMAIL, &[("email", address)]).await;
    says(&page, "name=\"code\"");
    page
}

#[tokio::test]
async fn another_address_comes_into_force_with_its_code_and_the_former_one_is_told() {
    let stored = pool().await;
    let mut browser = stored.grace().await;
    let page = ask(&mut browser, NEW).await;
    let code = stored.sent(Kind::Verification, NEW).await;
    assert_eq!(email(&stored).await, ("grace@example.com".to_owned(), true), "the former one stays");
    stored.signed_in("grace@example.com", "first compiler").await;
    let early = stored.fixture.browser().sign_in(NEW, "first compiler").await;
    early.assert_page(StatusCode::UNAUTHORIZED, "Sign in");
    says(&browser.get(OVERVIEW).await, "Waiting for the code");
    let wrong = browser.fill(CODE, &page, &[("code", &other_than(&code))]).await;
    says(&wrong, "This code is not right.");
    let done = browser.fill(CODE, &wrong, &[("code", &code)]).await;
    says(&done, "Your new address is confirmed.");
    says(&done, "hopper@example.com (confirmed)");
    assert_eq!(email(&stored).await, (NEW.to_owned(), true));
    let told = stored.messages().await;
    let told: Vec<_> = told.iter().map(|message| (message.kind, &*message.body.to)).collect();
    assert_eq!(told, [(Kind::AddressChanged, "grace@example.com")]);
    stored.signed_in(NEW, "first compiler").await;
    let former = stored.fixture.browser().sign_in("grace@example.com", "first compiler").await;
    former.assert_page(StatusCode::UNAUTHORIZED, "Sign in");
    assert!(stored.audited().await.contains(&"user user.address".to_owned()));
    // It was used.
    let replayed = browser.fill(CODE, &page, &[("code", &code)]).await;
    says(&replayed, "no longer valid");
    assert_eq!(email(&stored).await, (NEW.to_owned(), true));
}

#[tokio::test]
async fn the_address_of_somebody_else_looks_like_a_free_one_and_stays_where_it_is() {
    let stored = pool().await;
    stored.add_heidi().await;
    let mut browser = stored.grace().await;
    let free = ask(&mut browser, NEW).await;
    let taken = ask(&mut browser, "heidi@example.com").await;
    let shown = |page: &Answer, address: &str| page.text().replace(&page.hidden(), "?").replace(address, "?");
    assert_eq!(shown(&free, NEW), shown(&taken, "heidi@example.com"));
    let messages = stored.messages().await;
    let code = messages.last().and_then(|message| message.body.secret.clone()).expect("a code");
    // Who brings the code reads the mail of the address.
    let answer = browser.fill(CODE, &taken, &[("code", code.expose())]).await;
    says(&answer, "Another account has this address already.");
    assert_eq!(email(&stored).await, ("grace@example.com".to_owned(), true));
    stored.signed_in("heidi@example.com", "second compiler").await;
    let mine = stored.fixture.browser().sign_in("heidi@example.com", "first compiler").await;
    mine.assert_page(StatusCode::UNAUTHORIZED, "Sign in");
}

#[tokio::test]
async fn a_code_is_of_one_user_and_one_address_and_five_wrong_tries_end_it() {
    let stored = pool().await;
    stored.add_heidi().await;
    let (mut grace, mut heidi) = (stored.grace().await, stored.signed_in("heidi", "second compiler").await);
    ask(&mut grace, NEW).await;
    let code = stored.sent(Kind::Verification, NEW).await;
    let other = ask(&mut heidi, "h@example.com").await;
    let refused = heidi.fill(CODE, &other, &[("code", &code)]).await;
    says(&refused, "This code is not right.");
    // Another address replaces the code of the former one.
    let page = ask(&mut grace, "later@example.com").await;
    says(&grace.fill(CODE, &page, &[("code", &code)]).await, "This code is not right.");
    let mut last = page;
    for _ in 0..4 {
        last = grace.fill(CODE, &last, &[("code", &other_than(&code))]).await;
    }
    says(&last, "Too many wrong codes.");
    let messages = stored.messages().await;
    let right = messages.iter().find(|message| message.body.to == "later@example.com").expect("sent");
    let right = right.body.secret.clone().expect("a code");
    says(&grace.fill(CODE, &last, &[("code", right.expose())]).await, "Too many wrong codes.");
    assert_eq!(email(&stored).await.0, "grace@example.com");
}

#[tokio::test]
async fn many_uses_of_one_code_change_the_address_once() {
    let stored = pool().await;
    let mut browser = stored.grace().await;
    let page = ask(&mut browser, NEW).await;
    let (code, hidden) = (stored.sent(Kind::Verification, NEW).await, page.hidden());
    let uses = (0..15).map(|number| {
        let mut same = stored.fixture.browser();
        same.cookies.clone_from(&browser.cookies);
        same.address = std::net::IpAddr::from([198, 51, 100, number]);
        let (hidden, code) = (hidden.clone(), code.clone());
        async move {
            let answer = same.post(CODE, &[("request", &*hidden), ("code", &*code)]).await;
            answer.status() == StatusCode::SEE_OTHER && answer.header("location").starts_with("/account?")
        }
    });
    let answers = futures_util::future::join_all(uses).await;
    assert_eq!(answers.iter().filter(|is_done| **is_done).count(), 1);
    assert_eq!(stored.messages().await.len(), 1, "the former address is told once");
}

#[tokio::test]
async fn codes_that_went_to_the_former_address_are_void() {
    let stored = pool().await;
    let mut thief = stored.fixture.browser();
    let page = thief.authorize(&[]).await;
    let page = thief.get(&Browser::link(&page, routes::FORGOT_PASSWORD)).await;
    let hidden = page.hidden();
    let reset = thief.send_form(routes::FORGOT_PASSWORD, &[("request", &hidden), ("username", "grace")]).await;
    let old = stored.sent(Kind::Reset, "grace@example.com").await;
    let mut browser = stored.grace().await;
    let page = ask(&mut browser, NEW).await;
    let code = stored.sent(Kind::Verification, NEW).await;
    says(&browser.fill(CODE, &page, &[("code", &code)]).await, "is confirmed");
    let hidden = reset.hidden();
    let fields = [("request", &*hidden), ("code", &*old), ("password", "a compiler for everybody")];
    let answer = thief.send_form(routes::RESET_PASSWORD, &fields).await;
    says(&answer, "no longer valid");
}

#[tokio::test]
async fn codes_are_sent_within_limits_and_never_to_other_domains_than_those_of_the_sign_up() {
    let stored = with(|settings| {
        let sign_up = SignUp { allowed_domains: vec!["example.com".into()], verify: vec![Address::Email] };
        settings.self_service = Arc::new(SelfService { sign_up: Some(sign_up), recovery: vec![Address::Email] });
    })
    .await;
    let mut browser = stored.grace().await;
    for (address, said) in [
        ("eve@evil.test", "not available for this e-mail address"),
        ("no address", "Check what you entered"),
        ("", "Check what you entered"),
        ("a@example.com\r\nBcc: b@example.com", "Check what you entered"),
    ] {
        says(&browser.open_and_fill(EMAIL, &[("email", address)]).await, said);
    }
    assert!(stored.messages().await.is_empty());
    let mut sent = 0;
    loop {
        let page = match sent {
            0 => browser.open_and_fill(EMAIL, &[("email", NEW)]).await,
            _ => {
                let page = browser.get(CODE).await;
                browser.fill(AGAIN, &page, &[]).await
            }
        };
        if page.text().contains("Too many attempts.") {
            break;
        }
        sent += 1;
        assert!(sent < 20, "no limit");
    }
    assert_eq!(sent, 5);
    assert!(stored.messages().await.iter().all(|message| message.body.to == NEW));
}

#[tokio::test]
async fn without_a_gateway_there_is_no_page_for_the_phone() {
    let stored = pool().await;
    let mut browser = stored.grace().await;
    browser.get("/account/phone").await.assert_page(StatusCode::NOT_FOUND, "Page not found");
    assert_eq!(browser.get("/account/phone/code").await.header("location"), "/account/phone");
    // Nobody waits for a code either.
    assert_eq!(browser.get(CODE).await.header("location"), EMAIL);
}

#[tokio::test]
async fn nobody_sees_whether_others_have_used_up_the_messages_of_an_address() {
    let stored = with(|settings| settings.messages.limits.per_destination = 1).await;
    stored.add_heidi().await;
    let mut browser = stored.grace().await;
    ask(&mut browser, "heidi+1@example.com").await;
    assert_eq!(stored.messages().await.len(), 1, "to the same mailbox");
    let page = ask(&mut browser, "heidi@example.com").await;
    says(&page, "If you have not asked for too many codes");
    assert!(stored.messages().await.is_empty());
    says(&browser.get(OVERVIEW).await, "Waiting for the code");
}
