//! How spans get to the collector: again if it is busy, with the headers and the TLS of the file, and the last ones before the process ends.

use std::collections::BTreeMap;

use serde_json::json;

use super::{Collector, KINDS, of_kind, wait_for, with};
use crate::harness::app::{Proxy, Setup, folder, wait_until};
use crate::harness::browser::Protocol;
use crate::harness::certificates::certificates;
use crate::harness::target;

#[test]
fn a_collector_that_is_busy_gets_the_same_spans_again() {
    for (kind, protocol, answers) in [
        ("grpc", "grpc", ["UNAVAILABLE:0", "RESOURCE_EXHAUSTED:0", "ok"]),
        ("http", "http/protobuf", ["503:0", "429:0", "ok"]),
    ] {
        let collector = Collector::start(&[&[kind][..], &answers].concat());
        let target = target::echo();
        let mut proxy = with(Setup::open(&[target.address()]), &collector.traces(protocol, "")).start();
        assert_eq!(proxy.browser(Protocol::Http2).get("https://app.test/").status, 200);
        wait_for(&proxy, 2);
        assert!(proxy.shutdown());
        let calls = collector.calls();
        let said: Vec<_> = calls.iter().map(|call| call["answer"].as_str().expect("text")).collect();
        assert_eq!(said, answers);
        assert!(calls.iter().all(|call| call["spans"] == calls[0]["spans"]), "{calls:#?}");
    }
}

#[test]
fn what_the_collector_refuses_is_counted_and_nothing_else_suffers() {
    for (kind, protocol, answer) in [
        ("grpc", "grpc", "PERMISSION_DENIED"),
        ("http", "http/protobuf", "403"),
        ("grpc", "grpc", "partial"),
        ("http", "http/protobuf", "partial"),
    ] {
        let collector = Collector::start(&[kind, answer]);
        let target = target::echo();
        let mut proxy = with(Setup::open(&[target.address()]), &collector.traces(protocol, "")).start();
        let mut browser = proxy.browser(Protocol::Http1);
        assert_eq!(browser.get("https://app.test/").status, 200);
        let refused = if answer == "partial" { 1 } else { 2 };
        wait_until("they are counted", || {
            let dropped = proxy.metric("vestibule_trace_spans_dropped_total{reason=\"refused\"}");
            (dropped == refused).then_some(())
        });
        assert_eq!(browser.get("https://app.test/").status, 200);
        wait_for(&proxy, 4 - refused);
        assert!(proxy.shutdown());
        assert_eq!(collector.calls().len(), 2, "{kind} {answer}");
    }
}

#[test]
fn headers_compression_and_tls_are_as_configured() {
    for (kind, protocol) in KINDS {
        let place = folder();
        let [certificate, key] =
            [("chain.pem", &certificates().chain), ("key.pem", &certificates().key)].map(|(name, pem)| {
                std::fs::write(place.join(name), pem).expect("written");
                place.join(name).to_str().expect("text").to_owned()
            });
        let token = place.join("token");
        std::fs::write(&token, "Bearer of-the-collector\n").expect("written");
        let collector = Collector::start(&["--tls", &certificate, &key, kind]);
        let target = target::echo();
        let otlp = format!(
            "traces:
  otlp:
    endpoint: https://localhost:{}
    protocol: {protocol}
    headers: {{ x-tenant: a }}
    header_files: {{ authorization: '{}' }}
    ca_file: ca.pem
    compression: gzip
  sampling: {{ ratio: 1 }}
  service_name: door
  resource: {{ deployment.environment.name: test, service.instance.id: one }}
",
            collector.port,
            token.display()
        );
        let mut proxy = with(Setup::open(&[target.address()]), &otlp).start();
        assert_eq!(proxy.browser(Protocol::Http2).get("https://app.test/").status, 200);
        wait_for(&proxy, 2);
        assert!(proxy.shutdown());
        let calls = collector.calls();
        let headers = &calls[0]["headers"];
        assert_eq!((&headers["x-tenant"], &headers["authorization"]), (&json!("a"), &json!("Bearer of-the-collector")));
        if kind == "http" {
            assert_eq!((&headers["content-encoding"], &headers[":path"]), (&json!("gzip"), &json!("/v1/traces")));
        }
        let expected: BTreeMap<_, _> = [
            ("service.name", "door"),
            ("service.version", env!("CARGO_PKG_VERSION")),
            ("deployment.environment.name", "test"),
            ("service.instance.id", "one"),
        ]
        .into();
        assert_eq!(calls[0]["resource"], json!(expected));
        let _ = std::fs::remove_dir_all(place);
    }
}

#[test]
fn a_reload_changes_the_collector_and_loses_nothing() {
    let (before, later) = (Collector::start(&["grpc"]), Collector::start(&["http"]));
    let target = target::echo();
    let setup = Setup::open(&[target.address()]);
    let yaml = with(setup, &before.traces("grpc", "")).yaml();
    let mut proxy = Proxy::start(&yaml);
    let mut browser = proxy.browser(Protocol::Http2);
    assert_eq!(browser.get("https://app.test/before").status, 200);
    // At once: the spans wait for others of their batch.
    proxy.reload(&yaml.replace(&before.traces("grpc", ""), &later.traces("http/protobuf", ""))).expect("it is valid");
    assert_eq!(browser.get("https://app.test/later").status, 200);
    wait_for(&proxy, 4);
    // And off.
    proxy.reload(&yaml.replace(&before.traces("grpc", ""), "")).expect("it is valid");
    assert_eq!(browser.get("https://app.test/never").status, 200);
    assert_eq!(target.last().header("traceparent"), None);
    assert!(proxy.shutdown());
    for (collector, path) in [(before, "/before"), (later, "/later")] {
        let spans = collector.spans();
        let paths: Vec<_> = of_kind(&spans, "SERVER").iter().map(|span| &span["attributes"]["url.path"]).collect();
        assert_eq!((paths, spans.len()), (vec![&json!(path)], 2));
    }
}

#[test]
fn the_spans_of_the_last_requests_are_sent_before_the_process_ends() {
    for (kind, protocol) in KINDS {
        let collector = Collector::start(&[kind]);
        let target = target::echo();
        let mut proxy = with(Setup::open(&[target.address()]), &collector.traces(protocol, "")).start();
        let mut browser = proxy.browser(Protocol::Http2);
        assert_eq!(browser.get("https://app.test/").status, 200);
        assert!(proxy.shutdown());
        assert_eq!(collector.spans().len(), 2, "{kind}");
    }
}
