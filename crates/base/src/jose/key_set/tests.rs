use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use super::*;
use crate::jose::signing_key::SigningKey;

fn elliptic() -> Value {
    let key = SigningKey::from_pem(&SigningKey::generate_pem()).expect("a generated key reads back");
    key.public().jwk().clone()
}

/// An RSA key whose modulus has `bits` bits; nobody needs its factors.
fn rsa(bits: usize, exponent: &[u8]) -> Value {
    let mut modulus = vec![0xff; bits / 8];
    modulus[0] = 0x80;
    json!({"kty": "RSA", "kid": "r", "n": URL_SAFE_NO_PAD.encode(modulus), "e": URL_SAFE_NO_PAD.encode(exponent)})
}

fn with(mut jwk: Value, name: &str, value: Value) -> Value {
    jwk[name] = value;
    jwk
}

fn count(keys: Vec<Value>) -> usize {
    KeySet::parse(json!({ "keys": keys }).to_string().as_bytes()).expect("a key set").len()
}

#[track_caller]
fn kept(jwk: Value, expected: bool) {
    assert_eq!(count(vec![jwk.clone()]), usize::from(expected), "{jwk}");
}

#[test]
fn o_06_keys_that_are_not_for_signatures_are_left_out() {
    kept(elliptic(), true);
    kept(with(elliptic(), "use", json!("enc")), false);
    kept(with(elliptic(), "use", json!(1)), false);
    kept(with(elliptic(), "key_ops", json!(["verify"])), true);
    kept(with(elliptic(), "key_ops", json!(["encrypt"])), false);
    kept(with(elliptic(), "key_ops", json!("verify")), false);
    kept(with(elliptic(), "alg", json!("ECDH-ES")), false);
    kept(with(elliptic(), "alg", json!("HS256")), false);
    kept(with(elliptic(), "crv", json!("P-521")), false);
    kept(with(elliptic(), "x", json!(7)), false);
    kept(with(elliptic(), "x", json!("AQ")), false); // a point that is not on the curve
    kept(json!({"kty": "oct", "k": "c2VjcmV0", "kid": "o", "alg": "HS256"}), false);
    kept(json!({"kty": "oct", "k": "c2VjcmV0"}), false);
    kept(json!({}), false);
}

#[test]
fn j_weak_rsa_keys_are_left_out() {
    let exponent = [1, 0, 1];
    kept(rsa(2048, &exponent), true);
    kept(rsa(4096, &exponent), true);
    kept(rsa(2048, &[3]), true);
    kept(rsa(512, &exponent), false);
    kept(rsa(1024, &exponent), false);
    kept(rsa(2040, &exponent), false);
    kept(rsa(8192, &exponent), true);
    kept(rsa(8208, &exponent), false);
    kept(rsa(2048, &[1]), false);
    kept(rsa(2048, &[0, 0, 1]), false);
    kept(rsa(2048, &[2]), false);
    kept(rsa(2048, &[]), false);
    kept(with(rsa(2048, &exponent), "d", json!("AQAB")), false);
    kept(with(rsa(2048, &exponent), "n", json!("!")), false);
}

#[test]
fn o_06_at_most_a_hundred_keys_are_kept() {
    let key = elliptic();
    assert_eq!(count(vec![key; 10_000]), KEYS_MAX);
}

#[test]
fn o_06_what_is_not_a_key_set_is_refused() {
    for document in ["", "<html>", "[]", "{}", r#"{"keys":{}}"#] {
        assert!(KeySet::parse(document.as_bytes()).is_err(), "{document}");
    }
    assert_eq!(count(vec![json!(1), json!([]), json!(null)]), 0);
}

#[test]
fn an_ed25519_key_is_a_point_of_32_bytes() {
    let jwk = |x: &[u8]| json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(x)});
    kept(jwk(&[]), false);
    kept(jwk(&[1; 31]), false);
    kept(jwk(&[1; 33]), false);
    // RFC 8037 §A.2.
    kept(json!({"kty": "OKP", "crv": "Ed25519", "x": "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}), true);
}

#[test]
fn one_odd_key_does_not_cost_the_others() {
    let good = elliptic().to_string();
    let odd = [
        r#"{"kty":"RSA","n":7,"e":[]}"#,
        r#"{"kty":"EC","crv":"P-256","kid":"a","kid":"b"}"#,
        r#"{"kty":"EC","crv":"secp256k1","x":"AA","y":"AA"}"#,
        r#"{"kty":"OKP","crv":"X25519","x":"AA"}"#,
        r#"{"kty":"AKP","alg":"ML-DSA-44","pub":"AA"}"#,
        r#"{"kty":null}"#,
        "null",
        "[1]",
        "\"text\"",
    ];
    for odd in odd {
        let document = format!("\u{feff}{{\"keys\":[{odd},{good}],\"keys_url\":null}}");
        let keys = KeySet::parse(document.as_bytes()).expect("a key set");
        assert_eq!((keys.len(), keys.skipped()), (1, 1), "{odd}");
    }
}

#[test]
fn blank_optional_members_say_nothing() {
    for (name, value) in [
        ("use", json!("")),
        ("use", json!(null)),
        ("alg", json!("")),
        ("alg", json!(null)),
        ("key_ops", json!([])),
        ("key_ops", json!(null)),
        ("kid", json!(null)),
        ("x5c", json!(7)),
    ] {
        kept(with(elliptic(), name, value), true);
    }
}

#[test]
fn coordinates_are_read_padded_and_with_zeros_dropped_or_added() {
    let jwk = elliptic();
    let x = URL_SAFE_NO_PAD.decode(jwk["x"].as_str().expect("text")).expect("base64url");
    kept(with(jwk.clone(), "x", json!(format!("{}=", jwk["x"].as_str().expect("text")))), true);
    kept(with(jwk.clone(), "x", json!(URL_SAFE_NO_PAD.encode([&[0][..], &x].concat()))), true);
    let standard = jwk["x"].as_str().expect("text").replace('-', "+").replace('_', "/");
    kept(with(jwk, "x", json!(standard)), true);
    // A key whose x begins with a zero, written without it.
    let dropped = loop {
        let jwk = elliptic();
        let x = URL_SAFE_NO_PAD.decode(jwk["x"].as_str().expect("text")).expect("base64url");
        if x[0] == 0 {
            break with(jwk, "x", json!(URL_SAFE_NO_PAD.encode(&x[1..])));
        }
    };
    kept(dropped, true);
    let mut rsa = rsa(2048, &[1, 0, 1]);
    rsa["e"] = json!("AAEAAQ==");
    kept(rsa, true);
}
