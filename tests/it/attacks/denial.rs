//! D: making one client cost more than it should. What costs little to try; floods are for another place.

use std::io::Read as _;
use std::net::TcpStream;
use std::time::Duration;

use super::Fixture;
use crate::harness::app::wait_until;
use crate::harness::browser::{Protocol, on_both};
use crate::harness::raw::{self, Raw};

#[test]
fn d_07_a_flood_of_cookies_is_nobody_or_refused() {
    let fixture = Fixture::start();
    let numbered = |count: usize| (0..count).map(|number| format!("c{number}=x")).collect::<Vec<_>>().join("; ");
    let shards = (0..900).map(|number| format!("__Host-vestibule-{number}=1")).collect::<Vec<_>>().join("; ");
    let pending = (0..900).map(|number| format!("__Host-vestibule-login-{number}=1")).collect::<Vec<_>>().join("; ");
    on_both(|protocol| {
        for cookies in [
            &";".repeat(48 * 1024),
            &"=;".repeat(20 * 1024),
            &numbered(5000),
            &shards,
            &pending,
            &" ;".repeat(20_000),
            "=",
        ] {
            let headers = [("cookie", cookies)];
            let what = &cookies[..cookies.len().min(40)];
            let send =
                |path: &str| fixture.browser(protocol).send("GET", &format!("https://app.test{path}"), &headers, b"");
            let denied = fixture.untouched(what, || send("/api/x"));
            assert!([401, 431].contains(&denied.status), "{what}: {}", denied.status);
            let challenged = fixture.untouched(what, || send("/"));
            assert!([302, 431].contains(&challenged.status), "{what}: {}", challenged.status);
            assert!(challenged.set_cookies().len() < 50, "{what}: {} lines", challenged.set_cookies().len());
        }
        let huge = ";".repeat(80 * 1024);
        let send = || fixture.browser(protocol).try_send("GET", "https://app.test/public/x", &[("cookie", &huge)], b"");
        let answer = fixture.untouched("80 KB of cookies", send);
        assert!(answer.is_err() || answer.is_ok_and(|answer| answer.status == 431));
    });
    let mut browser = fixture.signed_in(Protocol::Http1);
    let cookies = format!("{}; {}", browser.cookie_header("app.test"), numbered(2000));
    let answer = browser.send("GET", "https://app.test/api/x", &[("cookie", &cookies)], b"");
    assert_eq!(answer.status, 200, "others' cookies do not hide the session");
}

#[test]
fn d_08_a_session_that_says_it_has_a_million_parts_is_none() {
    let fixture = Fixture::start();
    on_both(|protocol| {
        for cookie in [
            "__Host-vestibule-0=99999999",
            "__Host-vestibule-0=9AAAA",
            "__Host-vestibule_chunks=99999999; __Host-vestibule-0=4A",
            "__Host-vestibule-99999999=1A",
            "__Host-vestibule-0=1A; __Host-vestibule-18446744073709551616=A",
        ] {
            let headers = [("cookie", cookie)];
            let send = || fixture.browser(protocol).send("GET", "https://app.test/api/x", &headers, b"");
            let answer = fixture.untouched(cookie, send);
            assert_eq!((answer.status, answer.reason().as_deref()), (401, Some("auth.session_invalid")), "{cookie}");
        }
    });
}

#[test]
fn d_11_an_upload_of_nobody_is_answered_before_it_comes() {
    let fixture = Fixture::start();
    for (path, status) in
        [("/api/x", 401), ("/", 401), ("/oauth2/idpresponse", 400), ("/oauth2/userinfo", 405), ("/healthz", 200)]
    {
        for length in ["Content-Length: 10737418240", "Transfer-Encoding: chunked"] {
            let mut raw = Raw::connect(fixture.proxy.address(), "app.test");
            // Not one byte of the body is ever sent.
            raw.send(format!("POST {path} HTTP/1.1\r\nHost: app.test\r\n{length}\r\n\r\n"));
            assert_eq!(raw::status(&raw.read_response().0), status, "{path} {length}");
        }
    }
    assert_eq!(fixture.target.connections(), 0);
}

#[test]
fn d_13_a_post_without_a_content_type_is_an_answer_like_any_other() {
    let fixture = Fixture::start();
    on_both(|protocol| {
        for path in ["/oauth2/idpresponse", "/oauth2/sign_out", "/oauth2/userinfo", "/api/x", "/"] {
            for body in [&b""[..], b"state=x&code=y", b"\0\xff"] {
                let send = || fixture.browser(protocol).send("POST", &format!("https://app.test{path}"), &[], body);
                let answer = fixture.untouched(path, send);
                assert!(answer.status < 500, "{path}: {}", answer.status);
            }
        }
    });
}

/// Limits that a test can wait for.
const SHORT: &str = "    limits: { handshake_timeout: 300ms, head_timeout: 300ms }";

#[test]
fn d_15_a_head_that_does_not_end_is_cut_off() {
    let fixture = Fixture::with(|setup| setup.listener(SHORT));
    for start in ["G", "GET /public/x HTTP/1.1\r\n", "GET /public/x HTTP/1.1\r\nHost: app.test\r\nX-Slow: "] {
        let mut raw = Raw::connect(fixture.proxy.address(), "app.test");
        raw.send(start);
        // Reading fails the test where the proxy waits longer than the harness's deadline, which is below every default.
        assert!(!raw.read_to_end().contains("200 OK"), "{start:?}");
    }
    assert_eq!(fixture.target.count(), 0);
    // A whole head on a connection that stays open is not slow.
    let mut raw = Raw::connect(fixture.proxy.address(), "app.test");
    raw.send("GET /public/x HTTP/1.1\r\nHost: app.test\r\n\r\n");
    assert_eq!(raw::status(&raw.read_response().0), 200);
}

#[test]
fn d_15_one_byte_at_a_time_is_cut_off_too() {
    let fixture = Fixture::with(|setup| setup.listener(SHORT));
    let mut raw = Raw::connect(fixture.proxy.address(), "app.test");
    raw.send("GET /public/x HTTP/1.1\r\nHost: app.test\r\nX-Slow: ");
    wait_until("the connection is closed, however often a byte comes", || (!raw.try_send("a")).then_some(()));
    assert_eq!(fixture.target.count(), 0);
}

#[test]
fn d_15_a_handshake_that_does_not_begin_is_cut_off() {
    let fixture = Fixture::with(|setup| setup.listener(SHORT));
    let mut stream = TcpStream::connect(fixture.proxy.address()).expect("the proxy accepts");
    stream.set_read_timeout(Some(Duration::from_secs(8))).expect("a timeout");
    let read = stream.read(&mut [0; 1]);
    assert!(matches!(read, Ok(0)), "closed before the default of ten seconds: {read:?}");
}

#[test]
fn d_17_what_is_no_navigation_gets_no_cookie() {
    let fixture = Fixture::start();
    on_both(|protocol| {
        let mut page = fixture.browser(protocol);
        let scripted = fixture.browser(protocol).scripted();
        let image = [("sec-fetch-mode", "no-cors"), ("sec-fetch-dest", "image"), ("accept", "image/avif,*/*")];
        let frame = [("sec-fetch-mode", "navigate"), ("sec-fetch-dest", "iframe")];
        let prefetch = [("sec-purpose", "prefetch")];
        let ajax = [("x-requested-with", "XMLHttpRequest"), ("sec-fetch-mode", "cors"), ("sec-fetch-dest", "empty")];
        for headers in [&image[..], &frame, &prefetch, &ajax] {
            let answer = fixture.untouched("no navigation", || page.send("GET", "https://app.test/x", headers, b""));
            assert_eq!((answer.status, answer.set_cookies()), (401, vec![]), "{headers:?}");
        }
        for _ in 0..20 {
            let answer = fixture.untouched("poll", || scripted.clone().get("https://app.test/x"));
            assert_eq!((answer.status, answer.set_cookies()), (401, vec![]));
            assert_eq!(answer.json()["error"], "auth.required");
        }
        assert!(page.cookie_names("app.test").is_empty());
    });
}

#[test]
fn d_17_a_browser_has_a_bounded_number_of_logins_on_their_way() {
    let fixture = Fixture::start();
    on_both(|protocol| {
        let mut browser = fixture.browser(protocol);
        for second in 0..20 {
            fixture.proxy.clock.advance(Duration::from_secs(1));
            assert_eq!(browser.get(&format!("https://app.test/{second}")).status, 302);
            assert!(browser.cookie_names("app.test").len() <= 6, "{:?}", browser.cookie_names("app.test"));
        }
        // The last of them still works.
        let page = fixture.provider.sign_in(&mut browser, "https://app.test/last");
        assert_eq!(page.status, 200);
    });
}

#[test]
fn d_19_a_pattern_is_matched_in_linear_time() {
    let pattern = format!("/{}b", "*a".repeat(60));
    let rules = format!(
        "
      - name: slow
        priority: 1
        conditions: [{{ path_pattern: [\"{pattern}\"] }}]
        actions: [{{ type: forward, target_group: app }}]"
    );
    let fixture = Fixture::with(|setup| setup.rules(&rules));
    on_both(|protocol| {
        // The harness's deadline is far from what this takes, and near to nothing of what backtracking would.
        let get = || fixture.browser(protocol).get(&format!("https://app.test/{}", "a".repeat(8000)));
        assert_eq!(fixture.untouched("many wildcards", get).status, 302);
    });
}
