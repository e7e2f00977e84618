//! Sign-ins on another device.

use serde_json::json;
use tokio::sync::mpsc;

use super::scripted::*;
use crate::message::WholeResponse;
use crate::token_client::error::Error;
use crate::token_client::sign_in::{self, Flow, Wish};

fn error_of(code: &str) -> Result<WholeResponse, ()> {
    Ok(answer(400, &[], json!({"error": code})))
}

#[tokio::test(start_paused = true)]
async fn on_another_device_the_issuer_is_asked_as_often_as_it_likes() {
    let servers = Servers::new(json!({"device_authorization_endpoint": DEVICE}));
    servers.says_json(DEVICE, begun());
    servers.says_first(
        TOKEN,
        vec![error_of("authorization_pending"), error_of("slow_down"), Err(()), error_of("authorization_pending")],
    );
    let (shown, mut shows) = mpsc::unbounded_channel();
    let start = tokio::time::Instant::now();
    let signed_in = sign_in::sign_in(&servers.calls(), &asked(), &wish(), &Shown(shown)).await.expect("signed in");
    // 5 s, 5 s, slower by 5: 10 s, twice as slow: 20 s, 20 s.
    assert_eq!(start.elapsed().as_secs(), 5 + 5 + 10 + 20 + 20);
    assert_eq!(signed_in.token.access.expose(), "abc.def");
    assert_eq!(shows.recv().await.as_deref(), Some(r#"https://login.test https://app.test cli Some("openid groups")"#));
    let said = shows.recv().await.expect("the code");
    assert_eq!(said, "https://login.test/activate WDJB[2J-MJHT https://login.test/activate?code=WDJB");
    let sent = servers.sent(TOKEN);
    assert!(sent.contains("device_code=d-1") && sent.contains("client_id=cli"), "{sent}");
    assert!(servers.sent(DEVICE).contains("resource=https%3A%2F%2Fapp.test"));
}

#[tokio::test(start_paused = true)]
async fn a_device_sign_in_ends_when_the_user_says_no_or_the_time_is_over() {
    for (code, after) in [("access_denied", 10), ("expired_token", 10), ("authorization_pending", 300)] {
        let servers = Servers::new(json!({"device_authorization_endpoint": DEVICE}));
        servers.says_json(DEVICE, begun());
        servers.says(TOKEN, answer(400, &[], json!({"error": code})));
        servers.says_first(TOKEN, vec![error_of("authorization_pending")]);
        let start = tokio::time::Instant::now();
        let error = refused(&servers, &wish()).await;
        assert_eq!(start.elapsed().as_secs(), after, "{code}");
        let is_it =
            if code == "authorization_pending" { matches!(error, Error::TimedOut) } else { error.is_refusal(code) };
        assert!(is_it, "{code}: {error}");
    }
    for address in [
        "http://login.test/activate",
        "javascript:alert(1)",
        "https://login.test/\u{1b}]0;x\u{7}",
        "https://127.0.0.1/",
    ] {
        for name in ["verification_uri", "verification_uri_complete"] {
            let servers = Servers::new(json!({"device_authorization_endpoint": DEVICE}));
            let mut begun = begun();
            begun[name] = json!(address);
            servers.says_json(DEVICE, begun);
            let error = refused(&servers, &wish()).await;
            assert!(matches!(&error, Error::Address { what, .. } if *what == name), "{error}");
            assert!(!error.to_string().contains(char::is_control));
        }
    }
}

#[tokio::test]
async fn a_client_that_may_not_use_devices_signs_in_by_the_browser() {
    let servers = Servers::new(json!({"device_authorization_endpoint": DEVICE}));
    servers.says(DEVICE, answer(401, &[], json!({"error": "unauthorized_client"})));
    let only = Wish { flow: Flow::Device, ..wish() };
    assert!(refused(&servers, &only).await.is_refusal("unauthorized_client"));
    let signed_in = by_browser(&servers, &wish(), async |address| {
        let callback = callback(&address, &[("code", "c-1"), ("iss", ISSUER)]);
        visit(&callback, callback.authority(), "GET").await;
    })
    .await
    .expect("signed in");
    assert_eq!(signed_in.client_id, "cli");
}

#[tokio::test(start_paused = true)]
async fn only_a_bearer_token_that_fits_into_a_header_is_a_token() {
    for token in [
        json!({"access_token": "a b"}),
        json!({"access_token": "a\r\nx: y"}),
        json!({"access_token": "\u{1b}[2J"}),
        json!({"access_token": "="}),
        json!({"access_token": "abc", "token_type": "DPoP"}),
        json!({"access_token": 1}),
        json!({}),
    ] {
        let servers = Servers::new(json!({"device_authorization_endpoint": DEVICE}));
        servers.says_json(DEVICE, begun());
        servers.says_json(TOKEN, token.clone());
        let error = refused(&servers, &wish()).await;
        assert!(matches!(error, Error::NoBearer(_) | Error::Answer(..)), "{token}: {error}");
    }
}
