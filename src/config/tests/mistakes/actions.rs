//! Chains of actions.

use insta::assert_snapshot;

use super::{report, warnings};

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

#[test]
fn a_session_that_opens_more_than_it_was_begun_for() {
    let gate = "            provider: corp\n            on_unauthenticated_request: deny\n";
    let begins = gate.replace(": deny", ": authenticate");
    let stronger =
        "            scope: openid admin\n            authentication_request_extra_params: { prompt: login }\n";
    let default = "      - type: authenticate-oidc\n        provider: corp\n";
    assert_snapshot!(warnings("shared", &[(gate, &format!("{begins}{stronger}"))]), @r#"
    warning: a session that began at listeners[0].default_actions[0] opens this too, and was not asked for the scope `admin`
      --> vestibule.yaml:14:13 at listeners[0].rules[0].actions[0]
       |
    14 |           - type: authenticate-oidc
       |             ^
       = ask for the same at both, or give one of them another `session_cookie_name`
    "#);
    // What denies begins no session, and may still ask for more than others give.
    assert_snapshot!(warnings("shared2", &[(gate, &format!("{gate}{stronger}"))]), @r#"
    warning: a session that began at listeners[0].default_actions[0] opens this too, and was not asked for the scope `admin`
      --> vestibule.yaml:14:13 at listeners[0].rules[0].actions[0]
       |
    14 |           - type: authenticate-oidc
       |             ^
       = ask for the same at both, or give one of them another `session_cookie_name`
    "#);
    let both = [
        (gate, &*format!("{begins}            scope: openid email\n")),
        (default, &*format!("{default}        authentication_request_extra_params: {{ prompt: login }}\n")),
    ];
    assert_snapshot!(warnings("shared3", &both), @r#"
    warning: a session that began at listeners[0].default_actions[0] opens this too, and was not asked for the scope `email`
      --> vestibule.yaml:14:13 at listeners[0].rules[0].actions[0]
       |
    14 |           - type: authenticate-oidc
       |             ^
       = ask for the same at both, or give one of them another `session_cookie_name`

    warning: a session that began at listeners[0].rules[0].actions[0] opens this too, and was not asked for `prompt=login`
      --> vestibule.yaml:21:9 at listeners[0].default_actions[0]
       |
    21 |       - type: authenticate-oidc
       |         ^
       = ask for the same at both, or give one of them another `session_cookie_name`
    "#);
}

#[test]
fn sessions_that_are_kept_apart_or_ask_for_the_same_are_no_matter() {
    let gate = "            provider: corp\n            on_unauthenticated_request: deny\n";
    let begins = gate.replace(": deny", ": authenticate");
    let default = "      - type: authenticate-oidc\n        provider: corp\n";
    let silent = |name: &str, changes: &[(&str, &str)]| assert_eq!(warnings(name, changes), "", "{name}");
    silent(
        "apart-order",
        &[
            (gate, &format!("{begins}            scope: email openid\n")),
            (default, &format!("{default}        scope: openid email\n")),
        ],
    );
    silent(
        "apart-cookie",
        &[(gate, &format!("{begins}            scope: openid admin\n            session_cookie_name: __Host-admin\n"))],
    );
    silent("apart-lesser", &[(default, &format!("{default}        scope: openid admin\n"))]);
    // Neither `deny` nor `allow` begins a session, but for `deny` where a session is over.
    let more = format!("{default}        scope: openid admin\n");
    let allows = gate.replace(": deny", ": allow");
    silent("apart-allow", &[(gate, &allows), (default, &more)]);
    let renews = format!("{gate}            on_expired_session: authenticate\n");
    assert!(warnings("apart-renews", &[(gate, &renews), (default, &more)]).contains("the scope `admin`"));
    let rule = |host: &str, scope: &str| {
        format!(
            "      - priority: {}
        conditions: [{{ host_header: [{host}] }}]
        actions: [{{ type: authenticate-oidc, provider: corp, scope: {scope} }}, {{ type: forward, target_group: app }}]
",
            scope.len()
        )
    };
    let rules = |first: &str, second: &str| {
        format!("    rules:\n{}{}", rule(first, "openid admin"), rule(second, "openid email groups"))
    };
    let only =
        ("    default_actions:\n      - type: authenticate-oidc\n        provider: corp\n", "    default_actions:\n");
    silent("apart-hosts", &[("    rules:\n", &rules("a.example.com", "b.example.com")), only]);
    silent("apart-hosts2", &[("    rules:\n", &rules("a.example.com", "\"*.b.example.com\"")), only]);
    for (at, (first, second)) in
        [("a.example.com", "\"*.example.com\""), ("a.example.com", "A.example.com"), ("\"*.a.com\"", "\"a.*\"")]
            .into_iter()
            .enumerate()
    {
        let report = warnings(&format!("apart-{at}"), &[("    rules:\n", &rules(first, second)), only]);
        assert_eq!(report.matches("warning: a session that began").count(), 2, "{first} {second}: {report}");
    }
}
