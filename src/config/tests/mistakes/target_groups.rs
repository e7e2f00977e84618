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
