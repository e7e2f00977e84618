//! The access log: one record for each exchange, whatever became of it, and no secret in any.

use serde_json::Value;

use crate::harness::app::{ATTACK_RULES, Setup, wait_until};
use crate::harness::browser::{Protocol, on_both};
use crate::harness::connection::{self, Connection};
use crate::harness::provider::Provider;
use crate::harness::raw::Raw;
use crate::harness::server::{Reply, Server};
use crate::harness::{runtime, target};

/// The only record that the test could have caused, after a moment in which a second could come.
#[track_caller]
fn only(records: &[Value]) -> &Value {
    assert_eq!(records.len(), 1, "{records:?}");
    &records[0]
}

#[test]
fn a_record_says_who_asked_for_what_and_who_answered() {
    let (provider, target) = (Provider::start(), target::echo());
    let proxy = Setup::new(&provider, &target).start();
    for (count, protocol, version) in [(4, Protocol::Http1, "1.1"), (8, Protocol::Http2, "2")] {
        let mut browser = proxy.signed_in(protocol, &provider);
        let answer = browser.get("https://app.test/reports/a%20b?year=2026");
        let records = proxy.access_log(count);
        let record = records
            .iter()
            .find(|record| record["url.path"] == "/reports/a%20b" && record["network.protocol.version"] == version);
        let record = record.unwrap_or_else(|| panic!("{records:?}"));
        let expected = [
            ("listener", Value::from("public")),
            ("client.address", "127.0.0.1".into()),
            ("http.request.method", "GET".into()),
            ("url.scheme", "https".into()),
            ("server.address", "app.test".into()),
            ("tls.protocol.version", "TLSv1.3".into()),
            ("user_agent.original", "test-browser/1".into()),
            ("rule.name", "default".into()),
            ("user.id", "alice".into()),
            ("target.address", target.address().to_string().into()),
            ("http.response.status_code", 200.into()),
            ("http.response.body.size", answer.body.len().into()),
        ];
        for (field, value) in expected {
            assert_eq!(record[field], value, "{field}: {record}");
        }
        assert_eq!(record["time"], "2026-11-24T08:00:00.000Z");
        let id = record["request_id"].as_str().expect("an id");
        assert!(target.last().header("x-amzn-trace-id").is_some_and(|trace| trace.contains(id)), "{id}");
        assert_eq!(record.get("reason"), None);
    }
}

#[test]
fn every_exchange_has_exactly_one_record() {
    let (provider, target) = (Provider::start(), target::echo());
    let mut proxy = Setup::new(&provider, &target).rules(ATTACK_RULES).start();
    let table: &[(&str, &str, Option<&str>, u16)] = &[
        ("GET", "/public/x", None, 200),
        ("HEAD", "/public/x", None, 200),
        ("GET", "/healthz", None, 200),
        ("GET", "/api/x", Some("auth.required"), 401),
        ("GET", "/opt/x", None, 200),
        ("GET", "/x", None, 302),
        ("GET", "/a%2fb", Some("request.path_ambiguous"), 400),
        ("TRACE", "/x", Some("request.method_not_allowed"), 405),
        ("GET", "/oauth2/idpresponse?code=a", Some("auth.state_missing"), 401),
        ("GET", "/.well-known/vestibule/jwks.json", None, 200),
        ("GET", "/.well-known/vestibule/keys/none", Some("request.not_found"), 404),
    ];
    on_both(|protocol| {
        let mut browser = proxy.browser(protocol);
        for (method, path, _, status) in table {
            let answer = browser.send(method, &format!("https://app.test{path}"), &[], b"");
            assert_eq!(answer.status, *status, "{protocol:?} {method} {path}");
        }
    });
    // Written out by the end: what has no record now never gets one.
    assert!(proxy.shutdown());
    let records = proxy.access_log(0);
    assert_eq!(records.len(), 2 * table.len());
    for (method, path, reason, status) in table {
        let path = path.split('?').next().unwrap_or_default();
        let found: Vec<_> = records
            .iter()
            .filter(|record| record["http.request.method"] == *method && record["http.response.status_code"] == *status)
            .filter(|record| record.get("url.path").is_none_or(|logged| logged == path))
            .filter(|record| record.get("reason").and_then(Value::as_str) == *reason)
            .collect();
        assert!(found.len() >= 2, "{method} {path}: {found:?}");
    }
    let mut ids: Vec<_> = records.iter().map(|record| record["request_id"].to_string()).collect();
    ids.sort();
    ids.dedup();
    assert_eq!(ids.len(), records.len(), "no id twice");
}

#[test]
fn a_client_that_leaves_before_the_answer_is_recorded() {
    on_both(|protocol| {
        let target = Server::start(|_| Reply::BytesThenHang(Vec::new()));
        let mut proxy = Setup::open(&[target.address()]).start();
        runtime().block_on(async {
            let mut client = Connection::open(protocol, proxy.address(), "app.test").await;
            let request = client.request("GET", "/hang").body(connection::empty()).expect("a request");
            let pending = client.start(request).await.expect("sent");
            target.wait_for(1);
            pending.abandon();
        });
        let records = proxy.access_log(1);
        let record = only(&records);
        assert_eq!((&record["http.response.status_code"], &record["reason"]), (&460.into(), &"client.closed".into()));
        assert_eq!(record["url.path"], "/hang");
        assert!(proxy.shutdown());
        assert_eq!(proxy.access_log(1).len(), 1);
    });
}

#[test]
fn a_client_that_leaves_in_the_middle_of_the_answer_is_recorded() {
    on_both(|protocol| {
        let wire = crate::harness::wire::Wire::listen();
        let mut proxy = Setup::open(&[wire.address()]).start();
        runtime().block_on(async {
            let mut client = Connection::open(protocol, proxy.address(), "app.test").await;
            let request = client.request("GET", "/half").body(connection::empty()).expect("a request");
            let pending = client.start(request).await.expect("sent");
            let mut target = wire.accept();
            target.read_head();
            target.send("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nhalf");
            let mut response = pending.head().await.expect("a head");
            assert_eq!(connection::chunk(&mut response).await, "half");
            drop((response, client));
            wait_until("the proxy lets go of the target", || target.is_closed_by_proxy().then_some(()));
        });
        let records = proxy.access_log(1);
        let record = only(&records);
        assert_eq!((&record["http.response.status_code"], &record["reason"]), (&200.into(), &"client.closed".into()));
        assert_eq!(record["http.response.body.size"], 4);
        assert!(proxy.shutdown());
    });
}

#[test]
fn bytes_that_are_not_http_are_recorded() {
    let proxy = Setup::open(&[]).start();
    for (count, bytes) in
        ["\x16\x03\x01 rubbish\r\n\r\n", "GET /a b HTTP/1.1\r\n\r\n", "GET / HTTP/1.1\r\nbad header\r\n\r\n"]
            .into_iter()
            .enumerate()
    {
        let mut client = Raw::connect(proxy.address(), "app.test");
        client.send(bytes);
        client.read_to_end();
        let records = proxy.access_log(count + 1);
        assert_eq!(records.len(), count + 1);
        assert_eq!(records[count]["reason"], "request.malformed", "{bytes:?}");
        assert_eq!(records[count]["http.response.status_code"], 400);
        assert_eq!(records[count]["tls.protocol.version"], "TLSv1.3");
    }
}

#[test]
fn l_no_secret_of_a_login_is_in_the_log() {
    let secrets = [
        "access-token-",
        "secret-in-the-query",
        "secret-in-a-cookie",
        "secret-in-a-header",
        "secret-in-the-body",
        "secret-refresh-token",
        "alice@example.com",
        "a-client-secret-of-some-length",
    ];
    let (provider, target) = (Provider::start(), target::echo());
    provider.say(|script| script.token_response["refresh_token"] = "secret-refresh-token".into());
    let mut proxy = Setup::new(&provider, &target).start();
    let mut learned: Vec<String> = Vec::new();
    for protocol in [Protocol::Http1, Protocol::Http2] {
        let mut browser = proxy.browser(protocol);
        let sent = browser.get("https://app.test/page?q=secret-in-the-query");
        let callback = provider.callback_of(sent.location());
        let parsed = url::Url::parse(&callback).expect("a URL");
        learned.extend(parsed.query_pairs().map(|(_, value)| value.into_owned()));
        learned.extend(browser.cookie_names("app.test").iter().filter_map(|name| browser.cookie("app.test", name)));
        assert_eq!(browser.get(&callback).status, 302);
        let again = browser.get(&callback);
        assert_eq!(again.location(), "/page?q=secret-in-the-query", "a second callback goes to the same page");
        learned.extend(browser.cookie_names("app.test").iter().filter_map(|name| browser.cookie("app.test", name)));
        browser.set_cookie("app.test", "app", "secret-in-a-cookie");
        let headers =
            [("authorization", "Bearer secret-in-a-header"), ("referer", "https://app.test/?secret-in-the-query")];
        let answer = browser.send("POST", "https://app.test/form?secret-in-the-query", &headers, b"secret-in-the-body");
        assert_eq!(answer.status, 200);
        learned.push(target.last().header("x-amzn-oidc-data").expect("claims").to_owned());
        browser.get("https://app.test/a%2f?secret-in-the-query");
        browser.get("https://app.test/oauth2/idpresponse?error=secret-in-the-query&error_description=secret-in-the-query&state=x");
        browser.get("https://app.test/oauth2/sign_out?secret-in-the-query");
    }
    assert!(proxy.shutdown());
    let log = std::fs::read_to_string(proxy.folder().join("access.log")).expect("a log");
    assert!(log.lines().count() >= 14 && log.contains("alice"), "{log}");
    for secret in secrets.iter().copied().chain(learned.iter().map(String::as_str)) {
        assert!(secret.len() >= 8, "worth looking for: {secret}");
        assert!(!log.contains(secret), "{secret} in {log}");
        // Nor the beginning of one.
        assert!(!log.contains(&secret[..secret.len().min(24)]), "{secret}");
    }
}

#[test]
fn l_nothing_that_a_client_sends_can_forge_a_record() {
    let target = target::echo();
    let proxy = Setup::open(&[target.address()]).start();
    on_both(|protocol| {
        let mut browser = proxy.browser(protocol);
        let forged = "x\",\"user.id\":\"root\",\"y\":\"\u{7f}";
        let _ = browser.try_send("GET", "https://app.test/%22%7D%0A%7B%22user.id%22:%22root%22%7D", &[], b"");
        let _ = browser.try_send("GET", "https://app.test/", &[("user-agent", forged)], b"");
        assert_eq!(browser.get("https://app.test/").status, 200);
    });
    for record in proxy.access_log(4) {
        assert_eq!(record.get("user.id"), None, "{record}");
    }
}
