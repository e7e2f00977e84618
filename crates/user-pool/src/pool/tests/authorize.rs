//! The authorization endpoint.

use super::*;

/// Checks that a changed request goes back to the relying party with an error.
async fn check_refused(changes: &[(&str, &str)], error: &str) {
    let answer = Fixture::new().browser().authorize(changes).await;
    assert_eq!(answer.query("error").as_deref(), Some(error), "{changes:?}");
    assert_eq!(answer.query("iss").as_deref(), Some(ISSUER));
    assert_eq!(answer.query("code"), None);
    if !changes.iter().any(|(name, _)| *name == "state") {
        assert_eq!(answer.query("state").as_deref(), Some("st&te"));
    }
    let description = answer.query("error_description").expect("a description");
    assert!(!description.contains("zzz"), "{description} holds what a stranger sent");
}

#[tokio::test]
async fn the_pages_are_in_the_language_of_the_relying_party_or_of_the_browser() {
    let fixture = Fixture::new();
    let mut browser = fixture.browser();
    let german = browser.authorize(&[("ui_locales", "fr-CA de-CH en")]).await;
    german.assert_page(StatusCode::OK, "Anmelden");
    assert_eq!(german.header("content-language"), "de");
    // The form carries the language: the next page is a request of its own.
    browser.submit(&german, "alice", "wrong").await.assert_page(StatusCode::UNAUTHORIZED, "Anmelden");
    browser.authorize(&[("lang", "de")]).await.assert_page(StatusCode::OK, "Anmelden");
    for unknown in ["fr", "xx-\"><script>", &"de ".repeat(100)] {
        browser.authorize(&[("ui_locales", unknown)]).await.assert_page(StatusCode::OK, "Sign in");
    }
    let austrian = || vec![("accept-language", "de-AT, en;q=0.5")];
    browser.headers = austrian();
    browser.authorize(&[]).await.assert_page(StatusCode::OK, "Anmelden");
    browser.headers = austrian();
    browser.authorize(&[("ui_locales", "en")]).await.assert_page(StatusCode::OK, "Sign in");
    browser.headers = austrian();
    browser.get("/nowhere").await.assert_page(StatusCode::NOT_FOUND, "Seite nicht gefunden");
    let twice = format!("{}&ui_locales=en", authorize_path(&[("ui_locales", "de")]));
    assert!(browser.get(&twice).await.header("location").contains("error=invalid_request"));
}

#[tokio::test]
async fn u_07_nobody_is_sent_to_an_address_that_is_not_registered() {
    let fixture = Fixture::new();
    for foreign in [
        "",
        "https://evil.test/",
        "https://app.example.com/oauth2/idpresponse/",
        "https://app.example.com/oauth2/idpresponse?x",
        "https://app.example.com/oauth2/idpresponseX",
        "https://appXexample.com/oauth2/idpresponse",
        "https://app.example.com@evil.test/oauth2/idpresponse",
        "http://app.example.com/oauth2/idpresponse",
        "http://127.0.0.1:1/cb",
    ] {
        let answer = fixture.browser().authorize(&[("redirect_uri", foreign)]).await;
        answer.assert_page(StatusCode::BAD_REQUEST, "Unknown return address");
        assert!(!answer.text().contains("evil"), "{}", answer.text());
    }
    for unknown in ["", "zzz", "DASHBOARD", "<script>"] {
        let answer = fixture.browser().authorize(&[("client_id", unknown)]).await;
        answer.assert_page(StatusCode::BAD_REQUEST, "Unknown application");
    }
    let twice = format!("{}&redirect_uri=https://evil.test/", authorize_path(&[]));
    fixture.browser().get(&twice).await.assert_page(StatusCode::BAD_REQUEST, "Invalid request");
}

#[tokio::test]
async fn u_07_an_app_on_this_machine_may_take_any_port() {
    let fixture = Fixture::new();
    let app = [("client_id", "cli"), ("redirect_uri", "http://127.0.0.1:51234/cb")];
    let page = fixture.browser().authorize(&app).await;
    page.assert_page(StatusCode::OK, "Sign in");
    assert!(page.header("content-security-policy").contains("form-action 'self' http://127.0.0.1:51234;"));
    assert!(page.text().contains("to continue to <strong>127.0.0.1</strong>"));
}

#[tokio::test]
async fn a_request_that_is_wrong_goes_back_with_an_error() {
    check_refused(&[("response_type", "")], "invalid_request").await;
    check_refused(&[("response_type", "token")], "unsupported_response_type").await;
    check_refused(&[("response_type", "code id_token")], "unsupported_response_type").await;
    check_refused(&[("response_mode", "fragment")], "invalid_request").await;
    check_refused(&[("scope", "")], "invalid_scope").await;
    check_refused(&[("scope", "email zzz")], "invalid_scope").await;
    check_refused(&[("request", "zzz")], "request_not_supported").await;
    check_refused(&[("request_uri", "https://zzz/")], "request_uri_not_supported").await;
    check_refused(&[("registration", "zzz")], "registration_not_supported").await;
    check_refused(&[("prompt", "zzz")], "invalid_request").await;
    check_refused(&[("prompt", "none login")], "invalid_request").await;
    check_refused(&[("max_age", "-1")], "invalid_request").await;
    check_refused(&[("max_age", "zzz")], "invalid_request").await;
    check_refused(&[("id_token_hint", "zzz")], "invalid_request").await;
    check_refused(&[("nonce", "a"), ("nonce", "b")], "invalid_request").await;
    check_refused(&[("state", "a"), ("state", "b")], "invalid_request").await;
    check_refused(&[("nonce", &"z".repeat(2049))], "invalid_request").await;
    check_refused(&[("prompt", "none")], "login_required").await;
}

#[tokio::test]
async fn pkce_is_s256_where_there_is_any() {
    check_refused(&[("code_challenge", "")], "invalid_request").await;
    check_refused(&[("code_challenge_method", "")], "invalid_request").await;
    check_refused(&[("code_challenge_method", "plain")], "invalid_request").await;
    check_refused(&[("code_challenge", "zzz")], "invalid_request").await;
    check_refused(&[("code_challenge", &"+".repeat(43))], "invalid_request").await;
}

const NO_PKCE: [(&str, &str); 2] = [("code_challenge", ""), ("code_challenge_method", "")];

/// The answer to a whole login of a confidential client whose requests must have what `pkce` says.
async fn login_with(pkce: Pkce, changes: &[(&str, &str)], verifier: &str) -> Result<StatusCode, String> {
    let mut settings = settings();
    settings.clients[0].pkce = pkce;
    let fixture = Fixture::with(settings, START);
    let mut browser = fixture.browser();
    let page = browser.authorize(changes).await;
    if page.status() != StatusCode::OK {
        return Err(page.query("error").expect("an error"));
    }
    let code = browser.submit(&page, "alice", "correct horse").await.code();
    let mut fields = vec![("grant_type", "authorization_code"), ("code", &*code), ("redirect_uri", CALLBACK)];
    if !verifier.is_empty() {
        fields.push(("code_verifier", verifier));
    }
    Ok(fixture.token(&fields).await.status())
}

#[tokio::test]
async fn a_confidential_client_needs_pkce_or_a_nonce_and_pkce_is_never_downgraded() {
    let (ok, refused) = (Ok(StatusCode::OK), Ok(StatusCode::BAD_REQUEST));
    let neither = [NO_PKCE[0], NO_PKCE[1], ("nonce", "")];
    let invalid = Err("invalid_request".to_owned());
    assert_eq!(login_with(Pkce::OrNonce, &NO_PKCE, "").await, ok);
    assert_eq!(login_with(Pkce::OrNonce, &NO_PKCE, VERIFIER).await, refused, "a verifier without a challenge");
    assert_eq!(login_with(Pkce::OrNonce, &[], VERIFIER).await, ok);
    assert_eq!(login_with(Pkce::OrNonce, &[], "").await, refused, "a challenge without a verifier");
    assert_eq!(login_with(Pkce::OrNonce, &[("nonce", "")], VERIFIER).await, ok);
    assert_eq!(login_with(Pkce::OrNonce, &neither, "").await, invalid);
    assert_eq!(login_with(Pkce::Optional, &neither, "").await, ok);
    assert_eq!(login_with(Pkce::Optional, &[("nonce", "")], "").await, refused, "a challenge without a verifier");
    assert_eq!(login_with(Pkce::Required, &NO_PKCE, "").await, invalid);
    assert_eq!(login_with(Pkce::Required, &[], VERIFIER).await, ok);
}

#[tokio::test]
async fn a_public_client_must_use_pkce_whatever_the_setting_says() {
    let mut settings = settings();
    settings.clients[1].pkce = Pkce::Optional;
    let fixture = Fixture::with(settings, START);
    let app = [("client_id", "cli"), ("redirect_uri", "http://127.0.0.1:51234/cb"), NO_PKCE[0], NO_PKCE[1]];
    assert_eq!(fixture.browser().authorize(&app).await.query("error").as_deref(), Some("invalid_request"));
}

#[tokio::test]
async fn a_hint_for_one_user_never_gives_anothers_tokens() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens().await;
    let alice = tokens["id_token"].as_str().expect("a token");
    let mut browser = fixture.browser();
    browser.sign_in("bob", "battery staple").await;
    let session = browser.cookies["__Host-vestibule-pool"].clone();
    let page = browser.authorize(&[("id_token_hint", alice)]).await;
    page.assert_page(StatusCode::OK, "Sign in");
    let refused = browser.submit(&page, "bob", "battery staple").await;
    assert_eq!(refused.query("error").as_deref(), Some("login_required"));
    assert_eq!(refused.query("state").as_deref(), Some("st&te"));
    assert_eq!(refused.query("code"), None);
    assert_eq!(browser.cookies["__Host-vestibule-pool"], session, "and nothing else has changed");
    let back = browser.submit(&page, "alice", "correct horse").await;
    let id = payload(&fixture.redeem(&back.code()).await.json()["id_token"]);
    assert_eq!(id["sub"], "sub-of-Alice");
}

#[tokio::test]
async fn a_query_in_the_redirect_uri_is_kept() {
    let answer = Fixture::new()
        .browser()
        .authorize(&[("redirect_uri", "https://app.example.com/other?keep=1"), ("prompt", "none")])
        .await;
    assert!(answer.location().as_str().starts_with("https://app.example.com/other?keep=1&error=login_required&"));
}

#[tokio::test]
async fn prompt_and_max_age_decide_whether_the_user_is_asked() {
    let fixture = Fixture::new();
    let mut browser = fixture.browser();
    let tokens = fixture.redeem(&browser.sign_in("alice", "correct horse").await.code()).await.json();
    let id_token = tokens["id_token"].as_str().expect("a token");
    assert!(browser.authorize(&[("prompt", "none")]).await.query("code").is_some());
    assert!(browser.authorize(&[("prompt", "consent")]).await.query("code").is_some());
    assert!(browser.authorize(&[("prompt", "none"), ("id_token_hint", id_token)]).await.query("code").is_some());
    for prompt in ["login", "select_account", "login consent"] {
        browser.authorize(&[("prompt", prompt)]).await.assert_page(StatusCode::OK, "Sign in");
    }
    assert!(browser.authorize(&[("max_age", "60")]).await.query("code").is_some());
    browser.authorize(&[("max_age", "0")]).await.assert_page(StatusCode::OK, "Sign in");
    fixture.advance(61);
    browser.authorize(&[("max_age", "60")]).await.assert_page(StatusCode::OK, "Sign in");
    let refused = browser.authorize(&[("max_age", "60"), ("prompt", "none")]).await;
    assert_eq!(refused.query("error").as_deref(), Some("login_required"));
    let other = fixture.redeem(&fixture.browser().sign_in("bob", "battery staple").await.code()).await.json();
    let other = other["id_token"].as_str().expect("a token");
    let refused = browser.authorize(&[("prompt", "none"), ("id_token_hint", other)]).await;
    assert_eq!(refused.query("error").as_deref(), Some("login_required"), "it is somebody else");
}

#[tokio::test]
async fn a_request_may_come_by_post() {
    let fixture = Fixture::new();
    let path = authorize_path(&[]);
    let (path, body) = path.split_once('?').expect("a query");
    let page = fixture.browser().send(Method::POST, path, body.to_owned()).await;
    page.assert_page(StatusCode::OK, "Sign in");
    let mut browser = fixture.browser();
    browser.headers = vec![("sec-fetch-site", "cross-site")];
    let answer = browser.send(Method::POST, path, body.to_owned()).await;
    assert_eq!(answer.header("location"), authorize_path(&[]), "so that the browser sends its cookies");
}

#[tokio::test]
async fn the_session_ends_with_its_time_its_password_and_its_user() {
    let fixture = Fixture::new();
    let mut browser = fixture.browser();
    browser.sign_in("alice", "correct horse").await;
    let cookies = browser.cookies.clone();
    let asks = async |fixture: &Fixture| {
        let mut browser = fixture.browser();
        browser.cookies = cookies.clone();
        browser.authorize(&[]).await.status() == StatusCode::OK
    };
    assert!(!asks(&fixture.restarted()).await, "a restart ends nothing");
    let mut changed = fixture.settings.clone();
    changed.users[0].password_hash = cheap("another");
    assert!(asks(&Fixture::with(changed, START)).await);
    let mut removed = fixture.settings.clone();
    removed.users.remove(0);
    assert!(asks(&Fixture::with(removed, START)).await);
    let other_key = Settings { seal_keys: [aead::Key::new(&Secret::new([8; 32]))].into(), ..fixture.settings.clone() };
    assert!(asks(&Fixture::with(other_key, START)).await);
    fixture.advance(8 * 3600);
    assert!(asks(&fixture).await);
}

#[tokio::test]
async fn the_session_cookie_is_short_and_its_every_bit_counts() {
    let fixture = Fixture::new();
    let mut browser = fixture.browser();
    browser.sign_in("alice", "correct horse").await;
    let cookie = browser.cookies["__Host-vestibule-pool"].clone();
    assert!(cookie.len() < 512, "{}", cookie.len());
    for at in (0..cookie.len()).step_by(7) {
        let mut bytes = cookie.clone().into_bytes();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        browser.cookies.insert("__Host-vestibule-pool".into(), String::from_utf8(bytes).expect("ASCII"));
        assert_eq!(browser.authorize(&[]).await.status(), StatusCode::OK, "bit {at}");
    }
}
