//! What the sign-in log and the audit say of each way in.

use super::mfa::{codes_of, pool, seed_of};
use super::self_service::{Open, PASSWORD, by_address, other_than};
use super::stored::Stored;
use super::*;
use crate::directory::filter::Filter;
use crate::directory::status::Status;
use crate::events::event::{Challenge, Event};
use crate::factors::settings::Mode;
use crate::management::sessions::Which;

/// `SignIn Fail Password- TooMany grace`: kind, response, answers, reason, and whose it is.
fn text(event: &Event, names: &[(&str, &str)]) -> String {
    let mut words = vec![event.kind.as_str().to_owned(), event.response.as_str().to_owned()];
    let answer = |(challenge, is_right): &(Challenge, bool)| {
        format!("{}{}", challenge.as_str(), if *is_right { "+" } else { "-" })
    };
    words.extend(event.challenges.iter().map(answer));
    words.extend(event.reason.map(|reason| reason.as_str().to_owned()));
    let who = names.iter().find(|(subject, _)| *subject == event.subject).map(|(_, name)| *name);
    words.push(who.unwrap_or(if event.subject.is_empty() { "nobody" } else { "somebody" }).to_owned());
    words.join(" ")
}

impl Fixture {
    /// The events since the last time.
    pub(super) fn events(&self) -> Vec<Event> {
        self.process.0.events.take().events
    }

    pub(super) fn texts(&self, names: &[(&str, &str)]) -> Vec<String> {
        self.events().iter().map(|event| text(event, names)).collect()
    }
}

#[tokio::test]
async fn each_attempt_with_a_password_is_an_event() {
    let stored = Stored::new().await;
    let grace = stored.users.show("grace").await.expect("found").subject;
    let names = [(&*grace, "grace")];
    let mut browser = stored.fixture.browser();
    browser.headers = vec![("user-agent", "Browser/7")];
    browser.sign_in("grace", "wrong").await;
    browser.sign_in("eve", "wrong").await;
    browser.sign_in("\u{7}", "wrong").await;
    browser.sign_in("grace", "first compiler").await.code();
    let events = stored.fixture.events();
    let texts: Vec<String> = events.iter().map(|event| text(event, &names)).collect();
    let expected = [
        "SignIn Fail Password- grace",
        "SignIn Fail Password- nobody",
        "SignIn Fail Password- nobody",
        "SignIn Pass Password+ grace",
    ];
    assert_eq!(texts, expected);
    assert_eq!(events[0].visit.seen.address, "192.0.2.1");
    assert_eq!(events[0].visit.client.as_deref(), Some("dashboard"));
    assert!(!format!("{events:?}").contains("eve"), "unknown names are not kept");
}

#[tokio::test]
async fn an_attempt_that_is_not_looked_at_is_an_event_too() {
    let stored = Stored::new().await;
    let grace = stored.users.show("grace").await.expect("found").subject;
    for (name, who) in [("grace", "grace"), ("eve", "nobody")] {
        let mut browser = stored.fixture.browser();
        loop {
            let answer = browser.sign_in(name, "wrong").await;
            if answer.status() == StatusCode::TOO_MANY_REQUESTS {
                break;
            }
        }
        let texts = stored.fixture.texts(&[(&grace, "grace")]);
        assert_eq!(texts.last().expect("events"), &format!("SignIn Fail TooMany {who}"));
    }
    stored.users.set_enabled("grace", false, START).await.expect("disabled");
    stored.fixture.advance(24 * 3600);
    stored.fixture.browser().sign_in("grace", "first compiler").await;
    assert_eq!(stored.fixture.texts(&[(&grace, "grace")]), ["SignIn Fail Password+ Disabled grace"]);
}

#[tokio::test]
async fn a_sign_out_is_an_event() {
    let stored = Stored::new().await;
    let grace = stored.users.show("grace").await.expect("found").subject;
    let mut browser = stored.fixture.browser();
    browser.sign_in("grace", "first compiler").await.code();
    let page = browser.get(routes::SIGN_IN).await;
    browser.post(routes::SIGN_OUT, &[("request", &page.hidden())]).await;
    let expected = ["SignIn Pass Password+ grace", "SignOut Pass grace"];
    assert_eq!(stored.fixture.texts(&[(&grace, "grace")]), expected);
}

#[tokio::test]
async fn a_token_that_is_used_twice_is_an_event() {
    let stored = Stored::new().await;
    let tokens = stored.tokens().await;
    let first = tokens["refresh_token"].as_str().expect("a token");
    let second = stored.fixture.refresh(first).await.json();
    stored.fixture.refresh(second["refresh_token"].as_str().expect("a token")).await.json();
    stored.fixture.advance(60);
    stored.fixture.refresh(first).await.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
    let [event] = &stored.users.events("grace", 10).await.expect("read")[..] else { panic!("one event") };
    assert_eq!(text(event, &[]), "TokenReuse Fail somebody");
    assert_eq!(event.visit.seen.address, "192.0.2.9");
}

#[tokio::test]
async fn what_an_administrator_ends_is_an_event_and_in_the_audit() {
    let stored = Stored::new().await;
    let users = &stored.users;
    users.sign_out("grace", START).await.expect("done");
    users.set_enabled("grace", false, START).await.expect("done");
    users.set_enabled("grace", true, START).await.expect("done");
    users.reset("grace", START).await.expect("done");
    let ended = users.end_sessions("grace", Which::Others("x".into()), START).await.expect("done");
    assert_eq!(ended, 0);
    let events = users.events("grace", 10).await.expect("read");
    assert_eq!(events.iter().map(|event| text(event, &[])).collect::<Vec<_>>(), ["SessionsEnded Pass somebody"; 3]);
    let audited = users.audited(Some("grace"), 10).await.expect("read");
    let operations: Vec<&str> = audited.iter().map(|entry| &*entry.operation).collect();
    assert_eq!(operations, ["user.reset", "user.enable", "user.disable", "user.sign_out", "user.add"]);
    assert!(audited.iter().all(|entry| entry.actor == "system"), "the tests are no command");
}

#[tokio::test]
async fn a_sign_up_and_its_confirmation_are_events() {
    let open = Open::new(by_address()).await;
    open.add("ada@example.com", "ada@example.com").await;
    let mut browser = open.fixture.browser();
    for email in ["new@example.com", "ada@example.com"] {
        let page = browser.get(routes::SIGN_UP).await;
        let fields = [("request", &*page.hidden()), ("email", email), ("password", PASSWORD)];
        let page = browser.send_form(routes::SIGN_UP, &fields).await;
        let sent = open.messages().await;
        assert_eq!(sent.len(), 1);
        let code = sent[0].body.secret.as_ref().map(|code| code.expose().clone());
        let code = code.unwrap_or_else(|| "123456".to_owned());
        for typed in [other_than(&code), code] {
            let fields = [("request", &*page.hidden()), ("code", &*typed)];
            browser.send_form(routes::VERIFY, &fields).await;
        }
    }
    let new = open.users.show("new@example.com").await.expect("found").subject;
    let expected = [
        "SignUp InProgress new",
        "SignUp Fail SentCode- new",
        "SignUp Pass SentCode+ new",
        "SignIn Pass Password+ new",
        // The address is Ada's, so this user can never be confirmed. The events are not Ada's.
        "SignUp InProgress other",
        "SignUp Fail SentCode- other",
        "SignUp Fail SentCode- other",
    ];
    let unconfirmed = open.users.search(Filter::Status(Status::Unconfirmed), None, 9).await.expect("found").users;
    assert_eq!(open.fixture.texts(&[(&new, "new"), (&unconfirmed[0].subject, "other")]), expected);
}

#[tokio::test]
async fn a_recovery_is_an_event_for_a_user_and_for_nobody() {
    let open = Open::new(by_address()).await;
    open.add("ada@example.com", "ada@example.com").await;
    let ada = open.users.show("ada@example.com").await.expect("found").subject;
    for (name, expected) in [
        (
            "ada@example.com",
            &[
                "ForgotPassword InProgress ada",
                "ForgotPassword Fail SentCode- ada",
                "ForgotPassword Pass SentCode+ ada",
            ][..],
        ),
        ("eve@example.com", &["ForgotPassword InProgress nobody", "ForgotPassword Fail SentCode- nobody"]),
    ] {
        let mut browser = open.fixture.browser();
        let page = browser.get(routes::FORGOT_PASSWORD).await;
        let page =
            browser.send_form(routes::FORGOT_PASSWORD, &[("request", &*page.hidden()), ("username", name)]).await;
        let code =
            open.messages().await.first().and_then(|due| due.body.secret.as_ref().map(|code| code.expose().clone()));
        let tries = match code {
            Some(code) => vec![other_than(&code), code],
            None => vec!["123456".to_owned()],
        };
        for code in tries {
            let fields = [("request", &*page.hidden()), ("code", &*code), ("password", PASSWORD)];
            browser.send_form(routes::RESET_PASSWORD, &fields).await;
        }
        assert_eq!(open.fixture.texts(&[(&ada, "ada")]), expected);
    }
    let audited = open.users.audited(Some("ada@example.com"), 10).await.expect("read");
    assert_eq!((&*audited[0].operation, &*audited[0].actor), ("user.password", "user"));
}

#[tokio::test]
async fn second_factors_are_in_the_events() {
    let stored = pool(Mode::Required).await;
    let grace = stored.users.show("grace").await.expect("found").subject;
    let texts = || stored.fixture.texts(&[(&grace, "grace")]);
    let (mut browser, page) = stored.half_way().await;
    browser.type_code(&page, "000000").await;
    let seed = seed_of(&page);
    let shown = browser.type_code(&page, &stored.code(&seed)).await;
    browser.post(routes::STEP, &[("request", &shown.hidden())]).await.code();
    let expected = [
        "SignIn InProgress Password+ grace",
        "FactorChange Fail Mfa- grace",
        "FactorChange Pass Mfa+ grace",
        "SignIn Pass Password+ Mfa+ grace",
    ];
    assert_eq!(texts(), expected);
    let (mut browser, page) = stored.half_way().await;
    browser.type_code(&page, "000000").await;
    let other = browser.press(&page, "recovery_code").await;
    browser.type_code(&other, "22222-33333-44444").await;
    browser.type_code(&other, &codes_of(&shown)[0]).await.code();
    let expected = [
        "SignIn InProgress Password+ grace",
        "SignIn Fail Password+ Mfa- grace",
        "SignIn Fail Password+ RecoveryCode- grace",
        "SignIn Pass Password+ RecoveryCode+ grace",
    ];
    assert_eq!(texts(), expected);
    stored.users.reset_factors("grace", START).await.expect("removed");
    let audited = stored.users.audited(Some("grace"), 10).await.expect("read");
    let operations: Vec<&str> = audited.iter().map(|entry| &*entry.operation).collect();
    assert_eq!(operations, ["factor.reset", "factor.add", "user.add"]);
}
