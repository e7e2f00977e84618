use proptest::prelude::proptest;
use serde_json::json;

use super::*;

#[track_caller]
fn check(claim: Value, expected: Option<&str>) {
    let value = super::claim(&claim);
    assert_eq!(value.as_ref().map(|value| value.to_str().expect("visible ASCII")), expected);
}

#[test]
fn scalars_are_written_as_they_are() {
    check(json!("alice@example.com"), Some("alice@example.com"));
    check(json!("Alice \"A\" Smith, Jr."), Some("Alice \"A\" Smith, Jr."));
    check(json!(true), Some("true"));
    check(json!(42), Some("42"));
    check(json!(null), None);
    check(json!(""), None);
}

#[test]
fn h_12_text_is_percent_encoded_where_it_is_not_visible_ascii() {
    check(json!("Jürgen"), Some("J%C3%BCrgen"));
    check(json!("100%"), Some("100%25"));
    check(json!("a\r\nb\0c\td\u{7f}"), Some("a%0D%0Ab%00c%09d%7F"));
    check(json!("  a b "), Some("%20%20a b%20"));
    check(json!("   "), Some("%20%20%20"));
    check(json!("\u{85}\u{2028}"), Some("%C2%85%E2%80%A8"));
}

#[test]
fn lists_are_joined_unless_an_element_could_be_two() {
    check(json!(["a", "b"]), Some("a,b"));
    check(json!(["a b", 1, false, "ü|x"]), Some("a b,1,false,%C3%BC|x"));
    check(json!([]), None);
    for hostile in ["a,admin", "a\nadmin", "a\u{85}b", " a", "a ", ""] {
        check(json!(["users", hostile]), None);
    }
}

#[test]
fn what_has_members_is_json_in_ascii() {
    check(json!({"a": ["ü", "\n"], "b": "😀"}), Some(r#"{"a":["\u00fc","\n"],"b":"\ud83d\ude00"}"#));
    check(json!([{"a": 1}, null]), Some(r#"[{"a":1},null]"#));
    check(json!({}), Some("{}"));
    check(json!({"\u{7f}": 1}), Some(r#"{"\u007f":1}"#));
}

#[test]
fn a_value_of_more_than_8_kib_is_absent() {
    check(json!("x".repeat(8192)), Some(&"x".repeat(8192)));
    check(json!("x".repeat(8193)), None);
    check(json!("ü".repeat(2000)), None);
}

proptest! {
    #[test]
    fn decoding_gives_the_text_back(claim in ".*") {
        let value = text(&claim);
        let value = value.to_str().expect("visible ASCII");
        assert_eq!(value.trim(), value);
        let decoded = percent_encoding::percent_decode_str(value).decode_utf8().expect("UTF-8");
        assert_eq!(decoded, claim);
    }
}
