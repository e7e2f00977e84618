//! The operator's endpoint: probes, metrics, keys, and nothing of it where strangers can reach it.

use std::collections::BTreeSet;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};

use crate::harness::app::{ATTACK_RULES, Proxy, Setup};
use crate::harness::browser::{Protocol, on_both};
use crate::harness::provider::Provider;
use crate::harness::raw;
use crate::harness::target;

fn ask(address: SocketAddr, line: &str) -> (u16, String, String) {
    let mut stream = TcpStream::connect(address).expect("the operator's endpoint accepts");
    stream.write_all(format!("{line} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (raw::status(head), head.to_lowercase(), body.to_owned())
}

#[test]
fn probes_are_answered() {
    let proxy = Setup::open(&[]).start();
    for (path, body) in [("/livez", "live\n"), ("/readyz", "ready\n")] {
        let (status, head, said) = ask(proxy.admin(), &format!("GET {path}"));
        assert_eq!((status, said.as_str()), (200, body));
        assert!(head.contains("cache-control: no-store"), "{head}");
        assert_eq!(ask(proxy.admin(), &format!("HEAD {path}")).2, "");
    }
    for (line, status) in [("GET /", 404), ("GET /metrics/", 404), ("POST /livez", 405), ("DELETE /metrics", 405)] {
        let (answered, head, _) = ask(proxy.admin(), line);
        assert_eq!(answered, status, "{line}");
        assert!(head.contains("allow: get, head, options"), "{line}: {head}");
    }
}

/// Sends bytes, and reads to the end.
fn bytes(address: SocketAddr, request: &str) -> String {
    let mut stream = TcpStream::connect(address).expect("it accepts");
    stream.write_all(request.as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    answer
}

#[test]
fn health_checks_of_load_balancers_are_answered_here_and_by_a_rule() {
    let (provider, target) = (Provider::start(), target::echo());
    let yaml = Setup::new(&provider, &target).rules(ATTACK_RULES).yaml().replace(
        "  - name: plain\n    address: 127.0.0.1:0\n    protocol: http\n",
        "  - name: plain\n    address: 127.0.0.1:0\n    protocol: http\n    rules: [{ name: probe, priority: 1, conditions: \
         [{ path_pattern: [/healthz] }], actions: [{ type: fixed-response, status_code: 200, content_type: text/plain, body: ok }] }]\n",
    );
    let proxy = Proxy::start(&yaml);
    // HAProxy's `option httpchk`, nginx's and keepalived's checks, AWS's classic load balancer.
    for method in ["OPTIONS", "GET", "HEAD"] {
        for headers in ["", "User-Agent: probe\r\n"] {
            for (address, path) in
                [(proxy.admin(), "/livez"), (proxy.admin(), "/readyz"), (proxy.address_of("plain"), "/healthz")]
            {
                let request = format!("{method} {path} HTTP/1.0\r\n{headers}\r\n");
                let answer = bytes(address, &request);
                assert_eq!(raw::status(&answer), 200, "{request}{answer}");
            }
        }
    }
    // RFC 9112 §3.2: HTTP/1.1 without `Host` is refused, and two of them in any version.
    let plain = proxy.address_of("plain");
    for request in [
        "GET /healthz HTTP/1.1\r\nconnection: close\r\n\r\n",
        "GET /healthz HTTP/1.0\r\nhost: a.test\r\nhost: b.test\r\n\r\n",
        "GET /healthz HTTP/1.0\r\nhost:\r\n\r\n",
    ] {
        assert_eq!(raw::status(&bytes(plain, request)), 400, "{request}");
    }
    // Without a name, a rule that authenticates lets nobody past.
    let answer = raw::exchange(proxy.address(), "app.test", "GET /api/x HTTP/1.0\r\n\r\n");
    assert_eq!(raw::status(&answer), 401, "{answer}");
    assert_eq!(target.count(), 0);
}

#[test]
fn a_page_whose_name_points_here_reads_nothing() {
    let yaml = Setup::open(&[]).yaml().replace("admin: {", "admin: { hosts: [Vestibule.Monitoring.svc],");
    let proxy = Proxy::start(&yaml);
    let status = |path: &str, host: &str| {
        raw::status(&bytes(proxy.admin(), &format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n")))
    };
    let ours = [
        "127.0.0.1",
        "127.0.0.1:9440",
        "[::1]:9440",
        "10.1.2.3",
        "localhost:1",
        "LOCALHOST",
        "a.localhost",
        "vestibule.monitoring.svc",
        "Vestibule.monitoring.SVC:9440",
    ];
    for host in ours {
        assert_eq!(status("/metrics", host), 200, "{host}");
    }
    let strangers = [
        "rebound.example",
        "rebound.example:9440",
        "localhost.example",
        "127.0.0.1.example",
        "monitoring.svc",
        "vestibule.monitoring.svc.example",
        "a@localhost.example",
        "",
        "%6c",
    ];
    for host in strangers {
        for path in ["/metrics", "/.well-known/vestibule/jwks.json", "/other"] {
            assert_eq!(status(path, host), 421, "{host} {path}");
        }
        // They tell nothing, and load balancers ask by any name.
        assert_eq!((status("/livez", host), status("/readyz", host)), (200, 200), "{host}");
    }
    let two = "GET /metrics HTTP/1.1\r\nhost: localhost\r\nhost: rebound.example\r\n\r\n";
    assert_eq!(raw::status(&bytes(proxy.admin(), two)), 421);
    let absolute = "GET http://rebound.example/metrics HTTP/1.1\r\nhost: localhost\r\n\r\n";
    assert_eq!(raw::status(&bytes(proxy.admin(), absolute)), 421);
}

#[test]
fn l_05_nothing_of_it_is_on_a_public_listener() {
    let (provider, target) = (Provider::start(), target::echo());
    let proxy = Setup::new(&provider, &target).start();
    on_both(|protocol| {
        let mut browser = proxy.browser(protocol).scripted();
        for path in ["/metrics", "/livez", "/readyz"] {
            let answer = browser.get(&format!("https://app.test{path}"));
            assert_eq!((answer.status, answer.reason().as_deref()), (401, Some("auth.required")), "{path}");
        }
    });
    let mut browser = proxy.browser(Protocol::Http1).with_host("app.test", proxy.address_of("plain"));
    assert_eq!(browser.get("http://app.test/metrics").status, 301);
    assert_eq!(target.count(), 0);
}

#[test]
fn the_keys_of_the_claims_are_there_as_on_a_public_listener() {
    let (provider, target) = (Provider::start(), target::echo());
    let proxy = Setup::new(&provider, &target).start();
    let public = proxy.browser(Protocol::Http2).get("https://app.test/.well-known/vestibule/jwks.json");
    let (status, _, admin) = ask(proxy.admin(), "GET /.well-known/vestibule/jwks.json");
    assert_eq!((public.status, status), (200, 200));
    assert_eq!(public.text(), admin);
    let kid = public.json()["keys"][0]["kid"].as_str().expect("a key").to_owned();
    let (status, _, pem) = ask(proxy.admin(), &format!("GET /.well-known/vestibule/keys/{kid}"));
    assert_eq!(status, 200);
    assert!(pem.starts_with("-----BEGIN PUBLIC KEY-----"), "{pem}");
    assert_eq!(ask(proxy.admin(), "GET /.well-known/vestibule/keys/unknown").0, 404);
}

/// Name and label names of every series, without the labels' values, as `docs/METRICS.md` writes them.
fn series(metrics: &str) -> BTreeSet<String> {
    let line = |line: &str| {
        let name = line.split(['{', ' ']).next().expect("a name");
        let labels = line.split_once('{').and_then(|(_, rest)| rest.split_once('}')).map_or("", |(labels, _)| labels);
        let names = labels.split(',').filter_map(|label| label.split_once('=')).map(|(name, _)| name);
        let names: Vec<_> = names.filter(|name| *name != "le").map(|name| format!("`{name}`")).collect();
        let family = ["_bucket", "_sum", "_count"].iter().find_map(|part| name.strip_suffix(part)).unwrap_or(name);
        let kind = metrics.lines().find_map(|line| line.strip_prefix(&format!("# TYPE {family} ")));
        format!("| `{family}` | {} | {} |", kind.unwrap_or("no type"), names.join(", "))
    };
    metrics.lines().filter(|line| !line.starts_with('#')).map(line).collect()
}

fn busy() -> (Proxy, Provider) {
    let (provider, target) = (Provider::start(), target::echo());
    let proxy = Setup::new(&provider, &target).rules(ATTACK_RULES).start();
    for protocol in [Protocol::Http1, Protocol::Http2] {
        proxy.signed_in(protocol, &provider);
        let mut stranger = proxy.browser(protocol);
        assert_eq!(stranger.get("https://app.test/oauth2/idpresponse?code=x&state=y").status, 401);
        assert_eq!(stranger.get("https://app.test/api/x").status, 401);
        assert_eq!(stranger.get("https://app.test/a/../b%2f").status, 400);
        assert_eq!(stranger.get("https://app.test/healthz").status, 200);
    }
    (proxy, provider)
}

#[test]
fn the_names_and_labels_of_metrics_are_an_interface() {
    let (proxy, _provider) = busy();
    let (status, head, metrics) = ask(proxy.admin(), "GET /metrics");
    assert_eq!(status, 200);
    assert!(head.contains("content-type: text/plain; version=0.0.4"), "{head}");
    let page = include_str!("../../docs/METRICS.md");
    for row in series(&metrics) {
        assert!(page.lines().any(|line| line.starts_with(&row)), "{row} is not in docs/METRICS.md");
    }
}

#[test]
fn what_happens_is_counted() {
    let (proxy, _provider) = busy();
    let table = [
        ("vestibule_logins_total{provider=\"corp\",outcome=\"started\"}", 2),
        ("vestibule_logins_total{provider=\"corp\",outcome=\"finished\"}", 2),
        ("vestibule_login_failures_total{provider=\"(none)\",reason=\"auth.state_mismatch\"}", 2),
        ("vestibule_refusals_total{listener=\"public\",reason=\"auth.required\"}", 2),
        ("vestibule_refusals_total{listener=\"public\",reason=\"request.path_ambiguous\"}", 2),
        ("vestibule_requests_total{listener=\"public\",rule=\"health\",status=\"2xx\"}", 2),
        ("vestibule_requests_total{listener=\"public\",rule=\"api\",status=\"4xx\"}", 2),
        ("vestibule_requests_total{listener=\"public\",rule=\"none\",status=\"4xx\"}", 4),
        ("vestibule_request_duration_seconds_count{listener=\"public\"}", 14),
    ];
    let metrics = proxy.metrics();
    for (series, count) in table {
        assert_eq!(proxy.metric(series), count, "{series}\n{metrics}");
    }
}

#[test]
fn nothing_that_a_client_says_becomes_a_label() {
    let (provider, target) = (Provider::start(), target::echo());
    let proxy = Setup::new(&provider, &target).start();
    let marked = "recognisable-4711";
    on_both(|protocol| {
        let mut browser = proxy.browser(protocol);
        browser.send(
            "GET",
            &format!("https://{marked}.app.test/{marked}?{marked}"),
            &[("user-agent", marked), ("x-forwarded-for", marked), (marked, marked)],
            b"",
        );
        browser.get(&format!("https://app.test/oauth2/idpresponse?error={marked}&state={marked}"));
    });
    assert!(!proxy.metrics().contains(marked));
}
