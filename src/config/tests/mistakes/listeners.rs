//! `listeners`, and the admin endpoint.

use insta::assert_snapshot;

use super::{report, report_of};

#[test]
fn none() {
    assert_snapshot!(report_of("none", "listeners: []\n"), @r#"
    error: expected at least one listener
     --> vestibule.yaml:1:1
      |
    1 | listeners: []
      | ^^^^^^^^^
      |
      = at: listeners
    "#);
}

#[test]
fn addresses() {
    assert_snapshot!(report("address", &[("address: 0.0.0.0:8443", "address: \":8443\"")]), @r#"
    error: `:8443` is not an address and port
     --> vestibule.yaml:3:14
      |
    3 |     address: ":8443"
      |              ^^^^^^^
      |
      = at: listeners[0].address
      = help: write `0.0.0.0:8443` or `[::]:8443`
    "#);
    assert_snapshot!(report("address2", &[("session:\n", "admin: { address: localhost:9090 }\nsession:\n")]), @r#"
    error: `localhost:9090` is not an address and port
      --> vestibule.yaml:32:19
       |
    32 | admin: { address: localhost:9090 }
       |                   ^^^^^^^^^^^^^^
       |
       = at: admin.address
       = help: write `127.0.0.1:9090`
    "#);
}

#[test]
fn admin_on_a_public_port() {
    assert_snapshot!(report("admin", &[("session:\n", "admin: { address: 127.0.0.1:8443 }\nsession:\n")]), @r#"
    error: the admin endpoint and the listener `public` use the same port
      --> vestibule.yaml:32:19
       |
    32 | admin: { address: 127.0.0.1:8443 }
       |                   ^^^^^^^^^^^^^^
       |
       = at: admin.address
       = help: choose another port
    "#);
}

#[test]
fn https_without_certificates() {
    let changes =
        [("    certificates:\n      - certificate_file: tls.pem\n        private_key_file: tls-key.pem\n", "")];
    assert_snapshot!(report("certificates", &changes), @r#"
    error: an `https` listener needs a certificate
     --> vestibule.yaml:2:5
      |
    2 |   - name: public
      |     ^
      |
      = at: listeners[0].certificates
      = help: add `certificates: [{ certificate_file: FILE, private_key_file: FILE }]`
    "#);
}

#[test]
fn certificates_that_cannot_be_used() {
    let more = "    certificates:\n      - { certificate_file: tls.pem, private_key_file: other-key.pem }\n      - { certificate_file: gone.pem, private_key_file: tls-key.pem }\n      - { certificate_file: secret, private_key_file: tls-key.pem }\n      - { certificate_file: tls.pem, private_key_file: secret }\n";
    assert_snapshot!(report("unusable", &[("    certificates:\n", more)]), @r#"
    error: `DIR/other-key.pem`: the private key does not belong to the certificate, or is of a kind that TLS does not use: keys may not be consistent: KeyMismatch
     --> vestibule.yaml:6:56
      |
    6 |       - { certificate_file: tls.pem, private_key_file: other-key.pem }
      |                                                        ^^^^^^^^^^^^^
      |
      = at: listeners[0].certificates[0].private_key_file

    error: the file `DIR/gone.pem` cannot be read: no such file or directory
     --> vestibule.yaml:7:29
      |
    7 |       - { certificate_file: gone.pem, private_key_file: tls-key.pem }
      |                             ^^^^^^^^
      |
      = at: listeners[0].certificates[1].certificate_file

    error: `DIR/secret`: the file holds no certificate in PEM form
     --> vestibule.yaml:8:29
      |
    8 |       - { certificate_file: secret, private_key_file: tls-key.pem }
      |                             ^^^^^^
      |
      = at: listeners[0].certificates[2].certificate_file

    error: `DIR/secret`: the file holds no private key in PEM form
     --> vestibule.yaml:9:56
      |
    9 |       - { certificate_file: tls.pem, private_key_file: secret }
      |                                                        ^^^^^^
      |
      = at: listeners[0].certificates[3].private_key_file
    "#);
}

#[test]
fn http_with_certificates_and_sign_in() {
    assert_snapshot!(report("http", &[("protocol: https", "protocol: http")]), @r#"
    error: `certificates` is not allowed on an `http` listener
     --> vestibule.yaml:5:5
      |
    5 |     certificates:
      |     ^^^^^^^^^^^^
      |
      = at: listeners[0].certificates
      = help: set `protocol: https`, or remove `certificates`

    error: `authenticate-oidc` on an `http` listener
      --> vestibule.yaml:14:13
       |
    14 |           - type: authenticate-oidc
       |             ^
       |
       = at: listeners[0].rules[0].actions[0]
       = help: session cookies need TLS: use an `https` listener and `redirect` to it here, or list the proxy that ends TLS in `trusted_proxies`

    error: `authenticate-oidc` on an `http` listener
      --> vestibule.yaml:20:9
       |
    20 |       - type: authenticate-oidc
       |         ^
       |
       = at: listeners[0].default_actions[0]
       = help: session cookies need TLS: use an `https` listener and `redirect` to it here, or list the proxy that ends TLS in `trusted_proxies`
    "#);
}

#[test]
fn networks_and_times() {
    let changes = [(
        "    protocol: https",
        "    protocol: https\n    trusted_proxies: [10.0.0.1, 10.1.2.3/8, office]\n    limits: { idle_timeout: 10 minutes, head_timeout: 2h, keep_alive: 0 }",
    )];
    assert_snapshot!(report("networks", &changes), @r#"
    error: `10.0.0.1` is not a network
     --> vestibule.yaml:5:23
      |
    5 |     trusted_proxies: [10.0.0.1, 10.1.2.3/8, office]
      |                       ^^^^^^^^
      |
      = at: listeners[0].trusted_proxies[0]
      = help: write `10.0.0.1/32`

    error: `10.1.2.3/8` has address bits after the prefix
     --> vestibule.yaml:5:33
      |
    5 |     trusted_proxies: [10.0.0.1, 10.1.2.3/8, office]
      |                                 ^^^^^^^^^^
      |
      = at: listeners[0].trusted_proxies[1]
      = help: did you mean `10.0.0.0/8`?

    error: `office` is not a network
     --> vestibule.yaml:5:45
      |
    5 |     trusted_proxies: [10.0.0.1, 10.1.2.3/8, office]
      |                                             ^^^^^^
      |
      = at: listeners[0].trusted_proxies[2]
      = help: write `10.0.0.0/8` or `2001:db8::/32`

    error: `10 minutes` is not a duration
     --> vestibule.yaml:6:29
      |
    6 |     limits: { idle_timeout: 10 minutes, head_timeout: 2h, keep_alive: 0 }
      |                             ^^^^^^^^^^
      |
      = at: listeners[0].limits.idle_timeout
      = help: write `500ms`, `30s`, `15m`, `8h`, `7d`, or a number of seconds

    error: 2h is out of range: 1ms to 4000s
     --> vestibule.yaml:6:55
      |
    6 |     limits: { idle_timeout: 10 minutes, head_timeout: 2h, keep_alive: 0 }
      |                                                       ^^
      |
      = at: listeners[0].limits.head_timeout

    error: 0s is out of range: 1s to 7d
     --> vestibule.yaml:6:71
      |
    6 |     limits: { idle_timeout: 10 minutes, head_timeout: 2h, keep_alive: 0 }
      |                                                                       ^
      |
      = at: listeners[0].limits.keep_alive
    "#);
}

#[test]
fn everyone_a_trusted_proxy() {
    let changes =
        [("    protocol: https", "    protocol: https\n    trusted_proxies: [0.0.0.0/0, 10.0.0.0/8, \"::/0\"]")];
    assert_snapshot!(report("everyone", &changes), @r#"
    error: `0.0.0.0/0` would let every client set its own address
     --> vestibule.yaml:5:23
      |
    5 |     trusted_proxies: [0.0.0.0/0, 10.0.0.0/8, "::/0"]
      |                       ^^^^^^^^^
      |
      = at: listeners[0].trusted_proxies[0]
      = help: list the networks of your proxies

    error: `::/0` would let every client set its own address
     --> vestibule.yaml:5:46
      |
    5 |     trusted_proxies: [0.0.0.0/0, 10.0.0.0/8, "::/0"]
      |                                              ^^^^^^
      |
      = at: listeners[0].trusted_proxies[2]
      = help: list the networks of your proxies
    "#);
}

#[test]
fn half_of_the_internet_a_trusted_proxy() {
    let warned = |network: &str| {
        let list = format!("    protocol: https\n    trusted_proxies: [\"{network}\"]");
        super::warnings("wide", &[("    protocol: https", &list)])
    };
    for wide in ["0.0.0.0/1", "128.0.0.0/1", "8.0.0.0/7", "10.0.0.0/7", "::/1", "2000::/3", "2000::/15", "f000::/4"] {
        let expected = format!("warning: `{wide}` is a large part of the Internet");
        assert!(warned(wide).contains(&expected), "{wide}");
    }
    for network in ["10.0.0.0/8", "127.0.0.0/8", "203.0.113.0/24", "2600::/16", "fc00::/7", "fd00::/8", "fe80::/10"] {
        assert!(!warned(network).contains(network), "{network}: {}", warned(network));
    }
}
