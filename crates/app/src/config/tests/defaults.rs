//! The defaults that the reference and the schema tell are those that are used.

use crate::config::changes::Document;
use crate::config::document::report::Diagnostics;
use serde_json::{Value as Json, json};

use super::{files, load_in};
use crate::config::reference::{self, SCHEMA};

/// A file that has each section and each kind of action once, with nothing but what is required.
fn base() -> Json {
    let rule = |name: &str, priority: u32, action: Json| json!({ "name": name, "priority": priority, "conditions": [{ "query_string": [{ "value": name }] }], "actions": [action] });
    let sign_in = |rest: Json| json!([rest, { "type": "forward", "target_group": "app" }]);
    json!({
        "listeners": [{
            "name": "public", "address": "0.0.0.0:8443", "protocol": "https",
            "certificates": [{ "certificate_file": "tls.pem", "private_key_file": "tls-key.pem" }],
            "limits": {}, "response_headers": {}, "tls_headers": {}, "cors": { "allow_origins": ["https://spa.company.com"] },
            "mutual_authentication": { "mode": "verify", "trust_store": "staff" },
            "rules": [
                rule("port", 5, json!({ "type": "redirect", "status_code": "HTTP_302", "port": 8444 })),
                rule("redirect", 1, json!({ "type": "redirect", "status_code": "HTTP_302", "host": "other.example.com" })),
                rule("fixed", 2, json!({ "type": "fixed-response", "status_code": 200 })),
                rule("static", 8, json!({ "type": "static", "directory": "site" })),
                {
                    "priority": 3, "conditions": [{ "path_pattern": ["/pool"] }],
                    "actions": sign_in(json!({ "type": "authenticate-user-pool", "user_pool": "staff", "session_cookie_name": "__Host-p" })),
                },
                {
                    "priority": 4, "conditions": [{ "path_pattern": ["/deny"] }],
                    "actions": [
                        // `on_expired_session` is allowed here only, `groups_claim` with `allowed_groups` only.
                        {
                            "type": "authenticate-oidc", "provider": "corp", "on_unauthenticated_request": "deny",
                            "allowed_groups": ["a"],
                        },
                        { "type": "authorize", "any": [{ "claim": "groups", "contains": ["a"] }] },
                        { "type": "forward", "target_group": "app" },
                    ],
                },
                {
                    "priority": 6, "conditions": [{ "path_pattern": ["/api"] }],
                    "actions": sign_in(json!({ "type": "jwt-validation", "provider": "corp", "audience": ["a"] })),
                },
                {
                    "priority": 7, "conditions": [{ "path_pattern": ["/both"] }],
                    "actions": sign_in(json!({ "type": "session-or-bearer", "provider": "corp", "bearer": { "audience": ["a"] } })),
                },
            ],
            "default_actions": [{ "type": "forward", "target_group": "tls" }],
        }],
        "identity_providers": { "entra": { "issuer": "https://entra.company.com", "client_id": "a", "client_secret_file": "secret", "entra_groups": "graph" }, "corp": { "issuer": "https://login.company.com", "client_id": "a", "client_secret_file": "secret" } },
        "user_pools": { "staff": {
            "issuer": "https://login.example.org", "signing_key_file": "pool-key", "applications": ["https://app.example.com"],
            "store": { "sqlite": "people.db", "key_files": ["session-key-2"] }, "password_policy": {}, "mfa": {}, "retention": {},
            "mail": { "smtp": "smtps://mail.company.com", "from": "a@company.com" }, "messages": { "limits": {} },
            "sms": { "twilio": { "account_sid": "AC1", "auth_token_file": "secret", "from": "a" }, "prefixes": ["+49"] },
            "clients": [{ "client_id": "wiki", "client_secret_file": "secret", "redirect_uris": ["https://wiki.example.com/cb"] }],
        } },
        "target_groups": { "app": { "targets": ["127.0.0.1:3000"], "health_check": {}, "stickiness": { "type": "lb_cookie" } }, "tls": { "targets": [{ "address": "127.0.0.1:3001" }], "protocol": "https" } },
        "trust_stores": { "staff": { "ca_files": ["ca.pem"] } },
        "session": { "key_files": ["session-key"] },
        "claims": { "signer": "a", "signing_key_file": "claims-key", "headers": { "x-mail": { "claim": "email" } } },
        "admin": {}, "access_log": { "syslog": {}, "format": "alb", "alb": {} }, "log": {}, "shutdown": {},
        "traces": { "otlp": { "endpoint": "https://collector.company.com" }, "sampling": {} },
    })
}

/// Settings that are not allowed everywhere; each is written in one place of [`base`] where it is.
fn is_allowed(key: &str, within: &Json) -> bool {
    match key {
        "on_expired_session" => within["on_unauthenticated_request"] == "deny",
        "graph_endpoint" => within["entra_groups"] == "graph",
        "groups_claim" => within.get("allowed_groups").is_some(),
        "verify" => within["protocol"] == "https",
        // The default of `bearer` has no `audience`, and a warning.
        "bearer" => false,
        _ => true,
    }
}

/// Writes each default that the schema tells into the value. `written` gets their names.
fn fill(value: &mut Json, schema: &Json, written: &mut Vec<String>) {
    if let Some(reference) = schema["$ref"].as_str() {
        let name = reference.rsplit('/').next().unwrap();
        return fill(value, &SCHEMA["$defs"][name], written);
    }
    for one in schema["anyOf"].as_array().into_iter().flatten().filter(|one| one["type"] != "null") {
        fill(value, one, written);
    }
    for one in schema["oneOf"].as_array().into_iter().flatten() {
        let tag = &one["properties"]["type"]["const"];
        if tag.is_null() || *tag == value["type"] {
            fill(value, one, written);
        }
    }
    match value {
        Json::Object(members) => {
            for (key, property) in schema["properties"].as_object().into_iter().flatten() {
                let here = Json::Object(members.clone());
                match members.get_mut(key) {
                    Some(below) => fill(below, property, written),
                    None if property["default"].is_null() || !is_allowed(key, &here) => {}
                    None => {
                        members.insert(key.clone(), property["default"].clone());
                        written.push(key.clone());
                    }
                }
            }
            if schema["additionalProperties"].is_object() {
                members.values_mut().for_each(|below| fill(below, &schema["additionalProperties"], written));
            }
        }
        Json::Array(items) => items.iter_mut().for_each(|item| fill(item, &schema["items"], written)),
        _ => {}
    }
}

/// All names of settings for which the schema tells a default.
fn with_default(schema: &Json, found: &mut Vec<String>) {
    match schema {
        Json::Object(members) => {
            for (key, property) in members.get("properties").and_then(Json::as_object).into_iter().flatten() {
                // An empty list or mapping is shown as none.
                if ![Json::Null, json!([]), json!({})].contains(&property["default"]) {
                    found.push(key.clone());
                }
            }
            members.values().for_each(|member| with_default(member, found));
        }
        Json::Array(items) => items.iter().for_each(|item| with_default(item, found)),
        _ => {}
    }
}

#[test]
fn writing_a_default_into_the_file_changes_nothing() {
    let files = files("defaults");
    // Of one name: those of several are shown in any order.
    let pair = rcgen::generate_simple_self_signed(vec!["login.example.org".to_owned()]).unwrap();
    std::fs::write(files.join("tls.pem"), pair.cert.pem()).unwrap();
    std::fs::write(files.join("tls-key.pem"), pair.signing_key.serialize_pem()).unwrap();
    let load = |file: &Json| load_in(&files, &file.to_string()).unwrap_or_else(|report| panic!("{report}\n{file:#}"));
    let base = base();
    let (mut filled, mut written) = (base.clone(), Vec::new());
    fill(&mut filled, &SCHEMA, &mut written);
    let mut all = Vec::new();
    with_default(&SCHEMA, &mut all);
    all.retain(|key| !written.contains(key));
    assert!(all.is_empty(), "not tried: {all:?}");
    let of = |file: &Json| {
        let config = load(file);
        // Warnings and the document tell places, which differ.
        let (warnings, document) = (Diagnostics::default(), Document::default());
        format!("{:#?}", crate::config::Config { warnings, document, ..config })
    };
    let (without, with) = (of(&base), of(&filled));
    let differ: Vec<_> = without.lines().zip(with.lines()).filter(|(without, with)| without != with).collect();
    assert!(differ.is_empty() && without.len() == with.len(), "{differ:#?}");
}

#[test]
fn no_default_is_typed_into_the_documentation() {
    let mut found = Vec::new();
    collect_descriptions(&SCHEMA, &mut found);
    let typed: Vec<_> = found.iter().filter(|text| text.contains("Default:")).collect();
    assert!(typed.is_empty(), "the generators add the default: {typed:#?}");
    for shown in [
        "Default: `10s`.",
        "Default: `[cache]`.",
        "Default: false.",
        "Default: 1024.",
        "Default: a quarter of `connections_max`",
    ] {
        assert!(reference::document().contains(shown), "{shown}");
        assert!(reference::schema().contains(shown), "{shown}");
    }
}

fn collect_descriptions(schema: &Json, found: &mut Vec<String>) {
    match schema {
        Json::Object(members) => {
            found.extend(members.get("description").and_then(Json::as_str).map(str::to_owned));
            members.values().for_each(|member| collect_descriptions(member, found));
        }
        Json::Array(items) => items.iter().for_each(|item| collect_descriptions(item, found)),
        _ => {}
    }
}
