use aws_lc_rs::signature::{ECDSA_P256_SHA256_FIXED, UnparsedPublicKey};

use super::*;

#[test]
fn a_compact_jws_verifies_with_the_published_point() {
    let key = SigningKey::from_pem(&SigningKey::generate_pem()).expect("a generated key reads back");
    let token = key.compact(&json!({"alg": "ES256"}), &json!({"sub": "alice"})).expect("signs");
    let (input, signature) = token.rsplit_once('.').expect("three segments");
    let coordinate =
        |name: &str| URL_SAFE_NO_PAD.decode(key.public().jwk()[name].as_str().expect("a string")).expect("base64url");
    let point = [vec![4], coordinate("x"), coordinate("y")].concat();
    let signature = URL_SAFE_NO_PAD.decode(signature).expect("base64url");
    assert_eq!(signature.len(), 64);
    UnparsedPublicKey::new(&ECDSA_P256_SHA256_FIXED, point).verify(input.as_bytes(), &signature).expect("verifies");
}

#[test]
fn the_kid_has_the_shape_of_a_uuid_and_does_not_change() {
    let pem = SigningKey::generate_pem();
    let kid = |pem| SigningKey::from_pem(pem).expect("reads").kid().to_owned();
    let first = kid(&pem);
    assert_eq!(first, kid(&pem));
    let lengths: Vec<usize> = first.split('-').map(str::len).collect();
    assert_eq!(lengths, [8, 4, 4, 4, 12]);
    assert_eq!(first.as_bytes()[14], b'8');
}

#[test]
fn what_signs_with_neither_algorithm_is_refused() {
    assert!(matches!(SigningKey::from_pem(&Secret::new(String::from("hello"))), Err(Error::NotPem)));
    let p384 = EcdsaKeyPair::generate(&aws_lc_rs::signature::ECDSA_P384_SHA384_ASN1_SIGNING).expect("generates");
    let der = p384.to_pkcs8v1().expect("has DER");
    let text = Secret::new(pem("PRIVATE KEY", der.as_ref()));
    assert!(matches!(SigningKey::from_pem(&text), Err(Error::NotSigning)));
}

#[test]
fn an_rsa_key_signs_with_rs256() {
    let key = SigningKey::from_pem(&SigningKey::generate_rsa_pem()).expect("a generated key reads back");
    assert_eq!(key.algorithm(), Algorithm::Rs256);
    let jwk = key.public().jwk();
    assert_eq!((&jwk["kty"], &jwk["alg"], &jwk["e"]), (&"RSA".into(), &"RS256".into(), &"AQAB".into()));
    assert_eq!(jwk["n"].as_str().expect("a modulus").len(), 342, "2048 bits without a leading zero");
}
