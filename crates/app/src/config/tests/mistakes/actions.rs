//! Chains of actions.

use insta::assert_snapshot;

use super::report;

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
    error: none of the actions answers the request
      --> vestibule.yaml:19:5
       |
    19 |     default_actions:
       |     ^^^^^^^^^^^^^^^
       |
       = at: listeners[0].default_actions
       = help: the last action must be one of `forward`, `redirect`, `fixed-response`, `static`
    "#);
}

#[test]
fn two_terminals() {
    assert_snapshot!(actions("terminals", "      - { type: forward, target_group: app }\n      - { type: fixed-response, status_code: 200 }\n"), @r#"
    error: `fixed-response` after `forward`, which already answers the request
      --> vestibule.yaml:21:9
       |
    20 |       - { type: forward, target_group: app }
       |         - answers the request
    21 |       - { type: fixed-response, status_code: 200 }
       |         ^
       |
       = at: listeners[0].default_actions[1]
       = help: a rule must have exactly one of `forward`, `redirect`, `fixed-response`, `static`
    "#);
}

#[test]
fn sign_in_after_the_answer_and_twice() {
    assert_snapshot!(actions("order", "      - { type: forward, target_group: app }\n      - { type: authenticate-oidc, provider: corp }\n"), @r#"
    error: `authenticate-oidc` after `forward`, which already answers the request
      --> vestibule.yaml:21:9
       |
    20 |       - { type: forward, target_group: app }
       |         - answers the request
    21 |       - { type: authenticate-oidc, provider: corp }
       |         ^
       |
       = at: listeners[0].default_actions[1]
       = help: put the action that authenticates first
    "#);
    assert_snapshot!(actions("order2", "      - { type: authenticate-oidc, provider: corp }\n      - { type: authenticate-oidc, provider: corp }\n      - { type: forward, target_group: app }\n"), @r#"
    error: a second action that authenticates
      --> vestibule.yaml:21:9
       |
    20 |       - { type: authenticate-oidc, provider: corp }
       |         - the first one
    21 |       - { type: authenticate-oidc, provider: corp }
       |         ^
       |
       = at: listeners[0].default_actions[1]
       = help: a rule has at most one; write two rules with different conditions
    "#);
}

#[test]
fn an_unsound_action_is_not_also_missing() {
    assert_snapshot!(actions("pruned", "      - { type: forward, target: app }\n"), @r#"
    error: unknown key `target`
      --> vestibule.yaml:20:26
       |
    20 |       - { type: forward, target: app }
       |                          ^^^^^^
       |
       = at: listeners[0].default_actions[0].target
       = help: did you mean `target_group`?
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
      --> vestibule.yaml:22:16
       |
    22 |         scope: email  profile
       |                ^^^^^^^^^^^^^^
       |
       = at: listeners[0].default_actions[0].scope
       = help: separate scopes by one space

    error: 8d is out of range: 1s to 7d
      --> vestibule.yaml:23:26
       |
    23 |         session_timeout: 8d
       |                          ^^
       |
       = at: listeners[0].default_actions[0].session_timeout

    error: `my session` is not a cookie name
      --> vestibule.yaml:24:30
       |
    24 |         session_cookie_name: my session
       |                              ^^^^^^^^^^
       |
       = at: listeners[0].default_actions[0].session_cookie_name
       = help: use letters, digits, `-`, `_` and `.`, at most 64 characters

    error: `on_expired_session` is allowed only with `on_unauthenticated_request: deny`
      --> vestibule.yaml:25:29
       |
    25 |         on_expired_session: authenticate
       |                             ^^^^^^^^^^^^
       |
       = at: listeners[0].default_actions[0].on_expired_session
       = help: remove it

    error: 11 parameters; at most 10 are allowed
      --> vestibule.yaml:26:9
       |
    26 | ...   authentication_request_extra_params: { state: x, scope: y, a: "1", b: "1", c: "1", d: "1", e: "1", f: "1", g: "1", h: "1", i: ...
       |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = at: listeners[0].default_actions[0].authentication_request_extra_params

    error: `state` is reserved: the sign-in sets it
      --> vestibule.yaml:26:48
       |
    26 | ...   authentication_request_extra_params: { state: x, scope: y, a: "1", b: "1", c: "1", d: "1", e: "1", f: "1", g: "1", h: "1", i: ...
       |                                              ^^^^^
       |
       = at: listeners[0].default_actions[0].authentication_request_extra_params.state

    error: `scope` is reserved: the sign-in sets it
      --> vestibule.yaml:26:58
       |
    26 | ...   authentication_request_extra_params: { state: x, scope: y, a: "1", b: "1", c: "1", d: "1", e: "1", f: "1", g: "1", h: "1", i: ...
       |                                                        ^^^^^
       |
       = at: listeners[0].default_actions[0].authentication_request_extra_params.scope
       = help: use the `scope` setting of the action
    "#);
}

#[test]
fn scope_without_openid() {
    assert_snapshot!(report("scope", &[("            provider: corp", "            provider: corp\n            scope: email")]), @r#"
    error: `openid` is not among the scopes
      --> vestibule.yaml:16:20
       |
    16 |             scope: email
       |                    ^^^^^
       |
       = at: listeners[0].rules[0].actions[0].scope
       = help: without `openid` the provider sends no ID token, and every sign-in fails
    "#);
}

#[test]
fn redirects() {
    let all = "      - { type: redirect, status_code: HTTP_301 }\n";
    assert_snapshot!(actions("loop", all), @r#"
    error: this redirects to the same URL, in an endless loop
      --> vestibule.yaml:20:9
       |
    20 |       - { type: redirect, status_code: HTTP_301 }
       |         ^
       |
       = at: listeners[0].default_actions[0]
       = help: change at least one of `protocol`, `host`, `port`, `path`
    "#);
    let all = "      - { type: redirect, status_code: HTTP_302, protocol: HTTP, host: \"https://x\", port: 0, path: no, query: \"?a=#{query}\" }\n";
    assert_snapshot!(actions("redirect", all), @r#"
    error: a redirect from HTTPS to HTTP is not allowed
      --> vestibule.yaml:20:60
       |
    20 |       - { type: redirect, status_code: HTTP_302, protocol: HTTP, host: "https://x", port: 0, path: no, query: "?a=#{query}" }
       |                                                            ^^^^
       |
       = at: listeners[0].default_actions[0].protocol

    error: `https://x` is not a host
      --> vestibule.yaml:20:72
       |
    20 |       - { type: redirect, status_code: HTTP_302, protocol: HTTP, host: "https://x", port: 0, path: no, query: "?a=#{query}" }
       |                                                                        ^^^^^^^^^^^
       |
       = at: listeners[0].default_actions[0].host
       = help: write only the host; scheme, port and path have their own settings

    error: `0` is not a port: 1 to 65535, or `#{port}`
      --> vestibule.yaml:20:91
       |
    20 |       - { type: redirect, status_code: HTTP_302, protocol: HTTP, host: "https://x", port: 0, path: no, query: "?a=#{query}" }
       |                                                                                           ^
       |
       = at: listeners[0].default_actions[0].port

    error: `no` is not a path
      --> vestibule.yaml:20:100
       |
    20 |       - { type: redirect, status_code: HTTP_302, protocol: HTTP, host: "https://x", port: 0, path: no, query: "?a=#{query}" }
       |                                                                                                    ^^
       |
       = at: listeners[0].default_actions[0].path
       = help: begin with one `/`, percent-encode non-ASCII characters, and use `query` for the query

    error: `?a=#{query}` is not a query
      --> vestibule.yaml:20:111
       |
    20 |       - { type: redirect, status_code: HTTP_302, protocol: HTTP, host: "https://x", port: 0, path: no, query: "?a=#{query}" }
       |                                                                                                               ^^^^^^^^^^^^^
       |
       = at: listeners[0].default_actions[0].query
       = help: remove the question mark, and percent-encode non-ASCII characters
    "#);
    let all = "      - { type: redirect, status_code: HTTP_308, path: \"/#{pat}\" }\n";
    assert_snapshot!(actions("redirect2", all), @r#"
    error: unknown value `HTTP_308`
      --> vestibule.yaml:20:40
       |
    20 |       - { type: redirect, status_code: HTTP_308, path: "/#{pat}" }
       |                                        ^^^^^^^^
       |
       = at: listeners[0].default_actions[0].status_code
       = help: did you mean `HTTP_301`?
    "#);
    let all = "      - { type: redirect, status_code: HTTP_302, path: \"/#{pat}\" }\n";
    assert_snapshot!(actions("redirect3", all), @r#"
    error: unknown placeholder `#{pat}`
      --> vestibule.yaml:20:56
       |
    20 |       - { type: redirect, status_code: HTTP_302, path: "/#{pat}" }
       |                                                        ^^^^^^^^^
       |
       = at: listeners[0].default_actions[0].path
       = help: allowed here: `#{host}`, `#{port}`, `#{path}`
    "#);
    let all = "      - { type: redirect, status_code: HTTP_302, host: \"#{path}.example.com\" }\n";
    assert_snapshot!(actions("redirect4", all), @r##"
    error: `#{path}` is not allowed in the host
      --> vestibule.yaml:20:56
       |
    20 |       - { type: redirect, status_code: HTTP_302, host: "#{path}.example.com" }
       |                                                        ^^^^^^^^^^^^^^^^^^^^^
       |
       = at: listeners[0].default_actions[0].host
       = help: allowed here: `#{host}`
    "##);
    let all =
        "      - { type: redirect, status_code: HTTP_302, path: \"//evil.example.com/#{path\", protocol: https }\n";
    assert_snapshot!(actions("redirect5", all), @r#"
    error: a placeholder is not closed by `}`
      --> vestibule.yaml:20:56
       |
    20 |       - { type: redirect, status_code: HTTP_302, path: "//evil.example.com/#{path", protocol: https }
       |                                                        ^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = at: listeners[0].default_actions[0].path
       = help: allowed here: `#{host}`, `#{port}`, `#{path}`

    error: `https` is not a protocol
      --> vestibule.yaml:20:95
       |
    20 |       - { type: redirect, status_code: HTTP_302, path: "//evil.example.com/#{path", protocol: https }
       |                                                                                               ^^^^^
       |
       = at: listeners[0].default_actions[0].protocol
       = help: did you mean `HTTPS`?
    "#);
}

#[test]
fn fixed_responses() {
    let all = "      - { type: fixed-response, status_code: 302, content_type: text/markdown }\n";
    assert_snapshot!(actions("fixed", all), @r#"
    error: status code 302 is not allowed in a fixed response: use 200 to 299, or 400 to 599
      --> vestibule.yaml:20:46
       |
    20 |       - { type: fixed-response, status_code: 302, content_type: text/markdown }
       |                                              ^^^
       |
       = at: listeners[0].default_actions[0].status_code
       = help: use `redirect` for a redirect

    error: content type `text/markdown` is not allowed in a fixed response
      --> vestibule.yaml:20:65
       |
    20 |       - { type: fixed-response, status_code: 302, content_type: text/markdown }
       |                                                                 ^^^^^^^^^^^^^
       |
       = at: listeners[0].default_actions[0].content_type
       = help: expected one of `text/plain`, `text/css`, `text/html`, `application/javascript` or `application/json`
    "#);
    let body = format!("      - {{ type: fixed-response, status_code: 200, body: {} }}\n", "x".repeat(1025));
    assert_snapshot!(actions("fixed2", &body), @r#"
    error: the body has 1025 bytes; at most 1024 are allowed
      --> vestibule.yaml:20:57
       |
    20 | ...y: xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx...xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx }
       |       ^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^...^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^^
       |
       = at: listeners[0].default_actions[0].body
    "#);
    let all = "      - { type: fixed-response, status_code: 204, body: x, message_body: x }\n";
    assert_snapshot!(actions("fixed3", all), @r#"
    error: both `body` and `message_body` are set
      --> vestibule.yaml:20:74
       |
    20 |       - { type: fixed-response, status_code: 204, body: x, message_body: x }
       |                                                         - the other one  ^
       |
       = at: listeners[0].default_actions[0].message_body
       = help: they are the same setting; keep one
    "#);
    let all = "      - { type: fixed-response, status_code: 204, body: x }\n";
    assert_snapshot!(actions("fixed4", all), @r#"
    error: a response with status 204 cannot have a body
      --> vestibule.yaml:20:57
       |
    20 |       - { type: fixed-response, status_code: 204, body: x }
       |                                                         ^
       |
       = at: listeners[0].default_actions[0].body
    "#);
}
