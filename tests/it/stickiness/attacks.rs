//! Stickiness cookies in the hands of strangers and of targets.

use std::collections::BTreeSet;

use super::{LB, LB_ALB, MANY, NAME, PAGE, all, bound, named, only, set_by, setup, two, who};
use crate::harness::app::FORWARD;
use crate::harness::browser::{Protocol, on_both};
use crate::harness::scenario::Scenario;
use crate::harness::server::Reply;
use crate::harness::target;

#[test]
fn a_forged_cookie_chooses_no_target() {
    let targets = two();
    let (proxy, elsewhere) = (setup(&targets, LB).start(), setup(&targets, LB).start());
    on_both(|protocol| {
        let (mut browser, name, cookies) = bound(&proxy, protocol);
        assert_eq!(who(&browser, &cookies), only(&name), "the cookie is good");
        let value = browser.cookie("app.test", NAME).expect("a cookie");
        let flipped = |index: usize| {
            let mut bytes = value.clone().into_bytes();
            bytes[index] = if bytes[index] == b'A' { b'B' } else { b'A' };
            format!("{NAME}={}", String::from_utf8(bytes).expect("ASCII"))
        };
        for index in [0, 1, value.len() / 2, value.len() - 2] {
            assert_eq!(who(&browser, &flipped(index)), all(), "byte {index}");
        }
        for forged in ["", "a", "AAAA", &"A".repeat(value.len()), &"A".repeat(8000), "127.0.0.1:1", &value[1..]] {
            assert_eq!(who(&browser, &format!("{NAME}={forged}")), all(), "{forged}");
        }
        let (_, _, of_another) = bound(&elsewhere, protocol);
        assert_eq!(who(&browser, &of_another), all(), "another installation");
        let many = (0..100).map(|index| format!("{NAME}=x{index}")).collect::<Vec<_>>().join("; ");
        assert_eq!(browser.send("GET", PAGE, &[("cookie", &many)], b"").status, 200);
        // A forged cookie is replaced.
        assert_eq!(set_by(&browser.send("GET", PAGE, &[("cookie", &flipped(9))], b"")), [NAME]);
    });
}

#[test]
fn a_cookie_of_another_group_chooses_no_target() {
    let targets = two();
    let addresses: Vec<String> = targets.iter().map(|target| target.address().to_string()).collect();
    for (format, other_name) in [("vestibule", "__Host-vestibule-target.NArzenVi"), ("alb", "AWSALB")] {
        let setup = setup(
            &targets,
            &format!(
                "    stickiness: {{ type: lb_cookie, format: {format} }}\n  api:\n    targets: {addresses:?}\n    stickiness: {{ type: lb_cookie, format: {format} }}"
            ),
        );
        let setup = setup.rules(
            "
      - name: api
        priority: 1
        conditions: [{ path_pattern: [\"/api\"] }]
        actions: [{ type: forward, target_group: api }]
",
        );
        let proxy = setup.start();
        on_both(|protocol| {
            let mut browser = proxy.browser(protocol);
            let answer = browser.get("https://app.test/api");
            assert_eq!(set_by(&answer)[0], other_name);
            let value = browser.cookie("app.test", other_name).expect("a cookie");
            let own_name = if format == "alb" { "AWSALB" } else { NAME };
            assert_eq!(who(&browser, &format!("{own_name}={value}")), all(), "{format}");
        });
    }
}

#[test]
fn a_cookie_shows_no_address_and_not_who_has_it() {
    let targets = [named("a")];
    let proxy = setup(&targets, LB).start();
    let values: BTreeSet<String> = (0..2 * MANY)
        .map(|_| {
            let (browser, ..) = bound(&proxy, Protocol::Http1);
            browser.cookie("app.test", NAME).expect("a cookie")
        })
        .collect();
    // Each worker makes one, and gives it to all browsers for a while.
    assert!(values.len() <= 2, "{values:?}");
    let address = targets[0].address();
    let port = address.port().to_be_bytes();
    for value in values {
        use base64::Engine as _;
        let bytes = base64::engine::general_purpose::URL_SAFE_NO_PAD.decode(&value).expect("base64url");
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(!text.contains(&address.to_string()) && !text.contains(&address.port().to_string()), "{text}");
        assert!(!bytes.windows(6).any(|window| window == [127, 0, 0, 1, port[0], port[1]]));
    }
}

#[test]
fn h_15_targets_neither_see_nor_set_stickiness_cookies() {
    for group in [LB, LB_ALB] {
        let scenario = Scenario::start(|setup| setup.target_group(group).default_actions(FORWARD));
        let names: &[&str] = if group == LB { &[NAME] } else { &["AWSALB", "AWSALBCORS"] };
        let lines: Vec<String> = names
            .iter()
            .flat_map(|name| [format!("{name}=evil; Path=/; Secure"), format!("{name}=; Max-Age=0; Path=/; Secure")])
            .collect();
        let series = "vestibule_upstream_cookies_dropped_total{target_group=\"app\"}";
        on_both(|protocol| {
            let (mut browser, _, cookies) = bound(&scenario.proxy, protocol);
            let answer = browser.send("GET", PAGE, &[("cookie", &format!("sid=1; {cookies}"))], b"");
            assert_eq!(answer.status, 200);
            assert_eq!(scenario.target.last().header("cookie"), Some("sid=1"));
            browser.send("GET", PAGE, &[("cookie", &cookies)], b"");
            assert_eq!(scenario.target.last().header("cookie"), None);
            let (count, set) = (scenario.proxy.metric(series), lines.clone());
            scenario.target.script(move |_| {
                let fields: Vec<_> =
                    set.iter().map(|line| ("set-cookie", line.as_str())).chain([("set-cookie", "sid=2")]).collect();
                Reply::new("200 OK", &fields, "")
            });
            let answer = browser.get(PAGE);
            assert_eq!(set_by(&answer), [&["sid"], names].concat());
            assert!(!format!("{:?}", answer.set_cookies()).contains("evil"));
            assert_eq!(scenario.proxy.metric(series), count + lines.len() as u64);
            scenario.target.script(target::echoed);
        });
    }
}
