//! Health checks of targets, with real seconds.

use serde_json::Value;

use crate::harness::app::{Proxy, Setup, wait_until};
use crate::harness::raw::{self, Raw};
use crate::harness::server::{Received, Reply, Server};
use crate::harness::wire::Wire;

/// A target that answers checks with a status, and other requests with its name.
fn target(name: &'static str) -> Server {
    let server = Server::start(|_| Reply::text(""));
    answers(&server, name, "200 OK");
    server
}

fn answers(server: &Server, name: &'static str, health: &'static str) {
    server.script(move |request| match request.target() {
        "/health" => Reply::new(health, &[], ""),
        _ => Reply::text(name),
    });
}

fn targets(proxy: &Proxy) -> Value {
    let answer = admin(proxy);
    assert!(answer.to_lowercase().contains("content-type: application/json\r\n"), "{answer}");
    let (_, body) = answer.split_once("\r\n\r\n").expect("a head");
    serde_json::from_str(body).expect("JSON")
}

fn admin(proxy: &Proxy) -> String {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(proxy.admin()).expect("it accepts");
    stream.write_all(b"GET /targets HTTP/1.1\r\nhost: localhost\r\n\r\n").expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    assert_eq!(raw::status(&answer), 200, "{answer}");
    answer
}

/// Waits until the targets have these states and reasons.
fn wait_for(proxy: &Proxy, expected: &[(&str, Option<&str>)]) -> Value {
    wait_until(&format!("{expected:?}"), || {
        let all = targets(proxy);
        let list = all["targets"].as_array().expect("a list");
        let states: Vec<_> =
            list.iter().map(|target| (target["state"].as_str().unwrap_or(""), target["reason"].as_str())).collect();
        (states == expected).then(|| all.clone())
    })
}

/// The names of the targets that answer `count` requests.
fn who(proxy: &Proxy, count: usize) -> Vec<String> {
    let request = "GET / HTTP/1.1\r\nhost: app.test\r\nconnection: close\r\n\r\n";
    let one = |_| {
        let answer = raw::exchange(proxy.address(), "app.test", request);
        assert_eq!(raw::status(&answer), 200, "{answer}");
        answer.split_once("\r\n\r\n").expect("a head").1.to_owned()
    };
    let mut names: Vec<_> = (0..count).map(one).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn checks(server: &Server) -> Vec<Received> {
    server.received().into_iter().filter(|request| request.target() == "/health").collect()
}

#[test]
fn only_healthy_targets_get_requests() {
    let (one, two) = (target("one"), target("two"));
    let setup = Setup::open(&[one.address(), two.address()]).target_group(
        "    health_check: { path: /health, interval: 5s, timeout: 2s, healthy_threshold: 2, unhealthy_threshold: 2 }",
    );
    let proxy = setup.start();
    // Before the first checks, no target is healthy, and all get requests.
    assert_eq!(who(&proxy, 8), ["one", "two"]);
    wait_for(&proxy, &[("healthy", None), ("healthy", None)]);
    let check = &checks(&one)[0];
    assert_eq!(check.header("host"), Some(one.address().to_string().as_str()));
    assert_eq!(check.header("user-agent"), Some("Vestibule-HealthChecker/1.0"));
    assert_eq!(check.header("connection"), Some("close"));
    assert_eq!(who(&proxy, 8), ["one", "two"]);

    answers(&two, "two", "503 Service Unavailable");
    let all = wait_for(&proxy, &[("healthy", None), ("unhealthy", Some("Target.ResponseCodeMismatch"))]);
    let unhealthy = &all["targets"][1];
    assert_eq!(unhealthy["target"], two.address().to_string());
    assert_eq!((&unhealthy["target_group"], &unhealthy["in_flight"]), (&"app".into(), &0.into()));
    assert_eq!(unhealthy["skipped"], false);
    assert!(unhealthy["since"].as_str().is_some_and(|since| since.ends_with('Z')), "{unhealthy}");
    assert_eq!(all["target_groups"][0]["fail_open"], false);
    assert_eq!(who(&proxy, 8), ["one"]);
    assert_eq!(unhealthy["last_failure"], "the status is 503");
    assert_eq!(all["targets"][0]["last_failure"], Value::Null);
    let count = |state: &str| proxy.metric(&format!("vestibule_targets{{target_group=\"app\",state=\"{state}\"}}"));
    assert_eq!(["initial", "healthy", "unhealthy"].map(count), [0, 1, 1]);

    // A reload keeps the state.
    let rule = "{ name: new, priority: 1, conditions: [{ path_pattern: [/new] }], \
                actions: [{ type: fixed-response, status_code: 200 }] }";
    proxy.reload(&setup.yaml().replace("rules: []", &format!("rules: [{rule}]"))).expect("it is valid");
    assert_eq!(targets(&proxy)["targets"], all["targets"]);
    assert_eq!(who(&proxy, 8), ["one"]);

    answers(&two, "two", "200 OK");
    wait_for(&proxy, &[("healthy", None), ("healthy", None)]);
    assert_eq!(who(&proxy, 8), ["one", "two"]);
}

#[test]
fn targets_that_leave_are_shown_as_long_as_requests_are_under_way() {
    let (wire, other) = (Wire::listen(), target("other"));
    let setup = Setup::open(&[wire.address()]);
    let proxy = setup.start();
    wait_for(&proxy, &[("unavailable", Some("Target.HealthCheckDisabled"))]);
    let mut client = Raw::connect(proxy.address(), "app.test");
    client.send("GET /slow HTTP/1.1\r\nhost: app.test\r\n\r\n");
    let mut held = wire.accept();
    held.read_head();
    assert_eq!(targets(&proxy)["targets"][0]["in_flight"], 1);
    let moved = setup.yaml().replace(&wire.address().to_string(), &other.address().to_string());
    proxy.reload(&moved).expect("it is valid");
    let both =
        [("unavailable", Some("Target.HealthCheckDisabled")), ("draining", Some("Target.DeregistrationInProgress"))];
    let draining = &wait_for(&proxy, &both)["targets"][1];
    assert_eq!((&draining["target"], &draining["in_flight"]), (&wire.address().to_string().into(), &1.into()));
    assert!(draining["since"].is_string(), "{draining}");
    held.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    client.read_response();
    wait_for(&proxy, &both[..1]);
}
