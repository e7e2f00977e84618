//! Questions of another proxy, and the traces that its clients name.

use serde_json::json;

use super::{Collector, PARENT, TRACE, parent};
use crate::harness::app::Proxy;
use crate::harness::browser::{Answer, Browser, Protocol};

fn door(collector: &Collector, listener: &str, ratio: &str) -> Proxy {
    let traces = collector.traces("grpc", "").replace("ratio: 1 ", &format!("ratio: {ratio} "));
    Proxy::start(&format!(
        "
listeners:
  - name: door
    address: 127.0.0.1:0
    protocol: http
    forward_auth: {{ asked_by: caddy, peers: [127.0.0.1/32] }}
{listener}
    default_actions: [{{ type: allow, audience: app }}]
admin: {{ address: 127.0.0.1:0 }}
access_log: {{ destination: access.log }}
workers: 1
{traces}"
    ))
}

/// A question about a request whose client has sent a `traceparent`.
fn ask(door: &Proxy, flags: &str) -> Answer {
    let mut browser = Browser::new(Protocol::Http1, door.address_of("door"));
    let parent = parent(flags);
    let question = [
        ("x-forwarded-method", "GET"),
        ("x-forwarded-proto", "https"),
        ("x-forwarded-host", "app.test"),
        ("x-forwarded-uri", "/x"),
        ("x-forwarded-for", "192.0.2.1"),
        ("traceparent", &parent),
    ];
    let answer = browser.send("GET", "http://app.test/auth", &question, b"");
    assert_eq!(answer.status, 200, "{answer:?}");
    assert!(answer.header("traceparent").is_none(), "the request that is asked about has a span of the other proxy");
    answer
}

/// The other proxy passes on what its clients have sent, so its word is not its own.
#[test]
fn a_client_of_the_other_proxy_does_not_decide_what_is_recorded() {
    let collector = Collector::start(&["grpc"]);
    let mut none = door(&collector, "", "0");
    ask(&none, "01");
    assert!(none.shutdown());
    let mut all = door(&collector, "", "1");
    ask(&all, "00");
    assert!(all.shutdown());
    let spans = collector.spans();
    let [span] = &spans[..] else { panic!("{spans:#?}") };
    assert_eq!((&span["parent"], &span["links"]), (&json!(""), &json!([[TRACE, PARENT]])), "{span}");
}

#[test]
fn a_proxy_that_begins_traces_itself_can_be_believed() {
    let collector = Collector::start(&["grpc"]);
    let mut door = door(&collector, "    trusted_proxies: [127.0.0.1/32]", "0");
    for flags in ["01", "00"] {
        ask(&door, flags);
    }
    assert!(door.shutdown());
    let spans = collector.spans();
    let [span] = &spans[..] else { panic!("{spans:#?}") };
    assert_eq!((&span["trace"], &span["parent"]), (&json!(TRACE), &json!(PARENT)), "{span}");
}
