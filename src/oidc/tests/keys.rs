use std::time::Duration;

use serde_json::json;

use super::scripted::*;
use crate::jose::verify::Fault;
use crate::oidc::error::{Error, Fetch, FetchError, FetchFault};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_rotated_key_is_fetched_once() {
    let mut world = world();
    world.login().await;
    let retired = std::mem::replace(&mut world.key, new_key());
    world.on(JWKS, key_set([&retired, &world.key]));
    world.login().await;
    assert_eq!(world.calls(JWKS).len(), 2);
    world.login().await;
    assert_eq!(world.calls(JWKS).len(), 2);
}

#[tokio::test]
async fn d_18_unknown_key_ids_cause_few_fetches_at_growing_pauses() {
    let world = world();
    world.login().await;
    let stranger = new_key();
    let forged = async |number: usize| {
        let header = json!({"alg": "ES256", "kid": format!("unknown-{number}")}).to_string();
        world.login_with_token(|nonce| signed(&stranger, &header, &good_claims(nonce).to_string())).await
    };
    for number in 0..20 {
        assert_eq!(token_fault(forged(number).await), Fault::NoKey);
    }
    assert_eq!(world.calls(JWKS).len(), 2, "the first fetch, and one for all strangers");
    let mut fetches = 2;
    for pause in [1, 2, 4, 8, 16, 30] {
        world.clock.advance(Duration::from_secs(pause) - Duration::from_millis(1));
        assert_eq!(token_fault(forged(21).await), Fault::NoKey);
        assert_eq!(world.calls(JWKS).len(), fetches, "{pause}");
        world.clock.advance(Duration::from_millis(1));
        assert_eq!(token_fault(forged(22).await), Fault::NoKey);
        fetches += 1;
        assert_eq!(world.calls(JWKS).len(), fetches, "{pause}");
    }
    let good = |claims: &mut serde_json::Value| {
        let now = world.clock.now().seconds();
        (claims["iat"], claims["exp"]) = (json!(now), json!(now + 300));
    };
    world.login_with(good).await.expect("the keys that were good still are");
}

#[tokio::test]
async fn several_rotations_within_a_minute_are_followed() {
    let mut world = world();
    world.login().await;
    for _ in 0..5 {
        world.clock.advance(Duration::from_secs(5));
        world.key = new_key();
        world.on(JWKS, key_set([&world.key]));
        world.login().await;
    }
}

#[tokio::test]
async fn a_provider_that_re_keys_under_the_same_key_id_is_followed() {
    let mut world = world();
    world.login().await;
    let header = world.header();
    for _ in 0..3 {
        world.key = new_key();
        let mut jwk = world.key.public().jwk().clone();
        jwk["kid"] = serde_json::from_str::<serde_json::Value>(&header).expect("JSON")["kid"].clone();
        world.on(JWKS, Reply::ok(json!({ "keys": [jwk] })));
        let make = |nonce: &str| signed(&world.key, &header, &good_claims(nonce).to_string());
        world.login_with_token(make).await.expect("the new key under the old id");
    }
}

#[tokio::test]
async fn a_key_that_is_published_late_is_found_a_moment_later() {
    let mut world = world();
    world.login().await;
    let retired = std::mem::replace(&mut world.key, new_key());
    assert_eq!(token_fault(world.login_with(|_| {}).await), Fault::NoKey);
    world.on(JWKS, key_set([&retired, &world.key]));
    world.clock.advance(Duration::from_secs(1));
    world.login().await;
}

#[tokio::test]
async fn a_fetch_that_fails_costs_a_second_and_not_a_minute() {
    let mut world = world();
    world.login().await;
    let retired = std::mem::replace(&mut world.key, new_key());
    for answer in [Reply::status(503), Reply::html(), Reply::ok(json!({"keys": []}))] {
        world.on(JWKS, answer);
        let result = world.login_with(|_| {}).await;
        assert!(matches!(result, Err(Error::KeysUnavailable(FetchError::Failed(_)))), "{result:?}");
        let result = world.login_with(|_| {}).await;
        assert!(matches!(result, Err(Error::KeysUnavailable(FetchError::BackingOff))), "{result:?}");
        let old = |nonce: &str| {
            let header = json!({"alg": "ES256", "kid": retired.kid()}).to_string();
            signed(&retired, &header, &good_claims(nonce).to_string())
        };
        world.login_with_token(old).await.expect("the last good set stays");
        world.clock.advance(Duration::from_secs(4));
    }
    world.on(JWKS, key_set([&world.key]));
    world.login().await;
}

#[tokio::test]
async fn strangers_at_once_cause_one_fetch() {
    let world = world();
    world.login().await;
    let header = json!({"alg": "ES256", "kid": "unknown"}).to_string();
    let pending = world.begin().await.pending;
    let token = signed(&world.key, &header, &good_claims(nonce_of(&pending)).to_string());
    world.on(TOKEN, Reply::ok(token_answer(token)));
    let forged = || world.finish(pending.clone());
    let results = tokio::join!(forged(), forged(), forged(), forged());
    assert_eq!(token_fault(results.0), Fault::NoKey);
    assert_eq!(token_fault(results.3), Fault::NoKey);
    assert_eq!(world.calls(JWKS).len(), 2);
}

#[tokio::test]
async fn the_first_fetch_is_not_repeated_for_the_same_token() {
    let world = world();
    let header = json!({"alg": "ES256", "kid": "unknown"}).to_string();
    let make = |nonce: &str| signed(&world.key, &header, &good_claims(nonce).to_string());
    assert_eq!(token_fault(world.login_with_token(make).await), Fault::NoKey);
    assert_eq!(world.calls(JWKS).len(), 1);
}

#[tokio::test]
async fn a_rotation_is_noticed_by_tokens_without_key_id() {
    let mut world = world();
    world.login().await;
    world.key = new_key();
    world.on(JWKS, key_set([&world.key]));
    let make = |nonce: &str| signed(&world.key, r#"{"alg":"ES256"}"#, &good_claims(nonce).to_string());
    world.login_with_token(make).await.expect("the new key");
    assert_eq!(world.calls(JWKS).len(), 2);
}

#[tokio::test]
async fn old_keys_serve_while_the_provider_is_down() {
    let world = world();
    world.login().await;
    world.on(JWKS, Reply::Refuse);
    world.on(DISCOVERY, Reply::Refuse);
    world.clock.advance(2 * 60 * MINUTE);
    let later = NOW.seconds() + 7200;
    let fresh = |claims: &mut serde_json::Value| {
        claims["iat"] = json!(later);
        claims["exp"] = json!(later + 300);
    };
    world.login_with(fresh).await.expect("what is remembered is good");
    world.login_with(fresh).await.expect("and stays so");
    assert_eq!((world.calls(JWKS).len(), world.calls(DISCOVERY).len()), (2, 2), "tried anew, once");
}

#[tokio::test]
async fn keys_that_never_came_are_not_hammered_for() {
    let world = world();
    world.on(JWKS, Reply::html());
    let result = world.login_with(|_| {}).await;
    assert!(
        matches!(result, Err(Error::KeysUnavailable(FetchError::Failed(Fetch { cause: FetchFault::NotAKeySet, .. })))),
        "{result:?}"
    );
    let result = world.login_with(|_| {}).await;
    assert!(matches!(result, Err(Error::KeysUnavailable(FetchError::BackingOff))), "{result:?}");
    assert_eq!(world.calls(JWKS).len(), 1);
    world.clock.advance(Duration::from_secs(1));
    world.on(JWKS, key_set([&world.key]));
    world.login().await;
}
