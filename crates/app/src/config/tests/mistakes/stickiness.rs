//! `stickiness` of a target group.

use insta::assert_snapshot;

use super::{report, warnings};

const TARGETS: &str = "    targets: [\"127.0.0.1:3000\"]";

/// The target group with this `stickiness`.
fn sticky(settings: &str) -> String {
    format!("{TARGETS}\n    stickiness: {{ {settings} }}")
}

#[test]
fn the_cookie_of_the_application() {
    assert_snapshot!(report("sticky-1", &[(TARGETS, &sticky("type: app_cookie"))]), @r#"
    error: `type: app_cookie` needs `cookie_name`
      --> vestibule.yaml:32:5
       |
    32 |     stickiness: { type: app_cookie }
       |     ^^^^^^^^^^
       |
       = at: target_groups.app.stickiness
       = help: set it to the cookie of the application's sessions, such as `JSESSIONID`
    "#);
    assert_snapshot!(report("sticky-2", &[(TARGETS, &sticky("type: lb_cookie, cookie_name: sid"))]), @r#"
    error: `cookie_name` is not allowed with `type: lb_cookie`
      --> vestibule.yaml:32:49
       |
    32 |     stickiness: { type: lb_cookie, cookie_name: sid }
       |                                                 ^^^
       |
       = at: target_groups.app.stickiness.cookie_name
       = help: set `type: app_cookie` to follow a cookie of the application, or remove it
    "#);
    assert_snapshot!(report("sticky-3", &[(TARGETS, &sticky("type: app_cookie, cookie_name: 'a b'"))]), @r#"
    error: `a b` is not a cookie name
      --> vestibule.yaml:32:50
       |
    32 |     stickiness: { type: app_cookie, cookie_name: 'a b' }
       |                                                  ^^^^^
       |
       = at: target_groups.app.stickiness.cookie_name
       = help: use letters, digits, `-`, `_` and `.`, at most 64 characters
    "#);
    assert_snapshot!(report("sticky-4", &[(TARGETS, &sticky("type: app_cookie, cookie_name: awsalbtg"))]), @r#"
    error: `awsalbtg` is a cookie of the load balancer
      --> vestibule.yaml:32:50
       |
    32 |     stickiness: { type: app_cookie, cookie_name: awsalbtg }
       |                                                  ^^^^^^^^
       |
       = at: target_groups.app.stickiness.cookie_name
       = help: name a cookie that the application itself sets, such as `JSESSIONID`
    "#);
}

#[test]
fn a_cookie_of_ours_is_no_cookie_of_the_application() {
    for name in [
        "__Host-vestibule-0",
        "__Host-vestibule-login-AbCd1234",
        "__Host-vestibule-pool",
        "__Host-vestibule-target.AbCd1234",
        "vestibule-target.AbCd1234",
        "AWSALB",
        "AWSALBCORS",
        "AWSALBAPP-0",
        "AWSALBTG",
        "AwsAlbX",
    ] {
        let text = report("sticky-ours", &[(TARGETS, &sticky(&format!("type: app_cookie, cookie_name: {name}")))]);
        let of = if name.to_lowercase().starts_with("aws") { "the load balancer" } else { "Vestibule" };
        assert!(text.starts_with(&format!("error: `{name}` is a cookie of {of}\n")), "{text}");
        assert!(text.contains("= help: name a cookie that the application itself sets"), "{text}");
    }
    let shop = ("session:\n", "session:\n  cookie_name: __Host-shop\n");
    let text = report("sticky-shop", &[shop, (TARGETS, &sticky("type: app_cookie, cookie_name: __host-SHOP-1"))]);
    assert!(text.contains("error: `__host-SHOP-1` is a cookie of Vestibule\n"), "{text}");
}

#[test]
fn durations_and_words() {
    let settings = "type: lb_cookie, duration: 8d";
    assert_snapshot!(report("sticky-5", &[(TARGETS, &sticky(settings))]), @r#"
    error: 8d is out of range: 1s to 7d
      --> vestibule.yaml:32:46
       |
    32 |     stickiness: { type: lb_cookie, duration: 8d }
       |                                              ^^
       |
       = at: target_groups.app.stickiness.duration
    "#);
    assert!(
        report("sticky-6", &[(TARGETS, &sticky("type: lb_cookie, duration: 0s"))])
            .contains("0s is out of range: 1s to 7d")
    );
    assert_snapshot!(report("sticky-7", &[(TARGETS, &sticky("type: source_ip, format: aws"))]), @r#"
    error: unknown value `source_ip`
      --> vestibule.yaml:32:25
       |
    32 |     stickiness: { type: source_ip, format: aws }
       |                         ^^^^^^^^^
       |
       = at: target_groups.app.stickiness.type
       = help: expected one of `lb_cookie` or `app_cookie`

    error: unknown value `aws`
      --> vestibule.yaml:32:44
       |
    32 |     stickiness: { type: source_ip, format: aws }
       |                                            ^^^
       |
       = at: target_groups.app.stickiness.format
       = help: expected one of `vestibule` or `alb`
    "#);
    assert_snapshot!(report("sticky-8", &[(TARGETS, &sticky("duration: 1d"))]), @r#"
    error: `type` is missing
      --> vestibule.yaml:32:5
       |
    32 |     stickiness: { duration: 1d }
       |     ^^^^^^^^^^
       |
       = at: target_groups.app.stickiness
       = help: `lb_cookie` or `app_cookie`: when the cookie is set
    "#);
}

#[test]
fn the_keys_are_those_of_sessions() {
    let open = [
        (
            "          - type: authenticate-oidc\n            provider: corp\n            on_unauthenticated_request: deny\n",
            "",
        ),
        ("      - type: authenticate-oidc\n        provider: corp\n", ""),
        ("session:\n  key_files: [session-key]\n", ""),
        (TARGETS, &sticky("type: lb_cookie")),
    ];
    assert_snapshot!(report("sticky-9", &open), @r#"
    error: `session` is missing: a target group has `stickiness`
     --> vestibule.yaml:1:1
      |
    1 | listeners:
      | ^
      |
      = at: session
      = help: add `session: { key_files: [FILE] }`; `vestibule keys session --out FILE` creates the file
    "#);
    let bad = [("key_files: [session-key]", "key_files: [short-key]"), (TARGETS, &sticky("type: lb_cookie"))];
    let text = report("sticky-10", &bad);
    assert_eq!(text.matches("error:").count(), 1, "{text}");
}

#[test]
fn a_session_cookie_with_a_name_of_the_load_balancer() {
    let named = ("session:\n", "session:\n  cookie_name: AWSALBAPP\n");
    assert_snapshot!(report("sticky-11", &[named, (TARGETS, &sticky("type: lb_cookie, format: alb"))]), @r#"
    error: `format: alb` uses the names of the session cookie `AWSALBAPP`
      --> vestibule.yaml:32:44
       |
    32 |     stickiness: { type: lb_cookie, format: alb }
       |                                            ^^^
       |
       = at: target_groups.app.stickiness.format
       = help: choose another name for the session cookie

    warning: the cookie `AWSALBAPP` can be set by other hosts of the domain
      --> vestibule.yaml:34:16
       |
    34 |   cookie_name: AWSALBAPP
       |                ^^^^^^^^^
       |
       = at: session.cookie_name
       = help: use `__Host-AWSALBAPP`, which they cannot set (RFC 6265bis §4.1.3.2)
    "#);
}

#[test]
fn groups_with_cookies_of_one_name_on_one_host() {
    let other = |settings: &str| {
        format!(
            "{}\n  api:\n    targets: [\"127.0.0.1:3001\"]\n    stickiness: {{ {settings} }}",
            sticky("type: lb_cookie, format: alb")
        )
    };
    let api = (
        "deny\n          - type: forward\n            target_group: app",
        "deny\n          - type: forward\n            target_group: api",
    );
    let same = other("type: lb_cookie, format: alb");
    assert_snapshot!(warnings("sticky-12", &[api, (TARGETS, &same)]), @r#"
    warning: the target group `api` has a cookie of the same name on the same host
      --> vestibule.yaml:32:44
       |
    32 |     stickiness: { type: lb_cookie, format: alb }
       |                                            ^^^
       |
       = at: target_groups.app.stickiness.format
       = help: use `format: vestibule`, which has a name for each group, or different hosts
    "#);
    for settings in ["type: lb_cookie", "type: app_cookie, cookie_name: sid, format: alb"] {
        assert_eq!(warnings("sticky-13", &[api, (TARGETS, &other(settings))]), "", "{settings}");
    }
    let host = ("          - path_pattern: [\"/api/*\"]", "          - host_header: [api.example.com]");
    assert_eq!(warnings("sticky-14", &[api, host, (TARGETS, &same)]), "", "another host");
}
