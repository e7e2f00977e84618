//! Clients at the token endpoint: how they prove who they are.

use super::*;

#[tokio::test]
async fn a_client_proves_itself_in_one_way_or_not_at_all() {
    let fixture = Fixture::new();
    let basic = |text: &str| ("authorization", format!("Basic {}", STANDARD.encode(text)));
    let form = ("content-type", FORM.to_owned());
    let form_only = std::slice::from_ref(&form);
    let check = async |headers: &[(&str, String)], body: &str, error: &str| {
        let answer = fixture.call(Method::POST, routes::TOKEN, headers, body).await;
        let status = if error == "invalid_client" { StatusCode::UNAUTHORIZED } else { StatusCode::BAD_REQUEST };
        answer.assert_error(status, error);
    };
    let grant = "grant_type=zzz";
    let post = format!("{grant}&client_id=dashboard&client_secret=s3cr/et%2B1");
    check(form_only, &post, "unsupported_grant_type").await;
    check(&[form.clone(), basic("dashboard:s3cr%2Fet%2B1")], grant, "unsupported_grant_type").await;
    check(form_only, &format!("{grant}&client_id=cli"), "unsupported_grant_type").await;
    check(form_only, grant, "invalid_client").await;
    check(form_only, &format!("{grant}&client_id=dashboard"), "invalid_client").await;
    check(form_only, &format!("{grant}&client_id=dashboard&client_secret="), "invalid_client").await;
    check(form_only, &format!("{grant}&client_id=dashboard&client_secret=zzz"), "invalid_client").await;
    check(form_only, &format!("{grant}&client_id=zzz&client_secret=zzz"), "invalid_client").await;
    check(form_only, &format!("{grant}&client_id=cli&client_secret=zzz"), "invalid_client").await;
    check(&[form.clone(), basic("dashboard:zzz")], grant, "invalid_client").await;
    check(&[form.clone(), basic("dashboard")], grant, "invalid_client").await;
    check(&[form.clone(), ("authorization", "Basic %%%".into())], grant, "invalid_client").await;
    check(&[form.clone(), ("authorization", "Bearer x".into())], &post, "invalid_client").await;
    check(&[form.clone(), basic("dashboard:s3cr%2Fet%2B1")], &post, "invalid_request").await;
    let other = format!("{grant}&client_id=cli");
    check(&[form.clone(), basic("dashboard:s3cr%2Fet%2B1")], &other, "invalid_request").await;
    let twice = format!("{post}&client_id=dashboard");
    check(form_only, &twice, "invalid_request").await;
}

#[tokio::test]
async fn a_public_client_redeems_with_pkce_alone() {
    let fixture = Fixture::new();
    let mut browser = fixture.browser();
    let callback = "http://127.0.0.1:51234/cb";
    let page = browser.authorize(&[("client_id", "cli"), ("redirect_uri", callback)]).await;
    let code = browser.submit(&page, "bob", "battery staple").await.code();
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", "cli"),
        ("code", &code),
        ("redirect_uri", callback),
        ("code_verifier", VERIFIER),
    ];
    let headers = [("content-type", FORM.to_owned())];
    let answer = fixture.call(Method::POST, routes::TOKEN, &headers, &form::encode(fields)).await;
    assert_eq!(payload(&answer.json()["id_token"])["aud"], "cli");
}

/// RFC 6749 §2.3.1: "The client MAY omit the parameter if the client secret is an empty string."
#[tokio::test]
async fn an_empty_client_secret_is_none() {
    let fixture = Fixture::new();
    let callback = "http://127.0.0.1:51234/cb";
    let redeem = async |basic: Option<&str>, in_form: &[(&str, &str)]| {
        let mut browser = fixture.browser();
        let page = browser.authorize(&[("client_id", "cli"), ("redirect_uri", callback)]).await;
        let code = browser.submit(&page, "bob", "battery staple").await.code();
        let fields = [
            ("grant_type", "authorization_code"),
            ("code", &code),
            ("redirect_uri", callback),
            ("code_verifier", VERIFIER),
        ];
        let body = form::encode(fields.into_iter().chain(in_form.iter().copied()));
        let mut headers = vec![("content-type", FORM.to_owned())];
        headers.extend(basic.map(|pair| ("authorization", format!("Basic {}", STANDARD.encode(pair)))));
        fixture.call(Method::POST, routes::TOKEN, &headers, &body).await
    };
    let empty = [("client_id", "cli"), ("client_secret", "")];
    assert_eq!(redeem(None, &empty).await.status(), StatusCode::OK);
    assert_eq!(redeem(Some("cli:"), &[]).await.status(), StatusCode::OK);
    assert_eq!(redeem(Some("cli:"), &empty).await.status(), StatusCode::OK, "not two ways");
    let other = [("client_id", "cli"), ("client_secret", "x")];
    redeem(None, &other).await.assert_error(StatusCode::UNAUTHORIZED, "invalid_client");
    // A client that has a secret is not let in without it.
    let confidential = [("client_id", "app"), ("client_secret", "")];
    redeem(None, &confidential).await.assert_error(StatusCode::UNAUTHORIZED, "invalid_client");
    redeem(Some("app:"), &[]).await.assert_error(StatusCode::UNAUTHORIZED, "invalid_client");
}

#[tokio::test]
async fn our_own_client_is_nobody_elses() {
    let mut settings = settings();
    // The client of our own rules has no secret: it is known by calling within this process.
    let ours = &mut settings.clients[1];
    (ours.client_id, ours.is_ours) = ("vestibule".into(), true);
    let fixture = Fixture::with(settings, START);
    let mut browser = fixture.browser();
    let callback = "http://127.0.0.1/cb";
    let fields = [("client_id", "vestibule"), ("redirect_uri", callback)];
    let page = browser.authorize(&fields).await;
    let code = browser.submit(&page, "bob", "battery staple").await.code();
    let by_code = [
        ("grant_type", "authorization_code"),
        ("client_id", "vestibule"),
        ("code", &code),
        ("redirect_uri", callback),
        ("code_verifier", VERIFIER),
    ];
    let headers = [("content-type", FORM.to_owned())];
    let stranger = fixture.call(Method::POST, routes::TOKEN, &headers, &form::encode(by_code)).await;
    stranger.assert_error(StatusCode::UNAUTHORIZED, "invalid_client");
    let tokens = fixture.ours(&by_code).await.json();
    assert_eq!(payload(&tokens["id_token"])["aud"], "vestibule", "{tokens}");
    let refresh = tokens["refresh_token"].as_str().expect("a refresh token");
    let by_refresh = [("grant_type", "refresh_token"), ("client_id", "vestibule"), ("refresh_token", refresh)];
    let stranger = fixture.call(Method::POST, routes::TOKEN, &headers, &form::encode(by_refresh)).await;
    stranger.assert_error(StatusCode::UNAUTHORIZED, "invalid_client");
    assert_eq!(fixture.ours(&by_refresh).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn id_tokens_are_signed_with_what_the_client_takes() {
    let rsa = SigningKey::from_pem(&SigningKey::generate_rsa_pem()).expect("a generated key reads back");
    let mut settings = Settings { rs256_signing_key: Some(rsa), ..settings() };
    settings.clients[0].id_token_algorithm = Algorithm::Rs256;
    let fixture = Fixture::with(settings, START);
    let discovery = fixture.call(Method::GET, routes::DISCOVERY, &[], "").await.json();
    assert_eq!(discovery["id_token_signing_alg_values_supported"], json!(["RS256", "ES256"]));
    let keys = fixture.call(Method::GET, routes::JWKS, &[], "").await.json();
    let verified = |token: &Value, algorithm| {
        let token = token.as_str().expect("a token");
        let header = jsonwebtoken::decode_header(token).expect("a header");
        assert_eq!(header.alg, algorithm);
        let keys = keys["keys"].as_array().expect("keys");
        let jwk = keys.iter().find(|key| key["kid"] == header.kid.as_deref().expect("a kid")).expect("published");
        let jwk: jsonwebtoken::jwk::Jwk = serde_json::from_value(jwk.clone()).expect("a JWK");
        let mut validation = jsonwebtoken::Validation::new(algorithm);
        (validation.validate_exp, validation.validate_aud) = (false, false);
        jsonwebtoken::decode::<Value>(token, &jsonwebtoken::DecodingKey::from_jwk(&jwk).expect("a key"), &validation)
            .expect("verifies")
            .claims
    };
    let mut browser = fixture.browser();
    let code = browser.sign_in("alice", "correct horse").await.code();
    let tokens = fixture.redeem(&code).await.json();
    assert_eq!(verified(&tokens["id_token"], jsonwebtoken::Algorithm::RS256)["aud"], "dashboard");
    assert_eq!(verified(&tokens["access_token"], jsonwebtoken::Algorithm::ES256)["sub"], "sub-of-Alice");
    let callback = "http://127.0.0.1:51234/cb";
    let question = browser.authorize(&[("client_id", "cli"), ("redirect_uri", callback)]).await;
    let code = browser.confirm(&question).await.code();
    let fields = [
        ("grant_type", "authorization_code"),
        ("client_id", "cli"),
        ("code", &code),
        ("redirect_uri", callback),
        ("code_verifier", VERIFIER),
    ];
    let headers = [("content-type", FORM.to_owned())];
    let other = fixture.call(Method::POST, routes::TOKEN, &headers, &form::encode(fields)).await.json();
    assert_eq!(verified(&other["id_token"], jsonwebtoken::Algorithm::ES256)["aud"], "cli");
    let hint = [("id_token_hint", tokens["id_token"].as_str().expect("a token"))];
    let bye = browser.get(&format!("{}?{}", routes::LOGOUT, form::encode(hint))).await;
    bye.assert_page(StatusCode::OK, "You are signed out");
}

#[tokio::test]
async fn wrong_client_secrets_are_limited_and_the_right_client_is_not_locked_out() {
    let fixture = Fixture::new();
    let ask = async |secret: &str, from: &str| {
        let basic = STANDARD.encode(format!("dashboard:{secret}"));
        let request = http::Request::post(routes::TOKEN)
            .header("authorization", format!("Basic {basic}"))
            .header("content-type", FORM)
            .body(Bytes::from("grant_type=zzz"))
            .expect("a request");
        Answer(fixture.pool.handle(request, At::ISSUER, from.parse().expect("an address")).await)
    };
    let right = "s3cr%2Fet%2B1";
    for _ in 0..10 {
        ask("guess", "192.0.2.66").await.assert_error(StatusCode::UNAUTHORIZED, "invalid_client");
    }
    let limited = ask("guess", "192.0.2.66").await;
    limited.assert_error(StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable");
    assert_eq!(limited.header("retry-after"), "10");
    ask(right, "192.0.2.9").await.assert_error(StatusCode::BAD_REQUEST, "unsupported_grant_type");
    ask(right, "192.0.2.66").await.assert_error(StatusCode::BAD_REQUEST, "unsupported_grant_type");
    for _ in 0..1100 {
        ask("guess", "192.0.2.9").await;
        ask("guess", "192.0.2.77").await;
    }
    ask(right, "192.0.2.9").await.assert_error(StatusCode::BAD_REQUEST, "unsupported_grant_type");
    let unseen = ask(right, "192.0.2.77").await;
    unseen.assert_error(StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable");
    fixture.advance(200);
    ask(right, "192.0.2.77").await.assert_error(StatusCode::BAD_REQUEST, "unsupported_grant_type");
}
