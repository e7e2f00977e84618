//! `jwt-validation` and `session-or-bearer`.

use insta::assert_snapshot;

use super::{report, warnings};

const AUTHENTICATE: &str =
    "          - type: authenticate-oidc\n            provider: corp\n            on_unauthenticated_request: deny\n";

/// The file with these lines in place of an action that authenticates.
fn with(name: &str, action: &str) -> String {
    report(name, &[(AUTHENTICATE, action)])
}

#[test]
fn a_file_without_mistakes() {
    for (name, action) in [
        (
            "keys",
            "          - { type: jwt-validation, issuer: 'https://x.test', jwks_endpoint: 'https://x.test/jwks', audience: [a] }\n",
        ),
        (
            "provider",
            "          - { type: jwt-validation, provider: corp, additional_claims: [{ name: client_id, format: single-string, values: [a] }] }\n",
        ),
        (
            "either",
            "          - { type: session-or-bearer, provider: corp, bearer: { audience: [a], token_type: at+jwt, algorithms: [ES256] } }\n",
        ),
    ] {
        assert_eq!(warnings(&format!("bearer-sound-{name}"), &[(AUTHENTICATE, action)]), "");
    }
}

/// The file with more rules that take tokens: the name, the host, the issuer and more keys of each.
fn with_rules(name: &str, rules: &[(&str, &str, &str, &str)]) -> String {
    let rules: String = rules
        .iter()
        .enumerate()
        .map(|(number, (name, host, issuer, more))| {
            format!(
                "      - name: {name}\n        priority: {}\n        conditions: [{{ host_header: [{host}] }}, {{ path_pattern: ['/{name}'] }}]\n        actions:\n          - {{ type: jwt-validation, {issuer}, audience: [a]{more} }}\n          - {{ type: forward, target_group: app }}\n",
                20 - number
            )
        })
        .collect();
    warnings(name, &[("    default_actions:\n", &format!("{rules}    default_actions:\n"))])
}

#[test]
fn two_issuers_of_one_resource() {
    let (one, two) = (
        "issuer: 'https://x.test', jwks_endpoint: 'https://x.test/jwks'",
        "issuer: 'https://y.test', jwks_endpoint: 'https://y.test/jwks'",
    );
    // By priority, `two` is before `one`.
    assert_snapshot!(with_rules("resources", &[("one", "'*.a.test'", one, ""), ("two", "b.a.test", two, "")]));
    for (name, rules) in [
        ("hosts", [("one", "a.test", one, ""), ("two", "b.test", two, "")]),
        ("paths", [("one", "a.test", one, ""), ("two", "a.test", two, ", resource_path: /two")]),
        ("same", [("one", "a.test", one, ""), ("two", "a.test", one, ", scope: read")]),
        (
            "provider",
            [("one", "a.test", "provider: corp", ""), ("two", "a.test", "provider: corp", ", token_type: at+jwt")],
        ),
    ] {
        assert_eq!(with_rules(&format!("resources-{name}"), &rules), "");
    }
}

#[test]
fn tokens_of_other_applications() {
    let action = "          - { type: jwt-validation, provider: corp, scope: read }\n";
    assert_snapshot!(warnings("bearer-audience", &[(AUTHENTICATE, action)]));
}

#[test]
fn an_issuer_that_is_not_said_or_said_twice() {
    let mut said = String::new();
    for (index, (kind, settings)) in [
        ("jwt-validation", ""),
        ("jwt-validation", "issuer: 'https://x.test'"),
        ("jwt-validation", "jwks_endpoint: 'https://x.test/jwks'"),
        ("jwt-validation", "provider: corp, issuer: 'https://x.test', jwks_endpoint: 'https://x.test/jwks'"),
        ("jwt-validation", "provider: corp, ca_file: ca.pem"),
        ("jwt-validation", "provider: nobody"),
        ("jwt-validation", "user_pool: nobody"),
        ("jwt-validation", "issuer: 'https://x.test', jwks_endpoint: 'http://x.test/jwks'"),
        ("session-or-bearer", "bearer: { audience: [a] }"),
        ("session-or-bearer", "provider: corp, user_pool: people"),
        ("session-or-bearer", "provider: corp, jwks_endpoint: 'https://x.test/jwks'"),
    ]
    .into_iter()
    .enumerate()
    {
        let action = format!("          - {{ type: {kind}, {settings} }}\n");
        said.push_str(&with(&format!("bearer-issuer-{index}"), &action));
        said.push_str("\n\n");
    }
    assert_snapshot!(said);
}

#[test]
fn values_that_no_token_can_have() {
    let mut said = String::new();
    for (index, settings) in [
        "token_type: id",
        "audience: ['']",
        "algorithms: [HS256, none]",
        "scope: 'a\"b'",
        "additional_claims: [{ name: exp, format: single-string, values: ['1'] }]",
        "additional_claims: [{ name: a, format: string-array, values: [] }]",
        "additional_claims: [{ name: a, format: space-separated-values, values: ['b c'] }]",
        "additional_claims: [{ name: a, format: words, values: [b] }]",
        "audiences: [a]",
        "public_client_id: ''",
        "public_client_id: 'a\u{e9}'",
        "suggested_scope: 'a\"b'",
        "client_id: cli",
    ]
    .into_iter()
    .enumerate()
    {
        let action = format!("          - {{ type: jwt-validation, provider: corp, {settings} }}\n");
        said.push_str(&with(&format!("bearer-values-{index}"), &action));
        said.push_str("\n\n");
    }
    assert_snapshot!(said);
}

#[test]
fn tokens_that_a_provider_is_asked_about() {
    const SECRET: &str = "    client_secret_file: secret\n";
    for (name, action) in [
        (
            "introspection",
            "          - { type: jwt-validation, provider: corp, validation: introspection, audience: [a] }\n",
        ),
        (
            "auto",
            "          - { type: jwt-validation, provider: corp, validation: auto, audience: [a], token_type: at+jwt, algorithms: [ES256] }\n",
        ),
        (
            "either",
            "          - { type: session-or-bearer, provider: corp, bearer: { audience: [a], validation: introspection } }\n",
        ),
    ] {
        assert_eq!(warnings(&format!("bearer-asked-{name}"), &[(AUTHENTICATE, action)]), "");
    }
    let mut said = String::new();
    for (index, (settings, changes)) in [
        ("issuer: 'https://x.test', jwks_endpoint: 'https://x.test/jwks', validation: introspection", &[][..]),
        ("user_pool: people, validation: auto", &[]),
        ("provider: corp, validation: introspection, algorithms: [ES256]", &[]),
        ("provider: corp, validation: introspection, token_type: at+jwt", &[]),
        ("provider: corp, validation: auto, token_type: id", &[]),
        ("provider: corp, validation: opaque", &[]),
        ("provider: corp, introspection_endpoint: 'https://x.test/introspect'", &[]),
        ("provider: corp, validation: introspection", &["    token_endpoint_auth_method: none\n"]),
        ("provider: corp, validation: introspection", &["    client_secret_file: secret\n    introspection_cache: 0s\n"]),
        ("provider: corp, validation: introspection", &["    client_secret_file: secret\n    authorization_endpoint: https://x.test/a\n    token_endpoint: https://x.test/t\n    jwks_uri: https://x.test/j\n"]),
        ("provider: corp, validation: introspection", &["    client_secret_file: secret\n    introspection_endpoint: http://x.test/i\n"]),
    ]
    .into_iter()
    .enumerate()
    {
        let action = format!("          - {{ type: jwt-validation, {settings}, audience: [a] }}\n");
        let mut all = vec![(AUTHENTICATE, action.as_str())];
        all.extend(changes.iter().map(|to| (SECRET, *to)));
        said.push_str(&report(&format!("bearer-asked-{index}"), &all));
        said.push_str("\n\n");
    }
    assert_snapshot!(said);
}

#[test]
fn two_ways_to_identify_somebody() {
    let action = format!("{AUTHENTICATE}          - {{ type: jwt-validation, provider: corp, audience: [a] }}\n");
    assert_snapshot!(with("bearer-second", &action));
}

#[test]
fn one_issuer_with_two_key_sets() {
    let action = |path: &str| {
        format!(
            "      - {{ type: jwt-validation, issuer: 'https://x.test', jwks_endpoint: 'https://x.test/{path}', audience: [a] }}\n"
        )
    };
    let changes = [
        (AUTHENTICATE, format!("    {}", action("one"))),
        ("    default_actions:\n", format!("    default_actions:\n{}", action("two"))),
    ];
    let changes = changes.each_ref().map(|(from, to)| (*from, to.as_str()));
    assert_snapshot!(report("bearer-keys", &changes));
}
