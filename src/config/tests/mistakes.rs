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
        assert_snapshot!(report("syntax", &[("    protocol: https", "    protocol: [https")]), @r#"
        error: this is not YAML: illegal placement of ':' indicator
         --> vestibule.yaml:5:17
          |
        5 |     certificates:
          |                 ^
        "#);
    }

    #[test]
    fn tabs() {
        assert_snapshot!(report("tab", &[("  corp:\n    issuer", "\tcorp:\n    issuer")]), @r#"
        error: this is not YAML: tabs disallowed within this context (block indentation)
          --> vestibule.yaml:25:2
           |
        25 |  corp:
           |  ^
           = indent with spaces
        "#);
    }

    #[test]
    fn an_unquoted_star() {
        assert_snapshot!(report("star", &[("[\"/api/*\"]", "\n              - *.example.com")]), @r#"
        error: this is not YAML: while parsing node, found unknown anchor
          --> vestibule.yaml:13:17
           |
        13 |               - *.example.com
           |                 ^
           = a value that begins with `*` must be in quotes
        "#);
    }

    #[test]
    fn empty() {
        assert_snapshot!(report_of("empty", "# nothing\n"), @r#"
        error: the file is empty
         --> vestibule.yaml:2:1
        "#);
    }

    #[test]
    fn several_documents() {
        assert_snapshot!(report("documents", &[("identity_providers:", "---\nidentity_providers:")]), @r#"
        error: the file holds several documents (`---`)
          --> vestibule.yaml:24:1
           |
        24 | ---
           | ^^^
        "#);
    }

    #[test]
    fn a_key_twice() {
        assert_snapshot!(report("twice", &[("    client_id: dashboard", "    client_id: dashboard\n    client_id: other")]), @r#"
        error: the key `client_id` is given twice
          --> vestibule.yaml:28:5 at identity_providers.corp.client_id
           |
        28 |     client_id: other
           |     ^^^^^^^^^
           = it first stands on line 27
        "#);
    }

    #[test]
    fn a_tag() {
        assert_snapshot!(report("tag", &[("client_id: dashboard", "client_id: !env CLIENT_ID")]), @r#"
        error: the tag `!env` has no meaning here
          --> vestibule.yaml:27:16
           |
        27 |     client_id: !env CLIENT_ID
           |                ^^^^^^^^^^^^^^
        "#);
    }

    #[test]
    fn a_variable_that_is_not_set() {
        assert_snapshot!(report("unset", &[("client_secret_file: secret", "client_secret: ${OIDC_SECRET}")]), @r#"
        error: the environment variable `OIDC_SECRET` is not set
          --> vestibule.yaml:28:20 at identity_providers.corp.client_secret
           |
        28 |     client_secret: …
           |                    ^
           = set it, or write `$${` where `${` itself is meant
        "#);
    }

    #[test]
    fn a_variable_in_another_shell() {
        assert_snapshot!(report("default", &[("client_id: dashboard", "client_id: ${ID:-x}")]), @r#"
        error: `${ID:-x}` does not name an environment variable
          --> vestibule.yaml:27:16 at identity_providers.corp.client_id
           |
        27 |     client_id: ${ID:-x}
           |                ^^^^^^^^
           = write `${NAME}` with letters, digits and `_`, or `$${` where `${` itself is meant
        "#);
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
        assert_snapshot!(report("unknown", &changes), @r#"
        error: unknown key `adress`
         --> vestibule.yaml:5:5 at listeners[0].adress
          |
        5 |     adress: x
          |     ^^^^^^
          = `address` is already given

        error: unknown key `onUnauthenticatedRequest`
          --> vestibule.yaml:17:13 at listeners[0].rules[0].actions[0].onUnauthenticatedRequest
           |
        17 |             onUnauthenticatedRequest: deny
           |             ^^^^^^^^^^^^^^^^^^^^^^^^
           = did you mean `on_unauthenticated_request`?

        error: unknown key `health_check`
          --> vestibule.yaml:32:5 at target_groups.app.health_check
           |
        32 |     health_check: {}
           |     ^^^^^^^^^^^^
           = there are `protocol`, `protocol_version`, `ca_file`, `verify`, `connect_timeout`, `response_timeout`, `idle_timeout`, `idle_max` and `skip_for`

        error: unknown key `sesion`
          --> vestibule.yaml:34:1 at sesion
           |
        34 | sesion: {}
           | ^^^^^^
           = `session` is already given
        "#);
    }

    #[test]
    fn a_misspelt_key_is_not_also_missing() {
        let changes = [("client_id: dashboard", "cleint_id: dashboard"), ("client_secret_file", "secret_file")];
        assert_snapshot!(report("misspelt", &changes), @r#"
        error: unknown key `cleint_id`
          --> vestibule.yaml:27:5 at identity_providers.corp.cleint_id
           |
        27 |     cleint_id: dashboard
           |     ^^^^^^^^^
           = did you mean `client_id`?

        error: unknown key `secret_file`
          --> vestibule.yaml:28:5 at identity_providers.corp.secret_file
           |
        28 |     secret_file: secret
           |     ^^^^^^^^^^^
           = did you mean `client_secret_file`?
        "#);
    }

    #[test]
    fn missing_keys() {
        assert_snapshot!(report("missing", &[("    client_id: dashboard\n", ""), ("    targets: [\"127.0.0.1:3000\"]", "    protocol: http")]), @r#"
        error: `client_id` is missing
          --> vestibule.yaml:25:3 at identity_providers.corp
           |
        25 |   corp:
           |   ^^^^
           = The client id that the provider gave this deployment

        error: `targets` is missing
          --> vestibule.yaml:29:3 at target_groups.app
           |
        29 |   app:
           |   ^^^
           = Targets, as `app.internal:3000`, `10.0.0.7:3000` or `[::1]:3000`
        "#);
    }

    #[test]
    fn a_key_without_value() {
        assert_snapshot!(report("valueless", &[("    targets: [\"127.0.0.1:3000\"]", "    targets:")]), @r#"
        error: `targets` has no value
          --> vestibule.yaml:31:5 at target_groups.app.targets
           |
        31 |     targets:
           |     ^^^^^^^
        "#);
    }

    #[test]
    fn unknown_values() {
        let changes = [
            ("protocol: https", "protocol: HTTPS"),
            ("on_unauthenticated_request: deny", "on_unauthenticated_request: denied"),
        ];
        assert_snapshot!(report("values", &changes), @r#"
        error: unknown value `HTTPS`
         --> vestibule.yaml:4:15 at listeners[0].protocol
          |
        4 |     protocol: HTTPS
          |               ^^^^^
          = did you mean `https`?

        error: unknown value `denied`
          --> vestibule.yaml:16:41 at listeners[0].rules[0].actions[0].on_unauthenticated_request
           |
        16 |             on_unauthenticated_request: denied
           |                                         ^^^^^^
           = there are `authenticate`, `deny` and `allow`
        "#);
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
        assert_snapshot!(report("types", &changes), @r#"
        error: unknown value `authenticate-cognito`
          --> vestibule.yaml:14:19 at listeners[0].rules[0].actions[0].type
           |
        14 |           - type: authenticate-cognito
           |                   ^^^^^^^^^^^^^^^^^^^^
           = `authenticate-oidc` signs in with Amazon Cognito, `authenticate-user-pool` with a pool of this process

        error: `type` is missing
          --> vestibule.yaml:20:9 at listeners[0].default_actions[0]
           |
        20 |       - provider: corp
           |         ^
           = there are `authenticate-oidc`, `authenticate-user-pool`, `jwt-validation`, `forward`, `redirect` and `fixed-response`

        error: unknown value `foward`
          --> vestibule.yaml:21:15 at listeners[0].default_actions[1].type
           |
        21 |       - type: foward
           |               ^^^^^^
           = did you mean `forward`?
        "#);
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
        assert_snapshot!(report("kinds", &changes), @r#"
        error: expected a whole number, found text
          --> vestibule.yaml:10:19 at listeners[0].rules[0].priority
           |
        10 |         priority: "10"
           |                   ^^^^
           = write it without quotes

        error: expected a list, found text
          --> vestibule.yaml:12:27 at listeners[0].rules[0].conditions[0].path_pattern
           |
        12 |           - path_pattern: /api/*
           |                           ^^^^^^
           = write a list, as `[a, b]`, also of one

        error: expected text, found a whole number
          --> vestibule.yaml:27:16 at identity_providers.corp.client_id
           |
        27 |     client_id: 12345
           |                ^^^^^
           = put it in quotes

        error: expected a mapping (`key: value`), found a list
          --> vestibule.yaml:32:1 at admin
           |
        32 | admin: [127.0.0.1:9090]
           | ^^^^^

        error: expected `true` or `false`, found text
          --> vestibule.yaml:37:24 at claims.access_token_header
           |
        37 |   access_token_header: no
           |                        ^^
           = did you mean `false`?
        "#);
    }

    #[test]
    fn numbers_out_of_range() {
        assert_snapshot!(report("range", &[("priority: 10", "priority: 50001"), ("session:\n", "workers: 0\nsession:\n")]), @r#"
        error: 50001 is out of range: 1 to 50000
          --> vestibule.yaml:10:19 at listeners[0].rules[0].priority
           |
        10 |         priority: 50001
           |                   ^^^^^

        error: 0 is out of range: 1 to 1024
          --> vestibule.yaml:32:10 at workers
           |
        32 | workers: 0
           |          ^
        "#);
    }

    #[test]
    fn conditions_in_one_item() {
        let changes = [(
            "          - path_pattern: [\"/api/*\"]",
            "          - path_pattern: [\"/api/*\"]\n            host_header: [app.example.com]\n          - path: [/x]",
        )];
        assert_snapshot!(report("conditions", &changes), @r#"
        error: expected one key, found `path_pattern` and `host_header`
          --> vestibule.yaml:12:13 at listeners[0].rules[0].conditions[0]
           |
        12 |           - path_pattern: ["/api/*"]
           |             ^
           = begin a list item (`-`) for each

        error: unknown key `path`
          --> vestibule.yaml:14:13 at listeners[0].rules[0].conditions[1].path
           |
        14 |           - path: [/x]
           |             ^^^^
           = did you mean `path_pattern`?
        "#);
    }

    #[test]
    fn an_empty_item() {
        assert_snapshot!(report("item", &[("    targets: [\"127.0.0.1:3000\"]", "    targets:\n      -\n      - 127.0.0.1:3000")]), @r#"
        error: this item is empty
          --> vestibule.yaml:32:8 at target_groups.app.targets[0]
           |
        32 |       -
           |        ^
           = `-` must be followed by a value
        "#);
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
        assert_snapshot!(report("resolve", &changes), @r#"
        error: there is no provider `crop`
          --> vestibule.yaml:15:23 at listeners[0].rules[0].actions[0].provider
           |
        15 |             provider: crop
           |                       ^^^^
           = did you mean `corp`?

        error: there is no target group `backend`
          --> vestibule.yaml:18:27 at listeners[0].rules[0].actions[1].target_group
           |
        18 |             target_group: backend
           |                           ^^^^^^^
           = there is `app`

        error: there is no user pool `people`
          --> vestibule.yaml:21:20 at listeners[0].default_actions[0].user_pool
           |
        21 |         user_pool: people
           |                    ^^^^^^
           = define it in `user_pools`
        "#);
    }

    #[test]
    fn of_unsound_entries_still_resolve() {
        assert_snapshot!(report("unsound", &[("issuer: https://login.example.com", "issuer: [x]")]), @r#"
        error: expected text, found a list
          --> vestibule.yaml:26:5 at identity_providers.corp.issuer
           |
        26 |     issuer: [x]
           |     ^^^^^^
        "#);
    }

    #[test]
    fn given_twice() {
        let rule = "      - name: api\n        priority: 10\n        conditions: [{ path_pattern: [/x] }]\n        actions: [{ type: forward, target_group: app }]\n";
        let listener = "  - { name: public, address: \"127.0.0.1:8443\", protocol: http, default_actions: [{ type: forward, target_group: app }] }\n";
        let changes = [
            ("    rules:\n", &*format!("    rules:\n{rule}")),
            ("identity_providers:", &*format!("{listener}identity_providers:")),
        ];
        assert_snapshot!(report("again", &changes), @r#"
        error: a rule of this listener is already called `api`
          --> vestibule.yaml:13:15 at listeners[0].rules[1].name
           |
        13 |       - name: api
           |               ^^^

        error: the priority 10 is taken by `api`
          --> vestibule.yaml:14:19 at listeners[0].rules[1].priority
           |
        14 |         priority: 10
           |                   ^^
           = each rule of a listener has its own

        error: another listener is already called `public`
          --> vestibule.yaml:28:13 at listeners[1].name
           |
        28 |   - { name: public, address: "127.0.0.1:8443", protocol: http, default_actions: [{ type: forward, target_group: app }] }
           |             ^^^^^^

        error: the listener `public` has the same port
          --> vestibule.yaml:28:30 at listeners[1].address
           |
        28 |   - { name: public, address: "127.0.0.1:8443", protocol: http, default_actions: [{ type: forward, target_group: app }] }
           |                              ^^^^^^^^^^^^^^^^
        "#);
    }

    #[test]
    fn that_cannot_stand_in_a_log() {
        assert_snapshot!(report("characters", &[("- name: public", "- name: the public one")]), @r#"
        error: `the public one` cannot be a name
         --> vestibule.yaml:2:11 at listeners[0].name
          |
        2 |   - name: the public one
          |           ^^^^^^^^^^^^^^
          = letters, digits, `-`, `_` and `.`, at most 64
        "#);
    }
}

mod listeners {
    use super::*;

    #[test]
    fn none() {
        assert_snapshot!(report_of("none", "listeners: []\n"), @r#"
        error: expected at least one listener
         --> vestibule.yaml:1:1 at listeners
          |
        1 | listeners: []
          | ^^^^^^^^^
        "#);
    }

    #[test]
    fn addresses() {
        assert_snapshot!(report("address", &[("address: 0.0.0.0:8443", "address: \":8443\"")]), @r#"
        error: `:8443` is not an address to listen on
         --> vestibule.yaml:3:14 at listeners[0].address
          |
        3 |     address: ":8443"
          |              ^^^^^^^
          = write `0.0.0.0:8443` or `[::]:8443`
        "#);
        assert_snapshot!(report("address2", &[("session:\n", "admin: { address: localhost:9090 }\nsession:\n")]), @r#"
        error: `localhost:9090` is not an address to listen on
          --> vestibule.yaml:32:19 at admin.address
           |
        32 | admin: { address: localhost:9090 }
           |                   ^^^^^^^^^^^^^^
           = write `127.0.0.1:9090`
        "#);
    }

    #[test]
    fn admin_on_a_public_port() {
        assert_snapshot!(report("admin", &[("session:\n", "admin: { address: 127.0.0.1:8443 }\nsession:\n")]), @r#"
        error: the admin endpoint and the listener `public` have the same port
          --> vestibule.yaml:32:19 at admin.address
           |
        32 | admin: { address: 127.0.0.1:8443 }
           |                   ^^^^^^^^^^^^^^
           = take another port
        "#);
    }

    #[test]
    fn https_without_certificates() {
        let changes =
            [("    certificates:\n      - certificate_file: tls.pem\n        private_key_file: tls-key.pem\n", "")];
        assert_snapshot!(report("certificates", &changes), @r#"
        error: an `https` listener needs a certificate
         --> vestibule.yaml:2:5 at listeners[0].certificates
          |
        2 |   - name: public
          |     ^
          = `certificates: [{ certificate_file: FILE, private_key_file: FILE }]`
        "#);
    }

    #[test]
    fn certificates_that_cannot_be_used() {
        let more = "    certificates:\n      - { certificate_file: tls.pem, private_key_file: other-key.pem }\n      - { certificate_file: gone.pem, private_key_file: tls-key.pem }\n      - { certificate_file: secret, private_key_file: tls-key.pem }\n      - { certificate_file: tls.pem, private_key_file: secret }\n";
        assert_snapshot!(report("unusable", &[("    certificates:\n", more)]), @r#"
        error: `DIR/other-key.pem`: the private key does not belong to the certificate, or is of a kind that TLS does not use: keys may not be consistent: KeyMismatch
         --> vestibule.yaml:6:56 at listeners[0].certificates[0].private_key_file
          |
        6 |       - { certificate_file: tls.pem, private_key_file: other-key.pem }
          |                                                        ^^^^^^^^^^^^^

        error: the file `DIR/gone.pem` cannot be read: no such file or directory
         --> vestibule.yaml:7:29 at listeners[0].certificates[1].certificate_file
          |
        7 |       - { certificate_file: gone.pem, private_key_file: tls-key.pem }
          |                             ^^^^^^^^

        error: `DIR/secret`: the file holds no certificate in PEM form
         --> vestibule.yaml:8:29 at listeners[0].certificates[2].certificate_file
          |
        8 |       - { certificate_file: secret, private_key_file: tls-key.pem }
          |                             ^^^^^^

        error: `DIR/secret`: the file holds no private key in PEM form
         --> vestibule.yaml:9:56 at listeners[0].certificates[3].private_key_file
          |
        9 |       - { certificate_file: tls.pem, private_key_file: secret }
          |                                                        ^^^^^^
        "#);
    }

    #[test]
    fn http_with_certificates_and_sign_in() {
        assert_snapshot!(report("http", &[("protocol: https", "protocol: http")]), @r#"
        error: an `http` listener has no certificates
         --> vestibule.yaml:5:5 at listeners[0].certificates
          |
        5 |     certificates:
          |     ^^^^^^^^^^^^
          = `protocol: https`, or take them out

        error: `authenticate-oidc` on an `http` listener
          --> vestibule.yaml:14:13 at listeners[0].rules[0].actions[0]
           |
        14 |           - type: authenticate-oidc
           |             ^
           = sessions travel over TLS only: use an `https` listener, and `redirect` to it here

        error: `authenticate-oidc` on an `http` listener
          --> vestibule.yaml:20:9 at listeners[0].default_actions[0]
           |
        20 |       - type: authenticate-oidc
           |         ^
           = sessions travel over TLS only: use an `https` listener, and `redirect` to it here
        "#);
    }

    #[test]
    fn networks_and_times() {
        let changes = [(
            "    protocol: https",
            "    protocol: https\n    trusted_proxies: [10.0.0.1, 10.1.2.3/8, office]\n    limits: { idle_timeout: 10 minutes, head_timeout: 2h, keep_alive: 0 }",
        )];
        assert_snapshot!(report("networks", &changes), @r#"
        error: `10.0.0.1` is not a network
         --> vestibule.yaml:5:23 at listeners[0].trusted_proxies[0]
          |
        5 |     trusted_proxies: [10.0.0.1, 10.1.2.3/8, office]
          |                       ^^^^^^^^
          = write `10.0.0.1/32`

        error: `10.1.2.3/8` has bits behind its prefix
         --> vestibule.yaml:5:33 at listeners[0].trusted_proxies[1]
          |
        5 |     trusted_proxies: [10.0.0.1, 10.1.2.3/8, office]
          |                                 ^^^^^^^^^^
          = did you mean `10.0.0.0/8`?

        error: `office` is not a network
         --> vestibule.yaml:5:45 at listeners[0].trusted_proxies[2]
          |
        5 |     trusted_proxies: [10.0.0.1, 10.1.2.3/8, office]
          |                                             ^^^^^^
          = write `10.0.0.0/8` or `2001:db8::/32`

        error: `10 minutes` is not a length of time
         --> vestibule.yaml:6:29 at listeners[0].limits.idle_timeout
          |
        6 |     limits: { idle_timeout: 10 minutes, head_timeout: 2h, keep_alive: 0 }
          |                             ^^^^^^^^^^
          = write `500ms`, `30s`, `15m`, `8h`, `7d`, or a number of seconds

        error: 2h is out of range: 1ms to 4000s
         --> vestibule.yaml:6:55 at listeners[0].limits.head_timeout
          |
        6 |     limits: { idle_timeout: 10 minutes, head_timeout: 2h, keep_alive: 0 }
          |                                                       ^^

        error: 0s is out of range: 1s to 7d
         --> vestibule.yaml:6:71 at listeners[0].limits.keep_alive
          |
        6 |     limits: { idle_timeout: 10 minutes, head_timeout: 2h, keep_alive: 0 }
          |                                                                       ^
        "#);
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
        assert_snapshot!(report("priority", &[("    rules:\n", &format!("    rules:\n{rule}"))]), @r#"
        error: the priority 10 is taken by `priority-10`
          --> vestibule.yaml:13:19 at listeners[0].rules[1].priority
           |
        13 |         priority: 10
           |                   ^^
           = each rule of a listener has its own
        "#);
    }

    #[test]
    fn no_condition() {
        assert_snapshot!(report("unconditional", &[("        conditions:\n          - path_pattern: [\"/api/*\"]\n", "        conditions: []\n")]), @r#"
        error: a rule needs at least one condition
          --> vestibule.yaml:11:9 at listeners[0].rules[0].conditions
           |
        11 |         conditions: []
           |         ^^^^^^^^^^
           = what takes everything else is `default_actions`
        "#);
    }

    #[test]
    fn values_that_match_nothing() {
        let all = "          - host_header: [\"https://app.example.com\", app.example.com:8443, ok.example.com]
          - path_pattern: [api/*, /a//b, /a/../b, /a%20b]
          - http_request_method: [get, \"GET POST\"]
          - source_ip: [10.0.0.1]
          - http_header: { name: Host, values: [x] }
          - http_header: { name: \"a b\", values: [x] }
          - http_header: { name: X-Amzn-Oidc-Identity, values: [x] }
          - http_header: { name: accept, values: [] }
          - query_string: []
";
        assert_snapshot!(conditions("nothing", all), @r#"
        error: `https://app.example.com` is not a host: letters, digits, `-`, `.`, `*` and `?` only, without scheme, port or path
          --> vestibule.yaml:12:27 at listeners[0].rules[0].conditions[0].host_header[0]
           |
        12 |           - host_header: ["https://app.example.com", app.example.com:8443, ok.example.com]
           |                           ^^^^^^^^^^^^^^^^^^^^^^^^^

        error: `app.example.com:8443` is not a host: letters, digits, `-`, `.`, `*` and `?` only, without scheme, port or path
          --> vestibule.yaml:12:54 at listeners[0].rules[0].conditions[0].host_header[1]
           |
        12 |           - host_header: ["https://app.example.com", app.example.com:8443, ok.example.com]
           |                                                      ^^^^^^^^^^^^^^^^^^^^

        error: `api/*` can match no path: a path begins with `/`
          --> vestibule.yaml:13:28 at listeners[0].rules[0].conditions[1].path_pattern[0]
           |
        13 |           - path_pattern: [api/*, /a//b, /a/../b, /a%20b]
           |                            ^^^^^

        error: `/a//b` can match no path: empty segments are merged before rules are matched
          --> vestibule.yaml:13:35 at listeners[0].rules[0].conditions[1].path_pattern[1]
           |
        13 |           - path_pattern: [api/*, /a//b, /a/../b, /a%20b]
           |                                   ^^^^^

        error: `/a/../b` can match no path: dot segments are refused before rules are matched
          --> vestibule.yaml:13:42 at listeners[0].rules[0].conditions[1].path_pattern[2]
           |
        13 |           - path_pattern: [api/*, /a//b, /a/../b, /a%20b]
           |                                          ^^^^^^^

        error: `/a%20b` can match no path: write it decoded, as in `/my docs/*`
          --> vestibule.yaml:13:51 at listeners[0].rules[0].conditions[1].path_pattern[3]
           |
        13 |           - path_pattern: [api/*, /a//b, /a/../b, /a%20b]
           |                                                   ^^^^^^

        error: `get` is not a method
          --> vestibule.yaml:14:35 at listeners[0].rules[0].conditions[2].http_request_method[0]
           |
        14 |           - http_request_method: [get, "GET POST"]
           |                                   ^^^
           = did you mean `GET`?

        error: `GET POST` is not a method
          --> vestibule.yaml:14:40 at listeners[0].rules[0].conditions[2].http_request_method[1]
           |
        14 |           - http_request_method: [get, "GET POST"]
           |                                        ^^^^^^^^^^

        error: `10.0.0.1` is not a network
          --> vestibule.yaml:15:25 at listeners[0].rules[0].conditions[3].source_ip[0]
           |
        15 |           - source_ip: [10.0.0.1]
           |                         ^^^^^^^^
           = write `10.0.0.1/32`

        error: the host has a condition of its own: `host_header`
          --> vestibule.yaml:16:34 at listeners[0].rules[0].conditions[4].http_header.name
           |
        16 |           - http_header: { name: Host, values: [x] }
           |                                  ^^^^
           = a list item of its own: `- host_header: [app.example.com]`

        error: `a b` is not a header name
          --> vestibule.yaml:17:34 at listeners[0].rules[0].conditions[5].http_header.name
           |
        17 |           - http_header: { name: "a b", values: [x] }
           |                                  ^^^^^

        error: no request has the header `x-amzn-oidc-identity` when rules are matched
          --> vestibule.yaml:18:34 at listeners[0].rules[0].conditions[6].http_header.name
           |
        18 |           - http_header: { name: X-Amzn-Oidc-Identity, values: [x] }
           |                                  ^^^^^^^^^^^^^^^^^^^^
           = it is ours: what a client sends under that name is taken out first

        error: needs at least one value
          --> vestibule.yaml:19:13 at listeners[0].rules[0].conditions[7].http_header
           |
        19 |           - http_header: { name: accept, values: [] }
           |             ^^^^^^^^^^^

        error: needs at least one value
          --> vestibule.yaml:20:13 at listeners[0].rules[0].conditions[8].query_string
           |
        20 |           - query_string: []
           |             ^^^^^^^^^^^^
        "#);
    }

    #[test]
    fn a_condition_twice() {
        assert_snapshot!(conditions("doubled", "          - path_pattern: [/a]\n          - path_pattern: [/b]\n"), @r#"
        error: a second `path_pattern` in one rule
          --> vestibule.yaml:13:13 at listeners[0].rules[0].conditions[1]
           |
        13 |           - path_pattern: [/b]
           |             ^
           = conditions must all hold; alternatives are values of one condition
        "#);
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
        assert_snapshot!(actions("terminal", "      - type: authenticate-oidc\n        provider: corp\n"), @r#"
        error: no action answers the request
          --> vestibule.yaml:19:5 at listeners[0].default_actions
           |
        19 |     default_actions:
           |     ^^^^^^^^^^^^^^^
           = end with one of `forward`, `redirect`, `fixed-response`
        "#);
    }

    #[test]
    fn two_terminals() {
        assert_snapshot!(actions("terminals", "      - { type: forward, target_group: app }\n      - { type: fixed-response, status_code: 200 }\n"), @r#"
        error: `fixed-response` after `forward`, which already answers
          --> vestibule.yaml:21:9 at listeners[0].default_actions[1]
           |
        21 |       - { type: fixed-response, status_code: 200 }
           |         ^^
           = a rule has exactly one of `forward`, `redirect`, `fixed-response`
        "#);
    }

    #[test]
    fn sign_in_after_the_answer_and_twice() {
        assert_snapshot!(actions("order", "      - { type: forward, target_group: app }\n      - { type: authenticate-oidc, provider: corp }\n"), @r#"
        error: `authenticate-oidc` after `forward`, which answers
          --> vestibule.yaml:21:9 at listeners[0].default_actions[1]
           |
        21 |       - { type: authenticate-oidc, provider: corp }
           |         ^^
           = an action that authenticates stands before the one that answers
        "#);
        assert_snapshot!(actions("order2", "      - { type: authenticate-oidc, provider: corp }\n      - { type: authenticate-oidc, provider: corp }\n      - { type: forward, target_group: app }\n"), @r#"
        error: a second action that authenticates
          --> vestibule.yaml:21:9 at listeners[0].default_actions[1]
           |
        21 |       - { type: authenticate-oidc, provider: corp }
           |         ^^
           = a rule has at most one; write two rules with different conditions
        "#);
    }

    #[test]
    fn an_unsound_action_is_not_also_missing() {
        assert_snapshot!(actions("pruned", "      - { type: forward, target: app }\n"), @r#"
        error: unknown key `target`
          --> vestibule.yaml:20:26 at listeners[0].default_actions[0].target
           |
        20 |       - { type: forward, target: app }
           |                          ^^^^^^
           = did you mean `target_group`?
        "#);
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
        assert_snapshot!(actions("bounds", action), @r#"
        error: `` is not a scope
          --> vestibule.yaml:22:16 at listeners[0].default_actions[0].scope
           |
        22 |         scope: email  profile
           |                ^^^^^^^^^^^^^^
           = separate scopes by one space

        error: 8d is out of range: 1s to 7d
          --> vestibule.yaml:23:26 at listeners[0].default_actions[0].session_timeout
           |
        23 |         session_timeout: 8d
           |                          ^^

        error: `my session` is not a cookie name
          --> vestibule.yaml:24:30 at listeners[0].default_actions[0].session_cookie_name
           |
        24 |         session_cookie_name: my session
           |                              ^^^^^^^^^^
           = letters, digits, `-`, `_` and `.`, at most 64

        error: `on_expired_session` has a meaning with `on_unauthenticated_request: deny` only
          --> vestibule.yaml:25:29 at listeners[0].default_actions[0].on_expired_session
           |
        25 |         on_expired_session: authenticate
           |                             ^^^^^^^^^^^^
           = take it out

        error: 11 parameters; at most 10 may be added
          --> vestibule.yaml:26:9 at listeners[0].default_actions[0].authentication_request_extra_params
           |
        26 |         authentication_request_extra_params: { state: x, scope: y, a: "1", b: "1", c: "1", d: "1", e: "1", f: "1", g: "1", h: "1", i: "1" }
           |         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^

        error: `state` is set by the sign-in itself
          --> vestibule.yaml:26:48 at listeners[0].default_actions[0].authentication_request_extra_params.state
           |
        26 |         authentication_request_extra_params: { state: x, scope: y, a: "1", b: "1", c: "1", d: "1", e: "1", f: "1", g: "1", h: "1", i: "1" }
           |                                                ^^^^^

        error: `scope` is set by the sign-in itself
          --> vestibule.yaml:26:58 at listeners[0].default_actions[0].authentication_request_extra_params.scope
           |
        26 |         authentication_request_extra_params: { state: x, scope: y, a: "1", b: "1", c: "1", d: "1", e: "1", f: "1", g: "1", h: "1", i: "1" }
           |                                                          ^^^^^
           = the action has a `scope` of its own
        "#);
    }

    #[test]
    fn scope_without_openid() {
        assert_snapshot!(report("scope", &[("            provider: corp", "            provider: corp\n            scope: email")]), @r#"
        error: `openid` is not among the scopes
          --> vestibule.yaml:16:20 at listeners[0].rules[0].actions[0].scope
           |
        16 |             scope: email
           |                    ^^^^^
           = without it a provider gives no ID token, and no sign-in would succeed
        "#);
    }

    #[test]
    fn one_cookie_for_two_providers() {
        let provider = "identity_providers:\n  partner: { issuer: https://partner.example.com, client_id: x, token_endpoint_auth_method: none }\n";
        let changes =
            [("identity_providers:\n", provider), ("            provider: corp", "            provider: partner")];
        assert_snapshot!(report("cookie", &changes), @r#"
        error: the session cookie `__Host-vestibule` already belongs to the provider `partner`
          --> vestibule.yaml:20:9 at listeners[0].default_actions[0]
           |
        20 |       - type: authenticate-oidc
           |         ^
           = it does at listeners[0].rules[0].actions[0]; give one of the two another `session_cookie_name`
        "#);
    }

    #[test]
    fn redirects() {
        let all = "      - { type: redirect, status_code: HTTP_301 }\n";
        assert_snapshot!(actions("loop", all), @r#"
        error: this redirects to where the request came from, for ever
          --> vestibule.yaml:20:9 at listeners[0].default_actions[0]
           |
        20 |       - { type: redirect, status_code: HTTP_301 }
           |         ^^
           = change at least one of `protocol`, `host`, `port`, `path`
        "#);
        let all = "      - { type: redirect, status_code: HTTP_302, protocol: HTTP, host: \"https://x\", port: 0, path: no, query: \"?a=#{query}\" }\n";
        assert_snapshot!(actions("redirect", all), @r#"
        error: a redirect never leads from HTTPS to HTTP
          --> vestibule.yaml:20:60 at listeners[0].default_actions[0].protocol
           |
        20 |       - { type: redirect, status_code: HTTP_302, protocol: HTTP, host: "https://x", port: 0, path: no, query: "?a=#{query}" }
           |                                                            ^^^^

        error: `https://x` is not a host
          --> vestibule.yaml:20:72 at listeners[0].default_actions[0].host
           |
        20 |       - { type: redirect, status_code: HTTP_302, protocol: HTTP, host: "https://x", port: 0, path: no, query: "?a=#{query}" }
           |                                                                        ^^^^^^^^^^^
           = without scheme, port and path: they are keys of their own

        error: `0` is not a port: 1 to 65535, or `#{port}`
          --> vestibule.yaml:20:91 at listeners[0].default_actions[0].port
           |
        20 |       - { type: redirect, status_code: HTTP_302, protocol: HTTP, host: "https://x", port: 0, path: no, query: "?a=#{query}" }
           |                                                                                           ^

        error: `no` is not a path to redirect to
          --> vestibule.yaml:20:100 at listeners[0].default_actions[0].path
           |
        20 |       - { type: redirect, status_code: HTTP_302, protocol: HTTP, host: "https://x", port: 0, path: no, query: "?a=#{query}" }
           |                                                                                                    ^^
           = begin with one `/`, percent-encode what is not ASCII, and leave the query to `query`

        error: `?a=#{query}` is not a query to redirect to
          --> vestibule.yaml:20:111 at listeners[0].default_actions[0].query
           |
        20 |       - { type: redirect, status_code: HTTP_302, protocol: HTTP, host: "https://x", port: 0, path: no, query: "?a=#{query}" }
           |                                                                                                               ^^^^^^^^^^^^^^
           = leave out the question mark, and percent-encode what is not ASCII
        "#);
        let all = "      - { type: redirect, status_code: HTTP_308, path: \"/#{pat}\" }\n";
        assert_snapshot!(actions("redirect2", all), @r#"
        error: unknown value `HTTP_308`
          --> vestibule.yaml:20:40 at listeners[0].default_actions[0].status_code
           |
        20 |       - { type: redirect, status_code: HTTP_308, path: "/#{pat}" }
           |                                        ^^^^^^^^
           = did you mean `HTTP_301`?
        "#);
        let all = "      - { type: redirect, status_code: HTTP_302, path: \"/#{pat}\" }\n";
        assert_snapshot!(actions("redirect3", all), @r#"
        error: unknown placeholder `#{pat}`
          --> vestibule.yaml:20:56 at listeners[0].default_actions[0].path
           |
        20 |       - { type: redirect, status_code: HTTP_302, path: "/#{pat}" }
           |                                                        ^^^^^^^^^^
           = here there is `#{host}`, `#{port}`, `#{path}`
        "#);
        let all = "      - { type: redirect, status_code: HTTP_302, host: \"#{path}.example.com\" }\n";
        assert_snapshot!(actions("redirect4", all), @r##"
        error: `#{path}` has no place in the host
          --> vestibule.yaml:20:56 at listeners[0].default_actions[0].host
           |
        20 |       - { type: redirect, status_code: HTTP_302, host: "#{path}.example.com" }
           |                                                        ^^^^^^^^^^^^^^^^^^^^^^
           = here there is `#{host}`
        "##);
        let all =
            "      - { type: redirect, status_code: HTTP_302, path: \"//evil.example.com/#{path\", protocol: https }\n";
        assert_snapshot!(actions("redirect5", all), @r#"
        error: a placeholder is not closed by `}`
          --> vestibule.yaml:20:56 at listeners[0].default_actions[0].path
           |
        20 |       - { type: redirect, status_code: HTTP_302, path: "//evil.example.com/#{path", protocol: https }
           |                                                        ^^^^^^^^^^^^^^^^^^^^^^^^^^^
           = here there is `#{host}`, `#{port}`, `#{path}`

        error: `https` is not a protocol to redirect to
          --> vestibule.yaml:20:95 at listeners[0].default_actions[0].protocol
           |
        20 |       - { type: redirect, status_code: HTTP_302, path: "//evil.example.com/#{path", protocol: https }
           |                                                                                               ^^^^^
           = did you mean `HTTPS`?
        "#);
    }

    #[test]
    fn fixed_responses() {
        let all = "      - { type: fixed-response, status_code: 302, content_type: text/markdown }\n";
        assert_snapshot!(actions("fixed", all), @r#"
        error: 302 cannot be a fixed response: 200 to 299, or 400 to 599
          --> vestibule.yaml:20:46 at listeners[0].default_actions[0].status_code
           |
        20 |       - { type: fixed-response, status_code: 302, content_type: text/markdown }
           |                                              ^^^
           = `redirect` sends the client elsewhere

        error: `text/markdown` cannot be a fixed response's content type
          --> vestibule.yaml:20:65 at listeners[0].default_actions[0].content_type
           |
        20 |       - { type: fixed-response, status_code: 302, content_type: text/markdown }
           |                                                                 ^^^^^^^^^^^^^
           = there are `text/plain`, `text/css`, `text/html`, `application/javascript` and `application/json`
        "#);
        let body = format!("      - {{ type: fixed-response, status_code: 200, body: {} }}\n", "x".repeat(1025));
        assert_snapshot!(actions("fixed2", &body), @r#"
        error: the body has 1025 bytes; at most 1024 are allowed
          --> vestibule.yaml:20:57 at listeners[0].default_actions[0].body
           |
        20 |       - { type: fixed-response, status_code: 200, body: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx
           |                                                         ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
        "#);
        let all = "      - { type: fixed-response, status_code: 204, body: x, message_body: x }\n";
        assert_snapshot!(actions("fixed3", all), @r#"
        error: both `body` and `message_body` are given
          --> vestibule.yaml:20:74 at listeners[0].default_actions[0].message_body
           |
        20 |       - { type: fixed-response, status_code: 204, body: x, message_body: x }
           |                                                                          ^
           = they are one thing; keep one
        "#);
        let all = "      - { type: fixed-response, status_code: 204, body: x }\n";
        assert_snapshot!(actions("fixed4", all), @r#"
        error: an answer with status 204 has no body
          --> vestibule.yaml:20:57 at listeners[0].default_actions[0].body
           |
        20 |       - { type: fixed-response, status_code: 204, body: x }
           |                                                         ^
        "#);
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
        assert_snapshot!(report("version", &changes), @r#"
        error: `jwt-validation` is not in this version
          --> vestibule.yaml:14:13 at listeners[0].rules[0].actions[0]
           |
        14 |           - type: jwt-validation
           |             ^
           = `authenticate-oidc` with `on_unauthenticated_request: deny` answers 401 without a session

        error: targets that speak `http2` are not in this version
          --> vestibule.yaml:30:23 at target_groups.app.protocol_version
           |
        30 |     protocol_version: http2
           |                       ^^^^^
           = `http1` is; clients may speak HTTP/2 all the same
        "#);
    }
}

mod providers {
    use super::*;

    #[test]
    fn issuers() {
        assert_snapshot!(report("issuer", &[("https://login.example.com", "http://login.example.com")]), @r#"
        error: `http://login.example.com` is not `https`: tokens and keys would pass in the clear
          --> vestibule.yaml:26:13 at identity_providers.corp.issuer
           |
        26 |     issuer: http://login.example.com
           |             ^^^^^^^^^^^^^^^^^^^^^^^^
           = write `https://host/path`
        "#);
        assert_snapshot!(report("issuer2", &[("https://login.example.com", "login.example.com")]), @r#"
        error: `login.example.com` is not a URL
          --> vestibule.yaml:26:13 at identity_providers.corp.issuer
           |
        26 |     issuer: login.example.com
           |             ^^^^^^^^^^^^^^^^^
           = write `https://host/path`
        "#);
        assert_snapshot!(report("issuer3", &[("https://login.example.com", "https://login.example.com/.well-known/openid-configuration")]), @r#"
        error: this is the address of the metadata, not the issuer
          --> vestibule.yaml:26:13 at identity_providers.corp.issuer
           |
        26 |     issuer: https://login.example.com/.well-known/openid-configuration
           |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
           = write `https://login.example.com`
        "#);
        assert_snapshot!(report("issuer4", &[("https://login.example.com", "https://user:hunter2@login.example.com/?x")]), @r#"
        error: a URL here must not carry a user name or a password
          --> vestibule.yaml:26:13 at identity_providers.corp.issuer
           |
        26 |     issuer: https://………………………………@login.example.com/?x
           |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
           = write `https://host/path`
        "#);
    }

    #[test]
    fn secrets() {
        assert_snapshot!(report("secret", &[("    client_secret_file: secret\n", "")]), @r#"
        error: the provider has no client secret
          --> vestibule.yaml:25:3 at identity_providers.corp
           |
        25 |   corp:
           |   ^^^^
           = give `client_secret_file`, or `token_endpoint_auth_method: none` for a public client
        "#);
        assert_snapshot!(report("secret2", &[("client_secret_file: secret", "client_secret_file: empty")]), @r#"
        error: the secret is empty
          --> vestibule.yaml:28:25 at identity_providers.corp.client_secret_file
           |
        28 |     client_secret_file: empty
           |                         ^^^^^
        "#);
        assert_snapshot!(report("secret3", &[("client_secret_file: secret", "client_secret_file: gone")]), @r#"
        error: the file `DIR/gone` cannot be read: no such file or directory
          --> vestibule.yaml:28:25 at identity_providers.corp.client_secret_file
           |
        28 |     client_secret_file: gone
           |                         ^^^^
        "#);
        assert_snapshot!(report("secret4", &[("client_secret_file: secret", "client_secret_file: secret\n    client_secret: hunter2")]), @r#"
        error: both `client_secret` and `client_secret_file` are given
          --> vestibule.yaml:28:25 at identity_providers.corp.client_secret_file
           |
        28 |     client_secret_file: secret
           |                         ^^^^^^
           = keep one
        "#);
        assert_snapshot!(report("secret5", &[("client_secret_file: secret", "client_secret_file: secret\n    token_endpoint_auth_method: none")]), @r#"
        error: a client secret is given, but `none` does not send it
          --> vestibule.yaml:29:33 at identity_providers.corp.token_endpoint_auth_method
           |
        29 |     token_endpoint_auth_method: none
           |                                 ^^^^
           = keep one
        "#);
    }

    #[test]
    fn certificate_authorities() {
        assert_snapshot!(report("ca", &[("client_secret_file: secret", "client_secret_file: secret\n    ca_file: secret")]), @r#"
        error: the file `DIR/secret` holds no certificates in PEM form
          --> vestibule.yaml:29:14 at identity_providers.corp.ca_file
           |
        29 |     ca_file: secret
           |              ^^^^^^
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
}

mod target_groups {
    use super::*;

    #[test]
    fn targets() {
        assert_snapshot!(report("targets", &[("[\"127.0.0.1:3000\"]", "[\"http://app:3000/\", app, \"app:0\", \"::1:80\", \"a b:80\"]")]), @r#"
        error: `http://app:3000/` is not a target
          --> vestibule.yaml:31:15 at target_groups.app.targets[0]
           |
        31 |     targets: ["http://app:3000/", app, "app:0", "::1:80", "a b:80"]
           |               ^^^^^^^^^^^^^^^^^^
           = write `app:3000`; `http` is the group's `protocol`

        error: `app` is not a target
          --> vestibule.yaml:31:35 at target_groups.app.targets[1]
           |
        31 |     targets: ["http://app:3000/", app, "app:0", "::1:80", "a b:80"]
           |                                   ^^^
           = write a host and a port: `app.internal:3000`, `[::1]:3000`

        error: `app:0` is not a target
          --> vestibule.yaml:31:40 at target_groups.app.targets[2]
           |
        31 |     targets: ["http://app:3000/", app, "app:0", "::1:80", "a b:80"]
           |                                        ^^^^^^^
           = write a host and a port: `app.internal:3000`, `[::1]:3000`

        error: `::1:80` is not a target
          --> vestibule.yaml:31:49 at target_groups.app.targets[3]
           |
        31 |     targets: ["http://app:3000/", app, "app:0", "::1:80", "a b:80"]
           |                                                 ^^^^^^^^
           = write a host and a port: `app.internal:3000`, `[::1]:3000`

        error: `a b:80` is not a target
          --> vestibule.yaml:31:59 at target_groups.app.targets[4]
           |
        31 |     targets: ["http://app:3000/", app, "app:0", "::1:80", "a b:80"]
           |                                                           ^^^^^^^^
           = write a host and a port: `app.internal:3000`, `[::1]:3000`
        "#);
    }

    #[test]
    fn tls_settings() {
        assert_snapshot!(report("tls", &[("    targets:", "    verify: false\n    targets:")]), @r#"
        error: `verify` has no meaning for targets that speak `http`
          --> vestibule.yaml:31:13 at target_groups.app.verify
           |
        31 |     verify: false
           |             ^^^^^
           = add `protocol: https`, or take it out
        "#);
        assert_snapshot!(report("tls2", &[("    targets:", "    protocol: https\n    verify: false\n    ca_file: tls.pem\n    targets:")]), @r#"
        error: `ca_file` has no meaning with `verify: false`
          --> vestibule.yaml:33:14 at target_groups.app.ca_file
           |
        33 |     ca_file: tls.pem
           |              ^^^^^^^
           = keep one
        "#);
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
        assert_snapshot!(report("sections", &changes), @r#"
        error: `session` is missing: a rule authenticates
         --> vestibule.yaml:1:1
          |
        1 | listeners:
          | ^
          = `session: { key_files: [FILE] }`, and `vestibule keys session --out FILE` makes the file

        error: `claims` is missing: a rule authenticates
         --> vestibule.yaml:1:1
          |
        1 | listeners:
          | ^
          = `claims: { signer: NAME, signing_key_file: FILE }`, and `vestibule keys signing --out FILE` makes the file
        "#);
    }

    #[test]
    fn missing_files() {
        assert_snapshot!(report("gone", &[("[session-key]", "[gone]"), ("signing_key_file: claims-key", "signing_key_file: gone")]), @r#"
        error: the key file `DIR/gone` does not exist
          --> vestibule.yaml:33:15 at session.key_files[0]
           |
        33 |   key_files: [gone]
           |               ^^^^
           = `vestibule keys session --out DIR/gone` makes it; all replicas need the same

        error: the key file `DIR/gone` does not exist
          --> vestibule.yaml:36:21 at claims.signing_key_file
           |
        36 |   signing_key_file: gone
           |                     ^^^^
           = `vestibule keys signing --out DIR/gone` makes it; all replicas need the same
        "#);
    }

    #[test]
    fn files_that_are_not_keys() {
        assert_snapshot!(report("short", &[("[session-key]", "[session-key, short-key, secret, session-key-2]"), ("signing_key_file: claims-key", "signing_key_file: session-key")]), @r#"
        error: the file `DIR/short-key` holds a key of 64 bits; a session key has 256
          --> vestibule.yaml:33:28 at session.key_files[1]
           |
        33 |   key_files: [session-key, short-key, secret, session-key-2]
           |                            ^^^^^^^^^
           = `vestibule keys session --out FILE` makes one

        error: the file `DIR/secret` is not a session key: 64 hexadecimal digits, or base64
          --> vestibule.yaml:33:39 at session.key_files[2]
           |
        33 |   key_files: [session-key, short-key, secret, session-key-2]
           |                                       ^^^^^^
           = `vestibule keys session --out FILE` makes one

        error: the file `DIR/session-key` is not a private key in PEM form (PKCS #8 or SEC 1)
          --> vestibule.yaml:36:21 at claims.signing_key_file
           |
        36 |   signing_key_file: session-key
           |                     ^^^^^^^^^^^
           = `vestibule keys signing --out FILE` makes one
        "#);
        assert_snapshot!(report("nokeys", &[("[session-key]", "[]")]), @r#"
        error: expected at least one file
          --> vestibule.yaml:33:3 at session.key_files
           |
        33 |   key_files: []
           |   ^^^^^^^^^
           = `vestibule keys session --out FILE` makes one
        "#);
    }

    #[test]
    fn headers_and_signer() {
        let claims =
            "  signer: \"\"\n  headers: { x-amzn-oidc-data: sub, \"x y\": sub, x-mail: \"a..b\", x-groups: [] }";
        assert_snapshot!(report("headers", &[("  signer: arn:vestibule:dashboard", claims)]), @r#"
        error: the signer is empty
          --> vestibule.yaml:35:11 at claims.signer
           |
        35 |   signer: ""
           |           ^^
           = name this deployment: `arn:vestibule:NAME`

        error: the header `x-amzn-oidc-data` has another meaning
          --> vestibule.yaml:36:14 at claims.headers.x-amzn-oidc-data
           |
        36 |   headers: { x-amzn-oidc-data: sub, "x y": sub, x-mail: "a..b", x-groups: [] }
           |              ^^^^^^^^^^^^^^^^
           = choose another, as `x-forwarded-email`

        error: `x y` is not a header name
          --> vestibule.yaml:36:37 at claims.headers."x y"
           |
        36 |   headers: { x-amzn-oidc-data: sub, "x y": sub, x-mail: "a..b", x-groups: [] }
           |                                     ^^^^^

        error: this does not name a claim
          --> vestibule.yaml:36:57 at claims.headers.x-mail
           |
        36 |   headers: { x-amzn-oidc-data: sub, "x y": sub, x-mail: "a..b", x-groups: [] }
           |                                                         ^^^^^^
           = write `email`, `realm_access.roles` or `["a.b", c]`

        error: this does not name a claim
          --> vestibule.yaml:36:65 at claims.headers.x-groups
           |
        36 |   headers: { x-amzn-oidc-data: sub, "x y": sub, x-mail: "a..b", x-groups: [] }
           |                                                                 ^^^^^^^^
           = write `email`, `realm_access.roles` or `["a.b", c]`
        "#);
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
        assert_snapshot!(pool("users", users), @r#"
        error: not a password hash in PHC form (`$argon2id$v=19$m=…`)
          --> vestibule.yaml:42:41 at user_pools.people.users[0].password_hash
           |
        42 |       - { username: ada, password_hash: …
           |                                         ^
           = `vestibule users hash` makes one

        error: the subject `1c875f7881b030cea34f52ac975b5de2` is another user's
          --> vestibule.yaml:43:9 at user_pools.people.users[1].subject
           |
        43 |       - { username: " ADA ", password_hash: …
           |         ^^

        error: the user ` ADA ` is given twice
          --> vestibule.yaml:43:21 at user_pools.people.users[1].username
           |
        43 |       - { username: " ADA ", password_hash: …
           |                     ^^^^^^^

        error: not an Argon2id hash of version 19
          --> vestibule.yaml:43:45 at user_pools.people.users[1].password_hash
           |
        43 |       - { username: " ADA ", password_hash: …
           |                                             ^
           = `vestibule users hash` makes one

        error: the hash costs more than m=262144 (KiB), t=16, p=8
          --> vestibule.yaml:44:56 at user_pools.people.users[2].password_hash
           |
        44 |       - { username: eve, subject: same, password_hash: …
           |                                                        ^
           = `vestibule users hash` makes one

        error: the subject `same` is another user's
          --> vestibule.yaml:45:35 at user_pools.people.users[3].subject
           |
        45 |       - { username: bob, subject: same, password_hash: …
           |                                   ^^^^

        error: the claim `sub` is the pool's own
          --> vestibule.yaml:45:167 at user_pools.people.users[3].claims.sub
           |
        45 |       - { username: bob, subject: same, password_hash: …
           |                                                         ^

        error: `email` is a key of the user itself
          --> vestibule.yaml:45:175 at user_pools.people.users[3].claims.email
           |
        45 |       - { username: bob, subject: same, password_hash: …
           |                                                         ^
        "#);
    }

    #[test]
    fn clients() {
        let clients = "    clients:
      - { client_id: vestibule, redirect_uris: [https://x.example.com/cb] }
      - { client_id: a, redirect_uris: [] }
      - { client_id: a, redirect_uris: [http://x.example.com/cb, \"https://x.example.com/#x\"], client_secret: \"\" }
";
        assert_snapshot!(pool("clients", clients), @r#"
        error: `vestibule` is this proxy's own client id
          --> vestibule.yaml:42:22 at user_pools.people.clients[0].client_id
           |
        42 |       - { client_id: vestibule, redirect_uris: [https://x.example.com/cb] }
           |                      ^^^^^^^^^
           = choose another

        error: expected at least one address
          --> vestibule.yaml:43:25 at user_pools.people.clients[1].redirect_uris
           |
        43 |       - { client_id: a, redirect_uris: [] }
           |                         ^^^^^^^^^^^^^

        error: the client `a` is given twice
          --> vestibule.yaml:44:22 at user_pools.people.clients[2].client_id
           |
        44 |       - { client_id: a, redirect_uris: [http://x.example.com/cb, "https://x.example.com/#x"], client_secret: …
           |                      ^

        error: `http://x.example.com/cb` is not `https`: tokens and keys would pass in the clear
          --> vestibule.yaml:44:41 at user_pools.people.clients[2].redirect_uris[0]
           |
        44 |       - { client_id: a, redirect_uris: [http://x.example.com/cb, "https://x.example.com/#x"], client_secret: …
           |                                         ^^^^^^^^^^^^^^^^^^^^^^^
           = write `https://host/path`

        error: `https://x.example.com/#x` has a fragment (`#`)
          --> vestibule.yaml:44:66 at user_pools.people.clients[2].redirect_uris[1]
           |
        44 |       - { client_id: a, redirect_uris: [http://x.example.com/cb, "https://x.example.com/#x"], client_secret: …
           |                                                                  ^^^^^^^^^^^^^^^^^^^^^^^^^^
           = write `https://host/path`

        error: the secret is empty
          --> vestibule.yaml:44:110 at user_pools.people.clients[2].client_secret
           |
        44 |       - { client_id: a, redirect_uris: [http://x.example.com/cb, "https://x.example.com/#x"], client_secret: …
           |                                                                                                              ^
        "#);
    }

    #[test]
    fn applications() {
        assert_snapshot!(pool("applications", "    applications: [https://login.example.com, https://app.example.com/, \"http://localhost:3000\"]\n"), @r#"
        error: an application on the pool's own host
          --> vestibule.yaml:41:20 at user_pools.people.applications[0]
           |
        41 |     applications: [https://login.example.com, https://app.example.com/, "http://localhost:3000"]
           |                    ^^^^^^^^^^^^^^^^^^^^^^^^^
           = give the pool a host, or a port, of its own

        error: `https://app.example.com/` has more than a scheme, a host and a port
          --> vestibule.yaml:41:47 at user_pools.people.applications[1]
           |
        41 |     applications: [https://login.example.com, https://app.example.com/, "http://localhost:3000"]
           |                                               ^^^^^^^^^^^^^^^^^^^^^^^^
           = write `https://app.example.com`

        error: `http://localhost:3000` is not `https`
          --> vestibule.yaml:41:73 at user_pools.people.applications[2]
           |
        41 |     applications: [https://login.example.com, https://app.example.com/, "http://localhost:3000"]
           |                                                                         ^^^^^^^^^^^^^^^^^^^^^^^
           = sessions travel over TLS only
        "#);
        let text = format!("{SOUND}{POOL}").replace("      - type: authenticate-oidc\n        provider: corp", "      - type: authenticate-user-pool\n        user_pool: people\n        session_cookie_name: __Host-people");
        assert_snapshot!(report_of("applications2", &text), @r#"
        error: `applications` is missing: a rule signs users in with this pool
          --> vestibule.yaml:39:3 at user_pools.people
           |
        39 |   people:
           |   ^^^^^^
           = `applications: [https://app.example.com]`, for listeners[0].default_actions[0]
        "#);
    }

    #[test]
    fn issuers() {
        let text = format!("{SOUND}{POOL}").replace(
            "  people:\n    issuer: https://login.example.com",
            "  people:\n    issuer: https://login.example.com/pool/",
        );
        assert_snapshot!(report_of("poolissuer", &text), @r#"
        error: `https://login.example.com/pool/` has more than a scheme, a host and a port
          --> vestibule.yaml:39:13 at user_pools.people.issuer
           |
        39 |     issuer: https://login.example.com/pool/
           |             ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
           = write `https://login.example.com`
        "#);
        let text = format!("{SOUND}{POOL}").replace(
            "  people:\n    issuer: https://login.example.com",
            "  people:\n    issuer: http://localhost:9000",
        );
        assert_snapshot!(report_of("poolissuer2", &text), @r#"
        error: no `http` listener could serve this issuer
          --> vestibule.yaml:39:13 at user_pools.people.issuer
           |
        39 |     issuer: http://localhost:9000
           |             ^^^^^^^^^^^^^^^^^^^^^
        "#);
    }
}

mod everything_else {
    use super::*;

    #[test]
    fn a_file_that_is_not_there() {
        let report = Source::read(std::path::Path::new("/nonexistent/vestibule.yaml")).unwrap_err();
        assert_snapshot!(report.to_string(), @r#"
        error: the file cannot be read: No such file or directory (os error 2)
         --> /nonexistent/vestibule.yaml
          = `--config` says which file
        "#);
    }

    #[test]
    fn a_log_without_directory() {
        assert_snapshot!(report("log", &[("session:\n", "access_log: { destination: logs/access.json }\nlog: { level: loud }\nsession:\n")]), @r#"
        error: the file `DIR/logs/access.json` cannot be written: its directory does not exist
          --> vestibule.yaml:32:28 at access_log.destination
           |
        32 | access_log: { destination: logs/access.json }
           |                            ^^^^^^^^^^^^^^^^

        error: unknown value `loud`
          --> vestibule.yaml:33:15 at log.level
           |
        33 | log: { level: loud }
           |               ^^^^
           = there are `error`, `warn`, `info`, `debug` and `trace`
        "#);
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
        assert_snapshot!(report("all", &changes), @r#"
        error: unknown key `protocl`
         --> vestibule.yaml:4:5 at listeners[0].protocl
          |
        4 |     protocl: https
          |     ^^^^^^^
          = did you mean `protocol`?

        error: the client id is empty
          --> vestibule.yaml:27:16 at identity_providers.corp.client_id
           |
        27 |     client_id: ""
           |                ^^

        error: `app` is not a target
          --> vestibule.yaml:31:15 at target_groups.app.targets[0]
           |
        31 |     targets: [app]
           |               ^^^
           = write a host and a port: `app.internal:3000`, `[::1]:3000`

        error: the file `DIR/short-key` holds a key of 64 bits; a session key has 256
          --> vestibule.yaml:33:15 at session.key_files[0]
           |
        33 |   key_files: [short-key]
           |               ^^^^^^^^^
           = `vestibule keys session --out FILE` makes one
        "#);
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
        assert_snapshot!(warnings("warnings", &changes), @r#"
        warning: no rule names this provider
          --> vestibule.yaml:25:3 at identity_providers.old
           |
        25 |   old: { issuer: https://old.example.com, client_id: x, token_endpoint_auth_method: none }
           |   ^^^

        warning: no rule forwards to this target group
          --> vestibule.yaml:31:3 at target_groups.old
           |
        31 |   old: { targets: [] }
           |   ^^^

        warning: the cookie `AWSELBAuthSessionCookie` can be set by other hosts of the domain
          --> vestibule.yaml:35:16 at session.cookie_name
           |
        35 |   cookie_name: AWSELBAuthSessionCookie
           |                ^^^^^^^^^^^^^^^^^^^^^^^
           = `__Host-AWSELBAuthSessionCookie` cannot (RFC 6265bis §4.1.3.2)
        "#);
    }

    #[test]
    fn a_key_that_cannot_be_made() {
        let files = files("unmade");
        let text = SOUND.replace("[session-key]", "[secret/below]");
        let report = load(&Source::text("vestibule.yaml", &files, &text), MissingKeys::Make).unwrap_err().to_string();
        assert_snapshot!(report.replace(&files.display().to_string(), "DIR"), @r#"
        error: the file `DIR/secret/below` cannot be read: not a directory
          --> vestibule.yaml:33:15 at session.key_files[0]
           |
        33 |   key_files: [secret/below]
           |               ^^^^^^^^^^^^
        "#);
    }
}
