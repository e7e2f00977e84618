//! What every importer promises, for tests of each: see [`holds`].

use std::collections::BTreeSet;

use serde_json::Value;

use super::*;
use crate::config::document::findings::Findings;
use crate::config::document::parse;
use crate::config::document::scalar::Environment;
use crate::config::document::tree;

/// The places of all settings of a document, by a walk of its own.
pub(super) fn settings(file: &str, value: &Value) -> Vec<String> {
    fn walk(place: String, value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) if !members.is_empty() => {
                for (key, value) in members {
                    let plain = key.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_".contains(letter));
                    let dot = if place.ends_with(": ") { "" } else { "." };
                    let part = if plain { format!("{dot}{key}") } else { format!("[{key}]") };
                    walk(format!("{place}{part}"), value, found);
                }
            }
            Value::Array(items) if !items.is_empty() => {
                for (index, value) in items.iter().enumerate() {
                    let attribute = value["Key"].as_str().filter(|_| value["Value"].is_string());
                    let part = attribute.map_or_else(|| index.to_string(), str::to_owned);
                    walk(format!("{place}[{part}]"), value, found);
                }
            }
            _ => found.push(place),
        }
    }
    let mut found = Vec::new();
    walk(format!("{file}: "), value, &mut found);
    found
}

/// Every setting has one row, and every row has a reason.
#[track_caller]
pub(super) fn holds(imported: &Imported, settings: &[String]) {
    let rows: Vec<&str> = imported.rows.iter().map(|row| row.setting.as_str()).collect();
    assert_eq!(rows, settings, "left: rows; right: settings of the input");
    let unique: BTreeSet<&str> = rows.iter().copied().collect();
    assert_eq!(unique.len(), rows.len());
    for row in &imported.rows {
        assert!(!row.fate.why().is_empty(), "{} has no reason", row.setting);
    }
}

/// A rule of a result.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Found {
    pub(super) listener: String,
    pub(super) name: String,
    /// The types of its actions.
    pub(super) actions: Vec<String>,
    pub(super) is_closed: bool,
}

impl Found {
    /// Whether nobody comes through it without signing in.
    pub(super) fn is_shut(&self) -> bool {
        let is_gate =
            |kind: &str| kind.starts_with("authenticate-") || ["jwt-validation", "session-or-bearer"].contains(&kind);
        self.is_closed || self.actions.iter().any(|kind| is_gate(kind))
    }
}

/// The rules of a result, read by the parser of `config`.
pub(super) fn rules(yaml: &str) -> Vec<Found> {
    let mut problems = Findings::default();
    let environment = Environment::Given(std::iter::once(("OIDC_CLIENT_ID".to_owned(), "x".to_owned())).collect());
    let parsed = parse::parse(yaml, &environment, &mut problems).expect("YAML");
    let items = |node: Option<&tree::Node>| match node.map(|node| &node.value) {
        Some(tree::Value::Sequence(items)) => items.clone(),
        _ => Vec::new(),
    };
    let text = |node: &tree::Node, key: &str| match node.get(key).map(|node| &node.value) {
        Some(tree::Value::String(text)) => text.clone(),
        Some(tree::Value::Integer(number)) => number.to_string(),
        _ => String::new(),
    };
    let mut found = Vec::new();
    for listener in items(parsed.root.get("listeners")) {
        let name = text(&listener, "name");
        let mut add = |rule: String, actions: Vec<tree::Node>| {
            let is_closed = actions.len() == 1 && text(&actions[0], "status_code") == "503";
            let actions = actions.iter().map(|action| text(action, "type")).collect();
            found.push(Found { listener: name.clone(), name: rule, actions, is_closed });
        };
        for rule in items(listener.get("rules")) {
            add(text(&rule, "name"), items(rule.get("actions")));
        }
        add("default".to_owned(), items(listener.get("default_actions")));
    }
    found
}

/// Every document that is like this one, with one key that nobody knows in place of one that is known.
pub(super) fn misspelled(value: &Value) -> Vec<(String, Value)> {
    fn walk(value: &Value, place: &str, found: &mut Vec<(String, Value)>) {
        match value {
            Value::Object(members) => {
                for (key, member) in members {
                    let here = format!("{place}.{key}");
                    let rename = |(name, value): (&String, &Value)| {
                        (if name == key { format!("{name}Misspelled") } else { name.clone() }, value.clone())
                    };
                    found.push((here.clone(), Value::Object(members.iter().map(rename).collect())));
                    let mut below = Vec::new();
                    walk(member, &here, &mut below);
                    for (place, changed) in below {
                        let mut members = members.clone();
                        members.insert(key.clone(), changed);
                        found.push((place, Value::Object(members)));
                    }
                }
            }
            Value::Array(items) => {
                for (index, item) in items.iter().enumerate() {
                    let mut below = Vec::new();
                    walk(item, &format!("{place}[{index}]"), &mut below);
                    for (place, changed) in below {
                        let mut items = items.clone();
                        items[index] = changed;
                        found.push((place, Value::Array(items)));
                    }
                }
            }
            _ => {}
        }
    }
    let mut found = Vec::new();
    walk(value, "", &mut found);
    found
}

/// No rule that was shut is open, and no rule is missing.
#[track_caller]
pub(super) fn opens_nothing(before: &[Found], after: &[Found], what: &str) {
    for rule in before {
        let same = after.iter().find(|found| found.listener == rule.listener && found.name == rule.name);
        let same = same.unwrap_or_else(|| panic!("{what}: {} of {} is gone", rule.name, rule.listener));
        assert!(same.is_shut() || !rule.is_shut(), "{what} opens {} of {}: {same:?}", rule.name, rule.listener);
    }
}
