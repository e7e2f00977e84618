//! What the metrics count, seen from outside.

use std::sync::Arc;

use crate::harness::app::Setup;
use crate::harness::browser::{Protocol, on_both};
use crate::harness::provider::Provider;
use crate::harness::server::{Received, Reply, Server};
use crate::harness::target;

const RULES: &str = r##"
      - name: moved
        priority: 1
        conditions: [{ path_pattern: ["/moved"] }]
        actions: [{ type: redirect, host: other.test, status_code: HTTP_302 }]
      - name: long
        priority: 2
        conditions: [{ path_pattern: ["/long"] }]
        actions: [{ type: redirect, host: other.test, query: "#{query}&#{query}", status_code: HTTP_302 }]
      - name: tea
        priority: 3
        conditions: [{ path_pattern: ["/tea"] }]
        actions: [{ type: fixed-response, status_code: 418 }]
      - name: private
        priority: 4
        conditions: [{ path_pattern: ["/private"] }]
        actions:
          - { type: authenticate-oidc, provider: corp }
          - { type: redirect, host: other.test, status_code: HTTP_302 }
      - name: open
        priority: 5
        conditions: [{ path_pattern: ["/open"] }]
        actions: [{ type: forward, target_group: app }]"##;

#[test]
fn answers_of_the_proxy_itself_are_counted_by_action() {
    let (provider, target) = (Provider::start(), target::echo());
    let proxy = Setup::new(&provider, &target).rules(RULES).start();
    on_both(|protocol| {
        let mut browser = proxy.browser(protocol);
        for (path, status) in [("/moved", 302), ("/tea", 418), ("/private", 302), ("/open", 200)] {
            assert_eq!(browser.get(&format!("https://app.test{path}")).status, status, "{path}");
        }
        assert_eq!(browser.get(&format!("https://app.test/long?{}", "x".repeat(5000))).status, 414);
    });
    let of_rule = |name: &str, rule: &str| proxy.metric(&format!("{name}{{listener=\"public\",rule=\"{rule}\"}}"));
    assert_eq!(of_rule("vestibule_redirects_total", "moved"), 2);
    assert_eq!(of_rule("vestibule_redirects_total", "private"), 0, "a redirect to a sign-in is none of the action");
    assert_eq!(of_rule("vestibule_redirects_total", "long"), 0, "it was refused");
    assert_eq!(of_rule("vestibule_fixed_responses_total", "tea"), 2);
    let refused = "vestibule_refusals_total{listener=\"public\",reason=\"request.uri_too_long\"}";
    assert_eq!(proxy.metric(refused), 2);
    assert!(!proxy.metrics().contains("vestibule_redirects_total{listener=\"public\",rule=\"open\"}"));
}

#[test]
fn calls_to_a_provider_are_timed_also_if_they_fail() {
    let (provider, target) = (Provider::start(), target::echo());
    let proxy = Setup::new(&provider, &target).start();
    let timed = |endpoint: &str| {
        let series = "vestibule_provider_request_duration_seconds_count";
        proxy.metric(&format!("{series}{{provider=\"corp\",endpoint=\"{endpoint}\"}}"))
    };
    drop(proxy.signed_in(Protocol::Http2, &provider));
    assert_eq!(timed("token"), 1, "{}", proxy.metrics());
    let fails = |request: &Received| request.target().starts_with("/token").then_some(Reply::Reset);
    provider.say(|script| script.instead = Some(Arc::new(fails)));
    let mut browser = proxy.browser(Protocol::Http1);
    provider.try_sign_in(&mut browser, "https://app.test/");
    assert_eq!(timed("token"), 2, "{}", proxy.metrics());
}

#[test]
fn answers_are_counted_by_target_until_it_has_left() {
    let good = target::echo();
    let bad = Server::start(|_| Reply::new("503 Unavailable", &[], ""));
    let setup = Setup::open(&[good.address(), bad.address()]);
    let proxy = setup.start();
    let mut browser = proxy.browser(Protocol::Http1);
    for _ in 0..4 {
        browser.get("https://app.test/open");
    }
    let answers = |target: &Server, status: &str| {
        let labels = format!("target_group=\"app\",target=\"{}\",status=\"{status}\"", target.address());
        proxy.metric(&format!("vestibule_target_requests_total{{{labels}}}"))
    };
    assert_eq!((answers(&good, "2xx"), answers(&bad, "5xx")), (2, 2), "{}", proxy.metrics());
    assert_eq!((answers(&good, "5xx"), answers(&bad, "2xx"), answers(&bad, "none")), (0, 0, 0));
    let took = "vestibule_upstream_response_duration_seconds_count{target_group=\"app\"}";
    assert_eq!(proxy.metric(took), 4);
}

/// `docs/ALB.md` §6.5 says which of our metrics tells what a metric of the ALB tells. Each name of ours exists.
#[test]
fn each_metric_of_the_alb_has_a_metric_here() {
    const OF_THE_ALB: [&str; 14] = [
        "ELBAuthError",
        "ELBAuthFailure",
        "ELBAuthLatency",
        "ELBAuthRefreshTokenSuccess",
        "ELBAuthSuccess",
        "ELBAuthUserClaimsSizeExceeded",
        "HTTP_Redirect_Count",
        "HTTP_Redirect_Url_Limit_Exceeded_Count",
        "HTTP_Fixed_Response_Count",
        "JWTValidationFailureCount",
        "GrpcRequestCount",
        "DesyncMitigationMode_NonCompliant_Request_Count",
        "RejectedConnectionCount",
        "RequestCount",
    ];
    let read = |page: &str| {
        let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(page);
        std::fs::read_to_string(path).expect(page)
    };
    let (alb, metrics, reasons) = (read("ALB.md"), read("METRICS.md"), read("REASONS.md"));
    let section = alb.split("### 6.5").nth(1).and_then(|rest| rest.split("\n## ").next()).expect("a section");
    for name in OF_THE_ALB {
        let row = section.lines().find(|line| line.starts_with(&format!("| `{name}` |")));
        let row = row.unwrap_or_else(|| panic!("no row for {name}"));
        let words: Vec<&str> = row.split(|c: char| !(c.is_ascii_alphanumeric() || matches!(c, '_' | '.'))).collect();
        let ours: Vec<_> = words.iter().filter(|word| word.starts_with("vestibule_")).collect();
        assert!(!ours.is_empty(), "{row}");
        for metric in ours {
            assert!(metrics.contains(&format!("| `{metric}` |")), "{name}: there is no {metric}");
        }
        for reason in words.iter().filter(|word| word.starts_with("auth.") || word.starts_with("request.")) {
            assert!(reasons.contains(&format!("| `{reason}` |")), "{name}: there is no {reason}");
        }
    }
}
