//! Revocation, introspection, tokens of clients for themselves, and the claims of Cognito.

use super::stored::Stored;
use super::*;
use crate::GrantTypes;

const API: &str = "https://api.example.com";

/// The settings with a client `machine`, which gets tokens for itself, and `api`, which asks about all tokens.
fn with_machines(settings: &mut Settings) {
    let scopes = [format!("{API}/read"), format!("{API}/write"), "https://other.example.com/all".to_owned()];
    let client = |id: &str, options| ClientSettings {
        client_id: id.into(),
        client_secret: Some(Secret::new(format!("secret of {id}"))),
        redirect_uris: vec![],
        post_logout_redirect_uris: vec![],
        name: None,
        options,
        ..settings.clients[0].clone()
    };
    let machine = ClientOptions {
        grant_types: GrantTypes::ClientCredentials,
        scopes: Some(scopes.to_vec()),
        ..ClientOptions::default()
    };
    let api = ClientOptions { may_introspect: true, ..ClientOptions::default() };
    let clients = [client("machine", machine), client("api", api)];
    settings.clients.extend(clients);
    settings.clients[0].options.scopes = Some(vec!["openid".into(), "email".into(), format!("{API}/read")]);
}

async fn post(fixture: &Fixture, path: &str, client: &str, fields: &[(&str, &str)]) -> Answer {
    let secret = format!("secret of {client}");
    let fields = [("client_id", client), ("client_secret", &secret)].into_iter().chain(fields.iter().copied());
    let headers = [("content-type", FORM.to_owned())];
    fixture.call(Method::POST, path, &headers, &form::encode(fields)).await
}

async fn by_itself(fixture: &Fixture, client: &str, scope: &str) -> Answer {
    post(fixture, routes::TOKEN, client, &[("grant_type", "client_credentials"), ("scope", scope)]).await
}

async fn introspect(fixture: &Fixture, client: &str, token: &Value) -> Value {
    post(fixture, routes::INTROSPECT, client, &[("token", token.as_str().expect("a token"))]).await.json()
}

async fn revoke(fixture: &Fixture, token: &Value) -> Answer {
    fixture.of_dashboard(routes::REVOKE, &[("token", token.as_str().expect("a token"))]).await
}

#[tokio::test]
async fn a_client_gets_a_token_for_itself_with_scopes_that_it_may_have() {
    let fixture = Fixture::new().reloaded(with_machines);
    let answer = by_itself(&fixture, "machine", &format!("{API}/read {API}/write")).await;
    assert_eq!(answer.header("cache-control"), "no-store");
    let answer = answer.json();
    assert_eq!(answer["scope"], format!("{API}/read {API}/write"));
    assert!(answer.get("refresh_token").is_none() && answer.get("id_token").is_none(), "{answer}");
    let token = payload(&answer["access_token"]);
    // Pool §8.3: the subject is the client, and there is no user, no group and no event.
    for (name, value) in [("sub", "machine"), ("client_id", "machine"), ("token_use", "access"), ("aud", API)] {
        assert_eq!(token[name], value, "{token}");
    }
    assert_eq!(token["version"], 2);
    for absent in ["username", "cognito:groups", "event_id", "origin_jti", "device_key"] {
        assert!(token.get(absent).is_none(), "{absent} in {token}");
    }
    let all = by_itself(&fixture, "machine", "").await.json();
    assert_eq!(all["scope"], format!("{API}/read {API}/write https://other.example.com/all"));
    assert_eq!(payload(&all["access_token"])["aud"], json!([API, "https://other.example.com"]));
    for scope in ["openid", "https://api.example.com/delete", &format!("{API}/read openid")] {
        by_itself(&fixture, "machine", scope).await.assert_error(StatusCode::BAD_REQUEST, "invalid_scope");
    }
    by_itself(&fixture, "api", "").await.assert_error(StatusCode::BAD_REQUEST, "unauthorized_client");
    let wrong = [("grant_type", "client_credentials"), ("client_id", "machine"), ("client_secret", "x")];
    let headers = [("content-type", FORM.to_owned())];
    let wrong = fixture.call(Method::POST, routes::TOKEN, &headers, &form::encode(wrong)).await;
    wrong.assert_error(StatusCode::UNAUTHORIZED, "invalid_client");
    // It signs nobody in, and its token says nothing about anybody.
    let path = authorize_path(&[("client_id", "machine")]);
    assert_eq!(fixture.browser().get(&path).await.status(), StatusCode::BAD_REQUEST);
    let userinfo = fixture.userinfo(answer["access_token"].as_str().expect("a token")).await;
    assert_eq!(userinfo.status(), StatusCode::UNAUTHORIZED);
    assert!(fixture.registry.render().contains(r#"tokens_issued_total{pool="demo",grant="client_credentials"} 2"#));
}

#[tokio::test]
async fn tokens_of_a_client_for_itself_are_limited() {
    let fixture = Fixture::new().reloaded(with_machines);
    let mut refused = None;
    for _ in 0..=200 {
        refused = Some(by_itself(&fixture, "machine", "").await).filter(|answer| answer.status() != StatusCode::OK);
    }
    let refused = refused.expect("the last is refused");
    refused.assert_error(StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable");
}

#[tokio::test]
async fn a_user_gives_a_client_only_the_scopes_that_it_may_have() {
    let fixture = Fixture::new().reloaded(with_machines);
    let mut browser = fixture.browser();
    let scope = format!("openid email profile {API}/read {API}/write");
    let page = browser.authorize(&[("scope", &scope)]).await;
    let code = browser.submit(&page, "alice", "correct horse").await.code();
    let tokens = fixture.redeem(&code).await.json();
    assert_eq!(tokens["scope"], format!("openid email {API}/read"));
    assert!(payload(&tokens["id_token"]).get("preferred_username").is_none());
}

#[tokio::test]
async fn the_tokens_of_a_pool_with_a_store_have_the_claims_of_cognito() {
    let stored = Stored::new().await;
    let tokens = stored.tokens().await;
    let (id, access) = (payload(&tokens["id_token"]), payload(&tokens["access_token"]));
    // Pool §8.2.
    assert_eq!((&id["token_use"], &id["cognito:username"]), (&json!("id"), &json!("Grace")));
    assert_eq!(id["cognito:groups"], json!(["ops"]));
    // Pool §8.3.
    assert_eq!(
        (&access["token_use"], &access["username"], &access["version"]),
        (&json!("access"), &json!("Grace"), &json!(2))
    );
    assert_eq!((&access["client_id"], &access["sub"]), (&json!("dashboard"), &id["sub"]));
    assert_eq!(access["cognito:groups"], json!(["ops"]));
    assert!(access.get("grant").is_none());
    for token in [&id, &access] {
        for name in ["jti", "origin_jti", "event_id"] {
            let parts: Vec<_> = token[name].as_str().expect("a text").split('-').map(str::len).collect();
            assert_eq!(parts, [8, 4, 4, 4, 12], "{name} is a UUID: {token}");
        }
    }
    assert_eq!((&id["origin_jti"], &id["event_id"]), (&access["origin_jti"], &access["event_id"]));
    assert_ne!(id["jti"], access["jti"]);
    // Pool §8.4: they stay in a refresh, and the rest is new.
    let next = stored.fixture.refresh(tokens["refresh_token"].as_str().expect("a token")).await.json();
    let next = payload(&next["access_token"]);
    for name in ["origin_jti", "event_id", "auth_time"] {
        assert_eq!(next[name], access[name], "{name}");
    }
    assert_ne!(next["jti"], access["jti"]);
}

#[tokio::test]
async fn a_pool_without_a_store_has_no_endpoint_that_ends_tokens() {
    let fixture = Fixture::new();
    for path in [routes::REVOKE, routes::INTROSPECT] {
        assert_eq!(post(&fixture, path, "dashboard", &[("token", "x")]).await.status(), StatusCode::NOT_FOUND);
    }
    let metadata = fixture.call(Method::GET, routes::DISCOVERY, &[], "").await.json();
    assert!(metadata.get("revocation_endpoint").is_none() && metadata.get("introspection_endpoint").is_none());
}

#[tokio::test]
async fn a_revoked_refresh_token_ends_what_belongs_to_it() {
    let stored = Stored::new().await;
    let (fixture, tokens) = (&stored.fixture, stored.tokens().await);
    let other = stored.tokens().await;
    let refresh_token = |tokens: &Value| tokens["refresh_token"].as_str().expect("a token").to_owned();
    // RFC 7009 §2.2.1, pool §8.5: not the tokens that others verify by themselves.
    for token in [&tokens["access_token"], &tokens["id_token"]] {
        revoke(fixture, token).await.assert_error(StatusCode::BAD_REQUEST, "unsupported_token_type");
    }
    let body = form::encode([("token", &*refresh_token(&tokens)), ("client_id", "cli")]);
    let headers = [("content-type", FORM.to_owned())];
    let foreign = fixture.call(Method::POST, routes::REVOKE, &headers, &body).await;
    foreign.assert_error(StatusCode::BAD_REQUEST, "unauthorized_client");
    assert_eq!(fixture.userinfo(tokens["access_token"].as_str().expect("a token")).await.status(), StatusCode::OK);
    let revoked = revoke(fixture, &tokens["refresh_token"]).await;
    assert_eq!((revoked.status(), revoked.text()), (StatusCode::OK, ""));
    assert_eq!(revoke(fixture, &tokens["refresh_token"]).await.status(), StatusCode::OK, "again");
    assert_eq!(revoke(fixture, &json!("unknown")).await.status(), StatusCode::OK, "RFC 7009 §2.2");
    fixture.refresh(&refresh_token(&tokens)).await.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
    let userinfo = fixture.userinfo(tokens["access_token"].as_str().expect("a token")).await;
    assert_eq!(userinfo.status(), StatusCode::UNAUTHORIZED);
    assert_eq!(fixture.refresh(&refresh_token(&other)).await.status(), StatusCode::OK, "another family lives on");
    let nothing = fixture.call(Method::POST, routes::REVOKE, &headers, "client_id=cli").await;
    nothing.assert_error(StatusCode::BAD_REQUEST, "invalid_request");
    let unknown = fixture.call(Method::POST, routes::REVOKE, &headers, "client_id=nobody&token=x").await;
    unknown.assert_error(StatusCode::UNAUTHORIZED, "invalid_client");
}

#[tokio::test]
async fn an_api_learns_whether_a_token_is_in_force_and_others_of_their_own_only() {
    let stored = Stored::with(with_machines).await;
    let (fixture, tokens) = (&stored.fixture, stored.tokens().await);
    let access = introspect(fixture, "api", &tokens["access_token"]).await;
    let expected = payload(&tokens["access_token"]);
    assert_eq!((&access["active"], &access["token_type"]), (&json!(true), &json!("Bearer")));
    for name in ["iss", "sub", "aud", "exp", "iat", "jti", "client_id", "scope", "username"] {
        assert_eq!(access[name], expected[name], "{name}");
    }
    let machine = by_itself(fixture, "machine", "").await.json();
    assert_eq!(introspect(fixture, "api", &machine["access_token"]).await["sub"], "machine");
    assert_eq!(introspect(fixture, "machine", &machine["access_token"]).await["active"], true, "its own");
    let inactive = json!({"active": false});
    assert_eq!(introspect(fixture, "machine", &tokens["access_token"]).await, inactive, "another client's");
    assert_eq!(introspect(fixture, "api", &tokens["refresh_token"]).await, inactive, "another client's");
    assert_eq!(introspect(fixture, "api", &tokens["id_token"]).await, inactive, "an ID token is for one client");
    assert_eq!(introspect(fixture, "api", &json!("unknown")).await, inactive);
    let public = form::encode([("client_id", "cli"), ("token", "x")]);
    let headers = [("content-type", FORM.to_owned())];
    let public = fixture.call(Method::POST, routes::INTROSPECT, &headers, &public).await;
    public.assert_error(StatusCode::UNAUTHORIZED, "invalid_client");
    stored.users.set_enabled("grace", false, fixture.clock.now()).await.expect("disabled");
    assert_eq!(introspect(fixture, "api", &tokens["access_token"]).await, inactive, "the user is disabled");
    fixture.advance(3600);
    assert_eq!(introspect(fixture, "api", &machine["access_token"]).await, inactive, "expired");
}

/// What a client may be called, a user of the configuration may have as the `sub`.
#[tokio::test]
async fn a_user_with_the_sub_of_a_client_is_no_client() {
    let stored = Stored::with(|settings| {
        with_machines(settings);
        settings.users[0].subject = "dashboard".into();
    })
    .await;
    let (fixture, inactive) = (&stored.fixture, json!({"active": false}));
    let tokens = fixture.tokens().await;
    assert_eq!(payload(&tokens["access_token"])["sub"], "dashboard");
    assert_eq!(introspect(fixture, "api", &tokens["access_token"]).await["username"], "Alice");
    revoke(fixture, &tokens["refresh_token"]).await;
    assert_eq!(introspect(fixture, "api", &tokens["access_token"]).await, inactive, "its family was revoked");
    let machine = by_itself(fixture, "machine", "").await.json();
    assert_eq!(introspect(fixture, "api", &machine["access_token"]).await["active"], true);
}

#[tokio::test]
async fn a_client_learns_about_its_refresh_token() {
    let stored = Stored::new().await;
    let (fixture, tokens) = (&stored.fixture, stored.tokens().await);
    let ask = async |token: &Value| {
        let basic = STANDARD.encode("dashboard:s3cr%2Fet%2B1");
        let headers = [("authorization", format!("Basic {basic}")), ("content-type", FORM.to_owned())];
        let body = form::encode([("token", token.as_str().expect("a token"))]);
        fixture.call(Method::POST, routes::INTROSPECT, &headers, &body).await.json()
    };
    let good = ask(&tokens["refresh_token"]).await;
    assert_eq!((&good["active"], &good["client_id"]), (&json!(true), &json!("dashboard")));
    assert_eq!(good["exp"], (START + Duration::from_secs(30 * 24 * 3600)).seconds());
    let next = fixture.refresh(tokens["refresh_token"].as_str().expect("a token")).await.json();
    assert_eq!(ask(&tokens["refresh_token"]).await, json!({"active": false}), "it was replaced, and asking is no use");
    assert_eq!(ask(&next["refresh_token"]).await["active"], true);
    // Of a family that was revoked no token counts, also not the one that could be repeated for a moment.
    revoke(fixture, &next["refresh_token"]).await;
    assert_eq!(ask(&next["refresh_token"]).await, json!({"active": false}));
    let repeated = fixture.refresh(tokens["refresh_token"].as_str().expect("a token")).await;
    repeated.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
}

#[tokio::test]
async fn the_paths_of_cognito_are_as_good_as_ours() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens().await;
    let headers = [("authorization", format!("Bearer {}", tokens["access_token"].as_str().expect("a token")))];
    let userinfo = fixture.call(Method::GET, "/oauth2/userInfo", &headers, "").await;
    assert_eq!(userinfo.json()["sub"], "sub-of-Alice");
    let in_query = format!("/oauth2/userInfo?access_token={}", tokens["access_token"].as_str().expect("a token"));
    let in_query = fixture.call(Method::GET, &in_query, &[], "").await;
    assert_eq!(in_query.status(), StatusCode::UNAUTHORIZED, "a token in a query is not read there either");
    let keys = |path| fixture.call(Method::GET, path, &[], "");
    assert_eq!(keys("/.well-known/jwks.json").await.json(), keys(routes::JWKS).await.json());
    let path = authorize_path(&[]).replace("/oauth2/authorize", "/authorize");
    fixture.browser().get(&path).await.assert_page(StatusCode::OK, "Sign in");
    assert_eq!(fixture.browser().get("/logout").await.status(), StatusCode::OK);
}
