use http::{Method, StatusCode, header};
use serde_json::Value;

use super::fixture::{Browser, Fixture, ISSUER, NAVIGATION, query};
use crate::exchange::rejection::Reason;

const SIGN_OUT: &str = "https://app.test/oauth2/sign_out";

#[tokio::test]
async fn signing_out_ends_the_session_here_and_at_the_provider() {
    let fixture = Fixture::new();
    let mut browser = Browser::default();
    browser.sign_in(&fixture).await;
    let copy = browser.clone();
    fixture.send(1, copy.fetch("https://app.test/")).await.user();
    let reply = browser.open(&fixture, SIGN_OUT).await;
    assert!(reply.location().starts_with("https://idp.test/logout?"));
    let sent = query(reply.location());
    assert_eq!(sent["post_logout_redirect_uri"], SIGN_OUT);
    assert_eq!(sent["id_token_hint"].split('.').count(), 3);
    assert_eq!(browser.jar.len(), 0);
    // S-07: the copy is dead in every worker, remembered or not.
    for worker in [0, 1, 2] {
        let reply = fixture.send(worker, copy.fetch("https://app.test/")).await;
        assert_eq!(reply.rejected, Some(Reason::AuthSessionExpired));
    }
    // The provider sends the browser back to a page that is behind no rule.
    let landing = format!("{SIGN_OUT}?state={}", sent["state"]);
    let from_provider = [("accept", "text/html"), ("sec-fetch-mode", "navigate"), ("sec-fetch-site", "cross-site")];
    for url in [&landing, SIGN_OUT] {
        let reply = fixture.send(0, browser.request(Method::GET, url, &from_provider)).await;
        assert_eq!(reply.response().status(), StatusCode::OK);
        assert_eq!(reply.response().headers()[header::CACHE_CONTROL], "no-store");
        assert!(reply.text().await.contains("You are signed out"));
    }
}

#[tokio::test]
async fn v_08_a_page_of_another_site_signs_nobody_out() {
    let fixture = Fixture::new();
    let mut browser = Browser::default();
    browser.sign_in(&fixture).await;
    for (method, header) in [
        (Method::GET, ("sec-fetch-site", "cross-site")),
        (Method::POST, ("sec-fetch-site", "cross-site")),
        (Method::POST, ("origin", "https://evil.test")),
        (Method::POST, ("origin", "null")),
        (Method::POST, ("origin", "https://app.test:8443")),
        (Method::GET, ("origin", "http://app.test")),
    ] {
        let reply = fixture.send(0, browser.request(method, SIGN_OUT, &[header])).await;
        assert_eq!(reply.rejected, Some(Reason::AuthSignOutForeign), "{header:?}");
        assert!(reply.cookies.is_empty());
    }
    // V-07: nor does the landing page with our own state.
    let landing = format!("{SIGN_OUT}?state=signed-out");
    let reply = fixture.send(0, browser.request(Method::GET, &landing, &[("sec-fetch-site", "cross-site")])).await;
    assert!(reply.cookies.is_empty());
    fixture.send(0, browser.fetch("https://app.test/")).await.user();
    let reply = fixture.send(0, browser.request(Method::POST, SIGN_OUT, &[("origin", "https://app.test")])).await;
    reply.location();
}

#[tokio::test]
async fn v_08_nobody_is_told_to_be_signed_out_who_is_not() {
    let fixture = Fixture::new();
    let mut browser = Browser::default();
    browser.sign_in(&fixture).await;
    // Where a provider sends the browser back to; the address is no secret, and a link to it can stand on any page.
    let landing = format!("{SIGN_OUT}?state=signed-out");
    for site in ["cross-site", "same-origin", "none"] {
        let headers = [("accept", "text/html"), ("sec-fetch-mode", "navigate"), ("sec-fetch-site", site)];
        let reply = fixture.send(0, browser.request(Method::GET, &landing, &headers)).await;
        assert_eq!((reply.rejected, reply.cookies.len()), (Some(Reason::AuthSignOutForeign), 0), "{site}");
    }
    fixture.send(0, browser.fetch("https://app.test/")).await.user();
    // A session that is over is none.
    fixture.clock.advance(std::time::Duration::from_secs(9 * 3600));
    let reply = fixture.send(0, browser.request(Method::GET, &landing, &[("accept", "text/html")])).await;
    assert!(reply.text().await.contains("You are signed out"));
}

#[tokio::test]
async fn a_prefetch_or_another_method_does_not_sign_out() {
    let fixture = Fixture::new();
    let mut browser = Browser::default();
    browser.sign_in(&fixture).await;
    let reply = fixture.send(0, browser.request(Method::GET, SIGN_OUT, &[("sec-purpose", "prefetch")])).await;
    assert_eq!(reply.response().status(), StatusCode::SERVICE_UNAVAILABLE);
    for method in [Method::HEAD, Method::PUT, Method::DELETE, Method::OPTIONS] {
        let reply = fixture.send(0, browser.request(method, SIGN_OUT, &[])).await;
        assert_eq!(reply.rejected, Some(Reason::RequestMethod));
    }
    fixture.send(0, browser.fetch("https://app.test/")).await.user();
}

#[tokio::test]
async fn r_18_no_parameter_says_where_to_go_after_signing_out() {
    let fixture = Fixture::new();
    for name in ["rd", "post_logout_redirect_uri", "redirect_uri", "next"] {
        let mut browser = Browser::default();
        browser.sign_in(&fixture).await;
        let reply = browser.open(&fixture, &format!("{SIGN_OUT}?{name}=https://evil.test/")).await;
        assert!(!reply.location().contains("evil"));
        let reply = browser.open(&fixture, &format!("{SIGN_OUT}?{name}=https://evil.test/")).await;
        assert!(!reply.text().await.contains("evil"));
    }
}

#[tokio::test]
async fn signing_out_clears_a_cookie_that_does_not_open() {
    let fixture = Fixture::new();
    let mut browser = Browser::default();
    browser.jar.insert("__Host-sess-0".into(), "2garbage".into());
    browser.jar.insert("__Host-sess-3".into(), "stale".into());
    let reply = browser.open(&fixture, SIGN_OUT).await;
    assert_eq!(reply.response().status(), StatusCode::OK);
    assert!(browser.jar.is_empty());
}

#[tokio::test]
async fn userinfo_tells_the_claims_and_no_token() {
    let fixture = Fixture::new();
    let mut browser = Browser::default();
    let url = "https://app.test/oauth2/userinfo";
    let reply = fixture.send(0, browser.request(Method::GET, url, NAVIGATION)).await;
    assert_eq!(reply.rejected, Some(Reason::AuthRequired));
    browser.sign_in(&fixture).await;
    let reply = fixture.send(0, browser.fetch(url)).await;
    assert_eq!(reply.response().headers()[header::CACHE_CONTROL], "no-store");
    let text = reply.text().await;
    assert!(!text.contains("access-") && !text.contains("eyJ"), "{text}");
    let about: Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!((about["sub"].as_str(), about["iss"].as_str()), (Some("alice"), Some(ISSUER)));
    assert_eq!(about["email"], "alice@example.com");
    assert_eq!(about["expires_at"], 1_800_000_000_u64 + 8 * 3600);
    let reply = fixture.send(0, browser.request(Method::POST, url, &[])).await;
    assert_eq!(reply.rejected, Some(Reason::RequestMethod));
}

#[tokio::test]
async fn the_public_keys_verify_what_the_target_gets() {
    let fixture = Fixture::new();
    let browser = Browser::default();
    let reply = fixture.send(0, browser.fetch("https://app.test/.well-known/vestibule/jwks.json")).await;
    assert_eq!(reply.response().headers()[header::CACHE_CONTROL], "public, max-age=300");
    let keys: Value = serde_json::from_str(&reply.text().await).expect("JSON");
    let kid = keys["keys"][0]["kid"].as_str().expect("a string");
    let reply = fixture.send(0, browser.fetch(&format!("https://app.test/.well-known/vestibule/keys/{kid}"))).await;
    assert!(reply.text().await.starts_with("-----BEGIN PUBLIC KEY-----\n"));
    let reply = fixture.send(0, browser.fetch("https://app.test/.well-known/vestibule/keys/other")).await;
    assert_eq!(reply.rejected, Some(Reason::NotFound));
}

#[tokio::test]
async fn nothing_else_is_reserved() {
    let fixture = Fixture::new();
    for path in [
        "/oauth2/",
        "/oauth2/start",
        "/oauth2/idpresponse/",
        "/oauth2/idpresponsex",
        "/oauth2/callback",
        "/OAuth2/sign_out",
        "/.well-known/vestibule",
        "/.well-known/vestibule/",
        "/.well-known/vestibule/keys/",
        "/.well-known/vestibule/keys/a/b",
        "/.well-known/openid-configuration",
    ] {
        let reply = fixture.send(0, Browser::default().fetch(&format!("https://app.test{path}"))).await;
        assert_eq!(reply.rejected, Some(Reason::AuthRequired), "{path}");
    }
}
