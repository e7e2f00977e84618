//! Applications that ask for a level: `acr_values`, and `acr` in `claims`.

use super::mfa::{ASKED, claims, pool};
use super::stored::Stored;
use super::*;
use crate::factors::settings::Mode;

const THREE: (&str, &str) = ("acr_values", "urn:example:gold urn:cognito:loa:3");

fn essential(level: &str) -> String {
    json!({"id_token": {"acr": {"essential": true, "values": [level]}}}).to_string()
}

impl Stored {
    async fn signs_in(&self, browser: &mut Browser<'_>, change: (&str, &str)) -> Answer {
        let page = browser.authorize(&[change]).await;
        assert_eq!(page.status(), StatusCode::OK, "{:?}", page.0);
        browser.submit(&page, "grace", "first compiler").await
    }
}

#[tokio::test]
async fn a_session_that_proves_less_is_asked_for_the_factor_that_the_user_has() {
    let stored = pool(Mode::Optional).await;
    let mut browser = stored.fixture.browser();
    browser.sign_in("grace", "first compiler").await.code();
    // Who has no second factor is not asked, and the token says so.
    assert_eq!(claims(&stored, &browser.authorize(&[THREE]).await).await["acr"], "urn:cognito:loa:1");
    let seed = stored.with_totp(vec![]).await;
    let silent = browser.authorize(&[THREE, ("prompt", "none")]).await;
    assert_eq!(silent.query("error").as_deref(), Some("login_required"));
    let page = stored.signs_in(&mut browser, THREE).await;
    page.assert_page(StatusCode::OK, ASKED);
    let back = browser.type_code(&page, &stored.code(&seed)).await;
    assert_eq!(claims(&stored, &back).await["acr"], "urn:cognito:loa:3");
    assert_eq!(claims(&stored, &browser.authorize(&[THREE]).await).await["acr"], "urn:cognito:loa:3", "silently");
}

#[tokio::test]
async fn a_trusted_browser_and_a_pool_that_asks_nobody_do_not_stand_in_for_a_factor() {
    let stored = Stored::with(|settings| {
        settings.mfa = crate::factors::settings::Settings {
            groups: [("ops".to_owned(), Mode::Off), ("others".to_owned(), Mode::Required)].into(),
            factors: vec![crate::factors::settings::Factor::Totp],
            ..Default::default()
        };
        settings.store = Some(crate::settings::Store { sqlite: "unused".into(), vault: super::mfa::vault() });
    })
    .await;
    stored.with_totp(vec![]).await;
    let mut browser = stored.fixture.browser();
    browser.sign_in("grace", "first compiler").await.code();
    stored.signs_in(&mut stored.fixture.browser(), THREE).await.assert_page(StatusCode::OK, ASKED);
}

#[tokio::test]
async fn what_is_essential_is_reached_or_refused() {
    let stored = pool(Mode::Optional).await;
    let mut browser = stored.fixture.browser();
    let three = essential("urn:cognito:loa:3");
    let refused = stored.signs_in(&mut browser, ("claims", &three)).await;
    assert_eq!(refused.query("error").as_deref(), Some("unmet_authentication_requirements"));
    assert_eq!(refused.query("code"), None);
    for change in [("prompt", "none"), ("prompt", "")] {
        let refused = browser.authorize(&[("claims", &three), change]).await;
        assert_eq!(refused.query("error").as_deref(), Some("unmet_authentication_requirements"), "{change:?}");
    }
    let seed = stored.with_totp(vec![]).await;
    let page = stored.signs_in(&mut browser, ("claims", &three)).await;
    let back = browser.type_code(&page, &stored.code(&seed)).await;
    assert_eq!(claims(&stored, &back).await["acr"], "urn:cognito:loa:3");
    let unknown = browser.authorize(&[("claims", &essential("urn:example:gold"))]).await;
    assert_eq!(unknown.query("error").as_deref(), Some("unmet_authentication_requirements"));
    // Not essential: as `acr_values`.
    let wish = json!({"id_token": {"acr": {"values": ["urn:cognito:loa:4"]}}}).to_string();
    assert_eq!(claims(&stored, &browser.authorize(&[("claims", &wish)]).await).await["acr"], "urn:cognito:loa:3");
    assert!(browser.authorize(&[("acr_values", "urn:example:gold")]).await.query("code").is_some(), "ignored");
}
