//! `listeners[].rules` and their conditions.

use insta::assert_snapshot;

use super::{report, warnings};

/// The conditions of the one rule.
#[track_caller]
fn conditions(name: &str, conditions: &str) -> String {
    report(name, &[("          - path_pattern: [\"/api/*\"]\n", conditions)])
}

#[test]
fn a_priority_twice() {
    let rule = "      - priority: 10\n        conditions: [{ path_pattern: [/x] }]\n        actions: [{ type: forward, target_group: app }]\n";
    assert_snapshot!(report("priority", &[("    rules:\n", &format!("    rules:\n{rule}"))]), @r#"
    error: the priority 10 is already used by `priority-10`
      --> vestibule.yaml:13:19
       |
     9 |       - priority: 10
       |                   -- first used here
    ...
    13 |         priority: 10
       |                   ^^
       |
       = at: listeners[0].rules[1].priority
       = help: priorities must be unique within a listener
    "#);
}

#[test]
fn no_condition() {
    assert_snapshot!(report("unconditional", &[("        conditions:\n          - path_pattern: [\"/api/*\"]\n", "        conditions: []\n")]), @r#"
    error: a rule needs at least one condition
      --> vestibule.yaml:11:9
       |
    11 |         conditions: []
       |         ^^^^^^^^^^
       |
       = at: listeners[0].rules[0].conditions
       = help: use `default_actions` for requests that match no rule
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
      --> vestibule.yaml:12:27
       |
    12 |           - host_header: ["https://app.example.com", app.example.com:8443, ok.example.com]
       |                           ^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = at: listeners[0].rules[0].conditions[0].host_header[0]

    error: `app.example.com:8443` is not a host: letters, digits, `-`, `.`, `*` and `?` only, without scheme, port or path
      --> vestibule.yaml:12:54
       |
    12 |           - host_header: ["https://app.example.com", app.example.com:8443, ok.example.com]
       |                                                      ^^^^^^^^^^^^^^^^^^^^
       |
       = at: listeners[0].rules[0].conditions[0].host_header[1]

    error: `api/*` can match no path: a path begins with `/`
      --> vestibule.yaml:13:28
       |
    13 |           - path_pattern: [api/*, /a//b, /a/../b, /a%20b]
       |                            ^^^^^
       |
       = at: listeners[0].rules[0].conditions[1].path_pattern[0]

    error: `/a//b` can match no path: empty segments are merged before rules are matched
      --> vestibule.yaml:13:35
       |
    13 |           - path_pattern: [api/*, /a//b, /a/../b, /a%20b]
       |                                   ^^^^^
       |
       = at: listeners[0].rules[0].conditions[1].path_pattern[1]

    error: `/a/../b` can match no path: dot segments are refused before rules are matched
      --> vestibule.yaml:13:42
       |
    13 |           - path_pattern: [api/*, /a//b, /a/../b, /a%20b]
       |                                          ^^^^^^^
       |
       = at: listeners[0].rules[0].conditions[1].path_pattern[2]

    error: `/a%20b` can match no path: write it decoded, as in `/my docs/*`; only an encoded slash stays `%2F`
      --> vestibule.yaml:13:51
       |
    13 |           - path_pattern: [api/*, /a//b, /a/../b, /a%20b]
       |                                                   ^^^^^^
       |
       = at: listeners[0].rules[0].conditions[1].path_pattern[3]

    error: `get` is not a method that passes
      --> vestibule.yaml:14:35
       |
    14 |           - http_request_method: [get, "GET POST"]
       |                                   ^^^
       |
       = at: listeners[0].rules[0].conditions[2].http_request_method[0]
       = help: did you mean `GET`?

    error: `GET POST` is not a method that passes
      --> vestibule.yaml:14:40
       |
    14 |           - http_request_method: [get, "GET POST"]
       |                                        ^^^^^^^^^^
       |
       = at: listeners[0].rules[0].conditions[2].http_request_method[1]

    error: `10.0.0.1` is not a network
      --> vestibule.yaml:15:25
       |
    15 |           - source_ip: [10.0.0.1]
       |                         ^^^^^^^^
       |
       = at: listeners[0].rules[0].conditions[3].source_ip[0]
       = help: write `10.0.0.1/32`

    error: the host has a condition of its own: `host_header`
      --> vestibule.yaml:16:34
       |
    16 |           - http_header: { name: Host, values: [x] }
       |                                  ^^^^
       |
       = at: listeners[0].rules[0].conditions[4].http_header.name
       = help: use the condition `host_header`: `- host_header: [app.example.com]`

    error: `a b` is not a header name
      --> vestibule.yaml:17:34
       |
    17 |           - http_header: { name: "a b", values: [x] }
       |                                  ^^^^^
       |
       = at: listeners[0].rules[0].conditions[5].http_header.name

    error: the header `x-amzn-oidc-identity` is removed before rules are evaluated
      --> vestibule.yaml:18:34
       |
    18 |           - http_header: { name: X-Amzn-Oidc-Identity, values: [x] }
       |                                  ^^^^^^^^^^^^^^^^^^^^
       |
       = at: listeners[0].rules[0].conditions[6].http_header.name
       = help: clients may not set this header, so the condition could never match

    error: needs at least one value
      --> vestibule.yaml:19:42
       |
    19 |           - http_header: { name: accept, values: [] }
       |                                          ^^^^^^
       |
       = at: listeners[0].rules[0].conditions[7].http_header.values

    error: needs at least one value
      --> vestibule.yaml:20:13
       |
    20 |           - query_string: []
       |             ^^^^^^^^^^^^
       |
       = at: listeners[0].rules[0].conditions[8].query_string
    "#);
}

#[test]
fn a_condition_twice() {
    assert_snapshot!(conditions("doubled", "          - path_pattern: [/a]\n          - path_pattern: [/b]\n"), @r#"
    error: a second `path_pattern` in one rule
      --> vestibule.yaml:13:13
       |
    12 |           - path_pattern: [/a]
       |             ------------ the first one
    13 |           - path_pattern: [/b]
       |             ^
       |
       = at: listeners[0].rules[0].conditions[1]
       = help: all conditions must match; put alternatives into the values of one condition
    "#);
}

#[test]
fn headers_that_no_client_may_set() {
    let changes = [
        (
            "          - path_pattern: [\"/api/*\"]\n",
            "          - http_header: { name: X-Team, values: [x] }\n          - http_header: { name: x-forwarded-proto, values: [https] }\n          - http_header: { name: X_Kind, values: [x] }\n",
        ),
        ("  signing_key_file: claims-key\n", "  signing_key_file: claims-key\n  headers: { x-team: team }\n"),
    ];
    assert_snapshot!(report("protected", &changes), @r#"
    error: the header `x-team` is removed before rules are evaluated
      --> vestibule.yaml:12:34
       |
    12 |           - http_header: { name: X-Team, values: [x] }
       |                                  ^^^^^^
       |
       = at: listeners[0].rules[0].conditions[0].http_header.name
       = help: clients may not set this header, so the condition could never match

    error: the header `x-forwarded-proto` is removed before rules are evaluated
      --> vestibule.yaml:13:34
       |
    13 |           - http_header: { name: x-forwarded-proto, values: [https] }
       |                                  ^^^^^^^^^^^^^^^^^
       |
       = at: listeners[0].rules[0].conditions[1].http_header.name
       = help: clients may not set this header, so the condition could never match

    error: the header `x_kind` is removed before rules are evaluated
      --> vestibule.yaml:14:34
       |
    14 |           - http_header: { name: X_Kind, values: [x] }
       |                                  ^^^^^^
       |
       = at: listeners[0].rules[0].conditions[2].http_header.name
       = help: clients may not set this header, so the condition could never match
    "#);
}

#[test]
fn paths_that_no_request_has() {
    let all =
        "          - path_pattern: [\"/app;v=1/*\", 'C:\\admin', '/admin\\users', '/a\\\\b', \"/x\\n\", '/a\\*b']\n";
    assert_snapshot!(conditions("paths", all), @r#"
    error: `/app;v=1/*` can match no path: path parameters (`;…`) are left out before rules are matched
      --> vestibule.yaml:12:28
       |
    12 |           - path_pattern: ["/app;v=1/*", 'C:\admin', '/admin\users', '/a\\b', "/x\n", '/a\*b']
       |                            ^^^^^^^^^^^^
       |
       = at: listeners[0].rules[0].conditions[0].path_pattern[0]
       = help: end the pattern before the `;`; to match an encoded `;` (`%3B`), write `?`

    error: `C:\admin` can match no path: a path begins with `/`
      --> vestibule.yaml:12:42
       |
    12 |           - path_pattern: ["/app;v=1/*", 'C:\admin', '/admin\users', '/a\\b', "/x\n", '/a\*b']
       |                                          ^^^^^^^^^^
       |
       = at: listeners[0].rules[0].conditions[0].path_pattern[1]

    error: `/admin\users` can match no path: a backslash is refused before rules are matched
      --> vestibule.yaml:12:54
       |
    12 |           - path_pattern: ["/app;v=1/*", 'C:\admin', '/admin\users', '/a\\b', "/x\n", '/a\*b']
       |                                                      ^^^^^^^^^^^^^^
       |
       = at: listeners[0].rules[0].conditions[0].path_pattern[2]

    error: `/a\\b` can match no path: a backslash is refused before rules are matched
      --> vestibule.yaml:12:70
       |
    12 |           - path_pattern: ["/app;v=1/*", 'C:\admin', '/admin\users', '/a\\b', "/x\n", '/a\*b']
       |                                                                      ^^^^^^^
       |
       = at: listeners[0].rules[0].conditions[0].path_pattern[3]

    error: `/x�` can match no path: control characters are refused before rules are matched
      --> vestibule.yaml:12:79
       |
    12 |           - path_pattern: ["/app;v=1/*", 'C:\admin', '/admin\users', '/a\\b', "/x\n", '/a\*b']
       |                                                                               ^^^^^^
       |
       = at: listeners[0].rules[0].conditions[0].path_pattern[4]
    "#);
}

#[test]
fn a_query_in_a_path() {
    let all = "          - path_pattern: [\"/search?q=*\", '/search\\?admin=1', \"/file?\", \"/a=?\"]\n";
    assert_snapshot!(warnings("query", &[("          - path_pattern: [\"/api/*\"]\n", all)]), @r#"
    warning: `/search?q=*` is compared with the path, which does not include the query
      --> vestibule.yaml:12:28
       |
    12 |           - path_pattern: ["/search?q=*", '/search\?admin=1', "/file?", "/a=?"]
       |                            ^^^^^^^^^^^^^
       |
       = at: listeners[0].rules[0].conditions[0].path_pattern[0]
       = help: `?` matches one character of the path; use `query_string` for the query

    warning: `/search\?admin=1` is compared with the path, which does not include the query
      --> vestibule.yaml:12:43
       |
    12 |           - path_pattern: ["/search?q=*", '/search\?admin=1', "/file?", "/a=?"]
       |                                           ^^^^^^^^^^^^^^^^^^
       |
       = at: listeners[0].rules[0].conditions[0].path_pattern[1]
       = help: `?` matches one character of the path; use `query_string` for the query
    "#);
}

#[test]
fn regular_expressions_that_are_none() {
    let all = "          - host_header: { regex_values: [\"app.example.com:8443\", \"^(app$\"] }
          - path_pattern: { regex_values: [\"api/.*\", \"^/a//b$\", \"^/(?!admin).*$\", \"^.*a.{24}b$\"] }
          - http_header: { name: accept, values: [x], regex_values: [x] }
          - http_header: { name: accept }
";
    assert_snapshot!(conditions("regex", all), @r#"
    error: `app.example.com:8443` can match no host: a host has letters, digits, `-` and `.`, and no scheme, port, path or dot at its end
      --> vestibule.yaml:12:43
       |
    12 |           - host_header: { regex_values: ["app.example.com:8443", "^(app$"] }
       |                                           ^^^^^^^^^^^^^^^^^^^^^^
       |
       = at: listeners[0].rules[0].conditions[0].host_header.regex_values[0]

    error: `^(app$` is not a regular expression: unclosed group (character 2)
      --> vestibule.yaml:12:67
       |
    12 |           - host_header: { regex_values: ["app.example.com:8443", "^(app$"] }
       |                                                                   ^^^^^^^^
       |
       = at: listeners[0].rules[0].conditions[0].host_header.regex_values[1]

    error: `api/.*` can match no path: a path begins with `/`
      --> vestibule.yaml:13:44
       |
    13 |           - path_pattern: { regex_values: ["api/.*", "^/a//b$", "^/(?!admin).*$", "^.*a.{24}b$"] }
       |                                            ^^^^^^^^
       |
       = at: listeners[0].rules[0].conditions[1].path_pattern.regex_values[0]

    error: `^/a//b$` can match no path: empty segments are merged before rules are matched
      --> vestibule.yaml:13:54
       |
    13 |           - path_pattern: { regex_values: ["api/.*", "^/a//b$", "^/(?!admin).*$", "^.*a.{24}b$"] }
       |                                                      ^^^^^^^^^
       |
       = at: listeners[0].rules[0].conditions[1].path_pattern.regex_values[1]

    error: `^/(?!admin).*$` is not a regular expression: look-ahead and look-behind are not supported (character 3); write a rule with a lower `priority` number for what must not match
      --> vestibule.yaml:13:65
       |
    13 |           - path_pattern: { regex_values: ["api/.*", "^/a//b$", "^/(?!admin).*$", "^.*a.{24}b$"] }
       |                                                                 ^^^^^^^^^^^^^^^^
       |
       = at: listeners[0].rules[0].conditions[1].path_pattern.regex_values[2]

    error: the regular expression `^.*a.{24}b$` needs a table of more than 256 KB
      --> vestibule.yaml:13:83
       |
    13 |           - path_pattern: { regex_values: ["api/.*", "^/a//b$", "^/(?!admin).*$", "^.*a.{24}b$"] }
       |                                                                                   ^^^^^^^^^^^^^
       |
       = at: listeners[0].rules[0].conditions[1].path_pattern.regex_values[3]

    error: both `values` and `regex_values` are set
      --> vestibule.yaml:14:55
       |
    14 |           - http_header: { name: accept, values: [x], regex_values: [x] }
       |                                          ------       ^^^^^^^^^^^^
       |                                          |
       |                                          the other one
       |
       = at: listeners[0].rules[0].conditions[2].http_header.regex_values
       = help: write two rules, or all values as regular expressions

    error: `values` is missing
      --> vestibule.yaml:15:13
       |
    15 |           - http_header: { name: accept }
       |             ^^^^^^^^^^^
       |
       = at: listeners[0].rules[0].conditions[3].http_header
       = help: `values` has the allowed values; `regex_values` has regular expressions in place of them
    "#);
    assert_snapshot!(conditions("regex-shape", "          - path_pattern: { regex: [\"^/a$\"] }\n          - host_header: { regex_values: [] }\n          - host_header: app\n"), @r#"
    error: unknown key `regex`
      --> vestibule.yaml:12:29
       |
    12 |           - path_pattern: { regex: ["^/a$"] }
       |                             ^^^^^
       |
       = at: listeners[0].rules[0].conditions[0].path_pattern.regex
       = help: did you mean `regex_values`?

    error: needs at least one value
      --> vestibule.yaml:13:28
       |
    13 |           - host_header: { regex_values: [] }
       |                            ^^^^^^^^^^^^
       |
       = at: listeners[0].rules[0].conditions[1].host_header.regex_values

    error: expected a list or a mapping, found text
      --> vestibule.yaml:14:26
       |
    14 |           - host_header: app
       |                          ^^^
       |
       = at: listeners[0].rules[0].conditions[2].host_header
       = help: write a list: `[a]`, `[a, b]`
    "#);
}

#[test]
fn a_regular_expression_that_may_be_meant_for_a_part() {
    assert_snapshot!(warnings("part", &[("[\"/api/*\"]", "{ regex_values: [\"/api/.*\", \"^/api$\"] }")]), @r#"
    warning: `/api/.*` is compared with the whole path
      --> vestibule.yaml:12:44
       |
    12 |           - path_pattern: { regex_values: ["/api/.*", "^/api$"] }
       |                                            ^^^^^^^^^
       |
       = at: listeners[0].rules[0].conditions[0].path_pattern.regex_values[0]
       = help: write `^` before it and `$` behind it to say so; write `.*` where any text may stand
    "#);
}
