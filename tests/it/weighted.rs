//! `forward` to several target groups: by weight, and with a cookie that keeps a browser at its group.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::harness::app::{Proxy, Setup};
use crate::harness::browser::{Answer, Browser, Protocol, on_both};
use crate::harness::provider::Provider;
use crate::harness::server::{Reply, Server};

const PAGE: &str = "https://app.test/page";
/// Of the group `app`.
const NAME: &str = "__Host-vestibule-group.eCnJg595";

fn named(name: &'static str) -> Server {
    Server::start(move |_| Reply::text(name))
}

/// `app` at one address, `green` at another, and a `forward` to both.
fn setup(addresses: [SocketAddr; 2], forward: &str) -> Setup {
    let [blue, green] = addresses;
    Setup::open(&[blue])
        .target_group(&format!("  green:\n    targets: ['{green}']"))
        .default_actions(&format!(" [{{ type: forward, {forward} }}]"))
}

fn groups(blue: u16, green: u16) -> String {
    format!("target_groups: [{{ target_group: app, weight: {blue} }}, {{ target_group: green, weight: {green} }}]")
}

fn sticky(blue: u16, green: u16) -> String {
    groups(blue, green) + ", stickiness: { duration: 1h }"
}

/// Who answers how often.
fn answers(browser: &mut Browser, count: usize) -> BTreeMap<String, usize> {
    let mut answers = BTreeMap::new();
    for _ in 0..count {
        *answers.entry(browser.get(PAGE).text().to_owned()).or_default() += 1;
    }
    answers
}

fn set_by(answer: &Answer) -> Vec<&str> {
    answer.set_cookies().into_iter().map(|line| line.split('=').next().expect("a name")).collect()
}

/// The `Cookie` field of a browser that is bound to the group that answers `name`.
fn bound_to(proxy: &Proxy, protocol: Protocol, name: &str) -> String {
    // Each worker gives 1 of 2 requests to each group.
    let mut tries = (0..8).map(|_| {
        let mut browser = proxy.browser(protocol);
        (browser.get(PAGE).text().to_owned(), browser.cookie_header("app.test"))
    });
    tries.find(|(answered, _)| answered == name).expect("one of them").1
}

#[test]
fn requests_are_shared_by_weight() {
    let targets = [named("blue"), named("green")];
    let proxy = setup([targets[0].address(), targets[1].address()], &groups(3, 1)).start();
    on_both(|protocol| {
        // At most two workers answer. Each is exact within its cycle of four.
        let found = answers(&mut proxy.browser(protocol), 40);
        assert!((28..=32).contains(&found["blue"]) && found["blue"] + found["green"] == 40, "{found:?}");
        assert_eq!(proxy.browser(protocol).get(PAGE).set_cookies(), Vec::<&str>::new());
    });
    let none = setup([targets[0].address(), targets[1].address()], &groups(0, 5)).start();
    assert_eq!(answers(&mut none.browser(Protocol::Http1), 6), BTreeMap::from([("green".to_owned(), 6)]));
}

#[test]
fn a_browser_stays_at_its_group() {
    let targets = [named("blue"), named("green")];
    let proxy = setup([targets[0].address(), targets[1].address()], &sticky(1, 1)).start();
    on_both(|protocol| {
        for name in ["blue", "green"] {
            let cookies = bound_to(&proxy, protocol, name);
            for _ in 0..6 {
                let answer = proxy.browser(protocol).send("GET", PAGE, &[("cookie", &cookies)], b"");
                assert_eq!(answer.text(), name);
                assert_eq!(set_by(&answer), [NAME], "each answer renews it");
                let private = answer.header("cache-control").is_some_and(|value| value.contains("private"));
                assert!(private, "no shared cache stores it");
            }
        }
    });
    // H-15: targets do not see the cookie.
    for target in &targets {
        assert!(target.received().iter().all(|received| received.header("cookie").is_none()));
    }
    targets[0].script(|_| Reply::new("200 OK", &[("cache-control", "public")], "blue"));
    targets[1].script(|_| Reply::new("200 OK", &[("cache-control", "public")], "green"));
    assert_eq!(set_by(&proxy.browser(Protocol::Http1).get(PAGE)), Vec::<&str>::new(), "it is for every user");
}

#[test]
fn a_reload_keeps_browsers_at_their_group_while_it_is_there() {
    let targets = [named("blue"), named("green")];
    let addresses = [targets[0].address(), targets[1].address()];
    let proxy = setup(addresses, &sticky(1, 1)).start();
    let cookies = bound_to(&proxy, Protocol::Http1, "green");
    let who = || proxy.browser(Protocol::Http1).send("GET", PAGE, &[("cookie", &cookies)], b"").text().to_owned();
    proxy.reload(&setup(addresses, &sticky(1, 0)).yaml()).expect("it is reloaded");
    assert_eq!((0..6).map(|_| who()).collect::<Vec<_>>(), ["green"; 6], "with the weight 0, who is there stays");
    assert_eq!(answers(&mut proxy.browser(Protocol::Http1), 1), BTreeMap::from([("blue".to_owned(), 1)]));
    let removed = "target_groups: [{ target_group: app }, { target_group: other }], stickiness: { duration: 1h }";
    let other = setup(addresses, removed).yaml().replace("  green:", "  other:");
    let blue = format!("['{}']", addresses[1]);
    let other = other.replace(&blue, &format!("['{}']", addresses[0]));
    proxy.reload(&other).expect("it is reloaded");
    assert_eq!((0..6).map(|_| who()).collect::<Vec<_>>(), ["blue"; 6], "a group that has left");
}

#[test]
fn the_cookies_of_the_alb() {
    let targets = [named("blue"), named("green")];
    let forward = sticky(1, 1).replace("1h }", "1h, format: alb }");
    let proxy = setup([targets[0].address(), targets[1].address()], &forward).start();
    on_both(|protocol| {
        let mut browser = proxy.browser(protocol);
        let answer = browser.get(PAGE);
        let name = answer.text().to_owned();
        assert_eq!(set_by(&answer), ["AWSALBTG", "AWSALBTGCORS"]);
        let twin = browser.cookie("app.test", "AWSALBTGCORS").expect("the twin");
        for _ in 0..6 {
            let cookie = format!("AWSALBTGCORS={twin}");
            assert_eq!(proxy.browser(protocol).send("GET", PAGE, &[("cookie", &cookie)], b"").text(), name);
        }
    });
    assert!(targets.iter().flat_map(Server::received).all(|received| received.header("cookie").is_none()));
}

/// ALB §7.3: no other group takes the place of one without targets that answer.
#[test]
fn no_other_group_takes_the_place_of_one_that_is_down() {
    let blue = named("blue");
    let down = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("bound");
    let proxy = setup([blue.address(), down], &groups(1, 1)).start();
    on_both(|protocol| {
        let statuses: Vec<u16> = (0..8).map(|_| proxy.browser(protocol).get(PAGE).status).collect();
        assert!((3..=5).contains(&statuses.iter().filter(|status| **status == 502).count()), "{statuses:?}");
    });
}

/// K-04: a group cannot show another group what it was told of a user.
#[test]
fn k_04_the_audience_of_claims_is_the_chosen_group() {
    let (provider, blue, green) = (Provider::start(), named("blue"), named("green"));
    let forward = format!(
        " [{{ type: authenticate-oidc, provider: corp, scope: openid profile email, session_timeout: 8h }}, \
         {{ type: forward, {} }}]",
        groups(1, 1)
    );
    let group = format!("  green:\n    targets: ['{}']", green.address());
    let proxy = Setup::new(&provider, &blue).target_group(&group).default_actions(&forward).start();
    on_both(|protocol| {
        let mut browser = proxy.signed_in(protocol, &provider);
        assert_eq!(answers(&mut browser, 8).len(), 2, "both groups answer");
    });
    let audiences = |server: &Server| {
        let token = |received: &crate::harness::server::Received| {
            received.header("x-amzn-oidc-data").expect("an assertion").to_owned()
        };
        let audience = |token: String| {
            let payload = URL_SAFE_NO_PAD
                .decode(token.split('.').nth(1).expect("a payload").trim_end_matches('='))
                .expect("base64");
            serde_json::from_slice::<Value>(&payload).expect("JSON")["aud"].clone()
        };
        let mut found: Vec<_> = server.received().iter().map(token).map(audience).collect();
        found.dedup();
        found
    };
    assert_eq!((audiences(&blue), audiences(&green)), (vec![json!("app")], vec![json!("green")]));
}

#[test]
fn the_access_log_has_the_chosen_group() {
    let targets = [named("blue"), named("green")];
    let proxy = setup([targets[0].address(), targets[1].address()], &groups(1, 1)).start();
    let mut answered: Vec<String> =
        (0..6).map(|_| proxy.browser(Protocol::Http2).get(PAGE).text().replace("blue", "app")).collect();
    let records = proxy.access_log(6);
    let mut logged: Vec<&str> = records.iter().map(|record| record["target_group"].as_str().expect("a name")).collect();
    answered.sort_unstable();
    logged.sort_unstable();
    assert_eq!(logged, answered);
    let one = Setup::open(&[targets[0].address()]).start();
    one.browser(Protocol::Http2).get(PAGE);
    assert!(one.access_log(1)[0].get("target_group").is_none(), "the only group of the rule");
}
