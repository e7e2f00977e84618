//! `health_check` of a target group.

use insta::assert_snapshot;

use super::{report, warnings};

/// The report for a target group with these settings besides.
#[track_caller]
fn with(name: &str, settings: &str) -> String {
    report(name, &[("    targets:", &format!("    {settings}\n    targets:"))])
}

#[test]
fn values_out_of_range() {
    let settings = "health_check: { port: 0, path: health, interval: 4s, timeout: 121s, healthy_threshold: 1, unhealthy_threshold: 11, \
                    matcher: 200-500, minimum_healthy_count: 0, minimum_healthy_percentage: 101 }";
    assert_snapshot!(with("health-ranges", settings), @r#"
    error: `0` is not a port
      --> vestibule.yaml:31:27
       |
    31 |     health_check: { port: 0, path: health, interval: 4s, timeout: 121s, healthy_threshold: 1, unhealthy_threshold: 11, matcher: 200-...
       |                           ^
       |
       = at: target_groups.app.health_check.port
       = help: write a number from 1 to 65535, or `traffic-port`

    error: `health` is not a path
      --> vestibule.yaml:31:36
       |
    31 |     health_check: { port: 0, path: health, interval: 4s, timeout: 121s, healthy_threshold: 1, unhealthy_threshold: 11, matcher: 200-...
       |                                    ^^^^^^
       |
       = at: target_groups.app.health_check.path
       = help: write `/health`; encode other characters in percent form

    error: 4s is out of range: 5s to 5m
      --> vestibule.yaml:31:54
       |
    31 |     health_check: { port: 0, path: health, interval: 4s, timeout: 121s, healthy_threshold: 1, unhealthy_threshold: 11, matcher: 200-...
       |                                                      ^^
       |
       = at: target_groups.app.health_check.interval

    error: 121s is out of range: 2s to 2m
      --> vestibule.yaml:31:67
       |
    31 |     health_check: { port: 0, path: health, interval: 4s, timeout: 121s, healthy_threshold: 1, unhealthy_threshold: 11, matcher: 200-...
       |                                                                   ^^^^
       |
       = at: target_groups.app.health_check.timeout

    error: 1 is out of range: 2 to 10
      --> vestibule.yaml:31:92
       |
    31 |     health_check: { port: 0, path: health, interval: 4s, timeout: 121s, healthy_threshold: 1, unhealthy_threshold: 11, matcher: 200-...
       |                                                                                            ^
       |
       = at: target_groups.app.health_check.healthy_threshold

    error: 11 is out of range: 2 to 10
      --> vestibule.yaml:31:116
       |
    31 |     health_check: { port: 0, path: health, interval: 4s, timeout: 121s, healthy_threshold: 1, unhealthy_threshold: 11, matcher: 200-...
       |                                                                                                                    ^^
       |
       = at: target_groups.app.health_check.unhealthy_threshold

    error: `200-500` does not name statuses from 200 to 499
      --> vestibule.yaml:31:129
       |
    31 | ...21s, healthy_threshold: 1, unhealthy_threshold: 11, matcher: 200-500, minimum_healthy_count: 0, minimum_healthy_percentage: 101 }
       |                                                                 ^^^^^^^
       |
       = at: target_groups.app.health_check.matcher
       = help: write `200`, `200,202` or `200-299`

    error: 0 is out of range: 1 to 1000
      --> vestibule.yaml:31:161
       |
    31 | ...healthy_threshold: 11, matcher: 200-500, minimum_healthy_count: 0, minimum_healthy_percentage: 101 }
       |                                                                    ^
       |
       = at: target_groups.app.health_check.minimum_healthy_count

    error: 101 is out of range: 1 to 100
      --> vestibule.yaml:31:192
       |
    31 | ...200-500, minimum_healthy_count: 0, minimum_healthy_percentage: 101 }
       |                                                                   ^^^
       |
       = at: target_groups.app.health_check.minimum_healthy_percentage
    "#);
    let settings = "health_check: { port: http, path: \"/a#b\", interval: 301s, timeout: 1s, matcher: ok, minimum_healthy_count: 2 }";
    assert_snapshot!(with("health-ranges2", settings), @r#"
    error: `http` is not a port
      --> vestibule.yaml:31:27
       |
    31 |     health_check: { port: http, path: "/a#b", interval: 301s, timeout: 1s, matcher: ok, minimum_healthy_count: 2 }
       |                           ^^^^
       |
       = at: target_groups.app.health_check.port
       = help: write a number from 1 to 65535, or `traffic-port`

    error: `/a#b` is not a path
      --> vestibule.yaml:31:39
       |
    31 |     health_check: { port: http, path: "/a#b", interval: 301s, timeout: 1s, matcher: ok, minimum_healthy_count: 2 }
       |                                       ^^^^^^
       |
       = at: target_groups.app.health_check.path
       = help: write `/health`; encode other characters in percent form

    error: 301s is out of range: 5s to 5m
      --> vestibule.yaml:31:57
       |
    31 |     health_check: { port: http, path: "/a#b", interval: 301s, timeout: 1s, matcher: ok, minimum_healthy_count: 2 }
       |                                                         ^^^^
       |
       = at: target_groups.app.health_check.interval

    error: 1s is out of range: 2s to 2m
      --> vestibule.yaml:31:72
       |
    31 |     health_check: { port: http, path: "/a#b", interval: 301s, timeout: 1s, matcher: ok, minimum_healthy_count: 2 }
       |                                                                        ^^
       |
       = at: target_groups.app.health_check.timeout

    error: `ok` does not name statuses from 200 to 499
      --> vestibule.yaml:31:85
       |
    31 |     health_check: { port: http, path: "/a#b", interval: 301s, timeout: 1s, matcher: ok, minimum_healthy_count: 2 }
       |                                                                                     ^^
       |
       = at: target_groups.app.health_check.matcher
       = help: write `200`, `200,202` or `200-299`

    error: the target group has only 1 targets
      --> vestibule.yaml:31:112
       |
    31 |     health_check: { port: http, path: "/a#b", interval: 301s, timeout: 1s, matcher: ok, minimum_healthy_count: 2 }
       |                                                                                                                ^
       |
       = at: target_groups.app.health_check.minimum_healthy_count
       = help: with a larger number, requests always go to all targets
    "#);
}

#[test]
fn a_matcher_has_statuses_of_the_protocol() {
    let error = with("health-grpc", "protocol_version: grpc\n    health_check: { matcher: 200 }");
    assert!(error.contains("error: `200` does not name statuses from 0 to 99\n"), "{error}");
    assert!(error.contains("help: write `0`, `0,12` or `0-99`\n"), "{error}");
    let error = with("health-http2", "protocol_version: http2\n    health_check: { matcher: 12 }");
    assert!(error.contains("error: `12` does not name statuses from 200 to 499\n"), "{error}");
}

#[test]
fn a_long_path() {
    let settings = format!("health_check: {{ path: /{} }}", "a".repeat(1024));
    assert!(with("health-path", &settings).contains("error: the path has at most 1024 characters\n"));
}

#[test]
fn a_timeout_that_is_not_shorter_than_the_interval() {
    assert_snapshot!(with("health-times", "health_check: { interval: 5s }"), @r#"
    error: `timeout` (5s) must be shorter than `interval` (5s)
      --> vestibule.yaml:31:5
       |
    31 |     health_check: { interval: 5s }
       |     ^^^^^^^^^^^^
       |
       = at: target_groups.app.health_check
       = help: set a shorter `timeout` or a longer `interval`
    "#);
}

#[test]
fn settings_that_do_not_fit_the_targets() {
    let changes =
        [("[\"127.0.0.1:3000\"]", "[\"unix:/run/app.sock\"]\n    health_check: { protocol: https, port: 8080 }")];
    assert_snapshot!(report("health-unix", &changes), @r#"
    error: checks of `unix:/run/app.sock` by `https` need `server_name`
      --> vestibule.yaml:32:31
       |
    32 |     health_check: { protocol: https, port: 8080 }
       |                               ^^^^^
       |
       = at: target_groups.app.health_check.protocol
       = help: set `server_name` of the target group to the name in the certificate of the target

    error: a target at a Unix socket has no port
      --> vestibule.yaml:32:44
       |
    32 |     health_check: { protocol: https, port: 8080 }
       |                                            ^^^^
       |
       = at: target_groups.app.health_check.port
       = help: remove it, or write `traffic-port`
    "#);
    assert_snapshot!(with("health-http", "ca_file: tls.pem\n    health_check: { protocol: http }"), @r#"
    error: `ca_file` is not allowed for `http` targets
      --> vestibule.yaml:31:14
       |
    31 |     ca_file: tls.pem
       |              ^^^^^^^
       |
       = at: target_groups.app.ca_file
       = help: add `protocol: https`, or remove it
    "#);
}

#[test]
fn what_is_allowed() {
    for (name, settings) in [
        ("health-all", "health_check: { port: traffic-port, matcher: 200, path: \"/health?deep=%20\" }"),
        ("health-port", "health_check: { port: 8080, matcher: \"200,202-204\" }"),
        ("health-tls", "ca_file: tls.pem\n    health_check: { protocol: https }"),
        ("health-grpc-default", "protocol_version: grpc\n    health_check: {}"),
        (
            "health-grpc-service",
            "protocol_version: grpc\n    health_check: { path: /grpc.health.v1.Health/Check, matcher: 0 }",
        ),
        ("health-plain", "protocol: https\n    ca_file: tls.pem\n    health_check: { protocol: http }"),
    ] {
        let warnings = warnings(name, &[("    targets:", &format!("    {settings}\n    targets:"))]);
        assert_eq!(warnings, "", "{settings}");
    }
}
