//! What a listener tells targets of the client and its connection (ALB §10.2 to §10.4, §10.7).

use std::net::IpAddr;

use crate::harness::app::{Proxy, Setup};
use crate::harness::browser::{Protocol, on_both};
use crate::harness::server::Server;
use crate::harness::{raw, target};

fn started(listener: &str) -> (Server, Proxy) {
    let target = target::echo();
    let proxy = Setup::open(&[target.address()]).listener(listener).start();
    (target, proxy)
}

/// What the target gets of these headers: the values of `name`.
#[track_caller]
fn received(target: &Server, proxy: &Proxy, protocol: Protocol, headers: &[(&str, &str)], name: &str) -> Vec<String> {
    let mut browser = proxy.browser(protocol);
    browser.from = Some(IpAddr::from([127, 0, 0, 1]));
    assert_eq!(browser.send("GET", "https://app.test/", headers, b"").status, 200);
    let fields = target.last().headers;
    let values = fields.into_iter().filter(|(known, _)| known.eq_ignore_ascii_case(name));
    values.map(|(_, value)| value).collect()
}

#[test]
fn x_forwarded_for_is_appended_to_preserved_or_removed() {
    for (mode, given, expected) in [
        ("append", None, Some("127.0.0.1")),
        ("append", Some("127.0.0.4"), Some("127.0.0.4, 127.0.0.1")),
        ("preserve", Some("127.0.0.4"), Some("127.0.0.4")),
        ("preserve", None, None),
        ("remove", Some("127.0.0.4"), None),
    ] {
        // ALB §10.2: both other modes override the port.
        let keys = if mode == "append" { "" } else { "\n    xff_client_port: true" };
        let (target, proxy) = started(&format!("    x_forwarded_for: {mode}{keys}"));
        on_both(|protocol| {
            let headers: Vec<_> = given.map(|given| ("x-forwarded-for", given)).into_iter().collect();
            let values = received(&target, &proxy, protocol, &headers, "x-forwarded-for");
            assert_eq!(values, expected.into_iter().collect::<Vec<_>>(), "{mode} {given:?}");
        });
    }
}

#[test]
fn x_forwarded_for_can_have_the_port_of_the_client() {
    let (target, proxy) = started("    xff_client_port: true");
    on_both(|protocol| {
        let values = received(&target, &proxy, protocol, &[("x-forwarded-for", "9.9.9.9")], "x-forwarded-for");
        let [value] = &values[..] else { panic!("{values:?}") };
        let port = value.strip_prefix("9.9.9.9, 127.0.0.1:").expect("the address");
        assert!(port.parse::<u16>().is_ok_and(|port| port != 0), "{value}");
        let logged = proxy.access_log(1).pop().expect("a record");
        assert_eq!(logged["client.address"], "127.0.0.1", "the log has a field for the port");
    });
}

#[test]
fn targets_are_told_the_clients_tls_by_the_names_of_openssl() {
    let renamed = "    tls_headers: { version: X-Tls-Version, cipher_suite: X-Tls-Suite }";
    for (keys, version, suite) in [
        ("    tls_headers: {}", "x-amzn-tls-version", "x-amzn-tls-cipher-suite"),
        (renamed, "x-tls-version", "x-tls-suite"),
    ] {
        let (target, proxy) = started(keys);
        on_both(|protocol| {
            // H-01: the client's own are removed.
            let forged = [(version, "SSLv3"), (suite, "NULL"), ("x-amzn-tls-version", "SSLv3")];
            assert_eq!(received(&target, &proxy, protocol, &forged, version), ["TLSv1.3"]);
            let suites = received(&target, &proxy, protocol, &forged, suite);
            assert!(suites.len() == 1 && suites[0].starts_with("TLS_AES_"), "{suites:?}");
        });
    }
    let (target, proxy) = started("");
    on_both(|protocol| {
        let forged = [("x-amzn-tls-version", "SSLv3")];
        assert!(
            received(&target, &proxy, protocol, &forged, "x-amzn-tls-version").is_empty(),
            "off, and still removed"
        );
    });
}

/// On a listener that does not write them, no client does, either (attacks H-01).
#[test]
fn h_01_no_client_of_another_listener_sets_the_headers_about_tls() {
    let target = target::echo();
    let yaml = Setup::open(&[target.address()])
        .listener("    tls_headers: { version: X-Tls-Version, cipher_suite: X-Tls-Suite }")
        .yaml()
        .replace(
            "      - { type: redirect, protocol: HTTPS, port: '443', status_code: HTTP_301 }",
            "      - { type: forward, target_group: app }",
        );
    let proxy = Proxy::start(&yaml);
    let mut browser = proxy.browser(Protocol::Http1);
    browser.move_to(proxy.address_of("plain"));
    let names = ["x-tls-version", "x-tls-suite", "x-amzn-tls-version", "x-amzn-tls-cipher-suite"];
    let forged = names.map(|name| (name, "forged"));
    assert_eq!(browser.send("GET", "http://app.test/", &forged, b"").status, 200);
    let told = target.last();
    for name in names {
        assert_eq!(told.header(name), None, "{name}");
    }
}

const TRACE: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-00";

#[test]
fn a_trace_context_is_passed_on() {
    for keys in ["", "    trace_context: create"] {
        let (target, proxy) = started(keys);
        on_both(|protocol| {
            let headers = [("traceparent", TRACE), ("tracestate", "a=b")];
            assert_eq!(received(&target, &proxy, protocol, &headers, "traceparent"), [TRACE], "{keys}");
            assert_eq!(received(&target, &proxy, protocol, &headers, "tracestate"), ["a=b"], "{keys}");
        });
    }
    let (target, proxy) = started("");
    on_both(|protocol| assert!(received(&target, &proxy, protocol, &[], "traceparent").is_empty()));
}

#[test]
fn a_trace_begins_where_there_is_none_that_is_valid() {
    let (target, proxy) = started("    trace_context: create");
    on_both(|protocol| {
        let upper = TRACE.to_uppercase();
        for headers in [&[][..], &[("traceparent", &*upper), ("tracestate", "a=b")], &[("traceparent", TRACE); 2]] {
            let values = received(&target, &proxy, protocol, headers, "traceparent");
            let [value] = &values[..] else { panic!("{headers:?}: {values:?}") };
            let last = target.last();
            let root = last.header("x-amzn-trace-id").and_then(|id| id.strip_prefix("Root=1-")).expect("a root");
            let parts: Vec<&str> = value.split('-').collect();
            assert_eq!((parts[0], parts[1], parts[3]), ("00", &*root.replace('-', ""), "01"), "{value}");
            assert_eq!(last.header("tracestate"), None, "{headers:?}");
        }
    });
}

#[test]
fn the_trace_id_of_the_load_balancer_is_rewritten_as_its_documentation_says() {
    let (target, proxy) = started("");
    on_both(|protocol| {
        let id = |headers: &[(&str, &str)]| {
            let values = received(&target, &proxy, protocol, headers, "x-amzn-trace-id");
            assert_eq!(values.len(), 1, "{values:?}");
            values[0].clone()
        };
        let is_id = |text: &str| {
            let lengths: Vec<usize> = text.split('-').map(str::len).collect();
            lengths == [1, 8, 24] && text.starts_with("1-")
        };
        assert!(id(&[]).strip_prefix("Root=").is_some_and(is_id));
        let given = "Root=1-67891233-abcdef012345678912345678;CalledFrom=app";
        let with_self = format!("Self=1-67891233-000000000000000000000000;{given}");
        for sent in [given, &with_self] {
            let answer = id(&[("x-amzn-trace-id", sent)]);
            let (own, kept) = answer.split_once(';').expect("two fields");
            assert!(own.strip_prefix("Self=").is_some_and(is_id), "{answer}");
            assert_eq!(kept, given);
        }
        let long = "x".repeat(7 * 1024);
        assert!(id(&[("x-amzn-trace-id", given), ("x-long", &long)]).strip_prefix("Root=").is_some_and(is_id));
        let cookie = format!("a={long}");
        assert!(id(&[("x-amzn-trace-id", given), ("cookie", &cookie)]).ends_with(given));
    });
}

/// ALB §10.4, by row: the request target, `Host`, and what the target gets without and with `preserve_host_header`.
const HOSTS: [(&str, &str, &str, &str); 7] = [
    ("/", "example.com", "example.com", "example.com"),
    ("/", "example.com:443", "example.com", "example.com:443"),
    ("/", "EXAMPLE.com", "example.com", "example.com"),
    ("https://dns-name.test/", "dns-name.test", "dns-name.test", "dns-name.test"),
    ("https://dns-name.test:443/", "dns-name.test", "dns-name.test", "dns-name.test:443"),
    ("/", "example.com:8080", "example.com:8080", "example.com:8080"),
    // The ALB adds the port of a listener with another port than the default. Here the port is what the client named.
    ("https://dns-name.test:8443/", "dns-name.test:8443", "dns-name.test:8443", "dns-name.test:8443"),
];

#[test]
fn host_is_sent_as_the_table_says() {
    let target = target::echo();
    for preserves in [false, true] {
        let forward = format!(" [{{ type: forward, target_group: app, preserve_host_header: {preserves} }}]");
        let proxy = Setup::open(&[target.address()]).default_actions(&forward).start();
        for (line, host, expected, preserved) in HOSTS {
            let request = format!("GET {line} HTTP/1.1\r\nhost: {host}\r\nconnection: close\r\n\r\n");
            assert_eq!(raw::status(&raw::exchange(proxy.address(), "app.test", request)), 200, "{line} {host}");
            let expected = if preserves { preserved } else { expected };
            assert_eq!(target.last().header("host"), Some(expected), "{line} {host} {preserves}");
        }
        on_both(|protocol| {
            for (authority, expected) in [("app.test", "app.test"), ("app.test:8080", "app.test:8080")] {
                assert_eq!(proxy.browser(protocol).get(&format!("https://{authority}/")).status, 200);
                assert_eq!(target.last().header("host"), Some(expected), "{authority}");
            }
        });
    }
}

#[test]
fn g_14_two_names_for_one_request_are_refused_also_with_preserve() {
    let target = target::echo();
    for preserves in [false, true] {
        let forward = format!(" [{{ type: forward, target_group: app, preserve_host_header: {preserves} }}]");
        let proxy = Setup::open(&[target.address()]).default_actions(&forward).start();
        for lines in ["host: a.test\r\nhost: a.test", "host: a.test\r\nhost: b.test"] {
            let request = format!("GET / HTTP/1.1\r\n{lines}\r\nconnection: close\r\n\r\n");
            assert_eq!(raw::status(&raw::exchange(proxy.address(), "app.test", request)), 400, "{lines}");
        }
        let request = "GET https://dns-name.test/ HTTP/1.1\r\nhost: example.com\r\nconnection: close\r\n\r\n";
        assert_eq!(raw::status(&raw::exchange(proxy.address(), "app.test", request)), 400);
    }
    assert_eq!(target.count(), 0);
}

#[test]
fn an_address_that_is_too_long_is_414() {
    let (target, proxy) = started("    limits: { head_bytes_max: 16384 }");
    on_both(|protocol| {
        let get = |path: usize, field: usize| {
            let url = format!("https://app.test/{}", "a".repeat(path));
            let answer = proxy.browser(protocol).send("GET", &url, &[("x", &*"b".repeat(field))], b"");
            (answer.status, answer.reason().unwrap_or_default())
        };
        assert_eq!(get(15_000, 10).0, 200);
        assert_eq!(get(17_000, 10), (414, "request.uri_too_long".to_owned()));
        assert_eq!(get(9000, 9000), (414, "request.uri_too_long".to_owned()));
        assert_eq!(get(10, 17_000), (431, "request.head_too_large".to_owned()));
    });
    assert_eq!(target.count(), 2);
}

#[test]
fn more_than_thirty_addresses_are_463() {
    let (target, proxy) = started("    xff_client_port: true");
    on_both(|protocol| {
        for (count, expected) in [(30, 200), (31, 463)] {
            let list = vec!["192.0.2.1"; count].join(", ");
            let answer = proxy.browser(protocol).send("GET", "https://app.test/", &[("x-forwarded-for", &list)], b"");
            assert_eq!(answer.status, expected, "{count}");
        }
    });
    assert_eq!(target.count(), 2);
}
