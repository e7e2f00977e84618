//! Pushed authorization requests, answers by a form, and claims that are asked for by name.

use super::stored::Stored;
use super::*;

async fn push(fixture: &Fixture, changes: &[(&str, &str)]) -> Answer {
    let basic = STANDARD.encode("dashboard:s3cr%2Fet%2B1");
    let headers = [("authorization", format!("Basic {basic}")), ("content-type", FORM.to_owned())];
    let path = authorize_path(changes);
    let (_, body) = path.split_once('?').expect("a query");
    fixture.call(Method::POST, routes::PAR, &headers, body).await
}

fn pushed_path(client_id: &str, answer: &Answer) -> String {
    let answer = answer.json();
    let request_uri = answer["request_uri"].as_str().expect("a name");
    format!("{}?{}", routes::AUTHORIZE, form::encode([("client_id", client_id), ("request_uri", request_uri)]))
}

#[tokio::test]
async fn a_browser_brings_the_name_of_a_request_that_the_client_has_sent() {
    let stored = Stored::new().await;
    let pushed = push(&stored.fixture, &[]).await;
    assert_eq!(pushed.status(), StatusCode::CREATED);
    assert_eq!((pushed.header("cache-control"), &pushed.json()["expires_in"]), ("no-store", &json!(60)));
    let mut browser = stored.fixture.browser();
    let page = browser.get(&pushed_path("dashboard", &pushed)).await;
    let back = browser.submit(&page, "grace", "first compiler").await;
    assert_eq!(back.query("state").as_deref(), Some("st&te"));
    assert_eq!(stored.fixture.redeem(&back.code()).await.status(), StatusCode::OK);
    // Once.
    browser
        .get(&pushed_path("dashboard", &pushed))
        .await
        .assert_page(StatusCode::BAD_REQUEST, "This sign-in has expired");
    let late = push(&stored.fixture, &[]).await;
    stored.fixture.advance(60);
    browser
        .get(&pushed_path("dashboard", &late))
        .await
        .assert_page(StatusCode::BAD_REQUEST, "This sign-in has expired");
    let anothers = push(&stored.fixture, &[]).await;
    browser.get(&pushed_path("cli", &anothers)).await.assert_page(StatusCode::BAD_REQUEST, "This sign-in has expired");
    browser.get(&pushed_path("dashboard", &anothers)).await.code();
}

#[tokio::test]
async fn a_request_that_would_be_refused_is_not_pushed() {
    let stored = Stored::new().await;
    let check = async |changes: &[(&str, &str)], code: &str| {
        push(&stored.fixture, changes).await.assert_error(StatusCode::BAD_REQUEST, code);
    };
    check(&[("redirect_uri", "https://evil.test/")], "invalid_request").await;
    check(&[("scope", "email")], "invalid_scope").await;
    check(&[("response_type", "token")], "unsupported_response_type").await;
    check(&[("request_uri", "urn:ietf:params:oauth:request_uri:x")], "invalid_request").await;
    check(&[("prompt", "none login")], "invalid_request").await;
    check(&[("client_id", "cli")], "invalid_request").await;
    let headers = [("content-type", FORM.to_owned())];
    let path = authorize_path(&[("client_id", "cli"), ("redirect_uri", "http://127.0.0.1/cb")]);
    let (_, body) = path.split_once('?').expect("a query");
    let public = stored.fixture.call(Method::POST, routes::PAR, &headers, body).await;
    public.assert_error(StatusCode::UNAUTHORIZED, "invalid_client");
}

#[tokio::test]
async fn a_client_may_have_to_push_its_requests() {
    let stored = Stored::with(|settings| settings.clients[0].options.requires_par = true).await;
    let mut browser = stored.fixture.browser();
    let refused = browser.authorize(&[]).await;
    assert_eq!(refused.query("error").as_deref(), Some("invalid_request"));
    let pushed = push(&stored.fixture, &[]).await;
    browser.get(&pushed_path("dashboard", &pushed)).await.assert_page(StatusCode::OK, "Sign in");
}

#[tokio::test]
async fn an_answer_is_sent_by_a_form_with_a_button() {
    let fixture = Fixture::new();
    let mut browser = fixture.browser();
    let page = browser.authorize(&[("response_mode", "form_post")]).await;
    let back = browser.submit(&page, "alice", "correct horse").await;
    assert!(back.header("location").starts_with("/oauth2/form-post?"), "{:?}", back);
    let page = browser.get(back.header("location")).await;
    page.assert_page(StatusCode::OK, "Go on to the application");
    assert!(page.header("content-security-policy").contains("form-action 'self' https://app.example.com"));
    assert!(page.text().contains(&format!(r#"<form method="post" action="{CALLBACK}">"#)), "{}", page.text());
    let field = |name: &str| {
        let (_, rest) = page.text().split_once(&format!(r#"name="{name}" value=""#)).expect("a field");
        rest.split_once('"').expect("a whole attribute").0.to_owned()
    };
    assert_eq!((field("state"), field("iss")), ("st&#38;te".into(), ISSUER.into()));
    assert_eq!(fixture.redeem(&field("code")).await.status(), StatusCode::OK);
    // An error goes the same way.
    let error = fixture.browser().authorize(&[("response_mode", "form_post"), ("prompt", "none")]).await;
    let page = browser.get(error.header("location")).await;
    assert!(page.text().contains(r#"name="error" value="login_required""#), "{}", page.text());
    browser.get("/oauth2/form-post?answer=x").await.assert_page(StatusCode::BAD_REQUEST, "Invalid request");
    let unknown = fixture.browser().authorize(&[("response_mode", "fragment")]).await;
    assert_eq!(unknown.query("error").as_deref(), Some("invalid_request"));
}

#[tokio::test]
async fn claims_are_asked_for_by_name() {
    let stored = Stored::new().await;
    let tokens = async |claims: &str, scope: &str| {
        let mut browser = stored.fixture.browser();
        let page = browser.authorize(&[("claims", claims), ("scope", scope)]).await;
        let code = browser.submit(&page, "grace", "first compiler").await.code();
        stored.fixture.redeem(&code).await.json()
    };
    let asked = r#"{"id_token": {"email": {"essential": true}, "phone_number": null}, "userinfo": {"groups": null}}"#;
    let given = tokens(asked, "openid").await;
    let id = payload(&given["id_token"]);
    assert_eq!(id["email"], "grace@example.com");
    assert!(id.get("groups").is_none() && id.get("phone_number").is_none(), "{id}");
    let userinfo = stored.fixture.userinfo(given["access_token"].as_str().expect("a token")).await.json();
    assert_eq!(userinfo["groups"], json!(["ops"]));
    assert!(userinfo.get("email").is_none(), "{userinfo}");
    let next = stored.fixture.refresh(given["refresh_token"].as_str().expect("a token")).await.json();
    assert_eq!(payload(&next["id_token"])["email"], "grace@example.com", "also after a refresh");
    let protocol = r#"{"id_token": {"iss": null, "exp": {"value": 1}, "token_use": null}}"#;
    assert_eq!(payload(&tokens(protocol, "openid").await["id_token"])["iss"], ISSUER);
    for malformed in ["x", "[]", r#"{"id_token": 1}"#, r#"{"userinfo": {"email": true}}"#] {
        let refused = stored.fixture.browser().authorize(&[("claims", malformed)]).await;
        assert_eq!(refused.query("error").as_deref(), Some("invalid_request"), "{malformed}");
    }
}

#[tokio::test]
async fn a_client_gets_by_name_no_claim_of_a_scope_that_it_may_not_have() {
    let stored = Stored::with(|settings| settings.clients[0].options.scopes = Some(vec!["openid".into()])).await;
    let mut browser = stored.fixture.browser();
    let page = browser.authorize(&[("claims", r#"{"id_token": {"email": null}}"#)]).await;
    let code = browser.submit(&page, "grace", "first compiler").await.code();
    let tokens = stored.fixture.redeem(&code).await.json();
    assert!(payload(&tokens["id_token"]).get("email").is_none());
}

#[tokio::test]
async fn a_request_for_one_user_is_answered_for_no_other() {
    let stored = Stored::new().await;
    let mut browser = stored.fixture.browser();
    let page = browser.authorize(&[("claims", r#"{"id_token": {"sub": {"value": "somebody else"}}}"#)]).await;
    let back = browser.submit(&page, "grace", "first compiler").await;
    assert_eq!(back.query("error").as_deref(), Some("login_required"));
}
