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
    stream.write_all(format!("{line} HTTP/1.1\r\nhost: admin\r\n\r\n").as_bytes()).expect("sent");
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
        assert_eq!(ask(proxy.admin(), line).0, status, "{line}");
    }
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
        ("vestibule_login_failures_total{provider=\"unknown\",reason=\"auth.state_mismatch\"}", 2),
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
