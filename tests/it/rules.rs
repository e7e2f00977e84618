//! Rules: which of them takes a request, by conditions and by priority.

use serde_json::Value;

use crate::harness::app::{Proxy, Setup};
use crate::harness::browser::{Answer, Browser, on_both};

/// A rule that answers with its own name.
fn rule(name: &str, priority: u32, conditions: &str) -> String {
    format!(
        "\n      - {{ name: {name}, priority: {priority}, conditions: {conditions}, \
         actions: [{{ type: fixed-response, status_code: 200, body: {name} }}] }}"
    )
}

fn proxy(rules: &[String]) -> Proxy {
    Setup::open(&[])
        .rules(&rules.concat())
        .default_actions(" [{ type: fixed-response, status_code: 404, body: default }]")
        .start()
}

/// One request of a table: method, URL, headers.
type Asked<'t> = (&'t str, &'t str, &'t [(&'t str, &'t str)]);

#[track_caller]
fn check(browser: &mut Browser, (method, url, headers): Asked<'_>, expected: &str) {
    let answer: Answer = browser.send(method, url, headers, b"");
    assert_eq!(answer.text(), expected, "{method} {url} {headers:?}");
    assert_eq!(answer.status, if expected == "default" { 404 } else { 200 });
}

#[test]
fn each_condition_takes_what_it_says_and_nothing_else() {
    let proxy = proxy(&[
        rule("host", 1, "[{ host_header: [docs.app.test, '*.wild.app.test', 'v?.app.test'] }]"),
        rule("path", 2, "[{ path_pattern: ['/img/*', '/my docs/?'] }]"),
        rule("method", 3, "[{ http_request_method: [PURGE, DELETE] }]"),
        rule("header", 4, "[{ http_header: { name: X-Tier, values: ['gold', 'plat*'] } }]"),
        rule("query", 5, "[{ query_string: [{ key: version, value: 'v?' }, { value: 'beta*' }] }]"),
        rule("all", 6, "[{ host_header: [other.test] }, { path_pattern: ['/all*'] }, { http_request_method: [POST] }]"),
    ]);
    let table: &[(Asked<'_>, &str)] = &[
        (("GET", "https://docs.app.test/", &[]), "host"),
        (("GET", "https://DOCS.app.test/", &[]), "host"),
        (("GET", "https://v1.app.test/", &[]), "host"),
        (("GET", "https://v12.app.test/", &[]), "default"),
        (("GET", "https://app.test/img/a/b.png", &[]), "path"),
        (("GET", "https://app.test/my%20docs/x", &[]), "path"),
        (("GET", "https://app.test/%69mg/a", &[]), "path"),
        (("GET", "https://app.test/img", &[]), "default"),
        (("GET", "https://app.test/IMG/a", &[]), "default"),
        (("GET", "https://app.test/x?/img/", &[]), "default"),
        (("PURGE", "https://app.test/", &[]), "method"),
        (("DELETE", "https://app.test/", &[]), "method"),
        (("GET", "https://app.test/", &[("x-tier", "gold")]), "header"),
        (("GET", "https://app.test/", &[("X-TIER", "PLATINUM")]), "header"),
        (("GET", "https://app.test/", &[("x-tier", "golden")]), "default"),
        (("GET", "https://app.test/", &[("x-tier", "silver"), ("x-tier", "gold")]), "header"),
        (("GET", "https://app.test/?version=v2", &[]), "query"),
        (("GET", "https://app.test/?a=1&VERSION=V2", &[]), "query"),
        (("GET", "https://app.test/?any=beta-3", &[]), "query"),
        (("GET", "https://app.test/?version=v22", &[]), "default"),
        (("GET", "https://app.test/?xversion=v2", &[]), "default"),
        (("POST", "https://other.test/all", &[]), "all"),
        (("GET", "https://other.test/all", &[]), "default"),
        (("POST", "https://app.test/all", &[]), "default"),
        (("POST", "https://other.test/some", &[]), "default"),
    ];
    on_both(|protocol| {
        let mut browser = proxy.browser(protocol);
        for (asked, expected) in table {
            check(&mut browser, *asked, expected);
        }
    });
}

#[test]
fn regular_expressions_take_what_they_match_as_a_whole() {
    let proxy = proxy(&[
        rule("host", 1, r"[{ host_header: { regex_values: ['^v[0-9]+\.app\.test$'] } }]"),
        rule("path", 2, "[{ path_pattern: { regex_values: ['^/users/[0-9]+(/edit)?$', '^/my docs/.*$'] } }]"),
        rule("header", 3, "[{ http_header: { name: X-Tier, regex_values: ['^(gold|plat.*)$'] } }]"),
        rule("both", 4, "[{ host_header: [other.test] }, { path_pattern: { regex_values: ['^/.*[.]css$'] } }]"),
    ]);
    let table: &[(Asked<'_>, &str)] = &[
        (("GET", "https://V12.app.test/", &[]), "host"),
        (("GET", "https://v.app.test/", &[]), "default"),
        (("GET", "https://xv1.app.test/", &[]), "default"),
        (("GET", "https://app.test/users/42?x", &[]), "path"),
        (("GET", "https://app.test/%75sers/42/edit", &[]), "path"),
        (("GET", "https://app.test//users//42", &[]), "path"),
        (("GET", "https://app.test/my%20docs/a/b", &[]), "path"),
        (("GET", "https://app.test/users/42/delete", &[]), "default"),
        (("GET", "https://app.test/v1/users/42", &[]), "default"),
        (("GET", "https://app.test/Users/42", &[]), "default"),
        (("GET", "https://app.test/x?/users/42", &[]), "default"),
        (("GET", "https://app.test/", &[("x-tier", "PLATINUM")]), "header"),
        (("GET", "https://app.test/", &[("x-tier", "silver"), ("x-tier", "gold")]), "header"),
        (("GET", "https://app.test/", &[("x-tier", "golden")]), "default"),
        (("GET", "https://other.test/a.css", &[]), "both"),
        (("GET", "https://other.test/a.css.map", &[]), "default"),
    ];
    on_both(|protocol| {
        let mut browser = proxy.browser(protocol);
        for (asked, expected) in table {
            check(&mut browser, *asked, expected);
        }
    });
}

#[test]
fn the_lowest_priority_number_wins_whatever_the_order_in_the_file() {
    let proxy = proxy(&[
        rule("third", 300, "[{ path_pattern: ['/*'] }]"),
        rule("first", 7, "[{ path_pattern: ['/a/b/*'] }]"),
        rule("second", 20, "[{ path_pattern: ['/a/*'] }]"),
    ]);
    on_both(|protocol| {
        let mut browser = proxy.browser(protocol);
        for (path, expected) in [("/a/b/c", "first"), ("/a/c", "second"), ("/c", "third")] {
            check(&mut browser, ("GET", &format!("https://app.test{path}"), &[]), expected);
        }
    });
    let records = proxy.access_log(6);
    for record in &records {
        let expected = match record["url.path"].as_str() {
            Some("/a/b/c") => "first",
            Some("/a/c") => "second",
            _ => "third",
        };
        assert_eq!(record["rule.name"], expected, "{record}");
    }
}

#[test]
fn a_rule_for_networks_sees_the_peer_unless_a_trusted_proxy_speaks() {
    let rules = rule("inside", 1, "[{ source_ip: ['127.0.0.2/32', '10.0.0.0/8'] }]");
    let proxy = Setup::open(&[])
        .rules(&rules)
        .default_actions(" [{ type: fixed-response, status_code: 404, body: default }]")
        .listener("    trusted_proxies: ['127.0.0.3/32']")
        .start();
    let forwarded: &[(&str, &str)] = &[("x-forwarded-for", "10.1.2.3")];
    let table: &[(&str, &[(&str, &str)], &str)] = &[
        ("127.0.0.1", &[], "default"),
        ("127.0.0.2", &[], "inside"),
        // Nobody believes a client.
        ("127.0.0.1", forwarded, "default"),
        ("127.0.0.3", &[], "default"),
        ("127.0.0.3", forwarded, "inside"),
        // The client is the last one that no trusted proxy is: what it says of others is its own invention.
        ("127.0.0.3", &[("x-forwarded-for", "10.1.2.3, 192.0.2.7")], "default"),
    ];
    on_both(|protocol| {
        for (from, headers, expected) in table {
            let mut browser = proxy.browser(protocol);
            browser.from = Some(from.parse().expect("an address"));
            check(&mut browser, ("GET", "https://app.test/", headers), expected);
        }
    });
}

#[test]
fn the_host_of_a_rule_is_the_host_of_the_request_and_not_of_the_handshake() {
    let proxy = proxy(&[rule("host", 1, "[{ host_header: [app.test] }]")]);
    let mut raw = crate::harness::raw::Raw::connect(proxy.address(), "other.test");
    raw.send("GET / HTTP/1.1\r\nhost: app.test:8443\r\n\r\n");
    assert_eq!(raw.read_response().1, "host");
    raw.send("GET https://app.test/ HTTP/1.1\r\nhost: app.test\r\n\r\n");
    assert_eq!(raw.read_response().1, "host");
    raw.send("GET / HTTP/1.1\r\nhost: app.test.\r\n\r\n");
    assert_eq!(raw.read_response().1, "host", "a trailing dot names the same host");
    raw.send("GET / HTTP/1.1\r\nhost: xapp.test\r\n\r\n");
    assert_eq!(raw.read_response().1, "default");
}

#[test]
fn the_access_log_names_the_rule_also_where_it_has_no_name() {
    let proxy = Setup::open(&[])
        .rules(
            "\n      - { priority: 9, conditions: [{ path_pattern: [/x] }], \
             actions: [{ type: fixed-response, status_code: 200 }] }",
        )
        .start();
    proxy.browser(crate::harness::browser::Protocol::Http1).get("https://app.test/x");
    assert_eq!(proxy.access_log(1)[0]["rule.name"], Value::from("priority-9"));
}
