//! Attacks C: the answer that a browser brings back from a provider. C-08 and C-09, the lies of the ID token, are in
//! `id_token`.

use std::time::Duration;

use aws_lc_rs::digest::{SHA256, digest};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::json;

use crate::harness::app::{Proxy, START, Setup};
use crate::harness::browser::{Answer, Browser, Protocol, on_both};
use crate::harness::provider::{CLIENT_ID, Provider};
use crate::harness::scenario::{Scenario, parameter};
use crate::harness::server::{Received, Reply};
use crate::harness::target;

const CALLBACK: &str = "https://app.test/oauth2/idpresponse";
const PAGE: &str = "https://app.test/reports";
const SESSION: &str = "__Host-vestibule-0";
/// From the redirect to the callback.
const LOGIN_WINDOW: Duration = Duration::from_secs(15 * 60);

fn scenario() -> Scenario {
    Scenario::start(|setup| setup.provider("    timeout: 1s"))
}

impl Scenario {
    /// Begins a login; answers the provider's address and the callback that the provider would send the browser to.
    #[track_caller]
    fn begin(&self, browser: &mut Browser, url: &str) -> (String, String) {
        let sent = browser.get(url);
        assert_eq!(sent.status, 302, "{}", sent.text());
        (sent.location().to_owned(), self.provider.callback_of(sent.location()))
    }

    /// Asserts a refusal that made no session, asked for no token and did not reach the target.
    #[track_caller]
    fn callback_refused(&self, what: &str, answer: &Answer, status: u16, reason: &str, before: (usize, usize)) {
        assert_eq!((answer.status, answer.reason().as_deref()), (status, Some(reason)), "{what}");
        assert_eq!(answer.new_session(), [""; 0], "{what} starts no session");
        assert!(answer.header("location").is_none(), "{what} leads nowhere");
        assert_eq!(self.counts(), before, "{what} asks for no token and reaches no target");
    }

    /// Asserts that the browser is sent to sign in once more, with nothing of what it brought: no session is made, no token is
    /// asked for. Answers where it is sent.
    #[track_caller]
    fn begins_anew(&self, what: &str, answer: &Answer, before: (usize, usize)) -> String {
        assert_eq!(answer.status, 302, "{what}: {}", answer.text());
        assert!(answer.location().starts_with(&format!("{}/authorize?", self.provider.issuer())), "{what}");
        assert_eq!(answer.new_session(), [""; 0], "{what} starts no session");
        assert_eq!(self.counts(), before, "{what} asks for no token and reaches no target");
        answer.location().to_owned()
    }

    /// Token requests, and requests to the target.
    fn counts(&self) -> (usize, usize) {
        (self.provider.requests("/token").len(), self.target.count())
    }
}

/// Where a link of a page leads.
#[track_caller]
fn way_on(answer: &Answer, label: &str) -> String {
    let before = answer.text().split(&format!(">{label}<")).next().expect("text");
    let link = before.rsplit("href=\"").next().expect("text");
    let href = link.split('"').next().expect("a value").replace("&#38;", "&");
    assert!(before.len() < answer.text().len(), "{label:?} on {}", answer.text());
    crate::harness::browser::join(CALLBACK, &href)
}

fn pending_cookies(browser: &Browser, host: &str) -> Vec<String> {
    browser
        .cookie_names(host)
        .into_iter()
        .filter(|name| name.contains("-login-") && !name.ends_with("-rounds"))
        .collect()
}

#[test]
fn c_01_a_callback_that_nobody_began_is_refused() {
    let scenario = scenario();
    on_both(|protocol| {
        let before = scenario.counts();
        let mut browser = scenario.proxy.browser(protocol);
        for (query, reason) in [
            ("", "auth.state_missing"),
            ("?", "auth.state_missing"),
            ("?code=x", "auth.state_missing"),
            ("?error=access_denied", "auth.state_missing"),
            ("?code=&state=", "auth.state_missing"),
            ("?STATE=x&Code=x", "auth.state_missing"),
            ("?state=x", "auth.state_mismatch"),
            ("?state=x&code=y", "auth.state_mismatch"),
            ("?state=%00&code=%ff", "auth.state_mismatch"),
            ("?state=x&error=access_denied", "auth.state_mismatch"),
        ] {
            let answer = browser.get(&format!("{CALLBACK}{query}"));
            scenario.callback_refused(query, &answer, 401, reason, before);
        }
        let many = format!("{CALLBACK}?{}state=x", "a=b&".repeat(200));
        scenario.callback_refused("200 parameters", &browser.get(&many), 400, "auth.callback_malformed", before);
    });
}

#[test]
fn c_01_a_posted_callback_is_refused_with_and_without_a_content_type() {
    let scenario = scenario();
    on_both(|protocol| {
        let mut browser = scenario.proxy.browser(protocol);
        let (_, callback) = scenario.begin(&mut browser, PAGE);
        let before = scenario.counts();
        let body = callback.split_once('?').expect("a query").1.to_owned();
        let kinds: [&[(&str, &str)]; 4] = [
            &[],
            &[("content-type", "application/x-www-form-urlencoded")],
            &[("content-type", "application/json")],
            &[("content-type", "")],
        ];
        for headers in kinds {
            for url in [CALLBACK, callback.as_str()] {
                let answer = browser.send("POST", url, headers, body.as_bytes());
                scenario.callback_refused(&format!("{headers:?}"), &answer, 400, "auth.callback_malformed", before);
            }
        }
        assert_eq!(browser.get(&callback).status, 302, "the login is still good");
    });
}

#[test]
fn c_01_a_callback_without_a_code_ends_the_login() {
    let scenario = scenario();
    let mut browser = scenario.proxy.browser(Protocol::Http2);
    let (location, callback) = scenario.begin(&mut browser, PAGE);
    let before = scenario.counts();
    let state = parameter(&location, "state").expect("a state");
    let answer = browser.get(&format!("{CALLBACK}?state={state}"));
    scenario.callback_refused("no code", &answer, 401, "auth.code_missing", before);
    assert_eq!(pending_cookies(&browser, "app.test"), [""; 0]);
    scenario.begins_anew("then with one", &browser.get(&callback), before);
}

#[test]
fn c_02_a_callback_in_another_browser_gives_it_no_session_and_does_not_spend_the_login() {
    let scenario = scenario();
    on_both(|protocol| {
        let (mut victim, mut attacker) = (scenario.proxy.browser(protocol), scenario.proxy.browser(protocol));
        let (_, callback) = scenario.begin(&mut attacker, PAGE);
        let before = scenario.counts();
        let sent = scenario.begins_anew("no cookie", &victim.get(&callback), before);
        assert_ne!(parameter(&sent, "state"), parameter(&callback, "state"), "a login of the victim's own");
        // Nor where the victim has a login of its own on its way.
        scenario.begin(&mut victim, PAGE);
        scenario.begins_anew("another's cookie", &victim.get(&callback), before);
        assert_eq!(attacker.get(&callback).location(), "/reports");
    });
}

#[test]
fn c_03_a_callback_that_comes_twice_makes_one_token_request() {
    let scenario = scenario();
    on_both(|protocol| {
        let mut browser = scenario.proxy.browser(protocol);
        let (_, callback) = scenario.begin(&mut browser, PAGE);
        // Keeps the cookie of the attempt, as someone who copied the jar does.
        let mut copied = browser.clone();
        let count = scenario.provider.requests("/token").len();
        assert_eq!(browser.get(&callback).location(), "/reports");
        let session = browser.cookie_header("app.test");
        let before = scenario.counts();
        assert_eq!(before.0, count + 1);
        // A second callback with the login's cookie, as of a reload before the answer was there, gets the same session.
        let mut late = copied.clone();
        let second = copied.get(&callback);
        assert_eq!((second.location(), scenario.counts()), ("/reports", before));
        assert_eq!(copied.cookie("app.test", SESSION), browser.cookie("app.test", SESSION));
        // For a minute; after that the state is of no use.
        scenario.proxy.clock.advance(Duration::from_secs(61));
        scenario.begins_anew("the copy", &late.get(&callback), before);
        // Whoever has a session only goes on with it, to the page that was asked for.
        let reloaded = browser.get(&callback);
        assert_eq!((reloaded.status, reloaded.location()), (302, "/reports"));
        assert_eq!((scenario.counts(), reloaded.new_session().len()), (before, 0));
        assert_eq!(browser.cookie_header("app.test"), session, "the session is not touched");
        assert_eq!(browser.get(PAGE).status, 200);
    });
}

#[test]
fn c_03_two_callbacks_at_once_make_one_token_request() {
    let scenario = scenario();
    let mut browser = scenario.proxy.browser(Protocol::Http2);
    let (_, callback) = scenario.begin(&mut browser, PAGE);
    let statuses: Vec<u16> = std::thread::scope(|scope| {
        let race = || {
            let mut browser = browser.clone();
            let callback = &callback;
            scope.spawn(move || browser.get(callback).status)
        };
        let racing: Vec<_> = (0..8).map(|_| race()).collect();
        racing.into_iter().map(|racer| racer.join().expect("no panic")).collect()
    });
    assert_eq!(scenario.provider.requests("/token").len(), 1, "{statuses:?}");
    assert_eq!(statuses, [302; 8], "all of them get the one session");
}

#[test]
fn c_04_twenty_tabs_at_once_each_come_back_to_their_own_page() {
    let scenario = scenario();
    let empty = scenario.proxy.browser(Protocol::Http1);
    let pages: Vec<String> = (0..20).map(|tab| format!("/tab/{tab}")).collect();
    let begun: Vec<(Browser, String)> = std::thread::scope(|scope| {
        let open = |page: &String| {
            let (mut tab, url, scenario) = (empty.clone(), format!("https://app.test{page}"), &scenario);
            scope.spawn(move || {
                let (_, callback) = scenario.begin(&mut tab, &url);
                (tab, callback)
            })
        };
        let tabs: Vec<_> = pages.iter().map(open).collect();
        tabs.into_iter().map(|tab| tab.join().expect("no panic")).collect()
    });
    // One jar for all tabs.
    let mut browser = empty;
    for (tab, _) in &begun {
        for name in pending_cookies(tab, "app.test") {
            browser.set_cookie("app.test", &name, &tab.cookie("app.test", &name).expect("a value"));
        }
    }
    assert_eq!(pending_cookies(&browser, "app.test").len(), 20);
    for (page, (_, callback)) in pages.iter().zip(&begun) {
        assert_eq!(browser.get(callback).location(), page);
    }
    assert_eq!(pending_cookies(&browser, "app.test"), [""; 0]);
}

#[test]
fn c_04_tabs_that_are_abandoned_do_not_pile_up_cookies() {
    let scenario = scenario();
    on_both(|protocol| {
        let mut browser = scenario.proxy.browser(protocol);
        let mut callbacks: Vec<(String, String)> = (0..20)
            .map(|tab| {
                // The age decides which goes, in whole seconds.
                scenario.proxy.clock.advance(Duration::from_secs(1));
                let (_, callback) = scenario.begin(&mut browser, &format!("https://app.test/tab/{tab}"));
                (format!("/tab/{tab}"), callback)
            })
            .collect();
        assert_eq!(pending_cookies(&browser, "app.test").len(), 6, "the newest stay");
        let (_, oldest) = callbacks.remove(0);
        // Its cookie is gone, but not the address.
        let sent = browser.get(&oldest).location().to_owned();
        assert_eq!(browser.get(&scenario.provider.callback_of(&sent)).location(), "/tab/0");
        for (page, callback) in &callbacks {
            assert_eq!(browser.get(callback).location(), page);
        }
    });
}

#[test]
fn c_05_c_13_a_login_that_was_begun_at_another_host_is_not_finished_here() {
    let scenario = scenario();
    on_both(|protocol| {
        let mut attacker = scenario.proxy.browser(protocol);
        let (_, callback) = scenario.begin(&mut attacker, "https://other.test/reports");
        let here = callback.replace("other.test", "app.test");
        let before = scenario.counts();
        let mut victim = scenario.proxy.browser(protocol);
        scenario.callback_refused("as it is", &victim.get(&here), 401, "auth.state_mismatch", before);
        for name in pending_cookies(&attacker, "other.test") {
            assert!(name.starts_with("__Host-"), "no sibling domain can plant it: {name}");
            victim.set_cookie("app.test", &name, &attacker.cookie("other.test", &name).expect("a value"));
        }
        scenario.callback_refused("with its cookie", &victim.get(&here), 401, "auth.state_mismatch", before);
        assert_eq!(attacker.get(&callback).location(), "/reports", "there it is good");
    });
}

#[test]
fn c_06_a_parameter_that_comes_twice_is_not_chosen_from() {
    let scenario = scenario();
    on_both(|protocol| {
        let mut browser = scenario.proxy.browser(protocol);
        let (_, callback) = scenario.begin(&mut browser, PAGE);
        let before = scenario.counts();
        let issuer = scenario.provider.issuer();
        for more in [
            "&code=B".to_owned(),
            "&code=".to_owned(),
            "&state=S2".to_owned(),
            "&%73tate=S2".to_owned(),
            format!("&iss={issuer}&iss={issuer}"),
            "&error=a&error=b".to_owned(),
        ] {
            let answer = browser.get(&format!("{callback}{more}"));
            scenario.callback_refused(&more, &answer, 400, "auth.callback_malformed", before);
        }
        let first = callback.replace("?", "?code=A&");
        scenario.callback_refused("in front", &browser.get(&first), 400, "auth.callback_malformed", before);
        assert_eq!(browser.get(&callback).location(), "/reports", "the login is still good");
    });
}

/// A second provider, with which one path signs in.
const SECOND: &str = "
      - name: second
        priority: 1
        conditions: [{ path_pattern: [/second] }]
        actions:
          - { type: authenticate-oidc, provider: second, session_cookie_name: __Host-second }
          - { type: forward, target_group: app }
";

#[test]
fn c_07_a_code_of_another_provider_is_not_taken_to_either() {
    let (provider, other, target) = (Provider::start(), Provider::start(), target::echo());
    provider.say(|script| script.metadata = json!({"authorization_response_iss_parameter_supported": true}));
    let second = format!(
        "  second: {{ issuer: '{}', client_id: dashboard, client_secret: a-client-secret-of-some-length }}",
        other.issuer()
    );
    let proxy = Setup::new(&provider, &target).provider(&second).rules(SECOND).start();
    let scenario = Scenario { provider, target, proxy };
    on_both(|protocol| {
        let before = scenario.counts();
        let ours = scenario.provider.issuer();
        let foreign = [
            ("the other's", other.issuer()),
            ("with a slash", format!("{ours}/")),
            ("upper case", ours.to_uppercase()),
            ("empty", String::new()),
        ];
        for (what, issuer) in foreign {
            let mut browser = scenario.proxy.browser(protocol);
            let (_, callback) = scenario.begin(&mut browser, PAGE);
            let answer = browser.get(&format!("{callback}&iss={issuer}"));
            scenario.callback_refused(what, &answer, 401, "auth.issuer_mismatch", before);
        }
        let mut browser = scenario.proxy.browser(protocol);
        let (_, callback) = scenario.begin(&mut browser, PAGE);
        scenario.callback_refused("missing", &browser.get(&callback), 401, "auth.issuer_mismatch", before);
        assert_eq!(other.requests("/token").len(), 0);
        let (_, callback) = scenario.begin(&mut browser, PAGE);
        assert_eq!(browser.get(&format!("{callback}&iss={ours}")).location(), "/reports");
    });
    // The provider that does not announce `iss` is held to it where it sends one.
    let mut browser = scenario.proxy.browser(Protocol::Http2);
    let sent = browser.get("https://app.test/second");
    let callback = other.callback_of(sent.location());
    let answer = browser.get(&format!("{callback}&iss={}", scenario.provider.issuer()));
    assert_eq!((answer.status, answer.reason().as_deref()), (401, Some("auth.issuer_mismatch")));
    assert_eq!(other.requests("/token").len(), 0);
}

#[test]
fn c_10_every_attempt_proves_itself_with_a_verifier_of_its_own() {
    let scenario = scenario();
    on_both(|protocol| {
        let mut seen = Vec::new();
        for _ in 0..3 {
            let mut browser = scenario.proxy.browser(protocol);
            let (location, callback) = scenario.begin(&mut browser, PAGE);
            assert_eq!(parameter(&location, "code_challenge_method").as_deref(), Some("S256"));
            let challenge = parameter(&location, "code_challenge").expect("a challenge");
            assert_eq!(browser.get(&callback).status, 302);
            let request = scenario.provider.requests("/token").pop().expect("a token request");
            let form: Vec<_> = url::form_urlencoded::parse(&request.body).collect();
            let verifier = &form.iter().find(|(name, _)| name == "code_verifier").expect("a verifier").1;
            assert!((43..=128).contains(&verifier.len()), "RFC 7636 §4.1");
            assert_eq!(URL_SAFE_NO_PAD.encode(digest(&SHA256, verifier.as_bytes())), challenge);
            assert!(!location.contains(&**verifier) && !callback.contains(&**verifier));
            for name in ["state", "nonce", "code_challenge"] {
                seen.push(parameter(&location, name).expect("a parameter"));
            }
        }
        let count = seen.len();
        seen.sort_unstable();
        seen.dedup();
        assert_eq!(seen.len(), count, "nothing comes twice");
    });
}

#[test]
fn c_11_a_login_is_good_for_its_window_and_not_longer() {
    let scenario = scenario();
    let mut browser = scenario.proxy.browser(Protocol::Http2);
    let now = || scenario.provider.say(|script| script.now = scenario.proxy.clock.now().seconds());
    let (_, callback) = scenario.begin(&mut browser, PAGE);
    scenario.proxy.clock.advance(LOGIN_WINDOW);
    now();
    assert_eq!(browser.get(&callback).status, 302, "to the last moment");

    let mut browser = scenario.proxy.browser(Protocol::Http2);
    let (_, callback) = scenario.begin(&mut browser, PAGE);
    scenario.proxy.clock.advance(LOGIN_WINDOW + Duration::from_millis(1));
    let before = scenario.counts();
    // It begins once more by itself, and says why when that takes too long, too.
    let sent = scenario.begins_anew("late", &browser.get(&callback), before);
    scenario.proxy.clock.advance(LOGIN_WINDOW + Duration::from_millis(1));
    let answer = browser.get(&scenario.provider.callback_of(&sent));
    scenario.callback_refused("late again", &answer, 401, "auth.login_expired", before);
    assert_eq!(pending_cookies(&browser, "app.test"), [""; 0]);
    now();
    let sent = browser.get(&way_on(&answer, "Sign in again"));
    assert_eq!(browser.get(&scenario.provider.callback_of(sent.location())).location(), "/reports");

    // A clock that was set back does not end it.
    now();
    let mut browser = scenario.proxy.browser(Protocol::Http2);
    let (_, callback) = scenario.begin(&mut browser, PAGE);
    scenario.proxy.clock.rewind(Duration::from_secs(5 * 60));
    now();
    assert_eq!(browser.get(&callback).status, 302);
}

#[test]
fn c_12_what_the_provider_says_of_an_error_reaches_neither_the_page_nor_the_log() {
    let scenario = scenario();
    let mark = "<script>alert(1)</script>\r\nset-cookie: a=b";
    on_both(|protocol| {
        for (error, description, status, reason) in [
            ("access_denied", mark.to_owned(), 401, "auth.denied"),
            ("server_error", mark.to_owned(), 561, "auth.provider_error"),
            ("\0", mark.to_owned(), 561, "auth.provider_error"),
            (mark, String::new(), 561, "auth.provider_error"),
            ("ACCESS_DENIED", String::new(), 561, "auth.provider_error"),
            ("access_denied", "<script>".repeat(1000), 401, "auth.denied"),
        ] {
            for accept in ["text/html", "application/json", "text/plain"] {
                let mut browser = scenario.proxy.browser(protocol);
                let (location, _) = scenario.begin(&mut browser, PAGE);
                let before = scenario.counts();
                let state = parameter(&location, "state").expect("a state");
                let query = url::form_urlencoded::Serializer::new(String::new())
                    .extend_pairs([("state", state.as_str()), ("error", error), ("error_description", &description)])
                    .extend_pairs([("error_uri", "javascript:alert(1)")])
                    .finish();
                let answer = browser.send("GET", &format!("{CALLBACK}?{query}"), &[("accept", accept)], b"");
                scenario.callback_refused(error, &answer, status, reason, before);
                let all = format!("{}{:?}", answer.text(), answer.headers);
                assert!(!all.contains("alert(1)") && !all.contains("<script") && !all.contains("a=b"), "{all}");
                assert_eq!(answer.header("cache-control"), Some("no-store"));
                // A code beside an error is not used.
                scenario.begins_anew("again", &browser.get(&format!("{CALLBACK}?state={state}&code=x")), before);
            }
        }
    });
    let log = format!("{:?}", scenario.proxy.access_log(36));
    assert!(!log.contains("alert") && !log.contains("script"), "{log}");
}

#[test]
fn c_12_a_description_of_50_kb_changes_nothing() {
    let scenario = scenario();
    on_both(|protocol| {
        let mut browser = scenario.proxy.browser(protocol);
        let (_, callback) = scenario.begin(&mut browser, PAGE);
        let before = scenario.counts();
        let url = format!("{callback}&error=access_denied&error_description={}", "A".repeat(50_000));
        if let Ok(answer) = browser.try_send("GET", &url, &[], b"") {
            assert!((400..500).contains(&answer.status), "{}", answer.status);
            assert!(answer.body.len() < 5000 && answer.new_session().is_empty());
        }
        assert_eq!(scenario.counts(), before);
    });
}

#[test]
fn c_14_a_pending_login_that_was_tampered_with_does_not_open() {
    let scenario = scenario();
    let mut browser = scenario.proxy.browser(Protocol::Http2);
    let (_, callback) = scenario.begin(&mut browser, PAGE);
    let name = pending_cookies(&browser, "app.test").pop().expect("a cookie");
    let good = browser.cookie("app.test", &name).expect("a value");
    let before = scenario.counts();
    let (age, sealed) = good.split_once('.').expect("an age");
    let flip = |at: usize| {
        let mut bytes = sealed.as_bytes().to_vec();
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        format!("{age}.{}", String::from_utf8(bytes).expect("ASCII"))
    };
    let mut bad: Vec<String> = (0..sealed.len()).step_by(29).chain([sealed.len() - 1]).map(flip).collect();
    bad.extend([
        String::new(),
        ".".into(),
        age.to_owned(),
        format!("{age}."),
        sealed.to_owned(),
        good[..good.len() - 1].to_owned(),
        good[..good.len() / 2].to_owned(),
        format!("{good}A"),
        format!("{good}="),
        format!("{good}{sealed}"),
        format!("x{good}").replace('.', ".."),
    ]);
    for value in bad {
        let mut browser = scenario.proxy.browser(Protocol::Http2);
        browser.set_cookie("app.test", &name, &value);
        scenario.begins_anew(&value, &browser.get(&callback), before);
    }
    // Two cookies of that name: none is chosen.
    let twice = format!("{name}={good}; {name}={good}");
    let answer = scenario.proxy.browser(Protocol::Http2).send("GET", &callback, &[("cookie", &twice)], b"");
    scenario.begins_anew("twice", &answer, before);
    // The age outside the seal is only there to choose what to drop.
    browser.set_cookie("app.test", &name, &format!("1.{sealed}"));
    assert_eq!(browser.get(&callback).status, 302);
}

#[test]
fn c_14_a_pending_login_of_another_deployment_with_the_same_key_does_not_open() {
    let (provider, target) = (Provider::start(), target::echo());
    let key = "0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef";
    let start = |session: &str| {
        let folder = crate::harness::app::folder();
        std::fs::write(folder.join("session-key"), key).expect("written");
        let rest = format!("claims: {{ signer: 'arn:x', signing_key_file: claims-key.pem }}\nsession: {session}\n");
        Proxy::start_in(folder, &Setup::new(&provider, &target).rest(&rest).yaml(), START)
    };
    let one = start("{ key_files: [session-key] }");
    let two = start("{ key_files: [session-key], cookie_name: __Host-other }");
    let mut browser = one.browser(Protocol::Http2);
    let sent = browser.get(PAGE);
    let callback = provider.callback_of(sent.location());
    let name = pending_cookies(&browser, "app.test").pop().expect("a cookie");
    let value = browser.cookie("app.test", &name).expect("a value");
    let mut elsewhere = two.browser(Protocol::Http2);
    elsewhere.set_cookie("app.test", &name.replace("__Host-vestibule", "__Host-other"), &value);
    let answer = elsewhere.get(&callback);
    assert_eq!((answer.status, answer.reason().as_deref()), (401, Some("auth.state_mismatch")));
    assert_eq!((provider.requests("/token").len(), target.count()), (0, 0));
    assert_eq!(browser.get(&callback).status, 302);
}

#[test]
fn c_15_neither_head_nor_a_prefetch_spends_the_code() {
    let scenario = scenario();
    on_both(|protocol| {
        let mut browser = scenario.proxy.browser(protocol);
        let (_, callback) = scenario.begin(&mut browser, PAGE);
        let before = scenario.counts();
        let head = browser.send("HEAD", &callback, &[], b"");
        assert_eq!((head.status, head.set_cookies().len()), (400, 0));
        for method in ["PUT", "DELETE", "OPTIONS", "PATCH"] {
            let answer = browser.send(method, &callback, &[], b"");
            scenario.callback_refused(method, &answer, 400, "auth.callback_malformed", before);
        }
        for header in [
            ("sec-purpose", "prefetch"),
            ("sec-purpose", "prefetch;prerender"),
            ("purpose", "prefetch"),
            ("x-purpose", "preview"),
            ("x-moz", "prefetch"),
        ] {
            let answer = browser.send("GET", &callback, &[header], b"");
            assert_eq!((answer.status, answer.set_cookies().len()), (503, 0), "{header:?}");
        }
        assert_eq!(scenario.counts(), before);
        assert_eq!(browser.get(&callback).location(), "/reports");
    });
}

#[test]
fn c_15_a_prefetch_begins_no_login() {
    let scenario = scenario();
    on_both(|protocol| {
        let answer = scenario.proxy.browser(protocol).send("GET", PAGE, &[("sec-purpose", "prefetch")], b"");
        assert_eq!((answer.status, answer.set_cookies().len()), (401, 0));
    });
}

#[test]
fn c_16_nothing_of_the_request_gets_into_the_sign_in_request() {
    let (provider, target) = (Provider::start(), target::echo());
    let actions = "
      - type: authenticate-oidc
        provider: corp
        scope: openid email
        authentication_request_extra_params: { prompt: login }
      - { type: forward, target_group: app }";
    let proxy = Setup::new(&provider, &target).default_actions(actions).start();
    let evil = "scope=admin&prompt=none&acr_values=x&request_uri=https://evil.test&request=e&client_id=evil\
                &redirect_uri=https://evil.test&response_type=token&response_mode=form_post&state=s&nonce=n\
                &code_challenge=c&code_challenge_method=plain&login_hint=admin&rd=https://evil.test";
    on_both(|protocol| {
        for path in ["/page", "/oauth2/start", "/oauth2/login", "/oauth2/authorize"] {
            let answer = proxy.browser(protocol).send(
                "GET",
                &format!("https://app.test{path}?{evil}"),
                &[
                    ("x-forwarded-host", "evil.test"),
                    ("x-forwarded-proto", "http"),
                    ("x-forwarded-port", "1"),
                    ("forwarded", "host=evil.test;proto=http"),
                    ("x-original-url", "https://evil.test/"),
                    ("x-auth-request-redirect", "https://evil.test/"),
                ],
                b"",
            );
            assert_eq!(answer.status, 302);
            let location = answer.location().to_owned();
            assert!(location.starts_with(&format!("{}/authorize?", provider.issuer())), "{location}");
            assert!(!location.contains("evil") && !location.contains("admin"), "{location}");
            for (name, value) in [
                ("client_id", CLIENT_ID),
                ("redirect_uri", CALLBACK),
                ("response_type", "code"),
                ("scope", "openid email"),
                ("code_challenge_method", "S256"),
                ("prompt", "login"),
            ] {
                assert_eq!(parameter(&location, name).as_deref(), Some(value), "{name}");
            }
            assert_eq!(url::Url::parse(&location).expect("a URL").query_pairs().count(), 9, "{location}");
        }
    });
    assert_eq!(target.count(), 0);
}

/// A way for a provider to answer, and what it is called.
type Answering = (&'static str, fn() -> Reply);

type Misbehaviour = Box<dyn Fn(&Received) -> Option<Reply> + Send + Sync>;

fn at(path: &'static str, reply: impl Fn() -> Reply + Send + Sync + 'static) -> Misbehaviour {
    Box::new(move |request| (request.target() == path).then(&reply))
}

fn html() -> Reply {
    Reply::new("200 OK", &[("content-type", "text/html")], "<html>SECRET</html>")
}

fn ten_megabytes() -> Reply {
    Reply::new("200 OK", &[("content-type", "application/json")], " ".repeat(10 << 20))
}

/// A megabyte without a length, in pieces that never end.
fn endless() -> Reply {
    let mut bytes = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    for _ in 0..1024 {
        bytes.extend_from_slice(format!("400\r\n{}\r\n", " ".repeat(1024)).as_bytes());
    }
    Reply::BytesThenHang(bytes)
}

fn hang() -> Reply {
    Reply::BytesThenHang(Vec::new())
}

/// The head, and half a body.
fn drip() -> Reply {
    Reply::BytesThenHang(b"HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{".to_vec())
}

#[test]
fn c_17_a_provider_that_misbehaves_is_bounded_and_gets_no_secret_elsewhere() {
    let (provider, target, thief) = (Provider::start(), target::echo(), target::echo());
    // Long enough for a machine that is busy; the test waits for it three times.
    let proxy = Setup::new(&provider, &target).provider("    timeout: 1s").start();
    let to = thief.address();
    let redirect = move |path: &'static str, code: &'static str, scheme: &'static str| {
        at(path, move || Reply::new(code, &[("location", &format!("{scheme}://{to}/"))], ""))
    };
    let refused = "auth.token_endpoint_refused";
    let cases: Vec<(&str, Misbehaviour, u16, &str)> = vec![
        ("hangs", at("/token", hang), 500, "auth.token_endpoint_unreachable"),
        ("drips", at("/token", drip), 500, "auth.token_endpoint_unreachable"),
        ("resets", at("/token", || Reply::Reset), 500, "auth.token_endpoint_unreachable"),
        ("10 MB", at("/token", ten_megabytes), 500, "auth.token_endpoint_unreachable"),
        ("endless", at("/token", endless), 500, "auth.token_endpoint_unreachable"),
        (
            "not HTTP",
            at("/token", || Reply::BytesThenClose(b"garbage\r\n\r\n".to_vec())),
            500,
            "auth.token_endpoint_unreachable",
        ),
        ("503", at("/token", || Reply::new("503 No", &[], "")), 561, refused),
        ("307", redirect("/token", "307 Over There", "http"), 561, refused),
        ("308 file", redirect("/token", "308 Over There", "file"), 561, refused),
        ("302", redirect("/token", "302 Over There", "http"), 561, refused),
        ("invalid_client", at("/token", || Reply::new("401 No", &[], r#"{"error":"invalid_client"}"#)), 561, refused),
        ("HTML", at("/token", html), 561, "auth.token_response_invalid"),
        ("empty", at("/token", || Reply::text("")), 561, "auth.token_response_invalid"),
        ("an array", at("/token", || Reply::text("[]")), 561, "auth.token_response_invalid"),
        ("userinfo hangs", at("/userinfo", hang), 500, "auth.userinfo_unreachable"),
        ("userinfo 10 MB", at("/userinfo", ten_megabytes), 500, "auth.userinfo_unreachable"),
        ("userinfo 500", at("/userinfo", || Reply::new("500 No", &[], "")), 561, "auth.userinfo_refused"),
        ("userinfo 302", redirect("/userinfo", "302 Over There", "http"), 561, "auth.userinfo_refused"),
        ("userinfo HTML", at("/userinfo", html), 561, "auth.userinfo_invalid"),
        ("userinfo deep", at("/userinfo", || Reply::text(&"[".repeat(100_000))), 561, "auth.userinfo_invalid"),
        ("userinfo of another", at("/userinfo", || Reply::json(&json!({"sub": "bob"}))), 401, "auth.subject_mismatch"),
        ("userinfo of nobody", at("/userinfo", || Reply::json(&json!({"name": "x"}))), 561, "auth.userinfo_invalid"),
    ];
    for (what, misbehaviour, status, reason) in cases {
        let mut browser = proxy.browser(Protocol::Http2);
        let misbehaviour = std::sync::Arc::from(misbehaviour);
        provider.say(|script| script.instead = Some(misbehaviour));
        let answer = provider.try_sign_in(&mut browser, PAGE);
        assert_eq!((answer.status, answer.reason().as_deref()), (status, Some(reason)), "{what}");
        assert!(!answer.text().contains("SECRET"), "{what}");
        assert_eq!(answer.new_session(), [""; 0], "{what}");
        assert_eq!(pending_cookies(&browser, "app.test"), [""; 0], "{what}: the attempt is over");
    }
    assert_eq!((thief.count(), target.count()), (0, 0), "no redirect is followed");
    provider.say(|script| script.instead = None);
    assert_eq!(provider.sign_in(&mut proxy.browser(Protocol::Http2), PAGE).status, 200, "nothing is left of it");
}

#[test]
fn c_17_a_code_that_the_provider_rejects_is_asked_for_once_more() {
    let scenario = scenario();
    let rejects = at("/token", || Reply::new("400 No", &[], r#"{"error":"invalid_grant"}"#));
    scenario.provider.say(|script| script.instead = Some(std::sync::Arc::from(rejects)));
    on_both(|protocol| {
        let mut browser = scenario.proxy.browser(protocol);
        let (_, callback) = scenario.begin(&mut browser, PAGE);
        let count = scenario.provider.requests("/token").len();
        let sent = browser.get(&callback);
        assert_eq!((sent.status, sent.new_session().len()), (302, 0));
        let answer = browser.get(&scenario.provider.callback_of(sent.location()));
        assert_eq!((answer.status, answer.reason().as_deref()), (401, Some("auth.code_rejected")));
        assert_eq!(scenario.provider.requests("/token").len(), count + 2);
        assert_eq!(pending_cookies(&browser, "app.test"), [""; 0]);
    });
}

#[test]
fn c_17_a_provider_without_metadata_or_keys_stops_logins_and_nothing_else() {
    let misbehaviours: [Answering; 5] = [
        ("hangs", hang),
        ("HTML", html),
        ("10 MB", ten_megabytes),
        ("500", || Reply::new("500 No", &[], "")),
        ("302", || Reply::new("302 Over There", &[("location", "http://127.0.0.1:9/")], "")),
    ];
    let (provider, target) = (Provider::start(), target::echo());
    let rules = "
      - { name: public, priority: 1, conditions: [{ path_pattern: [/public] }], actions: [{ type: forward, target_group: app }] }";
    let setup = Setup::new(&provider, &target).provider("    timeout: 1s").rules(rules);
    for path in ["/.well-known/openid-configuration", "/jwks"] {
        let proxy = setup.start();
        for (what, reply) in misbehaviours {
            proxy.clock.advance(Duration::from_secs(60));
            provider.say(|script| {
                script.now = proxy.clock.now().seconds();
                script.instead = Some(std::sync::Arc::from(at(path, reply)));
            });
            let mut browser = proxy.browser(Protocol::Http2);
            let (status, reason, answer) = if path == "/jwks" {
                (500, "auth.keys_unavailable", provider.try_sign_in(&mut browser, PAGE))
            } else {
                (503, "auth.provider_unavailable", browser.get(PAGE))
            };
            assert_eq!((answer.status, answer.reason().as_deref()), (status, Some(reason)), "{path} {what}");
            assert_eq!(answer.new_session(), [""; 0]);
            assert_eq!(browser.get("https://app.test/public").status, 200, "what needs no login goes on");
        }
        proxy.clock.advance(Duration::from_secs(60));
        provider.say(|script| {
            script.now = proxy.clock.now().seconds();
            script.instead = None;
        });
        assert_eq!(provider.sign_in(&mut proxy.browser(Protocol::Http2), PAGE).status, 200, "it is back");
    }
}

#[test]
fn c_18_a_login_over_another_users_session_leaves_nothing_of_it() {
    let scenario = scenario();
    on_both(|protocol| {
        let mut browser = scenario.proxy.browser(protocol);
        let (_, first) = scenario.begin(&mut browser, PAGE);
        let (_, second) = scenario.begin(&mut browser, "https://app.test/second");
        let sub = |name: &'static str| {
            scenario.provider.say(|script| {
                script.id_token = json!({"sub": name, "email": format!("{name}@example.com")});
                script.userinfo = Some(json!({"sub": name}));
            });
        };
        sub("alice");
        assert_eq!(browser.get(&first).location(), "/reports");
        let alice = browser.clone();
        sub("bob");
        assert_eq!(browser.get(&second).location(), "/second");
        assert_ne!(alice.cookie_header("app.test"), browser.cookie_header("app.test"));
        assert_eq!(browser.get(PAGE).status, 200);
        assert_eq!(scenario.target.last().header("x-amzn-oidc-identity"), Some("bob"));
        let about = browser.get("https://app.test/oauth2/userinfo").json();
        assert_eq!((&about["sub"], &about["email"]), (&json!("bob"), &json!("bob@example.com")));
        let count = scenario.target.count();
        let answer = alice.scripted().get(PAGE);
        assert_eq!((answer.status, answer.reason().as_deref()), (401, Some("auth.session_expired")));
        assert_eq!(scenario.target.count(), count, "what was Alice's is over");
    });
}
