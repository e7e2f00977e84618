//! The vectors of Project Wycheproof (`tests/wycheproof/README.md`). What we decide otherwise than they do is listed here, each
//! with its reason; `docs/decisions/0045-one-way-to-verify-a-jwt.md` says it at length.

use std::collections::BTreeMap;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde::Deserialize;
use serde::de::IgnoredAny;
use serde_json::{Value, json};

use crate::jose::compact::{Algorithm, Compact, Error, Kind};
use crate::jose::key_set::{KeySet, NotVerified};

/// Tokens that Wycheproof calls valid, and we refuse.
const REFUSED: [(&[u32], &str); 4] = [
    (&[1, 348, 352, 357, 358, 359, 376, 377], "HS256: whoever can verify such a token can make one"),
    (&[372, 373], "a `?` inside a segment; HS256 besides"),
    (&[346, 350], "signed with PS384, and the key says that it is for PS256 only"),
    (&[347, 351], "the key says that it is for `ES521`, which is no algorithm (RFC 7518 §3.1 has ES512)"),
];

#[derive(Deserialize)]
struct File<T> {
    /// Absent where each token names its own.
    alg: Option<String>,
    groups: Vec<Group<T>>,
}

#[derive(Deserialize)]
struct Group<T> {
    jwk: Option<Value>,
    tests: Vec<T>,
}

#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "lowercase")]
enum Verdict {
    Valid,
    Invalid,
    /// What another reader may accept.
    Acceptable,
}

#[derive(Debug, PartialEq, Eq)]
enum Refusal {
    Form(Error),
    Key(NotVerified),
}

/// Number, comment, token, verdict.
#[derive(Deserialize)]
struct Token(u32, String, String, Verdict);

/// Number, comment, message, signature, verdict.
#[derive(Deserialize)]
struct Signature(u32, IgnoredAny, String, String, Verdict);

fn set(jwk: Option<&Value>) -> KeySet {
    let jwks: Vec<&Value> = jwk.into_iter().collect();
    KeySet::parse(json!({ "keys": jwks }).to_string().as_bytes()).expect("a key set")
}

fn decoded(text: &str) -> Vec<u8> {
    URL_SAFE_NO_PAD.decode(text).expect("base64url")
}

#[test]
fn j_tokens_are_verified_as_wycheproof_has_it() {
    let file: File<Token> =
        serde_json::from_str(include_str!("../../../../../../tests/wycheproof/json_web_signature.json"))
            .expect("vectors");
    let mut refused: BTreeMap<u32, &str> = BTreeMap::new();
    for (numbers, why) in REFUSED {
        refused.extend(numbers.iter().map(|number| (*number, why)));
    }
    let mut count = 0;
    for group in &file.groups {
        let keys = set(group.jwk.as_ref());
        for Token(number, comment, token, verdict) in &group.tests {
            count += 1;
            // The payloads are no claims, so this ends where the signature is known to be right.
            let result = Compact::parse(token, Kind::Jwt)
                .map_err(Refusal::Form)
                .and_then(|token| keys.verify(&token).map(|_| ()).map_err(Refusal::Key));
            match (verdict, refused.remove(number)) {
                (Verdict::Valid, None) => assert_eq!(result, Ok(()), "{number} {comment}"),
                (Verdict::Valid, Some(why)) => assert!(result.is_err(), "{number} {comment} is refused: {why}"),
                (Verdict::Invalid, None) => assert!(result.is_err(), "{number} {comment}"),
                (verdict, why) => panic!("{number} {comment} is {verdict:?}: {why:?}"),
            }
        }
    }
    assert_eq!(count, 105);
    assert!(refused.is_empty(), "there are no such valid tokens: {refused:?}");
}

/// Each signature, whether it verifies, and how many of the file's do.
#[track_caller]
fn signatures(text: &str, (valid, invalid, acceptable): (usize, usize, usize)) -> Vec<(Verdict, u32, bool)> {
    let file: File<Signature> = serde_json::from_str(text).expect("vectors");
    let algorithm = file.alg.as_deref().and_then(Algorithm::from_name).expect("an algorithm");
    let mut results = Vec::new();
    for group in &file.groups {
        let keys = set(group.jwk.as_ref());
        assert_eq!(keys.len(), 1, "{:?}", group.jwk);
        for Signature(number, IgnoredAny, message, signature, verdict) in &group.tests {
            let message = decoded(message);
            let token = Compact {
                algorithm,
                key_id: None,
                signing_input: &message,
                signature: decoded(signature),
                unverified_payload: Vec::new(),
            };
            results.push((*verdict, *number, keys.verify(&token).is_ok()));
        }
    }
    let count = |wanted| results.iter().filter(|(verdict, ..)| *verdict == wanted).count();
    let counts = (count(Verdict::Valid), count(Verdict::Invalid), count(Verdict::Acceptable));
    assert_eq!(counts, (valid, invalid, acceptable), "the file is whole");
    results
}

macro_rules! vectors {
    ($($test:ident $file:literal $counts:expr;)*) => {$(
        #[test]
        fn $test() {
            let text = include_str!(concat!("../../../../../../tests/wycheproof/", $file, ".json"));
            for (verdict, number, verifies) in signatures(text, $counts) {
                // What another reader may accept is refused: PKCS #1 without the NULL that RFC 8017 §A.2.4 demands.
                assert_eq!(verifies, verdict == Verdict::Valid, "{number} is {verdict:?}");
            }
        }
    )*};
}

vectors! {
    j_es256_signatures "ecdsa_secp256r1_sha256_p1363" (173, 89, 0);
    j_es384_signatures "ecdsa_secp384r1_sha384_p1363" (193, 87, 0);
    j_es512_signatures "ecdsa_secp521r1_sha512_p1363" (231, 87, 0);
    j_eddsa_signatures "ed25519" (88, 63, 0);
    j_rs256_signatures "rsa_signature_2048_sha256" (9, 249, 1);
    j_rs384_signatures "rsa_signature_2048_sha384" (7, 250, 1);
    j_rs512_signatures "rsa_signature_2048_sha512" (8, 250, 1);
    j_ps256_signatures "rsa_pss_2048_sha256_mgf1_32" (63, 45, 0);
    j_ps384_signatures "rsa_pss_2048_sha384_mgf1_48" (95, 46, 0);
    j_ps512_signatures "rsa_pss_4096_sha512_mgf1_64" (132, 47, 0);
}

#[test]
fn j_a_salt_of_another_length_is_refused() {
    // RFC 7518 §3.5: the salt is as long as the hash. Here it should be empty; of one, "s_len changed to 32", it is right for us.
    let text = include_str!("../../../../../../tests/wycheproof/rsa_pss_2048_sha256_mgf1_0.json");
    for (_, number, verifies) in signatures(text, (61, 42, 0)) {
        assert_eq!(verifies, number == 69, "{number}");
    }
}
