//! Sign-up and recovery where a pool has more hosts than its issuer, and clients with looks of their own.

use super::*;
use crate::page;

async fn branded() -> Open {
    let sign_up = SignUp { allowed_domains: vec![], verify: vec![Address::Email] };
    let self_service = SelfService { sign_up: Some(sign_up), recovery: vec![Address::Email] };
    Open::changed(by_address(), self_service, |settings| {
        settings.brand.domains = vec![url("https://auth.example.com")];
        let look = page::settings::Settings { title: Some("Dashboards".into()), ..Default::default() };
        settings.brand.clients.insert("dashboard".into(), look);
    })
    .await
}

/// Where a link of the page leads.
fn link(page: &Answer, path: &str) -> String {
    let (_, rest) = page.text().split_once(&format!("href=\"{path}")).unwrap_or_else(|| panic!("{}", page.text()));
    format!("{path}{}", rest.split_once('"').expect("a whole attribute").0.replace("&#38;", "&"))
}

#[tokio::test]
async fn pages_after_the_first_have_the_look_of_the_client() {
    let open = branded().await;
    let mut browser = open.fixture.browser();
    let page = browser.authorize(&[]).await;
    for path in [routes::SIGN_UP, routes::FORGOT_PASSWORD] {
        let next = browser.get(&link(&page, path)).await;
        assert!(next.text().contains(" · Dashboards</title>"), "{}", next.text());
        // Without the request of a client, the look of the pool.
        assert!(!browser.get(path).await.text().contains("Dashboards"), "{path}");
    }
}

#[tokio::test]
async fn links_in_messages_lead_to_the_host_that_the_user_was_on() {
    let open = branded().await;
    for (at, host, email) in
        [(At::ISSUER, ISSUER, "a@example.com"), (At(1), "https://auth.example.com", "b@example.com")]
    {
        let mut browser = open.fixture.browser();
        browser.at = at;
        let page = browser.get(routes::SIGN_UP).await;
        let fields = [("request", &*page.hidden()), ("email", email), ("password", PASSWORD)];
        assert!(browser.post(routes::SIGN_UP, &fields).await.status().is_success());
        let messages = open.messages().await;
        let link = messages[0].body.link.as_ref().expect("a link").expose();
        assert!(link.starts_with(&format!("{host}{}?", routes::CONFIRM_USER)), "{link}");
    }
}
