//! Relying parties that nobody here wrote, at a pool that has a database and makes its keys itself: npm's `openid-client`, `oauth4webapi`, and
//! `JwtVerifier` of `aws-jwt-verify`; PyPI's `authlib`. They tell the time by the machine's clock. Apache is in `mod_auth_openidc.rs`.

use std::process::Command;

use serde_json::{Value, json};
use vestibule::clock::Clock;

use crate::harness::app::{Proxy, folder, free_port};
use crate::harness::process::{self, Process};

const API: &str = "https://api.example.com";

fn configuration(port: u16) -> String {
    format!(
        "
listeners:
  - name: public
    address: 127.0.0.1:{port}
    protocol: https
    certificates: [{{ certificate_file: cert.pem, private_key_file: key.pem }}]
    default_actions: [{{ type: fixed-response, status_code: 404 }}]
user_pools:
  people:
    issuer: https://localhost:{port}
    store: {{ sqlite: people.db, key_files: [store-key] }}
    users:
      - {{ username: alice, password_hash: '{}', subject: user-1, email: alice@example.com, groups: [staff] }}
    resource_servers: [{{ identifier: '{API}', scopes: [read, write] }}]
    clients:
      - client_id: wiki
        client_secret: a-secret-of-the-wiki
        redirect_uris: ['https://wiki.test/cb']
        post_logout_redirect_uris: ['https://wiki.test/bye']
      - {{ client_id: page, redirect_uris: ['https://wiki.test/cb'] }}
      - client_id: robot
        client_secret: a-secret-of-the-robot
        grant_types: [client_credentials]
        scopes: ['{API}/read', '{API}/write']
claims: {{ signer: 'arn:vestibule:test', signing_key_file: claims-key.pem }}
session: {{ key_files: [session-key] }}
admin: {{ address: 127.0.0.1:0 }}
",
        crate::user_pool::hash()
    )
}

/// Runs a relying party from discovery to revocation. `variable` says in the environment of `command` which authority to trust.
fn run(mut command: Command, variable: &str) -> (Value, Proxy) {
    let port = free_port();
    let proxy = Proxy::start_in(folder(), &configuration(port), Clock::system().now());
    command.env(variable, proxy.folder().join("ca.pem"));
    let mut process = Process::start(command);
    let asked = json!({
        "issuer": format!("https://localhost:{port}"),
        "clientId": "wiki",
        "clientSecret": "a-secret-of-the-wiki",
        "publicId": "page",
        "redirectUri": "https://wiki.test/cb",
        "postLogoutRedirectUri": "https://wiki.test/bye",
        "username": "alice",
        "password": crate::user_pool::PASSWORD,
        "machineId": "robot",
        "machineSecret": "a-secret-of-the-robot",
        "machineScope": format!("{API}/read"),
    });
    process.say_all(&asked.to_string());
    (process.next_json(), proxy)
}

fn run_npm(library: &str) -> (Value, Proxy) {
    run(process::node("relying-party.mjs", &[library]), "NODE_EXTRA_CA_CERTS")
}

fn run_authlib(part: &str) -> (Value, Proxy) {
    run(process::python("python/relying_party.py", &[part]), "SSL_CERT_FILE")
}

#[track_caller]
fn check_both(seen: &Value) {
    check(seen);
    let (id, access) = (&seen["verified"]["id"], &seen["verified"]["access"]);
    assert_eq!((&id["cognito:username"], &id["cognito:groups"]), (&json!("alice"), &json!(["staff"])), "{id}");
    assert_eq!((&access["username"], &access["version"]), (&json!("alice"), &json!(2)), "{access}");
    assert_eq!(id["origin_jti"], access["origin_jti"]);
    for refused in seen["verified"]["mixedUp"].as_array().expect("a list") {
        assert_ne!(refused, "none", "an ID token is no access token, and the other way round");
    }
}

#[track_caller]
fn check(seen: &Value) {
    assert_eq!((&seen["claims"]["sub"], &seen["claims"]["email"]), (&json!("user-1"), &json!("alice@example.com")));
    assert_eq!(seen["userinfo"]["sub"], "user-1");
    assert_eq!((&seen["introspected"]["active"], &seen["introspected"]["username"]), (&json!(true), &json!("alice")));
    assert_eq!(seen["afterRevocation"], json!({"active": false}));
    assert_eq!((&seen["refused"], &seen["usedTwice"]), (&json!("invalid_grant"), &json!("invalid_grant")));
    assert_eq!(seen["machine"], json!({"scope": format!("{API}/read"), "expires_in": 3600}));
}

#[test]
fn openid_client_signs_in_refreshes_introspects_and_revokes() {
    let (seen, proxy) = run_npm("openid-client");
    check_both(&seen);
    assert_eq!(seen["parameters"], json!(["client_id", "request_uri"]), "the request was pushed");
    assert_eq!(proxy.metric(r#"vestibule_pool_reuse_detected_total{pool="people"}"#), 1);
}

#[test]
fn oauth4webapi_does_the_same() {
    let (seen, _proxy) = run_npm("oauth4webapi");
    check_both(&seen);
    assert_eq!(seen["userinfo"]["groups"], json!(["staff"]), "by the parameter `claims`");
}

#[test]
fn authlib_signs_in_refreshes_introspects_and_revokes() {
    let (seen, proxy) = run_authlib("session");
    check(&seen);
    assert_eq!((&seen["access"]["username"], &seen["access"]["version"]), (&json!("alice"), &json!(2)));
    assert_eq!(seen["mixedUp"], "invalid_token", "an ID token is no access token");
    assert_eq!(seen["wrongNonce"], "invalid_claim");
    assert_eq!(seen["replaced"], json!(["access_token", "refresh_token"]));
    assert_eq!(seen["revoked"], 200);
    assert_eq!(seen["public"], json!({"sub": "user-1", "userinfo": "user-1"}), "a client without a secret");
    assert_eq!(proxy.metric(r#"vestibule_pool_reuse_detected_total{pool="people"}"#), 1);
}

#[test]
fn an_application_of_starlette_signs_in_and_out_by_authlib() {
    let (seen, _proxy) = run_authlib("starlette");
    assert_eq!((&seen["claims"]["sub"], &seen["claims"]["aud"]), (&json!("user-1"), &json!("wiki")));
    assert_eq!(seen["userinfo"]["email"], "alice@example.com");
    assert_eq!(seen["bye"], json!({"post_logout_redirect_uri": "https://wiki.test/bye"}), "with the state");
    assert_eq!(seen["asksForThePassword"], true);
}
