//! Traces: what a collector gets that reads OTLP with the official messages, over gRPC and HTTP.

mod delivery;
mod forward_auth;
mod introspection;

use std::time::Duration;

use serde_json::{Value, json};

use crate::harness::app::{Proxy, Setup, free_port, wait_until};
use crate::harness::browser::{Protocol, on_both};
use crate::harness::process::{self, Process};
use crate::harness::scenario::{PAGE, Scenario};
use crate::harness::server::{Reply, Server};
use crate::harness::target;

const EXPORTED: &str = "vestibule_trace_spans_exported_total";
const KINDS: [(&str, &str); 2] = [("grpc", "grpc"), ("http", "http/protobuf")];

/// A collector that nobody here wrote the messages of.
struct Collector {
    process: Process,
    port: String,
}

impl Collector {
    fn start(arguments: &[&str]) -> Self {
        let process = Process::start(process::python("python/otlp_collector.py", arguments));
        let port = process.next_line().expect("a port");
        Self { process, port }
    }

    /// The section `traces` that sends everything here.
    fn traces(&self, protocol: &str, more: &str) -> String {
        let endpoint = format!("http://127.0.0.1:{}", self.port);
        format!(
            "traces:\n  otlp: {{ endpoint: '{endpoint}', protocol: {protocol} }}\n  sampling: {{ ratio: 1 }}\n{more}"
        )
    }

    /// Every call, when the proxy has been stopped.
    #[track_caller]
    fn calls(self) -> Vec<Value> {
        let finished = self.process.finish();
        let call = |line: &str| serde_json::from_str(line).unwrap_or_else(|_| panic!("{finished:?}"));
        finished.output.lines().map(call).collect()
    }

    /// The spans of every call that was taken, by the time at which they began.
    #[track_caller]
    fn spans(self) -> Vec<Value> {
        let calls = self.calls();
        let taken = calls.iter().filter(|call| call["answer"] == "ok");
        let mut spans: Vec<_> = taken.flat_map(|call| call["spans"].as_array().expect("spans")).cloned().collect();
        spans.sort_by_key(|span| span["start"].as_u64());
        spans
    }
}

#[track_caller]
fn wait_for(proxy: &Proxy, count: u64) {
    wait_until("the spans are sent", || (proxy.metric(EXPORTED) >= count).then_some(()));
    assert_eq!(proxy.metric(EXPORTED), count);
}

fn with(setup: Setup, traces: &str) -> Setup {
    let rest = format!("{}{traces}", setup.rest);
    setup.rest(&rest)
}

fn of_kind<'s>(spans: &'s [Value], kind: &str) -> Vec<&'s Value> {
    spans.iter().filter(|span| span["kind"] == kind).collect()
}

/// A `traceparent` that a target got, in its parts: the trace, the span, the flags.
#[track_caller]
fn told(target: &Server) -> (String, String, String) {
    let parent = target.last().header("traceparent").expect("a parent").to_owned();
    let parts: Vec<&str> = parent.split('-').collect();
    let [version, trace, span, flags] = parts[..] else { panic!("{parent}") };
    assert_eq!(version, "00");
    (trace.to_owned(), span.to_owned(), flags.to_owned())
}

#[test]
fn an_exchange_and_its_attempt_are_spans_of_one_trace() {
    for (kind, protocol) in KINDS {
        on_both(|client| {
            let (collector, target) = (Collector::start(&[kind]), target::echo());
            let traces = collector.traces(protocol, "  client_address: true\n");
            let mut proxy = with(Setup::open(&[target.address()]), &traces).start();
            let headers = [("user-agent", "browser/1"), ("cookie", "a=secret"), ("authorization", "Bearer secret")];
            let answer = proxy.browser(client).send("GET", "https://app.test/page?a=secret", &headers, b"");
            assert_eq!(answer.status, 200);
            wait_for(&proxy, 2);
            assert!(proxy.shutdown());
            let (trace, span, flags) = told(&target);
            let root = target.last().header("x-amzn-trace-id").expect("an ID").to_owned();
            let (address, record) = (proxy.address_in_log(), proxy.access_log(1).remove(0));
            let calls = collector.calls();
            assert!(!calls.iter().any(|call| call["spans"].to_string().contains("secret")), "{calls:?}");
            let spans: Vec<_> = calls.iter().flat_map(|call| call["spans"].as_array().expect("spans")).collect();
            let [server, attempt] = ["SERVER", "CLIENT"]
                .map(|kind| *spans.iter().find(|span| span["kind"] == kind).unwrap_or_else(|| panic!("{spans:?}")));
            assert_eq!(flags, "01");
            assert_eq!((&record["trace.id"], &record["span.id"]), (&server["trace"], &server["span"]));
            assert_eq!(
                root,
                format!("Root=1-{}-{}", &trace[..8], &trace[8..]),
                "the ID on pages and in the log is the trace"
            );
            assert_eq!((&server["trace"], &attempt["trace"]), (&json!(trace), &json!(trace)));
            assert_eq!((&server["parent"], &attempt["parent"]), (&json!(""), &server["span"]));
            assert_eq!(attempt["span"], json!(span), "the target is below the attempt");
            assert_eq!((&server["flags"], &attempt["flags"]), (&json!(0x101), &json!(0x101)));
            assert_eq!((&server["name"], &attempt["name"]), (&json!("GET default"), &json!("GET app")));
            assert_eq!((&server["is_error"], &attempt["is_error"]), (&json!(false), &json!(false)));
            let [start, begun, ended, end] = [&server["start"], &attempt["start"], &attempt["end"], &server["end"]]
                .map(|time| time.as_u64().expect("a time"));
            assert!(start <= begun && begun < ended && ended <= end, "{spans:?}");
            assert_eq!(start / 1_000_000, proxy.clock.now().millis(), "the clock of the proxy");
            assert_eq!(
                server["attributes"],
                json!({
                    "http.request.method": "GET", "url.scheme": "https", "url.path": "/page", "server.address": "app.test",
                    "server.port": 443, "client.address": "127.0.0.1", "user_agent.original": "browser/1",
                    "network.protocol.version": record["network.protocol.version"], "http.response.status_code": 200,
                    "http.response.body.size": answer.body.len(), "vestibule.request_id": record["request_id"],
                    "vestibule.listener": "public", "vestibule.rule": "default", "vestibule.actions": ["forward"],
                    "vestibule.target": address,
                })
            );
            assert_eq!(
                attempt["attributes"],
                json!({
                    "http.request.method": "GET", "server.address": "127.0.0.1", "server.port": target.address().port(),
                    "url.full": format!("http://{address}/page"), "network.protocol.version": "1.1",
                    "http.response.status_code": 200, "vestibule.target_group": "app",
                })
            );
            let resource = &calls[0]["resource"];
            assert_eq!((&resource["service.name"], &calls[0]["scope"][0]), (&json!("vestibule"), &json!("vestibule")));
            assert_eq!(resource["service.instance.id"].as_str().map(str::len), Some(36), "{resource}");
        });
    }
}

impl Proxy {
    /// The target in the only record of the access log.
    fn address_in_log(&self) -> String {
        self.access_log(1)[0]["target.address"].as_str().expect("a target").to_owned()
    }
}

#[test]
fn each_attempt_is_a_span_and_each_target_is_told_of_its_own() {
    let collector = Collector::start(&["grpc"]);
    let (broken, sound) = (Server::start(|_| Reply::Reset), target::echo());
    let setup = Setup::open(&[broken.address(), sound.address()]);
    let mut proxy = with(setup, &collector.traces("grpc", "")).start();
    let mut browser = proxy.browser(Protocol::Http1);
    // Each target is the first of one of two requests.
    for _ in 0..2 {
        assert_eq!(browser.get("https://app.test/").status, 200);
    }
    let attempts = 2 + u64::try_from(broken.count()).expect("few");
    assert!(attempts > 2, "the broken target was asked");
    wait_for(&proxy, 2 + attempts);
    assert!(proxy.shutdown());
    let spans = collector.spans();
    let failed: Vec<_> = of_kind(&spans, "CLIENT").into_iter().filter(|span| span["is_error"] == true).collect();
    for failed in &failed {
        assert_eq!(failed["attributes"]["error.type"], "upstream.reset", "{failed}");
        let again = spans.iter().find(|span| span["parent"] == failed["parent"] && span["span"] != failed["span"]);
        let again = again.expect("another attempt of the same request");
        assert_eq!((&again["trace"], &again["attributes"]["http.request.resend_count"]), (&failed["trace"], &json!(1)));
    }
    // What each target was told is the span of the attempt at it.
    let ids = |target: &Server| {
        let port = target.address().port();
        let of_target = of_kind(&spans, "CLIENT").into_iter().filter(|span| span["attributes"]["server.port"] == port);
        let mut ids: Vec<_> = of_target.map(|span| span["span"].as_str().expect("an ID").to_owned()).collect();
        ids.sort();
        ids
    };
    for target in [&broken, &sound] {
        let parents = target.received().into_iter().map(|request| {
            let parents: Vec<_> = request.headers.iter().filter(|(name, _)| name == "traceparent").collect();
            assert_eq!(parents.len(), 1, "{parents:?}");
            parents[0].1.split('-').nth(2).expect("a span").to_owned()
        });
        let mut parents: Vec<_> = parents.collect();
        parents.sort();
        assert_eq!(parents, ids(target));
    }
}

#[test]
fn what_is_refused_or_fails_is_recorded_with_its_reason() {
    let collector = Collector::start(&["http"]);
    let nobody = free_port();
    let setup = Setup::open(&[([127, 0, 0, 1], nobody).into()]);
    let rules = "
      - name: closed
        priority: 1
        conditions: [{ path_pattern: [/closed] }]
        actions: [{ type: fixed-response, status_code: 403 }]";
    let mut proxy = with(setup.rules(rules), &collector.traces("http/protobuf", "")).start();
    let mut browser = proxy.browser(Protocol::Http2);
    assert_eq!(browser.get("https://app.test/").status, 502);
    assert_eq!(browser.get("https://app.test/closed").status, 403);
    assert_eq!(browser.send("BREW", "https://app.test/closed", &[], b"").status, 403);
    // No request that is one: it has a span all the same.
    assert_eq!(browser.get("https://app.test/%00").status, 400);
    wait_for(&proxy, 5);
    assert!(proxy.shutdown());
    let spans = collector.spans();
    let found: Vec<_> = spans
        .iter()
        .map(|span| {
            let of = |key: &str| span["attributes"][key].clone();
            json!([
                span["kind"],
                span["name"],
                span["is_error"],
                of("http.response.status_code"),
                of("error.type"),
                of("vestibule.reason")
            ])
        })
        .collect();
    for expected in [
        json!(["SERVER", "GET default", true, 502, "upstream.unreachable", "upstream.unreachable"]),
        json!(["CLIENT", "GET app", true, null, "upstream.unreachable", null]),
        json!(["SERVER", "GET closed", false, 403, null, null]),
        json!(["SERVER", "HTTP closed", false, 403, null, null]),
        json!(["SERVER", "GET", false, 400, null, "request.path_ambiguous"]),
    ] {
        assert!(found.contains(&expected), "{expected} in {found:#?}");
    }
    let brewed = spans.iter().find(|span| span["name"] == "HTTP closed").expect("a span");
    assert_eq!(brewed["attributes"]["http.request.method"], "_OTHER");
    assert_eq!(brewed["attributes"]["http.request.method_original"], "BREW");
    assert!(spans.iter().all(|span| span["attributes"]["client.address"].is_null()), "it was not asked for");
}

const TRACE: &str = "4bf92f3577b34da6a3ce929d0e0e4736";
const PARENT: &str = "00f067aa0ba902b7";

fn parent(flags: &str) -> String {
    format!("00-{TRACE}-{PARENT}-{flags}")
}

#[test]
fn a_stranger_does_not_decide_what_is_recorded() {
    let collector = Collector::start(&["grpc"]);
    let target = target::echo();
    let all = with(Setup::open(&[target.address()]), &collector.traces("grpc", ""));
    let mut proxy = all.start();
    on_both(|protocol| {
        let mut browser = proxy.browser(protocol);
        // Recorded, although the caller says no, and in a trace of its own.
        for flags in ["00", "01"] {
            let parent = parent(flags);
            let headers = [("traceparent", &*parent), ("tracestate", "a=b")];
            assert_eq!(browser.send("GET", "https://app.test/", &headers, b"").status, 200);
            let (trace, _, sampled) = told(&target);
            assert!(trace != TRACE && sampled == "01", "{trace}");
            assert_eq!(target.last().header("tracestate"), None);
        }
    });
    wait_for(&proxy, 8);
    // Not recorded, although the caller says yes. What the caller sent is passed on, as without traces.
    let none = proxy.yaml().replace("ratio: 1 ", "ratio: 0 ");
    proxy.reload(&none).expect("it is valid");
    on_both(|protocol| {
        let sent = parent("01");
        let headers = [("traceparent", &*sent), ("tracestate", "a=b")];
        assert_eq!(proxy.browser(protocol).send("GET", "https://app.test/", &headers, b"").status, 200);
        assert_eq!(target.last().header("traceparent"), Some(&*sent));
        assert_eq!(target.last().header("tracestate"), Some("a=b"));
    });
    assert!(proxy.shutdown());
    let spans = collector.spans();
    assert_eq!(spans.len(), 8, "{spans:#?}");
    for server in of_kind(&spans, "SERVER") {
        assert_eq!((&server["parent"], &server["links"]), (&json!(""), &json!([[TRACE, PARENT]])));
    }
}

#[test]
fn the_trace_of_a_caller_that_is_believed_is_continued() {
    let trusted = "    trusted_proxies: [127.0.0.0/8]";
    for (listener, sampling, is_believed) in
        [(trusted, "ratio: 0", true), ("", "ratio: 0, parent: any", true), (trusted, "ratio: 1, parent: ignore", false)]
    {
        let collector = Collector::start(&["http"]);
        let target = target::echo();
        let traces = collector.traces("http/protobuf", "").replace("ratio: 1", sampling);
        let mut proxy = with(Setup::open(&[target.address()]).listener(listener), &traces).start();
        on_both(|protocol| {
            for flags in ["00", "01"] {
                let sent = parent(flags);
                let headers = [("traceparent", &*sent), ("tracestate", "a=b")];
                assert_eq!(proxy.browser(protocol).send("GET", "https://app.test/", &headers, b"").status, 200);
                let (trace, span, said) = told(&target);
                let is_recorded = flags == "01" || !is_believed;
                assert_eq!((trace == TRACE, span == PARENT), (is_believed, !is_recorded), "{sampling} {flags}");
                assert_eq!(said, if is_recorded { "01" } else { "00" });
                let state = target.last().header("tracestate").map(str::to_owned);
                assert_eq!(state.as_deref(), is_believed.then_some("a=b"), "{sampling} {flags}");
            }
        });
        let expected = if is_believed { 4 } else { 8 };
        wait_for(&proxy, expected);
        assert!(proxy.shutdown());
        let spans = collector.spans();
        assert_eq!(spans.len() as u64, expected);
        for server in of_kind(&spans, "SERVER") {
            if is_believed {
                let found = [&server["trace"], &server["parent"], &server["flags"], &server["links"]];
                assert_eq!(found, [&json!(TRACE), &json!(PARENT), &json!(0x301), &json!([])], "{sampling}");
            } else {
                assert_eq!(server["links"], json!([[TRACE, PARENT]]), "{sampling}");
            }
        }
    }
}

#[test]
fn a_trace_that_is_begun_for_the_target_says_whether_it_is_recorded() {
    let collector = Collector::start(&["grpc"]);
    let target = target::echo();
    let traces = collector.traces("grpc", "");
    let setup = with(Setup::open(&[target.address()]).listener("    trace_context: create"), &traces);
    for (ratio, flags) in [("1", "01"), ("0", "00")] {
        let proxy = Proxy::start(&setup.yaml().replace("ratio: 1 ", &format!("ratio: {ratio} ")));
        on_both(|protocol| {
            assert_eq!(proxy.browser(protocol).get("https://app.test/").status, 200);
            let (trace, _, said) = told(&target);
            let root = target.last().header("x-amzn-trace-id").expect("an ID").to_owned();
            assert_eq!((root, &*said), (format!("Root=1-{}-{}", &trace[..8], &trace[8..]), flags));
        });
    }
}

#[test]
fn a_login_and_a_refresh_are_spans_with_the_calls_below_them() {
    let collector = Collector::start(&["grpc"]);
    let scenario = Scenario::start(|setup| with(setup, &collector.traces("grpc", "")));
    scenario.provider.say(|script| script.token_response = json!({"refresh_token": "refresh-1"}));
    let mut browser = scenario.signed_in(Protocol::Http2);
    // Four fifths of the life of the access token. The metadata of the provider is still fresh.
    scenario.advance(Duration::from_secs(3600 * 4 / 5));
    assert_eq!(browser.get(PAGE).status, 200);
    let is_refreshed = || {
        let requests = scenario.provider.requests("/token");
        requests.iter().any(|request| request.body_text().contains("grant_type=refresh_token")).then_some(())
    };
    wait_until("the session is refreshed", is_refreshed);
    let Scenario { mut proxy, .. } = scenario;
    assert!(proxy.shutdown());
    let spans = collector.spans();
    let one = |name: &str, parent: &Value| {
        let found: Vec<_> = spans.iter().filter(|span| span["name"] == name && span["parent"] == *parent).collect();
        let [one] = found[..] else { panic!("{name} below {parent}: {spans:#?}") };
        one
    };
    for (name, calls) in [("login", &["POST token", "GET jwks", "GET userinfo"][..]), ("refresh", &["POST token"])] {
        let work = spans.iter().find(|span| span["name"] == name).unwrap_or_else(|| panic!("{name}: {spans:#?}"));
        assert_eq!((&work["kind"], &work["is_error"]), (&json!("INTERNAL"), &json!(false)), "{name}");
        assert_eq!(work["attributes"], json!({ "vestibule.provider": "corp" }));
        let cause = spans.iter().find(|span| span["span"] == work["parent"]).expect("the exchange that caused it");
        assert_eq!((&cause["kind"], &cause["trace"]), (&json!("SERVER"), &work["trace"]));
        for call in calls {
            let call = one(call, &work["span"]);
            assert_eq!((&call["kind"], &call["trace"]), (&json!("CLIENT"), &work["trace"]));
            assert_eq!(call["attributes"]["http.response.status_code"], 200, "{call}");
            assert_eq!(call["attributes"]["server.address"], "127.0.0.1", "{call}");
        }
    }
    // Only the first sign-in needs the metadata of the provider.
    assert_eq!(spans.iter().filter(|span| span["name"] == "GET discovery").count(), 1, "{spans:#?}");
    // No query, code, token, cookie or user.
    let all = Value::Array(spans).to_string();
    for secret in ["alice", "refresh-1", "code=", "state=", "?", "ey"] {
        let found = all.match_indices(secret).map(|(at, _)| &all[at.saturating_sub(40)..(at + 40).min(all.len())]);
        let found: Vec<_> = found.filter(|near| !near.contains("\"key")).collect();
        assert!(found.is_empty(), "{secret}: {found:?}");
    }
}
