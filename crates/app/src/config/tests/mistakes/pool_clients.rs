//! `user_pools.….clients` and `resource_servers`, and the keys of a pool.

use super::report_of;
use crate::config::tests::{SOUND, files, load_in};

const STORE: &str = "    store: { sqlite: people.db, key_files: [store-key] }\n";
const KEY: &str = "    signing_key_file: pool-key\n";
const API: &str = "    resource_servers: [{ identifier: 'https://api.example.com', scopes: [read] }]\n";

fn pool(keys: &str, client: &str) -> String {
    let issuer = "user_pools:\n  people:\n    issuer: https://login.example.com\n";
    let client =
        if client.is_empty() { String::new() } else { format!("    clients: [{{ client_id: app, {client} }}]\n") };
    format!("{SOUND}{issuer}{keys}{client}")
}

#[track_caller]
fn refused(keys: &str, client: &str, message: &str) {
    let report = report_of("pool-clients", &pool(keys, client));
    assert!(report.contains(&format!("error: {message}")), "{message}\n{report}");
}

#[track_caller]
fn good(keys: &str, client: &str) {
    let files = files("pool-clients-good");
    if let Err(report) = load_in(&files, &pool(keys, client)) {
        panic!("{report}");
    }
}

#[test]
fn a_pool_makes_its_keys_itself_only_with_a_store() {
    refused("", "", "`signing_key_file` is missing");
    refused(&format!("{STORE}    rs256_signing_key_file: rsa\n"), "", "the pool makes its keys itself");
    refused(&format!("{STORE}    previous_key_files: [pool-key]\n"), "", "the pool makes its keys itself");
}

#[test]
fn grant_types_go_together_in_three_ways() {
    let uris = "redirect_uris: ['https://app.example.com/cb']";
    let with = |grants: &str, more: &str| format!("client_secret: s3cret, grant_types: {grants}, {more}");
    for grants in ["[refresh_token]", "[authorization_code, client_credentials]", "[]"] {
        refused(KEY, &with(grants, uris), "these grant types do not go together");
    }
    let public = format!("grant_types: [client_credentials], {uris}");
    refused(KEY, &public, "`client_credentials` needs a client with a secret");
    refused(KEY, &with("[client_credentials]", "redirect_uris: []"), "the client needs a scope of a resource server");
    refused(KEY, "client_secret: s3cret", "expected at least one address");
    let scoped = "scopes: ['https://api.example.com/read'], id_token_signed_response_alg: ES256";
    good(&format!("{KEY}{API}"), &with("[client_credentials]", scoped));
    good(&format!("{KEY}{API}"), &with("[authorization_code]", &format!("{scoped}, {uris}")));
}

#[test]
fn scopes_are_those_that_there_are() {
    let uris = "redirect_uris: ['https://app.example.com/cb']";
    let unknown = format!("scopes: [openid, 'https://api.example.com/write'], {uris}");
    refused(&format!("{KEY}{API}"), &unknown, "the scope `https://api.example.com/write` is not known");
    let server = |identifier: &str, scopes: &str| {
        format!("{KEY}    resource_servers: [{{ identifier: '{identifier}', scopes: {scopes} }}]\n")
    };
    refused(&server("", "[read]"), "", "`` cannot be an identifier");
    refused(&server("two words", "[read]"), "", "`two words` cannot be an identifier");
    refused(&server("api", "[a/b]"), "", "`a/b` cannot be the name of a scope");
    refused(&server("api", "[]"), "", "expected 1 to 100 scopes");
}

#[test]
fn what_needs_a_store_says_so() {
    let uris = "client_secret: s3cret, redirect_uris: ['https://app.example.com/cb']";
    refused(KEY, &format!("{uris}, introspection: true"), "the pool has no `store`");
    refused(KEY, &format!("{uris}, require_par: true"), "the client cannot push authorization requests");
    let told = "backchannel_logout_uri: 'https://app.example.com/told'";
    refused(KEY, &format!("{uris}, {told}"), "the pool has no `store`");
}
