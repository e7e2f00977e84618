//! Second factors.

use super::stored::Stored;
use super::*;
use crate::credential::totp::Seed;
use crate::database::Vault;
use crate::factors::Factors;
use crate::factors::settings::{self, Factor, Mode};
use crate::settings::Store;

/// A pool with Grace in its database, and second factors.
pub(super) async fn pool(mode: Mode) -> Stored {
    Stored::with(|settings| {
        settings.mfa = settings::Settings { mode, factors: vec![Factor::Totp], ..settings::Settings::default() };
        settings.store = Some(Store { sqlite: "unused".into(), vault: vault() });
    })
    .await
}

pub(super) fn vault() -> Vault {
    Vault::new([aead::Key::new(&Secret::new([9; 32]))].into())
}

pub(super) fn factors() -> Factors {
    Factors::new("demo".into(), vault())
}

impl Stored {
    /// Grace has an app for one-time passwords, and these recovery codes.
    pub(super) async fn with_totp(&self, hashes: Vec<[u8; 32]>) -> Seed {
        let seed = Seed::random();
        let subject = self.users.show("grace").await.expect("found").subject;
        let of_app = seed.clone();
        let set = self.database.write(move |on| {
            factors().set_totp(on, &subject, (&of_app, 0), START)?;
            factors().set_recovery_codes(on, &subject, &hashes)
        });
        set.await.expect("set");
        seed
    }

    pub(super) fn code(&self, seed: &Seed) -> String {
        seed.code_at(self.fixture.clock.now())
    }

    /// A browser that has typed the password, and the page that asks for more.
    pub(super) async fn half_way(&self) -> (Browser<'_>, Answer) {
        let mut browser = self.fixture.browser();
        let page = browser.sign_in("grace", "first compiler").await;
        (browser, page)
    }
}

impl Browser<'_> {
    pub(super) async fn type_code(&mut self, page: &Answer, code: &str) -> Answer {
        self.post(routes::STEP, &[("request", &page.hidden()), ("code", code)]).await
    }

    pub(super) async fn press(&mut self, page: &Answer, value: &str) -> Answer {
        self.post(routes::STEP, &[("request", &page.hidden()), ("instead", value), ("code", "")]).await
    }
}

pub(super) async fn claims(stored: &Stored, back: &Answer) -> Value {
    payload(&stored.fixture.redeem(&back.code()).await.json()["id_token"])
}

pub(super) const ASKED: &str = "Confirm that it is you";
pub(super) const SET_UP: &str = "Set up one-time passwords";

#[tokio::test]
async fn a_user_with_an_app_is_asked_for_its_code() {
    let stored = pool(Mode::Optional).await;
    let seed = stored.with_totp(vec![]).await;
    let (mut browser, page) = stored.half_way().await;
    page.assert_page(StatusCode::OK, ASKED);
    assert!(!browser.cookies.contains_key("__Host-vestibule-pool"), "no session yet");
    let back = browser.type_code(&page, &stored.code(&seed)).await;
    let claims = claims(&stored, &back).await;
    assert_eq!(claims["acr"], "urn:cognito:loa:3");
    assert_eq!(claims["amr"], json!(["pwd", "otp", "mfa"]));
    // The session says it, too.
    let again = browser.authorize(&[]).await;
    assert_eq!(self::claims(&stored, &again).await["amr"], json!(["pwd", "otp", "mfa"]));
}

#[tokio::test]
async fn who_has_no_factor_is_asked_for_none_where_it_is_optional() {
    let stored = pool(Mode::Optional).await;
    let (_, back) = stored.half_way().await;
    assert_eq!(claims(&stored, &back).await["amr"], json!(["pwd"]));
}

#[tokio::test]
async fn a_factor_that_the_pool_does_not_ask_for_is_not_asked_for() {
    let stored = pool(Mode::Off).await;
    stored.with_totp(vec![]).await;
    let (_, back) = stored.half_way().await;
    assert_eq!(claims(&stored, &back).await["amr"], json!(["pwd"]));
}

#[tokio::test]
async fn a_group_may_have_to_have_a_factor() {
    let stored = Stored::with(|settings| {
        settings.mfa.groups.insert("ops".into(), Mode::Required);
        settings.mfa.factors = vec![Factor::Totp];
        settings.store = Some(Store { sqlite: "unused".into(), vault: vault() });
    })
    .await;
    let (_, page) = stored.half_way().await;
    page.assert_page(StatusCode::OK, SET_UP);
    // A user of the configuration is in no group of the database, and has claims of its own.
    let back = stored.fixture.browser().sign_in("bob", "battery staple").await;
    assert_eq!(claims(&stored, &back).await["amr"], json!(["pwd"]));
    let page = stored.fixture.browser().sign_in("alice", "correct horse").await;
    page.assert_page(StatusCode::OK, SET_UP);
}

/// The secret on the page for an app.
pub(super) fn seed_of(page: &Answer) -> Seed {
    let (_, rest) = page.text().split_once("<p class=\"secret\">").expect("a secret");
    let text = rest.split_once("</p>").expect("its end").0.replace(' ', "");
    assert!(page.text().contains(&format!("secret={text}&#38;issuer=")), "{}", page.text());
    serde_json::from_value(json!(text)).expect("a seed")
}

pub(super) fn codes_of(page: &Answer) -> Vec<String> {
    let block = page.text().split_once(r#"<pre class="codes" tabindex="0">"#);
    let block = block.and_then(|(_, rest)| rest.split_once("</pre>"));
    block.map(|(codes, _)| codes.split_whitespace().map(str::to_owned).collect()).unwrap_or_default()
}

#[tokio::test]
async fn who_must_have_a_factor_sets_one_up_and_gets_recovery_codes() {
    let stored = pool(Mode::Required).await;
    let (mut browser, page) = stored.half_way().await;
    page.assert_page(StatusCode::OK, SET_UP);
    let wrong = browser.type_code(&page, "000000").await;
    wrong.assert_page(StatusCode::UNAUTHORIZED, SET_UP);
    assert_eq!(seed_of(&wrong), seed_of(&page), "what was scanned stays good");
    let seed = seed_of(&page);
    let shown = browser.type_code(&page, &stored.code(&seed)).await;
    shown.assert_page(StatusCode::OK, "Write down your recovery codes");
    let codes = codes_of(&shown);
    assert_eq!(codes.len(), 10);
    let back = browser.post(routes::STEP, &[("request", &shown.hidden())]).await;
    assert_eq!(claims(&stored, &back).await["acr"], "urn:cognito:loa:3");
    // The code of the setting up is used up. One of the recovery codes is good once.
    let (mut browser, page) = stored.half_way().await;
    browser.type_code(&page, &stored.code(&seed)).await.assert_page(StatusCode::UNAUTHORIZED, ASKED);
    let other = browser.press(&page, "recovery_code").await;
    other.assert_page(StatusCode::OK, ASKED);
    assert!(other.text().contains("Recovery code"), "{}", other.text());
    let back = browser.type_code(&other, &codes[3].to_uppercase()).await;
    let used = claims(&stored, &back).await;
    assert_eq!((&used["acr"], &used["amr"]), (&json!("urn:cognito:loa:2"), &json!(["pwd", "otp", "mfa"])));
    let (mut browser, page) = stored.half_way().await;
    let other = browser.press(&page, "recovery_code").await;
    browser.type_code(&other, &codes[3]).await.assert_page(StatusCode::UNAUTHORIZED, ASKED);
}

#[tokio::test]
async fn a_second_page_cannot_replace_what_the_first_has_set_up() {
    let stored = pool(Mode::Required).await;
    let (mut thief, early) = stored.half_way().await;
    let (mut browser, page) = stored.half_way().await;
    let seed = seed_of(&page);
    let shown = browser.type_code(&page, &stored.code(&seed)).await;
    assert_eq!(codes_of(&shown).len(), 10);
    let refused = thief.type_code(&early, &stored.code(&seed_of(&early))).await;
    refused.assert_page(StatusCode::FORBIDDEN, "This sign-in page has expired");
    stored.fixture.advance(30);
    let (mut browser, page) = stored.half_way().await;
    assert!(!browser.type_code(&page, &stored.code(&seed)).await.code().is_empty(), "the first one counts");
}

#[tokio::test]
async fn a_step_of_before_does_not_come_back_to_life() {
    let stored = pool(Mode::Optional).await;
    let seed = stored.with_totp(vec![]).await;
    let (mut browser, page) = stored.half_way().await;
    assert!(!browser.type_code(&page, &stored.code(&seed)).await.code().is_empty());
    let (mut browser, page) = stored.half_way().await;
    let earlier = seed.code_at(START - Duration::from_secs(30));
    browser.type_code(&page, &earlier).await.assert_page(StatusCode::UNAUTHORIZED, ASKED);
}

#[tokio::test]
async fn guesses_at_codes_are_limited_also_with_the_right_password_between_them() {
    let stored = pool(Mode::Optional).await;
    let seed = stored.with_totp(vec![]).await;
    for guess in 0..10 {
        let (mut browser, page) = stored.half_way().await;
        browser.address = format!("192.0.2.{}", 100 + guess).parse().expect("an address");
        browser.type_code(&page, "000000").await.assert_page(StatusCode::UNAUTHORIZED, ASKED);
    }
    let (mut browser, page) = stored.half_way().await;
    browser.address = "192.0.2.200".parse().expect("an address");
    let refused = browser.type_code(&page, &stored.code(&seed)).await;
    refused.assert_page(StatusCode::TOO_MANY_REQUESTS, ASKED);
    assert_eq!(refused.header("retry-after"), "300");
    stored.fixture.advance(300);
    let (mut browser, page) = stored.half_way().await;
    assert!(!browser.type_code(&page, &stored.code(&seed)).await.code().is_empty());
}

#[tokio::test]
async fn what_is_no_code_is_no_guess() {
    let stored = pool(Mode::Optional).await;
    stored.with_totp(vec![]).await;
    let (mut browser, page) = stored.half_way().await;
    for _ in 0..20 {
        browser.type_code(&page, " ").await.assert_page(StatusCode::BAD_REQUEST, ASKED);
        browser.type_code(&page, "12345").await.assert_page(StatusCode::UNAUTHORIZED, ASKED);
    }
}

#[tokio::test]
async fn a_half_signed_in_browser_is_bound_and_limited() {
    let stored = pool(Mode::Optional).await;
    let seed = stored.with_totp(vec![]).await;
    let (mut browser, page) = stored.half_way().await;
    // Another browser.
    let mut other = stored.fixture.browser();
    other.authorize(&[]).await;
    let refused = other.type_code(&page, &stored.code(&seed)).await;
    refused.assert_page(StatusCode::FORBIDDEN, "This form cannot be used here");
    // The value of another form.
    let form = browser.authorize(&[]).await.hidden();
    let refused = browser.post(routes::STEP, &[("request", &form), ("code", &stored.code(&seed))]).await;
    refused.assert_page(StatusCode::FORBIDDEN, "This form cannot be used here");
    // Three minutes (pool §9.4), also if it is shown again meanwhile.
    stored.fixture.advance(170);
    let shown_again = browser.type_code(&page, "").await;
    stored.fixture.advance(11);
    let refused = browser.type_code(&shown_again, &stored.code(&seed)).await;
    refused.assert_page(StatusCode::FORBIDDEN, "This sign-in page has expired");
    assert!(!browser.cookies.contains_key("__Host-vestibule-pool"));
    // Another password, or a disabled user.
    let (mut browser, page) = stored.half_way().await;
    stored.users.set_enabled("grace", false, START).await.expect("disabled");
    let refused = browser.type_code(&page, &stored.code(&seed)).await;
    refused.assert_page(StatusCode::FORBIDDEN, "This sign-in page has expired");
}

#[tokio::test]
async fn a_browser_is_redirected_from_page_to_page() {
    let stored = pool(Mode::Optional).await;
    let seed = stored.with_totp(vec![]).await;
    let mut browser = stored.fixture.browser();
    let page = browser.authorize(&[]).await;
    browser.headers = vec![("sec-fetch-mode", "navigate"), ("sec-fetch-site", "same-origin")];
    let sent = browser.submit(&page, "grace", "first compiler").await;
    assert_eq!(sent.status(), StatusCode::SEE_OTHER);
    let path = sent.header("location").to_owned();
    assert!(path.starts_with("/sign-in/step?go="), "{path}");
    let page = browser.get(&path).await;
    page.assert_page(StatusCode::OK, ASKED);
    browser.headers = vec![("sec-fetch-mode", "navigate"), ("sec-fetch-site", "same-origin")];
    let sent = browser.type_code(&page, "000000").await;
    assert_eq!(sent.status(), StatusCode::SEE_OTHER);
    let again = browser.get(sent.header("location")).await;
    again.assert_page(StatusCode::OK, ASKED);
    assert!(again.text().contains("This code is wrong"), "{}", again.text());
    // In another browser the address shows nothing.
    let mut other = stored.fixture.browser();
    other.authorize(&[]).await;
    other.get(&path).await.assert_page(StatusCode::FORBIDDEN, "This form cannot be used here");
    other.get("/sign-in/step").await.assert_page(StatusCode::OK, "Sign in");
    other.get("/sign-in/step?go=x").await.assert_page(StatusCode::OK, "Sign in");
    assert!(!browser.type_code(&again, &stored.code(&seed)).await.code().is_empty());
}

#[tokio::test]
async fn what_is_stored_of_an_app_is_encrypted_for_its_user() {
    let stored = pool(Mode::Optional).await;
    let seed = stored.with_totp(vec![]).await;
    let rows = stored.database.read(|on| {
        let mut row = on.query_one("SELECT sealed FROM factors", &[])?.expect("a row");
        row.blob(0)
    });
    let sealed = rows.await.expect("read");
    assert!(!sealed.windows(20).any(|part| part == seed.bytes()));
    // Moved to another user it does not open.
    let moved = stored.database.write(|on| {
        on.execute("UPDATE factors SET sub = 'sub-of-bob'", &[])?;
        factors().totp(on, "sub-of-bob")
    });
    assert!(matches!(moved.await, Err(crate::database::Error::Sealed { table: "factors" })));
}

#[tokio::test]
async fn an_administrator_sees_and_removes_the_factors_of_a_user() {
    let stored = pool(Mode::Optional).await;
    stored.with_totp(vec![[1; 32], [2; 32]]).await;
    let owned = stored.users.factors("grace").await.expect("found");
    assert_eq!((&owned.factors[..], owned.recovery_codes), (&[Factor::Totp][..], 2));
    stored.users.reset_factors("GRACE", START).await.expect("removed");
    assert_eq!(stored.users.factors("grace").await.expect("found"), Default::default());
    let (_, back) = stored.half_way().await;
    assert!(!back.code().is_empty());
    for nobody in ["nobody", "sub-of-nobody"] {
        assert!(matches!(stored.users.factors(nobody).await, Err(crate::management::Error::NoUser(_))));
        assert!(matches!(stored.users.reset_factors(nobody, START).await, Err(crate::management::Error::NoUser(_))));
    }
    // A user who is deleted leaves nothing.
    stored.with_totp(vec![[1; 32]]).await;
    stored.users.delete("grace", START).await.expect("deleted");
    let count = stored.database.read(|on| {
        on.query_one("SELECT (SELECT count(*) FROM factors) + (SELECT count(*) FROM recovery_codes)", &[])?
            .expect("a row")
            .integer(0)
    });
    assert_eq!(count.await.expect("read"), 0);
}

#[tokio::test]
async fn a_session_of_a_password_alone_is_not_enough_where_more_is_asked_today() {
    let stored = pool(Mode::Optional).await;
    let (mut browser, back) = stored.half_way().await;
    assert_eq!(claims(&stored, &back).await["amr"], json!(["pwd"]));
    let cli = [("client_id", "cli"), ("redirect_uri", "http://127.0.0.1:51234/cb")];
    let confirm = browser.authorize(&cli).await;
    confirm.assert_page(StatusCode::OK, "Give a program access?");
    assert!(!browser.authorize(&[]).await.code().is_empty(), "the session signs in silently");
    let seed = stored.with_totp(vec![]).await;
    browser.authorize(&[]).await.assert_page(StatusCode::OK, "Sign in");
    let silent = browser.authorize(&[("prompt", "none")]).await;
    assert_eq!((silent.query("error").as_deref(), silent.query("code")), (Some("login_required"), None));
    browser.get(routes::SIGN_IN).await.assert_page(StatusCode::OK, "Sign in");
    browser.post(routes::CONFIRM, &[("request", &confirm.hidden())]).await.assert_page(StatusCode::OK, "Sign in");
    let page = browser.sign_in("grace", "first compiler").await;
    let back = browser.type_code(&page, &stored.code(&seed)).await;
    assert_eq!(claims(&stored, &back).await["amr"], json!(["pwd", "otp", "mfa"]));
    assert!(!browser.authorize(&[]).await.code().is_empty());
}

#[tokio::test]
async fn the_page_with_recovery_codes_is_over_when_it_was_left() {
    let stored = pool(Mode::Required).await;
    let mut browser = stored.fixture.browser();
    let page = browser.sign_in("grace", "first compiler").await;
    let code = stored.code(&seed_of(&page));
    browser.headers = vec![("sec-fetch-mode", "navigate"), ("sec-fetch-site", "same-origin")];
    let address = browser.type_code(&page, &code).await.header("location").to_owned();
    let shown = browser.get(&address).await;
    assert_eq!(codes_of(&shown).len(), 10);
    assert_eq!(codes_of(&browser.get(&address).await).len(), 10, "it can be loaded again");
    assert!(!browser.post(routes::STEP, &[("request", &shown.hidden())]).await.code().is_empty());
    // The next person at this browser goes back in its history.
    let again = browser.get(&address).await;
    again.assert_page(StatusCode::FORBIDDEN, "This sign-in page has expired");
    browser.cookies.remove("__Host-vestibule-pool");
    let again = browser.post(routes::STEP, &[("request", &shown.hidden())]).await;
    again.assert_page(StatusCode::FORBIDDEN, "This sign-in page has expired");
    assert!(!browser.cookies.contains_key("__Host-vestibule-pool"));
}
