//! Rules that use one session, and two that must not.

use insta::assert_snapshot;

use super::{report, warnings};

#[test]
fn one_cookie_for_two_providers() {
    let provider = "identity_providers:\n  partner: { issuer: https://partner.example.com, client_id: x, token_endpoint_auth_method: none }\n";
    let changes =
        [("identity_providers:\n", provider), ("            provider: corp", "            provider: partner")];
    assert_snapshot!(report("cookie", &changes), @r#"
    error: the session cookie `__Host-vestibule` is already used by the provider `partner`
      --> vestibule.yaml:20:9
       |
    14 |           - type: authenticate-oidc
       |             - first used here
    ...
    20 |       - type: authenticate-oidc
       |         ^
       |
       = at: listeners[0].default_actions[0]
       = help: write `session_cookie_name: __Host-vestibule-corp` at `listeners[0].default_actions[0]`, and at each other action that has only this provider
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
    warning: a session created at listeners[0].default_actions[0] is also accepted here, but without the scope `admin`
      --> vestibule.yaml:14:13
       |
    14 |           - type: authenticate-oidc
       |             ^
    ...
    22 |       - type: authenticate-oidc
       |         - created here
       |
       = at: listeners[0].rules[0].actions[0]
       = help: set the same at both, or set a different `session_cookie_name` at one of them
    "#);
    // What denies begins no session, and may still ask for more than others give.
    assert_snapshot!(warnings("shared2", &[(gate, &format!("{gate}{stronger}"))]), @r#"
    warning: a session created at listeners[0].default_actions[0] is also accepted here, but without the scope `admin`
      --> vestibule.yaml:14:13
       |
    14 |           - type: authenticate-oidc
       |             ^
    ...
    22 |       - type: authenticate-oidc
       |         - created here
       |
       = at: listeners[0].rules[0].actions[0]
       = help: set the same at both, or set a different `session_cookie_name` at one of them
    "#);
    let both = [
        (gate, &*format!("{begins}            scope: openid email\n")),
        (default, &*format!("{default}        authentication_request_extra_params: {{ prompt: login }}\n")),
    ];
    assert_snapshot!(warnings("shared3", &both), @r#"
    warning: a session created at listeners[0].default_actions[0] is also accepted here, but without the scope `email`
      --> vestibule.yaml:14:13
       |
    14 |           - type: authenticate-oidc
       |             ^
    ...
    21 |       - type: authenticate-oidc
       |         - created here
       |
       = at: listeners[0].rules[0].actions[0]
       = help: set the same at both, or set a different `session_cookie_name` at one of them

    warning: a session created at listeners[0].rules[0].actions[0] is also accepted here, but without `prompt=login`
      --> vestibule.yaml:21:9
       |
    14 |           - type: authenticate-oidc
       |             - created here
    ...
    21 |       - type: authenticate-oidc
       |         ^
       |
       = at: listeners[0].default_actions[0]
       = help: set the same at both, or set a different `session_cookie_name` at one of them
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
        assert_eq!(report.matches("warning: a session created at").count(), 2, "{first} {second}: {report}");
    }
}
