//! The access log in the format of the ALB, read by parsers that nobody here wrote.

use serde_json::{Value, json};

use crate::harness::app::{Proxy, Setup, wait_until};
use crate::harness::browser::Protocol;
use crate::harness::process;
use crate::harness::provider::Provider;
use crate::harness::raw::{self, Raw};
use crate::harness::server::{Reply, Server};
use crate::harness::target;

const RULES: &str = r#"
      - priority: 7
        conditions: [{ path_pattern: ["/open/*"] }]
        actions: [{ type: forward, target_group: app }]
      - priority: 8
        conditions: [{ path_pattern: ["/moved/*"] }]
        actions: [{ type: redirect, host: other.test, status_code: HTTP_302 }]
      - priority: 9
        conditions: [{ path_pattern: ["/fixed"] }]
        actions: [{ type: fixed-response, status_code: 418, content_type: text/plain, message_body: "tea" }]"#;

const ARN: &str = "arn:aws:elasticloadbalancing:eu-central-1:123456789012:targetgroup/app/73e2d6bc24d8a067";

fn with_alb(setup: &Setup) -> String {
    let alb = format!(
        "access_log:\n  destination: access.log\n  format: alb\n  alb:\n    load_balancer: app/my-lb/50dc6c495c0c9188\n    \
         target_group_arns: {{ app: '{ARN}' }}\n"
    );
    let json = "access_log: { destination: access.log }\n";
    assert!(setup.yaml().contains(json));
    setup.yaml().replace(json, &alb)
}

/// What the parsers found in the lines, once there are `count`.
#[track_caller]
fn read(proxy: &Proxy, count: usize) -> (String, Vec<Value>) {
    let path = proxy.folder().join("access.log");
    let text = wait_until("the access records are written", || {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        (text.lines().count() >= count && text.ends_with('\n')).then_some(text)
    });
    let read = process::python("python/alb_log.py", &[path.to_str().expect("text")]).output().expect("python");
    assert!(read.status.success(), "{}\n{text}", String::from_utf8_lossy(&read.stderr));
    let entries = String::from_utf8(read.stdout).expect("text");
    (text, entries.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect())
}

#[track_caller]
fn find<'e>(entries: &'e [Value], path: &str, kind: &str) -> &'e Value {
    let is = |entry: &&Value| entry["http_request"]["path"] == path && entry["type"] == kind;
    let mut found = entries.iter().filter(is);
    let entry = found.next().unwrap_or_else(|| panic!("{path} {kind}: {entries:#?}"));
    assert!(found.next().is_none(), "{path} {kind} twice: {entries:#?}");
    entry
}

#[track_caller]
fn assert_fields(entry: &Value, expected: &Value) {
    for (field, value) in expected.as_object().expect("fields") {
        let by_regex = entry["by_regex"].get(field);
        let found =
            by_regex.filter(|_| !entry.as_object().expect("fields").contains_key(field)).unwrap_or(&entry[field]);
        assert_eq!(found, value, "{field}: {entry:#}");
    }
}

#[test]
fn parsers_of_alb_logs_read_what_a_target_answered() {
    let (provider, target) = (Provider::start(), target::echo());
    let proxy = Proxy::start(&with_alb(&Setup::new(&provider, &target).rules(RULES)));
    let mut lengths = Vec::new();
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut browser = proxy.browser(protocol);
        let headers = [("user-agent", "a \"quoted\" agent\\")];
        for (path, body) in [("a%20b?year=2026", &b"1234567890"[..]), ("c%20d?year=2026", &[b'x'; 30])] {
            let answer = browser.send("POST", &format!("https://app.test/open/{path}"), &headers, body);
            assert_eq!(answer.status, 200);
            lengths.push(answer.body.len() as u64);
        }
    }
    let (text, entries) = read(&proxy, 4);
    assert!(text.lines().all(|line| line.contains(" TID_")), "{text}");
    for (place, (kind, version)) in
        [("HttpType.Https", "HTTP/1.1"), ("HttpType.H2", "HTTP/2.0")].into_iter().enumerate()
    {
        let entry = find(&entries, "/open/a%20b", kind);
        assert_fields(
            entry,
            &json!({
                "elb": "app/my-lb/50dc6c495c0c9188",
                "target": { "ip": "127.0.0.1", "port": target.address().port() },
                "elb_status_code": 200,
                "target_status_code": 200,
                "http_request": { "method": "POST", "url": "https://app.test:443/open/a%20b", "path": "/open/a%20b",
                    "query": {}, "protocol": version },
                "user_agent": "a \\x22quoted\\x22 agent\\x5c",
                "ssl_protocol": "TLSv1.3",
                "target_group_arn": ARN,
                "domain_name": "app.test",
                "chosen_cert_arn": null,
                "matched_rule_priority": 7,
                "actions_executed": ["forward"],
                "redirect_url": null,
                "error_reason": null,
                "target_port_list": target.address().to_string(),
                "target_status_code_list": "200",
                "classification": "-",
                "classification_reason": "-",
                "request_creation_time": "2026-11-24 08:00:00+00:00",
            }),
        );
        assert_eq!(entry["client"]["ip"], "127.0.0.1");
        assert!(entry["ssl_cipher"].as_str().is_some_and(|suite| suite.starts_with("TLS_")), "{entry}");
        for time in ["request_processing_time", "target_processing_time", "response_processing_time"] {
            assert!(entry[time].as_f64().is_some_and(|seconds| seconds >= 0.0), "{time}: {entry}");
        }
        assert!(entry["trace_id"].as_str().is_some_and(|trace| trace.starts_with("Root=1-")), "{entry}");
        assert!(entry["sent_bytes"].as_u64() > Some(lengths[2 * place]), "{entry}");
        let bytes = |path: &str| find(&entries, path, kind)["received_bytes"].as_u64().expect("a number");
        assert_eq!(bytes("/open/c%20d") - bytes("/open/a%20b"), 20, "the bodies differ by so much");
    }
}

#[test]
fn parsers_of_alb_logs_read_what_the_proxy_answered() {
    let (provider, target) = (Provider::start(), target::echo());
    let proxy = Proxy::start(&with_alb(&Setup::new(&provider, &target).rules(RULES)));
    let mut browser = proxy.browser(Protocol::Http1);
    assert_eq!(browser.get("https://app.test/moved/x?code=a-secret-code").status, 302);
    assert_eq!(browser.get("https://app.test/fixed").status, 418);
    assert_eq!(browser.get("https://app.test/login").status, 302);
    assert_eq!(browser.get("https://app.test/oauth2/idpresponse?code=a-secret-code").status, 401);
    assert_eq!(browser.get("https://app.test/a%2fb").status, 400);
    let (_, entries) = read(&proxy, 5);
    let nothing_sent = json!({
        "target": null, "target_status_code": null, "target_group_arn": null, "request_processing_time": -1.0,
        "target_processing_time": -1.0, "response_processing_time": -1.0, "target_port_list": "-",
        "target_status_code_list": "-"
    });
    let answers = [
        ("/moved/x", 302, json!(8), json!(["redirect"]), json!("https://other.test/moved/x"), Value::Null),
        ("/fixed", 418, json!(9), json!(["fixed-response"]), Value::Null, Value::Null),
        ("/login", 302, json!(0), json!(["authenticate"]), Value::Null, Value::Null),
        (
            "/oauth2/idpresponse",
            401,
            json!(-1),
            json!(["authenticate"]),
            Value::Null,
            json!("LoadBalancerErrorReason.AuthMissingStateParam"),
        ),
    ];
    for (path, status, priority, actions, redirect, reason) in answers {
        let entry = find(&entries, path, "HttpType.Https");
        assert_fields(entry, &nothing_sent);
        assert_fields(
            entry,
            &json!({ "elb_status_code": status, "matched_rule_priority": priority, "actions_executed": actions,
                "redirect_url": redirect, "error_reason": reason }),
        );
    }
    let refused = entries.iter().find(|entry| entry["elb_status_code"] == 400).expect("an entry");
    assert_fields(refused, &json!({ "matched_rule_priority": null, "actions_executed": ["-"], "error_reason": null }));
}

#[test]
fn alb_6_4_class_and_transforms_are_in_the_line() {
    let rules = r#"
      - priority: 7
        conditions: [{ path_pattern: ["/api/*"] }]
        transforms:
          host_header_rewrite: { regex: '^(.+)[.]test$', replace: '$1.internal:8080' }
          url_rewrite: { regex: '^/api/(.*)$', replace: '/v2/$1' }
        actions: [{ type: forward, target_group: app }]"#;
    let target = target::echo();
    let proxy = Proxy::start(&with_alb(&Setup::open(&[target.address()]).rules(rules)));
    let mut client = Raw::connect(proxy.address(), "app.test");
    client.send("GET /api/x?secret HTTP/1.1\r\nhost: app.test\r\ncontent-length: 3\r\n\r\nabc");
    assert_eq!(raw::status(&client.read_response().0), 200);
    let (text, _) = read(&proxy, 1);
    let (_, class) = text.trim_end().split_once(" \"200\" ").expect("the status of the target");
    let (class, rest) = class.split_once(" TID_").expect("the connection");
    assert_eq!(class, "\"Ambiguous\" \"UndefinedContentLengthSemantics\"");
    let (id, rest) = rest.split_once(' ').expect("an id");
    assert!(id.len() == 32 && id.bytes().all(|byte| byte.is_ascii_hexdigit()), "{id}");
    assert_eq!(rest, "\"app.internal:8080\" \"/v2/x\" \"transformed\" -");
    // One id for each connection.
    let mut client = Raw::connect(proxy.address(), "app.test");
    for path in ["/one", "/another/path"] {
        client.send(format!("GET {path} HTTP/1.1\r\nhost: app.test\r\n\r\n"));
        assert_eq!(raw::status(&client.read_response().0), 200);
    }
    let (text, _) = read(&proxy, 3);
    let id_of = |path: &str| {
        let line = text.lines().find(|line| line.contains(path)).expect("a line");
        line.split_once(" TID_").and_then(|(_, rest)| rest.split(' ').next()).expect("an id")
    };
    assert_eq!(id_of("/one "), id_of("/another/path "));
    assert_ne!(id_of("/one "), id);
}

#[test]
fn an_open_websocket_has_a_type_of_its_own() {
    const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
                          sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";
    let target = Server::start(|_| Reply::BytesThenHang(SWITCH.into()));
    let mut proxy = Proxy::start(&with_alb(&Setup::open(&[target.address()])));
    let mut client = Raw::connect(proxy.address(), "app.test");
    client.send(
        "GET /socket HTTP/1.1\r\nhost: app.test\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\
         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n",
    );
    assert!(client.read_until("\r\n\r\n").starts_with("HTTP/1.1 101"));
    drop(client);
    let (_, entries) = read(&proxy, 1);
    let entry = find(&entries, "/socket", "HttpType.WebSocketSecure");
    assert_fields(entry, &json!({ "elb_status_code": 101, "target_status_code": 101 }));
    proxy.shutdown();
}

#[test]
fn a_reload_changes_the_format_and_nothing_is_lost() {
    let target = target::echo();
    let setup = Setup::open(&[target.address()]);
    let proxy = setup.start();
    let mut browser = proxy.browser(Protocol::Http1);
    assert_eq!(browser.get("https://app.test/before").status, 200);
    proxy.reload(&with_alb(&setup)).expect("reloaded");
    assert_eq!(browser.get("https://app.test/after").status, 200);
    let path = proxy.folder().join("access.log");
    let text = wait_until("the access records are written", || {
        let text = std::fs::read_to_string(&path).unwrap_or_default();
        (text.lines().count() == 2).then_some(text)
    });
    // Lines of different workers have no order.
    let line = |path: &str| text.lines().find(|line| line.contains(path)).expect("a line");
    assert!(line("/before").starts_with("{\"time\""), "{text}");
    assert!(line("/after").starts_with("https 20"), "{text}");
}

#[test]
fn l_no_secret_and_no_user_is_in_the_log_of_the_alb_format() {
    let (provider, target) = (Provider::start(), target::echo());
    let mut proxy = Proxy::start(&with_alb(&Setup::new(&provider, &target).rules(RULES)));
    let mut learned: Vec<String> = vec!["secret-in-the-query".into(), "alice@example.com".into(), "alice".into()];
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut browser = proxy.browser(protocol);
        let sent = browser.get("https://app.test/page?q=secret-in-the-query");
        let callback = provider.callback_of(sent.location());
        let parsed = url::Url::parse(&callback).expect("a URL");
        learned.extend(parsed.query_pairs().map(|(_, value)| value.into_owned()));
        assert_eq!(browser.get(&callback).status, 302);
        learned.extend(browser.cookie_names("app.test").iter().filter_map(|name| browser.cookie("app.test", name)));
        let answer = browser.get("https://app.test/page?q=secret-in-the-query");
        assert_eq!(answer.status, 200);
        browser.get("https://app.test/moved/x?code=secret-in-the-query");
        let forged = "x\" 200 \"-\" \\";
        assert_eq!(browser.send("GET", "https://app.test/%22%0A%20http", &[("user-agent", forged)], b"").status, 400);
    }
    assert!(proxy.shutdown());
    let (log, entries) = read(&proxy, 8);
    assert_eq!(entries.len(), log.lines().count());
    assert!(log.is_ascii());
    for secret in &learned {
        assert!(!log.contains(&secret[..secret.len().min(24)]), "{secret} in {log}");
    }
    for line in log.lines() {
        assert_eq!(line.matches('"').count(), 30, "a quote that ends no field: {line}");
    }
}
