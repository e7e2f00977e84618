//! One test for each kind of mistake: what the operator reads.

use insta::assert_snapshot;

use super::{SOUND, files, load_in};
use crate::config::load;
use crate::config::source::{MissingKeys, Source};

/// What is said of the sound file after these replacements, each of which must find its place.
#[track_caller]
fn report(name: &str, changes: &[(&str, &str)]) -> String {
    let mut text = SOUND.to_owned();
    for (from, to) in changes {
        assert!(text.contains(from), "no place for {from:?}");
        text = text.replacen(from, to, 1);
    }
    report_of(name, &text)
}

#[track_caller]
fn report_of(name: &str, text: &str) -> String {
    let files = files(name);
    let report = load_in(&files, text).expect_err("the file has a mistake").to_string();
    report.replace(&files.display().to_string(), "DIR")
}

/// What is said of the sound file after these replacements, though it can be served with.
#[track_caller]
fn warnings(name: &str, changes: &[(&str, &str)]) -> String {
    let text = changes.iter().fold(SOUND.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "no place for {from:?}");
        text.replacen(from, to, 1)
    });
    load_in(&files(name), &text).unwrap_or_else(|report| panic!("{report}")).warnings.to_string()
}

mod yaml {
    use super::*;

    #[test]
    fn not_yaml() {
        assert_snapshot!(report("syntax", &[("    protocol: https", "    protocol: [https")]), @"");
    }

    #[test]
    fn tabs() {
        assert_snapshot!(report("tab", &[("  corp:\n    issuer", "\tcorp:\n    issuer")]), @"");
    }

    #[test]
    fn an_unquoted_star() {
        assert_snapshot!(report("star", &[("[\"/api/*\"]", "\n              - *.example.com")]), @"");
    }

    #[test]
    fn empty() {
        assert_snapshot!(report_of("empty", "# nothing\n"), @"");
    }

    #[test]
    fn several_documents() {
        assert_snapshot!(report("documents", &[("identity_providers:", "---\nidentity_providers:")]), @"");
    }

    #[test]
    fn a_key_twice() {
        assert_snapshot!(report("twice", &[("    client_id: dashboard", "    client_id: dashboard\n    client_id: other")]), @"");
    }

    #[test]
    fn a_tag() {
        assert_snapshot!(report("tag", &[("client_id: dashboard", "client_id: !env CLIENT_ID")]), @"");
    }

    #[test]
    fn a_variable_that_is_not_set() {
        assert_snapshot!(report("unset", &[("client_secret_file: secret", "client_secret: ${OIDC_SECRET}")]), @"");
    }

    #[test]
    fn a_variable_in_another_shell() {
        assert_snapshot!(report("default", &[("client_id: dashboard", "client_id: ${ID:-x}")]), @"");
    }
}

mod shape {
    use super::*;

    #[test]
    fn unknown_keys_at_every_level() {
        let changes = [
            ("session:\n", "sesion: {}\nsession:\n"),
            ("    protocol: https", "    protocol: https\n    adress: x"),
            ("            on_unauthenticated_request: deny", "            onUnauthenticatedRequest: deny"),
            ("    targets:", "    health_check: {}\n    targets:"),
        ];
        assert_snapshot!(report("unknown", &changes), @"");
    }

    #[test]
    fn a_misspelt_key_is_not_also_missing() {
        let changes = [("client_id: dashboard", "cleint_id: dashboard"), ("client_secret_file", "secret_file")];
        assert_snapshot!(report("misspelt", &changes), @"");
    }

    #[test]
    fn missing_keys() {
        assert_snapshot!(report("missing", &[("    client_id: dashboard\n", ""), ("    targets: [\"127.0.0.1:3000\"]", "    protocol: http")]), @"");
    }

    #[test]
    fn a_key_without_value() {
        assert_snapshot!(report("valueless", &[("    targets: [\"127.0.0.1:3000\"]", "    targets:")]), @"");
    }

    #[test]
    fn unknown_values() {
        let changes = [
            ("protocol: https", "protocol: HTTPS"),
            ("on_unauthenticated_request: deny", "on_unauthenticated_request: denied"),
        ];
        assert_snapshot!(report("values", &changes), @"");
    }

    #[test]
    fn unknown_action_types() {
        let changes = [
            ("          - type: authenticate-oidc", "          - type: authenticate-cognito"),
            (
                "      - type: authenticate-oidc\n        provider: corp\n      - type: forward",
                "      - provider: corp\n      - type: foward",
            ),
        ];
        assert_snapshot!(report("types", &changes), @"");
    }

    #[test]
    fn another_kind_of_value() {
        let changes = [
            ("path_pattern: [\"/api/*\"]", "path_pattern: /api/*"),
            ("priority: 10", "priority: \"10\""),
            ("client_id: dashboard", "client_id: 12345"),
            ("  signer: arn:vestibule:dashboard", "  signer: yes\n  access_token_header: no"),
            ("  app:\n", "  app: &app\n"),
            ("session:\n", "admin: [127.0.0.1:9090]\nsession:\n"),
        ];
        assert_snapshot!(report("kinds", &changes), @"");
    }

    #[test]
    fn numbers_out_of_range() {
        assert_snapshot!(report("range", &[("priority: 10", "priority: 50001"), ("session:\n", "workers: 0\nsession:\n")]), @"");
    }

    #[test]
    fn conditions_in_one_item() {
        let changes = [(
            "          - path_pattern: [\"/api/*\"]",
            "          - path_pattern: [\"/api/*\"]\n            host_header: [app.example.com]\n          - path: [/x]",
        )];
        assert_snapshot!(report("conditions", &changes), @"");
    }

    #[test]
    fn an_empty_item() {
        assert_snapshot!(report("item", &[("    targets: [\"127.0.0.1:3000\"]", "    targets:\n      -\n      - 127.0.0.1:3000")]), @"");
    }
}

mod names {
    use super::*;

    #[test]
    fn that_do_not_resolve() {
        let changes = [
            ("            provider: corp", "            provider: crop"),
            ("            target_group: app", "            target_group: backend"),
            (
                "      - type: authenticate-oidc\n        provider: corp",
                "      - type: authenticate-user-pool\n        user_pool: people",
            ),
        ];
        assert_snapshot!(report("resolve", &changes), @"");
    }

    #[test]
    fn of_unsound_entries_still_resolve() {
        assert_snapshot!(report("unsound", &[("issuer: https://login.example.com", "issuer: [x]")]), @"");
    }

    #[test]
    fn given_twice() {
        let rule = "      - name: api\n        priority: 10\n        conditions: [{ path_pattern: [/x] }]\n        actions: [{ type: forward, target_group: app }]\n";
        let listener = "  - { name: public, address: \"127.0.0.1:8443\", protocol: http, default_actions: [{ type: forward, target_group: app }] }\n";
        let changes = [
            ("    rules:\n", &*format!("    rules:\n{rule}")),
            ("identity_providers:", &*format!("{listener}identity_providers:")),
        ];
        assert_snapshot!(report("again", &changes), @"");
    }

    #[test]
    fn that_cannot_stand_in_a_log() {
        assert_snapshot!(report("characters", &[("- name: public", "- name: the public one")]), @"");
    }
}

mod listeners {
    use super::*;

    #[test]
    fn none() {
        assert_snapshot!(report_of("none", "listeners: []\n"), @"");
    }

    #[test]
    fn addresses() {
        assert_snapshot!(report("address", &[("address: 0.0.0.0:8443", "address: \":8443\"")]), @"");
        assert_snapshot!(report("address2", &[("session:\n", "admin: { address: localhost:9090 }\nsession:\n")]), @"");
    }

    #[test]
    fn admin_on_a_public_port() {
        assert_snapshot!(report("admin", &[("session:\n", "admin: { address: 127.0.0.1:8443 }\nsession:\n")]), @"");
    }

    #[test]
    fn https_without_certificates() {
        let changes =
            [("    certificates:\n      - certificate_file: tls.pem\n        private_key_file: tls-key.pem\n", "")];
        assert_snapshot!(report("certificates", &changes), @"");
    }

    #[test]
    fn certificates_that_cannot_be_used() {
        let more = "    certificates:\n      - { certificate_file: tls.pem, private_key_file: other-key.pem }\n      - { certificate_file: gone.pem, private_key_file: tls-key.pem }\n      - { certificate_file: secret, private_key_file: tls-key.pem }\n      - { certificate_file: tls.pem, private_key_file: secret }\n";
        assert_snapshot!(report("unusable", &[("    certificates:\n", more)]), @"");
    }

    #[test]
    fn http_with_certificates_and_sign_in() {
        assert_snapshot!(report("http", &[("protocol: https", "protocol: http")]), @"");
    }

    #[test]
    fn networks_and_times() {
        let changes = [(
            "    protocol: https",
            "    protocol: https\n    trusted_proxies: [10.0.0.1, 10.1.2.3/8, office]\n    limits: { idle_timeout: 10 minutes, head_timeout: 2h, keep_alive: 0 }",
        )];
        assert_snapshot!(report("networks", &changes), @"");
    }
}

mod rules {
    use super::*;

    /// The conditions of the one rule.
    #[track_caller]
    fn conditions(name: &str, conditions: &str) -> String {
        report(name, &[("          - path_pattern: [\"/api/*\"]\n", conditions)])
    }

    #[test]
    fn a_priority_twice() {
        let rule = "      - priority: 10\n        conditions: [{ path_pattern: [/x] }]\n        actions: [{ type: forward, target_group: app }]\n";
        assert_snapshot!(report("priority", &[("    rules:\n", &format!("    rules:\n{rule}"))]), @"");
    }

    #[test]
    fn no_condition() {
        assert_snapshot!(report("unconditional", &[("        conditions:\n          - path_pattern: [\"/api/*\"]\n", "        conditions: []\n")]), @"");
    }

    #[test]
    fn values_that_match_nothing() {
        let all = "          - host_header: [\"https://app.example.com\", app.example.com:8443, ok.example.com]
          - path_pattern: [api/*, /a//b, /a/../b, /a%20b]
          - http_request_method: [get, \"GET POST\"]
          - source_ip: [10.0.0.1]
          - http_header: { name: Host, values: [x] }
          - http_header: { name: \"a b\", values: [x] }
          - http_header: { name: accept, values: [] }
          - query_string: []
";
        assert_snapshot!(conditions("nothing", all), @"");
    }

    #[test]
    fn a_condition_twice() {
        assert_snapshot!(conditions("doubled", "          - path_pattern: [/a]\n          - path_pattern: [/b]\n"), @"");
    }
}

mod actions {
    use super::*;

    /// The default actions.
    #[track_caller]
    fn actions(name: &str, actions: &str) -> String {
        report(
            name,
            &[(
                "      - type: authenticate-oidc\n        provider: corp\n      - type: forward\n        target_group: app\n",
                actions,
            )],
        )
    }

    #[test]
    fn no_terminal() {
        assert_snapshot!(actions("terminal", "      - type: authenticate-oidc\n        provider: corp\n"), @"");
    }

    #[test]
    fn two_terminals() {
        assert_snapshot!(actions("terminals", "      - { type: forward, target_group: app }\n      - { type: fixed-response, status_code: 200 }\n"), @"");
    }

    #[test]
    fn sign_in_after_the_answer_and_twice() {
        assert_snapshot!(actions("order", "      - { type: forward, target_group: app }\n      - { type: authenticate-oidc, provider: corp }\n"), @"");
        assert_snapshot!(actions("order2", "      - { type: authenticate-oidc, provider: corp }\n      - { type: authenticate-oidc, provider: corp }\n      - { type: forward, target_group: app }\n"), @"");
    }

    #[test]
    fn an_unsound_action_is_not_also_missing() {
        assert_snapshot!(actions("pruned", "      - { type: forward, target: app }\n"), @"");
    }

    #[test]
    fn authenticate_out_of_bounds() {
        let action = "      - type: authenticate-oidc
        provider: corp
        scope: email  profile
        session_timeout: 8d
        session_cookie_name: my session
        on_expired_session: authenticate
        authentication_request_extra_params: { state: x, scope: y, a: \"1\", b: \"1\", c: \"1\", d: \"1\", e: \"1\", f: \"1\", g: \"1\", h: \"1\", i: \"1\" }
      - type: forward
        target_group: app
";
        assert_snapshot!(actions("bounds", action), @"");
    }

    #[test]
    fn scope_without_openid() {
        assert_snapshot!(report("scope", &[("            provider: corp", "            provider: corp\n            scope: email")]), @"");
    }

    #[test]
    fn one_cookie_for_two_providers() {
        let provider = "identity_providers:\n  partner: { issuer: https://partner.example.com, client_id: x, token_endpoint_auth_method: none }\n";
        let changes =
            [("identity_providers:\n", provider), ("            provider: corp", "            provider: partner")];
        assert_snapshot!(report("cookie", &changes), @"");
    }

    #[test]
    fn redirects() {
        let all = "      - { type: redirect, status_code: HTTP_301 }\n";
        assert_snapshot!(actions("loop", all), @"");
        let all = "      - { type: redirect, status_code: HTTP_302, protocol: HTTP, host: \"https://x\", port: 0, path: no, query: \"?a=#{query}\" }\n";
        assert_snapshot!(actions("redirect", all), @"");
        let all = "      - { type: redirect, status_code: HTTP_308, path: \"/#{pat}\" }\n";
        assert_snapshot!(actions("redirect2", all), @"");
        let all = "      - { type: redirect, status_code: HTTP_302, path: \"/#{pat}\" }\n";
        assert_snapshot!(actions("redirect3", all), @"");
        let all = "      - { type: redirect, status_code: HTTP_302, host: \"#{path}.example.com\" }\n";
        assert_snapshot!(actions("redirect4", all), @"");
        let all =
            "      - { type: redirect, status_code: HTTP_302, path: \"//evil.example.com/#{path\", protocol: https }\n";
        assert_snapshot!(actions("redirect5", all), @"");
    }

    #[test]
    fn fixed_responses() {
        let all = "      - { type: fixed-response, status_code: 302, content_type: text/markdown }\n";
        assert_snapshot!(actions("fixed", all), @"");
        let body = format!("      - {{ type: fixed-response, status_code: 200, body: {} }}\n", "x".repeat(1025));
        assert_snapshot!(actions("fixed2", &body), @"");
        let all = "      - { type: fixed-response, status_code: 204, body: x, message_body: x }\n";
        assert_snapshot!(actions("fixed3", all), @"");
        let all = "      - { type: fixed-response, status_code: 204, body: x }\n";
        assert_snapshot!(actions("fixed4", all), @"");
    }

    #[test]
    fn what_is_not_in_this_version() {
        let changes = [
            (
                "          - type: authenticate-oidc\n            provider: corp\n            on_unauthenticated_request: deny\n",
                "          - type: jwt-validation\n            issuer: https://x\n",
            ),
            ("    targets:", "    protocol_version: http2\n    targets:"),
        ];
        assert_snapshot!(report("version", &changes), @"");
    }
}

mod providers {
    use super::*;

    #[test]
    fn issuers() {
        assert_snapshot!(report("issuer", &[("https://login.example.com", "http://login.example.com")]), @"");
        assert_snapshot!(report("issuer2", &[("https://login.example.com", "login.example.com")]), @"");
        assert_snapshot!(report("issuer3", &[("https://login.example.com", "https://login.example.com/.well-known/openid-configuration")]), @"");
        assert_snapshot!(report("issuer4", &[("https://login.example.com", "https://user:hunter2@login.example.com/?x")]), @"");
    }

    #[test]
    fn secrets() {
        assert_snapshot!(report("secret", &[("    client_secret_file: secret\n", "")]), @"");
        assert_snapshot!(report("secret2", &[("client_secret_file: secret", "client_secret_file: empty")]), @"");
        assert_snapshot!(report("secret3", &[("client_secret_file: secret", "client_secret_file: gone")]), @"");
        assert_snapshot!(report("secret4", &[("client_secret_file: secret", "client_secret_file: secret\n    client_secret: hunter2")]), @"");
        assert_snapshot!(report("secret5", &[("client_secret_file: secret", "client_secret_file: secret\n    token_endpoint_auth_method: none")]), @"");
    }

    #[test]
    fn certificate_authorities() {
        assert_snapshot!(report("ca", &[("client_secret_file: secret", "client_secret_file: secret\n    ca_file: secret")]), @"");
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
}

mod target_groups {
    use super::*;

    #[test]
    fn targets() {
        assert_snapshot!(report("targets", &[("[\"127.0.0.1:3000\"]", "[\"http://app:3000/\", app, \"app:0\", \"::1:80\", \"a b:80\"]")]), @"");
    }

    #[test]
    fn tls_settings() {
        assert_snapshot!(report("tls", &[("    targets:", "    verify: false\n    targets:")]), @"");
        assert_snapshot!(report("tls2", &[("    targets:", "    protocol: https\n    verify: false\n    ca_file: tls.pem\n    targets:")]), @"");
    }
}

mod keys {
    use super::*;

    #[test]
    fn sections_that_are_needed() {
        let changes = [(
            "session:\n  key_files: [session-key]\nclaims:\n  signer: arn:vestibule:dashboard\n  signing_key_file: claims-key\n",
            "",
        )];
        assert_snapshot!(report("sections", &changes), @"");
    }

    #[test]
    fn missing_files() {
        assert_snapshot!(report("gone", &[("[session-key]", "[gone]"), ("signing_key_file: claims-key", "signing_key_file: gone")]), @"");
    }

    #[test]
    fn files_that_are_not_keys() {
        assert_snapshot!(report("short", &[("[session-key]", "[session-key, short-key, secret, session-key-2]"), ("signing_key_file: claims-key", "signing_key_file: session-key")]), @"");
        assert_snapshot!(report("nokeys", &[("[session-key]", "[]")]), @"");
    }

    #[test]
    fn headers_and_signer() {
        let claims =
            "  signer: \"\"\n  headers: { x-amzn-oidc-data: sub, \"x y\": sub, x-mail: \"a..b\", x-groups: [] }";
        assert_snapshot!(report("headers", &[("  signer: arn:vestibule:dashboard", claims)]), @"");
    }
}

mod user_pools {
    use super::*;

    const POOL: &str = "user_pools:
  people:
    issuer: https://login.example.com
    signing_key_file: pool-key
";

    /// A pool with that below it.
    #[track_caller]
    fn pool(name: &str, below: &str) -> String {
        report_of(name, &format!("{SOUND}{POOL}{below}"))
    }

    #[test]
    fn users() {
        let users = "    users:
      - { username: ada, password_hash: hunter2 }
      - { username: \" ADA \", password_hash: \"$argon2i$v=19$m=4096,t=3,p=1$c29tZXNhbHRzb21lc2FsdA$e0KBhmnhDk5jzRJkfRPkEyxTWkRPXW5Z0i0p0sZKbJc\" }
      - { username: eve, subject: same, password_hash: \"$argon2id$v=19$m=1048576,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$e0KBhmnhDk5jzRJkfRPkEyxTWkRPXW5Z0i0p0sZKbJc\" }
      - { username: bob, subject: same, password_hash: \"$argon2id$v=19$m=19456,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$e0KBhmnhDk5jzRJkfRPkEyxTWkRPXW5Z0i0p0sZKbJc\", claims: { sub: x, email: x } }
";
        assert_snapshot!(pool("users", users), @"");
    }

    #[test]
    fn clients() {
        let clients = "    clients:
      - { client_id: vestibule, redirect_uris: [https://x.example.com/cb] }
      - { client_id: a, redirect_uris: [] }
      - { client_id: a, redirect_uris: [http://x.example.com/cb, \"https://x.example.com/#x\"], client_secret: \"\" }
";
        assert_snapshot!(pool("clients", clients), @"");
    }

    #[test]
    fn applications() {
        assert_snapshot!(pool("applications", "    applications: [https://login.example.com, https://app.example.com/, \"http://localhost:3000\"]\n"), @"");
        let text = format!("{SOUND}{POOL}").replace("      - type: authenticate-oidc\n        provider: corp", "      - type: authenticate-user-pool\n        user_pool: people\n        session_cookie_name: __Host-people");
        assert_snapshot!(report_of("applications2", &text), @"");
    }

    #[test]
    fn issuers() {
        let text = format!("{SOUND}{POOL}").replace(
            "  people:\n    issuer: https://login.example.com",
            "  people:\n    issuer: https://login.example.com/pool/",
        );
        assert_snapshot!(report_of("poolissuer", &text), @"");
        let text = format!("{SOUND}{POOL}").replace(
            "  people:\n    issuer: https://login.example.com",
            "  people:\n    issuer: http://localhost:9000",
        );
        assert_snapshot!(report_of("poolissuer2", &text), @"");
    }
}

mod everything_else {
    use super::*;

    #[test]
    fn a_file_that_is_not_there() {
        let report = Source::read(std::path::Path::new("/nonexistent/vestibule.yaml")).unwrap_err();
        assert_snapshot!(report.to_string(), @"");
    }

    #[test]
    fn a_log_without_directory() {
        assert_snapshot!(report("log", &[("session:\n", "access_log: { destination: logs/access.json }\nlog: { level: loud }\nsession:\n")]), @"");
    }

    #[test]
    fn all_at_once_in_the_order_of_the_file() {
        let changes = [
            ("    protocol: https", "    protocl: https"),
            ("            target_group: app", "            target_group: ap"),
            ("    client_id: dashboard", "    client_id: \"\""),
            ("[\"127.0.0.1:3000\"]", "[app]"),
            ("[session-key]", "[short-key]"),
        ];
        assert_snapshot!(report("all", &changes), @"");
    }

    #[test]
    fn warnings_do_not_refuse() {
        let changes = [
            ("target_groups:\n", "target_groups:\n  old: { targets: [] }\n"),
            ("session:\n", "session:\n  cookie_name: AWSELBAuthSessionCookie\n"),
            (
                "identity_providers:\n",
                "identity_providers:\n  old: { issuer: https://old.example.com, client_id: x, token_endpoint_auth_method: none }\n",
            ),
        ];
        assert_snapshot!(warnings("warnings", &changes), @"");
    }

    #[test]
    fn a_key_that_cannot_be_made() {
        let files = files("unmade");
        let text = SOUND.replace("[session-key]", "[secret/below]");
        let report = load(&Source::text("vestibule.yaml", &files, &text), MissingKeys::Make).unwrap_err().to_string();
        assert_snapshot!(report.replace(&files.display().to_string(), "DIR"), @"");
    }
}
