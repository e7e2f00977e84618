//! Which key verifies which token, and what a verified token must say. `wycheproof` has the vectors of others.

use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_FIXED_SIGNING, ECDSA_P384_SHA384_FIXED_SIGNING, ECDSA_P521_SHA512_FIXED_SIGNING, EcdsaKeyPair,
    EcdsaSigningAlgorithm, Ed25519KeyPair, KeyPair as _, RSA_PKCS1_SHA256, RSA_PKCS1_SHA384, RSA_PKCS1_SHA512,
    RSA_PSS_SHA256, RSA_PSS_SHA384, RSA_PSS_SHA512, RsaKeyPair,
};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use proptest::prelude::*;
use serde_json::json;

use super::*;
use crate::jose::compact::{Error as Form, Kind};
use crate::jose::signing_key::SigningKey;

mod wycheproof;

const NOW: Timestamp = Timestamp::from_seconds(1_800_000_000);

fn expected() -> Expected<'static> {
    Expected {
        issuer: "https://issuer.test",
        audience: Audience::Us("us"),
        registered_claims: Presence::Required,
        expiry: Expiry::WithLeeway,
        now: NOW,
    }
}

fn claims() -> Value {
    let now = NOW.seconds();
    json!({"iss": "https://issuer.test", "aud": "us", "iat": now, "exp": now + 60, "sub": "alice"})
}

fn new_key() -> SigningKey {
    SigningKey::from_pem(&SigningKey::generate_pem()).expect("a generated key reads back")
}

fn header(key: &SigningKey) -> Value {
    json!({"alg": "ES256", "kid": key.kid()})
}

fn set(jwks: &[Value]) -> KeySet {
    KeySet::parse(json!({ "keys": jwks }).to_string().as_bytes()).expect("a key set")
}

fn verified(token: &str, keys: &KeySet, expected: &Expected<'_>) -> Result<Verified, Fault> {
    verify(&Compact::parse(token, Kind::Jwt).expect("a plain token"), keys, expected)
}

#[track_caller]
fn check(change: impl FnOnce(&mut Value), expected: &Expected<'_>, fault: Option<Fault>) {
    let key = new_key();
    let mut claims = claims();
    change(&mut claims);
    let token = key.compact(&header(&key), &claims).expect("signs");
    let keys = KeySet::of([key.public()].into_iter());
    assert_eq!(verified(&token, &keys, expected).err(), fault, "{claims}");
}

#[test]
fn a_token_of_ours_is_verified_by_the_set_of_our_keys() {
    let (new, old, stranger) = (new_key(), new_key(), new_key());
    let rsa = SigningKey::from_pem(&SigningKey::generate_rsa_pem()).expect("a generated key reads back");
    let keys = KeySet::of([new.public(), &rsa.public().clone(), old.public()].into_iter());
    assert_eq!((keys.len(), keys.skipped()), (3, 0));
    for key in [&new, &rsa, &old] {
        let header = json!({"alg": key.algorithm().name(), "kid": key.kid()});
        let token = key.compact(&header, &claims()).expect("signs");
        let token = verified(&token, &keys, &expected()).expect("one of our keys");
        assert_eq!((token.claims()["sub"].as_str(), token.algorithm()), (Some("alice"), algorithm_of(key)));
        assert_eq!(Value::Object(token.into_claims()), claims());
    }
    let token = |header: &Value| stranger.compact(header, &claims()).expect("signs");
    assert_eq!(verified(&token(&header(&stranger)), &keys, &expected()).err(), Some(Fault::NoKey));
    assert_eq!(verified(&token(&header(&new)), &keys, &expected()).err(), Some(Fault::Signature));
    assert_eq!(verified(&token(&json!({"alg": "ES256"})), &keys, &expected()).err(), Some(Fault::Signature));
}

fn algorithm_of(key: &SigningKey) -> Algorithm {
    Algorithm::from_name(key.algorithm().name()).expect("what we sign with can be verified")
}

#[test]
fn the_signature_is_looked_at_before_the_claims() {
    let (key, stranger) = (new_key(), new_key());
    let keys = KeySet::of([key.public()].into_iter());
    // Everything about it is wrong; what is said is that nobody signed it.
    let signed = |by: &SigningKey, payload: &str| {
        let input = format!("{}.{}", URL_SAFE_NO_PAD.encode(header(&key).to_string()), URL_SAFE_NO_PAD.encode(payload));
        format!("{input}.{}", by.sign(input.as_bytes()).expect("signs"))
    };
    for payload in ["", "[]", "not JSON", r#"{"sub":"a","sub":"b"}"#, r#"{"iss":"https://evil.test"}"#] {
        assert_eq!(verified(&signed(&stranger, payload), &keys, &expected()).err(), Some(Fault::Signature));
    }
    for payload in
        ["", "[]", "not JSON", "null", r#"{"sub":"a","sub":"b"}"#, r#"{"a":{"b":1,"b":1}}"#, "{}{}", "\u{feff}{}"]
    {
        assert_eq!(verified(&signed(&key, payload), &keys, &expected()).err(), Some(Fault::Payload), "{payload:?}");
    }
    let deep = format!(r#"{{"a":{}{}}}"#, "[".repeat(5_000), "]".repeat(5_000));
    assert_eq!(verified(&signed(&key, &deep), &keys, &expected()).err(), Some(Fault::Payload));
}

#[test]
fn a_hint_may_have_expired_and_may_be_for_any_client() {
    let hint = Expected { audience: Audience::Any, expiry: Expiry::Never, ..expected() };
    let long_ago = |claims: &mut Value| {
        claims["exp"] = json!(1);
        claims["aud"] = json!("another");
    };
    check(long_ago, &hint, None);
    check(long_ago, &expected(), Some(Fault::Expired));
    check(
        |claims| claims["aud"] = json!("another"),
        &expected(),
        Some(Fault::Audience(Mismatch::new(Some("another"), "us"))),
    );
    // All the rest is as strict as ever.
    check(|claims| claims["exp"] = json!("1"), &hint, Some(Fault::Claim("exp")));
    check(|claims| claims["aud"] = json!(null), &hint, Some(Fault::Claim("aud")));
    check(|claims| claims["iat"] = json!(NOW.seconds() + 61), &hint, Some(Fault::IssuedInFuture));
    let other = Some(Fault::Issuer(Mismatch::new(Some("https://evil.test"), "https://issuer.test")));
    check(|claims| claims["iss"] = json!("https://evil.test"), &hint, other);
}

#[test]
fn an_own_token_expires_at_the_second_it_names() {
    let own = Expected { expiry: Expiry::Exact, ..expected() };
    let now = NOW.seconds();
    for (seconds, own_fault, others_fault) in [
        (now + 1, None, None),
        (now, Some(Fault::Expired), None),
        (now - 59, Some(Fault::Expired), None),
        (now - 60, Some(Fault::Expired), Some(Fault::Expired)),
    ] {
        check(|claims| claims["exp"] = json!(seconds), &own, own_fault);
        check(|claims| claims["exp"] = json!(seconds), &expected(), others_fault);
    }
}

#[test]
fn claims_that_may_be_absent_are_right_where_they_are_there() {
    let userinfo = Expected { registered_claims: Presence::Optional, ..expected() };
    check(|claims| *claims = json!({"sub": "alice"}), &userinfo, None);
    check(|claims| *claims = json!({"iss": 7}), &userinfo, Some(Fault::Claim("iss")));
    check(|claims| *claims = json!({"aud": {}}), &userinfo, Some(Fault::Claim("aud")));
    check(|claims| *claims = json!({"exp": NOW.seconds() - 60}), &userinfo, Some(Fault::Expired));
    for name in ["iss", "aud", "exp", "iat"] {
        let without = |claims: &mut Value| drop(claims.as_object_mut().expect("an object").remove(name));
        check(without, &expected(), Some(Fault::Claim(name)));
    }
}

type Sign = Box<dyn Fn(&[u8]) -> Vec<u8>>;

/// A key pair, and the algorithms that it may sign with.
struct Pair {
    jwk: Value,
    algorithms: Vec<(&'static str, Sign)>,
}

#[test]
fn an_access_token_says_who_issued_it_and_when_it_ends_and_names_one_of_us() {
    let names = ["us".to_owned(), "we".to_owned()];
    let access =
        Expected { registered_claims: Presence::IssuerAndExpiry, audience: Audience::OneOf(&names), ..expected() };
    check(|claims| claims["aud"] = json!(["x", "we"]), &access, None);
    check(|claims| claims["aud"] = json!("u"), &access, Some(Fault::Audience(Mismatch::new(Some("u"), "us or we"))));
    check(|claims| claims["aud"] = json!([]), &access, Some(Fault::Audience(Mismatch::new(Some(""), "us or we"))));
    let any = Expected { audience: Audience::Any, ..access };
    for (name, with_names, with_any) in [
        ("iss", Some(Fault::Claim("iss")), Some(Fault::Claim("iss"))),
        ("exp", Some(Fault::Claim("exp")), Some(Fault::Claim("exp"))),
        ("aud", Some(Fault::Claim("aud")), None),
        ("iat", None, None),
    ] {
        let without = |claims: &mut Value| drop(claims.as_object_mut().expect("an object").remove(name));
        check(without, &access, with_names);
        check(without, &any, with_any);
    }
}

fn pairs() -> Vec<Pair> {
    let elliptic = |curve: &str, name, algorithm: &'static EcdsaSigningAlgorithm| {
        let pair = EcdsaKeyPair::generate(algorithm).expect("generates");
        let point = &pair.public_key().as_ref()[1..];
        let (x, y) = point.split_at(point.len() / 2);
        let jwk = json!({"kty": "EC", "crv": curve, "x": URL_SAFE_NO_PAD.encode(x), "y": URL_SAFE_NO_PAD.encode(y)});
        let sign = move |input: &[u8]| pair.sign(&SystemRandom::new(), input).expect("signs").as_ref().to_vec();
        Pair { jwk, algorithms: vec![(name, Box::new(sign))] }
    };
    let edwards = Ed25519KeyPair::generate().expect("generates");
    let jwk = json!({"kty": "OKP", "crv": "Ed25519", "x": URL_SAFE_NO_PAD.encode(edwards.public_key())});
    let sign = move |input: &[u8]| edwards.sign(input).as_ref().to_vec();
    let edwards = Pair { jwk, algorithms: vec![("EdDSA", Box::new(sign))] };
    // PKCS #1 is `SEQUENCE { n, e }`, with all lengths known at 2048 bits.
    let rsa = std::sync::Arc::new(RsaKeyPair::generate(KeySize::Rsa2048).expect("generates"));
    let jwk = json!({"kty": "RSA", "n": URL_SAFE_NO_PAD.encode(&rsa.public_key().as_ref()[9..265]), "e": "AQAB"});
    let paddings: [(&str, &'static dyn aws_lc_rs::signature::RsaEncoding); 6] = [
        ("RS256", &RSA_PKCS1_SHA256),
        ("RS384", &RSA_PKCS1_SHA384),
        ("RS512", &RSA_PKCS1_SHA512),
        ("PS256", &RSA_PSS_SHA256),
        ("PS384", &RSA_PSS_SHA384),
        ("PS512", &RSA_PSS_SHA512),
    ];
    let algorithms = paddings.into_iter().map(|(name, padding)| {
        let rsa = std::sync::Arc::clone(&rsa);
        let sign = move |input: &[u8]| {
            let mut signature = vec![0; rsa.public_modulus_len()];
            rsa.sign(padding, &SystemRandom::new(), input, &mut signature).expect("signs");
            signature
        };
        (name, Box::new(sign) as Sign)
    });
    vec![
        elliptic("P-256", "ES256", &ECDSA_P256_SHA256_FIXED_SIGNING),
        elliptic("P-384", "ES384", &ECDSA_P384_SHA384_FIXED_SIGNING),
        elliptic("P-521", "ES512", &ECDSA_P521_SHA512_FIXED_SIGNING),
        edwards,
        Pair { jwk, algorithms: algorithms.collect() },
    ]
}

#[test]
fn j_01_a_signature_is_right_under_its_own_algorithm_only() {
    // Every key, what it signed with, and what the header says that it signed with (RFC 8725 §2.1: algorithm confusion).
    let (mut right, mut wrong) = (0, 0);
    for Pair { jwk, algorithms } in pairs() {
        let keys = set(&[jwk]);
        assert_eq!(keys.len(), 1);
        for (signed_with, sign) in &algorithms {
            for said in Algorithm::NAMES {
                let input = format!(
                    "{}.{}",
                    URL_SAFE_NO_PAD.encode(json!({ "alg": said }).to_string()),
                    URL_SAFE_NO_PAD.encode(claims().to_string())
                );
                let token = format!("{input}.{}", URL_SAFE_NO_PAD.encode(sign(input.as_bytes())));
                let fault = verified(&token, &keys, &expected()).err();
                if said == *signed_with {
                    assert_eq!(fault, None, "{said}");
                    right += 1;
                } else {
                    let is_of_the_key = algorithms.iter().any(|(name, _)| *name == said);
                    let expected = if is_of_the_key { Fault::Signature } else { Fault::NoKey };
                    assert_eq!(fault, Some(expected), "signed with {signed_with}, said {said}");
                    wrong += 1;
                }
            }
        }
    }
    assert_eq!((right, wrong), (10, 90));
}

#[test]
fn a_key_is_chosen_by_id_algorithm_and_use() {
    let (first, second) = (new_key(), new_key());
    let with = |key: &SigningKey, changes: Value| {
        let mut jwk = key.public().jwk().as_object().expect("an object").clone();
        jwk.extend(changes.as_object().expect("an object").clone());
        jwk.retain(|_, value| !value.is_null());
        Value::Object(jwk)
    };
    let token = second.compact(&json!({"alg": "ES256", "kid": "k"}), &claims()).expect("signs");
    let without_id = second.compact(&json!({"alg": "ES256"}), &claims()).expect("signs");
    let named = json!({"kid": "k"});
    let cases = [
        (vec![with(&first, json!({"kid": "j"})), with(&second, named.clone())], None, None),
        // An id that comes twice: each key that fits is tried (pitfalls 45).
        (vec![with(&first, named.clone()), with(&second, named.clone())], None, None),
        (vec![with(&first, named.clone())], Some(Fault::Signature), Some(Fault::Signature)),
        // A key without an id is for tokens without one, and not a key for everything.
        (vec![with(&second, json!({"kid": null}))], Some(Fault::NoKey), None),
        (vec![with(&second, json!({"kid": "K"}))], Some(Fault::NoKey), None),
        (vec![with(&second, json!({"kid": "k", "alg": null}))], None, None),
        (vec![with(&second, json!({"kid": "k", "alg": "ES384"}))], Some(Fault::NoKey), Some(Fault::NoKey)),
        (vec![with(&second, json!({"kid": "k", "use": null}))], None, None),
        (vec![with(&second, json!({"kid": "k", "use": "enc"}))], Some(Fault::NoKey), Some(Fault::NoKey)),
        (vec![with(&second, json!({"kid": "k", "key_ops": ["sign"]}))], Some(Fault::NoKey), Some(Fault::NoKey)),
        (vec![], Some(Fault::NoKey), Some(Fault::NoKey)),
    ];
    for (jwks, of_token, of_token_without_id) in cases {
        let keys = set(&jwks);
        assert_eq!(verified(&token, &keys, &expected()).err(), of_token, "{jwks:?}");
        assert_eq!(verified(&without_id, &keys, &expected()).err(), of_token_without_id, "{jwks:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 512, ..ProptestConfig::default() })]

    #[test]
    fn any_changed_bit_of_a_token_is_refused(at in any::<prop::sample::Index>(), bit in 0..7_u8) {
        thread_local! {
            static KEY: (SigningKey, KeySet) = {
                let key = new_key();
                let keys = KeySet::of([key.public()].into_iter());
                (key, keys)
            };
        }
        KEY.with(|(key, keys)| {
            let good = key.compact(&header(key), &claims()).expect("signs");
            let mut bytes = good.clone().into_bytes();
            bytes[at.index(good.len())] ^= 1 << bit;
            let changed = String::from_utf8(bytes).expect("seven bits are ASCII");
            let read = Compact::parse(&changed, Kind::Jwt);
            prop_assert!(read.is_err() || verify(&read.expect("reads"), keys, &expected()).is_err(), "{}", changed);
            prop_assert!(verified(&good, keys, &expected()).is_ok());
            Ok(())
        })?;
    }

    #[test]
    fn a_member_that_comes_twice_is_refused_wherever_it_stands(
        name in "[a-z]{1,6}", first in any::<i32>(), second in any::<i32>(), others in 0..4_usize, depth in 0..4_usize,
    ) {
        let others: String = (0..others).map(|other| format!(r#","_{other}":null"#)).collect();
        let twice = format!(r#"{{"{name}":{first}{others},"{name}":{second}}}"#);
        let nested = format!("{}{twice}{}", r#"{"n":"#.repeat(depth), "}".repeat(depth));
        let key = new_key();
        let keys = KeySet::of([key.public()].into_iter());
        let input =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header(&key).to_string()), URL_SAFE_NO_PAD.encode(&nested));
        let token = format!("{input}.{}", key.sign(input.as_bytes()).expect("signs"));
        prop_assert_eq!(verified(&token, &keys, &expected()).err(), Some(Fault::Payload));
        let header = format!(r#"{{"alg":"ES256","x":{nested}}}"#);
        let token = format!("{}.e30.c2ln", URL_SAFE_NO_PAD.encode(header));
        prop_assert_eq!(Compact::parse(&token, Kind::Jwt).err(), Some(Form::Json));
    }
}
