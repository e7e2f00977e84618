//! A schema has no keyword that `shape` does not look at.

use serde_json::{Value as Json, json};

use crate::config::reference::SCHEMA;

/// Keywords that `shape` checks.
const CHECKED: [&str; 14] = [
    "$ref",
    "additionalProperties",
    "anyOf",
    "const",
    "enum",
    "items",
    "maximum",
    "minimum",
    "oneOf",
    "patternProperties",
    "properties",
    "required",
    "type",
    "writeOnly",
];
/// Keywords that restrict nothing, or (`format`, `pattern`) only what `validate` checks with a better message.
const FOR_READERS: [&str; 10] =
    ["$defs", "$schema", "default", "description", "format", "pattern", "title", "x-bound", "x-default", "x-hints"];

/// What `shape` would not check, with its place.
fn unchecked(schema: &Json, at: &str, found: &mut Vec<String>) {
    let members = match schema {
        Json::Object(members) => members,
        Json::Bool(_) => return,
        _ => return found.push(format!("{at}: not a schema")),
    };
    for (keyword, value) in members {
        let at = format!("{at}/{keyword}");
        match keyword.as_str() {
            "properties" | "$defs" => {
                for (name, below) in value.as_object().into_iter().flatten() {
                    unchecked(below, &format!("{at}/{name}"), found);
                }
            }
            "items" => unchecked(value, &at, found),
            // `shape` knows `false` and the schema of all other values.
            "additionalProperties" => unchecked(value, &at, found),
            // Of patterns it knows prefixes whose values may be anything.
            "patternProperties" => {
                let is_prefix = |pattern: &str| {
                    let prefix = pattern.strip_prefix('^').unwrap_or(".");
                    prefix.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
                };
                let known = value
                    .as_object()
                    .is_some_and(|all| all.iter().all(|(name, value)| is_prefix(name) && *value == true));
                if !known {
                    found.push(format!("{at}: not a prefix"));
                }
            }
            "anyOf" => {
                let all = value.as_array().map(Vec::as_slice).unwrap_or_default();
                let is_null = |one: &Json| one["type"] == "null";
                match all {
                    [one] => unchecked(one, &at, found),
                    [one, null] | [null, one] if is_null(null) => unchecked(one, &at, found),
                    _ => found.push(format!("{at}: more than a schema and null")),
                }
            }
            "oneOf" => one_of(value, &at, found),
            "enum" if !value.as_array().is_some_and(|all| all.iter().all(Json::is_string)) => {
                found.push(format!("{at}: not only texts"));
            }
            "const" if !value.is_string() => found.push(format!("{at}: not a text")),
            "type" => {
                let names = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
                let known = |name: &Json| {
                    ["array", "boolean", "integer", "number", "object", "string", "null"]
                        .iter()
                        .any(|known| name == known)
                };
                if !names.iter().all(known) {
                    found.push(format!("{at}: {value}"));
                }
            }
            known if CHECKED.contains(&known) || FOR_READERS.contains(&known) => {}
            _ => found.push(at),
        }
    }
}

/// Alternatives are texts, mappings with a member that selects them, or mappings with one required key.
fn one_of(alternatives: &Json, at: &str, found: &mut Vec<String>) {
    let alternatives = alternatives.as_array().map(Vec::as_slice).unwrap_or_default();
    let is_text = |one: &Json| one.get("const").is_some() || one.get("enum").is_some();
    let has_tag = |one: &Json| one["properties"].as_object().is_some_and(|all| all.values().any(is_text));
    let is_single = |one: &Json| one["required"].as_array().is_some_and(|all| all.len() == 1);
    if ![&is_text as &dyn Fn(&Json) -> bool, &has_tag, &is_single].iter().any(|kind| alternatives.iter().all(kind)) {
        found.push(format!("{at}: alternatives of another kind"));
    }
    alternatives.iter().for_each(|one| unchecked(one, at, found));
}

#[test]
fn the_raw_types_use_only_keywords_that_are_checked() {
    let mut found = Vec::new();
    unchecked(&SCHEMA, "", &mut found);
    assert!(found.is_empty(), "teach `document/shape.rs` first: {found:#?}");
}

#[test]
fn other_keywords_are_found() {
    for (schema, expected) in [
        (json!({ "properties": { "a": { "type": "string", "minLength": 1 } } }), "/properties/a/minLength"),
        (json!({ "type": "array", "items": { "allOf": [] } }), "/items/allOf"),
        (json!({ "type": "array", "uniqueItems": true }), "/uniqueItems"),
        (json!({ "$defs": { "A": { "not": {} } } }), "/$defs/A/not"),
        (json!({ "type": "decimal" }), "/type: \"decimal\""),
        (json!({ "enum": [1, 2] }), "/enum: not only texts"),
        (json!({ "const": 1 }), "/const: not a text"),
        (json!({ "anyOf": [{ "type": "string" }, { "type": "integer" }] }), "/anyOf: more than a schema and null"),
        (json!({ "oneOf": [{ "type": "string" }, { "type": "integer" }] }), "/oneOf: alternatives of another kind"),
        (json!({ "oneOf": [{ "const": "a", "maxLength": 1 }] }), "/oneOf/maxLength"),
        (json!({ "patternProperties": { "^x-.*y": true } }), "/patternProperties: not a prefix"),
        (json!({ "additionalProperties": { "multipleOf": 2 } }), "/additionalProperties/multipleOf"),
    ] {
        let mut found = Vec::new();
        unchecked(&schema, "", &mut found);
        assert_eq!(found, [expected], "{schema}");
    }
}

/// A bound in the text of a setting would stay there when the constant of the validation changes.
#[test]
fn a_bound_is_no_part_of_a_description() {
    fn typed(schema: &Json, found: &mut Vec<String>) {
        match schema {
            Json::Object(members) => {
                let text = members.get("description").and_then(Json::as_str).unwrap_or_default().replace('\n', " ");
                let is_typed = |(at, bound): (usize, &str)| {
                    text[at + bound.len()..].starts_with(|c: char| c == '`' || c.is_ascii_digit())
                };
                let is_property = members.contains_key("type") && !members.contains_key("properties");
                if is_property && text.match_indices("At most ").any(is_typed) {
                    found.push(text);
                }
                members.values().for_each(|member| typed(member, found));
            }
            Json::Array(items) => items.iter().for_each(|item| typed(item, found)),
            _ => {}
        }
    }
    let mut found = Vec::new();
    typed(&SCHEMA, &mut found);
    assert!(found.is_empty(), "use `x-bound`: {found:#?}");
}
