//! For `fuzz/`: a compact JWS, and JSON.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Map, Value};

use crate::jose::compact::{Algorithm, Compact, Kind, unverified_claims};
use crate::jose::strict_json;

/// What is taken is in the one form that every reader takes in one way.
pub fn jws(input: &[u8]) {
    json(input);
    let Ok(token) = std::str::from_utf8(input) else { return };
    if let Some(claims) = unverified_claims(token) {
        assert_eq!(Some(claims), token.split('.').nth(1).map(object));
    }
    for kind in [Kind::Jwt, Kind::AccessToken] {
        if let Ok(read) = Compact::parse(token, kind) {
            taken(token, &read);
        }
    }
}

fn taken(token: &str, read: &Compact<'_>) {
    let segments: Vec<&str> = token.split('.').collect();
    let [header, payload, signature] = segments[..] else { panic!("{} segments", segments.len()) };
    assert_eq!(read.signing_input, format!("{header}.{payload}").as_bytes());
    // Base64url with one spelling: a second token with the same signature would pass lists of tokens that were seen.
    assert_eq!(URL_SAFE_NO_PAD.encode(&read.signature), signature);
    assert_eq!(URL_SAFE_NO_PAD.encode(&read.unverified_payload), payload);
    let header = object(header);
    assert_eq!(header.get("alg").and_then(Value::as_str).and_then(Algorithm::from_name), Some(read.algorithm));
    for name in ["crit", "cty", "jku", "jwk", "x5u"] {
        assert!(!header.contains_key(name), "{name} is taken");
    }
}

/// What an ordinary reader sees in a segment, and that the segment is the only spelling of it.
fn object(segment: &str) -> Map<String, Value> {
    let bytes = URL_SAFE_NO_PAD.decode(segment).expect("base64url");
    assert_eq!(URL_SAFE_NO_PAD.encode(&bytes), segment);
    serde_json::from_slice(&bytes).expect("an object")
}

/// The strict reader takes what the ordinary one takes, and reads the same, where no name comes twice in an object; and nothing else.
fn json(text: &[u8]) {
    let Ok(ordinary) = serde_json::from_slice::<Value>(text) else {
        assert!(strict_json::parse(text).is_err(), "only the strict reader takes it");
        return;
    };
    // The ordinary reader keeps one of two members of the same name.
    let is_once = names_written(text) == names(&ordinary);
    match strict_json::parse(text) {
        Ok(strict) => {
            assert_eq!(strict, ordinary);
            assert!(is_once, "a name comes twice, and it is taken: {ordinary}");
        }
        Err(_) => assert!(!is_once, "no name comes twice, and it is refused: {ordinary}"),
    }
}

/// How many names are in a value.
fn names(value: &Value) -> usize {
    match value {
        Value::Array(items) => items.iter().map(names).sum(),
        Value::Object(members) => members.len() + members.values().map(names).sum::<usize>(),
        _ => 0,
    }
}

/// How many names are in a text that is JSON: colons that are not in a string.
fn names_written(text: &[u8]) -> usize {
    let (mut count, mut is_in_string) = (0, false);
    let mut bytes = text.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'\\' if is_in_string => {
                bytes.next();
            }
            b'"' => is_in_string = !is_in_string,
            b':' if !is_in_string => count += 1,
            _ => {}
        }
    }
    count
}
