//! gRPC through the proxy, with a client and a server that nobody here wrote.

use serde_json::{Value, json};

use crate::harness::app::Setup;
use crate::harness::browser::Protocol;
use crate::harness::connection::{self, Connection};
use crate::harness::process::{self, Process};
use crate::harness::provider::Provider;
use crate::harness::scenario::PAGE;
use crate::harness::{runtime, target};

const RULES: &str = "
      - name: test
        priority: 10
        conditions: [{ path_pattern: [\"/test.Echo/*\", \"/grpc.reflection.*\"] }]
        actions: [{ type: forward, target_group: grpc }]
      - name: private
        priority: 20
        conditions: [{ path_pattern: [\"/private.Echo/*\"] }]
        actions: [{ type: authenticate-oidc, provider: corp }, { type: forward, target_group: grpc }]
      - name: admins
        priority: 30
        conditions: [{ path_pattern: [\"/admins.Echo/*\"] }]
        actions:
          - { type: authenticate-oidc, provider: corp }
          - { type: authorize, any: [{ claim: groups, contains: [admins] }] }
          - { type: forward, target_group: grpc }
      - name: down
        priority: 40
        conditions: [{ path_pattern: [\"/down.Echo/*\"] }]
        actions: [{ type: forward, target_group: down }]
      - name: old
        priority: 50
        conditions: [{ path_pattern: [\"/old.Echo/*\"] }]
        actions: [{ type: forward, target_group: app }]";

/// A server of grpcio, and its port.
fn server() -> (Process, u16) {
    let server = Process::start(process::python("python/grpc_peer.py", &["serve"]));
    let port = server.next_line().expect("a port").parse().expect("a number");
    (server, port)
}

fn setup(provider: &Provider, port: u16) -> Setup {
    let groups = format!(
        "  grpc:
    protocol_version: grpc
    targets: [\"127.0.0.1:{port}\"]
  down:
    protocol_version: grpc
    targets: [\"127.0.0.1:1\"]
"
    );
    Setup::new(provider, &target::echo()).rules(RULES).target_group(&groups)
}

#[test]
fn calls_of_every_kind_pass_and_refusals_are_grpc() {
    let (provider, (_server, port)) = (Provider::start(), server());
    let proxy = setup(&provider, port).start();
    provider.say(|script| script.now = proxy.clock.now().seconds());
    let mut browser = proxy.browser(Protocol::Http2);
    provider.try_sign_in(&mut browser, PAGE);
    let ca = proxy.folder().join("ca.pem");
    let settings = json!({
        "address": proxy.address(), "host": "app.test", "ca": ca, "cookie": browser.cookie_header("app.test"),
    });
    let called = Process::start(process::python("python/grpc_peer.py", &["call", &settings.to_string()])).finish();
    let said: Value = serde_json::from_str(&called.output).unwrap_or_else(|_| panic!("{called:?}"));
    let expected = json!({
        "unary": ["hello", "told"],
        "large": true,
        "fails": ["FAILED_PRECONDITION", "no tea: ü", "NO_TEA"],
        "down": ["0", "1", "2", "3", "4"],
        "up": "a,b,c",
        "both": ["<a>", "<b>", "<c>"],
        "cancels": ["waiting", "yes"],
        "deadline": "DEADLINE_EXCEEDED",
        "reflects": ["grpc.reflection.v1alpha.ServerReflection", "test.Echo"],
        "signed_in": "alice",
        "refused": {
            "nobody": ["UNAUTHENTICATED", "auth.required"],
            "not_allowed": ["PERMISSION_DENIED", "auth.not_allowed"],
            "down": ["UNAVAILABLE", "upstream.unreachable"],
            "http1": ["UNIMPLEMENTED", "upstream.protocol_mismatch"],
        },
    });
    assert_eq!(said, expected);
    let calls =
        |group: &str| proxy.metric(&format!("vestibule_upstream_grpc_requests_total{{target_group=\"{group}\"}}"));
    assert!(calls("grpc") > 8, "{}", proxy.metrics());
    assert_eq!((calls("down"), calls("app")), (1, 1), "also those that have no answer");
}

#[test]
fn a_deadline_is_kept_although_the_client_does_not_end_the_call() {
    let (provider, (_server, port)) = (Provider::start(), server());
    let proxy = setup(&provider, port).start();
    runtime().block_on(async {
        let mut client = Connection::open(Protocol::Http2, proxy.address(), "app.test").await;
        let request = client.request("POST", "/test.Echo/Waits").header("content-type", "application/grpc");
        // An empty message.
        let request = request.header("grpc-timeout", "300m").body(connection::full(vec![0; 5])).expect("a request");
        let response = client.start(request).await.expect("sent").head().await.expect("a head");
        let head = response.headers().get("grpc-status").cloned();
        let (answer, trailers) = connection::whole(response).await;
        // Where the server is slow, before its head.
        assert_eq!(head.or_else(|| trailers.get("grpc-status").cloned()).expect("a status"), "4", "{answer:?}");
    });
}

#[test]
fn only_a_post_of_http2_reaches_grpc_targets() {
    let (provider, (_server, port)) = (Provider::start(), server());
    let proxy = setup(&provider, port).start();
    let ask = |protocol, method: &str| {
        let answer = proxy.browser(protocol).send(method, "https://app.test/test.Echo/Unary", &[], b"");
        (answer.status, answer.reason().unwrap_or_default())
    };
    let mismatch = (464, "upstream.protocol_mismatch".to_owned());
    assert_eq!(ask(Protocol::Http1, "POST"), mismatch);
    assert_eq!(ask(Protocol::Http1, "GET"), mismatch);
    assert_eq!(ask(Protocol::Http2, "GET"), mismatch);
    assert_ne!(ask(Protocol::Http2, "POST").0, 464, "it is for the target to say that this is no gRPC");
}
