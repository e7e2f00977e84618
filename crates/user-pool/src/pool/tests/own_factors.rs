//! The pages on which users see and change their factors, passkeys and trusted browsers.

use super::mfa::{ASKED, claims, codes_of, seed_of, vault};
use super::passkeys::{ADD, with_passkey};
use super::stored::Stored;
use super::*;
use crate::credential::recovery_code;
use crate::credential::totp::Seed;
use crate::credential::webauthn::tests::Device;
use crate::factors::settings::{Factor, Mode, Settings as Mfa};
use crate::messages::courier::console::Console;
use crate::messages::message::Kind;
use crate::messages::settings::MailBy;
use crate::settings::Store;

const FACTORS: &str = "/account/factors";
const APP: &str = "/account/app";
const CODES: &str = "/account/recovery-codes";

async fn pool(mode: Mode) -> Stored {
    Stored::with(|settings| {
        let trusts_for = Some(Duration::from_secs(30 * 86_400));
        let factors = vec![Factor::Passkey, Factor::Totp];
        settings.mfa = Mfa { mode, factors, passkey_is_first: true, trusts_for, ..Mfa::default() };
        settings.store = Some(Store { sqlite: "unused".into(), vault: vault() });
        settings.messages.mail = Some(MailBy::Console(Console::default()));
    })
    .await
}

impl Stored {
    /// The kinds of messages since the last time.
    async fn told(&self) -> Vec<Kind> {
        self.messages().await.iter().map(|message| message.kind).collect()
    }

    /// What was written into the audit about Grace, the newest first.
    async fn written(&self, most: i64) -> Vec<String> {
        let entries = self.users.audited(Some("grace"), most).await.expect("read");
        entries.into_iter().map(|entry| format!("{} {}", entry.operation, entry.detail.unwrap_or_default())).collect()
    }
}

impl Browser<'_> {
    /// Presses a button of the page of factors.
    async fn press_on(&mut self, page: &Answer, name: &str, value: &str) -> Answer {
        self.send_form(FACTORS, &[("request", &page.hidden()), (name, value)]).await
    }

    /// Sets an app up from the page of the account. Returns the page that follows.
    async fn set_app_up(&mut self, stored: &Stored) -> (Seed, Answer) {
        let page = self.get(APP).await;
        let seed = seed_of(&page);
        let fields = [("request", &*page.hidden()), ("code", &*stored.code(&seed))];
        (seed, self.send_form(APP, &fields).await)
    }
}

#[track_caller]
fn says(page: &Answer, words: &str) {
    assert!(page.text().contains(words), "{words}: {}", page.text());
}

#[tokio::test]
async fn an_app_is_set_up_replaced_and_removed_and_the_session_goes_on() {
    let stored = pool(Mode::Optional).await;
    let (mut browser, back) = stored.half_way().await;
    assert!(!back.code().is_empty());
    let page = browser.get(FACTORS).await;
    page.assert_page(StatusCode::OK, "Second step and passkeys");
    says(&page, "None is set up.");
    let wrong = browser.get(APP).await;
    let wrong = browser.send_form(APP, &[("request", &wrong.hidden()), ("code", "000000")]).await;
    says(&wrong, "This code is wrong");
    let (first, shown) = browser.set_app_up(&stored).await;
    shown.assert_page(StatusCode::OK, "Write down your recovery codes");
    assert_eq!(codes_of(&shown).len(), 10);
    // The session has proved the app, so that it goes on.
    let page = browser.send_form(CODES, &[("request", &shown.hidden())]).await;
    page.assert_page(StatusCode::OK, "Second step and passkeys");
    says(&page, "Codes left: 10.");
    let again = browser.authorize(&[]).await;
    assert_eq!(claims(&stored, &again).await["amr"], json!(["pwd", "otp", "mfa"]));
    assert_eq!(
        (stored.told().await, stored.written(1).await),
        (vec![Kind::FactorAdded], vec!["factor.add totp".into()])
    );
    // Another browser is asked for it, and trusts itself.
    let (mut trusted, page) = stored.half_way().await;
    stored.fixture.advance(30);
    let code = stored.code(&first);
    trusted.post(routes::STEP, &[("request", &page.hidden()), ("code", &code), ("trust", "yes")]).await.code();
    says(&browser.get(FACTORS).await, "Trusted browsers");
    // Another app: the one of before counts no more, and neither does the trust. Recovery codes stay.
    let (second, page) = browser.set_app_up(&stored).await;
    says(&page, "Your new app is set up.");
    assert!(!page.text().contains("Trusted browsers<"), "{}", page.text());
    says(&page, "Codes left: 10.");
    assert_eq!(
        (stored.told().await, stored.written(1).await),
        (vec![Kind::FactorAdded], vec!["factor.replace totp".into()])
    );
    stored.fixture.advance(30);
    trusted.cookies.remove("__Host-vestibule-pool");
    let page = trusted.sign_in("grace", "first compiler").await;
    page.assert_page(StatusCode::OK, ASKED);
    trusted.type_code(&page, &stored.code(&first)).await.assert_page(StatusCode::UNAUTHORIZED, ASKED);
    trusted.type_code(&page, &stored.code(&second)).await.code();
    // It goes, and the recovery codes with it.
    let before = browser.get(FACTORS).await;
    let page = browser.press_on(&before, "remove_app", "yes").await;
    says(&page, "It was removed.");
    assert!(!page.text().contains("Recovery codes"), "{}", page.text());
    assert_eq!(
        (stored.told().await, stored.written(1).await),
        (vec![Kind::FactorRemoved], vec!["factor.remove totp".into()])
    );
    let gone = browser.press_on(&before, "remove_app", "yes").await;
    says(&gone, "not there any more");
    stored.half_way().await.1.code();
}

#[tokio::test]
async fn the_secret_of_an_app_that_is_set_up_is_shown_to_nobody() {
    let stored = pool(Mode::Optional).await;
    let (mut browser, _) = stored.half_way().await;
    let page = browser.get(APP).await;
    let seed = seed_of(&page);
    browser.headers = vec![("sec-fetch-mode", "navigate"), ("sec-fetch-site", "same-origin")];
    let wrong = browser.post(APP, &[("request", &page.hidden()), ("code", "000000")]).await;
    let address = wrong.header("location").to_owned();
    assert_eq!(seed_of(&browser.get(&address).await), seed, "the same one, after a wrong code");
    let set = [("request", &*page.hidden()), ("code", &*stored.code(&seed))];
    let codes = browser.send_form(APP, &set).await;
    codes.assert_page(StatusCode::OK, "Write down your recovery codes");
    let back = browser.get(&address).await;
    assert_eq!((back.status(), back.header("location")), (StatusCode::SEE_OTHER, FACTORS));
    // Nor are the recovery codes, once their page is left.
    browser.headers = vec![("sec-fetch-mode", "navigate"), ("sec-fetch-site", "same-origin")];
    let page = browser.get(FACTORS).await;
    browser.headers = vec![("sec-fetch-mode", "navigate"), ("sec-fetch-site", "same-origin")];
    let made = browser.post(FACTORS, &[("request", &page.hidden()), ("renew_codes", "yes")]).await;
    let address = made.header("location").to_owned();
    let shown = browser.get(&address).await;
    shown.assert_page(StatusCode::OK, "Write down your recovery codes");
    browser.send_form(CODES, &[("request", &shown.hidden())]).await;
    let back = browser.get(&address).await;
    assert_eq!((back.status(), back.header("location")), (StatusCode::SEE_OTHER, FACTORS));
    let alone = browser.get(CODES).await;
    assert_eq!((alone.status(), alone.header("location")), (StatusCode::SEE_OTHER, FACTORS));
}

#[tokio::test]
async fn new_recovery_codes_make_those_of_before_invalid() {
    let stored = pool(Mode::Optional).await;
    let old = "22222-33333-44444";
    let seed = stored.with_totp(vec![recovery_code::hash(old).expect("a code")]).await;
    let (mut browser, page) = stored.half_way().await;
    browser.type_code(&page, &stored.code(&seed)).await.code();
    let page = browser.get(FACTORS).await;
    says(&page, "Codes left: 1.");
    let shown = browser.press_on(&page, "renew_codes", "yes").await;
    let codes = codes_of(&shown);
    assert_eq!(codes.len(), 10);
    assert_eq!(stored.written(1).await, ["factor.replace recovery codes"]);
    assert_eq!(stored.told().await, [Kind::FactorAdded]);
    let (mut other, page) = stored.half_way().await;
    let page = other.press(&page, "recovery_code").await;
    other.type_code(&page, old).await.assert_page(StatusCode::UNAUTHORIZED, ASKED);
    other.type_code(&page, &codes[0]).await.code();
    // Without an app or a passkey there are none.
    let page = browser.get(FACTORS).await;
    browser.press_on(&page, "remove_app", "yes").await;
    says(&browser.press_on(&page, "renew_codes", "yes").await, "not there any more");
    assert_eq!(stored.count("recovery_codes").await, 0);
}

#[tokio::test]
async fn a_passkey_is_named_and_removed_by_its_user_only() {
    let stored = pool(Mode::Optional).await;
    let device = with_passkey(&stored).await;
    stored.told().await;
    let id = stored.users.factors("grace").await.expect("found").passkeys[0].id.clone();
    // Alice, with the ID of Grace's passkey.
    let mut alice = stored.fixture.browser();
    alice.sign_in("alice", "correct horse").await.code();
    let page = alice.get(FACTORS).await;
    assert!(!page.text().contains("name=\"request\""), "she has nothing to press");
    let mut grace = stored.fixture.browser();
    let page = grace.authorize(&[]).await;
    grace.answer(routes::PASSKEY, &page, &device).await.code();
    let page = grace.get(FACTORS).await;
    says(&page, "Passkey without a name");
    says(&page, "last used on 2027-01-15.");
    let fields = [("request", &*page.hidden()), ("name_passkey", &*id), ("name", " My\u{7}  <phone>\n")];
    let page = grace.send_form(FACTORS, &fields).await;
    says(&page, "My &#60;phone&#62;");
    says(&page, r#"aria-label="Remove: My &#60;phone&#62;""#);
    let page = grace.press_on(&page, "remove_passkey", "another").await;
    says(&page, "not there any more");
    let page = grace.press_on(&page, "remove_passkey", &id).await;
    says(&page, "It was removed.");
    assert_eq!(
        (stored.told().await, stored.written(1).await),
        (vec![Kind::FactorRemoved], vec!["factor.remove passkey".into()])
    );
    let mut browser = stored.fixture.browser();
    let page = browser.authorize(&[]).await;
    assert_eq!(browser.answer(routes::PASSKEY, &page, &device).await.status(), StatusCode::UNAUTHORIZED);
}

/// The value of a form of one user, with the cookies of another.
#[tokio::test]
async fn a_form_of_one_user_is_none_of_another() {
    let stored = pool(Mode::Optional).await;
    let seed = stored.with_totp(vec![[7; 32]]).await;
    let (mut grace, page) = stored.half_way().await;
    grace.type_code(&page, &stored.code(&seed)).await.code();
    let page = grace.get(FACTORS).await;
    // The same browser, in which somebody else has signed in since.
    grace.cookies.remove("__Host-vestibule-pool");
    grace.sign_in("alice", "correct horse").await.code();
    let refused = grace.post(FACTORS, &[("request", &page.hidden()), ("remove_app", "yes")]).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    assert_eq!(stored.users.factors("grace").await.expect("found").factors, [Factor::Totp]);
}

#[tokio::test]
async fn the_last_second_factor_stays_where_one_is_required_and_the_page_says_why() {
    let stored = pool(Mode::Required).await;
    let seed = stored.with_totp(vec![[7; 32]]).await;
    let (mut browser, page) = stored.half_way().await;
    browser.type_code(&page, &stored.code(&seed)).await.code();
    let page = browser.get(FACTORS).await;
    says(&page, "Your account needs a second step, and this is the only one.");
    assert!(!page.text().contains("remove_app"), "no button: {}", page.text());
    // Whoever sends the form all the same is refused.
    let refused = browser.post(FACTORS, &[("request", &page.hidden()), ("remove_app", "yes")]).await;
    assert_eq!(refused.status(), StatusCode::CONFLICT);
    says(&refused, "role=\"alert\"");
    assert_eq!(stored.users.factors("grace").await.expect("found").factors, [Factor::Totp]);
    assert!(stored.told().await.is_empty());
    // With a passkey beside it, it may go.
    let add = browser.get(ADD).await;
    let mut device = Device::new();
    let added = browser.add(&add, &mut device).await;
    assert_eq!(added.status(), StatusCode::SEE_OTHER, "{}", added.text());
    let page = browser.get(FACTORS).await;
    says(&browser.press_on(&page, "remove_app", "yes").await, "It was removed.");
    assert_eq!(stored.told().await, [Kind::FactorAdded, Kind::FactorRemoved]);
}

#[tokio::test]
async fn a_trusted_browser_is_shown_with_what_it_is_and_forgotten() {
    let stored = pool(Mode::Optional).await;
    let seed = stored.with_totp(vec![[7; 32]]).await;
    let chrome =
        "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0.0.0 Safari/537.36";
    let (mut browser, page) = stored.half_way().await;
    browser.headers = vec![("user-agent", chrome)];
    let code = stored.code(&seed);
    browser.post(routes::STEP, &[("request", &page.hidden()), ("code", &code), ("trust", "yes")]).await.code();
    let page = browser.get(FACTORS).await;
    says(&page, "Chrome on Linux");
    says(&page, "Trusted since 2027-01-15, last used on 2027-01-15.");
    let id = stored.users.factors("grace").await.expect("found").trusted_browsers[0].id.clone();
    let page = browser.press_on(&page, "forget", &id).await;
    says(&page, "The next sign-in there asks for the second step.");
    assert!(!page.text().contains("Chrome on Linux"), "{}", page.text());
    says(&browser.press_on(&page, "forget_all", "yes").await, "not there any more");
    assert!(stored.told().await.is_empty());
}

/// Where codes by mail are a second factor, another address replaces it.
#[tokio::test]
async fn another_address_ends_the_trust_in_browsers_that_codes_to_the_former_one_gave() {
    let stored = Stored::with(|settings| {
        let trusts_for = Some(Duration::from_secs(30 * 86_400));
        settings.mfa = Mfa { mode: Mode::Optional, factors: vec![Factor::Email], trusts_for, ..Mfa::default() };
        settings.store = Some(Store { sqlite: "unused".into(), vault: vault() });
        settings.messages.mail = Some(MailBy::Console(Console::default()));
    })
    .await;
    let (mut browser, page) = stored.half_way().await;
    let code = stored.sent(Kind::SecondFactor, "grace@example.com").await;
    browser.post(routes::STEP, &[("request", &page.hidden()), ("code", &code), ("trust", "yes")]).await.code();
    assert_eq!(stored.users.factors("grace").await.expect("found").trusted_browsers.len(), 1);
    let hidden = browser.get("/account/email").await.hidden();
    let page = browser.send_form("/account/email", &[("request", &hidden), ("email", "hopper@example.com")]).await;
    let code = stored.sent(Kind::Verification, "hopper@example.com").await;
    let hidden = page.hidden();
    browser.send_form("/account/email/code", &[("request", &hidden), ("code", &code)]).await;
    let grace = stored.users.show("grace").await.expect("found");
    assert_eq!(grace.attributes.get("email"), Some("hopper@example.com"));
    assert!(stored.users.factors("grace").await.expect("found").trusted_browsers.is_empty());
}

#[tokio::test]
async fn only_who_has_just_signed_in_changes_something() {
    let stored = pool(Mode::Optional).await;
    let seed = stored.with_totp(vec![[7; 32]]).await;
    let (mut browser, page) = stored.half_way().await;
    browser.type_code(&page, &stored.code(&seed)).await.code();
    let page = browser.get(FACTORS).await;
    stored.fixture.advance(5 * 60 + 1);
    for (name, value) in [("remove_app", "yes"), ("renew_codes", "yes"), ("forget_all", "yes"), ("name_passkey", "x")] {
        let late = browser.post(FACTORS, &[("request", &page.hidden()), (name, value)]).await;
        let expected = (StatusCode::SEE_OTHER, "/account/factors?confirm");
        assert_eq!((late.status(), late.header("location")), expected, "{name}");
    }
    for path in [APP, ADD] {
        says(&browser.get(path).await, "<h1>Sign in</h1>");
    }
    // It may still be looked at.
    browser.get(FACTORS).await.assert_page(StatusCode::OK, "Second step and passkeys");
    assert_eq!(stored.users.factors("grace").await.expect("found").factors, [Factor::Totp]);
}

#[tokio::test]
async fn a_form_of_another_site_changes_nothing() {
    let stored = pool(Mode::Optional).await;
    let seed = stored.with_totp(vec![[7; 32]]).await;
    let (mut browser, page) = stored.half_way().await;
    browser.type_code(&page, &stored.code(&seed)).await.code();
    let page = browser.get(FACTORS).await;
    browser.headers = vec![("origin", "https://evil.example"), ("sec-fetch-site", "cross-site")];
    let refused = browser.post(FACTORS, &[("request", &page.hidden()), ("remove_app", "yes")]).await;
    assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    for request in ["", "forged"] {
        let refused = browser.post(FACTORS, &[("request", request), ("remove_app", "yes")]).await;
        assert_eq!(refused.status(), StatusCode::FORBIDDEN);
    }
    assert_eq!(stored.users.factors("grace").await.expect("found").factors, [Factor::Totp]);
}

/// Each change sends a notice, by SMS to a user who has no other address, and writes a line of the audit.
#[tokio::test]
async fn factors_are_changed_fifteen_times_an_hour() {
    let stored = pool(Mode::Optional).await;
    let (mut browser, back) = stored.half_way().await;
    assert!(!back.code().is_empty());
    browser.set_app_up(&stored).await;
    let page = browser.get(FACTORS).await;
    for _ in 1..15 {
        let codes = browser.press_on(&page, "renew_codes", "yes").await;
        codes.assert_page(StatusCode::OK, "Write down your recovery codes");
    }
    assert_eq!(stored.told().await.len(), 15);
    let (audited, another) = (stored.written(100).await.len(), browser.get(APP).await);
    let code = stored.code(&seed_of(&another));
    let too_many = [
        browser.press_on(&page, "renew_codes", "yes").await,
        browser.press_on(&page, "remove_app", "yes").await,
        browser.send_form(APP, &[("request", &another.hidden()), ("code", &code)]).await,
    ];
    for answer in too_many {
        says(&answer, "Too many attempts");
    }
    let answer = browser.get(ADD).await;
    let answer = browser.send_form("/account/passkey", &[("request", &answer.hidden()), ("credential", "{}")]).await;
    says(&answer, "Too many attempts");
    assert_eq!((stored.told().await, stored.written(100).await.len()), (vec![], audited));
    says(&browser.get(FACTORS).await, "Codes left: 10.");
    stored.fixture.advance(240);
    browser.press_on(&page, "remove_app", "yes").await.assert_page(StatusCode::OK, "Second step and passkeys");
    // Those of before were not sent, and are due again.
    assert_eq!(stored.told().await.iter().filter(|kind| **kind == Kind::FactorRemoved).count(), 1);
}
