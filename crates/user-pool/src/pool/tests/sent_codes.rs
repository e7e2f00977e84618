//! Codes by mail and SMS as second factors.

use super::mfa::{ASKED, claims, vault};
use super::self_service::other_than;
use super::stored::Stored;
use super::*;
use crate::factors::settings::{Factor, Mode, Settings as Mfa};
use crate::messages::message::Kind;
use crate::messages::queue::{Due, Queue};
use crate::self_service::settings::{Address, Settings as SelfService};
use crate::settings::Store;

const NOT_VALID: &str = "no longer valid";

pub(super) async fn pool(mode: Mode, factors: &[Factor]) -> Stored {
    Stored::with(|settings| {
        let groups = [("ops".to_owned(), mode)].into();
        settings.mfa = Mfa { mode: Mode::Optional, groups, factors: factors.to_vec(), ..Mfa::default() };
        settings.self_service = Arc::new(SelfService { sign_up: None, recovery: vec![Address::Email] });
        settings.store = Some(Store { sqlite: "unused".into(), vault: vault() });
    })
    .await
}

impl Stored {
    /// The messages that would be sent now.
    pub(super) async fn messages(&self) -> Vec<Due> {
        let (queue, now) = (Queue::new("demo".into(), vault()), self.fixture.clock.now());
        self.database.write(move |on| queue.claim(on, 100, now)).await.expect("claimed").due
    }

    /// The code of the only message.
    pub(super) async fn sent(&self, kind: Kind, to: &str) -> String {
        let messages = self.messages().await;
        let [message] = &messages[..] else { panic!("{} messages", messages.len()) };
        assert_eq!((message.kind, &*message.body.to), (kind, to));
        message.body.secret.as_ref().expect("a code").expose().clone()
    }

    /// The code that was sent last. Those of before are void, and not sent.
    async fn newest(&self) -> String {
        let messages = self.messages().await;
        let last = messages.last().and_then(|message| message.body.secret.clone());
        last.expect("a code").expose().clone()
    }

    async fn set(&self, name: &str, value: &str) {
        self.users.set_attributes("grace", vec![(name.into(), value.into())], START).await.expect("set");
    }
}

#[tokio::test]
async fn a_code_is_sent_after_the_password_and_not_before() {
    let stored = pool(Mode::Optional, &[Factor::Email]).await;
    let mut browser = stored.fixture.browser();
    browser.sign_in("grace", "wrong").await.assert_page(StatusCode::UNAUTHORIZED, "Sign in");
    assert!(stored.messages().await.is_empty());
    let (mut browser, page) = stored.half_way().await;
    page.assert_page(StatusCode::OK, ASKED);
    assert!(page.text().contains("g***@e***") && !page.text().contains("grace@example.com"), "{}", page.text());
    assert!(!page.text().contains("<script"), "no JavaScript");
    let code = stored.sent(Kind::SecondFactor, "grace@example.com").await;
    let wrong = browser.type_code(&page, &other_than(&code)).await;
    wrong.assert_page(StatusCode::UNAUTHORIZED, ASKED);
    let back = browser.type_code(&page, &code).await;
    let claims = claims(&stored, &back).await;
    assert_eq!((&claims["acr"], &claims["amr"]), (&json!("urn:cognito:loa:2"), &json!(["pwd", "otp", "mfa"])));
    // It was used.
    let (mut browser, page) = stored.half_way().await;
    let again = browser.type_code(&page, &code).await;
    assert_eq!(again.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn a_code_by_sms_goes_to_the_verified_number() {
    let stored = pool(Mode::Optional, &[Factor::Sms]).await;
    assert!(!stored.half_way().await.1.code().is_empty(), "there is no number");
    stored.set("phone_number", "+4930123459934").await;
    assert!(!stored.half_way().await.1.code().is_empty(), "the number is not verified");
    stored.set("phone_number_verified", "true").await;
    let (mut browser, page) = stored.half_way().await;
    assert!(page.text().contains("+*******9934"), "{}", page.text());
    let code = stored.sent(Kind::SecondFactor, "+4930123459934").await;
    let back = browser.type_code(&page, &code).await;
    assert_eq!(claims(&stored, &back).await["amr"], json!(["pwd", "sms", "mfa"]));
}

#[tokio::test]
async fn five_wrong_tries_end_a_code_and_another_one_is_sent() {
    let stored = pool(Mode::Optional, &[Factor::Email]).await;
    let (mut browser, page) = stored.half_way().await;
    let code = stored.sent(Kind::SecondFactor, "grace@example.com").await;
    for number in 1..=5 {
        let wrong = browser.type_code(&page, &other_than(&code)).await;
        assert_eq!(wrong.text().contains("Too many wrong codes"), number == 5, "{number}: {}", wrong.text());
    }
    // The limit of the address would refuse, too.
    browser.address = IpAddr::from([203, 0, 113, 9]);
    let right = browser.type_code(&page, &code).await;
    assert_eq!(right.status(), StatusCode::UNAUTHORIZED, "{}", right.text());
    let other = browser.press(&page, "email").await;
    other.assert_page(StatusCode::OK, ASKED);
    assert!(other.text().contains("we have sent another one"), "{}", other.text());
    let code = stored.newest().await;
    stored.fixture.advance(9 * 60 + 30);
    assert!(!browser.type_code(&other, &code).await.code().is_empty());
}

#[tokio::test]
async fn no_more_codes_are_sent_than_allowed_and_the_last_one_stays_good() {
    let stored = pool(Mode::Optional, &[Factor::Email]).await;
    let (mut browser, mut page) = stored.half_way().await;
    let first = page.text().to_owned();
    for _ in 0..9 {
        page = browser.press(&page, "email").await;
        page.assert_page(StatusCode::OK, ASKED);
    }
    assert_ne!(first, page.text());
    assert_eq!(stored.count("outbox").await, 5, "the ceiling of a user");
    let last = stored.newest().await;
    for _ in 0..5 {
        page = browser.press(&page, "email").await;
    }
    let refused = browser.press(&page, "email").await;
    assert_eq!(refused.status(), StatusCode::TOO_MANY_REQUESTS);
    assert!(refused.header("retry-after").parse::<u64>().is_ok_and(|seconds| seconds > 0));
    assert!(!browser.type_code(&refused, &last).await.code().is_empty());
}

#[tokio::test]
async fn users_choose_among_their_factors_and_nothing_is_sent_before() {
    let stored = pool(Mode::Optional, &[Factor::Totp, Factor::Email]).await;
    let seed = stored.with_totp(vec![]).await;
    let (mut browser, page) = stored.half_way().await;
    assert!(page.text().contains("Send a code by e-mail instead") && !page.text().contains("g***"), "{}", page.text());
    assert!(stored.messages().await.is_empty(), "the app comes first");
    let sent = browser.press(&page, "email").await;
    assert!(sent.text().contains("g***@e***") && sent.text().contains("Use the app instead"), "{}", sent.text());
    let code = stored.sent(Kind::SecondFactor, "grace@example.com").await;
    // The code of one is none of the other.
    let app = browser.press(&sent, "totp").await;
    browser.type_code(&app, &code).await.assert_page(StatusCode::UNAUTHORIZED, ASKED);
    assert!(!browser.type_code(&app, &stored.code(&seed)).await.code().is_empty());
    // What the user does not have is no way.
    let (mut browser, page) = stored.half_way().await;
    browser.press(&page, "sms").await;
    assert!(stored.messages().await.is_empty());
}

#[tokio::test]
async fn a_code_is_good_for_its_time_and_for_its_address() {
    let stored = pool(Mode::Optional, &[Factor::Email]).await;
    let (mut browser, page) = stored.half_way().await;
    let code = stored.sent(Kind::SecondFactor, "grace@example.com").await;
    stored.set("email", "hopper@example.com").await;
    stored.set("email_verified", "true").await;
    let refused = browser.type_code(&page, &code).await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert!(refused.text().contains(NOT_VALID), "{}", refused.text());
    let (mut browser, page) = stored.half_way().await;
    let code = stored.sent(Kind::SecondFactor, "hopper@example.com").await;
    stored.fixture.advance(10 * 60);
    let late = browser.type_code(&page, &code).await;
    assert_ne!(late.status(), StatusCode::SEE_OTHER);
}

#[tokio::test]
async fn a_code_of_one_user_is_none_of_another() {
    let stored = pool(Mode::Optional, &[Factor::Email]).await;
    let _graces = stored.half_way().await;
    let code = stored.sent(Kind::SecondFactor, "grace@example.com").await;
    let mut browser = stored.fixture.browser();
    let page = browser.sign_in("alice", "correct horse").await;
    page.assert_page(StatusCode::OK, ASKED);
    browser.type_code(&page, &code).await.assert_page(StatusCode::UNAUTHORIZED, ASKED);
}

#[tokio::test]
async fn who_must_have_a_factor_and_has_no_verified_address_cannot_go_on() {
    let stored = pool(Mode::Required, &[Factor::Email]).await;
    stored.half_way().await.1.assert_page(StatusCode::OK, ASKED);
    assert_eq!(stored.messages().await.len(), 1);
    stored.set("email_verified", "false").await;
    let page = stored.half_way().await.1;
    assert_eq!(page.status(), StatusCode::FORBIDDEN);
    assert!(stored.messages().await.is_empty());
}

#[tokio::test]
async fn an_address_that_gets_codes_recovers_no_password() {
    for (mode, sent) in [(Mode::Optional, 0), (Mode::Required, 0), (Mode::Off, 1)] {
        let stored = pool(mode, &[Factor::Email]).await;
        let mut browser = stored.fixture.browser();
        let page = browser.get(routes::FORGOT_PASSWORD).await;
        browser.post(routes::FORGOT_PASSWORD, &[("request", &page.hidden()), ("username", "grace")]).await;
        assert_eq!(stored.messages().await.len(), sent, "{mode:?}");
    }
    let stored = pool(Mode::Optional, &[Factor::Totp]).await;
    let mut browser = stored.fixture.browser();
    let page = browser.get(routes::FORGOT_PASSWORD).await;
    browser.post(routes::FORGOT_PASSWORD, &[("request", &page.hidden()), ("username", "grace")]).await;
    stored.sent(Kind::Reset, "grace@example.com").await;
}
