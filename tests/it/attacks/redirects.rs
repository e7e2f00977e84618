//! R: sending the user somewhere else. There is no parameter that says where a login or a sign-out ends, so every value is
//! tried as the address that is asked for, and as each parameter and header that other gateways have for it.

use url::Url;

use super::Fixture;
use crate::harness::browser::{Answer, Browser, Protocol, on_both};
use crate::harness::raw;

/// in the catalogue's order.
const VALUES: [&str; 56] = [
    "/\\evil.test",
    "\\evil.test",
    "/\\/evil.test",
    "\\/\\/evil.test",
    "/%5cevil.test",
    "/%09/evil.test",
    "/\t/evil.test",
    "/%0a/evil.test",
    "/%0d%0aLocation:%20https://evil.test",
    "/ /evil.test",
    "/%0b\\evil.test",
    "/%00/evil.test",
    "//evil.test",
    "///evil.test",
    "////evil.test/%2e%2e",
    "/./\\evil.test",
    "/./../../\\evil.test",
    "https:evil.test",
    "https:/evil.test",
    "http:///evil.test",
    "https://evil.test",
    "https://evil.test/",
    "https://app.test@evil.test/",
    "https://app.test:443@evil.test",
    "https://evil.test#app.test",
    "https://evil.test?app.test",
    "https://evil.test\\@app.test",
    "https://app.test%2f.evil.test",
    "https://app.test%00.evil.test",
    "https://badapp.test/",
    "https://app.test.evil.test/",
    "https://app.test:8443/",
    "http://app.test/",
    "javascript:alert(1)",
    "jAvAsCrIpT:alert(1)",
    "data:text/html,<script>alert(1)</script>",
    "%19Javascript:alert(1)",
    "vbscript:x",
    "blob:https://evil.test/x",
    "file:///etc/passwd",
    "intent://evil.test",
    "//;@evil.test",
    "/.evil.test",
    "/..//evil.test",
    "/%2e%2e//evil.test",
    "/%2f/evil.test",
    "/%2f%2fevil.test",
    "//evil%E3%80%82test",
    "https://app\u{3002}test/",
    "https:\u{ff0f}\u{ff0f}evil.test",
    "https://\u{ff41}pp.test",
    "/\u{ff0f}evil.test",
    "/\u{2028}/evil.test",
    "@evil.test",
    ".evil.test",
    ":443@evil.test",
];

/// Where a browser on `https://app.test/x` goes.
#[track_caller]
fn goes_to(answer: &Answer) -> Url {
    let location = answer.headers.get("location").unwrap_or_else(|| panic!("a redirect: {answer:?}"));
    let location = std::str::from_utf8(location.as_bytes()).expect("UTF-8");
    Url::parse("https://app.test/x").expect("a URL").join(location).unwrap_or_else(|_| panic!("a URL: {location:?}"))
}

/// Signs in from where `sent` leads, and answers where the login ends: on this origin, whatever was asked for.
#[track_caller]
fn ends_here(fixture: &Fixture, browser: &mut Browser, sent: &Answer, value: &str) -> Url {
    let to_provider = goes_to(sent);
    assert_eq!(
        to_provider.as_str().split('?').next(),
        Some(&*format!("{}/authorize", fixture.provider.issuer())),
        "{value}"
    );
    let callback = fixture.provider.callback_of(to_provider.as_str());
    assert!(callback.starts_with("https://app.test/oauth2/idpresponse?"), "{value}: {callback}");
    let back = browser.get(&callback);
    assert_eq!(back.status, 302, "{value}");
    let end = goes_to(&back);
    assert_eq!(end.origin().ascii_serialization(), "https://app.test", "{value} ended at {end}");
    end
}

#[track_caller]
fn check_paths(protocol: Protocol, address: impl Fn(&str) -> String) {
    let fixture = Fixture::start();
    let mut logins = 0;
    for value in VALUES {
        let path = address(value);
        let mut browser = fixture.browser(protocol);
        // What a client library will not write, the raw bytes below do.
        let Ok(sent) = browser.try_send("GET", &format!("https://app.test{path}"), &[], b"") else { continue };
        if sent.status == 302 {
            ends_here(&fixture, &mut browser, &sent, value);
            logins += 1;
        } else {
            assert_eq!(sent.status, 400, "{path:?}");
            assert!(sent.header("location").is_none(), "{path:?}");
        }
    }
    assert!(logins > 5, "some are ordinary paths");
}

#[test]
fn r_01_to_r_17_an_address_that_was_asked_for_is_on_this_origin_after_the_login() {
    let as_path = |value: &str| if value.starts_with('/') { value.to_owned() } else { format!("/{value}") };
    for protocol in [Protocol::Http1, Protocol::Http2] {
        check_paths(protocol, as_path);
    }
}

#[test]
fn r_01_to_r_17_raw_bytes_lead_to_the_provider_or_nowhere() {
    let fixture = Fixture::start();
    let provider = format!("{}/authorize?", fixture.provider.issuer());
    for value in VALUES {
        for target in [value.to_owned(), format!("/{value}"), format!("/x?rd={value}")] {
            let lines = "host: app.test\r\naccept: text/html\r\nconnection: close\r\n\r\n";
            let answer = fixture.untouched(&target, || fixture.bytes(format!("GET {target} HTTP/1.1\r\n{lines}")));
            let locations: Vec<_> = answer.lines().filter_map(|line| line.strip_prefix("location: ")).collect();
            match raw::status(&answer) {
                302 => assert!(locations.len() == 1 && locations[0].starts_with(&provider), "{target:?}: {answer}"),
                status => assert!(status == 400 && locations.is_empty(), "{target:?}: {answer}"),
            }
        }
    }
}

#[test]
fn r_01_to_r_17_parameters_of_other_gateways_choose_nothing() {
    let fixture = Fixture::start();
    for (turn, value) in VALUES.into_iter().enumerate() {
        let protocol = if turn % 2 == 0 { Protocol::Http1 } else { Protocol::Http2 };
        let encoded: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
        for path in ["/oauth2/start", "/oauth2/login", "/x"] {
            let mut browser = fixture.browser(protocol);
            let query = format!("rd={encoded}&redirect={encoded}&next={encoded}&return_to={encoded}");
            let sent = browser.get(&format!("https://app.test{path}?{query}"));
            let end = ends_here(&fixture, &mut browser, &sent, value);
            assert_eq!((end.path(), end.query()), (path, Some(&*query)), "the address that was asked for");
        }
    }
}

#[test]
fn r_01_to_r_17_headers_of_other_gateways_choose_nothing() {
    let fixture = Fixture::start();
    on_both(|protocol| {
        for value in VALUES {
            let names = ["x-auth-request-redirect", "x-forwarded-uri", "x-original-url", "referer"];
            let headers: Vec<_> = names.iter().map(|name| (*name, value)).collect();
            let mut browser = fixture.browser(protocol);
            let Ok(sent) = browser.try_send("GET", "https://app.test/x", &headers, b"") else { continue };
            assert_eq!(ends_here(&fixture, &mut browser, &sent, value).as_str(), "https://app.test/x", "{value}");
        }
    });
}

#[test]
fn r_18_no_parameter_says_where_a_sign_out_ends() {
    let fixture = Fixture::start();
    let end_session = format!("{}/end-session", fixture.provider.issuer());
    for (turn, value) in VALUES.into_iter().enumerate() {
        let protocol = if turn % 2 == 0 { Protocol::Http1 } else { Protocol::Http2 };
        let mut browser = fixture.signed_in(protocol);
        let encoded: String = url::form_urlencoded::byte_serialize(value.as_bytes()).collect();
        let query = format!("rd={encoded}&post_logout_redirect_uri={encoded}&redirect={encoded}&logout_uri={encoded}");
        let answer = browser.get(&format!("https://app.test/oauth2/sign_out?{query}"));
        let to = goes_to(&answer);
        assert_eq!(to.as_str().split('?').next(), Some(&*end_session), "{value}");
        let back: Vec<_> = to.query_pairs().filter(|(name, _)| name == "post_logout_redirect_uri").collect();
        assert_eq!(back.len(), 1, "{to}");
        assert_eq!(back[0].1, "https://app.test/oauth2/sign_out", "{value}");
        assert!(browser.cookie_names("app.test").is_empty());
        let landed = browser.get(&format!("https://app.test/oauth2/sign_out?{query}&state=signed-out"));
        assert_eq!((landed.status, landed.header("location")), (200, None), "{value}");
        assert!(!landed.text().contains("evil.test"), "{value}");
    }
}

#[test]
fn r_19_nobody_else_starts_a_login_here() {
    let fixture = Fixture::start();
    let provider = fixture.provider.issuer();
    on_both(|protocol| {
        for issuer in [provider.as_str(), "", "https://attacker-idp.test"] {
            let mut browser = fixture.browser(protocol);
            let path = format!("/oauth2/initiate?iss={issuer}&target_link_uri=https://evil.test&login_hint=x");
            let sent = browser.get(&format!("https://app.test{path}"));
            assert!(!sent.location().contains("evil.test") && !sent.location().contains("login_hint"), "{issuer}");
            let end = ends_here(&fixture, &mut browser, &sent, issuer);
            assert_eq!(end.as_str(), format!("https://app.test{path}"));
        }
    });
}

#[test]
fn r_20_no_address_carries_a_token_or_a_session() {
    let fixture = Fixture::start();
    fixture.provider.say(|script| script.token_response = serde_json::json!({"refresh_token": "the-refresh-token"}));
    on_both(|protocol| {
        let mut browser = fixture.browser(protocol);
        let sent = browser.get("https://app.test/x");
        let pending = browser.cookie_header("app.test");
        let back = browser.get(&fixture.provider.callback_of(sent.location()));
        let session = browser.cookie("app.test", "__Host-vestibule-0").expect("a session");
        browser.get("https://app.test/x");
        let access_token = fixture.target.last().header("x-amzn-oidc-accesstoken").expect("a token").to_owned();
        let data = fixture.target.last().header("x-amzn-oidc-data").expect("claims").to_owned();
        let out = browser.get("https://app.test/oauth2/sign_out");
        let pending = pending.split_once('=').expect("a cookie").1;
        for answer in [&sent, &back, &out] {
            for secret in [&*session, pending, &access_token, &data, "the-refresh-token"] {
                assert!(!answer.location().contains(secret), "{}", answer.location());
            }
        }
        // The ID token goes to the provider that made it, when the session ends there, and nowhere else.
        assert!(!sent.location().contains("id_token") && back.location() == "/x");
        assert!(out.location().starts_with(&format!("{}/end-session?", fixture.provider.issuer())));
    });
}

#[test]
fn r_21_a_long_address_is_kept_and_one_that_is_too_long_begins_no_login() {
    let fixture = Fixture::start();
    on_both(|protocol| {
        for length in [1000, 3000, 30_000, 60_000] {
            let path = format!("/x?rd={}", "a".repeat(length));
            let mut browser = fixture.browser(protocol);
            let sent = browser.get(&format!("https://app.test{path}"));
            let back = browser.get(&fixture.provider.callback_of(sent.location()));
            assert_eq!(back.location(), path, "{length}");
        }
        let huge = format!("https://app.test/x?rd={}", "a".repeat(100 * 1024));
        let answer = fixture.untouched("100 KB", || fixture.browser(protocol).try_send("GET", &huge, &[], b""));
        assert!(answer.is_err() || answer.is_ok_and(|answer| (400..500).contains(&answer.status)));
    });
}

#[test]
fn r_21_a_login_never_returns_to_a_path_of_its_own() {
    let fixture = Fixture::start();
    on_both(|protocol| {
        for path in ["/oauth2/idpresponse", "/oauth2/sign_out", "/oauth2/userinfo"] {
            let answer = fixture.untouched(path, || fixture.browser(protocol).get(&format!("https://app.test{path}")));
            assert_eq!(answer.header("location"), None, "{path}");
        }
        for query in
            ["rd=/a&rd=https://evil.test", "rd[]=https://evil.test", "rd=/oauth2/sign_out", "rd=/oauth2/idpresponse"]
        {
            let mut browser = fixture.browser(protocol);
            let sent = browser.get(&format!("https://app.test/x?{query}"));
            let back = browser.get(&fixture.provider.callback_of(sent.location()));
            assert_eq!(back.location(), format!("/x?{query}"));
        }
    });
}

#[test]
fn r_22_an_address_survives_the_login_byte_for_byte() {
    let fixture = Fixture::start();
    on_both(|protocol| {
        for path in [
            "/?next=https://docs.microsoft.com/en-us/x?view=y&z=1",
            "/a/b.html?wa=wsignin1.0&wtrealm=https%3a%2f%2fapp%2f&wctx=rm%3d0%26id%3d%20",
            "/x?a=%2F%5C&b=+&c=%E2%82%AC&d=a%3Db",
            "/search?q=//&q=\\",
            "/caf%C3%A9/%20?",
            "/x?",
        ] {
            let mut browser = fixture.browser(protocol);
            let sent = browser.get(&format!("https://app.test{path}"));
            let back = browser.get(&fixture.provider.callback_of(sent.location()));
            assert_eq!(back.location(), path);
        }
    });
}

#[test]
fn r_the_redirect_to_https_stays_on_the_host_that_was_asked() {
    let fixture = Fixture::start();
    let address = fixture.proxy.address_of("plain");
    for value in VALUES {
        let path = if value.starts_with('/') { value.to_owned() } else { format!("/{value}") };
        let mut browser = fixture.browser(Protocol::Http1).with_host("app.test", address);
        let Ok(answer) = browser.try_send("GET", &format!("http://app.test{path}"), &[], b"") else { continue };
        if answer.status == 301 {
            assert_eq!(goes_to(&answer).origin().ascii_serialization(), "https://app.test", "{path}");
        } else {
            assert_eq!((answer.status, answer.header("location")), (400, None), "{path}");
        }
    }
}
