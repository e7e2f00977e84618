//! Domains of a pool's own.

use super::*;
use crate::brand;

const DOMAIN: At = At(1);

fn fixture() -> Fixture {
    let domains = vec![url("https://auth.example.com"), url("https://anmelden.example.com")];
    let brand = brand::Settings { domains, ..brand::Settings::default() };
    Fixture::with(Settings { brand, ..settings() }, START)
}

#[test]
fn u_31_a_pool_answers_for_its_domains_with_the_scheme_and_the_port_of_its_issuer() {
    let pool = fixture().pool;
    assert_eq!(pool.place(true, "login.example"), Some(At::ISSUER));
    assert_eq!(pool.place(true, "auth.example.com"), Some(DOMAIN));
    assert_eq!(pool.place(true, "AUTH.example.com:443"), Some(DOMAIN));
    assert_eq!(pool.place(true, "anmelden.example.com"), Some(At(2)));
    for foreign in
        ["example.com", "auth.example.com.", "auth.example.com:8443", "xauth.example.com", "auth.example.com.evil.test"]
    {
        assert_eq!(pool.place(true, foreign), None, "{foreign}");
    }
    assert_eq!(pool.place(false, "auth.example.com"), None);
    assert!(pool.has_host("Anmelden.example.com") && pool.has_host("login.example") && !pool.has_host("example.com"));
}

#[tokio::test]
async fn tokens_keep_the_issuer_and_browsers_are_sent_to_the_first_domain() {
    let fixture = fixture();
    let mut browser = fixture.browser();
    for at in [DOMAIN, At::ISSUER] {
        browser.at = at;
        let metadata = browser.get(routes::DISCOVERY).await.json();
        assert_eq!(metadata["issuer"], ISSUER);
        assert_eq!(metadata["authorization_endpoint"], "https://auth.example.com/oauth2/authorize");
        assert_eq!(metadata["end_session_endpoint"], "https://auth.example.com/oauth2/logout");
        // What programs call stays where it was.
        assert_eq!(metadata["token_endpoint"], "https://login.example/oauth2/token");
        assert_eq!(metadata["jwks_uri"], "https://login.example/oauth2/jwks");
    }
    browser.at = DOMAIN;
    let answer = browser.sign_in("alice", "correct horse").await;
    assert_eq!(answer.query("iss").as_deref(), Some(ISSUER));
    let tokens = fixture.redeem(&answer.code()).await.json();
    assert_eq!(payload(&tokens["id_token"])["iss"], ISSUER);
    // The next one is silent there.
    browser.authorize(&[]).await.code();
}

#[tokio::test]
async fn u_31_a_form_of_one_host_is_not_taken_at_another() {
    let fixture = fixture();
    let mut browser = fixture.browser();
    let page = browser.authorize(&[]).await;
    browser.at = DOMAIN;
    // What a browser says that the form is on.
    for origin in ["https://login.example", "https://anmelden.example.com", "https://evil.test"] {
        browser.headers = vec![("origin", origin)];
        let refused = browser.submit(&page, "alice", "correct horse").await;
        refused.assert_page(StatusCode::FORBIDDEN, "This form cannot be used here");
    }
    browser.headers = vec![("sec-fetch-site", "same-site")];
    let refused = browser.submit(&page, "alice", "correct horse").await;
    refused.assert_page(StatusCode::FORBIDDEN, "This form cannot be used here");
    // Its own origin, but browsers keep the cookies of each host apart: there is none here, or another.
    let kept = std::mem::take(&mut browser.cookies);
    let here = browser.authorize(&[]).await;
    browser.headers = vec![("origin", "https://auth.example.com")];
    let refused = browser.submit(&page, "alice", "correct horse").await;
    refused.assert_page(StatusCode::FORBIDDEN, "This form cannot be used here");
    browser.headers = vec![("origin", "https://auth.example.com")];
    browser.submit(&here, "alice", "correct horse").await.code();
    assert!(!kept.is_empty());
}

#[tokio::test]
async fn our_own_rules_redirect_to_the_first_domain() {
    let fixture = fixture();
    let metadata = fixture.call(Method::GET, routes::DISCOVERY, &[], "").await.json();
    assert_eq!(metadata["authorization_endpoint"], "https://auth.example.com/oauth2/authorize");
}
