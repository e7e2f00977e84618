//! A hostile application names an issuer of its own, and that issuer names the pages of an honest provider (RFC 9700 §4.4).

use serde_json::json;
use tokio::sync::mpsc;

use super::scripted::*;
use crate::token_client::error::Error;
use crate::token_client::sign_in::{self, SignedIn, Wish};

/// The provider that the user trusts.
const HONEST: &str = "https://honest.test";

/// A sign-in of a user who is signed in at the honest provider: its page sends each browser back at once, with this answer. Returns what was shown, too.
async fn lured(
    servers: &std::sync::Arc<Servers>,
    wish: &Wish,
    says: &[(&str, &str)],
) -> (Result<SignedIn, Error>, Vec<String>) {
    let (shown, mut shows) = mpsc::unbounded_channel();
    let (calls, asked) = (servers.calls(), asked());
    let program = async move { sign_in::sign_in(&calls, &asked, wish, &Shown(shown)).await };
    let person = async {
        let mut seen = Vec::new();
        while let Some(text) = shows.recv().await {
            if text.contains("/authorize?") {
                let back = callback(&text, says);
                visit(&back, back.authority(), "GET").await;
            }
            seen.push(text);
        }
        seen
    };
    tokio::join!(program, person)
}

/// The hostile issuer is `ISSUER`, with a token endpoint of its own.
fn hostile(authorization: &str, says_issuer: bool) -> std::sync::Arc<Servers> {
    Servers::new(json!({
        "authorization_endpoint": authorization, "authorization_response_iss_parameter_supported": says_issuer,
        "registration_endpoint": "https://login.test/register",
    }))
}

#[tokio::test]
async fn b_22_a_code_of_an_honest_provider_does_not_reach_the_issuer_of_a_hostile_application() {
    for page in [
        "https://honest.test/authorize",
        "https://login.test:8443/authorize",
        "https://login.test.honest.test/authorize",
        // A page of its own can send the browser on to the honest one.
        "https://login.test/oauth2/authorize",
        "https://login.test:443/authorize",
    ] {
        let servers = hostile(page, false);
        // The honest provider does not say who it is (RFC 9207).
        let (result, seen) = lured(&servers, &wish(), &[("code", "c-1")]).await;
        assert!(!servers.asked().contains(&TOKEN.to_owned()), "{page}: the code went to {}", servers.sent(TOKEN));
        let error = result.expect_err("refused");
        assert!(matches!(error, Error::Nameless(_)), "{error}");
        assert!(error.to_string().contains(&format!("--issuer {ISSUER}")), "{error}");
        assert!(seen.is_empty(), "nothing is opened: {seen:?}");
        assert_eq!(servers.asked().len(), 3, "and nobody is registered");
    }
}

#[tokio::test]
async fn b_22_an_issuer_that_says_itself_in_each_answer_may_have_its_page_elsewhere() {
    let page = format!("{HONEST}/authorize");
    for says in [&[("code", "c-1")][..], &[("code", "c-1"), ("iss", HONEST)]] {
        let servers = hostile(&page, true);
        let (result, seen) = lured(&servers, &wish(), says).await;
        assert!(matches!(result, Err(Error::CallbackIssuer)), "{result:?}");
        assert!(seen.iter().any(|text| text.starts_with(HONEST)), "{seen:?}");
        assert!(!servers.asked().contains(&TOKEN.to_owned()));
    }
    let servers = hostile(&page, true);
    let (result, _) = lured(&servers, &wish(), &[("code", "c-1"), ("iss", ISSUER)]).await;
    assert_eq!(result.expect("signed in").issuer, ISSUER);
}

/// Amazon Cognito has its pages on another host than its issuer, and does not say `iss`.
#[tokio::test]
async fn an_issuer_that_the_user_has_named_may_have_its_page_elsewhere() {
    let servers = hostile(&format!("{HONEST}/authorize"), false);
    let named = Wish { issuer: Some(ISSUER.into()), ..wish() };
    let (result, _) = lured(&servers, &named, &[("code", "c-1")]).await;
    assert_eq!(result.expect("signed in").token.access.expose(), "abc.def");
    // What the answer says counts as ever.
    let (result, _) = lured(&servers, &named, &[("code", "c-1"), ("iss", HONEST)]).await;
    assert!(matches!(result, Err(Error::CallbackIssuer)), "{result:?}");
}

#[tokio::test(start_paused = true)]
async fn b_22_a_code_for_an_honest_provider_is_not_shown_for_the_issuer_of_a_hostile_application() {
    let elsewhere = format!("{HONEST}/activate");
    for name in ["verification_uri", "verification_uri_complete"] {
        for says_issuer in [false, true] {
            let servers = Servers::new(json!({
                "device_authorization_endpoint": DEVICE, "authorization_response_iss_parameter_supported": says_issuer,
            }));
            let mut begun = begun();
            begun[name] = json!(elsewhere);
            servers.says_json(DEVICE, begun);
            let (result, seen) = lured(&servers, &wish(), &[]).await;
            let error = result.expect_err("refused");
            assert!(matches!(error, Error::OtherServer { .. }), "{name}: {error}");
            assert!(error.to_string().contains(ISSUER) && error.to_string().contains(HONEST), "{error}");
            assert!(!seen.iter().any(|text| text.contains(HONEST)), "{seen:?}");
            assert!(!servers.asked().contains(&TOKEN.to_owned()), "the issuer is not asked for a token");
            // Google and Microsoft have the page for codes on another host than their issuer.
            let named = Wish { issuer: Some(ISSUER.into()), ..wish() };
            let (result, seen) = lured(&servers, &named, &[]).await;
            assert_eq!(result.expect("signed in").issuer, ISSUER);
            assert!(seen.iter().any(|text| text.contains(&elsewhere)), "{seen:?}");
        }
    }
}
