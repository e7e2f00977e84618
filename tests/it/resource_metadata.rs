//! Protected resource metadata (RFC 9728): clients that know only an address find who issues tokens for it.

use serde_json::json;

use crate::bearer::{API, scenario, with};
use crate::harness::browser::{Browser, Protocol, on_both};
use crate::harness::provider::Provider;
use crate::harness::scenario::Scenario;

#[test]
fn clients_that_know_only_the_address_find_the_issuer() {
    on_both(|protocol| {
        let scenario = scenario("        scope: read write\n        resource_path: /api\n");
        let mut client = scenario.client(protocol);
        let refused = client.get(API);
        let challenge = refused.header("www-authenticate").expect("a challenge");
        let metadata = "https://app.test/.well-known/oauth-protected-resource/api";
        assert!(challenge.contains(&format!(r#"resource_metadata="{metadata}""#)), "{challenge}");
        let answer = client.get(metadata);
        assert_eq!((answer.status, answer.header("content-type")), (200, Some("application/json")));
        assert_eq!(answer.header("access-control-allow-origin"), Some("*"), "browsers of other sites read it, too");
        let expected = json!({
            "resource": "https://app.test/api", "authorization_servers": [scenario.provider.issuer()],
            "bearer_methods_supported": ["header"], "scopes_supported": ["read", "write"],
        });
        assert_eq!(answer.json(), expected);
        assert_eq!(client.send("POST", metadata, &[], b"").status, 405);
        // Other addresses, and paths that are read in another way, are for the rule, which wants a token.
        for other in ["", "/", "/ap", "/api/", "/api;x", "/other"] {
            let answer = client.get(&format!("https://app.test/.well-known/oauth-protected-resource{other}"));
            assert_eq!(answer.status, 401, "{other}");
        }
        assert_eq!(scenario.reached(), 0);
    });
}

#[test]
fn programs_are_told_with_which_client_to_sign_in_and_what_to_ask_for() {
    on_both(|protocol| {
        let scenario = scenario(
            "        scope: read\n        suggested_scope: openid read groups\n        public_client_id: cli\n",
        );
        let mut client = scenario.client(protocol);
        let told = client.get("https://app.test/.well-known/oauth-protected-resource").json();
        assert_eq!(told["vestibule_client_id"], "cli");
        assert_eq!(told["scopes_supported"], json!(["read", "openid", "groups"]));
        // What is suggested is not required, and who got the token does not matter.
        assert_eq!(with(&mut client, &scenario.token(&json!({"scope": "read", "client_id": "other"}))).status, 200);
    });
}

#[test]
fn the_metadata_is_only_where_a_rule_takes_tokens() {
    let rule = |issuer: &str| {
        format!(
            "\n      - name: api\n        priority: 1\n        conditions: [{{ host_header: [other.test] }}, {{ path_pattern: [\"/v1/*\"] }}]\n        actions:\n\
             \x20         - {{ type: jwt-validation, issuer: '{issuer}', jwks_endpoint: '{issuer}/jwks', audience: [api] }}\n\
             \x20         - {{ type: forward, target_group: app }}\n"
        )
    };
    let scenario = Scenario::start(|setup| {
        let rule = rule(setup.issuer());
        setup.rules(&rule).default_actions(" [{ type: forward, target_group: app }]")
    });
    let mut client = scenario.client(Protocol::Http2).with_host("other.test", scenario.proxy.address());
    let at = |host: &str| format!("https://{host}/.well-known/oauth-protected-resource");
    assert_eq!(client.get(&at("other.test")).json()["resource"], "https://other.test");
    assert_eq!(scenario.reached(), 0);
    assert_eq!(client.get(&at("app.test")).status, 200, "an application's own");
    assert_eq!(scenario.reached(), 1);
}

/// Rules of one host that take tokens of two issuers. `of_partner` is added to what takes those of the second.
fn two_issuers(partner: &Provider, of_partner: &str) -> Scenario {
    Scenario::start(|setup| {
        let (corp, partner) = (setup.issuer().to_owned(), partner.issuer());
        let rule = |name: &str, priority: u8, issuer: &str, more: &str| {
            format!(
                "\n      - name: {name}\n        priority: {priority}\n        conditions: [{{ path_pattern: [\"/{name}/*\"] }}]\n        actions:\n\
                 \x20         - {{ type: jwt-validation, issuer: '{issuer}', jwks_endpoint: '{issuer}/jwks', audience: [api]{more} }}\n\
                 \x20         - {{ type: forward, target_group: app }}"
            )
        };
        let rules = rule("corp", 1, &corp, "")
            + &rule("partner", 2, &partner, of_partner)
            + &rule("again", 3, &corp, "")
            + "\n";
        setup.rules(&rules).default_actions(" [{ type: fixed-response, status_code: 404 }]")
    })
}

/// The metadata that the refusal of a request without a token names.
fn named(client: &mut Browser, path: &str) -> Option<String> {
    let refused = client.get(&format!("https://app.test{path}"));
    assert_eq!((refused.status, refused.reason().as_deref()), (401, Some("bearer.missing")), "{path}");
    let challenge = refused.header("www-authenticate").expect("a challenge");
    let (_, metadata) = challenge.split_once("resource_metadata=\"")?;
    Some(metadata.trim_end_matches('"').to_owned())
}

#[test]
fn no_program_is_led_to_the_issuer_of_another_rule() {
    on_both(|protocol| {
        let partner = Provider::start();
        let scenario = two_issuers(&partner, "");
        let mut client = scenario.client(protocol);
        for path in ["/corp/x", "/again/x", "/partner/x"] {
            assert_eq!(named(&mut client, path), None, "{path}");
        }
        // Clients look there also if nobody has named it.
        for path in ["", "/partner", "/partner/x"] {
            let answer = client.get(&format!("https://app.test/.well-known/oauth-protected-resource{path}"));
            assert_eq!(answer.status, 404, "{path}: {}", answer.text());
        }
        assert_eq!(scenario.reached(), 0);
        // The rules are as before.
        for (path, issuer, key) in [
            ("corp", scenario.provider.issuer(), scenario.provider.key()),
            ("partner", partner.issuer(), partner.key()),
        ] {
            let token = scenario.token_as(&json!({}), &json!({"iss": issuer}), key);
            let authorization = format!("Bearer {token}");
            let mut at = |path: &str| {
                client
                    .send("GET", &format!("https://app.test/{path}/x"), &[("authorization", &authorization)], b"")
                    .status
            };
            assert_eq!(at(path), 200);
            assert_eq!(at(if path == "corp" { "partner" } else { "corp" }), 401);
        }
    });
}

#[test]
fn with_a_path_each_rule_names_its_own_issuer() {
    on_both(|protocol| {
        let partner = Provider::start();
        let scenario = two_issuers(&partner, ", resource_path: /partner");
        let mut client = scenario.client(protocol);
        for (path, metadata, resource, issuer) in [
            ("/corp/x", "", "", scenario.provider.issuer()),
            ("/again/x", "", "", scenario.provider.issuer()),
            ("/partner/x", "/partner", "/partner", partner.issuer()),
        ] {
            let expected = format!("https://app.test/.well-known/oauth-protected-resource{metadata}");
            let metadata = named(&mut client, path).expect("metadata");
            assert_eq!(metadata, expected);
            let told = client.get(&metadata).json();
            assert_eq!(told["authorization_servers"], json!([issuer]), "{path}");
            assert_eq!(told["resource"], format!("https://app.test{resource}"));
        }
        assert_eq!(scenario.reached(), 0);
    });
}
