//! Generates the JSON Schema and `docs/CONFIG.md` from the raw types.

use std::fmt::Write as _;
use std::sync::LazyLock;

use serde_json::{Map, Value};

#[cfg(test)]
use crate::config::raw;
use crate::config::schemas::stored;

/// The schema of the file.
pub(crate) static SCHEMA: LazyLock<Value> = LazyLock::new(|| stored!(raw::File, "schemas/file.json"));

/// The schema as text, for editors: `vestibule schema`.
#[must_use]
pub fn schema() -> String {
    let mut schema = SCHEMA.clone();
    unfold(&mut schema);
    serde_json::to_string_pretty(&schema).expect("a JSON value has a text form") + "\n"
}

/// `docs/CONFIG.md`.
#[must_use]
pub fn document() -> String {
    let schema = &*SCHEMA;
    let mut text = String::from(HEAD);
    let _ = writeln!(text, "\n{}\n", description(schema));
    table(&mut text, schema);
    for name in order(schema) {
        section(&mut text, &name, &schema["$defs"][&name]);
    }
    text
}

const HEAD: &str = "# Configuration

All settings of the configuration file. This page is generated from the code by `UPDATE_DOCS=1 cargo test --lib config`; a
test fails if it is out of date. `config/example.yaml` has every setting; `config/minimal.yaml` is a minimal example.

Durations: `500ms`, `30s`, `15m`, `8h`, `7d`, `1h30m`, or a number of seconds.
";

/// Definitions, in the order in which they are first referenced.
fn order(schema: &Value) -> Vec<String> {
    let mut names = Vec::new();
    let mut visit = vec![schema];
    while let Some(next) = visit.pop() {
        let mut below: Vec<&Value> = Vec::new();
        references(next, &mut |name| {
            if !names.iter().any(|known| known == name) {
                names.push(name.to_owned());
                below.push(&schema["$defs"][name]);
            }
        });
        visit.extend(below.into_iter().rev());
    }
    names
}

fn references(value: &Value, found: &mut dyn FnMut(&str)) {
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                match (key.as_str(), member.as_str()) {
                    ("$ref", Some(reference)) => found(reference.rsplit('/').next().unwrap_or_default()),
                    ("$defs", _) => {}
                    _ => references(member, found),
                }
            }
        }
        Value::Array(items) => items.iter().for_each(|item| references(item, found)),
        _ => {}
    }
}

fn section(text: &mut String, name: &str, schema: &Value) {
    let _ = writeln!(text, "\n## {name}\n\n{}\n", description(schema));
    match schema["oneOf"].as_array() {
        Some(alternatives) => alternatives.iter().for_each(|alternative| variant(text, name, alternative)),
        None => table(text, schema),
    }
}

/// One alternative: a value, a key, or a `type` with its own settings.
fn variant(text: &mut String, name: &str, schema: &Value) {
    let about = description(schema);
    if let Some(value) = schema["const"].as_str() {
        let _ = writeln!(text, "- `{value}`: {about}");
        return;
    }
    let empty = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&empty);
    if let Some(tag) = properties.values().find_map(|property| property["const"].as_str()) {
        let _ = writeln!(text, "### {name} `{tag}`\n\n{about}\n");
        table(text, schema);
        let _ = writeln!(text);
    } else if let Some((key, property)) = properties.iter().next() {
        let _ = writeln!(text, "- `{key}` ({}): {about}", kind(property));
    }
}

fn table(text: &mut String, schema: &Value) {
    let empty = Map::new();
    let properties = schema["properties"].as_object().unwrap_or(&empty);
    let required: Vec<&str> = schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let _ = writeln!(text, "| Key | Value | Meaning |\n|---|---|---|");
    for (key, property) in properties {
        if property.get("const").is_some() {
            continue;
        }
        let needed = if required.contains(&key.as_str()) { " (required)" } else { "" };
        let meaning = [description(property), bound(property), default(property)].join("");
        let _ = writeln!(text, "| `{key}`{needed} | {} | {} |", kind(property), meaning);
    }
}

/// ` At most …`, with the bound that the validation uses.
fn bound(property: &Value) -> String {
    property["x-bound"].as_str().map(|bound| format!(" {bound}")).unwrap_or_default()
}

/// ` Default: …`, with the value that is used where the file has none.
fn default(property: &Value) -> String {
    let shown = match (&property["default"], property["x-default"].as_str()) {
        (_, Some(text)) => text.to_owned(),
        (Value::Null, None) => return String::new(),
        (Value::Array(items), None) if items.is_empty() => return String::new(),
        (Value::Object(members), None) if members.is_empty() => return String::new(),
        (Value::Array(items), None) => {
            let items: Vec<_> =
                items.iter().map(|item| item.as_str().map_or(item.to_string(), str::to_owned)).collect();
            format!("`[{}]`", items.join(", "))
        }
        (Value::String(text), None) => format!("`{text}`"),
        (value, None) => value.to_string(),
    };
    format!(" Default: {shown}.")
}

fn description(schema: &Value) -> String {
    schema["description"].as_str().unwrap_or_default().replace("\n\n", " ").replace('\n', " ").replace('|', "\\|")
}

fn kind(schema: &Value) -> String {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap_or_default();
        return format!("[{name}](#{})", name.to_ascii_lowercase());
    }
    if let Some(alternatives) = schema["anyOf"].as_array() {
        return alternatives.iter().find(|one| one["type"] != "null").map(kind).unwrap_or_default();
    }
    if schema["title"] == "time" {
        return "duration".to_owned();
    }
    let names: Vec<&str> = match &schema["type"] {
        Value::String(only) => vec![only],
        Value::Array(several) => several.iter().filter_map(Value::as_str).filter(|name| *name != "null").collect(),
        _ => return "anything".to_owned(),
    };
    let name = |name: &&str| match *name {
        "array" => format!("list of {}", kind(&schema["items"])),
        "boolean" => "`true` or `false`".to_owned(),
        "integer" | "number" => "number".to_owned(),
        "object" => match schema.get("additionalProperties") {
            Some(Value::Bool(false)) => {
                let names = schema["properties"].as_object().into_iter().flat_map(|members| members.keys());
                format!("mapping with {}", names.map(|name| format!("`{name}`")).collect::<Vec<_>>().join(", "))
            }
            Some(further) => format!("mapping of names to {}", kind(further)),
            None => "mapping".to_owned(),
        },
        _ => "text".to_owned(),
    };
    names.iter().map(name).collect::<Vec<_>>().join(" or ")
}

/// Joins the lines of doc comments, because editors wrap text themselves, and says the bound and the default there.
fn unfold(value: &mut Value) {
    let more = bound(value) + &default(value);
    match value {
        Value::Object(members) => {
            for (key, member) in members {
                match member {
                    Value::String(text) if key == "description" => *text = text.replace('\n', " ") + &more,
                    _ => unfold(member),
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(unfold),
        _ => {}
    }
}
