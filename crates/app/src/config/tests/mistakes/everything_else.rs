//! The file itself, warnings, and all at once.

use insta::assert_snapshot;

use super::{report, warnings};
use crate::config::MissingKeys;
use crate::config::document::source::Source;
use crate::config::load;
use crate::config::tests::{SOUND, files};

#[test]
fn a_file_that_is_not_there() {
    let report = Source::read(std::path::Path::new("/nonexistent/vestibule.yaml")).unwrap_err();
    assert_snapshot!(report.to_string(), @r#"
    error: the file cannot be read: No such file or directory (os error 2)
    --> /nonexistent/vestibule.yaml
     = help: `--config FILE` names the file
    "#);
}

#[test]
fn a_log_without_directory() {
    assert_snapshot!(report("log", &[("session:\n", "access_log: { destination: logs/access.json }\nlog: { level: loud }\nsession:\n")]), @r#"
    error: the file `DIR/logs/access.json` cannot be written: its directory does not exist
      --> vestibule.yaml:32:28
       |
    32 | access_log: { destination: logs/access.json }
       |                            ^^^^^^^^^^^^^^^^
       |
       = at: access_log.destination

    error: unknown value `loud`
      --> vestibule.yaml:33:15
       |
    33 | log: { level: loud }
       |               ^^^^
       |
       = at: log.level
       = help: expected one of `error`, `warn`, `info`, `debug` or `trace`
    "#);
}

#[test]
fn a_syslog_server() {
    let syslog = "access_log: { destination: syslog, syslog: { address: \"udp://localhost\", app_name: \"my app\", facility: kern } }\n";
    assert_snapshot!(report("syslog", &[("session:\n", &format!("{syslog}session:\n"))]), @r#"
    error: `udp://localhost` is not the address of syslog
      --> vestibule.yaml:32:55
       |
    32 | access_log: { destination: syslog, syslog: { address: "udp://localhost", app_name: "my app", facility: kern } }
       |                                                       ^^^^^^^^^^^^^^^^^
       |
       = at: access_log.syslog.address
       = help: write `unix:///dev/log`, `udp://HOST:PORT` or `tcp://HOST:PORT`

    error: `my app` is not a name for syslog
      --> vestibule.yaml:32:84
       |
    32 | access_log: { destination: syslog, syslog: { address: "udp://localhost", app_name: "my app", facility: kern } }
       |                                                                                    ^^^^^^^^
       |
       = at: access_log.syslog.app_name
       = help: write at most 48 visible ASCII characters without blanks

    error: unknown value `kern`
      --> vestibule.yaml:32:104
       |
    32 | access_log: { destination: syslog, syslog: { address: "udp://localhost", app_name: "my app", facility: kern } }
       |                                                                                                        ^^^^
       |
       = at: access_log.syslog.facility
       = help: expected one of `user`, `daemon`, `local0`, `local1`, `local2`, `local3`, `local4`, `local5`, `local6` or `local7`
    "#);
    let unused = "access_log: { destination: stdout, syslog: {} }\n";
    assert_snapshot!(warnings("unused", &[("session:\n", &format!("{unused}session:\n"))]), @"
    warning: this is used with `destination: syslog` only
      --> vestibule.yaml:32:36
       |
    32 | access_log: { destination: stdout, syslog: {} }
       |                                    ^^^^^^
       |
       = at: access_log.syslog
    ");
}

#[test]
fn names_of_the_alb() {
    let alb =
        "access_log: { format: alb, alb: { load_balancer: \"app/my lb\", target_group_arns: { ap: x, app: \"\" } } }\n";
    assert_snapshot!(report("alb", &[("session:\n", &format!("{alb}session:\n"))]), @r#"
    error: `app/my lb` cannot be a field of the access log
      --> vestibule.yaml:32:50
       |
    32 | access_log: { format: alb, alb: { load_balancer: "app/my lb", target_group_arns: { ap: x, app: "" } } }
       |                                                  ^^^^^^^^^^^
       |
       = at: access_log.alb.load_balancer
       = help: write visible ASCII characters without blanks, quotes and backslashes

    error: there is no target group `ap`
      --> vestibule.yaml:32:88
       |
    32 | access_log: { format: alb, alb: { load_balancer: "app/my lb", target_group_arns: { ap: x, app: "" } } }
       |                                                                                        ^
       |
       = at: access_log.alb.target_group_arns.ap
       = help: did you mean `app`?

    error: `` cannot be a field of the access log
      --> vestibule.yaml:32:96
       |
    32 | access_log: { format: alb, alb: { load_balancer: "app/my lb", target_group_arns: { ap: x, app: "" } } }
       |                                                                                                ^^
       |
       = at: access_log.alb.target_group_arns.app
       = help: write visible ASCII characters without blanks, quotes and backslashes
    "#);
    let json = "access_log: { alb: { load_balancer: app/lb/1 } }\n";
    assert_snapshot!(report("json", &[("session:\n", &format!("{json}session:\n"))]), @"
    error: these names are for `format: alb`, and the format is `json`
      --> vestibule.yaml:32:15
       |
    32 | access_log: { alb: { load_balancer: app/lb/1 } }
       |               ^^^
       |
       = at: access_log.alb
       = help: set `format: alb`, or remove `alb`
    ");
}

#[test]
fn all_at_once_in_the_order_of_the_file() {
    let changes = [
        ("    protocol: https", "    protocl: https"),
        ("            target_group: app", "            target_group: ap"),
        ("    client_id: dashboard", "    client_id: \"\""),
        ("[\"127.0.0.1:3000\"]", "[app]"),
        ("[session-key]", "[short-key]"),
    ];
    assert_snapshot!(report("all", &changes), @r#"
    error: unknown key `protocl`
     --> vestibule.yaml:4:5
      |
    4 |     protocl: https
      |     ^^^^^^^
      |
      = at: listeners[0].protocl
      = help: did you mean `protocol`?

    error: the client id is empty
      --> vestibule.yaml:27:16
       |
    27 |     client_id: ""
       |                ^^
       |
       = at: identity_providers.corp.client_id

    error: `app` is not a target
      --> vestibule.yaml:31:15
       |
    31 |     targets: [app]
       |               ^^^
       |
       = at: target_groups.app.targets[0]
       = help: write a host and a port: `app.internal:3000`, `[::1]:3000`

    error: the file `DIR/short-key` holds a key of 64 bits; it needs at least 256
      --> vestibule.yaml:33:15
       |
    33 |   key_files: [short-key]
       |               ^^^^^^^^^
       |
       = at: session.key_files[0]
       = help: `vestibule keys session --out FILE` creates one
    "#);
}

#[test]
fn the_prefix_of_the_sign_in_s_paths_is_a_plain_path() {
    let load = |prefix: &str| {
        let files = files("prefix");
        let text = SOUND.replace("session:\n", &format!("session:\n  path_prefix: '{prefix}'\n"));
        load(&Source::text("vestibule.yaml", &files, &text), MissingKeys::Make)
    };
    for prefix in ["/sso", "/a/b", "/oauth2.0", "/~x"] {
        assert_eq!(load(prefix).expect("a sound file").paths.callback, format!("{prefix}/idpresponse"));
    }
    for prefix in
        ["", "/", "sso", "/sso/", "//sso", "/a//b", "/..", "/a/../b", "/.well-known", "/a b", "/a%2f", "/a;b", "/ä"]
    {
        assert!(load(prefix).unwrap_err().to_string().contains("is not a valid path prefix"), "{prefix}");
    }
}

#[test]
fn warnings_do_not_refuse() {
    let changes = [
        ("target_groups:\n", "target_groups:\n  old: { targets: [] }\n"),
        ("session:\n", "session:\n  cookie_name: AWSELBAuthSessionCookie\n"),
        (
            "identity_providers:\n",
            "identity_providers:\n  old: { issuer: https://old.company.com, client_id: x, token_endpoint_auth_method: none }\n",
        ),
    ];
    assert_snapshot!(warnings("warnings", &changes), @r#"
    warning: this provider is not used by any rule or user pool
      --> vestibule.yaml:25:3
       |
    25 |   old: { issuer: https://old.company.com, client_id: x, token_endpoint_auth_method: none }
       |   ^^^
       |
       = at: identity_providers.old

    warning: this target group is not used by any rule
      --> vestibule.yaml:31:3
       |
    31 |   old: { targets: [] }
       |   ^^^
       |
       = at: target_groups.old

    warning: the cookie `AWSELBAuthSessionCookie` can be set by other hosts of the domain
      --> vestibule.yaml:35:16
       |
    35 |   cookie_name: AWSELBAuthSessionCookie
       |                ^^^^^^^^^^^^^^^^^^^^^^^
       |
       = at: session.cookie_name
       = help: use `__Host-AWSELBAuthSessionCookie`, which they cannot set (RFC 6265bis §4.1.3.2)
    "#);
}

#[test]
fn a_key_that_cannot_be_made() {
    let files = files("unmade");
    let text = SOUND.replace("[session-key]", "[secret/below]");
    let report = load(&Source::text("vestibule.yaml", &files, &text), MissingKeys::Make).unwrap_err().to_string();
    assert_snapshot!(report.replace(&files.display().to_string(), "DIR"), @r#"
    error: the file `DIR/secret/below` cannot be read: not a directory
      --> vestibule.yaml:33:15
       |
    33 |   key_files: [secret/below]
       |               ^^^^^^^^^^^^
       |
       = at: session.key_files[0]
    "#);
}
