//! Names: resolving, unique, sound.

use insta::assert_snapshot;

use super::report;

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
      --> vestibule.yaml:15:23
       |
    15 |             provider: crop
       |                       ^^^^
       |
       = at: listeners[0].rules[0].actions[0].provider
       = help: did you mean `corp`?

    error: there is no target group `backend`
      --> vestibule.yaml:18:27
       |
    18 |             target_group: backend
       |                           ^^^^^^^
       |
       = at: listeners[0].rules[0].actions[1].target_group
       = help: expected `app`

    error: there is no user pool `people`
      --> vestibule.yaml:21:20
       |
    21 |         user_pool: people
       |                    ^^^^^^
       |
       = at: listeners[0].default_actions[0].user_pool
       = help: define it in `user_pools`
    "#);
}

#[test]
fn of_unsound_entries_still_resolve() {
    assert_snapshot!(report("unsound", &[("issuer: https://login.example.com", "issuer: [x]")]), @r#"
    error: expected text, found a list
      --> vestibule.yaml:26:5
       |
    26 |     issuer: […
       |     ^^^^^^
       |
       = at: identity_providers.corp.issuer
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
    error: the rule name `api` is already used in this listener
      --> vestibule.yaml:13:15
       |
     9 |       - name: api
       |               --- first used here
    ...
    13 |       - name: api
       |               ^^^
       |
       = at: listeners[0].rules[1].name

    error: the priority 10 is already used by `api`
      --> vestibule.yaml:14:19
       |
    10 |         priority: 10
       |                   -- first used here
    ...
    14 |         priority: 10
       |                   ^^
       |
       = at: listeners[0].rules[1].priority
       = help: priorities must be unique within a listener

    error: the listener name `public` is already used
      --> vestibule.yaml:28:13
       |
     2 |   - name: public
       |           ------ first used here
    ...
    28 |   - { name: public, address: "127.0.0.1:8443", protocol: http, default_actions: [{ type: forward, target_group: app }] }
       |             ^^^^^^
       |
       = at: listeners[1].name

    error: the listener `public` uses the same port
      --> vestibule.yaml:28:30
       |
     3 |     address: 0.0.0.0:8443
       |              ------------ first used here
    ...
    28 |   - { name: public, address: "127.0.0.1:8443", protocol: http, default_actions: [{ type: forward, target_group: app }] }
       |                              ^^^^^^^^^^^^^^^^
       |
       = at: listeners[1].address
    "#);
}

#[test]
fn that_cannot_stand_in_a_log() {
    assert_snapshot!(report("characters", &[("- name: public", "- name: the public one")]), @r#"
    error: `the public one` is not a valid name
     --> vestibule.yaml:2:11
      |
    2 |   - name: the public one
      |           ^^^^^^^^^^^^^^
      |
      = at: listeners[0].name
      = help: use letters, digits, `-`, `_` and `.`, at most 64 characters
    "#);
}

#[test]
fn a_rule_cannot_be_called_what_stands_for_no_rule() {
    for name in ["default", "none"] {
        let text = report("placeholder-rule", &[("- name: api", &format!("- name: {name}"))]);
        assert!(text.contains(&format!("the name `{name}` is reserved in logs and metrics")), "{text}");
    }
}
