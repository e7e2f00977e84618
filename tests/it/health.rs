//! Health checks of targets, with real seconds.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use serde_json::Value;

use crate::harness::app::{Setup, folder, free_port, wait_until};
use crate::harness::process::{self, Process};
use crate::harness::raw::{self, Raw};
use crate::harness::server::{Received, Reply, Server};
use crate::harness::wire::Wire;

/// A target that answers requests with its name. It answers checks while nobody holds `silence`.
fn target(name: &'static str, silence: &Arc<Mutex<()>>) -> Server {
    let silence = Arc::clone(silence);
    Server::start(move |request| match request.target() {
        "/health" => {
            drop(silence.lock());
            Reply::text("well")
        }
        _ => Reply::text(name),
    })
}

/// The answer to a `GET`, of a server that closes the connection after it.
fn get(address: SocketAddr, path: &str) -> (String, String) {
    use std::io::{Read as _, Write as _};
    let mut stream = std::net::TcpStream::connect(address).expect("it accepts");
    let request = format!("GET {path} HTTP/1.1\r\nhost: localhost\r\nconnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    assert_eq!(raw::status(&answer), 200, "{answer}");
    (head.to_lowercase(), body.to_owned())
}

fn targets(admin: SocketAddr) -> Value {
    let (head, body) = get(admin, "/targets");
    assert!(head.contains("content-type: application/json"), "{head}");
    serde_json::from_str(&body).expect("JSON")
}

/// Waits until the targets have these states and reasons.
fn wait_for(admin: SocketAddr, expected: &[(&str, Option<&str>)]) -> Value {
    wait_until(&format!("{expected:?}"), || {
        let all = targets(admin);
        let list = all["targets"].as_array().expect("a list");
        let states: Vec<_> =
            list.iter().map(|target| (target["state"].as_str().unwrap_or(""), target["reason"].as_str())).collect();
        (states == expected).then(|| all.clone())
    })
}

/// The names of the targets that answer `count` requests.
fn who(public: SocketAddr, count: usize) -> Vec<String> {
    let mut names: Vec<_> = (0..count).map(|_| get(public, "/").1).collect();
    names.sort_unstable();
    names.dedup();
    names
}

fn checks(server: &Server) -> Vec<Received> {
    server.received().into_iter().filter(|request| request.target() == "/health").collect()
}

/// The configuration of the process, with rules besides.
fn write(config: &PathBuf, public: SocketAddr, admin: SocketAddr, targets: &[&Server], rules: &str) {
    let addresses: Vec<_> = targets.iter().map(|target| target.address().to_string()).collect();
    let text = format!(
        "admin: {{ address: {admin} }}
watch: false
workers: 2
access_log: {{ destination: access.log }}
listeners:
  - name: public
    address: {public}
    protocol: http
    rules: {rules}
    default_actions: [{{ type: forward, target_group: app }}]
target_groups:
  app:
    targets: {addresses:?}
    health_check: {{ path: /health, interval: 5s, timeout: 2s, healthy_threshold: 2, unhealthy_threshold: 2 }}
"
    );
    std::fs::write(config, text).expect("written");
}

#[test]
fn only_healthy_targets_get_requests() {
    let silence = [(); 2].map(|()| Arc::new(Mutex::new(())));
    let [one, two] = [target("one", &silence[0]), target("two", &silence[1])];
    let [public, admin] = [(); 2].map(|()| SocketAddr::from(([127, 0, 0, 1], free_port())));
    let (config, servers) = (folder().join("vestibule.yaml"), [&one, &two]);
    let command = |name| process::vestibule(&[name, "--config", config.to_str().expect("UTF-8")]);
    write(&config, public, admin, &servers, "[]");
    let serving = Process::start(command("serve"));
    wait_until("it serves", || serving.errors().contains("the admin endpoint is open").then_some(()));
    wait_for(admin, &[("healthy", None), ("healthy", None)]);
    let check = &checks(&one)[0];
    assert_eq!(check.header("host"), Some(one.address().to_string().as_str()));
    assert_eq!(check.header("user-agent"), Some("Vestibule-HealthChecker/1.0"));
    assert_eq!(check.header("connection"), Some("close"));
    assert_eq!(who(public, 8), ["one", "two"]);

    let silent = silence[1].lock().expect("unpoisoned");
    let all = wait_for(admin, &[("healthy", None), ("unhealthy", Some("Target.Timeout"))]);
    let unhealthy = &all["targets"][1];
    assert_eq!((&unhealthy["target_group"], &unhealthy["in_flight"]), (&"app".into(), &0.into()));
    assert_eq!((&unhealthy["target"], &unhealthy["skipped"]), (&two.address().to_string().into(), &false.into()));
    assert_eq!(unhealthy["last_failure"], "no answer within 2s");
    assert!(unhealthy["since"].as_str().is_some_and(|since| since.ends_with('Z')), "{unhealthy}");
    assert_eq!(all["targets"][0]["last_failure"], Value::Null);
    assert_eq!(all["target_groups"][0]["fail_open"], false);
    assert_eq!(who(public, 8), ["one"]);
    let metrics = get(admin, "/metrics").1;
    for (state, count) in [("initial", 0), ("healthy", 1), ("unhealthy", 1)] {
        let line = format!("vestibule_targets{{target_group=\"app\",state=\"{state}\"}} {count}\n");
        assert!(metrics.contains(&line), "{line}{metrics}");
    }

    // A reload keeps the state.
    let rule = "[{ name: new, priority: 1, conditions: [{ path_pattern: [/new] }], \
                actions: [{ type: fixed-response, status_code: 200, content_type: text/plain, body: new }] }]";
    write(&config, public, admin, &servers, rule);
    assert_eq!(Process::start(command("reload")).finish().code, Some(0), "{}", serving.errors());
    assert_eq!(get(public, "/new").1, "new");
    assert_eq!(targets(admin)["targets"], all["targets"]);
    assert_eq!(who(public, 8), ["one"]);

    drop(silent);
    wait_for(admin, &[("healthy", None), ("healthy", None)]);
    assert_eq!(who(public, 8), ["one", "two"]);
    serving.signal("TERM");
    let ended = serving.finish();
    assert_eq!(ended.code, Some(0), "{}", ended.errors);
    let changes = |text: &str| ended.errors.matches(text).count();
    assert_eq!((changes("the target is healthy"), changes("the target is unhealthy")), (3, 1), "{}", ended.errors);
}

#[test]
fn targets_that_leave_are_shown_as_long_as_requests_are_under_way() {
    let (wire, other) = (Wire::listen(), target("other", &Arc::default()));
    let setup = Setup::open(&[wire.address()]);
    let proxy = setup.start();
    wait_for(proxy.admin(), &[("unavailable", Some("Target.HealthCheckDisabled"))]);
    let mut client = Raw::connect(proxy.address(), "app.test");
    client.send("GET /slow HTTP/1.1\r\nhost: app.test\r\n\r\n");
    let mut held = wire.accept();
    held.read_head();
    assert_eq!(targets(proxy.admin())["targets"][0]["in_flight"], 1);
    let moved = setup.yaml().replace(&wire.address().to_string(), &other.address().to_string());
    proxy.reload(&moved).expect("it is valid");
    let both =
        [("unavailable", Some("Target.HealthCheckDisabled")), ("draining", Some("Target.DeregistrationInProgress"))];
    let draining = &wait_for(proxy.admin(), &both)["targets"][1];
    assert_eq!((&draining["target"], &draining["in_flight"]), (&wire.address().to_string().into(), &1.into()));
    assert!(draining["since"].is_string(), "{draining}");
    held.send("HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n");
    client.read_response();
    wait_for(proxy.admin(), &both[..1]);
}
