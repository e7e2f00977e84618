//! `forward_auth` of a listener.

use insta::assert_snapshot;

use super::report_of;

/// A listener that answers questions, with other lines of `forward_auth` and other default actions.
fn file(forward_auth: &str, actions: &str) -> String {
    format!(
        "listeners:
  - name: door
    address: 127.0.0.1:9000
    protocol: http
    forward_auth: {forward_auth}
    default_actions: {actions}
target_groups:
  app: {{ targets: ['127.0.0.1:1'] }}
"
    )
}

const SOUND: &str = "{ asked_by: nginx, peers: [127.0.0.1/32] }";
const ALLOW: &str = "[{ type: allow }]";

#[test]
fn f_03_peers() {
    assert_snapshot!(report_of("fa1", &file("{ asked_by: nginx, peers: [] }", ALLOW)), @r#"
    error: `peers` is empty: nobody could ask
     --> vestibule.yaml:5:38
      |
    5 |     forward_auth: { asked_by: nginx, peers: [] }
      |                                      ^^^^^
      |
      = at: listeners[0].forward_auth.peers
      = help: list the networks of the proxies that ask: `[127.0.0.1/32]`
    "#);
    assert_snapshot!(report_of("fa2", &file("{ asked_by: nginx }", ALLOW)), @r#"
    error: `peers` is missing
     --> vestibule.yaml:5:5
      |
    5 |     forward_auth: { asked_by: nginx }
      |     ^^^^^^^^^^^^
      |
      = at: listeners[0].forward_auth
      = help: Networks of the proxies that may ask, in CIDR form: `10.0.0.7/32`
    "#);
    assert_snapshot!(report_of("fa3", &file("{ asked_by: nginx, peers: [0.0.0.0/0] }", ALLOW)), @r#"
    error: `0.0.0.0/0` would let every client set its own address
     --> vestibule.yaml:5:46
      |
    5 |     forward_auth: { asked_by: nginx, peers: [0.0.0.0/0] }
      |                                              ^^^^^^^^^
      |
      = at: listeners[0].forward_auth.peers[0]
      = help: list the networks of your proxies
    "#);
}

#[test]
fn who_asks() {
    assert_snapshot!(report_of("fa4", &file("{ asked_by: apache, peers: [127.0.0.1/32] }", ALLOW)), @r#"
    error: unknown value `apache`
     --> vestibule.yaml:5:31
      |
    5 |     forward_auth: { asked_by: apache, peers: [127.0.0.1/32] }
      |                               ^^^^^^
      |
      = at: listeners[0].forward_auth.asked_by
      = help: expected one of `nginx`, `traefik`, `caddy`, `envoy` or `envoy_grpc`
    "#);
}

#[test]
fn endpoints() {
    let with = |asked_by: &str, endpoints: &str| {
        file(&format!("{{ asked_by: {asked_by}, peers: [127.0.0.1/32], endpoints: {endpoints} }}"), ALLOW)
    };
    assert_snapshot!(report_of("fa5", &with("nginx", "{ auth: answer }")), @r#"
    error: `auth` is not the path of an endpoint
     --> vestibule.yaml:5:74
      |
    5 |     forward_auth: { asked_by: nginx, peers: [127.0.0.1/32], endpoints: { auth: answer } }
      |                                                                          ^^^^
      |
      = at: listeners[0].forward_auth.endpoints.auth
      = help: write a path of letters, digits, `-`, `_` and `.`: `/auth`
    "#);
    assert_snapshot!(report_of("fa6", &with("nginx", "{ /auth/../x: answer }")), @r#"
    error: `/auth/../x` is not the path of an endpoint
     --> vestibule.yaml:5:74
      |
    5 |     forward_auth: { asked_by: nginx, peers: [127.0.0.1/32], endpoints: { /auth/../x: answer } }
      |                                                                          ^^^^^^^^^^
      |
      = at: listeners[0].forward_auth.endpoints."/auth/../x"
      = help: write a path of letters, digits, `-`, `_` and `.`: `/auth`
    "#);
    assert_snapshot!(report_of("fa7", &with("nginx", "{ /oauth2/auth: answer }")), @r#"
    error: `/oauth2/auth` is below the reserved paths
     --> vestibule.yaml:5:74
      |
    5 |     forward_auth: { asked_by: nginx, peers: [127.0.0.1/32], endpoints: { /oauth2/auth: answer } }
      |                                                                          ^^^^^^^^^^^^
      |
      = at: listeners[0].forward_auth.endpoints."/oauth2/auth"
      = help: use another path: the proxy sends requests to the reserved paths here, too
    "#);
    assert_snapshot!(report_of("fa8", &with("envoy", "{ /auth: answer, /auth/status: status }")), @r#"
    error: `/auth/status` is below the endpoint `/auth`
     --> vestibule.yaml:5:89
      |
    5 |     forward_auth: { asked_by: envoy, peers: [127.0.0.1/32], endpoints: { /auth: answer, /auth/status: status } }
      |                                                                                         ^^^^^^^^^^^^
      |
      = at: listeners[0].forward_auth.endpoints."/auth/status"
      = help: Envoy asks below the path of an endpoint; use a path that is not below another one
    "#);
    assert_snapshot!(report_of("fa9", &with("nginx", "{ /auth: redirect }")), @r#"
    error: unknown value `redirect`
     --> vestibule.yaml:5:81
      |
    5 |     forward_auth: { asked_by: nginx, peers: [127.0.0.1/32], endpoints: { /auth: redirect } }
      |                                                                                 ^^^^^^^^
      |
      = at: listeners[0].forward_auth.endpoints."/auth"
      = help: expected one of `answer` or `status`
    "#);
}

#[test]
fn terminals() {
    assert_snapshot!(report_of("fa10", &file(SOUND, "[{ type: forward, target_group: app }]")), @r#"
    error: `forward` in a listener with `forward_auth`
     --> vestibule.yaml:6:23
      |
    6 |     default_actions: [{ type: forward, target_group: app }]
      |                       ^
      |
      = at: listeners[0].default_actions[0]
      = help: the proxy that asks forwards the request: use `allow`
    "#);
    assert_snapshot!(report_of("fa11", &file(SOUND, "[{ type: fixed-response, status_code: 200 }]")), @r#"
    error: a `fixed-response` with a status below 400 in a listener with `forward_auth`
     --> vestibule.yaml:6:60
      |
    6 |     default_actions: [{ type: fixed-response, status_code: 200 }]
      |                                                            ^^^
      |
      = at: listeners[0].default_actions[0].status_code
      = help: the proxy that asks would let the request pass: use `allow`, or answer in that proxy
    "#);
    let elsewhere = file(SOUND, ALLOW).replace(&format!("    forward_auth: {SOUND}\n"), "");
    assert_snapshot!(report_of("fa12", &elsewhere), @r#"
    error: `allow` in a listener without `forward_auth`
     --> vestibule.yaml:5:23
      |
    5 |     default_actions: [{ type: allow }]
      |                       ^
      |
      = at: listeners[0].default_actions[0]
      = help: use `forward`
    "#);
    let signs_in = "[{ type: authenticate-oidc, provider: corp }, { type: allow }]";
    assert_snapshot!(report_of("fa13", &file(SOUND, signs_in)), @r#"
    error: `session` is missing: a rule authenticates
     --> vestibule.yaml:1:1
      |
    1 | listeners:
      | ^
      |
      = at: session
      = help: add `session: { key_files: [FILE] }`; `vestibule keys session --out FILE` creates the file

    error: `claims` is missing: a rule authenticates
     --> vestibule.yaml:1:1
      |
    1 | listeners:
      | ^
      |
      = at: claims
      = help: add `claims: { signer: NAME, signing_key_file: FILE }`; `vestibule keys signing --out FILE` creates the file

    error: there is no provider `corp`
     --> vestibule.yaml:6:60
      |
    6 |     default_actions: [{ type: authenticate-oidc, provider: corp }, { type: allow }]
      |                                                            ^^^^
      |
      = at: listeners[0].default_actions[0].provider
      = help: define it in `identity_providers`

    error: `allow` without `audience` behind an action that authenticates
     --> vestibule.yaml:6:68
      |
    6 |     default_actions: [{ type: authenticate-oidc, provider: corp }, { type: allow }]
      |                                                                    ^
      |
      = at: listeners[0].default_actions[1]
      = help: name the application: `audience: NAME`; it is `aud` of the signed claims
    "#);
}

#[test]
fn cors() {
    let listener = file(SOUND, ALLOW)
        .replace("    default_actions", "    cors: { allow_origins: ['https://a.test'] }\n    default_actions");
    assert_snapshot!(report_of("fa14", &listener), @r#"
    error: `cors` in a listener with `forward_auth`
     --> vestibule.yaml:6:5
      |
    6 |     cors: { allow_origins: ['https://a.test'] }
      |     ^^^^
      |
      = at: listeners[0].cors
      = help: answer it in the proxy that asks, or in the application
    "#);
}

#[test]
fn grpc() {
    assert_snapshot!(report_of("fa15", &file("{ asked_by: envoy_grpc, peers: [127.0.0.1/32] }", ALLOW)), @r#"
    error: `envoy_grpc` on an `http` listener
     --> vestibule.yaml:5:31
      |
    5 |     forward_auth: { asked_by: envoy_grpc, peers: [127.0.0.1/32] }
      |                               ^^^^^^^^^^
      |
      = at: listeners[0].forward_auth.asked_by
      = help: gRPC needs HTTP/2, and a listener has it with TLS only: use an `https` listener, or `asked_by: envoy`
    "#);
    let https = file("{ asked_by: envoy_grpc, peers: [127.0.0.1/32], endpoints: { /auth: answer } }", ALLOW).replace(
        "protocol: http\n",
        "protocol: https\n    certificates: [{ certificate_file: tls.pem, private_key_file: tls-key.pem }]\n",
    );
    assert_snapshot!(report_of("fa16", &https), @r#"
    error: `endpoints` with `asked_by: envoy_grpc`
     --> vestibule.yaml:6:66
      |
    6 |     forward_auth: { asked_by: envoy_grpc, peers: [127.0.0.1/32], endpoints: { /auth: answer } }
      |                                                                  ^^^^^^^^^
      |
      = at: listeners[0].forward_auth.endpoints
      = help: remove it: the call has one path, and its answer is whole
    "#);
}

#[test]
fn f_07_a_file_would_let_the_request_pass() {
    let message = report_of("fa-static", &file(SOUND, "[{ type: static, directory: site }]"));
    assert!(message.contains("error: `static` in a listener with `forward_auth`"), "{message}");
}
