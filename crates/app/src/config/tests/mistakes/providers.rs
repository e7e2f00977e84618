//! `identity_providers`.

use insta::assert_snapshot;

use super::{report, warnings};

#[test]
fn issuers() {
    assert_snapshot!(report("issuer", &[("https://login.example.com", "http://login.example.com")]), @r#"
    error: `http://login.example.com` is not `https`: tokens and keys would be sent unencrypted
      --> vestibule.yaml:26:13
       |
    26 |     issuer: http://login.example.com
       |             ^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = at: identity_providers.corp.issuer
       = help: write `https://host/path`
    "#);
    assert_snapshot!(report("issuer2", &[("https://login.example.com", "login.example.com")]), @r#"
    error: `login.example.com` is not a URL
      --> vestibule.yaml:26:13
       |
    26 |     issuer: login.example.com
       |             ^^^^^^^^^^^^^^^^^
       |
       = at: identity_providers.corp.issuer
       = help: write `https://host/path`
    "#);
    assert_snapshot!(report("issuer3", &[("https://login.example.com", "https://login.example.com/.well-known/openid-configuration")]), @r#"
    error: this is the URL of the metadata, not the issuer
      --> vestibule.yaml:26:13
       |
    26 |     issuer: https://login.example.com/.well-known/openid-configuration
       |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = at: identity_providers.corp.issuer
       = help: write `https://login.example.com`
    "#);
    assert_snapshot!(report("issuer4", &[("https://login.example.com", "https://user:hunter2@login.example.com/?x")]), @r#"
    error: the URL must not contain a user name or password
      --> vestibule.yaml:26:13
       |
    26 |     issuer: https://………………………………@login.example.com/?x
       |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = at: identity_providers.corp.issuer
       = help: write `https://host/path`
    "#);
}

#[test]
fn secrets() {
    assert_snapshot!(report("secret", &[("    client_secret_file: secret\n", "")]), @r#"
    error: the provider has no client secret
      --> vestibule.yaml:25:3
       |
    25 |   corp:
       |   ^^^^
       |
       = at: identity_providers.corp
       = help: set `client_secret_file`, or `token_endpoint_auth_method: none` for a public client
    "#);
    assert_snapshot!(report("secret2", &[("client_secret_file: secret", "client_secret_file: empty")]), @r#"
    error: the secret is empty
      --> vestibule.yaml:28:25
       |
    28 |     client_secret_file: empty
       |                         ^^^^^
       |
       = at: identity_providers.corp.client_secret_file
    "#);
    assert_snapshot!(report("secret3", &[("client_secret_file: secret", "client_secret_file: gone")]), @r#"
    error: the file `DIR/gone` cannot be read: no such file or directory
      --> vestibule.yaml:28:25
       |
    28 |     client_secret_file: gone
       |                         ^^^^
       |
       = at: identity_providers.corp.client_secret_file
    "#);
    assert_snapshot!(report("secret4", &[("client_secret_file: secret", "client_secret_file: secret\n    client_secret: hunter2")]), @r#"
    error: both `client_secret` and `client_secret_file` are set
      --> vestibule.yaml:28:25
       |
    28 |     client_secret_file: secret
       |                         ^^^^^^
    29 |     client_secret: …
       |                    - the other one
       |
       = at: identity_providers.corp.client_secret_file
       = help: keep one
    "#);
    assert_snapshot!(report("secret5", &[("client_secret_file: secret", "client_secret_file: secret\n    token_endpoint_auth_method: none")]), @r#"
    error: a client secret is set, but `none` does not send it
      --> vestibule.yaml:29:33
       |
    29 |     token_endpoint_auth_method: none
       |                                 ^^^^
       |
       = at: identity_providers.corp.token_endpoint_auth_method
       = help: remove one of the two
    "#);
}

#[test]
fn certificate_authorities() {
    assert_snapshot!(report("ca", &[("client_secret_file: secret", "client_secret_file: secret\n    ca_file: secret")]), @r#"
    error: the file `DIR/secret` contains no certificates in PEM format
      --> vestibule.yaml:29:14
       |
    29 |     ca_file: secret
       |              ^^^^^^
       |
       = at: identity_providers.corp.ca_file
    "#);
}

#[test]
fn inline_secrets_are_not_shown() {
    for changes in [
        [("client_secret_file: secret", "client_secret: \"hunter2\""), ("https://login", "http://login")],
        [("client_secret_file: secret", "client_secret: 12345hunter2: x"), ("https://login", "http://login")],
        [("client_secret_file: secret", "client_secret: [hunter2]"), ("https://login", "http://login")],
        [
            ("client_secret_file: secret", "client_secret: |\n      hunter2\n      \t[hunter2"),
            ("https://login", "http://login"),
        ],
        [("client_secret_file: secret", "client_secret: ''"), ("client_id: dashboard", "clientSecret: hunter2")],
    ] {
        let report = report("inline", &changes);
        assert!(!report.contains("hunter2"), "{report}");
    }
}

/// `text` has every part.
#[track_caller]
fn says(text: &str, parts: &[&str]) {
    for part in parts {
        assert!(text.contains(part), "{part:?} in {text}");
    }
}

/// The sound file with more keys of its provider.
fn keys(keys: &str) -> [(&'static str, String); 1] {
    [("    client_id: dashboard\n", format!("    client_id: dashboard\n{keys}"))]
}

fn warned(name: &str, more: &str) -> String {
    let [(from, to)] = keys(more);
    warnings(name, &[(from, &to)])
}

fn refused(name: &str, more: &str) -> String {
    let [(from, to)] = keys(more);
    report(name, &[(from, &to)])
}

#[test]
fn what_is_lost_without_pkce_or_nonce_is_said() {
    says(
        &warned("pkce", "    pkce: off\n"),
        &["without PKCE, a stolen authorization code", "`nonce` still detects most of that"],
    );
    says(&warned("nonce", "    nonce: off\n"), &["without a nonce, an ID token", "PKCE still binds the code"]);
    let neither = warned("neither", "    pkce: off\n    nonce: off\n");
    says(&neither, &["without PKCE", "without a nonce", "only `state` is left"]);
    let both = warned("both", "    pkce: required\n    nonce: required\n");
    assert!(!both.contains("PKCE") && !both.contains("nonce"), "{both}");
    let public = [
        ("    client_secret_file: secret\n", ""),
        (
            "    client_id: dashboard\n",
            "    client_id: dashboard\n    token_endpoint_auth_method: none\n    pkce: off\n",
        ),
    ];
    says(&report("public-pkce", &public), &["error: `pkce: off` is not allowed for a client without a secret"]);
}

#[test]
fn plain_http_is_for_hosts_that_are_named() {
    let named = "    insecure_http_hosts: [keycloak:8080]\n    token_endpoint: http://keycloak:8080/token\n";
    says(&warned("plain", named), &["warning: `keycloak:8080` is called over plain HTTP", "can sign in as any user"]);
    let other = "    insecure_http_hosts: [keycloak:8080]\n    token_endpoint: http://keycloak/token\n";
    says(&refused("plain-other", other), &["error: `http://keycloak/token` is not `https`"]);
    let without = "    token_endpoint: http://keycloak:8080/token\n";
    says(&refused("plain-without", without), &["error: `http://keycloak:8080/token` is not `https`"]);
    for odd in ["'*'", "http://keycloak", "a/b", "''", "user@keycloak", "true"] {
        let odd = refused("plain-odd", &format!("    insecure_http_hosts: [{odd}]\n"));
        says(&odd, &["error: "]);
    }
    says(&refused("plain-bool", "    insecure_http_hosts: true\n"), &["error: "]);
}

#[test]
fn callback_paths() {
    says(
        &refused("callback", "    callback_path: /oauth2/sign_out\n"),
        &["`/oauth2/sign_out` is already a reserved path"],
    );
    for odd in ["/a/../b", "/a?b", "a", "/", "/a/", "/%41", "https://app.test/a"] {
        says(&refused("callback-odd", &format!("    callback_path: {odd}\n")), &["is not a valid callback path"]);
    }
}

/// RFC 9700 §4.4.2.
#[test]
fn two_providers_with_one_callback_can_be_mixed_up() {
    let with = |issuer: &str, provider: &str, more: &str| {
        let other = format!(
            "identity_providers:\n  partner:\n    issuer: {issuer}\n    client_id: other\n    client_secret_file: \
             secret\n{more}"
        );
        let rule = format!(
            "      - type: authenticate-oidc\n        provider: {provider}\n        session_cookie_name: __Host-other\n      - type: forward\n"
        );
        warnings(
            "mix-up",
            &[
                ("identity_providers:\n", &other),
                ("      - type: authenticate-oidc\n        provider: corp\n      - type: forward\n", &rule),
            ],
        )
    };
    let partner = "https://login.partner.com";
    let said = with(partner, "partner", "");
    says(
        &said,
        &[
            "warning: `corp` and `partner` have the same callback path `/oauth2/idpresponse`",
            "set `callback_path: /oauth2/idpresponse/partner`",
        ],
    );
    assert_eq!(said.matches("the same callback path").count(), 1, "{said}");
    let own = with(partner, "partner", "    callback_path: /oauth2/idpresponse/partner\n");
    let default = with(partner, "partner", "    callback_path: /oauth2/idpresponse\n");
    assert!(!own.contains("callback path"), "{own}");
    assert!(default.contains("the same callback path"), "the default, written down: {default}");
    // Two clients of one issuer, and a provider that no rule uses.
    assert!(!with("https://login.company.com", "partner", "").contains("callback path"));
    assert!(!with(partner, "corp", "").contains("callback path"));
}

#[test]
fn an_issuer_from_a_document_is_a_placeholder() {
    for issuer in
        ["https://login.example.net", "https://example.org/realms/a", "https://sso.example", "https://a.invalid"]
    {
        let text = warnings("placeholder", &[("https://login.example.com", issuer)]);
        says(&text, &["warning: this issuer is a placeholder"]);
    }
    let real = [("https://login.example.com", "https://login.notexample.com")];
    assert!(!warnings("no-placeholder", &real).contains("placeholder"));
}

#[test]
fn a_graph_that_is_not_asked_or_not_safe_to_ask() {
    let id = "    client_id:";
    let told = [
        "    graph_endpoint: https://graph.microsoft.us/v1.0\n",
        "    entra_groups: graph\n    graph_endpoint: http://graph.microsoft.com/v1.0\n",
        "    entra_groups: graph\n    graph_endpoint: https://graph.microsoft.com/v1.0?a=b\n",
        "    entra_groups: graph\n    graph_endpoint: http://127.0.0.1/v1.0\n",
    ]
    .map(|keys| report("graph", &[(id, &format!("{keys}{id}"))]));
    assert_snapshot!(told.join("\n"), @r"
    error: `graph_endpoint` without `entra_groups: graph`
      --> vestibule.yaml:27:21
       |
    27 |     graph_endpoint: https://graph.microsoft.us/v1.0
       |                     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = at: identity_providers.corp.graph_endpoint
       = help: set both, or remove it

    error: `http://graph.microsoft.com/v1.0` is not `https`: tokens and keys would be sent unencrypted
      --> vestibule.yaml:28:21
       |
    28 |     graph_endpoint: http://graph.microsoft.com/v1.0
       |                     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = at: identity_providers.corp.graph_endpoint
       = help: write `https://host/path`

    error: `https://graph.microsoft.com/v1.0?a=b` has a query
      --> vestibule.yaml:28:21
       |
    28 |     graph_endpoint: https://graph.microsoft.com/v1.0?a=b
       |                     ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = at: identity_providers.corp.graph_endpoint
       = help: write `https://graph.microsoft.com/v1.0`

    error: an `http` endpoint of an `https` issuer
      --> vestibule.yaml:28:21
       |
    28 |     graph_endpoint: http://127.0.0.1/v1.0
       |                     ^^^^^^^^^^^^^^^^^^^^^
       |
       = at: identity_providers.corp.graph_endpoint
       = help: write `https://host/path`, or add the host to `insecure_http_hosts`
    ");
}

#[test]
fn a_choice_that_is_no_text() {
    let text = report("choice", &[("    client_id:", "    entra_groups: true\n    client_id:")]);
    assert_snapshot!(text, @r##"
    error: expected text, found a boolean
      --> vestibule.yaml:27:19
       |
    27 |     entra_groups: true
       |                   ^^^^
       |
       = at: identity_providers.corp.entra_groups
       = help: expected one of `token` or `graph`
    "##);
}
