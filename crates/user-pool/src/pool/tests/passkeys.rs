//! Passkeys.

use super::mfa::{ASKED, claims, codes_of, seed_of, vault};
use super::stored::Stored;
use super::*;
use crate::credential::webauthn::tests::Device;
use crate::directory::status::Status;
use crate::factors::settings::{Factor, Mode, Settings as Mfa};
use crate::messages::courier::console::Console;
use crate::messages::message::Kind;
use crate::messages::settings::MailBy;
use crate::settings::Store;

pub(super) const ADD: &str = "/account/passkey";

/// A pool in which passkeys are first and second factors.
pub(super) async fn pool(mode: Mode) -> Stored {
    Stored::with(|settings| {
        let factors = vec![Factor::Passkey, Factor::Totp];
        settings.mfa = Mfa { mode, factors, passkey_is_first: true, ..Mfa::default() };
        settings.store = Some(Store { sqlite: "unused".into(), vault: vault() });
        settings.messages.mail = Some(MailBy::Console(Console::default()));
    })
    .await
}

/// The options of a page with the script, and the hidden value of its form.
#[track_caller]
pub(super) fn passkey_form(page: &Answer, what: &str) -> (Value, String) {
    assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
    let policy = page.header("content-security-policy");
    assert!(policy.contains(" script-src https://login.example/passkeys/script.js;"), "{policy}");
    assert!(policy.starts_with("default-src 'none';") && !policy.contains("unsafe"), "{policy}");
    assert_eq!(page.text().matches("<script").count(), 1, "{}", page.text());
    assert!(page.text().contains(r#"<script src="https://login.example/passkeys/script.js" defer></script>"#));
    assert!(page.text().contains("<noscript>"));
    let (_, rest) = page.text().split_once(&format!("data-what=\"{what}\" data-options=\"")).expect("a form");
    let (options, rest) = rest.split_once('"').expect("its end");
    let (_, rest) = rest.split_once(r#"name="request" value=""#).expect("a hidden value");
    let options = options.replace("&#34;", "\"").replace("&#38;", "&");
    (serde_json::from_str(&options).expect("JSON"), rest.split_once('"').expect("its end").0.to_owned())
}

impl Browser<'_> {
    /// Answers a page that asks for a passkey.
    pub(super) async fn answer(&mut self, path: &str, page: &Answer, device: &Device) -> Answer {
        let (options, request) = passkey_form(page, "get");
        self.post(path, &[("request", &request), ("credential", &device.get(&options))]).await
    }

    /// Adds a passkey on a page.
    pub(super) async fn add(&mut self, page: &Answer, device: &mut Device) -> Answer {
        let (options, request) = passkey_form(page, "create");
        let path = if page.text().contains(&format!("action=\"{ADD}\"")) { ADD } else { routes::STEP };
        self.post(path, &[("request", &request), ("credential", &device.create(&options))]).await
    }
}

/// Grace adds a passkey after a sign-in with her password.
pub(super) async fn with_passkey(stored: &Stored) -> Device {
    let (mut browser, back) = stored.half_way().await;
    assert!(!back.code().is_empty());
    let page = browser.get(ADD).await;
    let mut device = Device::new();
    let shown = browser.add(&page, &mut device).await;
    shown.assert_page(StatusCode::OK, "Write down your recovery codes");
    assert_eq!(codes_of(&shown).len(), 10);
    let done = browser.post("/account/recovery-codes", &[("request", &shown.hidden())]).await;
    assert_eq!((done.status(), done.header("location")), (StatusCode::SEE_OTHER, "/account/factors"));
    device
}

#[tokio::test]
async fn a_passkey_signs_in_without_a_name_and_a_password() {
    let stored = pool(Mode::Required).await;
    let device = {
        // Who must have a second factor and has none may choose a passkey.
        let (mut browser, page) = stored.half_way().await;
        page.assert_page(StatusCode::OK, "Set up a second step");
        let page = browser.post(routes::STEP, &[("request", &page.hidden()), ("set_up", "passkey")]).await;
        let mut device = Device::new();
        let shown = browser.add(&page, &mut device).await;
        let back = browser.post(routes::STEP, &[("request", &shown.hidden())]).await;
        assert_eq!(claims(&stored, &back).await["amr"], json!(["pwd", "hwk", "user", "mfa"]));
        device
    };
    let mut browser = stored.fixture.browser();
    let page = browser.authorize(&[]).await;
    assert!(page.text().contains(r#"autocomplete="username webauthn""#), "{}", page.text());
    let (options, _) = passkey_form(&page, "get");
    assert_eq!(options["allowCredentials"], json!([]), "nobody is named");
    assert_eq!(options["rpId"], "login.example");
    let back = browser.answer(routes::PASSKEY, &page, &device).await;
    let claims = claims(&stored, &back).await;
    assert_eq!((&claims["acr"], &claims["amr"]), (&json!("urn:cognito:loa:4"), &json!(["hwk", "user", "mfa"])));
    assert_eq!(claims["sub"], stored.users.show("grace").await.expect("found").subject);
}

/// Somebody whom another provider does not let in any more must not come in beside it.
#[tokio::test]
async fn a_user_of_another_provider_signs_in_with_no_passkey_alone() {
    let stored = pool(Mode::Optional).await;
    let device = with_passkey(&stored).await;
    let grace = stored.users.show("grace").await.expect("a user").subject;
    stored.set_status(&grace, Status::ExternalProvider).await;
    let mut browser = stored.fixture.browser();
    let page = browser.authorize(&[]).await;
    let refused = browser.answer(routes::PASSKEY, &page, &device).await;
    assert!(refused.text().contains("This passkey was not accepted."), "{}", refused.text());
    assert!(!browser.cookies.contains_key("__Host-vestibule-pool"));
}

#[tokio::test]
async fn a_passkey_is_a_second_factor_and_there_are_other_ways() {
    let stored = pool(Mode::Optional).await;
    let device = with_passkey(&stored).await;
    let (mut browser, page) = stored.half_way().await;
    let (options, _) = passkey_form(&page, "get");
    assert_eq!(options["allowCredentials"][0]["id"], URL_SAFE_NO_PAD.encode(&device.id));
    let back = browser.answer(routes::STEP, &page, &device).await;
    assert_eq!(claims(&stored, &back).await["amr"], json!(["pwd", "hwk", "user", "mfa"]));
    // A recovery code in the place of the passkey.
    let (mut browser, page) = stored.half_way().await;
    let (_, request) = passkey_form(&page, "get");
    let other = browser.post(routes::STEP, &[("request", &request), ("instead", "recovery_code")]).await;
    other.assert_page(StatusCode::OK, ASKED);
    assert!(other.text().contains(r#"value="passkey""#), "and back: {}", other.text());
    // What the user does not have is no way.
    let same = browser.post(routes::STEP, &[("request", &request), ("instead", "totp")]).await;
    passkey_form(&same, "get");
}

#[tokio::test]
async fn an_answer_is_good_once_and_for_its_own_question_and_user() {
    let stored = pool(Mode::Optional).await;
    let device = with_passkey(&stored).await;
    let mut browser = stored.fixture.browser();
    let page = browser.authorize(&[]).await;
    let (options, request) = passkey_form(&page, "get");
    let answer = device.get(&options);
    let fields = [("request", request.as_str()), ("credential", answer.as_str())];
    assert!(!browser.post(routes::PASSKEY, &fields).await.code().is_empty());
    let again = browser.post(routes::PASSKEY, &fields).await;
    assert_eq!(again.status(), StatusCode::UNAUTHORIZED);
    assert!(again.text().contains("This passkey was not accepted"), "{}", again.text());
    // The answer to another question.
    let page = stored.fixture.browser().authorize(&[]).await;
    let (_, other_request) = passkey_form(&page, "get");
    assert_eq!(
        browser.post(routes::PASSKEY, &[("request", &other_request), ("credential", &answer)]).await.status(),
        StatusCode::FORBIDDEN
    );
    // Alice's password, and Grace's passkey.
    let mut browser = stored.fixture.browser();
    let page = browser.sign_in("alice", "correct horse").await;
    assert!(!page.code().is_empty());
    let page = browser.get(ADD).await;
    browser.add(&page, &mut Device::new()).await;
    let page = stored.fixture.browser().sign_in("alice", "correct horse").await;
    assert!(page.text().contains("data-what=\"get\""));
    let mut browser = stored.fixture.browser();
    let page = browser.sign_in("alice", "correct horse").await;
    let refused = browser.answer(routes::STEP, &page, &device).await;
    assert_eq!(refused.status(), StatusCode::UNAUTHORIZED);
    assert!(refused.text().contains("This passkey was not accepted"), "{}", refused.text());
}

#[tokio::test]
async fn a_counter_that_goes_back_is_refused_also_the_next_time() {
    let stored = pool(Mode::Optional).await;
    let mut device = with_passkey(&stored).await;
    for (counter, status) in [
        (5, StatusCode::SEE_OTHER),
        (5, StatusCode::UNAUTHORIZED),
        (4, StatusCode::UNAUTHORIZED),
        (6, StatusCode::SEE_OTHER),
    ] {
        device.counter = counter;
        let mut browser = stored.fixture.browser();
        let page = browser.authorize(&[]).await;
        assert_eq!(browser.answer(routes::PASSKEY, &page, &device).await.status(), status, "{counter}");
    }
}

#[tokio::test]
async fn a_disabled_user_and_an_unknown_passkey_do_not_sign_in() {
    let stored = pool(Mode::Optional).await;
    let device = with_passkey(&stored).await;
    let mut browser = stored.fixture.browser();
    let page = browser.authorize(&[]).await;
    let unknown = browser.answer(routes::PASSKEY, &page, &Device::new()).await;
    assert_eq!(unknown.status(), StatusCode::UNAUTHORIZED);
    for nothing in ["", "{}", "null"] {
        let (_, request) = passkey_form(&page, "get");
        let refused = browser.post(routes::PASSKEY, &[("request", &request), ("credential", nothing)]).await;
        assert_eq!(refused.status(), StatusCode::UNAUTHORIZED, "{nothing}");
    }
    stored.users.set_enabled("grace", false, START).await.expect("disabled");
    let refused = browser.answer(routes::PASSKEY, &page, &device).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert!(refused.text().contains("This account is disabled."), "{}", refused.text());
}

#[tokio::test]
async fn only_who_has_just_signed_in_adds_a_passkey() {
    let stored = pool(Mode::Optional).await;
    let mut browser = stored.fixture.browser();
    let page = browser.get(ADD).await;
    assert!(page.text().contains("<h1>Sign in</h1>"), "{}", page.text());
    let (mut browser, _) = stored.half_way().await;
    let page = browser.get(ADD).await;
    stored.fixture.advance(5 * 60 + 1);
    let late = browser.get(ADD).await;
    assert!(late.text().contains("<h1>Sign in</h1>"), "{}", late.text());
    // The page that was open does nothing any more, and another browser cannot use it.
    let (options, request) = passkey_form(&page, "create");
    let answer = Device::new().create(&options);
    let fields = [("request", request.as_str()), ("credential", answer.as_str())];
    let late = browser.post(ADD, &fields).await;
    assert_eq!((late.status(), late.header("location")), (StatusCode::SEE_OTHER, "/account/passkey?confirm"));
    let mut other = stored.half_way().await.0;
    assert_eq!(other.post(ADD, &fields).await.status(), StatusCode::FORBIDDEN);
    // Cognito's address leads to it.
    let page = browser.get(routes::ADD_PASSKEY).await;
    assert_eq!((page.status(), page.header("location")), (StatusCode::SEE_OTHER, ADD));
    assert_eq!(stored.users.factors("grace").await.expect("found"), Default::default());
}

#[tokio::test]
async fn a_user_has_at_most_twenty() {
    let stored = pool(Mode::Off).await;
    for number in 0..21 {
        if number == 15 {
            // An account changes fifteen times an hour.
            stored.fixture.advance(60 * 60);
        }
        let (mut browser, _) = stored.half_way().await;
        let page = browser.get(ADD).await;
        let added = browser.add(&page, &mut Device::new()).await;
        match number {
            0 => added.assert_page(StatusCode::OK, "Write down your recovery codes"),
            20 => {
                assert_eq!(added.status(), StatusCode::FORBIDDEN);
                assert!(added.text().contains("as many passkeys as an account can have"), "{}", added.text());
            }
            _ => assert_eq!(added.status(), StatusCode::SEE_OTHER, "{number}: {}", added.text()),
        }
    }
}

#[tokio::test]
async fn the_app_can_be_chosen_as_well() {
    let stored = pool(Mode::Required).await;
    let (mut browser, page) = stored.half_way().await;
    let nothing = browser.post(routes::STEP, &[("request", &page.hidden()), ("set_up", "sms")]).await;
    nothing.assert_page(StatusCode::OK, "Set up a second step");
    let page = browser.post(routes::STEP, &[("request", &page.hidden()), ("set_up", "totp")]).await;
    let seed = seed_of(&page);
    let shown = browser.type_code(&page, &stored.code(&seed)).await;
    assert_eq!(codes_of(&shown).len(), 10);
}

#[tokio::test]
async fn the_script_is_served_and_nothing_else_of_it() {
    let stored = pool(Mode::Off).await;
    let script = stored.fixture.call(Method::GET, routes::PASSKEY_SCRIPT, &[], "").await;
    assert_eq!(script.header("content-type"), "text/javascript; charset=utf-8");
    assert!(script.text().contains("navigator.credentials"));
    for dangerous in ["innerHTML", "eval(", "fetch(", "document.write"] {
        assert!(!script.text().contains(dangerous), "{dangerous}");
    }
}

#[tokio::test]
async fn a_user_is_told_of_a_new_passkey() {
    let stored = pool(Mode::Optional).await;
    with_passkey(&stored).await;
    let messages = stored.messages().await;
    let [told] = &messages[..] else { panic!("{} messages", messages.len()) };
    assert_eq!((told.kind, &*told.body.to), (Kind::FactorAdded, "grace@example.com"));
}

#[tokio::test]
async fn when_factors_are_removed_passkeys_are_none_and_sessions_end() {
    let stored = pool(Mode::Optional).await;
    let device = with_passkey(&stored).await;
    let mut finder = stored.fixture.browser();
    let page = finder.authorize(&[]).await;
    let back = finder.answer(routes::PASSKEY, &page, &device).await;
    let tokens = stored.fixture.redeem(&back.code()).await.json();
    assert!(!finder.authorize(&[]).await.code().is_empty(), "signed in");
    stored.users.reset_factors("grace", START).await.expect("removed");
    let page = finder.authorize(&[]).await;
    assert!(page.text().contains("<h1>Sign in</h1>"), "{}", page.text());
    let refresh = stored.fixture.refresh(tokens["refresh_token"].as_str().expect("a token")).await;
    refresh.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
    assert_eq!(finder.answer(routes::PASSKEY, &page, &device).await.status(), StatusCode::UNAUTHORIZED);
    // A user of the configuration, who has no row of users.
    let mut browser = stored.fixture.browser();
    browser.sign_in("alice", "correct horse").await;
    let page = browser.get(ADD).await;
    browser.add(&page, &mut Device::new()).await;
    stored.users.reset_factors("sub-of-Alice", START).await.expect("removed");
    let page = browser.authorize(&[]).await;
    assert!(page.text().contains("<h1>Sign in</h1>"), "{}", page.text());
}

#[tokio::test]
async fn where_a_passkey_is_a_second_factor_only_it_does_not_sign_in_alone() {
    let stored = Stored::with(|settings| {
        settings.mfa = Mfa { mode: Mode::Optional, factors: vec![Factor::Passkey], ..Mfa::default() };
        settings.store = Some(Store { sqlite: "unused".into(), vault: vault() });
    })
    .await;
    with_passkey(&stored).await;
    let mut browser = stored.fixture.browser();
    let page = browser.authorize(&[]).await;
    assert!(!page.text().contains("passkey") && !page.header("content-security-policy").contains("script-src"));
    let refused = browser.post(routes::PASSKEY, &[("request", &page.hidden()), ("credential", "{}")]).await;
    assert_eq!(refused.status(), StatusCode::NOT_FOUND);
}

#[tokio::test]
async fn passkeys_are_in_the_sign_in_log_and_the_audit() {
    let stored = pool(Mode::Optional).await;
    let grace = stored.users.show("grace").await.expect("found").subject;
    let names = [(&*grace, "grace")];
    let device = with_passkey(&stored).await;
    assert_eq!(stored.fixture.texts(&names), ["SignIn Pass Password+ grace", "FactorChange Pass Mfa+ grace"]);
    let added = &stored.users.audited(Some("grace"), 1).await.expect("read")[0];
    assert_eq!((&*added.operation, added.detail.as_deref(), &*added.actor), ("factor.add", Some("passkey"), "user"));
    // As the second factor, at first with one that is not hers.
    let mut foreign = Device::new();
    (foreign.id, foreign.user_handle) = (device.id.clone(), device.user_handle.clone());
    let (mut browser, page) = stored.half_way().await;
    let again = browser.answer(routes::STEP, &page, &foreign).await;
    browser.answer(routes::STEP, &again, &device).await.code();
    let expected =
        ["SignIn InProgress Password+ grace", "SignIn Fail Password+ Mfa- grace", "SignIn Pass Password+ Mfa+ grace"];
    assert_eq!(stored.fixture.texts(&names), expected);
    // As the first one. Whose the wrong one is, nobody has shown.
    let mut browser = stored.fixture.browser();
    let page = browser.authorize(&[]).await;
    let again = browser.answer(routes::PASSKEY, &page, &foreign).await;
    browser.answer(routes::PASSKEY, &again, &device).await.code();
    assert_eq!(stored.fixture.texts(&names), ["SignIn Fail Mfa- nobody", "SignIn Pass Mfa+ grace"]);
    stored.users.set_enabled("grace", false, START).await.expect("disabled");
    let mut browser = stored.fixture.browser();
    let page = browser.authorize(&[]).await;
    assert_eq!(browser.answer(routes::PASSKEY, &page, &device).await.status(), StatusCode::FORBIDDEN);
    assert_eq!(stored.fixture.texts(&names), ["SignIn Fail Mfa+ Disabled grace"]);
}
