//! pages of other sites that want to read our answers, or to come in by a preflight.

use super::Fixture;
use crate::harness::app::ATTACK_RULES;
use crate::harness::browser::on_both;
use crate::harness::server::Reply;

const LISTENER: &str =
    "    cors: { allow_origins: ['https://spa.test'], allow_credentials: true, allow_methods: [GET, DELETE] }";

const PATHS: [&str; 6] = ["/admin/", "/api/x", "/opt/x", "/public/x", "/healthz", "/x"];

/// Origins that are nearly the allowed one.
const ORIGINS: [&str; 7] = [
    "https://evil.test",
    "https://spa.test.evil.test",
    "https://evilspa.test",
    "http://spa.test",
    "https://spa.test:8443",
    "https://spa.test/",
    "null",
];

#[test]
fn x_10_another_origin_may_read_no_answer() {
    let fixture = Fixture::with(|setup| setup.listener(LISTENER));
    let own = [("access-control-allow-origin", "*"), ("access-control-allow-credentials", "true")];
    fixture.target.script(move |_| Reply::new("200 OK", &own, ""));
    on_both(|protocol| {
        for (path, origin) in PATHS.iter().flat_map(|path| ORIGINS.map(|origin| (path, origin))) {
            for method in ["GET", "POST", "OPTIONS"] {
                let fields = [("origin", origin), ("access-control-request-method", "DELETE")];
                let url = format!("https://app.test{path}");
                for mut browser in [fixture.browser(protocol), fixture.browser(protocol).scripted()] {
                    let answer = browser.send(method, &url, &fields, b"");
                    let told = answer.headers.keys().find(|name| name.as_str().starts_with("access-control-"));
                    assert_eq!(told, None, "{method} {path} {origin}: {answer:?}");
                    assert_eq!(answer.header("vary"), Some("Origin"), "{method} {path} {origin}");
                }
            }
        }
    });
}

#[test]
fn x_10_a_preflight_is_no_way_around_the_gates() {
    let fixture = Fixture::with(|setup| setup.listener(LISTENER));
    on_both(|protocol| {
        for path in ["/admin/", "/api/x", "/x"] {
            let url = format!("https://app.test{path}");
            let incomplete: [&[(&str, &str)]; 3] =
                [&[], &[("origin", "https://spa.test")], &[("access-control-request-method", "DELETE")]];
            for fields in incomplete {
                let send = || fixture.browser(protocol).send("OPTIONS", &url, fields, b"");
                assert_eq!(fixture.untouched(path, send).status, 401, "{path} {fields:?}");
            }
            let preflight = [("origin", "https://spa.test"), ("access-control-request-method", "DELETE")];
            let send = || fixture.browser(protocol).send("OPTIONS", &url, &preflight, b"a body");
            assert_eq!(fixture.untouched(path, send).status, 204, "{path}");
            for method in ["GET", "DELETE", "HEAD"] {
                let send = || fixture.browser(protocol).scripted().send(method, &url, &preflight, b"");
                assert_eq!(fixture.untouched(path, send).status, 401, "{method} {path}");
            }
        }
        let ours = [("origin", "https://spa.test"), ("access-control-request-method", "GET")];
        let userinfo = fixture.browser(protocol).send("OPTIONS", "https://app.test/oauth2/userinfo", &ours, b"");
        assert_eq!(userinfo.header("access-control-allow-origin"), None, "no rule, no policy");
    });
}

#[test]
fn x_10_without_a_policy_a_preflight_is_refused_and_never_redirected() {
    let fixture = Fixture::with(|setup| setup.rules(ATTACK_RULES));
    on_both(|protocol| {
        for path in ["/admin/", "/api/x", "/x"] {
            let preflight = [("origin", "https://spa.test"), ("access-control-request-method", "DELETE")];
            let url = format!("https://app.test{path}");
            let send = || fixture.browser(protocol).send("OPTIONS", &url, &preflight, b"");
            let answer = fixture.untouched(path, send);
            assert_eq!((answer.status, answer.header("location")), (401, None), "{path}");
        }
    });
}
