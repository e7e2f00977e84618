//! `listeners`, and the admin endpoint.

use insta::assert_snapshot;

use super::{report, report_of, warnings};

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

const LISTENER: &str = "    protocol: https\n";

#[track_caller]
fn of_listener(name: &str, keys: &str) -> String {
    report(name, &[(LISTENER, &format!("{LISTENER}{keys}"))])
}

#[test]
fn response_headers_that_browsers_would_not_understand() {
    let keys = "    response_headers:
      strict_transport_security: includeSubDomains
      x_content_type_options: sniff
";
    assert_snapshot!(of_listener("response-headers", keys));
    assert_snapshot!(of_listener("frame-options", "    response_headers: { x_frame_options: ALLOWALL }\n"));
    assert_snapshot!(of_listener("policy", "    response_headers: { content_security_policy: \"a\\nb\" }\n"));
    assert_snapshot!(of_listener("allow-method", "    response_headers: { access_control_allow_methods: [get] }\n"));
}

#[test]
fn x_10_credentials_for_every_origin() {
    let keys = "    response_headers: { access_control_allow_origin: \"*\", access_control_allow_credentials: true }\n";
    assert_snapshot!(of_listener("any-origin", keys));
    let keys = "    cors: { allow_origins: [\"*\"], allow_credentials: true }\n";
    assert_snapshot!(of_listener("any-origin-cors", keys));
    let keys = "    cors: { allow_origins: [https://a.test], allow_headers: [\"*\"], allow_credentials: true }\n";
    assert_snapshot!(of_listener("any-header-cors", keys));
}

#[test]
fn origins_that_no_browser_sends() {
    let keys =
        "    cors: { allow_origins: [\"null\", \"https://*.a.test\", \"https://a.test/\", \"http://a.test\"] }\n";
    assert_snapshot!(of_listener("origins", keys));
    assert_snapshot!(of_listener("no-origins", "    cors: { allow_origins: [] }\n"));
    assert_snapshot!(of_listener("two-origins", "    cors: { allow_origins: [\"*\", https://a.test] }\n"));
    let keys = "    cors: { allow_origins: [https://a.test], allow_methods: [], max_age: 2d }\n";
    assert_snapshot!(of_listener("no-methods", keys));
    let keys = "    cors: { allow_origins: [https://a.test], allow_methods: [get], expose_headers: [\"a b\"] }\n";
    assert_snapshot!(of_listener("cors-names", keys));
}

#[test]
fn two_ways_to_say_cors() {
    let keys = "    response_headers: { access_control_max_age: 5 }\n    cors: { allow_origins: [https://a.test] }\n";
    assert_snapshot!(of_listener("two-cors", keys));
}

#[test]
fn hsts_without_https() {
    let text = "listeners:
  - name: plain
    address: 127.0.0.1:8080
    protocol: http
    response_headers: { strict_transport_security: max-age=1 }
    default_actions: [{ type: fixed-response, status_code: 200 }]
";
    assert_snapshot!(report_of("hsts", text));
}

#[test]
fn preflights_that_miss_their_rule() {
    let rule = "    rules:
      - priority: 7
        conditions: [{ http_request_method: [PUT] }]
        cors: { allow_origins: [https://a.test], allow_methods: [PUT] }
        actions: [{ type: fixed-response, status_code: 200 }]
";
    assert_snapshot!(warnings("preflights", &[("    rules:\n", rule)]));
}

#[test]
fn headers_about_tls() {
    let keys = "    tls_headers: { version: x-tls, cipher_suite: X-TLS }\n";
    assert_snapshot!(of_listener("tls-headers-twice", keys));
    let keys = "    tls_headers: { version: cookie, cipher_suite: x_tls }\n";
    assert_snapshot!(of_listener("tls-headers-taken", keys));
    let keys = "    tls_headers: { version: X-Client-Dn }\n    mutual_authentication: { mode: passthrough, header_names: { clientcert_subject: x-client-dn } }\n";
    let text = of_listener("tls-headers-and-certificates", keys);
    assert!(text.starts_with("error: `x-client-dn` is a header of `mutual_authentication`\n"), "{text}");
    let text = "listeners:
  - name: plain
    address: 127.0.0.1:8080
    protocol: http
    tls_headers: {}
    default_actions: [{ type: fixed-response, status_code: 200 }]
";
    assert_snapshot!(report_of("tls-headers-http", text));
}

#[test]
fn a_port_without_an_address() {
    let keys = format!("{LISTENER}    x_forwarded_for: preserve\n    xff_client_port: true\n");
    assert_snapshot!(warnings("client-port", &[(LISTENER, &keys)]));
}

#[test]
fn a_condition_about_a_header_that_tells_about_tls() {
    let keys = format!("{LISTENER}    tls_headers: {{ version: x-tls-version }}\n");
    let rule = "      - priority: 7
        conditions: [{ http_header: { name: x-tls-version, values: [TLSv1.3] } }]
        actions: [{ type: fixed-response, status_code: 200 }]
";
    assert_snapshot!(report("tls-condition", &[(LISTENER, &keys), ("    rules:\n", &format!("    rules:\n{rule}"))]));
}

#[test]
fn g_13_a_proxy_protocol_that_everybody_could_speak() {
    assert_snapshot!(of_listener("proxy-protocol", "    proxy_protocol: v2\n"));
    let keys = "    trusted_proxies: [10.0.0.0/8]\n    proxy_protocol: v3\n";
    assert_snapshot!(of_listener("proxy-protocol-3", keys));
    let keys = "    proxy_protocol: v2\n    proxy_protocol_from: [0.0.0.0/0]\n";
    assert_snapshot!(of_listener("proxy-protocol-everybody", keys));
    let keys = "    trusted_proxies: [10.0.0.0/8]\n    proxy_protocol_from: [10.0.0.0/8]\n";
    assert_snapshot!(of_listener("proxy-protocol-without", keys));
}
