//! What follows the password that was typed on a page of the operator: the same as after our own form, on our pages.

use super::super::mfa::{ASKED, vault};
use super::super::stored::Stored;
use super::*;
use crate::Records;
use crate::directory::status::Status;
use crate::factors::settings::{self as factors, Factor, Mode};
use crate::management::NewUser;
use crate::passwords::tests::first;
use crate::settings::Store;

/// A pool with Grace in its database, whose users sign in at [`PAGE`].
async fn stored(mode: Mode) -> Stored {
    Stored::with(|settings| {
        settings.mfa = factors::Settings { mode, factors: vec![Factor::Totp], ..factors::Settings::default() };
        settings.store = Some(Store { sqlite: "unused".into(), vault: vault() });
        settings.brand.login_page = Some(own_page(PAGE));
    })
    .await
}

fn grace(handle: &str) -> Value {
    json!({"handle": handle, "username": "grace", "password": "first compiler"})
}

#[tokio::test]
async fn a_second_factor_is_asked_for_on_our_page() {
    let stored = stored(Mode::Optional).await;
    let seed = stored.with_totp(vec![]).await;
    let mut browser = stored.fixture.browser();
    let handle = browser.handle().await;
    let answer = browser.page_of_another_site_sends(PAGE, &grace(&handle)).await;
    assert_eq!(answer.json()["next"], "second_factor");
    let page = browser.get(&path_of(&answer)).await;
    page.assert_page(StatusCode::OK, ASKED);
    assert!(!browser.cookies.contains_key("__Host-vestibule-pool"), "no session yet");
    let code = browser.type_code(&page, &stored.code(&seed)).await.code();
    let tokens = stored.fixture.redeem(&code).await.json();
    assert_eq!(payload(&tokens["id_token"])["amr"], json!(["pwd", "otp", "mfa"]));
}

#[tokio::test]
async fn a_second_factor_that_is_missing_is_set_up_on_our_page() {
    let stored = stored(Mode::Required).await;
    let mut browser = stored.fixture.browser();
    let handle = browser.handle().await;
    let answer = browser.page_sends(PAGE, &grace(&handle)).await;
    assert_eq!(answer.json()["next"], "set_up_second_factor");
    browser.get(&path_of(&answer)).await.assert_page(StatusCode::OK, super::super::mfa::SET_UP);
}

#[tokio::test]
async fn a_user_who_has_to_do_something_first_gets_no_session() {
    let stored = stored(Mode::Off).await;
    let user = NewUser {
        username: "ida".into(),
        password: Some(first("a temporary one")),
        attributes: vec![],
        groups: vec![],
    };
    let ida = stored.users.add(user, START).await.expect("added").subject;
    let temporary = move |on: &mut crate::database::Transaction<'_>| {
        Records { pool: "demo".into() }.set_status(on, &ida, Status::ForceChangePassword, START)
    };
    stored.database.write(temporary).await.expect("set");
    for (username, password, status, next) in [
        ("ida", "a temporary one", Status::ForceChangePassword, "new_password"),
        ("grace", "first compiler", Status::ResetRequired, "reset_password"),
    ] {
        if status == Status::ResetRequired {
            stored.users.reset(username, START).await.expect("set");
        }
        let mut browser = stored.fixture.browser();
        let handle = browser.handle().await;
        let body = json!({"handle": handle, "username": username, "password": password});
        let answer = browser.page_sends(PAGE, &body).await;
        assert_eq!(answer.json()["next"], next);
        browser.get(&path_of(&answer)).await;
        assert!(!browser.cookies.contains_key("__Host-vestibule-pool"), "{next}");
    }
}

#[tokio::test]
async fn a_page_that_sends_to_another_host_of_the_pool_leads_back_to_the_one_of_the_browser() {
    let mut settings = settings();
    settings.brand.login_page = Some(own_page(PAGE));
    settings.brand.domains = vec![url("https://auth.example.com")];
    let fixture = Fixture::with(settings, START);
    let mut browser = fixture.browser();
    browser.at = At(1);
    let handle = browser.handle().await;
    browser.at = At::ISSUER;
    let answer = browser.page_of_another_site_sends(PAGE, &right(&handle)).await;
    let location = answer.json()["location"].as_str().expect("an address").to_owned();
    let path = location.strip_prefix("https://auth.example.com").expect("the host with the cookie").to_owned();
    let ours = browser.get(&format!("{}?{}", routes::PROCEED, form::encode([("handle", &*handle)]))).await;
    assert!(ours.location().as_str().starts_with("https://auth.example.com/sign-in/continue?handle="));
    browser.at = At(1);
    browser.get(&path).await.code();
}
