use proptest::prelude::proptest;
use serde_json::json;

use super::*;

const ALL: [Encoding; 4] = [Encoding::Csv, Encoding::Json, Encoding::Percent, Encoding::Repeated];

#[track_caller]
fn fields(claim: &Value, encoding: Encoding) -> Option<Vec<String>> {
    let values = super::claim(claim, encoding).ok()?;
    Some(values.iter().map(|value| value.to_str().expect("visible ASCII").to_owned()).collect())
}

/// Checks the output of the default encoding: one field, or none.
#[track_caller]
fn check(claim: Value, expected: Option<&str>) {
    let expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
    assert_eq!(fields(&claim, Encoding::default()), Some(expected), "{claim}");
}

#[test]
fn scalars_are_written_as_they_are() {
    check(json!("alice@example.com"), Some("alice@example.com"));
    check(json!("Alice \"A\" Smith"), Some("Alice \"A\" Smith"));
    check(json!(true), Some("true"));
    check(json!(42), Some("42"));
    check(json!(null), None);
    check(json!(""), None);
    check(json!([]), None);
}

#[test]
fn h_12_text_is_percent_encoded_where_it_is_not_visible_ascii() {
    check(json!("Jürgen"), Some("J%C3%BCrgen"));
    check(json!("100%"), Some("100%25"));
    check(json!("a\r\nb\0c\td\u{7f}"), Some("a%0D%0Ab%00c%09d%7F"));
    check(json!("  a b "), Some("%20%20a b%20"));
    check(json!("   "), Some("%20%20%20"));
    check(json!("\u{85}\u{2028}"), Some("%C2%85%E2%80%A8"));
    for encoding in ALL {
        let hostile = json!(["a\r\nx-admin: 1", "\0", "\u{85}", "ü"]);
        for value in fields(&hostile, encoding).expect("written") {
            assert!(value.bytes().all(|byte| (0x20..0x7f).contains(&byte)), "{encoding:?}: {value}");
        }
    }
}

#[test]
fn c_16_groups_with_a_comma_are_written_in_each_encoding() {
    let groups = json!(["staff", "Sales, EMEA", " a\"b ", "", 7]);
    let cases: [(Encoding, &[&str]); 4] = [
        (Encoding::Percent, &["staff,Sales%2C EMEA,%20a\"b%20,,7"]),
        (Encoding::Csv, &[r#"staff,"Sales, EMEA","%20a""b%20","",7"#]),
        (Encoding::Json, &[r#"["staff","Sales, EMEA"," a\"b ","",7]"#]),
        (Encoding::Repeated, &["staff", "Sales%2C EMEA", "%20a\"b%20", "", "7"]),
    ];
    for (encoding, expected) in cases {
        assert_eq!(fields(&groups, encoding).expect("written"), expected, "{encoding:?}");
    }
}

#[test]
fn e_9_a_text_with_a_comma_does_not_look_like_a_list() {
    let text = json!("x,admin");
    let cases = [
        (Encoding::Percent, "x%2Cadmin"),
        (Encoding::Csv, "\"x,admin\""),
        (Encoding::Json, "\"x,admin\""),
        (Encoding::Repeated, "x%2Cadmin"),
    ];
    for (encoding, expected) in cases {
        assert_eq!(fields(&text, encoding).expect("written"), [expected], "{encoding:?}");
        assert_ne!(fields(&text, encoding), fields(&json!(["x", "admin"]), encoding), "{encoding:?}");
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
fn json_tells_nothing_from_empty() {
    assert_eq!(fields(&json!(""), Encoding::Json).expect("written"), ["\"\""]);
    assert_eq!(fields(&json!([]), Encoding::Json).expect("written"), ["[]"]);
    assert_eq!(fields(&json!(null), Encoding::Json).expect("nothing"), [""; 0]);
}

#[test]
fn c_16_what_cannot_be_written_is_an_error_and_not_another_value() {
    check(json!("x".repeat(8192)), Some(&"x".repeat(8192)));
    for encoding in ALL {
        assert_eq!(super::claim(&json!("x".repeat(8193)), encoding), Err(Inexpressible), "{encoding:?}");
        assert_eq!(super::claim(&json!("ü".repeat(2000)), encoding), Err(Inexpressible), "{encoding:?}");
    }
    let many = Value::from(vec!["a"; FIELDS_MAX + 1]);
    assert_eq!(super::claim(&many, Encoding::Repeated), Err(Inexpressible));
    assert!(super::claim(&many, Encoding::Percent).is_ok());
    // A list with one empty string would be read as an empty list.
    assert_eq!(super::claim(&json!([""]), Encoding::Percent), Err(Inexpressible));
    assert_eq!(fields(&json!([""]), Encoding::Csv).expect("written"), ["\"\""]);
}

fn decoded(value: &str) -> String {
    percent_encoding::percent_decode_str(value).decode_utf8().expect("UTF-8").into_owned()
}

proptest! {
    #[test]
    fn decoding_gives_the_text_back(claim in ".*") {
        let value = text(&claim);
        let value = value.to_str().expect("visible ASCII");
        assert_eq!(value.trim(), value);
        assert_eq!(decoded(value), claim);
    }

    #[test]
    fn c_16_decoding_gives_the_list_back(elements in proptest::collection::vec(".{0,12}", 2..8)) {
        let claim = Value::from(elements.clone());
        let percent = fields(&claim, Encoding::Percent).expect("written");
        assert_eq!(percent[0].split(',').map(decoded).collect::<Vec<_>>(), elements);
        let repeated = fields(&claim, Encoding::Repeated).expect("written");
        assert_eq!(repeated.iter().map(|value| decoded(value)).collect::<Vec<_>>(), elements);
        let json = fields(&claim, Encoding::Json).expect("written");
        assert_eq!(serde_json::from_str::<Value>(&json[0]).expect("JSON"), claim);
        let csv = fields(&claim, Encoding::Csv).expect("written");
        assert_eq!(csv_fields(&csv[0]).iter().map(|value| decoded(value)).collect::<Vec<_>>(), elements);
    }
}

/// Parses a line by the rules of RFC 4180 §2.
fn csv_fields(line: &str) -> Vec<String> {
    let (mut fields, mut field, mut is_quoted) = (Vec::new(), String::new(), false);
    let mut characters = line.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '"' if is_quoted && characters.peek() == Some(&'"') => field.extend(characters.next()),
            '"' => is_quoted = !is_quoted,
            ',' if !is_quoted => fields.push(std::mem::take(&mut field)),
            other => field.push(other),
        }
    }
    fields.push(field);
    fields
}
