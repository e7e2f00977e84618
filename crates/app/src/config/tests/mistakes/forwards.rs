//! `forward` to several groups, and `transforms`.

use insta::assert_snapshot;

use super::{report, warnings};

const TO: &str = "          - type: forward\n            target_group: app\n";
const GROUPS: &str = "\ntarget_groups:\n";
/// Two more groups: one like `app`, one with another protocol and a stickiness of its own.
const MORE: &str = "\ntarget_groups:\n  green:\n    targets: [\"127.0.0.1:3001\"]\n  sticky:\n    targets: [\"127.0.0.1:3002\"]\n    \
                    protocol_version: http2\n    stickiness: { type: lb_cookie }\n";

#[track_caller]
fn forward(name: &str, settings: &str) -> String {
    report(name, &[(TO, &format!("          - type: forward\n            {settings}\n")), (GROUPS, MORE)])
}

#[test]
fn a_forward_to_no_group_or_to_two_lists() {
    assert_snapshot!(forward("neither", "preserve_host_header: true"), @r"
    error: `target_group` is missing
      --> vestibule.yaml:17:13
       |
    17 |           - type: forward
       |             ^
       |
       = at: listeners[0].rules[0].actions[1]
       = help: the name of an entry in `target_groups`; or `target_groups: [{ target_group: NAME, weight: 1 }]`
    ");
    assert_snapshot!(forward("both", "target_group: app\n            target_groups: [{ target_group: green }]"), @r"
    error: both `target_group` and `target_groups` are set
      --> vestibule.yaml:19:13
       |
    18 |             target_group: app
       |                           --- the other one
    19 |             target_groups: [{ target_group: green }]
       |             ^^^^^^^^^^^^^
       |
       = at: listeners[0].rules[0].actions[1].target_groups
       = help: put all groups into `target_groups`
    ");
    assert_snapshot!(forward("none", "target_groups: []"), @r"
    error: a `forward` has 1 to 5 target groups; this one has 0
      --> vestibule.yaml:18:13
       |
    18 |             target_groups: []
       |             ^^^^^^^^^^^^^
       |
       = at: listeners[0].rules[0].actions[1].target_groups
    ");
}

#[test]
fn groups_that_are_wrong() {
    let groups = "target_groups: [{ target_group: app, weight: 1000 }, { target_group: gren }, { target_group: green }, { target_group: green }, { weight: 1 }]";
    assert_snapshot!(forward("groups", groups), @r"
    error: 1000 is out of range: 0 to 999
      --> vestibule.yaml:18:58
       |
    18 | ...   target_groups: [{ target_group: app, weight: 1000 }, { target_group: gren }, { target_group: green }, { target_group: green },...
       |                                                    ^^^^
       |
       = at: listeners[0].rules[0].actions[1].target_groups[0].weight

    error: there is no target group `gren`
      --> vestibule.yaml:18:82
       |
    18 | ...   target_groups: [{ target_group: app, weight: 1000 }, { target_group: gren }, { target_group: green }, { target_group: green },...
       |                                                                            ^^^^
       |
       = at: listeners[0].rules[0].actions[1].target_groups[1].target_group
       = help: did you mean `green`?

    error: the target group `green` is there twice
      --> vestibule.yaml:18:131
       |
    18 | ...   target_groups: [{ target_group: app, weight: 1000 }, { target_group: gren }, { target_group: green }, { target_group: green },...
       |                                                                                                    ----- first used here    ^^^^^
       |
       = at: listeners[0].rules[0].actions[1].target_groups[3].target_group
       = help: write it once, with the sum of the weights

    error: `target_group` is missing
      --> vestibule.yaml:18:140
       |
    18 | ...roup: gren }, { target_group: green }, { target_group: green }, { weight: 1 }]
       |                                                                    ^
       |
       = at: listeners[0].rules[0].actions[1].target_groups[4]
       = help: The name of an entry in `target_groups`
    ");
    let zero = "target_groups: [{ target_group: app, weight: 0 }, { target_group: green, weight: 0 }]";
    assert_snapshot!(forward("zero", zero), @r"
    error: every weight is 0, so no group would get a request
      --> vestibule.yaml:18:13
       |
    18 |             target_groups: [{ target_group: app, weight: 0 }, { target_group: green, weight: 0 }]
       |             ^^^^^^^^^^^^^
       |
       = at: listeners[0].rules[0].actions[1].target_groups
       = help: give one group a weight of at least 1; `fixed-response` answers without a target
    ");
}

#[test]
fn groups_that_do_not_fit_together() {
    assert_snapshot!(forward("together", "target_groups: [{ target_group: app }, { target_group: sticky }]"), @r"
    error: `sticky` has another `protocol_version` than `app`
      --> vestibule.yaml:18:68
       |
    18 |             target_groups: [{ target_group: app }, { target_group: sticky }]
       |                                             --- the other group    ^^^^^^
       |
       = at: listeners[0].rules[0].actions[1].target_groups[1].target_group
       = help: set the same `protocol_version` at all of these groups: a client that can use one of them must be able to use all

    error: `sticky` has `stickiness`, and this `forward` to several groups has none
      --> vestibule.yaml:18:68
       |
    18 |             target_groups: [{ target_group: app }, { target_group: sticky }]
       |                                                                    ^^^^^^
       |
       = at: listeners[0].rules[0].actions[1].target_groups[1].target_group
       = help: a browser that is sent to another group loses its target: add `stickiness: { duration: 1h }` to the `forward`
    ");
    let duration =
        "target_groups: [{ target_group: app }, { target_group: green }]\n            stickiness: { duration: 8d }";
    assert_snapshot!(forward("duration", duration), @r"
    error: 8d is out of range: 1s to 7d
      --> vestibule.yaml:19:37
       |
    19 |             stickiness: { duration: 8d }
       |                                     ^^
       |
       = at: listeners[0].rules[0].actions[1].stickiness.duration
    ");
}

#[test]
fn stickiness_of_groups_without_keys() {
    let several = "          - type: forward\n            target_groups: [{ target_group: app }, { target_group: green }]\n            stickiness: { duration: 1h }\n";
    let sign_in = "          - type: authenticate-oidc\n            provider: corp\n            on_unauthenticated_request: deny\n";
    let changes = [
        (TO, several),
        (GROUPS, MORE),
        (sign_in, ""),
        ("      - type: authenticate-oidc\n        provider: corp\n", ""),
        ("session:\n  key_files: [session-key]\n", ""),
        ("    stickiness: { type: lb_cookie }\n", ""),
    ];
    assert_snapshot!(report("keys", &changes), @r"
    error: `session` is missing: a `forward` has `stickiness`
     --> vestibule.yaml:1:1
      |
    1 | listeners:
      | ^
      |
      = at: session
      = help: add `session: { key_files: [FILE] }`; `vestibule keys session --out FILE` creates the file
    ");
}

#[test]
fn stickiness_of_one_group() {
    let one = format!("{TO}            stickiness: {{ duration: 1h }}\n");
    assert_snapshot!(warnings("one", &[(TO, &one)]), @r"
    warning: `stickiness` of a `forward` to one target group has no effect
      --> vestibule.yaml:19:13
       |
    19 |             stickiness: { duration: 1h }
       |             ^^^^^^^^^^
       |
       = at: listeners[0].rules[0].actions[1].stickiness
       = help: remove it; `stickiness` of the target group keeps a browser at one target
    ");
}

#[track_caller]
fn transforms(name: &str, transforms: &str) -> String {
    let at = "        actions:\n          - type: authenticate-oidc\n";
    report(name, &[(at, &format!("        transforms:\n{transforms}{at}"))])
}

#[test]
fn transforms_that_are_wrong() {
    let wrong = "          host_header_rewrite: { regex: \"^(.*)$\", replace: \"$1.internal/x\" }\n          url_rewrite: { regex: \"^/api/(.*$\", replace: \"/$1\" }\n";
    assert_snapshot!(transforms("wrong", wrong), @r#"
    error: '/' cannot be in a host
      --> vestibule.yaml:14:60
       |
    14 |           host_header_rewrite: { regex: "^(.*)$", replace: "$1.internal/x" }
       |                                                            ^^^^^^^^^^^^^^^
       |
       = at: listeners[0].rules[0].transforms.host_header_rewrite.replace

    error: `^/api/(.*$` is not a regular expression: unclosed group (character 7)
      --> vestibule.yaml:15:33
       |
    15 |           url_rewrite: { regex: "^/api/(.*$", replace: "/$1" }
       |                                 ^^^^^^^^^^^^
       |
       = at: listeners[0].rules[0].transforms.url_rewrite.regex
    "#);
    let group = "          host_header_rewrite: { regex: \"^a(b)$\", replace: \"$2.internal\" }\n          url_rewrite: { regex: \"^/api/(.*)$\", replace: \"/$a\" }\n";
    assert_snapshot!(transforms("group", group), @r#"
    error: there is no group 2: the regular expression has 1
      --> vestibule.yaml:14:60
       |
    14 |           host_header_rewrite: { regex: "^a(b)$", replace: "$2.internal" }
       |                                                            ^^^^^^^^^^^^^
       |
       = at: listeners[0].rules[0].transforms.host_header_rewrite.replace
       = help: `$1` to `$9` and `${10}` are groups `(…)` of `regex`, `$0` is the whole match, `$$` a dollar

    error: `$` must be followed by a digit, by a number in braces, or by another `$`
      --> vestibule.yaml:15:57
       |
    15 |           url_rewrite: { regex: "^/api/(.*)$", replace: "/$a" }
       |                                                         ^^^^^
       |
       = at: listeners[0].rules[0].transforms.url_rewrite.replace
       = help: `$1` to `$9` and `${10}` are groups `(…)` of `regex`, `$0` is the whole match, `$$` a dollar
    "#);
    let path = "          url_rewrite: { regex: \"^/api/(.*)$\", replace: \"my docs/$1\" }\n";
    assert_snapshot!(transforms("blank", path), @r#"
    error: ' ' cannot be in a path or query
      --> vestibule.yaml:14:57
       |
    14 |           url_rewrite: { regex: "^/api/(.*)$", replace: "my docs/$1" }
       |                                                         ^^^^^^^^^^^^
       |
       = at: listeners[0].rules[0].transforms.url_rewrite.replace
       = help: write it percent-encoded, as in `/my%20docs/`
    "#);
    let path = "          url_rewrite: { regex: \"^/api/(.*)$\", replace: \"docs/$1\" }\n";
    assert_snapshot!(transforms("slash", path), @r#"
    error: the result must begin with `/`
      --> vestibule.yaml:14:57
       |
    14 |           url_rewrite: { regex: "^/api/(.*)$", replace: "docs/$1" }
       |                                                         ^^^^^^^^^
       |
       = at: listeners[0].rules[0].transforms.url_rewrite.replace
       = help: begin with a slash, or with a group that does
    "#);
    let long =
        format!("          url_rewrite: {{ regex: \"^/(a{{100}}){{100}}$\", replace: \"/{}\" }}\n", "a".repeat(1024));
    assert_snapshot!(transforms("long", &long).replace(&"a".repeat(1000), "…"), @r#"
    error: 1025 characters; at most 1024 are allowed
      --> vestibule.yaml:14:62
       |
    14 | ...e: "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa...aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa" }
       |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^...^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = at: listeners[0].rules[0].transforms.url_rewrite.replace
    "#);
    let large = "          url_rewrite: { regex: \"^/((a{100}){100}){100}$\", replace: \"/\" }\n";
    assert_snapshot!(transforms("large", large), @r#"
    error: the regular expression `^/((a{100}){100}){100}$` needs more than 64 KB
      --> vestibule.yaml:14:33
       |
    14 |           url_rewrite: { regex: "^/((a{100}){100}){100}$", replace: "/" }
       |                                 ^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = at: listeners[0].rules[0].transforms.url_rewrite.regex
    "#);
}

#[test]
fn transforms_without_a_forward() {
    let rules = "    rules:\n      - priority: 1\n        conditions: [{ path_pattern: [/x] }]\n        transforms: { url_rewrite: { regex: x, replace: y } }\n        actions: [{ type: fixed-response, status_code: 200 }]\n";
    assert_snapshot!(warnings("fixed", &[("    rules:\n", rules)]), @r"
    warning: `transforms` change what a target receives, and this rule has no `forward`
      --> vestibule.yaml:11:9
       |
    11 |         transforms: { url_rewrite: { regex: x, replace: y } }
       |         ^^^^^^^^^^
       |
       = at: listeners[0].rules[0].transforms
       = help: remove them; a `redirect` says itself where it leads to, and a `static` has `path_prefix`
    ");
}
