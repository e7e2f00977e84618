use std::time::Duration;

use serde_json::json;

use super::scripted::*;
use crate::oidc::error::{Error, FetchError, IdTokenFault};

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
async fn d_18_unknown_key_ids_cause_one_fetch_a_minute() {
    let world = world();
    world.login().await;
    let stranger = new_key();
    let forged = async |number: usize| {
        let header = json!({"alg": "ES256", "kid": format!("unknown-{number}")}).to_string();
        world.login_with_token(|nonce| signed(&stranger, &header, &good_claims(nonce).to_string())).await
    };
    for number in 0..20 {
        assert_eq!(fault(forged(number).await), IdTokenFault::NoKey);
    }
    assert_eq!(world.calls(JWKS).len(), 2, "the first fetch, and one for all strangers");
    world.clock.advance(MINUTE - Duration::from_millis(1));
    assert_eq!(fault(forged(21).await), IdTokenFault::NoKey);
    assert_eq!(world.calls(JWKS).len(), 2);
    world.clock.advance(Duration::from_millis(1));
    assert_eq!(fault(forged(22).await), IdTokenFault::NoKey);
    assert_eq!(world.calls(JWKS).len(), 3);
}

#[tokio::test]
async fn d_18_a_fetch_that_fails_counts_too() {
    let world = world();
    world.login().await;
    world.on(JWKS, Reply::status(503));
    let header = json!({"alg": "ES256", "kid": "unknown"}).to_string();
    let forged =
        async || world.login_with_token(|nonce| signed(&world.key, &header, &good_claims(nonce).to_string())).await;
    let result = forged().await;
    assert!(matches!(result, Err(Error::KeysUnavailable(FetchError::Status(_)))), "{result:?}");
    for _ in 0..10 {
        assert_eq!(fault(forged().await), IdTokenFault::NoKey);
    }
    assert_eq!(world.calls(JWKS).len(), 2);
    world.login().await; // the keys that were good still are
}

#[tokio::test]
async fn strangers_at_once_cause_one_fetch() {
    let world = world();
    world.login().await;
    let header = json!({"alg": "ES256", "kid": "unknown"}).to_string();
    let pending = world.begin().await.pending;
    let token = signed(&world.key, &header, &good_claims(&pending.nonce).to_string());
    world.on(TOKEN, Reply::ok(token_answer(token)));
    let forged = || world.finish(pending.clone());
    let results = tokio::join!(forged(), forged(), forged(), forged());
    assert_eq!(fault(results.0), IdTokenFault::NoKey);
    assert_eq!(fault(results.3), IdTokenFault::NoKey);
    assert_eq!(world.calls(JWKS).len(), 2);
}

#[tokio::test]
async fn the_first_fetch_is_not_repeated_for_the_same_token() {
    let world = world();
    let header = json!({"alg": "ES256", "kid": "unknown"}).to_string();
    let make = |nonce: &str| signed(&world.key, &header, &good_claims(nonce).to_string());
    assert_eq!(fault(world.login_with_token(make).await), IdTokenFault::NoKey);
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
    assert!(matches!(result, Err(Error::KeysUnavailable(FetchError::Content(_)))), "{result:?}");
    let result = world.login_with(|_| {}).await;
    assert!(matches!(result, Err(Error::KeysUnavailable(FetchError::BackingOff))), "{result:?}");
    assert_eq!(world.calls(JWKS).len(), 1);
    world.clock.advance(Duration::from_secs(1));
    world.on(JWKS, key_set([&world.key]));
    world.login().await;
}
