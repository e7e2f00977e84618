use proptest::prelude::*;
use serde_json::json;

use super::*;

fn token(header: &str, payload: &str) -> String {
    format!("{}.{}.c2ln", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(payload))
}

fn read(token: &str) -> Result<Compact<'_>, Error> {
    Compact::parse(token, Kind::Jwt)
}

#[track_caller]
fn refused(header: &str, expected: Error) {
    for kind in [Kind::Jwt, Kind::AccessToken, Kind::AnyAccessToken] {
        // What is wrong is wrong in each kind of token.
        let header = match kind {
            Kind::AnyAccessToken if header.contains("at+jwt") => continue,
            Kind::Jwt | Kind::AnyAccessToken => header.to_owned(),
            Kind::AccessToken if header.contains("typ") || header == "{}" => continue,
            Kind::AccessToken => header.replacen('{', r#"{"typ":"at+jwt","#, 1),
        };
        assert_eq!(Compact::parse(&token(&header, "{}"), kind).err(), Some(expected), "{header}");
    }
}

#[test]
fn a_plain_signed_token_is_read() {
    let token = token(r#"{"alg":"RS256","typ":"jwt","kid":"k"}"#, r#"{"sub":"a"}"#);
    let compact = read(&token).expect("plain");
    assert_eq!(compact.algorithm, Algorithm::Rs256);
    assert_eq!(compact.key_id.as_deref(), Some("k"));
    assert_eq!(Some(compact.signing_input), token.rsplit_once('.').map(|(input, _)| input.as_bytes()));
    assert_eq!(compact.signature, b"sig");
    assert_eq!(compact.unverified_payload, br#"{"sub":"a"}"#);
    assert_eq!(format!("{compact:?}"), "Compact { algorithm: Rs256, .. }", "nothing of the token is printed");
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
    assert_eq!(read(&format!("{}.e30.", URL_SAFE_NO_PAD.encode(r#"{"alg":"none"}"#))).err(), Some(Error::Algorithm));
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
fn j_04_an_access_token_says_that_it_is_one() {
    let read = |header: &str, kind| Compact::parse(&token(header, "{}"), kind).err();
    for typ in ["at+jwt", "AT+JWT", "application/at+jwt"] {
        let header = json!({"alg": "ES256", "typ": typ}).to_string();
        assert_eq!(read(&header, Kind::AccessToken), None, "{typ}");
        assert_eq!(read(&header, Kind::Jwt), Some(Error::Type), "{typ}");
    }
    for header in [r#"{"alg":"ES256"}"#, r#"{"alg":"ES256","typ":"JWT"}"#, r#"{"alg":"ES256","typ":null}"#] {
        assert_eq!(read(header, Kind::AccessToken), Some(Error::Type), "{header}");
    }
    for typ in [json!("at+jwt"), json!("JWT"), json!("application/AT+jwt")] {
        assert_eq!(read(&json!({"alg": "ES256", "typ": typ}).to_string(), Kind::AnyAccessToken), None, "{typ}");
    }
    assert_eq!(read(r#"{"alg":"ES256"}"#, Kind::AnyAccessToken), None);
    for typ in [json!("logout+jwt"), json!("dpop+jwt"), json!("secevent+jwt"), json!(null), json!("")] {
        let header = json!({"alg": "ES256", "typ": typ}).to_string();
        assert_eq!(read(&header, Kind::AnyAccessToken), Some(Error::Type), "{typ}");
    }
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
    let key_id = |header: &str| read(&token(header, "{}")).expect("harmless").key_id;
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
        assert_eq!(read(token).err(), Some(expected), "{token:?}");
    }
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256"}"#);
    assert_eq!(read(&format!("{header}.e30.c2ln==")).err(), Some(Error::Base64));
    assert_eq!(read(&format!("{header}.e30=.c2ln")).err(), Some(Error::Base64));
}

#[test]
fn j_repeated_members_and_deep_nesting_are_refused() {
    refused(r#"{"alg":"none","alg":"ES256"}"#, Error::Json);
    refused(r#"{"alg":"ES256","kid":"a","kid":"b"}"#, Error::Json);
    refused(r#"{"alg":"ES256","x":{"y":[{"z":1,"z":1}]}}"#, Error::Json);
    refused(&format!(r#"{{"alg":"ES256","x":{}{}}}"#, "[".repeat(10_000), "]".repeat(10_000)), Error::Json);
}

#[test]
fn j_07_a_token_is_read_up_to_its_size_and_no_further() {
    let header = URL_SAFE_NO_PAD.encode(r#"{"alg":"ES256"}"#);
    let sized = |size: usize| format!("{header}.e30.{}", "A".repeat(size - header.len() - 5));
    // 64 KiB less 4, so that the signature's length is one that base64url has.
    let largest = (0..4).map(|less| sized(TOKEN_BYTES_MAX - less)).find(|token| read(token).is_ok());
    assert!(largest.is_some_and(|token| token.len() > TOKEN_BYTES_MAX - 4));
    assert_eq!(read(&sized(TOKEN_BYTES_MAX + 1)).err(), Some(Error::TooLarge));
    assert_eq!(read(&"a".repeat(1 << 20)).err(), Some(Error::TooLarge));
    assert_eq!(unverified_claims(&sized(TOKEN_BYTES_MAX + 1)), None);
}

#[test]
fn claims_that_nobody_verified_are_read_for_planning() {
    let claims = |token: &str| unverified_claims(token).map(Value::Object);
    // Of any algorithm and kind, because they are never believed.
    assert_eq!(claims(&token(r#"{"alg":"HS256","typ":"x"}"#, r#"{"exp":1}"#)), Some(json!({"exp": 1})));
    for opaque in ["", "opaque", "a.b.c", "e30.e30", "e30.e30.e30.e30", "e30.W10.e30"] {
        assert_eq!(claims(opaque), None, "{opaque}");
    }
    assert_eq!(claims(&token("{}", r#"{"exp":1,"exp":2}"#)), None);
}

proptest! {
    #[test]
    fn any_text_is_read_or_refused(text in "\\PC*") {
        let _ = read(&text);
        let _ = unverified_claims(&text);
    }

    /// One more character, of any kind, anywhere: what is read then is another text, so no signature of the first fits it.
    #[test]
    fn j_an_inserted_character_is_never_skipped(at in 0..100_usize, inserted in any::<char>()) {
        let good = token(r#"{"alg":"ES256","kid":"k"}"#, r#"{"sub":"alice"}"#);
        let at = at % (good.len() + 1);
        let changed = format!("{}{inserted}{}", &good[..at], &good[at..]);
        let (before, _) = good.rsplit_once('.').expect("three segments");
        if let Ok(compact) = read(&changed) {
            let is_signature = compact.signing_input == before.as_bytes();
            prop_assert!(!is_signature || compact.signature != b"sig", "{changed}");
            prop_assert!(inserted.is_ascii_alphanumeric() || inserted == '-' || inserted == '_', "{changed}");
        }
    }
}
