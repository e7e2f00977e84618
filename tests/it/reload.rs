//! Another configuration while the process runs: no request is lost, nobody is signed out, and what is wrong changes nothing.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use serde_json::json;

use crate::harness::app::{Proxy, Setup, wait_until};
use crate::harness::browser::{Protocol, on_both};
use crate::harness::certificates;
use crate::harness::connection::{self, Connection};
use crate::harness::raw::Raw;
use crate::harness::runtime;
use crate::harness::scenario::{PAGE, Scenario};
use crate::harness::server::{Reply, Server};
use crate::harness::target;

/// A rule that answers `/which` with this text.
fn which(text: &str) -> String {
    format!(
        "
      - name: which
        priority: 1
        conditions: [{{ path_pattern: [/which] }}]
        actions: [{{ type: fixed-response, status_code: 200, content_type: text/plain, body: {text} }}]"
    )
}

const REQUEST: &str = "GET /which HTTP/1.1\r\nhost: app.test\r\n\r\n";

/// The configurations that a proxy still holds.
fn generations(proxy: &Proxy) -> u64 {
    proxy.metric("vestibule_config_generations")
}

#[test]
fn requests_go_on_over_many_reloads() {
    let targets = [target::echo(), target::echo()];
    let setup = Setup::open(&[targets[0].address()]);
    let yaml = |turn: usize| {
        let before = setup.yaml().replace(&targets[0].address().to_string(), &targets[turn % 2].address().to_string());
        before.replace("    rules: []", &format!("    rules:{}", which(&format!("turn-{turn}"))))
    };
    let proxy = Proxy::start(&yaml(0));
    let (is_over, answered) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for path in ["/which", "/echo"] {
            let (proxy, is_over, answered) = (&proxy, &is_over, &answered);
            // One connection for all requests: it is older than most configurations.
            scope.spawn(move || {
                let mut raw = Raw::connect(proxy.address(), "app.test");
                while !is_over.load(Ordering::Relaxed) {
                    raw.send(format!("GET {path} HTTP/1.1\r\nhost: app.test\r\n\r\n"));
                    let (head, _) = raw.read_response();
                    assert!(head.starts_with("HTTP/1.1 200 "), "{head}");
                    answered.fetch_add(1, Ordering::Relaxed);
                }
            });
            scope.spawn(move || {
                runtime().block_on(async {
                    let mut client = Connection::open(Protocol::Http2, proxy.address(), "app.test").await;
                    while !is_over.load(Ordering::Relaxed) {
                        let request = client.request("GET", path).body(connection::empty()).expect("a request");
                        let response = client.send(request).await.expect("an answer");
                        assert_eq!(response.status(), 200);
                        answered.fetch_add(1, Ordering::Relaxed);
                    }
                });
            });
        }
        for turn in 1..=50 {
            let begun = answered.load(Ordering::Relaxed);
            let said = proxy.reload(&yaml(turn)).expect("it is reloaded");
            assert!(said.contains("  listeners.public.rules.which.actions\n"), "{said}");
            // What is sent from now on is answered by the new configuration.
            let now = proxy.browser(Protocol::Http1).get("https://app.test/which");
            assert_eq!(now.text(), format!("turn-{turn}"));
            wait_until("requests go on", || (answered.load(Ordering::Relaxed) > begun).then_some(()));
        }
        is_over.store(true, Ordering::Relaxed);
    });
    assert!(targets.iter().all(|target| target.count() > 0), "both took part");
    wait_until("no earlier configuration is left", || (generations(&proxy) == 1).then_some(()));
    let reloads = |result: &str| proxy.metric(&format!("vestibule_config_reloads_total{{result=\"{result}\"}}"));
    assert_eq!((reloads("success"), reloads("failure")), (50, 0));
    let counted = "vestibule_requests_total{listener=\"public\",rule=\"which\",status=\"2xx\"}";
    assert!(proxy.metric(counted) >= 50, "counters go on");
}

#[test]
fn a_request_ends_with_the_configuration_that_it_began_with() {
    let target = Server::start(|_| {
        Reply::BytesThenHang(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n".to_vec())
    });
    let proxy = Setup::open(&[target.address()]).start();
    let mut raw = Raw::connect(proxy.address(), "app.test");
    raw.send("GET /stream HTTP/1.1\r\nhost: app.test\r\n\r\n");
    raw.read_until("first");
    let other = target::echo();
    let yaml = proxy.yaml().replace(&target.address().to_string(), &other.address().to_string());
    proxy.reload(&yaml).expect("it is reloaded");
    assert_eq!(proxy.browser(Protocol::Http1).get("https://app.test/").status, 200, "the new target answers");
    target.close_connections();
    assert!(!raw.read_to_end().contains("\r\n0\r\n"), "the stream was that of the old target, to its end");
    wait_until("the old configuration is freed", || (generations(&proxy) == 1).then_some(()));
}

#[test]
fn what_is_under_way_at_a_removed_target_ends_after_its_time() {
    let target = Server::start(|_| {
        Reply::BytesThenHang(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n".to_vec())
    });
    let proxy = Setup::open(&[target.address()]).target_group("    deregistration_delay: 1s").start();
    let mut raw = Raw::connect(proxy.address(), "app.test");
    raw.send("GET /stream HTTP/1.1\r\nhost: app.test\r\n\r\n");
    raw.read_until("first");
    let other = target::echo();
    let yaml = proxy.yaml().replace(&target.address().to_string(), &other.address().to_string());
    proxy.reload(&yaml).expect("it is reloaded");
    assert_eq!(proxy.browser(Protocol::Http1).get("https://app.test/").status, 200, "the new target answers");
    assert!(!raw.read_to_end().contains("\r\n0\r\n"), "the stream is cut");
    let records = proxy.access_log(2);
    let record = records.iter().find(|record| record["url.path"] == "/stream").expect("it is recorded");
    assert_eq!(record["reason"], "upstream.deregistered", "{records:?}");
    wait_until("the old configuration is freed", || (generations(&proxy) == 1).then_some(()));
}

#[test]
fn nobody_is_signed_out_and_who_has_signed_out_stays_out() {
    let scenario = Scenario::start(|setup| setup);
    on_both(|protocol| {
        let (mut stays, mut leaves) = (scenario.signed_in(protocol), scenario.signed_in(protocol));
        let stolen = leaves.clone();
        assert_eq!(leaves.get("https://app.test/oauth2/sign_out").status, 302);
        let asked = scenario.provider.requests("/.well-known/openid-configuration").len();
        let yaml = scenario.proxy.yaml().replace("    rules:", &format!("    # {protocol:?}\n    rules:"));
        let yaml = match protocol {
            Protocol::Http1 => yaml.replace("rules: []", &format!("rules:{}", which("a"))),
            Protocol::Http2 => yaml.replace("body: a", "body: b"),
        };
        scenario.proxy.reload(&yaml).expect("it is reloaded");
        assert_eq!(stays.get(PAGE).status, 200);
        assert_eq!(stolen.clone().get(PAGE).status, 302, "signed out before the reload");
        assert_eq!(
            scenario.provider.requests("/.well-known/openid-configuration").len(),
            asked,
            "what is known is kept"
        );
    });
}

#[test]
fn a_file_that_is_wrong_changes_nothing_and_is_told() {
    let proxy = Setup::open(&[target::echo().address()]).rules(&which("right")).start();
    let good = proxy.yaml();
    let refused = proxy.reload(&good.replace("priority: 1", "prioritie: 1")).expect_err("a typo");
    assert!(refused.contains("did you mean `priority`?"), "{refused}");
    let (status, ready) = ask(proxy.admin(), "/readyz");
    assert_eq!(status, 200, "it serves as before");
    // Any page of a browser on this machine can read it: attacks of DNS rebinding reach probes.
    assert_eq!(ready, "ready\nthe last reload failed: 1 error in the file; the log and `vestibule check` show it\n");
    let last = || proxy.metric("vestibule_config_last_reload_successful");
    assert_eq!((last(), proxy.metric("vestibule_config_reloads_total{result=\"failure\"}")), (0, 1));
    assert_eq!(proxy.browser(Protocol::Http1).get("https://app.test/which").text(), "right");
    assert_eq!(proxy.reload(&good).as_deref(), Ok("nothing has changed\n"));
    assert_eq!((last(), ask(proxy.admin(), "/readyz").1.as_str()), (1, "ready\n"));
}

fn ask(address: SocketAddr, path: &str) -> (u16, String) {
    let mut stream = TcpStream::connect(address).expect("it accepts");
    stream.write_all(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes()).expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (crate::harness::raw::status(head), body.to_owned())
}

/// A listener without TLS on a free port, whose rule answers with its name.
fn plain(name: &str, address: &str) -> String {
    format!(
        "  - name: {name}
    address: {address}
    protocol: http
    default_actions: [{{ type: fixed-response, status_code: 200, content_type: text/plain, body: {name} }}]
"
    )
}

#[test]
fn listeners_come_and_go() {
    let proxy = Setup::open(&[]).start();
    let before = proxy.yaml();
    let with = |more: &str| before.replace("identity_providers:", &format!("{more}identity_providers:"));
    let said = proxy.reload(&with(&plain("extra", "127.0.0.1:0"))).expect("it is reloaded");
    assert!(said.contains("  listeners.extra (new)\n"), "{said}");
    let extra = proxy.address_of("extra");
    let mut open = TcpStream::connect(extra).expect("it accepts");
    open.write_all(REQUEST.as_bytes()).expect("sent");
    let mut begin = [0; 12];
    open.read_exact(&mut begin).expect("an answer");
    assert_eq!(&begin, b"HTTP/1.1 200");

    // A port that is taken refuses the whole reload.
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = taken.local_addr().expect("an address").to_string();
    let refused = proxy.reload(&with(&plain("other", &address))).expect_err("the port is taken");
    assert!(refused.contains(&address) && refused.contains("another process uses this port"), "{refused}");
    assert!(TcpStream::connect(extra).is_ok(), "the listener that was to go is still there");

    let said = proxy.reload(&before).expect("it is reloaded");
    assert!(said.contains("  listeners.extra (removed)\n"), "{said}");
    wait_until("nobody listens", || TcpStream::connect(extra).is_err().then_some(()));
    // The open connection was told to close, or is answered once more and then closed.
    let _ = open.write_all(REQUEST.as_bytes());
    let mut rest = String::new();
    let _ = open.read_to_string(&mut rest);
    assert!(proxy.address_of("public").port() != 0, "the others stay");
}

#[test]
fn a_proxy_that_is_no_longer_trusted_is_not_on_open_connections_either() {
    let target = target::echo();
    let proxy = Setup::open(&[target.address()]).listener("    trusted_proxies: ['127.0.0.0/8']").start();
    let mut raw = Raw::connect(proxy.address(), "app.test");
    let mut sent = || {
        raw.send("GET / HTTP/1.1\r\nhost: app.test\r\nx-forwarded-for: 203.0.113.9\r\nx-forwarded-port: 8443\r\n\r\n");
        raw.read_response();
        let received = target.last();
        (received.header("x-forwarded-port").map(str::to_owned), received.header("x-forwarded-for").map(str::to_owned))
    };
    assert_eq!(sent().0.as_deref(), Some("8443"));
    let yaml = proxy.yaml().replace("    trusted_proxies: ['127.0.0.0/8']\n", "");
    proxy.reload(&yaml).expect("it is reloaded");
    assert_ne!(sent().0.as_deref(), Some("8443"), "the connection is the same");
}

#[test]
fn what_needs_a_restart_is_named() {
    let proxy = Setup::open(&[]).start();
    let said = proxy.reload(&proxy.yaml().replace("workers: 2", "workers: 3")).expect("the rest is reloaded");
    assert!(said.contains("`workers` takes effect when the process is started again"), "{said}");
}

#[test]
fn a_group_that_a_user_lost_in_the_file_is_lost_after_the_reload() {
    let rule = |group: &str| {
        format!(
            "
      - {{ type: authenticate-oidc, provider: corp }}
      - {{ type: authorize, any: [{{ claim: groups, contains: [{group}] }}] }}
      - {{ type: forward, target_group: app }}"
        )
    };
    let scenario = Scenario::start(|setup| setup.default_actions(&rule("sre")));
    let mut browser = scenario.signed_in_as(Protocol::Http1, &json!({"groups": ["sre"]}));
    assert_eq!(browser.get(PAGE).status, 200);
    let yaml = scenario.proxy.yaml().replace("contains: [sre]", "contains: [admin]");
    scenario.proxy.reload(&yaml).expect("it is reloaded");
    assert_eq!(browser.get(PAGE).status, 403, "decided anew, with the same session");
}

#[test]
fn t_04_a_broken_certificate_leaves_the_old_one_and_a_new_one_is_for_new_connections() {
    let proxy = Setup::open(&[]).rules(&which("a")).start();
    let shown = || Raw::connect_showing(proxy.address(), "app.test");
    let (before, mut open) = (shown(), Raw::connect(proxy.address(), "app.test"));
    let (certificate, key) = certificates::untrusted(&["app.test"]);
    std::fs::write(proxy.folder().join("cert.pem"), "not a certificate").expect("written");
    let refused = proxy.reload(&proxy.yaml()).expect_err("it is broken");
    assert!(refused.contains("holds no certificate in PEM form"), "{refused}");
    // The key comes later.
    std::fs::write(proxy.folder().join("cert.pem"), certificate).expect("written");
    let refused = proxy.reload(&proxy.yaml()).expect_err("they do not fit");
    assert!(refused.contains("the private key does not belong to the certificate"), "{refused}");
    assert_eq!(shown(), before);
    std::fs::write(proxy.folder().join("key.pem"), key).expect("written");
    wait_until("the pair is read", || (shown() != before).then_some(()));
    open.send(REQUEST);
    assert!(open.read_response().0.starts_with("HTTP/1.1 200 "), "the open connection goes on");
}

#[test]
fn cookies_of_a_name_that_is_given_up_do_not_reach_targets() {
    let open = "
      - name: open
        priority: 1
        conditions: [{ path_pattern: [/open] }]
        actions: [{ type: forward, target_group: app }]";
    // Not the default: every name that begins like it is reserved.
    let named = |name: &str| {
        format!(
            "claims: {{ signer: 'arn:vestibule:test', signing_key_file: claims-key.pem }}\nsession: {{ key_files: [session-key], cookie_name: {name} }}\n"
        )
    };
    let scenario = Scenario::start(|setup| setup.rules(open).rest(&named("__Host-one")));
    let mut browser = scenario.signed_in(Protocol::Http1);
    let cookies = browser.cookie_header("app.test");
    let name = cookies.split('=').next().expect("a session").to_owned();
    let yaml = scenario.proxy.yaml().replace("__Host-one", "__Host-two");
    scenario.proxy.reload(&yaml).expect("it is reloaded");
    assert_eq!(browser.get(PAGE).status, 302, "the name is another");
    assert_eq!(browser.get("https://app.test/open").status, 200);
    let sent = scenario.target.last();
    assert!(!sent.header("cookie").unwrap_or_default().contains(&name), "{:?}", sent.header("cookie"));
}

#[test]
fn whoever_asks_for_a_reload_and_goes_away_leaves_no_gap_in_what_is_told() {
    let proxy = Setup::open(&[]).rules(&which("a")).start();
    proxy.prepare(&proxy.yaml().replace("body: a", "body: ab"));
    let (begins, goes_on) = proxy.hold_reload();
    let mut stream = TcpStream::connect(proxy.admin()).expect("it accepts");
    stream.write_all(b"POST /reload HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n").expect("sent");
    begins.recv().expect("it has begun");
    drop(stream);
    drop(goes_on);
    let succeeded = || proxy.metric("vestibule_config_reloads_total{result=\"success\"}");
    wait_until("it is counted", || (succeeded() == 1).then_some(()));
    assert_eq!(proxy.browser(Protocol::Http1).get("https://app.test/which").text(), "ab");
}

#[test]
fn an_order_that_changes_and_a_port_of_our_own_are_called_by_their_name() {
    let two = format!(
        "{}{}",
        which("a"),
        which("b").replace("name: which", "name: other").replace("priority: 1", "priority: 2")
    );
    let proxy = Setup::open(&[]).rules(&two).start();
    let swapped = proxy
        .yaml()
        .replace(&two, &format!("{}{}", two.split_at(two.find("\n      - name: other").expect("there")).1, which("a")));
    let said = proxy.reload(&swapped).expect("it is reloaded");
    assert!(said.contains("  listeners.public.rules (order)\n"), "{said}");

    let with = |listener: &str| proxy.yaml().replace("identity_providers:", &format!("{listener}identity_providers:"));
    let free = crate::harness::app::free_port();
    let (one, all) =
        (with(&plain("extra", &format!("127.0.0.1:{free}"))), with(&plain("extra", &format!("0.0.0.0:{free}"))));
    proxy.reload(&one).expect("it is reloaded");
    let refused = proxy.reload(&all).expect_err("its own port");
    assert!(refused.contains(&format!("this process itself listens on this port, at 127.0.0.1:{free}")), "{refused}");
}

/// Asks the admin address for a reload, and answers status and text.
fn post_reload(admin: SocketAddr) -> (u16, String) {
    let mut stream = TcpStream::connect(admin).expect("it accepts");
    stream.write_all(b"POST /reload HTTP/1.1\r\nhost: localhost\r\ncontent-length: 0\r\n\r\n").expect("sent");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer");
    (crate::harness::raw::status(&answer), answer)
}

#[test]
fn two_reloads_at_once_come_one_after_the_other() {
    let proxy = Setup::open(&[]).rules(&which("a")).start();
    let (begins, goes_on) = proxy.hold_reload();
    let ask = |admin| std::thread::spawn(move || post_reload(admin));
    proxy.prepare(&proxy.yaml().replace("body: a", "body: ab"));
    let first = ask(proxy.admin());
    begins.recv().expect("it has begun");
    let second = ask(proxy.admin());
    proxy.prepare(&proxy.yaml().replace("body: ab", "body: abc"));
    drop(goes_on);
    for asked in [first, second] {
        let (status, said) = asked.join().expect("no panic");
        assert_eq!(status, 200, "{said}");
    }
    assert_eq!(proxy.metric("vestibule_config_reloads_total{result=\"success\"}"), 2);
    assert_eq!(proxy.browser(Protocol::Http1).get("https://app.test/which").text(), "abc");
    wait_until("one configuration is left", || (generations(&proxy) == 1).then_some(()));
}
