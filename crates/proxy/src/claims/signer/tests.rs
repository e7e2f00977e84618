use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};
use serde_json::json;

use super::*;
use crate::claims::tests::{identity, signing_key};

const NOW: Timestamp = Timestamp::from_millis(1_800_000_000_999);

fn signer(format: Format) -> Signer {
    Signer::new(signing_key(), format, "arn:vestibule:test".into())
}

fn token(signer: &Signer, claims: Value) -> String {
    let user = signer.prepare(&identity(claims), "dashboard");
    let value = signer.assertion(&user, &"app".into(), NOW).expect("signs");
    value.to_str().expect("ASCII").to_owned()
}

fn at(user: &Assertions, signer: &Signer, audience: &str, now: Timestamp) -> HeaderValue {
    signer.assertion(user, &audience.into(), now).expect("signs")
}

#[track_caller]
fn verify(signer: &Signer, input: &str, signature: &[u8]) {
    let jwk = signer.key.public().jwk();
    let coordinate = |name: &str| URL_SAFE_NO_PAD.decode(jwk[name].as_str().expect("a string")).expect("base64url");
    let point = [vec![4], coordinate("x"), coordinate("y")].concat();
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(input.as_bytes(), signature).expect("verifies");
}

#[test]
fn a_standard_token_has_the_documented_members_in_order() {
    let signer = signer(Format::Jwt);
    let token = token(&signer, json!({"email": "a@b.c", "aud": "evil", "exp": 9, "nbf": 9, "jti": "x", "n": 1}));
    assert!(!token.contains('='));
    let (input, signature) = token.rsplit_once('.').expect("three segments");
    verify(&signer, input, &URL_SAFE_NO_PAD.decode(signature).expect("unpadded base64url"));
    let (header, payload) = input.split_once('.').expect("two segments");
    let text = |segment| String::from_utf8(URL_SAFE_NO_PAD.decode(segment).expect("base64url")).expect("UTF-8");
    let kid = signer.key.kid();
    assert_eq!(
        text(header),
        format!(
            r#"{{"typ":"JWT","kid":"{kid}","alg":"ES256","iss":"https://idp.test","client":"dashboard","signer":"arn:vestibule:test","exp":1800000120}}"#
        )
    );
    assert_eq!(
        text(payload),
        r#"{"email":"a@b.c","n":1,"sub":"alice","iss":"https://idp.test","aud":"app","iat":1800000000,"exp":1800000120}"#
    );
}

#[test]
fn k_05_the_alb_s_token_is_padded_and_the_padding_is_signed() {
    let signer = signer(Format::Alb);
    // Payload lengths with each remainder modulo three.
    for filler in ["", "x", "xx"] {
        let token = token(&signer, json!({"email": "a@b.c", "exp": 1, "iss": "evil", "filler": filler}));
        let segments: Vec<&str> = token.split('.').collect();
        assert!(segments.iter().all(|segment| segment.len() % 4 == 0));
        let (input, signature) = token.rsplit_once('.').expect("three segments");
        assert_eq!((signature.len(), &signature[86..]), (88, "=="));
        verify(&signer, input, &URL_SAFE.decode(signature).expect("padded base64url"));
        let payload = String::from_utf8(URL_SAFE.decode(segments[1]).expect("padded base64url")).expect("UTF-8");
        assert_eq!(
            payload,
            format!(
                r#"{{"sub":"alice","email":"a@b.c","filler":"{filler}","exp":1800000120,"iss":"https://idp.test"}}"#
            )
        );
    }
}

#[test]
fn the_alb_s_payload_keeps_the_provider_s_order() {
    let signer = signer(Format::Alb);
    let token = token(&signer, json!({"name": "A", "sub": "alice"}));
    let payload = URL_SAFE.decode(token.split('.').nth(1).expect("three segments")).expect("padded base64url");
    assert!(payload.starts_with(br#"{"name":"A","sub":"alice","exp":"#));
}

#[test]
fn an_assertion_is_made_again_when_half_its_life_is_gone() {
    let signer = signer(Format::Jwt);
    let user = signer.prepare(&identity(json!({})), "dashboard");
    let first = at(&user, &signer, "app", NOW);
    assert_eq!(at(&user, &signer, "app", NOW + Duration::from_secs(59)), first);
    assert_ne!(at(&user, &signer, "app", NOW + Duration::from_secs(60)), first);
}

#[test]
fn an_assertion_does_not_outlive_a_clock_that_was_set_back() {
    let signer = signer(Format::Jwt);
    let user = signer.prepare(&identity(json!({})), "dashboard");
    let first = at(&user, &signer, "app", NOW);
    assert_ne!(at(&user, &signer, "app", NOW - Duration::from_secs(3600)), first);
}

#[test]
fn k_04_each_audience_has_its_own_assertion() {
    let signer = signer(Format::Jwt);
    let user = signer.prepare(&identity(json!({})), "dashboard");
    let first = at(&user, &signer, "app", NOW);
    assert_ne!(at(&user, &signer, "other", NOW), first);
    assert_eq!(at(&user, &signer, "app", NOW), first);
    for number in 0..100 {
        at(&user, &signer, &number.to_string(), NOW);
        assert!(user.made.borrow().len() <= AUDIENCES_MAX);
    }
}
