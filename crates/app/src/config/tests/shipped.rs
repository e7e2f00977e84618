//! What is shipped with the code fits the code.

use std::path::{Path as FilePath, PathBuf};

use serde_json::{Value, json};

use super::{files, load_in};
use crate::config::MissingKeys;
use crate::config::cases;
use crate::config::document::source::Source;
use crate::config::reference::{self, SCHEMA};
use crate::config::{Config, load};

const MINIMAL: &str = include_str!("../../../../../config/minimal.yaml");
const BEHIND_A_PROXY: &str = include_str!("../../../../../config/behind-a-proxy.yaml");
const USER_POOL: &str = include_str!("../../../../../config/user-pool.yaml");
const USER_POOL_WITH_A_STORE: &str = include_str!("../../../../../config/user-pool-store.yaml");
const EXAMPLE: &str = include_str!("../../../../../config/example.yaml");
const HASH: &str = "$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$e0KBhmnhDk5jzRJkfRPkEyxTWkRPXW5Z0i0p0sZKbJc";

/// Loads a shipped file where the files it names are.
fn load_shipped(name: &str, text: &str) -> Config {
    let files = files(name);
    for (from, to) in [
        ("tls.pem", "certs/app.pem"),
        ("tls-key.pem", "certs/app-key.pem"),
        ("secret", "keys/client-secret"),
        ("tls.pem", "keys/provider-ca.pem"),
        ("secret", "keys/otlp"),
        ("secret", "keys/mail"),
    ] {
        let to = files.join(to);
        std::fs::create_dir_all(to.parent().unwrap()).unwrap();
        std::fs::copy(files.join(from), to).unwrap();
    }
    let source = Source::text("shipped.yaml", &files, text).with_environment([
        ("OIDC_CLIENT_SECRET", "hunter2"),
        ("WIKI_CLIENT_SECRET", "hunter3"),
        ("ADA_PASSWORD_HASH", HASH),
    ]);
    load(&source, MissingKeys::Make).unwrap_or_else(|report| panic!("{report}"))
}

/// Shipped files have names from documents in the place of real ones, and `check` says so.
#[track_caller]
fn only_placeholders(config: &Config) {
    let said = config.warnings.to_string();
    let count = |text: &str| said.matches(text).count();
    assert_eq!(count("warning:"), count("this issuer is a placeholder"), "{said}");
}

#[test]
fn the_smallest_file_loads() {
    let config = load_shipped("minimal", MINIMAL);
    only_placeholders(&config);
}

#[test]
fn the_file_for_a_proxy_in_front_loads() {
    let config = load_shipped("behind-a-proxy", BEHIND_A_PROXY);
    only_placeholders(&config);
}

#[test]
fn the_file_with_a_user_pool_loads() {
    let config = load_shipped("user-pool", USER_POOL);
    only_placeholders(&config);
}

#[test]
fn the_file_with_users_in_a_database_loads() {
    let config = load_shipped("user-pool-store", USER_POOL_WITH_A_STORE);
    only_placeholders(&config);
    let commented = USER_POOL_WITH_A_STORE.replace("# sign_up:", "sign_up:");
    assert_ne!(commented, USER_POOL_WITH_A_STORE);
    only_placeholders(&load_shipped("user-pool-store", &commented));
}

#[test]
fn the_example_loads() {
    let config = load_shipped("example", EXAMPLE);
    only_placeholders(&config);
    assert_eq!(config.claims.unwrap().claim_headers.len(), 3);
}

#[test]
fn the_example_shows_every_setting_and_every_kind_of_action() {
    fn keys(value: &Value, found: &mut Vec<String>) {
        match value {
            Value::Object(members) => {
                if let Some(properties) = members.get("properties").and_then(Value::as_object) {
                    found.extend(properties.keys().map(|key| format!("{key}:")));
                }
                for (key, member) in members {
                    match member {
                        Value::String(action) if key == "const" => found.push(action.clone()),
                        _ => keys(member, found),
                    }
                }
            }
            Value::Array(items) => items.iter().for_each(|item| keys(item, found)),
            _ => {}
        }
    }
    let mut all = Vec::new();
    keys(&SCHEMA, &mut all);
    assert!(all.len() > 100, "{all:?}");
    // Not in this version.
    let absent = ["http2", "grpc"];
    for key in all.iter().filter(|key| !absent.contains(&key.as_str())) {
        let word = key.trim_end_matches(':');
        assert!(
            EXAMPLE.contains(key.as_str()) || EXAMPLE.contains(&format!("or {word}")),
            "{key} is not in the example"
        );
    }
}

/// The reference is made from the code: `UPDATE_DOCS=1 cargo test --lib config` writes it.
#[test]
fn the_reference_is_fresh() {
    let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs/CONFIG.md");
    let fresh = reference::document();
    // An enum whose variants have no documentation would be a table without rows.
    assert!(!fresh.contains("|---|---|---|\n\n"), "a type without a description of its values");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(&path, &fresh).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(written == fresh, "docs/CONFIG.md is stale: run `UPDATE_DOCS=1 cargo test --lib config`");
}

/// A JSON object with a line for each member.
fn lines(object: &Value, shown: impl Fn(&str, &Value) -> String) -> String {
    let members = object.as_object().unwrap().iter();
    let lines: Vec<String> = members.map(|(key, value)| format!("\n{}:{}", json!(key), shown(key, value))).collect();
    format!("{{{}\n}}", lines.join(","))
}

/// So are the schemas that the program has in it: a line for each definition, so that a change of one is one line.
#[test]
fn the_schemas_are_fresh() {
    for (name, schema) in [("file", &*SCHEMA), ("cases", &*cases::SCHEMA)] {
        let path = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join(format!("src/config/schemas/{name}.json"));
        let fresh = lines(schema, |key, value| match key {
            "$defs" => lines(value, |_, definition| definition.to_string()),
            _ => value.to_string(),
        }) + "\n";
        if std::env::var_os("UPDATE_DOCS").is_some() {
            std::fs::write(&path, &fresh).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(written == fresh, "{name}.json is stale: run `UPDATE_DOCS=1 cargo test --lib config`");
        assert_eq!(serde_json::from_str::<Value>(&written).unwrap(), *schema);
    }
}

#[test]
fn the_schema_explains_every_setting_and_forbids_others() {
    fn check(value: &Value, within: &str) {
        if let Value::Object(members) = value {
            if let Some(properties) = members.get("properties").and_then(Value::as_object) {
                assert_eq!(members.get("additionalProperties"), Some(&Value::Bool(false)), "{within}");
                let tagged = properties.values().any(|property| property.get("const").is_some());
                for (key, property) in properties.iter().filter(|(_, property)| property.get("const").is_none()) {
                    let explained = property.get("description").is_some() || members.contains_key("description");
                    assert!(explained || tagged, "{within}.{key}");
                }
            }
            members.iter().for_each(|(key, member)| check(member, &format!("{within}.{key}")));
        } else if let Value::Array(items) = value {
            items.iter().for_each(|item| check(item, within));
        }
    }
    let schema: Value = serde_json::from_str(&reference::schema()).unwrap();
    check(&schema, "");
}

#[test]
fn relative_paths_begin_at_the_file() {
    let files = files("relative");
    let below = files.join("below");
    std::fs::create_dir_all(&below).unwrap();
    let text = super::SOUND.replace("tls", "../tls").replace("[session", "[../session");
    let text = text.replace("file: claims", "file: ../claims").replace("file: secret", "file: ../secret");
    std::fs::write(below.join("vestibule.yaml"), &text).unwrap();
    let source = Source::read(FilePath::new(&below.join("vestibule.yaml"))).unwrap();
    load(&source, MissingKeys::Refuse).unwrap_or_else(|report| panic!("{report}"));
    assert!(load_in(&files, &text).is_err());
}
