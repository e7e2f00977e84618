use std::time::Duration;

use serde_json::json;

use super::scripted::*;
use crate::jose::verify::Fault;
use crate::oidc::error::{Error, Fetch, FetchError, FetchFault};

const MINUTE: Duration = Duration::from_secs(60);

#[tokio::test]
async fn a_rotated_key_is_fetched_once() {
    let mut fixture = fixture();
    fixture.login().await;
    let retired = std::mem::replace(&mut fixture.key, new_key());
    fixture.on(JWKS, key_set([&retired, &fixture.key]));
    fixture.login().await;
    assert_eq!(fixture.calls(JWKS).len(), 2);
    fixture.login().await;
    assert_eq!(fixture.calls(JWKS).len(), 2);
}

#[tokio::test]
async fn d_18_unknown_key_ids_cause_few_fetches_at_growing_pauses() {
    let fixture = fixture();
    fixture.login().await;
    let stranger = new_key();
    let forged = async |number: usize| {
        let header = json!({"alg": "ES256", "kid": format!("unknown-{number}")}).to_string();
        fixture.login_with_token(|nonce| signed(&stranger, &header, &good_claims(nonce).to_string())).await
    };
    for number in 0..20 {
        assert_eq!(token_fault(forged(number).await), Fault::NoKey);
    }
    assert_eq!(fixture.calls(JWKS).len(), 2, "the first fetch, and one for all strangers");
    let mut fetches = 2;
    for pause in [1, 2, 4, 8, 16, 30] {
        fixture.clock.advance(Duration::from_secs(pause) - Duration::from_millis(1));
        assert_eq!(token_fault(forged(21).await), Fault::NoKey);
        assert_eq!(fixture.calls(JWKS).len(), fetches, "{pause}");
        fixture.clock.advance(Duration::from_millis(1));
        assert_eq!(token_fault(forged(22).await), Fault::NoKey);
        fetches += 1;
        assert_eq!(fixture.calls(JWKS).len(), fetches, "{pause}");
    }
    let good = |claims: &mut serde_json::Value| {
        let now = fixture.clock.now().seconds();
        (claims["iat"], claims["exp"]) = (json!(now), json!(now + 300));
    };
    fixture.login_with(good).await.expect("the keys that were good still are");
}

#[tokio::test]
async fn several_rotations_within_a_minute_are_followed() {
    let mut fixture = fixture();
    fixture.login().await;
    for _ in 0..5 {
        fixture.clock.advance(Duration::from_secs(5));
        fixture.key = new_key();
        fixture.on(JWKS, key_set([&fixture.key]));
        fixture.login().await;
    }
}

#[tokio::test]
async fn a_provider_that_re_keys_under_the_same_key_id_is_followed() {
    let mut fixture = fixture();
    fixture.login().await;
    let header = fixture.header();
    for _ in 0..3 {
        fixture.key = new_key();
        let mut jwk = fixture.key.public().jwk().clone();
        jwk["kid"] = serde_json::from_str::<serde_json::Value>(&header).expect("JSON")["kid"].clone();
        fixture.on(JWKS, Reply::ok(json!({ "keys": [jwk] })));
        let make = |nonce: &str| signed(&fixture.key, &header, &good_claims(nonce).to_string());
        fixture.login_with_token(make).await.expect("the new key under the old id");
    }
}

#[tokio::test]
async fn a_key_that_is_published_late_is_found_a_moment_later() {
    let mut fixture = fixture();
    fixture.login().await;
    let retired = std::mem::replace(&mut fixture.key, new_key());
    assert_eq!(token_fault(fixture.login_with(|_| {}).await), Fault::NoKey);
    fixture.on(JWKS, key_set([&retired, &fixture.key]));
    fixture.clock.advance(Duration::from_secs(1));
    fixture.login().await;
}

#[tokio::test]
async fn a_fetch_that_fails_costs_a_second_and_not_a_minute() {
    let mut fixture = fixture();
    fixture.login().await;
    let retired = std::mem::replace(&mut fixture.key, new_key());
    for answer in [Reply::status(503), Reply::html(), Reply::ok(json!({"keys": []}))] {
        fixture.on(JWKS, answer);
        let result = fixture.login_with(|_| {}).await;
        assert!(matches!(result, Err(Error::KeysUnavailable(FetchError::Failed(_)))), "{result:?}");
        let result = fixture.login_with(|_| {}).await;
        assert!(matches!(result, Err(Error::KeysUnavailable(FetchError::BackingOff))), "{result:?}");
        let old = |nonce: &str| {
            let header = json!({"alg": "ES256", "kid": retired.kid()}).to_string();
            signed(&retired, &header, &good_claims(nonce).to_string())
        };
        fixture.login_with_token(old).await.expect("the last good set stays");
        fixture.clock.advance(Duration::from_secs(4));
    }
    fixture.on(JWKS, key_set([&fixture.key]));
    fixture.login().await;
}

#[tokio::test]
async fn strangers_at_once_cause_one_fetch() {
    let fixture = fixture();
    fixture.login().await;
    let header = json!({"alg": "ES256", "kid": "unknown"}).to_string();
    let pending = fixture.begin().await.pending;
    let token = signed(&fixture.key, &header, &good_claims(nonce_of(&pending)).to_string());
    fixture.on(TOKEN, Reply::ok(token_answer(token)));
    let forged = || fixture.finish(pending.clone());
    let results = tokio::join!(forged(), forged(), forged(), forged());
    assert_eq!(token_fault(results.0), Fault::NoKey);
    assert_eq!(token_fault(results.3), Fault::NoKey);
    assert_eq!(fixture.calls(JWKS).len(), 2);
}

#[tokio::test]
async fn the_first_fetch_is_not_repeated_for_the_same_token() {
    let fixture = fixture();
    let header = json!({"alg": "ES256", "kid": "unknown"}).to_string();
    let make = |nonce: &str| signed(&fixture.key, &header, &good_claims(nonce).to_string());
    assert_eq!(token_fault(fixture.login_with_token(make).await), Fault::NoKey);
    assert_eq!(fixture.calls(JWKS).len(), 1);
}

#[tokio::test]
async fn a_rotation_is_noticed_by_tokens_without_key_id() {
    let mut fixture = fixture();
    fixture.login().await;
    fixture.key = new_key();
    fixture.on(JWKS, key_set([&fixture.key]));
    let make = |nonce: &str| signed(&fixture.key, r#"{"alg":"ES256"}"#, &good_claims(nonce).to_string());
    fixture.login_with_token(make).await.expect("the new key");
    assert_eq!(fixture.calls(JWKS).len(), 2);
}

#[tokio::test]
async fn old_keys_serve_while_the_provider_is_down() {
    let fixture = fixture();
    fixture.login().await;
    fixture.on(JWKS, Reply::Refuse);
    fixture.on(DISCOVERY, Reply::Refuse);
    fixture.clock.advance(2 * 60 * MINUTE);
    let later = NOW.seconds() + 7200;
    let fresh = |claims: &mut serde_json::Value| {
        claims["iat"] = json!(later);
        claims["exp"] = json!(later + 300);
    };
    fixture.login_with(fresh).await.expect("what is remembered is good");
    fixture.login_with(fresh).await.expect("and stays so");
    assert_eq!((fixture.calls(JWKS).len(), fixture.calls(DISCOVERY).len()), (2, 2), "tried anew, once");
}

#[tokio::test]
async fn keys_that_never_came_are_not_hammered_for() {
    let fixture = fixture();
    fixture.on(JWKS, Reply::html());
    let result = fixture.login_with(|_| {}).await;
    assert!(
        matches!(result, Err(Error::KeysUnavailable(FetchError::Failed(Fetch { cause: FetchFault::NotAKeySet, .. })))),
        "{result:?}"
    );
    let result = fixture.login_with(|_| {}).await;
    assert!(matches!(result, Err(Error::KeysUnavailable(FetchError::BackingOff))), "{result:?}");
    assert_eq!(fixture.calls(JWKS).len(), 1);
    fixture.clock.advance(Duration::from_secs(1));
    fixture.on(JWKS, key_set([&fixture.key]));
    fixture.login().await;
}
