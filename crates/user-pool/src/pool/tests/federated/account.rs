//! The account of a user who signs in at another provider.

use super::*;
use crate::messages::courier::console::Console;
use crate::messages::settings::MailBy;
use crate::pool::tests::mfa::vault;
use crate::settings::Store;

const PROFILE: &str = "/account/profile";

#[tokio::test]
async fn what_comes_from_the_provider_is_text_and_stays() {
    let (federated, _) = Federated::of_pool(|pool| {
        pool.store = Some(Store { sqlite: "unused".into(), vault: vault() });
        pool.messages.mail = Some(MailBy::Console(Console::default()));
    });
    let mut browser = federated.fixture.browser();
    let back = federated.returning(&mut browser).await;
    browser.get(&back).await.code();
    let page = browser.get("/account").await;
    assert!(page.text().contains("Some of this comes from"), "{}", page.text());
    assert!(!page.text().contains("/account/email"), "{}", page.text());
    browser.get("/account/email").await.assert_page(StatusCode::NOT_FOUND, "Page not found");
    let page = browser.get(PROFILE).await;
    page.assert_page(StatusCode::OK, "Change your profile");
    assert!(!page.text().contains(r#"name="name""#), "{}", page.text());
    assert!(page.text().contains("(comes from "), "{}", page.text());
    assert!(page.text().contains("The &#60;Company&#62;"), "{}", page.text());
    let attribute = async |name: &str| {
        let users = federated.users.search(Default::default(), None, 9).await.expect("listed").users;
        users[0].attributes.get(name).map(str::to_owned)
    };
    let before = attribute("name").await;
    assert!(before.is_some());
    let hidden = page.hidden();
    let refused = browser.send_form(PROFILE, &[("request", &hidden), ("name", "Eve"), ("nickname", "Al")]).await;
    assert!(refused.text().contains("Full name comes from the service"), "{}", refused.text());
    assert_eq!((attribute("name").await, attribute("nickname").await), (before.clone(), None));
    let hidden = refused.hidden();
    let saved = browser.send_form(PROFILE, &[("request", &hidden), ("nickname", "Al")]).await;
    assert!(saved.text().contains("Your profile is saved."), "{}", saved.text());
    assert_eq!((attribute("name").await, attribute("nickname").await), (before, Some("Al".into())));
    // A form that was made for the page of the address does not help either.
    let (email, hidden) = (attribute("email").await, browser.get("/account/export").await.hidden());
    browser.send_form("/account/email", &[("request", &hidden), ("email", "eve@example.com")]).await;
    assert_eq!(attribute("email").await, email);
}
