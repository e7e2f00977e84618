use aws_lc_rs::hmac;
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use super::scripted::*;
use crate::crypto::octets;
use crate::jose::compact::Error as Form;
use crate::jose::verify::Fault;
use crate::oidc::error::IdTokenFault;

#[tokio::test]
async fn j_unsigned_tokens_are_refused() {
    let fixture = fixture();
    for alg in ["none", "NONE", "nOnE", ""] {
        let header = json!({"alg": alg, "typ": "JWT"}).to_string();
        let make = |nonce: &str| compact(&header, &good_claims(nonce).to_string(), "");
        assert_eq!(fault(fixture.login_with_token(make).await), IdTokenFault::Form(Form::Algorithm), "{alg}");
    }
}

#[tokio::test]
async fn j_a_shared_secret_signs_nothing() {
    let fixture = fixture();
    let pem = fixture.key.public().pem().as_bytes().to_vec();
    for secret in [b"s3cret/+".to_vec(), pem, Vec::new()] {
        let make = |nonce: &str| {
            let header = json!({"alg": "HS256", "kid": fixture.key.kid()}).to_string();
            let token = compact(&header, &good_claims(nonce).to_string(), "");
            let input = token.trim_end_matches('.');
            let tag = hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, &secret), input.as_bytes());
            format!("{input}.{}", URL_SAFE_NO_PAD.encode(tag))
        };
        assert_eq!(fault(fixture.login_with_token(make).await), IdTokenFault::Form(Form::SharedSecret("HS256")));
    }
}

#[tokio::test]
async fn j_a_signature_that_is_not_the_keys_is_refused() {
    let fixture = fixture();
    let stranger = new_key();
    let header = fixture.header();
    let by_another = |nonce: &str| signed(&stranger, &header, &good_claims(nonce).to_string());
    assert_eq!(token_fault(fixture.login_with_token(by_another).await), Fault::Signature);
    // Zeros ("psychic", CVE-2022-21449), nothing, too short, too long, and DER.
    let der = [&[0x30, 0x06, 0x02, 0x01, 0x01, 0x02, 0x01, 0x01][..]].concat();
    for signature in [vec![0; 64], vec![], vec![1; 63], vec![1; 65], vec![0xff; 64], der] {
        let make = |nonce: &str| compact(&header, &good_claims(nonce).to_string(), &signature);
        assert_eq!(token_fault(fixture.login_with_token(make).await), Fault::Signature, "{}", signature.len());
    }
    // Signed, then changed.
    let changed = |nonce: &str| {
        let mut claims = good_claims(nonce);
        let token = fixture.sign(&claims);
        claims["sub"] = json!("admin");
        let (_, signature) = token.rsplit_once('.').expect("three segments");
        format!("{}{signature}", compact(&header, &claims.to_string(), ""))
    };
    assert_eq!(token_fault(fixture.login_with_token(changed).await), Fault::Signature);
}

#[tokio::test]
async fn j_key_ids_are_compared_and_nothing_else() {
    for kid in ["../../etc/passwd", "' OR 1=1", "", "https://evil.test/key"] {
        let fixture = fixture();
        let header = json!({"alg": "ES256", "kid": kid}).to_string();
        let make = |nonce: &str| signed(&fixture.key, &header, &good_claims(nonce).to_string());
        assert_eq!(token_fault(fixture.login_with_token(make).await), Fault::NoKey, "{kid}");
    }
}

#[tokio::test]
async fn j_a_key_is_used_for_its_own_type_only() {
    let fixture = fixture();
    for alg in ["RS256", "PS256", "ES384", "EdDSA"] {
        let header = json!({"alg": alg, "kid": fixture.key.kid()}).to_string();
        let make = |nonce: &str| signed(&fixture.key, &header, &good_claims(nonce).to_string());
        assert_eq!(token_fault(fixture.login_with_token(make).await), Fault::NoKey, "{alg}");
    }
}

#[tokio::test]
async fn j_headers_that_bring_keys_or_extensions_are_refused() {
    let fixture = fixture();
    let jwk = new_key();
    let cases = [
        (json!({"alg": "ES256", "jwk": jwk.public().jwk()}), Form::EmbeddedKey),
        (json!({"alg": "ES256", "jku": "https://evil.test/jwks"}), Form::EmbeddedKey),
        (json!({"alg": "ES256", "x5u": "https://evil.test/cert"}), Form::EmbeddedKey),
        (json!({"alg": "ES256", "crit": ["b64"], "b64": false}), Form::Critical),
        (json!({"alg": "ES256", "typ": "at+jwt"}), Form::Type),
        (json!({"alg": "ES256", "typ": "logout+jwt"}), Form::Type),
    ];
    for (header, form) in cases {
        let make = |nonce: &str| signed(&jwk, &header.to_string(), &good_claims(nonce).to_string());
        assert_eq!(fault(fixture.login_with_token(make).await), IdTokenFault::Form(form), "{header}");
    }
}

#[tokio::test]
async fn j_encrypted_and_bloated_tokens_are_not_read() {
    let fixture = fixture();
    let bomb = json!({"alg": "PBES2-HS256+A128KW", "enc": "A128GCM", "p2c": 2147483647, "zip": "DEF"}).to_string();
    let jwe = format!("{}.a.b.c.d", URL_SAFE_NO_PAD.encode(bomb));
    assert_eq!(fault(fixture.login_with_token(|_| jwe).await), IdTokenFault::Form(Form::Segments));
    let large = "a".repeat(256 * 1024);
    assert_eq!(fault(fixture.login_with_token(|_| large).await), IdTokenFault::Form(Form::TooLarge));
}

#[tokio::test]
async fn j_d_10_repeated_members_and_deep_nesting_are_refused() {
    let fixture = fixture();
    let twice = |nonce: &str| {
        let claims = good_claims(nonce).to_string();
        signed(&fixture.key, &fixture.header(), &claims.replacen('{', r#"{"sub":"admin","#, 1))
    };
    assert_eq!(token_fault(fixture.login_with_token(twice).await), Fault::Payload);
    let deep = |nonce: &str| {
        let claims = good_claims(nonce).to_string();
        let nest = format!(r#"{{"x":{}{},"#, "[".repeat(5000), "]".repeat(5000));
        signed(&fixture.key, &fixture.header(), &claims.replacen('{', &nest, 1))
    };
    assert_eq!(token_fault(fixture.login_with_token(deep).await), Fault::Payload);
}

#[tokio::test]
async fn j_the_issuer_is_compared_exactly() {
    let fixture = fixture();
    for issuer in ["https://issuer.test/", "https://ISSUER.test", "http://issuer.test", "https://evil.test", ""] {
        let fault = token_fault(fixture.login_with(|claims| claims["iss"] = json!(issuer)).await);
        let expected = format!("its `iss` is {issuer:?}, expected \"https://issuer.test\"");
        assert_eq!(fault.to_string(), expected, "both values are named");
    }
}

#[tokio::test]
async fn j_06_times_are_numbers_within_reason() {
    let fixture = fixture();
    for name in ["exp", "iat", "nbf"] {
        for value in
            [json!("9999999999"), json!(null), json!(1e300), json!(-1), json!([1]), json!("2030-01-01T00:00:00Z")]
        {
            let change = |claims: &mut Value| claims[name] = value.clone();
            assert_eq!(token_fault(fixture.login_with(change).await), Fault::Claim(name), "{name}: {value}");
        }
    }
    for name in ["exp", "iat"] {
        let without = |claims: &mut Value| drop(claims.as_object_mut().expect("an object").remove(name));
        assert_eq!(token_fault(fixture.login_with(without).await), Fault::Claim(name));
    }
}

#[tokio::test]
async fn j_06_clocks_may_differ_by_a_minute() {
    let fixture = fixture();
    let now = NOW.seconds();
    let cases = [
        ("exp", now - 59, None),
        ("exp", now - 60, Some(Fault::Expired)),
        ("exp", now - 3600, Some(Fault::Expired)),
        ("nbf", now + 60, None),
        ("nbf", now + 61, Some(Fault::NotYetValid)),
        ("iat", now + 60, None),
        ("iat", now + 61, Some(Fault::IssuedInFuture)),
    ];
    for (name, seconds, expected) in cases {
        let result = fixture.login_with(|claims| claims[name] = json!(seconds)).await;
        match expected {
            None => drop(result.expect("within the leeway")),
            Some(expected) => assert_eq!(token_fault(result), expected, "{name} {seconds}"),
        }
    }
    fixture
        .login_with(|claims| claims["exp"] = json!(now as f64 + 0.5))
        .await
        .expect("a NumericDate may have a fraction");
}

#[tokio::test]
async fn j_a_subject_names_a_user() {
    let fixture = fixture();
    for subject in [json!(null), json!(""), json!(7), json!("a\r\nb"), json!("x".repeat(256))] {
        let result = fixture.login_with(|claims| claims["sub"] = subject.clone()).await;
        assert_eq!(fault(result), IdTokenFault::Subject, "{subject}");
    }
}

#[tokio::test]
async fn j_at_hash_binds_the_access_token() {
    let fixture = fixture();
    let hash = URL_SAFE_NO_PAD.encode(&octets::sha256(b"ACCESS-TOKEN")[..16]);
    fixture.login_with(|claims| claims["at_hash"] = json!(hash)).await.expect("the right hash");
    let other = URL_SAFE_NO_PAD.encode(&octets::sha256(b"OTHER")[..16]);
    for wrong in [other, String::new(), hash[..20].to_owned(), format!("{hash}==")] {
        let result = fixture.login_with(|claims| claims["at_hash"] = json!(wrong)).await;
        assert_eq!(fault(result), IdTokenFault::AccessTokenHash, "{wrong}");
    }
}

#[tokio::test]
async fn a_token_without_a_key_id_is_tried_with_each_key() {
    let fixture = fixture();
    let others: Vec<_> = (0..3).map(|_| new_key()).collect();
    fixture.on(JWKS, key_set(others.iter().chain([&fixture.key])));
    let make = |nonce: &str| signed(&fixture.key, r#"{"alg":"ES256"}"#, &good_claims(nonce).to_string());
    fixture.login_with_token(make).await.expect("one of them is right");
    let stranger = new_key();
    let make = |nonce: &str| signed(&stranger, r#"{"alg":"ES256"}"#, &good_claims(nonce).to_string());
    assert_eq!(token_fault(fixture.login_with_token(make).await), Fault::Signature);
}

#[tokio::test]
async fn two_keys_of_one_id_are_both_tried() {
    let fixture = fixture();
    let mut twin = new_key().public().jwk().clone();
    twin["kid"] = json!(fixture.key.kid());
    fixture.on(JWKS, Reply::ok(json!({"keys": [twin, fixture.key.public().jwk()]})));
    fixture.login().await;
}

#[tokio::test]
async fn c_19_a_password_that_was_typed_before_max_age_is_not_enough() {
    // The request goes through the browser, and its user can take `max_age` and `prompt` out of it.
    for (max_age, auth_time, is_good) in [
        ("300", json!(NOW.seconds() - 360), true),
        ("300", json!(NOW.seconds() - 361), false),
        ("0", json!(NOW.seconds() - 60), true),
        ("0", json!(NOW.seconds() - 61), false),
        ("300", Value::Null, false),
        ("300", json!("1800000000"), false),
        ("300", json!(-1), false),
        ("300", json!(NOW.seconds() + 60), true),
        ("300", json!(NOW.seconds() + 61), false),
        ("300", json!(NOW.millis()), false),
    ] {
        let fixture = fixture();
        let mut request = login_request();
        request.extra_params.insert("max_age".into(), max_age.into());
        let pending = fixture.client.begin(request).await.expect("begins").pending;
        let mut claims = good_claims(nonce_of(&pending));
        claims["auth_time"] = auth_time.clone();
        fixture.on(TOKEN, Reply::ok(token_answer(fixture.sign(&claims))));
        let finished = fixture.finish(pending).await;
        assert_eq!(finished.is_ok(), is_good, "{max_age} {auth_time}: {finished:?}");
    }
    // Where it was not asked for, nothing is demanded of it.
    assert!(fixture().login_with(|claims| claims["auth_time"] = Value::Null).await.is_ok());
}
