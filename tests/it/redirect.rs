//! Redirects: placeholders, both status codes, and the step from plain HTTP to HTTPS.

use crate::harness::app::Setup;
use crate::harness::browser::{Protocol, on_both};

#[track_caller]
fn check(action: &str, table: &[(&str, u16, &str)]) {
    let proxy = Setup::open(&[]).default_actions(&format!(" [{{ type: redirect, {action} }}]")).start();
    on_both(|protocol| {
        let mut browser = proxy.browser(protocol);
        for (url, status, location) in table {
            let answer = browser.get(url);
            assert_eq!((answer.status, answer.location()), (*status, *location), "{action}: {url}");
            assert_eq!(answer.body, b"");
        }
    });
}

#[test]
fn what_is_not_given_stays_as_it_was() {
    check(
        "host: other.test, status_code: HTTP_302",
        &[
            ("https://app.test/a/b?c=d", 302, "https://other.test/a/b?c=d"),
            ("https://app.test/", 302, "https://other.test/"),
            ("https://app.test:8443/a%20b", 302, "https://other.test:8443/a%20b"),
        ],
    );
}

#[test]
fn placeholders_stand_for_parts_of_the_request() {
    check(
        "path: '/moved/#{host}/#{path}', query: 'from=#{host}&#{query}', status_code: HTTP_301",
        &[("https://app.test/a/b?c=d", 301, "https://app.test/moved/app.test/a/b?from=app.test&c=d")],
    );
    check(
        "host: 'old-#{host}', port: 8443, query: '', status_code: HTTP_301",
        &[("https://app.test/a?c=d", 301, "https://old-app.test:8443/a")],
    );
}

#[test]
fn plain_http_is_sent_to_https_and_reaches_no_target() {
    let target = crate::harness::target::echo();
    let proxy = Setup::open(&[target.address()]).start();
    let mut browser = proxy.browser(Protocol::Http1).with_host("app.test", proxy.address_of("plain"));
    for (url, location) in
        [("http://app.test/a?b=c", "https://app.test/a?b=c"), ("http://app.test:8080/", "https://app.test/")]
    {
        let answer = browser.get(url);
        assert_eq!((answer.status, answer.location()), (301, location));
    }
    assert_eq!(target.count(), 0);
}

#[test]
fn r_a_path_that_looks_like_a_host_does_not_become_one() {
    check(
        "port: 8443, status_code: HTTP_302",
        &[
            ("https://app.test//evil.example/", 302, "https://app.test:8443/evil.example/"),
            ("https://app.test/https://evil.example", 302, "https://app.test:8443/https://evil.example"),
        ],
    );
}

#[test]
fn an_address_that_makes_the_location_longer_than_8_k_is_refused() {
    let proxy =
        Setup::open(&[]).default_actions(" [{ type: redirect, host: other.test, status_code: HTTP_302 }]").start();
    on_both(|protocol| {
        let mut browser = proxy.browser(protocol);
        let long = format!("https://app.test/?{}", "a".repeat(8200));
        let answer = browser.get(&long);
        assert_eq!((answer.status, answer.reason().as_deref()), (414, Some("request.uri_too_long")));
    });
    let mut browser = proxy.browser(Protocol::Http1).with_host("app.test", proxy.address_of("plain"));
    let answer = browser.get(&format!("http://app.test/?{}", "a".repeat(8200)));
    assert_eq!((answer.status, answer.reason().as_deref()), (414, Some("request.uri_too_long")));
}
