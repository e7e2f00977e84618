//! `target_groups`.

use insta::assert_snapshot;

use super::report;

#[test]
fn targets() {
    assert_snapshot!(report("targets", &[("[\"127.0.0.1:3000\"]", "[\"http://app:3000/\", app, \"app:0\", \"::1:80\", \"a b:80\"]")]), @r#"
    error: `http://app:3000/` is not a target
      --> vestibule.yaml:31:15
       |
    31 |     targets: ["http://app:3000/", app, "app:0", "::1:80", "a b:80"]
       |               ^^^^^^^^^^^^^^^^^^
       |
       = at: target_groups.app.targets[0]
       = help: write `app:3000`; set `protocol` for `http`

    error: `app` is not a target
      --> vestibule.yaml:31:35
       |
    31 |     targets: ["http://app:3000/", app, "app:0", "::1:80", "a b:80"]
       |                                   ^^^
       |
       = at: target_groups.app.targets[1]
       = help: write a host and a port: `app.internal:3000`, `[::1]:3000`

    error: `app:0` is not a target
      --> vestibule.yaml:31:40
       |
    31 |     targets: ["http://app:3000/", app, "app:0", "::1:80", "a b:80"]
       |                                        ^^^^^^^
       |
       = at: target_groups.app.targets[2]
       = help: write a host and a port: `app.internal:3000`, `[::1]:3000`

    error: `::1:80` is not a target
      --> vestibule.yaml:31:49
       |
    31 |     targets: ["http://app:3000/", app, "app:0", "::1:80", "a b:80"]
       |                                                 ^^^^^^^^
       |
       = at: target_groups.app.targets[3]
       = help: write a host and a port: `app.internal:3000`, `[::1]:3000`

    error: `a b:80` is not a target
      --> vestibule.yaml:31:59
       |
    31 |     targets: ["http://app:3000/", app, "app:0", "::1:80", "a b:80"]
       |                                                           ^^^^^^^^
       |
       = at: target_groups.app.targets[4]
       = help: write a host and a port: `app.internal:3000`, `[::1]:3000`
    "#);
}

#[test]
fn tls_settings() {
    assert_snapshot!(report("tls", &[("    targets:", "    verify: false\n    targets:")]), @r#"
    error: `verify` is not allowed for `http` targets
      --> vestibule.yaml:31:13
       |
    31 |     verify: false
       |             ^^^^^
       |
       = at: target_groups.app.verify
       = help: add `protocol: https`, or remove it
    "#);
    assert_snapshot!(report("tls2", &[("    targets:", "    protocol: https\n    verify: false\n    ca_file: tls.pem\n    targets:")]), @r#"
    error: `ca_file` is not allowed with `verify: false`
      --> vestibule.yaml:33:14
       |
    32 |     verify: false
       |             ----- set here
    33 |     ca_file: tls.pem
       |              ^^^^^^^
       |
       = at: target_groups.app.ca_file
       = help: remove one of the two
    "#);
}

const HTTPS: &str = "    protocol: https\n    verify: false\n    targets:";

#[test]
fn sockets_and_weights() {
    let targets = "[\"unix:run/app.sock\", { address: \"app\", weight: 0 }, { address: \"::1\" }, { weight: 2 }]";
    assert_snapshot!(report("sockets", &[("[\"127.0.0.1:3000\"]", targets)]), @r#"
    error: `run/app.sock` is not an absolute path
      --> vestibule.yaml:31:15
       |
    31 |     targets: ["unix:run/app.sock", { address: "app", weight: 0 }, { address: "::1" }, { weight: 2 }]
       |               ^^^^^^^^^^^^^^^^^^^
       |
       = at: target_groups.app.targets[0]
       = help: write `unix:/run/app.sock`

    error: `app` is not a target
      --> vestibule.yaml:31:47
       |
    31 |     targets: ["unix:run/app.sock", { address: "app", weight: 0 }, { address: "::1" }, { weight: 2 }]
       |                                               ^^^^^
       |
       = at: target_groups.app.targets[1].address
       = help: write a host and a port: `app.internal:3000`, `[::1]:3000`

    error: 0 is out of range: 1 to 1000
      --> vestibule.yaml:31:62
       |
    31 |     targets: ["unix:run/app.sock", { address: "app", weight: 0 }, { address: "::1" }, { weight: 2 }]
       |                                                              ^
       |
       = at: target_groups.app.targets[1].weight

    error: `::1` is not a target
      --> vestibule.yaml:31:78
       |
    31 |     targets: ["unix:run/app.sock", { address: "app", weight: 0 }, { address: "::1" }, { weight: 2 }]
       |                                                                              ^^^^^
       |
       = at: target_groups.app.targets[2].address
       = help: write a host and a port: `app.internal:3000`, `[::1]:3000`

    error: `address` is missing
      --> vestibule.yaml:31:87
       |
    31 |     targets: ["unix:run/app.sock", { address: "app", weight: 0 }, { address: "::1" }, { weight: 2 }]
       |                                                                                       ^
       |
       = at: target_groups.app.targets[3]
       = help: `app.internal:3000`, `10.0.0.7:3000`, `[::1]:3000` or `unix:/run/app.sock`
    "#);
    assert_snapshot!(report("sockets2", &[("    targets: [\"127.0.0.1:3000\"]", &format!("{HTTPS} [\"unix:/run/app.sock\"]"))]), @r#"
    error: an `https` target at a Unix socket needs `server_name`
      --> vestibule.yaml:33:15
       |
    33 |     targets: ["unix:/run/app.sock"]
       |               ^^^^^^^^^^^^^^^^^^^^
       |
       = at: target_groups.app.targets[0]
       = help: set `server_name` to the name in the certificate of the target
    "#);
}

#[test]
fn client_certificates_and_server_names() {
    let https = |keys: &str| HTTPS.replace("    targets:", &format!("{keys}\n    targets:"));
    assert_snapshot!(report("mtls", &[("    targets:", "    server_name: app.test\n    client_key_file: tls-key.pem\n    targets:")]), @r#"
    error: `server_name` is not allowed for `http` targets
      --> vestibule.yaml:31:18
       |
    31 |     server_name: app.test
       |                  ^^^^^^^^
       |
       = at: target_groups.app.server_name
       = help: add `protocol: https`, or remove it

    error: `client_key_file` is not allowed for `http` targets
      --> vestibule.yaml:32:22
       |
    32 |     client_key_file: tls-key.pem
       |                      ^^^^^^^^^^^
       |
       = at: target_groups.app.client_key_file
       = help: add `protocol: https`, or remove it
    "#);
    assert_snapshot!(report("mtls2", &[("    targets:", &https("    client_certificate_file: tls.pem\n    server_name: a b"))]), @r#"
    error: `client_certificate_file` needs `client_key_file`
      --> vestibule.yaml:33:30
       |
    33 |     client_certificate_file: tls.pem
       |                              ^^^^^^^
       |
       = at: target_groups.app.client_certificate_file
       = help: set `client_key_file` to the private key of the certificate

    error: `a b` is not a valid name for a certificate
      --> vestibule.yaml:34:18
       |
    34 |     server_name: a b
       |                  ^^^
       |
       = at: target_groups.app.server_name
    "#);
    assert_snapshot!(report("mtls3", &[("    targets:", &https("    client_key_file: tls-key.pem"))]), @r#"
    error: `client_key_file` needs `client_certificate_file`
      --> vestibule.yaml:33:22
       |
    33 |     client_key_file: tls-key.pem
       |                      ^^^^^^^^^^^
       |
       = at: target_groups.app.client_key_file
       = help: set `client_certificate_file` to the certificate of the key
    "#);
    assert_snapshot!(report("mtls4", &[("    targets:", &https("    client_certificate_file: tls.pem\n    client_key_file: tls.pem"))]), @r#"
    error: `DIR/tls.pem`: the file holds no private key in PEM form
      --> vestibule.yaml:34:22
       |
    34 |     client_key_file: tls.pem
       |                      ^^^^^^^
       |
       = at: target_groups.app.client_key_file
    "#);
}

#[test]
fn balancing() {
    assert_snapshot!(report("balancing", &[("    targets:", "    anomaly_mitigation: true\n    slow_start: 5s\n    resolve_every: 10ms\n    targets:")]), @r#"
    error: `anomaly_mitigation` needs `algorithm: weighted_random`
      --> vestibule.yaml:31:25
       |
    31 |     anomaly_mitigation: true
       |                         ^^^^
       |
       = at: target_groups.app.anomaly_mitigation
       = help: add `algorithm: weighted_random`, or remove it

    error: `5s` is too short
      --> vestibule.yaml:32:17
       |
    32 |     slow_start: 5s
       |                 ^^
       |
       = at: target_groups.app.slow_start
       = help: expected 0s, or at least 30s

    error: 10ms is out of range: 1s to 1d
      --> vestibule.yaml:33:20
       |
    33 |     resolve_every: 10ms
       |                    ^^^^
       |
       = at: target_groups.app.resolve_every
    "#);
    assert_snapshot!(report("balancing2", &[("    targets:", "    algorithm: least_outstanding_requests\n    slow_start: 30s\n    targets:")]), @r#"
    error: `slow_start` is not allowed with `algorithm: least_outstanding_requests`
      --> vestibule.yaml:32:17
       |
    31 |     algorithm: least_outstanding_requests
       |                -------------------------- set here
    32 |     slow_start: 30s
       |                 ^^^
       |
       = at: target_groups.app.slow_start
       = help: remove one of the two
    "#);
    assert_snapshot!(report("balancing3", &[("    targets:", "    algorithm: weighted_random\n    anomaly_mitigation: true\n    slow_start: 1h\n    targets:")]), @r#"
    error: 1h is out of range: 0s to 15m
      --> vestibule.yaml:33:17
       |
    33 |     slow_start: 1h
       |                 ^^
       |
       = at: target_groups.app.slow_start
    "#);
    assert_snapshot!(report("balancing4", &[("    targets:", "    algorithm: weighted_random\n    anomaly_mitigation: true\n    slow_start: 15m\n    targets:")]), @r#"
    error: `slow_start` is not allowed with `anomaly_mitigation: true`
      --> vestibule.yaml:33:17
       |
    32 |     anomaly_mitigation: true
       |                         ---- set here
    33 |     slow_start: 15m
       |                 ^^^
       |
       = at: target_groups.app.slow_start
       = help: remove one of the two
    "#);
}

#[test]
fn targets_with_http2_behind_a_listener_without_it() {
    let plain = "  - name: plain\n    address: 0.0.0.0:8080\n    protocol: http\n    default_actions:\n      - { type: forward, target_group: app }\n";
    let changes = [
        ("    targets:", "    protocol_version: grpc\n    targets:"),
        ("identity_providers:", &format!("{plain}identity_providers:")),
    ];
    assert_snapshot!(report("grpc_without_https", &changes), @r#"
    error: `app` has `protocol_version: grpc`, and no client of this listener uses HTTP/2
      --> vestibule.yaml:28:40
       |
    28 |       - { type: forward, target_group: app }
       |                                        ^^^
       |
       = at: listeners[1].default_actions[0].target_group
       = help: forward to it from a listener with `protocol: https`
    "#);
}
