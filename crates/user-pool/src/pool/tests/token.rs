//! The token and userinfo endpoints.

use super::*;
use crate::UserName;

async fn code(fixture: &Fixture) -> String {
    fixture.browser().sign_in("alice", "correct horse").await.code()
}

#[tokio::test]
async fn u_08_a_second_use_of_a_code_revokes_what_the_first_brought() {
    let fixture = Fixture::new();
    let code = code(&fixture).await;
    let tokens = fixture.redeem(&code).await.json();
    let access_token = tokens["access_token"].as_str().expect("a token");
    assert_eq!(fixture.userinfo(access_token).await.status(), StatusCode::OK);
    fixture.redeem(&code).await.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
    assert_eq!(fixture.userinfo(access_token).await.status(), StatusCode::UNAUTHORIZED);
    let refresh_token = tokens["refresh_token"].as_str().expect("a token");
    fixture.refresh(refresh_token).await.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
    assert!(fixture.registry.render().contains(r#"vestibule_pool_reuse_detected_total{pool="demo"} 1"#));
}

#[tokio::test]
async fn u_08_a_code_is_bound_to_client_redirect_uri_and_pkce() {
    let fixture = Fixture::new();
    let good = [("grant_type", "authorization_code"), ("redirect_uri", CALLBACK), ("code_verifier", VERIFIER)];
    for (changed, value) in [
        ("redirect_uri", "https://app.example.com/other?keep=1"),
        ("code_verifier", "dBjftJeZ4CVP-mBTsk9_6q1vQ2yW8Z0aXc3Ef5Gh7Ik"),
        ("code_verifier", "x"),
    ] {
        let code = code(&fixture).await;
        let mut fields: Vec<(&str, &str)> = good.into_iter().filter(|(name, _)| *name != changed).collect();
        fields.extend([(changed, value), ("code", code.as_str())]);
        fixture.token(&fields).await.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
        fixture.redeem(&code).await.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
    }
    let code = code(&fixture).await;
    let body = form::encode(good.into_iter().chain([("code", code.as_str()), ("client_id", "cli")]));
    let answer = fixture.call(Method::POST, routes::TOKEN, &[("content-type", FORM.into())], &body).await;
    answer.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
}

#[tokio::test]
async fn u_08_a_code_lives_for_a_minute() {
    let fixture = Fixture::new();
    let first = code(&fixture).await;
    fixture.advance(59);
    assert_eq!(fixture.redeem(&first).await.status(), StatusCode::OK);
    let second = code(&fixture).await;
    fixture.advance(60);
    fixture.redeem(&second).await.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
    fixture.redeem("made up").await.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
}

#[tokio::test]
async fn u_09_a_refresh_token_that_comes_again_revokes_the_family() {
    let fixture = Fixture::new();
    let first = fixture.tokens().await;
    let first_refresh = first["refresh_token"].as_str().expect("a token");
    let second = fixture.refresh(first_refresh).await.json();
    assert_ne!(second["refresh_token"], first["refresh_token"]);
    assert_eq!(payload(&second["id_token"])["sub"], "sub-of-Alice");
    assert!(payload(&second["id_token"]).get("nonce").is_none(), "OIDC Core §12.2");
    fixture.advance(10);
    fixture.refresh(first_refresh).await.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
    let refresh = second["refresh_token"].as_str().expect("a token");
    fixture.refresh(refresh).await.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
    let access = second["access_token"].as_str().expect("a token");
    assert_eq!(fixture.userinfo(access).await.status(), StatusCode::UNAUTHORIZED);
}

#[tokio::test]
async fn u_09_a_retry_within_ten_seconds_is_no_reuse() {
    let fixture = Fixture::new();
    let first = fixture.tokens().await;
    let first = first["refresh_token"].as_str().expect("a token");
    let lost = fixture.refresh(first).await.json();
    fixture.advance(9);
    let retried = fixture.refresh(first).await.json();
    let next = fixture.refresh(retried["refresh_token"].as_str().expect("a token")).await;
    assert_eq!(next.status(), StatusCode::OK);
    let parallel = fixture.refresh(lost["refresh_token"].as_str().expect("a token")).await;
    assert_eq!(parallel.status(), StatusCode::OK, "the lost answer named the same successor");
    fixture.refresh(first).await.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
}

#[tokio::test]
async fn u_09_refresh_tokens_survive_a_restart_and_reuse_still_shows() {
    let fixture = Fixture::new();
    let first = fixture.tokens().await;
    let first = first["refresh_token"].as_str().expect("a token").to_owned();
    fixture.advance(1);
    let second = fixture.refresh(&first).await.json();
    let second = second["refresh_token"].as_str().expect("a token").to_owned();
    let fixture = fixture.restarted();
    let stolen = fixture.refresh(&first).await;
    assert_eq!(stolen.status(), StatusCode::OK, "the new process cannot know yet");
    let stolen = stolen.json()["refresh_token"].as_str().expect("a token").to_owned();
    let third = fixture.refresh(&second).await;
    assert_eq!(third.status(), StatusCode::OK, "the holder has the same generation as the thief");
    let third = third.json()["refresh_token"].as_str().expect("a token").to_owned();
    fixture.advance(10);
    fixture.refresh(&stolen).await.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
    fixture.refresh(&third).await.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
}

#[tokio::test]
async fn codes_and_access_tokens_end_with_the_sign_out() {
    let fixture = Fixture::new();
    for (scope, code_then, access_then) in [
        ("openid", StatusCode::BAD_REQUEST, StatusCode::UNAUTHORIZED),
        ("openid offline_access", StatusCode::BAD_REQUEST, StatusCode::OK),
    ] {
        let mut browser = fixture.browser();
        let page = browser.authorize(&[("scope", scope)]).await;
        let code = browser.submit(&page, "alice", "correct horse").await.code();
        let tokens = fixture.redeem(&code).await.json();
        let access = tokens["access_token"].as_str().expect("a token");
        let waiting = browser.authorize(&[("scope", scope)]).await.code();
        assert_eq!(fixture.userinfo(access).await.status(), StatusCode::OK);
        let hint = [("id_token_hint", tokens["id_token"].as_str().expect("a token"))];
        browser.get(&format!("{}?{}", routes::LOGOUT, form::encode(hint))).await;
        assert_eq!(fixture.redeem(&waiting).await.status(), code_then, "{scope}");
        assert_eq!(fixture.userinfo(access).await.status(), access_then, "{scope}");
    }
}

#[tokio::test]
async fn an_access_token_does_not_tell_when_a_password_was_changed() {
    let fixture = Fixture::new();
    let claims = async || payload(&fixture.tokens().await["access_token"]);
    let (one, other) = (claims().await, claims().await);
    let changes = ["jti", "grant"];
    for (name, value) in one.as_object().expect("an object") {
        assert_eq!(changes.contains(&name.as_str()), value != &other[name], "{name}: {value}");
    }
    let directory = Directory::new(fixture.settings.users.clone(), vec![], None);
    let alice = UserName::parse("alice").expect("a name");
    let alice = directory.user_named(&alice).await.expect("no database").expect("Alice");
    assert!(!one.to_string().contains(alice.fingerprint()), "{one}");
}

#[tokio::test]
async fn silent_sign_ins_of_one_user_at_one_client_are_limited() {
    let fixture = Fixture::new();
    let mut browser = fixture.browser();
    browser.sign_in("alice", "correct horse").await;
    for _ in 0..120 {
        browser.authorize(&[]).await.code();
    }
    let refused = browser.authorize(&[]).await;
    assert_eq!(refused.query("error").as_deref(), Some("temporarily_unavailable"));
    let mut other = fixture.browser();
    other.sign_in("bob", "battery staple").await;
    other.authorize(&[]).await.code();
    fixture.advance(1);
    browser.authorize(&[]).await.code();
}

#[tokio::test]
async fn token_requests_over_the_limit_are_told_to_wait() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens().await;
    let mut token = tokens["refresh_token"].as_str().expect("a token").to_owned();
    for _ in 0..119 {
        token = fixture.refresh(&token).await.json()["refresh_token"].as_str().expect("a token").to_owned();
    }
    let refused = fixture.refresh(&token).await;
    refused.assert_error(StatusCode::TOO_MANY_REQUESTS, "temporarily_unavailable");
    assert_eq!(refused.header("retry-after"), "1");
    fixture.advance(1);
    assert_eq!(fixture.refresh(&token).await.status(), StatusCode::OK);
}

#[tokio::test]
async fn two_replicas_with_the_same_keys_take_every_step_of_a_sign_in() {
    let one = Fixture::new();
    let other = Fixture::with(one.settings.clone(), START);
    let mut browser = one.browser();
    let page = browser.authorize(&[]).await;
    browser.fixture = &other;
    let code = browser.submit(&page, "alice", "correct horse").await.code();
    let tokens = one.redeem(&code).await.json();
    let access = tokens["access_token"].as_str().expect("a token");
    assert_eq!(other.userinfo(access).await.status(), StatusCode::OK);
    assert_eq!(other.refresh(tokens["refresh_token"].as_str().expect("a token")).await.status(), StatusCode::OK);
    browser.fixture = &one;
    browser.authorize(&[]).await.code();
    let question = browser.get(routes::LOGOUT).await.hidden();
    browser.fixture = &other;
    browser.post(routes::SIGN_OUT, &[("request", &question)]).await.assert_page(StatusCode::OK, "You are signed out");
}

#[tokio::test]
async fn a_refresh_token_ends_with_its_time_its_password_and_its_session() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens().await;
    let refresh = tokens["refresh_token"].as_str().expect("a token").to_owned();
    let mut changed = fixture.settings.clone();
    changed.users[0].password_hash = cheap("another");
    let changed = Fixture::with(changed, START + Duration::from_secs(1));
    changed.refresh(&refresh).await.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
    fixture.advance(29 * 24 * 3600);
    let next = fixture.refresh(&refresh).await.json()["refresh_token"].as_str().expect("a token").to_owned();
    fixture.advance(24 * 3600);
    fixture.refresh(&next).await.assert_error(StatusCode::BAD_REQUEST, "invalid_grant");
}

#[tokio::test]
async fn a_refresh_may_ask_for_less_and_never_for_more() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens().await;
    let refresh = tokens["refresh_token"].as_str().expect("a token");
    let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh), ("scope", "openid groups")];
    fixture.token(&fields).await.assert_error(StatusCode::BAD_REQUEST, "invalid_scope");
    fixture.advance(60);
    let fields = [("grant_type", "refresh_token"), ("refresh_token", refresh), ("scope", "openid")];
    let less = fixture.token(&fields).await.json();
    assert_eq!(less["scope"], "openid");
    assert!(payload(&less["id_token"]).get("email").is_none());
}

#[tokio::test]
async fn u_10_claims_follow_the_scope_and_the_protocols_are_ours() {
    let fixture = Fixture::new();
    let claims = async |scope: &str| {
        let mut browser = fixture.browser();
        let page = browser.authorize(&[("scope", scope)]).await;
        let code = browser.submit(&page, "alice", "correct horse").await.code();
        let tokens = fixture.redeem(&code).await.json();
        let userinfo = fixture.userinfo(tokens["access_token"].as_str().expect("a token")).await.json();
        let id = payload(&tokens["id_token"]);
        assert_eq!(id["aud"], "dashboard");
        assert_eq!(id["sub"], "sub-of-Alice");
        assert_eq!(userinfo["sub"], "sub-of-Alice");
        for (name, value) in userinfo.as_object().expect("an object") {
            assert_eq!(&id[name], value, "{name}");
        }
        let names: Vec<String> = userinfo.as_object().expect("an object").keys().cloned().collect();
        names.join(" ")
    };
    assert_eq!(claims("openid").await, "sub");
    assert_eq!(claims("openid email").await, "sub email email_verified");
    assert_eq!(claims("openid groups").await, "sub groups");
    assert_eq!(claims("openid profile").await, "sub preferred_username name department");
    assert_eq!(claims("openid admin").await, "sub");
}

#[tokio::test]
async fn an_id_token_holds_what_openid_connect_prescribes() {
    let fixture = Fixture::new();
    let tokens = fixture.tokens().await;
    let id = payload(&tokens["id_token"]);
    let now = START.seconds();
    assert_eq!(id["iss"], ISSUER);
    assert_eq!((&id["iat"], &id["auth_time"], &id["exp"]), (&json!(now), &json!(now), &json!(now + 3600)));
    let hash = octets::sha256(tokens["access_token"].as_str().expect("a token").as_bytes());
    assert_eq!(id["at_hash"], URL_SAFE_NO_PAD.encode(&hash[..16]));
    // pool §8.8: a password alone.
    assert_eq!((&id["acr"], &id["amr"]), (&json!("urn:cognito:loa:1"), &json!(["pwd"])));
    assert_eq!(tokens["token_type"], "Bearer");
    assert_eq!(tokens["expires_in"], 3600);
}

#[tokio::test]
async fn a_token_request_that_lacks_something_is_refused() {
    let fixture = Fixture::new();
    for fields in [
        vec![],
        vec![("grant_type", "authorization_code")],
        vec![("grant_type", "authorization_code"), ("code", "x")],
        vec![("grant_type", "refresh_token")],
        vec![("grant_type", "refresh_token"), ("refresh_token", "a"), ("refresh_token", "b")],
    ] {
        fixture.token(&fields).await.assert_error(StatusCode::BAD_REQUEST, "invalid_request");
    }
    for grant in ["password", "urn:ietf:params:oauth:grant-type:jwt-bearer", "AUTHORIZATION_CODE"] {
        let answer = fixture.token(&[("grant_type", grant)]).await;
        answer.assert_error(StatusCode::BAD_REQUEST, "unsupported_grant_type");
    }
}

#[tokio::test]
async fn a_page_of_another_site_may_call_with_what_it_holds() {
    let fixture = Fixture::new();
    for path in [routes::DISCOVERY, routes::JWKS, routes::TOKEN, routes::USERINFO] {
        let preflight = fixture.call(Method::OPTIONS, path, &[("origin", "https://spa.example".into())], "").await;
        assert_eq!(preflight.status(), StatusCode::NO_CONTENT, "{path}");
        assert_eq!(preflight.header("access-control-allow-headers"), "authorization, content-type");
    }
    for path in [routes::AUTHORIZE, routes::LOGOUT, routes::SIGN_IN, routes::SIGN_OUT] {
        let preflight = fixture.call(Method::OPTIONS, path, &[("origin", "https://spa.example".into())], "").await;
        assert_eq!(preflight.status(), StatusCode::METHOD_NOT_ALLOWED, "{path}");
        assert!(preflight.0.headers().get("access-control-allow-origin").is_none());
    }
    let tokens = fixture.redeem(&code(&fixture).await).await;
    let userinfo = fixture.userinfo(tokens.json()["access_token"].as_str().expect("a token")).await;
    for answer in [tokens, userinfo] {
        assert_eq!(answer.header("access-control-allow-origin"), "*");
        assert!(answer.0.headers().get("access-control-allow-credentials").is_none());
    }
}
