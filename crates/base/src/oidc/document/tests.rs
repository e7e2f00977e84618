use serde_json::json;

use super::*;

fn document(value: Value) -> Document {
    Document::read(value.to_string().as_bytes()).expect("an object")
}

#[test]
fn a_mark_and_blanks_before_the_object_are_skipped() {
    for text in ["{\"a\":\"b\"}", "\u{feff}{\"a\":\"b\"}", "\u{feff} \r\n{\"a\":\"b\"}\n"] {
        assert_eq!(Document::read(text.as_bytes()).expect(text).text("a"), Ok(Some("b".into())));
    }
}

#[test]
fn what_is_no_object_is_described_and_not_quoted() {
    let cases = [
        ("", "nothing"),
        (" <html>SECRET", "a tag, as an HTML page does"),
        ("{\"a\":1,\"a\":2}", "a brace, but is malformed or repeats a member"),
        ("SECRET", "\"S\""),
    ];
    for (text, expected) in cases {
        assert_eq!(
            Document::read(text.as_bytes()).map(|_| ()),
            Err(Unreadable::NotAnObject(expected.into())),
            "{text}"
        );
    }
}

#[test]
fn a_text_may_be_absent_or_blank() {
    let document = document(json!({"null": null, "empty": "", "blank": " ", "number": 7, "list": ["a"], "text": "t"}));
    for name in ["absent", "null", "empty", "blank"] {
        assert_eq!(document.text(name), Ok(None), "{name}");
        assert_eq!(document.required_text(name), Err(Unreadable::Missing(name)), "{name}");
    }
    assert_eq!(document.text("text"), Ok(Some("t".into())));
    for name in ["number", "list"] {
        assert_eq!(document.text(name), Err(Unreadable::Type { name, wanted: "text" }));
    }
}

#[test]
fn seconds_are_numbers_or_digits_above_zero() {
    let cases = [
        (json!(60), Some(60)),
        (json!("60"), Some(60)),
        (json!(" 60 "), Some(60)),
        (json!(59.9), Some(59)),
        (json!("59.9"), Some(59)),
        (json!(1e300), Some(u64::MAX)),
        (json!(0), None),
        (json!(-1), None),
        (json!(""), None),
        (json!("soon"), None),
        (json!(null), None),
        (json!([60]), None),
    ];
    for (value, expected) in cases {
        assert_eq!(document(json!({"s": value})).seconds("s"), expected, "{value}");
    }
}

#[test]
fn lists_and_flags_are_read_where_they_say_something() {
    let document = document(json!({"l": ["a", 1, "b"], "t": "a", "n": null, "yes": true, "text": "True", "no": "x"}));
    assert_eq!(document.texts("l"), Some(vec!["a".to_owned(), "b".to_owned()]));
    assert_eq!(document.texts("t"), Some(vec!["a".to_owned()]));
    assert_eq!(document.texts("n"), None);
    assert!(document.is_true("yes") && document.is_true("text"));
    assert!(!document.is_true("no") && !document.is_true("absent"));
}
