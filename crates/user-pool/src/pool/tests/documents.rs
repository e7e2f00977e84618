//! Discovery, keys, and what is at no address.

use super::*;

#[tokio::test]
async fn the_discovery_document_says_what_there_is() {
    let answer = Fixture::new().browser().get(routes::DISCOVERY).await;
    assert_eq!(answer.header("access-control-allow-origin"), "*");
    insta::assert_snapshot!(serde_json::to_string_pretty(&answer.json()).expect("JSON"));
}

#[tokio::test]
async fn a_token_verifies_with_the_published_keys_only() {
    let fixture = Fixture::new();
    let keys = fixture.browser().get(routes::JWKS).await.json();
    let tokens = fixture.tokens().await;
    let header = tokens["id_token"].as_str().expect("a token").split('.').next().expect("three segments");
    let header: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(header).expect("base64url")).expect("JSON");
    assert_eq!(keys["keys"][0]["kid"], header["kid"]);
    assert_eq!(keys["keys"][0]["alg"], "ES256");
    assert!(keys["keys"][0].get("d").is_none(), "no private half");
    assert_eq!(keys["keys"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn there_is_nothing_at_other_addresses() {
    let fixture = Fixture::new();
    for path in ["/sign-in/", "/oauth2", "/oauth2/token/", "/SIGN-IN", "/.well-known/oauth-authorization-server"] {
        fixture.browser().get(path).await.assert_page(StatusCode::NOT_FOUND, "Page not found");
    }
}

#[tokio::test]
async fn the_host_alone_leads_who_is_signed_in_to_the_only_application() {
    let mut settings = settings();
    let one = Fixture::with(settings.clone(), START);
    settings.clients[1].redirect_uris.push(url("https://other.example.com/cb"));
    let several = Fixture::with(settings, START);
    for (fixture, leads_to) in [(one, "https://app.example.com/"), (several, routes::SIGN_IN)] {
        let mut browser = fixture.browser();
        assert_eq!(browser.get("/").await.header("location"), routes::SIGN_IN, "strangers are not told");
        browser.sign_in("alice", "correct horse").await;
        assert_eq!(browser.get("/").await.header("location"), leads_to);
    }
}

#[tokio::test]
async fn a_method_that_is_not_for_the_address_is_refused() {
    let fixture = Fixture::new();
    for (method, path, allow) in [
        (Method::GET, routes::TOKEN, "POST"),
        (Method::HEAD, routes::AUTHORIZE, "GET, POST"),
        (Method::DELETE, routes::SIGN_IN, "GET, HEAD, POST"),
        (Method::POST, routes::JWKS, "GET, HEAD"),
        (Method::GET, routes::SIGN_OUT, "POST"),
    ] {
        let answer = fixture.browser().send(method, path, String::new()).await;
        assert_eq!(answer.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert_eq!(answer.header("allow"), allow);
    }
}

#[tokio::test]
async fn u_03_no_address_comes_from_the_host_header() {
    let fixture = Fixture::new();
    let headers = [("host", "evil.test".to_owned()), ("x-forwarded-host", "evil.test".to_owned())];
    for path in [routes::DISCOVERY, &authorize_path(&[]), &authorize_path(&[("prompt", "none")])] {
        let answer = fixture.call(Method::GET, path, &headers, "").await;
        assert!(!format!("{answer:?}").contains("evil"), "{answer:?}");
    }
}

#[tokio::test]
async fn d_13_a_body_of_another_type_is_not_read() {
    let fixture = Fixture::new();
    for path in [routes::AUTHORIZE, routes::LOGOUT, routes::SIGN_IN, routes::SIGN_OUT] {
        for content_type in [
            None,
            Some("text/plain"),
            Some("application/json"),
            Some("multipart/form-data; boundary=x"),
            Some("\u{fc}"),
        ] {
            let headers: Vec<_> = content_type.iter().map(|kind| ("content-type", (*kind).to_owned())).collect();
            let answer = fixture.call(Method::POST, path, &headers, "client_id=dashboard&request=x").await;
            answer.assert_page(StatusCode::BAD_REQUEST, "Invalid request");
        }
    }
    for path in [routes::TOKEN, routes::USERINFO] {
        fixture
            .call(Method::POST, path, &[], "grant_type=x")
            .await
            .assert_error(StatusCode::BAD_REQUEST, "invalid_request");
    }
    fixture.call(Method::POST, routes::TOKEN, &[], "").await.assert_error(StatusCode::UNAUTHORIZED, "invalid_client");
}

#[tokio::test]
async fn d_13_rubbish_is_refused_and_breaks_nothing() {
    let fixture = Fixture::new();
    let headers = [("content-type", FORM.to_owned())];
    for body in ["%", "%ff%fe", "&&&&", "=", "request=%00", "a=b;c=d", &"a&".repeat(200), &"x".repeat(16_000)] {
        for path in [routes::AUTHORIZE, routes::SIGN_IN, routes::SIGN_OUT, routes::TOKEN, routes::USERINFO] {
            let status = fixture.call(Method::POST, path, &headers, body).await.status();
            assert!(status.is_client_error(), "{path} {body}: {status}");
        }
    }
}
