//! Keys, and kinds of values.

use insta::assert_snapshot;

use super::report;

#[test]
fn unknown_keys_at_every_level() {
    let changes = [
        ("session:\n", "sesion: {}\nsession:\n"),
        ("    protocol: https", "    protocol: https\n    adress: x"),
        ("            on_unauthenticated_request: deny", "            onUnauthenticatedRequest: deny"),
        ("    targets:", "    health_chek: {}\n    targets:"),
    ];
    assert_snapshot!(report("unknown", &changes), @r#"
    error: unknown key `adress`
     --> vestibule.yaml:5:5
      |
    5 |     adress: x
      |     ^^^^^^
      |
      = at: listeners[0].adress
      = help: `address` is already set

    error: unknown key `onUnauthenticatedRequest`
      --> vestibule.yaml:17:13
       |
    17 |             onUnauthenticatedRequest: deny
       |             ^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = at: listeners[0].rules[0].actions[0].onUnauthenticatedRequest
       = help: did you mean `on_unauthenticated_request`?

    error: unknown key `health_chek`
      --> vestibule.yaml:32:5
       |
    32 |     health_chek: {}
       |     ^^^^^^^^^^^
       |
       = at: target_groups.app.health_chek
       = help: did you mean `health_check`?

    error: unknown key `sesion`
      --> vestibule.yaml:34:1
       |
    34 | sesion: {}
       | ^^^^^^
       |
       = at: sesion
       = help: `session` is already set
    "#);
}

#[test]
fn a_misspelt_key_is_not_also_missing() {
    let changes = [("client_id: dashboard", "cleint_id: dashboard"), ("client_secret_file", "secret_file")];
    assert_snapshot!(report("misspelt", &changes), @r#"
    error: unknown key `cleint_id`
      --> vestibule.yaml:27:5
       |
    27 |     cleint_id: dashboard
       |     ^^^^^^^^^
       |
       = at: identity_providers.corp.cleint_id
       = help: did you mean `client_id`?

    error: unknown key `secret_file`
      --> vestibule.yaml:28:5
       |
    28 |     secret_file: secret
       |     ^^^^^^^^^^^
       |
       = at: identity_providers.corp.secret_file
       = help: did you mean `client_secret_file`?
    "#);
}

#[test]
fn missing_keys() {
    assert_snapshot!(report("missing", &[("    client_id: dashboard\n", ""), ("    targets: [\"127.0.0.1:3000\"]", "    protocol: http")]), @r#"
    error: `client_id` is missing
      --> vestibule.yaml:25:3
       |
    25 |   corp:
       |   ^^^^
       |
       = at: identity_providers.corp
       = help: The client ID that the provider issued for this deployment

    error: `targets` is missing
      --> vestibule.yaml:29:3
       |
    29 |   app:
       |   ^^^
       |
       = at: target_groups.app
       = help: Targets: `app.internal:3000`, `10.0.0.7:3000`, `[::1]:3000`, `unix:/run/app.sock`, or `{ address: app.internal:3000, weight: 2 }`
    "#);
}

#[test]
fn a_key_without_value() {
    assert_snapshot!(report("valueless", &[("    targets: [\"127.0.0.1:3000\"]", "    targets:")]), @r#"
    error: `targets` has no value
      --> vestibule.yaml:31:5
       |
    31 |     targets:
       |     ^^^^^^^
       |
       = at: target_groups.app.targets
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
     --> vestibule.yaml:4:15
      |
    4 |     protocol: HTTPS
      |               ^^^^^
      |
      = at: listeners[0].protocol
      = help: did you mean `https`?

    error: unknown value `denied`
      --> vestibule.yaml:16:41
       |
    16 |             on_unauthenticated_request: denied
       |                                         ^^^^^^
       |
       = at: listeners[0].rules[0].actions[0].on_unauthenticated_request
       = help: expected one of `authenticate`, `deny` or `allow`
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
      --> vestibule.yaml:14:19
       |
    14 |           - type: authenticate-cognito
       |                   ^^^^^^^^^^^^^^^^^^^^
       |
       = at: listeners[0].rules[0].actions[0].type
       = help: use `authenticate-oidc` for Amazon Cognito, or `authenticate-user-pool` for a user pool of this process

    error: `type` is missing
      --> vestibule.yaml:20:9
       |
    20 |       - provider: corp
       |         ^
       |
       = at: listeners[0].default_actions[0]
       = help: expected one of `authenticate-oidc`, `authenticate-user-pool`, `authorize`, `jwt-validation`, `session-or-bearer`, `forward`, `redirect`, `fixed-response`, `static` or `allow`

    error: unknown value `foward`
      --> vestibule.yaml:21:15
       |
    21 |       - type: foward
       |               ^^^^^^
       |
       = at: listeners[0].default_actions[1].type
       = help: did you mean `forward`?
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
      --> vestibule.yaml:10:19
       |
    10 |         priority: "10"
       |                   ^^^^
       |
       = at: listeners[0].rules[0].priority
       = help: write it without quotes

    error: expected a list or a mapping, found text
      --> vestibule.yaml:12:27
       |
    12 |           - path_pattern: /api/*
       |                           ^^^^^^
       |
       = at: listeners[0].rules[0].conditions[0].path_pattern
       = help: write a list: `[a]`, `[a, b]`

    error: expected text, found a whole number
      --> vestibule.yaml:27:16
       |
    27 |     client_id: 12345
       |                ^^^^^
       |
       = at: identity_providers.corp.client_id
       = help: put it in quotes

    error: expected a mapping (`key: value`), found a list
      --> vestibule.yaml:32:1
       |
    32 | admin: […
       | ^^^^^
       |
       = at: admin
       = help: write one mapping here, not a list

    error: expected `true` or `false`, found text
      --> vestibule.yaml:37:24
       |
    37 |   access_token_header: no
       |                        ^^
       |
       = at: claims.access_token_header
       = help: did you mean `false`?
    "#);
}

#[test]
fn numbers_out_of_range() {
    assert_snapshot!(report("range", &[("priority: 10", "priority: 50001"), ("session:\n", "workers: 0\nsession:\n")]), @r#"
    error: 50001 is out of range: 1 to 50000
      --> vestibule.yaml:10:19
       |
    10 |         priority: 50001
       |                   ^^^^^
       |
       = at: listeners[0].rules[0].priority

    error: 0 is out of range: 1 to 1024
      --> vestibule.yaml:32:10
       |
    32 | workers: 0
       |          ^
       |
       = at: workers
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
      --> vestibule.yaml:12:13
       |
    12 |           - path_pattern: ["/api/*"]
       |             ^
       |
       = at: listeners[0].rules[0].conditions[0]
       = help: write a separate list item (`-`) for each

    error: unknown key `path`
      --> vestibule.yaml:14:13
       |
    14 |           - path: [/x]
       |             ^^^^
       |
       = at: listeners[0].rules[0].conditions[1].path
       = help: did you mean `path_pattern`?
    "#);
}

#[test]
fn an_empty_item() {
    assert_snapshot!(report("item", &[("    targets: [\"127.0.0.1:3000\"]", "    targets:\n      -\n      - 127.0.0.1:3000")]), @r#"
    error: this item is empty
      --> vestibule.yaml:32:8
       |
    32 |       -
       |        ^
       |
       = at: target_groups.app.targets[0]
       = help: `-` must be followed by a value
    "#);
}

/// A list that text may stand for is one value. The types need the whole of it, so it may not be handed on in part.
#[test]
fn an_invalid_item_of_a_list_that_text_may_stand_for_is_the_only_problem() {
    const DEFAULT: &str = "      - type: authenticate-oidc\n        provider: corp\n      - type: forward";
    let authorize = |claim: &str| {
        let gate = format!(
            "      - type: authorize\n        any: [{{ claim: {claim}, contains: [a] }}]\n      - type: forward"
        );
        (DEFAULT, DEFAULT.replace("      - type: forward", &gate))
    };
    let groups = |claim: &str| {
        let keys = format!(
            "provider: corp\n        allowed_groups: [a]\n        groups_claim: {claim}\n      - type: forward"
        );
        (DEFAULT, DEFAULT.replace("provider: corp\n      - type: forward", &keys))
    };
    let header = |claim: &str| {
        let key = "  signing_key_file: claims-key";
        (key, format!("{key}\n  headers: {{ x-a: {claim} }}"))
    };
    let long = |claim: &str| header(&format!("{{ claim: {claim}, encoding: json }}"));
    for (item, problem) in [
        ("{ b: c }", "expected text, found a mapping"),
        ("[a]", "expected text, found a list"),
        ("5", "expected text, found a whole number"),
        ("true", "expected text, found a boolean"),
        ("~", "this item is empty"),
    ] {
        for list in [format!("[{item}]"), format!("[a, {item}, b]")] {
            for (place, (from, to)) in [
                ("listeners[0].default_actions[1].any[0].claim", authorize(&list)),
                ("listeners[0].default_actions[0].groups_claim", groups(&list)),
                ("claims.headers.x-a", header(&list)),
                ("claims.headers.x-a.claim", long(&list)),
            ] {
                let report = report("items", &[(from, &to)]);
                let said: Vec<_> = report.lines().filter(|line| line.starts_with("error: ")).collect();
                assert_eq!(said, [format!("error: {problem}")], "{report}");
                let index = usize::from(list.starts_with("[a,"));
                assert!(report.contains(&format!("= at: {place}[{index}]")), "{report}");
            }
        }
    }
}
