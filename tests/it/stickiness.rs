//! Stickiness: a browser stays at the target that first answered it. [`attacks`] is what strangers and targets do with the cookies.

mod attacks;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use crate::harness::app::{Proxy, START, Setup};
use crate::harness::browser::{Answer, Browser, Protocol, on_both};
use crate::harness::raw::{self, Raw};
use crate::harness::server::{Received, Reply, Server};
use crate::harness::target;

const PAGE: &str = "https://app.test/page";
const NAME: &str = "__Host-vestibule-target.eCnJg595";
const LB: &str = "    stickiness: { type: lb_cookie }";
const LB_ALB: &str = "    stickiness: { type: lb_cookie, format: alb }";
const APP: &str = "    stickiness: { type: app_cookie, cookie_name: JSESSIONID }";
const APP_ALB: &str = "    stickiness: { type: app_cookie, cookie_name: JSESSIONID, format: alb }";
/// So many requests reach both of two targets where nothing binds them: one of the two workers gets two of them one after the other.
const MANY: usize = 6;

/// A target that says who it is.
fn named(name: &'static str) -> Server {
    Server::start(saying(name))
}

fn saying(name: &'static str) -> impl Fn(&Received) -> Reply {
    move |_| Reply::text(name)
}

fn two() -> [Server; 2] {
    [named("a"), named("b")]
}

fn setup(targets: &[Server], group: &str) -> Setup {
    let addresses: Vec<SocketAddr> = targets.iter().map(Server::address).collect();
    Setup::open(&addresses).target_group(group)
}

/// Who answers when this `Cookie` field is sent so often that all would, if nothing bound the requests.
#[track_caller]
fn who(browser: &Browser, cookies: &str) -> BTreeSet<String> {
    let mut browser = browser.clone();
    let mut answered = || {
        let answer = browser.send("GET", PAGE, &[("cookie", cookies)], b"");
        assert_eq!(answer.status, 200);
        answer.text().to_owned()
    };
    (0..MANY).map(|_| answered()).collect()
}

fn all() -> BTreeSet<String> {
    ["a", "b"].map(str::to_owned).into()
}

fn only(name: &str) -> BTreeSet<String> {
    BTreeSet::from([name.to_owned()])
}

/// The names of the cookies that an answer sets.
fn set_by(answer: &Answer) -> Vec<&str> {
    answer.set_cookies().into_iter().map(|line| line.split('=').next().expect("a name")).collect()
}

/// A browser that has been answered, who answered, and the cookies that it got.
#[track_caller]
fn bound(proxy: &Proxy, protocol: Protocol) -> (Browser, String, String) {
    let mut browser = proxy.browser(protocol);
    let name = browser.get(PAGE).text().to_owned();
    let cookies = browser.cookie_header("app.test");
    assert!(!cookies.is_empty());
    (browser, name, cookies)
}

// Sticking.

#[test]
fn a_browser_stays_at_its_target_whatever_the_algorithm() {
    for algorithm in ["round_robin", "least_outstanding_requests", "weighted_random"] {
        let targets = [named("a"), named("b"), named("c")];
        let proxy = setup(&targets, &format!("{LB}\n    algorithm: {algorithm}")).start();
        on_both(|protocol| {
            let (mut browser, name, _) = bound(&proxy, protocol);
            for _ in 0..3 * MANY {
                let answer = browser.get(PAGE);
                assert_eq!(answer.text(), name, "{algorithm}");
                assert_eq!(set_by(&answer), [NAME], "each answer renews it");
            }
        });
        if algorithm == "round_robin" {
            let mut browser = proxy.browser(Protocol::Http1);
            let who = (0..4 * MANY).map(|_| browser.send("GET", PAGE, &[("cookie", "a=1")], b"").text().to_owned());
            assert_eq!(who.collect::<BTreeSet<_>>().len(), 3, "others go elsewhere");
        }
    }
}

#[test]
fn weights_count_for_new_browsers_only() {
    let targets = two();
    let setup = setup(&targets, LB);
    let proxy = setup.start();
    let (browser, name, cookies) = bound(&proxy, Protocol::Http1);
    let other = targets.iter().zip(["a", "b"]).find(|(_, known)| *known != name).expect("the other").0.address();
    let weighted = format!("{{ address: '{other}', weight: 100 }}");
    let yaml = setup.yaml().replace(&format!("\"{other}\""), &weighted);
    assert!(yaml.contains(&weighted), "{yaml}");
    proxy.reload(&yaml).expect("it is reloaded");
    assert_eq!(who(&browser, &cookies), only(&name));
}

#[test]
fn without_stickiness_no_cookie_is_set_and_requests_are_spread() {
    let targets = two();
    let proxy = setup(&targets, "").start();
    on_both(|protocol| {
        let mut browser = proxy.browser(protocol);
        assert_eq!(browser.get(PAGE).set_cookies(), [""; 0]);
        assert_eq!(who(&browser, &format!("{NAME}=x")), all());
        assert_eq!(browser.get(PAGE).header("cache-control"), None);
    });
}

#[test]
fn a_websocket_is_opened_at_the_target_of_the_browser() {
    let targets = two();
    let proxy = setup(&targets, LB).start();
    let (_, name, cookies) = bound(&proxy, Protocol::Http1);
    for (target, name) in targets.iter().zip(["a", "b"]) {
        let head = "HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: upgrade\r\n";
        target.script(move |_| Reply::Switch(format!("{head}x-who: {name}\r\n\r\n").into_bytes()));
    }
    for _ in 0..MANY {
        let mut client = Raw::connect(proxy.address(), "app.test");
        client.send(format!(
            "GET /socket HTTP/1.1\r\nhost: app.test\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
             sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\ncookie: {cookies}\r\n\r\n"
        ));
        let head = client.read_until("\r\n\r\n");
        assert_eq!(raw::status(&head), 101, "{head}");
        assert!(head.contains(&format!("x-who: {name}\r\n")), "{head}");
        assert!(head.to_ascii_lowercase().contains("set-cookie: __host-vestibule-target."), "{head}");
    }
}

#[test]
fn plain_http_has_a_cookie_that_browsers_keep_there() {
    let targets = two();
    let yaml = setup(&targets, LB).yaml().replace(
        "      - { type: redirect, protocol: HTTPS, port: '443', status_code: HTTP_301 }",
        "      - { type: forward, target_group: app }",
    );
    let proxy = Proxy::start(&yaml);
    let mut browser = proxy.browser(Protocol::Http1);
    browser.move_to(proxy.address_of("plain"));
    let answer = browser.get("http://app.test/page");
    let name = answer.text().to_owned();
    assert_eq!(set_by(&answer), ["vestibule-target.eCnJg595"]);
    assert!(!answer.set_cookies()[0].contains("Secure"), "{:?}", answer.set_cookies());
    for _ in 0..MANY {
        assert_eq!(browser.get("http://app.test/page").text(), name);
    }
    let cookies = browser.cookie_header("app.test");
    assert_eq!(who(&proxy.browser(Protocol::Http1), &cookies), all(), "over HTTPS, another host could have set it");
}

// When the target is gone.

#[test]
fn a_browser_whose_target_is_gone_stays_at_the_next() {
    for group in [LB, LB_ALB, APP, APP_ALB] {
        let mut targets = two().map(Some);
        let addresses = [0, 1].map(|index: usize| targets[index].as_ref().expect("running").address());
        for target in targets.iter().flatten() {
            let name = if target.address() == addresses[0] { "a" } else { "b" };
            // The application begins a session where the request has none. Its other targets know all sessions.
            target.script(move |request| match request.header("cookie") {
                Some(cookies) if cookies.contains("JSESSIONID") => Reply::text(name),
                _ => Reply::new("200 OK", &[("set-cookie", "JSESSIONID=7; Path=/")], name),
            });
        }
        let proxy = Setup::open(&addresses).target_group(&format!("{group}\n    skip_for: 0s")).start();
        let (mut browser, name, before) = bound(&proxy, Protocol::Http1);
        let counted = || {
            ["kept", "moved", "unbound"].map(|result| {
                proxy
                    .metric(&format!("vestibule_upstream_stickiness_total{{target_group=\"app\",result=\"{result}\"}}"))
            })
        };
        assert_eq!(counted(), [0, 0, 1]);
        let gone = usize::from(name == "b");
        targets[gone] = None;
        let answer = browser.send("POST", PAGE, &[], b"a body that no target has got");
        assert_eq!(answer.status, 200);
        assert_ne!(answer.text(), name, "{group}");
        assert!(!answer.set_cookies().is_empty(), "{group}");
        assert_eq!(counted(), [0, 1, 1]);
        let other = answer.text().to_owned();
        targets[gone] = Some(Server::start_at(addresses[gone], saying("back")));
        for _ in 0..MANY {
            assert_eq!(browser.get(PAGE).text(), other, "{group}: although the first is back");
        }
        assert_eq!(counted(), [MANY as u64, 1, 1]);
        assert_eq!(who(&browser, &before), only("back"), "{group}: who did not get the answer");
    }
}

#[test]
fn a_target_that_is_skipped_is_not_asked_first() {
    let targets = two();
    let proxy = setup(&targets, &format!("{LB}\n    skip_after_server_errors: 1\n    skip_for: 1h")).start();
    let (mut browser, name, _) = bound(&proxy, Protocol::Http2);
    let ill = if name == "a" { &targets[0] } else { &targets[1] };
    ill.script(|_| Reply::new("500 Internal Server Error", &[], ""));
    assert_eq!(browser.get(PAGE).status, 500);
    let count = ill.count();
    for _ in 0..MANY {
        let answer = browser.get(PAGE);
        assert_eq!((answer.status, answer.text() == name), (200, false));
    }
    assert_eq!(ill.count(), count);
}

#[test]
fn an_answer_without_a_target_leaves_the_cookie_as_it_is() {
    let mut targets = Vec::from(two());
    let proxy = setup(&targets, LB).start();
    let (mut browser, _, cookies) = bound(&proxy, Protocol::Http1);
    targets.clear();
    let answer = browser.get(PAGE);
    assert_eq!((answer.status, answer.set_cookies()), (502, vec![]));
    assert_eq!(browser.cookie_header("app.test"), cookies);
}

#[test]
fn a_target_that_has_left_the_group_is_not_asked() {
    let targets = two();
    let setup = setup(&targets, LB);
    let proxy = setup.start();
    let (mut browser, name, cookies) = bound(&proxy, Protocol::Http1);
    let (left, stays) = if name == "a" { (0, "b") } else { (1, "a") };
    let third = named("c");
    let yaml = setup.yaml().replace(&targets[left].address().to_string(), &third.address().to_string());
    proxy.reload(&yaml).expect("it is reloaded");
    let answer = browser.get(PAGE);
    assert_ne!(answer.text(), name);
    assert_eq!(set_by(&answer), [NAME]);
    let next = answer.text().to_owned();
    assert_eq!(who(&browser, &browser.cookie_header("app.test")), only(&next));
    assert_eq!(who(&browser, &cookies), [stays, "c"].map(str::to_owned).into());
}

// What survives.

#[test]
fn a_reload_a_restart_and_another_replica_know_the_target() {
    let targets = two();
    let setup = setup(&targets, LB);
    let mut proxy = setup.start();
    let [one, other] = [0, 1].map(|index| format!("\"{}\"", targets[index].address()));
    let reordered = setup.yaml().replace(&format!("[{one}, {other}]"), &format!("[{other}, {one}]"));
    assert_ne!(reordered, setup.yaml());
    let found: Vec<_> = [Protocol::Http1, Protocol::Http2].map(|protocol| bound(&proxy, protocol)).into();
    proxy.reload(&reordered).expect("it is reloaded");
    for (browser, name, cookies) in &found {
        assert_eq!(who(browser, cookies), only(name), "after a reload");
    }
    proxy.shutdown();
    let again = Proxy::start_in(proxy.folder().to_owned(), &reordered, START);
    for (browser, name, cookies) in &found {
        let mut browser = browser.clone();
        browser.move_to(again.address());
        assert_eq!(who(&browser, cookies), only(name), "in another process");
    }
}

#[test]
fn keys_are_rotated_and_nobody_moves() {
    let targets = two();
    let setup = setup(&targets, LB);
    let proxy = setup.start();
    let keys = |files: &str| setup.yaml().replace("[session-key]", files);
    let (mut browser, name, cookies) = bound(&proxy, Protocol::Http1);
    proxy.reload(&keys("[new-key, session-key]")).expect("it is reloaded");
    assert_eq!(browser.get(PAGE).text(), name, "the old key still opens");
    let renewed = browser.cookie_header("app.test");
    proxy.reload(&keys("[new-key]")).expect("it is reloaded");
    assert_eq!(who(&browser, &renewed), only(&name), "the new key has sealed");
    assert_eq!(who(&browser, &cookies), all(), "what only the old key opens counts no more");
}

#[test]
fn a_cookie_binds_for_the_duration_and_each_answer_begins_it_anew() {
    let targets = two();
    let proxy = setup(&targets, "    stickiness: { type: lb_cookie, duration: 1h }").start();
    on_both(|protocol| {
        // A worker gives the same cookie to all browsers for 10 seconds.
        proxy.clock.advance(Duration::from_secs(10));
        let (mut browser, name, cookies) = bound(&proxy, protocol);
        proxy.clock.advance(Duration::from_secs(3599));
        assert_eq!(who(&browser, &cookies), only(&name));
        assert_eq!(browser.get(PAGE).text(), name);
        proxy.clock.advance(Duration::from_secs(1));
        assert_eq!(who(&browser, &cookies), all(), "over");
        assert_eq!(browser.get(PAGE).text(), name, "renewed");
    });
}

#[test]
fn settings_that_change_take_effect() {
    let targets = two();
    let setup = setup(&targets, LB);
    let proxy = setup.start();
    let (mut browser, _, cookies) = bound(&proxy, Protocol::Http1);
    proxy.reload(&setup.yaml().replace(LB, LB_ALB)).expect("it is reloaded");
    assert_eq!(who(&browser, &cookies), all(), "the names are others");
    assert_eq!(set_by(&browser.get(PAGE)), ["AWSALB", "AWSALBCORS"]);
    proxy.reload(&setup.yaml().replace(LB, "")).expect("it is reloaded");
    assert_eq!(who(&browser, &cookies), all());
    assert_eq!(browser.get(PAGE).set_cookies(), [""; 0]);
    // The cookies are still ours, because a later configuration may take them.
    targets.iter().for_each(|target| target.script(target::echoed));
    browser.send("GET", PAGE, &[("cookie", &format!("a=1; {cookies}; AWSALB=x; awsalbcors=y; AWSALBAPP-1=z"))], b"");
    let seen =
        targets.iter().flat_map(Server::received).filter_map(|request| request.header("cookie").map(str::to_owned));
    assert_eq!(seen.collect::<BTreeSet<_>>(), BTreeSet::from(["a=1".to_owned()]));
}

// The format of the load balancer.

#[test]
fn alb_9_5_each_of_the_twins_is_enough() {
    let targets = two();
    let proxy = setup(&targets, LB_ALB).start();
    on_both(|protocol| {
        let (mut browser, name, _) = bound(&proxy, protocol);
        assert_eq!(browser.cookie_names("app.test"), ["AWSALB", "AWSALBCORS"]);
        let [own, twin] = ["AWSALB", "AWSALBCORS"].map(|name| browser.cookie("app.test", name).expect("a cookie"));
        assert_eq!(own, twin);
        for cookies in [format!("AWSALB={own}"), format!("AWSALBCORS={twin}"), format!("AWSALB=x; AWSALBCORS={twin}")] {
            assert_eq!(who(&browser, &cookies), only(&name), "{cookies}");
        }
        let answer = browser.get(PAGE);
        for line in answer.set_cookies() {
            assert!(line.contains("; Expires=") && !line.contains("Max-Age"), "{line}");
        }
        assert!(answer.set_cookies()[1].contains("; SameSite=None; Secure"), "{:?}", answer.set_cookies());
    });
}

// The cookie of the application.

#[test]
fn alb_9_5_a_browser_is_bound_when_the_application_begins_a_session() {
    for (group, name) in [(APP, NAME), (APP_ALB, "AWSALBAPP-0")] {
        let targets = two();
        let proxy = setup(&targets, group).start();
        on_both(|protocol| {
            targets.iter().zip(["a", "b"]).for_each(|(target, name)| target.script(saying(name)));
            let mut browser = proxy.browser(protocol);
            assert_eq!(browser.get(PAGE).set_cookies(), [""; 0]);
            assert_eq!(who(&browser, "JSESSIONID=7"), all(), "the application's own cookie binds nobody");
            let own = "JSESSIONID=abc.route; Path=/app; HttpOnly";
            for (target, name) in targets.iter().zip(["a", "b"]) {
                target.script(move |_| Reply::new("200 OK", &[("set-cookie", own)], name));
            }
            let answer = browser.get(PAGE);
            let at = answer.text().to_owned();
            assert_eq!(answer.set_cookies()[0], own, "it passes as it is");
            assert_eq!(set_by(&answer), ["JSESSIONID", name]);
            assert_eq!(answer.header("cache-control"), Some("private"));
            targets.iter().zip(["a", "b"]).for_each(|(target, name)| target.script(saying(name)));
            for _ in 0..MANY {
                let answer = browser.get(PAGE);
                assert_eq!(
                    (answer.text(), answer.set_cookies()),
                    (&*at, vec![]),
                    "only where the application sets its own"
                );
            }
            assert_eq!(
                targets.iter().map(Server::last).filter_map(|last| last.header("cookie").map(str::to_owned)).max(),
                Some("JSESSIONID=abc.route".to_owned())
            );
        });
    }
}

// Caches.

#[test]
fn b_6_no_shared_cache_stores_a_stickiness_cookie() {
    let targets = [named("a")];
    let proxy = setup(&targets, LB).start();
    on_both(|protocol| {
        let mut browser = proxy.browser(protocol);
        for (said, expected) in [
            (None, Some("private")),
            (Some("max-age=60"), Some("private, max-age=60")),
            (Some("no-store"), Some("no-store")),
        ] {
            targets[0].script(move |_| {
                let fields: Vec<_> = said.into_iter().map(|said| ("cache-control", said)).collect();
                Reply::new("200 OK", &fields, "")
            });
            let answer = browser.get(PAGE);
            assert_eq!((set_by(&answer), answer.header("cache-control")), (vec![NAME], expected));
        }
        // What is the same for everybody stays in the caches of everybody, and begins no session.
        for said in ["public, max-age=60", "s-maxage=60"] {
            targets[0].script(move |_| Reply::new("200 OK", &[("cache-control", said)], ""));
            let answer = browser.get(PAGE);
            assert_eq!((answer.set_cookies(), answer.header("cache-control")), (vec![], Some(said)));
        }
    });
}
