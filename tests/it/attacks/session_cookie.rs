//! Attacks S: session cookies that were tampered with, taken elsewhere, or kept too long. Not here: S-04, S-05 and S-06 are
//! properties of the seal (`session`'s and `crypto`'s own tests); S-13 needs a store, and S-14 a binding to a client
//! certificate, which this version does not have.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::json;

use crate::harness::app::{Proxy, START, Setup, folder};
use crate::harness::browser::{Answer, Browser, Protocol, on_both};
use crate::harness::provider::Provider;
use crate::harness::raw::{Raw, status};
use crate::harness::scenario::Scenario;
use crate::harness::{noise, target};

const HOST: &str = "app.test";
const PAGE: &str = "https://app.test/reports";
const BASE: &str = "__Host-vestibule";
const TIMEOUT: Duration = Duration::from_secs(8 * 3600);

fn scenario() -> Scenario {
    Scenario::start(|setup| setup)
}

impl Scenario {
    /// A session that needs several shards.
    #[track_caller]
    fn signed_in_large(&self, protocol: Protocol) -> Browser {
        self.say_large(9000);
        let browser = self.signed_in(protocol);
        assert_eq!(shards(&browser).len(), 3);
        browser
    }

    /// Claims that do not compress.
    fn say_large(&self, length: usize) {
        let claims = json!({"sub": "alice", "x": noise(length)});
        self.provider.say(|script| script.userinfo = Some(claims));
    }

    /// Asks as a script, with these cookies.
    #[track_caller]
    fn ask(&self, protocol: Protocol, cookies: &str) -> Answer {
        self.proxy.browser(protocol).scripted().send("GET", PAGE, &[("cookie", cookies)], b"")
    }

    /// Asserts that a session is not one, that every cookie of it is deleted, and that the target hears nothing of it.
    #[track_caller]
    fn session_refused(&self, what: &str, protocol: Protocol, cookies: &str) -> Answer {
        let count = self.target.count();
        let answer = self.ask(protocol, cookies);
        assert_eq!((answer.status, answer.reason().as_deref()), (401, Some("auth.session_invalid")), "{what}");
        assert_eq!(self.target.count(), count, "{what} does not reach the target");
        for number in 0..4 {
            let deleted = format!("{BASE}-{number}=; HttpOnly; SameSite=Lax; Secure; Path=/; Max-Age=0");
            assert!(answer.set_cookies().contains(&deleted.as_str()), "{what} clears {number}");
        }
        answer
    }

    #[track_caller]
    fn good(&self, protocol: Protocol, cookies: &str) {
        assert_eq!(self.ask(protocol, cookies).status, 200);
    }
}

/// The values of the shards, in order.
fn shards(browser: &Browser) -> Vec<String> {
    (0..4).map_while(|number| browser.cookie(HOST, &format!("{BASE}-{number}"))).collect()
}

/// A `Cookie` field of numbered values.
fn field<'s>(shards: impl IntoIterator<Item = (&'s str, &'s str)>) -> String {
    shards.into_iter().map(|(number, value)| format!("{BASE}-{number}={value}")).collect::<Vec<_>>().join("; ")
}

fn other(byte: u8) -> u8 {
    if byte == b'A' { b'B' } else { b'A' }
}

#[test]
fn s_01_no_byte_of_a_session_can_be_changed() {
    let small = |setup: Setup| setup.provider("    logout: never");
    let scenario = Scenario::start(small);
    let browser = scenario.signed_in(Protocol::Http1);
    let count = scenario.target.count();
    let [shard] = shards(&browser).try_into().expect("one shard");
    assert!(shard.len() < 1200, "{}: small enough to try every byte", shard.len());
    let mut raw = Raw::connect(scenario.proxy.address(), HOST);
    let mut ask = |value: &str| {
        raw.send(format!(
            "GET /reports HTTP/1.1\r\nhost: app.test\r\naccept: application/json\r\ncookie: {BASE}-0={value}\r\n\r\n"
        ));
        raw.read_response()
    };
    for at in 0..shard.len() {
        let mut bytes = shard.clone().into_bytes();
        bytes[at] = other(bytes[at]);
        let (head, body) = ask(&String::from_utf8(bytes).expect("ASCII"));
        assert_eq!(status(&head), 401, "byte {at}");
        assert!(body.contains("auth.session_invalid"), "byte {at}: {body}");
    }
    // The last character has bits that base64 does not need: there is one spelling only.
    let last = shard.as_bytes()[shard.len() - 1];
    for byte in b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_".iter().filter(|byte| **byte != last)
    {
        let (head, _) = ask(&format!("{}{}", &shard[..shard.len() - 1], char::from(*byte)));
        assert_eq!(status(&head), 401, "{}", char::from(*byte));
    }
    for length in (0..shard.len()).step_by(37) {
        assert_eq!(status(&ask(&shard[..length]).0), 401, "{length} bytes");
    }
    assert_eq!(scenario.target.count(), count);
    assert_eq!(status(&ask(&shard).0), 200, "the whole of it is good");
}

#[test]
fn s_01_garbage_is_not_a_session() {
    let scenario = scenario();
    let good = shards(&scenario.signed_in(Protocol::Http2)).remove(0);
    on_both(|protocol| {
        for value in [
            "".to_owned(),
            "=".to_owned(),
            "1".to_owned(),
            "AAAA".to_owned(),
            "0".to_owned() + &good[1..],
            "2".to_owned() + &good[1..],
            "9".to_owned() + &good[1..],
            "01".to_owned() + &good[1..],
            good[1..].to_owned(),
            format!("{good}="),
            format!("{good}AAAA"),
            format!("\"{good}\""),
            format!("{good} "),
            "1".to_owned() + &"A".repeat(4000),
            "%31".to_owned() + &good[1..],
        ] {
            if value.ends_with(' ') {
                // RFC 6265 §5.4: blanks around a pair are not of its value.
                scenario.good(protocol, &field([("0", value.as_str())]));
            } else {
                scenario.session_refused(&value, protocol, &field([("0", value.as_str())]));
            }
        }
    });
}

#[test]
fn s_02_shards_are_taken_as_a_whole_or_not_at_all() {
    let scenario = scenario();
    on_both(|protocol| {
        let (one, two) = (shards(&scenario.signed_in_large(protocol)), shards(&scenario.signed_in_large(protocol)));
        let [a, b, c]: [String; 3] = one.try_into().expect("three");
        let (a, b, c) = (a.as_str(), b.as_str(), c.as_str());
        let (d, e, f) = (two[0].as_str(), two[1].as_str(), two[2].as_str());
        let recounted = |count: &str| format!("{count}{}", &a[1..]);
        let (fewer, more, huge) = (recounted("2"), recounted("4"), recounted("99999999"));
        scenario.good(protocol, &field([("0", a), ("1", b), ("2", c)]));
        scenario.good(protocol, &field([("2", c), ("0", a), ("1", b)]));
        scenario.good(protocol, &field([("0", d), ("1", e), ("2", f)]));
        let cases: Vec<(&str, Vec<(&str, &str)>)> = vec![
            ("without the first", vec![("1", b), ("2", c)]),
            ("without the second", vec![("0", a), ("2", c)]),
            ("without the last", vec![("0", a), ("1", b)]),
            ("the first alone", vec![("0", a)]),
            ("swapped", vec![("0", b), ("1", a), ("2", c)]),
            ("the last two swapped", vec![("0", a), ("1", c), ("2", b)]),
            ("the same twice", vec![("0", a), ("1", b), ("2", b)]),
            ("another session's first", vec![("0", d), ("1", b), ("2", c)]),
            ("another session's second", vec![("0", a), ("1", e), ("2", c)]),
            ("another session's last", vec![("0", a), ("1", b), ("2", f)]),
            ("one too many", vec![("0", a), ("1", b), ("2", c), ("3", c)]),
            ("an empty one too many", vec![("0", a), ("1", b), ("2", c), ("3", "")]),
            ("number nine", vec![("0", a), ("1", b), ("2", c), ("9", c)]),
            ("a huge number", vec![("0", a), ("1", b), ("2", c), ("99999999", c)]),
            ("a number that overflows", vec![("0", a), ("1", b), ("2", c), ("18446744073709551616", c)]),
            ("a leading zero", vec![("0", a), ("1", b), ("02", c)]),
            ("counted less", vec![("0", &fewer), ("1", b), ("2", c)]),
            ("counted less, and fewer", vec![("0", &fewer), ("1", b)]),
            ("counted more", vec![("0", &more), ("1", b), ("2", c)]),
            ("counted more, and more", vec![("0", &more), ("1", b), ("2", c), ("3", c)]),
            ("counted 99999999", vec![("0", &huge), ("1", b), ("2", c)]),
        ];
        for (what, mutated) in cases {
            scenario.session_refused(what, protocol, &field(mutated));
        }
        let half = &b[..b.len() / 2];
        scenario.session_refused("moved between shards", protocol, &field([("0", a), ("1", half), ("2", c)]));
    });
}

#[test]
fn s_02_what_lies_under_our_names_is_cleared_with_a_session_that_is_not_whole() {
    let scenario = scenario();
    let answer =
        scenario.session_refused("strays", Protocol::Http2, &field([("0", "x"), ("7", "y"), ("99999999", "z")]));
    for stray in ["7", "99999999"] {
        let start = format!("{BASE}-{stray}=; ");
        assert!(answer.set_cookies().iter().any(|line| line.starts_with(&start) && line.contains("Max-Age=0")));
    }
    // Bounded, however many there are.
    let many: Vec<String> = (0..400).map(|number| number.to_string()).collect();
    let answer =
        scenario.session_refused("400", Protocol::Http2, &field(many.iter().map(|number| (number.as_str(), "x"))));
    assert!(answer.set_cookies().len() <= 20, "{}", answer.set_cookies().len());
}

#[test]
fn s_03_a_session_of_another_host_is_not_one() {
    let scenario = scenario();
    on_both(|protocol| {
        let mut browser = scenario.signed_in(protocol);
        let cookies = browser.cookie_header(HOST);
        let count = scenario.target.count();
        for host in ["other.test", "sub.app.test"] {
            let url = format!("https://{host}/reports");
            let answer = browser.clone().scripted().send("GET", &url, &[("cookie", &cookies)], b"");
            assert_eq!((answer.status, answer.reason().as_deref()), (401, Some("auth.session_invalid")), "{host}");
        }
        assert_eq!(scenario.target.count(), count);
        // The same host, however it is written.
        assert_eq!(browser.send("GET", "https://app.test:443/x", &[("cookie", &cookies)], b"").status, 200);
    });
}

/// A rule with a cookie name of its own.
const ADMIN: &str = "
      - name: admin
        priority: 1
        conditions: [{ path_pattern: [/admin] }]
        actions:
          - { type: authenticate-oidc, provider: corp, session_cookie_name: __Host-admin }
          - { type: forward, target_group: app }
";

#[test]
fn s_03_a_session_of_another_rule_is_not_one() {
    let scenario = Scenario::start(|setup| setup.rules(ADMIN));
    on_both(|protocol| {
        let browser = scenario.signed_in(protocol);
        let count = scenario.target.count();
        let cookies = browser.cookie_header(HOST);
        let asked = |url: &str, cookies: &str| {
            let answer = browser.clone().scripted().send("GET", url, &[("cookie", cookies)], b"");
            (answer.status, answer.reason())
        };
        let required = (401, Some("auth.required".to_owned()));
        let invalid = (401, Some("auth.session_invalid".to_owned()));
        assert_eq!(asked("https://app.test/admin", &cookies), required, "under its own name");
        let renamed = cookies.replace(BASE, "__Host-admin");
        assert_eq!(asked("https://app.test/admin", &renamed), invalid, "under the other's name");
        assert_eq!(scenario.target.count(), count);
        assert_eq!(asked(PAGE, &cookies).0, 200, "and still good where it is from");
    });
}

#[test]
fn s_03_a_session_of_another_provider_is_not_one_even_under_the_same_key() {
    let (provider, other, target) = (Provider::start(), Provider::start(), target::echo());
    let start = |setup: Setup| Proxy::start_in(keys(&[("key", 1)]), &setup.rest(&rest("[key]")).yaml(), START);
    let (here, there) = (start(Setup::new(&provider, &target)), start(Setup::new(&other, &target)));
    on_both(|protocol| {
        let cookies = here.signed_in(protocol, &provider).cookie_header(HOST);
        let count = target.count();
        let answer = there.browser(protocol).scripted().send("GET", PAGE, &[("cookie", &cookies)], b"");
        assert_eq!((answer.status, answer.reason().as_deref()), (401, Some("auth.required")));
        assert_eq!(target.count(), count);
    });
}

#[test]
fn s_03_a_pending_login_is_not_a_session() {
    let scenario = scenario();
    on_both(|protocol| {
        let mut browser = scenario.proxy.browser(protocol);
        assert_eq!(browser.get(PAGE).status, 302);
        let name = browser.cookie_names(HOST).pop().expect("a pending login");
        let value = browser.cookie(HOST, &name).expect("a value");
        let sealed = value.split_once('.').expect("an age").1;
        for value in [value.clone(), sealed.to_owned(), format!("1{sealed}")] {
            scenario.session_refused("a pending login", protocol, &field([("0", value.as_str())]));
        }
        // Nor is a session a pending login.
        let session = scenario.signed_in(protocol);
        let value = format!("1.{}", &shards(&session)[0][1..]);
        let mut browser = scenario.proxy.browser(protocol);
        browser.set_cookie(HOST, &name, &value);
        let answer = browser.get("https://app.test/oauth2/idpresponse?code=x&state=y");
        assert_eq!(answer.reason().as_deref(), Some("auth.state_mismatch"));
    });
}

#[test]
fn s_07_a_session_that_was_signed_out_does_not_open_again() {
    let scenario = scenario();
    on_both(|protocol| {
        let mut browser = scenario.signed_in(protocol);
        let kept = browser.cookie_header(HOST);
        // Both workers have it open.
        (0..8).for_each(|_| scenario.good(protocol, &kept));
        browser.get("https://app.test/oauth2/sign_out");
        assert_eq!(browser.cookie_names(HOST), [""; 0]);
        let count = scenario.target.count();
        for _ in 0..8 {
            let answer = scenario.ask(protocol, &kept);
            assert_eq!((answer.status, answer.reason().as_deref()), (401, Some("auth.session_expired")));
            let page = browser.send("GET", PAGE, &[("cookie", &kept)], b"");
            assert_eq!(page.status, 302, "a person signs in again");
        }
        assert_eq!(browser.send("GET", "https://app.test/oauth2/userinfo", &[("cookie", &kept)], b"").status, 401);
        assert_eq!(scenario.target.count(), count);
    });
}

#[test]
fn s_08_a_session_ends_when_it_was_said_to() {
    let scenario = scenario();
    on_both(|protocol| {
        let cookies = scenario.signed_in(protocol).cookie_header(HOST);
        scenario.proxy.clock.rewind(Duration::from_secs(3600));
        scenario.good(protocol, &cookies);
        scenario.proxy.clock.advance(Duration::from_secs(3600) + TIMEOUT - Duration::from_millis(1));
        scenario.good(protocol, &cookies);
        scenario.proxy.clock.advance(Duration::from_millis(1));
        let count = scenario.target.count();
        // Asked often enough for each worker, which has it open.
        for _ in 0..8 {
            let answer = scenario.ask(protocol, &cookies);
            assert_eq!((answer.status, answer.reason().as_deref()), (401, Some("auth.session_expired")));
        }
        scenario.proxy.clock.advance(Duration::from_secs(365 * 24 * 3600));
        assert_eq!(scenario.ask(protocol, &cookies).reason().as_deref(), Some("auth.session_expired"));
        assert_eq!(scenario.target.count(), count);
    });
}

#[test]
fn s_09_a_login_over_a_session_makes_a_new_one() {
    let scenario = scenario();
    on_both(|protocol| {
        // The attacker's session is in the victim's browser before the login; both are Alice's, for the sake of argument.
        let planted = scenario.signed_in(protocol);
        let mut victim = scenario.proxy.browser(protocol);
        let sent = victim.get(PAGE);
        victim.set_cookie(HOST, &format!("{BASE}-0"), &shards(&planted)[0]);
        let back = victim.get(&scenario.provider.callback_of(sent.location()));
        assert_eq!((back.status, back.new_session().len()), (302, 1), "on the wire, with the head");
        assert_ne!(shards(&victim), shards(&planted));
        // They are two sessions: the end of one is not that of the other.
        victim.get("https://app.test/oauth2/sign_out");
        scenario.good(protocol, &planted.cookie_header(HOST));
    });
}

#[test]
fn s_10_of_two_cookies_with_one_name_none_is_chosen() {
    let scenario = scenario();
    on_both(|protocol| {
        let (one, two) = (scenario.signed_in(protocol), scenario.signed_in(protocol));
        let (one, two) = (shards(&one).remove(0), shards(&two).remove(0));
        for (first, second) in [(&one, &two), (&two, &one), (&one, &one), (&one, &"evil".to_owned())] {
            for (first, second) in [(first, second), (second, first)] {
                scenario.session_refused("two", protocol, &field([("0", first.as_str()), ("0", second.as_str())]));
            }
        }
        // In two fields, as HTTP/2 sends them, too.
        let [first, second] = [&one, &two].map(|value| field([("0", value.as_str())]));
        let count = scenario.target.count();
        let answer = scenario.proxy.browser(protocol).scripted().send(
            "GET",
            PAGE,
            &[("cookie", &first), ("cookie", &second)],
            b"",
        );
        assert_eq!((answer.status, answer.reason().as_deref()), (401, Some("auth.session_invalid")));
        assert_eq!(scenario.target.count(), count);
        // Names that only look like it are other cookies: the browser lets anyone set those without the prefix.
        let beside = format!("__host-vestibule-0={two}; vestibule-0={two}; {first}; __Host-vestibule={two}");
        scenario.good(protocol, &beside);
    });
}

#[test]
fn s_11_cookies_are_set_and_deleted_with_the_same_attributes() {
    let scenario = scenario();
    on_both(|protocol| {
        let mut browser = scenario.proxy.browser(protocol);
        let sent = browser.get(PAGE);
        let redacted = |answer: &Answer| -> Vec<String> {
            let redact = |line: &&str| {
                let (pair, attributes) = line.split_once("; ").expect("attributes");
                let (name, value) = pair.split_once('=').expect("a pair");
                let name = match name.rsplit_once("-login-") {
                    Some((base, _)) => format!("{base}-login-[state]"),
                    None => name.to_owned(),
                };
                format!("{name}={}; {attributes}", if value.is_empty() { "" } else { "[sealed]" })
            };
            answer.set_cookies().iter().map(redact).collect()
        };
        let attributes = "HttpOnly; SameSite=Lax; Secure; Path=/";
        assert_eq!(redacted(&sent), [format!("{BASE}-login-[state]=[sealed]; {attributes}; Max-Age=7200")]);
        let back = browser.get(&scenario.provider.callback_of(sent.location()));
        // Eight hours, a week in which a browser is told that they are over, and a second.
        assert_eq!(
            redacted(&back),
            [
                format!("{BASE}-login-[state]=; {attributes}; Max-Age=0"),
                format!("{BASE}-0=[sealed]; {attributes}; Max-Age=633601"),
                format!("{BASE}-1=; {attributes}; Max-Age=0"),
                format!("{BASE}-2=; {attributes}; Max-Age=0"),
                format!("{BASE}-3=; {attributes}; Max-Age=0"),
                format!("{BASE}-login-[state]=[sealed]; {attributes}; Max-Age=60"),
            ]
        );
        let out = browser.get("https://app.test/oauth2/sign_out");
        let shards = (0..4).map(|number| format!("{BASE}-{number}=; {attributes}; Max-Age=0"));
        let number_of_logins = format!("{BASE}-login-[state]=; {attributes}; Max-Age=0");
        assert_eq!(redacted(&out), shards.chain([number_of_logins]).collect::<Vec<_>>());
    });
}

#[test]
fn s_11_shards_that_a_smaller_session_does_not_need_are_deleted() {
    let scenario = scenario();
    on_both(|protocol| {
        let mut browser = scenario.proxy.browser(protocol);
        let (one, two) = (browser.get(PAGE), browser.get(PAGE));
        scenario.say_large(13_000);
        assert_eq!(browser.get(&scenario.provider.callback_of(one.location())).new_session().len(), 4);
        assert_eq!(browser.get(PAGE).status, 200, "four shards are a session");
        scenario.provider.say(|script| script.userinfo = Some(json!({"sub": "alice"})));
        browser.get(&scenario.provider.callback_of(two.location()));
        assert_eq!(browser.cookie_names(HOST), [format!("{BASE}-0")]);
        assert_eq!(browser.get(PAGE).status, 200);
    });
}

#[test]
fn s_12_a_session_that_does_not_fit_into_four_cookies_is_not_begun() {
    let scenario = scenario();
    on_both(|protocol| {
        for length in [17_000, 60_000, 300_000] {
            scenario.say_large(length);
            let mut browser = scenario.proxy.browser(protocol);
            let answer = scenario.provider.try_sign_in(&mut browser, PAGE);
            assert_eq!((answer.status, answer.reason().as_deref()), (500, Some("auth.claims_too_large")), "{length}");
            assert_eq!(answer.new_session(), [""; 0]);
            assert_eq!(browser.cookie_names(HOST), [""; 0], "the attempt is over");
        }
    });
    assert_eq!(scenario.target.count(), 0);
}

#[test]
fn s_12_every_shard_fits_into_what_a_browser_keeps() {
    let scenario = scenario();
    for length in [2000, 2800, 6000, 7000, 10_000, 13_000, 14_000] {
        scenario.say_large(length);
        let mut browser = scenario.proxy.browser(Protocol::Http2);
        let answer = scenario.provider.try_sign_in(&mut browser, PAGE);
        assert_eq!(answer.status, 302, "{length}");
        for line in answer.set_cookies() {
            assert!(line.len() <= 4096, "{} bytes", line.len());
        }
        assert_eq!(browser.get(PAGE).status, 200, "{length}");
    }
}

#[test]
fn s_12_many_other_cookies_do_no_harm() {
    let scenario = scenario();
    on_both(|protocol| {
        let session = scenario.signed_in(protocol).cookie_header(HOST);
        let others: String = (0..50).map(|number| format!("c{number}={number}; ")).collect();
        scenario.good(protocol, &format!("{others}{session}"));
        scenario.good(protocol, &format!("{session}; {others}"));
        assert_eq!(scenario.target.last().header("cookie").map(|field| field.matches("c").count()), Some(50));
    });
}

fn keys(files: &[(&str, u8)]) -> PathBuf {
    let folder = folder();
    for (name, seed) in files {
        let key: String = (0..32_u8).map(|at| format!("{:02x}", seed.wrapping_add(at.wrapping_mul(37)))).collect();
        std::fs::write(folder.join(name), key).expect("written");
    }
    folder
}

fn rest(key_files: &str) -> String {
    format!("claims: {{ signer: 'arn:x', signing_key_file: claims-key.pem }}\nsession: {{ key_files: {key_files} }}\n")
}

#[test]
fn s_15_a_key_opens_until_it_is_retired_and_only_the_first_seals() {
    let (provider, target) = (Provider::start(), target::echo());
    let start = |files: &str| {
        let yaml = Setup::new(&provider, &target).rest(&rest(files)).yaml();
        Proxy::start_in(keys(&[("old", 1), ("new", 2)]), &yaml, START)
    };
    let asked = |proxy: &Proxy, cookies: &str| {
        let answer = proxy.browser(Protocol::Http2).scripted().send("GET", PAGE, &[("cookie", cookies)], b"");
        (answer.status, answer.reason())
    };
    let (before, during, after) = (start("[old]"), start("[new, old]"), start("[new]"));
    let old = before.signed_in(Protocol::Http2, &provider).cookie_header(HOST);
    let new = during.signed_in(Protocol::Http2, &provider).cookie_header(HOST);
    let count = target.count();
    let invalid = (401, Some("auth.session_invalid".to_owned()));
    assert_eq!(asked(&during, &old).0, 200, "overlap");
    assert_eq!(asked(&during, &new).0, 200);
    assert_eq!(asked(&after, &new).0, 200, "the first key had sealed");
    assert_eq!(target.count(), count + 3);
    assert_eq!(asked(&after, &old), invalid, "retired");
    assert_eq!(asked(&before, &new), invalid, "an old list of keys does not open what is newer");
    assert_eq!(target.count(), count + 3);
    // Two keys under one name at two deployments are two keys.
    let elsewhere =
        Proxy::start_in(keys(&[("old", 3)]), &Setup::new(&provider, &target).rest(&rest("[old]")).yaml(), START);
    assert_eq!(asked(&elsewhere, &old), invalid);
}

#[test]
fn s_15_a_login_that_was_begun_before_a_rotation_is_finished_after_it() {
    let (provider, target) = (Provider::start(), target::echo());
    let start = |files: &str| {
        let yaml = Setup::new(&provider, &target).rest(&rest(files)).yaml();
        Proxy::start_in(keys(&[("old", 1), ("new", 2)]), &yaml, START)
    };
    let (before, during) = (start("[old]"), start("[new, old]"));
    let mut browser = before.browser(Protocol::Http2);
    let callback = provider.callback_of(browser.get(PAGE).location());
    let mut later = during.browser(Protocol::Http2);
    for name in browser.cookie_names(HOST) {
        later.set_cookie(HOST, &name, &browser.cookie(HOST, &name).expect("a value"));
    }
    assert_eq!(later.get(&callback).location(), "/reports");
    assert_eq!(later.get(PAGE).status, 200);
}
