use serde_json::json;

use super::*;

fn token(header: &str, payload: &str) -> String {
    format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload))
}

#[track_caller]
fn refused(header: &str, expected: Error) {
    assert_eq!(Compact::parse(&token(header, "{}")).err(), Some(expected), "{header}");
}

#[test]
fn a_plain_signed_token_is_read() {
    let token = token(r#"{"alg":"RS256","typ":"jwt","kid":"k"}"#, r#"{"sub":"a"}"#);
    let compact = Compact::parse(&token).expect("plain");
    assert_eq!(compact.algorithm, Algorithm::Rs256);
    assert_eq!(compact.key_id.as_deref(), Some("k"));
    assert_eq!(Some(compact.signing_input), token.rsplit_once('.').map(|(input, _)| input));
    assert_eq!(compact.signature, b"sig");
    assert_eq!(Value::Object(compact.unverified_payload), json!({"sub": "a"}));
}

#[test]
fn j_algorithms_outside_the_list_are_refused() {
    for name in ["none", "NONE", "None", "hs256", "rs256", "ES256K", "RSA-OAEP", "dir", "PBES2-HS256+A128KW", ""] {
        refused(&json!({"alg": name}).to_string(), Error::Algorithm);
    }
    for name in ["HS256", "HS384", "HS512"] {
        refused(&json!({"alg": name}).to_string(), Error::SharedSecret(name));
    }
    refused("{}", Error::Algorithm);
    refused(r#"{"alg":null}"#, Error::Algorithm);
    refused(r#"{"alg":["RS256"]}"#, Error::Algorithm);
    assert_eq!(
        Compact::parse(&format!("{}.e30.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#))).err(),
        Some(Error::Algorithm)
    );
}

#[test]
fn j_04_another_type_of_token_is_refused() {
    for typ in ["at+jwt", "logout+jwt", "JOSE", "application/at+jwt", ""] {
        refused(&json!({"alg": "ES256", "typ": typ}).to_string(), Error::Type);
    }
    refused(r#"{"alg":"ES256","typ":1}"#, Error::Type);
    refused(r#"{"alg":"ES256","cty":"JWT"}"#, Error::Type);
}

#[test]
fn j_a_token_that_brings_its_key_is_refused() {
    for name in ["jwk", "jku", "x5u"] {
        refused(&json!({"alg": "ES256", name: "https://evil.test/"}).to_string(), Error::EmbeddedKey);
    }
}

#[test]
fn j_critical_extensions_are_refused() {
    refused(r#"{"alg":"ES256","crit":["exp"]}"#, Error::Critical);
    refused(r#"{"alg":"ES256","crit":[]}"#, Error::Critical);
    refused(r#"{"alg":"ES256","crit":null}"#, Error::Critical);
}

#[test]
fn j_a_key_id_is_a_short_string() {
    refused(r#"{"alg":"ES256","kid":[1]}"#, Error::KeyId);
    refused(r#"{"alg":"ES256","kid":true}"#, Error::KeyId);
    refused(&json!({"alg": "ES256", "kid": "k".repeat(1025)}).to_string(), Error::KeyId);
}

#[test]
fn what_does_no_harm_is_read() {
    let key_id = |header: &str| Compact::parse(&token(header, "{}")).expect("harmless").key_id;
    assert_eq!(key_id(r#"{"alg":"ES256","kid":7}"#).as_deref(), Some("7"));
    assert_eq!(key_id(r#"{"alg":"ES256","kid":null}"#), None);
    assert_eq!(key_id(r#"{"alg":"ES256","x5t":"a","x5c":["b"],"kid":"k"}"#).as_deref(), Some("k"));
}

#[test]
fn j_only_three_segments_of_strict_base64url_are_read() {
    let cases = [
        ("", Error::Segments),
        ("a.b", Error::Segments),
        ("a.b.c.d.e", Error::Segments),
        ("a.b.c.d", Error::Segments),
        ("..", Error::Json),
        ("e30=.e30.c2ln", Error::Base64),
        ("e 30.e30.c2ln", Error::Base64),
        ("e30\n.e30.c2ln", Error::Base64),
        ("e+/0.e30.c2ln", Error::Base64),
        ("e31.e30.c2ln", Error::Base64), // the last character has bits that no byte takes up
    ];
    for (token, expected) in cases {
        assert_eq!(Compact::parse(token).err(), Some(expected), "{token:?}");
    }
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256"}"#);
    assert_eq!(Compact::parse(&format!("{header}.e30.c2ln==")).err(), Some(Error::Base64));
    assert_eq!(Compact::parse(&format!("{header}.W10.c2ln")).err(), Some(Error::Json));
}

#[test]
fn j_repeated_members_and_deep_nesting_are_refused() {
    refused(r#"{"alg":"none","alg":"ES256"}"#, Error::Json);
    refused(r#"{"alg":"ES256","kid":"a","kid":"b"}"#, Error::Json);
    let plain = r#"{"alg":"ES256"}"#;
    assert_eq!(Compact::parse(&token(plain, r#"{"sub":"a","sub":"admin"}"#)).err(), Some(Error::Json));
    let deep = format!("{{\"a\":{}1{}}}", "[".repeat(10_000), "]".repeat(10_000));
    assert_eq!(Compact::parse(&token(plain, &deep)).err(), Some(Error::Json));
}

#[test]
fn j_a_large_token_is_not_read() {
    assert_eq!(Compact::parse(&"a".repeat(1 << 20)).err(), Some(Error::TooLarge));
}
