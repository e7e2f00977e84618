//! `transforms`: the target receives another address than the client has sent, and nobody else sees it.

use crate::harness::app::Setup;
use crate::harness::browser::{Protocol, on_both};
use crate::harness::process::{self, Process};
use crate::harness::provider::Provider;
use crate::harness::raw::Raw;
use crate::harness::target;

/// A rule for `/api/*` with these transforms.
fn rule(transforms: &str, actions: &str) -> String {
    format!(
        "\n      - name: api\n        priority: 1\n        conditions: [{{ path_pattern: ['/api/*'] }}]\n        \
         transforms: {transforms}\n        actions: [{actions}]"
    )
}

const FORWARD: &str = "{ type: forward, target_group: app }";
const BOTH: &str = "{ host_header_rewrite: { regex: '^(.+)[.]test$', replace: '$1.internal:8080' }, \
                    url_rewrite: { regex: '^/api/(.*)$', replace: '/v2/$1' } }";

#[test]
fn the_target_receives_the_transformed_address_and_the_log_has_both() {
    let target = target::echo();
    let proxy = Setup::open(&[target.address()]).rules(&rule(BOTH, FORWARD)).start();
    on_both(|protocol| {
        for sent in ["/api/x?a=b", "/%61pi/x?a=b", "//api//x?a=b"] {
            assert_eq!(proxy.browser(protocol).get(&format!("https://app.test{sent}")).status, 200);
            let received = target.last();
            assert_eq!(received.target(), "/v2/x?a=b", "{sent}");
            assert_eq!(received.header("host"), Some("app.internal:8080"));
            assert_eq!(received.header("x-forwarded-host"), Some("app.test"));
        }
        proxy.browser(protocol).get("https://app.test/other");
        assert_eq!((target.last().target(), target.last().header("host")), ("/other", Some("app.test")));
    });
    let records = proxy.access_log(8);
    let of = |path: &str| records.iter().find(|record| record["url.path"] == path).expect("a record").clone();
    let record = of("/api/x");
    assert_eq!(record["server.address"], "app.test");
    assert_eq!(record["transformed_host"], "app.internal:8080");
    assert_eq!(record["transformed_uri"], "/v2/x");
    assert_eq!(record["request_transform_status"], "transformed");
    assert!(of("/other").get("request_transform_status").is_none());
}

#[test]
fn what_no_expression_matches_stays_as_it_is() {
    let target = target::echo();
    let transforms =
        "{ host_header_rewrite: { regex: '^x$', replace: y }, url_rewrite: { regex: '^/api/v1/', replace: '/' } }";
    let proxy = Setup::open(&[target.address()]).rules(&rule(transforms, FORWARD)).start();
    on_both(|protocol| {
        proxy.browser(protocol).get("https://app.test/api/%78?a=%62");
        assert_eq!(target.last().target(), "/api/%78?a=%62", "as the client sent it");
        assert_eq!(target.last().header("host"), Some("app.test"));
    });
    assert_eq!(proxy.access_log(1)[0]["request_transform_status"], "unchanged");
}

/// P-04, P-05, P-07: what a client puts into a group cannot become another path, another header or another host.
#[test]
fn p_04_a_result_that_cannot_be_sent_is_answered_500() {
    let target = target::echo();
    let transforms = "{ url_rewrite: { regex: '^/api/go[?]to=(.*)$', replace: '/$1' } }";
    let proxy = Setup::open(&[target.address()]).rules(&rule(transforms, FORWARD)).start();
    on_both(|protocol| {
        for to in [
            "../admin",
            "%2e%2e/admin",
            "x%2f..%2fadmin",
            "%5cadmin",
            "%0d%0aX-Forwarded-User:%20admin",
            "%c0%ae",
            "%zz",
        ] {
            let count = target.count();
            let answer = proxy.browser(protocol).get(&format!("https://app.test/api/go?to={to}"));
            assert_eq!((answer.status, answer.reason().as_deref()), (500, Some("rule.transform_failed")), "{to}");
            assert_eq!(target.count(), count, "{to}");
        }
        for (to, received) in [
            ("x", "/x"),
            ("/evil.test/x", "/evil.test/x"),
            ("//evil.test", "/evil.test"),
            ("x?admin=1", "/x%3Fadmin=1"),
        ] {
            proxy.browser(protocol).get(&format!("https://app.test/api/go?to={to}"));
            assert_eq!(target.last().target(), received, "{to}");
        }
    });
    assert_eq!(proxy.access_log(1)[0]["request_transform_status"], "failed");
}

/// A client cannot add a parameter to an address that is made of a part of its path.
#[test]
fn a_path_in_the_query_is_one_value() {
    let target = target::echo();
    let transforms = "{ url_rewrite: { regex: '^/api/item/(.*)$', replace: '/item?id=$1' } }";
    let proxy = Setup::open(&[target.address()]).rules(&rule(transforms, FORWARD)).start();
    on_both(|protocol| {
        for sent in ["1&admin=1", "1%26admin=1"] {
            proxy.browser(protocol).get(&format!("https://app.test/api/item/{sent}"));
            assert_eq!(target.last().target(), "/item?id=1%26admin=1");
        }
    });
}

#[test]
fn a_sign_in_leads_back_to_the_address_that_the_browser_knows() {
    let provider = Provider::start();
    let target = target::echo();
    let actions = format!("{{ type: authenticate-oidc, provider: corp }}, {FORWARD}");
    let proxy = Setup::new(&provider, &target).rules(&rule(BOTH, &actions)).start();
    on_both(|protocol| {
        let mut browser = proxy.browser(protocol);
        let sent = browser.get("https://app.test/api/x?a=b");
        assert!(sent.location().contains("redirect_uri=https%3A%2F%2Fapp.test%2F"), "{}", sent.location());
        let back = browser.get(&provider.callback_of(sent.location()));
        let back =
            url::Url::parse("https://app.test/").and_then(|base| base.join(back.location())).expect("an address");
        assert_eq!(back.as_str(), "https://app.test/api/x?a=b");
        assert_eq!(browser.get(back.as_str()).status, 200);
        assert_eq!((target.last().target(), target.last().header("host")), ("/v2/x?a=b", Some("app.internal:8080")));
    });
}

#[test]
fn a_websocket_is_opened_at_the_transformed_address() {
    let target = target::echo();
    let proxy = Setup::open(&[target.address()]).rules(&rule(BOTH, FORWARD)).start();
    let mut client = Raw::connect(proxy.address(), "app.test");
    client.send(
        "GET /api/socket HTTP/1.1\r\nHost: app.test\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
    );
    target.wait_for(1);
    assert_eq!(target.last().target(), "/v2/socket");
    assert_eq!(target.last().header("upgrade"), Some("websocket"));
    assert_eq!(target.last().header("host"), Some("app.internal:8080"));
}

/// `:authority` and `:path` of a target with HTTP/2 are the transformed ones.
#[test]
fn a_target_with_http2_receives_the_transformed_address() {
    let server = Process::start(process::python("python/http2_target.py", &[]));
    let port: u16 = server.next_line().expect("a port").parse().expect("a number");
    let group = "    protocol_version: http2\n";
    let proxy = Setup::open(&[([127, 0, 0, 1], port).into()]).target_group(group).rules(&rule(BOTH, FORWARD)).start();
    let seen = |path: &str| {
        let url = format!("https://app.test{path}");
        let seen = proxy.browser(Protocol::Http2).send("POST", &url, &[], b"body").json();
        let of = |name: &str| {
            let fields = seen["head"].as_array().expect("fields").iter().filter(|field| field[0] == name);
            fields.map(|field| field[1].as_str().expect("text").to_owned()).collect::<Vec<_>>()
        };
        [of(":authority"), of(":path"), of("host"), of("x-forwarded-host")]
    };
    let one = |text: &str| vec![text.to_owned()];
    for sent in ["/api/x?a=b", "/%61pi/x?a=b"] {
        assert_eq!(seen(sent), [one("app.internal:8080"), one("/v2/x?a=b"), vec![], one("app.test")], "{sent}");
    }
    assert_eq!(seen("/other"), [one("app.test"), one("/other"), vec![], one("app.test")]);
}

/// A gate asks about the address that the client has sent, whatever the target receives, and the target of another host has no say.
#[test]
fn gates_judge_what_the_client_has_sent() {
    let provider = Provider::start();
    let target = target::echo();
    let open = "
      - name: open
        priority: 1
        conditions: [{ host_header: [other.test] }, { path_pattern: ['/open/*'] }]
        transforms: { host_header_rewrite: { regex: '^other', replace: app }, url_rewrite: { regex: '^/open', replace: '' } }
        actions: [{ type: forward, target_group: app }]";
    let proxy = Setup::new(&provider, &target).rules(open).start();
    on_both(|protocol| {
        let get = |url: &str| proxy.browser(protocol).get(url).status;
        assert_eq!(get("https://other.test/open/page"), 200);
        assert_eq!((target.last().target(), target.last().header("host")), ("/page", Some("app.test")));
        assert_eq!(target.last().header("x-amzn-oidc-data"), None, "nobody is signed in");
        let count = target.count();
        // The same address, asked for by a client, is behind the sign-in of the default actions.
        for url in ["https://app.test/page", "https://app.test/open/page", "https://other.test/page"] {
            assert_eq!(get(url), 302, "{url}");
        }
        assert_eq!(target.count(), count);
    });
}
