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

#[test]
fn a_public_file_is_read_as_the_key_that_it_was_made_of() {
    for private in [SigningKey::generate_pem(), SigningKey::generate_rsa_pem()] {
        let key = SigningKey::from_pem(&private).expect("a generated key reads back");
        let public = PublicKey::from_pem(&Secret::new(key.public().pem().to_owned())).expect("reads back");
        assert_eq!((public.algorithm(), public.kid()), (key.algorithm(), key.kid()));
        assert_eq!((public.jwk(), public.pem()), (key.public().jwk(), key.public().pem()));
    }
}

#[test]
fn a_public_file_that_no_signing_key_has_is_refused() {
    let read = |label: &str, der: &[u8]| PublicKey::from_pem(&Secret::new(pem(label, der)));
    let der = |key: &SigningKey| {
        let body: String = key.public().pem().lines().filter(|line| !line.starts_with('-')).collect();
        STANDARD.decode(body).expect("base64")
    };
    let p256 = der(&SigningKey::from_pem(&SigningKey::generate_pem()).expect("reads back"));
    let rsa = der(&SigningKey::from_pem(&SigningKey::generate_rsa_pem()).expect("reads back"));
    for label in ["EC PUBLIC KEY", "RSA PUBLIC KEY", "CERTIFICATE"] {
        assert!(matches!(read(label, &p256), Err(Error::NotPublicPem)), "{label}");
    }
    let changed = |der: &[u8], change: &dyn Fn(&mut Vec<u8>)| {
        let mut der = der.to_vec();
        change(&mut der);
        der
    };
    let p384 = EcdsaKeyPair::generate(&aws_lc_rs::signature::ECDSA_P384_SHA384_ASN1_SIGNING).expect("generates");
    let p384: PublicKeyX509Der<'_> = p384.public_key().as_der().expect("has DER");
    for (told, der) in [
        ("empty", Vec::new()),
        ("another curve", p384.as_ref().to_vec()),
        ("no point of the curve", changed(&p256, &|der| *der.last_mut().expect("bytes") ^= 1)),
        ("not the uncompressed form", changed(&p256, &|der| der[26] = 2)),
        ("P-256 and more", changed(&p256, &|der| der.push(0))),
        ("P-256 and less", changed(&p256, &|der| der.truncate(90))),
        ("RSA and more", changed(&rsa, &|der| der.push(0))),
        ("an even exponent", changed(&rsa, &|der| *der.last_mut().expect("bytes") = 0)),
        // Of rsaEncryption (RFC 8017 §A.1) the last byte, so that it is id-RSASSA-PSS.
        ("RSA for PSS only", changed(&rsa, &|der| der[16] = 10)),
    ] {
        assert!(matches!(read("PUBLIC KEY", &der), Err(Error::NotSigning)), "{told}");
    }
}
