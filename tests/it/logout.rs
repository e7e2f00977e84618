//! Signing out: the session ends here, and at the provider in the provider's own way.

use serde_json::json;

use crate::harness::app::{Proxy, Setup};
use crate::harness::browser::{Answer, Browser, Protocol, on_both};
use crate::harness::connection::{self, Connection};
use crate::harness::provider::{CLIENT_ID, Provider};
use crate::harness::scenario::Scenario;
use crate::harness::server::Reply;
use crate::harness::{noise, runtime, target};

const SIGN_OUT: &str = "https://app.test/oauth2/sign_out";
const PAGE: &str = "https://app.test/page";

fn scenario(provider_keys: &str) -> Scenario {
    Scenario::start(|setup| setup.provider(provider_keys))
}

impl Scenario {
    /// Asserts that the browser's cookies are gone, and that copies of them are of no use.
    #[track_caller]
    fn is_over(&self, browser: &Browser, kept: &str) {
        assert_eq!(browser.cookie_names("app.test"), [""; 0]);
        let count = self.target.count();
        let answer = browser.clone().scripted().send("GET", PAGE, &[("cookie", kept)], b"");
        assert_eq!((answer.status, answer.reason().as_deref()), (401, Some("auth.session_expired")));
        assert_eq!(self.target.count(), count);
    }
}

fn query(answer: &Answer) -> Vec<(String, String)> {
    url::Url::parse(answer.location()).expect("a URL").query_pairs().into_owned().collect()
}

#[track_caller]
fn signed_out_page(answer: &Answer) {
    assert_eq!(answer.status, 200, "{}", answer.text());
    assert!(answer.text().contains("You are signed out"), "{}", answer.text());
    assert_eq!(answer.header("cache-control"), Some("no-store"));
}

#[test]
fn signing_out_ends_the_session_here_and_goes_on_at_the_provider() {
    let scenario = scenario("");
    on_both(|protocol| {
        for method in ["GET", "POST"] {
            let mut browser = scenario.signed_in(protocol);
            let kept = browser.cookie_header("app.test");
            let out = browser.send(method, SIGN_OUT, &[], b"");
            assert_eq!(out.status, 302, "a GET is next, whatever it was");
            assert!(out.location().starts_with(&format!("{}/end-session?", scenario.provider.issuer())));
            let query = query(&out);
            let names: Vec<&str> = query.iter().map(|(name, _)| name.as_str()).collect();
            assert_eq!(names, ["id_token_hint", "client_id", "post_logout_redirect_uri", "state"]);
            assert_eq!(query[0].1.split('.').count(), 3, "the ID token");
            assert_eq!((query[1].1.as_str(), query[2].1.as_str()), (CLIENT_ID, SIGN_OUT));
            scenario.is_over(&browser, &kept);
            // The provider sends the browser back, and the page is behind no login.
            signed_out_page(&browser.get(&format!("{SIGN_OUT}?state={}", query[3].1)));
        }
    });
}

/// A part of the session that comes twice, or one too many, is no session for the application. A sign-out still ends it.
#[test]
fn s_02_signing_out_with_broken_cookies_ends_each_session_that_can_be_opened() {
    const NAME: &str = "__Host-vestibule";
    let scenario = scenario("");
    on_both(|protocol| {
        let session = || scenario.signed_in(protocol).cookie_header("app.test");
        let send = |url, cookies: &str| {
            scenario.proxy.browser(protocol).scripted().send("GET", url, &[("cookie", cookies)], b"")
        };
        let other = session();
        assert!(other.starts_with(&format!("{NAME}-0=1")), "{other}");
        for broken in ["{}; {NAME}-3=x", "{NAME}-0=1planted; {}", "{}; {NAME}-0=1planted", "{other}; {}"] {
            let kept = session();
            let cookies = broken.replace("{}", &kept).replace("{NAME}", NAME).replace("{other}", &other);
            let out = send(SIGN_OUT, &cookies);
            assert_eq!(out.status, 302, "{broken}");
            assert_eq!(query(&out)[0].0, "id_token_hint", "{broken}: it is one user");
            assert_eq!(send(PAGE, &kept).reason().as_deref(), Some("auth.session_expired"), "{broken}");
        }
        assert_eq!(send(PAGE, &other).reason().as_deref(), Some("auth.session_expired"), "both of two");
        // A part is missing, so nothing can be opened: the cookies are deleted, and that is all.
        let out = send(SIGN_OUT, &format!("{NAME}-1=x"));
        assert_eq!(out.status, 200, "{}", out.text());
        let deleted = format!("{NAME}-1=; ");
        assert!(out.set_cookies().iter().any(|line| line.starts_with(&deleted)), "{:?}", out.set_cookies());
    });
}

#[test]
fn the_way_back_from_the_provider_ends_no_session_that_was_begun_since() {
    let scenario = scenario("");
    on_both(|protocol| {
        let mut browser = scenario.signed_in(protocol);
        let state = query(&browser.get(SIGN_OUT)).pop().expect("a state").1;
        scenario.provider.sign_in(&mut browser, PAGE);
        let back = browser.get(&format!("{SIGN_OUT}?state={state}"));
        assert_eq!((back.status, back.reason().as_deref()), (403, Some("auth.sign_out_foreign")), "{}", back.text());
        assert!(back.text().contains("You are still signed in") && back.text().contains("href=\"/oauth2/sign_out\""));
        assert_eq!(browser.get(PAGE).status, 200);
    });
}

#[test]
fn cognito_is_signed_out_of_in_its_own_form() {
    let scenario = scenario("    logout: cognito");
    on_both(|protocol| {
        let mut browser = scenario.signed_in(protocol);
        let kept = browser.cookie_header("app.test");
        let out = browser.get(SIGN_OUT);
        let expected = format!(
            "{}/logout?client_id={CLIENT_ID}&logout_uri=https%3A%2F%2Fapp.test%2Foauth2%2Fsign_out",
            scenario.provider.issuer()
        );
        assert_eq!((out.status, out.location()), (302, expected.as_str()));
        scenario.is_over(&browser, &kept);
    });
}

#[test]
fn where_the_provider_is_left_alone_only_our_session_ends() {
    let scenario = scenario("    logout: never");
    on_both(|protocol| {
        let mut browser = scenario.signed_in(protocol);
        let kept = browser.cookie_header("app.test");
        signed_out_page(&browser.get(SIGN_OUT));
        scenario.is_over(&browser, &kept);
    });
}

#[test]
fn a_provider_that_has_no_way_to_sign_out_does_not_keep_ours_from_ending() {
    let scenario = scenario("");
    scenario.provider.say(|script| script.metadata = json!({"end_session_endpoint": null}));
    on_both(|protocol| {
        let mut browser = scenario.signed_in(protocol);
        let kept = browser.cookie_header("app.test");
        signed_out_page(&browser.get(SIGN_OUT));
        scenario.is_over(&browser, &kept);
    });
}

#[test]
fn a_provider_that_is_down_does_not_keep_ours_from_ending() {
    let (provider, target) = (Provider::start(), target::echo());
    let key = "00112233445566778899aabbccddeeff0102030405060708090a0b0c0d0e0f10";
    let start = || {
        let folder = crate::harness::app::folder();
        std::fs::write(folder.join("session-key"), key).expect("written");
        Proxy::start_in(folder, &Setup::new(&provider, &target).yaml(), crate::harness::app::START)
    };
    // Signed in before a restart: the proxy has not heard of the provider yet.
    let (before, after) = (start(), start());
    let cookies = before.signed_in(Protocol::Http2, &provider).cookie_header("app.test");
    provider.say(|script| script.instead = Some(std::sync::Arc::new(|_| Some(Reply::Reset))));
    let mut browser = after.browser(Protocol::Http2);
    let out = browser.send("GET", SIGN_OUT, &[("cookie", &cookies)], b"");
    signed_out_page(&out);
    assert_eq!(out.set_cookies().len(), 5, "four parts, and the number of logins");
    let answer = browser.scripted().send("GET", PAGE, &[("cookie", &cookies)], b"");
    assert_eq!((answer.status, answer.reason().as_deref()), (401, Some("auth.session_expired")));
}

#[test]
fn v_09_an_id_token_that_makes_the_address_too_long_is_left_out() {
    let scenario = scenario("");
    scenario.provider.say(|script| script.id_token = json!({"sub": "alice", "noise": noise(5500)}));
    let mut browser = scenario.signed_in(Protocol::Http2);
    let kept = browser.cookie_header("app.test");
    let out = browser.get(SIGN_OUT);
    assert!(out.location().len() < 1000, "{} bytes", out.location().len());
    let names: Vec<String> = query(&out).into_iter().map(|(name, _)| name).collect();
    assert_eq!(names, ["client_id", "post_logout_redirect_uri", "state"]);
    scenario.is_over(&browser, &kept);
}

#[test]
fn v_08_a_page_of_another_site_signs_nobody_out() {
    let scenario = scenario("");
    on_both(|protocol| {
        let mut browser = scenario.signed_in(protocol);
        let kept = browser.cookie_header("app.test");
        let foreign: [&[(&str, &str)]; 8] = [
            &[("sec-fetch-site", "cross-site")],
            // A sibling's page is sent with our cookies.
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "same-site"), ("origin", "https://app.test")],
            &[("origin", "https://evil.test")],
            &[("origin", "null")],
            &[("origin", "http://app.test")],
            &[("origin", "https://app.test.evil.test")],
            &[("origin", "https://app.test"), ("sec-fetch-site", "cross-site")],
        ];
        for headers in foreign {
            for method in ["GET", "POST"] {
                let answer = browser.send(method, SIGN_OUT, headers, b"");
                assert_eq!(
                    (answer.status, answer.reason().as_deref()),
                    (403, Some("auth.sign_out_foreign")),
                    "{headers:?}"
                );
                assert_eq!(answer.set_cookies(), [""; 0]);
            }
        }
        assert_eq!(browser.cookie_header("app.test"), kept);
        assert_eq!(browser.get(PAGE).status, 200, "the session is not touched");
        // Our own pages may.
        let own = [("origin", "https://app.test"), ("sec-fetch-site", "same-origin")];
        assert_eq!(browser.send("POST", SIGN_OUT, &own, b"").status, 302);
        scenario.is_over(&browser, &kept);
    });
}

#[test]
fn v_08_our_own_page_and_a_person_sign_out_and_come_back_from_the_provider() {
    let scenario = scenario("");
    on_both(|protocol| {
        let own: [&[(&str, &str)]; 3] = [&[("sec-fetch-site", "same-origin")], &[("sec-fetch-site", "none")], &[]];
        for headers in own {
            let mut browser = scenario.signed_in(protocol);
            let kept = browser.cookie_header("app.test");
            assert_eq!(browser.send("GET", SIGN_OUT, headers, b"").status, 302, "{headers:?}");
            scenario.is_over(&browser, &kept);
            let landing = format!("{SIGN_OUT}?state=signed-out");
            signed_out_page(&browser.send("GET", &landing, &[("sec-fetch-site", "cross-site")], b""));
        }
    });
}

#[test]
fn w_03_an_answer_that_goes_on_ends_with_its_session() {
    let scenario = scenario("");
    scenario.target.script(|request| match request.target() {
        "/events" => Reply::BytesThenHang(
            b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n5\r\nfirst\r\n"
                .into(),
        ),
        _ => target::echoed(request),
    });
    runtime().block_on(async {
        let mut events = Vec::new();
        for protocol in [Protocol::Http1, Protocol::Http2] {
            let browser = tokio::task::block_in_place(|| scenario.signed_in(protocol));
            let mut client = Connection::open(protocol, scenario.proxy.address(), "app.test").await;
            let request = client.request("GET", "/events").header("cookie", browser.cookie_header("app.test"));
            let request = request.body(connection::empty()).expect("a request");
            let mut response = client.send(request).await.expect("a head");
            assert_eq!(connection::chunk(&mut response).await, "first");
            events.push((protocol, client, response, browser));
        }
        // Both at once: the proxy looks at a beat.
        for (_, _, _, browser) in &mut events {
            assert_eq!(tokio::task::block_in_place(|| browser.get(SIGN_OUT)).status, 302);
        }
        for (protocol, _client, response, _) in events {
            assert!(connection::try_whole(response).await.is_err(), "{protocol:?}: cut by us, not ended by the target");
        }
    });
}

#[test]
fn c_15_a_prefetch_signs_nobody_out() {
    let scenario = scenario("");
    on_both(|protocol| {
        let mut browser = scenario.signed_in(protocol);
        let answer = browser.send("GET", SIGN_OUT, &[("sec-purpose", "prefetch")], b"");
        assert_eq!((answer.status, answer.set_cookies().len()), (503, 0));
        for method in ["HEAD", "PUT", "DELETE", "OPTIONS"] {
            let answer = browser.send(method, SIGN_OUT, &[], b"");
            assert_eq!((answer.status, answer.set_cookies().len()), (405, 0), "{method}");
        }
        assert_eq!(browser.get(PAGE).status, 200);
    });
}

#[test]
fn r_18_no_parameter_says_where_signing_out_leads() {
    let scenario = scenario("");
    on_both(|protocol| {
        for parameter in ["rd", "redirect", "redirect_uri", "post_logout_redirect_uri", "logout_uri", "next", "state"] {
            let mut browser = scenario.signed_in(protocol);
            let out = browser.get(&format!("{SIGN_OUT}?{parameter}=https://evil.test/"));
            assert_eq!(out.status, 302);
            assert!(!out.location().contains("evil"), "{}", out.location());
        }
    });
}

#[test]
fn without_a_session_the_page_says_so_and_asks_for_no_login() {
    let scenario = scenario("");
    on_both(|protocol| {
        let mut browser = scenario.proxy.browser(protocol);
        signed_out_page(&browser.get(SIGN_OUT));
        let json = browser.clone().scripted().get(SIGN_OUT);
        assert_eq!((json.status, json.json()), (200, json!({"signed_out": true})));
        // What is not a session is cleared all the same.
        browser.set_cookie("app.test", "__Host-vestibule-0", "1garbage");
        browser.set_cookie("app.test", "__Host-vestibule-9", "x");
        browser.get(SIGN_OUT);
        assert_eq!(browser.cookie_names("app.test"), [""; 0]);
        assert_eq!(scenario.target.count(), 0);
    });
}
