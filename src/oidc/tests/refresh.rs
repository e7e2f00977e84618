use std::time::Duration;

use serde_json::{Value, json};

use super::scripted::*;
use crate::oidc::error::{Error, IdTokenFault};
use crate::oidc::settings::Userinfo;

/// A refreshed ID token's claims: no nonce (OIDC Core §12.2).
fn refreshed() -> Value {
    let mut claims = good_claims("");
    claims.as_object_mut().expect("an object").remove("nonce");
    claims["name"] = json!("Alice B.");
    claims
}

fn tokens(id_token: Option<String>) -> Reply {
    let mut answer = token_answer(id_token);
    answer["refresh_token"] = json!("NEW-REFRESH-TOKEN");
    answer["access_token"] = json!("NEW-ACCESS-TOKEN");
    Reply::ok(answer)
}

#[tokio::test]
async fn a_refresh_brings_new_tokens_and_claims() {
    let world = world();
    let login = world.refresh_answered(tokens(Some(world.sign(&refreshed())))).await.expect("refreshes");
    let call = &world.calls(TOKEN)[0];
    assert_eq!(call.field("grant_type").as_deref(), Some("refresh_token"));
    assert_eq!(call.field("refresh_token").as_deref(), Some("OLD-REFRESH-TOKEN"));
    assert_eq!(login.identity.subject(), "alice");
    assert_eq!(login.identity.claims()["name"], "Alice B.");
    assert_eq!(login.identity.claims()["email"], "alice@example.com");
    assert_eq!(login.tokens.access_token.expose(), "NEW-ACCESS-TOKEN");
    assert_eq!(login.tokens.refresh_token.map(|token| token.expose().clone()).as_deref(), Some("NEW-REFRESH-TOKEN"));
    assert_eq!(login.tokens.access_token_expires_at, Some(NOW + Duration::from_secs(60)));
    assert!(login.tokens.id_token.is_some());
}

#[tokio::test]
async fn v_02_an_id_token_of_another_user_or_key_ends_the_session() {
    let world = world();
    let changed = |name: &str, value: Value| {
        let mut claims = refreshed();
        claims[name] = value;
        world.sign(&claims)
    };
    let stranger = signed(&new_key(), &world.header(), &refreshed().to_string());
    let faults = [
        (stranger, IdTokenFault::Signature),
        (changed("iss", json!("https://issuer.test/")), IdTokenFault::Issuer),
        (changed("aud", json!("other")), IdTokenFault::Audience),
        (changed("exp", json!(NOW.seconds() - 3600)), IdTokenFault::Expired),
    ];
    for (token, expected) in faults {
        let error = world.refresh_answered(tokens(Some(token))).await.expect_err("refused");
        assert!(error.is_fatal_for_session() && !error.is_transient());
        assert!(matches!(error, Error::IdToken(fault) if fault == expected), "{error:?}");
    }
    let error = world.refresh_answered(tokens(Some(changed("sub", json!("bob"))))).await.expect_err("refused");
    assert!(matches!(error, Error::SubjectMismatch) && error.is_fatal_for_session(), "{error:?}");
}

#[tokio::test]
async fn v_03_only_a_refusal_ends_the_session() {
    let cases = [
        (Reply::error(400, "invalid_grant"), true),
        (Reply::error(401, "invalid_grant"), true),
        (Reply::error(400, "access_denied"), true),
        (Reply::error(400, "unauthorized_client"), true),
        (Reply::error(401, "invalid_client"), false),
        (Reply::error(400, "temporarily_unavailable"), false),
        (Reply::error(503, "invalid_grant"), false),
        (Reply::status(500), false),
        (Reply::status(503), false),
        (Reply::status(429), false),
        (Reply::Hang, false),
        (Reply::Refuse, false),
        (Reply::html(), false),
    ];
    for (reply, is_fatal) in cases {
        let world = world();
        let told = format!("{reply:?}");
        let error = world.refresh_answered(reply).await.expect_err("no tokens");
        assert_eq!(error.is_fatal_for_session(), is_fatal, "{told}: {error:?}");
        assert_eq!(error.is_transient(), !is_fatal);
        assert_eq!(world.calls(TOKEN).len(), 1, "{told}: a refresh token is sent once");
    }
}

#[tokio::test]
async fn v_04_what_does_not_come_is_kept() {
    let world = world_with(|settings| settings.userinfo = Userinfo::Never);
    let sparse = json!({"access_token": "NEW-ACCESS-TOKEN", "token_type": "Bearer"});
    let login = world.refresh_answered(Reply::ok(sparse)).await.expect("refreshes");
    assert_eq!(login.tokens.refresh_token.map(|token| token.expose().clone()).as_deref(), Some("OLD-REFRESH-TOKEN"));
    assert_eq!(login.tokens.access_token_expires_at, None);
    assert!(login.tokens.id_token.is_none());
    assert_eq!(login.identity.claims(), &refresh_request().claims);
}

#[tokio::test]
async fn userinfo_is_asked_again_and_laid_over_the_claims() {
    let world = world();
    let login = world.refresh_answered(tokens(None)).await.expect("refreshes");
    assert_eq!(login.identity.claims()["email"], "alice@example.com");
    assert_eq!(login.identity.claims()["name"], "Alice");
    assert_eq!(world.calls(USERINFO).len(), 1);
}

#[tokio::test]
async fn userinfo_of_another_user_ends_the_session() {
    let world = world();
    world.on(USERINFO, Reply::ok(json!({"sub": "bob"})));
    let error = world.refresh_answered(tokens(None)).await.expect_err("refused");
    assert!(matches!(error, Error::SubjectMismatch) && error.is_fatal_for_session(), "{error:?}");
}

#[tokio::test]
async fn a_token_that_userinfo_does_not_take_ends_the_session() {
    let world = world();
    world.on(USERINFO, Reply::status(401));
    let error = world.refresh_answered(tokens(None)).await.expect_err("refused");
    assert!(matches!(error, Error::UserinfoRefused(_)) && error.is_fatal_for_session(), "{error:?}");
}

#[tokio::test]
async fn v_05_new_tokens_are_not_lost_to_trouble_elsewhere() {
    for (path, reply) in [(USERINFO, Reply::Refuse), (USERINFO, Reply::status(503)), (USERINFO, Reply::html())] {
        let world = world();
        world.on(path, reply);
        let login = world.refresh_answered(tokens(None)).await.expect("keeps what it has");
        assert_eq!(login.tokens.access_token.expose(), "NEW-ACCESS-TOKEN");
        assert_eq!(login.identity.claims(), &refresh_request().claims);
    }
    let world = world();
    world.on(JWKS, Reply::Refuse);
    let login = world.refresh_answered(tokens(Some(world.sign(&refreshed())))).await.expect("keeps what it has");
    assert_eq!(login.tokens.refresh_token.map(|token| token.expose().clone()).as_deref(), Some("NEW-REFRESH-TOKEN"));
    assert!(login.tokens.id_token.is_none(), "what is not verified is not handed on");
    assert_eq!(login.identity.claims()["name"], "Alice");
}

#[tokio::test]
async fn what_userinfo_said_is_not_forgotten_while_it_is_down() {
    let world = world();
    let token = || tokens(Some(world.sign(&refreshed())));
    world.on(USERINFO, Reply::Refuse);
    let login = world.refresh_answered(token()).await.expect("keeps what it has");
    assert_eq!(login.identity.claims()["email"], "old@example.com");
    assert_eq!(login.identity.claims()["name"], "Alice B.");
    assert!(login.tokens.id_token.is_some());

    world.on(USERINFO, Reply::ok(json!({"sub": "alice"})));
    let login = world.refresh_answered(token()).await.expect("refreshes");
    assert_eq!(login.identity.claims().get("email"), None, "what is no longer said is dropped");
}
