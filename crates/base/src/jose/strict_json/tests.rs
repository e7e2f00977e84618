use serde_json::json;

use super::*;

#[track_caller]
fn refused(text: &str) {
    assert_eq!(parse(text.as_bytes()), Err(NotStrict), "{text}");
}

#[test]
fn json_reads_as_serde_json_reads_it() {
    let text = r#"{"s":"\u00fc","i":-1,"u":18446744073709551615,"f":1.5,"b":[true,null,{}],"o":{"a":1}}"#;
    assert_eq!(parse(text.as_bytes()), Ok(serde_json::from_str(text).expect("JSON")));
    assert_eq!(object(b" {} "), Ok(Map::new()));
    assert_eq!(parse(b"[1]"), Ok(json!([1])));
}

#[test]
fn j_a_member_name_that_comes_twice_is_refused_at_any_depth() {
    refused(r#"{"sub":"a","sub":"admin"}"#);
    refused(r#"{"sub":"a","\u0073ub":"admin"}"#);
    refused(r#"[{"a":{"b":1,"b":1}}]"#);
}

#[test]
fn what_is_not_one_value_is_refused() {
    for text in ["", "{", "{} {}", "{}x", "NaN", "1e400", "<html>", "{'a':1}", "\u{feff}{}"] {
        refused(text);
    }
    assert_eq!(object(b"[]"), Err(NotStrict));
    assert_eq!(parse(b"\"\xff\""), Err(NotStrict));
}

#[test]
fn j_d10_nesting_is_bounded() {
    assert!(parse(format!("{}{}", "[".repeat(100), "]".repeat(100)).as_bytes()).is_ok());
    refused(&format!("{}{}", "[".repeat(100_000), "]".repeat(100_000)));
    refused(&"{\"a\":".repeat(100_000));
}
